//! Scenes of silences: what leaves while one holds pages back, and what is said when it ends.

use super::scenes::{S1, S2, S3, page};
use super::stand::{Stand, T0, people, world};
use super::{Leader, World};
use crate::model::*;
use crate::time::{DAY, HOUR, MINUTE, Ms};

pub(super) const FIRST: &str = "INC-2611-001";
const SILENCE: &str = "SIL-2611-001";

fn matcher(text: &str) -> Matcher {
    let at = text.find(['=', '!']).expect("an operator");
    let (label, rest) = text.split_at(at);
    let test = Test::ALL.into_iter().filter(|test| rest.starts_with(test.sign())).max_by_key(|test| test.sign().len());
    let test = test.expect("an operator");
    Matcher { label: label.to_owned(), test, value: rest[test.sign().len()..].to_owned() }
}

pub(super) fn matchers(texts: &[&str]) -> Vec<Matcher> {
    texts.iter().map(|text| matcher(text)).collect()
}

fn ask(texts: &[&str], now: Ms, length: Ms) -> SilenceAsk {
    SilenceAsk {
        matchers: matchers(texts),
        until: now + length,
        by: "msp-duty-1".to_owned(),
        reason: "디스크 교체".to_owned(),
        ..SilenceAsk::default()
    }
}

impl Stand {
    pub(super) fn silence(&mut self, texts: &[&str], length: Ms) -> (bool, String) {
        self.input(Input::Silence(Box::new(ask(texts, self.now, length))))
    }

    pub(super) fn expire(&mut self, id: &str) -> (bool, String) {
        self.input(Input::Expire { silence: id.to_owned(), by: "boss".to_owned() })
    }

    pub(super) fn approve(&mut self, id: &str, by: &str) -> (bool, String) {
        self.input(Input::Approve { silence: id.to_owned(), by: by.to_owned() })
    }

    pub(super) fn muted(&self, id: &str) -> Option<(MuteKind, String)> {
        self.incident(id).muted.as_ref().map(|muted| (muted.kind, muted.by.clone()))
    }

    /// The ledger gives the same bytes again.
    pub(super) fn replays(&self) {
        let rows = BookRows { epoch: 7, ..BookRows::default() };
        Leader::load(&rows, self.world.clone()).replay(&self.entries, |_| None).expect("the same bytes");
    }
}

#[test]
fn the_first_page_after_a_silence_is_a_first() {
    let mut stand = Stand::new();
    let (done, answer) = stand.silence(&["host=db-01"], HOUR);
    assert!(done && answer.starts_with("SIL-2611-001 2026-11-24T10:00:00+09:00까지 통보를 멈춥니다."), "{answer}");
    stand.pass(MINUTE);
    stand.signal("cpu", "db-01", S2);
    stand.signal("cpu", "db-02", S2);
    assert_eq!(stand.heard(0).len(), 1, "only the other host's page leaves");
    let muted = stand.incident(FIRST).muted.clone().expect("muted");
    assert_eq!((muted.kind, muted.by.as_str(), muted.until), (MuteKind::Silence, SILENCE, Some(T0 + HOUR)));
    assert_eq!((muted.who.as_str(), muted.why.as_str(), muted.since), ("msp-duty-1", "디스크 교체", T0 + MINUTE));
    stand.signal("cpu", "db-02", None);
    stand.until(T0 + HOUR - 1);
    assert_eq!(stand.heard(T0 + 2 * MINUTE), [], "no repeat either");
    stand.until(T0 + HOUR);
    assert_eq!(stand.heard(T0 + HOUR), [page("msp-duty-1", "sms", "first")]);
    stand.pass(5 * MINUTE);
    assert_eq!(stand.heard(T0 + HOUR + 1).len(), 2, "and the chain runs from there");
    stand.replays();
}

