//! Maintenance windows: when one is open, and when that changes.

use super::fits::Fits;
use crate::model::{DayOff, Window, holds_any, next_change};
use crate::time::Ms;

/// Changes of one window looked through for the end of an opening: windows that touch each other are one opening.
const EDGES_MAX: usize = 1_000;

/// A window with its matchers compiled.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) window: Window,
    pub(super) fits: Fits,
}

impl Planned {
    pub(super) fn is_open(&self, now: Ms, is_off: DayOff<'_>) -> bool {
        let once = self.window.once.iter().any(|(from, until)| (*from..*until).contains(&now));
        once || holds_any(&self.window.times, now, is_off)
    }

    /// The next instant after `now` at which it opens or closes.
    pub(super) fn next(&self, now: Ms, is_off: DayOff<'_>) -> Option<Ms> {
        let open = self.is_open(now, is_off);
        let mut at = now;
        for _ in 0..EDGES_MAX {
            let once = self.window.once.iter().flat_map(|(from, until)| [*from, *until]).filter(|edge| *edge > at);
            at = once.chain(next_change(&self.window.times, at, is_off)).min()?;
            if self.is_open(at, is_off) != open {
                return Some(at);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TimeInterval;
    use crate::time::{HOUR, KST, parse_instant};

    fn at(text: &str) -> Ms {
        parse_instant(text, KST).expect("an instant")
    }

    #[test]
    fn windows_that_touch_are_one_opening() {
        let nightly = TimeInterval { times: vec![(22 * 60, 24 * 60)], ..TimeInterval::default() };
        let window = Window {
            id: "w".to_owned(),
            matchers: Vec::new(),
            once: vec![
                (at("2026-11-25 00:00"), at("2026-11-25 03:00")),
                (at("2026-11-25 02:00"), at("2026-11-25 04:00")),
            ],
            times: vec![nightly],
            reason: String::new(),
            who: String::new(),
        };
        let planned = Planned { window, fits: Fits::default() };
        let none = |_, _, _| false;
        let rows = [
            ("2026-11-24 21:59", false, Some("2026-11-24 22:00")),
            ("2026-11-24 22:00", true, Some("2026-11-25 04:00")),
            ("2026-11-25 03:30", true, Some("2026-11-25 04:00")),
            ("2026-11-25 04:00", false, Some("2026-11-25 22:00")),
            ("2026-11-25 23:00", true, Some("2026-11-26 00:00")),
        ];
        for (now, open, next) in rows {
            assert_eq!((planned.is_open(at(now), &none), planned.next(at(now), &none)), (open, next.map(at)), "{now}");
        }
        let over = Planned { window: Window { once: vec![(0, HOUR)], times: Vec::new(), ..planned.window }, ..planned };
        assert_eq!(over.next(2 * HOUR, &none), None, "nothing is planned any more");
    }
}
