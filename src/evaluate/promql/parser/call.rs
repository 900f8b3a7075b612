//! Calls and aggregations: a name from a table, and arguments that fit it.
//!
//! The idea: names are looked up in the tables of `functions` and `aggregate`; a name that Prometheus knows and the
//! tables lack is refused by its name, any other is a mistake with the nearest known name beside it.

use std::ops::Range;

use crate::evaluate::promql::Problem;
use crate::evaluate::promql::aggregate::{self, Aggregator};
use crate::evaluate::promql::ast::{Aggregate, Call, Grouping, Node, What};
use crate::evaluate::promql::check;
use crate::evaluate::promql::functions;
use crate::evaluate::promql::lexer::{Token, outside, wrong};
use crate::evaluate::promql::parser::{Parser, near};

impl Parser<'_> {
    /// An aggregation, if `keyword` is the name of one and an argument follows.
    pub(super) fn aggregation(&mut self, keyword: &str) -> Result<Option<Node>, Problem> {
        let known = aggregate::TABLE.iter().find(|row| row.name == keyword);
        let refused = aggregate::REFUSED.iter().find(|(name, _)| *name == keyword);
        let next = self.at + 1;
        let clause = self.tokens.get(next).and_then(|(_, span)| self.text.get(span.clone()));
        let clause = clause.is_some_and(|word| matches!(word.to_ascii_lowercase().as_str(), "by" | "without"));
        if (known.is_none() && refused.is_none()) || !(clause || self.after() == &Token::Sign("(")) {
            return Ok(None);
        }
        let name = self.span();
        if let Some((word, construct)) = refused {
            return Err(outside(name, construct, format!("`{word}`")));
        }
        let Some(with) = known else { return Ok(None) };
        self.at += 1;
        self.aggregate(with, name).map(Some)
    }

    fn aggregate(&mut self, with: &'static Aggregator, name: Range<usize>) -> Result<Node, Problem> {
        let before = self.grouping()?;
        let mut args = self.arguments(with.name)?;
        let second = self.span();
        let behind = if matches!(self.keyword().as_str(), "by" | "without") { self.grouping()? } else { None };
        if before.is_some() && behind.is_some() {
            return Err(wrong(second, "labels to group by stand twice", "keep one `by` or `without`"));
        }
        let span = name.start..self.end();
        let wanted = 1 + usize::from(with.param.is_some());
        if args.len() != wanted {
            let message = format!("`{}` takes {wanted} argument(s), here are {}", with.name, args.len());
            return Err(wrong(span, message, with.usage()));
        }
        let of = args.pop().ok_or_else(|| wrong(span.clone(), "no argument", with.usage()))?;
        let param = args.pop();
        check::aggregate(with, param.as_ref(), &of)?;
        let grouping = before.or(behind).unwrap_or_default();
        Ok(Node::new(span, What::Aggregate(Box::new(Aggregate { with, grouping, param, of }))))
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, Problem> {
        let without = self.keyword() == "without";
        if !without && self.keyword() != "by" {
            return Ok(None);
        }
        self.at += 1;
        Ok(Some(Grouping { without, labels: self.label_list()? }))
    }

    /// `function(args)`
    pub(super) fn call(&mut self) -> Result<Node, Problem> {
        let name = self.span();
        let word = self.word().unwrap_or_default();
        let Some(function) = functions::find(word) else {
            if let Some(construct) = functions::refused(word) {
                return Err(outside(name, construct, format!("function `{word}`")));
            }
            let known = functions::names().chain(aggregate::TABLE.iter().map(|row| row.name));
            let help = near(word, known).map_or_else(
                || "see the documentation of PromQL for the functions there are".to_owned(),
                |known| format!("did you mean `{known}`?"),
            );
            return Err(wrong(name, format!("unknown function `{word}`"), help));
        };
        self.at += 1;
        let args = self.arguments(function.name)?;
        let span = name.start..self.end();
        check::call(function, &args, &span)?;
        Ok(Node::new(span, What::Call(Call { function, name, args })))
    }

    /// `(a, b)`; no comma at the end.
    fn arguments(&mut self, of: &str) -> Result<Vec<Node>, Problem> {
        self.expect("(", &format!("`(` and the arguments of `{of}`"))?;
        let mut args = Vec::new();
        if self.takes(")") {
            return Ok(args);
        }
        loop {
            args.push(self.binary(0)?);
            if self.takes(")") {
                return Ok(args);
            }
            self.expect(",", "an operator, `,` or `)`")?;
        }
    }
}
