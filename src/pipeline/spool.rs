//! The agent's spool: what nobody takes now, in the embedded log's file.
//!
//! The idea: no file format of our own. Records wait in one topic; how far they were settled is the last record of a
//! second topic of the same file, which the log keeps whatever its retention deletes (and so is the agent's note of how
//! far it has read log files). So a `kill -9` loses nothing that
//! was pushed, and brings back at most the batch whose settling was not written yet. At the size limit the log deletes
//! the oldest; what was not settled among them is counted here.
//!
//! Not here: when to spool (`agent`), and the space of settled records before the limit is reached: the file keeps it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::agent::{Record, Spool, SpoolState};
use crate::log::embedded::{self, Config, EmbeddedLog, EmbeddedSink, EmbeddedSource};
use crate::log::{Bounds, Event, LogError, NewRecord, Sink, Source};
use crate::time::{Clock, DAY, Ms};

/// The spool's file in the data directory.
pub const SPOOL_FILE: &str = "spool.db";
const WAITING: &str = "waiting";
const SETTLED: &str = "settled";
const NOTES: &str = "notes";
/// Only the size decides what goes: a host that comes back after a holiday still has its last days.
const KEEP: Ms = 400 * DAY;
/// Records read ahead at most: a few batches of a hand-over.
const AHEAD_MAX: usize = 1_024;

/// The records that wait in a file.
#[derive(Debug)]
pub struct LogSpool {
    path: PathBuf,
    log: EmbeddedLog,
    writer: Option<std::thread::JoinHandle<()>>,
    waiting: EmbeddedSink,
    settled: EmbeddedSink,
    notes: EmbeddedSink,
    source: EmbeddedSource,
    record_bytes: usize,
    /// Read and not settled, by offset.
    ahead: VecDeque<(i64, Record)>,
    /// Offset of the oldest record that is not settled.
    next: i64,
    dropped: u64,
}

impl LogSpool {
    /// Opens the spool in `folder`, or makes it; beyond `bytes` on the disk the oldest records go.
    ///
    /// # Errors
    /// It cannot be used, or another process uses it; the text says what to do.
    pub fn open(folder: &Path, bytes: u64, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let path = folder.join(SPOOL_FILE);
        let mut config = Config::new(&[(WAITING, 1), (SETTLED, 1), (NOTES, 1)]);
        config.retention_ms = KEEP;
        config.retention_bytes = bytes;
        let (log, writer) = embedded::open(&path, &config, clock)?;
        let mut source = log.source(WAITING)?;
        let settled = last_value(&log, SETTLED)?;
        let next = settled.and_then(|value| String::from_utf8(value).ok()?.parse().ok()).unwrap_or(0_i64).max(0);
        source.seek(0, next)?;
        let writer = std::thread::Builder::new()
            .name("bongsu-spool".to_owned())
            .spawn(move || writer.run())
            .context("start the spool's writer")?;
        let (waiting, settled, notes) = (log.sink(WAITING)?, log.sink(SETTLED)?, log.sink(NOTES)?);
        let writer = Some(writer);
        let (ahead, record_bytes) = (VecDeque::new(), config.record_bytes);
        let mut spool =
            Self { path, log, writer, waiting, settled, notes, source, record_bytes, ahead, next, dropped: 0 };
        let waiting = spool.state().records;
        if waiting > 0 {
            tracing::info!(records = waiting, "the spool holds records of an earlier run");
        }
        Ok(spool)
    }

    /// First and next offset; what went unsettled is counted.
    fn look(&mut self) -> Result<Bounds, LogError> {
        let bounds = self.source.bounds(0)?;
        self.lose_up_to(bounds.low);
        Ok(bounds)
    }

    /// Records below `low` that were not settled are gone.
    fn lose_up_to(&mut self, low: i64) {
        if low > self.next {
            let lost = low.abs_diff(self.next);
            tracing::warn!(records = lost, "the spool is full: its oldest records are given up");
            self.dropped += lost;
            self.next = low;
            self.ahead.retain(|(offset, _)| *offset >= low);
            // Counted once, also over a restart; where it cannot be written it is counted again.
            if let Err(why) = self.write_place() {
                tracing::warn!(why, "the spool's place cannot be written");
            }
        }
    }

    /// Makes durable how far the records are settled.
    fn write_place(&self) -> Result<(), String> {
        append_one(&self.settled, self.next.to_string().into_bytes())
    }

    /// Reads on until `enough` records are at hand or there are no more.
    fn read_ahead(&mut self, enough: usize) -> Result<(), LogError> {
        while self.ahead.len() < enough.min(AHEAD_MAX) {
            match self.source.next(Duration::ZERO)? {
                None => break,
                Some(Event::Assigned { .. } | Event::Revoked { .. }) => {}
                Some(Event::Gap { wanted, low, .. }) => self.skip(wanted, low),
                Some(Event::Batch(batch)) => {
                    let fresh = batch.slots.iter().filter(|slot| slot.offset >= self.next);
                    self.ahead.extend(fresh.map(|slot| {
                        let (key, value) = batch.record(slot);
                        (slot.offset, Record { key: key.to_vec(), value: value.to_vec() })
                    }));
                }
            }
        }
        Ok(())
    }

