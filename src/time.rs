//! Time as the engine knows it: `i64` milliseconds UTC since the epoch, and the one place that reads a clock.
//!
//! The idea: deciding code takes `now` as an argument; edges hold a [`Clock`], which tests replace by a
//! [`ManualClock`]. Civil time is a fixed +09:00, because Korea has had no daylight saving since 1988, so no time-zone
//! database is needed and a replay prints the same text everywhere.
//! This file does not know what a tick or a partition clock is; see `evaluate`.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

/// Milliseconds: an instant since 1970-01-01T00:00:00Z, or a length of time; the name at hand says which.
pub type Ms = i64;

/// One second in [`Ms`].
pub const SECOND: Ms = 1_000;
/// One minute in [`Ms`].
pub const MINUTE: Ms = 60 * SECOND;
/// One hour in [`Ms`].
pub const HOUR: Ms = 60 * MINUTE;
/// One day in [`Ms`].
pub const DAY: Ms = 24 * HOUR;
/// Korea Standard Time's distance from UTC.
pub const KST: Ms = 9 * HOUR;

/// The two clocks of a machine, injected wherever an edge needs one.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Wall time, in ms since the epoch. May jump in either direction.
    fn wall(&self) -> Ms;
    /// Time since boot in ms, suspends included; never runs backwards.
    fn elapsed(&self) -> Ms;
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> Ms {
        read(rustix::time::ClockId::Realtime)
    }

    fn elapsed(&self) -> Ms {
        read(rustix::time::ClockId::Boottime)
    }
}

fn read(id: rustix::time::ClockId) -> Ms {
    let at = rustix::time::clock_gettime(id);
    at.tv_sec * SECOND + at.tv_nsec / 1_000_000
}

/// A wall clock that differs by more from what passed was set.
pub const CLOCK_STEP: Ms = 5 * SECOND;

/// Notices that the wall clock was set, by the clock that never is.
#[derive(Debug, Clone, Copy, Default)]
pub struct WallWatch {
    /// Wall time minus elapsed time, as it is reckoned with; `None`: nothing yet.
    ahead: Option<Ms>,
}

impl WallWatch {
    /// Wall and elapsed time of one instant.
    pub fn read(clock: &dyn Clock) -> (Ms, Ms) {
        loop {
            let before = clock.elapsed();
            let wall = clock.wall();
            // Whoever was put to sleep between the two looks again.
            if clock.elapsed() - before < SECOND {
                return (wall, before);
            }
        }
    }

    /// The wall clock had shown `last` before this watch began to look. Where it shows more than [`CLOCK_STEP`] less now,
    /// it was set back meanwhile, by that much at least: the time that passed unseen is not known and taken for none, so
    /// what waits comes late by that time at most. Where it shows more, nobody can tell a clock that was set from time that
    /// passed; it counts as time, so that what waits comes early rather than late.
    pub fn showed(&mut self, last: Ms, (wall, elapsed): (Ms, Ms)) {
        if self.ahead.is_none() && wall < last - CLOCK_STEP {
            self.ahead = Some(last - elapsed);
        }
    }

    /// By how much the wall clock was set since it was reckoned with last, where that is more than [`CLOCK_STEP`]. The
    /// first look reckons with what it sees.
    ///
    /// Less is no step: clocks are put right by a second or two all the time, each of which would be an entry of the ledger.
    /// Small steps add up until they are more than that, so whatever waits is never off by more than [`CLOCK_STEP`].
    pub fn step(&mut self, (wall, elapsed): (Ms, Ms)) -> Option<Ms> {
        let by = wall - elapsed - *self.ahead.get_or_insert(wall - elapsed);
        (by.abs() > CLOCK_STEP).then_some(by)
    }

    /// A step of `by` is reckoned with from now on.
    pub fn accept(&mut self, by: Ms) {
        self.ahead = self.ahead.map(|ahead| ahead + by);
    }

    /// Whatever was before, the next look is the first one.
    pub fn forget(&mut self) {
        self.ahead = None;
    }
}

/// A clock that stands still until it is told to move: for tests and simulated worlds.
#[derive(Debug, Default)]
pub struct ManualClock {
    wall: AtomicI64,
    elapsed: AtomicI64,
}

impl ManualClock {
    /// A clock whose wall time is `wall` and whose machine booted just now.
    pub fn at(wall: Ms) -> Self {
        Self { wall: AtomicI64::new(wall), elapsed: AtomicI64::new(0) }
    }

