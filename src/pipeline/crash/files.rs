//! The edited files of a crash test.

use super::Ground;

/// Partitions of the log.
pub(super) const PARTITIONS: usize = 4;

/// What every process reads, by file name.
pub(super) const SHARED: [(&str, &str); 6] = [
    ("rules.yaml", RULES),
    ("inventory.yaml", "resources: []\n"),
    ("calendar.yaml", "holidays: []\n"),
    ("chains.yaml", CHAINS),
    ("contacts.yaml", CONTACTS),
    // Made for each run's directory and of no use outside it.
    ("ack-key", "a-key-that-two-processes-of-a-crash-test-share\n"),
];

/// The main settings of the process `name` (nothing where there is only one) with its door at `listen`; `ways` are the
/// gateways, none where phones of ours show the pages.
pub(super) fn settings(ground: &Ground, name: &str, listen: &str, ways: &str) -> String {
    let store = ground.database.as_deref().unwrap_or("sqlite:bongsu.db");
    let (log, key) = (log(ground, name), if name.is_empty() { "" } else { ", ack_key_file: ack-key" });
    format!(
        "roles: [evaluate, incident, notify, console]\n\
         log: {{ {log}, partitions: {PARTITIONS} }}\n\
         store: {{ url: \"{store}\" }}\n\
         console: {{ listen: \"{listen}\"{key} }}\n\
         paths: {{ rules: rules.yaml, contacts: contacts.yaml, chains: chains.yaml, inventory: inventory.yaml, \
         calendar: calendar.yaml }}\n\
         limits: {{ pages_per_hour: 10000, storm: 10000 }}\n{ways}"
    )
}

/// The settings of the log. Two share its partitions in a group that gives a killed member its own back as soon as it
/// joins again under its name, whatever the brokers' session is.
fn log(ground: &Ground, name: &str) -> String {
    let Some(topic) = &ground.topic else {
        return "kind: embedded, topics: [{ name: telemetry, format: bongsu }]".to_owned();
    };
    let brokers: Vec<String> = topic.brokers.split(',').map(|broker| format!("\"{}\"", broker.trim())).collect();
    let (brokers, topic) = (brokers.join(", "), &topic.name);
    let group = match name {
        "" => String::new(),
        _ => format!(", group: \"{topic}\", instance: {name}, group_protocol: cooperative-sticky"),
    };
    format!("kind: kafka, brokers: [{brokers}], topics: [{{ name: \"{topic}\", format: bongsu }}]{group}")
}

/// At once, so that every bad record makes a page.
const RULES: &str = "version: 1
rules:
  - id: crash-value
    title: 부하 시험
    domain: 인프라
    metric: crash.value
    by: [host, job]
    window: { fn: last, over: 1h }
    when: above
    severity: { S2: { value: 90 } }
    no_data: { after: 2h }
";

/// One chain that tells the one contact.
pub(in crate::pipeline) const CHAINS: &str = "chains:
  - id: all
    default: true
    steps:
      - { to: [MSP/duty], by: [sms], wait: 1h }
    last: { to: [MSP/duty], by: [sms], repeat: 1h }
";

/// One contact.
pub(in crate::pipeline) const CONTACTS: &str = "contacts:
  - { id: duty-1, org: MSP, roles: [duty], name: 가상인, phone: \"010-0000-0001\", confirmed: 2026-01-02 }
";
