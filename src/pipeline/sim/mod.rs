//! Simulated worlds: the product's own stages against everything that can go wrong, thousands of times, from seeds.
//!
//! A seed is a plan ([`Plan`]): at least 300 inputs, that is, records, people's wishes, receipts and mischief. A world goes
//! through it, heals, gets time to finish; promises are checked from outside all along (`audit`, `oracle`). A plan that
//! fails is made shorter while it still fails, and prints itself.
//!
//! There is no switch for faults here: whoever wants to see the checks find one brings a store that has it ([`run_over`]).

mod audit;
mod gateway;
mod hands;
mod hosts;
mod layer;
mod log;
mod mortal;
mod mutes;
mod oracle;
mod plan;
mod process;
mod promises;
mod reloads;
mod setting;
mod shrink;
mod site;
mod story;
mod terms;
mod undisturbed;
mod world;

pub use gateway::{FakeGateway, Mood};
pub use layer::{Border, Layer};
pub use log::{MemoryLog, MemorySource, Stored};
pub use mortal::Mortal;
pub use plan::{INPUTS, Plan};
pub(in crate::pipeline) use promises::Promises;
pub(in crate::pipeline) use reloads::{Reloaded, Reloads};
pub use setting::people;
pub use shrink::{shrink, shrink_told};
pub use site::Site;
pub use story::{act_out, tell};
pub(in crate::pipeline) use terms::Terms;
pub(in crate::pipeline) use undisturbed::{Places, Undisturbed};

use std::sync::Arc;

use crate::store::{MemoryStore, Store};
use crate::time::{MINUTE, Ms, SECOND};
use audit::Audit;
use world::World;

/// How long a healed world runs on: past acks, repeats, leases and the calm of what flaps.
const CALM: i64 = 12 * MINUTE;
/// One beat of it.
const CALM_BEAT: i64 = 20 * SECOND;
/// The longest for which nobody works.
const LEAP: Ms = 20 * SECOND;
/// The dear checks come every so many inputs.
const FULL_EVERY: usize = 50;

/// What is wrong, as one sentence that begins with the promise.
pub(crate) type Violation = String;

/// A world in which a promise was broken.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken {
    /// The plan.
    pub plan: Plan,
    /// The step after which it was found.
    pub step: usize,
    /// What is wrong.
    pub what: String,
    /// Whether the file that tells of it fails on one process, too; `None`: nobody looked.
    pub is_told: Option<bool>,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = self.what.replace('\n', " ");
        writeln!(f, "# seed {} after step {} of {}: {what}", self.plan.seed, self.step, self.plan.steps.len())?;
        match self.is_told {
            Some(true) => writeln!(f, "# `bongsu test` with this file fails, too")?,
            Some(false) => writeln!(f, "# `bongsu test` with this file passes: one process alone does not do it")?,
            None => {}
        }
        write!(f, "{}", story::tell(&self.plan))
    }
}

/// What a sound world leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sound {
    /// Hash of the ledger's last entry: equal for equal seeds.
    pub ledger: String,
    /// Inputs of the world.
    pub inputs: usize,
    /// Inputs that the incident stage took: entries of the ledger.
    pub entries: usize,
    /// How often a process died.
    pub deaths: usize,
    /// Signals that the incident stage took.
    pub signals: usize,
    /// Pages decided.
    pub pages: usize,
}

impl Sound {
    /// Adds another world's figures.
    pub fn add(&mut self, other: &Self) {
        self.inputs += other.inputs;
        self.entries += other.entries;
        self.deaths += other.deaths;
        self.signals += other.signals;
        self.pages += other.pages;
    }
}

/// Runs the world of `seed` over a store in memory.
///
/// # Errors
/// A promise was broken.
pub fn run(seed: u64) -> Result<Sound, Box<Broken>> {
    run_over(&Plan::of(seed), Arc::new(MemoryStore::default()))
}

/// Runs a plan over `store`, which must be empty.
///
/// # Errors
/// A promise was broken.
pub fn run_over(plan: &Plan, store: Arc<dyn Store>) -> Result<Sound, Box<Broken>> {
    let mut world = World::new(plan, store);
    let mut audit = Audit::new(&world);
    let broken = |step: usize, what: String| Box::new(Broken { plan: plan.clone(), step, what, is_told: None });
    world.begin().map_err(|what| broken(0, what))?;
    let (mut inputs, mut checked) = (0, 0);
    for (n, step) in plan.steps.iter().enumerate() {
        let waited = wait(&mut world, &mut audit, step.pass);
        let mut acts = step.acts.iter();
        let done = waited.and_then(|()| acts.try_for_each(|act| world.act(act))).and_then(|()| world.work());
        inputs += step.acts.len();
        let is_full = inputs - checked >= FULL_EVERY;
        let held = done.and_then(|()| if is_full { audit.full(&world) } else { audit.cheap(&world) });
        held.map_err(|what| broken(n + 1, what))?;
        if is_full {
            checked = inputs;
        }
    }
    calm(&mut world, &mut audit).map_err(|what| broken(plan.steps.len(), what))?;
    Ok(Sound {
        ledger: audit.promises.hash.clone(),
        inputs,
        entries: usize::try_from(audit.promises.entries).unwrap_or(usize::MAX),
        deaths: world.deaths,
        signals: audit.promises.signals,
        pages: audit.pages(),
    })
}

/// Lets time pass; however long it is, the processes are never asleep for long.
fn wait(world: &mut World, audit: &mut Audit, mut length: Ms) -> Result<(), String> {
    while length > LEAP {
        world.pass(LEAP);
        world.work()?;
        audit.cheap(world)?;
        length -= LEAP;
    }
    world.pass(length);
    Ok(())
}

fn calm(world: &mut World, audit: &mut Audit) -> Result<(), String> {
    world.heal();
    let mut passed = 0;
    while passed < CALM {
        world.pass(CALM_BEAT);
        world.send_all();
        world.work()?;
        audit.cheap(world)?;
        passed += CALM_BEAT;
    }
    audit.end(world)
}
