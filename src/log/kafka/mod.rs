//! Apache Kafka as the log: topics made and checked, and a source and a sink over librdkafka.
//!
//! The idea: the engine trusts a topic's append time and nothing else as its clock, so a topic that lets its producers
//! choose the time, or that we may not write a pulse to, is refused with the commands that put it right.
//!
//! Deliberately not here: transactions (consequences are in SQL), and any silent reset of an offset. All calls block;
//! none starts a thread of ours.
//! - `client`: settings, log lines and errors. `source`, `sink`: the two sides of a topic. `group`: whose partitions
//!   are whose, where several processes share a topic.

mod client;
mod group;
mod sink;
mod source;

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;

use crate::log::kafka::client::{Context, REQUEST, block_on, refused_topic, unavailable};
pub use crate::log::kafka::sink::KafkaSink;
pub use crate::log::kafka::source::KafkaSource;
use crate::log::{LogError, NewRecord, Sink as _, pause};
use crate::model::PULSE_KEY;
use crate::time::Ms;

/// How often a partition is looked at until it has a leader, after it was made or moved …
const LEADER_LOOKS: usize = 100;
/// … and the pause between two looks: ten seconds in all, five times what a cold broker takes.
const LEADER_PAUSE: Duration = Duration::from_millis(100);
/// What a record may need on the wire beside its value: key, headers and the batch's own frame.
const FRAME_BYTES: usize = 64 * 1024;

/// How to reach a Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `host:port`, comma separated.
    pub brokers: String,
    /// The group under whose name progress is noted for lag tools.
    pub group: String,
    /// How to join that group and share its partitions; `None`: every partition is ours, without asking.
    pub join: Option<Join>,
    /// The longest value of a record, in bytes.
    pub record_bytes: usize,
    /// Further librdkafka properties (security, for example); they win over ours.
    pub extra: BTreeMap<String, String>,
}

impl Config {
    /// The defaults for `brokers`: group `bongsu`, records up to 1 MiB, no security.
    pub fn new(brokers: &str) -> Self {
        Self {
            brokers: brokers.to_owned(),
            group: "bongsu".to_owned(),
            join: None,
            record_bytes: 1024 * 1024,
            extra: BTreeMap::new(),
        }
    }
}

/// How members of a group agree on who has which partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupProtocol {
    /// The broker's (`group.protocol=consumer`) where it has it, else `cooperative-sticky`.
    #[default]
    Auto,
    /// `group.protocol=consumer`: Kafka 4.0 and later.
    Consumer,
    /// `cooperative-sticky`, decided by one of the members.
    Classic,
}

/// How to join a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Join {
    /// The member's lasting name: one that comes back within its session finds its partitions where they were.
    pub instance: Option<String>,
    /// By which protocol.
    pub protocol: GroupProtocol,
    /// Silence after which a member is taken for dead, ms; `None`: the default, 45 s. `Consumer` has the broker's.
    pub session: Option<Ms>,
}

/// A Kafka cluster.
pub struct KafkaLog {
    config: Config,
    admin: AdminClient<Context>,
}

impl std::fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaLog").field("brokers", &self.config.brokers).finish_non_exhaustive()
    }
}

impl KafkaLog {
    /// A client of the cluster; connects when it is first asked something. Refused where a property is wrong.
    pub fn new(config: Config) -> Result<Self, LogError> {
        let admin = client::settings(&config)
            .create_with_context(Context)
            .map_err(|why: KafkaError| client::refused_settings(&config, &why))?;
        Ok(Self { config, admin })
    }

    /// Makes the topic, with append time by the log, where there is none; checks it where there is one. `replication`
    /// `None` is the cluster's default. An existing topic keeps its number of partitions.
    pub fn ensure_topic(&self, name: &str, partitions: i32, replication: Option<i32>) -> Result<(), LogError> {
        if !self.exists(name)? {
            self.create_topic(name, partitions, replication)?;
            self.await_leaders(name)?;
        }
        self.check_topic(name)
    }

    /// Refuses a topic whose records carry their producers' time.
    pub fn check_topic(&self, name: &str) -> Result<(), LogError> {
        let what = format!("check topic `{name}`");
        let asked = [ResourceSpecifier::Topic(name)];
        let answers = block_on(self.admin.describe_configs(&asked, &options()));
        let described = answers.map_err(|why| unavailable(&what, &why))?.into_iter().next();
        let resource = match described {
            Some(Ok(resource)) => resource,
            Some(Err(code)) => return Err(refused_topic(&self.config, name, &what, code)),
            None => return Err(LogError::Unavailable { what, why: "the broker gave no answer".to_owned() }),
        };
        let kind = resource.get("message.timestamp.type").and_then(|entry| entry.value.as_deref()).unwrap_or("unknown");
        if kind == "LogAppendTime" {
            return Ok(());
        }
        Err(LogError::Refused {
            what,
            why: format!("its records carry their producers' time (message.timestamp.type is {kind})"),
            help: format!(
                "kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {name} \
                 --add-config message.timestamp.type=LogAppendTime",
                self.config.brokers
            ),
        })
    }

