//! The log that stands between whoever sends telemetry and whoever evaluates it: Kafka, or the embedded log.
//!
//! The idea: two small traits, [`Source`] and [`Sink`], shaped by what Kafka promises (partitions, offsets, append
//! time, look-up by time, ownership that comes and goes), so that both sides pass one contract suite. Offsets that were
//! worked on are not kept here: they live in the store, in the same transaction as their consequences.

pub mod embedded;
pub mod kafka;

use std::fmt;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::model::Batch;
use crate::time::Ms;

/// What a source tells its reader.
#[derive(Debug)]
pub enum Event {
    /// The partition is ours from now on; nothing of it comes before [`Source::seek`].
    Assigned {
        /// Which.
        partition: i32,
    },
    /// The partition is no longer ours. `lost`: somebody else may have it already, write nothing more.
    Revoked {
        /// Which.
        partition: i32,
        /// Without a last word.
        lost: bool,
    },
    /// Records of one partition, in offset order, pulses among them.
    Batch(Batch),
    /// Records from `wanted` up to `low` are gone: retention was faster than the reader, or they are damaged. `low`
    /// below `wanted`: the log ends there, it was made anew or restored from a backup.
    Gap {
        /// Which.
        partition: i32,
        /// The offset that was asked for.
        wanted: i64,
        /// The first one that is still there; reading goes on from it.
        low: i64,
    },
}

/// First and next offset of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Offset of the first record that is still there.
    pub low: i64,
    /// Offset that the next record will get.
    pub high: i64,
}

/// The reading side of a topic.
pub trait Source: Send + fmt::Debug {
    /// The next event, or `None` when nothing came within `wait` (also after an internal event: it is not "idle").
    fn next(&mut self, wait: Duration) -> Result<Option<Event>, LogError>;
    /// How many partitions the topic has, and its identity: another identity means that it was made anew.
    fn topic(&self) -> Result<Topic, LogError>;
    /// First and next offset.
    fn bounds(&mut self, partition: i32) -> Result<Bounds, LogError>;
    /// The next offset alone, for whoever only looks how far the log is: gives up soon where it is away.
    fn end(&mut self, partition: i32) -> Result<i64, LogError> {
        Ok(self.bounds(partition)?.high)
    }
    /// Offset of the first record whose append time is at or after `at`; `None` where there is none yet.
    fn offset_for_time(&mut self, partition: i32, at: Ms) -> Result<Option<i64>, LogError>;
    /// Reads on from `offset`.
    fn seek(&mut self, partition: i32, offset: i64) -> Result<(), LogError>;
    /// Stops or goes on delivering a partition: back-pressure.
    fn pause(&mut self, partition: i32, on: bool) -> Result<(), LogError>;
    /// The reader is done with a partition that was revoked: somebody else may have it. Where it is never called, the
    /// log gives the partition away by itself after a while.
    fn release(&mut self, _partition: i32) {}
    /// Tells the log what has been worked on, for lag tools only; never trusted.
    fn note_committed(&mut self, partition: i32, offset: i64);
}

/// A topic's identity and size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Identity that changes when it is made anew; empty where the log has none.
    pub id: String,
    /// Number of partitions, from 0.
    pub partitions: i32,
}

/// A record to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// The partition; `None` = by the key.
    pub partition: Option<i32>,
    /// The key: the host.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

/// Where an appended record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Partition.
    pub partition: i32,
    /// Offset; −1 where the log does not say.
    pub offset: i64,
}

/// The writing side of a topic; many may use it at once.
pub trait Sink: Send + Sync + fmt::Debug {
    /// Appends `records` and returns once each is durable or refused, in the same order.
    fn append(&self, records: Vec<NewRecord>) -> Vec<Result<Appended, LogError>>;
    /// The same for whoever has more to do than wait: once there was no answer for as long as `wait`, what has none is
    /// given as refused, and may become durable all the same. Only a log that can be away for long needs it.
    fn append_within(&self, records: Vec<NewRecord>, _wait: Duration) -> Vec<Result<Appended, LogError>> {
        self.append(records)
    }
}

/// The partition of `key` among `n`: FNV-1a, so that every writer of the embedded log agrees.
/// (Kafka's own producers use their partitioner; records found elsewhere are taken all the same.)
pub fn partition_of(key: &[u8], n: i32) -> i32 {
    let hash = key.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    i32::try_from(hash % n.max(1).unsigned_abs()).unwrap_or(0)
}

/// Lets `length` pass where nobody can tell when to look again.
fn pause(length: Duration) {
    let never = Mutex::new(());
    let guard = never.lock().unwrap_or_else(PoisonError::into_inner);
    drop(Condvar::new().wait_timeout_while(guard, length, |()| true));
}

/// What can go wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The queue is full: come again later.
    #[error("the log's queue is full: try again in a second")]
    Full,
    /// The record is too long for it.
    #[error("record of {bytes} bytes is longer than {limit}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The log cannot be reached or written now; trying again may help.
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
}
