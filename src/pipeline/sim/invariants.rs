//! What must hold in every world: promises I1 to I7, checked from outside over the durable rows, the log and the phones.
//!
//! The idea: nothing here asks the process what it believes. Signals are compared with those of a second, undisturbed
//! run over the same log; incidents and pages with those of a second run over the same ledger; pages with what phones got.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::decode::Limits;
use crate::evaluate::Warm;
use crate::model::wire::input_from_json;
use crate::model::{
    BookRows, Entry, Incident, IncidentState, Input, PageRow, PageState, Progress, Severity, Signal, WIDE,
};
use crate::pipeline::leader::Leader;
use crate::pipeline::sim::setting::{self, TOPIC};
use crate::pipeline::sim::world::World;
use crate::pipeline::stages::{At, Lanes};
use crate::store::Store;

/// More rows than any world makes.
const ALL: usize = 1_000_000;

/// A record stamped so far below the clock counts as at it.
const TOLERANCE: i64 = 5_000;

/// What is wrong, as one sentence that begins with the promise.
pub(super) type Violation = String;

/// Checks that are cheap enough for every step.
pub(super) fn cheap(world: &World) -> Result<(), Violation> {
    let incidents = world.store.incidents(ALL).map_err(|error| error.to_string())?;
    let pages = world.store.pages(None, ALL).map_err(|error| error.to_string())?;
    one_live_incident_per_instance(&incidents)?;
    no_page_arrives_twice(world, &pages)?;
    someone_will_act(world, &incidents, &pages)
}

fn one_live_incident_per_instance(incidents: &[Incident]) -> Result<(), Violation> {
    let mut live = BTreeSet::new();
    for incident in incidents.iter().filter(|incident| incident.state != IncidentState::Closed) {
        if !live.insert(incident.fingerprint) {
            return Err(format!("I4: two incidents for {}{}", incident.rule, incident.labels));
        }
    }
    Ok(())
}

/// I3: a page whose outcome was known is never sent again; without a gateway that can be asked, what was resent says so.
fn no_page_arrives_twice(world: &World, pages: &[PageRow]) -> Result<(), Violation> {
    let arrived = world.gateway.arrived();
    for (id, times) in &arrived {
        let Some(row) = pages.iter().find(|row| row.page.id == *id) else {
            return Err(format!("I2: page {id} arrived and is in no outbox row"));
        };
        let resent = !world.gateway.can_be_asked() && row.page.severity <= Severity::S2 && row.tries > 1;
        let limit = if resent { 2 } else { 1 };
        if *times > limit {
            return Err(format!("I3: page {id} arrived {times} times, leased {} times", row.tries));
        }
    }
    Ok(())
}

/// I4: an open S1 without ack has a next action, or one is being executed.
fn someone_will_act(world: &World, incidents: &[Incident], pages: &[PageRow]) -> Result<(), Violation> {
    let Some(leader) = world.node().and_then(|node| node.leading.leader()) else { return Ok(()) };
    for child in incidents.iter().filter(|i| i.state.is_live() && i.parent.is_some()) {
        let speaks = |i: &&Incident| child.parent.as_ref() == Some(&i.id) && i.state.is_live();
        if incidents.iter().find(speaks).is_none_or(|parent| parent.severity > child.severity) {
            return Err(format!("I4: {} hangs under {:?}, which does not speak for it", child.id, child.parent));
        }
    }
    for incident in incidents.iter().filter(|i| i.state == IncidentState::Open && i.severity == Severity::S1) {
        let moving = pages
            .iter()
            .any(|row| row.page.incident == incident.id && matches!(row.state, PageState::Waiting | PageState::Handed));
        // While it flaps, the next action is that it is calm; while it is held back, that it is released, or its parent's.
        let later = (incident.flapping && incident.calm_since.is_some()) || incident.holds_pages();
        if !moving && !later && leader.chain_due(&incident.id).is_none() {
            return Err(format!("I4: {} is open, S1, not acked, and nothing is due", incident.id));
        }
    }
    Ok(())
}

