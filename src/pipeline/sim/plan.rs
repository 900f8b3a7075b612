//! What happens in a world, as data: a seed becomes a plan, and a plan can be run again, shortened, and shown.
//!
//! The idea: an act names nothing that exists only in one run. It says "the third of whatever is open", so a plan of which
//! half was taken out is still a plan, and a failing one can be shrunk. No state: see `world`.

use crate::pipeline::sim::gateway::Mood;
use crate::pipeline::sim::setting::{HOSTS, PARTS, PERSONS};
use crate::pipeline::sim::site::{STANDINGS, Site};
use crate::time::{HOUR, MINUTE, Ms, SECOND};

/// Inputs of a world.
pub const INPUTS: usize = 300;
/// Kinds of things that silences are about.
pub(super) const ABOUT: usize = 14;

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The one that evaluates.
    Evaluator,
    /// The first of those that lead, or wait to, and send.
    First,
    /// The second.
    Second,
}

/// One thing that happens to the processes: one input.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// A host sends a record.
    Record {
        /// Which.
        host: usize,
        /// How old it is.
        late: Ms,
        /// Around its level.
        jitter: f64,
        /// It holds a heart beat.
        beat: bool,
        /// It holds bad log lines.
        lines: bool,
    },
    /// A host's last record once more.
    Again(usize),
    /// Something that cannot be read, of one of several kinds.
    Garbage(usize, usize),
    /// A host's value goes elsewhere, and it says so.
    Level(usize, f64),
    /// A host says nothing for a while.
    Silent(usize, Ms),
    /// Hosts that stand on one thing say nothing for a while.
    Dark(usize, Ms),
    /// A host's clock is off.
    Skew(usize, Ms),
    /// The gateway answers otherwise.
    Mood(Mood),
    /// The log's clock is so far ahead of the wall clock.
    LogClock(Ms),
    /// The wall clock jumps.
    WallClock(Ms),
    /// Somebody takes an incident.
    Ack(usize, usize, Ms),
    /// Somebody takes one by a code.
    AckCode(usize, usize, Code),
    /// Somebody hands one over.
    Handover(usize, usize, Option<Ms>),
    /// Somebody gives one back.
    Unack(usize, usize),
    /// Somebody says that it is over.
    Resolve(usize, usize),
    /// Somebody says that it is not.
    Reopen(usize, usize),
    /// Somebody wants to hear nothing of something.
    Silence(Hush),
    /// Somebody ends a silence.
    Expire(usize, usize),
    /// Somebody approves one.
    Approve(usize, usize),
    /// A drill begins, more or less severe, or ends.
    Drill(usize, Option<usize>),
    /// A receipt of a page that was accepted, however long ago: it arrived, or did not.
    Receipt(usize, bool),
    /// A process dies so many durable steps from now, before the write or after it.
    Crash(Who, i64, bool),
    /// So many durable steps from now a process does not learn that one was done.
    Loss(Who, i64),
    /// A process stands still, and comes back believing what it believed.
    Pause(Who, Ms),
    /// Other rules and people.
    Reload(usize),
    /// An edited file cannot be read, or can be again.
    BrokenFile(bool),
}

/// A one-time code, as somebody has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Of the newest pages.
    Newest,
    /// One that was used.
    Used,
    /// Of another occurrence of the incident.
    Expired,
}

/// A silence that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hush {
    /// What it is about, of a few kinds.
    pub about: usize,
    /// It begins so much later.
    pub after: Ms,
    /// Its length from then.
    pub length: Ms,
    /// Who asks.
    pub by: usize,
    /// It would have hidden something grave: it needs a second approver.
    pub is_grave: bool,
    /// Who that shall be, where somebody is named.
    pub approver: Option<usize>,
    /// The silence whose place it takes.
    pub replaces: Option<usize>,
}

/// Some acts at one instant, and the time that passes before them.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Before it, ms.
    pub pass: Ms,
    /// What happens.
    pub acts: Vec<Act>,
}

/// A world's whole life.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Its seed, for whoever reads it.
    pub seed: u64,
    /// Partitions of the topic.
    pub partitions: i32,
    /// Whether the gateway can be asked what became of a page.
    pub can_be_asked: bool,
    /// What the world has.
    pub site: Site,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The plan of a seed: [`INPUTS`] inputs or a few more.
    pub fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (partitions, can_be_asked) = (rng.i32(1..=3), rng.bool());
        let site = Site {
            is_roomy: rng.u8(..4) > 0,
            has_topology: rng.u8(..3) > 0,
            is_stormy: rng.bool(),
            has_windows: rng.bool(),
            inhibits: rng.bool(),
        };
        let mut plan = Self { seed, partitions, can_be_asked, site, steps: Vec::new() };
        let mut inputs = 0;
        while inputs < INPUTS {
            let pass = if rng.u8(..) < 40 { rng.i64(5_000..40_000) } else { rng.i64(50..5_000) };
            let acts = acts(&mut rng);
            inputs += acts.len();
            plan.steps.push(Step { pass, acts });
        }
        plan
    }

    /// How many inputs it has.
    pub fn inputs(&self) -> usize {
        self.steps.iter().map(|step| step.acts.len()).sum()
    }
}

