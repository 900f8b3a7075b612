//! One simulated world: hosts that send late, twice, in bursts or not at all, clocks that break and jump, a gateway with
//! moods and late receipts, people who take, give and end, and processes that die, stand still and are told of other rules.
//!
//! The idea: the processes are the product's own over the product's own store; only the log, the gateway and the clock are
//! simulated. What a world does is a function of its plan alone.

use std::sync::Arc;

use crate::log::{NewRecord, Sink};
use crate::model::{Input, Outcome, PageState};
use crate::pipeline::sim::Reloads;
use crate::pipeline::sim::gateway::{FakeGateway, Mood};
use crate::pipeline::sim::hosts::Hosts;
use crate::pipeline::sim::log::MemoryLog;
use crate::pipeline::sim::plan::{Act, Plan, Who};
use crate::pipeline::sim::process::{Evaluating, Ground, Leader, Turn};
use crate::pipeline::sim::setting::TOPIC;
use crate::pipeline::sim::site::{self, Site};
use crate::store::{About, Store};
use crate::time::{Clock, ManualClock, Ms};

/// Where every world's time begins: 2026-01-05 09:00 KST, a Monday.
pub(super) const BEGINNING: Ms = 1_767_571_200_000;
/// Turns after which processes that still find work are going round in circles.
const TURNS_MAX: usize = 5_000;
/// More rows than any world makes.
const ALL: usize = 1_000_000;

/// One simulated world.
#[derive(Debug)]
pub(super) struct World {
    pub(super) ground: Ground,
    /// The log's clock minus the wall clock.
    log_ahead: Ms,
    pub(super) evaluating: Evaluating,
    pub(super) leaders: [Leader; 2],
    hosts: Hosts,
    standing: usize,
    pub(super) site: Site,
    /// Inputs of people, with their rows.
    pub(super) asked: Vec<(i64, Input)>,
    /// Reloads of the rules.
    pub(super) reloads: Reloads,
    /// When the processes worked last, a leader that began held back what was due, or one had died before it did that and
    /// nobody led.
    pub(super) held: bool,
    /// How often a process died.
    pub(super) deaths: usize,
}

impl World {
    /// A world over `store`, as `plan` wants it, before its first step.
    pub(super) fn new(plan: &Plan, store: Arc<dyn Store>) -> Self {
        let ground = Ground {
            store,
            clock: Arc::new(ManualClock::at(BEGINNING)),
            log: MemoryLog::new(TOPIC, plan.partitions, BEGINNING),
            gateway: FakeGateway::new(plan.can_be_asked),
            partitions: plan.partitions,
        };
        let standing = plan.site.standing(0);
        let leaders = ["leader-1", "leader-2"].map(|name| Leader::new(name, &ground, &standing));
        Self {
            log_ahead: 0,
            evaluating: Evaluating::new(&ground, plan.site),
            leaders,
            hosts: Hosts::new(),
            standing: 0,
            site: plan.site,
            asked: Vec::new(),
            reloads: Reloads::default(),
            held: false,
            deaths: 0,
            ground,
        }
    }

    /// The first inputs: the world that the ledger begins in.
    pub(super) fn begin(&mut self) -> Result<(), String> {
        let reload = Input::Reload { hash: site::version_hash(0), contacts: Vec::new() };
        self.ground.store.add_input(&reload, self.now()).map_err(|error| error.to_string())?;
        self.work()
    }

    pub(super) fn now(&self) -> Ms {
        self.ground.clock.wall()
    }

    /// Lets `by` ms pass, for the processes and the log.
    pub(super) fn pass(&mut self, by: Ms) {
        self.ground.clock.advance(by);
        self.set_log_clock();
    }

    fn set_log_clock(&self) {
        self.ground.log.set_now(self.now() + self.log_ahead);
    }

    /// Ends all mischief: hosts send again, the gateway accepts, nobody dies any more.
    pub(super) fn heal(&mut self) {
        self.evaluating.mortal().heal();
        self.leaders.iter_mut().for_each(Leader::heal);
        self.ground.gateway.set_mood(Mood::Accepts);
        self.hosts.heal();
    }

    /// Every host sends once.
    pub(super) fn send_all(&mut self) {
        for (key, value) in self.hosts.all(self.now()) {
            self.append(key, value);
        }
    }

    /// Whether somebody is on the list of people that is in force.
    pub(super) fn lists(&self, contact: &str) -> bool {
        self.site.standing(self.standing).people.contacts.iter().any(|listed| listed.id == contact)
    }

