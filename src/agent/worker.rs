//! A question that may never be answered, asked on a thread of its own.
//!
//! The idea: some system calls have no time limit, so they run where nobody waits for them longer than a moment. A
//! worker that did not answer in time is stuck with its question; whoever asked keeps it aside, and learns from it when
//! the call has come back. This is the one thread of the agent's own: no caller can bring it, for it may have to be
//! left behind.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Duration;

/// How long an answer is waited for: a mount that is well takes microseconds, also on a busy host.
const ANSWER_WAIT: Duration = Duration::from_secs(2);

/// One thread that answers questions, one after the other. It ends when it is dropped and not stuck.
pub(super) struct Worker<Q, A> {
    questions: Sender<Q>,
    answers: Receiver<A>,
}

impl<Q, A> fmt::Debug for Worker<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

impl<Q: Send + 'static, A: Send + 'static> Worker<Q, A> {
    /// Starts the thread.
    pub(super) fn start(name: &str, answer: fn(Q) -> A) -> std::io::Result<Self> {
        let (questions, asked) = channel::<Q>();
        let (tell, answers) = channel();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            for question in asked {
                // Nobody listens any more: the agent has ended.
                if tell.send(answer(question)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { questions, answers })
    }

    /// The answer, or `None` where none came in time.
    pub(super) fn ask(&self, question: Q) -> Option<A> {
        self.questions.send(question).ok()?;
        self.answers.recv_timeout(ANSWER_WAIT).ok()
    }

    /// Whether the answer that was given up has come after all, or never will.
    pub(super) fn is_free(&self) -> bool {
        !matches!(self.answers.try_recv(), Err(TryRecvError::Empty))
    }
}
