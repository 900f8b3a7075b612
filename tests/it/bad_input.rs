//! Everything bad at once, through the door of the running service: each has its clear answer or counter, and what was
//! good among it arrives. Decoding, the files people edit, the log and the store have their own tests of each kind; here
//! it is shown of the whole.

use serde_json::{Value, json};

use crate::site::{Site, eventually, now, record};

const RULE: &str = "  - id: load-high
    title: 부하 과다
    domain: 인프라
    metric: app.load
    by: [host]
    window: { fn: last, over: 1m }
    when: above
    severity: { S1: { value: 90 } }
  - id: load-count
    title: 표본 과다
    domain: 인프라
    metric: app.count
    by: [host]
    window: { fn: count, over: 10m }
    when: at_least
    severity: { S3: { value: 3 } }
";

/// A record of host `bad-01` with these points, taken at `ts`.
fn points(ts: i64, points: &str) -> Vec<u8> {
    format!("{{\"v\":1,\"ts\":{ts},\"host\":\"bad-01\",\"points\":{points}}}").into_bytes()
}

#[test]
fn what_is_bad_is_said_and_counted_and_what_is_good_arrives() {
    let site = Site::new(RULE);
    let service = site.start();
    let now = now();
    let at_the_door: &[(&str, &[u8])] = &[
        ("not-json", b"{\"v\":1,\"host\":"),
        ("not-json", b"nonsense"),
        ("bad-field", b"[1,2]"),
        ("not-utf8", b"{\"v\":1,\"host\":\"\xff\xfe\"}"),
        ("unknown-version", br#"{"v":9,"ts":1,"host":"bad-01","points":[]}"#),
        ("unknown-version", br#"{"ts":1,"host":"bad-01","points":[]}"#),
        ("duplicate-key", br#"{"v":1,"v":1,"ts":1,"host":"bad-01","points":[]}"#),
        ("no-host", br#"{"v":1,"ts":1,"host":5,"points":[]}"#),
    ];
    for (reason, line) in at_the_door {
        let (status, answer) = site.post(line);
        let shown = String::from_utf8_lossy(line);
        assert_eq!((status, &answer["rejected"][0]["reason"]), (400, &Value::from(*reason)), "{shown}");
    }
    // Among good ones, each costs only itself.
    let mut mixed = Vec::new();
    for (_, line) in at_the_door {
        mixed.extend_from_slice(line);
        mixed.push(b'\n');
    }
    mixed.extend_from_slice(record("known-01", "app.load", 99.0).as_bytes());
    let (status, answer) = site.post(&mixed);
    assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "{answer}");
    let listed: Vec<_> = answer["rejected"].as_array().unwrap().iter().map(|found| found["reason"].clone()).collect();
    assert_eq!(listed, at_the_door.iter().map(|(reason, _)| Value::from(*reason)).collect::<Vec<_>>());
    site.page("load-high", "first");

    // What only shows when it is decoded: counted by reason, the rest of the record is used.
    let day = 24 * 3_600_000;
    let decoded = [
        points(
            now,
            r#"[["app.load","99"],["app.load",1e999],["app.load",NaN],["app.load",-Infinity],["app.load",null]]"#,
        ),
        points(now, r#"[["app.load"],5,["",1],["app.load",1,{"host":"other"}]]"#),
        points(now - 40 * 365 * day, r#"[["app.load",99]]"#),
        points(now + 2 * day, r#"[["app.load",99]]"#),
        points(now, r#"{"app.load":99}"#),
        points(now, r#"[["app.load","x"],["app.load",1],["app.count",1]]"#),
        // The same sample again, and one before it: two samples, not three.
        points(now, r#"[["app.count",1]]"#),
        points(now - 60_000, r#"[["app.count",1]]"#),
    ];
    for line in &decoded {
        let (status, answer) = site.post(line);
        assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "{}", String::from_utf8_lossy(line));
    }
    let rejected = eventually("each reason counted", || {
        let rejected = site.get("/v1/status")["counts"]["rejected"].clone();
        (rejected["bad-number"].as_i64() >= Some(6) && rejected["bad-field"].as_i64() >= Some(1)).then_some(rejected)
    });
    assert_eq!(rejected, json!({"bad-number": 6, "bad-point": 4, "bad-time": 2, "bad-field": 1}));
    assert!(site.incidents("load-count").is_empty(), "a sample that comes twice is one");
    // A third one, older than both: out of order, and counted.
    site.post(&points(now - 120_000, r#"[["app.count",1]]"#));
    eventually("three samples", || site.incidents("load-count").pop());
    let hosts: Vec<_> = site.incidents("load-high").iter().map(|incident| incident["labels"]["host"].clone()).collect();
    assert_eq!(hosts, ["known-01"], "no bad number ever counted");
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
}

#[test]
fn the_real_door_asks_for_the_token_and_keeps_its_limits() {
    let site = Site::new(RULE);
    let service = site.start();
    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    for (path, open) in [("/healthz", true), ("/metrics", true), ("/v1/status", false), ("/v1/pages", false)] {
        let status = client.get(format!("http://{}{path}", site.listen)).send().unwrap().status();
        assert_eq!(status == 200, open, "{path}: {status}");
    }
    let url = format!("http://{}/v1/records", site.listen);
    let status = client.post(&url).body(record("known-01", "app.load", 99.0)).send().unwrap().status();
    assert_eq!(status, 401);
    let long = format!("{{\"v\":1,\"ts\":1,\"host\":\"a\",\"points\":[],\"x\":\"{}\"}}", "a".repeat(10_000_000));
    assert_eq!(site.post(long.as_bytes()).0, 413);
    let (status, answer) = site.post((long + "\n" + &record("known-01", "app.load", 99.0)).as_bytes());
    assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "of both, the one that fits goes in");
    site.page("load-high", "first");
    assert_eq!(service.end(), Some(0));
}

#[test]
fn a_full_disk_is_said_and_what_was_acknowledged_is_worked_on_when_there_is_room() {
    let site = Site::new(RULE);
    let service = site.start_with_limits();
    site.send(&record("known-01", "app.load", 1.0));
    eventually("the first record is durable", || {
        site.get("/v1/status")["counts"]["records"].as_i64().filter(|records| *records > 0)
    });
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        // Sent and acknowledged; how far it has come when the disk is full is anybody's guess.
        let host = format!("host-{round}");
        assert_eq!(site.send(&record(&host, "app.load", 99.0))["accepted"], 1);
        acknowledged.push(host);
        service.limit_files(Some(4_096));
        let refused = eventually("the door says so", || {
            let (status, answer) = site.post(record("late", "app.load", 1.0).as_bytes());
            (status == 503).then_some(answer)
        });
        assert_eq!(refused["accepted"], 0);
        let reason = refused["rejected"][0]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("log"), "{refused}");
        eventually("health says so", || (!site.is_healthy()).then_some(()));
        // Where the store cannot even be read, that is what the status says.
        let said = site.get("/v1/status").to_string();
        assert!(said.contains("기록할 수 없습니다") || said.contains("store"), "{said}");
        service.limit_files(None);
        eventually("healthy again", || site.is_healthy().then_some(()));
        for host in &acknowledged {
            eventually(host, || {
                site.incidents("load-high").into_iter().find(|incident| incident["labels"]["host"] == **host)
            });
        }
    }
    assert_eq!(site.send(&record("known-01", "app.load", 99.0))["accepted"], 1);
    eventually("each was told, once", || {
        let pages = site.get("/v1/pages")["pages"].as_array().cloned().unwrap_or_default();
        let first = pages.iter().filter(|page| page["reason"] == "first" && page["state"] == "accepted").count();
        (first == acknowledged.len() + 1).then_some(())
    });
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
    let verify = site.command(&["ledger", "verify"]);
    assert_eq!(verify.status.code(), Some(0), "{}", String::from_utf8_lossy(&verify.stdout));
}

#[test]
fn a_kill_on_a_full_disk_loses_nothing_that_was_acknowledged() {
    let site = Site::new(RULE);
    let service = site.start_with_limits();
    assert_eq!(site.send(&record("host-1", "app.load", 99.0))["accepted"], 1);
    service.limit_files(Some(4_096));
    eventually("health says so", || (!site.is_healthy()).then_some(()));
    service.kill();
    let service = site.start();
    site.page("load-high", "first");
    assert_eq!(site.incidents("load-high").len(), 1);
    assert_eq!(service.end(), Some(0));
}

#[test]
fn a_second_process_on_the_same_directory_is_refused_and_the_first_goes_on() {
    let site = Site::new(RULE);
    let service = site.start();
    // Another port: it is the directory that is taken.
    let text = std::fs::read_to_string(site.path("bongsu.yaml")).unwrap();
    let other = site.path("other.yaml");
    std::fs::write(&other, text.replace(&site.listen, "127.0.0.1:0")).unwrap();
    let (other, data) = (other.display().to_string(), site.data().display().to_string());
    let second = crate::site::bongsu(&["run", "-c", &other, "--data-dir", &data]);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(2), "{said}");
    assert!(said.contains("in use by another process") && said.contains("help:"), "{said}");
    site.send(&record("known-01", "app.load", 99.0));
    site.page("load-high", "first");
    assert_eq!(service.end(), Some(0));
}

#[test]
fn a_database_of_a_newer_version_is_refused_before_anything_starts() {
    let newer = [("bongsu.db", "UPDATE schema_version SET version = 99"), ("log.db", "PRAGMA user_version = 99")];
    for (file, change) in newer {
        let site = Site::new(RULE);
        assert_eq!(site.start().end(), Some(0));
        let path = site.data().join(file);
        let database = rusqlite::Connection::open(&path).unwrap();
        database.execute_batch(&format!("{change}; PRAGMA wal_checkpoint(TRUNCATE)")).unwrap();
        drop(database);
        let before = std::fs::read(&path).unwrap();
        let refused = site.command(&["run"]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{file}: {said}");
        assert!(said.contains(file) && said.contains(" 99"), "{file}: {said}");
        assert!(std::fs::read(&path).unwrap() == before, "{file} was changed");
    }
}
