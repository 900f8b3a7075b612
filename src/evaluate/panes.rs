//! A window in panes: one digest for each `step`, for windows whose samples would not fit in memory.
//!
//! The idea: pane n holds the samples in ((n − 1) × step, n × step]. The window at a tick begins at the last multiple of
//! the step that leaves it at least its length, so whole panes leave it and nothing is ever taken off a sum. Closed
//! panes are joined once for each step; a sample costs one join when it comes and a visit another, however long the
//! window is, and seven days in panes of ten minutes take about 130 kB a series. What is given up is stated: a sample
//! that comes out of order counts for functions that do not ask for the order, and is dropped and counted for the others;
//! one that is delivered again after ten minutes counts again; a clock break drops the panes that lie ahead of it.
//! What a function makes of a digest stands in `window`.

use std::collections::VecDeque;

use crate::evaluate::blocks::Stretch as _;
use crate::evaluate::digest::Digest;
use crate::evaluate::ring::{Point, SAMPLE};
use crate::model::Function;
use crate::time::Ms;

/// The room that a pane takes, in samples.
pub(super) const ROOM: usize = size_of::<(i64, Digest)>().div_ceil(SAMPLE);

/// The left edge of a window of `over` in panes of `step` that ends at `at`.
pub(super) fn edge(at: Ms, over: Ms, step: Ms) -> Ms {
    (at - over).div_euclid(step) * step
}

/// The pane that a time lies in.
fn pane(time: Ms, step: Ms) -> i64 {
    (time - 1).div_euclid(step) + 1
}

/// Whether the function's value in panes does not depend on the order in which samples come.
pub(super) const fn order_free(function: Function) -> bool {
    match function {
        Function::Count
        | Function::Absent
        | Function::Sum
        | Function::Avg
        | Function::Min
        | Function::Max
        | Function::Stddev
        | Function::Slope
        | Function::Forecast(_) => true,
        Function::Rate
        | Function::Increase
        | Function::Delta
        | Function::Last
        | Function::First
        | Function::Changes
        | Function::Resets
        | Function::Quantile(_) => false,
    }
}

/// The panes of one series' window.
#[derive(Debug)]
pub(super) struct Panes {
    step: Ms,
    over: Ms,
    order_free: bool,
    /// By their number, each with a sample at least.
    all: VecDeque<(i64, Digest)>,
    /// Time of the newest sample.
    newest: Ms,
    /// All panes but the last, joined, and the number of the last; as of the last refresh.
    closed: Option<(i64, Digest)>,
}

impl Panes {
    /// None yet.
    pub(super) fn new(function: Function, over: Ms, step: Ms) -> Self {
        let order_free = order_free(function);
        Self { step, over, order_free, all: VecDeque::new(), newest: Ms::MIN, closed: None }
    }

    /// Takes a sample in; `false` where it came out of order and that matters. One more line in a millisecond that has
    /// one counts; whoever delivers a number again must not call this.
    pub(super) fn add(&mut self, point: Point) -> bool {
        if point.time < self.newest && !self.order_free {
            return false;
        }
        self.newest = self.newest.max(point.time);
        let (number, one) = (pane(point.time, self.step), Digest::of(point));
        let place = self.all.partition_point(|(of, _)| *of < number);
        match self.all.get_mut(place).filter(|(of, _)| *of == number) {
            Some((_, digest)) => *digest = digest.join(&one),
            None => self.all.insert(place, (number, one)),
        }
        if place + 1 < self.all.len() {
            self.closed = None;
        }
        true
    }

    /// How many panes there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Drops what has left the window that ends at `at`, and joins what is closed.
    pub(super) fn refresh(&mut self, at: Ms) {
        let edge = edge(at, self.over, self.step).div_euclid(self.step);
        while self.all.front().is_some_and(|(of, _)| *of <= edge) {
            self.all.pop_front();
            self.closed = None;
        }
        let Some((last, _)) = self.all.back() else { return };
        if self.closed.is_some_and(|(of, _)| of == *last) {
            return;
        }
        let before = self.all.len() - 1;
        let folded = self.all.range(..before).map(|(_, digest)| *digest).reduce(|all, one| all.join(&one));
        self.closed = folded.map(|folded| (*last, folded));
    }

    /// The digest of the window that ends at `at`, not before the last refresh.
    pub(super) fn digest(&self, at: Ms) -> Option<Digest> {
        let edge = edge(at, self.over, self.step).div_euclid(self.step);
        let (number, last) = self.all.back().filter(|(number, _)| *number > edge)?;
        let whole = self.all.front().is_some_and(|(first, _)| *first > edge);
        match &self.closed {
            Some((of, closed)) if whole && of == number => Some(closed.join(last)),
            _ => {
                let held = self.all.iter().filter(|(of, _)| *of > edge).map(|(_, digest)| *digest);
                held.reduce(|all, one| all.join(&one))
            }
        }
    }

    /// The panes of a window of `over` in their place, where they can tell what is asked now.
    pub(super) fn fit(mut self, wanted: &Self) -> Option<Self> {
        self.over = wanted.over;
        ((self.step, self.order_free) == (wanted.step, wanted.order_free)).then_some(self)
    }

    /// The time at which the first pane leaves the window.
    pub(super) fn change(&self) -> Option<Ms> {
        self.all.front().map(|(number, _)| number * self.step + self.over)
    }

    /// The log's clock went back from tick `last` to `to`: what had left stays away, and what lies ahead is dropped.
    pub(super) fn outlive(&mut self, last: Ms, to: Ms) {
        let (edge, ahead) = (edge(last, self.over, self.step).div_euclid(self.step), pane(to, self.step));
        self.all.retain(|(of, _)| *of > edge && *of <= ahead);
        self.newest = self.newest.min(to);
        self.closed = None;
    }
}
