//! What a script wants of one evaluation, and whether a result is that.
//!
//! The idea: numbers are equal to one part in a million, which is how many digits scripts write; label sets are equal
//! exactly; order counts where the script says so. A remark or a wording that this engine does not have makes the case
//! refused, not right: the numbers alone are not all that was asked.

use std::ops::Range;

use crate::evaluate::promql::{Answer, Level, Series, Value, length, parse};
use crate::pipeline::promqltest::notation::{self, number};
use crate::pipeline::promqltest::{Line, Time, Verdict, refused};
use crate::time::Ms;

/// A text that must be found.
#[derive(Debug)]
enum Words {
    Any,
    Exactly(String),
    Like(Box<regex::Regex>),
}

impl Words {
    fn fit(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(wanted) => text == wanted,
            Self::Like(pattern) => pattern.is_match(text),
        }
    }
}

/// What must come of one evaluation.
#[derive(Debug, Default)]
pub(super) struct Expected {
    fail: Option<Words>,
    ordered: bool,
    warn: Vec<Words>,
    info: Vec<Words>,
    no_warn: bool,
    no_info: bool,
    string: Option<String>,
    number: Option<f64>,
    series: Vec<Series>,
    /// The result is a range vector at one time.
    matrix: bool,
}

impl Expected {
    /// Reads the lines behind an `eval`. Errors: the verdict that a line leads to by itself.
    pub(super) fn read(word: &str, time: &Time, body: &[Line<'_>]) -> Result<Self, Verdict> {
        let mut expected = Self::default();
        match word.strip_prefix("eval_") {
            Some("fail") => expected.fail = Some(Words::Any),
            Some("warn") => expected.warn.push(Words::Any),
            Some("info") => expected.info.push(Words::Any),
            Some("ordered") => expected.ordered = true,
            Some(other) => return Err(Verdict::Fail(format!("`eval_{other}` is no command"))),
            None => {}
        }
        let mut times = *time;
        for (n, line) in body {
            expected.line(line, &mut times).map_err(|wrong| match wrong {
                Verdict::Fail(why) => Verdict::Fail(format!("line {n}: {why}")),
                other => other,
            })?;
        }
        Ok(expected)
    }

    fn line(&mut self, line: &str, times: &mut Time) -> Result<(), Verdict> {
        let fail = |why: &str| Verdict::Fail(format!("{why}: {line}"));
        if let Some(rest) = line.strip_prefix("expected_fail_message ") {
            self.fail = Some(Words::Exactly(rest.trim().to_owned()));
        } else if let Some(rest) = line.strip_prefix("expected_fail_regexp ") {
            self.fail = Some(like(rest)?);
        } else if let Some(rest) = line.strip_prefix("expect string ") {
            let text = parse(rest).map_err(|problem| fail(&problem.to_string()))?;
            let crate::evaluate::promql::What::Text(text) = &text.root().what else { return Err(fail("no text")) };
            self.string = Some(text.clone());
        } else if let Some(rest) = line.strip_prefix("expect range vector ") {
            let words: Vec<&str> = rest.split_whitespace().collect();
            let ["from", from, "to", to, "step", step] = words[..] else { return Err(fail("not understood")) };
            let read = |text| length(text).ok_or_else(|| fail("no time"));
            *times = Time::Range { from: read(from)?, to: read(to)?, step: read(step)? };
            self.matrix = true;
        } else if let Some(rest) = line.strip_prefix("expect ") {
            self.directive(rest.trim())?;
        } else if let Some(value) = number(line) {
            self.number = Some(value);
        } else {
            if let Some(construct) = notation::outside(line) {
                return Err(refused(construct, 0..0, "the expected result holds one".to_owned()));
            }
            let (labels, values) = notation::series(line).map_err(Verdict::Fail)?;
            let values = notation::values(values)
                .map_err(|construct| refused(construct, 0..0, "the expected result holds one".to_owned()))?;
            self.series.push(Series { labels, points: at_times(&values, times) });
        }
        Ok(())
    }

    /// `fail msg: …`, `no_warn`, …
    fn directive(&mut self, text: &str) -> Result<(), Verdict> {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let words = match rest.trim().split_once(':') {
            Some(("msg", message)) => Words::Exactly(message.trim().to_owned()),
            Some(("regex", pattern)) => like(pattern)?,
            _ if rest.trim().is_empty() => Words::Any,
            _ => return Err(Verdict::Fail(format!("`expect {text}` is not understood"))),
        };
        match word {
            "fail" => self.fail = Some(words),
            "warn" => self.warn.push(words),
            "info" => self.info.push(words),
            "no_warn" => self.no_warn = true,
            "no_info" => self.no_info = true,
            "ordered" => self.ordered = true,
            _ => return Err(Verdict::Fail(format!("`expect {text}` is not understood"))),
        }
        Ok(())
    }

    /// The verdict on an evaluation that failed.
    pub(super) fn failed(&self, message: &str, at: Range<usize>) -> Verdict {
        match &self.fail {
            None => Verdict::Fail(format!("an error: {message}")),
            Some(words) if words.fit(message) => Verdict::Pass,
            Some(_) => refused("wording of an error", at, message.to_owned()),
        }
    }

    /// The verdict on a result.
    pub(super) fn judge(&self, answer: &Answer, text: &str) -> Verdict {
        if self.fail.is_some() {
            return Verdict::Fail(format!("an error was expected, here is {:?}", answer.value));
        }
        if let Err(why) = self.value(&answer.value) {
            return Verdict::Fail(why);
        }
        let remarks = |level: Level| {
            let kind = if level == Level::Info { "info" } else { "warning" };
            let found = answer.notes.iter().filter(move |note| note.level == level);
            found.map(move |note| (format!("PromQL {kind}: {}", note.message), place(text, note.at.start)))
        };
        let missing = |wanted: &[Words], level: Level| {
            let met = |words: &Words| {
                remarks(level).any(|(message, at)| words.fit(&message) || words.fit(&format!("{message} {at}")))
            };
            wanted.iter().any(|words| !met(words))
        };
        if missing(&self.warn, Level::Warning) || missing(&self.info, Level::Info) {
            let why = format!("the value is right; of the remarks there are {:?}", answer.notes);
            return refused("remark", 0..text.len(), why);
        }
        if (self.no_warn && remarks(Level::Warning).next().is_some())
            || (self.no_info && remarks(Level::Info).next().is_some())
        {
            return Verdict::Fail(format!("no remark was expected: {:?}", answer.notes));
        }
        Verdict::Pass
    }

    fn value(&self, value: &Value) -> Result<(), String> {
        match value {
            Value::String(text) if self.string.as_ref() == Some(text) => Ok(()),
            Value::Scalar(value) if self.number.is_some_and(|wanted| near(wanted, *value)) => Ok(()),
            Value::Scalar(_) | Value::String(_) => {
                Err(format!("{value:?}, wanted {:?} {:?}", self.string, self.number))
            }
            Value::Vector(samples) if !self.matrix => {
                let one = |sample: &crate::evaluate::promql::Sample| Series {
                    labels: sample.labels.clone(),
                    points: vec![(0, sample.value)],
                };
                self.same(&samples.iter().map(one).collect::<Vec<_>>(), false)
            }
            Value::Vector(_) => Err("an instant vector, wanted a range vector".to_owned()),
            Value::Matrix(series) => self.same(series, true),
        }
    }

    fn same(&self, found: &[Series], timed: bool) -> Result<(), String> {
        let wanted: Vec<&Series> = self.series.iter().filter(|series| !series.points.is_empty()).collect();
        let describe = || format!("{found:?}, wanted {wanted:?}");
        if wanted.len() != found.len() {
            return Err(describe());
        }
        for (n, want) in wanted.iter().enumerate() {
            let got = found.iter().position(|series| series.labels == want.labels).ok_or_else(describe)?;
            let points = &found[got].points;
            let equal = points.len() == want.points.len()
                && points.iter().zip(&want.points).all(|(a, b)| (!timed || a.0 == b.0) && near(b.1, a.1));
            if !equal || (self.ordered && got != n) {
                return Err(describe());
            }
        }
        Ok(())
    }
}

fn like(pattern: &str) -> Result<Words, Verdict> {
    let read = regex::Regex::new(pattern.trim());
    read.map(|pattern| Words::Like(Box::new(pattern))).map_err(|wrong| Verdict::Fail(wrong.to_string()))
}

/// Line and column, from 1, as remarks carry them.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().len() + 1;
    format!("({line}:{column})")
}

/// Expected values at their times; a stale marker in a result is a time without a sample.
fn at_times(values: &[Option<f64>], times: &Time) -> Vec<(Ms, f64)> {
    let (from, step) = match *times {
        Time::At(at) => (at, 0),
        Time::Range { from, step, .. } => (from, step),
    };
    let at = |(n, value): (Ms, &Option<f64>)| value.map(|value| (from + step * n, value));
    (0..).zip(values).filter_map(at).collect()
}

/// Equal to one part in a million; NaN is NaN.
fn near(wanted: f64, found: f64) -> bool {
    if wanted.is_nan() || found.is_nan() {
        return wanted.is_nan() && found.is_nan();
    }
    wanted == found || (wanted - found).abs() <= 1e-6 * wanted.abs().max(found.abs()) || (wanted - found).abs() < 1e-300
}
