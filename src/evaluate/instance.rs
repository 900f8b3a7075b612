//! One rule instance: a rule over one identity, with everything that its verdict hangs on.
//!
//! The idea: the verdict (state, severity, since when) is durable where it is not healthy; the observation (newest
//! sample, last tick with a value) comes back by reading the log's end again. Both are plain fields here; `judge` moves
//! them.

use std::sync::Arc;

use crate::evaluate::QUIET;
use crate::evaluate::plan::Compiled;
use crate::evaluate::verdict::Verdict;
use crate::model::{Ended, Fingerprint, Labels, RowChange, Signal, State, StateRow, Then};
use crate::time::Ms;

/// Born before anything that is remembered.
pub(super) const LONG_AGO: Ms = Ms::MIN / 4;

/// One rule over one identity.
#[derive(Debug)]
pub(super) struct Instance {
    /// Place of the rule in the plan.
    pub(super) rule: usize,
    /// Place of the terms by which its rule judges it.
    pub(super) terms: usize,
    /// Identity.
    pub(super) labels: Labels,
    /// Key.
    pub(super) fingerprint: Fingerprint,
    /// What was decided.
    pub(super) verdict: Verdict,
    /// Effective time of the newest sample.
    pub(super) newest: Option<Ms>,
    /// Last tick with a value.
    pub(super) valued: Option<Ms>,
    /// Tick at which its source was found to speak again after a silence.
    pub(super) again: Option<Ms>,
    /// Clock at the first sample.
    pub(super) born: Ms,
    /// Clock at the first sample after a long silence.
    pub(super) began: Ms,
    /// The last visit found a value, and nothing has changed since.
    pub(super) has: bool,
    /// Its rule may not watch all of its series.
    pub(super) limited: bool,
    /// There was no memory for its newest sample.
    pub(super) starved: bool,
    /// The inventory says that there is one.
    pub(super) expected: bool,
    /// Samples pass unseen: its newest one is that of its series.
    pub(super) calm: bool,
    /// Before this tick it is not tried again whether samples may pass unseen, because that reads the whole window.
    pub(super) restless: Ms,
    /// The row as the store has it.
    saved: Option<StateRow>,
}

/// The change that a signal tells of, beside the verdicts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    /// When.
    pub(super) at: Ms,
    /// With which value.
    pub(super) value: Option<f64>,
    /// Why it ended, where it was not the value.
    pub(super) ended: Option<Ended>,
}

impl Instance {
    /// A healthy one, of which a first sample came at `born`.
    pub(super) fn new(rule: usize, labels: Labels, fingerprint: Fingerprint, born: Ms) -> Self {
        Self {
            rule,
            terms: 0,
            labels,
            fingerprint,
            verdict: Verdict::default(),
            newest: None,
            valued: None,
            again: None,
            born,
            began: born,
            has: false,
            limited: false,
            starved: false,
            expected: false,
            calm: false,
            restless: Ms::MIN,
            saved: None,
        }
    }

    /// Takes up a sample of effective time `time` that came at `clock`.
    pub(super) fn hear(&mut self, time: Ms, clock: Ms, rule: &Compiled) {
        // The first sample of a replay counts as a start too: the horizon leaves it a whole window to be over.
        if self.newest.is_none_or(|last| time > last && clock - last >= rule.restart()) {
            self.began = clock;
        }
        self.newest = Some(self.newest.map_or(time, |newest| newest.max(time)));
    }

    /// Remembers the row that the store has; `resume` puts it in force.
    pub(super) fn load(&mut self, row: StateRow) {
        self.saved = Some(row);
    }

    /// Whether the store has a row of it.
    pub(super) fn has_row(&self) -> bool {
        self.saved.is_some()
    }

    /// The muted past has been read: what the row says is in force from here.
    pub(super) fn resume(&mut self) {
        let Some(row) = &self.saved else { return };
        self.verdict = Verdict {
            state: row.state,
            severity: row.severity,
            since: row.since,
            occurred: row.occurred,
            recovering: row.recovering,
            unknown: row.unknown,
            unknown_since: row.unknown_since,
        };
        self.newest = self.newest.max(row.newest);
        self.valued = self.valued.max(row.valued);
        self.again = row.again;
    }

    /// Whether nothing is going on: no verdict, no row, nothing unknown, and a value at the last visit.
    pub(super) fn is_healthy(&self) -> bool {
        self.has && !self.limited && !self.starved && self.saved.is_none() && self.verdict == Verdict::default()
    }

    /// Whether there is one by the inventory alone.
    pub(super) fn never_spoke(&self) -> bool {
        self.expected && self.newest.is_none()
    }

    /// When the newest sample was, or what stands for it.
    pub(super) fn last(&self) -> Ms {
        self.newest.unwrap_or(self.born)
    }

