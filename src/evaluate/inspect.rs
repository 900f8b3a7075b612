//! Why an instance is as it is: what `explain` and the charts of `replay` read off a partition and off the wide rules.
//!
//! The idea: everything that the verdict of one tick hangs on is at hand anyway; here it is written down as one plain
//! value, [`Inspection`], by the same look that the verdict was made with. Where no instance is found, [`Near`] says
//! which series come closest and what keeps them out. Reading only: nothing here changes a result or a deadline.

use std::sync::Arc;

use regex::Regex;

use crate::evaluate::instance::Instance;
use crate::evaluate::leaf::Seen;
use crate::evaluate::partition::Partition;
use crate::evaluate::passed;
use crate::evaluate::plan::Compiled;
use crate::evaluate::status::SourceStatus;
use crate::evaluate::wide::Wide;
use crate::evaluate::window::{of_panes, value};
use crate::model::{Cause, Fingerprint, Labels, Matcher, Rule, SeriesKey, Severity, State, Test, Watch};
use crate::time::Ms;

/// Series of one instance that are listed; the others are counted.
pub const SERIES_LISTED: usize = 20;
/// Series that do not fit and are listed all the same.
const NEAR_LISTED: usize = 10;

/// One rule instance at one tick.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Its identity.
    pub labels: Labels,
    /// The tick.
    pub at: Ms,
    /// State.
    pub state: State,
    /// Severity while active.
    pub severity: Option<Severity>,
    /// Per severity: since when its condition holds.
    pub since: [Option<Ms>; 4],
    /// First tick of the pending.
    pub occurred: Option<Ms>,
    /// Since when the recover condition holds.
    pub recovering: Option<Ms>,
    /// Why nothing is known.
    pub unknown: Option<Cause>,
    /// Since when.
    pub unknown_since: Option<Ms>,
    /// What the windows hold together; `None` where they hold too little.
    pub value: Option<f64>,
    /// Effective time of the newest sample.
    pub newest: Option<Ms>,
    /// One of its sources speaks.
    pub speaking: bool,
    /// Records of one of its sources are being rejected.
    pub rejecting: bool,
    /// Its window reaches behind the log's beginning until then.
    pub warm: Option<Ms>,
    /// Its source, where it has one.
    pub source: Option<SourceStatus>,
    /// The first [`SERIES_LISTED`] series behind it, in the order in which they are folded.
    pub series: Vec<SeriesSeen>,
    /// How many series there are.
    pub series_count: usize,
}

/// One series of an instance at a tick.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesSeen {
    /// The series.
    pub key: SeriesKey,
    /// Its window's value.
    pub value: Option<f64>,
    /// Samples in the window.
    pub samples: usize,
    /// Effective time of its newest sample.
    pub newest: Option<Ms>,
    /// The newest sample's number; not known of a wide rule's series.
    pub last: Option<f64>,
}

/// A series that a rule might have been meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// The series.
    pub key: SeriesKey,
    /// The conditions of the rule that it does not fit, as they are written; empty where only its identity is another.
    pub misfits: Vec<String>,
}

impl Partition {
    /// The instance with this fingerprint at tick `at`, which must not be after [`Partition::last_tick`] of its rule.
    pub fn inspect(&self, of: Fingerprint, at: Ms) -> Option<Inspection> {
        let id = self.board.find(of)?;
        let it = self.board.get(id)?;
        let compiled = self.plan.rules.get(it.rule)?;
        if !compiled.local {
            return None;
        }
        let (seen, _) = self.look(id, it.rule, at);
        let member = self.members.get(id as usize);
        let ids = member.map_or(&[][..], |member| &member.series);
        let newest = ids.iter().filter_map(|(_, id)| self.intake.series.hot(*id)).map(|hot| hot.newest.time);
        let newest = newest.filter(|time| *time > Ms::MIN).max().or(it.newest);
        let source = member.and_then(|member| member.source).and_then(|source| self.sources.get(source));
        let series = ids.iter().take(SERIES_LISTED).filter_map(|own| self.series_seen(*own, (id, compiled), at));
        Some(Inspection {
            newest,
            source: source.map(|source| SourceStatus {
                host: Arc::clone(&source.host),
                last: source.last,
                skew: source.skew,
            }),
            series: series.collect(),
            series_count: ids.len(),
            ..of_instance(it, compiled, at, &seen)
        })
    }

    /// The last tick of `interval` that has run; `None` before the first record.
    pub fn last_tick(&self, interval: Ms) -> Option<Ms> {
        (self.clock > 0).then(|| passed(self.clock, interval))
    }

    /// The instances of a local rule whose identity has all of `want`, by identity, at their last tick.
    pub fn inspect_rule(&self, rule: &str, want: &[(String, String)]) -> Vec<Inspection> {
        let ids = self.board.ids();
        let fitting = ids.iter().filter_map(|id| self.board.get(*id)).filter(|it| {
            self.plan.rules.get(it.rule).is_some_and(|compiled| compiled.local && *compiled.rule.id == *rule)
                && has_all(&it.labels, want)
        });
        let mut found: Vec<Inspection> = fitting
            .filter_map(|it| {
                let interval = self.plan.rules.get(it.rule)?.rule.interval;
                self.inspect(it.fingerprint, self.last_tick(interval)?)
            })
            .collect();
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        found
    }

