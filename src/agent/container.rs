//! The limits of the container that the agent runs in, and how much of them is used: cgroup v2.
//!
//! The idea: `/proc` shows the host even inside a container, so what the container may use is read from its cgroup.
//! Only a cgroup that has a parent has the file `cgroup.type`: where the mounted root shows it, this is a container with
//! a cgroup namespace of its own. Where the runtime left its mark and the host's whole tree is mounted, the own path of
//! `/proc/self/cgroup` leads there. Anywhere else (a host, cgroup v1) there are no such numbers and that is no failure.

use std::path::{Path, PathBuf};

use crate::agent::collector::{Failure, Points, Roots, put};

/// Files that container runtimes leave, from the root.
const MARKS: [&str; 2] = [".dockerenv", "run/.containerenv"];

/// Remembers the CPU time of the last collection.
#[derive(Debug, Default)]
pub(super) struct Container {
    /// Seconds of CPU time, at seconds of uptime.
    last: Option<(f64, f64)>,
}

impl Container {
    /// `container.*`; nothing outside a container.
    pub(super) fn collect(&mut self, roots: &Roots, cores: usize, points: &mut Points) -> Result<(), Failure> {
        let Some(group) = group(roots) else { return Ok(()) };
        let read = |name: &str| std::fs::read_to_string(group.join(name));
        memory(read("memory.current").ok(), read("memory.max").ok(), read("memory.stat").ok(), points);
        if let Some(kills) = read("memory.events").ok().and_then(|text| field(&text, "oom_kill")) {
            put(points, "container.memory.oom_kills", kills as f64, &[]);
        }
        for (name, file) in [("container.pids.count", "pids.current"), ("container.pids.limit", "pids.max")] {
            if let Some(n) = read(file).ok().and_then(|text| number(&text)) {
                put(points, name, n as f64, &[]);
            }
        }
        let limit = read("cpu.max").ok().and_then(|text| cpu_limit(&text));
        if let Some(limit) = limit {
            put(points, "container.cpu.limit", limit, &[]);
        }
        // Every cgroup with a parent has it, whatever controllers are on.
        let path = group.join("cpu.stat");
        let failure = |why: String| Failure::File { path: path.display().to_string(), why };
        let stat = std::fs::read_to_string(&path).map_err(|e| failure(e.to_string()))?;
        let used = cpu_time(&stat, points).ok_or_else(|| failure("usage_usec is missing".to_owned()))?;
        let uptime = std::fs::read_to_string(roots.proc.join("uptime")).ok();
        if let Some(now) = uptime.and_then(|text| text.split_ascii_whitespace().next()?.parse::<f64>().ok()) {
            let most = limit.unwrap_or(cores as f64);
            if let Some(share) = self.last.and_then(|last| share(last, (used, now), most)) {
                put(points, "container.cpu.utilization", share, &[]);
            }
            self.last = Some((used, now));
        }
        Ok(())
    }
}

/// Where the own cgroup's files are; `None` outside a container.
fn group(roots: &Roots) -> Option<PathBuf> {
    if roots.cgroup.join("cgroup.type").exists() {
        return Some(roots.cgroup.clone());
    }
    if !MARKS.iter().any(|mark| roots.root.join(mark).exists()) {
        return None;
    }
    let text = std::fs::read_to_string(roots.proc.join("self/cgroup")).ok()?;
    let inside = own_path(&text)?;
    let group = roots.cgroup.join(inside.strip_prefix('/')?);
    group.join("cgroup.type").exists().then_some(group)
}

/// The path of the v2 line: `0::/docker/4f2a…`. One that leads out of the tree is none.
fn own_path(text: &str) -> Option<&str> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    let inside = !Path::new(path).components().any(|part| part == std::path::Component::ParentDir);
    (inside && path.starts_with('/')).then_some(path)
}

/// A file of one number; `max` is no limit.
fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// The number behind `name` in a file of `name number` lines.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    number(line)
}

/// Cores that may be used: `max 100000` is no limit, `150000 100000` is one and a half.
fn cpu_limit(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period) = (quota.parse::<u64>().ok()?, period.parse::<u64>().ok()?);
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// CPU time by mode and throttling from `cpu.stat`; gives the time used in all, s.
fn cpu_time(stat: &str, points: &mut Points) -> Option<f64> {
    let seconds = |name: &str| field(stat, name).map(|micros| micros as f64 / 1e6);
    for (mode, name) in [("user", "user_usec"), ("system", "system_usec")] {
        if let Some(time) = seconds(name) {
            put(points, "container.cpu.time", time, &[("cpu.mode", mode)]);
        }
    }
    if let Some(time) = seconds("throttled_usec") {
        put(points, "container.cpu.throttled.time", time, &[]);
    }
    seconds("usage_usec")
}

/// The share of `most` cores that was used between two looks; bursts above the quota are the whole of it.
fn share(last: (f64, f64), now: (f64, f64), most: f64) -> Option<f64> {
    let could = (now.1 - last.1) * most;
    let used = now.0 - last.0;
    (could > 0.0 && used >= 0.0).then(|| (used / could).min(1.0))
}

