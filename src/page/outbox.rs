//! The outbox: pages are decided, withdrawn, handed over, and have an outcome.
//!
//! The idea: a page exists from its decision on under one id; it can be withdrawn until it is handed over; from the
//! hand-over on its person counts as told, until it is known to have failed.

use crate::model::{Cancel, Channel, IncidentState, Outcome, Page, PageState, Reason, Severity};
use crate::time::{DAY, MINUTE, Ms, SECOND};

use super::cap::{FoldKey, Member};
use super::group::Seat;
use super::wording::{self, Telling};
use super::{Call, Decisions, Desk, Incidents, Known, PageKey, chain};

/// Step, round and reason of a page.
pub(super) type Place = (i64, i64, Reason);

/// How long a page is worth sending: ten times the time in which somebody must be told, since late is better than
/// never, but news of a long-gone hour is worse; ends and digests are worth a day.
pub(super) const fn lifetime(severity: Severity, reason: Reason) -> Ms {
    match (reason, severity) {
        (Reason::Resolved | Reason::Digest, _) | (_, Severity::S4) => DAY,
        (_, Severity::S1) => 10 * 60 * SECOND,
        (_, Severity::S2) => 10 * 5 * MINUTE,
        (_, Severity::S3) => 10 * 30 * MINUTE,
    }
}

/// So long after its decision a page should be with its person, where no promise of its incident says so: the usual
/// notify-within. An end or a digest never goes before a beginning that is wanted by then.
pub(super) const fn within(severity: Severity, reason: Reason) -> Ms {
    match (reason, severity) {
        (Reason::Resolved | Reason::Digest, _) | (_, Severity::S3 | Severity::S4) => 30 * MINUTE,
        (_, Severity::S1) => 60 * SECOND,
        (_, Severity::S2) => 5 * MINUTE,
    }
}

/// By when a page should be with its person: as long as nobody was told of the incident, its notify-within says so.
fn wanted(Call { incident, now }: Call<'_>, reason: Reason) -> Ms {
    let usual = now + within(incident.severity, reason);
    let promised = incident.notify_by.filter(|_| incident.notified.is_none() && reason != Reason::Resolved);
    promised.unwrap_or(usual)
}

impl Desk {
    /// Decides one page: at once, or as a member of its person's fold where the cap is reached.
    pub(super) fn page(&mut self, call: Call<'_>, place: Place, (to, channel): (&str, Channel), out: &mut Decisions) {
        let severity = call.incident.severity;
        let hour_max = self.hour_max();
        let room = self.counts.entry(to.to_owned()).or_default().take(severity, channel, (hour_max, call.now));
        self.changed_notes.insert(format!("cap/{to}"));
        if let Err(free) = room {
            let (step, round, reason) = place;
            let member = Member {
                incident: call.incident.id.clone(),
                occurrence: call.incident.occurrence,
                step,
                round,
                reason: reason.word().to_owned(),
                severity: severity.code().to_owned(),
            };
            let (is_s1, is_end) = (severity == Severity::S1, reason == Reason::Resolved);
            let key = FoldKey { to: to.to_owned(), channel, is_s1, is_end, is_drill: call.incident.is_drill() };
            self.fold(key, member, free, call.now);
        } else {
            self.send(call, place, (to, channel), out);
        }
    }

    /// Writes one page, its cap already counted.
    pub(super) fn send(&mut self, call: Call<'_>, place: Place, (to, channel): (&str, Channel), out: &mut Decisions) {
        let (step, round, reason) = place;
        let incident = call.incident;
        let key = PageKey { incident: &incident.id, step, round, to, channel, reason, occurrence: incident.occurrence };
        let id = key.id();
        if self.pages.contains_key(&id) {
            return;
        }
        let text = wording::render(&Telling { incident, reason, step, round, now: call.now }, channel, &self.guard);
        let page = Page {
            id,
            incident: incident.id.clone(),
            severity: incident.severity,
            reason,
            step,
            round,
            occurrence: incident.occurrence,
            to: to.to_owned(),
            channel,
            title: text.title,
            text: text.text,
            decided: call.now,
            due: call.now,
            wanted: wanted(call, reason),
            deadline: call.now + lifetime(incident.severity, reason),
            came: None,
            prompt: false,
        };
        self.remember(&page, PageState::Waiting);
        out.pages.push(page);
    }

