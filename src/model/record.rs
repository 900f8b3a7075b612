//! What comes out of the log and what decoding makes of it.
//!
//! The idea: the part of a record that repeats (host, names, labels) is interned once as a [`Shape`] with a dense id, so
//! that a decoded record is a shape and a row of numbers, and the hot path allocates nothing per sample.

use std::ops::Range;
use std::sync::Arc;

use crate::model::Labels;
use crate::time::Ms;

/// Records of one partition in offset order, over one buffer.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The partition all of them come from.
    pub partition: i32,
    /// Keys and values, one after the other.
    pub bytes: Vec<u8>,
    /// Where each record lies in `bytes`.
    pub slots: Vec<Slot>,
}

/// One record's place in the log and in its batch's buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its offset in the partition.
    pub offset: i64,
    /// Append time: when the log took it, ms since the epoch.
    pub append: Ms,
    /// Its key's bytes.
    pub key: Range<usize>,
    /// Its value's bytes.
    pub value: Range<usize>,
}

impl Batch {
    /// Adds one record at the end.
    pub fn push(&mut self, offset: i64, append: Ms, key: &[u8], value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.slots.push(Slot { offset, append, key: start..middle, value: middle..self.bytes.len() });
    }

    /// Key and value of a slot of this batch; empty where the slot is not of this batch.
    pub fn record(&self, slot: &Slot) -> (&[u8], &[u8]) {
        (self.bytes.get(slot.key.clone()).unwrap_or(&[]), self.bytes.get(slot.value.clone()).unwrap_or(&[]))
    }
}

/// The key of a pulse: an empty record by which the log itself carries time.
pub const PULSE_KEY: &[u8] = b"bongsu.pulse";

/// The repeating part of a record: whose it is and which series its numbers belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Dense number of this shape within its decoder and generation.
    pub id: u32,
    /// Counts how often the decoder emptied its table because it was full; ids of another generation mean nothing.
    pub generation: u32,
    /// The source.
    pub host: Arc<str>,
    /// The series in the order of the record's numbers.
    pub series: Vec<SeriesKey>,
}

/// A series: metric name and labels (the label `host` included).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// Metric name, for example `system.cpu.utilization`.
    pub name: Arc<str>,
    /// Labels, `host` included.
    pub labels: Labels,
}

/// One log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When the source wrote it, ms since the epoch.
    pub ts: Ms,
    /// Its level, for example `ERROR`; empty where there is none.
    pub level: String,
    /// The text.
    pub text: String,
}

/// What a decoded record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Nothing of it can be used; `rejects` says why.
    #[default]
    Rejected,
    /// A record that only carries the log's time.
    Pulse,
    /// Numbers, lines or both.
    Data,
}

/// One record after decoding; the decoder reuses it, so its buffers keep their size.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    /// What it is.
    pub kind: Kind,
    /// The source; empty where the record was rejected before it could be read.
    pub host: Arc<str>,
    /// The record's key was not its host.
    pub misplaced: bool,
    /// Sample time of all numbers, ms since the epoch.
    pub ts: Ms,
    /// The sender's clock at hand-over.
    pub sent: Option<Ms>,
    /// Which series `values` belong to; `None` where there is no number.
    pub shape: Option<Arc<Shape>>,
    /// One number for each series of `shape`; all finite.
    pub values: Vec<f64>,
    /// The record's own labels with `host`, for `lines`.
    pub labels: Labels,
    /// Log lines.
    pub lines: Vec<Line>,
    /// What was refused, the whole record or parts of it.
    pub rejects: Vec<Reject>,
}

/// One part of a record that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Why, from a closed list.
    pub reason: RejectReason,
    /// Where in the record, for example `points[3]`; empty for the record itself.
    pub place: String,
    /// What was there, at most 200 bytes, for people.
    pub detail: String,
}

/// Why a record or a part of it was refused; the code is also the metric's label and the dead letter's reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectReason {
    /// Longer than `limits.record_bytes`.
    TooLarge,
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON.
    NotJson,
    /// A key twice in one object.
    DuplicateKey,
    /// `v` is none that we know.
    UnknownVersion,
    /// No usable `host`.
    NoHost,
    /// A field of the record has the wrong type or is missing.
    BadField,
    /// A point that is not `[name, number]` or `[name, number, {labels}]`.
    BadPoint,
    /// A number that is NaN, infinite or out of range.
    BadNumber,
    /// A line that is not `[ts, level, text]`.
    BadLine,
    /// A time stamp before 2000 or more than a day after the append time.
    BadTime,
    /// More than [`LABELS_MAX`] labels, or one that is longer than [`LABEL_BYTES_MAX`].
    LabelLimit,
}

/// Labels that a record, and beside them a point, may carry.
pub const LABELS_MAX: usize = 64;
/// Bytes of a label's name or value: what is longer is a text, and each of its versions would be a series.
pub const LABEL_BYTES_MAX: usize = 1_024;

impl RejectReason {
    /// Every reason, for tables and metrics.
    pub const ALL: [Self; 12] = [
        Self::TooLarge,
        Self::NotUtf8,
        Self::NotJson,
        Self::DuplicateKey,
        Self::UnknownVersion,
        Self::NoHost,
        Self::BadField,
        Self::BadPoint,
        Self::BadNumber,
        Self::BadLine,
        Self::BadTime,
        Self::LabelLimit,
    ];

    /// The word for metrics, dead letters and answers.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::NotUtf8 => "not-utf8",
            Self::NotJson => "not-json",
            Self::DuplicateKey => "duplicate-key",
            Self::UnknownVersion => "unknown-version",
            Self::NoHost => "no-host",
            Self::BadField => "bad-field",
            Self::BadPoint => "bad-point",
            Self::BadNumber => "bad-number",
            Self::BadLine => "bad-line",
            Self::BadTime => "bad-time",
            Self::LabelLimit => "label-limit",
        }
    }
}
