//! The samples of a moving stretch of time: by metric, then by series, as many as the longest look back asks for.
//!
//! The idea: the storage that rules run over. Series have numbers, so that what stays the same from tick to tick can be
//! told by a [`Stamp`] instead of being read again, and the series of selectors that are known beforehand
//! ([`Windows::watch`]) are found when a series comes, not at each tick. Those selectors also see what the inventory knows
//! of a series' host; it is joined anew when they are told, and never stored. What came is kept by its effective time; a time
//! that comes again replaces the value. Samples that are trimmed away lie on for a while, out of sight, so that forgetting
//! costs each of them once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::held::Held;
use super::storage::{NAME, Part, Set, Sought, Stamp, Storage};
use crate::model::{Inventory, Labels};
use crate::time::Ms;

/// All samples at hand.
#[derive(Debug, Default)]
pub struct Windows {
    series: Vec<Option<Known>>,
    free: Vec<u32>,
    index: HashMap<Labels, u32>,
    metrics: BTreeMap<Box<str>, Metric>,
    watched: Vec<Watched>,
    inventory: Arc<Inventory>,
    /// How many series there ever were.
    born: u64,
}

/// One series.
#[derive(Debug)]
struct Known {
    labels: Labels,
    number: u64,
    held: Held,
}

/// The series of one metric, by labels.
#[derive(Debug, Default)]
struct Metric {
    members: Vec<u32>,
    /// The oldest time that came since it was last asked for.
    earliest: Option<Ms>,
}

/// A selector that is known beforehand, and its series by labels.
#[derive(Debug)]
struct Watched {
    set: Set,
    members: Vec<Member>,
}

/// A series of a selector, under the labels that it has there.
#[derive(Debug)]
struct Member {
    id: u32,
    labels: Labels,
}

impl Watched {
    /// The labels of a series here; `None` where it does not fit.
    fn fits(&self, own: &Labels, joined: &Labels) -> Option<Labels> {
        if !self.set.matchers.iter().all(|matcher| matcher.accepts(joined)) {
            return None;
        }
        let carried = self.set.carried.iter().filter_map(|name| Some((*name, joined.get(name)?)));
        Some(if self.set.carried.is_empty() { own.clone() } else { Labels::new(own.iter().chain(carried)) })
    }
}

impl Windows {
    /// Takes one sample. `false` where it would be a series more than `limit`.
    pub fn insert(&mut self, labels: &Labels, time: Ms, value: f64, limit: usize) -> bool {
        let Some(id) = self.index.get(labels).copied().or_else(|| self.bear(labels, limit)) else { return false };
        let Some(known) = self.series.get_mut(id as usize).and_then(Option::as_mut) else { return false };
        known.held.insert(time, value);
        let metric = self.metrics.get_mut(labels.get(NAME).unwrap_or_default());
        if let Some(metric) = metric.filter(|metric| metric.earliest.is_none_or(|earliest| time < earliest)) {
            metric.earliest = Some(time);
        }
        true
    }

    fn bear(&mut self, labels: &Labels, limit: usize) -> Option<u32> {
        if self.index.len() >= limit {
            return None;
        }
        self.born += 1;
        let known = Known { labels: labels.clone(), number: self.born, held: Held::default() };
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.series.push(None);
                u32::try_from(self.series.len() - 1).ok()?
            }
        };
        self.series[id as usize] = Some(known);
        self.index.insert(labels.clone(), id);
        let metric = self.metrics.entry(Box::from(labels.get(NAME).unwrap_or_default())).or_default();
        enter(&self.series, &mut metric.members, id, labels);
        let joined = self.inventory.join(labels);
        for watched in &mut self.watched {
            if let Some(labels) = watched.fits(labels, &joined) {
                let at = watched.members.partition_point(|other| other.labels < labels);
                watched.members.insert(at, Member { id, labels });
            }
        }
        Some(id)
    }

    /// Forgets what is at or before `edge`.
    pub fn trim(&mut self, edge: Ms) {
        let mut empty = Vec::new();
        for (id, known) in (0..).zip(&mut self.series) {
            let Some(series) = known else { continue };
            if !series.held.trim(edge) {
                self.index.remove(&series.labels);
                *known = None;
                empty.push(id);
            }
        }
        if empty.is_empty() {
            return;
        }
        let there = |id: &u32| self.series.get(*id as usize).is_some_and(Option::is_some);
        self.metrics.values_mut().for_each(|metric| metric.members.retain(there));
        self.metrics.retain(|_, metric| !metric.members.is_empty());
        self.watched.iter_mut().for_each(|watched| watched.members.retain(|member| there(&member.id)));
        self.free.append(&mut empty);
    }

    /// Makes selectors known: their places are those of [`Sought::set`], and `inventory` is joined for them.
    pub fn watch(&mut self, sets: &[Set], inventory: &Arc<Inventory>) {
        self.inventory = Arc::clone(inventory);
        self.watched = sets.iter().map(|set| Watched { set: set.clone(), members: Vec::new() }).collect();
        for (id, known) in (0..).zip(&self.series) {
            let Some(known) = known else { continue };
            let joined = inventory.join(&known.labels);
            for watched in &mut self.watched {
                let labels = watched.fits(&known.labels, &joined);
                watched.members.extend(labels.map(|labels| Member { id, labels }));
            }
        }
        self.watched.iter_mut().for_each(|watched| watched.members.sort_by(|a, b| a.labels.cmp(&b.labels)));
    }

    /// The metrics to which something came since this was last asked, and the oldest time that did.
    pub fn touched(&mut self) -> Vec<(Box<str>, Ms)> {
        let metrics = self.metrics.iter_mut();
        metrics.filter_map(|(name, metric)| Some((name.clone(), metric.earliest.take()?))).collect()
    }

    /// How many series a selector has that is known beforehand.
    pub fn members(&self, set: u32) -> usize {
        self.watched.get(set as usize).map_or(0, |watched| watched.members.len())
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    fn show(&self, id: u32, labels: Option<&Labels>, sought: &Sought<'_>, see: &mut dyn FnMut(Part<'_>)) {
        let Some(known) = self.series.get(id as usize).and_then(Option::as_ref) else { return };
        let seen = known.held.between(sought.after, sought.until);
        let fits = || labels.is_some() || sought.matchers.iter().all(|matcher| matcher.accepts(&known.labels));
        if seen.points.is_empty() || !fits() {
            return;
        }
        let stamp = Stamp { series: known.number, edition: seen.edition, first: seen.first };
        let labels = labels.unwrap_or(&known.labels);
        see(Part { labels, points: seen.points, reach: seen.reach, stamp: Some(stamp), ended: seen.ended });
    }
}

