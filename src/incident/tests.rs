//! The book alone; whole stories are told on the leader's stand.

use super::*;
use crate::model::{Labels, Severity, Signal, SignalKey, State};

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
    Input::Signal { key, signal, heard: 1, caught_up: true, came: None }
}

fn empty() -> Book {
    Book::load(&[], &[("INC-7001".to_owned(), 999)], &[], Default::default(), 10)
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
    assert_eq!(book.next_due(), Some(12 * MINUTE), "ack-within, from the first accepted page");
    let ack = Input::Ack { incident: "INC-7001-1000".to_owned(), by: "a".to_owned(), note: String::new(), hold: HOUR };
    book.apply(&ack, 3 * MINUTE);
    assert_eq!(book.next_due(), Some(HOUR), "half of the two hours to recover, from its occurrence");
}

#[test]
fn a_rule_in_shadow_opens_nothing_but_what_it_opened_while_it_was_live_ends() {
    let mut book = empty();
    let shadow = Arc::new(Names { shadow: BTreeSet::from([Arc::from("cpu")]), ..Names::default() });
    book.rename(Arc::clone(&shadow), Arc::default());
    assert_eq!(book.apply(&firing("cpu", 10 * MINUTE), 10 * MINUTE).moved, []);
    book.rename(Arc::default(), Arc::default());
    let moved = book.apply(&firing("cpu", 11 * MINUTE), 11 * MINUTE).moved;
    assert_eq!(moved.iter().map(|moved| moved.change).collect::<Vec<_>>(), [Change::Opened]);
    book.rename(shadow, Arc::default());
    let Input::Signal { key, signal, heard, caught_up, came } = firing("cpu", 12 * MINUTE) else { unreachable!() };
    let over = Signal { from: State::Firing, to: State::Resolved, ..signal };
    let moved = book.apply(&Input::Signal { key, signal: over, heard, caught_up, came }, 12 * MINUTE).moved;
    assert_eq!(moved.iter().map(|moved| moved.change).collect::<Vec<_>>(), [Change::Resolved]);
}
