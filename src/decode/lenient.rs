//! The second reading of a record that the quick parser refused.
//!
//! The idea: `1e999`, `NaN` and `Infinity` cost the point that carries them, not the record, but a strict parser sees
//! only "not JSON". So this one follows RFC 8259 to the letter with a single addition: numbers may be out of range or
//! spelled as those words (any case, signed or not), and become infinite or NaN nodes that the formats then refuse.
//! It is slow and allocates; only broken records come here.

use std::ops::Range;

use simd_json::{Node, StaticNode};

use crate::decode::tape::{DEPTH_MAX, reject};
use crate::model::{Reject, RejectReason};

/// A node before its strings can be borrowed: strings are ranges of `Parser::strings`.
enum Token {
    Text(Range<usize>),
    Object { len: usize, count: usize },
    Array { len: usize, count: usize },
    Value(StaticNode),
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    strings: String,
}

/// Parses `text` and hands its nodes to `work`. Error: [`RejectReason::NotJson`] with the place of the mistake.
pub(super) fn parse<R>(text: &str, work: impl FnOnce(&[Node<'_>]) -> R) -> Result<R, Reject> {
    let mut parser = Parser { text, at: 0, tokens: Vec::new(), strings: String::with_capacity(text.len()) };
    parser.document().map_err(|what| {
        let detail = format!("at byte {}: {what}", parser.at);
        reject(RejectReason::NotJson, "", detail)
    })?;
    let Parser { tokens, strings, .. } = parser;
    let nodes: Vec<Node<'_>> = tokens
        .into_iter()
        .map(|token| match token {
            Token::Text(range) => Node::String(strings.get(range).unwrap_or("")),
            Token::Object { len, count } => Node::Object { len, count },
            Token::Array { len, count } => Node::Array { len, count },
            Token::Value(value) => Node::Static(value),
        })
        .collect();
    Ok(work(&nodes))
}

type Parsed = Result<(), &'static str>;

impl Parser<'_> {
    fn document(&mut self) -> Parsed {
        self.value(0)?;
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err("something after the end") }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Parsed {
        self.space();
        match self.peek() {
            None => Err("nothing where a value should be"),
            Some(b'{' | b'[') if depth >= DEPTH_MAX => Err("nested too deeply"),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string(),
            Some(_) => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Parsed {
        let start = self.open();
        self.space();
        let mut len = 0;
        if !self.take(b'}') {
            loop {
                self.space();
                if self.peek() != Some(b'"') {
                    return Err("no key where one should be");
                }
                self.string()?;
                self.space();
                if !self.take(b':') {
                    return Err("no `:` after a key");
                }
                self.value(depth)?;
                len += 1;
                self.space();
                if self.take(b'}') {
                    break;
                }
                if !self.take(b',') {
                    return Err("neither `,` nor `}` in an object");
                }
            }
        }
        self.close(start, |count| Token::Object { len, count });
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Parsed {
        let start = self.open();
        self.space();
        let mut len = 0;
        if !self.take(b']') {
            loop {
                self.value(depth)?;
                len += 1;
                self.space();
                if self.take(b']') {
                    break;
                }
                if !self.take(b',') {
                    return Err("neither `,` nor `]` in an array");
                }
            }
        }
        self.close(start, |count| Token::Array { len, count });
        Ok(())
    }

    fn open(&mut self) -> usize {
        self.at += 1;
        self.tokens.push(Token::Value(StaticNode::Null));
        self.tokens.len()
    }

    fn close(&mut self, start: usize, header: impl FnOnce(usize) -> Token) {
        let count = self.tokens.len() - start;
        if let Some(token) = self.tokens.get_mut(start - 1) {
            *token = header(count);
        }
    }

    fn string(&mut self) -> Parsed {
        self.at += 1;
        let start = self.strings.len();
        loop {
            let rest = self.text.get(self.at..).ok_or("a broken string")?;
            let plain = rest.bytes().take_while(|b| !matches!(b, b'"' | b'\\' | 0..=0x1f)).count();
            self.strings.push_str(rest.get(..plain).ok_or("a broken string")?);
            self.at += plain;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(_) => return Err("a control character in a string"),
                None => return Err("a string without end"),
            }
        }
        self.at += 1;
        self.tokens.push(Token::Text(start..self.strings.len()));
        Ok(())
    }

    fn escape(&mut self) -> Parsed {
        self.at += 1;
        let letter = self.peek().ok_or("a string without end")?;
        self.at += 1;
        let plain = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.code_point()?,
            _ => return Err("an unknown escape"),
        };
        self.strings.push(plain);
        Ok(())
    }

    /// `XXXX` after `\u`, and the second half of a pair where it is one.
    fn code_point(&mut self) -> Result<char, &'static str> {
        let first = self.hex()?;
        let code = match first {
            0xd800..=0xdbff => {
                if !(self.take(b'\\') && self.take(b'u')) {
                    return Err("half a surrogate pair");
                }
                let second = self.hex()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err("half a surrogate pair");
                }
                0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            _ => first,
        };
        char::from_u32(code).ok_or("half a surrogate pair")
    }

    fn hex(&mut self) -> Result<u32, &'static str> {
        let digits = self.text.get(self.at..self.at + 4).ok_or("a broken \\u escape")?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err("a broken \\u escape");
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| "a broken \\u escape")
    }

    /// A number, `true`, `false`, `null`, or one of the words for what is no number.
    fn word(&mut self) -> Parsed {
        let rest = self.text.get(self.at..).ok_or("a broken value")?;
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))).unwrap_or(rest.len());
        let word = rest.get(..end).ok_or("a broken value")?;
        let value = match word {
            "true" => StaticNode::Bool(true),
            "false" => StaticNode::Bool(false),
            "null" => StaticNode::Null,
            _ => number(word).ok_or("not a value")?,
        };
        self.at += end;
        self.tokens.push(Token::Value(value));
        Ok(())
    }
}

fn number(word: &str) -> Option<StaticNode> {
    let unsigned = word.strip_prefix(['-', '+']).unwrap_or(word);
    let named = ["nan", "inf", "infinity"].iter().any(|name| unsigned.eq_ignore_ascii_case(name));
    if named {
        return word.parse().ok().map(StaticNode::F64);
    }
    let (whole, rest) = digits(word.strip_prefix('-').unwrap_or(word))?;
    if whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    if rest.is_empty() {
        // What fits no integer is still a number, only a less exact one.
        let small = word.parse().map(StaticNode::U64).or_else(|_| word.parse().map(StaticNode::I64));
        return small.ok().or_else(|| word.parse().ok().map(StaticNode::F64));
    }
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => digits(fraction)?.1,
        None => rest,
    };
    let rest = match rest.strip_prefix(['e', 'E']) {
        Some(exponent) => digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))?.1,
        None => rest,
    };
    if rest.is_empty() { word.parse().ok().map(StaticNode::F64) } else { None }
}

/// At least one digit, and what follows.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    if end == 0 { None } else { text.split_at_checked(end) }
}
