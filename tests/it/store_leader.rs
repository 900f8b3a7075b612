//! The leader's transaction: it leads or is fenced, takes inputs in order without skipping one, and never cancels what
//! has been handed over.

use bongsu::model::*;
use bongsu::store::ledger;

use crate::store_suite::*;

over_all!(
    a_commit_is_found_by_the_next_leader,
    a_new_leader_fences_the_old_one,
    who_never_led_is_fenced,
    rows_come_before_signals_and_each_once,
    the_limit_is_kept,
    what_was_heard_stands_beside_each_signal,
    an_answer_waits_for_the_leader,
    a_page_handed_over_meanwhile_undoes_the_commit,
    a_page_of_the_same_commit_can_be_cancelled,
    cancelling_nonsense_is_refused,
    another_page_of_the_same_id_is_refused,
    the_ledger_has_no_gap_and_its_own_hashes,
    an_input_is_taken_once,
    a_cursor_does_not_go_back,
    one_live_incident_per_fingerprint,
    closed_incidents_are_not_loaded,
    a_page_that_expired_is_known_to_whoever_leads_next,
    what_is_drawn_elsewhere_is_no_input_row,
    notes_are_put_and_removed,
    notes_are_read_by_the_beginning_of_their_key,
    a_purge_leaves_what_is_needed,
    the_newest_are_listed_first,
);

fn ack(n: i64) -> Input {
    Input::Ack {
        incident: format!("INC-2611-{n:03}"),
        by: "msp-duty-1".to_owned(),
        note: "확인 중".to_owned(),
        hold: 1,
    }
}

fn take(row: i64, input_no: i64) -> TakenRow {
    TakenRow { row, input_no, done: true, answer: format!("answer {row}") }
}

fn a_commit_is_found_by_the_next_leader(home: &dyn Home) {
    let store = home.open();
    let mut leader = Leader::take(&*store);
    assert_eq!(leader.rows, BookRows { epoch: 1, hash: Entry::GENESIS.to_owned(), ..BookRows::default() });
    let row = store.add_input(&ack(1), 5).unwrap();
    let commit = BookCommit {
        cursors: vec![SignalKey { topic: TOPIC.to_owned(), partition: 2, seq: 9 }],
        taken: vec![take(row, 1)],
        incidents: vec![incident("INC-2611-001", 1), incident("INC-2611-002", 2)],
        chains: vec![chain("INC-2611-001")],
        pages: vec![page("p1", "INC-2611-001", Severity::S1, 100)],
        counters: vec![("INC-2611".to_owned(), 2)],
        entries: leader.entries(3),
        notes: vec![("blind".to_owned(), Some("{\"a\":1}".to_owned()))],
        ..BookCommit::default()
    };
    assert_eq!(leader.commit(&*store, commit.clone()), Committed::Done);
    drop(store);

    let found = lead(&*home.open(), "engine-2");
    assert_eq!(found.epoch, 2);
    assert_eq!(found.cursors, commit.cursors);
    assert_eq!(found.incidents, commit.incidents);
    assert_eq!(found.chains, commit.chains);
    assert_eq!(found.pages.iter().map(|row| &row.page).collect::<Vec<_>>(), commit.pages.iter().collect::<Vec<_>>());
    assert_eq!(found.counters, commit.counters);
    assert_eq!(found.notes, vec![("blind".to_owned(), "{\"a\":1}".to_owned())]);
    assert_eq!((found.input_no, &found.hash), (3, &commit.entries[2].hash));
}

fn a_new_leader_fences_the_old_one(home: &dyn Home) {
    let store = home.open();
    let mut old = Leader::take(&*store);
    let mut new = Leader::take(&*home.open());
    let commit = |leader: &Leader| BookCommit { entries: leader.entries(1), ..BookCommit::default() };
    assert_eq!(old.commit(&*store, commit(&old.clone())), Committed::Fenced);
    assert_eq!(store.ledger(0, 9).unwrap(), []);
    assert_eq!(new.commit(&*store, commit(&new.clone())), Committed::Done);
    assert_eq!(store.ledger(0, 9).unwrap().len(), 1);
}

