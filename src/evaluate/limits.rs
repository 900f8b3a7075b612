//! Limits that were hit: counted, told of while it goes on, and looked at again once a minute.
//!
//! The idea: whoever is kept out says so again and again (with every record, or at the minute's retry), so a limit is
//! hit *now* if it was hit a moment ago, and the alarm ends by itself. What is kept out is decided elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::evaluate::builtins::Alarms;
use crate::evaluate::{Effects, QUIET, next};
use crate::model::{LIMIT, Labels};
use crate::time::{MINUTE, Ms, SECOND};

/// The limits of one partition that were hit.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    hits: BTreeMap<(&'static str, Arc<str>), Hit>,
    /// When one was hit last.
    last: Option<Ms>,
    /// One was hit since the last tick.
    fresh: bool,
    /// Series that a rule may not watch, for the next retry.
    unwatched: Vec<u32>,
    retried: Ms,
}

/// One limit that was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    /// Its value.
    pub(super) limit: u64,
    /// How often.
    pub(super) times: u64,
    /// Since the last tick too.
    fresh: bool,
}

impl Refusals {
    /// Notes that limit `name` kept something out; `rule` is the rule whose limit it is or who uses most of it, if any.
    pub(super) fn refuse(&mut self, name: &'static str, rule: Option<&Arc<str>>, limit: usize, clock: Ms) {
        let rule = rule.cloned().unwrap_or_else(|| Arc::from(""));
        let hit = self.hits.entry((name, rule)).or_insert(Hit { limit: 0, times: 0, fresh: true });
        hit.limit = limit as u64;
        hit.times += 1;
        hit.fresh = true;
        self.last = Some(clock);
        self.fresh = true;
    }

    /// Notes a series that a rule may not watch for now.
    pub(super) fn leave_out(&mut self, series: u32) {
        self.unwatched.push(series);
    }

    /// The series that may be tried again, once a minute; `None` in between and where nothing is refused.
    pub(super) fn retry(&mut self, clock: Ms) -> Option<Vec<u32>> {
        if self.last.is_none() && self.unwatched.is_empty() {
            return None;
        }
        if (clock - self.retried).abs() < MINUTE {
            return None;
        }
        self.retried = clock;
        Some(std::mem::take(&mut self.unwatched))
    }

    /// Another rule set: nothing is left out yet.
    pub(super) fn forget_rules(&mut self) {
        self.unwatched.clear();
    }

    /// Each limit that was ever hit: its name, the rule's where it has one, and how often.
    pub(super) fn hits(&self) -> impl Iterator<Item = (String, Hit)> {
        let name = |limit: &str, rule: &str| if rule.is_empty() { limit.to_owned() } else { format!("{limit} {rule}") };
        self.hits.iter().map(move |((limit, rule), hit)| (name(limit, rule), *hit))
    }

    /// The first tick at or after `clock` at which an alarm may change.
    pub(super) fn next(&self, clock: Ms) -> Option<Ms> {
        let calm = self.last.map(|last| next((last + QUIET).max(clock), SECOND));
        let fresh = self.fresh.then(|| next(clock, SECOND));
        fresh.into_iter().chain(calm).min()
    }

    /// Switches the alarms.
    pub(super) fn tick(&mut self, at: Ms, alarms: &mut Alarms, out: &mut Effects) {
        if std::mem::take(&mut self.fresh) {
            // By the minute, so that a limit that is hit with every record does not write a row each second.
            let since = self.last.unwrap_or(at).div_euclid(MINUTE) * MINUTE;
            for ((limit, rule), hit) in &mut self.hits {
                if !std::mem::take(&mut hit.fresh) {
                    continue;
                }
                let labels = match rule.as_ref() {
                    "" => Labels::new([("limit", *limit)]),
                    rule => Labels::new([("limit", *limit), ("rule", rule)]),
                };
                alarms.raise((&LIMIT, LIMIT.severity, labels), at, since, out);
            }
        }
        if self.last.is_some_and(|last| at - last >= QUIET) {
            self.last = None;
            for row in alarms.of(&LIMIT).cloned().collect::<Vec<_>>() {
                alarms.clear(&LIMIT, &row.labels, at, None, out);
            }
        }
    }

    /// The alarms of the durable state are in force.
    pub(super) fn resume(&mut self, alarms: &Alarms) {
        self.last = self.last.max(alarms.of(&LIMIT).filter_map(|row| row.newest).max());
        self.fresh = false;
    }

    /// The clock went back.
    pub(super) fn shift(&mut self, by: Ms) {
        self.last = self.last.map(|last| last + by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_hit_again_does_not_tell_of_the_others_once_more() {
        let (mut refusals, mut alarms, mut out) = (Refusals::default(), Alarms::default(), Effects::default());
        let rule = |id: &str| Arc::from(id);
        refusals.refuse("series_per_rule", Some(&rule("a")), 7, 0);
        refusals.tick(SECOND, &mut alarms, &mut out);
        refusals.tick(QUIET, &mut alarms, &mut out);
        assert!(alarms.is_empty(), "it was calm for long enough");
        refusals.refuse("series_per_rule", Some(&rule("b")), 7, QUIET);
        refusals.tick(QUIET + SECOND, &mut alarms, &mut out);
        let on: Vec<&str> = alarms.of(&LIMIT).filter_map(|row| row.labels.get("rule")).collect();
        assert_eq!(on, ["b"]);
        assert_eq!(refusals.hits().count(), 2, "both stay counted");
    }
}
