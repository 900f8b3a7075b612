//! The pure composition decode → evaluate → merge that run, replay, test and simulation share.
//!
//! The idea: one record goes in, everything that it causes comes out through a callback, in order, partition by
//! partition; the virtual partition of the wide rules follows at once. No log, no store, no clock: whoever calls decides
//! what becomes durable and when.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decode::{Decoder, Limits, is_stray};
use crate::evaluate::{Effects, LeafTick, Partition, Setup, Warm, Wide};
use crate::model::{Decoded, Kind, Progress, StateRow, WIDE};
use crate::pipeline::flush::Mark;
use crate::time::Ms;

/// Ticks that one record closes and that are looked at one by one: three hours of seconds. A clock that jumps further
/// must not hold the partition up; what falls silent has fallen silent by then.
const TICKS_APART_MAX: usize = 10_800;

/// What one record caused in one partition.
#[derive(Debug)]
pub struct Fed<'a> {
    /// Which partition; [`WIDE`] for the wide rules.
    pub partition: i32,
    /// Rows and signals, in order; the callback may take the rows.
    pub effects: &'a mut Effects,
    /// The record, where it was one.
    pub decoded: Option<&'a Decoded>,
    /// The record had been worked on before: only windows were filled again.
    pub muted: bool,
    /// The partition's place after it.
    pub mark: Mark,
    /// The place from which all of it would come out again, less what had become durable by then; `None` where it must
    /// become durable whole.
    pub again: Option<Mark>,
}

#[derive(Debug)]
struct Lane {
    decoder: Decoder,
    /// The record at hand; its buffers are used again.
    decoded: Option<Box<Decoded>>,
    partition: Partition,
    /// Records below are muted.
    resume: i64,
    /// Where the durable clock stood: ticks below are muted. `None` once what is read is new.
    resume_clock: Option<Ms>,
    /// No tick can run before this time; 0 where that is not known.
    due: Ms,
}

/// All partitions that this process owns, and the wide rules over them.
#[derive(Debug)]
pub struct Lanes {
    setup: Arc<Setup>,
    limits: Limits,
    lanes: BTreeMap<i32, Lane>,
    wide: Wide,
    /// Some of the topic's partitions are with others: the wide rules stand still.
    held: bool,
    effects: Effects,
    /// Ticks are told of one by one.
    tick_by_tick: bool,
    /// The partitions' clocks as the wide rules saw them last.
    clocks: BTreeMap<i32, Ms>,
    /// Wide ticks up to this time have run, and none above it; 0 where that is not known.
    wide_due: Ms,
}

impl Lanes {
    /// No partition yet; `progress` and `rows` are those of the wide rules.
    pub fn new(setup: Arc<Setup>, limits: Limits, progress: Option<&Progress>, rows: Vec<StateRow>) -> Self {
        let wide = Wide::start(Arc::clone(&setup), progress, rows);
        Self {
            setup,
            limits,
            lanes: BTreeMap::new(),
            wide,
            held: false,
            effects: Effects::default(),
            tick_by_tick: false,
            clocks: BTreeMap::new(),
            wide_due: 0,
        }
    }

    /// From now on each tick that a record closes is told of on its own, before the record: what it caused may then
    /// become durable before the rest. Where nothing becomes durable this would only cost time.
    pub fn tell_ticks_apart(&mut self) {
        self.tick_by_tick = true;
    }

