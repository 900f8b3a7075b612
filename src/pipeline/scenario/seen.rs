//! What happened in a scenario, in its own times, read off what became durable.
//!
//! The idea: incidents, pages and outcomes are taken from the ledger, entry by entry, so nothing counts that a process
//! only believed; signals come from the evaluator, because those nobody acts on leave no row. Signals that a process
//! tells again after a crash are the same ones.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use crate::model::wire::input_from_json;
use crate::model::{Entry, Incident, IncidentState, Input, Labels, Outcome, Page, Severity, Signal};
use crate::store::{MemoryStore, Store};
use crate::time::Ms;

/// More entries than any scenario makes.
const ALL: usize = 10_000_000;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// When, ms on the scenario's clock.
    pub at: Ms,
    /// What.
    pub thing: Thing,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Thing {
    /// A signal, acted on or not.
    Signal(Signal),
    /// An incident is new, or its state or severity changed.
    Incident(Box<Incident>),
    /// A page was decided.
    Page(Box<Of<Page>>),
    /// Something became of a page.
    Outcome(Box<Of<Page>>, Outcome),
    /// A page reached a phone or a mailbox.
    Arrival(Box<Of<Page>>),
}

/// A page, and what its incident is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Of<T> {
    /// The page.
    pub page: T,
    /// Rule of its incident; empty for a digest of several.
    pub rule: Arc<str>,
    /// Labels of its incident.
    pub labels: Labels,
}

/// Watches one run.
#[derive(Debug, Default)]
pub(super) struct Watching {
    /// The last ledger entry that was read.
    entry: i64,
    shown: BTreeMap<String, (IncidentState, Severity)>,
    /// Signals of processes before this one that may be told again, as text, and until which tick.
    before: HashSet<String>,
    told_until: Ms,
    /// Everything, in order.
    pub seen: Vec<Seen>,
}

impl Watching {
    /// Takes a signal that happened at `at` on the scenario's clock.
    pub(super) fn signal(&mut self, at: Ms, signal: Signal) {
        if signal.at <= self.told_until && self.before.remove(&text(&signal)) {
            return;
        }
        self.seen.push(Seen { at, thing: Thing::Signal(signal) });
    }

    /// A process ends without a word: the next one may tell again what was not durable.
    pub(super) fn killed(&mut self) {
        let told = self.seen.iter().filter_map(|seen| match &seen.thing {
            Thing::Signal(signal) => Some(signal),
            _ => None,
        });
        self.told_until = told.clone().map(|signal| signal.at).max().unwrap_or(0);
        self.before = told.map(text).collect();
    }

    /// Takes what the ledger says since the last call, at `now`.
    pub(super) fn ledger(&mut self, now: Ms, store: &MemoryStore) {
        for entry in store.ledger(self.entry, ALL).unwrap_or_default() {
            self.entry = entry.input_no;
            self.entry(now, &entry, store);
        }
    }

    fn entry(&mut self, now: Ms, entry: &Entry, store: &MemoryStore) {
        let Ok(value) = serde_json::from_str::<Value>(&entry.json) else { return };
        let list = |key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        for moved in list("moved") {
            self.moved(now, &moved, store);
        }
        for page in list("pages") {
            // One that was taken back in the transaction of its decision was never there.
            let page = page.get("id").and_then(Value::as_str).and_then(|id| store.page(id));
            self.seen.extend(page.map(|page| Seen { at: now, thing: Thing::Page(Box::new(of(page, store))) }));
        }
        if let Some(Input::Outcome { page, outcome, .. }) = value.get("input").and_then(input_from_json)
            && let Some(page) = store.page(&page)
        {
            self.seen.push(Seen { at: now, thing: Thing::Outcome(Box::new(of(page, store)), outcome) });
        }
    }

    /// A change of an incident, as the ledger has it: the row may be further by now.
    fn moved(&mut self, now: Ms, moved: &Value, store: &MemoryStore) {
        let text = |key: &str| moved.get(key).and_then(Value::as_str);
        let Some(mut incident) = text("id").and_then(|id| store.incident(id)) else { return };
        let Some(state) = text("state").and_then(IncidentState::parse) else { return };
        let Some(severity) = text("severity").and_then(Severity::parse) else { return };
        (incident.state, incident.severity) = (state, severity);
        if self.shown.insert(incident.id.clone(), (state, severity)) != Some((state, severity)) {
            self.seen.push(Seen { at: now, thing: Thing::Incident(Box::new(incident)) });
        }
    }

    /// Takes what arrived at `now`.
    pub(super) fn arrived(&mut self, now: Ms, pages: Vec<Page>, store: &MemoryStore) {
        let seen = |page| Seen { at: now, thing: Thing::Arrival(Box::new(of(page, store))) };
        self.seen.extend(pages.into_iter().map(seen));
    }
}

fn of(page: Page, store: &MemoryStore) -> Of<Page> {
    let incident = store.incident(&page.incident);
    let rule = incident.as_ref().map_or_else(|| Arc::from(""), |incident| Arc::clone(&incident.rule));
    Of { page, rule, labels: incident.map(|incident| incident.labels).unwrap_or_default() }
}

fn text(signal: &Signal) -> String {
    crate::model::wire::signal_to_json(signal).to_string()
}
