//! The site of a scenario: clocks, log, store, gateways, and the process over them that can be ended and started again.
//!
//! The idea: whatever survives a process (log, store, phones) stands here, and the process is a [`Node`] that can be
//! dropped at any instant. The owner's pulses are written by this file, one ms after the tick that they close, so that a
//! tick is judged at its own instant. It knows nothing of scenarios.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::decode::Limits;
use crate::evaluate::Setup;
use crate::log::{NewRecord, Sink};
use crate::model::{Builtin, Input, Labels, PULSE_KEY, Signal, State, WIDE};
use crate::notify::Worker;
use crate::pipeline::dues::{AtEnd, Places};
use crate::pipeline::evaluator::{Evaluator, Sides};
use crate::pipeline::leader::World;
use crate::pipeline::leading::Leading;
use crate::pipeline::node::Node;
use crate::pipeline::outbox::{Contacts, StoreOutbox};
use crate::pipeline::own::own_signal;
use crate::pipeline::scenario::ways::Ways;
use crate::pipeline::sim::{MemoryLog, Mortal, Reloaded, Reloads};
use crate::store::{MemoryStore, Store};
use crate::time::{Clock, ManualClock, Ms, SECOND};

/// The name under which the process works.
const OWNER: &str = "scenario";
/// Turns after which a process that still finds work is going round in circles.
const TURNS_MAX: usize = 200_000;
/// Whoever has nothing better to go by looks again after so long.
const AGAIN: Ms = SECOND;

/// What the process works under.
#[derive(Debug, Clone)]
pub(super) struct Set {
    /// What the rules run under.
    pub(super) setup: Arc<Setup>,
    /// What the leader looks things up in.
    pub(super) world: Arc<World>,
    /// What the decoder takes.
    pub(super) limits: Limits,
}

/// A step of the log's clock: when, and how far the log was ahead before and is after.
#[derive(Debug, Clone, Copy)]
struct Jump {
    at: Ms,
    before: Ms,
    after: Ms,
}

/// The site.
#[derive(Debug)]
pub(super) struct Stage {
    begin: Ms,
    clock: Arc<ManualClock>,
    now: Ms,
    wall_ahead: Ms,
    log_ahead: Ms,
    jumps: Vec<Jump>,
    /// The log.
    pub(super) log: MemoryLog,
    /// Number of its partitions.
    pub(super) partitions: i32,
    /// What is durable.
    pub(super) memory: Arc<MemoryStore>,
    /// The way to it.
    pub(super) store: Arc<Mortal>,
    /// Gateways and phones.
    pub(super) ways: Ways,
    contacts: Contacts,
    set: Set,
    node: Option<Node>,
    /// What its evaluator says of the log.
    at_end: AtEnd,
    /// Leaders and senders that do not know that another took over.
    rivals: Vec<(Leading, Worker)>,
    tell: Sender<(i32, Signal)>,
    told: Receiver<(i32, Signal)>,
    workers: usize,
    /// Reloads of the rules.
    pub(super) reloads: Reloads,
}

/// What a site stands on.
#[derive(Debug, Clone)]
pub struct Over {
    /// What is durable.
    pub memory: Arc<MemoryStore>,
    /// The way to it: itself, or a layer over it.
    pub way: Arc<dyn Store>,
}

impl Default for Over {
    fn default() -> Self {
        let memory = Arc::new(MemoryStore::default());
        Self { way: Arc::clone(&memory) as Arc<dyn Store>, memory }
    }
}

impl Stage {
    /// A site without a process, whose clocks stand at `begin`.
    pub(super) fn new(set: Set, begin: Ms, over: Over) -> Self {
        let partitions = set.setup.partitions;
        let Over { memory, way } = over;
        let (tell, told) = channel();
        Self {
            begin,
            clock: Arc::new(ManualClock::at(begin)),
            now: 0,
            wall_ahead: 0,
            log_ahead: 0,
            jumps: Vec::new(),
            log: MemoryLog::new(&set.setup.topic, partitions, begin),
            partitions,
            store: Arc::new(Mortal::new(way)),
            memory,
            ways: Ways::default(),
            contacts: Contacts::new(Arc::clone(&set.world.people)),
            set,
            node: None,
            at_end: AtEnd::default(),
            rivals: Vec::new(),
            tell,
            told,
            workers: 0,
            reloads: Reloads::default(),
        }
    }

    // --- the process

