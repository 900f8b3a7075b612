//! Who waits for whom on PostgreSQL: what `BEGIN IMMEDIATE` gives on SQLite must come from row locks.
//!
//! The idea: another process is played by a plain session that stops in the middle of its transaction. Each test says
//! what the store does meanwhile, and what it finds once the other has ended.

use std::sync::mpsc::channel;

use bongsu::model::*;
use bongsu::store::{PostgresOptions, Store, StoreError};

use crate::postgres::{InPostgres, Session};
use crate::site::eventually;
use crate::store_suite::*;

/// Runs `call` while `other` is in the middle of its transaction; once `call` waits for a lock, `other` ends by `end`.
fn while_held<T: Send>(home: &InPostgres, other: &Session, end: &str, call: impl FnOnce() -> T + Send) -> T {
    let watch = home.admin();
    std::thread::scope(|scope| {
        let called = scope.spawn(call);
        eventually("it waits for the lock", || {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                           AND datname = current_database()";
            (watch.number(waiting) > 0).then_some(())
        });
        other.run(end);
        called.join().unwrap()
    })
}

#[test]
fn a_slow_writers_input_is_not_skipped() {
    let home = InPostgres::default();
    let store = home.open();
    let mut leader = Leader::take(&*store);
    let slow = home.admin();
    slow.run(
        "BEGIN; UPDATE sequences SET last = last + 1 WHERE name = 'inputs'; INSERT INTO inputs (id, at, kind, json) \
         VALUES (1, 0, 'handed', '{\"kind\":\"handed\",\"page\":\"slow\"}')",
    );
    assert_eq!(store.inputs(&[], 9).unwrap(), [], "not committed");
    let fast =
        while_held(&home, &slow, "COMMIT", || store.add_input(&Input::Handed { page: "fast".to_owned() }, 1).unwrap());
    assert_eq!(fast, 2, "it waited for the slow one");
    let pages = |inputs: Vec<Taken>| -> Vec<String> {
        inputs.into_iter().map(|taken| wire::input_to_json(&taken.input)["page"].to_string()).collect()
    };
    assert_eq!(pages(store.inputs(&[], 9).unwrap()), ["\"slow\"", "\"fast\""]);
    // A row that becomes visible behind one that was taken (somebody drew an id another way) is not passed over.
    slow.run(
        "BEGIN; INSERT INTO inputs (id, at, kind, json) VALUES (0, 0, 'handed', '{\"kind\":\"handed\",\"page\":\"odd\"}')",
    );
    let take = |row| TakenRow { row, input_no: row, done: true, answer: String::new() };
    let commit = BookCommit { taken: vec![take(1), take(2)], ..BookCommit::default() };
    assert_eq!(leader.commit(&*store, commit), Committed::Done);
    assert_eq!(store.inputs(&[], 9).unwrap(), []);
    slow.run("COMMIT");
    assert_eq!(pages(store.inputs(&[], 9).unwrap()), ["\"odd\""]);
}

#[test]
fn a_flush_waits_for_the_new_owner_and_is_fenced() {
    let home = InPostgres::default();
    let store = home.open();
    let mut owner = Owner::take(&*store, 0);
    let other = home.admin();
    other.run("BEGIN; UPDATE progress SET epoch = epoch + 1, owner = 'other' WHERE partition = 0");
    let done = while_held(&home, &other, "COMMIT", || owner.flush(&*store, vec![put(1, 1)], &[1]));
    assert_eq!(done, Flushed::Fenced(vec![0]));
    assert_eq!((store.signals(TOPIC, 0, 0, 9).unwrap(), store.states(9).unwrap()), (vec![], vec![]));
}

