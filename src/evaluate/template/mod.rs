//! Templates of labels and annotations: the part of Go's `text/template`, with Prometheus's functions, that rule files use.
//!
//! The idea: a text is parsed once into a tree in which every part knows its byte range, so `check` can point into it;
//! rendering is pure: labels, value and a way to ask a query come in, text or a [`Problem`] comes out. Numbers print as
//! Go prints a `float64`, because people compare these texts with what Prometheus sent them.
//! Not here: `define`, `template` and `block` (nothing to include from), HTML, and what a message does with the text.

mod call;
mod human;
mod lex;
mod parse;
mod print;
mod printf;
mod run;
#[cfg(test)]
mod tests;
mod value;

use std::ops::Range;

use crate::model::Labels;

pub use print::number;

/// What is wrong with a template, or went wrong while it was rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the template's text.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub help: String,
}

impl Problem {
    pub(in crate::evaluate::template) fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: String::new() }
    }

    pub(in crate::evaluate::template) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

/// One element of a query's answer.
pub type Element = (Labels, f64);

/// What a template sees.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// `$labels`: the labels of the alert's expression, the metric's name left out by the caller or not.
    pub labels: &'a Labels,
    /// `$value`.
    pub value: f64,
    /// `$externalLabels`.
    pub external_labels: &'a Labels,
    /// `$externalURL`.
    pub external_url: &'a str,
    /// Answers `query "…"` at the evaluation's time; `Err` says why it cannot.
    pub query: &'a dyn Fn(&str) -> Result<Vec<Element>, String>,
}

impl std::fmt::Debug for Scene<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").field("labels", self.labels).field("value", &self.value).finish_non_exhaustive()
    }
}

/// A variable in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use<'t> {
    /// `$labels`, `$value`, …; `.` for the dot, whatever that is there.
    pub variable: &'t str,
    /// `instance` of `$labels.instance`.
    pub field: Option<&'t str>,
    /// Its bytes.
    pub at: Range<usize>,
}

/// A parsed template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    nodes: Vec<parse::Node>,
}

impl Template {
    /// Parses `text`.
    ///
    /// # Errors
    /// The first mistake: syntax, a function or variable that is not there, or a part of Go's templates that is not
    /// taken here.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        Ok(Self { nodes: parse::parse(text)? })
    }

    /// Whether it holds text alone.
    pub fn is_plain(&self) -> bool {
        self.nodes.iter().all(|node| matches!(node, parse::Node::Text(_)))
    }

    /// The variables that it reads, in their order.
    pub fn uses(&self) -> Vec<Use<'_>> {
        let mut found = Vec::new();
        parse::heads(&self.nodes, &mut |arg| {
            let variable = match &arg.head {
                parse::Head::Var(name) => name.as_str(),
                parse::Head::Dot => ".",
                _ => return,
            };
            found.push(Use { variable, field: arg.fields.first().map(String::as_str), at: arg.at.clone() });
        });
        found
    }

    /// Renders it.
    ///
    /// # Errors
    /// What could not be done, at the part that asked for it: a value of the wrong type, a query that fails, `first`
    /// of nothing.
    pub fn render(&self, scene: &Scene<'_>) -> Result<String, Problem> {
        run::render(&self.nodes, scene)
    }
}
