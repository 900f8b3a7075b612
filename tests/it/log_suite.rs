//! What every log promises, written once and run over the embedded log and over a real Kafka broker.
//!
//! The idea: each promise is a function over a [`Side`], a fresh topic with its two ends and a way to make it lose its
//! oldest records; `suite!` makes a test of each promise for each kind of log.

#![allow(clippy::unwrap_used, reason = "what a helper cannot do fails its test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bongsu::log::embedded::{self, EmbeddedLog};
use bongsu::log::kafka::{Config, KafkaLog};
use bongsu::log::{Appended, Bounds, Event, LogError, NewRecord, Sink, Source};
use bongsu::model::PULSE_KEY;
use bongsu::time::{Clock as _, SystemClock};

use crate::kafka::Kafka;

/// Looks at a source before a test gives up, each of [`LOOK`].
const LOOKS: usize = 300;
const LOOK: Duration = Duration::from_millis(100);
/// "Nothing comes" is believed after this long.
const SILENCE: Duration = Duration::from_millis(300);

/// A record as a test sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) append: i64,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// A fresh topic of one kind of log.
pub(crate) trait Side {
    fn sink(&self) -> Arc<dyn Sink>;
    fn source(&self) -> Box<dyn Source>;
    /// Appends to partition 0 and has the log lose some of its first records, but not all.
    fn lose_oldest(&self);
}

// --- embedded

pub(crate) struct Embedded {
    log: EmbeddedLog,
    writer: Option<thread::JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl Embedded {
    pub(crate) fn new(partitions: i32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = embedded::Config::new(&[("metrics", partitions)]);
        config.retention_bytes = 4 * 1024 * 1024;
        let (log, writer) = embedded::open(&dir.path().join("log.db"), &config, Arc::new(SystemClock)).unwrap();
        let writer = thread::Builder::new().spawn(move || writer.run()).unwrap();
        Self { log, writer: Some(writer), _dir: dir }
    }
}

impl Side for Embedded {
    fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(self.log.sink("metrics").unwrap())
    }

    fn source(&self) -> Box<dyn Source> {
        Box::new(self.log.source("metrics").unwrap())
    }

    fn lose_oldest(&self) {
        let mut source = self.source();
        for n in 0..100 {
            append(&*self.sink(), vec![record(0, b"fill", &noise(n, 300_000))]);
            if source.bounds(0).unwrap().low > 0 {
                return;
            }
        }
        panic!("retention by size deleted nothing");
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.log.stop();
        drop(self.writer.take().map(thread::JoinHandle::join));
    }
}

// --- Kafka

struct OnKafka {
    log: KafkaLog,
    topic: String,
}

impl OnKafka {
    fn new(partitions: i32) -> Self {
        let log = KafkaLog::new(Config::new(Kafka::shared().brokers())).unwrap();
        let topic = unique_topic();
        log.ensure_topic(&topic, partitions, None).unwrap();
        Self { log, topic }
    }
}

impl Side for OnKafka {
    fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(self.log.sink(&self.topic).unwrap())
    }

    fn source(&self) -> Box<dyn Source> {
        Box::new(self.log.source(&self.topic).unwrap())
    }

    fn lose_oldest(&self) {
        append(&*self.sink(), (0..10).map(|n| record(0, b"fill", &[n])).collect());
        let bounds = self.source().bounds(0).unwrap();
        self.log.delete_records(&self.topic, 0, bounds.high - 5).unwrap();
    }
}

/// A topic name that no other test of this process has.
pub(crate) fn unique_topic() -> String {
    static N: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    format!("metrics-{}", N.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}

// --- helpers

pub(crate) fn record(partition: i32, key: &[u8], value: &[u8]) -> NewRecord {
    NewRecord { partition: Some(partition), key: key.to_vec(), value: value.to_vec() }
}

/// Appends what must be taken.
pub(crate) fn append(sink: &dyn Sink, records: Vec<NewRecord>) -> Vec<Appended> {
    sink.append(records).into_iter().map(Result::unwrap).collect()
}

/// Bytes that no codec can shorten.
pub(crate) fn noise(seed: u64, n: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..n).map(|_| random.u8(..)).collect()
}

