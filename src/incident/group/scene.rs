//! What can be seen of all incidents together: the cause of one, the storm that it is in, the oldest of its kind.
//!
//! The idea: questions only, over the book's incidents and their lists; the same for a leader that decides and for an
//! `explain` that looks at stored incidents.

use std::collections::{BTreeMap, BTreeSet};

use super::index::Index;
use super::kinds::{Effect, Relation, explains};
use super::{Ground, Spot};
use crate::model::{Explains, Incident, STORM};

/// Parents are followed no further.
const DEPTH: usize = 32;
/// So many of its like are looked at, the oldest first.
const ELDERS: usize = 16;

/// Incidents, their lists, and the ground.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    pub(super) ground: &'a Ground,
    pub(super) index: &'a Index,
    pub(super) incidents: &'a BTreeMap<String, Incident>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(ground: &'a Ground, index: &'a Index, incidents: &'a BTreeMap<String, Incident>) -> Self {
        Self { ground, index, incidents }
    }

    pub(super) fn get(&self, id: &str) -> Option<&'a Incident> {
        self.incidents.get(id)
    }

    /// The live incident that explains `incident`: the nearest, and of several the one that began first.
    pub(super) fn cause(&self, incident: &Incident) -> Option<String> {
        let spot = self.ground.spot(&incident.labels)?;
        let effect = self.ground.kind(&incident.rule).effect;
        let direct = self.explaining(incident, effect, spot).into_iter().next();
        direct.map(|(_, cause)| cause.id.clone()).or_else(|| self.behind_all(incident, effect, spot))
    }

    /// Every live incident that explains `incident`, the nearest first.
    pub(super) fn explaining(&self, incident: &Incident, effect: Effect, spot: Spot) -> Vec<(Relation, &'a Incident)> {
        if effect == Effect::Apart {
            return Vec::new();
        }
        let graph = &self.ground.topology;
        let around = std::iter::once((Relation::Same, spot))
            .chain(graph.above(spot).into_iter().map(|at| (Relation::Above, at)))
            .chain(graph.needs(spot).into_iter().map(|at| (Relation::Needs, at)));
        let mut found = Vec::new();
        for (relation, at) in around {
            let mut here: Vec<&Incident> = self.index.at(at).filter_map(|id| self.get(id)).collect();
            here.retain(|cause| {
                let kind = self.ground.kind(&cause.rule);
                cause.id != incident.id
                    && cause.speaks_to(incident)
                    && explains((&kind, cause), (effect, incident), relation)
                    && !self.stands_on(cause, &incident.id)
            });
            here.sort_by_key(|cause| (cause.detected, &cause.id));
            found.extend(here.into_iter().map(|cause| (relation, cause)));
        }
        found
    }

    /// A pool without members, a service without parts: whatever took all of them, if it is one thing.
    fn behind_all(&self, incident: &Incident, effect: Effect, spot: Spot) -> Option<String> {
        let graph = &self.ground.topology;
        let parts = if graph.members(spot).is_empty() { graph.parts(spot) } else { graph.members(spot) };
        let parts: Vec<Spot> = parts.iter().copied().filter(|part| graph.members(*part).is_empty()).collect();
        if effect != Effect::Symptom || parts.is_empty() {
            return None;
        }
        let mut roots = BTreeSet::new();
        for part in parts {
            let taken = self.explaining(incident, Effect::Gone, part);
            let root = taken.into_iter().find(|(by, it)| *by != Relation::Needs && self.takes(it))?.1;
            roots.insert(self.root(root).id.as_str());
        }
        let only = roots.first().filter(|_| roots.len() == 1)?;
        self.get(only).filter(|root| !self.stands_on(root, &incident.id)).map(|root| root.id.clone())
    }

    /// Whether what `cause` is about is gone with everything on it.
    fn takes(&self, cause: &Incident) -> bool {
        self.ground.kind(&cause.rule).explains == Explains::Below
    }

    /// The incident that speaks for `incident` in the end.
    pub(in crate::incident) fn root(&self, incident: &'a Incident) -> &'a Incident {
        let mut at = incident;
        for _ in 0..DEPTH {
            let parent = at.parent.as_ref().and_then(|id| self.get(id)).filter(|parent| parent.state.is_live());
            match parent {
                Some(parent) => at = parent,
                None => break,
            }
        }
        at
    }

    /// Whether `incident` is `other` or hangs under it, at any depth.
    pub(super) fn stands_on(&self, incident: &Incident, other: &str) -> bool {
        let mut at = Some(incident);
        for _ in 0..DEPTH {
            match at {
                Some(here) if here.id == other => return true,
                Some(here) => at = here.parent.as_ref().and_then(|id| self.get(id)),
                None => return false,
            }
        }
        true
    }

    /// The live storm of the first of the blast domains of `incident` that has one.
    pub(super) fn storm(&self, incident: &Incident) -> Option<String> {
        let spot = self.ground.spot(&incident.labels)?;
        let domains = self.ground.storm_domains(incident, spot);
        let here = |at: Spot| self.index.at(at).filter_map(|id| self.get(id)).find(|it| *it.rule == *STORM.id);
        let storms = domains.into_iter().filter_map(here);
        let mut storms = storms.filter(|storm| {
            storm.id != incident.id && storm.speaks_to(incident) && !self.stands_on(storm, &incident.id)
        });
        storms.next().map(|storm| storm.id.clone())
    }

    /// The oldest live incident that is alike and may speak for this one, where it is older.
    pub(super) fn elder(&self, incident: &Incident) -> Option<String> {
        let key = self.ground.likeness(incident)?;
        let alike = self.index.alike(&key).take(ELDERS).filter_map(|id| self.get(id));
        let mut elders = alike.take_while(|it| (it.detected, &it.id) < (incident.detected, &incident.id));
        elders.find(|it| it.speaks_to(incident) && !self.stands_on(it, &incident.id)).map(|it| it.id.clone())
    }

    /// Live incidents that stand alone, or only with their like, where `cause` may show.
    pub(super) fn orphans(&self, cause: &Incident) -> Vec<String> {
        let Some(spot) = self.ground.spot(&cause.labels) else { return Vec::new() };
        let reach = self.ground.topology.reach(spot);
        let here = reach.into_iter().flat_map(|at| self.index.at(at)).filter_map(|id| self.get(id));
        let mut found: Vec<&Incident> = here
            .filter(|it| it.id != cause.id && it.group.tie != Some(crate::model::Tie::Cause) && *it.rule != *STORM.id)
            .collect();
        found.sort_by_key(|it| (it.detected, &it.id));
        found.into_iter().map(|it| it.id.clone()).collect()
    }
}
