//! Caps: how many pages a person gets, and what becomes of those beyond.
//!
//! The idea: a page over the cap is not dropped and not queued one by one: it joins the person's *fold*, which leaves
//! as one summarising page naming the count. Below S1 that is when the hour has room again; for S1 (more than ten a
//! minute) at once, and then at most once a minute. Members that are taken or over meanwhile leave the fold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Channel, Reason, Severity};
use crate::time::{HOUR, MINUTE, Ms};

/// Pages a person and hour, S1 not counted.
pub const PAGES_AN_HOUR: usize = 30;
/// S1 pages a person, channel and minute before they are folded.
pub const S1_A_MINUTE: usize = 10;

/// What stands in the key of a fold of drills.
const DRILL: &str = "drill-";

/// Instants of the pages a person got lately.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Counts {
    /// Below S1, all channels.
    hour: Vec<Ms>,
    /// S1, by channel.
    minute: BTreeMap<String, Vec<Ms>>,
    /// By how much the stamps of before were moved when the wall clock was set last.
    #[serde(default)]
    set_by: Ms,
}

impl Counts {
    /// Counts a page if there is room for it at `now`; else says when there will be. `hour_max` holds below S1.
    pub(super) fn take(
        &mut self,
        severity: Severity,
        channel: Channel,
        (hour_max, now): (usize, Ms),
    ) -> Result<(), Ms> {
        let (stamps, length, max) = match severity {
            Severity::S1 => (self.minute.entry(channel.word().to_owned()).or_default(), MINUTE, S1_A_MINUTE),
            _ => (&mut self.hour, HOUR, hour_max),
        };
        stamps.retain(|at| now - at < length);
        match stamps.len().checked_sub(max).and_then(|over| stamps.get(over)) {
            Some(oldest) => Err(oldest + length),
            None => {
                stamps.push(now);
                Ok(())
            }
        }
    }

    /// The wall clock was set.
    pub(super) fn set_clock(&mut self, by: Ms) {
        self.set_by = by;
        self.hour.iter_mut().chain(self.minute.values_mut().flatten()).for_each(|at| *at += by);
    }

    /// Uncounts a page that was cancelled before it left.
    pub(super) fn give_back(&mut self, severity: Severity, channel: Channel, decided: Ms) {
        let stamps = match severity {
            Severity::S1 => self.minute.entry(channel.word().to_owned()).or_default(),
            _ => &mut self.hour,
        };
        let at = |wanted: Ms| stamps.iter().position(|stamp| *stamp == wanted);
        if let Some(at) = at(decided).or_else(|| at(decided + self.set_by)) {
            stamps.remove(at);
        }
    }
}

/// One incident's place in a fold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) incident: String,
    pub(super) occurrence: i64,
    pub(super) step: i64,
    pub(super) round: i64,
    pub(super) reason: String,
    /// The worst of them names the summary's severity.
    pub(super) severity: String,
}

impl Member {
    pub(super) fn reason(&self) -> Reason {
        Reason::parse(&self.reason).unwrap_or(Reason::First)
    }

    pub(super) fn severity(&self) -> Severity {
        Severity::parse(&self.severity).unwrap_or(Severity::S2)
    }
}

/// Whose fold: person, channel, S1 or not, beginnings or ends, drills or what is real: a summary that counts both would
/// tell of drills as real.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FoldKey {
    pub(super) to: String,
    pub(super) channel: Channel,
    pub(super) is_s1: bool,
    pub(super) is_end: bool,
    pub(super) is_drill: bool,
}

impl FoldKey {
    /// Its note's key.
    pub(super) fn text(&self) -> String {
        let class = if self.is_s1 { "s1" } else { "rest" };
        let side = if self.is_end { "end" } else { "open" };
        let drill = if self.is_drill { DRILL } else { "" };
        format!("{}/{class}/{drill}{side}/{}", self.channel.word(), self.to)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '/');
        let channel = Channel::parse(parts.next()?)?;
        let (is_s1, side) = (parts.next()? == "s1", parts.next()?);
        let (is_drill, side) = side.strip_prefix(DRILL).map_or((false, side), |side| (true, side));
        Some(Self { to: parts.next()?.to_owned(), channel, is_s1, is_end: side == "end", is_drill })
    }
}

/// What waits to be told in one page.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Fold {
    pub(super) members: Vec<Member>,
    /// When it leaves; meaningless without members.
    pub(super) due: Ms,
    /// When the last one left: the next follows at least a minute later.
    pub(super) last: Option<Ms>,
    /// Counts summaries, so that none ever gets the id of one that was taken back.
    pub(super) n_left: i64,
}

impl Fold {
    /// The wall clock was set.
    pub(super) fn set_clock(&mut self, by: Ms) {
        self.due += by;
        self.last = self.last.map(|last| last + by);
    }
}

/// A page that tells of several incidents, until its outcome is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Many {
    pub(super) to: String,
    pub(super) channel: String,
    pub(super) is_s1: bool,
    pub(super) is_end: bool,
    /// The daily digest is not withdrawn by an ack.
    pub(super) is_digest: bool,
    /// All of them are drills.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_drill: bool,
    pub(super) is_handed: bool,
    pub(super) decided: Ms,
    pub(super) members: Vec<Member>,
}

/// What waits for the digest of one chain.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Digest {
    /// Snapshot of the chain that asked for it first.
    pub(super) chain: String,
    pub(super) due: Ms,
    /// At most [`DIGEST_MAX`].
    pub(super) lines: Vec<Line>,
    /// Lines beyond.
    pub(super) more: usize,
}

/// More lines than this are only counted: the text names the count anyway.
pub(super) const DIGEST_MAX: usize = 500;

/// One incident in a digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) incident: String,
    pub(super) severity: String,
}