    /// Since when it is missed: the newest sample, or when its source spoke again without one.
    pub(super) fn missed(&self) -> Ms {
        self.last().max(self.again.unwrap_or(Ms::MIN))
    }

    /// When it last had a value, or was born.
    pub(super) fn last_value(&self) -> Ms {
        self.valued.unwrap_or(self.born)
    }

    /// The clock went back: elapsed times carry over. `last` is the last tick before.
    pub(super) fn shift(&mut self, last: Ms, by: Ms) {
        if self.has {
            self.valued = self.valued.max(Some(last));
            self.has = false;
        }
        let verdict = &mut self.verdict;
        let marks = verdict.since.iter_mut().chain([
            &mut verdict.recovering,
            &mut verdict.unknown_since,
            &mut self.newest,
            &mut self.valued,
            &mut self.again,
        ]);
        for mark in marks.flatten() {
            *mark += by;
        }
        self.born += by;
        self.began += by;
        self.restless = Ms::MIN;
    }

    /// Writes or removes the row where it is not what the store has.
    pub(super) fn save(&mut self, at: Ms, rule: &Compiled, rows: &mut Vec<RowChange>) {
        let quiet = at - self.last() >= QUIET;
        let valueless = !self.has && at - self.last_value() >= QUIET;
        let healthy = self.verdict.state == State::Inactive && self.verdict.unknown.is_none();
        // Since when one that never spoke has been waited for is known by its row alone.
        if healthy && !quiet && !valueless && !self.never_spoke() {
            if self.saved.take().is_some() {
                rows.push(RowChange::Remove(self.fingerprint));
            }
            return;
        }
        let row = self.row(rule);
        let same = self.saved.as_ref().is_some_and(|saved| {
            saved.state == row.state
                && saved.severity == row.severity
                && saved.since == row.since
                && saved.occurred == row.occurred
                && saved.recovering == row.recovering
                && saved.unknown == row.unknown
                && saved.unknown_since == row.unknown_since
                && (!quiet || saved.newest == row.newest)
                && (!valueless || saved.valued == row.valued)
        });
        if !same {
            rows.push(RowChange::Put(Box::new(row.clone())));
            self.saved = Some(row);
        }
    }

    /// Writes the row as it is now, where there is one: its times have moved with the clock.
    pub(super) fn rewrite(&mut self, rule: &Compiled, rows: &mut Vec<RowChange>) {
        if self.saved.is_some() {
            let row = self.row(rule);
            rows.push(RowChange::Put(Box::new(row.clone())));
            self.saved = Some(row);
        }
    }

    /// The row that it came from, which it no longer stands for.
    pub(super) fn forget_row(&mut self) -> Option<StateRow> {
        self.saved.take()
    }

    /// Removes the row.
    pub(super) fn erase(&mut self, rows: &mut Vec<RowChange>) {
        if self.saved.take().is_some() {
            rows.push(RowChange::Remove(self.fingerprint));
        }
    }

    fn row(&self, rule: &Compiled) -> StateRow {
        StateRow {
            fingerprint: self.fingerprint,
            rule: Arc::clone(&rule.rule.id),
            labels: self.labels.clone(),
            watch: rule.watch.clone(),
            state: self.verdict.state,
            severity: self.verdict.severity,
            since: self.verdict.since,
            occurred: self.verdict.occurred,
            recovering: self.verdict.recovering,
            unknown: self.verdict.unknown,
            unknown_since: self.verdict.unknown_since,
            newest: self.newest,
            valued: Some(self.last_value()),
            again: self.again.filter(|again| *again > self.last()),
            value: None,
        }
    }

    /// The signal that tells how the verdict came from `before` to what it is now, if it changed.
    pub(super) fn tell(&self, rule: &Compiled, before: &Verdict, change: Change) -> Option<Signal> {
        let now = &self.verdict;
        let moved = before.state != now.state || before.severity != now.severity;
        let knew = before.unknown.is_none() != now.unknown.is_none();
        if !moved && !knew {
            return None;
        }
        let resolved = before.state.is_active() && now.state == State::Inactive;
        let active = before.state.is_active() || now.state.is_active();
        Some(Signal {
            rule: Arc::clone(&rule.rule.id),
            labels: self.labels.clone(),
            fingerprint: self.fingerprint,
            from: before.state,
            to: if resolved { State::Resolved } else { now.state },
            severity: if resolved { before.severity } else { now.severity },
            value: change.value,
            unknown: now.unknown,
            at: change.at,
            since: now.occurred.or(before.occurred),
            ended: change.ended,
            acted: active || (knew && rule.rule.no_data.then != Then::Hold),
        })
    }
}
