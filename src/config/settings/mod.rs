//! `bongsu.yaml`: the service's settings, their table and their typed form.
//!
//! The idea: a [`Settings`] that exists has defaults filled in and could work; stages take the fields that concern
//! them.
//! Relative paths are relative to the folder of the file; databases and other data are relative to the data directory.
//! The agent's own file is the same file with `agent:` and `log:` alone.

mod agent;
mod gateways;
mod heartbeat;
mod security;
mod store;
mod table;
mod ways;

pub use agent::{AgentSettings, AgentTo, LogFileSettings, ProcessWatch};
pub use heartbeat::{HeartbeatSettings, HeartbeatTo};
pub use security::{Mechanism, SecuritySettings};
pub use store::{PostgresSettings, StoreUrl};
pub(crate) use table::SETTINGS;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::problem::Notes;
use super::read::Obj;
use crate::model::{Muting, Way};
use crate::time::{DAY, Ms};

/// What one process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Collects from this host.
    Agent,
    /// Runs rules.
    Evaluate,
    /// Decides incidents and pages, when it is the leader.
    Incident,
    /// Sends pages.
    Notify,
    /// Serves the page.
    Console,
}

impl Role {
    /// Every role of this version.
    pub const ALL: [Self; 5] = [Self::Agent, Self::Evaluate, Self::Incident, Self::Notify, Self::Console];

    /// Its word in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Evaluate => "evaluate",
            Self::Incident => "incident",
            Self::Notify => "notify",
            Self::Console => "console",
        }
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// Everything in `bongsu.yaml`, defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What this process does.
    pub roles: BTreeSet<Role>,
    /// The log.
    pub log: LogSettings,
    /// The store.
    pub store: StoreUrl,
    /// Where the door listens.
    pub listen: SocketAddr,
    /// The file with the key of one-time codes, where instances share one.
    pub ack_key_file: Option<PathBuf>,
    /// Edited files, absolute or relative to the working directory.
    pub paths: Paths,
    /// Gateways in order of preference; empty = the handset sink for every channel.
    pub gateways: Vec<Way>,
    /// Limits.
    pub limits: Limits,
    /// What becomes of samples from a skewed clock.
    pub skew: Skew,
    /// Signs of life; `None` = none.
    pub heartbeat: Option<HeartbeatSettings>,
    /// The collector.
    pub agent: AgentSettings,
}

/// Which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// Our own file in the data directory.
    Embedded,
    /// Apache Kafka.
    Kafka,
}

/// What moves the partition clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockKind {
    /// The log's append time.
    Log,
    /// Wall time at arrival, for topics that are not ours.
    Arrival,
}

/// How members of a consumer group agree on who has which partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The broker's where it has it.
    Auto,
    /// The broker's.
    Consumer,
    /// A member's.
    CooperativeSticky,
}

/// How records of a topic are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Found out per record.
    Auto,
    /// Bongsu's own JSON.
    Bongsu,
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Which.
    pub kind: LogKind,
    /// `host:port` of Kafka brokers.
    pub brokers: Vec<String>,
    /// TLS and login.
    pub security: SecuritySettings,
    /// Telemetry topics.
    pub topics: Vec<TopicSettings>,
    /// Partitions of topics that we create.
    pub partitions: i32,
    /// What moves the partition clock.
    pub clock: ClockKind,
    /// Consumer group that shares the partitions; `None` = this process has them all.
    pub group: Option<String>,
    /// How its members agree on who has what.
    pub group_protocol: GroupProtocol,
    /// Name of this process among its siblings, its own for each.
    pub instance: Option<String>,
    /// Age up to which the embedded log keeps records, ms.
    pub keep: Ms,
    /// Size up to which the embedded log keeps records, bytes.
    pub keep_bytes: i64,
}

/// One telemetry topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSettings {
    /// Its name.
    pub name: String,
    /// How its records are written.
    pub format: Format,
}

/// Where the edited files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Folder (or one file) of rules.
    pub rules: PathBuf,
    /// Contacts.
    pub contacts: PathBuf,
    /// Chains.
    pub chains: PathBuf,
    /// Inventory.
    pub inventory: PathBuf,
    /// Calendar.
    pub calendar: PathBuf,
    /// Message templates; may be absent.
    pub templates: PathBuf,
}

/// Limits; reaching one is counted and visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Series in all.
    pub series: usize,
    /// Series of one rule.
    pub series_per_rule: usize,
    /// Open incidents.
    pub open_incidents: usize,
    /// New incidents a minute in one blast domain before they are a storm.
    pub storm: usize,
    /// Bytes of one record.
    pub record_bytes: usize,
    /// Pages a person and hour, S1 not counted.
    pub pages_per_hour: usize,
    /// Bytes of all raw windows.
    pub window_memory: usize,
    /// The longest a silence may last, ms.
    pub silence_length: Ms,
    /// A silence that would have hidden more incidents in 30 days needs a second approver.
    pub silence_incidents: i64,
}

/// What becomes of samples from a skewed clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skew {
    /// Shifted by the skew.
    Shift,
    /// Dropped and counted.
    Quarantine,
}

