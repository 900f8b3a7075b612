//! Classic histograms: quantiles and fractions from cumulative buckets with an `le` label.
//!
//! The idea: buckets of one histogram are the series that differ in `le` alone. Counts that fall from one bucket to the
//! next (they are scraped at slightly different times) are lifted to the one before; without a bucket `+Inf` nothing
//! can be said. Native histograms are not answered at all.

use std::collections::BTreeMap;

use crate::evaluate::promql::ast::Kind::{Scalar, Vector};
use crate::evaluate::promql::eval::labels::keep;
use crate::evaluate::promql::eval::{Got, Item};
use crate::evaluate::promql::functions::{Asked, Body, Function, note_quantile, row};
use crate::evaluate::promql::storage::NAME;
use crate::evaluate::promql::value::{Level, Trouble};
use crate::model::Labels;

pub(super) const TABLE: &[Function] = &[
    row("histogram_quantile", &[Scalar, Vector], Vector, Body::Whole(quantile)),
    row("histogram_fraction", &[Scalar, Scalar, Vector], Vector, Body::Whole(fraction)),
];

/// A difference of counts below this part of them is rounding, not a change.
const ROUNDING: f64 = 1e-12;

/// Upper bound and count of all at or below it.
type Bucket = (f64, f64);

fn quantile(asked: &Asked<'_>) -> Result<Got, Trouble> {
    let phi = asked.scalar(0);
    note_quantile(asked.scene, phi, asked.place(0));
    Ok(per_histogram(asked, 1, |asked, labels, buckets| {
        let mut buckets = buckets;
        if lift(&mut buckets) && (0.0..=1.0).contains(&phi) {
            let name = if asked.scene.late { labels.get(NAME).unwrap_or_default() } else { "" };
            let message = format!(
                "input to histogram_quantile needed to be fixed for monotonicity (see \
                 https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile) \
                 for metric name {name:?}"
            );
            asked.scene.note(Level::Info, asked.place(1), message);
        }
        at_quantile(phi, &buckets)
    }))
}

fn fraction(asked: &Asked<'_>) -> Result<Got, Trouble> {
    let (low, high) = (asked.scalar(0), asked.scalar(1));
    Ok(per_histogram(asked, 2, |_, _, buckets| between(low, high, &buckets)))
}

/// One result per histogram of the `n`-th argument.
fn per_histogram(asked: &Asked<'_>, n: usize, f: impl Fn(&Asked<'_>, &Labels, Vec<Bucket>) -> f64) -> Got {
    let mut found: BTreeMap<Labels, Vec<Bucket>> = BTreeMap::new();
    for item in asked.items(n) {
        let bound = item.labels.get("le").unwrap_or_default();
        match bound.parse::<f64>() {
            Ok(upper) if !upper.is_nan() => {
                found.entry(keep(&item.labels, |name| name != "le")).or_default().push((upper, item.value));
            }
            _ => {
                let name = if asked.scene.late { item.labels.get(NAME).unwrap_or_default() } else { "" };
                let message = format!(
                    "bucket label \"le\" is missing or has a malformed value of {bound:?} for metric name {name:?}"
                );
                asked.scene.note(Level::Warning, asked.place(n), message);
            }
        }
    }
    let one = |(labels, buckets): (Labels, Vec<Bucket>)| {
        let value = f(asked, &labels, sorted(buckets));
        let (labels, nameless) = asked.scene.unnamed(&labels);
        Item { labels, value, nameless }
    };
    Got::Vector(found.into_iter().map(one).collect())
}

/// By bound, buckets with one bound added up (NaN bounds do not come here).
fn sorted(mut buckets: Vec<Bucket>) -> Vec<Bucket> {
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    buckets.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    buckets
}

/// Lifts counts that fall below the one before; whether one fell by more than rounding.
fn lift(buckets: &mut [Bucket]) -> bool {
    let mut fell = false;
    if buckets.last().is_none_or(|last| last.0 != f64::INFINITY) {
        return false;
    }
    let mut before = buckets.first().map_or(0.0, |bucket| bucket.1);
    for bucket in buckets.iter_mut().skip(1) {
        let same = (bucket.1 - before).abs() <= ROUNDING * (bucket.1.abs() + before.abs()) / 2.0;
        if same || bucket.1 < before {
            fell |= !same;
            bucket.1 = before;
        } else {
            before = bucket.1;
        }
    }
    fell
}

