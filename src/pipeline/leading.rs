//! The `incident` role: the one leader, between the store's inputs and its transactions.
//!
//! The idea: SQL is the truth and memory the cache. Whatever goes wrong with a transaction, the memory is thrown away and
//! loaded again, so the pure leader needs no undo, and a commit whose answer was lost is settled by what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{BookCommit, BookRows, Committed, Input, Outcome, PageState, SignalKey, Taken};
use crate::pipeline::leader::{Leader, World};
use crate::store::{Store, StoreError};
use crate::time::{Clock, Ms};

/// Inputs taken in one transaction: bounds how long others wait for the store.
const INPUTS_MAX: usize = 256;
/// More inputs than ever wait.
const ALL: usize = 1_000_000;
/// After a failed transaction the next try waits so long.
const RETRY_AFTER: Ms = 250;

/// The one leader of a store.
#[derive(Debug)]
pub struct Leading {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    owner: String,
    world: Arc<World>,
    seat: Option<Seat>,
    retry_at: Ms,
    pages_first: bool,
    /// What the store said when it was last asked in vain.
    refused: Option<String>,
    /// Transactions that had to be decided again because a page was handed over meanwhile.
    pub redecided: u64,
}

#[derive(Debug)]
struct Seat {
    leader: Leader,
    cursors: BTreeMap<(String, i32), i64>,
}

impl Leading {
    /// Leads nothing yet; the first [`Leading::step`] takes the seat.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, owner: &str, world: Arc<World>) -> Self {
        Self {
            store,
            clock,
            owner: owner.to_owned(),
            world,
            seat: None,
            retry_at: 0,
            pages_first: false,
            refused: None,
            redecided: 0,
        }
    }

    /// Puts other rules, contacts, chains or inventory in force.
    pub fn reload(&mut self, world: Arc<World>) {
        self.world = Arc::clone(&world);
        if let Some(seat) = &mut self.seat {
            seat.leader.reload(world);
        }
    }

    /// The leader's memory, while it leads.
    pub fn leader(&self) -> Option<&Leader> {
        self.seat.as_ref().map(|seat| &seat.leader)
    }

    /// What keeps it from the store, until a turn succeeds.
    pub fn trouble(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// When it must act without being woken, wall time.
    pub fn next_due(&self) -> Option<Ms> {
        self.leader().and_then(Leader::next_due)
    }

    /// One turn: what is due, then what waits. `true`: something was decided, there may be more.
    pub fn step(&mut self) -> Result<bool, StoreError> {
        if self.clock.elapsed() < self.retry_at {
            return Ok(false);
        }
        let turn = self.turn();
        self.refused = turn.as_ref().err().map(ToString::to_string);
        match turn {
            Err(StoreError::Unavailable { what, why }) => {
                tracing::warn!(what, why, "the incident stage cannot reach the store, trying again");
                self.seat = None;
                self.retry_at = self.clock.elapsed() + RETRY_AFTER;
                Ok(false)
            }
            other => other,
        }
    }

    fn turn(&mut self) -> Result<bool, StoreError> {
        self.sit()?;
        let now = self.clock.wall();
        if let Some(commit) = self.seat.as_mut().and_then(|seat| seat.leader.due(now)) {
            return self.write(&commit);
        }
        let Some(seat) = &mut self.seat else { return Ok(false) };
        let cursors: Vec<_> = seat.cursors.iter().map(|((topic, p), seq)| key(topic, *p, *seq)).collect();
        let mut taken = self.inputs(&cursors)?;
        let Some(seat) = &mut self.seat else { return Ok(false) };
        if taken.is_empty() {
            taken = caught_up(self.store.as_ref(), &seat.leader)?;
        }
        if taken.is_empty() {
            return Ok(false);
        }
        let commit = seat.leader.take(&taken, now);
        for cursor in &commit.cursors {
            seat.cursors.insert((cursor.topic.clone(), cursor.partition), cursor.seq);
        }
        self.write(&commit)
    }

    /// The next inputs; after a page to cancel was handed over meanwhile, those about pages come first.
    fn inputs(&mut self, cursors: &[SignalKey]) -> Result<Vec<Taken>, StoreError> {
        if std::mem::take(&mut self.pages_first) {
            let mut taken = self.store.inputs(cursors, ALL)?;
            taken.retain(|taken| taken.row.is_some() && page_of(&taken.input).is_some());
            if !taken.is_empty() {
                return Ok(taken);
            }
        }
        self.store.inputs(cursors, INPUTS_MAX)
    }

    fn sit(&mut self) -> Result<(), StoreError> {
        if self.seat.is_none() {
            let mut rows = self.store.lead(&self.owner)?;
            as_the_ledger_has_it(&mut rows, self.store.as_ref())?;
            let cursors = rows.cursors.iter().map(|c| ((c.topic.clone(), c.partition), c.seq)).collect();
            self.seat = Some(Seat { leader: Leader::load(&rows, Arc::clone(&self.world)), cursors });
        }
        Ok(())
    }

    fn write(&mut self, commit: &BookCommit) -> Result<bool, StoreError> {
        match self.store.commit(commit)? {
            Committed::Done => Ok(true),
            Committed::Fenced => {
                tracing::warn!("another process leads the incident stage");
                self.seat = None;
                Ok(false)
            }
            Committed::HandedMeanwhile => {
                self.redecided += 1;
                self.pages_first = true;
                self.seat = None;
                Ok(true)
            }
        }
    }
}

