//! The page of one incident: its facts, and what people may do to it.

use super::badges::{incident_state, severity};
use super::groups;
use super::html::Html;
use super::sections::{fact, fact_time, labels, none, section};
use crate::model::{Contact, Ended, Incident, IncidentState};

/// One incident with its forms.
pub(super) fn incident_detail(html: &mut Html, it: &Incident, contacts: &[Contact]) {
    section(html, "장애 상세", |html| {
        html.raw("<dl class=\"facts\"><div><dt>등급</dt><dd>");
        severity(html, it.severity);
        html.raw("</dd></div><div><dt>상태</dt><dd>");
        incident_state(html, it);
        html.raw("</dd></div>");
        fact(html, "구간", it.domain.word());
        fact(html, "제목", &it.title);
        fact(html, "대상", &labels(it));
        fact(html, "규칙", &it.rule);
        fact_time(html, "발생", Some(it.occurred));
        fact_time(html, "감지", Some(it.detected));
        fact_time(html, "통보 기한", it.notify_by);
        fact_time(html, "첫 통보", it.notified);
        fact_time(html, "복구", it.resolved);
        for (name, text) in groups::facts(it) {
            fact(html, name, &text);
        }
        if let Some(ended) = it.ended {
            fact(html, "복구 사유", ended_word(ended));
        }
        if let Some(drill) = &it.drill {
            fact(html, "훈련 시작", &drill.by);
            fact_time(html, "훈련 종료 예정", Some(drill.until));
            fact(html, "훈련 메모", &drill.note);
        }
        if let Some(ack) = &it.ack {
            fact(html, "수신확인", &ack.by);
            fact_time(html, "수신확인 만료", Some(ack.until));
            fact(html, "메모", &ack.note);
        }
        if let Some(muted) = &it.muted {
            fact(html, "통보 보류", &format!("{} {}", muted.kind.korean(), muted.by));
            fact(html, "보류 사유", [muted.who.as_str(), muted.why.as_str()].join(" ").trim());
            fact_time(html, "보류 시작", Some(muted.since));
            fact_time(html, "보류 종료", muted.until);
        }
        html.raw("</dl>");
    });
    section(html, "조치", |html| {
        html.raw("<div class=\"acts\">");
        match it.state {
            IncidentState::Open => act(html, it, contacts, "ack", "수신확인"),
            IncidentState::Acked => act(html, it, contacts, "unack", "수신확인 취소"),
            IncidentState::Resolved => act(html, it, contacts, "reopen", "다시 열기"),
            IncidentState::Closed => none(html, "종료된 장애입니다."),
        }
        if it.state.is_live() {
            act(html, it, contacts, "resolve", "복구 처리");
        }
        html.raw("</div>");
    });
}

fn act(html: &mut Html, it: &Incident, contacts: &[Contact], verb: &'static str, word: &'static str) {
    html.raw("<form method=\"post\" action=\"/v1/incidents/").text(&it.id).raw("/").raw(verb).raw("\">");
    html.raw("<label>처리자<select name=\"by\"><option value=\"console\">관제 운영자</option>");
    for contact in contacts {
        html.raw("<option value=\"").text(&contact.id).raw("\">").text(&contact.id);
        html.raw(" (").text(&contact.org).raw(")</option>");
    }
    html.raw("</select></label>");
    if matches!(verb, "ack" | "resolve") {
        html.raw("<label>메모<input name=\"note\" maxlength=\"1000\" autocomplete=\"off\"></label>");
    }
    html.raw("<button class=\"primary\">").raw(word).raw("</button></form>");
}

const fn ended_word(it: Ended) -> &'static str {
    match it {
        Ended::RuleChanged => "규칙 변경",
        Ended::NoData => "데이터 없음",
        Ended::Gone => "대상 사라짐",
    }
}
