//! One `evaluate` process: reads its partitions, runs the rules, makes progress and consequences durable together.
//!
//! The idea: everything durable goes through one flush; whatever goes wrong, what was not flushed is simply done again
//! from the log. The evaluator blocks in the log and the store and nowhere else; `step` is one turn, so that a thread, a
//! replay and a simulated world drive the same code. It decides nothing about rules (`stages`) or flush borders
//! (`flush`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::evaluate::{Setup, Warm, horizon};
use crate::log::{Bounds, Event, LogError, Sink, Source, Topic};
use crate::model::{Batch, Flushed, Labels, Progress, State, StateRow, WIDE};
use crate::pipeline::flush::{self, Pending};
use crate::pipeline::mend::mend;
use crate::pipeline::own::own_signal;
use crate::pipeline::pulse::Pulses;
use crate::pipeline::stages::{At, Fed, Lanes};
use crate::pipeline::tally::Tally;
use crate::store::{Store, StoreError};
use crate::time::{Clock, Ms};

/// A tick that no record has closed for so long gets a pulse.
const PULSE_AFTER: Ms = 200;
/// Steps that wait for the store at most: beyond it nothing more is read until a flush succeeded.
const BACKLOG_STEPS_MAX: usize = 50_000;
/// After a failed flush the next try waits so long.
const RETRY_AFTER: Ms = 250;
/// How long to look for the first record that is still there.
const PEEK_WAIT: Duration = Duration::from_secs(5);

/// What an evaluator works with.
#[derive(Debug)]
pub struct Sides {
    /// Where records come from.
    pub source: Box<dyn Source>,
    /// The same topic's writing side, for pulses; `None` where time must not be written (reading only).
    pub pulses: Option<Arc<dyn Sink>>,
    /// Where refused records and parts of them go.
    pub dead: Option<Arc<dyn Sink>>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
}

/// What can stop an evaluator.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What one turn did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn {
    /// The log had something to say, records or not.
    pub heard: bool,
    /// Records taken, muted ones included.
    pub records: usize,
    /// A flush became durable.
    pub flushed: bool,
    /// It held signals: the incident stage has work.
    pub signalled: bool,
}

/// One `evaluate` process.
#[derive(Debug)]
pub struct Evaluator {
    sides: Sides,
    owner: String,
    topic: Topic,
    setup: Arc<Setup>,
    limits: crate::decode::Limits,
    lanes: Lanes,
    pending: BTreeMap<i32, Pending>,
    assigned: BTreeSet<i32>,
    stash: VecDeque<Event>,
    pulses: Pulses,
    read: BTreeMap<i32, Read>,
    retry_at: Ms,
    /// Why the last flush did not become durable.
    refused: Option<String>,
    tally: Tally,
}

/// How far a partition has been read, against what the log holds.
#[derive(Debug, Clone, Copy, Default)]
struct Read {
    next: i64,
    high: i64,
    /// When the last record was taken, elapsed time.
    at: Ms,
}

impl Evaluator {
    /// Takes the wide rules' virtual partition; partitions follow as the log assigns them.
    pub fn start(
        sides: Sides,
        owner: &str,
        setup: Arc<Setup>,
        limits: crate::decode::Limits,
    ) -> Result<Self, EvaluateError> {
        let topic = sides.source.topic()?;
        let (lanes, wide) = take_wide(&sides, &topic, owner, &setup, limits)?;
        Ok(Self {
            sides,
            owner: owner.to_owned(),
            topic,
            setup,
            limits,
            lanes,
            pending: BTreeMap::from([(WIDE, wide)]),
            assigned: BTreeSet::new(),
            stash: VecDeque::new(),
            pulses: Pulses::default(),
            read: BTreeMap::new(),
            retry_at: 0,
            refused: None,
            tally: Tally::default(),
        })
    }

    /// What was counted since the start.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The topic.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// The partitions and what is in them.
    pub fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// What it runs under.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The offset up to which everything of a partition is durable.
    pub fn durable_offset(&self, partition: i32) -> Option<i64> {
        self.pending.get(&partition).map(Pending::durable_offset)
    }

    /// Next offset to read and next offset of the log, per partition.
    pub fn places(&self) -> impl Iterator<Item = (i32, i64, i64)> {
        self.read.iter().map(|(partition, read)| (*partition, read.next, read.high))
    }

    /// What keeps it from its work without stopping it, in one Korean sentence: nothing is lost, it goes on by itself.
    pub fn trouble(&self) -> Option<String> {
        let store = self.refused.as_ref().map(|why| format!("저장소에 기록할 수 없습니다: {why}"));
        store.or_else(|| self.pulses.trouble().map(|why| format!("로그에 기록할 수 없습니다: {why}")))
    }

