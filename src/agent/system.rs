//! CPU, memory, load, processes and network, from `/proc`.
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

/// `system.process.count`.
pub(super) fn processes(proc: &Path, points: &mut Points) -> Result<(), Failure> {
    let failure = |why: std::io::Error| Failure::File { path: proc.display().to_string(), why: why.to_string() };
    let mut n: u32 = 0;
    for entry in std::fs::read_dir(proc).map_err(failure)? {
        let name = entry.map_err(failure)?.file_name();
        n += u32::from(name.as_encoded_bytes().iter().all(u8::is_ascii_digit));
    }
    put(points, "system.process.count", f64::from(n), &[]);
    Ok(())
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
}