#[test]
fn a_new_owner_sees_the_flush_that_was_under_way() {
    let home = InPostgres::default();
    let store = home.open();
    let mut owner = Owner::take(&*store, 0);
    owner.flush(&*store, vec![put(1, 1)], &[1]);
    let flushing = home.admin();
    flushing.run("BEGIN; UPDATE progress SET next_offset = 777 WHERE partition = 0; DELETE FROM states");
    let owned = while_held(&home, &flushing, "COMMIT", || store.own(TOPIC, 0, "b").unwrap());
    assert_eq!((owned.epoch, owned.progress.unwrap().offset, owned.rows), (2, 777, vec![]));
}

#[test]
fn an_answer_that_was_lost_is_settled_after_the_commit_under_way() {
    let home = InPostgres::default();
    let store = home.open();
    Owner::take(&*store, 0);
    let flushing = home.admin();
    flushing.run("BEGIN; UPDATE progress SET next_offset = 10 WHERE partition = 0");
    let (_, progress) = while_held(&home, &flushing, "COMMIT", || store.progress(TOPIC, 0).unwrap()).unwrap();
    assert_eq!(progress.offset, 10, "a reader that does not wait would have said 0, and the flush be written again");
}

#[test]
fn the_old_leader_waits_for_the_new_one_and_is_fenced() {
    let home = InPostgres::default();
    let store = home.open();
    let mut leader = Leader::take(&*store);
    let successor = home.admin();
    successor.run("BEGIN; UPDATE leader SET epoch = epoch + 1");
    let entries = leader.entries(1);
    let commit = BookCommit { entries, ..BookCommit::default() };
    let done = while_held(&home, &successor, "COMMIT", || leader.commit(&*store, commit));
    assert_eq!(done, Committed::Fenced);
    assert_eq!(store.ledger(0, 9).unwrap(), []);
}

#[test]
fn who_wants_the_seat_waits_for_the_commit_under_way_and_does_not_get_it() {
    let home = InPostgres::default();
    let store = home.open();
    Leader::take(&*store);
    let old = home.admin();
    let entry = Entry::after(Entry::GENESIS, 1, 1, "ack", "{}".to_owned());
    old.run(&format!(
        "BEGIN; UPDATE leader SET beat = beat + 1 WHERE epoch = 1; \
         INSERT INTO ledger (input_no, at, kind, json, hash) VALUES (1, 1, 'ack', '{{}}', '{}')",
        entry.hash
    ));
    let seen = store.seat().unwrap();
    let taken = while_held(&home, &old, "COMMIT", || store.lead("b", &seen).unwrap());
    assert_eq!(taken, None, "whoever sits there was at work");
    let rows = lead(&*store, "b");
    assert_eq!((rows.epoch, rows.input_no, rows.hash), (2, 1, entry.hash));
}

#[test]
fn a_new_leader_sees_the_commit_that_was_undone() {
    let home = InPostgres::default();
    let store = home.open();
    Leader::take(&*store);
    let old = home.admin();
    old.run("BEGIN; UPDATE leader SET beat = beat + 1 WHERE epoch = 1");
    let rows = while_held(&home, &old, "ROLLBACK", || lead(&*store, "b"));
    assert_eq!((rows.epoch, rows.input_no), (2, 0));
}

#[test]
fn a_cancel_waits_for_the_claim_and_learns_of_it() {
    let home = InPostgres::default();
    let (store, mut leader) = outbox(&home, vec![page("p", "INC-2611-001", Severity::S1, 95)]);
    let claimer = home.admin();
    claimer.run("BEGIN; UPDATE outbox SET state = 'handed', worker = 'w', lease_epoch = 1 WHERE id = 'p'");
    let cancels = vec![Cancel { page: "p".to_owned(), why: "acked".to_owned() }];
    let commit = BookCommit { cancels, entries: leader.entries(1), ..BookCommit::default() };
    let done = while_held(&home, &claimer, "COMMIT", || leader.commit(&*store, commit));
    assert_eq!(done, Committed::HandedMeanwhile);
    assert_eq!(store.ledger(0, 9).unwrap(), [], "the ack is decided again, knowing it");
}

