//! Runs scenarios: rules against a written feed, through the stages of the service on a virtual clock.
//!
//! The idea: the process is the product's own evaluator, leader and senders over a log and a store in memory; only the
//! clock, the gateways' answers and what people do are written. The clock goes from one instant at which something can
//! happen to the next, and at each the process works until it is quiet, so a page's time is its decision to the
//! millisecond. A scenario's clock begins at 0; it is run from a fixed Monday morning (or its `start`), because a record
//! of 1970 is refused, and told back in its own times.
//!
//! - `stage`: the site, with its process. `feed`: what comes in. `ways`: gateways and phones. `deeds`: what people and the
//!   world do. `run`: the clock. `seen`: what happened. `compare`: what should have. `audit`: the promises, on request.

mod audit;
mod compare;
mod deeds;
mod feed;
mod run;
mod seen;
mod stage;
mod ways;
mod words;

pub use seen::{Seen, Thing};
pub use stage::Over;

use crate::config::{Loaded, Scenario};

/// An expectation that was not met, or something that happened and must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Line in the scenario's file.
    pub line: usize,
    /// What is wrong, one sentence.
    pub what: String,
}

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// What was not as expected.
    pub failures: Vec<Failure>,
    /// What happened, in order, for whoever asks which rules were shown.
    pub happened: Vec<Seen>,
}

/// Runs one scenario; what its file does not bring comes from `loaded`. What was not as expected.
pub fn run(scenario: &Scenario, loaded: &Loaded) -> Vec<Failure> {
    play(scenario, loaded).failures
}

/// As [`run`], with everything that happened.
pub fn play(scenario: &Scenario, loaded: &Loaded) -> Outcome {
    play_over(scenario, loaded, Over::default())
}

/// As [`play`], over a store that may have something between it and the process.
pub fn play_over(scenario: &Scenario, loaded: &Loaded, over: Over) -> Outcome {
    let mut play = match run::Play::new(scenario, loaded, over) {
        Ok(play) => play,
        Err(failure) => return Outcome { failures: vec![failure], happened: Vec::new() },
    };
    play.run();
    let (mut failures, hints, happened) = play.done();
    failures.extend(compare::compare(scenario, &happened));
    if !failures.is_empty() {
        failures.extend(hints);
    }
    Outcome { failures, happened }
}
