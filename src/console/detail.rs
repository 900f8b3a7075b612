//! The page of one incident: its facts, and what people may do to it.
//!
//! The idea: what there is to do stands right under what there is to know, the likeliest first; and what an action will
//! not do is said before it is done.

use super::badges::{incident_state, severity};
use super::groups::{self, Children};
use super::html::Html;
use super::sections::{fact, fact_time, labels, none, section};
use super::{concerns, people};
use crate::model::{Contact, Ended, Incident, IncidentState, STORM, SlaClock, spoken};

/// What is shown around an incident.
#[derive(Debug)]
pub(super) struct Around {
    /// What hangs under what.
    pub(super) children: Children,
    /// Steps of its chain that nobody is behind, one sentence each.
    pub(super) empty: Vec<String>,
    /// Who can act.
    pub(super) contacts: Vec<Contact>,
}

/// One incident with its forms.
pub(super) fn incident_detail(html: &mut Html, it: &Incident, around: &Around) {
    section(html, "장애 상세", |html| {
        concerns::notices(html, &around.empty);
        html.raw("<dl class=\"facts\"><div><dt>등급</dt><dd>");
        severity(html, it.severity);
        html.raw("</dd></div><div><dt>상태</dt><dd>");
        incident_state(html, it);
        html.raw("</dd></div>");
        facts(html, it);
        html.raw("</dl>");
        groups::under(html, it, &around.children);
    });
    section(html, "조치", |html| actions(html, it, &around.contacts));
}

fn facts(html: &mut Html, it: &Incident) {
    fact(html, "구간", it.domain.word());
    fact(html, "제목", &it.title);
    fact(html, "대상", &labels(it));
    fact(html, "규칙", &it.rule);
    fact_time(html, "발생", Some(it.occurred));
    fact_time(html, "감지", Some(it.detected));
    let at = |html: &mut Html, name, at: Option<_>| {
        if at.is_some() {
            fact_time(html, name, at);
        }
    };
    at(html, "통보 기한", it.notify_by);
    at(html, "첫 통보", it.notified);
    if let Some(clocks) = &it.sla {
        at(html, "수신확인 기한", clocks.ack_by.filter(|_| it.state == IncidentState::Open));
        at(html, "복구 기한", clocks.recover_by.filter(|_| it.state.is_live()));
        if !clocks.missed.is_empty() {
            let missed: Vec<&str> = clocks.missed.iter().map(|clock| clock_word(*clock)).collect();
            fact(html, "넘긴 기한", &missed.join(", "));
        }
    }
    at(html, "복구", it.resolved);
    for (name, text) in groups::facts(it) {
        fact(html, name, &text);
    }
    if let Some(ended) = it.ended {
        fact(html, "복구 사유", ended_word(ended));
    }
    if let Some(drill) = &it.drill {
        fact(html, "훈련 시작", spoken(&drill.by));
        fact_time(html, "훈련 종료 예정", Some(drill.until));
        fact(html, "훈련 메모", &drill.note);
    }
    if let Some(ack) = &it.ack {
        fact(html, "수신확인", spoken(&ack.by));
        fact_time(html, "수신확인 만료", Some(ack.until));
        if !ack.note.is_empty() {
            fact(html, "메모", &ack.note);
        }
    }
    if let Some(muted) = &it.muted {
        fact(html, "통보 보류", &format!("{} {}", muted.kind.korean(), muted.by));
        fact(html, "보류 사유", [muted.who.as_str(), muted.why.as_str()].join(" ").trim());
        fact_time(html, "보류 시작", Some(muted.since));
        fact_time(html, "보류 종료", muted.until);
    }
}

fn actions(html: &mut Html, it: &Incident, contacts: &[Contact]) {
    if it.state.is_live() && it.group.tally.live() > 0 {
        html.raw("<p class=\"sub\">하위 장애 ").num(it.group.tally.live()).raw("건이 진행 중입니다. ");
        html.raw(match *it.rule == *STORM.id {
            true => "지금 복구 처리하면 바로 다시 열릴 수 있습니다. 조치 중이면 수신확인하십시오. 하위 장애가 복구되면 스스로 끝납니다.",
            false => "지금 복구 처리하면 하위 장애를 따로 알리기 시작합니다. 조치 중이면 수신확인하십시오.",
        });
        html.raw("</p>");
    }
    html.raw("<div class=\"acts\">");
    match it.state {
        IncidentState::Open => act(html, it, contacts, ("ack", "수신확인", true)),
        IncidentState::Acked => {
            act(html, it, contacts, ("handover", "인수인계", true));
            act(html, it, contacts, ("unack", "수신확인 취소", false));
        }
        IncidentState::Resolved => act(html, it, contacts, ("reopen", "다시 열기", true)),
        IncidentState::Closed => none(html, "종료된 장애입니다."),
    }
    if it.state.is_live() {
        act(html, it, contacts, ("resolve", "복구 처리", false));
    }
    html.raw("</div>");
    if it.state.is_live() && !it.is_drill() {
        html.raw("<p><a href=\"/silences?matchers=incident%3D")
            .text(&it.id)
            .raw("\">이 장애의 통보를 잠시 멈추기(알림중지)</a></p>");
    }
}

/// One form: its verb, what its button says, and whether it is the one to take.
fn act(
    html: &mut Html,
    it: &Incident,
    contacts: &[Contact],
    (verb, word, is_first): (&'static str, &'static str, bool),
) {
    html.raw("<form method=\"post\" action=\"/v1/incidents/").text(&it.id).raw("/").raw(verb).raw("\">");
    people::who(html, contacts);
    if verb == "handover" {
        people::to(html, contacts);
    }
    if matches!(verb, "ack" | "resolve" | "handover") {
        html.raw("<label>메모<input name=\"note\" maxlength=\"1000\" autocomplete=\"off\"></label>");
    }
    html.raw(if is_first { "<button class=\"primary\">" } else { "<button>" }).raw(word).raw("</button></form>");
}

const fn clock_word(it: SlaClock) -> &'static str {
    match it {
        SlaClock::Ack => "수신확인",
        SlaClock::Recover => "복구",
        SlaClock::Month => "월 허용시간",
    }
}

const fn ended_word(it: Ended) -> &'static str {
    match it {
        Ended::RuleChanged => "규칙 변경",
        Ended::NoData => "데이터 없음",
        Ended::Gone => "대상 사라짐",
    }
}
