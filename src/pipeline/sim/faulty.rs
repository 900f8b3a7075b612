//! A store that crashes at a chosen border, or that carries a planted fault.
//!
//! The idea: every durable step of the product goes through [`Store`], so a wrapper around it reaches every border at
//! which a process can die, and every way in which a hand-over could be wrong, without a switch in the product.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{
    BookCommit, BookRows, Committed, Entry, Flush, Flushed, Incident, Input, Lease, Outcome, Owned, PageRow, Progress,
    RowChange, Seat, Severity, Signal, SignalKey, StateRow, Taken,
};
use crate::store::{About, Purged, Result, Store, StoreError};
use crate::time::Ms;

/// A planted fault; each must be found by the invariants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A changed state row is not written.
    DroppedRow,
    /// A leader's transaction is written after the one that followed it.
    ReorderedCommit,
    /// The gateway gets every page twice.
    DoubleSend,
    /// A signal never reaches the leader.
    SkippedSignal,
    /// An ack is taken and does nothing.
    IgnoredAck,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 5] =
        [Self::DroppedRow, Self::ReorderedCommit, Self::DoubleSend, Self::SkippedSignal, Self::IgnoredAck];
}

/// The wrapper.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    fault: Option<Fault>,
    /// Durable steps left until the crash; negative = none is planned.
    fuse: AtomicI64,
    /// Whether the step at which it crashes is still written.
    after: AtomicBool,
    crashed: AtomicBool,
    steps: AtomicI64,
    /// Why nothing can be written; reading works.
    full: Mutex<Option<String>>,
    held: Mutex<Option<BookCommit>>,
}

impl FaultyStore {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn Store>, fault: Option<Fault>) -> Self {
        Self {
            inner,
            fault,
            fuse: AtomicI64::new(-1),
            after: AtomicBool::new(false),
            crashed: AtomicBool::new(false),
            steps: AtomicI64::new(0),
            full: Mutex::new(None),
            held: Mutex::new(None),
        }
    }

    /// Plans a crash at the `steps`-th durable step from now, before it is written or after.
    pub fn plan_crash(&self, steps: i64, after: bool) {
        self.after.store(after, Ordering::SeqCst);
        self.fuse.store(steps, Ordering::SeqCst);
    }

    /// Whether the process died; asking brings the store back.
    pub fn take_crash(&self) -> bool {
        self.fuse.store(-1, Ordering::SeqCst);
        self.crashed.swap(false, Ordering::SeqCst)
    }

    /// Refuses every write from now on, for the reason given; `None` takes them again.
    pub fn set_full(&self, why: Option<&str>) {
        *self.full.lock().unwrap_or_else(PoisonError::into_inner) = why.map(str::to_owned);
    }

    fn writable(&self) -> Result<()> {
        match &*self.full.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(StoreError::Unavailable { what: "write".to_owned(), why: why.clone() }),
            None => Ok(()),
        }
    }

    /// How many durable steps there were.
    pub fn steps(&self) -> i64 {
        self.steps.load(Ordering::SeqCst)
    }

    /// Runs one durable step, unless this is where the process dies.
    fn durable<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.alive()?;
        self.writable()?;
        self.steps.fetch_add(1, Ordering::SeqCst);
        let left = self.fuse.load(Ordering::SeqCst);
        if left < 0 {
            return work();
        }
        self.fuse.store(left - 1, Ordering::SeqCst);
        if left > 0 {
            return work();
        }
        if self.after.load(Ordering::SeqCst) {
            work()?;
        }
        self.crashed.store(true, Ordering::SeqCst);
        Err(died())
    }

    fn alive(&self) -> Result<()> {
        if self.crashed.load(Ordering::SeqCst) { Err(died()) } else { Ok(()) }
    }

    fn is(&self, fault: Fault, every: i64) -> bool {
        self.fault == Some(fault) && self.steps.load(Ordering::SeqCst) % every == every - 1
    }

    fn commit_reordered(&self, commit: &BookCommit) -> Result<Committed> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = held.take() {
            self.inner.commit(commit)?;
            return self.inner.commit(&earlier);
        }
        if self.is(Fault::ReorderedCommit, 7) {
            *held = Some(commit.clone());
            return Ok(Committed::Done);
        }
        self.inner.commit(commit)
    }
}

fn died() -> StoreError {
    StoreError::Unavailable { what: "simulated".to_owned(), why: "the process died here".to_owned() }
}

impl Store for FaultyStore {
    fn own(&self, topic: &str, partition: i32, owner: &str) -> Result<Owned> {
        self.durable(|| self.inner.own(topic, partition, owner))
    }

    fn progress(&self, topic: &str, partition: i32) -> Result<Option<(i64, Progress)>> {
        self.alive()?;
        self.inner.progress(topic, partition)
    }

