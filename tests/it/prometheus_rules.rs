//! Prometheus rule files: in `check` each mistake at its place, run like rules of our own, and the files that people use.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::path::{Path, PathBuf};

use bongsu::config::{self, Ask, Level, Loaded};
use bongsu::evaluate::template::{Scene, Template};
use bongsu::model::Labels;
use serde_json::Value;

use crate::site::{bongsu, json_lines};

fn load(path: &Path) -> Loaded {
    config::load(&[path.to_owned()], &Ask { env: &[], now: 1_772_323_200_000, whole: false })
}

fn load_text(text: &str) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("규칙.yml");
    std::fs::write(&path, text).unwrap();
    load(&path)
}

/// Every problem as `line:col piece id`, the piece being what it underlines.
fn told(text: &str) -> Vec<String> {
    let loaded = load_text(text);
    let piece = |line: usize, col: usize, len: usize| -> String {
        text.lines().nth(line - 1).unwrap_or("").chars().skip(col - 1).take(len).collect()
    };
    let mut found: Vec<_> =
        loaded.problems.iter().map(|p| (p.line, p.col, piece(p.line, p.col, p.len), p.id)).collect();
    found.sort();
    found.into_iter().map(|(line, col, piece, id)| format!("{line}:{col} {piece} {id}")).collect()
}

