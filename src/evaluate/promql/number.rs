//! Arithmetic that functions and aggregations share: compensated sums, means, deviations, quantiles, a straight line.
//!
//! The idea: a long sum keeps what each addition lost (Neumaier's form of Kahan's summation), so that 2 + 8 + 1e100 −
//! 1e100 is 10 and the order of series hardly shows. NaN and infinity go through as in Prometheus; each rule stands at
//! its function.

use crate::evaluate::sorted::sort;
use crate::time::Ms;

/// A sum that remembers what its additions lost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    pub(super) fn new(first: f64) -> Self {
        Self { sum: first, lost: 0.0 }
    }

    pub(super) fn add(&mut self, value: f64) {
        let next = self.sum + value;
        if next.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - next) + value;
        } else {
            self.lost += (value - next) + self.sum;
        }
        self.sum = next;
    }

    /// Adds another sum, and what that one remembers.
    pub(super) fn join(&mut self, later: Self) {
        self.add(later.sum);
        self.lost += later.lost;
    }

    /// How much it is more than `other`.
    pub(super) fn above(self, other: Self) -> f64 {
        (self.sum - other.sum) + (self.lost - other.lost)
    }

    /// The sum by `count`, rounded about once.
    pub(super) fn by(self, count: f64) -> f64 {
        let part = self.sum / count;
        part + ((-part).mul_add(count, self.sum) + self.lost) / count
    }

    pub(super) fn value(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.lost }
    }

    fn scaled(self, by: f64) -> Self {
        Self { sum: self.sum * by, lost: self.lost * by }
    }
}

/// The sum of `values`.
pub(super) fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = Sum::default();
    values.into_iter().for_each(|value| sum.add(value));
    sum.value()
}

/// The mean of `values`; NaN of none. A sum that would overflow goes on as a running mean.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values = values.into_iter();
    let Some(first) = values.next() else { return f64::NAN };
    let mut total = Sum::new(first);
    let mut count = 1.0;
    let mut running = false;
    for value in values {
        count += 1.0;
        if !running {
            let mut next = total;
            next.add(value);
            if next.sum.is_finite() || next.sum.is_nan() {
                total = next;
                continue;
            }
            running = true;
            total = Sum { sum: total.sum / (count - 1.0), lost: total.lost / (count - 1.0) };
        }
        total = total.scaled((count - 1.0) / count);
        total.add(value / count);
    }
    if running { total.value() } else { total.sum / count + total.lost / count }
}

/// The mean squared distance from the mean, over all values (not n − 1), by Welford; NaN of none.
pub(super) fn variance(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, Sum::default(), Sum::default());
    for value in values {
        count += 1.0;
        let delta = value - mean.raw();
        mean.add(delta / count);
        squares.add(delta * (value - mean.raw()));
    }
    squares.raw() / count
}

impl Sum {
    /// As [`Sum::value`], but infinity and what was lost mix: a deviation with an infinite value is NaN.
    pub(super) fn raw(self) -> f64 {
        self.sum + self.lost
    }
}

/// The φ-quantile: the values sorted (NaN smallest, −0 below 0), interpolated between neighbours. −∞ below 0, +∞ above
/// 1, NaN of none or of φ NaN.
pub(super) fn quantile(phi: f64, mut values: Vec<f64>) -> f64 {
    sort(&mut values);
    quantile_of(phi, values.len(), |n| values[n])
}

