//! Steps of running chains that nobody is behind, as the leader keeps them, for whoever asks.
//!
//! The idea: the same step of the same chain is one fact, however many incidents passed it. It reads and counts; `page`
//! decides and keeps.

use std::collections::BTreeMap;

use crate::console::EmptyStepView;
use crate::page::{EmptyStep, empty_notes, empty_steps};
use crate::store::{self, Store};

/// Every such step with the number of its incident.
///
/// # Errors
/// The store cannot be read.
pub fn of(store: &dyn Store) -> store::Result<Vec<(String, EmptyStep)>> {
    let prefix = empty_notes();
    let notes = store.notes(&prefix)?;
    let read = |(key, text): (String, String)| Some((key.strip_prefix(&prefix)?.to_owned(), empty_steps(&text)?));
    let steps = notes.into_iter().filter_map(read);
    Ok(steps.flat_map(|(id, steps)| steps.into_iter().map(move |step| (id.clone(), step))).collect())
}

/// Each step once, with the incidents that passed it.
pub fn views(all: &[(String, EmptyStep)]) -> Vec<EmptyStepView> {
    let mut by_step: BTreeMap<&EmptyStep, Vec<String>> = BTreeMap::new();
    for (incident, step) in all {
        by_step.entry(step).or_default().push(incident.clone());
    }
    let view = |(step, incidents): (&EmptyStep, Vec<String>)| EmptyStepView {
        chain: step.chain.clone(),
        step: step.step,
        is_last: step.is_last,
        to: step.to.clone(),
        incidents,
    };
    by_step.into_iter().map(view).collect()
}
