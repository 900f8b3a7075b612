//! The evaluate stage: a partition of the log folded into rule states, and what changed on the way.
//!
//! The idea: everything a rule says at a tick is a pure function of the records below it, so a tick is only *visited*
//! where something can have changed: where a sample arrived, or where a deadline computed at the last visit is due.
//! Visiting more often never changes a result. [`Partition`] is the fold over one partition, [`Wide`] the fold over
//! what all partitions hold at a common tick. Both start from durable rows and a muted replay of the log's end.
//! Nothing here reads a clock, and nothing here knows incidents, pages or people.

mod bind;
mod blocks;
mod board;
mod builtins;
mod digest;
mod explain;
mod exprs;
mod guard;
mod inspect;
mod instance;
mod intake;
mod judge;
mod leaf;
mod limits;
mod order;
mod panes;
mod part;
mod partition;
mod plan;
pub mod promql;
mod ring;
mod series;
mod sorted;
mod sources;
mod status;
pub mod template;
mod terms;
#[cfg(test)]
mod tests;
mod verdict;
mod visit;
mod wide;
mod window;

use std::sync::Arc;

use crate::model::{Comparison, Function, Inventory, RowChange, Rule, RuleSet, Severity, Signal};
use crate::time::{MINUTE, Ms};

pub use explain::{expression, is_local};
pub use exprs::{Parts as ExprParts, prometheus_label, prometheus_labels, prometheus_metric};
pub use inspect::{Inspection, Near, SERIES_LISTED, SeriesSeen};
pub use leaf::LeafTick;
pub use partition::Partition;
pub use status::{Reading, SourceStatus};
pub use verdict::Verdict;
pub use wide::Wide;

/// From this age of its newest sample on, or of its last value, an identity has a row of its own.
pub(crate) const QUIET: Ms = 10 * MINUTE;

/// What a partition is evaluated with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The rules in force.
    pub rules: Arc<RuleSet>,
    /// What is known of hosts: joined to labels before `match` and `by`.
    pub inventory: Arc<Inventory>,
    /// The topic's name.
    pub topic: String,
    /// How many partitions the topic has: a wide rule waits for all of them.
    pub partitions: i32,
    /// What may be held in memory.
    pub limits: Limits,
    /// What happens to samples of a source whose clock is wrong.
    pub skew: SkewPolicy,
    /// Whether the engine's own rules run (off for plain files, whose time is simulated).
    pub builtins: bool,
    /// Severity of `source-silent`; `None` = its default.
    pub source_silent: Option<Severity>,
}

/// What may be held in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Series of one partition.
    pub series: usize,
    /// Series that one rule may watch in one partition.
    pub series_per_rule: usize,
    /// Bytes of all windows of one partition.
    pub window_memory: usize,
}

/// What happens to samples of a source whose clock is more than 30 s off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkewPolicy {
    /// Their time is corrected by it.
    Shift,
    /// They are dropped.
    Quarantine,
}

/// What the log still holds at a start: windows that reach behind it are *warming*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Warm {
    /// First offset that is still in the log; above 0, something is gone.
    pub low: i64,
    /// Append time of the record there.
    pub first_append: Option<Ms>,
}

/// What one or more inputs changed, in order.
#[derive(Debug, Default)]
pub struct Effects {
    /// State rows to write or to remove; the last of one key counts.
    pub rows: Vec<RowChange>,
    /// Changes of state, severity and knowledge.
    pub signals: Vec<Signal>,
    /// Changed window values of wide rules, for [`Wide::offer`].
    pub leaves: Vec<LeafTick>,
    /// What was counted.
    pub counters: Counters,
}

impl Effects {
    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.signals.clear();
        self.leaves.clear();
        self.counters = Counters::default();
    }
}

/// How much work was done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Numbers taken into windows.
    pub samples: u64,
    /// Log lines looked at.
    pub lines: u64,
    /// Numbers and lines too late for every window.
    pub late: u64,
    /// Numbers that came out of order, and so were left out of windows in panes.
    pub unordered: u64,
    /// Ticks at which a ratio had no value because too little came for its denominator.
    pub thin: u64,
    /// Instances visited at ticks.
    pub visited: u64,
    /// Ticks at which at least one instance was visited.
    pub ticks: u64,
    /// Series that a limit kept out.
    pub refused_series: u64,
}

impl Counters {
    /// Adds `other` to it.
    pub fn add(&mut self, other: &Self) {
        self.samples += other.samples;
        self.lines += other.lines;
        self.late += other.late;
        self.unordered += other.unordered;
        self.thin += other.thin;
        self.visited += other.visited;
        self.ticks += other.ticks;
        self.refused_series += other.refused_series;
    }
}

/// How far before its clock a partition must be read again to have the same windows: the longest window, at least the
/// longest `no_data.after`, and 10 min for the skew. A rule that waits one window after a start needs two.
pub fn horizon(rules: &RuleSet) -> Ms {
    let need = |rule: &Arc<Rule>| {
        let windows = if waits(rule) { 2 } else { 1 };
        let windows_of = |over: Ms, step: Option<Ms>| over.saturating_add(step.unwrap_or(0));
        let also = rule.also.iter().map(|condition| windows_of(condition.over, condition.step));
        let over = also.fold(windows_of(rule.over, rule.step), Ms::max);
        over.saturating_mul(windows).saturating_add(rule.interval).max(rule.no_data.after)
    };
    rules.rules.iter().map(need).max().unwrap_or(0).saturating_add(2 * QUIET)
}

/// Whether the rule says nothing for one window after a start, because an empty past would look like a fall.
fn waits(rule: &Rule) -> bool {
    let waits = |function: Function, when: Comparison| {
        let below = matches!(when, Comparison::Below | Comparison::AtMost);
        (function.facts().grows && below) || function == Function::Absent
    };
    let also = rule.also.iter().any(|condition| waits(condition.function, condition.when));
    waits(rule.function, rule.when) || also
}

/// The last tick of `interval` that a clock at `clock` has left behind.
fn passed(clock: Ms, interval: Ms) -> Ms {
    (clock - 1).div_euclid(interval) * interval
}

/// The first tick of `interval` at or after `at`.
fn next(at: Ms, interval: Ms) -> Ms {
    passed(at, interval) + interval
}
