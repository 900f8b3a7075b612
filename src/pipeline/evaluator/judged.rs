//! Whether what was read of a partition has been judged, and as of when: the one meaning of being caught up.
//!
//! The idea: the last record of a log says nothing yet: the alarm that it ends is judged at the tick after it, which a
//! pulse closes where nothing else does. So whoever stands at the end of the log notes the next tick, and once another one
//! is next, everything that had been read when it was noted has been judged. The rows, the leader's timers (`dues`) and
//! the senders' gate (`gate`) all go by this; none of them looks at offsets alone.

use crate::pipeline::evaluator::{EvaluateError, Evaluator};
use crate::pipeline::flush::Pending;
use crate::time::{Ms, SECOND};

/// Under load it is looked so often where the log ends, while that matters.
const LOOK_EVERY: Ms = 100;
/// Whoever does not reach an end of the log for so long is no longer caught up: a small part of the minute after which a
/// signal counts as late.
const BEHIND_MAX: Ms = 10 * SECOND;

/// One partition's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Judged {
    /// An end of the log that is to be reached, and when it was seen, elapsed time: under load the log is never at rest,
    /// and its end as it is now never reached.
    goal: Option<(i64, Ms)>,
    /// When the end that was reached last was seen, and which tick was the next one when it was reached.
    stood: Option<(Ms, Option<Ms>)>,
    /// Everything that there was at that time is judged; `None`: not since it was behind.
    at: Option<Ms>,
}

impl Judged {
    /// At `now` the log ends at offset `high` and was read up to `next`; `tick` is next, `None`: there is nothing to judge.
    pub(super) fn look(&mut self, now: Ms, (next, high): (i64, i64), tick: Option<Ms>) {
        let (goal, seen) = *self.goal.get_or_insert((high, now));
        if next < goal {
            if now - seen >= BEHIND_MAX {
                (self.stood, self.at) = (None, None);
            }
            return;
        }
        self.goal = None;
        if tick.is_none() {
            self.at = Some(seen);
        } else if let Some((since, before)) = self.stood {
            if before == tick {
                return;
            }
            self.at = Some(since);
        }
        self.stood = Some((seen, tick));
    }

    /// As of when all that had been read is judged, elapsed time; `None`: it has not been since it was behind.
    pub(super) fn at(&self) -> Option<Ms> {
        self.at
    }
}

impl Evaluator {
    /// Whether it has read all that its partitions hold, judged it, and made the signals durable.
    pub fn has_judged(&self) -> bool {
        self.judged_at().is_some()
    }

    /// As of when that is so, elapsed time.
    pub(super) fn judged_at(&self) -> Option<Ms> {
        let owes = self.pending.values().any(Pending::has_signals);
        let each = self.read.values().map(|read| read.judged.at());
        each.min().flatten().filter(|_| !owes)
    }

    /// Asks the log where it ends; called when nothing came, so it costs nothing under load.
    pub(super) fn look_where_the_log_ends(&mut self) -> Result<(), EvaluateError> {
        let now = self.sides.clock.elapsed();
        self.looked = now;
        for (partition, read) in &mut self.read {
            read.high = self.sides.source.end(*partition)?;
            let tick = self.lanes.partition(*partition).and_then(crate::evaluate::Partition::next_tick);
            read.judged.look(now, (read.next, read.high), tick);
            if let Some(pending) = self.pending.get_mut(partition) {
                pending.set_caught_up(read.judged.at().is_some(), now);
            }
        }
        Ok(())
    }

    /// The same under load, while something waits for it to be reached: a start must not wait for a rest that never comes.
    pub(super) fn look_now_and_then(&mut self) -> Result<(), EvaluateError> {
        let is_waited_for = self.read.values().any(|read| read.judged.at().is_none());
        if is_waited_for && self.sides.clock.elapsed() - self.looked >= LOOK_EVERY {
            return self.look_where_the_log_ends();
        }
        Ok(())
    }

    /// Whether every partition of the topic is with this process.
    pub(super) fn has_all(&self) -> bool {
        usize::try_from(self.topic.partitions).is_ok_and(|n| self.read.len() >= n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_judged_when_another_tick_is_next() {
        let mut judged = Judged::default();
        let end = (10, 10);
        judged.look(100, end, Some(5_000));
        judged.look(150, end, Some(5_000));
        assert_eq!(judged.at(), None, "the tick after it has not run");
        judged.look(200, end, Some(6_000));
        assert_eq!(judged.at(), Some(100), "all that had been read at 100, not what came since");
        judged.look(250, end, Some(6_000));
        assert_eq!(judged.at(), Some(100), "and it stays so");
        judged.look(300, end, Some(7_000));
        assert_eq!(judged.at(), Some(200));
        judged.look(400, (10, 90), Some(8_000));
        assert_eq!(judged.at(), Some(200), "a moment behind");
        let late = 400 + BEHIND_MAX;
        judged.look(late, (80, 99), Some(9_000));
        assert_eq!(judged.at(), None, "and for long");
        judged.look(late + 100, (99, 99), Some(9_000));
        assert_eq!(judged.at(), None, "it begins anew: the tick after what it read has not run");
        judged.look(late + 200, (99, 99), Some(10_000));
        assert_eq!(judged.at(), Some(400));
        judged.look(late + 300, (99, 99), None);
        assert_eq!(judged.at(), Some(late + 300), "nothing is to be judged");
    }

    #[test]
    fn a_log_that_is_never_at_rest_is_judged_all_the_same() {
        let mut judged = Judged::default();
        judged.look(100, (10, 20), Some(5_000));
        judged.look(200, (25, 40), Some(5_000));
        judged.look(300, (45, 60), Some(6_000));
        assert_eq!(judged.at(), None, "what there was at 300 is not read");
        judged.look(400, (65, 80), Some(6_000));
        assert_eq!(judged.at(), Some(100), "the tick after what there was at 100 has run");
    }
}
