//! The pure composition decode → evaluate → merge that run, replay, test and simulation share.
//!
//! The idea: one record goes in, everything that it causes comes out through a callback, in order, partition by
//! partition; the virtual partition of the wide rules follows at once. No log, no store, no clock: whoever calls decides
//! what becomes durable and when.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decode::{Decoder, Limits};
use crate::evaluate::{Effects, Partition, Setup, Warm, Wide};
use crate::model::{Decoded, Progress, StateRow, WIDE};
use crate::pipeline::flush::Mark;
use crate::time::Ms;

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
}

#[derive(Debug)]
struct Lane {
    decoder: Decoder,
    decoded: Decoded,
    partition: Partition,
    /// Records below are muted.
    resume: i64,
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
}

impl Lanes {
    /// No partition yet; `progress` and `rows` are those of the wide rules.
    pub fn new(setup: Arc<Setup>, limits: Limits, progress: Option<&Progress>, rows: Vec<StateRow>) -> Self {
        let wide = Wide::start(Arc::clone(&setup), progress, rows);
        Self { setup, limits, lanes: BTreeMap::new(), wide, held: false, effects: Effects::default() }
    }

    /// Lets the wide rules stand still until [`Lanes::take_wide`]: not all partitions are here.
    pub fn hold_wide(&mut self) {
        self.wide = Wide::start(Arc::clone(&self.setup), None, Vec::new());
        self.held = true;
    }

    /// Takes the wide rules as the store left them; every partition follows.
    pub fn take_wide(&mut self, progress: Option<&Progress>, rows: Vec<StateRow>) {
        self.wide = Wide::start(Arc::clone(&self.setup), progress, rows);
        self.held = false;
    }

    /// Takes a partition; records below `progress.offset` will be muted.
    pub fn start(&mut self, partition: i32, progress: Option<&Progress>, rows: Vec<StateRow>, warm: Warm) {
        let lane = Lane {
            decoder: Decoder::new(self.limits),
            decoded: Decoded::default(),
            partition: Partition::start(Arc::clone(&self.setup), partition, progress, rows, warm),
            resume: progress.map_or(0, |progress| progress.offset),
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

    /// The wide rules.
    pub fn wide(&self) -> &Wide {
        &self.wide
    }

    /// Takes one record.
    pub fn feed(&mut self, at: At, key: &[u8], value: &[u8], sink: &mut dyn FnMut(Fed<'_>)) {
        let Some(lane) = self.lanes.get_mut(&at.partition) else { return };
        lane.decoder.decode(at.append, key, value, &mut lane.decoded);
        self.effects.clear();
        lane.partition.apply(at.offset, at.append, &lane.decoded, &mut self.effects);
        let mark = mark(&lane.partition);
        let muted = at.offset < lane.resume;
        let decoded = Some(&lane.decoded);
        sink(Fed { partition: at.partition, effects: &mut self.effects, decoded, muted, mark });
        self.merge(at.partition, muted, sink);
    }

    /// Lets the time of `partition` move on to `until` without a record: for files, after their end.
    pub fn close(&mut self, partition: i32, until: Ms, sink: &mut dyn FnMut(Fed<'_>)) {
        let Some(lane) = self.lanes.get_mut(&partition) else { return };
        self.effects.clear();
        lane.partition.close(until, &mut self.effects);
        let mark = mark(&lane.partition);
        sink(Fed { partition, effects: &mut self.effects, decoded: None, muted: false, mark });
        self.merge(partition, false, sink);
    }

    /// Puts another rule set in force.
    pub fn reload(&mut self, setup: &Arc<Setup>, sink: &mut dyn FnMut(Fed<'_>)) {
        self.setup = Arc::clone(setup);
        for (partition, lane) in &mut self.lanes {
            self.effects.clear();
            lane.partition.reload(Arc::clone(setup), &mut self.effects);
            let mark = mark(&lane.partition);
            sink(Fed { partition: *partition, effects: &mut self.effects, decoded: None, muted: false, mark });
        }
        if self.held {
            return self.hold_wide();
        }
        self.effects.clear();
        self.wide.reload(Arc::clone(setup), &mut self.effects);
        let mark = wide_mark(&self.wide);
        sink(Fed { partition: WIDE, effects: &mut self.effects, decoded: None, muted: false, mark });
    }

    /// Hands what a partition contributed to the wide rules over and runs the wide ticks that are complete.
    fn merge(&mut self, partition: i32, muted: bool, sink: &mut dyn FnMut(Fed<'_>)) {
        if self.held {
            return;
        }
        let leaves = std::mem::take(&mut self.effects.leaves);
        for leaf in leaves {
            self.wide.offer(partition, leaf);
        }
        self.effects.clear();
        let clocks = self.lanes.iter().map(|(partition, lane)| (*partition, lane.partition.place().1));
        self.wide.advance(clocks, &mut self.effects);
        let mark = wide_mark(&self.wide);
        sink(Fed { partition: WIDE, effects: &mut self.effects, decoded: None, muted, mark });
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
