//! What an evaluator counts, for `status` and `/metrics`: plain numbers, owned by one thread.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;

use crate::evaluate::Counters;
use crate::model::{Flush, Kind, RejectReason, Signal, WIDE};
use crate::pipeline::stages::Fed;

/// Counts since the start.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Records, muted ones not counted.
    pub records: u64,
    /// Records read again to fill windows.
    pub muted: u64,
    /// Records whose key was not their host.
    pub misplaced: u64,
    /// Refused records and parts of records, by reason.
    pub rejects: BTreeMap<RejectReason, u64>,
    /// What the evaluation counts.
    pub evaluation: Counters,
    /// Signals that the incident stage acts on.
    pub signals: u64,
    /// Flushes that became durable, and their rows.
    pub flushes: u64,
    /// State rows written.
    pub rows: u64,
    /// Flushes that had to be made again.
    pub flushes_failed: u64,
    /// Partitions lost to another process.
    pub fenced: u64,
    /// Records that were gone before they were read.
    pub gone: u64,
    /// Pulses that the log refused.
    pub pulses_failed: u64,
    /// Dead letters written.
    pub dead_letters: u64,
    /// Dead letters that the log refused.
    pub dead_letters_lost: u64,
    /// Where every signal is told, acted on or not.
    pub told: Option<Sender<(i32, Signal)>>,
}

impl Tally {
    /// Counts what a record was and caused.
    pub fn fed(&mut self, fed: &Fed<'_>) {
        self.evaluation.add(&fed.effects.counters);
        if let Some(told) = self.told.as_ref().filter(|_| !fed.muted || fed.partition == WIDE) {
            for signal in &fed.effects.signals {
                // Whoever watched may have gone.
                let _ = told.send((fed.partition, signal.clone()));
            }
        }
        let Some(decoded) = fed.decoded else { return };
        if fed.muted {
            self.muted += 1;
            return;
        }
        if decoded.kind != Kind::Pulse {
            self.records += 1;
        }
        self.misplaced += u64::from(decoded.misplaced);
        for reject in &decoded.rejects {
            *self.rejects.entry(reject.reason).or_default() += 1;
        }
    }

    /// Counts a flush that became durable.
    pub fn flushed(&mut self, flush: &Flush) {
        self.flushes += 1;
        for part in &flush.parts {
            self.rows += part.rows.len() as u64;
            self.signals += part.signals.len() as u64;
        }
    }
}
