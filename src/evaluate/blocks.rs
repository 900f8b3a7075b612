//! A long window in blocks, so that a visit costs the same however long it is.
//!
//! The idea: time is cut into blocks of a power of two ms, of which a window holds 16 to 33. The first block that the
//! window holds samples of is folded from its end to its beginning, the others from beginning to end, and the blocks are
//! joined in time order: that is what a value *is*, whoever computes it ([`fold`] does it from nothing). Because the
//! first block runs backwards, all that will be left of it while its samples leave one by one is known at once: each
//! sample is folded once when it comes and once when its block becomes the first. So an in-order sample costs a fixed
//! amount of work, amortised, and a visit at most 33 joins. A sample that comes out of order has the window folded anew.
//! It holds about 140 bytes for each sample of one block beside the ring, that is for a 16th to a 32nd of the window.

use std::collections::VecDeque;

use crate::evaluate::digest::Digest;
use crate::evaluate::ring::{Point, Ring, Span, View};
use crate::evaluate::window::chunk;
use crate::time::Ms;

/// Windows with fewer samples are folded from nothing at every visit.
pub(super) const WORTH: usize = 128;

/// The digest of a window, from nothing.
pub(super) fn fold(window: View<'_>, over: Ms) -> Option<Digest> {
    let shift = chunk(over);
    let (head, others) = window.split(shift);
    let mut all = head.iter().rev().map(Digest::of).reduce(|later, earlier| earlier.join(&later))?;
    let mut open: Option<(i64, Digest)> = None;
    for point in others.iter() {
        let (block, one) = (point.time >> shift, Digest::of(point));
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
pub(super) struct Blocks {
    shift: u32,
    /// Number of the first block that the window holds samples of.
    head: i64,
    /// It has ended, so that what was folded from its end stays.
    whole: bool,
    /// For each of its samples, the newest first, the digest of it and of all that follow it in the block.
    rest: Vec<Digest>,
    /// The blocks behind it that hold samples.
    blocks: VecDeque<(i64, Digest)>,
    /// Time of the newest sample that is in.
    upto: Ms,
    /// The window's left edge as of the last refresh.
    edge: Ms,
}

impl Blocks {
    /// Nothing yet.
    pub(super) fn new(over: Ms) -> Self {
        Self {
            shift: chunk(over),
            head: Ms::MIN,
            whole: false,
            rest: Vec::new(),
            blocks: VecDeque::new(),
            upto: Ms::MIN,
            edge: Ms::MIN,
        }
    }

    /// Takes up what came since the last visit and drops what has left. All samples up to the last visit's must be what
    /// they were; whoever changes one begins anew.
    pub(super) fn refresh(&mut self, ring: &Ring, span: Span) {
        let edge = span.at - span.over;
        if edge < self.edge {
            *self = Self::new(span.over);
        }
        self.edge = edge;
        for point in ring.since(self.upto.max(edge)).take_while(|point| point.time <= span.at) {
            let (block, one) = (point.time >> self.shift, Digest::of(point));
            self.upto = point.time;
            match self.blocks.back_mut().filter(|(of, _)| *of == block) {
                Some((_, digest)) => *digest = digest.join(&one),
                None => self.blocks.push_back((block, one)),
            }
        }
        let Some(first) = ring.since(edge).next().filter(|point| point.time <= span.at) else {
            *self = Self::new(span.over);
            return;
        };
        let head = first.time >> self.shift;
        while self.blocks.front().is_some_and(|(of, _)| *of < head) {
            self.blocks.pop_front();
        }
        if self.head != head || !self.whole {
            self.head = head;
            self.whole = self.upto >> self.shift > head;
            self.unroll(ring, edge);
        }
        while self.rest.last().is_some_and(|digest| digest.first.time <= edge) {
            self.rest.pop();
        }
    }

    /// Folds the first block from its end.
    fn unroll(&mut self, ring: &Ring, edge: Ms) {
        let (shift, head, upto) = (self.shift, self.head, self.upto);
        let inside = |point: &Point| point.time >> shift == head && point.time <= upto;
        let held = ring.since(edge).take_while(inside).count();
        let behind = ring.since(edge).len() - held;
        self.rest.clear();
        for point in ring.since(edge).rev().skip(behind) {
            let one = Digest::of(point);
            self.rest.push(self.rest.last().map_or(one, |later| one.join(later)));
        }
    }

    /// The digest of the window as of the last refresh.
    pub(super) fn digest(&self) -> Option<Digest> {
        let behind = self.blocks.iter().filter(|(of, _)| *of > self.head);
        Some(behind.fold(*self.rest.last()?, |all, (_, block)| all.join(block)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evaluate::ring::Same;

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
                    blocks.refresh(&ring, span);
                    prop_assert_eq!(blocks.digest(), fold(ring.view(span), over));
                }
            }
            let span = Span { at: at + 2 * over, over, interval: 1 };
            blocks.refresh(&ring, span);
            prop_assert_eq!(blocks.digest(), None);
        }
    }

    #[test]
    fn an_in_order_sample_costs_the_same_in_a_window_a_hundred_times_as_long() {
        // Counted, not timed: how many samples are folded backwards and how many blocks there are at most.
        let work = |over: Ms| {
            let (mut ring, mut blocks, mut unrolled, mut most) = (Ring::default(), Blocks::new(over), 0, 0);
            for n in 0..4 * over / 1_000 {
                ring.insert(n * 1_000, n as f64, Same::Replace);
                let before = blocks.head;
                blocks.refresh(&ring, Span { at: n * 1_000, over, interval: 1_000 });
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
