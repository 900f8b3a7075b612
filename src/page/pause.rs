//! Chains that wait while pages about their incident are held back, and how they go on.
//!
//! The idea: what people know is compared with what is so when pages may leave again. Nobody was told: it is told as a
//! beginning. It is worse than they know: it worsened. It is as they know: the chain goes on with the wait that was
//! left, and what had been decided for somebody and was withdrawn is said. Chatter in between is nobody's news.

use crate::model::{IncidentState, PageState, Paused, Reason, Severity};

use super::group::Seat;
use super::{Asked, Call, Decisions, Desk, Known, chain};

impl Desk {
    /// Nothing may leave from now on: the chain stops and remembers where, what has not left is withdrawn.
    pub(super) fn pause(&mut self, call: Call<'_>, why: &str, known: Option<Severity>, out: &mut Decisions) {
        let id = &call.incident.id;
        let owed = self.withdraw(id, why, call.now, out).into_iter().map(|(seat, ..)| seat).collect();
        let Some(mut run) = self.runs.get(id).filter(|run| run.row.paused.is_none()).cloned() else { return };
        run.row.paused = Some(Paused {
            severity: known.unwrap_or(call.incident.severity),
            left: run.row.due.map(|due| (due - call.now).max(0)),
            taken: call.incident.state == IncidentState::Acked,
            owed,
        });
        run.row.due = None;
        self.put(run);
    }

    /// Somebody took the incident while its chain waited.
    pub(super) fn taken_meanwhile(&mut self, id: &str) {
        let Some(mut run) = self.runs.get(id).cloned() else { return };
        let Some(paused) = run.row.paused.as_mut().filter(|paused| !paused.taken || paused.left.is_some()) else {
            return;
        };
        (paused.taken, paused.left) = (true, None);
        paused.owed.clear();
        self.put(run);
    }

    /// Pages may leave again. `false`: the chain did not wait.
    pub(super) fn resume(&mut self, call: Call<'_>, asked: Asked<'_>, out: &mut Decisions) -> bool {
        if call.incident.holds_pages() || call.incident.state != IncidentState::Open {
            return self.runs.get(&call.incident.id).is_some_and(|run| run.row.paused.is_some());
        }
        let Some(mut run) = self.runs.get(&call.incident.id).cloned() else { return false };
        let Some(mut paused) = run.row.paused.take() else { return false };
        // Whoever was told of the occurrence before, and not of its end, has heard nothing of this one.
        let is_told = run.row.step.is_some() && !run.row.told.is_empty();
        self.put(run);
        paused.owed.extend(self.take_given_back(call, out));
        if !is_told {
            self.tell_first(call, out);
        } else if call.incident.severity < paused.severity {
            self.set_due(&call.incident.id, paused.left.map(|left| call.now + left));
            self.worsen(call, paused.taken, asked, out);
            self.say_owed(call, paused.owed, Reason::Worsened, out);
        } else if call.incident.flapping {
            self.say_owed(call, paused.owed, Reason::Flapping, out);
        } else {
            self.go_on_as_before(call, paused, out);
        }
        true
    }

    /// Says to whoever was to hear something and did not what is so now, unless a page says it to them already.
    fn say_owed(&mut self, call: Call<'_>, owed: Vec<Seat>, reason: Reason, out: &mut Decisions) {
        let id = &call.incident.id;
        let Some(run) = self.runs.get(id) else { return };
        let place = (run.row.step.unwrap_or(0), run.row.round, reason);
        let told = run.row.told.clone();
        for seat in owed {
            let waits = self.waiting(id, |known| known.is_of_chain() && known.is_for(&seat));
            if !told.contains(&seat) && waits.is_empty() {
                self.page(call, place, (&seat.0, seat.1), out);
            }
        }
    }

    /// Pages that were with a sender when the chain began to wait, and were given back unsent: they are not left beside
    /// what is decided now, or one person hears both.
    fn take_given_back(&mut self, call: Call<'_>, out: &mut Decisions) -> Vec<Seat> {
        let waiting = self.waiting(&call.incident.id, Known::is_of_chain);
        let taken = waiting.iter().filter_map(|page| self.cancel(page, "said anew", out));
        taken.map(|known| known.seat()).collect()
    }

    /// Nobody heard of it yet.
    fn tell_first(&mut self, call: Call<'_>, out: &mut Decisions) {
        let Some(mut run) = self.runs.get(&call.incident.id).cloned() else { return };
        if run.row.step.take().is_some() {
            // What was withdrawn keeps its id; what is decided now gets another.
            run.row.round += 1;
        }
        self.put(run);
        if call.incident.flapping {
            self.begin(call, Reason::Flapping, out);
            self.set_due(&call.incident.id, None);
        } else if call.incident.occurrence > 1 && self.was_ever_told(&call.incident.id) {
            self.begin(call, Reason::Reopened, out);
        } else {
            self.begin(call, Reason::First, out);
        }
    }

    /// It is as people know it.
    fn go_on_as_before(&mut self, call: Call<'_>, paused: Paused, out: &mut Decisions) {
        match paused.left {
            Some(left) => self.set_due(&call.incident.id, Some(call.now + left)),
            None if paused.taken => return self.go_on(call, out),
            None => {}
        }
        let Some(mut run) = self.runs.get(&call.incident.id).filter(|_| !paused.owed.is_empty()).cloned() else {
            return;
        };
        run.row.round += 1;
        let (step, round) = (run.row.step.unwrap_or(0), run.row.round);
        let reason = if step == 0 { chain::first_reason(call) } else { Reason::Escalated };
        let told = run.row.told.clone();
        self.put(run);
        let owed: Vec<Seat> = paused.owed.into_iter().filter(|seat| !told.contains(seat)).collect();
        for (to, channel) in owed {
            self.page(call, (step, round, reason), (&to, channel), out);
        }
    }

    /// Whether anybody was handed a page about the incident, in whatever occurrence.
    fn was_ever_told(&self, id: &str) -> bool {
        let left = |state: PageState| !matches!(state, PageState::Waiting | PageState::Failed | PageState::Cancelled);
        let pages = self.pages_of.get(id).into_iter().flatten().filter_map(|page| self.pages.get(page));
        pages.into_iter().any(|known| left(known.state))
    }
}
