//! The clocks of an incident for which another speaks.
//!
//! The idea: whoever is to take it takes its parent, so the clock of that stands while it hangs, and goes on with what was
//! left. What users suffer goes on: the time to recover runs, but the parent warns of it, and of each share once, however
//! many hang under it.

use crate::model::{Incident, SlaClock, SlaClocks};
use crate::time::Ms;

use super::{Book, Decided};

impl SlaClocks {
    /// Somebody was told just now: the time to take it runs, or will once it speaks for itself.
    pub(in crate::incident) fn start_ack(&mut self, hangs: bool, now: Ms) {
        let within = self.ack_within;
        (self.ack_by, self.ack_left) = if hangs { (None, within) } else { (within.map(|within| now + within), None) };
    }

    /// Another speaks for it from now on.
    pub(super) fn hold_ack(&mut self, now: Ms) {
        if let Some(by) = self.ack_by.take() {
            self.ack_left = Some((by - now).max(0));
        }
    }

    /// It speaks for itself again.
    pub(super) fn go_on_with_ack(&mut self, now: Ms) {
        if let Some(left) = self.ack_left.take() {
            self.ack_by = Some(now + left);
        }
    }

    /// Nobody waits for an ack any more.
    pub(super) fn end_ack(&mut self) {
        (self.ack_by, self.ack_left) = (None, None);
    }
}

impl Book {
    /// A share of its time to recover has passed. `false`: it has to say so itself.
    pub(super) fn warn_above(&mut self, incident: &Incident, (share, by): (i64, Ms), out: &mut Decided) -> bool {
        if incident.parent.is_none() {
            return false;
        }
        let Some(root) = self.incidents.get(&self.scene().root(incident).id).cloned() else { return false };
        if root.id == incident.id {
            return false;
        }
        let mut quiet = incident.clone();
        if let Some(clocks) = &mut quiet.sla {
            (clocks.warned, clocks.tight) = (share, Some((SlaClock::Recover, by)));
        }
        self.put(quiet);
        self.warn(root, (share, SlaClock::Recover, by), out);
        true
    }
}
