//! A store with something between it and whoever uses it: a process's death, a planted mistake.
//!
//! The idea: every method of [`Store`] stands here once. A layer says what is under it and has, by default, every call
//! passed on through one gate ([`Layer::pass`]); it overrides the gate where all calls of a kind are touched, and single
//! methods where one is. It decides nothing itself.

use std::fmt;

use crate::model::{
    BookCommit, BookRows, Committed, Entry, Flush, Flushed, Incident, Input, Lease, Outcome, Overdue, Owned, PageRow,
    Progress, Seat, Severity, Signal, SignalKey, StateRow, Taken,
};
use crate::store::{About, Purged, Result, Store};
use crate::time::Ms;

/// What a call is to the process that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// A durable step: a process may die right before or after it.
    Durable,
    /// A write, but no border: a process that dies beside it leaves what one leaves that dies between two others.
    Write,
    /// A look at the store that a dead process no longer takes.
    Read,
    /// A look from outside, which nobody's death prevents.
    Outside,
}

macro_rules! layered {
    ($($border:ident $name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        /// See the [module](self). Methods that are not overridden do what the store under it does.
        #[expect(missing_docs, reason = "they are those of `Store`, where they are described")]
        pub trait Layer: Send + Sync + fmt::Debug {
            /// The store under it.
            fn under(&self) -> &dyn Store;

            /// Every call that is not overridden goes through here.
            fn pass<T>(&self, _border: Border, work: impl FnOnce() -> Result<T>) -> Result<T> {
                work()
            }

            $(fn $name(&self, $($arg: $ty),*) -> Result<$out> {
                self.pass(Border::$border, || self.under().$name($($arg),*))
            })*
        }

        impl<L: Layer> Store for L {
            $(fn $name(&self, $($arg: $ty),*) -> Result<$out> {
                Layer::$name(self, $($arg),*)
            })*
        }
    };
}

layered! {
    Durable own(topic: &str, partition: i32, owner: &str) -> Owned;
    Read progress(topic: &str, partition: i32) -> Option<(i64, Progress)>;
    Durable flush(flush: &Flush) -> Flushed;
    Read seat() -> Seat;
    Durable lead(owner: &str, seen: &Seat) -> Option<BookRows>;
    Write beat(epoch: i64) -> bool;
    Durable give_up(epoch: i64) -> bool;
    Read inputs(cursors: &[SignalKey], limit: usize) -> Vec<Taken>;
    Read cursors() -> Vec<SignalKey>;
    Read partitions() -> Vec<(String, i32, Progress)>;
    Durable commit(commit: &BookCommit) -> Committed;
    Write add_input(input: &Input, now: Ms) -> i64;
    Read answer(row: i64) -> Option<(bool, String)>;
    Durable claim(worker: &str, severity: Option<Severity>, limit: usize, now: Ms, until: Ms) -> Vec<Lease>;
    Durable reclaim(worker: &str, limit: usize, now: Ms, until: Ms) -> Vec<Lease>;
    Durable renew(lease: &Lease, until: Ms) -> bool;
    Durable submit(lease: &Lease, now: Ms, until: Ms) -> bool;
    Durable outcome(lease: &Lease, outcome: &Outcome, now: Ms) -> bool;
    Durable give_back(lease: &Lease, why: &str, due: Ms) -> bool;
    Write expire(now: Ms) -> usize;
    Outside overdue(now: Ms, before: Ms) -> Vec<Overdue>;
    Outside notes(prefix: &str) -> Vec<(String, String)>;
    Read accepted(since: Ms, limit: usize) -> Vec<PageRow>;
    Durable receipt(about: &About<'_>, outcome: &Outcome, now: Ms) -> Option<PageRow>;
    Durable purge(before: Ms) -> Purged;
    Outside incidents(limit: usize) -> Vec<Incident>;
    Outside pages(incident: Option<&str>, limit: usize) -> Vec<PageRow>;
    Outside states(limit: usize) -> Vec<StateRow>;
    Outside ledger(after: i64, limit: usize) -> Vec<Entry>;
    Outside signals(topic: &str, partition: i32, after: i64, limit: usize) -> Vec<(i64, Signal)>;
}
