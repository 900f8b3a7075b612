//! Bytes → numbers and log lines: every format that comes in, one file each.
//!
//! The idea: what repeats between records (host, names, labels) is interned once, see [`shapes`]; what does not repeat
//! (times, values) goes straight into the caller's buffers. In steady state a number costs no allocation.
//! Nothing is guessed: a part that cannot be used becomes a [`Reject`](crate::model::Reject) with its reason and place,
//! and the rest of the record is used.
//!
//! Not here: whether a sample is late, skewed or wanted by a rule (`evaluate`), and reading from the log (`log`).
//! Start at [`Decoder::decode`]; the format itself is in `bongsu.rs`.

mod base64;

mod bongsu;

mod csv;

mod decoder;

mod draft;

mod frame;

mod lenient;

mod names;

mod recorded;

mod shapes;

mod tape;

#[cfg(test)]
mod tests;

pub use csv::{Csv, CsvError, Row};
pub use decoder::{Decoder, Limits};
pub use draft::{Draft, Point, stamp};
pub use frame::{Framed, frame};
pub use names::{METRICS, Metric, MetricKind, metric};
pub use recorded::{Place, Recorded, is_stray, record_line, recorded, state_line};
