//! What people do to incidents, on the test stand: one-time codes, hand-overs, and what none of it may hide.

use super::stand::*;
use super::*;
use crate::model::*;
use crate::time::{HOUR, MINUTE, SECOND};

const FIRST: &str = "INC-2611-001";

fn by_code(stand: &mut Stand, occurrence: i64, used: i64) -> (bool, String) {
    let (incident, by) = (FIRST.to_owned(), "csp-duty".to_owned());
    stand.input(Input::AckCode { incident, occurrence, used, by, note: String::new(), hold: HOUR })
}

fn hand_over(stand: &mut Stand, to: &str, hold: Option<Ms>) -> (bool, String) {
    let (incident, by) = (FIRST.to_owned(), "msp-duty-1".to_owned());
    stand.input(Input::Handover { incident, by, to: to.to_owned(), note: "교대".to_owned(), hold })
}

/// The count of the mark in the newest page.
fn mark(stand: &Stand) -> Option<String> {
    let text = &stand.pages.last()?.page.text;
    text.split_once("코드<").map(|(_, rest)| rest.chars().take(4).collect())
}

#[test]
fn a_code_takes_its_incident_once() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", Some(Severity::S2));
    assert_eq!(mark(&stand).as_deref(), Some("0000"));
    assert!(by_code(&mut stand, 1, 0).0);
    assert_eq!(stand.incident(FIRST).state, IncidentState::Acked);
    let gone = stand.input(Input::Unack { incident: FIRST.to_owned(), by: "csp-duty".to_owned() });
    assert!(gone.0);
    assert_eq!(mark(&stand).as_deref(), Some("0001"), "the chain goes on with another code");
    let (done, answer) = by_code(&mut stand, 1, 0);
    assert!(!done && answer.contains("이미 쓴 코드"), "{answer}");
    assert_eq!(stand.incident(FIRST).state, IncidentState::Open);
    assert!(by_code(&mut stand, 1, 1).0);
}

#[test]
fn a_code_ends_with_its_occurrence() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", Some(Severity::S2));
    stand.signal("cpu", "db-01", None);
    assert!(!by_code(&mut stand, 1, 0).0, "it is over");
    stand.pass(MINUTE);
    stand.signal("cpu", "db-01", Some(Severity::S2));
    assert!(!by_code(&mut stand, 1, 0).0, "it is another occurrence");
    assert!(by_code(&mut stand, 2, 0).0);
}

#[test]
fn a_code_that_somebody_elses_ack_came_before_is_not_used_up() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", Some(Severity::S2));
    assert!(stand.ack(FIRST, HOUR).0);
    let (done, answer) = by_code(&mut stand, 1, 0);
    assert!(!done && answer.contains("이미 수신확인되었습니다(담당 msp-duty-1)"), "{answer}");
    assert_eq!(stand.incident(FIRST).codes_used, 0);
}

#[test]
fn an_ack_by_code_hides_no_rise_in_severity() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", Some(Severity::S3));
    assert!(by_code(&mut stand, 1, 0).0);
    stand.pass(MINUTE);
    stand.regrade("cpu", "db-01", Severity::S1);
    assert_eq!(stand.heard(stand.now), [("msp-duty-1".to_owned(), "sms", "worsened")]);
    assert_eq!(stand.incident(FIRST).state, IncidentState::Open);
    assert_eq!(mark(&stand).as_deref(), Some("0001"), "the used code is good for nothing more");
}

#[test]
fn whoever_gets_an_incident_is_told_and_hears_of_its_end() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", Some(Severity::S1));
    assert!(stand.ack(FIRST, HOUR).0);
    let until = stand.incident(FIRST).ack.clone().unwrap().until;
    stand.pass(MINUTE);
    let (done, answer) = hand_over(&mut stand, "boss", None);
    assert!(done, "{answer}");
    assert_eq!(stand.heard(stand.now), [("boss".to_owned(), "sms", "handover")]);
    let ack = stand.incident(FIRST).ack.clone().unwrap();
    assert_eq!((ack.by.as_str(), ack.at, ack.until), ("boss", stand.now, until), "the time is kept");
    stand.pass(10 * MINUTE);
    assert_eq!(stand.heard(stand.now - MINUTE), [], "the chain stays where it is");
    let since = stand.now;
    stand.signal("cpu", "db-01", None);
    let told: Vec<_> = stand.heard(since).into_iter().map(|(to, ..)| to).collect();
    assert_eq!(told, ["msp-duty-1", "boss"]);
}

