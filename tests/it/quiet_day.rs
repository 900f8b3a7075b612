//! A day in which nothing happens: what the service holds after 24 hours is what it held after two.
//!
//! The idea: the day runs on a virtual clock over real files, in a process of its own whose memory is its own. The log
//! keeps an hour, so that by the second hour everything that is bounded has reached its bound; what still grows is a leak.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use bongsu::time::{Clock as _, HOUR, Ms, SECOND};

use rusqlite::{Connection, OpenFlags};

use crate::site::Site;
use crate::virtual_site::VirtualSite;

/// Monday, 2026-01-05 09:00 KST.
const BEGINNING: Ms = 1_767_571_200_000;
/// Distance of the hosts' records, and of ticks: a day has 2,880 of them.
const EVERY: Ms = 30 * SECOND;
const METRICS: usize = 5;
/// The log's writer moves its journal into the file after 8 MiB of rows, which are some 13 MiB of pages; the store's is
/// moved at 4 MiB.
const JOURNAL_MAX: u64 = 16 << 20;
/// Names the number of hosts for the child.
const HOSTS: &str = "BONGSU_TEST_HOSTS";

const RULES: &str = "  - { id: avg-high, title: 평균 과다, domain: 인프라, metric: q.a, by: [host, n], when: above, \
    window: { fn: avg, over: 10m }, severity: { S1: { value: 95, for: 2m }, S2: { value: 90 } } }
  - { id: max-high, title: 최대 과다, domain: 인프라, metric: q.a, when: above, \
    window: { fn: max, over: 5m }, severity: { S2: { value: 90 } } }
  - { id: low, title: 하한 미달, domain: 응용, metric: q.a, by: [host], when: below, \
    window: { fn: min, over: 30m }, severity: { S3: { value: -1 } } }
  - { id: all-high, title: 전체 과다, domain: 통신, metric: q.a, by: [n], when: above, \
    window: { fn: avg, over: 5m }, severity: { S2: { value: 90 } } }
";

/// What the service holds, in bytes: memory, store, log, and the longer of their journals.
///
/// The databases count as they are with their journals moved in: how full those are now depends on the second.
fn held(data: &Path) -> [u64; 4] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    let memory: u64 = kib.unwrap();
    let pages = |name: &str| -> u64 {
        let db = Connection::open_with_flags(data.join(name), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let pragma = |what: &str| -> i64 { db.query_row(&format!("PRAGMA {what}"), [], |row| row.get(0)).unwrap() };
        u64::try_from(pragma("page_count") * pragma("page_size")).unwrap()
    };
    let journal = |name: &str| std::fs::metadata(data.join(name)).map_or(0, |found| found.len());
    [memory * 1024, pages("bongsu.db"), pages("log.db"), journal("bongsu.db-wal").max(journal("log.db-wal"))]
}

#[test]
#[ignore = "the child of the test below"]
fn quiet_day_child() {
    let Some(hosts) = std::env::var(HOSTS).ok().and_then(|n| n.parse::<usize>().ok()) else { return };
    let site = Site::new(RULES);
    site.edit("rules.yaml", "version: 1", "version: 1\ninterval: 30s");
    site.edit("bongsu.yaml", "partitions: 2", "partitions: 4, keep: 1h");
    let mut life = VirtualSite::open(&site, BEGINNING, "worker");
    life.pass(SECOND);
    let began = life.clock.wall();
    for step in 1..=24 * HOUR / EVERY {
        let ts = life.clock.wall();
        let record = |host: usize| {
            // Values that move, so that nothing is simply the same.
            let value = |n: usize| (step as usize * 7 + host * 3 + n) % 60;
            let points: Vec<String> =
                (0..METRICS).map(|n| format!("[\"q.a\",{}.5,{{\"n\":\"{n}\"}}]", value(n))).collect();
            let text = format!(
                "{{\"v\":1,\"ts\":{ts},\"sent\":{ts},\"host\":\"h-{host}\",\"points\":[{}]}}",
                points.join(",")
            );
            (format!("h-{host}"), text)
        };
        life.append((0..hosts).map(record).collect());
        life.pass(EVERY);
        let hours = (life.clock.wall() - began) / HOUR;
        if (life.clock.wall() - began) % HOUR == 0 && (hours == 2 || hours == 24) {
            let [memory, store, log, journal] = held(&site.data());
            println!("\nheld {hours} {memory} {store} {log} {journal}");
        }
    }
    let incidents = life.store.incidents(10).unwrap();
    assert!(incidents.is_empty(), "the day was quiet: {incidents:?}");
    assert!(life.node.evaluator.tally().evaluation.samples > 0, "the hosts were heard");
}

fn start(hosts: usize) -> Child {
    // Thousands of commits that wait for a disk would be most of the test's time, and the disk is not what it is about.
    let memory = Path::new("/dev/shm");
    let folder = if tempfile::tempdir_in(memory).is_ok() { memory.to_owned() } else { std::env::temp_dir() };
    Command::new(std::env::current_exe().unwrap())
        .args(["quiet_day::quiet_day_child", "--exact", "--ignored", "--nocapture"])
        .env(HOSTS, hosts.to_string())
        .env("TMPDIR", folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn after_a_quiet_day_memory_and_files_are_what_they_were_after_two_hours() {
    for (hosts, child) in [1, 60].map(|hosts| (hosts, start(hosts))) {
        let out = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(out.status.success(), "{hosts} hosts: {text}");
        let held = |hour: &str| -> Vec<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix("held ")?.strip_prefix(hour));
            line.unwrap_or_else(|| panic!("{text}")).split_whitespace().map(|n| n.parse().unwrap()).collect()
        };
        let (early, late) = (held("2 "), held("24 "));
        for (n, what) in ["memory", "store", "log"].iter().enumerate() {
            let (early, late) = (early[n], late[n]);
            assert!(late * 100 <= early * 105, "{hosts} hosts: {what} grew from {early} to {late} bytes");
        }
        assert!(late[3] <= JOURNAL_MAX, "{hosts} hosts: a journal of {} bytes", late[3]);
    }
}
