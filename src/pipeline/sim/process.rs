//! The processes of a world: one that evaluates, and two that lead, or wait to, and send.
//!
//! The idea: each is the product's own code over its own view of the store, may die at any durable step and may stand
//! still for a while. Whoever dies begins again with nothing but what is stored; meanwhile the others go on.

use std::sync::Arc;
use std::time::Duration;

use crate::model::Severity;
use crate::notify::Worker;
use crate::pipeline::evaluator::{Evaluator, Sides};
use crate::pipeline::leader::World as Standing;
use crate::pipeline::leading::Leading;
use crate::pipeline::outbox::{Contacts, StoreOutbox};
use crate::pipeline::sim::gateway::FakeGateway;
use crate::pipeline::sim::log::MemoryLog;
use crate::pipeline::sim::mortal::Mortal;
use crate::pipeline::sim::setting::{LIMITS, TOPIC};
use crate::pipeline::sim::site::Site;
use crate::pipeline::sim::{Reloaded, Reloads};
use crate::store::Store;
use crate::time::{Clock, ManualClock, Ms};

/// What a process works with.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) log: MemoryLog,
    pub(super) gateway: FakeGateway,
    pub(super) partitions: i32,
}

/// What a turn of a process came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It did something, there may be more.
    Busy,
    /// It has nothing to do, or does not live, or stands still.
    Idle,
    /// It died.
    Died,
}

/// The evaluating process.
#[derive(Debug)]
pub(super) struct Evaluating {
    mortal: Arc<Mortal>,
    it: Option<Evaluator>,
    site: Site,
    /// Version of the rules in force.
    rules: usize,
}

/// A process that leads or waits to, and sends.
#[derive(Debug)]
pub(super) struct Leader {
    name: String,
    mortal: Arc<Mortal>,
    contacts: Contacts,
    it: Option<(Leading, Worker)>,
    /// It stands still until then, elapsed time.
    still_until: Ms,
    lives: usize,
    /// What its sender did last.
    sent: Vec<crate::notify::Done>,
}

impl Evaluating {
    pub(super) fn new(ground: &Ground, site: Site) -> Self {
        Self { mortal: Arc::new(Mortal::new(Arc::clone(&ground.store))), it: None, site, rules: 0 }
    }

    pub(super) fn mortal(&self) -> &Mortal {
        &self.mortal
    }

    /// Other rules. What was read before is made durable first, so that it is known from which record on they hold, whether
    /// the process lives on or dies in between.
    pub(super) fn reload(&mut self, ground: &Ground, rules: usize, all: &mut Reloads) -> Result<(), String> {
        self.rules = rules;
        let setup = self.site.setup(ground.partitions, rules);
        if let Some(evaluator) = &mut self.it {
            let done = evaluator.finish();
            if self.mortal.take_death() {
                self.it = None;
            } else {
                done.map_err(|error| format!("the evaluator stopped: {error}"))?;
            }
        }
        let offset = |partition| {
            let progress = ground.store.progress(TOPIC, partition).map_err(|error| error.to_string())?;
            Ok(progress.map_or(0, |(_, progress)| progress.offset))
        };
        let from = (0..ground.partitions).map(offset).collect::<Result<_, String>>()?;
        let (flushes, lives) = (self.mortal.flushes(), self.it.is_some());
        let restores = |it: &Evaluator| !it.restoring().is_empty();
        let unattended = self.it.as_ref().is_none_or(restores);
        if let Some(evaluator) = &mut self.it {
            let done = evaluator.reload(Arc::clone(&setup));
            if self.mortal.take_death() {
                self.it = None;
            } else {
                done.map_err(|error| format!("the evaluator stopped: {error}"))?;
            }
        }
        let unattended = unattended || self.it.is_none();
        all.add(Reloaded { from, setup, unattended }, flushes, lives);
        Ok(())
    }

    pub(super) fn turn(&mut self, ground: &Ground) -> Result<Turn, String> {
        let Some(evaluator) = &mut self.it else { return Ok(Turn::Idle) };
        let done = evaluator.step(Duration::ZERO);
        if self.mortal.take_death() {
            self.it = None;
            return Ok(Turn::Died);
        }
        let read = done.map_err(|error| format!("the evaluator stopped: {error}"))?;
        debug_assert!(ground.partitions > 0, "a topic has partitions");
        Ok(if read.heard || read.flushed { Turn::Busy } else { Turn::Idle })
    }

    /// Begins where it does not live.
    pub(super) fn begin(&mut self, ground: &Ground) -> Result<(), String> {
        if self.it.is_some() {
            return Ok(());
        }
        let sides = Sides {
            source: Box::new(ground.log.source()),
            pulses: Some(Arc::new(ground.log.clone())),
            dead: None,
            store: Arc::clone(&self.mortal) as Arc<dyn Store>,
            clock: Arc::clone(&ground.clock) as Arc<dyn Clock>,
        };
        let setup = self.site.setup(ground.partitions, self.rules);
        let made = Evaluator::start(sides, "evaluator", setup, LIMITS);
        self.it = Some(made.map_err(|error| format!("the evaluator cannot start: {error}"))?);
        Ok(())
    }
}

