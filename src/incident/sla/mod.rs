//! Service levels: the clocks of each incident, the month of each contracted service, and the duty to tell customers.
//!
//! The idea: an incident's clocks are fields of it, set when it opens or changes severity ([`Book::set_clocks`]), so its
//! timers follow from the incident alone. What several incidents share, the month of their service, is a
//! [`service::Service`]. Whichever clock reaches 50, 75 or 90 % first warns, each share once per occurrence; a clock that
//! runs out is written down. Whom a warning wakes is decided in `page`, never here.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Change, Fingerprint, Incident, IncidentState, Labels, MuteKind, OUTAGE_NOTICE, Severity, Signal, SlaClock,
    SlaClocks, State,
};
use crate::time::Ms;

use super::notes::Notes;
use super::signals::Arrival;
use super::{Book, Decided};

pub mod budget;
mod hung;
mod service;
mod subjects;
#[cfg(test)]
mod tests;

pub use service::Service;
use service::{Event, SHARES};
use subjects::About;
pub use subjects::Subjects;

/// Key of the notes.
pub const KEY: &str = "sla/";

/// The contracted services that were ever down.
#[derive(Debug, Clone, Default)]
pub(super) struct Services {
    known: BTreeMap<String, Service>,
    changed: BTreeSet<String>,
}

impl Services {
    pub(super) fn load(notes: &Notes, incidents: &[Incident]) -> Self {
        let read = |(name, text): (String, String)| Some((name, serde_json::from_str::<Service>(&text).ok()?));
        let mut known: BTreeMap<String, Service> = notes.under(KEY).into_iter().filter_map(read).collect();
        for incident in incidents.iter().filter(|incident| incident.state.is_live()) {
            if let Some((name, since)) = incident.sla.as_ref().and_then(down) {
                known.entry(name.to_owned()).or_default().recall(&incident.id, since);
            }
        }
        Self { known, changed: BTreeSet::new() }
    }

    pub(super) fn save(&mut self, notes: &mut Notes) {
        for name in std::mem::take(&mut self.changed) {
            if let Some(text) = self.known.get(&name).and_then(|service| serde_json::to_string(service).ok()) {
                notes.put(&format!("{KEY}{name}"), text);
            }
        }
    }

    pub(super) fn next_due(&self, subjects: &Subjects) -> Option<Ms> {
        self.known.values().filter_map(|service| service.next(subjects.plan())).min()
    }

    /// The wall clock was set while some are down.
    pub(super) fn set_clock(&mut self, by: Ms) {
        let moved = self.known.iter_mut().filter_map(|(name, service)| service.set_clock(by).then(|| name.clone()));
        self.changed.extend(moved);
    }

    fn get(&mut self, name: &str) -> &mut Service {
        self.changed.insert(name.to_owned());
        self.known.entry(name.to_owned()).or_default()
    }
}

/// Which service is down because of it, and since when.
fn down(clocks: &SlaClocks) -> Option<(&str, Ms)> {
    Some((clocks.service.as_deref()?, clocks.down_since?))
}

fn about(incident: &Incident) -> About<'_> {
    About { rule: &incident.rule, labels: &incident.labels, domain: incident.domain }
}

impl Book {
    /// By when somebody must have been told of `incident`, if that counts from `from`.
    pub(super) fn notify_by(&self, incident: &Incident, from: Ms) -> Option<Ms> {
        let terms = self.names.subjects.terms(about(incident));
        terms.notify_within(incident.severity).map(|within| from + within)
    }

