//! Texts and ids.

use std::sync::LazyLock;

use super::guard::GuardSet;
use super::wording::{Several, Telling, fits_sms, render, render_several};
use super::*;
use crate::model::{Domain, Ended, Fingerprint, Labels, ack_code};
use crate::time::{DAY, HOUR, MINUTE, SECOND};

/// 2026-11-24 09:12 KST.
const AT: Ms = 1_795_479_120_000;

fn incident(title: &str) -> Incident {
    Incident {
        id: "INC-2611-001".to_owned(),
        fingerprint: Fingerprint(1),
        rule: "cpu".into(),
        labels: Labels::default(),
        title: title.to_owned(),
        domain: Domain::Infra,
        state: IncidentState::Open,
        severity: Severity::S3,
        occurred: AT - 2 * MINUTE,
        detected: AT,
        resolved: None,
        ended: None,
        ack: None,
        reopened: vec![AT; 3],
        flapping: false,
        occurrence: 1,
        held_until: None,
        partition: None,
        notify_by: None,
        notified: None,
        calm_since: None,
        codes_used: 0,
        muted: None,
        sla: None,
        parent: None,
        group: Default::default(),
        came: None,
        drill: None,
    }
}

fn text(incident: &Incident, reason: Reason, after: Ms, channel: Channel) -> wording::Text {
    static GUARD: LazyLock<GuardSet> = LazyLock::new(|| GuardSet::new([], [], []));
    render(&Telling { incident, reason, step: 1, round: 2, now: AT + after }, channel, &GUARD)
}

#[test]
fn page_ids_are_frozen() {
    let key = PageKey {
        incident: "INC-2611-001",
        step: 0,
        round: 0,
        to: "msp-duty-1",
        channel: Channel::Sms,
        reason: Reason::First,
        occurrence: 1,
    };
    // sha256("INC-2611-001\x1f0\x1f0\x1fmsp-duty-1\x1fsms\x1ffirst\x1f1"), first 14 bytes
    assert_eq!(key.id(), "p-614e0990f818ba786abaf3a354a6");
    assert_eq!(key.id().len(), 30);
    assert_ne!(key.id(), PageKey { occurrence: 2, ..key }.id());
}

#[test]
fn each_reason_has_its_words() {
    let open = incident("CPU 사용률 과다");
    let over = Incident { resolved: Some(AT + 35 * MINUTE), ..open.clone() };
    let gone = Incident { ended: Some(Ended::Gone), ..over.clone() };
    let brief = Incident { occurred: AT, resolved: Some(AT + 20 * SECOND), ..open.clone() };
    for (incident, reason, after, wanted) in [
        (
            &open,
            Reason::First,
            0,
            "[긴급신고][장애발생]INC-2611-001 경미/인프라 09:12 CPU 사용률 과다. 확인요망 코드<0000>",
        ),
        (
            &open,
            Reason::Escalated,
            10 * MINUTE,
            "[긴급신고][전파2차]INC-2611-001 경미/인프라 10분 미확인 CPU 사용률 과다 코드<0000>",
        ),
        (
            &open,
            Reason::Escalated,
            59 * SECOND,
            "[긴급신고][전파2차]INC-2611-001 경미/인프라 미확인 CPU 사용률 과다. 확인요망 코드<0000>",
        ),
        (
            &open,
            Reason::Handover,
            0,
            "[긴급신고][인수인계]INC-2611-001 경미/인프라 09:12 CPU 사용률 과다. 담당자로 지정됨",
        ),
        (
            &open,
            Reason::Worsened,
            MINUTE,
            "[긴급신고][등급상향]INC-2611-001 경미/인프라 09:13 CPU 사용률 과다. 확인요망 코드<0000>",
        ),
        (
            &open,
            Reason::Reopened,
            0,
            "[긴급신고][재발생]INC-2611-001 경미/인프라 09:12 CPU 사용률 과다. 확인요망 코드<0000>",
        ),
        (
            &open,
            Reason::Flapping,
            0,
            "[긴급신고][반복발생]INC-2611-001 경미/인프라 1시간 3회 재발 09:12 CPU 사용률 과다",
        ),
        (
            &open,
            Reason::Repeat,
            5 * HOUR,
            "[긴급신고][재통보]INC-2611-001 경미/인프라 5시간 미확인 14:12 CPU 사용률 과다 코드<0000>",
        ),
        (
            &over,
            Reason::Resolved,
            35 * MINUTE,
            "[긴급신고][복구완료]INC-2611-001 09:47 복구(장애 37분) CPU 사용률 과다",
        ),
        (&brief, Reason::Resolved, 0, "[긴급신고][복구완료]INC-2611-001 09:12 복구(장애 1분 미만) CPU 사용률 과다"),
        (&gone, Reason::Resolved, 2 * DAY, "[긴급신고][감시종료]INC-2611-001 11.24 09:47 대상 소멸 CPU 사용률 과다"),
    ] {
        assert_eq!(text(incident, reason, after, Channel::Sms).text, wanted);
    }
}

