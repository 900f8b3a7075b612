//! The reading side of a Kafka topic: every partition, or those that a group assigns, each from where it was sought.
//!
//! The idea: one consumer, polled by whoever calls `next`; a partition is assigned to it when it is first sought, so
//! nothing comes before. A fetch below the log's start is an error in librdkafka here (never a silent reset) and a
//! [`Event::Gap`] for the reader. Which partitions are ours is for [`Membership`] to say, a consumer of its own.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::log::kafka::client::{Context, LOOK, Need, REQUEST, refused_settings, refused_topic, settings, unavailable};
use crate::log::kafka::group::Membership;
use crate::log::kafka::{Config, LEADER_LOOKS, LEADER_PAUSE};
use crate::log::{Bounds, Event, LogError, Source, Topic, pause};
use crate::model::Batch;
use crate::time::Ms;

/// Messages taken in one go: what a second's flush at 100,000 a second works on ten times.
const POLL_RECORDS: usize = 8192;
/// Bytes taken in one go.
const POLL_BYTES: usize = 1024 * 1024;

/// How a source's consumer is set up, each unless `extra` says otherwise.
const SETTINGS: [(&str, &str); 7] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("fetch.message.max.bytes", "4194304"),
    // Bounds the memory of what was fetched ahead.
    ("queued.max.messages.kbytes", "65536"),
    ("fetch.wait.max.ms", "100"),
    // A pulse must not wait half a second because the partition was empty a moment ago.
    ("fetch.error.backoff.ms", "100"),
];

#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    /// Offset after the last record that was polled; `None` until it is sought.
    next: Option<i64>,
    paused: bool,
}

/// A source of partitions of one topic.
pub struct KafkaSource {
    config: Config,
    consumer: BaseConsumer<Context>,
    /// Asks for bounds and times on connections of its own: on the consumer's, a question waits behind a fetch that
    /// waits for records, a tenth of a second each.
    asking: BaseConsumer<Context>,
    topic: String,
    cursors: Vec<Cursor>,
    /// Who else reads; `None`: every partition is ours.
    membership: Option<Membership>,
    /// Assignments and revocations not told yet.
    owned: VecDeque<Event>,
    /// Polled and not yet told.
    ready: VecDeque<Event>,
}

impl std::fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaSource")
            .field("topic", &self.topic)
            .field("cursors", &self.cursors)
            .finish_non_exhaustive()
    }
}

impl KafkaSource {
    pub(super) fn new(config: &Config, topic: &str, partitions: i32) -> Result<Self, LogError> {
        let mut settings = settings(config);
        settings.set("group.id", &config.group);
        for (key, value) in SETTINGS.iter().filter(|(key, _)| !config.extra.contains_key(*key)) {
            settings.set(*key, *value);
        }
        let client = || settings.create_with_context(Context::default()).map_err(|why| refused_settings(config, &why));
        let (consumer, asking) = (client()?, client()?);
        let membership = config.join.as_ref().map(|join| Membership::new(config, join, topic)).transpose()?;
        let all = if membership.is_some() { 0..0 } else { 0..partitions };
        Ok(Self {
            config: config.clone(),
            consumer,
            asking,
            topic: topic.to_owned(),
            cursors: (0..partitions).map(|_| Cursor::default()).collect(),
            membership,
            owned: all.map(|partition| Event::Assigned { partition }).collect(),
            ready: VecDeque::new(),
        })
    }

    fn cursor(&mut self, partition: i32) -> Result<&mut Cursor, LogError> {
        let n = self.cursors.len();
        let found = usize::try_from(partition).ok().and_then(|p| self.cursors.get_mut(p));
        found.ok_or_else(|| LogError::Refused {
            what: format!("use partition {partition} of `{}`", self.topic),
            why: format!("it has {n} partitions"),
            help: "the topic was made with fewer partitions, or grew: restart".to_owned(),
        })
    }

