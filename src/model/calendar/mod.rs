//! The calendar: days off, working days and business hours in Korea.
//!
//! The idea: public holidays and their substitutes are computed, an edited list lays elections and 임시공휴일 over them
//! (or takes a computed day away), and everything else is a question about one instant. The calendar changes who is
//! told and when reports are due; it never decides whether a grave incident is told at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{TimeInterval, When, holds_any, next_change};
use crate::time::{DAY, HOUR, KST, Ms, civil};

mod korea;
mod lunar;

pub use korea::{Day, public_holidays};

/// A day off, or one that is none after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    /// Its name.
    pub name: String,
    /// Whether it is a day off.
    pub off: bool,
}

/// The hours in which an office works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfficeHours {
    /// First moment of the day, ms since midnight.
    pub from: Ms,
    /// First moment that is no longer in them, ms since midnight.
    pub until: Ms,
    /// Days of the week, Monday first.
    pub weekdays: [bool; 7],
}

impl Default for OfficeHours {
    /// Monday to Friday, nine to six.
    fn default() -> Self {
        Self { from: 9 * HOUR, until: 18 * HOUR, weekdays: [true, true, true, true, true, false, false] }
    }
}

/// Days off and business hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Every day off of the years that can be computed, and the edited ones, by day.
    days: Arc<BTreeMap<Day, Holiday>>,
    /// When the office works.
    pub office: OfficeHours,
    /// Named times, by id.
    pub intervals: BTreeMap<String, Vec<TimeInterval>>,
}

impl Default for Calendar {
    fn default() -> Self {
        Self::new(BTreeMap::new(), OfficeHours::default())
    }
}

impl Calendar {
    /// The computed days off with `edited` laid over them.
    pub fn new(edited: BTreeMap<Day, Holiday>, office: OfficeHours) -> Self {
        let computed = lunar::years().flat_map(public_holidays).map(|(day, name)| (day, Holiday { name, off: true }));
        let mut days: BTreeMap<Day, Holiday> = computed.collect();
        days.extend(edited);
        Self { days: Arc::new(days), office, intervals: BTreeMap::new() }
    }

    /// With these named times.
    pub fn naming(self, intervals: BTreeMap<String, Vec<TimeInterval>>) -> Self {
        Self { intervals, ..self }
    }

    /// The years whose days off are known.
    pub const fn years() -> std::ops::RangeInclusive<i32> {
        lunar::years()
    }

    /// The name of a day off, weekends aside.
    pub fn holiday(&self, day: Day) -> Option<&str> {
        self.days.get(&day).filter(|holiday| holiday.off).map(|holiday| holiday.name.as_str())
    }

    /// Whether a day is a public holiday.
    pub fn is_off(&self, year: i32, month: u8, day: u8) -> bool {
        self.holiday((year, month, day)).is_some()
    }

    /// Whether the office works on the day of `at`.
    pub fn is_working_day(&self, at: Ms) -> bool {
        let works = self.office.weekdays.get(usize::from(civil(at).weekday)).copied().unwrap_or(false);
        works && self.holiday(korea::day(at)).is_none()
    }

    /// Whether `at` is in business hours (업무시간).
    pub fn is_business(&self, at: Ms) -> bool {
        let time = (at + KST).rem_euclid(DAY);
        (self.office.from..self.office.until).contains(&time) && self.is_working_day(at)
    }

    /// Whether `at` is in those hours. A named time that is not there never holds.
    pub fn holds(&self, when: &When, at: Ms) -> bool {
        match when {
            When::Business => self.is_business(at),
            When::Off => !self.is_business(at),
            When::Interval(id) => {
                let intervals = self.intervals.get(id).map_or(&[][..], Vec::as_slice);
                holds_any(intervals, at, &|year, month, day| self.is_off(year, month, day))
            }
        }
    }

    /// Instants in `[from, until)` at which [`Calendar::holds`] may answer otherwise than just before.
    pub fn edges(&self, from: Ms, until: Ms) -> Vec<Ms> {
        let days = (0..).map(|n| start_of_day(from) + n * DAY).take_while(|day| *day < until);
        let office = days.flat_map(|day| [day, day + self.office.from, day + self.office.until]);
        let mut edges: Vec<Ms> = office.filter(|edge| (from..until).contains(edge)).collect();
        let off = |year: i32, month: u8, day: u8| self.is_off(year, month, day);
        for list in self.intervals.values() {
            let mut at = from;
            while let Some(edge) = next_change(list, at, &off).filter(|edge| *edge < until) {
                edges.push(edge);
                at = edge;
            }
        }
        edges
    }