    /// Records from `wanted` up to `low` cannot be read: deleted, or damaged on the disk.
    fn skip(&mut self, wanted: i64, low: i64) {
        if self.ahead.is_empty() {
            self.lose_up_to(low);
        } else if low > wanted {
            self.dropped += low.abs_diff(wanted);
        }
        if low < self.next {
            // The file was put back from a copy: what it holds is what there is.
            self.next = low;
            self.ahead.clear();
        }
    }
}

impl Spool for LogSpool {
    fn push(&mut self, records: &[Record]) -> Result<(), String> {
        let fits = |record: &&Record| record.value.len() <= self.record_bytes;
        let new =
            |record: &Record| NewRecord { partition: Some(0), key: record.key.clone(), value: record.value.clone() };
        let fitting: Vec<NewRecord> = records.iter().filter(fits).map(new).collect();
        let too_long = records.len() - fitting.len();
        // One append is one transaction: all of them, or none.
        for outcome in self.waiting.append(fitting) {
            outcome.map_err(|e| e.to_string())?;
        }
        // No door takes one either.
        self.dropped += too_long as u64;
        Ok(())
    }

    fn oldest(&mut self, n_max: usize, bytes_max: usize) -> Result<Vec<Record>, String> {
        let bounds = self.look().map_err(|e| e.to_string())?;
        if bounds.high > self.next {
            self.read_ahead(n_max).map_err(|e| e.to_string())?;
        }
        let mut bytes = 0;
        let fits = |record: &&Record| {
            let first = bytes == 0;
            bytes += record.value.len();
            first || bytes <= bytes_max
        };
        Ok(self.ahead.iter().take(n_max).map(|(_, record)| record).take_while(fits).cloned().collect())
    }

    fn settle(&mut self, n: usize) -> Result<(), String> {
        self.read_ahead(n).map_err(|e| e.to_string())?;
        let Some((last, _)) = self.ahead.drain(..n.min(self.ahead.len())).next_back() else { return Ok(()) };
        self.next = last + 1;
        self.write_place()
    }

    fn state(&mut self) -> SpoolState {
        let records = match self.look() {
            Ok(bounds) => bounds.high.saturating_sub(self.next).max(0).unsigned_abs(),
            Err(_) => self.ahead.len() as u64,
        };
        let size = |ending: &str| {
            let mut name = self.path.clone().into_os_string();
            name.push(ending);
            std::fs::metadata(name).map_or(0, |found| found.len())
        };
        SpoolState { records, bytes: size("") + size("-wal"), dropped: self.dropped }
    }

    fn remember(&mut self, note: &[u8]) -> Result<(), String> {
        append_one(&self.notes, note.to_vec())
    }

    fn remembered(&mut self) -> Result<Option<Vec<u8>>, String> {
        last_value(&self.log, NOTES).map_err(|e| e.to_string())
    }
}

impl Drop for LogSpool {
    /// The file is whole and free for the next process when this is over.
    fn drop(&mut self) {
        self.log.stop();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the spool's writer ended by a bug");
        }
    }
}

fn append_one(sink: &EmbeddedSink, value: Vec<u8>) -> Result<(), String> {
    let record = NewRecord { partition: Some(0), key: Vec::new(), value };
    sink.append(vec![record]).into_iter().try_for_each(|outcome| outcome.map(drop)).map_err(|e| e.to_string())
}

