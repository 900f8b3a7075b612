//! Expressions that are evaluated together, against the plain evaluation of each: equal to the last bit, whatever comes.

use std::cell::RefCell;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::evaluate::promql::{Kept, Together, Windows};

/// What comes between two ticks.
#[derive(Debug, Clone)]
enum Come {
    /// Of which series, how old, how large.
    Sample(usize, Ms, u32),
    /// The series ends, so long ago.
    Stale(usize, Ms),
}

fn worlds() -> impl Strategy<Value = Vec<(Ms, Vec<Come>)>> {
    let late = prop_oneof![12 => 0_i64..3_000, 2 => 0_i64..60_000, 1 => 0_i64..400_000];
    let come = prop_oneof![
        12 => (0_usize..SERIES.len(), late.clone(), 0_u32..40).prop_map(|(n, late, value)| Come::Sample(n, late, value)),
        1 => (0_usize..SERIES.len(), late).prop_map(|(n, late)| Come::Stale(n, late)),
    ];
    let gap = prop_oneof![20 => Just(10_000_i64), 2 => 10_000_i64..90_000, 1 => Just(0_i64), 1 => Just(-30_000_i64)];
    prop::collection::vec((gap, prop::collection::vec(come, 0..8)), 5..40)
}

const SERIES: [(&str, &str, &str); 7] = [
    ("m", "a", "x"),
    ("m", "a", "y"),
    ("m", "b", "x"),
    ("m", "c", ""),
    ("n_total", "a", "x"),
    ("n_total", "b", "y"),
    ("o", "b", "x"),
];

/// Vectors from a few selectors, so that equal parts are frequent.
fn exprs() -> impl Strategy<Value = String> {
    let selector = prop::sample::select(vec!["m", "m{h=\"a\"}", "m{d!=\"\"}", "n_total", "{h=~\"a|b\"}", "r", "o"]);
    let shift = prop::sample::select(vec!["", "", "", " offset 30s", " offset -20s", " @ 150", " @ end()"]);
    let leaf = (selector.clone(), shift.clone()).prop_map(|(selector, shift)| format!("{selector}{shift}"));
    let function = prop::sample::select(vec![
        "rate",
        "increase",
        "delta",
        "irate",
        "avg_over_time",
        "sum_over_time",
        "min_over_time",
        "max_over_time",
        "count_over_time",
        "last_over_time",
        "stddev_over_time",
        "changes",
        "resets",
        "deriv",
        "absent_over_time",
        "present_over_time",
        "ts_of_max_over_time",
    ]);
    let range = prop::sample::select(vec!["30s", "1m", "3m"]);
    let window = (function.clone(), selector.clone(), range.clone(), shift.clone())
        .prop_map(|(function, selector, range, shift)| format!("{function}({selector}[{range}]{shift})"));
    let more = (selector, range.clone(), prop::sample::select(vec!["predict_linear", "quantile_over_time"])).prop_map(
        |(selector, range, function)| match function {
            "predict_linear" => format!("predict_linear({selector}[{range}], 60)"),
            _ => format!("quantile_over_time(scalar(o) / 40, {selector}[{range}])"),
        },
    );
    let base = prop_oneof![3 => leaf, 5 => window, 1 => more];
    base.prop_recursive(3, 12, 2, move |inner| {
        let by =
            prop::sample::select(vec!["sum by (h)", "sum", "max without (d)", "count by (h, d)", "topk by (h) (1,"]);
        let sides = prop::sample::select(vec!["+", "/", ">", "> bool", "and", "unless on (h)", "or", "* on (h)"]);
        prop_oneof![
            2 => (by, inner.clone()).prop_map(|(by, of)| match by.strip_suffix("(1,") {
                Some(by) => format!("{by} (1, {of})"),
                None => format!("{by} ({of})"),
            }),
            2 => (inner.clone(), sides, inner.clone()).prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
            1 => (inner.clone(), 0_u32..40).prop_map(|(of, than)| format!("({of}) > {than}")),
            2 => (function.clone(), inner, range.clone(), shift.clone())
                .prop_map(|(function, of, range, shift)| format!("{function}(({of})[{range}:20s]{shift})")),
        ]
    })
}

fn labels((name, h, d): (&str, &str, &str)) -> Labels {
    Labels::new([(NAME, name), ("h", h), ("d", d)].into_iter().filter(|(_, value)| !value.is_empty()))
}

