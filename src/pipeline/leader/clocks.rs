//! Scenes of a wall clock that is set: what waits is told after the time that it waits, neither later nor at once.

use super::scenes::S2;
use super::stand::{Stand, T0, world};
use super::{Leader, World};
use crate::model::*;
use crate::time::{DAY, HOUR, MINUTE, Ms, SECOND};

const FIRST: &str = "INC-2611-001";

impl Stand {
    /// The wall clock is set by `by`, and the leader notices.
    fn set_clock(&mut self, by: Ms) {
        self.now += by;
        let commit = self.leader.hear(&[], &[Taken { row: None, input: Input::Clock { by } }], self.now);
        assert_eq!(commit.clock, Some(ClockStep { by, now: self.now }));
        self.write(&commit);
        self.settle();
    }

    /// Everything that was decided, taken again, gives the same bytes.
    pub(super) fn comes_out_again(&self) {
        let mut again = Leader::load(&BookRows::default(), std::sync::Arc::clone(&self.world));
        again.replay(&self.entries, |_| None).expect("the same bytes");
        assert_eq!(again.next_due(), self.leader.next_due());
    }
}

/// Whom the pages are for that were decided since the last call.
fn news(stand: &Stand, seen: &mut usize) -> Vec<(String, Reason)> {
    let new = stand.pages.iter().skip(*seen).map(|row| (row.page.to.clone(), row.page.reason)).collect();
    *seen = stand.pages.len();
    new
}

#[test]
fn a_step_of_the_chain_comes_after_its_wait_however_the_clock_is_set() {
    for (by, crashes) in [(-HOUR, false), (HOUR, false), (-HOUR, true), (3 * DAY, true), (-DAY, false)] {
        let (mut stand, mut seen) = (Stand::new(), 0);
        stand.is_crashing = crashes;
        stand.signal("cpu", "db-01", S2);
        assert_eq!(news(&stand, &mut seen).len(), 1);
        stand.pass(2 * MINUTE);
        stand.set_clock(by);
        assert_eq!(news(&stand, &mut seen), [], "nothing at once");
        stand.pass(3 * MINUTE - 1);
        assert_eq!(news(&stand, &mut seen), [], "nothing early");
        stand.pass(1);
        assert!(news(&stand, &mut seen).contains(&("csp-duty".to_owned(), Reason::Escalated)), "five minutes in all");
        stand.comes_out_again();
    }
}

#[test]
fn an_ack_holds_its_time_and_an_end_can_be_taken_back_for_its_time() {
    for by in [-HOUR, HOUR] {
        let mut stand = Stand::new();
        stand.signal("cpu", "db-01", S2);
        stand.ack(FIRST, 30 * MINUTE);
        stand.pass(10 * MINUTE);
        stand.set_clock(by);
        stand.pass(20 * MINUTE - 1);
        assert_eq!(stand.incident(FIRST).state, IncidentState::Acked);
        stand.pass(1);
        assert_eq!(stand.incident(FIRST).state, IncidentState::Open);
        let (occurred, detected) = (stand.incident(FIRST).occurred, stand.incident(FIRST).detected);
        assert_eq!((occurred, detected), (T0 - MINUTE, T0), "what happened happened then");
        stand.signal("cpu", "db-01", None);
        stand.set_clock(-by);
        stand.pass(30 * MINUTE - 1);
        assert_eq!(stand.incident(FIRST).state, IncidentState::Resolved);
        stand.pass(1);
        assert_eq!(stand.incident(FIRST).state, IncidentState::Closed);
        stand.comes_out_again();
    }
}

#[test]
fn deadlines_move_and_what_was_kept_does_not() {
    let mut stand = Stand::new();
    stand.delivers = false;
    stand.signal("cpu", "db-01", S2);
    let before = stand.incident(FIRST).clone();
    stand.set_clock(HOUR);
    let after = stand.incident(FIRST).clone();
    assert_eq!(after.notify_by, before.notify_by.map(|by| by + HOUR), "nobody was told yet");
    let by = |it: &Incident| it.sla.as_ref().and_then(|clocks| clocks.recover_by);
    assert_eq!(by(&after), by(&before).map(|by| by + HOUR));
    assert_eq!(stand.n_changes(Change::Overdue), 0);
    stand.delivers = true;
    stand.settle();
    let kept = stand.incident(FIRST).notify_by;
    assert!(stand.incident(FIRST).notified.is_some());
    stand.set_clock(HOUR);
    assert_eq!(stand.incident(FIRST).notify_by, kept);
}

#[test]
fn a_silence_goes_on_and_ends_by_the_calendar() {
    let mut stand = Stand::new();
    assert!(stand.silence(&["host=db-01"], 30 * MINUTE).0);
    stand.pass(MINUTE);
    stand.signal("cpu", "db-01", S2);
    stand.set_clock(-20 * MINUTE);
    assert!(stand.incident(FIRST).muted.is_some(), "it had begun");
    stand.until(T0 + 30 * MINUTE - 1);
    assert_eq!(stand.heard(0), []);
    stand.pass(1);
    assert_eq!(stand.heard(0).len(), 1, "at the time that people were told");
    stand.comes_out_again();

    let mut stand = Stand::new();
    assert!(stand.silence(&["host=db-01"], 30 * MINUTE).0);
    stand.signal("cpu", "db-01", S2);
    stand.set_clock(HOUR);
    assert_eq!(stand.heard(0).len(), 1, "its end has passed");
}

#[test]
fn caps_count_what_really_was_within_the_hour() {
    let mut people = super::stand::people();
    people.pages_an_hour = Some(2);
    let mut stand = Stand::with(again(people));
    for (host, after) in [("a", 0), ("b", SECOND), ("c", SECOND)] {
        stand.pass(after);
        stand.signal("cpu", host, S2);
    }
    let told = |stand: &Stand| stand.pages.iter().filter(|row| row.page.to == "msp-duty-1").count();
    assert_eq!(told(&stand), 2, "the third waits for room");
    stand.set_clock(-HOUR);
    stand.pass(HOUR - 3 * SECOND);
    assert_eq!(told(&stand), 2);
    stand.pass(2 * SECOND);
    assert_eq!(told(&stand), 3, "an hour after the first");
    stand.comes_out_again();
}

fn again(people: People) -> World {
    let base = world();
    World::new(base.rules.clone(), people, base.inventory.clone())
}

/// Of which page was said first was asked by the wall clock: after it had been put back, what the next channel had said
/// already was said there again, at each further step.
#[test]
fn the_next_channel_says_it_once_however_the_clock_is_set() {
    let mut stand = Stand::new();
    stand.delivers = false;
    stand.signal("cpu", "db-01", S2);
    let page = stand.pages[0].page.id.clone();
    stand.hand(&page);
    stand.outcome(&page, Outcome::Unknown { reason: "no answer in time".to_owned() });
    stand.pass(MINUTE);
    stand.set_clock(-HOUR);
    stand.pass(20 * MINUTE);
    let firsts = stand.pages.iter().filter(|row| row.page.to == "msp-duty-1" && row.page.reason == Reason::First);
    let channels: Vec<Channel> = firsts.map(|row| row.page.channel).collect();
    assert_eq!(channels, [Channel::Sms, Channel::Mail], "each once");
    stand.comes_out_again();
}