    /// How far the wall clock is ahead of the log's at least, negative: behind; `None` where nothing tells.
    pub fn clock_difference(&self) -> Option<Ms> {
        self.pulses.difference()
    }

    /// One turn: what the log has (waiting at most `wait`), pulses, and a flush where one is due.
    pub fn step(&mut self, wait: Duration) -> Result<Turn, EvaluateError> {
        let mut turn = Turn::default();
        if self.pending.values().map(Pending::backlog).sum::<usize>() < BACKLOG_STEPS_MAX {
            let event = match self.stash.pop_front() {
                Some(event) => Some(event),
                None => self.sides.source.next(wait)?,
            };
            turn.heard = event.is_some();
            turn.records = self.take(event)?;
        }
        self.pulse();
        self.flush_if_due(&mut turn)?;
        Ok(turn)
    }

    /// Flushes whatever there is: before the end.
    pub fn finish(&mut self) -> Result<Turn, EvaluateError> {
        let mut turn = Turn::default();
        while self.flush(&mut turn)? {}
        Ok(turn)
    }

    /// Puts another rule set in force.
    pub fn reload(&mut self, setup: Arc<Setup>) {
        let now = self.sides.clock.elapsed();
        let (pending, tally) = (&mut self.pending, &mut self.tally);
        self.lanes.reload(&setup, &mut |fed| keep(pending, tally, fed, now));
        self.setup = setup;
    }

    fn take(&mut self, event: Option<Event>) -> Result<usize, EvaluateError> {
        match event {
            Some(Event::Assigned { partition }) => {
                self.assigned.insert(partition);
                Ok(0)
            }
            Some(Event::Revoked { partition, lost }) => {
                if !lost {
                    self.finish()?;
                }
                self.drop_partition(partition);
                Ok(0)
            }
            Some(Event::Gap { partition, wanted, low }) => {
                self.report_gap(partition, &format!("records {wanted} to {low} were gone before they were read"))?;
                Ok(0)
            }
            Some(Event::Batch(batch)) => {
                // A batch that was on its way before its partition was sought anew is not the next one.
                if !self.restore_assigned()?.contains(&batch.partition) {
                    self.take_batch(&batch);
                }
                Ok(batch.slots.len())
            }
            None => {
                self.restore_assigned()?;
                self.look_where_the_log_ends()?;
                Ok(0)
            }
        }
    }

    fn drop_partition(&mut self, partition: i32) {
        self.lanes.stop(partition);
        self.pending.remove(&partition);
        self.read.remove(&partition);
        self.assigned.remove(&partition);
    }

    fn take_batch(&mut self, batch: &Batch) {
        let now = self.sides.clock.elapsed();
        let (pending, tally) = (&mut self.pending, &mut self.tally);
        let mut dead = Vec::new();
        for slot in &batch.slots {
            let (key, value) = batch.record(slot);
            let at = At { partition: batch.partition, offset: slot.offset, append: slot.append };
            self.lanes.feed(at, key, value, &mut |fed| {
                crate::pipeline::dead::collect(&fed, at, &mut dead);
                keep(pending, tally, fed, now);
            });
        }
        self.pulses.read(batch);
        if let Some(slot) = batch.slots.last() {
            let read = self.read.entry(batch.partition).or_default();
            (read.next, read.at) = (slot.offset + 1, now);
            read.high = read.high.max(read.next);
        }
        if let Some(sink) = self.sides.dead.as_ref().filter(|_| !dead.is_empty()) {
            let failed = sink.append(dead).iter().filter(|done| done.is_err()).count();
            self.tally.dead_letters_lost += failed as u64;
        }
    }

    /// Asks the log where it ends; called when nothing came, so it costs nothing under load.
    fn look_where_the_log_ends(&mut self) -> Result<(), EvaluateError> {
        let now = self.sides.clock.elapsed();
        for (partition, read) in &mut self.read {
            read.high = self.sides.source.bounds(*partition)?.high;
            if let Some(pending) = self.pending.get_mut(partition) {
                pending.set_caught_up(read.next >= read.high, now);
            }
        }
        Ok(())
    }

    // --- restore

