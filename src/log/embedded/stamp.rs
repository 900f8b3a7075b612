//! Append time: start-up wall time + elapsed, so that a wall clock that is set does not move the log's time at once.
//!
//! The idea: one anchor (wall, elapsed) serves all partitions; a stamp never falls inside a partition, unless it would
//! have to wait more than five seconds for the clock to catch up: then it follows the clock, which readers see as a
//! clock break. Holds no clock itself; the writer passes both readings.

use crate::time::{Ms, SECOND};

/// Differences up to this are ordinary: time services slew, and brokers differ by as much.
pub(super) const TOLERANCE: Ms = 5 * SECOND;
/// How long the wall clock must differ before the log follows it: long enough for an administrator's mistake.
const PATIENCE: Ms = 60 * SECOND;

/// How the wall clock and the log's clock stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WallClock {
    /// Wall clock minus the log's clock, in ms.
    pub difference: Ms,
    /// How often the wall clock jumped by more than 5 s since the log was opened.
    pub jumps: u64,
    /// How often the log gave in after 60 s and took the wall clock's time as its own.
    pub reanchored: u64,
}

/// The log's clock.
#[derive(Debug)]
pub(super) struct Stamper {
    anchor_wall: Ms,
    anchor_elapsed: Ms,
    /// Since when, in elapsed time, the two have differed.
    differs_since: Option<Ms>,
    seen: WallClock,
}

impl Stamper {
    pub(super) fn new(wall: Ms, elapsed: Ms) -> Self {
        Self { anchor_wall: wall, anchor_elapsed: elapsed, differs_since: None, seen: WallClock::default() }
    }

    fn now(&self, elapsed: Ms) -> Ms {
        self.anchor_wall + (elapsed - self.anchor_elapsed)
    }

    /// Takes both readings and gives the log's time; follows the wall clock where it has differed long enough.
    pub(super) fn observe(&mut self, wall: Ms, elapsed: Ms) -> Ms {
        let difference = wall - self.now(elapsed);
        if (difference - self.seen.difference).abs() > TOLERANCE {
            self.seen.jumps += 1;
        }
        self.seen.difference = difference;
        if difference.abs() <= TOLERANCE {
            self.differs_since = None;
            // Both are whole ms of clocks that tick at other instants: one ms ahead is rounding, and a record would be read
            // before it was appended.
            return if difference == -1 { wall } else { self.now(elapsed) };
        }
        let since = *self.differs_since.get_or_insert(elapsed);
        if elapsed - since >= PATIENCE {
            self.anchor_wall = wall;
            self.anchor_elapsed = elapsed;
            self.differs_since = None;
            self.seen.difference = 0;
            self.seen.reanchored += 1;
        }
        self.now(elapsed)
    }

    pub(super) fn wall_clock(&self) -> WallClock {
        self.seen
    }
}

/// The stamp of the next row of a partition whose last one was `last`.
pub(super) fn stamp(now: Ms, last: Option<Ms>) -> Ms {
    match last {
        Some(last) if now >= last - TOLERANCE => now.max(last),
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_waits_five_seconds_for_the_clock_and_follows_it_beyond() {
        assert_eq!(stamp(1_000, None), 1_000);
        assert_eq!(stamp(10_000, Some(9_000)), 10_000);
        assert_eq!(stamp(10_000, Some(15_000)), 15_000);
        assert_eq!(stamp(10_000, Some(15_001)), 10_000);
    }

    #[test]
    fn a_wall_step_moves_the_log_only_after_a_minute() {
        let mut clock = Stamper::new(1_000_000, 0);
        assert_eq!(clock.observe(1_001_000, 1_000), 1_001_000);
        let hour = 3_600_000;
        assert_eq!(clock.observe(1_002_000 - hour, 2_000), 1_002_000);
        assert_eq!(clock.observe(1_061_999 - hour, 61_999), 1_061_999);
        assert_eq!(clock.wall_clock(), WallClock { difference: -hour, jumps: 1, reanchored: 0 });
        assert_eq!(clock.observe(1_062_000 - hour, 62_000), 1_062_000 - hour);
        assert_eq!(clock.wall_clock(), WallClock { difference: 0, jumps: 1, reanchored: 1 });
        assert_eq!(clock.observe(1_063_000 - hour, 63_000), 1_063_000 - hour);
    }

    /// The wall clock's ms begin 0.7 ms after the other's.
    #[test]
    fn no_stamp_is_ahead_of_the_wall_clock_because_both_are_rounded() {
        let wall = |tenths: Ms| 1_000_000 + (tenths - 7).div_euclid(10);
        let mut clock = Stamper::new(wall(9), 0);
        for tenths in 10..100 {
            assert_eq!(clock.observe(wall(tenths), tenths.div_euclid(10)), wall(tenths), "{tenths}");
        }
    }

    #[test]
    fn a_step_that_is_taken_back_within_the_minute_leaves_no_trace_in_the_log() {
        let mut clock = Stamper::new(0, 0);
        assert_eq!(clock.observe(100_000 + 50_000, 50_000), 50_000);
        assert_eq!(clock.observe(70_000, 70_000), 70_000);
        assert_eq!(clock.observe(100_000 + 80_000, 80_000), 80_000);
        assert_eq!(clock.observe(100_000 + 120_000, 120_000), 120_000, "the minute began anew");
        assert_eq!(clock.wall_clock().jumps, 3);
    }
}
