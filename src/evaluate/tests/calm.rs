//! What passes unseen changes nothing: worlds that are healthy most of the time, with and without guards.

use proptest::prelude::*;

use super::*;
use crate::evaluate::horizon;

/// A sample: how long after the last one, of which host, how large, how late, and whether the counter begins anew.
type Step = (Ms, u32, u32, Ms, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = prop_oneof![30 => 0_u32..50, 1 => 0_u32..120];
    let late = prop_oneof![12 => Just(0_i64), 2 => 0_i64..3_000, 1 => 0_i64..200_000];
    let gap = prop_oneof![40 => 0_i64..4_000, 1 => 0_i64..200_000];
    prop::collection::vec((gap, 0_u32..3, value, late, prop::bool::weighted(0.02)), 200..500)
}

/// Each host sends a gauge around its level and a counter that rises by it.
fn world(steps: &[Step]) -> Vec<(Ms, Decoded)> {
    let mut counters = [0.0; 3];
    let mut now = BEGIN;
    let mut world = Vec::new();
    for (gap, host, value, late, reset) in steps {
        now += gap;
        let name = format!("h{host}");
        let counter = &mut counters[*host as usize];
        *counter = if *reset { 0.0 } else { *counter + f64::from(*value) };
        let series = vec![key("m", &name), key("n", &name), key("m", &format!("{name}/b"))];
        let shape = Shape { id: *host, generation: 0, host: Arc::from(name.as_str()), series };
        let values = vec![f64::from(*value), *counter, 25.0 + f64::from(*value) / 4.0];
        let record = Decoded {
            kind: Kind::Data,
            host: Arc::from(name.as_str()),
            ts: now - late,
            sent: Some(now),
            shape: Some(Arc::new(shape)),
            values,
            labels: Labels::new([("host", name.as_str())]),
            ..Decoded::default()
        };
        world.push((now, record));
    }
    world
}

/// Every function that can be guarded, each comparison, on one series and on several, in windows of several lengths.
fn rules() -> Vec<Rule> {
    let mut found = Vec::new();
    let mut add = |function: Function, when, threshold, over: Ms, name: &str| {
        let mut one = rule(&format!("{}-{when:?}-{over}-{name}", function.name()), function, when, 0.0);
        one.watch = Watch::Metric { name: name.to_owned(), matchers: Vec::new() };
        one.over = over;
        one.levels = vec![Level { severity: Severity::S2, threshold, hold: if over > 60_000 { 5_000 } else { 0 } }];
        one.min_samples = if over > 100_000 { 3 } else { 1 };
        one.no_data.after = over.max(2 * MINUTE);
        found.push(one);
    };
    for over in [15_000, 70_000, 150_000] {
        let quantile = Function::Quantile(990_000);
        for function in [Function::Last, Function::Avg, Function::Min, Function::Max, Function::Delta, quantile] {
            add(function, Comparison::Above, Threshold::One(48.0), over, "m");
            add(function, Comparison::AtLeast, Threshold::One(60.0), over, "m");
            add(function, Comparison::Below, Threshold::One(1.0), over, "m");
            add(function, Comparison::AtMost, Threshold::One(0.0), over, "m");
            add(function, Comparison::Outside, Threshold::Range(-90.0, 55.0), over, "m");
        }
        add(Function::Stddev, Comparison::Above, Threshold::One(25.0), over, "m");
        add(Function::Stddev, Comparison::AtLeast, Threshold::One(45.0), over, "m");
        add(Function::Rate, Comparison::Above, Threshold::One(25.0), over, "n");
        add(Function::Rate, Comparison::AtLeast, Threshold::One(40.0), over, "n");
        add(Function::Increase, Comparison::Above, Threshold::One(900.0), over, "n");
        add(Function::Increase, Comparison::Outside, Threshold::Range(-1.0, 3_000.0), over, "n");
    }
    found
}

/// Several series to one identity, added up and averaged.
fn folded() -> Vec<Rule> {
    let fold = |rule: &Rule, across, by: Option<Vec<String>>| {
        let id = format!("{}-{across:?}", rule.id);
        Rule { id: Arc::from(id), across: Some(across), by, ..rule.clone() }
    };
    let by = || Some(vec!["role".to_owned(), "host".to_owned()]);
    let all = rules();
    all.iter()
        .map(|rule| fold(rule, Fold::Sum, by()))
        .chain(all.iter().map(|rule| fold(rule, Fold::Avg, by())))
        .collect()
}

fn run(setup: &Arc<Setup>, world: &[(Ms, Decoded)], guarded: bool) -> (Vec<Signal>, Rows, u64) {
    let mut partition = start(setup);
    let (mut out, mut rows) = (Effects::default(), Rows::default());
    for (offset, (append, record)) in world.iter().enumerate() {
        if !guarded {
            partition.catch_all_up();
        }
        partition.apply(offset as i64, *append, record, &mut out);
        rows.take(&out.rows);
        out.rows.clear();
    }
    (out.signals, rows, out.counters.visited)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn guards_change_no_signal_and_no_row(steps in steps()) {
        let world = world(&steps);
        for rules in [rules(), folded()] {
            let setup = setup(rules, true);
            let (got, rows, visited) = run(&setup, &world, true);
            let (want, all, every) = run(&setup, &world, false);
            prop_assert_eq!(worlds::differs(&got, &want), None);
            prop_assert_eq!(worlds::settled(&rows), worlds::settled(&all));
            prop_assert!(visited < every, "guards that save nothing: {} of {}", visited, every);
        }
    }

    #[test]
    fn a_crash_between_guarded_samples_changes_nothing(steps in steps(), at in 50_usize..450) {
        let setup = setup(rules(), true);
        let world = world(&steps);
        let at = at.min(world.len());
        let (want, _, _) = run(&setup, &world, true);
        let mut first = start(&setup);
        let (mut signals, first_out) = feed(&mut first, &world[..at]);
        let mut rows = Rows::default();
        rows.take(&first_out.rows);
        let mut second = worlds::restore(&setup, &world, &stored(&first), &rows);
        prop_assert!(horizon(&setup.rules) > 0);
        signals.extend(feed(&mut second, &world[at..]).0);
        prop_assert_eq!(worlds::differs(&signals, &want), None);
    }
}

#[test]
fn healthy_series_are_visited_about_once_a_window() {
    let mut steady = rule("steady", Function::Avg, Comparison::Above, 90.0);
    steady.over = 5 * MINUTE;
    let mut rising = rule("rising", Function::Rate, Comparison::Above, 2.0);
    rising.over = 5 * MINUTE;
    let setup = setup(vec![steady, rising], true);
    let mut partition = start(&setup);
    let world: Vec<(Ms, Decoded)> =
        (0..720).map(|n| (BEGIN + n * 5_000, number(0, BEGIN + n * 5_000, n as f64 / 9.0))).collect();
    let (signals, out) = feed(&mut partition, &world);
    assert!(signals.is_empty());
    assert!(out.counters.visited < 100, "{} visits in an hour of 720 samples and two rules", out.counters.visited);
}
