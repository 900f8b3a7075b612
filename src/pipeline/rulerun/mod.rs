//! Prometheus's rule groups over samples in memory: recorded series written back, alerts pending, firing and ended.
//!
//! The idea: as Prometheus 3 evaluates a group. Rules run one after the other at the same instant; each sees what those
//! before it wrote; a series that a rule no longer gives is ended by a stale marker; alerts are series too (`ALERTS`,
//! `ALERTS_FOR_STATE`). The caller says which instants there are, so tests, replays and a live clock are one code path.
//! Pure: no clock, no store, nothing is sent. What an alert does to people is the incident stage's business.

mod alert;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use alert::Alert;

use crate::evaluate::promql::{self, Expr, Memory, NAME, SUBQUERY_STEP, Sample, Value, What, stale};
use crate::evaluate::template;
use crate::model::{GroupRule, GroupRuleKind, Labels, RuleFile};
use crate::time::{Ms, show_duration};

/// What groups are evaluated with.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// `$externalLabels` of templates.
    pub external_labels: Labels,
    /// `$externalURL` of templates.
    pub external_url: String,
    /// Interval of groups that name none, and step of subqueries that name none, ms.
    pub interval: Ms,
}

/// Why a rule gave nothing at an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTrouble {
    /// The rule's file.
    pub file: String,
    /// Its line.
    pub line: usize,
    /// Its name.
    pub rule: String,
    /// Whether it is an alert.
    pub alerts: bool,
    /// What went wrong.
    pub message: String,
    /// Names what is not answered by this version; `None` = the data or the rule is wrong.
    pub construct: Option<&'static str>,
}

/// Groups of rules with what they remember.
#[derive(Debug)]
pub struct Manager {
    setting: Setting,
    groups: Vec<Group>,
    /// The newest sample of every series that was written.
    newest: Newest,
}

#[derive(Debug)]
struct Group {
    name: String,
    interval: Ms,
    query_offset: Ms,
    limit: usize,
    rules: Vec<Rule>,
}

/// A rule, compiled.
#[derive(Debug)]
struct Rule {
    file: String,
    rule: GroupRule,
    expr: Expr,
    /// What an alert needs beside its expression.
    alert: Option<alert::Plan>,
    /// Series of the last evaluation that went well.
    previous: BTreeSet<Labels>,
    /// Whether it ever recorded a series or fired.
    showed: bool,
}

impl Manager {
    /// Compiles `files`. Groups whose names stand in `order` are sorted by it; the rest keep their places as if first.
    ///
    /// # Errors
    /// Rules whose expression or templates do not parse: such a file was not checked.
    pub fn new(files: &[RuleFile], setting: Setting, order: &[String]) -> Result<Self, Vec<RuleTrouble>> {
        let (mut groups, mut wrong) = (Vec::new(), Vec::new());
        for file in files {
            for group in &file.groups {
                let mut rules = Vec::new();
                for rule in &group.rules {
                    match Rule::new(&file.file, rule, setting.interval) {
                        Ok(rule) => rules.push(rule),
                        Err(trouble) => wrong.push(trouble),
                    }
                }
                groups.push(Group {
                    name: group.name.clone(),
                    interval: group.interval.unwrap_or(setting.interval).max(1),
                    query_offset: group.query_offset,
                    limit: group.limit,
                    rules,
                });
            }
        }
        groups.sort_by_key(|group| order.iter().position(|name| *name == group.name).unwrap_or(0));
        if wrong.is_empty() { Ok(Self { setting, groups, newest: Newest::new() }) } else { Err(wrong) }
    }

    /// Evaluates every group at `at`, whatever its interval; what went wrong, rule by rule.
    pub fn evaluate(&mut self, memory: &mut Memory, at: Ms) -> Vec<RuleTrouble> {
        self.run(memory, at, |_| true)
    }

    /// Evaluates the groups that are due at `at`: whose interval, counted from the epoch, ends there.
    pub fn tick(&mut self, memory: &mut Memory, at: Ms) -> Vec<RuleTrouble> {
        self.run(memory, at, |group| at.rem_euclid(group.interval) == 0)
    }

    fn run(&mut self, memory: &mut Memory, at: Ms, due: impl Fn(&Group) -> bool) -> Vec<RuleTrouble> {
        let mut troubles = Vec::new();
        for group in self.groups.iter_mut().filter(|group| due(group)) {
            for rule in &mut group.rules {
                let when = At { at, seen: at - group.query_offset, limit: group.limit };
                let samples = rule.evaluate(memory, &self.setting, when);
                let done = samples.and_then(|samples| rule.write(memory, &mut self.newest, samples, when.seen));
                troubles.extend(done.err().map(|(message, construct)| rule.trouble(message, construct)));
            }
        }
        troubles
    }

    /// Alerts that are pending or firing, each with its rule's name, in the order of groups and rules.
    pub fn alerts(&self) -> impl Iterator<Item = (&str, &Alert)> {
        let rules = self.groups.iter().flat_map(|group| &group.rules);
        rules.flat_map(|rule| {
            let alerts = rule.alert.iter().flat_map(alert::Plan::active);
            alerts.map(|alert| (rule.rule.name.as_str(), alert))
        })
    }

    /// Rules that recorded a series or fired so far: file and line.
    pub fn showed(&self) -> impl Iterator<Item = (&str, usize)> {
        let rules = self.groups.iter().flat_map(|group| &group.rules).filter(|rule| rule.showed);
        rules.map(|rule| (rule.file.as_str(), rule.rule.line))
    }
}

/// The instants of one evaluation.
#[derive(Debug, Clone, Copy)]
struct At {
    /// The evaluation's own.
    at: Ms,
    /// What expressions see, and when results are written.
    seen: Ms,
    /// Most results of a rule; 0 = any number.
    limit: usize,
}

