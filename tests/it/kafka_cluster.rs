//! Brokers that die, stand still or are not there yet, and faults that only a mock cluster can be made to have.
//!
//! One story at a time ([`alone`]): three JVMs and a service are enough for two cores. `BONGSU_LONG=1` lets the outage
//! of a standing broker last a minute instead of seconds.

#![allow(clippy::unwrap_used, reason = "what a helper cannot do fails its test")]

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bongsu::log::kafka::{Config, KafkaLog};
use bongsu::log::{Event, LogError, Sink, Source as _};
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::kafka::{Kafka, Order, Plan};
use crate::log_suite::{append, assigned, read, record};
use crate::site::{Site, eventually, program};

const PARTITIONS: i32 = 3;
/// How long a record may be on its way before the writer is told that it was refused, ms: longer than the six seconds after
/// which a broker counts as dead and what the others take to agree on new leaders, on a machine that is busy too.
const GIVE_UP: &str = "20000";

/// One story with a cluster of its own at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn log(brokers: &str) -> KafkaLog {
    let mut config = Config::new(brokers);
    config.extra.insert("message.timeout.ms".to_owned(), GIVE_UP.to_owned());
    KafkaLog::new(config).unwrap()
}

/// Where each record lies whose writing was acknowledged, by its value.
type Acked = BTreeMap<Vec<u8>, (i32, i64)>;

/// Appends until it is stopped.
fn write(sink: &dyn Sink, acked: &Mutex<Acked>, refused: &Mutex<usize>, stop: &AtomicBool) {
    let mut n = 0_u32;
    while !stop.load(Ordering::SeqCst) {
        let values: Vec<Vec<u8>> = (0..60).map(|i| (n + i).to_be_bytes().to_vec()).collect();
        n += 60;
        let new = values.iter().zip((0..PARTITIONS).cycle()).map(|(value, p)| record(p, b"h", value)).collect();
        for (value, done) in values.into_iter().zip(sink.append(new)) {
            match done {
                Ok(at) => drop(acked.lock().unwrap().insert(value, (at.partition, at.offset))),
                Err(LogError::Unavailable { .. }) => *refused.lock().unwrap() += 1,
                Err(other) => panic!("{other}"),
            }
        }
    }
}

/// Reads everything there is.
fn read_all(log: &KafkaLog, topic: &str) -> BTreeMap<(i32, i64), Vec<u8>> {
    let mut source = log.source(topic).unwrap();
    let mut wanted = 0;
    for partition in assigned(&mut source) {
        let bounds = source.bounds(partition).unwrap();
        wanted += usize::try_from(bounds.high - bounds.low).unwrap();
        source.seek(partition, bounds.low).unwrap();
    }
    read(&mut source, wanted).into_iter().map(|seen| ((seen.partition, seen.offset), seen.value)).collect()
}

#[test]
fn a_cluster_that_loses_one_and_then_two_of_three_loses_no_record() {
    let _alone = alone();
    let mut kafka = Kafka::start(3);
    let log = log(kafka.brokers());
    log.ensure_topic("telemetry", PARTITIONS, None).unwrap();
    let sink = log.sink("telemetry").unwrap();
    let (acked, refused, stop) = (Mutex::new(Acked::new()), Mutex::new(0), AtomicBool::new(false));
    let taken = || acked.lock().unwrap().len();
    std::thread::scope(|scope| {
        scope.spawn(|| write(&sink, &acked, &refused, &stop));
        // Whatever panics must not leave the writer running.
        let story = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let more = |what: &str| {
                let before = taken();
                eventually(what, || (taken() > before + 1_000).then_some(()));
            };
            more("records are taken");
            kafka.tell(0, Order::Kill);
            more("two of three take records");
            assert_eq!(*refused.lock().unwrap(), 0, "a single death is not seen by writers");
            kafka.tell(0, Order::Start);
            kafka.await_metadata();
            more("all three are back");
            kafka.tell(1, Order::Kill);
            kafka.tell(2, Order::Kill);
            eventually("one of three refuses", || (*refused.lock().unwrap() > 0).then_some(()));
            let before = taken();
            let seen = *refused.lock().unwrap();
            eventually("and goes on refusing", || (*refused.lock().unwrap() > seen).then_some(()));
            assert_eq!(taken(), before, "nothing is acknowledged that only one broker has");
            kafka.tell(1, Order::Start);
            kafka.tell(2, Order::Start);
            kafka.await_metadata();
            more("it recovers");
        }));
        stop.store(true, Ordering::SeqCst);
        story.unwrap();
    });
    let lies = read_all(&log, "telemetry");
    let acked = acked.into_inner().unwrap();
    for (value, at) in &acked {
        assert_eq!(lies.get(at), Some(value), "an acknowledged record lies where it was told");
    }
    let values: std::collections::BTreeSet<_> = lies.values().collect();
    assert_eq!(values.len(), lies.len(), "no record lies there twice");
}

