//! What is kept of a stretch of samples so that two stretches can be put together: for functions whose cost must not
//! grow with the window, and for panes.
//!
//! The idea: a [`Digest`] of one sample, and one way to join two that follow each other in time. Means and squares are
//! kept around the stretch's own mean (the pairwise update of Chan, Golub and LeVeque), so large values with small
//! differences lose nothing. How a window is cut into stretches depends on its content alone, so its value is the same
//! bit for bit whoever computes it. Which window it is, and what a function makes of it, is not known here.

use crate::evaluate::blocks::Stretch;
use crate::evaluate::ring::Point;
use crate::time::Ms;

/// What is kept of a stretch of samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Digest {
    /// How many samples.
    pub(super) count: f64,
    /// The first one.
    pub(super) first: Point,
    /// The last one.
    pub(super) last: Point,
    /// The smallest value.
    pub(super) min: f64,
    /// The greatest value.
    pub(super) max: f64,
    /// Their sum.
    pub(super) sum: f64,
    /// Their mean.
    pub(super) mean: f64,
    /// Sum of squares of value − mean.
    pub(super) squares: f64,
    /// Mean of the times in s, from the first sample on.
    pub(super) when: f64,
    /// Sum of squares of time − mean time.
    pub(super) spread: f64,
    /// Sum of (time − mean time) × (value − mean).
    pub(super) product: f64,
    /// How often a value was another than the one before.
    pub(super) changes: u32,
    /// How often a value was smaller than the one before.
    pub(super) resets: u32,
    /// What a counter had risen to before each reset, added up.
    pub(super) lost: f64,
}

impl Stretch for Digest {
    fn of(point: Point) -> Self {
        Self {
            count: 1.0,
            first: point,
            last: point,
            min: point.value,
            max: point.value,
            sum: point.value,
            mean: point.value,
            squares: 0.0,
            when: 0.0,
            spread: 0.0,
            product: 0.0,
            changes: 0,
            resets: 0,
            lost: 0.0,
        }
    }

    fn join(&self, later: &Self) -> Self {
        let count = self.count + later.count;
        let (value, time) =
            (later.mean - self.mean, seconds(later.first.time - self.first.time) + later.when - self.when);
        let share = later.count / count;
        let weight = self.count * share;
        let fell = later.first.value < self.last.value;
        Self {
            count,
            first: self.first,
            last: later.last,
            min: self.min.min(later.min),
            max: self.max.max(later.max),
            sum: self.sum + later.sum,
            mean: self.mean + value * share,
            squares: self.squares + later.squares + value * value * weight,
            when: self.when + time * share,
            spread: self.spread + later.spread + time * time * weight,
            product: self.product + later.product + time * value * weight,
            changes: self.changes + later.changes + u32::from(differs(self.last.value, later.first.value)),
            resets: self.resets + later.resets + u32::from(fell),
            lost: self.lost + later.lost + if fell { self.last.value } else { 0.0 },
        }
    }

    fn begins(&self) -> Ms {
        self.first.time
    }
}

impl Digest {
    /// The population's standard deviation.
    pub(super) fn deviation(&self) -> f64 {
        (self.squares / self.count).max(0.0).sqrt()
    }

    /// The slope of the least-squares line, per second; `None` with fewer than two samples.
    pub(super) fn slope(&self) -> Option<f64> {
        (self.spread > 0.0).then(|| self.product / self.spread)
    }

    /// The least-squares line's value at `at`.
    pub(super) fn line_at(&self, at: Ms) -> Option<f64> {
        let slope = self.slope()?;
        Some(self.mean + slope * (seconds(at - self.first.time) - self.when))
    }
}

#[expect(clippy::float_cmp, reason = "a value that is delivered again is the same to the last bit")]
fn differs(before: f64, now: f64) -> bool {
    before != now
}

#[expect(clippy::cast_precision_loss, reason = "lengths of time stay far below 2^52 ms")]
fn seconds(length: Ms) -> f64 {
    length as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(values: &[f64]) -> Digest {
        let points = (0_i64..).zip(values).map(|(n, value)| Digest::of(Point { time: n * 10_000, value: *value }));
        points.reduce(|all, one| all.join(&one)).unwrap()
    }

    #[test]
    fn large_values_with_small_differences_keep_their_deviation() {
        let digest = folded(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]);
        assert!((digest.deviation() - 22.5_f64.sqrt()).abs() < 1e-9, "{}", digest.deviation());
        assert_eq!(folded(&[0.1; 7]).deviation(), 0.0, "a value that rests deviates by nothing at all");
    }

    #[test]
    fn a_line_is_found_and_drawn_on() {
        let digest = folded(&[5.0, 4.0, 3.0, 2.0]);
        assert_eq!(digest.slope(), Some(-0.1));
        assert_eq!(digest.line_at(80_000), Some(-3.0));
        assert_eq!(Digest::of(Point { time: 7, value: 1.0 }).slope(), None);
    }

    #[test]
    fn resets_are_counted_also_where_two_stretches_meet() {
        let digest = folded(&[5.0, 9.0]).join(&folded(&[2.0, 3.0, 0.0]));
        assert_eq!((digest.resets, digest.changes, digest.lost), (2, 4, 12.0));
    }
}