    pub(super) fn remember(&mut self, page: &Page, state: PageState) {
        let known = Known {
            incident: page.incident.clone(),
            severity: page.severity,
            reason: page.reason,
            step: page.step,
            round: page.round,
            occurrence: page.occurrence,
            to: page.to.clone(),
            channel: page.channel,
            decided: page.decided,
            state,
        };
        self.pages_of.entry(page.incident.clone()).or_default().insert(page.id.clone());
        self.pages.insert(page.id.clone(), known);
    }

    /// Takes back every page about the beginning that has not left; returns whom they were for.
    pub(super) fn withdraw(&mut self, id: &str, why: &str, now: Ms, out: &mut Decisions) -> Vec<(Seat, i64, Reason)> {
        let mut found = self.unfold(id, why, now, out);
        for page in self.waiting(id, |known| known.reason != Reason::Resolved) {
            if let Some(known) = self.cancel(&page, why, out) {
                found.push(((known.to, known.channel), known.step, known.reason));
            }
        }
        found
    }

    /// Takes back every page about the end that has not left; returns whom they were for.
    pub(super) fn withdraw_ends(&mut self, call: Call<'_>, out: &mut Decisions) -> Vec<Seat> {
        let mut found = self.unfold_ends(&call.incident.id);
        for page in self.waiting(&call.incident.id, |known| known.reason == Reason::Resolved) {
            if let Some(known) = self.cancel(&page, "reopened", out) {
                found.push((known.to, known.channel));
            }
        }
        found
    }

    pub(super) fn waiting(&self, id: &str, fits: impl Fn(&Known) -> bool) -> Vec<String> {
        let ids = self.pages_of.get(id).into_iter().flatten();
        ids.filter(|id| self.pages.get(*id).is_some_and(|known| known.state == PageState::Waiting && fits(known)))
            .cloned()
            .collect()
    }

    /// Knows nothing of a page any more.
    pub(super) fn drop_page(&mut self, page: &str) -> Option<Known> {
        let known = self.pages.remove(page)?;
        if let Some(ids) = self.pages_of.get_mut(&known.incident) {
            ids.remove(page);
            if ids.is_empty() {
                self.pages_of.remove(&known.incident);
            }
        }
        Some(known)
    }

    pub(super) fn cancel(&mut self, page: &str, why: &str, out: &mut Decisions) -> Option<Known> {
        let known = self.drop_page(page)?;
        if let Some(counts) = self.counts.get_mut(&known.to) {
            counts.give_back(known.severity, known.channel, known.decided);
            self.changed_notes.insert(format!("cap/{}", known.to));
        }
        out.cancels.push(Cancel { page: page.to_owned(), why: why.to_owned() });
        Some(known)
    }

    /// A page was leased: from now on its person counts as told.
    pub fn handed(&mut self, page: &str) {
        if self.many.contains_key(page) {
            return self.handed_many(page);
        }
        let Some(known) = self.pages.get_mut(page) else { return };
        known.state = PageState::Handed;
        let known = known.clone();
        if known.reason != Reason::Resolved {
            self.tell(&known.incident, known.occurrence, (known.to, known.channel));
        }
    }

    /// Counts a person as told of the present occurrence.
    pub(super) fn tell(&mut self, incident: &str, occurrence: i64, seat: Seat) {
        let Some(run) = self.runs.get(incident) else { return };
        if occurrence >= run.since && !run.row.told.contains(&seat) {
            let mut run = run.clone();
            run.row.told.push(seat);
            self.put(run);
        }
    }

