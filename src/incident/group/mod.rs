//! Grouping: one incident speaks for those that it explains, that are alike, or that storm together.
//!
//! The idea: an incident has at most one parent, and while it has one its own pages wait. Where it hangs is decided when
//! it opens, comes back, gets worse or loses its parent: under what explains it ([`kinds`]), else under the storm of its
//! blast domain ([`storm`]), else under the oldest that is alike. A parent is never milder than what hangs under it: it is
//! raised, and that is told. An end of the parent sets its children free. 보안 of the highest severity always stands alone.
//!
//! What is not decided here: who is told (`page`), and what is muted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{
    Change, Domain, Explains, Incident, IncidentState, Inventory, Labels, RuleSet, STORM, Severity, Tie,
};

mod causes;
mod index;
mod kinds;
mod scene;
mod storm;
mod topology;
mod triage;

pub use scene::Scene;
pub use topology::Topology;

pub(super) use index::Index;

use super::{Book, Decided};
use kinds::Kind;
use topology::Spot;

/// More new incidents a minute than these, in one blast domain, are a storm.
pub const STORM_AFTER: usize = 10;

/// What grouping looks things up in: made once for each set of rules and inventory.
#[derive(Debug, Clone, PartialEq)]
pub struct Ground {
    topology: Topology,
    kinds: BTreeMap<Arc<str>, Kind>,
    storm: usize,
}

impl Default for Ground {
    fn default() -> Self {
        Self { topology: Topology::default(), kinds: BTreeMap::new(), storm: STORM_AFTER }
    }
}

impl Ground {
    /// Makes it. `storm` is `limits.storm`.
    pub fn of(rules: &RuleSet, inventory: &Inventory, storm: usize) -> Self {
        let kinds = rules.rules.iter().map(|rule| (rule.id.clone(), Kind::of(rule))).collect();
        Self { topology: Topology::of(inventory), kinds, storm }
    }

    fn kind(&self, rule: &str) -> Kind {
        self.kinds.get(rule).cloned().unwrap_or_else(|| Kind::known(rule))
    }

    fn spot(&self, labels: &Labels) -> Option<Spot> {
        self.topology.find(labels)
    }

    /// What makes incidents of a rule alike; `None` where the rule does not say, or none of the labels is there.
    fn likeness(&self, incident: &Incident) -> Option<(Arc<str>, String)> {
        let by = &self.kinds.get(&incident.rule)?.by;
        let labels = if by.is_empty() { return None } else { self.topology.join(&incident.labels) };
        let values: Vec<&str> = by.iter().map(|name| labels.get(name).unwrap_or_default()).collect();
        values.iter().any(|value| !value.is_empty()).then(|| (incident.rule.clone(), values.join("\x1f")))
    }
}

/// The parent that speaks for a live incident, and its severity.
pub(super) type Hung = (Option<String>, Option<Severity>);

/// Whether an incident never hangs under another: whoever is responsible for 보안 hears of its worst at once.
fn stands_alone(incident: &Incident) -> bool {
    incident.severity == Severity::S1 && incident.domain == Domain::Security
}

