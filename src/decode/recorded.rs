//! Recorded streams: one line of NDJSON for each record of the log, as `record` writes and `replay` reads them.
//!
//! The idea: what is written must replay to the same result, so the original bytes must come back, whatever they were.
//! A record that is a JSON object on one line gets its place added at the end, where it can be cut off again exactly:
//!
//! ```json
//! {"v":1,"ts":5,"host":"a","points":[],"log":{"topic":"t","partition":0,"offset":7,"at":9},"muted":true}
//! ```
//!
//! Anything else (not JSON, not UTF-8, several lines, empty, or with fields of those very names) is carried as base64:
//! `{"v":1,"raw":"…","log":{…}}`. A pulse is `{"v":1,"pulse":true,"log":{…}}`. A key that is neither the record's host
//! nor the pulse's own stands in the place as `"key"`, or as base64 in `"key64"` where it is not UTF-8.
//! A row of state in force is `{"v":1,"state":{…}}`. Lines written by hand may hold `log` anywhere, or not at all.

use simd_json::{Node, StaticNode};

use crate::decode::base64;
use crate::decode::draft::quote;
use crate::decode::tape::{Scratch, integer, members, string};
use crate::model::{Decoded, Kind, PULSE_KEY, RejectReason};
use crate::time::Ms;

/// Where a recorded record lay in its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Append time, ms since the epoch.
    pub at: Ms,
}

/// One line of a recorded stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recorded {
    /// Where the record lay; `None` for a line that was not recorded from a log.
    pub place: Option<Place>,
    /// It only fills windows; nothing it causes is told.
    pub muted: bool,
    /// A row of state in force; then there is no record.
    pub state: Option<serde_json::Value>,
    /// It is a pulse.
    pub pulse: bool,
    /// Its record has nothing usable in it and came under another host's key; known once it was decoded.
    pub stray: bool,
    /// The record's own time where it has one, for feeds that have no log.
    pub ts: Option<Ms>,
    /// The record's key.
    pub key: Vec<u8>,
    /// The record's value as the log held it, for the decoder.
    pub body: Vec<u8>,
}

/// Fields that a recording adds; a record that has one of them already is carried as base64.
const OURS: [&str; 4] = ["log", "muted", "raw", "state"];

/// The line for one record of the log, without the line's end.
pub fn record_line(place: &Place, key: &[u8], value: &[u8], muted: bool) -> String {
    if value.is_empty() && key == PULSE_KEY {
        return format!("{{\"v\":1,\"pulse\":true,{}", tail(place, None, muted));
    }
    match plain(value) {
        Some((text, default_key)) => {
            let own = if default_key == key { None } else { Some(key) };
            format!("{text},{}", tail(place, own, muted))
        }
        None => {
            let own = if key.is_empty() { None } else { Some(key) };
            format!("{{\"v\":1,\"raw\":\"{}\",{}", base64::encode(value), tail(place, own, muted))
        }
    }
}

/// The line for one row of state in force, without the line's end.
pub fn state_line(state: &serde_json::Value) -> String {
    format!("{{\"v\":1,\"state\":{state}}}")
}

/// Reads one line. A line without `log` is taken as a record as it stands; whether it is a good one is the decoder's
/// to say. Errors: [`RejectReason::NotJson`], and [`RejectReason::BadField`] for a `log`, `raw` or `state` that no
/// recording writes.
pub fn recorded(line: &str) -> Result<Recorded, RejectReason> {
    let line = line.trim();
    let read = Scratch::default().parse(line.as_bytes(), |nodes| read(nodes, line));
    read.map_err(|fault| fault.reason)?
}

/// Whether a record has nothing usable in it and came under another host's key: then it says nothing of its host, which
/// lives in another partition.
pub fn is_stray(key: &[u8], decoded: &Decoded) -> bool {
    decoded.kind == Kind::Rejected && decoded.misplaced && !key.is_empty()
}

/// Whether a line has fields that a recording adds: then its record must be taken out of it first.
pub(super) fn is_wrapped(nodes: &[Node<'_>]) -> bool {
    members(nodes, 0).is_some_and(|mut fields| fields.any(|(name, _)| OURS.contains(&name)))
}

/// The record's own time and host, of a line that is the record itself.
pub(super) fn own_time_and_host<'i>(nodes: &[Node<'i>]) -> (Option<Ms>, Option<&'i str>) {
    let time = field(nodes, 0, "ts").and_then(|at| integer(nodes, at));
    (time, field(nodes, 0, "host").and_then(|at| string(nodes, at)))
}

/// The record without its closing brace, and the key that it would have by itself; `None` where it must be base64.
fn plain(value: &[u8]) -> Option<(&str, Vec<u8>)> {
    let text = std::str::from_utf8(value).ok()?;
    let open = text.strip_suffix('}').filter(|text| text.starts_with('{') && !text.contains(['\n', '\r']))?;
    let key = Scratch::default().parse(value, |nodes| {
        let names: Vec<&str> = members(nodes, 0)?.map(|(name, _)| name).collect();
        let fits = !names.is_empty() && !names.iter().any(|name| OURS.contains(name));
        fits.then(|| own_key(nodes))
    });
    // Only JSON in the strict sense, which other readers of the file understand too.
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    Some((open, key.ok()??))
}

