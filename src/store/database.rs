//! The store over SQL: which call runs in which kind of transaction, on which connection.
//!
//! The idea: some connections write and some read, so that people who look never hold up a hand-over; every call is
//! exactly one transaction, and what it does stands in `flush`, `book`, `outbox` and `reading`, each a plain function
//! over a connection. SQLite has one writer; PostgreSQL has several, kept apart by the rows they lock.

use std::path::{Path, PathBuf};

use super::outbox::Want;
use super::pool::{Connect, Connection, Pool, Pooled};
use super::postgres::{PostgresOptions, Server};
use super::sql::{End, Mode, Sql, transact};
use super::sqlite::{Access, Sqlite};
use super::{About, Purged, Result, Store, StoreError, book, flush, outbox, reading, schema, seat, sweep};
use crate::model::{
    BookCommit, BookRows, Committed, Entry, Flush, Flushed, Incident, Input, Lease, Outcome, Owned, PageRow,
    PostgresUrl, Progress, Seat, Severity, Signal, SignalKey, StateRow, Taken,
};
use crate::time::Ms;

/// Readers of a file: the leader, the senders, the page and people looking.
const READERS: usize = 8;

/// A store in an SQL database.
#[derive(Debug)]
pub struct SqlStore {
    name: String,
    writers: Option<Pool>,
    readers: Pool,
    /// A commit whose answer was lost may still be under way in a server.
    settles: bool,
}

/// Opens the store that `url` names (`sqlite:PATH`, a path alone, or `postgres://…` with the options' defaults), makes
/// its tables or brings them up to date.
///
/// Refused: a database of a newer version, a folder that is missing. The lock against a second process on the same data
/// directory is not taken here.
pub fn open(url: &str) -> Result<SqlStore> {
    if PostgresUrl::is_one(url) {
        return open_postgres(&postgres_url(url)?, &PostgresOptions::default());
    }
    let path = sqlite_path(url)?;
    let mut writer = Sqlite::open(&path, Access::Write)?;
    schema::migrate(&mut writer, url, &schema::STEPS)?;
    writer.make_durable()?;
    let again = path.clone();
    let connect = move || {
        let mut writer = Sqlite::open(&again, Access::Write)?;
        writer.make_durable()?;
        Ok(Box::new(writer) as Connection)
    };
    let writers = Pool::new(url, 1, Box::new(connect)).with(Box::new(writer));
    Ok(SqlStore { writers: Some(writers), ..SqlStore::reading_sqlite(url, path) })
}

/// Opens a store that exists, for the command line: nothing in it can be changed, a running service is not disturbed.
pub fn open_readonly(url: &str) -> Result<SqlStore> {
    if PostgresUrl::is_one(url) {
        return open_postgres_readonly(&postgres_url(url)?, &PostgresOptions::default());
    }
    let path = sqlite_path(url)?;
    let mut reader = Sqlite::open(&path, Access::Read)?;
    schema::check(&mut reader, url, &schema::STEPS)?;
    Ok(SqlStore::reading_sqlite(url, path))
}

/// Opens a store in PostgreSQL. Its tables are made or brought up to date where the role may do that; a role that may
/// only read and write rows finds them ready ([`migrate_postgres`]).
///
/// # Errors
/// Unavailable: the server cannot be reached now. Refused: it does not admit the role, the database is missing, not
/// UTF-8 or of a newer version, its tables are missing or older, or the role lacks a right on one of them.
pub fn open_postgres(url: &PostgresUrl, options: &PostgresOptions) -> Result<SqlStore> {
    let server = Server::new(url, options)?;
    let name = server.name.clone();
    let mut first = server.connect()?;
    first.check_encoding()?;
    schema::migrate(&mut first, &name, &schema::STEPS).map_err(by_the_owner)?;
    schema::check_rights(&mut first, &name, &schema::STEPS)?;
    let again = Server::new(url, options)?;
    let connect: Connect = Box::new(move || again.connect().map(|writer| Box::new(writer) as Connection));
    let (readers, writers) = shares(options);
    let writers = Pool::new(&name, writers, connect).with(Box::new(first));
    Ok(SqlStore { writers: Some(writers), ..SqlStore::reading_postgres(server, readers) })
}

/// Opens a store in PostgreSQL that exists, for the command line: nothing in it can be changed.
///
/// # Errors
/// As [`open_postgres`].
pub fn open_postgres_readonly(url: &PostgresUrl, options: &PostgresOptions) -> Result<SqlStore> {
    let server = Server::new(url, options)?;
    schema::check(&mut server.connect()?, &server.name, &schema::STEPS)?;
    let (readers, _) = shares(options);
    Ok(SqlStore::reading_postgres(server, readers))
}

