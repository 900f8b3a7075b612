//! The agent's beat: collect, queue, hand over, wait.
//!
//! The idea: one thread beats, with three injected things, the clock, where records go ([`Deliver`]) and when to end
//! ([`Stop`]); a second one ([`Hands`]) waits for the other side, so that a door which says nothing costs no
//! measurement. A hand-over that fails is tried again after a growing, jittered wait, while collecting goes on; until
//! then records wait in the [`Spool`], or in memory where there is none. Nothing is lost but what falls off the end of
//! either, and that is a number in the record.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::agent::collector::{Collector, put};
use crate::agent::hands::Hands;
use crate::agent::lines::parcels;
use crate::agent::queue::{Queue, Record};
use crate::agent::spool::{Spool, SpoolState};
use crate::agent::tail::{self, LogFile, Tail};
use crate::decode::{Draft, stamp};
use crate::time::{Clock, Ms, SECOND};

/// Records handed over at once: enough to drain an hour's queue in a few requests.
const BATCH_MAX: usize = 256;
/// Bytes handed over at once: well below the 16 MiB that a door takes.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// First wait after a failed hand-over.
const BACKOFF_MIN: Ms = SECOND;
/// Longest wait between two tries: the queue shall not stand still for long once the log is back.
const BACKOFF_MAX: Ms = 30 * SECOND;
/// How long batches are still given away after the agent was asked to end.
const LAST_TRIES: Ms = 2 * SECOND;
/// How long the last of them is waited for: as long as a door may take.
const LAST_ANSWER: Ms = 10 * SECOND;

/// What became of one record that was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Durable at the other side.
    Taken,
    /// The other side will never take it: dropped and counted.
    Refused,
    /// Not now: it stays in the queue.
    Kept,
}

/// The outcome of one hand-over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivered {
    /// The records' fates in their order. Those without one were not tried and come again at once; no fate at all, or
    /// one that is kept, means that there is no use in going on now.
    pub fates: Vec<Fate>,
    /// How long the other side asked us to wait, ms.
    pub retry_after: Option<Ms>,
}

/// Where records go: a door, or a log that the caller holds.
pub trait Deliver: Send + Sync + fmt::Debug {
    /// Hands `records` over, oldest first, and returns when their fate is known or a time limit is over.
    fn deliver(&self, records: &[Record]) -> Delivered;
}

/// When to end.
pub trait Stop: Send + Sync + fmt::Debug {
    /// Waits for at most `length` ms. `true`: end now.
    fn wait(&self, length: Ms) -> bool;
}

