//! The sender against an outbox in memory and gateways that accept, refuse, hang or lie.

mod failover;
mod handset;
mod outage;
pub(in crate::notify) mod world;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use super::*;
use crate::model::{Hop, Outcome, Severity, Stamp};
use crate::time::{Clock, HOUR, MINUTE, SECOND};
use world::{Answer, NOW, World};

fn outcome(world: &World, id: &str) -> Option<Outcome> {
    world.outbox.outcomes(id).last().cloned()
}

#[test]
fn a_page_is_sent_once_and_its_outcome_written() {
    let mut world = World::new();
    world.page("p1", Severity::S2);
    let did = world.step();
    assert_eq!(did.pages.len(), 1);
    assert!(matches!(&did.pages[0].what, What::Outcome(Outcome::Accepted { id }) if id == "gw-p1"));
    assert!(world.step().is_idle());
    assert_eq!(world.gateway.sent(), ["p1"]);
}

#[test]
fn s1_goes_before_pages_that_are_already_leased() {
    let mut world = World::new();
    for id in ["a", "b", "c"] {
        world.page(id, Severity::S3);
    }
    world.step();
    world.page("urgent", Severity::S1);
    world.step();
    world.step();
    assert_eq!(world.gateway.sent(), ["a", "urgent", "b"]);
}

#[test]
fn a_flood_of_s1_leaves_a_turn_to_what_is_wanted_first() {
    let mut world = World::new();
    for n in 0..12 {
        world.page(&format!("s1-{n:02}"), Severity::S1);
    }
    for id in ["low-a", "low-b"] {
        world.page_wanted(id, Severity::S3, NOW + 30 * SECOND);
    }
    for _ in 0..8 {
        world.step();
    }
    let sent = world.gateway.sent();
    let turns: Vec<usize> = sent.iter().enumerate().filter(|(_, id)| id.starts_with("low")).map(|(n, _)| n).collect();
    assert_eq!(turns, [3, 7], "{sent:?}");
}

#[test]
fn the_way_of_a_page_that_was_taken_is_told_with_its_stamps() {
    let mut world = World::new();
    world.gateway.slow(300);
    world.page("p", Severity::S1);
    world.clock.advance(40);
    let did = world.step();
    let stamps = did.pages[0].passage.expect("it was taken").stamps;
    let hop = |from, to| stamps.hop(Hop { from, to });
    assert_eq!(hop(Stamp::Decided, Stamp::Queued), Some(1));
    assert_eq!(hop(Stamp::Queued, Stamp::Submitted), Some(39));
    assert_eq!(hop(Stamp::Submitted, Stamp::Accepted), Some(300));
    assert_eq!((stamps.get(Stamp::Delivered), stamps.disorder()), (None, None));

    world.gateway.always(Answer::Never);
    world.page("q", Severity::S1);
    assert_eq!(world.step().pages[0].passage, None, "nobody took it");
}

#[test]
fn a_yes_that_could_not_be_written_keeps_its_time() {
    let mut world = World::new();
    world.gateway.slow(300);
    world.page("p", Severity::S1);
    world.outbox.break_after_next_renewal();
    world.step();
    world.clock.advance(20 * SECOND);
    world.outbox.mend();
    world.step();
    assert_eq!(world.outbox.done_at("p"), Some(NOW + 300), "when the gateway said it, not when it was written");
}

#[test]
fn a_lease_that_is_not_ours_any_more_is_not_sent() {
    let mut world = World::new();
    world.page("a", Severity::S3);
    world.page("b", Severity::S3);
    world.step();
    world.outbox.steal("b");
    world.step();
    assert_eq!(world.gateway.sent(), ["a"]);
}

