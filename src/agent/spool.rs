//! What keeps records beyond the end of the process while nobody takes them; the caller brings it.
//!
//! The idea: the agent knows only that something durable stands behind its queue, hands it what it could not deliver,
//! and takes it back from the front. Which file that is, and how it survives a `kill -9`, is `pipeline`'s (the embedded
//! log's file, which is an edge like this one).

use std::fmt;

use crate::agent::queue::Record;

/// How full a spool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpoolState {
    /// Records that wait in it.
    pub records: u64,
    /// Bytes on the disk.
    pub bytes: u64,
    /// Records given up for lack of room, or because the disk damaged them, since the process began.
    pub dropped: u64,
}

/// Records on the disk, oldest first, without `sent`.
pub trait Spool: Send + fmt::Debug {
    /// Puts `records` behind those that are there; on return they are durable.
    ///
    /// # Errors
    /// None of them is kept; the text says why.
    fn push(&mut self, records: &[Record]) -> Result<(), String>;

    /// Copies of the oldest: at most `n_max`, and more than one only while they stay below `bytes_max`.
    ///
    /// # Errors
    /// They cannot be read now; the text says why.
    fn oldest(&mut self, n_max: usize, bytes_max: usize) -> Result<Vec<Record>, String>;

    /// The oldest `n` are settled, whether they were asked for or not.
    ///
    /// # Errors
    /// They are gone for this process, but would come again after its end; the text says why.
    fn settle(&mut self, n: usize) -> Result<(), String>;

    /// How full it is.
    fn state(&mut self) -> SpoolState;

    /// Keeps `note` in place of what was noted before; on return it is durable.
    ///
    /// # Errors
    /// The former note is still there; the text says why.
    fn remember(&mut self, note: &[u8]) -> Result<(), String>;

    /// What was noted last, also in an earlier run.
    ///
    /// # Errors
    /// It cannot be read; the text says why.
    fn remembered(&mut self) -> Result<Option<Vec<u8>>, String>;
}
