//! A reload against a restart, over a log in memory.

use std::sync::Arc;
use std::time::Duration;

use super::{Evaluator, Sides};
use crate::evaluate::{Limits, Setup, SkewPolicy, Warm};
use crate::log::{NewRecord, Sink as _};
use crate::model::{
    Comparison, Domain, ExprGroup, Fold, Function, Inventory, Join, Level, Mode, NoData, Progress, Recover, Rule,
    RuleSet, Severity, State, Then, Threshold, WIDE, Watch,
};
use crate::pipeline::sim::MemoryLog;
use crate::pipeline::stages::{At, Lanes};
use crate::store::{MemoryStore, Store};
use crate::time::{Clock, DAY, MINUTE, ManualClock, Ms, SECOND};

const BEGIN: Ms = 1_767_571_200_000;

fn setup(rules: &[(&str, Ms)]) -> Arc<Setup> {
    let rule = |(id, over): &(&str, Ms)| {
        Arc::new(Rule {
            id: Arc::from(*id),
            title: "시험".to_owned(),
            domain: Domain::Infra,
            interval: SECOND,
            watch: Watch::Metric { name: "m".to_owned(), matchers: Vec::new() },
            by: Some(vec!["host".to_owned()]),
            function: Function::Max,
            over: *over,
            step: None,
            across: None,
            when: Comparison::Above,
            levels: vec![Level { severity: Severity::S2, threshold: Threshold::One(90.0), hold: 30 * SECOND }],
            recover: Recover::default(),
            min_samples: 1,
            no_data: NoData { after: 20 * MINUTE, then: Then::Hold },
            forget: DAY,
            chain: None,
            overrides: Vec::new(),
            also: Vec::new(),
            join: Join::All,
            mode: Mode::Live,
            beside: None,
            expected: false,
            bonds: Default::default(),
        })
    };
    Arc::new(Setup {
        rules: Arc::new(RuleSet {
            hash: format!("{rules:?}"),
            rules: rules.iter().map(rule).collect(),
            groups: Vec::new(),
        }),
        inventory: Arc::new(Inventory::default()),
        topic: "t".to_owned(),
        partitions: 1,
        limits: Limits { series: 100, series_per_rule: 100, window_memory: 1 << 20 },
        skew: SkewPolicy::Shift,
        builtins: false,
        source_silent: None,
    })
}

struct World {
    log: MemoryLog,
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
}

impl World {
    fn evaluator(&self, setup: Arc<Setup>) -> Evaluator {
        let sides = Sides {
            source: Box::new(self.log.source()),
            pulses: None,
            dead: None,
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        };
        let limits = crate::decode::Limits { record_bytes: 1 << 20, shapes: 100 };
        Evaluator::start(sides, "t", setup, limits).unwrap()
    }

    /// A sample every 10 s for `minutes`, worked on.
    fn pass(&self, evaluator: &mut Evaluator, minutes: i64, value: u32) {
        for _ in 0..minutes * 6 {
            self.clock.advance(10 * SECOND);
            self.log.set_now(self.clock.wall());
            let ts = self.clock.wall();
            let text = format!("{{\"v\":1,\"ts\":{ts},\"host\":\"h\",\"points\":[[\"m\",{value}]]}}");
            self.log.append(vec![NewRecord { partition: Some(0), key: b"h".to_vec(), value: text.into_bytes() }]);
            self.turn(evaluator);
        }
    }

    fn turn(&self, evaluator: &mut Evaluator) {
        while evaluator.step(Duration::ZERO).unwrap().heard {}
        evaluator.finish().unwrap();
    }

    fn fired(&self) -> Vec<(String, Ms)> {
        let all = self.store.signals("t", 0, 0, 100).unwrap();
        let fired = all.into_iter().filter(|(_, signal)| signal.to == State::Firing);
        fired.map(|(_, signal)| (signal.rule.to_string(), signal.at)).collect()
    }
}

/// A high value, then ten minutes of good ones; then other rules, by reload or by restart.
fn run(rules: &[(&str, Ms)], restart: bool) -> Vec<(String, Ms)> {
    let clock = Arc::new(ManualClock::at(BEGIN));
    let world = World { log: MemoryLog::new("t", 1, BEGIN), store: Arc::new(MemoryStore::default()), clock };
    let mut evaluator = world.evaluator(setup(&[("short", MINUTE)]));
    world.turn(&mut evaluator);
    world.pass(&mut evaluator, 1, 99);
    world.pass(&mut evaluator, 10, 1);
    if restart {
        evaluator = world.evaluator(setup(rules));
    } else {
        evaluator.reload(setup(rules)).unwrap();
    }
    world.turn(&mut evaluator);
    world.pass(&mut evaluator, 2, 1);
    world.fired()
}

