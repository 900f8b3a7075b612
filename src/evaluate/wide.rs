//! Wide rules: those whose identities gather series of several hosts, and so of several partitions.
//!
//! The idea: each partition hands over what each series says when that changes; a tick runs once every partition has
//! passed it. Folding goes by series in the order of their keys, so how series are spread over partitions cannot show.
//! When a partition goes, nothing is known any more: [`Wide::lag`]. That does not come from the log, so it is the one thing
//! here that a replay does not repeat.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::evaluate::board::Board;
use crate::evaluate::exprs::{Exprs, Parts, is_expr};
use crate::evaluate::instance::{Instance, LONG_AGO};
use crate::evaluate::judge::{self, Next};
use crate::evaluate::leaf::{Changed, Leaf, LeafTick, Offer, Seen};
use crate::evaluate::partition::orphans;
use crate::evaluate::plan::Plan;
use crate::evaluate::{Effects, Setup, next, passed};
use crate::model::{Cause, Ended, Fingerprint, Progress, SeriesKey, StateRow, builtin};
use crate::time::{Ms, SECOND};

/// Born after anything that is read again.
const UNBORN: Ms = Ms::MAX / 4;

/// The leaves of one instance, by part and series.
type Members = BTreeMap<(u8, SeriesKey), Leaf>;

/// The wide rules of one topic.
#[derive(Debug)]
pub struct Wide {
    setup: Arc<Setup>,
    plan: Plan,
    board: Board,
    members: HashMap<u32, Members>,
    queue: BTreeMap<Ms, Vec<(i32, Changed)>>,
    clocks: BTreeMap<i32, Ms>,
    exprs: Exprs,
    segments: BTreeMap<i32, i64>,
    /// Partitions that read what is new.
    awake: BTreeSet<i32>,
    orphans: Vec<StateRow>,
    durable: Ms,
    segment: i64,
    live: bool,
    /// There is no wide rule and no trace of one.
    idle: bool,
    /// Ticks below it have run.
    clock: Ms,
    /// The last tick at which somebody was visited.
    last: Ms,
}

impl Wide {
    /// The wide rules as the store left them. Ticks up to `progress.clock` will be muted.
    pub fn start(setup: Arc<Setup>, progress: Option<&Progress>, rows: Vec<StateRow>) -> Self {
        let plan = Plan::new(&setup.rules);
        let durable = progress.map_or(0, |progress| progress.clock);
        let mut it = Self {
            setup,
            plan,
            board: Board::default(),
            members: HashMap::new(),
            queue: BTreeMap::new(),
            clocks: BTreeMap::new(),
            exprs: Exprs::default(),
            segments: BTreeMap::new(),
            awake: BTreeSet::new(),
            orphans: Vec::new(),
            durable,
            segment: progress.map_or(0, |progress| progress.segment),
            live: false,
            idle: false,
            clock: 0,
            last: durable,
        };
        for row in rows {
            if builtin(&row.rule).is_some() {
                it.exprs.load_alarm(row);
                continue;
            }
            let found = it.plan.rules.iter().position(|compiled| *compiled.rule.id == *row.rule);
            match found.filter(|place| it.plan.rules[*place].watch == row.watch) {
                Some(place) if is_expr(&it.plan.rules[place].rule.watch) => it.exprs.load(place, row),
                Some(place) => {
                    let mut instance = Instance::new(place, row.labels.clone(), row.fingerprint, LONG_AGO);
                    instance.load(row);
                    it.seat(instance);
                }
                None => it.orphans.push(row),
            }
        }
        it.rest();
        it
    }

    /// Puts an instance on the board.
    fn seat(&mut self, mut instance: Instance) -> u32 {
        let compiled = &self.plan.rules[instance.rule];
        instance.terms = compiled.choose(&instance.labels, &self.setup.inventory);
        self.board.insert(instance, compiled.rule.interval)
    }

    fn rest(&mut self) {
        let none = self.plan.rules.iter().all(|compiled| compiled.local);
        let exprs = self.plan.exprs.is_empty() && self.exprs.is_empty();
        self.idle = none && exprs && self.orphans.is_empty() && self.board.ids().is_empty();
        if self.idle {
            // Of rules that are gone: one that comes later would judge it.
            self.queue.clear();
        }
    }

