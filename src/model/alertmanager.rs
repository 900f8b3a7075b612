//! A configuration of Alertmanager as values: its tree of routes, its time intervals, its rules of inhibition.
//!
//! The idea: a site that moves over asks what its old file would have done. The tree answers as Alertmanager does: depth
//! first, a route that matches hands the alert to its children, the first child that takes it ends the search unless it
//! says `continue`, and where no child takes it the route itself does. What is inherited is filled in when it is read.
//! What such a receiver would have sent, and when, is not known here: Bongsu's own chains do that.

use std::collections::BTreeMap;

use crate::model::{Checks, InhibitRule, Labels, Matcher, TimeInterval};
use crate::time::Ms;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alertmanager {
    /// The root of its routes.
    pub root: AlertRoute,
    /// Time intervals by name.
    pub intervals: BTreeMap<String, Vec<TimeInterval>>,
    /// Rules of inhibition in file order.
    pub inhibit: Vec<InhibitRule>,
    /// The line of each.
    pub inhibit_lines: Vec<usize>,
}

/// A route; what it did not say itself is its parent's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRoute {
    /// Whom it tells.
    pub receiver: String,
    /// Labels that alerts are grouped by.
    pub group_by: Vec<String>,
    /// Grouped by all labels, whatever `group_by` says.
    pub group_by_all: bool,
    /// Wait before the first notification of a group, ms.
    pub group_wait: Ms,
    /// Between notifications of a group, ms.
    pub group_interval: Ms,
    /// Before the same is told again, ms.
    pub repeat_interval: Ms,
    /// What an alert must fit; its own, not inherited.
    pub matchers: Vec<Matcher>,
    /// Whether its siblings are asked too after it took an alert.
    pub continues: bool,
    /// Names of intervals in which it tells nobody; not inherited.
    pub mute: Vec<String>,
    /// Names of intervals outside of which it tells nobody; none: always active; not inherited.
    pub active: Vec<String>,
    /// Its line in the file.
    pub line: usize,
    /// Matchers from the root to here.
    pub path: String,
    /// Its children.
    pub routes: Vec<AlertRoute>,
}

impl AlertRoute {
    /// Routes that take an alert with these labels, in the order in which they are asked; none where it does not fit.
    pub fn takes(&self, labels: &Labels) -> Vec<&Self> {
        if !Checks::of(&self.matchers).fit(labels) {
            return Vec::new();
        }
        let mut taken = Vec::new();
        for child in &self.routes {
            let more = child.takes(labels);
            let ends = !more.is_empty() && !child.continues;
            taken.extend(more);
            if ends {
                break;
            }
        }
        if taken.is_empty() { vec![self] } else { taken }
    }

    /// The labels that tell its groups apart, of an alert with `labels`.
    pub fn group(&self, labels: &Labels) -> Labels {
        let counts = |name: &str| self.group_by_all || self.group_by.iter().any(|other| other == name);
        Labels::new(labels.iter().filter(|(name, _)| counts(name)))
    }

    /// It and everything below it, depth first.
    pub fn walk(&self) -> Vec<&Self> {
        let mut all = vec![self];
        all.extend(self.routes.iter().flat_map(Self::walk));
        all
    }
}
