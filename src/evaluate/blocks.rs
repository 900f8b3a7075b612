//! A long window in blocks, so that a visit costs the same however long it is.
//!
//! The idea: time is cut into blocks of a power of two ms, of which a window holds 16 to 33. The first block that the
//! window holds samples of is folded from its end to its beginning, the others from beginning to end, and the blocks are
//! joined in time order: that is what a value *is*, whoever computes it ([`fold`] does it from nothing). Because the
//! first block runs backwards, all that will be left of it while its samples leave one by one is known at once: each
//! sample is folded once when it comes and once when its block becomes the first. So an in-order sample costs a fixed
//! amount of work, amortised, and a visit at most 33 joins. A sample that comes out of order has the window folded anew.
//! It holds one digest for each sample of one block beside the samples, that is for a 16th to a 32nd of the window.
//! What a digest keeps ([`Stretch`]) and where the samples lie ([`Samples`]) is not known here: the windows of native
//! rules and those of expressions are folded by the same lines.

use std::collections::VecDeque;

use crate::evaluate::ring::Point;
use crate::time::Ms;

/// Windows with fewer samples are folded from nothing at every visit.
pub(super) const WORTH: usize = 128;

/// What is kept of a stretch of samples so that two that follow each other can be put together.
pub(super) trait Stretch: Copy {
    /// That of one sample.
    fn of(point: Point) -> Self;
    /// This stretch and `later`, which begins after it has ended.
    fn join(&self, later: &Self) -> Self;
    /// The time of its first sample.
    fn begins(&self) -> Ms;
}

/// Samples in time order.
pub(super) trait Samples {
    /// Those newer than `edge`.
    fn since(&self, edge: Ms) -> impl DoubleEndedIterator<Item = Point> + ExactSizeIterator;
}

impl Samples for [(Ms, f64)] {
    fn since(&self, edge: Ms) -> impl DoubleEndedIterator<Item = Point> + ExactSizeIterator {
        let from = self.partition_point(|(time, _)| *time <= edge);
        self.get(from..).unwrap_or_default().iter().map(|(time, value)| Point { time: *time, value: *value })
    }
}

/// The length of a block in ms as a power of two: about a 32nd of the window.
pub(super) fn chunk(over: Ms) -> u32 {
    let part = u64::try_from(over / 32).unwrap_or(0).max(1);
    part.next_power_of_two().trailing_zeros()
}

/// The digest of a window, from nothing: `head` are the samples of the first block that has any, `others` those behind
/// it, in blocks of 2^`shift` ms.
pub(super) fn fold<D: Stretch>(
    head: impl DoubleEndedIterator<Item = Point>,
    others: impl Iterator<Item = Point>,
    shift: u32,
) -> Option<D> {
    let mut all = head.rev().map(D::of).reduce(|later, earlier| earlier.join(&later))?;
    let mut open: Option<(i64, D)> = None;
    for point in others {
        let (block, one) = (point.time >> shift, D::of(point));
        open = Some(match open {
            Some((of, digest)) if of == block => (of, digest.join(&one)),
            Some((_, digest)) => {
                all = all.join(&digest);
                (block, one)
            }
            None => (block, one),
        });
    }
    Some(open.map_or(all, |(_, digest)| all.join(&digest)))
}

/// What is remembered of one series' window from visit to visit.
#[derive(Debug)]
pub(super) struct Blocks<D> {
    over: Ms,
    shift: u32,
    /// Number of the first block that the window holds samples of.
    head: i64,
    /// It has ended, so that what was folded from its end stays.
    whole: bool,
    /// For each of its samples, the newest first, the digest of it and of all that follow it in the block.
    rest: Vec<D>,
    /// The blocks behind it that hold samples.
    blocks: VecDeque<(i64, D)>,
    /// Time of the newest sample that is in.
    upto: Ms,
    /// The window's left edge as of the last refresh.
    edge: Ms,
}

impl<D: Stretch> Blocks<D> {
    /// Nothing yet.
    pub(super) fn new(over: Ms) -> Self {
        Self {
            over,
            shift: chunk(over),
            head: Ms::MIN,
            whole: false,
            rest: Vec::new(),
            blocks: VecDeque::new(),
            upto: Ms::MIN,
            edge: Ms::MIN,
        }
    }

