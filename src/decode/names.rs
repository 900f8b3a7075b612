//! The table of metrics that we know by name: OpenTelemetry's names and units as they are, and our own.
//!
//! The idea: one row for each metric says what its number means, for whoever writes it (the agent is held to this
//! table by a test) and whoever shows it. Other collectors' names will be mapped onto these rows; a metric that is not
//! here is taken as it comes.

/// Whether a number stands for itself or for growth since some start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Stands for itself.
    Gauge,
    /// Only grows, until it starts again: rules ask for its rate or increase.
    Counter,
}

/// One known metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its unit: `1` for a ratio 0..1, `s`, `By`, or what is counted in braces.
    pub unit: &'static str,
    /// What its number stands for.
    pub kind: MetricKind,
    /// The labels that tell its series of one host apart.
    pub labels: &'static [&'static str],
}

const fn gauge(name: &'static str, unit: &'static str, labels: &'static [&'static str]) -> Metric {
    Metric { name, unit, kind: MetricKind::Gauge, labels }
}

const fn counter(name: &'static str, unit: &'static str, labels: &'static [&'static str]) -> Metric {
    Metric { name, unit, kind: MetricKind::Counter, labels }
}

const CPU_MODE: &[&str] = &["cpu.mode"];
const PROCESS: &[&str] = &["process"];
const STALL: &[&str] = &["resource", "stall"];
const MOUNT: &[&str] = &["device", "mountpoint", "type"];
const MOUNT_STATE: &[&str] = &["device", "mountpoint", "system.filesystem.state", "type"];
const DEVICE: &[&str] = &["device"];
const DEVICE_DIRECTION: &[&str] = &["device", "direction"];

/// Every known metric, by name.
pub const METRICS: &[Metric] = &[
    gauge("bongsu.agent.collection.duration", "s", &[]),
    counter("bongsu.agent.cpu.time", "s", &[]),
    counter("bongsu.agent.dropped", "{record}", &[]),
    counter("bongsu.agent.failures", "{failure}", &[]),
    counter("bongsu.agent.logs.skipped", "By", &[]),
    gauge("bongsu.agent.memory.usage", "By", &[]),
    gauge("bongsu.agent.queue", "{record}", &[]),
    gauge("bongsu.agent.spool", "{record}", &[]),
    gauge("bongsu.agent.spool.usage", "By", &[]),
    gauge("container.cpu.limit", "{cpu}", &[]),
    counter("container.cpu.throttled.time", "s", &[]),
    counter("container.cpu.time", "s", CPU_MODE),
    gauge("container.cpu.utilization", "1", &[]),
    gauge("container.memory.limit", "By", &[]),
    counter("container.memory.oom_kills", "{kill}", &[]),
    gauge("container.memory.usage", "By", &[]),
    gauge("container.memory.utilization", "1", &[]),
    gauge("container.memory.working_set", "By", &[]),
    gauge("container.pids.count", "{process}", &[]),
    gauge("container.pids.limit", "{process}", &[]),
    gauge("process.count", "{process}", PROCESS),
    counter("process.cpu.time", "s", PROCESS),
    gauge("process.memory.usage", "By", PROCESS),
    counter("process.restarts", "{restart}", PROCESS),
    gauge("process.unix.file_descriptor.count", "{file_descriptor}", PROCESS),
    gauge("process.unix.file_descriptor.utilization", "1", PROCESS),
    gauge("system.clock.error_max", "s", &[]),
    gauge("system.clock.offset", "s", &[]),
    gauge("system.clock.synchronized", "1", &[]),
    gauge("system.cpu.load_average.15m", "{thread}", &[]),
    gauge("system.cpu.load_average.1m", "{thread}", &[]),
    gauge("system.cpu.load_average.1m.per_core", "{thread}", &[]),
    gauge("system.cpu.load_average.5m", "{thread}", &[]),
    counter("system.cpu.time", "s", CPU_MODE),
    gauge("system.cpu.utilization", "1", &[]),
    counter("system.disk.io", "By", DEVICE_DIRECTION),
    counter("system.disk.io_time", "s", DEVICE),
    counter("system.disk.operations", "{operation}", DEVICE_DIRECTION),
    gauge("system.filesystem.inodes.utilization", "1", MOUNT),
    gauge("system.filesystem.silent", "{mount}", &[]),
    gauge("system.filesystem.usage", "By", MOUNT_STATE),
    gauge("system.filesystem.utilization", "1", MOUNT),
    gauge("system.linux.file_descriptor.count", "{file_descriptor}", &[]),
    gauge("system.linux.file_descriptor.limit", "{file_descriptor}", &[]),
    gauge("system.linux.file_descriptor.utilization", "1", &[]),
    gauge("system.memory.usage", "By", &["system.memory.state"]),
    gauge("system.memory.utilization", "1", &[]),
    counter("system.network.dropped", "{packet}", DEVICE_DIRECTION),
    counter("system.network.errors", "{error}", DEVICE_DIRECTION),
    counter("system.network.io", "By", DEVICE_DIRECTION),
    counter("system.network.packets", "{packet}", DEVICE_DIRECTION),
    gauge("system.pressure.share", "1", STALL),
    counter("system.pressure.time", "s", STALL),
    gauge("system.process.count", "{process}", &["process.state"]),
    counter("system.process.created", "{process}", &[]),
    gauge("system.uptime", "s", &[]),
];

/// The row of a metric; `None` where we do not know it.
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.binary_search_by(|row| row.name.cmp(name)).ok().and_then(|at| METRICS.get(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name() {
        for row in METRICS {
            assert_eq!(metric(row.name), Some(row));
            assert!(row.labels.is_sorted(), "{}", row.name);
        }
        assert!(METRICS.is_sorted_by_key(|row| row.name));
        assert_eq!(metric("system.cpu"), None);
    }
}
