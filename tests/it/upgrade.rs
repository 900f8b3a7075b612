//! A data directory of the release before: the new one goes on with it as if nothing had happened.
//!
//! The idea: the fixture is what a process left that was killed with something on every hand-over: records not read,
//! a signal not taken, a page not claimed, a page claimed and not sent, an ack, an end, and a `for` half-way. It is SQL
//! text of the release that wrote it ([`write_the_fixture`]) and is never edited. The test's clock goes on where that
//! one stood.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bongsu::model::{Incident, IncidentState, Input, PageState, Reason, Severity};
use bongsu::store;
use bongsu::time::{Clock as _, HOUR, MINUTE, Ms, SECOND};
use rusqlite::Connection;

use crate::postgres::InPostgres;
use crate::site::Site;
use crate::virtual_site::VirtualSite;

/// Monday, 2026-01-05 09:00 KST.
const BEGINNING: Ms = 1_767_571_200_000;
/// When the old process was killed.
const KILLED: Ms = BEGINNING + 20 * SECOND;
/// When the new one starts.
const STARTED: Ms = KILLED + 10 * SECOND;
/// The first tick of the half-way `for`.
const HALF_WAY_SINCE: Ms = BEGINNING + 6 * SECOND;

const RULES: &str = "  - id: load-high
    title: 부하 과다
    domain: 인프라
    metric: app.load
    by: [host]
    window: { fn: last, over: 10m }
    when: above
    severity: { S1: { value: 90 }, S2: { value: 70, for: 2m } }
";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade").join(name)
}

/// Fires at `host`, and everybody hears of it.
fn fire(old: &mut VirtualSite, host: &str) {
    old.send(host, "app.load", 99.0);
    old.pass(SECOND);
    old.pass(SECOND);
}

fn incident(store: &dyn store::Store, host: &str) -> Incident {
    let mut all = store.incidents(100).unwrap();
    all.retain(|incident| incident.labels.get("host") == Some(host));
    assert_eq!(all.len(), 1, "{host}: {all:?}");
    all.remove(0)
}

/// Leaves something on every hand-over.
fn live_and_die(old: &mut VirtualSite) {
    old.pass(SECOND);
    for host in ["told", "acked", "over"] {
        fire(old, host);
    }
    // Now it is 7 s: the first tick at or after this record.
    old.send("half-way", "app.load", 80.0);
    let acked = incident(&*old.store, "acked").id;
    let ack = Input::Ack { incident: acked, by: "duty-1".to_owned(), note: String::new(), hold: 4 * HOUR };
    old.store.add_input(&ack, old.clock.wall()).unwrap();
    old.send("over", "app.load", 1.0);
    for _ in 0..5 {
        old.pass(SECOND);
    }
    let now = old.clock.wall();
    for host in ["claimed", "waiting"] {
        old.send(host, "app.load", 99.0);
        old.clock.advance(SECOND);
        for _ in 0..20 {
            old.node.evaluator.step(std::time::Duration::ZERO).unwrap();
            old.node.leading.step().unwrap();
        }
        if host == "claimed" {
            let wall = old.clock.wall();
            let claimed = old.store.claim("worker-of-old", Some(Severity::S1), 1, wall, wall + 30 * SECOND).unwrap();
            assert_eq!(claimed.len(), 1);
        }
    }
    old.send("raised", "app.load", 99.0);
    old.clock.advance(SECOND);
    for _ in 0..20 {
        old.node.evaluator.step(std::time::Duration::ZERO).unwrap();
    }
    old.send("unread", "app.load", 99.0);
    old.clock.advance(KILLED - old.clock.wall());
    assert!(now < KILLED);
}

/// Writes what this release leaves: run by hand before a release whose tables are others than the one before it had.
#[test]
#[ignore = "writes tests/upgrade, by hand"]
fn write_the_fixture() {
    let site = Site::new(RULES);
    let mut old = VirtualSite::open(&site, BEGINNING, "worker-of-old");
    live_and_die(&mut old);
    drop(old);
    std::fs::create_dir_all(file("")).unwrap();
    for name in ["bongsu", "log"] {
        let text = dump(&Connection::open(site.data().join(format!("{name}.db"))).unwrap());
        std::fs::write(file(&format!("{name}.sql")), text).unwrap();
    }
}

/// A database as SQL text.
fn dump(db: &Connection) -> String {
    let mut text = String::new();
    for pragma in ["page_size", "application_id", "user_version"] {
        let value: i64 = db.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap();
        text.push_str(&format!("PRAGMA {pragma} = {value};\n"));
    }
    text.push_str("PRAGMA journal_mode = WAL;\n");
    let list = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid";
    let mut statement = db.prepare(list).unwrap();
    let made = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let made: Vec<(String, String, String)> = made.map(Result::unwrap).collect();
    for (_, _, sql) in &made {
        text.push_str(&format!("{sql};\n"));
    }
    for (_, table, _) in made.iter().filter(|(kind, ..)| kind == "table") {
        let width = db.prepare(&format!("SELECT * FROM {table}")).unwrap().column_count();
        let names: Vec<String> = {
            let statement = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
            statement.column_names().map(|name| format!("quote({name})")).collect()
        };
        let mut rows = db.prepare(&format!("SELECT {} FROM {table} ORDER BY rowid", names.join(", "))).unwrap();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<String> = (0..width).map(|n| row.get(n).unwrap()).collect();
            text.push_str(&format!("INSERT INTO {table} VALUES ({});\n", values.join(", ")));
        }
    }
    text
}

