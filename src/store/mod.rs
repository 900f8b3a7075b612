//! The store: one function per hand-over, over SQL (SQLite or PostgreSQL, the same text) or memory.
//!
//! The idea: deciding is done in pure code; a store makes decisions durable, all or nothing, and refuses whoever lost
//! its epoch or lease. It never reads a hand-over by a database sequence or a time stamp: signals by (partition, seq),
//! all else by `taken IS NULL`.

mod book;
mod database;
mod flush;
pub mod ledger;
mod memory;
mod outbox;
mod pool;
mod postgres;
mod reading;
mod rows;
mod schema;
mod seat;
mod sql;
mod sqlite;
mod sweep;
#[cfg(test)]
mod tests;
mod tls;

pub use database::{SqlStore, migrate_postgres, open, open_postgres, open_postgres_readonly, open_readonly};
pub use memory::MemoryStore;
pub use postgres::PostgresOptions;

use std::fmt;

use crate::model::{
    BookCommit, BookRows, Committed, Entry, Flush, Flushed, Incident, Input, Lease, Outcome, Owned, PageRow, Progress,
    Seat, Severity, SignalKey, Taken,
};
use crate::time::Ms;

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be written or read now (locked, disk full, connection lost); trying again may help. Whether a commit
    /// whose answer was lost happened is settled by reading the progress row or the ledger's end.
    #[error("{what}: {why}")]
    Unavailable {
        /// What was tried.
        what: String,
        /// What it said.
        why: String,
    },
    /// It will not work without somebody changing something.
    #[error("{what}: {why}\n  help: {help}")]
    Refused {
        /// What was tried.
        what: String,
        /// What it said.
        why: String,
        /// What to do.
        help: String,
    },
    /// What it holds makes no sense.
    #[error("{what}: {why}")]
    Corrupt {
        /// Which row.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A shorthand.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The three durable hand-overs. Calls block; make them from a thread that may.
pub trait Store: Send + Sync + fmt::Debug {
    // --- ② evaluate

    /// Takes a partition: its epoch becomes one higher, so that whoever had it can no longer write.
    fn own(&self, topic: &str, partition: i32, owner: &str) -> Result<Owned>;
    /// The epoch and progress of a partition as they are, for settling a commit whose answer was lost.
    fn progress(&self, topic: &str, partition: i32) -> Result<Option<(i64, Progress)>>;
    /// Writes a flush, all or nothing. A part whose epoch or `from` offset is not the store's is fenced; before the
    /// first flush the store's offset and seq are 0.
    fn flush(&self, flush: &Flush) -> Result<Flushed>;

    // --- ② → incident

    /// Who leads, as it stands.
    fn seat(&self) -> Result<Seat>;
    /// Takes leadership (epoch one higher) and returns everything that the leader keeps in memory. `None`: the seat is not
    /// as it was `seen`, somebody else took it or is at work in it.
    fn lead(&self, owner: &str, seen: &Seat) -> Result<Option<BookRows>>;
    /// Says that whoever leads under `epoch` is at work; a commit says so too. `false`: it does not lead any more.
    fn beat(&self, epoch: i64) -> Result<bool>;
    /// Gives leadership up: nobody need wait for it. `false`: it was another's already.
    fn give_up(&self, epoch: i64) -> Result<bool>;
    /// The next inputs in the order in which they must be taken: rows of `inputs` not taken, oldest id first, then
    /// signals above `cursors` by partition and seq. At most `limit`; a partition that `cursors` lacks starts at seq 1.
    fn inputs(&self, cursors: &[SignalKey], limit: usize) -> Result<Vec<Taken>>;
    /// The leader's cursor per (topic, partition), without taking its seat: for whoever looks how far it is.
    fn cursors(&self) -> Result<Vec<SignalKey>>;
    /// Partitions of every topic with their progress (for `caught_up` and `heard`).
    fn partitions(&self) -> Result<Vec<(String, i32, Progress)>>;
    /// Writes a leader's transaction, all or nothing.
    fn commit(&self, commit: &BookCommit) -> Result<Committed>;
    /// Adds an input from outside (ack, reload, the engine's own trouble); returns its row.
    fn add_input(&self, input: &Input, now: Ms) -> Result<i64>;
    /// What became of an input: `None` while it waits, else whether it did what it asked for and the answer.
    fn answer(&self, row: i64) -> Result<Option<(bool, String)>>;

    // --- ③ notify

    /// Leases up to `limit` pages that wait, are due at `now` and are not past their deadline (those first that are wanted
    /// first, of these the worst), until `until`; writes an [`Input::Handed`] for each in the same transaction. Only pages of `severity`
    /// where given.
    fn claim(&self, worker: &str, severity: Option<Severity>, limit: usize, now: Ms, until: Ms) -> Result<Vec<Lease>>;
    /// Leases again pages whose lease ended without an outcome.
    fn reclaim(&self, worker: &str, limit: usize, now: Ms, until: Ms) -> Result<Vec<Lease>>;
    /// Extends a lease. `false`: it is no longer ours, do not send.
    fn renew(&self, lease: &Lease, until: Ms) -> Result<bool>;
    /// Extends a lease whose page is given to a gateway at `now`, and keeps that stamp, until the page is given back or is
    /// to be resent: a page without it was given to no gateway. `false`: as for [`Store::renew`].
    fn submit(&self, lease: &Lease, now: Ms, until: Ms) -> Result<bool>;
    /// Writes an outcome and its [`Input::Outcome`] in one transaction; [`Outcome::Resent`] keeps the lease.
    /// `false`: the lease is no longer ours.
    fn outcome(&self, lease: &Lease, outcome: &Outcome, now: Ms) -> Result<bool>;
    /// Gives a page back unsent, to be due again at `due`, with an [`Input::GivenBack`] in the same transaction.
    fn give_back(&self, lease: &Lease, why: &str, due: Ms) -> Result<bool>;
    /// Fails pages that wait past their deadline, with an [`Input::Outcome`] each; returns how many.
    fn expire(&self, now: Ms) -> Result<usize>;

    /// Accepted pages decided at `since` or later, newest first: those a receipt may still come for.
    fn accepted(&self, since: Ms, limit: usize) -> Result<Vec<PageRow>>;
    /// Writes what a receipt says of a page that was accepted (or whose fate nobody knew, or that is on the phone before its
    /// sender wrote that it was accepted), with its [`Input::Outcome`] in the same transaction; gives the row as it is then. `None`: there is no such page, or it is settled already: a
    /// receipt that comes twice.
    fn receipt(&self, about: &About<'_>, outcome: &Outcome, now: Ms) -> Result<Option<PageRow>>;

    // --- reading, for people

    /// The newest incidents, newest first.
    fn incidents(&self, limit: usize) -> Result<Vec<Incident>>;
    /// The newest outbox rows, newest first; those of one incident where given.
    fn pages(&self, incident: Option<&str>, limit: usize) -> Result<Vec<PageRow>>;
    /// State rows that are not healthy, at most `limit`.
    fn states(&self, limit: usize) -> Result<Vec<crate::model::StateRow>>;
    /// Ledger entries with `input_no` above `after`, in order.
    fn ledger(&self, after: i64, limit: usize) -> Result<Vec<Entry>>;
    /// Signals of one partition with a seq above `after`, in order.
    fn signals(
        &self,
        topic: &str,
        partition: i32,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, crate::model::Signal)>>;

    /// What was due at `before` or earlier and still waits at `now`: chain steps, ends of acks and holds, pages that nobody
    /// took (and that are still wanted), inputs.
    fn overdue(&self, now: Ms, before: Ms) -> Result<Vec<crate::model::Overdue>>;
    /// The leader's notes whose key begins with `prefix`, in order, with their whole key.
    fn notes(&self, prefix: &str) -> Result<Vec<(String, String)>>;

    /// The store's own clock, wall time: `None` where it is ours. Leases and deadlines are judged by each process's clock.
    fn clock(&self) -> Result<Option<Ms>> {
        Ok(None)
    }

    // --- retention

    /// Removes what is older than `before` and done with: signals and inputs that were taken, pages with an outcome
    /// whose incident is closed. A bounded bite per call: call again until [`Purged::is_empty`].
    fn purge(&self, before: Ms) -> Result<Purged>;
}

/// Which page a receipt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About<'a> {
    /// The one with our id.
    Page(&'a str),
    /// The one that was accepted under the gateway's id.
    Detail(&'a str),
}

/// Receipts are taken for pages decided no longer ago than this: the longest that carriers keep a message is 80 hours.
pub const RECEIPT_AGE: Ms = 7 * crate::time::DAY;

/// How many rows a purge removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// Signals.
    pub signals: usize,
    /// Inputs.
    pub inputs: usize,
    /// Outbox rows.
    pub pages: usize,
}

impl Purged {
    /// Nothing was left to remove.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
