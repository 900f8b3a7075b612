//! One collection: every part of the machine asked once, into one draft.
//!
//! The idea: a part that cannot be read costs its own numbers and one count, never those of the others. The order of
//! the points is always the same, so that the decoder on the other side recognises the record's shape.
//! What is read where is in `system.rs` (CPU, memory, load, open files, network), `processes.rs`, `mounts.rs`,
//! `disks.rs`, `pressure.rs`, `container.rs`, `clock.rs` and `cost.rs`.

use std::path::{Path, PathBuf};

use crate::agent::container::Container;
use crate::agent::mounts::Mounts;
use crate::agent::processes::{Processes, Watch};
use crate::agent::{clock, cost, disks, pressure, system};
use crate::decode::{Draft, Point};
use crate::time::Ms;

/// Where the kernel's files are; another root than `/proc` is for tests and for a host seen from a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// `/proc`.
    pub proc: PathBuf,
    /// Where cgroup v2 is mounted: `/sys/fs/cgroup`.
    pub cgroup: PathBuf,
    /// `/`, for the marks that container runtimes leave.
    pub root: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { proc: PathBuf::from("/proc"), cgroup: PathBuf::from("/sys/fs/cgroup"), root: PathBuf::from("/") }
    }
}

/// A part's failure, as counted and logged.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// A file of the kernel could not be read or understood.
    #[error("read `{path}`: {why}")]
    File {
        /// Which.
        path: String,
        /// What was wrong.
        why: String,
    },
    /// More of something than a record should carry; the rest is left out.
    #[error("{n} {what}, only {n_max} are reported")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        n: usize,
        /// How many are reported.
        n_max: usize,
    },
    /// Something that must not be waited for any longer.
    #[error("`{path}` does not answer")]
    Silent {
        /// Which.
        path: String,
    },
}

/// Numbers being gathered.
pub(super) type Points = Vec<Point>;

/// Adds a number.
pub(super) fn put(points: &mut Points, name: &str, value: f64, labels: &[(&'static str, &str)]) {
    let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    points.push(Point { name: name.to_owned(), value, labels });
}

/// Reads a file of the kernel with one of `procfs`'s parsers.
pub(super) fn parse<T: procfs::FromRead>(proc: &Path, name: &str) -> Result<T, Failure> {
    let path = proc.join(name);
    T::from_file(&path).map_err(|e| Failure::File { path: path.display().to_string(), why: e.to_string() })
}

/// Reads the machine; keeps what the next collection needs of the last one.
#[derive(Debug)]
pub struct Collector {
    roots: Roots,
    cpu: system::CpuMeter,
    processes: Processes,
    mounts: Mounts,
    container: Container,
    failures: u64,
    failing: [bool; PARTS.len()],
}

/// The parts, for the log line that says which one fails.
const PARTS: [&str; 12] = [
    "cpu",
    "memory",
    "load",
    "processes",
    "filesystem",
    "disk",
    "network",
    "descriptors",
    "pressure",
    "container",
    "clock",
    "cost",
];

impl Collector {
    /// A collector that has not looked yet: the CPU's busy share comes from the second collection on.
    pub fn new(roots: Roots, watches: Vec<Watch>) -> Self {
        Self {
            roots,
            cpu: system::CpuMeter::default(),
            processes: Processes::new(watches),
            mounts: Mounts::default(),
            container: Container::default(),
            failures: 0,
            failing: [false; PARTS.len()],
        }
    }

    /// Asks every part, and appends what they say to `draft`, whose `ts` becomes `now`.
    pub fn collect(&mut self, now: Ms, draft: &mut Draft) {
        draft.ts = now;
        let points = &mut draft.points;
        let proc = self.roots.proc.clone();
        let results = [
            self.cpu.collect(&proc, points),
            system::memory(&proc, points),
            system::load(&proc, self.cpu.cores(), points),
            self.processes.collect(&proc, points),
            self.mounts.collect(&proc, points),
            disks::collect(&proc, points),
            system::network(&proc, points),
            system::descriptors(&proc, points),
            pressure::collect(&proc, points),
            self.container.collect(&self.roots, self.cpu.cores(), points),
            clock::collect(points),
            cost::collect(&proc, points),
        ];
        for ((result, part), failing) in results.into_iter().zip(PARTS).zip(&mut self.failing) {
            self.failures += u64::from(result.is_err());
            // Said once when it begins; the count goes on.
            match &result {
                Err(failure) if !*failing => tracing::warn!(part, %failure, "part of the host cannot be read"),
                Ok(()) if *failing => tracing::info!(part, "part of the host can be read again"),
                _ => {}
            }
            *failing = result.is_err();
        }
    }

    /// How often a part could not be read, or not in full.
    pub fn failures(&self) -> u64 {
        self.failures
    }
}

/// The kernel's name of this host; `None` where it has none.
pub fn host_name(roots: &Roots) -> Option<String> {
    let name = std::fs::read_to_string(roots.proc.join("sys/kernel/hostname")).ok()?;
    let name = name.trim();
    if name.is_empty() || name == "(none)" { None } else { Some(name.to_owned()) }
}
