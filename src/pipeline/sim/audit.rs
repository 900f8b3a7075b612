//! What must hold in every world: promises I1 to I7, checked from outside over the durable rows, the log and the phones.
//!
//! The idea: nothing here asks the processes what they believe. A shadow leader takes the ledger again, entry by entry, and
//! a shadow evaluation the log, record by record, neither of them ever disturbed; rows must be what the shadows have, the
//! oracle says what was owed, and phones got what was decided. Each check looks at what is new since the last one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decode::Limits;
use crate::evaluate::Warm;
use crate::model::{BookRows, Incident, IncidentState, PageState, Progress, Severity, Signal, WIDE};
use crate::pipeline::leader::Leader;
use crate::pipeline::sim::Violation;
use crate::pipeline::sim::oracle::{Fate, Oracle};
use crate::pipeline::sim::setting::{self, STANDINGS, TOPIC};
use crate::pipeline::sim::world::World;
use crate::pipeline::stages::{At, Lanes};
use crate::store::StoreError;
use crate::time::Clock;

/// More rows than any world makes.
const ALL: usize = 1_000_000;
/// A record stamped so far below the clock counts as at it.
const TOLERANCE: i64 = 5_000;

/// The shadows and how far they have come.
#[derive(Debug)]
pub(super) struct Audit {
    leader: Leader,
    oracle: Oracle,
    /// Ledger entries taken.
    pub(super) entries: i64,
    /// Of these, signals.
    pub(super) signals: usize,
    /// A leader held back what is due when it was looked at last.
    was_held: bool,
    /// The last one's hash.
    pub(super) hash: String,
    lanes: Lanes,
    /// Records taken, per partition.
    fed: BTreeMap<i32, usize>,
    expected: BTreeMap<i32, Vec<Signal>>,
    /// Stored signals that were found right, per partition.
    right: BTreeMap<i32, usize>,
}

fn refused(error: StoreError) -> Violation {
    error.to_string()
}

impl Audit {
    pub(super) fn new(world: &World) -> Self {
        let partitions = world.ground.partitions;
        let limits = Limits { record_bytes: 1 << 20, shapes: 10_000 };
        let mut lanes = Lanes::new(Arc::new(setting::setup(partitions)), limits, None, Vec::new());
        for partition in 0..partitions {
            lanes.start(partition, Some(&Progress::default()), Vec::new(), Warm { low: 0, first_append: None });
        }
        Self {
            leader: Leader::load(&BookRows::default(), setting::standing(0, world.is_roomy)),
            oracle: Oracle::new(world.is_roomy),
            entries: 0,
            signals: 0,
            was_held: false,
            hash: String::new(),
            lanes,
            fed: BTreeMap::new(),
            expected: BTreeMap::new(),
            right: BTreeMap::new(),
        }
    }

    /// How many pages were decided.
    pub(super) fn pages(&self) -> usize {
        self.oracle.pages.len()
    }

    /// Checks that are cheap enough for every step.
    pub(super) fn cheap(&mut self, world: &World) -> Result<(), Violation> {
        let is_held = world.leaders.iter().any(super::process::Leader::holds_dues);
        // One that let go since may have died before it did what was due.
        self.oracle.is_held = std::mem::replace(&mut self.was_held, is_held) || is_held;
        self.follow_the_ledger(world)?;
        self.no_page_arrives_twice(world)?;
        what_is_due_is_done(world)?;
        self.someone_will_act(world)
    }

    /// I7c: the ledger's inputs, taken again, give the same entries, byte for byte; and what was owed was decided.
    fn follow_the_ledger(&mut self, world: &World) -> Result<(), Violation> {
        let new = world.ground.store.ledger(self.entries, ALL).map_err(refused)?;
        let is_roomy = world.is_roomy;
        let standing = |hash: &str| {
            (0..STANDINGS)
                .find(|version| setting::version_hash(*version) == hash)
                .map(|n| setting::standing(n, is_roomy))
        };
        let views = self.leader.replay(&new, standing).map_err(|differs| format!("I7: {differs}"))?;
        for (entry, view) in new.iter().zip(&views) {
            self.oracle.take(entry, view)?;
            self.entries = entry.input_no;
            self.hash.clone_from(&entry.hash);
            self.signals += usize::from(entry.kind == "signal");
        }
        self.oracle.judge()
    }

