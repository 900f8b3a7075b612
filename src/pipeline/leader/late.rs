//! Scenes about deadlines that drive: a channel that is too slow, and timers that were lost.

use super::World;
use super::stand::{Stand, T0};
use crate::model::*;
use crate::time::{HOUR, MINUTE, Ms, SECOND};

const S1: Option<Severity> = Some(Severity::S1);
const FIRST: &str = "INC-2611-001";

fn swept(stand: &mut Stand, kind: OverdueKind, due: Ms) {
    stand.input(Input::Swept(Overdue { kind, id: FIRST.to_owned(), due }));
}

/// What the sweeper would find in the rows.
fn overdue(stand: &Stand) -> Vec<Overdue> {
    let rows = &stand.rows;
    let chain = |id: &str| rows.chains.iter().find(|chain| chain.incident == id);
    let of = |incident: &Incident| Overdue::of(incident, chain(&incident.id), stand.now - 30 * SECOND);
    rows.incidents.iter().flat_map(of).collect()
}

#[test]
fn a_step_whose_timer_was_lost_is_found_in_the_rows_and_taken() {
    let mut stand = Stand::new();
    stand.signal("cpu", "a", S1);
    stand.leader.desk.lose_timers();
    // Nothing rings, as after a bug; the clock goes on.
    stand.now = T0 + 5 * MINUTE + 31 * SECOND;
    assert_eq!(stand.leader.next_due().filter(|due| *due <= T0 + 5 * MINUTE), Some(T0 + 5 * MINUTE), "its ack clock");
    let late = overdue(&stand);
    assert_eq!(late, [Overdue { kind: OverdueKind::Chain, id: FIRST.to_owned(), due: T0 + 5 * MINUTE }]);
    swept(&mut stand, late[0].kind, late[0].due);
    let now = stand.now;
    assert_eq!(stand.heard(now).len(), 2, "the second step speaks");
    assert_eq!(overdue(&stand), []);
    assert_eq!(stand.entries.iter().filter(|entry| entry.kind == "swept").count(), 1);
    let known = stand.entries.len();
    swept(&mut stand, OverdueKind::Chain, T0 + 5 * MINUTE);
    assert_eq!(stand.heard(now).len(), 2, "what was done is not done again");
    assert_eq!(stand.entries.len(), known + 1, "and the ledger says that it was asked for");
}

#[test]
fn the_end_of_an_ack_whose_timer_was_lost_is_found_too() {
    let mut stand = Stand::new();
    stand.signal("cpu", "a", S1);
    stand.ack(FIRST, 10 * MINUTE);
    stand.now = T0 + 10 * MINUTE + 31 * SECOND;
    let late = overdue(&stand);
    assert_eq!(late, [Overdue { kind: OverdueKind::Incident, id: FIRST.to_owned(), due: T0 + 10 * MINUTE }]);
    swept(&mut stand, late[0].kind, late[0].due);
    assert_eq!(stand.incident(FIRST).state, IncidentState::Open);
}

#[test]
fn the_next_channel_starts_when_the_deadline_is_nearer_than_the_pace_of_this_one() {
    for (p99, wanted) in [(None, 50), (Some(25 * SECOND), 35), (Some(90 * SECOND), 0), (Some(0), 60)] {
        let mut stand = Stand::new();
        stand.delivers = false;
        if let Some(p99) = p99 {
            stand.input(Input::Pace { channel: Channel::Sms, p99 });
        }
        stand.signal("cpu", "a", S1);
        stand.pass(2 * MINUTE);
        let mails: Vec<(Ms, String)> = stand
            .pages
            .iter()
            .filter(|row| row.page.channel == Channel::Mail)
            .map(|row| ((row.page.decided - T0) / SECOND, row.page.to.clone()))
            .collect();
        assert_eq!(mails, [(wanted, "msp-duty-1".to_owned())], "{p99:?}");
    }
}

#[test]
fn what_was_said_on_the_next_channel_is_not_said_there_again_with_every_repeat() {
    let mut stand = Stand::new();
    stand.delivers = false;
    stand.signal("cpu", "a", S1);
    stand.pass(HOUR);
    let is_first_mail = |row: &&PageRow| row.page.reason == Reason::First && row.page.channel == Channel::Mail;
    assert_eq!(stand.pages.iter().filter(is_first_mail).count(), 1);
    assert!(stand.pages.iter().any(|row| row.page.reason == Reason::Repeat && row.page.round > 1));
}

#[test]
fn nobody_hurries_who_was_reached_or_is_not_needed() {
    let mut stand = Stand::new();
    stand.signal("cpu", "reached", S1);
    stand.pass(2 * MINUTE);
    let mails = |stand: &Stand| stand.pages.iter().filter(|row| row.page.channel == Channel::Mail).count();
    assert_eq!(mails(&stand), 0, "the first message was taken");
    let mut stand = Stand::new();
    stand.delivers = false;
    stand.signal("cpu", "over", S1);
    stand.pass(30 * SECOND);
    stand.signal("cpu", "over", None);
    stand.pass(MINUTE);
    assert_eq!(mails(&stand), 0, "it is over");
    let mut stand = Stand::new();
    stand.delivers = false;
    stand.signal("cpu", "taken", S1);
    stand.ack(FIRST, HOUR);
    stand.pass(2 * MINUTE);
    assert_eq!(mails(&stand), 0, "somebody has it");
}

#[test]
fn what_was_measured_and_planned_outlives_a_change_of_leaders() {
    let story = |is_crashing: bool| {
        let mut stand = Stand::new();
        stand.is_crashing = is_crashing;
        stand.delivers = false;
        stand.input(Input::Pace { channel: Channel::Sms, p99: 40 * SECOND });
        stand.signal("cpu", "a", S1);
        stand.pass(10 * MINUTE);
        stand
    };
    let (calm, crashing) = (story(false), story(true));
    assert_eq!(calm.entries, crashing.entries);
    assert!(calm.entries.iter().any(|entry| entry.kind == "pace"));
}

#[test]
fn each_step_of_a_chain_that_begins_anew_speaks_though_its_people_were_to_hear_it_before() {
    let mut people = super::stand::people();
    let mut grave = people.chains[0].clone();
    grave.steps.reverse();
    let is = |value: &str| vec![Matcher { label: "severity".to_owned(), test: Test::Is, value: value.to_owned() }];
    (grave.id, grave.default, grave.matchers) = ("grave".to_owned(), false, is("S1"));
    people.chains.insert(0, grave);
    let world = super::stand::world();
    let world = World::new(world.rules.clone(), people, world.inventory.clone());
    let mut stand = Stand::with(world);
    stand.delivers = false;
    stand.signal("cpu", "a", Some(Severity::S2));
    stand.pass(11 * MINUTE);
    assert_eq!(stand.said("boss", Reason::Escalated), [Channel::Sms, Channel::Mail], "decided, and not left");
    stand.regrade("cpu", "a", Severity::S1);
    let worse = stand.now;
    stand.pass(11 * MINUTE);
    let to_boss = stand.pages.iter().filter(|row| row.page.to == "boss" && row.page.decided == worse + 10 * MINUTE);
    assert_eq!(to_boss.count(), 2, "the last group of the other chain, in its turn");
}
