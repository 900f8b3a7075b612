//! Silent sources: held for a moment, and folded into one `blind` incident when most of them fell silent together.
//!
//! The idea: one silent host is that host's trouble; half of all hosts silent within half a minute is ours, and
//! hundreds of pages about hosts would hide it. So a `source-silent` signal below S1 waits 30 s. If meanwhile at least
//! five, and at least half of the sources heard lately, are silent, one incident `blind` stands for all of them.
//! It ends when fewer than five, or less than half of the most that were silent, still are; those left are then held
//! once more, so that a return that takes seconds pages nobody, and get incidents of their own if they stay silent.

use std::collections::BTreeMap;

use crate::model::wire::{signal_from_json, signal_to_json};
use crate::model::{BLIND, Fingerprint, Labels, SOURCE_SILENT, Severity, Signal, State};
use crate::time::{Ms, SECOND};

use super::notes::Notes;
use super::signals::Arrival;
use super::{Book, Decided};

/// How long a silent source waits for others.
const HOLD: Ms = 30 * SECOND;
/// Fewer silent sources are never `blind`.
const BLIND_MIN: usize = 5;
/// Key of the notes.
const KEY: &str = "silent/";

/// A silent source that has no incident of its own.
#[derive(Debug, Clone, PartialEq)]
struct Held {
    signal: Signal,
    arrival: Arrival,
    /// When it gets an incident of its own; `None` while `blind` stands for it.
    until: Option<Ms>,
}

/// The silent sources that have no incident of their own, by fingerprint.
#[derive(Debug, Clone, Default)]
pub(super) struct Silence {
    held: BTreeMap<Fingerprint, Held>,
    /// The most that `blind` stood for since it began.
    peak: usize,
    changed: std::collections::BTreeSet<Fingerprint>,
}

impl Silence {
    pub(super) fn load(notes: &Notes) -> Self {
        let rows = notes.under(KEY);
        let held = rows.iter().filter_map(|(key, text)| Some((Fingerprint::parse(key)?, Held::parse(text)?)));
        let peak = notes.get("blind").and_then(|peak| peak.parse().ok()).unwrap_or(0);
        Self { held: held.collect(), peak, changed: Default::default() }
    }

    pub(super) fn save(&mut self, notes: &mut Notes) {
        for fingerprint in std::mem::take(&mut self.changed) {
            let key = format!("{KEY}{fingerprint}");
            match self.held.get(&fingerprint) {
                Some(held) => notes.put(&key, held.text()),
                None => notes.remove(&key),
            }
        }
        match self.peak {
            0 => notes.remove("blind"),
            peak => notes.put("blind", peak.to_string()),
        }
    }

    pub(super) fn next_due(&self) -> Option<Ms> {
        self.held.values().filter_map(|held| held.until).min()
    }

    /// The wall clock was set.
    pub(super) fn set_clock(&mut self, by: Ms) {
        for (fingerprint, held) in self.held.iter_mut().filter(|(_, held)| held.until.is_some()) {
            held.until = held.until.map(|until| until + by);
            self.changed.insert(*fingerprint);
        }
    }

    fn put(&mut self, fingerprint: Fingerprint, held: Held) {
        self.changed.insert(fingerprint);
        self.held.insert(fingerprint, held);
    }

    fn take(&mut self, fingerprint: Fingerprint) -> Option<Held> {
        self.changed.insert(fingerprint);
        self.held.remove(&fingerprint)
    }

    fn n_folded(&self) -> usize {
        self.held.values().filter(|held| held.until.is_none()).count()
    }

    /// Sets the end of the hold of every source; `None` folds them.
    fn hold_all(&mut self, until: Option<Ms>) {
        for (fingerprint, held) in &mut self.held {
            held.until = until;
            self.changed.insert(*fingerprint);
        }
    }
}

impl Held {
    fn text(&self) -> String {
        let origin = self.arrival.origin.as_ref();
        serde_json::json!({
            "signal": signal_to_json(&self.signal),
            "topic": origin.map(|(topic, _)| topic),
            "partition": origin.map(|(_, partition)| partition),
            "late": self.arrival.late,
            "taken": self.arrival.now,
            "until": self.until,
        })
        .to_string()
    }

