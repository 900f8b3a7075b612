//! Questions of people to a running evaluator, which alone may look into its partitions.
//!
//! The idea: a question waits on a list with a way back; the evaluator answers what is there once a turn, between two
//! records, so that an answer is of one moment and a stage is never stopped by a question.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::RuleSet;
use crate::pipeline::explained::{Looked, Question, look};
use crate::pipeline::stages::Lanes;

/// Questions that wait at most: whoever asks waits for an answer, so there are never many.
const WAITING_MAX: usize = 64;

/// Questions that wait.
#[derive(Debug, Default)]
pub struct Asks(Mutex<Vec<(Question, Sender<Looked>)>>);

impl Asks {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<(Question, Sender<Looked>)>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks and waits at most `wait`; `None`: no evaluator answered.
    pub fn ask(&self, question: &Question, wait: Duration) -> Option<Looked> {
        let (tell, told) = channel();
        let asked = self.with(|waiting| {
            let room = waiting.len() < WAITING_MAX;
            if room {
                waiting.push((question.clone(), tell));
            }
            room
        });
        if asked { told.recv_timeout(wait).ok() } else { None }
    }

    /// Answers everything that waits.
    pub fn answer(&self, lanes: &Lanes, rules: &RuleSet) {
        for (question, tell) in self.with(std::mem::take) {
            // Whoever asked may have gone.
            let _ = tell.send(look(lanes, rules, &question));
        }
    }
}
