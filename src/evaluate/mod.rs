//! STUB, replaced by the real one.
#![allow(missing_docs, missing_debug_implementations, unused_variables)]
use crate::model::*;
use crate::time::Ms;
use std::sync::Arc;
#[derive(Debug, Clone)]
pub struct Setup {
    pub rules: Arc<RuleSet>,
    pub inventory: Arc<Inventory>,
    pub topic: String,
    pub partitions: i32,
    pub limits: Limits,
    pub skew: SkewPolicy,
    pub builtins: bool,
    pub source_silent: Option<Severity>,
}
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub series: usize,
    pub series_per_rule: usize,
    pub window_memory: usize,
}
#[derive(Debug, Clone, Copy)]
pub enum SkewPolicy {
    Shift,
    Quarantine,
}
#[derive(Debug, Clone, Copy)]
pub struct Warm {
    pub low: i64,
    pub first_append: Option<Ms>,
}
#[derive(Debug)]
pub struct Partition;
pub struct SourceStatus {
    pub host: Arc<str>,
    pub last: Ms,
    pub skew: Option<Ms>,
}
pub struct Reading {
    pub key: SeriesKey,
    pub at: Ms,
    pub value: f64,
}
impl Partition {
    pub fn start(
        setup: Arc<Setup>,
        partition: i32,
        progress: Option<&Progress>,
        rows: Vec<StateRow>,
        warm: Warm,
    ) -> Self {
        Self
    }
    pub fn apply(&mut self, offset: i64, append: Ms, record: &Decoded, out: &mut Effects) {}
    pub fn close(&mut self, until: Ms, out: &mut Effects) {}
    pub fn reload(&mut self, setup: Arc<Setup>, out: &mut Effects) {}
    pub fn progress(&self) -> Progress {
        Progress::default()
    }
    pub fn next_tick(&self) -> Option<Ms> {
        None
    }
    pub fn sources(&self) -> Vec<SourceStatus> {
        vec![]
    }
    pub fn readings(&self, limit: usize) -> Vec<Reading> {
        vec![]
    }
    pub fn warming(&self) -> Vec<(Arc<str>, Ms)> {
        vec![]
    }
    pub fn limits_hit(&self) -> Vec<(String, u64, u64)> {
        vec![]
    }
}
pub fn horizon(rules: &RuleSet) -> Ms {
    0
}
#[derive(Debug)]
pub struct LeafTick;
#[derive(Debug, Default)]
pub struct Effects {
    pub rows: Vec<RowChange>,
    pub signals: Vec<Signal>,
    pub leaves: Vec<LeafTick>,
    pub counters: Counters,
}
impl Effects {
    pub fn clear(&mut self) {}
}
#[derive(Debug, Default, Clone, Copy)]
pub struct Counters {
    pub samples: u64,
    pub lines: u64,
    pub late: u64,
    pub visited: u64,
    pub ticks: u64,
    pub refused_series: u64,
}
impl Counters {
    pub fn add(&mut self, other: &Counters) {}
}
#[derive(Debug)]
pub struct Wide;
impl Wide {
    pub fn start(setup: Arc<Setup>, progress: Option<&Progress>, rows: Vec<StateRow>) -> Self {
        Self
    }
    pub fn offer(&mut self, partition: i32, leaf: LeafTick) {}
    pub fn advance(&mut self, clocks: impl Iterator<Item = (i32, Ms)>, out: &mut Effects) {}
    pub fn progress(&self) -> Progress {
        Progress::default()
    }
    pub fn reload(&mut self, setup: Arc<Setup>, out: &mut Effects) {}
}
