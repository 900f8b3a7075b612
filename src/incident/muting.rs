//! Where muting meets the book: incidents begin and cease to be muted, silences are taken.
//!
//! The idea: one place asks the predicate ([`Book::judge`]) and writes what it says beside the incident; whoever moves
//! an incident, a silence or a source of inhibition has it asked again. An incident that another one explained stays
//! muted for a moment after that one is over ([`LINGER`]): its own end is on the way as a rule, and a page about it
//! would be wrong by the time it is read.
//!
//! What time alone ends, time alone ends: right after a start nothing rings before the log was read, and whatever comes in
//! meanwhile must not end a silence whose incident may be over further on in the log. The same holds for another
//! configuration, which a start brings as often as an edit: what it no longer mutes speaks at the next timer.

use crate::model::{Change, Incident, Input, MuteKind, Muted, SILENCE_PREFIX, Severity, SilenceAsk};
use crate::time::{Ms, SECOND};

use super::mute::{Hit, Silences};
use super::timers::linger_end;
use super::{Book, Decided, Moved};

/// An incident stays muted at least so long after what explained it; longer where either rule is asked less often.
const LINGER: Ms = 10 * SECOND;
/// Note: the mark of the configuration, and the next instant at which a window or silence begins or ends.
const EDGE: &str = "mute/edge";

/// How the input at hand may end muting; beginning it always may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum MuteEnds {
    /// At once: it is a timer that rings.
    Now,
    /// At once, but for what waits for a timer that should have rung.
    #[default]
    Timely,
    /// At the next timer.
    Later,
}

impl Book {
    /// Silences as the notes have them. Where windows or silences were never asked under this configuration, they are
    /// at once.
    pub(super) fn load_mutes(&mut self) {
        self.mutes.silences = Silences::load(&self.notes);
        self.mutes.touched.clear();
        if !self.mutes.has_times(&self.names.mute) && self.notes.get(EDGE).is_none() {
            return;
        }
        let known = self.notes.get(EDGE).and_then(|note| note.split_once(' '));
        self.mute_edge = match known {
            Some((mark, edge)) if mark == self.names.mute.mark => edge.parse().ok(),
            _ => Some(0),
        };
    }

    pub(super) fn save_mutes(&mut self) {
        self.mutes.silences.save(&mut self.notes);
    }

    /// Sets `incident.muted` where it begins to be muted; `known` is the severity that people may know of.
    pub(super) fn begin_muting(&mut self, incident: &mut Incident, known: Option<Severity>) -> bool {
        if incident.muted.is_some() {
            return false;
        }
        let Some(hit) = self.mutes.judge(&self.names.mute, incident, self.now) else { return false };
        let Hit { kind, by, who, why, until } = hit;
        incident.muted = Some(Muted { kind, by, who, why, since: self.now, until, severity: known });
        true
    }

    /// Asks whether an incident is muted, and tells of it where that is news.
    pub(super) fn judge(&mut self, id: &str, out: &mut Decided) {
        let Some(mut incident) = self.incidents.get(id).cloned() else { return };
        let Some(before) = incident.muted.clone() else {
            let known = Some(incident.severity);
            if self.begin_muting(&mut incident, known) {
                self.set_down(&mut incident, self.now);
                self.put(incident.clone());
                out.moved.push(Moved { change: Change::Muted, incident, was_acked: false });
                self.set_free(id, out);
            }
            return;
        };
        if !incident.state.is_live() {
            incident.muted = None;
            return self.put(incident);
        }
        match self.mutes.judge(&self.names.mute, &incident, self.now) {
            Some(Hit { kind, by, who, why, until }) => {
                let after = Muted { kind, by, who, why, until, ..before.clone() };
                if after != before {
                    incident.muted = Some(after);
                    self.set_down(&mut incident, self.now);
                    self.put(incident);
                }
            }
            None if self.lingers(&before) => {
                let until = before.until.unwrap_or_else(|| self.now + self.linger(&incident, &before));
                incident.muted = Some(Muted { until: Some(until), ..before });
                self.put(incident);
            }
            None if self.is_held(&incident) => self.postpone(),
            None => self.unmute(incident, out),
        }
    }

