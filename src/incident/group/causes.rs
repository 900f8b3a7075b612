//! The likeliest causes of an incident and of all that hangs under it, ranked, with what speaks for each.
//!
//! The idea: a cause is worth what it would explain. An incident that explains others counts with their share, more if it
//! began first; a resource that they all stand on with their share and with how much of what stands on it is hit (a node
//! whose twenty machines all fell is likelier than its cluster of a thousand); one rule behind most of them comes last: it
//! may be the rule that is wrong. The order is total, so the same incidents give the same ranking.

use std::collections::BTreeMap;

use super::scene::Scene;
use crate::model::{Incident, Suspect, SuspectKind};
use crate::time::Ms;

/// So many suspects are named.
const NAMED: usize = 5;
/// So many members are looked at, the oldest numbers first: a ranking needs no more.
const LOOKED_AT: usize = 256;

impl Scene<'_> {
    /// Ranks what may be behind `incident` and what hangs under it.
    pub fn suspects(&self, incident: &Incident) -> Vec<Suspect> {
        let under = self.index.under(&incident.id).filter_map(|id| self.get(id));
        let mut members: Vec<&Incident> = under.take(LOOKED_AT).collect();
        let is_group = !members.is_empty();
        if !is_group || !self.is_storm(incident) {
            members.push(incident);
        }
        let of = members.len();
        let first = members.iter().map(|it| it.occurred).min().unwrap_or(incident.occurred);
        let mut found = self.incidents_behind(&members, first);
        if is_group {
            found.extend(self.resources_behind(&members));
            found.extend(rules_behind(&members));
        }
        found.retain(|suspect| suspect.kind == SuspectKind::Incident || suspect.covers * 2 > of as i64);
        found.sort_by(|a, b| (b.score, a.kind, &a.what).cmp(&(a.score, b.kind, &b.what)));
        found.truncate(NAMED);
        found
    }

    fn is_storm(&self, incident: &Incident) -> bool {
        *incident.rule == *crate::model::STORM.id
    }

    /// Incidents that explain some of them.
    fn incidents_behind(&self, members: &[&Incident], first: Ms) -> Vec<Suspect> {
        let mut covers: BTreeMap<&str, i64> = BTreeMap::new();
        for member in members {
            let Some(spot) = self.ground.spot(&member.labels) else { continue };
            let effect = self.ground.kind(&member.rule).effect;
            let tied = member.parent.as_deref().filter(|_| member.group.tie == Some(crate::model::Tie::Cause));
            let mut causes: Vec<&str> =
                self.explaining(member, effect, spot).into_iter().map(|(_, cause)| cause.id.as_str()).collect();
            causes.extend(tied.and_then(|id| self.get(id)).map(|it| it.id.as_str()));
            causes.sort_unstable();
            causes.dedup();
            causes.into_iter().for_each(|id| *covers.entry(id).or_default() += 1);
        }
        let suspect = |(id, n): (&str, i64)| {
            let is_member = members.iter().any(|member| member.id == id);
            let is_first = self.get(id).is_some_and(|it| it.occurred <= first);
            // It explains itself, as well.
            let covers = n + i64::from(is_member);
            let score = share(1000, covers, members.len()) * if is_first { 10 } else { 9 } / 10;
            let (kind, what, of) = (SuspectKind::Incident, id.to_owned(), members.len() as i64);
            Suspect { kind, what, score, covers, of, first: is_first }
        };
        covers.into_iter().map(suspect).collect()
    }

    /// Resources that several of them stand on.
    fn resources_behind(&self, members: &[&Incident]) -> Vec<Suspect> {
        let graph = &self.ground.topology;
        let mut covers: BTreeMap<u32, i64> = BTreeMap::new();
        for spot in members.iter().filter_map(|member| self.ground.spot(&member.labels)) {
            graph.domains(spot).into_iter().for_each(|domain| *covers.entry(domain).or_default() += 1);
        }
        let several = covers.into_iter().filter(|(_, n)| *n > 1);
        let suspect = |(spot, n): (u32, i64)| {
            let hit = share(1000, n.min(graph.size(spot)), usize::try_from(graph.size(spot)).unwrap_or(1));
            Suspect {
                kind: SuspectKind::Resource,
                what: graph.id(spot).to_owned(),
                score: share(800, n, members.len()) * (1000 + hit) / 2000,
                covers: n,
                of: members.len() as i64,
                first: false,
            }
        };
        several.map(suspect).collect()
    }
}

/// Rules that found several of them.
fn rules_behind(members: &[&Incident]) -> Vec<Suspect> {
    let mut covers: BTreeMap<&str, i64> = BTreeMap::new();
    members.iter().for_each(|member| *covers.entry(&member.rule).or_default() += 1);
    let several = covers.into_iter().filter(|(_, n)| *n > 1);
    let suspect = |(rule, n): (&str, i64)| Suspect {
        kind: SuspectKind::Rule,
        what: rule.to_owned(),
        score: share(400, n, members.len()),
        covers: n,
        of: members.len() as i64,
        first: false,
    };
    several.map(suspect).collect()
}

/// `n` of `of`, in parts of `whole`.
fn share(whole: i64, n: i64, of: usize) -> i64 {
    whole * n / i64::try_from(of.max(1)).unwrap_or(i64::MAX)
}
