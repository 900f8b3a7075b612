//! How far the machine's clock is from its time servers', as the kernel knows it.
//!
//! The idea: whatever daemon disciplines the clock (chrony, systemd-timesyncd, ntpd) tells the kernel, so one question
//! to the kernel serves all of them: the correction still to be made, the error bound, and whether anybody disciplines
//! the clock at all. No time server is asked from here.

use rtime_clock::adjtime::{Timex, adjtimex};

use crate::agent::collector::{Failure, Points, put};

/// The kernel's flag for "nobody disciplines this clock".
const UNSYNCHRONISED: i32 = 0x0040;
/// The kernel's flag for an offset in nanoseconds instead of microseconds.
const NANOSECONDS: i32 = 0x2000;

/// The kernel's answer, in its own units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answer {
    status: i32,
    offset: i64,
    error_max: i64,
}

/// `system.clock.offset`, `.error_max` and `.synchronized`.
pub(super) fn collect(points: &mut Points) -> Result<(), Failure> {
    let mut asked = Timex::new();
    adjtimex(&mut asked)
        .map_err(|e| Failure::File { path: "the kernel's clock (adjtimex)".to_owned(), why: e.to_string() })?;
    let answer = Answer { status: asked.0.status, offset: asked.0.offset, error_max: asked.0.maxerror };
    report(answer, points);
    Ok(())
}

fn report(answer: Answer, points: &mut Points) {
    let synchronized = answer.status & UNSYNCHRONISED == 0;
    put(points, "system.clock.synchronized", f64::from(u8::from(synchronized)), &[]);
    // Of a clock that nobody disciplines the kernel says 0 and a bound that only grows: not "exactly right".
    if synchronized {
        let unit = if answer.status & NANOSECONDS == 0 { 1e-6 } else { 1e-9 };
        put(points, "system.clock.offset", answer.offset as f64 * unit, &[]);
        put(points, "system.clock.error_max", answer.error_max as f64 * 1e-6, &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: i32, offset: i64) -> Vec<(String, f64)> {
        let mut points = Points::new();
        report(Answer { status, offset, error_max: 2_000_000 }, &mut points);
        points.into_iter().map(|point| (point.name, (point.value * 1e9).round() / 1e9)).collect()
    }

    #[test]
    fn an_offset_is_seconds_whatever_the_kernel_counts_in() {
        let name = |name: &str| format!("system.clock.{name}");
        let expected = |offset| vec![(name("synchronized"), 1.0), (name("offset"), offset), (name("error_max"), 2.0)];
        assert_eq!(told(0x2001, -1_500_000), expected(-0.0015));
        assert_eq!(told(0x0001, -1_500), expected(-0.0015));
    }

    #[test]
    fn a_clock_that_nobody_disciplines_has_no_offset() {
        assert_eq!(told(0x2041, 0), [("system.clock.synchronized".to_owned(), 0.0)]);
    }
}
