//! Signs of life of a real service, over HTTP and by mail, while its store is away, its disk is full, its leader is stuck: they
//! stop, health and status say why, they come back, and an incident tells how long it was.
//!
//! The idea: nobody waits for silence by the clock. The service counts the signs that it withheld, so a sign that arrived
//! after the first of them would be one too many.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::service::RULE;
use crate::service_postgres;
use crate::site::{DEADLINE, Site, eventually, json_lines, record};
use crate::smtp::Smtp;

/// A watcher on loopback, and the bodies of the signs that it got.
fn watcher() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/alive", listener.local_addr().unwrap());
    let (tell, heard) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                let line = line.to_ascii_lowercase();
                length = line.strip_prefix("content-length:").map_or(length, |n| n.trim().parse().unwrap());
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            reader.into_inner().write_all(answer).unwrap();
            // Nobody listens any more when the test is over.
            if tell.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    (url, heard)
}

fn with(site: &Site, more: &str) {
    let main = std::fs::read_to_string(site.path("bongsu.yaml")).unwrap();
    std::fs::write(site.path("bongsu.yaml"), format!("{main}{more}")).unwrap();
}

/// How many signs became what.
fn signs(site: &Site, outcome: &str) -> u64 {
    let metrics = site.text("/metrics");
    let name = format!("bongsu_heartbeats_total{{outcome=\"{outcome}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)?.trim().parse().ok()).unwrap_or(0)
}

/// Waits until signs are withheld, twice; none leaves in between. `arrived`: everything that arrived until now.
fn withheld(site: &Site, mut arrived: impl FnMut() -> usize) {
    let before = signs(site, "withheld");
    eventually("signs are withheld", || (signs(site, "withheld") > before).then_some(()));
    let (sent, _) = (signs(site, "sent"), arrived());
    eventually("they are withheld again", || (signs(site, "withheld") > before + 1).then_some(()));
    assert_eq!((signs(site, "sent"), arrived()), (sent, 0), "one left although the engine is not well");
}

/// The incident about the store, once it is over.
fn outage(site: &Site) -> Value {
    let found = eventually("the outage is an incident that is over", || {
        site.incidents("engine-store").into_iter().find(|incident| incident["state"] == "resolved")
    });
    let length = found["resolved"].as_i64().unwrap() - found["detected"].as_i64().unwrap();
    assert!((5_000..120_000).contains(&length), "{found}");
    let entries = site.get("/v1/ledger?limit=10000")["entries"].as_array().cloned().unwrap_or_default();
    let end = entries.iter().find_map(|entry| {
        let json: Value = serde_json::from_str(entry["json"].as_str()?).ok()?;
        let signal = &json["input"]["signal"];
        (signal["rule"] == "engine-store" && signal["to"] == "resolved").then(|| signal["value"].as_f64())?
    });
    let told = end.unwrap_or_else(|| panic!("the ledger tells how long it was: {entries:?}"));
    #[expect(clippy::cast_precision_loss, reason = "a minute or two")]
    let seconds = length as f64 / 1_000.0;
    assert!((told - seconds).abs() < 0.01, "{told} s, {found}");
    site.page("engine-store", "first");
    site.page("engine-store", "resolved");
    found
}

#[test]
fn without_its_database_a_service_gives_no_sign_and_says_that_it_does_not_know() {
    let server = service_postgres::server();
    let (site, (url, heard)) = (Site::new(RULE), watcher());
    site.keep_in(&server.url("bongsu_owner", "bongsu"));
    with(&site, &format!("heartbeat: {{ url: \"{url}\", method: POST, every: 1s }}\n"));
    let service = site.start();
    site.send(&record("known-01", "app.load", 99.0));
    site.page("load-high", "first");
    let sign = heard.recv_timeout(DEADLINE).unwrap();
    assert_eq!(sign["alive"], true);

    server.kill();
    eventually("health says so", || (!site.is_healthy()).then_some(()));
    withheld(&site, || heard.try_iter().count());
    let status = site.get("/v1/status");
    for name in ["leader", "sla", "silences", "muted"] {
        assert!(status[name].is_null(), "{name}: {status}");
    }
    assert!(status["counts"]["incidents_open"].is_null() && status["counts"]["pages"].is_null(), "{status}");
    assert!(status["unknown"].is_string() && status["healthy"] == false, "{status}");
    let told = site.command(&["status"]);
    let lines = String::from_utf8_lossy(&told.stdout).into_owned();
    assert_eq!(told.status.code(), Some(1), "{lines}");
    for wanted in ["leader: unknown", "open incidents unknown", "service levels, silences: unknown"] {
        assert!(lines.contains(wanted), "{wanted}: {lines}");
    }

    server.restart();
    heard.recv_timeout(DEADLINE).unwrap();
    eventually("healthy again", || site.is_healthy().then_some(()));
    outage(&site);
    let status = json_lines(&site.command(&["status", "--format", "json"])).pop().unwrap();
    assert!(status["unknown"].is_null() && status["leader"]["here"] == true, "{status}");
    assert_eq!(status["counts"]["incidents_open"], 1, "{status}");
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
}

#[test]
fn on_a_full_disk_a_service_gives_no_sign_and_tells_afterwards_how_long_it_was() {
    let (site, (url, heard)) = (Site::new(RULE), watcher());
    with(&site, &format!("heartbeat: {{ url: \"{url}\", method: POST, every: 1s }}\n"));
    let service = site.start_with_limits();
    // Its own lines go to a file on the same disk.
    heard.recv_timeout(DEADLINE).unwrap();
    service.limit_files(Some(4_096));
    eventually("health says so", || (!site.is_healthy()).then_some(()));
    withheld(&site, || heard.try_iter().count());
    assert!(!site.get("/v1/status")["troubles"].as_array().unwrap().is_empty());
    service.limit_files(None);
    heard.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("no sign: {}", site.service_log()));
    outage(&site);
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
}

#[test]
fn signs_by_mail_stop_while_the_leader_is_stuck() {
    let (site, smtp) = (Site::new(RULE), Smtp::start());
    for (file, text) in [("user", "user"), ("password", "password")] {
        crate::gateway_http::hide(&site.path(file), text);
    }
    with(
        &site,
        &format!(
            "gateways:\n  - id: mail\n    channel: mail\n    kind: smtp\n    smtp:\n      host: localhost\n      port: {}\n      \
             tls: starttls\n      ca_file: {}\n      from: \"긴급신고 관제 <alert@example.test>\"\n      \
             user_file: user\n      password_file: password\n      domains: [example.test]\n\
             heartbeat: {{ mail: watch@example.test, every: 1s }}\n",
            smtp.starttls,
            smtp.authority().display()
        ),
    );
    let service = site.start();
    let sign = smtp.mail();
    assert!(sign.to_string().contains("watch@example.test"), "{sign}");
    // Somebody else's lock: the store can be read, and nothing can be written.
    let held = rusqlite::Connection::open(site.data().join("bongsu.db")).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    eventually("health says so", || (!site.is_healthy()).then_some(()));
    withheld(&site, || smtp.mails().len());
    held.execute_batch("ROLLBACK").unwrap();
    smtp.mail();
    outage(&site);
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
}
