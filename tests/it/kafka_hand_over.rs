//! Whole evaluators over one real topic and one store: a hand-over loses no signal and doubles none.
//!
//! Each step of a story appends one sample per host that changes what its rule says, and goes on only when the store
//! has the signal of each: no step waits for a time, and a lost or doubled signal shows in the counts. Who evaluates
//! changes between and during the steps.

#![allow(clippy::unwrap_used, reason = "what a helper cannot do fails its test")]

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use bongsu::decode::Limits;
use bongsu::evaluate::{self, Setup, SkewPolicy};
use bongsu::log::kafka::{Config, GroupProtocol, Join, KafkaLog};
use bongsu::log::{LogError, NewRecord, Sink};
use bongsu::model::{
    Cause, Comparison, Domain, Function, Input, Level, Mode, NoData, Recover, Rule, RuleSet, Severity, State, Then,
    Threshold, WIDE, Watch,
};
use bongsu::pipeline::evaluator::{EvaluateError, Evaluator, Sides};
use bongsu::store::{MemoryStore, Store, StoreError};
use bongsu::time::{Clock as _, SystemClock};

use crate::kafka::Kafka;
use crate::log_suite::{Embedded, Side as _, append, unique_topic};
use crate::site::{DEADLINE, eventually};

const PARTITIONS: i32 = 4;
const HOSTS: usize = 12;
const TURN: Duration = Duration::from_millis(10);

fn rule(id: &str, by: &str, threshold: f64) -> Arc<Rule> {
    Arc::new(Rule {
        id: Arc::from(id),
        title: "시험 규칙".to_owned(),
        domain: Domain::Infra,
        interval: 1_000,
        watch: Watch::Metric { name: "load".to_owned(), matchers: Vec::new() },
        by: Some(vec![by.to_owned()]),
        function: Function::Last,
        over: 120_000,
        step: None,
        across: None,
        when: Comparison::Above,
        levels: vec![Level { severity: Severity::S1, threshold: Threshold::One(threshold), hold: 0 }],
        recover: Recover::default(),
        min_samples: 1,
        no_data: NoData { after: 300_000, then: Then::Hold },
        forget: 86_400_000,
        chain: None,
        overrides: Vec::new(),
        also: Vec::new(),
        join: bongsu::model::Join::All,
        mode: Mode::Live,
        beside: None,
        expected: false,
        bonds: Default::default(),
    })
}

fn setup(rules: Vec<Arc<Rule>>, topic: &str, partitions: i32) -> Setup {
    Setup {
        rules: Arc::new(RuleSet { hash: "story".to_owned(), rules, groups: Vec::new() }),
        inventory: Arc::default(),
        topic: topic.to_owned(),
        partitions,
        limits: evaluate::Limits { series: 10_000, series_per_rule: 1_000, window_memory: 1 << 26 },
        skew: SkewPolicy::Shift,
        builtins: false,
        source_silent: None,
    }
}

/// Partitions of which the store was told that records are gone.
fn gaps(store: &dyn Store) -> Vec<String> {
    let inputs = store.inputs(&[], 1_000).unwrap().into_iter();
    let gaps = inputs.filter_map(|taken| match taken.input {
        Input::Own(signal) if &*signal.rule == "log-gap" => Some(signal.labels.get("partition").unwrap().to_owned()),
        _ => None,
    });
    gaps.collect()
}

/// One turn; a log or a store that is away for a moment is asked again.
fn one_turn(evaluator: &mut Evaluator) {
    match evaluator.step(TURN) {
        Ok(_)
        | Err(
            EvaluateError::Log(LogError::Unavailable { .. }) | EvaluateError::Store(StoreError::Unavailable { .. }),
        ) => {}
        Err(why) => panic!("{why}"),
    }
}

/// A topic, a store and the evaluators over them, turned in one thread.
struct Story {
    brokers: String,
    topic: String,
    store: Arc<dyn Store>,
    sink: Arc<dyn Sink>,
    setup: Arc<Setup>,
    protocol: GroupProtocol,
    steps: usize,
}

impl Story {
    fn new(rules: Vec<Arc<Rule>>, protocol: GroupProtocol) -> Self {
        Self::at(Kafka::shared().brokers(), &unique_topic(), rules, protocol, Arc::new(MemoryStore::default()))
    }

    fn at(brokers: &str, topic: &str, rules: Vec<Arc<Rule>>, protocol: GroupProtocol, store: Arc<dyn Store>) -> Self {
        let log = KafkaLog::new(Config::new(brokers)).unwrap();
        log.ensure_topic(topic, PARTITIONS, None).unwrap();
        let setup = setup(rules, topic, PARTITIONS);
        let sink = Arc::new(log.sink(topic).unwrap());
        let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
        Self { brokers, topic, store, sink, setup: Arc::new(setup), protocol, steps: 0 }
    }

