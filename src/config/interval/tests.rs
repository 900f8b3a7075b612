//! Recurring times as people write them: which instants lie in them, and which notations are refused.
//!
//! The first table holds the cases that Alertmanager publishes for its time intervals, told as facts: an interval, an
//! instant, whether it lies in it; and what is special to this notation.

use super::*;
use crate::config::near;
use crate::config::read::check;
use crate::config::tree;
use crate::model::{Calendar, holds_any};
use crate::time::{Ms, parse_instant};

static FILE: Table = Table { name: "file", doc: "", keys: &[may("any", INTERVALS, "")] };

/// The intervals of a text, and what is wrong with it.
fn read(text: &str) -> (Vec<TimeInterval>, Vec<String>) {
    let mut notes = Notes::new("a.yaml");
    let tree = tree::parse(&format!("any:\n  - {text}\n"), &mut notes).expect("YAML");
    check(&tree, &FILE, &mut notes);
    let found = intervals(Obj::new(&tree, &FILE), "any", &mut notes);
    (found, notes.into_list().into_iter().map(|problem| problem.message).collect())
}

fn at(text: &str) -> Ms {
    parse_instant(text, 0).expect("an instant")
}

/// Interval, instants in it, instants not in it; UTC unless an instant says else.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // Nothing is asked: always.
    ("{ location: UTC }", &["2006-01-02T15:04", "2007-01-03T10:04", "2006-01-04T09:04"], &[]),
    // Office hours.
    ("{ location: UTC, times: [{start_time: '09:00', end_time: '17:00'}], weekdays: ['monday:friday'] }",
        &["2020-05-04T15:04", "2020-05-05T10:04", "2020-06-09T09:04", "2020-07-08T09:00", "2020-07-08T16:59", "2020-04-01T13:00"],
        &["2020-05-03T15:04", "2020-05-04T08:59", "2020-05-05T05:00", "2020-07-08T05:00", "2020-07-08T08:59", "2020-07-08T17:00"]),
    // Days of one month of one year.
    ("{ location: UTC, days_of_month: ['4:6'], months: ['4'], years: ['2020'] }",
        &["2020-04-04T15:04", "2020-04-05T00:00", "2020-04-06T23:05"],
        &["2018-05-03T15:04", "2020-04-03T23:59", "2020-06-04T23:59", "2019-04-06T23:59", "2020-04-07T00:00"]),
    // The last three days of a month.
    ("{ location: UTC, days_of_month: ['-3:-1'] }",
        &["2020-01-31T15:04", "2020-01-30T15:04", "2020-01-29T15:04", "2020-06-30T00:00", "2020-02-29T23:05"],
        &["2018-05-03T15:04", "2020-01-27T15:04", "2020-04-03T23:59", "2020-06-04T23:59", "2019-04-06T23:59", "2020-04-07T00:00", "2020-03-01T00:00"]),
    // Ranges wider than the month end with it.
    ("{ location: UTC, months: [june], days_of_month: ['1:31'] }",
        &["2020-06-30T00:00", "2020-06-01T00:00"], &["2020-05-31T00:00", "2020-07-01T00:00"]),
    ("{ location: UTC, months: [june], days_of_month: ['-31:-1'] }",
        &["2020-06-30T00:00", "2020-06-01T00:00"], &["2020-05-31T00:00", "2020-07-01T00:00"]),
    // Another clock, in winter and in summer.
    ("{ times: ['09:00-17:00'], weekdays: ['monday:friday'], location: Australia/Sydney }",
        &["2021-04-06T13:00:00+10:00"], &["2021-04-06T13:00"]),
    ("{ times: ['09:00-17:00'], weekdays: ['monday:friday'], months: [november], location: Australia/Sydney }",
        &["2021-11-01T09:00:00+11:00", "2021-10-31T22:00"], &["2021-10-31T21:00"]),
    // Everything at once.
    ("{ location: UTC, weekdays: ['monday:friday', sunday], months: ['january:march'], days_of_month: ['-7:-1'], years: ['2020:2025', '2030:2035'], times: ['09:00-17:00'] }",
        &["2021-01-27T09:00", "2021-01-28T16:59", "2021-01-29T13:00", "2025-03-31T13:00", "2035-01-31T13:00"],
        &["2021-01-30T13:00", "2021-04-01T13:00", "2026-01-30T13:00", "2035-01-31T17:01"]),
    ("{ location: UTC, weekdays: ['monday:wednesday', saturday, sunday], times: ['13:00-15:00'], days_of_month: [1, 10, '20:-1'], years: ['2020:2023'], months: ['january:march'] }",
        &["2021-01-10T13:00", "2021-01-30T14:24"], &["2021-01-09T13:00", "2021-01-20T12:59", "2021-02-02T13:00"]),
    // A range that begins after the month's end has no day of it.
    ("{ location: UTC, days_of_month: ['30:31'], years: ['2020:2023'], months: [february] }", &[], &["2021-02-28T13:00"]),
    ("{ location: UTC, days_of_month: ['29:31'], months: [february] }", &["2024-02-29T13:00"], &["2023-02-28T13:00"]),
    ("{ location: UTC, days_of_month: ['1:-1'] }", &["2021-02-01T00:00", "2021-02-28T23:59"], &[]),
    ("{ location: UTC, days_of_month: [31] }", &["2021-01-31T12:00"], &["2021-04-30T12:00"]),
    ("{ location: UTC, days_of_month: [-1] }", &["2021-04-30T12:00", "2021-02-28T12:00"], &["2024-02-28T12:00"]),
    ("{ location: UTC, years: ['2020:2022'] }", &["2020-01-01T00:00", "2022-12-31T23:59"], &["2019-12-31T23:59", "2023-01-01T00:00"]),
    // The end of a stretch is not part of it, midnight is.
    ("{ location: UTC, times: ['00:00-24:00'] }", &["2021-01-01T00:00", "2021-01-01T23:59"], &[]),
    ("{ location: UTC, times: ['22:00-24:00', '00:00-06:00'] }", &["2021-01-01T22:00", "2021-01-01T00:00", "2021-01-01T05:59"], &["2021-01-01T21:59", "2021-01-01T06:00"]),
    ("{ location: UTC, times: ['09:35-09:39'] }", &["2021-01-01T09:35", "2021-01-01T09:38"], &["2021-01-01T09:34", "2021-01-01T09:39"]),
    // Left out, the clock is Korea's; 월:금 says what monday:friday says.
    ("{ times: ['09:00-18:00'], weekdays: [월:금] }", &["2026-11-24T00:00", "2026-11-24T08:59"], &["2026-11-23T23:59", "2026-11-24T09:00", "2026-11-21T15:30"]),
    ("{ weekdays: [일, 토] }", &["2026-11-20T15:00", "2026-11-22T14:59"], &["2026-11-20T14:59", "2026-11-22T15:00"]),
    // Public holidays, and their substitute days.
    ("{ holidays: true }", &["2026-05-24T15:00", "2026-09-25T00:00"], &["2026-05-25T15:00"]),
    ("{ holidays: false, times: ['09:00-18:00'] }", &["2026-05-26T00:00"], &["2026-05-25T00:00"]),
];

