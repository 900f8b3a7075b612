//! An outbox that is away for longer than a lease lasts, or whose answers are lost: what the senders know meanwhile is not
//! forgotten, and no more than they know is believed.

use super::world::{Answer, World};
use crate::model::{Outcome, Severity};
use crate::notify::Unwritten;
use crate::time::{Clock, SECOND};

fn accepted(id: &str) -> Outcome {
    Outcome::Accepted { id: format!("gw-{id}") }
}

/// Steps until there is nothing to do.
fn settle(world: &mut World) {
    for _ in 0..50 {
        world.step();
        world.clock.advance(SECOND);
    }
}

#[test]
fn an_answer_that_could_not_be_written_is_written_later_and_nothing_is_sent_twice() {
    let mut world = World::new();
    world.gateway.cannot_be_asked();
    world.page("p", Severity::S1);
    world.outbox.break_after_next_renewal();
    assert!(world.step().trouble.is_some());
    world.clock.advance(60 * SECOND);
    assert!(world.step().trouble.is_some());
    world.outbox.mend();
    settle(&mut world);
    assert_eq!((world.outbox.outcomes("p"), world.gateway.sent()), (vec![accepted("p")], vec!["p".to_owned()]));
}

#[test]
fn whoever_takes_an_ended_lease_learns_what_another_sender_of_the_process_knows() {
    let world = World::new();
    world.gateway.cannot_be_asked();
    world.page("p", Severity::S1);
    let unwritten = Unwritten::default();
    let [mut first, mut second] = ["w1", "w2"].map(|name| world.make_worker(name).sharing(&unwritten));
    world.outbox.break_after_next_renewal();
    assert!(first.step(world.clock.wall()).trouble.is_some());
    world.clock.advance(60 * SECOND);
    world.outbox.mend();
    second.step(world.clock.wall());
    first.step(world.clock.wall());
    assert_eq!((world.outbox.outcomes("p"), world.gateway.sent()), (vec![accepted("p")], vec!["p".to_owned()]));
}

#[test]
fn pages_that_were_leased_and_not_sent_are_sent_after_the_outage() {
    let mut world = World::new();
    // Nobody may send these twice where nobody knows: taken for sent, they would be lost.
    world.gateway.cannot_be_asked();
    for id in ["a", "b", "c"] {
        world.page(id, Severity::S3);
    }
    world.step();
    world.outbox.break_now();
    for _ in 0..6 {
        world.clock.advance(10 * SECOND);
        assert!(world.step().trouble.is_some());
    }
    world.outbox.mend();
    settle(&mut world);
    assert_eq!(world.gateway.sent(), ["a", "b", "c"]);
    for id in ["a", "b", "c"] {
        assert_eq!(world.outbox.outcomes(id), [accepted(id)]);
    }
}

#[test]
fn a_page_that_was_refused_while_the_outbox_went_away_is_tried_again() {
    let mut world = World::new();
    world.gateway.cannot_be_asked();
    world.gateway.always(Answer::Away);
    world.page("p", Severity::S3);
    world.outbox.break_after_next_renewal();
    assert!(world.step().trouble.is_some());
    world.clock.advance(60 * SECOND);
    world.outbox.mend();
    world.gateway.always(Answer::Take);
    settle(&mut world);
    assert_eq!((world.outbox.outcomes("p"), world.gateway.taken()), (vec![accepted("p")], vec!["p".to_owned()]));
}

#[test]
fn a_page_whose_claim_was_never_answered_was_certainly_not_sent() {
    for severity in Severity::ALL {
        let mut world = World::new();
        world.gateway.cannot_be_asked();
        world.page("p", severity);
        world.outbox.lose_answer_of("claim");
        assert!(world.step().trouble.is_some());
        settle(&mut world);
        assert_eq!((world.outbox.outcomes("p"), world.gateway.sent()), (vec![accepted("p")], vec!["p".to_owned()]));
    }
}

#[test]
fn pages_that_a_dead_sender_had_leased_behind_another_one_are_sent() {
    let mut world = World::new();
    world.gateway.cannot_be_asked();
    for id in ["a", "b", "c"] {
        world.page(id, Severity::S3);
    }
    world.step();
    world.new_worker();
    settle(&mut world);
    assert_eq!(world.gateway.sent(), ["a", "b", "c"]);
}

#[test]
fn who_dies_between_the_mark_and_the_second_send_leaves_it_to_the_next() {
    let mut world = World::new();
    world.gateway.cannot_be_asked();
    world.gateway.always(Answer::LostBefore);
    world.page("p", Severity::S1);
    world.step();
    world.gateway.always(Answer::Take);
    world.outbox.lose_answer_of("resent");
    while world.step().trouble.is_none() {
        world.clock.advance(SECOND);
    }
    world.new_worker();
    settle(&mut world);
    assert_eq!(
        (world.outbox.outcomes("p"), world.gateway.taken()),
        (vec![Outcome::Resent, accepted("p")], vec!["p".to_owned()])
    );
}

#[test]
fn that_a_page_was_not_sent_under_one_lease_says_nothing_of_a_later_one() {
    let world = World::new();
    world.page("p", Severity::S3);
    let unwritten = Unwritten::default();
    let [mut first, mut second] = ["w1", "w2"].map(|name| world.make_worker(name).sharing(&unwritten));
    // It comes back unsent, and the first sender does not learn that it did.
    world.gateway.always(Answer::Away);
    world.outbox.lose_answer_of("give_back");
    assert!(first.step(world.clock.wall()).trouble.is_some());
    first.step(world.clock.wall());
    world.clock.advance(10 * SECOND);
    // The second one's gateway takes it, and its answer is lost; asked about it, it cannot say.
    world.gateway.always(Answer::LostAfter);
    world.gateway.evasive();
    let mut twice = world.make_worker("w3").sharing(&unwritten);
    second.step(world.clock.wall());
    for _ in 0..50 {
        world.clock.advance(SECOND);
        twice.step(world.clock.wall());
    }
    assert_eq!(world.gateway.taken(), ["p"], "{:?}", world.outbox.outcomes("p"));
}

#[test]
fn an_answer_that_is_older_than_the_lease_lets_nothing_be_sent() {
    let mut world = World::new();
    world.page("p", Severity::S1);
    world.outbox.stand_still_in_submit(&world.clock, 40 * SECOND);
    world.step();
    assert_eq!(world.gateway.sent(), Vec::<String>::new(), "another sender had it by then");
}
