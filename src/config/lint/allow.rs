//! Silencing: `# bongsu: allow ID — reason` beside what is meant, `# bongsu: allow-file ID — reason` for a whole file.
//!
//! The idea: comments are found in the text, line by line, because the tree has none. A comment at the end of a line
//! covers that line and everything indented below it; one that stands alone covers the next line in the same way, so
//! one above a rule covers the rule and one above a key that key. A reason is asked for, because the next reader needs
//! it; an allowance that covers nothing is said, because it would hide the next mistake.
//!
//! Not here: mistakes that forbid a start. They cannot be silenced, only repaired.

use std::ops::RangeInclusive;

use super::super::explain::{known, similar};
use super::super::problem::{Level, Problem};
use super::{CHECKS, Look, check};

check!(REASON, "allow-no-reason", Warning, Look::Comment,
    what: "An allowance without a reason.",
    why: "Nobody dares to remove it, and nobody knows whether what it hides is still meant.",
    repair: "Write why: # bongsu: allow ID — reason.");

check!(UNKNOWN, "allow-unknown", Warning, Look::Comment,
    what: "An allowance for an id that no problem has, or whose problem cannot be silenced.",
    why: "It silences nothing; whoever wrote it believes that it does.",
    repair: "Take the id that stands in brackets in the output of `check`.");

check!(UNUSED, "allow-unused", Warning, Look::Comment,
    what: "An allowance that silences nothing.",
    why: "What it was for is repaired. Left in place it hides the next mistake of that kind in the same rule.",
    repair: "Delete the comment; should the finding come back, it is a new one.");

/// What a comment begins with.
const WORD: &str = "# bongsu:";

/// One id that a comment allows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Allow {
    id: String,
    reason: String,
    /// Where the id stands: line, column, length.
    at: (usize, usize, usize),
    covers: RangeInclusive<usize>,
}

/// Takes out of `problems` of the file `text` what its comments silence: (what is left, what was silenced). Comments
/// that do nothing are problems of their own.
pub(super) fn sift(file: &str, text: &str, problems: Vec<Problem>) -> (Vec<Problem>, Vec<Problem>) {
    let allows = allows(text);
    if allows.is_empty() {
        return (problems, Vec::new());
    }
    let mut used = vec![false; allows.len()];
    let (mut left, mut silenced) = (Vec::new(), Vec::new());
    for mut problem in problems {
        let covers = |allow: &Allow| {
            allow.id == problem.id
                && allow.covers.contains(&problem.line)
                && !allow.reason.is_empty()
                && may_be_silenced(problem.id, problem.level)
        };
        let covering: Vec<usize> = (0..allows.len()).filter(|n| allows.get(*n).is_some_and(covers)).collect();
        for n in &covering {
            used[*n] = true;
        }
        match covering.first().and_then(|n| allows.get(*n)) {
            Some(allow) => {
                problem.silenced = Some(allow.reason.clone());
                silenced.push(problem);
            }
            None => left.push(problem),
        }
    }
    for (allow, used) in allows.iter().zip(used) {
        left.extend(fault(allow, used).map(|(id, message, help)| noted(file, allow, (id, message, help))));
    }
    (left, silenced)
}

/// What can be silenced: warnings, notes, and findings of the checks.
fn may_be_silenced(id: &str, level: Level) -> bool {
    let own = CHECKS.iter().find(|check| check.id == id);
    own.map_or(level != Level::Error, |check| check.may_be_silenced(level))
}

/// What is wrong with an allowance.
fn fault(allow: &Allow, used: bool) -> Option<(&'static str, String, String)> {
    if !known(&allow.id) {
        let help = similar(&allow.id).map(|near| format!("did you mean `{near}`?"));
        let help = help.unwrap_or_else(|| "`check --explain all` lists them".to_owned());
        return Some((UNKNOWN.id, format!("no problem has the id `{}`", allow.id), help));
    }
    if allow.reason.is_empty() {
        let help = format!("write # bongsu: allow {} — reason", allow.id);
        return Some((REASON.id, format!("`{}` is allowed without a reason, so it is not", allow.id), help));
    }
    if !used {
        let message = format!("there is no `{}` here that could be silenced", allow.id);
        return Some((UNUSED.id, message, "delete the comment".to_owned()));
    }
    None
}

fn noted(file: &str, allow: &Allow, (id, message, help): (&'static str, String, String)) -> Problem {
    let (line, col, len) = allow.at;
    let level = Level::Warning;
    Problem { id, level, file: file.to_owned(), line, col, len, rule: None, message, help, silenced: None }
}

/// Every allowance of a text.
fn allows(text: &str) -> Vec<Allow> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let Some((before, rest)) = comment(line) else { continue };
        let rest = rest.trim_start();
        let (rest, whole) = match (rest.strip_prefix("allow-file"), rest.strip_prefix("allow")) {
            (Some(rest), _) => (rest, true),
            (None, Some(rest)) => (rest, false),
            (None, None) => continue,
        };
        let (ids, reason) = split(rest);
        let target = if before.trim().is_empty() { next(&lines, n) } else { Some(n) };
        let covers = match (whole, target) {
            (true, _) => 1..=lines.len().max(1),
            (false, Some(target)) => block(&lines, target),
            // At the end of a file there is nothing below it.
            (false, None) => n + 1..=n + 1,
        };
        for id in ids.split(',').map(str::trim).filter(|id| !id.is_empty()) {
            let byte = line.len() - rest.len() + rest.find(id).unwrap_or(0);
            let col = line.get(..byte).map_or(0, |text| text.chars().count()) + 1;
            let at = (n + 1, col, id.chars().count());
            found.push(Allow { id: id.to_owned(), reason: reason.to_owned(), at, covers: covers.clone() });
        }
    }
    found
}

