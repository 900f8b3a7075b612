//! The series of one partition: their samples, and which instances look at them.
//!
//! The idea: dense ids, so that a record's numbers reach their rings through one cached list of ids per shape, without
//! look-ups and without allocation. What each sample touches lies apart from the rest, side by side for the series of
//! one record: [`Hot`]. Which rules want a series is worked out once, when it is bound.

use std::collections::HashMap;
use std::sync::Arc;

use crate::evaluate::guard::Guard;
use crate::evaluate::panes::{self, Panes};
use crate::evaluate::passed;
use crate::evaluate::ring::{Point, Ring};
use crate::evaluate::window::Memo;
use crate::model::{SeriesKey, Shape};
use crate::time::{HOUR, Ms};

/// The id of a series that a limit keeps out.
pub(super) const REFUSED: u32 = u32::MAX;

/// What a sample touches of its series.
#[derive(Debug)]
pub(super) struct Hot {
    /// Its samples.
    pub(super) ring: Ring,
    /// Newest sample, late or not; at [`Ms::MIN`] before the first.
    pub(super) newest: Point,
    /// What may come without anybody having to look.
    pub(super) guard: Guard,
    /// A sample younger than this is in every window.
    pub(super) reach: Ms,
    /// How long samples are of use to the longest window; 0 = to none.
    pub(super) keep: Ms,
    /// Who looks at it has been worked out.
    pub(super) bound: bool,
}

impl Hot {
    const UNBOUND: Self = Self {
        ring: Ring::EMPTY,
        newest: Point { time: Ms::MIN, value: 0.0 },
        guard: Guard::SHUT,
        reach: 0,
        keep: 0,
        bound: false,
    };

    /// Takes a sample that comes in order and that nobody has to look at; `false` where more must be done. `room`
    /// counts the samples for which there is memory.
    #[inline]
    pub(super) fn takes(&mut self, point: Point, clock: Ms, room: &mut usize) -> bool {
        if !self.bound || point.time <= self.newest.time {
            return false;
        }
        if self.keep > 0 {
            if point.time <= clock - self.reach || !self.guard.admits(self.newest.value, point.value) {
                return false;
            }
            *room = room.wrapping_add_signed(self.ring.push(point, clock - self.keep));
        }
        self.newest = point;
        true
    }
}

/// One series, apart from its samples.
#[derive(Debug)]
pub(super) struct Series {
    /// Its name and labels.
    pub(super) key: SeriesKey,
    /// Who looks at it.
    pub(super) links: Vec<Link>,
    /// The rule whose lines it counts; `None` for numbers.
    pub(super) lines: Option<usize>,
}

impl Series {
    /// The instance at place `to` must look at the next sample.
    pub(super) fn shut(&mut self, hot: &mut Hot, to: u32) {
        // What a counter has risen meanwhile was taken off the common guard alone; the others go on with what is left.
        let whole = self.all_let_pass();
        for link in &mut self.links {
            link.guard = if link.to == to { Guard::SHUT } else { link.guard.less(whole, hot.guard) };
        }
        hot.guard = Guard::SHUT;
    }

    /// The instance at place `to` need not look at samples that `guard` lets pass.
    pub(super) fn open(&mut self, hot: &mut Hot, to: u32, guard: Guard) {
        self.links.iter_mut().filter(|link| link.to == to).for_each(|link| link.guard = guard);
        hot.guard = self.all_let_pass();
    }

    /// How a part of the instance at place `to` looks at it.
    pub(super) fn link(&self, to: u32, part: u8) -> Option<&Link> {
        self.links.iter().find(|link| (link.to, link.part) == (to, part))
    }

    /// How many panes there are of it.
    pub(super) fn panes(&self) -> usize {
        self.links.iter().filter_map(|link| link.panes.as_ref()).map(|panes| panes.len()).sum()
    }

    fn all_let_pass(&self) -> Guard {
        self.links.iter().fold(Guard::WIDE, |all, link| all.and(link.guard))
    }
}

