//! The promises that can be checked from the ledger and the rows alone, whoever wrote them.
//!
//! The idea: a shadow leader takes the ledger again, entry by entry, and was never disturbed; what it decides must be what is
//! written, what the rows hold must be what it has, and the oracle says what was owed. A world has it beside other checks;
//! a scenario that asks for it has it at its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::wire::{input_kind, input_to_json};
use crate::model::{BookRows, Incident, IncidentState, Input, PageState};
use crate::pipeline::leader::{Leader, World as Standing};
use crate::pipeline::sim::Violation;
use crate::pipeline::sim::oracle::{Decided, Fate, Oracle};
use crate::pipeline::sim::terms::Terms;
use crate::store::{Store, StoreError};
use crate::time::Ms;

/// More rows than there ever are.
const ALL: usize = 10_000_000;

/// The shadow, the oracle, and how far they have come.
#[derive(Debug)]
pub(in crate::pipeline) struct Promises {
    /// The shadow.
    pub(super) leader: Leader,
    pub(super) oracle: Oracle,
    /// Nobody decided what is due, at the last look.
    is_held: bool,
    /// Ledger entries taken.
    pub(super) entries: i64,
    /// Of these, signals.
    pub(super) signals: usize,
    /// The last one's hash.
    pub(super) hash: String,
}

pub(super) fn refused(error: StoreError) -> Violation {
    error.to_string()
}

impl Promises {
    /// Of a ledger that begins in `standing`.
    pub(in crate::pipeline) fn new(standing: Arc<Standing>, terms: Terms) -> Self {
        let leader = Leader::load(&BookRows::default(), standing);
        Self { leader, oracle: Oracle::new(terms), is_held: false, entries: 0, signals: 0, hash: String::new() }
    }

    /// Other people or resources: what is owed from here on.
    pub(in crate::pipeline) fn changed(&mut self, terms: Terms) {
        self.oracle.changed(terms);
    }

    /// Whether nobody decides now what is due: a leader that began holds it back, or there is none. What was owed at the
    /// last look may be owed still where that was so then, or is: who let go since may have died before it was done.
    pub(in crate::pipeline) fn hold(&mut self, is_held: bool) {
        let was_held = std::mem::replace(&mut self.is_held, is_held);
        self.oracle.hold(was_held || is_held);
    }

    /// I7c: the ledger's inputs, taken again, give the same entries, byte for byte; and what was owed was decided.
    /// `standing` gives the world that has a hash.
    pub(in crate::pipeline) fn follow(
        &mut self,
        store: &dyn Store,
        standing: impl Fn(&str) -> Option<Arc<Standing>>,
    ) -> Result<(), Violation> {
        for entry in store.ledger(self.entries, ALL).map_err(refused)? {
            if entry.at != self.oracle.at() {
                self.oracle.judge(&self.leader)?;
                self.oracle.is_held = self.is_held;
            }
            let again = self.leader.replay(std::slice::from_ref(&entry), &standing);
            for view in again.map_err(|differs| format!("I7: {differs}"))? {
                self.oracle.take(&entry, &view, &self.leader)?;
            }
            self.entries = entry.input_no;
            self.hash.clone_from(&entry.hash);
            self.signals += usize::from(entry.kind == "signal");
        }
        self.oracle.judge(&self.leader)
    }

    /// I6: the incidents that are stored are those that the ledger gives.
    pub(in crate::pipeline) fn incidents_are_the_ledgers(&self, store: &dyn Store) -> Result<(), Violation> {
        let stored = store.incidents(ALL).map_err(refused)?;
        let mut stored: BTreeMap<&str, &Incident> = stored
            .iter()
            .filter(|incident| incident.state != IncidentState::Closed)
            .map(|incident| (incident.id.as_str(), incident))
            .collect();
        for incident in self.leader.open_incidents() {
            match stored.remove(incident.id.as_str()) {
                Some(row) if row == incident => {}
                row => return Err(format!("I6: stored is {row:?}, the ledger gives {incident:?}")),
            }
        }
        match stored.pop_first() {
            Some((id, _)) => Err(format!("I6: {id} is stored and not in the ledger")),
            None => Ok(()),
        }
    }

