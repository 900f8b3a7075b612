//! Rules and recordings that are PromQL expressions, evaluated over what all partitions have heard.
//!
//! The idea: partitions hand every sample over that a selector wants, stamped with its append time; at a tick all that
//! came before is in the windows, whichever partition it came from. Then each group runs its expressions in order, as
//! Prometheus does: what is in a result is an instance that fires, what has left it is good. The verdict of an instance
//! is that of every other rule (`judge`). An expression whose sides do not fit together moves nothing and is told.
//!
//! What is equal in several expressions is computed once a tick, and what no sample has touched since the last is not
//! computed again (`promql::Together`). Samples carry no stale markers; a series that is silent leaves an instant
//! selector after 5 minutes. What the inventory knows of a host is joined as `promql::together` says.

mod names;
mod plan;
mod result;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::evaluate::builtins::Alarms;
use crate::evaluate::instance::{Instance, LONG_AGO};
use crate::evaluate::judge::{self, Next};
use crate::evaluate::limits::Refusals;
use crate::evaluate::plan::Plan;
use crate::evaluate::promql::{Branch, Kept, NAME, Windows, branches, stale};
use crate::evaluate::{Effects, Setup, next, passed};
use crate::model::{Cause, Ended, Fingerprint, Labels, StateRow, Watch};
use crate::time::{MINUTE, Ms};

pub use names::{prometheus_label, prometheus_metric, translate as prometheus_labels};
pub(super) use plan::Exprs as ExprPlan;
use plan::{Group, Step, Use};
use result::{Tick, evaluated};

/// A sample that an expression wants.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sampled {
    /// Its partition's clock when it came: ticks from here on see it.
    pub(super) at: Ms,
    /// Labels, the name among them, as expressions see them.
    pub(super) labels: Labels,
    /// Effective time.
    pub(super) time: Ms,
    /// The number.
    pub(super) value: f64,
}

/// An expression taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// Its text.
    pub text: String,
    /// When it was evaluated.
    pub at: Ms,
    /// Its parts, each before those around it.
    pub branches: Vec<Branch>,
}

/// Samples and instances of all expressions.
#[derive(Debug, Default)]
pub(super) struct Exprs {
    windows: Windows,
    /// What is kept of evaluations, of the plan whose selectors the windows know.
    kept: Kept,
    watched: bool,
    queue: BTreeMap<Ms, Vec<(i32, Sampled)>>,
    instances: BTreeMap<(usize, Labels), Held>,
    /// What each recording gave last: who has left it ends.
    recorded: BTreeMap<(usize, usize), BTreeSet<Labels>>,
    troubles: BTreeMap<Arc<str>, String>,
    trimmed: Ms,
    /// When a sample was last left out for want of room.
    full_at: Option<Ms>,
    /// Limits that were hit, and the alarms that tell of them.
    refusals: Refusals,
    alarms: Alarms,
    /// Who looks at limits is told of them.
    builtins: bool,
    /// By partition whose log has lost records: the append time of the first that is left.
    firsts: BTreeMap<i32, Ms>,
    /// No tick is before this; `None` while not every partition has a clock.
    begun: Option<Ms>,
    live: bool,
}

/// An instance and what its expression gave for it last.
#[derive(Debug)]
struct Held {
    it: Instance,
    value: Option<f64>,
}

impl Exprs {
    /// Takes a row of the store; it is in force from [`Exprs::resume`] on.
    pub(super) fn load(&mut self, place: usize, row: StateRow) {
        let mut it = Instance::new(place, row.labels.clone(), row.fingerprint, LONG_AGO);
        let key = (place, row.labels.clone());
        it.load(row);
        self.instances.insert(key, Held { it, value: None });
    }

    /// Takes the row of an alarm that was on.
    pub(super) fn load_alarm(&mut self, row: StateRow) {
        self.alarms.load(row);
    }