/// The same of `count` values in that order, which `nth` gives.
pub(super) fn quantile_of(phi: f64, count: usize, nth: impl Fn(usize) -> f64) -> f64 {
    if count == 0 || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    #[expect(clippy::cast_precision_loss, reason = "no window holds 2^52 values")]
    let rank = phi * (count - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the number of values")]
    let below = (rank.floor() as usize).min(count - 1);
    let weight = rank - rank.floor();
    // Without weight the neighbour does not count, not even an infinite one.
    if weight == 0.0 {
        return nth(below);
    }
    nth(below) * (1.0 - weight) + nth((below + 1).min(count - 1)) * weight
}

/// A straight line through `points` by least squares: (slope per second, value at `origin`). `None` below two points.
pub(super) fn line(points: &[(Ms, f64)], origin: Ms) -> Option<(f64, f64)> {
    let (_, first) = *points.first()?;
    if points.len() < 2 {
        return None;
    }
    if points.iter().all(|(_, value)| *value == first) {
        let flat = if first.is_infinite() { f64::NAN } else { 0.0 };
        return Some((flat, if first.is_infinite() { f64::NAN } else { first }));
    }
    let (mut x, mut y, mut xy, mut xx, mut n) = (Sum::default(), Sum::default(), Sum::default(), Sum::default(), 0.0);
    for (t, value) in points {
        #[expect(clippy::cast_precision_loss, reason = "a distance inside a window")]
        let seconds = (t - origin) as f64 / 1000.0;
        n += 1.0;
        x.add(seconds);
        y.add(*value);
        xy.add(seconds * value);
        xx.add(seconds * seconds);
    }
    let (x, y, xy, xx) = (x.raw(), y.raw(), xy.raw(), xx.raw());
    let slope = (xy - x * y / n) / (xx - x * x / n);
    Some((slope, y / n - slope * x / n))
}

/// The larger of two; NaN where one is, unless the other is +∞.
pub(super) fn larger(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        return f64::INFINITY;
    }
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// The smaller of two; NaN where one is, unless the other is −∞.
pub(super) fn smaller(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        return f64::NEG_INFINITY;
    }
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}

/// The largest that is not NaN; NaN where all are, or there is none.
pub(super) fn greatest(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(f64::NAN, |best, value| if best.is_nan() || value > best { value } else { best })
}

/// The smallest that is not NaN; NaN where all are, or there is none.
pub(super) fn least(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(f64::NAN, |best, value| if best.is_nan() || value < best { value } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_what_additions_lose() {
        assert_eq!(sum([2.0, 8.0, 1e100, -1e100]), 10.0);
        assert_eq!(mean([2.0, 8.0, 1e100, -1e100]), 2.5);
        assert_eq!(sum([f64::INFINITY, 2.0]), f64::INFINITY);
        assert!(sum([f64::INFINITY, f64::NEG_INFINITY]).is_nan() && sum([1.0, f64::NAN]).is_nan());
        assert_eq!(sum([]), 0.0);
    }

    #[test]
    fn a_mean_does_not_overflow() {
        let big = 9.988_465_674_311_58e307;
        assert_eq!(mean([big; 4]), big);
        assert_eq!(mean([-big, -big, big, big]), 0.0);
        assert_eq!(mean([0.0, f64::INFINITY, f64::INFINITY, 0.0]), f64::INFINITY);
        assert!(mean([f64::INFINITY, f64::NEG_INFINITY]).is_nan() && mean([]).is_nan());
    }

    #[test]
    fn deviations_quantiles_and_extremes() {
        assert_eq!(variance([1.0, 2.0, 3.0, 4.0]), 1.25);
        assert_eq!(variance([1.33; 3]), 0.0);
        assert!(variance([f64::INFINITY]).is_nan() && variance([1.0, f64::NAN]).is_nan());
        assert!((quantile(0.8, vec![4.0, 0.0, 1.0]) - 2.8).abs() < 1e-12);
        assert!(quantile(0.2, vec![0.0, 1.0, f64::NAN]).is_nan(), "NaN is the smallest");
        assert_eq!(quantile(1.0, vec![1.0, f64::INFINITY]), f64::INFINITY);
        assert_eq!((quantile(-1.0, vec![1.0]), quantile(2.0, vec![1.0])), (f64::NEG_INFINITY, f64::INFINITY));
        assert_eq!((greatest([1.0, f64::NAN, 2.0]), least([f64::NAN, 1.0, 2.0])), (2.0, 1.0));
        assert!(larger(1.0, f64::NAN).is_nan() && smaller(f64::NAN, 1.0).is_nan());
        assert_eq!((larger(f64::INFINITY, f64::NAN), smaller(f64::INFINITY, 1.0)), (f64::INFINITY, 1.0));
    }

    #[test]
    fn a_line_goes_through_points() {
        let (slope, at_zero) = line(&[(0, 1.0), (10_000, 3.0), (20_000, 5.0)], 0).unwrap();
        assert!((slope - 0.2).abs() < 1e-12 && (at_zero - 1.0).abs() < 1e-12);
        assert_eq!(line(&[(0, 7.0), (5, 7.0)], 99), Some((0.0, 7.0)));
        assert_eq!(line(&[(0, 7.0)], 0), None);
    }
}