    /// An evaluator that shares the topic, or one that takes every partition without asking anybody.
    fn evaluator(&self, owner: &str, shares: bool) -> Evaluator {
        let mut config = Config::new(&self.brokers);
        config.group = format!("{}-group", self.topic);
        config.join = shares.then_some(Join { instance: None, protocol: self.protocol, session: Some(4_000) });
        let log = KafkaLog::new(config).unwrap();
        let sides = Sides {
            source: Box::new(log.source(&self.topic).unwrap()),
            pulses: Some(Arc::clone(&self.sink)),
            dead: None,
            store: Arc::clone(&self.store),
            clock: Arc::new(SystemClock),
        };
        let limits = Limits { record_bytes: 1 << 20, shapes: 1_000 };
        Evaluator::start(sides, owner, Arc::clone(&self.setup), limits).unwrap()
    }

    /// Turns the evaluators until `done`.
    fn turn(&self, what: &str, evaluators: &mut [&mut Evaluator], mut done: impl FnMut(&[&mut Evaluator]) -> bool) {
        let began = Instant::now();
        let (_never, pause) = channel::<()>();
        while !done(evaluators) {
            assert!(began.elapsed() < DEADLINE, "did not happen in time: {what}; {:?}", self.signals());
            evaluators.iter_mut().for_each(|evaluator| one_turn(evaluator));
            if evaluators.is_empty() {
                let _ = pause.recv_timeout(TURN);
            }
        }
    }

    fn own(&self, evaluators: &mut [&mut Evaluator], n: usize) {
        self.turn("partitions are owned", evaluators, |all| all.iter().all(|one| one.lanes().owned().count() == n));
    }

    /// Every host's load changes sides, and the store gets to know of each.
    fn step(&mut self, evaluators: &mut [&mut Evaluator]) {
        let value = if self.steps.is_multiple_of(2) { 95 } else { 5 };
        self.steps += 1;
        let ts = SystemClock.wall();
        let record = |host: usize| {
            let text = format!("{{\"v\":1,\"ts\":{ts},\"host\":\"h-{host}\",\"points\":[[\"load\",{value}]]}}");
            NewRecord { partition: None, key: format!("h-{host}").into_bytes(), value: text.into_bytes() }
        };
        append(&*self.sink, (0..HOSTS).map(record).collect());
        let expected = self.steps;
        let all_told = |signals: &BTreeMap<String, Vec<State>>| {
            signals.len() == HOSTS && signals.values().all(|of| of.len() >= expected)
        };
        self.turn("each host's signal is durable", evaluators, |_| all_told(&self.signals()));
    }

    /// What was told of each host, after a look at every partition's numbering.
    fn signals(&self) -> BTreeMap<String, Vec<State>> {
        let mut told: BTreeMap<String, Vec<State>> = BTreeMap::new();
        for partition in 0..PARTITIONS {
            let found = self.store.signals(&self.topic, partition, 0, 10_000).unwrap();
            for (n, (seq, signal)) in found.into_iter().enumerate() {
                assert_eq!(usize::try_from(seq).unwrap(), n + 1, "no gap in the numbers of a partition");
                told.entry(signal.labels.get("host").unwrap().to_owned()).or_default().push(signal.to);
            }
        }
        told
    }

    /// Every host fired and was well again in turn, once each.
    fn assert_exact(&self) {
        let expected: Vec<State> =
            (0..self.steps).map(|step| if step.is_multiple_of(2) { State::Firing } else { State::Resolved }).collect();
        for (host, told) in self.signals() {
            assert_eq!(told, expected, "{host}");
        }
    }

    fn lag_said(&self) -> Vec<(State, String)> {
        let inputs = self.store.inputs(&[], 1_000).unwrap().into_iter();
        let said = inputs.filter_map(|taken| match taken.input {
            Input::Own(signal) if &*signal.rule == "pipeline-lag" => {
                Some((signal.to, signal.labels.get("rules").unwrap().to_owned()))
            }
            _ => None,
        });
        said.collect()
    }
}

