//! A bell between threads: ring it and whoever waits goes on; a ring that nobody waited for is kept.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug, Default, Clone, Copy)]
struct Bell {
    rung: bool,
    stopped: bool,
}

/// The bell. It can also be stopped for good.
#[derive(Debug, Default)]
pub struct Wake {
    bell: Mutex<Bell>,
    heard: Condvar,
}

impl Wake {
    /// Wakes whoever waits.
    pub fn ring(&self) {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner).rung = true;
        self.heard.notify_all();
    }

    /// Wakes whoever waits, now and for ever.
    pub fn stop(&self) {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.heard.notify_all();
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner).stopped
    }

    /// Waits for a ring, at most `longest`. `false`: it was stopped.
    pub fn wait(&self, longest: Duration) -> bool {
        let bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.heard.wait_timeout_while(bell, longest, |bell| !bell.rung && !bell.stopped);
        let (mut bell, _) = done.unwrap_or_else(PoisonError::into_inner);
        bell.rung = false;
        !bell.stopped
    }
}
