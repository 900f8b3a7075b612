//! Worlds that look for trouble: several series to an identity, random rules, clocks that break, sources that fall
//! silent for longer than anything is remembered, and whoever runs them crashes, reloads or looks at every tick.

use proptest::prelude::*;

use super::worlds::{differs, restore, settled};
use super::*;
use crate::evaluate::{Wide, horizon};
use crate::model::{Matcher, Resource, Test};
use crate::time::HOUR;

/// One step of a world: how long after the last record, what, and how.
#[derive(Debug, Clone)]
enum Step {
    Numbers { host: u32, shape: usize, value: u32, late: Ms, bad: bool },
    Again,
    Lines { host: u32, app: u32, text: usize, late: Ms },
    Rejected { host: u32 },
    Pulse,
    Pause(Ms),
    Break(Ms),
}

/// Which series a record of a host may carry: metric and `d`.
const SHAPES: [&[(&str, &str)]; 5] =
    [&[("m", ""), ("n", "")], &[("m", "")], &[("m", "a")], &[("m", "a"), ("m", "b"), ("n", "")], &[("n", "")]];

fn steps(breaks: bool) -> impl Strategy<Value = Vec<(Ms, Step)>> {
    let late = || prop_oneof![8 => Just(0_i64), 3 => 0_i64..900, 1 => 0_i64..90_000, 1 => 0_i64..900_000];
    let step = prop_oneof![
        60 => (0_u32..4, 0_usize..5, prop_oneof![6 => 0_u32..6, 1 => 0_u32..14], late(), prop::bool::weighted(0.03))
            .prop_map(|(host, shape, value, late, bad)| Step::Numbers { host, shape, value, late, bad }),
        3 => Just(Step::Again),
        8 => (0_u32..4, 0_u32..2, 0_usize..3, late())
            .prop_map(|(host, app, text, late)| Step::Lines { host, app, text, late }),
        4 => (0_u32..4).prop_map(|host| Step::Rejected { host }),
        8 => Just(Step::Pulse),
        2 => prop_oneof![MINUTE..12 * MINUTE, MINUTE..90 * MINUTE].prop_map(Step::Pause),
        u32::from(breaks) => (6_000_i64..10 * MINUTE).prop_map(Step::Break),
    ];
    let gap = prop_oneof![1 => Just(0_i64), 9 => 0_i64..7_000, 1 => 0_i64..60_000];
    // Each stretch of time has a host that says nothing.
    prop::collection::vec((0_u32..6, prop::collection::vec((gap, step), 40..90)), 1..5).prop_map(|stretches| {
        let mut all = Vec::new();
        for (mute, steps) in stretches {
            let speaks = |step: &Step| match step {
                Step::Numbers { host, .. } | Step::Lines { host, .. } | Step::Rejected { host } => *host != mute,
                _ => true,
            };
            all.extend(steps.into_iter().filter(|(_, step)| speaks(step)));
        }
        all
    })
}

fn world(steps: &[(Ms, Step)]) -> Vec<(Ms, Decoded)> {
    let mut now = BEGIN;
    let mut counters = [0.0; 4];
    let mut world: Vec<(Ms, Decoded)> = Vec::new();
    for (gap, step) in steps {
        now += gap;
        let record = match step {
            Step::Numbers { host, shape, value, late, bad } => {
                let name = format!("h{host}");
                let counter = &mut counters[*host as usize];
                *counter = if *value == 13 { 0.0 } else { *counter + f64::from(*value) };
                let series = SHAPES[*shape].iter().map(|(metric, d)| SeriesKey {
                    name: Arc::from(*metric),
                    labels: if d.is_empty() {
                        Labels::new([("host", name.as_str())])
                    } else {
                        Labels::new([("host", name.as_str()), ("d", d)])
                    },
                });
                let values = SHAPES[*shape].iter().map(|(metric, d)| match (*metric, *d) {
                    ("n", _) => *counter,
                    (_, "b") => f64::from(*value) / 2.0,
                    _ => f64::from(*value),
                });
                let mut record = number(*host, now - late, 0.0);
                record.values = values.collect();
                record.sent = Some(now);
                record.shape = Some(Arc::new(Shape {
                    id: host * 8 + *shape as u32,
                    generation: 0,
                    host: Arc::clone(&record.host),
                    series: series.collect(),
                }));
                if *bad {
                    let reason = crate::model::RejectReason::BadPoint;
                    record.rejects.push(crate::model::Reject { reason, place: String::new(), detail: String::new() });
                }
                record
            }
            Step::Again => world.last().map_or_else(pulse, |(_, record)| record.clone()),
            Step::Lines { host, app, text, late } => {
                let mut record = lines(&format!("h{host}"), now - late, &["OOM", "fine", "OOM"][*text..=*text]);
                record.labels = record.labels.with("app", &format!("a{app}"));
                record.sent = Some(now);
                record
            }
            Step::Rejected { host } => {
                Decoded { kind: Kind::Rejected, host: Arc::from(format!("h{host}")), ..Decoded::default() }
            }
            Step::Pulse => pulse(),
            Step::Pause(pause) => {
                now += pause;
                pulse()
            }
            Step::Break(back) => {
                now -= back;
                pulse()
            }
        };
        world.push((now, record));
    }
    world
}

