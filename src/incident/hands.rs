//! What people do to incidents: take, hand over, give back, resolve, reopen.
//!
//! The idea: every command gets a Korean answer, for whoever is on call: what came of it and, where that is not what they
//! will have expected, what to do instead. One that finds nothing to do says so and is refused.

use crate::model::{Ack, Change, Incident, IncidentState, STORM, spoken};
use crate::time::{DAY, MINUTE, Ms, rfc3339_seconds as rfc3339};

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
                out.answer = format!("{id} 수신확인했습니다({}).", held(by, until));
            }
            (IncidentState::Acked, Some(before)) if before.by == by && before.until < until => {
                incident.ack = Some(Ack { at: before.at, ..ack });
                self.put(incident);
                out.answer = format!("{id} 수신확인을 연장했습니다({}).", held(by, until));
            }
            (IncidentState::Acked, before) => {
                let who = before.map_or("다른 사람", |ack| spoken(&ack.by));
                out.answer = format!("{id} 이미 수신확인되었습니다(담당 {who}). 담당을 바꾸려면 인수인계하십시오.");
                out.refused = true;
            }
            (IncidentState::Resolved | IncidentState::Closed, _) => {
                out.answer = over_already(id);
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
            out.answer =
                format!("{id} 이미 쓴 코드이거나 이전 발생 때의 코드입니다. 마지막에 받은 문자의 코드를 쓰십시오.");
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
                out.answer = format!("{id} 수신확인한 사람이 없어 인계할 것이 없습니다. 먼저 수신확인하십시오.");
            }
            None => out.answer = over_already(id),
            Some(ack) if ack.by == to => out.answer = format!("{id} 이미 {to} 담당입니다."),
            Some(ack) => {
                out.refused = false;
                let until = hold.map_or(ack.until, |hold| now + hold.clamp(HOLD_MIN, HOLD_MAX));
                incident.ack = Some(Ack { by: to.to_owned(), at: now, until, note: note.to_owned() });
                self.moved(Change::HandedOver, incident, out);
                out.answer = format!("{id} 인계했습니다({} → {to}, {}까지).", spoken(by), rfc3339(until));
            }
        }
    }

    pub(super) fn unack(&mut self, id: &str, by: &str, out: &mut Decided) {
        let Some(incident) = self.find(id, out) else { return };
        if incident.state == IncidentState::Acked {
            self.give_back(incident, out);
            out.answer = format!("{id} 수신확인을 취소했습니다({}). 비상연락을 이어 갑니다.", spoken(by));
        } else {
            out.answer = format!("{id} 수신확인한 사람이 없습니다.");
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
            self.over(incident.clone(), now, now, out);
            let is_back = self.incidents.get(id).is_some_and(|now| now.state.is_live());
            out.answer = resolved(&incident, by, is_back);
        } else {
            out.answer = over_already(id);
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
            out.answer = format!("{id} 다시 열었습니다({}). 비상연락을 처음부터 시작합니다.", spoken(by));
        } else {
            out.answer = format!("{id} 아직 진행 중인 장애입니다.");
            out.refused = true;
        }
    }

    fn find(&self, id: &str, out: &mut Decided) -> Option<Incident> {
        let known = self.incidents.get(id).filter(|incident| incident.state != IncidentState::Closed).cloned();
        if known.is_none() {
            out.answer = format!(
                "`{id}` 처리할 수 있는 장애가 없습니다. 번호를 확인하십시오(복구 뒤 30분이 지난 장애는 종료됩니다)."
            );
            out.refused = true;
        }
        known
    }
}

/// Who has it, and until when.
fn held(by: &str, until: Ms) -> String {
    format!("담당 {}, {}까지", spoken(by), rfc3339(until))
}

fn over_already(id: &str) -> String {
    format!("{id} 이미 복구된 장애입니다. 계속되고 있으면 다시 여십시오.")
}

/// What came of a person's resolve of `incident`, as it was before: whatever it spoke for goes on, and where that opens
/// it at once again (`is_back`) the resolve was for nothing.
fn resolved(incident: &Incident, by: &str, is_back: bool) -> String {
    let (id, by, members) = (&incident.id, spoken(by), incident.group.tally.live());
    if incident.is_drill() {
        return format!("{id} 훈련을 끝냈습니다({by}).");
    }
    match (members, is_back) {
        (members, true) => format!(
            "{id} 복구 처리했으나({by}) 하위 장애 {members}건이 진행 중이어서 바로 다시 열렸습니다. 조치 중이면 수신확인하십시오. \
             하위 장애가 복구되면 스스로 끝납니다."
        ),
        (0, false) if *incident.rule == *STORM.id => format!("{id} 복구 처리했습니다({by})."),
        (0, false) => format!(
            "{id} 복구 처리했습니다({by}). 값이 아직 기준을 넘고 있으면 더 나빠지거나 정상이 된 뒤 재발할 때만 다시 알립니다."
        ),
        (members, false) => format!(
            "{id} 복구 처리했습니다({by}). 하위 장애 {members}건은 진행 중이며 이제부터 따로 알립니다. 조치 중이면 각각 \
             수신확인하십시오."
        ),
    }
}
