//! One tick that changes more rows than a flush holds: cut, and nothing lost or repeated whichever cut a crash follows.
//!
//! Two lives over the same log, one that never dies and one that dies after every flush, must leave the same store.

use std::sync::Arc;
use std::time::Duration;

use bongsu::decode::Limits;
use bongsu::evaluate::{self, Setup, SkewPolicy};
use bongsu::log::{NewRecord, Sink};
use bongsu::model::{
    Comparison, Domain, Function, Inventory, Join, Level, Mode, NoData, Owned, PULSE_KEY, Progress, Recover, Rule,
    RuleSet, Severity, Signal, State, Then, Threshold, WIDE, Watch,
};
use bongsu::pipeline::evaluator::{Evaluator, Sides};
use bongsu::pipeline::flush::FLUSH_ROWS_MAX;
use bongsu::pipeline::sim::MemoryLog;
use bongsu::store::{MemoryStore, Store};
use bongsu::time::{Clock, ManualClock, SECOND};

const TOPIC: &str = "telemetry";
const BEGINNING: i64 = 1_767_571_200_000;
const HOSTS: usize = 200;
/// Two rules look at each series: 20,000 rows change in the tick of the storm.
const SERIES_PER_HOST: usize = 50;
/// What one record raises before its tick.
const BURST: usize = 12_000;
const TURNS: usize = 100_000;

fn rule(id: &str, metric: &str, by: &[&str], function: Function, hold: i64, then: Then) -> Arc<Rule> {
    Arc::new(Rule {
        id: Arc::from(id),
        title: "한꺼번에 바뀌는 규칙".to_owned(),
        domain: Domain::Infra,
        interval: SECOND,
        watch: Watch::Metric { name: metric.to_owned(), matchers: Vec::new() },
        by: Some(by.iter().map(|label| (*label).to_owned()).collect()),
        function,
        over: 60 * SECOND,
        step: None,
        across: None,
        when: Comparison::Above,
        levels: vec![Level { severity: Severity::S1, threshold: Threshold::One(90.0), hold }],
        recover: Recover::default(),
        min_samples: 1,
        no_data: NoData { after: 300 * SECOND, then },
        forget: 86_400 * SECOND,
        chain: None,
        overrides: Vec::new(),
        also: Vec::new(),
        join: Join::All,
        mode: Mode::Live,
        beside: None,
        expected: false,
        bonds: Default::default(),
    })
}

fn setup(partitions: i32) -> Arc<Setup> {
    let rules = vec![
        rule("cut-burst", "cut.burst", &["host", "n"], Function::Max, 0, Then::Hold),
        rule("cut-hold", "cut.hold", &["host", "n"], Function::Last, 600 * SECOND, Then::Hold),
        rule("cut-last", "cut.value", &["host", "n"], Function::Last, 0, Then::Raise(Severity::S3)),
        rule("cut-wide", "cut.value", &["n"], Function::Last, 0, Then::Hold),
    ];
    Arc::new(Setup {
        rules: Arc::new(RuleSet { hash: "cuts".to_owned(), rules, groups: Vec::new() }),
        inventory: Arc::new(Inventory::default()),
        topic: TOPIC.to_owned(),
        partitions,
        limits: evaluate::Limits { series: 1_000_000, series_per_rule: 200_000, window_memory: 1 << 30 },
        skew: SkewPolicy::Shift,
        builtins: true,
        source_silent: Some(Severity::S2),
    })
}

/// One life of an evaluator, or many one after the other, over one store and one log.
struct Life {
    clock: Arc<ManualClock>,
    log: MemoryLog,
    store: Arc<dyn Store>,
    partitions: i32,
    dies: bool,
    evaluator: Option<Evaluator>,
    deaths: usize,
    /// Flushes that ended in the middle of a tick.
    cuts: usize,
    /// The most rows and signals in one flush.
    largest: u64,
}

impl Life {
    fn new(store: Arc<dyn Store>, partitions: i32, dies: bool) -> Self {
        let log = MemoryLog::new(TOPIC, partitions, BEGINNING);
        let clock = Arc::new(ManualClock::at(BEGINNING));
        let (evaluator, deaths, cuts, largest) = (None, 0, 0, 0);
        Self { clock, log, store, partitions, dies, evaluator, deaths, cuts, largest }
    }

