//! Worlds that are healthy most of the time, with every sample a little different, run with bounds and without.

use proptest::prelude::*;

use super::worlds::{differs, restore, settled};
use super::*;

/// One step of a dense world.
#[derive(Debug, Clone)]
enum Step {
    /// A record: of which shape, how large, how late.
    Numbers(usize, u32, Ms),
    /// The counter of the host begins anew, this far up.
    Reset(usize, u32),
    Again,
    Pulse,
    Pause(Ms),
    Break(Ms),
}

fn steps() -> impl Strategy<Value = Vec<(Ms, Step)>> {
    let value = prop_oneof![60 => 10_u32..40, 4 => 0_u32..50, 1 => 0_u32..120];
    let late = prop_oneof![60 => Just(0_i64), 3 => 0_i64..3_000, 1 => 0_i64..200_000];
    let step = prop_oneof![
        150 => (0_usize..6, value, late).prop_map(|(shape, value, late)| Step::Numbers(shape, value, late)),
        2 => (0_usize..2, prop_oneof![Just(0_u32), 0_u32..50]).prop_map(|(host, to)| Step::Reset(host, to)),
        2 => Just(Step::Again),
        4 => Just(Step::Pulse),
        1 => (0_i64..200_000).prop_map(Step::Pause),
        1 => (5_001_i64..300_000).prop_map(Step::Break),
    ];
    let gap = prop_oneof![1 => Just(0_i64), 30 => 0_i64..2_500, 1 => 0_i64..40_000];
    prop::collection::vec((gap, step), 150..600)
}