    /// Lets the processes work until all are quiet. Who is dead begins again first; who dies now, next time.
    pub(super) fn work(&mut self) -> Result<(), String> {
        self.evaluating.begin(&self.ground)?;
        let standing = self.site.standing(self.standing);
        self.leaders.iter_mut().for_each(|leader| leader.begin(&self.ground, &standing));
        let mut last = [Turn::Idle; 3];
        self.held = false;
        for _ in 0..TURNS_MAX {
            let turns = [
                self.evaluating.turn(&self.ground)?,
                self.leaders[0].turn(&self.ground)?,
                self.leaders[1].turn(&self.ground)?,
            ];
            self.held |= self.leaders.iter().any(Leader::holds_dues);
            self.deaths += turns.iter().filter(|turn| **turn == Turn::Died).count();
            if turns == [Turn::Idle; 3] {
                self.held |= !self.is_led();
                return Ok(());
            }
            last = turns;
        }
        let ledger = self.ground.store.ledger(0, ALL).map_err(|error| error.to_string())?;
        let did: Vec<&str> = ledger.iter().rev().take(6).map(|entry| entry.kind.as_str()).collect();
        let told: Vec<String> = self.leaders.iter().map(Leader::told).collect();
        Err(format!("the processes are never quiet: {last:?}; {told:?}; the ledger's last entries: {did:?}"))
    }

    /// Whether a process leads and does not stand still.
    pub(super) fn is_led(&self) -> bool {
        self.leaders.iter().any(|leader| leader.next_due(&self.ground).is_some())
    }

    // --- what happens

    /// Does one act.
    pub(super) fn act(&mut self, act: &Act) -> Result<(), String> {
        if let Some((key, value)) = self.hosts.act(act, self.now()) {
            self.append(key, value);
        }
        match *act {
            Act::Mood(mood) => self.ground.gateway.set_mood(mood),
            Act::LogClock(ahead) => {
                self.log_ahead = ahead;
                self.set_log_clock();
                self.send_all();
            }
            Act::WallClock(by) => {
                self.ground.clock.step(by);
                // The log's machine is another one.
                self.log_ahead -= by;
            }
            Act::Crash(Who::Evaluator, steps, after) => self.evaluating.mortal().plan_crash(steps, after),
            Act::Crash(who, steps, after) => self.leader(who).mortal().plan_crash(steps, after),
            Act::Loss(who, steps) => self.leader(who).mortal().plan_loss(steps),
            Act::Pause(who, length) => {
                let ground = self.ground.clone();
                self.leader(who).pause(&ground, length);
            }
            Act::Reload(version) => {
                self.standing = version;
                let standing = self.site.standing(version);
                self.leaders.iter_mut().for_each(|leader| leader.reload(&standing));
                self.evaluating.reload(&self.ground, version, &mut self.reloads)?;
            }
            Act::Receipt(pick, arrives) => self.receipt(pick, arrives)?,
            _ => self.person(act)?,
        }
        Ok(())
    }

    fn leader(&mut self, who: Who) -> &mut Leader {
        &mut self.leaders[usize::from(who == Who::Second)]
    }

    fn append(&self, key: Vec<u8>, value: Vec<u8>) {
        for done in self.ground.log.append(vec![NewRecord { partition: None, key, value }]) {
            debug_assert!(done.is_ok(), "the simulated log takes everything");
        }
    }

    /// A receipt goes past the processes: whoever receives it writes it. That a page is on the phone may be known before
    /// its sender wrote down that it gave it away, or died.
    fn receipt(&mut self, pick: usize, arrives: bool) -> Result<(), String> {
        let store = &self.ground.store;
        let mut rows = store.pages(None, ALL).map_err(|error| error.to_string())?;
        rows.retain(|row| match row.state {
            PageState::Accepted => true,
            PageState::Handed | PageState::Unknown => arrives && self.ground.gateway.arrivals(&row.page.id) > 0,
            _ => false,
        });
        let Some(row) = rows.get(pick % rows.len().max(1)) else { return Ok(()) };
        let outcome = match arrives {
            true => Outcome::Delivered { id: "sim".to_owned() },
            false => Outcome::Failed { reason: "recipient".to_owned() },
        };
        store.receipt(&About::Page(&row.page.id), &outcome, self.now()).map_err(|error| error.to_string())?;
        Ok(())
    }
}
