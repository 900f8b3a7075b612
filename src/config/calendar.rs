//! `calendar.yaml`: business hours, and the days off that cannot be computed. Its maintenance is read in [`super::mute`].
//!
//! The idea: public holidays and their substitutes are computed (see [`crate::model::Calendar`]); what is written here
//! is laid over them, so the file stays as short as the list of elections.

use std::collections::BTreeMap;

use super::interval::{INTERVALS, intervals, ranges, weekdays};
use super::mute::MAINTENANCES;
use super::problem::Notes;
use super::read::Obj;
use super::table::{Kind, Table, may, must, or};
use crate::model::{Calendar, Day, Holiday, OfficeHours, TimeInterval};
use crate::time::{Civil, DAY, MINUTE, Ms, civil};

/// The days off of a calendar, for scenario files too.
pub(super) const HOLIDAYS: Kind = Kind::List(&Kind::Table(&HOLIDAY), 0);

/// Business hours, for scenario files too.
pub(super) const BUSINESS_HOURS: Kind = Kind::Table(&BUSINESS);

/// Named times, for scenario files too.
pub(super) const NAMED_TIMES: Kind = Kind::List(&Kind::Table(&NAMED), 0);

static HOLIDAY: Table = Table {
    name: "holiday",
    doc: "A day off that cannot be computed, or one that is none after all.",
    keys: &[
        must("date", Kind::Date, "the day"),
        must("name", Kind::Text, "its name"),
        or("off", "true", Kind::Bool, "false = a working day although it would be computed as a day off"),
        may("announced", Kind::Date, "when it was announced"),
    ],
};

static BUSINESS: Table = Table {
    name: "business",
    doc: "Business hours, KST; public holidays are never in them.",
    keys: &[
        or("from", "09:00", Kind::Text, "first minute"),
        or("until", "18:00", Kind::Text, "first minute that is no longer in them; 24:00 = midnight"),
        may(
            "weekdays",
            Kind::List(&Kind::Label, 1),
            "days of the week or ranges, 월:금 or monday:friday; left out: 월 to 금",
        ),
    ],
};

static NAMED: Table = Table {
    name: "named time",
    doc: "A time with a name.",
    keys: &[
        must("id", Kind::Id, "stable id; a chain or step asks for it by `when: ID`"),
        must("any", INTERVALS, "recurring times, alternatives"),
    ],
};

/// The keys of `calendar.yaml`.
pub(super) static CALENDAR: Table = Table {
    name: "calendar.yaml",
    doc: "Business hours, named times, days off that cannot be computed (임시공휴일, 선거일), planned maintenance.",
    keys: &[
        or("version", "1", Kind::Int(1, 1), "version of the format"),
        may("business", BUSINESS_HOURS, "business hours"),
        may("holidays", HOLIDAYS, "the days"),
        may("intervals", NAMED_TIMES, "named times that chains and steps may ask for"),
        may("maintenance", MAINTENANCES, "planned work of which nobody is told"),
    ],
};

/// What `calendar.yaml` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Edited {
    /// Days laid over the computed ones.
    pub holidays: BTreeMap<Day, Holiday>,
    /// Business hours.
    pub office: OfficeHours,
    /// Named times.
    pub intervals: BTreeMap<String, Vec<TimeInterval>>,
}

impl Edited {
    /// The calendar that it makes.
    pub(super) fn calendar(&self) -> Calendar {
        Calendar::new(self.holidays.clone(), self.office).naming(self.intervals.clone())
    }
}

/// The calendar of a checked tree.
pub(super) fn calendar(file: Obj<'_>, notes: &mut Notes) -> Edited {
    let mut holidays = BTreeMap::new();
    for item in file.subs("holidays") {
        let (Some(at), Some(name)) = (item.date("date"), item.owned("name")) else { continue };
        let Civil { year, month, day, .. } = civil(at);
        if holidays.insert((year, month, day), Holiday { name, off: item.flag("off") }).is_some() {
            let message = format!("{year:04}-{month:02}-{day:02} stands twice");
            notes.error("duplicate-id", item.at("date"), message, "keep one");
        }
    }
    let office = office(file.sub("business"), notes);
    Edited { holidays, office, intervals: named(file, notes) }
}

fn named(file: Obj<'_>, notes: &mut Notes) -> BTreeMap<String, Vec<TimeInterval>> {
    let mut named = BTreeMap::new();
    for item in file.subs("intervals") {
        let Some(id) = item.owned("id") else { continue };
        let any = intervals(item, "any", notes);
        if matches!(id.as_str(), "business" | "off") {
            notes.error("bad-value", item.at("id"), format!("`{id}` has a meaning already"), "take another id");
        } else if named.insert(id.clone(), any).is_some() {
            notes.error("duplicate-id", item.at("id"), format!("time `{id}` stands twice"), "keep one");
        }
    }
    named
}

fn office(part: Obj<'_>, notes: &mut Notes) -> OfficeHours {
    let mut office = OfficeHours::default();
    for (key, place) in [("from", &mut office.from), ("until", &mut office.until)] {
        match part.text(key).map(time_of_day) {
            Some(Some(time)) => *place = time,
            Some(None) if part.has(key) => {
                notes.error("bad-value", part.at(key), format!("`{key}` is no time of day"), "write HH:MM, in quotes");
            }
            _ => {}
        }
    }
    if office.until <= office.from {
        let message = "business hours end before they begin";
        notes.error(
            "out-of-range",
            part.at("until"),
            message,
            "write a later `until`; hours over midnight are not known",
        );
    }
    if part.has("weekdays") {
        let days = ranges(part, "weekdays", notes, weekdays);
        // Ranges count from Sunday on, offices from Monday on.
        office.weekdays =
            [1, 2, 3, 4, 5, 6, 0].map(|day| days.iter().any(|(first, last)| (*first..=*last).contains(&day)));
    }
    office
}

/// `HH:MM` as ms since midnight; `24:00` is the end of the day.
pub(super) fn time_of_day(text: &str) -> Option<Ms> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str| (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<Ms>());
    let (hour, minute) = (digits(hour)?.ok()?, digits(minute)?.ok()?);
    let at = (hour * 60 + minute) * MINUTE;
    (minute < 60 && at <= DAY).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::HOUR;

    #[test]
    fn times_of_day_are_hours_and_minutes() {
        let rows = [("09:00", Some(9 * HOUR)), ("23:59", Some(DAY - MINUTE)), ("24:00", Some(DAY)), ("00:00", Some(0))];
        let wrong = ["9:00", "24:01", "12:60", "1200", "-1:00", "aa:bb", ""].map(|text| (text, None));
        for (text, wanted) in rows.into_iter().chain(wrong) {
            assert_eq!(time_of_day(text), wanted, "{text}");
        }
    }
}
