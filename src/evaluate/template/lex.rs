//! A template's text as pieces: plain text, and actions as tokens with their byte ranges.
//!
//! The idea: trimming (`{{-`, `-}}`) and comments end here, so that the parser sees only what means something. A `}}`
//! inside a quoted text does not end an action.

use std::ops::Range;

use super::Problem;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// Text between actions, trimmed.
    Text(String),
    /// An action.
    Action {
        /// Its tokens, never empty.
        tokens: Vec<Token>,
        /// From `{{` to behind `}}`.
        at: Range<usize>,
    },
}

/// A token with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    /// What it is.
    pub kind: Tok,
    /// Its bytes.
    pub at: Range<usize>,
    /// Whether a blank stands before it.
    pub spaced: bool,
}

/// Kinds of tokens.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tok {
    /// A function, a keyword, `true`, `false` or `nil`.
    Word(String),
    /// `.name`
    Field(String),
    /// `.`
    Dot,
    /// `$name`, the `$` included.
    Var(String),
    /// A quoted text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number with a point or an exponent.
    Float(f64),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `|`
    Pipe,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// `,`
    Comma,
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";

/// Cuts `text` into pieces.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, Problem> {
    let mut out = Vec::new();
    let mut from = 0;
    let mut trim = false;
    loop {
        let rest = text.get(from..).unwrap_or("");
        let left = rest.find(LEFT).map(|at| from + at);
        let plain = text.get(from..left.unwrap_or(text.len())).unwrap_or("");
        let plain = if trim { plain.trim_start_matches(blank) } else { plain };
        let Some(start) = left else {
            push(&mut out, plain);
            return Ok(out);
        };
        let mut lexer = Lexer { text, at: start + LEFT.len() };
        let marker = text.get(lexer.at..).is_some_and(|s| s.starts_with('-') && s[1..].starts_with(blank));
        if marker {
            lexer.at += 1;
        }
        push(&mut out, if marker { plain.trim_end_matches(blank) } else { plain });
        let (tokens, trimmed) = lexer.action(start)?;
        if let Some(tokens) = tokens {
            out.push(Piece::Action { tokens, at: start..lexer.at });
        }
        trim = trimmed;
        from = lexer.at;
    }
}

fn push(out: &mut Vec<Piece>, plain: &str) {
    if !plain.is_empty() {
        out.push(Piece::Text(plain.to_owned()));
    }
}

