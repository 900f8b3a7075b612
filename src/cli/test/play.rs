//! Runs what was found, and turns each result into a case.

use super::coverage::Shown;
use super::find::{self, Found, Unit};
use super::{Case, Outcome, TestArgs};
use crate::config::{Level, Problem, Scenario, UnitGroup};
use crate::pipeline::promqltest;
use crate::pipeline::scenario;
use crate::pipeline::unittest::{self, Verdict};

/// Every scenario; a mistake in a file of scenarios is a failed case of its own.
pub(super) fn scenarios(found: &Found, args: &TestArgs, shown: &mut Shown, cases: &mut Vec<Case>) {
    for set in &found.sets {
        if args.run.is_empty() {
            cases.extend(find::broken(set).map(|problem| mistake(problem, "scenario")));
        }
        let mut group = 0;
        let mut before = "";
        for scenario in &set.scenarios {
            // Scenarios count from 0 in each file.
            group = if scenario.file == before { group + 1 } else { 0 };
            before = &scenario.file;
            if !args.wants(&scenario.name) {
                continue;
            }
            let outcome = scenario::play(scenario, set);
            shown.scenario(&outcome.happened);
            cases.push(scenario_case(scenario, group, &outcome.failures));
        }
    }
}

fn scenario_case(scenario: &Scenario, group: usize, failures: &[scenario::Failure]) -> Case {
    let lines: Vec<String> =
        failures.iter().map(|failure| format!("{}:{}: {}", scenario.file, failure.line, failure.what)).collect();
    let last = scenario.expect.iter().map(|expect| expect.at).max().unwrap_or(0);
    Case {
        file: scenario.file.clone(),
        group,
        kind: "scenario",
        name: scenario.name.clone(),
        at: last,
        result: if lines.is_empty() { Outcome::Pass } else { Outcome::Fail },
        message: lines.join("\n"),
    }
}

fn place(problem: &Problem) -> String {
    let help = if problem.help.is_empty() { String::new() } else { format!("; {}", problem.help) };
    format!("{}:{}:{}: {}{help}", problem.file, problem.line, problem.col, problem.message)
}

fn mistake(problem: &Problem, kind: &'static str) -> Case {
    Case {
        file: problem.file.clone(),
        group: 0,
        kind,
        name: problem.id.to_owned(),
        at: 0,
        result: Outcome::Fail,
        message: place(problem),
    }
}

/// Every test group of promtool's files.
pub(super) fn units(found: &Found, args: &TestArgs, shown: &mut Shown, cases: &mut Vec<Case>) {
    for unit in &found.units {
        if !unit.file.broken.is_empty() {
            // promtool refuses the whole file.
            cases.extend(unit.file.broken.iter().map(|problem| mistake(problem, "expr")));
            continue;
        }
        for (n, group) in unit.file.groups.iter().enumerate().filter(|(_, group)| args.wants(&group.name)) {
            match unreadable(unit, group) {
                Some((result, message)) => cases.push(whole(unit, n, group, result, message)),
                None => {
                    let outcome = unittest::run(&unit.file, group, &unit.rules.rule_files);
                    shown.unit(outcome.showed);
                    cases.extend(outcome.cases.into_iter().map(|case| unit_case(unit, n, group, case)));
                }
            }
        }
    }
}

/// Why a test group cannot be run at all: its own mistakes, or those of the rule files.
fn unreadable(unit: &Unit, group: &UnitGroup) -> Option<(Outcome, String)> {
    let wrong = unit.rules.problems.iter().filter(|problem| problem.level == Level::Error);
    let (outside, mistakes): (Vec<&Problem>, Vec<&Problem>) =
        group.broken.iter().chain(wrong).partition(|problem| problem.id == "expr-outside");
    let tell = |problems: &[&Problem]| problems.iter().map(|problem| place(problem)).collect::<Vec<_>>().join("\n");
    match (mistakes.is_empty(), outside.is_empty()) {
        (false, _) => Some((Outcome::Fail, tell(&mistakes))),
        (true, false) => Some((Outcome::Refused("expression of a rule".to_owned()), tell(&outside))),
        (true, true) => None,
    }
}

/// A test group that cannot be run, as one case.
fn whole(unit: &Unit, n: usize, group: &UnitGroup, result: Outcome, message: String) -> Case {
    let first =
        group.exprs.first().map(|test| test.expr.clone()).or(group.alerts.first().map(|test| test.alert.clone()));
    let name = if group.name.is_empty() { first.unwrap_or_default() } else { group.name.clone() };
    Case { file: unit.file.file.clone(), group: n, kind: "expr", name, at: 0, result, message }
}

fn unit_case(unit: &Unit, n: usize, group: &UnitGroup, case: unittest::Case) -> Case {
    let (file, line, col) = &case.place;
    let name = if group.name.is_empty() { String::new() } else { format!("[{}] ", group.name) };
    let tell = |what: &str| format!("{file}:{line}:{col}: {name}{what}");
    let (result, message) = match &case.verdict {
        Verdict::Pass => (Outcome::Pass, String::new()),
        Verdict::Fail(why) => (Outcome::Fail, tell(why)),
        Verdict::Refused(construct, why) => (Outcome::Refused((*construct).to_owned()), tell(why)),
    };
    Case {
        file: unit.file.file.clone(),
        group: n,
        kind: if case.alerts { "alert" } else { "expr" },
        name: case.name,
        at: case.at,
        result,
        message,
    }
}

/// Every promqltest script. Its cases have no clock of their own: each is told by the line of its `eval`.
pub(super) fn scripts(found: &Found, args: &TestArgs, cases: &mut Vec<Case>) {
    for (name, text) in &found.scripts {
        for (n, case) in promqltest::run_script(name, text).into_iter().enumerate() {
            if args.wants(&case.expression) {
                cases.push(script_case(n, case));
            }
        }
    }
}

fn script_case(n: usize, case: promqltest::Case) -> Case {
    let tell = |why: &str| format!("{}:{}: {why}", case.script, case.line);
    let (result, message) = match &case.verdict {
        promqltest::Verdict::Pass => (Outcome::Pass, String::new()),
        promqltest::Verdict::Fail(why) => (Outcome::Fail, tell(why)),
        promqltest::Verdict::Refused { construct, at, why } => {
            let place = format!("{} at characters {}..{} of the expression", why, at.start, at.end);
            (Outcome::Refused(construct.clone()), tell(&place))
        }
    };
    Case { file: case.script, group: n, kind: "expr", name: case.expression, at: 0, result, message }
}
