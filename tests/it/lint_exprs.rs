//! Lint of expressions, case by case: what is found in which, and what is left alone because it is meant.
//!
//! The idea: the two examples of a check show that it works; this table shows where it ends. Each row is one alert of a
//! Prometheus file with `for: 5m`, beside it what must be found, nothing else.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use bongsu::config::{self, Ask, Loaded};

/// 2026-03-01 09:00 in Korea.
const NOW: i64 = 1_772_323_200_000;

fn load(text: &str) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("규칙.yml");
    std::fs::write(&path, text).unwrap();
    config::load(&[path], &Ask { env: &[], now: NOW, whole: false })
}

fn found(expr: &str) -> Vec<&'static str> {
    let text = format!(
        "groups:\n  - name: a\n    rules:\n      - alert: A\n        for: 5m\n        expr: >-\n          {expr}\n"
    );
    let loaded = load(&text);
    assert_eq!(loaded.errors(), 0, "{expr}: {:?}", loaded.problems);
    let mut ids: Vec<_> = loaded.problems.iter().map(|problem| problem.id).collect();
    ids.sort_unstable();
    ids
}

/// Expression, and the ids of what is found in it.
const TABLE: &[(&str, &[&str])] = &[
    // What is a condition.
    ("up", &["expr-no-comparison"]),
    ("vector(1)", &["expr-no-comparison"]),
    ("up == bool 0", &["expr-no-comparison"]),
    ("up == 0", &[]),
    ("ALERTS{alertname=\"B\"}", &[]),
    ("a unless b", &[]),
    ("a and b", &["expr-no-comparison"]),
    ("a > 1 or b", &["expr-no-comparison"]),
    ("a and on (job) b > 1", &[]),
    ("absent(up{job=\"a\"})", &[]),
    ("sum(up == 0)", &[]),
    ("(a > 1) * 2", &[]),
    // What can hold.
    ("a > 5 and a < 3", &["expr-impossible"]),
    ("a > 5 and A < 3", &[]),
    ("a > 3 and a < 5", &[]),
    ("a >= 3 and a <= 3", &[]),
    ("a > 3 and a < 3", &["expr-impossible"]),
    ("(a > 5) < 3", &["expr-impossible"]),
    ("5 < a < 3", &["expr-impossible"]),
    ("a == 1 and a == 2", &["expr-impossible"]),
    ("a > 5 or a < 3", &[]),
    ("sum( a ) > 5 and sum(a) < 3", &["expr-impossible"]),
    ("a > 5 and on (x) a < 3", &[]),
    ("up > 1", &["expr-impossible"]),
    ("rate(a_total[5m]) < 0", &["expr-impossible"]),
    ("a > 1 and on () hour() > 24", &["expr-impossible"]),
    ("a > 1 and on () hour() >= 23", &[]),
    ("count(a) == 0", &["expr-zero-missing"]),
    ("count(a) < 1", &["expr-zero-missing"]),
    ("count(a) > 3", &[]),
    ("(count(a) or vector(0)) == 0", &[]),
    ("count(a) < 2 or absent(a)", &[]),
    ("sum(up == 1) < 2", &["expr-zero-missing"]),
    ("sum(a) < 2", &[]),
    ("rate(a_total[5m]) >= 0", &["expr-always"]),
    ("rate(a_total[5m]) > 0", &[]),
    ("100 * system_cpu_utilization_ratio > 90", &[]),
    ("100 * system_cpu_utilization_ratio > 190", &["expr-impossible"]),
    ("avg_over_time(system_cpu_utilization_ratio[5m]) > 90", &["expr-ratio-percent"]),
    ("sum(system_cpu_utilization_ratio) > 90", &[]),
    ("a == 1.5", &["expr-equals-fraction"]),
    ("round(a) == 1", &[]),
    // Counters and gauges.
    ("a_total > 5", &["expr-raw-counter"]),
    ("a_total - a_total offset 5m > 5", &[]),
    ("up == 0 and a_total", &[]),
    ("absent(a_total)", &[]),
    ("avg_over_time(a_total[5m]) > 5", &["expr-level-of-counter"]),
    ("rate(system_memory_utilization_ratio[5m]) > 1", &["expr-rate-of-gauge"]),
    ("rate(unknown[5m]) > 1", &[]),
    ("increase(sum(a_total)[5m:1m]) > 1", &["expr-rate-of-sum"]),
    ("histogram_quantile(0.9, sum without (le) (rate(a_bucket[5m]))) > 1", &["expr-quantile-le"]),
    ("histogram_quantile(0.9, rate(a_bucket[5m])) > 1", &[]),
    // What meets what.
    ("a / rate(b_total[5m]) > 1", &["expr-division"]),
    ("a / clamp_min(rate(b_total[5m]), 1) > 1", &[]),
    ("rate(a_total[5m]) / rate(b_total[5m]) > 0.1 and rate(b_total[5m]) > 1", &[]),
    ("rate(a_sum[5m]) / rate(a_count[5m]) > 1", &[]),
    ("a_free_bytes / a_size_bytes < 0.1", &[]),
    ("a / 100 > 1", &[]),
    ("sum by (x) (a) / sum by (y) (b) > 1", &["expr-match-labels"]),
    ("sum by (x) (a) / on (x) group_left (z) sum by (x, z) (b) > 1", &[]),
    ("sum by (x, z) (a) / ignoring (z) group_left sum by (x) (b) > 1", &[]),
    ("a / on (y) sum by (x) (b) > 1", &["expr-match-labels"]),
    ("a > sum(a)", &["expr-match-labels"]),
    ("a > scalar(sum(a))", &[]),
    ("a > on () group_left sum(a)", &[]),
    ("sum by (x) (a) or sum by (y) (b) > 1", &["expr-no-comparison"]),
    ("sum by (x, y) (max by (x) (a)) > 1", &["expr-by-dropped"]),
    ("sum by (x, y) (label_replace(max by (x) (a), \"y\", \"$1\", \"x\", \"(.*)\")) > 1", &[]),
    ("sum by (y) (count_values by (x) (\"y\", a)) > 1", &[]),
    ("sum by (user_id) (a) > 1", &["expr-by-cardinality"]),
    ("sum without (user_id) (a) > 1", &[]),
    ("sum by (pod) (a) > 1", &[]),
    ("bottomk(1, a) < 1", &["expr-topk"]),
    ("absent(up{job!=\"a\"})", &["expr-absent-fuzzy"]),
    // Matchers.
    ("a{b=~\"c|d\"} > 1", &[]),
    ("a{b!~\"c\"} > 1", &["expr-regex-equality"]),
    ("a{b!=\"\"} > 1", &[]),
    ("a{b=~\"\"} > 1", &["expr-match-everything"]),
    ("a{b!~\".*\"} > 1", &["expr-match-everything"]),
    ("a{b=~\".+\"} > 1", &[]),
    ("a{b=~\"^c.*\"} > 1", &["expr-regex-anchors"]),
    ("a{b=\"c\", b!=\"c\"} > 1", &["expr-match-nothing"]),
    ("a{b=\"c\", b=~\"c|d\"} > 1", &[]),
    // Times.
    ("idelta(a[5m]) > 1", &["expr-irate"]),
    ("max_over_time(a[2d:]) > 1", &["expr-subquery-cost"]),
    ("max_over_time(a[2d:10m]) > 1", &[]),
    ("a @ 1700000000 > 1", &["expr-looks-ahead"]),
    ("a offset -5m > 1", &["expr-looks-ahead"]),
];

