//! The bounded queue between those who append and the one who writes, and the sink in front of it.
//!
//! The idea: an append is a job with a reply channel; it is answered after the COMMIT that holds it, or refused at the
//! door where the queue is full. Nobody waits for a place: back-pressure is the caller's to pass on.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::log::embedded::Handle;
use crate::log::embedded::file::TopicRow;
use crate::log::{Appended, LogError, NewRecord, Sink, partition_of};

/// The longest key: a key is a host name, and 1 KiB is four times the longest that DNS knows.
pub(super) const KEY_BYTES_MAX: usize = 1024;
/// What an entry weighs in the queue beside its bytes, so that empty records fill it too.
const ENTRY_BYTES: usize = 64;

/// One record on its way into a row.
#[derive(Debug)]
pub(super) struct Entry {
    /// The partition's number in the file.
    pub(super) part: i64,
    pub(super) partition: i32,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// The entries of one `append`, answered together.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) entries: Vec<Entry>,
    bytes: usize,
    reply: Sender<Vec<Result<Appended, LogError>>>,
}

impl Job {
    /// Answers, whether or not anybody still listens.
    pub(super) fn answer(self, results: Vec<Result<Appended, LogError>>) {
        drop(self.reply.send(results));
    }
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    closed: bool,
}

/// The queue itself.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    bytes_max: usize,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { waiting: Mutex::default(), changed: Condvar::new(), bytes_max }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No further job is taken; those that wait are still written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Takes no further job and forgets those that wait: their senders learn that nobody writes any more.
    pub(super) fn abandon(&self) {
        self.close();
        self.lock().jobs.clear();
    }

    /// Queues what fits of `entries`, from the front. The rest gets `Full`, in `refused`.
    fn offer(&self, mut entries: Vec<Entry>) -> Offered {
        let (reply, answers) = channel();
        let mut waiting = self.lock();
        if waiting.closed {
            return Offered { answers, taken: 0, closed: true };
        }
        let mut bytes = 0;
        let fits = |entry: &Entry, sum: usize| waiting.bytes + sum + entry.weight() <= self.bytes_max;
        let taken = entries
            .iter()
            .take_while(|e| {
                fits(e, bytes) && {
                    bytes += e.weight();
                    true
                }
            })
            .count();
        entries.truncate(taken);
        if taken > 0 {
            waiting.bytes += bytes;
            waiting.jobs.push_back(Job { entries, bytes, reply });
            self.changed.notify_all();
        }
        Offered { answers, taken, closed: false }
    }

    /// The jobs of the next commit: waits up to `idle` for the first, then up to `company` until there are `enough`
    /// bytes. Empty after `idle`; `None` once the queue is closed and empty.
    pub(super) fn take(&self, idle: Duration, company: Duration, enough: usize) -> Option<Vec<Job>> {
        let mut waiting = self.wait(self.lock(), idle, |waiting| !waiting.jobs.is_empty());
        if !waiting.jobs.is_empty() {
            waiting = self.wait(waiting, company, |waiting| waiting.bytes >= enough);
        } else if waiting.closed {
            return None;
        }
        let (mut jobs, mut bytes) = (Vec::new(), 0);
        while bytes < enough {
            let Some(job) = waiting.jobs.pop_front() else { break };
            bytes += job.bytes;
            jobs.push(job);
        }
        waiting.bytes -= bytes;
        Some(jobs)
    }

    /// Waits until `ready`, the queue is closed or `length` is over.
    fn wait<'a>(
        &self,
        waiting: MutexGuard<'a, Waiting>,
        length: Duration,
        ready: impl Fn(&Waiting) -> bool,
    ) -> MutexGuard<'a, Waiting> {
        let waited = self.changed.wait_timeout_while(waiting, length, |w| !w.closed && !ready(w));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Entry {
    fn weight(&self) -> usize {
        ENTRY_BYTES + self.key.len() + self.value.len()
    }
}

struct Offered {
    answers: Receiver<Vec<Result<Appended, LogError>>>,
    taken: usize,
    closed: bool,
}

/// The writing side of one topic.
#[derive(Debug, Clone)]
pub struct EmbeddedSink {
    pub(super) handle: Arc<Handle>,
    pub(super) topic: TopicRow,
}

impl EmbeddedSink {
    fn entry(&self, record: NewRecord) -> Result<Entry, LogError> {
        let limit = self.handle.shared.record_bytes;
        if record.value.len() > limit {
            return Err(LogError::TooLarge { bytes: record.value.len(), limit });
        }
        if record.key.len() > KEY_BYTES_MAX {
            return Err(LogError::TooLarge { bytes: record.key.len(), limit: KEY_BYTES_MAX });
        }
        let n = i32::try_from(self.topic.parts.len()).unwrap_or(i32::MAX);
        let partition = record.partition.unwrap_or_else(|| partition_of(&record.key, n));
        match usize::try_from(partition).ok().and_then(|p| self.topic.parts.get(p)) {
            Some(&part) => Ok(Entry { part, partition, key: record.key, value: record.value }),
            None => Err(no_partition(&self.topic, partition)),
        }
    }
}

impl Sink for EmbeddedSink {
    fn append(&self, records: Vec<NewRecord>) -> Vec<Result<Appended, LogError>> {
        let mut entries = Vec::with_capacity(records.len());
        // A record that is refused at once keeps its place in the answer; the others get theirs from the writer.
        let judged: Vec<Result<(), LogError>> =
            records.into_iter().map(|record| self.entry(record).map(|entry| entries.push(entry))).collect();
        let offered = self.handle.shared.queue.offer(entries);
        let mut answers = match offered.taken {
            0 => Vec::new(),
            // The channel ends without an answer when the writer ended without writing.
            _ => offered.answers.recv().unwrap_or_default(),
        }
        .into_iter();
        let mut place = 0;
        let mut late = || {
            place += 1;
            let refusal = || if offered.closed || place <= offered.taken { closed() } else { LogError::Full };
            answers.next().unwrap_or_else(|| Err(refusal()))
        };
        let results: Vec<_> = judged.into_iter().map(|judged| judged.and_then(|()| late())).collect();
        let full = results.iter().filter(|result| matches!(result, Err(LogError::Full))).count();
        self.handle.shared.count_refused(full);
        results
    }
}

fn closed() -> LogError {
    LogError::Unavailable { what: "append to the embedded log".to_owned(), why: "its writer has stopped".to_owned() }
}

/// What is said of a partition that the topic does not have.
pub(super) fn no_partition(topic: &TopicRow, partition: i32) -> LogError {
    LogError::Refused {
        what: format!("use partition {partition} of `{}`", topic.name),
        why: format!("it has {} partitions", topic.parts.len()),
        help: "raise `log.partitions`".to_owned(),
    }
}