    /// I3: a page whose outcome was known is never sent again; without a gateway that can be asked, what was resent says
    /// so.
    fn no_page_arrives_twice(&self, world: &World) -> Result<(), Violation> {
        for id in world.ground.gateway.take_news() {
            let times = world.ground.gateway.arrivals(&id);
            let Some(incident) = self.oracle.incident_of(&id) else {
                return Err(format!("I2: page {id} arrived and was not decided"));
            };
            if times == 1 {
                continue;
            }
            let rows = world.ground.store.pages(Some(incident), ALL).map_err(refused)?;
            let row = rows.iter().find(|row| row.page.id == id).ok_or_else(|| format!("I2: page {id} has no row"))?;
            let may_be_resent = !world.ground.gateway.can_be_asked() && row.page.severity <= Severity::S2;
            if !may_be_resent || row.tries < 2 || times > 2 {
                return Err(format!("I3: page {id} arrived {times} times, leased {} times", row.tries));
            }
        }
        Ok(())
    }

    /// I4: an open S1 without ack has a next action, or one is being executed.
    fn someone_will_act(&self, world: &World) -> Result<(), Violation> {
        for leader in world.leaders.iter().filter(|leader| leader.next_due(&world.ground).is_some()) {
            for id in leader.idle_incidents() {
                let rows = world.ground.store.pages(Some(&id), ALL).map_err(refused)?;
                if !rows.iter().any(|row| matches!(row.state, PageState::Waiting | PageState::Handed)) {
                    return Err(format!("I4: {id} is open, S1, not acked, and nothing is due"));
                }
            }
        }
        Ok(())
    }

    /// Everything that costs more.
    pub(super) fn full(&mut self, world: &World) -> Result<(), Violation> {
        self.cheap(world)?;
        self.evaluate(world);
        self.signals_are_those_of_an_undisturbed_run(world)?;
        self.incidents_are_the_ledgers(world)?;
        self.rows_are_the_ledgers(world)
    }

    /// The shadow evaluation takes what is new in the log.
    fn evaluate(&mut self, world: &World) {
        let mut new = Vec::new();
        for partition in 0..world.ground.partitions {
            let from = self.fed.get(&partition).copied().unwrap_or(0);
            let records = world.ground.log.records_from(partition, from);
            self.fed.insert(partition, from + records.len());
            new.extend(records.into_iter().zip(from..).map(|(record, n)| (record.append, partition, n, record)));
        }
        new.sort_by_key(|(append, partition, n, _)| (*append, *partition, *n));
        // A clock that went back: a partition's own order stands over all.
        let mut by_partition: BTreeMap<i32, std::collections::VecDeque<_>> = BTreeMap::new();
        let order: Vec<i32> = new.iter().map(|(_, partition, ..)| *partition).collect();
        new.sort_by_key(|(_, partition, n, _)| (*partition, *n));
        for (_, partition, n, record) in new {
            by_partition.entry(partition).or_default().push_back((n, record));
        }
        for partition in order {
            let Some((n, record)) = by_partition.get_mut(&partition).and_then(std::collections::VecDeque::pop_front)
            else {
                continue;
            };
            let at = At { partition, offset: i64::try_from(n).unwrap_or(i64::MAX), append: record.append };
            let expected = &mut self.expected;
            self.lanes.feed(at, &record.key, &record.value, &mut |fed| {
                let acted = fed.effects.signals.iter().filter(|signal| signal.acted).cloned();
                expected.entry(fed.partition).or_default().extend(acted);
            });
        }
    }

