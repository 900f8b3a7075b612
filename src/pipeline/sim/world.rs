//! One simulated world: from a seed, hosts that send late, twice, in bursts or not at all, clocks that break and jump,
//! gateways with moods, people who ack, and a process that dies at durable borders.
//!
//! The idea: the process is the product's own [`Node`] over the product's own store; only the log, the gateway and the
//! clock are simulated. What the world did is a function of the seed alone.

use std::sync::Arc;

use crate::decode::Limits;
use crate::log::{NewRecord, Sink};
use crate::model::{Input, Inventory, People};
use crate::notify::Worker;
use crate::pipeline::evaluator::{Evaluator, Sides};
use crate::pipeline::leader::World as Standing;
use crate::pipeline::leading::Leading;
use crate::pipeline::node::{Node, NodeError};
use crate::pipeline::outbox::{Contacts, StoreOutbox};
use crate::pipeline::sim::faulty::{Fault, FaultyStore};
use crate::pipeline::sim::gateway::{FakeGateway, Mood};
use crate::pipeline::sim::log::MemoryLog;
use crate::pipeline::sim::setting::{self, HOSTS, TOPIC};
use crate::store::Store;
use crate::time::{Clock, HOUR, MINUTE, ManualClock, Ms, SECOND};

/// Where every world's time begins: 2026-01-05 09:00 KST, a Monday.
pub(super) const BEGINNING: Ms = 1_767_571_200_000;
/// Turns after which a node that still finds work is going round in circles.
const TURNS_MAX: usize = 5_000;

#[derive(Debug, Clone, Default)]
struct Host {
    level: f64,
    silent_until: Ms,
    skew: Ms,
    last: Option<(Vec<u8>, Vec<u8>)>,
}

/// One simulated world.
#[derive(Debug)]
pub struct World {
    rng: fastrand::Rng,
    /// The process's clocks.
    pub clock: Arc<ManualClock>,
    /// The log's clock minus the wall clock.
    log_ahead: Ms,
    /// The log.
    pub log: MemoryLog,
    /// The store, with its crashes and faults.
    pub store: Arc<FaultyStore>,
    /// The gateway.
    pub gateway: FakeGateway,
    node: Option<Node>,
    hosts: Vec<Host>,
    /// Partitions of the topic.
    pub partitions: i32,
    /// Acks that were submitted: (row, incident).
    pub acks: Vec<(i64, String)>,
    /// How often the process died.
    pub crashes: usize,
    /// The last things done, for the report of a failure.
    pub trace: Vec<String>,
}