    /// Takes what a partition hands over; a leaf counts from its tick on.
    pub fn offer(&mut self, partition: i32, offered: LeafTick) {
        match offered.0 {
            Offer::Muted => {
                self.awake.remove(&partition);
                self.clocks.remove(&partition);
            }
            Offer::Live(first) => {
                self.awake.insert(partition);
                self.exprs.begins(partition, first);
            }
            Offer::Sample(sample) => self.exprs.offer(partition, sample),
            Offer::Leaf(leaf) => {
                self.segments.insert(partition, leaf.segment);
                self.queue.entry(leaf.tick).or_default().push((partition, leaf));
            }
        }
    }

    /// Runs the ticks that every partition has passed. `clocks` are those of the partitions at hand; while one of the
    /// topic's is missing, nothing runs, and while one reads again what it knew, nothing that is new.
    pub fn advance(&mut self, clocks: impl Iterator<Item = (i32, Ms)>, out: &mut Effects) {
        let clocks: BTreeMap<i32, Ms> = clocks.collect();
        let awake = clocks.keys().all(|partition| self.awake.contains(partition));
        for (partition, clock) in &clocks {
            if self.live && !self.awake.contains(partition) {
                continue;
            }
            let left = self.clocks.values().copied().min();
            if self.clocks.insert(*partition, *clock).is_some_and(|before| *clock < before) {
                if let Some(left) = left.filter(|_| !self.live) {
                    // What is read again of a segment that was left has all been told, however far it went.
                    let known = !self.awake.contains(partition);
                    self.run(left, known, out);
                    if !known {
                        self.begin(self.clock, out);
                    }
                }
                self.fall_back(*partition, *clock, out);
            }
        }
        if usize::try_from(self.setup.partitions).is_ok_and(|wanted| clocks.len() < wanted) || (self.live && !awake) {
            return;
        }
        let clock = clocks.values().copied().min().unwrap_or(0);
        if clock > 0 {
            self.exprs.begin(clock);
        }
        let until = if awake { clock } else { clock.min(self.durable + 1) };
        self.run(until, false, out);
    }

    /// Runs the ticks below `until`; `muted` where none of them can be new.
    fn run(&mut self, until: Ms, muted: bool, out: &mut Effects) {
        if self.clock == 0 && until > 0 {
            self.clock = self.queue.keys().next().copied().unwrap_or(until).min(until);
        }
        while let Some(at) = self.next(muted).filter(|at| *at < until) {
            if !muted && (at > self.durable || self.live) {
                self.begin(at, out);
            }
            self.tick(at, out);
        }
        self.clock = self.clock.max(until);
    }

    /// Ticks are new from here on.
    fn begin(&mut self, at: Ms, out: &mut Effects) {
        let told = out.signals.len();
        self.resume(at, out);
        if out.signals.len() > told {
            self.last = at;
        }
    }

    /// Where it stands: offset and clock are the last tick that was run.
    pub fn progress(&self) -> Progress {
        Progress {
            offset: self.last,
            clock: self.last,
            segment: self.segment,
            rules: self.setup.rules.hash.clone(),
            ..Progress::default()
        }
    }

    /// The last tick merged and the clock segment: [`Wide::progress`] without its texts.
    pub fn place(&self) -> (Ms, i64) {
        (self.last, self.segment)
    }

    /// While there is no wide rule, its place is where the partitions stand: `at` is the last tick that all have passed.
    /// A rule that comes later must not judge what was before it, and whoever starts judges from this place on. `false`:
    /// it stood there, or there is such a rule.
    pub fn rest_at(&mut self, at: Ms) -> bool {
        let moves = self.idle && at != self.last;
        if moves {
            self.segment += i64::from(at < self.last);
            (self.last, self.durable, self.clock) = (at, at, at + 1);
        }
        moves
    }

    /// Puts another rule set in force.
    pub fn reload(&mut self, setup: Arc<Setup>, out: &mut Effects) {
        let start = out.signals.len();
        let old = std::mem::replace(&mut self.plan, Plan::new(&setup.rules));
        self.setup = setup;
        let mut board = std::mem::take(&mut self.board);
        let mut members = std::mem::take(&mut self.members);
        for id in board.ids() {
            let Some(mut it) = board.remove(id) else { continue };
            let before = &old.rules[it.rule];
            let now = self.plan.rules.iter().position(|compiled| compiled.rule.id == before.rule.id);
            if let Some(now) = now.filter(|now| self.plan.rules[*now].watch == before.watch) {
                it.rule = now;
                let to = self.seat(it);
                self.members.insert(to, members.remove(&id).unwrap_or_default());
            } else if self.live {
                judge::end(&mut it, before, self.clock, Ended::RuleChanged, out);
            } else {
                self.orphans.extend(it.forget_row());
            }
        }
        self.orphans.extend(self.exprs.reload((&old, &self.plan), self.clock, out));
        self.rest();
        if self.live {
            self.expect(self.clock);
        }
        out.signals[start..].sort_by(|a, b| (&a.rule, &a.labels).cmp(&(&b.rule, &b.labels)));
    }