    /// Takes up what came since the last visit and drops what has left the window that ends at `at`. All samples up to
    /// the last visit's must be what they were; whoever changes one begins anew.
    pub(super) fn refresh(&mut self, samples: &(impl Samples + ?Sized), at: Ms) {
        let edge = at - self.over;
        if edge < self.edge {
            *self = Self::new(self.over);
        }
        self.edge = edge;
        for point in samples.since(self.upto.max(edge)).take_while(|point| point.time <= at) {
            let (block, one) = (point.time >> self.shift, D::of(point));
            self.upto = point.time;
            match self.blocks.back_mut().filter(|(of, _)| *of == block) {
                Some((_, digest)) => *digest = digest.join(&one),
                None => self.blocks.push_back((block, one)),
            }
        }
        let Some(first) = samples.since(edge).next().filter(|point| point.time <= at) else {
            *self = Self::new(self.over);
            return;
        };
        let head = first.time >> self.shift;
        while self.blocks.front().is_some_and(|(of, _)| *of < head) {
            self.blocks.pop_front();
        }
        if self.head != head || !self.whole {
            self.head = head;
            self.whole = self.upto >> self.shift > head;
            self.unroll(samples, edge);
        }
        while self.rest.last().is_some_and(|digest| digest.begins() <= edge) {
            self.rest.pop();
        }
    }

    /// Folds the first block from its end.
    fn unroll(&mut self, samples: &(impl Samples + ?Sized), edge: Ms) {
        let (shift, head, upto) = (self.shift, self.head, self.upto);
        let inside = |point: &Point| point.time >> shift == head && point.time <= upto;
        let held = samples.since(edge).take_while(inside).count();
        let behind = samples.since(edge).len() - held;
        self.rest.clear();
        for point in samples.since(edge).rev().skip(behind) {
            let one = D::of(point);
            self.rest.push(self.rest.last().map_or(one, |later| one.join(later)));
        }
    }

    /// The digest of the window as of the last refresh.
    pub(super) fn digest(&self) -> Option<D> {
        let behind = self.blocks.iter().filter(|(of, _)| *of > self.head);
        Some(behind.fold(*self.rest.last()?, |all, (_, block)| all.join(block)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evaluate::digest::Digest;
    use crate::evaluate::ring::{Ring, Same, Span};

    /// The digest of a ring's window, from nothing.
    fn anew(ring: &Ring, span: Span) -> Option<Digest> {
        let (head, others) = ring.view(span).split(chunk(span.over));
        fold(head.iter(), others.iter(), chunk(span.over))
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_what_is_folded_from_nothing(
            gaps in prop::collection::vec((1_i64..400, -50_i32..50), 1..400),
            over in 1_000_i64..40_000,
            visits in 1_usize..9,
        ) {
            let (mut ring, mut blocks, mut at) = (Ring::default(), Blocks::new(over), 0);
            for (n, (gap, value)) in gaps.iter().enumerate() {
                at += gap;
                ring.insert(at, f64::from(*value) * 0.1, Same::Replace);
                if n % visits == 0 {
                    let span = Span { at: at + gap % 7, over, interval: 1 };
                    blocks.refresh(&ring, span.at);
                    prop_assert_eq!(blocks.digest(), anew(&ring, span));
                }
            }
            blocks.refresh(&ring, at + 2 * over);
            prop_assert_eq!(blocks.digest(), None::<Digest>);
        }
    }

    #[test]
    fn an_in_order_sample_costs_the_same_in_a_window_a_hundred_times_as_long() {
        // Counted, not timed: how many samples are folded backwards and how many blocks there are at most.
        let work = |over: Ms| {
            let (mut ring, mut blocks, mut unrolled, mut most) = (Ring::default(), Blocks::<Digest>::new(over), 0, 0);
            for n in 0..4 * over / 1_000 {
                ring.insert(n * 1_000, n as f64, Same::Replace);
                let before = blocks.head;
                blocks.refresh(&ring, n * 1_000);
                most = most.max(blocks.blocks.len());
                if n * 1_000 > over && blocks.head != before {
                    unrolled += blocks.rest.len();
                }
            }
            (unrolled as f64 / (3 * over / 1_000) as f64, most)
        };
        for over in [600_000, 60_000_000] {
            let (unrolled, most) = work(over);
            assert!(unrolled < 1.2 && most <= 34, "{over}: {unrolled} folded back a sample, {most} blocks");
        }
    }
}
