//! Aggregations: the table.

use crate::evaluate::promql::ast::Kind;

/// One aggregation.
#[derive(Debug)]
pub struct Aggregator {
    /// Its name.
    pub name: &'static str,
    /// The kind of its parameter, where it takes one.
    pub param: Option<Kind>,
}

impl Aggregator {
    /// How it is called.
    pub fn usage(&self) -> String {
        format!("{}(…)", self.name)
    }
}

pub(super) const TABLE: &[Aggregator] = &[];
pub(super) const REFUSED: &[(&str, &str)] = &[];
