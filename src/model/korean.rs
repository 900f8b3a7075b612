//! The Korean words of what people on call read: one word per thing, on the console, in `explain`, in `route`, in answers.
//!
//! The idea: a word that a tired person met in one place means the same in every other. Messages have their own, shorter
//! ones (`page::wording`), because there every byte counts.

use crate::model::{IncidentState, PageState, Reason};

/// Names under which somebody acts who gave none: at the console, and on the command line.
pub const NAMELESS: [&str; 2] = ["console", "operator"];

/// Who did something, as people read it.
pub fn spoken(by: &str) -> &str {
    if NAMELESS.contains(&by) { "관제 운영자" } else { by }
}

/// A step of a chain, which files and rows count from 0 and people from 1; `None`: the page belongs to no step.
pub fn step_of(step: i64) -> Option<String> {
    (step >= 0).then(|| format!("{}단계", step + 1))
}

/// The words that the outbox keeps as reasons, for people; others, those of providers among them, are shown as they are.
pub fn detail_of(detail: &str) -> &str {
    match detail {
        "auth" => "발송 업체 인증 거부",
        "rate" => "발송량 제한",
        "recipient" => "수신 번호 문제",
        "content" => "문자 내용 거부",
        "server" => "발송 업체 장애",
        "timeout" => "연결 실패 또는 시간 초과",
        "expired" => "기한 지남",
        "muted" => "통보 보류",
        "acked" => "수신확인됨",
        "handed over" => "인계됨",
        "attached" => "상위 장애가 대신 알림",
        "resolved" => "복구됨",
        "closed" => "종료됨",
        "reopened" => "다시 열림",
        "never told" => "발생을 알리지 않아 복구도 알리지 않음",
        "said anew" => "새 내용으로 다시 알림",
        "stopping" => "서비스 종료로 반납",
        "outbox away" => "발송함 접근 불가",
        "no gateway left to ask" => "물어볼 발송 업체 없음",
        "the gateway could not say before the deadline" => "발송 업체가 기한 안에 결과를 알려 주지 않음",
        "the sender ended between hand-over and answer; the gateway cannot be asked" => {
            "발송 중 서비스가 멈춤, 업체에 결과를 물어볼 수 없음"
        }
        other => match Reason::parse(other) {
            Some(reason) => reason.korean(),
            None => other,
        },
    }
}

impl Reason {
    /// Its word for people.
    pub const fn korean(self) -> &'static str {
        match self {
            Self::First => "최초",
            Self::Escalated => "다음 단계 전파",
            Self::Worsened => "상황 악화",
            Self::Reopened => "재발생",
            Self::Flapping => "반복 발생",
            Self::Repeat => "재통보",
            Self::Sla => "SLA 경고",
            Self::Resolved => "복구",
            Self::Digest => "요약",
            Self::Drill => "모의훈련",
            Self::ContactCheck => "연락망 점검",
            Self::GatewaySwitched => "발송 경로 전환",
            Self::Handover => "인수인계",
        }
    }
}

impl PageState {
    /// Its word for people.
    pub const fn korean(self) -> &'static str {
        match self {
            Self::Waiting => "대기",
            Self::Handed => "발송 중",
            Self::Accepted => "접수",
            Self::Delivered => "도착",
            Self::Failed => "실패",
            Self::Unknown => "확인 불가",
            Self::Cancelled => "취소",
        }
    }
}

impl IncidentState {
    /// Its word for people.
    pub const fn korean(self) -> &'static str {
        match self {
            Self::Open => "미확인",
            Self::Acked => "수신확인",
            Self::Resolved => "복구",
            Self::Closed => "종료",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Stamp;

    #[test]
    fn people_count_steps_from_one_and_a_page_outside_the_chain_has_none() {
        assert_eq!(step_of(0).as_deref(), Some("1단계"));
        assert_eq!(step_of(3).as_deref(), Some("4단계"));
        assert_eq!(step_of(-4), None);
    }

    #[test]
    fn what_the_outbox_keeps_is_korean_and_what_a_provider_said_is_left() {
        assert_eq!(detail_of("worsened"), Reason::Worsened.korean(), "why a page was taken back");
        assert_eq!(detail_of("attached"), "상위 장애가 대신 알림");
        assert_eq!(detail_of("-2019"), "-2019");
    }

    #[test]
    fn no_two_things_of_a_kind_share_a_word() {
        let reasons: std::collections::BTreeSet<_> = Reason::ALL.into_iter().map(Reason::korean).collect();
        let states: std::collections::BTreeSet<_> = PageState::ALL.into_iter().map(PageState::korean).collect();
        assert_eq!((reasons.len(), states.len()), (Reason::ALL.len(), PageState::ALL.len()));
        for (stamp, state) in [(Stamp::Accepted, PageState::Accepted), (Stamp::Delivered, PageState::Delivered)] {
            assert_eq!(stamp.title(), state.korean(), "a stamp and the state it leads to are one word");
        }
    }
}
