//! What the incident stage means, one scene per promise, each run on the test stand.

use super::stand::*;
use super::*;
use crate::model::*;
use crate::time::{DAY, HOUR, MINUTE, SECOND};

pub(super) const S1: Option<Severity> = Some(Severity::S1);
pub(super) const S2: Option<Severity> = Some(Severity::S2);
pub(super) const S3: Option<Severity> = Some(Severity::S3);
const FIRST: &str = "INC-2611-001";

pub(super) fn page(to: &str, channel: &'static str, reason: &'static str) -> (String, &'static str, &'static str) {
    (to.to_owned(), channel, reason)
}

#[test]
fn one_incident_per_fingerprint_and_the_number_is_of_the_month_in_korea() {
    let mut stand = Stand::new();
    stand.now = T0 + 6 * DAY + 15 * HOUR; // midnight in Korea, still November in Greenwich
    stand.signal("cpu", "db-01", S1);
    stand.signal("cpu", "db-01", S1);
    stand.signal("cpu", "db-02", S1);
    let ids: Vec<_> = stand.rows.incidents.iter().map(|it| it.id.clone()).collect();
    assert_eq!(ids, ["INC-2612-001", "INC-2612-002"].map(String::from));
    assert_eq!(stand.heard(0).len(), 2, "a second firing is not news");
}

#[test]
fn the_chain_climbs_until_somebody_takes_it() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", S1);
    assert_eq!(stand.heard(T0), [page("msp-duty-1", "sms", "first")]);
    stand.pass(5 * MINUTE);
    let second = [page("csp-duty", "sms", "escalated"), page("csp-duty", "mail", "escalated")];
    assert_eq!(stand.heard(T0 + 1), second, "AP/duty is not of this 구간");
    stand.pass(5 * MINUTE);
    assert_eq!(stand.heard(T0 + 10 * MINUTE).len(), 4, "the last group, two people on two channels");
    stand.pass(20 * MINUTE);
    let repeats = stand.heard(T0 + 11 * MINUTE);
    assert_eq!(repeats.len(), 8);
    assert!(repeats.iter().all(|(_, _, reason)| *reason == "repeat"));
    assert_eq!(
        stand.ack(FIRST, HOUR),
        (true, format!("{FIRST} 수신확인했습니다(담당 msp-duty-1, 2026-11-24T10:30:00+09:00까지)."))
    );
    stand.pass(59 * MINUTE);
    assert_eq!(stand.heard(T0 + 31 * MINUTE), [], "taken");
    stand.pass(MINUTE);
    assert_eq!(stand.n_changes(Change::Unacked), 1, "the ack runs out");
    assert_eq!(stand.heard(T0 + 90 * MINUTE).len(), 4, "and the chain goes on where it stood");
}

#[test]
fn those_told_of_the_beginning_and_only_they_hear_of_the_end() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", S2);
    stand.pass(6 * MINUTE);
    stand.signal("cpu", "db-01", None);
    let end = [
        page("msp-duty-1", "sms", "resolved"),
        page("csp-duty", "sms", "resolved"),
        page("csp-duty", "mail", "resolved"),
    ];
    assert_eq!(stand.heard(T0 + 6 * MINUTE), end);
    stand.pass(DAY);
    assert_eq!(stand.heard(T0 + 7 * MINUTE), [], "closed and quiet");
    assert_eq!(stand.incident(FIRST).state, IncidentState::Closed);
}

#[test]
fn what_has_not_left_when_it_is_taken_or_over_never_leaves() {
    let mut stand = Stand::new();
    stand.delivers = false;
    stand.signal("cpu", "db-01", S1);
    stand.signal("cpu", "db-02", S1);
    assert!(stand.ack(FIRST, HOUR).0);
    stand.signal("cpu", "db-02", None);
    let whys: Vec<_> = stand.pages.iter().map(|row| (row.state, row.detail.as_str())).collect();
    assert_eq!(whys, [(PageState::Cancelled, "acked"), (PageState::Cancelled, "resolved")]);
}

