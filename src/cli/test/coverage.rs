//! What no test ever showed: rules, severities, recoveries, silences.
//!
//! The idea: a rule counts as shown by what really happened in the runs, not by what a scenario expects. Of a native rule
//! each severity, the recovery and the silence are points of their own; of a Prometheus rule that it fired or recorded
//! something. Percentages are of points.

use std::collections::{BTreeMap, BTreeSet};

use super::find::Found;
use crate::model::{Severity, State};
use crate::pipeline::scenario::{Seen, Thing};

/// What the runs showed.
#[derive(Debug, Default)]
pub(super) struct Shown {
    fired: BTreeSet<(String, Severity)>,
    recovered: BTreeSet<String>,
    unknown: BTreeSet<String>,
    rules: BTreeSet<(String, usize)>,
}

/// One rule with what is missing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// The rule.
    pub rule: String,
    /// The file, of a Prometheus rule; else empty.
    pub file: String,
    /// What no test showed: `S1`, `recover`, `no_data`, `fires`, `records`.
    pub missing: Vec<&'static str>,
}

/// How much was shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Coverage {
    /// Rules that miss something.
    pub gaps: Vec<Gap>,
    /// Rules, and those of which something was shown.
    pub rules: (usize, usize),
    /// Points, and those that were shown, by kind: severities, recoveries, silences, Prometheus rules.
    pub points: BTreeMap<&'static str, (usize, usize)>,
}

impl Shown {
    /// Takes what a scenario made happen.
    pub(super) fn scenario(&mut self, happened: &[Seen]) {
        for seen in happened {
            let Thing::Signal(signal) = &seen.thing else { continue };
            let rule = signal.rule.to_string();
            if let (true, Some(severity)) = (signal.to.is_active(), signal.severity) {
                self.fired.insert((rule.clone(), severity));
            }
            if signal.to == State::Resolved && signal.ended.is_none() {
                self.recovered.insert(rule.clone());
            }
            if signal.unknown.is_some() {
                self.unknown.insert(rule);
            }
        }
    }

    /// Takes the Prometheus rules that a test group showed.
    pub(super) fn unit(&mut self, showed: BTreeSet<(String, usize)>) {
        self.rules.extend(showed);
    }

    /// Compares it with the rules that there are.
    pub(super) fn measure(&self, found: &Found) -> Coverage {
        let mut coverage = Coverage { gaps: Vec::new(), rules: (0, 0), points: BTreeMap::new() };
        let mut seen = BTreeSet::new();
        for rule in found.sets.iter().flat_map(|set| &set.rules.rules) {
            let id = rule.id.to_string();
            if !seen.insert(id.clone()) {
                continue;
            }
            let fired = |severity| self.fired.contains(&(id.clone(), severity));
            let levels = rule.levels.iter().map(|level| (level.severity.code(), "severities", fired(level.severity)));
            let rest = [
                ("recover", "recoveries", self.recovered.contains(&id)),
                ("no_data", "silences", self.unknown.contains(&id)),
            ];
            coverage.rule(id.clone(), String::new(), levels.chain(rest));
        }
        let sets = found.sets.iter().chain(found.units.iter().map(|unit| &unit.rules));
        let mut files = BTreeSet::new();
        for file in sets.flat_map(|set| &set.rule_files).filter(|file| files.insert(file.file.clone())) {
            for rule in file.groups.iter().flat_map(|group| &group.rules) {
                let showed = self.rules.contains(&(file.file.clone(), rule.line));
                let word = match rule.kind {
                    crate::model::GroupRuleKind::Alert { .. } => "fires",
                    crate::model::GroupRuleKind::Record => "records",
                };
                coverage.rule(rule.name.clone(), file.file.clone(), [(word, "Prometheus rules", showed)].into_iter());
            }
        }
        coverage
    }
}

impl Coverage {
    fn rule(&mut self, rule: String, file: String, points: impl Iterator<Item = (&'static str, &'static str, bool)>) {
        let mut missing = Vec::new();
        let mut any = false;
        for (word, kind, shown) in points {
            let count = self.points.entry(kind).or_default();
            count.0 += 1;
            count.1 += usize::from(shown);
            any |= shown;
            if !shown {
                missing.push(word);
            }
        }
        self.rules.0 += 1;
        self.rules.1 += usize::from(any);
        if !missing.is_empty() {
            self.gaps.push(Gap { rule, file, missing });
        }
    }
}

/// `part` of `whole` in percent, rounded down: 100 % is only said when nothing is missing.
pub(super) fn percent(whole: usize, part: usize) -> usize {
    (part * 100).checked_div(whole).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_covered_point_by_point() {
        let mut coverage = Coverage { gaps: Vec::new(), rules: (0, 0), points: BTreeMap::new() };
        let points = [("S1", "severities", true), ("S2", "severities", false), ("recover", "recoveries", true)];
        coverage.rule("a".to_owned(), String::new(), points.into_iter());
        coverage.rule("b".to_owned(), "r.yml".to_owned(), [("fires", "Prometheus rules", false)].into_iter());
        assert_eq!((coverage.rules, coverage.points["severities"]), ((2, 1), (2, 1)));
        let missing: Vec<_> = coverage.gaps.iter().map(|gap| (gap.rule.as_str(), gap.missing.clone())).collect();
        assert_eq!(missing, [("a", vec!["S2"]), ("b", vec!["fires"])]);
        assert_eq!((percent(3, 2), percent(0, 0), percent(201, 200)), (66, 100, 99));
    }
}
