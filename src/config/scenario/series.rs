//! The notation of scenario feeds: `name{label="value"}` as Prometheus has it, and promtool's series values.
//!
//! The idea: a small scanner over characters, so that a mistake is reported at its own character. `axn` is n+1 samples,
//! `a+bxn` and `a-bxn` count up and down, `_` and `_xn` are samples that are missing; a percentage is a number, and NaN and
//! Inf are points that a host may send and that are rejected where they come in.

use crate::model::Labels;

/// A mistake at a character of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slip {
    /// Character, from 0.
    pub at: usize,
    /// What is wrong there.
    pub why: String,
}

fn slip<T>(at: usize, why: impl Into<String>) -> Result<T, Slip> {
    Err(Slip { at, why: why.into() })
}

/// How Prometheus calls a metric's name among the labels.
const NAME: &str = "__name__";
/// What a label value may stand in.
const QUOTES: [char; 3] = ['"', '\'', '`'];

/// Samples of one series: more than a year of minutes is no scenario.
pub(super) const VALUES_MAX: usize = 1_000_000;

/// Reads `name{label="value",…}`; labels may be left out, and the name may stand among them: `{"a.b"}`, `{__name__="a.b"}`.
pub(super) fn series(text: &str) -> Result<(String, Labels), Slip> {
    let chars: Vec<char> = text.chars().collect();
    let end = chars.iter().position(|c| *c == '{').unwrap_or(chars.len());
    let mut name: String = chars[..end].iter().collect::<String>().trim().to_owned();
    let outer = (!name.is_empty()).then(|| name.clone());
    if outer.is_some() && !crate::config::scalar::name(&name) {
        return slip(0, format!("`{name}` is no metric name"));
    }
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut at = end + 1;
    if end < chars.len() {
        loop {
            at = skip_blanks(&chars, at);
            if chars.get(at) == Some(&'}') {
                break;
            }
            let (pair, next) = pair(&chars, at)?;
            if pair.0 == NAME {
                if !name.is_empty() || !crate::config::scalar::name(&pair.1) {
                    return slip(at, format!("`{}` is no metric name, or a second one", pair.1));
                }
                name = pair.1;
            } else if pairs.iter().any(|(known, _)| *known == pair.0) {
                return slip(at, format!("label `{}` stands twice", pair.0));
            } else {
                pairs.push(pair);
            }
            at = skip_blanks(&chars, next);
            match chars.get(at) {
                Some(',') => at += 1,
                Some('}') => break,
                _ => return slip(at.min(chars.len()), "`,` or `}` is missing here"),
            }
        }
        if let Some(extra) = chars.iter().skip(at + 1).position(|c| !c.is_whitespace()) {
            return slip(at + 1 + extra, "nothing may follow the `}`");
        }
    }
    if name.is_empty() {
        return slip(0, "a metric name is missing");
    }
    Ok((name, Labels::new(pairs)))
}

fn skip_blanks(chars: &[char], at: usize) -> usize {
    at + chars.iter().skip(at).take_while(|c| c.is_whitespace()).count()
}

/// One `label="value"` from `at` on, and where it ends; a value alone is the metric's name.
fn pair(chars: &[char], at: usize) -> Result<((String, String), usize), Slip> {
    if chars.get(at).is_some_and(|c| QUOTES.contains(c)) {
        let (name, next) = quoted(chars, at)?;
        return Ok(((NAME.to_owned(), name), next));
    }
    let name: String = chars.iter().skip(at).take_while(|c| !matches!(c, '=' | ',' | '}')).collect();
    let equals = at + name.chars().count();
    if !crate::config::scalar::name(name.trim()) {
        return slip(at, "a label name is missing here");
    }
    if chars.get(equals) != Some(&'=') {
        return slip(equals, "`=` is missing here");
    }
    let (value, next) = quoted(chars, skip_blanks(chars, equals + 1))?;
    Ok(((name.trim().to_owned(), value), next))
}

/// What stands in quotes from `quote` on, and where it ends. Between backticks a backslash is one.
fn quoted(chars: &[char], quote: usize) -> Result<(String, usize), Slip> {
    let Some(mark) = chars.get(quote).copied().filter(|c| QUOTES.contains(c)) else {
        return slip(quote.min(chars.len()), "a label value stands in quotes");
    };
    let mut value = String::new();
    let mut n = quote + 1;
    loop {
        match chars.get(n) {
            None => return slip(quote, "this quotation mark is never closed"),
            Some(c) if *c == mark => return Ok((value, n + 1)),
            Some('\\') if mark != '`' => {
                match chars.get(n + 1) {
                    Some('n') => value.push('\n'),
                    Some('t') => value.push('\t'),
                    Some(c) => value.push(*c),
                    None => {}
                }
                n += 1;
            }
            Some(c) => value.push(*c),
        }
        n += 1;
    }
}

/// Reads and expands values; `None` is a sample that is missing.
pub(super) fn values(text: &str) -> Result<Vec<Option<f64>>, Slip> {
    let mut out = Vec::new();
    let mut at = 0;
    for word in text.split(char::is_whitespace) {
        if !word.is_empty() {
            item(word, at, &mut out)?;
        }
        at += word.chars().count() + 1;
    }
    if out.is_empty() {
        return slip(0, "no values");
    }
    Ok(out)
}

