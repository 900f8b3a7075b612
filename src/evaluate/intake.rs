//! How a record gets into the windows.
//!
//! The idea: the repeating part of a record is looked up once per shape; after that each number goes to its ring by id,
//! and the instances that look at it become dirty. Rules that cannot wait for their tick are judged at the end.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::evaluate::bind::AGAIN_NUMBER;
use crate::evaluate::board::Board;
use crate::evaluate::exprs::Sampled;
use crate::evaluate::guard::Guard;
use crate::evaluate::leaf::{LeafTick, Offer};
use crate::evaluate::limits::Refusals;
use crate::evaluate::panes::ROOM;
use crate::evaluate::partition::Partition;
use crate::evaluate::plan::{Compiled, Plan};
use crate::evaluate::ring::{Point, SAMPLE, Same};
use crate::evaluate::series::{Link, REFUSED, SeriesTable};
use crate::evaluate::{Effects, SkewPolicy, judge, passed};
use crate::model::{Decoded, Kind, LABELS_MAX, Labels, RejectReason, SeriesKey, Shape};
use crate::time::{Ms, SECOND};

/// A record of lines that comes again within so long is the same one.
const AGAIN: Ms = 10 * SECOND;

/// What the records of a partition left behind.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// Every series.
    pub(super) series: SeriesTable,
    /// Limits that were hit.
    pub(super) refusals: Refusals,
    pub(super) per_rule: Vec<usize>,
    /// How many samples there is room for in all rings.
    pub(super) room: usize,
    /// Which series the lines of a label set go to; of the series table's `logs_era`.
    pub(super) logs: HashMap<Labels, Arc<[u32]>>,
    logs_era: u64,
    recent: VecDeque<(Ms, u64)>,
    seen: HashSet<u64>,
    early: Vec<u32>,
    /// By shape, of its generation: the labels under which expressions want its series.
    pub(super) wanted: Vec<Option<(u32, Vec<Option<Labels>>)>>,
    /// Numbers that panes could not take.
    unordered: u64,
}

impl Intake {
    /// Whether the same lines of the same source came a moment ago.
    fn again(&mut self, record: &Decoded, clock: Ms) -> bool {
        while let Some((at, hash)) = self.recent.front().copied() {
            if (clock - at).abs() <= AGAIN {
                break;
            }
            self.recent.pop_front();
            self.seen.remove(&hash);
        }
        let mut hash = DefaultHasher::new();
        (&record.host, record.ts, &record.labels).hash(&mut hash);
        for line in &record.lines {
            (line.ts, &line.level, &line.text).hash(&mut hash);
        }
        let hash = hash.finish();
        if !self.seen.insert(hash) {
            return true;
        }
        self.recent.push_back((clock, hash));
        false
    }

    /// Puts one value into a series whose guard did not let it pass. `false` where it came too late for every window.
    fn put(&mut self, board: &mut Board, plan: &Plan, id: u32, sample: Sample) -> bool {
        let full = self.room.saturating_mul(SAMPLE) >= sample.memory;
        let Some((hot, series)) = self.series.both_mut(id) else { return true };
        let Sample { point, same, clock, memory } = sample;
        let before = hot.newest;
        if before.time <= point.time {
            hot.newest = point;
        }
        if series.links.is_empty() {
            return true;
        }
        let late = |link: &Link| point.time <= link.edge(passed(clock, link.interval));
        let useful = !series.links.iter().all(late);
        // Windows that are in use go on; a new one has to wait until there is room again.
        let starved = full && hot.ring.is_empty();
        // Only as far back as rings are sure to hold what came: older samples may be there or not.
        let recent = point.time <= before.time && point.time > clock - AGAIN_NUMBER;
        let again = same == Same::Replace && recent && hot.ring.holds(point.time);
        if starved {
            self.refusals.refuse("window_memory", widest(plan, &self.per_rule), memory, clock);
        } else if useful {
            let added = hot.ring.make_room(clock - hot.keep);
            self.room = self.room.wrapping_add_signed(added);
            hot.ring.insert(point.time, point.value, same);
        }
        hot.ring.settle(clock);
        // In order and in every window: then a guard that judges each value by itself still holds.
        let plain = point.time > before.time && point.time > clock - hot.reach && !hot.ring.marked();
        hot.guard = Guard::WIDE;
        for link in &mut series.links {
            if plain && link.guard.is_plain() && link.guard.admits(before.value, point.value) {
                hot.guard = hot.guard.and(link.guard);
                continue;
            }
            link.guard = Guard::SHUT;
            hot.guard = Guard::SHUT;
            if point.time <= before.time {
                link.memo = None;
            }
            let gone = link.step > 0 && late(link);
            if let Some(panes) = link.panes.as_mut().filter(|_| !starved && !again && !gone) {
                let held = panes.len();
                self.unordered += u64::from(!panes.add(point));
                self.room += (panes.len() - held) * ROOM;
            }
            if let Some(it) = board.get_mut(link.to) {
                it.hear(point.time, clock, &plan.rules[link.rule]);
                it.starved = starved;
            }
            board.touch(link.to);
            if plan.rules[link.rule].early && useful {
                self.early.push(link.to);
            }
        }
        useful
    }
}

