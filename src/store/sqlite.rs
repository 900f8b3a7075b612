//! SQLite behind the seam: WAL, every commit on disk before it is answered, one connection per writer or reader.
//!
//! The idea: whoever commits first wins and the other waits; nothing here knows a table. A statement's text is its key
//! in the connection's cache of prepared statements.
//! Not here: the lock that keeps a second process off the data directory (`pipeline`); a second one stays correct
//! through the epoch rows, only slower.

use std::path::Path;
use std::time::Duration;

use rusqlite::ffi::ErrorCode;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags};

use super::sql::{Mode, Row, Sql, Value};
use super::{Result, StoreError};

/// How long a transaction waits for another one: a checkpoint on a saturated disk was seen to take 2.7 s.
const BUSY: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection; there are about 60 texts, those of full inserts among them.
const STATEMENTS: usize = 96;

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Read and write; a file that is missing is made.
    Write,
    /// Never write, never make a file.
    Read,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Sqlite {
    db: Connection,
    name: String,
}

impl Sqlite {
    /// Opens `path`. Leaves the file as it is: see [`Sqlite::make_durable`].
    pub(super) fn open(path: &Path, access: Access) -> Result<Self> {
        let name = format!("sqlite:{}", path.display());
        let flags = match access {
            Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
        let db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
        let db = db.map_err(|error| StoreError::Refused {
            what: format!("open store `{name}`"),
            why: error.to_string(),
            help: match access {
                Access::Write => "make sure that its folder exists and may be written to".to_owned(),
                Access::Read => "name the data directory of a service that has run: the file is made by it".to_owned(),
            },
        })?;
        db.busy_timeout(BUSY).map_err(|error| explain(&name, &error))?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Self { db, name })
    }

    /// Switches to a journal that keeps readers and the writer apart, with each commit synced to disk.
    pub(super) fn make_durable(&mut self) -> Result<()> {
        let mode: String = self
            .db
            .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
            .map_err(|error| explain(&self.name, &error))?;
        if mode != "wal" {
            return Err(StoreError::Refused {
                what: format!("open store `{}`", self.name),
                why: format!("its journal stays in mode `{mode}`"),
                help: "keep the data directory on a local file system that can map files into memory".to_owned(),
            });
        }
        self.db.execute_batch("PRAGMA synchronous = FULL").map_err(|error| explain(&self.name, &error))
    }
}

impl Sql for Sqlite {
    fn begin(&mut self, mode: Mode) -> Result<()> {
        self.rollback();
        self.execute(if mode == Mode::Write { "BEGIN IMMEDIATE" } else { "BEGIN" }, &[]).map(|_| ())
    }

    fn commit(&mut self) -> Result<()> {
        self.execute("COMMIT", &[]).map(|_| ())
    }

    fn rollback(&mut self) {
        // A full disk may have undone the transaction already. An error shows again at the next `begin`.
        if !self.db.is_autocommit() {
            drop(self.execute("ROLLBACK", &[]));
        }
    }

    fn execute(&mut self, sql: &str, args: &[Value]) -> Result<usize> {
        let run = || self.db.prepare_cached(sql)?.execute(rusqlite::params_from_iter(args));
        run().map_err(|error| explain(&self.name, &error))
    }

    fn query(&mut self, sql: &str, args: &[Value]) -> Result<Vec<Row>> {
        let run = || {
            let mut statement = self.db.prepare_cached(sql)?;
            let width = statement.column_count();
            let mut rows = statement.query(rusqlite::params_from_iter(args))?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push((0..width).map(|n| row.get_ref(n).map(own)).collect::<rusqlite::Result<Vec<_>>>()?);
            }
            Ok(all)
        };
        let rows = run().map_err(|error| explain(&self.name, &error))?;
        rows.into_iter().map(|row| row.into_iter().collect::<Result<Vec<_>>>().map(Row)).collect()
    }

    fn claiming(&self) -> &'static str {
        ""
    }

    fn has_table(&mut self, table: &str) -> Result<bool> {
        let text = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1";
        Ok(!self.query(text, &[table.into()])?.is_empty())
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
        }))
    }
}

fn own(value: ValueRef<'_>) -> Result<Value> {
    let odd = |why: &str| StoreError::Corrupt { what: "column".to_owned(), why: why.to_owned() };
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(value) => Ok(Value::Int(value)),
        ValueRef::Text(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| odd("text that is not UTF-8"))?;
            Ok(Value::Text(text.to_owned()))
        }
        ValueRef::Real(_) => Err(odd("a float where no column holds one")),
        ValueRef::Blob(_) => Err(odd("bytes where no column holds any")),
    }
}

/// Whether waiting, somebody's hands, or nothing helps.
fn explain(name: &str, error: &rusqlite::Error) -> StoreError {
    let what = format!("store `{name}`");
    let why = error.to_string();
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::FileLockingProtocolFailed,
        ) => StoreError::Unavailable { what, why },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StoreError::Refused {
            what,
            why,
            help: "give the service's user write permission on the file and its folder".to_owned(),
        },
        _ => StoreError::Corrupt { what, why },
    }
}