#[test]
fn what_comes_and_goes_under_a_silence_is_told_to_nobody() {
    let mut stand = Stand::new();
    stand.silence(&["host=db-01"], HOUR);
    stand.signal("cpu", "db-01", S2);
    stand.pass(10 * MINUTE);
    stand.signal("cpu", "db-01", None);
    stand.pass(2 * DAY);
    assert_eq!(stand.heard(0), [], "no page, no line of a digest");
    assert_eq!(stand.n_changes(Change::Overdue), 0, "nobody had to be told");
}

#[test]
fn whoever_was_told_of_the_beginning_is_told_of_the_end_also_while_it_is_muted() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", S2);
    stand.pass(MINUTE);
    stand.silence(&["host=db-01"], HOUR);
    stand.pass(MINUTE);
    stand.signal("cpu", "db-01", None);
    assert_eq!(stand.heard(T0 + 1), [page("msp-duty-1", "sms", "resolved")]);
    assert_eq!(stand.incident(FIRST).muted, None, "what is over is not muted");
    stand.pass(DAY);
    assert_eq!(stand.heard(T0 + 3 * MINUTE), []);
}

#[test]
fn a_chain_goes_on_with_the_wait_that_was_left() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", S2);
    stand.pass(2 * MINUTE);
    stand.silence(&["host=db-01"], HOUR);
    assert_eq!(stand.leader.chain_due(FIRST), None, "it waits");
    stand.pass(HOUR);
    assert_eq!(stand.heard(T0 + 1), [], "the same as before: no page at once");
    stand.pass(3 * MINUTE - 1);
    assert_eq!(stand.heard(T0 + 1), []);
    stand.pass(1);
    assert_eq!(
        stand.heard(T0 + 1),
        [page("csp-duty", "sms", "escalated"), page("csp-duty", "mail", "escalated")],
        "five minutes after the first step, the silence not counted"
    );
    stand.replays();
}

#[test]
fn worse_than_before_is_told_when_pages_may_leave_again() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", S3);
    stand.pass(MINUTE);
    stand.silence(&["host=db-01"], HOUR);
    stand.regrade("cpu", "db-01", Severity::S2);
    assert_eq!(stand.heard(T0 + 1), [], "a rise stays muted");
    stand.pass(HOUR);
    assert_eq!(stand.heard(T0 + 1), [page("msp-duty-1", "sms", "worsened")]);
    stand.replays();
}

#[test]
fn up_and_down_again_under_a_silence_is_no_news() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", S3);
    stand.pass(MINUTE);
    stand.silence(&["host=db-01"], HOUR);
    stand.regrade("cpu", "db-01", Severity::S2);
    stand.regrade("cpu", "db-01", Severity::S3);
    stand.pass(HOUR);
    assert_eq!(stand.heard(T0 + 1), []);
}

#[test]
fn a_rise_beyond_what_a_silence_names_pages_at_once() {
    let mut stand = Stand::new();
    stand.silence(&["host=db-01", "severity=~S[234]"], HOUR);
    stand.signal("cpu", "db-01", S3);
    assert_eq!(stand.heard(0), []);
    stand.pass(MINUTE);
    stand.regrade("cpu", "db-01", Severity::S1);
    assert_eq!(stand.heard(0), [page("msp-duty-1", "sms", "first")], "never told before");
    stand.regrade("cpu", "db-01", Severity::S3);
    assert!(stand.muted(FIRST).is_some(), "it falls back under the silence");
    stand.pass(30 * MINUTE);
    assert_eq!(stand.heard(T0 + MINUTE + 1), []);
}

#[test]
fn a_silence_over_what_runs_withdraws_what_has_not_left() {
    let mut stand = Stand::new();
    stand.delivers = false;
    stand.signal("cpu", "db-01", S2);
    stand.silence(&["host=db-01"], HOUR);
    let states: Vec<_> = stand.pages.iter().map(|row| (row.state, row.detail.as_str())).collect();
    assert_eq!(states, [(PageState::Cancelled, "muted")]);
    stand.delivers = true;
    stand.pass(HOUR);
    assert_eq!(stand.heard(T0 + HOUR), [page("msp-duty-1", "sms", "first")], "nobody had heard");
}

