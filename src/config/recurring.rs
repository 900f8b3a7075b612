//! Recurring time in edited files, in the words of Alertmanager's `time_interval`, as [`TimeInterval`].
//!
//! The idea: ranges are written `a:b` or as one item; one pure function per field reads an item or says what is wrong
//! with it. Beside Alertmanager's fields stands `holidays`; `location` knows Korea and UTC, and left out it is Korea.

use super::problem::Notes;
use super::read::Obj;
use super::table::{Kind, Table, may, must, or};
use crate::model::TimeInterval;
use crate::time::KST;

static TIME: Table = Table {
    name: "time",
    doc: "A stretch of the day; the end is not part of it.",
    keys: &[
        must("start_time", Kind::Label, "HH:MM, from 00:00 on"),
        must("end_time", Kind::Label, "HH:MM, up to 24:00; after midnight is a stretch of its own"),
    ],
};

/// The keys of one interval.
pub(super) static INTERVAL: Table = Table {
    name: "time interval",
    doc: "Recurring time; what is left out fits always, all that is written must hold.",
    keys: &[
        may("times", Kind::List(&Kind::Table(&TIME), 1), "stretches of the day"),
        may("weekdays", RANGES, "days of the week or ranges, such as monday:friday; weeks begin on sunday"),
        may("days_of_month", RANGES, "days or ranges, such as 1:5 or -3:-1; -1 is the last day of the month"),
        may("months", RANGES, "months or ranges by name or number, such as january:march or 1:3"),
        may("years", RANGES, "years or ranges, such as 2026:2028"),
        may("holidays", Kind::Bool, "true = on public holidays alone, false = never on one"),
        or("location", "Asia/Seoul", Kind::Word(&["Asia/Seoul", "UTC"]), "whose clock it is"),
    ],
};

const RANGES: Kind = Kind::List(&Kind::Label, 1);

/// A list of intervals.
pub(super) const INTERVALS: Kind = Kind::List(&Kind::Table(&INTERVAL), 1);

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The intervals under `key` of a checked tree; what does not fit is noted and left out.
pub(super) fn intervals(part: Obj<'_>, key: &str, notes: &mut Notes) -> Vec<TimeInterval> {
    part.subs(key).map(|item| interval(item, notes)).collect()
}

/// One interval.
pub(super) fn interval(item: Obj<'_>, notes: &mut Notes) -> TimeInterval {
    let mut times = Vec::new();
    for part in item.subs("times") {
        let (Some(start), Some(end)) = (part.text("start_time"), part.text("end_time")) else { continue };
        match stretch(start, end) {
            Ok(stretch) => times.push(stretch),
            Err(why) => {
                notes.error("bad-interval", part.at("start_time"), why, "write { start_time: 09:00, end_time: 18:00 }")
            }
        }
    }
    TimeInterval {
        times,
        weekdays: ranges(item, "weekdays", notes, weekdays),
        days_of_month: ranges(item, "days_of_month", notes, days),
        months: ranges(item, "months", notes, months),
        years: ranges(item, "years", notes, years),
        holidays: item.has("holidays").then(|| item.flag("holidays")),
        offset: if item.text("location") == Some("UTC") { 0 } else { KST },
    }
}

fn ranges<T>(
    item: Obj<'_>,
    key: &str,
    notes: &mut Notes,
    read: impl Fn(&str) -> Result<(T, T), String>,
) -> Vec<(T, T)> {
    let mut found = Vec::new();
    for node in item.list(key) {
        let Some(text) = node.as_text() else { continue };
        match read(&text.trim().to_ascii_lowercase()) {
            Ok(range) => found.push(range),
            Err(why) => {
                notes.error("bad-interval", node.at, format!("`{key}`: {why}"), "write one item or `first:last`")
            }
        }
    }
    found
}

/// `09:00` to `18:00` in minutes of the day.
fn stretch(start: &str, end: &str) -> Result<(i64, i64), String> {
    let (start_minute, end_minute) = (minute(start)?, minute(end)?);
    if start_minute >= end_minute {
        return Err(format!("`end_time: {end}` is not after `start_time: {start}`"));
    }
    Ok((start_minute, end_minute))
}

fn minute(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no time of day from 00:00 to 24:00");
    let (hour, minute) = text.split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2).ok_or_else(wrong)?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten();
    let (hour, minute) = (digits(hour).ok_or_else(wrong)?, digits(minute).ok_or_else(wrong)?);
    let fits = (hour < 24 && minute < 60) || (hour == 24 && minute == 0);
    if fits { Ok(hour * 60 + minute) } else { Err(wrong()) }
}

