//! Scenes about pages that were with a sender while something happened, and came back unsent.

use super::stand::Stand;
use crate::model::*;
use crate::time::{HOUR, MINUTE, SECOND};

const S1: Option<Severity> = Some(Severity::S1);
const FIRST: &str = "INC-2611-001";

/// Nothing is delivered by itself, and another leader takes over after every commit.
fn stand() -> Stand {
    let mut stand = Stand::new();
    (stand.delivers, stand.is_crashing) = (false, true);
    stand
}

/// One page that is with a sender while something happens, and comes back unsent; the pages and cancels after that.
fn while_it_is_with_a_sender(severity: Severity, happens: impl FnOnce(&mut Stand)) -> (Stand, PageState) {
    let mut stand = stand();
    stand.signal("cpu", "a", Some(severity));
    let id = stand.pages.first().map(|row| row.page.id.clone()).expect("the first page");
    stand.hand(&id);
    happens(&mut stand);
    stand.give_back(&id);
    let state = stand.pages.first().map_or(PageState::Failed, |row| row.state);
    (stand, state)
}

#[test]
fn what_comes_back_unsent_waits_as_before() {
    let (stand, state) = while_it_is_with_a_sender(Severity::S1, |_| {});
    assert_eq!(state, PageState::Waiting);
    assert_eq!(stand.said("msp-duty-1", Reason::First), [Channel::Sms]);
    stand.replays();
}

#[test]
fn what_comes_back_unsent_is_not_sent_once_somebody_has_it() {
    let (mut stand, state) = while_it_is_with_a_sender(Severity::S1, |stand| drop(stand.ack(FIRST, HOUR)));
    assert_eq!(state, PageState::Cancelled);
    stand.input(Input::Unack { incident: FIRST.to_owned(), by: "boss".to_owned() });
    assert_eq!(stand.said("msp-duty-1", Reason::Escalated), [Channel::Sms], "given back, it is said again");
    stand.replays();
}

#[test]
fn what_comes_back_unsent_after_the_end_is_a_line_of_the_digest() {
    let (mut stand, state) = while_it_is_with_a_sender(Severity::S1, |stand| stand.signal("cpu", "a", None));
    assert_eq!(state, PageState::Cancelled);
    assert_eq!(stand.said("msp-duty-1", Reason::Resolved), [], "nobody hears of an end without a beginning");
    stand.pass(24 * HOUR);
    assert_eq!(stand.pages.iter().filter(|row| row.page.reason == Reason::Digest).count(), 1);
    stand.replays();
}

#[test]
fn what_comes_back_unsent_while_it_is_quiet_is_said_when_it_no_longer_is() {
    let hush = |stand: &mut Stand| assert!(stand.silence(&["host=a"], 10 * MINUTE).0);
    let (mut stand, state) = while_it_is_with_a_sender(Severity::S2, hush);
    assert_eq!(state, PageState::Cancelled);
    assert_eq!(stand.said("msp-duty-1", Reason::First), []);
    stand.pass(11 * MINUTE);
    assert_eq!(stand.said("msp-duty-1", Reason::First), [Channel::Sms]);
    stand.replays();
}

#[test]
fn what_comes_back_unsent_is_not_said_beside_the_news_that_it_got_worse() {
    let worse = |stand: &mut Stand| stand.regrade("cpu", "a", Severity::S1);
    let (mut stand, state) = while_it_is_with_a_sender(Severity::S2, worse);
    assert_eq!(state, PageState::Cancelled);
    stand.pass(5 * MINUTE);
    assert_eq!(stand.said("msp-duty-1", Reason::First), []);
    assert_eq!(stand.said("msp-duty-1", Reason::Worsened), [Channel::Sms, Channel::Mail], "the next channel, too");
    stand.replays();
}

#[test]
fn a_summary_that_comes_back_unsent_no_longer_counts_what_somebody_has() {
    let mut stand = stand();
    (0..14).for_each(|n| stand.signal("cpu", &format!("h{n}"), S1));
    stand.pass(MINUTE);
    let summaries = |stand: &Stand| -> Vec<(PageState, String, String)> {
        let of = stand.pages.iter().filter(|row| row.page.reason == Reason::Digest);
        of.map(|row| (row.state, row.page.id.clone(), row.page.text.clone())).collect()
    };
    let [(_, id, text)] = &summaries(&stand)[..] else { panic!("{:?}", summaries(&stand)) };
    assert!(text.contains("INC-2611-012 등 3건"), "{text}");
    stand.hand(id);
    stand.ack("INC-2611-012", HOUR);
    stand.give_back(id);
    stand.pass(SECOND);
    let [(before, ..), (after, _, text)] = &summaries(&stand)[..] else { panic!("{:?}", summaries(&stand)) };
    assert_eq!((before, after), (&PageState::Cancelled, &PageState::Waiting));
    assert!(text.contains("INC-2611-013 등 2건"), "{text}");
    stand.replays();
}

