//! Groups of PromQL expressions: what is recorded, and what raises alarms, one after the other at the same ticks.
//!
//! The idea: an alarm is a rule like any other ([`crate::model::Watch::Expr`]); the group says when its expression is
//! evaluated and after which recordings. Expressions are texts here; `evaluate` reads them.

use std::sync::Arc;

use crate::model::{Labels, Rule, Watch};
use crate::time::Ms;

/// Expressions that are evaluated one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct ExprGroup {
    /// Its name, for people.
    pub name: String,
    /// Distance of ticks, ms.
    pub interval: Ms,
    /// Expressions see the world as it was so long before the tick, ms.
    pub behind: Ms,
    /// Series that one expression may give at most; 0 = any number.
    pub limit: usize,
    /// In the order of the file: a later one sees what an earlier one recorded at the same tick.
    pub steps: Vec<ExprStep>,
}

impl ExprGroup {
    /// Whether the rule with this id is one of its alerts.
    pub fn raises(&self, id: &str) -> bool {
        self.steps.iter().any(|step| matches!(step, ExprStep::Alert { rule, .. } if **rule == *id))
    }

    /// The group of a rule that stands alone; `None` where it is no expression.
    pub fn alone(rule: &Rule) -> Option<Self> {
        let steps = vec![ExprStep::Alert { rule: Arc::clone(&rule.id), labels: Labels::default() }];
        let group = Self { name: rule.id.to_string(), interval: rule.interval, behind: 0, limit: 0, steps };
        matches!(rule.watch, Watch::Expr { .. }).then_some(group)
    }
}

/// One expression of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprStep {
    /// Its result becomes samples of a series.
    Record {
        /// The metric's name.
        name: String,
        /// Labels that every sample gets.
        labels: Labels,
        /// PromQL.
        expr: String,
    },
    /// Every series of its result is an instance of a rule that fires.
    Alert {
        /// The rule's id; the expression stands there.
        rule: Arc<str>,
        /// Labels that every instance gets: templates of `evaluate`.
        labels: Labels,
    },
}
