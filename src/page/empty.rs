//! Steps of live incidents that told nobody because nobody is behind their names.
//!
//! The idea: an empty step is passed at once, so an incident is never later for it; but whoever keeps the contacts must see
//! it, and not only in a log. What was passed is kept in a note for each incident, until the step finds somebody or the
//! incident closes, and shown by `explain` and `status`. It decides nothing.

use serde::{Deserialize, Serialize};

use super::{Call, Decisions, Desk, NOTES, Run};

/// Kind of the notes, after [`NOTES`]; the incident's number follows.
pub(super) const KIND: &str = "empty";

/// The first characters of the notes that hold such steps.
pub fn empty_notes() -> String {
    format!("{NOTES}{KIND}/")
}

/// A step of an incident's chain that told nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Empty {
    /// The incident.
    pub incident: String,
    /// Which.
    pub step: EmptyStep,
}

/// The step, whatever the incident.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EmptyStep {
    /// Chain.
    pub chain: String,
    /// 0-based step; one past the last step for the last group, which told others instead.
    pub step: usize,
    /// It is the last group.
    pub is_last: bool,
    /// The names that nobody is behind, as they stand in the chain.
    pub to: Vec<String>,
}

/// Reads the note of an incident; `None` where it cannot be read.
pub fn empty_steps(note: &str) -> Option<Vec<EmptyStep>> {
    serde_json::from_str(note).ok()
}

impl Desk {
    /// Step `at` told nobody.
    pub(super) fn passes(&mut self, call: Call<'_>, run: &Run, at: usize, out: &mut Decisions) {
        let step = run.chain.steps.get(at);
        let names = step.map_or(&run.chain.last.to, |step| &step.to);
        let step = EmptyStep {
            chain: run.chain.id.clone(),
            step: at,
            is_last: step.is_none(),
            to: names.iter().map(crate::model::Target::word).collect(),
        };
        let incident = &call.incident.id;
        let known = self.empties.entry(incident.clone()).or_default();
        if !known.contains(&step) {
            known.push(step.clone());
            self.changed_notes.insert(format!("{KIND}/{incident}"));
        }
        out.empty.push(Empty { incident: incident.clone(), step });
    }

    /// Step `at` found somebody.
    pub(super) fn finds(&mut self, incident: &str, at: usize) {
        let Some(known) = self.empties.get_mut(incident) else { return };
        let before = known.len();
        known.retain(|empty| empty.step != at);
        if known.len() != before {
            self.changed_notes.insert(format!("{KIND}/{incident}"));
        }
    }

    /// The incident is closed.
    pub(super) fn forget_empty(&mut self, incident: &str) {
        if self.empties.remove(incident).is_some() {
            self.changed_notes.insert(format!("{KIND}/{incident}"));
        }
    }
}