/// Makes the tables of a store in PostgreSQL or brings them up to date, as the role that owns them. `true`: there was
/// something to do.
///
/// # Errors
/// As [`open_postgres`]; refused where the role may not make tables.
pub fn migrate_postgres(url: &PostgresUrl, options: &PostgresOptions) -> Result<bool> {
    let server = Server::new(url, options)?;
    let mut owner = server.connect()?;
    owner.check_encoding()?;
    if schema::check(&mut owner, &server.name, &schema::STEPS).is_ok() {
        return Ok(false);
    }
    schema::migrate(&mut owner, &server.name, &schema::STEPS)?;
    Ok(true)
}

/// Connections for reading and for writing: half and half, one of each at least.
fn shares(options: &PostgresOptions) -> (usize, usize) {
    let readers = (options.connections / 2).max(1);
    (readers, options.connections.saturating_sub(readers).max(1))
}

/// A role that may not make tables is told who makes them.
fn by_the_owner(error: StoreError) -> StoreError {
    match error {
        StoreError::Refused { what, why, help } if why.contains("(42501)") => StoreError::Refused {
            what,
            why: format!("its tables are missing or older, and this role may not make them: {why}"),
            help: format!("run `bongsu store migrate --url URL` as the role that owns the tables ({help})"),
        },
        other => other,
    }
}

fn postgres_url(url: &str) -> Result<PostgresUrl> {
    PostgresUrl::parse(url, false).map_err(|problem| StoreError::Refused {
        what: "open store in PostgreSQL".to_owned(),
        why: problem.why,
        help: problem.help,
    })
}

fn sqlite_path(url: &str) -> Result<PathBuf> {
    let path = match url.split_once(':') {
        Some(("sqlite", path)) => path,
        _ => url,
    };
    if path.is_empty() || path == ":memory:" {
        return Err(StoreError::Refused {
            what: format!("open store `{url}`"),
            why: "it names no file".to_owned(),
            help: "write `sqlite:PATH`".to_owned(),
        });
    }
    Ok(Path::new(path).to_owned())
}

impl SqlStore {
    fn reading_sqlite(url: &str, path: PathBuf) -> Self {
        let connect = move || Sqlite::open(&path, Access::Read).map(|reader| Box::new(reader) as Connection);
        let readers = Pool::new(url, READERS, Box::new(connect));
        Self { name: url.to_owned(), writers: None, readers, settles: false }
    }

    fn reading_postgres(server: Server, readers: usize) -> Self {
        let name = server.name.clone();
        let connect = move || server.connect().map(|reader| Box::new(reader) as Connection);
        Self { readers: Pool::new(&name, readers, Box::new(connect)), name, writers: None, settles: true }
    }

    /// A writer, whatever became of its last user: a transaction that a panic left open is undone by the next `begin`.
    pub(super) fn writer(&self) -> Result<Pooled<'_>> {
        let writers = self.writers.as_ref().ok_or_else(|| StoreError::Refused {
            what: format!("write to store `{}`", self.name),
            why: "it was opened for reading".to_owned(),
            help: "ask the running service to do it".to_owned(),
        })?;
        writers.get()
    }

    fn write<T>(&self, work: impl FnOnce(&mut dyn Sql) -> Result<End<T>>) -> Result<T> {
        transact(self.writer()?.as_mut(), Mode::Write, work)
    }

    pub(super) fn read<T>(&self, work: impl FnOnce(&mut dyn Sql) -> Result<T>) -> Result<T> {
        let mut reader = self.readers.get()?;
        let answer = transact(reader.as_mut(), Mode::Read, |sql| work(sql).map(End::Drop));
        if answer.is_err() {
            // A connection that failed is not kept: the next call opens a fresh one.
            reader.discard();
        }
        answer
    }
}

impl Store for SqlStore {
    fn own(&self, topic: &str, partition: i32, owner: &str) -> Result<Owned> {
        self.write(|sql| flush::own(sql, topic, partition, owner))
    }

    fn progress(&self, topic: &str, partition: i32) -> Result<Option<(i64, Progress)>> {
        if self.settles && self.writers.is_some() {
            return self.write(|sql| flush::settled_progress(sql, topic, partition));
        }
        self.read(|sql| flush::progress(sql, topic, partition))
    }

    fn flush(&self, flush: &Flush) -> Result<Flushed> {
        if flush.parts.is_empty() {
            return Ok(Flushed::Done);
        }
        self.write(|sql| flush::flush(sql, flush))
    }

    fn seat(&self) -> Result<Seat> {
        self.read(seat::seat)
    }

    fn lead(&self, owner: &str, seen: &Seat) -> Result<Option<BookRows>> {
        self.write(|sql| book::lead(sql, owner, seen))
    }

    fn beat(&self, epoch: i64) -> Result<bool> {
        self.write(|sql| seat::beat(sql, epoch).map(End::Keep))
    }

