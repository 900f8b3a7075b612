//! One process of a crash test: its settings, its data directory, its door; started, killed, stopped, ended.
//!
//! The idea: what a test knows of a process is what its door and its exit say. Nothing here reads its files.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use crate::time::{Clock, Ms, SECOND, SystemClock};

/// A start may take so long: a cold machine, and the muted replay of what the log holds.
const READY: Ms = 60 * SECOND;

/// Where a process lives.
#[derive(Debug)]
pub(super) struct Station {
    program: PathBuf,
    /// The main settings file.
    pub(super) settings: PathBuf,
    /// Where it keeps its data.
    pub(super) data: PathBuf,
    log: PathBuf,
    /// `127.0.0.1:port` of its door.
    pub(super) listen: String,
    client: reqwest::blocking::Client,
}

/// The running process.
#[derive(Debug)]
pub(super) struct Child {
    process: std::process::Child,
    /// From start to ready.
    pub(super) ready_ms: u64,
    /// Its log.
    pub(super) log: PathBuf,
}

impl Station {
    /// One in `dir` called `name` (nothing where there is only one), with its door at `port`; its settings are for others
    /// to write.
    pub(super) fn at(program: &Path, dir: &Path, name: &str, port: u16) -> anyhow::Result<Self> {
        let dash = if name.is_empty() { "" } else { "-" };
        Ok(Self {
            program: program.to_owned(),
            settings: dir.join(format!("bongsu{dash}{name}.yaml")),
            data: dir.join(format!("data{dash}{name}")),
            log: dir.join(format!("service{dash}{name}.log")),
            listen: format!("127.0.0.1:{port}"),
            client: reqwest::blocking::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build()?,
        })
    }

    /// Starts the service and waits until it does its work.
    pub(super) fn start(&self) -> anyhow::Result<Child> {
        let began = SystemClock.elapsed();
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut process = Command::new(&self.program)
            .args(["run", "-c"])
            .arg(&self.settings)
            .arg("--data-dir")
            .arg(&self.data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .with_context(|| format!("start `{}`", self.program.display()))?;
        // The first line comes when every stage was started; health says when they are at work.
        let out = process.stdout.take().context("the child's output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let mut child = Child { process, ready_ms: 0, log: self.log.clone() };
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

    /// How many partitions it has; `None`: it has not read all of one yet, or does not answer.
    pub(super) fn caught_up(&self) -> Option<usize> {
        let status: serde_json::Value = serde_json::from_str(&self.ask("/v1/status")?).ok()?;
        let partitions = status["partitions"].as_array()?;
        partitions.iter().all(|partition| partition["caught_up"] == true).then_some(partitions.len())
    }

    /// How often it found that another had taken the lead, since it was started.
    pub(super) fn unseated(&self) -> Option<u64> {
        self.figure("bongsu_lead_lost_total")
    }

    /// Whether it leads, as far as it knows.
    pub(super) fn leads(&self) -> Option<bool> {
        Some(self.figure("bongsu_leads")? == 1)
    }

    fn figure(&self, name: &str) -> Option<u64> {
        let metrics = self.ask("/metrics")?;
        metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    fn ask(&self, path: &str) -> Option<String> {
        let token = std::fs::read_to_string(self.data.join("token")).ok()?;
        let request = self.client.get(format!("http://{}{path}", self.listen)).bearer_auth(token.trim());
        request.send().and_then(reqwest::blocking::Response::text).ok()
    }
}

impl Child {
    /// kill -9.
    pub(super) fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// It stands still, as a machine does that is paused or swaps.
    pub(super) fn stop(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// It goes on after [`Child::stop`].
    pub(super) fn resume(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    /// SIGTERM, and waits for the end.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let status = self.process.wait()?;
        anyhow::ensure!(status.success(), "the service ended with {status}; its log is `{}`", self.log.display());
        Ok(())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        Ok(kill_process(pid.context("the child's id")?, signal)?)
    }
}

impl Drop for Child {
    /// A test that gives up leaves no process behind.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