fn hand_overs_lose_no_signal_and_double_none(protocol: GroupProtocol) {
    let mut story = Story::new(vec![rule("high", "host", 90.0)], protocol);
    let mut first = story.evaluator("first", true);
    story.own(&mut [&mut first], 4);
    story.step(&mut [&mut first]);
    let mut second = story.evaluator("second", true);
    // While the second joins, and after it has.
    story.step(&mut [&mut first, &mut second]);
    story.own(&mut [&mut first, &mut second], 2);
    story.step(&mut [&mut first, &mut second]);
    // The first goes as one that is killed does: without a last flush.
    drop(first);
    story.step(&mut [&mut second]);
    story.own(&mut [&mut second], 4);
    story.step(&mut [&mut second]);
    story.assert_exact();
    assert_eq!(second.tally().fenced, 0, "an orderly hand-over fences nobody");
}

#[test]
fn by_the_brokers_protocol_hand_overs_lose_no_signal_and_double_none() {
    hand_overs_lose_no_signal_and_double_none(GroupProtocol::Consumer);
}

#[test]
fn by_cooperative_sticky_hand_overs_lose_no_signal_and_double_none() {
    hand_overs_lose_no_signal_and_double_none(GroupProtocol::Classic);
}

#[test]
fn a_fenced_owner_that_is_still_assigned_takes_its_partitions_again() {
    let mut story = Story::new(vec![rule("high", "host", 90.0)], GroupProtocol::Auto);
    let mut owner = story.evaluator("owner", true);
    story.own(&mut [&mut owner], 4);
    story.step(&mut [&mut owner]);
    // Somebody who asks no group takes every epoch, and goes again.
    let mut intruder = story.evaluator("intruder", false);
    story.own(&mut [&mut intruder], 4);
    drop(intruder);
    story.step(&mut [&mut owner]);
    story.step(&mut [&mut owner]);
    assert!(owner.tally().fenced >= 1, "it was fenced");
    story.assert_exact();
}

#[test]
fn wide_rules_are_held_while_partitions_are_elsewhere_and_one_incident_names_them() {
    let mut story =
        Story::new(vec![rule("high", "host", 90.0), rule("wide-high", "service", 90.0)], GroupProtocol::Auto);
    let told = |story: &Story| story.store.signals(&story.topic, WIDE, 0, 100).unwrap();
    // What it says of the rule's state; that it does not know stands beside it.
    let wide = |story: &Story| -> Vec<_> { told(story).into_iter().filter(|(_, it)| it.from != it.to).collect() };
    let mut first = story.evaluator("first", true);
    story.own(&mut [&mut first], 4);
    story.step(&mut [&mut first]);
    story.turn("the wide rule fired", &mut [&mut first], |_| wide(&story).len() == 1);
    assert!(story.lag_said().is_empty());
    let mut second = story.evaluator("second", true);
    story.own(&mut [&mut first, &mut second], 2);
    story.step(&mut [&mut first, &mut second]);
    assert_eq!(wide(&story).len(), 1, "nobody saw all partitions");
    assert_eq!(told(&story).last().unwrap().1.unknown, Some(Cause::PipelineLag), "a firing one says that it is held");
    let held = (State::Firing, "wide-high".to_owned());
    assert!(
        !story.lag_said().is_empty() && story.lag_said().iter().all(|said| *said == held),
        "{:?}",
        story.lag_said()
    );
    drop(second);
    story.own(&mut [&mut first], 4);
    story.turn("the wide rule is well again", &mut [&mut first], |_| wide(&story).len() == 2);
    assert_eq!(wide(&story)[1].1.to, State::Resolved);
    assert_eq!(story.lag_said().last().unwrap().0, State::Resolved);
    story.assert_exact();
}

#[test]
fn retention_faster_than_a_stopped_evaluator_is_a_counted_gap_an_incident_and_warming() {
    let mut story = Story::new(vec![rule("high", "host", 90.0)], GroupProtocol::Auto);
    let mut owner = story.evaluator("owner", false);
    story.own(&mut [&mut owner], 4);
    story.step(&mut [&mut owner]);
    owner.finish().unwrap();
    let durable: Vec<i64> = (0..PARTITIONS).map(|partition| owner.durable_offset(partition).unwrap()).collect();
    drop(owner);
    let log = KafkaLog::new(Config::new(Kafka::shared().brokers())).unwrap();
    let record = |partition: i32| NewRecord { partition: Some(partition), key: b"h".to_vec(), value: b"{}".to_vec() };
    append(&*story.sink, (0..20).map(|n| record(n % PARTITIONS)).collect());
    let mut source = log.source(&story.topic).unwrap();
    let mut gone = 0;
    for (partition, durable) in (0..).zip(&durable) {
        let low = bongsu::log::Source::bounds(&mut source, partition).unwrap().high - 1;
        log.delete_records(&story.topic, partition, low).unwrap();
        gone += low.abs_diff(*durable);
    }
    let mut back = story.evaluator("back", false);
    story.own(&mut [&mut back], 4);
    assert_eq!(back.tally().gone, gone, "every record that nobody read is counted");
    assert_eq!(gaps(&*story.store), ["0", "1", "2", "3"], "an incident for each partition");
    story.turn("windows are warming", &mut [&mut back], |all| {
        let of = |partition| all[0].lanes().partition(partition).is_some_and(|it| !it.warming().is_empty());
        (0..PARTITIONS).all(of)
    });
}

