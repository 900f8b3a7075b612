//! Connections that are lent: so many and not more, each given to one call at a time.
//!
//! The idea: a connection comes back by being dropped, also when its user panicked; one that is known to be dead is
//! let go, so that the next call gets a fresh one. Nothing here knows a database.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::sql::Sql;
use super::{Result, StoreError};

pub(super) type Connection = Box<dyn Sql>;
pub(super) type Connect = Box<dyn Fn() -> Result<Connection> + Send + Sync>;

/// How long a call waits for a connection. As long as a transaction may wait for another one.
const WAIT: Duration = Duration::from_secs(5);

/// Connections of one kind.
pub(super) struct Pool {
    name: String,
    most: usize,
    wait: Duration,
    state: Mutex<State>,
    freed: Condvar,
    connect: Connect,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Connection>,
    /// Idle, lent, and being made.
    open: usize,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("name", &self.name).field("most", &self.most).finish_non_exhaustive()
    }
}

impl Pool {
    /// At most `most` connections, made by `connect` when they are needed; `name` is for error texts.
    pub(super) fn new(name: &str, most: usize, connect: Connect) -> Self {
        let (state, freed) = (Mutex::default(), Condvar::new());
        Self { name: name.to_owned(), most: most.max(1), wait: WAIT, state, freed, connect }
    }

    /// The same, which holds `first` already.
    pub(super) fn with(self, first: Connection) -> Self {
        let state = State { idle: vec![first], open: 1 };
        Self { state: Mutex::new(state), ..self }
    }

    /// The same, whose callers wait no longer than `wait`.
    #[cfg(test)]
    pub(super) fn waiting(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    /// A connection that was alive a moment ago.
    pub(super) fn get(&self) -> Result<Pooled<'_>> {
        let mut dead = Vec::new();
        let mut state = self.state();
        loop {
            while let Some(mut connection) = state.idle.pop() {
                if connection.is_alive() {
                    return Ok(self.lent(connection));
                }
                state.open -= 1;
                dead.push(connection);
            }
            if state.open < self.most {
                state.open += 1;
                break;
            }
            let busy = |state: &mut State| state.idle.is_empty() && state.open >= self.most;
            let (woken, waited) =
                self.freed.wait_timeout_while(state, self.wait, busy).unwrap_or_else(PoisonError::into_inner);
            if waited.timed_out() {
                return Err(StoreError::Unavailable {
                    what: format!("store `{}`", self.name),
                    why: format!("all {} connections were busy for {} ms", self.most, self.wait.as_millis()),
                });
            }
            state = woken;
        }
        // Not under the lock: making a connection, and ending one, takes time.
        drop(state);
        drop(dead);
        match (self.connect)() {
            Ok(connection) => Ok(self.lent(connection)),
            Err(error) => {
                self.gone();
                Err(error)
            }
        }
    }

    fn lent(&self, connection: Connection) -> Pooled<'_> {
        Pooled { pool: self, connection: Some(connection) }
    }

    fn gone(&self) {
        self.state().open -= 1;
        self.freed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Pooled<'a> {
    pool: &'a Pool,
    /// Empty only inside `drop`.
    connection: Option<Connection>,
}

impl Pooled<'_> {
    /// Lets it go instead of giving it back.
    pub(super) fn discard(mut self) {
        self.connection = None;
    }
}

impl Deref for Pooled<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("it is taken out by `drop` alone")
    }
}

impl DerefMut for Pooled<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("it is taken out by `drop` alone")
    }
}

impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        match self.connection.take() {
            Some(connection) if !connection.is_broken() => {
                self.pool.state().idle.push(connection);
                self.pool.freed.notify_one();
            }
            broken => {
                drop(broken);
                self.pool.gone();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::sqlite::{Access, Sqlite};
    use super::*;

    /// A pool over a file that counts the connections it makes.
    fn pool(most: usize, file: &Path) -> (Pool, Arc<AtomicUsize>) {
        let made = Arc::new(AtomicUsize::new(0));
        let (counter, file) = (Arc::clone(&made), file.to_owned());
        let connect = move || {
            counter.fetch_add(1, Ordering::SeqCst);
            Sqlite::open(&file, Access::Write).map(|connection| Box::new(connection) as Connection)
        };
        (Pool::new("test", most, Box::new(connect)).waiting(Duration::from_millis(30)), made)
    }

    #[test]
    fn so_many_are_lent_and_not_more() {
        let folder = tempfile::tempdir().unwrap();
        let (pool, made) = pool(2, &folder.path().join("a.db"));
        let (first, second) = (pool.get().unwrap(), pool.get().unwrap());
        let refused = pool.get();
        assert!(matches!(&refused, Err(StoreError::Unavailable { why, .. }) if why.contains("all 2")), "{refused:?}");
        drop(first);
        drop(pool.get().unwrap());
        assert_eq!(made.load(Ordering::SeqCst), 2, "what came back was lent again");
        second.discard();
        let both = (pool.get().unwrap(), pool.get().unwrap());
        assert_eq!(made.load(Ordering::SeqCst), 3, "what was let go is made anew");
        drop(both);
    }

    #[test]
    fn who_waits_gets_what_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let (pool, made) = pool(1, &folder.path().join("a.db"));
        let pool = pool.waiting(Duration::from_secs(60));
        let held = pool.get().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| pool.get().map(drop));
            drop(held);
            waiting.join().unwrap().unwrap();
        });
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_connection_that_cannot_be_made_takes_no_place() {
        let folder = tempfile::tempdir().unwrap();
        let (pool, made) = pool(1, &folder.path().join("nowhere/a.db"));
        for _ in 0..3 {
            assert!(matches!(pool.get(), Err(StoreError::Refused { .. })));
        }
        assert_eq!(made.load(Ordering::SeqCst), 3);
    }
}
