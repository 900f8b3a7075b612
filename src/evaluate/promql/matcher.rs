//! Label matchers: `=`, `!=`, `=~` and `!~` of a selector.
//!
//! The idea: a label that a series lacks is the empty string, and a pattern must match a whole value. A pattern is
//! written in RE2 as Go reads it; where Rust's `regex` reads the same text differently (`\d` is ASCII in Go, `[` inside
//! a class is a plain character, a lone `{` too, `\Q…\E`), it is translated before it is compiled, so that the same
//! rule matches the same hosts. What cannot be translated is an error, never another meaning.

use std::fmt;

use regex::Regex;

use crate::model::Labels;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Matches,
    /// `!~`
    MatchesNot,
}

impl Compare {
    /// As it is written.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Matches => "=~",
            Self::MatchesNot => "!~",
        }
    }
}

/// One condition on one label.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// How it is compared.
    pub compare: Compare,
    /// With what, as written.
    pub value: String,
    pattern: Option<Regex>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.compare == other.compare && self.value == other.value
    }
}

impl Eq for Matcher {}

impl Matcher {
    /// A matcher. Errors: what is wrong with the pattern, on one line.
    pub fn new(name: &str, compare: Compare, value: &str) -> Result<Self, String> {
        let pattern = match compare {
            Compare::Equal | Compare::NotEqual => None,
            Compare::Matches | Compare::MatchesNot => Some(whole(value)?),
        };
        Ok(Self { name: name.to_owned(), compare, value: value.to_owned(), pattern })
    }

    /// `name="value"`.
    pub fn equal(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), compare: Compare::Equal, value: value.to_owned(), pattern: None }
    }

    /// Whether a series with `labels` passes.
    pub fn accepts(&self, labels: &Labels) -> bool {
        self.accepts_value(labels.get(&self.name).unwrap_or_default())
    }

    /// Whether this value of its label passes.
    pub fn accepts_value(&self, value: &str) -> bool {
        let matched = || self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(value));
        match self.compare {
            Compare::Equal => value == self.value,
            Compare::NotEqual => value != self.value,
            Compare::Matches => matched(),
            Compare::MatchesNot => !matched(),
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:?}", self.name, self.compare.sign(), self.value)
    }
}

/// A pattern that must match a whole value, `.` matching line ends too.
pub(super) fn whole(pattern: &str) -> Result<Regex, String> {
    let text = format!("^(?s:{})$", translate(pattern)?);
    Regex::new(&text).map_err(|wrong| {
        // The library draws the pattern over several lines; its last line says what is wrong.
        let last = wrong.to_string().lines().last().unwrap_or_default().trim().to_owned();
        last.trim_start_matches("error: ").to_owned()
    })
}

/// Go's reading of `pattern`, as Rust's `regex` writes it.
fn translate(pattern: &str) -> Result<String, String> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut at = 0;
    let mut class = false;
    let mut class_start = 0;
    // Where a repetition ended, so that a second one there is seen: Go refuses `a**`.
    let mut repeated = usize::MAX;
    while let Some(&c) = chars.get(at) {
        let repeats = !class && (matches!(c, '*' | '+' | '?') || (c == '{' && is_repetition(&chars, at)));
        if repeats && repeated == at {
            return Err(format!("`{c}` repeats a repetition"));
        }
        if repeats {
            let length = repetition(&chars, at)?;
            out.extend(chars.iter().skip(at).take(length));
            at += length;
            repeated = at;
            continue;
        }
        match c {
            '\\' => {
                at = escape(&chars, at, class, &mut out)?;
                continue;
            }
            '[' if class && chars.get(at + 1) == Some(&':') => {
                let end = (at + 2..chars.len()).find(|n| chars[*n] == ':' && chars.get(n + 1) == Some(&']'));
                let Some(end) = end else {
                    out.push_str("\\[");
                    at += 1;
                    continue;
                };
                out.extend(&chars[at..end + 2]);
                at = end + 2;
                continue;
            }
            '[' if class => out.push_str("\\["),
            '[' => {
                class = true;
                out.push(c);
                if chars.get(at + 1) == Some(&'^') {
                    out.push('^');
                    at += 1;
                }
                class_start = at + 1;
            }
            // The first character of a class is never its end.
            ']' if class && at == class_start => out.push_str("\\]"),
            ']' if class => {
                class = false;
                out.push(c);
            }
            '&' | '~' if class => {
                out.push('\\');
                out.push(c);
            }
            '(' if !class && foreign_flag(&chars, at) => return Err("flags are i, m, s and U".to_owned()),
            '{' if !class => out.push_str("\\{"),
            _ => out.push(c),
        }
        at += 1;
    }
    Ok(out)
}

/// Whether `(` at `at` begins a group with a flag that only Rust knows.
fn foreign_flag(chars: &[char], at: usize) -> bool {
    let flags = chars.iter().skip(at + 2).take_while(|c| c.is_ascii_alphabetic() || **c == '-');
    let own: String = flags.collect();
    let ends = matches!(chars.get(at + 2 + own.len()), Some(':' | ')'));
    chars.get(at + 1) == Some(&'?') && ends && own.contains(['x', 'R', 'u'])
}

/// How long the repetition at `at` is, its `?` included. Errors: more than 1000 times, as in Go.
fn repetition(chars: &[char], at: usize) -> Result<usize, String> {
    let counts: String = match chars.get(at) {
        Some('{') => chars.iter().skip(at + 1).take_while(|c| **c != '}').collect(),
        _ => String::new(),
    };
    if counts.split(',').any(|count| count.parse().is_ok_and(|n: u64| n > 1000)) {
        return Err("a repetition of more than 1000 times".to_owned());
    }
    let length = if counts.is_empty() { 1 } else { counts.len() + 2 };
    Ok(length + usize::from(chars.get(at + length) == Some(&'?')))
}