/// Both ends of `a:b`, or `a` twice.
fn ends<T: Copy>(text: &str, one: impl Fn(&str) -> Result<T, String>) -> Result<(T, T), String> {
    match text.split_once(':') {
        Some((first, last)) => Ok((one(first.trim())?, one(last.trim())?)),
        None => one(text).map(|only| (only, only)),
    }
}

fn named(text: &str, words: &[&str], what: &str) -> Result<u8, String> {
    let place = words.iter().position(|word| *word == text).and_then(|n| u8::try_from(n).ok());
    place.ok_or_else(|| format!("`{text}` is no {what}"))
}

fn weekdays(text: &str) -> Result<(u8, u8), String> {
    let (first, last) = ends(text, |day| named(day, &WEEKDAYS, "day of the week"))?;
    if first > last {
        return Err(format!("`{text}` ends before it begins: weeks begin on sunday, name the days one by one"));
    }
    Ok((first, last))
}

fn months(text: &str) -> Result<(u8, u8), String> {
    let one = |month: &str| match month.parse::<u8>() {
        Ok(n @ 1..=12) => Ok(n),
        Ok(n) => Err(format!("{n} is no month")),
        Err(_) => named(month, &MONTHS, "month").map(|n| n + 1),
    };
    let (first, last) = ends(text, one)?;
    if first > last {
        return Err(format!("`{text}` ends before it begins: write two ranges"));
    }
    Ok((first, last))
}

fn years(text: &str) -> Result<(i32, i32), String> {
    let one = |year: &str| year.parse::<i32>().map_err(|_| format!("`{year}` is no year"));
    let (first, last) = ends(text, one)?;
    if first > last {
        return Err(format!("`{text}` ends before it begins"));
    }
    Ok((first, last))
}

/// Days of the month. Ranges that no month could have are refused; others are clamped to each month when asked.
fn days(text: &str) -> Result<(i32, i32), String> {
    /// The shortest month.
    const SHORTEST: i32 = 28;
    let one = |day: &str| match day.parse::<i32>() {
        Ok(n) if n != 0 && (-31..=31).contains(&n) => Ok(n),
        Ok(n) => Err(format!("{n} is no day of a month: 1 to 31, or -31 to -1 from its end")),
        Err(_) => Err(format!("`{day}` is no day of a month")),
    };
    let (first, last) = ends(text, one)?;
    if first < 0 && last > 0 {
        return Err(format!("`{text}`: a range that begins from the month's end must end so too"));
    }
    let place = |n: i32| if n < 0 { SHORTEST + n } else { n };
    if place(first) > place(last) {
        return Err(format!("`{text}` ends before it begins"));
    }
    Ok((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_refused_as_alertmanager_does() {
        assert_eq!(weekdays("monday:friday"), Ok((1, 5)));
        assert_eq!(weekdays("sunday"), Ok((0, 0)));
        assert_eq!(days("-3:-1"), Ok((-3, -1)));
        assert_eq!(days("1:5"), Ok((1, 5)));
        assert_eq!(days("15:-1"), Ok((15, -1)));
        assert_eq!((days("31"), days("-31:-1")), (Ok((31, 31)), Ok((-31, -1))));
        assert_eq!((months("january:march"), months("5:august"), months("12")), (Ok((1, 3)), Ok((5, 8)), Ok((12, 12))));
        assert_eq!((years("2020:2023"), years("2026")), (Ok((2020, 2023)), Ok((2026, 2026))));
        assert_eq!((stretch("00:00", "24:00"), stretch("09:30", "09:31")), (Ok((0, 1440)), Ok((570, 571))));
        for wrong in ["friday:monday", "saturday:sunday", "mon", "1", "monday:", ""] {
            assert!(weekdays(wrong).is_err(), "{wrong}");
        }
        for wrong in ["0", "32", "-32", "-1:5", "5:1", "-1:-3", "30:-30", "a", "1:0"] {
            assert!(days(wrong).is_err(), "{wrong}");
        }
        for wrong in ["13", "0", "march:january", "jan", "5:4"] {
            assert!(months(wrong).is_err(), "{wrong}");
        }
        for wrong in ["2023:2020", "one", "2020:"] {
            assert!(years(wrong).is_err(), "{wrong}");
        }
        for (start, end) in [
            ("18:00", "09:00"),
            ("09:00", "09:00"),
            ("9:00", "10:00"),
            ("00:00", "24:01"),
            ("25:00", "26:00"),
            ("+9:00", "10:00"),
            ("09:60", "10:00"),
        ] {
            assert!(stretch(start, end).is_err(), "{start} {end}");
        }
    }
}