    /// Brings back what was assigned since the last turn: one look-back for all, as wide rules need each at the same ticks.
    fn restore_assigned(&mut self) -> Result<Vec<i32>, EvaluateError> {
        let fresh: Vec<i32> = self.assigned.iter().copied().filter(|p| self.lanes.partition(*p).is_none()).collect();
        if fresh.is_empty() {
            return Ok(fresh);
        }
        let mut found = Vec::new();
        for &partition in &fresh {
            let owned = self.sides.store.own(&self.topic.name, partition, &self.owner)?;
            let bounds = self.sides.source.bounds(partition)?;
            found.push((partition, owned, bounds));
        }
        let clocks = found.iter().filter_map(|(_, owned, _)| owned.progress.as_ref().map(|progress| progress.clock));
        let oldest = clocks.min().unwrap_or_else(|| self.sides.clock.wall());
        let from = oldest - horizon(&self.setup.rules);
        let mut first = false;
        for (partition, owned, bounds) in found {
            first |= owned.progress.is_none();
            self.restore(partition, owned, bounds, from)?;
        }
        if first {
            // Where a first start begins must be durable before anything is read.
            self.flush(&mut Turn::default())?;
        }
        Ok(fresh)
    }

    fn restore(
        &mut self,
        partition: i32,
        owned: crate::model::Owned,
        bounds: Bounds,
        from: Ms,
    ) -> Result<(), EvaluateError> {
        let first_start = owned.progress.is_none();
        // The past never pages: a first start takes over at the log's end and fills windows from before it.
        let stored =
            owned.progress.unwrap_or_else(|| Progress { topic_id: self.topic.id.clone(), ..Progress::default() });
        let mut resume = stored.clone();
        if first_start {
            resume.offset = bounds.high;
        } else if let Some(trouble) = mend(&stored, &mut resume, bounds, &self.topic.id) {
            self.report_gap(partition, &trouble)?;
        }
        let start = self.sides.source.offset_for_time(partition, from)?.unwrap_or(bounds.high);
        let start = start.min(resume.offset).max(bounds.low);
        let warm = Warm { low: bounds.low, first_append: self.first_append(partition, bounds)? };
        let keys: Vec<_> = owned.rows.iter().map(|row: &StateRow| row.fingerprint).collect();
        self.lanes.start(partition, Some(&resume), owned.rows, warm);
        let pending = if first_start {
            Pending::first(owned.epoch, resume.offset)
        } else {
            Pending::new(owned.epoch, stored, keys)
        };
        self.pending.insert(partition, pending);
        self.read.insert(partition, Read { next: start, high: bounds.high, at: self.sides.clock.elapsed() });
        self.sides.source.seek(partition, start)?;
        Ok(())
    }

    /// Append time of the first record that is still there, where earlier ones are gone.
    fn first_append(&mut self, partition: i32, bounds: Bounds) -> Result<Option<Ms>, EvaluateError> {
        if bounds.low == 0 || bounds.low == bounds.high {
            return Ok(None);
        }
        self.sides.source.seek(partition, bounds.low)?;
        let until = self.sides.clock.elapsed() + PEEK_WAIT.as_millis() as Ms;
        while self.sides.clock.elapsed() < until {
            match self.sides.source.next(PEEK_WAIT)? {
                Some(Event::Batch(batch)) if batch.partition == partition => {
                    return Ok(batch.slots.first().map(|slot| slot.append));
                }
                Some(other) => self.stash.push_back(other),
                None => {}
            }
        }
        Ok(None)
    }

    fn report_gap(&self, partition: i32, what: &str) -> Result<(), EvaluateError> {
        let labels = Labels::new([("partition", partition.to_string()), ("topic", self.topic.name.clone())]);
        tracing::warn!(partition, what, "the log has a gap");
        let now = self.sides.clock.wall();
        let signal = own_signal(&crate::model::LOG_GAP, labels, State::Firing, now);
        self.sides.store.add_input(&crate::model::Input::Own(signal), now)?;
        Ok(())
    }

    // --- pulses

    /// Appends a pulse to each partition whose next tick is overdue and that nothing else moves on.
    fn pulse(&mut self) {
        let Some(sink) = &self.sides.pulses else { return };
        let now = self.sides.clock.wall();
        let shortest = self.setup.rules.rules.iter().map(|rule| rule.interval).min().unwrap_or(1_000).max(1);
        let mut quiet = Vec::new();
        for (partition, read) in &self.read {
            let lane = self.lanes.partition(*partition);
            let due = lane.and_then(crate::evaluate::Partition::next_tick);
            // The wall clock may be behind the log's: by the time that passed since its last record, the log's is later.
            let log = lane.map_or(now, |lane| lane.place().1 + self.sides.clock.elapsed() - read.at);
            let overdue = due.is_none_or(|due| now.max(log) > due + PULSE_AFTER);
            if read.next >= read.high && overdue && self.pulses.may(*partition, now, shortest) {
                quiet.push(*partition);
            }
        }
        self.tally.pulses_failed += self.pulses.write(sink.as_ref(), &self.sides.clock, &quiet);
    }

