//! Scripts in Prometheus's PromQL test language: data, expressions, and what they must give.
//!
//! The idea: a script is run line by line over a store of its own, and each `eval` becomes one [`Case`]: right, wrong,
//! or refused with the name of what is outside of the language that is answered. Data that is outside (native
//! histograms) is not loaded; an expression that would read it is refused, and only such a one.
//! What a result must look like stands in `expect`, how series are written in `notation`.

mod expect;
mod notation;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use crate::evaluate::promql::{Expr, Memory, Query, Trouble, length, parse};
use crate::model::Labels;
use crate::time::Ms;

use expect::Expected;

/// One evaluation of a script.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The script.
    pub script: String,
    /// Line of the `eval`, from 1.
    pub line: usize,
    /// The expression.
    pub expression: String,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of one evaluation.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// As the script wants it.
    Pass,
    /// Answered, but not as the script wants it.
    Fail(String),
    /// Not answered.
    Refused {
        /// Names what is outside.
        construct: String,
        /// Bytes of the expression.
        at: Range<usize>,
        /// Why, in a sentence.
        why: String,
    },
}

/// How many evaluations were right, wrong, and refused by what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// As the scripts want it.
    pub right: usize,
    /// Answered otherwise.
    pub wrong: usize,
    /// Not answered, by what is outside.
    pub refused: BTreeMap<String, usize>,
}

impl Tally {
    /// Counts more cases.
    pub fn add(&mut self, cases: &[Case]) {
        for case in cases {
            match &case.verdict {
                Verdict::Pass => self.right += 1,
                Verdict::Fail(_) => self.wrong += 1,
                Verdict::Refused { construct, .. } => *self.refused.entry(construct.clone()).or_default() += 1,
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused: usize = self.refused.values().sum();
        write!(f, "answered {} ({} wrong), refused {refused}", self.right + self.wrong, self.wrong)?;
        for (n, (construct, count)) in self.refused.iter().enumerate() {
            write!(f, "{}{construct} {count}", if n == 0 { ": " } else { ", " })?;
        }
        Ok(())
    }
}

/// One line of a script: from 1, without blanks around it; empty where it is a comment.
type Line<'a> = (usize, &'a str);

/// Runs a script. A line that cannot be read becomes a case that failed.
pub fn run_script(name: &str, text: &str) -> Vec<Case> {
    let lines: Vec<Line<'_>> = text
        .lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line.trim()))
        .map(|(n, line)| (n, if line.starts_with('#') { "" } else { line }))
        .collect();
    let mut runner =
        Runner { name, data: Memory::default(), outside: BTreeSet::new(), unread: None, cases: Vec::new() };
    let mut rest = lines.as_slice();
    while let Some(((n, line), tail)) = rest.split_first() {
        let block = tail.iter().take_while(|(_, line)| !line.is_empty()).count();
        let block = if line.is_empty() || *line == "clear" { 0 } else { block };
        let (body, after) = tail.split_at(block);
        rest = after;
        if !line.is_empty() {
            runner.command(*n, line, body);
        }
    }
    runner.cases
}

/// The samples of a text that is one `load` block. Errors: what cannot be read, or is not answered.
pub fn samples(text: &str) -> Result<Memory, String> {
    let mut runner =
        Runner { name: "", data: Memory::default(), outside: BTreeSet::new(), unread: None, cases: Vec::new() };
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let head = lines.next().and_then(|line| line.strip_prefix("load ")).ok_or("no `load` at the beginning")?;
    let body: Vec<Line<'_>> = (2..).zip(lines).collect();
    runner.load(head.trim(), &body, false)?;
    match runner.outside.first() {
        Some((labels, construct)) => Err(format!("{labels}: {construct}")),
        None => Ok(runner.data),
    }
}

struct Runner<'a> {
    name: &'a str,
    data: Memory,
    /// Series that were not loaded, and what they are.
    outside: BTreeSet<(Labels, &'static str)>,
    /// What a line of samples holds that is not read: whatever comes of them is not answered either.
    unread: Option<&'static str>,
    cases: Vec<Case>,
}

