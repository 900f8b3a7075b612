//! Measured values as people read them: bytes with a unit, lengths of time, grouped digits.
//!
//! The idea: the unit follows from the metric's name (OpenTelemetry's semantic conventions), as no unit travels with a
//! sample. A name that is not known is a plain number.

/// Units of bytes, each 1,024 times the one before.
const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/// `value` of metric `name`, for people.
pub(super) fn show(name: &str, value: f64) -> String {
    let metric = name.split_whitespace().next().unwrap_or(name);
    if metric.ends_with(".uptime") {
        return crate::time::show_duration(whole(value).saturating_mul(1_000));
    }
    let bytes = ["system.memory.", "system.filesystem.", "system.disk.io", "system.network.io", "container.memory."];
    let counted = metric.contains("inodes") || metric.ends_with(".count");
    if !counted && bytes.iter().any(|of| metric.starts_with(of)) {
        return in_bytes(value);
    }
    if value.fract() == 0.0 { grouped(whole(value)) } else { format!("{}", (value * 100.0).round() / 100.0) }
}

fn in_bytes(value: f64) -> String {
    let (mut rest, mut unit) = (value, 0);
    while rest.abs() >= 1_024.0 && unit + 1 < UNITS.len() {
        rest /= 1_024.0;
        unit += 1;
    }
    let digits = if unit == 0 { 0 } else { 1 };
    format!("{rest:.digits$} {}", UNITS[unit])
}

/// The whole part; a number beyond `i64` stays at its end.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and this is for people's eyes")]
fn whole(value: f64) -> i64 {
    value as i64
}

fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::from(if value < 0 { "-" } else { "" });
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_follow_from_names() {
        let cases = [
            ("system.filesystem.usage /dev/vda /", 172_759_879_680.0, "160.9 GiB"),
            ("system.network.io eth0", 512.0, "512 B"),
            ("system.filesystem.inodes.usage /", 1_234_567.0, "1,234,567"),
            ("system.process.count", -1_000.0, "-1,000"),
            ("system.uptime", 3_661.0, "1h1m1s"),
            ("system.cpu.load_average.1m", 1.239, "1.24"),
            ("queue.depth", 999.0, "999"),
        ];
        for (name, value, want) in cases {
            assert_eq!(show(name, value), want, "{name}");
        }
    }
}
