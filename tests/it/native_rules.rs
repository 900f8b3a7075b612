//! The native rule form from its YAML to what people hear: ratios, conditions, overrides, templates, shadow, panes.

use std::path::PathBuf;

use bongsu::config::{self, Ask, Loaded};
use bongsu::model::{Function, Mode};
use bongsu::pipeline::scenario;

use crate::site::{bongsu, json_lines};

const RULES: &str = r#"
version: 1
defaults: { domain: 응용, group_by: [service], recover: { for: 1m }, no_data: { after: 3m } }
templates:
  busy:
    metric: t.busy
    by: [host]
    window: { fn: avg, over: 1m }
    when: above
    severity: { S1: { value: 95% }, S2: { value: 80% } }
rules:
  - { id: busy-db, title: 사용률 과다, use: busy, group_by: [], severity: { S1: { value: 90% } } }
  - id: errors
    title: 오류율 과다
    ratio: { of: { metric: t.requests, match: { code: "=~5.." } }, to: { metric: t.requests }, min: 1/s }
    by: [service]
    window: { fn: rate, over: 1m }
    when: above
    severity: { S2: { value: 50% } }
    overrides: [ { match: { service: dispatch }, severity: { S1: { value: 5% } } } ]
  - id: loaded
    title: 부하 과다
    by: [host]
    all:
      - { metric: t.load, window: { fn: last, over: 1m }, when: above, values: { S1: 20, S2: 10 } }
      - { metric: t.queue, window: { fn: max, over: 1m }, when: at_least, value: 5 }
    severity: { S1: { for: 20s }, S2: {} }
  - id: tried
    title: 시험 중
    mode: shadow
    metric: t.tried
    by: [host]
    window: { fn: p95, over: 1m }
    when: above
    severity: { S1: { value: 5 } }
  - id: long
    title: 장기 평균 과다
    metric: t.long
    by: [host]
    window: { fn: avg, over: 30m, step: 5m }
    when: above
    severity: { S3: { value: 10 } }
resources:
  - { id: web-01, kind: vm, service: dispatch }
  - { id: web-02, kind: vm, service: dispatch }
  - { id: web-03, kind: vm, service: other }
scenarios:
  - name: a rule takes from its template and its file what it does not say
    feed: [ { series: 't.busy{host="db-01"}', every: 10s, values: "0.5x12 1x30 0.5x30" } ]
    expect:
      - { at: 2m40s, signal: busy-db, to: firing, severity: S2 }
      - { at: 2m50s, signal: busy-db, to: firing, severity: S1 }
      - { at: 7m30s, signal: busy-db, to: firing, severity: S2 }
      - { at: 7m40s, signal: busy-db, to: recovering }
      - { at: 8m40s, signal: busy-db, to: resolved }
    exact: [signal]
  - name: a tenth of a service's requests fails, which is too much for one and not for another
    feed:
      - { series: 't.requests{host="web-01",code="200"}', every: 10s, values: "0+10x60" }
      - { series: 't.requests{host="web-02",code="503"}', every: 10s, values: "0+1x60" }
      - { series: 't.requests{host="web-03",code="200"}', every: 10s, values: "0+10x60" }
      - { series: 't.requests{host="web-03",code="503"}', every: 10s, values: "0+1x60" }
    expect:
      - { at: 55s, signal: errors, labels: { service: dispatch }, to: firing, severity: S1 }
      - { at: 55s, incident: errors, labels: { service: dispatch }, state: open, severity: S1 }
  - name: load alone is no alarm, load with a queue is
    feed:
      - { series: 't.load{host="was-01"}', every: 10s, values: "15x12 30x12 15x12" }
      - { series: 't.queue{host="was-01"}', every: 10s, values: "0x6 9x30" }
    expect:
      - { at: 1m10s, signal: loaded, from: inactive, to: firing, severity: S2 }
      - { at: 2m30s, signal: loaded, to: firing, severity: S1 }
      - { at: 4m20s, signal: loaded, to: firing, severity: S2 }
  - name: a rule in shadow is recorded and nobody hears of it
    feed: [ { series: 't.tried{host="was-01"}', every: 10s, values: "1x6 9x6 1x12" } ]
    expect:
      - { at: 1m10s, signal: tried, to: firing, severity: S1 }
    exact: [incident, page]
  - name: a mean over half an hour is kept in panes
    feed: [ { series: 't.long{host="was-01"}', every: 1m, values: "0x29 30x29" } ]
    expect:
      - { at: 40m, signal: long, to: firing, severity: S3 }
"#;

const EXPECTED: &str = r#"
rules:
  - id: beat
    title: 수집 없음
    domain: 인프라
    metric: t.beat
    match: { class: batch }
    by: [host]
    window: { fn: last, over: 1m }
    when: below
    severity: { S2: { value: 0 } }
    no_data: { after: 2m, then: { raise: S3 }, expected: true }
resources:
  - { id: bat-01, kind: vm, class: batch }
  - { id: bat-02, kind: vm, class: batch }
  - { id: web-01, kind: vm, class: web }
scenarios:
  - name: a host of the inventory that never spoke is named
    feed: [ { series: 't.beat{host="bat-01"}', every: 10s, values: "1x60" } ]
    expect:
      - { at: 2m, signal: beat, labels: { host: bat-02 }, to: firing, severity: S3 }
      - { at: 2m, incident: beat, labels: { host: bat-02 }, state: open, severity: S3 }
    exact: [signal, incident]
"#;

fn load(text: &str) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yaml");
    std::fs::write(&path, text).unwrap();
    let ask = Ask { env: &[], now: crate::site::now(), whole: false };
    let mut loaded = config::load(&[PathBuf::from("configs"), path], &ask);
    loaded.scenarios.retain(|scenario| scenario.file.ends_with("rules.yaml"));
    loaded
}

