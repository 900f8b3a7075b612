//! A page that a sender gives back, and that leaves once more before the leader hears of it: it cannot be taken back, and
//! the leader must not try that for ever.

use std::sync::Arc;

use bongsu::model::{BookRows, Input, Inventory, Lease, Outcome, PageState, RuleSet, Severity};
use bongsu::pipeline::leader::{Leader, World};
use bongsu::pipeline::leading::Leading;
use bongsu::pipeline::sim::people;
use bongsu::store::{MemoryStore, Store};
use bongsu::time::{Clock, HOUR, MINUTE, ManualClock, Ms};

use crate::store_suite::firing;

const BEGINNING: Ms = 1_767_571_200_000;
/// Turns after which a leader that still finds work goes round in circles.
const TURNS_MAX: usize = 50;

fn settle(leading: &mut Leading) {
    assert!((0..TURNS_MAX).any(|_| !leading.step().unwrap()), "the leader is never quiet");
}

fn claim(store: &dyn Store) -> Lease {
    store.claim("sender", None, 1, BEGINNING, BEGINNING + MINUTE).unwrap().remove(0)
}

/// The first page is with a sender when somebody takes its incident; what follows is up to the caller.
fn acked_while_it_was_out() -> (Arc<dyn Store>, Leading, Arc<World>, Lease) {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let clock = Arc::new(ManualClock::at(BEGINNING)) as Arc<dyn Clock>;
    let world = Arc::new(World::new(RuleSet::default(), people(), Inventory::default()));
    let mut leading = Leading::new(Arc::clone(&store), clock, "one", Arc::clone(&world));
    store.add_input(&Input::Own(firing("db-01", Severity::S2, BEGINNING)), BEGINNING).unwrap();
    settle(&mut leading);
    let lease = claim(store.as_ref());
    settle(&mut leading);
    let incident = store.incidents(1).unwrap().remove(0).id;
    let by = lease.page.to.clone();
    store.add_input(&Input::Ack { incident, by, note: String::new(), hold: HOUR }, BEGINNING).unwrap();
    settle(&mut leading);
    (store, leading, world, lease)
}

fn ends_as(store: &dyn Store, world: Arc<World>, page: &str, state: PageState) {
    let rows = store.pages(None, 100).unwrap();
    let row = rows.iter().find(|row| row.page.id == page).unwrap();
    assert_eq!(row.state, state, "{row:?}");
    let entries = store.ledger(0, 1_000).unwrap();
    Leader::load(&BookRows::default(), world).replay(&entries, |_| None).expect("the same bytes");
}

#[test]
fn a_page_that_comes_back_after_an_ack_is_taken_back() {
    let (store, mut leading, world, lease) = acked_while_it_was_out();
    assert!(store.give_back(&lease, "server", BEGINNING).unwrap());
    settle(&mut leading);
    assert!(store.claim("sender", None, 1, BEGINNING + MINUTE, BEGINNING + HOUR).unwrap().is_empty());
    ends_as(store.as_ref(), world, &lease.page.id, PageState::Cancelled);
}

#[test]
fn a_page_that_came_back_and_left_again_is_let_go() {
    let (store, mut leading, world, lease) = acked_while_it_was_out();
    assert!(store.give_back(&lease, "server", BEGINNING).unwrap());
    let again = claim(store.as_ref());
    assert_eq!(again.page.id, lease.page.id);
    settle(&mut leading);
    let accepted = Outcome::Accepted { id: "1".to_owned() };
    assert!(store.outcome(&again, &accepted, BEGINNING).unwrap());
    settle(&mut leading);
    ends_as(store.as_ref(), world, &lease.page.id, PageState::Accepted);
}

#[test]
fn a_page_that_came_back_twice_is_taken_back_once() {
    let (store, mut leading, world, lease) = acked_while_it_was_out();
    assert!(store.give_back(&lease, "server", BEGINNING).unwrap());
    assert!(store.give_back(&claim(store.as_ref()), "server", BEGINNING).unwrap());
    settle(&mut leading);
    ends_as(store.as_ref(), world, &lease.page.id, PageState::Cancelled);
}

#[test]
fn a_page_that_came_back_and_expired_is_not_taken_back() {
    let (store, mut leading, world, lease) = acked_while_it_was_out();
    assert!(store.give_back(&lease, "server", BEGINNING).unwrap());
    assert_eq!(store.expire(BEGINNING + 24 * HOUR).unwrap(), 1);
    settle(&mut leading);
    ends_as(store.as_ref(), world, &lease.page.id, PageState::Failed);
}