#[test]
fn every_text_of_every_reason_fits_and_is_never_cut() {
    let titles = ["수집 중단", "CPU 사용률 과다", "데이터베이스 연결 대기 시간이 기준을 넘음", &"가".repeat(300)];
    for title in titles {
        for severity in Severity::ALL {
            for number in ["INC-2611-001", "SEC-2611-12345"] {
                let base = Incident { severity, id: number.to_owned(), domain: Domain::Security, ..incident(title) };
                let over = Incident { resolved: Some(AT + 300 * MINUTE), ..base.clone() };
                for reason in Reason::ALL {
                    for channel in Channel::ALL {
                        let it = if reason == Reason::Resolved { &over } else { &base };
                        let got = text(it, reason, 900 * MINUTE, channel);
                        let bytes = ksx1001::len(&got.text).expect("KS X 1001");
                        let is_sms = got.title.is_empty();
                        assert!(bytes <= if is_sms { wording::SMS_BYTES } else { wording::LMS_BYTES }, "{}", got.text);
                        let title_bytes = ksx1001::len(&got.title).expect("KS X 1001");
                        assert!(channel == Channel::Mail || title_bytes <= wording::TITLE_BYTES, "{}", got.title);
                        assert!(got.text.contains(number) && (is_sms || got.text.contains(title)), "{}", got.text);
                    }
                }
            }
        }
    }
}

#[test]
fn a_title_too_long_for_a_text_message_makes_the_long_form() {
    let long = incident("데이터베이스 연결 대기 시간이 기준을 크게 넘음");
    let got = text(&long, Reason::First, 0, Channel::Sms);
    assert_eq!(got.title, "[긴급신고] 장애발생 INC-2611-001");
    assert_eq!(
        got.text,
        "[긴급신고] 장애발생 알림\n■ 접수번호: INC-2611-001\n■ 등급/구간: 경미 / 인프라\n■ 발생: 11.24(화) 09:10\n\
         ■ 감지: 11.24(화) 09:12\n■ 현상: 데이터베이스 연결 대기 시간이 기준을 크게 넘음\n■ 전파: 11.24(화) 09:12\n\
         ■ 수신확인(상황실에 알리거나 확인화면에 입력): 코드<0000>\n관제콘솔에서 수신확인 바람. 이 문자에는 회신할 수 없음"
    );
    assert!(!fits_sms(&long.title, Domain::Infra) && fits_sms("CPU 사용률 과다", Domain::Infra));
}