const BAD: &str = r#"groups:
  - name: 서버
    rules:
      - alert: 느림          # 설명
        expr: |
          # 응답 시간
          rate(http_requests_total{job="웹"}[5m]) >
            on(job) sum by (job (x)
        for: 5 minutes
        labels: { __name__: 빈이름 }
        annotations:
          summary: "'{{ $label.job }}' 느림"
          text: >-
            접은 글에서도
            {{ $value | humanise }}
      - record: a:b
        expr: 'up{이름="가"} =='
        for: 5m
        annotations: { a: b }
      - alert: A
        record: b
        expr: up[5m]
      - expr: up
        lables: { a: b }
  - name: 서버
    interval: 1m
"#;

#[test]
fn every_mistake_is_told_at_once_and_at_its_place() {
    let told = told(BAD);
    for wanted in [
        "9:14 5 minutes bad-value",
        "10:19 __name__ label-name",
        "12:25 $label bad-template",
        "15:25 humanise bad-template",
        "18:9 for record-key",
        "19:9 annotations record-key",
        "21:9 record rule-kind",
        "22:15 up[5m] bad-expr",
        "24:9 lables unknown-key",
        "25:11 서버 duplicate-group",
    ] {
        assert!(told.iter().any(|found| found == wanted), "{wanted} is not among\n{}", told.join("\n"));
    }
    let expressions: Vec<_> = told.iter().filter(|found| found.ends_with("bad-expr")).collect();
    assert_eq!(expressions.len(), 3, "{told:#?}");
    assert!(expressions[0].starts_with("8:") && expressions[1].starts_with("17:"), "{expressions:?}");
    assert!(told.iter().any(|found| found.starts_with("23:") && found.ends_with("rule-kind")), "{told:#?}");
}

#[test]
fn a_key_without_a_value_is_as_if_it_were_not_there() {
    let text = "groups:\n  - name: a\n    labels:\n    rules:\n      - alert: A\n        expr: up == 0\n        for:\n        labels: { a: }\n";
    let loaded = load_text(text);
    assert_eq!((loaded.errors(), loaded.rule_count()), (0, 1), "{:?}", loaded.problems);
    assert_eq!(
        told(&text.replace("for:", "four:"))
            .into_iter()
            .filter(|told| !told.ends_with("expr-noisy-no-for"))
            .collect::<Vec<_>>(),
        ["7:9 four unknown-key"]
    );
    assert_eq!(told(&text.replace("expr: up == 0", "expr:")), ["5:9  missing-key"]);
}

#[test]
fn kubernetes_objects_and_several_documents_load() {
    let text = r#"apiVersion: v1
kind: ConfigMap
metadata: { name: other }
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: { name: r, labels: { role: alert-rules } }
spec:
  groups:
    - name: a
      partial_response_strategy: warn
      labels: { team: x, area: y }
      query_offset: 1m
      limit: 10
      rules:
        - alert: A
          expr: up == 0
          for: 5m
          keep_firing_for: 5m
          labels: { area: z }
          annotations:
    - name: b
      interval: 30s
      rules:
        - { record: "c:d", expr: 1 }
"#;
    let loaded = load_text(text);
    assert_eq!(loaded.problems, []);
    assert_eq!((loaded.rule_count(), loaded.refused), (2, 0));
    let groups = &loaded.rule_files[0].groups;
    assert_eq!((groups[0].limit, groups[0].query_offset, groups[1].interval), (10, 60_000, Some(30_000)));
    assert_eq!(groups[0].rules[0].labels.to_string(), r#"{area="z",team="x"}"#, "a rule's label wins");
    let two = format!("groups:\n  - name: x\n    rules: []\n---\n{text}");
    let loaded = load_text(&two);
    assert_eq!((loaded.problems.len(), loaded.rule_files[0].groups.len()), (0, 3));
}

#[test]
fn a_configuration_runs_them() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    for name in ["bongsu.yaml", "contacts.yaml", "chains.yaml", "inventory.yaml", "calendar.yaml"] {
        write(name, &std::fs::read_to_string(shipped.join(name)).unwrap());
    }
    write("rules/p.yml", RUN);
    let loaded = load(folder.path());
    let wrong: Vec<_> = loaded.problems.iter().map(|p| (p.id, p.line, p.col)).collect();
    assert_eq!(wrong, []);
    let rules: Vec<(String, String, &str, i64)> = loaded
        .rules
        .rules
        .iter()
        .map(|rule| (rule.id.to_string(), rule.title.clone(), rule.levels[0].severity.code(), rule.interval))
        .collect();
    let of = |id: &str, title: &str, severity| (id.to_owned(), title.to_owned(), severity, 10_000);
    assert_eq!(rules, [of("CpuHigh", "CPU 과다", "S1"), of("CpuHigh-2", "CpuHigh", "S2")]);
    assert_eq!(loaded.rules.groups.len(), 1);
    let hash = loaded.rules.hash.clone();
    write("rules/p.yml", &RUN.replace("avg by (host)", "max by (host)"));
    assert_ne!(load(folder.path()).rules.hash, hash, "what is recorded counts");
}

/// Ids hang on names alone: an alert that is put before others changes none.
#[test]
fn korean_names_have_ids_of_their_own() {
    let ids = |names: &[&str]| -> Vec<String> {
        let rules: Vec<String> = names
            .iter()
            .map(|name| format!("{{ alert: {name}, expr: 'up{{job=\"{name}\"}} == 0', for: 5m }}"))
            .collect();
        let loaded = load_text(&format!("groups:\n  - name: a\n    rules: [{}]\n", rules.join(", ")));
        assert_eq!(loaded.problems, []);
        loaded.rules.rules.iter().map(|rule| rule.id.to_string()).collect()
    };
    let (two, three) = (ids(&["느림", "빠름"]), ids(&["멈춤", "느림", "빠름"]));
    assert_eq!((two.len(), three.len()), (2, 3));
    assert!(two.iter().all(|id| three.contains(id) && id.is_ascii()), "{two:?} {three:?}");
}

/// A recording, and two alerts of one name over it.
const RUN: &str = r#"groups:
  - name: cpu
    interval: 10s
    rules:
      - { record: "host:cpu", expr: "avg by (host) (avg_over_time(system_cpu_utilization_ratio[30s]))" }
      - alert: CpuHigh
        expr: host:cpu > 0.95
        for: 20s
        labels: { severity: critical, who: "{{ $labels.host }}" }
        annotations: { title: CPU 과다, summary: "{{ $labels.host }} has {{ $value }}" }
      - alert: CpuHigh
        expr: host:cpu > 0.8
        keep_firing_for: 30s
        labels: { severity: warning }
"#;

/// One is high from 60 s to 140 s and very high from 80 s on, the other never.
#[test]
fn replay_runs_them_to_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let (rules, input) = (folder.path().join("p.yml"), folder.path().join("in.ndjson"));
    std::fs::write(&rules, RUN).unwrap();
    let mut text = String::new();
    let begin = 1_764_000_000_000_i64;
    for step in 0..40 {
        let ts = begin + step * 5_000;
        let busy = match step * 5 {
            60..80 => 0.9,
            80..140 => 0.99,
            _ => 0.1,
        };
        for (host, value) in [("a", busy), ("b", 0.5)] {
            text.push_str(&format!(
                "{{\"v\":1,\"ts\":{ts},\"host\":\"{host}\",\"points\":[[\"system.cpu.utilization\",{value}]]}}\n"
            ));
        }
    }
    std::fs::write(&input, text).unwrap();
    let show = |path: &Path| path.display().to_string();
    let run = bongsu(&["replay", "--rules", &show(&rules), "--input", &show(&input), "--format", "json"]);
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    let lines = json_lines(&run);
    let signals: Vec<String> = lines
        .iter()
        .filter(|line| line["type"] == "signal")
        .map(|line| {
            let word = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            let at = (line["at"].as_i64().unwrap() - begin) / 1_000;
            format!("{at} {} {}>{} {} {}", word("rule"), word("from"), word("to"), word("severity"), line["labels"])
        })
        .collect();
    let labels = r#"{"host":"a"}"#;
    let own = r#"{"host":"a","who":"a"}"#;
    assert_eq!(
        signals,
        [
            format!("90 CpuHigh-2 inactive>firing S2 {labels}"),
            format!("100 CpuHigh inactive>pending  {own}"),
            format!("120 CpuHigh pending>firing S1 {own}"),
            format!("140 CpuHigh firing>resolved S1 {own}"),
            format!("150 CpuHigh-2 firing>recovering S2 {labels}"),
            format!("180 CpuHigh-2 recovering>resolved S2 {labels}"),
        ]
    );
    let page = |line: &&Value| line["type"] == "page" && line["reason"] == "first";
    let pages: Vec<&Value> = lines.iter().filter(page).collect();
    assert!(!pages.is_empty() && pages.iter().all(|page| !page["text"].as_str().unwrap().contains("\"a\"")));
}