#[test]
fn a_hand_over_may_renew_the_time_and_come_back() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", Some(Severity::S2));
    assert!(stand.ack(FIRST, HOUR).0);
    for to in ["boss", "msp-duty-1", "boss"] {
        assert!(hand_over(&mut stand, to, Some(2 * HOUR)).0);
        assert_eq!(stand.incident(FIRST).ack.clone().unwrap().until, stand.now + 2 * HOUR);
        assert_eq!(stand.heard(stand.now).last().unwrap().0, to, "told each time");
        stand.pass(SECOND);
    }
    stand.pass(2 * HOUR);
    assert_eq!(stand.incident(FIRST).state, IncidentState::Open, "and then the chain goes on");
}

#[test]
fn what_cannot_be_handed_over_is_said() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", Some(Severity::S2));
    for (to, says) in [("boss", "수신확인한 사람이 없어"), ("nobody", "연락처가 없습니다")] {
        let (done, answer) = hand_over(&mut stand, to, None);
        assert!(!done && answer.contains(says), "{answer}");
    }
    assert!(stand.ack(FIRST, HOUR).0);
    let (done, answer) = hand_over(&mut stand, "msp-duty-1", None);
    assert!(!done && answer.contains("이미 msp-duty-1 담당"), "{answer}");
    stand.signal("cpu", "db-01", None);
    let (done, answer) = hand_over(&mut stand, "boss", None);
    assert!(!done && answer.contains("이미 복구된 장애"), "{answer}");
}

#[test]
fn a_hand_over_that_does_not_arrive_takes_the_next_channel() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", Some(Severity::S2));
    assert!(stand.ack(FIRST, HOUR).0);
    stand.delivers = false;
    assert!(hand_over(&mut stand, "boss", None).0);
    let page = stand.pages.last().unwrap().page.id.clone();
    stand.hand(&page);
    stand.outcome(&page, Outcome::Failed { reason: "recipient".to_owned() });
    let last = &stand.pages.last().unwrap().page;
    assert_eq!((last.to.as_str(), last.channel, last.reason), ("boss", Channel::Mail, Reason::Handover));
}

#[test]
fn the_ledger_gives_codes_and_hand_overs_again() {
    let mut stand = Stand::new();
    stand.is_crashing = true;
    stand.signal("cpu", "db-01", Some(Severity::S1));
    assert!(by_code(&mut stand, 1, 0).0);
    assert!(hand_over(&mut stand, "boss", None).0);
    stand.regrade("cpu", "db-01", Severity::S2);
    stand.signal("cpu", "db-01", None);
    stand.pass(HOUR);
    let mut again = Leader::load(&BookRows::default(), stand.world.clone());
    again.replay(&stand.entries, |_| None).unwrap();
}

#[test]
fn a_name_that_no_contact_has_is_taken_and_said_so() {
    let ack = |stand: &mut Stand, by: &str| {
        stand.input(Input::Ack { incident: FIRST.to_owned(), by: by.to_owned(), note: String::new(), hold: HOUR })
    };
    let unknown = "비상연락망에 없는 이름";
    for (by, wanted) in [
        ("msp-duty-1", None),
        ("console", None),
        ("operator", None),
        ("nobody", Some("`nobody` 비상연락망에 없는 이름입니다. 적은 그대로 기록했습니다.")),
        (
            "msp-dtuy-1",
            Some("`msp-dtuy-1` 비상연락망에 없는 이름입니다(혹시 `msp-duty-1`?). 적은 그대로 기록했습니다."),
        ),
    ] {
        let mut stand = Stand::new();
        stand.signal("cpu", "db-01", Some(Severity::S1));
        let (done, answer) = ack(&mut stand, by);
        assert!(done, "{by}: an ack is never refused for a name: {answer}");
        assert_eq!(stand.incident(FIRST).ack.as_ref().map(|ack| ack.by.as_str()), Some(by));
        assert_eq!(answer.split_once(". ").map(|(_, rest)| rest), wanted, "{answer}");
        let (done, answer) = ack(&mut stand, "somebody");
        assert!(!done && !answer.contains(unknown), "what is not done is not recorded: {answer}");
        stand.replays();
    }
    let mut stand = Stand::new();
    let silence = SilenceAsk {
        matchers: super::mutes::matchers(&["host=db-01"]),
        until: T0 + HOUR,
        by: "nobody".to_owned(),
        reason: "교체".to_owned(),
        ..SilenceAsk::default()
    };
    let (done, answer) = stand.input(Input::Silence(Box::new(silence)));
    assert!(
        done && answer.starts_with("SIL-2611-001 ")
            && answer.contains("까지 통보를 멈춥니다")
            && answer.contains(unknown),
        "{answer}"
    );
}

