//! Pages that come back unsent from a sender.
//!
//! The idea: while a page is with a sender nobody can take it back. When it comes back it waits again, unless what happened
//! meanwhile would have taken it back had it waited all along: then it is taken back now. What senders do is not seen here.

use crate::model::{Incident, IncidentState, PageState, Reason};
use crate::time::Ms;

use super::{Call, Decisions, Desk, Incidents, Known};

impl Desk {
    /// A page was given back unsent: it waits again, or is no longer true. `again`: it left once more since.
    pub fn given_back(&mut self, page: &str, again: bool, incidents: &Incidents, now: Ms) -> Decisions {
        let mut out = Decisions::default();
        if self.many.contains_key(page) {
            self.given_back_many(page, again, incidents, now, &mut out);
            return out;
        }
        let Some(known) = self.pages.get_mut(page) else { return out };
        known.state = PageState::Waiting;
        let known = known.clone();
        let why = match incidents.get(&known.incident) {
            Some(incident) => self.outdated(&known, incident),
            None => Some("closed"),
        };
        let why = why.filter(|_| !again);
        if let Some(why) = why {
            self.cancel(page, why, &mut out);
            self.is_owed(&known, why);
        }
        if known.reason != Reason::Resolved {
            self.untell(&known, &mut out);
            let over = incidents.get(&known.incident).filter(|incident| incident.state == IncidentState::Resolved);
            if let Some(incident) = over.filter(|it| why == Some("resolved") && self.told(&it.id).is_empty()) {
                self.note_untold(Call { incident, now });
            }
        }
        out
    }

    /// A summary was given back unsent: what is somebody's by now, or over, or quiet, is no longer in it.
    fn given_back_many(&mut self, page: &str, again: bool, incidents: &Incidents, now: Ms, out: &mut Decisions) {
        let Some(many) = self.many.get_mut(page) else { return };
        many.is_handed = false;
        let speaks = !again && !many.is_end && !many.is_digest;
        let members: Vec<String> = many.members.iter().map(|member| member.incident.clone()).collect();
        self.changed_notes.insert(format!("many/{page}"));
        for id in members.iter().filter(|_| speaks) {
            if let Some(why) = incidents.get(id).and_then(why_quiet) {
                self.unfold(id, why, now, out);
            }
        }
    }

    /// Why a page that was with a sender is not to be said any more.
    fn outdated(&self, known: &Known, incident: &Incident) -> Option<&'static str> {
        let is_old = self.runs.get(&known.incident).is_some_and(|run| known.occurrence < run.since);
        match known.reason {
            Reason::Resolved => incident.state.is_live().then_some("reopened"),
            _ if is_old => Some("resolved"),
            Reason::Handover if has_it(incident, &known.to) => None,
            Reason::Sla if incident.state == IncidentState::Acked => None,
            Reason::Handover | Reason::Sla => why_quiet(incident),
            _ => why_quiet(incident).or_else(|| self.is_said_anew(known).then_some("said anew")),
        }
    }

    /// Whether its chain says more to the same person on the same channel by a page that was decided since.
    fn is_said_anew(&self, page: &Known) -> bool {
        let is_seat = |known: &Known| known.to == page.to && known.channel == page.channel;
        let is_later = |known: &Known| known.occurrence >= page.occurrence && known.round > page.round;
        let is_of_chain = |known: &Known| !matches!(known.reason, Reason::Resolved | Reason::Handover | Reason::Sla);
        let holds = |known: &Known| !matches!(known.state, PageState::Failed | PageState::Cancelled);
        self.pages_about(&page.incident)
            .any(|known| is_seat(known) && is_later(known) && is_of_chain(known) && holds(known))
    }

    /// Who was to hear it is remembered: when pages may leave again, or, of an end, as one who knows of the beginning.
    fn is_owed(&mut self, known: &Known, why: &str) {
        let Some(mut run) = self.runs.get(&known.incident).cloned() else { return };
        let seat = (known.to.clone(), known.channel);
        if known.reason == Reason::Resolved {
            self.tell(&known.incident, run.since, seat);
        } else if let Some(paused) = run.row.paused.as_mut()
            && why != "acked"
            && !paused.owed.contains(&seat)
        {
            paused.owed.push(seat);
            self.put(run);
        }
    }
}

/// Why nothing about the beginning of an incident may leave.
fn why_quiet(incident: &Incident) -> Option<&'static str> {
    match incident.state {
        IncidentState::Acked => Some("acked"),
        IncidentState::Resolved if incident.flapping => None,
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