/// Takes the assignments that come first.
pub(crate) fn assigned(source: &mut dyn Source) -> Vec<i32> {
    let n = source.topic().unwrap().partitions;
    (0..n)
        .map(|_| match source.next(LOOK).unwrap() {
            Some(Event::Assigned { partition }) => partition,
            other => panic!("an assignment comes first, not {other:?}"),
        })
        .collect()
}

/// A source that stands at the start of every partition.
fn reading(side: &dyn Side) -> Box<dyn Source> {
    let mut source = side.source();
    for partition in assigned(&mut *source) {
        source.seek(partition, 0).unwrap();
    }
    source
}

/// The next event, waited for.
pub(crate) fn event(source: &mut dyn Source) -> Event {
    (0..LOOKS).find_map(|_| source.next(LOOK).unwrap()).expect("an event within the deadline")
}

/// The next `n` records, whatever partition they are of.
pub(crate) fn read(source: &mut dyn Source, n: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    while seen.len() < n {
        match event(source) {
            Event::Batch(batch) => seen.extend(batch.slots.iter().map(|slot| {
                let (key, value) = batch.record(slot);
                Seen {
                    partition: batch.partition,
                    offset: slot.offset,
                    append: slot.append,
                    key: key.to_vec(),
                    value: value.to_vec(),
                }
            })),
            other => panic!("records were expected, not {other:?}"),
        }
    }
    assert_eq!(seen.len(), n, "no more records than were appended");
    seen
}

fn nothing_comes(source: &mut dyn Source) {
    if let Some(event) = source.next(SILENCE).unwrap() {
        panic!("nothing was expected, not {event:?}");
    }
}

fn offsets(seen: &[Seen]) -> Vec<i64> {
    seen.iter().map(|record| record.offset).collect()
}

// --- the promises

fn an_empty_log_has_no_first_record(side: &dyn Side) {
    let mut source = side.source();
    assert_eq!(assigned(&mut *source), vec![0, 1]);
    for partition in 0..2 {
        assert_eq!(source.bounds(partition).unwrap(), Bounds { low: 0, high: 0 });
        assert_eq!(source.offset_for_time(partition, 0).unwrap(), None);
        source.seek(partition, 0).unwrap();
    }
    nothing_comes(&mut *source);
}

fn nothing_comes_before_seek(side: &dyn Side) {
    append(&*side.sink(), vec![record(0, b"a", b"1"), record(1, b"b", b"2")]);
    let mut source = side.source();
    assigned(&mut *source);
    nothing_comes(&mut *source);
    source.seek(1, 0).unwrap();
    let seen = read(&mut *source, 1);
    assert_eq!((seen[0].partition, &seen[0].value[..]), (1, &b"2"[..]));
    nothing_comes(&mut *source);
}

fn records_come_back_in_order_with_their_offsets(side: &dyn Side) {
    let sink = side.sink();
    let mut source = reading(side);
    for round in 0..5_u8 {
        let new = (0..20_u8).map(|n| record(0, b"host", &[round, n])).collect();
        let acknowledged: Vec<_> = append(&*sink, new).iter().map(|a| (a.partition, a.offset)).collect();
        let first = i64::from(round) * 20;
        assert_eq!(acknowledged, (first..first + 20).map(|offset| (0, offset)).collect::<Vec<_>>());
    }
    let seen = read(&mut *source, 100);
    assert_eq!(offsets(&seen), (0..100).collect::<Vec<_>>());
    let values: Vec<_> = seen.iter().map(|record| record.value.clone()).collect();
    assert_eq!(values, (0..5).flat_map(|r| (0..20).map(move |n| vec![r, n])).collect::<Vec<_>>());
    assert_eq!(source.bounds(0).unwrap(), Bounds { low: 0, high: 100 });
}

fn append_time_is_the_logs_and_never_falls(side: &dyn Side) {
    let before = SystemClock.wall();
    let sink = side.sink();
    for n in 0..10 {
        append(&*sink, vec![record(0, b"h", &[n])]);
    }
    let after = SystemClock.wall();
    let stamps: Vec<_> = read(&mut *reading(side), 10).iter().map(|record| record.append).collect();
    assert!(stamps.is_sorted(), "{stamps:?}");
    assert!(stamps.iter().all(|at| (before - 5..=after + 5).contains(at)), "{before} {stamps:?} {after}");
}

