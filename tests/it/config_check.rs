//! `bongsu check`: exit codes, both output forms, the summary.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::path::{Path, PathBuf};

use bongsu::cli::check::{CheckArgs, Format, run};

/// 2026-03-01 09:00 in Korea.
const NOW: i64 = 1_772_323_200_000;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn check(args: &CheckArgs) -> (u8, String) {
    let mut out = Vec::new();
    let code = run(args, &mut out, NOW);
    (code, String::from_utf8(out).unwrap())
}

fn of(paths: &[&str]) -> CheckArgs {
    CheckArgs { paths: paths.iter().map(|path| here(path)).collect(), ..CheckArgs::default() }
}

#[test]
fn what_is_right_ends_with_0() {
    let (code, text) = check(&of(&["configs"]));
    assert_eq!((code, text.as_str()), (0, "11 files, 13 rules: 0 errors, 0 warnings\n"));
    let (code, _) = check(&of(&["configs/rules/host.yaml"]));
    assert_eq!(code, 0, "one file alone");
    let (code, _) = check(&of(&["configs/bongsu.yaml"]));
    assert_eq!(code, 0);
}

#[test]
fn problems_are_json_lines_with_a_summary_at_the_end() {
    let (code, text) = check(&CheckArgs { format: Format::Json, ..of(&["tests/configs-bad/rules.yaml"]) });
    assert_eq!(code, 1);
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (summary, problems) = lines.split_last().unwrap();
    let wanted = r#"{"type":"summary","files":1,"rules":0,"refused":5,"errors":10,"warnings":0}"#;
    assert_eq!(*summary, serde_json::from_str::<serde_json::Value>(wanted).unwrap());
    assert_eq!(problems.len(), 10);
    assert!(problems.iter().all(|problem| problem["type"] == "problem" && problem["level"] == "error"));
    assert_eq!(
        (&problems[0]["rule"], &problems[0]["line"], &problems[0]["id"]),
        (&"a-1".into(), &4.into(), &"unknown-key".into())
    );
    assert_eq!(problems[0]["help"], "did you mean `metric`?");
}

#[test]
fn warnings_count_only_when_they_are_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    let text = "rules:\n  - { id: a, metric: m, window: { fn: avg, over: 5m }, when: equals, \
                severity: { S2: { value: 0.5 } } }\n";
    std::fs::write(&path, text).unwrap();
    let args = CheckArgs { paths: vec![path], ..CheckArgs::default() };
    let (code, text) = check(&args);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("warning[equals-fraction]") && text.contains("a.yaml:2:"), "{text}");
    assert_eq!(check(&CheckArgs { strict: true, ..args }).0, 1);
}

#[test]
fn what_cannot_run_ends_with_2() {
    assert_eq!(check(&of(&["configs/none"])).0, 2);
    assert_eq!(check(&CheckArgs { explain: Some("none".to_owned()), ..CheckArgs::default() }).0, 2);
    let (code, text) = check(&CheckArgs { explain: Some("unknown-key".to_owned()), ..CheckArgs::default() });
    assert!(code == 0 && text.starts_with("unknown-key: "));
    let (code, text) = check(&CheckArgs { keys: true, ..CheckArgs::default() });
    assert!(code == 0 && text.contains("window_memory: <size") && text.contains("recover: <map> "), "{text}");
}