/// Puts a series at its place.
fn enter(series: &[Option<Known>], members: &mut Vec<u32>, id: u32, labels: &Labels) {
    let before =
        |other: &u32| series.get(*other as usize).and_then(Option::as_ref).is_some_and(|other| other.labels < *labels);
    let at = members.partition_point(before);
    members.insert(at, id);
}

impl Storage for Windows {
    fn each(&self, sought: Sought<'_>, see: &mut dyn FnMut(Part<'_>)) {
        if let Some(watched) = sought.set.and_then(|set| self.watched.get(set as usize)) {
            let members = watched.members.iter();
            return members.for_each(|member| self.show(member.id, Some(&member.labels), &sought, see));
        }
        let names = sought.matchers.iter().filter(|matcher| matcher.name == NAME).collect::<Vec<_>>();
        let fitting = self.metrics.iter().filter(|(name, _)| names.iter().all(|it| it.accepts_value(name)));
        let mut members: Vec<u32> = fitting.flat_map(|(_, metric)| &metric.members).copied().collect();
        // Within a metric they are sorted already; several metrics are a rare selector.
        members.sort_by_key(|id| self.series.get(*id as usize).and_then(Option::as_ref).map(|known| &known.labels));
        members.into_iter().for_each(|id| self.show(id, None, &sought, see));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::promql::Matcher;

    fn of(name: &str, host: &str) -> Labels {
        Labels::new([(NAME, name), ("host", host)])
    }

    #[test]
    fn what_is_old_goes_and_a_limit_keeps_new_series_out() {
        let mut windows = Windows::default();
        assert!(windows.insert(&of("m", "a"), 20, 2.0, 2));
        assert!(windows.insert(&of("m", "a"), 10, 1.0, 2));
        assert!(windows.insert(&of("n", "a"), 10, 9.0, 2));
        assert!(!windows.insert(&of("m", "b"), 10, 9.0, 2), "a third series");
        assert!(windows.insert(&of("m", "a"), 20, 3.0, 2), "an old one goes on");
        let all = [Matcher::equal(NAME, "m")];
        assert_eq!(windows.select(&all, 0, 20)[0].points, [(10, 1.0), (20, 3.0)]);
        assert_eq!(windows.select(&all, 10, 20)[0].points, [(20, 3.0)]);
        windows.trim(10);
        assert_eq!(windows.len(), 1);
        assert!(windows.insert(&of("m", "b"), 30, 9.0, 2));
        assert_eq!(windows.select(&[], 0, 30).len(), 2);
        windows.trim(30);
        assert!(windows.is_empty() && windows.select(&[], 0, 30).is_empty());
    }

    #[test]
    fn a_stamp_tells_whether_a_part_is_the_same() {
        let mut windows = Windows::default();
        let matchers = vec![Matcher::equal("host", "a")];
        windows.watch(&[Set { matchers: matchers.clone(), carried: Vec::new() }], &Arc::default());
        let stamp = |windows: &Windows, after, until| {
            let mut found = Vec::new();
            let sought = Sought { matchers: &matchers, set: Some(0), after, until };
            windows.each(sought, &mut |part| found.push((part.stamp.unwrap(), part.points.len(), part.ended)));
            found
        };
        for time in 1..=8 {
            windows.insert(&of("m", "a"), time, 0.0, 9);
            windows.insert(&of("m", "b"), time, 0.0, 9);
        }
        let before = stamp(&windows, 4, 7);
        windows.insert(&of("m", "a"), 9, super::super::storage::stale(), 9);
        windows.trim(4);
        assert_eq!(stamp(&windows, 4, 7).len(), 1, "of one host");
        assert_eq!((stamp(&windows, 4, 7)[0].0, before[0].1), (before[0].0, 3), "newer samples change nothing");
        assert_eq!((stamp(&windows, 4, 8)[0].2, stamp(&windows, 4, 9)[0].2), (None, Some(9)));
        assert!(stamp(&windows, 8, 99).is_empty(), "a stale marker is no point");
        windows.insert(&of("m", "a"), 6, 1.0, 9);
        assert_ne!(stamp(&windows, 4, 7), before, "another value does");
        assert_eq!(windows.touched(), [(Box::from("m"), 1)]);
        assert!(windows.touched().is_empty());
    }
}