#[test]
fn a_code_never_makes_a_long_message_of_a_short_one() {
    let coded = |text: &str| text.contains("코드<");
    // Two bytes stay free for wider numbers.
    let room = wording::SMS_BYTES - 2;
    for reason in [Reason::First, Reason::Escalated, Reason::Repeat, Reason::Flapping, Reason::Worsened] {
        let of = |length: usize| text(&incident(&"가".repeat(length)), reason, 10 * MINUTE, Channel::Sms);
        let short: Vec<_> = (1..60).map(of).take_while(|got| got.title.is_empty()).collect();
        assert!(short.iter().any(|got| coded(&got.text)) && short.iter().any(|got| !coded(&got.text)), "{short:?}");
        for got in &short {
            let bytes = ksx1001::len(&got.text).expect("KS X 1001");
            assert!(bytes <= room, "{}", got.text);
            let bare = ack_code::fill(&got.text, "INC-2611-001", 1, None);
            assert!(!coded(&bare) && !bare.ends_with(' '), "{bare}");
        }
        let longest = ksx1001::len(&short.last().expect("some are short").text).expect("KS X 1001");
        assert!(longest + 2 > room, "one syllable more, and no form without a code would fit: {longest}");
        assert!(coded(&of(50).text), "a long message has room for it");
    }
    let end = Incident { resolved: Some(AT), ..incident("가") };
    assert!(!coded(&text(&end, Reason::Resolved, MINUTE, Channel::Mail).text), "nothing is left to take");
}

#[test]
fn a_mail_names_its_severity_in_the_subject() {
    let got = text(&incident("수집 중단"), Reason::First, 0, Channel::Mail);
    assert_eq!(got.title, "[긴급신고][장애발생][경미] INC-2611-001 인프라 09:12");
}

/// A mail that calls itself a text message is taken for a mistake, and a code without a word of what to do with it for noise.
#[test]
fn a_long_message_says_what_it_is_and_what_its_code_is_for() {
    let long = |reason, channel| text(&incident(&"가".repeat(50)), reason, 10 * MINUTE, channel).text;
    for reason in [Reason::First, Reason::Escalated, Reason::Worsened, Reason::Repeat] {
        let (mail, lms) = (long(reason, Channel::Mail), long(reason, Channel::Sms));
        assert!(mail.ends_with("이 메일에는 회신할 수 없음") && !mail.contains("문자"), "{mail}");
        assert!(lms.ends_with("이 문자에는 회신할 수 없음"), "{lms}");
        assert!(mail.contains("\n■ 수신확인(상황실에 알리거나 확인화면에 입력): 코드<0000>\n"), "{mail}");
        let bare = ack_code::fill(&mail, "INC-2611-001", 1, None);
        assert!(!bare.contains("■ 수신확인"), "without a key the whole line goes: {bare}");
    }
}

#[test]
fn an_odd_character_never_fails_a_page() {
    let got = text(&incident("디스크 • 부족 🔥 — 90％"), Reason::First, 0, Channel::Sms);
    assert!(got.text.contains("디스크 · 부족 □ - 90％"), "{}", got.text);
}

#[test]
fn a_summary_of_ten_thousand_fits() {
    for (n_over, daily) in [(0, false), (10_000, false), (5_000, true)] {
        let first = "INC-2611-12345";
        let several = Several { first, n: 10_000, n_over, severity: Severity::S1, daily, is_drill: false, now: AT };
        for channel in Channel::ALL {
            let got = render_several(&several, channel);
            let most = if channel == Channel::Sms { wording::SMS_BYTES } else { wording::LMS_BYTES };
            assert!(ksx1001::len(&got.text).is_ok_and(|bytes| bytes <= most), "{}", got.text);
            assert_eq!(GuardSet::new([], [], []).lint(&got.text), []);
        }
    }
}

#[test]
fn a_drill_says_so_first_whatever_is_told_of_it() {
    let mut drill = incident("CPU 사용률 과다");
    drill.id = "DRL-2611-001".to_owned();
    for reason in Reason::ALL.into_iter().filter(|reason| *reason != Reason::Digest) {
        for channel in Channel::ALL {
            let got = text(&drill, reason, 0, channel);
            let first = if got.title.is_empty() { &got.text } else { &got.title };
            assert!(first.starts_with("[훈련]") && got.text.starts_with("[훈련]"), "{reason:?}: {got:?}");
        }
    }
}
