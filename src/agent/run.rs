//! The agent's beat: collect, queue, hand over, wait.
//!
//! The idea: one thread and three injected things, the clock, where records go ([`Deliver`]) and when to end
//! ([`Stop`]). A hand-over that fails is tried again after a growing, jittered wait, while collecting goes on; nothing
//! is lost but what falls off the queue's end, and that is a number in the record.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::agent::collector::{Collector, put};
use crate::agent::queue::{Queue, Record};
use crate::decode::Draft;
use crate::time::{Clock, Ms, SECOND};

/// Records handed over at once: enough to drain an hour's queue in a few requests.
const BATCH_MAX: usize = 256;
/// Bytes handed over at once: well below the 16 MiB that a door takes.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// First wait after a failed hand-over.
const BACKOFF_MIN: Ms = SECOND;
/// Longest wait between two tries: the queue shall not stand still for long once the log is back.
const BACKOFF_MAX: Ms = 30 * SECOND;

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
    /// Records given up: refused by the other side, or fallen off the queue.
    pub dropped: AtomicU64,
    /// Failed hand-overs.
    pub failures: AtomicU64,
    /// Records waiting now.
    pub queue: AtomicU64,
}

/// The agent on one host.
#[derive(Debug)]
pub struct Agent {
    settings: Settings,
    collector: Collector,
    queue: Queue,
    refused: u64,
    backoff: Ms,
    retry_at: Option<Ms>,
    random: fastrand::Rng,
    counts: Arc<Counts>,
}