    /// Appends one pulse to show that we may write; a refusal names the command that allows it.
    pub fn check_writable(&self, name: &str) -> Result<(), LogError> {
        let pulse = NewRecord { partition: Some(0), key: PULSE_KEY.to_vec(), value: Vec::new() };
        self.sink(name)?.append(vec![pulse]).into_iter().collect::<Result<Vec<_>, _>>().map(|_| ())
    }

    /// A new reader of a topic. Without [`Config::join`] it has all partitions and tells `Assigned` for each of them
    /// first; with it, they come and go as the group decides.
    pub fn source(&self, topic: &str) -> Result<KafkaSource, LogError> {
        let partitions = self.partitions(topic)?;
        KafkaSource::new(&self.config, topic, partitions)
    }

    /// The writing side of a topic.
    pub fn sink(&self, topic: &str) -> Result<KafkaSink, LogError> {
        KafkaSink::new(self.config.clone(), topic)
    }

    /// Deletes the records of a partition below `offset`.
    pub fn delete_records(&self, topic: &str, partition: i32, offset: i64) -> Result<(), LogError> {
        let what = format!("delete records of `{topic}`");
        let mut below = rdkafka::TopicPartitionList::new();
        let added = below.add_partition_offset(topic, partition, rdkafka::Offset::Offset(offset));
        added.map_err(|why| unavailable(&what, &why))?;
        let done = block_on(self.admin.delete_records(&below, &options())).map_err(|why| unavailable(&what, &why))?;
        done.elements().iter().try_for_each(|element| element.error()).map_err(|why| unavailable(&what, &why))
    }

    // --- topics

    fn create_topic(&self, name: &str, partitions: i32, replication: Option<i32>) -> Result<(), LogError> {
        let what = format!("make topic `{name}`");
        let bytes = (self.config.record_bytes + FRAME_BYTES).to_string();
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replication.unwrap_or(-1)))
            .set("message.timestamp.type", "LogAppendTime")
            .set("max.message.bytes", &bytes);
        let made = block_on(self.admin.create_topics([&topic], &options())).map_err(|why| unavailable(&what, &why))?;
        match made.into_iter().next() {
            // Another instance was faster; what it made is checked like any other.
            Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
            Some(Err((_, code))) => Err(refused_topic(&self.config, name, &what, code)),
            None => Err(LogError::Unavailable { what, why: "the broker gave no answer".to_owned() }),
        }
    }

    fn exists(&self, name: &str) -> Result<bool, LogError> {
        self.metadata(name, |topic| topic.error().is_none() || !topic.partitions().is_empty())
    }

    fn partitions(&self, name: &str) -> Result<i32, LogError> {
        let n = self.metadata(name, |topic| topic.partitions().len())?;
        match i32::try_from(n) {
            Ok(n) if n > 0 => Ok(n),
            _ => Err(refused_topic(
                &self.config,
                name,
                &format!("read topic `{name}`"),
                RDKafkaErrorCode::UnknownTopicOrPartition,
            )),
        }
    }

    fn await_leaders(&self, name: &str) -> Result<(), LogError> {
        for _ in 0..LEADER_LOOKS {
            let led = |topic: &MetadataTopic| {
                !topic.partitions().is_empty()
                    && topic.partitions().iter().all(|p| p.error().is_none() && p.leader() >= 0)
            };
            if self.metadata(name, led)? {
                return Ok(());
            }
            pause(LEADER_PAUSE);
        }
        Err(LogError::Unavailable { what: format!("make topic `{name}`"), why: "it has no leaders yet".to_owned() })
    }

    fn metadata<T>(&self, name: &str, read: impl FnOnce(&MetadataTopic) -> T) -> Result<T, LogError> {
        let what = format!("ask Kafka for topic `{name}`");
        let metadata =
            self.admin.inner().fetch_metadata(Some(name), REQUEST).map_err(|why| unavailable(&what, &why))?;
        let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else {
            return Err(LogError::Unavailable { what, why: "the broker gave no answer".to_owned() });
        };
        match topic.error().map(RDKafkaErrorCode::from) {
            Some(code @ RDKafkaErrorCode::TopicAuthorizationFailed) => {
                Err(refused_topic(&self.config, name, &what, code))
            }
            _ => Ok(read(topic)),
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST)).operation_timeout(Some(REQUEST))
}
