//! Text → tokens, each with its bytes.
//!
//! The idea: one pass, and the only state is how deep in `[…]` and `{…}` it is, because a `:` there is no part of a name
//! and `=~` is an operator. Numbers and durations are read here to the end, so that `5m` is one token that the parser
//! may take for a length of time or for 300. Words are not told apart: any keyword is also a label or a metric.

use std::ops::Range;

use crate::evaluate::promql::Problem;
use crate::evaluate::promql::text::{duration, number, unquote};
use crate::time::Ms;

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name or a keyword.
    Word,
    /// A number.
    Number(f64),
    /// `1h30m`
    Duration(Ms),
    /// A text in quotes, without them.
    Text(String),
    /// An operator or punctuation.
    Sign(&'static str),
    /// The end of the text.
    End,
}

/// Longer signs first.
const SIGNS: &[&str] = &[
    "==", "!=", "<=", ">=", "=~", "!~", "+", "-", "*", "/", "%", "^", "<", ">", "=", "(", ")", "{", "}", "[", "]", ",",
    "@", ":",
];

/// A mistake at `at`.
pub(super) fn wrong(at: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Problem {
    Problem { at, message: message.into(), help: help.into(), construct: None }
}

/// The construct of a name with dots or letters beyond ASCII that stands without quotes.
pub const UNQUOTED: &str = "unquoted name";

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | ':' | '.')
}

/// Something that is outside of the language that is answered.
pub(super) fn outside(at: Range<usize>, construct: &'static str, message: impl Into<String>) -> Problem {
    let help = "this is not answered here: write the rule without it".to_owned();
    Problem { at, message: message.into(), help, construct: Some(construct) }
}

/// Every token of `text` with its bytes; the last is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, Problem> {
    let mut found = Vec::new();
    let mut lexer = Lexer { text, at: 0, brackets: 0, braces: 0 };
    loop {
        lexer.skip();
        let start = lexer.at;
        let token = lexer.next()?;
        let end = token == Token::End;
        found.push((token, start..lexer.at));
        if end {
            return Ok(found);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    brackets: usize,
    braces: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Skips blanks and comments.
    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            let comment = if rest[blanks..].starts_with('#') {
                rest[blanks..].find('\n').unwrap_or(rest.len() - blanks)
            } else {
                0
            };
            if blanks + comment == 0 {
                return;
            }
            self.at += blanks + comment;
        }
    }

    fn next(&mut self) -> Result<Token, Problem> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        let second = rest.chars().nth(1).unwrap_or(' ');
        match first {
            '"' | '\'' | '`' => self.quoted(first),
            '0'..='9' => self.number(),
            '.' if second.is_ascii_digit() => self.number(),
            ':' if self.brackets > 0 => {
                self.at += 1;
                Ok(Token::Sign(":"))
            }
            'a'..='z' | 'A'..='Z' | '_' | ':' => {
                let colons = self.brackets == 0 && self.braces == 0;
                let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || (c == ':' && colons);
                self.at += rest.find(|c| !part(c)).unwrap_or(rest.len()).max(1);
                Ok(Token::Word)
            }
            _ => self.sign(first),
        }
    }

    fn sign(&mut self, first: char) -> Result<Token, Problem> {
        let rest = self.rest();
        if rest.starts_with("</") || rest.starts_with(">/") {
            return Err(outside(self.at..self.at + 2, "native histogram", "trimming of histograms"));
        }
        let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) else {
            let at = self.at..self.at + first.len_utf8();
            let inside = self.text.get(..self.at).is_some_and(|before| before.ends_with(is_word));
            if first.is_alphabetic() || (first == '.' && inside) {
                let help = "it stands in quotes: {\"name\"}, a label too: {\"label\"=\"value\"}; or write `_` for dots";
                let message = format!("a name with {first:?} in it, without quotes");
                return Err(Problem { help: help.to_owned(), ..outside(at, UNQUOTED, message) });
            }
            return Err(wrong(at, format!("unexpected character {first:?}"), ""));
        };
        match *sign {
            "[" => self.brackets += 1,
            "]" => self.brackets = self.brackets.saturating_sub(1),
            "{" => self.braces += 1,
            "}" => self.braces = self.braces.saturating_sub(1),
            _ => {}
        }
        self.at += sign.len();
        Ok(Token::Sign(sign))
    }

    fn quoted(&mut self, quote: char) -> Result<Token, Problem> {
        let start = self.at;
        let mut escaped = false;
        let body = self.text.get(start + 1..).unwrap_or_default();
        for (n, c) in body.char_indices() {
            if c == quote && !escaped {
                self.at = start + 1 + n + 1;
                return unquote(&body[..n], quote, start + 1).map(Token::Text);
            }
            if c == '\n' && quote != '`' {
                break;
            }
            escaped = c == '\\' && !escaped && quote != '`';
        }
        self.at = self.text.len();
        Err(wrong(start..start + 1, "this quotation mark is never closed", format!("close the text with {quote}")))
    }

    fn number(&mut self) -> Result<Token, Problem> {
        let start = self.at;
        let rest = self.rest();
        let hex = rest.starts_with("0x") || rest.starts_with("0X");
        let mut last = ' ';
        let mut plain = true;
        let part = |c: char| {
            let exponent = matches!(c, '+' | '-') && matches!(last, 'e' | 'E') && plain && !hex;
            let takes = c.is_ascii_alphanumeric() || matches!(c, '_' | '.') || exponent;
            plain = plain && (c.is_ascii_digit() || matches!(c, '_' | '.' | 'e' | 'E'));
            last = c;
            !takes
        };
        let word = &rest[..rest.find(part).unwrap_or(rest.len())];
        self.at += word.len();
        let at = start..self.at;
        if let Some(value) = number(word) {
            return if value.is_finite() {
                Ok(Token::Number(value))
            } else {
                Err(wrong(at, format!("`{word}` is too large for a number"), "write Inf if infinity is meant"))
            };
        }
        if let Some(length) = duration(word) {
            return Ok(Token::Duration(length));
        }
        let help = "numbers: 1, 0.5, 1e3, 0x1f, 1_000; durations: 5m, 1h30m (units y w d h m s ms, largest first)";
        Err(wrong(at, format!("`{word}` is neither a number nor a duration"), help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Token> {
        tokens(text).unwrap().into_iter().map(|(token, _)| token).collect()
    }

    #[test]
    fn a_colon_belongs_to_names_only_outside_of_brackets() {
        use Token::{Duration, End, Sign, Word};
        assert_eq!(kinds("a:b"), [Word, End]);
        assert_eq!(
            kinds("a[5m:1m]"),
            [Word, Sign("["), Duration(300_000), Sign(":"), Duration(60_000), Sign("]"), End]
        );
    }

    #[test]
    fn blanks_and_comments_are_skipped_and_spans_are_bytes() {
        let found = tokens("# 한글\n a # b\n+ 1e-3").unwrap();
        let spans: Vec<_> = found.into_iter().map(|(_, span)| span).collect();
        assert_eq!(spans, [10..11, 16..17, 18..22, 22..22]);
    }

    #[test]
    fn what_is_no_token_says_where() {
        for (text, at) in [("a + 한", 4..7), ("1 + 2x", 4..6), ("\"abc", 0..1), ("a ; b", 2..3), ("1e999", 0..5)] {
            assert_eq!(tokens(text).unwrap_err().at, at, "{text}");
        }
    }
}