    // --- flush

    fn flush_if_due(&mut self, turn: &mut Turn) -> Result<(), EvaluateError> {
        let now = self.sides.clock.elapsed();
        let due = self.pending.values().filter_map(Pending::due).min();
        if due.is_some_and(|due| due <= now) && now >= self.retry_at {
            self.flush(turn)?;
        }
        Ok(())
    }

    /// One flush. `true`: it became durable and there may be more.
    fn flush(&mut self, turn: &mut Turn) -> Result<bool, EvaluateError> {
        let rules = self.setup.rules.hash.clone();
        let Some(flush) = flush::compose(&self.topic.name, &self.topic.id, &rules, &mut self.pending) else {
            return Ok(false);
        };
        let now = self.sides.clock.elapsed();
        let done = self.sides.store.flush(&flush);
        self.refused = done.as_ref().err().map(ToString::to_string);
        match done {
            Ok(Flushed::Done) => {
                flush::settle(&mut self.pending, now);
                turn.flushed = true;
                turn.signalled |= flush.parts.iter().any(|part| !part.signals.is_empty());
                self.tally.flushed(&flush);
                for part in flush.parts.iter().filter(|part| part.partition != WIDE) {
                    self.sides.source.note_committed(part.partition, part.progress.offset);
                }
                Ok(true)
            }
            Ok(Flushed::Fenced(lost)) => {
                self.fenced(&lost)?;
                Ok(true)
            }
            Err(StoreError::Unavailable { what, why }) => {
                tracing::warn!(what, why, "flush failed, trying again");
                self.tally.flushes_failed += 1;
                self.retry_at = now + RETRY_AFTER;
                self.settle_lost_answer(&flush, now)?;
                Ok(false)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// A commit whose answer was lost may have happened: the progress rows say, nobody guesses.
    fn settle_lost_answer(&mut self, flush: &crate::model::Flush, now: Ms) -> Result<(), EvaluateError> {
        let Some(part) = flush.parts.first() else { return Ok(()) };
        match self.sides.store.progress(&flush.topic, part.partition) {
            Ok(Some((epoch, progress))) if epoch == part.epoch && progress == part.progress => {
                flush::settle(&mut self.pending, now);
                Ok(())
            }
            Ok(_) | Err(StoreError::Unavailable { .. }) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    /// Others own these partitions now. Whoever is still assigned takes them again; the wide rules come with all of them.
    fn fenced(&mut self, lost: &[i32]) -> Result<(), EvaluateError> {
        tracing::warn!(?lost, "fenced: another process took these partitions");
        self.tally.fenced += lost.len() as u64;
        let all = lost.contains(&WIDE);
        if all {
            let (lanes, wide) = take_wide(&self.sides, &self.topic, &self.owner, &self.setup, self.limits)?;
            self.lanes = lanes;
            self.pending = BTreeMap::from([(WIDE, wide)]);
            self.read.clear();
            return Ok(());
        }
        for partition in lost {
            self.lanes.stop(*partition);
            self.pending.remove(partition);
            self.read.remove(partition);
        }
        Ok(())
    }
}

fn take_wide(
    sides: &Sides,
    topic: &Topic,
    owner: &str,
    setup: &Arc<Setup>,
    limits: crate::decode::Limits,
) -> Result<(Lanes, Pending), EvaluateError> {
    let owned = sides.store.own(&topic.name, WIDE, owner)?;
    let keys: Vec<_> = owned.rows.iter().map(|row| row.fingerprint).collect();
    let mut lanes = Lanes::new(Arc::clone(setup), limits, owned.progress.as_ref(), owned.rows);
    lanes.tell_ticks_apart();
    let progress = owned.progress.unwrap_or_default();
    Ok((lanes, Pending::new(owned.epoch, progress, keys)))
}

/// Keeps what a record caused until the next flush; what was worked on before causes nothing.
fn keep(pending: &mut BTreeMap<i32, Pending>, tally: &mut Tally, fed: Fed<'_>, now: Ms) {
    tally.fed(&fed);
    if fed.muted && fed.partition != WIDE {
        return;
    }
    if let Some(pending) = pending.get_mut(&fed.partition) {
        pending.push(fed.mark, fed.again, &mut fed.effects.rows, &fed.effects.signals, now);
    }
}