#[test]
fn a_broker_that_stood_still_is_waited_for_and_nothing_is_lost() {
    let _alone = alone();
    let mut kafka = Kafka::start(1);
    let log = KafkaLog::new(Config::new(kafka.brokers())).unwrap();
    log.ensure_topic("telemetry", 1, None).unwrap();
    let sink = Arc::new(log.sink("telemetry").unwrap());
    let mut source = log.source("telemetry").unwrap();
    assigned(&mut source);
    source.seek(0, 0).unwrap();
    append(&*sink, vec![record(0, b"h", b"before")]);
    assert_eq!(read(&mut source, 1)[0].value, b"before");
    kafka.tell(0, Order::Freeze);
    let (done, is_done) = channel();
    let during = Arc::clone(&sink);
    std::thread::spawn(move || done.send(during.append(vec![record(0, b"h", b"during")])));
    let still = Duration::from_secs(if std::env::var_os("BONGSU_LONG").is_some() { 25 } else { 4 });
    let began = Instant::now();
    while began.elapsed() < still {
        assert!(source.next(Duration::from_millis(100)).unwrap().is_none(), "nothing comes, and nothing fails");
    }
    assert!(is_done.try_recv().is_err(), "the record waits");
    kafka.tell(0, Order::Thaw);
    let written = is_done.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(matches!(written[..], [Ok(_)]), "{written:?}");
    assert_eq!(read(&mut source, 1)[0].value, b"during");
}