#[test]
fn a_rule_that_looks_further_back_after_a_reload_sees_what_a_restart_would() {
    for rules in [&[("short", 20 * MINUTE)][..], &[("short", MINUTE), ("long", 20 * MINUTE)]] {
        let want = run(rules, true);
        assert_eq!(want.len(), 2, "the high value is ten minutes old: {want:?}");
        assert_eq!(run(rules, false), want);
    }
}

#[test]
fn while_the_past_is_read_again_it_says_how_far_it_is_and_how_long_the_rest_takes() {
    let clock = Arc::new(ManualClock::at(BEGIN));
    let world = World { log: MemoryLog::new("t", 1, BEGIN), store: Arc::new(MemoryStore::default()), clock };
    let mut evaluator = world.evaluator(setup(&[("short", MINUTE)]));
    world.turn(&mut evaluator);
    world.pass(&mut evaluator, 10, 1);
    assert_eq!(evaluator.restoring(), []);
    let mut again = world.evaluator(setup(&[("long", 7 * DAY)]));
    again.step(Duration::ZERO).unwrap();
    let told = |evaluator: &Evaluator| evaluator.restoring().first().map(|it| (it.partition, it.done, it.of, it.left));
    while told(&again).is_none_or(|(_, done, ..)| done == 0) {
        assert!(told(&again).is_none_or(|told| told == (0, 0, 60, None)), "{:?}", told(&again));
        world.clock.advance(4 * SECOND);
        again.step(Duration::ZERO).unwrap();
    }
    let (_, done, of, left) = told(&again).unwrap();
    // 16 records in the 4 s since it was sought, so 11 s for 44.
    assert_eq!((done, of, left), (16, 60, Some(11 * SECOND)));
    world.turn(&mut again);
    assert_eq!(again.restoring(), []);
}

#[test]
fn other_numbers_alone_read_nothing_again() {
    let clock = Arc::new(ManualClock::at(BEGIN));
    let world = World { log: MemoryLog::new("t", 1, BEGIN), store: Arc::new(MemoryStore::default()), clock };
    let mut evaluator = world.evaluator(setup(&[("short", 2 * MINUTE)]));
    world.turn(&mut evaluator);
    world.pass(&mut evaluator, 1, 1);
    evaluator.reload(setup(&[("short", MINUTE)])).unwrap();
    world.pass(&mut evaluator, 1, 1);
    assert_eq!(evaluator.tally().muted, 0);
}

/// The same, and a rule over all hosts that fires by their greatest value of 20 s at once.
fn with_a_wide_rule(plain: &Arc<Setup>) -> Arc<Setup> {
    let mut wide = (*plain.rules.rules[0]).clone();
    (wide.id, wide.across, wide.by, wide.over) = ("peak".into(), Some(Fold::Max), Some(Vec::new()), 20 * SECOND);
    wide.levels.iter_mut().for_each(|level| level.hold = 0);
    let rules = plain.rules.rules.iter().cloned().chain([Arc::new(wide)]).collect();
    let rules = RuleSet { hash: "wide".to_owned(), rules, groups: Vec::new() };
    Arc::new(Setup { rules: Arc::new(rules), ..(**plain).clone() })
}

/// A rule over several hosts that comes by reload, or while nobody ran, says nothing of a peak that was over before it.
#[test]
fn the_first_wide_rule_begins_when_it_is_written() {
    let plain = setup(&[("short", MINUTE)]);
    let with = with_a_wide_rule(&plain);
    for restart in [false, true] {
        let clock = Arc::new(ManualClock::at(BEGIN));
        let world = World { log: MemoryLog::new("t", 1, BEGIN), store: Arc::new(MemoryStore::default()), clock };
        let mut evaluator = world.evaluator(Arc::clone(&plain));
        world.turn(&mut evaluator);
        world.pass(&mut evaluator, 1, 1);
        world.pass(&mut evaluator, 1, 99);
        world.pass(&mut evaluator, 1, 1);
        if restart {
            evaluator = world.evaluator(Arc::clone(&with));
        } else {
            evaluator.reload(Arc::clone(&with)).unwrap();
        }
        world.turn(&mut evaluator);
        world.pass(&mut evaluator, 1, 1);
        assert_eq!(world.store.signals("t", WIDE, 0, 100).unwrap(), [], "restart: {restart}");
        world.pass(&mut evaluator, 1, 99);
        let told = world.store.signals("t", WIDE, 0, 100).unwrap();
        assert!(told.iter().any(|(_, signal)| signal.to == State::Firing), "restart: {restart}: {told:?}");
    }
}

