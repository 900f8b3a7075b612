//! Two processes on one store and one topic: whoever leads is killed, again and again, and the other is timed.
//!
//! The idea: the store says who leads, so a kill is aimed by its row and never by a guess. A killed process comes back
//! only after the other has decided something: under its name it would lead again at once, and nothing would have been
//! taken over. Now and then the leader stands still before it dies, long enough to be followed, and comes back in the
//! belief that it leads: what it then writes must be refused. Now and then both die at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use super::load::Producer;
use super::site::{self, Site};
use super::station::Child;
use super::{AIMED, LIVES, Passed, Report, aim, finish, pause};
use crate::store::Store;
use crate::time::{Clock, Ms, SECOND, SystemClock};

/// Somebody leads, decides and pages within so long, or the test gives up: a lease of a page that the dead process had
/// taken, twice.
const PASSED_WITHIN: Ms = 60 * SECOND;
/// Between looks while the lead passes.
const WATCH: Duration = Duration::from_millis(5);
/// One kill in so many follows a stand-still, and one in so many takes both.
const MOODS: u64 = 8;
/// Ledger entries read at once.
const ENTRIES: usize = 10_000;
/// Pages among which work is looked for right after a kill.
const NEWEST: usize = 2_000;

/// Both, running.
pub(super) struct Pair<'a> {
    site: &'a Site,
    children: [Option<Child>; 2],
    store: Arc<dyn Store>,
    /// The ledger has been read to here.
    read: i64,
    ready: Vec<u64>,
}

impl<'a> Pair<'a> {
    /// Starts both.
    pub(super) fn start(site: &'a Site) -> anyhow::Result<Self> {
        let mut it = Self { site, children: [None, None], store: site.store()?, read: 0, ready: Vec::new() };
        it.begin(0)?;
        it.begin(1)?;
        Ok(it)
    }

    /// Kills; gives the records that were acknowledged.
    pub(super) fn run(mut self, rng: &mut fastrand::Rng, report: &mut Report) -> anyhow::Result<BTreeSet<u64>> {
        let mut passed = Passed::default();
        // Not before both have their share: what the log holds before a first start is the past.
        until("both read the log", || Ok(self.site.is_caught_up().then_some(())))?;
        let producer = Producer::start(self.site)?;
        for n in 0..report.kills {
            pause(Duration::from_millis(rng.u64(LIVES)));
            match n % MOODS {
                3 => self.kill_one_that_stood(&mut passed, report)?,
                7 => self.kill_both(rng, &mut passed, report)?,
                _ => {
                    if n % AIMED != 0 {
                        aim(|| site::has_work(&*self.store, site::ALL))?;
                    }
                    let leader = self.leader()?;
                    self.kill_leader(leader, &mut passed, report)?;
                    self.begin(leader)?;
                }
            }
        }
        let acknowledged = producer.stop();
        finish(self.site)?;
        for child in self.children.iter_mut().filter_map(Option::take) {
            child.end()?;
        }
        self.ready.iter().for_each(|ms| report.ready.add(*ms));
        report.passed = Some(passed);
        Ok(acknowledged)
    }

    /// Kills whoever leads and times the other.
    fn kill_leader(&mut self, leader: usize, passed: &mut Passed, report: &mut Report) -> anyhow::Result<()> {
        self.child(leader)?.kill()?;
        let (killed, wall) = (SystemClock.elapsed(), SystemClock.wall());
        let since = || (SystemClock.elapsed() - killed).unsigned_abs();
        report.between += u64::from(site::has_work(&*self.store, NEWEST)?);
        until("the other leads", || Ok((self.leader()? != leader).then_some(())))?;
        passed.led.add(since());
        // What the dead one had under way may still become durable; it was decided before it died.
        let mut pages = until("the other decides", || self.decided(wall))?;
        passed.decided.add(since());
        // Of several: an incident that is over already takes its page back.
        until("a page that the other decided is with the carrier", || {
            pages.extend(self.decided(wall)?.unwrap_or_default());
            Ok(pages.iter().any(|page| self.site.arrivals("", page) > 0).then_some(()))
        })?;
        passed.paged.add(since());
        Ok(())
    }

    /// The leader stands still until the other leads, and comes back believing that it does; then the new one is killed,
    /// so that the one that was refused must lead again.
    fn kill_one_that_stood(&mut self, passed: &mut Passed, report: &mut Report) -> anyhow::Result<()> {
        aim(|| site::has_work(&*self.store, site::ALL))?;
        let stood = self.leader()?;
        let before = self.site.stations[stood].unseated().context("a process that leads tells its figures")?;
        let child = self.children[stood].as_ref().context("whoever leads runs")?;
        child.stop()?;
        let stopped = SystemClock.elapsed();
        until("the other leads", || Ok((self.leader()? != stood).then_some(())))?;
        passed.stood.add((SystemClock.elapsed() - stopped).unsigned_abs());
        self.children[stood].as_ref().context("it was not ended")?.resume()?;
        // A write of it is refused; or the database has ended the transaction in which it stood still.
        until("it knows that it does not lead", || {
            Ok(self.site.stations[stood].leads().filter(|leads| !leads).map(|_| ()))
        })?;
        passed.refused += self.site.stations[stood].unseated().unwrap_or(before) - before;
        let leader = self.leader()?;
        self.kill_leader(leader, passed, report)?;
        self.begin(leader)
    }

    fn kill_both(&mut self, rng: &mut fastrand::Rng, passed: &mut Passed, report: &mut Report) -> anyhow::Result<()> {
        aim(|| site::has_work(&*self.store, site::ALL))?;
        let leader = self.leader()?;
        let (first, second) = (self.child(leader)?, self.child(1 - leader)?);
        first.kill()?;
        second.kill()?;
        passed.both += 1;
        report.between += u64::from(site::has_work(&*self.store, NEWEST)?);
        let one = rng.usize(0..2);
        self.begin(one)?;
        self.begin(1 - one)
    }

    fn begin(&mut self, one: usize) -> anyhow::Result<()> {
        let child = self.site.stations[one].start()?;
        self.ready.push(child.ready_ms);
        self.children[one] = Some(child);
        Ok(())
    }

    fn child(&mut self, one: usize) -> anyhow::Result<Child> {
        self.children[one].take().context("it runs")
    }

    /// Which of them leads; waits until one does.
    fn leader(&self) -> anyhow::Result<usize> {
        let names = ["one@", "two@"];
        until("somebody leads", || {
            let owner = self.store.seat()?.owner;
            Ok(names.iter().position(|name| owner.starts_with(name)))
        })
    }

    /// Pages decided at `wall` or later, since the last look; `None`: nothing was decided.
    fn decided(&mut self, wall: Ms) -> anyhow::Result<Option<Vec<String>>> {
        let mut pages = None;
        loop {
            let entries = self.store.ledger(self.read, ENTRIES)?;
            let Some(last) = entries.last() else { return Ok(pages) };
            self.read = last.input_no;
            for entry in entries.iter().filter(|entry| entry.at >= wall) {
                let json: Value = serde_json::from_str(&entry.json)?;
                let new = json["pages"].as_array().into_iter().flatten().filter_map(|page| page["id"].as_str());
                pages.get_or_insert_with(Vec::new).extend(new.map(str::to_owned));
            }
        }
    }
}

/// Looks again and again.
fn until<T>(what: &str, mut look: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let end = SystemClock.elapsed() + PASSED_WITHIN;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        anyhow::ensure!(SystemClock.elapsed() < end, "it did not happen in time: {what}");
        pause(WATCH);
    }
}