    fn flush(&self, flush: &Flush) -> Result<Flushed> {
        let mut flush = flush.clone();
        if self.is(Fault::DroppedRow, 3) {
            for part in &mut flush.parts {
                if let Some(n) = part.rows.iter().position(|row| matches!(row, RowChange::Put(_))) {
                    part.rows.remove(n);
                }
            }
        }
        self.durable(|| self.inner.flush(&flush))
    }

    fn seat(&self) -> Result<Seat> {
        self.alive()?;
        self.inner.seat()
    }

    fn lead(&self, owner: &str, seen: &Seat) -> Result<Option<BookRows>> {
        self.durable(|| self.inner.lead(owner, seen))
    }

    /// Not a border: a process that dies beside its beat leaves what one leaves that dies between two others.
    fn beat(&self, epoch: i64) -> Result<bool> {
        self.alive()?;
        self.writable()?;
        self.inner.beat(epoch)
    }

    fn give_up(&self, epoch: i64) -> Result<bool> {
        self.durable(|| self.inner.give_up(epoch))
    }

    fn inputs(&self, cursors: &[SignalKey], limit: usize) -> Result<Vec<Taken>> {
        self.alive()?;
        let mut taken = self.inner.inputs(cursors, limit)?;
        if self.is(Fault::SkippedSignal, 5) && taken.len() > 1 {
            taken.retain({
                let mut skipped = false;
                move |input| {
                    let skip = !skipped && matches!(input.input, Input::Signal { .. });
                    skipped |= skip;
                    !skip
                }
            });
        }
        if self.fault == Some(Fault::IgnoredAck) {
            for input in &mut taken {
                if matches!(input.input, Input::Ack { .. }) {
                    input.input = Input::Reload { hash: String::new() };
                }
            }
        }
        Ok(taken)
    }

    fn cursors(&self) -> Result<Vec<SignalKey>> {
        self.alive()?;
        self.inner.cursors()
    }

    fn partitions(&self) -> Result<Vec<(String, i32, Progress)>> {
        self.alive()?;
        self.inner.partitions()
    }

    fn commit(&self, commit: &BookCommit) -> Result<Committed> {
        self.durable(|| {
            if self.fault == Some(Fault::ReorderedCommit) {
                return self.commit_reordered(commit);
            }
            self.inner.commit(commit)
        })
    }

    fn add_input(&self, input: &Input, now: Ms) -> Result<i64> {
        self.alive()?;
        self.writable()?;
        self.inner.add_input(input, now)
    }

    fn answer(&self, row: i64) -> Result<Option<(bool, String)>> {
        self.alive()?;
        self.inner.answer(row)
    }

    fn claim(&self, worker: &str, severity: Option<Severity>, limit: usize, now: Ms, until: Ms) -> Result<Vec<Lease>> {
        self.durable(|| self.inner.claim(worker, severity, limit, now, until))
    }

    fn reclaim(&self, worker: &str, limit: usize, now: Ms, until: Ms) -> Result<Vec<Lease>> {
        self.durable(|| self.inner.reclaim(worker, limit, now, until))
    }

    fn renew(&self, lease: &Lease, until: Ms) -> Result<bool> {
        self.durable(|| self.inner.renew(lease, until))
    }

    fn outcome(&self, lease: &Lease, outcome: &Outcome, now: Ms) -> Result<bool> {
        self.durable(|| self.inner.outcome(lease, outcome, now))
    }

    fn give_back(&self, lease: &Lease, why: &str, due: Ms) -> Result<bool> {
        self.durable(|| self.inner.give_back(lease, why, due))
    }

    fn expire(&self, now: Ms) -> Result<usize> {
        self.alive()?;
        self.writable()?;
        self.inner.expire(now)
    }

    fn accepted(&self, since: Ms, limit: usize) -> Result<Vec<PageRow>> {
        self.inner.accepted(since, limit)
    }

    fn receipt(&self, about: &About<'_>, outcome: &Outcome, now: Ms) -> Result<bool> {
        self.durable(|| self.inner.receipt(about, outcome, now))
    }

    fn purge(&self, before: Ms) -> Result<Purged> {
        self.durable(|| self.inner.purge(before))
    }

    fn incidents(&self, limit: usize) -> Result<Vec<Incident>> {
        self.inner.incidents(limit)
    }

    fn pages(&self, incident: Option<&str>, limit: usize) -> Result<Vec<PageRow>> {
        self.inner.pages(incident, limit)
    }

    fn overdue(&self, now: Ms, before: Ms) -> Result<Vec<crate::model::Overdue>> {
        self.inner.overdue(now, before)
    }

    fn notes(&self, prefix: &str) -> Result<Vec<(String, String)>> {
        self.inner.notes(prefix)
    }

    fn states(&self, limit: usize) -> Result<Vec<StateRow>> {
        self.inner.states(limit)
    }

    fn ledger(&self, after: i64, limit: usize) -> Result<Vec<Entry>> {
        self.inner.ledger(after, limit)
    }

    fn signals(&self, topic: &str, partition: i32, after: i64, limit: usize) -> Result<Vec<(i64, Signal)>> {
        self.inner.signals(topic, partition, after, limit)
    }
}
