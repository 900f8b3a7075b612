//! The outer sides that a configuration names: which log, which agent, which hand-over between them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;

use crate::agent::{
    Agent, Collector, Deliver, Delivered, DoorClient, DoorSettings, Fate, LogFile, Record, Roots, Stop, Watch,
    host_name,
};
use crate::config::{
    AgentTo, GroupProtocol, LogKind, Mechanism, ProcessWatch, SecuritySettings, Settings, read_secret_file,
};
use crate::log::embedded::{self, EmbeddedLog, Writer};
use crate::log::kafka::{self, KafkaLog};
use crate::log::{LogError, NewRecord, Sink, Source};
use crate::pipeline::spool::LogSpool;
use crate::pipeline::wake::Wake;
use crate::time::{Clock, Ms, SECOND};

/// The embedded log's file in the data directory.
pub const LOG_FILE: &str = "log.db";
/// The topic of dead letters in the embedded log; in Kafka each topic has its own, see [`dead_topic`].
pub const DEAD_TOPIC: &str = "bongsu.dead";
/// Records that the agent keeps in memory where it has no spool, or cannot use it: 11 h at 10 s, some 20 MB.
const AGENT_QUEUE: usize = 4_096;
/// One hand-over to a door takes at most so long.
const DOOR_TIMEOUT: Ms = 10 * SECOND;
/// After an attempt to reach a Kafka that is away.
const KAFKA_RETRY: Duration = Duration::from_secs(1);
/// Beyond it two clocks do not agree.
const CLOCKS_DIFFER: Ms = 5 * SECOND;

/// The log of a service, both sides.
#[derive(Debug)]
pub struct LogSides {
    /// The telemetry topic's writing side.
    pub sink: Arc<dyn Sink>,
    /// Where dead letters go.
    pub dead: Option<Arc<dyn Sink>>,
    kind: Kind,
    topic: String,
}

#[derive(Debug)]
enum Kind {
    Embedded(EmbeddedLog, Option<Writer>),
    Kafka(KafkaLog),
}

/// The embedded log's writer on its thread.
#[derive(Debug)]
pub struct WriterThread {
    log: EmbeddedLog,
    thread: std::thread::JoinHandle<()>,
}

impl WriterThread {
    /// Lets it write what it has, then ends it.
    ///
    /// # Errors
    /// It ended with an error.
    pub fn stop_and_join(self) -> Result<(), String> {
        self.log.stop();
        self.thread.join().map_err(|_| "the log writer stopped by a bug".to_owned())
    }

    /// Whether it ended by itself, or how far the machine's wall clock is from the log's.
    pub fn trouble(&self) -> Option<String> {
        if self.thread.is_finished() {
            return Some("the log writer ended".to_owned());
        }
        let difference = self.log.health().wall_clock.difference;
        (difference.abs() > CLOCKS_DIFFER).then(|| format!("the wall clock is {difference} ms from the log's"))
    }
}

/// Opens the log that `settings` name; waits for a Kafka that is away, until `stop` is set.
///
/// # Errors
/// It cannot be used; the text says what to do.
pub fn open(
    settings: &Settings,
    data_dir: &Path,
    clock: Arc<dyn Clock>,
    stop: &AtomicBool,
) -> anyhow::Result<LogSides> {
    let topic = settings.log.topics.first().map(|topic| topic.name.clone()).context("log.topics: no topic is named")?;
    match settings.log.kind {
        LogKind::Embedded => {
            let mut config = embedded::Config::new(&[(topic.as_str(), settings.log.partitions), (DEAD_TOPIC, 1)]);
            config.retention_ms = settings.log.keep;
            config.retention_bytes = settings.log.keep_bytes.unsigned_abs();
            config.record_bytes = settings.limits.record_bytes;
            let (log, writer) = embedded::open(&data_dir.join(LOG_FILE), &config, clock)?;
            let sink: Arc<dyn Sink> = Arc::new(log.sink(&topic)?);
            let dead: Arc<dyn Sink> = Arc::new(log.sink(DEAD_TOPIC)?);
            Ok(LogSides { sink, dead: Some(dead), kind: Kind::Embedded(log, Some(writer)), topic })
        }
        LogKind::Kafka => {
            let mut config = kafka_config(settings)?;
            config.join = join(settings);
            let log = KafkaLog::new(config)?;
            let dead = dead_topic(&topic);
            await_kafka(stop, || {
                log.ensure_topic(&topic, settings.log.partitions, None)?;
                log.ensure_topic(&dead, 1, None)?;
                log.check_writable(&topic)
            })?;
            let sink: Arc<dyn Sink> = Arc::new(log.sink(&topic)?);
            let dead: Arc<dyn Sink> = Arc::new(log.sink(&dead)?);
            Ok(LogSides { sink, dead: Some(dead), kind: Kind::Kafka(log), topic })
        }
    }
}