    fn born(&self) -> Evaluator {
        let sides = Sides {
            source: Box::new(self.log.source()),
            // The test writes time itself: both lives must read the same log.
            pulses: None,
            dead: None,
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        };
        let limits = Limits { record_bytes: 1 << 20, shapes: 1_000_000 };
        Evaluator::start(sides, "cuts", setup(self.partitions), limits).unwrap()
    }

    /// Works until all is quiet; a mortal one dies after every flush.
    fn work(&mut self) {
        for _ in 0..TURNS {
            let mut evaluator = self.evaluator.take().unwrap_or_else(|| self.born());
            let before = evaluator.tally().clone();
            let turn = evaluator.step(Duration::ZERO).unwrap();
            if turn.flushed {
                let tally = evaluator.tally();
                self.largest = self.largest.max(tally.rows - before.rows).max(tally.signals - before.signals);
                let cut = |partition| self.store.progress(TOPIC, partition).unwrap().unwrap().1.cursor.is_some();
                self.cuts += usize::from((WIDE..self.partitions).any(cut));
            }
            if turn.flushed && self.dies {
                self.deaths += 1;
                continue;
            }
            // A newborn hears nothing until it has found out where to read on.
            let read: Vec<_> = evaluator.places().map(|(_, next, high)| next >= high).collect();
            let all_read = read.len() == usize::try_from(self.partitions).unwrap() && read.iter().all(|read| *read);
            self.evaluator = Some(evaluator);
            if all_read && !turn.heard && !turn.flushed {
                return;
            }
        }
        panic!("it is never quiet");
    }

    fn append(&self, partition: Option<i32>, key: &[u8], value: String) {
        let record = NewRecord { partition, key: key.to_vec(), value: value.into_bytes() };
        self.log.append(vec![record]).pop().unwrap().unwrap();
    }

    /// Some numbers of one host.
    fn send(&self, host: &str, metric: &str, ns: std::ops::Range<usize>, value: f64) {
        let points: Vec<String> = ns.map(|n| format!("[\"{metric}\",{value},{{\"n\":\"{n}\"}}]")).collect();
        let (ts, points) = (self.clock.wall(), points.join(","));
        let text = format!("{{\"v\":1,\"ts\":{ts},\"sent\":{ts},\"host\":\"{host}\",\"points\":[{points}]}}");
        self.append(None, host.as_bytes(), text);
    }

    /// All hosts from `first` on send `value` for each of their series.
    fn send_all(&self, first: usize, value: f64) {
        for host in first..HOSTS {
            let from = host * SERIES_PER_HOST;
            for metric in ["cut.value", "cut.hold"] {
                self.send(&format!("h-{host}"), metric, from..from + SERIES_PER_HOST, value);
            }
        }
    }

    fn pass(&mut self, seconds: i64) {
        self.clock.advance(seconds * SECOND);
        self.log.set_now(self.clock.wall());
    }

    /// Lets seconds pass one by one, each with a pulse.
    fn tick(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.pass(1);
            for partition in 0..self.partitions {
                self.append(Some(partition), PULSE_KEY, String::new());
            }
            self.work();
        }
    }

    fn signals(&self, partition: i32) -> Vec<(i64, Signal)> {
        self.store.signals(TOPIC, partition, 0, 1_000_000).unwrap()
    }

    /// What is durable in the end: signals, rows and progress of each partition.
    fn left(&mut self) -> Vec<(Vec<(i64, Signal)>, Owned)> {
        self.evaluator.take().unwrap_or_else(|| self.born()).finish().unwrap();
        let owned = |partition| Owned { epoch: 0, ..self.store.own(TOPIC, partition, "look").unwrap() };
        (WIDE..self.partitions).map(|partition| (self.signals(partition), owned(partition))).collect()
    }

    fn fired(&self, rule: &str) -> usize {
        let all = (WIDE..self.partitions).flat_map(|partition| self.signals(partition));
        all.filter(|(_, signal)| &*signal.rule == rule && signal.to == State::Firing && signal.unknown.is_none())
            .count()
    }
}