/// Time and value of each series' newest sample.
type Newest = BTreeMap<Labels, (Ms, f64)>;

type Wrong = (String, Option<&'static str>);

impl Rule {
    fn new(file: &str, rule: &GroupRule, interval: Ms) -> Result<Self, RuleTrouble> {
        let trouble = |message: String, construct| RuleTrouble {
            file: file.to_owned(),
            line: rule.line,
            rule: rule.name.clone(),
            alerts: matches!(rule.kind, GroupRuleKind::Alert { .. }),
            message,
            construct,
        };
        let expr = expression(&rule.expr, interval).map_err(|wrong| trouble(wrong.message, wrong.construct))?;
        let alert = alert::Plan::new(rule).map_err(|wrong| trouble(wrong.message, None))?;
        Ok(Self { file: file.to_owned(), rule: rule.clone(), expr, alert, previous: BTreeSet::new(), showed: false })
    }

    fn trouble(&self, message: String, construct: Option<&'static str>) -> RuleTrouble {
        RuleTrouble {
            file: self.file.clone(),
            line: self.rule.line,
            rule: self.rule.name.clone(),
            alerts: self.alert.is_some(),
            message,
            construct,
        }
    }

    /// The series that the rule gives.
    fn evaluate(&mut self, memory: &Memory, setting: &Setting, when: At) -> Result<Vec<Sample>, Wrong> {
        let found = vector(&self.expr, memory, when.seen)?;
        let samples = match &mut self.alert {
            Some(plan) => plan.step(&self.rule, found, memory, setting, when)?,
            None => recorded(&self.rule, found, when.limit)?,
        };
        self.showed |= match &self.alert {
            Some(plan) => plan.active().any(Alert::firing),
            None => !samples.is_empty(),
        };
        Ok(samples)
    }

    /// Writes what it gave, and ends what it gave before and gives no longer. A series has one value at an instant and
    /// grows forwards: what does not fit is left out, and an error.
    fn write(&mut self, memory: &mut Memory, newest: &mut Newest, samples: Vec<Sample>, at: Ms) -> Result<(), Wrong> {
        let mut now = BTreeSet::new();
        let mut wrong = Ok(());
        for Sample { labels, value } in samples {
            match newest.get(&labels) {
                Some((last, _)) if *last > at => {
                    wrong = Err((format!("out of order: {labels} has a later sample already"), None));
                    continue;
                }
                Some((last, known)) if *last == at && known.to_bits() != value.to_bits() => {
                    let (known, value) = (template::number(*known), template::number(value));
                    let message = format!("two values at one time: {labels} has {known} already, here is {value}");
                    wrong = Err((message, None));
                    continue;
                }
                Some((last, _)) if *last == at => {}
                _ => {
                    memory.append(&labels, at, value);
                    newest.insert(labels.clone(), (at, value));
                }
            }
            now.insert(labels);
        }
        for gone in self.previous.difference(&now) {
            if newest.get(gone).is_none_or(|(last, _)| *last < at) {
                memory.append(gone, at, stale());
                newest.insert(gone.clone(), (at, stale()));
            }
        }
        self.previous = now;
        wrong
    }
}

/// The result of `expr` as series: a number is one series without labels.
fn vector(expr: &Expr, memory: &Memory, at: Ms) -> Result<Vec<Sample>, Wrong> {
    match promql::instant(expr, memory, at) {
        Ok(Value::Vector(samples)) => Ok(samples),
        Ok(Value::Scalar(value)) => Ok(vec![Sample { labels: Labels::default(), value }]),
        Ok(Value::Matrix(_) | Value::String(_)) => {
            Err(("the result is neither a vector nor a number".to_owned(), None))
        }
        Err(trouble) => Err((trouble.message, trouble.construct)),
    }
}

/// The result of a recording rule under its own name and labels.
fn recorded(rule: &GroupRule, found: Vec<Sample>, limit: usize) -> Result<Vec<Sample>, Wrong> {
    let samples: Vec<Sample> = found
        .into_iter()
        .map(|sample| {
            let own = rule.labels.iter().chain([(NAME, rule.name.as_str())]);
            Sample { labels: without_empty(sample.labels.iter().chain(own)), value: sample.value }
        })
        .collect();
    let distinct: BTreeSet<&Labels> = samples.iter().map(|sample| &sample.labels).collect();
    if distinct.len() < samples.len() {
        return Err(("several series have the same labels once the rule's own are added".to_owned(), None));
    }
    if limit > 0 && samples.len() > limit {
        return Err((format!("{} series, more than the group's limit of {limit}", samples.len()), None));
    }
    Ok(samples)
}

/// Labels, later ones over earlier ones; an empty value takes a label away.
fn without_empty<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Labels {
    let all = Labels::new(pairs);
    Labels::new(all.iter().filter(|(_, value)| !value.is_empty()))
}

/// Reads an expression whose subqueries without a step take `step`.
///
/// # Errors
/// It does not parse.
pub fn expression(text: &str, step: Ms) -> Result<Expr, promql::Problem> {
    let expr = promql::parse(text)?;
    if step == SUBQUERY_STEP {
        return Ok(expr);
    }
    let mut ends = Vec::new();
    expr.visit(&mut |node| {
        if let What::Subquery(subquery) = &node.what
            && subquery.step.is_none()
        {
            let from = subquery.of.span.end;
            ends.extend(text.get(from..).and_then(|rest| rest.find(']')).map(|at| from + at));
        }
    });
    if ends.is_empty() {
        return Ok(expr);
    }
    ends.sort_unstable();
    let mut written = text.to_owned();
    for end in ends.into_iter().rev() {
        written.insert_str(end, &show_duration(step));
    }
    promql::parse(&written)
}
