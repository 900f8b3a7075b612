//! What a partition shows of itself to `status` and the page: open ticks, sources, newest values, warming, limits.
//!
//! The idea: reading only; nothing here changes a result.

use std::sync::Arc;

use crate::evaluate::next;
use crate::evaluate::partition::Partition;
use crate::model::SeriesKey;
use crate::time::{Ms, SECOND};

/// A source as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// Its name.
    pub host: Arc<str>,
    /// Append time of its last record.
    pub last: Ms,
    /// How far its clock is behind the log's, in ms, where that is more than 30 s either way.
    pub skew: Option<Ms>,
}

/// The newest value of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The series.
    pub key: SeriesKey,
    /// Its effective time.
    pub at: Ms,
    /// The value.
    pub value: f64,
}

impl Partition {
    /// The next tick of any rule that is still open; `None` before the first record.
    pub fn next_tick(&self) -> Option<Ms> {
        if self.clock == 0 {
            return None;
        }
        let own = self.setup.builtins.then_some(SECOND);
        let intervals = self.plan.rules.iter().map(|compiled| compiled.rule.interval).chain(own);
        intervals.map(|interval| next(self.clock, interval)).min()
    }

    /// Every source, by name.
    pub fn sources(&self) -> Vec<SourceStatus> {
        let ids = self.sources.by_name().into_values();
        ids.filter_map(|id| self.sources.get(id))
            .map(|source| SourceStatus { host: Arc::clone(&source.host), last: source.last, skew: source.skew })
            .collect()
    }

    /// The newest values, of at most `limit` series in the order of their keys.
    pub fn readings(&self, limit: usize) -> Vec<Reading> {
        let mut found: Vec<Reading> = self
            .intake
            .series
            .iter()
            .filter(|(hot, series)| series.lines.is_none() && hot.newest.time > Ms::MIN)
            .map(|(hot, series)| Reading { key: series.key.clone(), at: hot.newest.time, value: hot.newest.value })
            .collect();
        found.sort_by(|a, b| a.key.cmp(&b.key));
        found.truncate(limit);
        found
    }

    /// Rules whose windows reach behind the log's beginning, and until when.
    pub fn warming(&self) -> Vec<(Arc<str>, Ms)> {
        let rules = self.plan.rules.iter();
        let warm = rules.filter_map(|compiled| Some((Arc::clone(&compiled.rule.id), self.warm(compiled.over)?)));
        warm.filter(|(_, until)| self.clock < *until).collect()
    }

    /// Limits that were hit: name (and rule, where it is a rule's), value and how often.
    pub fn limits_hit(&self) -> Vec<(String, u64, u64)> {
        self.intake.refusals.hits().map(|(name, hit)| (name, hit.limit, hit.times)).collect()
    }
}
