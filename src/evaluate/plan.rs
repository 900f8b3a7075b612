//! Rules made ready to run: regular expressions compiled, defaults filled in, metrics looked up by name.
//!
//! The idea: what depends on the rules alone is worked out once per rule set, so that binding a new series costs a
//! look-up and a sample costs nothing of it. It does not hold any state.

use std::collections::HashMap;
use std::sync::Arc;

use regex::Regex;
use sha2::Digest;

use crate::evaluate::guard::Safe;
use crate::evaluate::panes::edge;
use crate::evaluate::ring::Span;
use crate::evaluate::window::Memo;
use crate::evaluate::{QUIET, explain, waits};
use crate::model::{Comparison, Facts, Fold, Function, Labels, Matcher, Rule, RuleSet, Test, Watch};
use crate::time::{MINUTE, Ms};

/// One rule, ready to run.
#[derive(Debug)]
pub(super) struct Compiled {
    /// The rule.
    pub(super) rule: Arc<Rule>,
    /// What is known of its function.
    pub(super) facts: &'static Facts,
    /// One partition alone can judge it.
    pub(super) local: bool,
    /// How series become one number.
    pub(super) fold: Fold,
    /// Hash of what it watches.
    pub(super) watch: String,
    /// It is judged at each record too.
    pub(super) early: bool,
    /// It says nothing for one window after a start.
    pub(super) waits: bool,
    /// It has a value in an empty window, as long as the source speaks.
    pub(super) empty: bool,
    /// It counts log lines.
    pub(super) lines: bool,
    /// A source that was quiet for so long does not speak.
    pub(super) quiet: Ms,
    /// The values at which nobody need look; `None` = whoever watches must look at every change.
    pub(super) safe: Option<Safe>,
    /// Its windows are in panes, or remembered from visit to visit where they are long.
    pub(super) memo: bool,
    checks: Vec<Check>,
    pattern: Option<Regex>,
}

#[derive(Debug)]
struct Check {
    label: String,
    wanted: bool,
    test: Want,
}

#[derive(Debug)]
enum Want {
    Text(String),
    Pattern(Regex),
}

/// A whole rule set, ready to run.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The rules, in the order of the set.
    pub(super) rules: Vec<Compiled>,
    metrics: HashMap<String, Vec<usize>>,
    /// Which rules count lines.
    pub(super) logs: Vec<usize>,
}

impl Plan {
    /// Makes `set` ready. A regular expression that does not compile (checked long before) fits nothing.
    pub(super) fn new(set: &RuleSet) -> Self {
        let mut plan = Self::default();
        for (place, rule) in set.rules.iter().enumerate() {
            match &rule.watch {
                Watch::Metric { name, .. } => plan.metrics.entry(name.clone()).or_default().push(place),
                Watch::Log { .. } => plan.logs.push(place),
            }
            plan.rules.push(Compiled::new(rule));
        }
        plan
    }

    /// The rules that look at a metric.
    pub(super) fn watching(&self, metric: &str) -> &[usize] {
        self.metrics.get(metric).map_or(&[], Vec::as_slice)
    }
}

impl Compiled {
    fn new(rule: &Arc<Rule>) -> Self {
        let (matchers, pattern, lines) = match &rule.watch {
            Watch::Metric { matchers, .. } => (matchers, None, false),
            Watch::Log { matchers, pattern } => (matchers, pattern.as_deref().map(fitting), true),
        };
        let empty = lines || matches!(rule.function, Function::Count | Function::Absent);
        let after = rule.no_data.after;
        let local = explain::is_local(rule);
        Self {
            rule: Arc::clone(rule),
            facts: rule.function.facts(),
            local,
            fold: explain::fold(rule),
            watch: watch(rule),
            early: early(rule),
            waits: waits(rule),
            empty,
            lines,
            quiet: if empty { after } else { (2 * MINUTE).min(after / 2) },
            // The leaf of a wide rule is handed over whenever it changes.
            safe: if local && !lines && rule.step.is_none() && !waits(rule) { Safe::of(rule) } else { None },
            memo: rule.step.is_some() || (!lines && Memo::of(rule.function, rule.over, usize::MAX).is_some()),
            checks: matchers.iter().map(check).collect(),
            pattern,
        }
    }

    /// Whether all matchers fit the labels.
    pub(super) fn fits(&self, labels: &Labels) -> bool {
        self.checks.iter().all(|check| {
            let value = labels.get(&check.label).unwrap_or("");
            let fits = match &check.test {
                Want::Text(text) => text == value,
                Want::Pattern(pattern) => pattern.is_match(value),
            };
            fits == check.wanted
        })
    }

    /// The window that ends at `at`.
    pub(super) fn span(&self, at: Ms) -> Span {
        let over = self.rule.step.map_or(self.rule.over, |step| at - edge(at, self.rule.over, step));
        Span { at, over, interval: self.rule.interval }
    }

    /// Whether a line counts.
    pub(super) fn counts(&self, text: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
    }

    /// The identity that a series with these labels belongs to; a label that it lacks is the empty string.
    pub(super) fn identity(&self, own: &Labels, joined: &Labels) -> Labels {
        match &self.rule.by {
            None => own.clone(),
            Some(by) => Labels::new(by.iter().map(|label| (label.as_str(), joined.get(label).unwrap_or("")))),
        }
    }

    /// A silence after which a return is a new start.
    pub(super) fn restart(&self) -> Ms {
        self.rule.over + QUIET
    }
}

fn fitting(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|_| Regex::new("[^\\s\\S]").expect("a class of nothing is a valid pattern"))
}

fn check(matcher: &Matcher) -> Check {
    let test = match matcher.test {
        Test::Is | Test::IsNot => Want::Text(matcher.value.clone()),
        Test::Fits | Test::FitsNot => Want::Pattern(fitting(&format!("^(?s:{})$", matcher.value))),
    };
    Check { label: matcher.label.clone(), wanted: matches!(matcher.test, Test::Is | Test::Fits), test }
}

fn watch(rule: &Rule) -> String {
    let text = format!("{:?} {:?} {:?}", rule.watch, rule.by, rule.function);
    let digest = sha2::Sha256::digest(text.as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// More samples can only make such a value worse, so it need not wait for its tick.
fn early(rule: &Rule) -> bool {
    let worsens = match rule.function {
        Function::Count | Function::Max => matches!(rule.when, Comparison::Above | Comparison::AtLeast),
        Function::Min => matches!(rule.when, Comparison::Below | Comparison::AtMost),
        _ => false,
    };
    worsens && explain::is_local(rule) && rule.across.is_none() && rule.levels.iter().any(|level| level.hold == 0)
}