impl Runner<'_> {
    fn command(&mut self, n: usize, line: &str, body: &[Line<'_>]) {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let read = match word {
            "clear" => {
                self.data = Memory::default();
                self.outside.clear();
                self.unread = None;
                Ok(())
            }
            "load" => self.load(rest.trim(), body, false),
            "load_with_nhcb" => self.load(rest.trim(), body, true),
            _ if word == "eval" || word.starts_with("eval_") => return self.eval(n, line, word, rest.trim(), body),
            _ => Err(format!("`{word}` is no command: load, clear or eval")),
        };
        if let Err(why) = read {
            self.case(n, line, Verdict::Fail(why));
        }
    }

    fn case(&mut self, line: usize, expression: &str, verdict: Verdict) {
        let (script, expression) = (self.name.to_owned(), expression.to_owned());
        self.cases.push(Case { script, line, expression, verdict });
    }

    /// `buckets` = classic buckets also become native histograms, which are not loaded here.
    fn load(&mut self, gap: &str, body: &[Line<'_>], buckets: bool) -> Result<(), String> {
        let gap = length(gap).ok_or_else(|| format!("`{gap}` is no distance of samples"))?;
        for (n, line) in body {
            // Else it would be taken for a series, and whoever forgot the line between would see all pass.
            if ["eval instant ", "eval range ", "eval_"].iter().any(|word| line.starts_with(word)) {
                return Err(format!("line {n}: an empty line is missing before `eval`"));
            }
            if let Some((name, _)) = line.split_once("@st ") {
                // Start times of the series in the next line.
                let (labels, _) = notation::series(name).map_err(|why| format!("line {n}: {why}"))?;
                self.outside.insert((labels, "start timestamp"));
                continue;
            }
            if let Some(construct) = notation::outside(line) {
                self.unread = Some(construct);
                continue;
            }
            let (labels, values) = notation::series(line).map_err(|why| format!("line {n}: {why}"))?;
            match notation::values(values) {
                Ok(values) => {
                    for (step, value) in (0..).zip(values) {
                        if let Some(value) = value {
                            self.data.append(&labels, gap * step, value);
                        }
                    }
                    if buckets && let Some(native) = notation::native_of(&labels) {
                        self.outside.insert((native, "native histogram"));
                    }
                }
                Err(construct) => {
                    self.outside.insert((labels, construct));
                }
            }
        }
        Ok(())
    }

    fn eval(&mut self, n: usize, line: &str, word: &str, rest: &str, body: &[Line<'_>]) {
        let verdict = match when(rest) {
            Ok((time, expression)) => {
                let expected = Expected::read(word, &time, body);
                let verdict = match expected {
                    Ok(expected) => self.judge(expression, &time, &expected),
                    Err(verdict) => verdict,
                };
                return self.case(n, expression, verdict);
            }
            Err(why) => Verdict::Fail(why),
        };
        self.case(n, line, verdict);
    }

    fn judge(&self, text: &str, time: &Time, expected: &Expected) -> Verdict {
        let expr = match parse(text) {
            Ok(expr) => expr,
            Err(problem) => {
                return match problem.construct {
                    Some(construct) => refused(construct, problem.at, problem.message),
                    None => expected.failed(&problem.message, 0..text.len()),
                };
            }
        };
        if let Some((at, construct)) = self.reads_outside(&expr) {
            return refused(construct, at, "it reads series that are not answered".to_owned());
        }
        let query = Query { names_late: true };
        let answer = match *time {
            Time::At(at) => query.instant(&expr, &self.data, at),
            Time::Range { from, to, step } => query.range(&expr, &self.data, (from, to, step)),
        };
        if let Some(construct) = self.unread {
            return refused(construct, 0..text.len(), "samples that are not read may be what it reads".to_owned());
        }
        match answer {
            Ok(answer) => expected.judge(&answer, text),
            Err(Trouble { construct: Some(construct), at, message, .. }) => refused(construct, at, message),
            Err(trouble) => expected.failed(&trouble.message, trouble.at),
        }
    }

    /// The first selector that would find a series which was not loaded.
    fn reads_outside(&self, expr: &Expr) -> Option<(Range<usize>, &'static str)> {
        expr.selectors().into_iter().find_map(|leaf| {
            let found =
                self.outside.iter().find(|(labels, _)| leaf.matchers.iter().all(|matcher| matcher.accepts(labels)));
            found.map(|(_, construct)| (leaf.span, *construct))
        })
    }
}

fn refused(construct: impl Into<String>, at: Range<usize>, why: String) -> Verdict {
    Verdict::Refused { construct: construct.into(), at, why }
}

/// When an expression is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    At(Ms),
    Range { from: Ms, to: Ms, step: Ms },
}

/// `instant at 5m EXPR` or `range from 0 to 10m step 1m EXPR`.
fn when(rest: &str) -> Result<(Time, &str), String> {
    let (kind, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let mut rest = rest.trim_start();
    let mut after = |word: &str| -> Result<Ms, String> {
        let tail = rest.strip_prefix(word).ok_or_else(|| format!("`{word}` is missing"))?.trim_start();
        let (time, tail) = tail.split_once(char::is_whitespace).unwrap_or((tail, ""));
        rest = tail.trim_start();
        length(time).ok_or_else(|| format!("`{time}` is no time"))
    };
    let time = match kind {
        "instant" => Time::At(after("at")?),
        "range" => Time::Range { from: after("from")?, to: after("to")?, step: after("step")? },
        _ => return Err(format!("`eval {kind}`: instant or range")),
    };
    Ok((time, rest))
}
