//! What all our Kafka clients share: settings, where librdkafka's own log lines go, and what its errors mean to us.
//!
//! The idea: librdkafka retries by itself whatever time heals, so an error that reaches us is either "come again"
//! ([`LogError::Unavailable`]) or "somebody must change something" ([`LogError::Refused`] with the command).

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::log::LogError;
use crate::log::kafka::Config;

/// How long one question to the cluster may take: a leader election on a busy machine, with reserve.
pub(super) const REQUEST: Duration = Duration::from_secs(15);
/// The same for a question that comes again by itself: what a page may be later after an outage because of it.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// The settings of every client; `extra` wins.
pub(super) fn settings(config: &Config) -> ClientConfig {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", "bongsu")
        // The default of 10 s would be ten seconds of silence after each outage.
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "2000")
        // A host that went away, or a broker that is still starting, answers neither: the defaults are 30 s and 10 s.
        .set("socket.connection.setup.timeout.ms", "5000")
        .set("api.version.request.timeout.ms", "5000")
        // A topic that somebody's typing error made would have neither append time nor retention.
        .set("allow.auto.create.topics", "false")
        .set("log.connection.close", "false");
    config.security.apply(&mut settings);
    for (key, value) in &config.extra {
        settings.set(key, value);
    }
    settings
}

/// Sends librdkafka's log lines to ours, and remembers what it last complained of.
#[derive(Debug, Clone, Default)]
pub(super) struct Context {
    complaint: Arc<Mutex<Option<String>>>,
}

impl Context {
    /// The last complaint since the last question, then forgotten.
    pub(super) fn take_complaint(&self) -> Option<String> {
        self.complaint.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log_line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka");
        *self.complaint.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }
}

impl ConsumerContext for Context {}

/// One log line of librdkafka.
pub(super) fn log_line(level: RDKafkaLogLevel, facility: &str, text: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::error!(facility, text, "librdkafka");
        }
        RDKafkaLogLevel::Warning => tracing::warn!(facility, text, "librdkafka"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(facility, text, "librdkafka"),
        RDKafkaLogLevel::Debug => tracing::debug!(facility, text, "librdkafka"),
    }
}

// --- errors

pub(super) fn unavailable(what: &str, why: &KafkaError) -> LogError {
    LogError::Unavailable { what: what.to_owned(), why: why.to_string() }
}

/// A property that librdkafka does not know or take.
pub(super) fn refused_settings(config: &Config, why: &KafkaError) -> LogError {
    LogError::Refused {
        what: format!("set up a Kafka client for `{}`", config.brokers),
        why: why.to_string(),
        help: "correct `log.brokers` or `log.security`; librdkafka's CONFIGURATION.md names every property".to_owned(),
    }
}

/// What a question to the cluster needs to be allowed, in the words of `kafka-acls.sh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Reading a topic's records.
    Read,
    /// Appending records.
    Write,
    /// Making a topic.
    Create,
    /// Seeing that a topic is there, its partitions and bounds.
    Describe,
    /// Seeing a topic's settings.
    DescribeConfigs,
}

/// What is not allowed: the operation and the resource's flag and name, as `kafka-acls.sh` takes them.
fn missing(config: &Config, topic: &str, need: Need, code: RDKafkaErrorCode) -> Option<(String, String)> {
    match code {
        RDKafkaErrorCode::TopicAuthorizationFailed => Some((format!("{need:?}"), format!("--topic {topic}"))),
        RDKafkaErrorCode::GroupAuthorizationFailed => Some(("Read".to_owned(), format!("--group {}", config.group))),
        // Since Kafka 3.0 whoever may write some topic may do so idempotently; an idempotent producer is told thus that
        // it may write none.
        RDKafkaErrorCode::ClusterAuthorizationFailed if need == Need::Write => {
            Some(("Write".to_owned(), format!("--topic {topic}")))
        }
        RDKafkaErrorCode::ClusterAuthorizationFailed => Some((format!("{need:?}"), "--cluster".to_owned())),
        _ => None,
    }
}

/// What the cluster says about a topic: what time does not heal is refused with the command that does.
pub(super) fn refused_topic(config: &Config, topic: &str, need: Need, what: &str, code: RDKafkaErrorCode) -> LogError {
    let what = what.to_owned();
    let why = code.to_string();
    let brokers = &config.brokers;
    if let Some((operation, resource)) = missing(config, topic, need, code) {
        let principal = config.security.principal();
        return LogError::Refused {
            what,
            why: format!("{principal} lacks {operation} on {}", resource.trim_start_matches("--")),
            help: format!(
                "kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal {principal} --operation \
                 {operation} {resource}"
            ),
        };
    }
    let help = match code {
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => format!(
            "kafka-topics.sh --bootstrap-server {brokers} --create --topic {topic} --partitions 24 \
             --config message.timestamp.type=LogAppendTime"
        ),
        RDKafkaErrorCode::InvalidReplicationFactor | RDKafkaErrorCode::InvalidPartitions => {
            "ask for no more replicas than there are brokers, and for at least one partition".to_owned()
        }
        RDKafkaErrorCode::InvalidTopic => "letters, digits, `.`, `_` and `-`, at most 249 of them".to_owned(),
        _ => return LogError::Unavailable { what, why },
    };
    LogError::Refused { what, why, help }
}

// --- waiting

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for one of rdkafka's admin answers on this thread; its own thread completes them, so no runtime is needed,
/// and unlike a runtime's `block_on` this may be called anywhere.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = std::task::Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
