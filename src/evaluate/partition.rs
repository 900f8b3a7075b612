//! One partition: its clock, its ticks, and what happens at them.
//!
//! The idea: a fold over the log. Each record first closes the ticks that its append time leaves behind, then is taken
//! in (`intake`). Records below the durable offset only fill windows: verdicts come from the rows of the store.

use std::collections::HashMap;
use std::sync::Arc;

use crate::evaluate::board::Board;
use crate::evaluate::builtins::Alarms;
use crate::evaluate::guard::Guard;
use crate::evaluate::instance::{Instance, LONG_AGO};
use crate::evaluate::intake::Intake;
use crate::evaluate::judge;
use crate::evaluate::leaf::{Leaf, LeafTick, Offer};
use crate::evaluate::plan::{Compiled, Plan};
use crate::evaluate::sources::{Sources, judge_log};
use crate::evaluate::{Effects, QUIET, Setup, Warm, next, passed};
use crate::model::{CLOCK_BREAK, Decoded, Ended, Kind, Labels, Progress, StateRow, builtin};
use crate::time::{Ms, SECOND};

/// A record stamped up to so far below the clock counts as stamped at it.
const TOLERANCE: Ms = 5 * SECOND;

/// The state of one partition.
#[derive(Debug)]
pub struct Partition {
    pub(super) setup: Arc<Setup>,
    pub(super) plan: Plan,
    pub(super) number: i32,
    pub(super) clock: Ms,
    pub(super) board: Board,
    pub(super) members: Vec<Member>,
    pub(super) sources: Sources,
    pub(super) intake: Intake,
    pub(super) live: bool,
    muted: bool,
    warm: Warm,
    /// The clock when the muted past had been read: a series that came later is new.
    pub(super) started: Ms,
    durable: Progress,
    offset: i64,
    segment: i64,
    pub(super) epoch: i64,
    alarms: Alarms,
    orphans: Vec<StateRow>,
    /// What came from rows, by host, until that is heard of in what is read again.
    unheard: HashMap<Box<str>, Vec<u32>>,
    broke: Option<Ms>,
    visits: Vec<u32>,
    pub(super) guards: Vec<Guard>,
}

/// What an instance on the board hangs on.
#[derive(Debug, Default)]
pub(super) struct Member {
    /// Its series, by the part of the rule that looks at them and in the order of their keys.
    pub(super) series: Vec<(u8, u32)>,
    /// Its source.
    pub(super) source: Option<u32>,
    /// The source has it on its list.
    pub(super) waiting: bool,
    /// The leaf as handed over last, for a wide rule.
    pub(super) sent: Option<Leaf>,
}

impl Partition {
    /// A partition as the store left it; `None` = never before. Records below `progress.offset` will be muted.
    pub fn start(
        setup: Arc<Setup>,
        partition: i32,
        progress: Option<&Progress>,
        rows: Vec<StateRow>,
        warm: Warm,
    ) -> Self {
        let plan = Plan::new(&setup.rules);
        let durable = progress.cloned().unwrap_or_default();
        let mut it = Self {
            setup,
            plan,
            number: partition,
            clock: 0,
            board: Board::default(),
            members: Vec::new(),
            sources: Sources::default(),
            intake: Intake::default(),
            live: false,
            muted: false,
            warm,
            started: Ms::MAX,
            offset: durable.offset,
            segment: durable.segment,
            durable,
            epoch: 0,
            alarms: Alarms::default(),
            orphans: Vec::new(),
            unheard: HashMap::new(),
            broke: None,
            visits: Vec::new(),
            guards: Vec::new(),
        };
        for row in rows {
            it.load(row);
        }
        it
    }

    /// Takes the record at `offset`: the ticks that its append time closes run first.
    pub fn apply(&mut self, offset: i64, append: Ms, record: &Decoded, out: &mut Effects) {
        if offset >= self.durable.offset {
            self.resume(out);
        } else if !self.muted {
            self.muted = true;
            out.leaves.push(LeafTick(Offer::Muted));
        }
        self.advance(append, out);
        if record.kind != Kind::Pulse {
            self.take(record, out);
        }
        self.offset = self.offset.max(offset + 1);
    }

    /// The clock moves to `until` without a record: every tick below it runs.
    pub fn close(&mut self, until: Ms, out: &mut Effects) {
        self.resume(out);
        if self.clock == 0 {
            return;
        }
        self.run(until, out);
        self.clock = self.clock.max(until);
    }

    /// Next offset, clock, segment and sources heard: [`Partition::progress`] without its texts.
    pub fn place(&self) -> (i64, Ms, i64, i64) {
        (self.offset, self.clock, self.segment, self.sources.heard())
    }

    /// Where it stands: next offset, clock, segment and the sources heard in the last 10 min.
    pub fn progress(&self) -> Progress {
        Progress {
            topic_id: self.durable.topic_id.clone(),
            offset: self.offset,
            clock: self.clock,
            segment: self.segment,
            rules: self.setup.rules.hash.clone(),
            heard: self.sources.heard(),
            ..Progress::default()
        }
    }

