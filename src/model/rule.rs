//! Rules as values: what to watch, over which window, when it is bad, when it is good again.
//!
//! `config` makes them from edited files, `evaluate` runs them, `incident` reads titles and chains off them.
//! Nothing here checks sense; a rule that reaches this form has been checked.

use std::sync::Arc;

use crate::model::{Bonds, Domain, ExprGroup, Function, Severity};
use crate::time::Ms;

/// What an id ends with where a rule in shadow is a copy of a live one.
const SHADOW_SUFFIX: &str = "-shadow";

/// All rules in force, with the hash of their meaning.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleSet {
    /// SHA-256 hex over the canonical form of all rules: equal hashes mean equal results.
    pub hash: String,
    /// The rules by id, unique.
    pub rules: Vec<Arc<Rule>>,
    /// When the expressions among them are evaluated, and what is recorded before.
    pub groups: Vec<Arc<ExprGroup>>,
}

impl RuleSet {
    /// Whether `rule` only watches, so that nobody is told of it.
    pub fn is_shadow(&self, rule: &str) -> bool {
        self.rules.iter().any(|known| *known.id == *rule && known.mode == Mode::Shadow)
    }

    /// The rules in shadow.
    pub fn shadows(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.rules.iter().filter(|rule| rule.mode == Mode::Shadow)
    }

    /// The live rule that `shadow` is compared with: the one that it names, else the one with its id without `-shadow`.
    pub fn beside(&self, shadow: &Rule) -> Option<&Arc<Rule>> {
        let named = shadow.beside.as_deref().or_else(|| shadow.id.strip_suffix(SHADOW_SUFFIX))?;
        self.rules.iter().find(|rule| *rule.id == *named && rule.mode == Mode::Live)
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Stable id: state, silences and history hang on it.
    pub id: Arc<str>,
    /// Korean title, linted: it goes into messages.
    pub title: String,
    /// 구간.
    pub domain: Domain,
    /// Distance of ticks, ms.
    pub interval: Ms,
    /// What it looks at.
    pub watch: Watch,
    /// Identity labels, sorted; `None` = every label of the series.
    pub by: Option<Vec<String>>,
    /// The window function.
    pub function: Function,
    /// The window's length, ms; windows are left-open.
    pub over: Ms,
    /// The window is kept in panes of this length, ms: its left edge rests on a multiple of it.
    pub step: Option<Ms>,
    /// How the series of one identity become one number; `None` = the default of SEMANTICS §3.
    pub across: Option<Fold>,
    /// Compares the value with a threshold.
    pub when: Comparison,
    /// Thresholds, worst severity first; never empty.
    pub levels: Vec<Level>,
    /// When it is good again.
    pub recover: Recover,
    /// A tick has a value when the window holds at least so many samples.
    pub min_samples: u32,
    /// What silence means.
    pub no_data: NoData,
    /// After how long a silent identity is forgotten while its source is silent too, ms (1 h where it speaks).
    pub forget: Ms,
    /// The chain that the rule names.
    pub chain: Option<String>,
    /// Other numbers for some identities: the first that fits counts.
    pub overrides: Vec<Override>,
    /// Further conditions beside the one that the fields above say.
    pub also: Vec<Condition>,
    /// How conditions become one.
    pub join: Join,
    /// Whether anybody is told.
    pub mode: Mode,
    /// In shadow: the live rule that it is compared with; see [`RuleSet::beside`].
    pub beside: Option<String>,
    /// The inventory says which identities there are: one that never spoke is unknown, and named.
    pub expected: bool,
    /// How its incidents hang together with others.
    pub bonds: Bonds,
}

/// Other numbers for the identities that fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// All must fit the identity's labels, joined with the inventory.
    pub matchers: Vec<Matcher>,
    /// Thresholds in place of the rule's, worst severity first; empty = the rule's.
    pub levels: Vec<Level>,
    /// In place of the rule's.
    pub recover: Option<Recover>,
    /// In place of the rule's.
    pub min_samples: Option<u32>,
}

/// One more condition of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What it looks at.
    pub what: Selector,
    /// The window function.
    pub function: Function,
    /// The window's length, ms.
    pub over: Ms,
    /// The length of its panes, ms.
    pub step: Option<Ms>,
    /// How the series of one identity become one number.
    pub across: Option<Fold>,
    /// Compares the value with a threshold.
    pub when: Comparison,
    /// The threshold of each severity, by [`Severity::index`]; `None` = it never holds there.
    pub thresholds: [Option<Threshold>; 4],
}