    /// Series of the metric that `rule` watches which are not behind an identity with all of `want`, the closest first.
    pub fn near(&self, rule: &Rule, want: &[(String, String)]) -> Vec<Near> {
        let Watch::Metric { name, matchers } = &rule.watch else { return Vec::new() };
        let mut found: Vec<(usize, Near)> = Vec::new();
        for (_, series) in self.intake.series.iter().filter(|(_, series)| *series.key.name == **name) {
            let joined = self.setup.inventory.join(&series.key.labels);
            let misfits: Vec<String> = matchers.iter().filter(|m| !fits(m, &joined)).map(written).collect();
            let missed = want.iter().filter(|(name, value)| joined.get(name) != Some(value)).count();
            if misfits.is_empty() && missed == 0 {
                continue;
            }
            found.push((misfits.len() + 2 * missed, Near { key: series.key.clone(), misfits }));
        }
        found.sort_by(|a, b| (a.0, &a.1.key).cmp(&(b.0, &b.1.key)));
        found.truncate(NEAR_LISTED);
        found.into_iter().map(|(_, near)| near).collect()
    }

    /// One series as a part of the instance at place `to` sees it.
    fn series_seen(&self, (n, id): (u8, u32), (to, compiled): (u32, &Compiled), at: Ms) -> Option<SeriesSeen> {
        let (hot, series) = (self.intake.series.hot(id)?, self.intake.series.get(id)?);
        let part = compiled.parts.get(usize::from(n))?;
        let span = part.span(at, compiled.rule.interval);
        let found = match series.link(to, n).and_then(|link| link.panes.as_ref()) {
            Some(panes) => of_panes(part.function, panes, span, part.lines),
            None => value(part.function, hot.ring.view(span), span, part.lines),
        };
        let heard = hot.newest.time > Ms::MIN;
        Some(SeriesSeen {
            key: series.key.clone(),
            value: found.value,
            samples: found.samples,
            newest: heard.then_some(hot.newest.time),
            last: (heard && !part.lines).then_some(hot.newest.value),
        })
    }
}

impl Wide {
    /// The instances of a wide rule whose identity has all of `want`, by identity, at the last tick that was merged.
    pub fn inspect_rule(&self, rule: &str, want: &[(String, String)]) -> Vec<Inspection> {
        let (plan, board, members, clock) = self.parts();
        let mut found = Vec::new();
        for id in board.ids() {
            let Some(it) = board.get(id).filter(|it| has_all(&it.labels, want)) else { continue };
            let Some(compiled) = plan.rules.get(it.rule).filter(|compiled| *compiled.rule.id == *rule) else {
                continue;
            };
            let none = std::collections::BTreeMap::new();
            let leaves = members.get(&id).unwrap_or(&none);
            let at = passed(clock, compiled.rule.interval);
            let seen = Seen::of(compiled, it.terms, leaves.iter().map(|((n, _), leaf)| (*n, *leaf)));
            let series = leaves.iter().take(SERIES_LISTED).map(|((_, key), leaf)| SeriesSeen {
                key: key.clone(),
                value: leaf.value,
                samples: leaf.samples,
                newest: leaf.newest,
                last: None,
            });
            found.push(Inspection {
                newest: leaves.values().filter_map(|leaf| leaf.newest).max().or(it.newest),
                series: series.collect(),
                series_count: leaves.len(),
                ..of_instance(it, compiled, at, &seen)
            });
        }
        found.extend(self.inspect_expr(rule, want));
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        found
    }

    /// The same of a rule that is an expression: an instance is there only while it is not good.
    fn inspect_expr(&self, rule: &str, want: &[(String, String)]) -> Vec<Inspection> {
        let (plan, _, _, clock) = self.parts();
        let mut found = Vec::new();
        for (it, value) in self.expressions().filter(|(it, _)| has_all(&it.labels, want)) {
            let Some(compiled) = plan.rules.get(it.rule).filter(|compiled| *compiled.rule.id == *rule) else {
                continue;
            };
            let seen = Seen { value, speaking: true, ..Seen::default() };
            found.push(of_instance(it, compiled, passed(clock, compiled.rule.interval), &seen));
        }
        found
    }
}

fn of_instance(it: &Instance, compiled: &Compiled, at: Ms, seen: &Seen) -> Inspection {
    let verdict = &it.verdict;
    Inspection {
        rule: Arc::clone(&compiled.rule),
        labels: it.labels.clone(),
        at,
        state: verdict.state,
        severity: verdict.severity,
        since: verdict.since,
        occurred: verdict.occurred,
        recovering: verdict.recovering,
        unknown: verdict.unknown,
        unknown_since: verdict.unknown_since,
        value: seen.value,
        newest: it.newest,
        speaking: seen.speaking,
        rejecting: seen.rejecting,
        warm: seen.warm,
        source: None,
        series: Vec::new(),
        series_count: 0,
    }
}

fn has_all(labels: &Labels, want: &[(String, String)]) -> bool {
    want.iter().all(|(name, value)| labels.get(name) == Some(value))
}

/// Whether labels fit one condition. Compiled at each call: people ask seldom.
fn fits(matcher: &Matcher, labels: &Labels) -> bool {
    let value = labels.get(&matcher.label).unwrap_or("");
    let pattern = || Regex::new(&format!("^(?s:{})$", matcher.value)).is_ok_and(|pattern| pattern.is_match(value));
    match matcher.test {
        Test::Is => value == matcher.value,
        Test::IsNot => value != matcher.value,
        Test::Fits => pattern(),
        Test::FitsNot => !pattern(),
    }
}

/// A condition as rule files have it.
fn written(matcher: &Matcher) -> String {
    let sign = match matcher.test {
        Test::Is => "",
        Test::IsNot => "!=",
        Test::Fits => "=~",
        Test::FitsNot => "!~",
    };
    format!("{}: \"{sign}{}\"", matcher.label, matcher.value)
}