/// The last record of a topic; `None` where there is none, or where the disk damaged it: then everything that is still
/// there comes again, which changes nothing at the other side.
fn last_value(log: &EmbeddedLog, topic: &str) -> Result<Option<Vec<u8>>, LogError> {
    let mut source = log.source(topic)?;
    let Bounds { low, high } = source.bounds(0)?;
    if high <= low {
        return Ok(None);
    }
    source.seek(0, high - 1)?;
    loop {
        match source.next(Duration::ZERO)? {
            Some(Event::Batch(batch)) => return Ok(batch.slots.last().map(|slot| batch.record(slot).1.to_vec())),
            None | Some(Event::Gap { .. }) => return Ok(None),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SystemClock;

    fn open(folder: &Path, bytes: u64) -> LogSpool {
        LogSpool::open(folder, bytes, Arc::new(SystemClock)).unwrap()
    }

    fn record(n: usize) -> Record {
        Record { key: b"a".to_vec(), value: format!("{n:06}").into_bytes() }
    }

    /// Incompressible, so that the size limit is reached.
    fn noise(n: usize) -> Record {
        let mut random = fastrand::Rng::with_seed(n as u64);
        let tail: String = (0..8_000).map(|_| random.alphanumeric()).collect();
        Record { key: b"a".to_vec(), value: format!("{n:06} {tail}").into_bytes() }
    }

    fn numbers(records: &[Record]) -> Vec<usize> {
        records.iter().map(|record| String::from_utf8_lossy(&record.value[..6]).parse().unwrap()).collect()
    }

    #[test]
    fn records_come_back_in_order_until_they_are_settled() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path(), 1 << 20);
        assert_eq!(spool.oldest(10, 1_000), Ok(vec![]));
        spool.push(&[record(0), record(1), record(2)]).unwrap();
        assert_eq!(numbers(&spool.oldest(2, 1_000).unwrap()), [0, 1]);
        assert_eq!(numbers(&spool.oldest(9, 12).unwrap()), [0, 1], "bounded by bytes");
        assert_eq!(numbers(&spool.oldest(9, 1).unwrap()), [0], "but never empty");
        spool.settle(2).unwrap();
        spool.push(&[record(3)]).unwrap();
        assert_eq!(numbers(&spool.oldest(9, 1_000).unwrap()), [2, 3]);
        assert_eq!((spool.state().records, spool.state().dropped), (2, 0));
        spool.settle(9).unwrap();
        spool.push(&[record(4), record(5)]).unwrap();
        spool.settle(1).unwrap();
        assert_eq!(numbers(&spool.oldest(9, 1_000).unwrap()), [5], "settled without having been read");
        spool.settle(1).unwrap();
        assert_eq!((spool.oldest(9, 1_000), spool.state().records), (Ok(vec![]), 0));
    }

    #[test]
    fn what_was_settled_does_not_come_again_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..4 {
            let mut spool = open(folder.path(), 1 << 20);
            spool.push(&[record(2 * round), record(2 * round + 1)]).unwrap();
            let expected: Vec<_> = (round..2 * round + 2).collect();
            assert_eq!(numbers(&spool.oldest(99, 1_000).unwrap()), expected);
            spool.settle(1).unwrap();
        }
    }

    #[test]
    fn the_last_note_outlives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(open(folder.path(), 1 << 20).remembered(), Ok(None));
        for note in ["one", "two"] {
            let mut spool = open(folder.path(), 1 << 20);
            spool.remember(note.as_bytes()).unwrap();
            assert_eq!(spool.remembered(), Ok(Some(note.as_bytes().to_vec())));
        }
        let mut spool = open(folder.path(), 1 << 20);
        (0..300).for_each(|at| spool.push(&[noise(at)]).unwrap());
        assert!(spool.state().dropped > 0);
        assert_eq!(spool.remembered(), Ok(Some(b"two".to_vec())), "also when the file is at its limit");
    }

    #[test]
    fn a_second_process_is_refused_with_advice() {
        let folder = tempfile::tempdir().unwrap();
        let _first = open(folder.path(), 1 << 20);
        let second = LogSpool::open(folder.path(), 1 << 20, Arc::new(SystemClock)).unwrap_err();
        assert!(second.to_string().contains("help:"), "{second}");
    }

    #[test]
    fn at_the_limit_the_oldest_go_and_each_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path(), 1 << 20);
        let n = 400;
        let mut taken = 0;
        for at in 0..n {
            spool.push(&[noise(at)]).unwrap();
            if at == 50 {
                // Settled ones go first and are not lost.
                assert_eq!(numbers(&spool.oldest(10, usize::MAX).unwrap()), (0..10).collect::<Vec<_>>());
                spool.settle(10).unwrap();
                taken = 10;
            }
        }
        let state = spool.state();
        assert!(state.dropped > 0 && state.records > 50, "{state:?}");
        assert_eq!(taken + state.dropped + state.records, n as u64);
        assert!(state.bytes < 16 << 20, "{state:?}");
        drop(spool);
        // What was counted is not counted again.
        let mut spool = open(folder.path(), 1 << 20);
        let mut left = Vec::new();
        while spool.state().records > 0 {
            let batch = numbers(&spool.oldest(20, usize::MAX).unwrap());
            spool.settle(batch.len()).unwrap();
            left.extend(batch);
        }
        let first = n - left.len();
        assert_eq!(left, (first..n).collect::<Vec<_>>(), "the newest, in order");
        assert_eq!(left.len() as u64 + spool.state().dropped, state.records);
    }

    #[test]
    fn a_record_that_no_door_would_take_is_counted_and_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path(), 1 << 24);
        let long = Record { key: b"a".to_vec(), value: vec![b'x'; (1 << 20) + 1] };
        spool.push(&[record(0), long, record(1)]).unwrap();
        assert_eq!(numbers(&spool.oldest(9, 1_000).unwrap()), [0, 1]);
        assert_eq!(spool.state().dropped, 1);
    }
}
