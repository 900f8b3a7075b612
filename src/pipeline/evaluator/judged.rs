//! Whether what was read of a partition has been judged, and as of when: the one meaning of being caught up.
//!
//! The idea: the last record of a log says nothing yet: the alarm that it ends is judged at the tick after it, which a
//! pulse closes where nothing else does. So whoever stands at the end of the log notes the next tick, and once another one
//! is next, everything that had been read when it was noted has been judged. The rows, the leader's timers (`dues`) and
//! the senders' gate (`gate`) all go by this; none of them looks at offsets alone.

use crate::pipeline::evaluator::Evaluator;
use crate::pipeline::flush::Pending;
use crate::time::Ms;

/// One partition's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Judged {
    /// When the end was reached, elapsed time, and which tick was the next one then.
    stood: Option<(Ms, Option<Ms>)>,
    /// Everything that had been read by then is judged; `None`: not since it was behind.
    at: Option<Ms>,
}

impl Judged {
    /// The end of the log is reached at `now`, and `tick` is next; `None`: there is nothing to judge.
    pub(super) fn stands(&mut self, now: Ms, tick: Option<Ms>) {
        if tick.is_none() {
            self.at = Some(now);
        } else if let Some((since, before)) = self.stood {
            if before == tick {
                return;
            }
            self.at = Some(since);
        }
        self.stood = Some((now, tick));
    }

    /// The log goes on beyond what was read.
    pub(super) fn is_behind(&mut self) {
        *self = Self::default();
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
        judged.stands(100, Some(5_000));
        judged.stands(150, Some(5_000));
        assert_eq!(judged.at(), None, "the tick after it has not run");
        judged.stands(200, Some(6_000));
        assert_eq!(judged.at(), Some(100), "all that had been read at 100, not what came since");
        judged.stands(250, Some(6_000));
        assert_eq!(judged.at(), Some(100), "and it stays so");
        judged.stands(300, Some(7_000));
        assert_eq!(judged.at(), Some(200));
        judged.is_behind();
        judged.stands(400, Some(7_000));
        assert_eq!(judged.at(), None, "it begins anew");
        judged.stands(500, None);
        assert_eq!(judged.at(), Some(500), "nothing is to be judged");
    }
}
