//! The site of a crash test: a configuration in a directory of its own, for one process or for two that share the store,
//! the topic and the carrier.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use super::files;
use super::station::Station;
use super::{Carrier, Ground, Pages, lasting_ports};
use crate::config::{self, Ask, Loaded};
use crate::log::Sink;
use crate::model::{AckKey, PageState};
use crate::pipeline::{service, sides};
use crate::store::Store;
use crate::time::{Clock, SystemClock};

/// All of the outbox.
pub(super) const ALL: usize = 1_000_000;

/// The site.
#[derive(Debug)]
pub(super) struct Site {
    /// The processes, one or two.
    pub(super) stations: Vec<Station>,
    ground: Ground,
    carrier: Option<Carrier>,
}

impl Site {
    /// Writes the configuration into `dir`.
    pub(super) fn make(program: &Path, dir: &Path, ground: Ground) -> anyhow::Result<Self> {
        let carrier = match ground.pages {
            Pages::Handset => None,
            Pages::Deaf => Some(Carrier::start(false)?),
            Pages::Asked => Some(Carrier::start(true)?),
        };
        let ways = carrier.as_ref().map(Carrier::settings).unwrap_or_default();
        for (name, text) in files::SHARED {
            write(&dir.join(name), text)?;
        }
        let names: &[&str] = if ground.two { &["one", "two"] } else { &[""] };
        let mut stations = Vec::new();
        for (name, port) in names.iter().zip(lasting_ports(names.len()).context("find a free port")?) {
            let station = Station::at(program, dir, name, port)?;
            let text = files::settings(&ground, name, &station.listen, &ways);
            write(&station.settings, &text)?;
            stations.push(station);
        }
        let site = Self { stations, ground, carrier };
        let loaded = site.load();
        if let Some(problem) = loaded.problems.iter().find(|problem| problem.level == config::Level::Error) {
            anyhow::bail!("the crash test's own configuration is wrong: {}", problem.to_human(loaded.text(problem)));
        }
        Ok(site)
    }

    /// The configuration as the first process reads it.
    pub(super) fn load(&self) -> Loaded {
        let env = &self.ground.variables;
        config::load(&[self.stations[0].settings.clone()], &Ask { env, now: SystemClock.wall(), whole: true })
    }

    /// The key of one-time codes that the processes used.
    pub(super) fn key(&self) -> anyhow::Result<AckKey> {
        let secret = match self.load().settings.ack_key_file {
            Some(file) => config::read_secret_file(&file)?,
            None => crate::console::token_file(&self.data().join(service::ACK_KEY_FILE))?,
        };
        Ok(AckKey::new(secret))
    }

    /// Where the first process keeps its data.
    pub(super) fn data(&self) -> PathBuf {
        self.stations[0].data.clone()
    }

    /// Whether the running processes have read everything: all partitions, between them.
    pub(super) fn is_caught_up(&self) -> bool {
        let all: Option<usize> = self.stations.iter().map(Station::caught_up).sum();
        all == Some(files::PARTITIONS)
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
            Some(carrier) => carrier.arrivals(page),
            None => u64::from(self.data().join("handset").join(to).join(format!("{page}.txt")).exists()),
        }
    }

    /// Messages that reached the carrier, by our id; none where pages go to phones of ours.
    pub(super) fn carried(&self) -> Vec<String> {
        self.carrier.as_ref().map(Carrier::ids).unwrap_or_default()
    }

    /// Whether the carrier has a message and has not answered; where pages go to phones of ours, whether one is under way.
    pub(super) fn is_sending(&self) -> anyhow::Result<bool> {
        self.carrier.as_ref().map_or_else(|| self.has_work(), |carrier| Ok(carrier.is_holding()))
    }

    /// Whether something stands between a signal's commit and its page's outcome.
    pub(super) fn has_work(&self) -> anyhow::Result<bool> {
        has_work(&*self.store()?, ALL)
    }
}

/// The same of a store that is open, among its newest `rows` pages.
pub(super) fn has_work(store: &dyn Store, rows: usize) -> anyhow::Result<bool> {
    if !store.inputs(&store.cursors()?, 1)?.is_empty() {
        return Ok(true);
    }
    let pages = store.pages(None, rows)?;
    let under_way = |state| matches!(state, PageState::Waiting | PageState::Handed);
    Ok(pages.iter().any(|row| under_way(row.state) && row.page.due <= SystemClock.wall()))
}

/// A file that nobody else may read: one of them is a key.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("write `{}`", path.display()))
}
