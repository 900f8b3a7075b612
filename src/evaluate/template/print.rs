//! Values as text, in the way in which Go's `fmt` prints them.
//!
//! The idea: digits come from Rust's shortest or exact formatting; only the choice between point and exponent, and how
//! the exponent is written, are Go's (`strconv.FormatFloat`: exponent below -4, or from the precision on, which is 6 where none was asked for).

use crate::model::Labels;

use super::value::Value;

/// `value` as Go's `%v` prints a `float64`: `0.1`, `1e+06`, `+Inf`, `NaN`.
pub fn number(value: f64) -> String {
    general(value, None, false)
}

/// `%e` with so many digits behind the point; `None` = as many as needed.
pub(super) fn exponent(value: f64, precision: Option<usize>, upper: bool) -> String {
    if let Some(text) = special(value) {
        return text;
    }
    let written = precision.map_or_else(|| format!("{value:e}"), |digits| format!("{value:.digits$e}"));
    let (mantissa, power) = written.split_once('e').unwrap_or((&written, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let sign = if power < 0 { '-' } else { '+' };
    format!("{mantissa}{}{sign}{:02}", if upper { 'E' } else { 'e' }, power.abs())
}

/// `%f`
pub(super) fn fixed(value: f64, precision: Option<usize>) -> String {
    special(value).unwrap_or_else(|| precision.map_or_else(|| format!("{value}"), |digits| format!("{value:.digits$}")))
}

/// `%g`: the shorter of `%e` and `%f`, zeros at the end left out.
pub(super) fn general(value: f64, precision: Option<usize>, upper: bool) -> String {
    /// From this power of ten on a number printed in full has an exponent.
    const SHORTEST: i32 = 6;
    if let Some(text) = special(value) {
        return text;
    }
    let most = precision.map(|digits| digits.max(1));
    let written = most.map_or_else(|| format!("{value:e}"), |digits| format!("{value:.*e}", digits - 1));
    let (mantissa, power) = written.split_once('e').unwrap_or((&written, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let limit = match most {
        None => SHORTEST,
        // A whole number that fits its digits needs no exponent.
        Some(most) if most > digits && count(digits) > power => count(digits),
        Some(most) => count(most),
    };
    if power < -4 || power >= limit {
        let sign = if power < 0 { '-' } else { '+' };
        return format!("{mantissa}{}{sign}{:02}", if upper { 'E' } else { 'e' }, power.abs());
    }
    // The digits behind the point that remain once the mantissa is cut.
    let places = count(digits) - 1 - power;
    let rounded: f64 = format!("{mantissa}e{power}").parse().unwrap_or(value);
    format!("{rounded:.*}", usize::try_from(places).unwrap_or(0))
}

fn special(value: f64) -> Option<String> {
    if value.is_nan() {
        Some("NaN".to_owned())
    } else if value.is_infinite() {
        Some(if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned())
    } else {
        None
    }
}

/// A label set as Go prints a map.
pub(super) fn labels(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    format!("map[{}]", pairs.join(" "))
}

/// A value as `%v`. `Err` for what Go would print as addresses in memory.
pub(super) fn value(value: &Value) -> Result<String, String> {
    match value {
        Value::Nil => Ok("<no value>".to_owned()),
        Value::Bool(yes) => Ok(yes.to_string()),
        Value::Int(n) => Ok(n.to_string()),
        Value::Float(n) => Ok(number(*n)),
        Value::Text(text) => Ok(text.clone()),
        Value::Labels(set) => Ok(labels(set)),
        Value::Sample(set, n) => Ok(format!("{{{} {}}}", labels(set), number(*n))),
        Value::Vector(_) | Value::Root => Err(format!("{} cannot be printed", value.kind())),
    }
}
