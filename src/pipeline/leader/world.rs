//! What a leader looks things up in: rules, people, resources, and what is derived from them once.
//!
//! The idea: a world is a value made from edited files; a leader changes it whole, between two inputs, and writes down that
//! it did as soon as it may, not only when something happens under it. Nothing here decides.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::incident::group::{Ground, STORM_AFTER};
use crate::incident::sla::Subjects;
use crate::incident::{Names, mute};
use crate::model::{AckKey, Input, Inventory, Muting, OUTAGE_NOTICE, People, Roster, RuleSet, Taken};
use crate::page::guard::GuardSet;
use crate::pipeline::shadow::{Meanings, meanings};
use crate::time::Ms;

use super::{Leader, OPEN_INCIDENTS};

/// The note that keeps the hash of the world in which was decided last.
pub(super) const WORLD_NOTE: &str = "leader/world";
/// The note that keeps the contacts as they were then, masked.
pub(super) const ROSTER_NOTE: &str = "leader/roster";

/// What the leader looks things up in. Another world comes with an [`crate::model::Input::Reload`].
#[derive(Debug, Clone)]
pub struct World {
    /// Rules: titles, 구간 and chains are read off them.
    pub rules: RuleSet,
    /// Contacts and chains.
    pub people: Arc<People>,
    /// Resources.
    pub inventory: Inventory,
    /// What no text may hold.
    pub guard: Arc<GuardSet>,
    /// `limits.open_incidents`.
    pub open_incidents: usize,
    /// Tells this world from others: two with one hash decide the same.
    pub hash: String,
    pub(super) roster: Roster,
    pub(super) names: Arc<Names>,
    pub(super) ground: Arc<Ground>,
    pub(super) chains: BTreeMap<Arc<str>, String>,
    pub(super) shadows: Meanings,
}

impl World {
    /// A world with the default limit and the guard that inventory and contacts make.
    pub fn new(rules: RuleSet, people: People, inventory: Inventory) -> Self {
        let named = |rule: &Arc<crate::model::Rule>| Some((rule.id.clone(), rule.chain.clone()?));
        let mute = mute::Setup::new(&Muting::default(), &inventory, &people);
        let subjects = Subjects::new(people.sla.clone(), inventory.clone());
        let notice = people.sla.outage.chain.clone().map(|chain| (Arc::from(OUTAGE_NOTICE.id), chain));
        Self {
            names: Arc::new(Names::of(&rules).promising(subjects).muted_by(mute)),
            ground: Arc::new(Ground::of(&rules, &inventory, STORM_AFTER)),
            chains: rules.rules.iter().filter_map(named).chain(notice).collect(),
            guard: Arc::new(GuardSet::of(&inventory, &people)),
            roster: Roster::of(&people, None),
            people: Arc::new(people),
            open_incidents: OPEN_INCIDENTS,
            hash: rules.hash.clone(),
            shadows: meanings(&rules),
            rules,
            inventory,
        }
    }

    /// This world with maintenance, inhibition and the limits of silences.
    pub fn muted_by(mut self, muting: &Muting) -> Self {
        let mute = mute::Setup::new(muting, &self.inventory, &self.people);
        self.names = Arc::new(Names::clone(&self.names).muted_by(mute));
        self
    }

    /// This world, in which a change of a number is known even where its mask stays.
    pub fn sealed_by(mut self, key: &AckKey) -> Self {
        self.roster = Roster::of(&self.people, Some(key));
        self
    }

    /// More new incidents a minute than `limit`, in one blast domain, are a storm.
    pub fn storm_after(mut self, limit: usize) -> Self {
        self.ground = Arc::new(Ground::of(&self.rules, &self.inventory, limit));
        self
    }

    /// What incidents are grouped by.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }
}

impl Leader {
    /// Whether the ledger does not know of the world that is in force. A release that kept no contacts may have led before:
    /// they are kept from its own world on.
    pub(super) fn is_world_news(&self) -> bool {
        self.known_world.as_ref() != Some(&self.world.hash) || self.known_roster.is_none()
    }

    /// Writes down in which world is decided from here on, where the ledger does not know it: whoever takes the ledger
    /// again must change worlds at the very place where this leader did, or the one before it ended.
    pub(super) fn note_world(&mut self, now: Ms) {
        if !self.is_world_news() {
            return;
        }
        let is_known = self.known_world.as_ref() == Some(&self.world.hash);
        let kept = serde_json::to_string(&self.world.roster).ok();
        self.commit.notes.push((ROSTER_NOTE.to_owned(), kept));
        let before = self.known_roster.replace(self.world.roster.clone());
        if is_known {
            return;
        }
        let hash = self.world.hash.clone();
        self.commit.notes.push((WORLD_NOTE.to_owned(), Some(hash.clone())));
        let contacts = before.map_or_else(Vec::new, |before| before.changes(&self.world.roster));
        if self.known_world.replace(hash.clone()).is_some() {
            self.step(&Taken { row: None, input: Input::Reload { hash, contacts } }, now);
        }
    }

    /// Uses another world from now on; the next entry of the ledger says so.
    pub fn reload(&mut self, world: Arc<World>) {
        self.book.rename(world.names.clone(), world.ground.clone());
        self.desk.reload(world.people.clone(), world.guard.clone());
        self.world = world;
    }
}
