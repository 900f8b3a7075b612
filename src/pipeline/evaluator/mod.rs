//! One `evaluate` process: reads its partitions, runs the rules, makes progress and consequences durable together.
//!
//! The idea: everything durable goes through one flush; whatever goes wrong, what was not flushed is simply done again
//! from the log. The evaluator blocks in the log and the store and nowhere else; `step` is one turn, so that a thread, a
//! replay and a simulated world drive the same code. It decides nothing about rules (`stages`) or flush borders
//! (`flush`). `owning`: partitions that come and go, and what they were when they were last ours.

mod came;
mod judged;
mod owning;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::decode::Limits;
use crate::evaluate::Setup;
use crate::log::{Event, LogError, Sink, Source, Topic};
use crate::model::{Batch, Came, Flushed, Labels, Rule, RuleSet, Signal, WIDE};
use crate::pipeline::dues::AtEnd;
use crate::pipeline::evaluator::came::Arrivals;
use crate::pipeline::evaluator::judged::Judged;
use crate::pipeline::flush::{self, Pending};
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
    lanes: Lanes,
    pending: BTreeMap<i32, Pending>,
    assigned: BTreeSet<i32>,
    stash: VecDeque<Event>,
    pulses: Pulses,
    read: BTreeMap<i32, Read>,
    retry_at: Ms,
    /// Not before then is anything taken (again).
    retake_at: Ms,
    /// The open incident that says that wide rules are held, by its labels.
    held: Option<Labels>,
    /// Why the last flush did not become durable.
    refused: Option<String>,
    at_end: AtEnd,
    /// When it was looked where the log ends, elapsed time.
    looked: Ms,
    tally: Tally,
    arrivals: Arrivals,
}

/// How far a partition has been read, against what the log holds.
#[derive(Debug, Clone, Copy, Default)]
struct Read {
    next: i64,
    high: i64,
    /// When the last record was taken, elapsed time.
    at: Ms,
    /// Where the muted past begins, and when reading began there, elapsed time.
    start: i64,
    since: Ms,
    /// The first record that is new.
    resume: i64,
    judged: Judged,
}

/// How far the muted past of a partition has been read, which fills the windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restoring {
    /// Partition.
    pub partition: i32,
    /// Offsets that were passed.
    pub done: i64,
    /// Of so many.
    pub of: i64,
    /// How long the rest takes at the pace so far, ms; `None`: nothing was read yet.
    pub left: Option<Ms>,
}

