//! What can only be shown from inside: a statement that fails, a disk that is full, a step that is added.
//!
//! The idea: [`Faulty`] stands between the store and its database and fails at the nth statement, so that every border
//! between two statements of a hand-over is tried. What the calls mean is shown by the suite in `tests/it`.

use std::path::PathBuf;

use super::outbox::Want;
use super::sql::{End, Mode, Row, Sql, Value, transact};
use super::sqlite::{Access, Sqlite};
use super::*;
use crate::model::*;

/// A connection that fails at its statement number `at`, counted from 1; `COMMIT` is one of them.
#[derive(Debug)]
struct Faulty {
    inner: Sqlite,
    seen: usize,
    at: usize,
}

impl Faulty {
    fn count(&mut self) -> Result<()> {
        self.seen += 1;
        if self.seen != self.at {
            return Ok(());
        }
        Err(StoreError::Unavailable { what: "test".to_owned(), why: "planned".to_owned() })
    }
}

impl Sql for Faulty {
    fn begin(&mut self, mode: Mode) -> Result<()> {
        self.inner.begin(mode)
    }

    fn commit(&mut self) -> Result<()> {
        self.count()?;
        self.inner.commit()
    }

    fn rollback(&mut self) {
        self.inner.rollback();
    }

    fn execute(&mut self, sql: &str, args: &[Value]) -> Result<usize> {
        self.count()?;
        self.inner.execute(sql, args)
    }

    fn query(&mut self, sql: &str, args: &[Value]) -> Result<Vec<Row>> {
        self.count()?;
        self.inner.query(sql, args)
    }

    fn claiming(&self) -> &'static str {
        self.inner.claiming()
    }

    fn has_table(&mut self, table: &str) -> Result<bool> {
        self.inner.has_table(table)
    }
}

/// A fresh store in a folder of its own.
struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        Self { _folder: folder, path }
    }

    fn open(&self) -> SqlStore {
        open(&format!("sqlite:{}", self.path.display())).unwrap()
    }
}

/// How SQLite goes about a statement.
fn plan(sql: &mut dyn Sql, text: &str, args: &[Value]) -> String {
    let rows = sql.query(&format!("EXPLAIN QUERY PLAN {text}"), args).unwrap();
    rows.iter().map(|row| row.text(3).unwrap().to_owned()).collect::<Vec<_>>().join("; ")
}

#[test]
fn the_order_of_the_outbox_is_read_off_an_index() {
    let place = Place::new();
    drop(place.open());
    let mut sql = Sqlite::open(&place.path, Access::Write).unwrap();
    let want = Want { worker: "w", severity: None, limit: 5, now: 1, until: 2 };
    let (text, args) = super::outbox::claim_query(&sql, &want);
    let found = plan(&mut sql, &text, &args);
    assert!(found.contains("outbox_wanted") && !found.contains("TEMP B-TREE"), "{found}");
}

fn state(n: i64) -> StateRow {
    let labels = Labels::new([("host", format!("host-{n}"))]);
    StateRow {
        fingerprint: Fingerprint::of("rule", &labels),
        rule: "rule".into(),
        labels,
        watch: "w".to_owned(),
        state: State::Pending,
        severity: None,
        since: [Some(n), None, None, None],
        occurred: Some(n),
        recovering: None,
        unknown: None,
        unknown_since: None,
        newest: Some(n),
        valued: Some(n),
        again: None,
        value: Some(f64::NAN),
    }
}

fn signal(at: i64) -> Signal {
    let row = state(at);
    Signal {
        rule: row.rule,
        labels: row.labels,
        fingerprint: row.fingerprint,
        from: State::Pending,
        to: State::Firing,
        severity: Some(Severity::S1),
        value: Some(0.5),
        unknown: None,
        at,
        since: Some(at),
        ended: None,
        acted: true,
    }
}

/// The part that leads from `seq` − 1 to `seq` on partition 0.
fn step(epoch: i64, seq: i64, rows: i64) -> Flush {
    let progress = Progress { offset: seq * 10, seq, clock: seq, ..Progress::default() };
    let rows = (0..rows).map(|n| RowChange::Put(Box::new(state(seq * 100_000 + n)))).collect();
    let signals = vec![(seq, signal(seq))];
    let part =
        PartFlush { partition: 0, epoch, from: (seq - 1) * 10, progress, rows, signals, came: Default::default() };
    Flush { topic: "t".to_owned(), parts: vec![part] }
}

fn page(id: &str) -> Page {
    Page { id: id.to_owned(), to: "msp-duty-1".to_owned(), wanted: 100, deadline: 100, ..Page::sample(1) }
}

