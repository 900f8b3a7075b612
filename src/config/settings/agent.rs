//! `agent:` of `bongsu.yaml`, and of the agent's own file: what to collect, where it goes, what waits on the disk.
//!
//! The idea: an address that others can listen on is refused here already where it has no TLS; that its token and
//! certificate can be read is looked at when the agent starts.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::problem::Notes;
use crate::config::read::Obj;
use crate::model::Labels;
use crate::time::{Ms, SECOND};

/// Where the agent writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentTo {
    /// To the log of this process, or Kafka by `log:`.
    Log,
    /// To a door.
    Door(String),
}

/// A log file to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFileSettings {
    /// Where it is.
    pub path: PathBuf,
    /// Labels of its lines: `source`, `service`.
    pub labels: Vec<(String, String)>,
}

/// Processes to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessWatch {
    /// What they are called.
    pub name: String,
    /// A regular expression on their command line; `None` = their program is called `name`.
    pub pattern: Option<String>,
}

/// The collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSettings {
    /// Distance of collections, ms.
    pub every: Ms,
    /// Where to.
    pub to: AgentTo,
    /// File with the door's token.
    pub token_file: Option<PathBuf>,
    /// File with the certificate that signs the door's; `None` = what the host trusts.
    pub ca_file: Option<PathBuf>,
    /// Bytes of disk for records that nobody takes now; 0 = none.
    pub spool: u64,
    /// Log files to follow.
    pub logs: Vec<LogFileSettings>,
    /// Processes to watch.
    pub processes: Vec<ProcessWatch>,
    /// The `host` label; `None` = the machine's name.
    pub host: Option<String>,
    /// Labels on every record.
    pub labels: Labels,
}

/// Less is filled by a few records and would only wear the disk.
const SPOOL_BYTES_MIN: i64 = 1 << 20;
/// Each is held open and looked at with every collection.
const LOGS_MAX: usize = 64;
/// Each is looked for among all processes at every collection.
const PROCESSES_MAX: usize = 32;

/// Makes the agent's settings of a checked tree.
pub(super) fn settings(file: Obj<'_>, folder: &Path, notes: &mut Notes) -> AgentSettings {
    let agent = file.sub("agent");
    let to = match agent.text("to") {
        None | Some("log") => AgentTo::Log,
        Some("kafka") => {
            if file.sub("log").text("kind") != Some("kafka") {
                let help = "set `log: { kind: kafka, brokers: […] }`, or give the address of a door";
                notes.error("agent-to", agent.at("to"), "`to: kafka` without a Kafka in `log:`", help);
            }
            AgentTo::Log
        }
        Some(door) => door_of(door, agent, notes),
    };
    let labels = agent.labels("labels");
    if labels.get("host").is_some() {
        notes.error("agent-host", agent.at("labels"), "`host` is no free label", "write it as `agent.host`");
    }
    let spool = agent.size("spool").unwrap_or(256_000_000);
    if (1..SPOOL_BYTES_MIN).contains(&spool) {
        notes.error(
            "bad-value",
            agent.at("spool"),
            "a spool below 1MiB holds next to nothing",
            "write 0, or 1MiB and more",
        );
    }
    AgentSettings {
        every: agent.duration("every").unwrap_or(10 * SECOND),
        to,
        token_file: agent.text("token_file").map(|path| folder.join(path)),
        ca_file: agent.text("ca_file").map(|path| folder.join(path)),
        spool: spool.max(0).unsigned_abs(),
        logs: logs(agent, folder, spool > 0, notes),
        processes: processes(agent, notes),
        host: agent.owned("host"),
        labels,
    }
}

fn logs(agent: Obj<'_>, folder: &Path, spooled: bool, notes: &mut Notes) -> Vec<LogFileSettings> {
    let mut found: Vec<LogFileSettings> = Vec::new();
    for file in agent.subs("logs") {
        let Some(path) = file.text("path").map(|path| folder.join(path)) else { continue };
        if found.iter().any(|other| other.path == path) {
            notes.error("duplicate-id", file.at("path"), format!("`{}` stands twice", path.display()), "keep one");
        }
        let label = |name: &str| Some((name.to_owned(), file.owned(name)?));
        found.push(LogFileSettings { path, labels: ["source", "service"].into_iter().filter_map(label).collect() });
    }
    if found.len() > LOGS_MAX {
        let message = format!("{} log files, at most {LOGS_MAX} are followed", found.len());
        notes.error("bad-value", agent.at("logs"), message, "a log shipper such as Fluent Bit can write to Kafka");
    }
    if !found.is_empty() && !spooled {
        let help = "the place in a file is kept beside the spool: give `spool` a size";
        notes.error("bad-value", agent.at("logs"), "`logs` without a spool", help);
    }
    found
}

fn processes(agent: Obj<'_>, notes: &mut Notes) -> Vec<ProcessWatch> {
    let mut found: Vec<ProcessWatch> = Vec::new();
    for process in agent.subs("processes") {
        let Some(name) = process.owned("name") else { continue };
        if found.iter().any(|other| other.name == name) {
            notes.error("duplicate-id", process.at("name"), format!("process `{name}` stands twice"), "keep one");
        }
        found.push(ProcessWatch { name, pattern: process.owned("pattern") });
    }
    if found.len() > PROCESSES_MAX {
        let message = format!("{} processes, at most {PROCESSES_MAX} are watched", found.len());
        notes.error("bad-value", agent.at("processes"), message, "join some of them by one pattern");
    }
    found
}

fn door_of(door: &str, agent: Obj<'_>, notes: &mut Notes) -> AgentTo {
    if let Some(address) = door.strip_prefix("https://") {
        let address = address.trim_end_matches('/');
        if address.is_empty() || address.contains(['/', ' ', '@', '?', '#']) {
            let help = "write https://HOST:PORT, nothing behind it";
            notes.error("bad-value", agent.at("to"), "`to` needs the address of a door", help);
        }
        if !agent.has("token_file") {
            let help = "copy `token` from the service's data directory to a file that only the agent can read";
            notes.warning("agent-token", agent.at("to"), "a door elsewhere asks for a token: no `token_file`", help);
        }
        return AgentTo::Door(format!("https://{address}"));
    }
    let address = door.strip_prefix("http://").unwrap_or(door).trim_end_matches('/');
    match address.parse::<SocketAddr>() {
        Ok(at) if at.ip().is_loopback() => {}
        Ok(at) => {
            let help = format!("write https://{at} and `token_file`, or write to Kafka");
            notes.error("agent-tls", agent.at("to"), format!("{at} is not loopback and has no TLS"), help);
        }
        Err(_) => {
            let help = "write kafka, or the address of a door such as http://127.0.0.1:9480";
            notes.error("bad-value", agent.at("to"), "`to` needs the address of a door", help);
        }
    }
    AgentTo::Door(format!("http://{address}"))
}