#[test]
fn instants_lie_in_an_interval_or_not() {
    let calendar = Calendar::default();
    let off = |year, month, day| calendar.is_off(year, month, day);
    let mut rows = 0;
    for (text, inside, outside) in ROWS {
        let (found, wrong) = read(text);
        assert_eq!(wrong, [""; 0], "{text}");
        for (instants, wanted) in [(inside, true), (outside, false)] {
            for instant in *instants {
                assert_eq!(holds_any(&found, at(instant), &off), wanted, "{instant} in {text}");
                rows += 1;
            }
        }
    }
    assert!(rows >= 80, "{rows}");
}

#[test]
fn both_spellings_are_one_interval() {
    let pairs = [
        ("{ weekdays: ['monday:friday'] }", "{ weekdays: [월요일:금] }"),
        ("{ times: [{ start_time: '09:00', end_time: '24:00' }] }", "{ times: ['09:00 - 24:00'] }"),
        ("{ months: [January:december] }", "{ months: ['1:12'] }"),
        ("{ weekdays: [SUNDAY] }", "{ weekdays: [일] }"),
    ];
    for (one, other) in pairs {
        assert_eq!(read(one), read(other), "{one}");
        assert_ne!(read(one), read("{ years: [2026] }"), "{one}");
    }
}

