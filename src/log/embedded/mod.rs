//! The embedded log: what stands where Kafka stands on a machine that has none. Durable, partitioned, one SQLite file.
//!
//! The idea: one row is one compressed batch of records, one thread writes them all in group commits, and readers are
//! plain SQLite readers. So durability, crash recovery, space reuse and concurrent reading are SQLite's, and what is
//! left to write here is a queue, a clock and a dozen statements.
//!
//! Deliberately not here: offsets that were worked on (they live in the store), replication, consumer groups.
//! - `file`: tables and statements. `row`: what a row holds. `queue`: in front of the writer, and the sink.
//! - `writer`: group commit and retention. `stamp`: append time. `source`: reading.

mod file;
mod queue;
mod row;
mod source;
mod stamp;
#[cfg(test)]
mod tests;
mod writer;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::log::LogError;
use crate::log::embedded::file::{File, TopicRow};
pub use crate::log::embedded::queue::EmbeddedSink;
use crate::log::embedded::queue::Queue;
pub use crate::log::embedded::source::EmbeddedSource;
use crate::log::embedded::source::Feed;
use crate::log::embedded::stamp::Stamper;
pub use crate::log::embedded::stamp::WallClock;
pub use crate::log::embedded::writer::Writer;
use crate::time::{Clock, DAY, Ms};

/// How an embedded log is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Topics and their numbers of partitions. A topic that the file has with fewer partitions grows; with more, it
    /// keeps them.
    pub topics: Vec<(String, i32)>,
    /// Age in ms after which records may be deleted.
    pub retention_ms: Ms,
    /// Bytes in the file beyond which the oldest records are deleted.
    pub retention_bytes: u64,
    /// Bytes that the file may not exceed whatever happens: appends are then refused as on a full disk. `None`: no
    /// limit but the disk's.
    pub file_bytes_max: Option<u64>,
    /// The longest value of a record, in bytes.
    pub record_bytes: usize,
    /// Bytes that may wait for the writer; more is refused with [`LogError::Full`].
    pub queue_bytes: usize,
    /// How long the first record of a group waits for others before the group is committed.
    pub group_wait: Duration,
}

impl Config {
    /// The defaults: 24 h, 2 GB, records up to 1 MiB.
    pub fn new(topics: &[(&str, i32)]) -> Self {
        Self {
            topics: topics.iter().map(|&(name, n)| (name.to_owned(), n)).collect(),
            retention_ms: DAY,
            retention_bytes: 2_000_000_000,
            file_bytes_max: None,
            record_bytes: 1024 * 1024,
            // Four of the door's largest bodies (16 MiB), and some seconds of a saturated disk.
            queue_bytes: 64 * 1024 * 1024,
            // Far below the 200 ms of a pulse.
            group_wait: Duration::from_millis(20),
        }
    }
}

/// What the log knows about itself, for metrics and status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// The wall clock against the log's clock.
    pub wall_clock: WallClock,
    /// Records refused because the queue was full.
    pub refused_full: u64,
    /// Rows that failed their checksum when they were read (counted once per source that met them).
    pub damaged_rows: u64,
    /// Why appends are refused now; `None` while they are taken.
    pub trouble: Option<String>,
}

/// A handle to the log; clones are the same log. When the last handle and sink are gone, the writer ends.
#[derive(Debug, Clone)]
pub struct EmbeddedLog {
    handle: Arc<Handle>,
}

/// Somebody who may still append.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

/// What writer, sinks and sources of one process share.
#[derive(Debug)]
struct Shared {
    path: PathBuf,
    topics: Vec<TopicRow>,
    record_bytes: usize,
    queue: Queue,
    stamper: Mutex<Stamper>,
    /// Counts commits, so that a source can wait for the next one.
    commits: Mutex<u64>,
    committed: Condvar,
    refused_full: AtomicU64,
    damaged_rows: AtomicU64,
    trouble: Mutex<Option<String>>,
}

/// Opens the log for writing, making or growing what the file lacks, and reads where it stands. The caller runs the
/// [`Writer`] on a thread of its own; until it does, appends wait.
///
/// Refused where another process writes the file, or where the file is not an embedded log of this or an older layout.
pub fn open(path: &Path, config: &Config, clock: Arc<dyn Clock>) -> Result<(EmbeddedLog, Writer), LogError> {
    let lock = lock(path)?;
    let file = File::open_writer(path)?;
    for (name, partitions) in &config.topics {
        file.ensure_topic(name, *partitions)?;
    }
    if let Some(bytes) = config.file_bytes_max {
        file.limit_bytes(bytes)?;
    }
    let shared = Arc::new(Shared {
        path: path.to_owned(),
        topics: file.topics()?,
        record_bytes: config.record_bytes,
        queue: Queue::new(config.queue_bytes),
        stamper: Mutex::new(Stamper::new(clock.wall(), clock.elapsed())),
        commits: Mutex::new(0),
        committed: Condvar::new(),
        refused_full: AtomicU64::new(0),
        damaged_rows: AtomicU64::new(0),
        trouble: Mutex::new(None),
    });
    let writer = Writer::new((file, lock), Arc::clone(&shared), config, clock)?;
    Ok((EmbeddedLog { handle: Arc::new(Handle { shared }) }, writer))
}

