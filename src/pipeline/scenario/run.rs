//! The clock of a scenario: from one instant at which something can happen to the next.
//!
//! The idea: at each instant, first what people and the world do, with the timers that are due, then what comes in, then
//! the ticks that have passed. So an ack at the instant of a step stops it, and a tick sees every record up to its time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::config::{Loaded, Own, Scenario, Verb};
use crate::evaluate::Setup;
use crate::model::{Chain, ExprGroup, Input, RuleSet, When};
use crate::pipeline::service;
use crate::time::Ms;

use super::Failure;
use super::audit::Audit;
use super::feed::{self, Record};
use super::seen::{Seen, Watching};
use super::stage::{Over, Set, Stage};

/// Where a scenario's clock stands at 0: 2026-01-05 09:00 KST.
const BEGINNING: Ms = 1_767_571_200_000;
/// The hash of the first world, and the beginning of those that follow.
const FIRST: &str = "scenario";
/// Pulses of one instant at most: each can only close what the one before made due.
const PULSES_MAX: usize = 4;

/// Something to do, and the line that says so.
#[derive(Debug, Clone)]
pub(super) struct Deed {
    pub(super) line: usize,
    pub(super) what: Do,
}

/// What to do.
#[derive(Debug, Clone)]
pub(super) enum Do {
    /// What is written.
    Verb(Verb),
    /// The process starts again.
    Boot,
    /// The wall clock has been good for a while.
    ClockGood,
}

/// One run.
#[derive(Debug)]
pub(super) struct Play<'a> {
    scenario: &'a Scenario,
    /// The configuration in force.
    pub(super) loaded: Loaded,
    pub(super) stage: Stage,
    pub(super) watching: Watching,
    feed: VecDeque<Record>,
    /// Records that the log did not take: senders keep them.
    spool: VecDeque<Record>,
    deeds: BTreeMap<(Ms, usize), Deed>,
    n_deeds: usize,
    /// Every partition is to be told the time, whatever it has to do.
    pub(super) wake: bool,
    /// The edited files are broken.
    pub(super) broken: bool,
    reloads: usize,
    /// The audit, where the scenario asks for it.
    audit: Option<Audit>,
    /// Inputs of people, with their rows.
    pub(super) asked: Vec<(i64, Input)>,
    /// Which line handed an input over.
    pub(super) lines: Vec<(i64, usize)>,
    /// How long the process is away that is to die at one of its writes, and the line that says so.
    pub(super) dying: Option<(usize, Ms)>,
    failures: Vec<Failure>,
    /// What is no mistake, and may be why something else came out differently.
    hints: Vec<Failure>,
}

impl<'a> Play<'a> {
    /// A run that has not begun; what the scenario's file does not bring comes from `loaded`.
    pub(super) fn new(scenario: &'a Scenario, loaded: &Loaded, over: Over) -> Result<Self, Failure> {
        let mut loaded = laid(loaded, &scenario.own, FIRST);
        if let Some(what) = unknown_time(&loaded) {
            return Err(Failure { line: scenario.line, what });
        }
        limit(&mut loaded, scenario);
        let begin = scenario.start.unwrap_or(BEGINNING);
        let first = set(scenario, &loaded, FIRST);
        let mut play = Self {
            scenario,
            audit: scenario.promises.then(|| Audit::new(&first, &loaded)),
            asked: Vec::new(),
            lines: Vec::new(),
            dying: None,
            stage: Stage::new(first, begin, over),
            loaded,
            watching: Watching::default(),
            feed: feed::records(scenario).into(),
            spool: VecDeque::new(),
            deeds: BTreeMap::new(),
            n_deeds: 0,
            wake: true,
            broken: false,
            reloads: 0,
            failures: Vec::new(),
            hints: Vec::new(),
        };
        for action in &scenario.actions {
            play.possible(action)?;
            play.plan(action.at, Deed { line: action.line, what: Do::Verb(action.verb.clone()) });
        }
        Ok(play)
    }

    /// The scenario's file.
    pub(super) fn file(&self) -> &str {
        &self.scenario.file
    }

    /// Whether what cannot be done is no mistake.
    pub(super) fn is_lenient(&self) -> bool {
        self.scenario.lenient
    }

    /// Puts a deed on the list, behind those of the same time.
    pub(super) fn plan(&mut self, at: Ms, deed: Deed) {
        self.n_deeds += 1;
        self.deeds.insert((at, self.n_deeds), deed);
    }

