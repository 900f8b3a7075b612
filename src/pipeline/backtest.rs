//! The whole pure path over recorded or simulated records on a virtual clock: `replay`, and scenarios.
//!
//! The idea: time is the log's. A signal is taken at its own tick, chain steps and other timers run in between in order,
//! and every page is handed over and accepted at once, as by phones that never fail. No store: what the leader commits
//! is what is printed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::decode::Limits;
use crate::evaluate::{Setup, Warm};
use crate::model::{
    BookCommit, BookRows, Change, Decoded, Incident, IncidentState, Input, Outcome, Page, Progress, Severity, Signal,
    SignalKey, StateRow, Taken, WIDE,
};
use crate::pipeline::leader::{Leader, World};
use crate::pipeline::stages::{At, Fed, Lanes};
use crate::time::Ms;

/// One thing that happened, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// A signal, acted on or not; with its partition.
    Signal(i32, Signal),
    /// An incident is new, or its state or severity changed; with the instant.
    Incident(Ms, Box<Incident>),
    /// A page was decided; with the instant.
    Page(Ms, Page),
}

/// What a person did, at an instant of the virtual clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Deed {
    /// When.
    pub at: Ms,
    /// Makes the input from the incidents as they then are; `None` where it fits none.
    pub act: Act,
}

/// What a person does to the live incident of a rule instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// Rule id.
    pub rule: String,
    /// Labels that the incident must have.
    pub labels: Vec<(String, String)>,
    /// Who.
    pub by: String,
    /// What.
    pub verb: Verb,
}

/// The verbs of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Take it, for so long, ms.
    Ack(Ms),
    /// Give it back.
    Unack,
    /// Say that it is over.
    Resolve,
    /// Say that it is not.
    Reopen,
}

/// Counts for the summary line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Records.
    pub records: u64,
    /// Samples.
    pub samples: u64,
    /// Refused records and parts of records.
    pub rejected: u64,
    /// Signals printed.
    pub signals: u64,
    /// Incidents opened.
    pub incidents: u64,
    /// Pages decided.
    pub pages: u64,
}

/// A run over records.
#[derive(Debug)]
pub struct Backtest {
    topic: String,
    lanes: Lanes,
    leader: Option<Leader>,
    now: Ms,
    seqs: BTreeMap<i32, i64>,
    deeds: VecDeque<Deed>,
    /// Deeds that met no incident.
    fruitless: Vec<Deed>,
    /// Pages not due yet, by (due, id).
    later: BTreeMap<(Ms, String), Page>,
    /// Incidents as they were printed last.
    shown: BTreeMap<String, (IncidentState, Severity)>,
    incidents: BTreeMap<String, Incident>,
    overdue: Vec<(Ms, String)>,
    summary: Summary,
    happened: Vec<Happening>,
}

impl Backtest {
    /// A run under `setup`; `world` is left out where no pages are wanted.
    pub fn new(setup: Arc<Setup>, limits: Limits, world: Option<Arc<World>>, mut deeds: Vec<Deed>) -> Self {
        deeds.sort_by_key(|deed| deed.at);
        let topic = setup.topic.clone();
        Self {
            topic,
            lanes: Lanes::new(setup, limits, None, Vec::new()),
            leader: world.map(|world| Leader::load(&BookRows::default(), world)),
            now: Ms::MIN,
            seqs: BTreeMap::new(),
            deeds: deeds.into(),
            fruitless: Vec::new(),
            later: BTreeMap::new(),
            shown: BTreeMap::new(),
            incidents: BTreeMap::new(),
            overdue: Vec::new(),
            summary: Summary::default(),
            happened: Vec::new(),
        }
    }

    /// Takes a partition; records below `progress.offset` will be muted.
    pub fn start(&mut self, partition: i32, progress: Option<&Progress>, rows: Vec<StateRow>) {
        self.lanes.start(partition, progress, rows, Warm { low: 0, first_append: None });
    }

    /// Takes one record.
    pub fn feed(&mut self, at: At, key: &[u8], value: &[u8]) {
        let mut signals = Vec::new();
        let summary = &mut self.summary;
        self.lanes.feed(at, key, value, &mut |fed| {
            count(summary, &fed);
            collect(&fed, &mut signals);
        });
        self.take_signals(signals);
    }

    /// Takes one record that is decoded already.
    pub fn feed_decoded(&mut self, at: At, stray: bool, decoded: &Decoded) {
        let mut signals = Vec::new();
        let summary = &mut self.summary;
        self.lanes.feed_decoded(at, stray, decoded, &mut |fed| {
            count(summary, &fed);
            collect(&fed, &mut signals);
        });
        self.take_signals(signals);
    }

    /// After the last record: the clock of `partition` moves on to `until`.
    pub fn close(&mut self, partition: i32, until: Ms) {
        let mut signals = Vec::new();
        self.lanes.close(partition, until, &mut |fed| collect(&fed, &mut signals));
        self.take_signals(signals);
        self.pass_time(until);
    }

