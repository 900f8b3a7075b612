//! The raw samples of one series, sorted by effective time and shared by every window over it.
//!
//! The idea: what a window holds is decided by times alone. A sample has left a window of length `over` once a tick
//! with `tick − over ≥ time` ran after its arrival. While the clock only rises, the newest tick decides that for all
//! samples. When the log's clock goes back, the samples at hand get the clock they have lived through as their *mark*,
//! so that none of them returns to a window that it had left. Old samples are dropped only when room is needed: an
//! append at the end then touches one place.

use std::collections::VecDeque;

use crate::evaluate::blocks::Samples;
use crate::evaluate::passed;
use crate::time::Ms;

/// Bytes of one sample.
pub(super) const SAMPLE: usize = size_of::<Point>();
/// A ring is made smaller once it is used by less than one part in so many.
const SPARSE: usize = 4;

/// One sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Effective time.
    pub(super) time: Ms,
    /// The number.
    pub(super) value: f64,
}

/// One series' samples.
#[derive(Debug, Default)]
pub(super) struct Ring {
    points: VecDeque<Point>,
    /// Beside each sample the highest clock of the segments that it has outlived; `None` until a clock breaks.
    #[expect(clippy::box_collection, reason = "one word in what every sample touches; clocks hardly ever break")]
    marks: Option<Box<VecDeque<Ms>>>,
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

/// The samples of one window.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    ring: &'a Ring,
    span: Span,
    low: usize,
    high: usize,
}

impl Ring {
    /// No samples.
    pub(super) const EMPTY: Self = Self { points: VecDeque::new(), marks: None };

    /// Puts a sample at its place.
    pub(super) fn insert(&mut self, time: Ms, value: f64, same: Same) {
        let place = if self.points.back().is_none_or(|last| last.time < time) {
            self.points.len()
        } else {
            self.points.partition_point(|held| held.time < time)
        };
        if let Some(held) = self.points.get_mut(place).filter(|held| held.time == time) {
            held.value = if same == Same::Add { held.value + value } else { value };
            return;
        }
        self.points.insert(place, Point { time, value });
        if let Some(marks) = &mut self.marks {
            marks.insert(place, Ms::MIN);
        }
    }

    /// Puts a sample that is newer than all at the end, where no clock has broken. Returns how much room was added.
    #[inline]
    pub(super) fn push(&mut self, point: Point, edge: Ms) -> isize {
        let added = self.make_room(edge);
        self.points.push_back(point);
        added
    }

    /// Makes room for one more, growing only where nothing at or before `edge` can go. Returns how much was added.
    #[inline]
    pub(super) fn make_room(&mut self, edge: Ms) -> isize {
        if self.points.len() < self.points.capacity() { 0 } else { self.resize(edge) }
    }

    #[cold]
    fn resize(&mut self, edge: Ms) -> isize {
        let before = self.points.capacity().cast_signed();
        self.trim(edge);
        let (held, room) = (self.points.len(), self.points.capacity());
        if held == room {
            // A quarter more: windows hold about as many samples in the next minute as in the last.
            self.points.reserve_exact((held / 4).max(4));
        } else if room > 64 && held < room / SPARSE {
            self.points.shrink_to(held * 2);
        }
        self.points.capacity().cast_signed() - before
    }

    /// Forgets what is at or before `edge`, but never the newest sample.
    pub(super) fn trim(&mut self, edge: Ms) {
        let old = self.points.partition_point(|point| point.time <= edge).min(self.points.len().saturating_sub(1));
        self.points.drain(..old);
        if let Some(marks) = &mut self.marks {
            marks.drain(..old);
        }
    }

    /// Gives all memory back. Returns how much room was added, which is not above 0.
    pub(super) fn give_back(&mut self) -> isize {
        -std::mem::replace(self, Self::EMPTY).points.capacity().cast_signed()
    }

    /// The log's clock went back from `clock`: all samples have lived through it.
    pub(super) fn outlive(&mut self, clock: Ms) {
        let marks = self.marks.get_or_insert_default();
        marks.resize(self.points.len(), Ms::MIN);
        for mark in marks.iter_mut() {
            *mark = clock.max(*mark);
        }
    }

    /// Drops the marks once the clock is past all of them.
    pub(super) fn settle(&mut self, clock: Ms) {
        if self.marks.as_ref().is_some_and(|marks| marks.iter().all(|mark| *mark <= clock)) {
            self.marks = None;
        }
    }

    /// Whether a broken clock has left its marks.
    pub(super) fn marked(&self) -> bool {
        self.marks.is_some()
    }

    /// Whether there is a sample at `time`.
    pub(super) fn holds(&self, time: Ms) -> bool {
        self.points.binary_search_by_key(&time, |point| point.time).is_ok()
    }

    /// Whether there is no sample at all.
    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The samples of a window.
    pub(super) fn view(&self, span: Span) -> View<'_> {
        let low = self.points.partition_point(|point| point.time <= span.at - span.over);
        let high = match self.points.back() {
            Some(last) if last.time <= span.at => self.points.len(),
            _ => self.points.partition_point(|point| point.time <= span.at).max(low),
        };
        View { ring: self, span, low, high }
    }
}

impl Samples for Ring {
    /// Also those that a broken clock left in the future.
    fn since(&self, edge: Ms) -> impl DoubleEndedIterator<Item = Point> + ExactSizeIterator {
        let low = self.points.partition_point(|point| point.time <= edge);
        self.points.range(low..).copied()
    }
}

impl<'a> View<'a> {
    /// The samples in time order.
    pub(super) fn iter(self) -> impl DoubleEndedIterator<Item = Point> + use<'a> {
        let Self { ring, span, low, high } = self;
        let marks = ring.marks.as_deref();
        let inside = move |n: usize, point: &Point| {
            let mark = marks.and_then(|marks| marks.get(n));
            mark.is_none_or(|mark| !left(*mark, point.time, span))
        };
        (low..high)
            .zip(ring.points.range(low..high))
            .filter(move |(n, point)| inside(*n, point))
            .map(|(_, point)| *point)
    }

    /// The samples of its first chunk of 2^`shift` ms that has any, and those behind it.
    pub(super) fn split(self, shift: u32) -> (Self, Self) {
        let first = self.iter().next().map(|point| point.time >> shift);
        let inside = |point: &Point| first.is_some_and(|first| point.time >> shift <= first);
        let at = self.ring.points.partition_point(inside).clamp(self.low, self.high);
        (Self { high: at, ..self }, Self { low: at, ..self })
    }

    /// How many samples there are.
    pub(super) fn len(self) -> usize {
        if self.ring.marked() { self.iter().count() } else { self.high - self.low }
    }

    /// The time at which the content changes next without a new sample: one leaves, or one that a broken clock left in
    /// the future comes in.
    pub(super) fn change(self) -> Option<Ms> {
        let leaves = self.iter().next().map(|point| point.time + self.span.over);
        let comes = self.ring.points.get(self.high).map(|point| point.time);
        leaves.into_iter().chain(comes).min()
    }
}

/// Whether a sample of an earlier clock segment has left the window before.
fn left(mark: Ms, time: Ms, span: Span) -> bool {
    mark != Ms::MIN && passed(mark, span.interval) - span.over >= time
}
