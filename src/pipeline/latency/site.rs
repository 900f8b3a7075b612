//! The site of a latency test: the service with embedded log, SQLite and a carrier on loopback, in a directory of its own.
//!
//! The idea: the very service, started as `bongsu run` starts it, in this process: every stage has its own thread, and what
//! is measured goes in through the door and out through a gateway.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

use super::carrier::{Carrier, SECRET};
use crate::config::{self, Ask, Loaded};
use crate::pipeline::crash::{CHAINS, CONTACTS, lasting_ports};
use crate::pipeline::data_dir::DataDir;
use crate::pipeline::service::Service;
use crate::pipeline::stores;
use crate::pipeline::wake::Wake;
use crate::pipeline::watch::Edited;
use crate::store::Store;
use crate::time::{Clock, Ms, SECOND, SystemClock};

/// A start may take so long.
const READY: Ms = 30 * SECOND;
/// Between looks while waiting.
const LOOK: Duration = Duration::from_millis(20);

/// A running service and its carrier.
#[derive(Debug)]
pub(super) struct Site {
    /// `127.0.0.1:port` of the door.
    pub(super) listen: String,
    data: PathBuf,
    settings: config::Settings,
    carrier: Carrier,
    asked: Arc<AtomicBool>,
    service: JoinHandle<anyhow::Result<()>>,
}

impl Site {
    /// Writes the configuration into `dir`, starts the service and waits until it does its work.
    pub(super) fn start(dir: &Path, early: bool) -> anyhow::Result<Self> {
        let listen = format!("127.0.0.1:{}", lasting_ports(1).context("find a free port")?[0]);
        let carrier = Carrier::start(&listen)?;
        let loaded = configure(dir, &listen, &carrier, early)?;
        let (settings, data) = (loaded.settings.clone(), dir.join("data"));
        let asked = Arc::new(AtomicBool::new(false));
        let hash = loaded.rules.hash.clone();
        let again = dir.to_owned();
        let files = Edited { load: Arc::new(move || load(&again)), rules: hash };
        let service = Service::start(&loaded, files, DataDir::take(&data)?, Arc::new(SystemClock), &asked)?;
        let stop = Arc::clone(&asked);
        let service =
            std::thread::Builder::new().name("latency-service".to_owned()).spawn(move || service.run(&stop))?;
        let site = Self { listen, data, settings, carrier, asked, service };
        site.wait_until_ready()?;
        Ok(site)
    }

    fn wait_until_ready(&self) -> anyhow::Result<()> {
        let client = reqwest::blocking::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build()?;
        let until = SystemClock.elapsed() + READY;
        let is_well = || client.get(format!("http://{}/healthz", self.listen)).send();
        while !is_well().is_ok_and(|answer| answer.status().is_success()) {
            anyhow::ensure!(!self.service.is_finished(), "the service ended by itself");
            anyhow::ensure!(SystemClock.elapsed() < until, "the service did not get ready within {READY} ms");
            Wake::default().wait(LOOK);
        }
        Ok(())
    }

    /// The door's token.
    pub(super) fn token(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.data.join("token"))?.trim().to_owned())
    }

    /// The store, to read.
    pub(super) fn store(&self) -> anyhow::Result<Arc<dyn Store>> {
        stores::open_readonly(&self.settings, &self.data)
    }

    /// Ends the service; gives its store, and our ids of what the carrier took.
    pub(super) fn end(self) -> anyhow::Result<(Arc<dyn Store>, BTreeSet<String>)> {
        self.asked.store(true, Ordering::SeqCst);
        self.service.join().map_err(|_| anyhow::anyhow!("the service stopped by a bug"))??;
        Ok((stores::open_readonly(&self.settings, &self.data)?, self.carrier.taken()))
    }
}

fn configure(dir: &Path, listen: &str, carrier: &Carrier, early: bool) -> anyhow::Result<Loaded> {
    let ways = carrier.settings(&dir.join("hook").display().to_string());
    let service = format!(
        "roles: [evaluate, incident, notify, console]\nlog: {{ kind: embedded, topics: [{{ name: telemetry, format: bongsu }}], partitions: 4 }}\nstore: {{ url: \"sqlite:bongsu.db\" }}\nconsole: {{ listen: \"{listen}\" }}\npaths: {{ rules: rules.yaml, contacts: contacts.yaml, chains: chains.yaml, inventory: inventory.yaml, calendar: calendar.yaml }}\nlimits: {{ pages_per_hour: 10000 }}\n{ways}"
    );
    let rules = RULES.replace("FUNCTION", if early { "max" } else { "last" });
    for (name, text) in [
        ("bongsu.yaml", service.as_str()),
        ("rules.yaml", rules.as_str()),
        ("hook", SECRET),
        ("inventory.yaml", "resources: []\n"),
        ("calendar.yaml", "holidays: []\n"),
        ("chains.yaml", CHAINS),
        ("contacts.yaml", CONTACTS),
    ] {
        std::fs::write(dir.join(name), text).with_context(|| format!("write {name} in `{}`", dir.display()))?;
    }
    // A secret that others may read is refused.
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(dir.join("hook"), private)?;
    let loaded = load(dir);
    if let Some(problem) = loaded.problems.iter().find(|problem| problem.level == config::Level::Error) {
        anyhow::bail!("the latency test's own configuration is wrong: {}", problem.to_human(loaded.text(problem)));
    }
    Ok(loaded)
}

fn load(dir: &Path) -> Loaded {
    config::load(&[dir.join("bongsu.yaml")], &Ask { env: &[], now: SystemClock.wall(), whole: true })
}

/// At once, so that every sample makes a page.
const RULES: &str = "version: 1
rules:
  - id: latency-value
    title: 지연 측정
    domain: 인프라
    metric: latency.value
    by: [host, job]
    window: { fn: FUNCTION, over: 1h }
    when: above
    severity: { S2: { value: 90 } }
    no_data: { after: 2h }
";
