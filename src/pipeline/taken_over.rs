//! What a configuration of Alertmanager would have done with an alert: `bongsu route --alertmanager`.
//!
//! The idea: its tree says which receivers are told and how alerts are grouped; its time intervals and its inhibition are
//! asked of the same code that Bongsu's own calendar and `inhibit:` use. So the answer shows both what the old file did
//! and that the new one, written with the same times and rules, will do it too. No state: silences and groups that exist
//! already are not known.

use crate::incident::mute::inhibited;
use crate::model::{AlertRoute, Alertmanager, Labels, holds_any};
use crate::time::Ms;

/// Why a receiver is not told now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quiet {
    /// In this interval of `mute_time_intervals`.
    Muted(String),
    /// In none of `active_time_intervals`.
    Inactive(Vec<String>),
}

/// A route that takes the alert.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenOver<'c> {
    /// The route.
    pub route: &'c AlertRoute,
    /// What tells the alert's group from others of this route.
    pub group: Labels,
    /// Why nobody is told by it now; `None`: somebody is.
    pub quiet: Option<Quiet>,
}

/// What mutes the alert whatever its route.
#[derive(Debug, Clone, PartialEq)]
pub struct Inhibited {
    /// The line of the rule.
    pub line: usize,
    /// The firing alert that explains it.
    pub by: Labels,
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub struct OldRoute<'c> {
    /// Routes in the order in which they are asked.
    pub taken: Vec<TakenOver<'c>>,
    /// What mutes it; `None`: nothing.
    pub inhibited: Option<Inhibited>,
}

impl OldRoute<'_> {
    /// Receivers that would be told now.
    pub fn told(&self) -> Vec<&str> {
        let loud = self.taken.iter().filter(|taken| self.inhibited.is_none() && taken.quiet.is_none());
        loud.map(|taken| taken.route.receiver.as_str()).collect()
    }

    /// Whether anybody would be told now.
    pub fn tells(&self) -> bool {
        !self.told().is_empty()
    }
}

/// Asks `config` about an alert with `labels` at `at`, while `firing` fire.
pub fn old_route<'c>(config: &'c Alertmanager, labels: &Labels, firing: &[Labels], at: Ms) -> OldRoute<'c> {
    // Alertmanager knows no days off.
    let holds = |name: &&String| {
        config.intervals.get(*name).is_some_and(|intervals| holds_any(intervals, at, &|_, _, _| false))
    };
    let quiet = |route: &AlertRoute| {
        if !route.active.is_empty() && !route.active.iter().any(|name| holds(&name)) {
            return Some(Quiet::Inactive(route.active.clone()));
        }
        route.mute.iter().find(holds).cloned().map(Quiet::Muted)
    };
    let taken = config.root.takes(labels).into_iter();
    let taken = taken.map(|route| TakenOver { route, group: route.group(labels), quiet: quiet(route) }).collect();
    let inhibited = inhibited(&config.inhibit, labels, firing).and_then(|(rule, source)| {
        Some(Inhibited { line: *config.inhibit_lines.get(rule)?, by: firing.get(source)?.clone() })
    });
    OldRoute { taken, inhibited }
}
