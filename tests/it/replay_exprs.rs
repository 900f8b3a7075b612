//! What `replay` adds to a run, for rules that are expressions: changed thresholds, sweeps and pictures, of our own form
//! and of a Prometheus file.

use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::site::{bongsu, json_lines};

/// 2026-03-02 09:00 KST, a Monday.
const BEGIN: i64 = 1_772_409_600_000;
const MINUTE: i64 = 60_000;

/// Quiet at 40, twenty minutes at 75, ten at 95.
const CURVE: [(i64, f64); 6] = [(0, 40.0), (10, 75.0), (30, 40.0), (40, 95.0), (50, 40.0), (60, 40.0)];

const NATIVE: &str = "version: 1
rules:
  - { id: own.load, title: 부하 과다, expr: app_load > 90, for: 2m, severity: S2 }
  - { id: own-band, title: 부하 범위, expr: app_load > 70 and app_load < 80, for: 1m, severity: S3 }
  - { id: own-gone, title: 부하 없음, expr: 'absent(app_load{host=\"x\"})', for: 1h, severity: S3 }
";

const PROMETHEUS: &str = "groups:
  - name: 부하
    interval: 10s
    rules:
      - { record: 'host:app_load:max', expr: 'max by (host) (app_load)' }
      - alert: PromLoad
        expr: host:app_load:max > 90
        for: 2m
        labels: { severity: critical }
";

struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        let mut lines = String::new();
        for pair in CURVE.windows(2) {
            let (from, value) = pair[0];
            for at in (from * MINUTE..pair[1].0 * MINUTE).step_by(10_000) {
                let ts = BEGIN + at;
                lines
                    .push_str(&format!("{{\"v\":1,\"ts\":{ts},\"host\":\"a\",\"points\":[[\"app.load\",{value}]]}}\n"));
            }
        }
        std::fs::write(bench.path("input.ndjson"), lines).unwrap();
        std::fs::create_dir(bench.path("rules")).unwrap();
        std::fs::write(bench.path("rules/native.yaml"), NATIVE).unwrap();
        std::fs::write(bench.path("rules/prometheus.yml"), PROMETHEUS).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, more: &[&str]) -> Output {
        let show = |name: &str| self.path(name).display().to_string();
        let (rules, input) = (show("rules"), show("input.ndjson"));
        bongsu(&[&["replay", "--rules", &rules, "--input", &input, "--format", "json"], more].concat())
    }

    fn replay(&self, more: &[&str]) -> Vec<Value> {
        let done = self.run(more);
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        json_lines(&done)
    }

    /// How often a rule fired, and for how many minutes.
    fn fired(&self, rule: &str, more: &[&str]) -> (u64, f64) {
        let lines = self.replay(more);
        let of = lines.iter().find(|line| line["type"] == "rule" && line["rule"] == rule);
        of.map_or((0, 0.0), |line| (line["episodes"].as_u64().unwrap(), line["firing_minutes"].as_f64().unwrap()))
    }
}

#[test]
fn the_threshold_of_an_expression_can_be_set() {
    let bench = Bench::new();
    for rule in ["own.load", "PromLoad"] {
        let fired = |changes: &[(&str, &str)]| {
            let changes: Vec<String> = changes.iter().map(|(path, value)| format!("{rule}.{path}={value}")).collect();
            let more: Vec<&str> = changes.iter().flat_map(|change| ["--set", change.as_str()]).collect();
            bench.fired(rule, &more)
        };
        let (episodes, minutes) = fired(&[]);
        assert_eq!(episodes, 1, "{rule}");
        assert!((7.5..=8.5).contains(&minutes), "{rule}: 10 minutes less `for`, {minutes}");
        assert_eq!(fired(&[("threshold", "60")]).0, 2, "{rule}");
        assert_eq!(fired(&[("threshold", "99")]).0, 0, "{rule}");
        assert_eq!(
            fired(&[("threshold", "60"), ("for", "15m")]).0,
            1,
            "{rule}: twenty minutes are enough, ten are not"
        );
        assert_eq!(fired(&[("threshold", "60"), ("for", "25m")]).0, 0, "{rule}");
    }
    assert_eq!(bench.fired("own-band", &[]).0, 1);
    assert_eq!(bench.fired("own-band", &["--set", "own-band.threshold.2=100"]).0, 2);
    let kept = bench.fired("PromLoad", &["--set", "PromLoad.threshold=60", "--set", "PromLoad.keep_firing_for=20m"]);
    assert_eq!(kept.0, 1, "it goes on firing from the one to the other");
}

