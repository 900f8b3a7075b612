//! The chain of one incident: which step speaks now, when the next one does, who hears of the end.
//!
//! The idea: a run is (step decided last, round, when next). Everything that happens to an incident sets these three
//! and says who is paged; an empty step is passed at once, the last group comes again until somebody takes the
//! incident. The round grows with every restart, so no page is ever decided twice under one id.

use std::sync::Arc;

use crate::model::{ChainRow, Domain, Incident, IncidentState, Labels, Reason, Severity};
use crate::time::{MINUTE, Ms, SECOND};

use super::group::{self, Seat};
use super::{Asked, Call, Decisions, Desk, Incidents, Run, nobody, snapshot};

/// Distance of repeats where no chain says one.
pub(super) const REPEAT_DEFAULT: Ms = 10 * MINUTE;
/// Repeats are never closer, whatever a file says: a loop without a wait would be a storm of our own.
const REPEAT_MIN: Ms = 10 * SECOND;

impl Desk {
    pub(super) fn open(&mut self, call: Call<'_>, asked: Asked<'_>, out: &mut Decisions) {
        let incident = call.incident;
        let chain = self.chooser.choose(&self.people, asked, call.now).cloned().unwrap_or_else(nobody);
        let row = ChainRow {
            incident: incident.id.clone(),
            snapshot: snapshot::write(&chain, incident.occurrence),
            ..ChainRow::default()
        };
        self.put(Run { row, chain: Arc::new(chain), since: incident.occurrence });
        self.begin(call, Reason::First, out);
    }

    /// A new occurrence: told from step 0 again. Whoever has not been told of the last end yet still counts as told.
    pub(super) fn reopen(&mut self, call: Call<'_>, is_flapping: bool, out: &mut Decisions) {
        let carried = self.withdraw_ends(call, out);
        // Of the occurrence before: what comes and goes says so after its end, too.
        self.withdraw(&call.incident.id, "reopened", call.now, out);
        let Some(mut run) = self.runs.get(&call.incident.id).cloned() else { return };
        run.since = call.incident.occurrence;
        run.row = ChainRow {
            incident: run.row.incident,
            snapshot: snapshot::write(&run.chain, run.since),
            told: carried,
            ..ChainRow::default()
        };
        self.put(run);
        if is_flapping {
            self.begin(call, Reason::Flapping, out);
            self.set_due(&call.incident.id, None);
        } else {
            self.begin(call, Reason::Reopened, out);
        }
    }

    /// Speaks from step 0, unless pages are held back or the severity waits for the digest.
    pub(super) fn begin(&mut self, call: Call<'_>, reason: Reason, out: &mut Decisions) {
        let Some(run) = self.runs.get(&call.incident.id) else { return };
        if call.incident.holds_pages() || call.incident.state != IncidentState::Open {
            return;
        }
        if self.waits_for_digest(run, call) {
            let due = self.add_digest_line(call);
            out.deferred.push((call.incident.id.clone(), due));
        } else {
            self.speak(call, (0, reason), &[], out);
            self.tell_officers(call, reason, &[], out);
        }
    }

    fn waits_for_digest(&self, run: &Run, call: Call<'_>) -> bool {
        group::is_digest(&run.chain, call.incident.severity, &self.people.calendar, call.now)
    }

    /// An S1 of 보안 goes to the 정보보안담당관 without delay, whatever its chain says.
    fn tell_officers(&mut self, call: Call<'_>, reason: Reason, spoken: &[Seat], out: &mut Decisions) {
        let incident = call.incident;
        if incident.domain != Domain::Security || incident.severity != Severity::S1 {
            return;
        }
        let Some(run) = self.runs.get(&incident.id) else { return };
        let place = (run.row.step.unwrap_or(0), run.row.round, reason);
        for (to, channel) in group::security_officers(&self.people, call.now) {
            if !spoken.contains(&(to.clone(), channel)) {
                self.page(call, place, (&to, channel), out);
            }
        }
    }