    /// Whether muting ends at the next timer and not now.
    fn is_held(&self, incident: &Incident) -> bool {
        match self.mute_ends {
            MuteEnds::Now => false,
            MuteEnds::Later => true,
            MuteEnds::Timely => linger_end(incident).is_some_and(|at| at <= self.now),
        }
    }

    /// The next timer asks again, whoever leads by then.
    fn postpone(&mut self) {
        self.mute_edge = Some(self.mute_edge.map_or(self.now, |edge| edge.min(self.now)));
        self.note_edge();
    }

    /// How an input may end muting.
    pub(super) fn mute_ends(&self, input: &Input, now: Ms) -> MuteEnds {
        let before = if let Input::Clock { by } = input { now - by } else { now };
        let is_overdue = self.mute_edge.is_some_and(|edge| edge <= before);
        match input {
            Input::Due | Input::Swept(_) => MuteEnds::Now,
            Input::Reload { .. } => MuteEnds::Later,
            _ if is_overdue => MuteEnds::Later,
            _ => MuteEnds::Timely,
        }
    }

    fn unmute(&mut self, mut incident: Incident, out: &mut Decided) {
        incident.muted = None;
        if incident.notified.is_none() {
            // Nobody could be told before: the time to tell somebody runs from now.
            incident.notify_by = self.notify_by(&incident, self.now);
        }
        self.set_down(&mut incident, self.now);
        self.put(incident.clone());
        out.moved.push(Moved { change: Change::Unmuted, incident, was_acked: false });
    }

    /// Whether what muted it was another incident, and its time after that one is not over.
    fn lingers(&self, muted: &Muted) -> bool {
        muted.kind == MuteKind::Inhibition && muted.until.is_none_or(|until| self.now < until)
    }

    fn linger(&self, incident: &Incident, muted: &Muted) -> Ms {
        let source = self.incidents.get(&muted.by).map(|source| self.names.interval(&source.rule));
        source.unwrap_or_default().max(self.names.interval(&incident.rule)).max(LINGER)
    }

    /// Asks of every live incident, and when to ask again.
    pub(super) fn judge_all(&mut self, out: &mut Decided) {
        for id in self.live.iter().cloned().collect::<Vec<_>>() {
            self.judge(&id, out);
        }
        let is_held = self.mute_ends == MuteEnds::Later && self.mute_edge.is_some_and(|edge| edge <= self.now);
        if !is_held {
            self.mute_edge = self.mutes.next(&self.names.mute, self.now);
            if self.mutes.has_times(&self.names.mute) || self.notes.get(EDGE).is_some() {
                self.note_edge();
            }
        }
    }

    fn note_edge(&mut self) {
        let edge = self.mute_edge.map_or_else(|| "-".to_owned(), |edge| edge.to_string());
        self.notes.put(EDGE, format!("{} {edge}", self.names.mute.mark));
    }

    /// Asks of every incident whose source of inhibition came or went.
    pub(super) fn judge_touched(&mut self, out: &mut Decided) {
        for id in std::mem::take(&mut self.mutes.touched) {
            self.judge(&id, out);
        }
        self.mutes.touched.clear();
    }

    pub(super) fn silence(&mut self, ask: &SilenceAsk, out: &mut Decided) {
        let mut silences = std::mem::take(&mut self.mutes.silences);
        let names = std::sync::Arc::clone(&self.names);
        let live: Vec<Incident> = self.live.iter().filter_map(|id| self.incidents.get(id)).cloned().collect();
        let now = self.now;
        let answer = silences.add(ask, &names.mute, live.iter(), || self.next_number(SILENCE_PREFIX, now), now);
        self.mutes.silences = silences;
        self.answered(answer, out);
    }

    pub(super) fn expire(&mut self, id: &str, by: &str, out: &mut Decided) {
        let answer = self.mutes.silences.end(id, by, self.now);
        self.answered(answer, out);
    }

    pub(super) fn approve(&mut self, id: &str, by: &str, out: &mut Decided) {
        let answer = self.mutes.silences.approve(id, by, &self.names.mute, self.now);
        self.answered(answer, out);
    }

    fn answered(&mut self, answer: Result<String, String>, out: &mut Decided) {
        out.refused = answer.is_err();
        if answer.is_ok() {
            self.judge_all(out);
        }
        out.answer = answer.unwrap_or_else(|why| why);
    }
}
