//! What the process that collects costs its host: CPU time and memory.
//!
//! The idea: a collector that is heavy is a fault like any other, so its own figures are in its record. In a service
//! with other roles they are those of the whole service.

use std::path::Path;

use procfs::process::Stat;

use crate::agent::collector::{Failure, Points, parse, put};

/// `bongsu.agent.cpu.time` and `.memory.usage`.
pub(super) fn collect(proc: &Path, points: &mut Points) -> Result<(), Failure> {
    let own: Stat = parse(proc, "self/stat")?;
    let ticks = own.utime.saturating_add(own.stime);
    put(points, "bongsu.agent.cpu.time", ticks as f64 / procfs::ticks_per_second() as f64, &[]);
    put(points, "bongsu.agent.memory.usage", own.rss as f64 * procfs::page_size() as f64, &[]);
    Ok(())
}