    fn list(&self, partition: i32, offset: i64) -> Result<TopicPartitionList, LogError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition, Offset::Offset(offset))
            .map_err(|why| self.failed("seek", &why))?;
        Ok(list)
    }

    fn failed(&self, verb: &str, why: &KafkaError) -> LogError {
        let what = format!("{verb} topic `{}`", self.topic);
        match why.rdkafka_error_code() {
            Some(code) => refused_topic(&self.config, &self.topic, Need::Read, &what, code),
            None => unavailable(&what, why),
        }
    }

    /// Fetches a partition from `wanted` on, or from the log's nearer end with a gap told.
    fn fetch_from(&mut self, partition: i32, wanted: i64) -> Result<(), LogError> {
        let Bounds { low, high } = self.bounds(partition)?;
        let next = wanted.min(high).max(low);
        if next != wanted {
            self.ready.push_back(Event::Gap { partition, wanted, low: next });
        }
        let list = self.list(partition, next)?;
        let known = self.cursor(partition)?.next.is_some();
        // Not `seek`: it fails in the moments before the first fetch. An assignment replaced is sound at any time, and
        // what was fetched under the old one never comes out.
        let replaced = if known { self.consumer.incremental_unassign(&list) } else { Ok(()) };
        replaced.and_then(|()| self.consumer.incremental_assign(&list)).map_err(|why| self.failed("read", &why))?;
        let cursor = self.cursor(partition)?;
        cursor.next = Some(next);
        if cursor.paused {
            self.consumer.pause(&list).map_err(|why| self.failed("pause", &why))?;
        }
        Ok(())
    }

    /// Something was fetched outside the log's bounds, and librdkafka does not say where: looks at every partition.
    fn find_gaps(&mut self) -> Result<(), LogError> {
        for partition in (0..).take(self.cursors.len()) {
            if let Some(next) = self.cursor(partition)?.next {
                self.fetch_from(partition, next)?;
            }
        }
        Ok(())
    }

    /// The first event that a paused partition does not hold back.
    fn told(&mut self) -> Option<Event> {
        let paused = |p: i32| usize::try_from(p).ok().and_then(|p| self.cursors.get(p)).is_some_and(|c| c.paused);
        let first = self.ready.iter().position(|event| !partition_of(event).is_some_and(paused))?;
        self.ready.remove(first)
    }

    /// The next assignment or revocation. A revoked partition's records end before its revocation is told.
    fn owned(&mut self) -> Result<Option<Event>, LogError> {
        if let Some(membership) = &mut self.membership {
            let looked = membership.look(&mut self.owned);
            if self.owned.is_empty() {
                looked?;
            }
        }
        let event = self.owned.pop_front();
        if let Some(Event::Revoked { partition, .. }) = event {
            self.stop(partition)?;
        }
        Ok(event)
    }

    fn stop(&mut self, partition: i32) -> Result<(), LogError> {
        self.ready.retain(|event| partition_of(event) != Some(partition));
        if std::mem::take(self.cursor(partition)?).next.is_some() {
            let list = self.list(partition, 0)?;
            self.consumer.incremental_unassign(&list).map_err(|why| self.failed("leave", &why))?;
        }
        Ok(())
    }

    /// Polls until nothing is at hand or it is enough; waits for the first message only.
    fn poll(&mut self, wait: Duration) -> Result<(), LogError> {
        let mut batches: BTreeMap<i32, Batch> = BTreeMap::new();
        let (mut records, mut bytes) = (0, 0);
        let mut failure = None;
        while records < POLL_RECORDS && bytes < POLL_BYTES && failure.is_none() {
            match self.consumer.poll(if records == 0 { wait } else { Duration::ZERO }) {
                None => break,
                Some(Err(why)) => failure = Some(why),
                Some(Ok(message)) => {
                    records += 1;
                    bytes += message.payload_len() + message.key_len();
                    take(&mut self.cursors, &mut batches, &message);
                }
            }
        }
        let any = !batches.is_empty();
        self.ready.extend(batches.into_values().map(Event::Batch));
        match failure {
            Some(why) if is_gap(&why) => self.find_gaps(),
            // librdkafka goes on by itself; what was read comes first, a lasting failure comes again.
            Some(why) if any => {
                tracing::warn!(%why, "kafka consumer");
                Ok(())
            }
            Some(why) => Err(self.failed("read", &why)),
            None => Ok(()),
        }
    }
}

/// Copies a message into its partition's batch, unless it lies below where that partition was sought.
fn take(cursors: &mut [Cursor], batches: &mut BTreeMap<i32, Batch>, message: &BorrowedMessage<'_>) {
    let partition = message.partition();
    let cursor = usize::try_from(partition).ok().and_then(|p| cursors.get_mut(p));
    let Some(Cursor { next: Some(next), .. }) = cursor else { return };
    if message.offset() < *next {
        return;
    }
    *next = message.offset() + 1;
    let batch = batches.entry(partition).or_insert_with(|| Batch { partition, ..Batch::default() });
    // A record without a time stamp is older than Kafka 0.10; it counts as of the beginning of time.
    let append = message.timestamp().to_millis().unwrap_or(0);
    batch.push(message.offset(), append, message.key().unwrap_or(&[]), message.payload().unwrap_or(&[]));
}

