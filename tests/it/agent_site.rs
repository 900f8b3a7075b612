//! The agent as a process of its own, before the door of a real service that goes away and comes back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bongsu::agent::{Record, Spool as _};
use bongsu::log::embedded;
use bongsu::log::{Event, Source as _};
use bongsu::pipeline::sides::LOG_FILE;
use bongsu::pipeline::spool::{LogSpool, SPOOL_FILE};
use bongsu::time::SystemClock;
use serde_json::Value;

use crate::site::{Site, bongsu, eventually, now, program};

/// No rule is needed: what arrives in the log is looked at.
const RULE: &str = "  - id: busy
    title: 부하
    domain: 인프라
    metric: system.cpu.utilization
    by: [host]
    window: { fn: last, over: 1m }
    when: above
    severity: { S4: { value: 2 } }
";

/// A running agent; killed when dropped.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn folder(site: &Site) -> PathBuf {
    site.path("agent-data")
}

fn start(site: &Site) -> Agent {
    start_with(site, "")
}

/// An agent with more settings.
fn start_with(site: &Site, more: &str) -> Agent {
    let file = site.path("agent.yaml");
    let text = format!(
        "agent: {{ every: 1s, to: \"http://{}\", token_file: data/token, host: was-01, labels: {{ env: test }}, \
         spool: 16MiB, processes: [{{ name: bongsu }}]{more} }}\n",
        site.listen
    );
    std::fs::write(&file, text).unwrap();
    let log = std::fs::OpenOptions::new().create(true).append(true).open(site.path("agent.log")).unwrap();
    let mut command = Command::new(program());
    command.arg("agent").arg("-c").arg(file).arg("--data-dir").arg(folder(site));
    Agent(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
}

impl Agent {
    /// SIGTERM; gives the exit code.
    fn end(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.0.wait().unwrap().code()
    }
}

/// The agent's records in a topic of an embedded log, in the order of the log; nothing where there is no log yet.
fn records(path: &Path, topic: &str) -> Vec<Value> {
    let Ok(log) = embedded::open_readonly(path) else { return Vec::new() };
    let Ok(mut source) = log.source(topic) else { return Vec::new() };
    let partitions = source.topic().unwrap().partitions;
    for partition in 0..partitions {
        source.seek(partition, 0).unwrap();
    }
    let mut found = Vec::new();
    while let Some(event) = source.next(Duration::ZERO).unwrap() {
        let Event::Batch(batch) = event else { continue };
        let values = batch.slots.iter().map(|slot| batch.record(slot)).filter(|(key, _)| *key == b"was-01");
        found.extend(values.map(|(_, value)| serde_json::from_slice::<Value>(value).unwrap()));
    }
    found
}

fn delivered(site: &Site) -> Vec<Value> {
    records(&site.data().join(LOG_FILE), "telemetry")
}

fn times(records: &[Value]) -> Vec<i64> {
    records.iter().map(|record| record["ts"].as_i64().unwrap()).collect()
}

/// Waits until the spool's file holds `n` records, and gives their times.
fn spooled(site: &Site, n: usize) -> Vec<i64> {
    eventually("spooled", || {
        let found = times(&records(&folder(site).join(SPOOL_FILE), "waiting"));
        (found.len() >= n).then_some(found)
    })
}

#[test]
fn what_was_collected_while_the_door_was_away_arrives_in_order_even_through_kills() {
    let site = Site::new(RULE);
    let service = site.start();
    let agent = start(&site);
    eventually("the first records", || (delivered(&site).len() >= 2).then_some(()));

    service.kill();
    let first = spooled(&site, 2).len();
    drop(agent);
    let agent = start(&site);
    let waiting = spooled(&site, first + 2);

    let back = now();
    let service = site.start();
    let last = *waiting.last().unwrap();
    eventually("what came after", || times(&delivered(&site)).iter().any(|ts| *ts > last).then_some(()));
    assert_eq!(agent.end(), Some(0));
    let found = delivered(&site);
    let order = times(&found);
    assert!(order.is_sorted(), "one host's records keep their order: {order:?}");
    for ts in &waiting {
        // Of a record that the killed service had taken without an answer there is an earlier copy.
        let record = found.iter().rfind(|record| record["ts"] == *ts);
        let record = record.unwrap_or_else(|| panic!("{ts} was spooled and did not arrive: {order:?}"));
        assert!(record["sent"].as_i64().unwrap() >= back, "a spooled record says when it was handed over: {record}");
    }
    // Whatever came twice is the same record again: it counts once.
    let mut once: BTreeMap<i64, Value> = BTreeMap::new();
    for mut record in found {
        record.as_object_mut().unwrap().remove("sent");
        let ts = record["ts"].as_i64().unwrap();
        let same = once.entry(ts).or_insert_with(|| record.clone());
        assert_eq!(*same, record);
    }
    assert_eq!(service.end(), Some(0));
}

#[test]
fn an_agent_that_ends_while_the_door_is_away_leaves_its_records_on_the_disk() {
    let site = Site::new(RULE);
    // The token must be there before the agent starts; nobody listens afterwards.
    site.start().kill();
    let agent = start(&site);
    spooled(&site, 1);
    assert_eq!(agent.end(), Some(0));
    let left = spooled(&site, 1);
    let _service = site.start();
    let _agent = start(&site);
    eventually("the records of the earlier run", || {
        let found = times(&delivered(&site));
        left.iter().all(|ts| found.contains(ts)).then_some(())
    });
}

#[test]
fn lines_of_a_log_file_arrive_even_through_a_kill_and_a_rotation() {
    let site = Site::new(RULE);
    let _service = site.start();
    let path = site.path("app.log");
    let append = |text: &str| {
        let file = std::fs::File::options().append(true).create(true).open(&path);
        std::io::Write::write_all(&mut file.unwrap(), text.as_bytes()).unwrap();
    };
    let lines = || -> Vec<String> {
        let found = delivered(&site).into_iter().filter(|record| record["labels"]["source"] == "app");
        let all = found.flat_map(|record| record["lines"].as_array().cloned().unwrap_or_default());
        all.map(|line| format!("{} {}", line[1].as_str().unwrap(), line[2].as_str().unwrap())).collect()
    };
    let arrived = |line: &str| eventually(line, || lines().iter().any(|found| found == line).then_some(()));
    append("INFO before anybody looked\n");
    let logs = ", logs: [{ path: app.log, source: app }]";
    let agent = start_with(&site, logs);
    eventually("the agent looks", || (!delivered(&site).is_empty()).then_some(()));
    append("ERROR OutOfMemoryError\n");
    arrived("ERROR ERROR OutOfMemoryError");
    drop(agent);
    append("written while nobody looked\n");
    let _agent = start_with(&site, logs);
    arrived(" written while nobody looked");
    append("the end of the old file\n");
    std::fs::rename(&path, site.path("app.log.1")).unwrap();
    append("WARN a new file\n");
    arrived(" the end of the old file");
    arrived("WARN WARN a new file");
    let mut found = lines();
    // A kill may tell a line twice, never too seldom.
    found.dedup();
    let expected = [
        "ERROR ERROR OutOfMemoryError",
        " written while nobody looked",
        " the end of the old file",
        "WARN WARN a new file",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_record_that_the_door_refuses_for_good_is_named_and_the_rest_arrives() {
    let site = Site::new(RULE);
    let _service = site.start();
    std::fs::create_dir(folder(&site)).unwrap();
    let mut spool = LogSpool::open(&folder(&site), 1 << 24, Arc::new(SystemClock)).unwrap();
    let record = |ts: i64, host: &str| Record {
        key: b"was-01".to_vec(),
        value: format!("{{\"v\":1,\"ts\":{ts},\"host\":\"{host}\",\"points\":[[\"a\",1]]}}").into_bytes(),
    };
    let ts = now() - 5_000;
    spool.push(&[record(ts, "was-01"), record(ts + 1, ""), record(ts + 2, "was-01")]).unwrap();
    drop(spool);
    let _agent = start(&site);
    let dropped = eventually("the count", || {
        let found = delivered(&site);
        let times = times(&found);
        assert!(!times.contains(&(ts + 1)));
        let points = found.last().filter(|_| times.contains(&ts) && times.contains(&(ts + 2)))?["points"].clone();
        let dropped = points.as_array()?.iter().find(|point| point[0] == "bongsu.agent.dropped")?[1].as_f64()?;
        (dropped > 0.0).then_some(dropped)
    });
    assert_eq!(dropped, 1.0);
    let log = std::fs::read_to_string(site.path("agent.log")).unwrap();
    assert!(log.contains("no-host"), "{log}");
}

#[test]
fn a_record_tells_what_the_agent_costs_and_how_the_watched_process_is() {
    let site = Site::new(RULE);
    let _service = site.start();
    let _agent = start(&site);
    let record = eventually("two records", || delivered(&site).into_iter().nth(1));
    let value = |name: &str| {
        let points = record["points"].as_array().unwrap();
        let point = points.iter().find(|point| point[0] == name).unwrap_or_else(|| panic!("no {name} in {record}"));
        point[1].as_f64().unwrap()
    };
    assert!(value("bongsu.agent.memory.usage") > 1e6);
    assert!(value("bongsu.agent.spool.usage") > 0.0);
    assert_eq!((value("bongsu.agent.spool"), value("bongsu.agent.dropped")), (0.0, 0.0));
    assert!(value("bongsu.agent.collection.duration") >= 0.0 && value("bongsu.agent.cpu.time") >= 0.0);
    // The service and the agent themselves, at least.
    assert!(value("process.count") >= 2.0 && value("process.memory.usage") > 1e6);
}

#[test]
fn an_agent_that_could_not_work_is_refused_before_anything_starts() {
    let site = Site::new(RULE);
    let refused = |text: &str, expected: &str| {
        let file = site.path("agent.yaml");
        std::fs::write(&file, text).unwrap();
        let (file, data) = (file.display().to_string(), folder(&site).display().to_string());
        let output = bongsu(&["agent", "-c", &file, "--data-dir", &data]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "`{expected}` is not in: {said}");
        assert!(!folder(&site).exists(), "nothing was made");
    };
    refused("agent: { to: \"http://192.0.2.1:9480\" }", "agent-tls");
    refused("agent: { to: \"https://door.example.test\" }", "no token file");
    refused("agent: { to: \"https://door.example.test\", token_file: nowhere }", "nowhere");
    refused("agent: { to: \"127.0.0.1:9480\", spool: 5KB }", "1MiB");
    refused("agent: { to: \"127.0.0.1:9480\", processes: [{ name: a, pattern: \"(\" }] }", "bad-regex");
    refused("agent: { to: \"127.0.0.1:9480\", processes: [{ name: a }, { name: a }] }", "stands twice");
    refused("agent: { to: \"127.0.0.1:9480\", spool: 0, logs: [{ path: a.log, source: app }] }", "without a spool");
}

#[test]
fn the_shipped_unit_starts_the_agent_as_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let unit = std::fs::read_to_string(root.join("deploy/bongsu-agent.service")).unwrap();
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let site = Site::new(RULE);
    let (token, data) = (site.path("token"), folder(&site));
    let line = value("ExecStart")
        .unwrap()
        .replace("/etc/bongsu/agent.yaml", &root.join("configs/agent.yaml").display().to_string())
        .replace("%d/token", &token.display().to_string())
        .replace("/var/lib/bongsu-agent", &data.display().to_string());
    let args: Vec<&str> = line.split(' ').skip(1).collect();
    let output = bongsu(&args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // The one thing that is missing here is the token, read where the unit puts it.
    assert!(output.status.code() == Some(2) && said.contains(&format!("read `{}`", token.display())), "{said}");
    assert_eq!((value("StateDirectory"), value("NoNewPrivileges")), (Some("bongsu-agent"), Some("yes")));
    assert_eq!((value("ProtectSystem"), value("DynamicUser")), (Some("strict"), Some("yes")));
}