/// What a partition that was ahead had said when the last rule over several hosts went is nothing to one that comes later.
#[test]
fn a_wide_rule_that_comes_back_judges_nothing_of_the_time_before() {
    let plain = Arc::new(Setup { partitions: 2, ..(*setup(&[("short", MINUTE)])).clone() });
    let with = with_a_wide_rule(&plain);
    let mut lanes = Lanes::new(Arc::clone(&with), crate::decode::Limits::default(), None, Vec::new());
    (0..2).for_each(|partition| lanes.start(partition, Some(&Progress::default()), Vec::new(), Warm::default()));
    let mut told = Vec::new();
    let mut send = |lanes: &mut Lanes, (partition, offset): (i32, i64), after: Ms, value: f64| {
        let text =
            format!("{{\"v\":1,\"ts\":{},\"host\":\"h{partition}\",\"points\":[[\"m\",{value}]]}}", BEGIN + after);
        lanes.feed(At { partition, offset, append: BEGIN + after }, b"h", text.as_bytes(), &mut |fed| {
            let wide = fed.effects.signals.iter().filter(|_| fed.partition == WIDE);
            told.extend(wide.map(|signal| (signal.to, signal.at - BEGIN)));
        });
    };
    send(&mut lanes, (1, 0), 0, 1.0);
    send(&mut lanes, (0, 0), 0, 99.0);
    send(&mut lanes, (0, 1), 1_500, 1.0);
    lanes.reload(&plain, &mut |_| {});
    for (n, after) in [(2, 60), (3, 120)] {
        send(&mut lanes, (0, n), after * SECOND, 1.0);
        send(&mut lanes, (1, n), after * SECOND, 1.0);
    }
    lanes.reload(&with, &mut |_| {});
    send(&mut lanes, (0, 4), 130 * SECOND, 1.0);
    send(&mut lanes, (1, 4), 130 * SECOND, 99.0);
    send(&mut lanes, (0, 5), 132 * SECOND, 1.0);
    send(&mut lanes, (1, 5), 132 * SECOND, 99.0);
    assert_eq!(told, [(State::Firing, 130 * SECOND)]);
}

/// Wide rules that are held take nothing in: whoever takes them reads the log again.
#[test]
fn while_wide_rules_are_held_nothing_piles_up() {
    let plain = setup(&[("cpu", MINUTE)]);
    let mut rule = (*plain.rules.rules[0]).clone();
    (rule.watch, rule.when) = (Watch::Expr { text: "m > 90".to_owned() }, Comparison::Present);
    let groups = ExprGroup::alone(&rule).map(Arc::new).into_iter().collect();
    let rules = RuleSet { hash: "x".to_owned(), rules: vec![Arc::new(rule)], groups };
    let of = Setup { rules: Arc::new(rules), partitions: 2, ..(*plain).clone() };
    let limits = crate::decode::Limits::default();
    let size = |hold: bool, records: i64| {
        let mut lanes = Lanes::new(Arc::new(of.clone()), limits, None, Vec::new());
        if hold {
            lanes.hold_wide(&mut |_| {});
        }
        lanes.start(0, Some(&Progress::default()), Vec::new(), Warm::default());
        for n in 0..records {
            let at = BEGIN + n * SECOND;
            let text = format!("{{\"v\":1,\"ts\":{at},\"host\":\"h\",\"points\":[[\"m\",1]]}}");
            lanes.feed(At { partition: 0, offset: n, append: at }, b"h", text.as_bytes(), &mut |_| {});
        }
        format!("{:?}", lanes.wide()).len()
    };
    assert_eq!(size(true, 10), size(true, 1_000));
    assert!(size(false, 10) < size(false, 1_000), "what waits for the other partition shows");
}
