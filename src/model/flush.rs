//! Hand-over ②: what an `evaluate` process makes durable in one transaction, and what it finds again when it starts.
//!
//! The idea: a partition's progress (offset, clock, epoch) and its consequences (state rows, signals) are one value, so
//! that no store can write one without the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Came, Cause, Fingerprint, Labels, Severity, Signal, State};
use crate::time::Ms;

/// The virtual partition of the wide rules: with an epoch, clock and seq of its own.
pub const WIDE: i32 = -1;

/// The progress row of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Identity of the topic as the log tells it; another one means that the log was made anew.
    pub topic_id: String,
    /// Offset of the next record to take.
    pub offset: i64,
    /// Partition clock: the highest append time taken in this segment. 0 = no record yet.
    pub clock: Ms,
    /// Counts clock breaks.
    pub segment: i64,
    /// Seq of the last signal; the first is 1.
    pub seq: i64,
    /// Hash of the rule set in force.
    pub rules: String,
    /// Where a flush ended in the middle of a tick.
    pub cursor: Option<Cursor>,
    /// Sources heard in the last 10 min, for `blind`.
    pub heard: i64,
    /// Everything in the log up to now has been read.
    pub caught_up: bool,
}

/// A tick whose changes did not fit one flush: identities up to `fingerprint` are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The tick.
    pub tick: Ms,
    /// The last identity done.
    pub fingerprint: Fingerprint,
}

/// What must survive of one rule instance. Healthy, speaking instances have no row.
#[derive(Debug, Clone, PartialEq)]
pub struct StateRow {
    /// Its key.
    pub fingerprint: Fingerprint,
    /// Rule id.
    pub rule: Arc<str>,
    /// Identity.
    pub labels: Labels,
    /// Hash of what the rule watched (`by`, `metric`, `match`, `fn`): another one ends the instance.
    pub watch: String,
    /// State.
    pub state: State,
    /// Severity while firing or recovering.
    pub severity: Option<Severity>,
    /// Per severity: first tick at which its condition has held since.
    pub since: [Option<Ms>; 4],
    /// First tick of the pending that led to this episode.
    pub occurred: Option<Ms>,
    /// First tick at which the recover condition has held since.
    pub recovering: Option<Ms>,
    /// Why nothing is known.
    pub unknown: Option<Cause>,
    /// Since when nothing is known.
    pub unknown_since: Option<Ms>,
    /// Effective time of the newest sample.
    pub newest: Option<Ms>,
    /// Last tick with a value, or birth.
    pub valued: Option<Ms>,
    /// Tick at which its source was found to speak again after a silence; `None` once a sample has come since.
    pub again: Option<Ms>,
    /// The last value.
    pub value: Option<f64>,
}

/// A change of one state row.
#[derive(Debug, Clone, PartialEq)]
pub enum RowChange {
    /// Write it, new or not.
    Put(Box<StateRow>),
    /// Remove it.
    Remove(Fingerprint),
}

impl RowChange {
    /// The row's key.
    pub fn fingerprint(&self) -> Fingerprint {
        match self {
            Self::Put(row) => row.fingerprint,
            Self::Remove(fingerprint) => *fingerprint,
        }
    }
}

/// One partition's part of a flush.
#[derive(Debug, Clone, PartialEq)]
pub struct PartFlush {
    /// Which one; [`WIDE`] for the wide rules.
    pub partition: i32,
    /// The epoch under which it is owned: if the store has a higher one, nothing of this part may be written.
    pub epoch: i64,
    /// The offset that the store must still hold.
    pub from: i64,
    /// The progress after it.
    pub progress: Progress,
    /// Changed rows, netted: each key once.
    pub rows: Vec<RowChange>,
    /// Signals with their seq, gapless.
    pub signals: Vec<(i64, Signal)>,
    /// How what raised them came in, by seq. Beside the signals and no part of them: two runs over one log raise the same
    /// signals and take its records at other times.
    pub came: BTreeMap<i64, Came>,
}

/// One transaction of one `evaluate` process for all its partitions of one topic.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flush {
    /// The topic.
    pub topic: String,
    /// Each partition once.
    pub parts: Vec<PartFlush>,
}

/// What became of a flush.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flushed {
    /// All of it is durable.
    Done,
    /// Nothing was written: these partitions have another owner now. Repeat without them.
    Fenced(Vec<i32>),
}

/// A partition as its new owner finds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Owned {
    /// The epoch just taken.
    pub epoch: i64,
    /// Its progress; `None` at the first start.
    pub progress: Option<Progress>,
    /// All its state rows, by fingerprint.
    pub rows: Vec<StateRow>,
}