#[test]
fn retention_faster_than_a_standing_reader_begins_its_partition_anew_and_warming() {
    let side = Embedded::new(2);
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let sides = Sides {
        source: side.source(),
        pulses: Some(side.sink()),
        dead: None,
        store: Arc::clone(&store),
        clock: Arc::new(SystemClock),
    };
    let setup = Arc::new(setup(vec![rule("high", "host", 90.0)], "metrics", 2));
    let limits = Limits { record_bytes: 1 << 20, shapes: 1_000 };
    let mut evaluator = Evaluator::start(sides, "stands", setup, limits).unwrap();
    let is_warming = |evaluator: &Evaluator, partition: i32| {
        evaluator.lanes().partition(partition).is_some_and(|partition| !partition.warming().is_empty())
    };
    eventually("both partitions tick", || {
        evaluator.step(TURN).unwrap();
        (0..2).all(|p| evaluator.durable_offset(p).is_some_and(|offset| offset > 0)).then_some(())
    });
    assert!(!is_warming(&evaluator, 0), "a log that lost nothing warms nothing");
    side.lose_oldest();
    eventually("the gap is counted, and its windows are warming", || {
        evaluator.step(TURN).unwrap();
        (evaluator.tally().gone > 0 && is_warming(&evaluator, 0)).then_some(())
    });
    assert_eq!(gaps(&*store), ["0"], "one incident, for the partition that lost something");
    assert!(!is_warming(&evaluator, 1));
}

// --- a process that stands still

/// An evaluator in a process of its own, over a store that both can open; killed when dropped.
struct Apart(Child);

impl Apart {
    fn start(story: &Story, url: &str) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "kafka_hand_over::evaluator_apart", "--nocapture"])
            .env("EVALUATOR", format!("{} {} {url}", story.brokers, story.topic))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Stops it where it holds no lock of the store: SQLite's would stand still with it.
    fn freeze(&self, store: &dyn Store) {
        eventually("it stands still between two flushes", || {
            self.signal("-STOP");
            let free = store.own("nothing", 0, "probe").is_ok();
            if !free {
                self.signal("-CONT");
            }
            free.then_some(())
        });
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.signal("-KILL");
        self.0.wait().unwrap();
    }
}

/// Not a test: evaluates until its standard input ends.
#[test]
#[ignore = "the child of the test below"]
fn evaluator_apart() {
    let Ok(plan) = std::env::var("EVALUATOR") else { return };
    let [brokers, topic, url] = plan.split(' ').collect::<Vec<_>>()[..] else { panic!("{plan}") };
    let store = Arc::new(bongsu::store::open(url).unwrap());
    let story = Story::at(brokers, topic, vec![rule("high", "host", 90.0)], GroupProtocol::Auto, store);
    let mut evaluator = story.evaluator("apart", true);
    std::thread::spawn(|| {
        drop(std::io::Read::read(&mut std::io::stdin(), &mut [0]));
        std::process::exit(0);
    });
    loop {
        one_turn(&mut evaluator);
    }
}

#[test]
fn an_owner_that_stood_still_past_its_session_writes_nothing_of_what_others_have_taken() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("shared.db").display());
    let store = Arc::new(bongsu::store::open(&url).unwrap());
    let topic = unique_topic();
    let brokers = Kafka::shared().brokers();
    let mut story = Story::at(brokers, &topic, vec![rule("high", "host", 90.0)], GroupProtocol::Auto, store);
    let apart = Apart::start(&story, &url);
    story.turn("it has begun with every partition", &mut [], |_| {
        let begun = story.store.partitions().unwrap();
        begun.iter().filter(|(of, partition, _)| *of == story.topic && *partition >= 0).count() == 4
    });
    story.step(&mut []);
    apart.freeze(&*story.store);
    let mut heir = story.evaluator("heir", true);
    // These records are read by the heir, and again by the other when it wakes up with what it had.
    story.step(&mut [&mut heir]);
    story.step(&mut [&mut heir]);
    story.own(&mut [&mut heir], 4);
    apart.signal("-CONT");
    story.own(&mut [&mut heir], 2);
    story.step(&mut [&mut heir]);
    story.step(&mut [&mut heir]);
    story.assert_exact();
}