#[test]
fn a_claim_goes_round_what_others_hold_and_never_takes_what_was_cancelled() {
    let home = InPostgres::default();
    let pages = ["held", "free"].map(|id| page(id, "INC-2611-001", Severity::S1, 95));
    let (store, _) = outbox(&home, pages.to_vec());
    let leader = home.admin();
    leader.run("BEGIN; UPDATE outbox SET state = 'cancelled', detail = 'acked' WHERE id = 'held'");
    let ids = |leases: Vec<Lease>| leases.into_iter().map(|lease| lease.page.id).collect::<Vec<_>>();
    assert_eq!(ids(store.claim("w", None, 5, 20, 50).unwrap()), ["free"], "it did not wait");
    assert_eq!(ids(store.claim("w", None, 5, 20, 50).unwrap()), [""; 0]);
    leader.run("COMMIT");
    assert_eq!(ids(store.claim("w", None, 5, 20, 50).unwrap()), [""; 0]);
}

#[test]
fn many_senders_on_one_server_share_the_pages() {
    let home = InPostgres::default();
    let pages = (0..40).map(|n| page(&format!("p{n}"), "INC-2611-001", Severity::S2, 90)).collect();
    let (_, _) = outbox(&home, pages);
    let (told, heard) = channel();
    std::thread::scope(|scope| {
        for n in 0..4 {
            let (store, told) = (home.open(), told.clone());
            scope.spawn(move || {
                loop {
                    let leases = store.claim(&format!("w{n}"), None, 3, 20, 50).unwrap();
                    // Others hold the rest for a moment: only the table says that nothing is left.
                    let left = store.pages(None, 99).unwrap().iter().any(|row| row.state == PageState::Waiting);
                    if leases.is_empty() && !left {
                        return;
                    }
                    for lease in leases {
                        assert!(store.outcome(&lease, &Outcome::Accepted { id: n.to_string() }, 30).unwrap());
                        told.send(lease.page.id).unwrap();
                    }
                }
            });
        }
    });
    drop(told);
    let mut all: Vec<String> = heard.iter().collect();
    all.sort();
    let wanted = all.len();
    all.dedup();
    assert_eq!((all.len(), wanted), (40, 40));
    let inputs = home.open().inputs(&[], 999).unwrap();
    assert_eq!(inputs.iter().filter_map(|taken| taken.row).collect::<Vec<_>>(), (1..=80).collect::<Vec<_>>());
}

#[test]
fn a_statement_that_takes_too_long_is_ended_and_the_connection_goes_on() {
    let home = InPostgres::default();
    let store = home.open_with(&PostgresOptions { statement_timeout: 200, ..PostgresOptions::default() });
    let mut owner = Owner::take(&store, 0);
    let other = home.admin();
    other.run("BEGIN; UPDATE progress SET owner = 'slow' WHERE partition = 0");
    let part = owner.part(vec![], &[1]);
    let late = store.flush(&flush(vec![part]));
    assert!(matches!(&late, Err(StoreError::Unavailable { why, .. }) if why.contains("57014")), "{late:?}");
    other.run("ROLLBACK");
    assert_eq!(owner.flush(&store, vec![], &[1]), Flushed::Done);
}

#[test]
fn a_server_without_a_free_connection_is_unavailable_and_what_is_open_goes_on() {
    let home = InPostgres::default();
    drop(home.open());
    let admin = home.admin();
    admin.run("CREATE ROLE narrow LOGIN CONNECTION LIMIT 1");
    admin.run("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO narrow");
    // The first connection writes; reading would be the second.
    let limited = bongsu::store::open(&crate::postgres::Postgres::shared().url("narrow", &home.database)).unwrap();
    let refused = limited.cursors();
    assert!(matches!(&refused, Err(StoreError::Unavailable { why, .. }) if why.contains("53300")), "{refused:?}");
    assert_eq!(limited.own(TOPIC, 7, "a").unwrap().epoch, 1);
    admin.run("ALTER ROLE narrow CONNECTION LIMIT 2");
    assert_eq!(limited.cursors().unwrap(), []);
}
