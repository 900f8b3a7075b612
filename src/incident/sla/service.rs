//! One contracted service: its outages, its month, and whether its customers must be told.
//!
//! The idea: outages that are over are a short list in a note, those that run are read off the live incidents; when the
//! next share of the month is reached, or the law asks for a notice, is computed from both whenever either changes. So a
//! new leader that reads the same rows waits for the same instant.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::budget::{Span, charged, merged, month, reaches};
use crate::model::{Outage, PPM, SlaPlan};
use crate::time::{DAY, Ms, SECOND};

/// Shares of a budget that are warned of, per cent.
pub(super) const SHARES: [i64; 3] = [50, 75, 90];
/// Outages are kept for so long after their end: the month before this one stays whole.
const KEEP: Ms = 62 * DAY;
/// More outages than this in two months: the oldest are forgotten.
const OUTAGES_MAX: usize = 2_000;

/// What has come to pass with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// This share of the month's budget is used; it is empty at the instant.
    Share(i64, Ms),
    /// The month's budget is used up.
    Spent,
    /// Its customers must be told of the outage.
    Notice,
    /// The outage that they must be told of is over.
    NoticeOver,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Service {
    /// Outages that are over, merged, oldest first.
    pub(super) over: Vec<Span>,
    /// Availability promised when it last went down, ppm.
    availability: i64,
    /// Month (its first instant) and the share of it that was warned of.
    warned: (Ms, i64),
    /// Outages that began before have been told of, or are too old.
    told_to: Ms,
    /// A notice is due for the outage that runs.
    notice: bool,
    /// When this was last looked at.
    looked: Ms,
    /// By how much the wall clock was set since it went down: what comes to pass is counted from its beginning.
    #[serde(default)]
    set_by: Ms,
    /// Live incidents that make it count as down, and since when.
    #[serde(skip)]
    running: BTreeMap<String, Ms>,
}

impl Service {
    /// An incident takes it down.
    pub(super) fn begin(&mut self, incident: &str, since: Ms, availability: i64, now: Ms) {
        self.availability = availability;
        if self.running.is_empty() {
            self.set_by = 0;
        }
        self.running.insert(incident.to_owned(), since);
        self.looked = now - self.set_by;
    }

    /// The wall clock was set. `false`: nothing runs that it could hurry or hold up.
    pub(super) fn set_clock(&mut self, by: Ms) -> bool {
        if self.running.is_empty() {
            return false;
        }
        self.set_by += by;
        true
    }

    /// An incident that took it down before this memory began.
    pub fn recall(&mut self, incident: &str, since: Ms) {
        self.running.insert(incident.to_owned(), since);
    }

    /// An incident takes it down no more.
    pub(super) fn end(&mut self, incident: &str, at: Ms, now: Ms) {
        let Some(since) = self.running.remove(incident) else { return };
        let spans = std::mem::take(&mut self.over);
        self.over = merged(spans.into_iter().chain([(since, at)]).filter(|(_, to)| now - to < KEEP));
        let too_many = self.over.len().saturating_sub(OUTAGES_MAX);
        self.over.drain(..too_many);
        if self.running.is_empty() {
            self.set_by = 0;
        }
        self.looked = now - self.set_by;
    }

    /// The incident that took it down first of those that still do.
    pub(super) fn first(&self) -> Option<&str> {
        let first = self.running.iter().min_by_key(|(id, since)| (**since, *id));
        first.map(|(id, _)| id.as_str())
    }

    fn since(&self) -> Option<Ms> {
        self.running.values().copied().min()
    }

    /// When something comes to pass next.
    pub(super) fn next(&self, plan: &SlaPlan) -> Option<Ms> {
        let Some(since) = self.since() else { return self.notice.then_some(self.looked) };
        let now = self.looked.max(since);
        let (_, edge) = month(now);
        let share = self.next_share(since, now, plan).map(|(_, at)| at);
        let notice = (!self.notice).then(|| self.notice_at(since, now, &plan.outage));
        [share, notice, Some(edge)].into_iter().flatten().min().map(|at| at + self.set_by)
    }

    /// Takes what has come to pass until `now`.
    pub(super) fn due(&mut self, now: Ms, plan: &SlaPlan) -> Vec<Event> {
        let mut events = Vec::new();
        let now = now - self.set_by;
        self.looked = now;
        let Some(since) = self.since() else {
            if std::mem::take(&mut self.notice) {
                self.told_to = now;
                events.push(Event::NoticeOver);
            }
            return events;
        };
        while let Some((share, _)) = self.next_share(since, now, plan).filter(|(_, at)| *at <= now) {
            self.warned = (month(now).0, share);
            // A look that comes late tells of the highest share alone.
            events.clear();
            events.push(if share == 100 { Event::Spent } else { Event::Share(share, self.empty_at(since, now, plan)) });
        }
        if !self.notice && self.notice_at(since, now, &plan.outage) <= now {
            self.notice = true;
            events.push(Event::Notice);
        }
        events
    }

    /// The next share of the month that the running outage reaches, and when.
    fn next_share(&self, since: Ms, now: Ms, plan: &SlaPlan) -> Option<(i64, Ms)> {
        let month = month(now);
        let warned = if self.warned.0 == month.0 { self.warned.1 } else { 0 };
        let at = |share: i64| reaches(&self.over, since, self.budget(month) * share / 100, month, plan.counts_from);
        let shares = SHARES.into_iter().chain([100]).filter(|share| *share > warned);
        shares.filter_map(|share| Some((share, at(share)?))).next()
    }

    /// When the month's budget is empty if the outage goes on.
    fn empty_at(&self, since: Ms, now: Ms, plan: &SlaPlan) -> Ms {
        let month = month(now);
        reaches(&self.over, since, self.budget(month), month, plan.counts_from).unwrap_or(month.1)
    }

    fn budget(&self, month: Span) -> Ms {
        (month.1 - month.0) * (PPM - self.availability) / PPM
    }

    /// When the law asks for a notice if the outage goes on.
    fn notice_at(&self, since: Ms, now: Ms, rule: &Outage) -> Ms {
        let joined = self.over.iter().filter(|(from, to)| *from <= since && *to >= since).map(|(from, _)| *from);
        let start = joined.min().unwrap_or(since).max(self.told_to);
        let once = start + rule.continuous;
        let before = self.over.iter().filter(|(from, to)| *from >= self.told_to && *to < start);
        let inside = |(from, to): &Span| (to - from.max(&(now - rule.within))).max(0);
        let sum: Ms = before.map(inside).sum();
        if sum == 0 {
            return once;
        }
        // As long as an old outage leaves the day behind as fast as this one grows, nothing is gained: looked at again.
        let together = start.max(start + rule.repeated - sum);
        once.min(if together > now { together.max(now + SECOND) } else { together })
    }

    /// Budget and use of the month that `now` lies in, and when it is empty if the outage that runs goes on.
    pub fn month(&self, now: Ms, plan: &SlaPlan) -> (Ms, Ms, Option<Ms>) {
        let now = now - self.set_by;
        let month = month(now);
        let running = self.since().map(|since| (since, now));
        let used = charged(&merged(self.over.iter().copied().chain(running)), month, plan.counts_from);
        let empty = self.since().map(|since| self.empty_at(since, now, plan)).filter(|at| *at < month.1);
        (self.budget(month), used, empty)
    }
}
