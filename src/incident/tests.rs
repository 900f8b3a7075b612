//! The book alone; whole stories are told on the leader's stand.

use super::*;
use crate::model::{Labels, Signal, SignalKey, State};

fn firing(rule: &str, at: Ms) -> Input {
    let labels = Labels::new([("host", "a")]);
    let signal = Signal {
        rule: rule.into(),
        fingerprint: Fingerprint::of(rule, &labels),
        labels,
        from: State::Pending,
        to: State::Firing,
        severity: Some(Severity::S2),
        value: Some(0.9),
        unknown: None,
        at,
        since: Some(at - MINUTE),
        ended: None,
        acted: true,
    };
    let key = SignalKey { topic: "t".to_owned(), partition: 0, seq: 1 };
    Input::Signal { key, signal, heard: 1, caught_up: true }
}

fn empty() -> Book {
    Book::load(&[], &[("INC-7001".to_owned(), 999)], &[], Arc::default(), 10)
}

#[test]
fn an_incident_knows_when_it_began_and_when_it_was_seen() {
    let mut book = empty();
    let decided = book.apply(&firing("cpu", 10 * MINUTE), 10 * MINUTE);
    let incident = &decided.moved[0].incident;
    assert_eq!((incident.occurred, incident.detected), (9 * MINUTE, 10 * MINUTE));
    assert_eq!(incident.notify_by, Some(15 * MINUTE));
    assert_eq!(incident.id, "INC-7001-1000", "the counter goes on, with a fourth digit");
}

#[test]
fn a_drained_book_has_nothing_more_to_write() {
    let mut book = empty();
    book.apply(&firing("cpu", MINUTE), MINUTE);
    let mut commit = BookCommit::default();
    book.drain(&mut commit);
    assert_eq!((commit.incidents.len(), commit.counters.len()), (1, 1));
    let mut commit = BookCommit::default();
    book.drain(&mut commit);
    assert_eq!(commit, BookCommit::default());
}

#[test]
fn the_next_due_instant_is_the_incidents_own() {
    let mut book = empty();
    assert_eq!(book.next_due(), None);
    book.apply(&firing("cpu", MINUTE), MINUTE);
    assert_eq!(book.next_due(), Some(6 * MINUTE), "notify-within");
    book.told("INC-7001-1000", 2 * MINUTE);
    assert_eq!(book.next_due(), None, "nothing moves it but people and signals");
}