/// The key that a record has unless it says otherwise.
fn own_key(nodes: &[Node<'_>]) -> Vec<u8> {
    match field(nodes, 0, "host").and_then(|at| string(nodes, at)) {
        Some(host) => host.as_bytes().to_vec(),
        None if is_true(nodes, "pulse") => PULSE_KEY.to_vec(),
        None => Vec::new(),
    }
}

/// The end of a line: place, mark, brace.
fn tail(place: &Place, key: Option<&[u8]>, muted: bool) -> String {
    let mut text = "\"log\":{\"topic\":".to_owned();
    quote(&mut text, &place.topic);
    text.push_str(&format!(",\"partition\":{},\"offset\":{},\"at\":{}", place.partition, place.offset, place.at));
    match key.map(|key| (key, std::str::from_utf8(key))) {
        None => {}
        Some((_, Ok(key))) => {
            text.push_str(",\"key\":");
            quote(&mut text, key);
        }
        Some((key, Err(_))) => text.push_str(&format!(",\"key64\":\"{}\"", base64::encode(key))),
    }
    text.push_str(if muted { "},\"muted\":true}" } else { "}}" });
    text
}

fn field(nodes: &[Node<'_>], object: usize, name: &str) -> Option<usize> {
    members(nodes, object)?.find(|(key, _)| *key == name).map(|(_, at)| at)
}

fn is_true(nodes: &[Node<'_>], name: &str) -> bool {
    let at = field(nodes, 0, name);
    matches!(at.and_then(|at| nodes.get(at)), Some(Node::Static(StaticNode::Bool(true))))
}

fn read(nodes: &[Node<'_>], line: &str) -> Result<Recorded, RejectReason> {
    let mut recorded = Recorded {
        muted: is_true(nodes, "muted"),
        pulse: is_true(nodes, "pulse"),
        ts: field(nodes, 0, "ts").and_then(|at| integer(nodes, at)),
        ..Recorded::default()
    };
    if field(nodes, 0, "state").is_some() {
        let mut whole: serde_json::Value = serde_json::from_str(line).map_err(|_| RejectReason::BadField)?;
        recorded.state = whole.get_mut("state").map(serde_json::Value::take);
        return if recorded.state.as_ref().is_some_and(serde_json::Value::is_object) {
            Ok(recorded)
        } else {
            Err(RejectReason::BadField)
        };
    }
    let raw = field(nodes, 0, "raw").map(|at| string(nodes, at).and_then(base64::decode));
    let mut own = None;
    if let Some(at) = field(nodes, 0, "log") {
        let place = place(nodes, at).ok_or(RejectReason::BadField)?;
        own = key_of_place(nodes, at)?;
        recorded.place = Some(place);
    }
    let by_itself = || if raw.is_some() { Vec::new() } else { own_key(nodes) };
    recorded.key = own.clone().unwrap_or_else(by_itself);
    recorded.body = match (raw, &recorded.place) {
        (Some(bytes), _) => bytes.ok_or(RejectReason::BadField)?,
        (None, Some(place)) => cut(line, &tail(place, own.as_deref(), recorded.muted), &recorded.key),
        (None, None) => line.as_bytes().to_vec(),
    };
    Ok(recorded)
}

/// The record as it was before `tail` was added; the whole line where the tail is not what we would have written, which
/// decodes to the same, because the decoder ignores fields that it does not know.
fn cut(line: &str, tail: &str, key: &[u8]) -> Vec<u8> {
    match line.strip_suffix(tail).and_then(|open| open.strip_suffix(',')) {
        Some("{\"v\":1,\"pulse\":true") if key == PULSE_KEY => Vec::new(),
        Some(open) => format!("{open}}}").into_bytes(),
        None => line.as_bytes().to_vec(),
    }
}

fn place(nodes: &[Node<'_>], at: usize) -> Option<Place> {
    Some(Place {
        topic: string(nodes, field(nodes, at, "topic")?)?.to_owned(),
        partition: i32::try_from(integer(nodes, field(nodes, at, "partition")?)?).ok().filter(|n| *n >= 0)?,
        offset: integer(nodes, field(nodes, at, "offset")?)?,
        at: integer(nodes, field(nodes, at, "at")?)?,
    })
}

fn key_of_place(nodes: &[Node<'_>], at: usize) -> Result<Option<Vec<u8>>, RejectReason> {
    if let Some(key) = field(nodes, at, "key") {
        return string(nodes, key).map(|key| Some(key.as_bytes().to_vec())).ok_or(RejectReason::BadField);
    }
    match field(nodes, at, "key64") {
        Some(key) => string(nodes, key).and_then(base64::decode).map(Some).ok_or(RejectReason::BadField),
        None => Ok(None),
    }
}
