//! Functions: the table.

use crate::evaluate::promql::ast::Kind;

/// One function.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The kinds of its arguments.
    pub takes: &'static [Kind],
    /// How many of them must be there; the others may be left out.
    pub least: usize,
    /// The last may be given any number of times.
    pub repeats: bool,
    /// What it gives.
    pub gives: Kind,
}

impl Function {
    /// How it is called.
    pub fn usage(&self) -> String {
        format!("{}(…)", self.name)
    }
}

const TABLE: &[Function] = &[];

/// The function of this name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    TABLE.iter().find(|row| row.name == name)
}

/// The names of all functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|row| row.name)
}

/// What a function that Prometheus knows and this engine does not is called in refusals.
pub(super) fn refused(_name: &str) -> Option<&'static str> {
    None
}
