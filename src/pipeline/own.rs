//! Signals of the engine's own troubles, raised outside `evaluate`.

use std::sync::Arc;

use crate::model::{Builtin, Fingerprint, Labels, Signal, State};
use crate::time::Ms;

/// A signal of a built-in rule: `to` is firing when the trouble is there and resolved when it is over.
pub(super) fn own_signal(rule: &Builtin, labels: Labels, to: State, at: Ms) -> Signal {
    let from = if to == State::Resolved { State::Firing } else { State::Inactive };
    Signal {
        rule: Arc::from(rule.id),
        fingerprint: Fingerprint::of(rule.id, &labels),
        labels,
        from,
        to,
        severity: Some(rule.severity),
        value: None,
        unknown: None,
        at,
        since: Some(at),
        ended: None,
        acted: true,
    }
}