fn who_never_led_is_fenced(home: &dyn Home) {
    let store = home.open();
    for epoch in [0, 1] {
        assert_eq!(store.commit(&BookCommit { epoch, ..BookCommit::default() }).unwrap(), Committed::Fenced);
    }
}

fn signal_keys(inputs: &[Taken]) -> Vec<(i32, i64)> {
    let key = |taken: &Taken| match &taken.input {
        Input::Signal { key, .. } => Some((key.partition, key.seq)),
        _ => None,
    };
    inputs.iter().filter_map(key).collect()
}

fn rows_come_before_signals_and_each_once(home: &dyn Home) {
    let store = home.open();
    let (mut one, mut zero) = (Owner::take(&*store, 1), Owner::take(&*store, 0));
    one.flush(&*store, vec![], &[1, 2]);
    zero.flush(&*store, vec![], &[3]);
    let (a, b) = (store.add_input(&ack(1), 5).unwrap(), store.add_input(&ack(2), 4).unwrap());
    assert!(a < b);
    let inputs = store.inputs(&[], 99).unwrap();
    assert_eq!(inputs[..2], [Taken { row: Some(a), input: ack(1) }, Taken { row: Some(b), input: ack(2) }]);
    assert_eq!(signal_keys(&inputs), [(0, 1), (1, 1), (1, 2)]);

    let mut leader = Leader::take(&*store);
    let cursors = vec![SignalKey { topic: TOPIC.to_owned(), partition: 1, seq: 1 }];
    let commit = BookCommit { taken: vec![take(b, 1)], cursors: cursors.clone(), ..BookCommit::default() };
    assert_eq!(leader.commit(&*store, commit), Committed::Done);
    let inputs = store.inputs(&cursors, 99).unwrap();
    assert_eq!(inputs[0].row, Some(a));
    assert_eq!(signal_keys(&inputs), [(0, 1), (1, 2)]);
    // A cursor ahead of everything gives nothing.
    let ahead: Vec<SignalKey> =
        [0, 1].map(|partition| SignalKey { topic: TOPIC.to_owned(), partition, seq: i64::MAX }).to_vec();
    assert_eq!(signal_keys(&store.inputs(&ahead, 99).unwrap()), []);
}

fn the_limit_is_kept(home: &dyn Home) {
    let store = home.open();
    Owner::take(&*store, 0).flush(&*store, vec![], &[1, 2, 3]);
    Owner::take(&*store, 1).flush(&*store, vec![], &[1, 2, 3]);
    store.add_input(&ack(1), 5).unwrap();
    store.add_input(&ack(2), 5).unwrap();
    let all = store.inputs(&[], 99).unwrap();
    for limit in 0..=9 {
        assert_eq!(store.inputs(&[], limit).unwrap(), all[..limit.min(8)], "{limit}");
    }
}