    /// Lets `by` ms pass on both clocks.
    pub fn advance(&self, by: Ms) {
        self.wall.fetch_add(by, Ordering::SeqCst);
        self.elapsed.fetch_add(by, Ordering::SeqCst);
    }

    /// Sets the wall clock by `by` ms, forwards or backwards, as an administrator would.
    pub fn step(&self, by: Ms) {
        self.wall.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Ms {
        self.wall.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> Ms {
        self.elapsed.load(Ordering::SeqCst)
    }
}

/// A point of civil time in Korea.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year, for example 2026.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
    /// Day of the week, Monday = 0.
    pub weekday: u8,
}

/// The civil time in Korea at `at`; instants outside the years −9999..9999 are held at the border.
pub fn civil(at: Ms) -> Civil {
    let seconds = (at + KST).div_euclid(SECOND);
    let there = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(if seconds < 0 {
        time::PrimitiveDateTime::MIN.assume_utc()
    } else {
        time::PrimitiveDateTime::MAX.assume_utc()
    });
    Civil {
        year: there.year(),
        month: u8::from(there.month()),
        day: there.day(),
        hour: there.hour(),
        minute: there.minute(),
        second: there.second(),
        weekday: there.weekday().number_days_from_monday(),
    }
}

/// The instant at which a civil day begins in Korea; `None` for a day that no month has.
pub fn midnight(year: i32, month: u8, day: u8) -> Option<Ms> {
    let month = time::Month::try_from(month).ok()?;
    let date = time::Date::from_calendar_date(year, month, day).ok()?;
    Some(date.midnight().assume_utc().unix_timestamp() * SECOND - KST)
}

/// `at` as RFC 3339 with +09:00, milliseconds only where there are some.
pub fn rfc3339(at: Ms) -> String {
    let c = civil(at);
    let ms = at.rem_euclid(SECOND);
    let fraction = if ms == 0 { String::new() } else { format!(".{ms:03}") };
    format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{fraction}+09:00", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

/// The same to the second, rounded down: what people say to each other.
pub fn rfc3339_seconds(at: Ms) -> String {
    rfc3339(at.div_euclid(SECOND) * SECOND)
}

/// Whole days in Korean, `30일`; any other length as [`show_duration`] has it.
pub fn show_days(length: Ms) -> String {
    if length > 0 && length % DAY == 0 { format!("{}일", length / DAY) } else { show_duration(length) }
}

/// `09:12:03.450`: the instants of one day beside each other.
pub fn time_of_day(at: Ms) -> String {
    let c = civil(at);
    format!("{:02}:{:02}:{:02}.{:03}", c.hour, c.minute, c.second, at.rem_euclid(SECOND))
}

/// How long something took, in Korean: `867ms`, `1.90초`, `3분 20초`, `2시간 5분`.
pub fn show_span(took: Ms) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a length is far below 2^53 ms")]
    let seconds = took as f64 / SECOND as f64;
    match took.abs() {
        length if length < SECOND => format!("{took}ms"),
        length if length < MINUTE => format!("{seconds:.2}초"),
        length if length < 2 * HOUR => format!("{}분 {}초", took / MINUTE, length % MINUTE / SECOND),
        length => format!("{}시간 {}분", took / HOUR, length % HOUR / MINUTE),
    }
}

/// Reads a length of time such as `500ms`, `30s`, `5m`, `1h30m`, `7d`, `2w`. `None` for anything else, a sign included.
pub fn parse_duration(text: &str) -> Option<Ms> {
    let mut rest = text;
    let mut total: Ms = 0;
    if rest == "0" {
        return Some(0);
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: Ms = rest.get(..digits)?.parse().ok()?;
        let tail = rest.get(digits..)?;
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match tail.get(..letters)? {
            "ms" => 1,
            "s" => SECOND,
            "m" => MINUTE,
            "h" => HOUR,
            "d" => DAY,
            "w" => 7 * DAY,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = tail.get(letters..)?;
    }
    if text.is_empty() { None } else { Some(total) }
}

/// A length of time as people write it: `1h30m`, `0s`.
pub fn show_duration(length: Ms) -> String {
    if length == 0 {
        return "0s".to_owned();
    }
    let mut rest = length.abs();
    let mut text = if length < 0 { "-".to_owned() } else { String::new() };
    for (unit, name) in [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (1, "ms")] {
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    text
}

/// Reads a time stamp: RFC 3339, `YYYY-MM-DD[ T]HH:MM[:SS[.fff]]` (taken at `offset` from UTC), or epoch milliseconds.
pub fn parse_instant(text: &str, offset: Ms) -> Option<Ms> {
    use time::format_description::well_known::Rfc3339;
    if let Ok(ms) = text.parse::<Ms>() {
        return Some(ms);
    }
    if let Ok(at) = time::OffsetDateTime::parse(text, &Rfc3339) {
        return Ms::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok();
    }
    let mut plain = text.trim().replacen(' ', "T", 1);
    if plain.len() == "2026-01-01".len() {
        plain.push_str("T00:00:00");
    } else if plain.len() == "2026-01-01T00:00".len() {
        plain.push_str(":00");
    }
    plain.push('Z');
    let at = time::OffsetDateTime::parse(&plain, &Rfc3339).ok()?;
    let utc = Ms::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok()?;
    Some(utc - offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_the_same() {
        for (text, ms) in [("0s", 0), ("5m", 5 * MINUTE), ("1h30m", 90 * MINUTE), ("7d", 7 * DAY), ("500ms", 500)] {
            assert_eq!(parse_duration(text), Some(ms), "{text}");
            assert_eq!(show_duration(ms), text);
        }
        for wrong in ["", "5", "m", "-5m", "5 m", "5분", "99999999999999999d"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_wall_clock_that_is_set_is_noticed_until_it_is_reckoned_with() {
        let clock = ManualClock::at(1_000_000);
        let mut watch = WallWatch::default();
        assert_eq!(watch.step(WallWatch::read(&clock)), None);
        clock.advance(HOUR);
        clock.step(-CLOCK_STEP);
        assert_eq!(watch.step(WallWatch::read(&clock)), None, "clocks are put right by as much all the time");
        clock.step(-1);
        assert_eq!(watch.step(WallWatch::read(&clock)), Some(-CLOCK_STEP - 1));
        watch.accept(-CLOCK_STEP - 1);
        clock.advance(HOUR);
        assert_eq!(watch.step(WallWatch::read(&clock)), None);
        clock.step(HOUR);
        watch.forget();
        assert_eq!(watch.step(WallWatch::read(&clock)), None);
    }

    #[test]
    fn small_steps_add_up_until_they_are_one() {
        let clock = ManualClock::at(1_000_000);
        let mut watch = WallWatch::default();
        assert_eq!(watch.step(WallWatch::read(&clock)), None);
        for _ in 0..5 {
            clock.step(SECOND);
            assert_eq!(watch.step(WallWatch::read(&clock)), None);
        }
        clock.step(SECOND);
        assert_eq!(watch.step(WallWatch::read(&clock)), Some(6 * SECOND));
    }

    #[test]
    fn a_clock_that_shows_less_than_it_did_before_anybody_looked_was_set_back() {
        let clock = ManualClock::at(10 * HOUR);
        let by = |last: Ms| {
            let mut watch = WallWatch::default();
            watch.showed(last, WallWatch::read(&clock));
            watch.step(WallWatch::read(&clock))
        };
        assert_eq!(by(11 * HOUR), Some(-HOUR));
        assert_eq!(by(10 * HOUR + CLOCK_STEP), None);
        assert_eq!(by(9 * HOUR), None, "an hour may have passed");
        let mut watch = WallWatch::default();
        assert_eq!(watch.step(WallWatch::read(&clock)), None);
        watch.showed(11 * HOUR, WallWatch::read(&clock));
        assert_eq!(watch.step(WallWatch::read(&clock)), None, "whoever looked all the time knows better");
    }

    #[test]
    fn instants_are_taken_in_korea_unless_they_say_otherwise() {
        assert_eq!(parse_instant("2014-02-14 14:27:00", 0), Some(1_392_388_020_000));
        assert_eq!(parse_instant("2014-02-14 14:27", KST), Some(1_392_388_020_000 - KST));
        assert_eq!(parse_instant("2014-02-14T14:27:00.5+09:00", 0), Some(1_392_388_020_500 - KST));
        assert_eq!(parse_instant("1392388020000", KST), Some(1_392_388_020_000));
        assert_eq!(parse_instant("어제", KST), None);
    }

    #[test]
    fn civil_time_is_korean() {
        let c = civil(1_764_000_000_000);
        assert_eq!((c.year, c.month, c.day, c.hour, c.minute), (2025, 11, 25, 1, 0));
        assert_eq!(rfc3339(1_764_000_000_450), "2025-11-25T01:00:00.450+09:00");
        assert_eq!(midnight(2025, 11, 25), Some(1_764_000_000_000 - HOUR));
        assert_eq!((midnight(2027, 2, 29), midnight(2028, 2, 29).is_some(), midnight(2028, 13, 1)), (None, true, None));
    }
}
