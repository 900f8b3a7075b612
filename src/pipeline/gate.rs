//! The start gate: no page leaves before the stage that decides about pages knows what it needs to know.
//!
//! The idea: right after a start a page that waits may be one that an ack, a silence or an inhibition in the rows takes
//! back, or that the log's next records make needless. So senders wait until somebody leads (state, silences and
//! inhibition are loaded with the lead; contacts before the first thread), the log has been read once to its end, and
//! whoever leads has taken what it said until then: an alarm whose end stands behind it in the log is no news. The
//! wait is bounded: a page that may be needless is better than none, so after [`WAIT_MAX`] the gate opens by itself and
//! says so. Once open it stays open.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::model::SignalKey;
use crate::pipeline::dues::Places;
use crate::store::{Store, StoreError};
use crate::time::{Ms, SECOND};

/// The gate opens after so long, whatever is missing.
pub const WAIT_MAX: Ms = 60 * SECOND;

/// What senders wait for.
#[derive(Debug)]
pub struct Gate {
    /// Elapsed time of the start; `None`: open from the beginning.
    began: Option<Ms>,
    /// The log is read here; else the rows of `places` say how far others are.
    reads: bool,
    places: Places,
    read: AtomicBool,
    led: AtomicBool,
    open: AtomicBool,
    /// The last signal of each partition when the end of the log had been read.
    told: Mutex<Option<Vec<SignalKey>>>,
}

impl Default for Gate {
    /// Open: for whoever has nothing to wait for.
    fn default() -> Self {
        Self {
            began: None,
            reads: false,
            places: Places::default(),
            read: AtomicBool::new(true),
            led: AtomicBool::new(true),
            open: AtomicBool::new(true),
            told: Mutex::default(),
        }
    }
}

impl Gate {
    /// A closed gate of a process that started at `now`, elapsed time, and reads the log itself or not.
    pub fn closed(now: Ms, reads: bool, places: Places) -> Self {
        let no = || AtomicBool::new(false);
        Self { began: Some(now), reads, places, read: no(), led: no(), open: no(), told: Mutex::default() }
    }

    /// The evaluator has read and judged everything once, and what that raised is durable.
    pub fn has_read(&self) {
        self.read.store(true, Ordering::SeqCst);
    }

    /// The leader of this process has loaded what it must know.
    pub fn is_led(&self) {
        self.led.store(true, Ordering::SeqCst);
    }

    /// Whether pages may leave at `now`, elapsed time; `owner` is the name under which this process would lead.
    pub fn is_open(&self, store: &dyn Store, owner: &str, now: Ms) -> bool {
        if self.open.load(Ordering::SeqCst) {
            return true;
        }
        let missing = self.missing(store, owner);
        let waited = self.began.map_or(WAIT_MAX, |began| now - began);
        if !missing.is_empty() && waited < WAIT_MAX {
            return false;
        }
        if !self.open.swap(true, Ordering::SeqCst) {
            match missing.is_empty() {
                true => tracing::info!(waited_ms = waited, "pages may leave"),
                false => tracing::warn!(missing = missing.join(", "), "pages leave although not all is known yet"),
            }
        }
        true
    }

    /// What senders still wait for, in words.
    fn missing(&self, store: &dyn Store, owner: &str) -> Vec<&'static str> {
        let other_leads = || store.seat().is_ok_and(|seat| !seat.is_free() && seat.owner != owner);
        let others_read = || {
            let rows = store.partitions();
            !self.reads
                && rows
                    .is_ok_and(|rows| rows.iter().all(|(topic, n, at)| !self.places.holds(topic, *n) || at.caught_up))
        };
        let mut missing = Vec::new();
        if !self.led.load(Ordering::SeqCst) && !other_leads() {
            missing.push("a leader");
        }
        if !self.read.load(Ordering::SeqCst) && !others_read() {
            missing.push("the end of the log");
        }
        if missing.is_empty() && !self.all_taken(store).unwrap_or(false) {
            missing.push("what the log said to be decided");
        }
        missing
    }

    /// Whether the leader has taken every signal that there was when the log had first been read to its end.
    fn all_taken(&self, store: &dyn Store) -> Result<bool, StoreError> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let told = match &mut *told {
            Some(told) => told,
            none => {
                let all = store.partitions()?.into_iter();
                let last = |(topic, partition, at): (String, i32, crate::model::Progress)| SignalKey {
                    topic,
                    partition,
                    seq: at.seq,
                };
                none.insert(all.map(last).filter(|key| key.seq > 0).collect())
            }
        };
        let taken = store.cursors()?;
        let has = |key: &SignalKey| {
            taken.iter().any(|it| (&it.topic, it.partition) == (&key.topic, key.partition) && it.seq >= key.seq)
        };
        Ok(told.iter().all(has))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn pages_wait_for_a_leader_and_the_end_of_the_log_but_a_minute_at_most() {
        let store = MemoryStore::default();
        let gate = Gate::closed(1_000, true, Places::default());
        assert!(!gate.is_open(&store, "a", 1_000));
        gate.is_led();
        assert!(!gate.is_open(&store, "a", 2_000), "the log has not been read");
        gate.has_read();
        assert!(gate.is_open(&store, "a", 2_001));
        let gate = Gate::closed(1_000, true, Places::default());
        assert!(!gate.is_open(&store, "a", 1_000 + WAIT_MAX - 1));
        assert!(gate.is_open(&store, "a", 1_000 + WAIT_MAX));
        assert!(gate.is_open(&store, "a", 1_000), "it does not close again");
    }

    #[test]
    fn a_process_that_sends_alone_looks_at_who_leads_and_how_far_they_read() {
        let store = MemoryStore::default();
        let gate = Gate::closed(0, false, Places::default());
        assert!(!gate.is_open(&store, "sender", 1), "nobody leads");
        let seat = store.seat().expect("memory is never away");
        store.lead("leader", &seat).expect("memory is never away").expect("the seat is free");
        assert!(gate.is_open(&store, "sender", 2), "no partition lags");
    }
}
