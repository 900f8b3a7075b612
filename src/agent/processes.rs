//! Processes: how many there are in each state, and those that somebody asked to watch.
//!
//! The idea: a watch is a name or a pattern, and its numbers are sums over the processes that match now. What would
//! fall when a process ends (CPU time) is gathered here as growth, so that it stays a counter. A restart is a new
//! process where one has gone; only processes whose parent does not match too are looked at for it, so the workers of a
//! pool come and go without one. Command lines are matched and never sent: they hold passwords.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use procfs::FromRead as _;
use procfs::process::Stat;

use crate::agent::collector::{Failure, Points, put};

/// Processes looked at: the kernel's usual limit of process ids on a host without containers.
const PROCESSES_MAX: usize = 32_768;
/// Open files of one process that are counted; counting more would cost more than the number tells.
const FILES_MAX: usize = 65_536;
/// Longest part of a command line that is matched.
const COMMAND_BYTES_MAX: u64 = 4_096;

/// States as OpenTelemetry spells them, and `blocked` for a wait that cannot be interrupted: a disk that is away.
const STATES: [&str; 5] = ["blocked", "defunct", "running", "sleeping", "stopped"];

/// Which processes to watch.
#[derive(Debug, Clone)]
pub struct Watch {
    /// What they are called in the numbers.
    pub name: String,
    /// What their command line holds; `None`: their program is called `name`.
    pub pattern: Option<regex::Regex>,
}

/// Remembers the watched processes of the last collection.
#[derive(Debug, Default)]
pub(super) struct Processes {
    watched: Vec<Watched>,
    looked: bool,
}

#[derive(Debug)]
struct Watched {
    watch: Watch,
    /// CPU ticks used by each process that matched at the last look.
    used: BTreeMap<Identity, u64>,
    /// Those of them whose parent did not match.
    heads: BTreeSet<Identity>,
    /// Heads that have gone and were not followed by another yet.
    gone: usize,
    ticks: u64,
    restarts: u64,
    unreadable: bool,
}

/// A process id alone is given out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    pid: i32,
    started: u64,
}

impl Processes {
    pub(super) fn new(watches: Vec<Watch>) -> Self {
        let watched = watches.into_iter().map(|watch| Watched {
            watch,
            used: BTreeMap::new(),
            heads: BTreeSet::new(),
            gone: 0,
            ticks: 0,
            restarts: 0,
            unreadable: false,
        });
        Self { watched: watched.collect(), looked: false }
    }

    /// `system.process.count` by state, and `process.*` of each watch.
    pub(super) fn collect(&mut self, proc: &Path, points: &mut Points) -> Result<(), Failure> {
        let failure = |why: std::io::Error| Failure::File { path: proc.display().to_string(), why: why.to_string() };
        let mut counts = [0_u32; STATES.len()];
        let mut matched: Vec<Vec<Stat>> = self.watched.iter().map(|_| Vec::new()).collect();
        let mut n = 0;
        for entry in std::fs::read_dir(proc).map_err(failure)? {
            let name = entry.map_err(failure)?.file_name();
            if !name.as_encoded_bytes().iter().all(u8::is_ascii_digit) {
                continue;
            }
            n += 1;
            // One that ended between the two looks is no process any more.
            let folder = proc.join(&name);
            let Some(stat) = (n <= PROCESSES_MAX).then(|| stat(&folder)).flatten() else { continue };
            let state = state(stat.state);
            if let Some(count) = counts.get_mut(state) {
                *count += 1;
            }
            if STATES.get(state) != Some(&"defunct") {
                self.offer(&folder, &stat, &mut matched);
            }
        }
        for (state, count) in STATES.iter().zip(counts) {
            put(points, "system.process.count", f64::from(count), &[("process.state", state)]);
        }
        for (watched, found) in self.watched.iter_mut().zip(matched) {
            watched.follow(&found, self.looked);
            watched.report(proc, &found, points);
        }
        self.looked = true;
        match n {
            n if n > PROCESSES_MAX => Err(Failure::TooMany { what: "processes", n, n_max: PROCESSES_MAX }),
            _ => Ok(()),
        }
    }

