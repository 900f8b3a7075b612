//! Expressions without their comparisons: what a picture needs to show where a value was while it was good.
//!
//! The idea: an expression gives a value only while it is bad. Beside each one a second rule is run whose expression is the
//! same without the comparisons around it; it tells nobody, and its instances have the same labels.

use std::sync::Arc;

use crate::evaluate::promql::{self, Node, Operator};
use crate::model::{ExprGroup, ExprStep, Rule, RuleSet, Watch};

/// The id of the rule that gives the values of the rule `id`. No file can have it: an id holds no blank.
pub(super) fn id(id: &str) -> String {
    format!("{id} value")
}

/// `set` with a rule beside each expression that gives its values.
pub(super) fn with_values(set: RuleSet) -> RuleSet {
    let values: Vec<Arc<Rule>> = set.rules.iter().filter_map(value).collect();
    let beside = |step: &ExprStep| -> Vec<ExprStep> {
        let ExprStep::Alert { rule, labels } = step else { return vec![step.clone()] };
        let own = Arc::from(id(rule));
        let known = values.iter().any(|value| value.id == own);
        let twin = ExprStep::Alert { rule: own, labels: labels.clone() };
        if known { vec![twin, step.clone()] } else { vec![step.clone()] }
    };
    let group = |group: &Arc<ExprGroup>| {
        let steps = group.steps.iter().flat_map(beside).collect();
        Arc::new(ExprGroup { steps, ..ExprGroup::clone(group) })
    };
    let groups = set.groups.iter().map(group).collect();
    let mut rules: Vec<Arc<Rule>> = set.rules.iter().cloned().chain(values.iter().cloned()).collect();
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    RuleSet { rules, groups, ..set }
}

fn value(rule: &Arc<Rule>) -> Option<Arc<Rule>> {
    let Watch::Expr { text } = &rule.watch else { return None };
    let expr = promql::parse(text).ok()?;
    let inner = expr.uncut().span.clone();
    let text = expr.text().get(inner)?.to_owned();
    let mut twin = Rule { id: Arc::from(id(&rule.id)), watch: Watch::Expr { text }, ..Rule::clone(rule) };
    twin.levels.iter_mut().for_each(|level| level.hold = 0);
    twin.recover.hold = 0;
    Some(Arc::new(twin))
}

/// The numbers that the value of the expression `text` is compared with, and the side that is bad; those of other things
/// beside it have no place on its axis.
pub(super) fn bounds(text: &str) -> Vec<(&'static str, f64)> {
    let Ok(expr) = promql::parse(text) else { return Vec::new() };
    let written = |node: &Node| -> String {
        let text = expr.text().get(node.bare().span.clone()).unwrap_or("");
        text.chars().filter(|c| !c.is_whitespace()).collect()
    };
    let value = written(expr.uncut());
    let of_value = expr.cuts().into_iter().filter(|cut| written(cut.base) == value);
    of_value.map(|cut| (sign(cut.op), cut.number)).collect()
}

fn sign(op: Operator) -> &'static str {
    match op {
        Operator::LessEqual => "≤",
        Operator::GreaterEqual => "≥",
        Operator::NotEqual => "≠",
        Operator::Equal => "=",
        Operator::Less => "<",
        _ => ">",
    }
}