    /// I1, I6, I7b: per partition the stored signals equal those of one run over the whole log, as far as they go.
    fn signals_are_those_of_an_undisturbed_run(&mut self, world: &World) -> Result<(), Violation> {
        for partition in self.compared(world) {
            let right = self.right.entry(partition).or_default();
            let after = i64::try_from(*right).unwrap_or(i64::MAX);
            let stored = world.ground.store.signals(TOPIC, partition, after, ALL).map_err(refused)?;
            let expected = self.expected.get(&partition).map_or(&[][..], Vec::as_slice);
            for (seq, signal) in &stored {
                if *seq != i64::try_from(*right).unwrap_or(i64::MAX) + 1 {
                    return Err(format!("I1: partition {partition}: signal {} has seq {seq}", *right + 1));
                }
                if expected.get(*right) != Some(signal) {
                    let want = expected.get(*right);
                    return Err(format!("I6: partition {partition}, seq {seq}: got {signal:?}, want {want:?}"));
                }
                *right += 1;
            }
        }
        Ok(())
    }

    /// Partitions whose signals are a function of the log. Whether wide ticks of a segment that was left ran before a
    /// partition went back hangs on which partition was read first: across a clock break those of wide rules are none.
    fn compared(&self, world: &World) -> Vec<i32> {
        let broke = (0..world.ground.partitions).any(|partition| world.ground.log.went_back(partition, TOLERANCE));
        (0..world.ground.partitions).chain((!broke).then_some(WIDE)).collect()
    }

    /// I6: the incidents that are stored are those that the ledger gives.
    fn incidents_are_the_ledgers(&self, world: &World) -> Result<(), Violation> {
        let stored = world.ground.store.incidents(ALL).map_err(refused)?;
        let speaks_for = |child: &Incident, it: &Incident| {
            child.parent.as_ref() == Some(&it.id) && it.state.is_live() && it.severity <= child.severity
        };
        for child in stored.iter().filter(|it| it.state.is_live() && it.parent.is_some()) {
            if !stored.iter().any(|it| speaks_for(child, it)) {
                return Err(format!("I4: {} hangs under {:?}, which does not speak for it", child.id, child.parent));
            }
        }
        let mut stored: BTreeMap<&str, &Incident> = stored
            .iter()
            .filter(|incident| incident.state != IncidentState::Closed)
            .map(|incident| (incident.id.as_str(), incident))
            .collect();
        for incident in self.leader.open_incidents() {
            match stored.remove(incident.id.as_str()) {
                Some(row) if row == incident => {}
                row => return Err(format!("I6: stored is {row:?}, the ledger gives {incident:?}")),
            }
        }
        match stored.pop_first() {
            Some((id, _)) => Err(format!("I6: {id} is stored and not in the ledger")),
            None => Ok(()),
        }
    }

    /// I2, I7c: the outbox has the ledger's pages, each with its text, and none that was taken back still waits.
    fn rows_are_the_ledgers(&self, world: &World) -> Result<(), Violation> {
        let rows = world.ground.store.pages(None, ALL).map_err(refused)?;
        let mut there = std::collections::BTreeSet::new();
        for row in &rows {
            let id = row.page.id.as_str();
            let Some(decided) = self.oracle.pages.get(id) else {
                return Err(format!("I7: page {id} of {} is not in a second run", row.page.incident));
            };
            if decided.page != row.page {
                return Err(format!("I7: page {id} is {:?}, in a second run {:?}", row.page, decided.page));
            }
            if (decided.fate == Fate::Gone) != (row.state == PageState::Cancelled) {
                return Err(format!("I5: page {id} is {}, for the ledger {:?}", row.state.word(), decided.fate));
            }
            there.insert(id);
        }
        // What was decided and taken back in one transaction was never there.
        let lost = |it: &&super::oracle::Decided| it.fate != Fate::Gone && !there.contains(it.page.id.as_str());
        match self.oracle.pages.values().find(lost) {
            Some(lost) => Err(format!("I2: page {} was decided and is in no outbox row", lost.page.id)),
            None => Ok(()),
        }
    }

    /// What holds once the world healed and had time to finish its work.
    pub(super) fn end(&mut self, world: &World) -> Result<(), Violation> {
        self.full(world)?;
        self.every_signal_was_handed_over_and_taken(world)?;
        pages_are_settled(world)?;
        self.answers_were_given(world)?;
        self.a_new_leader_knows_as_much(world)
    }

