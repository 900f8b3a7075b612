//! Files as input of `replay`: recorded streams as they were, anything else as a simulated feed.
//!
//! The idea: whatever the file, what comes out is decoded records with a partition, an offset and an append time, in the
//! one order in which they must be taken; decoded once, they can be run under as many rule sets as one likes. Recorded
//! lines (with `log`) keep their places; lines without are merged by sample time over all files, one partition, append
//! time = running maximum of sample time. A bad line is kept as it is: the decoder refuses and counts it, as it would
//! live.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::decode::{Csv, Decoder, Limits};
use crate::model::{Decoded, Kind, Labels, StateRow, wire};
use crate::pipeline::backtest::Backtest;
use crate::pipeline::refused::Refusals;
use crate::pipeline::stages::At;
use crate::time::Ms;

/// Bytes of a file between two reports of how far reading has come.
const REPORT_EVERY: usize = 1 << 20;

/// How to read files.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Metric name for CSV files.
    pub metric: Option<String>,
    /// Labels for CSV files.
    pub labels: Labels,
    /// Time stamps without a zone are so far from UTC, ms.
    pub offset: Ms,
    /// What the decoder takes.
    pub limits: Limits,
}

/// One record to take.
#[derive(Debug, Clone)]
pub struct FedRecord {
    /// Where it stands.
    pub at: At,
    /// What is in it.
    pub decoded: Decoded,
    /// It has nothing usable and came under another host's key.
    pub stray: bool,
    /// Only fills windows.
    pub muted: bool,
}

/// All input, in the order in which it must be taken.
#[derive(Debug, Default)]
pub struct Feed {
    /// Records.
    pub records: Vec<FedRecord>,
    /// State in force before the first record that is not muted.
    pub states: Vec<StateRow>,
    /// Topic of a recorded stream; `None` for a simulated feed.
    pub topic: Option<String>,
    /// What was refused, and why.
    pub refusals: Refusals,
    /// Numbers in all records.
    pub samples: u64,
}

/// A feed that is being read.
struct Reader<'a> {
    how: &'a Reading,
    decoder: Decoder,
    feed: Feed,
    /// Records without a place of their own; their append time is that of their samples.
    simulated: Vec<FedRecord>,
}

/// Reads `paths`; `told` hears how many bytes of how many have been read.
///
/// # Errors
/// A file cannot be read, recorded and simulated input are mixed, or a CSV file comes without a metric name.
pub fn read(paths: &[PathBuf], how: &Reading, told: &mut dyn FnMut(usize, usize)) -> anyhow::Result<Feed> {
    let mut reader = Reader { how, decoder: Decoder::new(how.limits), feed: Feed::default(), simulated: Vec::new() };
    for path in paths {
        let bytes = std::fs::read(path).with_context(|| format!("read `{}`", path.display()))?;
        if path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("csv")) {
            reader.csv(path, &bytes)?;
        } else {
            reader.lines(path, &bytes, told);
        }
    }
    reader.end()
}

/// The same of lines in memory, named `name` where one of them is refused.
///
/// # Errors
/// Recorded and simulated input are mixed.
pub fn read_lines(name: &Path, bytes: &[u8], how: &Reading) -> anyhow::Result<Feed> {
    let mut reader = Reader { how, decoder: Decoder::new(how.limits), feed: Feed::default(), simulated: Vec::new() };
    reader.lines(name, bytes, &mut |_, _| {});
    reader.end()
}

