//! The decoder: buffers that live as long as a partition's reader, and the one entry for a record of the log.
//!
//! The idea: all scratch space belongs to the decoder or to the caller's [`Decoded`], so that a record which looks like
//! one seen before touches no allocator. Formats are told apart here; what a format means is in its own file.

use std::sync::Arc;

use crate::decode::bongsu;
use crate::decode::recorded::{self, Recorded, recorded};
use crate::decode::shapes::Shapes;
use crate::decode::tape::Scratch;
use crate::model::{Decoded, Kind, Labels, Line, PULSE_KEY, Reject, RejectReason};
use crate::time::Ms;

/// What a decoder holds itself to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest record, in bytes of its value.
    pub record_bytes: usize,
    /// Most shapes kept; at the limit the table is emptied and a new generation begins.
    pub shapes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { record_bytes: 1 << 20, shapes: 100_000 }
    }
}

/// Turns records into numbers and lines; one for each reader of the log.
#[derive(Debug)]
pub struct Decoder {
    record_bytes: usize,
    scratch: Scratch,
    work: Work,
}

/// What the formats work with, apart from the parsed record itself.
#[derive(Debug)]
pub(super) struct Work {
    /// The interned repeating parts.
    pub(super) shapes: Shapes,
    /// Identity bytes of the record at hand; see [`Shapes`].
    pub(super) identity: Vec<u8>,
    /// For each number taken, its index in `points`.
    pub(super) places: Vec<u32>,
    /// Lines of earlier records whose strings can be filled again.
    pub(super) spare: Vec<Line>,
    nobody: Arc<str>,
    bare: Labels,
}

impl Decoder {
    /// A decoder that knows no shape yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            record_bytes: limits.record_bytes,
            scratch: Scratch::default(),
            work: Work {
                shapes: Shapes::new(limits.shapes),
                identity: Vec::new(),
                places: Vec::new(),
                spare: Vec::new(),
                nobody: Arc::from(""),
                bare: Labels::default(),
            },
        }
    }

    /// Decodes one record of the log into `out`, whose former content is dropped and whose buffers are used again.
    ///
    /// `append` is the record's append time. Never fails: what cannot be used is in `out.rejects`.
    pub fn decode(&mut self, append: Ms, key: &[u8], value: &[u8], out: &mut Decoded) {
        self.work.reset(out);
        if value.is_empty() && key == PULSE_KEY {
            out.kind = Kind::Pulse;
            return;
        }
        if value.len() > self.record_bytes {
            let detail = format!("{} bytes, the limit is {}", value.len(), self.record_bytes);
            out.rejects.push(Reject { reason: RejectReason::TooLarge, place: String::new(), detail });
            return;
        }
        let work = &mut self.work;
        let read = self.scratch.parse(value, |nodes| bongsu::read(nodes, append, key, work, out));
        if let Err(reject) = read.and_then(|inner| inner) {
            out.rejects.push(reject);
        }
    }

    /// Reads one line of a feed and decodes its record in the same pass, as [`recorded`] and [`Decoder::decode`] would one
    /// after the other; what is returned has no `body` and no `key`. A record without a place is taken as appended at its
    /// own time, or at `last` where it has none. A line that is nothing of the kind is refused like a bad record.
    pub fn line(&mut self, line: &[u8], last: Ms, out: &mut Decoded) -> Recorded {
        let line = line.trim_ascii();
        if line.len() <= self.record_bytes {
            self.work.reset(out);
            let work = &mut self.work;
            let read = self.scratch.parse(line, |nodes| {
                if recorded::is_wrapped(nodes) {
                    return None;
                }
                let (ts, host) = recorded::own_time_and_host(nodes);
                let key = host.unwrap_or("").as_bytes();
                if let Err(reject) = bongsu::read(nodes, ts.unwrap_or(last), key, work, out) {
                    out.rejects.push(reject);
                }
                Some(Recorded { ts, ..Recorded::default() })
            });
            match read {
                Ok(Some(read)) => return read,
                Ok(None) => {}
                Err(reject) => {
                    out.rejects.push(reject);
                    return Recorded::default();
                }
            }
        }
        let read = std::str::from_utf8(line).ok().and_then(|text| recorded(text).ok());
        let mut read = read.unwrap_or_else(|| Recorded { body: line.to_vec(), ..Recorded::default() });
        if read.state.is_none() {
            let append = read.place.as_ref().map(|place| place.at).or(read.ts).unwrap_or(last);
            let (key, body) = (std::mem::take(&mut read.key), std::mem::take(&mut read.body));
            self.decode(append, &key, &body, out);
            read.stray = recorded::is_stray(&key, out);
        }
        read
    }

    /// Takes one number whose series is known, as a file of bare numbers has it: `labels` are used as they are, and the
    /// source is their `host`, or nobody. Such a number has no append time, so only a time before 2000 is refused.
    pub fn number(&mut self, metric: &str, labels: &Labels, at: Ms, value: f64, out: &mut Decoded) {
        self.work.reset(out);
        bongsu::number(metric, labels, (at, value), &mut self.work, out);
    }

    /// How many shapes are held now: for the decoder's own metrics.
    pub fn shapes(&self) -> usize {
        self.work.shapes.len()
    }
}

impl Work {
    fn reset(&mut self, out: &mut Decoded) {
        out.kind = Kind::Rejected;
        out.host = Arc::clone(&self.nobody);
        out.misplaced = false;
        out.ts = 0;
        out.sent = None;
        out.shape = None;
        out.values.clear();
        out.labels = self.bare.clone();
        self.spare.append(&mut out.lines);
        // A burst of lines must not be kept for ever; a usual batch is well below this.
        self.spare.truncate(1_024);
        out.rejects.clear();
        self.identity.clear();
        self.places.clear();
    }
}