fn item(word: &str, at: usize, out: &mut Vec<Option<f64>>) -> Result<(), Slip> {
    if word == "stale" || word.starts_with("{{") {
        return slip(
            at,
            format!("`{word}` is for promtool's tests: what a host sends has numbers, or `_` where it sends none"),
        );
    }
    let (body, times) = match word.rsplit_once('x') {
        Some((body, n)) => match n.parse::<usize>() {
            Ok(n) if n < VALUES_MAX => (body, Some(n)),
            _ => {
                return slip(
                    at + body.chars().count(),
                    format!("`x{n}` needs a number of repetitions below {VALUES_MAX}"),
                );
            }
        },
        None => (word, None),
    };
    if out.len() + times.unwrap_or(0) >= VALUES_MAX {
        return slip(at, format!("more than {VALUES_MAX} values"));
    }
    if body == "_" {
        out.extend(std::iter::repeat_n(None, times.unwrap_or(1)));
        return Ok(());
    }
    let no_number = bad_point(body).map(|value| (value, 0.0));
    let Some((start, step)) = no_number.or_else(|| start_and_step(body, times.is_some())) else {
        return slip(at, format!("`{word}` is no value: write 0.5, 97%, 0.5x30, 1+2x3 or _"));
    };
    for n in 0..=times.unwrap_or(0) {
        #[expect(clippy::cast_precision_loss, reason = "n is below a million")]
        out.push(Some(start + step * n as f64));
    }
    Ok(())
}

/// What a host may send and nobody takes: NaN and Inf are rejected points.
fn bad_point(text: &str) -> Option<f64> {
    let plain = text.strip_prefix(['+', '-']).unwrap_or(text);
    let value = match plain.to_ascii_lowercase().as_str() {
        "nan" => f64::NAN,
        "inf" => f64::INFINITY,
        _ => return None,
    };
    Some(if text.starts_with('-') { -value } else { value })
}

/// `a`, `a+b` or `a-b`, where the sign of an exponent is none.
fn start_and_step(body: &str, repeated: bool) -> Option<(f64, f64)> {
    if let Some(value) = finite(body) {
        return Some((value, 0.0));
    }
    if !repeated {
        return None;
    }
    let signs = body.char_indices().skip(1).filter(|(_, c)| matches!(c, '+' | '-'));
    signs.into_iter().find_map(|(n, sign)| {
        let step = finite(body.get(n + 1..)?)?;
        Some((finite(body.get(..n)?)?, if sign == '-' { -step } else { step }))
    })
}

fn finite(text: &str) -> Option<f64> {
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    let value: Option<f64> = match text.strip_suffix('%') {
        Some(_) => crate::config::scalar::number(text),
        None => text.parse().ok(),
    };
    value.filter(|n| numeric && n.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_expand_as_in_promtool() {
        let some = |list: &[f64]| list.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(values("0.5x2 1"), Ok(some(&[0.5, 0.5, 0.5, 1.0])));
        assert_eq!(values("1+2x3"), Ok(some(&[1.0, 3.0, 5.0, 7.0])));
        assert_eq!(values("-2-1x1 1e-3x0"), Ok(some(&[-2.0, -3.0, 0.001])));
        assert_eq!(values("1 _ _x2 2"), Ok(vec![Some(1.0), None, None, None, Some(2.0)]));
        assert_eq!(values("1\t2\n 3"), Ok(some(&[1.0, 2.0, 3.0])));
        assert_eq!(values("97%x1 -5%"), Ok(some(&[0.97, 0.97, -0.05])));
        assert_eq!(values("-Inf +inf"), Ok(some(&[f64::NEG_INFINITY, f64::INFINITY])), "points that nobody takes");
        assert!(values("NaNx1").is_ok_and(|list| list.len() == 2 && list.iter().all(|n| n.is_some_and(f64::is_nan))));
        assert_eq!(values("1 2 3y").map_err(|s| s.at), Err(4));
        assert_eq!(values("1 2x").map_err(|s| s.at), Err(3));
        assert!(values("").is_err() && values("stale").is_err() && values("NaNs").is_err() && values("1+x3").is_err());
        assert!(values("1x999999 1").is_err() && values("1x9999999999").is_err());
    }

    #[test]
    fn series_have_names_and_quoted_labels() {
        assert_eq!(series(r#"a.b{host="db-01", 이="x"}"#).map_err(|slip| slip.at), Err(18), "labels are ASCII");
        let (name, labels) = series(r#"a.b{host="가 \"나\"",x='y',}"#).unwrap();
        assert_eq!((name.as_str(), labels.get("host"), labels.get("x")), ("a.b", Some("가 \"나\""), Some("y")));
        for text in [r#"{"a.b",host=`c:\d`}"#, r#"{host=`c:\d`, __name__="a.b"}"#, r#"a.b{host="c:\\d"}"#] {
            let (name, labels) = series(text).unwrap();
            assert_eq!((name.as_str(), labels.get("host"), labels.len()), ("a.b", Some(r"c:\d"), 1), "{text}");
        }
        for (text, at) in [("", 0), ("{}", 0), ("{a=\"b\"}", 0), ("a{\"b\"}", 2), ("{\"a\",__name__=\"b\"}", 5)] {
            assert_eq!(series(text).map_err(|slip| slip.at), Err(at), "{text}");
        }
        for (text, at) in [("1a", 0), ("a{b}", 3), ("a{b=c}", 4), ("a{b=\"c", 4), ("a{b=\"c\"", 7), ("a{} x", 4)] {
            assert_eq!(series(text).map_err(|slip| slip.at), Err(at), "{text}");
        }
    }
}