    /// What happened since the last call, in order.
    pub fn drain(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happened)
    }

    /// Incidents as they are now, by number.
    pub fn incidents(&self) -> &BTreeMap<String, Incident> {
        &self.incidents
    }

    /// Openings of which nobody was told in time: when that was found, and the incident's number.
    pub fn overdue(&self) -> &[(Ms, String)] {
        &self.overdue
    }

    /// Partitions and wide rules, to look into.
    pub fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// The counts so far.
    pub fn summary(&self) -> Summary {
        self.summary
    }

    fn take_signals(&mut self, signals: Vec<(i32, Signal)>) {
        for (partition, signal) in signals {
            self.pass_time(signal.at);
            self.summary.signals += 1;
            self.happened.push(Happening::Signal(partition, signal.clone()));
            if !signal.acted {
                continue;
            }
            let seq = self.seqs.entry(partition).or_default();
            *seq += 1;
            let key = SignalKey { topic: self.topic.clone(), partition, seq: *seq };
            self.take(Input::Signal { key, signal, heard: 0, caught_up: true, came: None });
        }
    }

    /// Lets the virtual clock run to `until`: timers, people's deeds and pages that become due, in order.
    fn pass_time(&mut self, until: Ms) {
        loop {
            let timer = self.leader.as_ref().and_then(Leader::next_due);
            let deed = self.deeds.front().map(|deed| deed.at);
            let page = self.later.keys().next().map(|(due, _)| *due);
            let Some(next) = [timer, deed, page].into_iter().flatten().min().filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            if page == Some(next) {
                self.hand_over_due();
            } else if deed == Some(next) {
                self.do_deed();
            } else if !self.fire_timer() {
                break;
            }
        }
        self.now = self.now.max(until);
    }

    fn fire_timer(&mut self) -> bool {
        let now = self.now;
        let Some(commit) = self.leader.as_mut().and_then(|leader| leader.due(now)) else { return false };
        self.perform(commit);
        true
    }

    /// Deeds that met no incident, in order; those behind the end of the run among them.
    pub fn fruitless(&self) -> impl Iterator<Item = &Deed> {
        self.fruitless.iter().chain(&self.deeds)
    }

    fn do_deed(&mut self) {
        let Some(deed) = self.deeds.pop_front() else { return };
        let act = &deed.act;
        let fits = |incident: &&Incident| {
            let labels = act.labels.iter().all(|(name, value)| incident.labels.get(name) == Some(value));
            incident.rule.as_ref() == act.rule && labels
        };
        // Numbers grow, so the last one that fits is the newest.
        let Some(incident) = self.incidents.values().rev().find(fits).map(|incident| incident.id.clone()) else {
            self.fruitless.push(deed);
            return;
        };
        let by = deed.act.by;
        self.take(match deed.act.verb {
            Verb::Ack(hold) => Input::Ack { incident, by, note: String::new(), hold },
            Verb::Unack => Input::Unack { incident, by },
            Verb::Resolve => Input::Resolve { incident, by, note: String::new() },
            Verb::Reopen => Input::Reopen { incident, by },
        });
    }

    fn take(&mut self, input: Input) {
        let now = self.now;
        let Some(leader) = &mut self.leader else { return };
        let commit = leader.take(&[Taken { row: None, input }], now);
        self.perform(commit);
    }

    /// Prints what the leader decided and lets the phones have their pages.
    fn perform(&mut self, commit: BookCommit) {
        let moved = self.leader.iter().flat_map(|leader| &leader.view().moved);
        let overdue = moved.filter(|(_, change, _)| *change == Change::Overdue);
        self.overdue.extend(overdue.map(|(at, _, incident)| (*at, incident.id.clone())));
        for cancel in &commit.cancels {
            self.later.retain(|_, page| page.id != cancel.page);
        }
        for incident in commit.incidents {
            let seen = (incident.state, incident.severity);
            if self.shown.insert(incident.id.clone(), seen) != Some(seen) {
                self.happened.push(Happening::Incident(self.now, Box::new(incident.clone())));
            }
            if self.incidents.insert(incident.id.clone(), incident).is_none() {
                self.summary.incidents += 1;
            }
        }
        for page in commit.pages {
            self.summary.pages += 1;
            self.happened.push(Happening::Page(self.now, page.clone()));
            self.later.insert((page.due, page.id.clone()), page);
        }
        self.hand_over_due();
    }

    fn hand_over_due(&mut self) {
        while let Some(first) = self.later.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let page = first.remove().id;
            self.take(Input::Handed { page: page.clone() });
            self.take(Input::Outcome { page, outcome: Outcome::Accepted { id: String::new() }, at: None });
        }
    }
}

fn count(summary: &mut Summary, fed: &Fed<'_>) {
    let Some(decoded) = fed.decoded.filter(|_| !fed.muted) else { return };
    if decoded.kind != crate::model::Kind::Pulse {
        summary.records += 1;
    }
    summary.samples += decoded.values.len() as u64;
    summary.rejected += decoded.rejects.len() as u64;
}

fn collect(fed: &Fed<'_>, into: &mut Vec<(i32, Signal)>) {
    if !fed.muted || fed.partition == WIDE {
        into.extend(fed.effects.signals.iter().map(|signal| (fed.partition, signal.clone())));
    }
}
