//! What only a file can show: kill -9 at any moment, older and newer versions, reading beside a service, and a second
//! writer that takes its time.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use bongsu::model::*;
use bongsu::store::{self, Store, StoreError};
use rusqlite::Connection;

use crate::store_suite::*;

/// Names the file that the child process of the kill test writes to.
const CHILD: &str = "BONGSU_TEST_STORE";
/// Partitions per flush of the child.
const PARTITIONS: i32 = 3;

/// Not a test of its own: what [`a_killed_writer_leaves_whole_flushes_only`] starts and kills.
#[test]
fn child_that_flushes_until_it_is_killed() {
    let Some(url) = std::env::var_os(CHILD) else { return };
    let store = store::open(&url.into_string().unwrap()).unwrap();
    let mut owners: Vec<Owner> = (0..PARTITIONS).map(|partition| Owner::take(&store, partition)).collect();
    loop {
        let parts: Vec<PartFlush> = owners
            .iter()
            .map(|owner| {
                let first = i64::from(owner.partition) * 1_000;
                owner.part((first..first + 200).map(|n| put(n, owner.progress.offset + 10)).collect(), &[first, first])
            })
            .collect();
        for (owner, part) in owners.iter_mut().zip(&parts) {
            owner.progress = part.progress.clone();
        }
        assert_eq!(store.flush(&flush(parts)).unwrap(), Flushed::Done);
        use std::io::Write;
        // Past the harness's capture: the parent counts these lines.
        writeln!(std::io::stderr().lock(), "flushed {}", owners[0].progress.offset).unwrap();
    }
}

#[test]
fn a_killed_writer_leaves_whole_flushes_only() {
    let home = InSqlite::default();
    let mut before = 0;
    for kill in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store_sqlite::child_that_flushes_until_it_is_killed", "--nocapture"])
            .env(CHILD, home.url())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let said: Vec<String> = lines.filter(|line| line.starts_with("flushed")).take(2 + 3 * kill).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged: i64 = said.last().unwrap().strip_prefix("flushed ").unwrap().parse().unwrap();
        before = whole(&home, acknowledged.max(before));
    }
}

/// Checks that every partition holds all of the same flush, at or behind `acknowledged`; returns its offset.
fn whole(home: &InSqlite, acknowledged: i64) -> i64 {
    let store = store::open_readonly(&home.url()).unwrap();
    let offset = store.progress(TOPIC, 0).unwrap().unwrap().1.offset;
    assert!(offset >= acknowledged, "lost: {offset} < {acknowledged}");
    for partition in 0..PARTITIONS {
        let (_, progress) = store.progress(TOPIC, partition).unwrap().unwrap();
        assert_eq!(progress.offset, offset, "partition {partition}");
        let signals = store.signals(TOPIC, partition, 0, 99_999).unwrap();
        assert_eq!(signals.len() as i64, progress.seq);
        assert_eq!(progress.seq, offset / 10 * 2);
    }
    let rows = store.states(9_999).unwrap();
    assert_eq!(rows.len(), 600);
    assert!(rows.iter().all(|row| row.newest == Some(offset)), "rows of another flush");
    offset
}

