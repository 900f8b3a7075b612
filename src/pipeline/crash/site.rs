//! The site of a crash test: a configuration in a directory of its own, and the service as a child process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::{Carrier, Ground, lasting_ports};
use crate::config::{self, Ask, Loaded};
use crate::log::Sink;
use crate::model::PageState;
use crate::pipeline::sides;
use crate::store::Store;
use crate::time::{Clock, Ms, SECOND, SystemClock};

/// A start may take so long: a cold machine, and the muted replay of what the log holds.
const READY: Ms = 60 * SECOND;
/// Looked at in the outbox.
const ROWS: usize = 1_000_000;

/// The site.
#[derive(Debug)]
pub(super) struct Site {
    program: PathBuf,
    dir: PathBuf,
    /// `127.0.0.1:port` of the door.
    pub(super) listen: String,
    client: reqwest::blocking::Client,
    ground: Ground,
    carrier: Option<Carrier>,
}

/// The running service.
#[derive(Debug)]
pub(super) struct Child {
    process: std::process::Child,
    /// From start to ready.
    pub(super) ready_ms: u64,
    /// Its log.
    pub(super) log: PathBuf,
}

impl Site {
    /// Writes the configuration into `dir`.
    pub(super) fn make(program: &Path, dir: &Path, ground: Ground) -> anyhow::Result<Self> {
        let store = ground.database.as_deref().unwrap_or("sqlite:bongsu.db");
        let log = log(&ground);
        let port = lasting_ports(1).context("find a free port")?;
        let listen = format!("127.0.0.1:{}", port[0]);
        let carrier = if ground.cannot_ask { Some(Carrier::start()?) } else { None };
        let ways = carrier.as_ref().map(Carrier::settings).unwrap_or_default();
        let service = format!(
            "roles: [evaluate, incident, notify, console]\nlog: {{ {log}, partitions: 4 }}\nstore: {{ url: \"{store}\" }}\nconsole: {{ listen: \"{listen}\" }}\npaths: {{ rules: rules.yaml, contacts: contacts.yaml, chains: chains.yaml, inventory: inventory.yaml, calendar: calendar.yaml }}\nlimits: {{ pages_per_hour: 10000 }}\n{ways}"
        );
        for (name, text) in [
            ("bongsu.yaml", service.as_str()),
            ("rules.yaml", RULES),
            ("inventory.yaml", "resources: []\n"),
            ("calendar.yaml", "holidays: []\n"),
            ("chains.yaml", CHAINS),
            ("contacts.yaml", CONTACTS),
        ] {
            std::fs::write(dir.join(name), text).with_context(|| format!("write {name} in `{}`", dir.display()))?;
        }
        let client = reqwest::blocking::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build()?;
        let site = Self { program: program.to_owned(), dir: dir.to_owned(), listen, client, ground, carrier };
        let loaded = site.load();
        if let Some(problem) = loaded.problems.iter().find(|problem| problem.level == config::Level::Error) {
            anyhow::bail!("the crash test's own configuration is wrong: {}", problem.to_human(loaded.text(problem)));
        }
        Ok(site)
    }

    /// The configuration as the service reads it.
    pub(super) fn load(&self) -> Loaded {
        let env = &self.ground.variables;
        config::load(&[self.dir.join("bongsu.yaml")], &Ask { env, now: SystemClock.wall(), whole: true })
    }

    /// Where the service keeps its data.
    pub(super) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The token that the service made at its first start.
    pub(super) fn token(&self) -> Option<String> {
        std::fs::read_to_string(self.data().join("token")).ok().map(|token| token.trim().to_owned())
    }