#[test]
fn what_cannot_be_set_is_told() {
    let bench = Bench::new();
    for (change, said) in [
        ("own-gone.threshold=1", "compares with no number"),
        ("own-band.threshold=1", "threshold.1 is `> 70`, threshold.2 is `< 80`"),
        ("own-band.threshold.3=1", "compares 2 times"),
        ("own.load.threshold=viel", "`viel` is no number"),
        ("own.load.treshold=1", "addresses nothing"),
        ("PromLoad.threshold=viel", "`viel` is no number"),
        ("PromLoad.for=viel", "`viel` is no duration"),
        ("PromLoad.severity=S1", "of an alert threshold, for and keep_firing_for can be changed"),
        ("PromLod.threshold=1", "did you mean `PromLoad`?"),
        ("own.lod.threshold=1", "begins with no rule's id"),
    ] {
        let done = bench.run(&["--set", change]);
        let text = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{change}: {text}");
        assert!(text.contains(said), "{change}: {text}");
    }
}

#[test]
fn a_sweep_of_an_expression_is_what_each_value_alone_would_give() {
    let bench = Bench::new();
    for rule in ["own.load", "PromLoad"] {
        let lines = bench.replay(&["--sweep", &format!("{rule}.threshold=60..100/5")]);
        let of = |field: &str| lines.iter().map(|line| line[field].clone()).collect::<Vec<Value>>();
        assert_eq!(of("value"), ["60", "70", "80", "90", "100"], "{rule}");
        assert_eq!(of("episodes"), [2, 2, 1, 1, 0].map(Value::from), "{rule}");
        assert!(lines[0]["pages"].as_u64() > lines[3]["pages"].as_u64(), "{rule}: {lines:?}");
        for line in [&lines[0], &lines[2]] {
            let set = format!("{rule}.threshold={}", line["value"].as_str().unwrap());
            let alone = bench.fired(rule, &["--set", &set]);
            assert_eq!(Value::from(alone.1), line["firing_minutes"], "{set}");
        }
        let lines = bench.replay(&["--sweep", &format!("{rule}.for=1m..19m/3")]);
        let episodes: Vec<Value> = lines.iter().map(|line| line["episodes"].clone()).collect();
        assert_eq!(episodes, [1, 0, 0].map(Value::from), "{rule}: `for` alone, at the file's threshold");
    }
}

/// The curve is there while it is good too, the line where the expression compares, the states above.
#[test]
fn a_picture_of_an_expression_shows_value_threshold_and_states() {
    let bench = Bench::new();
    let folder = bench.path("charts");
    let lines = bench.replay(&["--chart", folder.to_str().unwrap()]);
    for (rule, number) in [("own.load", "90"), ("PromLoad", "90"), ("own-band", "70")] {
        let chart = lines.iter().find(|line| line["type"] == "chart" && line["rule"] == rule);
        let chart = chart.unwrap_or_else(|| panic!("no picture of {rule}"));
        let svg = std::fs::read_to_string(chart["file"].as_str().unwrap()).unwrap();
        assert!(svg.contains(&format!("&gt; {number}")), "{rule}: the threshold is drawn\n{svg}");
        let curve = svg.split("<path d=\"").skip(1).find(|path| path.contains("stroke=\"#256ef4\"")).unwrap();
        let points = curve.split('"').next().unwrap().matches(['M', 'L']).count();
        assert!(points > 200, "{rule}: {points} points; an hour has a curve, not only its bad minutes");
    }
}
