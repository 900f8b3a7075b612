//! The sources of one partition: when each was last heard, how far its clock is off, and the alarms about both.
//!
//! The idea: everything about a host hangs on one record per host, so a silent host is one deadline and one alarm,
//! however many series it had. Skew is the smallest (append − sent) of the last ten minutes: a record can only come
//! late.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::evaluate::builtins::Alarms;
use crate::evaluate::{Effects, Setup, next};
use crate::model::{Ended, LOG_SKEW, Labels, SOURCE_SILENT, SOURCE_SKEW};
use crate::time::{DAY, MINUTE, Ms, SECOND};

/// A source that was not heard for so long is silent.
const SILENT: Ms = 2 * MINUTE;
/// A clock that is further off is wrong.
const SKEWED: Ms = 30 * SECOND;
/// Skews that differ by no more are the same.
const ALIKE: Ms = 5 * SECOND;
/// Skew is weighed on a beat of its own, so that what is found does not depend on who was visited in between.
const WEIGHED: Ms = 10 * SECOND;
/// Minutes over which skew is the smallest.
const MINUTES: i64 = 10;

/// One host.
#[derive(Debug)]
pub(super) struct Source {
    /// Its name.
    pub(super) host: Arc<str>,
    /// Append time of its last record.
    pub(super) last: Ms,
    /// Append time of its last record of which something was refused.
    pub(super) rejected: Option<Ms>,
    /// How far its clock is behind the log's, where that is too far.
    pub(super) skew: Option<Ms>,
    /// Instances that wait for its next record.
    pub(super) waiting: Vec<u32>,
    lags: Vec<(i64, Ms)>,
    /// The only entry of the heap that counts for it.
    queued: Ms,
    pending: bool,
    /// It counts among those heard of late.
    heard: bool,
}

impl Source {
    /// Whether it speaks at `at` for one who calls it quiet after `quiet`.
    pub(super) fn speaks(&self, at: Ms, quiet: Ms) -> bool {
        at - self.last < quiet
    }

    /// Whether its records are being rejected.
    pub(super) fn rejects(&self, at: Ms, quiet: Ms) -> bool {
        self.rejected.is_some_and(|rejected| at - rejected < quiet)
    }
}

/// All hosts of a partition.
#[derive(Debug, Default)]
pub(super) struct Sources {
    all: Vec<Source>,
    index: HashMap<Arc<str>, u32, FixedState>,
    due: BinaryHeap<Reverse<(Ms, u32)>>,
    /// Those about which an alarm may have to be switched at the next tick.
    pending: Vec<u32>,
    /// The skew of the log's own clock.
    log: Option<Ms>,
    /// How many sources show a skew.
    skewed: usize,
    /// A skew came or went since it was weighed last.
    unweighed: bool,
    /// How many were heard in the last [`MINUTES`].
    heard: i64,
}

impl Sources {
    /// The place of a host, new or not.
    pub(super) fn find(&mut self, host: &Arc<str>, clock: Ms) -> u32 {
        if let Some(id) = self.index.get(host) {
            return *id;
        }
        let id = u32::try_from(self.all.len()).expect("limits keep sources below 2^32");
        self.all.push(Source {
            host: Arc::clone(host),
            last: clock,
            rejected: None,
            skew: None,
            waiting: Vec::new(),
            lags: Vec::new(),
            queued: Ms::MAX,
            pending: false,
            heard: false,
        });
        self.index.insert(Arc::clone(host), id);
        id
    }

    /// The place of a host that is known.
    pub(super) fn known(&self, host: &str) -> Option<u32> {
        self.index.get(host).copied()
    }

    /// One host.
    pub(super) fn get(&self, id: u32) -> Option<&Source> {
        self.all.get(id as usize)
    }

    /// One host, to change it.
    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Source> {
        self.all.get_mut(id as usize)
    }

    /// Nobody waits for a source any more: places on the board mean something else now.
    pub(super) fn wake_none(&mut self) {
        self.all.iter_mut().for_each(|source| source.waiting.clear());
    }

