//! What is seen of one series, and of one identity, at a tick.
//!
//! The idea: a rule's value is folded from *leaves*, one per series, in the order of the series' keys. A local rule
//! folds the leaves of its own partition; a wide rule folds leaves that partitions hand over when they change. Both go
//! through [`Seen::of`], so the number of partitions cannot change a result.

use std::sync::Arc;

use crate::evaluate::exprs::Sampled;
use crate::evaluate::part::{How, PARTS_MAX, Part};
use crate::evaluate::plan::Compiled;
use crate::model::{Fold, SeriesKey, Severity};
use crate::time::Ms;

/// What one series says to one rule.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Leaf {
    /// The window's value.
    pub(super) value: Option<f64>,
    /// Samples in the window.
    pub(super) samples: usize,
    /// Effective time of the newest sample.
    pub(super) newest: Option<Ms>,
    /// Its source speaks.
    pub(super) speaking: bool,
    /// Records of its source are being rejected.
    pub(super) rejecting: bool,
    /// Its window reaches behind the log's beginning until then.
    pub(super) warm: Option<Ms>,
}

/// What a partition hands over to the wide rules: a leaf that changed at a tick, or that it starts or stops being
/// muted.
#[derive(Debug, Clone, PartialEq)]
pub struct LeafTick(pub(super) Offer);

#[cfg(test)]
impl LeafTick {
    /// A partition reads what is new.
    pub(super) fn live() -> Self {
        Self(Offer::Live(None))
    }
}

/// What stands in a [`LeafTick`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Offer {
    /// From here on it reads again what it knew.
    Muted,
    /// From here on it reads what is new. Where the log has lost records: the append time of the first that is left.
    Live(Option<Ms>),
    /// A leaf changed.
    Leaf(Changed),
    /// A sample that an expression wants.
    Sample(Sampled),
}

/// A leaf of a wide rule that changed at a tick.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Changed {
    /// The tick.
    pub(super) tick: Ms,
    /// The clock segment of its partition.
    pub(super) segment: i64,
    /// The wide rule.
    pub(super) rule: Arc<str>,
    /// Which part of the rule looks at it.
    pub(super) part: u8,
    /// The series.
    pub(super) series: SeriesKey,
    /// What it says; `None` = the series is forgotten.
    pub(super) leaf: Option<Leaf>,
}

/// What is seen of an identity at a tick.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Seen {
    /// The folded value, where the windows hold enough.
    pub(super) value: Option<f64>,
    /// The severities whose condition holds, a bit each; of a tick with a value.
    pub(super) bad: u8,
    /// The recover condition holds.
    pub(super) good: bool,
    /// The denominator of a ratio is too small.
    pub(super) thin: bool,
    /// One of its sources speaks.
    pub(super) speaking: bool,
    /// Records of one of its sources are being rejected.
    pub(super) rejecting: bool,
    /// Warming until then.
    pub(super) warm: Option<Ms>,
    /// When the content of a window changes next by itself.
    pub(super) change: Option<Ms>,
    /// From when on its sources would not speak any more.
    pub(super) speaks_until: Option<Ms>,
    /// From when on nothing would be rejected any more.
    pub(super) rejects_until: Option<Ms>,
}

impl Seen {
    /// Whether the condition of a severity holds.
    pub(super) fn holds(&self, severity: Severity) -> bool {
        self.bad & (1 << severity.index()) != 0
    }

    /// Folds leaves that come in the order of their parts, and of their series' keys in each, under the terms at place
    /// `terms`.
    pub(super) fn of(rule: &Compiled, terms: usize, leaves: impl Iterator<Item = (u8, Leaf)>) -> Self {
        let (mut seen, values) = Self::parts(rule, leaves);
        let Some(terms) = rule.terms.get(terms) else { return seen };
        let mut known = [None; PARTS_MAX];
        for (n, part) in rule.parts.iter().enumerate() {
            let (folded, samples) = values[n];
            // What fits a numerator may be few, or none.
            let numerator = n == 0 && matches!(rule.how, How::Ratio(_));
            known[n] = match part.of_nothing() {
                Some(nothing) => seen.speaking.then(|| folded.unwrap_or(nothing)),
                None => folded.filter(|_| numerator || samples >= terms.min_samples),
            };
        }
        let said = rule.how.say(&rule.parts, terms, &known);
        (seen.value, seen.bad, seen.good, seen.thin) = (said.value, said.bad, said.good, said.thin);
        seen
    }

    /// What is seen of one series of a wide rule: whether its part has a value.
    pub(super) fn of_leaf(rule: &Compiled, leaves: impl Iterator<Item = (u8, Leaf)>) -> Self {
        let (mut seen, values) = Self::parts(rule, leaves);
        let empty = seen.speaking.then(|| rule.parts.iter().find_map(Part::of_nothing)).flatten();
        let enough = |(value, samples): &(Option<f64>, usize)| value.filter(|_| *samples >= rule.terms[0].min_samples);
        seen.value = values.iter().find_map(enough).or(empty);
        seen
    }

    /// The folded value and the samples of each part.
    fn parts(rule: &Compiled, leaves: impl Iterator<Item = (u8, Leaf)>) -> (Self, [(Option<f64>, usize); PARTS_MAX]) {
        let mut seen = Self::default();
        let mut values = [(None, 0); PARTS_MAX];
        let mut members = [0_u32; PARTS_MAX];
        for (n, leaf) in leaves {
            let n = usize::from(n);
            seen.speaking |= leaf.speaking;
            seen.rejecting |= leaf.rejecting;
            seen.warm = seen.warm.max(leaf.warm);
            let (Some(part), Some((folded, samples))) = (rule.parts.get(n), values.get_mut(n)) else { continue };
            *samples += leaf.samples;
            // A series without samples says nothing, also to `count`: a restart need not remember that there was one.
            if let Some(value) = leaf.value.filter(|_| leaf.samples >= part.facts.needs.max(usize::from(part.empty))) {
                members[n] += 1;
                *folded = Some(folded.map_or(value, |folded| fold(part.fold, folded, value)));
            }
        }
        for (part, ((folded, _), members)) in rule.parts.iter().zip(values.iter_mut().zip(members)) {
            if part.fold == Fold::Avg {
                *folded = folded.map(|sum: f64| sum / f64::from(members));
            }
        }
        (seen, values)
    }
}

fn fold(how: Fold, folded: f64, value: f64) -> f64 {
    match how {
        Fold::Sum | Fold::Avg => folded + value,
        Fold::Max => folded.max(value),
        Fold::Min => folded.min(value),
    }
}
