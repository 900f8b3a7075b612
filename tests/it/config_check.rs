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
    assert_eq!((code, text.as_str()), (0, "17 files, 51 rules: 0 errors, 0 warnings, 2 silenced\n"));
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
    let (_, text) = check(&CheckArgs { explain: Some("flaping".to_owned()), ..CheckArgs::default() });
    assert!(text.contains("did you mean `flapping`?"), "{text}");
    let (code, text) = check(&CheckArgs { explain: Some("unknown-key".to_owned()), ..CheckArgs::default() });
    assert!(code == 0 && text.starts_with("unknown-key: "));
    let (code, text) = check(&CheckArgs { keys: true, ..CheckArgs::default() });
    assert!(code == 0 && text.contains("window_memory: <size") && text.contains("recover: <map> "), "{text}");
}

#[test]
fn schemas_are_printed_by_kind() {
    let of = |kind: &str| check(&CheckArgs { schema: Some(kind.to_owned()), ..CheckArgs::default() });
    let committed = std::fs::read_to_string(here("configs/.schema/rules.schema.json")).unwrap();
    assert_eq!(of("rules"), (0, committed));
    assert_eq!(of("chains.yaml").0, 0);
    let (code, text) = of("rule");
    assert!(code == 2 && text.contains("rules, contacts, chains"), "{text}");
}

#[test]
fn silenced_findings_are_counted_and_listed_with_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    let text = "rules:\n  # bongsu: allow equals-fraction — 반값만 나오는 항목\n  - { id: a, title: 반값, metric: m, \
                window: { fn: avg, over: 5m }, when: equals, severity: { S2: { value: 0.5 } } }\n";
    std::fs::write(&path, text).unwrap();
    let args = CheckArgs { paths: vec![path], strict: true, ..CheckArgs::default() };
    assert_eq!(check(&args), (0, "1 file, 1 rule: 0 errors, 0 warnings, 1 silenced\n".to_owned()));
    let (_, text) = check(&CheckArgs { format: Format::Json, ..args });
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["id"], &lines[0]["silenced"]), (&"equals-fraction".into(), &"반값만 나오는 항목".into()));
    assert_eq!(lines[1]["silenced"], 1);
}

/// Three hosts, one of them without the label, one record that is none, one pulse.
#[test]
fn a_recording_shows_what_each_rule_would_have_seen() {
    let folder = tempfile::tempdir().unwrap();
    let sample = folder.path().join("a.ndjson");
    let record = |host: &str, labels: &str| {
        format!(
            r#"{{"v":1,"ts":1764000000000,"host":"{host}","points":[["app.queue",3,{{{labels}}}],["app.queue",4]]}}"#
        )
    };
    let lines = [
        record("a-1", r#""queue":"mail""#),
        record("a-2", r#""queue":"sms""#),
        record("a-2", r#""queue":"sms""#),
        r#"{"v":1,"ts":1764000000000,"host":"a-3","points":[["app.queue",5]]}"#.to_owned(),
        "no record".to_owned(),
        r#"{"v":1,"pulse":true,"log":{"topic":"t","partition":0,"offset":7,"at":1764000000000}}"#.to_owned(),
    ];
    std::fs::write(&sample, lines.join("\n")).unwrap();
    let path = folder.path().join("a.yaml");
    let rule = |id: &str, rest: &str| {
        let same =
            "metric: app.queue, window: { fn: avg, over: 5m }, when: above, severity: { S3: { value: 9, for: 1m } }";
        format!("  - {{ id: {id}, title: 대기열 {id} 적체, {same}, {rest} }}\n")
    };
    let rules = [rule("all", "by: [host, queue]"), rule("mail", "match: { queue: mail }, by: [host]")];
    std::fs::write(&path, format!("rules:\n{}", rules.concat())).unwrap();
    let args = CheckArgs { paths: vec![path.clone()], sample: Some(sample.clone()), ..CheckArgs::default() };
    let (code, text) = check(&args);
    let wanted = "all: 5 series, 5 identities\nmail: 1 series, 1 identity\nrecording: 4 records (1 refused)\n\
                  1 file, 2 rules: 0 errors, 0 warnings\n";
    assert_eq!((code, text.as_str()), (0, wanted));
    let (_, text) = check(&CheckArgs { format: Format::Json, ..args });
    assert!(text.contains(r#"{"type":"sampled","rule":"all","series":5,"identities":5}"#), "{text}");
    std::fs::write(&sample, "no record").unwrap();
    let args = CheckArgs { paths: vec![path], sample: Some(sample), ..CheckArgs::default() };
    let (code, text) = check(&args);
    assert!(code == 2 && text.contains("no record could be used (1 refused)"), "{text}");
}
