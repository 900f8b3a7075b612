//! Where samples come from: what an expression asks for, what it is given, and a plain store in memory.
//!
//! The idea: an expression knows its data through one question, "which series match, and what did they say in
//! (after, until]", so that the same evaluation runs over windows of the engine, over a recorded stream, over a test
//! script and over made-up data. [`Memory`] is the plainest answer: everything appended so far, sorted.
//! Look-back, staleness and offsets are the evaluation's business, not the storage's.

use std::collections::BTreeMap;

use crate::evaluate::promql::matcher::Matcher;
use crate::model::Labels;
use crate::time::Ms;

/// The label that holds a metric's name.
pub const NAME: &str = "__name__";

/// The bits of the NaN that says "this series has ended here" (Prometheus's stale marker).
pub const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The stale marker as a value.
pub fn stale() -> f64 {
    f64::from_bits(STALE_BITS)
}

/// Whether `value` is the stale marker; any other NaN is a value.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}

/// A part of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// All labels, the metric's name as `__name__` among them.
    pub labels: Labels,
    /// Time and value, by time, each time once. Stale markers are among them.
    pub points: Vec<(Ms, f64)>,
}

/// What is asked of a storage: series, and the part of them in (`after`, `until`].
#[derive(Debug, Clone, Copy)]
pub struct Sought<'a> {
    /// All must hold.
    pub matchers: &'a [Matcher],
    /// The place of the selector among those that the storage was told of beforehand.
    pub set: Option<u32>,
    /// Left edge, open, ms.
    pub after: Ms,
    /// Right edge, closed, ms.
    pub until: Ms,
}

/// The part of one series that was asked for, where it lies.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// All labels, the metric's name as `__name__` among them.
    pub labels: &'a Labels,
    /// Time and value, by time, each time once; stale markers are among them. Never empty.
    pub points: &'a [(Ms, f64)],
    /// Names the content, where the storage can: two parts of the same length with one stamp hold the same points.
    pub stamp: Option<Stamp>,
    /// There is surely no stale marker among the points.
    pub plain: bool,
}

/// A selector that is known beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Set {
    /// All must hold.
    pub matchers: Vec<Matcher>,
    /// Labels of the inventory that its series carry, because the expression names them.
    pub carried: Vec<&'static str>,
}

/// Names what a part holds, beside its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The series; a number is never used again.
    pub series: u64,
    /// How often something else than a newer sample came to it.
    pub edition: u32,
    /// How many samples the series ever had before the first of the part.
    pub first: u64,
}

/// What an expression can be evaluated over.
pub trait Storage {
    /// Shows each series that all matchers match and that has a sample in the part that is asked for. Sorted by labels,
    /// each label set once.
    fn each(&self, sought: Sought<'_>, see: &mut dyn FnMut(Part<'_>));

    /// The same, copied.
    fn select(&self, matchers: &[Matcher], after: Ms, until: Ms) -> Vec<Slice> {
        let mut found = Vec::new();
        self.each(Sought { matchers, set: None, after, until }, &mut |part| {
            found.push(Slice { labels: part.labels.clone(), points: part.points.to_vec() });
        });
        found
    }
}

/// All samples, in memory.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    series: BTreeMap<Labels, Vec<(Ms, f64)>>,
}

impl Memory {
    /// Takes one sample. The same series and time again replaces the value; order does not matter. A label with an
    /// empty value is the same as none.
    pub fn append(&mut self, labels: &Labels, t: Ms, value: f64) {
        let labels = if labels.iter().any(|(_, value)| value.is_empty()) {
            Labels::new(labels.iter().filter(|(_, value)| !value.is_empty()))
        } else {
            labels.clone()
        };
        let points = self.series.entry(labels).or_default();
        let at = points.partition_point(|(known, _)| *known < t);
        match points.get_mut(at) {
            Some(point) if point.0 == t => point.1 = value,
            _ => points.insert(at, (t, value)),
        }
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}

impl Storage for Memory {
    fn each(&self, sought: Sought<'_>, see: &mut dyn FnMut(Part<'_>)) {
        for (labels, points) in &self.series {
            let from = points.partition_point(|(t, _)| *t <= sought.after);
            let to = points.partition_point(|(t, _)| *t <= sought.until);
            let points = points.get(from..to).unwrap_or_default();
            if !points.is_empty() && sought.matchers.iter().all(|matcher| matcher.accepts(labels)) {
                see(Part { labels, points, stamp: None, plain: false });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_left_open_and_the_later_value_stays() {
        let mut memory = Memory::default();
        let labels = Labels::new([(NAME, "m"), ("a", ""), ("b", "x")]);
        for (t, value) in [(20, 2.0), (10, 1.0), (30, 3.0), (20, 5.0)] {
            memory.append(&labels, t, value);
        }
        let all = [Matcher::equal(NAME, "m")];
        let found = memory.select(&all, 10, 30);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].points, [(20, 5.0), (30, 3.0)]);
        assert_eq!(found[0].labels, Labels::new([(NAME, "m"), ("b", "x")]));
        assert!(memory.select(&all, 30, 90).is_empty());
        assert!(is_stale(stale()) && !is_stale(f64::NAN));
    }
}
