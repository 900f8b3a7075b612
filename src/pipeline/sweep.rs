//! The sweeper: looks in the rows for what should have been done long ago, has it done, and counts it.
//!
//! The idea: timers live in memory and could be lost by a bug; rows cannot. So somebody who has no part in the timers
//! reads the rows every [`EVERY`] and hands what is late by more than [`LATE`] to whoever does it: chains and acks go to
//! the leader as an input of their own (kind `swept` in the ledger), pages to a sender of the sweeper's own, and inputs
//! that nobody takes make the leader load itself anew. In a healthy service it finds nothing, and that is what its
//! figure is for: the heartbeat is withheld while it finds too much.
//!
//! Of several processes that may lead each counts, and only the one that the store's seat names hands out: two would have
//! everything done twice, and one that waits to lead would blame a leader that is followed in a moment.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::model::{Input, Overdue, OverdueKind};
use crate::notify::Worker;
use crate::pipeline::shell::Shared;
use crate::time::{MINUTE, Ms, SECOND};

/// Distance of looks.
pub const EVERY: Duration = Duration::from_secs(10);
/// What is late by more than this was forgotten.
pub const LATE: Ms = 30 * SECOND;
/// What was handed over is not handed over again for so long.
const AGAIN: Ms = MINUTE;
/// Pages sent in one look.
const PAGES_MAX: usize = 20;

/// Looks for what is overdue.
#[derive(Debug)]
pub struct Sweeper {
    /// The name under which this process leads.
    owner: String,
    /// Sends pages that nobody takes; `None` where this process sends none.
    worker: Option<Worker>,
    /// What was handed over, and when: wall time.
    handed: BTreeMap<(OverdueKind, String), Ms>,
}

impl Sweeper {
    /// One of the process that leads as `owner`; it sends overdue pages with `worker`.
    pub fn new(owner: &str, worker: Option<Worker>) -> Self {
        Self { owner: owner.to_owned(), worker, handed: BTreeMap::new() }
    }

    /// One look: how much was overdue.
    pub fn look(&mut self, shared: &Shared) -> usize {
        let now = shared.clock.wall();
        let found = match shared.store.overdue(now, now - LATE) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the sweeper cannot read the store, trying again");
                return shared.overdue.load(Ordering::SeqCst);
            }
        };
        shared.overdue.store(found.len(), Ordering::SeqCst);
        // A clock that was set back must not keep it from the leader for longer.
        self.handed.retain(|_, at| (0..AGAIN).contains(&(now - *at)));
        if found.is_empty() || !shared.store.seat().is_ok_and(|seat| seat.owner == self.owner) {
            return found.len();
        }
        for late in &found {
            if self.handed.insert((late.kind, late.id.clone()), now).is_none() {
                self.hand(late, now, shared);
            }
        }
        // After a start everything that waits is overdue, and some of it may be about what is over.
        let may_leave = || shared.gate.is_open(shared.store.as_ref(), &self.owner, shared.clock.elapsed());
        if found.iter().any(|late| late.kind == OverdueKind::Page) && may_leave() {
            self.send(now, shared);
        }
        shared.lead.ring();
        found.len()
    }

    fn hand(&self, late: &Overdue, now: Ms, shared: &Shared) {
        let (kind, late_ms) = (late.kind.word(), now - late.due);
        tracing::warn!(kind, id = late.id, late_ms, "overdue: done now");
        shared.metrics.swept(kind);
        if late.kind == OverdueKind::Input {
            shared.anew.put(());
            return;
        }
        if let Err(error) = shared.store.add_input(&Input::Swept(late.clone()), now) {
            tracing::error!(%error, kind, id = late.id, "what is overdue could not be handed to the leader");
        }
    }

    fn send(&mut self, now: Ms, shared: &Shared) {
        let Some(worker) = &mut self.worker else { return };
        for _ in 0..PAGES_MAX {
            let did = worker.step(now);
            crate::pipeline::publish::sent(&did, shared);
            if did.pages.is_empty() {
                break;
            }
        }
        worker.give_back_queue();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{BookCommit, Contact, Page, People};
    use crate::pipeline::gate::{Gate, WAIT_MAX};
    use crate::pipeline::outbox::{Contacts, StoreOutbox};
    use crate::pipeline::shell::Shell;
    use crate::pipeline::sim::FakeGateway;
    use crate::store::{MemoryStore, Store as _};
    use crate::telemetry::Metrics;
    use crate::time::{Clock as _, ManualClock};

    #[test]
    fn who_waits_to_lead_counts_what_is_overdue_and_leaves_it_to_whoever_leads() {
        let (clock, store) = (Arc::new(ManualClock::at(1_764_000_000_000)), Arc::new(MemoryStore::default()));
        let shell = Shell::new(store.clone(), clock.clone(), Arc::new(Metrics::new(0)));
        let seat = store.seat().expect("memory is never away");
        store.lead("one@1", &seat).expect("memory is never away").expect("the seat is free");
        let now = clock.wall();
        store
            .add_input(&Input::Pace { channel: crate::model::Channel::Sms, p99: 1 }, now)
            .expect("memory is never away");
        clock.advance(LATE + 1);
        let shared = &shell.shared;
        assert_eq!(Sweeper::new("two@2", None).look(shared), 1, "it counts");
        assert!(shared.anew.take().is_none(), "another leads");
        assert_eq!(Sweeper::new("one@1", None).look(shared), 1);
        assert!(shared.anew.take().is_some(), "the leader loads itself anew");
        store.give_up(1).expect("memory is never away");
        assert_eq!(Sweeper::new("one@1", None).look(shared), 1);
        assert!(shared.anew.take().is_none(), "nobody leads: whoever takes the seat finds it in the rows");
    }

    #[test]
    fn overdue_pages_wait_like_all_others_until_the_log_has_been_read() {
        let (clock, store) = (Arc::new(ManualClock::at(1_764_000_000_000)), Arc::new(MemoryStore::default()));
        let mut shell = Shell::new(store.clone(), clock.clone(), Arc::new(Metrics::new(0)));
        let seat = store.seat().expect("memory is never away");
        let epoch = store.lead("one", &seat).expect("memory is never away").expect("the seat is free").epoch;
        let page = Page::sample(clock.wall());
        let decided = BookCommit { epoch, pages: vec![page.clone()], ..BookCommit::default() };
        store.commit(&decided).expect("memory is never away");
        clock.advance(LATE + 1);
        shell.shared.gate = Arc::new(Gate::closed(clock.elapsed(), true, crate::pipeline::dues::Places::default()));
        let contact = Contact { id: page.to, phone: Some("010-0000-0001".to_owned()), ..Contact::default() };
        let book = Contacts::new(Arc::new(People { contacts: vec![contact], ..People::default() }));
        let phone = FakeGateway::new(false);
        let outbox = Arc::new(StoreOutbox::new(store, None));
        let worker = Worker::new("sweeper", outbox, vec![Arc::new(phone.clone())], Arc::new(book), clock.clone());
        let mut sweeper = Sweeper::new("one", Some(worker));
        assert_eq!((sweeper.look(&shell.shared), phone.arrivals("p")), (1, 0), "it counts");
        clock.advance(WAIT_MAX);
        sweeper.look(&shell.shared);
        assert_eq!(phone.arrivals("p"), 1, "but not for ever");
    }
}
