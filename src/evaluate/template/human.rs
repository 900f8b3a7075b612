//! Numbers for people: Prometheus's `humanize` family.
//!
//! The idea: each is a pure function from a number to text, four significant digits throughout, NaN and infinities as
//! they are.

use super::print::general;

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];
const BINARY: [&str; 8] = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];

fn four(value: f64) -> String {
    general(value, Some(4), false)
}

/// `value` divided by `base` until it is below it, and the prefix for so many divisions.
fn shrunk(mut value: f64, base: f64, prefixes: &[&'static str]) -> (f64, &'static str) {
    let mut prefix = "";
    for next in prefixes {
        if value.abs() < base {
            break;
        }
        prefix = next;
        value /= base;
    }
    (value, prefix)
}

/// `value`, below 1, multiplied by 1000 until it is not.
fn grown(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in SMALL {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1000.0;
    }
    (value, prefix)
}

/// `1234567` as `1.235M`, `0.00123` as `1.23m`.
pub(super) fn humanize(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return four(value);
    }
    let (value, prefix) = if value.abs() >= 1.0 { shrunk(value, 1000.0, &LARGE) } else { grown(value) };
    four(value) + prefix
}

/// `1048576` as `1Mi`.
pub(super) fn humanize1024(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return four(value);
    }
    let (value, prefix) = shrunk(value, 1024.0, &BINARY);
    four(value) + prefix
}

/// Seconds as `1d 2h 3m 4s`; below a minute with four digits.
pub(super) fn duration(value: f64) -> String {
    if !value.is_finite() {
        return four(value);
    }
    if value == 0.0 {
        return four(value) + "s";
    }
    if value.abs() < 1.0 {
        let (value, prefix) = grown(value);
        return four(value) + prefix + "s";
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let length = value.abs();
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds are meant; the cast saturates")]
    let whole = length as i64;
    let (days, hours, minutes, seconds) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60, whole % 60);
    if days != 0 {
        format!("{sign}{days}d {hours}h {minutes}m {seconds}s")
    } else if hours != 0 {
        format!("{sign}{hours}h {minutes}m {seconds}s")
    } else if minutes != 0 {
        format!("{sign}{minutes}m {seconds}s")
    } else {
        format!("{sign}{}s", four(length))
    }
}

/// `0.123` as `12.3%`.
pub(super) fn percentage(value: f64) -> String {
    four(value * 100.0) + "%"
}

/// Seconds since the epoch as `2026-01-05 00:00:00 +0000 UTC`.
pub(super) fn timestamp(value: f64) -> Result<String, String> {
    if !value.is_finite() {
        return Ok(four(value));
    }
    #[expect(clippy::cast_possible_truncation, reason = "an instant beyond the calendar is refused below")]
    let nanoseconds = (value * 1e9) as i128;
    let at = time::OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
        .map_err(|_| format!("{} is no instant that a calendar has", super::number(value)))?;
    let fraction = format!("{:09}", at.nanosecond());
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    Ok(format!("{} {:02}:{:02}:{:02}{point}{fraction} +0000 UTC", at.date(), at.hour(), at.minute(), at.second()))
}
