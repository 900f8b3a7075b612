//! Expressions made ready to run.
//!
//! The idea: read once per rule set. A text that does not read (checked long before) is left out. What no expression
//! selects is not handed over, so a rule set without expressions costs nothing.

use std::sync::Arc;

use crate::evaluate::plan::Compiled;
use crate::evaluate::promql::{Expr, Together, Windows, parse};
use crate::evaluate::template::Template;
use crate::model::{ExprStep, Inventory, Labels, RuleSet, SeriesKey, Watch};
use crate::time::{MINUTE, Ms};

use super::names::translate;

/// What a rule set has of expressions.
#[derive(Debug, Default)]
pub(in crate::evaluate) struct Exprs {
    /// Groups that have anything to evaluate.
    pub(super) groups: Vec<Group>,
    /// Something is recorded: then the past must be evaluated again after a restart.
    pub(super) records: bool,
    /// How long samples are of use.
    pub(super) keep: Ms,
    /// All expressions, in the order of groups and steps.
    pub(super) together: Together,
}

/// One group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) interval: Ms,
    /// Expressions see the world so long before the tick.
    pub(super) behind: Ms,
    /// Series that one expression may give at most.
    pub(super) limit: usize,
    pub(super) steps: Vec<Step>,
}

/// One expression of a group.
#[derive(Debug)]
pub(super) struct Step {
    /// Its place among all expressions.
    pub(super) expr: usize,
    /// Labels that the result gets: those of a recording as they are, those of an alert as templates.
    pub(super) labels: Vec<(String, Template)>,
    pub(super) what: Use,
}

/// What becomes of a result.
#[derive(Debug)]
pub(super) enum Use {
    /// Samples of this metric.
    Record(String),
    /// Instances of the rule at this place of the set.
    Alert(usize),
}

impl Exprs {
    pub(in crate::evaluate) fn new(set: &RuleSet) -> Self {
        let (mut exprs, mut all) = (Self::default(), Vec::new());
        for group in &set.groups {
            let steps: Vec<Step> = group.steps.iter().filter_map(|step| ready(step, set, &mut all)).collect();
            if !steps.is_empty() {
                let limit = if group.limit == 0 { usize::MAX } else { group.limit };
                exprs.groups.push(Group { interval: group.interval.max(1), behind: group.behind, limit, steps });
            }
        }
        let steps = || exprs.groups.iter().flat_map(|group| &group.steps);
        exprs.records = steps().any(|step| matches!(step.what, Use::Record(_)));
        let behind = exprs.groups.iter().map(|group| group.behind).max().unwrap_or(0);
        let look_back = all.iter().map(Expr::look_back).max().unwrap_or(0);
        exprs.keep = look_back.saturating_add(behind + MINUTE);
        exprs.together = Together::new(all);
        exprs
    }

    /// Whether there is no expression.
    pub(in crate::evaluate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The rule (or recording) whose selectors hold the most series.
    pub(super) fn widest(&self, windows: &Windows, rules: &[Compiled]) -> Option<Arc<str>> {
        let steps = self.groups.iter().flat_map(|group| &group.steps);
        let held = |step: &Step| self.together.reach(step.expr).into_iter().map(|set| windows.members(set)).sum();
        // Of equal ones the first.
        let widest = steps.rev().max_by_key(|step| -> usize { held(step) })?;
        Some(match &widest.what {
            Use::Record(name) => Arc::from(format!("record:{name}")),
            Use::Alert(place) => Arc::clone(&rules.get(*place)?.rule.id),
        })
    }

    /// The labels under which expressions look for a series; `None` where none does.
    pub(in crate::evaluate) fn wanted(&self, key: &SeriesKey, inventory: &Inventory) -> Option<Labels> {
        let labels = translate(key);
        let joined = inventory.join(&labels);
        let mut sets = self.together.sets().iter();
        sets.any(|set| set.matchers.iter().all(|matcher| matcher.accepts(&joined))).then_some(labels)
    }
}

fn ready(step: &ExprStep, set: &RuleSet, all: &mut Vec<Expr>) -> Option<Step> {
    let (text, labels, what) = match step {
        ExprStep::Record { name, labels, expr } => (expr, labels, Use::Record(name.clone())),
        ExprStep::Alert { rule, labels } => {
            let place = set.rules.iter().position(|known| known.id == *rule)?;
            let Watch::Expr { text } = &set.rules.get(place).map(Arc::as_ref)?.watch else { return None };
            (text, labels, Use::Alert(place))
        }
    };
    let (expr, labels) = (parse(text).ok()?, templates(labels)?);
    all.push(expr);
    Some(Step { expr: all.len() - 1, labels, what })
}

fn templates(labels: &Labels) -> Option<Vec<(String, Template)>> {
    labels.iter().map(|(name, text)| Some((name.to_owned(), Template::parse(text).ok()?))).collect()
}