    /// The next time after `now` that clocks show `hour` o'clock, on a working day where `working_days` says so.
    pub fn next_hour(&self, hour: u8, working_days: bool, now: Ms) -> Ms {
        let time = i64::from(hour.min(23)) * HOUR;
        let today = start_of_day(now) + time;
        let next = if today > now { today } else { today + DAY };
        // A calendar that never works has no better day than the next.
        let days = (0..31).map(|n| next + n * DAY).find(|at| !working_days || self.is_working_day(*at));
        days.unwrap_or(next)
    }

    /// Midnight of the `n`-th working day after the day of `at` (영업일 +n); `n` = 0 is the day of `at` itself or the
    /// first working day after it. A week without any working day counts as seven.
    pub fn working_day_after(&self, at: Ms, n: u32) -> Ms {
        let mut day = start_of_day(at);
        let mut left = i64::from(n) + i64::from(!self.is_working_day(at));
        // Holidays never fill a month: the bound only ends the search in a calendar whose office never works.
        for _ in 0..(i64::from(n) + 1) * 31 {
            if left <= 0 {
                break;
            }
            day += DAY;
            left -= i64::from(self.is_working_day(day));
        }
        day
    }
}

/// The midnight in Korea at or before `at`.
pub fn start_of_day(at: Ms) -> Ms {
    (at + KST).div_euclid(DAY) * DAY - KST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_instant;

    fn at(text: &str) -> Ms {
        parse_instant(text, KST).expect("an instant")
    }

    #[test]
    fn business_hours_know_weekends_holidays_and_what_was_edited() {
        let holiday = |name: &str, off| Holiday { name: name.to_owned(), off };
        let edited = BTreeMap::from([
            ((2026, 6, 3), holiday("전국동시지방선거", true)),
            ((2026, 7, 17), holiday("제헌절", false)),
        ]);
        let calendar = Calendar::new(edited, OfficeHours::default());
        for (text, wanted) in [
            ("2026-11-24 08:59:59", false),
            ("2026-11-24 09:00", true),
            ("2026-11-24 17:59:59.999", true),
            ("2026-11-24 18:00", false),
            ("2026-11-22 12:00", false), // Sunday
            ("2026-05-25 12:00", false), // 대체공휴일
            ("2026-05-26 12:00", true),
            ("2026-06-03 12:00", false), // edited: off
            ("2026-07-17 12:00", true),  // edited: a working day after all
            ("2026-02-17 12:00", false), // 설날
        ] {
            assert_eq!(calendar.is_business(at(text)), wanted, "{text}");
        }
        assert_eq!(calendar.holiday((2026, 6, 3)), Some("전국동시지방선거"));
        assert_eq!(Calendar::default().holiday((2026, 6, 3)), None, "an election cannot be computed");
        assert!(calendar.is_off(2026, 9, 25) && !calendar.is_off(2026, 9, 27));
    }

    #[test]
    fn working_days_are_counted_over_holidays_and_months() {
        let calendar = Calendar::default();
        for (from, n, wanted) in [
            ("2026-11-24 23:59", 0, "2026-11-24"),
            ("2026-11-28 10:00", 0, "2026-11-30"), // Saturday
            ("2026-11-27 10:00", 1, "2026-11-30"), // over a weekend
            ("2026-09-23 10:00", 1, "2026-09-28"), // over 추석 and a weekend
            ("2026-09-24 10:00", 1, "2026-09-29"), // counted from the first working day
            ("2026-12-31 10:00", 3, "2027-01-06"), // over 1월 1일 and a weekend
        ] {
            assert_eq!(calendar.working_day_after(at(from), n), at(wanted), "{from} +{n}");
        }
        for (now, working, wanted) in [
            ("2026-11-27 08:00", true, "2026-11-27 09:00"),
            ("2026-11-27 09:00", true, "2026-11-30 09:00"),
            ("2026-11-27 09:00", false, "2026-11-28 09:00"),
            ("2026-09-23 20:00", true, "2026-09-28 09:00"),
        ] {
            assert_eq!(calendar.next_hour(9, working, at(now)), at(wanted), "{now}");
        }
        let never = Calendar::new(BTreeMap::new(), OfficeHours { weekdays: [false; 7], ..OfficeHours::default() });
        assert!(never.working_day_after(at("2026-11-24"), 2) > at("2026-11-24"), "and it ends");
    }
}