/// A result with the bits of its numbers.
pub(super) fn bits(value: Result<Value, Trouble>) -> String {
    let number = |value: f64| if value.is_nan() { "nan".to_owned() } else { format!("{:x}", value.to_bits()) };
    match value {
        Ok(Value::Vector(samples)) => {
            samples.iter().map(|s| format!("{} {};", s.labels, number(s.value))).collect::<String>()
        }
        Ok(Value::Scalar(value)) => number(value),
        other => format!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn what_is_kept_never_shows(
        world in worlds(),
        texts in prop::collection::vec(exprs(), 1..6),
        recorded in exprs(),
    ) {
        let record = parse(&recorded).unwrap();
        let parsed: Vec<Expr> = texts.iter().filter_map(|text| parse(text).ok()).collect();
        let together = Together::new(parsed.iter().cloned().chain([record.clone()]).collect());
        let (kept, mut windows, mut memory) = (RefCell::new(Kept::default()), Windows::default(), Memory::default());
        windows.watch(together.sets(), &Arc::default());
        let keep = together.exprs().iter().map(Expr::look_back).max().unwrap_or(0);
        let (mut at, mut highest) = (100_000, 100_000);
        for (tick, (gap, come)) in world.iter().enumerate() {
            // Never further back than what is kept below allows for.
            at = (at + gap).max(highest - 40_000);
            highest = highest.max(at);
            for come in come {
                let (n, time, value) = match come {
                    Come::Sample(n, late, value) => (*n, at - late, f64::from(*value) * 0.1),
                    Come::Stale(n, late) => (*n, at - late, stale()),
                };
                windows.insert(&labels(SERIES[n]), time, value, 1_000);
                memory.append(&labels(SERIES[n]), time, value);
            }
            together.begin(&kept, &windows.touched());
            // A recording in between: those behind it see what it wrote.
            for n in [parsed.len()].into_iter().chain(0..parsed.len()).chain(0..parsed.len()) {
                let expr = together.expr(n).unwrap();
                let plain = instant(expr, &memory, at);
                let got = together.instant(n, &windows, &kept, at);
                prop_assert_eq!(bits(got), bits(plain.clone()), "{} at {}", expr.text(), at);
                let Ok(Value::Vector(found)) = plain else { continue };
                if n == parsed.len() {
                    for sample in found {
                        let series = sample.labels.with(NAME, "r");
                        windows.insert(&series, at, sample.value, 1_000);
                        memory.append(&series, at, sample.value);
                    }
                    together.wrote(&mut kept.borrow_mut(), "r", at);
                }
            }
            // What `@` pins may be older than any look back.
            if tick % 6 == 5 && !together.exprs().iter().any(|expr| expr.text().contains("@ 150")) {
                windows.trim(at - keep - 40_000);
            }
        }
    }
}

#[test]
fn equal_parts_have_one_place() {
    let of = |texts: &[&str]| Together::new(texts.iter().map(|text| parse(text).unwrap()).collect());
    let same = of(&[
        "sum by (a, b) (rate(m{x=\"1\"}[5m])) > 1",
        "  sum by(b,a)( (rate(m {x='1'} [300s])) ) > 2",
        "avg(rate(m{x=\"1\"}[5m]))",
    ]);
    // The range, its rate, the sum, two comparisons, the average.
    assert_eq!((same.places(), same.sets().len()), (6, 1));
    for (a, b) in [
        ("m", "m offset 1m"),
        ("rate(m[5m])", "rate(m[6m])"),
        ("rate(m[5m])", "increase(m[5m])"),
        ("m @ 5", "m @ 6"),
        ("a + on (x) b", "a + ignoring (x) b"),
        ("a > b", "a > bool b"),
        ("sum by (x) (m)", "sum without (x) (m)"),
        ("m{x=\"1\"}", "m{x!=\"1\"}"),
        ("avg_over_time(m[5m:1m])", "avg_over_time(m[5m:2m])"),
        ("topk(1, m)", "topk(2, m)"),
    ] {
        assert!(of(&[a, b]).places() > of(&[a]).places(), "{a} is not {b}");
    }
}

/// Counted, not timed: how often the storage is asked for samples.
#[test]
fn an_equal_leaf_is_asked_for_once_and_a_kept_step_never_again() {
    struct Counting(Windows, std::cell::Cell<usize>);
    impl Storage for Counting {
        fn each(&self, sought: Sought<'_>, see: &mut dyn FnMut(Part<'_>)) {
            self.1.set(self.1.get() + 1);
            self.0.each(sought, see);
        }
    }
    let texts = ["rate(m[1m]) > 1", "sum(rate(m[1m])) > 2", "max_over_time(rate(m[1m])[10m:1m]) > 3"];
    let together = Together::new(texts.iter().map(|text| parse(text).unwrap()).collect());
    let (kept, mut storage) = (RefCell::new(Kept::default()), Counting(Windows::default(), std::cell::Cell::new(0)));
    let mut asked = Vec::new();
    for tick in 1..=3 {
        let at = tick * 60_000;
        storage.0.insert(&labels(SERIES[0]), at, 1.0, 9);
        together.begin(&kept, &storage.0.touched());
        storage.1.set(0);
        for n in 0..texts.len() {
            together.instant(n, &storage, &kept, at).unwrap();
        }
        asked.push(storage.1.get());
    }
    // The first: one for two rules, and ten steps, of which the last is that one too. Then the newest step alone.
    assert_eq!(asked, [10, 1, 1]);
}