#[test]
fn a_page_decided_and_taken_back_in_one_transaction_was_never_there() {
    let mut stand = Stand::new();
    let key = |seq| SignalKey { topic: "t".to_owned(), partition: 0, seq };
    let taken = [signal("cpu", "a", S1, T0), signal("cpu", "a", None, T0)];
    let inputs = taken.into_iter().zip(1..).map(|(signal, seq)| Taken {
        row: None,
        input: Input::Signal { key: key(seq), signal, heard: 1, caught_up: true, came: None },
    });
    let commit = stand.take(&inputs.collect::<Vec<_>>());
    assert_eq!((commit.pages.len(), commit.cancels.len()), (0, 0));
    assert_eq!(commit.incidents.len(), 1, "the incident is written once, as it ended");
    assert!(commit.entries[0].json.contains("\"pages\""), "the ledger keeps the decision");
}

#[test]
fn a_worsening_wakes_all_told_and_takes_the_ack_away() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", S3);
    stand.pass(6 * MINUTE);
    assert!(stand.ack(FIRST, DAY).0);
    stand.regrade("cpu", "db-01", Severity::S2);
    let now = stand.now;
    let told = [
        page("msp-duty-1", "sms", "worsened"),
        page("csp-duty", "sms", "worsened"),
        page("csp-duty", "mail", "worsened"),
    ];
    assert_eq!(stand.heard(now), told);
    assert_eq!(stand.incident(FIRST).state, IncidentState::Open);
    stand.pass(5 * MINUTE);
    assert_eq!(stand.heard(now + 1).len(), 2, "from step 0 again: the second step five minutes later");
    stand.regrade("cpu", "db-01", Severity::S3);
    assert_eq!(stand.heard(now + 5 * MINUTE + 1), [], "it falls quietly");
    assert_eq!(stand.incident(FIRST).severity, Severity::S3);
}

#[test]
fn a_worsening_that_nobody_took_lets_the_chain_go_on() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", S2);
    stand.pass(MINUTE);
    stand.regrade("cpu", "db-01", Severity::S1);
    assert_eq!(stand.heard(T0 + 1), [page("msp-duty-1", "sms", "worsened")]);
    stand.pass(4 * MINUTE);
    assert_eq!(stand.heard(T0 + 5 * MINUTE).len(), 2, "five minutes after the first step, as planned");
}

#[test]
fn an_end_and_a_return_within_half_an_hour_are_one_incident() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", S2);
    stand.pass(MINUTE);
    stand.signal("cpu", "db-01", None);
    stand.pass(30 * MINUTE - 1);
    stand.signal("cpu", "db-01", S2);
    let now = stand.now;
    assert_eq!(stand.heard(now), [page("msp-duty-1", "sms", "reopened")]);
    assert_eq!((stand.rows.incidents.len(), stand.incident(FIRST).occurrence), (1, 2));
    stand.pass(MINUTE);
    stand.signal("cpu", "db-01", None);
    stand.pass(30 * MINUTE);
    stand.signal("cpu", "db-01", S2);
    assert_eq!(stand.rows.incidents.len(), 2, "later it is another one");
}

#[test]
fn a_flapping_incident_says_so_once_and_is_quiet_until_calm() {
    let mut stand = Stand::new();
    for _ in 0..3 {
        stand.signal("cpu", "db-01", S2);
        stand.pass(2 * MINUTE);
        stand.signal("cpu", "db-01", None);
        stand.pass(2 * MINUTE);
    }
    stand.signal("cpu", "db-01", S2);
    let now = stand.now;
    assert_eq!(stand.heard(now), [page("msp-duty-1", "sms", "flapping")]);
    for _ in 0..4 {
        stand.pass(2 * MINUTE);
        stand.signal("cpu", "db-01", None);
        stand.pass(2 * MINUTE);
        stand.signal("cpu", "db-01", S2);
    }
    assert_eq!(stand.heard(now + 1), [], "quiet");
    stand.regrade("cpu", "db-01", Severity::S1);
    assert_eq!(stand.heard(now + 1), [page("msp-duty-1", "sms", "worsened")], "a first S1 page is never delayed");
    stand.signal("cpu", "db-01", None);
    let over = stand.now;
    stand.pass(30 * MINUTE);
    assert_eq!(stand.heard(over), [page("msp-duty-1", "sms", "worsened"), page("msp-duty-1", "sms", "resolved")]);
    assert_eq!(stand.incident(FIRST).state, IncidentState::Closed);
}

#[test]
fn an_incident_that_stays_bad_after_flapping_goes_up_the_chain() {
    let mut stand = Stand::new();
    for _ in 0..3 {
        stand.signal("cpu", "db-01", S1);
        stand.signal("cpu", "db-01", None);
    }
    stand.signal("cpu", "db-01", S1);
    stand.pass(30 * MINUTE);
    assert_eq!(stand.heard(T0 + 1), [page("msp-duty-1", "sms", "escalated")]);
    stand.pass(5 * MINUTE);
    assert_eq!(stand.heard(T0 + 35 * MINUTE).len(), 2);
}

