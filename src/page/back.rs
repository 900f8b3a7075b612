//! Pages that come back unsent from a sender.
//!
//! The idea: while a page is with a sender nobody can take it back. When it comes back it waits again, unless what happened
//! meanwhile would have taken it back had it waited all along: then it is taken back now. What senders do is not seen here.

use crate::model::{Channel, Incident, IncidentState, PageState, Reason};
use crate::time::Ms;

use super::chain::stays_true;
use super::group::Seat;
use super::{Call, Decisions, Desk, Incidents, Known};

impl Desk {
    /// A page was given back unsent: it waits again, or is no longer true. `again`: it left once more since, so that its
    /// person is told after all.
    pub fn given_back(&mut self, page: &str, again: bool, incidents: &Incidents, now: Ms) -> Decisions {
        let mut out = Decisions::default();
        if self.many.contains_key(page) {
            self.given_back_many(page, again, incidents, now, &mut out);
            return out;
        }
        let Some(known) = self.pages.get_mut(page) else { return out };
        known.state = PageState::Waiting;
        if again {
            return out;
        }
        let known = known.clone();
        let why = match incidents.get(&known.incident) {
            Some(incident) => self.outdated(&known, incident),
            None => Some("closed"),
        };
        if let Some(why) = why {
            self.cancel(page, why, &mut out);
        }
        let seat = known.seat();
        if known.reason == Reason::Resolved {
            if why == Some("reopened") {
                self.still_knows(&known.incident, seat);
            }
            return out;
        }
        self.untell(&known.incident, &seat, &mut out);
        if let Some(why) = why {
            self.owe(&known.incident, seat, (why, now), incidents);
        }
        out
    }

    /// A summary was given back unsent: its person heard nothing of what is in it, and what is somebody's by now, or over, or
    /// quiet, is no longer in it.
    fn given_back_many(&mut self, page: &str, again: bool, incidents: &Incidents, now: Ms, out: &mut Decisions) {
        let Some(many) = self.many.get_mut(page) else { return };
        many.is_handed = false;
        let many = many.clone();
        self.changed_notes.insert(format!("many/{page}"));
        let Some(channel) = Channel::parse(&many.channel).filter(|_| !again && !many.is_end && !many.is_digest) else {
            return;
        };
        let seat = (many.to, channel);
        for member in many.members {
            self.untell(&member.incident, &seat, out);
            let why = incidents.get(&member.incident).and_then(|incident| why_quiet(incident, member.reason()));
            if let Some(why) = why {
                self.unfold(&member.incident, why, now, out);
                self.owe(&member.incident, seat.clone(), (why, now), incidents);
            }
        }
    }

    /// Why a page that was with a sender is not to be said any more.
    fn outdated(&self, known: &Known, incident: &Incident) -> Option<&'static str> {
        let is_old = self.runs.get(&known.incident).is_some_and(|run| known.occurrence < run.since);
        match known.reason {
            Reason::Resolved => self.outdated_end(known, incident),
            _ if is_old => Some("resolved"),
            Reason::Handover if has_it(incident, &known.to) => None,
            Reason::Handover => Some(why_quiet(incident, known.reason).unwrap_or("said anew")),
            Reason::Sla if is_after_the_ack(incident, known.decided) => None,
            Reason::Sla => why_quiet(incident, known.reason),
            reason => why_quiet(incident, reason).or_else(|| self.is_said_anew(known).then_some("said anew")),
        }
    }

    /// An end is not to be said of what is back; nor to whoever heard of no beginning, or hears of a later end.
    fn outdated_end(&self, known: &Known, incident: &Incident) -> Option<&'static str> {
        if incident.state.is_live() {
            return Some("reopened");
        }
        let is_told = self.told(&known.incident).iter().any(|seat| known.is_for(seat));
        match (known.occurrence < incident.occurrence, is_told) {
            (true, true) => Some("said anew"),
            (false, false) => Some("never told"),
            _ => None,
        }
    }

    /// Whether its chain says more to the same person on the same channel by a page that was decided since.
    fn is_said_anew(&self, page: &Known) -> bool {
        let seat = page.seat();
        let is_later = |known: &Known| known.occurrence >= page.occurrence && known.round > page.round;
        let holds = |known: &Known| !matches!(known.state, PageState::Failed | PageState::Cancelled);
        let says_it = |known: &Known| known.is_for(&seat) && is_later(known) && known.is_of_chain() && holds(known);
        self.pages_about(&page.incident).any(says_it)
    }

    /// A page about its beginning was taken back, and whoever was to hear it did not: they are owed it when pages may leave
    /// again; where it is over and nobody heard of it, the digest says that it was.
    fn owe(&mut self, id: &str, seat: Seat, (why, now): (&str, Ms), incidents: &Incidents) {
        let Some(mut run) = self.runs.get(id).cloned() else { return };
        if let Some(paused) = run.row.paused.as_mut()
            && matches!(why, "muted" | "attached")
            && !paused.owed.contains(&seat)
        {
            paused.owed.push(seat);
            self.put(run);
        } else if let Some(incident) = incidents.get(id)
            && incident.state == IncidentState::Resolved
            && why == "resolved"
            && self.told(id).is_empty()
        {
            self.note_untold(Call { incident, now });
        }
    }

    /// Whoever has not been told of the last end counts as told of what is back.
    fn still_knows(&mut self, id: &str, seat: Seat) {
        if let Some(since) = self.runs.get(id).map(|run| run.since) {
            self.tell(id, since, seat);
        }
    }

    /// Whether a summary that is with a sender tells somebody of an incident.
    pub(super) fn hears_in_a_summary(&self, incident: &str, (to, channel): &Seat) -> bool {
        self.many.values().any(|many| {
            let is_theirs = many.to == *to && many.channel == channel.word();
            let is_out = many.is_handed && !many.is_end && !many.is_digest;
            is_theirs && is_out && many.members.iter().any(|member| member.incident == incident)
        })
    }
}

/// Why nothing about the beginning of an incident may leave.
fn why_quiet(incident: &Incident, reason: Reason) -> Option<&'static str> {
    match incident.state {
        IncidentState::Acked => Some("acked"),
        _ if stays_true(incident, reason) && !incident.holds_pages() => None,
        IncidentState::Resolved | IncidentState::Closed => Some("resolved"),
        IncidentState::Open if incident.muted.is_some() => Some("muted"),
        IncidentState::Open if incident.holds_pages() => Some("attached"),
        IncidentState::Open => None,
    }
}

/// Whether `person` is the one to whom the incident was handed.
fn has_it(incident: &Incident, person: &str) -> bool {
    incident.state == IncidentState::Acked && incident.ack.as_ref().is_some_and(|ack| ack.by == person)
}

/// Whether it was decided of an incident that somebody had: an ack takes back what was decided before it.
fn is_after_the_ack(incident: &Incident, decided: Ms) -> bool {
    incident.state == IncidentState::Acked && incident.ack.as_ref().is_some_and(|ack| decided >= ack.at)
}
