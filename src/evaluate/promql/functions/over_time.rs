//! Functions of the samples in a window: `…_over_time`, trends and smoothing.
//!
//! The idea: each sees the samples of one series in (t − range, t], by time, never empty and without stale markers. From
//! sample to sample `moving` carries on what can be; `mad_over_time` and `double_exponential_smoothing`, whose values
//! hang on every sample anew, read the window again.

use crate::evaluate::promql::ast::Kind::{Range, Scalar, Vector};
use crate::evaluate::promql::functions::moving::{Extreme, Memory};
use crate::evaluate::promql::functions::stretch::{Spread, Total, Trend, long};
use crate::evaluate::promql::functions::{Body, Function, Window, row, window};
use crate::evaluate::promql::number::{greatest, least, line, mean, quantile, quantile_of, sum, variance};
use crate::time::Ms;

pub(super) const TABLE: &[Function] = &[
    window("avg_over_time", |w| Some(long(w, Total::mean).unwrap_or_else(|| mean(w.values()))))
        .recalling(Memory::Total(Total::mean)),
    window("sum_over_time", |w| Some(long(w, Total::sum).unwrap_or_else(|| sum(w.values()))))
        .recalling(Memory::Total(Total::sum)),
    window("min_over_time", |w| Some(least(w.values()))).recalling(Memory::Extreme(MIN)),
    window("max_over_time", |w| Some(greatest(w.values()))).recalling(Memory::Extreme(MAX)),
    window("count_over_time", |w| u32::try_from(w.points.len()).ok().map(f64::from)),
    window("present_over_time", |_| Some(1.0)),
    window("stdvar_over_time", |w| Some(deviation(w))).recalling(Memory::Spread(Spread::variance)),
    window("stddev_over_time", |w| Some(deviation(w).sqrt())).recalling(Memory::Spread(Spread::deviation)),
    Function { keeps_name: true, ..window("last_over_time", |w| w.values().last()) },
    Function { keeps_name: true, ..window("first_over_time", |w| w.values().next()) },
    window("mad_over_time", mad),
    window("ts_of_first_over_time", |w| w.points.first().map(time_of)),
    window("ts_of_last_over_time", |w| w.points.last().map(time_of)),
    window("ts_of_max_over_time", |w| extreme(w, LAST_MAX.yields)).recalling(Memory::Extreme(LAST_MAX)),
    window("ts_of_min_over_time", |w| extreme(w, LAST_MIN.yields)).recalling(Memory::Extreme(LAST_MIN)),
    row(
        "quantile_over_time",
        &[Scalar, Range],
        Vector,
        Body::Window(|w| Some(quantile(w.param(0), w.values().collect()))),
    )
    .recalling(Memory::Order(|w, sorted| quantile_of(w.param(0), sorted.len(), |n| sorted.nth(n)))),
    window("deriv", |w| long(w, Trend::slope).or_else(|| line(w.points, w.points.first()?.0).map(|(slope, _)| slope)))
        .recalling(Memory::Trend(Trend::slope)),
    row("predict_linear", &[Range, Scalar], Vector, Body::Moving(predict)).recalling(Memory::Trend(Trend::ahead)),
    row("double_exponential_smoothing", &[Range, Scalar, Scalar], Vector, Body::Window(smooth)),
];

const MIN: Extreme = Extreme { yields: |held, new| new < held || new.to_bits() == held.to_bits(), says: |best| best.1 };
const MAX: Extreme = Extreme { yields: |held, new| new > held || new.to_bits() == held.to_bits(), says: |best| best.1 };
/// Of equal ones the last.
const LAST_MIN: Extreme = Extreme { yields: |held, new| new <= held, says: time_of };
const LAST_MAX: Extreme = Extreme { yields: |held, new| new >= held, says: time_of };

/// Seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "times are below 2^53 ms")]
fn time_of(point: &(Ms, f64)) -> f64 {
    point.0 as f64 / 1000.0
}

/// When the last of the most extreme values was seen.
fn extreme(w: &Window<'_>, yields: fn(f64, f64) -> bool) -> Option<f64> {
    let first = w.points.first()?;
    let best = w
        .points
        .iter()
        .fold(first, |best, point| if best.1.is_nan() || yields(best.1, point.1) { point } else { best });
    Some(time_of(best))
}

/// The mean squared distance from the mean.
fn deviation(w: &Window<'_>) -> f64 {
    long(w, Spread::variance).unwrap_or_else(|| variance(w.values()))
}

/// The median of the distances from the median; NaN with any NaN.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a body")]
fn mad(w: &Window<'_>) -> Option<f64> {
    if w.values().any(f64::is_nan) {
        return Some(f64::NAN);
    }
    let median = quantile(0.5, w.values().collect());
    Some(quantile(0.5, w.values().map(|value| (value - median).abs()).collect()))
}

/// A straight line through the window, so many seconds after the time of the evaluation.
fn predict(w: &Window<'_>) -> Option<f64> {
    long(w, Trend::ahead).or_else(|| line(w.points, w.at).map(|(slope, now)| slope * w.param(0) + now))
}

/// Holt's smoothing of level and trend; nothing below two samples.
fn smooth(w: &Window<'_>) -> Option<f64> {
    let (level_factor, trend_factor) = (w.param(0), w.param(1));
    let [(_, first), (_, second), ..] = w.points else { return None };
    let (mut before, mut level, mut trend) = (0.0, *first, second - first);
    for (n, value) in w.values().enumerate().skip(1) {
        if n > 1 {
            trend = trend_factor * (level - before) + (1.0 - trend_factor) * trend;
        }
        before = level;
        level = level_factor * value + (1.0 - level_factor) * (level + trend);
    }
    Some(level)
}
