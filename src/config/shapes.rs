//! Values that may be written in more than one shape: a text, a small map, a sign before a length.
//!
//! The idea: one function per kind of value takes what was written and gives what is meant, or nothing where it fits no shape;
//! who notes that as a problem is [`super::read`].

use super::tree::{Data, Node};
use crate::model::{Severity, Then};
use crate::time::{self, Ms};

/// What an unknown does: `hold`, `resolve`, `raise: S3` as text or as a map.
pub(super) fn then(node: &Node) -> Option<Then> {
    match (&node.data, node.entries()) {
        (Data::Scalar { text, .. }, _) => match text.as_str() {
            "hold" => Some(Then::Hold),
            "resolve" => Some(Then::Resolve),
            other => Severity::parse(other.strip_prefix("raise:")?.trim()).map(Then::Raise),
        },
        (_, [entry]) if entry.key == "raise" => Severity::parse(entry.value.as_text()?).map(Then::Raise),
        _ => None,
    }
}

/// `{ n: up|down }`, or the same as text, as number and whether it is up.
pub(super) fn partition(node: &Node) -> Option<(i32, bool)> {
    if let Some((n, word)) = node.as_text().and_then(|text| text.split_once(':')) {
        let up = [("up", true), ("down", false)].into_iter().find(|(known, _)| *known == word.trim())?.1;
        return n.trim().parse().ok().filter(|n| *n >= 0).map(|n| (n, up));
    }
    let [entry] = node.entries() else { return None };
    let up = match entry.value.as_text()? {
        "up" => true,
        "down" => false,
        _ => return None,
    };
    entry.key.parse().ok().filter(|n| *n >= 0).map(|n| (n, up))
}

/// A duration with a sign.
pub(super) fn shift(text: &str) -> Option<Ms> {
    match text.strip_prefix('-') {
        Some(back) => time::parse_duration(back).map(|length| -length),
        None => time::parse_duration(text.strip_prefix('+').unwrap_or(text)),
    }
}