/// Everything a person could read, as one text.
fn contents(store: &SqlStore) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        store.partitions().unwrap(),
        store.states(10_000).unwrap(),
        store.signals("t", 0, 0, 10_000).unwrap(),
        store.inputs(&[], 10_000).unwrap(),
        store.incidents(100).unwrap(),
        store.pages(None, 100).unwrap(),
        store.ledger(0, 100).unwrap(),
        store.read(|sql| sql.query("SELECT * FROM cursors", &[])).unwrap(),
    )
}

/// Runs `work` once per statement it makes, failing there: each time nothing may be left of it. Then lets it through.
fn fails_whole<T: std::fmt::Debug>(place: &Place, work: impl Fn(&mut dyn Sql) -> Result<End<T>>) -> usize {
    let store = place.open();
    let before = contents(&store);
    for at in 1.. {
        let inner = Sqlite::open(&place.path, Access::Write).unwrap();
        let mut faulty = Faulty { inner, seen: 0, at };
        let answer = transact(&mut faulty, Mode::Write, &work);
        if answer.is_ok() {
            assert_ne!(contents(&store), before, "it did nothing");
            return at;
        }
        assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
        assert_eq!(contents(&store), before, "statement {at} left something behind");
    }
    unreachable!("the count has no end")
}

#[test]
fn a_hand_over_that_fails_at_any_statement_leaves_nothing() {
    let place = Place::new();
    let store = place.open();
    let epoch = store.own("t", 0, "a").unwrap().epoch;
    let mut one = step(epoch, 1, 600);
    one.parts[0].rows.push(RowChange::Remove(Fingerprint(1)));
    assert!(fails_whole(&place, |sql| flush::flush(sql, &one)) >= 6);

    let leader = store.lead("a", &store.seat().unwrap()).unwrap().unwrap().epoch;
    let row = store.add_input(&Input::Reload { hash: "h".to_owned(), contacts: Vec::new() }, 1).unwrap();
    let commit = BookCommit {
        epoch: leader,
        cursors: vec![SignalKey { topic: "t".to_owned(), partition: 0, seq: 1 }],
        taken: vec![TakenRow { row, input_no: 1, done: true, answer: String::new() }],
        pages: vec![page("p1"), page("p2")],
        cancels: vec![Cancel { page: "p2".to_owned(), why: "acked".to_owned() }],
        counters: vec![("INC-2611".to_owned(), 1)],
        entries: vec![Entry::after(Entry::GENESIS, 1, 1, "reload", "{}".to_owned())],
        notes: vec![("blind".to_owned(), Some("{}".to_owned()))],
        ..BookCommit::default()
    };
    assert!(fails_whole(&place, |sql| book::commit(sql, &commit)) >= 9);

    let want = Want { worker: "w", severity: None, limit: 5, now: 10, until: 20 };
    assert!(fails_whole(&place, |sql| outbox::claim(sql, &want)) >= 5);
    let lease = store.reclaim("w", 1, 20, 40).unwrap().remove(0);
    let accepted = Outcome::Accepted { id: "7".to_owned() };
    assert!(fails_whole(&place, |sql| outbox::outcome(sql, &lease, &accepted, 21)) >= 4);
}

#[test]
fn a_full_disk_loses_nothing_and_is_survived() {
    let place = Place::new();
    let store = place.open();
    let epoch = store.own("t", 0, "a").unwrap().epoch;
    assert_eq!(store.flush(&step(epoch, 1, 10)).unwrap(), Flushed::Done);
    let before = contents(&store);
    let limit = |pages: i64| {
        let text = format!("PRAGMA max_page_count = {pages}");
        store.writer().unwrap().query(&text, &[]).unwrap()
    };
    let pages = store.writer().unwrap().query("PRAGMA page_count", &[]).unwrap()[0].int(0).unwrap();
    limit(pages + 1);
    for _ in 0..3 {
        let full = store.flush(&step(epoch, 2, 5_000));
        assert!(matches!(full, Err(StoreError::Unavailable { .. })), "{full:?}");
        assert_eq!(contents(&store), before);
    }
    limit(1_000_000);
    assert_eq!(store.flush(&step(epoch, 2, 5_000)).unwrap(), Flushed::Done);
    assert_eq!(store.progress("t", 0).unwrap().unwrap().1.offset, 20);
}

#[test]
fn an_added_step_runs_once_on_an_older_database() {
    let place = Place::new();
    let store = place.open();
    let epoch = store.own("t", 0, "a").unwrap().epoch;
    store.flush(&step(epoch, 1, 1)).unwrap();
    let added = "CREATE TABLE added (n BIGINT);\nINSERT INTO added (n) VALUES (1);\n";
    let steps: Vec<&str> = schema::STEPS.into_iter().chain([added]).collect();
    let mut sql = Sqlite::open(&place.path, Access::Write).unwrap();
    for _ in 0..2 {
        schema::migrate(&mut sql, "test", &steps).unwrap();
        assert_eq!(sql.query("SELECT n FROM added", &[]).unwrap().len(), 1);
    }
    assert_eq!(store.progress("t", 0).unwrap().unwrap().1.offset, 10);
    let older = schema::migrate(&mut sql, "test", &schema::STEPS);
    let newer = format!("version {}", steps.len());
    assert!(matches!(&older, Err(StoreError::Refused { why, .. }) if why.contains(&newer)), "{older:?}");
}

