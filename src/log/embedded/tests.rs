//! Tests of the embedded log that need its file or its clock; what both logs promise is in `tests/it/log_suite.rs`.

use std::path::PathBuf;
use std::thread;

use rusqlite::Connection;

use super::*;
use crate::log::embedded::file::Place;
use crate::log::{Bounds, Event, NewRecord, Sink, Source};
use crate::model::PULSE_KEY;
use crate::time::{HOUR, ManualClock, SECOND};

/// 2025-11-25 in ms.
const START: Ms = 1_764_000_000_000;
const WAIT: Duration = Duration::from_secs(5);

/// A log in a directory of its own, with its writer on a thread.
struct Bench {
    path: PathBuf,
    clock: Arc<ManualClock>,
    config: Config,
    running: Option<(EmbeddedLog, thread::JoinHandle<()>)>,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::new(&[("metrics", 2), ("bongsu.dead", 1)]);
        change(&mut config);
        let clock = Arc::new(ManualClock::at(START));
        let mut bench = Self { path: dir.path().join("log.db"), clock, config, running: None, _dir: dir };
        bench.start();
        bench
    }

    fn start(&mut self) {
        let (log, writer) = open(&self.path, &self.config, Arc::clone(&self.clock) as Arc<dyn Clock>).unwrap();
        let thread = thread::Builder::new().spawn(move || writer.run()).unwrap();
        self.running = Some((log, thread));
    }

    fn stop(&mut self) {
        if let Some((log, thread)) = self.running.take() {
            drop(log);
            thread.join().unwrap();
        }
    }

    fn log(&self) -> &EmbeddedLog {
        &self.running.as_ref().unwrap().0
    }

    fn try_append(&self, partition: i32, value: &[u8]) -> Result<i64, LogError> {
        let record = NewRecord { partition: Some(partition), key: b"h".to_vec(), value: value.to_vec() };
        self.log().sink("metrics").unwrap().append(vec![record]).pop().unwrap().map(|at| at.offset)
    }

    fn append(&self, partition: i32, value: &[u8]) -> i64 {
        self.try_append(partition, value).unwrap()
    }

    fn source(&self) -> EmbeddedSource {
        let mut source = self.log().source("metrics").unwrap();
        for partition in 0..source.topic().unwrap().partitions {
            assert!(matches!(source.next(WAIT), Ok(Some(Event::Assigned { partition: p })) if p == partition));
        }
        source
    }

    /// Offsets and append times of a partition, gaps left out.
    fn stamps(&self, partition: i32) -> Vec<(i64, Ms)> {
        let mut source = self.source();
        source.seek(partition, 0).unwrap();
        let mut stamps = Vec::new();
        while let Some(event) = source.next(Duration::ZERO).unwrap() {
            if let Event::Batch(batch) = event {
                stamps.extend(batch.slots.iter().map(|slot| (slot.offset, slot.append)));
            }
        }
        stamps
    }

    fn file_bytes(&self) -> u64 {
        std::fs::metadata(&self.path).unwrap().len()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop();
    }
}

fn noise(seed: u64, n: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..n).map(|_| random.u8(..)).collect()
}

// --- append time

#[test]
fn a_start_slightly_below_the_last_stamp_holds_it_and_far_below_begins_a_segment() {
    let mut bench = Bench::new(|_| {});
    bench.append(0, b"a");
    for (step, expected) in [(-4 * SECOND, START), (-HOUR, START - 4 * SECOND - HOUR)] {
        bench.stop();
        bench.clock.step(step);
        bench.start();
        let offset = bench.append(0, b"b");
        assert_eq!(bench.stamps(0).last(), Some(&(offset, expected)));
    }
}

#[test]
fn a_running_log_follows_the_wall_clock_only_after_a_minute() {
    for step in [HOUR, -HOUR] {
        let bench = Bench::new(|_| {});
        bench.append(0, b"before");
        bench.clock.step(step);
        for _ in 0..6 {
            bench.append(0, b"during");
            assert_eq!(bench.log().health().wall_clock.difference, step);
            bench.clock.advance(10 * SECOND);
        }
        bench.append(0, b"after");
        let minute = 60 * SECOND;
        let mut expected: Vec<_> = (0..6).map(|n| START + n * 10 * SECOND).collect();
        expected.insert(0, START);
        expected.push(START + step + minute);
        assert_eq!(bench.stamps(0).iter().map(|(_, at)| *at).collect::<Vec<_>>(), expected);
        assert_eq!(bench.log().health().wall_clock, WallClock { difference: 0, jumps: 1, reanchored: 1 });
    }
}