    /// Puts other parts in force; the rest stays.
    pub(super) fn change(&mut self, parts: &Own) -> Result<(), String> {
        self.reloads += 1;
        let hash = format!("{FIRST}-{}", self.reloads);
        self.loaded = laid(&self.loaded, parts, &hash);
        if let Some(what) = unknown_time(&self.loaded) {
            return Err(what);
        }
        let set = set(self.scenario, &self.loaded, &hash);
        if let Some(audit) = &mut self.audit {
            audit.changed(&set, &self.loaded);
            self.stage.note_reload(&set)?;
        }
        self.stage.reload(set, &hash)
    }

    /// Runs it to its end.
    pub(super) fn run(&mut self) {
        let end = self.end();
        let ran = self.stage.boot().and_then(|()| self.run_to(end));
        self.hint_refusals();
        if self.loaded.rules.rules.is_empty() {
            let what = "there are no rules: write `rules:` in this file, or name a configuration with -c";
            self.hint(self.scenario.line, what.to_owned());
        }
        let audited = match (&ran, self.audit.take()) {
            (Ok(()), Some(audit)) => audit.end(&self.stage, &self.asked),
            _ => Ok(()),
        };
        if let Err(what) = ran.and(audited) {
            let at = crate::time::show_duration(self.stage.now());
            self.fail(self.scenario.line, format!("at {at}: {what}"));
        }
    }

    /// What was not as it should be by itself, what may explain failures, and what happened.
    pub(super) fn done(self) -> (Vec<Failure>, Vec<Failure>, Vec<Seen>) {
        (self.failures, self.hints, self.watching.seen)
    }

    /// Notes what whoever wonders about a failure should know.
    pub(super) fn hint(&mut self, line: usize, what: String) {
        self.hints.push(Failure { line, what });
    }

    /// Notes that something could not be done.
    pub(super) fn fail(&mut self, line: usize, what: String) {
        self.failures.push(Failure { line, what });
    }

    fn end(&self) -> Ms {
        let expected = self.scenario.expect.iter().map(|expect| expect.until);
        let fed = self.feed.back().map(|record| record.at);
        expected.chain(fed).chain(self.scenario.until).max().unwrap_or(0)
    }

    fn run_to(&mut self, end: Ms) -> Result<(), String> {
        self.instant()?;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.stage.pass_to(at);
            self.instant()?;
        }
        if self.stage.now() < end {
            // What the last tick says is said, too.
            self.stage.pass_to(end);
            self.instant()?;
        }
        Ok(())
    }

    fn next(&mut self) -> Option<Ms> {
        let record = self.feed.front().map(|record| record.at);
        let deed = self.deeds.keys().next().map(|(at, _)| *at);
        [record, deed, self.stage.next_due()].into_iter().flatten().min()
    }

    /// One instant of the clock.
    fn instant(&mut self) -> Result<(), String> {
        let mut early = Vec::new();
        while let Some(entry) = self.deeds.first_entry().filter(|entry| entry.key().0 <= self.stage.now()) {
            let deed = entry.remove();
            if !self.act(&deed)? {
                early.push(deed);
            }
        }
        self.settle()?;
        self.hand_over();
        self.settle()?;
        for _ in 0..PULSES_MAX {
            if !self.stage.is_up() || !(std::mem::take(&mut self.wake) || self.stage.is_tick_due()) {
                break;
            }
            self.stage.pulse();
            self.settle()?;
        }
        // Whoever acts on what came up at this very instant.
        for deed in early {
            if self.act(&deed)? {
                self.settle()?;
            } else {
                self.in_vain(&deed);
            }
        }
        let broken = self.audit.as_mut().and_then(|audit| audit.look(&self.stage).err());
        broken.map_or(Ok(()), Err)
    }

    /// Hands what is waiting and what comes now to the log.
    fn hand_over(&mut self) {
        let (begin, now) = (self.scenario.start.unwrap_or(BEGINNING), self.stage.now());
        let mut due: Vec<Record> = std::mem::take(&mut self.spool).into();
        while self.feed.front().is_some_and(|record| record.at <= now) {
            due.extend(self.feed.pop_front());
        }
        for record in due {
            if !self.stage.append(None, record.key().as_bytes(), record.value(begin, now)) {
                self.spool.push_back(record);
            }
        }
    }

    /// Lets the process work and notes what came of it.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        self.stage.settle()?;
        if self.stage.take_death() {
            self.watching.killed();
            if let Some((line, away)) = self.dying.take() {
                self.plan(self.stage.now() + away.max(1), Deed { line, what: Do::Boot });
            }
        }
        self.look();
        Ok(())
    }

    /// Notes what happened since the last look.
    pub(super) fn look(&mut self) {
        for (at, signal) in self.stage.signals() {
            self.watching.signal(at, signal);
        }
        let now = self.stage.now();
        self.watching.ledger(now, &self.stage.memory);
        self.watching.arrived(now, self.stage.ways.arrived(), &self.stage.memory);
    }
}

