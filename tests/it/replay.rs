//! `replay` over files: simulated feeds in CSV and NDJSON, on a virtual clock.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::site::{bongsu, json_lines};

fn rules(dir: &Path, value: u32) -> PathBuf {
    let path = dir.join("rules.yaml");
    let text = format!(
        "version: 1\nrules:\n  - id: high\n    title: 임계 초과\n    domain: 인프라\n    metric: m\n    by: [host]\n    \
         window: {{ fn: last, over: 5m }}\n    when: above\n    severity: {{ S2: {{ value: {value} }} }}\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// Replays a CSV file; naive time stamps are Korean.
fn replay(rules: &Path, input: &Path) -> Vec<Value> {
    let run = |_| {
        bongsu(&[
            "replay",
            "--rules",
            rules.to_str().unwrap(),
            "--input",
            input.to_str().unwrap(),
            "--metric",
            "m",
            "--labels",
            "host=h",
            "--format",
            "json",
        ])
    };
    let (once, again) = (run(1), run(2));
    assert_eq!(once.status.code(), Some(0), "{}", String::from_utf8_lossy(&once.stderr));
    assert_eq!(once.stdout, again.stdout, "two runs give the same bytes");
    json_lines(&once)
}

fn fired(lines: &[Value]) -> Vec<i64> {
    let firing =
        lines.iter().filter(|line| line["type"] == "signal" && line["from"] == "inactive" && line["to"] == "firing");
    firing.filter_map(|line| line["at"].as_i64()).collect()
}

fn incidents(lines: &[Value]) -> usize {
    let ids = lines.iter().filter(|line| line["type"] == "incident").filter_map(|line| line["id"].as_str());
    ids.collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
fn a_series_above_its_threshold_fires_at_its_own_time_and_a_second_one_reopens() {
    let dir = tempfile::tempdir().unwrap();
    let csv = dir.path().join("m.csv");
    let rows = ["14:00:00,10", "14:05:00,61", "14:10:00,12", "14:20:00,99", "14:25:00,3", "16:00:00,70", "16:05:00,1"];
    let text: String = rows.iter().map(|row| format!("2014-02-14 {row}\n")).collect();
    std::fs::write(&csv, format!("timestamp,value\n{text}")).unwrap();
    let lines = replay(&rules(dir.path(), 60), &csv);
    let at = |hour: i64, minute: i64| 1_392_303_600_000 + (hour * 60 + minute) * 60_000;
    assert_eq!(fired(&lines), [at(14, 5), at(14, 20), at(16, 0)]);
    // 14:20 is within 30 minutes of 14:10; 16:00 is not.
    assert_eq!(incidents(&lines), 2);
    let pages = lines.iter().filter(|line| line["type"] == "page").count();
    assert!(pages > 0, "{lines:?}");
}

#[test]
fn production_series_fire_where_they_did() {
    let dir = tempfile::tempdir().unwrap();
    let nab = PathBuf::from("../shared/data/nab/realAWSCloudwatch");
    for (file, value, expected, n_incidents) in [
        ("ec2_cpu_utilization_5f5533.csv", 60, &[1_392_736_920_000_i64, 1_393_246_620_000][..], 2),
        ("elb_request_count_8c0756.csv", 370, &[1_397_291_640_000, 1_397_293_140_000, 1_398_162_840_000], 2),
    ] {
        let csv = nab.join(file);
        // Public data that lies beside some checkouts; the test above says the same without it.
        if csv.exists() {
            let lines = replay(&rules(dir.path(), value), &csv);
            assert_eq!(fired(&lines), expected, "{file}");
            assert_eq!(incidents(&lines), n_incidents, "{file}");
        }
    }
}

#[test]
fn bad_lines_are_counted_and_the_rest_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("feed.ndjson");
    let good = |ts: i64, value: u32| format!("{{\"v\":1,\"ts\":{ts},\"host\":\"h\",\"points\":[[\"m\",{value}]]}}");
    let lines = [
        good(1_764_000_000_000, 1),
        "not json".to_owned(),
        "{\"v\":9,\"host\":\"h\"}".to_owned(),
        "{\"v\":1,\"ts\":1764000001000,\"host\":\"h\",\"points\":[[\"m\",1e999],[\"m\",\"x\"]]}".to_owned(),
        good(1_764_000_010_000, 99),
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    let lines = replay(&rules(dir.path(), 60), &file);
    assert_eq!(fired(&lines), [1_764_000_010_000]);
    let summary = lines.last().unwrap();
    assert_eq!(summary["rejected"], 4, "{summary}");
}

#[test]
fn without_a_configuration_the_shipped_chains_tell_who_would_have_been_paged() {
    let dir = tempfile::tempdir().unwrap();
    let csv = dir.path().join("m.csv");
    std::fs::write(&csv, "timestamp,value\n2026-03-02 10:00:00,10\n2026-03-02 10:05:00,99\n").unwrap();
    let rules = rules(dir.path(), 60);
    let run = |more: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_bongsu"))
            .args(["replay", "--metric", "m", "--labels", "host=h", "--format", "json", "--rules"])
            .args([&rules, Path::new("--input"), &csv])
            .args(more)
            .current_dir(dir.path())
            .output()
            .unwrap()
    };
    let alone = run(&[]);
    let text = String::from_utf8(alone.stdout).unwrap();
    assert!(alone.status.success() && text.contains("\"to\":\"msp-duty-1\""), "{text}");
    let missing = run(&["-c", "not-there.yaml"]);
    let told = String::from_utf8(missing.stderr).unwrap();
    assert_eq!(missing.status.code(), Some(2), "{told}");
    assert!(told.contains("not-there.yaml"), "{told}");
}

#[test]
fn what_is_refused_is_told_with_reason_and_place_and_useless_input_is_no_success() {
    let dir = tempfile::tempdir().unwrap();
    let (rules, input) = (rules(dir.path(), 60), dir.path().join("a.ndjson"));
    let good = r#"{"v":1,"ts":1764000000000,"host":"가","points":[["m",1],["m","x"],["m",2,{"a":"b"}]]}"#;
    let text = format!("{good}\n아무 말\n{{\"v\":1,\"ts\":1764000001000,\"points\":[]}}\n{good}\n");
    std::fs::write(&input, text).unwrap();
    let run = |format: &str| {
        let (rules, input) = (rules.to_str().unwrap(), input.to_str().unwrap());
        bongsu(&["replay", "--rules", rules, "--input", input, "--format", format])
    };
    let some = run("json");
    assert_eq!(some.status.code(), Some(0), "{some:?}");
    let lines = json_lines(&some);
    let told: Vec<_> = lines.iter().filter(|line| line["type"] == "rejected").collect();
    let rows: Vec<_> = told.iter().map(|line| (line["reason"].as_str().unwrap(), line["count"].as_u64())).collect();
    assert_eq!(rows, [("bad-number", Some(2)), ("no-host", Some(1)), ("not-json", Some(1))]);
    let place = |n: usize| told[n]["first"].as_str().unwrap().rsplit_once("a.ndjson:").unwrap().1;
    assert_eq!((place(0), place(1), place(2)), ("1:56", "3:1", "2:1"), "{told:?}");
    assert_eq!(lines.last().unwrap()["rejected"], 4);
    let warned = String::from_utf8_lossy(&some.stderr).into_owned();
    assert!(warned.starts_with("warning: 4 rejected, most of them bad-number, first at "), "{warned}");

    std::fs::write(&input, "아무 말\n\n또 아무 말\n").unwrap();
    let none = run("human");
    assert_eq!(none.status.code(), Some(1), "{none:?}");
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(
        said.starts_with("error: nothing in the input can be used: 2 rejected") && said.contains("help: "),
        "{said}"
    );
    std::fs::write(&input, "").unwrap();
    assert_eq!(run("human").status.code(), Some(1), "an empty file is no success either");
}
