//! Lint: questions about the sense of rules, people and limits, each with a name, a reason and an example.
//!
//! The idea: what the readers note has the wrong shape or contradicts itself; what stands here is well written and
//! still goes wrong at 3 a.m. Each theme is a file of small functions that look at typed values and say what they
//! found; [`CHECKS`] (`checks`) lists them all, so that `check --explain`, silencing and the tests cannot miss one.
//! A finding can be silenced beside its line, with a reason ([`allow`]).
//!
//! Not here: reading files, and what a rule does when it runs.

mod allow;
mod amount;
mod beside;
mod catalog;
mod chains;
mod checks;
mod contacts;
mod exprs;
mod labels;
mod limits;
mod patterns;
mod ratio;
mod reader;
mod recover;
mod sample;
mod silence;
mod site;
mod titles;
mod twins;
mod window;

pub use checks::CHECKS;
pub use sample::{Counted, Traffic, TrafficError};
pub(super) use site::Parts;

use exprs::Written;
use site::{Site, View};

use super::files::{Source, SourceFile};
use super::problem::{Level, Mark, Problem};
use crate::model::Watch;

/// How a check looks.
#[derive(Debug, Clone, Copy)]
enum Look {
    /// At each rule without mistakes.
    Rule(fn(&View<'_>, &Site<'_>, &mut Found)),
    /// At everything at once.
    Site(fn(&Site<'_>, &mut Found)),
    /// At each rule, against recorded traffic.
    Sample(fn(&View<'_>, &Traffic, &mut Found)),
    /// At each expression.
    Expr(fn(&Written<'_>, &Site<'_>, &mut Found)),
    /// At each expression, against recorded traffic.
    SampleExpr(fn(&Written<'_>, &Traffic, &Site<'_>, &mut Found)),
    /// At comments that silence; see [`allow`].
    Comment,
    /// Not here: a reader notes it where it reads the value. It is listed for its documentation and its examples.
    Reader,
}

/// One named check.
#[derive(Debug)]
pub struct Check {
    /// Frozen once released: people silence it by this name.
    pub id: &'static str,
    /// How bad a finding is.
    pub level: Level,
    /// What it finds.
    pub what: &'static str,
    /// Why that hurts, at 3 a.m. of all times.
    pub why: &'static str,
    /// What to do.
    pub repair: &'static str,
    /// An example that it finds something in; `#! piece` at the end of a line marks where.
    pub bad: &'static str,
    /// The example repaired.
    pub good: &'static str,
    look: Look,
}

/// Makes a [`Check`]; its examples are `cases/ID/bad.yaml` and `cases/ID/good.yaml`.
macro_rules! check {
    ($name:ident, $id:literal, $level:ident, $look:expr, what: $what:literal, why: $why:literal, repair: $repair:literal) => {
        pub(in crate::config::lint) static $name: crate::config::lint::Check = crate::config::lint::Check {
            id: $id,
            level: crate::config::problem::Level::$level,
            what: $what,
            why: $why,
            repair: $repair,
            bad: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/lint/cases/", $id, "/bad.yaml")),
            good: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/lint/cases/", $id, "/good.yaml")),
            look: $look,
        };
    };
}
use check;

/// The check of that id.
pub(super) fn by_id(id: &str) -> Option<&'static Check> {
    CHECKS.iter().copied().find(|check| check.id == id)
}

impl Check {
    /// Whether a finding can be silenced: a mistake that a reader refuses cannot, there is nothing to run.
    fn may_be_silenced(&self, level: Level) -> bool {
        match self.look {
            Look::Comment => false,
            Look::Reader => level != Level::Error,
            Look::Rule(_) | Look::Site(_) | Look::Sample(_) | Look::Expr(_) | Look::SampleExpr(_) => true,
        }
    }

    /// Its documentation: what, why, the repair, and both examples.
    pub fn explain(&self) -> String {
        let indent = |text: &str| -> String {
            let lines = text.trim_end().lines().map(|line| line.split("#!").next().unwrap_or(line).trim_end());
            lines.map(|line| format!("    {line}").trim_end().to_owned() + "\n").collect()
        };
        let mut text = format!("{} ({}): {}\n\n", self.id, self.level.word(), self.what);
        text.push_str(&format!("Why: {}\nRepair: {}\n\n", self.why, self.repair));
        text.push_str(&format!("Found in:\n\n{}\nNot found in:\n\n{}", indent(self.bad), indent(self.good)));
        if self.may_be_silenced(self.level) {
            text.push_str(&format!("\nTo silence it: # bongsu: allow {} — reason", self.id));
        }
        text
    }
}

/// What a check found.
#[derive(Debug)]
struct Finding {
    check: &'static Check,
    /// Number of the file.
    source: usize,
    rule: Option<String>,
    at: Mark,
    message: String,
    help: String,
}

/// Collects the findings of one check.
#[derive(Debug)]
struct Found {
    check: &'static Check,
    source: usize,
    rule: Option<String>,
    list: Vec<Finding>,
}

impl Found {
    /// Says what is wrong at a place of the file at hand.
    fn say(&mut self, at: Mark, message: impl Into<String>, help: impl Into<String>) {
        self.list.push(Finding {
            check: self.check,
            source: self.source,
            rule: self.rule.clone(),
            at,
            message: message.into(),
            help: help.into(),
        });
    }

    /// The findings from now on are in this rule.
    fn within(&mut self, view: &View<'_>) {
        self.source = view.source;
        self.rule = Some(view.rule.id.to_string());
    }

    /// The findings from now on are in the rule `name` of the file `source`.
    fn about(&mut self, source: usize, name: &str) {
        self.source = source;
        self.rule = Some(name.to_owned());
    }

    /// The findings from now on are in this file, in no rule.
    fn inside(&mut self, source: usize) {
        self.source = source;
        self.rule = None;
    }
}

/// Everything that the checks find in `site`; those of recorded traffic only where there is some.
fn findings(site: &Site<'_>, traffic: Option<&Traffic>) -> Vec<Finding> {
    let mut all = Vec::new();
    for check in CHECKS {
        let mut found = Found { check, source: 0, rule: None, list: Vec::new() };
        match (check.look, traffic) {
            (Look::Site(look), _) => look(site, &mut found),
            (Look::Rule(look), _) => site.rules.iter().filter(|view| !is_expr(view)).for_each(|view| {
                found.within(view);
                look(view, site, &mut found);
            }),
            (Look::Sample(look), Some(traffic)) => site.rules.iter().filter(|view| !is_expr(view)).for_each(|view| {
                found.within(view);
                look(view, traffic, &mut found);
            }),
            (Look::Expr(look), _) => site.exprs.iter().for_each(|written| {
                found.about(written.source, &written.name);
                look(written, site, &mut found);
            }),
            (Look::SampleExpr(look), Some(traffic)) => site.exprs.iter().for_each(|written| {
                found.about(written.source, &written.name);
                look(written, traffic, site, &mut found);
            }),
            (Look::Sample(_) | Look::SampleExpr(_), None) | (Look::Comment | Look::Reader, _) => {}
        }
        all.append(&mut found.list);
    }
    all
}

/// Whether a rule is an expression: it has neither a window nor a threshold that could be looked at.
fn is_expr(view: &View<'_>) -> bool {
    matches!(view.rule.watch, Watch::Expr { .. })
}

/// Asks the checks, and notes what they find where it stands.
pub(super) fn note(sources: &mut [Source], parts: Parts<'_>, traffic: Option<&Traffic>) {
    for finding in findings(&Site::of(sources, parts), traffic) {
        let Some(source) = sources.get_mut(finding.source) else { continue };
        let outer = source.notes.within(finding.rule);
        source.notes.add(finding.check.level, finding.check.id, finding.at, finding.message, finding.help);
        source.notes.within(outer);
    }
}

/// Files with what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Sifted {
    /// What is wrong, by file and place.
    pub problems: Vec<Problem>,
    /// What somebody said is meant.
    pub silenced: Vec<Problem>,
    /// The files.
    pub files: Vec<SourceFile>,
}

/// Gives up the notes of all files, without what their comments silence.
pub(super) fn sift(sources: Vec<Source>) -> Sifted {
    let mut sifted = Sifted::default();
    // A file that was read in two parts is one.
    let mut whole: Vec<Source> = Vec::new();
    for source in sources {
        match whole.last_mut().filter(|before| before.file.path == source.file.path) {
            Some(before) => before.notes.join(source.notes),
            None => whole.push(source),
        }
    }
    for source in whole {
        let name = source.file.path.display().to_string();
        let (mut left, mut calm) = allow::sift(&name, &source.file.text, source.notes.into_list());
        // Variables first, they have no place in the file.
        left.sort_by(|a, b| (a.line, a.col, a.id).cmp(&(b.line, b.col, b.id)));
        sifted.problems.append(&mut left);
        sifted.silenced.append(&mut calm);
        sifted.files.push(source.file);
    }
    sifted
}

/// Whether a finding that is an error stands against the rule `id`.
pub(super) fn refused(problems: &[Problem], id: &str) -> bool {
    problems.iter().any(|problem| {
        problem.level == Level::Error
            && problem.rule.as_deref() == Some(id)
            && by_id(problem.id).is_some_and(|check| !matches!(check.look, Look::Comment | Look::Reader))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_words_with_hyphens_and_stand_once() {
        for (n, check) in CHECKS.iter().enumerate() {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(check.id.chars().all(fits), "{}", check.id);
            assert!(CHECKS.iter().skip(n + 1).all(|other| other.id != check.id), "`{}` stands twice", check.id);
            let read = crate::config::EXPLAINED.iter().any(|(id, _)| *id == check.id);
            assert!(!read, "`{}` is noted by a reader too", check.id);
            for text in [check.what, check.why, check.repair] {
                assert!(text.ends_with('.') && text.len() > 20, "{}: {text}", check.id);
            }
        }
    }
}
