//! Bongsu's own JSON, version 1: what the agent writes and anyone may.
//!
//! ```json
//! {"v":1,"ts":1764000000000,"sent":1764000000450,"host":"db-01","labels":{"env":"prod"},
//!  "points":[["system.cpu.utilization",0.93],["system.filesystem.utilization",0.71,{"mountpoint":"/data"}]],
//!  "lines":[[1764000000123,"ERROR","connection refused"]]}
//! ```
//!
//! The idea: the head (`v`, `host`, `ts`, `labels`) stands for the whole record, so a fault there refuses the record; a
//! fault in a point or a line refuses that one.
//! Decided here where the format is silent: unknown fields are ignored;
//! `ts` is required and whole; a wrong `sent` is dropped, the record stays; a record has `points` or `lines` (a record
//! with neither is a spelling mistake, not a sign of life); a label `host` is a fault, in the head as in a point;
//! of two points of one series the first counts.

use simd_json::Node;

use crate::decode::decoder::Work;
use crate::decode::frame::{Head, head};
use crate::decode::shapes;
use crate::decode::tape::{integer, items, kind_of, members, number as number_at, reject, string};
use crate::model::{Decoded, Kind, LABEL_BYTES_MAX, LABELS_MAX, Labels, Line, Reject, RejectReason};
use crate::time::{DAY, Ms};
use std::sync::Arc;

/// 2000-01-01T00:00:00Z: nothing that we watch is older, so an earlier time is a clock that was never set.
const TIME_MIN: Ms = 946_684_800_000;
/// 9999-12-31T23:59:59.999Z: beyond it a `ts` or `sent` is noise, and differences of times could overflow.
const TIME_MAX: Ms = 253_402_300_799_999;
/// After so many rejects in one record their details are left out: a hostile record shall not grow a hundredfold.
const DETAILED_REJECTS_MAX: usize = 100;

