//! Tokens → tree: a Pratt parser, one function per kind of node.
//!
//! The idea: [`Parser::binary`] climbs by how tightly an operator binds, everything else looks at the next token alone.
//! Keywords are only keywords where one can stand, so any of them is also a metric or a label. Each node is checked
//! when it is built (`check`), so the first mistake from the left is the one that is told.

mod call;
mod selector;
mod words;

use std::ops::Range;

use crate::evaluate::promql::ast::{Binary, Expr, Many, Matching, Node, Sign, What};
use crate::evaluate::promql::lexer::{Token, outside, tokens, wrong};
use crate::evaluate::promql::operator::{Operator, SIGN_BINDS};
use crate::evaluate::promql::{Problem, check};

pub(super) use words::near;

/// Nodes inside each other; deeper is refused, so that a hostile text cannot exhaust the stack.
const DEPTH_MAX: usize = 100;
/// Binary operations of one expression: side by side in the text, they too stand inside each other in the tree.
const OPERATIONS_MAX: usize = 500;

/// Reads a whole text.
pub(super) fn parse(text: &str) -> Result<Expr, Problem> {
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0, operations: 0 };
    if parser.token() == &Token::End {
        return Err(wrong(0..text.len(), "no expression", "write for example: up == 0"));
    }
    let root = parser.binary(0)?;
    if parser.token() != &Token::End {
        return Err(parser.unexpected("an operator or the end"));
    }
    Ok(Expr::new(text, root))
}

pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    depth: usize,
    operations: usize,
}

impl<'a> Parser<'a> {
    fn token(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn after(&self) -> &Token {
        self.tokens.get(self.at + 1).map_or(&Token::End, |(token, _)| token)
    }

    /// The bytes of the next token.
    fn span(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.text.len()..self.text.len(), |(_, span)| span.clone())
    }

