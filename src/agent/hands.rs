//! The thread that waits for the other side, so that whoever collects does not.
//!
//! The idea: one batch is under way at a time; it is given away, and its outcome is asked for when there is time. It
//! decides nothing: what an outcome means is `run`'s.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, Scope};
use std::time::Duration;

use crate::agent::queue::Record;
use crate::agent::run::{Deliver, Delivered};
use crate::time::Ms;

/// The way to the delivering thread, which ends when this is dropped and the last batch is through.
#[derive(Debug)]
pub(super) struct Hands {
    batches: Sender<Vec<Record>>,
    answers: Receiver<Delivered>,
}

impl Hands {
    /// Starts the thread.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        deliver: &'scope dyn Deliver,
    ) -> std::io::Result<Self> {
        let (batches, given) = channel::<Vec<Record>>();
        let (tell, answers) = channel();
        Builder::new().name("bongsu-deliver".to_owned()).spawn_scoped(scope, move || {
            for batch in given {
                // Nobody listens any more: the agent has ended, and its records are in the spool.
                if tell.send(deliver.deliver(&batch)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { batches, answers })
    }

    /// Gives a batch away.
    pub(super) fn give(&self, batch: Vec<Record>) {
        // A thread that is gone is found out by the answer.
        let _ = self.batches.send(batch);
    }

    /// The outcome of the batch under way, waited for at most `longest` ms.
    pub(super) fn answer(&self, longest: Ms) -> Option<Delivered> {
        let longest = Duration::from_millis(u64::try_from(longest).unwrap_or(0));
        match self.answers.recv_timeout(longest) {
            Ok(delivered) => Some(delivered),
            Err(RecvTimeoutError::Timeout) => None,
            // It ended by a bug: nothing is known of the batch.
            Err(RecvTimeoutError::Disconnected) => Some(Delivered::default()),
        }
    }
}
