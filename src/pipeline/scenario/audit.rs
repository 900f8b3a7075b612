//! The promises in a scenario that asks for them: the audit of simulated worlds, over whatever its file describes.
//!
//! The idea: a shadow leader follows the ledger from instant to instant, and an undisturbed evaluation the log up to the
//! end; both are those of `sim`. What the oracle cannot say of a configuration (calendars, chains that change with the
//! hour) it leaves out. What should have happened otherwise is `compare`'s.

use std::sync::Arc;

use super::stage::{Set, Stage};
use crate::config::Loaded;
use crate::model::Input;
use crate::pipeline::leader::World;
use crate::pipeline::service;
use crate::pipeline::sim::{Places, Promises, Terms, Undisturbed};

/// The audit of one run.
#[derive(Debug)]
pub(super) struct Audit {
    promises: Promises,
    undisturbed: Undisturbed,
    /// Every world so far.
    worlds: Vec<Arc<World>>,
}

impl Audit {
    /// Of a site that begins with `set`.
    pub(super) fn new(set: &Set, loaded: &Loaded) -> Self {
        Self {
            promises: Promises::new(Arc::clone(&set.world), terms(set, loaded)),
            undisturbed: Undisturbed::new(&set.setup, set.limits),
            worlds: vec![Arc::clone(&set.world)],
        }
    }

    /// Other rules, people or resources come in force.
    pub(super) fn changed(&mut self, set: &Set, loaded: &Loaded) {
        self.worlds.push(Arc::clone(&set.world));
        self.promises.changed(terms(set, loaded));
    }

    /// At the end of each instant: what the ledger says is what it must say.
    pub(super) fn look(&mut self, stage: &Stage) -> Result<(), String> {
        let (leads, holds) = stage.leads();
        let worlds = &self.worlds;
        self.promises.hold(holds || !leads);
        self.promises
            .follow(stage.memory.as_ref(), |hash| worlds.iter().rev().find(|world| world.hash == hash).cloned())?;
        if leads { self.promises.nothing_is_overdue(stage.wall()) } else { Ok(()) }
    }

    /// At the end of the run: nothing is lost on the way, and the rows are what the ledger gives.
    pub(super) fn end(mut self, stage: &Stage, asked: &[(i64, Input)]) -> Result<(), String> {
        self.look(stage)?;
        let store = stage.memory.as_ref();
        let at = Places { log: &stage.log, store, reloads: &stage.reloads, flushes: stage.store.flushes() };
        self.undisturbed.follow(at, stage.is_well())?;
        self.promises.incidents_are_the_ledgers(store)?;
        self.promises.rows_are_the_ledgers(store)?;
        if stage.is_well() {
            self.undisturbed.all_was_said_and_taken(at)?;
            Promises::answers_were_given(store, asked)?;
        }
        self.promises.a_new_leader_knows_as_much(store)
    }
}

fn terms(set: &Set, loaded: &Loaded) -> Terms {
    Terms::of(&set.world.people, &service::muting(loaded), &loaded.inventory)
}
