//! What is wrong with an edited file: one [`Problem`] each, with its place, advice, and both printed forms.
//!
//! The idea: a problem is a value. Readers collect them all in [`Notes`] and go on, so that one run of `check` shows
//! everything; nothing here decides whether a configuration may start.
//! Lines and columns count from 1, columns in characters, so that an editor's "go to" lands on the mistake.

use std::fmt::Write as _;

use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A place in an edited file. `line` 0 means an environment variable, with its number as `col`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Mark {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub col: usize,
    /// How many characters to underline; at least 1 is drawn.
    pub len: usize,
}

impl Mark {
    /// A place of `len` characters.
    pub(super) fn new(line: usize, col: usize, len: usize) -> Self {
        Self { line, col, len }
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// It could not work: refused.
    Error,
    /// It works, but hardly as meant.
    Warning,
    /// Worth knowing; never counted, `--strict` included.
    Note,
}

impl Level {
    /// Its word in output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable id; `check --explain` knows each.
    pub id: &'static str,
    /// How bad.
    pub level: Level,
    /// The file, as it was named; for an override the environment variable.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub col: usize,
    /// How many characters it covers.
    pub len: usize,
    /// The rule that it is in.
    pub rule: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub help: String,
    /// Why somebody silenced it, where somebody did.
    pub silenced: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    r#type: &'static str,
    id: &'static str,
    level: &'static str,
    file: &'a str,
    line: usize,
    col: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    help: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    silenced: Option<&'a str>,
}

impl Problem {
    /// One JSON object, without a line end.
    pub fn to_json(&self) -> String {
        let line = Line {
            r#type: "problem",
            id: self.id,
            level: self.level.word(),
            file: &self.file,
            line: self.line,
            col: self.col,
            rule: self.rule.as_deref(),
            message: &self.message,
            help: &self.help,
            silenced: self.silenced.as_deref(),
        };
        serde_json::to_string(&line).expect("text and numbers always serialise")
    }

    /// For people: the place first, then the line itself with a caret under the mistake, then advice.
    pub fn to_human(&self, text: Option<&str>) -> String {
        self.drawn(text.and_then(|text| text.lines().nth(self.line.saturating_sub(1))))
    }

    /// The same with its line instead of the whole text.
    pub fn drawn(&self, line: Option<&str>) -> String {
        let mut out =
            format!("{}:{}:{}: {}[{}]: {}\n", self.file, self.line, self.col, self.level.word(), self.id, self.message);
        if let Some(source) = line {
            self.draw(source, &mut out);
        }
        if !self.help.is_empty() {
            let _ = writeln!(out, "  = help: {}", self.help.replace('\n', "\n          "));
        }
        out
    }

