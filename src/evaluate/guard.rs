//! What may still arrive without anybody having to look: bounds within which new samples cannot change a verdict.
//!
//! The idea: a healthy instance stays healthy while each value that its window can take lies on the good side of every
//! threshold. `avg`, `min`, `max` and `last` stay inside the hull of the samples; the increase of a counter stays below
//! the sum of its steps and a little for the edges. So a visit works out bounds, and while samples keep to them nobody
//! is visited, neither when they come nor when old ones leave. A guard is always allowed to say no; it never says yes
//! where a visit would find something: bounds keep a distance from thresholds that is far above the rounding of sums.

use crate::evaluate::blocks::Samples as _;
use crate::evaluate::part::Part;
use crate::evaluate::ring::Ring;
use crate::evaluate::terms::Terms;
use crate::model::{Bound, Comparison, Fold, Level, Rule, Threshold};
use crate::time::Ms;

/// Distance that bounds keep from a threshold, as a part of it. Sums of n samples are off by at most n × 2⁻⁵³ parts, so
/// this leaves room for four million samples a window.
const MARGIN: f64 = 1e-9;
/// The rounding of a counter's increase, as a part of its highest value: it is the difference of the window's ends plus
/// what resets took away, each off by 2⁻⁵³ parts; this leaves room for some four hundred resets a window.
const BLUR: f64 = 1e-13;
/// What extrapolation adds at both edges of a window, in gaps between samples: 1.1 each (Prometheus 3, `rate`).
const EDGES: f64 = 2.2;

/// Bounds for the next samples of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Guard {
    low: f64,
    high: f64,
    /// Largest step that a counter may make; infinite where steps do not matter.
    step: f64,
    /// How far a counter may rise in all.
    room: f64,
}

impl Guard {
    /// Lets nothing pass.
    pub(super) const SHUT: Self = Self { low: f64::INFINITY, high: f64::NEG_INFINITY, step: 0.0, room: 0.0 };
    /// Lets everything pass.
    pub(super) const WIDE: Self =
        Self { low: f64::NEG_INFINITY, high: f64::INFINITY, step: f64::INFINITY, room: f64::INFINITY };

    /// Whether `value`, which comes after `before`, keeps to the bounds; a counter's step is then used up.
    #[inline]
    pub(super) fn admits(&mut self, before: f64, value: f64) -> bool {
        if !(self.low <= value && value <= self.high) {
            return false;
        }
        if self.step < f64::INFINITY {
            let step = if value >= before { value - before } else { value };
            if step > self.step || step > self.room {
                return false;
            }
            self.room -= step;
        }
        true
    }

    /// Whether each value is judged by itself, so that nothing is used up.
    pub(super) fn is_plain(self) -> bool {
        self.step == f64::INFINITY
    }

    /// This one after a counter has used up what `left` lacks of `whole`.
    pub(super) fn less(self, whole: Self, left: Self) -> Self {
        if self.is_plain() { self } else { Self { room: self.room - (whole.room - left.room).max(0.0), ..self } }
    }

    /// Lets pass what both let pass.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            low: self.low.max(other.low),
            high: self.high.min(other.high),
            step: self.step.min(other.step),
            room: self.room.min(other.room),
        }
    }
}

/// The values of a rule at which no severity's condition holds, and how they follow from samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Safe {
    low: f64,
    high: f64,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    /// The value lies in the hull of the samples.
    Hull,
    /// The value is a counter's increase, divided by so much.
    Rise(f64),
    /// The value is a difference of two samples, extrapolated.
    Spread,
    /// The value lies between 0 and half the distance of two samples.
    Deviation,
}

impl Safe {
    /// `None` where a rule with these levels must be visited whenever its window changes.
    pub(super) fn of(rule: &Rule, levels: &[Level]) -> Option<Self> {
        let how = match rule.function.facts().bound {
            Bound::Hull => How::Hull,
            Bound::RisePerSecond => How::Rise(seconds(rule.over)),
            Bound::Rise => How::Rise(1.0),
            Bound::Difference => How::Spread,
            Bound::Deviation => How::Deviation,
            Bound::Free => return None,
        };
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
        for level in levels {
            match (rule.when, level.threshold) {
                (Comparison::Above, Threshold::One(limit)) => high = high.min(limit - limit.abs() * MARGIN),
                (Comparison::AtLeast, Threshold::One(limit)) => high = high.min(short_of(limit)),
                (Comparison::Below, Threshold::One(limit)) => low = low.max(limit + limit.abs() * MARGIN),
                (Comparison::AtMost, Threshold::One(limit)) => low = low.max(-short_of(-limit)),
                (Comparison::Outside, Threshold::Range(from, to)) => {
                    low = low.max(from + from.abs() * MARGIN);
                    high = high.min(to - to.abs() * MARGIN);
                }
                _ => return None,
            }
        }
        Some(Self { low, high, how })
    }

    /// The part of it that is left to each of `n` series which are added up.
    fn share(self, n: f64) -> Self {
        Self { low: self.low / n, high: self.high / n, ..self }
    }
}

/// A little less than `limit`, also where that is 0.
fn short_of(limit: f64) -> f64 {
    limit - (limit.abs() * MARGIN).max(f64::MIN_POSITIVE)
}

#[expect(clippy::cast_precision_loss, reason = "lengths of time stay far below 2^52 ms")]
fn seconds(length: Ms) -> f64 {
    length as f64 / 1_000.0
}