impl Leader {
    pub(super) fn new(name: &str, ground: &Ground, standing: &Standing) -> Self {
        Self {
            name: name.to_owned(),
            mortal: Arc::new(Mortal::new(Arc::clone(&ground.store))),
            contacts: Contacts::new(Arc::clone(&standing.people)),
            it: None,
            still_until: 0,
            lives: 0,
            sent: Vec::new(),
        }
    }

    pub(super) fn mortal(&self) -> &Mortal {
        &self.mortal
    }

    /// Begins where it does not live.
    pub(super) fn begin(&mut self, ground: &Ground, standing: &Arc<Standing>) {
        if self.it.is_some() {
            return;
        }
        self.lives += 1;
        let store = Arc::clone(&self.mortal) as Arc<dyn Store>;
        let clock = Arc::clone(&ground.clock) as Arc<dyn Clock>;
        self.contacts.replace(Arc::clone(&standing.people));
        let leading = Leading::new(Arc::clone(&store), Arc::clone(&clock), &self.name, Arc::clone(standing));
        let gateways: Vec<Arc<dyn crate::notify::Gateway>> = vec![Arc::new(ground.gateway.clone())];
        let name = format!("{}-{}", self.name, self.lives);
        let outbox = Arc::new(StoreOutbox::new(store, None));
        let worker = Worker::new(name, outbox, gateways, Arc::new(self.contacts.clone()), clock);
        self.it = Some((leading, worker));
    }

    /// One turn of each role: the leader decides, the sender sends.
    pub(super) fn turn(&mut self, ground: &Ground) -> Result<Turn, String> {
        if self.is_still(ground) {
            return Ok(Turn::Idle);
        }
        let Some((leading, worker)) = &mut self.it else { return Ok(Turn::Idle) };
        let led = leading.step();
        if self.mortal.take_death() {
            self.it = None;
            return Ok(Turn::Died);
        }
        let led = led.map_err(|error| format!("{} stopped: {error}", self.name))?;
        let sent = worker.step(ground.clock.wall());
        if self.mortal.take_death() {
            self.it = None;
            return Ok(Turn::Died);
        }
        let busy = led || !sent.pages.is_empty();
        if !sent.pages.is_empty() {
            self.sent = sent.pages;
        }
        Ok(if busy { Turn::Busy } else { Turn::Idle })
    }

    pub(super) fn is_still(&self, ground: &Ground) -> bool {
        ground.clock.elapsed() < self.still_until
    }

    /// It stands still for so long.
    pub(super) fn pause(&mut self, ground: &Ground, length: Ms) {
        self.still_until = ground.clock.elapsed() + length;
    }

    /// Other rules and people.
    pub(super) fn reload(&mut self, standing: &Arc<Standing>) {
        self.contacts.replace(Arc::clone(&standing.people));
        if let Some((leading, _)) = &mut self.it {
            leading.reload(Arc::clone(standing));
        }
    }

    /// Ends all mischief.
    pub(super) fn heal(&mut self) {
        self.mortal.heal();
        self.still_until = 0;
    }

    /// What it did last, for the report of a failure.
    pub(super) fn told(&self) -> String {
        let Some((leading, _)) = &self.it else { return "dead".to_owned() };
        format!("decided {} times again, fenced {} times, sent {:?}", leading.redecided, leading.fenced, self.sent)
    }

    /// What it would do next, while it leads and does not stand still: `None`: it does not.
    pub(super) fn next_due(&self, ground: &Ground) -> Option<Option<Ms>> {
        let (leading, _) = self.it.as_ref().filter(|_| !self.is_still(ground))?;
        leading.leader().map(|_| leading.next_due())
    }

    /// Whether it lets nothing ring: it leads and the log has not been read, or the store's answer was lost and it waits.
    pub(super) fn holds_dues(&self) -> bool {
        self.it.as_ref().is_some_and(|(leading, _)| leading.holds_dues() || leading.trouble().is_some())
    }

    /// Open incidents of severity 1 for which it plans nothing.
    pub(super) fn idle_incidents(&self) -> Vec<String> {
        let Some(leader) = self.it.as_ref().and_then(|(leading, _)| leading.leader()) else { return Vec::new() };
        let open = |incident: &&crate::model::Incident| {
            incident.state == crate::model::IncidentState::Open && incident.severity == Severity::S1
        };
        // While it flaps, the next action is that it is calm; while it is held back, that it is released, or its parent's.
        let later = |incident: &crate::model::Incident| {
            (incident.flapping && incident.calm_since.is_some()) || incident.holds_pages()
        };
        let idle = leader.open_incidents().filter(open).filter(|it| !later(it) && leader.chain_due(&it.id).is_none());
        idle.map(|incident| incident.id.clone()).collect()
    }
}
