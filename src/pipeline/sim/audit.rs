//! What must hold in every world: promises I1 to I7, checked from outside over the durable rows, the log and the phones.
//!
//! The idea: nothing here asks the processes what they believe. A shadow leader takes the ledger again, entry by entry, and
//! a shadow evaluation the log, record by record, neither of them ever disturbed; rows must be what the shadows have, the
//! oracle says what was owed, and phones got what was decided. Each check looks at what is new since the last one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decode::Limits;
use crate::evaluate::Warm;
use crate::model::{PageState, Progress, Severity, Signal, WIDE};
use crate::pipeline::leader::Leader;
use crate::pipeline::sim::Violation;
use crate::pipeline::sim::promises::{Promises, refused};
use crate::pipeline::sim::setting::{self, TOPIC};
use crate::pipeline::sim::world::World;
use crate::pipeline::stages::{At, Fed, Lanes};
use crate::store::Store;
use crate::time::Clock;

/// More rows than any world makes.
const ALL: usize = 1_000_000;
/// A record stamped so far below the clock counts as at it.
const TOLERANCE: i64 = 5_000;

/// The shadows and how far they have come.
#[derive(Debug)]
pub(super) struct Audit {
    pub(super) promises: Promises,
    /// A leader held back what is due when it was looked at last.
    was_held: bool,
    lanes: Lanes,
    /// Reloads of the rules that were gone through.
    reloaded: usize,
    /// Records taken, per partition.
    fed: BTreeMap<i32, usize>,
    expected: BTreeMap<i32, Vec<Signal>>,
    /// Stored signals that were found right, per partition.
    right: BTreeMap<i32, usize>,
}

impl Audit {
    pub(super) fn new(world: &World) -> Self {
        let partitions = world.ground.partitions;
        let limits = Limits { record_bytes: 1 << 20, shapes: 10_000 };
        let mut lanes = Lanes::new(Arc::new(setting::setup(partitions, 0)), limits, None, Vec::new());
        for partition in 0..partitions {
            lanes.start(partition, Some(&Progress::default()), Vec::new(), Warm { low: 0, first_append: None });
        }
        Self {
            promises: Promises::new(world.site.standing(0), world.site.terms()),
            was_held: false,
            lanes,
            reloaded: 0,
            fed: BTreeMap::new(),
            expected: BTreeMap::new(),
            right: BTreeMap::new(),
        }
    }

    /// How many pages were decided.
    pub(super) fn pages(&self) -> usize {
        self.promises.oracle.pages.len()
    }

    /// Checks that are cheap enough for every step.
    pub(super) fn cheap(&mut self, world: &World) -> Result<(), Violation> {
        // One that let go since may have died before it did what was due.
        self.promises.oracle.is_held = std::mem::replace(&mut self.was_held, world.held) || world.held;
        self.promises.follow(store_of(world), |hash| world.site.standing_of(hash))?;
        self.nothing_is_overdue(world)?;
        self.no_page_arrives_twice(world)?;
        what_is_due_is_done(world)?;
        self.someone_will_act(world)
    }

    /// I4: while somebody leads, whatever the ledger makes due is in the ledger.
    fn nothing_is_overdue(&self, world: &World) -> Result<(), Violation> {
        let now = world.ground.clock.wall();
        let mut leads = world.leaders.iter().filter(|leader| leader.next_due(&world.ground).is_some());
        let waits = !self.promises.oracle.is_held && leads.next().is_some();
        match self.promises.leader.next_due().filter(|due| *due <= now && waits) {
            Some(due) => Err(format!("I4: by the ledger something was due at {due}, and is not done at {now}")),
            None => Ok(()),
        }
    }