/// Everything, after the world healed and had time to finish its work.
pub(super) fn full(world: &World) -> Result<(), Violation> {
    cheap(world)?;
    signals_are_those_of_an_undisturbed_run(world)?;
    let entries = world.store.ledger(0, ALL).map_err(|error| error.to_string())?;
    every_signal_was_taken_once(world, &entries)?;
    ledger_is_whole(&entries)?;
    ledger_gives_the_same_again(world, &entries)?;
    acks_are_in_the_ledger(world, &entries)?;
    pages_are_settled(world)?;
    ends_are_told_to_whom_beginnings_were(world)
}

/// I1, I6, I7b: per partition the stored signals and state rows equal those of one run over the whole log.
fn signals_are_those_of_an_undisturbed_run(world: &World) -> Result<(), Violation> {
    let undisturbed = undisturbed(world);
    // Whether wide ticks of a segment that was left ran before a partition went back hangs on which partition was read
    // first: across a clock break the wide rules' signals are no function of the log.
    let wide = Some(WIDE).filter(|_| !(0..world.partitions).any(|partition| broke(world, partition)));
    for partition in (0..world.partitions).chain(wide) {
        let stored = world.store.signals(TOPIC, partition, 0, ALL).map_err(|error| error.to_string())?;
        let expected = undisturbed.get(&partition).map_or(&[][..], Vec::as_slice);
        for (n, (seq, signal)) in stored.iter().enumerate() {
            if *seq != n as i64 + 1 {
                return Err(format!("I1: partition {partition}: signal {} has seq {seq}", n + 1));
            }
            match expected.get(n) {
                Some(want) if want == signal => {}
                want => return Err(format!("I6: partition {partition}, seq {seq}: got {signal:?}, want {want:?}")),
            }
        }
        if stored.len() < expected.len() {
            let missing = &expected[stored.len()];
            return Err(format!(
                "I1: partition {partition}: {} signals are missing: {missing:?}",
                expected.len() - stored.len()
            ));
        }
    }
    Ok(())
}

/// I1: what evaluation handed over, the leader took: each signal once, in the order of its partition.
fn every_signal_was_taken_once(world: &World, entries: &[Entry]) -> Result<(), Violation> {
    let mut taken: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.kind == "signal") {
        let value: Option<serde_json::Value> = serde_json::from_str(&entry.json).ok();
        match value.as_ref().and_then(|value| input_from_json(value.get("input")?)) {
            Some(Input::Signal { key, .. }) => taken.entry(key.partition).or_default().push(key.seq),
            _ => return Err(format!("I7: ledger entry {} holds no signal", entry.input_no)),
        }
    }
    for partition in WIDE..world.partitions {
        let stored = world.store.signals(TOPIC, partition, 0, ALL).map_err(|error| error.to_string())?;
        let stored: Vec<i64> = stored.into_iter().map(|(seq, _)| seq).collect();
        let taken = taken.remove(&partition).unwrap_or_default();
        if taken != stored {
            return Err(format!("I1: partition {partition}: handed over {stored:?}, taken {taken:?}"));
        }
    }
    Ok(())
}

/// Whether the log's clock went back in a partition.
fn broke(world: &World, partition: i32) -> bool {
    let records = world.log.records(partition);
    records.windows(2).any(|pair| matches!(pair, [before, after] if after.append < before.append - TOLERANCE))
}

/// The signals that matter, per partition, of one run over the whole log.
fn undisturbed(world: &World) -> BTreeMap<i32, Vec<Signal>> {
    let setup = Arc::new(setting::setup(world.partitions));
    let limits = Limits { record_bytes: 1 << 20, shapes: 10_000 };
    let mut lanes = Lanes::new(setup, limits, None, Vec::new());
    let mut left = BTreeMap::new();
    for partition in 0..world.partitions {
        lanes.start(partition, Some(&Progress::default()), Vec::new(), Warm { low: 0, first_append: None });
        left.insert(partition, world.log.records(partition).into_iter().enumerate().peekable());
    }
    let mut signals: BTreeMap<i32, Vec<Signal>> = BTreeMap::new();
    loop {
        let next =
            left.iter_mut().filter_map(|(p, records)| records.peek().map(|(_, record)| (record.append, *p))).min();
        let Some((_, partition)) = next else { return signals };
        let Some((n, record)) = left.get_mut(&partition).and_then(Iterator::next) else { return signals };
        let at = At { partition, offset: n as i64, append: record.append };
        lanes.feed(at, &record.key, &record.value, &mut |fed| {
            let acted = fed.effects.signals.iter().filter(|signal| signal.acted).cloned();
            signals.entry(fed.partition).or_default().extend(acted);
        });
    }
}

