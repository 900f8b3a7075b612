//! Recurring time in edited files, as [`TimeInterval`]: one notation wherever a file asks for it.
//!
//! The idea: the fields and their meaning are those of Alertmanager's `time_interval`; ranges are written `a:b` or as
//! one item, days and months by their English names, days in Korean too, and a stretch of the day as `09:00-18:00` or
//! as `{ start_time, end_time }`. One pure function per field reads an item or says what is wrong with it. Beside
//! Alertmanager's fields stands `holidays`; `location` left out is Korea.

use super::calendar::time_of_day;
use super::near::nearest;
use super::problem::{Mark, Notes};
use super::read::Obj;
use super::table::{Kind, Table, may, or};
use super::tree::{Data, Node};
use crate::model::{TimeInterval, Zone};
use crate::time::MINUTE;

/// The keys of one interval.
pub(super) static INTERVAL: Table = Table {
    name: "time interval",
    doc: "Recurring time: fields must hold together, items of one field are alternatives, a field left out fits always.",
    keys: &[
        may(
            "times",
            Kind::List(&Kind::Stretch, 1),
            "stretches of the day; the end is not part of it, 24:00 = midnight",
        ),
        may("weekdays", RANGES, "days of the week or ranges: monday:friday or 월:금; weeks begin on sunday"),
        may("days_of_month", RANGES, "days or ranges, such as 1:5 or -3:-1; -1 is the last day of the month"),
        may("months", RANGES, "months or ranges by name or number, such as january:march or 1:3"),
        may("years", RANGES, "years or ranges, such as 2026:2028"),
        may("holidays", Kind::Bool, "true = on public holidays alone, false = never on one"),
        or("location", "Asia/Seoul", Kind::Text, "whose clock it is: a zone such as UTC, Europe/Berlin; today's rules"),
    ],
};

const RANGES: Kind = Kind::List(&Kind::Label, 1);

/// A list of intervals: alternatives.
pub(super) const INTERVALS: Kind = Kind::List(&Kind::Table(&INTERVAL), 1);

const WEEKDAYS: [(&str, &str); 7] = [
    ("sunday", "일"),
    ("monday", "월"),
    ("tuesday", "화"),
    ("wednesday", "수"),
    ("thursday", "목"),
    ("friday", "금"),
    ("saturday", "토"),
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

/// The intervals under `key` of a checked tree; what does not fit is noted and left out.
pub(super) fn intervals(part: Obj<'_>, key: &str, notes: &mut Notes) -> Vec<TimeInterval> {
    let one = |item: Obj<'_>, notes: &mut Notes| {
        let holidays = item.has("holidays").then(|| item.flag("holidays"));
        TimeInterval { holidays, ..interval(item, notes) }
    };
    part.subs(key).map(|item| one(item, notes)).collect()
}

/// As [`intervals`], of a table without `holidays`.
pub(super) fn intervals_of(part: Obj<'_>, key: &str, notes: &mut Notes) -> Vec<TimeInterval> {
    part.subs(key).map(|item| interval(item, notes)).collect()
}

fn interval(item: Obj<'_>, notes: &mut Notes) -> TimeInterval {
    TimeInterval {
        times: item.list("times").iter().filter_map(|node| stretch(node).ok()).collect(),
        weekdays: ranges(item, "weekdays", notes, weekdays),
        days_of_month: ranges(item, "days_of_month", notes, days),
        months: ranges(item, "months", notes, months),
        years: ranges(item, "years", notes, years),
        holidays: None,
        zone: zone(item, notes),
    }
}

fn zone(item: Obj<'_>, notes: &mut Notes) -> Zone {
    let name = item.text("location").unwrap_or_default();
    Zone::named(name).unwrap_or_else(|| {
        if item.has("location") {
            let names: Vec<&str> = Zone::names().collect();
            let help = match nearest(name, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", names.join(", ")),
            };
            notes.error("bad-interval", item.at("location"), format!("the clock of `{name}` is not known"), help);
        }
        Zone::KOREA
    })
}

/// The ranges under `key`, each read by `read`; what cannot be read is noted at its place.
pub(super) fn ranges<T>(
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
                notes.error("bad-interval", node.at, format!("`{key}`: {why}"), "write one item or `first:last`");
            }
        }
    }
    found
}

/// A stretch of the day in minutes, `09:00-18:00` or `{ start_time: "09:00", end_time: "18:00" }`; else what is wrong
/// and where.
pub(super) fn stretch(node: &Node) -> Result<(i64, i64), (Mark, String)> {
    const KEYS: [&str; 2] = ["start_time", "end_time"];
    let wrong = |at: Mark, why: &str| Err((at, why.to_owned()));
    let ((start, start_at), (end, end_at)) = match &node.data {
        Data::Scalar { text, .. } => {
            let Some((start, end)) = text.split_once('-') else {
                return wrong(node.at, &format!("`{text}` is no stretch of the day"));
            };
            ((start.trim(), node.at), (end.trim(), node.at))
        }
        Data::Map(entries) => {
            if let Some(other) = entries.iter().find(|entry| !KEYS.contains(&entry.key.as_str())) {
                return wrong(other.at, &format!("`{}` is no part of a stretch of the day", other.key));
            }
            match KEYS.map(|key| node.get(key).and_then(|end| Some((end.as_text()?, end.at)))) {
                [Some(start), Some(end)] => (start, end),
                [None, _] => return wrong(node.at, "a stretch of the day without `start_time`"),
                [_, None] => return wrong(node.at, "a stretch of the day without `end_time`"),
            }
        }
        _ => return wrong(node.at, "a stretch of the day is missing"),
    };
    let minute = |text: &str, at: Mark| {
        let time = time_of_day(text).ok_or_else(|| (at, format!("`{text}` is no time of day from 00:00 to 24:00")));
        time.map(|time| time / MINUTE)
    };
    let (from, until) = (minute(start, start_at)?, minute(end, end_at)?);
    if from < until {
        return Ok((from, until));
    }
    wrong(start_at, &format!("{end} is not after {start}: what goes on after midnight is a stretch of its own"))
}

/// Both ends of `a:b`, or `a` twice.
fn ends<T: Copy>(text: &str, one: impl Fn(&str) -> Result<T, String>) -> Result<(T, T), String> {
    match text.split_once(':') {
        Some((first, last)) => Ok((one(first.trim())?, one(last.trim())?)),
        None => one(text).map(|only| (only, only)),
    }
}

fn place(found: Option<usize>, text: &str, what: &str) -> Result<u8, String> {
    found.and_then(|n| u8::try_from(n).ok()).ok_or_else(|| format!("`{text}` is no {what}"))
}

/// Days of the week, Sunday = 0.
pub(super) fn weekdays(text: &str) -> Result<(u8, u8), String> {
    let one = |day: &str| {
        let short = day.strip_suffix("요일").unwrap_or(day);
        place(WEEKDAYS.iter().position(|(name, korean)| *name == day || *korean == short), day, "day of the week")
    };
    let (first, last) = ends(text, one)?;
    if first > last {
        return Err(format!("`{text}` ends before it begins: weeks begin on sunday, name the days one by one"));
    }
    Ok((first, last))
}

fn months(text: &str) -> Result<(u8, u8), String> {
    let one = |month: &str| match month.parse::<u8>() {
        Ok(n @ 1..=12) => Ok(n),
        Ok(n) => Err(format!("{n} is no month")),
        Err(_) => place(MONTHS.iter().position(|name| *name == month), month, "month").map(|n| n + 1),
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
mod tests;
