//! The arithmetic of a month's budget: outages merged, counted, cut at the month's edges, and when a share is reached.
//!
//! The idea: outages that overlap or touch are one outage of the service, so they are merged before anything is asked
//! of them; the five-minute rule is then asked of the whole outage, and only what lies inside the month is charged to
//! it. Months are those of clocks in Korea: a 31-day month at 99.92 % has 35.71 minutes, so one outage of 36 minutes
//! breaks it although 120 minutes are allowed to recover.

use crate::time::{Civil, DAY, KST, Ms, civil};

/// From an instant (inclusive) to another (exclusive).
pub(super) type Span = (Ms, Ms);

/// The calendar month in Korea that `at` lies in: its first instant and that of the next one.
pub fn month(at: Ms) -> Span {
    let Civil { day, .. } = civil(at);
    let midnight = (at + KST).div_euclid(DAY) * DAY - KST;
    let start = midnight - i64::from(day - 1) * DAY;
    // No month has more than 31 days, and none fewer than 28: day 32 lies in the next one.
    let beyond = start + 31 * DAY;
    (start, beyond - i64::from(civil(beyond).day - 1) * DAY)
}

/// `spans` in order, those that overlap or touch as one.
pub(super) fn merged(spans: impl IntoIterator<Item = Span>) -> Vec<Span> {
    let mut all: Vec<Span> = spans.into_iter().filter(|(from, to)| to > from).collect();
    all.sort_unstable();
    let mut out: Vec<Span> = Vec::with_capacity(all.len());
    for (from, to) in all {
        match out.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => out.push((from, to)),
        }
    }
    out
}

/// What `outages` (merged) charge to `month`: those of at least `counts_from`, cut at its edges.
pub(super) fn charged(outages: &[Span], month: Span, counts_from: Ms) -> Ms {
    let cut = |(from, to): &Span| (to.min(&month.1) - from.max(&month.0)).max(0);
    outages.iter().filter(|(from, to)| to - from >= counts_from).map(cut).sum()
}

/// When an outage that runs since `since`, beside the (merged) `outages` that are over, will have charged `share` ms to
/// `month`; `None` where it was charged before, or will not be within the month.
pub(super) fn reaches(outages: &[Span], since: Ms, share: Ms, month: Span, counts_from: Ms) -> Option<Ms> {
    let joined = outages.iter().filter(|(from, to)| *from <= since && *to >= since).map(|(from, _)| *from).min();
    let start = joined.unwrap_or(since).min(since);
    let others: Vec<Span> = outages.iter().filter(|(_, to)| *to < start).copied().collect();
    let before = charged(&others, month, counts_from);
    if before >= share {
        return None;
    }
    let at = (start.max(month.0) + share - before).max(start + counts_from);
    (at < month.1).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GRADES, Terms};
    use crate::time::{MINUTE, SECOND, parse_instant};

    fn at(text: &str) -> Ms {
        parse_instant(text, KST).expect("a time")
    }

    fn day(text: &str) -> Ms {
        at(&format!("{text} 00:00"))
    }

    /// Availability of a month in ppm, rounded down.
    fn availability(outages: &[Span], month: Span) -> f64 {
        let length = month.1 - month.0;
        let down = charged(&merged(outages.iter().copied()), month, 5 * MINUTE);
        (length - down) as f64 / length as f64 * 100.0
    }

    #[test]
    fn months_are_those_of_the_korean_calendar() {
        for (inside, first, next) in [
            ("2026-01-31 23:59", "2026-01-01", "2026-02-01"),
            ("2026-02-01 00:00", "2026-02-01", "2026-03-01"),
            ("2028-02-29 12:00", "2028-02-01", "2028-03-01"),
            ("2026-04-15 08:59", "2026-04-01", "2026-05-01"),
            ("2026-12-31 23:59", "2026-12-01", "2027-01-01"),
        ] {
            assert_eq!(month(at(inside)), (day(first), day(next)), "{inside}");
        }
    }

    #[test]
    fn budgets_of_the_standard_by_the_length_of_the_month() {
        let first = Terms::grade(GRADES[0]);
        let second = Terms::grade(GRADES[1]);
        for (days, one, two) in [(28, 32.256, 40.32), (29, 33.408, 41.76), (30, 34.56, 43.2), (31, 35.712, 44.64)] {
            let minutes = |budget: Ms| budget as f64 / MINUTE as f64;
            assert!((minutes(first.budget(days * DAY)) - one).abs() < 1e-9, "1등급 {days}");
            assert!((minutes(second.budget(days * DAY)) - two).abs() < 1e-9, "2등급 {days}");
        }
    }

    #[test]
    fn one_outage_of_36_minutes_breaks_a_month_of_31_days_and_35_do_not() {
        let january = month(day("2026-01-10"));
        let from = at("2026-01-10 03:00");
        let percent = availability(&[(from, from + 35 * MINUTE)], january);
        assert!((percent - 99.9216).abs() < 0.00005, "{percent}");
        assert!(percent >= 99.92 && availability(&[(from, from + 36 * MINUTE)], january) < 99.92);
        let share = Terms::grade(GRADES[0]).budget(january.1 - january.0);
        assert_eq!(reaches(&[], from, share, january, 5 * MINUTE), Some(from + 35 * MINUTE + 42 * SECOND + 720));
        let so_far = (day("2026-01-01"), day("2026-01-15"));
        let percent = availability(&[(from, from + 35 * MINUTE)], so_far);
        assert!((percent - 99.8264).abs() < 0.00005, "month to date: {percent}");
    }

    #[test]
    fn outages_are_merged_before_they_are_counted() {
        let m = |minutes: i64| minutes * MINUTE;
        let month = (0, 31 * DAY);
        for (spans, want) in [
            (vec![(m(0), m(5))], m(5)),
            (vec![(m(0), m(5) - 1)], 0),
            (vec![(m(0), m(10)), (m(5), m(12))], m(12)),
            (vec![(m(0), m(10)), (m(2), m(3))], m(10)),
            (vec![(m(0), m(3)), (m(3), m(6))], m(6)),
            (vec![(m(0), m(3)), (m(4), m(7))], 0),
            (vec![(m(-10), m(10))], m(10)),
            (vec![(m(-4), m(2))], m(2)),
        ] {
            assert_eq!(charged(&merged(spans.clone()), month, m(5)), want, "{spans:?}");
        }
    }

    #[test]
    fn a_share_is_reached_where_counting_minute_by_minute_reaches_it() {
        let m = |minutes: i64| minutes * MINUTE;
        let whole = (0, m(1_000));
        for (over, since, share) in [
            (vec![], 50, 20),
            (vec![(10, 40)], 50, 20),
            (vec![(10, 40)], 50, 31),
            (vec![(10, 40)], 50, 34),
            (vec![(10, 40)], 35, 40),
            (vec![(10, 13)], 12, 8),
            (vec![(0, 3)], 990, 20),
            (vec![], -20, 3),
        ] {
            let over = merged(over.into_iter().map(|(from, to)| (m(from), m(to))));
            let count = |now: i64| {
                let running = over.iter().copied().chain([(m(since), m(now))]);
                charged(&merged(running), whole, m(5)) >= m(share)
            };
            let last = over.last().map_or(since, |span| span.1 / MINUTE).max(since);
            let found = (last.max(0)..1_000).find(|now| count(*now)).map(m).filter(|_| !count(last));
            let told = reaches(&over, m(since), m(share), whole, m(5));
            assert_eq!(told, found, "{over:?} {since} {share}");
        }
    }
}
