//! Long windows that move on, against the plain evaluation of each: equal to the last bit, and without reading what lies
//! between their ends.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use proptest::prelude::*;

use super::together::bits;
use super::*;
use crate::evaluate::promql::{Kept, Sought, Together, Windows};

/// Every function that carries its value on.
const CARRIED: [&str; 16] = [
    "min_over_time(m[W])",
    "max_over_time(m[W])",
    "ts_of_min_over_time(m[W])",
    "ts_of_max_over_time(m[W])",
    "changes(m[W])",
    "resets(m[W])",
    "rate(m[W])",
    "increase(m[W])",
    "quantile_over_time(0.9, m[W])",
    "sum_over_time(m[W])",
    "avg_over_time(m[W])",
    "stddev_over_time(m[W])",
    "stdvar_over_time(m[W])",
    "deriv(m[W])",
    "predict_linear(m[W], 600)",
    "quantile_over_time(scalar(o) / 40, m[W])",
];
/// Functions that look at the ends of a window alone.
const ENDS: [&str; 9] = [
    "count_over_time(m[W])",
    "present_over_time(m[W])",
    "last_over_time(m[W])",
    "first_over_time(m[W])",
    "ts_of_first_over_time(m[W])",
    "ts_of_last_over_time(m[W])",
    "delta(m[W])",
    "irate(m[W])",
    "idelta(m[W])",
];
const READ: [&str; 2] = ["mad_over_time(m[W])", "double_exponential_smoothing(m[W], 0.3, 0.2)"];

fn over(range: &str, texts: &[&str]) -> Together {
    Together::new(texts.iter().map(|text| parse(&text.replace("[W]", &format!("[{range}]"))).unwrap()).collect())
}

/// What comes next: ms after the last, and a value.
#[derive(Debug, Clone)]
enum Come {
    Next(Ms, f64),
    Late(Ms, f64),
    /// The newest again, with this added.
    Again(f64),
    Stale(Ms),
}

fn comes() -> impl Strategy<Value = Vec<Come>> {
    let value = prop_oneof![
        20 => (-40_i32..40).prop_map(|value| f64::from(value) * 0.1),
        4 => Just(-0.0),
        2 => (0_u32..9).prop_map(|value| f64::from(value) * 1e15),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, f64::MIN_POSITIVE]),
    ];
    let gap = prop_oneof![30 => 1_i64..900, 2 => 900_i64..9_000, 1 => Just(70_000_i64)];
    let come = prop_oneof![
        200 => (gap.clone(), value.clone()).prop_map(|(gap, value)| Come::Next(gap, value)),
        1 => (0_i64..90_000, value).prop_map(|(late, value)| Come::Late(late, value)),
        1 => prop::sample::select(vec![0.0, 0.5]).prop_map(Come::Again),
        1 => gap.prop_map(Come::Stale),
    ];
    prop::collection::vec(come, 300..900)
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 50, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn a_long_window_that_moves_on_is_one_that_is_read(
        comes in comes(),
        range in prop::sample::select(vec!["40s", "2m", "5m"]),
        visits in 1_usize..40,
    ) {
        let together = over(range, &[&CARRIED[..], &ENDS, &READ].concat());
        let (kept, mut windows, mut memory) = (RefCell::new(Kept::default()), Windows::default(), Memory::default());
        windows.watch(together.sets(), &Arc::default());
        let keep = together.exprs().iter().map(Expr::look_back).max().unwrap();
        let (mut at, mut newest) = (1_000_000, 0.0);
        for (n, come) in comes.iter().enumerate() {
            let (time, value) = match come {
                Come::Next(gap, value) => (at + gap, *value),
                Come::Late(late, value) => (at - late, *value),
                Come::Again(more) => (at, newest + more),
                Come::Stale(gap) => (at + gap, stale()),
            };
            (at, newest) = (at.max(time), if time >= at { value } else { newest });
            for (name, value) in [("m", value), ("o", 20.0 + f64::from(n as u32 / 100))] {
                windows.insert(&Labels::new([(NAME, name)]), time, value, 9);
                memory.append(&Labels::new([(NAME, name)]), time, value);
            }
            if n % visits != 0 {
                continue;
            }
            let tick = at + (n as i64 % 3) * 400;
            together.begin(&kept, &windows.touched());
            for (n, expr) in together.exprs().iter().enumerate() {
                let plain = bits(instant(expr, &memory, tick));
                let got = bits(together.instant(n, &windows, &kept, tick));
                prop_assert_eq!(got, plain, "{} at {}", expr.text(), tick);
            }
            if n % 50 == 0 {
                // The next tick may be a little below this one.
                windows.trim(tick - keep - 1_000);
            }
        }
    }
}

/// A storage that shows nothing but noise in the middle of each part.
struct Blind {
    windows: Windows,
    on: Cell<bool>,
}

impl Storage for Blind {
    fn each(&self, sought: Sought<'_>, see: &mut dyn FnMut(Part<'_>)) {
        self.windows.each(sought, &mut |part| {
            let mut reach = part.reach.to_vec();
            let (from, length) = (reach.len() - part.points.len(), part.points.len());
            if self.on.get() {
                for (n, point) in reach[from + length / 8..from + length - length / 8].iter_mut().enumerate() {
                    point.1 = if n % 2 == 0 { -7e9 } else { 9e9 };
                }
            }
            see(Part { points: &reach[from..], reach: &reach, ..part });
        });
    }
}

#[test]
fn a_window_that_moves_on_is_not_read_between_its_ends() {
    let together = over("20m", &[&CARRIED[..], &ENDS].concat());
    let kept = RefCell::new(Kept::default());
    let mut blind = Blind { windows: Windows::default(), on: Cell::new(false) };
    blind.windows.watch(together.sets(), &Arc::default());
    let come = |blind: &mut Blind, n: i64| {
        let value = f64::from((n * 7_919 % 101) as i32) * 0.1;
        blind.windows.insert(&Labels::new([(NAME, "m")]), n * 2_000, value, 9);
        blind.windows.insert(&Labels::new([(NAME, "o")]), n * 2_000, 25.0, 9);
    };
    (1..=700).for_each(|n| come(&mut blind, n));
    let mut noise = 0;
    for n in 701..900 {
        come(&mut blind, n);
        together.begin(&kept, &blind.windows.touched());
        let wanted: Vec<String> =
            together.exprs().iter().map(|expr| bits(instant(expr, &blind.windows, n * 2_000))).collect();
        blind.on.set(n > 701);
        for (place, expr) in together.exprs().iter().enumerate() {
            let got = bits(together.instant(place, &blind, &kept, n * 2_000));
            assert_eq!(got, wanted[place], "{} at {n}", expr.text());
            noise += usize::from(bits(instant(expr, &blind, n * 2_000)) != wanted[place]);
        }
        blind.on.set(false);
    }
    assert!(noise > 198 * 10, "who reads the whole window meets the noise: {noise}");
}
