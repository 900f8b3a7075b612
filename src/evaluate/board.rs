//! Who is visited at which tick.
//!
//! The idea: an instance is visited where it is *dirty* (a sample came, a source spoke) or *due* (a deadline that its
//! last visit computed). Due times lie in a heap whose entries are checked when they come up and never cancelled, so
//! that a deadline that moves away costs nothing. Rules with the same interval share one beat.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::evaluate::instance::Instance;
use crate::evaluate::next;
use crate::model::Fingerprint;
use crate::time::Ms;

/// The instances of a partition and their deadlines.
#[derive(Debug, Default)]
pub(super) struct Board {
    slots: Vec<Slot>,
    free: Vec<u32>,
    index: HashMap<Fingerprint, u32>,
    beats: Vec<Beat>,
}

#[derive(Debug)]
struct Slot {
    instance: Option<Box<Instance>>,
    beat: usize,
    dirty: bool,
    due: Ms,
    queued: Ms,
}

#[derive(Debug)]
struct Beat {
    interval: Ms,
    dirty: Vec<u32>,
    due: BinaryHeap<Reverse<(Ms, u32)>>,
}

impl Board {
    /// The place of an instance.
    pub(super) fn find(&self, fingerprint: Fingerprint) -> Option<u32> {
        self.index.get(&fingerprint).copied()
    }

    /// The instance at a place.
    pub(super) fn get(&self, id: u32) -> Option<&Instance> {
        self.slots.get(id as usize)?.instance.as_deref()
    }

    /// The instance at a place, to change it.
    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Instance> {
        self.slots.get_mut(id as usize)?.instance.as_deref_mut()
    }

    /// Every place that is in use.
    pub(super) fn ids(&self) -> Vec<u32> {
        (0..).zip(&self.slots).filter(|(_, slot)| slot.instance.is_some()).map(|(id, _)| id).collect()
    }

    /// Takes an instance in; it is dirty.
    pub(super) fn insert(&mut self, instance: Instance, interval: Ms) -> u32 {
        let beat = self.beats.iter().position(|beat| beat.interval == interval).unwrap_or_else(|| {
            self.beats.push(Beat { interval, dirty: Vec::new(), due: BinaryHeap::new() });
            self.beats.len() - 1
        });
        let fingerprint = instance.fingerprint;
        let slot = Slot { instance: Some(Box::new(instance)), beat, dirty: false, due: Ms::MAX, queued: Ms::MAX };
        let id = if let Some(id) = self.free.pop() {
            self.slots[id as usize] = slot;
            id
        } else {
            self.slots.push(slot);
            u32::try_from(self.slots.len() - 1).expect("limits keep instances below 2^32")
        };
        self.index.insert(fingerprint, id);
        self.touch(id);
        id
    }

    /// Drops the instance at a place.
    pub(super) fn remove(&mut self, id: u32) -> Option<Instance> {
        let slot = self.slots.get_mut(id as usize)?;
        let instance = slot.instance.take()?;
        if slot.dirty {
            self.beats[slot.beat].dirty.retain(|dirty| *dirty != id);
        }
        (slot.dirty, slot.due, slot.queued) = (false, Ms::MAX, Ms::MAX);
        self.index.remove(&instance.fingerprint);
        self.free.push(id);
        Some(*instance)
    }

    /// It is visited at the next tick of its rule.
    pub(super) fn touch(&mut self, id: u32) {
        let Some(slot) = self.slots.get_mut(id as usize) else { return };
        if !slot.dirty && slot.instance.is_some() {
            slot.dirty = true;
            self.beats[slot.beat].dirty.push(id);
        }
    }

    /// It is visited at `due`, if nothing comes before.
    pub(super) fn schedule(&mut self, id: u32, due: Ms) {
        let Some(slot) = self.slots.get_mut(id as usize) else { return };
        slot.due = due;
        if due < slot.queued {
            slot.queued = due;
            self.beats[slot.beat].due.push(Reverse((due, id)));
        }
    }

    /// Every instance is visited next, and every deadline is worked out anew: after a clock break, a start, a reload.
    pub(super) fn stir(&mut self) {
        for beat in &mut self.beats {
            beat.due.clear();
        }
        for slot in &mut self.slots {
            (slot.due, slot.queued) = (Ms::MAX, Ms::MAX);
        }
        for id in self.ids() {
            self.touch(id);
        }
    }

    /// The first tick at or after `clock` at which somebody is visited.
    pub(super) fn next(&mut self, clock: Ms) -> Option<Ms> {
        let Self { beats, slots, .. } = self;
        let ticks = beats.iter_mut().filter_map(|beat| {
            beat.prune(slots);
            let due = beat.due.peek().map(|Reverse((due, _))| (*due).max(next(clock, beat.interval)));
            let dirty = (!beat.dirty.is_empty()).then(|| next(clock, beat.interval));
            due.into_iter().chain(dirty).min()
        });
        ticks.min()
    }

    /// Who is visited at tick `at`; they count as visited.
    pub(super) fn take(&mut self, at: Ms, visits: &mut Vec<u32>) {
        visits.clear();
        let Self { beats, slots, .. } = self;
        for beat in beats.iter_mut().filter(|beat| at.rem_euclid(beat.interval) == 0) {
            for id in beat.dirty.drain(..) {
                slots[id as usize].dirty = false;
                visits.push(id);
            }
            while let Some(Reverse((due, id))) = beat.due.peek().copied() {
                if due > at {
                    break;
                }
                beat.due.pop();
                let slot = &mut slots[id as usize];
                if slot.queued == due {
                    slot.queued = Ms::MAX;
                }
                if slot.due <= at && slot.instance.is_some() {
                    slot.due = Ms::MAX;
                    visits.push(id);
                } else if slot.due < slot.queued {
                    slot.queued = slot.due;
                    beat.due.push(Reverse((slot.due, id)));
                }
            }
        }
        visits.sort_unstable();
        visits.dedup();
    }
}

impl Beat {
    /// Moves entries whose deadline has moved away to where it is now, until the first one is true.
    fn prune(&mut self, slots: &mut [Slot]) {
        while let Some(Reverse((due, id))) = self.due.peek().copied() {
            let slot = &mut slots[id as usize];
            if slot.due <= due && slot.instance.is_some() {
                return;
            }
            self.due.pop();
            if slot.queued == due {
                slot.queued = Ms::MAX;
            }
            if slot.instance.is_some() && slot.due < slot.queued {
                slot.queued = slot.due;
                self.due.push(Reverse((slot.due, id)));
            }
        }
    }
}