    /// Whether there is a process.
    pub(super) fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// Starts a process.
    pub(super) fn boot(&mut self) -> Result<(), String> {
        let sides = Sides {
            source: Box::new(self.log.source()),
            pulses: None,
            dead: None,
            store: self.store(),
            clock: self.clock(),
        };
        let setup = Arc::clone(&self.set.setup);
        // Whatever an evaluator before it said is over.
        self.at_end = AtEnd::default();
        let mut evaluator = Evaluator::start(sides, OWNER, setup, self.set.limits).map_err(|why| why.to_string())?;
        evaluator.tell_signals(self.tell.clone());
        evaluator.tell_end(&self.at_end);
        let (leading, worker) = (self.leading(), self.worker());
        self.node = Some(Node { evaluator, leading, worker });
        Ok(())
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    fn leading(&self) -> Leading {
        Leading::new(self.store(), self.clock(), OWNER, Arc::clone(&self.set.world))
            .beside(&self.at_end, &Places::default())
    }

    fn worker(&mut self) -> Worker {
        self.workers += 1;
        let name = format!("{OWNER}-{}", self.workers);
        let outbox = Arc::new(StoreOutbox::new(self.store(), None));
        Worker::new(name, outbox, self.ways.gateways(), Arc::new(self.contacts.clone()), self.clock())
    }

    /// Kills the process: what it had not made durable is gone.
    pub(super) fn kill(&mut self) {
        self.node = None;
    }

    /// Ends the process in order.
    pub(super) fn end(&mut self) -> Result<(), String> {
        let Some(mut node) = self.node.take() else { return Ok(()) };
        node.evaluator.finish().map_err(|why| why.to_string())?;
        node.leading.finish().map_err(|why| why.to_string())?;
        node.worker.give_back_queue();
        Ok(())
    }

    /// Another leader and sender take over, as of a process of the same name: the old ones do not know it yet.
    pub(super) fn usurp(&mut self) {
        let (leading, worker) = (self.leading(), self.worker());
        if let Some(node) = &mut self.node {
            let old = (std::mem::replace(&mut node.leading, leading), std::mem::replace(&mut node.worker, worker));
            self.rivals.push(old);
        }
    }

    /// Puts other rules, people or resources in force.
    pub(super) fn reload(&mut self, set: Set, hash: &str) -> Result<(), String> {
        self.contacts.replace(Arc::clone(&set.world.people));
        for (leading, _) in &mut self.rivals {
            leading.reload(Arc::clone(&set.world));
        }
        self.set = set;
        let Some(node) = &mut self.node else { return Ok(()) };
        node.evaluator.reload(Arc::clone(&self.set.setup)).map_err(|why| why.to_string())?;
        node.leading.reload(Arc::clone(&self.set.world));
        self.input(&Input::Reload { hash: hash.to_owned(), contacts: Vec::new() }).map(drop)
    }

    /// Notes from which record on the rules of `set` hold. What was read before is made durable first, so that it is known
    /// whether the process lives on or not.
    pub(super) fn note_reload(&mut self, set: &Set) -> Result<(), String> {
        if let Some(node) = &mut self.node {
            node.evaluator.finish().map_err(|why| why.to_string())?;
        }
        let offset = |partition| {
            let progress = self.memory.progress(&set.setup.topic, partition).map_err(|why| why.to_string())?;
            Ok(progress.map_or(0, |(_, progress)| progress.offset))
        };
        let from = (0..self.partitions).map(offset).collect::<Result<_, String>>()?;
        let unattended = self.node.is_none();
        let reloaded = Reloaded { from, setup: Arc::clone(&set.setup), unattended };
        self.reloads.add(reloaded, self.store.flushes(), !unattended);
        Ok(())
    }

    /// Whether the process died at a write at which it was to die; then there is none any more.
    pub(super) fn take_death(&mut self) -> bool {
        let died = self.store.take_death();
        if died {
            self.kill();
        }
        died
    }

    /// Whether a leader is at work, and whether it holds back what is due.
    pub(super) fn leads(&self) -> (bool, bool) {
        let leading = self.node.as_ref().map(|node| &node.leading);
        let leads = leading.is_some_and(|leading| leading.leader().is_some() && leading.trouble().is_none());
        (leads, leading.is_some_and(Leading::holds_dues))
    }

    /// Whether everything in the log was read and nothing keeps the process from the store.
    pub(super) fn is_well(&self) -> bool {
        let well = |node: &Node| node.leading.trouble().is_none() && node.evaluator.trouble().is_none();
        self.node.as_ref().is_some_and(well) && (0..self.partitions).all(|partition| self.log.takes(partition))
    }

    /// Adds an input from outside.
    pub(super) fn input(&self, input: &Input) -> Result<i64, String> {
        self.store.add_input(input, self.clock.wall()).map_err(|why| why.to_string())
    }

    /// A signal of the engine's own.
    pub(super) fn own_signal(&self, rule: &Builtin, to: State) -> Signal {
        own_signal(rule, Labels::default(), to, self.clock.wall())
    }

    /// Whether the engine's own rules run.
    pub(super) fn has_builtins(&self) -> bool {
        self.set.setup.builtins
    }

    /// Wall time.
    pub(super) fn wall(&self) -> Ms {
        self.clock.wall()
    }

    /// Lets the process, and whoever believes to lead, work until all are quiet.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        let wall = self.clock.wall();
        loop {
            if let Some(node) = &mut self.node {
                match node.settle(wall, TURNS_MAX) {
                    _ if self.store.is_dead() => return Ok(()),
                    Ok(true) => {}
                    Ok(false) => return Err("the process is never quiet".to_owned()),
                    Err(why) => return Err(format!("the process stopped: {why}")),
                }
            }
            let mut busy = false;
            for (leading, worker) in &mut self.rivals {
                busy |= leading.step().map_err(|why| format!("the other leader stopped: {why}"))?;
                busy |= !worker.step(wall).pages.is_empty();
            }
            if !busy {
                return Ok(());
            }
        }
    }

