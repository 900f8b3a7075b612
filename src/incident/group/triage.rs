//! 구간 triage: which of 인프라, 응용, 통신 and 보안 the evidence points at.
//!
//! The idea: every live incident in the neighbourhood speaks for its own 구간, as loudly as it is severe and near: what the
//! resource runs on and needs more than what is beside it, what explains others twice, a mere symptom half. The loudest
//! 구간 is shown with its evidence on the console, in `explain` and in long messages. It never changes the rule's own 구간,
//! which chose the number and the chain: people must be able to foretell whom an alarm reaches.

use super::kinds::Effect;
use super::scene::Scene;
use crate::model::{Domain, Evidence, Explains, Incident, STORM, Severity, Triage};

/// So many pieces of evidence are kept.
const KEPT: usize = 5;
/// So many incidents of one relation are looked at.
const LOOKED_AT: usize = 16;
/// A triage follows what hangs under an incident up to so many; more of them say nothing new.
pub(super) const SEEN_MAX: i64 = 32;

/// How loudly a severity speaks.
pub(super) const fn loudness(severity: Severity) -> i64 {
    match severity {
        Severity::S1 => 8,
        Severity::S2 => 4,
        Severity::S3 => 2,
        Severity::S4 => 1,
    }
}

/// Relations and their weight.
const WEIGHTS: [(&str, i64); 7] =
    [("self", 2), ("host", 3), ("above", 4), ("needs", 3), ("below", 1), ("service", 1), ("beside", 1)];

impl<'a> Scene<'a> {
    /// Weighs the evidence around `incident`.
    pub fn triage(&self, incident: &Incident) -> Triage {
        let mut seen: Vec<Evidence> = Vec::new();
        if *incident.rule != *STORM.id {
            seen.push(self.evidence("self", incident));
        }
        let graph = &self.ground.topology;
        let spot = self.ground.spot(&incident.labels);
        let at = |spots: Vec<u32>| -> Vec<&'a Incident> {
            let ids = spots.into_iter().flat_map(|spot| self.index.at(spot));
            // What is only rehearsed says nothing of what is real.
            let counts = |it: &&Incident| *it.rule != *STORM.id && it.is_drill() == incident.is_drill();
            ids.filter_map(|id| self.get(id)).filter(counts).take(LOOKED_AT).collect()
        };
        let service = spot.and_then(|spot| graph.service_of(spot));
        let above = spot.map(|spot| graph.above(spot)).unwrap_or_default();
        let beside = above.first().map(|parent| graph.children(*parent).to_vec()).unwrap_or_default();
        let under = self.index.under(&incident.id).filter_map(|id| self.get(id));
        let parent = incident.parent.as_ref().and_then(|id| self.get(id)).filter(|it| *it.rule != *STORM.id);
        let around: [(&str, Vec<&Incident>); 6] = [
            ("host", at(spot.into_iter().collect())),
            ("above", parent.into_iter().chain(at(above)).collect()),
            ("needs", at(spot.map(|spot| graph.needs(spot)).unwrap_or_default())),
            ("below", under.filter(|it| *it.rule != *STORM.id).take(LOOKED_AT).collect()),
            ("service", at(service.map(|service| graph.parts(service).to_vec()).unwrap_or_default())),
            ("beside", at(beside.into_iter().take(SEEN_MAX as usize).collect())),
        ];
        for (relation, incidents) in around {
            for other in incidents {
                if other.id != incident.id && seen.iter().all(|known| known.incident != other.id) {
                    seen.push(self.evidence(relation, other));
                }
            }
        }
        weigh(seen, incident.domain)
    }

    fn evidence(&self, relation: &str, incident: &Incident) -> Evidence {
        let kind = self.ground.kind(&incident.rule);
        let weight = WEIGHTS.iter().find(|(name, _)| *name == relation).map_or(1, |(_, weight)| *weight);
        // Halves stay whole: everything counts twice.
        let factor = match (kind.explains, kind.effect) {
            (Explains::Same | Explains::Below, _) => 4,
            (Explains::Nothing, Effect::Symptom) => 1,
            _ => 2,
        };
        Evidence {
            incident: incident.id.clone(),
            rule: incident.rule.clone(),
            relation: relation.to_owned(),
            domain: incident.domain,
            points: weight * factor * loudness(incident.severity),
        }
    }
}

/// Adds up; where nothing is louder, the rule's own 구간 stands.
fn weigh(mut seen: Vec<Evidence>, own: Domain) -> Triage {
    let mut points = [0i64; 4];
    for (sum, domain) in points.iter_mut().zip(Domain::ALL) {
        *sum = seen.iter().filter(|it| it.domain == domain).map(|it| it.points).sum();
    }
    // What may be an attack is not talked away by what else is broken.
    let kept = (own == Domain::Security).then_some(own);
    let loudest = Domain::ALL.into_iter().zip(points).max_by_key(|(domain, sum)| (*sum, *domain == own));
    seen.sort_by(|a, b| (b.points, &a.incident).cmp(&(a.points, &b.incident)));
    seen.truncate(KEPT);
    Triage { domain: kept.unwrap_or(loudest.map_or(own, |(domain, _)| domain)), points, evidence: seen }
}