fn acts(rng: &mut fastrand::Rng) -> Vec<Act> {
    match rng.u8(..100) {
        0..=39 => (0..rng.usize(1..=8)).map(|_| record(rng)).collect(),
        40..=69 => (0..rng.usize(1..=3)).map(|_| person(rng)).collect(),
        _ => vec![mischief(rng)],
    }
}

fn record(rng: &mut fastrand::Rng) -> Act {
    let host = rng.usize(..HOSTS.len());
    let late = if rng.u8(..100) < 15 { rng.i64(0..90_000) } else { rng.i64(0..400) };
    if rng.u8(..100) < 8 {
        return Act::Again(host);
    }
    let (beat, lines) = (rng.u8(..100) < 95, rng.u8(..100) < 10);
    Act::Record { host, late, jitter: rng.f64() * 4.0 - 2.0, beat, lines }
}

/// What people and gateways do.
fn person(rng: &mut fastrand::Rng) -> Act {
    let (pick, by) = (rng.usize(..64), rng.usize(..PERSONS));
    match rng.u8(..100) {
        0..=18 => Act::Ack(pick, by, rng.i64(30 * SECOND..10 * MINUTE)),
        19..=27 => Act::AckCode(pick, by, [Code::Newest, Code::Newest, Code::Used, Code::Expired][rng.usize(..4)]),
        28..=34 => Act::Handover(pick, by, rng.bool().then(|| rng.i64(MINUTE..5 * MINUTE))),
        35..=41 => Act::Unack(pick, by),
        42..=47 => Act::Resolve(pick, by),
        48..=52 => Act::Reopen(pick, by),
        53..=62 => Act::Silence(hush(rng, by)),
        63..=66 => Act::Expire(pick, by),
        67..=70 => Act::Approve(pick, by),
        71..=73 => Act::Drill(rng.usize(..HOSTS.len()), (rng.u8(..3) > 0).then(|| rng.usize(..3))),
        _ => Act::Receipt(pick, rng.u8(..3) > 0),
    }
}

fn hush(rng: &mut fastrand::Rng, by: usize) -> Hush {
    Hush {
        about: rng.usize(..ABOUT),
        after: if rng.u8(..4) == 0 { rng.i64(SECOND..MINUTE) } else { 0 },
        length: rng.i64(5 * SECOND..4 * MINUTE),
        by,
        is_grave: rng.u8(..5) == 0,
        approver: (rng.u8(..4) == 0).then(|| rng.usize(..PERSONS + 1)),
        replaces: (rng.u8(..5) == 0).then(|| rng.usize(..64)),
    }
}

fn mischief(rng: &mut fastrand::Rng) -> Act {
    let host = rng.usize(..HOSTS.len());
    match rng.u8(..100) {
        0..=33 => Act::Level(host, [10.0, 50.0, 65.0, 75.0, 85.0, 92.0, 99.0][rng.usize(..7)]),
        34..=42 => Act::Silent(host, rng.i64(10 * SECOND..4 * MINUTE)),
        43..=46 => Act::Dark(rng.usize(..PARTS.len()), rng.i64(2 * MINUTE..4 * MINUTE)),
        47..=55 => Act::Mood(Mood::ALL[rng.usize(..Mood::ALL.len())]),
        56..=58 => Act::LogClock([0, 0, 3 * SECOND, MINUTE, -MINUTE, HOUR][rng.usize(..6)]),
        59..=61 => Act::WallClock([-40 * SECOND, -3 * SECOND, 3 * SECOND, MINUTE, -HOUR, HOUR][rng.usize(..6)]),
        62..=66 => Act::Skew(host, [0, 45 * SECOND, -45 * SECOND, HOUR][rng.usize(..4)]),
        67..=70 => Act::Garbage(host, rng.usize(..4)),
        71..=74 => Act::Crash(Who::Evaluator, rng.i64(0..4), rng.bool()),
        75..=82 => Act::Crash(leader(rng), rng.i64(0..6), rng.bool()),
        83..=86 => Act::Loss(leader(rng), rng.i64(0..12)),
        87..=91 => Act::Pause(leader(rng), rng.i64(SECOND..30 * SECOND)),
        92..=93 => Act::BrokenFile(rng.bool()),
        _ => Act::Reload(rng.usize(..STANDINGS)),
    }
}

fn leader(rng: &mut fastrand::Rng) -> Who {
    if rng.bool() { Who::First } else { Who::Second }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_plan_of_enough_inputs() {
        for seed in 0..50 {
            let plan = Plan::of(seed);
            assert!(plan.inputs() >= INPUTS && plan == Plan::of(seed));
        }
        assert_ne!(Plan::of(1).steps, Plan::of(2).steps);
    }
}