    /// Where the token before ended.
    fn end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |(_, span)| span.end)
    }

    /// The text of the next token where it is a word.
    fn word(&self) -> Option<&'a str> {
        if self.token() == &Token::Word { self.text.get(self.span()) } else { None }
    }

    /// The next word in small letters, for keywords; empty where it is no word.
    fn keyword(&self) -> String {
        self.word().map(str::to_ascii_lowercase).unwrap_or_default()
    }

    fn takes(&mut self, sign: &'static str) -> bool {
        let found = self.token() == &Token::Sign(sign);
        self.at += usize::from(found);
        found
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let found = self.keyword() == word;
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &'static str, what: &str) -> Result<(), Problem> {
        if self.takes(sign) { Ok(()) } else { Err(self.unexpected(what)) }
    }

    /// The innermost parenthesis that is never closed.
    fn unclosed(&self) -> Option<Problem> {
        let mut open: Vec<Range<usize>> = Vec::new();
        for (token, span) in &self.tokens {
            match token {
                Token::Sign("(") => open.push(span.clone()),
                Token::Sign(")") => drop(open.pop()),
                _ => {}
            }
        }
        Some(wrong(open.pop()?, "this `(` is never closed", "put `)` where its argument ends"))
    }

    fn unexpected(&self, wanted: &str) -> Problem {
        let span = self.span();
        let what = match self.token() {
            Token::End => "the expression ends here".to_owned(),
            _ => format!("unexpected `{}`", self.text.get(span.clone()).unwrap_or_default()),
        };
        wrong(span, what, format!("{wanted} is expected here"))
    }

    /// An expression whose operators all bind tighter than `floor`.
    fn binary(&mut self, floor: u8) -> Result<Node, Problem> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(wrong(self.span(), format!("more than {DEPTH_MAX} levels"), "split it into recording rules"));
        }
        let mut left = self.unary()?;
        while let Some(op) = self.operator() {
            let binds = op.row().binds;
            if binds <= floor {
                break;
            }
            self.operations += 1;
            if self.operations > OPERATIONS_MAX {
                return Err(wrong(
                    self.span(),
                    format!("more than {OPERATIONS_MAX} operations"),
                    "split it into recording rules",
                ));
            }
            let at = self.span();
            self.at += 1;
            let (gives_bool, matching) = self.modifiers(op)?;
            let right = self.binary(if op.is_right() { binds - 1 } else { binds })?;
            let span = left.span.start..right.span.end;
            let binary = Binary { op, at, gives_bool, matching, left, right };
            // Behind a parenthesis that is never closed stands what was meant to be outside of it.
            check::binary(&binary).map_err(|problem| self.unclosed().unwrap_or(problem))?;
            left = Node::new(span, What::Binary(Box::new(binary)));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operator(&self) -> Option<Operator> {
        match self.token() {
            Token::Sign(sign) => Operator::of(sign),
            Token::Word => Operator::of(&self.keyword()),
            _ => None,
        }
    }

    fn unary(&mut self) -> Result<Node, Problem> {
        let start = self.span().start;
        let minus = self.token() == &Token::Sign("-");
        if !minus && self.token() != &Token::Sign("+") {
            return self.postfix();
        }
        self.at += 1;
        let of = Box::new(self.binary(SIGN_BINDS)?);
        let span = start..of.span.end;
        check::sign(&of, &span)?;
        Ok(Node::new(span, What::Sign(Sign { minus, of })))
    }

    /// A primary and what stands behind it: range, subquery, `offset`, `@`.
    fn postfix(&mut self) -> Result<Node, Problem> {
        let mut node = self.primary()?;
        loop {
            let keyword = self.keyword();
            node = match self.token() {
                Token::Sign("[") => self.bracket(node)?,
                Token::Sign("@") => self.pin(node)?,
                Token::Word if keyword == "offset" => self.offset(node)?,
                Token::Word if keyword == "anchored" || keyword == "smoothed" => {
                    return Err(outside(self.span(), "modifier anchored or smoothed", format!("`{keyword}`")));
                }
                _ => return Ok(node),
            };
        }
    }

    fn primary(&mut self) -> Result<Node, Problem> {
        let span = self.span();
        let what = match self.token().clone() {
            Token::Number(value) => What::Number(value),
            #[expect(clippy::cast_precision_loss, reason = "a number of the language is an f64")]
            Token::Duration(length) => What::Number(length as f64 / 1000.0),
            Token::Text(text) => What::Text(text),
            Token::Sign("(") => return self.parentheses(),
            Token::Sign("{") => return self.selector(None),
            Token::Word => return self.named(),
            Token::Sign("=") => return Err(wrong(span, "unexpected `=`", "equality is written ==")),
            _ => return Err(self.unexpected("a metric, a number, a function or `(`")),
        };
        self.at += 1;
        Ok(Node::new(span, what))
    }

    fn parentheses(&mut self) -> Result<Node, Problem> {
        let start = self.span().start;
        self.at += 1;
        let inner = self.binary(0)?;
        self.expect(")", "an operator or `)`")?;
        Ok(Node::new(start..self.end(), What::Paren(Box::new(inner))))
    }

    /// What begins with a word: a number, an aggregation, a call or a metric.
    fn named(&mut self) -> Result<Node, Problem> {
        let span = self.span();
        let keyword = self.keyword();
        let value = match keyword.as_str() {
            "inf" => Some(f64::INFINITY),
            "nan" => Some(f64::NAN),
            _ => None,
        };
        if let Some(value) = value {
            self.at += 1;
            return Ok(Node::new(span, What::Number(value)));
        }
        if let Some(node) = self.aggregation(&keyword)? {
            return Ok(node);
        }
        if self.after() == &Token::Sign("(") {
            return self.call();
        }
        if matches!(keyword.as_str(), "bool" | "on" | "ignoring" | "group_left" | "group_right" | "atan2") {
            return Err(self.unexpected("a metric, a number, a function or `(`"));
        }
        let name = self.word();
        self.at += 1;
        self.selector(name.map(|name| (name, span)))
    }

    /// `bool`, `on (…)`, `group_left (…)`
    fn modifiers(&mut self, op: Operator) -> Result<(bool, Matching), Problem> {
        let start = self.span();
        let gives_bool = self.takes_word("bool");
        if gives_bool && !op.is_comparison() {
            let message = format!("`bool` does not go with `{}`", op.text());
            return Err(wrong(start, message, "it turns a comparison into 0 and 1"));
        }
        let keyword = self.keyword();
        if let "fill" | "fill_left" | "fill_right" = keyword.as_str() {
            return Err(outside(self.span(), "modifier fill", format!("`{keyword}`")));
        }
        if keyword != "on" && keyword != "ignoring" {
            if keyword == "group_left" || keyword == "group_right" {
                let help = format!("write on (…) or ignoring (…) before `{keyword}`");
                return Err(wrong(self.span(), format!("`{keyword}` without a matching"), help));
            }
            return Ok((gives_bool, Matching::default()));
        }
        self.at += 1;
        let mut matching = Matching { on: keyword == "on", labels: self.label_list()?, ..Matching::default() };
        let group = self.span();
        let keyword = self.keyword();
        if keyword == "group_left" || keyword == "group_right" {
            self.at += 1;
            matching.many = if keyword == "group_left" { Many::Left } else { Many::Right };
            if self.token() == &Token::Sign("(") {
                matching.include = self.label_list()?;
            }
            check::include(op, &matching, &group)?;
        }
        if self.keyword().starts_with("fill") && self.after() == &Token::Sign("(") {
            return Err(outside(self.span(), "modifier fill", "`fill`"));
        }
        Ok((gives_bool, matching))
    }

    /// `(a, b, "c.d")`; a comma may stand at the end.
    fn label_list(&mut self) -> Result<Vec<String>, Problem> {
        self.expect("(", "`(` and a list of labels")?;
        let mut labels = Vec::new();
        while !self.takes(")") {
            let label = match self.token() {
                Token::Word => self.word().unwrap_or_default().to_owned(),
                Token::Text(text) if !text.is_empty() => text.clone(),
                _ => return Err(self.unexpected("a label")),
            };
            labels.push(label);
            self.at += 1;
            if !self.takes(",") && self.token() != &Token::Sign(")") {
                return Err(self.unexpected("`,` or `)`"));
            }
        }
        Ok(labels)
    }
}
