//! Rules made ready to run: regular expressions compiled, defaults filled in, metrics looked up by name.
//!
//! The idea: what depends on the rules alone is worked out once per rule set, so that binding a new series costs a
//! look-up and a sample costs nothing of it. It does not hold any state.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::Digest;

use crate::evaluate::exprs::ExprPlan;
use crate::evaluate::part::{How, Part};
use crate::evaluate::terms::Terms;
use crate::evaluate::{QUIET, explain, waits};
use crate::model::{Comparison, Fingerprint, Function, Inventory, Labels, Mode, Rule, RuleSet};
use crate::time::{MINUTE, Ms};

/// One rule, ready to run.
#[derive(Debug)]
pub(super) struct Compiled {
    /// The rule.
    pub(super) rule: Arc<Rule>,
    /// One partition alone can judge it.
    pub(super) local: bool,
    /// What it looks at, one part at least.
    pub(super) parts: Vec<Part>,
    /// How their values become one.
    pub(super) how: How,
    /// Its numbers, then those of its overrides.
    pub(super) terms: Vec<Terms>,
    /// The longest window of its parts.
    pub(super) over: Ms,
    /// Hash of what it watches.
    pub(super) watch: String,
    /// It is judged at each record too.
    pub(super) early: bool,
    /// It says nothing for one window after a start.
    pub(super) waits: bool,
    /// It has a value in an empty window, as long as the source speaks.
    pub(super) empty: bool,
    /// A source that was quiet for so long does not speak.
    pub(super) quiet: Ms,
}

/// A whole rule set, ready to run.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The rules, in the order of the set.
    pub(super) rules: Vec<Compiled>,
    metrics: HashMap<String, Vec<(usize, u8)>>,
    /// Which rules count lines.
    pub(super) logs: Vec<usize>,
    /// The expressions.
    pub(super) exprs: ExprPlan,
}

impl Plan {
    /// Makes `set` ready.
    pub(super) fn new(set: &RuleSet) -> Self {
        let mut plan = Self { exprs: ExprPlan::new(set), ..Self::default() };
        for (place, rule) in set.rules.iter().enumerate() {
            let compiled = Compiled::new(rule);
            for (n, part) in (0..).zip(&compiled.parts) {
                if part.lines {
                    plan.logs.push(place);
                } else {
                    plan.metrics.entry(part.name.clone()).or_default().push((place, n));
                }
            }
            plan.rules.push(compiled);
        }
        plan
    }

    /// The rules that look at a metric, each with the part that does.
    pub(super) fn watching(&self, metric: &str) -> &[(usize, u8)] {
        self.metrics.get(metric).map_or(&[], Vec::as_slice)
    }
}

impl Compiled {
    fn new(rule: &Arc<Rule>) -> Self {
        let after = rule.no_data.after;
        let local = explain::is_local(rule);
        let (parts, how) = Part::all(rule);
        let empty = parts.iter().all(|part| part.empty);
        Self {
            rule: Arc::clone(rule),
            local,
            terms: Terms::all(rule, local, (&parts, how)),
            over: parts.iter().map(|part| part.over).max().unwrap_or(rule.over),
            parts,
            how,
            watch: watch(rule),
            early: how == How::One && early(rule),
            waits: waits(rule),
            empty,
            quiet: if empty { after } else { (2 * MINUTE).min(after / 2) },
        }
    }

    /// The identity that a series with these labels belongs to; a label that it lacks is the empty string.
    pub(super) fn identity(&self, own: &Labels, joined: &Labels) -> Labels {
        match &self.rule.by {
            None => own.clone(),
            Some(by) => Labels::new(by.iter().map(|label| (label.as_str(), joined.get(label).unwrap_or("")))),
        }
    }

    /// The identities that the inventory lets it expect.
    pub(super) fn expects(&self, inventory: &Inventory) -> Vec<Labels> {
        let hosts = inventory.resources.keys().filter(|_| self.rule.expected);
        let known = hosts.map(|host| Labels::new([("host", host.as_str())]));
        let joined = known.map(|own| (inventory.join(&own), own));
        let fitting = joined.filter(|(joined, _)| self.parts.iter().any(|part| part.fits(joined)));
        fitting.map(|(joined, own)| self.identity(&own, &joined)).collect()
    }

    /// The place of the terms by which an identity is judged.
    pub(super) fn choose(&self, labels: &Labels, inventory: &Inventory) -> usize {
        if self.terms.len() == 1 { 0 } else { Terms::choose(&self.terms, &inventory.join(labels)) }
    }

    /// The key of the leaf of a wide rule: the instance that one series has for one of its parts.
    pub(super) fn leaf(&self, part: u8, labels: &Labels) -> Fingerprint {
        let metric = self.parts.get(usize::from(part)).map_or("", |part| part.name.as_str());
        let name = match part {
            0 => format!("{}\x1d{metric}", self.rule.id),
            _ => format!("{}\x1d{metric}\x1d{part}", self.rule.id),
        };
        Fingerprint::of(&name, labels)
    }

    /// A silence after which a return is a new start.
    pub(super) fn restart(&self) -> Ms {
        self.over + QUIET
    }

    /// Every change is looked at, for tests that compare with what passes unseen.
    #[cfg(test)]
    pub(super) fn unguard(&mut self) {
        self.terms.iter_mut().for_each(|terms| terms.safe = None);
    }
}

/// What a state hangs on beside the rule's id. What a rule does not use leaves no trace, so that rules of before keep
/// their states.
fn watch(rule: &Rule) -> String {
    let mut text = format!("{:?} {:?} {:?}", rule.watch, rule.by, rule.function);
    for condition in &rule.also {
        text.push_str(&format!(" {:?} {:?} {:?}", rule.join, condition.what, condition.function));
    }
    if rule.mode == Mode::Shadow {
        text.push_str(" shadow");
    }
    if rule.expected {
        text.push_str(" expected");
    }
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
    let levels = rule.levels.iter().chain(rule.overrides.iter().flat_map(|other| &other.levels));
    worsens && explain::is_local(rule) && rule.across.is_none() && { levels }.any(|level| level.hold == 0)
}
