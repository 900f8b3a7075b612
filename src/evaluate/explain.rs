//! What a rule is in other words: where it can be evaluated, and the PromQL expression that it stands for.
//!
//! The idea: a native rule *is* one expression; printing it is how people check what they wrote.

use std::fmt::Write;

use crate::model::{Comparison, Fold, Function, Matcher, Rule, Test, Threshold, Watch};
use crate::time::show_duration;

/// Whether every series of one identity comes from one host, and so from one partition.
pub fn is_local(rule: &Rule) -> bool {
    rule.by.as_ref().is_none_or(|by| by.iter().any(|label| label == "host"))
}

/// How the series of one identity become one number.
pub(super) fn fold(rule: &Rule) -> Fold {
    rule.across.or(rule.function.facts().across).unwrap_or(match rule.when {
        Comparison::Below | Comparison::AtMost => Fold::Min,
        _ => Fold::Max,
    })
}

/// The expression of a rule with the threshold of its lowest severity: `across by (by)
/// (fn_over_time(metric{match}[over]))`.
pub fn expression(rule: &Rule) -> String {
    let mut selector = match &rule.watch {
        Watch::Metric { name, matchers } => select(name, matchers),
        Watch::Log { matchers, pattern } => {
            let lines = select("log_lines", matchers);
            pattern.as_ref().map_or(lines.clone(), |pattern| format!("{lines} |~ {pattern:?}"))
        }
    };
    let _ = write!(selector, "[{}]", show_duration(rule.over));
    let call = rule.function.promql(&selector);
    let across = match fold(rule) {
        Fold::Sum => "sum",
        Fold::Avg => "avg",
        Fold::Max => "max",
        Fold::Min => "min",
    };
    let folded = match &rule.by {
        Some(by) => format!("{across} by ({}) ({call})", by.join(", ")),
        None => call,
    };
    let valued = match rule.function {
        Function::Count | Function::Absent => format!("({folded} or vector(0))"),
        _ => folded,
    };
    let asked = match rule.levels.last() {
        Some(level) => format!("{valued} {}", compare(rule.when, level.threshold)),
        None => valued,
    };
    match rule.step {
        Some(step) => format!("{asked} # the window begins on a multiple of {}", show_duration(step)),
        None => asked,
    }
}

fn select(name: &str, matchers: &[Matcher]) -> String {
    let tests: Vec<String> = matchers
        .iter()
        .map(|matcher| {
            let test = match matcher.test {
                Test::Is => "=",
                Test::IsNot => "!=",
                Test::Fits => "=~",
                Test::FitsNot => "!~",
            };
            format!("{}{test}{:?}", matcher.label, matcher.value)
        })
        .collect();
    if tests.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", tests.join(",")) }
}

fn compare(when: Comparison, threshold: Threshold) -> String {
    match (when, threshold) {
        (Comparison::Above, Threshold::One(limit)) => format!("> {limit}"),
        (Comparison::AtLeast, Threshold::One(limit)) => format!(">= {limit}"),
        (Comparison::Below, Threshold::One(limit)) => format!("< {limit}"),
        (Comparison::AtMost, Threshold::One(limit)) => format!("<= {limit}"),
        (_, Threshold::One(limit)) => format!("== {limit}"),
        (_, Threshold::Range(low, high)) => format!("outside [{low}, {high}]"),
    }
}
