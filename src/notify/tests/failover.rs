//! Faults that last: a gateway that refuses for a minute, one that hangs, and what a second one is good for.

use super::outcome;
use super::world::{Answer, NOW, World};
use crate::model::{Channel, Outcome, Severity, Way, WayKind};
use crate::notify::Refusal;
use crate::time::{Clock, HOUR, MINUTE, Ms, SECOND};

/// The longest pause between two tries of an S1.
const S1_PAUSE: Ms = 10 * SECOND;

fn way(rate: Option<f64>) -> Way {
    let id = "fake".to_owned();
    Way { id, channel: Channel::Sms, rate, concurrency: 1, timeout: 8 * SECOND, kind: WayKind::Handset }
}

/// Steps second by second until everything is settled.
fn settle(world: &mut World, ids: &[&str], mut each: impl FnMut(&World, Ms)) {
    for _ in 0..3_600 {
        while !world.step().is_idle() {}
        each(world, world.clock.wall() - NOW);
        if ids.iter().all(|id| world.outbox.done_at(id).is_some()) {
            return;
        }
        world.clock.advance(SECOND);
    }
    panic!("not settled in an hour");
}

#[test]
fn a_gateway_that_refuses_for_a_minute_makes_pages_late_by_no_more_and_loses_none() {
    let mut world = World::new();
    world.pace(&way(None));
    let ids = ["a", "b", "c", "d"];
    for id in ids {
        world.page_until(id, Severity::S1, NOW + 10 * MINUTE);
    }
    world.gateway.always(Answer::Busy(None));
    settle(&mut world, &ids, |world, at| {
        if at >= MINUTE {
            world.gateway.always(Answer::Take);
        }
    });
    for id in ids {
        assert!(matches!(outcome(&world, id), Some(Outcome::Accepted { .. })));
        let late = world.outbox.done_at(id).expect("settled") - NOW;
        assert!((MINUTE..=MINUTE + S1_PAUSE).contains(&late), "{id}: {late}");
    }
    let mut taken = world.gateway.taken();
    taken.sort();
    assert_eq!(taken, ids, "each once");
}

#[test]
fn a_gateway_that_cannot_be_reached_costs_a_few_time_outs_and_not_one_for_every_page() {
    let mut world = World::new();
    let paced = world.pace(&way(None));
    let ids: Vec<String> = (0..20).map(|n| format!("p{n:02}")).collect();
    for id in &ids {
        world.page_until(id, Severity::S3, NOW + HOUR);
    }
    world.gateway.always(Answer::Away);
    world.gateway.slow(8 * SECOND);
    while world.clock.wall() < NOW + MINUTE {
        while !world.step().is_idle() {}
        world.clock.advance(SECOND);
    }
    // Three to find out, then one in thirteen seconds: five of pause and eight of waiting.
    assert!(world.gateway.sent().len() <= 3 + 6, "{}", world.gateway.sent().len());
    assert!(paced.health().failing && paced.health().last == Some("timeout"));
    world.gateway.always(Answer::Take);
    world.gateway.slow(0);
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    settle(&mut world, &all, |_, _| {});
    let mut taken = world.gateway.taken();
    taken.sort();
    assert_eq!(taken, all, "none is lost and each arrives once");
    assert!(!paced.health().failing);
}

#[test]
fn the_next_gateway_is_tried_where_the_first_certainly_did_not_send() {
    for fault in [Answer::Busy(None), Answer::Away, Answer::Locked] {
        let mut world = World::new();
        let second = world.second();
        world.page("p", Severity::S1);
        world.gateway.always(fault);
        world.step();
        assert!(matches!(outcome(&world, "p"), Some(Outcome::Accepted { .. })));
        assert_eq!((world.gateway.taken().len(), second.taken().len()), (0, 1));
    }
}

#[test]
fn the_next_gateway_is_not_tried_while_nobody_knows() {
    let mut world = World::new();
    let second = world.second();
    world.page("p", Severity::S1);
    world.gateway.always(Answer::LostAfter);
    world.gateway.evasive();
    world.step();
    world.clock.advance(6 * SECOND);
    world.step();
    assert_eq!((world.gateway.sent().len(), second.sent().len()), (1, 0));
}

#[test]
fn the_next_gateway_is_not_tried_for_a_fault_of_the_page() {
    let mut world = World::new();
    let second = world.second();
    world.page("p", Severity::S1);
    world.gateway.always(Answer::Never);
    world.step();
    assert_eq!(outcome(&world, "p"), Some(Outcome::Failed { reason: "recipient".to_owned() }));
    assert!(second.sent().is_empty());
}

#[test]
fn a_refusal_that_may_pass_outweighs_one_that_will_not() {
    let mut world = World::new();
    let second = world.second();
    world.page("p", Severity::S1);
    world.gateway.always(Answer::Locked);
    second.always(Answer::Busy(None));
    let did = world.step();
    let due = NOW + SECOND;
    assert_eq!(did.pages[0].what, crate::notify::What::GivenBack { reason: Refusal::Server, due });
    second.always(Answer::Locked);
    world.clock.advance(2 * SECOND);
    world.step();
    assert_eq!(outcome(&world, "p"), Some(Outcome::Failed { reason: "auth".to_owned() }));
}

#[test]
fn a_gateway_is_not_given_more_than_its_rate() {
    let mut world = World::new();
    world.pace(&way(Some(0.1)));
    for id in ["a", "b", "c"] {
        world.page_until(id, Severity::S2, NOW + HOUR);
    }
    settle(&mut world, &["a", "b", "c"], |_, _| {});
    let mut at: Vec<Ms> = ["a", "b", "c"].iter().filter_map(|id| world.outbox.done_at(id)).map(|at| at - NOW).collect();
    at.sort_unstable();
    assert!(at[1] - at[0] >= 10 * SECOND && at[2] - at[1] >= 10 * SECOND, "{at:?}");
    assert_eq!(world.gateway.taken().len(), 3);
}
