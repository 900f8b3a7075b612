//! The public holidays of Korea and their substitutes (대체공휴일), computed.
//!
//! The idea: the rules of 관공서의 공휴일에 관한 규정 as in force in 2026, applied to one year. A holiday that falls on a
//! weekend, or on another holiday, gives the next day that is neither. 설날 and 추석 count Sundays alone, 1월 1일 and
//! 현충일 give nothing. Before 2026 제헌절 and 노동절 were no public holidays. What cannot be computed (elections,
//! 임시공휴일) is no matter of this file.

use super::lunar::lunar;
use crate::time::{DAY, Ms, civil, midnight};

/// Year, month and day.
pub type Day = (i32, u8, u8);

/// From this year on 제헌절 and 노동절 are days off.
const SINCE_2026: i32 = 2026;

/// What makes a holiday give a substitute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gives {
    /// Nothing does.
    Never,
    /// A Sunday, or another holiday on the same day.
    Sunday,
    /// A Saturday or Sunday, or another holiday on the same day.
    Weekend,
}

/// The days off of `year` that can be computed, in order, each with its name; a year without a table of lunar days has
/// none at all, so that nobody takes half a list for a whole one.
pub fn public_holidays(year: i32) -> Vec<(Day, String)> {
    let Some(named) = named(year) else { return Vec::new() };
    let mut days: Vec<(Ms, String)> = Vec::new();
    for (at, name, _) in &named {
        match days.iter_mut().find(|(known, _)| known == at) {
            Some((_, both)) => *both = format!("{both}·{name}"),
            None => days.push((*at, (*name).to_owned())),
        }
    }
    for (n, (at, name, gives)) in named.iter().enumerate() {
        let overlaps = named.iter().take(n).any(|(other, ..)| other == at);
        if *gives == Gives::Never || !(overlaps || falls_badly(*at, *gives)) {
            continue;
        }
        let taken = |day: Ms| civil(day).weekday > 4 || days.iter().any(|(known, _)| *known == day);
        let substitute = (1..).map(|n| at + n * DAY).find(|day| !taken(*day));
        days.extend(substitute.map(|day| (day, format!("대체공휴일({name})"))));
    }
    days.sort();
    days.into_iter().map(|(at, name)| (day(at), name)).collect()
}

fn falls_badly(at: Ms, gives: Gives) -> bool {
    match gives {
        Gives::Never => false,
        Gives::Sunday => civil(at).weekday == 6,
        Gives::Weekend => civil(at).weekday > 4,
    }
}

/// Midnight, name and rule of every holiday of `year`, in the order of days.
fn named(year: i32) -> Option<Vec<(Ms, &'static str, Gives)>> {
    let [new_year, buddha, harvest] = lunar(year)?;
    let at = |(month, day): (u8, u8)| midnight(year, month, day);
    let mut all = vec![
        (at((1, 1))?, "1월 1일", Gives::Never),
        (at((3, 1))?, "3·1절", Gives::Weekend),
        (at((5, 5))?, "어린이날", Gives::Weekend),
        (at(buddha)?, "부처님오신날", Gives::Weekend),
        (at((6, 6))?, "현충일", Gives::Never),
        (at((8, 15))?, "광복절", Gives::Weekend),
        (at((10, 3))?, "개천절", Gives::Weekend),
        (at((10, 9))?, "한글날", Gives::Weekend),
        (at((12, 25))?, "기독탄신일", Gives::Weekend),
    ];
    if year >= SINCE_2026 {
        all.push((at((5, 1))?, "노동절", Gives::Weekend));
        all.push((at((7, 17))?, "제헌절", Gives::Weekend));
    }
    for (middle, name) in [(at(new_year)?, "설날"), (at(harvest)?, "추석")] {
        all.extend([middle - DAY, middle, middle + DAY].map(|day| (day, name, Gives::Sunday)));
    }
    all.sort_by_key(|(at, ..)| *at);
    Some(all)
}