    /// Takes what became of a page.
    pub fn outcome(&mut self, page: &str, outcome: &Outcome, incidents: &Incidents, now: Ms) -> Decisions {
        let mut out = Decisions::default();
        if self.many.contains_key(page) {
            self.outcome_many(page, outcome, &mut out);
            return out;
        }
        let Some(known) = self.pages.get_mut(page) else { return out };
        if !self.runs.contains_key(&known.incident) {
            if !matches!(outcome, Outcome::Resent) {
                self.drop_page(page);
            }
            return out;
        }
        let state = match outcome {
            Outcome::Accepted { .. } => PageState::Accepted,
            Outcome::Delivered { .. } => PageState::Delivered,
            Outcome::Failed { .. } => PageState::Failed,
            Outcome::Unknown { .. } => PageState::Unknown,
            Outcome::Resent => return out,
        };
        known.state = state;
        let known = known.clone();
        if known.reason == Reason::Resolved {
            return out;
        }
        if matches!(state, PageState::Accepted | PageState::Delivered) {
            self.set_hurry(&known.incident, None);
            out.told.push(known.incident);
        } else if state == PageState::Failed {
            self.untell(&known.incident, &known.seat(), &mut out);
            if let Some(incident) = incidents.get(&known.incident) {
                self.after_failure(Call { incident, now }, &known, &mut out);
            }
        }
        out
    }

    /// A person whose every page failed was not told, and must not be told of an end without a beginning. Whoever heard of
    /// an occurrence before and not of its end still knows of it.
    pub(super) fn untell(&mut self, incident: &str, seat: &Seat, out: &mut Decisions) {
        let Some(run) = self.runs.get(incident) else { return };
        let reaches = |known: &&Known| {
            known.is_for(seat) && !matches!(known.state, PageState::Waiting | PageState::Failed | PageState::Cancelled)
        };
        let newest = |is_end: bool| {
            let of = |known: &&Known| (known.reason == Reason::Resolved) == is_end;
            self.pages_about(incident).filter(reaches).filter(of).map(|known| known.occurrence).max()
        };
        let knows = |begin: i64| begin >= run.since || newest(true).is_none_or(|end| end < begin);
        if newest(false).is_some_and(knows) || self.hears_in_a_summary(incident, seat) {
            return;
        }
        let mut run = run.clone();
        run.row.told.retain(|told| told != seat);
        self.put(run);
        for end in self.waiting(incident, |known| known.reason == Reason::Resolved && known.is_for(seat)) {
            self.cancel(&end, "never told", out);
        }
        self.unfold_end_of(incident, seat);
    }

    /// The next channel of the same person at once; and where nobody of the step can be reached, the next step.
    fn after_failure(&mut self, call: Call<'_>, failed: &Known, out: &mut Decisions) {
        let Some(run) = self.runs.get(&failed.incident).cloned() else { return };
        let is_open = match failed.reason {
            Reason::Handover => call.incident.ack.as_ref().is_some_and(|ack| ack.by == failed.to),
            _ => call.incident.state == IncidentState::Open && !call.incident.holds_pages(),
        };
        if !is_open || failed.occurrence < run.since {
            return;
        }
        if self.say_instead(call, failed, out) {
            return;
        }
        let is_now = run.row.step == Some(failed.step) && run.row.round == failed.round;
        let goes_on = chain::next_step(&run, call.incident.severity).is_some_and(|(_, is_repeat)| !is_repeat);
        let same = |known: &Known| known.step == failed.step && known.round == failed.round;
        let hope = self.pages_about(&failed.incident).any(|known| same(known) && known.state != PageState::Failed)
            || self.is_folded(&failed.incident);
        if is_now && goes_on && !hope && run.row.due.is_some() {
            self.set_due(&failed.incident, Some(call.now));
        }
    }

    pub(super) fn pages_about<'a>(&'a self, incident: &str) -> impl Iterator<Item = &'a Known> + use<'a> {
        self.pages_of.get(incident).into_iter().flatten().filter_map(|id| self.pages.get(id))
    }
}