    /// Sets, moves or stops the clocks of an incident that has just changed.
    pub(super) fn set_clocks(&mut self, change: Change, incident: &mut Incident) {
        let known = self.incidents.get(&incident.id);
        let again = known.is_none_or(|before| before.occurrence != incident.occurrence || before.sla.is_none());
        match change {
            Change::Opened => self.start_clocks(incident, incident.occurred),
            Change::Reopened | Change::Flapping => self.start_clocks(incident, incident.detected),
            Change::Worsened if again => self.start_clocks(incident, incident.detected),
            Change::Worsened | Change::Eased => self.shift_clocks(change, incident),
            Change::Acked => {
                if let Some(clocks) = &mut incident.sla {
                    clocks.acked.get_or_insert(self.now);
                    clocks.end_ack();
                }
            }
            Change::Attached | Change::Detached => {
                if let Some(clocks) = &mut incident.sla {
                    match change {
                        Change::Attached => clocks.hold_ack(self.now),
                        _ => clocks.go_on_with_ack(self.now),
                    }
                }
            }
            Change::Resolved => {
                if let Some(clocks) = &mut incident.sla {
                    clocks.end_ack();
                }
                self.set_down(incident, incident.resolved.unwrap_or(self.now));
            }
            _ => {}
        }
    }

    fn start_clocks(&mut self, incident: &mut Incident, from: Ms) {
        let subjects = &self.names.subjects;
        let service = subjects.service(about(incident));
        incident.sla = Some(SlaClocks { from, service, ..SlaClocks::default() });
        self.promise(incident);
        self.set_down(incident, from);
    }

    /// Another severity: other times from the same beginning.
    fn shift_clocks(&mut self, change: Change, incident: &mut Incident) {
        self.promise(incident);
        if let (Change::Worsened, Some(clocks)) = (change, &mut incident.sla) {
            // Whoever had taken it took something smaller.
            clocks.acked = None;
            clocks.end_ack();
            if incident.notified.is_some() {
                clocks.start_ack(incident.parent.is_some(), self.now);
            }
        }
        self.set_down(incident, self.now);
    }

    /// What the terms promise for its severity.
    fn promise(&self, incident: &mut Incident) {
        let subjects = &self.names.subjects;
        let (terms, covered) = (subjects.terms(about(incident)), subjects.is_covered(about(incident)));
        let n = incident.severity.index();
        let (ack, recover, warns) = (terms.ack[n], terms.recover[n].filter(|_| covered), terms.warns[n]);
        let id = terms.id.clone();
        let Some(clocks) = &mut incident.sla else { return };
        clocks.terms = id;
        clocks.ack_within = ack;
        clocks.recover_by = recover.map(|within| clocks.from + within);
        clocks.warns = warns;
    }

    /// Begins or ends an outage of its service: S1 alone is one; planned maintenance is none, and a drill least of all.
    pub(super) fn set_down(&mut self, incident: &mut Incident, at: Ms) {
        let is_planned = incident.muted.as_ref().is_some_and(|muted| muted.kind == MuteKind::Maintenance);
        let is_down = incident.state.is_live() && incident.severity == Severity::S1;
        let is_down = is_down && !is_planned && !incident.is_drill();
        let availability = self.names.subjects.terms(about(incident)).availability;
        let Some(clocks) = &mut incident.sla else { return };
        let Some(name) = &clocks.service else { return };
        match (is_down, clocks.down_since) {
            (true, None) => {
                clocks.down_since = Some(at);
                self.services.get(name).begin(&incident.id, at, availability, self.now);
            }
            (false, Some(_)) => {
                clocks.down_since = None;
                self.services.get(name).end(&incident.id, at, self.now);
            }
            _ => {}
        }
    }

    /// When a clock of the incident alone does something next.
    pub(super) fn clock_due(incident: &Incident) -> Option<Ms> {
        let clocks = incident.sla.as_ref()?;
        let ack = clocks.ack_by.filter(|_| incident.state == IncidentState::Open && !has_missed(clocks, SlaClock::Ack));
        let recover = clocks.recover_by.filter(|_| !has_missed(clocks, SlaClock::Recover));
        let share = next_share(clocks).map(|(_, at)| at);
        [ack, recover, share].into_iter().flatten().min()
    }