/// A number that is refused for good, a mail that said it instead, an ack that is given back: the mail is not said again.
#[test]
fn what_the_next_channel_said_is_not_said_there_again_after_an_ack() {
    let mut stand = Stand::new();
    stand.delivers = false;
    stand.signal("cpu", "db-01", Some(Severity::S2));
    let refused = Outcome::Failed { reason: "recipient".to_owned() };
    let waiting = |stand: &Stand| {
        let row = stand.pages.iter().find(|row| row.state == PageState::Waiting);
        row.map(|row| (row.page.id.clone(), row.page.channel))
    };
    for _ in 0..2 {
        while let Some((page, channel)) = waiting(&stand) {
            stand.hand(&page);
            let accepted = Outcome::Accepted { id: "1".to_owned() };
            stand.outcome(&page, if channel == Channel::Sms { refused.clone() } else { accepted });
        }
        assert_eq!(stand.said("msp-duty-1", Reason::First), [Channel::Mail]);
        stand.ack(FIRST, HOUR);
        stand.input(Input::Unack { incident: FIRST.to_owned(), by: "csp-duty".to_owned() });
        // What had been decided for the number and was withdrawn is tried again afterwards.
        assert!(stand.silence(&["host=db-01"], MINUTE).0);
        stand.pass(MINUTE);
    }
    assert!(stand.pages.iter().filter(|row| row.state == PageState::Failed).count() > 1, "it was tried again");
}

/// Whoever ends what still goes on must learn so from the answer, not from the next message.
#[test]
fn the_answer_to_a_resolve_says_what_goes_on_and_what_to_do_instead() {
    let resolve = |stand: &mut Stand, id: &str| {
        stand.input(Input::Resolve { incident: id.to_owned(), by: "console".to_owned(), note: String::new() })
    };
    let mut stand = Stand::with(super::groups::site());
    for n in 1..=12 {
        stand.signal("cpu", &format!("vm-{n:02}"), Some(Severity::S2));
    }
    let storm = stand.rows.incidents.iter().find(|it| *it.rule == *STORM.id).expect("a storm").id.clone();
    let (done, answer) = resolve(&mut stand, &storm);
    assert!(done && stand.incident(&storm).state.is_live(), "all of them fire: it is back at once");
    for said in ["하위 장애 12건", "바로 다시 열렸습니다", "수신확인하십시오"] {
        assert!(answer.contains(said), "{said}: {answer}");
    }
    let tally = stand.incident(&storm).group.tally;
    assert_eq!((tally.total, tally.live()), (12, 12), "what hung under it hangs under it still");
    let last = stand.pages.iter().rev().find(|row| row.page.reason == Reason::Reopened).expect("it is told");
    assert!(last.page.text.contains("동시 다발 장애 12건"), "{}", last.page.text);
    for n in 3..=12 {
        stand.signal("cpu", &format!("vm-{n:02}"), None);
    }
    let (done, answer) = resolve(&mut stand, &storm);
    assert!(done && !stand.incident(&storm).state.is_live(), "two are no storm");
    assert!(answer.contains("하위 장애 2건은 진행 중이며 이제부터 따로 알립니다"), "{answer}");
    let (done, answer) = resolve(&mut stand, FIRST);
    assert!(done && answer.contains("정상이 된 뒤 재발할 때만") && !answer.contains("하위"), "{answer}");
    let (done, answer) = resolve(&mut stand, FIRST);
    assert!(!done && answer.contains("다시 여십시오"), "{answer}");
    stand.replays();
}
