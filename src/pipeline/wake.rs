//! A bell between threads: ring it and whoever waits goes on; a ring that nobody waited for is kept. [`Bells`] are several.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
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

    /// Whether it was rung and nobody has heard it.
    #[cfg(test)]
    pub(super) fn is_rung(&self) -> bool {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner).rung
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

/// The bells of several threads, rung together.
#[derive(Debug, Default)]
pub struct Bells(Mutex<Vec<Arc<Wake>>>);

impl Bells {
    /// One more.
    pub fn add(&self, bell: Arc<Wake>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(bell);
    }

    /// Wakes whoever waits for any of them.
    pub fn ring(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|bell| bell.ring());
    }
}
