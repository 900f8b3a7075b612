//! The writing side of a Kafka topic.
//!
//! The idea: an append sends all its records and then waits for their delivery reports, which end the wait by
//! themselves: each record in flight holds a sender of the answer channel, and librdkafka reports every record once,
//! delivered or timed out. Idempotent, all replicas; a producer that died of a fatal error is replaced.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};

use crate::log::kafka::client::{Need, log_line, refused_settings, refused_topic, settings};
use crate::log::kafka::{Config, FRAME_BYTES};
use crate::log::{Appended, LogError, NewRecord, Sink};

/// How long a record may be on its way before it is reported as not delivered.
const DELIVERY: Duration = Duration::from_secs(30);
/// What may wait in the producer, in KiB: as much as the embedded log's queue.
const QUEUE_KIB: &str = "65536";

/// The writing side of one topic.
pub struct KafkaSink {
    config: Config,
    topic: String,
    producer: Mutex<Arc<Producer>>,
}

type Producer = ThreadedProducer<Deliveries>;

/// Which record of an append it was, and who waits for it.
struct Waiting {
    index: usize,
    answers: Sender<(usize, Result<Appended, KafkaError>)>,
}

struct Deliveries;

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log_line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka producer");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Waiting>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Box<Waiting>) {
        let answer = match result {
            Ok(message) => Ok(Appended { partition: message.partition(), offset: message.offset() }),
            Err((why, _)) => Err(why.clone()),
        };
        drop(waiting.answers.send((waiting.index, answer)));
    }
}

impl std::fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaSink").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl KafkaSink {
    pub(super) fn new(config: Config, topic: &str) -> Result<Self, LogError> {
        let producer = Mutex::new(Arc::new(producer(&config)?));
        Ok(Self { config, topic: topic.to_owned(), producer })
    }

    /// The producer, or a new one where it died: an idempotent producer that lost its place can only be replaced.
    fn live(&self) -> Result<Arc<Producer>, LogError> {
        let mut held = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((code, why)) = held.client().fatal_error() {
            tracing::error!(?code, why, "kafka producer died and is replaced");
            *held = Arc::new(producer(&self.config)?);
        }
        Ok(Arc::clone(&held))
    }

    fn send(&self, producer: &Producer, record: &NewRecord, waiting: Waiting) -> Result<(), LogError> {
        let limit = self.config.record_bytes;
        if record.value.len() > limit {
            return Err(LogError::TooLarge { bytes: record.value.len(), limit });
        }
        let mut message: BaseRecord<'_, [u8], [u8], Box<Waiting>> =
            BaseRecord::with_opaque_to(&self.topic, Box::new(waiting)).key(&*record.key).payload(&*record.value);
        message.partition = record.partition;
        producer.send(message).map_err(|(why, _)| self.judge(producer, &why, record))
    }

    fn judge(&self, producer: &Producer, why: &KafkaError, record: &NewRecord) -> LogError {
        let what = format!("append to topic `{}`", self.topic);
        // A producer that died takes its queue with it; why it died is what matters.
        let died = || producer.client().fatal_error().map(|(code, _)| code);
        let code = match why.rdkafka_error_code() {
            Some(code @ (RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::Fatal)) => Some(died().unwrap_or(code)),
            code => code,
        };
        match code {
            Some(RDKafkaErrorCode::QueueFull) => LogError::Full,
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                LogError::TooLarge { bytes: record.value.len(), limit: self.config.record_bytes }
            }
            Some(RDKafkaErrorCode::UnknownPartition) if record.partition.is_some() => LogError::Refused {
                what,
                why: why.to_string(),
                help: "the topic has fewer partitions; see kafka-topics.sh --describe".to_owned(),
            },
            Some(code) => refused_topic(&self.config, &self.topic, Need::Write, &what, code),
            None => LogError::Unavailable { what, why: why.to_string() },
        }
    }
}

impl Sink for KafkaSink {
    fn append(&self, records: Vec<NewRecord>) -> Vec<Result<Appended, LogError>> {
        self.append_within(records, Duration::MAX)
    }

    fn append_within(&self, records: Vec<NewRecord>, wait: Duration) -> Vec<Result<Appended, LogError>> {
        let producer = match self.live() {
            Ok(producer) => producer,
            Err(why) => {
                let refusal =
                    |_| Err(LogError::Unavailable { what: "append to Kafka".to_owned(), why: why.to_string() });
                return records.iter().map(refusal).collect();
            }
        };
        let (answers, delivered) = channel();
        let mut results: Vec<Result<Appended, LogError>> = records
            .iter()
            .enumerate()
            .map(|(index, record)| {
                self.send(&producer, record, Waiting { index, answers: answers.clone() }).and_then(|()| Err(lost()))
            })
            .collect();
        drop(answers);
        while let Ok((index, answer)) = delivered.recv_timeout(wait) {
            if let (Some(place), Some(record)) = (results.get_mut(index), records.get(index)) {
                *place = answer.map_err(|why| self.judge(&producer, &why, record));
            }
        }
        results
    }
}

/// Stands in the answer until the delivery report comes, and stays where none came in time.
fn lost() -> LogError {
    LogError::Unavailable { what: "append to Kafka".to_owned(), why: "no answer yet".to_owned() }
}

fn producer(config: &Config) -> Result<Producer, LogError> {
    let mut settings = settings(config);
    let bytes = (config.record_bytes + FRAME_BYTES).to_string();
    let delivery_ms = DELIVERY.as_millis().to_string();
    let ours = [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        ("compression.codec", "lz4"),
        ("linger.ms", "5"),
        // Where Java's producers put a key: collectors of other makes then agree with us on a host's partition.
        ("partitioner", "murmur2_random"),
        ("message.timeout.ms", &delivery_ms),
        ("queue.buffering.max.kbytes", QUEUE_KIB),
        ("message.max.bytes", &bytes),
    ];
    for (key, value) in ours {
        if !config.extra.contains_key(key) {
            settings.set(key, value);
        }
    }
    settings.create_with_context(Deliveries).map_err(|why| refused_settings(config, &why))
}
