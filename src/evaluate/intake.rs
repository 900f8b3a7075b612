//! How a record gets into the windows.
//!
//! The idea: the repeating part of a record is looked up once per shape; after that each number goes to its ring by id,
//! and the instances that look at it become dirty. Rules that cannot wait for their tick are judged at the end.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::evaluate::board::Board;
use crate::evaluate::instance::Instance;
use crate::evaluate::partition::Partition;
use crate::evaluate::plan::Plan;
use crate::evaluate::ring::Same;
use crate::evaluate::series::{Link, REFUSED, Series, SeriesTable};
use crate::evaluate::{Effects, SkewPolicy, judge, passed};
use crate::model::{Decoded, Fingerprint, Kind, Labels, SeriesKey, Shape, Watch};
use crate::time::{Ms, SECOND};

/// A record of lines that comes again within so long is the same one.
const AGAIN: Ms = 10 * SECOND;
/// Bytes of one sample in a ring, for the memory limit.
const SAMPLE: usize = 16;

/// What the records of a partition left behind.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// Every series.
    pub(super) series: SeriesTable,
    /// Limits that were hit, by name.
    pub(super) refusals: BTreeMap<&'static str, Hit>,
    /// When a limit was hit last.
    pub(super) refused_at: Option<Ms>,
    /// A limit was hit since the last tick.
    pub(super) refused_now: bool,
    per_rule: Vec<usize>,
    samples: usize,
    logs: HashMap<Labels, Arc<[u32]>>,
    recent: VecDeque<(Ms, u64)>,
    seen: HashSet<u64>,
    early: Vec<u32>,
}

/// One limit that was hit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    /// Its value.
    pub(super) limit: u64,
    /// How often.
    pub(super) times: u64,
}

impl Intake {
    fn refuse(&mut self, name: &'static str, limit: usize, clock: Ms) {
        let hit = self.refusals.entry(name).or_insert(Hit { limit: 0, times: 0 });
        hit.limit = limit as u64;
        hit.times += 1;
        self.refused_at = Some(clock);
        self.refused_now = true;
    }

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