    /// Lets the wide rules stand still until [`Lanes::take_wide`], because not all partitions are here: what they knew
    /// is unknown from here on, and `sink` is told so.
    pub fn hold_wide(&mut self, sink: &mut dyn FnMut(Fed<'_>)) {
        if !self.held {
            self.effects.clear();
            self.wide.lag(&mut self.effects);
            let mark = wide_mark(&self.wide);
            sink(Fed { partition: WIDE, effects: &mut self.effects, decoded: None, muted: false, mark, again: None });
        }
        self.begin_wide(None, Vec::new());
        self.held = true;
    }

    /// Lets the place of the wide rules follow the partitions while there is none of them; `sink` is told, so that it
    /// is durable when other rules come.
    pub fn follow_wide(&mut self, sink: &mut dyn FnMut(Fed<'_>)) {
        let clock = self.lanes.values().map(|lane| lane.partition.place().1).min().unwrap_or(0);
        let is_whole = usize::try_from(self.setup.partitions).is_ok_and(|all| self.lanes.len() == all);
        if self.held || !is_whole || clock == 0 || !self.wide.rest_at(clock - 1) {
            return;
        }
        self.effects.clear();
        let mark = wide_mark(&self.wide);
        sink(Fed { partition: WIDE, effects: &mut self.effects, decoded: None, muted: false, mark, again: None });
    }

    /// Takes the wide rules as the store left them; every partition follows.
    pub fn take_wide(&mut self, progress: Option<&Progress>, rows: Vec<StateRow>) {
        self.begin_wide(progress, rows);
        self.held = false;
    }

    fn begin_wide(&mut self, progress: Option<&Progress>, rows: Vec<StateRow>) {
        self.wide = Wide::start(Arc::clone(&self.setup), progress, rows);
        self.clocks.clear();
        self.wide_due = 0;
    }

    /// Takes a partition; records below `progress.offset` will be muted.
    pub fn start(&mut self, partition: i32, progress: Option<&Progress>, rows: Vec<StateRow>, warm: Warm) {
        let lane = Lane {
            decoder: Decoder::new(self.limits),
            decoded: None,
            partition: Partition::start(Arc::clone(&self.setup), partition, progress, rows, warm),
            resume: progress.map_or(0, |progress| progress.offset),
            resume_clock: progress.map(|progress| progress.clock),
            due: 0,
        };
        self.lanes.insert(partition, lane);
    }

    /// Drops a partition's state.
    pub fn stop(&mut self, partition: i32) {
        self.lanes.remove(&partition);
    }

    /// The partitions that are owned.
    pub fn owned(&self) -> impl Iterator<Item = i32> {
        self.lanes.keys().copied()
    }

    /// A partition's state.
    pub fn partition(&self, partition: i32) -> Option<&Partition> {
        self.lanes.get(&partition).map(|lane| &lane.partition)
    }

    /// The first tick of `partition`, or of the wide rules for [`WIDE`], that has not run and at which something may
    /// change.
    pub fn next_visit(&mut self, partition: i32) -> Option<Ms> {
        if partition == WIDE {
            return if self.held { None } else { self.wide.next_visit() };
        }
        self.lanes.get_mut(&partition).filter(|lane| lane.partition.place().1 > 0)?.partition.next_visit()
    }

    /// The wide rules.
    pub fn wide(&self) -> &Wide {
        &self.wide
    }

    /// Takes one record.
    pub fn feed(&mut self, at: At, key: &[u8], value: &[u8], sink: &mut dyn FnMut(Fed<'_>)) {
        let Some(lane) = self.lanes.get_mut(&at.partition) else { return };
        let mut decoded = lane.decoded.take().unwrap_or_default();
        lane.decoder.decode(at.append, key, value, &mut decoded);
        self.feed_decoded(at, is_stray(key, &decoded), &decoded, sink);
        if let Some(lane) = self.lanes.get_mut(&at.partition) {
            lane.decoded = Some(decoded);
        }
    }

    /// Takes one record that is decoded already: replay decodes once and runs many times. `stray`: see [`is_stray`]. All
    /// records of one run must come from one decoder.
    pub fn feed_decoded(&mut self, at: At, stray: bool, decoded: &Decoded, sink: &mut dyn FnMut(Fed<'_>)) {
        let Some(lane) = self.lanes.get_mut(&at.partition) else { return };
        let muted = at.offset < lane.resume;
        let mut leaves = Vec::new();
        self.effects.clear();
        if !muted {
            lane.take_over(&mut self.effects);
            if self.tick_by_tick {
                // What the rows told of rules that are gone comes out at once, and not a second time.
                lane.tell(at.partition, &mut self.effects, None, &mut leaves, sink);
                lane.close_ticks(at, &mut self.effects, &mut leaves, sink);
            }
        }
        self.effects.leaves.extend(leaves);
        let before = mark(&lane.partition);
        // A record with nothing usable in it, under another host's key, says nothing of its host: that lives in another
        // partition, and its silence is told of there.
        let hidden = stray.then(|| Decoded { host: Arc::from(""), ..decoded.clone() });
        lane.partition.apply(at.offset, at.append, hidden.as_ref().unwrap_or(decoded), &mut self.effects);
        let mark = mark(&lane.partition);
        let broke = mark.segment != before.segment;
        if broke {
            lane.due = 0;
        }
        let again = (self.tick_by_tick && !broke).then_some(Mark { clock: mark.clock, ..before });
        let decoded = Some(decoded);
        sink(Fed { partition: at.partition, effects: &mut self.effects, decoded, muted, mark, again });
        self.merge(at.partition, muted, sink);
    }

    /// Lets the time of `partition` move on to `until` without a record: for files, after their end.
    pub fn close(&mut self, partition: i32, until: Ms, sink: &mut dyn FnMut(Fed<'_>)) {
        let Some(lane) = self.lanes.get_mut(&partition) else { return };
        self.effects.clear();
        lane.partition.close(until, &mut self.effects);
        let mark = mark(&lane.partition);
        sink(Fed { partition, effects: &mut self.effects, decoded: None, muted: false, mark, again: None });
        self.merge(partition, false, sink);
    }

    /// Puts another rule set in force.
    pub fn reload(&mut self, setup: &Arc<Setup>, sink: &mut dyn FnMut(Fed<'_>)) {
        self.setup = Arc::clone(setup);
        for (partition, lane) in &mut self.lanes {
            self.effects.clear();
            lane.partition.reload(Arc::clone(setup), &mut self.effects);
            lane.due = 0;
            let mark = mark(&lane.partition);
            let effects = &mut self.effects;
            sink(Fed { partition: *partition, effects, decoded: None, muted: false, mark, again: None });
        }
        if self.held {
            return self.begin_wide(None, Vec::new());
        }
        self.effects.clear();
        self.wide.reload(Arc::clone(setup), &mut self.effects);
        let mark = wide_mark(&self.wide);
        sink(Fed { partition: WIDE, effects: &mut self.effects, decoded: None, muted: false, mark, again: None });
    }

    /// Hands what a partition contributed to the wide rules over and runs the wide ticks that are complete.
    fn merge(&mut self, partition: i32, muted: bool, sink: &mut dyn FnMut(Fed<'_>)) {
        let leaves = std::mem::take(&mut self.effects.leaves);
        // Whoever takes the wide rules reads the log again; what is kept for that would only pile up.
        if self.held {
            return;
        }
        for leaf in leaves {
            self.wide.offer(partition, leaf);
        }
        if self.wide.is_idle() {
            return;
        }
        let clocks: BTreeMap<i32, Ms> =
            self.lanes.iter().map(|(partition, lane)| (*partition, lane.partition.place().1)).collect();
        if self.tick_by_tick {
            self.merge_ticks(&clocks, sink);
        }
        self.merge_until(&clocks, muted, sink);
        self.clocks = clocks;
    }

    /// Runs the wide ticks that `clocks` close one by one. After a restart that found partitions past the last wide tick
    /// those in between are one step: no clock tells them apart any more.
    fn merge_ticks(&mut self, clocks: &BTreeMap<i32, Ms>, sink: &mut dyn FnMut(Fed<'_>)) {
        let known = |(partition, clock): (&i32, &Ms)| self.clocks.get(partition).is_some_and(|before| before <= clock);
        if !clocks.iter().all(known) {
            // A clock went back, or a partition came.
            self.wide_due = 0;
            return;
        }
        let low = clocks.values().copied().min().unwrap_or(0);
        // Ticks below `passed` have run; 0 where a partition has no record yet.
        let passed = self.clocks.values().copied().min().unwrap_or(0);
        if passed == 0 {
            self.wide_due = 0;
            return;
        }
        let mut at = if self.wide_due == 0 { passed - 1 } else { self.wide_due };
        for _ in 0..TICKS_APART_MAX {
            let intervals = self.setup.rules.rules.iter().map(|rule| rule.interval.max(1));
            let Some(due) = intervals.map(|interval| at.div_euclid(interval) * interval + interval).min() else {
                return;
            };
            self.wide_due = at;
            if due >= low {
                return;
            }
            let until = |(partition, clock): (&i32, &Ms)| {
                let before = self.clocks.get(partition).copied().unwrap_or(*clock);
                (*partition, (*clock).min(before.max(due + 1)))
            };
            let until: BTreeMap<i32, Ms> = clocks.iter().map(until).collect();
            self.merge_until(&until, false, sink);
            self.clocks = until;
            at = due;
        }
    }

    fn merge_until(&mut self, clocks: &BTreeMap<i32, Ms>, muted: bool, sink: &mut dyn FnMut(Fed<'_>)) {
        self.effects.clear();
        let segment = self.wide.place().1;
        self.wide.advance(clocks.iter().map(|(partition, clock)| (*partition, *clock)), &mut self.effects);
        let mark = wide_mark(&self.wide);
        // One tick comes out again if those below it are muted; of several, the first would.
        let one_tick = self.effects.counters.ticks == 1 && mark.segment == segment;
        let below = Mark { offset: mark.offset - 1, clock: mark.clock - 1, ..mark };
        let again = (self.tick_by_tick && one_tick).then_some(below);
        sink(Fed { partition: WIDE, effects: &mut self.effects, decoded: None, muted, mark, again });
    }
}

impl Lane {
    /// The first record that is new: ticks that were durable before it, in the middle of what it closed, are muted too.
    fn take_over(&mut self, out: &mut Effects) {
        let Some(durable) = self.resume_clock.take() else { return };
        let clock = self.partition.place().1;
        if clock > 0 && clock < durable {
            let time = Decoded { kind: Kind::Pulse, ..Decoded::default() };
            self.partition.apply(self.resume - 1, durable, &time, out);
        }
        // Nothing is left to run below this: it only brings the rows into force.
        self.partition.close(self.partition.place().1, out);
    }

    /// Runs the ticks that a record at `at` closes, one by one.
    fn close_ticks(&mut self, at: At, out: &mut Effects, leaves: &mut Vec<LeafTick>, sink: &mut dyn FnMut(Fed<'_>)) {
        for _ in 0..TICKS_APART_MAX {
            if at.append <= self.due {
                return;
            }
            let Some(due) = self.partition.next_tick() else { return };
            self.due = due;
            if due < at.append {
                self.partition.close(due + 1, out);
                let again = Mark { clock: due, ..mark(&self.partition) };
                self.tell(at.partition, out, Some(again), leaves, sink);
            }
        }
        self.partition.close(at.append, out);
        self.tell(at.partition, out, None, leaves, sink);
    }

    /// Tells what there is, without a record, and keeps the leaves of wide rules for later.
    fn tell(
        &self,
        partition: i32,
        effects: &mut Effects,
        again: Option<Mark>,
        leaves: &mut Vec<LeafTick>,
        sink: &mut dyn FnMut(Fed<'_>),
    ) {
        leaves.append(&mut effects.leaves);
        if !effects.rows.is_empty() || !effects.signals.is_empty() || effects.counters.visited > 0 {
            let mark = mark(&self.partition);
            sink(Fed { partition, effects: &mut *effects, decoded: None, muted: false, mark, again });
        }
        effects.clear();
    }
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Append time.
    pub append: Ms,
}

fn mark(partition: &Partition) -> Mark {
    let (offset, clock, segment, heard) = partition.place();
    Mark { offset, clock, segment, heard }
}

fn wide_mark(wide: &Wide) -> Mark {
    let (last, segment) = wide.place();
    Mark { offset: last, clock: last, segment, heard: 0 }
}
