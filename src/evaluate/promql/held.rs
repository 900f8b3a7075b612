//! The samples of one series in a moving stretch of time.
//!
//! The idea: points lie in one piece, by time, so that a part of them is a slice. Each has a number that never changes,
//! counted from the series' first, unless something else than a newer point came: then the *edition* is another. Points
//! that are trimmed away lie on for a while, out of sight, so that forgetting costs each of them once, and so that who
//! follows a window sees what has left it. Stale markers are kept apart: nothing that reads points meets one.

use super::storage::is_stale;
use crate::time::Ms;

/// One series' points and stale markers.
#[derive(Debug, Default)]
pub(super) struct Held {
    edition: u32,
    points: Vec<(Ms, f64)>,
    /// So many points at the front are out of sight.
    head: usize,
    /// So many are gone before them.
    gone: u64,
    /// Times of stale markers.
    markers: Vec<Ms>,
}

/// What is seen of a stretch of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    /// The points in it.
    pub(super) points: &'a [(Ms, f64)],
    /// The same, and all that still lie before them.
    pub(super) reach: &'a [(Ms, f64)],
    /// Number of the first.
    pub(super) first: u64,
    /// How often something else than a newer point came.
    pub(super) edition: u32,
    /// Time of the newest stale marker in it.
    pub(super) ended: Option<Ms>,
}

impl Held {
    /// Takes a value or a stale marker; what comes for a time that has one already replaces it.
    pub(super) fn insert(&mut self, time: Ms, value: f64) {
        if is_stale(value) {
            return self.end(time);
        }
        if let Ok(at) = self.markers.binary_search(&time) {
            self.markers.remove(at);
        }
        if self.points.last().is_none_or(|(last, _)| *last < time) {
            self.points.push((time, value));
            return;
        }
        let at = self.place(time);
        match self.points.get_mut(at).filter(|(held, _)| *held == time) {
            // Delivered again.
            Some(point) if point.1.to_bits() == value.to_bits() => return,
            Some(point) => point.1 = value,
            None => self.points.insert(at, (time, value)),
        }
        self.edition += 1;
    }

    fn end(&mut self, time: Ms) {
        if let Err(at) = self.markers.binary_search(&time) {
            self.markers.insert(at, time);
        }
        let at = self.place(time);
        if self.points.get(at).is_some_and(|(held, _)| *held == time) {
            self.points.remove(at);
            self.edition += 1;
        }
    }

    /// Where a point of `time` lies or would.
    fn place(&self, time: Ms) -> usize {
        let seen = self.points.get(self.head..).unwrap_or_default();
        self.head + seen.partition_point(|(held, _)| *held < time)
    }

    /// Forgets what is at or before `edge`; `false` where nothing is left.
    pub(super) fn trim(&mut self, edge: Ms) -> bool {
        self.markers.drain(..self.markers.partition_point(|time| *time <= edge));
        let seen = self.points.get(self.head..).unwrap_or_default();
        self.head += seen.partition_point(|(time, _)| *time <= edge);
        if self.head > self.points.len() / 2 {
            self.gone += self.head as u64;
            self.points.drain(..self.head);
            self.head = 0;
        }
        !self.points.is_empty() || !self.markers.is_empty()
    }

    /// What is seen of (`after`, `until`].
    pub(super) fn between(&self, after: Ms, until: Ms) -> Seen<'_> {
        let seen = self.points.get(self.head..).unwrap_or_default();
        let from = seen.partition_point(|(time, _)| *time <= after);
        let to = match seen.last() {
            Some((last, _)) if *last <= until => seen.len(),
            _ => seen.partition_point(|(time, _)| *time <= until).max(from),
        };
        let marked = self.markers.partition_point(|time| *time <= until);
        let ended = marked.checked_sub(1).and_then(|last| self.markers.get(last)).copied();
        Seen {
            points: seen.get(from..to).unwrap_or_default(),
            reach: self.points.get(..self.head + to).unwrap_or_default(),
            first: self.gone + (self.head + from) as u64,
            edition: self.edition,
            ended: ended.filter(|time| *time > after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::promql::stale;

    #[test]
    fn a_marker_and_a_value_of_one_time_replace_each_other() {
        let mut held = Held::default();
        let seen = |held: &Held| {
            let seen = held.between(0, 100);
            (seen.points.to_vec(), seen.ended, seen.edition)
        };
        held.insert(10, 1.0);
        held.insert(20, stale());
        assert_eq!(seen(&held), (vec![(10, 1.0)], Some(20), 0));
        held.insert(20, 2.0);
        assert_eq!(seen(&held), (vec![(10, 1.0), (20, 2.0)], None, 0));
        held.insert(20, 2.0);
        assert_eq!(seen(&held).2, 0, "delivered again");
        held.insert(10, stale());
        assert_eq!(seen(&held), (vec![(20, 2.0)], Some(10), 1));
    }

    #[test]
    fn what_was_trimmed_lies_on_for_a_while() {
        let mut held = Held::default();
        (1..=9).for_each(|time| held.insert(time, 0.0));
        assert!(held.trim(4));
        let seen = held.between(5, 8);
        assert_eq!((seen.points.len(), seen.reach.len(), seen.first), (3, 8, 5));
        assert!(held.trim(6));
        let seen = held.between(6, 8);
        assert_eq!((seen.points.len(), seen.reach.len(), seen.first), (2, 2, 6));
        assert!(!held.trim(9));
    }
}