/// A [`Stop`] that is closed from another thread.
#[derive(Debug, Default)]
pub struct Latch {
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Latch {
    /// Ends every wait, now and later.
    pub fn close(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

impl Stop for Latch {
    fn wait(&self, length: Ms) -> bool {
        let length = Duration::from_millis(u64::try_from(length).unwrap_or(0));
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(closed, length, |closed| !*closed);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// What the agent is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Distance of collections, ms.
    pub every: Ms,
    /// The source's name; see [`host_name`](crate::agent::host_name) for the kernel's.
    pub host: String,
    /// Labels of every record, without `host`.
    pub labels: Vec<(String, String)>,
    /// Records kept at most while they cannot be handed over (4,096 ≈ 11 h at 10 s, some 20 MB).
    pub queue: usize,
}

/// Figures of a running agent, for whoever shows them.
#[derive(Debug, Default)]
pub struct Counts {
    /// Records made.
    pub collected: AtomicU64,
    /// Records that the other side made durable.
    pub taken: AtomicU64,
    /// Records given up: refused by the other side, or fallen off the queue or the spool.
    pub dropped: AtomicU64,
    /// Failed hand-overs.
    pub failures: AtomicU64,
    /// Records waiting now, in memory and in the spool.
    pub queue: AtomicU64,
}

/// The agent on one host.
#[derive(Debug)]
pub struct Agent {
    settings: Settings,
    collector: Collector,
    queue: Queue,
    spool: Option<Box<dyn Spool>>,
    spool_fails: bool,
    refused: u64,
    backoff: Ms,
    retry_at: Option<Ms>,
    flight: Option<Flight>,
    tails: Vec<Tail>,
    /// The places of the tails as the spool has them.
    noted: Value,
    /// Lines were read whose place is not noted yet.
    unnoted: bool,
    random: fastrand::Rng,
    counts: Arc<Counts>,
}

/// Where a batch came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Queue,
    Spool,
}

/// A batch under way.
#[derive(Debug, Clone, Copy)]
struct Flight {
    from: From,
    n: usize,
    /// What had fallen off the queue when it was given away.
    dropped: u64,
    /// How many of its first records are nowhere any more: they fell off before the rest went into the spool.
    off: usize,
}

impl Agent {
    /// An agent that has not looked yet.
    pub fn new(settings: Settings, collector: Collector) -> Self {
        // Only the jitter is drawn from it: hosts that lost the same door shall not come back at the same instant.
        let seed = settings.host.bytes().fold(0u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Self {
            queue: Queue::new(settings.queue),
            settings,
            collector,
            spool: None,
            spool_fails: false,
            refused: 0,
            backoff: BACKOFF_MIN,
            retry_at: None,
            flight: None,
            tails: Vec::new(),
            noted: Value::Null,
            unnoted: false,
            random: fastrand::Rng::with_seed(seed),
            counts: Arc::default(),
        }
    }

    /// The same with a spool behind its queue: what cannot be handed over goes there, and what is there goes first.
    #[must_use]
    pub fn with_spool(self, spool: Box<dyn Spool>) -> Self {
        Self { spool: Some(spool), ..self }
    }

    /// The same with log files to follow, from where an agent with this spool stopped.
    #[must_use]
    pub fn following(mut self, files: Vec<LogFile>) -> Self {
        let noted = self.spool.as_mut().map_or(Ok(None), |spool| spool.remembered());
        let noted = self.note_spool(noted).flatten();
        let places = noted.and_then(|note| serde_json::from_slice(&note).ok()).unwrap_or(Value::Null);
        self.tails = files.into_iter().map(|file| Tail::new(file, &places)).collect();
        self.noted = places;
        // Where it begins is noted with the first look: what comes while the agent is away is read then.
        self.unnoted = !self.tails.is_empty();
        self
    }

    /// The figures, which go on changing while it runs.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Collects and hands over until `stop` says so; then tries once more to hand over what waits.
    pub fn run(&mut self, clock: &dyn Clock, deliver: &dyn Deliver, stop: &dyn Stop) {
        std::thread::scope(|scope| match Hands::start(scope, deliver) {
            Ok(hands) => {
                self.beat(clock, &hands, stop);
                self.end(clock, &hands);
            }
            Err(why) => tracing::error!(%why, "the agent cannot start a thread; it collects nothing"),
        });
    }

    fn beat(&mut self, clock: &dyn Clock, hands: &Hands, stop: &dyn Stop) {
        let every = self.settings.every.max(1);
        let mut beat = clock.elapsed();
        loop {
            if clock.elapsed() >= beat {
                self.collect(clock);
                // Beats that were missed (a suspend, a slow disk) are not made up for.
                let now = clock.elapsed();
                beat = if beat + every > now { beat + every } else { now + every };
            }
            if self.flight.is_none() && self.retry_at.is_none_or(|at| clock.elapsed() >= at) {
                self.launch(clock, hands);
            }
            let mut rest = 0;
            if self.flight.is_none() {
                rest = self.retry_at.map_or(beat, |at| at.min(beat)) - clock.elapsed();
            } else if let Some(delivered) = hands.answer(beat - clock.elapsed()) {
                self.land(clock, &delivered);
            }
            if stop.wait(rest.max(0)) {
                return;
            }
        }
    }

    /// The last try. What is not taken by then goes to the spool, or is lost where there is none.
    fn end(&mut self, clock: &dyn Clock, hands: &Hands) {
        let until = clock.elapsed() + LAST_TRIES;
        loop {
            if self.flight.is_none() && (clock.elapsed() > until || !self.launch(clock, hands)) {
                break;
            }
            let taken = hands.answer(LAST_ANSWER).is_some_and(|delivered| self.land(clock, &delivered));
            if !taken {
                break;
            }
        }
        // Whatever is still under way is in the spool too: the other side counts a record once.
        self.flight = None;
        self.spill();
        if self.queue.len() > 0 {
            tracing::warn!(records = self.queue.len(), "agent ends with records that nobody took");
        }
    }

    /// Queues what was appended to the log files.
    fn read_logs(&mut self, now: Ms) {
        for tail in &mut self.tails {
            let lines = tail.look();
            self.unnoted |= !lines.is_empty();
            let own = &tail.file.labels;
            let other = self.settings.labels.iter().filter(|(name, _)| own.iter().all(|(own, _)| own != name));
            let labels: Vec<_> = other.chain(own).cloned().collect();
            for lines in parcels(lines) {
                let lines = lines.into_iter().map(|(level, text)| (now, level, text)).collect();
                let (host, labels) = (self.settings.host.clone(), labels.clone());
                self.queue.push(&Draft { ts: now, host, labels, lines, ..Draft::default() });
            }
        }
    }

    /// Makes durable how far the log files were read, once their lines are.
    fn note_places(&mut self) {
        if self.tails.is_empty() || self.queue.len() > 0 {
            return;
        }
        let places = tail::places(&self.tails);
        self.unnoted = false;
        if let Some(spool) = &mut self.spool
            && places != self.noted
        {
            let noted = spool.remember(places.to_string().as_bytes());
            match self.note_spool(noted) {
                Some(()) => self.noted = places,
                None => self.unnoted = true,
            }
        }
    }

    fn collect(&mut self, clock: &dyn Clock) {
        self.read_logs(clock.wall());
        let mut draft =
            Draft { host: self.settings.host.clone(), labels: self.settings.labels.clone(), ..Draft::default() };
        let began = clock.elapsed();
        self.collector.collect(clock.wall(), &mut draft);
        let took = (clock.elapsed() - began) as f64 / SECOND as f64;
        put(&mut draft.points, "bongsu.agent.collection.duration", took, &[]);
        // These count up to just before this very record is queued.
        let spool = self.spool_state();
        let dropped = self.queue.dropped() + spool.dropped + self.refused;
        put(&mut draft.points, "bongsu.agent.dropped", dropped as f64, &[]);
        put(&mut draft.points, "bongsu.agent.failures", self.collector.failures() as f64, &[]);
        put(&mut draft.points, "bongsu.agent.queue", self.queue.len() as f64, &[]);
        if self.spool.is_some() {
            put(&mut draft.points, "bongsu.agent.spool", spool.records as f64, &[]);
            put(&mut draft.points, "bongsu.agent.spool.usage", spool.bytes as f64, &[]);
        }
        if !self.tails.is_empty() {
            let skipped: u64 = self.tails.iter().map(Tail::skipped).sum();
            put(&mut draft.points, "bongsu.agent.logs.skipped", skipped as f64, &[]);
        }
        self.queue.push(&draft);
        self.counts.collected.fetch_add(1, Ordering::Relaxed);
        // Who did not answer since the last beat may be away. Lines are read once, so they are made durable before
        // their place in the file is.
        if self.retry_at.is_some() || self.unnoted || self.flight.is_some() {
            self.spill();
        }
        self.note_places();
        self.publish();
    }

    fn spool_state(&mut self) -> SpoolState {
        self.spool.as_mut().map(|spool| spool.state()).unwrap_or_default()
    }

    fn publish(&mut self) {
        let spool = self.spool_state();
        let dropped = self.queue.dropped() + spool.dropped + self.refused;
        self.counts.dropped.store(dropped, Ordering::Relaxed);
        self.counts.queue.store(self.queue.len() as u64 + spool.records, Ordering::Relaxed);
    }

    /// Gives the next batch away; `false`: nothing waits.
    fn launch(&mut self, clock: &dyn Clock, hands: &Hands) -> bool {
        let (from, batch) = self.oldest(clock.wall());
        if batch.is_empty() {
            if self.retry_at.take().is_some() {
                tracing::info!("records are taken again");
            }
            self.backoff = BACKOFF_MIN;
            return false;
        }
        self.flight = Some(Flight { from, n: batch.len(), dropped: self.queue.dropped(), off: 0 });
        hands.give(batch);
        true
    }

    /// Takes the outcome of the batch under way; `true`: there is use in going on now.
    fn land(&mut self, clock: &dyn Clock, delivered: &Delivered) -> bool {
        let Some(flight) = self.flight.take() else { return false };
        let fates = delivered.fates.get(..flight.n).unwrap_or(&delivered.fates);
        let kept = fates.is_empty() || fates.contains(&Fate::Kept);
        self.settle(flight, fates);
        if kept {
            self.back_off(clock.elapsed(), delivered.retry_after);
            self.spill();
        }
        self.publish();
        !kept
    }

    /// The next batch, stamped with `sent`: of the spool as long as it holds something, for that is older.
    fn oldest(&mut self, sent: Ms) -> (From, Vec<Record>) {
        while let Some(spool) = &mut self.spool {
            let waiting = spool.oldest(BATCH_MAX, BATCH_BYTES_MAX);
            let waiting = self.note_spool(waiting).unwrap_or_default();
            let batch = stamped(&waiting, sent);
            if !batch.is_empty() {
                return (From::Spool, batch);
            }
            if waiting.is_empty() {
                break;
            }
            // Its first record is none of an agent's: it would stand in the way for ever.
            self.refused += 1;
            self.settle_spool(1);
        }
        (From::Queue, stamped(&self.queue.oldest(BATCH_MAX, BATCH_BYTES_MAX), sent))
    }

    fn settle(&mut self, flight: Flight, fates: &[Fate]) {
        let from = flight.from;
        // Those that fell off the queue's end in the meantime are counted as that.
        let fates = fates.get(self.off(flight)..).unwrap_or_default();
        // The spool is settled from the front alone; what was taken behind a kept one is handed over again, which
        // changes nothing at the other side.
        let settled = match from {
            From::Queue => fates,
            From::Spool => fates.split(|fate| *fate == Fate::Kept).next().unwrap_or_default(),
        };
        let count = |fate| settled.iter().filter(|found| **found == fate).count() as u64;
        let (taken, refused) = (count(Fate::Taken), count(Fate::Refused));
        self.counts.taken.fetch_add(taken, Ordering::Relaxed);
        self.refused += refused;
        if refused > 0 {
            tracing::warn!(records = refused, "records were refused and are given up");
        }
        match from {
            From::Queue => self.queue.settle(fates),
            From::Spool => self.settle_spool(settled.len()),
        }
    }

    /// How many of the first records under way are nowhere any more.
    fn off(&self, flight: Flight) -> usize {
        match flight.from {
            From::Queue => usize::try_from(self.queue.dropped() - flight.dropped).unwrap_or(usize::MAX),
            From::Spool => flight.off,
        }
    }

    fn settle_spool(&mut self, n: usize) {
        if let Some(spool) = &mut self.spool
            && n > 0
        {
            let settled = spool.settle(n);
            self.note_spool(settled);
        }
    }

    /// Puts what is only in memory behind what is in the spool. Where that fails, it stays in memory.
    fn spill(&mut self) {
        let under_way = self.flight.filter(|flight| flight.from == From::Queue);
        // A batch of the queue that is under way is then the spool's, settled at its front: it must be the first there.
        if self.queue.len() == 0 || (under_way.is_some() && self.spool_state().records > 0) {
            return;
        }
        let n = self.queue.len();
        let Some(spool) = &mut self.spool else { return };
        let pushed = spool.push(&self.queue.oldest(n, usize::MAX));
        if self.note_spool(pushed).is_none() {
            return;
        }
        self.queue.forget(n);
        if let Some(flight) = under_way {
            self.flight = Some(Flight { from: From::Spool, off: self.off(flight), ..flight });
        }
    }

    /// Says once when the spool begins to fail, and when it is well again.
    fn note_spool<T>(&mut self, outcome: Result<T, String>) -> Option<T> {
        match &outcome {
            Err(why) if !self.spool_fails => tracing::warn!(why, "the spool cannot be used; records wait in memory"),
            Ok(_) if self.spool_fails => tracing::info!("the spool can be used again"),
            _ => {}
        }
        self.spool_fails = outcome.is_err();
        outcome.ok()
    }

    fn back_off(&mut self, now: Ms, asked: Option<Ms>) {
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        if self.retry_at.is_none() {
            let waiting = self.counts.queue.load(Ordering::Relaxed);
            tracing::warn!(waiting, "records are not taken; they wait");
        }
        let jittered = self.backoff / 2 + self.random.i64(0..=self.backoff / 2);
        self.retry_at = Some(now + jittered.max(asked.unwrap_or(0).min(BACKOFF_MAX)));
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
    }
}

/// The records with `sent` in them, up to the first that has no place for it.
fn stamped(waiting: &[Record], sent: Ms) -> Vec<Record> {
    let stamp = |record: &Record| Some(Record { key: record.key.clone(), value: stamp(&record.value, sent)? });
    waiting.iter().map_while(stamp).collect()
}

#[cfg(test)]
mod tests;
