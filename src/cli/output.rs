//! How results are printed: one JSON object per line for programs, plain lines for people; errors go to standard error.

use std::io::Write;

use serde_json::Value;

/// How to print a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON object per line, nothing else.
    Json,
}

/// Rounds every number in `value` to 12 significant digits, so that output does not depend on the last bits.
pub(crate) fn rounded(value: Value) -> Value {
    match value {
        Value::Number(found) if found.is_f64() => {
            found.as_f64().map(number).and_then(serde_json::Number::from_f64).map_or(Value::Null, Value::Number)
        }
        Value::Array(items) => items.into_iter().map(rounded).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, rounded(value))).collect(),
        other => other,
    }
}

/// `value` with 12 significant digits.
pub(crate) fn number(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

/// Writes one line; a reader that went away is no failure.
pub(crate) fn line(out: &mut dyn Write, text: &str) -> anyhow::Result<()> {
    match writeln!(out, "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other?),
    }
}

/// Writes one JSON object as a line.
pub(crate) fn json(out: &mut dyn Write, value: Value) -> anyhow::Result<()> {
    line(out, &rounded(value).to_string())
}

/// Writes one line to standard error: for people, beside a result that programs read.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints an error with its causes on standard error.
pub(crate) fn complain(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "bongsu: {error:#}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_twelve_significant_digits() {
        let value = serde_json::json!({"a": 0.1 + 0.2, "b": 1764000000000_i64, "c": [1.0 / 3.0]});
        assert_eq!(rounded(value).to_string(), r#"{"a":0.3,"b":1764000000000,"c":[0.333333333333]}"#);
    }
}