    /// I1: what evaluation had to say is stored, and what is stored the leader took.
    fn every_signal_was_handed_over_and_taken(&self, world: &World) -> Result<(), Violation> {
        for partition in self.compared(world) {
            let right = self.right.get(&partition).copied().unwrap_or(0);
            let missing = self.expected.get(&partition).map_or(&[][..], Vec::as_slice).get(right..).unwrap_or(&[]);
            if !missing.is_empty() {
                return Err(format!("I1: partition {partition}: {} signals are missing: {missing:?}", missing.len()));
            }
        }
        let cursors = world.ground.store.cursors().map_err(refused)?;
        for partition in WIDE..world.ground.partitions {
            let stored = world.ground.store.signals(TOPIC, partition, 0, ALL).map_err(refused)?;
            let last = stored.last().map_or(0, |(seq, _)| *seq);
            let taken = cursors.iter().find(|key| key.partition == partition).map_or(0, |key| key.seq);
            if last != taken {
                return Err(format!("I1: partition {partition}: handed over up to {last}, taken up to {taken}"));
            }
        }
        Ok(())
    }

    /// I5, its first half: what people asked for was decided, and each got an answer.
    fn answers_were_given(&self, world: &World) -> Result<(), Violation> {
        let entries = world.ground.store.ledger(0, ALL).map_err(refused)?;
        for kind in ["ack", "ack_code", "handover", "unack", "resolve", "reopen"] {
            let asked = world.asked.iter().filter(|(_, of)| *of == kind).count();
            let decided = entries.iter().filter(|entry| entry.kind == kind).count();
            if asked != decided {
                return Err(format!("I5: {kind} was asked for {asked} times, the ledger has {decided}"));
            }
        }
        for (row, kind) in &world.asked {
            if world.ground.store.answer(*row).map_err(refused)?.is_none() {
                return Err(format!("I5: {kind} was never answered"));
            }
        }
        Ok(())
    }

    /// I6: whoever takes over from the rows alone goes on where the ledger stands.
    fn a_new_leader_knows_as_much(&self, world: &World) -> Result<(), Violation> {
        let store = &world.ground.store;
        let seat = store.seat().map_err(refused)?;
        let rows = store.lead("auditor", &seat).map_err(refused)?.ok_or("I6: nobody can take over")?;
        let new = Leader::load(&rows, self.leader.world());
        if new.next_due() != self.leader.next_due() {
            let (got, want) = (new.next_due(), self.leader.next_due());
            return Err(format!("I6: a new leader would act at {got:?}, the old one at {want:?}"));
        }
        for incident in self.leader.open_incidents() {
            let id = &incident.id;
            let (got, want) = (new.chain_due(id), self.leader.chain_due(id));
            if got != want {
                return Err(format!("I6: the chain of {id} goes on at {got:?}, in the ledger at {want:?}"));
            }
            let (got, want) = (new.told(id), self.leader.told(id));
            if got != want {
                return Err(format!("I6: told of {id} are {got:?}, in the ledger {want:?}"));
            }
        }
        Ok(())
    }
}

/// A leader that is at work has done what was due.
fn what_is_due_is_done(world: &World) -> Result<(), Violation> {
    let now = world.ground.clock.wall();
    for leader in &world.leaders {
        if let Some(due) = leader.next_due(&world.ground).flatten().filter(|due| *due <= now) {
            return Err(format!("I4: something was due at {due} and is not done at {now}"));
        }
    }
    Ok(())
}

/// I2: no page is left waiting; only S3 and S4 may end unknown.
fn pages_are_settled(world: &World) -> Result<(), Violation> {
    let now = world.ground.clock.wall();
    for row in world.ground.store.pages(None, ALL).map_err(refused)? {
        let id = &row.page.id;
        let settled = match row.state {
            PageState::Accepted | PageState::Delivered | PageState::Failed | PageState::Cancelled => true,
            PageState::Unknown => row.page.severity > Severity::S2 || row.tries > 1,
            PageState::Waiting => row.page.due > now,
            PageState::Handed => false,
        };
        if !settled {
            return Err(format!("I2: page {id} of {} is still {}", row.page.incident, row.state.word()));
        }
        if matches!(row.state, PageState::Accepted | PageState::Delivered) && world.ground.gateway.arrivals(id) == 0 {
            return Err(format!("I2: page {id} is {} and reached no phone", row.state.word()));
        }
    }
    Ok(())
}
