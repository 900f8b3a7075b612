//! CPU, memory, load, open files and network, from `/proc`.
//!
//! The idea: counters go out as the kernel counts them, gauges as shares and bytes; the one number computed here over
//! time is the CPU's busy share, because every rule wants it and each collector computes it differently.
//! Inside a container these are the host's numbers, as `/proc` shows them.

use std::collections::BTreeMap;
use std::path::Path;

use procfs::{CpuTime, FromReadSI, KernelStats, LoadAverage, Uptime};

use crate::agent::collector::{Failure, Points, parse, put};

/// Interfaces reported at most: a node with many containers must not flood its own record.
const INTERFACES_MAX: usize = 64;

/// One end of a container's own link, made and removed with it: its traffic is seen again on the bridge or the wire.
const CONTAINER_LINKS: [&str; 3] = ["veth", "cali", "lxc"];

/// Remembers the CPU's counters from one collection to the next.
#[derive(Debug, Default)]
pub(super) struct CpuMeter {
    last: Option<[u64; 7]>,
    cores: usize,
}

/// The modes in the order of `modes`, as OpenTelemetry spells them.
const MODES: [&str; 7] = ["user", "nice", "system", "idle", "iowait", "interrupt", "steal"];

/// Ticks in each mode. Guest time is left out: the kernel counts it within user and nice already.
fn modes(cpu: &CpuTime) -> [u64; 7] {
    let interrupt = cpu.irq.unwrap_or(0).saturating_add(cpu.softirq.unwrap_or(0));
    [cpu.user, cpu.nice, cpu.system, cpu.idle, cpu.iowait.unwrap_or(0), interrupt, cpu.steal.unwrap_or(0)]
}

impl CpuMeter {
    /// Cores seen by the last collection.
    pub(super) fn cores(&self) -> usize {
        self.cores
    }

    /// `system.cpu.utilization` since the last collection, and `system.cpu.time` for each mode.
    pub(super) fn collect(&mut self, proc: &Path, points: &mut Points) -> Result<(), Failure> {
        let path = proc.join("stat");
        let stats = KernelStats::from_file(&path, procfs::current_system_info())
            .map_err(|e| Failure::File { path: path.display().to_string(), why: e.to_string() })?;
        self.cores = stats.cpu_time.len();
        let now = modes(&stats.total);
        if let Some(share) = self.last.and_then(|last| busy_share(&last, &now)) {
            put(points, "system.cpu.utilization", share, &[]);
        }
        self.last = Some(now);
        put(points, "system.process.created", stats.processes as f64, &[]);
        let per_second = procfs::ticks_per_second() as f64;
        for (mode, ticks) in MODES.iter().zip(now) {
            put(points, "system.cpu.time", ticks as f64 / per_second, &[("cpu.mode", mode)]);
        }
        Ok(())
    }
}

/// 1 − idle − iowait between two readings. The kernel lets single counters fall a little (iowait does), so each is
/// held at no growth; without any growth there is no share.
fn busy_share(last: &[u64; 7], now: &[u64; 7]) -> Option<f64> {
    let grown: Vec<u64> = now.iter().zip(last).map(|(now, last)| now.saturating_sub(*last)).collect();
    let total: u64 = grown.iter().sum();
    let idle: u64 = grown.iter().skip(3).take(2).sum();
    if total == 0 { None } else { Some((total - idle) as f64 / total as f64) }
}

/// `system.memory.utilization` (what applications cannot have) and `system.memory.usage` by state.
pub(super) fn memory(proc: &Path, points: &mut Points) -> Result<(), Failure> {
    let path = proc.join("meminfo");
    let failure = |why: String| Failure::File { path: path.display().to_string(), why };
    let text = std::fs::read_to_string(&path).map_err(|e| failure(e.to_string()))?;
    // `procfs` asks for forty fields, some of which sandboxes and containers do not show; we need six.
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
    };
    let (Some(total), Some(free)) = (field("MemTotal"), field("MemFree")) else {
        return Err(failure("MemTotal or MemFree is missing".to_owned()));
    };
    let buffers = field("Buffers").unwrap_or(0);
    let cached = field("Cached").unwrap_or(0).saturating_add(field("SReclaimable").unwrap_or(0));
    let loose = free.saturating_add(buffers).saturating_add(cached);
    let available = field("MemAvailable").unwrap_or(loose).min(total);
    if total > 0 {
        put(points, "system.memory.utilization", (total - available) as f64 / total as f64, &[]);
    }
    let used = total.saturating_sub(loose);
    for (state, bytes) in [("used", used), ("free", free), ("buffers", buffers), ("cached", cached)] {
        put(points, "system.memory.usage", bytes as f64, &[("system.memory.state", state)]);
    }
    Ok(())
}

/// Load averages, the first of them per core too, and `system.uptime`.
pub(super) fn load(proc: &Path, cores: usize, points: &mut Points) -> Result<(), Failure> {
    let average: Result<LoadAverage, Failure> = parse(proc, "loadavg");
    if let Ok(average) = &average {
        // The kernel prints two decimals; as `f32` they would come out as 0.5199999809.
        let two = |value: f32| (f64::from(value) * 100.0).round() / 100.0;
        put(points, "system.cpu.load_average.1m", two(average.one), &[]);
        put(points, "system.cpu.load_average.5m", two(average.five), &[]);
        put(points, "system.cpu.load_average.15m", two(average.fifteen), &[]);
        if cores > 0 {
            put(points, "system.cpu.load_average.1m.per_core", two(average.one) / cores as f64, &[]);
        }
    }
    let uptime: Uptime = parse(proc, "uptime")?;
    put(points, "system.uptime", uptime.uptime, &[]);
    average.map(|_| ())
}