/// The civil day of an instant.
pub(super) fn day(at: Ms) -> Day {
    let c = civil(at);
    (c.year, c.month, c.day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days off of a year as `MM-DD`, without those on which people are off anyway.
    fn off(year: i32) -> Vec<String> {
        public_holidays(year).iter().map(|((_, month, day), _)| format!("{month:02}-{day:02}")).collect()
    }

    /// The table of the domain research, elections and 임시공휴일 left out; 2025 to 2030.
    #[test]
    fn days_off_are_those_of_the_published_years() {
        let years: [(i32, &str); 6] = [
            (
                2025,
                "01-01 01-28 01-29 01-30 03-01 03-03 05-05 05-06 06-06 08-15 10-03 10-05 10-06 10-07 10-08 10-09 12-25",
            ),
            (
                2026,
                "01-01 02-16 02-17 02-18 03-01 03-02 05-01 05-05 05-24 05-25 06-06 07-17 08-15 08-17 09-24 09-25 09-26 10-03 10-05 10-09 12-25",
            ),
            (
                2027,
                "01-01 02-06 02-07 02-08 02-09 03-01 05-01 05-03 05-05 05-13 06-06 07-17 07-19 08-15 08-16 09-14 09-15 09-16 10-03 10-04 10-09 10-11 12-25 12-27",
            ),
            (
                2028,
                "01-01 01-26 01-27 01-28 03-01 05-01 05-02 05-05 06-06 07-17 08-15 10-02 10-03 10-04 10-05 10-09 12-25",
            ),
            (
                2029,
                "01-01 02-12 02-13 02-14 03-01 05-01 05-05 05-07 05-20 05-21 06-06 07-17 08-15 09-21 09-22 09-23 09-24 10-03 10-09 12-25",
            ),
            (
                2030,
                "01-01 02-02 02-03 02-04 02-05 03-01 05-01 05-05 05-06 05-09 06-06 07-17 08-15 09-11 09-12 09-13 10-03 10-09 12-25",
            ),
        ];
        for (year, wanted) in years {
            assert_eq!(off(year).join(" "), wanted, "{year}");
        }
    }

    /// Substitutes of later years as the Python package `holidays` 0.109 has them: an account by other people.
    #[test]
    fn substitutes_of_later_years_agree_with_another_account() {
        let years: [(i32, &str); 21] = [
            (2024, "02-12 05-06"),
            (2031, "03-03"),
            (2032, "05-03 05-17 07-19 08-16 09-21 10-04 10-11 12-27"),
            (2033, "02-02 05-02 07-18 10-10 12-26"),
            (2034, "02-21"),
            (2035, "05-07 09-18"),
            (2036, "01-30 03-03 05-06 10-06 10-07"),
            (2037, "02-17 03-02 08-17 10-05"),
            (2038, "05-03 07-19 08-16 09-15 10-04 10-11 12-27"),
            (2039, "01-26 05-02 05-03 07-18 10-04 10-05 10-10 12-26"),
            (2040, "02-14 05-07"),
            (2041, "05-06"),
            (2042, "03-03 09-30"),
            (2043, "03-02 05-18 08-17 10-05"),
            (2044, "02-01 05-02 05-06 07-18 10-10 12-26"),
            (2045, "09-27"),
            (2046, "05-07 05-14 09-17"),
            (2047, "01-28 05-06 10-07"),
            (2048, "03-02 08-17 10-05"),
            (2049, "05-03 05-10 07-19 08-16 09-13 10-04 10-11 12-27"),
            (2050, "01-25 05-02 05-30 07-18 10-10 12-26"),
        ];
        for (year, wanted) in years {
            let substitutes = public_holidays(year).into_iter().filter(|(_, name)| name.starts_with("대체공휴일"));
            let days: Vec<String> = substitutes.map(|((_, month, day), _)| format!("{month:02}-{day:02}")).collect();
            assert_eq!(days.join(" "), wanted, "{year}");
        }
    }

    #[test]
    fn two_holidays_on_one_day_carry_both_names_and_give_one_substitute() {
        let name = |day: Day| public_holidays(day.0).into_iter().find(|(known, _)| *known == day).map(|(_, name)| name);
        assert_eq!(name((2025, 5, 5)).as_deref(), Some("어린이날·부처님오신날"));
        assert!(name((2025, 5, 6)).unwrap().starts_with("대체공휴일"));
        assert_eq!(name((2025, 5, 7)), None);
        assert_eq!(public_holidays(2051), [], "nothing is guessed");
    }
}
