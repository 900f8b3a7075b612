//! Sums, means, deviations and trends of windows that are too long to be read anew for each sample.
//!
//! The idea: what is kept of a stretch of samples can be joined with that of the next, and a long window is folded in
//! blocks that are aligned to absolute time (`evaluate::blocks`, as for native rules): what it *is* hangs on its content
//! alone, so who remembers the blocks finds the same bits as who reads the window. Sums keep what additions lose;
//! deviations and trends lie around the stretch's own means (Chan, Golub and LeVeque), where nothing cancels. Where the
//! result is not finite, the window is read in order, as a short one: infinities and overflows mean what they do there.

use crate::evaluate::blocks::{Stretch, WORTH, chunk, fold};
use crate::evaluate::promql::functions::Window;
use crate::evaluate::promql::number::Sum;
use crate::evaluate::ring::Point;
use crate::time::Ms;

/// The value of a window of many samples, from nothing; `None` where it is to be read in order.
pub(super) fn long<D: Stretch>(w: &Window<'_>, value: fn(&D, &Window<'_>) -> f64) -> Option<f64> {
    if w.points.len() < WORTH {
        return None;
    }
    let shift = chunk(w.until - w.after);
    let first = w.points.first()?.0 >> shift;
    let (head, others) = w.points.split_at(w.points.partition_point(|(time, _)| time >> shift == first));
    let point = |(time, value): &(Ms, f64)| Point { time: *time, value: *value };
    let all: D = fold(head.iter().map(point), others.iter().map(point), shift)?;
    Some(value(&all, w)).filter(|value| value.is_finite())
}

/// For sums and means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Total {
    begins: Ms,
    count: f64,
    sum: Sum,
}

impl Stretch for Total {
    fn of(point: Point) -> Self {
        Self { begins: point.time, count: 1.0, sum: Sum::new(point.value) }
    }

    fn join(&self, later: &Self) -> Self {
        let mut sum = self.sum;
        sum.join(later.sum);
        Self { begins: self.begins, count: self.count + later.count, sum }
    }

    fn begins(&self) -> Ms {
        self.begins
    }
}

impl Total {
    pub(super) fn sum(&self, _: &Window<'_>) -> f64 {
        self.sum.value()
    }

    pub(super) fn mean(&self, _: &Window<'_>) -> f64 {
        self.sum.by(self.count)
    }
}

/// For deviations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    begins: Ms,
    count: f64,
    mean: Sum,
    /// Squares of the distances from the mean.
    squares: Sum,
}

impl Stretch for Spread {
    fn of(point: Point) -> Self {
        Self { begins: point.time, count: 1.0, mean: Sum::new(point.value), squares: Sum::default() }
    }

    fn join(&self, later: &Self) -> Self {
        let count = self.count + later.count;
        let (apart, share) = (later.mean.above(self.mean), later.count / count);
        let (mut mean, mut squares) = (self.mean, self.squares);
        mean.add(apart * share);
        squares.join(later.squares);
        squares.add(apart * apart * (self.count * share));
        Self { begins: self.begins, count, mean, squares }
    }

    fn begins(&self) -> Ms {
        self.begins
    }
}

impl Spread {
    pub(super) fn variance(&self, _: &Window<'_>) -> f64 {
        self.squares.raw() / self.count
    }

    pub(super) fn deviation(&self, w: &Window<'_>) -> f64 {
        self.variance(w).sqrt()
    }
}

/// For straight lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trend {
    begins: Ms,
    count: f64,
    mean: Sum,
    /// The mean time, in s from the first sample on.
    when: Sum,
    /// Squares of the distances in time from the mean time.
    spread: Sum,
    /// Products of the distances in time and in value.
    product: Sum,
}

impl Stretch for Trend {
    fn of(point: Point) -> Self {
        let none = Sum::default();
        let mean = Sum::new(point.value);
        Self { begins: point.time, count: 1.0, mean, when: none, spread: none, product: none }
    }

    fn join(&self, later: &Self) -> Self {
        let count = self.count + later.count;
        let share = later.count / count;
        let weight = self.count * share;
        let up = later.mean.above(self.mean);
        let along = seconds(later.begins - self.begins) + later.when.above(self.when);
        let mut all = Self { count, ..*self };
        all.mean.add(up * share);
        all.when.add(along * share);
        all.spread.join(later.spread);
        all.spread.add(along * along * weight);
        all.product.join(later.product);
        all.product.add(along * up * weight);
        all
    }

