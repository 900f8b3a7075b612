//! One process of all roles on one thread: evaluator, leader and sender over the same hand-overs as the service.
//!
//! The idea: simulated worlds and crash tests drive exactly the code that `shell` spreads over threads, turn by turn.

use std::time::Duration;

use crate::notify::Worker;
use crate::pipeline::evaluator::{EvaluateError, Evaluator};
use crate::pipeline::leading::Leading;
use crate::store::StoreError;
use crate::time::Ms;

/// Evaluator, leader and sender.
#[derive(Debug)]
pub struct Node {
    /// The `evaluate` role.
    pub evaluator: Evaluator,
    /// The `incident` role.
    pub leading: Leading,
    /// The `notify` role.
    pub worker: Worker,
}

/// What can stop a node.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The evaluator.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// The leader.
    #[error(transparent)]
    Lead(#[from] StoreError),
}

impl Node {
    /// Lets each role work until none has anything left at wall time `now`, at most `turns` times. `true`: all is quiet.
    pub fn settle(&mut self, now: Ms, turns: usize) -> Result<bool, NodeError> {
        for _ in 0..turns {
            let read = self.evaluator.step(Duration::ZERO)?;
            let led = self.leading.step()?;
            let sent = self.worker.step(now);
            if !read.heard && !read.flushed && !led && sent.pages.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