#[test]
fn a_step_cut_in_the_middle_is_finished_afterwards() {
    let mut people = people();
    people.contacts.push(super::stand::contact("msp-duty-2", "MSP", "duty", &[]));
    let mut stand = Stand::with(World::new(world().rules, people, Inventory::default()));
    stand.delivers = false;
    stand.signal("cpu", "db-01", S2);
    let first = stand.pages.iter().find(|row| row.page.to == "msp-duty-1").expect("two are told").page.id.clone();
    stand.hand(&first);
    stand.silence(&["host=db-01"], HOUR);
    stand.delivers = true;
    stand.pass(HOUR);
    assert_eq!(stand.heard(T0 + 1), [page("msp-duty-2", "sms", "first")]);
}

#[test]
fn expiring_a_silence_ends_it_at_once_and_twice_is_refused() {
    let mut stand = Stand::new();
    stand.silence(&["host=db-01"], HOUR);
    stand.signal("cpu", "db-01", S2);
    stand.pass(MINUTE);
    assert_eq!(stand.expire(SILENCE), (true, "SIL-2611-001 알림중지를 해제했습니다(boss).".to_owned()));
    assert_eq!(stand.heard(0), [page("msp-duty-1", "sms", "first")]);
    assert_eq!(stand.expire(SILENCE), (false, "SIL-2611-001 이미 끝난 알림중지입니다.".to_owned()));
    assert!(!stand.expire("SIL-2611-009").0);
    assert!(stand.rows.notes.iter().any(|(key, _)| key.ends_with(SILENCE)), "it is kept after its end");
}

#[test]
fn a_silence_may_begin_later() {
    let mut stand = Stand::new();
    let later = SilenceAsk { from: Some(T0 + HOUR), ..ask(&["host=db-01"], T0, 2 * HOUR) };
    assert!(stand.input(Input::Silence(Box::new(later))).0);
    stand.signal("cpu", "db-01", S2);
    assert_eq!(stand.heard(0).len(), 1, "not yet");
    stand.pass(HOUR);
    let now = stand.now;
    assert!(stand.muted(FIRST).is_some());
    stand.pass(HOUR - 1);
    assert_eq!(stand.heard(now), [], "the chain pauses");
    stand.pass(11 * MINUTE);
    assert!(!stand.heard(now + HOUR).is_empty(), "and goes on");
    stand.replays();
}

#[test]
fn silences_that_must_not_be_are_refused_with_the_reason() {
    let mut stand = Stand::new();
    let base = ask(&["host=db-01"], T0, HOUR);
    let wrong: Vec<(SilenceAsk, &str)> = vec![
        (SilenceAsk { matchers: Vec::new(), ..base.clone() }, "대상이 없으면"),
        (SilenceAsk { until: T0, ..base.clone() }, "뒤가 아닙니다"),
        (SilenceAsk { until: T0 - HOUR, ..base.clone() }, "뒤가 아닙니다"),
        (SilenceAsk { until: T0 + 8 * DAY, ..base.clone() }, "최대 7d"),
        (SilenceAsk { reason: "  ".to_owned(), ..base.clone() }, "담당자와 사유"),
        (SilenceAsk { by: String::new(), ..base.clone() }, "담당자와 사유"),
        (SilenceAsk { matchers: matchers(&["host=~["]), ..base.clone() }, "정규식이 아닙니다"),
        (SilenceAsk { approver: Some("msp-duty-1".to_owned()), ..base.clone() }, "자기 알림중지"),
        (SilenceAsk { approver: Some("nobody".to_owned()), ..base.clone() }, "승인자 `nobody` 연락처가 없습니다"),
        (SilenceAsk { replaces: Some("SIL-2611-007".to_owned()), ..base }, "알림중지가 없습니다"),
    ];
    for (ask, why) in wrong {
        let (done, answer) = stand.input(Input::Silence(Box::new(ask)));
        assert!(!done && answer.contains(why), "{why}: {answer}");
    }
    assert_eq!(stand.leader.next_due(), None, "nothing was made");
}

