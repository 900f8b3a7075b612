//! What must hold in every world: promises I1 to I7, checked from outside over the durable rows, the log and the phones.
//!
//! The idea: nothing here asks the processes what they believe. A shadow leader takes the ledger again, entry by entry, and
//! a shadow evaluation the log, record by record, neither of them ever disturbed; rows must be what the shadows have, the
//! oracle says what was owed, and phones got what was decided. Each check looks at what is new since the last one.

use crate::model::{PageState, Severity};
use crate::notify::EDIT_MAX;
use crate::pipeline::sim::Violation;
use crate::pipeline::sim::promises::{Promises, refused};
use crate::pipeline::sim::setting::LIMITS;
use crate::pipeline::sim::undisturbed::{Places, Undisturbed};
use crate::pipeline::sim::world::World;
use crate::store::Store;
use crate::time::Clock;

/// More rows than any world makes.
const ALL: usize = 1_000_000;

/// The shadows and how far they have come.
#[derive(Debug)]
pub(super) struct Audit {
    pub(super) promises: Promises,
    undisturbed: Undisturbed,
}

impl Audit {
    pub(super) fn new(world: &World) -> Self {
        let setup = world.site.setup(world.ground.partitions, 0);
        Self {
            promises: Promises::new(world.site.standing(0), world.site.terms()),
            undisturbed: Undisturbed::new(&setup, LIMITS),
        }
    }

    /// How many pages were decided.
    pub(super) fn pages(&self) -> usize {
        self.promises.oracle.pages.len()
    }

    /// Checks that are cheap enough for every step.
    pub(super) fn cheap(&mut self, world: &World) -> Result<(), Violation> {
        self.promises.hold(world.held);
        self.promises.follow(store_of(world), |hash| world.site.standing_of(hash))?;
        self.nothing_is_overdue(world)?;
        self.no_page_arrives_twice(world)?;
        what_is_due_is_done(world)?;
        self.someone_will_act(world)
    }

    /// I4: while somebody leads, whatever the ledger makes due is in the ledger.
    fn nothing_is_overdue(&self, world: &World) -> Result<(), Violation> {
        if world.is_led() { self.promises.nothing_is_overdue(world.ground.clock.wall()) } else { Ok(()) }
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
        self.undisturbed.follow(places(world), to_the_end)?;
        self.promises.incidents_are_the_ledgers(store_of(world))?;
        self.promises.rows_are_the_ledgers(store_of(world))
    }

    /// What holds once the world healed and had time to finish its work.
    pub(super) fn end(&mut self, world: &World) -> Result<(), Violation> {
        self.check(world, true)?;
        self.undisturbed.all_was_said_and_taken(places(world))?;
        self.pages_are_settled(world)?;
        Promises::answers_were_given(store_of(world), &world.asked)?;
        self.promises.a_new_leader_knows_as_much(store_of(world))
    }

    /// I2: no page is left waiting; only S3 and S4 may end unknown, and of those only what a gateway was given, or what
    /// whoever died was just about to give it. I3: what arrived twice says so.
    fn pages_are_settled(&self, world: &World) -> Result<(), Violation> {
        let (now, gateway) = (world.ground.clock.wall(), &world.ground.gateway);
        for row in world.ground.store.pages(None, ALL).map_err(refused)? {
            let id = &row.page.id;
            let settled = match row.state {
                PageState::Accepted | PageState::Delivered | PageState::Failed | PageState::Cancelled => true,
                PageState::Unknown => row.page.severity > Severity::S2 || row.tries > 1,
                PageState::Waiting if row.page.due > now => true,
                // A process that reads the list of people a moment later may know whoever is not on it.
                PageState::Waiting => !world.lists(&row.page.to) && now - row.page.decided < EDIT_MAX,
                PageState::Handed => false,
            };
            if !settled {
                return Err(format!("I2: page {id} of {} is still {}", row.page.incident, row.state.word()));
            }
            let is_doubted = world.leaders.iter().any(|leader| leader.mortal().doubts(id));
            if row.state == PageState::Unknown && !gateway.was_given(id) && !is_doubted {
                return Err(format!("I2: nobody knows of page {id}, and no gateway was given it"));
            }
            if matches!(row.state, PageState::Accepted | PageState::Delivered) && gateway.arrivals(id) == 0 {
                return Err(format!("I2: page {id} is {} and reached no phone", row.state.word()));
            }
            let is_marked = self.promises.oracle.pages.get(id).is_some_and(|decided| decided.is_resent);
            if gateway.arrivals(id) > 1 && !is_marked {
                return Err(format!("I3: page {id} arrived twice, and the ledger does not say that it was resent"));
            }
        }
        Ok(())
    }
}

fn places(world: &World) -> Places<'_> {
    let flushes = world.evaluating.mortal().flushes();
    Places { log: &world.ground.log, store: store_of(world), reloads: &world.reloads, flushes }
}

fn store_of(world: &World) -> &dyn Store {
    world.ground.store.as_ref()
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
