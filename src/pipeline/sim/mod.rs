//! Simulated worlds: the product's own stages against everything that can go wrong, thousands of times, from seeds.
//!
//! A world is a function of its seed. It does mischief for a while, heals, gets time to finish, and then every promise is
//! checked from outside (`invariants`). A seed that fails prints itself and what happened last.

mod faulty;
mod gateway;
mod invariants;
mod log;
mod setting;
mod world;

pub use faulty::{Fault, FaultyStore};
pub use gateway::{FakeGateway, Mood};
pub use log::{MemoryLog, MemorySource, Stored};
pub use setting::people;
pub use world::World;

use std::sync::Arc;

use crate::store::{MemoryStore, Store};
use crate::time::{MINUTE, SECOND};

/// Random steps of a world.
const STEPS: usize = 60;
/// How long a healed world runs on: past acks, repeats, leases and the time for reopening.
const CALM: i64 = 12 * MINUTE;
/// Lines of the trace that a failure prints.
const TRACE_LINES: usize = 30;

/// A world in which a promise was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// The step after which it was found.
    pub step: usize,
    /// What is wrong.
    pub what: String,
    /// What the world did last.
    pub trace: Vec<String>,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {} after step {}: {}", self.seed, self.step, self.what)?;
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}

/// What a sound world leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sound {
    /// Hash of the ledger's last entry: equal for equal seeds.
    pub ledger: String,
    /// How often the process died.
    pub crashes: usize,
    /// Signals that the incident stage took.
    pub signals: usize,
    /// Pages decided.
    pub pages: usize,
}

/// Runs the world of `seed` over a store in memory.
pub fn run(seed: u64, fault: Option<Fault>) -> Result<Sound, Box<Broken>> {
    run_over(seed, Arc::new(MemoryStore::default()), fault)
}

/// Runs the world of `seed` over `store`, which must be empty.
pub fn run_over(seed: u64, store: Arc<dyn Store>, fault: Option<Fault>) -> Result<Sound, Box<Broken>> {
    let mut world = World::new(seed, store, fault);
    // Worlds begin with a process that is up: whoever dies before that has promised nothing yet.
    world.work().map_err(|what| broken(seed, 0, what, &world))?;
    for step in 0..STEPS {
        let done = world.step().and_then(|()| invariants::cheap(&world));
        done.map_err(|what| broken(seed, step, what, &world))?;
    }
    calm(&mut world).map_err(|what| broken(seed, STEPS, what, &world))?;
    invariants::full(&world).map_err(|what| broken(seed, STEPS, what, &world))?;
    Ok(sound(&world))
}

fn calm(world: &mut World) -> Result<(), String> {
    world.heal();
    world.work()?;
    let mut passed = 0;
    while passed < CALM {
        world.pass(10 * SECOND);
        world.send_all();
        world.work()?;
        passed += 10 * SECOND;
    }
    invariants::cheap(world)
}

fn sound(world: &World) -> Sound {
    let entries = world.store.ledger(0, usize::MAX).unwrap_or_default();
    let signals = entries.iter().filter(|entry| entry.kind == "signal").count();
    let pages = world.store.pages(None, usize::MAX).map_or(0, |rows| rows.len());
    let ledger = entries.last().map(|entry| entry.hash.clone()).unwrap_or_default();
    Sound { ledger, crashes: world.crashes, signals, pages }
}

fn broken(seed: u64, step: usize, what: String, world: &World) -> Box<Broken> {
    let from = world.trace.len().saturating_sub(TRACE_LINES);
    Box::new(Broken { seed, step, what, trace: world.trace[from..].to_vec() })
}
