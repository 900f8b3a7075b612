//! The values of a window in order of size: exact quantiles without sorting at every visit.
//!
//! The idea: the values are kept [`Sorted`] while samples come and leave; a visit asks for two of them by their places.
//! What a quantile is stands in [`at_rank`]; which samples a window holds is not known here.

use crate::evaluate::blocks::Samples as _;
use crate::evaluate::ring::{Ring, Span, View};
use crate::evaluate::sorted::Sorted;
use crate::time::Ms;

/// The quantile at `part` millionths of `n` values in order of size, `at` gives the one at a place: between the two
/// nearest it is interpolated, as Prometheus does (rank = q × (n − 1)). `None` of nothing.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 ≤ rank < n"
)]
fn at_rank(part: u32, n: usize, at: impl Fn(usize) -> f64) -> Option<f64> {
    let last = n.checked_sub(1)?;
    let rank = f64::from(part) / 1e6 * last as f64;
    let below = (rank.floor() as usize).min(last);
    let weight = rank - rank.floor();
    let (low, high) = (at(below), at((below + 1).min(last)));
    Some(low * (1.0 - weight) + high * weight)
}

/// The quantile of a window, from nothing: O(n log n).
pub(super) fn of_sorted(part: u32, window: View<'_>) -> Option<f64> {
    let mut values: Vec<f64> = window.iter().map(|point| point.value).collect();
    values.sort_unstable_by(f64::total_cmp);
    at_rank(part, values.len(), |n| values[n])
}

/// What is remembered of one series' window from visit to visit.
#[derive(Debug, Default)]
pub(super) struct Order {
    values: Sorted,
    /// The window's left edge and its newest sample as of the last refresh.
    edge: Ms,
    upto: Ms,
}

impl Order {
    /// Takes up what came since the last visit and drops what has left; begins anew where the ring has dropped that
    /// already. All samples up to the last visit's must be what they were; whoever changes one begins anew.
    pub(super) fn refresh(&mut self, ring: &Ring, span: Span) {
        let edge = span.at - span.over;
        let left = ring.since(self.edge).len() - ring.since(edge.min(self.upto).max(self.edge)).len();
        let stays = ring.since(edge.min(self.upto)).len() - ring.since(self.upto).len();
        if self.edge > edge || self.values.len() != left + stays {
            *self = Self { edge, upto: edge, ..Self::default() };
        } else {
            let gone: Vec<f64> = ring.since(self.edge).take(left).map(|point| point.value).collect();
            gone.into_iter().for_each(|value| self.values.remove(value));
            self.edge = edge;
        }
        for point in ring.since(self.upto.max(edge)).take_while(|point| point.time <= span.at) {
            self.values.insert(point.value);
            self.upto = point.time;
        }
    }

    /// The quantile as of the last refresh.
    pub(super) fn quantile(&self, part: u32) -> Option<f64> {
        at_rank(part, self.values.len(), |n| self.values.nth(n))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evaluate::ring::Same;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn what_is_remembered_is_what_is_sorted_anew(
            gaps in prop::collection::vec((1_i64..300, -60_i32..60), 1..2_500),
            over in 1_000_i64..300_000,
            visits in 1_usize..60,
            part in 1_u32..1_000_000,
        ) {
            let (mut ring, mut order, mut at) = (Ring::default(), Order::default(), 0);
            for (n, (gap, value)) in gaps.iter().enumerate() {
                at += gap;
                if n % 97 == 0 {
                    // Rings drop what no window needs any more, whether it was looked at or not.
                    ring.trim(at - over - 1_000);
                }
                ring.insert(at, f64::from(*value) * 0.1, Same::Replace);
                if n % visits == 0 {
                    let span = Span { at: at + gap % 7, over, interval: 1 };
                    order.refresh(&ring, span);
                    prop_assert_eq!(order.quantile(part), of_sorted(part, ring.view(span)));
                }
            }
        }
    }

    #[test]
    fn quantiles_are_interpolated() {
        let mut ring = Ring::default();
        for n in 1..=4 {
            ring.insert(n * 1_000, f64::from(u8::try_from(n).unwrap()), Same::Replace);
        }
        let view = |at| ring.view(Span { at, over: 10_000, interval: 1_000 });
        assert_eq!(of_sorted(500_000, view(5_000)), Some(2.5));
        assert_eq!(of_sorted(750_000, view(5_000)), Some(3.25));
        assert_eq!(of_sorted(990_000, view(1_000)), Some(1.0));
        assert_eq!(of_sorted(990_000, view(500)), None);
    }
}
