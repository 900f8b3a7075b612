//! Who is where: live incidents by resource, parent, likeness and blast domain.
//!
//! The idea: every list here is a function of the incidents and the ground alone, kept up to date by the one way into the
//! book, so a new leader has the same lists as the old one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::topology::Spot;
use super::{Ground, stands_alone};
use crate::model::{Domain, Incident};
use crate::time::{MINUTE, Ms};

/// Openings are counted over this length.
pub(super) const RUSH: Ms = MINUTE;

/// What alike incidents share: their rule, and the values of the labels that it groups by.
pub(super) type Likeness = (Arc<str>, String);

/// Live incidents, listed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::incident) struct Index {
    spots: BTreeMap<Spot, BTreeSet<String>>,
    children: BTreeMap<String, BTreeSet<String>>,
    counts: BTreeMap<String, ([i64; 4], [i64; 4])>,
    alike: BTreeMap<Likeness, BTreeSet<(Ms, String)>>,
    /// Openings that stand alone, by blast domain; those of long ago are left out now and then.
    fresh: BTreeMap<Spot, BTreeSet<(Ms, String)>>,
}

impl Index {
    /// Lists `incidents`.
    pub(in crate::incident) fn of<'a>(incidents: impl IntoIterator<Item = &'a Incident>, ground: &Ground) -> Self {
        let mut index = Self::default();
        incidents.into_iter().for_each(|incident| index.change(None, Some(incident), ground));
        index
    }

    /// An incident was written: `before` as it was listed, `after` as it is.
    pub(in crate::incident) fn change(&mut self, before: Option<&Incident>, after: Option<&Incident>, ground: &Ground) {
        let before = before.filter(|incident| incident.state.is_live());
        let after = after.filter(|incident| incident.state.is_live());
        let same = |a: &Incident, b: &Incident| {
            a.parent == b.parent && a.severity == b.severity && a.domain == b.domain && a.calm_since == b.calm_since
        };
        match (before, after) {
            (Some(a), Some(b)) if same(a, b) => {}
            (None, None) => {}
            _ => {
                before.into_iter().for_each(|incident| self.list(incident, ground, false));
                after.into_iter().for_each(|incident| self.list(incident, ground, true));
            }
        }
    }

    fn list(&mut self, incident: &Incident, ground: &Ground, add: bool) {
        let id = &incident.id;
        let spot = ground.spot(&incident.labels);
        if let Some(spot) = spot {
            set(&mut self.spots, spot, id.clone(), add);
        }
        if let Some(key) = ground.likeness(incident) {
            set(&mut self.alike, key, (incident.detected, id.clone()), add);
        }
        if let Some(parent) = &incident.parent {
            set(&mut self.children, parent.clone(), id.clone(), add);
            self.count(parent, incident, add);
        } else if !stands_alone(incident) && !incident.is_drill() {
            for domain in spot.map(|spot| ground.storm_domains(incident, spot)).unwrap_or_default() {
                set(&mut self.fresh, domain, (born(incident), id.clone()), add);
            }
        }
    }

    fn count(&mut self, parent: &str, child: &Incident, add: bool) {
        let (severities, domains) = self.counts.entry(parent.to_owned()).or_default();
        let by = if add { 1 } else { -1 };
        let at = Domain::ALL.iter().position(|domain| *domain == child.domain).unwrap_or(0);
        severities[child.severity.index()] += by;
        domains[at] += by;
        if *severities == [0; 4] {
            self.counts.remove(parent);
        }
    }

    /// Live incidents of a resource.
    pub(super) fn at(&self, spot: Spot) -> impl Iterator<Item = &String> {
        self.spots.get(&spot).into_iter().flatten()
    }

    /// Live incidents under `parent`, by number.
    pub(in crate::incident) fn children(&self, parent: &str) -> Vec<String> {
        self.children.get(parent).into_iter().flatten().cloned().collect()
    }

    /// The same, to look at.
    pub(super) fn under(&self, parent: &str) -> impl Iterator<Item = &String> {
        self.children.get(parent).into_iter().flatten()
    }

    /// How many live incidents hang under `parent`: by severity and by 구간.
    pub(super) fn counts(&self, parent: &str) -> ([i64; 4], [i64; 4]) {
        self.counts.get(parent).copied().unwrap_or_default()
    }

    /// Live incidents that are alike, the oldest first.
    pub(super) fn alike(&self, key: &Likeness) -> impl Iterator<Item = &String> {
        self.alike.get(key).into_iter().flatten().map(|(_, id)| id)
    }

    /// Openings in a blast domain that stand alone and happened within [`RUSH`] before `now`, the oldest first.
    pub(super) fn rush(&mut self, domain: Spot, now: Ms) -> Vec<String> {
        let Some(fresh) = self.fresh.get_mut(&domain) else { return Vec::new() };
        *fresh = fresh.split_off(&(now - RUSH + 1, String::new()));
        fresh.iter().map(|(_, id)| id.clone()).collect()
    }
}

/// When an incident opened last.
fn born(incident: &Incident) -> Ms {
    incident.calm_since.unwrap_or(incident.detected)
}

fn set<K: Ord, V: Ord>(map: &mut BTreeMap<K, BTreeSet<V>>, key: K, value: V, add: bool) {
    if add {
        map.entry(key).or_default().insert(value);
    } else if let Some(set) = map.get_mut(&key) {
        set.remove(&value);
        if set.is_empty() {
            map.remove(&key);
        }
    }
}