    /// Hangul is two cells wide on a terminal, so the caret's place and length are counted in cells, not characters.
    fn draw(&self, source: &str, out: &mut String) {
        /// A longer line is cut around the mistake: a terminal would wrap it and misplace the caret.
        const CELLS: usize = 100;
        let visible = |c: char| if c == '\t' || c.width().is_none() { ' ' } else { c };
        let chars: Vec<char> = source.chars().map(visible).collect();
        let start = self.col.saturating_sub(1).min(chars.len());
        let end = (start + self.len.max(1)).min(chars.len()).max(start);
        let first = start.saturating_sub(CELLS / 2);
        let last = (first + CELLS).min(chars.len());
        let part = |from: usize, to: usize| -> String { chars.get(from..to.max(from)).unwrap_or(&[]).iter().collect() };
        let number = self.line.to_string();
        let shown = part(first, last);
        let before = part(first, start).width();
        let under = part(start, end.min(last)).width().max(1);
        let _ = writeln!(out, "  {number} | {shown}");
        let _ = writeln!(out, "  {:pad$} | {:before$}{}", "", "", "^".repeat(under), pad = number.len());
    }
}

/// Collects the problems of one file.
#[derive(Debug, Clone)]
pub(super) struct Notes {
    file: String,
    variables: Vec<String>,
    rule: Option<String>,
    list: Vec<Problem>,
}

impl Notes {
    /// Nothing wrong with `file` yet.
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), variables: Vec::new(), rule: None, list: Vec::new() }
    }

    /// Names an environment variable whose problems are to follow, and gives the place to report them at.
    pub(super) fn variable(&mut self, name: &str) -> Mark {
        self.variables.push(name.to_owned());
        Mark::new(0, self.variables.len() - 1, 0)
    }

    /// Sets which rule the problems from now on are in; gives the one before.
    pub(super) fn within(&mut self, rule: Option<String>) -> Option<String> {
        std::mem::replace(&mut self.rule, rule)
    }

    /// Adds an error.
    pub(super) fn error(&mut self, id: &'static str, at: Mark, message: impl Into<String>, help: impl Into<String>) {
        self.add(Level::Error, id, at, message.into(), help.into());
    }

    /// Adds a warning.
    pub(super) fn warning(&mut self, id: &'static str, at: Mark, message: impl Into<String>, help: impl Into<String>) {
        self.add(Level::Warning, id, at, message.into(), help.into());
    }

    /// Adds a problem of any level.
    pub(super) fn add(&mut self, level: Level, id: &'static str, at: Mark, message: String, help: String) {
        debug_assert!(super::explain::known(id), "`{id}` is not in the table of `check --explain`");
        let variable = if at.line == 0 { self.variables.get(at.col) } else { None };
        let (file, line, col) = match variable {
            Some(name) => (name.clone(), 1, 1),
            None => (self.file.clone(), at.line.max(1), at.col.max(1)),
        };
        let rule = self.rule.clone();
        self.list.push(Problem { id, level, file, line, col, len: at.len, rule, message, help, silenced: None });
    }

    /// How many errors there are so far.
    pub(super) fn errors(&self) -> usize {
        self.list.iter().filter(|problem| problem.level == Level::Error).count()
    }

    /// Rules that have an error, as often as they have one.
    pub(super) fn rules_with_errors(&self) -> impl Iterator<Item = &str> {
        self.list.iter().filter(|problem| problem.level == Level::Error).filter_map(|problem| problem.rule.as_deref())
    }

    /// Empty notes of the same file, to be joined again.
    pub(super) fn beside(&self) -> Self {
        Self { file: self.file.clone(), variables: self.variables.clone(), rule: None, list: Vec::new() }
    }

    /// The same notes, with errors of these ids as warnings.
    pub(super) fn softened(mut self, ids: &[&str]) -> Self {
        for problem in self.list.iter_mut().filter(|problem| ids.contains(&problem.id)) {
            problem.level = Level::Warning;
        }
        self
    }

    /// Takes over what `other` noted.
    pub(super) fn join(&mut self, mut other: Self) {
        self.list.append(&mut other.list);
    }

    /// Gives up what was collected.
    /// What a template says wrongly is wrong in every rule that uses it: it is told once, of the first of them.
    pub(super) fn into_list(self) -> Vec<Problem> {
        let mut list: Vec<Problem> = Vec::new();
        for problem in self.list {
            let same = |other: &&mut Problem| {
                (other.id, other.line, other.col, &other.file) == (problem.id, problem.line, problem.col, &problem.file)
                    && other.message == problem.message
            };
            match list.iter_mut().find(same) {
                Some(told) => told.rule = told.rule.take().or(problem.rule),
                None => list.push(problem),
            }
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caret_stands_under_the_mistake_behind_hangul() {
        let mut notes = Notes::new("a.yaml");
        notes.error("unknown-key", Mark::new(1, 14, 2), "unknown key `값값`", "did you mean `value`?");
        let text = notes.into_list().remove(0).to_human(Some("{ title: 가나, 값값: 1 }"));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "a.yaml:1:14: error[unknown-key]: unknown key `값값`");
        let cells = |line: &str, what: &str| line.split(what).next().map(UnicodeWidthStr::width);
        assert_eq!(cells(lines[1], "값값"), cells(lines[2], "^"), "{text}");
        assert!(lines[2].ends_with("^^^^"), "two Hangul are four cells: {text}");
    }

    #[test]
    fn json_has_the_documented_shape() {
        let mut notes = Notes::new("rules/a.yaml");
        notes.within(Some("vm".to_owned()));
        notes.warning("unknown-key", Mark::new(7, 5, 1), "m", "h");
        let wanted = [
            r#"{"type":"problem","id":"unknown-key","level":"warning","file":"rules/a.yaml","line":7,"col":5,"#,
            r#""rule":"vm","message":"m","help":"h"}"#,
        ];
        assert_eq!(notes.into_list().remove(0).to_json(), wanted.concat());
    }
}
