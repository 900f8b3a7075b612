//! What `replay` and `explain` add to a run: figures, changed values, another rule set, sweeps, labelled windows, pictures.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::site::{bongsu, json_lines};

/// 2026-03-02 09:00 KST, a Monday.
const BEGIN: i64 = 1_772_409_600_000;
const MINUTE: i64 = 60_000;

/// A folder with rules over `m` and an input.
struct Bench(TempDir);

impl Bench {
    /// `values`: minutes from the beginning, and the value that holds from then on, sampled each 10 s up to the last.
    fn new(values: &[(i64, f64)]) -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        let mut lines = String::new();
        for pair in values.windows(2) {
            let (from, value) = pair[0];
            for at in (from * MINUTE..pair[1].0 * MINUTE).step_by(10_000) {
                lines.push_str(&format!(
                    "{{\"v\":1,\"ts\":{},\"host\":\"a\",\"points\":[[\"m\",{value}]]}}\n",
                    BEGIN + at
                ));
            }
        }
        std::fs::write(bench.path("input.ndjson"), lines).unwrap();
        bench.rules("rules.yaml", "90%", "1m");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn rules(&self, name: &str, value: &str, hold: &str) {
        let text = format!(
            "version: 1\nrules:\n  - id: vm.cpu\n    title: CPU 과다\n    metric: m\n    by: [host]\n    \
             match: {{ host: \"!=bastion\" }}\n    window: {{ fn: last, over: 5m }}\n    when: above\n    \
             severity: {{ S2: {{ value: {value}, for: {hold} }} }}\n"
        );
        std::fs::write(self.path(name), text).unwrap();
    }

    fn run(&self, command: &str, more: &[&str]) -> Output {
        let (rules, input) = (self.text("rules.yaml"), self.text("input.ndjson"));
        let base = [command, "--rules", &rules, "--input", &input, "--format", "json"];
        bongsu(&[&base[..], more].concat())
    }

    fn replay(&self, more: &[&str]) -> Vec<Value> {
        let done = self.run("replay", more);
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        json_lines(&done)
    }
}

fn only<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

/// Fires at 11 (10 to 20), and again at 26 (25 to 30), which is within half an hour.
const TWICE: &[(i64, f64)] = &[(0, 0.5), (10, 0.95), (20, 0.5), (25, 0.97), (30, 0.5), (50, 0.5)];

#[test]
fn a_run_is_summed_up_rule_by_rule_and_person_by_person() {
    let bench = Bench::new(TWICE);
    let lines = bench.replay(&[]);
    let rule = only(&lines, "rule")[0];
    assert_eq!(rule["rule"], "vm.cpu");
    assert_eq!((&rule["episodes"], &rule["flaps"], &rule["incidents"]), (&2.into(), &1.into(), &1.into()), "{rule}");
    // From 11:00 and 26:00 to the first tick of a good value.
    assert_eq!(rule["firing_minutes"], 13.0, "{rule}");
    assert_eq!((&rule["to_fire_p50_ms"], &rule["to_fire_p95_ms"]), (&60_000.into(), &60_000.into()));
    assert_eq!((&rule["night_pages"], &rule["sla_misses"]), (&0.into(), &0.into()), "{rule}");
    let told: u64 = only(&lines, "person").iter().filter_map(|person| person["pages"].as_u64()).sum();
    assert_eq!(Some(told), rule["pages"].as_u64());
    assert_eq!(only(&lines, "page").len() as u64, told);
    assert_eq!(lines.last().unwrap()["type"], "summary");
    let quiet = bench.replay(&["--quiet-signals"]);
    assert!(only(&quiet, "signal").is_empty() && only(&quiet, "page").is_empty());
    assert_eq!(only(&quiet, "rule"), only(&lines, "rule"));
}

#[test]
fn a_page_at_night_is_one_that_wakes() {
    // 13 hours later: 22:00.
    let night: Vec<(i64, f64)> = TWICE.iter().map(|(at, value)| (at + 13 * 60, *value)).collect();
    let lines = Bench::new(&night).replay(&[]);
    let rule = only(&lines, "rule")[0];
    assert!(rule["pages"].as_u64() > Some(0));
    assert_eq!(rule["night_pages"], rule["pages"]);
    assert_eq!(only(&lines, "person")[0]["nights_woken"], 1);
}

