//! The engine's own alarms of one partition: on or off, with a row while on.
//!
//! The idea: they are rule instances like any other (fingerprint, signals, rows that survive), but what switches them
//! is not a window. Who decides that stands in `sources` and `partition`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::evaluate::Effects;
use crate::model::{Builtin, Ended, Fingerprint, Labels, RowChange, Severity, Signal, State, StateRow};
use crate::time::Ms;

/// The alarms that are on, by rule and identity.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    on: BTreeMap<(Arc<str>, Labels), StateRow>,
}

impl Alarms {
    /// Takes up the row of an alarm that was on.
    pub(super) fn load(&mut self, row: StateRow) {
        self.on.insert((Arc::clone(&row.rule), row.labels.clone()), row);
    }

    /// Those of one rule that are on.
    pub(super) fn of(&self, rule: &Builtin) -> impl Iterator<Item = &StateRow> {
        self.on.values().filter(move |row| *row.rule == *rule.id)
    }

    /// Whether none is on.
    pub(super) fn is_empty(&self) -> bool {
        self.on.is_empty()
    }

    /// Switches one on, or notes that it goes on: its row then holds `newest`.
    pub(super) fn raise(&mut self, alarm: (&Builtin, Severity, Labels), at: Ms, newest: Ms, out: &mut Effects) {
        let (rule, severity, labels) = alarm;
        let key = (Arc::<str>::from(rule.id), labels);
        if let Some(row) = self.on.get_mut(&key) {
            if row.newest != Some(newest) {
                row.newest = Some(newest);
                out.rows.push(RowChange::Put(Box::new(row.clone())));
            }
            return;
        }
        let mut since = [None; 4];
        since[severity.index()] = Some(at);
        let row = StateRow {
            fingerprint: Fingerprint::of(rule.id, &key.1),
            rule: Arc::clone(&key.0),
            labels: key.1.clone(),
            watch: String::new(),
            state: State::Firing,
            severity: Some(severity),
            since,
            occurred: Some(at),
            recovering: None,
            unknown: None,
            unknown_since: None,
            newest: Some(newest),
            valued: Some(at),
            again: None,
            value: None,
        };
        out.signals.push(signal(&row, (State::Inactive, State::Firing), at, None));
        out.rows.push(RowChange::Put(Box::new(row.clone())));
        self.on.insert(key, row);
    }

    /// Switches one off, if it is on.
    pub(super) fn clear(&mut self, rule: &Builtin, labels: &Labels, at: Ms, ended: Option<Ended>, out: &mut Effects) {
        if let Some(row) = self.on.remove(&(Arc::from(rule.id), labels.clone())) {
            out.signals.push(signal(&row, (State::Firing, State::Resolved), at, ended));
            out.rows.push(RowChange::Remove(row.fingerprint));
        }
    }

    /// The clock went back by −`by`: what the rows remember moves along.
    pub(super) fn shift(&mut self, by: Ms, rows: &mut Vec<RowChange>) {
        for row in self.on.values_mut() {
            row.newest = row.newest.map(|newest| newest + by);
            rows.push(RowChange::Put(Box::new(row.clone())));
        }
    }
}

fn signal(row: &StateRow, (from, to): (State, State), at: Ms, ended: Option<Ended>) -> Signal {
    Signal {
        rule: Arc::clone(&row.rule),
        labels: row.labels.clone(),
        fingerprint: row.fingerprint,
        from,
        to,
        severity: row.severity,
        value: None,
        unknown: None,
        at,
        since: row.occurred,
        ended,
        acted: true,
    }
}
