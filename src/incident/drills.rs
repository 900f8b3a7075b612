//! Drills (모의훈련): a person starts an incident that never happened, and time or a person ends it.
//!
//! The idea: nothing but its beginning and its end is different. It opens by the signal that its rule would have raised,
//! with the label that makes it a drill, so pages, chains, acks and codes are those of a real one; it keeps who started it
//! and when it ends, so that no drill outlives whoever did.

use std::sync::Arc;

use crate::model::{
    DRILL_LABEL, DRILL_MAX, DRILL_MIN, DrillAsk, Drilled, Fingerprint, Incident, Labels, Signal, State,
};
use crate::time::{Ms, rfc3339_seconds as rfc3339};

use super::signals::Arrival;
use super::{Book, Decided};

impl Book {
    /// Somebody asks for one.
    pub(super) fn drill(&mut self, ask: &DrillAsk, now: Ms, out: &mut Decided) {
        out.refused = true;
        if !self.names.is_told(&ask.rule) {
            out.answer = format!(
                "`{}` 통보하는 규칙이 아닙니다. 있는 규칙이고 시험(shadow) 중이 아닌지 확인하십시오.",
                ask.rule
            );
            return;
        }
        let labels = ask.labels.iter().filter(|(name, _)| *name != DRILL_LABEL);
        let labels = Labels::new(labels.chain([(DRILL_LABEL, "true")]));
        let fingerprint = Fingerprint::of(&ask.rule, &labels);
        let known = self.by_fingerprint.get(&fingerprint).and_then(|id| self.incidents.get(id)).cloned();
        match known {
            Some(running) if running.state.is_live() => {
                out.answer = format!("{} 같은 훈련이 진행 중입니다. 끝내려면 `bongsu drill stop {0}`", running.id);
                return;
            }
            // Each has a number of its own: it is not the one before, come back.
            Some(before) => self.close(before, out),
            None => {}
        }
        let signal = Signal {
            rule: Arc::from(ask.rule.as_str()),
            fingerprint,
            labels,
            from: State::Inactive,
            to: State::Firing,
            severity: Some(ask.severity),
            value: None,
            unknown: None,
            at: now,
            since: Some(now),
            ended: None,
            acted: true,
        };
        self.signal(&signal, &Arrival { origin: None, late: false, now }, out);
        let opened = self.by_fingerprint.get(&fingerprint).and_then(|id| self.incidents.get(id)).cloned();
        let Some(mut opened) = opened else {
            "진행 중인 장애가 한도에 이르러 지금은 훈련을 시작할 수 없습니다.".clone_into(&mut out.answer);
            return;
        };
        let until = now + ask.hold.clamp(DRILL_MIN, DRILL_MAX);
        opened.drill = Some(Drilled { by: ask.by.clone(), until, note: ask.note.clone() });
        out.refused = false;
        out.answer = format!("{} 훈련을 시작했습니다({}에 스스로 끝납니다).", opened.id, rfc3339(until));
        // Its timer is another one now.
        self.put(opened);
    }

    /// When a drill that somebody started ends by itself.
    pub(super) fn drill_end(&self, incident: &Incident) -> Option<Ms> {
        // A release before this one kept the end in a note.
        let noted = || self.notes.get(&key(&incident.id))?.parse().ok();
        incident.drill.as_ref().map(|drill| drill.until).or_else(noted)
    }

    /// Its time is over.
    pub(super) fn end_drill(&mut self, incident: Incident, now: Ms, out: &mut Decided) {
        self.notes.remove(&key(&incident.id));
        self.over(incident, now, now, out);
    }
}

/// The note in which a release before this one kept a drill's end.
pub(super) fn key(id: &str) -> String {
    format!("drill/{id}")
}
