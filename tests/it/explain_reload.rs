//! A running service explains itself, and takes edited files without losing what it knows.

use crate::site::{Site, eventually, json_lines, record};
use serde_json::Value;

const RULES: &str = "  - id: load-high
    title: 부하 과다
    metric: app.load
    by: [host]
    window: { fn: last, over: 1m }
    when: above
    severity: { S1: { value: 90 } }
  - id: load-long
    title: 부하 지속
    metric: app.load
    by: [host]
    match: { role: db }
    window: { fn: last, over: 1m }
    when: above
    severity: { S2: { value: 50, for: 1h } }
";

/// Asks the command line; gives the exit code and the first object.
fn explain(site: &Site, args: &[&str]) -> (Option<i32>, Value) {
    let done = site.command(&[&["explain", "--format", "json"], args].concat());
    let told = json_lines(&done).into_iter().next();
    (done.status.code(), told.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&done.stderr))))
}

fn says(told: &Value, what: &str) -> bool {
    told["lines"].as_array().is_some_and(|lines| lines.iter().any(|line| line.as_str().unwrap_or("").contains(what)))
}

#[test]
fn a_running_service_explains_a_state_an_incident_and_silence() {
    let site = Site::new(RULES);
    let service = site.start();
    site.send(&(record("known-01", "app.load", 99.0) + &record("other", "app.load", 40.0)));
    site.page("load-high", "first");
    let (code, told) = explain(&site, &["--rule", "load-high", "--labels", "host=known-01"]);
    assert_eq!((code, &told["state"], &told["value"]), (Some(0), &"firing".into(), &99.0.into()), "{told}");
    assert_eq!(told["pages"][0]["state"], "accepted", "{told}");
    assert!(says(&told, "duty-1"), "{told}");
    let id = told["incidents"][0]["id"].as_str().unwrap();
    let (code, same) = explain(&site, &[id]);
    assert_eq!((code, &same["labels"]["host"]), (Some(0), &"known-01".into()));
    let (_, calm) = explain(&site, &["--rule", "load-high", "--labels", "host=other"]);
    assert_eq!((&calm["state"], &calm["levels"][0]["distance"]), (&"inactive".into(), &50.0.into()), "{calm}");
    let (code, out) = explain(&site, &["--rule", "load-long", "--labels", "host=other"]);
    assert_eq!((code, &out["near"][0]["misfits"][0]), (Some(1), &"role: \"db\"".into()), "{out}");
    assert_eq!(explain(&site, &["INC-0000-999"]).0, Some(1));
    drop(service);
}

#[test]
fn the_past_and_a_service_that_is_killed_are_explained_from_its_log_and_store() {
    let site = Site::new(RULES);
    let service = site.start();
    site.send(&record("known-01", "app.load", 40.0));
    let asked = ["--rule", "load-high", "--labels", "host=known-01"];
    let calm = eventually("its first state", || {
        let (_, told) = explain(&site, &asked);
        let (at, newest) = (told["at"].as_i64()?, told["newest"].as_i64()?);
        // By then the log surely held the record that was judged.
        (told["state"] == "inactive" && at >= newest + 2_000).then(|| at.to_string())
    });
    site.send(&record("known-01", "app.load", 99.0));
    site.page("load-high", "first");
    let (code, then) = explain(&site, &[&asked[..], &["--at", &calm]].concat());
    assert_eq!((code, &then["state"], &then["value"]), (Some(0), &"inactive".into(), &40.0.into()), "{then}");
    assert_eq!(then["incidents"].as_array().map(Vec::len), Some(0), "it had not begun: {then}");
    drop(service);
    let (code, told) = explain(&site, &asked);
    assert_eq!((code, &told["state"], &told["value"]), (Some(0), &"firing".into(), &99.0.into()), "{told}");
    assert_eq!(told["pages"][0]["state"], "accepted", "{told}");
    let id = told["incidents"][0]["id"].as_str().unwrap();
    assert!(says(&explain(&site, &[id]).1, "duty-1"), "{told}");
    assert_eq!(explain(&site, &[id, "--at", &calm]).0, Some(1), "not open then");
    assert_eq!(explain(&site, &["INC-0000-999"]).0, Some(1));
    let out = site.command(&["explain", id, "--at", "2020-01-01"]);
    assert!(out.status.code() != Some(0), "{out:?}");
}

#[test]
fn a_bad_file_is_told_everywhere_and_a_good_one_ends_it() {
    let site = Site::new(RULES);
    let service = site.start();
    site.send(&record("known-01", "app.load", 99.0));
    let first = site.page("load-high", "first");
    site.edit("rules.yaml", "value: 90", "value: viel");
    let broken = eventually("the status", || site.get("/v1/status")["rules"]["broken"].as_str().map(str::to_owned));
    assert!(broken.contains("rules.yaml:9:"), "{broken}");
    let incident = eventually("the incident", || site.incidents("broken-config").into_iter().next());
    assert_eq!(incident["state"], "open");
    assert!(site.text("/").contains("rules.yaml:9:"), "the page says it too");
    // The old set is in force: the incident goes on, and its end is told.
    site.send(&record("known-01", "app.load", 1.0));
    assert_eq!(site.page("load-high", "resolved")["incident"], first["incident"]);
    site.edit("rules.yaml", "value: viel", "value: 90");
    eventually("the end of the incident", || {
        let state = site.incidents("broken-config").into_iter().next()?["state"].clone();
        (state != "open").then_some(())
    });
    assert!(site.get("/v1/status")["rules"]["broken"].is_null());
    assert_eq!(service.end(), Some(0));
}

#[test]
fn an_incident_goes_on_over_a_reload_that_makes_its_rule_stricter() {
    let site = Site::new(RULES);
    let service = site.start();
    site.send(&record("known-01", "app.load", 99.0));
    let first = site.page("load-high", "first");
    let before = site.get("/v1/status")["rules"]["hash"].clone();
    site.edit("rules.yaml", "S1: { value: 90 }", "S1: { value: 90, for: 20m }");
    eventually("the new rules", || (site.get("/v1/status")["rules"]["hash"] != before).then_some(()));
    site.send(&record("known-01", "app.load", 98.0));
    let (_, told) = explain(&site, &["--rule", "load-high", "--labels", "host=known-01"]);
    assert_eq!(told["state"], "firing", "{told}");
    let open: Vec<Value> = site.incidents("load-high");
    assert_eq!((open.len(), &open[0]["id"], &open[0]["state"]), (1, &first["incident"], &"open".into()));
    assert_eq!(service.end(), Some(0));
}
