//! What a signal does to the book: open, worsen, ease, resolve, reopen.
//!
//! The idea: a signal says what an instance *is* now; whether that is news is decided against the incident of its
//! fingerprint. Only a rise opens or reopens: a signal that an instance still fires does not undo a person's resolve.

use crate::model::{
    Came, Change, DRILL_LABEL, DRILL_PREFIX, Domain, Fingerprint, Incident, IncidentState, LIMIT, Labels, STORM,
    Severity, Signal, State,
};
use crate::time::{Ms, civil};

use super::group::own_severity;
use super::{Book, Decided, FLAP_REOPENS, FLAP_WINDOW, HOLD_LATE, REOPEN_WITHIN};

/// How a signal arrived.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Arrival {
    /// Topic and partition; `None` for the engine's own.
    pub(super) origin: Option<(String, i32)>,
    /// It comes from catching up: pages wait.
    pub(super) late: bool,
    /// When it was taken.
    pub(super) now: Ms,
}

impl Book {
    pub(super) fn signal(&mut self, signal: &Signal, arrival: &Arrival, out: &mut Decided) {
        match (signal.to.is_active(), signal.severity) {
            // Its signals stand in the ledger, and nothing comes of them. An end counts: the rule may have been live.
            (true, _) if self.names.is_shadow(&signal.rule) => {}
            (true, Some(severity)) => self.bad(signal, severity, arrival, out),
            (true, None) => {}
            (false, _) if signal.to == State::Pending => {}
            (false, _) => self.good(signal, arrival.now, out),
        }
    }

    /// The instance fires at `severity`.
    fn bad(&mut self, signal: &Signal, severity: Severity, arrival: &Arrival, out: &mut Decided) {
        let known = self.by_fingerprint.get(&signal.fingerprint).and_then(|id| self.incidents.get(id)).cloned();
        match known {
            Some(incident) if incident.state.is_live() => self.regrade(incident, severity, out),
            Some(incident) => {
                if !self.is_rise(signal, severity) {
                    return;
                }
                let over = incident.resolved.unwrap_or(incident.detected);
                if signal.at - over < REOPEN_WITHIN {
                    self.reopen(incident, signal, arrival, out);
                } else {
                    self.close(incident, out);
                    self.open(signal, severity, arrival, out);
                }
            }
            None if self.is_rise(signal, severity) => self.open(signal, severity, arrival, out),
            None => {}
        }
    }

    /// Whether a firing instance without a live incident is news. After a person's resolve a note keeps the severity
    /// that they saw: only something worse, or firing anew, is.
    fn is_rise(&mut self, signal: &Signal, severity: Severity) -> bool {
        if signal.to != State::Firing {
            return false;
        }
        if signal.from != State::Firing {
            return true;
        }
        let key = still_key(signal.fingerprint);
        let Some(seen) = self.notes.get(&key).and_then(Severity::parse) else { return true };
        if severity > seen {
            self.notes.put(&key, severity.code().to_owned());
        }
        severity < seen
    }

    fn regrade(&mut self, mut incident: Incident, severity: Severity, out: &mut Decided) {
        if severity == own_severity(&incident) {
            return;
        }
        // What hangs under it may be worse than what its rule says.
        let worst = incident.group.tally.worst().map_or(severity, |worst| worst.min(severity));
        incident.group.own = (worst != severity).then_some(severity);
        self.at_severity(incident, worst, out);
    }

    pub(super) fn open(&mut self, signal: &Signal, severity: Severity, arrival: &Arrival, out: &mut Decided) {
        if self.live.len() >= self.open_max
            && severity != Severity::S1
            && ![LIMIT.id, STORM.id].contains(&&*signal.rule)
        {
            self.count_unopened(&signal.labels);
            self.mute(arrival, out);
            return;
        }
        self.notes.remove(&still_key(signal.fingerprint));
        let (title, domain) = self.names.get(&signal.rule);
        let domain = self.storm_domain.filter(|_| *signal.rule == *STORM.id).unwrap_or(domain);
        let mut incident = Incident {
            id: self.number(domain, signal),
            fingerprint: signal.fingerprint,
            rule: signal.rule.clone(),
            labels: signal.labels.clone(),
            title,
            domain,
            state: IncidentState::Open,
            severity,
            occurred: signal.since.unwrap_or(signal.at),
            detected: signal.at,
            resolved: None,
            ended: None,
            ack: None,
            reopened: Vec::new(),
            flapping: false,
            occurrence: 1,
            held_until: arrival.late.then_some(arrival.now + HOLD_LATE),
            partition: arrival.origin.clone(),
            notify_by: None,
            notified: None,
            calm_since: Some(arrival.now),
            codes_used: 0,
            muted: None,
            sla: None,
            parent: None,
            group: Default::default(),
            came: Some(self.came.unwrap_or(Came::noticed(arrival.now))),
            drill: None,
        };
        incident.notify_by = self.notify_by(&incident, signal.at);
        self.hang(&mut incident);
        let id = incident.id.clone();
        self.moved(Change::Opened, incident, out);
        self.gather(&id, out);
    }

    /// The next number of an incident: KST month of its beginning, never given twice because the counter commits with the incident.
    fn number(&mut self, domain: Domain, signal: &Signal) -> String {
        let prefix = match (signal.labels.get(DRILL_LABEL), domain) {
            (Some("true"), _) => DRILL_PREFIX,
            (_, Domain::Security) => "SEC",
            _ => "INC",
        };
        self.next_number(prefix, signal.at)
    }

