//! Functions that remember long windows from visit to visit say what they would say without, and what they mean.

use proptest::prelude::*;

use super::worlds::{differs, restore, settled};
use super::*;

/// One step: how long after the last record, how large, how late, or that the clock breaks.
#[derive(Debug, Clone)]
enum Step {
    Number(u32, u32, Ms),
    Break(Ms),
}

fn steps() -> impl Strategy<Value = Vec<(Ms, Step)>> {
    let late = prop_oneof![40 => Just(0_i64), 2 => 0_i64..3_000, 1 => 0_i64..100_000];
    let step = prop_oneof![
        300 => (0_u32..2, 0_u32..40, late).prop_map(|(host, value, late)| Step::Number(host, value, late)),
        1 => (5_001_i64..60_000).prop_map(Step::Break),
    ];
    prop::collection::vec((prop_oneof![20 => 0_i64..900, 1 => 0_i64..30_000], step), 400..900)
}

fn world(steps: &[(Ms, Step)]) -> Vec<(Ms, Decoded)> {
    let mut now = BEGIN;
    let mut world = Vec::new();
    for (gap, step) in steps {
        now += gap;
        world.push(match step {
            Step::Number(host, value, late) => {
                (now, Decoded { sent: Some(now), ..number(*host, now - late, f64::from(*value) * 0.7) })
            }
            Step::Break(back) => {
                now -= back;
                (now, pulse())
            }
        });
    }
    world
}

/// Thresholds in the middle of what the values of each function are, so that they are crossed all the time.
fn rules() -> Vec<Rule> {
    let limits = [
        (Function::Stddev, 8.1),
        (Function::Changes, 250.0),
        (Function::Resets, 125.0),
        (Function::Slope, 0.0),
        (Function::Forecast(60_000), 13.6),
        (Function::Quantile(500_000), 13.6),
        (Function::Quantile(990_000), 27.0),
        (Function::First, 13.6),
    ];
    let mut found = Vec::new();
    for (function, limit) in limits {
        for over in [90_000, 200_000] {
            let mut one = rule(&format!("{function}-{over}"), function, Comparison::Above, limit);
            one.over = over;
            one.recover.hold = 2_000;
            found.push(one);
        }
    }
    found
}

fn run(setup: &Arc<Setup>, world: &[(Ms, Decoded)], memo: bool, crash: usize) -> (Vec<Signal>, Rows) {
    let mut partition = start(setup);
    let (mut rows, mut out) = (Rows::default(), Effects::default());
    let mut signals = Vec::new();
    for (offset, (append, record)) in world.iter().enumerate() {
        if offset == crash {
            partition = restore(setup, world, &stored(&partition), &rows);
        }
        if !memo {
            partition.plan.rules.iter_mut().for_each(|compiled| compiled.parts[0].memo = false);
        }
        out.clear();
        partition.apply(offset as i64, *append, record, &mut out);
        signals.append(&mut out.signals);
        rows.take(&out.rows);
    }
    (signals, rows)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn what_is_remembered_of_long_windows_changes_nothing(steps in steps(), crash in 0_usize..900) {
        let setup = setup(rules(), true);
        let world = world(&steps);
        let (want, all) = run(&setup, &world, false, usize::MAX);
        prop_assert!(want.len() > 20, "a world in which nothing happens: {}", want.len());
        let (got, rows) = run(&setup, &world, true, usize::MAX);
        prop_assert_eq!(differs(&got, &want), None);
        prop_assert_eq!(settled(&rows), settled(&all));
        let (again, _) = run(&setup, &world, true, crash);
        prop_assert_eq!(differs(&again, &want), None);
    }
}

#[test]
fn a_disk_that_will_be_full_is_told_before_it_is() {
    let mut soon = rule("soon", Function::Forecast(60 * MINUTE), Comparison::Below, 0.0);
    soon.over = 10 * MINUTE;
    soon.min_samples = 5;
    let mut p = start(&setup(vec![soon], false));
    // 100 at first, 1 less a minute; from the 30th on 2 less.
    let free = |n: i64| if n < 30 { 100 - n } else { 70 - 2 * (n - 30) } as f64;
    let records: Vec<(Ms, Decoded)> =
        (0..60).map(|n| (BEGIN + n * MINUTE, number(1, BEGIN + n * MINUTE, free(n)))).collect();
    let (signals, _) = feed(&mut p, &records);
    let told = show(&signals);
    assert_eq!(told.len(), 1, "{told:?}");
    let fired = (signals[0].at - BEGIN) / MINUTE;
    // In an hour 120 less: at the latest once the window holds the new slope alone, at 40 with 50 left.
    assert!((31..=40).contains(&fired), "{told:?}");
}

#[test]
fn a_value_that_never_changes_is_stuck_but_not_before_a_window_has_passed() {
    let mut stuck = rule("stuck", Function::Changes, Comparison::Below, 1.0);
    stuck.over = 5 * MINUTE;
    let mut p = start(&setup(vec![stuck], false));
    let records: Vec<(Ms, Decoded)> =
        (0..60).map(|n| (BEGIN + n * 10_000, number(1, BEGIN + n * 10_000, 7.0))).collect();
    let (signals, _) = feed(&mut p, &records);
    assert_eq!(show(&signals), ["300000 stuck inactive>firing S2"]);
}