#[test]
fn look_up_by_time_agrees_with_a_plain_search_across_segments_and_retention() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut bench = Bench::new(|config| config.retention_bytes = 200_000);
    for n in 0..60 {
        bench.append(0, &noise(n, random.usize(1..9_000)));
        bench.clock.advance(random.i64(0..4 * SECOND));
        if n % 20 == 19 {
            bench.stop();
            bench.clock.step(random.i64(-60 * SECOND..10 * SECOND));
            bench.start();
        }
    }
    let stamps = bench.stamps(0);
    assert!(stamps[0].0 > 0, "retention took some");
    assert!(!stamps.is_sorted_by_key(|(_, at)| *at), "the clock broke at least once");
    let mut source = bench.source();
    for (_, at) in stamps.iter().flat_map(|&(o, at)| [(o, at - 1), (o, at), (o, at + 1)]).chain([(0, 0)]) {
        let expected = stamps.iter().find(|(_, found)| *found >= at).map(|(offset, _)| *offset);
        assert_eq!(source.offset_for_time(0, at).unwrap(), expected, "{at}");
    }
}

// --- what is kept

#[test]
fn records_older_than_the_retention_go_and_the_last_one_stays() {
    let mut bench = Bench::new(|config| config.retention_ms = HOUR);
    for _ in 0..5 {
        bench.append(0, b"old");
    }
    bench.append(1, b"only");
    bench.clock.advance(2 * HOUR);
    let new = bench.append(0, b"new");
    // The next commit comes after the sweep of this one.
    bench.append(0, b"newer");
    let mut source = bench.source();
    assert_eq!(source.bounds(0).unwrap(), Bounds { low: new, high: new + 2 });
    assert_eq!(source.bounds(1).unwrap(), Bounds { low: 0, high: 1 }, "the next offset hangs on it");
    bench.stop();
    bench.start();
    assert_eq!(bench.append(1, b"next"), 1);
}

#[test]
fn a_full_log_reuses_its_file() {
    let bench = Bench::new(|config| config.retention_bytes = 2_000_000);
    let mut largest = 0;
    for n in 0..80 {
        bench.append(i32::from(n % 2 == 0), &noise(n, 200_000));
        largest = largest.max(bench.file_bytes());
    }
    assert!(largest < 2 * 2_000_000, "16 MB went through {largest} bytes");
    let Bounds { low, high } = bench.source().bounds(0).unwrap();
    assert!(0 < low && high == 40, "{low} {high}");
}

#[test]
fn a_full_disk_refuses_loses_nothing_and_takes_again_once_there_is_room() {
    let bench = Bench::new(|config| {
        config.retention_ms = HOUR;
        config.file_bytes_max = Some(1_000_000);
    });
    let taken = (0..).take_while(|&n| bench.try_append(0, &noise(n, 100_000)).is_ok()).count();
    assert!((5..10).contains(&taken), "{taken}");
    let why = bench.try_append(0, &noise(0, 100_000)).unwrap_err().to_string();
    assert!(why.contains("full"), "{why}");
    assert!(bench.log().health().trouble.is_some());
    let offsets: Vec<_> = bench.stamps(0).iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, (0..i64::try_from(taken).unwrap()).collect::<Vec<_>>(), "what was acknowledged is there");

    bench.clock.advance(2 * HOUR);
    let refused = bench.try_append(0, &noise(1, 500_000));
    // The refusal, if it came, swept what had expired.
    let offset = refused.or_else(|_| bench.try_append(0, &noise(1, 500_000))).unwrap();
    assert_eq!(offset, i64::try_from(taken).unwrap(), "no hole where appends were refused");
    assert_eq!(bench.log().health().trouble, None);
}

#[test]
fn a_damaged_row_is_a_counted_gap_and_the_rest_is_read() {
    let mut bench = Bench::new(|_| {});
    for n in 0..4_u8 {
        bench.append(0, &[n; 100]);
    }
    bench.stop();
    let hurt = "UPDATE batch SET bytes = zeroblob(length(bytes)) WHERE place = ?1";
    let part = "SELECT p.id FROM part p JOIN topic t ON t.id = p.topic WHERE t.name = 'metrics' AND p.partition = 0";
    let connection = Connection::open(&bench.path).unwrap();
    let part: i64 = connection.query_row(part, [], |row| row.get(0)).unwrap();
    for offset in [1, 3] {
        let key = Place { part, offset }.key();
        assert_eq!(connection.execute(hurt, [key]).unwrap(), 1);
    }
    drop(connection);
    bench.start();
    let mut source = bench.source();
    source.seek(0, 0).unwrap();
    let mut told = Vec::new();
    while let Some(event) = source.next(Duration::ZERO).unwrap() {
        told.push(match event {
            Event::Batch(batch) => format!("{:?}", batch.slots.iter().map(|s| s.offset).collect::<Vec<_>>()),
            Event::Gap { wanted, low, .. } => format!("gap {wanted}..{low}"),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(told, ["[0]", "gap 1..2", "[2]", "gap 3..4"]);
    assert_eq!((source.damaged_rows(), bench.log().health().damaged_rows), (2, 2));
    assert_eq!(bench.append(0, b"next"), 4);
}

#[test]
fn an_idle_minute_of_four_partitions_writes_less_than_half_a_megabyte() {
    let bench = Bench::new(|config| config.topics = vec![("metrics".to_owned(), 4)]);
    let sink = bench.log().sink("metrics").unwrap();
    let wal = bench.path.with_extension("db-wal");
    let written = || std::fs::metadata(&wal).map_or(0, |file| file.len());
    let before = written();
    for _ in 0..60 {
        let pulse = |p| NewRecord { partition: Some(p), key: PULSE_KEY.to_vec(), value: Vec::new() };
        assert!(sink.append((0..4).map(pulse).collect()).iter().all(Result::is_ok));
        bench.clock.advance(SECOND);
    }
    let bytes = written() - before;
    assert!(bytes < 500_000, "{bytes}");
}

// --- the queue

#[test]
fn a_full_queue_refuses_what_does_not_fit_and_keeps_the_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(&[("metrics", 1)]);
    config.queue_bytes = 1_000;
    let clock = Arc::new(ManualClock::at(START));
    let (log, writer) = open(&dir.path().join("log.db"), &config, clock).unwrap();
    let sink = log.sink("metrics").unwrap();
    let record = |n: usize| NewRecord { partition: None, key: Vec::new(), value: vec![0; n] };
    let results = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let results = sink.append(vec![record(300), record(300), record(300), record(10)]);
            log.stop();
            results
        });
        writer.run();
        sender.join().unwrap()
    });
    let told: Vec<_> = results.iter().map(|result| result.as_ref().map(|at| at.offset).ok()).collect();
    assert_eq!(told, [Some(0), Some(1), None, None]);
    assert!(matches!(results[2], Err(LogError::Full)) && matches!(results[3], Err(LogError::Full)));
    assert_eq!(log.health().refused_full, 2);
    assert!(matches!(sink.append(vec![record(1)])[..], [Err(LogError::Unavailable { .. })]), "the writer is gone");
}

