//! The head of a record: enough to know whose it is, without judging what it carries.
//!
//! The idea: the door and the decoder must agree on what a record is, so both ask [`head`]: version, no repeated key
//! anywhere, a usable host. The door stops there ([`frame`]); points and lines are judged once, when they are decoded
//! with their append time.

use simd_json::Node;

use crate::decode::tape::{Scratch, integer, kind_of, members, reject, repeated_key, string};
use crate::model::{Reject, RejectReason};

/// Longest host name, bytes: DNS allows 253.
const HOST_BYTES_MAX: usize = 255;

/// What the door needs to know of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framed {
    /// The source, which is the record's key.
    pub host: String,
}

/// Checks that `value` is one record that the log may take: JSON of a known version with a usable host. Bad points and
/// lines are not looked for. The length is the caller's matter.
pub fn frame(value: &[u8]) -> Result<Framed, RejectReason> {
    let host = Scratch::default().parse(value, |nodes| head(nodes)?.host().map(str::to_owned));
    match host {
        Ok(Ok(host)) => Ok(Framed { host }),
        Ok(Err(fault)) | Err(fault) => Err(fault.reason),
    }
}

/// Where the known fields of a record stand on the tape.
#[derive(Debug, Default)]
pub(super) struct Head<'i> {
    /// A record that only carries the log's time; it has no host.
    pub(super) pulse: bool,
    /// When the samples were taken.
    pub(super) ts: Option<usize>,
    /// When the record was handed over.
    pub(super) sent: Option<usize>,
    /// Labels of the whole record.
    pub(super) labels: Option<usize>,
    /// Numbers.
    pub(super) points: Option<usize>,
    /// Log lines.
    pub(super) lines: Option<usize>,
    host: Option<&'i str>,
    host_is: &'static str,
}

impl<'i> Head<'i> {
    /// The source. Error: [`RejectReason::NoHost`] where it is missing, no string, empty, longer than 255 bytes, or has
    /// control characters.
    pub(super) fn host(&self) -> Result<&'i str, Reject> {
        let no = |detail: &str| Err(reject(RejectReason::NoHost, "host", detail));
        match self.host {
            None => no(self.host_is),
            Some("") => no("empty"),
            Some(host) if host.len() > HOST_BYTES_MAX => no("longer than 255 bytes"),
            Some(host) if host.chars().any(char::is_control) => no("has control characters"),
            Some(host) => Ok(host),
        }
    }
}

/// Reads the head of a record. Errors refuse the whole record: [`RejectReason::DuplicateKey`],
/// [`RejectReason::UnknownVersion`], and [`RejectReason::BadField`] for JSON that is no object.
pub(super) fn head<'i>(nodes: &[Node<'i>]) -> Result<Head<'i>, Reject> {
    let Some(fields) = members(nodes, 0) else {
        let detail = format!("{} where an object should be", kind_of(nodes.first()));
        return Err(reject(RejectReason::BadField, "", detail));
    };
    if let Some(key) = repeated_key(nodes) {
        return Err(reject(RejectReason::DuplicateKey, "", key));
    }
    let mut head = Head { host_is: "missing", ..Head::default() };
    let mut version = None;
    for (name, at) in fields {
        match name {
            "v" => version = Some(at),
            "ts" => head.ts = Some(at),
            "sent" => head.sent = Some(at),
            "labels" => head.labels = Some(at),
            "points" => head.points = Some(at),
            "lines" => head.lines = Some(at),
            "pulse" => head.pulse = matches!(nodes.get(at), Some(Node::Static(simd_json::StaticNode::Bool(true)))),
            "host" => {
                head.host = string(nodes, at);
                head.host_is = kind_of(nodes.get(at));
            }
            _ => {}
        }
    }
    match version.map(|at| (integer(nodes, at), at)) {
        Some((Some(1), _)) => Ok(head),
        Some((Some(other), _)) => Err(reject(RejectReason::UnknownVersion, "v", other.to_string())),
        Some((None, at)) => Err(reject(RejectReason::UnknownVersion, "v", kind_of(nodes.get(at)))),
        None => Err(reject(RejectReason::UnknownVersion, "v", "missing")),
    }
}
