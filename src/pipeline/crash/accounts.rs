//! The accounts of a crash test: log against acknowledgements, signals against an undisturbed run, phones against pages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::evaluate::Warm;
use crate::log::{Bounds, Event};
use crate::model::{Batch, BookRows, Decoded, Entry, PageRow, PageState, Progress, Signal, WIDE};
use crate::pipeline::crash::Report;
use crate::pipeline::crash::site::Site;
use crate::pipeline::leader::Leader;
use crate::pipeline::stages::{At, Lanes};
use crate::pipeline::{service, sides};
use crate::store::Store;
use crate::time::{Clock, Ms, SECOND, SystemClock};

/// More than any run makes.
const ALL: usize = 10_000_000;
/// Examples kept of what is wrong.
const EXAMPLES: usize = 10;
/// A log that says it holds more gives it within so long.
const READ_WITHIN: Ms = 30 * SECOND;
/// It is asked again after so long.
const READ_WAIT: Duration = Duration::from_secs(1);

pub(super) struct Accounts<'a> {
    pub(super) site: &'a Site,
    pub(super) acknowledged: &'a BTreeSet<u64>,
}

/// What the log holds.
#[derive(Default)]
struct Found {
    seqs: BTreeSet<u64>,
    signals: BTreeMap<i32, Vec<Signal>>,
}

impl Accounts<'_> {
    /// Fills in what was lost, repeated and resent.
    pub(super) fn settle(&self, report: &mut Report) -> anyhow::Result<()> {
        let store = self.site.store()?;
        let found = self.read_log()?;
        report.records = self.acknowledged.len() as u64;
        for seq in self.acknowledged.difference(&found.seqs) {
            report.lost += 1;
            note(report, format!("record {seq} was acknowledged and is not in the log"));
        }
        self.signals(store.as_ref(), &found, report)?;
        let (entries, rows) = (store.ledger(0, ALL)?, store.pages(None, ALL)?);
        let resent = ledger(&entries, report)?;
        self.decisions(&entries, &rows, report)?;
        self.pages(&rows, &resent, report);
        Ok(())
    }

    /// The ledger's decisions are what the same inputs give again, whoever led meanwhile, and what they decided is there.
    fn decisions(&self, entries: &[Entry], rows: &[PageRow], report: &mut Report) -> anyhow::Result<()> {
        let mut again = Leader::load(&BookRows::default(), service::world(&self.site.load(), Some(&self.site.key()?)));
        if let Err(differs) = again.replay(entries, |_| None) {
            report.lost += 1;
            note(report, format!("the ledger gives other decisions: {differs}"));
        }
        let there: BTreeSet<&str> = rows.iter().map(|row| row.page.id.as_str()).collect();
        let (mut decided, mut taken_back) = (BTreeSet::new(), BTreeSet::new());
        for entry in entries {
            let json: serde_json::Value = serde_json::from_str(&entry.json)?;
            let list = |name: &str| json[name].as_array().cloned().unwrap_or_default();
            decided.extend(list("pages").iter().filter_map(|page| page["id"].as_str().map(str::to_owned)));
            taken_back.extend(list("cancels").iter().filter_map(|cancel| cancel[0].as_str().map(str::to_owned)));
        }
        for page in decided.iter().filter(|page| !there.contains(page.as_str()) && !taken_back.contains(*page)) {
            report.lost += 1;
            note(report, format!("page {page} was decided and is not in the outbox"));
        }
        let carried = self.site.carried();
        let sent = there.iter().copied().chain(carried.iter().map(String::as_str));
        for page in sent.filter(|page| !decided.contains(*page)).collect::<BTreeSet<_>>() {
            report.repeated += 1;
            note(report, format!("page {page} was decided by nobody"));
        }
        Ok(())
    }

    /// One undisturbed run over the whole log.
    fn read_log(&self) -> anyhow::Result<Found> {
        let loaded = self.site.load();
        let mut source = sides::reader(&loaded.settings, &self.site.data(), None)?;
        let topic = source.topic()?;
        let rules = Arc::new(loaded.rules.clone());
        let mut setup = service::setup(&loaded.settings, rules, Arc::new(loaded.inventory.clone()), &topic.name);
        setup.partitions = topic.partitions;
        let mut lanes = Lanes::new(Arc::new(setup), service::decode_limits(&loaded.settings), None, Vec::new());
        let mut left = BTreeMap::new();
        for partition in 0..topic.partitions {
            let Bounds { low, high } = source.bounds(partition)?;
            if high > low {
                left.insert(partition, high);
            }
            lanes.start(partition, Some(&Progress::default()), Vec::new(), Warm { low, first_append: None });
            source.seek(partition, low)?;
        }
        let mut found = Found::default();
        let mut until = SystemClock.elapsed() + READ_WITHIN;
        while !left.is_empty() {
            // "Nothing" may also be said after something internal, long before the wait is over.
            let Some(Event::Batch(batch)) = source.next(READ_WAIT)? else {
                anyhow::ensure!(
                    SystemClock.elapsed() < until,
                    "the log ends before what it promised, in partitions {:?}",
                    left.keys()
                );
                continue;
            };
            until = SystemClock.elapsed() + READ_WITHIN;
            take(&mut lanes, &batch, &mut found);
            let end = batch.slots.last().map_or(0, |last| last.offset + 1);
            if left.get(&batch.partition).is_some_and(|high| end >= *high) {
                left.remove(&batch.partition);
            }
        }
        Ok(found)
    }

    fn signals(&self, store: &dyn Store, found: &Found, report: &mut Report) -> anyhow::Result<()> {
        let topic = self.site.load().settings.log.topics.first().map(|topic| topic.name.clone()).unwrap_or_default();
        for partition in found.signals.keys().copied().chain([WIDE]).collect::<BTreeSet<_>>() {
            let stored = store.signals(&topic, partition, 0, ALL)?;
            let expected = found.signals.get(&partition).map_or(&[][..], Vec::as_slice);
            let same = stored.iter().zip(expected).take_while(|((_, got), want)| got == *want).count();
            let (missing, extra) = (expected.len() - same, stored.len() - same);
            if missing > 0 {
                note(
                    report,
                    format!("partition {partition}: signal {} differs: want {:?}", same + 1, expected.get(same)),
                );
                note(report, format!("partition {partition}: got {:?}", stored.get(same)));
            }
            report.lost += missing as u64;
            report.repeated += extra.saturating_sub(missing) as u64;
        }
        Ok(())
    }

    /// Every page reached its person, once and once more for each time that the ledger says so, and none was decided
    /// twice.
    fn pages(&self, rows: &[PageRow], resent: &BTreeMap<String, u64>, report: &mut Report) {
        let mut keys = BTreeSet::new();
        for row in rows {
            let page = &row.page;
            let (incident, to) = (page.incident.clone(), page.to.clone());
            if !keys.insert((incident, page.step, page.round, to, page.channel, page.reason, page.occurrence)) {
                report.repeated += 1;
                note(report, format!("page {} of {} was decided twice", page.id, page.incident));
            }
            let (arrived, again) = (self.site.arrivals(&page.to, &page.id), resent.get(&page.id).copied().unwrap_or(0));
            let wanted = !matches!(row.state, PageState::Cancelled);
            // Where a sending was repeated, nobody may know how it ended; it arrived all the same.
            let known = matches!(row.state, PageState::Accepted | PageState::Cancelled) || again > 0;
            if wanted != (arrived > 0) || !known {
                report.lost += 1;
                note(report, format!("page {} is {}, arrived {arrived} times", page.id, row.state.word()));
            }
            report.pages += u64::from(arrived > 0);
            let excess = arrived.saturating_sub(1 + again);
            if excess > 0 {
                report.repeated += excess;
                note(report, format!("page {} arrived {arrived} times, resent {again} times", page.id));
            }
        }
    }
}