/// Open files of the whole system, and their share of what the kernel allows.
pub(super) fn descriptors(proc: &Path, points: &mut Points) -> Result<(), Failure> {
    let path = proc.join("sys/fs/file-nr");
    let failure = |why: String| Failure::File { path: path.display().to_string(), why };
    let text = std::fs::read_to_string(&path).map_err(|e| failure(e.to_string()))?;
    let (open, most) = file_numbers(&text).ok_or_else(|| failure(format!("`{}` is not three numbers", text.trim())))?;
    put(points, "system.linux.file_descriptor.count", open as f64, &[]);
    put(points, "system.linux.file_descriptor.limit", most as f64, &[]);
    if most > 0 {
        put(points, "system.linux.file_descriptor.utilization", (open as f64 / most as f64).min(1.0), &[]);
    }
    Ok(())
}

/// `1602 0 2466177`: handed out, handed out but free (kernels since 2.6 say 0), the most there may be.
fn file_numbers(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse::<u64>);
    let (out, free, most) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some((out.saturating_sub(free), most))
}

/// `system.network.*` of each interface but the loopback and the containers' own links.
pub(super) fn network(proc: &Path, points: &mut Points) -> Result<(), Failure> {
    let all: procfs::net::InterfaceDeviceStatus = parse(proc, "net/dev")?;
    let real = |name: &str| name != "lo" && !CONTAINER_LINKS.iter().any(|prefix| name.starts_with(prefix));
    let devices: BTreeMap<_, _> = all.0.iter().filter(|(name, _)| real(name)).collect();
    for (device, d) in devices.iter().take(INTERFACES_MAX) {
        let rows = [
            ("system.network.io", d.recv_bytes, d.sent_bytes),
            ("system.network.packets", d.recv_packets, d.sent_packets),
            ("system.network.errors", d.recv_errs, d.sent_errs),
            ("system.network.dropped", d.recv_drop, d.sent_drop),
        ];
        for (name, receive, transmit) in rows {
            put(points, name, receive as f64, &[("device", device), ("direction", "receive")]);
            put(points, name, transmit as f64, &[("device", device), ("direction", "transmit")]);
        }
    }
    match devices.len() {
        n if n > INTERFACES_MAX => Err(Failure::TooMany { what: "interfaces", n, n_max: INTERFACES_MAX }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busy_share_leaves_waiting_out() {
        //              user nice system idle iowait irq steal
        let last = [100, 0, 100, 1_000, 50, 0, 0];
        assert_eq!(busy_share(&last, &[120, 5, 110, 1_040, 60, 5, 10]), Some(0.5));
        assert_eq!(busy_share(&last, &last), None, "no time passed");
        assert_eq!(busy_share(&last, &[110, 0, 100, 1_010, 40, 0, 0]), Some(0.5), "iowait may fall");
        assert_eq!(busy_share(&last, &[100, 0, 100, 1_100, 50, 0, 0]), Some(0.0));
    }

    #[test]
    fn a_core_that_goes_offline_is_no_fall_of_the_whole() {
        let root = tempfile::tempdir().unwrap();
        let mut meter = CpuMeter::default();
        let mut look = |text: &str| {
            std::fs::write(root.path().join("stat"), text).unwrap();
            let mut points = Points::new();
            meter.collect(root.path(), &mut points).unwrap();
            let share = points.iter().find(|point| point.name == "system.cpu.utilization").map(|point| point.value);
            (meter.cores(), share)
        };
        let both = "cpu 100 0 100 1000 0 0 0 0 0 0\ncpu0 50 0 50 500 0 0 0 0 0 0\ncpu1 50 0 50 500 0 0 0 0 0 0\n";
        assert_eq!(look(&format!("{both}ctxt 1\nbtime 2\nprocesses 3\n")), (2, None));
        let one = "cpu 150 0 100 1050 0 0 0 0 0 0\ncpu0 100 0 50 550 0 0 0 0 0 0\nctxt 1\nbtime 2\nprocesses 3\n";
        assert_eq!(look(one), (1, Some(0.5)));
        // Old kernels know fewer columns.
        assert_eq!(look("cpu 160 0 100 1090\ncpu0 1 0 1 1\nctxt 1\nbtime 2\nprocesses 3\n"), (1, Some(0.2)));
    }

    #[test]
    fn open_files_are_what_is_handed_out_and_in_use() {
        assert_eq!(file_numbers("1602\t0\t2466177\n"), Some((1_602, 2_466_177)));
        assert_eq!(file_numbers("1602 600 9223372036854775807"), Some((1_002, i64::MAX as u64)));
        for text in ["", "1", "1 2", "a b c", "-1 0 5"] {
            assert_eq!(file_numbers(text), None, "`{text}`");
        }
    }
}