/// Ids of pages to somebody for a reason, those that were taken back aside.
fn ids(stand: &Stand, to: &str, reason: Reason) -> Vec<String> {
    let lives = |row: &&PageRow| row.state != PageState::Cancelled && row.page.to == to && row.page.reason == reason;
    stand.pages.iter().filter(lives).map(|row| row.page.id.clone()).collect()
}

/// A silence of what is grave, approved.
fn hush(stand: &mut Stand, what: &str) {
    assert!(stand.silence(&[what], 10 * MINUTE).0);
    assert!(stand.approve("SIL-2611-001", "boss").0);
}

fn only(stand: &Stand, reason: Reason) -> String {
    let [id] = &ids(stand, "msp-duty-1", reason)[..] else { panic!("{:?}", stand.pages) };
    id.clone()
}

/// Fourteen of S1 at once; the summary of the last three is with a sender.
fn with_a_summary() -> (Stand, String) {
    let mut stand = stand();
    (0..14).for_each(|n| stand.signal("cpu", &format!("h{n}"), S1));
    stand.pass(MINUTE);
    let summary = only(&stand, Reason::Digest);
    stand.hand(&summary);
    (stand, summary)
}

#[test]
fn what_was_in_a_summary_that_came_back_is_said_when_it_is_no_longer_quiet() {
    let (mut stand, summary) = with_a_summary();
    hush(&mut stand, "host=h11");
    stand.give_back(&summary);
    stand.pass(11 * MINUTE);
    let first = stand.pages.iter().find(|row| row.page.incident == "INC-2611-012" && row.page.reason == Reason::First);
    assert_eq!(first.map(|row| (row.page.to.as_str(), row.state)), Some(("msp-duty-1", PageState::Waiting)));
    stand.replays();
}

#[test]
fn nobody_hears_the_end_of_what_was_in_a_summary_that_came_back() {
    let (mut stand, summary) = with_a_summary();
    stand.signal("cpu", "h11", None);
    stand.give_back(&summary);
    assert_eq!(ids(&stand, "msp-duty-1", Reason::Resolved), [] as [&str; 0]);
    stand.replays();
}

#[test]
fn an_end_that_comes_back_after_its_beginning_is_not_said() {
    let mut stand = stand();
    stand.signal("cpu", "a", S1);
    let first = only(&stand, Reason::First);
    stand.hand(&first);
    stand.signal("cpu", "a", None);
    let end = only(&stand, Reason::Resolved);
    stand.hand(&end);
    stand.give_back(&first);
    stand.give_back(&end);
    assert_eq!(stand.said("msp-duty-1", Reason::Resolved), []);
    stand.replays();
}

#[test]
fn what_came_back_and_left_again_has_its_end() {
    let mut stand = stand();
    stand.signal("cpu", "a", S1);
    let page = only(&stand, Reason::First);
    stand.hand(&page);
    stand.signal("cpu", "a", None);
    stand.input(Input::GivenBack { page: page.clone(), again: true });
    stand.input(Input::Handed { page });
    assert_eq!(stand.said("msp-duty-1", Reason::Resolved), [Channel::Sms]);
    stand.replays();
}

#[test]
fn whoever_knows_of_it_from_before_hears_of_the_end_though_the_second_beginning_came_back() {
    let mut stand = stand();
    stand.signal("cpu", "a", S1);
    stand.delivers = true;
    stand.settle();
    stand.delivers = false;
    stand.signal("cpu", "a", None);
    stand.signal("cpu", "a", S1);
    let again = only(&stand, Reason::Reopened);
    stand.hand(&again);
    stand.give_back(&again);
    stand.signal("cpu", "a", None);
    assert_eq!(stand.said("msp-duty-1", Reason::Resolved), [Channel::Sms]);
    stand.replays();
}

/// A page that says that it flaps waits, and it is gone at the moment.
fn flapping() -> Stand {
    let mut stand = stand();
    for _ in 0..3 {
        stand.signal("cpu", "a", S1);
        stand.signal("cpu", "a", None);
    }
    stand.signal("cpu", "a", S1);
    stand
}

#[test]
fn that_it_flaps_is_not_said_beside_a_reopening_by_hand() {
    let mut stand = flapping();
    stand.signal("cpu", "a", None);
    stand.input(Input::Reopen { incident: FIRST.to_owned(), by: "boss".to_owned() });
    assert_eq!(stand.said("msp-duty-1", Reason::Flapping), []);
    assert_eq!(stand.said("msp-duty-1", Reason::Reopened), [Channel::Sms]);
    stand.replays();
}

#[test]
fn that_it_flaps_is_said_after_a_silence_though_it_was_gone_when_that_ended() {
    let mut stand = flapping();
    let page = only(&stand, Reason::Flapping);
    stand.hand(&page);
    hush(&mut stand, "host=a");
    stand.give_back(&page);
    stand.signal("cpu", "a", None);
    stand.pass(11 * MINUTE);
    assert_eq!(stand.said("msp-duty-1", Reason::Flapping), []);
    stand.signal("cpu", "a", S1);
    assert_eq!(stand.said("msp-duty-1", Reason::Flapping), [Channel::Sms]);
    stand.replays();
}

