//! Numbers, durations and quoted texts: what stands inside one token.
//!
//! The idea: each reader takes the token's text alone and says only what it is, so that the lexer and the test scripts
//! share them. Escapes are Go's; a text that its escapes make invalid UTF-8 is refused, because labels here are UTF-8.

use crate::evaluate::promql::Problem;
use crate::evaluate::promql::lexer::{outside, wrong};
use crate::time::{DAY, HOUR, MINUTE, Ms, SECOND};

/// A number without a sign: `1`, `.5`, `2.`, `1e3`, `0x1f`, `1_000`, and, as in Go, `010` = 8. `None` if it is none.
pub(super) fn number(word: &str) -> Option<f64> {
    if let Some(hex) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        let digits = separated(hex.strip_prefix('_').unwrap_or(hex), |c| c.is_ascii_hexdigit())?;
        return Some(digits.chars().filter_map(|c| c.to_digit(16)).fold(0.0, |sum, d| sum * 16.0 + f64::from(d)));
    }
    let (mantissa, exponent) = match word.find(['e', 'E']) {
        Some(at) => (&word[..at], Some(&word[at + 1..])),
        None => (word, None),
    };
    let plain = separated(mantissa, |c| c.is_ascii_digit() || c == '.')?;
    if plain.matches('.').count() > 1 || plain == "." {
        return None;
    }
    let Some(exponent) = exponent else {
        let octal = plain.len() > 1 && plain.starts_with('0') && plain.bytes().all(|b| (b'0'..=b'7').contains(&b));
        return if octal { i64::from_str_radix(&plain, 8).ok().map(whole) } else { plain.parse().ok() };
    };
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{plain}e{exponent}").parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "a number of the language is an f64")]
fn whole(n: i64) -> f64 {
    n as f64
}

/// `text` without the underscores between its digits; `None` where one stands elsewhere or a character is no digit.
fn separated(text: &str, digit: impl Fn(char) -> bool) -> Option<String> {
    let fits = !text.is_empty() && text.chars().all(|c| digit(c) || c == '_');
    let lone = text.starts_with('_') || text.ends_with('_') || text.contains("__") || text.contains("_.");
    if fits && !lone && !text.contains("._") { Some(text.replace('_', "")) } else { None }
}

/// `1h30m`: numbers with units, the largest first, each once. `None` if it is none or too long for [`Ms`].
pub(super) fn duration(word: &str) -> Option<Ms> {
    const UNITS: [(&str, Ms); 7] =
        [("y", 365 * DAY), ("w", 7 * DAY), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1)];
    let mut rest = word;
    let mut total: Ms = 0;
    let mut next = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: Ms = rest.get(..digits)?.parse().ok()?;
        let tail = rest.get(digits..)?;
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = UNITS.iter().position(|(name, _)| Some(*name) == tail.get(..letters))?;
        if unit < next {
            return None;
        }
        next = unit + 1;
        total = total.checked_add(count.checked_mul(UNITS[unit].1)?)?;
        rest = tail.get(letters..)?;
    }
    if word.is_empty() { None } else { Some(total) }
}

/// Seconds as milliseconds, rounded; `None` where they do not fit.
pub(super) fn milliseconds(seconds: f64) -> Option<Ms> {
    let ms = (seconds * 1000.0).round();
    #[expect(clippy::cast_possible_truncation, reason = "checked to fit")]
    if ms.is_finite() && ms.abs() < 9.0e18 { Some(ms as Ms) } else { None }
}

/// The text between quotes with its escapes resolved; `start` is its first byte in the whole expression.
pub(super) fn unquote(body: &str, quote: char, start: usize) -> Result<String, Problem> {
    if quote == '`' {
        return Ok(body.replace('\r', ""));
    }
    let mut bytes = Vec::with_capacity(body.len());
    let mut chars = body.char_indices().peekable();
    while let Some((n, c)) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let (_, kind) = chars.next().unwrap_or((n, ' '));
        let known = [('a', 7), ('b', 8), ('f', 12), ('n', 10), ('r', 13), ('t', 9), ('v', 11), ('\\', b'\\')];
        if let Some((_, byte)) = known.iter().find(|(name, _)| *name == kind) {
            bytes.push(*byte);
            continue;
        }
        if kind == quote {
            bytes.push(quote as u8);
            continue;
        }
        let (digits, radix) = match kind {
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            '0'..='7' => (3, 8),
            _ => (0, 0),
        };
        let from = if radix == 8 { n + 1 } else { n + 2 };
        let at = start + n..start + (from + digits).min(body.len());
        let bad = || wrong(at.clone(), "unknown escape in a text", "write \\\\ for a backslash, or use back quotes");
        let code = body.get(from..from + digits).filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = code.filter(|_| digits > 0).ok_or_else(bad)?;
        let code = u32::from_str_radix(code, radix).map_err(|_| bad())?;
        match kind {
            'u' | 'U' => {
                let c = char::from_u32(code).ok_or_else(bad)?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => bytes.push(u8::try_from(code).map_err(|_| bad())?),
        }
        while chars.peek().is_some_and(|(next, _)| *next < from + digits) {
            chars.next();
        }
    }
    String::from_utf8(bytes)
        .map_err(|_| outside(start..start + body.len(), "text that is not UTF-8", "this text is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_all_their_forms() {
        let cases = [
            ("1", 1.0),
            (".5", 0.5),
            ("2.", 2.0),
            ("12.34e6", 12.34e6),
            ("1E-3", 0.001),
            ("0x1f", 31.0),
            ("0X_ff", 255.0),
            ("1_000", 1000.0),
            ("010", 8.0),
            ("08", 8.0),
            ("0.5e+1", 5.0),
        ];
        for (text, value) in cases {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in ["", ".", "1e", "1e+", "1__0", "_1", "1_", "1.2.3", "0x", "0xg", "5m", "1_.5"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn durations_go_from_large_to_small() {
        assert_eq!(duration("1h30m"), Some(90 * MINUTE));
        assert_eq!(duration("1y2w3d4h5m6s7ms"), Some(382 * DAY + 4 * HOUR + 5 * MINUTE + 6_007));
        assert_eq!(duration("0s"), Some(0));
        for text in ["30m1h", "1m1m", "5", "m", "1.5h", "5min", "99999999999y", ""] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn texts_know_go_escapes() {
        let read = |text: &str, quote| unquote(text, quote, 1);
        assert_eq!(read(r#"a\"b\n\x41\u00e9\101\\"#, '"').as_deref(), Ok("a\"b\nAéA\\"));
        assert_eq!(read(r"a\n", '`').as_deref(), Ok(r"a\n"));
        assert_eq!(read(r"\xea\xb0\x80", '"').as_deref(), Ok("가"));
        assert_eq!(read(r"a\q", '"').unwrap_err().at, 2..4);
        assert_eq!(read(r"a\xc5z", '"').unwrap_err().construct, Some("text that is not UTF-8"));
        assert!(read(r#"\'"#, '"').is_err() && read(r"\u12", '"').is_err());
    }
}
