//! Which rules were in force from which record on, for whoever evaluates the log a second time.
//!
//! The idea: rules come in force with the first thing that becomes durable under them. Where the process that had read
//! them dies before, nobody knows of them any more, and whoever begins next begins with the ones of then.

use std::sync::Arc;

use crate::evaluate::Setup;

/// Other rules, and from which offset of each partition on they hold.
#[derive(Debug, Clone)]
pub(in crate::pipeline) struct Reloaded {
    /// Offsets.
    pub(in crate::pipeline) from: Vec<i64>,
    /// What the rules run under.
    pub(in crate::pipeline) setup: Arc<Setup>,
    /// Nobody evaluated when they came, or had not read its past yet: whoever began next began with them.
    pub(in crate::pipeline) unattended: bool,
}

/// All of them, in order.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Reloads {
    all: Vec<Reloaded>,
    /// Flushes that were durable when the newest came.
    before: u64,
}

impl Reloads {
    /// Others come, after so many durable flushes; `lives`: whoever evaluated knows the ones before.
    pub(in crate::pipeline) fn add(&mut self, reloaded: Reloaded, flushes: u64, lives: bool) {
        if !lives && flushes == self.before {
            self.all.pop();
        }
        self.all.push(reloaded);
        self.before = flushes;
    }

    /// Those that were in force after so many durable flushes; at the end of everything that is all of them.
    pub(super) fn in_force(&self, flushes: u64, is_end: bool) -> &[Reloaded] {
        let pending = usize::from(!is_end && flushes == self.before);
        self.all.get(..self.all.len().saturating_sub(pending)).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::sim::Site;

    fn rules(n: i64) -> Reloaded {
        let setup = Site::default().setup(1, 0);
        Reloaded { from: vec![n], setup, unattended: false }
    }

    fn seen(reloads: &Reloads, flushes: u64) -> Vec<i64> {
        reloads.in_force(flushes, false).iter().filter_map(|it| it.from.first().copied()).collect()
    }

    #[test]
    fn rules_are_in_force_once_something_is_durable_under_them() {
        let mut reloads = Reloads::default();
        reloads.add(rules(1), 3, true);
        assert_eq!(seen(&reloads, 3), [] as [i64; 0]);
        assert_eq!(seen(&reloads, 4), [1]);
        assert_eq!(reloads.in_force(3, true).len(), 1);
    }

    #[test]
    fn rules_of_which_only_a_dead_process_knew_never_were() {
        let mut reloads = Reloads::default();
        reloads.add(rules(1), 3, true);
        reloads.add(rules(2), 3, false);
        assert_eq!(seen(&reloads, 4), [2]);
    }

    #[test]
    fn rules_that_a_living_process_read_or_that_left_something_were() {
        let mut reloads = Reloads::default();
        reloads.add(rules(1), 3, true);
        reloads.add(rules(2), 3, true);
        reloads.add(rules(3), 5, false);
        assert_eq!(seen(&reloads, 6), [1, 2, 3]);
    }
}
