//! An evaluation that nothing ever disturbed, beside the one of the processes: what signals there must be.
//!
//! The idea: it takes the log record by record, other rules at the very record at which they came in force, and is never
//! restored, fenced or killed. The stored signals of a partition must be a beginning of its own, and at the end all of
//! them. Each look takes what is new since the last one. What becomes of signals is not its affair.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::decode::Limits;
use crate::evaluate::{Setup, Warm};
use crate::model::{Ended, Progress, Signal, WIDE};
use crate::pipeline::sim::log::MemoryLog;
use crate::pipeline::sim::promises::refused;
use crate::pipeline::sim::{Reloaded, Reloads, Violation};
use crate::pipeline::stages::{At, Fed, Lanes};
use crate::store::Store;

/// More rows than there ever are.
const ALL: usize = 10_000_000;
/// A record stamped so far below the clock counts as at it.
const TOLERANCE: i64 = 5_000;

/// Where the processes read and write.
#[derive(Debug, Clone, Copy)]
pub(in crate::pipeline) struct Places<'a> {
    /// The log.
    pub(in crate::pipeline) log: &'a MemoryLog,
    /// What is durable.
    pub(in crate::pipeline) store: &'a dyn Store,
    /// Reloads so far.
    pub(in crate::pipeline) reloads: &'a Reloads,
    /// Flushes that became durable so far.
    pub(in crate::pipeline) flushes: u64,
}

/// The evaluation, and how far it has come.
#[derive(Debug)]
pub(in crate::pipeline) struct Undisturbed {
    topic: String,
    partitions: i32,
    lanes: Lanes,
    /// Reloads that were gone through.
    reloaded: usize,
    /// Records taken, per partition.
    fed: BTreeMap<i32, usize>,
    expected: BTreeMap<i32, Vec<Signal>>,
    /// Stored signals that were found right, per partition.
    right: BTreeMap<i32, usize>,
    /// The first wide rule came while nobody evaluated.
    wide_is_free: bool,
}

impl Undisturbed {
    /// Of a log that nothing was taken from yet, under the first rules.
    pub(in crate::pipeline) fn new(setup: &Arc<Setup>, limits: Limits) -> Self {
        let partitions = setup.partitions;
        let mut lanes = Lanes::new(Arc::clone(setup), limits, None, Vec::new());
        for partition in 0..partitions {
            lanes.start(partition, Some(&Progress::default()), Vec::new(), Warm { low: 0, first_append: None });
        }
        Self {
            topic: setup.topic.clone(),
            partitions,
            lanes,
            reloaded: 0,
            fed: BTreeMap::new(),
            expected: BTreeMap::new(),
            right: BTreeMap::new(),
            wide_is_free: false,
        }
    }

    /// I1, I6, I7b: takes what is new in the log, as far as it was made durable, or all of it; per partition the stored
    /// signals must be what it says itself, as far as they go.
    pub(in crate::pipeline) fn follow(&mut self, at: Places<'_>, to_the_end: bool) -> Result<(), Violation> {
        let offset = |partition| {
            let progress = at.store.progress(&self.topic, partition).map_err(refused)?;
            Ok(progress.map_or(0, |(_, progress)| progress.offset))
        };
        let durable: Vec<i64> = (0..self.partitions).map(offset).collect::<Result<_, Violation>>()?;
        let end = if to_the_end { vec![i64::MAX; durable.len()] } else { durable };
        let reloads = at.reloads.in_force(at.flushes, to_the_end);
        while let Some(Reloaded { from, setup, unattended }) = reloads.get(self.reloaded) {
            self.feed(at.log, from);
            let was_idle = self.lanes.wide().is_idle();
            let expected = &mut self.expected;
            self.lanes.follow_wide(&mut |fed| keep(expected, &fed));
            self.lanes.reload(setup, &mut |fed| keep(expected, &fed));
            self.wide_is_free |= *unattended && was_idle && !self.lanes.wide().is_idle();
            self.reloaded += 1;
        }
        self.feed(at.log, &end);
        self.compare(at)
    }

