//! Storms: many incidents within a minute in one blast domain become one.
//!
//! The idea: a blast domain is what one fault can take down together: a node, a cluster, a pool, a service. Each new
//! incident that stands alone counts in all of its own; the nearest that had more than the limit within a minute gets a
//! storm, which all of these and all that follow hang under. A storm counts in the domains above its own like one
//! incident, so ten dark nodes are ten storms, and a dark cluster is one. Children that lose the parent that spoke for them,
//! because it is over or was silenced alone, are one too where they are as many.
//!
//! A storm is told at once, with the count so far; the full count follows after a minute, and later where the count grew
//! by half, at most every ten minutes. It is over when nothing is left of it, or when nothing came or went for five minutes and
//! no more is left than a storm begins with: these few then speak for themselves. An engine that ended it earlier would page
//! everything that it held.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Ground;
use super::topology::Spot;
use crate::incident::signals::Arrival;
use crate::incident::{Book, Decided};
use crate::model::{Change, Domain, Fingerprint, Incident, Labels, STORM, Severity, Signal, State, Tie};
use crate::time::{MINUTE, Ms};

/// The label that names the blast domain.
pub(super) const BLAST: &str = "blast";
/// The first word about the full size follows so soon …
const SIZE_AFTER: Ms = MINUTE;
/// … and later ones at least so far apart.
const SIZE_EVERY: Ms = 10 * MINUTE;
/// A storm with few incidents left is over when none came or went for so long.
const CALM: Ms = 5 * MINUTE;

impl Ground {
    /// The blast domains in which `incident` counts, the nearest first. A storm counts above its own domain only.
    pub(super) fn storm_domains(&self, incident: &Incident, spot: Spot) -> Vec<Spot> {
        let mut domains = self.topology.domains(spot);
        if *incident.rule == *STORM.id {
            domains.retain(|domain| *domain != spot);
        }
        domains
    }
}

impl Book {
    /// Raises a storm where `incident` is one too many.
    pub(super) fn judge_storm(&mut self, incident: &Incident, out: &mut Decided) {
        let Some(spot) = self.ground.spot(&incident.labels) else { return };
        for domain in self.ground.storm_domains(incident, spot) {
            let rush = self.kin.rush(domain, self.now);
            if rush.len() > self.ground.storm {
                return self.raise_storm(domain, &rush, out);
            }
        }
    }

    /// Those that lose their parent together and that nothing else speaks for are a storm where they are too many: a page
    /// for each would wake people by the dozen, and none would hide what still fires. It is that of the blast domain that
    /// most of them share, the nearest of equals.
    pub(super) fn gather_orphans(&mut self, orphans: &[String], out: &mut Decided) {
        let mut shared: BTreeMap<Spot, (Vec<String>, Reverse<usize>)> = BTreeMap::new();
        for orphan in orphans.iter().filter_map(|id| self.incidents.get(id)).filter(|it| it.state.is_live()) {
            if orphan.muted.is_some() || orphan.is_drill() || self.place(orphan).is_some() {
                continue;
            }
            let Some(spot) = self.ground.spot(&orphan.labels) else { continue };
            for (far, domain) in self.ground.storm_domains(orphan, spot).into_iter().enumerate() {
                let (ids, nearest) = shared.entry(domain).or_insert((Vec::new(), Reverse(far)));
                ids.push(orphan.id.clone());
                *nearest = Reverse(far).max(*nearest);
            }
        }
        let many = shared.into_iter().filter(|(_, (ids, _))| ids.len() > self.ground.storm);
        if let Some((domain, (ids, _))) = many.max_by_key(|(_, (ids, nearest))| (ids.len(), *nearest)) {
            self.raise_storm(domain, &ids, out);
        }
    }