    /// Signals told since the last call, with their time on the scenario's clock.
    pub(super) fn signals(&self) -> Vec<(Ms, Signal)> {
        self.told.try_iter().map(|(_, signal)| (self.time_of(signal.at), signal)).collect()
    }

    // --- the log

    /// Appends a record; `false`: the log does not take it now.
    pub(super) fn append(&self, partition: Option<i32>, key: &[u8], value: Vec<u8>) -> bool {
        self.append_at(self.log_now(), partition, key, value)
    }

    fn append_at(&self, at: Ms, partition: Option<i32>, key: &[u8], value: Vec<u8>) -> bool {
        self.log.set_now(at);
        let done = self.log.append(vec![NewRecord { partition, key: key.to_vec(), value }]);
        done.iter().all(Result::is_ok)
    }

    fn log_now(&self) -> Ms {
        self.begin + self.now + self.log_ahead
    }

    /// Tells every partition the time, so that ticks up to now have passed.
    pub(super) fn pulse(&self) {
        self.pulse_at(self.log_now() + 1);
    }

    /// Tells every partition the time, so that ticks before now have passed; one at now is still to come.
    pub(super) fn tell_time(&self) {
        self.pulse_at(self.log_now());
    }

    fn pulse_at(&self, at: Ms) {
        for partition in (0..self.partitions).filter(|partition| self.log.takes(*partition)) {
            self.append_at(at, Some(partition), PULSE_KEY, Vec::new());
        }
    }

    /// Whether a tick up to now waits for the log to say that it has passed.
    pub(super) fn is_tick_due(&mut self) -> bool {
        self.next_tick().is_some_and(|at| at <= self.now)
    }

    /// The next tick at which something may change, on the scenario's clock.
    fn next_tick(&mut self) -> Option<Ms> {
        let passed = self.begin + self.log_ahead;
        let Some(node) = &mut self.node else { return None };
        let up: Vec<i32> = (0..self.partitions).filter(|partition| self.log.takes(*partition)).collect();
        let all = up.len() == usize::try_from(self.partitions).unwrap_or(0);
        // Wide rules wait for a partition that is away.
        let wide = all.then_some(WIDE);
        let ticks = up.into_iter().chain(wide).filter_map(|partition| node.evaluator.next_visit(partition));
        ticks.min().map(|at| at - passed)
    }

    // --- time

    /// Lets time pass up to `at`.
    pub(super) fn pass_to(&mut self, at: Ms) {
        self.clock.advance(at - self.now);
        self.now = at;
    }

    /// Now, on the scenario's clock.
    pub(super) fn now(&self) -> Ms {
        self.now
    }

    /// Lets the wall clock, the log's or both jump.
    pub(super) fn jump(&mut self, wall: Ms, log: Ms) {
        self.clock.step(wall);
        self.wall_ahead += wall;
        let before = self.log_ahead;
        self.log_ahead += log;
        if log != 0 {
            self.jumps.push(Jump { at: self.now, before, after: self.log_ahead });
        }
    }

    /// A time of the log on the scenario's clock. What lies in a jump forwards happened at it.
    fn time_of(&self, at: Ms) -> Ms {
        let at = at - self.begin;
        for jump in self.jumps.iter().rev() {
            if at - jump.after >= jump.at {
                return at - jump.after;
            }
            if at - jump.before >= jump.at {
                return jump.at;
            }
        }
        at - self.jumps.first().map_or(self.log_ahead, |jump| jump.before)
    }

    /// When the process has something to do next without being woken, after now.
    pub(super) fn next_due(&mut self) -> Option<Ms> {
        let tick = self.next_tick();
        let to_wall = self.begin + self.wall_ahead;
        let mut due: Vec<Ms> = tick.into_iter().filter(|at| *at > self.now).collect();
        let leaders = self.node.iter().map(|node| &node.leading).chain(self.rivals.iter().map(|(leading, _)| leading));
        let mut leads = false;
        for leading in leaders {
            due.extend(leading.next_due().map(|at| at - to_wall));
            leads |= leading.leader().is_some();
        }
        if self.node.is_some() || !self.rivals.is_empty() {
            due.extend(self.memory.next_due().map(|at| at - to_wall));
            // Nobody leads: somebody who waits may.
            due.extend((!leads).then_some(self.now));
        }
        if let Some(node) = &self.node {
            let held =
                node.leading.leader().is_some_and(|leader| leader.open_incidents().any(|i| i.held_until.is_some()));
            let holds = node.leading.holds_dues();
            due.extend(node.evaluator.flush_due().filter(|_| held || holds));
            due.extend(holds.then_some(self.now));
            let troubled = node.leading.trouble().is_some() || node.evaluator.trouble().is_some();
            due.extend(troubled.then_some(self.now));
        }
        due.into_iter().map(|at| if at > self.now { at } else { self.now + AGAIN }).min()
    }
}
