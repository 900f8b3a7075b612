//! The one thread that writes the embedded log: group commit, append time, retention.
//!
//! The idea: whatever waits goes into one transaction, at 1 MiB or after a short wait (20 ms), and is answered after its
//! COMMIT; the number of syncs then depends on time, not on the number of senders. Offsets advance in memory only after
//! the commit, so a refused group (a full disk) leaves no hole and nothing half-done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::log::embedded::file::{File, Place};
use crate::log::embedded::queue::{Entry, Job};
use crate::log::embedded::row::{Packer, Row};
use crate::log::embedded::stamp::stamp;
use crate::log::embedded::{Config, Shared};
use crate::log::{Appended, LogError};
use crate::time::{Clock, MINUTE, Ms};

/// A group is committed when it holds this much (one sync per MiB runs at some 90 % of the disk's speed), or when its
/// first record has waited for [`Config::group_wait`].
const GROUP_BYTES: usize = 1024 * 1024;
/// How often an idle writer looks at the clocks and at what is due.
const IDLE_WAIT: Duration = Duration::from_secs(1);
/// How often expired rows are looked for; each time it costs a few pages, so not with every pulse.
const SWEEP_EVERY: Ms = MINUTE;
/// The share of `retention_bytes` that may be written between two looks: how far the file can exceed its limit.
const SWEEP_SHARE: u64 = 64;
/// Rows deleted in one transaction: 64 MiB of full rows, some 20 ms in which appends wait.
const SWEEP_ROWS: usize = 256;
/// Rows deleted before the size is looked at again, so that the limit is not undershot by much.
const SWEEP_STRIDE: usize = 16;
/// Bytes of rows after which the WAL goes into the file: bounds the WAL and the time of an opening after a kill.
const CHECKPOINT_BYTES: u64 = 8 * 1024 * 1024;
/// So much later it is looked at again: a WAL starts over with the commit after a checkpoint, unless a reader is at it.
const CHECKPOINT_AGAIN_BYTES: u64 = 1024 * 1024;
/// A WAL no longer than this has started over by then.
const WAL_SHORT_BYTES: u64 = 4 * CHECKPOINT_AGAIN_BYTES;
/// What a row costs beside its bytes: its share of a leaf, which the WAL takes whole.
const ROW_PAGE_BYTES: u64 = 1024;

/// Where a partition stands.
#[derive(Debug, Clone, Copy, Default)]
struct End {
    next: i64,
    last_at: Option<Ms>,
    run_max: Ms,
}

/// The writing end; [`Writer::run`] it on a thread.
#[derive(Debug)]
pub struct Writer {
    file: File,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    retention_ms: Ms,
    retention_bytes: u64,
    group_wait: Duration,
    /// By part: all parts of all topics.
    ends: BTreeMap<i64, End>,
    swept_at: Ms,
    bytes_since_sweep: u64,
    bytes_since_checkpoint: u64,
    sweep_due: bool,
    refusing: bool,
    /// Held as long as the file is written.
    _lock: std::fs::File,
}

impl Writer {
    pub(super) fn new(
        (file, lock): (File, std::fs::File),
        shared: Arc<Shared>,
        config: &Config,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LogError> {
        let mut ends = BTreeMap::new();
        for &part in shared.topics.iter().flat_map(|topic| &topic.parts) {
            let end = file.last(part)?.map_or_else(End::default, |head| End {
                next: head.end(),
                last_at: Some(head.at),
                run_max: head.run_max,
            });
            ends.insert(part, end);
        }
        let swept_at = clock.elapsed();
        Ok(Self {
            file,
            shared,
            clock,
            retention_ms: config.retention_ms,
            retention_bytes: config.retention_bytes,
            group_wait: config.group_wait,
            ends,
            swept_at,
            bytes_since_sweep: 0,
            bytes_since_checkpoint: 0,
            sweep_due: true,
            refusing: false,
            _lock: lock,
        })
    }

    /// Writes until the log is stopped or the last handle to it is gone; what waits then is still written. Blocks.
    pub fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut idle = IDLE_WAIT;
        while let Some(jobs) = shared.queue.take(idle, self.group_wait, GROUP_BYTES) {
            // Read once for all that follows: what is due is judged by the time that it is judged at.
            let elapsed = self.clock.elapsed();
            let now = shared.observe(self.clock.wall(), elapsed);
            if !jobs.is_empty() {
                self.commit(jobs, now);
            }
            self.checkpoint_if_due();
            self.sweep_if_due(now, elapsed);
            idle = if self.sweep_due && !self.refusing { Duration::ZERO } else { IDLE_WAIT };
        }
        self.checkpoint();
    }