/// One value on its way into a ring.
#[derive(Debug, Clone, Copy)]
struct Sample {
    point: Point,
    same: Same,
    clock: Ms,
    /// Bytes that all windows may take.
    memory: usize,
}

impl Partition {
    /// Takes a record in, at the clock that it has set.
    pub(super) fn take(&mut self, record: &Decoded, out: &mut Effects) {
        if record.host.is_empty() {
            return;
        }
        let clock = self.clock;
        let source = self.sources.find(&record.host, clock);
        let refused = record.kind == Kind::Rejected || !record.rejects.is_empty();
        let judged = self.setup.builtins && record.kind == Kind::Data;
        let sent = judged.then(|| record.sent.unwrap_or(record.ts));
        let skew = self.sources.hear(source, clock, sent, refused);
        if record.rejects.iter().any(|reject| reject.reason == RejectReason::LabelLimit) {
            self.intake.refusals.refuse("labels", None, LABELS_MAX, clock);
        }
        self.wake(source);
        if !self.live {
            self.place_heard(&record.host, source);
        }
        if record.kind != Kind::Data || (skew.is_some() && self.setup.skew == SkewPolicy::Quarantine) {
            return;
        }
        self.retry();
        let shift = skew.unwrap_or(0);
        if let Some(shape) = &record.shape {
            self.numbers(shape, &record.values, record.ts + shift, source, out);
        }
        if !record.lines.is_empty() && !self.plan.logs.is_empty() {
            self.lines(record, shift, source, out);
        }
        self.judge_early(out);
    }

    /// A record of the source came: whoever waited for that is visited at the next tick.
    fn wake(&mut self, source: u32) {
        let Some(source) = self.sources.get_mut(source) else { return };
        for id in source.waiting.drain(..) {
            self.board.touch(id);
            if let Some(member) = self.members.get_mut(id as usize) {
                member.waiting = false;
            }
        }
    }

    fn numbers(&mut self, shape: &Arc<Shape>, values: &[f64], ts: Ms, source: u32, out: &mut Effects) {
        let ids = self.intake.series.cached(shape).unwrap_or_else(|| {
            let ids = self.find_all(shape.series.iter().map(|key| (key, None)), out);
            self.intake.series.cache(shape, Arc::clone(&ids));
            ids
        });
        let (time, clock, memory) = (ts.min(self.clock), self.clock, self.setup.limits.window_memory);
        self.give_expressions(shape, values, time, out);
        let (mut late, mut refused) = (0, false);
        for (id, value) in ids.iter().zip(values) {
            let point = Point { time, value: *value };
            let Some(hot) = self.intake.series.hot_mut(*id) else {
                refused = true;
                continue;
            };
            if hot.takes(point, clock, &mut self.intake.room) {
                continue;
            }
            self.bind_where_needed(*id, source);
            let sample = Sample { point, same: Same::Replace, clock, memory };
            late += u64::from(!self.intake.put(&mut self.board, &self.plan, *id, sample));
        }
        if refused {
            self.intake.refusals.refuse("series", None, self.setup.limits.series, clock);
        }
        let unordered = std::mem::take(&mut self.intake.unordered);
        if self.live {
            out.counters.samples += values.len() as u64;
            out.counters.late += late;
            out.counters.unordered += unordered;
        }
    }

    /// Gives expressions what they look for; which series of a shape those are is worked out once.
    fn give_expressions(&mut self, shape: &Arc<Shape>, values: &[f64], time: Ms, out: &mut Effects) {
        if self.plan.exprs.is_empty() {
            return;
        }
        let place = shape.id as usize;
        if self.intake.wanted.len() <= place {
            self.intake.wanted.resize_with(place + 1, || None);
        }
        let (_, wanted) = match &mut self.intake.wanted[place] {
            Some(known) if known.0 == shape.generation => known,
            stale => {
                let wanted = |key| self.plan.exprs.wanted(key, &self.setup.inventory);
                stale.insert((shape.generation, shape.series.iter().map(wanted).collect()))
            }
        };
        for (labels, value) in wanted.iter().zip(values) {
            let Some(labels) = labels else { continue };
            let sample = Sampled { at: self.clock, labels: labels.clone(), time, value: *value };
            out.leaves.push(LeafTick(Offer::Sample(sample)));
        }
    }

    fn lines(&mut self, record: &Decoded, shift: Ms, source: u32, out: &mut Effects) {
        if self.intake.again(record, self.clock) {
            return;
        }
        let ids = self.counted_in(&record.labels, out);
        if ids.contains(&REFUSED) {
            self.intake.refusals.refuse("series", None, self.setup.limits.series, self.clock);
        }
        let mut late = 0;
        for id in ids.iter() {
            self.bind_where_needed(*id, source);
            let Some(place) = self.intake.series.get(*id).and_then(|series| series.lines) else { continue };
            self.speak(*id, (record.ts + shift).min(self.clock));
            for line in record.lines.iter().filter(|line| self.plan.rules[place].parts[0].counts(&line.text)) {
                let point = Point { time: (line.ts + shift).min(self.clock), value: 1.0 };
                let memory = self.setup.limits.window_memory;
                let sample = Sample { point, same: Same::Add, clock: self.clock, memory };
                late += u64::from(!self.intake.put(&mut self.board, &self.plan, *id, sample));
            }
        }
        if self.live {
            out.counters.lines += record.lines.len() as u64;
            out.counters.late += late;
        }
    }