#[test]
fn what_hides_much_waits_for_a_second_approver() {
    let hides = |s1, incidents| Preview { incidents, s1, pages: 3, of: 90, over: 30 * DAY };
    let grave: Vec<(SilenceAsk, &str)> = vec![
        (SilenceAsk { hides: hides(1, 1), ..ask(&["host=db-01"], T0, HOUR) }, "지난 30일의 중대(S1) 장애 1건"),
        (SilenceAsk { hides: hides(0, 21), ..ask(&["host=db-01"], T0, HOUR) }, "지난 30일의 장애 21건 포함(20건 초과)"),
        (ask(&["host=~.*"], T0, HOUR), "모든 장애가 대상"),
        (ask(&["severity=~S.", "host!=x"], T0, HOUR), "모든 장애가 대상"),
        (ask(&["host=db-09"], T0, HOUR), "중대(S1) 장애 INC-"),
    ];
    for (ask, why) in grave {
        let mut stand = Stand::new();
        stand.signal("cpu", "db-09", S1);
        stand.ack(FIRST, DAY);
        let (done, answer) = stand.input(Input::Silence(Box::new(ask)));
        assert!(done && answer.contains("다른 연락처의 승인을 기다립니다") && answer.contains(why), "{answer}");
        stand.signal("cpu", "db-01", S2);
        assert_eq!(stand.muted("INC-2611-002"), None, "it mutes nothing yet");
        assert!(!stand.approve(SILENCE, "msp-duty-1").0, "its owner cannot");
        assert!(!stand.approve(SILENCE, "stranger").0, "somebody unknown cannot");
        assert!(stand.approve(SILENCE, "boss").0);
        assert!(!stand.approve(SILENCE, "boss").0, "once is enough");
        let muted = ["INC-2611-001", "INC-2611-002"].iter().filter(|id| stand.muted(id).is_some()).count();
        assert!(muted > 0, "now it does");
        stand.replays();
    }
}

#[test]
fn a_named_approver_alone_may_approve_and_one_never_approved_hides_nothing() {
    let mut stand = Stand::new();
    let broad = SilenceAsk { approver: Some("owner".to_owned()), ..ask(&["host=~.+"], T0, HOUR) };
    let (done, answer) = stand.input(Input::Silence(Box::new(broad)));
    assert!(done && answer.contains("owner의 승인을 기다립니다"), "{answer}");
    assert!(!stand.approve(SILENCE, "boss").0);
    stand.pass(2 * HOUR);
    assert!(!stand.approve(SILENCE, "owner").0, "over");
    stand.signal("cpu", "db-01", S2);
    assert_eq!(stand.heard(0).len(), 1);
}

#[test]
fn an_edit_ends_the_old_silence_when_the_new_one_holds() {
    let mut stand = Stand::new();
    stand.silence(&["host=db-01"], HOUR);
    let edit = |texts: &[&str]| SilenceAsk { replaces: Some(SILENCE.to_owned()), ..ask(texts, T0, 2 * HOUR) };
    assert!(stand.input(Input::Silence(Box::new(edit(&["host=~.*"])))).0);
    stand.signal("cpu", "db-01", S2);
    assert_eq!(
        stand.muted(FIRST),
        Some((MuteKind::Silence, SILENCE.to_owned())),
        "the new one waits, the old one holds"
    );
    assert!(stand.approve("SIL-2611-002", "boss").0);
    assert_eq!(stand.muted(FIRST), Some((MuteKind::Silence, "SIL-2611-002".to_owned())));
    assert!(!stand.expire(SILENCE).0, "the old one is over");
    assert_eq!(stand.heard(0), [], "and nothing left in between");
    assert_eq!(stand.incident(FIRST).muted.as_ref().map(|muted| muted.since), Some(T0));
}