/// The φ-quantile, interpolated inside its bucket; the lowest begins at 0 if its bound is above, the highest is its
/// lower bound.
fn at_quantile(phi: f64, buckets: &[Bucket]) -> f64 {
    if phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    let [lower @ .., last] = buckets else { return f64::NAN };
    if lower.is_empty() || last.0 != f64::INFINITY || last.1 == 0.0 {
        return f64::NAN;
    }
    let rank = phi * last.1;
    let n = lower.partition_point(|bucket| !(bucket.1 >= rank));
    let Some(bucket) = lower.get(n) else { return lower.last().map_or(f64::NAN, |bucket| bucket.0) };
    let Some(below) = n.checked_sub(1).and_then(|n| lower.get(n)) else {
        return if bucket.0 <= 0.0 { bucket.0 } else { bucket.0 * (rank / bucket.1) };
    };
    below.0 + (bucket.0 - below.0) * ((rank - below.1) / (bucket.1 - below.1))
}

/// The part of observations in (low, high].
fn between(low: f64, high: f64, buckets: &[Bucket]) -> f64 {
    let Some(last) = buckets.last().filter(|last| last.0 == f64::INFINITY && last.1 != 0.0) else { return f64::NAN };
    if low.is_nan() || high.is_nan() {
        return f64::NAN;
    }
    if low >= high {
        return 0.0;
    }
    (rank(high, buckets) - rank(low, buckets)) / last.1
}

/// How many observations lie at or below `value`, interpolated inside its bucket; an unbounded bucket is taken as if
/// all stood at its bound.
fn rank(value: f64, buckets: &[Bucket]) -> f64 {
    let mut lower = if buckets.first().is_some_and(|first| first.0 <= 0.0) { f64::NEG_INFINITY } else { 0.0 };
    let mut below = 0.0;
    for (upper, count) in buckets {
        if lower >= value {
            return below;
        }
        if value < *upper {
            if lower == f64::NEG_INFINITY {
                return *count;
            }
            return below + (count - below) * (value - lower) / (upper - lower);
        }
        (lower, below) = (*upper, *count);
    }
    below
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    #[test]
    fn a_quantile_lies_inside_its_bucket() {
        let buckets = [(1.0, 10.0), (2.0, 30.0), (INF, 40.0)];
        assert_eq!(at_quantile(0.125, &buckets), 0.5, "5 of the first 10, which begin at 0");
        assert_eq!(at_quantile(0.5, &buckets), 1.5);
        assert_eq!(at_quantile(0.9, &buckets), 2.0, "above the highest bound");
        assert_eq!((at_quantile(-1.0, &buckets), at_quantile(2.0, &buckets)), (-INF, INF));
        assert!(at_quantile(0.5, &buckets[..2]).is_nan(), "no +Inf");
        assert!(at_quantile(0.5, &[(INF, 4.0)]).is_nan() && at_quantile(0.5, &[(1.0, 0.0), (INF, 0.0)]).is_nan());
        assert_eq!(at_quantile(0.1, &[(-1.0, 10.0), (INF, 10.0)]), -1.0);
    }

    #[test]
    fn falling_counts_are_lifted() {
        let mut buckets = [(1.0, 10.0), (2.0, 8.0), (3.0, 12.0), (INF, 12.0)];
        assert!(lift(&mut buckets));
        assert_eq!(buckets, [(1.0, 10.0), (2.0, 10.0), (3.0, 12.0), (INF, 12.0)]);
        let mut rounding = [(1.0, 10.0), (INF, 10.0 - 1e-14)];
        assert!(!lift(&mut rounding));
        assert_eq!(rounding[1].1, 10.0);
    }

    #[test]
    fn a_fraction_is_the_difference_of_two_ranks() {
        let buckets = [(1.0, 10.0), (2.0, 30.0), (INF, 40.0)];
        assert_eq!(between(1.0, 2.0, &buckets), 0.5);
        assert_eq!(between(0.5, 1.5, &buckets), 0.375);
        assert_eq!(between(-INF, INF, &buckets), 1.0);
        assert_eq!(between(2.0, 1.0, &buckets), 0.0);
        assert!(between(0.0, f64::NAN, &buckets).is_nan());
    }
}
