//! Rules of our own form that are PromQL expressions: from the file, its mistakes at their places, to the signal.

use std::collections::BTreeSet;
use std::path::Path;

use bongsu::config::{self, Ask, Loaded};
use bongsu::model::Watch;

use crate::site::{Site, bongsu, eventually, json_lines, now};

fn load(text: &str) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yaml");
    std::fs::write(&path, format!("version: 1\n{text}")).unwrap();
    config::load(&[path], &Ask { env: &[], now: 1_772_323_200_000, whole: false })
}

const GOOD: &str = r#"interval: 5s
defaults: { domain: 통신, min_samples: 3, no_data: { after: 3m } }
rules:
  - id: short
    title: 지연 과다
    expr: avg by (service) (app_delay) > 3
    for: 10s
    severity: S2
  - id: long
    title: 지연 과다
    expr: app_delay > 3
    severity: { S1: { for: 1m }, S3: {} }
    recover: { for: 30s }
"#;

#[test]
fn both_forms_are_read_and_defaults_of_windows_are_left_aside() {
    let loaded = load(GOOD);
    assert_eq!(loaded.problems.iter().filter(|p| p.level == config::Level::Error).count(), 0, "{:?}", loaded.problems);
    let [long, short] = &loaded.rules.rules[..] else { panic!("{:?}", loaded.rules) };
    let levels = |rule: &bongsu::model::Rule| -> Vec<_> {
        rule.levels.iter().map(|level| (level.severity.code(), level.hold)).collect()
    };
    assert_eq!((levels(short), levels(long)), (vec![("S2", 10_000)], vec![("S1", 60_000), ("S3", 0)]));
    assert_eq!((short.domain.word(), short.interval, short.over, short.min_samples), ("통신", 5_000, 300_000, 1));
    assert_eq!(short.watch, Watch::Expr { text: "avg by (service) (app_delay) > 3".to_owned() });
    assert_eq!(loaded.rules.groups.len(), 2);
}

#[test]
fn what_does_not_go_with_an_expression_is_told_at_its_place() {
    let told = |rule: &str| -> Vec<(&'static str, usize, usize)> {
        let loaded = load(&format!("rules:\n  - id: a\n    title: 가나다\n{rule}"));
        let errors = loaded.problems.iter().filter(|p| p.level == config::Level::Error);
        errors.map(|p| (p.id, p.line, p.col)).collect()
    };
    assert_eq!(told("    expr: sum(가)\n    severity: S2\n"), [("bad-expr", 5, 15)]);
    assert_eq!(told("    expr: m[5m]\n    severity: S2\n"), [("bad-expr", 5, 11)]);
    assert_eq!(told("    expr: m > 1\n    severity: { S2: { value: 3 } }\n"), [("expr-alone", 6, 30)]);
    assert_eq!(told("    expr: m > 1\n    severity: S2\n    by: [host]\n"), [("expr-alone", 7, 5)]);
    assert_eq!(told("    expr: m > 1\n"), [("missing-key", 4, 5)].map(|(id, ..)| (id, 3, 5)));
    assert_eq!(told("    expr: info(m)\n    severity: S2\n"), [("expr-outside", 5, 11)]);
}

/// The same record stream by an expression and by a window: the same instants.
#[test]
fn an_expression_and_a_window_that_mean_the_same_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (rules, input) = (folder.path().join("rules.yaml"), folder.path().join("in.ndjson"));
    let text = "version: 1
rules:
  - { id: windowed, title: 지연, metric: app.delay, by: [host, instance], window: { fn: avg, over: 30s }, when: above,
      severity: { S2: { value: 3, for: 5s } }, recover: { for: 4s } }
  - { id: written, title: 지연, expr: 'avg_over_time(app_delay[30s]) > 3', for: 5s, severity: S2, recover: { for: 4s } }
";
    std::fs::write(&rules, text).unwrap();
    let begin = 1_764_000_000_000_i64;
    let mut feed = String::new();
    for step in 0..200_i64 {
        let ts = begin + step * 3_000;
        for host in 0..3 {
            let value = (step / (10 + host)) % 2 * 5;
            feed.push_str(&format!(
                "{{\"v\":1,\"ts\":{ts},\"host\":\"h{host}\",\"labels\":{{\"instance\":\"h{host}\"}},\
                 \"points\":[[\"app.delay\",{value}]]}}\n"
            ));
        }
    }
    std::fs::write(&input, feed).unwrap();
    let show = |path: &Path| path.display().to_string();
    let run = bongsu(&["replay", "--rules", &show(&rules), "--input", &show(&input), "--format", "json", "--no-pages"]);
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    let of = |id: &str| -> Vec<String> {
        let lines = json_lines(&run);
        let mine = lines.iter().filter(|line| line["type"] == "signal" && line["rule"] == id);
        let words = mine.map(|line| {
            format!("{} {} {} {} {}", line["at"], line["labels"], line["from"], line["to"], line["severity"])
        });
        words.collect()
    };
    let (windowed, written) = (of("windowed"), of("written"));
    assert!(windowed.len() > 20, "{windowed:?}");
    assert_eq!(windowed, written);
}

/// Live: one expression raises an incident for each host that it names, and one whose sides do not fit says so.
#[test]
fn a_running_service_raises_them_and_tells_what_gives_no_result() {
    let rules = "  - { id: slow, title: 지연 과다, domain: 인프라, expr: 'app_delay > 3', severity: S2 }
  - { id: torn, title: 지연 과다, domain: 인프라, expr: 'app_delay + on(job) app_delay > 0', severity: S4 }
";
    let site = Site::new(rules);
    let service = site.start();
    let record = |host: &str, value: u32| {
        let ts = now();
        format!("{{\"v\":1,\"ts\":{ts},\"sent\":{ts},\"host\":\"{host}\",\"points\":[[\"app.delay\",{value}]]}}\n")
    };
    for (host, value) in [("a", 9), ("b", 1), ("c", 7)] {
        assert_eq!(site.offer(&record(host, value)), 1);
    }
    let hosts = eventually("two hosts are slow", || {
        let list = site.get("/v1/incidents")["incidents"].as_array().cloned().unwrap_or_default();
        let mine = list.iter().filter(|it| it["rule"] == "slow");
        let hosts: BTreeSet<String> = mine.map(|it| it["labels"]["host"].as_str().unwrap().to_owned()).collect();
        (hosts.len() >= 2).then_some(hosts)
    });
    assert_eq!(hosts.into_iter().collect::<Vec<_>>(), ["a", "c"]);
    let why = eventually("the other one is told", || {
        site.get("/v1/status")["rules"]["troubles"]["torn"].as_str().map(str::to_owned)
    });
    let config = site.path("bongsu.yaml").display().to_string();
    let data = site.data().display().to_string();
    let ask = ["explain", "--rule", "slow", "--labels", "host=a", "-c", &config, "--data-dir", &data];
    let told = bongsu(&ask);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(text.contains("값: 9 (식의 결과)") && text.contains("식의 결과에 있음"), "{text}{told:?}");
    assert!(!text.contains("표본 0건"), "{text}");
    assert!(why.contains("duplicate series") || why.contains("many"), "{why}");
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
}
