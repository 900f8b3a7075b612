//! The result of one step of a group at one tick: label sets and their values.
//!
//! The idea: what an expression gives loses its name and gets the step's own labels, which may be templates over it; two
//! results of one label set are an error that says so. What becomes of the result is not decided here.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::plan::{Group, Step};
use crate::evaluate::plan::Plan;
use crate::evaluate::promql::{Kept, NAME, Trouble, Value, Windows, instant, parse};
use crate::evaluate::template::{Scene, Template};
use crate::evaluate::{Effects, Limits};
use crate::model::Labels;
use crate::time::Ms;

/// One evaluation.
pub(super) struct Tick<'a> {
    pub(super) at: Ms,
    pub(super) plan: &'a Plan,
    pub(super) limits: Limits,
    /// Windows that reach behind this are warming.
    pub(super) first: Option<Ms>,
    pub(super) kept: &'a RefCell<Kept>,
    pub(super) out: &'a mut Effects,
}

impl Tick<'_> {
    /// The value of a step at `at`.
    fn value(&self, step: &Step, windows: &Windows, at: Ms) -> Result<Value, Trouble> {
        self.plan.exprs.together.instant(step.expr, windows, self.kept, at)
    }
}

/// The result of a step at `at` by labels: without a name, and with the step's labels over its own.
pub(super) fn evaluated(
    group: &Group,
    step: &Step,
    windows: &Windows,
    tick: &Tick<'_>,
) -> Result<BTreeMap<Labels, f64>, String> {
    let at = tick.at - group.behind;
    let samples = match tick.value(step, windows, at).map_err(|trouble| trouble.to_string())? {
        Value::Vector(samples) => samples.into_iter().map(|sample| (sample.labels, sample.value)).collect(),
        Value::Scalar(value) => vec![(Labels::default(), value)],
        Value::String(_) | Value::Matrix(_) => Vec::new(),
    };
    if samples.len() > group.limit {
        return Err(format!("{} results, {} allowed by the group's `limit`", samples.len(), group.limit));
    }
    let mut found = BTreeMap::new();
    for (own, value) in samples {
        let own = Labels::new(own.iter().filter(|(name, _)| *name != NAME));
        let given = given(step, &own, value, (windows, at))?;
        let pairs = own.iter().chain(given.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let all = Labels::new(pairs);
        let identity = Labels::new(all.iter().filter(|(_, value)| !value.is_empty()));
        if found.insert(identity.clone(), value).is_some() {
            return Err(format!("two results have the labels {identity}: add a label to `by`, or aggregate"));
        }
    }
    Ok(found)
}

/// The labels of a step for one result.
fn given(
    step: &Step,
    own: &Labels,
    value: f64,
    (windows, at): (&Windows, Ms),
) -> Result<Vec<(String, String)>, String> {
    let query = |text: &str| {
        let expr = parse(text).map_err(|problem| problem.to_string())?;
        match instant(&expr, windows, at).map_err(|trouble| trouble.to_string())? {
            Value::Vector(samples) => Ok(samples.into_iter().map(|sample| (sample.labels, sample.value)).collect()),
            Value::Scalar(value) => Ok(vec![(Labels::default(), value)]),
            Value::String(_) | Value::Matrix(_) => Ok(Vec::new()),
        }
    };
    let none = Labels::default();
    let scene = Scene { labels: own, value, external_labels: &none, external_url: "", query: &query };
    let render = |(name, template): &(String, Template)| {
        template
            .render(&scene)
            .map(|text| (name.clone(), text))
            .map_err(|wrong| format!("label {name}: {}", wrong.message))
    };
    step.labels.iter().map(render).collect()
}
