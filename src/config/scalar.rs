//! How values are written in edited files: durations, percentages, sizes, rates, numbers, dates, phones, addresses.
//!
//! The idea: one pure function per notation from text to value; `Err` says what would have been right. Durations come
//! from [`crate::time`]. Nothing here knows keys or files.

use crate::time::{self, HOUR, Ms};

/// A number in base units: `0.5`, `95%` (= 0.95), `10GiB` (bytes), `5m` (seconds), and any but a duration per time:
/// `1/s`, `100MB/s`, `30/m` (per second).
pub(super) fn number(text: &str) -> Option<f64> {
    if let Some((amount, unit)) = text.rsplit_once('/') {
        let seconds = match unit {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        return plain(amount).map(|n| n / seconds);
    }
    plain(text).or_else(|| {
        let negative = text.strip_prefix('-');
        #[expect(clippy::cast_precision_loss, reason = "a duration of 285 years is still exact")]
        let seconds = time::parse_duration(negative.unwrap_or(text))? as f64 / 1_000.0;
        Some(if negative.is_some() { -seconds } else { seconds })
    })
}

/// `5 min`, `30 seconds` or `5분` as a duration is written; `None` where that cannot be seen.
pub(super) fn spoken_duration(text: &str) -> Option<String> {
    let units = [
        ("ms", "msec millisecond"),
        ("s", "sec second 초"),
        ("m", "min minute 분"),
        ("h", "hr hour 시간"),
        ("d", "day 일"),
    ];
    let text = text.trim().to_lowercase();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (amount, unit) = text.split_at(digits);
    let unit = unit.trim();
    let one = unit.strip_suffix('s').unwrap_or(unit);
    let fits = |(short, words): &&(&str, &str)| unit == *short || words.split(' ').any(|word| word == one);
    let (short, _) = units.iter().find(fits).filter(|_| !amount.is_empty())?;
    Some(format!("{amount}{short}"))
}

fn plain(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Some(percent) = text.strip_suffix('%') {
        // Divided, not multiplied by 0.01: 95% must be the same number as 0.95.
        return decimal(percent.trim_end()).map(|n| n / 100.0);
    }
    decimal(text).or_else(|| {
        let (amount, unit) = split_unit(text)?;
        let value = decimal(amount)? * unit;
        value.is_finite().then_some(value)
    })
}

/// A finite decimal number; `inf`, `nan` and hexadecimal are none.
fn decimal(text: &str) -> Option<f64> {
    let numeric = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E' | b'_'));
    if !numeric || !text.bytes().any(|b| b.is_ascii_digit()) || text.starts_with('_') || text.ends_with('_') {
        return None;
    }
    text.replace('_', "").parse().ok().filter(|n: &f64| n.is_finite())
}

const UNITS: [(&str, f64); 9] = [
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("B", 1.0),
];

fn split_unit(text: &str) -> Option<(&str, f64)> {
    UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.trim_end(), *factor)))
}

/// A length of time as Prometheus writes it: `1h30m`, largest unit first, each at most once; `0`; a year has 365 days.
pub(super) fn length(text: &str) -> Option<Ms> {
    const UNITS: [(&str, Ms); 7] = [
        ("y", 365 * time::DAY),
        ("w", 7 * time::DAY),
        ("d", time::DAY),
        ("h", HOUR),
        ("m", time::MINUTE),
        ("s", time::SECOND),
        ("ms", 1),
    ];
    if text == "0" {
        return Some(0);
    }
    let (mut rest, mut total, mut next) = (text, 0 as Ms, 0);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = (rest.get(..digits)?, rest.get(digits..)?);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = UNITS.iter().position(|(name, _)| Some(*name) == tail.get(..letters)).filter(|n| *n >= next)?;
        total = total.checked_add(number.parse::<Ms>().ok()?.checked_mul(UNITS.get(unit)?.1)?)?;
        next = unit + 1;
        rest = tail.get(letters..)?;
    }
    (!text.is_empty()).then_some(total)
}

/// Bytes: `10GiB`, `512MB`, `1048576`.
pub(super) fn size(text: &str) -> Option<i64> {
    let bytes = match split_unit(text) {
        Some((amount, unit)) => decimal(amount)? * unit,
        None => decimal(text)?,
    };
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
    ((0.0..9e18).contains(&bytes) && bytes.fract() == 0.0).then_some(bytes as i64)
}