    /// A record of a host came: its skew, where samples must be corrected by it.
    pub(super) fn hear(&mut self, id: u32, clock: Ms, sent: Option<Ms>, refused: bool) -> Option<Ms> {
        let source = self.all.get_mut(id as usize)?;
        let silent = clock - source.last >= SILENT;
        source.last = source.last.max(clock);
        if !std::mem::replace(&mut source.heard, true) {
            self.heard += 1;
        }
        if refused {
            source.rejected = Some(clock);
        }
        let before = source.skew;
        let minute = clock.div_euclid(MINUTE);
        // What it sent hours ago says nothing of its clock now, also where a record tells no time of its own.
        source.lags.retain(|(of, _)| *of > minute - MINUTES);
        if let Some(sent) = sent {
            // From here on something can be told of it, and be it that nothing is wrong any more.
            self.unweighed |= source.lags.is_empty();
            match source.lags.last_mut() {
                Some((of, lag)) if *of == minute => *lag = (*lag).min(clock - sent),
                _ => source.lags.push((minute, clock - sent)),
            }
        }
        let skew = source.lags.iter().map(|(_, lag)| *lag).min();
        source.skew = skew.filter(|skew| skew.abs() > SKEWED);
        if silent || source.queued == Ms::MAX {
            source.queued = next(source.last + SILENT, SECOND);
            self.due.push(Reverse((source.queued, id)));
        }
        let now = source.skew;
        self.unweighed |= before.is_some() || now.is_some();
        self.skewed = self.skewed + usize::from(now.is_some()) - usize::from(before.is_some());
        if silent {
            self.mark(id);
        }
        let (skew, log) = (self.all.get(id as usize)?.skew?, self.log);
        log.is_none_or(|log| (skew - log).abs() > ALIKE).then_some(skew)
    }

    /// Its alarms are looked at at the next tick.
    pub(super) fn mark(&mut self, id: u32) {
        if let Some(source) = self.all.get_mut(id as usize).filter(|source| !source.pending) {
            source.pending = true;
            self.pending.push(id);
        }
    }

    /// The first tick at or after `clock` at which an alarm may change.
    pub(super) fn next(&self, clock: Ms) -> Option<Ms> {
        let due = self.due.peek().map(|Reverse((due, _))| (*due).max(next(clock, SECOND)));
        let weighed = (self.skewed > 0 || self.unweighed || self.log.is_some()).then(|| next(clock, WEIGHED));
        let pending = (!self.pending.is_empty()).then(|| next(clock, SECOND)).into_iter().chain(weighed).min();
        due.into_iter().chain(pending).min()
    }

    /// Looks at every alarm that may change at tick `at`.
    pub(super) fn tick(&mut self, at: Ms, setup: &Setup, alarms: &mut Alarms, mut out: Option<&mut Effects>) {
        if at.rem_euclid(SECOND) != 0 {
            return;
        }
        while let Some(Reverse((due, id))) = self.due.peek().copied() {
            if due > at {
                break;
            }
            self.due.pop();
            if self.get(id).is_some_and(|source| source.queued == due) {
                self.quiet(id, at);
            }
        }
        let mut pending = std::mem::take(&mut self.pending);
        for id in pending.drain(..) {
            let Some(source) = self.all.get_mut(id as usize) else { continue };
            source.pending = false;
            if let (true, Some(out)) = (setup.builtins, out.as_deref_mut()) {
                judge(source, at, setup, alarms, out);
            }
        }
        self.pending = pending;
        if at.rem_euclid(WEIGHED) == 0 && (self.skewed > 0 || self.unweighed || self.log.is_some()) {
            self.unweighed = false;
            self.weigh(at);
            for source in self.all.iter().filter(|_| setup.builtins) {
                if let Some(out) = out.as_deref_mut() {
                    judge_skew(source, at, self.log, alarms, out);
                }
            }
        }
    }

    /// Looks at a host's silence, and again when it may have lasted long enough to be told of, or to be forgotten.
    fn quiet(&mut self, id: u32, at: Ms) {
        self.mark(id);
        let Some(source) = self.all.get_mut(id as usize) else { return };
        if at - source.last >= MINUTES * MINUTE && std::mem::take(&mut source.heard) {
            self.heard -= 1;
        }
        let later = [SILENT, MINUTES * MINUTE, DAY].into_iter().map(|after| source.last + after);
        let later = later.into_iter().find(|later| *later > at);
        source.queued = later.map_or(Ms::MAX, |later| next(later, SECOND));
        if source.queued < Ms::MAX {
            self.due.push(Reverse((source.queued, id)));
        }
    }

