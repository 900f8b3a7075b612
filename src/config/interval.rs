//! Recurring times in edited files: `{ times: ["22:00-24:00"], weekdays: [월:금], days_of_month: ["-3:-1"] }`.
//!
//! The idea: the fields are those of Alertmanager's time intervals, ranges are written `a:b`, and months and days of the
//! week may be written in Korean or in English. What they mean is said in [`crate::model::TimeInterval`].

use super::calendar::time_of_day;
use super::problem::Notes;
use super::read::Obj;
use super::table::{Kind, Table, may};
use super::tree::Node;
use crate::model::TimeInterval;
use crate::time::MINUTE;

/// The keys of one recurring time.
pub(super) static INTERVAL: Table = Table {
    name: "interval",
    doc: "A recurring time, KST: fields must hold together, items of one field are alternatives.",
    keys: &[
        may("times", Kind::List(&Kind::Text, 1), "HH:MM-HH:MM, the end exclusive, 24:00 = midnight"),
        may("weekdays", Kind::List(&Kind::Label, 1), "일 to 토 or sunday to saturday, or ranges such as 월:금"),
        may("days_of_month", Kind::List(&Kind::Label, 1), "1 to 31 or -31 to -1 from the end, or ranges such as -3:-1"),
        may("months", Kind::List(&Kind::Label, 1), "1 to 12 or january to december, or ranges"),
        may("years", Kind::List(&Kind::Label, 1), "years, or ranges such as 2026:2027"),
        may("holidays", Kind::Bool, "true: public holidays alone; false: never on one"),
    ],
};

const WEEKDAYS: [(&str, &str); 7] = [
    ("일", "sunday"),
    ("월", "monday"),
    ("화", "tuesday"),
    ("수", "wednesday"),
    ("목", "thursday"),
    ("금", "friday"),
    ("토", "saturday"),
];

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

/// The recurring time of a checked map.
pub(super) fn interval(item: Obj<'_>, notes: &mut Notes) -> TimeInterval {
    let narrow =
        |range: Option<(i64, i64)>| range.and_then(|(a, b)| Some((u8::try_from(a).ok()?, u8::try_from(b).ok()?)));
    let wide =
        |range: Option<(i64, i64)>| range.and_then(|(a, b)| Some((i32::try_from(a).ok()?, i32::try_from(b).ok()?)));
    TimeInterval {
        times: each(item, "times", "HH:MM-HH:MM", notes, times),
        weekdays: each(item, "weekdays", "a day of the week, or a range such as 월:금", notes, |text| {
            narrow(range(text, weekday).filter(|(a, b)| a <= b))
        }),
        days_of_month: each(item, "days_of_month", "1 to 31, -31 to -1, or a range such as -3:-1", notes, |text| {
            wide(range(text, day_of_month).filter(|range| is_forward(*range)))
        }),
        months: each(item, "months", "a month, or a range such as 1:3", notes, |text| {
            narrow(range(text, month).filter(|(a, b)| a <= b))
        }),
        years: each(item, "years", "a year, or a range such as 2026:2027", notes, |text| {
            wide(range(text, |word| number(word, 1970, 9999)).filter(|(a, b)| a <= b))
        }),
        holidays: item.has("holidays").then(|| item.flag("holidays")),
        ..TimeInterval::default()
    }
}

/// The items under `key`, read; what cannot be read is a problem at its place.
fn each<T>(item: Obj<'_>, key: &str, wanted: &str, notes: &mut Notes, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
    let mut take = |node: &Node| {
        let text = node.as_text()?;
        let value = read(text);
        if value.is_none() {
            notes.error("bad-value", node.at, format!("`{key}` does not take `{text}`"), format!("write {wanted}"));
        }
        value
    };
    item.list(key).iter().filter_map(&mut take).collect()
}

fn times(text: &str) -> Option<(i64, i64)> {
    let (start, end) = text.split_once('-')?;
    let minute = |text: &str| Some(time_of_day(text.trim())? / MINUTE);
    let (start, end) = (minute(start)?, minute(end)?);
    (start < end).then_some((start, end))
}

fn range(text: &str, one: impl Fn(&str) -> Option<i64>) -> Option<(i64, i64)> {
    match text.split_once(':') {
        Some((a, b)) => Some((one(a.trim())?, one(b.trim())?)),
        None => one(text.trim()).map(|value| (value, value)),
    }
}

fn number(text: &str, min: i64, max: i64) -> Option<i64> {
    text.parse().ok().filter(|n| (min..=max).contains(n))
}

fn weekday(text: &str) -> Option<i64> {
    let fits = |(korean, english): &(&str, &str)| *korean == text || english.eq_ignore_ascii_case(text);
    WEEKDAYS.iter().position(fits).and_then(|n| i64::try_from(n).ok())
}

fn month(text: &str) -> Option<i64> {
    let by_name = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(text));
    by_name.and_then(|n| i64::try_from(n + 1).ok()).or_else(|| number(text, 1, 12))
}

fn day_of_month(text: &str) -> Option<i64> {
    number(text, -31, 31).filter(|day| *day != 0)
}

/// A range that could hold a day of some month: backwards only where its ends count from different sides.
fn is_forward((a, b): (i64, i64)) -> bool {
    (a < 0) != (b < 0) || a <= b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_read_as_alertmanager_writes_them_and_in_korean() {
        assert_eq!(times("09:00-18:00"), Some((540, 1080)));
        assert_eq!(times("22:00-24:00"), Some((1320, 1440)));
        for wrong in ["18:00-09:00", "09:00", "9:00-18:00", "09:00-09:00", "22:00-25:00"] {
            assert_eq!(times(wrong), None, "{wrong}");
        }
        for (text, wanted) in [("monday:friday", (1, 5)), ("월:금", (1, 5)), ("Sunday", (0, 0)), ("토", (6, 6))] {
            assert_eq!(range(text, weekday), Some(wanted), "{text}");
        }
        for (text, wanted) in [("january:march", (1, 3)), ("4:6", (4, 6)), ("December", (12, 12))] {
            assert_eq!(range(text, month), Some(wanted), "{text}");
        }
        for (text, wanted) in [("1:5", true), ("-3:-1", true), ("5:-1", true), ("-1:-3", false), ("5:1", false)] {
            let read = range(text, day_of_month).filter(|range| is_forward(*range));
            assert_eq!(read.is_some(), wanted, "{text}");
        }
        for (text, one) in
            [("0", day_of_month as fn(&str) -> Option<i64>), ("32", day_of_month), ("13", month), ("월요일", weekday)]
        {
            assert_eq!(range(text, one), None, "{text}");
        }
    }
}