impl Agent {
    /// An agent that has not looked yet.
    pub fn new(settings: Settings, collector: Collector) -> Self {
        // Only the jitter is drawn from it: hosts that lost the same door shall not come back at the same instant.
        let seed = settings.host.bytes().fold(0u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let queue = Queue::new(settings.queue);
        let random = fastrand::Rng::with_seed(seed);
        let counts = Arc::default();
        Self { settings, collector, queue, refused: 0, backoff: BACKOFF_MIN, retry_at: None, random, counts }
    }

    /// The figures, which go on changing while it runs.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Collects and hands over until `stop` says so; then tries once more to hand over what waits.
    pub fn run(&mut self, clock: &dyn Clock, deliver: &dyn Deliver, stop: &dyn Stop) {
        let every = self.settings.every.max(1);
        let mut beat = clock.elapsed();
        loop {
            if clock.elapsed() >= beat {
                self.collect(clock.wall());
                // Beats that were missed (a suspend, a slow disk) are not made up for.
                let now = clock.elapsed();
                beat = if beat + every > now { beat + every } else { now + every };
            }
            if self.retry_at.is_none_or(|at| clock.elapsed() >= at) {
                self.hand_over(clock, deliver);
            }
            let wake = self.retry_at.map_or(beat, |at| at.min(beat));
            if stop.wait((wake - clock.elapsed()).max(0)) {
                break;
            }
        }
        self.hand_over(clock, deliver);
        if self.queue.len() > 0 {
            tracing::warn!(records = self.queue.len(), "agent ends with records that nobody took");
        }
    }

    fn collect(&mut self, now: Ms) {
        let mut draft =
            Draft { host: self.settings.host.clone(), labels: self.settings.labels.clone(), ..Draft::default() };
        self.collector.collect(now, &mut draft);
        // These count up to just before this very record is queued.
        let own = [
            ("bongsu.agent.dropped", self.dropped()),
            ("bongsu.agent.failures", self.collector.failures()),
            ("bongsu.agent.queue", self.queue.len() as u64),
        ];
        for (name, value) in own {
            put(&mut draft.points, name, value as f64, &[]);
        }
        self.queue.push(&draft);
        self.counts.collected.fetch_add(1, Ordering::Relaxed);
        self.publish();
    }

    fn dropped(&self) -> u64 {
        self.queue.dropped() + self.refused
    }

    fn publish(&self) {
        self.counts.dropped.store(self.dropped(), Ordering::Relaxed);
        self.counts.queue.store(self.queue.len() as u64, Ordering::Relaxed);
    }

    /// Hands over until nothing waits or something was kept.
    fn hand_over(&mut self, clock: &dyn Clock, deliver: &dyn Deliver) {
        while self.queue.len() > 0 {
            let batch = self.queue.batch(BATCH_MAX, BATCH_BYTES_MAX, clock.wall());
            let delivered = deliver.deliver(&batch);
            let fates = delivered.fates.get(..batch.len()).unwrap_or(&delivered.fates);
            let count = |fate| fates.iter().filter(|found| **found == fate).count() as u64;
            let refused = count(Fate::Refused);
            self.queue.settle(fates);
            self.refused += refused;
            self.counts.taken.fetch_add(count(Fate::Taken), Ordering::Relaxed);
            if refused > 0 {
                tracing::warn!(records = refused, "records were refused and are given up");
            }
            self.publish();
            if fates.is_empty() || fates.contains(&Fate::Kept) {
                self.back_off(clock.elapsed(), delivered.retry_after);
                return;
            }
        }
        if self.retry_at.take().is_some() {
            tracing::info!("records are taken again");
        }
        self.backoff = BACKOFF_MIN;
    }

    fn back_off(&mut self, now: Ms, asked: Option<Ms>) {
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        if self.retry_at.is_none() {
            tracing::warn!(waiting = self.queue.len(), "records are not taken; they wait");
        }
        let jittered = self.backoff / 2 + self.random.i64(0..=self.backoff / 2);
        self.retry_at = Some(now + jittered.max(asked.unwrap_or(0).min(BACKOFF_MAX)));
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Roots;
    use crate::time::ManualClock;

    const START: Ms = 1_764_000_000_000;

    /// A world of one thread: waiting moves the clock, delivering may cost time, the end comes at an instant.
    #[derive(Debug)]
    struct World {
        clock: ManualClock,
        end: Ms,
        /// Instants (after the start) between which nothing is taken.
        away: std::ops::Range<Ms>,
        answer: Delivered,
        /// How long a failing hand-over hangs.
        hang: Ms,
        tries: Mutex<Vec<(Ms, usize)>>,
        taken: Mutex<Vec<(Ms, Ms, Ms)>>,
    }

    impl World {
        fn new(end: Ms, away: std::ops::Range<Ms>) -> Self {
            let (answer, hang) = (Delivered::default(), 0);
            let clock = ManualClock::at(START);
            Self { clock, end, away, answer, hang, tries: Mutex::default(), taken: Mutex::default() }
        }

        fn run(&self, every: Ms, queue: usize) -> Arc<Counts> {
            let settings = Settings { every, host: "a".to_owned(), labels: Vec::new(), queue };
            let mut agent = Agent::new(settings, Collector::new(Roots { proc: "/nowhere".into() }));
            agent.run(&self.clock, self, self);
            agent.counts()
        }

        /// Instant of hand-over, `ts` and `sent` of what was taken, after the start.
        fn taken(&self) -> Vec<(Ms, Ms, Ms)> {
            self.taken.lock().unwrap().clone()
        }
    }

    impl Stop for World {
        fn wait(&self, length: Ms) -> bool {
            self.clock.advance(length);
            self.clock.elapsed() >= self.end
        }
    }

    impl Deliver for World {
        fn deliver(&self, records: &[Record]) -> Delivered {
            let now = self.clock.elapsed();
            self.tries.lock().unwrap().push((now, records.len()));
            if self.away.contains(&now) {
                self.clock.advance(self.hang);
                return self.answer.clone();
            }
            for record in records {
                let value: serde_json::Value = serde_json::from_slice(&record.value).unwrap();
                let at = |name: &str| value[name].as_i64().unwrap() - START;
                self.taken.lock().unwrap().push((now, at("ts"), at("sent")));
            }
            Delivered { fates: vec![Fate::Taken; records.len()], retry_after: None }
        }
    }

    #[test]
    fn each_beat_is_one_record_with_its_own_time() {
        let world = World::new(35_000, 0..0);
        let counts = world.run(10_000, 100);
        assert_eq!(world.taken(), [0, 10_000, 20_000, 30_000].map(|at| (at, at, at)));
        assert_eq!(counts.taken.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn what_waited_arrives_in_order_with_a_fresh_sent() {
        let world = World::new(120_000, 5_000..65_000);
        world.run(10_000, 100);
        let taken = world.taken();
        let times: Vec<_> = taken.iter().map(|(_, ts, _)| *ts).collect();
        assert_eq!(times, (0..12).map(|n| n * 10_000).collect::<Vec<_>>());
        assert!(taken.iter().all(|(now, _, sent)| now == sent));
        let late = taken.iter().find(|(_, ts, _)| *ts == 10_000).unwrap();
        assert!((65_000..=100_000).contains(&late.0), "{late:?}");
    }

    #[test]
    fn tries_grow_rarer_but_never_rarer_than_half_a_minute() {
        let world = World::new(600_000, 0..700_000);
        let counts = world.run(3_600_000, 100);
        let tries: Vec<_> = world.tries.lock().unwrap().iter().map(|(at, _)| *at).collect();
        let gaps: Vec<_> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!((500..=1_000).contains(&gaps[0]), "{gaps:?}");
        assert!(gaps.iter().skip(6).rev().skip(2).all(|gap| (15_000..=30_000).contains(gap)), "{gaps:?}");
        assert_eq!(counts.failures.load(Ordering::Relaxed), tries.len() as u64);
    }

    #[test]
    fn the_other_side_may_ask_for_more_patience() {
        let mut world = World::new(21_000, 0..1);
        world.answer = Delivered { fates: Vec::new(), retry_after: Some(20_000) };
        world.run(60_000, 100);
        assert_eq!(world.taken(), [(20_000, 0, 20_000)]);
    }

    #[test]
    fn a_full_queue_drops_the_oldest_and_says_so() {
        let world = World::new(100_000, 0..95_000);
        let counts = world.run(10_000, 3);
        assert_eq!(world.taken().iter().map(|(_, ts, _)| *ts).collect::<Vec<_>>(), [70_000, 80_000, 90_000]);
        assert_eq!(counts.dropped.load(Ordering::Relaxed), 7);
    }

    #[test]
    fn what_is_refused_for_ever_does_not_block_the_rest() {
        let mut world = World::new(25_000, 0..5_000);
        world.answer = Delivered { fates: vec![Fate::Refused], retry_after: None };
        let counts = world.run(10_000, 100);
        assert_eq!(world.taken().iter().map(|(_, ts, _)| *ts).collect::<Vec<_>>(), [10_000, 20_000]);
        assert_eq!(counts.dropped.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn beats_missed_while_a_hand_over_hangs_are_not_made_up_for() {
        let mut world = World::new(100_000, 5_000..15_000);
        world.hang = 25_000;
        world.run(10_000, 100);
        let times: Vec<_> = world.taken().iter().map(|(_, ts, _)| *ts).collect();
        assert_eq!(times, [0, 10_000, 35_000, 45_000, 55_000, 65_000, 75_000, 85_000, 95_000]);
    }

    #[test]
    fn a_closed_latch_ends_the_wait() {
        let latch = Arc::new(Latch::default());
        assert!(!latch.wait(1));
        latch.close();
        assert!(latch.wait(60_000));
    }
}