#[test]
fn an_incident_that_a_cap_keeps_quiet_is_a_missed_sla() {
    let bench = Bench::new(TWICE);
    let mut lines = String::new();
    for at in (0..20 * MINUTE).step_by(10_000) {
        for host in 0..4 {
            let value = if at < MINUTE { 0.5 } else { 0.95 };
            let ts = BEGIN + at + host;
            lines.push_str(&format!("{{\"v\":1,\"ts\":{ts},\"host\":\"h{host}\",\"points\":[[\"m\",{value}]]}}\n"));
        }
    }
    std::fs::write(bench.path("input.ndjson"), lines).unwrap();
    let misses = |cap: &str| {
        let (rules, input) = (bench.text("rules.yaml"), bench.text("input.ndjson"));
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_bongsu"))
            .args(["replay", "-c", "configs/bongsu.yaml", "--format", "json", "--rules", &rules, "--input", &input])
            .env("BONGSU__LIMITS__PAGES_PER_HOUR", cap)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let lines = json_lines(&done);
        only(&lines, "rule")[0]["sla_misses"].as_u64()
    };
    assert_eq!(misses("30"), Some(0));
    assert!(misses("1") > Some(0));
}

#[test]
fn people_see_tables() {
    let bench = Bench::new(TWICE);
    let (rules, input) = (bench.text("rules.yaml"), bench.text("input.ndjson"));
    let done = bongsu(&["replay", "--rules", &rules, "--input", &input, "--quiet-signals"]);
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(text.starts_with("rule "), "{text}");
    assert!(text.lines().any(|line| line.starts_with("vm.cpu ") && line.contains(" 13m ")), "{text}");
    assert!(text.lines().any(|line| line.starts_with("msp-duty-1 ")), "{text}");
    assert!(done.stderr.is_empty(), "no progress where nobody looks: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_changed_value_is_judged_like_one_in_the_file() {
    let bench = Bench::new(TWICE);
    let episodes = |more: &[&str]| only(&bench.replay(more), "rule")[0]["episodes"].as_u64();
    assert_eq!(episodes(&["--set", "vm.cpu.severity.S2.value=96%"]), Some(1));
    assert_eq!(episodes(&["--set", "vm.cpu.severity.S2.value=96%", "--set", "vm.cpu.severity.S2.for=6m"]), Some(0));
    assert_eq!(episodes(&["--set", "vm.cpu.match.host=b"]), Some(0));
    for (change, said) in [
        ("vm.cpu.severity.S2.valu=96%", "did you mean `value`"),
        ("vm.cqu.severity.S2.value=96%", "begins with no rule's id"),
        ("vm.cpu.severity.S2.value=viel", "--set vm.cpu.severity.S2.value=viel"),
        ("vm.cpu.severity.S2.for=never", "--set vm.cpu.severity.S2.for=never"),
    ] {
        let done = bench.run("replay", &["--set", change]);
        let text = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{change}: {text}");
        assert!(text.contains(said), "{change}: {text}");
    }
}

#[test]
fn against_other_rules_it_shows_what_comes_and_goes() {
    let bench = Bench::new(&[(0, 0.5), (10, 0.95), (20, 0.5), (120, 0.97), (130, 0.5), (150, 0.5)]);
    bench.rules("old.yaml", "96%", "1m");
    let lines = bench.replay(&["--against", &bench.text("old.yaml")]);
    let sum = only(&lines, "against")[0];
    assert_eq!((&sum["newly_found"], &sum["newly_missed"]), (&1.into(), &0.into()), "{sum}");
    assert_eq!(sum["pages_removed"], 0);
    let added: u64 = only(&lines, "pages_against").iter().filter_map(|line| line["added"].as_u64()).sum();
    assert!(added > 0 && sum["pages_added"] == added, "{sum}");
    let found = only(&lines, "incident_against")[0];
    assert_eq!((&found["change"], &found["rule"]), (&"found".into(), &"vm.cpu".into()));
    assert_eq!(found["from"], BEGIN + 11 * MINUTE);
    // The other way round it is missed.
    bench.rules("rules.yaml", "96%", "1m");
    bench.rules("old.yaml", "90%", "1m");
    let lines = bench.replay(&["--no-pages", "--against", &bench.text("old.yaml")]);
    let missed = only(&lines, "episode_against")[0];
    assert_eq!((&missed["change"], &missed["from"]), (&"missed".into(), &(BEGIN + 11 * MINUTE).into()));
    // The very same rules differ in nothing.
    let same = bench.replay(&["--against", &bench.text("rules.yaml")]);
    let sum = only(&same, "against")[0];
    for field in ["pages_added", "pages_removed", "newly_missed", "newly_found"] {
        assert_eq!(sum[field], 0, "{sum}");
    }
}

#[test]
fn a_sweep_is_what_each_value_alone_would_give() {
    let bench = Bench::new(TWICE);
    std::fs::write(
        bench.path("truth.csv"),
        format!("from,to,rule,host\n{},{},,a\n", BEGIN + 24 * MINUTE, BEGIN + 31 * MINUTE),
    )
    .unwrap();
    let truth = bench.text("truth.csv");
    let lines = bench.replay(&["--truth", &truth, "--sweep", "vm.cpu.severity.S2.value=40%..100%/4"]);
    let of = |field: &str| lines.iter().map(|line| line[field].clone()).collect::<Vec<Value>>();
    assert_eq!(of("value"), ["40%", "60%", "80%", "100%"]);
    assert_eq!(of("episodes"), [1, 2, 2, 0].map(Value::from));
    assert_eq!(of("recall"), [1.0, 1.0, 1.0, 0.0].map(Value::from));
    assert_eq!(of("precision"), [Value::from(1.0), 0.5.into(), 0.5.into(), Value::Null]);
    for (value, line) in ["40%", "80%"].iter().zip([&lines[0], &lines[2]]) {
        let alone = bench.replay(&["--set", &format!("vm.cpu.severity.S2.value={value}")]);
        assert_eq!(only(&alone, "rule")[0]["pages"], line["pages"], "{value}");
        assert_eq!(only(&alone, "rule")[0]["firing_minutes"], line["firing_minutes"], "{value}");
    }
    let wrong = bench.run("replay", &["--sweep", "vm.cpu.severity.S2.value=40%..1/4"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_join_that_misses_is_explained_part_by_part() {
    let bench = Bench::new(TWICE);
    let rule = "version: 1\nrules:\n  - { id: share, title: 비율 과다, severity: S2, \
                expr: 'avg_over_time(m[5m]) / on (host, role) limit_total > 0.5' }\n";
    std::fs::write(bench.path("rules.yaml"), rule).unwrap();
    let input = std::fs::read_to_string(bench.path("input.ndjson")).unwrap();
    let limit = format!(
        "{{\"v\":1,\"ts\":{},\"host\":\"a\",\"points\":[[\"limit_total\",1,{{\"role\":\"db\"}}]]}}\n",
        BEGIN + 49 * MINUTE
    );
    std::fs::write(bench.path("input.ndjson"), input + &limit).unwrap();
    let done = bench.run("explain", &["--rule", "share", "--labels", "host=a"]);
    assert_eq!(done.status.code(), Some(1), "{}", String::from_utf8_lossy(&done.stderr));
    let told = json_lines(&done).pop().unwrap();
    let parts: Vec<(&str, u64, u64)> = told["parts"].as_array().unwrap().iter().map(part).collect();
    let join = "avg_over_time(m[5m]) / on (host, role) limit_total";
    let wanted = [
        ("m[5m]", 1, 0),
        ("avg_over_time(m[5m])", 1, 0),
        ("limit_total", 1, 0),
        (join, 0, 1),
        (&format!("{join} > 0.5"), 0, 0),
    ];
    assert_eq!(parts, wanted, "{told}");
    assert_eq!(told["parts"][0]["first"][0]["samples"], 30, "samples in the window: {told}");
    assert_eq!(told["parts"][3]["alone"][0]["host"], "a");
    let lines = told["lines"].to_string();
    assert!(lines.contains("오른쪽에 짝이 없음") && !lines.contains("아무에게도 알리지 않았습니다"), "{lines}");

    fn part(part: &Value) -> (&str, u64, u64) {
        let number = |key: &str| part[key].as_u64().unwrap();
        (part["text"].as_str().unwrap(), number("series"), number("alone_count"))
    }
}

#[test]
fn a_swept_value_that_cannot_be_says_why_and_stops_no_other() {
    let bench = Bench::new(TWICE);
    let rules = std::fs::read_to_string(bench.path("rules.yaml")).unwrap();
    std::fs::write(bench.path("rules.yaml"), rules + "    recover: { value: 70%, for: 1m }\n").unwrap();
    let lines = bench.replay(&["--sweep", "vm.cpu.severity.S2.value=60%..90%/4"]);
    let refused: Vec<bool> = lines.iter().map(|line| line["refused"].is_string()).collect();
    assert_eq!(refused, [true, false, false, false], "{lines:?}");
    assert!(lines[0]["refused"].as_str().unwrap().contains("recover"), "{}", lines[0]);
    assert_eq!((&lines[0]["pages"], &lines[3]["episodes"]), (&Value::Null, &2.into()));
    let none = bench.run("replay", &["--sweep", "vm.cpu.severity.S2.value=40%..60%/2"]);
    assert_eq!((none.status.code(), none.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&none.stderr).contains("none of the values"), "{none:?}");
}

#[test]
fn an_ack_that_meets_no_incident_is_told() {
    let bench = Bench::new(TWICE);
    let ack =
        |at: i64, rule: &str| format!("{{\"at\":{},\"ack\":\"{rule}\",\"by\":\"msp-duty-1\"}}\n", BEGIN + at * MINUTE);
    std::fs::write(bench.path("acks.ndjson"), ack(12, "vm.cpu") + &ack(5, "vm.cpu") + &ack(12, "vm.cpuu")).unwrap();
    let done = bench.run("replay", &["--acks", &bench.text("acks.ndjson")]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        done.status.success() && told.contains("2 of 3 in --acks met no incident, first that of `vm.cpu`"),
        "{told}"
    );
}

#[test]
fn a_truth_that_is_not_found_is_named() {
    let bench = Bench::new(TWICE);
    let window = |from: i64, to: i64| format!("{},{}\n", BEGIN + from * MINUTE, BEGIN + to * MINUTE);
    std::fs::write(bench.path("truth.csv"), format!("from,to\n{}{}", window(10, 12), window(40, 45))).unwrap();
    let lines = bench.replay(&["--truth", &bench.text("truth.csv")]);
    let score = only(&lines, "truth")[0];
    assert_eq!(
        (&score["hits"], &score["misses"], &score["false_alarms"]),
        (&1.into(), &1.into(), &1.into()),
        "{score}"
    );
    assert_eq!(score["to_detect_p50_ms"], MINUTE);
    assert_eq!(score["missed"][0]["from"], BEGIN + 40 * MINUTE);
    assert_eq!(score["wrong"][0]["from"], BEGIN + 26 * MINUTE);
}

#[test]
fn pictures_are_drawn_of_what_fired() {
    let bench = Bench::new(TWICE);
    let folder = bench.text("charts");
    let lines = bench.replay(&["--chart", &folder]);
    let charts = only(&lines, "chart");
    assert_eq!(charts.len(), 1);
    let svg = std::fs::read_to_string(charts[0]["file"].as_str().unwrap()).unwrap();
    assert!(svg.contains("CPU 과다 host=a") && svg.contains("S2 &gt; 0.900"), "{svg}");
    assert_eq!(svg.matches("fill=\"#f08c00\"/>").count(), 3, "two episodes and the legend");
    let curve = svg.lines().find(|line| line.contains("stroke=\"#256ef4\"")).unwrap();
    assert!(curve.matches('L').count() > 250, "a value each 10 s at least");
}

fn explain(bench: &Bench, more: &[&str]) -> (Option<i32>, Value) {
    let done = bench.run("explain", more);
    let mut lines = json_lines(&done);
    assert!(!lines.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    (done.status.code(), lines.remove(0))
}

fn says(told: &Value, what: &str) -> bool {
    told["lines"].as_array().is_some_and(|lines| lines.iter().any(|line| line.as_str().unwrap_or("").contains(what)))
}

#[test]
fn the_past_is_explained_as_it_was_then() {
    let bench = Bench::new(TWICE);
    let at = |minutes: f64| (BEGIN + (minutes * 60_000.0) as i64).to_string();
    let ask = |minutes: f64| explain(&bench, &["--rule", "vm.cpu", "--labels", "host=a", "--at", &at(minutes)]);
    let (code, told) = ask(5.0);
    assert_eq!((code, &told["state"], &told["value"]), (Some(0), &"inactive".into(), &0.5.into()), "{told}");
    assert_eq!(told["levels"][0]["distance"], 0.4);
    assert!(says(&told, "아무에게도 알리지 않았습니다") && says(&told, "0.4 차이"), "{told}");
    let (_, told) = ask(10.5);
    assert_eq!((&told["state"], &told["levels"][0]["since"]), (&"pending".into(), &(BEGIN + 10 * MINUTE).into()));
    assert!(says(&told, "30s 더 지속되면 발생"), "{told}");
    let (_, told) = ask(15.0);
    assert_eq!((&told["state"], &told["severity"]), (&"firing".into(), &"S2".into()));
    assert_eq!(told["incidents"][0]["state"], "open");
    assert!(told["pages"].as_array().is_some_and(|pages| !pages.is_empty()), "{told}");
    let id = told["incidents"][0]["id"].as_str().unwrap();
    let (code, same) = explain(&bench, &[id, "--at", &at(15.0)]);
    assert_eq!((code, &same["state"]), (Some(0), &told["state"]));
    // Before it opened there is no such incident.
    assert_eq!(explain(&bench, &[id, "--at", &at(5.0)]).0, Some(1));
    let until = |more: &str| bongsu(&["explain", "--rule", "vm.cpu", "--at", more]).status.code();
    assert_eq!(until("2026-03-02"), Some(2), "the past needs input");
}

#[test]
fn what_was_never_judged_is_explained_by_what_keeps_it_out() {
    let bench = Bench::new(TWICE);
    let (code, told) = explain(&bench, &["--rule", "vm.cpu", "--labels", "host=b"]);
    assert_eq!((code, &told["found"]), (Some(1), &false.into()));
    assert_eq!(told["near"][0]["labels"]["host"], "a");
    std::fs::write(
        bench.path("input.ndjson"),
        format!("{{\"v\":1,\"ts\":{BEGIN},\"host\":\"bastion\",\"points\":[[\"m\",9]]}}\n"),
    )
    .unwrap();
    let (_, told) = explain(&bench, &["--rule", "vm.cpu", "--labels", "host=bastion"]);
    assert_eq!(told["near"][0]["misfits"][0], "host: \"!=bastion\"", "{told}");
    assert!(says(&told, "match 조건에 맞지 않음"), "{told}");
    let (code, told) = explain(&bench, &["--rule", "vm.cpuu"]);
    assert_eq!(code, Some(1));
    assert!(says(&told, "vm.cpu"), "{told}");
}

/// File, function, window, limit, labelled windows, first detection.
type Constant = (&'static str, &'static str, &'static str, &'static str, i64, Option<i64>);

/// Rules that need no tuning but a constant.
const NAB: [Constant; 4] = [
    ("ec2_cpu_utilization_5f5533.csv", "last", "5m", "60", 2, Some(1_392_736_920_000)),
    ("elb_request_count_8c0756.csv", "last", "5m", "370", 2, Some(1_397_291_640_000)),
    ("ec2_network_in_5abac7.csv", "avg", "15m", "2900000", 2, None),
    ("ec2_disk_write_bytes_1ef3de.csv", "avg", "30m", "130000000", 1, None),
];

#[test]
fn production_incidents_are_found_and_nothing_else() {
    let nab = Path::new("../shared/data/nab");
    // Public data that lies beside some checkouts; the other tests say the same without it.
    if !nab.exists() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules.yaml");
    let truth = nab.join("combined_windows.json").display().to_string();
    for (file, function, over, limit, windows, first) in NAB {
        let csv = nab.join("realAWSCloudwatch").join(file);
        if !csv.exists() {
            continue;
        }
        let text = format!(
            "version: 1\nrules:\n  - id: high\n    title: 임계 초과\n    metric: m\n    by: [host]\n    \
             window: {{ fn: {function}, over: {over} }}\n    when: above\n    severity: {{ S2: {{ value: {limit} }} }}\n"
        );
        std::fs::write(&rules, text).unwrap();
        let (rules, csv) = (rules.display().to_string(), csv.display().to_string());
        let base = ["replay", "--rules", &rules, "--input", &csv, "--metric", "m", "--labels", "host=h"];
        let done = bongsu(&[&base[..], &["--truth", &truth, "--format", "json"]].concat());
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        let lines = json_lines(&done);
        let score = only(&lines, "truth")[0];
        assert_eq!((&score["hits"], &score["windows"]), (&windows.into(), &windows.into()), "{file}: {score}");
        assert_eq!(score["false_alarms"], 0, "{file}: {score}");
        assert_eq!(score["precision"], 1.0, "{file}: {score}");
        if let Some(first) = first {
            let fired = only(&lines, "signal").into_iter().find(|signal| signal["to"] == "firing").unwrap();
            assert_eq!(fired["at"], first, "{file}");
        }
    }
}
