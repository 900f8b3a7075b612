//! The `incident` role: the one leader, between the store's inputs and its transactions.
//!
//! The idea: SQL is the truth and memory the cache. Whatever goes wrong with a transaction, the memory is thrown away and
//! loaded again, so the pure leader needs no undo, and a commit whose answer was lost is settled by what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{BookCommit, Committed, Input, SignalKey, Taken};
use crate::pipeline::leader::{Leader, World};
use crate::store::{Store, StoreError};
use crate::time::{Clock, Ms};

/// Inputs taken in one transaction: bounds how long others wait for the store.
const INPUTS_MAX: usize = 256;
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
        Self { store, clock, owner: owner.to_owned(), world, seat: None, retry_at: 0, redecided: 0 }
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

    /// When it must act without being woken, wall time.
    pub fn next_due(&self) -> Option<Ms> {
        self.leader().and_then(Leader::next_due)
    }

    /// One turn: what is due, then what waits. `true`: something was decided, there may be more.
    pub fn step(&mut self) -> Result<bool, StoreError> {
        if self.clock.elapsed() < self.retry_at {
            return Ok(false);
        }
        match self.turn() {
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
        let mut taken = self.store.inputs(&cursors, INPUTS_MAX)?;
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

    fn sit(&mut self) -> Result<(), StoreError> {
        if self.seat.is_none() {
            let rows = self.store.lead(&self.owner)?;
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
                self.seat = None;
                Ok(true)
            }
        }
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