fn what_was_heard_stands_beside_each_signal(home: &dyn Home) {
    let store = home.open();
    let (zero, one) = (Owner::take(&*store, 0), Owner::take(&*store, 1));
    let (mut a, mut b) = (zero.part(vec![], &[1]), one.part(vec![], &[2]));
    (a.progress.heard, a.progress.caught_up) = (40, true);
    (b.progress.heard, b.progress.caught_up) = (2, false);
    assert_eq!(store.flush(&flush(vec![a, b])).unwrap(), Flushed::Done);
    let told = store.inputs(&[], 9).unwrap().into_iter().map(|taken| match taken.input {
        Input::Signal { heard, caught_up, .. } => (heard, caught_up),
        other => panic!("{other:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>(), [(42, true), (42, false)]);
}

fn an_answer_waits_for_the_leader(home: &dyn Home) {
    let store = home.open();
    let row = store.add_input(&ack(1), 5).unwrap();
    assert_eq!(store.answer(row).unwrap(), None);
    let mut leader = Leader::take(&*store);
    let refused = TakenRow { done: false, answer: "이미 확인됨".to_owned(), ..take(row, 1) };
    leader.commit(&*store, BookCommit { taken: vec![refused], ..BookCommit::default() });
    assert_eq!(home.open().answer(row).unwrap(), Some((false, "이미 확인됨".to_owned())));
    assert!(is_corrupt(&store.answer(row + 1)));
}

fn a_page_handed_over_meanwhile_undoes_the_commit(home: &dyn Home) {
    let pages = ["p1", "p2"].map(|id| page(id, "INC-2611-001", Severity::S1, 100));
    let (store, mut leader) = outbox(home, pages.to_vec());
    let row = store.add_input(&ack(1), 5).unwrap();
    let decided = BookCommit {
        taken: vec![take(row, 1)],
        incidents: vec![incident("INC-2611-001", 1)],
        cancels: ["p1", "p2"].map(|id| Cancel { page: id.to_owned(), why: "acked".to_owned() }).to_vec(),
        entries: leader.entries(1),
        ..BookCommit::default()
    };
    let lease = store.claim("w", None, 1, 20, 50).unwrap().remove(0);
    assert_eq!(leader.commit(&*store, decided.clone()), Committed::HandedMeanwhile);
    assert_eq!(store.ledger(0, 9).unwrap(), []);
    assert_eq!(store.incidents(9).unwrap(), []);
    assert_eq!(store.answer(row).unwrap(), None);
    let inputs = store.inputs(&[], 9).unwrap();
    assert_eq!(inputs[1].input, Input::Handed { page: lease.page.id.clone() });
    // Decided again, without the page that left.
    let cancels = decided.cancels.iter().filter(|cancel| cancel.page != lease.page.id).cloned().collect();
    assert_eq!(leader.commit(&*store, BookCommit { cancels, ..decided }), Committed::Done);
    let cancelled = store.pages(None, 9).unwrap().into_iter().find(|row| row.page.id != lease.page.id).unwrap();
    assert_eq!((cancelled.state, cancelled.detail.as_str()), (PageState::Cancelled, "acked"));
    assert_eq!(store.claim("w", None, 9, 21, 50).unwrap(), []);
}

fn a_page_of_the_same_commit_can_be_cancelled(home: &dyn Home) {
    let store = home.open();
    let mut leader = Leader::take(&*store);
    let commit = BookCommit {
        pages: vec![page("p1", "INC-2611-001", Severity::S1, 100)],
        cancels: vec![Cancel { page: "p1".to_owned(), why: "resolved".to_owned() }],
        ..BookCommit::default()
    };
    assert_eq!(leader.commit(&*store, commit), Committed::Done);
    assert_eq!(store.pages(Some("INC-2611-001"), 9).unwrap()[0].state, PageState::Cancelled);
    assert_eq!(lead(&*store, "b").pages, []);
}

fn cancelling_nonsense_is_refused(home: &dyn Home) {
    let (store, mut leader) = outbox(home, vec![page("p1", "INC-2611-001", Severity::S1, 100)]);
    let cancel = |ids: &[&str]| BookCommit {
        cancels: ids.iter().map(|id| Cancel { page: (*id).to_owned(), why: "x".to_owned() }).collect(),
        ..BookCommit::default()
    };
    assert!(is_corrupt(&leader.try_commit(&*store, cancel(&["p9"]))));
    assert!(is_corrupt(&leader.try_commit(&*store, cancel(&["p1", "p1"]))));
    assert_eq!(store.pages(None, 9).unwrap()[0].state, PageState::Waiting);
}

fn another_page_of_the_same_id_is_refused(home: &dyn Home) {
    let first = page("p1", "INC-2611-001", Severity::S1, 100);
    let (store, mut leader) = outbox(home, vec![first.clone()]);
    let add = |pages: Vec<Page>| BookCommit { pages, ..BookCommit::default() };
    let second = page("p2", "INC-2611-001", Severity::S1, 100);
    assert_eq!(leader.commit(&*store, add(vec![first.clone(), second.clone(), second])), Committed::Done);
    assert_eq!(store.pages(None, 9).unwrap().len(), 2);
    let lease = store.claim("w", None, 1, 20, 50).unwrap().remove(0);
    assert!(store.give_back(&lease, "rate", 30).unwrap());
    assert_eq!(leader.commit(&*store, add(vec![first.clone()])), Committed::Done, "the same page stays as it is");
    assert_eq!(store.claim("w", None, 9, 20, 50).unwrap().len(), 1, "it is not due again before 30");
    let other = Page { text: "다른 내용".to_owned(), ..first };
    assert!(is_corrupt(&leader.try_commit(&*store, add(vec![other.clone()]))));
    let third = page("p3", "INC-2611-001", Severity::S1, 100);
    let twins = vec![third.clone(), Page { text: "다른 내용".to_owned(), ..third }];
    assert!(is_corrupt(&leader.try_commit(&*store, add(twins))));
    assert_eq!(store.pages(None, 9).unwrap().len(), 2);
}

fn the_ledger_has_no_gap_and_its_own_hashes(home: &dyn Home) {
    let store = home.open();
    let mut leader = Leader::take(&*store);
    leader.commit(&*store, BookCommit { entries: leader.clone().entries(2), ..BookCommit::default() });
    type Damage = fn(&mut Vec<Entry>);
    let damages: [Damage; 4] = [
        |entries| drop(entries.remove(0)),
        |entries| entries[1].json.push(' '),
        |entries| entries.swap(0, 1),
        |entries| entries[0] = Entry::after(Entry::GENESIS, 3, 1, "ack", "{}".to_owned()),
    ];
    for (n, damage) in damages.into_iter().enumerate() {
        let mut entries = leader.entries(2);
        damage(&mut entries);
        let commit = BookCommit { entries, counters: vec![("x".to_owned(), 1)], ..BookCommit::default() };
        assert!(is_corrupt(&leader.try_commit(&*store, commit)), "damage {n}");
    }
    leader.commit(&*store, BookCommit { entries: leader.clone().entries(600), ..BookCommit::default() });
    let all = store.ledger(0, 9_999).unwrap();
    assert_eq!((all.len(), ledger::verify(&all)), (602, Ok(())));
    assert_eq!(store.ledger(600, 1).unwrap(), all[600..601]);
    assert_eq!(lead(&*store, "b").counters, []);
}

fn an_input_is_taken_once(home: &dyn Home) {
    let store = home.open();
    let mut leader = Leader::take(&*store);
    let row = store.add_input(&ack(1), 5).unwrap();
    let commit = |rows: &[i64]| BookCommit {
        taken: rows.iter().map(|row| take(*row, 1)).collect(),
        counters: vec![("x".to_owned(), 1)],
        ..BookCommit::default()
    };
    assert!(is_corrupt(&leader.try_commit(&*store, commit(&[row, row]))));
    assert!(is_corrupt(&leader.try_commit(&*store, commit(&[row + 1]))));
    assert_eq!(store.answer(row).unwrap(), None);
    assert_eq!(leader.commit(&*store, commit(&[row])), Committed::Done);
    assert!(is_corrupt(&leader.try_commit(&*store, commit(&[row]))));
}

fn a_cursor_does_not_go_back(home: &dyn Home) {
    let store = home.open();
    let mut leader = Leader::take(&*store);
    let to = |seqs: &[i64]| BookCommit {
        cursors: seqs.iter().map(|seq| SignalKey { topic: TOPIC.to_owned(), partition: 0, seq: *seq }).collect(),
        ..BookCommit::default()
    };
    assert_eq!(leader.commit(&*store, to(&[5])), Committed::Done);
    assert_eq!(leader.commit(&*store, to(&[5])), Committed::Done);
    assert!(is_corrupt(&leader.try_commit(&*store, to(&[4]))));
    assert!(is_corrupt(&leader.try_commit(&*store, to(&[7, 6]))));
    assert_eq!(lead(&*store, "b").cursors[0].seq, 5);
}

fn one_live_incident_per_fingerprint(home: &dyn Home) {
    let store = home.open();
    let mut leader = Leader::take(&*store);
    let put = |incidents: Vec<Incident>| BookCommit { incidents, ..BookCommit::default() };
    assert_eq!(leader.commit(&*store, put(vec![incident("INC-2611-001", 1)])), Committed::Done);
    assert!(is_corrupt(&leader.try_commit(&*store, put(vec![incident("INC-2611-002", 1)]))));
    let closed = Incident { state: IncidentState::Closed, ..incident("INC-2611-001", 1) };
    let both = vec![incident("INC-2611-002", 1), closed.clone()];
    assert_eq!(leader.commit(&*store, put(both)), Committed::Done);
    assert_eq!(leader.commit(&*store, put(vec![closed])), Committed::Done);
    assert!(is_corrupt(&leader.try_commit(&*store, put(vec![incident("INC-2611-001", 1)]))));
    assert_eq!(lead(&*store, "b").incidents, [incident("INC-2611-002", 1)]);
}

fn closed_incidents_are_not_loaded(home: &dyn Home) {
    let store = home.open();
    let mut leader = Leader::take(&*store);
    let resolved = Incident { state: IncidentState::Resolved, ..incident("INC-2611-001", 1) };
    let closed = Incident { state: IncidentState::Closed, ..incident("INC-2611-002", 2) };
    let pages = ["INC-2611-001", "INC-2611-002"].map(|of| page(&format!("sent-{of}"), of, Severity::S1, 100));
    let commit = BookCommit {
        incidents: vec![resolved.clone(), closed],
        chains: vec![chain("INC-2611-001"), chain("INC-2611-002")],
        pages: pages.to_vec(),
        ..BookCommit::default()
    };
    leader.commit(&*store, commit);
    for lease in store.claim("w", None, 9, 20, 50).unwrap() {
        assert!(store.outcome(&lease, &Outcome::Accepted { id: "1".to_owned() }, 25).unwrap());
    }
    let waiting = page("waiting", "INC-2611-002", Severity::S1, 100);
    leader.commit(&*store, BookCommit { pages: vec![waiting], ..BookCommit::default() });
    let found = lead(&*store, "b");
    assert_eq!(found.incidents, [resolved]);
    assert_eq!(found.chains, [chain("INC-2611-001")]);
    let ids: Vec<&str> = found.pages.iter().map(|row| row.page.id.as_str()).collect();
    assert_eq!(ids, ["sent-INC-2611-001", "waiting"], "those told, and those that may still move");
    assert_eq!(found.pages[0].handed, Some(20));
}

/// The ledger may not know yet that it expired; whoever leads next must know the page to hear of that.
fn a_page_that_expired_is_known_to_whoever_leads_next(home: &dyn Home) {
    let store = home.open();
    let commit = BookCommit {
        incidents: vec![incident("INC-2611-001", 1)],
        pages: vec![page("late", "INC-2611-001", Severity::S1, 100)],
        ..BookCommit::default()
    };
    Leader::take(&*store).commit(&*store, commit);
    assert_eq!(store.expire(200).unwrap(), 1, "it was never handed over");
    let found = lead(&*store, "b");
    let pages: Vec<_> = found.pages.iter().map(|row| (row.page.id.as_str(), row.state, row.handed)).collect();
    assert_eq!(pages, [("late", PageState::Failed, None)]);
}

fn what_is_drawn_elsewhere_is_no_input_row(home: &dyn Home) {
    let store = home.open();
    let key = SignalKey { topic: TOPIC.to_owned(), partition: 0, seq: 1 };
    for input in [Input::Due, Input::Signal { key, signal: signal(1, 1), heard: 0, caught_up: false, came: None }] {
        assert!(store.add_input(&input, 1).is_err());
    }
    assert_eq!(store.inputs(&[], 9).unwrap(), []);
}

fn notes_are_put_and_removed(home: &dyn Home) {
    let store = home.open();
    let mut leader = Leader::take(&*store);
    let note = |name: &str, json: Option<&str>| (name.to_owned(), json.map(str::to_owned));
    let put = |notes| BookCommit { notes, ..BookCommit::default() };
    leader.commit(&*store, put(vec![note("a", Some("1")), note("b", Some("2"))]));
    leader.commit(&*store, put(vec![note("a", Some("3")), note("b", None), note("c", None)]));
    assert_eq!(lead(&*store, "b").notes, [("a".to_owned(), "3".to_owned())]);
}

fn notes_are_read_by_the_beginning_of_their_key(home: &dyn Home) {
    let store = home.open();
    let mut leader = Leader::take(&*store);
    let note = |name: &str| (name.to_owned(), Some(format!("of {name}")));
    let names = ["x/10", "x/2", "x/가", "x", "X/1", "y/1", "x%2", "x/_"];
    leader.commit(&*store, BookCommit { notes: names.map(note).to_vec(), ..BookCommit::default() });
    let keys = |prefix: &str| store.notes(prefix).unwrap().into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(keys("x/"), ["x/10", "x/2", "x/_", "x/가"], "by bytes, whatever the database's collation");
    assert_eq!((keys("x/가"), keys("x%"), keys("z")), (vec!["x/가".to_owned()], vec!["x%2".to_owned()], Vec::new()));
    assert_eq!(store.notes("y").unwrap(), [("y/1".to_owned(), "of y/1".to_owned())]);
}

fn a_purge_leaves_what_is_needed(home: &dyn Home) {
    let old_open = page("open", "INC-2611-001", Severity::S1, 100);
    let old_closed = page("closed", "INC-2611-002", Severity::S1, 100);
    let old_waiting = Page { due: 99, ..page("waiting", "INC-2611-002", Severity::S1, 100) };
    let (store, mut leader) = outbox(home, vec![old_open, old_closed, old_waiting]);
    for lease in store.claim("w", None, 9, 20, 50).unwrap() {
        store.outcome(&lease, &Outcome::Accepted { id: "1".to_owned() }, 25).unwrap();
    }
    let mut owner = Owner::take(&*store, 0);
    owner.flush(&*store, vec![], &[1, 2, 3]);
    let taken: Vec<TakenRow> =
        store.inputs(&[], 9).unwrap().iter().filter_map(|taken| taken.row).zip(1..).map(|(r, n)| take(r, n)).collect();
    assert_eq!(taken.len(), 4, "two pages, handed over and accepted");
    let commit = BookCommit {
        incidents: vec![
            incident("INC-2611-001", 1),
            Incident { state: IncidentState::Closed, ..incident("INC-2611-002", 2) },
        ],
        cursors: vec![SignalKey { topic: TOPIC.to_owned(), partition: 0, seq: 2 }],
        taken: taken[..3].to_vec(),
        ..BookCommit::default()
    };
    assert_eq!(leader.commit(&*store, commit), Committed::Done);
    assert!(store.purge(0).unwrap().is_empty());
    let purged = store.purge(1_001).unwrap();
    assert_eq!((purged.signals, purged.inputs, purged.pages), (2, 3, 1));
    assert!(store.purge(1_001).unwrap().is_empty());
    assert_eq!(store.signals(TOPIC, 0, 0, 9).unwrap()[0].0, 3);
    let mut left: Vec<String> = store.pages(None, 9).unwrap().into_iter().map(|row| row.page.id).collect();
    left.sort();
    assert_eq!(left, ["open", "waiting"]);
    assert_eq!(store.inputs(&[], 9).unwrap().iter().filter(|taken| taken.row.is_some()).count(), 1);
}

fn the_newest_are_listed_first(home: &dyn Home) {
    let store = home.open();
    let mut leader = Leader::take(&*store);
    let commit = BookCommit {
        incidents: (1..=5).map(|n| incident(&format!("INC-2611-{n:03}"), n)).collect(),
        pages: (1..=5)
            .map(|n| Page { decided: n, ..page(&format!("p{n}"), "INC-2611-001", Severity::S1, 9) })
            .collect(),
        ..BookCommit::default()
    };
    leader.commit(&*store, commit);
    let incidents: Vec<String> = store.incidents(2).unwrap().into_iter().map(|incident| incident.id).collect();
    assert_eq!(incidents, ["INC-2611-005", "INC-2611-004"]);
    let pages: Vec<String> = store.pages(None, 2).unwrap().into_iter().map(|row| row.page.id).collect();
    assert_eq!(pages, ["p5", "p4"]);
    assert_eq!(store.pages(Some("INC-2611-009"), 2).unwrap(), []);
}