    pub(super) fn warm(&self, over: Ms) -> Option<Ms> {
        let first = self.warm.first_append.filter(|_| self.warm.low > 0)?;
        Some(first + over)
    }

    fn load(&mut self, row: StateRow) {
        if builtin(&row.rule).is_some() {
            self.alarms.load(row);
            return;
        }
        let found = self.plan.rules.iter().position(|compiled| *compiled.rule.id == *row.rule);
        let Some(place) = found.filter(|place| self.plan.rules[*place].watch == row.watch) else {
            self.orphans.push(row);
            return;
        };
        let mut instance = Instance::new(place, row.labels.clone(), row.fingerprint, LONG_AGO);
        let known = (row.labels.clone(), row.newest);
        instance.load(row);
        let id = self.seat(instance);
        if let Some(host) = known.0.get("host") {
            self.unheard.entry(Box::from(host)).or_default().push(id);
        }
        if !self.plan.rules[place].local {
            self.reseat(place, id, known);
        }
    }

    /// Puts an instance on the board.
    pub(super) fn seat(&mut self, mut instance: Instance) -> u32 {
        let compiled = &self.plan.rules[instance.rule];
        instance.terms = compiled.choose(&instance.labels, &self.setup.inventory);
        let interval = compiled.rule.interval;
        let id = self.board.insert(instance, interval);
        if self.members.len() <= id as usize {
            self.members.resize_with(id as usize + 1, Member::default);
        }
        self.members[id as usize] = Member::default();
        id
    }

    /// The muted past is read: rows are in force, and what is done from here counts.
    fn resume(&mut self, out: &mut Effects) {
        if self.live {
            return;
        }
        self.live = true;
        out.leaves.push(LeafTick(Offer::Live(self.warm(0))));
        self.clock = self.clock.max(self.durable.clock);
        self.started = self.clock;
        self.resume_sources();
        self.broke = self.alarms.of(&CLOCK_BREAK).find_map(|row| row.newest);
        self.intake.refusals.resume(&self.alarms);
        self.board.stir();
        orphans(std::mem::take(&mut self.orphans), self.clock, out);
    }

    /// A host is heard of in what is read again: what came from rows hangs on it from here on.
    pub(super) fn place_heard(&mut self, host: &str, source: u32) {
        for id in self.unheard.remove(host).unwrap_or_default() {
            if let Some(member) = self.members.get_mut(id as usize) {
                member.source = Some(source);
            }
            self.board.touch(id);
        }
    }

    /// Instances and alarms that come from rows know their sources again, also those not heard in what was read.
    fn resume_sources(&mut self) {
        self.unheard = HashMap::new();
        for row in self.alarms.of(&crate::model::SOURCE_SILENT).cloned().collect::<Vec<_>>() {
            let (Some(host), Some(last)) = (row.labels.get("host"), row.newest) else { continue };
            let known = self.sources.known(host);
            let id = self.sources.find(&Arc::from(host), last);
            if let Some(source) = self.sources.get_mut(id).filter(|_| known.is_some()) {
                source.last = source.last.max(last);
            }
        }
        for id in self.board.ids() {
            let Some(it) = self.board.get_mut(id) else { continue };
            it.resume();
            let (Some(host), last) = (it.labels.get("host"), it.last()) else { continue };
            if let Some(member) = self.members.get_mut(id as usize).filter(|member| member.source.is_none()) {
                member.source = Some(self.sources.find(&Arc::from(host), last));
            }
        }
        for id in self.sources.by_name().into_values() {
            self.sources.watch(id);
        }
    }

    /// Moves the clock to a record's append time.
    fn advance(&mut self, append: Ms, out: &mut Effects) {
        if self.clock == 0 || append >= self.clock {
            if self.clock > 0 {
                self.run(append, out);
            }
            self.clock = append;
        } else if append < self.clock - TOLERANCE {
            self.fall_back(append, out);
        }
    }

    /// The log's clock went back: a new segment begins at `to`, and elapsed times carry over.
    fn fall_back(&mut self, to: Ms, out: &mut Effects) {
        let from = self.clock;
        self.catch_all_up();
        for id in self.board.ids() {
            let Some(it) = self.board.get_mut(id) else { continue };
            let compiled = &self.plan.rules[it.rule];
            let last = passed(from, compiled.rule.interval);
            it.shift(last, passed(to, compiled.rule.interval) - last);
            if self.live {
                it.rewrite(compiled, &mut out.rows);
            }
        }
        for member in &mut self.members {
            member.sent = None;
        }
        self.intake.series.outlive(from, to);
        self.sources.shift(to - from);
        self.board.stir();
        self.clock = to;
        self.epoch += 1;
        if self.live {
            self.segment += 1;
            self.started += to - from;
            self.alarms.shift(to - from, &mut out.rows);
            self.intake.refusals.shift(to - from);
            if self.setup.builtins {
                self.broke = Some(to);
                let alarm = (&CLOCK_BREAK, CLOCK_BREAK.severity, self.labels());
                self.alarms.raise(alarm, to, to, out);
            }
        }
    }

    fn labels(&self) -> Labels {
        Labels::new([("partition", self.number.to_string())])
    }

