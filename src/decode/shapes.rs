//! The table of what repeats between records.
//!
//! The idea: a record's *identity* is written as bytes (host, record labels, then name and labels of each point, every
//! string behind its length, so that equal bytes mean equal identities and nothing else does). The bytes are hashed,
//! looked up and compared in full; only an identity never seen before builds a [`Shape`], out of those same bytes.
//! A hash alone is never believed. The table has a size limit and no clock: full, it is emptied and starts a new
//! generation, which costs one rebuild and keeps the result the same on every run.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::model::{Labels, SeriesKey, Shape};

/// Identity bytes that a shape may take on average before the table counts as full: a batch of 20 points takes about
/// 900, so this only stops a sender whose every record is large and new.
const IDENTITY_BYTES_EACH: usize = 4_096;

/// What is known about an identity.
#[derive(Debug)]
pub(super) struct Known {
    /// The source.
    pub(super) host: Arc<str>,
    /// The record's own labels with `host`.
    pub(super) labels: Labels,
    /// The series of its points; `None` without points.
    pub(super) shape: Option<Arc<Shape>>,
    /// Which of its points repeat the series of an earlier one, ascending; they are not in `shape`.
    pub(super) repeats: Box<[u32]>,
    identity: Box<[u8]>,
    hash: u64,
}

/// The interned identities of one decoder.
#[derive(Debug)]
pub(super) struct Shapes {
    index: HashTable<u32>,
    known: Vec<Known>,
    identity_bytes: usize,
    shapes: u32,
    shapes_max: usize,
    generation: u32,
    hasher: FixedState,
}

impl Shapes {
    /// An empty table for at most `shapes_max` identities (at least one).
    pub(super) fn new(shapes_max: usize) -> Self {
        Self {
            index: HashTable::new(),
            known: Vec::new(),
            identity_bytes: 0,
            shapes: 0,
            shapes_max: shapes_max.clamp(1, u32::MAX as usize),
            generation: 0,
            hasher: FixedState::default(),
        }
    }

    /// How many identities are held.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// What is known about `identity`, which [`host`], [`label`] and [`point`] wrote.
    pub(super) fn look_up(&mut self, identity: &[u8]) -> Option<&Known> {
        let hash = self.hasher.hash_one(identity);
        let found =
            self.index.find(hash, |&at| self.known.get(at as usize).is_some_and(|known| *known.identity == *identity));
        let at = match found {
            Some(&at) => at as usize,
            None => self.add(identity, hash)?,
        };
        self.known.get(at)
    }

    fn add(&mut self, identity: &[u8], hash: u64) -> Option<usize> {
        let bytes_max = self.shapes_max.saturating_mul(IDENTITY_BYTES_EACH);
        let full = self.known.len() >= self.shapes_max || self.identity_bytes + identity.len() > bytes_max;
        if full && !self.known.is_empty() {
            self.index.clear();
            self.known.clear();
            self.identity_bytes = 0;
            self.shapes = 0;
            self.generation = self.generation.wrapping_add(1);
        }
        let known = self.build(identity, hash)?;
        let at = self.known.len();
        self.shapes += u32::from(known.shape.is_some());
        self.identity_bytes += identity.len();
        self.known.push(known);
        let all = &self.known;
        self.index
            .insert_unique(hash, u32::try_from(at).ok()?, |&at| all.get(at as usize).map_or(0, |known| known.hash));
        Some(at)
    }

    fn build(&self, identity: &[u8], hash: u64) -> Option<Known> {
        let mut rest = identity;
        let host: Arc<str> = Arc::from(text(&mut rest)?);
        let own: Vec<(&str, &str)> = pairs(&mut rest)?;
        // A source that is nobody has no label `host` either: files of bare numbers.
        let mine = if host.is_empty() { None } else { Some(("host", &*host)) };
        let mut series: Vec<SeriesKey> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut repeats = Vec::new();
        let mut n: u32 = 0;
        while !rest.is_empty() {
            let name = Arc::from(text(&mut rest)?);
            let of_point = pairs(&mut rest)?;
            let labels = Labels::new(own.iter().copied().chain(of_point).chain(mine));
            let key = SeriesKey { name, labels };
            if seen.insert(key.clone()) {
                series.push(key);
            } else {
                repeats.push(n);
            }
            n += 1;
        }
        let shape = Shape { id: self.shapes, generation: self.generation, host: Arc::clone(&host), series };
        Some(Known {
            labels: Labels::new(own.iter().copied().chain(mine)),
            shape: if n == 0 { None } else { Some(Arc::new(shape)) },
            host,
            repeats: repeats.into(),
            identity: identity.into(),
            hash,
        })
    }
}

/// Begins an identity: whose record it is and how many labels of its own follow.
#[inline]
pub(super) fn host(identity: &mut Vec<u8>, host: &str, n_labels: usize) {
    put(identity, host);
    count(identity, n_labels);
}

/// Adds a label.
#[inline]
pub(super) fn label(identity: &mut Vec<u8>, name: &str, value: &str) {
    put(identity, name);
    put(identity, value);
}

/// Begins a point: its metric and how many labels of its own follow.
#[inline]
pub(super) fn point(identity: &mut Vec<u8>, name: &str, n_labels: usize) {
    put(identity, name);
    count(identity, n_labels);
}

#[inline]
fn put(identity: &mut Vec<u8>, text: &str) {
    count(identity, text.len());
    identity.extend_from_slice(text.as_bytes());
}

/// Lengths are 4 bytes: a record is far below 4 GiB, and a longer string would only make its own look-up fail.
#[inline]
fn count(identity: &mut Vec<u8>, n: usize) {
    identity.extend_from_slice(&u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes());
}

fn length(rest: &mut &[u8]) -> Option<usize> {
    let (head, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    Some(u32::from_le_bytes(*head) as usize)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let n = length(rest)?;
    let (head, tail) = rest.split_at_checked(n)?;
    *rest = tail;
    std::str::from_utf8(head).ok()
}

fn pairs<'a>(rest: &mut &'a [u8]) -> Option<Vec<(&'a str, &'a str)>> {
    (0..length(rest)?).map(|_| Some((text(rest)?, text(rest)?))).collect()
}