    /// The first tick that has not run and at which something may change; it needs every partition to pass it.
    pub fn next_visit(&mut self) -> Option<Ms> {
        self.next(false).filter(|_| self.live && !self.idle)
    }

    fn next(&mut self, muted: bool) -> Option<Ms> {
        let offered = self.queue.keys().next().map(|tick| (*tick).max(self.clock));
        // The first tick of its own puts the rows in force, and with them deadlines that the board does not know of. While
        // none can be its own, asking for it would walk through every second since the epoch.
        let first = (!self.live && !muted).then(|| next(self.clock.max(self.durable + 1), SECOND));
        let exprs = self.exprs.next(&self.plan, self.clock);
        offered.into_iter().chain(self.board.next(self.clock)).chain(first).chain(exprs).min()
    }

    /// A partition goes to others, and the wide rules with it: each instance is unknown from the last tick on, whatever
    /// it knew, until somebody has all partitions again.
    pub fn lag(&mut self, out: &mut Effects) {
        if !self.live {
            self.clock = self.clock.max(self.durable + 1);
            self.resume(self.clock, out);
        }
        let at = passed(self.clock, SECOND).max(self.last);
        let (rows, signals) = (out.rows.len(), out.signals.len());
        for id in self.board.ids() {
            let Some(it) = self.board.get_mut(id) else { continue };
            judge::doubt(it, &self.plan.rules[it.rule], at, Cause::PipelineLag, out);
        }
        self.exprs.lag(&self.plan, at, out);
        out.signals[signals..].sort_by(|a, b| (&a.rule, &a.labels).cmp(&(&b.rule, &b.labels)));
        out.rows[rows..].sort_by_key(crate::model::RowChange::fingerprint);
        self.board.stir();
    }

    /// What an inspection reads: rules, instances, the leaves of each, and the clock.
    pub(super) fn parts(&self) -> (&Plan, &Board, &HashMap<u32, Members>, Ms) {
        (&self.plan, &self.board, &self.members, self.clock)
    }

    /// The instances of expressions, and what they gave at the last tick.
    pub(super) fn expressions(&self) -> impl Iterator<Item = (&Instance, Option<f64>)> {
        self.exprs.iter()
    }

    /// What each part of a rule that is an expression gave at the last tick.
    pub fn expression_parts(&self, rule: &str) -> Option<Parts> {
        let interval = self.plan.rules.iter().find(|compiled| *compiled.rule.id == *rule)?.rule.interval;
        self.exprs.parts(&self.plan, rule, passed(self.clock, interval))
    }

    /// Why expressions gave no result at their last tick, by rule.
    pub fn troubles(&self) -> &BTreeMap<Arc<str>, String> {
        self.exprs.troubles()
    }

    /// Limits that expressions hit: name and rule, value and how often.
    pub fn limits_hit(&self) -> Vec<(String, u64, u64)> {
        self.exprs.limits_hit()
    }

    /// Whether there is no wide rule and no trace of one: then nothing need be handed over.
    pub fn is_idle(&self) -> bool {
        self.idle
    }

    /// A partition's clock went back: what it handed over of the segment that it left is void, and where it was past
    /// the last tick, that falls back with it.
    fn fall_back(&mut self, partition: i32, to: Ms, out: &mut Effects) {
        let segment = self.segments.get(&partition).copied();
        for leaves in self.queue.values_mut() {
            leaves.retain(|(of, leaf)| *of != partition || (Some(leaf.segment) == segment && leaf.tick >= to));
        }
        self.queue.retain(|_, leaves| !leaves.is_empty());
        self.exprs.fall_back(&self.plan, partition, (self.clock, to), self.setup.limits.series, out);
        if self.clock <= to {
            return;
        }
        for id in self.board.ids() {
            let Some(it) = self.board.get_mut(id) else { continue };
            let compiled = &self.plan.rules[it.rule];
            let last = passed(self.clock, compiled.rule.interval);
            it.shift(last, passed(to, compiled.rule.interval) - last);
            if self.live {
                it.rewrite(compiled, &mut out.rows);
            }
        }
        self.board.stir();
        self.clock = to;
        if self.live {
            self.last = to - 1;
            self.segment += 1;
        }
    }