impl World {
    /// The world of `seed` over `store`.
    pub fn new(seed: u64, store: Arc<dyn Store>, fault: Option<Fault>) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let partitions = rng.i32(1..=3);
        let gateway = FakeGateway::new(rng.bool());
        if fault == Some(Fault::DoubleSend) {
            gateway.set_doubles();
        }
        Self {
            rng,
            clock: Arc::new(ManualClock::at(BEGINNING)),
            log_ahead: 0,
            log: MemoryLog::new(TOPIC, partitions, BEGINNING),
            store: Arc::new(FaultyStore::new(store, fault)),
            gateway,
            node: None,
            hosts: vec![Host { level: 50.0, ..Host::default() }; HOSTS.len()],
            partitions,
            acks: Vec::new(),
            crashes: 0,
            trace: Vec::new(),
        }
    }

    /// What stands outside the process: rules, contacts, inventory.
    pub fn standing() -> Arc<Standing> {
        let people: People = setting::people();
        Arc::new(Standing::new(setting::rules(), people, Inventory::default()))
    }

    /// The process, while it lives.
    pub fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    fn boot(&mut self) -> Result<Node, NodeError> {
        let store: Arc<dyn Store> = Arc::clone(&self.store) as Arc<dyn Store>;
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let sides = Sides {
            source: Box::new(self.log.source()),
            pulses: Some(Arc::new(self.log.clone())),
            dead: None,
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
        };
        let limits = Limits { record_bytes: 1 << 20, shapes: 10_000 };
        let setup = Arc::new(setting::setup(self.partitions));
        let evaluator = Evaluator::start(sides, "simulated", setup, limits)?;
        let leading = Leading::new(Arc::clone(&store), Arc::clone(&clock), "simulated", Self::standing());
        let contacts = Contacts::new(Arc::new(setting::people()));
        let gateways: Vec<Arc<dyn crate::notify::Gateway>> = vec![Arc::new(self.gateway.clone())];
        let name = format!("worker-{}", self.crashes);
        let worker = Worker::new(name, Arc::new(StoreOutbox::new(store, None)), gateways, Arc::new(contacts), clock);
        Ok(Node { evaluator, leading, worker })
    }

    fn note(&mut self, what: String) {
        let at = self.clock.wall() - BEGINNING;
        self.trace.push(format!("{at:>9} ms  {what}"));
    }

    /// Lets time pass and one random thing happen, then the process work until it is quiet.
    pub fn step(&mut self) -> Result<(), String> {
        let pass = if self.rng.u8(..) < 40 { self.rng.i64(5_000..40_000) } else { self.rng.i64(50..5_000) };
        self.pass(pass);
        match self.rng.u8(..100) {
            0..=59 => self.send_some(),
            60..=69 => self.change_level(),
            70..=75 => self.silence_a_host(),
            76..=79 => self.change_mood(),
            80..=87 => self.ack_one()?,
            88..=89 => self.break_clock(),
            90..=91 => self.skew_a_host(),
            92..=93 => self.send_garbage(),
            _ => self.plan_crash(),
        }
        self.work()
    }

    /// Lets `by` ms pass, for the process and the log.
    pub fn pass(&mut self, by: Ms) {
        self.clock.advance(by);
        self.log.set_now(self.clock.wall() + self.log_ahead);
    }

    /// Ends all mischief: hosts send again, the gateway accepts, nobody dies any more.
    pub fn heal(&mut self) {
        self.store.take_crash();
        self.gateway.set_mood(Mood::Accepts);
        for host in &mut self.hosts {
            *host = Host { level: 10.0, ..Host::default() };
        }
        self.note("heal".to_owned());
    }

    /// Every host sends once.
    pub fn send_all(&mut self) {
        for n in 0..HOSTS.len() {
            self.send(n, 0);
        }
    }

    /// Lets the process work until it is quiet; one that dies on the way is started again.
    pub fn work(&mut self) -> Result<(), String> {
        for _ in 0..20 {
            let done = match self.node.take() {
                None => self.boot().map(|node| {
                    self.node = Some(node);
                    false
                }),
                Some(mut node) => {
                    let done = node.settle(self.clock.wall(), TURNS_MAX);
                    self.node = Some(node);
                    done
                }
            };
            if self.store.take_crash() {
                self.node = None;
                self.crashes += 1;
                self.note("the process dies".to_owned());
                // Whoever starts it again takes a moment; leases of the dead run out later.
                self.pass(SECOND);
                continue;
            }
            match done {
                Ok(true) => return Ok(()),
                Ok(false) if self.node.is_some() => {}
                Ok(false) => return Err("the process is never quiet".to_owned()),
                Err(error) => return Err(format!("the process stopped: {error}")),
            }
        }
        Err("the process is never quiet".to_owned())
    }

    // --- mischief

    fn send_some(&mut self) {
        for _ in 0..self.rng.usize(1..=8) {
            let host = self.rng.usize(..HOSTS.len());
            let late = if self.rng.u8(..100) < 15 { self.rng.i64(0..90_000) } else { self.rng.i64(0..400) };
            if self.rng.u8(..100) < 8 {
                self.send_again(host);
            } else {
                self.send(host, late);
            }
        }
    }

    fn send(&mut self, n: usize, late: Ms) {
        let now = self.clock.wall();
        let host = &self.hosts[n];
        if now < host.silent_until {
            return;
        }
        let name = HOSTS[n];
        let value = host.level + self.rng.f64() * 4.0 - 2.0;
        let beat = if self.rng.u8(..100) < 95 { r#",["sim.beat",1]"# } else { "" };
        let (ts, sent) = (now - late - host.skew, now - host.skew);
        let service = &name[..2];
        let lines = if self.rng.u8(..100) < 10 {
            format!(r#","lines":[[{ts},"ERROR","OOM while working"],[{ts},"INFO","fine"]]"#)
        } else {
            String::new()
        };
        let record = format!(
            r#"{{"v":1,"ts":{ts},"sent":{sent},"host":"{name}","labels":{{"service":"{service}"}},"points":[["sim.value",{value}]{beat}]{lines}}}"#
        );
        let (key, value) = (name.as_bytes().to_vec(), record.into_bytes());
        self.hosts[n].last = Some((key.clone(), value.clone()));
        self.append(key, value);
    }

    fn send_again(&mut self, n: usize) {
        if let Some((key, value)) = self.hosts[n].last.clone() {
            self.append(key, value);
        }
    }

    fn append(&self, key: Vec<u8>, value: Vec<u8>) {
        for done in self.log.append(vec![NewRecord { partition: None, key, value }]) {
            debug_assert!(done.is_ok(), "the simulated log takes everything");
        }
    }

    fn send_garbage(&mut self) {
        let host = self.rng.usize(..HOSTS.len());
        let garbage: &[u8] = match self.rng.u8(..4) {
            0 => b"not json",
            1 => b"\xff\xfe",
            2 => br#"{"v":9,"host":"db-01"}"#,
            _ => br#"{"v":1,"ts":1767571200000,"host":"db-01","points":[["sim.value",1e999],["sim.value","x"]]}"#,
        };
        self.append(HOSTS[host].as_bytes().to_vec(), garbage.to_vec());
    }

    fn change_level(&mut self) {
        let host = self.rng.usize(..HOSTS.len());
        let level = [10.0, 50.0, 65.0, 75.0, 85.0, 92.0, 99.0][self.rng.usize(..7)];
        self.hosts[host].level = level;
        self.note(format!("{} goes to {level}", HOSTS[host]));
        self.send(host, 0);
    }

    fn silence_a_host(&mut self) {
        let host = self.rng.usize(..HOSTS.len());
        let length = self.rng.i64(10 * SECOND..4 * MINUTE);
        self.hosts[host].silent_until = self.clock.wall() + length;
        self.note(format!("{} is silent for {length} ms", HOSTS[host]));
    }

    fn skew_a_host(&mut self) {
        let host = self.rng.usize(..HOSTS.len());
        self.hosts[host].skew = [0, 45 * SECOND, -45 * SECOND, HOUR][self.rng.usize(..4)];
        self.note(format!("{} has a clock {} ms behind", HOSTS[host], self.hosts[host].skew));
    }

    fn change_mood(&mut self) {
        let mood = [Mood::Accepts, Mood::Accepts, Mood::Refuses, Mood::Hangs, Mood::Loses, Mood::Rejects];
        let mood = mood[self.rng.usize(..mood.len())];
        self.gateway.set_mood(mood);
        self.note(format!("the gateway {mood:?}"));
    }

    fn break_clock(&mut self) {
        self.log_ahead = [0, 0, 3 * SECOND, MINUTE, -MINUTE, HOUR][self.rng.usize(..6)];
        self.log.set_now(self.clock.wall() + self.log_ahead);
        self.note(format!("the log's clock is {} ms ahead", self.log_ahead));
        self.send_all();
    }

    fn ack_one(&mut self) -> Result<(), String> {
        let incidents = self.store.incidents(50).map_err(|error| error.to_string())?;
        let open: Vec<_> = incidents.into_iter().filter(|incident| incident.state.is_live()).collect();
        if open.is_empty() {
            return Ok(());
        }
        let incident = open[self.rng.usize(..open.len())].id.clone();
        let hold = self.rng.i64(30 * SECOND..10 * MINUTE);
        let input = Input::Ack { incident: incident.clone(), by: "person-1".to_owned(), note: String::new(), hold };
        self.note(format!("person-1 takes {incident}"));
        if let Ok(row) = self.store.add_input(&input, self.clock.wall()) {
            self.acks.push((row, incident));
        }
        Ok(())
    }

    fn plan_crash(&mut self) {
        let (steps, after) = (self.rng.i64(0..6), self.rng.bool());
        self.store.plan_crash(steps, after);
        self.note(format!("a crash is planned {steps} steps ahead, after the write: {after}"));
    }
}