    // --- appending

    fn commit(&mut self, jobs: Vec<Job>, now: Ms) {
        let mut group = Group { now, ends: &self.ends, moved: BTreeMap::new(), packers: BTreeMap::new(), bytes: 0 };
        let written = self.file.transaction(|file| {
            let places: Result<Vec<Vec<Appended>>, LogError> =
                jobs.iter().map(|job| job.entries.iter().map(|entry| group.add(file, entry)).collect()).collect();
            group.close_rows(file).and(places)
        });
        let (moved, bytes) = (group.moved, group.bytes);
        match written {
            Ok(places) => {
                self.ends.extend(moved);
                self.bytes_since_sweep += bytes;
                self.bytes_since_checkpoint += bytes;
                self.note_recovered();
                self.shared.published();
                for (job, places) in jobs.into_iter().zip(places) {
                    job.answer(places.into_iter().map(Ok).collect());
                }
            }
            Err(why) => self.refuse(jobs, &why),
        }
    }

    /// Nothing of the group is in the log; what was acknowledged before stays. Expired rows may make room.
    fn refuse(&mut self, jobs: Vec<Job>, why: &LogError) {
        if !self.refusing {
            tracing::error!(%why, "embedded log refuses appends");
        }
        self.refusing = true;
        self.sweep_due = true;
        // A WAL that is copied into the file is written from its start again: room for deleting.
        self.bytes_since_checkpoint = CHECKPOINT_BYTES;
        self.shared.set_trouble(Some(why.to_string()));
        let refusal =
            |_: &Entry| Err(LogError::Unavailable { what: "write the embedded log".to_owned(), why: why.to_string() });
        for job in jobs {
            let answers = job.entries.iter().map(refusal).collect();
            job.answer(answers);
        }
    }

    fn note_recovered(&mut self) {
        if self.refusing {
            tracing::info!("embedded log takes appends again");
            self.refusing = false;
            self.shared.set_trouble(None);
        }
    }

    /// Runs after the answers were given, so that nobody waits for it.
    fn checkpoint_if_due(&mut self) {
        if self.bytes_since_checkpoint >= CHECKPOINT_BYTES {
            self.checkpoint();
        }
    }

    fn checkpoint(&mut self) {
        // Looking again soon keeps it from growing by a whole round each time that a reader was in the way.
        self.bytes_since_checkpoint = match self.file.checkpoint("PASSIVE") {
            Ok(pages) if pages * ROW_PAGE_BYTES <= WAL_SHORT_BYTES => pages * ROW_PAGE_BYTES,
            Ok(_) => CHECKPOINT_BYTES - CHECKPOINT_AGAIN_BYTES,
            Err(why) => {
                tracing::warn!(%why, "embedded log could not be checkpointed, its WAL grows");
                0
            }
        };
    }

    // --- retention

    fn sweep_if_due(&mut self, now: Ms, elapsed: Ms) {
        let written = self.bytes_since_sweep >= self.retention_bytes / SWEEP_SHARE;
        if !self.sweep_due && !written && elapsed - self.swept_at < SWEEP_EVERY {
            return;
        }
        self.swept_at = elapsed;
        self.bytes_since_sweep = 0;
        let (ends, limit) = (&self.ends, now - self.retention_ms);
        let bytes_max = self.retention_bytes;
        let swept = self.file.transaction(|file| {
            let expired = sweep_expired(file, ends, limit)?;
            Ok(expired + sweep_oversize(file, ends, bytes_max, SWEEP_ROWS.saturating_sub(expired))?)
        });
        match swept {
            Ok(deleted) => {
                self.sweep_due = deleted >= SWEEP_ROWS;
                self.bytes_since_checkpoint += u64::try_from(deleted).unwrap_or(0) * ROW_PAGE_BYTES;
            }
            Err(why) => {
                self.sweep_due = false;
                tracing::warn!(%why, "embedded log could not delete expired rows");
            }
        }
    }
}