/// The guard of one of `members` series of an instance that tick `at` finds healthy; and until when its window holds
/// enough samples for a value if no more come. `None` where the instance must look whenever its window changes.
pub(super) fn weigh(
    (part, terms): (&Part, &Terms),
    ring: &Ring,
    at: Ms,
    members: usize,
) -> Option<(Guard, Option<Ms>)> {
    let mut safe = terms.safe?;
    if ring.marked() {
        return None;
    }
    if part.fold == Fold::Sum && members > 1 {
        // Any of them may be missing from the sum.
        if safe.low > 0.0 || safe.high < 0.0 {
            return None;
        }
        safe = safe.share(f64::from(u32::try_from(members).ok()?));
    }
    let over = part.over;
    let wanted = part.facts.needs.max(terms.min_samples).max(1);
    if ring.since(at - over).len() == 0 {
        return Some((Guard::SHUT, None));
    }
    let until = ring.since(at - over).rev().nth(wanted - 1).map(|point| point.time + over);
    let held = ring.since(at - over);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let (mut rise, mut step, mut last) = (0.0, 0.0_f64, f64::NAN);
    for point in held {
        low = low.min(point.value);
        high = high.max(point.value);
        if !last.is_nan() {
            let now = if point.value >= last { point.value - last } else { point.value };
            rise += now;
            step = step.max(now);
        }
        last = point.value;
    }
    let guard = match safe.how {
        How::Hull => {
            (low >= safe.low && high <= safe.high).then_some(Guard { low: safe.low, high: safe.high, ..Guard::WIDE })
        }
        How::Spread => spread(safe.high.min(-safe.low) / ((1.0 + EDGES) * (1.0 + MARGIN)), low, high),
        How::Deviation if safe.low >= 0.0 => None,
        // The mean of large values is rounded, and so is what they deviate from it.
        How::Deviation => spread(safe.high * 2.0 / (1.0 + MARGIN) - BLUR * low.abs().max(high.abs()), low, high),
        How::Rise(by) => climb(safe, by, (low, high), (rise, step)),
    };
    Some((guard?, until))
}

/// Samples in [`low`, `high`] may be `allowed` apart. A difference of two is at most their distance, and extrapolated
/// 1 + [`EDGES`] times that; their standard deviation is at most half of it (Popoviciu).
fn spread(allowed: f64, low: f64, high: f64) -> Option<Guard> {
    let spare = (allowed - (high - low)) / 2.0;
    // An infinite bound would let everything pass, which one side alone cannot promise.
    (spare > 0.0 && spare.is_finite()).then_some(Guard { low: low - spare, high: high + spare, ..Guard::WIDE })
}

/// A counter that has risen by `rise` in steps of at most `step`: over any part of that and of what comes, the
/// extrapolated increase is at most the whole rise and [`EDGES`] steps.
fn climb(safe: Safe, by: f64, (low, high): (f64, f64), (rise, step): (f64, f64)) -> Option<Guard> {
    if low < 0.0 || safe.low >= 0.0 {
        return None;
    }
    let allowed = safe.high * by / (1.0 + MARGIN);
    // One that rests is exact: what is taken away is what was there.
    let blur = if allowed > 0.0 { BLUR * high } else { 0.0 };
    let spare = allowed - rise - EDGES * step - blur;
    if spare < 0.0 || spare.is_nan() {
        return None;
    }
    // An eighth of what is left goes to longer steps, so that one which is a little longer does not end it.
    let longer = if spare.is_finite() { spare / (8.0 * EDGES) } else { f64::MAX };
    let room = spare - if spare.is_finite() { EDGES * longer } else { 0.0 };
    Some(Guard { low: 0.0, high: f64::INFINITY, step: step + longer, room })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_uses_its_room_up() {
        let safe = Safe { low: f64::NEG_INFINITY, high: 100.0, how: How::Rise(1.0) };
        let mut guard = climb(safe, 1.0, (0.0, 20.0), (20.0, 2.0)).unwrap();
        let (mut value, mut steps) = (20.0, 0);
        while guard.admits(value, value + 2.0) {
            value += 2.0;
            steps += 1;
        }
        // 80 are left, of which the edges take 4.4 and longer steps an eighth.
        assert!((30..=36).contains(&steps), "{steps}");
        assert!(!guard.admits(value, value + 50.0));
    }

    #[test]
    fn a_counter_that_rests_may_rest_below_a_threshold_of_zero() {
        let safe = Safe { low: f64::NEG_INFINITY, high: 0.0, how: How::Rise(300.0) };
        let mut guard = climb(safe, 300.0, (7.0, 7.0), (0.0, 0.0)).unwrap();
        assert!(guard.admits(7.0, 7.0));
        assert!(!guard.admits(7.0, 8.0));
        assert_eq!(climb(safe, 300.0, (7.0, 8.0), (1.0, 1.0)), None);
    }

    #[test]
    fn what_both_let_pass_is_shut_where_one_is() {
        let some = Guard { low: 0.0, high: 1.0, ..Guard::WIDE };
        assert!(some.is_plain() && { some }.admits(0.0, 0.5));
        assert!(!Guard::SHUT.and(some).admits(0.0, 0.5));
        assert_eq!(some.and(Guard::WIDE), some);
    }
}
