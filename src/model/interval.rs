//! Recurring time: "weekdays from nine to six", "the last three days of a month", as one value.
//!
//! The idea: the meaning is that of Alertmanager's `time_interval`, so that what people know stays true. A field that
//! is left out fits always; items of one field are alternatives, fields must hold together. The end of `times` is
//! exclusive, every other range is inclusive, negative days count from the month's end and are clamped to the month.
//! Beside it `holidays` asks for days off or for working days. The clock is Korea's unless `zone` says else.
//! Which days are off is not known here: whoever asks brings it.

use crate::model::Zone;
use crate::time::{Civil, DAY, KST, MINUTE, Ms, civil};

/// Whether a civil day (year, month, day) is a public holiday.
pub type DayOff<'a> = &'a dyn Fn(i32, u8, u8) -> bool;

/// How far [`next_change`] looks ahead.
const AHEAD: Ms = 400 * DAY;

/// A recurring stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeInterval {
    /// `[start, end)` in minutes of the day, 0 to 1440.
    pub times: Vec<(i64, i64)>,
    /// From day to day of the week, Sunday = 0, both inclusive.
    pub weekdays: Vec<(u8, u8)>,
    /// From day to day of the month, both inclusive; −1 is the last day.
    pub days_of_month: Vec<(i32, i32)>,
    /// From month to month, both inclusive.
    pub months: Vec<(u8, u8)>,
    /// From year to year, both inclusive.
    pub years: Vec<(i32, i32)>,
    /// `true`: public holidays alone; `false`: never on one; `None`: whatever the day.
    pub holidays: Option<bool>,
    /// Whose clock it is.
    pub zone: Zone,
}

impl Default for TimeInterval {
    /// Always.
    fn default() -> Self {
        Self {
            times: Vec::new(),
            weekdays: Vec::new(),
            days_of_month: Vec::new(),
            months: Vec::new(),
            years: Vec::new(),
            holidays: None,
            zone: Zone::KOREA,
        }
    }
}

impl TimeInterval {
    /// Whether `at` lies in it.
    pub fn holds(&self, at: Ms, is_off: DayOff<'_>) -> bool {
        let day = civil(at - KST + self.zone.offset(at));
        let minute = i64::from(day.hour) * 60 + i64::from(day.minute);
        let weekday = (day.weekday + 1) % 7;
        let any =
            |list: &[(u8, u8)], value: u8| list.is_empty() || list.iter().any(|(a, b)| (*a..=*b).contains(&value));
        (self.times.is_empty() || self.times.iter().any(|(start, end)| (*start..*end).contains(&minute)))
            && (self.days_of_month.is_empty() || self.days_of_month.iter().any(|range| has_day(*range, &day)))
            && any(&self.months, day.month)
            && any(&self.weekdays, weekday)
            && (self.years.is_empty() || self.years.iter().any(|(a, b)| (*a..=*b).contains(&day.year)))
            && self.holidays.is_none_or(|wanted| is_off(day.year, day.month, day.day) == wanted)
    }

    /// The next instant after `at` at which the answer may be another one: an end of `times`, midnight, or a change of
    /// the clock.
    fn next_edge(&self, at: Ms) -> Ms {
        let offset = self.zone.offset(at);
        let local = at + offset;
        let midnight = local.div_euclid(DAY) * DAY;
        let ends = self.times.iter().flat_map(|(start, end)| [*start, *end]);
        let edges = ends.map(|minute| midnight + minute * MINUTE).filter(|edge| *edge > local);
        let edge = edges.min().map_or(midnight + DAY, |edge| edge.min(midnight + DAY)) - offset;
        self.zone.next_turn(at).map_or(edge, |turn| edge.min(turn))
    }
}

/// Whether `at` lies in one of `intervals`.
pub fn holds_any(intervals: &[TimeInterval], at: Ms, is_off: DayOff<'_>) -> bool {
    intervals.iter().any(|interval| interval.holds(at, is_off))
}

/// The first instant after `at` at which [`holds_any`] answers otherwise; `None` where it does not within 400 days.
pub fn next_change(intervals: &[TimeInterval], at: Ms, is_off: DayOff<'_>) -> Option<Ms> {
    let now = holds_any(intervals, at, is_off);
    let mut edge = at;
    while edge < at + AHEAD {
        edge = intervals.iter().map(|interval| interval.next_edge(edge)).min()?;
        if holds_any(intervals, edge, is_off) != now {
            return Some(edge);
        }
    }
    None
}

/// Whether the day of `day` lies in a range of days of its month. A range that begins after the month's end has none
/// of its days; every other is clamped to it.
fn has_day((begin, end): (i32, i32), day: &Civil) -> bool {
    let length = days_in_month(day.year, day.month);
    let place = |n: i32| if n < 0 { length + n + 1 } else { n };
    let begin = place(begin);
    let today = i32::from(day.day);
    begin <= length && begin.max(1) <= today && today <= place(end).min(length)
}