    /// The next number that begins with `prefix`.
    pub(super) fn next_number(&mut self, prefix: &str, at: Ms) -> String {
        let day = civil(at);
        let key = format!("{prefix}-{:02}{:02}", day.year.rem_euclid(100), day.month);
        let last = self.counters.entry(key.clone()).or_insert(0);
        *last += 1;
        let number = format!("{key}-{:03}", *last);
        self.counted.insert(key);
        number
    }

    /// Beyond the limit an incident below S1 is counted instead of opened, and one incident says so.
    fn mute(&mut self, arrival: &Arrival, out: &mut Decided) {
        let muted = self.notes.get("muted").and_then(|n| n.parse::<i64>().ok()).unwrap_or(0);
        self.notes.put("muted", (muted + 1).to_string());
        let labels = limit_labels();
        let own = Signal {
            rule: LIMIT.id.into(),
            fingerprint: Fingerprint::of(LIMIT.id, &labels),
            labels,
            from: State::Inactive,
            to: State::Firing,
            severity: Some(LIMIT.severity),
            value: None,
            unknown: None,
            at: arrival.now,
            since: None,
            ended: None,
            acted: true,
        };
        self.signal(&own, &Arrival { origin: None, late: false, now: arrival.now }, out);
    }

    fn reopen(&mut self, mut incident: Incident, signal: &Signal, arrival: &Arrival, out: &mut Decided) {
        let before = incident.severity;
        let severity = signal.severity.unwrap_or(before);
        self.begin_again(&mut incident, signal.at, arrival.now);
        incident.severity = severity;
        incident.notify_by = self.notify_by(&incident, signal.at);
        incident.partition = arrival.origin.clone().or(incident.partition);
        incident.reopened.retain(|at| signal.at - at < FLAP_WINDOW);
        incident.reopened.push(signal.at);
        let change = match (incident.flapping, incident.reopened.len() >= FLAP_REOPENS) {
            (true, _) if severity < before => Change::Worsened,
            (true, _) => Change::Reopened,
            (false, true) => Change::Flapping,
            (false, false) => Change::Reopened,
        };
        incident.flapping |= change == Change::Flapping;
        incident.held_until = (arrival.late && !incident.flapping).then_some(arrival.now + HOLD_LATE);
        self.hang(&mut incident);
        let id = incident.id.clone();
        self.moved(change, incident, out);
        self.gather(&id, out);
    }

    /// What every reopening does: same number and timeline, ack cleared, one occurrence more.
    pub(super) fn begin_again(&mut self, incident: &mut Incident, detected: Ms, now: Ms) {
        self.notes.remove(&still_key(incident.fingerprint));
        self.notes.remove(&super::timers::overdue_key(&incident.id));
        incident.state = IncidentState::Open;
        incident.ack = None;
        incident.resolved = None;
        incident.ended = None;
        incident.notified = None;
        incident.detected = detected;
        incident.occurrence += 1;
        incident.group = Default::default();
        incident.calm_since = Some(now);
    }

    /// The instance is good again, or its rule no longer watches it.
    fn good(&mut self, signal: &Signal, now: Ms, out: &mut Decided) {
        self.notes.remove(&still_key(signal.fingerprint));
        let known = self.by_fingerprint.get(&signal.fingerprint).and_then(|id| self.incidents.get(id)).cloned();
        let Some(mut incident) = known.filter(|incident| incident.state.is_live()) else { return };
        incident.ended = signal.ended;
        self.over(incident, signal.at, now, out);
    }

    /// Ends a live incident at `at`.
    pub(super) fn over(&mut self, mut incident: Incident, at: Ms, now: Ms, out: &mut Decided) {
        incident.state = IncidentState::Resolved;
        incident.resolved = Some(at.max(incident.detected));
        incident.held_until = None;
        incident.calm_since = Some(now);
        let id = incident.id.clone();
        self.moved(Change::Resolved, incident, out);
        self.set_free(&id, out);
        self.lift_limit(now, out);
    }

    /// There is room again once a tenth of the limit is free, so that the limit's own incident does not flap.
    fn lift_limit(&mut self, now: Ms, out: &mut Decided) {
        let room = self.open_max - self.open_max / 10;
        if self.notes.get("muted").is_none() || self.live.len() > room {
            return;
        }
        self.notes.remove("muted");
        let id = self.by_fingerprint.get(&Fingerprint::of(LIMIT.id, &limit_labels()));
        let own = id.and_then(|id| self.incidents.get(id)).filter(|own| own.state.is_live()).cloned();
        if let Some(own) = own {
            self.over(own, now, now, out);
        }
    }

    pub(super) fn close(&mut self, mut incident: Incident, out: &mut Decided) {
        if incident.flapping {
            // Its end was kept quiet until it was calm: those told of the beginning hear of it now.
            incident.flapping = false;
            self.moved(Change::Resolved, incident.clone(), out);
        }
        incident.state = IncidentState::Closed;
        self.moved(Change::Closed, incident, out);
    }
}

/// The severity at which an instance still fired when a person resolved its incident.
pub(super) fn still_key(fingerprint: Fingerprint) -> String {
    format!("still/{fingerprint}")
}

fn limit_labels() -> Labels {
    Labels::new([("limit", "open_incidents")])
}