#[test]
fn whoever_was_to_hear_of_it_before_a_silence_hears_that_it_got_worse() {
    let mut stand = stand();
    stand.signal("cpu", "a", Some(Severity::S2));
    stand.delivers = true;
    stand.settle();
    stand.delivers = false;
    stand.pass(5 * MINUTE);
    let second = ids(&stand, "csp-duty", Reason::Escalated);
    assert_eq!(second.len(), 2, "by SMS and mail");
    second.iter().for_each(|id| stand.hand(id));
    stand.outcome(&second[0], Outcome::Accepted { id: "g".to_owned() });
    assert!(stand.silence(&["host=a"], 10 * MINUTE).0);
    stand.give_back(&second[1]);
    stand.regrade("cpu", "a", Severity::S1);
    stand.pass(11 * MINUTE);
    let mut channels = stand.said("csp-duty", Reason::Worsened);
    channels.sort();
    assert_eq!(channels, [Channel::Sms, Channel::Mail]);
    stand.replays();
}

#[test]
fn that_it_comes_and_goes_is_told_though_it_is_gone_when_a_page_can_leave() {
    let mut stand = flapping();
    let page = only(&stand, Reason::Flapping);
    stand.hand(&page);
    stand.signal("cpu", "a", None);
    stand.give_back(&page);
    stand.signal("cpu", "a", S1);
    stand.signal("cpu", "a", None);
    assert_eq!(stand.said("msp-duty-1", Reason::Flapping), [Channel::Sms]);
    stand.delivers = true;
    stand.settle();
    stand.pass(HOUR);
    assert_eq!(stand.said("msp-duty-1", Reason::Resolved), [Channel::Sms], "whoever heard of it hears of its end");
    stand.replays();
}

#[test]
fn that_it_flaps_is_not_said_of_what_somebody_took_before_it_was_gone() {
    let mut stand = flapping();
    let page = only(&stand, Reason::Flapping);
    stand.hand(&page);
    stand.ack(FIRST, HOUR);
    stand.signal("cpu", "a", None);
    stand.give_back(&page);
    assert_eq!(stand.said("msp-duty-1", Reason::Flapping), []);
    stand.replays();
}

/// Over the cap it is a member of a fold, and gone, and back in another occurrence, before there is room again.
#[test]
fn that_it_flaps_is_told_though_it_waited_for_room() {
    for is_gone in [true, false] {
        let mut stand = stand();
        stand.delivers = true;
        for n in 1..=30 {
            stand.signal("cpu", &format!("h{n}"), Some(Severity::S2));
            stand.ack(&format!("INC-2611-{n:03}"), 3 * HOUR);
        }
        stand.pass(50 * MINUTE);
        for _ in 0..3 {
            stand.signal("cpu", "a", Some(Severity::S2));
            stand.signal("cpu", "a", None);
        }
        stand.signal("cpu", "a", Some(Severity::S2));
        stand.signal("cpu", "a", None);
        if !is_gone {
            stand.signal("cpu", "a", Some(Severity::S2));
        }
        stand.pass(11 * MINUTE);
        let told = |row: &&PageRow| row.page.to == "msp-duty-1" && row.page.incident == "INC-2611-031";
        let reasons: Vec<Reason> = stand.pages.iter().filter(told).map(|row| row.page.reason).collect();
        assert!(reasons.contains(&Reason::Flapping), "gone: {is_gone}: {reasons:?}");
        stand.replays();
    }
}

#[test]
fn what_comes_back_unsent_once_its_incident_is_closed_is_not_sent() {
    let close = |stand: &mut Stand| {
        stand.signal("cpu", "a", None);
        stand.pass(31 * MINUTE);
        assert_eq!(stand.incident(FIRST).state, IncidentState::Closed);
    };
    let (stand, state) = while_it_is_with_a_sender(Severity::S2, close);
    assert_eq!(state, PageState::Cancelled);
    stand.replays();
}

#[test]
fn a_warning_from_before_the_ack_that_comes_back_is_taken_back_as_the_ack_would_have() {
    let mut stand = stand();
    stand.delivers = true;
    stand.signal("cpu", "a", S1);
    stand.pass(58 * MINUTE);
    stand.delivers = false;
    stand.pass(MINUTE);
    let Some(warning) = stand.pages.iter().find(|row| row.page.reason == Reason::Sla).map(|row| row.page.id.clone())
    else {
        panic!("{:?}", stand.pages.iter().map(|row| row.page.reason).collect::<Vec<_>>())
    };
    stand.hand(&warning);
    stand.pass(SECOND);
    stand.ack(FIRST, HOUR);
    stand.give_back(&warning);
    let row = stand.pages.iter().find(|row| row.page.id == warning);
    assert_eq!(row.map(|row| row.state), Some(PageState::Cancelled));
    stand.replays();
}
