//! Results for people and for programs.
//!
//! The idea: people read what failed, in full, then what was refused, by construct, then one line of figures; what
//! passed is not worth a line.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::json;

use super::coverage::{Coverage, percent};
use super::{Case, Outcome};
use crate::cli::output;
use crate::time::show_duration;

/// Passed, failed, refused.
fn count(cases: &[Case]) -> (usize, usize, usize) {
    let of = |word: &str| cases.iter().filter(|case| case.result.word() == word).count();
    (of("pass"), of("fail"), of("refused"))
}

pub(super) fn human(cases: &[Case], coverage: Option<&Coverage>, out: &mut dyn Write) -> anyhow::Result<()> {
    for case in cases.iter().filter(|case| case.result == Outcome::Fail) {
        let at = show_duration(case.at);
        output::line(out, &format!("FAIL {} {} `{}` at {at}", case.file, case.kind, one_line(&case.name)))?;
        output::line(out, &format!("  {}\n", case.message.replace('\n', "\n  ")))?;
    }
    let mut refused: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        if let Outcome::Refused(construct) = &case.result {
            refused.entry(construct).or_default().push(case);
        }
    }
    for (construct, cases) in refused {
        let first = cases.first().map_or("", |case| case.message.lines().next().unwrap_or(""));
        output::line(out, &format!("refused {} × {construct}, first {first}", cases.len()))?;
    }
    if let Some(coverage) = coverage {
        cover(coverage, out)?;
    }
    let (passed, failed, refused) = count(cases);
    output::line(out, &format!("{passed} passed, {failed} failed, {refused} refused"))
}

/// A name of several lines on one.
fn one_line(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cover(coverage: &Coverage, out: &mut dyn Write) -> anyhow::Result<()> {
    for gap in &coverage.gaps {
        let file = if gap.file.is_empty() { String::new() } else { format!(" ({})", gap.file) };
        output::line(out, &format!("not shown: {}{file}: {}", gap.rule, gap.missing.join(", ")))?;
    }
    let (rules, shown) = coverage.rules;
    let mut parts = vec![format!("rules {}% ({shown} of {rules})", percent(rules, shown))];
    for (kind, (all, shown)) in &coverage.points {
        parts.push(format!("{kind} {}% ({shown} of {all})", percent(*all, *shown)));
    }
    output::line(out, &format!("coverage: {}", parts.join(", ")))
}

pub(super) fn json(cases: &[Case], coverage: Option<&Coverage>, out: &mut dyn Write) -> anyhow::Result<()> {
    for case in cases {
        let construct = match &case.result {
            Outcome::Refused(construct) => Some(construct),
            _ => None,
        };
        let mut line = json!({
            "type": "case", "file": case.file, "group": case.group, "kind": case.kind, "name": case.name,
            "at": case.at, "result": case.result.word(), "message": case.message,
        });
        if let Some(construct) = construct {
            line["construct"] = construct.as_str().into();
        }
        output::json(out, line)?;
    }
    if let Some(coverage) = coverage {
        for gap in &coverage.gaps {
            output::json(
                out,
                json!({ "type": "coverage", "rule": gap.rule, "file": gap.file, "missing": gap.missing }),
            )?;
        }
        let points: serde_json::Map<String, serde_json::Value> = coverage
            .points
            .iter()
            .map(|(kind, (all, shown))| ((*kind).to_owned(), json!({ "all": all, "shown": shown })))
            .collect();
        let (rules, shown) = coverage.rules;
        output::json(out, json!({ "type": "covered", "rules": rules, "shown": shown, "points": points }))?;
    }
    let (passed, failed, refused) = count(cases);
    output::json(out, json!({ "type": "summary", "passed": passed, "failed": failed, "refused": refused }))
}
