//! What only a server can show: an answer that is lost, kill -9 of the server, roles, encryption, refusals with advice.
//!
//! The idea: a small proxy (`postgres_proxy`) stands between store and server and cuts exactly where it hurts.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bongsu::model::*;
use bongsu::store::{self, PostgresOptions, Store, StoreError};

use crate::postgres::{InPostgres, Postgres};
use crate::postgres_proxy::{Cut, Proxy};
use crate::site::eventually;
use crate::store_suite::*;

/// A flush through a proxy that cuts: what the store says of it, and what the progress row says afterwards.
fn cut_flush(cut: Cut) -> (InPostgres, Owner, PartFlush, Option<(i64, Progress)>) {
    let home = InPostgres::default();
    drop(home.open());
    let armed = Arc::new(AtomicBool::new(false));
    let arm = Arc::clone(&armed);
    let proxy = Proxy::start(move || arm.swap(false, Ordering::SeqCst).then_some(cut));
    let store = store::open(&proxy.url(&home)).unwrap();
    let owner = Owner::take(&store, 0);
    let part = owner.part(vec![put(1, 1)], &[1, 2]);
    armed.store(true, Ordering::SeqCst);
    let answer = store.flush(&flush(vec![part.clone()]));
    assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    assert_eq!(proxy.cuts(), 1, "it was not cut at COMMIT");
    let settled = store.progress(TOPIC, 0).unwrap();
    (home, owner, part, settled)
}

#[test]
fn a_commit_whose_answer_was_lost_is_settled_by_the_offset_row() {
    let (home, owner, part, settled) = cut_flush(Cut::After);
    assert_eq!(settled, Some((owner.epoch, part.progress.clone())), "it happened");
    let store = home.open();
    assert_eq!(store.signals(TOPIC, 0, 0, 9).unwrap(), part.signals);
    // Whoever did not ask and wrote it again would be fenced and not write it twice.
    assert_eq!(store.flush(&flush(vec![part])).unwrap(), Flushed::Fenced(vec![0]));
}

#[test]
fn a_commit_that_never_arrived_is_settled_by_the_offset_row() {
    let (home, owner, part, settled) = cut_flush(Cut::Before);
    assert_eq!(settled, Some((owner.epoch, Progress::default())), "it did not happen");
    let store = home.open();
    assert_eq!(store.signals(TOPIC, 0, 0, 9).unwrap(), []);
    assert_eq!(store.flush(&flush(vec![part.clone()])).unwrap(), Flushed::Done);
    assert_eq!(store.signals(TOPIC, 0, 0, 9).unwrap(), part.signals);
}

/// Flushes until `enough`; what was answered, and how often the server was away.
fn flush_until(store: &dyn Store, partition: i32, enough: &AtomicBool) -> (i64, u64) {
    let mut owner = Owner::take(store, partition);
    let mut away = 0;
    while !enough.load(Ordering::SeqCst) {
        let first = i64::from(partition) * 1_000;
        let rows = (first..first + 20).map(|n| put(n, owner.progress.offset + 10)).collect();
        let part = owner.part(rows, &[first, first]);
        match store.flush(&flush(vec![part.clone()])) {
            Ok(Flushed::Done) => owner.progress = part.progress,
            Ok(Flushed::Fenced(_)) => panic!("nobody else owns it: a lost answer was not settled"),
            Err(StoreError::Unavailable { .. }) => {
                away += 1;
                let settled = eventually("the progress row", || store.progress(TOPIC, partition).ok());
                let (epoch, progress) = settled.unwrap();
                assert_eq!(epoch, owner.epoch);
                assert!(progress == part.progress || progress == owner.progress, "{progress:?}");
                owner.progress = progress;
            }
            Err(other) => panic!("{other}"),
        }
    }
    (owner.progress.offset, away)
}