/// Whether its chain holds, and how often each page was sent again on purpose.
fn ledger(entries: &[Entry], report: &mut Report) -> anyhow::Result<BTreeMap<String, u64>> {
    if let Err(no) = crate::store::ledger::verify(entries) {
        report.lost += 1;
        note(report, format!("ledger entry {no} does not follow its predecessor"));
    }
    let mut resent = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.kind == "outcome") {
        let json: serde_json::Value = serde_json::from_str(&entry.json)?;
        let input = &json["input"];
        if let Some(page) = input["page"].as_str().filter(|_| input["outcome"] == "resent") {
            *resent.entry(page.to_owned()).or_default() += 1;
        }
    }
    report.resent = resent.values().sum();
    Ok(resent)
}

fn take(lanes: &mut Lanes, batch: &Batch, found: &mut Found) {
    for slot in &batch.slots {
        let (key, value) = batch.record(slot);
        let at = At { partition: batch.partition, offset: slot.offset, append: slot.append };
        lanes.feed(at, key, value, &mut |fed| {
            found.seqs.extend(fed.decoded.and_then(seq));
            let acted = fed.effects.signals.iter().filter(|signal| signal.acted).cloned();
            found.signals.entry(fed.partition).or_default().extend(acted);
        });
    }
}

/// The number that the producer gave a record.
fn seq(decoded: &Decoded) -> Option<u64> {
    let shape = decoded.shape.as_ref()?;
    let at = shape.series.iter().position(|series| series.name.as_ref() == "crash.seq")?;
    // Written as a whole number well below 2^53.
    decoded.values.get(at).map(|value| *value as u64)
}

fn note(report: &mut Report, what: String) {
    if report.examples.len() < EXAMPLES {
        report.examples.push(what);
    }
}
