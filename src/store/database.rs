//! The store over SQL: which call runs in which kind of transaction, on which connection.
//!
//! The idea: one writer behind a lock, a few readers beside it; every call is exactly one transaction, and what it does
//! stands in `flush`, `book`, `outbox` and `reading`, each a plain function over a connection.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::outbox::Want;
use super::sql::{End, Mode, Sql, transact};
use super::sqlite::{Access, Sqlite};
use super::{About, Purged, Result, Store, StoreError, book, flush, outbox, reading, schema};
use crate::model::{
    BookCommit, BookRows, Committed, Entry, Flush, Flushed, Incident, Input, Lease, Outcome, Owned, PageRow, Progress,
    Severity, Signal, SignalKey, StateRow, Taken,
};
use crate::time::Ms;

/// Readers kept open between calls: the leader, a sender and two people looking.
const READERS: usize = 4;

type Connection = Box<dyn Sql>;

/// A store in an SQL database.
pub struct SqlStore {
    name: String,
    writer: Option<Mutex<Connection>>,
    readers: Mutex<Vec<Connection>>,
    connect: Box<dyn Fn() -> Result<Connection> + Send + Sync>,
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Opens the store that `url` names (`sqlite:PATH`, or a path alone), makes its tables or brings them up to date.
///
/// Refused: a database of a newer version, a folder that is missing, another kind of database. The lock against a
/// second process on the same data directory is not taken here.
pub fn open(url: &str) -> Result<SqlStore> {
    let path = sqlite_path(url)?;
    let mut writer = Sqlite::open(&path, Access::Write)?;
    schema::migrate(&mut writer, url, &schema::STEPS)?;
    writer.make_durable()?;
    Ok(SqlStore::over_sqlite(url, path, Some(Box::new(writer))))
}

/// Opens a store that exists, for the command line: nothing in it can be changed, a running service is not disturbed.
pub fn open_readonly(url: &str) -> Result<SqlStore> {
    let path = sqlite_path(url)?;
    let mut reader = Sqlite::open(&path, Access::Read)?;
    schema::check(&mut reader, url, &schema::STEPS)?;
    Ok(SqlStore::over_sqlite(url, path, None))
}

fn sqlite_path(url: &str) -> Result<PathBuf> {
    let refuse = |why: &str, help: &str| {
        Err(StoreError::Refused { what: format!("open store `{url}`"), why: why.to_owned(), help: help.to_owned() })
    };
    let path = match url.split_once(':') {
        Some(("sqlite", path)) => path,
        Some(("postgres" | "postgresql", _)) => {
            return refuse("this release keeps its state in SQLite only", "write `sqlite:PATH`");
        }
        _ => url,
    };
    if path.is_empty() || path == ":memory:" {
        return refuse("it names no file", "write `sqlite:PATH`");
    }
    Ok(Path::new(path).to_owned())
}

impl SqlStore {
    fn over_sqlite(url: &str, path: PathBuf, writer: Option<Connection>) -> Self {
        let connect = move || Sqlite::open(&path, Access::Read).map(|reader| Box::new(reader) as Connection);
        Self {
            name: url.to_owned(),
            writer: writer.map(Mutex::new),
            readers: Mutex::default(),
            connect: Box::new(connect),
        }
    }

    /// The writer, whatever became of its last user: a transaction that a panic left open is undone by the next
    /// `begin`.
    pub(super) fn writer(&self) -> Result<MutexGuard<'_, Connection>> {
        let writer = self.writer.as_ref().ok_or_else(|| StoreError::Refused {
            what: format!("write to store `{}`", self.name),
            why: "it was opened for reading".to_owned(),
            help: "ask the running service to do it".to_owned(),
        })?;
        Ok(writer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, work: impl FnOnce(&mut dyn Sql) -> Result<End<T>>) -> Result<T> {
        transact(self.writer()?.as_mut(), Mode::Write, work)
    }

    pub(super) fn read<T>(&self, work: impl FnOnce(&mut dyn Sql) -> Result<T>) -> Result<T> {
        let idle = self.readers().pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => (self.connect)()?,
        };
        let answer = transact(reader.as_mut(), Mode::Read, |sql| work(sql).map(End::Drop));
        let mut readers = self.readers();
        // A connection that failed is not kept: the next call opens a fresh one.
        if answer.is_ok() && readers.len() < READERS {
            readers.push(reader);
        }
        answer
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for SqlStore {
    fn own(&self, topic: &str, partition: i32, owner: &str) -> Result<Owned> {
        self.write(|sql| flush::own(sql, topic, partition, owner))
    }

    fn progress(&self, topic: &str, partition: i32) -> Result<Option<(i64, Progress)>> {
        self.read(|sql| flush::progress(sql, topic, partition))
    }

    fn flush(&self, flush: &Flush) -> Result<Flushed> {
        if flush.parts.is_empty() {
            return Ok(Flushed::Done);
        }
        self.write(|sql| flush::flush(sql, flush))
    }

    fn lead(&self, owner: &str) -> Result<BookRows> {
        self.write(|sql| book::lead(sql, owner))
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

    fn receipt(&self, about: &About<'_>, outcome: &Outcome, now: Ms) -> Result<bool> {
        self.write(|sql| outbox::receipt(sql, about, outcome, now))
    }

    fn incidents(&self, limit: usize) -> Result<Vec<Incident>> {
        self.read(|sql| reading::incidents(sql, limit))
    }

    fn pages(&self, incident: Option<&str>, limit: usize) -> Result<Vec<PageRow>> {
        self.read(|sql| reading::pages(sql, incident, limit))
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

    fn purge(&self, before: Ms) -> Result<Purged> {
        self.write(|sql| reading::purge(sql, before))
    }
}
