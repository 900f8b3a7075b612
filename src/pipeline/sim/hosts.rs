//! The hosts of a world: what they measure, whether they speak, by which clock, and the records that they send.
//!
//! The idea: what a host sends is a function of what happened to it and of the time, so a world and the file that tells of
//! it have the very same records. Nothing here knows of a log.

use crate::pipeline::sim::plan::Act;
use crate::pipeline::sim::setting::{HOSTS, PARTS};
use crate::time::Ms;

/// A record: key and value.
pub(super) type Record = (Vec<u8>, Vec<u8>);

/// One host.
#[derive(Debug, Clone, Default)]
struct Host {
    level: f64,
    silent_until: Ms,
    skew: Ms,
    last: Option<Record>,
}

/// All hosts.
#[derive(Debug)]
pub(super) struct Hosts(Vec<Host>);

impl Hosts {
    /// As every world begins.
    pub(super) fn new() -> Self {
        Self(vec![Host { level: 50.0, ..Host::default() }; HOSTS.len()])
    }

    /// All are well, and say so from now on.
    pub(super) fn heal(&mut self) {
        self.0.fill(Host { level: 10.0, ..Host::default() });
    }

    /// What an act makes them send at `now`, where it is about them.
    pub(super) fn act(&mut self, act: &Act, now: Ms) -> Option<Record> {
        match *act {
            Act::Record { host, late, jitter, beat, lines } => self.record(host, late, jitter, (beat, lines), now),
            Act::Again(host) => self.0[host].last.clone(),
            Act::Garbage(host, kind) => Some((HOSTS[host].as_bytes().to_vec(), GARBAGE[kind].to_vec())),
            Act::Level(host, level) => {
                self.0[host].level = level;
                self.record(host, 0, 0.0, (true, false), now)
            }
            Act::Silent(host, length) => {
                self.0[host].silent_until = now + length;
                None
            }
            Act::Dark(part, length) => {
                PARTS[part].iter().for_each(|host| self.0[*host].silent_until = now + length);
                None
            }
            Act::Skew(host, by) => {
                self.0[host].skew = by;
                None
            }
            _ => None,
        }
    }

    /// Every host that speaks sends once.
    pub(super) fn all(&mut self, now: Ms) -> Vec<Record> {
        (0..HOSTS.len()).filter_map(|n| self.record(n, 0, 0.0, (true, false), now)).collect()
    }

    fn record(&mut self, n: usize, late: Ms, jitter: f64, (beat, lines): (bool, bool), now: Ms) -> Option<Record> {
        let host = &self.0[n];
        if now < host.silent_until {
            return None;
        }
        let name = HOSTS[n];
        let value = host.level + jitter;
        let beat = if beat { r#",["sim.beat",1]"# } else { "" };
        let (ts, sent) = (now - late - host.skew, now - host.skew);
        let service = &name[..2];
        let lines = if lines {
            format!(r#","lines":[[{ts},"ERROR","OOM while working"],[{ts},"INFO","fine"]]"#)
        } else {
            String::new()
        };
        let record = format!(
            r#"{{"v":1,"ts":{ts},"sent":{sent},"host":"{name}","labels":{{"service":"{service}"}},"points":[["sim.value",{value}]{beat}]{lines}}}"#
        );
        let record = (name.as_bytes().to_vec(), record.into_bytes());
        self.0[n].last = Some(record.clone());
        Some(record)
    }
}

/// What cannot be read, or not as a whole.
const GARBAGE: [&[u8]; 4] = [
    b"not json",
    b"\xff\xfe",
    br#"{"v":9,"host":"db-01"}"#,
    br#"{"v":1,"ts":1767571200000,"host":"db-01","points":[["sim.value",1e999],["sim.value","x"]]}"#,
];
