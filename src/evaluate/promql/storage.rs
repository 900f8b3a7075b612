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
    /// Time and value, by time, each time once.
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
    /// Time and value, by time, each time once, without stale markers. Never empty.
    pub points: &'a [(Ms, f64)],
    /// The same points, and before them those in front of the part that the storage still has.
    pub reach: &'a [(Ms, f64)],
    /// Names the content, where the storage can: two parts of the same length with one stamp hold the same points.
    pub stamp: Option<Stamp>,
    /// Time of the newest stale marker in the part.
    pub ended: Option<Ms>,
}

impl Part<'_> {
    /// The newest point, unless the series has ended behind it.
    pub fn newest(&self) -> Option<(Ms, f64)> {
        self.points.last().copied().filter(|(time, _)| self.ended.is_none_or(|ended| ended < *time))
    }
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
    /// Shows each series that all matchers match and that has a point in the part that is asked for. Sorted by labels,
    /// each label set once.
    fn each(&self, sought: Sought<'_>, see: &mut dyn FnMut(Part<'_>));

    /// The same, copied; a series that has ended there shows its newest stale marker last.
    fn select(&self, matchers: &[Matcher], after: Ms, until: Ms) -> Vec<Slice> {
        let mut found = Vec::new();
        self.each(Sought { matchers, set: None, after, until }, &mut |part| {
            let mut points = part.points.to_vec();
            if part.newest().is_none() {
                points.extend(part.ended.map(|ended| (ended, stale())));
            }
            found.push(Slice { labels: part.labels.clone(), points });
        });
        found
    }
}

/// One series of a [`Memory`].
#[derive(Debug, Clone, Default)]
struct Remembered {
    points: Vec<(Ms, f64)>,
    /// Times of stale markers.
    markers: Vec<Ms>,
}

/// All samples, in memory.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    series: BTreeMap<Labels, Remembered>,
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
        let Remembered { points, markers } = self.series.entry(labels).or_default();
        let (at, mark) = (points.partition_point(|(known, _)| *known < t), markers.partition_point(|known| *known < t));
        let (known, marked) = (points.get(at).is_some_and(|point| point.0 == t), markers.get(mark) == Some(&t));
        match (is_stale(value), known, marked) {
            (true, _, true) => {}
            (true, _, false) => {
                points.drain(at..at + usize::from(known));
                markers.insert(mark, t);
            }
            (false, true, _) => points[at].1 = value,
            (false, false, _) => {
                markers.drain(mark..mark + usize::from(marked));
                points.insert(at, (t, value));
            }
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
        for (labels, Remembered { points, markers }) in &self.series {
            let from = points.partition_point(|(t, _)| *t <= sought.after);
            let to = points.partition_point(|(t, _)| *t <= sought.until);
            let reach = points.get(..to).unwrap_or_default();
            let points = reach.get(from..).unwrap_or_default();
            let before = markers.partition_point(|t| *t <= sought.until);
            let ended = before.checked_sub(1).and_then(|last| markers.get(last)).copied();
            let ended = ended.filter(|t| *t > sought.after);
            if !points.is_empty() && sought.matchers.iter().all(|matcher| matcher.accepts(labels)) {
                see(Part { labels, points, reach, stamp: None, ended });
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