#[test]
fn what_happened_while_the_reader_was_behind_pages_when_it_caught_up() {
    let mut stand = Stand::new();
    let past = T0 - 10 * MINUTE;
    stand.signals(vec![signal("cpu", "a", S1, past), signal("cpu", "b", S1, past)], 9, false);
    stand.signals(vec![signal("cpu", "b", None, past + MINUTE)], 9, false);
    assert_eq!(stand.heard(0), [], "held");
    assert_eq!(stand.incident(FIRST).detected, past, "opened at its true time");
    stand.pass(10 * SECOND);
    stand.input(Input::CaughtUp { topic: "t".to_owned(), partition: 0 });
    assert_eq!(stand.heard(0), [page("msp-duty-1", "sms", "first")]);
    stand.ack(FIRST, DAY);
    stand.until(T0 + DAY);
    let digest: Vec<_> = stand.pages.iter().filter(|row| row.page.reason == Reason::Digest).collect();
    assert_eq!(digest.len(), 1, "what came and went is one line");
    assert_eq!(digest[0].page.text, "[긴급신고][일일요약]11.25(수) 장애 1건(복구 1건, 미복구 0건). 관제콘솔 확인요망");
}

#[test]
fn a_reader_that_stays_behind_holds_pages_for_a_minute_only() {
    let mut stand = Stand::new();
    stand.signals(vec![signal("cpu", "a", S1, T0 - 2 * MINUTE)], 9, false);
    stand.pass(MINUTE);
    assert_eq!(stand.heard(0), [page("msp-duty-1", "sms", "first")]);
    assert_eq!(stand.pages[0].page.decided, T0 + MINUTE);
}

#[test]
fn nobody_told_in_time_is_a_change_that_the_ledger_keeps() {
    let mut stand = Stand::new();
    stand.delivers = false;
    stand.signal("cpu", "a", S1);
    stand.pass(59 * SECOND);
    assert_eq!(stand.n_changes(Change::Overdue), 0);
    stand.pass(2 * SECOND);
    assert_eq!(stand.n_changes(Change::Overdue), 1);
    stand.pass(2 * MINUTE);
    assert_eq!(stand.n_changes(Change::Overdue), 1, "once");
}

#[test]
fn the_first_accepted_page_stops_the_clock() {
    let mut stand = Stand::new();
    stand.signal("cpu", "a", S1);
    assert_eq!(stand.incident(FIRST).notified, Some(T0));
    stand.pass(HOUR);
    assert_eq!(stand.n_changes(Change::Overdue), 0);
}

#[test]
fn an_unreachable_step_hands_over_to_the_next_at_once() {
    let mut people = people();
    people.contacts[0].email = None;
    let rules = world().rules;
    let mut stand = Stand::with(World::new(rules, people, Inventory::default()));
    stand.delivers = false;
    stand.signal("cpu", "a", S1);
    let first = stand.pages[0].page.id.clone();
    stand.hand(&first);
    stand.outcome(&first, Outcome::Failed { reason: "recipient".to_owned() });
    assert_eq!(stand.heard(0).len(), 3, "the second step speaks five minutes early: {:?}", stand.heard(0));
    stand.signal("cpu", "a", None);
    let told_of_end = stand.pages.iter().filter(|row| row.page.reason == Reason::Resolved).count();
    assert_eq!(told_of_end, 0, "whoever was not told of the beginning does not hear of the end");
}

#[test]
fn a_dead_phone_is_followed_by_mail_to_the_same_person() {
    let mut stand = Stand::new();
    stand.delivers = false;
    stand.signal("cpu", "a", S1);
    let first = stand.pages[0].page.id.clone();
    stand.hand(&first);
    stand.outcome(&first, Outcome::Failed { reason: "recipient".to_owned() });
    assert_eq!(stand.heard(0), [page("msp-duty-1", "sms", "first"), page("msp-duty-1", "mail", "first")]);
}

#[test]
fn an_empty_step_is_passed_at_once_and_the_last_group_never_is_empty() {
    let mut world_people = people();
    world_people.contacts.retain(|contact| contact.id == "ap-duty");
    let mut stand = Stand::with(World::new(world().rules, world_people, Inventory::default()));
    stand.signal("cpu", "a", S1);
    assert_eq!(
        stand.heard(0),
        [page("ap-duty", "sms", "first"), page("ap-duty", "mail", "first")],
        "a duty contact of another 구간 is better than nobody"
    );
}

