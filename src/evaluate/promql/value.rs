//! What an evaluation gives: values, remarks about them, and what went wrong.
//!
//! The idea: a result is plain data, sorted where the language promises an order; a remark ([`Note`]) never changes a
//! result, and trouble says what, and at which bytes of the expression.

use std::fmt;
use std::ops::Range;

use crate::model::Labels;
use crate::time::Ms;

/// One series of an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels.
    pub labels: Labels,
    /// Its value at the time of the evaluation.
    pub value: f64,
}

/// One series of a matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its labels.
    pub labels: Labels,
    /// Time and value, by time.
    pub points: Vec<(Ms, f64)>,
}

/// The result of an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One number.
    Scalar(f64),
    /// One sample per series.
    Vector(Vec<Sample>),
    /// Several samples per series: a range query, or a range selector by itself.
    Matrix(Vec<Series>),
    /// A text.
    String(String),
}

/// How much a [`Note`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Probably not what was meant.
    Info,
    /// Wrong data or a wrong parameter.
    Warning,
}

/// A remark about a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How much it matters.
    pub level: Level,
    /// Bytes of the expression.
    pub at: Range<usize>,
    /// What was seen.
    pub message: String,
}

/// A result and the remarks about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The result.
    pub value: Value,
    /// Each remark once, in the order of their first appearance.
    pub notes: Vec<Note>,
}

/// Why an expression that parses has no result here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Bytes of the expression.
    pub at: Range<usize>,
    /// What is wrong, in Prometheus's words where it has some.
    pub message: String,
    /// The series that show it, or what to do; may be empty.
    pub detail: String,
    /// Names what is outside of the language that is answered; `None` = the data or the expression is wrong.
    pub construct: Option<&'static str>,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        write!(f, " (bytes {}..{})", self.at.start, self.at.end)
    }
}

impl std::error::Error for Trouble {}
