//! PromQL over data that no one here wrote: Prometheus's own test scripts, and real rule files.
//!
//! The idea: what is answered must be right, and what is not must say so by name; the numbers are printed, so that a
//! subset that shrinks is seen. Without the data beside the project there is nothing to read, and nothing is claimed.

use std::fs;
use std::path::{Path, PathBuf};

use bongsu::evaluate::promql::{Kind, parse};
use bongsu::pipeline::promqltest::{Tally, Verdict, run_script};

/// The files of a folder with this ending, sorted; none where the folder is not there.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new("../shared/data/promql").join(folder)).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.retain(|path| path.extension().is_some_and(|ext| ext == ending));
    found.sort();
    found
}

#[test]
fn scripts_are_answered_rightly_or_refused_by_name() {
    let scripts = files("promqltest", "test");
    if scripts.is_empty() {
        return;
    }
    let (mut tally, mut wrong) = (Tally::default(), Vec::new());
    for path in scripts {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let cases = run_script(&name, &fs::read_to_string(&path).unwrap());
        tally.add(&cases);
        for case in cases {
            match case.verdict {
                Verdict::Pass => {}
                Verdict::Fail(why) => wrong.push(format!("{name}:{}: {}\n  {why}", case.line, case.expression)),
                Verdict::Refused { at, why, .. } => {
                    assert!(at.end <= case.expression.len() && !why.is_empty(), "{name}:{}", case.line);
                }
            }
        }
    }
    println!("{tally}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(tally.right + tally.refused.values().sum::<usize>(), 447, "evaluations in the scripts");
    assert!(tally.right >= 338, "{tally}");
}

/// The text of each `expr:` of a rule file; enough YAML for files that are written plainly.
fn expressions(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let Some(rest) = line.trim_start().trim_start_matches("- ").strip_prefix("expr:") else { continue };
        let depth = line.find("expr:").unwrap_or(0);
        let rest = rest.trim();
        if rest.starts_with(['|', '>']) {
            let deeper = |line: &&&str| line.trim().is_empty() || line.len() - line.trim_start().len() > depth;
            found.push(lines[n + 1..].iter().take_while(deeper).copied().collect::<Vec<_>>().join("\n"));
        } else if let Some(quoted) = rest.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            found.push(quoted.replace("''", "'"));
        } else if let Some(quoted) = rest.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            found.push(quoted.replace("\\\"", "\"").replace("\\\\", "\\"));
        } else {
            found.push(rest.to_owned());
        }
    }
    found
}

#[test]
fn expressions_of_real_rule_files_are_read() {
    let mut paths = files("rules", "yml");
    paths.extend(files("rules", "yaml"));
    if paths.is_empty() {
        return;
    }
    let (mut read, mut refused, mut wrong) = (0, 0, Vec::new());
    for path in paths {
        for text in expressions(&fs::read_to_string(&path).unwrap()) {
            match parse(&text) {
                Ok(expr) => {
                    assert!(matches!(expr.kind(), Kind::Vector | Kind::Scalar), "{text}");
                    read += 1;
                }
                Err(problem) if problem.construct.is_some() => refused += 1,
                Err(problem) => wrong.push(format!("{}: {text}\n  {problem}", path.display())),
            }
        }
    }
    println!("read {read} expressions, refused {refused}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read >= 106, "read {read}");
}