    /// Adds a process to every watch that it belongs to.
    fn offer(&self, folder: &Path, stat: &Stat, matched: &mut [Vec<Stat>]) {
        // Read once, and not at all where a name is enough.
        let mut command: Option<String> = None;
        for (watched, found) in self.watched.iter().zip(matched) {
            let hit = watched.watch.is_called(&stat.comm) || {
                let command = command.get_or_insert_with(|| command_line(folder));
                watched.watch.is_run_as(command)
            };
            if hit {
                found.push(stat.clone());
            }
        }
    }
}

impl Watch {
    fn is_called(&self, comm: &str) -> bool {
        self.pattern.is_none() && comm == self.name
    }

    /// `command` holds the arguments with a blank between them.
    fn is_run_as(&self, command: &str) -> bool {
        match &self.pattern {
            Some(pattern) => pattern.is_match(command),
            // The kernel cuts its own name for a program at 15 bytes; the first argument is whole.
            None => command.split(' ').next().and_then(|path| path.rsplit('/').next()) == Some(self.name.as_str()),
        }
    }
}

impl Watched {
    /// Takes note of who came and who went since the last look.
    fn follow(&mut self, found: &[Stat], looked: bool) {
        let pids: BTreeSet<i32> = found.iter().map(|stat| stat.pid).collect();
        let used = found.iter().map(|stat| (Identity::of(stat), stat.utime.saturating_add(stat.stime)));
        let used: BTreeMap<Identity, u64> = used.collect();
        let heads: BTreeSet<Identity> =
            found.iter().filter(|stat| !pids.contains(&stat.ppid)).map(Identity::of).collect();
        if looked {
            // A worker may become a head when its parent ends; it has not come.
            self.gone += self.heads.iter().filter(|head| !used.contains_key(head)).count();
            let came = heads.iter().filter(|head| !self.used.contains_key(head)).count();
            let followed = came.min(self.gone);
            self.gone -= followed;
            self.restarts += followed as u64;
        }
        for (identity, ticks) in &used {
            let before = self.used.get(identity).copied().unwrap_or(0);
            self.ticks = self.ticks.saturating_add(ticks.saturating_sub(before));
        }
        self.used = used;
        self.heads = heads;
    }

    fn report(&mut self, proc: &Path, found: &[Stat], points: &mut Points) {
        let labels = [("process", self.watch.name.as_str())];
        let pages: u64 = found.iter().fold(0, |sum, stat| sum.saturating_add(stat.rss));
        let seconds = self.ticks as f64 / procfs::ticks_per_second() as f64;
        put(points, "process.count", found.len() as f64, &labels);
        put(points, "process.restarts", self.restarts as f64, &labels);
        put(points, "process.cpu.time", seconds, &labels);
        put(points, "process.memory.usage", pages as f64 * procfs::page_size() as f64, &labels);
        let mut files = 0;
        let mut worst: Option<f64> = None;
        let mut unreadable = false;
        for stat in found {
            let folder = proc.join(stat.pid.to_string());
            let Some(open) = open_files(&folder) else {
                // Gone in the meantime, or another user's: without the right to look the sum would be a lie.
                unreadable |= folder.exists();
                continue;
            };
            files += open;
            let limits = std::fs::read_to_string(folder.join("limits")).unwrap_or_default();
            if let Some(most) = files_limit(&limits) {
                worst = Some(worst.unwrap_or(0.0).max((open as f64 / most as f64).min(1.0)));
            }
        }
        if unreadable && !self.unreadable {
            tracing::warn!(process = self.watch.name, "open files of other users' processes cannot be counted");
        }
        self.unreadable = unreadable;
        if !unreadable {
            put(points, "process.unix.file_descriptor.count", files as f64, &labels);
            if let Some(worst) = worst {
                put(points, "process.unix.file_descriptor.utilization", worst, &labels);
            }
        }
    }
}