impl Book {
    /// Incidents as grouping sees them.
    pub fn scene(&self) -> Scene<'_> {
        Scene::new(&self.ground, &self.kin, &self.incidents)
    }

    /// Where `incident`, as it is now, should hang.
    fn place(&self, incident: &Incident) -> Option<(Tie, String)> {
        if stands_alone(incident) {
            return None;
        }
        let scene = self.scene();
        let speaks = |id: &String| self.would_speak(id, incident);
        let cause = scene.cause(incident).filter(speaks).map(|id| (Tie::Cause, id));
        let storm = || scene.storm(incident).filter(speaks).map(|id| (Tie::Storm, id));
        cause.or_else(storm).or_else(|| scene.elder(incident).filter(speaks).map(|id| (Tie::Alike, id)))
    }

    /// Whether `parent` still says something once it is as bad as `child`: what mutes one severity alone may mute it then,
    /// and what hung under it would be told to nobody, or go back and forth between two of that kind. Nor does anything
    /// go back, within one input, to where it has hung before.
    fn would_speak(&self, parent: &str, child: &Incident) -> bool {
        let Some(parent) = self.incidents.get(parent) else { return false };
        let was_there =
            child.parent.as_ref() != Some(&parent.id) && self.hung.contains(&(child.id.clone(), parent.id.clone()));
        let raised = || Incident { severity: child.severity, ..parent.clone() };
        let is_hidden =
            child.severity < parent.severity && self.mutes.judge(&self.names.mute, &raised(), self.now).is_some();
        !was_there && !is_hidden
    }

    /// Hangs an incident that opens or comes back under its parent, before anybody is told of it.
    pub(super) fn hang(&self, incident: &mut Incident) {
        (incident.parent, incident.group.tie) = (None, None);
        if let Some((tie, parent)) = self.place(incident) {
            (incident.parent, incident.group.tie) = (Some(parent), Some(tie));
        }
        self.look(incident);
    }

    /// Looks what is behind `incident`. Members of a storm are looked at together.
    fn look(&self, incident: &mut Incident) {
        if incident.group.tie != Some(Tie::Storm) {
            incident.group.triage = Some(self.scene().triage(incident));
            incident.group.suspects = self.scene().suspects(incident);
        }
    }

    /// What an opening causes beside itself: a storm, or children that opened before their cause.
    pub(super) fn gather(&mut self, id: &str, out: &mut Decided) {
        let Some(incident) = self.incidents.get(id).cloned() else { return };
        if incident.parent.is_none() {
            self.judge_storm(&incident, out);
        }
        if self.ground.kind(&incident.rule).explains > Explains::Nothing {
            self.adopt(&incident, out);
        }
    }

    /// Children that opened before what explains them hang under it now.
    fn adopt(&mut self, cause: &Incident, out: &mut Decided) {
        for id in self.scene().orphans(cause) {
            let Some(orphan) = self.incidents.get(&id).cloned().filter(|it| !stands_alone(it)) else { continue };
            if let Some(parent) = self.scene().cause(&orphan).filter(|parent| self.would_speak(parent, &orphan)) {
                self.attach(orphan, (Tie::Cause, parent), out);
            }
        }
    }

    pub(super) fn attach(&mut self, mut child: Incident, (tie, parent): (Tie, String), out: &mut Decided) {
        self.hung.insert((child.id.clone(), parent.clone()));
        (child.parent, child.group.tie) = (Some(parent), Some(tie));
        self.look(&mut child);
        self.moved(Change::Attached, child, out);
    }

    /// Judges anew where a live incident hangs. One that is left alone speaks for itself, and has its full time for that.
    pub(super) fn rehang(&mut self, id: &str, out: &mut Decided) {
        let Some(mut incident) = self.incidents.get(id).cloned().filter(|it| it.state.is_live()) else { return };
        let place = self.place(&incident);
        match (place, &incident.parent) {
            (Some((_, new)), Some(old)) if new == *old => {}
            (Some(place), _) => self.attach(incident, place, out),
            (None, Some(_)) => {
                (incident.parent, incident.group.tie) = (None, None);
                if incident.notified.is_none() {
                    self.notes.remove(&super::timers::overdue_key(&incident.id));
                    incident.notify_by = self.notify_by(&incident, self.now);
                }
                self.moved(Change::Detached, incident, out);
            }
            (None, None) => {}
        }
    }

    /// The parent is over, or is muted and says nothing to anybody: each child is judged anew, the oldest first, so that
    /// of those alike it leads the others. Very many are told of as the storm that they are.
    pub(super) fn set_free(&mut self, parent: &str, out: &mut Decided) {
        let children = self.kin.children(parent);
        self.gather_orphans(&children, out);
        for child in children {
            self.rehang(&child, out);
        }
    }

    /// An incident hung under one parent before and hangs under another, or was of another severity: both count anew.
    pub(super) fn settle_around(&mut self, from: Hung, to: Hung, out: &mut Decided) {
        if let Some(left) = from.0.as_deref().filter(|_| from.0 != to.0) {
            self.settle(left, false, out);
        }
        if let Some(parent) = to.0.as_deref().filter(|_| from != to) {
            self.settle(parent, from.0 != to.0, out);
        }
    }

    /// What hangs under `parent` changed: its counts follow, and it is never milder than its worst child.
    fn settle(&mut self, parent: &str, attached: bool, out: &mut Decided) {
        let Some(mut incident) = self.incidents.get(parent).cloned().filter(|it| it.state.is_live()) else { return };
        let tally = &mut incident.group.tally;
        (tally.severities, tally.domains) = self.kin.counts(parent);
        if attached {
            tally.total += 1;
        }
        tally.last = Some(self.now);
        let worst = tally.worst();
        let own = own_severity(&incident);
        let is_storm = *incident.rule == *STORM.id;
        let severity = match worst {
            None if is_storm => incident.severity,
            worst => worst.map_or(own, |worst| worst.min(own)),
        };
        incident.group.own = (severity != own).then_some(own);
        if !is_storm && incident.group.tally.total <= triage::SEEN_MAX {
            self.look(&mut incident);
        }
        self.at_severity(incident, severity, out);
    }

    /// Writes a live incident back with a severity, and tells where that is another one.
    pub(super) fn at_severity(&mut self, mut incident: Incident, severity: Severity, out: &mut Decided) {
        let before = incident.severity;
        incident.severity = severity;
        match severity.cmp(&before) {
            std::cmp::Ordering::Equal => self.put(incident),
            std::cmp::Ordering::Greater => self.moved(Change::Eased, incident, out),
            std::cmp::Ordering::Less => {
                incident.state = IncidentState::Open;
                incident.ack = None;
                if incident.notified.is_none() {
                    let sooner = self.notify_by(&incident, self.now);
                    incident.notify_by = [incident.notify_by, sooner].into_iter().flatten().min();
                }
                let id = incident.id.clone();
                let alone = stands_alone(&incident) && incident.parent.is_some();
                self.moved(Change::Worsened, incident, out);
                if alone {
                    self.rehang(&id, out);
                }
            }
        }
    }
}

/// The severity that an incident has without its children; a storm has none.
pub(super) fn own_severity(incident: &Incident) -> Severity {
    if *incident.rule == *STORM.id { Severity::S4 } else { incident.group.own.unwrap_or(incident.severity) }
}
