//! The reading side of the embedded log: every partition of a topic, each from where it was sought.
//!
//! The idea: a reader has its own connection and looks at committed rows only, so the same code reads beside the writer
//! and from another process; the one difference is how it learns that there is more (a condition variable, or a look
//! every 20 ms).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::log::embedded::Shared;
use crate::log::embedded::file::{File, TopicRow};
use crate::log::embedded::queue::no_partition;
use crate::log::{Bounds, Event, LogError, Source, Topic, pause};
use crate::model::Batch;
use crate::time::Ms;

/// Bytes after which a batch goes out: small rows are read together, or a day of pulses would be 86,400 batches.
const BATCH_BYTES: usize = 256 * 1024;
/// Records after which a batch goes out, for the same reason.
const BATCH_RECORDS: usize = 8192;
/// How often another process' log is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How a source learns that something was appended.
#[derive(Debug)]
pub(super) enum Feed {
    /// From the writer, in this process.
    Told(Arc<Shared>),
    /// By looking again.
    Looks,
}

#[derive(Debug, Clone, Copy)]
struct Cursor {
    part: i64,
    /// Offset of the next record; `None` until it is sought.
    next: Option<i64>,
    paused: bool,
}

/// A source of all partitions of one topic.
#[derive(Debug)]
pub struct EmbeddedSource {
    file: File,
    feed: Feed,
    topic: TopicRow,
    cursors: Vec<Cursor>,
    /// Assignments not told yet.
    assigned: VecDeque<i32>,
    /// The partition to look at first, so that a busy one does not starve the others.
    turn: usize,
    damaged_rows: u64,
}

impl EmbeddedSource {
    pub(super) fn new(file: File, feed: Feed, topic: TopicRow) -> Self {
        let cursors: Vec<_> = topic.parts.iter().map(|&part| Cursor { part, next: None, paused: false }).collect();
        let assigned = (0..).take(cursors.len()).collect();
        Self { file, feed, topic, cursors, assigned, turn: 0, damaged_rows: 0 }
    }

    /// Rows that failed their checksum since this source was made; each was also a [`Event::Gap`].
    pub fn damaged_rows(&self) -> u64 {
        self.damaged_rows
    }

    fn cursor(&mut self, partition: i32) -> Result<&mut Cursor, LogError> {
        let topic = &self.topic;
        let found = usize::try_from(partition).ok().and_then(|p| self.cursors.get_mut(p));
        found.ok_or_else(|| no_partition(topic, partition))
    }

    /// What can be read without waiting.
    fn ready(&mut self) -> Result<Option<Event>, LogError> {
        for step in 0..self.cursors.len() {
            let index = (self.turn + step) % self.cursors.len();
            let Some(&cursor) = self.cursors.get(index) else { continue };
            let (Some(next), false) = (cursor.next, cursor.paused) else { continue };
            let partition = i32::try_from(index).unwrap_or(i32::MAX);
            let Some((event, next)) = self.read(partition, cursor.part, next)? else { continue };
            self.cursor(partition)?.next = Some(next);
            self.turn = index + 1;
            return Ok(Some(event));
        }
        Ok(None)
    }

    /// The records of a partition from `wanted` on, or the gap there, and the offset to go on from.
    fn read(&mut self, partition: i32, part: i64, wanted: i64) -> Result<Option<(Event, i64)>, LogError> {
        let floor = self.file.floor(part, wanted)?;
        let mut batch = Batch { partition, ..Batch::default() };
        let (mut next, mut end) = (wanted, 0);
        let mut gap = None;
        let mut damaged = false;
        self.file.scan(part, floor.map_or(wanted, |head| head.offset), |row| {
            if damaged || row.place.offset > next {
                // Rows are missing, or the one before was damaged: a gap, but not in the middle of a batch.
                gap = Some(row.place.offset);
                return false;
            }
            end = row.place.offset + row.n;
            // Neither `n` of the last row nor what lies before `wanted` may be read as a gap.
            if end <= next {
                return true;
            }
            damaged = row.unpack(next, &mut batch).is_err();
            if damaged {
                return batch.slots.is_empty();
            }
            next = end;
            batch.bytes.len() < BATCH_BYTES && batch.slots.len() < BATCH_RECORDS
        })?;
        if !batch.slots.is_empty() {
            return Ok(Some((Event::Batch(batch), next)));
        }
        if damaged {
            self.damaged_rows += 1;
            if let Feed::Told(shared) = &self.feed {
                shared.count_damaged();
            }
            tracing::error!(topic = self.topic.name, partition, offset = wanted, "damaged row in the embedded log");
        }
        // A log that ends below what was asked for is told as a gap, too: `low` is then its end.
        let low = gap.or_else(|| (damaged || end < wanted).then_some(end));
        Ok(low.map(|low| (Event::Gap { partition, wanted, low }, low)))
    }
}

impl Source for EmbeddedSource {
    fn next(&mut self, wait: Duration) -> Result<Option<Event>, LogError> {
        if let Some(partition) = self.assigned.pop_front() {
            return Ok(Some(Event::Assigned { partition }));
        }
        let seen = self.feed.version();
        if let Some(event) = self.ready()? {
            return Ok(Some(event));
        }
        match &self.feed {
            Feed::Told(shared) => {
                shared.wait_beyond(seen, wait);
                self.ready()
            }
            Feed::Looks => {
                let mut rest = wait;
                while !rest.is_zero() {
                    pause(rest.min(LOOK_EVERY));
                    rest = rest.saturating_sub(LOOK_EVERY);
                    if let Some(event) = self.ready()? {
                        return Ok(Some(event));
                    }
                }
                Ok(None)
            }
        }
    }

    fn topic(&self) -> Result<Topic, LogError> {
        let partitions = i32::try_from(self.topic.parts.len()).unwrap_or(i32::MAX);
        Ok(Topic { name: self.topic.name.clone(), id: self.topic.identity.clone(), partitions })
    }

    fn bounds(&mut self, partition: i32) -> Result<Bounds, LogError> {
        let part = self.cursor(partition)?.part;
        self.file.bounds(part)
    }

    fn offset_for_time(&mut self, partition: i32, at: Ms) -> Result<Option<i64>, LogError> {
        let part = self.cursor(partition)?.part;
        let Bounds { low, high } = self.file.bounds(part)?;
        // The first row whose running maximum reaches `at`: it never falls with the offset, so halving finds it.
        let (mut from, mut until) = (low, high);
        while from < until {
            let Some(row) = self.file.floor(part, from + (until - from) / 2)? else { break };
            if row.run_max >= at {
                until = row.offset.max(from);
            } else {
                from = row.end().max(from + 1);
            }
        }
        // That row's own stamp may be lower where the maximum came from a row that is gone: look on from there.
        Ok(self.file.first_since(part, from, at)?.map(|row| row.offset))
    }

    fn seek(&mut self, partition: i32, offset: i64) -> Result<(), LogError> {
        self.cursor(partition)?.next = Some(offset.max(0));
        Ok(())
    }

    fn pause(&mut self, partition: i32, on: bool) -> Result<(), LogError> {
        self.cursor(partition)?.paused = on;
        Ok(())
    }

    /// Nobody asks the embedded log for lag; `status` reads the store.
    fn note_committed(&mut self, _partition: i32, _offset: i64) {}
}

impl Feed {
    fn version(&self) -> u64 {
        match self {
            Self::Told(shared) => shared.version(),
            Self::Looks => 0,
        }
    }
}