    /// It got worse: all told so far hear it at once, then the chain goes on, from step 0 if somebody had taken it.
    pub(super) fn worsen(&mut self, call: Call<'_>, was_acked: bool, asked: Asked<'_>, out: &mut Decisions) {
        let incident = call.incident;
        let Some(mut run) = self.runs.get(&incident.id).cloned() else { return };
        // A chain that was spoken of and waits is left when it goes on: until then its place is a place in the old one.
        let waits = incident.holds_pages() && run.row.step.is_some();
        let moves = !waits && self.moves_to_another_chain(&mut run, asked, call);
        if moves {
            self.put(run.clone());
        }
        let is_quiet = incident.flapping && incident.severity != Severity::S1;
        if is_quiet || incident.holds_pages() || self.waits_for_digest(&run, call) {
            return;
        }
        let Some(step) = run.row.step else {
            return self.begin(call, first_reason(call), out);
        };
        run.row.round += 1;
        let (round, told, due) = (run.row.round, run.row.told.clone(), run.row.due);
        self.put(run);
        let withdrawn = self.withdraw(&incident.id, "worsened", call.now, out);
        let says_again = !withdrawn.is_empty();
        let mut spoken: Vec<Seat> = Vec::new();
        for (to, channel) in told {
            self.page(call, (step, round, Reason::Worsened), (&to, channel), out);
            spoken.push((to, channel));
        }
        for (seat, step, reason) in withdrawn {
            // Nobody has it any more: what is left to say is that it got worse.
            let reason = if reason == Reason::Handover { Reason::Worsened } else { reason };
            if !spoken.contains(&seat) {
                self.page(call, (step, round, reason), (&seat.0, seat.1), out);
                spoken.push(seat);
            }
        }
        self.tell_officers(call, Reason::Worsened, &spoken, out);
        if was_acked || incident.flapping || moves {
            if says_again {
                self.next_round(&incident.id);
            }
            self.speak(call, (0, Reason::Worsened), &spoken, out);
        } else if due.is_none() {
            self.plan_next(call);
        }
    }

    /// What the chain says from now on is not taken for what was just said again of its old run.
    fn next_round(&mut self, id: &str) {
        if let Some(mut run) = self.runs.get(id).cloned() {
            run.row.round += 1;
            self.put(run);
        }
    }

    /// Takes the chain of the new severity where that is another one than the severity before had: people with other
    /// duties are then to be told, from the first step on. An edit of the chains alone moves nobody.
    fn moves_to_another_chain(&self, run: &mut Run, asked: Asked<'_>, call: Call<'_>) -> bool {
        let choose = |labels: &Labels| self.chooser.choose(&self.people, Asked { labels, ..asked }, call.now);
        let after = choose(asked.labels);
        let others = Severity::ALL.into_iter().filter(|severity| *severity > call.incident.severity);
        let before = others.map(|severity| asked.labels.with("severity", severity.code()));
        // The chain that runs must be one that a lower severity would take today: else it is an edit that differs.
        let was_by_severity = before.into_iter().any(|labels| choose(&labels).is_some_and(|it| it.id == run.chain.id));
        match after {
            Some(chain) if chain.id != run.chain.id && was_by_severity => {
                run.chain = Arc::new(chain.clone());
                run.row.snapshot = snapshot::write(chain, run.since);
                true
            }
            _ => false,
        }
    }

    /// Taken: the chain stops and what has not left does not leave.
    pub(super) fn hush(&mut self, call: Call<'_>, why: &str, out: &mut Decisions) {
        self.set_due(&call.incident.id, None);
        self.set_hurry(&call.incident.id, None);
        self.withdraw(&call.incident.id, why, call.now, out);
    }

    /// Somebody else has it: told on the channels of the step where the chain stands, whatever else is quiet.
    pub(super) fn hand_over(&mut self, call: Call<'_>, out: &mut Decisions) {
        let Some(ack) = call.incident.ack.as_ref() else { return };
        let Some(mut run) = self.runs.get(&call.incident.id).cloned() else { return };
        // A page to whoever had it before, that has not left, is no longer true.
        self.withdraw(&call.incident.id, "handed over", call.now, out);
        run.row.round += 1;
        let step = run.row.step.unwrap_or(0);
        let place = (step, run.row.round, Reason::Handover);
        let by = usize::try_from(step).ok().and_then(|step| run.chain.steps.get(step));
        let seats = group::person(&self.people, &ack.by, by.map_or(&run.chain.last.by, |step| &step.by));
        self.put(run);
        // Past the cap: a fold leaves only what nobody has.
        for (to, channel) in seats {
            self.send(call, place, (&to, channel), out);
        }
    }