    /// Starts the service and waits until it does its work.
    pub(super) fn start(&self) -> anyhow::Result<Child> {
        let began = SystemClock.elapsed();
        let log = self.dir.join("service.log");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let mut process = Command::new(&self.program)
            .args(["run", "-c"])
            .arg(self.dir.join("bongsu.yaml"))
            .arg("--data-dir")
            .arg(self.data())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .with_context(|| format!("start `{}`", self.program.display()))?;
        // The first line comes when every stage was started; health says when they are at work.
        let out = process.stdout.take().context("the child's output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let mut child = Child { process, ready_ms: 0, log };
        while !self.is_healthy() {
            let gone = child.process.try_wait()?.is_some();
            let late = SystemClock.elapsed() - began > READY;
            if gone || late {
                let _ = child.process.kill();
                anyhow::bail!("the service did not get ready; its log is `{}`", child.log.display());
            }
            super::pause(Duration::from_millis(5));
        }
        child.ready_ms = (SystemClock.elapsed() - began).unsigned_abs();
        Ok(child)
    }

    fn is_healthy(&self) -> bool {
        let answer = self.client.get(format!("http://{}/healthz", self.listen)).send();
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Whether the running service has read everything.
    pub(super) fn is_caught_up(&self) -> bool {
        let Some(token) = self.token() else { return false };
        let answer = self.client.get(format!("http://{}/v1/status", self.listen)).bearer_auth(token).send();
        let text = answer.and_then(reqwest::blocking::Response::text).unwrap_or_default();
        let status: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let partitions = status["partitions"].as_array();
        partitions.is_some_and(|all| !all.is_empty() && all.iter().all(|p| p["caught_up"] == true))
    }

    /// The store as the service left it.
    pub(super) fn store(&self) -> anyhow::Result<Arc<dyn Store>> {
        crate::pipeline::stores::open_readonly(&self.load().settings, &self.data())
    }

    /// The topic's writing side, where one is to be written past the service.
    pub(super) fn topic(&self) -> anyhow::Result<Option<Arc<dyn Sink>>> {
        self.ground.topic.as_ref().map(|_| sides::kafka_sink(&self.load().settings)).transpose()
    }

    /// Refuses a store and a topic that hold something already: the accounts would not be this run's.
    pub(super) fn must_be_empty(&self) -> anyhow::Result<()> {
        if let Some(topic) = &self.ground.topic {
            let settings = self.load().settings;
            sides::ensure_kafka_topic(&settings)?;
            let mut source = sides::reader(&settings, &self.data(), None)?;
            for partition in 0..source.topic()?.partitions {
                anyhow::ensure!(
                    source.bounds(partition)?.high == 0,
                    "the topic `{}` holds something already\n  help: name a new topic for this test: it is made",
                    topic.name
                );
            }
        }
        let Some(database) = &self.ground.database else { return Ok(()) };
        // Opened for writing, so that the tables are made where they are missing.
        let store = crate::pipeline::stores::open(&self.load().settings, &self.data())?;
        anyhow::ensure!(
            store.partitions()?.is_empty() && store.ledger(0, 1)?.is_empty() && store.pages(None, 1)?.is_empty(),
            "the store `{database}` holds something already\n  help: make an empty database for this test"
        );
        Ok(())
    }

    /// How often a page reached the person `to`: a phone of ours has it once or not at all.
    pub(super) fn arrivals(&self, to: &str, page: &str) -> u64 {
        match &self.carrier {
            Some(carrier) => carrier.taken().get(page).copied().unwrap_or(0),
            None => u64::from(self.data().join("handset").join(to).join(format!("{page}.txt")).exists()),
        }
    }

    /// Whether something stands between a signal's commit and its page's outcome.
    pub(super) fn has_work(&self) -> anyhow::Result<bool> {
        has_work(&*self.store()?)
    }
}

/// The same of a store that is open.
pub(super) fn has_work(store: &dyn Store) -> anyhow::Result<bool> {
    if !store.inputs(&store.cursors()?, 1)?.is_empty() {
        return Ok(true);
    }
    let pages = store.pages(None, ROWS)?;
    let under_way = |state| matches!(state, PageState::Waiting | PageState::Handed);
    Ok(pages.iter().any(|row| under_way(row.state) && row.page.due <= SystemClock.wall()))
}

impl Child {
    /// kill -9.
    pub(super) fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits for the end.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.context("the child's id")?, rustix::process::Signal::TERM)?;
        let status = self.process.wait()?;
        anyhow::ensure!(status.success(), "the service ended with {status}; its log is `{}`", self.log.display());
        Ok(())
    }
}

/// The settings of the log.
fn log(ground: &Ground) -> String {
    match &ground.topic {
        None => "kind: embedded, topics: [{ name: telemetry, format: bongsu }]".to_owned(),
        Some(topic) => {
            let brokers: Vec<String> =
                topic.brokers.split(',').map(|broker| format!("\"{}\"", broker.trim())).collect();
            format!(
                "kind: kafka, brokers: [{}], topics: [{{ name: \"{}\", format: bongsu }}]",
                brokers.join(", "),
                topic.name
            )
        }
    }
}

/// At once, so that every bad record makes a page.
const RULES: &str = "version: 1
rules:
  - id: crash-value
    title: 부하 시험
    domain: 인프라
    metric: crash.value
    by: [host, job]
    window: { fn: last, over: 1h }
    when: above
    severity: { S2: { value: 90 } }
    no_data: { after: 2h }
";

const CHAINS: &str = "chains:
  - id: all
    default: true
    steps:
      - { to: [MSP/duty], by: [sms], wait: 1h }
    last: { to: [MSP/duty], by: [sms], repeat: 1h }
";

const CONTACTS: &str = "contacts:
  - { id: duty-1, org: MSP, roles: [duty], name: 가상인, phone: \"010-0000-0001\", confirmed: 2026-01-02 }
";
