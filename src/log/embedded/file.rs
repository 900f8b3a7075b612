//! The embedded log's SQLite file: its tables, its settings, and the few statements that read and write rows.
//!
//! The idea: the rowid *is* (partition, offset), so the log needs one B-tree and no index. Look-up by offset is one
//! descent; look-up by time is a binary search over offsets, because a partition's running maximum never falls.
//!
//! `page_size` is 1024 because of the quiet life, not the busy one: an idle partition gets a pulse each second, and
//! every commit writes one leaf per partition to the WAL. Four idle partitions then write some 0.36 MB a minute; leaves
//! of 4 KiB would be 1 MB. A busy log pays for it: 126 MiB/s of incompressible records with a sync per MiB, against
//! 163 MiB/s with 4 KiB and 192 MiB/s with 16 KiB (measured on 2 cores), all far above what decoding takes.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Params, params};

use crate::log::embedded::row::Row;
use crate::log::{Bounds, LogError};
use crate::time::Ms;

/// Marks the file as ours ("bong").
const APPLICATION_ID: i64 = 0x626f_6e67;
/// The newest layout that this code knows.
const LAYOUT: i64 = 1;
/// How long a statement waits for another process' lock; only opening and checkpoints ever hold one.
const BUSY: Duration = Duration::from_secs(5);
/// Bits of an offset in the rowid: 2^48 records per partition are nine years at a million a second.
const OFFSET_BITS: u32 = 48;
/// Parts (partitions of all topics together) that fit above the offset in a positive rowid.
const PARTS_MAX: i64 = 1 << (63 - OFFSET_BITS);

const TABLES: &str = "
    CREATE TABLE topic (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, identity TEXT NOT NULL);
    CREATE TABLE part (id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, partition INTEGER NOT NULL,
                       UNIQUE (topic, partition));
    CREATE TABLE batch (place INTEGER PRIMARY KEY, n INTEGER NOT NULL, at INTEGER NOT NULL,
                        run_max INTEGER NOT NULL, codec INTEGER NOT NULL, crc INTEGER NOT NULL, bytes BLOB NOT NULL);";

/// Where a row lies: which part, and the offset of its first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) part: i64,
    pub(super) offset: i64,
}

impl Place {
    pub(super) fn key(self) -> i64 {
        (self.part << OFFSET_BITS) | self.offset
    }

    fn of(key: i64) -> Self {
        Self { part: key >> OFFSET_BITS, offset: key & ((1 << OFFSET_BITS) - 1) }
    }

    /// The same part's place at `offset`, held inside the part.
    fn at(part: i64, offset: i64) -> Self {
        Self { part, offset: offset.clamp(0, (1 << OFFSET_BITS) - 1) }
    }
}

/// A row without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) offset: i64,
    pub(super) n: i64,
    pub(super) at: Ms,
    pub(super) run_max: Ms,
}

impl Head {
    pub(super) fn end(&self) -> i64 {
        self.offset + self.n
    }
}

/// A topic as the file knows it; `parts[p]` is partition `p`'s number in the rowids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicRow {
    pub(super) name: String,
    pub(super) identity: String,
    pub(super) parts: Vec<i64>,
}

/// A connection to the file.
#[derive(Debug)]
pub(super) struct File {
    connection: Connection,
}

impl File {
    /// Opens the file for its only writer and makes it where there is none.
    pub(super) fn open_writer(path: &Path) -> Result<Self, LogError> {
        let file = Self::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        file.run(|c| {
            // Takes effect only while the file is empty.
            c.pragma_update(None, "page_size", 1024)?;
            c.pragma_update(None, "journal_mode", "WAL")?;
            // An append is acknowledged after COMMIT, so COMMIT must mean "on disk".
            c.pragma_update(None, "synchronous", "FULL")?;
            // The writer does it itself, after it acknowledged: see `checkpoint`.
            c.pragma_update(None, "wal_autocheckpoint", 0)
        })?;
        file.migrate(path)?;
        // After a kill the WAL's tail may be in the page cache alone; readers get only what is on disk.
        file.checkpoint("TRUNCATE")?;
        Ok(file)
    }

    /// Opens the file for reading, also while another process writes it.
    pub(super) fn open_reader(path: &Path) -> Result<Self, LogError> {
        let file = Self::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        file.check_layout(path)?;
        Ok(file)
    }