#[test]
fn each_expression_gives_what_is_beside_it_and_nothing_else() {
    let mut wrong = Vec::new();
    for (expr, wanted) in TABLE {
        let ids = found(expr);
        if ids != *wanted {
            wrong.push(format!("{expr}: {ids:?}, not {wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn without_for_what_lasts_by_itself_is_left_alone() {
    let rule = |expr: &str, more: &str| {
        let text = format!("groups:\n  - name: a\n    rules:\n      - {{ alert: A, expr: '{expr}'{more} }}\n");
        load(&text).problems.iter().filter(|problem| problem.id == "expr-noisy-no-for").count()
    };
    assert_eq!(rule("up == 0", ""), 1);
    assert_eq!(rule("irate(a_total[5m]) > 1", ""), 1);
    for calm in ["max_over_time(up[5m]) == 0", "a_expiry_seconds - time() < 86400", "job:a:rate5m > 1", "absent(up)"] {
        assert_eq!(rule(calm, ""), 0, "{calm}");
    }
    assert_eq!(rule("up == 0", ", for: 1m"), 0);
    assert_eq!(rule("up == 0", ", labels: { severity: info }"), 0);
}

#[test]
fn a_finding_in_a_prometheus_file_is_silenced_where_it_stands() {
    let text = "groups:\n  - name: a\n    rules:\n      # bongsu: allow expr-noisy-no-for — 재기동을 놓치지 않으려고\n      - \
                alert: A\n        expr: up == 0\n";
    let loaded = load(text);
    assert_eq!((loaded.problems.len(), loaded.silenced.len()), (0, 1), "{:?}", loaded.problems);
    assert_eq!(loaded.rule_count(), 1);
}

/// Korean before the mistake, folded and quoted: each finding points at its own letters.
#[test]
fn places_are_right_behind_korean_text() {
    let text = "groups:\n  - name: 감시 규칙\n    rules:\n      - { alert: 사용률, for: 5m, labels: { 담당: 인프라 }, expr: 'topk(3, a) > 1' }\n      \
                - alert: 지연\n        for: 5m\n        expr: |\n          # 응답 지연\n          sum by (job) (a)\n            / sum by (이름)\n            (b) > 1\n";
    let text = text.replace("이름", "host");
    let told: Vec<String> = load(&text)
        .problems
        .iter()
        .map(|p| {
            let line = text.lines().nth(p.line - 1).unwrap();
            format!("{} {}", line.chars().skip(p.col - 1).take(p.len).collect::<String>(), p.id)
        })
        .collect();
    assert_eq!(told, ["topk expr-topk", "/ expr-match-labels"]);
}
