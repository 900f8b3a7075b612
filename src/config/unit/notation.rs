//! promtool's notations: `name{label="value"}`, and values such as `1+2x3 _x2 stale`.
//!
//! The idea: small scanners over characters, so that a mistake is reported at its own one. Counting up adds step by
//! step as Prometheus does, so that sums have the same last bits.

use crate::evaluate::promql::{NAME, stale};
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

/// Samples of one series.
const VALUES_MAX: usize = 1_000_000;

/// Reads `name{label="value",…}`; name, braces and quotes around names may be there or not.
pub(super) fn metric(text: &str) -> Result<Labels, Slip> {
    let mut scan = Scan { chars: text.chars().collect(), at: 0 };
    let mut pairs: Vec<(String, String)> = Vec::new();
    scan.blanks();
    let name = scan.word(true);
    if !name.is_empty() {
        pairs.push((NAME.to_owned(), name));
    }
    scan.blanks();
    if scan.take('{') {
        scan.labels(&mut pairs)?;
        scan.blanks();
    }
    match scan.peek() {
        None => Ok(Labels::new(pairs.into_iter().filter(|(_, value)| !value.is_empty()))),
        Some(c) => slip(scan.at, format!("`{c}` is not expected here: write name{{label=\"value\"}}")),
    }
}

struct Scan {
    chars: Vec<char>,
    at: usize,
}

impl Scan {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// A plain name, empty where there is none.
    fn word(&mut self, colons: bool) -> String {
        let start = self.at;
        let fits = |c: char, first: bool| {
            c.is_ascii_alphabetic() || c == '_' || (colons && c == ':') || (!first && c.is_ascii_digit())
        };
        while self.peek().is_some_and(|c| fits(c, self.at == start)) {
            self.at += 1;
        }
        self.chars.get(start..self.at).unwrap_or(&[]).iter().collect()
    }

    fn labels(&mut self, pairs: &mut Vec<(String, String)>) -> Result<(), Slip> {
        loop {
            self.blanks();
            if self.take('}') {
                return Ok(());
            }
            let start = self.at;
            let quoted = matches!(self.peek(), Some('"' | '\'' | '`'));
            let name = if quoted { self.quoted()? } else { self.word(false) };
            if name.is_empty() {
                return slip(self.at, "a label name is missing here");
            }
            self.blanks();
            let (name, value) = if self.take('=') {
                self.blanks();
                (name, self.quoted()?)
            } else if quoted {
                (NAME.to_owned(), name)
            } else {
                return slip(self.at, "`=` is missing here");
            };
            if pairs.iter().any(|(known, _)| *known == name) {
                return slip(start, format!("label `{name}` stands twice"));
            }
            pairs.push((name, value));
            self.blanks();
            if !self.take(',') && self.peek() != Some('}') {
                return slip(self.at, "`,` or `}` is missing here");
            }
        }
    }