/// The outbox rows know more than the leader: what senders did and the ledger has not taken yet. The leader must begin
/// from what the ledger knows, or the ledger alone would not give the same decisions again.
fn as_the_ledger_has_it(rows: &mut BookRows, store: &dyn Store) -> Result<(), StoreError> {
    let mut before: BTreeMap<String, PageState> = BTreeMap::new();
    for taken in store.inputs(&rows.cursors, ALL)? {
        if let Some((page, state)) = page_of(&taken.input) {
            before.entry(page.to_owned()).or_insert(state);
        }
    }
    for row in &mut rows.pages {
        if let Some(state) = before.get(&row.page.id) {
            row.state = *state;
        }
    }
    Ok(())
}

/// The page that an input is about, and the state that it was in before.
fn page_of(input: &Input) -> Option<(&str, PageState)> {
    match input {
        Input::Handed { page } => Some((page, PageState::Waiting)),
        Input::GivenBack { page } => Some((page, PageState::Handed)),
        // A page that waited past its deadline was with nobody.
        Input::Outcome { page, outcome: Outcome::Failed { reason } } if reason == "expired" => {
            Some((page, PageState::Waiting))
        }
        Input::Outcome { page, outcome: Outcome::Delivered { .. } } => Some((page, PageState::Accepted)),
        // A receipt that says so too: whether it was handed over or accepted before decides the same.
        Input::Outcome { page, .. } => Some((page, PageState::Handed)),
        _ => None,
    }
}

fn key(topic: &str, partition: i32, seq: i64) -> SignalKey {
    SignalKey { topic: topic.to_owned(), partition, seq }
}

/// Pages may be held back until their partition has read everything: says so as soon as it has.
fn caught_up(store: &dyn Store, leader: &Leader) -> Result<Vec<Taken>, StoreError> {
    let held = leader.open_incidents().filter(|incident| incident.held_until.is_some());
    let waiting: BTreeSet<_> = held.filter_map(|incident| incident.partition.clone()).collect();
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let there = store.partitions()?;
    let ready = there
        .into_iter()
        .filter(|(topic, partition, progress)| progress.caught_up && waiting.contains(&(topic.clone(), *partition)));
    Ok(ready.map(|(topic, partition, _)| Taken { row: None, input: Input::CaughtUp { topic, partition } }).collect())
}
