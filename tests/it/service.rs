//! The service as a newcomer has it: records in at the door, an incident, a message on a phone, people's commands.

use crate::site::{Site, eventually, json_lines, now, record};
use serde_json::Value;

pub(crate) const RULE: &str = "  - id: load-high
    title: 부하 과다
    domain: 인프라
    metric: app.load
    by: [host]
    window: { fn: last, over: 1m }
    when: above
    severity: { S1: { value: 90 } }
";

fn pages(site: &Site) -> Vec<Value> {
    site.get("/v1/pages")["pages"].as_array().cloned().unwrap_or_default()
}

/// Waits for a page with this reason that reached its phone.
fn page(site: &Site, reason: &str) -> Value {
    eventually(reason, || pages(site).into_iter().find(|page| page["reason"] == reason && page["state"] == "accepted"))
}

#[test]
fn a_bad_record_becomes_a_message_and_people_can_act_on_it() {
    let site = Site::new(RULE);
    let service = site.start();
    let answer = site.send(&(record("known-01", "app.load", 99.0) + &record("stranger", "app.load", 1.0)));
    assert_eq!(answer["accepted"], 2, "{answer}");
    let first = page(&site, "first");
    let incident = first["incident"].as_str().unwrap().to_owned();
    assert!(incident.starts_with("INC-"), "{incident}");

    let ack = site.command(&["ack", &incident, "--by", "duty-1"]);
    assert_eq!(ack.status.code(), Some(0), "{}", String::from_utf8_lossy(&ack.stderr));
    let again = site.command(&["ack", "INC-0000-999"]);
    assert_eq!(again.status.code(), Some(1), "an unknown incident is exit 1");

    // The status is published once a second.
    let stranger = eventually("the stranger in the status", || {
        let status = site.command(&["status", "--format", "json"]);
        assert_eq!(status.status.code(), Some(0), "{status:?}");
        let status = json_lines(&status).pop()?;
        status["sources"].as_array()?.iter().find(|source| source["host"] == "stranger").cloned()
    });
    assert_eq!(stranger["known_to_inventory"], false);

    site.send(&record("known-01", "app.load", 1.0));
    let resolved = page(&site, "resolved");
    assert_eq!(resolved["to"], "duty-1", "whoever heard of the beginning hears of the end");

    assert_eq!(service.end(), Some(0), "{}", site.service_log());
    let verify = site.command(&["ledger", "verify"]);
    assert_eq!(verify.status.code(), Some(0), "{}", String::from_utf8_lossy(&verify.stdout));
    let phone = std::fs::read_dir(site.data().join("handset").join("duty-1")).unwrap().count();
    assert_eq!(phone, 2, "one file for each message, named by its id");
}

#[test]
fn a_recorded_stream_replays_to_the_same_signals() {
    let site = Site::new(RULE);
    let service = site.start();
    for value in [99.0, 1.0, 95.0, 2.0] {
        site.send(&record("known-01", "app.load", value));
        let want = if value > 90.0 { "open" } else { "resolved" };
        eventually(want, || {
            let incidents = site.get("/v1/incidents")["incidents"].as_array().cloned().unwrap_or_default();
            incidents.iter().any(|incident| incident["state"] == want).then_some(())
        });
    }
    // Not JSON at all: recorded and refused again.
    site.send("{\"v\":1,\"host\":\"known-01\",\"ts\":1,\"points\":[[\"app.load\",\"x\"]]}\n");
    service.end();
    let stored = stored_signals(&site);
    assert!(stored.len() >= 4, "{stored:?}");

    let recorded = site.command(&["record"]);
    assert!(recorded.status.success(), "{}", String::from_utf8_lossy(&recorded.stderr));
    let file = site.path("recorded.ndjson");
    std::fs::write(&file, &recorded.stdout).unwrap();
    let (rules, config) = (site.path("rules.yaml"), site.path("bongsu.yaml"));
    let replay = || {
        crate::site::bongsu(&[
            "replay",
            "--rules",
            rules.to_str().unwrap(),
            "--input",
            file.to_str().unwrap(),
            "-c",
            config.to_str().unwrap(),
            "--format",
            "json",
        ])
    };
    let (first, second) = (replay(), replay());
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    assert_eq!(first.stdout, second.stdout, "the same input gives the same bytes");
    let replayed: Vec<_> = json_lines(&first)
        .into_iter()
        .filter(|line| line["type"] == "signal" && line["to"] != "pending")
        .map(|line| (line["at"].clone(), line["labels"].clone(), line["to"].clone(), line["value"].clone()))
        .collect();
    assert_eq!(replayed, stored);
}

/// The signals that the store holds, by time.
fn stored_signals(site: &Site) -> Vec<(Value, Value, Value, Value)> {
    let store = bongsu::store::open_readonly(&format!("sqlite:{}", site.data().join("bongsu.db").display())).unwrap();
    let mut found = Vec::new();
    for partition in 0..2 {
        let signals = bongsu::store::Store::signals(&store, "telemetry", partition, 0, 1_000).unwrap();
        found.extend(signals.into_iter().map(|(_, signal)| {
            (signal.at.into(), signal.labels.to_json(), signal.to.word().into(), Value::from(signal.value))
        }));
    }
    found.sort_by_key(|(at, ..): &(Value, Value, Value, Value)| at.as_i64());
    found
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let site = Site::new(RULE);
    let _service = site.start();
    let second = site.command(&["run"]);
    assert_eq!(second.status.code(), Some(2));
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    // Whichever it meets first, the port or the directory, it says what to do.
    assert!(text.contains("help:") && (text.contains("in use") || text.contains("taken")), "{text}");
}