    fn raise_storm(&mut self, domain: Spot, rush: &[String], out: &mut Decided) {
        let members: Vec<Incident> = rush.iter().filter_map(|id| self.incidents.get(id)).cloned().collect();
        let labels = Labels::new([(BLAST, self.ground.topology.id(domain))]);
        let fingerprint = Fingerprint::of(STORM.id, &labels);
        // What hung under it before a person ended it, and is muted, hangs there still: it speaks for that as well.
        let before = self.by_fingerprint.get(&fingerprint).into_iter().flat_map(|storm| self.kin.under(storm));
        let kept = before.filter_map(|id| self.incidents.get(id)).filter(|it| it.state.is_live());
        let severity = members.iter().chain(kept).map(|it| it.severity).min().unwrap_or(Severity::S2);
        let held = members.iter().all(|it| it.held_until.is_some());
        let own = Signal {
            rule: STORM.id.into(),
            fingerprint,
            labels,
            from: State::Inactive,
            to: State::Firing,
            severity: Some(severity),
            value: None,
            unknown: None,
            at: self.now,
            since: members.iter().map(|it| it.occurred).min(),
            ended: None,
            acted: true,
        };
        self.storm_domain = Some(most(&members));
        let said = out.moved.len();
        self.signal(&own, &Arrival { origin: None, late: held, now: self.now }, out);
        self.storm_domain = None;
        let Some(storm) = self.by_fingerprint.get(&own.fingerprint).cloned() else { return };
        if self.incidents.get(&storm).is_some_and(|storm| storm.muted.is_some()) {
            // It was asked not to speak, and those in it were not.
            return;
        }
        for id in rush {
            // What explains the storm speaks for it, and for what is in it: were it part of it as well, nobody would speak.
            let is_cause = self.incidents.get(&storm).is_some_and(|storm| self.scene().stands_on(storm, id));
            let member = self.incidents.get(id).cloned().filter(|it| !is_cause && self.would_speak(&storm, it));
            if let Some(member) = member {
                self.attach(member, (Tie::Storm, storm.clone()), out);
            }
        }
        self.recount(&storm);
        self.say_size(&storm);
        // What is told of its opening is told with its size.
        let now = self.incidents.get(&storm).cloned();
        let opening = out.moved.iter_mut().skip(said).find(|moved| moved.incident.id == storm);
        if let (Some(opening), Some(now)) = (opening, now) {
            opening.incident = now;
        }
    }

    /// Counts what hangs under a storm. Those that hung under it before a person ended it hang there still, so that nothing
    /// about them changed when it came back.
    fn recount(&mut self, storm: &str) {
        let Some(mut incident) = self.incidents.get(storm).cloned() else { return };
        let tally = &mut incident.group.tally;
        (tally.severities, tally.domains) = self.kin.counts(storm);
        tally.total = tally.total.max(tally.live());
        tally.last = tally.last.or(Some(self.now));
        self.put(incident);
    }

    /// Remembers what is said of a storm's size now.
    fn say_size(&mut self, storm: &str) {
        let Some(mut incident) = self.incidents.get(storm).cloned() else { return };
        incident.group.said = Some((incident.group.tally.total, self.now));
        incident.group.suspects = self.scene().suspects(&incident);
        incident.group.triage = Some(self.scene().triage(&incident));
        self.put(incident);
    }

    /// A storm's size is due to be told, or its end.
    pub(in crate::incident) fn ring_storm(&mut self, incident: &Incident, out: &mut Decided) {
        if storm_end(incident, self.ground.storm).is_some_and(|at| at <= self.now) {
            return self.over(incident.clone(), self.now, self.now, out);
        }
        self.say_size(&incident.id);
        if let Some(grown) = self.incidents.get(&incident.id).cloned() {
            self.moved(Change::Grown, grown, out);
        }
    }

    /// When a live storm has something to do.
    pub(in crate::incident) fn storm_due(&self, incident: &Incident) -> Option<Ms> {
        [storm_end(incident, self.ground.storm), size_due(incident)].into_iter().flatten().min()
    }

    /// One more that there was no room to open.
    pub(in crate::incident) fn count_unopened(&mut self, labels: &Labels) {
        let Some(spot) = self.ground.spot(labels) else { return };
        let storms = self.ground.topology.domains(spot).into_iter().flat_map(|at| self.kin.at(at).cloned());
        let storm = storms.filter_map(|id| self.incidents.get(&id)).find(|it| *it.rule == *STORM.id).cloned();
        if let Some(mut storm) = storm {
            storm.group.tally.total += 1;
            self.put(storm);
        }
    }
}

fn storm_end(storm: &Incident, limit: usize) -> Option<Ms> {
    // One that is muted let go of what was in it: that it is empty is no end.
    if *storm.rule != *STORM.id || storm.muted.is_some() {
        return None;
    }
    let tally = &storm.group.tally;
    let last = tally.last?;
    match usize::try_from(tally.live()).unwrap_or(0) {
        0 => Some(last),
        n if n <= limit => Some(last + CALM),
        _ => None,
    }
}

/// When the next word about the size of a storm is due.
fn size_due(storm: &Incident) -> Option<Ms> {
    let (n, at) = storm.group.said?;
    let is_first = at < storm.calm_since? + SIZE_AFTER;
    let total = storm.group.tally.total;
    let is_worth = if is_first { total > n } else { 2 * total >= 3 * n };
    is_worth.then(|| at + if is_first { SIZE_AFTER } else { SIZE_EVERY })
}

/// The 구간 of most of them, by severity.
fn most(members: &[Incident]) -> Domain {
    let weight = |domain: Domain| -> i64 {
        members.iter().filter(|it| it.domain == domain).map(|it| super::triage::loudness(it.severity)).sum()
    };
    // The first of equals: documents name it first.
    Domain::ALL.into_iter().rev().max_by_key(|domain| weight(*domain)).unwrap_or(Domain::Infra)
}