    /// Pages may leave (again): the chain starts, or goes on at the step where it stood.
    pub(super) fn go_on(&mut self, call: Call<'_>, out: &mut Decisions) {
        let Some(mut run) = self.runs.get(&call.incident.id).cloned() else { return };
        let is_still = call.incident.flapping || call.incident.holds_pages();
        if is_still || call.incident.state != IncidentState::Open || run.row.due.is_some() {
            return;
        }
        let Some(step) = run.row.step.and_then(|step| usize::try_from(step).ok()) else {
            return self.begin(call, first_reason(call), out);
        };
        if self.waits_for_digest(&run, call) {
            self.add_digest_line(call);
            return;
        }
        let is_last = step >= run.chain.steps.len();
        run.row.round += 1;
        self.put(run);
        self.speak(call, (step, if is_last { Reason::Repeat } else { Reason::Escalated }), &[], out);
    }

    /// Much more hangs under it than those told know: they hear how much. Whoever took it sees it without being woken.
    pub(super) fn grow(&mut self, call: Call<'_>, asked: Asked<'_>, out: &mut Decisions) {
        if call.incident.state == IncidentState::Open {
            self.worsen(call, false, asked, out);
        }
    }

    /// Over: exactly those told of the beginning hear of the end. What nobody heard of is a line of the digest.
    pub(super) fn end(&mut self, call: Call<'_>, out: &mut Decisions) {
        if call.incident.flapping {
            return self.end_quietly(call, out);
        }
        self.hush(call, "resolved", out);
        let Some(mut run) = self.runs.get(&call.incident.id).cloned() else { return };
        if run.row.paused.take().is_some() {
            self.put(run.clone());
        }
        if run.row.told.is_empty() {
            return self.note_untold(call);
        }
        let place = (run.row.step.unwrap_or(0), run.row.round, Reason::Resolved);
        for (to, channel) in &run.row.told {
            self.page(call, place, (to, *channel), out);
        }
    }

    /// Gone while it comes and goes: nobody hears of that, but what has not left and is as true now still leaves.
    fn end_quietly(&mut self, call: Call<'_>, out: &mut Decisions) {
        let id = &call.incident.id;
        self.set_due(id, None);
        self.set_hurry(id, None);
        for page in
            self.waiting(id, |known| known.reason != Reason::Resolved && !stays_true(call.incident, known.reason))
        {
            self.cancel(&page, "resolved", out);
        }
    }

    /// Over before a page could leave, be it the gateway or the cap that held it: the morning says that it was. What came
    /// and went while it was muted is what the muting was for; whoever heard of its parent heard of it.
    pub(super) fn note_untold(&mut self, call: Call<'_>) {
        if call.incident.muted.is_none() && call.incident.parent.is_none() && !call.incident.is_drill() {
            self.add_digest_line(call);
        }
    }

    pub(super) fn due_chains(&mut self, incidents: &Incidents, now: Ms, out: &mut Decisions) {
        while let Some((at, id)) = self.timers.first().cloned() {
            if at > now {
                break;
            }
            self.set_due(&id, None);
            self.timers.remove(&(at, id.clone()));
            let open =
                |incident: &&crate::model::Incident| incident.state == IncidentState::Open && !incident.holds_pages();
            if let Some(incident) = incidents.get(&id).filter(open) {
                self.step_on(Call { incident, now }, out);
            }
        }
    }

    /// The sweeper says that a step was forgotten: it speaks now, if it really is due.
    pub fn sweep(&mut self, id: &str, incidents: &Incidents, now: Ms) -> Decisions {
        let mut out = Decisions::default();
        let open =
            |incident: &&crate::model::Incident| incident.state == IncidentState::Open && !incident.holds_pages();
        let is_due = self.chain_due(id).is_some_and(|due| due <= now);
        if let Some(incident) = incidents.get(id).filter(open).filter(|_| is_due) {
            self.set_due(id, None);
            self.step_on(Call { incident, now }, &mut out);
        }
        out
    }

    /// The next step of a chain whose time has come.
    fn step_on(&mut self, call: Call<'_>, out: &mut Decisions) {
        let Some(mut run) = self.runs.get(&call.incident.id).cloned() else { return };
        let Some((step, is_repeat)) = next_step(&run, call.incident.severity) else { return };
        if self.waits_for_digest(&run, call) {
            // It fell to a severity that wakes nobody, or the hours ended in which it may: the morning tells that it is there.
            self.add_digest_line(call);
            return;
        }
        if is_repeat {
            run.row.round += 1;
        }
        let reason = match (run.row.step, is_repeat) {
            (None, _) => first_reason(call),
            (Some(_), true) => Reason::Repeat,
            (Some(_), false) => Reason::Escalated,
        };
        self.put(run);
        self.speak(call, (step, reason), &[], out);
    }

