//! Partitions that come and go: what they were when they were last ours, and what that says of the log since.
//!
//! The idea: whoever is assigned a partition takes its epoch row, restores and goes on; one epoch higher fences whoever
//! had it. Wide rules need what every partition held at the same ticks, so their virtual partition is taken only by a
//! process that has them all, and then all are read again from one place; until then they are held, and one incident
//! says so. Where what the log holds is not what was read of it, that is an incident and a counted gap, never silence.

use std::time::Duration;

use crate::evaluate::{Warm, horizon, is_local};
use crate::log::{Bounds, Event};
use crate::model::{Came, IncidentState, LOG_GAP, Labels, Owned, PIPELINE_LAG, Progress, State, StateRow, WIDE};
use crate::pipeline::evaluator::{EvaluateError, Evaluator, Read, Turn, keep};
use crate::pipeline::flush::Pending;
use crate::pipeline::mend::mend;
use crate::pipeline::own::own_signal;
use crate::time::{Ms, SECOND};

/// How long to look for the first record that is still there.
const PEEK_WAIT: Duration = Duration::from_secs(5);
/// A fenced owner takes a partition again after so long: by then a group has told it if the partition is not its own.
const RETAKE_AFTER: Ms = 2 * SECOND;
/// Incidents looked through for one that a process before left open.
const OPEN_LOOKED: usize = 1_000;

impl Evaluator {
    fn is_whole(&self) -> bool {
        usize::try_from(self.topic.partitions).is_ok_and(|n| self.assigned.len() >= n)
    }

    /// Brings back what was assigned since the last turn: one look-back for all, as wide rules need each at the same
    /// ticks. Returns what was brought back.
    pub(super) fn restore_assigned(&mut self) -> Result<Vec<i32>, EvaluateError> {
        if self.sides.clock.elapsed() < self.retake_at {
            return Ok(Vec::new());
        }
        let wide_comes = self.is_whole() && !self.pending.contains_key(&WIDE);
        if wide_comes && self.lanes.owned().next().is_some() {
            self.finish()?;
            self.forget_all();
        }
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
        let mut oldest = clocks.min().unwrap_or_else(|| self.sides.clock.wall());
        if wide_comes {
            oldest = oldest.min(self.take_wide(oldest)?);
        }
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
        if !self.is_whole() {
            self.say_held();
        }
        Ok(fresh)
    }