fn a_time_finds_the_first_record_at_or_after_it(side: &dyn Side) {
    let sink = side.sink();
    for n in 0..30_u8 {
        append(&*sink, vec![record(0, b"h", &[n]), record(0, b"h", &[n])]);
    }
    let mut source = reading(side);
    let seen = read(&mut *source, 60);
    let (first, last) = (seen[0].append, seen[59].append);
    assert!(first < last, "time passed");
    let around = |record: &Seen| [record.append - 1, record.append, record.append + 1];
    for at in seen.iter().flat_map(around).filter(|at| *at <= last) {
        let expected = seen.iter().find(|record| record.append >= at).map(|record| record.offset);
        assert_eq!(source.offset_for_time(0, at).unwrap(), expected, "at {at}, first {first}, last {last}");
    }
    assert_eq!(source.offset_for_time(0, 0).unwrap(), Some(0));
    assert_eq!(source.offset_for_time(0, last + 1).unwrap(), None);
    assert_eq!(source.offset_for_time(1, first).unwrap(), None, "another partition");
}

fn seek_goes_anywhere_and_back(side: &dyn Side) {
    append(&*side.sink(), (0..50_u8).map(|n| record(0, b"h", &[n])).collect());
    let mut source = reading(side);
    assert_eq!(read(&mut *source, 50).len(), 50);
    for from in [49, 0, 17, 50, 23] {
        source.seek(0, from).unwrap();
        let rest = usize::try_from(50 - from).unwrap();
        assert_eq!(offsets(&read(&mut *source, rest)), (from..50).collect::<Vec<_>>());
    }
    nothing_comes(&mut *source);
}

fn a_paused_partition_waits_and_loses_nothing(side: &dyn Side) {
    let sink = side.sink();
    let mut source = reading(side);
    source.pause(0, true).unwrap();
    append(&*sink, vec![record(0, b"h", b"held"), record(1, b"h", b"free")]);
    assert_eq!(read(&mut *source, 1)[0].value, b"free");
    nothing_comes(&mut *source);
    source.pause(0, false).unwrap();
    assert_eq!(read(&mut *source, 1)[0].value, b"held");
    source.pause(0, true).unwrap();
    source.seek(0, 0).unwrap();
    nothing_comes(&mut *source);
    source.pause(0, false).unwrap();
    assert_eq!(read(&mut *source, 1)[0].value, b"held");
}

fn pulses_are_records_like_any_other(side: &dyn Side) {
    append(&*side.sink(), vec![record(1, PULSE_KEY, b""), record(0, PULSE_KEY, b""), record(1, b"", b"no key")]);
    let mut seen = read(&mut *reading(side), 3);
    seen.sort_by_key(|record| (record.partition, record.offset));
    let found: Vec<_> = seen.iter().map(|r| (r.partition, r.offset, &r.key[..], &r.value[..])).collect();
    assert_eq!(found, [(0, 0, PULSE_KEY, &b""[..]), (1, 0, PULSE_KEY, b""), (1, 1, b"", b"no key")]);
}