/// Opens the log for reading only: from another process, while it is written or after its writer was killed.
pub fn open_readonly(path: &Path) -> Result<ReadonlyLog, LogError> {
    let topics = File::open_reader(path)?.topics()?;
    Ok(ReadonlyLog { path: path.to_owned(), topics })
}

/// SQLite would let two writers take turns, and each would give out the same offsets: a lock file forbids it. The lock
/// ends with the process, however that ends.
fn lock(path: &Path) -> Result<std::fs::File, LogError> {
    let mut name = OsString::from(path);
    name.push(".lock");
    let refused = |why: String, help: &str| LogError::Refused {
        what: format!("open log `{}`", path.display()),
        why,
        help: help.to_owned(),
    };
    let opened = std::fs::File::options().create(true).truncate(false).write(true).open(&name);
    let file =
        opened.map_err(|why| refused(why.to_string(), "check that the data directory exists and is writable"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(refused("another process writes it".to_owned(), "stop that process, or name another data directory"))
        }
        Err(std::fs::TryLockError::Error(why)) => {
            Err(refused(why.to_string(), "put the data directory on a file system that can lock"))
        }
    }
}

fn find<'a>(topics: &'a [TopicRow], name: &str) -> Result<&'a TopicRow, LogError> {
    topics.iter().find(|topic| topic.name == name).ok_or_else(|| LogError::Refused {
        what: format!("open topic `{name}`"),
        why: "the embedded log has no such topic".to_owned(),
        help: format!("it has: {}", topics.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ")),
    })
}

// === impl EmbeddedLog ===

impl EmbeddedLog {
    /// A new reader of all partitions of a topic; it tells `Assigned` for each of them first.
    pub fn source(&self, topic: &str) -> Result<EmbeddedSource, LogError> {
        let shared = &self.handle.shared;
        let topic = find(&shared.topics, topic)?.clone();
        Ok(EmbeddedSource::new(File::open_reader(&shared.path)?, Feed::Told(Arc::clone(shared)), topic))
    }

    /// The writing side of a topic.
    pub fn sink(&self, topic: &str) -> Result<EmbeddedSink, LogError> {
        let topic = find(&self.handle.shared.topics, topic)?.clone();
        Ok(EmbeddedSink { handle: Arc::clone(&self.handle), topic })
    }

    /// Names of the topics.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.handle.shared.topics.iter().map(|topic| topic.name.as_str())
    }

    /// Takes no further append; the writer ends after what waits.
    pub fn stop(&self) {
        self.handle.shared.queue.close();
    }

    /// How the log is.
    pub fn health(&self) -> Health {
        let shared = &self.handle.shared;
        Health {
            wall_clock: locked(&shared.stamper).wall_clock(),
            refused_full: shared.refused_full.load(Ordering::Relaxed),
            damaged_rows: shared.damaged_rows.load(Ordering::Relaxed),
            trouble: locked(&shared.trouble).clone(),
        }
    }
}

// === impl Shared ===

impl Shared {
    /// The log's time now; also the look at the wall clock.
    fn observe(&self, wall: Ms, elapsed: Ms) -> Ms {
        locked(&self.stamper).observe(wall, elapsed)
    }

    /// Rows were committed: wakes every source.
    fn published(&self) {
        *locked(&self.commits) += 1;
        self.committed.notify_all();
    }

    fn version(&self) -> u64 {
        *locked(&self.commits)
    }

    fn wait_beyond(&self, seen: u64, wait: Duration) {
        drop(self.committed.wait_timeout_while(locked(&self.commits), wait, |commits| *commits == seen));
    }

    fn set_trouble(&self, trouble: Option<String>) {
        *locked(&self.trouble) = trouble;
    }

    fn count_refused(&self, n: usize) {
        self.refused_full.fetch_add(u64::try_from(n).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn count_damaged(&self) {
        self.damaged_rows.fetch_add(1, Ordering::Relaxed);
    }
}

/// A panic elsewhere leaves these values whole: each is set in one step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The log as another process sees it.
#[derive(Debug, Clone)]
pub struct ReadonlyLog {
    path: PathBuf,
    topics: Vec<TopicRow>,
}

impl ReadonlyLog {
    /// A new reader of all partitions of a topic; it notices appends within some 20 ms.
    pub fn source(&self, topic: &str) -> Result<EmbeddedSource, LogError> {
        let topic = find(&self.topics, topic)?.clone();
        Ok(EmbeddedSource::new(File::open_reader(&self.path)?, Feed::Looks, topic))
    }

    /// Names of the topics.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(|topic| topic.name.as_str())
    }
}
