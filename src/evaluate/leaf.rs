//! What is seen of one series, and of one identity, at a tick.
//!
//! The idea: a rule's value is folded from *leaves*, one per series, in the order of the series' keys. A local rule
//! folds the leaves of its own partition; a wide rule folds leaves that partitions hand over when they change. Both go
//! through [`Seen::of`], so the number of partitions cannot change a result.

use std::sync::Arc;

use crate::evaluate::exprs::Sampled;
use crate::evaluate::plan::Compiled;
use crate::model::{Fold, Function, SeriesKey};
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
        Self(Offer::Live)
    }
}

/// What stands in a [`LeafTick`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Offer {
    /// From here on it reads again what it knew.
    Muted,
    /// From here on it reads what is new.
    Live,
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
    /// Folds leaves that come in the order of their series' keys.
    pub(super) fn of(rule: &Compiled, leaves: impl Iterator<Item = Leaf>) -> Self {
        let mut seen = Self::default();
        let function = rule.rule.function;
        let (mut folded, mut samples, mut members) = (None, 0, 0_u32);
        for leaf in leaves {
            seen.speaking |= leaf.speaking;
            seen.rejecting |= leaf.rejecting;
            seen.warm = seen.warm.max(leaf.warm);
            samples += leaf.samples;
            // A series without samples says nothing, also to `count`: a restart need not remember that there was one.
            if let Some(value) = leaf.value.filter(|_| leaf.samples >= if rule.empty { 1 } else { rule.facts.needs }) {
                members += 1;
                folded = Some(folded.map_or(value, |folded| fold(rule.fold, folded, value)));
            }
        }
        if rule.fold == Fold::Avg {
            folded = folded.map(|sum| sum / f64::from(members));
        }
        seen.value = if rule.empty {
            let none = if function == Function::Absent { 1.0 } else { 0.0 };
            seen.speaking.then(|| folded.unwrap_or(none))
        } else {
            folded.filter(|_| samples >= rule.rule.min_samples as usize)
        };
        seen
    }
}

fn fold(how: Fold, folded: f64, value: f64) -> f64 {
    match how {
        Fold::Sum | Fold::Avg => folded + value,
        Fold::Max => folded.max(value),
        Fold::Min => folded.min(value),
    }
}
