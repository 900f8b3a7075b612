//! Scenes about service levels: clocks, warnings, months, the duty to tell customers.

use super::stand::{Stand, T0, people, rule, world};
use super::*;
use crate::model::*;
use crate::time::{DAY, HOUR, MINUTE};

const S1: Option<Severity> = Some(Severity::S1);
const S2: Option<Severity> = Some(Severity::S2);
const S3: Option<Severity> = Some(Severity::S3);
const FIRST: &str = "INC-2611-001";

/// `db-01` and `db-02` carry the contracted service `dispatch`.
pub(super) fn contracted() -> World {
    let resource = |id: &str| Resource {
        id: id.to_owned(),
        service: Some("dispatch".to_owned()),
        contracted: true,
        ..Resource::default()
    };
    let rules = RuleSet { hash: "1".to_owned(), rules: vec![rule("cpu", "CPU 사용률 과다")], groups: Vec::new() };
    let resources = ["db-01", "db-02"].map(|id| (id.to_owned(), resource(id)));
    World::new(rules, people(), Inventory { resources: resources.into_iter().collect() })
}

fn warnings(stand: &Stand, since: Ms) -> Vec<(i64, String, &'static str)> {
    let rows = stand.pages.iter().filter(|row| row.page.reason == Reason::Sla && row.page.decided >= since);
    rows.map(|row| ((row.page.decided - T0) / MINUTE, row.page.to.clone(), row.page.channel.word())).collect()
}

fn warned_at(stand: &Stand) -> Vec<i64> {
    let mut at: Vec<i64> = warnings(stand, 0).into_iter().map(|(at, ..)| at).collect();
    at.dedup();
    at
}

#[test]
fn shares_of_the_time_to_recover_are_warned_of_once_even_while_somebody_has_it() {
    let mut stand = Stand::new();
    stand.signal("cpu", "web-01", S1);
    assert!(stand.ack(FIRST, DAY).0);
    stand.pass(3 * HOUR);
    // It occurred a minute before it was detected: 60, 90 and 108 minutes from then.
    assert_eq!(warned_at(&stand), [59, 89, 107]);
    assert_eq!(stand.n_changes(Change::RecoverOverdue), 1);
    let clocks = stand.incident(FIRST).sla.clone().expect("clocks");
    assert_eq!((clocks.terms.as_str(), clocks.warned, clocks.missed), ("1등급", 90, vec![SlaClock::Recover]));
    assert_eq!(clocks.recover_by, Some(T0 - MINUTE + 2 * HOUR));
}

#[test]
fn a_warning_goes_to_those_told_and_to_the_next_step_and_leaves_the_chain_alone() {
    let mut people = people();
    people.chains[0].steps[0].wait = DAY;
    let mut slow = Stand::with(World::new(world().rules, people, Inventory::default()));
    slow.signal("cpu", "web-01", S2);
    let due = slow.leader.chain_due(FIRST);
    slow.pass(59 * MINUTE);
    let told =
        [(59, "msp-duty-1".to_owned(), "sms"), (59, "csp-duty".to_owned(), "sms"), (59, "csp-duty".to_owned(), "mail")];
    assert_eq!(warnings(&slow, 0), told);
    assert_eq!(slow.leader.chain_due(FIRST), due, "the chain goes on at its own time");
    slow.signal("cpu", "web-01", None);
    let ends: Vec<_> = slow.heard(slow.now).into_iter().filter(|(.., reason)| *reason == "resolved").collect();
    assert_eq!(ends.len(), 3, "whoever heard of the risk hears of the end: {ends:?}");
    let text = &slow.pages.iter().find(|row| row.page.reason == Reason::Sla).expect("a warning").page.text;
    assert_eq!(text, "[긴급신고][SLA 50%]INC-2611-001 보통/인프라 10:59까지 복구 CPU 사용률 과다 코드<0000>");
}

