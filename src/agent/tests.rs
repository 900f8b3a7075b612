//! The collector over this machine's own `/proc`, and over a made one with holes in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;
use crate::decode::{Draft, MetricKind, Point, metric};

fn collect(collector: &mut Collector) -> Draft {
    let mut draft = Draft::default();
    collector.collect(7, &mut draft);
    draft
}

/// Values by `name{label=value,…}`.
fn table(draft: &Draft) -> BTreeMap<String, f64> {
    let key = |name: &str, labels: &[(&'static str, String)]| {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{name}{{{}}}", labels.join(","))
    };
    draft.points.iter().map(|point| (key(&point.name, &point.labels), point.value)).collect()
}

#[test]
fn this_host_shows_plausible_numbers_with_known_names() {
    let mut collector = Collector::new(Roots::default(), vec![Watch { name: "own".to_owned(), pattern: None }]);
    let first = collect(&mut collector);
    let second = collect(&mut collector);
    assert_eq!(collector.failures(), 0);
    assert_eq!(second.ts, 7);
    for Point { name, value, labels } in &second.points {
        let known = metric(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        let names: BTreeSet<_> = labels.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, known.labels.iter().copied().collect(), "{name}");
        assert!(value.is_finite() && *value >= 0.0, "{name} {value}");
        assert!(known.unit != "1" || *value <= 1.0, "{name} {value}");
    }
    let (before, after) = (table(&first), table(&second));
    assert_eq!(before.len(), first.points.len(), "no series twice");
    for (series, value) in &before {
        let name = series.split('{').next().unwrap_or_default();
        // The kernel lets iowait fall a little.
        if metric(name).unwrap().kind == MetricKind::Counter && !series.contains("iowait") {
            assert!(after[series] >= *value, "{series} fell");
        }
    }
    let memory: f64 = ["used", "free", "buffers", "cached"]
        .map(|state| after[&format!("system.memory.usage{{system.memory.state={state}}}")])
        .iter()
        .sum();
    assert!(memory > (64 << 20) as f64);
    let processes = |(series, _): &(&String, &f64)| series.starts_with("system.process.count{");
    assert!(after["system.uptime{}"] > 0.0);
    assert!(after.iter().filter(processes).map(|(_, n)| n).sum::<f64>() >= 1.0);
    assert!(after.keys().any(|series| series.starts_with("system.filesystem.utilization{")), "{after:?}");
}

fn fake(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        write(root.path(), name, text);
    }
    root
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

const STAT: &str = "cpu  100 0 100 1000 50 0 0 0 0 0\ncpu0 50 0 50 500 25 0 0 0 0 0\ncpu1 50 0 50 500 25 0 0 0 0 0\n\
                    ctxt 1\nbtime 2\nprocesses 3\n";
const MEMINFO: &str = "MemTotal: 1000 kB\nMemFree: 200 kB\nMemAvailable: 600 kB\nBuffers: 100 kB\nCached: 250 kB\n\
                       SwapCached: 7 kB\nSReclaimable: 50 kB\n";
const NET: &str = "Inter-| Receive | Transmit\n face |bytes packets ...\n\
                   lo: 9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0\n\
                   eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n\
                   veth1: 9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0\n";
const DISKS: &str = "8 0 sda 1 0 2 0 3 0 4 0 0 1500 0\n8 1 sda1 1 0 2 0 3 0 4 0 0 1500 0\n";

const OWN: &str = "7 (bongsu) S 1 7 7 0 -1 4194304 0 0 0 0 250 50 0 0 20 0 3 0 900 1000000 5 1 1 1 0 0 0 0 0 0 0 0 \
                   0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

fn whole() -> tempfile::TempDir {
    let zombie = OWN.replace(" S ", " Z ");
    fake(&[
        ("stat", STAT),
        ("meminfo", MEMINFO),
        ("net/dev", NET),
        ("diskstats", DISKS),
        ("loadavg", "0.52 1.50 2.25 1/100 4242\n"),
        ("uptime", "12.5 20.0\n"),
        ("self/mountinfo", "1 0 8:2 / / rw - ext4 /dev/sda2 rw\n"),
        ("self/stat", OWN),
        ("1/stat", OWN),
        ("42/stat", &zombie),
        ("sys/fs/file-nr", "1600\t0\t3200\n"),
        ("pressure/memory", "some avg10=25.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 total=0\n"),
        ("sys/kernel/hostname", "db-01\n"),
    ])
}

/// A made `/proc`, on no container.
fn roots(proc: &Path) -> Roots {
    Roots { proc: proc.to_owned(), cgroup: proc.join("cgroup"), root: proc.to_owned() }
}

#[test]
fn numbers_come_out_as_the_kernel_wrote_them() {
    let root = whole();
    let roots = roots(root.path());
    let mut collector = Collector::new(roots.clone(), Vec::new());
    let first = table(&collect(&mut collector));
    assert!(!first.contains_key("system.cpu.utilization{}"), "the first look has nothing to compare with");
    write(root.path(), "stat", &STAT.replace("100 0 100 1000 50", "175 0 100 1020 55"));
    let second = table(&collect(&mut collector));
    let expected = [
        ("system.cpu.utilization{}", 0.75),
        ("system.memory.utilization{}", 0.4),
        ("system.memory.usage{system.memory.state=used}", 400.0 * 1_024.0),
        ("system.memory.usage{system.memory.state=cached}", 300.0 * 1_024.0),
        ("system.cpu.load_average.1m{}", 0.52),
        ("system.cpu.load_average.15m{}", 2.25),
        ("system.cpu.load_average.1m.per_core{}", 0.26),
        ("system.uptime{}", 12.5),
        ("system.process.count{process.state=sleeping}", 1.0),
        ("system.process.count{process.state=defunct}", 1.0),
        ("system.process.created{}", 3.0),
        ("system.linux.file_descriptor.utilization{}", 0.5),
        ("system.pressure.share{resource=memory,stall=some}", 0.25),
        ("system.pressure.time{resource=memory,stall=some}", 1.5),
        ("bongsu.agent.cpu.time{}", 300.0 / procfs::ticks_per_second() as f64),
        ("bongsu.agent.memory.usage{}", 5.0 * procfs::page_size() as f64),
        ("system.network.io{device=eth0,direction=receive}", 1.0),
        ("system.network.errors{device=eth0,direction=transmit}", 7.0),
        ("system.network.dropped{device=eth0,direction=receive}", 4.0),
        ("system.disk.io{device=sda,direction=write}", 2_048.0),
        ("system.disk.operations{device=sda,direction=read}", 1.0),
        ("system.disk.io_time{device=sda}", 1.5),
    ];
    for (series, value) in expected {
        assert_eq!(second.get(series), Some(&value), "{series}");
    }
    assert!(!second.keys().any(|s| s.contains("=lo") || s.contains("veth") || s.contains("sda1")), "{second:?}");
    assert_eq!(collector.failures(), 0);
    assert_eq!(host_name(&roots).as_deref(), Some("db-01"));
}

#[test]
fn one_broken_part_costs_only_itself() {
    let files = [
        "stat",
        "meminfo",
        "net/dev",
        "diskstats",
        "loadavg",
        "self/mountinfo",
        "pressure/memory",
        "sys/fs/file-nr",
        "self/stat",
    ];
    let parts = [
        "system.cpu.time",
        "system.memory",
        "system.network",
        "system.disk",
        "system.cpu.load",
        "system.filesystem.u",
        "system.pressure",
        "system.linux.file_descriptor",
        "bongsu.agent",
    ];
    for (broken, lost) in files.iter().zip(parts) {
        let root = whole();
        for text in ["", "nonsense x y z\n\u{0}\nq", "cpu 99999999999999999999999999"] {
            write(root.path(), broken, text);
            let mut collector = Collector::new(roots(root.path()), Vec::new());
            let found = collect(&mut collector);
            for part in parts {
                let there = found.points.iter().any(|point| point.name.starts_with(part));
                // An empty list of disks, mounts or interfaces is a host without them.
                assert_eq!(there, part != lost, "{part} with `{text}` in {broken}");
            }
        }
    }
    let nothing = tempfile::tempdir().unwrap();
    let mut collector = Collector::new(roots(nothing.path()), Vec::new());
    let names: std::collections::BTreeSet<_> =
        collect(&mut collector).points.into_iter().map(|point| point.name).collect();
    assert!(names.iter().all(|name| name == "system.process.count" || name.starts_with("system.clock.")), "{names:?}");
    assert_eq!(collector.failures(), 8);
    assert_eq!(host_name(&roots(nothing.path())), None);
}