    /// A partition reads what is new; `first`: its log has lost records, and this is the append time of the first left.
    pub(super) fn begins(&mut self, partition: i32, first: Option<Ms>) {
        match first {
            Some(first) => drop(self.firsts.insert(partition, first)),
            None => drop(self.firsts.remove(&partition)),
        }
    }

    /// Takes a sample; it counts from the first tick at or after its append time on.
    pub(super) fn offer(&mut self, partition: i32, sample: Sampled) {
        self.queue.entry(sample.at).or_default().push((partition, sample));
    }

    /// Every partition has a clock, `clock` the lowest of them.
    pub(super) fn begin(&mut self, clock: Ms) {
        let first = self.queue.keys().next().map_or(clock, |first| clock.min(*first));
        self.begun.get_or_insert(first);
    }

    /// Ticks are new from here on.
    pub(super) fn resume(&mut self) {
        self.live = true;
        self.refusals.resume(&self.alarms);
        self.instances.values_mut().for_each(|held| held.it.resume());
    }

    /// The next tick, from `clock` on. While the past is read again only recordings need theirs.
    pub(super) fn next(&self, plan: &Plan, clock: Ms) -> Option<Ms> {
        let from = self.begun.filter(|_| self.live || plan.exprs.records)?.max(clock);
        let limits = self.refusals.next(from).filter(|_| self.live && self.builtins);
        plan.exprs.groups.iter().map(|group| next(from, group.interval)).chain(limits).min()
    }

    /// What each part of a rule's expression gives at the tick `at`; `None` where it is no expression.
    pub(super) fn parts(&self, plan: &Plan, rule: &str, at: Ms) -> Option<Parts> {
        let is = |step: &&Step| matches!(step.what, Use::Alert(place) if *plan.rules[place].rule.id == *rule);
        let found = plan.exprs.groups.iter().find_map(|group| Some((group, group.steps.iter().find(is)?)));
        let (group, step) = found?;
        let (expr, at) = (plan.exprs.together.expr(step.expr)?, at - group.behind);
        Some(Parts { text: expr.text().to_owned(), at, branches: branches(expr, &self.windows, at) })
    }

    /// Why rules gave no result at their last tick, by id.
    pub(super) fn troubles(&self) -> &BTreeMap<Arc<str>, String> {
        &self.troubles
    }

