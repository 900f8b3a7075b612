//! The numbers by which an instance is judged: those of its rule, or those that the rule says for such identities.
//!
//! The idea: `overrides` are worked out once for each instance, from its labels joined with the inventory; the first
//! that fits counts. They are numbers only, so another set of them changes no state.

use crate::evaluate::guard::Safe;
use crate::evaluate::part::{How, Part};
use crate::evaluate::waits;
use crate::model::{Checks, Labels, Level, Recover, Rule};

/// The numbers by which an instance is judged.
#[derive(Debug)]
pub(super) struct Terms {
    /// Thresholds, worst severity first.
    pub(super) levels: Vec<Level>,
    /// When it is good again.
    pub(super) recover: Recover,
    /// A tick has a value from so many samples on.
    pub(super) min_samples: usize,
    /// The values at which nobody need look; `None` = whoever watches must look at every change.
    pub(super) safe: Option<Safe>,
    checks: Checks,
}

impl Terms {
    /// The rule's own first, then its overrides in their order.
    pub(super) fn all(rule: &Rule, local: bool, (parts, how): (&[Part], How)) -> Vec<Self> {
        let make = |checks, levels: &[Level], recover: Recover, min_samples: u32| {
            // The leaf of a wide rule is handed over whenever it changes.
            let bounded = local && how == How::One && parts.iter().all(Part::is_bounded) && !waits(rule);
            let safe = if bounded { Safe::of(rule, levels) } else { None };
            Self { levels: levels.to_vec(), recover, min_samples: min_samples as usize, safe, checks }
        };
        let own = make(Checks::default(), &rule.levels, rule.recover, rule.min_samples);
        let others = rule.overrides.iter().map(|other| {
            let levels = if other.levels.is_empty() { &rule.levels } else { &other.levels };
            let (recover, min_samples) = (other.recover.unwrap_or(rule.recover), other.min_samples);
            make(Checks::of(&other.matchers), levels, recover, min_samples.unwrap_or(rule.min_samples))
        });
        std::iter::once(own).chain(others).collect()
    }

    /// The place of those that an identity is judged by; `joined` are its labels and what the inventory adds.
    pub(super) fn choose(all: &[Self], joined: &Labels) -> usize {
        all.iter().skip(1).position(|terms| terms.checks.fit(joined)).map_or(0, |place| place + 1)
    }
}
