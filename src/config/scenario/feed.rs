//! `feed:`: series, log lines and raw records.
//!
//! The idea: what stands for many (hosts of a series, lines that repeat) is spread here, so that whoever plays it sees
//! single series, lines and records.

use std::sync::Arc;

use super::Feed;
use super::read::{refuse, require};
use super::series::{self, Slip};
use super::timeline::timeline;
use crate::config::problem::Notes;
use crate::config::read::Obj;
use crate::config::tree::Node;
use crate::model::Labels;
use crate::time::{Ms, SECOND};

/// Keys that only a series has.
const OF_SERIES: &[&str] = &["values", "timeline", "hosts", "skew", "late"];
/// Keys that no series has.
const OF_LINES: &[&str] = &["level", "text", "times", "key"];

/// Distance of the samples of a timeline that does not say.
const EVERY: Ms = 10 * SECOND;

/// One entry of `feed:`.
pub(super) fn feed(part: Obj<'_>, notes: &mut Notes) -> Vec<Feed> {
    let found: Vec<&str> = ["series", "line", "record"].into_iter().filter(|key| part.has(key)).collect();
    match found.as_slice() {
        ["series"] => series_feed(part, notes).unwrap_or_default(),
        ["line"] => line_feed(part, notes).unwrap_or_default(),
        ["record"] => record_feed(part, notes).unwrap_or_default(),
        _ => {
            let help = "write series, every and values; or line, at and text; or record and at";
            let message = "a feed is either a `series` or a `line` or a `record`";
            notes.error("scenario-shape", part.place(), message, help);
            Vec::new()
        }
    }
}

fn series_feed(part: Obj<'_>, notes: &mut Notes) -> Option<Vec<Feed>> {
    let in_words = part.has("timeline");
    if in_words {
        refuse(part, &["values"], "a series with `timeline`", notes);
    } else {
        for key in ["every", "values"] {
            require(part, key, "a series", notes);
        }
    }
    refuse(part, OF_LINES, "a series", notes);
    let read = inside(part.get("series")?, "bad-series", series::series, notes);
    let every = part.duration("every").or(in_words.then_some(EVERY));
    let values = match part.get("timeline") {
        Some(words) => inside(words, "bad-timeline", |text| timeline(text, every.unwrap_or(EVERY)), notes),
        None => inside(part.get("values")?, "bad-values", series::values, notes),
    };
    let (name, labels) = read?;
    let values: Arc<[Option<f64>]> = values?.into();
    let hosts = part.count("hosts");
    let series = |labels| {
        Some(Feed::Series {
            name: name.clone(),
            labels,
            from: part.duration("at").unwrap_or(0),
            every: every?,
            values: Arc::clone(&values),
            skew: part.shift("skew").unwrap_or(0),
            late: part.duration("late").unwrap_or(0),
        })
    };
    match hosts {
        None => Some(vec![series(labels)?]),
        Some(n) => (1..=n).map(|n| series(of_host(&labels, n))).collect(),
    }
}

/// The labels of the `n`-th host of many.
fn of_host(labels: &Labels, n: usize) -> Labels {
    let counted = labels.iter().any(|(_, value)| value.contains("{n}"));
    let value = |name: &str, value: &str| match name {
        "host" if !counted => format!("{value}-{n}"),
        _ => value.replace("{n}", &n.to_string()),
    };
    let mut pairs: Vec<(String, String)> =
        labels.iter().map(|(name, text)| (name.to_owned(), value(name, text))).collect();
    if labels.get("host").is_none() && !counted {
        pairs.push(("host".to_owned(), format!("host-{n}")));
    }
    Labels::new(pairs)
}

fn line_feed(part: Obj<'_>, notes: &mut Notes) -> Option<Vec<Feed>> {
    for key in ["at", "text"] {
        require(part, key, "a log line", notes);
    }
    refuse(part, OF_SERIES, "a log line", notes);
    refuse(part, &["key"], "a log line", notes);
    let labels = part.labels("line");
    if labels.get("host").is_none() {
        let message = "a log line without `host`";
        notes.error("scenario-shape", part.at("line"), message, "write line: { host: was-01, … }");
    }
    let level = part.owned("level").unwrap_or_default();
    let text = part.owned("text")?;
    let line = |at| Feed::Line { labels: labels.clone(), at, level: level.clone(), text: text.clone() };
    Some(instants(part)?.map(line).collect())
}

fn record_feed(part: Obj<'_>, notes: &mut Notes) -> Option<Vec<Feed>> {
    require(part, "at", "a record", notes);
    refuse(part, OF_SERIES, "a record", notes);
    refuse(part, &["level", "text"], "a record", notes);
    let key = part.owned("key").unwrap_or_default();
    let text = part.owned("record")?;
    let record = |at| Feed::Record { at, key: key.clone(), text: text.clone() };
    Some(instants(part)?.map(record).collect())
}

/// `at`, and again after every `every` as often as `times` says.
fn instants(part: Obj<'_>) -> Option<impl Iterator<Item = Ms>> {
    let (at, every) = (part.duration("at")?, part.duration("every").unwrap_or(SECOND));
    let times = part.int("times").unwrap_or(1);
    Some((0..times).map(move |n| at + n * every))
}

fn inside<T>(node: &Node, id: &'static str, read: impl Fn(&str) -> Result<T, Slip>, notes: &mut Notes) -> Option<T> {
    match read(node.as_text()?) {
        Ok(value) => Some(value),
        Err(slip) => {
            let help = match id {
                "bad-series" => "write NAME{label=\"value\",…}",
                "bad-timeline" => "write 0.5 for 5m, 0.5 to 0.97 for 1m, nothing for 2m, 97%",
                _ => "write 0.5x30 (31 times), 1+2x3 (1 3 5 7), _ (missing)",
            };
            notes.error(id, node.inside(slip.at), slip.why, help);
            None
        }
    }
}
