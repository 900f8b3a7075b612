//! What time alone does to incidents: acks run out, held pages leave, flapping calms, the SLA passes, the book closes.
//!
//! The idea: an incident's next instant is computed from its own fields whenever it is written, so no timer can be
//! forgotten by a change of leaders.

use crate::model::{Change, Incident, IncidentState, MuteKind};
use crate::time::Ms;

use super::{Book, CALM, Decided, REOPEN_WITHIN};

impl Book {
    /// When time alone changes `incident` next.
    pub(super) fn timer(&self, incident: &Incident) -> Option<Ms> {
        match incident.state {
            IncidentState::Open | IncidentState::Acked => {
                let times = [
                    incident.held_until,
                    self.drill_end(incident),
                    ack_end(incident),
                    calm_end(incident),
                    linger_end(incident),
                    self.storm_due(incident),
                    self.sla_end(incident),
                    Self::clock_due(incident),
                ];
                times.into_iter().flatten().min()
            }
            IncidentState::Resolved => Some(close_at(incident)),
            IncidentState::Closed => None,
        }
    }

    /// When notify-within passes unheard; asked once per opening.
    fn sla_end(&self, incident: &Incident) -> Option<Ms> {
        let waits = incident.notified.is_none()
            && incident.muted.is_none()
            && incident.parent.is_none()
            && self.notes.get(&overdue_key(&incident.id)).is_none();
        incident.notify_by.filter(|_| waits)
    }

    pub(super) fn due(&mut self, now: Ms, out: &mut Decided) {
        self.release_silence(now, out);
        if self.mute_edge.is_some_and(|edge| edge <= now) {
            self.judge_all(out);
        }
        while let Some((at, id)) = self.timers.first().cloned() {
            if at > now {
                break;
            }
            let Some(incident) = self.incidents.get(&id).cloned() else {
                self.timers.remove(&(at, id));
                continue;
            };
            self.ring(incident, now, out);
        }
        self.due_services(now, out);
    }

    /// The sweeper says that something of an incident was forgotten: whatever is due for it is done.
    pub(super) fn sweep(&mut self, id: &str, now: Ms, out: &mut Decided) {
        while let Some(incident) = self.incidents.get(id).cloned() {
            if self.timer(&incident).is_none_or(|at| at > now) {
                break;
            }
            self.ring(incident, now, out);
        }
    }

    /// Does the first thing that is due for `incident`; the next, if any, is due again at once.
    fn ring(&mut self, mut incident: Incident, now: Ms, out: &mut Decided) {
        let passed = |at: Option<Ms>| at.is_some_and(|at| at <= now);
        if incident.state == IncidentState::Resolved {
            self.close(incident, out);
        } else if passed(self.drill_end(&incident)) {
            self.end_drill(incident, now, out);
        } else if passed(incident.held_until) {
            incident.held_until = None;
            self.moved(Change::Released, incident, out);
        } else if passed(ack_end(&incident)) {
            self.give_back(incident, out);
        } else if passed(calm_end(&incident)) {
            incident.flapping = false;
            self.moved(Change::Released, incident, out);
        } else if passed(linger_end(&incident)) {
            self.judge(&incident.id, out);
        } else if passed(self.storm_due(&incident)) {
            self.ring_storm(&incident, out);
        } else if passed(self.sla_end(&incident)) {
            self.notes.put(&overdue_key(&incident.id), String::new());
            self.moved(Change::Overdue, incident, out);
        } else {
            self.ring_clock(incident, now, out);
        }
    }

    /// A partition has read everything: what was held for it may leave.
    pub(super) fn caught_up(&mut self, topic: &str, partition: i32, out: &mut Decided) {
        let held = |incident: &&Incident| {
            incident.state.is_live()
                && incident.held_until.is_some()
                && incident.partition.as_ref().is_some_and(|(t, p)| t == topic && *p == partition)
        };
        let ids = self.live.iter().filter_map(|id| self.incidents.get(id));
        for mut incident in ids.filter(held).cloned().collect::<Vec<_>>() {
            incident.held_until = None;
            self.moved(Change::Released, incident, out);
        }
    }
}

fn ack_end(incident: &Incident) -> Option<Ms> {
    incident.ack.as_ref().filter(|_| incident.state == IncidentState::Acked).map(|ack| ack.until)
}

/// When an incident is no longer muted by one that is over. Windows and silences end by their own clock.
pub(super) fn linger_end(incident: &Incident) -> Option<Ms> {
    incident.muted.as_ref().filter(|muted| muted.kind == MuteKind::Inhibition).and_then(|muted| muted.until)
}

fn calm_end(incident: &Incident) -> Option<Ms> {
    incident.calm_since.filter(|_| incident.flapping).map(|since| since + CALM)
}

/// Counted from when the end was taken: a backlog must not close what its next signal reopens, and the end itself is an
/// instant of another clock.
fn close_at(incident: &Incident) -> Ms {
    incident.calm_since.or(incident.resolved).unwrap_or(incident.detected) + REOPEN_WITHIN
}

pub(super) fn overdue_key(id: &str) -> String {
    format!("overdue/{id}")
}