/// A whole number, `_` allowed between digits.
pub(super) fn int(text: &str) -> Option<i64> {
    if text.starts_with('_') || text.ends_with('_') || text.starts_with('+') {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// A phone number of digits, `-` and spaces, as its digits: 8 to 12, beginning with 0, 1 or +82.
pub(super) fn phone(text: &str) -> Option<String> {
    let local = text.strip_prefix("+82").map_or_else(|| text.to_owned(), |rest| format!("0{}", rest.trim_start()));
    if !local.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | ' ')) || local.contains("--") {
        return None;
    }
    let digits: String = local.chars().filter(char::is_ascii_digit).collect();
    ((8..=12).contains(&digits.len()) && digits.starts_with(['0', '1'])).then_some(digits)
}

/// An e-mail address that mail servers will take: one `@`, a dotted domain, no blanks.
pub(super) fn mail(text: &str) -> bool {
    let Some((user, domain)) = text.split_once('@') else { return false };
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    let label = |part: &str| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-');
    !user.is_empty()
        && user.len() <= 64
        && user.chars().all(word)
        && !user.starts_with('.')
        && !user.ends_with('.')
        && domain.contains('.')
        && domain.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
        && domain.split('.').all(label)
}

/// A day or an instant, +09:00 unless it says otherwise. A bare number is none: 2026 is a typo, not an epoch.
pub(super) fn instant(text: &str) -> Option<Ms> {
    if text.len() < "2026-01-01".len() || text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    time::parse_instant(text, 9 * HOUR)
}

/// An id: letters, digits, `-`, `_`, `.`; begins with a letter or digit; at most 64.
pub(super) fn id(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// A label or metric name: letters, digits, `_`, `.`, `-`, `/`; begins with a letter or `_`.
pub(super) fn name(text: &str) -> bool {
    text.len() <= 200
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | ':'))
}

/// Whether YAML's own rules would make something else than text of an unquoted scalar.
pub(super) fn not_text(text: &str) -> Option<&'static str> {
    if matches!(text, "true" | "false" | "True" | "False" | "TRUE" | "FALSE") {
        return Some("a truth value");
    }
    decimal(text).map(|_| "a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spoken_durations_are_understood() {
        for (text, short) in [("5 min", "5m"), ("30 seconds", "30s"), ("2H", "2h"), ("7일", "7d"), ("250 ms", "250ms")]
        {
            assert_eq!(spoken_duration(text).as_deref(), Some(short), "{text}");
        }
        for text in ["min", "5 apples", "", "5"] {
            assert_eq!(spoken_duration(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_read_in_base_units() {
        for (text, value) in [
            ("95%", 0.95),
            ("0.95", 0.95),
            ("-3", -3.0),
            ("1e3", 1000.0),
            ("10GiB", 10.0 * 1_073_741_824.0),
            ("1.5 MB", 1_500_000.0),
            ("5m", 300.0),
            ("-5m", -300.0),
            ("1/s", 1.0),
            ("30/m", 0.5),
            ("100MB/s", 1e8),
            ("1_000", 1000.0),
        ] {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in ["", "%", "abc", "nan", "inf", "0x10", "95%%", "5 m", "1/d", "e", "1e999", "GiB", "5분"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn lengths_are_those_of_prometheus() {
        for (text, ms) in
            [("0", 0), ("1h30m", 5_400_000), ("1y", 31_536_000_000), ("2m59s999ms", 179_999), ("90m", 5_400_000)]
        {
            assert_eq!(length(text), Some(ms), "{text}");
        }
        for text in ["", "5", "30m1h", "1m1m", "-5m", "1.5h", "5 m", "999999999999y"] {
            assert_eq!(length(text), None, "{text}");
        }
    }

    #[test]
    fn phones_are_digits_with_hyphens() {
        assert_eq!(phone("010-0000-0001").as_deref(), Some("01000000001"));
        assert_eq!(phone("+82 10-0000-0001").as_deref(), Some("01000000001"));
        for text in ["", "010-000O-0001", "전화", "010", "910-0000-0001", "010--0000-001"] {
            assert_eq!(phone(text), None, "{text}");
        }
    }

    #[test]
    fn mail_dates_sizes_and_ids() {
        assert!(mail("d1@example.test") && !mail("d1@") && !mail("d1") && !mail("a b@example.test") && !mail("a@b"));
        assert_eq!(instant("2026-01-01"), Some(1_767_193_200_000), "midnight in Korea");
        assert!(instant("2026-13-01").is_none() && instant("20260101").is_none() && instant("어제").is_none());
        assert_eq!((size("1MiB"), size("1.5B"), size("-1")), (Some(1 << 20), None, None));
        assert!(id("vm-cpu-high") && !id("") && !id("-a") && !id("한글"));
    }
}