/// Notations that Alertmanager refuses, and a word of why.
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    ("{ times: [{ start_time: '01:99', end_time: '23:59' }] }", "01:99"),
    ("{ times: [{ start_time: '00:00', end_time: '99:99' }] }", "99:99"),
    ("{ times: [{ start_time: '17:31', end_time: '17:31' }] }", "not after"),
    ("{ times: [{ start_time: '12:30', end_time: '24:01' }] }", "24:01"),
    ("{ times: [{ start_time: '09:30', end_time: '07:41' }] }", "not after"),
    ("{ times: [{ start_time: '24:00', end_time: '17:41' }] }", "not after"),
    ("{ times: [{ start_time: '14:03' }] }", "without `end_time`"),
    ("{ times: [{ end_time: '14:03' }] }", "without `start_time`"),
    ("{ times: [{ start_time: '9:00', end_time: '10:00' }] }", "9:00"),
    ("{ times: [{ start_time: '+9:00', end_time: '10:00' }] }", "+9:00"),
    ("{ times: [{ from: '09:00', until: '10:00' }] }", "from"),
    ("{ times: ['09:00'] }", "09:00"),
    ("{ times: ['18:00-09:00'] }", "not after"),
    ("{ times: [] }", "empty"),
    ("{ weekdays: ['friday:monday'] }", "ends before it begins"),
    ("{ weekdays: ['saturday:sunday'] }", "ends before it begins"),
    ("{ weekdays: ['blurgsday:flurgsday'] }", "blurgsday"),
    ("{ weekdays: ['1:3'] }", "`1`"),
    ("{ weekdays: ['-2:-1'] }", "-2"),
    ("{ weekdays: [mon] }", "mon"),
    ("{ weekdays: [월욜] }", "월욜"),
    ("{ days_of_month: [0] }", "0 is no day"),
    ("{ days_of_month: ['-50:-20'] }", "-50"),
    ("{ days_of_month: ['1:50'] }", "50"),
    ("{ days_of_month: [32] }", "32"),
    ("{ days_of_month: ['-15:5'] }", "month's end"),
    ("{ days_of_month: ['10:-25'] }", "ends before it begins"),
    ("{ days_of_month: ['-1:-3'] }", "ends before it begins"),
    ("{ days_of_month: ['5:1'] }", "ends before it begins"),
    ("{ months: ['martius:june'] }", "martius"),
    ("{ months: ['march:junius'] }", "junius"),
    ("{ months: ['december:january'] }", "ends before it begins"),
    ("{ months: [13] }", "13"),
    ("{ months: [jan] }", "jan"),
    ("{ years: ['2022:2020'] }", "ends before it begins"),
    ("{ years: [one] }", "one"),
    ("{ location: Asia/Seuol }", "Asia/Seuol"),
    ("{ holydays: true }", "holydays"),
];

#[test]
fn what_cannot_be_meant_is_refused_with_the_reason() {
    for (text, why) in REFUSED {
        let (_, wrong) = read(text);
        let [message] = wrong.as_slice() else { panic!("{text}: {wrong:?}") };
        assert!(message.contains(why), "{text}: {message}");
    }
    assert_eq!(near::nearest("Asia/Seuol", &Zone::names().collect::<Vec<_>>()), Some("Asia/Seoul"));
}
