//! An outbox that is away for longer than a lease lasts: what the senders know meanwhile is not forgotten.

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
