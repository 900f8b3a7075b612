//! Leases in memory: see `store::outbox`.

use super::{Slot, Tables};
use crate::model::{ClockStep, Input, Lease, Outcome, Overdue, OverdueKind, Page, PageRow, PageState, Sending};
use crate::store::outbox::{Want, accepted, early, settled, told, too_late};
use crate::store::{About, RECEIPT_AGE, Result};
use crate::time::Ms;

impl Slot {
    pub(super) fn new(page: Page, queued: Option<Ms>) -> Self {
        let (due, wanted, deadline) = (page.due, page.wanted, page.deadline);
        let row = PageRow {
            page,
            state: PageState::Waiting,
            detail: String::new(),
            handed: None,
            done: None,
            tries: 0,
            sending: Sending { queued, ..Sending::default() },
        };
        Self { row, due, wanted, deadline, worker: String::new(), epoch: 0, until: 0, doubt: false, resent: false }
    }

    /// The wall clock was set: what waits or is leased keeps what was left of its time.
    pub(super) fn set_clock(&mut self, step: ClockStep) {
        if self.is_final() {
            return;
        }
        self.wanted = step.deadline(self.wanted);
        (self.due, self.deadline, self.until) =
            (step.due(self.due), step.deadline(self.deadline), step.lease(self.until));
    }

    pub(super) fn is_final(&self) -> bool {
        !matches!(self.row.state, PageState::Waiting | PageState::Handed)
    }

    fn lease(&mut self, want: &Want<'_>) -> Lease {
        self.row.state = PageState::Handed;
        self.row.handed.get_or_insert(want.now);
        self.row.tries += 1;
        self.epoch += 1;
        want.worker.clone_into(&mut self.worker);
        self.until = want.until;
        Lease {
            page: Page { wanted: self.wanted, deadline: self.deadline, ..self.row.page.clone() },
            worker: self.worker.clone(),
            epoch: self.epoch,
            until: self.until,
            unknown_before: self.doubt,
            resent: self.resent,
            sending: self.row.sending,
        }
    }
}

impl Tables {
    /// The ids of the first `most` slots that fit, in the order of the outbox.
    fn urgent(&self, most: usize, fits: impl Fn(&Slot) -> bool) -> Vec<String> {
        let mut found: Vec<&Slot> = self.outbox.values().filter(|slot| fits(slot)).collect();
        found.sort_by_key(|slot| (slot.wanted, slot.row.page.severity, &slot.row.page.id));
        found.truncate(most);
        found.into_iter().map(|slot| slot.row.page.id.clone()).collect()
    }

    pub(super) fn claim(&mut self, want: &Want<'_>) -> Vec<Lease> {
        let ids = self.urgent(want.limit, |slot| {
            let page = &slot.row.page;
            slot.row.state == PageState::Waiting
                && slot.due <= want.now
                && slot.deadline >= want.now
                && want.severity.is_none_or(|severity| severity == page.severity)
        });
        let leases: Vec<Lease> = ids.iter().filter_map(|id| Some(self.outbox.get_mut(id)?.lease(want))).collect();
        for lease in &leases {
            self.put_input(Input::Handed { page: lease.page.id.clone() }, want.now);
        }
        leases
    }

    pub(super) fn overdue(&self, now: Ms, before: Ms) -> Vec<Overdue> {
        let live = self.incidents.values().filter(|incident| incident.state.is_live());
        let mut found: Vec<Overdue> =
            live.flat_map(|incident| Overdue::of(incident, self.chains.get(&incident.id), before)).collect();
        let waits = |slot: &&Slot| slot.row.state == PageState::Waiting && slot.due <= before && slot.deadline >= now;
        let page = |slot: &Slot| (OverdueKind::Page, slot.row.page.id.clone(), slot.due);
        let input = |(row, (at, _)): (&i64, &(Ms, Input))| (OverdueKind::Input, row.to_string(), *at);
        let rows = self.outbox.values().filter(waits).map(page);
        let inputs = self.waiting.iter().filter(|(_, (at, _))| *at <= before).map(input);
        found.extend(rows.chain(inputs).map(|(kind, id, due)| Overdue { kind, id, due }));
        found.sort();
        found
    }

