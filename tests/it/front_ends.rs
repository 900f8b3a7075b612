//! A stream recorded from the running service and replayed gives the same signals, whatever the rules are written in:
//! windows of our own form, `expr:`, and a Prometheus file, over four partitions, one of them idle.
//!
//! The idea: rules of all three forms fire and recover in the service as records come in at its door. What is then in the
//! store, per partition and for the wide rules, must be what `record` and `replay` make of the log: of the whole, and from
//! the middle on, when something was firing, with what fills the windows muted before it and the state rows in force.

#![allow(clippy::unwrap_used, reason = "what a helper cannot do fails its test")]

use std::collections::BTreeMap;

use bongsu::model::WIDE;
use bongsu::model::wire::signal_to_json;
use bongsu::store::Store;
use serde_json::Value;

use crate::site::{Site, bongsu, eventually, json_lines, now, record};

const PARTITIONS: i32 = 4;
const HOSTS: [&str; 6] = ["was-01", "was-02", "db-01", "db-02", "web-01", "web-02"];

const NATIVE: &str = "version: 1
rules:
  - { id: native-last, title: 부하 과다, metric: app.load, by: [host], window: { fn: last, over: 1m }, when: above, severity: { S2: { value: 50 } } }
  - id: native-window
    title: 평균 부하 과다
    metric: app.load
    by: [host]
    window: { fn: max, over: 3s }
    when: above
    severity: { S1: { value: 90, for: 2s }, S3: { value: 50, for: 1s } }
    recover: { value: 40, for: 1s }
  - { id: native-wide, title: 전체 부하 과다, metric: app.load, by: [], window: { fn: max, over: 3s }, when: above, severity: { S3: { value: 50 } } }
  - { id: expr-load, title: 부하 식, expr: app_load > 50, for: 1s, severity: S2 }
  - { id: expr-window, title: 평균 부하 식, expr: 'max by (host) (max_over_time(app_load[3s])) > 50', severity: { S1: { for: 3s }, S3: {} }, recover: { for: 1s } }
";

const PROMETHEUS: &str = "groups:
  - name: 부하
    interval: 1s
    rules:
      - { record: 'host:app_load:max', expr: 'max by (host) (app_load)' }
      - alert: PromLoad
        expr: host:app_load:max > 50
        for: 1s
        keep_firing_for: 1s
        labels: { severity: critical, where: '{{ $labels.host }}' }
      - { alert: PromAny, expr: 'count(app_load > 50) > 0', labels: { severity: warning } }
";

/// All rules by id.
const RULES: [&str; 7] =
    ["native-last", "native-window", "native-wide", "expr-load", "expr-window", "PromLoad", "PromAny"];

fn site() -> Site {
    let site = Site::new("");
    std::fs::create_dir(site.path("rules")).unwrap();
    std::fs::write(site.path("rules/native.yaml"), NATIVE).unwrap();
    std::fs::write(site.path("rules/prometheus.yml"), PROMETHEUS).unwrap();
    site.edit("bongsu.yaml", "rules: rules.yaml", "rules: rules");
    site.edit("bongsu.yaml", "partitions: 2", &format!("partitions: {PARTITIONS}"));
    site
}

fn send(site: &Site, value: impl Fn(usize) -> f64) {
    let records: String = HOSTS.iter().enumerate().map(|(n, host)| record(host, "app.load", value(n))).collect();
    assert_eq!(site.send(&records)["accepted"], HOSTS.len());
}

/// Sends until every rule has an incident, all of them resolved, or one of them open.
fn until(site: &Site, state: &str, value: impl Fn(usize) -> f64) {
    let of = |rule: &str| -> Vec<Value> { site.incidents(rule).iter().map(|it| it["state"].clone()).collect() };
    let reached = |rule: &str| {
        let states = of(rule);
        let resolved = states.iter().filter(|it| **it == "resolved").count();
        !states.is_empty() && if state == "resolved" { resolved == states.len() } else { resolved < states.len() }
    };
    eventually(&format!("all rules {state}"), || {
        send(site, &value);
        RULES.iter().all(|rule| reached(rule)).then_some(())
    });
}

/// The signals of one partition, as texts.
type Signals = BTreeMap<i32, Vec<String>>;

fn word(signal: &Value) -> String {
    let part = |name: &str| signal[name].to_string();
    ["at", "rule", "labels", "from", "to", "severity", "value", "unknown"].map(part).join(" ")
}

fn store(site: &Site) -> impl Store {
    bongsu::store::open_readonly(&format!("sqlite:{}", site.data().join("bongsu.db").display())).unwrap()
}

/// What the store holds, the wide rules by rule: their ticks are one for all, the order of rules inside of one is not said.
fn stored(site: &Site, since: i64) -> Signals {
    let store = store(site);
    let mut found = Signals::new();
    for partition in (0..PARTITIONS).chain([WIDE]) {
        let signals = store.signals("telemetry", partition, 0, 1_000_000).unwrap();
        for (n, (seq, signal)) in signals.iter().enumerate() {
            assert_eq!(usize::try_from(*seq).unwrap(), n + 1, "partition {partition}: no gap in the numbers");
            if signal.at >= since {
                found.entry(partition).or_default().push(word(&signal_to_json(signal)));
            }
        }
    }
    found
}