#[test]
fn an_empty_step_is_kept_until_it_finds_somebody_or_its_incident_is_closed() {
    let mut people = people();
    let all = people.contacts.clone();
    people.contacts.retain(|contact| contact.org != "MSP" || contact.id == "boss");
    let mut stand = Stand::with(World::new(world().rules, people, Inventory::default()));
    stand.is_crashing = true;
    let kept = |stand: &Stand| {
        let prefix = crate::page::empty_notes();
        let notes = stand.rows.notes.iter().filter_map(|(key, text)| Some((key.strip_prefix(&prefix)?, text)));
        notes.map(|(id, text)| (id.to_owned(), crate::page::empty_steps(text).expect("it reads"))).collect::<Vec<_>>()
    };
    stand.signal("cpu", "a", S1);
    let steps = kept(&stand);
    assert_eq!((steps.len(), steps[0].0.as_str(), steps[0].1.len()), (1, FIRST, 1), "{steps:?}");
    let empty = &steps[0].1[0];
    assert_eq!((empty.step, empty.is_last, empty.to.as_slice()), (0, false, ["MSP/duty".to_owned()].as_slice()));
    stand.pass(HOUR);
    assert_eq!(kept(&stand), steps, "a chain that goes round says it once");
    let mut filled = (*stand.world.people).clone();
    filled.contacts = all;
    stand.world = Arc::new(World { hash: "2".to_owned(), ..World::new(world().rules, filled, Inventory::default()) });
    stand.crash();
    stand.signal("cpu", "a", None);
    stand.pass(MINUTE);
    stand.signal("cpu", "a", S1);
    assert_eq!(kept(&stand), [], "somebody is behind it now");

    let mut people = (*stand.world.people).clone();
    people.contacts.retain(|contact| contact.id == "ap-duty");
    let mut stand = Stand::with(World::new(world().rules, people, Inventory::default()));
    stand.signal("cpu", "a", S1);
    stand.pass(HOUR);
    let last = kept(&stand)[0].1.iter().find(|step| step.is_last).cloned();
    assert!(last.is_some(), "nor is anybody of the last group there, and others were told");
    stand.replays();
    stand.signal("cpu", "a", None);
    stand.pass(HOUR);
    assert_eq!(kept(&stand), [], "closed");
}

#[test]
fn a_contact_whose_time_is_over_is_not_told() {
    let mut people = people();
    people.contacts[0].until = Some(T0);
    let mut stand = Stand::with(World::new(world().rules, people, Inventory::default()));
    stand.signal("cpu", "a", S1);
    assert!(stand.heard(0).iter().all(|(to, ..)| to != "msp-duty-1"));
}

#[test]
fn s3_stops_at_its_step_and_s1_never_stops() {
    let mut people = people();
    people.chains[0].severities[0].upto = Some(0);
    let mut stand = Stand::with(World::new(world().rules, people, Inventory::default()));
    stand.signal("cpu", "mild", S3);
    stand.pass(DAY);
    assert_eq!(stand.heard(0).len(), 3, "steps 0 and 1, then silence: {:?}", stand.heard(0));
    let now = stand.now;
    stand.signal("cpu", "bad", S1);
    stand.pass(HOUR);
    let steps = stand.heard(now).into_iter().filter(|(.., reason)| *reason != "sla").count();
    assert_eq!(steps, 7, "step 0 again every ten minutes");
}

#[test]
fn people_get_one_plain_sentence_and_a_refusal_where_nothing_was_done() {
    let mut stand = Stand::new();
    let by = || "boss".to_owned();
    let id = || FIRST.to_owned();
    assert!(!stand.ack("INC-2611-009", HOUR).0, "unknown");
    stand.signal("cpu", "a", S2);
    assert!(!stand.input(Input::Unack { incident: id(), by: by() }).0, "not taken");
    assert!(!stand.input(Input::Reopen { incident: id(), by: by() }).0, "not over");
    assert!(stand.ack(FIRST, HOUR).0);
    assert!(!stand.ack(FIRST, HOUR).0, "already so");
    assert!(stand.ack(FIRST, 2 * HOUR).0, "longer");
    let other = Input::Ack { incident: id(), by: by(), note: String::new(), hold: DAY };
    assert_eq!(
        stand.input(other),
        (false, format!("{FIRST} 이미 수신확인되었습니다(담당 msp-duty-1). 담당을 바꾸려면 인수인계하십시오."))
    );
    assert!(stand.input(Input::Unack { incident: id(), by: by() }).0);
    assert!(stand.input(Input::Resolve { incident: id(), by: by(), note: String::new() }).0);
    assert!(!stand.ack(FIRST, HOUR).0, "over");
    assert!(stand.input(Input::Reopen { incident: id(), by: by() }).0);
    assert_eq!(stand.incident(FIRST).state, IncidentState::Open);
}