    /// Puts one value into a series. `false` where it came too late for every window.
    fn put(&mut self, board: &mut Board, plan: &Plan, id: u32, sample: Sample) -> bool {
        let Some(series) = self.series.get_mut(id) else { return true };
        if series.newest.is_none_or(|(newest, _)| newest <= sample.time) {
            series.newest = Some((sample.time, sample.value));
        }
        if series.links.is_empty() {
            return true;
        }
        let late = |link: &Link| sample.time <= passed(sample.clock, link.interval) - link.over;
        let useful = !series.links.iter().all(late);
        let before = series.ring.len();
        if useful {
            series.ring.insert(sample.time, sample.value, sample.same);
        }
        series.ring.settle(sample.clock);
        series.ring.trim(sample.clock - series.keep);
        self.samples = (self.samples + series.ring.len()).saturating_sub(before);
        for link in &series.links {
            if let Some(it) = board.get_mut(link.to) {
                it.hear(sample.time, sample.clock, &plan.rules[link.rule]);
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
    time: Ms,
    value: f64,
    same: Same,
    clock: Ms,
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
        self.wake(source);
        if record.kind != Kind::Data || (skew.is_some() && self.setup.skew == SkewPolicy::Quarantine) {
            return;
        }
        let shift = skew.unwrap_or(0);
        if let Some(shape) = &record.shape {
            self.numbers(shape, &record.values, record.ts + shift, source, out);
        }
        if !record.lines.is_empty() && !self.plan.logs.is_empty() {
            self.lines(record, shift, source, out);
        }
        self.judge_early(out);
    }

    /// The source speaks: whoever waited for that is visited at the next tick.
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
            let ids: Arc<[u32]> = shape.series.iter().map(|key| self.find(key, None, out)).collect();
            self.intake.series.cache(shape, Arc::clone(&ids));
            ids
        });
        let time = ts.min(self.clock);
        let mut late = 0;
        for (id, value) in ids.iter().zip(values) {
            self.bind_where_needed(*id, source);
            let sample = Sample { time, value: *value, same: Same::Replace, clock: self.clock };
            late += u64::from(!self.intake.put(&mut self.board, &self.plan, *id, sample));
        }
        if self.live {
            out.counters.samples += values.len() as u64;
            out.counters.late += late;
        }
    }

    fn lines(&mut self, record: &Decoded, shift: Ms, source: u32, out: &mut Effects) {
        if self.intake.again(record, self.clock) {
            return;
        }
        let known = self.intake.logs.get(&record.labels).cloned();
        let ids = known.unwrap_or_else(|| {
            let joined = self.setup.inventory.join(&record.labels);
            let fitting: Vec<usize> =
                self.plan.logs.iter().copied().filter(|place| self.plan.rules[*place].fits(&joined)).collect();
            let key = |place: usize| SeriesKey {
                name: Arc::from(format!("log:{}", self.plan.rules[place].rule.id)),
                labels: record.labels.clone(),
            };
            let keys: Vec<(usize, SeriesKey)> = fitting.into_iter().map(|place| (place, key(place))).collect();
            let ids: Arc<[u32]> = keys.iter().map(|(place, key)| self.find(key, Some(*place), out)).collect();
            self.intake.logs.insert(record.labels.clone(), Arc::clone(&ids));
            ids
        });
        let mut late = 0;
        for id in ids.iter() {
            self.bind_where_needed(*id, source);
            let Some(place) = self.intake.series.get(*id).and_then(|series| series.lines) else { continue };
            self.speak(*id, (record.ts + shift).min(self.clock));
            for line in record.lines.iter().filter(|line| self.plan.rules[place].counts(&line.text)) {
                let time = (line.ts + shift).min(self.clock);
                let sample = Sample { time, value: 1.0, same: Same::Add, clock: self.clock };
                late += u64::from(!self.intake.put(&mut self.board, &self.plan, *id, sample));
            }
        }
        if self.live {
            out.counters.lines += record.lines.len() as u64;
            out.counters.late += late;
        }
    }

    /// Lines came whose labels fit: their identity lives, whether one of them counts or not.
    fn speak(&mut self, id: u32, time: Ms) {
        let Some(series) = self.intake.series.get(id) else { return };
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
        let limits = self.setup.limits;
        let full = self.intake.samples.saturating_mul(SAMPLE) >= limits.window_memory;
        let id = if full {
            self.intake.refuse("window_memory", limits.window_memory, self.clock);
            None
        } else {
            let id = self.intake.series.insert(key.clone(), lines, limits.series, self.clock);
            if id.is_none() {
                self.intake.refuse("series", limits.series, self.clock);
            }
            id
        };
        if id.is_none() && self.live {
            out.counters.refused_series += 1;
        }
        id.unwrap_or(REFUSED)
    }

    fn bind_where_needed(&mut self, id: u32, source: u32) {
        if self.intake.series.get(id).is_some_and(|series| series.unbound) {
            self.bind(id, source);
        }
    }

    /// Works out which instances look at a series; new identities are born here.
    fn bind(&mut self, id: u32, source: u32) {
        let Some(series) = self.intake.series.get_mut(id) else { return };
        series.unbound = false;
        let key = series.key.clone();
        let joined = self.setup.inventory.join(&key.labels);
        let places: Vec<usize> = match series.lines {
            Some(place) => vec![place],
            None => self.plan.watching(&key.name).to_vec(),
        };
        for place in places {
            let compiled = &self.plan.rules[place];
            if !compiled.fits(&joined) {
                continue;
            }
            let rule = Arc::clone(&compiled.rule);
            let (labels, fingerprint) = if compiled.local {
                let labels = compiled.identity(&key.labels, &joined);
                let fingerprint = Fingerprint::of(&rule.id, &labels);
                (labels, fingerprint)
            } else {
                // One instance per series: its leaf is all that a partition knows of a wide rule.
                let name = format!("{}\x1d{}", rule.id, key.name);
                (key.labels.clone(), Fingerprint::of(&name, &key.labels))
            };
            let to = self.board.find(fingerprint);
            if to.is_some_and(|to| self.linked(id, to)) {
                continue;
            }
            if !self.admit(place, to) {
                continue;
            }
            let to = to.unwrap_or_else(|| self.seat(Instance::new(place, labels, fingerprint, self.clock)));
            self.join(id, to, source);
            if let Some(series) = self.intake.series.get_mut(id) {
                series.keep = series.keep.max(rule.over + rule.interval);
                series.links.push(Link { rule: place, to, over: rule.over, interval: rule.interval });
            }
        }
    }

    /// The leaf of a wide rule comes back from its row: with its series, of which no sample may be left.
    pub(super) fn reseat(&mut self, place: usize, to: u32, labels: Labels) {
        let rule = Arc::clone(&self.plan.rules[place].rule);
        let (name, lines) = match &rule.watch {
            Watch::Metric { name, .. } => (name.clone(), None),
            Watch::Log { .. } => (format!("log:{}", rule.id), Some(place)),
        };
        let key = SeriesKey { name: Arc::from(name), labels };
        let limit = self.setup.limits.series;
        let known = self.intake.series.find(&key);
        let Some(id) = known.or_else(|| self.intake.series.insert(key, lines, limit, 0)) else { return };
        if let (Some(series), Some(member)) = (self.intake.series.get_mut(id), self.members.get_mut(to as usize)) {
            member.series.push(id);
            series.keep = series.keep.max(rule.over + rule.interval);
            series.links.push(Link { rule: place, to, over: rule.over, interval: rule.interval });
        }
    }

    fn linked(&self, id: u32, to: u32) -> bool {
        self.intake.series.get(id).is_some_and(|series| series.links.iter().any(|link| link.to == to))
    }

    /// Whether a rule may watch one more series.
    fn admit(&mut self, place: usize, to: Option<u32>) -> bool {
        if self.intake.per_rule.len() <= place {
            self.intake.per_rule.resize(place + 1, 0);
        }
        let limit = self.setup.limits.series_per_rule;
        if self.intake.per_rule[place] >= limit {
            self.intake.refuse("series_per_rule", limit, self.clock);
            if let Some(it) = to.and_then(|to| self.board.get_mut(to)) {
                it.limited = true;
            }
            return false;
        }
        self.intake.per_rule[place] += 1;
        true
    }

    /// Puts a series at its place among those of an instance.
    fn join(&mut self, id: u32, to: u32, source: u32) {
        let table = &self.intake.series;
        let key = |id: &u32| table.get(*id).map(|series: &Series| &series.key);
        let Some(member) = self.members.get_mut(to as usize) else { return };
        member.source = Some(source);
        let place = member.series.partition_point(|other| key(other) < key(&id));
        member.series.insert(place, id);
    }

    /// Judges the rules that a record may have made worse before their tick.
    fn judge_early(&mut self, out: &mut Effects) {
        let mut early = std::mem::take(&mut self.intake.early);
        early.sort_unstable();
        early.dedup();
        let start = out.signals.len();
        for id in early.drain(..).filter(|_| self.live) {
            let Some(place) = self.board.get(id).map(|it| it.rule) else { continue };
            let (seen, _) = self.look(id, place, self.clock);
            if let Some(it) = self.board.get_mut(id) {
                judge::early(it, &self.plan.rules[place], self.clock, &seen, out);
            }
        }
        self.intake.early = early;
        out.signals[start..].sort_by(|a, b| (&a.rule, &a.labels).cmp(&(&b.rule, &b.labels)));
    }

    /// Another rule set: every series finds its instances anew.
    pub(super) fn rebind(&mut self) {
        self.intake.per_rule.clear();
        self.intake.logs.clear();
        self.intake.series.renew();
        let plan = &self.plan;
        for series in self.intake.series.iter_mut() {
            series.links.clear();
            series.keep = 0;
            series.unbound = true;
            if series.lines.is_some() {
                let name = series.key.name.strip_prefix("log:").unwrap_or_default();
                series.lines = plan.logs.iter().copied().find(|place| *plan.rules[*place].rule.id == *name);
            }
        }
        for id in self.intake.series.ids() {
            let Some(series) = self.intake.series.get(id) else { continue };
            let host = series.key.labels.get("host").unwrap_or_default();
            let newest = series.newest.map(|(time, _)| time);
            if let Some(source) = self.sources.known(host) {
                self.bind(id, source);
            }
            if let Some(newest) = newest {
                self.speak(id, newest);
            }
        }
    }
}