#[test]
fn a_killed_service_goes_on_where_it_was() {
    let site = Site::new(RULE);
    let service = site.start();
    site.send(&record("known-01", "app.load", 99.0));
    page(&site, "first");
    service.kill();
    let service = site.start();
    site.send(&record("known-01", "app.load", 99.0));
    site.send(&record("known-01", "app.load", 1.0));
    page(&site, "resolved");
    let firsts = pages(&site).into_iter().filter(|page| page["reason"] == "first").count();
    assert_eq!(firsts, 1, "nobody is told of the beginning twice");
    assert_eq!(service.end(), Some(0));
}

#[test]
fn a_broken_rule_file_keeps_the_old_set_and_is_an_incident() {
    let site = Site::new(RULE);
    let service = site.start();
    std::fs::write(site.path("rules.yaml"), "version: 1\nrules:\n  - id: load-high\n    titel: 오타\n").unwrap();
    eventually("broken", || site.get("/v1/status")["rules"]["broken"].as_str().map(str::to_owned));
    site.send(&record("known-01", "app.load", 99.0));
    page(&site, "first");
    let lower = RULE.replace("value: 90", "value: 50");
    std::fs::write(site.path("rules.yaml"), format!("version: 1\nrules:\n{lower}")).unwrap();
    eventually("mended", || site.get("/v1/status")["rules"]["broken"].is_null().then_some(()));
    eventually("the new rule", || {
        site.send(&record("other", "app.load", 60.0));
        let incidents = site.get("/v1/incidents")["incidents"].as_array().cloned().unwrap_or_default();
        incidents.iter().any(|incident| incident["labels"]["host"] == "other").then_some(())
    });
    drop(service);
    assert!(now() > 0);
}

#[test]
fn a_configuration_with_mistakes_is_refused_before_anything_starts() {
    let site = Site::new("  - id: a\n    titel: 오타\n    window: { fn: avgg, over: 5 }\n");
    let refused = site.command(&["run"]);
    assert_eq!(refused.status.code(), Some(2));
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("rules.yaml:4:5"), "{text}");
    assert!(!site.data().exists(), "nothing was made");
}

#[test]
fn an_edit_of_the_contacts_stands_in_their_history_though_nothing_else_happens() {
    let site = Site::new(RULE);
    let service = site.start();
    let history = || String::from_utf8_lossy(&site.command(&["contacts", "history"]).stdout).into_owned();
    for (from, to) in [("0001", "0007"), ("0007", "0008")] {
        site.edit("contacts.yaml", &format!("010-0000-{from}"), &format!("010-0000-{to}"));
        let line = format!("전화 010-****-{from} → 010-****-{to}");
        eventually("the change in the history", || history().contains(&line).then_some(()));
    }
    assert!(site.get("/v1/incidents")["incidents"].as_array().is_none_or(Vec::is_empty), "nothing else happened");
    let reloads = history().lines().filter(|line| line.contains("변경 duty-1")).count();
    assert_eq!(reloads, 2, "each is written down once: {}", history());
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
    assert_eq!(site.command(&["ledger", "verify"]).status.code(), Some(0));
}

#[test]
fn a_step_that_nobody_is_behind_is_shown_where_people_look() {
    let site = Site::new(RULE);
    let contacts = std::fs::read_to_string(site.path("contacts.yaml")).unwrap();
    let gone = "  - { id: csp-1, org: CSP, roles: [duty], name: 나상인, phone: \"010-0000-0002\", valid: { until: 2026-01-02 } }\n";
    std::fs::write(site.path("contacts.yaml"), contacts + gone).unwrap();
    site.edit("chains.yaml", "steps:\n", "steps:\n      - { to: [CSP/duty], by: [sms], wait: 5m }\n");
    let service = site.start();
    site.send(&record("known-01", "app.load", 99.0));
    let first = page(&site, "first");
    let incident = first["incident"].as_str().unwrap().to_owned();
    assert_eq!(first["to"], "duty-1", "the step after it is told at once");
    let status = json_lines(&site.command(&["status", "--format", "json"])).pop().unwrap();
    let wanted = serde_json::json!([
        { "chain": "all", "step": 0, "last": false, "to": ["CSP/duty"], "incidents": [incident] }
    ]);
    assert_eq!(status["empty_steps"], wanted);
    let said = |args: &[&str]| String::from_utf8_lossy(&site.command(args).stdout).into_owned();
    assert!(said(&["status"]).contains("chain all: step 1 (CSP/duty) has NOBODY; passed by 1, first INC-"));
    let explained = said(&["explain", &incident]);
    assert!(explained.contains("체계 all의 1단계(CSP/duty)에 연락할 사람이 없어"), "{explained}");
    let ack = site.command(&["ack", &incident, "--by", "dtuy-1"]);
    let answer = String::from_utf8_lossy(&ack.stdout).into_owned();
    assert_eq!(ack.status.code(), Some(0), "a name with a mistake takes it all the same: {answer}");
    assert!(answer.contains("`dtuy-1` 비상연락망에 없는 이름입니다(혹시 `duty-1`?)"), "{answer}");
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
}
