//! What comes in: the feed of a scenario as records in the order in which they arrive.
//!
//! The idea: a record keeps its parts until it is handed to the log, because only then is it known when its sender hands
//! it over: one that had to wait says so, as an agent's spool does.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::{Feed, Scenario};
use crate::model::Labels;
use crate::time::Ms;

/// One record before it is written; times in ms on the scenario's clock.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// When it arrives.
    pub at: Ms,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Sample {
        ts: Ms,
        skew: Ms,
        name: String,
        labels: Labels,
        value: f64,
    },
    /// Lines that a host wrote at one instant, by level and text: its agent hands them over together.
    Lines {
        labels: Labels,
        lines: Vec<(String, String)>,
    },
    Raw {
        key: String,
        text: String,
    },
}

/// The feed in the order of arrival; equal times in file order.
pub(super) fn records(scenario: &Scenario) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut at_once: BTreeMap<(Ms, Labels), usize> = BTreeMap::new();
    for feed in &scenario.feed {
        match feed {
            Feed::Series { name, labels, from, every, values, skew, late } => {
                for (n, value) in values.iter().enumerate() {
                    let Some(value) = *value else { continue };
                    let ts = from + every * Ms::try_from(n).unwrap_or(Ms::MAX);
                    let (name, labels) = (name.clone(), labels.clone());
                    records.push(Record { at: ts + late, body: Body::Sample { ts, skew: *skew, name, labels, value } });
                }
            }
            Feed::Line { labels, at, level, text } => {
                let line = (level.clone(), text.clone());
                let first = *at_once.entry((*at, labels.clone())).or_insert(records.len());
                if let Some(Record { body: Body::Lines { lines, .. }, .. }) = records.get_mut(first) {
                    lines.push(line);
                } else {
                    let body = Body::Lines { labels: labels.clone(), lines: vec![line] };
                    records.push(Record { at: *at, body });
                }
            }
            Feed::Record { at, key, text } => {
                records.push(Record { at: *at, body: Body::Raw { key: key.clone(), text: text.clone() } });
            }
        }
    }
    records.sort_by_key(|record| record.at);
    records
}

impl Record {
    /// Its key: the host, or what was written.
    pub(super) fn key(&self) -> &str {
        match &self.body {
            Body::Sample { labels, .. } | Body::Lines { labels, .. } => host(labels),
            Body::Raw { key, .. } => key,
        }
    }

    /// Its value, handed over at `now`; the scenario's clock began at `begin`.
    pub(super) fn value(&self, begin: Ms, now: Ms) -> Vec<u8> {
        match &self.body {
            Body::Sample { ts, skew, name, labels, value } => {
                // JSON has no NaN: whoever sends one sends a text, which is a bad point like it.
                let value = if value.is_finite() { Value::from(*value) } else { Value::from(value.to_string()) };
                let record = serde_json::json!({ "points": [[name, value]] });
                finish((begin + ts + skew, begin + now + skew), labels, record)
            }
            Body::Lines { labels, lines } => {
                let ts = begin + self.at;
                let lines: Vec<Value> =
                    lines.iter().map(|(level, text)| serde_json::json!([ts, level, text])).collect();
                finish((ts, begin + now), labels, serde_json::json!({ "lines": lines }))
            }
            Body::Raw { text, .. } => text.replace("{ts}", &(begin + self.at).to_string()).into_bytes(),
        }
    }
}

fn host(labels: &Labels) -> &str {
    labels.get("host").unwrap_or("scenario")
}

fn finish((ts, sent): (Ms, Ms), labels: &Labels, mut record: serde_json::Value) -> Vec<u8> {
    let rest = Labels::new(labels.iter().filter(|(name, _)| *name != "host"));
    record["v"] = 1.into();
    record["ts"] = ts.into();
    record["sent"] = sent.into();
    record["host"] = host(labels).into();
    record["labels"] = rest.to_json();
    record.to_string().into_bytes()
}
