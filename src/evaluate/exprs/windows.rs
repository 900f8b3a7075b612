//! The samples that expressions look at: by metric, then by series, no older than the longest look back.
//!
//! The idea: what promql's [`Storage`] asks for, with the one index that nearly every selector can use. What came is
//! kept by its effective time; a time that comes again replaces the value.

use std::collections::{BTreeMap, VecDeque};

use crate::evaluate::promql::{Matcher, NAME, Slice, Storage};
use crate::model::Labels;
use crate::time::Ms;

type Points = VecDeque<(Ms, f64)>;

/// All samples at hand.
#[derive(Debug, Default)]
pub(super) struct Windows {
    metrics: BTreeMap<Box<str>, BTreeMap<Labels, Points>>,
    series: usize,
}

impl Windows {
    /// Takes one sample. `false` where it would be a series more than `limit`.
    pub(super) fn insert(&mut self, labels: &Labels, time: Ms, value: f64, limit: usize) -> bool {
        let name = labels.get(NAME).unwrap_or_default();
        let known = self.metrics.get(name).is_some_and(|series| series.contains_key(labels));
        if !known && self.series >= limit {
            return false;
        }
        self.series += usize::from(!known);
        let points = self.metrics.entry(Box::from(name)).or_default().entry(labels.clone()).or_default();
        let at = points.partition_point(|(held, _)| *held < time);
        match points.get_mut(at).filter(|(held, _)| *held == time) {
            Some(point) => point.1 = value,
            None => points.insert(at, (time, value)),
        }
        true
    }

    /// Forgets what is at or before `edge`.
    pub(super) fn trim(&mut self, edge: Ms) {
        for series in self.metrics.values_mut() {
            series.retain(|_, points| {
                let old = points.partition_point(|(time, _)| *time <= edge);
                points.drain(..old);
                !points.is_empty()
            });
        }
        self.metrics.retain(|_, series| !series.is_empty());
        self.series = self.metrics.values().map(BTreeMap::len).sum();
    }

    /// How many series there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.series
    }
}

impl Storage for Windows {
    fn select(&self, matchers: &[Matcher], after: Ms, until: Ms) -> Vec<Slice> {
        let names = matchers.iter().filter(|matcher| matcher.name == NAME).collect::<Vec<_>>();
        let fitting = self.metrics.iter().filter(|(name, _)| names.iter().all(|it| it.accepts_value(name)));
        let mut found = Vec::new();
        for (labels, points) in fitting.flat_map(|(_, series)| series) {
            let (from, to) = (
                points.partition_point(|(time, _)| *time <= after),
                points.partition_point(|(time, _)| *time <= until),
            );
            if from < to && matchers.iter().all(|matcher| matcher.accepts(labels)) {
                found.push(Slice { labels: labels.clone(), points: points.range(from..to).copied().collect() });
            }
        }
        // Within a metric they are sorted already; several metrics are a rare selector.
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_goes_and_a_limit_keeps_new_series_out() {
        let mut windows = Windows::default();
        let of = |name: &str, host: &str| Labels::new([(NAME, name), ("host", host)]);
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
    }
}
