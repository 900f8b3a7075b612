//! Runs promtool's unit tests: series, rules over them, and what must come of it, with promtool's verdict.
//!
//! The idea: as promtool does it. All groups of all rule files are evaluated at every `evaluation_interval`, whatever
//! their own interval; samples become visible evaluation by evaluation; an alert test looks at the evaluation at or
//! before its time; expressions are asked at the end. A rule that cannot be evaluated fails the whole test group.
//! What this version does not answer is refused by name and never counted as passed.

use std::collections::BTreeSet;

use crate::config::{AlertTest, ExprTest, UnitFile, UnitGroup};
use crate::evaluate::promql::{self, Memory, Value};
use crate::evaluate::template;
use crate::model::{Labels, RuleFile};
use crate::pipeline::rulerun::{Manager, RuleTrouble, Setting, expression};
use crate::time::{Ms, show_duration};

/// Evaluations of one test group: more is a mistake in an interval, and would not end today.
const EVALUATIONS_MAX: Ms = 2_000_000;

/// One test with its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Whether it is about an alert; else about an expression or a recorded metric.
    pub alerts: bool,
    /// The alert, the expression or the rule.
    pub name: String,
    /// When, ms from the test's beginning.
    pub at: Ms,
    /// File, line and column that a failure points at.
    pub place: (String, usize, usize),
    /// How it went.
    pub verdict: Verdict,
}

/// How a test went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As expected.
    Pass,
    /// Otherwise: what was expected and what came.
    Fail(String),
    /// Not answered by this version: what, and why.
    Refused(&'static str, String),
}

/// What became of a test group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Its tests.
    pub cases: Vec<Case>,
    /// Rules that recorded something or fired: file and line.
    pub showed: BTreeSet<(String, usize)>,
}

/// Runs `group` of `file` over `rules`, which are the files that it names.
pub fn run(file: &UnitFile, group: &UnitGroup, rules: &[RuleFile]) -> Outcome {
    if let Some((construct, line)) = group.refused {
        return Outcome { cases: refused(file, group, construct, line), ..Outcome::default() };
    }
    let setting = Setting {
        external_labels: group.external_labels.clone(),
        external_url: group.external_url.clone(),
        interval: file.interval,
    };
    let mut run = Run { file, group, memory: Memory::default(), next: vec![0; group.series.len()], cases: Vec::new() };
    match Manager::new(rules, setting, &file.order) {
        Ok(mut manager) => {
            if run.evaluate(&mut manager) {
                group.exprs.iter().for_each(|test| run.expression(test));
            }
            let showed = manager.showed().map(|(file, line)| (file.to_owned(), line)).collect();
            Outcome { cases: run.cases, showed }
        }
        Err(troubles) => {
            troubles.into_iter().for_each(|trouble| run.trouble(trouble, 0));
            Outcome { cases: run.cases, ..Outcome::default() }
        }
    }
}

/// Every test of a group that cannot be answered; the group itself where it has none.
fn refused(file: &UnitFile, group: &UnitGroup, construct: &'static str, line: usize) -> Vec<Case> {
    let why = format!("{construct} on line {line}");
    let case = |alerts, name: &str, at, place: (usize, usize)| Case {
        alerts,
        name: name.to_owned(),
        at,
        place: (file.file.clone(), place.0, place.1),
        verdict: Verdict::Refused(construct, why.clone()),
    };
    let alerts = group.alerts.iter().map(|test| case(true, &test.alert, test.at, (test.line, test.col)));
    let exprs = group.exprs.iter().map(|test| case(false, &test.expr, test.at, (test.line, test.col)));
    let mut cases: Vec<Case> = alerts.chain(exprs).collect();
    if cases.is_empty() {
        cases.push(case(false, construct, 0, (line, 1)));
    }
    cases
}

struct Run<'a> {
    file: &'a UnitFile,
    group: &'a UnitGroup,
    memory: Memory,
    /// The first sample of each series that is not visible yet.
    next: Vec<usize>,
    cases: Vec<Case>,
}