/// `loaded` with the parts that `own` has.
fn laid(loaded: &Loaded, own: &Own, hash: &str) -> Loaded {
    let mut loaded = loaded.clone();
    if let Some(rules) = &own.rules {
        let groups = rules.iter().filter_map(ExprGroup::alone).map(Arc::new).collect();
        let rules = rules.iter().cloned().map(Arc::new).collect();
        loaded.rules = RuleSet { hash: hash.to_owned(), rules, groups };
    }
    if let Some(contacts) = &own.contacts {
        loaded.people.contacts.clone_from(contacts);
    }
    if let Some(rotas) = &own.rotas {
        loaded.people.rotas.clone_from(rotas);
    }
    if let Some(chains) = &own.chains {
        loaded.people.chains.clone_from(chains);
    }
    if let Some(sla) = &own.sla {
        loaded.people.sla.clone_from(sla);
    }
    if let Some(inhibit) = &own.inhibit {
        loaded.muting.inhibit.clone_from(inhibit);
    }
    if let Some(windows) = &own.maintenance {
        loaded.muting.windows.clone_from(windows);
    }
    let calendar = own.hours.laid_over(&loaded.calendar);
    loaded.people.calendar.clone_from(&calendar);
    loaded.muting.calendar.clone_from(&calendar);
    loaded.calendar = calendar;
    if let Some(inventory) = &own.inventory {
        loaded.inventory.clone_from(inventory);
    }
    loaded
}

/// What is wrong where a chain asks for a time that no calendar names: it would never be there.
fn unknown_time(loaded: &Loaded) -> Option<String> {
    let whens = |chain: &'_ Chain| -> Vec<When> {
        chain.steps.iter().map(|step| &step.when).chain([&chain.when]).flatten().cloned().collect()
    };
    let known = &loaded.calendar.intervals;
    loaded.people.chains.iter().find_map(|chain| {
        let unknown = whens(chain).into_iter().find_map(|when| match when {
            When::Interval(id) if !known.contains_key(&id) => Some(id),
            _ => None,
        })?;
        let name = &chain.id;
        Some(format!("chain `{name}` asks for a time `{unknown}` that is not there: write it under `intervals`"))
    })
}

/// Puts the scenario's own limits in place of the configuration's.
fn limit(loaded: &mut Loaded, scenario: &Scenario) {
    let (limits, own) = (&mut loaded.settings.limits, scenario.limits);
    limits.series = own.series.unwrap_or(limits.series);
    limits.series_per_rule = own.series_per_rule.unwrap_or(limits.series_per_rule);
    limits.open_incidents = own.open_incidents.unwrap_or(limits.open_incidents);
    limits.pages_per_hour = own.pages_per_hour.unwrap_or(limits.pages_per_hour);
    limits.storm = own.storm.unwrap_or(limits.storm);
}

fn set(scenario: &Scenario, loaded: &Loaded, hash: &str) -> Set {
    let rules = Arc::new(loaded.rules.clone());
    let inventory = Arc::new(loaded.inventory.clone());
    let setup = service::setup(&loaded.settings, rules, inventory, "scenario");
    let named = scenario.actions.iter().any(|action| matches!(action.verb, Verb::Partition { .. }));
    let partitions = scenario.partitions.unwrap_or(if named { loaded.settings.log.partitions } else { 1 });
    // The ledger knows each by its own name, so that it can be taken again.
    let mut world = Arc::unwrap_or_clone(service::world(loaded, None));
    hash.clone_into(&mut world.hash);
    Set {
        setup: Arc::new(Setup { partitions, builtins: scenario.builtins, ..setup }),
        world: Arc::new(world),
        limits: service::decode_limits(&loaded.settings),
    }
}