#[test]
fn a_server_killed_under_load_keeps_whole_flushes_and_is_found_again() {
    let server = Postgres::start(&[]);
    let url = server.url("postgres", &server.database());
    let enough = AtomicBool::new(false);
    let store: Arc<dyn Store> = Arc::new(store::open(&url).unwrap());
    let ends: Vec<(i64, u64)> = std::thread::scope(|scope| {
        let flushing: Vec<_> = (0..2).map(|n| (n, Arc::clone(&store))).collect();
        let flushing: Vec<_> = flushing
            .into_iter()
            .map(|(n, store)| {
                scope.spawn({
                    let enough = &enough;
                    move || flush_until(&*store, n, enough)
                })
            })
            .collect();
        let reached = |least: i64| {
            eventually("some flushes", || {
                let rows = store.partitions().ok()?;
                (rows.len() == 2 && rows.iter().all(|(_, _, progress)| progress.offset >= least)).then_some(())
            });
        };
        for kill in 1..=3 {
            reached(kill * 50);
            server.kill();
            assert!(matches!(store.cursors(), Err(StoreError::Unavailable { .. })));
            server.restart();
        }
        reached(200);
        enough.store(true, Ordering::SeqCst);
        flushing.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ends.iter().all(|(_, away)| *away >= 1), "every kill was slept through: {ends:?}");
    for (partition, (offset, _)) in (0..).zip(ends) {
        let (_, progress) = store.progress(TOPIC, partition).unwrap().unwrap();
        assert_eq!(progress.offset, offset, "what was answered is there, and nothing else");
        let signals = store.signals(TOPIC, partition, 0, 99_999).unwrap();
        assert_eq!((signals.len() as i64, progress.seq), (offset / 10 * 2, offset / 10 * 2));
        let first = i64::from(partition) * 1_000;
        let rows = store.states(9_999).unwrap();
        for n in first..first + 20 {
            let row = rows.iter().find(|row| row.fingerprint == state(n, 0).fingerprint).unwrap();
            assert_eq!(row.newest, Some(offset), "rows of another flush");
        }
    }
}

#[test]
fn an_idle_connection_that_died_is_replaced_without_a_word() {
    let home = InPostgres::default();
    let store = home.open();
    store.partitions().unwrap();
    store.add_input(&Input::Reload { hash: "a".to_owned(), contacts: Vec::new() }, 1).unwrap();
    let admin = home.admin();
    let others = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'bongsu'";
    admin.run(&format!("SELECT pg_terminate_backend(pid) {others}"));
    eventually("they are gone", || (admin.number(&format!("SELECT count(*) {others}")) == 0).then_some(()));
    assert_eq!(store.add_input(&Input::Reload { hash: "b".to_owned(), contacts: Vec::new() }, 1).unwrap(), 2);
    assert_eq!(store.inputs(&[], 9).unwrap().len(), 2);
}

fn refused<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(error @ StoreError::Refused { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

fn parsed(url: &str) -> PostgresUrl {
    PostgresUrl::parse(url, false).unwrap()
}

#[test]
fn a_role_that_may_only_write_rows_runs_what_the_owner_made() {
    let (home, server) = (InPostgres::default(), Postgres::shared());
    let (owner, service) = (format!("owner_{}", home.database), format!("service_{}", home.database));
    let admin = home.admin();
    admin.run(&format!("CREATE ROLE {owner} LOGIN; CREATE ROLE {service} LOGIN"));
    admin.run(&format!("GRANT CREATE ON SCHEMA public TO {owner}"));
    let url = server.url(&service, &home.database);
    let early = refused(store::open(&url));
    assert!(early.contains("bongsu store migrate"), "{early}");
    let options = PostgresOptions::default();
    let owners = parsed(&server.url(&owner, &home.database));
    assert!(store::migrate_postgres(&owners, &options).unwrap());
    assert!(!store::migrate_postgres(&owners, &options).unwrap(), "there is nothing left to do");

    let bare = refused(store::open(&url));
    assert!(bare.contains("permission denied for table schema_version"), "{bare}");
    admin.run(&format!("GRANT SELECT ON schema_version TO {service}"));
    admin.run(&format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {service}"));
    admin.run(&format!("REVOKE DELETE ON outbox FROM {service}; REVOKE UPDATE ON leader FROM {service}"));
    let lacking = refused(store::open(&url));
    assert!(lacking.contains("lacks UPDATE on table leader"), "{lacking}");
    let grant = format!("GRANT SELECT, INSERT, UPDATE, DELETE ON leader, outbox TO {service};");
    assert!(lacking.contains(&grant), "{lacking}");
    admin.run(&grant);

    let store = store::open(&url).unwrap();
    assert_eq!(Owner::take(&store, 0).flush(&store, vec![put(1, 1)], &[1]), Flushed::Done);
    Leader::take(&store);
    assert!(store.purge(1).unwrap().is_empty());
    // Taken away while it runs: refused, and what to do is said.
    admin.run(&format!("REVOKE SELECT ON cursors FROM {service}"));
    let later = refused(store.cursors());
    assert!(later.contains("cursors") && later.contains("GRANT"), "{later}");
}

#[test]
fn two_processes_that_start_at_once_make_the_tables_once() {
    let home = InPostgres::default();
    std::thread::scope(|scope| {
        let opened: Vec<_> = (0..4).map(|_| scope.spawn(|| home.open().partitions().unwrap())).collect();
        for thread in opened {
            assert_eq!(thread.join().unwrap(), []);
        }
    });
}

#[test]
fn a_newer_database_is_refused_untouched() {
    let home = InPostgres::default();
    drop(home.open());
    let admin = home.admin();
    admin.run("UPDATE schema_version SET version = 99");
    for text in [
        refused(store::open(&home.url())),
        refused(store::open_readonly(&home.url())),
        refused(store::migrate_postgres(&parsed(&home.url()), &PostgresOptions::default())),
    ] {
        assert!(text.contains("version 99"), "{text}");
    }
    assert_eq!(admin.number("SELECT version FROM schema_version"), 99);
}

#[test]
fn a_database_without_tables_is_refused_for_reading() {
    let home = InPostgres::default();
    let text = refused(store::open_readonly(&home.url()));
    assert!(text.contains("not a store of this program"), "{text}");
    let admin = home.admin();
    assert_eq!(admin.number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 0);
}

#[test]
fn reading_beside_a_service_sees_its_commits_and_changes_nothing() {
    let home = InPostgres::default();
    let service = home.open();
    let mut owner = Owner::take(&*service, 0);
    let reader = store::open_readonly(&home.url()).unwrap();
    for n in 1..=3 {
        owner.flush(&*service, vec![put(n, n)], &[n]);
        assert_eq!(reader.signals(TOPIC, 0, 0, 9).unwrap().len() as i64, n);
        assert_eq!(reader.progress(TOPIC, 0).unwrap().unwrap().1, owner.progress);
    }
    assert!(matches!(reader.own(TOPIC, 0, "x"), Err(StoreError::Refused { .. })));
    assert!(matches!(
        reader.add_input(&Input::Reload { hash: String::new(), contacts: Vec::new() }, 1),
        Err(StoreError::Refused { .. })
    ));
}

#[test]
fn a_password_is_asked_for_checked_and_never_shown() {
    let (home, server) = (InPostgres::default(), Postgres::shared());
    let admin = home.admin();
    // The one role that pg_hba.conf wants a password of.
    admin.run("CREATE ROLE secret_role SUPERUSER LOGIN PASSWORD 'right-horse'");
    let url = parsed(&server.url("secret_role", &home.database));
    let with = |password: Option<&str>| PostgresOptions {
        password: password.map(str::to_owned),
        ..PostgresOptions::default()
    };
    let none = refused(store::open_postgres(&url, &with(None)));
    assert!(none.contains("BONGSU__STORE__PASSWORD"), "{none}");
    let wrong = refused(store::open_postgres(&url, &with(Some("wrong-horse"))));
    assert!(wrong.contains("28P01") && !wrong.contains("horse"), "{wrong}");
    let right = with(Some("right-horse"));
    assert!(!format!("{right:?}").contains("horse"));
    assert!(store::open_postgres(&url, &right).unwrap().partitions().unwrap().is_empty());
}

#[test]
fn what_is_not_there_is_said_with_advice() {
    let server = Postgres::shared();
    let text = refused(store::open(&server.url("postgres", "no_such_database")));
    assert!(text.contains("3D000") && text.contains("deploy/postgres.sql"), "{text}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let away = store::open(&format!("postgres://bongsu@127.0.0.1:{closed}/bongsu"));
    assert!(matches!(&away, Err(StoreError::Unavailable { what, .. }) if what.contains("bongsu@")), "{away:?}");
    let home = InPostgres::default();
    home.admin().run("CREATE DATABASE narrow ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C' LOCALE_PROVIDER libc");
    let text = refused(store::open(&server.url("postgres", "narrow")));
    assert!(text.contains("SQL_ASCII") && text.contains("ENCODING 'UTF8'"), "{text}");
}

#[test]
fn encryption_proves_the_servers_name() {
    let (home, server) = (InPostgres::default(), Postgres::shared());
    let file = |name: &str| server.file(name).display().to_string();
    let url = |host: &str, query: &str| format!("postgres://postgres@{host}:{}/{}?{query}", server.port, home.database);
    let open = |host: &str, query: &str| store::open(&url(host, query));
    let admin = home.admin();
    let ours = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                WHERE datname = current_database() AND application_name = 'bongsu'";
    let encrypted = |store: store::SqlStore| {
        store.partitions().unwrap();
        let encrypted = admin.number(&format!("{ours} AND ssl"));
        drop(store);
        eventually("it is gone", || (admin.number(ours) == 0).then_some(()));
        encrypted
    };
    let ca = format!("sslmode=verify-full&sslrootcert={}", file("ca.pem"));
    assert!(encrypted(open("localhost", &ca).unwrap()) >= 1);
    assert!(encrypted(open("127.0.0.1", "sslmode=require").unwrap()) >= 1);
    assert_eq!(encrypted(open("127.0.0.1", "sslmode=disable").unwrap()), 0);
    let name = refused(open("127.0.0.1", &ca));
    assert!(name.contains("TLS") && name.contains("sslrootcert"), "{name}");
    let other = refused(open("localhost", &format!("sslmode=verify-full&sslrootcert={}", file("other.pem"))));
    assert!(other.contains("UnknownIssuer"), "{other}");
    let missing = refused(open("localhost", "sslmode=verify-full&sslrootcert=/nowhere/ca.pem"));
    assert!(missing.contains("/nowhere/ca.pem"), "{missing}");
}

#[test]
fn tables_of_version_1_are_brought_up_to_date_with_their_rows() {
    let home = InPostgres::default();
    let mut leader = Leader::take(&*home.open());
    leader.commit(&*home.open(), BookCommit { entries: leader.entries(3), ..BookCommit::default() });
    let admin = home.admin();
    admin.run(
        "ALTER TABLE leader DROP COLUMN beat; DROP INDEX outbox_wanted; CREATE INDEX outbox_waiting ON outbox (due);
         ALTER TABLE outbox DROP COLUMN wanted, DROP COLUMN queued, DROP COLUMN submitted, DROP COLUMN accepted,
         DROP COLUMN delivered; UPDATE schema_version SET version = 1",
    );
    let store = home.open();
    assert_eq!(admin.number("SELECT version FROM schema_version"), 4);
    assert_eq!(store.seat().unwrap(), Seat { epoch: 1, owner: "engine-1".to_owned(), beat: 0 });
    assert_eq!(lead(&*store, "b").input_no, 3);
}