/// The numbers and lines that a rule may look at.
fn watched(n: u32) -> Watch {
    let fits = |label: &str, test, value: &str| Matcher { label: label.to_owned(), test, value: value.to_owned() };
    match n {
        0 => Watch::Log { matchers: Vec::new(), pattern: Some("OOM".to_owned()) },
        1 => Watch::Log { matchers: vec![fits("app", Test::Is, "a1")], pattern: None },
        2 | 3 => Watch::Metric { name: "n".to_owned(), matchers: Vec::new() },
        4 => Watch::Metric { name: "m".to_owned(), matchers: vec![fits("service", Test::Fits, "x|")] },
        _ => Watch::Metric { name: "m".to_owned(), matchers: Vec::new() },
    }
}

/// The first `n` of two severities, the worse one with the threshold that is harder to reach.
fn levels(when: Comparison, mut bounds: [(f64, Ms); 2], n: usize) -> Vec<Level> {
    let threshold = |limit: f64| match when {
        Comparison::Outside => Threshold::Range(limit.abs() / -3.0, limit + 8.0),
        _ => Threshold::One(limit),
    };
    bounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    if matches!(when, Comparison::Above | Comparison::AtLeast) {
        bounds.reverse();
    }
    let severities = [Severity::S1, Severity::S3];
    let levels = severities.into_iter().zip(bounds).take(n);
    levels.map(|(severity, (limit, hold))| Level { severity, threshold: threshold(limit), hold }).collect()
}

fn rules(local: bool) -> impl Strategy<Value = Vec<Rule>> {
    let by = move || {
        let sets: Vec<Option<Vec<&str>>> = if local {
            vec![Some(vec!["host"]), None, Some(vec!["d", "host"]), Some(vec!["app", "host", "service"])]
        } else {
            vec![Some(vec![]), Some(vec!["service"]), Some(vec!["d"])]
        };
        prop::sample::select(sets)
    };
    let when = prop::sample::select(vec![
        Comparison::Above,
        Comparison::AtLeast,
        Comparison::Below,
        Comparison::AtMost,
        Comparison::Equals,
        Comparison::Outside,
    ]);
    let across = prop::sample::select(vec![
        None,
        None,
        None,
        Some(Fold::Sum),
        Some(Fold::Avg),
        Some(Fold::Max),
        Some(Fold::Min),
    ]);
    let hold = || prop::sample::select(vec![0, 0, 5_000, 15_000, 60_000]);
    let limit =
        || (-6_i32..16, prop::sample::select(vec![0.1, 1.0, 1.0, 10.0])).prop_map(|(limit, by)| f64::from(limit) * by);
    let over = prop::sample::select(vec![5_000, 20_000, 60_000, 150_000, 600_000]);
    let after = prop::sample::select(vec![30_000, MINUTE, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE]);
    let then =
        prop::sample::select(vec![Then::Hold, Then::Raise(Severity::S2), Then::Raise(Severity::S4), Then::Resolve]);
    let interval = prop::sample::select(vec![SECOND, SECOND, 5 * SECOND, MINUTE]);
    let what = (prop::sample::select(functions()), when, across, by(), 0_u32..8);
    let bounds = ((limit(), hold()), (limit(), hold()), 1_usize..3, prop::sample::select(vec![0, 0, 10_000, 60_000]));
    let times = (over, after, then, interval, 1_u32..4, prop::bool::ANY);
    let one =
        (what, bounds, times).prop_map(|((function, when, across, by, watch), (first, second, n, recover), times)| {
            let (over, after, then, interval, min_samples, early) = times;
            let mut one = rule("r", function, when, 0.0);
            one.by = by.map(|by| by.iter().map(|label| (*label).to_owned()).collect());
            one.across = across;
            one.watch = watched(watch);
            if matches!(one.watch, Watch::Log { .. }) && !early {
                one.function = Function::Count;
            }
            one.levels = levels(when, [first, second], n);
            one.recover.hold = recover;
            one.over = over;
            // Every third rule that can be is kept in panes.
            let paned = min_samples == 1 && !matches!(one.function, Function::Quantile(_));
            one.step = paned.then_some(over / 4);
            one.interval = interval;
            one.min_samples = min_samples;
            one.no_data = NoData { after, then };
            one.forget = HOUR;
            one
        });
    prop::collection::vec(one, 1..5).prop_map(|mut rules| {
        for (n, rule) in rules.iter_mut().enumerate() {
            rule.id = Arc::from(format!("r{n}"));
        }
        rules
    })
}

