//! PromQL: expressions read, checked and evaluated with the meaning of Prometheus 3.
//!
//! The idea: [`parse`] gives a tree whose types fit and whose nodes know their bytes; [`instant`] and [`range`] fold it
//! over anything that can answer "which series match, and what did they say in (after, until]" ([`Storage`]). What is
//! outside of the language that is answered (native histograms, `info`, duration arithmetic, …) is refused with its
//! place and its name, at parsing where it can be seen there; nothing is answered by halves.
//!
//! - `lexer`, `text`, `parser`, `check`: bytes → tree. `ast`, `matcher`, `operator`: the tree.
//! - `functions`, `aggregate`, `operator`: one table per kind; a new row is all that a new function needs.
//! - `eval`: the tree over a storage. `storage`, `windows`, `held`, `value`: what goes in and comes out.
//! - `branches`: what each part of an expression gives, for `explain`.
//! - `together`: many expressions tick by tick, each equal part of them once.
//!
//! Sums, means, deviations and trends over windows of 128 samples and more are folded in blocks that are aligned to
//! absolute time (`functions::stretch`), so that their cost per sample does not grow with the window; from Prometheus's
//! they differ by some units in the last place, as a sum does that is taken in another order.
//!
//! Three results differ from Prometheus's on purpose: the date of NaN is NaN (there, it depends on the processor);
//! `timestamp(x offset d @ t)` heeds the offset; a range below one millisecond is refused instead of empty.
//!
//! [`instant`] and [`range`] keep nothing between two evaluations; [`Together`] does, and gives the same bits.

mod aggregate;
mod ast;
mod branches;
mod check;
mod cut;
mod eval;
mod functions;
mod held;
mod lexer;
mod matcher;
mod number;
mod operator;
mod parser;
mod storage;
#[cfg(test)]
mod tests;
mod text;
mod together;
mod value;
mod windows;

use std::fmt;
use std::ops::Range;

use crate::time::Ms;

pub use aggregate::Aggregator;
pub use ast::{
    Aggregate, Binary, Call, Expr, Grouping, Kind, LOOK_BACK, Leaf, Many, Matching, Node, Pin, SUBQUERY_STEP, Selector,
    Shift, Sign, Subquery, What,
};
pub use branches::{Branch, Given, branches};
pub use cut::{Cut, constant, cut};
pub use eval::subquery::STEPS_MAX;
pub use functions::Function;
pub use lexer::UNQUOTED;
pub use matcher::{Compare, Matcher};
pub use operator::Operator;
pub use storage::{Memory, NAME, Part, STALE_BITS, Set, Slice, Sought, Stamp, Storage, is_stale, stale};
pub use together::{Kept, Together};
pub use value::{Answer, Level, Note, Sample, Series, Trouble, Value};
pub use windows::Windows;

/// Why a text is not an expression that is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the text.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do next; empty where the message says it.
    pub help: String,
    /// Names what is outside of the language that is answered (`native histogram`, `function info`); `None` = a mistake.
    pub construct: Option<&'static str>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (bytes {}..{})", self.message, self.at.start, self.at.end)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, ": {}", self.help) }
    }
}

impl std::error::Error for Problem {}

/// A length of time as the language writes it: a duration (`1h30m`) or a number of seconds, a sign before it or not.
pub fn length(text: &str) -> Option<Ms> {
    let (minus, plain) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let length = text::duration(plain).or_else(|| text::number(plain).and_then(text::milliseconds))?;
    Some(if minus { -length } else { length })
}

/// Reads one expression. Errors: the first mistake, or what is outside of the language that is answered.
pub fn parse(text: &str) -> Result<Expr, Problem> {
    parser::parse(text)
}

/// The value of `expr` at one time. Errors: data that does not fit together, or what is not answered.
pub fn instant(expr: &Expr, storage: &dyn Storage, at: Ms) -> Result<Value, Trouble> {
    Query::default().instant(expr, storage, at).map(|answer| answer.value)
}

/// The values of `expr` at `from`, `from + step`, … up to and including `to`, as a [`Value::Matrix`] sorted by labels.
/// Errors: as [`instant`], at any of the times; a step below 1 ms; a range vector or a string.
pub fn range(expr: &Expr, storage: &dyn Storage, from: Ms, to: Ms, step: Ms) -> Result<Value, Trouble> {
    Query::default().range(expr, storage, (from, to, step)).map(|answer| answer.value)
}

/// How to evaluate, where the default is not meant, and remarks are wanted beside the value.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query {
    /// Metric names fall at the end of the evaluation (Prometheus's `promql-delayed-name-removal`, which its test
    /// scripts assume) instead of at each function.
    pub names_late: bool,
}

impl Query {
    /// As [`instant`], with remarks.
    pub fn instant(self, expr: &Expr, storage: &dyn Storage, at: Ms) -> Result<Answer, Trouble> {
        eval::instant(expr, storage, at, self.names_late)
    }

    /// As [`range`], over (from, to, step), with remarks.
    pub fn range(self, expr: &Expr, storage: &dyn Storage, span: (Ms, Ms, Ms)) -> Result<Answer, Trouble> {
        eval::range(expr, storage, span, self.names_late)
    }
}