impl Run<'_> {
    /// Evaluates the rules up to the last test's time, alert tests on the way. Whether every rule could be evaluated.
    fn evaluate(&mut self, manager: &mut Manager) -> bool {
        let (start, step) = (self.group.start, self.file.interval);
        let times = self.group.alerts.iter().map(|test| test.at).chain(self.group.exprs.iter().map(|test| test.at));
        let last = times.max().unwrap_or(0);
        if last / step > EVALUATIONS_MAX {
            let message = format!("more than {EVALUATIONS_MAX} evaluations: evaluation_interval is too short for it");
            self.case(false, "evaluation_interval", last, (self.group.line, 1), Verdict::Fail(message));
            return false;
        }
        let mut since = 0;
        while since <= last {
            self.show(start + since);
            let troubles = manager.evaluate(&mut self.memory, start + since);
            if !troubles.is_empty() {
                troubles.into_iter().for_each(|trouble| self.trouble(trouble, since));
                return false;
            }
            let group = self.group;
            for test in group.alerts.iter().filter(|test| (since..since + step).contains(&test.at)) {
                self.alerts(manager, test);
            }
            since += step;
        }
        true
    }

    /// Makes the samples up to `at` visible.
    fn show(&mut self, at: Ms) {
        for (series, next) in self.group.series.iter().zip(&mut self.next) {
            while let Some(value) = series.values.get(*next) {
                let time = self.group.start + self.group.interval * *next as Ms;
                if time > at {
                    break;
                }
                if let Some(value) = value {
                    self.memory.append(&series.labels, time, *value);
                }
                *next += 1;
            }
        }
    }

    fn case(&mut self, alerts: bool, name: &str, at: Ms, place: (usize, usize), verdict: Verdict) {
        let place = (self.file.file.clone(), place.0, place.1);
        self.cases.push(Case { alerts, name: name.to_owned(), at, place, verdict });
    }

    fn trouble(&mut self, trouble: RuleTrouble, at: Ms) {
        let message = format!("rule `{}` at {}: {}", trouble.rule, show_duration(at), trouble.message);
        let verdict = match trouble.construct {
            Some(construct) => Verdict::Refused(construct, message),
            None => Verdict::Fail(message),
        };
        let place = (trouble.file, trouble.line, 1);
        self.cases.push(Case { alerts: trouble.alerts, name: trouble.rule, at, place, verdict });
    }

    fn alerts(&mut self, manager: &Manager, test: &AlertTest) {
        let firing = manager.alerts().filter(|(name, alert)| *name == test.alert && alert.firing());
        let compared = |notes: &Labels| if test.only_labels { Labels::default() } else { notes.clone() };
        let mut found: Vec<(Labels, Labels)> =
            firing.map(|(_, alert)| (alert.labels.clone(), compared(&alert.annotations))).collect();
        let named = |labels: &Labels| labels.with("alertname", &test.alert);
        let mut wanted: Vec<(Labels, Labels)> =
            test.expected.iter().map(|(labels, notes)| (named(labels), compared(notes))).collect();
        found.sort();
        wanted.sort();
        let verdict = if found == wanted {
            Verdict::Pass
        } else {
            let show = |alert: &(Labels, Labels)| {
                let notes = if alert.1.is_empty() { String::new() } else { format!(" with {}", alert.1) };
                format!("{}{notes}", alert.0)
            };
            Verdict::Fail(differ(&wanted, &found, show))
        };
        self.case(true, &test.alert, test.at, (test.line, test.col), verdict);
    }

    fn expression(&mut self, test: &ExprTest) {
        let verdict = self.asked(test);
        self.case(false, &test.expr, test.at, (test.line, test.col), verdict);
    }

    fn asked(&self, test: &ExprTest) -> Verdict {
        let wrong = |message: String, construct: Option<&'static str>| match construct {
            Some(construct) => Verdict::Refused(construct, message),
            None => Verdict::Fail(message),
        };
        let expr = match expression(&test.expr, self.file.interval) {
            Ok(expr) => expr,
            Err(problem) => return wrong(problem.message, problem.construct),
        };
        let mut found: Vec<(Labels, f64)> = match promql::instant(&expr, &self.memory, self.group.start + test.at) {
            Ok(Value::Vector(samples)) => samples.into_iter().map(|sample| (sample.labels, sample.value)).collect(),
            Ok(Value::Scalar(value)) => vec![(Labels::default(), value)],
            Ok(_) => return Verdict::Fail("the result is neither a vector nor a number".to_owned()),
            Err(trouble) => return wrong(trouble.message, trouble.construct),
        };
        let mut wanted = test.expected.clone();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
        let same = |a: &(Labels, f64), b: &(Labels, f64)| a.0 == b.0 && equal(a.1, b.1, self.file.fuzzy);
        if wanted.len() == found.len() && wanted.iter().zip(&found).all(|(a, b)| same(a, b)) {
            return Verdict::Pass;
        }
        Verdict::Fail(differ(&wanted, &found, |(labels, value)| format!("{labels} {}", template::number(*value))))
    }
}

/// Whether two values are equal; with `fuzzy` they may be neighbours.
#[expect(clippy::float_cmp, reason = "promtool compares exactly unless asked otherwise")]
fn equal(a: f64, b: f64, fuzzy: bool) -> bool {
    a == b || (fuzzy && (a.next_up() == b || a.next_down() == b))
}

fn differ<T>(wanted: &[T], found: &[T], show: impl Fn(&T) -> String) -> String {
    let list = |items: &[T]| match items {
        [] => "nothing".to_owned(),
        items => items.iter().map(&show).collect::<Vec<_>>().join("\n          "),
    };
    format!("expected: {}\n    came: {}", list(wanted), list(found))
}