    fn restore(&mut self, partition: i32, owned: Owned, bounds: Bounds, from: Ms) -> Result<(), EvaluateError> {
        let first_start = owned.progress.is_none();
        // The past never pages: a first start takes over at the log's end and fills windows from before it.
        let stored =
            owned.progress.unwrap_or_else(|| Progress { topic_id: self.topic.id.clone(), ..Progress::default() });
        let mut resume = stored.clone();
        if first_start {
            resume.offset = bounds.high;
        } else if let Some(trouble) = mend(&stored, &mut resume, bounds, &self.topic.id) {
            if stored.topic_id == self.topic.id && stored.offset < bounds.low {
                self.tally.gone += stored.offset.abs_diff(bounds.low);
            }
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
        let (at, resume) = (self.sides.clock.elapsed(), resume.offset);
        self.read.insert(
            partition,
            Read { next: start, high: bounds.high, at, start, since: at, resume, judged: Default::default() },
        );
        // What was read of it before it is sought anew is not what follows.
        self.stash.retain(|event| !matches!(event, Event::Batch(batch) if batch.partition == partition));
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
        let signal = own_signal(&LOG_GAP, labels, State::Firing, now);
        self.sides.store.add_input(&crate::model::Input::Own(signal), now)?;
        Ok(())
    }

    /// Records were gone when they were to be read. At the log's start that is retention: what the windows held before
    /// is no longer next to what follows, so the partition begins anew there, warming.
    pub(super) fn take_gap(&mut self, partition: i32, wanted: i64, low: i64) -> Result<(), EvaluateError> {
        let at_start = self.sides.source.bounds(partition)?.low >= low;
        if at_start && self.lanes.partition(partition).is_some() {
            self.finish()?;
            self.forget(partition);
            self.restore_assigned()?;
            return Ok(());
        }
        self.tally.gone += u64::try_from(low - wanted).unwrap_or(0);
        self.report_gap(partition, &format!("records {wanted} to {low} were gone before they were read"))
    }

    // --- what is no longer ours

    /// Drops a partition that is no longer ours, and with it the wide rules.
    pub(super) fn drop_partition(&mut self, partition: i32) -> Result<(), EvaluateError> {
        self.assigned.remove(&partition);
        self.forget(partition);
        if self.pending.contains_key(&WIDE) {
            self.hold_wide();
            // Their last word, while they are still ours.
            self.finish()?;
            self.pending.remove(&WIDE);
        }
        if !self.assigned.is_empty() {
            self.say_held();
        }
        Ok(())
    }

    fn hold_wide(&mut self) {
        let now = self.sides.clock.elapsed();
        let came = Came::noticed(self.sides.clock.wall());
        let (pending, tally) = (&mut self.pending, &mut self.tally);
        self.lanes.hold_wide(&mut |fed| keep(pending, tally, fed, &|_, _| came, now));
    }

    fn forget(&mut self, partition: i32) {
        self.lanes.stop(partition);
        self.pending.remove(&partition);
        self.read.remove(&partition);
        self.arrivals.forget(partition);
    }

    pub(super) fn forget_all(&mut self) {
        let owned: Vec<i32> = self.lanes.owned().collect();
        owned.into_iter().for_each(|partition| self.forget(partition));
        self.pending.clear();
        self.hold_wide();
    }

    /// Others own these partitions now. Whoever is still assigned takes them again; the wide rules come with all of them.
    pub(super) fn fenced(&mut self, lost: &[i32]) {
        tracing::warn!(?lost, "fenced: another process took these partitions");
        self.tally.fenced += lost.len() as u64;
        self.retake_at = self.sides.clock.elapsed() + RETAKE_AFTER;
        if lost.contains(&WIDE) {
            self.forget_all();
            return;
        }
        lost.iter().for_each(|partition| self.forget(*partition));
    }

    // --- wide rules

    /// Takes the wide rules, whose partitions stand at `oldest`; returns from where on they need them.
    fn take_wide(&mut self, oldest: Ms) -> Result<Ms, EvaluateError> {
        let owned = self.sides.store.own(&self.topic.name, WIDE, &self.owner)?;
        let keys: Vec<_> = owned.rows.iter().map(|row| row.fingerprint).collect();
        let stored = owned.progress.unwrap_or_default();
        let mut resume = stored.clone();
        // Ticks of a long time in which nobody had all partitions were not missed: their wide rules were held.
        if resume.clock < oldest - horizon(&self.setup.rules) {
            resume.clock = oldest;
        }
        let progress = Some(&resume).filter(|_| stored.clock > 0);
        self.lanes.take_wide(progress, owned.rows);
        self.pending.insert(WIDE, Pending::new(owned.epoch, stored, keys));
        self.say_whole()?;
        Ok(resume.clock.max(oldest - horizon(&self.setup.rules)))
    }

    fn wide_rules(&self) -> String {
        let wide = self.setup.rules.rules.iter().filter(|rule| !is_local(rule));
        wide.map(|rule| rule.id.as_ref()).collect::<Vec<_>>().join(" ")
    }

    /// One incident names the wide rules that are held, from the revoke on.
    fn say_held(&mut self) {
        let rules = self.wide_rules();
        if rules.is_empty() || self.held.is_some() {
            return;
        }
        let labels = Labels::new([("rules", rules), ("topic", self.topic.name.clone())]);
        match self.say_lag(labels.clone(), State::Firing) {
            Ok(()) => self.held = Some(labels),
            // Said at the next change; the rules are held all the same.
            Err(why) => tracing::warn!(%why, "could not say that wide rules are held"),
        }
    }

    /// Ends that incident, also where a process before this one began it.
    fn say_whole(&mut self) -> Result<(), EvaluateError> {
        let mut open: Vec<Labels> = self.held.take().into_iter().collect();
        for incident in self.sides.store.incidents(OPEN_LOOKED)? {
            let ours = incident.labels.get("topic") == Some(self.topic.name.as_str());
            if *incident.rule == *PIPELINE_LAG.id
                && ours
                && matches!(incident.state, IncidentState::Open | IncidentState::Acked)
                && !open.contains(&incident.labels)
            {
                open.push(incident.labels);
            }
        }
        open.into_iter().try_for_each(|labels| self.say_lag(labels, State::Resolved))
    }

    fn say_lag(&self, labels: Labels, to: State) -> Result<(), EvaluateError> {
        let now = self.sides.clock.wall();
        let signal = own_signal(&PIPELINE_LAG, labels, to, now);
        self.sides.store.add_input(&crate::model::Input::Own(signal), now)?;
        Ok(())
    }
}