    /// I3: a page whose outcome was known is never sent again; without a gateway that can be asked, what was resent says
    /// so.
    fn no_page_arrives_twice(&self, world: &World) -> Result<(), Violation> {
        for id in world.ground.gateway.take_news() {
            let times = world.ground.gateway.arrivals(&id);
            let Some(incident) = self.promises.oracle.incident_of(&id) else {
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
        self.check(world, false)
    }

    fn check(&mut self, world: &World, to_the_end: bool) -> Result<(), Violation> {
        self.cheap(world)?;
        self.evaluate(world, to_the_end)?;
        self.signals_are_those_of_an_undisturbed_run(world)?;
        self.promises.incidents_are_the_ledgers(store_of(world))?;
        self.promises.rows_are_the_ledgers(store_of(world))
    }

    /// The shadow evaluation takes what is new in the log, as far as it was made durable, or all of it; other rules come
    /// in force at the very record at which they did.
    fn evaluate(&mut self, world: &World, to_the_end: bool) -> Result<(), Violation> {
        let partitions = world.ground.partitions;
        let offset = |partition| {
            let progress = world.ground.store.progress(TOPIC, partition).map_err(refused)?;
            Ok(progress.map_or(0, |(_, progress)| progress.offset))
        };
        let durable: Vec<i64> = (0..partitions).map(offset).collect::<Result<_, Violation>>()?;
        let end = if to_the_end { vec![i64::MAX; durable.len()] } else { durable };
        while let Some((from, version)) = world.reloads.get(self.reloaded) {
            self.feed(world, from);
            let expected = &mut self.expected;
            let setup = Arc::new(setting::setup(partitions, *version));
            self.lanes.reload(&setup, &mut |fed| keep(expected, &fed));
            self.reloaded += 1;
        }
        self.feed(world, &end);
        Ok(())
    }

    /// Takes the records up to an offset of each partition, in the order of their append times; where a clock went back, a
    /// partition's own order stands over that.
    fn feed(&mut self, world: &World, until: &[i64]) {
        let mut order = Vec::new();
        let mut queues = Vec::new();
        for (partition, until) in (0..).zip(until) {
            let from = self.fed.get(&partition).copied().unwrap_or(0);
            let mut records = world.ground.log.records_from(partition, from);
            records.truncate(usize::try_from(*until).unwrap_or(0).saturating_sub(from));
            self.fed.insert(partition, from + records.len());
            order.extend(records.iter().zip(from..).map(|(record, n)| (record.append, partition, n)));
            queues.push((from..).zip(records).collect::<std::collections::VecDeque<_>>());
        }
        order.sort_unstable();
        for (_, partition, _) in order {
            let queue = usize::try_from(partition).ok().and_then(|n| queues.get_mut(n));
            let Some((n, record)) = queue.and_then(std::collections::VecDeque::pop_front) else { continue };
            let at = At { partition, offset: i64::try_from(n).unwrap_or(i64::MAX), append: record.append };
            let expected = &mut self.expected;
            self.lanes.feed(at, &record.key, &record.value, &mut |fed| keep(expected, &fed));
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

    /// What holds once the world healed and had time to finish its work.
    pub(super) fn end(&mut self, world: &World) -> Result<(), Violation> {
        self.check(world, true)?;
        self.every_signal_was_handed_over_and_taken(world)?;
        pages_are_settled(world)?;
        Promises::answers_were_given(store_of(world), &world.asked)?;
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

    /// I6: whoever takes over from the rows alone goes on where the ledger stands.
    fn a_new_leader_knows_as_much(&self, world: &World) -> Result<(), Violation> {
        let store = &world.ground.store;
        let seat = store.seat().map_err(refused)?;
        let rows = store.lead("auditor", &seat).map_err(refused)?.ok_or("I6: nobody can take over")?;
        let new = Leader::load(&rows, self.promises.leader.world());
        if new.next_due() != self.promises.leader.next_due() {
            let (got, want) = (new.next_due(), self.promises.leader.next_due());
            return Err(format!("I6: a new leader would act at {got:?}, the old one at {want:?}"));
        }
        for incident in self.promises.leader.open_incidents() {
            let id = &incident.id;
            let (got, want) = (new.chain_due(id), self.promises.leader.chain_due(id));
            if got != want {
                return Err(format!("I6: the chain of {id} goes on at {got:?}, in the ledger at {want:?}"));
            }
            let (got, want) = (new.told(id), self.promises.leader.told(id));
            if got != want {
                return Err(format!("I6: told of {id} are {got:?}, in the ledger {want:?}"));
            }
        }
        Ok(())
    }
}

fn store_of(world: &World) -> &dyn Store {
    world.ground.store.as_ref()
}

/// Keeps the signals of the shadow evaluation that the incident stage acts on.
fn keep(expected: &mut BTreeMap<i32, Vec<Signal>>, fed: &Fed<'_>) {
    let acted = fed.effects.signals.iter().filter(|signal| signal.acted).cloned();
    expected.entry(fed.partition).or_default().extend(acted);
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