    fn open(path: &Path, flags: OpenFlags) -> Result<Self, LogError> {
        let opened = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .and_then(|c| c.busy_timeout(BUSY).map(|()| c))
            .and_then(|c| c.query_row("PRAGMA schema_version", [], |row| row.get::<_, i64>(0)).map(|_| c));
        match opened {
            Ok(connection) => Ok(Self { connection }),
            Err(why) => Err(LogError::Refused {
                what: format!("open log `{}`", path.display()),
                why: why.to_string(),
                help: "check that the path is right, readable and an embedded log; if it is damaged, move it away \
                       and a new one is made"
                    .to_owned(),
            }),
        }
    }

    fn layout(&self) -> Result<(i64, i64), LogError> {
        let pragma = |name| self.run(|c| c.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)));
        Ok((pragma("application_id")?, pragma("user_version")?))
    }

    fn check_layout(&self, path: &Path) -> Result<(), LogError> {
        let what = format!("open log `{}`", path.display());
        match self.layout()? {
            (APPLICATION_ID, LAYOUT) => Ok(()),
            (APPLICATION_ID, newer) => Err(LogError::Refused {
                what,
                why: format!("its layout is {newer}, this program knows {LAYOUT}"),
                help: "use the program that wrote it, or a newer one".to_owned(),
            }),
            _ => Err(LogError::Refused {
                what,
                why: "it is a database of something else".to_owned(),
                help: "name another file".to_owned(),
            }),
        }
    }

    fn migrate(&self, path: &Path) -> Result<(), LogError> {
        let empty =
            self.run(|c| c.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)))? == 0;
        if empty {
            self.run(|c| {
                c.execute_batch(&format!(
                    "BEGIN IMMEDIATE; {TABLES}
                     PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {LAYOUT}; COMMIT;"
                ))
            })?;
        }
        self.check_layout(path)
    }

    // --- topics

    /// Makes the topic where there is none and gives it at least `partitions` partitions; never takes one away.
    pub(super) fn ensure_topic(&self, name: &str, partitions: i32) -> Result<(), LogError> {
        let parts: i64 = self.run(|c| c.query_row("SELECT count(*) FROM part", [], |row| row.get(0)))?;
        if partitions < 1 || parts + i64::from(partitions) >= PARTS_MAX {
            return Err(LogError::Refused {
                what: format!("make topic `{name}`"),
                why: format!("{partitions} partitions"),
                help: format!("1 to {} partitions are possible, all topics together", PARTS_MAX - 1),
            });
        }
        self.transaction(|file| {
            file.execute(
                "INSERT INTO topic (name, identity) VALUES (?1, lower(hex(randomblob(16)))) ON CONFLICT DO NOTHING",
                [name],
            )?;
            for partition in 0..partitions {
                file.execute(
                    "INSERT INTO part (topic, partition) SELECT id, ?2 FROM topic WHERE name = ?1
                     ON CONFLICT DO NOTHING",
                    params![name, partition],
                )?;
            }
            Ok(())
        })
    }

    pub(super) fn topics(&self) -> Result<Vec<TopicRow>, LogError> {
        let sql =
            "SELECT t.name, t.identity, p.id FROM topic t JOIN part p ON p.topic = t.id ORDER BY t.id, p.partition";
        self.run(|c| {
            let mut topics: Vec<TopicRow> = Vec::new();
            let mut statement = c.prepare(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (name, identity, part): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
                match topics.last_mut() {
                    Some(last) if last.name == name => last.parts.push(part),
                    _ => topics.push(TopicRow { name, identity, parts: vec![part] }),
                }
            }
            Ok(topics)
        })
    }

    // --- rows

    pub(super) fn insert(&self, row: &Row) -> Result<(), LogError> {
        let sql = "INSERT INTO batch (place, n, at, run_max, codec, crc, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.execute(sql, params![row.place.key(), row.n, row.at, row.run_max, row.codec, row.crc, row.bytes])?;
        Ok(())
    }

    /// The row that holds `offset`, or the last one below it.
    pub(super) fn floor(&self, part: i64, offset: i64) -> Result<Option<Head>, LogError> {
        let sql = "SELECT place, n, at, run_max FROM batch WHERE place BETWEEN ?1 AND ?2 ORDER BY place DESC LIMIT 1";
        self.head(sql, params![Place::at(part, 0).key(), Place::at(part, offset).key()])
    }

    /// The first row that begins at or after `offset`.
    pub(super) fn ceiling(&self, part: i64, offset: i64) -> Result<Option<Head>, LogError> {
        let sql = "SELECT place, n, at, run_max FROM batch WHERE place BETWEEN ?1 AND ?2 ORDER BY place LIMIT 1";
        self.head(sql, params![Place::at(part, offset).key(), Place::at(part, i64::MAX).key()])
    }

    /// The first row at or after `offset` with an append time at or after `at`.
    pub(super) fn first_since(&self, part: i64, offset: i64, at: Ms) -> Result<Option<Head>, LogError> {
        let sql = "SELECT place, n, at, run_max FROM batch WHERE place BETWEEN ?1 AND ?2 AND at >= ?3
                   ORDER BY place LIMIT 1";
        self.head(sql, params![Place::at(part, offset).key(), Place::at(part, i64::MAX).key(), at])
    }

    /// The part's last row.
    pub(super) fn last(&self, part: i64) -> Result<Option<Head>, LogError> {
        self.floor(part, i64::MAX)
    }

    /// First and next offset of a part.
    pub(super) fn bounds(&self, part: i64) -> Result<Bounds, LogError> {
        let low = self.ceiling(part, 0)?.map_or(0, |head| head.offset);
        let high = self.last(part)?.map_or(0, |head| head.end());
        Ok(Bounds { low, high: high.max(low) })
    }

    /// Gives the rows from the one that begins at `offset` on to `take`, until it says stop (false).
    pub(super) fn scan(&self, part: i64, offset: i64, mut take: impl FnMut(&Row) -> bool) -> Result<(), LogError> {
        let sql = "SELECT place, n, at, run_max, codec, crc, bytes FROM batch WHERE place BETWEEN ?1 AND ?2
                   ORDER BY place";
        self.run(|c| {
            let mut statement = c.prepare_cached(sql)?;
            let mut rows = statement.query([Place::at(part, offset).key(), Place::at(part, i64::MAX).key()])?;
            while let Some(row) = rows.next()? {
                let row = Row {
                    place: Place::of(row.get(0)?),
                    n: row.get(1)?,
                    at: row.get(2)?,
                    run_max: row.get(3)?,
                    codec: row.get(4)?,
                    // A checksum that is no 32-bit number is as wrong as any other; the row then fails it.
                    crc: u32::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
                    bytes: row.get(6)?,
                };
                if !take(&row) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Deletes at most `n` rows of a part, oldest first, none that begins at or after `offset`. Gives how many.
    pub(super) fn delete_before(&self, part: i64, offset: i64, n: usize) -> Result<usize, LogError> {
        let sql = "DELETE FROM batch WHERE place IN
                   (SELECT place FROM batch WHERE place >= ?1 AND place < ?2 ORDER BY place LIMIT ?3)";
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        self.execute(sql, params![Place::at(part, 0).key(), Place::at(part, offset).key(), n])
    }

    /// Bytes of the file's pages that hold something.
    pub(super) fn bytes_used(&self) -> Result<u64, LogError> {
        let pragma = |name| self.run(|c| c.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0)));
        let used = (pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?;
        Ok(u64::try_from(used).unwrap_or(0))
    }

    /// Refuses to let the file grow beyond `bytes`.
    pub(super) fn limit_bytes(&self, bytes: u64) -> Result<(), LogError> {
        let page: i64 = self.run(|c| c.query_row("PRAGMA page_size", [], |row| row.get(0)))?;
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
        self.run(|c| c.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())))
    }

    /// Copies what the WAL holds into the file. Gives the length of the WAL, in pages: it starts over with the next
    /// commit, if by then everything was copied and nobody reads from it.
    pub(super) fn checkpoint(&self, mode: &str) -> Result<u64, LogError> {
        let pages: i64 = self.run(|c| c.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(1)))?;
        Ok(u64::try_from(pages).unwrap_or(0))
    }

    /// Runs `work` in one transaction: all of it is on disk afterwards, or nothing happened.
    pub(super) fn transaction<T>(&self, work: impl FnOnce(&Self) -> Result<T, LogError>) -> Result<T, LogError> {
        self.execute("BEGIN IMMEDIATE", [])?;
        let done = work(self).and_then(|value| self.execute("COMMIT", []).map(|_| value));
        // A failed statement may have ended the transaction already (a full disk does).
        if done.is_err() && !self.connection.is_autocommit() {
            self.execute("ROLLBACK", [])?;
        }
        done
    }

    fn head(&self, sql: &str, values: impl Params) -> Result<Option<Head>, LogError> {
        self.run(|c| {
            c.prepare_cached(sql)?
                .query_row(values, |row| {
                    let offset = Place::of(row.get(0)?).offset;
                    Ok(Head { offset, n: row.get(1)?, at: row.get(2)?, run_max: row.get(3)? })
                })
                .optional()
        })
    }

    fn execute(&self, sql: &str, values: impl Params) -> Result<usize, LogError> {
        self.run(|c| c.prepare_cached(sql)?.execute(values))
    }

    fn run<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, LogError> {
        work(&self.connection).map_err(|why| LogError::Unavailable {
            what: "use the embedded log's file".to_owned(),
            why: why.to_string(),
        })
    }
}
