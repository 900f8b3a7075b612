//! Windows in panes against the plainest code that can say what they hold, and what becomes of them on the way.

use proptest::prelude::*;

use super::worlds::{differs, restore};
use super::*;
use crate::evaluate::digest::Digest;
use crate::evaluate::panes::{Panes, edge, order_free};
use crate::evaluate::ring::{Point, Span};
use crate::evaluate::window::of_panes;

/// What a window in panes holds of samples that came in this order.
fn held(all: &[(Ms, f64)], at: Ms, (over, step): (Ms, Ms), ordered: bool) -> Vec<(Ms, f64)> {
    let (edge, mut newest) = (edge(at, over, step), Ms::MIN);
    let mut held: Vec<(Ms, f64)> = Vec::new();
    for (time, value) in all {
        if ordered && *time < newest {
            continue;
        }
        newest = newest.max(*time);
        if *time > edge {
            held.push((*time, *value));
        }
    }
    held.sort_by_key(|(time, _)| *time);
    held
}

fn plain(function: Function, held: &[(Ms, f64)]) -> Option<f64> {
    let values: Vec<f64> = held.iter().map(|(_, value)| *value).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    match function {
        Function::Count => return Some(n),
        Function::Absent => return Some(f64::from(u8::from(values.is_empty()))),
        _ if values.is_empty() => return None,
        _ => {}
    }
    match function {
        Function::Last => values.last().copied(),
        Function::First => values.first().copied(),
        Function::Min => values.iter().copied().reduce(f64::min),
        Function::Max => values.iter().copied().reduce(f64::max),
        Function::Sum => Some(values.iter().sum()),
        Function::Avg => Some(mean),
        Function::Stddev => Some((values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt()),
        Function::Changes => Some(values.windows(2).filter(|pair| pair[0] != pair[1]).count() as f64),
        Function::Resets => Some(values.windows(2).filter(|pair| pair[0] > pair[1]).count() as f64),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn panes_say_what_plain_code_says(
        samples in prop::collection::vec((1_i64..60, 0_u32..40, prop_oneof![9 => Just(0_i64), 1 => 1_i64..400]), 1..200),
        step in 20_i64..200,
        panes in 2_i64..12,
        visits in 1_usize..6,
    ) {
        let over = step * panes - step / 3;
        let functions = [
            Function::Count, Function::Absent, Function::Last, Function::First, Function::Min, Function::Max,
            Function::Sum, Function::Avg, Function::Stddev, Function::Changes, Function::Resets,
        ];
        for function in functions {
            let (mut kept, mut all, mut at) = (Panes::new(function, over, step), Vec::new(), 1_000);
            let mut taken = std::collections::BTreeSet::new();
            for (n, (gap, value, late)) in samples.iter().enumerate() {
                at += gap;
                let point = Point { time: at - late, value: f64::from(*value) * 0.5 };
                // Who delivers again, and what has left, is kept out before.
                if point.time <= edge(at, over, step) || !taken.insert(point.time) {
                    continue;
                }
                let ordered = !order_free(function);
                let before = all.iter().map(|(time, _)| *time).max().unwrap_or(Ms::MIN);
                prop_assert_eq!(kept.add(point), !ordered || point.time >= before);
                all.push((point.time, point.value));
                if n % visits == 0 {
                    kept.refresh(at);
                    let held = held(&all, at, (over, step), ordered);
                    let span = Span { at, over: at - edge(at, over, step), interval: 1 };
                    let got = of_panes(function, &kept, span, false);
                    prop_assert_eq!(got.samples, held.len());
                    let close = match (got.value, plain(function, &held)) {
                        (Some(got), Some(want)) => (got - want).abs() <= 1e-9,
                        (got, want) => got == want,
                    };
                    prop_assert!(close, "{function} {:?} {:?}", got.value, plain(function, &held));
                }
            }
        }
    }
}

fn paned(function: Function, over: Ms, step: Ms, limit: f64) -> Rule {
    Rule { over, step: Some(step), ..rule(&format!("{function}"), function, Comparison::Above, limit) }
}

#[test]
fn a_week_fits_into_memory_and_a_restart_finds_it_again() {
    let week = 7 * DAY;
    let setup = setup(vec![paned(Function::Avg, week, 10 * MINUTE, 50.0)], true);
    // A sample a minute; from the fourth day on it is high.
    let value = |n: i64| if n < 4 * 1_440 { 20.0 } else { 80.0 + (n % 7) as f64 };
    let world: Vec<(Ms, Decoded)> =
        (0..8 * 1_440).map(|n| (BEGIN + n * MINUTE, number(1, BEGIN + n * MINUTE, value(n)))).collect();
    let mut p = start(&setup);
    let (want, out) = feed(&mut p, &world);
    assert_eq!(want.len(), 1, "{:?}", show(&want));
    assert_eq!(out.counters.unordered, 0);
    let bytes = p.intake.room * crate::evaluate::ring::SAMPLE;
    assert!(bytes < 200_000, "{bytes} bytes for a week of one series");
    assert!(size_of::<(i64, Digest)>() <= 136);
    // 80.. for a while against 20 for four days: half of the window at 50.
    for crash in [5_000, 9_000] {
        let mut first = start(&setup);
        let (mut got, mut rows) = (Vec::new(), Rows::default());
        let (signals, out) = feed(&mut first, &world[..crash]);
        got.extend(signals);
        rows.take(&out.rows);
        let mut second = restore(&setup, &world, &stored(&first), &rows);
        got.extend(feed(&mut second, &world[crash..]).0);
        assert_eq!(differs(&got, &want), None);
    }
}

#[test]
fn what_comes_out_of_order_counts_for_a_mean_and_not_for_a_counter() {
    let setup = setup(
        vec![paned(Function::Avg, 10 * MINUTE, MINUTE, 100.0), paned(Function::Increase, 10 * MINUTE, MINUTE, 1e9)],
        false,
    );
    let mut p = start(&setup);
    let at = |n: i64| BEGIN + n * 10_000;
    let world = [
        (at(0), number(1, at(0), 1.0)),
        (at(2), number(1, at(2), 3.0)),
        (at(3), number(1, at(1), 2.0)),
        (at(3), number(1, at(1), 2.0)),
        (at(4), pulse()),
    ];
    let (_, out) = feed(&mut p, &world);
    assert_eq!(out.counters.unordered, 1, "the counter's; the second is known to be the same again");
    p.reload(Arc::clone(&setup), &mut Effects::default());
    let (seen, _) = p.look(0, 0, at(4));
    assert_eq!(seen.value, Some(2.0));
}

#[test]
fn panes_of_a_wide_rule_do_not_see_how_many_partitions_there_are() {
    let wide = |function, limit| Rule { by: Some(Vec::new()), ..paned(function, 5 * MINUTE, MINUTE, limit) };
    let rules = vec![wide(Function::Avg, 20.0), wide(Function::Sum, 900.0), wide(Function::Stddev, 9.0)];
    let world: Vec<(Ms, Decoded)> = (0..600)
        .map(|n| {
            let at = BEGIN + n * 2_500;
            (at, number((n % 3) as u32, at - (n % 5) * 700, ((n * 37) % 41) as f64))
        })
        .collect();
    let one = super::worlds::merged(&rules, &world, 1);
    assert!(one.len() > 5, "{:?}", show(&one));
    assert_eq!(differs(&super::worlds::merged(&rules, &world, 7), &one), None);
}