impl Drop for Writer {
    /// Whoever still waits for an answer learns that none will come.
    fn drop(&mut self) {
        self.shared.queue.abandon();
    }
}

/// The rows of one commit while they grow.
struct Group<'a> {
    now: Ms,
    ends: &'a BTreeMap<i64, End>,
    moved: BTreeMap<i64, End>,
    packers: BTreeMap<i64, Packer>,
    bytes: u64,
}

impl Group<'_> {
    fn add(&mut self, file: &File, entry: &Entry) -> Result<Appended, LogError> {
        let before = self.ends.get(&entry.part).copied().unwrap_or_default();
        let end = self.moved.entry(entry.part).or_insert_with(|| {
            let at = stamp(self.now, before.last_at);
            End { next: before.next, last_at: Some(at), run_max: before.run_max.max(at) }
        });
        let offset = end.next;
        end.next += 1;
        let packer = self.packers.entry(entry.part).or_default();
        packer.push(&entry.key, &entry.value);
        if packer.is_full() {
            let row = sealed(entry.part, packer, *end);
            self.insert(file, &row)?;
        }
        Ok(Appended { partition: entry.partition, offset })
    }

    fn close_rows(&mut self, file: &File) -> Result<(), LogError> {
        for (part, mut packer) in std::mem::take(&mut self.packers) {
            let end = self.moved.get(&part).copied().unwrap_or_default();
            if !packer.is_empty() {
                let row = sealed(part, &mut packer, end);
                self.insert(file, &row)?;
            }
        }
        Ok(())
    }

    fn insert(&mut self, file: &File, row: &Row) -> Result<(), LogError> {
        self.bytes += u64::try_from(row.bytes.len()).unwrap_or(0) + ROW_PAGE_BYTES;
        file.insert(row)
    }
}

/// The row of what the packer holds: the records just below the partition's next offset.
fn sealed(part: i64, packer: &mut Packer, end: End) -> Row {
    let place = Place { part, offset: end.next - packer.n() };
    packer.seal(place, end.last_at.unwrap_or_default(), end.run_max)
}

/// Deletes rows older than `limit`. A partition's last row always stays: it carries the next offset and the last stamp.
/// Rows stamped by a clock that ran ahead hold back those after them until they expire or the size limit takes them.
fn sweep_expired(file: &File, ends: &BTreeMap<i64, End>, limit: Ms) -> Result<usize, LogError> {
    let mut deleted = 0;
    for &part in ends.keys() {
        let Some(last) = file.last(part)? else { continue };
        let keep = file.first_since(part, 0, limit)?.map_or(last.offset, |head| head.offset);
        deleted += file.delete_before(part, keep, SWEEP_ROWS.saturating_sub(deleted))?;
    }
    Ok(deleted)
}

/// Deletes the oldest rows, whichever partition they are of, until the file's content fits.
fn sweep_oversize(file: &File, ends: &BTreeMap<i64, End>, bytes: u64, rows: usize) -> Result<usize, LogError> {
    let mut deleted = 0;
    while deleted < rows && file.bytes_used()? > bytes {
        let mut oldest: Option<(Ms, i64, i64)> = None;
        for &part in ends.keys() {
            if let (Some(first), Some(last)) = (file.ceiling(part, 0)?, file.last(part)?)
                && first.offset < last.offset
            {
                let found = (first.at, part, last.offset);
                oldest = Some(oldest.map_or(found, |best| best.min(found)));
            }
        }
        let Some((_, part, last)) = oldest else { break };
        deleted += file.delete_before(part, last, SWEEP_STRIDE)?;
    }
    Ok(deleted)
}