    /// Whether most sources are off by the same: then it is the log's clock.
    fn weigh(&mut self, at: Ms) {
        let live: Vec<&Source> = self.all.iter().filter(|source| at - source.last < MINUTES * MINUTE).collect();
        let mut skews: Vec<Ms> = live.iter().filter_map(|source| source.skew).collect();
        skews.sort_unstable();
        self.log = None;
        if live.len() < 3 {
            return;
        }
        for (n, low) in skews.iter().enumerate() {
            let alike = skews.iter().skip(n).take_while(|skew| **skew - low <= 2 * ALIKE).count();
            if alike * 2 > live.len() {
                self.log = skews.get(n + alike / 2).copied();
                return;
            }
        }
    }

    /// The log's own skew, if it is the log's clock that is wrong.
    pub(super) fn log(&self) -> Option<Ms> {
        self.log
    }

    /// The clock went back: silence goes on from where it was, and skew is learnt anew.
    pub(super) fn shift(&mut self, by: Ms) {
        self.due.clear();
        self.log = None;
        self.skewed = 0;
        for id in 0..self.all.len() {
            let source = &mut self.all[id];
            source.last += by;
            source.rejected = source.rejected.map(|rejected| rejected + by);
            source.skew = None;
            source.lags.clear();
            self.watch(u32::try_from(id).unwrap_or(u32::MAX));
        }
    }

    /// Puts a host's silence on the list, and looks at its alarms at the next tick.
    pub(super) fn watch(&mut self, id: u32) {
        self.unweighed = true;
        if let Some(source) = self.all.get_mut(id as usize) {
            if !std::mem::replace(&mut source.heard, true) {
                self.heard += 1;
            }
            source.queued = next(source.last + SILENT, SECOND);
            self.due.push(Reverse((source.queued, id)));
        }
        self.mark(id);
    }

    /// How many were heard in the ten minutes before the last tick.
    pub(super) fn heard(&self) -> i64 {
        self.heard
    }

    /// Every host by name, in order.
    pub(super) fn by_name(&self) -> BTreeMap<Arc<str>, u32> {
        self.index.iter().map(|(host, id)| (Arc::clone(host), *id)).collect()
    }
}

fn judge(source: &Source, at: Ms, setup: &Setup, alarms: &mut Alarms, out: &mut Effects) {
    let labels = Labels::new([("host", source.host.as_ref())]);
    let silence = at - source.last;
    if silence >= DAY {
        alarms.clear(&SOURCE_SILENT, &labels, at, Some(Ended::Gone), out);
        alarms.clear(&SOURCE_SKEW, &labels, at, Some(Ended::Gone), out);
        return;
    }
    if silence >= SILENT {
        let severity = setup.source_silent.unwrap_or(SOURCE_SILENT.severity);
        alarms.raise((&SOURCE_SILENT, severity, labels), at, source.last, out);
        return;
    }
    alarms.clear(&SOURCE_SILENT, &labels, at, None, out);
}

/// Switches the alarm about a source's clock; while it is silent, or has sent nothing by which its skew could be told
/// since a clock break or a start, what was known of it stands.
fn judge_skew(source: &Source, at: Ms, log: Option<Ms>, alarms: &mut Alarms, out: &mut Effects) {
    if at - source.last >= SILENT || source.lags.is_empty() {
        return;
    }
    let labels = Labels::new([("host", source.host.as_ref())]);
    let own = source.skew.filter(|skew| log.is_none_or(|log| (skew - log).abs() > ALIKE));
    match own {
        Some(_) => alarms.raise((&SOURCE_SKEW, SOURCE_SKEW.severity, labels), at, 0, out),
        None => alarms.clear(&SOURCE_SKEW, &labels, at, None, out),
    }
}

/// Switches the alarm about the log's own clock.
pub(super) fn judge_log(skew: Option<Ms>, labels: Labels, at: Ms, alarms: &mut Alarms, out: &mut Effects) {
    let on = alarms.of(&LOG_SKEW).next().is_some();
    match skew {
        Some(_) if !on => alarms.raise((&LOG_SKEW, LOG_SKEW.severity, labels), at, at, out),
        None if on => alarms.clear(&LOG_SKEW, &labels, at, None, out),
        _ => {}
    }
}