#[test]
fn a_persons_resolve_stands_until_it_gets_worse_or_fires_anew() {
    let mut stand = Stand::new();
    stand.signal("cpu", "a", S2);
    stand.input(Input::Resolve { incident: FIRST.to_owned(), by: "boss".to_owned(), note: String::new() });
    stand.pass(HOUR);
    let still = Signal { to: State::Firing, from: State::Firing, ..signal("cpu", "a", S2, stand.now) };
    stand.raw(still.clone());
    stand.raw(Signal { to: State::Recovering, ..still.clone() });
    assert_eq!(stand.rows.incidents.len(), 1, "it fires on as the person saw it");
    stand.raw(Signal { severity: S1, at: stand.now, ..still });
    assert_eq!(stand.rows.incidents.len(), 2, "worse than they saw");
}

#[test]
fn a_gone_rule_still_opens_and_ends_under_its_id() {
    let mut stand = Stand::new();
    stand.signal("long-gone", "a", S2);
    assert_eq!(stand.incident(FIRST).title, "long-gone");
    stand.signal("long-gone", "a", None);
    assert_eq!(stand.incident(FIRST).state, IncidentState::Resolved);
}

#[test]
fn a_title_that_must_not_leave_is_replaced_and_the_page_still_leaves() {
    let mut world = world();
    world.rules.rules = vec![rule("cpu", "db-01 과부하 10.0.0.1")];
    let mut stand = Stand::with(World::new(world.rules, people(), world.inventory));
    stand.signal("cpu", "db-01", S1);
    assert_eq!(
        stand.pages[0].page.text,
        "[긴급신고][장애발생]INC-2611-001 중대/인프라 09:00 이상 감지. 확인요망 코드<0000>"
    );
}

#[test]
fn whoever_missed_the_end_hears_of_the_next_one() {
    let mut stand = Stand::new();
    stand.signal("cpu", "a", S2);
    stand.pass(6 * MINUTE);
    stand.delivers = false;
    stand.signal("cpu", "a", None);
    stand.signal("cpu", "a", S2);
    assert!(stand.pages.iter().all(|row| row.page.reason != Reason::Resolved || row.state == PageState::Cancelled));
    stand.delivers = true;
    stand.settle();
    let now = stand.now;
    stand.pass(1);
    stand.signal("cpu", "a", None);
    let ends = stand.heard(now + 1);
    assert_eq!(ends.len(), 3, "the first step, told again, and the second, told only before: {ends:?}");
}

#[test]
fn the_ledger_alone_gives_the_same_incidents_and_texts() {
    let mut stand = Stand::new();
    stand.is_crashing = true;
    let flood = (0..24).map(|n| signal("cpu", &format!("h{n}"), if n % 2 == 0 { S1 } else { S3 }, T0)).collect();
    stand.signals(flood, 900, true);
    stand.pass(20 * MINUTE);
    stand.ack(FIRST, HOUR);
    stand.signal("cpu", "h3", None);
    stand.pass(HOUR);
    let mut again = Leader::load(&BookRows { epoch: 7, ..BookRows::default() }, stand.world.clone());
    let views = again.replay(&stand.entries, |_| None).expect("the same bytes");
    let texts: std::collections::BTreeSet<_> = views
        .iter()
        .flat_map(|view| &view.pages)
        .collect::<Vec<_>>()
        .into_iter()
        .map(|page| (page.id.clone(), page.text.clone()))
        .collect();
    assert!(stand.pages.iter().all(|row| texts.contains(&(row.page.id.clone(), row.page.text.clone()))));
    let mut entries = stand.entries.clone();
    entries[3].at += 1;
    let mut other = Leader::load(&BookRows::default(), stand.world.clone());
    assert_eq!(other.replay(&entries, |_| None).expect_err("a changed entry").input_no, 4);
}
