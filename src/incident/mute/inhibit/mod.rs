//! Inhibition: live incidents that make others of no news.
//!
//! The idea: per rule, live incidents are filed under the values of its `equal` labels, once as sources and once as
//! targets, so that one incident's change touches the few it concerns and a storm costs no more than its size. The
//! meaning is Alertmanager's: a missing label is the empty one, and an incident that fits both sides cannot be muted
//! by one that fits both, itself among them. Drills and real incidents are never filed together.

use std::collections::{BTreeMap, BTreeSet};

use super::fits::{Fits, Subject};
use crate::model::{InhibitRule, Labels};

/// A rule with its matchers compiled.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) source: Fits,
    pub(super) target: Fits,
    pub(super) equal: Vec<String>,
}

impl Rule {
    /// Compiles a rule; `None` where a pattern is no regular expression, which `check` refuses before.
    pub(super) fn new(rule: &InhibitRule) -> Option<Self> {
        let (source, target) = (Fits::new(&rule.source).ok()?, Fits::new(&rule.target).ok()?);
        Some(Self { source, target, equal: rule.equal.clone() })
    }

    /// The same for labels alone.
    fn bare(rule: &InhibitRule) -> Option<Self> {
        let (source, target) = (Fits::bare(&rule.source).ok()?, Fits::bare(&rule.target).ok()?);
        Some(Self { source, target, equal: rule.equal.clone() })
    }
}

/// Which of `rules` mutes a target with these labels while `sources` fire, and by which of them: places in both lists.
/// The rules are asked in their order, and labels are all there is: no incident, no inventory.
pub fn inhibited(rules: &[InhibitRule], target: &Labels, sources: &[Labels]) -> Option<(usize, usize)> {
    const TARGET: &str = "target";
    rules.iter().enumerate().find_map(|(n, rule)| {
        let rule = [Rule::bare(rule)?];
        let mut index = Index::default();
        for (place, labels) in sources.iter().enumerate() {
            index.file(&rule, &format!("{place:010}"), Some(&Subject::bare(labels)), false);
        }
        index.file(&rule, TARGET, Some(&Subject::bare(target)), false);
        Some((n, index.source(TARGET, |_| true)?.parse().ok()?))
    })
}

/// Values of the `equal` labels, and whether it is about drills.
type Key = (bool, Vec<String>);

/// Where an incident is filed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    rule: usize,
    key: Key,
    is_source: bool,
    is_target: bool,
}

/// Live incidents under one key.
#[derive(Debug, Clone, Default)]
struct Cell {
    /// Sources that are no targets,
    sources: BTreeSet<String>,
    /// those that are both,
    both: BTreeSet<String>,
    /// and targets that are no sources.
    targets: BTreeSet<String>,
}

impl Cell {
    fn set(&mut self, place: &Place) -> &mut BTreeSet<String> {
        match (place.is_source, place.is_target) {
            (true, true) => &mut self.both,
            (true, false) => &mut self.sources,
            (false, _) => &mut self.targets,
        }
    }

    fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.both.is_empty() && self.targets.is_empty()
    }
}

/// All live incidents, filed.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    cells: BTreeMap<(usize, Key), Cell>,
    places: BTreeMap<String, Vec<Place>>,
}

impl Index {
    /// Files `incident` as it is now; `subject` is `None` where it is over. Returns the incidents for which something
    /// may be otherwise now.
    pub(super) fn file(
        &mut self,
        rules: &[Rule],
        id: &str,
        subject: Option<&Subject<'_>>,
        is_drill: bool,
    ) -> Vec<String> {
        let now = subject.map(|subject| places(rules, subject, is_drill)).unwrap_or_default();
        let before = self.places.remove(id).unwrap_or_default();
        let mut touched = BTreeSet::new();
        if before != now {
            for place in before.iter().filter(|place| !now.contains(place)) {
                self.take(place, id, &mut touched);
            }
            for place in now.iter().filter(|place| !before.contains(place)) {
                let cell = self.cells.entry((place.rule, place.key.clone())).or_default();
                cell.set(place).insert(id.to_owned());
                note(cell, place, &mut touched);
            }
        }
        if !now.is_empty() {
            self.places.insert(id.to_owned(), now);
        }
        touched.remove(id);
        touched.into_iter().collect()
    }

    fn take(&mut self, place: &Place, id: &str, touched: &mut BTreeSet<String>) {
        let key = (place.rule, place.key.clone());
        let Some(cell) = self.cells.get_mut(&key) else { return };
        cell.set(place).remove(id);
        note(cell, place, touched);
        if cell.is_empty() {
            self.cells.remove(&key);
        }
    }

    /// The live incident that mutes the one called `id`, the first by number; `allows` may turn a rule away.
    pub(super) fn source(&self, id: &str, allows: impl Fn(usize) -> bool) -> Option<&str> {
        let places = self.places.get(id)?.iter().filter(|place| place.is_target && allows(place.rule));
        places
            .filter_map(|place| {
                let cell = self.cells.get(&(place.rule, place.key.clone()))?;
                let both = (!place.is_source).then_some(&cell.both);
                cell.sources.iter().chain(both.into_iter().flatten()).min()
            })
            .min()
            .map(String::as_str)
    }
}

/// Those for whom a source that came or went under `place` matters.
fn note(cell: &Cell, place: &Place, touched: &mut BTreeSet<String>) {
    if place.is_source {
        touched.extend(cell.targets.iter().cloned());
        if !place.is_target {
            touched.extend(cell.both.iter().cloned());
        }
    }
}

fn places(rules: &[Rule], subject: &Subject<'_>, is_drill: bool) -> Vec<Place> {
    let mut found = Vec::new();
    for (n, rule) in rules.iter().enumerate() {
        let (is_source, is_target) = (rule.source.fit(subject), rule.target.fit(subject));
        if is_source || is_target {
            let values = rule.equal.iter().map(|label| subject.get(label).to_owned()).collect();
            found.push(Place { rule: n, key: (is_drill, values), is_source, is_target });
        }
    }
    found
}

#[cfg(test)]
mod tests;