#[test]
fn nobody_is_warned_below_s2_nor_after_the_end() {
    let mut stand = Stand::new();
    stand.signal("cpu", "a", S3);
    stand.pass(4 * HOUR);
    assert_eq!(warned_at(&stand), [0_i64; 0]);
    let mut stand = Stand::new();
    stand.signal("cpu", "a", S1);
    stand.pass(58 * MINUTE);
    stand.signal("cpu", "a", None);
    stand.pass(4 * HOUR);
    assert_eq!(warned_at(&stand), [0_i64; 0]);
    assert_eq!(stand.n_changes(Change::RecoverOverdue), 0);
}

#[test]
fn ack_within_runs_from_the_first_accepted_page() {
    let mut stand = Stand::new();
    stand.delivers = false;
    stand.signal("cpu", "a", S2);
    stand.pass(2 * MINUTE);
    let id = stand.pages[0].page.id.clone();
    stand.hand(&id);
    stand.outcome(&id, Outcome::Accepted { id: String::new() });
    let clocks = |stand: &Stand| stand.incident(FIRST).sla.clone().expect("clocks");
    assert_eq!(clocks(&stand).ack_by, Some(T0 + 12 * MINUTE));
    stand.delivers = true;
    stand.settle();
    stand.until(T0 + 12 * MINUTE - 1);
    assert_eq!(stand.n_changes(Change::AckOverdue), 0);
    stand.until(T0 + 13 * MINUTE);
    assert_eq!(stand.n_changes(Change::AckOverdue), 1);
    stand.ack(FIRST, DAY);
    assert_eq!((clocks(&stand).ack_by, clocks(&stand).acked), (None, Some(stand.now)));
    assert_eq!(clocks(&stand).missed, [SlaClock::Ack]);
    stand.pass(HOUR / 2);
    assert_eq!(stand.n_changes(Change::AckOverdue), 1, "once");
}

#[test]
fn the_month_is_tighter_than_the_incident_and_each_share_is_told_once() {
    let mut stand = Stand::with(contracted());
    stand.signal("cpu", "db-01", S1);
    stand.ack(FIRST, DAY);
    stand.pass(10 * MINUTE);
    stand.signal("cpu", "db-02", S1);
    stand.pass(2 * HOUR);
    // November has 34.56 minutes; it occurred a minute early: 17.28, 25.92, 31.1, 34.56 minutes from then.
    assert_eq!(warned_at(&stand), [16, 24, 30, 69, 99, 117], "the second incident's own clock goes on");
    let first = stand.incident(FIRST).sla.clone().expect("clocks");
    assert_eq!((first.warned, first.missed), (90, vec![SlaClock::Month, SlaClock::Recover]));
    assert_eq!(stand.n_changes(Change::BudgetSpent), 1);
    let text = &stand.pages.iter().find(|row| row.page.reason == Reason::Sla).expect("a warning").page.text;
    assert_eq!(text, "[긴급신고][SLA 50%]INC-2611-001 중대/인프라 월 장애허용 잔여 17분 CPU 사용률 과다");
}

#[test]
fn an_s1_that_eases_ends_the_outage_and_one_that_worsens_begins_one() {
    let mut stand = Stand::with(contracted());
    stand.signal("cpu", "db-01", S2);
    let down = |stand: &Stand| stand.incident(FIRST).sla.as_ref().and_then(|clocks| clocks.down_since);
    assert_eq!(down(&stand), None);
    stand.pass(20 * MINUTE);
    stand.regrade("cpu", "db-01", Severity::S1);
    assert_eq!(down(&stand), Some(T0 + 20 * MINUTE));
    stand.pass(7 * MINUTE);
    stand.regrade("cpu", "db-01", Severity::S2);
    assert_eq!(down(&stand), None);
    let note = stand.rows.notes.iter().find(|(key, _)| key == "incident/sla/dispatch").expect("a note");
    let over = format!("\"over\":[[{},{}]]", T0 + 20 * MINUTE, T0 + 27 * MINUTE);
    assert!(note.1.contains(&over), "{}", note.1);
}

