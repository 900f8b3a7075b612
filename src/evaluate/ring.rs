//! The raw samples of one series, sorted by effective time and shared by every window over it.
//!
//! The idea: what a window holds is decided by times alone. A sample has left a window of length `over` once a tick
//! with `tick − over ≥ time` ran after its arrival. While the clock only rises, the newest tick decides that for all
//! samples. When the log's clock goes back, the samples at hand get the clock they have lived through as their *mark*,
//! so that none of them returns to a window that it had left.

use std::collections::VecDeque;

use crate::evaluate::passed;
use crate::time::Ms;

/// One series' samples.
#[derive(Debug, Default)]
pub(super) struct Ring {
    times: VecDeque<Ms>,
    values: VecDeque<f64>,
    /// Beside each sample the highest clock of the segments that it has outlived; empty until a clock breaks.
    marks: VecDeque<Ms>,
}

/// What becomes of a value at a time that has one already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Same {
    /// A number delivered again.
    Replace,
    /// One more line in the same millisecond.
    Add,
}

/// A window that is looked at: (`at` − `over`, `at`] on ticks of `interval`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// Its right edge, closed.
    pub(super) at: Ms,
    /// Its length.
    pub(super) over: Ms,
    /// Ticks at which samples leave it.
    pub(super) interval: Ms,
}

impl Ring {
    /// Puts a sample at its place.
    pub(super) fn insert(&mut self, time: Ms, value: f64, same: Same) {
        let place = if self.times.back().is_none_or(|last| *last < time) {
            self.times.len()
        } else {
            self.times.partition_point(|held| *held < time)
        };
        if self.times.get(place) == Some(&time) {
            if let Some(held) = self.values.get_mut(place) {
                *held = if same == Same::Add { *held + value } else { value };
            }
            return;
        }
        self.times.insert(place, time);
        self.values.insert(place, value);
        if !self.marks.is_empty() {
            self.marks.insert(place, Ms::MIN);
        }
    }

    /// Forgets what is at or before `edge`, but never the newest sample.
    pub(super) fn trim(&mut self, edge: Ms) {
        while self.times.len() > 1 && self.times.front().is_some_and(|time| *time <= edge) {
            self.times.pop_front();
            self.values.pop_front();
            self.marks.pop_front();
        }
    }

    /// The log's clock went back from `clock`: all samples have lived through it.
    pub(super) fn outlive(&mut self, clock: Ms) {
        self.marks.resize(self.times.len(), Ms::MIN);
        for mark in &mut self.marks {
            *mark = clock.max(*mark);
        }
    }

    /// Drops the marks once the clock is past all of them.
    pub(super) fn settle(&mut self, clock: Ms) {
        if self.marks.iter().all(|mark| *mark <= clock) {
            self.marks = VecDeque::new();
        }
    }

    /// How many samples there are.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// The samples of a window, in time order.
    pub(super) fn window(&self, span: Span) -> impl DoubleEndedIterator<Item = (Ms, f64)> {
        let low = self.times.partition_point(|time| *time <= span.at - span.over);
        let high = self.times.partition_point(|time| *time <= span.at).max(low);
        let marks = !self.marks.is_empty();
        (low..high).filter_map(move |n| {
            let time = *self.times.get(n)?;
            let left = marks && self.marks.get(n).is_some_and(|mark| left(*mark, time, span));
            if left { None } else { Some((time, *self.values.get(n)?)) }
        })
    }

    /// How many samples a window holds.
    pub(super) fn count(&self, span: Span) -> usize {
        if !self.marks.is_empty() {
            return self.window(span).count();
        }
        let low = self.times.partition_point(|time| *time <= span.at - span.over);
        self.times.partition_point(|time| *time <= span.at).saturating_sub(low)
    }

    /// The time at which a window's content changes next without a new sample: one leaves, or one that a broken clock
    /// left in the future comes in.
    pub(super) fn change(&self, span: Span) -> Option<Ms> {
        let leaves = self.window(span).next().map(|(time, _)| time + span.over);
        let high = self.times.partition_point(|time| *time <= span.at);
        let comes = self.times.get(high).copied();
        leaves.into_iter().chain(comes).min()
    }
}

/// Whether a sample of an earlier clock segment has left the window before.
fn left(mark: Ms, time: Ms, span: Span) -> bool {
    mark != Ms::MIN && passed(mark, span.interval) - span.over >= time
}