    /// Runs the ticks below `until` at which something can change, in order.
    fn run(&mut self, until: Ms, out: &mut Effects) {
        while let Some(at) = self.next_visit().filter(|at| *at < until) {
            self.tick(at, out);
            self.clock = at + 1;
        }
    }

    /// The first tick that has not run and at which something may change: no tick before it need be waited for. `None`
    /// where nothing is to come by itself.
    pub fn next_visit(&mut self) -> Option<Ms> {
        let own = self.broke.map(|at| next((at + QUIET).max(self.clock), SECOND)).into_iter();
        let limits = self.intake.refusals.next(self.clock).filter(|_| self.setup.builtins);
        let watched = self.sources.next(self.clock);
        let visits = self.board.next(self.clock);
        own.chain(limits).chain(watched).chain(visits).min()
    }

    fn tick(&mut self, at: Ms, out: &mut Effects) {
        let (signals, rows) = (out.signals.len(), out.rows.len());
        let told = if self.live { Some(&mut *out) } else { None };
        self.sources.tick(at, &self.setup, &mut self.alarms, told);
        if self.live && self.setup.builtins && at.rem_euclid(SECOND) == 0 {
            self.own(at, out);
        }
        let mut visits = std::mem::take(&mut self.visits);
        self.board.take(at, &mut visits);
        for id in &visits {
            self.visit(*id, at, out);
        }
        if self.live && !visits.is_empty() {
            out.counters.ticks += 1;
            out.counters.visited += visits.len() as u64;
        }
        self.visits = visits;
        out.signals[signals..].sort_by(|a, b| (&a.rule, &a.labels).cmp(&(&b.rule, &b.labels)));
        out.rows[rows..].sort_by_key(crate::model::RowChange::fingerprint);
    }

    /// The alarms that are about the partition itself.
    fn own(&mut self, at: Ms, out: &mut Effects) {
        let labels = self.labels();
        judge_log(self.sources.log(), labels.clone(), at, &mut self.alarms, out);
        if self.broke.is_some_and(|broke| at - broke >= QUIET) {
            self.broke = None;
            self.alarms.clear(&CLOCK_BREAK, &labels, at, None, out);
        }
        self.intake.refusals.tick(at, &mut self.alarms, out);
    }

    /// Puts another rule set in force: what a rule watches decides whether its instances go on.
    pub fn reload(&mut self, setup: Arc<Setup>, out: &mut Effects) {
        let start = out.signals.len();
        self.catch_all_up();
        let plan = Plan::new(&setup.rules);
        let old = std::mem::replace(&mut self.plan, plan);
        let mut board = std::mem::take(&mut self.board);
        let members = std::mem::take(&mut self.members);
        self.sources.wake_none();
        self.unheard.clear();
        self.setup = setup;
        for id in board.ids() {
            let Some(mut it) = board.remove(id) else { continue };
            let before = &old.rules[it.rule];
            let now = self.plan.rules.iter().position(|compiled| compiled.rule.id == before.rule.id);
            match now.filter(|now| self.plan.rules[*now].watch == before.watch) {
                Some(now) => {
                    it.rule = now;
                    let to = self.seat(it);
                    // Its series find it again with their next sample; its source must not wait for that.
                    let source = members.get(id as usize).and_then(|member| member.source);
                    self.members[to as usize].source = source;
                    if let Some(host) = self.board.get(to).and_then(|it| it.labels.get("host")).filter(|_| !self.live) {
                        self.unheard.entry(Box::from(host)).or_default().push(to);
                    }
                }
                _ if self.live => {
                    judge::end(&mut it, before, self.clock, Ended::RuleChanged, out);
                }
                // What its row tells of is ended as soon as rows are in force.
                _ => self.orphans.extend(it.forget_row()),
            }
        }
        let same = |now: &Compiled| old.rules.iter().any(|was| was.rule.id == now.rule.id && was.watch == now.watch);
        let kept: Vec<bool> = self.plan.rules.iter().map(same).collect();
        self.rebind(&kept, &old);
        out.signals[start..].sort_by(|a, b| (&a.rule, &a.labels).cmp(&(&b.rule, &b.labels)));
    }
}

/// Ends what rows tell of rules that are gone or watch something else, in the order in which a reload ends it.
pub(super) fn orphans(mut rows: Vec<StateRow>, at: Ms, out: &mut Effects) {
    rows.sort_by(|a, b| (&a.rule, &a.labels).cmp(&(&b.rule, &b.labels)));
    rows.into_iter().for_each(|row| orphan(row, at, out));
}

fn orphan(row: StateRow, at: Ms, out: &mut Effects) {
    use crate::model::{RowChange, Signal, State};
    if row.state.is_active() {
        out.signals.push(Signal {
            rule: row.rule,
            labels: row.labels,
            fingerprint: row.fingerprint,
            from: row.state,
            to: State::Resolved,
            severity: row.severity,
            value: None,
            unknown: None,
            at,
            since: row.occurred,
            ended: Some(Ended::RuleChanged),
            acted: true,
        });
    }
    out.rows.push(RowChange::Remove(row.fingerprint));
}
