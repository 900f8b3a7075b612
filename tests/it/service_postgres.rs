//! The service with its decisions in PostgreSQL: set up as `deploy/postgres.sql` says, killed, and its server killed.

use std::path::Path;
use std::process::Command;

use bongsu::model::{PageRow, PageState};
use bongsu::store::{self, Store};

use crate::postgres::Postgres;
use crate::site::{Site, eventually, record};

const RULE: &str = "  - id: load-high
    title: 부하 과다
    domain: 인프라
    metric: app.load
    by: [host]
    window: { fn: last, over: 1m }
    when: above
    severity: { S1: { value: 90 } }
";

/// The outbox, read past the service.
fn page(url: &str, reason: &str) -> PageRow {
    eventually(reason, || {
        let rows = store::open_readonly(url).ok()?.pages(None, 99).ok()?;
        rows.into_iter().find(|row| row.page.reason.word() == reason && row.state == PageState::Accepted)
    })
}

/// A server of its own on which `deploy/postgres.sql` was run.
pub(crate) fn server() -> Postgres {
    let server = Postgres::start(&[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/postgres.sql");
    let done = Command::new("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres", "-d", "postgres"])
        .args(["-p", &server.port.to_string(), "-f"])
        .arg(script)
        .output()
        .expect("psql is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    server
}

#[test]
fn a_service_on_postgresql_outlives_itself_and_its_server() {
    let server = server();
    let site = Site::new(RULE);
    let url = server.url("bongsu", "bongsu");
    site.keep_in(&url);

    let early = site.command(&["run"]);
    let text = String::from_utf8_lossy(&early.stderr).into_owned();
    assert_eq!(early.status.code(), Some(2), "{text}");
    assert!(text.contains("bongsu store migrate"), "{text}");
    let config = site.path("bongsu.yaml");
    let migrate = |url: &str| crate::site::bongsu(&["store", "migrate", "-c", config.to_str().unwrap(), "--url", url]);
    let denied = migrate(&url);
    assert_eq!(denied.status.code(), Some(2), "the service's role may not make tables");
    let made = migrate(&server.url("bongsu_owner", "bongsu"));
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));

    let service = site.start();
    site.send(&record("known-01", "app.load", 99.0));
    let first = page(&url, "first");
    assert_eq!(first.page.to, "duty-1");
    let leader =
        || eventually("somebody leads", || Some(site.get("/v1/status")["leader"].clone()).filter(|it| !it.is_null()));
    let before = leader();
    assert_eq!(before["here"], true, "{before}");
    service.kill();

    let service = site.start();
    assert_eq!(leader(), before, "it leads under its name at once, without waiting for itself");
    server.kill();
    eventually("the service says that the store is away", || {
        let answer = site.get("/v1/status");
        (answer["healthy"] == false).then_some(())
    });
    // The log takes what is sent meanwhile.
    site.send(&record("known-01", "app.load", 1.0));
    server.restart();
    page(&url, "resolved");
    assert_eq!(service.end(), Some(0), "{}", site.service_log());

    let rows = store::open_readonly(&url).unwrap().pages(None, 99).unwrap();
    let mut reasons: Vec<_> = rows.iter().map(|row| row.page.reason.word()).collect();
    reasons.sort();
    assert_eq!(reasons, ["first", "resolved"], "nobody is told twice");
    let verify = site.command(&["ledger", "verify"]);
    assert_eq!(verify.status.code(), Some(0), "{}", String::from_utf8_lossy(&verify.stdout));
}