    /// The series in which lines with these labels count, one for each rule that they fit.
    fn counted_in(&mut self, labels: &Labels, out: &mut Effects) -> Arc<[u32]> {
        // What was swept out or kept out is found anew; and label sets are not remembered without bound.
        if self.intake.logs_era != self.intake.series.era() || self.intake.logs.len() >= self.setup.limits.series {
            self.intake.logs.clear();
            self.intake.logs_era = self.intake.series.era();
        }
        if let Some(known) = self.intake.logs.get(labels) {
            return Arc::clone(known);
        }
        let joined = self.setup.inventory.join(labels);
        let fitting: Vec<usize> =
            self.plan.logs.iter().copied().filter(|place| self.plan.rules[*place].parts[0].fits(&joined)).collect();
        let key = |place: usize| SeriesKey {
            name: Arc::from(format!("log:{}", self.plan.rules[place].rule.id)),
            labels: labels.clone(),
        };
        let keys: Vec<(usize, SeriesKey)> = fitting.into_iter().map(|place| (place, key(place))).collect();
        let ids = self.find_all(keys.iter().map(|(place, key)| (key, Some(*place))), out);
        self.intake.logs.insert(labels.clone(), Arc::clone(&ids));
        ids
    }

    /// The ids of several series. Room that is made for one of them may take the id of another away, so all are looked
    /// up anew until none was; room is made at most once a minute.
    fn find_all<'a>(
        &mut self,
        keys: impl Iterator<Item = (&'a SeriesKey, Option<usize>)> + Clone,
        out: &mut Effects,
    ) -> Arc<[u32]> {
        loop {
            let era = self.intake.series.era();
            let ids: Arc<[u32]> = keys.clone().map(|(key, lines)| self.find(key, lines, out)).collect();
            if era == self.intake.series.era() {
                return ids;
            }
        }
    }

    /// Lines came whose labels fit: their identity lives, whether one of them counts or not.
    fn speak(&mut self, id: u32, time: Ms) {
        let Some((hot, series)) = self.intake.series.both_mut(id) else { return };
        hot.newest.time = hot.newest.time.max(time);
        for link in &series.links {
            if let Some(it) = self.board.get_mut(link.to) {
                it.hear(time, self.clock, &self.plan.rules[link.rule]);
            }
            self.board.touch(link.to);
        }
    }

    /// The id of a series, new or not.
    fn find(&mut self, key: &SeriesKey, lines: Option<usize>, out: &mut Effects) -> u32 {
        if let Some(id) = self.intake.series.find(key) {
            return id;
        }
        let limit = self.setup.limits.series;
        let id = self.intake.series.insert(key.clone(), lines, limit, self.clock);
        if id.is_none() && self.live {
            out.counters.refused_series += 1;
        }
        id.unwrap_or(REFUSED)
    }

    /// What a limit keeps out is tried again once a minute.
    fn retry(&mut self) {
        let Some(left_out) = self.intake.refusals.retry(self.clock) else { return };
        self.intake.series.renew();
        for id in left_out {
            if let Some(hot) = self.intake.series.hot_mut(id) {
                (hot.bound, hot.guard) = (false, Guard::SHUT);
            }
        }
    }

    /// Judges the rules that a record may have made worse before their tick.
    fn judge_early(&mut self, out: &mut Effects) {
        let mut early = std::mem::take(&mut self.intake.early);
        early.sort_unstable();
        early.dedup();
        let start = out.signals.len();
        let live = self.live;
        for id in early.drain(..).filter(|_| live) {
            let Some(place) = self.board.get(id).map(|it| it.rule) else { continue };
            // Of its other series nothing passes unseen either: with their next sample it may be as bad.
            self.catch_up(id);
            self.remember(id, place, self.clock);
            let (seen, _) = self.look(id, place, self.clock);
            if let Some(it) = self.board.get_mut(id) {
                judge::early(it, &self.plan.rules[place], self.clock, &seen, out);
            }
        }
        self.intake.early = early;
        out.signals[start..].sort_by(|a, b| (&a.rule, &a.labels).cmp(&(&b.rule, &b.labels)));
    }
}

/// The rule whose windows are likely to hold most: the one to give panes.
fn widest<'a>(plan: &'a Plan, watched: &[usize]) -> Option<&'a Arc<str>> {
    let weight =
        |(rule, watched): &(&Compiled, &usize)| rule.over.saturating_mul(Ms::try_from(**watched).unwrap_or(Ms::MAX));
    plan.rules.iter().zip(watched).max_by_key(weight).map(|(rule, _)| &rule.rule.id)
}
