//! Two leaders over one store: one leads, one waits, and a leader that is gone is followed within seconds.
//!
//! Each has clocks of its own, which tell different times: nothing here may compare them.

use std::sync::Arc;

use bongsu::model::{Input, Inventory, RuleSet};
use bongsu::pipeline::leader::World;
use bongsu::pipeline::leading::Leading;
use bongsu::pipeline::sim::people;
use bongsu::store::Store;
use bongsu::time::{Clock, ManualClock, SECOND};

use crate::store_suite::{Home, over_all};

over_all!(
    one_leads_and_the_other_waits,
    a_leader_that_is_gone_is_followed_within_seconds,
    a_leader_that_ends_is_followed_at_once,
    a_leader_that_stood_still_is_refused_and_waits,
    a_leader_whose_clock_stood_still_too_is_refused_when_it_writes,
    a_waiting_process_that_stood_still_takes_nothing_from_a_leader_at_work,
    who_comes_back_under_its_name_leads_at_once,
    two_under_one_name_do_not_take_turns,
    three_that_take_over_slowly_do_not_take_turns,
);

/// Between two turns.
const TURN: i64 = 50;

/// A process that wants to lead.
struct One {
    clock: Arc<ManualClock>,
    store: Arc<dyn Store>,
    leading: Leading,
}

impl One {
    fn new(home: &dyn Home, owner: &str, wall: i64) -> Self {
        let (clock, store) = (Arc::new(ManualClock::at(wall)), home.open());
        // Not booted at the same time.
        clock.advance(wall % 7_777);
        let world = Arc::new(World::new(RuleSet::default(), people(), Inventory::default()));
        let leading = Leading::new(Arc::clone(&store), Arc::clone(&clock) as Arc<dyn Clock>, owner, world);
        Self { clock, store, leading }
    }

    fn turn(&mut self) {
        self.clock.advance(TURN);
        while self.leading.step().unwrap() {}
    }

    fn leads(&self) -> bool {
        self.leading.leader().is_some()
    }

    /// Turns until it leads; how long that took by its own clock.
    fn turns_until_it_leads(&mut self) -> i64 {
        let began = self.clock.elapsed();
        while !self.leads() {
            assert!(self.clock.elapsed() - began < 60 * SECOND, "it never leads");
            self.turn();
        }
        self.clock.elapsed() - began
    }
}

/// A first one that leads, and a second that has seen it.
fn two(home: &dyn Home) -> (One, One) {
    let (mut first, mut second) = (One::new(home, "one@1", 1_767_571_200_000), One::new(home, "two@2", 1_000));
    first.turn();
    second.turn();
    assert!(first.leads() && !second.leads());
    (first, second)
}

fn ask(one: &One) -> i64 {
    one.store.add_input(&Input::Reload { hash: "h".to_owned(), contacts: Vec::new() }, one.clock.wall()).unwrap()
}

fn one_leads_and_the_other_waits(home: &dyn Home) {
    let (mut first, mut second) = two(home);
    for n in 0..600 {
        first.turn();
        second.turn();
        // Idle for a long while, and busy now and then.
        if n % 100 == 50 {
            let row = ask(&second);
            first.turn();
            assert!(first.store.answer(row).unwrap().is_some());
        }
    }
    assert!(first.leads() && !second.leads());
    assert_eq!(first.store.seat().unwrap().epoch, 1, "nobody took the seat from the other");
}

fn a_leader_that_is_gone_is_followed_within_seconds(home: &dyn Home) {
    let (first, mut second) = two(home);
    let row = ask(&second);
    let took = second.turns_until_it_leads();
    assert!((3 * SECOND..=4 * SECOND).contains(&took), "{took} ms");
    second.turn();
    assert!(second.store.answer(row).unwrap().is_some(), "what waited is taken");
    drop(first);
}

fn a_leader_that_ends_is_followed_at_once(home: &dyn Home) {
    let (mut first, mut second) = two(home);
    let row = ask(&second);
    first.leading.finish().unwrap();
    assert!(first.store.answer(row).unwrap().is_some(), "its last word");
    let took = second.turns_until_it_leads();
    assert!(took <= SECOND, "{took} ms");
    first.turn();
    assert!(!first.leads(), "it waits like everybody");
    // One that waited gives up nothing of another's.
    first.leading.finish().unwrap();
    assert_eq!(second.store.seat().unwrap().owner, "two@2");
}

fn a_leader_that_stood_still_is_refused_and_waits(home: &dyn Home) {
    let (mut first, mut second) = two(home);
    second.turns_until_it_leads();
    first.clock.advance(10 * SECOND);
    first.turn();
    assert_eq!((first.leads(), first.leading.fenced), (false, 1));
    for _ in 0..200 {
        first.turn();
        second.turn();
    }
    assert!(second.leads() && !first.leads());
    assert_eq!(second.store.seat().unwrap().epoch, 2);
}

fn a_leader_whose_clock_stood_still_too_is_refused_when_it_writes(home: &dyn Home) {
    let (mut first, mut second) = two(home);
    second.turns_until_it_leads();
    let row = ask(&first);
    while first.leading.step().unwrap() {}
    assert_eq!((first.leads(), first.leading.fenced), (false, 1));
    assert_eq!(first.store.answer(row).unwrap(), None, "its decision is not there");
    assert_eq!(first.store.ledger(0, 9).unwrap(), []);
    second.turn();
    assert!(second.store.answer(row).unwrap().is_some());
    assert_eq!(second.store.ledger(0, 9).unwrap().len(), 1, "it was decided once");
}

fn a_waiting_process_that_stood_still_takes_nothing_from_a_leader_at_work(home: &dyn Home) {
    let (mut first, mut second) = two(home);
    for _ in 0..5 {
        (0..100).for_each(|_| first.turn());
        second.clock.advance(60 * SECOND);
        second.turn();
        assert!(!second.leads());
    }
    assert_eq!(first.store.seat().unwrap().epoch, 1);
}

fn who_comes_back_under_its_name_leads_at_once(home: &dyn Home) {
    let (first, mut second) = two(home);
    drop(first);
    let mut again = One::new(home, "one@1", 5);
    again.turn();
    assert!(again.leads(), "it need not wait for itself");
    second.turn();
    assert!(!second.leads());
}

fn two_under_one_name_do_not_take_turns(home: &dyn Home) {
    let (mut first, mut twin) = (One::new(home, "one@1", 1), One::new(home, "one@1", 2));
    first.turn();
    twin.turn();
    for _ in 0..400 {
        first.turn();
        twin.turn();
    }
    assert!(twin.leads() && !first.leads());
    assert_eq!(twin.store.seat().unwrap().epoch, 2);
}

fn three_that_take_over_slowly_do_not_take_turns(home: &dyn Home) {
    let (first, second) = two(home);
    // Each stands still for so many turns once it has the seat: longer than the others wait.
    let slow = 8 * SECOND / TURN;
    let mut all = [(first, slow), (second, 0), (One::new(home, "three@3", 9), 0)];
    for _ in 0..180 * SECOND / TURN {
        for (one, busy) in &mut all {
            if *busy > 0 {
                *busy -= 1;
                one.clock.advance(TURN);
                continue;
            }
            let led = one.leads();
            one.turn();
            *busy = if one.leads() && !led { slow } else { 0 };
        }
    }
    let epoch = all[0].0.store.seat().unwrap().epoch;
    assert!((2..=12).contains(&epoch), "the seat went round {epoch} times");
    assert_eq!(all.iter().filter(|(one, _)| one.leads()).count(), 1);
}
