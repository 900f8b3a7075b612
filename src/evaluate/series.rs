//! The series of one partition: their samples, and which instances look at them.
//!
//! The idea: dense ids, so that a record's numbers reach their rings through one cached list of ids per shape, without
//! look-ups and without allocation. Which rules want a series is worked out once, when it is bound.

use std::collections::HashMap;
use std::sync::Arc;

use crate::evaluate::ring::Ring;
use crate::model::{SeriesKey, Shape};
use crate::time::{HOUR, Ms};

/// The id of a series that a limit keeps out.
pub(super) const REFUSED: u32 = u32::MAX;

/// One series.
#[derive(Debug)]
pub(super) struct Series {
    /// Its name and labels.
    pub(super) key: SeriesKey,
    /// Its samples.
    pub(super) ring: Ring,
    /// Newest sample, late or not.
    pub(super) newest: Option<(Ms, f64)>,
    /// Who looks at it.
    pub(super) links: Vec<Link>,
    /// How long samples are of use to the longest window.
    pub(super) keep: Ms,
    /// The rule whose lines it counts; `None` for numbers.
    pub(super) lines: Option<usize>,
    /// Its links must be worked out before the next sample.
    pub(super) unbound: bool,
}

/// An instance that looks at a series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    /// Place of the rule in the plan.
    pub(super) rule: usize,
    /// The instance on the board.
    pub(super) to: u32,
    /// Its window.
    pub(super) over: Ms,
    /// Its ticks.
    pub(super) interval: Ms,
}

/// All series of a partition.
#[derive(Debug, Default)]
pub(super) struct SeriesTable {
    all: Vec<Option<Box<Series>>>,
    free: Vec<u32>,
    index: HashMap<SeriesKey, u32>,
    shapes: Vec<Option<Cached>>,
    era: u64,
    swept: Ms,
}

#[derive(Debug)]
struct Cached {
    generation: u32,
    era: u64,
    ids: Arc<[u32]>,
}

impl SeriesTable {
    /// One series.
    pub(super) fn get(&self, id: u32) -> Option<&Series> {
        self.all.get(id as usize)?.as_deref()
    }

    /// One series, to change it.
    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Series> {
        self.all.get_mut(id as usize)?.as_deref_mut()
    }

    /// Every series in use.
    pub(super) fn ids(&self) -> Vec<u32> {
        (0..).zip(&self.all).filter(|(_, series)| series.is_some()).map(|(id, _)| id).collect()
    }

    /// Every series in use.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Series> {
        self.all.iter().filter_map(|series| series.as_deref())
    }

    /// Every series in use, to change it.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Series> {
        self.all.iter_mut().filter_map(|series| series.as_deref_mut())
    }

    /// The ids for the numbers of a shape, where they have been looked up before.
    pub(super) fn cached(&self, shape: &Shape) -> Option<Arc<[u32]>> {
        let cached = self.shapes.get(shape.id as usize)?.as_ref()?;
        (cached.generation == shape.generation && cached.era == self.era).then(|| Arc::clone(&cached.ids))
    }

    /// Remembers the ids for a shape.
    pub(super) fn cache(&mut self, shape: &Shape, ids: Arc<[u32]>) {
        let place = shape.id as usize;
        if self.shapes.len() <= place {
            self.shapes.resize_with(place + 1, || None);
        }
        self.shapes[place] = Some(Cached { generation: shape.generation, era: self.era, ids });
    }

    /// The id of a series that is known.
    pub(super) fn find(&self, key: &SeriesKey) -> Option<u32> {
        self.index.get(key).copied()
    }

    /// Takes a new series in; `None` where `limit` is reached.
    pub(super) fn insert(&mut self, key: SeriesKey, lines: Option<usize>, limit: usize, clock: Ms) -> Option<u32> {
        if self.index.len() >= limit {
            self.sweep(clock);
        }
        if self.index.len() >= limit {
            return None;
        }
        let series = Some(Box::new(Series {
            key: key.clone(),
            ring: Ring::default(),
            newest: None,
            links: Vec::new(),
            keep: 0,
            lines,
            unbound: true,
        }));
        let id = if let Some(id) = self.free.pop() {
            self.all[id as usize] = series;
            id
        } else {
            self.all.push(series);
            u32::try_from(self.all.len() - 1).ok().filter(|id| *id != REFUSED)?
        };
        self.index.insert(key, id);
        Some(id)
    }

    /// Drops series that nobody looks at and that have been silent for an hour; at most once a minute.
    fn sweep(&mut self, clock: Ms) {
        if clock - self.swept < 60_000 {
            return;
        }
        self.swept = clock;
        for id in self.ids() {
            let idle = self.get(id).is_some_and(|series| {
                series.links.is_empty() && series.newest.is_none_or(|(newest, _)| clock - newest > HOUR)
            });
            if let Some(series) = self.all.get_mut(id as usize).filter(|_| idle).and_then(Option::take) {
                self.index.remove(&series.key);
                self.free.push(id);
                self.era += 1;
            }
        }
    }

    /// Cached ids mean nothing any more: what was refused may be tried again.
    pub(super) fn renew(&mut self) {
        self.era += 1;
    }

    /// The clock went back.
    pub(super) fn outlive(&mut self, clock: Ms) {
        for series in self.iter_mut() {
            series.ring.outlive(clock);
        }
        self.swept = clock.min(self.swept);
    }
}