/// The rule files that people use, where they are at hand.
#[test]
fn rule_files_of_the_field_load() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/promql/rules");
    let Ok(entries) = std::fs::read_dir(&folder) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yml" || ending == "yaml"));
    let (mut alerts, mut written, mut shown) = (0, 0, String::new());
    for path in &paths {
        let loaded = load(path);
        let text = std::fs::read_to_string(path).unwrap();
        written += text.lines().filter(|line| line.trim_start().trim_start_matches("- ").starts_with("alert:")).count();
        let rules = loaded.rule_files.iter().flat_map(|file| &file.groups).flat_map(|group| &group.rules);
        alerts += rules.filter(|rule| matches!(rule.kind, bongsu::model::GroupRuleKind::Alert { .. })).count();
        let errors = loaded.problems.iter().filter(|problem| problem.level == Level::Error);
        shown.extend(errors.map(|problem| problem.to_human(loaded.text(problem))));
    }
    assert!(written >= 100, "{written} alerts in {}", folder.display());
    assert!(alerts + 3 >= written, "{alerts} of {written} alerts load:\n{shown}");
}

/// Templates of our own with what Prometheus 3's template package made of them: `[text, value, result]`, the result
/// `null` where it refused them. Recorded once, so that no Go is needed here.
#[test]
fn templates_say_what_prometheus_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prometheus/templates.ndjson");
    let labels = Labels::new([("instance", "db-01:9100"), ("job", "노드")]);
    let external_labels = Labels::new([("site", "대구")]);
    let query = |text: &str| match text {
        "two" => Ok(vec![(Labels::new([("host", "b")]), 2.0), (Labels::new([("host", "a")]), 1.5)]),
        "none" => Ok(Vec::new()),
        other => Err(format!("`{other}` is not known")),
    };
    let mut differ = Vec::new();
    let mut count = 0;
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let (text, value, wanted): (String, String, Option<String>) = serde_json::from_str(line).unwrap();
        let scene = Scene {
            labels: &labels,
            value: value.parse().unwrap(),
            external_labels: &external_labels,
            external_url: "https://bongsu.test/a",
            query: &query,
        };
        let found = Template::parse(&text).and_then(|template| template.render(&scene)).ok();
        if found != wanted {
            differ.push(format!("{text} of {value}: {found:?}, not {wanted:?}"));
        }
        count += 1;
    }
    assert!(count > 900, "{count} templates");
    assert!(differ.is_empty(), "\n{}", differ.join("\n"));
}
