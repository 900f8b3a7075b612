//! Prometheus rule files as values: groups of alerting and recording rules.
//!
//! The idea: expressions and templates stay text here, because what they mean belongs to `evaluate`; whoever made these
//! values has parsed both, so that whoever runs them meets no mistake of form.
//! Not here: native rules ([`crate::model::Rule`]), which share nothing with these but the word.

use crate::model::Labels;
use crate::time::Ms;

/// One rule file.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleFile {
    /// As it was named.
    pub file: String,
    /// Its groups, in file order; names are unique in a file.
    pub groups: Vec<RuleGroup>,
}

/// Rules that are evaluated one after the other at the same times.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleGroup {
    /// Its name.
    pub name: String,
    /// Distance of evaluations, ms; `None` = whatever the reader's default is.
    pub interval: Option<Ms>,
    /// Most series or alerts that one rule may give; 0 = any number.
    pub limit: usize,
    /// Expressions see the world so long ago, ms.
    pub query_offset: Ms,
    /// The rules, in file order.
    pub rules: Vec<GroupRule>,
}

/// One rule of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupRule {
    /// The alert's or the recorded metric's name.
    pub name: String,
    /// The expression, one that parses.
    pub expr: String,
    /// Labels to add, those of the group among them. Of an alert they are templates that parse.
    pub labels: Labels,
    /// What becomes of the result.
    pub kind: GroupRuleKind,
    /// Line in the file, from 1.
    pub line: usize,
}

/// What becomes of an expression's result.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupRuleKind {
    /// Each series is an alert.
    Alert {
        /// `for`, ms.
        hold: Ms,
        /// `keep_firing_for`, ms.
        keep: Ms,
        /// Annotations: templates that parse.
        annotations: Labels,
    },
    /// Each series is written under the rule's name.
    Record,
}