/// What stands before and behind `# bongsu:` where that begins a comment.
fn comment(line: &str) -> Option<(&str, &str)> {
    let at = line.find(WORD)?;
    let before = line.get(..at)?;
    // A `#` begins a comment at the beginning of a line or behind a blank, as in YAML.
    let begins = before.is_empty() || before.ends_with([' ', '\t']);
    begins.then(|| (before, line.get(at + WORD.len()..).unwrap_or("")))
}

/// Ids and reason: `ID, ID — reason`; a hyphen that stands alone is taken for the dash.
fn split(rest: &str) -> (&str, &str) {
    let dashes = ["—", "–", " -- ", " - "];
    let first = dashes.iter().filter_map(|dash| rest.find(dash).map(|at| (at, dash.len()))).min();
    match first {
        Some((at, len)) => (rest.get(..at).unwrap_or(""), rest.get(at + len..).unwrap_or("").trim()),
        None => (rest, ""),
    }
}

/// The next line with something on it.
fn next(lines: &[&str], n: usize) -> Option<usize> {
    let written = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    lines.iter().skip(n + 1).position(written).map(|skip| n + 1 + skip)
}

/// The line `n` (from 0) and all that is indented below it, as line numbers from 1.
fn block(lines: &[&str], n: usize) -> RangeInclusive<usize> {
    let depth = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let own = lines.get(n).map_or(0, |line| depth(line));
    let below = lines.iter().skip(n + 1).take_while(|line| line.trim().is_empty() || depth(line) > own).count();
    n + 1..=n + 1 + below
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "rules:\n  # bongsu: allow flapping — 시험용\n  - id: a\n    metric: m\n\n    severity: { S2: { value: 5 } }\n  \
        - id: b\n    by: [pid]   # bongsu: allow by-cardinality, label-unknown - few of them\n";

    fn problem(id: &'static str, line: usize, level: Level) -> Problem {
        let (file, message) = ("a.yaml".to_owned(), String::new());
        Problem { id, level, file, line, col: 1, len: 1, rule: None, help: String::new(), message, silenced: None }
    }

    #[test]
    fn a_comment_covers_the_next_line_and_what_is_indented_below_it() {
        let found = allows(TEXT);
        let shown: Vec<_> = found.iter().map(|a| (a.id.as_str(), a.reason.as_str(), a.at, a.covers.clone())).collect();
        assert_eq!(
            shown,
            [
                ("flapping", "시험용", (2, 19, 8), 3..=6),
                ("by-cardinality", "few of them", (8, 33, 14), 8..=8),
                ("label-unknown", "few of them", (8, 49, 13), 8..=8),
            ]
        );
    }

    #[test]
    fn what_is_covered_goes_with_its_reason_and_what_is_not_stays() {
        let problems = vec![
            problem("flapping", 6, Level::Warning),
            problem("flapping", 7, Level::Warning),
            problem("by-cardinality", 8, Level::Warning),
            problem("label-unknown", 8, Level::Warning),
        ];
        let (left, silenced) = sift("a.yaml", TEXT, problems);
        assert_eq!(left.iter().map(|p| (p.id, p.line)).collect::<Vec<_>>(), [("flapping", 7)]);
        let reasons: Vec<_> = silenced.iter().map(|p| p.silenced.as_deref().unwrap_or("")).collect();
        assert_eq!(reasons, ["시험용", "few of them", "few of them"]);
    }

    #[test]
    fn a_comment_that_does_nothing_is_a_problem() {
        let text =
            "# bongsu: allow-file flaping — x\na: 1 # bongsu: allow flapping\nb: 2 # bongsu: allow flapping — y\n";
        let (left, silenced) = sift("a.yaml", text, vec![problem("flapping", 2, Level::Warning)]);
        let ids: Vec<_> = left.iter().map(|p| (p.id, p.line)).collect();
        assert_eq!(ids, [("flapping", 2), ("allow-unknown", 1), ("allow-no-reason", 2), ("allow-unused", 3)]);
        assert!(silenced.is_empty());
        assert_eq!(left[1].help, "did you mean `flapping`?");
    }

    #[test]
    fn a_mistake_that_forbids_a_start_cannot_be_silenced() {
        let text = "a: 1 # bongsu: allow unknown-key — please\n";
        let (left, silenced) = sift("a.yaml", text, vec![problem("unknown-key", 1, Level::Error)]);
        assert_eq!((left.len(), silenced.len()), (2, 0));
    }

    #[test]
    fn a_word_inside_a_text_is_no_comment() {
        assert!(allows("a: \"x# bongsu: allow flapping — y\"\n").is_empty());
    }
}
