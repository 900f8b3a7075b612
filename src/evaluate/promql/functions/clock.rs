//! Functions of time: `time`, `timestamp`, and the parts of a date.
//!
//! The idea: an expression's clock is the time of its evaluation; dates are UTC, as Prometheus says them (rules that
//! mean office hours in Korea add nine hours).

use crate::evaluate::promql::ast::Kind::{Scalar, Vector};
use crate::evaluate::promql::ast::What;
use crate::evaluate::promql::eval::{Got, Item};
use crate::evaluate::promql::functions::{Asked, Body, Function, row};
use crate::evaluate::promql::value::Trouble;
use crate::model::Labels;
use crate::time::Ms;

pub(super) const TABLE: &[Function] = &[
    row("time", &[], Scalar, Body::Whole(|asked| Ok(Got::Scalar(seconds(asked.at))))),
    row("timestamp", &[Vector], Vector, Body::Whole(timestamp)),
    part("minute", |asked| by_part(asked, |d| d.minute)),
    part("hour", |asked| by_part(asked, |d| d.hour)),
    part("day_of_week", |asked| by_part(asked, |d| d.weekday)),
    part("day_of_month", |asked| by_part(asked, |d| d.day)),
    part("day_of_year", |asked| by_part(asked, |d| d.day_of_year)),
    part("days_in_month", |asked| by_part(asked, |d| d.days_in_month)),
    part("month", |asked| by_part(asked, |d| d.month)),
    part("year", |asked| by_part(asked, |d| d.year)),
];

const fn part(name: &'static str, f: fn(&Asked<'_>) -> Result<Got, Trouble>) -> Function {
    Function { least: 0, ..row(name, &[Vector], Vector, Body::Whole(f)) }
}

#[expect(clippy::cast_precision_loss, reason = "times are below 2^53 ms")]
fn seconds(at: Ms) -> f64 {
    at as f64 / 1000.0
}

/// When a selector's samples were taken; of anything else, the time of the evaluation.
fn timestamp(asked: &Asked<'_>) -> Result<Got, Trouble> {
    let item = |labels: &Labels, value| {
        let (labels, nameless) = asked.scene.unnamed(labels);
        Item { labels, value, nameless }
    };
    let plain = asked.call.args.first().map(|arg| &arg.bare().what);
    Ok(Got::Vector(match plain {
        Some(What::Select(selector)) => {
            let found = asked.scene.newest(selector, asked.at);
            found.iter().map(|(labels, (t, _))| item(labels, seconds(*t))).collect()
        }
        _ => asked.items(0).iter().map(|found| item(&found.labels, seconds(asked.at))).collect(),
    }))
}

/// The parts of a date.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Date {
    year: f64,
    month: f64,
    day: f64,
    hour: f64,
    minute: f64,
    /// Sunday = 0.
    weekday: f64,
    day_of_year: f64,
    days_in_month: f64,
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a body")]
fn by_part(asked: &Asked<'_>, part: fn(&Date) -> f64) -> Result<Got, Trouble> {
    let value = |seconds: f64| date(seconds).map_or(f64::NAN, |date| part(&date));
    if asked.args.is_empty() {
        let now = Item { labels: Labels::default(), value: value(seconds(asked.at)), nameless: false };
        return Ok(Got::Vector(vec![now]));
    }
    let one = |item: &Item| {
        let (labels, nameless) = asked.scene.unnamed(&item.labels);
        Item { labels, value: value(item.value), nameless }
    };
    Ok(Got::Vector(asked.items(0).iter().map(one).collect()))
}

/// The UTC date of whole seconds since 1970 (Gregorian, by eras of 400 years from 1 March); `None` where they do not
/// fit.
fn date(seconds: f64) -> Option<Date> {
    if !seconds.is_finite() || seconds.abs() > 1e14 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked to fit; the fraction is dropped as in Go")]
    let whole = seconds.trunc() as i64;
    let (days, rest) = (whole.div_euclid(86_400), whole.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let from_march = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * from_march + 2) / 153;
    let day = from_march - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before: i64 = lengths.iter().zip(1..month).map(|(length, _)| *length).sum();
    #[expect(clippy::cast_precision_loss, reason = "parts of a date are small")]
    let part = |n: i64| n as f64;
    Some(Date {
        year: part(year),
        month: part(month),
        day: part(day),
        hour: part(rest / 3600),
        minute: part(rest % 3600 / 60),
        weekday: part((days + 4).rem_euclid(7)),
        day_of_year: part(before + day),
        days_in_month: part(lengths.iter().zip(1..=month).map(|(length, _)| *length).last().unwrap_or(31)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_gregorian_and_utc() {
        // 2024-02-29 23:59:30 was a Thursday, the 60th day.
        let d = date(1_709_251_170.0).unwrap();
        assert_eq!((d.year, d.month, d.day, d.hour, d.minute), (2024.0, 2.0, 29.0, 23.0, 59.0));
        assert_eq!((d.weekday, d.day_of_year, d.days_in_month), (4.0, 60.0, 29.0));
        let d = date(0.0).unwrap();
        assert_eq!((d.year, d.month, d.day, d.weekday, d.day_of_year), (1970.0, 1.0, 1.0, 4.0, 1.0));
        let d = date(-1.0).unwrap();
        assert_eq!((d.year, d.month, d.day, d.day_of_year), (1969.0, 12.0, 31.0, 365.0));
        // 1900 was no leap year: 1900-02-28.
        assert_eq!(date(-2_203_977_600.0).unwrap().days_in_month, 28.0);
        assert_eq!(date(f64::NAN), None);
    }
}
