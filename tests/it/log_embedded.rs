//! The embedded log against real processes: its writer killed in the middle, and a reader elsewhere while it writes.
//!
//! The idea: the writing process is this very test program, run again for its one ignored test.

#![allow(clippy::unwrap_used, reason = "what a helper cannot do fails its test")]

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;

use bongsu::log::embedded::{self, Config};
use bongsu::log::{Event, Sink as _, Source};
use bongsu::time::SystemClock;

use crate::log_suite::{assigned, event, noise, record};

/// Tells the child which file to write.
const PATH: &str = "BONGSU_TEST_LOG";
const PARTITIONS: i32 = 2;

/// A process that appends without end and says what was acknowledged.
struct Sender {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Sender {
    fn start(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "log_embedded::sender", "--nocapture"])
            .env(PATH, path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next `n` acknowledged places: (partition, offset, number of the value).
    fn acknowledged(&mut self, n: usize) -> Vec<(i32, i64, u64)> {
        self.lines.by_ref().map(Result::unwrap).filter_map(|line| place(&line)).take(n).collect()
    }

    /// Kills the process in whatever it is doing, and gives what it still said.
    fn kill(mut self) -> Vec<(i32, i64, u64)> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // The last line may be cut short: then it was not said.
        self.lines.by_ref().map_while(Result::ok).filter_map(|line| place(&line)).collect()
    }
}

/// Reads `acknowledged 1 27 4096 .` (the full stop shows that the line is whole).
fn place(line: &str) -> Option<(i32, i64, u64)> {
    let mut words = line.strip_prefix("acknowledged ")?.strip_suffix(" .")?.split(' ');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// The value with number `n`: between 1 byte and 40 kB, known to both sides.
fn value(n: u64) -> Vec<u8> {
    noise(n, usize::try_from(n * 7919 % 40_000).unwrap() + 1)
}

/// Not a test: the sending process of the others.
#[test]
#[ignore = "the sending process, started by the other tests"]
fn sender() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let config = Config::new(&[("metrics", PARTITIONS)]);
    let (log, writer) = embedded::open(Path::new(&path), &config, Arc::new(SystemClock)).unwrap();
    let writer = thread::Builder::new().spawn(move || writer.run()).unwrap();
    let seed = u64::from(std::process::id()) << 32;
    thread::scope(|scope| {
        for partition in 0..PARTITIONS {
            let sink = log.sink("metrics").unwrap();
            scope.spawn(move || {
                for n in seed.. {
                    let records = (0..3).map(|i| record(partition, b"h", &value(3 * n + i))).collect();
                    for (i, result) in (0..).zip(sink.append(records)) {
                        let line = format!("acknowledged {partition} {} {} .\n", result.unwrap().offset, 3 * n + i);
                        // The reader is gone when the test is over: then so is this process.
                        if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    log.stop();
    writer.join().unwrap();
}

/// Everything in a partition, which must have no gap.
fn everything(source: &mut dyn Source, partition: i32) -> Vec<Vec<u8>> {
    source.seek(partition, 0).unwrap();
    let high = source.bounds(partition).unwrap().high;
    let mut values = Vec::new();
    while i64::try_from(values.len()).unwrap() < high {
        match event(source) {
            Event::Batch(batch) => values.extend(batch.slots.iter().map(|slot| batch.record(slot).1.to_vec())),
            other => panic!("{other:?}"),
        }
    }
    source.pause(partition, true).unwrap();
    values
}

fn check(source: &mut dyn Source, told: &[(i32, i64, u64)]) {
    assigned(source);
    for partition in 0..PARTITIONS {
        let found = everything(source, partition);
        for (_, offset, n) in told.iter().filter(|(p, ..)| *p == partition) {
            let at = usize::try_from(*offset).unwrap();
            assert!(found.get(at) == Some(&value(*n)), "partition {partition} offset {offset} was acknowledged");
        }
    }
}

#[test]
fn a_killed_writer_lost_nothing_that_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.db");
    let mut told = Vec::new();
    for round in 0..6 {
        let mut sender = Sender::start(&path);
        told.extend(sender.acknowledged(40 + 13 * round));
        told.extend(sender.kill());
        // Another process' view, before anybody repaired anything.
        check(&mut embedded::open_readonly(&path).unwrap().source("metrics").unwrap(), &told);
    }
    let (log, _writer) =
        embedded::open(&path, &Config::new(&[("metrics", PARTITIONS)]), Arc::new(SystemClock)).unwrap();
    check(&mut log.source("metrics").unwrap(), &told);
    assert!(told.len() > 400, "{}", told.len());
}

#[test]
fn another_process_reads_along_while_the_log_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.db");
    let mut sender = Sender::start(&path);
    let mut told = sender.acknowledged(30);
    let mut source = embedded::open_readonly(&path).unwrap().source("metrics").unwrap();
    check(&mut source, &told);
    // Reading on from where it stands, it meets what comes after.
    source.pause(0, false).unwrap();
    let before = source.bounds(0).unwrap().high;
    told.extend(sender.acknowledged(60));
    while source.bounds(0).unwrap().high <= before {
        told.extend(sender.acknowledged(3));
    }
    assert!(matches!(event(&mut source), Event::Batch(batch) if batch.slots[0].append > 0));
    told.extend(sender.kill());
    check(&mut embedded::open_readonly(&path).unwrap().source("metrics").unwrap(), &told);
}
