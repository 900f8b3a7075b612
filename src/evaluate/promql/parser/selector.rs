//! Selectors and what stands behind them: matchers, ranges, subqueries, `offset` and `@`.
//!
//! The idea: a length of time is a duration or a number of seconds; what is neither is refused by name where it is the
//! experimental arithmetic on durations. A range belongs to a selector, a subquery to any instant vector.

use std::ops::Range;

use crate::evaluate::promql::Problem;
use crate::evaluate::promql::ast::{Kind, Node, Pin, Selector, Shift, Subquery, What};
use crate::evaluate::promql::lexer::{Token, outside, wrong};
use crate::evaluate::promql::matcher::{Compare, Matcher};
use crate::evaluate::promql::parser::Parser;
use crate::evaluate::promql::storage::NAME;
use crate::evaluate::promql::text::milliseconds;
use crate::time::Ms;

impl Parser<'_> {
    /// `name{…}` from behind the name on, or `{…}`.
    pub(super) fn selector(&mut self, name: Option<(&str, Range<usize>)>) -> Result<Node, Problem> {
        let start = name.as_ref().map_or(self.span().start, |(_, span)| span.start);
        let mut matchers = Vec::new();
        if let Some((name, _)) = &name {
            matchers.push(Matcher::equal(NAME, name));
        }
        if self.takes("{") {
            while !self.takes("}") {
                let at = self.span();
                let matcher = self.matcher()?;
                if matcher.name == NAME && name.is_some() {
                    return Err(wrong(at.start..self.end(), "the metric's name stands twice", "keep one of them"));
                }
                matchers.push(matcher);
                if !self.takes(",") && self.token() != &Token::Sign("}") {
                    return Err(self.unexpected("`,` or `}`"));
                }
            }
        }
        let span = start..self.end();
        if matchers.iter().all(|matcher| matcher.accepts_value("")) {
            let help = "name the metric, or give one matcher that the empty text does not pass, such as job=~\".+\"";
            return Err(wrong(span, "this selects every series", help));
        }
        Ok(Node::new(span, What::Select(Selector { matchers, over: None, shift: Shift::default(), set: None })))
    }

    /// `label = "value"`, or a metric's name in quotes.
    fn matcher(&mut self) -> Result<Matcher, Problem> {
        let (name, quoted) = match self.token() {
            Token::Word => (self.word().unwrap_or_default().to_owned(), false),
            Token::Text(text) => (text.clone(), true),
            _ => return Err(self.unexpected("a label, or `}`")),
        };
        self.at += 1;
        let compare = match self.token() {
            Token::Sign("=") => Compare::Equal,
            Token::Sign("!=") => Compare::NotEqual,
            Token::Sign("=~") => Compare::Matches,
            Token::Sign("!~") => Compare::MatchesNot,
            Token::Sign("," | "}") if quoted => return Ok(Matcher::equal(NAME, &name)),
            Token::Sign("==") => return Err(wrong(self.span(), "unexpected `==`", "a label is compared with =")),
            _ => return Err(self.unexpected("one of = != =~ !~")),
        };
        self.at += 1;
        let Token::Text(value) = self.token().clone() else {
            return Err(self.unexpected("a text in quotes"));
        };
        let span = self.span();
        self.at += 1;
        Matcher::new(&name, compare, &value).map_err(|why| {
            wrong(span, format!("the pattern cannot be read: {why}"), "patterns are RE2 and match a whole value")
        })
    }

    /// `[5m]` of a selector, or `[5m:1m]` of any instant vector.
    pub(super) fn bracket(&mut self, node: Node) -> Result<Node, Problem> {
        let bracket = self.span();
        self.at += 1;
        let length = self.span();
        let over = self.length(true)?;
        if over <= 0 {
            return Err(wrong(length, "a range of nothing", "a range is longer than 0"));
        }
        if self.takes(":") {
            return self.subquery(node, over, bracket.start);
        }
        self.expect("]", "`]`, or `:` for a subquery")?;
        let span = node.span.start..self.end();
        match node.what {
            What::Select(Selector { over: None, matchers, shift, set }) => {
                if shift != Shift::default() {
                    let help = "write metric[5m] offset 1h";
                    return Err(wrong(bracket.start..self.end(), "a range stands before `offset` and `@`", help));
                }
                Ok(Node::new(span, What::Select(Selector { matchers, over: Some(over), shift, set })))
            }
            _ => {
                let help = "for anything but a plain selector write a subquery: (…)[5m:]";
                Err(wrong(bracket.start..self.end(), "a range belongs to a selector", help))
            }
        }
    }

    fn subquery(&mut self, of: Node, over: Ms, bracket: usize) -> Result<Node, Problem> {
        let at = self.span();
        let step = if self.token() == &Token::Sign("]") { None } else { Some(self.length(true)?) };
        if step.is_some_and(|step| step <= 0) {
            return Err(wrong(at, "a step of nothing", "a step is longer than 0"));
        }
        self.expect("]", "`]`")?;
        if of.kind() != Kind::Vector {
            let message = format!("a subquery of a {}", of.kind());
            return Err(wrong(bracket..self.end(), message, "only an instant vector has one"));
        }
        let span = of.span.start..self.end();
        Ok(Node::new(span, What::Subquery(Box::new(Subquery { of, over, step, shift: Shift::default() }))))
    }

    /// `offset 5m`, behind a selector or a subquery.
    pub(super) fn offset(&mut self, mut node: Node) -> Result<Node, Problem> {
        let at = self.span();
        self.at += 1;
        let minus = self.takes("-");
        if !minus {
            self.takes("+");
        }
        let length = self.length(false)?;
        let end = self.end();
        let Some(shift) = shift_of(&mut node) else {
            return Err(wrong(at, "`offset` behind something else", "it belongs to a selector or a subquery"));
        };
        if shift.offset != 0 {
            return Err(wrong(at, "`offset` stands twice", "keep one"));
        }
        shift.offset = if minus { -length } else { length };
        node.span.end = end;
        Ok(node)
    }

    /// `@ 1700000000`, `@ start()`, `@ end()`, behind a selector or a subquery.
    pub(super) fn pin(&mut self, mut node: Node) -> Result<Node, Problem> {
        let at = self.span();
        self.at += 1;
        let keyword = self.keyword();
        let pin = if keyword == "start" || keyword == "end" {
            self.at += 1;
            self.expect("(", "`()`")?;
            self.expect(")", "`)`")?;
            if keyword == "start" { Pin::Start } else { Pin::End }
        } else {
            let minus = self.takes("-");
            if !minus {
                self.takes("+");
            }
            let number = self.span();
            let seconds = match self.token() {
                Token::Number(value) => *value,
                #[expect(clippy::cast_precision_loss, reason = "a number of the language is an f64")]
                Token::Duration(length) => *length as f64 / 1000.0,
                Token::Word if matches!(keyword.as_str(), "inf" | "nan") => f64::NAN,
                _ => return Err(self.unexpected("seconds since 1970, start() or end()")),
            };
            self.at += 1;
            let seconds = if minus { -seconds } else { seconds };
            let help = "write seconds since 1970";
            Pin::At(milliseconds(seconds).ok_or_else(|| wrong(number, "no time", help))?)
        };
        let end = self.end();
        let Some(shift) = shift_of(&mut node) else {
            return Err(wrong(at, "`@` behind something else", "it belongs to a selector or a subquery"));
        };
        if shift.pin.is_some() {
            return Err(wrong(at, "`@` stands twice", "keep one"));
        }
        shift.pin = Some(pin);
        node.span.end = end;
        Ok(node)
    }

    /// A length of time: a duration or seconds.
    fn length(&mut self, closed: bool) -> Result<Ms, Problem> {
        let at = self.span();
        let length = match self.token() {
            Token::Duration(length) => Some(*length),
            Token::Number(seconds) => milliseconds(*seconds),
            Token::Word | Token::Sign("(" | "-" | "+") => {
                let keyword = self.keyword();
                let arithmetic = keyword.is_empty() || self.after() == &Token::Sign("(");
                if !arithmetic {
                    return Err(self.unexpected("a duration such as 5m"));
                }
                return Err(outside(at, "duration expression", "a computed duration"));
            }
            _ => return Err(self.unexpected("a duration such as 5m")),
        };
        let Some(length) = length else { return Err(wrong(at, "too long", "write a duration such as 5m")) };
        self.at += 1;
        let arithmetic = matches!(self.token(), Token::Sign("+" | "-" | "*" | "/" | "%" | "^"));
        if closed && arithmetic {
            return Err(outside(at.start..self.span().end, "duration expression", "a computed duration"));
        }
        Ok(length)
    }
}

/// Where `offset` and `@` of a node stand, if it can have them.
fn shift_of(node: &mut Node) -> Option<&mut Shift> {
    match &mut node.what {
        What::Select(selector) => Some(&mut selector.shift),
        What::Subquery(subquery) => Some(&mut subquery.shift),
        _ => None,
    }
}
