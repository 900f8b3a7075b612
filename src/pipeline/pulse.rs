//! Pulses: the records by which a quiet log tells the time, and what they tell of its clock.
//!
//! The idea: the wall clock is read just before a pulse is handed over and just after the log has it. Its append time is
//! known once it is read back; where it lies outside of the two readings, the clocks differ: neither a slow log nor a
//! slow reader can look like that. Does not decide when time must be told (`evaluator`) nor what a difference means
//! (`watch`). A partition that never needs a pulse tells nothing of the clocks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::log::{NewRecord, Sink};
use crate::model::{Batch, PULSE_KEY};
use crate::time::{Clock, Ms};

/// So long the evaluator waits for a log that does not answer, before it looks after the store again.
const PATIENCE: Duration = Duration::from_secs(5);

/// A pulse on its way back.
#[derive(Debug, Clone, Copy)]
struct Sent {
    offset: i64,
    /// Wall clock before it was handed over, and after it was durable.
    between: (Ms, Ms),
}

/// The pulses of one evaluator.
#[derive(Debug, Default)]
pub(super) struct Pulses {
    last: BTreeMap<i32, Ms>,
    sent: BTreeMap<i32, Sent>,
    difference: Option<Ms>,
    trouble: Option<String>,
}

impl Pulses {
    /// Whether the last pulse of a partition is at least `shortest` ago.
    pub(super) fn may(&self, partition: i32, now: Ms, shortest: Ms) -> bool {
        let last = self.last.get(&partition).copied().unwrap_or(Ms::MIN);
        // A wall clock that stepped back must not stop pulses: only the distance counts.
        now.abs_diff(last) >= shortest.unsigned_abs()
    }

    /// Appends a pulse to each of `partitions`; gives how many were refused.
    pub(super) fn write(&mut self, sink: &dyn Sink, clock: &Arc<dyn Clock>, partitions: &[i32]) -> u64 {
        if partitions.is_empty() {
            return 0;
        }
        let pulse =
            |partition: &i32| NewRecord { partition: Some(*partition), key: PULSE_KEY.to_vec(), value: Vec::new() };
        let before = clock.wall();
        let done = sink.append_within(partitions.iter().map(pulse).collect(), PATIENCE);
        let after = clock.wall();
        self.trouble = done.iter().find_map(|done| done.as_ref().err().map(ToString::to_string));
        let mut failed = 0;
        for (partition, done) in partitions.iter().zip(done) {
            self.last.insert(*partition, before);
            match done {
                Ok(place) => {
                    let between = (before.min(after), before.max(after));
                    self.sent.insert(*partition, Sent { offset: place.offset, between });
                }
                Err(_) => failed += 1,
            }
        }
        failed
    }

    /// Looks for a pulse of our own in what was read.
    pub(super) fn read(&mut self, batch: &Batch) {
        let Some(sent) = self.sent.get(&batch.partition).copied() else { return };
        let Some(last) = batch.slots.last().filter(|last| last.offset >= sent.offset) else { return };
        self.sent.remove(&batch.partition);
        let (before, after) = sent.between;
        let ours = if last.offset == sent.offset {
            Some(last)
        } else {
            batch.slots.iter().find(|slot| slot.offset == sent.offset)
        };
        if let Some(slot) = ours {
            self.difference = Some((before - slot.append).max(0) + (after - slot.append).min(0));
        }
    }

    /// How far the wall clock is ahead of the log's at least, as the last pulse tells; negative: behind.
    pub(super) fn difference(&self) -> Option<Ms> {
        self.difference
    }

    /// Why the last pulse was refused, where it was.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}
