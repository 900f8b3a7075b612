//! Change in a window: counters (`rate`, `increase`, `irate`, `resets`) and gauges (`delta`, `idelta`, `changes`).
//!
//! The idea: `rate`, `increase` and `delta` are Prometheus 3's: the change between first and last sample, a counter's
//! falls added back, stretched to the window's edges where the samples come close to them. What the stretching may do
//! stands at [`Drawn::out`]. The change itself hangs on the samples alone, so that who keeps it needs no second look at
//! them.

use crate::evaluate::promql::ast::Kind::{Range, Vector};
use crate::evaluate::promql::functions::moving::Memory;
use crate::evaluate::promql::functions::{Body, Function, Window, row, window};
use crate::time::Ms;

pub(super) const TABLE: &[Function] = &[
    drawn("rate", Drawn { counter: true, per_second: true }).recalling(Memory::Falls),
    drawn("increase", Drawn { counter: true, per_second: false }).recalling(Memory::Falls),
    drawn("delta", Drawn { counter: false, per_second: false }),
    window("irate", |w| last_two(w, true)),
    window("idelta", |w| last_two(w, false)),
    window("changes", |w| Some(count(w.pairs().filter(changed)))).recalling(Memory::Pairs(changed)),
    window("resets", |w| Some(count(w.pairs().filter(fell)))).recalling(Memory::Pairs(fell)),
];

/// Whether the second value is another than the first.
#[expect(clippy::float_cmp, reason = "a value that stays is the same to the last bit")]
fn changed((before, after): &(f64, f64)) -> bool {
    before != after && !(before.is_nan() && after.is_nan())
}

/// Whether the second value is below the first.
fn fell((before, after): &(f64, f64)) -> bool {
    after < before
}

/// A change that is drawn out to the window's edges.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drawn {
    /// A fall is a restart from zero.
    counter: bool,
    /// By the window's length.
    per_second: bool,
}

const fn drawn(name: &'static str, how: Drawn) -> Function {
    row(name, &[Range], Vector, Body::Drawn(how))
}

fn count(found: impl Iterator) -> f64 {
    u32::try_from(found.count()).map_or(f64::INFINITY, f64::from)
}

#[expect(clippy::cast_precision_loss, reason = "times are below 2^53 ms")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

impl Drawn {
    /// The change from the first sample to the last; of a counter with its falls added back. `None` below two samples.
    pub(super) fn change(self, points: &[(Ms, f64)]) -> Option<f64> {
        let pairs = points.windows(2).map(|pair| (pair[0].1, pair[1].1));
        self.change_of(points, pairs.filter(|pair| self.counter && fell(pair)).map(|(before, _)| before))
    }

    /// The same where the values before each fall are known, in time order.
    pub(super) fn change_of(self, points: &[(Ms, f64)], falls: impl Iterator<Item = f64>) -> Option<f64> {
        let [first, .., last] = points else { return None };
        Some(falls.fold(last.1 - first.1, |change, before| change + before))
    }

    /// The change drawn out. Toward an edge it is stretched to the edge if that is nearer than 1.1 times the mean
    /// distance of samples, else by half that distance (the series begins or ends there); a counter never below zero.
    pub(super) fn out(self, w: &Window<'_>, change: f64) -> Option<f64> {
        let (first, last) = (w.points.first()?, w.points.last()?);
        let per = if self.per_second { seconds(w.until - w.after) } else { 1.0 };
        let sampled = seconds(last.0 - first.0);
        let mean = sampled / f64::from(u32::try_from(w.points.len() - 1).ok()?);
        let near = mean * 1.1;
        let reach = |gap: f64| if gap >= near { mean / 2.0 } else { gap };
        let mut before = reach(seconds(first.0 - w.after));
        if self.counter && change > 0.0 && first.1 >= 0.0 {
            before = before.min(sampled * (first.1 / change));
        }
        let after = reach(seconds(w.until - last.0));
        Some(change * ((sampled + before + after) / sampled / per))
    }
}

/// The change between the last two samples; of a counter per second, a fall being a restart from zero.
fn last_two(w: &Window<'_>, counter: bool) -> Option<f64> {
    let [.., before, last] = w.points else { return None };
    if !counter {
        return Some(last.1 - before.1);
    }
    let change = if last.1 < before.1 { last.1 } else { last.1 - before.1 };
    Some(change / seconds(last.0 - before.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(points: &[(i64, f64)], after: i64, until: i64) -> Window<'_> {
        Window { points, after, until, at: until, params: &[] }
    }

    fn stretched(w: &Window<'_>, counter: bool) -> Option<f64> {
        let drawn = Drawn { counter, per_second: false };
        drawn.out(w, drawn.change(w.points)?)
    }

    #[test]
    fn a_change_is_stretched_to_near_edges_only() {
        // Samples each 10 s, 5 s from both edges: 20 in 20 s becomes 30 in 30 s.
        let near = [(5_000, 10.0), (15_000, 20.0), (25_000, 30.0)];
        assert_eq!(stretched(&over(&near, 0, 30_000), false), Some(30.0));
        // 60 s to the right edge is far: half a distance, 5 s.
        assert_eq!(stretched(&over(&near, 0, 85_000), false), Some(30.0));
        assert_eq!(stretched(&over(&near[..1], 0, 30_000), true), None);
    }

    #[test]
    fn a_counter_is_not_stretched_below_zero_and_falls_are_added() {
        let young = [(5_000, 0.0), (15_000, 20.0)];
        assert_eq!(stretched(&over(&young, 0, 15_000), true), Some(20.0));
        assert_eq!(stretched(&over(&young, 0, 15_000), false), Some(30.0));
        let reset = [(0, 10.0), (10_000, 20.0), (20_000, 5.0)];
        assert_eq!(stretched(&over(&reset, -1, 20_000), true).map(f64::round), Some(15.0));
        assert_eq!(last_two(&over(&reset, -1, 20_000), true), Some(0.5));
        assert_eq!(last_two(&over(&reset, -1, 20_000), false), Some(-15.0));
    }
}