#[test]
fn planned_maintenance_is_no_outage() {
    let window = Window {
        id: "patch".to_owned(),
        matchers: Vec::new(),
        once: vec![(T0 - HOUR, T0 + 20 * MINUTE)],
        times: Vec::new(),
        reason: "정기점검".to_owned(),
        who: "msp-duty-1".to_owned(),
    };
    let muting = Muting { windows: vec![window], ..Muting::default() };
    let mut stand = Stand::with(contracted().muted_by(&muting));
    stand.signal("cpu", "db-01", S1);
    let down = |stand: &Stand| stand.incident(FIRST).sla.as_ref().and_then(|clocks| clocks.down_since);
    assert_eq!(down(&stand), None);
    stand.pass(30 * MINUTE);
    assert_eq!(down(&stand), Some(T0 + 20 * MINUTE), "what goes on after the window is one");
}

#[test]
fn ten_minutes_of_outage_are_an_incident_of_the_role_that_must_tell_the_customers() {
    let mut people = people();
    let notice = Chain {
        id: "notice".to_owned(),
        matchers: Vec::new(),
        default: false,
        steps: vec![Step {
            to: vec![Target::Contact("boss".to_owned())],
            by: vec![Channel::Sms],
            wait: DAY,
            when: None,
        }],
        ..people.chains[0].clone()
    };
    people.chains.push(notice);
    people.sla.outage.chain = Some("notice".to_owned());
    let base = contracted();
    let mut stand = Stand::with(World::new(base.rules.clone(), people, base.inventory.clone()));
    stand.signal("cpu", "db-01", S1);
    stand.ack(FIRST, DAY);
    stand.until(T0 + 9 * MINUTE);
    assert_eq!(stand.heard(stand.now), [("boss".to_owned(), "sms", "first")], "ten minutes after it occurred");
    let own = stand.incident("INC-2611-002");
    assert_eq!((own.rule.as_ref(), own.labels.get("service")), ("outage-notice", Some("dispatch")));
    assert_eq!(own.sla.as_ref().and_then(|clocks| clocks.recover_by), None, "it is no outage itself");
    stand.pass(5 * MINUTE);
    stand.signal("cpu", "db-02", S1);
    stand.pass(5 * MINUTE);
    let opened = stand.n_changes(Change::Opened);
    assert_eq!(opened, 3, "once for the outage of the service");
    stand.signal("cpu", "db-01", None);
    stand.signal("cpu", "db-02", None);
    stand.pass(1);
    assert_eq!(stand.incident("INC-2611-002").state, IncidentState::Resolved);
}

#[test]
fn clocks_and_months_outlive_a_change_of_leaders_and_the_ledger_gives_them_again() {
    let story = |is_crashing: bool| {
        let mut stand = Stand::with(contracted());
        stand.is_crashing = is_crashing;
        stand.signal("cpu", "db-01", S1);
        stand.ack(FIRST, 2 * HOUR);
        stand.pass(30 * MINUTE);
        stand.signal("cpu", "db-02", S2);
        stand.regrade("cpu", "db-02", Severity::S1);
        stand.pass(3 * HOUR);
        stand.signal("cpu", "db-01", None);
        stand.signal("cpu", "db-02", None);
        stand.pass(10 * MINUTE);
        stand.signal("cpu", "db-01", S1);
        stand.pass(HOUR);
        stand
    };
    let (calm, crashing) = (story(false), story(true));
    assert_eq!(calm.entries, crashing.entries, "the same decisions whoever leads");
    assert!(calm.n_changes(Change::SlaWarned) > 5);
    let empty = BookRows { epoch: 1, ..BookRows::default() };
    let mut again = Leader::load(&empty, Arc::new(contracted()));
    again.replay(&calm.entries, |_| None).expect("byte for byte");
}