    /// Every instance, and what its expression gave for it at the last tick.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Instance, Option<f64>)> {
        self.instances.values().map(|held| (&held.it, held.value))
    }

    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.instances.is_empty() && self.alarms.is_empty()
    }

    /// Limits that were hit: name and rule, value and how often.
    pub(super) fn limits_hit(&self) -> Vec<(String, u64, u64)> {
        self.refusals.hits().map(|(name, hit)| (name, hit.limit, hit.times)).collect()
    }

    /// Runs the groups whose tick `at` is. `true`: there was one.
    pub(super) fn tick(&mut self, (plan, setup): (&Plan, &Setup), at: Ms, out: &mut Effects) -> bool {
        let limits = setup.limits;
        self.builtins = setup.builtins;
        let refused = self.take(at, limits.series, out);
        self.full(plan, refused, limits.series, at);
        if !std::mem::replace(&mut self.watched, true) {
            self.windows.watch(plan.exprs.together.sets(), &setup.inventory);
        }
        let mut ran = false;
        let kept = RefCell::new(std::mem::take(&mut self.kept));
        plan.exprs.together.begin(&kept, &self.windows.touched());
        let first = self.firsts.values().copied().max();
        let mut tick = Tick { at, plan, limits, first, kept: &kept, out };
        for (group, of) in plan.exprs.groups.iter().enumerate().filter(|(_, of)| at.rem_euclid(of.interval) == 0) {
            ran = true;
            for (n, step) in of.steps.iter().enumerate() {
                match &step.what {
                    Use::Record(name) => self.record((group, n), name, (of, step), &mut tick),
                    Use::Alert(place) if self.live => self.alert(*place, (of, step), &mut tick),
                    Use::Alert(_) => {}
                }
            }
        }
        self.kept = kept.into_inner();
        if self.live && self.builtins {
            self.refusals.tick(at, &mut self.alarms, out);
        }
        if at - self.trimmed >= MINUTE {
            self.trimmed = at;
            self.windows.trim(at - plan.exprs.keep);
        }
        ran
    }

    /// What came up to `at` gets into the windows, in the order of partitions, not of their arrival.
    /// Gives how many were left out for want of room.
    fn take(&mut self, at: Ms, limit: usize, out: &mut Effects) -> u64 {
        let mut refused = 0;
        while let Some(entry) = self.queue.first_entry().filter(|entry| *entry.key() <= at) {
            let mut samples = entry.remove();
            samples.sort_by_key(|(partition, _)| *partition);
            for (_, sample) in samples {
                refused += u64::from(!self.windows.insert(&sample.labels, sample.time, sample.value, limit));
            }
        }
        if self.live {
            out.counters.refused_series += refused;
        }
        refused
    }

    /// Tells that samples were left out, until a minute passed without.
    fn full(&mut self, plan: &Plan, refused: u64, limit: usize, at: Ms) {
        let name: Arc<str> = Arc::from("limits.series");
        if refused > 0 {
            self.full_at = Some(at);
            if self.live {
                // The same incident as that of the partitions: it is one limit.
                self.refusals.refuse("series", None, limit, at);
            }
            let most = plan.exprs.widest(&self.windows, &plan.rules);
            let most = most.map_or_else(String::new, |rule| format!("; `{rule}` sees most of them"));
            let why = format!("expressions see {limit} series, no more: samples of others were left out{most}");
            self.trouble(&name, Some(why));
        } else if self.full_at.is_some_and(|last| at - last >= MINUTE) {
            self.full_at = None;
            self.trouble(&name, None);
        }
    }

    fn record(&mut self, key: (usize, usize), name: &str, (group, step): (&Group, &Step), tick: &mut Tick<'_>) {
        let at = tick.at - group.behind;
        let found = match evaluated(group, step, &self.windows, tick) {
            Ok(found) => found,
            Err(why) => return self.trouble(&Arc::from(format!("record:{name}")), Some(why)),
        };
        self.trouble(&Arc::from(format!("record:{name}")), None);
        let mut now = BTreeSet::new();
        for (labels, value) in found {
            let series = labels.with(NAME, name);
            if self.windows.insert(&series, at, value, tick.limits.series) {
                now.insert(series);
            } else if self.live {
                tick.out.counters.refused_series += 1;
            }
        }
        let before = self.recorded.insert(key, now.clone()).unwrap_or_default();
        for gone in before.difference(&now) {
            self.windows.insert(gone, at, stale(), tick.limits.series);
        }
        tick.plan.exprs.together.wrote(&mut tick.kept.borrow_mut(), name, at);
    }

    fn alert(&mut self, place: usize, (group, step): (&Group, &Step), tick: &mut Tick<'_>) {
        let compiled = &tick.plan.rules[place];
        let id = &compiled.rule.id;
        let mut found = match evaluated(group, step, &self.windows, tick) {
            Ok(found) => found,
            // Nothing is known, and what was known stands.
            Err(why) => return self.trouble(id, Some(why)),
        };
        self.trouble(id, None);
        // A verdict from windows that lack what the log has lost would be a wrong one.
        let warming = tick.first.is_some_and(|first| tick.at < first + compiled.over);
        let known: Vec<Labels> = self
            .instances
            .range((place, Labels::default())..)
            .take_while(|((of, _), _)| *of == place)
            .map(|((_, labels), _)| labels.clone())
            .collect();
        let room = tick.limits.series_per_rule.saturating_sub(known.len());
        for labels in known {
            let value = found.remove(&labels);
            let key = (place, labels);
            let Some(held) = self.instances.get_mut(&key) else { continue };
            held.value = value;
            if warming {
                judge::doubt(&mut held.it, compiled, tick.at, Cause::Warming, tick.out);
            } else if judge::answer(&mut held.it, compiled, tick.at, value, tick.out) == Next::Forgotten {
                self.instances.remove(&key);
            }
        }
        let over = found.len().saturating_sub(room);
        if over > 0 {
            tick.out.counters.refused_series += over as u64;
            let limit = tick.limits.series_per_rule;
            let why = format!("{over} more results than limits.series_per_rule ({limit}) allows: they raise nothing");
            self.trouble(id, Some(why));
            self.refusals.refuse("series_per_rule", Some(id), limit, tick.at);
        }
        for (labels, value) in found.into_iter().take(room) {
            let fingerprint = Fingerprint::of(id, &labels);
            let mut it = Instance::new(place, labels.clone(), fingerprint, tick.at);
            if warming {
                judge::doubt(&mut it, compiled, tick.at, Cause::Warming, tick.out);
            } else {
                judge::answer(&mut it, compiled, tick.at, Some(value), tick.out);
            }
            self.instances.insert((place, labels), Held { it, value: Some(value) });
        }
        tick.out.counters.visited += 1;
    }

    fn trouble(&mut self, of: &Arc<str>, why: Option<String>) {
        match why {
            Some(why) => {
                self.troubles.insert(Arc::clone(of), why);
            }
            None => {
                self.troubles.remove(of);
            }
        }
    }

    /// A partition goes to others: nothing is known any more.
    pub(super) fn lag(&mut self, plan: &Plan, at: Ms, out: &mut Effects) {
        for it in self.instances.values_mut().map(|held| &mut held.it) {
            judge::doubt(it, &plan.rules[it.rule], at, Cause::PipelineLag, out);
        }
    }

    /// A partition's clock went back from `from` to `to`: what it handed over stays, elapsed times carry over.
    pub(super) fn fall_back(
        &mut self,
        plan: &Plan,
        partition: i32,
        (from, to): (Ms, Ms),
        limit: usize,
        out: &mut Effects,
    ) {
        for samples in self.queue.values_mut() {
            for (_, sample) in samples.extract_if(.., |(of, _)| *of == partition) {
                self.windows.insert(&sample.labels, sample.time, sample.value, limit);
            }
        }
        self.queue.retain(|_, samples| !samples.is_empty());
        if from <= to {
            return;
        }
        self.trimmed = self.trimmed.min(to);
        self.begun = self.begun.min(Some(to));
        self.refusals.shift(to - from);
        if self.live {
            self.alarms.shift(to - from, &mut out.rows);
        }
        for it in self.instances.values_mut().map(|held| &mut held.it) {
            let compiled = &plan.rules[it.rule];
            let last = passed(from, compiled.rule.interval);
            it.shift(last, passed(to, compiled.rule.interval) - last);
            if self.live {
                it.rewrite(compiled, &mut out.rows);
            }
        }
    }

    /// Another rule set: what is watched the same way goes on. Returns the rows of what does not, where rows are not in
    /// force yet.
    pub(super) fn reload(&mut self, (old, new): (&Plan, &Plan), at: Ms, out: &mut Effects) -> Vec<StateRow> {
        let mut lost = Vec::new();
        self.recorded.clear();
        self.troubles.clear();
        self.refusals.forget_rules();
        (self.kept, self.watched) = (Kept::default(), false);
        for ((place, labels), Held { mut it, value }) in std::mem::take(&mut self.instances) {
            let before = &old.rules[place];
            let now = new.rules.iter().position(|compiled| compiled.rule.id == before.rule.id);
            match now.filter(|now| new.rules[*now].watch == before.watch) {
                Some(now) => {
                    it.rule = now;
                    self.instances.insert((now, labels), Held { it, value });
                }
                None if self.live => judge::end(&mut it, before, at, Ended::RuleChanged, out),
                None => lost.extend(it.forget_row()),
            }
        }
        lost
    }
}

/// Whether a rule is an expression.
pub(super) fn is_expr(watch: &Watch) -> bool {
    matches!(watch, Watch::Expr { .. })
}
