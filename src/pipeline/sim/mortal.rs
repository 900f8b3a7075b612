//! One process's view of a store: at a chosen border between durable steps the process dies.
//!
//! The idea: every durable step of the product goes through [`Store`], so a wrapper around it reaches every border at which
//! a process can die: before a write, or after it and before its answer. What the process reads it may always read.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{
    BookCommit, BookRows, Committed, Entry, Flush, Flushed, Incident, Input, Lease, Outcome, Owned, PageRow, Progress,
    Seat, Severity, Signal, SignalKey, StateRow, Taken,
};
use crate::store::{About, Purged, Result, Store, StoreError};
use crate::time::Ms;

/// The wrapper.
#[derive(Debug)]
pub struct Mortal {
    inner: Arc<dyn Store>,
    /// Durable steps left until the crash; negative = none is planned.
    fuse: AtomicI64,
    /// Whether the step at which it dies is still written.
    after: AtomicBool,
    dead: AtomicBool,
    /// Why nothing can be written; reading works.
    full: Mutex<Option<String>>,
}

impl Mortal {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            fuse: AtomicI64::new(-1),
            after: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            full: Mutex::new(None),
        }
    }

    /// Plans a crash at the `steps`-th durable step from now, before it is written or after.
    pub fn plan_crash(&self, steps: i64, after: bool) {
        self.after.store(after, Ordering::SeqCst);
        self.fuse.store(steps, Ordering::SeqCst);
    }

    /// Whether the process died; asking brings the store back for the next one, which has a whole life before it.
    pub fn take_death(&self) -> bool {
        let died = self.dead.swap(false, Ordering::SeqCst);
        if died {
            self.fuse.store(-1, Ordering::SeqCst);
        }
        died
    }

    /// No crash any more.
    pub fn heal(&self) {
        self.fuse.store(-1, Ordering::SeqCst);
    }

    /// Runs one durable step, unless this is where the process dies.
    fn durable<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.alive()?;
        self.writable()?;
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
        self.dead.store(true, Ordering::SeqCst);
        Err(died())
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

    fn alive(&self) -> Result<()> {
        if self.dead.load(Ordering::SeqCst) { Err(died()) } else { Ok(()) }
    }
}

fn died() -> StoreError {
    StoreError::Unavailable { what: "simulated".to_owned(), why: "the process died here".to_owned() }
}

impl Store for Mortal {
    fn own(&self, topic: &str, partition: i32, owner: &str) -> Result<Owned> {
        self.durable(|| self.inner.own(topic, partition, owner))
    }

    fn progress(&self, topic: &str, partition: i32) -> Result<Option<(i64, Progress)>> {
        self.alive()?;
        self.inner.progress(topic, partition)
    }

    fn flush(&self, flush: &Flush) -> Result<Flushed> {
        self.durable(|| self.inner.flush(flush))
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
        self.inner.inputs(cursors, limit)
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
        self.durable(|| self.inner.commit(commit))
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

    fn overdue(&self, now: Ms, before: Ms) -> Result<Vec<crate::model::Overdue>> {
        self.inner.overdue(now, before)
    }

    fn notes(&self, prefix: &str) -> Result<Vec<(String, String)>> {
        self.inner.notes(prefix)
    }

    fn accepted(&self, since: Ms, limit: usize) -> Result<Vec<PageRow>> {
        self.alive()?;
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
