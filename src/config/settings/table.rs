//! The keys of `bongsu.yaml`.
//!
//! The idea: every default of the service stands here, as one would write it; [`super::settings`] reads it from here.

use crate::config::table::{Key, Kind, Table, may, must, or};
use crate::time::{DAY, HOUR, MINUTE, SECOND};

use super::heartbeat::HEARTBEAT;
use super::ways::GATEWAY;

/// A byte limit above which a record cannot pass the door or Kafka's default `message.max.bytes`.
const RECORD_BYTES_MAX: i64 = 16 << 20;

static SECURITY: Table = Table {
    name: "log.security",
    doc: "How to speak to Kafka brokers.",
    keys: &[
        or(
            "protocol",
            "plaintext",
            Kind::Word(&["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]),
            "as the brokers' listener has it",
        ),
        may("ca_file", Kind::Text, "PEM: who signed the brokers' certificates; left out: whom the machine trusts"),
        may("certificate_file", Kind::Text, "PEM: our certificate, where brokers ask for one"),
        may("key_file", Kind::Text, "PEM: its key"),
        or("mechanism", "SCRAM-SHA-512", Kind::Word(&["SCRAM-SHA-512", "SCRAM-SHA-256"]), "how to log in"),
        may("username", Kind::Text, "who logs in"),
        may("password", Kind::Text, "only by BONGSU__LOG__SECURITY__PASSWORD, never in a file of settings"),
        may("password_file", Kind::Text, "or a file that holds it, and nothing else"),
    ],
};

static TOPIC: Table = Table {
    name: "topic",
    doc: "One telemetry topic.",
    keys: &[
        must("name", Kind::Name, "its name"),
        or(
            "format",
            "auto",
            Kind::Word(&["auto", "bongsu"]),
            "how its records are written; auto = found out per record",
        ),
    ],
};

static LOG: Table = Table {
    name: "log",
    doc: "The log that telemetry passes through.",
    keys: &[
        or("kind", "embedded", Kind::Word(&["embedded", "kafka"]), "embedded = a file in the data directory"),
        may("brokers", Kind::List(&Kind::Text, 1), "host:port of Kafka brokers; kind: kafka needs them"),
        may("security", Kind::Table(&SECURITY), "how to speak to the brokers"),
        may("topics", Kind::List(&Kind::Table(&TOPIC), 1), "telemetry topics; left out: `telemetry`, auto"),
        or("partitions", "4", Kind::Int(1, 1024), "partitions of topics that Bongsu creates"),
        or(
            "clock",
            "log",
            Kind::Word(&["log", "arrival"]),
            "log = append time; arrival = for topics that are not ours",
        ),
        may("group", Kind::Name, "consumer group that shares the partitions; left out: this process has them all"),
        or(
            "group_protocol",
            "auto",
            Kind::Word(&["auto", "consumer", "cooperative-sticky"]),
            "auto = consumer where the brokers have it (Kafka 4.0), else cooperative-sticky",
        ),
        may(
            "instance",
            Kind::Id,
            "name of this process among its siblings, its own for each; left out: `bongsu` and the data directory's id",
        ),
        or("keep", "24h", Kind::Duration(HOUR, 400 * DAY), "how long the embedded log keeps records"),
        or("keep_bytes", "2GB", Kind::Size(1 << 20, i64::MAX), "and up to which size"),
    ],
};

static STORE: Table = Table {
    name: "store",
    doc: "Where decisions are kept.",
    keys: &[
        or(
            "url",
            "sqlite:bongsu.db",
            Kind::Text,
            "sqlite:FILE in the data directory, or postgres://USER@HOST:PORT/DATABASE?sslmode=…&sslrootcert=FILE",
        ),
        may("password", Kind::Text, "of the PostgreSQL role; only by BONGSU__STORE__PASSWORD, never in a file"),
        may("password_file", Kind::Text, "file that holds the password alone, mode 0600; relative to this one"),
        or("unverified", "false", Kind::Bool, "true = a host elsewhere need not prove its name (sslmode=require)"),
        or("connections", "8", Kind::Int(2, 200), "PostgreSQL connections of this process, half of them for reading"),
        or("statement_timeout", "10s", Kind::Duration(SECOND, HOUR), "longest time of one PostgreSQL statement"),
    ],
};

static CONSOLE: Table = Table {
    name: "console",
    doc: "The one address that `run` listens on: health, metrics, page, command line, records.",
    keys: &[
        or("listen", "127.0.0.1:9480", Kind::Listen, "address and port; loopback"),
        may(
            "ack_key_file",
            Kind::Text,
            "file with the key of one-time codes, relative to this one; instances on one store need the same; left out: \
             made in the data directory",
        ),
    ],
};

static PATHS: Table = Table {
    name: "paths",
    doc: "Edited files, relative to this one.",
    keys: &[
        or("rules", "rules", Kind::Text, "folder of rule files"),
        or("contacts", "contacts.yaml", Kind::Text, "who can be told"),
        or("chains", "chains.yaml", Kind::Text, "in which order"),
        or("inventory", "inventory.yaml", Kind::Text, "what is watched"),
        or("calendar", "calendar.yaml", Kind::Text, "days off beside the computed ones"),
        or("templates", "templates", Kind::Text, "message templates; may be absent"),
    ],
};

static LIMITS: Table = Table {
    name: "limits",
    doc: "Reaching one is counted and visible, and never mutes an S1.",
    keys: &[
        or("series", "1_000_000", Kind::Int(1, 100_000_000), "series in all"),
        or("series_per_rule", "100_000", Kind::Int(1, 100_000_000), "series of one rule"),
        or("open_incidents", "10_000", Kind::Int(1, 10_000_000), "open incidents"),
        or(
            "storm",
            "10",
            Kind::Int(1, 100_000),
            "more new incidents than these within a minute, on one node, cluster, pool or service, become one",
        ),
        or("record_bytes", "1MiB", Kind::Size(1024, RECORD_BYTES_MAX), "bytes of one record"),
        or("pages_per_hour", "30", Kind::Int(1, 10_000), "pages a person and hour, S1 not counted"),
        or("window_memory", "1GiB", Kind::Size(1 << 20, i64::MAX), "bytes of all raw windows"),
        or("silence_length", "7d", Kind::Duration(MINUTE, 366 * DAY), "the longest a silence may last"),
        or(
            "silence_incidents",
            "20",
            Kind::Int(0, 1_000_000),
            "a silence that would have hidden more in 30 days needs a second approver",
        ),
    ],
};

static PROCESS: Table = Table {
    name: "process",
    doc: "Processes that the agent watches: how many run, restarts, CPU, memory, open files.",
    keys: &[
        must("name", Kind::Id, "what they are called; without a pattern, the name of their program"),
        may("pattern", Kind::Regex, "what their command line holds"),
    ],
};

static LOG_FILE: Table = Table {
    name: "log file",
    doc: "A log file that the agent follows; its lines are for log rules.",
    keys: &[
        must("path", Kind::Text, "where it is, relative to this file"),
        must("source", Kind::Label, "the label `source` of its lines"),
        may("service", Kind::Label, "the label `service` of its lines"),
    ],
};

static AGENT: Table = Table {
    name: "agent",
    doc: "The collector on this host.",
    keys: &[
        or("every", "10s", Kind::Duration(SECOND, HOUR), "distance of collections"),
        may("to", Kind::Text, "http(s)://ADDRESS of a door, or kafka; left out: the log of this process"),
        may("token_file", Kind::Text, "file with the door's token, relative to this one"),
        may(
            "ca_file",
            Kind::Text,
            "file with the certificate (PEM) that signs the door's; left out: what the host trusts",
        ),
        or(
            "spool",
            "256MB",
            Kind::Size(0, i64::MAX),
            "disk for records that nobody takes now, oldest go first; 0 = none",
        ),
        may("logs", Kind::List(&Kind::Table(&LOG_FILE), 0), "log files to follow; needs the spool"),
        may("processes", Kind::List(&Kind::Table(&PROCESS), 0), "processes to watch"),
        may("host", Kind::Id, "the `host` label; left out: the machine's name"),
        may("labels", Kind::Map(&Kind::Label), "labels on every record"),
    ],
};

/// The keys of `bongsu.yaml`.
pub(crate) static SETTINGS: Table = Table {
    name: "bongsu.yaml",
    doc: "Settings of the service; every value also by BONGSU__SECTION__KEY.",
    keys: &[
        may(
            "roles",
            Kind::List(&Kind::Word(&["agent", "evaluate", "incident", "notify", "console", "archive", "relay"]), 1),
            "what this process does; left out: agent, evaluate, incident, notify, console",
        ),
        may("log", Kind::Table(&LOG), "the log that telemetry passes through"),
        may("store", Kind::Table(&STORE), "where decisions are kept"),
        may("console", Kind::Table(&CONSOLE), "the one address to listen on"),
        may("paths", Kind::Table(&PATHS), "edited files, relative to this one"),
        may("gateways", Kind::List(&Kind::Table(&GATEWAY), 0), "who takes messages; left out: handset for all"),
        may("limits", Kind::Table(&LIMITS), "limits"),
        SKEW,
        may("heartbeat", Kind::Table(&HEARTBEAT), "a sign of life for a watcher outside"),
        may("agent", Kind::Table(&AGENT), "the collector on this host"),
    ],
};

const SKEW: Key = or("skew", "shift", Kind::Word(&["shift", "quarantine"]), "samples of a source whose clock is off");
