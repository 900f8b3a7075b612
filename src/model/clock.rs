//! A step of the wall clock: how instants of the outbox move with it.
//!
//! The idea: what waits keeps what was left of its time; what came after the step is left alone.

use crate::model::LEASE;
use crate::time::Ms;

/// The wall clock was set. What moves with it in the outbox is said by [`ClockStep::due`] and its sisters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockStep {
    /// Forwards, or, negative, backwards, ms.
    pub by: Ms,
    /// Wall time after it.
    pub now: Ms,
}

impl ClockStep {
    /// When a page that waits may be sent, of which that was `due` before. Forwards nothing moves: a pause that is over too
    /// early costs one try, and a row that was given back after the step must not wait for it again.
    pub const fn due(self, due: Ms) -> Ms {
        if self.by < 0 && due > self.now { due + self.by } else { due }
    }

    /// Until when a page is useful.
    pub const fn deadline(self, deadline: Ms) -> Ms {
        deadline + self.by
    }

    /// Until when a lease holds: one that was taken after the step is left alone.
    pub const fn lease(self, until: Ms) -> Ms {
        let is_before =
            if self.by < 0 { until > self.now + LEASE } else { until <= self.now && until > self.now - self.by };
        if is_before { until + self.by } else { until }
    }
}
