//! A window that moves on: what is remembered of it, so that a sample costs the same however long it is.
//!
//! The idea: between two visits some samples have come at the end and some have left at the front; all others are what
//! they were, as the stamps say. Each [`Memory`] takes up those few: extremes in a queue of those that can still become
//! one, pairs as a count, a counter's falls as a list, the order as sorted runs, sums in blocks of absolute time. What
//! follows from it is the body's value, bit for bit. What came late, or was replaced, has it begin anew, and so does a
//! window that left samples behind which are not held any more.

use std::collections::VecDeque;

use crate::evaluate::blocks::{Blocks, Stretch, WORTH};
use crate::evaluate::promql::functions::Window;
use crate::evaluate::promql::functions::stretch::{Spread, Total, Trend};
use crate::evaluate::promql::storage::{Part, Stamp};
use crate::evaluate::sorted::Sorted;
use crate::time::Ms;

/// How a function's value is carried on, and what it makes of what is remembered.
#[derive(Debug, Clone, Copy)]
pub(super) enum Memory {
    /// Not at all: it looks at a few samples only, or at all of them each time.
    Nothing,
    /// The most extreme sample that is a number.
    Extreme(Extreme),
    /// How many pairs of neighbours are so.
    Pairs(fn(&(f64, f64)) -> bool),
    /// The values before each fall, which are added up at each visit: of what is no counter those are many.
    Falls,
    /// All values by size.
    Order(fn(&Window<'_>, &Sorted) -> f64),
    /// Blocks with sums.
    Total(fn(&Total, &Window<'_>) -> f64),
    /// Blocks with deviations.
    Spread(fn(&Spread, &Window<'_>) -> f64),
    /// Blocks with trends.
    Trend(fn(&Trend, &Window<'_>) -> f64),
}

/// Windows with fewer samples are read.
const SHORT: usize = 32;

impl Memory {
    /// From how many samples on a window is carried on. Blocks begin where a value is defined by them.
    const fn worth(self) -> usize {
        match self {
            Self::Nothing => usize::MAX,
            Self::Extreme(_) | Self::Pairs(_) | Self::Falls | Self::Order(_) => SHORT,
            Self::Total(_) | Self::Spread(_) | Self::Trend(_) => WORTH,
        }
    }
}

/// Which sample is the most extreme, and what is said of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extreme {
    /// Whether a value that is held is nothing any more once a new one is there: (held, new).
    pub(super) yields: fn(f64, f64) -> bool,
    pub(super) says: fn(&(Ms, f64)) -> f64,
}

/// What is remembered of one series' window.
#[derive(Debug)]
pub(super) struct Moving {
    /// That of the last visit.
    stamp: Stamp,
    /// Number of the sample behind its last one.
    end: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    /// Those behind which none is more extreme, with their numbers.
    Extreme(VecDeque<(u64, f64)>),
    Pairs(u32),
    Falls(VecDeque<(u64, f64)>),
    Order(Sorted),
    Total(Blocks<Total>),
    Spread(Blocks<Spread>),
    Trend(Blocks<Trend>),
}

impl Moving {
    /// What is remembered, brought up to the window; `None` where nothing helps.
    pub(super) fn on(known: Option<Box<Self>>, memory: Memory, part: &Part<'_>, w: &Window<'_>) -> Option<Box<Self>> {
        let stamp = part.stamp.filter(|_| w.points.len() >= memory.worth())?;
        let mut it = match known.filter(|known| known.reaches(stamp, part)) {
            Some(known) => known,
            None => Box::new(Self { stamp, end: stamp.first, what: What::new(memory, w.until - w.after)? }),
        };
        it.refresh(memory, stamp, part.reach, w);
        Some(it)
    }

    /// Whether every sample that came or left since is at hand.
    fn reaches(&self, now: Stamp, part: &Part<'_>) -> bool {
        let same = (self.stamp.series, self.stamp.edition) == (now.series, now.edition);
        let end = now.first + part.points.len() as u64;
        same && (self.stamp.first..=self.end).contains(&now.first)
            && end >= self.end
            && end - self.stamp.first <= part.reach.len() as u64
    }

    fn refresh(&mut self, memory: Memory, now: Stamp, reach: &[(Ms, f64)], w: &Window<'_>) {
        let end = now.first + w.points.len() as u64;
        let span = |from: u64, to: u64| usize::try_from(to - from).unwrap_or(usize::MAX);
        // From the first sample of the last visit to the last one of this.
        let all = reach.get(reach.len().saturating_sub(span(self.stamp.first, end))..).unwrap_or_default();
        let (known, gone) = (span(self.stamp.first, self.end), span(self.stamp.first, now.first));
        match (&mut self.what, memory) {
            (What::Extreme(held), Memory::Extreme(extreme)) => {
                for (number, (_, value)) in (self.end..).zip(all.get(known..).unwrap_or_default()) {
                    if !value.is_nan() {
                        while held.back().is_some_and(|(_, held)| (extreme.yields)(*held, *value)) {
                            held.pop_back();
                        }
                        held.push_back((number, *value));
                    }
                }
                leave(held, now.first);
            }
            (What::Pairs(count), Memory::Pairs(is)) => {
                *count += pairs(all, known.max(1)..all.len(), is);
                *count -= pairs(all, 1..gone + 1, is);
            }
            (What::Falls(held), Memory::Falls) => {
                for n in known.max(1)..all.len() {
                    if all[n].1 < all[n - 1].1 {
                        held.push_back((self.stamp.first + n as u64 - 1, all[n - 1].1));
                    }
                }
                leave(held, now.first);
            }
            (What::Order(sorted), _) => {
                all.iter().skip(known).for_each(|(_, value)| sorted.insert(*value));
                all.iter().take(gone).for_each(|(_, value)| sorted.remove(*value));
            }
            (What::Total(blocks), _) => blocks.refresh(w.points, w.until),
            (What::Spread(blocks), _) => blocks.refresh(w.points, w.until),
            (What::Trend(blocks), _) => blocks.refresh(w.points, w.until),
            (What::Extreme(_) | What::Pairs(_) | What::Falls(_), _) => {}
        }
        (self.stamp, self.end) = (now, end);
    }

    /// The function's value; `None` where the window must be read.
    pub(super) fn value(&self, memory: Memory, w: &Window<'_>) -> Option<f64> {
        match (&self.what, memory) {
            (What::Extreme(held), Memory::Extreme(extreme)) => {
                let (number, value) = *held.front()?;
                let (time, _) = w.points.get(usize::try_from(number - self.stamp.first).ok()?)?;
                Some((extreme.says)(&(*time, value)))
            }
            (What::Pairs(count), _) => Some(f64::from(*count)),
            (What::Order(sorted), Memory::Order(value)) => Some(value(w, sorted)),
            (What::Total(blocks), Memory::Total(value)) => of_blocks(blocks, value, w),
            (What::Spread(blocks), Memory::Spread(value)) => of_blocks(blocks, value, w),
            (What::Trend(blocks), Memory::Trend(value)) => of_blocks(blocks, value, w),
            _ => None,
        }
    }

    /// The values before each fall, in time order; `None` where they are not what is remembered.
    pub(super) fn falls(&self) -> Option<impl Iterator<Item = f64>> {
        match &self.what {
            What::Falls(held) => Some(held.iter().map(|(_, before)| *before)),
            _ => None,
        }
    }
}

impl What {
    fn new(memory: Memory, over: Ms) -> Option<Self> {
        Some(match memory {
            Memory::Nothing => return None,
            Memory::Extreme(_) => Self::Extreme(VecDeque::new()),
            Memory::Pairs(_) => Self::Pairs(0),
            Memory::Falls => Self::Falls(VecDeque::new()),
            Memory::Order(_) => Self::Order(Sorted::default()),
            Memory::Total(_) => Self::Total(Blocks::new(over)),
            Memory::Spread(_) => Self::Spread(Blocks::new(over)),
            Memory::Trend(_) => Self::Trend(Blocks::new(over)),
        })
    }
}

/// What is before the sample of number `first` goes.
fn leave(held: &mut VecDeque<(u64, f64)>, first: u64) {
    while held.front().is_some_and(|(number, _)| *number < first) {
        held.pop_front();
    }
}

/// How many of the pairs that end at `ends` are so.
fn pairs(all: &[(Ms, f64)], ends: std::ops::Range<usize>, is: fn(&(f64, f64)) -> bool) -> u32 {
    let found = ends.filter(|n| is(&(all[*n - 1].1, all[*n].1))).count();
    u32::try_from(found).unwrap_or(u32::MAX)
}

/// What is not finite is read in order, as `stretch` says.
fn of_blocks<D: Stretch>(blocks: &Blocks<D>, value: fn(&D, &Window<'_>) -> f64, w: &Window<'_>) -> Option<f64> {
    blocks.digest().map(|all| value(&all, w)).filter(|value| value.is_finite())
}
