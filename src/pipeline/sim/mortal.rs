//! One process's view of a store: at a chosen border between durable steps the process dies, or does not learn what it did.
//!
//! The idea: every durable step of the product goes through [`Store`], so a wrapper around it reaches every border at which
//! a process can die: before a write, or after it and before its answer. What the process reads it may always read.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Flush, Flushed, Lease};
use crate::store::{Result, Store, StoreError};
use crate::time::Ms;

use super::layer::{Border, Layer};

/// The wrapper.
#[derive(Debug)]
pub struct Mortal {
    inner: Arc<dyn Store>,
    /// Durable steps left until the crash; negative = none is planned.
    fuse: AtomicI64,
    /// Whether the step at which it dies is still written.
    after: AtomicBool,
    dead: AtomicBool,
    /// Durable steps left until one is done and its answer lost; negative = none is planned.
    lost: AtomicI64,
    /// Why nothing can be written; reading works.
    full: Mutex<Option<String>>,
    /// Pages that were to be given to a gateway next, when the process died or did not learn that it may.
    doubted: Mutex<BTreeSet<String>>,
    /// Flushes of an evaluator that became durable, whether it learned that or not.
    flushes: AtomicU64,
}

impl Mortal {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            fuse: AtomicI64::new(-1),
            after: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            lost: AtomicI64::new(-1),
            full: Mutex::new(None),
            doubted: Mutex::default(),
            flushes: AtomicU64::new(0),
        }
    }

    /// Whether a page was to be given to a gateway and perhaps never was: its row alone cannot tell.
    pub fn doubts(&self, page: &str) -> bool {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner).contains(page)
    }

    /// How many flushes became durable.
    pub fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::SeqCst)
    }

    /// Plans a crash at the `steps`-th durable step from now, before it is written or after.
    pub fn plan_crash(&self, steps: i64, after: bool) {
        self.after.store(after, Ordering::SeqCst);
        self.fuse.store(steps, Ordering::SeqCst);
    }

    /// Plans that the answer of the `steps`-th durable step from now is lost: the process lives, and does not know.
    pub fn plan_loss(&self, steps: i64) {
        self.lost.store(steps, Ordering::SeqCst);
    }

    /// Whether the process died; asking brings the store back for the next one, which has a whole life before it.
    pub fn take_death(&self) -> bool {
        let died = self.dead.swap(false, Ordering::SeqCst);
        if died {
            self.fuse.store(-1, Ordering::SeqCst);
        }
        died
    }

    /// Whether the process died and nobody took note.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// No crash any more.
    pub fn heal(&self) {
        self.fuse.store(-1, Ordering::SeqCst);
        self.lost.store(-1, Ordering::SeqCst);
    }

    /// Runs one durable step, unless this is where the process dies.
    fn durable<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.alive()?;
        self.writable()?;
        let steps = self.lost.load(Ordering::SeqCst);
        self.lost.store((steps - 1).max(-1), Ordering::SeqCst);
        if steps == 0 {
            work()?;
            return Err(StoreError::Unavailable {
                what: "simulated".to_owned(),
                why: "the answer was lost".to_owned(),
            });
        }
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

impl Layer for Mortal {
    fn under(&self) -> &dyn Store {
        self.inner.as_ref()
    }

    fn pass<T>(&self, border: Border, work: impl FnOnce() -> Result<T>) -> Result<T> {
        match border {
            Border::Durable => self.durable(work),
            Border::Write => {
                self.alive()?;
                self.writable()?;
                work()
            }
            Border::Read => {
                self.alive()?;
                work()
            }
            Border::Outside => work(),
        }
    }

    fn flush(&self, flush: &Flush) -> Result<Flushed> {
        self.pass(Border::Durable, || {
            let done = self.under().flush(flush)?;
            self.flushes.fetch_add(u64::from(done == Flushed::Done), Ordering::SeqCst);
            Ok(done)
        })
    }

    fn submit(&self, lease: &Lease, now: Ms, until: Ms) -> Result<bool> {
        let done = self.pass(Border::Durable, || self.under().submit(lease, now, until));
        if done.is_err() {
            self.doubted.lock().unwrap_or_else(PoisonError::into_inner).insert(lease.page.id.clone());
        }
        done
    }
}
