//! Holidays of the lunar calendar: on which solar days 설날, 부처님오신날 and 추석 fall.
//!
//! The idea: a table of three days a year is small, cannot drift and needs no astronomy at run time. It holds the years
//! for which Korea's astronomical institute has published lunar dates. Source: the Korean traditional calendar of
//! `icu_calendar` 2.4.0 (lunar 1/1, 4/8 and 8/15), compared day by day with `korean_lunar_calendar` 0.4.0, which carries
//! the institute's own table; the two agree from 2024 to 2050.
//! Outside these years nothing is known, and nothing is guessed.

/// The first year of [`LUNAR`].
const FIRST: i32 = 2024;

/// (month, day) of 설날, 부처님오신날 and 추석, year by year.
type Year = [(u8, u8); 3];

const LUNAR: [Year; 27] = [
    [(2, 10), (5, 15), (9, 17)],
    [(1, 29), (5, 5), (10, 6)],
    [(2, 17), (5, 24), (9, 25)],
    [(2, 7), (5, 13), (9, 15)],
    [(1, 27), (5, 2), (10, 3)],
    [(2, 13), (5, 20), (9, 22)],
    [(2, 3), (5, 9), (9, 12)],
    [(1, 23), (5, 28), (10, 1)],
    [(2, 11), (5, 16), (9, 19)],
    [(1, 31), (5, 6), (9, 8)],
    [(2, 19), (5, 25), (9, 27)],
    [(2, 8), (5, 15), (9, 16)],
    [(1, 28), (5, 3), (10, 4)],
    [(2, 15), (5, 22), (9, 24)],
    [(2, 4), (5, 11), (9, 13)],
    [(1, 24), (4, 30), (10, 2)],
    [(2, 12), (5, 18), (9, 21)],
    [(2, 1), (5, 7), (9, 10)],
    [(1, 22), (5, 26), (9, 28)],
    [(2, 10), (5, 16), (9, 17)],
    [(1, 30), (5, 5), (10, 5)],
    [(2, 17), (5, 24), (9, 25)],
    [(2, 6), (5, 13), (9, 15)],
    [(1, 26), (5, 2), (10, 4)],
    [(2, 14), (5, 20), (9, 22)],
    [(2, 2), (5, 9), (9, 11)],
    [(1, 23), (5, 28), (9, 30)],
];

/// (month, day) of 설날, 부처님오신날 and 추석 in `year`; `None` before 2024 and after 2050.
pub(super) fn lunar(year: i32) -> Option<Year> {
    usize::try_from(year - FIRST).ok().and_then(|n| LUNAR.get(n)).copied()
}

/// The years that the table holds.
pub(super) const fn years() -> std::ops::RangeInclusive<i32> {
    FIRST..=FIRST + LUNAR.len() as i32 - 1
}