#[test]
fn every_part_of_the_native_form_does_what_it_says() {
    let loaded = load(RULES);
    assert_eq!(loaded.errors(), 0, "{:?}", loaded.problems);
    assert_eq!(loaded.scenarios.len(), 5);
    let mut told = Vec::new();
    for scenario in &loaded.scenarios {
        for failure in scenario::run(scenario, &loaded) {
            told.push(format!("line {}: {}: {}", failure.line, scenario.name, failure.what));
        }
    }
    assert!(told.is_empty(), "\n{}", told.join("\n"));
    let tried = loaded.rules.rules.iter().find(|rule| &*rule.id == "tried").unwrap();
    assert_eq!((tried.mode, tried.function), (Mode::Shadow, Function::Quantile(950_000)));
    // Labels to group by come from the file's defaults, and `[]` says none.
    let by = |id: &str| loaded.rules.rules.iter().find(|rule| &*rule.id == id).unwrap().bonds.by.clone();
    assert_eq!((by("loaded"), by("busy-db")), (vec!["service".to_owned()], Vec::new()));
}

#[test]
fn who_is_expected_and_never_spoke_is_named() {
    let loaded = load(EXPECTED);
    assert_eq!(loaded.errors(), 0, "{:?}", loaded.problems);
    let told = scenario::run(&loaded.scenarios[0], &loaded);
    assert!(told.is_empty(), "{:?}", told.iter().map(|failure| &failure.what).collect::<Vec<_>>());
    for (from, to) in [("by: [host]", "by: [host, device]"), ("class: batch }\n    by", "env: prod }\n    by")] {
        assert!(EXPECTED.contains(from));
        let loaded = load(&EXPECTED.replacen(from, to, 1));
        assert!(loaded.problems.iter().any(|problem| problem.id == "expected"), "{to}: {:?}", loaded.problems);
    }
}

/// Ids and places of what is wrong after `from` was replaced by `to`.
fn wrong(from: &str, to: &str) -> Vec<(String, usize)> {
    assert!(RULES.contains(from), "{from}");
    let loaded = load(&RULES.replacen(from, to, 1));
    loaded.problems.iter().filter(|p| p.file.ends_with("rules.yaml")).map(|p| (p.id.to_owned(), p.line)).collect()
}

#[test]
fn mistakes_are_told_where_they_were_made() {
    let cases: &[(&str, &str, &str, usize)] = &[
        // In a template and in the defaults: there, and once, however many rules take it from there.
        ("window: { fn: avg, over: 1m }", "window: { fn: mean, over: 1m }", "unknown-word", 8),
        ("no_data: { after: 3m }", "no_data: { afer: 3m }", "unknown-key", 3),
        ("use: busy,", "use: buzy,", "unknown-template", 12),
        ("min: 1/s", "min: -1", "ratio", 15),
        ("    by: [service]\n", "", "ratio", 15),
        ("of: { metric: t.requests, ", "of: { ", "missing-key", 15),
        ("match: { service: dispatch }, severity", "match: {}, severity", "override-empty", 20),
        (", severity: { S1: { value: 5% } } } ]", " } ]", "override-empty", 20),
        ("values: { S1: 20, S2: 10 }", "values: { S1: 20 }", "conditions", 25),
        ("severity: { S1: { for: 20s }, S2: {} }", "severity: { S1: { value: 3 }, S2: {} }", "conditions", 27),
        ("    by: [host]\n    all:", "    all:", "conditions", 23),
        ("    by: [host]\n    all:", "    by: [host]\n    when: above\n    all:", "conditions", 24),
        (
            "over: 1m }, when: above, values: { S1: 20, S2: 10 }",
            "over: 1m }, when: equals, value: 3",
            "across-needed",
            25,
        ),
        ("over: 30m, step: 5m", "over: 30m, step: 20m", "window-step", 40),
        ("fn: p95, over: 1m", "fn: p95, over: 10m, step: 1m", "window-step", 33),
    ];
    for (from, to, id, line) in cases {
        let found = wrong(from, to);
        assert!(found.contains(&((*id).to_owned(), *line)), "{from} → {to}: {found:?}");
        let again = found.iter().filter(|one| *one == &((*id).to_owned(), *line)).count();
        assert_eq!(again, 1, "told twice: {from} → {to}: {found:?}");
    }
}

#[test]
fn replay_marks_what_a_rule_in_shadow_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let rule = "rules:\n  - { id: high, title: 초과, metric: m, by: [host], window: { fn: last, over: 5m }, when: above, \
                severity: { S1: { value: 5 } }, mode: shadow }\n";
    std::fs::write(path("rules.yaml"), rule).unwrap();
    std::fs::write(path("m.csv"), "timestamp,value\n2026-01-02 09:00:00,1\n2026-01-02 09:01:00,9\n").unwrap();
    let run = |format: &str| {
        let (rules, input) = (path("rules.yaml"), path("m.csv"));
        let place = ["--rules", &rules, "--input", &input, "--metric", "m", "--labels", "host=h", "--format", format];
        let done = bongsu(&[&["replay"], &place[..]].concat());
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        done
    };
    let lines = json_lines(&run("json"));
    let signals: Vec<_> = lines.iter().filter(|line| line["type"] == "signal").collect();
    assert!(!signals.is_empty() && signals.iter().all(|line| line["mode"] == "shadow"), "{lines:?}");
    assert!(lines.iter().all(|line| line["type"] != "incident" && line["type"] != "page"), "{lines:?}");
    assert!(String::from_utf8_lossy(&run("human").stdout).contains("→ firing S1 value 9 (shadow)"));
}
