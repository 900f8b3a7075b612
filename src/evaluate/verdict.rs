//! The state machine of every rule: inactive, pending, firing, recovering, and known or not.
//!
//! The idea: one step from (verdict, what a tick says) to the next verdict, whatever kind of rule says it. Native rules
//! ask it severity by severity ([`Verdict::step`]); the result of an expression is the simplest case of that
//! ([`Verdict::answer`]): what is in it is bad, what has left it is good, `for` is the hold of its one severity and
//! `keep_firing_for` that of its recovery. Live alerts and the evaluation of Prometheus's own unit tests both go through
//! here, so they cannot differ. Nothing is told and nothing is stored here.

use crate::model::{Cause, Ended, Level, Severity, State, Then};
use crate::time::Ms;

/// What was decided of one rule instance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// State.
    pub(super) state: State,
    /// Severity while active.
    pub(super) severity: Option<Severity>,
    /// Per severity: since when its condition holds.
    pub(super) since: [Option<Ms>; 4],
    /// First tick of the pending.
    pub(super) occurred: Option<Ms>,
    /// Since when the recover condition holds.
    pub(super) recovering: Option<Ms>,
    /// Why nothing is known.
    pub(super) unknown: Option<Cause>,
    /// Since when.
    pub(super) unknown_since: Option<Ms>,
}

impl Verdict {
    /// Its state.
    pub fn state(&self) -> State {
        self.state
    }

    /// The first tick of the pending that led here; `None` where nothing is going on.
    pub fn occurred(&self) -> Option<Ms> {
        self.occurred.filter(|_| self.state != State::Inactive)
    }

    /// One evaluation of an expression: `given` says whether its result holds the instance. `levels` hold its `for`,
    /// `keep` is for how long it goes on firing once it has left the result, ms.
    pub fn answer(&mut self, levels: &[Level], keep: Ms, at: Ms, given: bool) {
        self.know(at);
        self.step(levels, keep, at, (if given { u8::MAX } else { 0 }, !given));
    }

    /// One tick with a value: `bad` are the severities whose condition holds, a bit each; `good` says that the recover
    /// condition does, which must hold for `keep`.
    pub(super) fn step(&mut self, levels: &[Level], keep: Ms, at: Ms, (bad, good): (u8, bool)) {
        let mut reached: Option<Severity> = None;
        let mut holding: Option<Severity> = None;
        let current = self.severity;
        let mut kept = false;
        for level in levels {
            let since = &mut self.since[level.severity.index()];
            if bad & (1 << level.severity.index()) == 0 {
                *since = None;
                continue;
            }
            let began = *since.get_or_insert(at);
            if at - began >= level.hold && reached.is_none() {
                reached = Some(level.severity);
            }
            if current.is_some_and(|current| level.severity <= current) {
                kept = true;
            } else if holding.is_none() {
                holding = Some(level.severity);
            }
        }
        if !self.state.is_active() {
            self.rise(at, reached, holding.is_some());
        } else if kept || holding.is_some() {
            self.state = State::Firing;
            self.recovering = None;
            self.severity = match reached {
                Some(reached) if current.is_some_and(|current| reached < current) => Some(reached),
                _ if kept => current,
                _ => holding,
            };
        } else {
            self.recover(keep, at, good);
        }
    }

    /// Not firing: pending while any condition holds, firing with the worst that was reached.
    fn rise(&mut self, at: Ms, reached: Option<Severity>, holds: bool) {
        self.recovering = None;
        if !holds {
            self.state = State::Inactive;
            return;
        }
        self.occurred.get_or_insert(at);
        self.state = if reached.is_some() { State::Firing } else { State::Pending };
        self.severity = reached;
    }

    /// Firing, and no condition holds: the level stays until the recover condition has held for `keep`.
    fn recover(&mut self, keep: Ms, at: Ms, good: bool) {
        if keep > 0 {
            self.state = State::Recovering;
        }
        if !good {
            self.recovering = None;
            return;
        }
        let since = *self.recovering.get_or_insert(at);
        if at - since >= keep {
            *self = Self { occurred: self.occurred, ..Self::default() };
        }
    }

    /// Something is known again: the time in between does not count towards any `for`.
    pub(super) fn know(&mut self, at: Ms) {
        self.unknown = None;
        if let Some(since) = self.unknown_since.take() {
            for mark in self.since.iter_mut().chain([&mut self.recovering]).flatten() {
                *mark += at - since;
            }
        }
    }

    /// Nothing is known any more, or still: pending freezes, firing goes on, and a gone series does what the rule says.
    pub(super) fn lose(&mut self, then: Then, at: Ms, (cause, gone): (Cause, bool)) -> Option<Ended> {
        self.unknown = Some(cause);
        self.unknown_since.get_or_insert(at);
        if !gone {
            return None;
        }
        match then {
            Then::Hold => None,
            Then::Raise(severity) => {
                if self.state.is_active() {
                    self.severity = self.severity.min(Some(severity));
                } else {
                    self.state = State::Firing;
                    self.severity = Some(severity);
                    self.occurred.get_or_insert(at);
                }
                None
            }
            Then::Resolve => {
                let active = self.state.is_active();
                let (unknown, since) = (self.unknown, self.unknown_since);
                *self = Self { unknown, unknown_since: since, occurred: self.occurred, ..Self::default() };
                active.then_some(Ended::NoData)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Threshold;

    /// `for` of 20 s and `keep_firing_for` of 20 s, a tick each 10 s.
    #[test]
    fn an_expression_waits_fires_is_kept_and_ends() {
        let levels = [Level { severity: Severity::S2, threshold: Threshold::One(0.0), hold: 20 }];
        let mut verdict = Verdict::default();
        let mut states = String::new();
        for (tick, given) in "xx.xxx.x..x...".chars().enumerate() {
            verdict.answer(&levels, 20, tick as Ms * 10, given == 'x');
            states.push(match verdict.state() {
                State::Pending => 'p',
                State::Firing => 'f',
                State::Recovering => 'r',
                _ => '-',
            });
        }
        assert_eq!(states, "pp-ppfrfrrfrr-");
        assert_eq!(verdict.occurred(), None);
    }
}