    /// Does the first thing that a clock of the incident asks for.
    pub(super) fn ring_clock(&mut self, mut incident: Incident, now: Ms, out: &mut Decided) {
        let Some(clocks) = &mut incident.sla else { return };
        let passed = |at: Option<Ms>| at.is_some_and(|at| at <= now);
        if incident.state == IncidentState::Open && passed(clocks.ack_by) && !has_missed(clocks, SlaClock::Ack) {
            clocks.missed.push(SlaClock::Ack);
            self.moved(Change::AckOverdue, incident, out);
        } else if passed(clocks.recover_by) && !has_missed(clocks, SlaClock::Recover) {
            clocks.missed.push(SlaClock::Recover);
            self.moved(Change::RecoverOverdue, incident, out);
        } else {
            let due = SHARES.iter().filter(|share| passed(share_at(clocks, **share))).max().copied();
            let Some((share, by)) = due.zip(clocks.recover_by) else { return };
            if !self.warn_above(&incident, (share, by), out) {
                self.warn(incident, (share, SlaClock::Recover, by), out);
            }
        }
    }

    /// Warns of a share, unless this occurrence was warned of it before.
    fn warn(&mut self, mut incident: Incident, (share, clock, by): (i64, SlaClock, Ms), out: &mut Decided) {
        let Some(clocks) = incident.sla.as_mut().filter(|clocks| clocks.warns && clocks.warned < share) else { return };
        (clocks.warned, clocks.tight) = (share, Some((clock, by)));
        self.moved(Change::SlaWarned, incident, out);
    }

    /// Does what is due for the contracted services.
    pub(super) fn due_services(&mut self, now: Ms, out: &mut Decided) {
        let names = self.names.clone();
        let plan = names.subjects.plan();
        let due = self.services.known.iter().filter(|(_, service)| service.next(plan).is_some_and(|at| at <= now));
        for name in due.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            let service = self.services.get(&name);
            let events = service.due(now, plan);
            let first = service.first().unwrap_or_default().to_owned();
            for event in events {
                match (event, self.incidents.get(&first).cloned()) {
                    (Event::Share(share, by), Some(incident)) => {
                        self.warn(incident, (share, SlaClock::Month, by), out);
                    }
                    (Event::Spent, Some(mut incident)) => {
                        if let Some(clocks) = &mut incident.sla {
                            clocks.missed.push(SlaClock::Month);
                        }
                        self.moved(Change::BudgetSpent, incident, out);
                    }
                    (Event::Notice, _) => self.notice(&name, State::Firing, now, out),
                    (Event::NoticeOver, _) => self.notice(&name, State::Resolved, now, out),
                    (Event::Share(..) | Event::Spent, None) => {}
                }
            }
        }
    }

    /// The duty to tell a service's customers is an incident of the engine's own.
    fn notice(&mut self, service: &str, to: State, now: Ms, out: &mut Decided) {
        let labels = Labels::new([("service", service)]);
        let signal = Signal {
            rule: OUTAGE_NOTICE.id.into(),
            fingerprint: Fingerprint::of(OUTAGE_NOTICE.id, &labels),
            labels,
            from: if to == State::Firing { State::Inactive } else { State::Firing },
            to,
            severity: Some(OUTAGE_NOTICE.severity),
            value: None,
            unknown: None,
            at: now,
            since: None,
            ended: None,
            acted: true,
        };
        self.signal(&signal, &Arrival { origin: None, late: false, now }, out);
    }
}

fn has_missed(clocks: &SlaClocks, clock: SlaClock) -> bool {
    clocks.missed.contains(&clock)
}

/// When a share of the time to recover has passed; `None` where there is none or nobody is warned.
fn share_at(clocks: &SlaClocks, share: i64) -> Option<Ms> {
    let waits = clocks.warns && clocks.warned < share && !has_missed(clocks, SlaClock::Recover);
    let by = clocks.recover_by.filter(|_| waits)?;
    Some(clocks.from + (by - clocks.from) * share / 100)
}

/// The next share of the time to recover that nobody was warned of.
fn next_share(clocks: &SlaClocks) -> Option<(i64, Ms)> {
    SHARES.iter().find_map(|share| Some((*share, share_at(clocks, *share)?)))
}