fn site(rules: Vec<Rule>) -> Arc<Setup> {
    let mut set = (*setup(rules, true)).clone();
    let mut inventory = Inventory::default();
    for (host, service) in [("h0", "x"), ("h1", "y")] {
        let resource = Resource { id: host.to_owned(), service: Some(service.to_owned()), ..Resource::default() };
        inventory.resources.insert(host.to_owned(), resource);
    }
    set.inventory = Arc::new(inventory);
    Arc::new(set)
}

/// What becomes of a partition on its way through a world.
#[derive(Debug, Clone, Default)]
struct Fate {
    /// Before these records it is lost, and restored.
    crashes: Vec<usize>,
    /// Before these records its rules are put in force again.
    reloads: Vec<usize>,
    /// Nothing passes unseen.
    unguarded: bool,
    /// Everybody is visited at every tick.
    busy: bool,
}

fn run(setup: &Arc<Setup>, world: &[(Ms, Decoded)], fate: &Fate) -> (Vec<Signal>, Rows) {
    let mut partition = start(setup);
    let mut rows = Rows::default();
    let mut signals = Vec::new();
    let mut out = Effects::default();
    for (offset, (append, record)) in world.iter().enumerate() {
        if fate.crashes.contains(&offset) {
            partition = restore(setup, world, &stored(&partition), &rows);
        }
        if fate.reloads.contains(&offset) {
            partition.reload(Arc::clone(setup), &mut out);
        }
        if fate.unguarded || fate.busy {
            partition.plan.rules.iter_mut().for_each(|compiled| compiled.unguard());
        }
        if fate.busy {
            while let Some(tick) = partition.next_tick().filter(|tick| tick < append) {
                partition.board.stir();
                partition.close(tick + 1, &mut out);
                rows.take(&out.rows);
                out.rows.clear();
            }
        }
        partition.apply(offset as i64, *append, record, &mut out);
        signals.append(&mut out.signals);
        rows.take(&out.rows);
        out.clear();
    }
    (signals, rows)
}

fn config() -> ProptestConfig {
    ProptestConfig { max_shrink_iters: 3_000, ..ProptestConfig::with_cases(30) }
}

fn places() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..360, 1..5)
}

/// The parts of a row that do not depend on when somebody looked.
fn check(setup: &Arc<Setup>, world: &[(Ms, Decoded)], fate: &Fate) -> Result<(), TestCaseError> {
    let (want, rows) = run(setup, world, &Fate::default());
    let (got, again) = run(setup, world, fate);
    prop_assert_eq!(differs(&got, &want), None);
    prop_assert_eq!(settled(&again), settled(&rows));
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_crash_changes_nothing(steps in steps(true), rules in rules(true), crashes in places()) {
        check(&site(rules), &world(&steps), &Fate { crashes, ..Fate::default() })?;
    }

    #[test]
    fn a_reload_of_the_same_rules_changes_nothing(steps in steps(true), rules in rules(true), reloads in places()) {
        check(&site(rules), &world(&steps), &Fate { reloads, ..Fate::default() })?;
    }

    #[test]
    fn looking_at_every_tick_changes_nothing(steps in steps(false), rules in rules(true)) {
        check(&site(rules), &world(&steps), &Fate { busy: true, ..Fate::default() })?;
    }

    #[test]
    fn what_passes_unseen_changes_nothing(steps in steps(true), rules in rules(true)) {
        check(&site(rules), &world(&steps), &Fate { unguarded: true, ..Fate::default() })?;
    }
}

/// Where each partition of a topic and the wide rules over it are.
struct Topic {
    setup: Arc<Setup>,
    parts: Vec<Partition>,
    wide: Wide,
    signals: Vec<Signal>,
    own: Vec<Rows>,
    rows: Rows,
}

impl Topic {
    fn new(setup: &Arc<Setup>) -> Self {
        let parts: Vec<Partition> = (0..setup.partitions)
            .map(|n| Partition::start(Arc::clone(setup), n, None, Vec::new(), Warm::default()))
            .collect();
        let own = parts.iter().map(|_| Rows::default()).collect();
        let wide = Wide::start(Arc::clone(setup), None, Vec::new());
        Self { setup: Arc::clone(setup), parts, wide, signals: Vec::new(), own, rows: Rows::default() }
    }

