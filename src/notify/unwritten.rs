//! What senders know of their pages and could not write, because the outbox was away.
//!
//! The idea: a lease that ends without an outcome makes a page look as if nobody knew whether it was sent. While the
//! process lives somebody does know. So it is kept until it is written, and shared by all senders of the process:
//! whichever of them takes the ended lease must not ask, or send again, what another one knows. A process that dies
//! forgets it, and then nobody knows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Lease, Outcome};
use crate::time::Ms;

/// What a sender knows of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// What became of it, and when that was known.
    Outcome(Outcome, Ms),
    /// It was certainly not sent, and is due again then.
    NotSent {
        /// Why.
        why: String,
        /// When.
        due: Ms,
    },
}

#[derive(Debug)]
struct Entry {
    lease: Lease,
    verdict: Verdict,
    /// Its lease is another sender's by now, who will look here.
    passed_on: bool,
}

/// The senders' common memory; a clone is the same one.
#[derive(Debug, Clone, Default)]
pub struct Unwritten(Arc<Mutex<BTreeMap<String, Entry>>>);

impl Unwritten {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        // Each change is one call of the map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what is known of a page.
    pub(super) fn keep(&self, lease: &Lease, verdict: Verdict) {
        let entry = Entry { lease: lease.clone(), verdict, passed_on: false };
        self.entries().insert(lease.page.id.clone(), entry);
    }

    /// What is known of a page, for whoever has it now under `lease`; then forgotten. A yes stays true. All else was true
    /// of the lease under which it was learned: where there was another one in between, somebody may have sent the page
    /// since.
    pub(super) fn take(&self, lease: &Lease) -> Option<Verdict> {
        let entry = self.entries().remove(&lease.page.id)?;
        let is_yes = matches!(entry.verdict, Verdict::Outcome(Outcome::Accepted { .. } | Outcome::Delivered { .. }, _));
        (is_yes || entry.lease.epoch + 1 >= lease.epoch).then_some(entry.verdict)
    }

    /// It is written.
    pub(super) fn forget(&self, page: &str) {
        self.entries().remove(page);
    }

    /// The first page whose verdict `worker` has to write; it stays until [`Unwritten::forget`].
    pub(super) fn first_of(&self, worker: &str) -> Option<(Lease, Verdict)> {
        let entries = self.entries();
        let mine = |entry: &&Entry| entry.lease.worker == worker && !entry.passed_on;
        entries.values().find(mine).map(|entry| (entry.lease.clone(), entry.verdict.clone()))
    }

    /// The lease of `page` was taken by another sender: of this process, then it looks here.
    pub(super) fn pass_on(&self, page: &str) {
        if let Some(entry) = self.entries().get_mut(page) {
            entry.passed_on = true;
        }
    }

    /// Forgets pages that were passed on and are past their deadline: another process has settled them.
    pub(super) fn prune(&self, now: Ms) {
        self.entries().retain(|_, entry| !entry.passed_on || now < entry.lease.page.deadline);
    }
}