impl Evaluator {
    /// Takes nothing yet: partitions follow as the log assigns them, the wide rules with the last of them.
    pub fn start(sides: Sides, owner: &str, setup: Arc<Setup>, limits: Limits) -> Result<Self, EvaluateError> {
        let topic = sides.source.topic()?;
        let mut lanes = Lanes::new(Arc::clone(&setup), limits, None, Vec::new());
        lanes.tell_ticks_apart();
        lanes.hold_wide(&mut |_| {});
        Ok(Self {
            sides,
            owner: owner.to_owned(),
            topic,
            setup,
            lanes,
            pending: BTreeMap::new(),
            assigned: BTreeSet::new(),
            stash: VecDeque::new(),
            pulses: Pulses::default(),
            read: BTreeMap::new(),
            retry_at: 0,
            retake_at: 0,
            held: None,
            refused: None,
            at_end: AtEnd::default(),
            looked: 0,
            tally: Tally::default(),
            arrivals: Arrivals::default(),
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

    /// The first tick of `partition`, or of the wide rules, at which something may change: for whoever lets time pass.
    pub fn next_visit(&mut self, partition: i32) -> Option<Ms> {
        self.lanes.next_visit(partition)
    }

    /// When something that waits is flushed at the latest, elapsed time.
    pub fn flush_due(&self) -> Option<Ms> {
        self.pending.values().filter_map(Pending::due).min()
    }

    /// Tells every signal, acted on or not, with its partition: for whoever watches a run.
    pub fn tell_signals(&mut self, to: std::sync::mpsc::Sender<(i32, crate::model::Signal)>) {
        self.tally.told = Some(to);
    }

    /// Says from now on when it stands at the end of the whole log: for a leader beside it.
    pub fn tell_end(&mut self, at_end: &AtEnd) {
        self.at_end = at_end.clone();
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

    /// Partitions whose past is being read again.
    pub fn restoring(&self) -> Vec<Restoring> {
        let now = self.sides.clock.elapsed();
        let one = |(partition, read): (&i32, &Read)| {
            let (done, of) = (read.next - read.start, read.resume - read.start);
            let took = now - read.since;
            let left = (done > 0).then(|| took.saturating_mul(of - done) / done);
            Restoring { partition: *partition, done, of, left }
        };
        self.read.iter().filter(|(_, read)| read.next < read.resume).map(one).collect()
    }

    /// What keeps it from its work without stopping it, in one Korean sentence: nothing is lost, it goes on by itself.
    pub fn trouble(&self) -> Option<String> {
        let store = self.refused.as_ref().map(|why| format!("저장소에 기록할 수 없습니다: {why}"));
        store.or_else(|| self.pulses.trouble().map(|why| format!("로그에 기록할 수 없습니다: {why}")))
    }

    /// Whether the store refused its last flush.
    pub fn lacks_store(&self) -> bool {
        self.refused.is_some()
    }

    /// How far the wall clock is ahead of the log's at least, negative: behind; `None` where nothing tells.
    pub fn clock_difference(&self) -> Option<Ms> {
        self.pulses.difference()
    }

    /// One turn: what the log has (waiting at most `wait`), pulses, and a flush where one is due.
    pub fn step(&mut self, wait: Duration) -> Result<Turn, EvaluateError> {
        let mut turn = Turn::default();
        let read = self.read_on(wait, &mut turn);
        // First what is known: a pulse into a log that is away takes its time, and the store needs no log.
        self.flush_if_due(&mut turn)?;
        read?;
        if let Some(at) = self.judged_at().filter(|_| self.has_all()) {
            self.at_end.say(at);
        }
        self.pulse();
        Ok(turn)
    }

    fn read_on(&mut self, wait: Duration, turn: &mut Turn) -> Result<(), EvaluateError> {
        if self.pending.values().map(Pending::backlog).sum::<usize>() < BACKLOG_STEPS_MAX {
            let event = match self.stash.pop_front() {
                Some(event) => Some(event),
                None => self.sides.source.next(wait)?,
            };
            turn.heard = event.is_some();
            turn.records = self.take(event)?;
        }
        Ok(())
    }

    /// Flushes whatever there is: before the end.
    pub fn finish(&mut self) -> Result<Turn, EvaluateError> {
        let mut turn = Turn::default();
        self.follow_wide();
        while self.flush(&mut turn)? {}
        Ok(turn)
    }

    /// Puts another rule set in force. Where a rule looks further back than before, or is new, its windows come from the
    /// log, as after a restart: what a rule computes must not depend on when it was written.
    pub fn reload(&mut self, setup: Arc<Setup>) -> Result<(), EvaluateError> {
        if looks_further(&self.setup.rules, &setup.rules) {
            self.finish()?;
            self.forget_all();
        }
        let now = self.sides.clock.elapsed();
        let came = Came::noticed(self.sides.clock.wall());
        let (pending, tally) = (&mut self.pending, &mut self.tally);
        self.lanes.reload(&setup, &mut |fed| keep(pending, tally, fed, &|_, _| came, now));
        self.setup = setup;
        Ok(())
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
                self.drop_partition(partition)?;
                self.sides.source.release(partition);
                Ok(0)
            }
            Some(Event::Gap { partition, wanted, low }) => {
                self.take_gap(partition, wanted, low)?;
                Ok(0)
            }
            Some(Event::Batch(batch)) => {
                // A batch that was on its way before its partition was sought anew is not the next one.
                if !self.restore_assigned()?.contains(&batch.partition) {
                    self.take_batch(&batch);
                }
                self.look_now_and_then()?;
                Ok(batch.slots.len())
            }
            None => {
                self.restore_assigned()?;
                self.look_where_the_log_ends()?;
                Ok(0)
            }
        }
    }

    fn take_batch(&mut self, batch: &Batch) {
        if self.lanes.partition(batch.partition).is_none() {
            return;
        }
        let (now, taken) = (self.sides.clock.elapsed(), self.sides.clock.wall());
        let (pending, tally, topic) = (&mut self.pending, &mut self.tally, &self.topic.name);
        let (arrivals, rules) = (&mut self.arrivals, &self.setup.rules);
        let mut dead = Vec::new();
        for slot in &batch.slots {
            let (key, value) = batch.record(slot);
            let at = At { partition: batch.partition, offset: slot.offset, append: slot.append };
            self.lanes.feed(at, key, value, &mut |fed| {
                crate::pipeline::dead::collect(topic, &fed, at, &mut dead);
                if let Some(record) = fed.decoded {
                    arrivals.note(at.partition, record, (at.append, taken));
                }
                let closing = Came { consumed: taken, ..Came::noticed(at.append) };
                let came = |partition, signal: &Signal| arrivals.of(partition, signal, rules, closing);
                keep(pending, tally, fed, &came, now);
            });
        }
        self.pulses.read(batch);
        if let Some(slot) = batch.slots.last() {
            let read = self.read.entry(batch.partition).or_default();
            (read.next, read.at) = (slot.offset + 1, now);
            read.high = read.high.max(read.next);
        }
        if let Some(sink) = self.sides.dead.as_ref().filter(|_| !dead.is_empty()) {
            let written = sink.append(dead);
            let failed = written.iter().filter(|done| done.is_err()).count();
            self.tally.dead_letters += (written.len() - failed) as u64;
            self.tally.dead_letters_lost += failed as u64;
        }
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
            self.follow_wide();
            self.flush(turn)?;
        }
        Ok(())
    }

    /// The place of the wide rules goes along with the partitions where there is none of them.
    fn follow_wide(&mut self) {
        let (now, came) = (self.sides.clock.elapsed(), Came::noticed(self.sides.clock.wall()));
        let (pending, tally) = (&mut self.pending, &mut self.tally);
        self.lanes.follow_wide(&mut |fed| keep(pending, tally, fed, &|_, _| came, now));
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
                self.fenced(&lost);
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
                self.tally.flushed(flush);
                Ok(())
            }
            Ok(_) | Err(StoreError::Unavailable { .. }) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }
}

/// Whether a rule of `now` needs samples that `before` may have dropped.
fn looks_further(before: &RuleSet, now: &RuleSet) -> bool {
    // What expressions record has a past too.
    if now.groups != before.groups && !now.groups.is_empty() {
        return true;
    }
    let held = |rule: &Rule| before.rules.iter().any(|was| was.watch == rule.watch && was.over >= rule.over);
    now.rules.iter().any(|rule| !held(rule))
}

/// Keeps what a record caused until the next flush; what was worked on before causes nothing. `came`: how what raised a
/// signal of a partition came in.
fn keep(
    pending: &mut BTreeMap<i32, Pending>,
    tally: &mut Tally,
    fed: Fed<'_>,
    came: &dyn Fn(i32, &Signal) -> Came,
    now: Ms,
) {
    tally.fed(&fed);
    if fed.muted && fed.partition != WIDE {
        return;
    }
    if let Some(pending) = pending.get_mut(&fed.partition) {
        let caused = (&mut fed.effects.rows, &fed.effects.signals[..]);
        pending.push(fed.mark, fed.again, caused, &|signal| came(fed.partition, signal), now);
    }
}
