//! Times in which the store could not be used, told once it can be used again.
//!
//! The idea: a store that is away cannot be told of in itself. Meanwhile health, status and the withheld heartbeat say
//! so; afterwards the same outage becomes an incident at the time at which it really began and ended, so that ledger and
//! reports know why everything else was late. Whoever leads tells it: of several processes on one store all saw it.

use std::collections::VecDeque;

use crate::model::{ENGINE_STORE, Input, Labels, Signal, State};
use crate::pipeline::own::own_signal;
use crate::pipeline::shell::Shared;
use crate::time::{Ms, SECOND};

/// Shorter ones are the hiccups of a lead that passes on, or of a lock that somebody held.
const TOLD_FROM: Ms = 5 * SECOND;

/// What is still to be told.
#[derive(Debug)]
pub(super) struct Outages {
    /// The name under which this process leads.
    owner: String,
    /// Begin and end, wall time.
    waiting: VecDeque<(Ms, Ms)>,
    /// The one whose beginning was told: the input's row, and its end with its length.
    told: Option<(i64, Signal)>,
}

impl Outages {
    /// None yet; `owner` is the name under which this process leads.
    pub(super) fn new(owner: &str) -> Self {
        Self { owner: owner.to_owned(), waiting: VecDeque::new(), told: None }
    }

    /// One look.
    pub(super) fn look(&mut self, shared: &Shared) {
        let (wall, elapsed) = (shared.clock.wall(), shared.clock.elapsed());
        for (began, ended) in shared.board.take_outages() {
            let length = ended - began;
            if length >= TOLD_FROM {
                tracing::error!(length_ms = length, "the store could not be used");
                let ended = wall - (elapsed - ended);
                self.waiting.push_back((ended - length, ended));
            }
        }
        if self.waiting.is_empty() && self.told.is_none() {
            return;
        }
        match shared.store.seat() {
            Ok(seat) if seat.owner == self.owner => self.tell(shared, wall),
            // It saw the same, and tells.
            Ok(seat) if !seat.is_free() => (self.told, self.waiting) = (None, VecDeque::new()),
            Ok(_) | Err(_) => {}
        }
    }

    /// The beginning, and when that was taken the end: at once it would be over before anybody was told.
    fn tell(&mut self, shared: &Shared, now: Ms) {
        if let Some((row, end)) = &self.told {
            if !matches!(shared.store.answer(*row), Ok(Some(_))) {
                return;
            }
            if shared.store.add_input(&Input::Own(end.clone()), now).is_ok() {
                self.told = None;
                shared.lead.ring();
            }
            return;
        }
        let Some((began, ended)) = self.waiting.front().copied() else { return };
        let begin = own_signal(&ENGINE_STORE, Labels::default(), State::Firing, began);
        let Ok(row) = shared.store.add_input(&Input::Own(begin), now) else { return };
        #[expect(clippy::cast_precision_loss, reason = "an outage is far below 2^53 ms")]
        let seconds = (ended - began) as f64 / SECOND as f64;
        let end = own_signal(&ENGINE_STORE, Labels::default(), State::Resolved, ended);
        self.told = Some((row, Signal { value: Some(seconds), ..end }));
        self.waiting.pop_front();
        shared.lead.ring();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{BookCommit, TakenRow};
    use crate::pipeline::shell::Shell;
    use crate::store::{MemoryStore, Store as _};
    use crate::telemetry::Metrics;
    use crate::time::{Clock as _, ManualClock};

    const T0: Ms = 1_764_000_000_000;

    fn led(owner: &str) -> (Shell, Arc<ManualClock>, Arc<MemoryStore>) {
        let (clock, store) = (Arc::new(ManualClock::at(T0)), Arc::new(MemoryStore::default()));
        let shell = Shell::new(store.clone(), clock.clone(), Arc::new(Metrics::new(0)));
        let seat = store.seat().expect("memory is never away");
        store.lead(owner, &seat).expect("memory is never away").expect("the seat is free");
        (shell, clock, store)
    }

    /// Two stages cannot use the store, one for longer than the other.
    fn outage(shell: &Shell, clock: &ManualClock, length: Ms) {
        let report = |stage, away| shell.shared.board.store(stage, clock.elapsed(), away);
        report("incident", true);
        clock.advance(SECOND);
        report("evaluate", true);
        report("incident", true);
        clock.advance(length - SECOND);
        report("incident", false);
        report("evaluate", false);
        report("evaluate", false);
    }

    fn signals(store: &MemoryStore) -> Vec<(State, Ms, Option<f64>)> {
        let inputs = store.inputs(&[], 9).expect("memory is never away");
        let own = inputs.into_iter().filter_map(|taken| match taken.input {
            Input::Own(signal) => Some((signal.to, signal.at, signal.value)),
            _ => None,
        });
        own.collect()
    }

    #[test]
    fn an_outage_is_told_when_it_is_over_with_its_true_times() {
        let (shell, clock, store) = led("one@1");
        let mut outages = Outages::new("one@1");
        outage(&shell, &clock, 4 * SECOND);
        outages.look(&shell.shared);
        assert_eq!(signals(&store), [], "a hiccup");
        outage(&shell, &clock, 90 * SECOND);
        clock.advance(2 * SECOND);
        outages.look(&shell.shared);
        outages.look(&shell.shared);
        let began = T0 + 4 * SECOND;
        assert_eq!(signals(&store), [(State::Firing, began, None)], "its end waits until that was taken");
        let taken = vec![TakenRow { row: 1, input_no: 1, done: true, answer: String::new() }];
        let commit = BookCommit { epoch: 1, taken, ..BookCommit::default() };
        store.commit(&commit).expect("memory is never away");
        outages.look(&shell.shared);
        outages.look(&shell.shared);
        assert_eq!(signals(&store), [(State::Resolved, began + 90 * SECOND, Some(90.0))]);
    }

    #[test]
    fn who_does_not_lead_leaves_it_to_whoever_does() {
        let (shell, clock, store) = led("two@2");
        let mut outages = Outages::new("one@1");
        outage(&shell, &clock, 90 * SECOND);
        outages.look(&shell.shared);
        assert_eq!(signals(&store), []);
        // Nobody leads yet: it waits, and tells when it leads itself.
        store.give_up(1).expect("memory is never away");
        outage(&shell, &clock, 90 * SECOND);
        outages.look(&shell.shared);
        let seat = store.seat().expect("memory is never away");
        store.lead("one@1", &seat).expect("memory is never away");
        outages.look(&shell.shared);
        assert_eq!(signals(&store), [(State::Firing, T0 + 90 * SECOND, None)], "one of the two");
    }
}