fn ledger_is_whole(entries: &[Entry]) -> Result<(), Violation> {
    let mut hash = Entry::GENESIS.to_owned();
    for (n, entry) in entries.iter().enumerate() {
        let expected = Entry::after(&hash, n as i64 + 1, entry.at, &entry.kind, entry.json.clone());
        if *entry != expected {
            return Err(format!("I7: ledger entry {} does not follow its predecessor", n + 1));
        }
        hash.clone_from(&entry.hash);
    }
    Ok(())
}

/// I7c: the ledger's inputs, taken again, give the same entries: the same incidents and page texts.
fn ledger_gives_the_same_again(world: &World, entries: &[Entry]) -> Result<(), Violation> {
    let mut leader = Leader::load(&BookRows::default(), World::standing());
    let again = leader.replay(entries, |_| None).map_err(|differs| format!("I7: {differs}"))?;
    let pages = world.store.pages(None, ALL).map_err(|error| error.to_string())?;
    let texts: BTreeMap<_, _> =
        again.iter().flat_map(|view| &view.pages).map(|page| (page.id.clone(), page.text.clone())).collect();
    for row in &pages {
        if texts.get(&row.page.id) != Some(&row.page.text) {
            return Err(format!("I7: page {} of {} is not in a second run", row.page.id, row.page.incident));
        }
    }
    // What was decided and taken back in one transaction was never there.
    let back: BTreeSet<&str> = again.iter().flat_map(|view| &view.cancels).map(|cancel| cancel.page.as_str()).collect();
    let there: BTreeSet<&str> = pages.iter().map(|row| row.page.id.as_str()).collect();
    if let Some(lost) = texts.keys().find(|id| !there.contains(id.as_str()) && !back.contains(id.as_str())) {
        return Err(format!("I2: page {lost} was decided and is in no outbox row"));
    }
    Ok(())
}

/// I5, its first half: an ack that was answered is a decision of the ledger.
fn acks_are_in_the_ledger(world: &World, entries: &[Entry]) -> Result<(), Violation> {
    let acks = entries.iter().filter(|entry| entry.kind == "ack").count();
    if acks != world.acks.len() {
        return Err(format!("I5: {} acks were made, the ledger has {acks}", world.acks.len()));
    }
    for (row, incident) in &world.acks {
        if world.store.answer(*row).map_err(|error| error.to_string())?.is_none() {
            return Err(format!("I5: the ack of {incident} was never answered"));
        }
    }
    Ok(())
}

/// I2: no page is left waiting; only S3 and S4 may end unknown.
fn pages_are_settled(world: &World) -> Result<(), Violation> {
    let now = crate::time::Clock::wall(world.clock.as_ref());
    for row in world.store.pages(None, ALL).map_err(|error| error.to_string())? {
        let settled = match row.state {
            PageState::Accepted | PageState::Delivered | PageState::Failed | PageState::Cancelled => true,
            PageState::Unknown => row.page.severity > Severity::S2 || row.tries > 1,
            PageState::Waiting => row.page.due > now,
            PageState::Handed => false,
        };
        if !settled {
            return Err(format!("I2: page {} of {} is still {}", row.page.id, row.page.incident, row.state.word()));
        }
        if row.state == PageState::Accepted && !world.gateway.arrived().contains_key(&row.page.id) {
            return Err(format!("I2: page {} is accepted and reached no phone", row.page.id));
        }
    }
    Ok(())
}

/// I5, its second half: those told of the end were told of the beginning.
fn ends_are_told_to_whom_beginnings_were(world: &World) -> Result<(), Violation> {
    let pages = world.store.pages(None, ALL).map_err(|error| error.to_string())?;
    for end in pages.iter().filter(|row| row.page.reason == crate::model::Reason::Resolved) {
        let told = pages.iter().any(|row| {
            let same = row.page.incident == end.page.incident && row.page.to == end.page.to;
            same && row.page.reason != crate::model::Reason::Resolved && row.handed.is_some()
        });
        if !told {
            return Err(format!(
                "I5: {} hears of the end of {} and not of its beginning",
                end.page.to, end.page.incident
            ));
        }
    }
    Ok(())
}