/// Makes settings of a checked tree. Where something does not fit, the default stands in, and the problem was noted.
pub(super) fn settings(file: Obj<'_>, folder: &Path, notes: &mut Notes) -> Settings {
    let limits = file.sub("limits");
    let most = |n: Option<i64>| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    Settings {
        roles: roles(file, notes),
        log: log(file.sub("log"), folder, notes),
        store: store::store(file.sub("store"), folder, notes),
        listen: listen(file.sub("console"), notes),
        ack_key_file: file.sub("console").text("ack_key_file").map(|path| folder.join(path)),
        paths: paths(file.sub("paths"), folder),
        gateways: gateways::gateways(file, folder, notes),
        limits: Limits {
            series: most(limits.int("series")),
            series_per_rule: most(limits.int("series_per_rule")),
            open_incidents: most(limits.int("open_incidents")),
            storm: most(limits.int("storm")),
            record_bytes: most(limits.size("record_bytes")),
            pages_per_hour: most(limits.int("pages_per_hour")),
            window_memory: most(limits.size("window_memory")),
            silence_length: limits.duration("silence_length").unwrap_or(Muting::SILENCE_LENGTH),
            silence_incidents: limits.int("silence_incidents").unwrap_or(Muting::SILENCE_INCIDENTS),
        },
        skew: if file.text("skew") == Some("quarantine") { Skew::Quarantine } else { Skew::Shift },
        heartbeat: heartbeat::heartbeat(file, folder, notes),
        agent: agent::settings(file, folder, notes),
    }
}

fn roles(file: Obj<'_>, notes: &mut Notes) -> BTreeSet<Role> {
    if !file.has("roles") {
        return Role::ALL.into_iter().collect();
    }
    let mut roles = BTreeSet::new();
    for node in file.list("roles") {
        let Some(word) = node.as_text() else { continue };
        match Role::parse(word) {
            Some(role) if !roles.insert(role) => {
                notes.warning("duplicate-id", node.at, format!("role `{word}` stands twice"), "keep one");
            }
            Some(_) => {}
            None if matches!(word, "archive" | "relay") => {
                notes.error("not-yet", node.at, format!("role `{word}` is not in this version"), "leave it out");
            }
            None => {}
        }
    }
    roles
}

fn log(log: Obj<'_>, folder: &Path, notes: &mut Notes) -> LogSettings {
    let kind = if log.text("kind") == Some("kafka") { LogKind::Kafka } else { LogKind::Embedded };
    let brokers = log.texts("brokers");
    if kind == LogKind::Kafka && !log.has("brokers") {
        let help = "write brokers: [\"kafka-1.example.test:9092\"]";
        notes.error("missing-key", log.at("kind"), "`kind: kafka` without `brokers`", help);
    }
    for (node, broker) in log.list("brokers").iter().zip(&brokers) {
        let port = broker.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
        if !matches!(port, Some(Ok(port)) if port > 0) {
            notes.error("bad-value", node.at, format!("broker `{broker}` has no port"), "write host:port");
        }
    }
    let mut topics: Vec<TopicSettings> = Vec::new();
    for topic in log.subs("topics") {
        let Some(name) = topic.owned("name") else { continue };
        if topics.iter().any(|other| other.name == name) {
            notes.error("duplicate-id", topic.at("name"), format!("topic `{name}` stands twice"), "keep one");
        }
        let format = if topic.text("format") == Some("bongsu") { Format::Bongsu } else { Format::Auto };
        topics.push(TopicSettings { name, format });
    }
    if topics.is_empty() {
        topics.push(TopicSettings { name: "telemetry".to_owned(), format: Format::Auto });
    }
    LogSettings {
        kind,
        brokers,
        security: security::security(log.sub("security"), folder, notes),
        topics,
        partitions: log.int("partitions").and_then(|n| i32::try_from(n).ok()).unwrap_or(4),
        clock: if log.text("clock") == Some("arrival") { ClockKind::Arrival } else { ClockKind::Log },
        group: log.owned("group"),
        group_protocol: match log.text("group_protocol") {
            Some("consumer") => GroupProtocol::Consumer,
            Some("cooperative-sticky") => GroupProtocol::CooperativeSticky,
            _ => GroupProtocol::Auto,
        },
        instance: log.owned("instance"),
        keep: log.duration("keep").unwrap_or(DAY),
        keep_bytes: log.size("keep_bytes").unwrap_or(2_000_000_000),
    }
}

fn listen(console: Obj<'_>, notes: &mut Notes) -> SocketAddr {
    const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9480);
    let listen: SocketAddr = console.word("listen", |text| text.parse().ok()).unwrap_or(DEFAULT);
    if !listen.ip().is_loopback() {
        let help = "TLS is not in this version: listen on 127.0.0.1 and put a TLS proxy before it";
        notes.error("not-yet", console.at("listen"), format!("{listen} is not loopback"), help);
    }
    listen
}

fn paths(paths: Obj<'_>, folder: &Path) -> Paths {
    let path = |key: &str| folder.join(paths.text(key).unwrap_or_default());
    Paths {
        rules: path("rules"),
        contacts: path("contacts"),
        chains: path("chains"),
        inventory: path("inventory"),
        calendar: path("calendar"),
        templates: path("templates"),
    }
}

impl Settings {
    /// How long records are still there for a restore, ms; `None` where the log's own setting decides.
    pub fn keeps(&self) -> Option<Ms> {
        (self.log.kind == LogKind::Embedded).then_some(self.log.keep)
    }
}