#[test]
fn a_service_waits_for_a_broker_that_starts_later_and_puts_dead_letters_into_their_topic() {
    let _alone = alone();
    let mut kafka = Kafka::launch(&Plan { nodes: 1, ..Plan::default() });
    kafka.tell(0, Order::Kill);
    let site = Site::new("  []\n");
    let settings = std::fs::read_to_string(site.path("bongsu.yaml")).unwrap();
    let on_kafka = format!("kind: kafka, brokers: [\"{}\"], group: bongsu-test", kafka.brokers());
    std::fs::write(site.path("bongsu.yaml"), settings.replace("kind: embedded", &on_kafka)).unwrap();

    // It says what it waits for, and an end that is asked for meanwhile is no failure to hang in.
    let early = std::fs::File::create(site.path("early.log")).unwrap();
    let mut waiting =
        Command::new(program()).arg("run").args(site.place()).stdin(Stdio::null()).stderr(early).spawn().unwrap();
    eventually("it says that Kafka is away", || {
        let said = std::fs::read_to_string(site.path("early.log")).unwrap();
        (said.contains("Kafka is away") && said.contains(kafka.brokers())).then_some(())
    });
    let asked = Command::new("kill").args(["-TERM", &waiting.id().to_string()]).status().unwrap();
    assert!(asked.success());
    assert_eq!(eventually("it ends", || waiting.try_wait().unwrap()).code(), Some(0));

    kafka.tell(0, Order::Start);
    let running = site.start();
    let partitions = || site.get("/v1/status")["partitions"].as_array().cloned().unwrap_or_default();
    // A first start begins at the log's end: what comes before its partitions do is the past.
    eventually("the group assigned both partitions", || (partitions().len() == 2).then_some(()));
    let good = crate::site::record("db-01", "load", 1.0);
    let bad = good.replace("[\"load\",1]", "[\"load\",1],[\"load\",\"text\"]");
    assert_eq!(site.send(&format!("{good}{bad}"))["accepted"], 2, "a bad point does not refuse its record");
    let log = log(kafka.brokers());
    let mut letters = log.source("telemetry.dead").unwrap();
    assigned(&mut letters);
    letters.seek(0, 0).unwrap();
    let letter = eventually("the letter comes", || match letters.next(Duration::from_millis(50)).unwrap() {
        Some(Event::Batch(batch)) => {
            assert_eq!(batch.slots.len(), 1, "one bad point, one letter");
            Some(serde_json::from_slice::<serde_json::Value>(batch.record(&batch.slots[0]).1).unwrap())
        }
        _ => None,
    });
    assert_eq!((&letter["source"], &letter["place"]), (&"db-01".into(), &"points[1]".into()), "{letter}");
    assert_eq!(letter["log"]["topic"], "telemetry");
    assert!(letter["reason"].is_string() && letter["log"]["offset"].is_i64(), "{letter}");

    eventually("it is durable that the record was read", || {
        let place = &letter["log"];
        let read = |p: &serde_json::Value| {
            p["partition"] == place["partition"] && p["offset"].as_i64() > place["offset"].as_i64()
        };
        partitions().iter().any(read).then_some(())
    });

    // Again from before: what was read before is muted and has no second letter.
    running.kill();
    let running = site.start();
    let more = crate::site::record("db-02", "load", f64::NAN).replace("NaN", "\"text\"");
    assert_eq!(site.send(&more)["accepted"], 1);
    let next = eventually("the next letter comes", || match letters.next(Duration::from_millis(50)).unwrap() {
        Some(Event::Batch(batch)) => Some(String::from_utf8_lossy(batch.record(&batch.slots[0]).1).into_owned()),
        _ => None,
    });
    assert!(next.contains("db-02"), "{next}");
    assert_eq!(running.end(), Some(0));
}

// --- the mock cluster

#[test]
fn a_leader_that_moves_while_records_are_on_their_way_loses_and_doubles_none() {
    let _alone = alone();
    let mock = MockCluster::new(3).unwrap();
    mock.create_topic("moving", 1, 3).unwrap();
    let log = log(&mock.bootstrap_servers());
    let sink = log.sink("moving").unwrap();
    let not_leader = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
    mock.request_errors(RDKafkaApiKey::Produce, &[not_leader; 3]);
    mock.partition_leader("moving", 0, Some(2)).unwrap();
    append(&sink, (0..50).map(|n| record(0, b"h", &[n])).collect());
    let mut source = log.source("moving").unwrap();
    assigned(&mut source);
    source.seek(0, 0).unwrap();
    mock.request_errors(RDKafkaApiKey::Fetch, &[not_leader; 3]);
    mock.partition_leader("moving", 0, Some(3)).unwrap();
    let values: Vec<u8> = read(&mut source, 50).into_iter().map(|seen| seen.value[0]).collect();
    assert_eq!(values, (0..50).collect::<Vec<u8>>());
}

#[test]
fn a_slow_broker_and_a_refused_commit_hold_nothing_up() {
    let _alone = alone();
    let mock = MockCluster::new(1).unwrap();
    mock.create_topic("slow", 1, 1).unwrap();
    mock.broker_round_trip_time(1, Duration::from_millis(250)).unwrap();
    let log = log(&mock.bootstrap_servers());
    let sink = log.sink("slow").unwrap();
    append(&sink, vec![record(0, b"h", b"1"), record(0, b"h", b"2")]);
    let mut source = log.source("slow").unwrap();
    assigned(&mut source);
    source.seek(0, 0).unwrap();
    read(&mut source, 2);
    // Noting progress is for lag tools only: a rebalance that refuses it is no failure.
    mock.request_errors(
        RDKafkaApiKey::OffsetCommit,
        &[
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
        ],
    );
    source.note_committed(0, 2);
    source.note_committed(0, 2);
    append(&sink, vec![record(0, b"h", b"3")]);
    assert_eq!(read(&mut source, 1)[0].value, b"3");
}