/// Two hosts, each with two gauges and two counters; `scale` says how far up the counters are.
fn world(steps: &[(Ms, Step)], scale: f64) -> Vec<(Ms, Decoded)> {
    let mut now = BEGIN;
    let mut counters = [scale; 2];
    let mut world: Vec<(Ms, Decoded)> = Vec::new();
    for (gap, step) in steps {
        now += gap;
        let record = match step {
            Step::Numbers(shape, value, late) => {
                let host = shape / 3;
                let counter = &mut counters[host];
                *counter += f64::from(*value) / 8.0;
                let name = format!("h{host}");
                let of = |metric: &str, d: &str| SeriesKey {
                    name: Arc::from(metric),
                    labels: Labels::new([("host", name.as_str()), ("d", d)]),
                };
                let (series, values) = match shape % 3 {
                    0 => (
                        vec![of("m", "a"), of("n", "a"), of("m", "b")],
                        vec![f64::from(*value), *counter, 25.0 + f64::from(*value) / 4.0],
                    ),
                    1 => (vec![of("m", "a")], vec![f64::from(*value) + 0.1]),
                    _ => (vec![of("n", "b"), of("m", "b")], vec![*counter / 3.0, f64::from(*value)]),
                };
                let id = 200 + *shape as u32;
                let shape = Shape { id, generation: 0, host: Arc::from(name.as_str()), series };
                let plain = number(host as u32, now - late, 0.0);
                Decoded { sent: Some(now), shape: Some(Arc::new(shape)), values, ..plain }
            }
            Step::Reset(host, to) => {
                counters[*host] = f64::from(*to);
                pulse()
            }
            Step::Again => world.last().map_or_else(pulse, |(_, record)| record.clone()),
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

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let function = prop::sample::select(vec![
        Function::Last,
        Function::Avg,
        Function::Min,
        Function::Max,
        Function::Rate,
        Function::Increase,
        Function::Delta,
        Function::First,
        Function::Stddev,
        Function::Quantile(900_000),
        Function::Slope,
    ]);
    let when = prop::sample::select(vec![
        Comparison::Above,
        Comparison::AtLeast,
        Comparison::Below,
        Comparison::AtMost,
        Comparison::Outside,
    ]);
    let across =
        prop::sample::select(vec![None, None, Some(Fold::Sum), Some(Fold::Avg), Some(Fold::Max), Some(Fold::Min)]);
    let over = prop::sample::select(vec![4_000, 15_000, 60_000, 150_000, 600_000]);
    let by = prop::sample::select(vec![Some(vec!["host".to_owned()]), None]);
    let far = (0_u32..60, prop::sample::select(vec![0.0, 0.1, 0.5, 1.0, 2.0, 10.0]));
    let bounds = (far, 0_usize..3, 1_u32..4, prop::sample::select(vec![0, 3_000, 20_000]));
    let after = prop::sample::select(vec![30_000, 2 * MINUTE, 10 * MINUTE]);
    let one = (function, when, across, over, by, bounds, after).prop_map(
        |(function, when, across, over, by, bounds, after)| {
            let ((far, scale), n, min_samples, hold) = bounds;
            let limit = f64::from(far) * scale;
            let mut one = rule("r", function, when, limit);
            let counter = matches!(function, Function::Rate | Function::Increase);
            one.watch = Watch::Metric { name: if counter { "n" } else { "m" }.to_owned(), matchers: Vec::new() };
            (one.across, one.over, one.by, one.min_samples) = (across, over, by, min_samples);
            one.interval = [SECOND, SECOND, 10 * SECOND][n];
            // Thresholds on the good side of what is usual, most of the time.
            let (mid, half) = match function {
                Function::Rate => (0.0, 2.0),
                Function::Increase => (0.0, 2.0 * over as f64 / 1_000.0),
                Function::Delta => (0.0, 25.0),
                Function::Stddev => (0.0, 8.0),
                Function::Slope => (0.0, 1.0),
                _ => (25.0, 13.0),
            };
            let level = |severity, more: f64| {
                let half = half * (1.0 + limit / 20.0 + more);
                let threshold = match when {
                    Comparison::Above | Comparison::AtLeast => Threshold::One(mid + half),
                    Comparison::Below | Comparison::AtMost => Threshold::One(mid - half),
                    _ => Threshold::Range(mid - half, mid + half),
                };
                Level { severity, threshold, hold }
            };
            one.levels = vec![level(Severity::S1, 0.4), level(Severity::S3, 0.0)];
            one.no_data = NoData { after, then: Then::Raise(Severity::S4) };
            one
        },
    );
    prop::collection::vec(one, 1..6).prop_map(|mut rules| {
        for (n, rule) in rules.iter_mut().enumerate() {
            rule.id = Arc::from(format!("r{n}"));
        }
        rules
    })
}

fn run(setup: &Arc<Setup>, world: &[(Ms, Decoded)], bounds: bool, crash: usize) -> (Vec<Signal>, Rows, u64) {
    let mut partition = start(setup);
    let (mut rows, mut signals, mut visited) = (Rows::default(), Vec::new(), 0);
    let mut out = Effects::default();
    for (offset, (append, record)) in world.iter().enumerate() {
        if offset == crash {
            partition = restore(setup, world, &stored(&partition), &rows);
        }
        if !bounds {
            partition.plan.rules.iter_mut().for_each(|compiled| compiled.unguard());
        }
        partition.apply(offset as i64, *append, record, &mut out);
        signals.append(&mut out.signals);
        rows.take(&out.rows);
        visited += out.counters.visited;
        out.clear();
    }
    (signals, rows, visited)
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 3_000, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn bounds_change_nothing_with_breaks_resets_and_crashes(
        steps in steps(),
        rules in rules(),
        scale in prop::sample::select(vec![0.0, 0.0, 1e6, 1e13, 1e15]),
        crash in 0_usize..600,
    ) {
        let setup = setup(rules, true);
        let world = world(&steps, scale);
        let (want, all, _) = run(&setup, &world, false, usize::MAX);
        let (got, rows, _) = run(&setup, &world, true, usize::MAX);
        prop_assert_eq!(differs(&got, &want), None);
        prop_assert_eq!(settled(&rows), settled(&all));
        let (again, rows, _) = run(&setup, &world, true, crash);
        prop_assert_eq!(differs(&again, &want), None);
        prop_assert_eq!(settled(&rows), settled(&all));
    }
}

#[test]
fn room_that_a_counter_used_up_stays_used_up_when_another_rule_looks() {
    let mut short = rule("short", Function::Rate, Comparison::Above, 50.0);
    short.over = 5_000;
    let mut long = rule("long", Function::Increase, Comparison::Above, 100.0);
    long.over = 10 * MINUTE;
    let setup = setup(vec![short, long], false);
    let world: Vec<(Ms, Decoded)> =
        (0..200).map(|n| (BEGIN + n * 1_000, number(1, BEGIN + n * 1_000, n as f64))).collect();
    let (got, _, visited) = run(&setup, &world, true, usize::MAX);
    let (want, _, all) = run(&setup, &world, false, usize::MAX);
    assert_eq!(show(&got), show(&want));
    assert_eq!(got.len(), 1, "{:?}", show(&got));
    assert!(visited < all, "{visited} of {all}");
}

#[test]
fn one_series_out_of_bounds_ends_the_calm_of_the_others_at_once() {
    let mut low = rule("low", Function::Min, Comparison::AtMost, 12.0);
    (low.over, low.interval, low.min_samples) = (4_000, 10 * SECOND, 2);
    let setup = setup(vec![low], false);
    let of = |d: u32, at: Ms, value: f64| {
        let labels = Labels::new([("host", "h1"), ("d", ["a", "b"][d as usize])]);
        let series = vec![SeriesKey { name: Arc::from("m"), labels }];
        let shape = Shape { id: 200 + d, generation: 0, host: Arc::from("h1"), series };
        (at, Decoded { shape: Some(Arc::new(shape)), ..number(1, at, value) })
    };
    let mut world: Vec<(Ms, Decoded)> =
        (0..42).map(|n| of(n % 2, BEGIN + Ms::from(n) * 500, 25.0 + f64::from(n) / 100.0)).collect();
    // Alone it is too few; with the next one of the other series, which is good, it is enough.
    world.extend([of(1, BEGIN + 25_500, 10.0), of(0, BEGIN + 27_000, 25.0)]);
    for bounds in [false, true] {
        let (signals, _, visited) = run(&setup, &world, bounds, usize::MAX);
        assert_eq!(show(&signals), ["27000 low inactive>firing S2"], "with bounds: {bounds}, {visited} visits");
    }
}
