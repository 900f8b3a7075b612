//! Window values against the plainest code that can compute them.

use proptest::prelude::*;

use crate::evaluate::blocks::chunk;
use crate::evaluate::ring::{Ring, Same, Span};
use crate::evaluate::window::{Memo, value};
use crate::model::{FUNCTIONS, Function};
use crate::time::Ms;

fn held(all: &[(Ms, f64)], at: Ms, over: Ms) -> Vec<(Ms, f64)> {
    let mut held = std::collections::BTreeMap::new();
    for (time, value) in all {
        if *time > at - over && *time <= at {
            held.insert(*time, *value);
        }
    }
    held.into_iter().collect()
}

fn plain(function: Function, held: &[(Ms, f64)], at: Ms, over: Ms) -> Option<f64> {
    let values: Vec<f64> = held.iter().map(|(_, value)| *value).collect();
    let count = values.len() as f64;
    match function {
        Function::Count => return Some(count),
        Function::Absent => return Some(f64::from(u8::from(values.is_empty()))),
        _ if values.is_empty() => return None,
        _ => {}
    }
    match function {
        Function::Last => values.last().copied(),
        Function::Min => Some(values.iter().copied().fold(f64::INFINITY, f64::min)),
        Function::Max => Some(values.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        Function::Sum => Some(total(held, over)),
        Function::Avg => Some(total(held, over) / count),
        Function::First => values.first().copied(),
        Function::Changes => Some(values.windows(2).filter(|pair| pair[0] != pair[1]).count() as f64),
        Function::Resets => Some(values.windows(2).filter(|pair| pair[1] < pair[0]).count() as f64),
        Function::Stddev => {
            let mean = values.iter().sum::<f64>() / count;
            Some((values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt())
        }
        Function::Slope => line(held).map(|(slope, _)| slope),
        Function::Forecast(ahead) => {
            line(held).map(|(slope, line)| line + slope * (at + ahead - held[0].0) as f64 / 1e3)
        }
        Function::Quantile(part) => {
            let mut sorted = values;
            sorted.sort_by(f64::total_cmp);
            let rank = f64::from(part) / 1e6 * (count - 1.0);
            let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
            Some(low + (high - low) * rank.fract())
        }
        _ => extrapolated(function, held, at, over),
    }
}

/// Slope and value at the first sample of the least-squares line, by the normal equations.
fn line(held: &[(Ms, f64)]) -> Option<(f64, f64)> {
    let n = held.len() as f64;
    let x = |time: Ms| (time - held[0].0) as f64 / 1e3;
    let (sx, sy) = held.iter().fold((0.0, 0.0), |(sx, sy), (time, value)| (sx + x(*time), sy + value));
    let (mut sxx, mut sxy) = (0.0, 0.0);
    for (time, value) in held {
        sxx += x(*time) * x(*time);
        sxy += x(*time) * value;
    }
    let slope = (n * sxy - sx * sy) / (n * sxx - sx * sx);
    (held.len() > 1).then_some((slope, (sy - slope * sx) / n))
}

fn total(held: &[(Ms, f64)], over: Ms) -> f64 {
    let size = 1_i64 << chunk(over);
    let mut parts = std::collections::BTreeMap::new();
    for (time, value) in held {
        parts.entry(time.div_euclid(size)).or_insert_with(Vec::new).push(*value);
    }
    // The first chunk is added up from its end.
    if let Some(mut first) = parts.first_entry() {
        first.get_mut().reverse();
    }
    let parts = parts.values().map(|values| values.iter().fold(0.0, |sum, value| sum + value));
    parts.fold(0.0, |total, part| total + part)
}

fn extrapolated(function: Function, held: &[(Ms, f64)], at: Ms, over: Ms) -> Option<f64> {
    let (first, last) = (held.first()?, held.last()?);
    if held.len() < 2 {
        return None;
    }
    let mut result = last.1 - first.1;
    if function != Function::Delta {
        result += held.windows(2).filter(|pair| pair[1].1 < pair[0].1).map(|pair| pair[0].1).sum::<f64>();
    }
    let sampled = (last.0 - first.0) as f64 / 1e3;
    let gap = sampled / (held.len() - 1) as f64;
    let edge = |distance: Ms| if distance as f64 / 1e3 >= gap * 1.1 { gap / 2.0 } else { distance as f64 / 1e3 };
    let mut before = edge(first.0 - (at - over));
    if function != Function::Delta && result > 0.0 && first.1 >= 0.0 {
        before = before.min(sampled * first.1 / result);
    }
    let factor = (sampled + before + edge(at - last.0)) / sampled;
    Some(result * factor / if function == Function::Rate { over as f64 / 1e3 } else { 1.0 })
}

/// Sums that the oracle adds up in another order.
fn inexact(function: Function) -> bool {
    let plain = [Function::Last, Function::First, Function::Min, Function::Max, Function::Sum, Function::Avg];
    function.facts().needs > 0 && !plain.contains(&function)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn window_values_are_those_of_plain_code(
        samples in prop::collection::vec((0_i64..400, 0_u32..50), 0..60),
        at in 0_i64..420,
        over in 1_i64..200,
    ) {
        let all: Vec<(Ms, f64)> = samples.iter().map(|(t, v)| (*t * 100, f64::from(*v) * 0.1)).collect();
        let mut ring = Ring::default();
        for (time, value) in &all {
            ring.insert(*time, *value, Same::Replace);
        }
        let (at, over) = (at * 100, over * 100);
        let held = held(&all, at, over);
        let span = Span { at, over, interval: 100 };
        for (function, _) in FUNCTIONS {
            let got = value(function, ring.view(span), span, false);
            let want = plain(function, &held, at, over);
            prop_assert_eq!(got.samples, held.len());
            match (got.value, want) {
                (Some(got), Some(want)) if inexact(function) =>
                    prop_assert!((got - want).abs() <= 1e-9 * want.abs().max(1.0), "{function:?} {got} {want}"),
                (got, want) => prop_assert_eq!(got, want, "{:?}", function),
            }
        }
    }
}

#[test]
fn a_sample_that_left_a_window_does_not_return_when_the_clock_goes_back() {
    let mut ring = Ring::default();
    ring.insert(10_000, 1.0, Same::Replace);
    ring.insert(60_000, 2.0, Same::Replace);
    ring.outlive(80_001);
    ring.insert(11_000, 3.0, Same::Replace);
    let times =
        |at, over| ring.view(Span { at, over, interval: 1_000 }).iter().map(|point| point.time).collect::<Vec<_>>();
    assert_eq!(times(30_000, 60_000), [11_000], "the first has left at 70 s, the second lies ahead");
    assert_eq!(times(30_000, 120_000), [10_000, 11_000], "the longer window still holds it");
    assert_eq!(times(61_000, 60_000), [11_000, 60_000]);
}

#[test]
fn rate_extrapolates_as_prometheus_3_does() {
    let mut ring = Ring::default();
    for n in 0..=10 {
        ring.insert(n * 10_000, n as f64 * 10.0, Same::Replace);
    }
    // (0, 100 s] holds 10..100: nine gaps; 10 s to the left edge are within 1.1 gaps, and zero lies just there.
    let span = Span { at: 100_000, over: 100_000, interval: 1_000 };
    assert_eq!(value(Function::Increase, ring.view(span), span, false).value, Some(100.0));
    assert_eq!(value(Function::Rate, ring.view(span), span, false).value, Some(1.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    /// What is remembered from visit to visit gives the value that a look at the whole window gives, bit for bit.
    #[test]
    fn what_is_remembered_is_what_is_read(
        samples in prop::collection::vec((1_i64..300, -20_i32..30), 1..300),
        over in 1_000_i64..30_000,
        visits in 1_usize..7,
    ) {
        let memos = FUNCTIONS.iter().filter_map(|(of, _)| Some((*of, Memo::of(*of, over, usize::MAX)?)));
        let mut memos: Vec<(Function, Memo)> = memos.collect();
        prop_assert!(memos.iter().any(|(of, _)| *of == Function::Avg) && memos.iter().any(|(of, _)| *of == Function::Rate));
        let (mut ring, mut at) = (Ring::default(), 0);
        for (n, (gap, number)) in samples.iter().enumerate() {
            at += gap;
            // A zero of either sign among them.
            let value_now = if *number == -20 { -0.0 } else { f64::from(*number) * 0.1 };
            ring.insert(at, value_now, Same::Replace);
            if n % visits > 0 {
                continue;
            }
            let span = Span { at: at + gap % 5, over, interval: 1 };
            for (function, memo) in &mut memos {
                memo.refresh(&ring, span);
                let (got, want) = (memo.value(*function, ring.view(span), span), value(*function, ring.view(span), span, false));
                prop_assert!(memo.is_of(span) && got.samples == want.samples);
                prop_assert_eq!(got.value.map(f64::to_bits), want.value.map(f64::to_bits), "{:?} {:?} {:?}", function, got, want);
            }
        }
    }
}
