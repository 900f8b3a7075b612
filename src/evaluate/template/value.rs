//! The values that a template computes with.
//!
//! The idea: Go's kinds as far as templates meet them. Whole numbers and fractions stay apart, because Go compares and
//! prints them apart: `gt $value 5` is refused there, and so it is here.

use crate::model::Labels;

use super::Element;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Nothing: `nil`.
    Nil,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// A label set.
    Labels(Labels),
    /// One element of a query's answer.
    Sample(Labels, f64),
    /// A query's answer.
    Vector(Vec<Element>),
    /// What `.` is at the beginning: labels, value and the rest by name.
    Root,
}

impl Value {
    /// Whether `if` and `with` take it: everything but false, 0 and what is empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(yes) => *yes,
            Self::Int(n) => *n != 0,
            Self::Float(n) => *n != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Labels(labels) => !labels.is_empty(),
            Self::Vector(elements) => !elements.is_empty(),
            Self::Sample(..) | Self::Root => true,
        }
    }

    /// Its kind, for messages.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::Labels(_) => "labels",
            Self::Sample(..) => "an element of a query's answer",
            Self::Vector(_) => "a query's answer",
            Self::Root => "everything that the template sees",
        }
    }

    /// As a number, for the functions that take a text too.
    pub(super) fn to_float(&self) -> Result<f64, String> {
        match self {
            Self::Float(n) => Ok(*n),
            #[expect(clippy::cast_precision_loss, reason = "Go converts in the same way")]
            Self::Int(n) => Ok(*n as f64),
            Self::Text(text) => match text.strip_prefix(['+', '-']).unwrap_or(text) {
                plain if plain.starts_with(['+', '-']) => Err(format!("`{text}` is no number")),
                _ => text.replace('_', "").parse().map_err(|_| format!("`{text}` is no number")),
            },
            other => Err(format!("a number is needed, this is {}", other.kind())),
        }
    }

    /// As a text; a number is none.
    pub(super) fn to_text(&self) -> Result<&str, String> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(format!("a text is needed, this is {}", other.kind())),
        }
    }
}