/// Memory used, and its share of the limit. The working set leaves out what the kernel can drop at once.
fn memory(current: Option<String>, max: Option<String>, stat: Option<String>, points: &mut Points) {
    let Some(current) = current.and_then(|text| number(&text)) else { return };
    let idle = stat.and_then(|text| field(&text, "inactive_file")).unwrap_or(0);
    let working = current.saturating_sub(idle);
    put(points, "container.memory.usage", current as f64, &[]);
    put(points, "container.memory.working_set", working as f64, &[]);
    if let Some(max) = max.and_then(|text| number(&text)) {
        put(points, "container.memory.limit", max as f64, &[]);
        if max > 0 {
            put(points, "container.memory.utilization", (working as f64 / max as f64).min(1.0), &[]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const GROUP: [(&str, &str); 9] = [
        ("cgroup.type", "domain\n"),
        ("memory.current", "314572800\n"),
        ("memory.max", "419430400\n"),
        ("memory.stat", "anon 200\nfile 104857600\ninactive_file 104857600\n"),
        ("memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n"),
        ("pids.current", "12\n"),
        ("pids.max", "max\n"),
        ("cpu.max", "150000 100000\n"),
        (
            "cpu.stat",
            "usage_usec 2000000\nuser_usec 1500000\nsystem_usec 500000\nnr_periods 9\nthrottled_usec 250000\n",
        ),
    ];

    fn write(folder: &Path, files: &[(&str, &str)]) {
        std::fs::create_dir_all(folder).unwrap();
        for (name, text) in files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    fn roots(folder: &Path) -> Roots {
        Roots { proc: folder.join("proc"), cgroup: folder.join("cgroup"), root: folder.to_owned() }
    }

    fn look(container: &mut Container, roots: &Roots) -> BTreeMap<String, f64> {
        let mut points = Points::new();
        container.collect(roots, 4, &mut points).unwrap();
        let label = |labels: &[(&str, String)]| labels.iter().map(|(_, value)| format!(" {value}")).collect::<String>();
        points.iter().map(|point| (point.name.clone() + &label(&point.labels), point.value)).collect()
    }

    #[test]
    fn a_container_shows_its_limits_and_what_is_used_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let roots = roots(folder.path());
        write(&roots.cgroup, &GROUP);
        write(&roots.proc, &[("uptime", "100.0 1.0\n")]);
        let mut container = Container::default();
        let first = look(&mut container, &roots);
        assert!(!first.contains_key("container.cpu.utilization"), "nothing to compare with");
        write(&roots.proc, &[("uptime", "110.0 1.0\n")]);
        write(&roots.cgroup, &[("cpu.stat", "usage_usec 5000000\nuser_usec 4000000\n")]);
        let second = look(&mut container, &roots);
        let expected = [
            ("container.cpu.limit", 1.5),
            ("container.cpu.time user", 4.0),
            ("container.cpu.utilization", 0.2),
            ("container.memory.limit", 419_430_400.0),
            ("container.memory.oom_kills", 1.0),
            ("container.memory.usage", 314_572_800.0),
            ("container.memory.utilization", 0.5),
            ("container.memory.working_set", 209_715_200.0),
            ("container.pids.count", 12.0),
        ];
        assert_eq!(second, expected.map(|(name, value)| (name.to_owned(), value)).into());
        assert_eq!(first["container.cpu.throttled.time"], 0.25);
    }

    #[test]
    fn without_limits_there_is_usage_alone() {
        let folder = tempfile::tempdir().unwrap();
        let roots = roots(folder.path());
        write(&roots.cgroup, &[("cgroup.type", ""), ("cpu.stat", "usage_usec 1\n"), ("cpu.max", "max 100000\n")]);
        write(&roots.cgroup, &[("memory.current", "9223372036854771712\n"), ("memory.max", "max\n")]);
        let found: Vec<_> = look(&mut Container::default(), &roots).into_keys().collect();
        assert_eq!(found, ["container.memory.usage", "container.memory.working_set"]);
    }

    #[test]
    fn a_host_is_no_container_and_a_shared_tree_is_followed_to_the_own_group() {
        let folder = tempfile::tempdir().unwrap();
        let roots = roots(folder.path());
        write(&roots.cgroup.join("docker/4f2a"), &GROUP);
        write(&roots.proc, &[("self/cgroup", "1:cpu:/x\n0::/docker/4f2a\n")]);
        assert!(look(&mut Container::default(), &roots).is_empty(), "a host's own slice is no container");
        write(folder.path(), &[(".dockerenv", "")]);
        assert_eq!(look(&mut Container::default(), &roots)["container.pids.count"], 12.0);
        write(&roots.proc, &[("self/cgroup", "0::/../../etc\n")]);
        assert!(look(&mut Container::default(), &roots).is_empty());
    }

    #[test]
    fn odd_numbers_are_no_limit() {
        for text in ["", "max", "max 100000", "0 100000", "5 0", "-1 5", "99999999999999999999 1", "x y z"] {
            assert_eq!(cpu_limit(text), None, "`{text}`");
        }
        assert_eq!(share((5.0, 10.0), (4.0, 20.0), 1.0), None, "a counter that fell");
        assert_eq!(share((5.0, 10.0), (6.0, 10.0), 1.0), None, "no time passed");
        assert_eq!(field("oom 3\noom_kill 4\n", "oom"), Some(3));
    }
}