    /// Takes the records up to an offset of each partition, in the order of their append times; where a clock went back, a
    /// partition's own order stands over that.
    fn feed(&mut self, log: &MemoryLog, until: &[i64]) {
        let mut order = Vec::new();
        let mut queues = Vec::new();
        for (partition, until) in (0..).zip(until) {
            let from = self.fed.get(&partition).copied().unwrap_or(0);
            let mut records = log.records_from(partition, from);
            records.truncate(usize::try_from(*until).unwrap_or(0).saturating_sub(from));
            self.fed.insert(partition, from + records.len());
            order.extend(records.iter().zip(from..).map(|(record, n)| (record.append, partition, n)));
            queues.push((from..).zip(records).collect::<VecDeque<_>>());
        }
        order.sort_unstable();
        for (_, partition, _) in order {
            let queue = usize::try_from(partition).ok().and_then(|n| queues.get_mut(n));
            let Some((n, record)) = queue.and_then(VecDeque::pop_front) else { continue };
            let at = At { partition, offset: i64::try_from(n).unwrap_or(i64::MAX), append: record.append };
            let expected = &mut self.expected;
            self.lanes.feed(at, &record.key, &record.value, &mut |fed| keep(expected, &fed));
        }
    }

    fn compare(&mut self, at: Places<'_>) -> Result<(), Violation> {
        for partition in self.compared(at.log) {
            let right = self.right.entry(partition).or_default();
            let after = i64::try_from(*right).unwrap_or(i64::MAX);
            let stored = at.store.signals(&self.topic, partition, after, ALL).map_err(refused)?;
            let expected = self.expected.get(&partition).map_or(&[][..], Vec::as_slice);
            for (seq, signal) in &stored {
                if *seq != i64::try_from(*right).unwrap_or(i64::MAX) + 1 {
                    return Err(format!("I1: partition {partition}: signal {} has seq {seq}", *right + 1));
                }
                let want = expected.get(*right);
                if !want.is_some_and(|want| is_same(partition, signal, want)) {
                    return Err(format!("I6: partition {partition}, seq {seq}: got {signal:?}, want {want:?}"));
                }
                *right += 1;
            }
        }
        Ok(())
    }

    /// Partitions whose signals are a function of the log. Whether wide ticks of a segment that was left ran before a
    /// partition went back hangs on which partition was read first: across a clock break those of wide rules are none.
    /// Nor where the first wide rule came while nobody evaluated: whoever begins with it knows what a partition that was
    /// ahead held at the ticks that the slowest had not passed, a run that never stopped did not look.
    fn compared(&self, log: &MemoryLog) -> Vec<i32> {
        let broke = (0..self.partitions).any(|partition| log.went_back(partition, TOLERANCE));
        (0..self.partitions).chain((!broke && !self.wide_is_free).then_some(WIDE)).collect()
    }

    /// I1: what evaluation had to say is stored, and what is stored the leader took.
    pub(in crate::pipeline) fn all_was_said_and_taken(&self, at: Places<'_>) -> Result<(), Violation> {
        for partition in self.compared(at.log) {
            let right = self.right.get(&partition).copied().unwrap_or(0);
            let missing = self.expected.get(&partition).map_or(&[][..], Vec::as_slice).get(right..).unwrap_or(&[]);
            if !missing.is_empty() {
                return Err(format!("I1: partition {partition}: {} signals are missing: {missing:?}", missing.len()));
            }
        }
        let cursors = at.store.cursors().map_err(refused)?;
        for partition in WIDE..self.partitions {
            let stored = at.store.signals(&self.topic, partition, 0, ALL).map_err(refused)?;
            let last = stored.last().map_or(0, |(seq, _)| *seq);
            let taken = cursors.iter().find(|key| key.partition == partition).map_or(0, |key| key.seq);
            if last != taken {
                return Err(format!("I1: partition {partition}: handed over up to {last}, taken up to {taken}"));
            }
        }
        Ok(())
    }
}

/// Whether a stored signal is the one that is wanted. A reload has no place in the log: where a wide rule is taken away
/// while nobody runs, whoever starts next ends its instances at the first tick of its own, a run that never stopped at the
/// clock that it had.
fn is_same(partition: i32, got: &Signal, want: &Signal) -> bool {
    let is_taken_away = partition == WIDE && want.ended == Some(Ended::RuleChanged);
    if is_taken_away { *got == Signal { at: got.at, ..want.clone() } } else { got == want }
}

/// Keeps the signals that the incident stage acts on.
fn keep(expected: &mut BTreeMap<i32, Vec<Signal>>, fed: &Fed<'_>) {
    let acted = fed.effects.signals.iter().filter(|signal| signal.acted).cloned();
    expected.entry(fed.partition).or_default().extend(acted);
}