#[test]
fn silences_survive_every_crash_and_end_on_time() {
    let mut stand = Stand::new();
    stand.is_crashing = true;
    stand.silence(&["host=db-01"], HOUR);
    stand.signal("cpu", "db-01", S1);
    stand.pass(HOUR - 1);
    assert_eq!(stand.heard(0), []);
    stand.pass(1);
    assert_eq!(stand.heard(T0 + HOUR), [page("msp-duty-1", "sms", "first")]);
    stand.pass(10 * MINUTE);
    stand.replays();
}

#[test]
fn a_silence_that_ends_while_nobody_leads_has_ended() {
    let mut stand = Stand::new();
    stand.silence(&["host=db-01"], HOUR);
    stand.signal("cpu", "db-01", S2);
    stand.now += 3 * HOUR;
    stand.crash();
    stand.until(stand.now);
    assert_eq!(stand.heard(T0 + 1), [page("msp-duty-1", "sms", "first")]);
}

#[test]
fn an_ack_under_a_silence_holds_and_its_end_goes_on_afterwards() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", S2);
    stand.pass(MINUTE);
    stand.silence(&["host=db-01"], HOUR);
    assert!(stand.ack(FIRST, 30 * MINUTE).0);
    stand.pass(45 * MINUTE);
    assert_eq!(stand.heard(T0 + 1), [], "the ack ran out under the silence");
    stand.pass(16 * MINUTE);
    assert_eq!(stand.heard(T0 + 1), [page("msp-duty-1", "sms", "escalated")]);
    let mut taken = Stand::new();
    taken.signal("cpu", "db-01", S2);
    taken.silence(&["host=db-01"], HOUR);
    assert!(taken.ack(FIRST, 2 * HOUR).0);
    taken.pass(HOUR + 59 * MINUTE);
    assert_eq!(taken.heard(T0 + 1), [], "it is somebody's still");
    taken.pass(MINUTE);
    assert_eq!(taken.heard(T0 + 1), [page("msp-duty-1", "sms", "escalated")], "the ack outlived the silence");
}

#[test]
fn a_return_under_a_silence_reaches_those_who_knew_it_as_reopened() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", S2);
    stand.pass(MINUTE);
    stand.signal("cpu", "db-01", None);
    stand.silence(&["host=db-01"], 20 * MINUTE);
    stand.pass(MINUTE);
    stand.signal("cpu", "db-01", S2);
    let now = stand.now;
    assert_eq!(stand.heard(now), []);
    stand.pass(20 * MINUTE);
    assert_eq!(stand.heard(now), [page("msp-duty-1", "sms", "reopened")]);
}

/// Handed over, silenced, given back by a gateway in trouble: what is said when the silence ends is said alone.
#[test]
fn a_page_that_came_back_while_it_was_quiet_is_not_said_beside_the_next_one() {
    let mut stand = Stand::new();
    stand.delivers = false;
    stand.signal("cpu", "db-01", Some(Severity::S2));
    let page = stand.pages[0].page.id.clone();
    stand.hand(&page);
    assert!(stand.silence(&["host=db-01"], 10 * MINUTE).0);
    stand.give_back(&page);
    stand.pass(11 * MINUTE);
    assert_eq!(stand.said("msp-duty-1", Reason::First), [Channel::Sms]);
    stand.comes_out_again();
}

/// The end was never told, and so the telling of it was taken back: the chain had nobody to go on with.
#[test]
fn what_is_opened_again_under_a_silence_is_told_when_the_silence_ends() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", S2);
    stand.pass(MINUTE);
    stand.silence(&["host=db-01"], HOUR);
    let by = || "msp-duty-1".to_owned();
    assert!(stand.input(Input::Resolve { incident: FIRST.to_owned(), by: by(), note: String::new() }).0);
    assert!(stand.input(Input::Reopen { incident: FIRST.to_owned(), by: by() }).0);
    let after = stand.now + 1;
    stand.pass(MINUTE);
    assert_eq!(stand.heard(after), []);
    stand.pass(HOUR);
    assert_eq!(stand.heard(after)[0], page("msp-duty-1", "sms", "reopened"));
    assert!(stand.leader.chain_due(FIRST).is_some(), "and the chain goes on");
    stand.replays();
}