/// TLS and login, with the password read from its file.
fn security(settings: &SecuritySettings) -> anyhow::Result<kafka::Security> {
    let tls = settings.tls.then(|| kafka::Tls {
        authority: settings.ca_file.clone(),
        certificate: settings.certificate_file.clone(),
        key: settings.key_file.clone(),
    });
    if !settings.sasl {
        return Ok(kafka::Security { tls, login: None });
    }
    let password = match (&settings.password, &settings.password_file) {
        (Some(password), _) => password.clone(),
        (None, Some(file)) => read_secret_file(file)?,
        (None, None) => anyhow::bail!("log.security: a login without a password\n  help: name a password_file"),
    };
    let mechanism = match settings.mechanism {
        Mechanism::Sha512 => "SCRAM-SHA-512",
        Mechanism::Sha256 => "SCRAM-SHA-256",
    };
    let login = kafka::Login { mechanism, user: settings.username.clone().unwrap_or_default(), password };
    Ok(kafka::Security { tls, login: Some(login) })
}

fn kafka_config(settings: &Settings) -> anyhow::Result<kafka::Config> {
    let mut config = kafka::Config::new(&settings.log.brokers.join(","));
    if let Some(group) = &settings.log.group {
        config.group.clone_from(group);
    }
    config.record_bytes = settings.limits.record_bytes;
    config.security = security(&settings.log.security)?;
    Ok(config)
}

/// Where refused records of `topic` and parts of them go.
pub fn dead_topic(topic: &str) -> String {
    format!("{topic}.dead")
}

/// Tries until Kafka is there, refuses, or the service is asked to end: a cluster that starts after us is no error.
fn await_kafka(stop: &AtomicBool, attempt: impl Fn() -> Result<(), LogError>) -> anyhow::Result<()> {
    let pause = Wake::default();
    loop {
        match attempt() {
            Err(LogError::Unavailable { what, why }) if !stop.load(Ordering::SeqCst) => {
                tracing::warn!(what, why, "Kafka is away at the start, trying again");
                pause.wait(KAFKA_RETRY);
            }
            done => return Ok(done?),
        }
    }
}

/// How this process joins its group, where it names one.
fn join(settings: &Settings) -> Option<kafka::Join> {
    settings.log.group.as_ref()?;
    let protocol = match settings.log.group_protocol {
        GroupProtocol::Auto => kafka::GroupProtocol::Auto,
        GroupProtocol::Consumer => kafka::GroupProtocol::Consumer,
        GroupProtocol::CooperativeSticky => kafka::GroupProtocol::Classic,
    };
    Some(kafka::Join { instance: settings.log.instance.clone(), protocol, session: None })
}

/// The writing side of a Kafka log's telemetry topic, for an agent.
pub fn kafka_sink(settings: &Settings) -> anyhow::Result<Arc<dyn Sink>> {
    let topic = settings.log.topics.first().context("log.topics: no topic is named")?;
    Ok(Arc::new(KafkaLog::new(kafka_config(settings)?)?.sink(&topic.name)?))
}

/// Makes the telemetry topic of a Kafka log where it is missing.
pub fn ensure_kafka_topic(settings: &Settings) -> anyhow::Result<()> {
    let topic = settings.log.topics.first().context("log.topics: no topic is named")?;
    Ok(KafkaLog::new(kafka_config(settings)?)?.ensure_topic(&topic.name, settings.log.partitions, None)?)
}

impl LogSides {
    /// A reader of the telemetry topic.
    pub fn source(&self) -> anyhow::Result<Box<dyn Source>> {
        Ok(match &self.kind {
            Kind::Embedded(log, _) => Box::new(log.source(&self.topic)?),
            Kind::Kafka(log) => Box::new(log.source(&self.topic)?),
        })
    }

    /// Starts the embedded log's writer; Kafka has none.
    pub fn start_writer(&mut self) -> anyhow::Result<Option<WriterThread>> {
        let Kind::Embedded(log, writer) = &mut self.kind else { return Ok(None) };
        let Some(writer) = writer.take() else { return Ok(None) };
        let thread = std::thread::Builder::new().name("bongsu-log".to_owned()).spawn(move || writer.run())?;
        Ok(Some(WriterThread { log: log.clone(), thread }))
    }
}

