//! Whose clock a recurring time is read on.
//!
//! The idea: the engine lives on Korea's clock, but a configuration that is taken over may name another one. A zone is
//! its distance from UTC and, where clocks are changed, the rule in force today: the few rules that cover most of the
//! world, not its history. What is not known here is refused by whoever reads the name.

use crate::time::{DAY, HOUR, KST, MINUTE, Ms, civil, midnight};

/// A clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone {
    /// Distance of its standard time from UTC, ms.
    standard: Ms,
    summer: Summer,
}

/// When clocks are an hour ahead of standard time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Summer {
    Never,
    /// Last Sunday of March to last Sunday of October, at 01:00 UTC everywhere.
    Europe,
    /// Second Sunday of March to first Sunday of November, at 02:00.
    America,
    /// First Sunday of October to first Sunday of April, at 02:00 standard time.
    Australia,
    /// Last Sunday of September to first Sunday of April, at 02:00 standard time.
    NewZealand,
}

/// Zones by name: hours and minutes from UTC, and their summer.
const ZONES: &[(&str, i64, i64, Summer)] = &[
    ("Asia/Seoul", 9, 0, Summer::Never),
    ("UTC", 0, 0, Summer::Never),
    ("Etc/UTC", 0, 0, Summer::Never),
    ("GMT", 0, 0, Summer::Never),
    ("Asia/Tokyo", 9, 0, Summer::Never),
    ("Asia/Shanghai", 8, 0, Summer::Never),
    ("Asia/Hong_Kong", 8, 0, Summer::Never),
    ("Asia/Taipei", 8, 0, Summer::Never),
    ("Asia/Singapore", 8, 0, Summer::Never),
    ("Asia/Bangkok", 7, 0, Summer::Never),
    ("Asia/Ho_Chi_Minh", 7, 0, Summer::Never),
    ("Asia/Jakarta", 7, 0, Summer::Never),
    ("Asia/Kolkata", 5, 30, Summer::Never),
    ("Asia/Dubai", 4, 0, Summer::Never),
    ("Europe/London", 0, 0, Summer::Europe),
    ("Europe/Dublin", 0, 0, Summer::Europe),
    ("Europe/Lisbon", 0, 0, Summer::Europe),
    ("Europe/Amsterdam", 1, 0, Summer::Europe),
    ("Europe/Berlin", 1, 0, Summer::Europe),
    ("Europe/Madrid", 1, 0, Summer::Europe),
    ("Europe/Paris", 1, 0, Summer::Europe),
    ("Europe/Prague", 1, 0, Summer::Europe),
    ("Europe/Rome", 1, 0, Summer::Europe),
    ("Europe/Stockholm", 1, 0, Summer::Europe),
    ("Europe/Vienna", 1, 0, Summer::Europe),
    ("Europe/Warsaw", 1, 0, Summer::Europe),
    ("Europe/Zurich", 1, 0, Summer::Europe),
    ("Europe/Athens", 2, 0, Summer::Europe),
    ("Europe/Helsinki", 2, 0, Summer::Europe),
    ("Europe/Istanbul", 3, 0, Summer::Never),
    ("Europe/Moscow", 3, 0, Summer::Never),
    ("America/New_York", -5, 0, Summer::America),
    ("America/Toronto", -5, 0, Summer::America),
    ("America/Chicago", -6, 0, Summer::America),
    ("America/Denver", -7, 0, Summer::America),
    ("America/Phoenix", -7, 0, Summer::Never),
    ("America/Los_Angeles", -8, 0, Summer::America),
    ("America/Sao_Paulo", -3, 0, Summer::Never),
    ("Australia/Brisbane", 10, 0, Summer::Never),
    ("Australia/Melbourne", 10, 0, Summer::Australia),
    ("Australia/Sydney", 10, 0, Summer::Australia),
    ("Australia/Perth", 8, 0, Summer::Never),
    ("Pacific/Auckland", 12, 0, Summer::NewZealand),
];

impl Zone {
    /// Korea.
    pub const KOREA: Self = Self { standard: KST, summer: Summer::Never };

    /// The zone of that name.
    pub fn named(name: &str) -> Option<Self> {
        let (_, hours, minutes, summer) = ZONES.iter().find(|(known, ..)| *known == name)?;
        Some(Self { standard: hours * HOUR + minutes * MINUTE, summer: *summer })
    }

