//! A log in memory with the promises of a real one, for simulated worlds: partitions, offsets, append times that may jump
//! or run backwards, records that survive every crash of their readers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::log::{Appended, Bounds, Event, LogError, NewRecord, Sink, Source, Topic, partition_of};
use crate::model::Batch;
use crate::time::Ms;

/// Records in one batch at most: small, so that crashes find many borders.
const BATCH_RECORDS_MAX: usize = 16;

/// One stored record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Append time.
    pub append: Ms,
    /// Key.
    pub key: Vec<u8>,
    /// Value.
    pub value: Vec<u8>,
}

#[derive(Debug, Default)]
struct Shared {
    now: Ms,
    partitions: Vec<Vec<Stored>>,
    /// Partitions that can be neither written nor read.
    down: BTreeSet<i32>,
    /// Why nothing can be written at all.
    full: Option<String>,
}

/// The log: a clone is another handle.
#[derive(Debug, Clone)]
pub struct MemoryLog {
    topic: String,
    shared: Arc<Mutex<Shared>>,
}

impl MemoryLog {
    /// An empty log whose clock stands at `now`.
    pub fn new(topic: &str, partitions: i32, now: Ms) -> Self {
        let partitions = (0..partitions).map(|_| Vec::new()).collect();
        Self { topic: topic.to_owned(), shared: Arc::new(Mutex::new(Shared { now, partitions, ..Shared::default() })) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Shared) -> T) -> T {
        work(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets the clock that stamps appends; it may go back, as a broker's may.
    pub fn set_now(&self, now: Ms) {
        self.with(|shared| shared.now = now);
    }

    /// Takes a partition away, or brings it back: what was in it is still there.
    pub fn set_down(&self, partition: i32, is_down: bool) {
        self.with(|shared| {
            if is_down {
                shared.down.insert(partition)
            } else {
                shared.down.remove(&partition)
            };
        });
    }

    /// Refuses every append from now on, for the reason given; `None` takes them again.
    pub fn set_full(&self, why: Option<&str>) {
        self.with(|shared| shared.full = why.map(str::to_owned));
    }

    /// Whether `partition` can be written.
    pub fn takes(&self, partition: i32) -> bool {
        self.with(|shared| shared.full.is_none() && !shared.down.contains(&partition))
    }

    /// Everything appended to `partition` from the `from`-th record on.
    pub fn records_from(&self, partition: i32, from: usize) -> Vec<Stored> {
        self.with(|shared| {
            let all = stored(shared, partition).map_or(&[][..], Vec::as_slice);
            all.get(from..).unwrap_or(&[]).to_vec()
        })
    }

    /// Whether the clock of `partition` ever went back by more than `tolerance`.
    pub fn went_back(&self, partition: i32, tolerance: Ms) -> bool {
        self.with(|shared| {
            let all = stored(shared, partition).map_or(&[][..], Vec::as_slice);
            let mut clock = Ms::MIN;
            all.iter().any(|record| {
                let back = record.append < clock.saturating_sub(tolerance);
                clock = record.append.max(clock);
                back
            })
        })
    }

    /// A reader of all partitions.
    pub fn source(&self) -> MemorySource {
        let n = self.with(|shared| shared.partitions.len());
        MemorySource { log: self.clone(), positions: vec![None; n], assigned: 0, turn: 0 }
    }
}

impl Sink for MemoryLog {
    fn append(&self, records: Vec<NewRecord>) -> Vec<Result<Appended, LogError>> {
        self.with(|shared| {
            let n = i32::try_from(shared.partitions.len()).unwrap_or(1);
            let append = shared.now;
            records
                .into_iter()
                .map(|record| {
                    let partition = record.partition.unwrap_or_else(|| partition_of(&record.key, n));
                    if let Some(why) = &shared.full {
                        return Err(LogError::Unavailable { what: "append".to_owned(), why: why.clone() });
                    }
                    if shared.down.contains(&partition) {
                        let what = format!("partition {partition}");
                        return Err(LogError::Unavailable { what, why: "is down".to_owned() });
                    }
                    let at = usize::try_from(partition).unwrap_or(0);
                    let stored = shared.partitions.get_mut(at).ok_or_else(|| unknown(partition))?;
                    stored.push(Stored { append, key: record.key, value: record.value });
                    Ok(Appended { partition, offset: offset(stored.len()) - 1 })
                })
                .collect()
        })
    }
}

fn offset(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn stored(shared: &Shared, partition: i32) -> Result<&Vec<Stored>, LogError> {
    usize::try_from(partition).ok().and_then(|p| shared.partitions.get(p)).ok_or_else(|| unknown(partition))
}

fn unknown(partition: i32) -> LogError {
    LogError::Unavailable { what: format!("partition {partition}"), why: "no such partition".to_owned() }
}

/// A reader: tells each partition as assigned first, then delivers in turn whatever was sought.
#[derive(Debug)]
pub struct MemorySource {
    log: MemoryLog,
    positions: Vec<Option<usize>>,
    assigned: usize,
    turn: usize,
}

impl Source for MemorySource {
    fn next(&mut self, _wait: Duration) -> Result<Option<Event>, LogError> {
        if self.assigned < self.positions.len() {
            self.assigned += 1;
            return Ok(Some(Event::Assigned { partition: i32::try_from(self.assigned - 1).unwrap_or(0) }));
        }
        let n = self.positions.len();
        for step in 0..n {
            let p = (self.turn + step) % n;
            let Some(position) = self.positions[p] else { continue };
            let is_down = self.log.with(|shared| i32::try_from(p).is_ok_and(|p| shared.down.contains(&p)));
            if is_down {
                continue;
            }
            let batch = self.log.with(|shared| {
                let mut batch = Batch { partition: i32::try_from(p).unwrap_or(0), ..Batch::default() };
                for (n, record) in shared.partitions[p].iter().enumerate().skip(position).take(BATCH_RECORDS_MAX) {
                    batch.push(offset(n), record.append, &record.key, &record.value);
                }
                batch
            });
            if !batch.slots.is_empty() {
                self.positions[p] = Some(position + batch.slots.len());
                self.turn = p + 1;
                return Ok(Some(Event::Batch(batch)));
            }
        }
        Ok(None)
    }

    fn topic(&self) -> Result<Topic, LogError> {
        let partitions = i32::try_from(self.positions.len()).unwrap_or(i32::MAX);
        Ok(Topic { name: self.log.topic.clone(), id: "memory".to_owned(), partitions })
    }

    fn bounds(&mut self, partition: i32) -> Result<Bounds, LogError> {
        Ok(Bounds { low: 0, high: self.log.with(|shared| stored(shared, partition).map(|all| offset(all.len())))? })
    }

    fn offset_for_time(&mut self, partition: i32, at: Ms) -> Result<Option<i64>, LogError> {
        self.log.with(|shared| Ok(stored(shared, partition)?.iter().position(|record| record.append >= at).map(offset)))
    }

    fn seek(&mut self, partition: i32, offset: i64) -> Result<(), LogError> {
        let at = usize::try_from(partition).ok().and_then(|p| self.positions.get_mut(p));
        *at.ok_or_else(|| unknown(partition))? = Some(usize::try_from(offset).unwrap_or(0));
        Ok(())
    }

    fn pause(&mut self, _partition: i32, _on: bool) -> Result<(), LogError> {
        Ok(())
    }

    fn note_committed(&mut self, _partition: i32, _offset: i64) {}
}