    fn give_up(&self, epoch: i64) -> Result<bool> {
        self.write(|sql| seat::give_up(sql, epoch).map(End::Keep))
    }

    fn inputs(&self, cursors: &[SignalKey], limit: usize) -> Result<Vec<Taken>> {
        self.read(|sql| book::inputs(sql, cursors, limit))
    }

    fn cursors(&self) -> Result<Vec<SignalKey>> {
        self.read(book::cursors)
    }

    fn partitions(&self) -> Result<Vec<(String, i32, Progress)>> {
        let rows = self.read(book::partitions)?;
        Ok(rows.into_iter().map(|row| (row.topic, row.partition, row.progress)).collect())
    }

    fn commit(&self, commit: &BookCommit) -> Result<Committed> {
        self.write(|sql| book::commit(sql, commit))
    }

    fn add_input(&self, input: &Input, now: Ms) -> Result<i64> {
        book::check_input(input)?;
        self.write(|sql| book::put_inputs(sql, std::slice::from_ref(input), now).map(End::Keep))
    }

    fn answer(&self, row: i64) -> Result<Option<(bool, String)>> {
        self.read(|sql| book::answer(sql, row))
    }

    fn claim(&self, worker: &str, severity: Option<Severity>, limit: usize, now: Ms, until: Ms) -> Result<Vec<Lease>> {
        let want = Want { worker, severity, limit, now, until };
        if !self.read(|sql| outbox::has_claimable(sql, &want))? {
            return Ok(Vec::new());
        }
        self.write(|sql| outbox::claim(sql, &want))
    }

    fn reclaim(&self, worker: &str, limit: usize, now: Ms, until: Ms) -> Result<Vec<Lease>> {
        let want = Want { worker, severity: None, limit, now, until };
        if !self.read(|sql| outbox::has_lapsed(sql, now))? {
            return Ok(Vec::new());
        }
        self.write(|sql| outbox::reclaim(sql, &want))
    }

    fn renew(&self, lease: &Lease, until: Ms) -> Result<bool> {
        self.write(|sql| outbox::renew(sql, lease, until))
    }

    fn submit(&self, lease: &Lease, now: Ms, until: Ms) -> Result<bool> {
        self.write(|sql| outbox::submit(sql, lease, now, until))
    }

    fn outcome(&self, lease: &Lease, outcome: &Outcome, now: Ms) -> Result<bool> {
        self.write(|sql| outbox::outcome(sql, lease, outcome, now))
    }

    fn give_back(&self, lease: &Lease, why: &str, due: Ms) -> Result<bool> {
        self.write(|sql| outbox::give_back(sql, lease, why, due))
    }

    fn expire(&self, now: Ms) -> Result<usize> {
        if !self.read(|sql| outbox::has_expired(sql, now))? {
            return Ok(0);
        }
        self.write(|sql| outbox::expire(sql, now))
    }

    fn accepted(&self, since: Ms, limit: usize) -> Result<Vec<PageRow>> {
        self.read(|sql| reading::accepted(sql, since, limit))
    }

    fn receipt(&self, about: &About<'_>, outcome: &Outcome, now: Ms) -> Result<Option<PageRow>> {
        self.write(|sql| outbox::receipt(sql, about, outcome, now))
    }

    fn incidents(&self, limit: usize) -> Result<Vec<Incident>> {
        self.read(|sql| reading::incidents(sql, limit))
    }

    fn pages(&self, incident: Option<&str>, limit: usize) -> Result<Vec<PageRow>> {
        self.read(|sql| reading::pages(sql, incident, limit))
    }

    fn overdue(&self, now: Ms, before: Ms) -> Result<Vec<crate::model::Overdue>> {
        self.read(|sql| sweep::overdue(sql, now, before))
    }

    fn notes(&self, prefix: &str) -> Result<Vec<(String, String)>> {
        self.read(|sql| sweep::notes(sql, prefix))
    }

    fn states(&self, limit: usize) -> Result<Vec<StateRow>> {
        self.read(|sql| reading::states(sql, limit))
    }

    fn ledger(&self, after: i64, limit: usize) -> Result<Vec<Entry>> {
        self.read(|sql| reading::ledger(sql, after, limit))
    }

    fn signals(&self, topic: &str, partition: i32, after: i64, limit: usize) -> Result<Vec<(i64, Signal)>> {
        self.read(|sql| book::signals(sql, topic, partition, after, limit))
    }

    fn clock(&self) -> Result<Option<Ms>> {
        if !self.settles {
            return Ok(None);
        }
        self.read(|sql| {
            let rows = sql.query("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint", &[])?;
            rows.first().map(|row| row.int(0)).transpose()
        })
    }

    fn purge(&self, before: Ms) -> Result<Purged> {
        self.write(|sql| reading::purge(sql, before))
    }
}