    /// I2, I7c: the outbox has the ledger's pages, each with its text, and none that was taken back still waits.
    pub(in crate::pipeline) fn rows_are_the_ledgers(&self, store: &dyn Store) -> Result<(), Violation> {
        let rows = store.pages(None, ALL).map_err(refused)?;
        let mut there = BTreeSet::new();
        for row in &rows {
            let id = row.page.id.as_str();
            let Some(decided) = self.oracle.pages.get(id) else {
                return Err(format!("I7: page {id} of {} is not in a second run", row.page.incident));
            };
            if decided.page != row.page {
                return Err(format!("I7: page {id} is {:?}, in a second run {:?}", row.page, decided.page));
            }
            if (decided.fate == Fate::Gone) != (row.state == PageState::Cancelled) {
                return Err(format!("I5: page {id} is {}, for the ledger {:?}", row.state.word(), decided.fate));
            }
            there.insert(id);
        }
        // What was decided and taken back in one transaction was never there.
        let lost = |it: &&Decided| it.fate != Fate::Gone && !there.contains(it.page.id.as_str());
        match self.oracle.pages.values().find(lost) {
            Some(lost) => Err(format!("I2: page {} was decided and is in no outbox row", lost.page.id)),
            None => Ok(()),
        }
    }

    /// I4: whatever the ledger makes due up to `now` is in the ledger, unless a leader that began holds it back.
    pub(in crate::pipeline) fn nothing_is_overdue(&self, now: Ms) -> Result<(), Violation> {
        match self.leader.next_due().filter(|due| *due <= now && !self.is_held) {
            Some(due) => Err(format!("I4: by the ledger something was due at {due}, and is not done at {now}")),
            None => Ok(()),
        }
    }

    /// I6: whoever takes over from the rows alone goes on where the ledger stands.
    pub(in crate::pipeline) fn a_new_leader_knows_as_much(&self, store: &dyn Store) -> Result<(), Violation> {
        let seat = store.seat().map_err(refused)?;
        let rows = store.lead("auditor", &seat).map_err(refused)?.ok_or("I6: nobody can take over")?;
        let new = Leader::load(&rows, self.leader.world());
        if new.next_due() != self.leader.next_due() {
            let (got, want) = (new.next_due(), self.leader.next_due());
            return Err(format!("I6: a new leader would act at {got:?}, the old one at {want:?}"));
        }
        for incident in self.leader.open_incidents() {
            let id = &incident.id;
            let (got, want) = (new.chain_due(id), self.leader.chain_due(id));
            if got != want {
                return Err(format!("I6: the chain of {id} goes on at {got:?}, in the ledger at {want:?}"));
            }
            let (got, want) = (new.told(id), self.leader.told(id));
            if got != want {
                return Err(format!("I6: told of {id} are {got:?}, in the ledger {want:?}"));
            }
        }
        Ok(())
    }

    /// I5, its first half: what people asked for was taken as they asked it, and each got an answer.
    pub(in crate::pipeline) fn answers_were_given(store: &dyn Store, asked: &[(i64, Input)]) -> Result<(), Violation> {
        let mut missing: BTreeMap<String, i64> = BTreeMap::new();
        let mut kinds = BTreeSet::new();
        for (row, input) in asked {
            let kind = input_kind(input);
            if store.answer(*row).map_err(refused)?.is_none() {
                return Err(format!("I5: {kind} was never answered"));
            }
            *missing.entry(input_to_json(input).to_string()).or_default() += 1;
            kinds.insert(kind);
        }
        for entry in store.ledger(0, ALL).map_err(refused)? {
            if kinds.contains(entry.kind.as_str()) {
                let value: Option<serde_json::Value> = serde_json::from_str(&entry.json).ok();
                let input = value.as_ref().and_then(|value| value.get("input"));
                *missing.entry(input.map(ToString::to_string).unwrap_or_default()).or_default() -= 1;
            }
        }
        // What the engine says of itself it says beside them.
        let own = |input: &str| input.contains(r#""kind":"own""#);
        match missing.iter().find(|(input, n)| **n > 0 || (**n < 0 && !own(input))) {
            Some((input, n)) => Err(format!("I5: {input} was asked for {n} times more often than it was taken")),
            None => Ok(()),
        }
    }
}