/// One escape from `at` on; where it ends.
fn escape(chars: &[char], at: usize, class: bool, out: &mut String) -> Result<usize, String> {
    let Some(&c) = chars.get(at + 1) else { return Err("the pattern ends in `\\`".to_owned()) };
    match (c, class) {
        ('d', true) => out.push_str("0-9"),
        ('d', false) => out.push_str("[0-9]"),
        ('D', _) => out.push_str("[^0-9]"),
        ('w', true) => out.push_str("0-9A-Za-z_"),
        ('w', false) => out.push_str("[0-9A-Za-z_]"),
        ('W', _) => out.push_str("[^0-9A-Za-z_]"),
        ('s', true) => out.push_str(r"\t\n\f\r "),
        ('s', false) => out.push_str(r"[\t\n\f\r ]"),
        ('S', _) => out.push_str(r"[^\t\n\f\r ]"),
        ('b', false) => out.push_str(r"(?-u:\b)"),
        ('Q', _) => {
            let rest: String = chars.iter().skip(at + 2).collect();
            let literal = rest.split("\\E").next().unwrap_or_default();
            out.push_str(&regex::escape(literal));
            let closed = if literal.len() == rest.len() { 0 } else { 2 };
            return Ok(at + 2 + literal.chars().count() + closed);
        }
        // Signs that mean a border of a word in Rust and themselves in Go.
        ('<' | '>', _) => out.push(c),
        ('p' | 'P' | 'x', _) if chars.get(at + 2) == Some(&'{') => return braced(chars, at, out),
        ('B' | 'C' | '0'..='9', _) => return Err(format!("`\\{c}` is not read here: write it another way")),
        _ => {
            out.push('\\');
            out.push(c);
        }
    }
    Ok(at + 2)
}

/// `\p{Name}`, `\P{Name}` or `\x{10FFFF}` at `at`; where it ends.
fn braced(chars: &[char], at: usize, out: &mut String) -> Result<usize, String> {
    let name: String = chars.iter().skip(at + 3).take_while(|c| **c != '}').collect();
    let end = at + 3 + name.chars().count();
    if chars.get(end) != Some(&'}') {
        return Err(format!("`{{` is never closed behind `\\{}`", chars[at + 1]));
    }
    let (sign, name) = match (chars[at + 1], name.strip_prefix('^')) {
        ('p', Some(others)) => ('P', others),
        ('P', Some(others)) => ('p', others),
        (sign, _) => (sign, name.as_str()),
    };
    out.push_str(&format!("\\{sign}{{{name}}}"));
    Ok(end + 1)
}

/// Whether `{` at `at` begins `{n}`, `{n,}` or `{n,m}`; anything else is a plain character.
fn is_repetition(chars: &[char], at: usize) -> bool {
    let body: String = chars.iter().skip(at + 1).take_while(|c| **c != '}').collect();
    let closed = chars.get(at + 1 + body.chars().count()) == Some(&'}');
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    closed
        && match body.split_once(',') {
            Some((low, high)) => digits(low) && (high.is_empty() || digits(high)),
            None => digits(&body),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, value: &str) -> bool {
        Matcher::new("a", Compare::Matches, pattern).unwrap().accepts_value(value)
    }

    #[test]
    fn a_missing_label_is_the_empty_string() {
        let labels = Labels::new([("a", "x")]);
        let passes = |name, compare, value| Matcher::new(name, compare, value).unwrap().accepts(&labels);
        assert!(passes("a", Compare::Equal, "x") && !passes("a", Compare::NotEqual, "x"));
        assert!(passes("b", Compare::Equal, "") && passes("b", Compare::NotEqual, "x"));
        assert!(passes("b", Compare::Matches, ".*") && !passes("b", Compare::Matches, ".+"));
        assert!(passes("b", Compare::MatchesNot, "x") && !passes("a", Compare::MatchesNot, "x|y"));
    }

    #[test]
    fn a_pattern_matches_a_whole_value() {
        assert!(matches("a|bc", "bc") && !matches("a|bc", "abc") && !matches("b", "abc"));
        assert!(matches("a.c", "a\nc"), "`.` matches a line end");
        assert!(matches("(?i:PRO).*", "production"));
    }

    #[test]
    fn patterns_are_read_as_go_reads_them() {
        assert!(matches(r"\d+", "12") && !matches(r"\d+", "१२"), "digits are ASCII");
        assert!(!matches(r"\w", "가") && matches(r"[^\w]", "가") && matches(r"\W", "가"));
        assert!(matches("[[]x", "[x") && matches("[]a]+", "]a") && matches("[a&&b]+", "&a&"));
        assert!(matches("a{", "a{") && matches("{x}", "{x}") && matches("a{2}", "aa") && matches("a{,2}", "a{,2}"));
        assert!(matches(r"\Qa.b\Ec", "a.bc") && !matches(r"\Qa.b\Ec", "axbc"));
        assert!(matches("(a+?|b{2}?)*", "aabb") && !matches("(?:x?)", "xx"));
        assert!(matches(r"\p{Hangul}+", "봉수") && !matches(r"\P{Hangul}+", "봉수") && matches(r"\p{^Hangul}", "a"));
        assert!(matches(r"\x{BD09}", "봉") && matches(r"[\p{L}\x2d]+\pN", "a-봉1") && matches(r"\<a\>", "<a>"));
        assert!(matches("[[:alpha:]]+", "ab") && matches(r"a\.b\/c", "a.b/c"));
        for wrong in ["(", "[a", "a**{", r"\1", "a\\", r"\p{L", "(?x:a b)"] {
            assert!(Matcher::new("a", Compare::Matches, wrong).is_err(), "{wrong}");
        }
    }
}