    fn quoted(&mut self) -> Result<String, Slip> {
        let start = self.at;
        let Some(mark) = self.peek().filter(|c| matches!(c, '"' | '\'' | '`')) else {
            return slip(start, "a label value stands in quotes");
        };
        self.at += 1;
        let mut out = String::new();
        loop {
            let Some(c) = self.peek() else { return slip(start, "this quotation mark is never closed") };
            self.at += 1;
            match c {
                _ if c == mark => return Ok(out),
                '\\' if mark != '`' => out.push(self.escape()?),
                _ => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Slip> {
        let start = self.at - 1;
        let c = self.peek().unwrap_or(' ');
        self.at += 1;
        let (digits, radix) = match c {
            'n' => return Ok('\n'),
            't' => return Ok('\t'),
            'r' => return Ok('\r'),
            '\\' | '"' | '\'' => return Ok(c),
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            _ => return slip(start, format!("`\\{c}` is no escape; a backslash is written \\\\")),
        };
        let code: String = self.chars.iter().skip(self.at).take(digits).collect();
        self.at += digits;
        match u32::from_str_radix(&code, radix).ok().and_then(char::from_u32) {
            Some(c) => Ok(c),
            None => slip(start, "this escape is no character"),
        }
    }
}

/// Whether values hold a native histogram.
pub(super) fn is_native(text: &str) -> bool {
    text.contains("{{")
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
    Ok(out)
}

fn item(word: &str, at: usize, out: &mut Vec<Option<f64>>) -> Result<(), Slip> {
    let (body, times) = match word.split_once('x') {
        Some((body, n)) => match n.parse::<usize>() {
            Ok(n) if !n.to_string().is_empty() && n < VALUES_MAX => (body, Some(n)),
            _ => {
                let why = format!("`x{n}` needs a number of repetitions below {VALUES_MAX}");
                return slip(at + body.chars().count(), why);
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
    let read = if body == "stale" { Some((stale(), None)) } else { start_and_step(body) };
    let Some((mut value, step)) = read.filter(|(_, step)| step.is_none() || times.is_some()) else {
        return slip(at, format!("`{word}` is no value: write 7, 0x30, 1+2x3, _, _x3 or stale"));
    };
    for _ in 0..=times.unwrap_or(0) {
        out.push(Some(value));
        if let Some(step) = step {
            value += step;
        }
    }
    Ok(())
}

/// `a`, `a+b` or `a-b`, where the sign of an exponent is none.
fn start_and_step(body: &str) -> Option<(f64, Option<f64>)> {
    if let Some(value) = number(body) {
        return Some((value, None));
    }
    let signs = body.char_indices().skip(1).filter(|(_, c)| matches!(c, '+' | '-'));
    signs.into_iter().find_map(|(n, sign)| {
        let step = number(body.get(n + 1..)?)?;
        Some((number(body.get(..n)?)?, Some(if sign == '-' { -step } else { step })))
    })
}

/// A number as Prometheus writes it.
pub(super) fn number(text: &str) -> Option<f64> {
    let (negative, plain) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = match plain.to_ascii_lowercase().as_str() {
        "nan" | ".nan" => f64::NAN,
        "inf" | ".inf" | "infinity" => f64::INFINITY,
        _ if plain.starts_with(|c: char| c.is_ascii_digit() || c == '.') => plain.replace('_', "").parse().ok()?,
        _ => return None,
    };
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::promql::is_stale;

    #[test]
    fn values_expand_as_in_promtool() {
        let some = |list: &[f64]| list.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(values("0x10").map(|v| v.len()), Ok(11), "no hexadecimal number");
        assert_eq!(values("1+2x3 7"), Ok(some(&[1.0, 3.0, 5.0, 7.0, 7.0])));
        assert_eq!(values("-2-1x1\n1e-3x0"), Ok(some(&[-2.0, -3.0, 0.001])));
        assert_eq!(values("1 _ _x2 2 _x0"), Ok(vec![Some(1.0), None, None, None, Some(2.0)]));
        assert_eq!(values("0.1+0.1x3").map(|v| v[3]), Ok(Some(0.1 + 0.1 + 0.1 + 0.1)), "added step by step");
        let ended = values("1 stale -Inf").unwrap();
        assert!(ended[1].is_some_and(is_stale) && ended[2] == Some(f64::NEG_INFINITY));
        for (wrong, at) in [("1 2 3y", 4), ("1 2x", 3), ("1+2", 0), ("1+x3", 0), ("1x9999999999", 1), ("hund", 0)] {
            assert_eq!(values(wrong).map_err(|slip| slip.at), Err(at), "{wrong}");
        }
    }

    #[test]
    fn metrics_are_read_in_every_way_of_writing() {
        let labels = |text: &str| metric(text).map(|labels| labels.to_string()).map_err(|slip| slip.at);
        assert_eq!(labels("up"), Ok(r#"{__name__="up"}"#.to_owned()));
        assert_eq!(labels(""), Ok("{}".to_owned()));
        assert_eq!(labels("{}"), Ok("{}".to_owned()));
        assert_eq!(labels(r#"a:b{x="1", y='가 "2"',}"#), Ok(r#"{__name__="a:b",x="1",y="가 \"2\""}"#.to_owned()));
        assert_eq!(labels(r#"{"my.metric", "a.b"="c"}"#), Ok(r#"{__name__="my.metric",a.b="c"}"#.to_owned()));
        assert_eq!(labels(r#"up{x=""}"#), Ok(r#"{__name__="up"}"#.to_owned()));
        for (wrong, at) in [("1a", 0), ("a{b}", 3), ("a{b=c}", 4), ("a{b=\"c", 4), ("a{b=\"c\"", 7), ("a{} x", 4)] {
            assert_eq!(labels(wrong), Err(at), "{wrong}");
        }
    }
}