#[test]
fn an_append_wakes_a_waiting_reader() {
    let bench = Bench::new(|_| {});
    let mut source = bench.source();
    source.seek(0, 0).unwrap();
    thread::scope(|scope| {
        let reader = scope.spawn(move || source.next(Duration::from_secs(60)));
        bench.append(0, b"x");
        assert!(matches!(reader.join().unwrap(), Ok(Some(Event::Batch(_)))));
    });
}

// --- the file

#[test]
fn a_second_writer_is_refused_and_the_first_one_goes_on() {
    let bench = Bench::new(|_| {});
    let refused = open(&bench.path, &bench.config, Arc::new(ManualClock::at(START))).unwrap_err();
    assert!(refused.to_string().contains("another process writes it"), "{refused}");
    bench.append(0, b"still");
}

#[test]
fn a_file_of_something_else_or_of_a_newer_program_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::new(&[("metrics", 1)]);
    let refusal = |path: &Path| open(path, &config, Arc::new(ManualClock::at(START))).unwrap_err().to_string();

    let garbage = dir.path().join("garbage");
    std::fs::write(&garbage, "나는 데이터베이스가 아니다. ".repeat(100)).unwrap();
    assert!(refusal(&garbage).contains("not a database"), "{}", refusal(&garbage));
    assert!(std::fs::read_to_string(&garbage).unwrap().starts_with("나는"));

    let other = dir.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE people (name TEXT)").unwrap();
    assert!(refusal(&other).contains("something else"), "{}", refusal(&other));

    let newer = dir.path().join("newer.db");
    drop(open(&newer, &config, Arc::new(ManualClock::at(START))).unwrap());
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 2).unwrap();
    assert!(refusal(&newer).contains("layout is 2"), "{}", refusal(&newer));
    assert!(open_readonly(&newer).is_err() && open_readonly(&dir.path().join("none.db")).is_err());
}

#[test]
fn a_topic_grows_keeps_its_identity_and_never_shrinks() {
    let mut bench = Bench::new(|_| {});
    bench.append(1, b"x");
    let before = bench.source().topic().unwrap();
    for (asked, expected) in [(4, 4), (1, 4)] {
        bench.stop();
        bench.config.topics = vec![("metrics".to_owned(), asked)];
        bench.start();
        let topic = bench.source().topic().unwrap();
        assert_eq!((topic.partitions, &topic.id), (expected, &before.id));
    }
    assert_eq!((bench.append(3, b"new"), bench.append(1, b"y")), (0, 1));
    assert_eq!(bench.log().topics().collect::<Vec<_>>(), ["metrics", "bongsu.dead"], "the others stay");
    let other = Bench::new(|_| {});
    assert_ne!(other.source().topic().unwrap().id, before.id, "made anew is another topic");
    assert!(bench.log().source("nowhere").is_err() && bench.log().sink("nowhere").is_err());
}

#[test]
fn a_reader_in_the_way_lets_the_wal_grow_by_little() {
    const PIECE: usize = 256 * 1024;
    let bench = Bench::new(|_| {});
    let mut written = 0;
    let mut fill = |until: usize| {
        while written < until {
            bench.append(0, &noise(written as u64, PIECE));
            written += PIECE;
        }
    };
    fill(7 << 20);
    let reader = Connection::open(&bench.path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM batch").unwrap();
    // The round ends while somebody reads from the WAL: it cannot start over.
    fill(10 << 20);
    reader.execute_batch("COMMIT").unwrap();
    fill(24 << 20);
    let wal = std::fs::metadata(bench.path.with_file_name("log.db-wal")).unwrap().len();
    assert!(wal < 13 << 20, "{wal} bytes");
}