#[test]
fn a_step_that_fails_leaves_the_older_version() {
    let place = Place::new();
    drop(place.open());
    let broken = "CREATE TABLE added (n BIGINT);\nINSERT INTO nowhere VALUES (1);\n";
    let steps: Vec<&str> = schema::STEPS.into_iter().chain([broken]).collect();
    let mut sql = Sqlite::open(&place.path, Access::Write).unwrap();
    assert!(schema::migrate(&mut sql, "test", &steps).is_err());
    schema::check(&mut sql, "test", &schema::STEPS).unwrap();
    assert!(sql.query("SELECT n FROM added", &[]).is_err());
}

#[test]
fn a_transaction_left_open_by_a_panic_is_undone() {
    let place = Place::new();
    let store = place.open();
    let before = contents(&store);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _: Result<()> = transact(store.writer().unwrap().as_mut(), Mode::Write, |sql| {
            sql.execute("DELETE FROM sequences", &[])?;
            panic!("planned");
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(store.add_input(&Input::Reload { hash: "h".to_owned(), contacts: Vec::new() }, 1).unwrap(), 1);
    assert_ne!(contents(&store), before);
}

#[test]
fn rows_that_make_no_sense_are_named() {
    let place = Place::new();
    let store = place.open();
    let epoch = store.own("t", 0, "a").unwrap().epoch;
    store.flush(&step(epoch, 1, 1)).unwrap();
    store.add_input(&Input::Reload { hash: "h".to_owned(), contacts: Vec::new() }, 1).unwrap();
    let spoil = |text: &str| store.writer().unwrap().execute(text, &[]).unwrap();
    let cases: [(&str, &dyn Fn() -> Option<StoreError>); 5] = [
        ("UPDATE inputs SET json = '{}'", &|| store.inputs(&[], 9).err()),
        ("UPDATE signals SET json = 'x'", &|| store.signals("t", 0, 0, 9).err()),
        ("UPDATE states SET json = '[1]'", &|| store.states(9).err()),
        ("UPDATE progress SET cursor_tick = 5", &|| store.progress("t", 0).err()),
        ("UPDATE progress SET caught_up = 'yes', cursor_tick = NULL", &|| store.progress("t", 0).err()),
    ];
    for (text, read) in cases {
        spoil(text);
        let error = read();
        assert!(matches!(error, Some(StoreError::Corrupt { .. })), "{text}: {error:?}");
    }
}

#[test]
fn a_locked_database_is_unavailable_and_not_lost() {
    let place = Place::new();
    let store = place.open();
    let epoch = store.own("t", 0, "a").unwrap().epoch;
    store.writer().unwrap().query("PRAGMA busy_timeout = 0", &[]).unwrap();
    let mut other = Sqlite::open(&place.path, Access::Write).unwrap();
    other.begin(Mode::Write).unwrap();
    let answer = store.flush(&step(epoch, 1, 1));
    assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    assert_eq!(store.progress("t", 0).unwrap().unwrap().1.offset, 0, "readers are not held up");
    other.rollback();
    assert_eq!(store.flush(&step(epoch, 1, 1)).unwrap(), Flushed::Done);
}

/// What a flush costs that moves only offsets: the life of a quiet engine, one every 5 s.
#[test]
fn a_flush_of_offsets_writes_one_page() {
    let place = Place::new();
    let store = place.open();
    let epochs: Vec<i64> = (0..4).map(|partition| store.own("t", partition, "a").unwrap().epoch).collect();
    let wal = place.path.with_extension("db-wal");
    let mut grown = Vec::new();
    for n in 0..20 {
        let part = |(partition, epoch): (i32, &i64)| PartFlush {
            partition,
            epoch: *epoch,
            from: n * 10,
            progress: Progress { offset: n * 10 + 10, rules: "r".repeat(64), ..Progress::default() },
            rows: Vec::new(),
            signals: Vec::new(),
            came: Default::default(),
        };
        let parts = (0..).zip(&epochs).map(part).collect();
        let before = std::fs::metadata(&wal).unwrap().len();
        assert_eq!(store.flush(&Flush { topic: "t".to_owned(), parts }).unwrap(), Flushed::Done);
        grown.push(std::fs::metadata(&wal).unwrap().len() - before);
    }
    // A frame of the journal is its header and one page.
    assert_eq!(grown.last(), Some(&(24 + 4096)), "{grown:?}");
}