    fn tick(&mut self, at: Ms, out: &mut Effects) {
        self.clock = at;
        while let Some(entry) = self.queue.first_entry().filter(|entry| *entry.key() <= at) {
            for (_, leaf) in entry.remove() {
                self.take(leaf, at);
            }
        }
        let start = out.signals.len();
        let rows = out.rows.len();
        let mut visits = Vec::new();
        self.board.take(at, &mut visits);
        for id in &visits {
            self.visit(*id, at, out);
        }
        let ran = self.exprs.tick((&self.plan, &self.setup), at, out);
        if self.live && (!visits.is_empty() || ran) {
            out.counters.ticks += 1;
            out.counters.visited += visits.len() as u64;
        }
        if self.live && (!visits.is_empty() || out.signals.len() > start || out.rows.len() > rows) {
            self.last = at;
        }
        out.signals[start..].sort_by(|a, b| (&a.rule, &a.labels).cmp(&(&b.rule, &b.labels)));
        out.rows[rows..].sort_by_key(crate::model::RowChange::fingerprint);
        self.clock = at + 1;
    }

    fn resume(&mut self, at: Ms, out: &mut Effects) {
        if self.live {
            return;
        }
        self.live = true;
        self.exprs.resume();
        for id in self.board.ids() {
            if let Some(it) = self.board.get_mut(id) {
                it.resume();
                it.born = it.born.min(at);
            }
        }
        self.expect(at);
        self.board.stir();
        orphans(std::mem::take(&mut self.orphans), at, out);
    }

    /// Whom the inventory says there is: one that was not heard of yet is waited for from `at` on, or from when its row
    /// says.
    fn expect(&mut self, at: Ms) {
        for id in self.board.ids() {
            if let Some(it) = self.board.get_mut(id) {
                it.expected = false;
            }
        }
        for place in 0..self.plan.rules.len() {
            let compiled = &self.plan.rules[place];
            for labels in compiled.expects(&self.setup.inventory) {
                let fingerprint = Fingerprint::of(&self.plan.rules[place].rule.id, &labels);
                let known = self.board.find(fingerprint);
                let id = known.unwrap_or_else(|| self.seat(Instance::new(place, labels, fingerprint, at)));
                if let Some(it) = self.board.get_mut(id) {
                    it.expected = true;
                    if it.newest.is_none() {
                        it.born = it.valued.unwrap_or(at);
                    }
                }
            }
        }
    }

    fn take(&mut self, offered: Changed, at: Ms) {
        let found = self.plan.rules.iter().position(|compiled| compiled.rule.id == offered.rule);
        let Some(place) = found else { return };
        let compiled = &self.plan.rules[place];
        let joined = self.setup.inventory.join(&offered.series.labels);
        let labels = compiled.identity(&offered.series.labels, &joined);
        let fingerprint = Fingerprint::of(&compiled.rule.id, &labels);
        let known = self.board.find(fingerprint);
        let Some(leaf) = offered.leaf else {
            if let Some(id) = known {
                if let Some(members) = self.members.get_mut(&id) {
                    members.remove(&(offered.part, offered.series));
                }
                self.board.touch(id);
            }
            return;
        };
        // A leaf that is known by its row alone says nothing of when its identity was born.
        let born = if self.live || leaf.newest.is_some() { at } else { UNBORN };
        let id = known.unwrap_or_else(|| self.seat(Instance::new(place, labels, fingerprint, born)));
        let compiled = &self.plan.rules[place];
        if let Some(it) = self.board.get_mut(id) {
            it.born = it.born.min(born);
            if let Some(newest) = leaf.newest {
                it.hear(newest, at, compiled);
            }
        }
        self.members.entry(id).or_default().insert((offered.part, offered.series), leaf);
        self.board.touch(id);
    }

    fn visit(&mut self, id: u32, at: Ms, out: &mut Effects) {
        let Some(it) = self.board.get_mut(id) else { return };
        let compiled = &self.plan.rules[it.rule];
        let seen = match self.members.get(&id) {
            Some(members) => Seen::of(compiled, it.terms, members.iter().map(|((part, _), leaf)| (*part, *leaf))),
            None => Seen::default(),
        };
        out.counters.thin += u64::from(self.live && seen.thin);
        let told = if self.live { Some(out) } else { None };
        match judge::judge(it, compiled, at, &seen, told) {
            Next::Due(due) => self.board.schedule(id, due),
            Next::Forgotten => {
                self.board.remove(id);
                self.members.remove(&id);
            }
        }
    }
}