fn blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip(&mut self) -> bool {
        let before = self.at;
        self.at += self.rest().len() - self.rest().trim_start_matches(blank).len();
        self.at > before
    }

    /// The end of an action at hand: how long it is, and whether it trims what follows. `-}}` needs a blank before it.
    fn end(&self, spaced: bool) -> Option<(usize, bool)> {
        if self.rest().starts_with(RIGHT) {
            return Some((RIGHT.len(), false));
        }
        (spaced && self.rest().starts_with("-}}")).then_some((RIGHT.len() + 1, true))
    }

    /// The tokens of an action that began at `start`, up to behind its `}}`; `None` for a comment.
    fn action(&mut self, start: usize) -> Result<(Option<Vec<Token>>, bool), Problem> {
        let mut tokens = Vec::new();
        let mut spaced = self.skip();
        if self.rest().starts_with("/*") {
            return Ok((None, self.comment(start)?));
        }
        loop {
            if let Some((length, trims)) = self.end(spaced) {
                self.at += length;
                if tokens.is_empty() {
                    return Err(Problem::new(start..self.at, "an action without anything in it")
                        .help("write {{ $labels.instance }} or {{ $value }}"));
                }
                return Ok((Some(tokens), trims));
            }
            if self.rest().is_empty() {
                return Err(unclosed(start));
            }
            let from = self.at;
            let kind = self.token(start)?;
            tokens.push(Token { kind, at: from..self.at, spaced });
            spaced = self.skip();
        }
    }

    fn comment(&mut self, start: usize) -> Result<bool, Problem> {
        let Some(length) = self.rest().find("*/") else {
            return Err(
                Problem::new(start..start + LEFT.len(), "this comment is never closed").help("end it with */}}")
            );
        };
        self.at += length + 2;
        let spaced = self.skip();
        let Some((length, trims)) = self.end(spaced) else {
            return Err(Problem::new(self.at..self.at + 1, "a comment ends with */}}, nothing else stands beside it"));
        };
        self.at += length;
        Ok(trims)
    }

    fn token(&mut self, start: usize) -> Result<Tok, Problem> {
        let rest = self.rest();
        let first = rest.chars().next().unwrap_or(' ');
        let second = rest.chars().nth(1);
        let simple = match first {
            '(' => Some(Tok::Open),
            ')' => Some(Tok::Close),
            '|' => Some(Tok::Pipe),
            ',' => Some(Tok::Comma),
            '=' => Some(Tok::Assign),
            _ => None,
        };
        if let Some(kind) = simple {
            self.at += 1;
            return Ok(kind);
        }
        match first {
            ':' if second == Some('=') => {
                self.at += 2;
                Ok(Tok::Declare)
            }
            '"' | '`' | '\'' => self.quoted(first),
            '$' => Ok(Tok::Var(self.name(1))),
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => self.number(),
            '.' if second.is_some_and(word) => Ok(Tok::Field(self.name(1)[1..].to_owned())),
            '.' => {
                self.at += 1;
                Ok(Tok::Dot)
            }
            '+' | '-' | '0'..='9' => self.number(),
            c if word(c) => Ok(Tok::Word(self.name(0))),
            '{' if rest.starts_with(LEFT) => Err(unclosed(start)),
            other => Err(Problem::new(self.at..self.at + other.len_utf8(), format!("`{other}` means nothing here"))),
        }
    }

    /// `skip` bytes and the word behind them.
    fn name(&mut self, skip: usize) -> String {
        let rest = self.rest();
        let tail = rest.get(skip..).unwrap_or("");
        let length = skip + tail.find(|c| !word(c)).unwrap_or(tail.len());
        self.at += length;
        rest.get(..length).unwrap_or("").to_owned()
    }

    fn number(&mut self) -> Result<Tok, Problem> {
        let from = self.at;
        let rest = self.rest();
        let hex = rest.trim_start_matches(['+', '-']).get(..2).is_some_and(|s| s.eq_ignore_ascii_case("0x"));
        let mut last = ' ';
        let length = rest
            .char_indices()
            .find(|(n, c)| {
                let sign = matches!(c, '+' | '-') && (*n == 0 || (matches!(last, 'e' | 'E') && !hex));
                last = *c;
                !(sign || *c == '.' || word(*c))
            })
            .map_or(rest.len(), |(n, _)| n);
        self.at += length;
        let written = rest.get(..length).unwrap_or("");
        read_number(written).ok_or_else(|| Problem::new(from..self.at, format!("`{written}` is no number")))
    }

    fn quoted(&mut self, mark: char) -> Result<Tok, Problem> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let next = self.rest().chars().next().filter(|c| *c != '\n' || mark == '`');
            let Some(c) = next else {
                return Err(Problem::new(start..start + 1, "this quotation mark is never closed"));
            };
            self.at += c.len_utf8();
            match c {
                _ if c == mark => break,
                '\\' if mark != '`' => out.push(self.escape(mark)?),
                _ => out.push(c),
            }
        }
        if mark != '\'' {
            return Ok(Tok::Text(out));
        }
        // Go's character constant is a number.
        let mut chars = out.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok(Tok::Int(i64::from(u32::from(c)))),
            _ => {
                Err(Problem::new(start..self.at, "single quotes hold one character")
                    .help("text stands in \"…\" or `…`"))
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self, mark: char) -> Result<char, Problem> {
        let from = self.at - 1;
        let c = self.rest().chars().next().unwrap_or(' ');
        self.at += c.len_utf8().min(self.rest().len());
        let coded = |length: usize, radix: u32, lexer: &mut Self| {
            let digits = lexer.rest().get(..length)?;
            lexer.at += length;
            u32::from_str_radix(digits, radix).ok().and_then(char::from_u32)
        };
        let read = match c {
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            '\\' => Some('\\'),
            'x' => coded(2, 16, self),
            'u' => coded(4, 16, self),
            'U' => coded(8, 16, self),
            '0'..='7' => {
                self.at -= 1;
                coded(3, 8, self)
            }
            _ if c == mark => Some(c),
            _ => None,
        };
        read.ok_or_else(|| {
            Problem::new(from..self.at, format!("`\\{c}` is no escape"))
                .help("a backslash itself is written \\\\, or use `…`")
        })
    }
}

fn unclosed(start: usize) -> Problem {
    Problem::new(start..start + LEFT.len(), "this {{ is never closed").help("end it with }}")
}

/// A number as Go reads it: whole where neither point nor exponent is written.
fn read_number(written: &str) -> Option<Tok> {
    let plain = written.replace('_', "");
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let coded = |radix: u32| {
        let value = i64::from_str_radix(digits.get(2..)?, radix).ok()?;
        Some(Tok::Int(if negative { -value } else { value }))
    };
    match digits.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => return coded(16),
        Some("0b") => return coded(2),
        Some("0o") => return coded(8),
        _ => {}
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return plain.parse().ok().map(Tok::Int);
    }
    plain.parse().ok().map(Tok::Float)
}