impl Identity {
    fn of(stat: &Stat) -> Self {
        Self { pid: stat.pid, started: stat.starttime }
    }
}

fn stat(folder: &Path) -> Option<Stat> {
    let bytes = std::fs::read(folder.join("stat")).ok()?;
    Stat::from_read(bytes.as_slice()).ok()
}

/// The place of a state in `STATES`.
fn state(letter: char) -> usize {
    match letter {
        'D' => 0,
        'Z' | 'X' | 'x' => 1,
        'R' => 2,
        'T' | 't' => 4,
        _ => 3,
    }
}

/// The arguments with blanks between them; empty for the kernel's own threads.
fn command_line(folder: &Path) -> String {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open(folder.join("cmdline")) {
        // What was read before an error is still a beginning.
        let _ = file.take(COMMAND_BYTES_MAX).read_to_end(&mut bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    text.trim_end_matches('\0').replace('\0', " ")
}

fn open_files(folder: &Path) -> Option<usize> {
    Some(std::fs::read_dir(folder.join("fd")).ok()?.take(FILES_MAX).count())
}

/// The soft limit of `Max open files            1024                 524288               files`.
fn files_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok().filter(|most| *most > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One process of a made `/proc`.
    struct Made<'a> {
        pid: i32,
        parent: i32,
        comm: &'a str,
        state: char,
        started: u64,
        ticks: u64,
        command: &'a str,
    }

    const MADE: Made<'_> =
        Made { pid: 10, parent: 1, comm: "nginx", state: 'S', started: 500, ticks: 100, command: "nginx" };

    fn world(made: &[Made<'_>]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fill(root.path(), made);
        root
    }

    fn fill(root: &Path, made: &[Made<'_>]) {
        for old in std::fs::read_dir(root).unwrap() {
            std::fs::remove_dir_all(old.unwrap().path()).unwrap();
        }
        for Made { pid, parent, comm, state, started, ticks, command } in made {
            let folder = root.join(pid.to_string());
            std::fs::create_dir_all(folder.join("fd/3")).unwrap();
            let rest = "0 0 20 0 1 0";
            let tail = "1000000 7 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0";
            let line =
                format!("{pid} ({comm}) {state} {parent} 1 1 0 -1 4194304 0 0 0 0 {ticks} 0 {rest} {started} {tail}\n");
            std::fs::write(folder.join("stat"), line).unwrap();
            std::fs::write(folder.join("cmdline"), command.replace(' ', "\0") + "\0").unwrap();
            std::fs::write(folder.join("limits"), "Limit Soft Hard Units\nMax open files 4 8 files\n").unwrap();
        }
    }

    fn look(processes: &mut Processes, root: &Path) -> BTreeMap<String, f64> {
        let mut points = Points::new();
        processes.collect(root, &mut points).unwrap();
        let label = |labels: &[(&str, String)]| labels.iter().map(|(_, value)| format!(" {value}")).collect::<String>();
        points.iter().map(|point| (point.name.clone() + &label(&point.labels), point.value)).collect()
    }

    fn watch(name: &str, pattern: Option<&str>) -> Watch {
        Watch { name: name.to_owned(), pattern: pattern.map(|pattern| regex::Regex::new(pattern).unwrap()) }
    }

    #[test]
    fn every_process_is_in_one_state() {
        let states = ['R', 'S', 'D', 'T', 'Z', 'I', 'S'];
        let made: Vec<_> =
            states.into_iter().zip(1..).map(|(state, pid)| Made { pid, state, comm: "a) (b c", ..MADE }).collect();
        let root = world(&made);
        std::fs::create_dir(root.path().join("99")).unwrap();
        std::fs::create_dir(root.path().join("sys")).unwrap();
        let found = look(&mut Processes::default(), root.path());
        let count = |state: &str| found[&format!("system.process.count {state}")];
        assert_eq!(STATES.map(count), [1.0, 1.0, 1.0, 3.0, 1.0]);
    }

    #[test]
    fn a_watch_finds_its_processes_by_name_or_by_pattern() {
        let root = world(&[
            MADE,
            Made { pid: 11, comm: "java", command: "/opt/jdk/bin/java -Dapp=dispatch org.example.Main", ..MADE },
            Made { pid: 12, comm: "java", command: "java -Dapp=other org.example.Main", ..MADE },
            Made { pid: 13, comm: "systemd-timesyn", command: "/usr/lib/systemd/systemd-timesyncd", ..MADE },
            Made { pid: 14, comm: "nginx", state: 'Z', command: "", ..MADE },
        ]);
        let mut processes = Processes::new(vec![
            watch("nginx", None),
            watch("dispatch", Some("java .*-Dapp=dispatch")),
            watch("systemd-timesyncd", None),
            watch("postgres", None),
        ]);
        let found = look(&mut processes, root.path());
        let count = |name: &str| found[&format!("process.count {name}")];
        assert_eq!(["nginx", "dispatch", "systemd-timesyncd", "postgres"].map(count), [1.0, 1.0, 1.0, 0.0]);
        assert_eq!(found["process.unix.file_descriptor.count nginx"], 1.0);
        assert_eq!(found["process.unix.file_descriptor.utilization nginx"], 0.25);
        assert_eq!(found["process.memory.usage nginx"], 7.0 * procfs::page_size() as f64);
    }

    #[test]
    fn a_restart_is_counted_and_growth_and_workers_are_not() {
        let root = world(&[MADE]);
        let mut processes = Processes::new(vec![watch("nginx", None)]);
        let mut restarts = |made: &[Made<'_>]| {
            fill(root.path(), made);
            look(&mut processes, root.path())["process.restarts nginx"]
        };
        let worker = Made { pid: 20, parent: 10, started: 600, ..MADE };
        let again = Made { pid: 30, started: 900, ..MADE };
        assert_eq!(restarts(&[MADE]), 0.0, "who is there at the first look did not restart");
        assert_eq!(restarts(&[MADE, worker]), 0.0);
        assert_eq!(restarts(&[MADE, Made { pid: 21, parent: 10, started: 700, ..MADE }]), 0.0, "a worker's turn");
        assert_eq!(restarts(&[again]), 1.0);
        assert_eq!(restarts(&[]), 1.0);
        assert_eq!(restarts(&[Made { pid: 31, started: 1_900, ..MADE }]), 2.0, "also after an absence");
        assert_eq!(restarts(&[Made { pid: 31, started: 2_900, ..MADE }]), 3.0, "also under the same id");
    }

    #[test]
    fn cpu_time_of_processes_that_end_stays_counted() {
        let root = world(&[MADE]);
        let mut processes = Processes::new(vec![watch("nginx", None)]);
        let ticks = procfs::ticks_per_second() as f64;
        let mut time = |made: &[Made<'_>]| {
            fill(root.path(), made);
            look(&mut processes, root.path())["process.cpu.time nginx"] * ticks
        };
        assert_eq!(time(&[MADE]), 100.0);
        assert_eq!(time(&[Made { ticks: 130, ..MADE }]), 130.0);
        assert_eq!(time(&[Made { pid: 11, started: 900, ticks: 5, ..MADE }]), 135.0);
        assert_eq!(time(&[]), 135.0);
    }

    #[test]
    fn odd_limits_are_none() {
        for text in ["", "Max open files unlimited unlimited files", "Max open files", "Max open files 0 0 files"] {
            assert_eq!(files_limit(text), None, "`{text}`");
        }
    }
}