fn refused(answer: Result<store::SqlStore, StoreError>) -> (String, String) {
    match answer {
        Err(StoreError::Refused { what, why, help }) => {
            assert!(!help.is_empty());
            (what, why)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_newer_database_is_refused_untouched() {
    let home = InSqlite::default();
    drop(home.open());
    let db = Connection::open(home.path()).unwrap();
    db.execute_batch("UPDATE schema_version SET version = 99; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(db);
    let bytes = std::fs::read(home.path()).unwrap();
    let (what, why) = refused(store::open(&home.url()));
    assert!(what.contains("state.db") && why.contains("version 99"), "{what}: {why}");
    let (_, why) = refused(store::open_readonly(&home.url()));
    assert!(why.contains("version 99"), "{why}");
    assert_eq!(std::fs::read(home.path()).unwrap(), bytes);
}

#[test]
fn a_file_of_version_1_opens_with_all_its_rows() {
    let home = InSqlite::default();
    Connection::open(home.path()).unwrap().execute_batch(include_str!("store_v1.sql")).unwrap();
    let store = home.open();
    let (epoch, progress) = store.progress(TOPIC, 0).unwrap().unwrap();
    assert_eq!((epoch, progress.offset, progress.seq, progress.caught_up), (1, 10, 1, true));
    assert_eq!(progress.cursor, Some(Cursor { tick: 1_000, fingerprint: Fingerprint(7) }));
    assert_eq!(store.states(9).unwrap(), [state(1, 5)]);
    assert_eq!(store.signals(TOPIC, 0, 0, 9).unwrap(), [(1, signal(1, 1_000))]);
    let inputs = store.inputs(&[], 9).unwrap();
    assert_eq!(inputs[0].input, Input::Reload { hash: "h".to_owned(), contacts: Vec::new() });
    assert_eq!(store.answer(1).unwrap(), Some((true, "확인".to_owned())));
    assert_eq!(store.seat().unwrap(), Seat { epoch: 1, owner: "engine-1".to_owned(), beat: 0 });
    let book = lead(&*store, "b");
    assert_eq!(book.epoch, 2);
    assert_eq!(book.cursors, [SignalKey { topic: TOPIC.to_owned(), partition: 0, seq: 1 }]);
    assert_eq!(book.incidents, [incident("INC-2611-001", 1)]);
    // That version knew of no haste.
    assert_eq!(book.chains, [ChainRow { hurry: None, ..chain("INC-2611-001") }]);
    // Nor when a page was wanted: a tenth of its life after its decision.
    let old = Page { wanted: 14, ..page("p1", "INC-2611-001", Severity::S1, 100) };
    assert_eq!(book.pages[0].page, old);
    assert_eq!(book.counters, [("INC-2611".to_owned(), 1)]);
    assert_eq!(book.notes, [("blind".to_owned(), "{}".to_owned())]);
    let entries = store.ledger(0, 9).unwrap();
    assert_eq!((entries.len(), store::ledger::verify(&entries)), (1, Ok(())));
    assert_eq!(store.add_input(&Input::Reload { hash: String::new(), contacts: Vec::new() }, 1).unwrap(), 3);
}

#[test]
fn what_cannot_be_a_store_is_refused_with_advice() {
    let home = InSqlite::default();
    refused(store::open_readonly(&home.url()));
    assert!(!home.path().exists(), "reading made a file");
    refused(store::open("sqlite:/nowhere/at/all/state.db"));
    refused(store::open("postgres://localhost/bongsu"));
    refused(store::open("postgres://bongsu@db.example.test/bongsu"));
    refused(store::open("sqlite:"));
    std::fs::write(home.path(), "this is a text of more than a hundred bytes. ".repeat(30)).unwrap();
    assert!(matches!(store::open(&home.url()), Err(StoreError::Corrupt { .. })));
    refused(store::open_readonly(&home.url()));
    let empty = InSqlite::default();
    drop(Connection::open(empty.path()).unwrap().execute_batch("CREATE TABLE other (n)"));
    refused(store::open_readonly(&empty.url()));
}

#[test]
fn reading_beside_a_service_sees_its_commits_and_changes_nothing() {
    let home = InSqlite::default();
    let service = home.open();
    let mut owner = Owner::take(&*service, 0);
    let reader = store::open_readonly(&home.url()).unwrap();
    for n in 1..=3 {
        owner.flush(&*service, vec![put(n, n)], &[n]);
        assert_eq!(reader.signals(TOPIC, 0, 0, 9).unwrap().len() as i64, n);
    }
    assert!(matches!(reader.own(TOPIC, 0, "x"), Err(StoreError::Refused { .. })));
    assert!(matches!(reader.lead("x", &Seat::default()), Err(StoreError::Refused { .. })));
    assert!(matches!(
        reader.add_input(&Input::Reload { hash: String::new(), contacts: Vec::new() }, 1),
        Err(StoreError::Refused { .. })
    ));
    // Also where no service runs: nothing is open, the journal has been folded in.
    drop((service, reader));
    assert_eq!(store::open_readonly(&home.url()).unwrap().states(9).unwrap().len(), 3);
}

#[test]
fn a_slow_writers_input_is_not_skipped() {
    let home = InSqlite::default();
    let store = home.open();
    let mut leader = Leader::take(&*store);
    let mut slow = Connection::open(home.path()).unwrap();
    let open = slow.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    open.execute("UPDATE sequences SET last = last + 1 WHERE name = 'inputs'", []).unwrap();
    open.execute(
        "INSERT INTO inputs (id, at, kind, json) VALUES (1, 0, 'handed', '{\"kind\":\"handed\",\"page\":\"slow\"}')",
        [],
    )
    .unwrap();
    assert_eq!(store.inputs(&[], 9).unwrap(), [], "not committed");
    std::thread::scope(|scope| {
        let fast = scope.spawn(|| store.add_input(&Input::Handed { page: "fast".to_owned() }, 1).unwrap());
        open.commit().unwrap();
        assert_eq!(fast.join().unwrap(), 2, "it waited for the slow one");
    });
    let pages = |inputs: Vec<Taken>| -> Vec<String> {
        inputs.into_iter().map(|taken| wire::input_to_json(&taken.input)["page"].to_string()).collect()
    };
    assert_eq!(pages(store.inputs(&[], 9).unwrap()), ["\"slow\"", "\"fast\""]);
    // Even a row that appears behind one that was taken (another database may allow it) is not passed over.
    let take = |row| TakenRow { row, input_no: row, done: true, answer: String::new() };
    leader.commit(&*store, BookCommit { taken: vec![take(1), take(2)], ..BookCommit::default() });
    slow.execute(
        "INSERT INTO inputs (id, at, kind, json) VALUES (0, 0, 'handed', '{\"kind\":\"handed\",\"page\":\"odd\"}')",
        [],
    )
    .unwrap();
    assert_eq!(pages(store.inputs(&[], 9).unwrap()), ["\"odd\""]);
}

#[test]
fn reading_stops_before_a_signal_that_is_missing() {
    let home = InSqlite::default();
    let store = home.open();
    Owner::take(&*store, 0).flush(&*store, vec![], &[1, 2, 3]);
    Owner::take(&*store, 1).flush(&*store, vec![], &[4]);
    Connection::open(home.path()).unwrap().execute("DELETE FROM signals WHERE partition = 0 AND seq = 2", []).unwrap();
    let seqs: Vec<(i32, i64)> = store
        .inputs(&[], 9)
        .unwrap()
        .into_iter()
        .filter_map(|taken| match taken.input {
            Input::Signal { key, .. } => Some((key.partition, key.seq)),
            _ => None,
        })
        .collect();
    assert_eq!(seqs, [(0, 1), (1, 1)], "partition 1 must not suffer");
}

#[test]
fn a_commit_is_on_disk_before_it_is_answered() {
    let home = InSqlite::default();
    let store = home.open();
    let mut owner = Owner::take(&*store, 0);
    owner.flush(&*store, vec![put(1, 1)], &[1]);
    // The files as they lie there, without the process's memory: what a killed machine would find.
    let copy = InSqlite::default();
    for end in ["", "-wal"] {
        let from = format!("{}{end}", home.path().display());
        std::fs::copy(Path::new(&from), format!("{}{end}", copy.path().display())).unwrap();
    }
    assert_eq!(copy.open().states(9).unwrap(), [state(1, 1)]);
}