fn days_in_month(year: i32, month: u8) -> i32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_instant;

    /// 대체공휴일, 2026.
    fn off(year: i32, month: u8, day: u8) -> bool {
        (year, month, day) == (2026, 5, 25)
    }

    fn at(text: &str) -> Ms {
        parse_instant(text, KST).expect("an instant")
    }

    fn always() -> TimeInterval {
        TimeInterval::default()
    }

    fn times(list: &[(i64, i64)]) -> TimeInterval {
        TimeInterval { times: list.iter().map(|(start, end)| (start * 60, end * 60)).collect(), ..always() }
    }

    fn days(list: &[(i32, i32)]) -> TimeInterval {
        TimeInterval { days_of_month: list.to_vec(), ..always() }
    }

    fn weekdays(list: &[(u8, u8)]) -> TimeInterval {
        TimeInterval { weekdays: list.to_vec(), ..always() }
    }

    #[test]
    fn an_interval_means_what_alertmanager_means() {
        let working = TimeInterval { weekdays: vec![(1, 5)], ..times(&[(9, 18)]) };
        let office = TimeInterval { holidays: Some(false), ..working.clone() };
        let february = TimeInterval { months: vec![(2, 2)], ..days(&[(-31, -1)]) };
        let quarter = TimeInterval { months: vec![(3, 3), (6, 6), (9, 12)], ..always() };
        let years = TimeInterval { years: vec![(2024, 2025), (2027, 2027)], ..always() };
        let utc = TimeInterval { zone: Zone::named("UTC").expect("a known zone"), ..times(&[(9, 17)]) };
        let rows: Vec<(&str, TimeInterval, bool)> = vec![
            ("2026-11-24 03:00", always(), true),
            ("2026-11-24 09:00", working.clone(), true),
            ("2026-11-24 17:59:59.999", working.clone(), true),
            ("2026-11-24 18:00", working.clone(), false),
            ("2026-11-24 08:59:59.999", working.clone(), false),
            ("2026-11-22 12:00", working.clone(), false),
            ("2026-05-25 12:00", working.clone(), true),
            ("2026-05-25 12:00", office.clone(), false),
            ("2026-05-26 12:00", office, true),
            ("2026-05-25 12:00", TimeInterval { holidays: Some(true), ..always() }, true),
            ("2026-05-26 12:00", TimeInterval { holidays: Some(true), ..always() }, false),
            ("2026-11-24 23:59", times(&[(22, 24)]), true),
            ("2026-11-25 00:00", times(&[(22, 24)]), false),
            ("2026-11-25 00:00", times(&[(0, 6), (22, 24)]), true),
            ("2026-11-24 12:00", times(&[(0, 6), (22, 24)]), false),
            ("2026-11-22 00:00", weekdays(&[(0, 0)]), true),
            ("2026-11-21 23:59", weekdays(&[(0, 0)]), false),
            ("2026-11-21 23:59", weekdays(&[(0, 0), (6, 6)]), true),
            ("2026-11-30 00:00", days(&[(-1, -1)]), true),
            ("2026-11-29 23:59", days(&[(-1, -1)]), false),
            ("2026-11-28 12:00", days(&[(-3, -1)]), true),
            ("2026-11-27 12:00", days(&[(-3, -1)]), false),
            ("2026-11-30 12:00", days(&[(25, 31)]), true),
            ("2026-11-30 12:00", days(&[(31, 31)]), false),
            ("2026-02-01 12:00", february.clone(), true),
            ("2026-02-28 12:00", february.clone(), true),
            ("2026-03-01 12:00", february, false),
            ("2026-02-28 12:00", days(&[(1, -1)]), true),
            ("2028-02-29 12:00", days(&[(-1, -1)]), true),
            ("2028-02-28 12:00", days(&[(-1, -1)]), false),
            ("2100-02-28 12:00", days(&[(-1, -1)]), true),
            ("2026-02-27 12:00", days(&[(10, -2)]), true),
            ("2026-02-28 12:00", days(&[(10, -2)]), false),
            ("2026-02-28 12:00", days(&[(29, 31)]), false),
            ("2026-09-01 00:00", quarter.clone(), true),
            ("2026-12-31 23:59", quarter.clone(), true),
            ("2026-08-31 23:59", quarter, false),
            ("2025-12-31 23:59", years.clone(), true),
            ("2026-01-01 00:00", years.clone(), false),
            ("2027-06-01 00:00", years, true),
            ("2026-11-24 18:00", utc.clone(), true),
            ("2026-11-24 17:59", utc, false),
        ];
        for (text, interval, wanted) in rows {
            assert_eq!(interval.holds(at(text), &off), wanted, "{text} {interval:?}");
        }
    }

    #[test]
    fn the_next_change_is_where_the_answer_changes_first() {
        let office = TimeInterval { weekdays: vec![(1, 5)], holidays: Some(false), ..times(&[(9, 18)]) };
        let night = times(&[(0, 6), (22, 24)]);
        let rows: [(&str, Vec<TimeInterval>, Option<&str>); 9] = [
            ("2026-11-24 09:00", vec![office.clone()], Some("2026-11-24 18:00")),
            ("2026-11-24 18:00", vec![office.clone()], Some("2026-11-25 09:00")),
            ("2026-11-27 18:00", vec![office.clone()], Some("2026-11-30 09:00")),
            ("2026-05-22 18:00", vec![office], Some("2026-05-26 09:00")),
            ("2026-11-24 23:00", vec![night.clone()], Some("2026-11-25 06:00")),
            ("2026-11-24 05:00", vec![night, times(&[(5, 8)])], Some("2026-11-24 08:00")),
            ("2026-11-24 05:00", vec![days(&[(-1, -1)])], Some("2026-11-30 00:00")),
            ("2026-11-24 05:00", vec![always()], None),
            ("2026-11-24 05:00", Vec::new(), None),
        ];
        for (text, intervals, wanted) in rows {
            assert_eq!(next_change(&intervals, at(text), &off), wanted.map(at), "{text} {intervals:?}");
        }
    }
}