impl Reader<'_> {
    /// All that was read, in the order in which it must be taken.
    fn end(self) -> anyhow::Result<Feed> {
        let Reader { mut feed, mut simulated, .. } = self;
        anyhow::ensure!(
            feed.topic.is_none() || simulated.is_empty(),
            "recorded lines (with `log`) and lines without cannot be mixed\n  help: replay them one after the other"
        );
        if feed.topic.is_some() {
            feed.records = in_order(std::mem::take(&mut feed.records));
        } else {
            // By sample time, so the append time of each is the greatest so far.
            simulated.sort_by_key(|record| record.at.append);
            for (offset, record) in (0..).zip(&mut simulated) {
                record.at.offset = offset;
            }
            feed.records = simulated;
        }
        feed.samples = feed.records.iter().map(|record| record.decoded.values.len() as u64).sum();
        Ok(feed)
    }

    fn csv(&mut self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        let metric = self.how.metric.as_deref().with_context(|| {
            format!(
                "`{}` is CSV and needs a metric name\n  help: say --metric NAME (and --labels host=…)",
                path.display()
            )
        })?;
        let text = std::str::from_utf8(bytes).with_context(|| format!("`{}` is not UTF-8", path.display()))?;
        let host = self.how.labels.get("host").unwrap_or("file");
        let labels = self.how.labels.with("host", host);
        for row in Csv::new(text, self.how.offset) {
            match row {
                Ok(row) => {
                    let mut decoded = Decoded::default();
                    self.decoder.number(metric, &labels, row.at, row.value, &mut decoded);
                    self.feed.refusals.take(path, row.line, b"", &decoded.rejects);
                    self.simulated.push(simulated(row.at, decoded));
                }
                Err(error) => {
                    let place = || (format!("{}:{}:1", path.display(), error.line), error.what.to_string());
                    self.feed.refusals.count("bad-row", place);
                }
            }
        }
        Ok(())
    }

    fn lines(&mut self, path: &Path, bytes: &[u8], told: &mut dyn FnMut(usize, usize)) {
        let (mut last, mut place, mut reported) = (0, 0, 0);
        for (n, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            place += line.len() + 1;
            if place - reported >= REPORT_EVERY {
                reported = place;
                told(place, bytes.len());
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let mut decoded = Decoded::default();
            let read = self.decoder.line(line, last, &mut decoded);
            if !read.muted {
                self.feed.refusals.take(path, n + 1, line, &decoded.rejects);
            }
            if let Some(state) = read.state {
                match wire::state_from_json(&state) {
                    Some(row) => self.feed.states.push(row),
                    None => {
                        let place = || (format!("{}:{}:1", path.display(), n + 1), "no state row".to_owned());
                        self.feed.refusals.count("bad-state", place);
                    }
                }
            } else if let Some(place) = read.place {
                let at = At { partition: place.partition, offset: place.offset, append: place.at };
                self.feed.topic = Some(place.topic);
                self.feed.records.push(FedRecord { at, decoded, stray: read.stray, muted: read.muted });
            } else {
                // What has no time of its own stands at the time of the line before.
                last = read.ts.unwrap_or(last);
                self.simulated.push(FedRecord { stray: read.stray, ..simulated(last, decoded) });
            }
        }
    }
}

fn simulated(append: Ms, decoded: Decoded) -> FedRecord {
    FedRecord { at: At { partition: 0, offset: 0, append }, decoded, stray: false, muted: false }
}

/// Several partitions: the one whose next record has the smallest append time; inside a partition, offset order always.
fn in_order(records: Vec<FedRecord>) -> Vec<FedRecord> {
    let mut queues: BTreeMap<i32, Vec<FedRecord>> = BTreeMap::new();
    for record in records {
        queues.entry(record.at.partition).or_default().push(record);
    }
    for queue in queues.values_mut() {
        queue.sort_by_key(|record| std::cmp::Reverse(record.at.offset));
        queue.dedup_by_key(|record| record.at.offset);
    }
    let mut ordered = Vec::new();
    while let Some((_, partition)) =
        queues.iter().filter_map(|(p, queue)| queue.last().map(|record| (record.at.append, *p))).min()
    {
        ordered.extend(queues.get_mut(&partition).and_then(Vec::pop));
    }
    ordered
}

impl Feed {
    /// The partitions of the input and where each begins to count.
    pub fn partitions(&self) -> BTreeMap<i32, i64> {
        let mut begins = BTreeMap::new();
        for record in &self.records {
            if record.muted {
                begins.insert(record.at.partition, record.at.offset + 1);
            } else {
                begins.entry(record.at.partition).or_insert(record.at.offset);
            }
        }
        begins
    }

    /// Whether something in it can be used, be it the time that a record carries.
    pub fn is_usable(&self) -> bool {
        self.records.iter().any(|record| record.decoded.kind != Kind::Rejected) || !self.states.is_empty()
    }

    /// Feeds a record to `run`.
    pub fn give(record: &FedRecord, run: &mut Backtest) {
        run.feed_decoded(record.at, record.stray, &record.decoded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64, muted: bool) -> FedRecord {
        let at = At { partition: 0, offset, append: offset };
        FedRecord { at, decoded: Decoded::default(), stray: false, muted }
    }

    #[test]
    fn the_first_record_counts_unless_it_is_muted() {
        let begin = |records: Vec<FedRecord>| Feed { records, ..Feed::default() }.partitions()[&0];
        assert_eq!(begin(vec![record(0, false), record(1, false)]), 0);
        assert_eq!(begin(vec![record(7, true), record(8, true), record(9, false), record(10, false)]), 9);
        assert_eq!(begin(vec![record(7, false), record(8, false)]), 7);
    }
}