/// Everything that can change many rows at once, one after the other.
fn live(life: &mut Life) {
    life.work();
    life.tick(1);
    // One tick: 10,000 fire and 10,000 are pending, and 10,000 of the wide rule fire.
    life.send_all(0, 99.0);
    life.tick(3);
    let series = HOSTS * SERIES_PER_HOST;
    assert_eq!((life.fired("cut-last"), life.fired("cut-wide")), (series, series));
    // One record, before its tick.
    life.send("b-0", "cut.burst", 0..BURST, 99.0);
    life.work();
    assert_eq!(life.fired("cut-burst"), BURST);
    life.tick(2);
    // Half an hour in one record: one host speaks of something else, everybody falls silent at some tick in between.
    life.pass(1_800);
    life.send("h-0", "cut.other", 0..1, 1.0);
    life.work();
    life.tick(2);
    // All come back, and are good.
    life.send_all(0, 10.0);
    life.tick(2);
}

fn check(store: impl Fn() -> Arc<dyn Store>, partitions: i32) {
    let mut immortal = Life::new(store(), partitions, false);
    live(&mut immortal);
    let mut mortal = Life::new(store(), partitions, true);
    live(&mut mortal);
    for life in [&immortal, &mortal] {
        // Wide ticks of which a restart finds several undone while its partitions are past them are one step.
        let whole = life.dies && partitions > 1;
        assert!(whole || life.largest <= FLUSH_ROWS_MAX as u64, "{} rows in one flush", life.largest);
        assert!(life.cuts >= 8, "only {} flushes ended inside a tick", life.cuts);
    }
    assert!(mortal.deaths >= 15, "it died only {} times", mortal.deaths);
    for (partition, (lived, died)) in (WIDE..).zip(immortal.left().into_iter().zip(mortal.left())) {
        for (n, (lived, died)) in lived.0.iter().zip(&died.0).enumerate() {
            assert_eq!((lived, died.0), (died, i64::try_from(n).unwrap() + 1), "partition {partition}");
        }
        assert_eq!(lived.0.len(), died.0.len(), "partition {partition}");
        for (lived, died) in lived.1.rows.iter().zip(&died.1.rows) {
            assert_eq!(lived, died, "partition {partition}");
        }
        assert_eq!(lived.1.rows.len(), died.1.rows.len(), "partition {partition}");
        let place = |mut progress: Progress| {
            if partition == WIDE {
                // The last tick at which somebody was visited: whoever comes back visits all once more.
                (progress.offset, progress.clock) = (0, 0);
            }
            progress
        };
        let (lived, died) = (lived.1.progress.map(place), died.1.progress.map(place));
        assert_eq!(lived, died, "partition {partition}");
    }
}

#[test]
fn a_crash_after_any_cut_of_a_tick_changes_nothing() {
    check(|| Arc::new(MemoryStore::default()), 1);
}

#[test]
fn a_crash_after_any_cut_changes_nothing_where_partitions_share_a_flush() {
    check(|| Arc::new(MemoryStore::default()), 3);
}

#[test]
fn a_crash_after_any_cut_of_a_tick_changes_nothing_over_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let n = std::cell::Cell::new(0);
    let store = || {
        n.set(n.get() + 1);
        let path = dir.path().join(format!("cuts-{}.db", n.get()));
        Arc::new(bongsu::store::open(&format!("sqlite:{}", path.display())).unwrap()) as Arc<dyn Store>
    };
    check(store, 1);
}

#[test]
fn signals_that_are_acted_on_are_in_the_first_flush_of_a_tick() {
    let mut life = Life::new(Arc::new(MemoryStore::default()), 1, true);
    life.work();
    life.send_all(0, 10.0);
    life.tick(3);
    // Many become pending in the tick in which a few fire.
    let few = 3;
    for host in 0..HOSTS {
        let from = host * SERIES_PER_HOST;
        life.send(&format!("h-{host}"), "cut.hold", from..from + SERIES_PER_HOST, 99.0);
        if host < few {
            life.send(&format!("h-{host}"), "cut.value", from..from + SERIES_PER_HOST, 99.0);
        }
    }
    let died = life.deaths;
    life.tick(1);
    assert!(life.deaths > died, "it flushed at once, and the rest waits a second");
    assert_eq!(life.fired("cut-last"), few * SERIES_PER_HOST);
    let cursor = life.store.progress(TOPIC, 0).unwrap().unwrap().1.cursor.unwrap();
    assert_eq!(cursor.tick, life.clock.wall() - SECOND);
}