fn concurrent_sinks_get_the_offsets_where_their_records_lie(side: &dyn Side) {
    let told: Vec<(Appended, Vec<u8>)> = thread::scope(|scope| {
        let senders: Vec<_> = (0..8_u8)
            .map(|sender| {
                let sink = side.sink();
                scope.spawn(move || {
                    let send = |n: u8| {
                        let records = vec![record(i32::from(n % 2), b"h", &[sender, n])];
                        (append(&*sink, records)[0], vec![sender, n])
                    };
                    (0..20).map(send).collect::<Vec<_>>()
                })
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    let told: BTreeMap<_, _> = told.into_iter().map(|(at, value)| ((at.partition, at.offset), value)).collect();
    assert_eq!(told.len(), 160, "every record has a place of its own");
    let seen = read(&mut *reading(side), 160);
    let found: BTreeMap<_, _> = seen.into_iter().map(|r| ((r.partition, r.offset), r.value)).collect();
    assert_eq!(found, told);
}

fn what_retention_took_is_told_as_a_gap(side: &dyn Side) {
    append(&*side.sink(), vec![record(0, b"h", b"first"), record(1, b"h", b"other")]);
    let mut early = reading(side);
    read(&mut *early, 2);
    side.lose_oldest();
    let mut source = reading(side);
    let Bounds { low, high } = source.bounds(0).unwrap();
    assert!(0 < low && low < high, "{low} {high}");
    let mut gaps = 0;
    let mut next = 0;
    while next < high {
        match event(&mut *source) {
            Event::Gap { partition: 0, wanted, low } => {
                assert_eq!(wanted, next);
                (gaps, next) = (gaps + 1, low);
            }
            Event::Batch(batch) if batch.partition == 0 => {
                assert_eq!(batch.slots[0].offset, next, "nothing is skipped in silence");
                next = batch.slots.last().unwrap().offset + 1;
            }
            Event::Batch(batch) => assert_eq!(batch.partition, 1),
            other => panic!("{other:?}"),
        }
    }
    assert!(gaps >= 1, "the loss was told");
    assert_eq!(source.bounds(1).unwrap().low, 0, "the other partition kept its record");
}

fn a_log_that_ends_below_the_wanted_offset_says_so(side: &dyn Side) {
    append(&*side.sink(), vec![record(0, b"h", b"1"), record(0, b"h", b"2")]);
    let mut source = side.source();
    assigned(&mut *source);
    source.seek(0, 9).unwrap();
    match event(&mut *source) {
        Event::Gap { partition: 0, wanted: 9, low: 2 } => {}
        other => panic!("{other:?}"),
    }
    append(&*side.sink(), vec![record(0, b"h", b"3")]);
    assert_eq!(offsets(&read(&mut *source, 1)), vec![2]);
}

fn a_key_stays_on_its_partition(side: &dyn Side) {
    let hosts: Vec<Vec<u8>> = (0..40).map(|n| format!("db-{n:02}").into_bytes()).collect();
    let round = || {
        let new = hosts.iter().map(|h| NewRecord { partition: None, key: h.clone(), value: b"x".to_vec() }).collect();
        append(&*side.sink(), new).iter().map(|at| at.partition).collect::<Vec<_>>()
    };
    let first = round();
    assert_eq!(first, round());
    assert!(first.contains(&0) && first.contains(&1), "both are used: {first:?}");
}

fn a_record_may_be_as_long_as_the_limit_and_no_longer(side: &dyn Side) {
    let limit = 1024 * 1024;
    let longest = noise(7, limit);
    let results = side.sink().append(vec![
        record(0, b"h", &longest),
        record(0, b"h", &noise(8, limit + 1)),
        record(0, b"h", b"short"),
    ]);
    assert!(
        matches!(results[1], Err(LogError::TooLarge { bytes, limit: told }) if bytes == limit + 1 && told == limit)
    );
    assert_eq!(results[0].as_ref().unwrap().offset, 0);
    assert_eq!(results[2].as_ref().unwrap().offset, 1, "its neighbours are taken");
    let seen = read(&mut *reading(side), 2);
    assert!(seen[0].value == longest && seen[1].value == b"short");
}

fn a_partition_that_is_not_there_is_refused(side: &dyn Side) {
    let results = side.sink().append(vec![record(7, b"h", b"x"), record(0, b"h", b"y")]);
    assert!(matches!(results[0], Err(LogError::Refused { .. })), "{:?}", results[0]);
    assert!(results[1].is_ok());
    let mut source = side.source();
    assert!(source.bounds(7).is_err() && source.seek(-1, 0).is_err() && source.pause(2, true).is_err());
}

macro_rules! suite {
    ($($promise:ident)*) => {
        mod embedded_log {
            $(#[test] fn $promise() { super::$promise(&super::Embedded::new(2)); })*
        }
        mod kafka_log {
            $(#[test] fn $promise() { super::$promise(&super::OnKafka::new(2)); })*
        }
    };
}

suite! {
    an_empty_log_has_no_first_record
    nothing_comes_before_seek
    records_come_back_in_order_with_their_offsets
    append_time_is_the_logs_and_never_falls
    a_time_finds_the_first_record_at_or_after_it
    seek_goes_anywhere_and_back
    a_paused_partition_waits_and_loses_nothing
    pulses_are_records_like_any_other
    concurrent_sinks_get_the_offsets_where_their_records_lie
    what_retention_took_is_told_as_a_gap
    a_log_that_ends_below_the_wanted_offset_says_so
    a_key_stays_on_its_partition
    a_record_may_be_as_long_as_the_limit_and_no_longer
    a_partition_that_is_not_there_is_refused
}
