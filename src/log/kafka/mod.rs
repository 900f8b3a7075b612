//! Apache Kafka as the log: topics made and checked, and a source and a sink over librdkafka.
//!
//! The idea: the engine trusts a topic's append time and nothing else as its clock, so a topic that lets its producers
//! choose the time, or that we may not write a pulse to, is refused with the commands that put it right.
//!
//! Deliberately not here: transactions (consequences are in SQL), and any silent reset of an offset. All calls block;
//! none starts a thread of ours.
//! - `client`: settings, log lines and errors. `security`: TLS, logins and whom permissions know. `source`, `sink`: the two sides of a topic. `group`: whose partitions
//!   are whose, where several processes share a topic.

mod client;
mod group;
mod security;
mod sink;
mod source;

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};

use crate::log::kafka::client::{Context, Need, REQUEST, block_on, refused_topic, unavailable};
use crate::log::kafka::security::advice;
pub use crate::log::kafka::security::{Login, Security, Tls};
pub use crate::log::kafka::sink::KafkaSink;
pub use crate::log::kafka::source::KafkaSource;
use crate::log::{LogError, NewRecord, Sink as _, pause};
use crate::model::PULSE_KEY;
use crate::time::Ms;

/// How often a partition is looked at until it has a leader, after it was made or moved …
const LEADER_LOOKS: usize = 100;
/// … and the pause between two looks: ten seconds in all, five times what a cold broker takes.
const LEADER_PAUSE: Duration = Duration::from_millis(100);
/// How often a topic's settings are asked for until they are there, with the same pause.
const SETTING_LOOKS: usize = 50;
/// How often the cluster is asked what it has before it counts as away …
const METADATA_LOOKS: usize = 10;
/// … each time for so long.
const METADATA_WAIT: Duration = Duration::from_secs(1);
/// Complaints heard after each question: of every broker of a small cluster, one of each kind.
const COMPLAINTS: usize = 16;
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
    /// TLS and login.
    pub security: Security,
    /// Further librdkafka properties; they win over ours.
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
            security: Security::default(),
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
    /// Asks what there is; unlike the admin client it tells why nobody answers.
    asking: BaseConsumer<Context>,
}

impl std::fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaLog").field("brokers", &self.config.brokers).finish_non_exhaustive()
    }
}

impl KafkaLog {
    /// A client of the cluster; connects when it is first asked something. Refused where a property is wrong.
    pub fn new(config: Config) -> Result<Self, LogError> {
        config.security.check()?;
        let refused = |why: KafkaError| client::refused_settings(&config, &why);
        let settings = client::settings(&config);
        let admin = settings.create_with_context(Context::default()).map_err(refused)?;
        let asking = settings.create_with_context(Context::default()).map_err(refused)?;
        Ok(Self { config, admin, asking })
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
        let resource = self.described(name, &what)?;
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

    /// A topic's settings. rdkafka gives none at all, and no error, both where they may not be seen and where the broker
    /// that was asked has not heard of a topic that was made a moment ago: only the second passes.
    fn described(&self, name: &str, what: &str) -> Result<ConfigResource, LogError> {
        let refused = |code| refused_topic(&self.config, name, Need::DescribeConfigs, what, code);
        let mut last = RDKafkaErrorCode::TopicAuthorizationFailed;
        for _ in 0..SETTING_LOOKS {
            let asked = [ResourceSpecifier::Topic(name)];
            let answers = block_on(self.admin.describe_configs(&asked, &options()));
            match answers.map_err(|why| unavailable(what, &why))?.into_iter().next() {
                Some(Ok(resource)) if resource.entries.is_empty() => {}
                Some(Ok(resource)) => return Ok(resource),
                Some(Err(code @ RDKafkaErrorCode::UnknownTopicOrPartition)) => last = code,
                Some(Err(code)) => return Err(refused(code)),
                None => {
                    let why = "the broker gave no answer".to_owned();
                    return Err(LogError::Unavailable { what: what.to_owned(), why });
                }
            }
            pause(LEADER_PAUSE);
        }
        Err(refused(last))
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
            Some(Err((_, code))) => Err(refused_topic(&self.config, name, Need::Create, &what, code)),
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
                Need::Describe,
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
        let metadata = self.patient_metadata(name, &what)?;
        let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else {
            return Err(LogError::Unavailable { what, why: "the broker gave no answer".to_owned() });
        };
        match topic.error().map(RDKafkaErrorCode::from) {
            Some(code @ RDKafkaErrorCode::TopicAuthorizationFailed) => {
                Err(refused_topic(&self.config, name, Need::Describe, &what, code))
            }
            _ => Ok(read(topic)),
        }
    }

    /// Asks a few times, so that a refused login or certificate is told at once and not as a long silence.
    fn patient_metadata(&self, name: &str, what: &str) -> Result<Metadata, LogError> {
        let brokers = &self.config.brokers;
        let mut said = None;
        for _ in 0..METADATA_LOOKS {
            let answer = self.asking.fetch_metadata(Some(name), METADATA_WAIT);
            let Err(why) = answer else { return answer.map_err(|why| unavailable(what, &why)) };
            // Complaints wait in the client until they are served; each poll serves one.
            for _ in 0..COMPLAINTS {
                drop(self.asking.poll(Duration::ZERO));
                // What helps is kept: "all brokers are down" follows each of them.
                let helps = said.as_deref().is_some_and(|text| advice(text).is_some());
                said = self.asking.context().take_complaint().filter(|_| !helps).or(said);
            }
            if let Some((text, help)) = said.as_deref().and_then(|text| Some((text, advice(text)?))) {
                return Err(LogError::Refused { what: what.to_owned(), why: text.to_owned(), help: help.to_owned() });
            }
            said = said.or_else(|| Some(why.to_string()));
        }
        Err(LogError::Unavailable {
            what: what.to_owned(),
            why: format!("no answer from `{brokers}`: {}", said.unwrap_or_default()),
        })
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST)).operation_timeout(Some(REQUEST))
}