/// What `replay` says of a recording, as far as the service worked its records off: one that ends may leave a pulse unread.
fn replayed(site: &Site, lines: &[Value], since: i64, homes: &BTreeMap<String, i32>) -> Signals {
    let durable: BTreeMap<i32, i64> = store(site)
        .partitions()
        .unwrap()
        .into_iter()
        .map(|(_, partition, progress)| (partition, progress.offset))
        .collect();
    let taken = |line: &&Value| {
        let partition = i32::try_from(line["log"]["partition"].as_i64().unwrap_or(-2)).unwrap();
        line["log"]["offset"].as_i64() < durable.get(&partition).copied().or(Some(i64::MAX))
    };
    let text: String = lines.iter().filter(taken).map(|line| format!("{line}\n")).collect();
    std::fs::write(site.path("recorded.ndjson"), text).unwrap();
    let show = |name: &str| site.path(name).display().to_string();
    let (rules, input, config) = (show("rules"), show("recorded.ndjson"), show("bongsu.yaml"));
    let run =
        bongsu(&["replay", "--rules", &rules, "--input", &input, "-c", &config, "--no-pages", "--format", "json"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut found = Signals::new();
    for line in json_lines(&run).iter().filter(|line| line["type"] == "signal") {
        let quiet = |state: &Value| *state == "inactive" || *state == "pending";
        if (quiet(&line["from"]) && quiet(&line["to"])) || line["at"].as_i64() < Some(since) {
            continue;
        }
        let local = matches!(line["rule"].as_str(), Some("native-last" | "native-window" | "source-silent"));
        let host = line["labels"]["host"].as_str().unwrap_or("");
        let partition = if local { homes[host] } else { WIDE };
        found.entry(partition).or_default().push(word(line));
    }
    found
}

fn compare(what: &str, stored: &Signals, replayed: &Signals) {
    assert_eq!(
        stored.keys().collect::<Vec<_>>(),
        replayed.keys().collect::<Vec<_>>(),
        "{what}: partitions with signals"
    );
    for (partition, stored) in stored {
        let replayed = &replayed[partition];
        let same = stored.iter().zip(replayed).take_while(|(a, b)| a == b).count();
        assert!(
            same == stored.len() && same == replayed.len(),
            "{what}, partition {partition}: after {same} of {} stored and {} replayed, stored {:#?}, replayed {:#?}",
            stored.len(),
            replayed.len(),
            stored.iter().skip(same).take(4).collect::<Vec<_>>(),
            replayed.iter().skip(same).take(4).collect::<Vec<_>>()
        );
    }
}

fn recorded(site: &Site, more: &[&str]) -> Vec<Value> {
    let done = site.command(&[&["record"], more].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    json_lines(&done)
}

/// In which partition each host is; every rule of one host's own must be told apart by it.
fn homes(lines: &[Value]) -> BTreeMap<String, i32> {
    let one = |line: &Value| {
        Some((line["host"].as_str()?.to_owned(), i32::try_from(line["log"]["partition"].as_i64()?).unwrap()))
    };
    lines.iter().filter_map(one).collect()
}

#[test]
fn what_three_front_ends_raise_live_is_what_a_recording_of_it_raises() {
    let site = site();
    let service = site.start();
    // Every second host is bad, each of its own kind.
    let bad = |n: usize| if n.is_multiple_of(2) { 95.0 } else { 60.0 + n as f64 };
    until(&site, "open", |n| if n < 4 { bad(n) } else { 1.0 });
    until(&site, "resolved", |_| 1.0);
    until(&site, "open", bad);
    // From here on it is recorded once more: everything is firing.
    let middle = now();
    until(&site, "open", bad);
    until(&site, "resolved", |_| 2.0);
    until(&site, "open", |n| if n == 5 { 70.0 } else { 3.0 });
    assert_eq!(service.end(), Some(0), "{}", site.service_log());

    let all = recorded(&site, &[]);
    let homes = homes(&all);
    let used: std::collections::BTreeSet<i32> = homes.values().copied().collect();
    assert!(used.len() > 1, "more than one partition has hosts: {homes:?}");
    let whole = stored(&site, 0);
    assert_eq!(whole.keys().filter(|partition| **partition != WIDE).count(), used.len());
    for rule in RULES {
        let raised = whole.values().flatten().filter(|signal| signal.contains(&format!("\"{rule}\""))).count();
        assert!(raised >= 4, "{rule} fired and recovered only {raised} times");
    }
    compare("the whole", &whole, &replayed(&site, &all, 0, &homes));

    let part = recorded(&site, &["--from", &middle.to_string()]);
    assert!(part.iter().any(|line| line["state"].is_object()), "states are in force in the middle");
    assert!(part.iter().any(|line| line["muted"] == true), "windows are filled");
    let plain = part.iter().filter(|line| line["log"].is_object() && line["muted"] != true);
    let from = plain.filter_map(|line| line["log"]["at"].as_i64()).min().unwrap();
    assert!(from >= middle);
    compare("from the middle", &stored(&site, from), &replayed(&site, &part, from, &homes));
}