/// How conditions become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Join {
    /// All must hold.
    #[default]
    All,
    /// One must.
    Any,
}

/// Whether anybody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Incidents are opened.
    #[default]
    Live,
    /// It is evaluated and its signals are recorded, and nothing comes of them.
    Shadow,
}

/// Series of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Selector {
    /// Metric name.
    pub name: String,
    /// All must fit.
    pub matchers: Vec<Matcher>,
}

/// What a rule looks at.
#[derive(Debug, Clone, PartialEq)]
pub enum Watch {
    /// Samples of a metric.
    Metric {
        /// Metric name.
        name: String,
        /// All must fit.
        matchers: Vec<Matcher>,
    },
    /// Log lines.
    Log {
        /// All must fit the record's labels.
        matchers: Vec<Matcher>,
        /// A regular expression that the text must contain; `None` counts every line.
        pattern: Option<String>,
    },
    /// A PromQL expression: what is in its result is bad. The rule's `over` is how far back it looks.
    Expr {
        /// PromQL, names as Prometheus has them.
        text: String,
    },
    /// One metric by another, each folded to one number an identity first.
    Ratio {
        /// The numerator.
        of: Selector,
        /// The denominator.
        to: Selector,
        /// Below it, or at 0, there is no value.
        min: f64,
    },
}

/// One condition on a label; a label that is not there is the empty string.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Matcher {
    /// Label name.
    pub label: String,
    /// How to compare.
    pub test: Test,
    /// The value, or an anchored regular expression.
    pub value: String,
}

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Test {
    /// Equal.
    Is,
    /// Not equal.
    IsNot,
    /// Fits the regular expression from end to end.
    Fits,
    /// Does not.
    FitsNot,
}

impl Test {
    /// Every test.
    pub const ALL: [Self; 4] = [Self::Is, Self::IsNot, Self::Fits, Self::FitsNot];

    /// How PromQL writes it.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Is => "=",
            Self::IsNot => "!=",
            Self::Fits => "=~",
            Self::FitsNot => "!~",
        }
    }

    /// Reads how PromQL writes it.
    pub fn parse(sign: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|test| test.sign() == sign)
    }
}

/// How the series of one identity become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fold {
    /// Sum of the series' values.
    Sum,
    /// Mean of the series' values.
    Avg,
    /// Greatest.
    Max,
    /// Smallest.
    Min,
}

/// When a value is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Greater than.
    Above,
    /// Greater or equal.
    AtLeast,
    /// Less than.
    Below,
    /// Less or equal.
    AtMost,
    /// Exactly equal.
    Equals,
    /// Below the low or above the high end of a range.
    Outside,
    /// Any value is bad: an expression has left out what is good.
    Present,
}

/// A threshold: one number, or the range that `outside` wants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// One number.
    One(f64),
    /// Low and high end.
    Range(f64, f64),
}

impl Comparison {
    /// Whether `value` is bad against `threshold`.
    pub fn holds(self, value: f64, threshold: Threshold) -> bool {
        match (self, threshold) {
            (Self::Above, Threshold::One(limit)) => value > limit,
            (Self::AtLeast, Threshold::One(limit)) => value >= limit,
            (Self::Below, Threshold::One(limit)) => value < limit,
            (Self::AtMost, Threshold::One(limit)) => value <= limit,
            #[expect(clippy::float_cmp, reason = "`equals` compares exactly: SEMANTICS §4")]
            (Self::Equals, Threshold::One(limit)) => value == limit,
            (Self::Outside, Threshold::Range(low, high)) => value < low || value > high,
            (Self::Present, _) => true,
            _ => false,
        }
    }
}

/// One severity's threshold and how long it must hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// The severity.
    pub severity: Severity,
    /// Bad beyond this.
    pub threshold: Threshold,
    /// For so long at every tick, ms; 0 = at once.
    pub hold: Ms,
}

/// When it is good again: NOT `when` at `threshold`, for `hold`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Recover {
    /// `None` = the lowest severity's threshold.
    pub threshold: Option<Threshold>,
    /// For so long, ms.
    pub hold: Ms,
}

/// What silence means for a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoData {
    /// Unknown from this age of the newest sample on, ms.
    pub after: Ms,
    /// What an unknown of the cause *series gone* does.
    pub then: Then,
}

/// What an unknown does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Keeps the last verdict.
    Hold,
    /// Fires at this severity, in the same incident.
    Raise(Severity),
    /// Resolves with reason `no_data`.
    Resolve,
}
