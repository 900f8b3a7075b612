//! kill -9 under load: the service as a process of its own, killed again and again while another process feeds it (through
//! the door, or past the service into Kafka), and the accounts afterwards. Where two share a store, whoever leads is
//! killed ([`pair`]).
//!
//! The idea: nothing of the dead process is believed. What the producer was told is durable is looked up in the log; the
//! signals must be those of one undisturbed run over that log; every page must have reached its phone once.

mod accounts;
mod carrier;
mod files;
mod load;
mod pair;
mod port;
mod site;
mod station;
mod times;

pub(in crate::pipeline) use files::{CHAINS, CONTACTS};
pub use port::lasting_ports;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use crate::pipeline::crash::accounts::Accounts;
use crate::pipeline::crash::carrier::Carrier;
use crate::pipeline::crash::load::Producer;
use crate::pipeline::crash::pair::Pair;
use crate::pipeline::crash::site::Site;
pub use crate::pipeline::crash::times::Times;
use crate::pipeline::wake::Wake;
use crate::time::{Clock, Ms, SECOND, SystemClock};

/// After the last kill the service may take so long to finish its work.
const FINISH: Ms = 120 * SECOND;
/// Between looks while waiting.
const LOOK: Duration = Duration::from_millis(20);
/// A kill comes so long after the service was ready: from at once to some flushes later.
const LIVES: std::ops::Range<u64> = 30..700;

/// Of so many kills one comes blindly, and one while a message is with its carrier; the others are aimed at the short time
/// in which a page is on its way at all: a leader wakes its senders, so little of that is the carrier's.
const AIMED: u64 = 4;
/// So long an aimed kill waits for a page at most.
const AIM: Ms = 5 * SECOND;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Kills.
    pub kills: u64,
    /// Of these, such that hit between a signal's commit and its page's outcome.
    pub between: u64,
    /// Records that the producer was told are durable.
    pub records: u64,
    /// Pages that reached a phone.
    pub pages: u64,
    /// Acknowledged records that are not in the log, signals that are missing, pages that reached no phone.
    pub lost: u64,
    /// Signals that are too many, pages that were decided twice, or delivered once more than the ledger says.
    pub repeated: u64,
    /// Pages that the ledger marks as resent.
    pub resent: u64,
    /// Time from start to ready.
    pub ready: Times,
    /// Where two share a store: how the lead passed from one to the other.
    pub passed: Option<Passed>,
    /// What is wrong, some examples.
    pub examples: Vec<String>,
}

/// How the lead passed from a process that was killed or stood still to the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passed {
    /// From the kill of a leader until the other led.
    pub led: Times,
    /// From the kill until the other's first decision was durable.
    pub decided: Times,
    /// From the kill until the first page that the other decided was with the carrier.
    pub paged: Times,
    /// From the stand-still of a leader (which came back later) until the other led.
    pub stood: Times,
    /// Writes of a process that did not lead any more, each refused; none where it stood still inside a transaction,
    /// which the database has ended meanwhile.
    pub refused: u64,
    /// Kills of both at once.
    pub both: u64,
}

/// A topic that stands where the embedded log would.
#[derive(Debug, Clone)]
pub struct Topic {
    /// `host:port` of brokers, comma separated.
    pub brokers: String,
    /// Its name; made where it is missing.
    pub name: String,
}

/// What the service stands on; by default nothing but files in its directory.
#[derive(Debug, Clone, Default)]
pub struct Ground {
    /// As in `store.url`: an empty database.
    pub database: Option<String>,
    /// A topic in which nothing was ever written.
    pub topic: Option<Topic>,
    /// Settings by environment that the service's process finds there too: passwords.
    pub variables: Vec<(String, String)>,
    /// Where pages go.
    pub pages: Pages,
    /// Two processes share store, topic and carrier: needs a database, a topic and a carrier.
    pub two: bool,
}

/// Where pages go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pages {
    /// To phones of ours, in the process's data directory: a page arrives exactly once.
    #[default]
    Handset,
    /// To a carrier that cannot be asked what became of one.
    Deaf,
    /// To a carrier that can.
    Asked,
}

/// Runs it: `program` is this program, `dir` an empty directory that it may fill.
///
/// # Errors
/// The service cannot be started or does not finish its work; the text says where its log is.
pub fn run(program: &Path, dir: &Path, kills: u64, seed: u64, ground: Ground) -> anyhow::Result<Report> {
    let site = Site::make(program, dir, ground)?;
    site.must_be_empty()?;
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut report = Report { kills, ..Report::default() };
    let acknowledged = if site.stations.len() == 2 {
        Pair::start(&site)?.run(&mut rng, &mut report)?
    } else {
        alone(&site, &mut rng, &mut report)?
    };
    Accounts { site: &site, acknowledged: &acknowledged }.settle(&mut report)?;
    Ok(report)
}

/// One process; gives the records that were acknowledged.
fn alone(site: &Site, rng: &mut fastrand::Rng, report: &mut Report) -> anyhow::Result<BTreeSet<u64>> {
    let station = &site.stations[0];
    let mut child = station.start()?;
    // Not before: what the log holds before a first start is the past, and nobody is paged for it.
    let producer = Producer::start(site)?;
    for n in 0..report.kills {
        report.ready.add(child.ready_ms);
        let life = Duration::from_millis(rng.u64(LIVES));
        if n % AIMED != 1 {
            pause(life);
        }
        match n % AIMED {
            0 => {}
            // Not after a pause: what waited for the start leaves at once, and the next may be long in coming.
            1 => aim(|| site.is_sending())?,
            _ => {
                let store = site.store()?;
                aim(|| site::has_work(&*store, site::ALL))?;
            }
        }
        child.kill()?;
        report.between += u64::from(site.has_work()?);
        child = station.start()?;
    }
    report.ready.add(child.ready_ms);
    let acknowledged = producer.stop();
    finish(site)?;
    child.end()?;
    Ok(acknowledged)
}

/// Waits until what a kill shall hit is there.
fn aim(is_there: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let until = SystemClock.elapsed() + AIM;
    while SystemClock.elapsed() < until && !is_there()? {
        std::thread::yield_now();
    }
    Ok(())
}

/// Waits until nothing is left to do.
fn finish(site: &Site) -> anyhow::Result<()> {
    let until = SystemClock.elapsed() + FINISH;
    let mut quiet = 0;
    // Twice in a row: between two hand-overs there is an instant at which each looks empty.
    while quiet < 10 {
        anyhow::ensure!(
            SystemClock.elapsed() < until,
            "the service did not finish its work; its log is beside `{}`",
            site.data().display()
        );
        pause(LOOK);
        quiet = if site.is_caught_up() && !site.has_work()? { quiet + 1 } else { 0 };
    }
    Ok(())
}

fn pause(length: Duration) {
    Wake::default().wait(length);
}