/// An instance that looks at a series.
#[derive(Debug)]
pub(super) struct Link {
    /// Place of the rule in the plan.
    pub(super) rule: usize,
    /// The instance on the board.
    pub(super) to: u32,
    /// The part of the rule that looks.
    pub(super) part: u8,
    /// Its window.
    pub(super) over: Ms,
    /// The length of its panes; 0 = none.
    pub(super) step: Ms,
    /// Its ticks.
    pub(super) interval: Ms,
    /// What it need not be visited for; never wider than what the series as a whole lets pass.
    pub(super) guard: Guard,
    /// What it remembers of its window; gone where an old sample came or changed.
    pub(super) memo: Option<Box<Memo>>,
    /// Its window, where that is not in the ring.
    pub(super) panes: Option<Box<Panes>>,
}

impl Link {
    /// The left edge of its window at tick `at`.
    pub(super) fn edge(&self, at: Ms) -> Ms {
        if self.step == 0 { at - self.over } else { panes::edge(at, self.over, self.step) }
    }
}

/// All series of a partition.
#[derive(Debug, Default)]
pub(super) struct SeriesTable {
    hot: Vec<Hot>,
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
    /// What samples touch, of one series; `None` for one that a limit keeps out.
    #[inline]
    pub(super) fn hot_mut(&mut self, id: u32) -> Option<&mut Hot> {
        self.hot.get_mut(id as usize)
    }

    /// What samples touch, of one series.
    pub(super) fn hot(&self, id: u32) -> Option<&Hot> {
        self.hot.get(id as usize)
    }

    /// Both halves of one series.
    pub(super) fn both_mut(&mut self, id: u32) -> Option<(&mut Hot, &mut Series)> {
        Some((self.hot.get_mut(id as usize)?, self.all.get_mut(id as usize)?.as_deref_mut()?))
    }

    /// One series.
    pub(super) fn get(&self, id: u32) -> Option<&Series> {
        self.all.get(id as usize)?.as_deref()
    }

    /// Every series in use.
    pub(super) fn ids(&self) -> Vec<u32> {
        (0..).zip(&self.all).filter(|(_, series)| series.is_some()).map(|(id, _)| id).collect()
    }

    /// Every series in use.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Hot, &Series)> {
        self.hot.iter().zip(&self.all).filter_map(|(hot, series)| Some((hot, series.as_deref()?)))
    }

    /// Every series in use, to change it.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&mut Hot, &mut Series)> {
        self.hot.iter_mut().zip(&mut self.all).filter_map(|(hot, series)| Some((hot, series.as_deref_mut()?)))
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
        let series = Some(Box::new(Series { key: key.clone(), links: Vec::new(), lines }));
        let id = if let Some(id) = self.free.pop() {
            self.all[id as usize] = series;
            self.hot[id as usize] = Hot::UNBOUND;
            id
        } else {
            let id = u32::try_from(self.all.len()).ok().filter(|id| *id != REFUSED)?;
            self.all.push(series);
            self.hot.push(Hot::UNBOUND);
            id
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
            let (Some(hot), Some(series)) = (self.hot(id), self.get(id)) else { continue };
            if !series.links.is_empty() || clock.saturating_sub(hot.newest.time) <= HOUR {
                continue;
            }
            if let Some(series) = self.all.get_mut(id as usize).and_then(Option::take) {
                self.index.remove(&series.key);
                self.hot[id as usize] = Hot::UNBOUND;
                self.free.push(id);
                self.era += 1;
            }
        }
    }

    /// Counts how often ids lost their meaning.
    pub(super) fn era(&self) -> u64 {
        self.era
    }

    /// Cached ids mean nothing any more: what was refused may be tried again.
    pub(super) fn renew(&mut self) {
        self.era += 1;
    }

    /// The clock went back to `to`; nothing may pass unseen until everybody has been visited.
    pub(super) fn outlive(&mut self, clock: Ms, to: Ms) {
        for (hot, series) in self.iter_mut() {
            hot.ring.outlive(clock);
            for link in &mut series.links {
                link.memo = None;
                if let Some(panes) = &mut link.panes {
                    panes.outlive(passed(clock, link.interval), to);
                }
            }
        }
        self.shut();
        self.swept = clock.min(self.swept);
    }

    /// Every sample is looked at until the next visits.
    pub(super) fn shut(&mut self) {
        for (hot, series) in self.iter_mut() {
            hot.guard = Guard::SHUT;
            for link in &mut series.links {
                link.guard = Guard::SHUT;
            }
        }
    }
}