    fn parse(text: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let topic = value.get("topic")?.as_str().map(str::to_owned);
        let partition = value.get("partition")?.as_i64().and_then(|partition| i32::try_from(partition).ok());
        let late = value.get("late")?.as_bool()?;
        let arrival = Arrival { origin: topic.zip(partition), late, now: value.get("taken")?.as_i64()? };
        Some(Self { signal: signal_from_json(value.get("signal")?)?, arrival, until: value.get("until")?.as_i64() })
    }
}

impl Book {
    /// Takes a `source-silent` signal that must wait or is folded. `false`: it is a signal like any other.
    pub(super) fn fold_silence(&mut self, signal: &Signal, heard: i64, arrival: &Arrival, out: &mut Decided) -> bool {
        if *signal.rule != *SOURCE_SILENT.id {
            return false;
        }
        let has_own = self.by_fingerprint.get(&signal.fingerprint).is_some_and(|id| self.live.contains(id));
        if !signal.to.is_active() {
            let was_held = self.blind.held.contains_key(&signal.fingerprint);
            if was_held {
                self.blind.take(signal.fingerprint);
                self.judge_sight(arrival.now, out);
            }
            return was_held && !has_own;
        }
        if signal.severity == Some(Severity::S1) {
            if self.blind.held.contains_key(&signal.fingerprint) {
                self.blind.take(signal.fingerprint);
            }
            return false;
        }
        if has_own || signal.to != State::Firing {
            return false;
        }
        let folded = self.is_blind();
        let known = self.blind.held.get(&signal.fingerprint).map(|held| held.until);
        let until = known.unwrap_or((!folded).then_some(arrival.now + HOLD));
        self.blind.put(signal.fingerprint, Held { signal: signal.clone(), arrival: arrival.clone(), until });
        let n = self.blind.held.len();
        if n >= BLIND_MIN && i64::try_from(n * 2).unwrap_or(i64::MAX) >= heard {
            self.blind.hold_all(None);
            self.blind.peak = self.blind.peak.max(n);
            if !folded {
                self.signal(&own(State::Firing, signal.at), arrival, out);
            }
        } else if folded {
            self.blind.peak = self.blind.peak.max(self.blind.n_folded());
        }
        true
    }

    fn is_blind(&self) -> bool {
        let id = self.by_fingerprint.get(&Fingerprint::of(BLIND.id, &Labels::default()));
        id.is_some_and(|id| self.live.contains(id))
    }

    /// A folded source speaks again: enough of them end `blind`.
    fn judge_sight(&mut self, now: Ms, out: &mut Decided) {
        let left = self.blind.n_folded();
        if self.blind.peak == 0 || (left >= BLIND_MIN && left * 2 >= self.blind.peak) {
            return;
        }
        self.blind.peak = 0;
        self.blind.hold_all(Some(now + HOLD));
        self.signal(&own(State::Resolved, now), &Arrival { origin: None, late: false, now }, out);
    }

    /// Sources whose hold is over get their own incidents.
    pub(super) fn release_silence(&mut self, now: Ms, out: &mut Decided) {
        let over = self.blind.held.iter().filter(|(_, held)| held.until.is_some_and(|until| until <= now));
        for fingerprint in over.map(|(fingerprint, _)| *fingerprint).collect::<Vec<_>>() {
            if let Some(held) = self.blind.take(fingerprint) {
                self.signal(&held.signal, &Arrival { now, ..held.arrival }, out);
            }
        }
    }
}

fn own(to: State, at: Ms) -> Signal {
    let labels = Labels::default();
    Signal {
        rule: BLIND.id.into(),
        fingerprint: Fingerprint::of(BLIND.id, &labels),
        labels,
        from: if to == State::Firing { State::Inactive } else { State::Firing },
        to,
        severity: Some(BLIND.severity),
        value: None,
        unknown: None,
        at,
        since: None,
        ended: None,
        acted: true,
    }
}