    pub(super) fn reclaim(&mut self, want: &Want<'_>) -> Vec<Lease> {
        let lapsed = |slot: &Slot| slot.row.state == PageState::Handed && slot.until <= want.now;
        let ids = self.urgent(want.limit, lapsed);
        let again = |id: &String| {
            let slot = self.outbox.get_mut(id)?;
            slot.doubt = true;
            Some(slot.lease(want))
        };
        ids.iter().filter_map(again).collect()
    }

    /// The slot that `lease` still holds.
    pub(super) fn held(&mut self, lease: &Lease) -> Option<&mut Slot> {
        let slot = self.outbox.get_mut(&lease.page.id)?;
        let ours = slot.row.state == PageState::Handed && slot.worker == lease.worker && slot.epoch == lease.epoch;
        ours.then_some(slot)
    }

    pub(super) fn outcome(&mut self, lease: &Lease, outcome: &Outcome, now: Ms) -> bool {
        let Some(slot) = self.held(lease) else { return false };
        match settled(outcome) {
            None => (slot.resent, slot.row.sending.submitted) = (true, None),
            Some(state) => {
                slot.row.state = state;
                outcome.detail().clone_into(&mut slot.row.detail);
                slot.row.done = Some(now);
                slot.row.sending.accepted = accepted(state, now);
            }
        }
        self.put_input(told(&lease.page.id, outcome, now), now);
        true
    }

    pub(super) fn receipt(&mut self, about: &About<'_>, outcome: &Outcome, now: Ms) -> Result<Option<PageRow>> {
        let Some(state) = settled(outcome) else { return Ok(None) };
        let was_over = |state| matches!(state, PageState::Accepted | PageState::Unknown);
        let is_on_phone = |row: &PageRow| {
            state == PageState::Delivered && row.state == PageState::Handed && row.sending.submitted.is_some()
        };
        let fits = |slot: &Slot| {
            let row = &slot.row;
            let is_it = match about {
                About::Page(id) => row.page.id == *id && (was_over(row.state) || is_on_phone(row)),
                About::Detail(detail) => row.detail == *detail && row.state == PageState::Accepted,
            };
            is_it && row.page.decided >= now - RECEIPT_AGE
        };
        let is_early = |id: &str| {
            let row = self.outbox.get(id).map(|slot| &slot.row);
            row.is_some_and(|row| row.state == PageState::Handed && row.sending.submitted.is_some())
        };
        let is_early = matches!(about, About::Page(id) if is_early(id));
        let Some(slot) = self.outbox.values_mut().find(|slot| fits(slot)) else {
            return if is_early { Err(early()) } else { Ok(None) };
        };
        slot.row.state = state;
        outcome.detail().clone_into(&mut slot.row.detail);
        slot.row.done = Some(now);
        let sending = &mut slot.row.sending;
        sending.accepted = sending.accepted.or(accepted(state, now));
        sending.delivered = (state == PageState::Delivered).then_some(now);
        let row = slot.row.clone();
        self.put_input(told(&row.page.id, outcome, now), now);
        Ok(Some(row))
    }

    pub(super) fn give_back(&mut self, lease: &Lease, why: &str, due: Ms) -> bool {
        let Some(slot) = self.held(lease) else { return false };
        slot.row.state = PageState::Waiting;
        why.clone_into(&mut slot.row.detail);
        (slot.due, slot.row.sending.submitted) = (due, None);
        self.put_input(Input::GivenBack { page: lease.page.id.clone(), again: false }, due);
        true
    }

    pub(super) fn expire(&mut self, now: Ms) -> usize {
        let late = |slot: &Slot| slot.row.state == PageState::Waiting && slot.deadline < now;
        let mut ids: Vec<(Ms, String)> = self.outbox.iter().filter(|(_, slot)| late(slot)).map(by_deadline).collect();
        ids.sort();
        let count = ids.len();
        for (_, id) in ids {
            if let Some(slot) = self.outbox.get_mut(&id) {
                slot.row.state = PageState::Failed;
                too_late().detail().clone_into(&mut slot.row.detail);
                slot.row.done = Some(now);
            }
            self.put_input(told(&id, &too_late(), now), now);
        }
        count
    }
}

fn by_deadline((id, slot): (&String, &Slot)) -> (Ms, String) {
    (slot.deadline, id.clone())
}
