//! `bongsu test` as a command: scenarios, promtool's tests, exit codes, JSON, JUnit, coverage.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use bongsu::config;
use bongsu::pipeline::unittest;
use serde_json::Value;

struct Ran {
    code: i32,
    lines: Vec<Value>,
    text: String,
}

impl Ran {
    /// Group and name of the cases with this result.
    fn cases(&self, result: &str) -> Vec<(u64, String)> {
        let cases = self.lines.iter().filter(|line| line["type"] == "case" && line["result"] == result);
        cases.map(|case| (case["group"].as_u64().unwrap(), case["name"].as_str().unwrap().to_owned())).collect()
    }

    fn summary(&self) -> (u64, u64, u64) {
        let last = self.lines.last().unwrap();
        let count = |key: &str| last[key].as_u64().unwrap();
        (count("passed"), count("failed"), count("refused"))
    }
}

fn test(args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bongsu"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("test").args(args);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ran { code: output.status.code().unwrap(), lines, text }
}

fn json(path: &Path, args: &[&str]) -> Ran {
    let path = path.display().to_string();
    test(&[&[path.as_str(), "--format", "json"], args].concat())
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const RULES: &str = r#"groups:
  - name: 서버
    labels: { team: 운영 }
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - alert: Down
        expr: up == 0
        for: 2m
        labels: { severity: "{{ if eq $labels.job `db` }}S1{{ else }}S2{{ end }}" }
        annotations: { text: "{{ $labels.host }} 값 {{ $value }} ({{ with query `job:up:sum` }}{{ . | first | value }}{{ end }})" }
      - alert: Never
        expr: up > 5
"#;

const TESTS: &str = r#"rule_files: [ "r*.yml" ]
evaluation_interval: 1m
tests:
  - name: 내려간 서버
    input_series:
      - { series: 'up{job="db",host="가"}', values: "1 0x5 _x3 stale" }
      - { series: 'up{job="web",host="나"}', values: "1+0x9" }
    alert_rule_test:
      - { eval_time: 2m59s, alertname: Down }
      - eval_time: 3m
        alertname: Down
        exp_alerts:
          - exp_labels: { severity: S1, job: db, host: 가, team: 운영 }
            exp_annotations: { text: "가 값 0 (0)" }
    promql_expr_test:
      - expr: job:up:sum
        eval_time: 4m
        exp_samples:
          - { labels: 'job:up:sum{job="db",team="운영"}', value: 0 }
          - { labels: 'job:up:sum{job="web",team="운영"}', value: 1 }
      - expr: count(ALERTS)
        eval_time: 9m
        exp_samples: [ { value: 1 } ]
  - name: 틀린 기대
    interval: 30s
    input_series:
      - { series: a, values: "1 2 2" }
    promql_expr_test:
      - { expr: a * 2, eval_time: 1m, exp_samples: [ { labels: "{}", value: 3 } ] }
      - { expr: a +, eval_time: 0 }
  - name: 히스토그램
    input_series:
      - { series: h, values: "{{schema:0 sum:1 count:1}}x3" }
    promql_expr_test:
      - { expr: h, exp_samples: [] }
"#;

#[test]
fn promtool_tests_give_their_verdict() {
    let folder = folder(&[("r1.yml", RULES), ("t.yml", TESTS)]);
    let file = folder.path().join("t.yml");
    let ran = json(&file, &[]);
    assert_eq!(ran.code, 1, "{}", ran.text);
    assert_eq!(ran.summary(), (4, 2, 1), "{}", ran.text);
    assert_eq!(ran.cases("fail"), [(1, "a * 2".to_owned()), (1, "a +".to_owned())]);
    assert_eq!(ran.cases("refused"), [(2, "h".to_owned())]);
    let failed = ran.lines.iter().find(|line| line["name"] == "a * 2").unwrap()["message"].as_str().unwrap().to_owned();
    assert!(failed.contains("t.yml:29:17"), "{failed}");
    assert!(failed.contains("expected: {} 3") && failed.contains("came: {} 4"), "{failed}");
    let chosen = json(&file, &["--run", "서버"]);
    assert_eq!((chosen.code, chosen.summary()), (0, (4, 0, 0)), "{}", chosen.text);
    let none = json(&file, &["--run", "없는 이름"]);
    assert_eq!(none.code, 2, "a filter that fits nothing is no success: {}", none.text);
    let whole = json(folder.path(), &[]);
    assert_eq!(whole.summary(), ran.summary(), "a folder is what is in it: {}", whole.text);
}

#[test]
fn what_people_and_build_servers_read() {
    let folder = folder(&[("r1.yml", RULES), ("t.yml", TESTS)]);
    let xml = folder.path().join("out.xml");
    let file = folder.path().join("t.yml").display().to_string();
    let ran = test(&[&file, "--junit", &xml.display().to_string(), "--coverage"]);
    assert_eq!(ran.code, 1);
    for part in
        ["FAIL ", "`a * 2` at 1m", "refused 1 × native histogram", "not shown: Never", "4 passed, 2 failed, 1 refused"]
    {
        assert!(ran.text.contains(part), "{part} is not in\n{}", ran.text);
    }
    assert!(ran.text.contains("rules 66% (2 of 3)"), "{}", ran.text);
    let xml = std::fs::read_to_string(xml).unwrap();
    assert!(xml.contains("tests=\"7\" failures=\"2\" errors=\"1\""), "{xml}");
}

#[test]
fn mistakes_of_files_fail_their_tests_only() {
    let series = "    input_series: [ { series: 'a{', values: 1 } ]\n    promql_expr_test: [ { expr: a } ]\n";
    let good = "  - promql_expr_test: [ { expr: \"1\", exp_samples: [ { value: 1 } ] } ]\n";
    let tests = format!("tests:\n  - name: 가\n{series}{good}");
    let rules = "groups: [ { name: a, rules: [ { alert: A, expr: up, annotations: { a: '{{ $x }}' } } ] } ]\n";
    let folder = folder(&[
        ("series.yml", &tests),
        ("key.yml", "tests:\n  - input: []\n"),
        ("rule.yml", &format!("rule_files: [ bad.yml ]\ntests:\n{good}")),
        ("bad.yml", rules),
        ("empty.yaml", "rules: []\n"),
    ]);
    let ran = |name: &str| json(&folder.path().join(name), &[]);
    let series = ran("series.yml");
    assert_eq!(series.summary(), (1, 1, 0), "the other group still runs: {}", series.text);
    assert!(series.text.contains("series.yml:3:"), "{}", series.text);
    assert_eq!(ran("key.yml").summary(), (0, 1, 0));
    let rule = ran("rule.yml");
    assert_eq!(rule.summary(), (0, 1, 0));
    assert!(rule.text.contains("bad.yml:1:") && rule.text.contains("undefined variable"), "{}", rule.text);
    assert_eq!(ran("empty.yaml").code, 2, "nothing to run");
    assert_eq!(ran("none.yaml").code, 2);
}

#[test]
fn scenarios_run_by_the_command() {
    let text = "rules:
  - { id: cpu, metric: m, by: [host], window: { fn: last, over: 1m }, when: above, severity: { S1: { value: 9 }, S3: { value: 5 } } }
scenarios:
  - name: 높음
    feed: [ { series: 'm{host=\"a\"}', every: 10s, values: \"1x3 7x3 1x3\" } ]
    expect: [ { at: 40s, signal: cpu, to: firing, severity: S3 } ]
  - name: 틀림
    feed: [ { series: 'm{host=\"a\"}', every: 10s, values: \"1x3\" } ]
    expect: [ { at: 10s, signal: cpu, to: firing } ]
";
    let folder = folder(&[("s.yaml", text)]);
    let ran = json(&folder.path().join("s.yaml"), &["--coverage"]);
    assert_eq!((ran.code, ran.summary()), (1, (1, 1, 0)), "{}", ran.text);
    assert_eq!(ran.cases("pass"), [(0, "높음".to_owned())]);
    assert_eq!(ran.cases("fail"), [(1, "틀림".to_owned())]);
    assert!(ran.text.contains("s.yaml:9: "), "{}", ran.text);
    let gap = ran.lines.iter().find(|line| line["type"] == "coverage").unwrap();
    assert_eq!(gap["missing"], serde_json::json!(["S1", "no_data"]), "{}", ran.text);
}

#[test]
fn what_is_shipped_passes() {
    let ran = json(Path::new("configs"), &[]);
    assert_eq!(ran.code, 0, "{}", ran.text);
    assert!(ran.summary().0 >= 10, "{}", ran.text);
}

/// Random rule groups and tests of our own with the verdict of Prometheus 3's promtool, recorded once. Results that are
/// expected in them are those of this engine, so a verdict agrees only where every value does.
#[test]
fn random_tests_give_the_verdict_of_promtool() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prometheus/units.ndjson");
    let mut wrong = Vec::new();
    let mut count = 0;
    for (n, line) in std::fs::read_to_string(path).unwrap().lines().enumerate() {
        let row: Value = serde_json::from_str(line).unwrap();
        let folder = folder(&[("rules.yml", &row["rules"].to_string()), ("t.yml", &row["tests"].to_string())]);
        let load = |name: &str| {
            let ask = config::Ask { env: &[], now: 1_772_323_200_000, whole: false };
            config::load(&[folder.path().join(name)], &ask)
        };
        let rules = load("rules.yml");
        let file = load("t.yml").unit_files.remove(0);
        let passes = rules.errors() == 0
            && file.groups.iter().all(|group| {
                let outcome = unittest::run(&file, group, &rules.rule_files);
                outcome.cases.iter().all(|case| case.verdict == unittest::Verdict::Pass)
            });
        if row["passes"] != passes {
            wrong.push(format!("line {}: passes: {passes}", n + 1));
        }
        count += 1;
    }
    assert!(count >= 60, "{count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// promtool's own files, where they are at hand: its verdicts, worked out from what each file says it shows.
#[test]
fn promtool_files_give_promtool_s_verdict() {
    let data: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/promql/promtool");
    if !data.is_dir() {
        return;
    }
    let ran = |name: &str| json(&data.join(name), &[]);
    for name in ["long-period.yml", "no-test-group-interval.yml"] {
        let ran = ran(name);
        assert_eq!((ran.code, ran.summary().1, ran.summary().2), (0, 0, 0), "{name}: {}", ran.text);
    }
    let unit = ran("unittest.yml");
    assert_eq!(unit.summary().1, 0, "{}", unit.text);
    assert!(unit.cases("refused").iter().all(|(group, _)| *group == 0), "only the one with histograms");
    assert_eq!(unit.cases("pass").iter().filter(|(group, _)| *group == 0).count(), 0);
    for (name, fails) in [("failing.yml", 4), ("bad-promql.yml", 1), ("bad-rules-error-test.yml", 1)] {
        let ran = ran(name);
        assert_eq!((ran.code, ran.summary()), (1, (0, fails, 0)), "{name}: {}", ran.text);
    }
    let right = json(&data.join("rules_run.yml"), &["--run", "correct"]);
    assert_eq!((right.code, right.summary()), (0, (1, 0, 0)), "{}", right.text);
    let both = ran("rules_run.yml");
    assert_eq!((both.code, both.summary()), (1, (1, 1, 0)), "{}", both.text);
}

#[test]
fn annotations_may_be_left_out_of_the_comparison() {
    let rules =
        "groups: [ { name: g, rules: [ { alert: Down, expr: up == 0, annotations: { text: '{{ $value }}' } } ] } ]\n";
    let one = "alertname: Down, exp_alerts: [ { exp_labels: { host: a } } ]";
    let group = |keys: &str, test: &str| {
        format!(
            "  - {keys}\n    input_series: [ {{ series: 'up{{host=\"a\"}}', values: 0 }} ]\n    alert_rule_test: [ {{ {one}{test} }} ]\n"
        )
    };
    let groups =
        [group("ignore_annotations: true", ""), group("name: b", ", ignore_annotations: true"), group("name: c", "")];
    let folder = folder(&[("r.yml", rules), ("t.yml", &format!("rule_files: [ r.yml ]\ntests:\n{}", groups.concat()))]);
    let ran = json(&folder.path().join("t.yml"), &[]);
    assert_eq!(ran.summary(), (2, 1, 0), "{}", ran.text);
    assert_eq!(ran.cases("fail"), [(2, "Down".to_owned())]);
}
