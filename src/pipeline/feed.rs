//! Files as input of `replay`: recorded streams as they were, anything else as a simulated feed.
//!
//! The idea: whatever the file, what comes out is records with a partition, an offset and an append time, in the one order
//! in which they must be taken. Recorded lines (with `log`) keep their places; lines without are merged by sample time
//! over all files, one partition, append time = running maximum of sample time. A bad line is kept as it is: the decoder
//! refuses and counts it, as it would live.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

use crate::decode::{Csv, Recorded, recorded};
use crate::model::{Labels, StateRow, wire};
use crate::pipeline::backtest::Backtest;
use crate::pipeline::stages::At;
use crate::time::Ms;

/// How to read files.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Metric name for CSV files.
    pub metric: Option<String>,
    /// Labels for CSV files.
    pub labels: Labels,
    /// Time stamps without a zone are so far from UTC, ms.
    pub offset: Ms,
}

/// One record to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FedRecord {
    /// Where it stands.
    pub at: At,
    /// Key.
    pub key: Vec<u8>,
    /// Value.
    pub value: Vec<u8>,
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
    /// Lines that are not even lines of a feed, for people: `file:line: what`.
    pub complaints: Vec<String>,
}

/// Reads `paths`.
///
/// # Errors
/// A file cannot be read, recorded and simulated input are mixed, or a CSV file comes without a metric name.
pub fn read(paths: &[std::path::PathBuf], how: &Reading) -> anyhow::Result<Feed> {
    let mut feed = Feed::default();
    let mut simulated: Vec<(Ms, Vec<u8>, Vec<u8>)> = Vec::new();
    for path in paths {
        let text = std::fs::read(path).with_context(|| format!("read `{}`", path.display()))?;
        if path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("csv")) {
            read_csv(path, &text, how, &mut feed, &mut simulated)?;
        } else {
            read_lines(path, &text, &mut feed, &mut simulated);
        }
    }
    anyhow::ensure!(
        feed.topic.is_none() || simulated.is_empty(),
        "recorded lines (with `log`) and lines without cannot be mixed\n  help: replay them one after the other"
    );
    if feed.topic.is_some() {
        feed.records = in_order(std::mem::take(&mut feed.records));
    } else {
        simulated.sort_by_key(|(at, ..)| *at);
        let mut clock = Ms::MIN;
        for (n, (at, key, value)) in simulated.into_iter().enumerate() {
            clock = clock.max(at);
            let at = At { partition: 0, offset: n as i64, append: clock };
            feed.records.push(FedRecord { at, key, value, muted: false });
        }
    }
    Ok(feed)
}

fn read_csv(
    path: &Path,
    bytes: &[u8],
    how: &Reading,
    feed: &mut Feed,
    into: &mut Vec<(Ms, Vec<u8>, Vec<u8>)>,
) -> anyhow::Result<()> {
    let metric = how.metric.as_deref().with_context(|| {
        format!("`{}` is CSV and needs a metric name\n  help: say --metric NAME (and --labels host=…)", path.display())
    })?;
    let text = std::str::from_utf8(bytes).with_context(|| format!("`{}` is not UTF-8", path.display()))?;
    for row in Csv::new(text, how.offset) {
        match row {
            Ok(row) => {
                let value = row.record(metric, &how.labels);
                let key = how.labels.get("host").unwrap_or("file").as_bytes().to_vec();
                into.push((row.at, key, value));
            }
            Err(error) => feed.complaints.push(format!("{}:{}: {}", path.display(), error.line, error.what)),
        }
    }
    Ok(())
}

fn read_lines(path: &Path, bytes: &[u8], feed: &mut Feed, into: &mut Vec<(Ms, Vec<u8>, Vec<u8>)>) {
    let mut last = 0;
    for (n, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let read = std::str::from_utf8(line).ok().and_then(|text| recorded(text).ok());
        match read {
            Some(Recorded { state: Some(state), .. }) => match wire::state_from_json(&state) {
                Some(row) => feed.states.push(row),
                None => feed.complaints.push(format!("{}:{}: no state row", path.display(), n + 1)),
            },
            Some(Recorded { place: Some(place), key, body, muted, .. }) => {
                let at = At { partition: place.partition, offset: place.offset, append: place.at };
                feed.topic = Some(place.topic);
                feed.records.push(FedRecord { at, key, value: body, muted });
            }
            Some(Recorded { ts, key, body, .. }) => {
                last = ts.unwrap_or(last);
                into.push((last, key, body));
            }
            // Not a record at all: the decoder will say so, at the time of the line before.
            None => into.push((last, Vec::new(), line.to_vec())),
        }
    }
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
            let begin = begins.entry(record.at.partition).or_insert(0);
            if record.muted {
                *begin = record.at.offset + 1;
            } else if *begin == 0 {
                *begin = record.at.offset;
            }
        }
        begins
    }

    /// Feeds a record to `run`.
    pub fn give(record: &FedRecord, run: &mut Backtest) {
        run.feed(record.at, &record.key, &record.value);
    }
}