    /// Tells the first group from `step` on that is not empty, except `spoken` who heard just now, and plans what
    /// follows.
    fn speak(&mut self, call: Call<'_>, (step, reason): (usize, Reason), spoken: &[Seat], out: &mut Decisions) {
        let Some(mut run) = self.runs.get(&call.incident.id).cloned() else { return };
        let n_steps = run.chain.steps.len();
        let limit = group::upto(&run.chain, call.incident.severity).unwrap_or(n_steps);
        let domain = call.incident.domain;
        let mut at = step;
        let seats = loop {
            if at <= limit
                && let Some(step) = run.chain.steps.get(at)
            {
                // At another hour the step is not there: it tells others then, and nothing is missing.
                let counts = step.when.as_ref().is_none_or(|when| self.people.calendar.holds(when, call.now));
                let seats = group::step(&self.people, &step.to, &step.by, domain, call.now);
                if counts && !seats.is_empty() {
                    self.finds(&call.incident.id, at);
                    break seats;
                }
                if counts {
                    self.passes(call, &run, at, out);
                }
                at += 1;
                continue;
            }
            let is_left_out = limit < n_steps && step < n_steps;
            if is_left_out && run.row.step.is_some() {
                return self.plan_next(call);
            }
            // The last group's turn; or every step that the severity may use is empty, and somebody must hear of it.
            at = n_steps;
            let last = &run.chain.last;
            if group::step(&self.people, &last.to, &last.by, domain, call.now).is_empty() {
                self.passes(call, &run, at, out);
            }
            break group::last(&self.people, &last.to, &last.by, domain, call.now);
        };
        let step = i64::try_from(at).unwrap_or(i64::MAX);
        run.row.step = Some(step);
        let round = run.row.round;
        self.put(run);
        for (to, channel) in seats {
            if !spoken.contains(&(to.clone(), channel)) {
                self.page(call, (step, round, reason), (&to, channel), out);
            }
        }
        self.plan_hurry(call);
        self.plan_next(call);
    }

    /// Sets when the step after the present one is due.
    fn plan_next(&mut self, call: Call<'_>) {
        let Some(run) = self.runs.get(&call.incident.id) else { return };
        let now_at = run.row.step.and_then(|step| usize::try_from(step).ok());
        let due = next_step(run, call.incident.severity).map(|(_, is_repeat)| {
            let wait = now_at.and_then(|at| run.chain.steps.get(at)).map(|step| step.wait);
            match wait {
                Some(wait) if !is_repeat => call.now + wait.max(0),
                _ => call.now + run.chain.last.repeat.max(REPEAT_MIN),
            }
        });
        self.set_due(&call.incident.id, due);
    }

    pub(super) fn set_due(&mut self, id: &str, due: Option<Ms>) {
        if let Some(run) = self.runs.get(id).filter(|run| run.row.due != due) {
            let mut run = run.clone();
            run.row.due = due;
            self.put(run);
        }
    }
}

/// Whether what a page says is so while its incident is gone: it comes and goes, or got worse, and nobody took it.
pub(super) fn stays_true(incident: &Incident, reason: Reason) -> bool {
    let is_gone = incident.state == IncidentState::Resolved && incident.ack.is_none();
    incident.flapping && is_gone && matches!(reason, Reason::Flapping | Reason::Worsened)
}

/// The step after the present one and whether it is a repeat; `None` where the chain has said all that it has to say.
/// An open S1 is never left alone: a chain that ends early for it repeats its end.
pub(super) fn next_step(run: &Run, severity: Severity) -> Option<(usize, bool)> {
    let Some(at) = run.row.step.and_then(|step| usize::try_from(step).ok()) else { return Some((0, false)) };
    match group::upto(&run.chain, severity) {
        Some(limit) if at >= limit => (severity == Severity::S1).then_some((at, true)),
        None if at >= run.chain.steps.len() => Some((run.chain.steps.len(), true)),
        _ => Some((at + 1, false)),
    }
}

/// The reason of a first page.
pub(super) fn first_reason(call: Call<'_>) -> Reason {
    if call.incident.occurrence > 1 { Reason::Reopened } else { Reason::First }
}