    /// Names that are known.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ZONES.iter().map(|(name, ..)| *name)
    }

    /// Distance of its clock from UTC at `at`, ms.
    pub fn offset(self, at: Ms) -> Ms {
        let Some((from, until)) = self.turns(year_of(at + self.standard)) else { return self.standard };
        // South of the equator the summer goes over the year's end.
        let is_summer = if from < until { (from..until).contains(&at) } else { !(until..from).contains(&at) };
        self.standard + if is_summer { HOUR } else { 0 }
    }

    /// The first instant after `at` at which its clock is changed; `None` where it never is.
    pub fn next_turn(self, at: Ms) -> Option<Ms> {
        let year = year_of(at + self.standard);
        let turns = [year, year + 1].into_iter().filter_map(|year| self.turns(year)).flat_map(|(a, b)| [a, b]);
        turns.filter(|turn| *turn > at).min()
    }

    /// When the summer of `year` begins and ends.
    fn turns(self, year: i32) -> Option<(Ms, Ms)> {
        // Minutes of the day in standard time.
        let (from, until) = match self.summer {
            Summer::Never => return None,
            Summer::Europe => {
                let at = HOUR + self.standard;
                ((last_sunday(year, 3)?, at), (last_sunday(year, 10)?, at))
            }
            Summer::America => ((first_sunday(year, 3)? + 7 * DAY, 2 * HOUR), (first_sunday(year, 11)?, HOUR)),
            Summer::Australia => ((first_sunday(year, 10)?, 2 * HOUR), (first_sunday(year, 4)?, 2 * HOUR)),
            Summer::NewZealand => ((last_sunday(year, 9)?, 2 * HOUR), (first_sunday(year, 4)?, 2 * HOUR)),
        };
        Some((from.0 + from.1 - self.standard, until.0 + until.1 - self.standard))
    }
}

fn year_of(local: Ms) -> i32 {
    civil(local - KST).year
}

/// Midnight of the month's first Sunday, on a clock that stands at UTC.
fn first_sunday(year: i32, month: u8) -> Option<Ms> {
    let first = midnight(year, month, 1)?;
    Some(first + KST + Ms::from(6 - civil(first).weekday) * DAY)
}

fn last_sunday(year: i32, month: u8) -> Option<Ms> {
    let first = first_sunday(year, month)?;
    (1..5).rev().map(|week| first + week * 7 * DAY).find(|day| civil(*day - KST).month == month)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_instant;

    fn at(text: &str) -> Ms {
        parse_instant(text, 0).expect("an instant")
    }

    #[test]
    fn clocks_are_changed_when_the_law_of_today_says_so() {
        let rows = [
            ("Asia/Seoul", "2026-07-01T00:00", 540),
            ("UTC", "2026-07-01T00:00", 0),
            ("Asia/Kolkata", "2026-01-01T00:00", 330),
            ("Europe/Berlin", "2026-03-29T00:59", 60),
            ("Europe/Berlin", "2026-03-29T01:00", 120),
            ("Europe/Berlin", "2026-10-25T00:59", 120),
            ("Europe/Berlin", "2026-10-25T01:00", 60),
            ("Europe/London", "2026-06-01T00:00", 60),
            ("America/New_York", "2026-03-08T06:59", -300),
            ("America/New_York", "2026-03-08T07:00", -240),
            ("America/New_York", "2026-11-01T05:59", -240),
            ("America/New_York", "2026-11-01T06:00", -300),
            ("Australia/Sydney", "2021-04-03T15:59", 660),
            ("Australia/Sydney", "2021-04-03T16:00", 600),
            ("Australia/Sydney", "2021-10-02T15:59", 600),
            ("Australia/Sydney", "2021-10-02T16:00", 660),
            ("Australia/Sydney", "2021-12-31T23:00", 660),
            ("Pacific/Auckland", "2026-01-01T00:00", 780),
            ("Pacific/Auckland", "2026-07-01T00:00", 720),
        ];
        for (name, instant, minutes) in rows {
            let zone = Zone::named(name).expect("a known zone");
            assert_eq!(zone.offset(at(instant)), minutes * MINUTE, "{name} {instant}");
        }
        let berlin = Zone::named("Europe/Berlin").expect("a known zone");
        assert_eq!(berlin.next_turn(at("2026-03-29T01:00")), Some(at("2026-10-25T01:00")));
        assert_eq!(berlin.next_turn(at("2026-12-01T00:00")), Some(at("2027-03-28T01:00")));
        assert_eq!((Zone::KOREA.next_turn(0), Zone::named("Mars/Olympus")), (None, None));
    }
}