/// A reader of `topic` (the configuration's first where none is named) that disturbs no running service.
///
/// # Errors
/// The log cannot be read, or has no such topic.
pub fn reader(settings: &Settings, data_dir: &Path, topic: Option<&str>) -> anyhow::Result<Box<dyn Source>> {
    let first = settings.log.topics.first().map(|topic| topic.name.as_str());
    let topic = topic.or(first).context("log.topics: no topic is named")?;
    Ok(match settings.log.kind {
        LogKind::Embedded => Box::new(embedded::open_readonly(&data_dir.join(LOG_FILE))?.source(topic)?),
        LogKind::Kafka => Box::new(KafkaLog::new(kafka_config(settings)?)?.source(topic)?),
    })
}

/// The collector of this host; what nobody takes waits in `data_dir`, or in memory where there is none.
///
/// # Errors
/// It has no name, or its spool cannot be used.
pub fn agent(settings: &Settings, data_dir: Option<&Path>, clock: Arc<dyn Clock>) -> anyhow::Result<Agent> {
    let roots = Roots::default();
    let host = settings
        .agent
        .host
        .clone()
        .or_else(|| host_name(&roots))
        .context("this machine has no host name\n  help: set agent.host in the configuration")?;
    let labels = settings.agent.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let told = crate::agent::Settings { every: settings.agent.every, host, labels, queue: AGENT_QUEUE };
    let watch = |process: &ProcessWatch| {
        let pattern = process.pattern.as_deref().map(regex::Regex::new).transpose();
        anyhow::Ok(Watch { name: process.name.clone(), pattern: pattern.context("agent.processes")? })
    };
    let watches = settings.agent.processes.iter().map(watch).collect::<anyhow::Result<_>>()?;
    let agent = Agent::new(told, Collector::new(roots, watches));
    let logs = settings.agent.logs.iter().map(|log| LogFile { path: log.path.clone(), labels: log.labels.clone() });
    Ok(match data_dir {
        // Places in log files are kept beside the spool.
        Some(folder) if settings.agent.spool > 0 => {
            let spool = LogSpool::open(folder, settings.agent.spool, clock)?;
            agent.with_spool(Box::new(spool)).following(logs.collect())
        }
        _ => agent,
    })
}

/// Where the agent's records go: to the log at hand, or to a door.
pub fn deliver(settings: &Settings, sink: Arc<dyn Sink>) -> anyhow::Result<Box<dyn Deliver>> {
    match &settings.agent.to {
        AgentTo::Log => Ok(Box::new(ToLog(sink))),
        AgentTo::Door(address) => to_door(settings, address, None),
    }
}

/// A hand-over to the door at `address`; `token_file` over that of the settings.
///
/// # Errors
/// The address, the token or the certificate cannot be used; the text says what to do.
pub fn to_door(settings: &Settings, address: &str, token_file: Option<&Path>) -> anyhow::Result<Box<dyn Deliver>> {
    let settings = DoorSettings {
        address: address.to_owned(),
        token_file: token_file.map(Path::to_owned).or_else(|| settings.agent.token_file.clone()),
        ca_file: settings.agent.ca_file.clone(),
        timeout: DOOR_TIMEOUT,
    };
    Ok(Box::new(DoorClient::new(&settings)?))
}

/// Runs an agent until `stop` is stopped.
pub fn run_agent(mut agent: Agent, clock: &dyn Clock, deliver: &dyn Deliver, stop: &Wake) {
    agent.run(clock, deliver, stop);
}

impl Stop for Wake {
    fn wait(&self, length: Ms) -> bool {
        !Self::wait(self, std::time::Duration::from_millis(length.max(0).unsigned_abs()))
    }
}

#[derive(Debug)]
struct ToLog(Arc<dyn Sink>);

impl Deliver for ToLog {
    fn deliver(&self, records: &[Record]) -> Delivered {
        let new = records.iter().map(|record| NewRecord {
            partition: None,
            key: record.key.clone(),
            value: record.value.clone(),
        });
        let fates = self.0.append(new.collect()).into_iter().map(|done| match done {
            Ok(_) => Fate::Taken,
            Err(LogError::TooLarge { .. }) => Fate::Refused,
            Err(_) => Fate::Kept,
        });
        Delivered { fates: fates.collect(), retry_after: None }
    }
}
