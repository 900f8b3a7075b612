//! The leader's seat: who saw it as it is gets it, and whoever lost it cannot write a word.

use bongsu::model::*;

use crate::store_suite::*;

over_all!(
    the_first_to_ask_gets_a_seat_nobody_had,
    who_saw_what_is_no_longer_so_does_not_get_it,
    of_two_who_saw_the_same_one_gets_it,
    a_beat_and_a_commit_move_it,
    what_was_refused_does_not_move_it,
    who_lost_it_cannot_beat_nor_give_it_up,
    given_up_it_is_free_and_the_epochs_go_on,
);

fn the_first_to_ask_gets_a_seat_nobody_had(home: &dyn Home) {
    let store = home.open();
    let seen = store.seat().unwrap();
    assert_eq!(seen, Seat::default());
    assert!(seen.is_free());
    assert!(!store.beat(0).unwrap() && !store.give_up(0).unwrap(), "nobody sits");
    assert_eq!(store.lead("a", &seen).unwrap().unwrap().epoch, 1);
    let seat = home.open().seat().unwrap();
    assert_eq!((seat.epoch, seat.owner.as_str(), seat.is_free()), (1, "a", false));
}

fn who_saw_what_is_no_longer_so_does_not_get_it(home: &dyn Home) {
    let store = home.open();
    let leader = Leader::take(&*store);
    let seen = store.seat().unwrap();
    assert!(store.beat(leader.rows.epoch).unwrap());
    assert_eq!(store.lead("b", &seen).unwrap(), None, "it is at work after all");
    assert_eq!(store.lead("b", &Seat::default()).unwrap(), None, "nobody had it when it was looked at");
    assert_eq!(store.seat().unwrap().owner, "engine-1");
    assert_eq!(store.lead("b", &store.seat().unwrap()).unwrap().unwrap().epoch, 2);
}

fn of_two_who_saw_the_same_one_gets_it(home: &dyn Home) {
    let (one, two) = (home.open(), home.open());
    for epoch in 1..4 {
        let (a, b) = (one.seat().unwrap(), two.seat().unwrap());
        assert_eq!(a, b);
        assert_eq!(one.lead("a", &a).unwrap().unwrap().epoch, epoch);
        assert_eq!(two.lead("b", &b).unwrap(), None);
    }
}

fn a_beat_and_a_commit_move_it(home: &dyn Home) {
    let store = home.open();
    let mut leader = Leader::take(&*store);
    let mut seen = store.seat().unwrap();
    for commits in [false, true, false, true] {
        if commits {
            assert_eq!(leader.commit(&*store, BookCommit::default()), Committed::Done);
        } else {
            assert!(store.beat(leader.rows.epoch).unwrap());
        }
        let now = store.seat().unwrap();
        assert_eq!((now.epoch, &now.owner), (seen.epoch, &seen.owner));
        assert!(now.beat > seen.beat);
        seen = now;
    }
}

fn what_was_refused_does_not_move_it(home: &dyn Home) {
    let store = home.open();
    let mut leader = Leader::take(&*store);
    let before = store.seat().unwrap();
    let nonsense = Cancel { page: "p9".to_owned(), why: "x".to_owned() };
    let commit = BookCommit { cancels: vec![nonsense], ..BookCommit::default() };
    assert!(is_corrupt(&leader.try_commit(&*store, commit)));
    assert_eq!(store.seat().unwrap(), before);
}

fn who_lost_it_cannot_beat_nor_give_it_up(home: &dyn Home) {
    let store = home.open();
    let mut old = Leader::take(&*store);
    lead(&*home.open(), "b");
    let seat = store.seat().unwrap();
    assert!(!store.beat(old.rows.epoch).unwrap());
    assert!(!store.give_up(old.rows.epoch).unwrap());
    assert_eq!(old.commit(&*store, BookCommit::default()), Committed::Fenced);
    assert_eq!(store.seat().unwrap(), seat, "what was refused left nothing");
}

fn given_up_it_is_free_and_the_epochs_go_on(home: &dyn Home) {
    let store = home.open();
    let leader = Leader::take(&*store);
    let seen = store.seat().unwrap();
    assert!(store.give_up(leader.rows.epoch).unwrap());
    let seat = home.open().seat().unwrap();
    assert!(seat.is_free());
    assert_eq!(seat.epoch, 1);
    assert_eq!(store.lead("b", &seen).unwrap(), None, "even to give it up is a move");
    assert_eq!(store.lead("b", &seat).unwrap().unwrap().epoch, 2);
}