#[test]
fn refused_for_now_is_tried_again_until_just_before_the_deadline() {
    let mut world = World::new();
    world.page_until("p", Severity::S1, NOW + 60 * SECOND);
    world.gateway.always(Answer::Busy(None));
    let mut dues = Vec::new();
    for _ in 0..100 {
        for done in world.step().pages {
            match done.what {
                What::GivenBack { due, .. } => dues.push((due - NOW) / SECOND),
                What::Outcome(outcome) => {
                    assert_eq!(outcome, Outcome::Failed { reason: "server".to_owned() });
                    assert_eq!(dues, [1, 3, 7, 15, 25, 35, 45, 55, 59]);
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
        world.clock.advance(SECOND);
    }
    panic!("never settled: {dues:?}");
}

#[test]
fn a_gateway_that_asks_for_a_pause_gets_it() {
    let mut world = World::new();
    world.page("p", Severity::S1);
    world.gateway.always(Answer::Busy(Some(30 * SECOND)));
    let did = world.step();
    assert_eq!(did.pages[0].what, What::GivenBack { reason: Refusal::Server, due: NOW + 30 * SECOND });
}

#[test]
fn s1_is_retried_sooner_than_the_others() {
    for (severity, pause) in [(Severity::S1, SECOND), (Severity::S3, 5 * SECOND)] {
        let mut world = World::new();
        world.page("p", severity);
        world.gateway.always(Answer::Busy(None));
        let did = world.step();
        assert_eq!(did.pages[0].what, What::GivenBack { reason: Refusal::Server, due: NOW + pause });
    }
}

#[test]
fn refused_for_good_fails_at_once_and_without_an_address_once_everybody_has_read_the_list() {
    let mut world = World::new();
    world.page("p", Severity::S1);
    world.gateway.always(Answer::Never);
    world.step();
    assert_eq!(outcome(&world, "p"), Some(Outcome::Failed { reason: "recipient".to_owned() }));

    let mut world = World::new();
    world.page_to("q", "nobody");
    world.step();
    assert_eq!(outcome(&world, "q"), None, "another process may have read a list with an address");
    world.clock.advance(10 * SECOND);
    world.step();
    assert_eq!(outcome(&world, "q"), Some(Outcome::Failed { reason: "recipient".to_owned() }));
    assert!(world.gateway.sent().is_empty());
}

#[test]
fn a_page_past_its_deadline_is_never_sent() {
    let mut world = World::new();
    world.page("a", Severity::S3);
    world.page_until("late", Severity::S3, NOW + 10);
    world.page_until("waiting", Severity::S3, NOW - 1);
    let did = world.step();
    assert_eq!(did.expired, 1, "`waiting` failed without a lease");
    world.clock.advance(20);
    while !world.step().is_idle() {}
    assert_eq!(world.gateway.sent(), ["a"]);
    assert_eq!(outcome(&world, "late"), Some(Outcome::Failed { reason: "expired".to_owned() }));
}

/// The sender dies after the gateway took the page and before it wrote that down.
fn die_after_sending(world: &mut World) {
    world.outbox.break_after_next_renewal();
    assert!(world.step().trouble.is_some());
    world.outbox.mend();
    world.new_worker();
    world.clock.advance(31 * SECOND);
}

#[test]
fn a_gateway_that_can_be_asked_never_gets_a_page_twice() {
    let mut world = World::new();
    world.page("p", Severity::S1);
    die_after_sending(&mut world);
    world.step();
    assert_eq!(outcome(&world, "p"), Some(Outcome::Accepted { id: "gw-p".to_owned() }));
    assert_eq!(world.gateway.sent(), ["p"]);
}

#[test]
fn a_page_that_the_gateway_does_not_have_is_sent() {
    let mut world = World::new();
    world.page("p", Severity::S3);
    world.gateway.always(Answer::LostBefore);
    die_after_sending(&mut world);
    world.gateway.always(Answer::Take);
    world.step();
    assert_eq!(outcome(&world, "p"), Some(Outcome::Accepted { id: "gw-p".to_owned() }));
    assert_eq!(world.gateway.taken(), ["p"]);
}

#[test]
fn what_cannot_be_asked_is_resent_once_for_s1_and_s2_and_never_below() {
    for severity in Severity::ALL {
        let mut world = World::new();
        world.gateway.cannot_be_asked();
        world.page("p", severity);
        die_after_sending(&mut world);
        if severity <= Severity::S2 {
            world.outbox.break_after_next_renewal();
            assert!(world.step().trouble.is_some());
            assert_eq!(outcome(&world, "p"), Some(Outcome::Resent), "written before the second send");
            world.outbox.mend();
            world.new_worker();
            world.clock.advance(31 * SECOND);
        }
        world.step();
        assert!(matches!(outcome(&world, "p"), Some(Outcome::Unknown { .. })), "{severity:?}");
        assert!(world.step().is_idle());
        let times = if severity <= Severity::S2 { 2 } else { 1 };
        assert_eq!(world.gateway.sent().len(), times, "{severity:?}");
    }
}

#[test]
fn a_lost_answer_is_asked_about_before_anything_else() {
    // The gateway has it: settled at once.
    let mut world = World::new();
    world.page("p", Severity::S3);
    world.gateway.always(Answer::LostAfter);
    world.step();
    assert_eq!(outcome(&world, "p"), Some(Outcome::Accepted { id: "gw-p".to_owned() }));

    // It does not have it yet: asked again after a while, then sent.
    let mut world = World::new();
    world.page("p", Severity::S3);
    world.gateway.always(Answer::LostBefore);
    assert_eq!(world.step().pages[0].what, What::Unsettled);
    world.gateway.always(Answer::Take);
    assert!(world.step().is_idle(), "not sent again before it was asked again");
    world.clock.advance(6 * SECOND);
    world.step();
    assert_eq!(outcome(&world, "p"), Some(Outcome::Accepted { id: "gw-p".to_owned() }));

    // It cannot be asked and the page is not serious: final.
    let mut world = World::new();
    world.gateway.cannot_be_asked();
    world.page("p", Severity::S4);
    world.gateway.always(Answer::LostAfter);
    world.step();
    assert!(matches!(outcome(&world, "p"), Some(Outcome::Unknown { .. })));
}

#[test]
fn a_gateway_that_cannot_say_is_asked_until_the_deadline() {
    let mut world = World::new();
    world.page_until("p", Severity::S2, NOW + 60 * SECOND);
    world.gateway.always(Answer::LostAfter);
    world.gateway.evasive();
    for _ in 0..100 {
        world.step();
        world.clock.advance(SECOND);
    }
    assert!(matches!(outcome(&world, "p"), Some(Outcome::Unknown { .. })));
    assert_eq!(world.gateway.sent(), ["p"]);
}

#[test]
fn leases_of_pages_that_wait_behind_a_slow_gateway_do_not_run_out() {
    let mut world = World::new();
    for id in ["a", "b", "c", "d", "e"] {
        world.page(id, Severity::S3);
    }
    world.gateway.slow(9 * SECOND);
    while !world.step().is_idle() {}
    assert_eq!(world.gateway.sent(), ["a", "b", "c", "d", "e"]);
    assert!(!world.outbox.any_ended_lease(), "none looked as if it had been sent by a dead sender");
}

#[test]
fn the_time_that_a_gateway_took_is_in_the_outcome() {
    let mut world = World::new();
    world.page("p", Severity::S2);
    world.gateway.slow(4 * SECOND);
    assert_eq!(world.step().pages[0].after, 4 * SECOND);
    assert_eq!(world.outbox.done_at("p"), Some(NOW + 4 * SECOND));
}

#[test]
fn an_outbox_that_is_away_is_reported_and_nothing_is_sent() {
    let mut world = World::new();
    world.page("p", Severity::S1);
    world.outbox.break_now();
    assert!(world.step().trouble.is_some());
    assert!(world.gateway.sent().is_empty());
    world.outbox.mend();
    world.step();
    assert_eq!(world.gateway.sent(), ["p"]);
}

#[test]
fn a_sender_that_stops_gives_back_what_it_did_not_send() {
    let mut world = World::new();
    for id in ["a", "b", "c"] {
        world.page(id, Severity::S3);
    }
    let stop = AtomicBool::new(false);
    let (_wake, woken) = mpsc::sync_channel(1);
    let mut worker = world.take_worker();
    worker.run(&woken, &stop, &mut |_| stop.store(true, Ordering::SeqCst));
    assert_eq!(world.gateway.sent(), ["a"]);
    assert_eq!(world.outbox.waiting(), ["b", "c"]);
}

#[test]
fn a_sender_ends_when_nobody_can_wake_it() {
    let mut world = World::new();
    let (wake, woken) = mpsc::sync_channel(1);
    drop(wake);
    world.take_worker().run(&woken, &AtomicBool::new(false), &mut |_| {});
}

#[test]
fn addresses_are_never_printed_whole() {
    let address = Address("010-0000-0001".to_owned());
    assert_eq!(format!("{address:?}"), "010-****-0001");
    assert_eq!(Address("duty@example.test".to_owned()).masked(), "d***@example.test");
}

#[test]
fn two_senders_share_an_outbox_without_sending_twice() {
    let mut world = World::new();
    for n in 0..20 {
        world.page(&format!("p{n}"), if n % 3 == 0 { Severity::S1 } else { Severity::S3 });
    }
    let mut other = world.make_worker("w2");
    loop {
        let (one, two) = (world.step(), other.step(world.clock.wall()));
        if one.is_idle() && two.is_idle() {
            break;
        }
    }
    let mut sent = world.gateway.sent();
    sent.sort();
    sent.dedup();
    assert_eq!((sent.len(), world.gateway.sent().len()), (20, 20));
}

#[test]
fn a_wall_clock_that_jumps_ahead_makes_nothing_late_before_the_leader_has_moved_it() {
    let mut world = World::new();
    assert!(world.step().is_idle());
    world.page("p", Severity::S3);
    world.gateway.always(Answer::Busy(None));
    world.step();
    world.clock.step(2 * HOUR);
    world.step();
    world.clock.advance(10 * SECOND);
    assert_eq!(world.step().expired, 0);
    assert_eq!(world.outbox.waiting(), ["p"]);
    // Nobody moved it: then it is late.
    world.clock.advance(MINUTE);
    assert_eq!(world.step().expired, 1);
}