/// A site with the old release's data, the store's in a file or in `database`.
fn old_site(database: Option<&InPostgres>) -> Site {
    let site = Site::new(RULES);
    std::fs::create_dir(site.data()).unwrap();
    for name in ["bongsu", "log"] {
        let text = std::fs::read_to_string(file(&format!("{name}.sql"))).unwrap();
        match database {
            Some(database) if name == "bongsu" => {
                // The release's own words for PostgreSQL, which has no pragmas.
                let lines = text.lines().filter(|line| !line.starts_with("PRAGMA"));
                let (made, rows): (Vec<&str>, Vec<&str>) = lines.partition(|line| !line.starts_with("INSERT"));
                let made = made.join("\n").replace(" TEXT", " TEXT COLLATE \"C\"");
                database.admin().run(&format!("{made}\n{}", rows.join("\n")));
                site.keep_in(&database.url());
            }
            _ => {
                let db = Connection::open(site.data().join(format!("{name}.db"))).unwrap();
                db.execute_batch(&text).unwrap();
            }
        }
    }
    site
}

/// Pages that the new release's phone shows, by host: how often each reason.
fn shown(site: &Site, store: &dyn store::Store) -> BTreeMap<(String, &'static str), usize> {
    let mut found = BTreeMap::new();
    for row in store.pages(None, 100).unwrap() {
        let file = site.data().join("handset").join(&row.page.to).join(format!("{}.txt", row.page.id));
        let incident = store.incidents(100).unwrap().into_iter().find(|it| it.id == row.page.incident).unwrap();
        if file.exists() {
            assert!(matches!(row.state, PageState::Accepted), "{row:?}");
            let host = incident.labels.get("host").unwrap().to_owned();
            *found.entry((host, row.page.reason.word())).or_default() += 1;
        }
    }
    found
}

#[test]
fn a_new_release_goes_on_where_the_old_one_was_killed() {
    goes_on(&old_site(None));
}

#[test]
fn a_new_release_goes_on_in_postgresql_where_the_old_one_was_killed() {
    goes_on(&old_site(Some(&InPostgres::default())));
}

fn goes_on(site: &Site) {
    let mut new = VirtualSite::open(site, STARTED, "worker-of-new");
    let was: Vec<String> = new.store.incidents(100).unwrap().into_iter().map(|incident| incident.id).collect();
    assert_eq!(was.len(), 5, "told, acked, over, claimed, waiting");
    let held = new.store.pages(None, 100).unwrap().into_iter().find(|row| row.state == PageState::Handed).unwrap();
    assert!(held.sending.submitted.is_some(), "nobody knows whether the old one had sent it");
    for _ in 0..40 {
        new.pass(SECOND);
        new.send("half-way", "app.load", 80.0);
    }
    let first = |host: &str| ((host.to_owned(), Reason::First.word()), 1);
    let expected = ["claimed", "raised", "unread", "waiting"].map(first);
    assert_eq!(shown(site, &*new.store), expected.into(), "whoever was not told is told, once, and nobody else");
    for host in ["told", "claimed", "waiting", "raised", "unread"] {
        assert_eq!(incident(&*new.store, host).state, IncidentState::Open, "{host}");
    }
    assert_eq!(incident(&*new.store, "acked").state, IncidentState::Acked);
    assert_eq!(incident(&*new.store, "over").state, IncidentState::Resolved);
    // What fired goes on firing: its end is the end of the same incident.
    new.send("told", "app.load", 1.0);
    new.send("acked", "app.load", 1.0);
    for _ in 0..2 {
        new.pass(SECOND);
    }
    let shown_now = shown(site, &*new.store);
    for host in ["told", "acked"] {
        assert_eq!(incident(&*new.store, host).state, IncidentState::Resolved, "{host}");
        assert_eq!(shown_now.get(&(host.to_owned(), "resolved")), Some(&1), "{host}");
    }
    // What was half-way is not begun again.
    while new.clock.wall() < HALF_WAY_SINCE + 3 * MINUTE {
        new.send("half-way", "app.load", 80.0);
        new.pass(SECOND);
    }
    let half_way = incident(&*new.store, "half-way");
    assert_eq!((half_way.severity, half_way.detected - half_way.occurred), (Severity::S2, 2 * MINUTE));
    assert!(half_way.occurred < KILLED, "it began before the upgrade");
    // Beside the eight hosts' own, those of hosts that have fallen silent.
    let mut all = new.store.incidents(100).unwrap();
    all.retain(|incident| &*incident.rule == "load-high");
    let numbers: BTreeSet<String> = all.iter().map(|incident| incident.id.clone()).collect();
    assert_eq!((all.len(), numbers.len()), (8, 8), "no number twice: {numbers:?}");
    assert!(was.iter().all(|id| numbers.contains(id)));
    let ledger = new.store.ledger(0, 10_000).unwrap();
    assert_eq!(store::ledger::verify(&ledger), Ok(()));
    for partition in 0..2 {
        let signals = new.store.signals("telemetry", partition, 0, 1_000).unwrap();
        assert!(signals.iter().zip(1..).all(|((seq, _), n)| *seq == n), "signals are numbered without a gap");
    }
}