/// Reads one record into `out`. An error refuses the whole record.
pub(super) fn read(
    nodes: &[Node<'_>],
    append: Ms,
    key: &[u8],
    work: &mut Work,
    out: &mut Decoded,
) -> Result<(), Reject> {
    let head = head(nodes)?;
    if head.pulse {
        out.kind = Kind::Pulse;
        return Ok(());
    }
    let host = head.host()?;
    let checked = check_rest(nodes, &head);
    if let Err(fault) = checked {
        // Whose record it was is known all the same: the source speaks, it is only not understood.
        out.host = Arc::from(host);
        out.misplaced = key != host.as_bytes();
        return Err(fault);
    }
    out.misplaced = key != host.as_bytes();
    out.ts = head.ts.and_then(|at| integer(nodes, at)).unwrap_or(append).clamp(0, TIME_MAX);
    out.sent = sent(nodes, &head, out);
    identify(nodes, &head, host, work);
    if let Some(at) = head.points {
        points(nodes, at, append, work, out);
    }
    if let Some(at) = head.lines {
        lines(nodes, at, append, work, out);
    }
    if settle(work, out) || out.rejects.is_empty() {
        out.kind = Kind::Data;
    }
    Ok(())
}

/// The fields that the whole record depends on, apart from `v` and `host`.
fn check_rest(nodes: &[Node<'_>], head: &Head<'_>) -> Result<(), Reject> {
    let bad = |place: &str, detail: String| Err(reject(RejectReason::BadField, place, detail));
    let Some(ts) = head.ts else { return bad("ts", "missing".to_owned()) };
    if integer(nodes, ts).is_none() {
        return bad("ts", format!("{} where whole milliseconds should be", kind_of(nodes.get(ts))));
    }
    if let Some(labels) = head.labels {
        let Some(pairs) = members(nodes, labels) else {
            return bad("labels", format!("{} where an object should be", kind_of(nodes.get(labels))));
        };
        if let Some(Node::Object { len, .. }) = nodes.get(labels)
            && *len > LABELS_MAX
        {
            return Err(reject(RejectReason::LabelLimit, "labels", TOO_MANY_LABELS));
        }
        for (name, value) in pairs {
            if let Some(fault) = label_fault(nodes, name, value) {
                return bad(&format!("labels.{name}"), fault.to_owned());
            }
            if let Some(fault) = too_long(nodes, name, value) {
                return Err(reject(RejectReason::LabelLimit, "labels", fault));
            }
        }
    }
    for (name, field) in [("points", head.points), ("lines", head.lines)] {
        if let Some(at) = field
            && items(nodes, at).is_none()
        {
            return bad(name, format!("{} where an array should be", kind_of(nodes.get(at))));
        }
    }
    if head.points.is_none() && head.lines.is_none() {
        return bad("", "neither points nor lines".to_owned());
    }
    Ok(())
}

fn label_fault(nodes: &[Node<'_>], name: &str, value: usize) -> Option<&'static str> {
    match (name, string(nodes, value)) {
        ("", _) => Some("a label without name"),
        ("host", _) => Some("the label host is set by the record"),
        (_, None) => Some("a label that is not a string"),
        _ => None,
    }
}

const TOO_MANY_LABELS: &str = "more than 64 labels";

/// Whether a label is longer than one may be.
fn too_long(nodes: &[Node<'_>], name: &str, value: usize) -> Option<&'static str> {
    let long = name.len().max(string(nodes, value).map_or(0, str::len)) > LABEL_BYTES_MAX;
    long.then_some("a label of more than 1024 bytes")
}

fn sent(nodes: &[Node<'_>], head: &Head<'_>, out: &mut Decoded) -> Option<Ms> {
    let at = head.sent?;
    match integer(nodes, at) {
        Some(sent) if (0..=TIME_MAX).contains(&sent) => Some(sent),
        Some(sent) => {
            out.rejects.push(reject(RejectReason::BadTime, "sent", sent.to_string()));
            None
        }
        None => {
            let detail = format!("{} where whole milliseconds should be", kind_of(nodes.get(at)));
            out.rejects.push(reject(RejectReason::BadField, "sent", detail));
            None
        }
    }
}

/// Begins the identity with what all points share.
fn identify(nodes: &[Node<'_>], head: &Head<'_>, host: &str, work: &mut Work) {
    let own = head.labels.and_then(|at| members(nodes, at));
    let n = match head.labels.and_then(|at| nodes.get(at)) {
        Some(Node::Object { len, .. }) => *len,
        _ => 0,
    };
    shapes::host(&mut work.identity, host, n);
    for (name, value) in own.into_iter().flatten() {
        shapes::label(&mut work.identity, name, string(nodes, value).unwrap_or(""));
    }
}

fn time_fault(at: Ms, append: Ms) -> Option<&'static str> {
    if at < TIME_MIN {
        Some("before 2000")
    } else if at > append.saturating_add(DAY) {
        Some("more than a day after the log's time")
    } else {
        None
    }
}

fn points(nodes: &[Node<'_>], at: usize, append: Ms, work: &mut Work, out: &mut Decoded) {
    let Some(all) = items(nodes, at) else { return };
    if let Some(fault) = time_fault(out.ts, append) {
        if all.clone().next().is_some() {
            let detail = format!("{}: {fault}", out.ts);
            out.rejects.push(reject(RejectReason::BadTime, "ts", detail));
        }
        return;
    }
    for (n, point) in all.enumerate() {
        match take_point(nodes, point, &mut work.identity) {
            Ok(value) => {
                out.values.push(value);
                work.places.push(u32::try_from(n).unwrap_or(u32::MAX));
            }
            Err(fault) => refuse(out, "points", n, fault),
        }
    }
}

/// Why a part of a record cannot be used; the text is made only where it is kept.
struct Fault<'a> {
    reason: RejectReason,
    subject: &'a str,
    what: &'static str,
}

fn refuse(out: &mut Decoded, list: &str, n: usize, fault: Fault<'_>) {
    let detail = match (out.rejects.len() < DETAILED_REJECTS_MAX, fault.subject) {
        (false, _) => String::new(),
        (true, "") => fault.what.to_owned(),
        (true, subject) => format!("{}: {}", subject.get(..subject.floor_char_boundary(120)).unwrap_or(""), fault.what),
    };
    out.rejects.push(reject(fault.reason, format!("{list}[{n}]"), detail));
}

/// Takes one point: its value is returned, its identity appended. Nothing is appended for a bad one.
#[inline]
fn take_point<'i>(nodes: &[Node<'i>], at: usize, identity: &mut Vec<u8>) -> Result<f64, Fault<'i>> {
    let bad = |subject, what| Err(Fault { reason: RejectReason::BadPoint, subject, what });
    let Some(Node::Array { len: 2 | 3, .. }) = nodes.get(at) else {
        return bad("", "not [name, number] or [name, number, {labels}]");
    };
    let name = match string(nodes, at + 1) {
        Some("") | None => return bad("", "no metric name"),
        Some(name) => name,
    };
    // The name is one node, so the value stands at +2; where the value is a number, the labels stand at +3.
    let Some(value) = number_at(nodes, at + 2) else {
        return Err(Fault { reason: RejectReason::BadNumber, subject: name, what: kind_of(nodes.get(at + 2)) });
    };
    if !value.is_finite() {
        return Err(Fault { reason: RejectReason::BadNumber, subject: name, what: "not a finite number" });
    }
    let Some(Node::Array { len: 3, .. }) = nodes.get(at) else {
        shapes::point(identity, name, 0);
        return Ok(value);
    };
    let (Some(Node::Object { len, .. }), Some(labels)) = (nodes.get(at + 3), members(nodes, at + 3)) else {
        return bad(name, "labels that are not an object");
    };
    let beyond = |what| Err(Fault { reason: RejectReason::LabelLimit, subject: name, what });
    if *len > LABELS_MAX {
        return beyond(TOO_MANY_LABELS);
    }
    let start = identity.len();
    shapes::point(identity, name, *len);
    for (label, value) in labels {
        if let Some(what) = label_fault(nodes, label, value) {
            identity.truncate(start);
            return bad(name, what);
        }
        if let Some(what) = too_long(nodes, label, value) {
            identity.truncate(start);
            return beyond(what);
        }
        shapes::label(identity, label, string(nodes, value).unwrap_or(""));
    }
    Ok(value)
}

fn lines(nodes: &[Node<'_>], at: usize, append: Ms, work: &mut Work, out: &mut Decoded) {
    for (n, line) in items(nodes, at).into_iter().flatten().enumerate() {
        let parts = match nodes.get(line) {
            Some(Node::Array { len: 3, .. }) => {
                (integer(nodes, line + 1), string(nodes, line + 2), string(nodes, line + 3))
            }
            _ => (None, None, None),
        };
        let (Some(ts), Some(level), Some(text)) = parts else {
            let what = "not [ts, level, text]";
            refuse(out, "lines", n, Fault { reason: RejectReason::BadLine, subject: "", what });
            continue;
        };
        if let Some(what) = time_fault(ts, append) {
            refuse(out, "lines", n, Fault { reason: RejectReason::BadTime, subject: "", what });
            continue;
        }
        let mut filled = work.spare.pop().unwrap_or_else(|| Line { ts, level: String::new(), text: String::new() });
        filled.ts = ts;
        filled.level.clear();
        filled.level.push_str(level);
        filled.text.clear();
        filled.text.push_str(text);
        out.lines.push(filled);
    }
}

/// Looks the identity up and gives `out` its shape. Returns whether there is anything to use.
fn settle(work: &mut Work, out: &mut Decoded) -> bool {
    // The identity was written by `shapes` itself, so it always reads back.
    let Some(known) = work.shapes.look_up(&work.identity) else { return false };
    out.host = Arc::clone(&known.host);
    out.labels = known.labels.clone();
    out.shape = known.shape.clone();
    if !known.repeats.is_empty() {
        let mut repeats = known.repeats.iter().map(|&n| n as usize).peekable();
        let mut n = 0;
        out.values.retain(|_| {
            n += 1;
            repeats.next_if_eq(&(n - 1)).is_none()
        });
        for &repeat in known.repeats.iter() {
            let n = work.places.get(repeat as usize).map_or(repeat, |&n| n) as usize;
            let what = "a second number for the same series";
            refuse(out, "points", n, Fault { reason: RejectReason::BadPoint, subject: "", what });
        }
    }
    !out.values.is_empty() || !out.lines.is_empty()
}

/// Takes a number of a known series; see [`Decoder::number`](crate::decode::Decoder::number).
pub(super) fn number(metric: &str, labels: &Labels, (at, value): (Ms, f64), work: &mut Work, out: &mut Decoded) {
    let host = labels.get("host").unwrap_or("");
    let own: Vec<_> = labels.iter().filter(|(name, _)| *name != "host").collect();
    shapes::host(&mut work.identity, host, own.len());
    for (name, value) in own {
        shapes::label(&mut work.identity, name, value);
    }
    out.ts = at.clamp(0, TIME_MAX);
    if !value.is_finite() {
        out.rejects.push(reject(RejectReason::BadNumber, "", format!("{metric}: not a finite number")));
    } else if !(TIME_MIN..=TIME_MAX).contains(&at) {
        out.rejects.push(reject(RejectReason::BadTime, "", at.to_string()));
    } else {
        shapes::point(&mut work.identity, metric, 0);
        out.values.push(value);
    }
    if settle(work, out) {
        out.kind = Kind::Data;
    }
}