    /// Each partition gets the record, or a pulse where it is another's.
    fn feed(&mut self, offset: usize, append: Ms, record: &Decoded) {
        let idle = pulse();
        let host: usize = record.host.trim_start_matches('h').parse().unwrap_or(0);
        for n in 0..self.parts.len() {
            let mine = host % self.parts.len() == n;
            let (mut part, mut out) = (Effects::default(), Effects::default());
            self.parts[n].apply(offset as i64, append, if mine { record } else { &idle }, &mut part);
            part.leaves.drain(..).for_each(|leaf| self.wide.offer(n as i32, leaf));
            let clocks: Vec<(i32, Ms)> = (0..).zip(&self.parts).map(|(n, part)| (n, part.place().1)).collect();
            self.wide.advance(clocks.into_iter(), &mut out);
            self.signals.append(&mut out.signals);
            self.own[n].take(&part.rows);
            self.rows.take(&out.rows);
        }
    }

    /// All of it is lost, and comes back from rows and records.
    fn restore(&mut self, world: &[(Ms, Decoded)], now: usize) {
        let kept = |rows: &Rows| rows.0.values().cloned().collect::<Vec<_>>();
        let oldest = self.parts.iter().map(|part| part.place().1).min().unwrap_or(0);
        let again = |(n, (part, rows)): (i32, (&Partition, &Rows))| {
            Partition::start(Arc::clone(&self.setup), n, Some(&part.progress()), kept(rows), Warm::default())
        };
        let parts = (0..).zip(self.parts.iter().zip(&self.own)).map(again).collect();
        self.wide = Wide::start(Arc::clone(&self.setup), Some(&self.wide.progress()), kept(&self.rows));
        self.parts = parts;
        let from = oldest - horizon(&self.setup.rules);
        let begin = world.iter().position(|(append, _)| *append >= from).unwrap_or(0).min(now);
        let told = self.signals.len();
        for (offset, (append, record)) in world.iter().enumerate().take(now).skip(begin) {
            self.feed(offset, *append, record);
        }
        assert_eq!(self.signals.len(), told, "a muted replay says nothing");
    }

    fn reload(&mut self, setup: &Arc<Setup>) {
        self.setup = Arc::clone(setup);
        for n in 0..self.parts.len() {
            let mut out = Effects::default();
            self.parts[n].reload(Arc::clone(setup), &mut out);
            self.own[n].take(&out.rows);
            assert!(out.leaves.is_empty());
        }
        let mut out = Effects::default();
        self.wide.reload(Arc::clone(setup), &mut out);
        self.signals.append(&mut out.signals);
        self.rows.take(&out.rows);
    }
}

fn run_wide(rules: &[Rule], partitions: i32, world: &[(Ms, Decoded)], fate: &Fate) -> (Vec<Signal>, Rows) {
    let mut set = (*site(rules.to_vec())).clone();
    set.partitions = partitions;
    let setup = Arc::new(set);
    let mut topic = Topic::new(&setup);
    for (offset, (append, record)) in world.iter().enumerate() {
        if fate.crashes.contains(&offset) {
            topic.restore(world, offset);
        }
        if fate.reloads.contains(&offset) {
            topic.reload(&setup);
        }
        topic.feed(offset, *append, record);
    }
    (topic.signals, topic.rows)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn wide_rules_see_neither_partitions_nor_crashes_nor_reloads(
        steps in steps(true),
        rules in rules(false),
        crashes in places(),
        reloads in places(),
    ) {
        let world = world(&steps);
        let (want, rows) = run_wide(&rules, 1, &world, &Fate::default());
        let fates = [
            (7, Fate::default()),
            (1, Fate { crashes: crashes.clone(), ..Fate::default() }),
            (3, Fate { crashes, ..Fate::default() }),
            (2, Fate { reloads, ..Fate::default() }),
        ];
        for (partitions, fate) in fates {
            let (got, again) = run_wide(&rules, partitions, &world, &fate);
            prop_assert_eq!(differs(&got, &want), None, "{} {:?}", partitions, &fate);
            prop_assert_eq!(settled(&again), settled(&rows), "{} {:?}", partitions, &fate);
        }
    }
}

#[test]
fn pending_of_a_wide_rule_fires_on_time_after_a_restart() {
    let hot = Rule { by: Some(Vec::new()), over: HOUR, ..rule("hot", Function::Last, Comparison::Above, 5.0) };
    let hot = Rule { levels: vec![level(Severity::S2, 5.0, 10_000)], ..hot };
    let mut world = vec![(BEGIN + 500, number(1, BEGIN + 500, 9.0))];
    world.extend((1..20).map(|n| (BEGIN + n * 1_000 + 500, pulse())));
    let (signals, _) = run_wide(&[hot], 1, &world, &Fate { crashes: vec![5], ..Fate::default() });
    let own: Vec<Signal> = signals.into_iter().filter(|signal| &*signal.rule == "hot").collect();
    assert_eq!(show(&own), ["1000 hot inactive>pending -", "11000 hot pending>firing S2"]);
}