    fn begins(&self) -> Ms {
        self.begins
    }
}

impl Trend {
    /// By least squares, per second.
    pub(super) fn slope(&self, _: &Window<'_>) -> f64 {
        self.product.raw() / self.spread.raw()
    }

    /// Where the line is, so many seconds after the time of the evaluation as the call says.
    pub(super) fn ahead(&self, w: &Window<'_>) -> f64 {
        let slope = self.slope(w);
        slope * w.param(0) + (self.mean.raw() + slope * (seconds(w.at - self.begins) - self.when.raw()))
    }
}

#[expect(clippy::cast_precision_loss, reason = "lengths of time stay far below 2^52 ms")]
fn seconds(length: Ms) -> f64 {
    length as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::promql::number::{line, mean, sum, variance};

    fn points(n: i64, value: impl Fn(f64) -> f64) -> Vec<(Ms, f64)> {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        (1..=n).map(|n| (n * 10_007, value(n as f64))).collect()
    }

    fn over(points: &[(Ms, f64)]) -> Window<'_> {
        let until = points.last().unwrap().0 + 3_000;
        Window { points, after: 0, until, at: until, params: &[3_600.0] }
    }

    /// Relative to the larger of the two.
    fn apart(a: f64, b: f64) -> f64 {
        if a == b { 0.0 } else { (a - b).abs() / a.abs().max(b.abs()) }
    }

    #[test]
    fn blocks_give_what_reading_in_order_gives_but_for_the_last_bits() {
        fn noise(n: f64) -> f64 {
            (n * 0.73).sin() * 3.7 + (n * n * 0.011).cos()
        }
        let worlds: [fn(f64) -> f64; 4] = [
            |n| 0.1 * n + noise(n),
            |n| 1e9 + noise(n) * 1e-3,
            |n| noise(n) * 1e-12,
            |n| if n % 2.0 == 0.0 { 1e16 } else { 1.0 },
        ];
        for (world, value) in worlds.into_iter().enumerate() {
            let points = points(5_000, value);
            let w = over(&points);
            let values = || points.iter().map(|(_, value)| *value);
            assert!(apart(long(&w, Total::sum).unwrap(), sum(values())) < 3e-16, "{world}");
            assert!(apart(long(&w, Total::mean).unwrap(), mean(values())) < 5e-16, "{world}");
            let (blocks, read) = (long(&w, Spread::variance).unwrap(), variance(values()));
            if world == 1 {
                // Worked out in fractions: half the digits of the formula of short windows are wrong here.
                assert!(apart(blocks, 7.449_038_860_215_746e-6) < 1e-9 && apart(blocks, read) < 1e-6, "{blocks}");
            } else {
                assert!(apart(blocks, read) < 1e-12, "{world}: {blocks} {read}");
            }
            if world == 0 {
                // Of the others the formula of short windows has no digit left.
                let (slope, now) = line(&points, w.at).unwrap();
                assert!(apart(long(&w, Trend::slope).unwrap(), slope) < 1e-9, "{slope}");
                assert!(apart(long(&w, Trend::ahead).unwrap(), slope * 3_600.0 + now) < 1e-9);
            }
        }
    }

    #[test]
    fn what_rests_has_no_spread_and_no_slope_and_its_own_mean() {
        let points = points(999, |_| 0.9);
        let w = over(&points);
        assert_eq!(long(&w, Total::mean), Some(0.9));
        assert_eq!((long(&w, Spread::deviation), long(&w, Trend::slope)), (Some(0.0), Some(0.0)));
        assert_eq!(long(&w, Trend::ahead), Some(0.9));
    }

    #[test]
    fn short_windows_and_what_is_not_finite_are_read_in_order() {
        assert_eq!(long(&over(&points(127, |n| n)), Total::sum), None);
        assert_eq!(long(&over(&points(200, |n| if n > 199.0 { f64::INFINITY } else { n })), Total::sum), None);
        assert_eq!(long(&over(&points(200, |_| 1e308)), Total::mean), None, "it would overflow");
    }
}
