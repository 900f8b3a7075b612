//! promtool's unit-test files as values: series, and what rules and expressions must make of them.
//!
//! The idea: series are expanded and expected labels read here, with every mistake at its place, so that the runner
//! only evaluates. Native histograms are no mistake: a test group with one is kept and says so ([`UnitGroup::refused`]).
//! Not here: reading the rule files that a test names, and running anything.

mod notation;
mod read;
mod table;

pub(super) use read::unit_file;

use std::path::PathBuf;

use super::problem::Problem;
use crate::model::Labels;
use crate::time::Ms;

/// One file of tests.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitFile {
    /// As it was named.
    pub file: String,
    /// The rule files it names, patterns resolved, in its order.
    pub rule_files: Vec<PathBuf>,
    /// Distance of evaluations, ms.
    pub interval: Ms,
    /// Groups that are evaluated in this order.
    pub order: Vec<String>,
    /// Values may differ in their last bit.
    pub fuzzy: bool,
    /// The test groups.
    pub groups: Vec<UnitGroup>,
    /// Mistakes in the file that forbid every test of it.
    pub broken: Vec<Problem>,
}

/// Tests over the same series.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitGroup {
    /// Its name, empty where it has none.
    pub name: String,
    /// The line it begins on.
    pub line: usize,
    /// Distance of the samples, ms.
    pub interval: Ms,
    /// What comes in.
    pub series: Vec<UnitSeries>,
    /// Tests of alerts.
    pub alerts: Vec<AlertTest>,
    /// Tests of expressions.
    pub exprs: Vec<ExprTest>,
    /// `$externalLabels`.
    pub external_labels: Labels,
    /// `$externalURL`.
    pub external_url: String,
    /// When it begins.
    pub start: Ms,
    /// What is outside of what can be answered, and the line that asks for it.
    pub refused: Option<(&'static str, usize)>,
    /// Mistakes that forbid its tests.
    pub broken: Vec<Problem>,
}

/// A series that comes in.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitSeries {
    /// Its labels, the name among them.
    pub labels: Labels,
    /// Its samples from the beginning on; `None` = missing, the stale marker is the end of the series.
    pub values: Vec<Option<f64>>,
}

/// Which alerts of one name fire.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertTest {
    /// When, ms from the beginning.
    pub at: Ms,
    /// Their name.
    pub alert: String,
    /// Labels (alertname left out) and annotations of each.
    pub expected: Vec<(Labels, Labels)>,
    /// Whether annotations are left out of the comparison.
    pub only_labels: bool,
    /// The line it begins on.
    pub line: usize,
    /// The column it begins at.
    pub col: usize,
}

/// What an expression gives.
#[derive(Debug, Clone, PartialEq)]
pub struct ExprTest {
    /// When, ms from the beginning.
    pub at: Ms,
    /// The expression, parsed or not.
    pub expr: String,
    /// Labels and value of each series.
    pub expected: Vec<(Labels, f64)>,
    /// The line of the expression.
    pub line: usize,
    /// Its column.
    pub col: usize,
}
