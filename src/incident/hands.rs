//! What people do to incidents: take, hand over, give back, resolve, reopen.
//!
//! The idea: every command gets one English sentence, and one that finds nothing to do says so and is refused.

use crate::model::{Ack, Change, Incident, IncidentState};
use crate::time::{DAY, MINUTE, Ms, rfc3339};

use super::signals::still_key;
use super::{Book, Decided};

/// An ack holds at least so long: a shorter one would run out before its answer is read.
const HOLD_MIN: Ms = MINUTE;
/// And at most so long: an ack that never ends is a silence in disguise.
const HOLD_MAX: Ms = 7 * DAY;

impl Book {
    pub(super) fn ack(&mut self, id: &str, by: &str, terms: (&str, Ms), now: Ms, out: &mut Decided) {
        let (note, hold) = terms;
        let Some(mut incident) = self.find(id, out) else { return };
        let until = now + hold.clamp(HOLD_MIN, HOLD_MAX);
        let ack = Ack { by: by.to_owned(), at: now, until, note: note.to_owned() };
        match (incident.state, incident.ack.as_ref()) {
            (IncidentState::Open, _) => {
                incident.state = IncidentState::Acked;
                incident.ack = Some(ack);
                self.moved(Change::Acked, incident, out);
                out.answer = format!("{id} is taken by {by} until {}.", rfc3339(until));
            }
            (IncidentState::Acked, Some(before)) if before.by == by && before.until < until => {
                incident.ack = Some(Ack { at: before.at, ..ack });
                self.put(incident);
                out.answer = format!("{id} stays with {by} until {}.", rfc3339(until));
            }
            (IncidentState::Acked, before) => {
                let who = before.map_or("somebody", |ack| ack.by.as_str());
                out.answer = format!("{id} is already taken by {who}.");
                out.refused = true;
            }
            (IncidentState::Resolved | IncidentState::Closed, _) => {
                out.answer = format!("{id} is over already.");
                out.refused = true;
            }
        }
    }

    /// `code`: the occurrence and the count that it was made of.
    pub(super) fn ack_by_code(
        &mut self,
        (id, code): (&str, (i64, i64)),
        by: &str,
        terms: (&str, Ms),
        now: Ms,
        out: &mut Decided,
    ) {
        let Some(incident) = self.find(id, out) else { return };
        if (incident.occurrence, incident.codes_used) != code {
            out.answer = format!("this code of {id} was used already, or is of an earlier occurrence of it.");
            out.refused = true;
            return;
        }
        self.ack(id, by, terms, now, out);
        if !out.refused
            && let Some(mut incident) = self.incidents.get(id).cloned()
        {
            incident.codes_used += 1;
            self.put(incident);
        }
    }

    /// The ack becomes another person's; it holds as long as before, or as `terms` say.
    pub(super) fn hand_over(
        &mut self,
        id: &str,
        (by, to): (&str, &str),
        (note, hold): (&str, Option<Ms>),
        now: Ms,
        out: &mut Decided,
    ) {
        let Some(mut incident) = self.find(id, out) else { return };
        out.refused = true;
        match incident.ack.take().filter(|_| incident.state == IncidentState::Acked) {
            None if incident.state == IncidentState::Open => {
                out.answer = format!("{id} is not taken by anybody: there is nothing to hand over.");
            }
            None => out.answer = format!("{id} is over already."),
            Some(ack) if ack.by == to => out.answer = format!("{id} is with {to} already."),
            Some(ack) => {
                out.refused = false;
                let until = hold.map_or(ack.until, |hold| now + hold.clamp(HOLD_MIN, HOLD_MAX));
                incident.ack = Some(Ack { by: to.to_owned(), at: now, until, note: note.to_owned() });
                self.moved(Change::HandedOver, incident, out);
                out.answer = format!("{id} is handed over by {by} to {to} until {}.", rfc3339(until));
            }
        }
    }

    pub(super) fn unack(&mut self, id: &str, by: &str, out: &mut Decided) {
        let Some(incident) = self.find(id, out) else { return };
        if incident.state == IncidentState::Acked {
            self.give_back(incident, out);
            out.answer = format!("{id} is given back by {by}; the chain goes on.");
        } else {
            out.answer = format!("{id} is not taken by anybody.");
            out.refused = true;
        }
    }

    /// The ack is over, taken back or run out.
    pub(super) fn give_back(&mut self, mut incident: Incident, out: &mut Decided) {
        incident.state = IncidentState::Open;
        incident.ack = None;
        self.moved(Change::Unacked, incident, out);
    }

    pub(super) fn resolve_by_hand(&mut self, id: &str, by: &str, now: Ms, out: &mut Decided) {
        let Some(incident) = self.find(id, out) else { return };
        if incident.state.is_live() {
            self.notes.put(&still_key(incident.fingerprint), incident.severity.code().to_owned());
            self.over(incident, now, now, out);
            out.answer = format!("{id} is resolved by {by}.");
        } else {
            out.answer = format!("{id} is over already.");
            out.refused = true;
        }
    }

    /// A person's reopening is no flapping, and ends the quiet of one: they want to hear of it.
    pub(super) fn reopen_by_hand(&mut self, id: &str, by: &str, now: Ms, out: &mut Decided) {
        let Some(mut incident) = self.find(id, out) else { return };
        if incident.state == IncidentState::Resolved {
            self.begin_again(&mut incident, now, now);
            incident.flapping = false;
            incident.notify_by = self.notify_by(&incident, now);
            self.hang(&mut incident);
            self.moved(Change::Reopened, incident, out);
            self.gather(id, out);
            out.answer = format!("{id} is reopened by {by}.");
        } else {
            out.answer = format!("{id} is not over.");
            out.refused = true;
        }
    }

    fn find(&self, id: &str, out: &mut Decided) -> Option<Incident> {
        let known = self.incidents.get(id).filter(|incident| incident.state != IncidentState::Closed).cloned();
        if known.is_none() {
            out.answer =
                format!("no open incident is called `{id}`: unknown, or closed for more than its reopen time.");
            out.refused = true;
        }
        known
    }
}
