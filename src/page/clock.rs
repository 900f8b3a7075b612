//! The wall clock was set: what waits goes on at its length.
//!
//! The idea: the next step of a chain, the start of the next channel, folds and the stamps that caps are counted by are
//! wall instants that stand for lengths; each is moved by as much. The daily digest leaves at an hour of the calendar and
//! stays where it is.

use crate::time::Ms;

use super::Desk;

impl Desk {
    /// Moves everything that waits by `by`.
    pub fn set_clock(&mut self, by: Ms) {
        let waits = self.runs.values().filter(|run| run.row.due.is_some() || run.row.hurry.is_some());
        for mut run in waits.cloned().collect::<Vec<_>>() {
            run.row.due = run.row.due.map(|due| due + by);
            run.row.hurry = run.row.hurry.map(|hurry| hurry + by);
            self.put(run);
        }
        for (key, fold) in &mut self.folds {
            fold.set_clock(by);
            self.changed_notes.insert(format!("fold/{}", key.text()));
        }
        for (to, counts) in &mut self.counts {
            counts.set_clock(by);
            self.changed_notes.insert(format!("cap/{to}"));
        }
    }
}
