//! What a rule is in other words: where it can be evaluated, and the PromQL expression that it stands for.
//!
//! The idea: a native rule *is* one expression; printing it is how people check what they wrote.

use crate::model::{Comparison, Fold, Function, Join, Matcher, Rule, Selector, Test, Threshold, Watch};
use crate::time::{Ms, show_duration};

/// Whether every series of one identity comes from one host, and so from one partition. Who never spoke only all
/// partitions together know.
pub fn is_local(rule: &Rule) -> bool {
    let expr = matches!(rule.watch, Watch::Expr { .. });
    !expr && !rule.expected && rule.by.as_ref().is_none_or(|by| by.iter().any(|label| label == "host"))
}

/// How the series of one identity become one number.
pub(super) fn fold(across: Option<Fold>, function: Function, when: Comparison) -> Fold {
    across.or(function.facts().across).unwrap_or(match when {
        Comparison::Below | Comparison::AtMost => Fold::Min,
        _ => Fold::Max,
    })
}

/// The expression of a rule with the threshold of its lowest severity: `across by (by)
/// (fn_over_time(metric{match}[over]))`.
pub fn expression(rule: &Rule) -> String {
    let threshold = rule.levels.last().map(|level| level.threshold);
    let own = |selector: String| {
        let folded = folded(rule, &selector, (rule.function, rule.over), rule.across, rule.when);
        if matches!(rule.function, Function::Count | Function::Absent) {
            format!("({folded} or vector(0))")
        } else {
            folded
        }
    };
    let valued = match &rule.watch {
        Watch::Metric { name, matchers } => own(select(name, matchers)),
        Watch::Expr { text } => return text.clone(),
        Watch::Log { matchers, pattern } => {
            let lines = select("log_lines", matchers);
            own(pattern.as_ref().map_or(lines.clone(), |pattern| format!("{lines} |~ {pattern:?}")))
        }
        Watch::Ratio { of, to, min } => {
            let side = |of: &Selector| {
                let selector = select(&of.name, &of.matchers);
                folded(rule, &selector, (rule.function, rule.over), rule.across, rule.when)
            };
            let (of, to) = (side(of), side(to));
            let least = if *min > 0.0 { format!(">= {min}") } else { "> 0".to_owned() };
            format!("(({of} or {to} * 0) / ({to} {least}))")
        }
    };
    let asked = threshold.map_or(valued.clone(), |threshold| format!("{valued} {}", compare(rule.when, threshold)));
    let joined = rule.also.iter().fold(asked, |all, condition| {
        let selector = select(&condition.what.name, &condition.what.matchers);
        let windows = (condition.function, condition.over);
        let folded = folded(rule, &selector, windows, condition.across, condition.when);
        let lowest = rule.levels.last().and_then(|level| condition.thresholds[level.severity.index()]);
        let word = if rule.join == Join::All { "and" } else { "or" };
        let asked = lowest.map_or(folded.clone(), |lowest| format!("{folded} {}", compare(condition.when, lowest)));
        format!("{all} {word} {asked}")
    });
    match rule.step {
        Some(step) => format!("{joined} # the window begins on a multiple of {}", show_duration(step)),
        None => joined,
    }
}

/// The number of one identity: `across by (by) (fn(selector[over]))`.
fn folded(
    rule: &Rule,
    selector: &str,
    (function, over): (Function, Ms),
    across: Option<Fold>,
    when: Comparison,
) -> String {
    let call = function.promql(&format!("{selector}[{}]", show_duration(over)));
    let across = match fold(across, function, when) {
        Fold::Sum => "sum",
        Fold::Avg => "avg",
        Fold::Max => "max",
        Fold::Min => "min",
    };
    match &rule.by {
        Some(by) => format!("{across} by ({}) ({call})", by.join(", ")),
        None => call,
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
