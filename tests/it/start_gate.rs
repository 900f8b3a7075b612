//! The start gate in a real service: it was away, a backlog stands in its log, a silence, an inhibition and an ack are in its
//! store. Nothing hidden and nothing stale leaves before it caught up, and what is due leaves then.
//!
//! The idea: the log is filled by the same program with no role but the door, so that nobody evaluates meanwhile. The
//! alarm that is stale by then begins at the backlog's beginning and is over at its end: without the gate its message
//! leaves while the rest is still being read.

use std::collections::BTreeSet;

use bongsu::model::PageState;
use bongsu::store::{self, Store as _};
use serde_json::Value;

use crate::site::{Site, eventually, now, record};

const RULES: &str = "  - id: load-high
    title: 부하 과다
    domain: 인프라
    metric: app.load
    by: [host]
    window: { fn: last, over: 10m }
    when: above
    severity: { S2: { value: 90 } }
  - id: power-lost
    title: 전원 이상
    domain: 인프라
    metric: app.power
    by: [host]
    window: { fn: last, over: 10m }
    when: below
    severity: { S2: { value: 1 } }
";

/// Records in which the stale alarm fires: some seconds' work.
const BACKLOG: usize = 12_000;

/// Host of the alarm that a person acked.
const ACKED: &str = "acked-01";
/// Host whose power is lost: nothing else is told of it.
const DARK: &str = "dark-01";
/// Host that is silenced.
const SILENT: &str = "silent-01";
/// Host that is bad in the backlog and good at its end.
const STALE: &str = "stale-01";
/// Host that is bad at the end of the backlog.
const DUE: &str = "due-01";

/// Hosts whose incident of a rule somebody was told of, the newest incidents included.
fn told(site: &Site) -> BTreeSet<String> {
    let store = store::open_readonly(&format!("sqlite:{}", site.data().join("bongsu.db").display())).unwrap();
    let incidents = store.incidents(1_000).unwrap();
    let rows = store.pages(None, 1_000).unwrap();
    let sent = rows.iter().filter(|row| row.handed.is_some() || row.state == PageState::Accepted);
    let host = |id: &str| {
        let incident = incidents.iter().find(|incident| incident.id == id)?;
        Some(format!("{} {}", incident.rule, incident.labels.get("host")?))
    };
    sent.filter_map(|row| host(&row.page.incident)).collect()
}

fn switch_roles(site: &Site, from: &str, to: &str) {
    site.edit("bongsu.yaml", &format!("roles: [{from}]"), &format!("roles: [{to}]"));
}

/// Everything on: an ack, an inhibition and a silence get into the store.
fn before(site: &Site) {
    let service = site.start();
    site.send(&(record(ACKED, "app.load", 99.0) + &record(DARK, "app.power", 0.0)));
    let acked = eventually("told of both", || {
        let all = told(site);
        let wanted = [format!("load-high {ACKED}"), format!("power-lost {DARK}")];
        let incident = site.incidents("load-high").pop()?;
        wanted.iter().all(|one| all.contains(one)).then(|| incident["id"].as_str().unwrap().to_owned())
    });
    assert_eq!(site.command(&["ack", &acked, "--by", "duty-1"]).status.code(), Some(0));
    let host = format!("host={SILENT}");
    let silence = ["silence", "add", &host, "--for", "1h", "--by", "duty-1", "--reason", "교체"];
    assert_eq!(site.command(&silence).status.code(), Some(0));
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
}

/// Nobody evaluates; the log takes what is sent.
fn meanwhile(site: &Site) {
    switch_roles(site, "evaluate, incident, notify, console", "console");
    let service = site.start();
    let first = record(STALE, "app.load", 99.0) + &record(SILENT, "app.load", 99.0) + &record(DARK, "app.load", 99.0);
    assert_eq!(site.send(&first)["accepted"], 3);
    // Milliseconds apart: the same one again would be the same record.
    let (base, mut sent) = (now(), 0);
    while sent < BACKLOG {
        if sent == BACKLOG / 2 {
            eventually("some ticks lie between beginning and end", || (now() > base + 2_500).then_some(()));
        }
        let body: String = (sent..sent + 1_000)
            .map(|n| {
                let ts = base - 5_000 + i64::try_from(n % 5_000).unwrap();
                format!(
                    "{{\"v\":1,\"ts\":{ts},\"sent\":{base},\"host\":\"{STALE}\",\"points\":[[\"app.load\",{}]]}}\n",
                    91 + n % 8
                )
            })
            .collect();
        assert_eq!(site.send(&body)["accepted"], 1_000);
        sent += 1_000;
    }
    let last = record(STALE, "app.load", 1.0) + &record(ACKED, "app.load", 99.0) + &record(DUE, "app.load", 99.0);
    assert_eq!(site.send(&last)["accepted"], 3);
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
    switch_roles(site, "console", "evaluate, incident, notify, console");
}

#[test]
fn after_a_time_away_nothing_hidden_or_stale_leaves_and_what_is_due_does() {
    let site = Site::new(RULES);
    let chains = std::fs::read_to_string(site.path("chains.yaml")).unwrap();
    let inhibit = "inhibit:\n  - source: { rule: power-lost }\n    target: { rule: load-high }\n    equal: [host]\n";
    std::fs::write(site.path("chains.yaml"), format!("{chains}{inhibit}")).unwrap();
    before(&site);
    let already = told(&site);
    meanwhile(&site);

    let service = site.start();
    let due = format!("load-high {DUE}");
    eventually("what is due is sent", || told(&site).contains(&due).then_some(()));
    eventually("the stale one is over", || {
        let all = site.incidents("load-high");
        all.iter().any(|it| it["labels"]["host"] == STALE && it["state"] == "resolved").then_some(())
    });
    let status = site.get("/v1/status");
    let caught_up = |it: &Value| it["caught_up"] == true;
    assert!(status["partitions"].as_array().unwrap().iter().all(caught_up), "{status}");
    let muted: BTreeSet<String> =
        status["muted"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(muted, BTreeSet::from(["inhibition".to_owned(), "silence".to_owned()]), "{status}");
    assert_eq!(service.end(), Some(0), "{}", site.service_log());

    let new: Vec<String> = told(&site).difference(&already).cloned().collect();
    assert_eq!(new, [due], "{}", site.service_log());
}