/// Asks again while the partition has no leader that knows of itself, as in the moments after it was made or moved.
fn patiently<T>(ask: impl Fn() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    for _ in 0..LEADER_LOOKS {
        match ask() {
            Err(why) if is_leaderless(&why) => pause(LEADER_PAUSE),
            answer => return answer,
        }
    }
    ask()
}

fn is_leaderless(why: &KafkaError) -> bool {
    matches!(
        why.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::FencedLeaderEpoch
                | RDKafkaErrorCode::UnknownLeaderEpoch
                | RDKafkaErrorCode::OffsetNotAvailable
        )
    )
}

fn is_gap(why: &KafkaError) -> bool {
    matches!(
        why.rdkafka_error_code(),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::NoOffset)
    )
}

fn partition_of(event: &Event) -> Option<i32> {
    match event {
        Event::Batch(batch) => Some(batch.partition),
        Event::Gap { partition, .. } => Some(*partition),
        Event::Assigned { .. } | Event::Revoked { .. } => None,
    }
}

impl Source for KafkaSource {
    fn next(&mut self, wait: Duration) -> Result<Option<Event>, LogError> {
        if let Some(event) = self.owned()? {
            return Ok(Some(event));
        }
        if let Some(event) = self.told() {
            return Ok(Some(event));
        }
        self.poll(wait)?;
        Ok(self.told())
    }

    /// librdkafka does not tell a topic's identity: the text is empty, and a topic made anew is seen by its bounds.
    fn topic(&self) -> Result<Topic, LogError> {
        let partitions = i32::try_from(self.cursors.len()).unwrap_or(i32::MAX);
        Ok(Topic { name: self.topic.clone(), id: String::new(), partitions })
    }

    fn bounds(&mut self, partition: i32) -> Result<Bounds, LogError> {
        self.cursor(partition)?;
        let (low, high) = patiently(|| self.asking.fetch_watermarks(&self.topic, partition, REQUEST))
            .map_err(|why| self.failed("ask the bounds of", &why))?;
        Ok(Bounds { low, high })
    }

    /// A question that was asked while the broker was away may stay unanswered until its own time is over, long after
    /// the broker is back, and whoever looks between two reads would not read meanwhile.
    fn end(&mut self, partition: i32) -> Result<i64, LogError> {
        self.cursor(partition)?;
        let found = self.asking.fetch_watermarks(&self.topic, partition, LOOK);
        Ok(found.map_err(|why| self.failed("look for the end of", &why))?.1)
    }

    fn offset_for_time(&mut self, partition: i32, at: Ms) -> Result<Option<i64>, LogError> {
        self.cursor(partition)?;
        // Negative times have a meaning of their own in the protocol ("first", "last").
        let asked = self.list(partition, at.max(0))?;
        let found = patiently(|| {
            let answer = self.asking.offsets_for_times(asked.clone(), REQUEST)?;
            let Some(element) = answer.find_partition(&self.topic, partition) else { return Ok(Offset::End) };
            element.error().map(|()| element.offset())
        });
        match found.map_err(|why| self.failed("ask times of", &why))? {
            Offset::Offset(offset) => Ok(Some(offset)),
            _ => Ok(None),
        }
    }

    fn seek(&mut self, partition: i32, offset: i64) -> Result<(), LogError> {
        self.cursor(partition)?;
        self.ready.retain(|event| partition_of(event) != Some(partition));
        self.fetch_from(partition, offset.max(0))
    }

    fn pause(&mut self, partition: i32, on: bool) -> Result<(), LogError> {
        let cursor = self.cursor(partition)?;
        cursor.paused = on;
        if cursor.next.is_none() {
            return Ok(());
        }
        let list = self.list(partition, 0)?;
        let done = if on { self.consumer.pause(&list) } else { self.consumer.resume(&list) };
        done.map_err(|why| self.failed("pause", &why))
    }

    fn release(&mut self, partition: i32) {
        if let Some(membership) = &mut self.membership {
            membership.release(partition);
        }
    }

    fn note_committed(&mut self, partition: i32, offset: i64) {
        let noted = self.list(partition, offset).map(|list| match &self.membership {
            Some(membership) => membership.note(&list),
            None => self.consumer.commit(&list, CommitMode::Async),
        });
        if let Ok(Err(why)) = noted {
            tracing::debug!(%why, "progress not noted in the consumer group");
        }
    }
}
