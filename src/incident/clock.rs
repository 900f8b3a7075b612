//! The wall clock was set: what is still to come keeps its distance from now.
//!
//! The idea: timers are wall instants, and what they stand for are lengths: a hold, an ack for four hours, a deadline an
//! hour away. When the clock is set, each is moved by as much, so that nothing comes an hour late or all at once. What
//! happened keeps the time at which it was written down (occurred, detected, over, taken), and so does a promise that was
//! kept or broken. Silences and maintenance are times of the calendar and stay; a silence that had begun goes on.

use crate::model::{Incident, IncidentState, MuteKind};
use crate::time::Ms;

use super::{Book, Decided};

impl Book {
    /// Takes a step of the wall clock by `by`, after which it is `self.now`.
    pub(super) fn set_clock(&mut self, by: Ms, out: &mut Decided) {
        let moved = self.incidents.values().map(|it| moved(it, by));
        let changed: Vec<Incident> = moved.filter(|it| self.incidents.get(&it.id) != Some(it)).collect();
        changed.into_iter().for_each(|incident| self.put(incident));
        self.blind.set_clock(by);
        self.services.set_clock(by);
        self.mutes.silences.set_clock(self.now - by, self.now);
        self.judge_all(out);
    }
}

/// `incident` with what is still to come moved.
fn moved(incident: &Incident, by: Ms) -> Incident {
    let mut it = incident.clone();
    let ahead = |at: &mut Option<Ms>| *at = at.map(|at| at + by);
    ahead(&mut it.calm_since);
    if !matches!(it.state, IncidentState::Open | IncidentState::Acked) {
        return it;
    }
    ahead(&mut it.held_until);
    if it.notified.is_none() {
        ahead(&mut it.notify_by);
    }
    if let Some(ack) = &mut it.ack {
        ack.until += by;
    }
    if let Some(muted) = it.muted.as_mut().filter(|muted| muted.kind == MuteKind::Inhibition) {
        ahead(&mut muted.until);
    }
    if let Some(clocks) = &mut it.sla {
        clocks.from += by;
        ahead(&mut clocks.ack_by);
        ahead(&mut clocks.recover_by);
    }
    if let Some(drill) = &mut it.drill {
        drill.until += by;
    }
    ahead(&mut it.group.tally.last);
    it.group.said = it.group.said.map(|(n, at)| (n, at + by));
    it
}
