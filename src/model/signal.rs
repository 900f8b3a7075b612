//! Signals: one change of state, severity or knowledge of a rule instance, as `evaluate` raises it and `incident` takes it.

use std::sync::Arc;

use crate::model::{Fingerprint, Labels, Severity};
use crate::time::Ms;

/// State of a rule instance. Resolved is not a state: it is the change from firing or recovering to inactive, printed
/// as `resolved`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum State {
    /// Nothing is wrong.
    #[default]
    Inactive,
    /// Bad, but not yet for long enough.
    Pending,
    /// Bad.
    Firing,
    /// Good again, but not yet for long enough; firing still.
    Recovering,
    /// Only as the `to` of a signal.
    Resolved,
}

impl State {
    /// Every state, for tables.
    pub const ALL: [Self; 5] = [Self::Inactive, Self::Pending, Self::Firing, Self::Recovering, Self::Resolved];

    /// Its word in rows and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Recovering => "recovering",
            Self::Resolved => "resolved",
        }
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Firing or recovering.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Firing | Self::Recovering)
    }
}

/// Why nothing is known of an instance, in the order in which the causes are judged (SEMANTICS §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The log no longer holds the window's beginning.
    Warming,
    /// A limit keeps its samples out.
    Limit,
    /// A partition that a wide rule needs has not passed the tick.
    PipelineLag,
    /// Samples come, but fewer than the rule asks for.
    TooFewSamples,
    /// The source's records arrive and are rejected.
    ParseError,
    /// Nothing from the source.
    SourceSilent,
    /// The source speaks, this series does not.
    SeriesGone,
}

impl Cause {
    /// Every cause, in judging order.
    pub const ALL: [Self; 7] = [
        Self::Warming,
        Self::Limit,
        Self::PipelineLag,
        Self::TooFewSamples,
        Self::ParseError,
        Self::SourceSilent,
        Self::SeriesGone,
    ];

    /// Its word in rows and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Warming => "warming",
            Self::Limit => "limit",
            Self::PipelineLag => "pipeline lag",
            Self::TooFewSamples => "too few samples",
            Self::ParseError => "parse error",
            Self::SourceSilent => "source silent",
            Self::SeriesGone => "series gone",
        }
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.word() == word)
    }
}

/// Why an instance resolved, where it was not the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ended {
    /// The rule watches something else now, or is gone.
    RuleChanged,
    /// `no_data.then: resolve`.
    NoData,
    /// The identity was forgotten.
    Gone,
}

impl Ended {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::RuleChanged, Self::NoData, Self::Gone];

    /// Its word in rows and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::RuleChanged => "rule_changed",
            Self::NoData => "no_data",
            Self::Gone => "gone",
        }
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ended| ended.word() == word)
    }
}

/// One change of state, severity or knowledge.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Rule id.
    pub rule: Arc<str>,
    /// Identity.
    pub labels: Labels,
    /// Of rule and identity.
    pub fingerprint: Fingerprint,
    /// State before.
    pub from: State,
    /// State after; equal to `from` where only severity or knowledge changed.
    pub to: State,
    /// Severity after; at the end of an episode the one that ended; `None` where it never fired.
    pub severity: Option<Severity>,
    /// The value at `at`, where there was one.
    pub value: Option<f64>,
    /// Why nothing is known; `None` while known.
    pub unknown: Option<Cause>,
    /// The tick, or for early signals the record's append time.
    pub at: Ms,
    /// First tick of the pending that led here: when it occurred.
    pub since: Option<Ms>,
    /// Why it ended, where it was not the value.
    pub ended: Option<Ended>,
    /// Whether the incident stage acts on it: such a signal has a seq and a row, the others are only printed.
    pub acted: bool,
}
