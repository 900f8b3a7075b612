//! The service with real ways out: what reaches the provider and the mail server while they misbehave, counted there.

use std::net::TcpListener;

use serde_json::Value;

use bongsu::time::{Clock as _, SystemClock};

use crate::gateway_http::example;
use crate::site::{Running, Site, eventually, json_lines, record};
use crate::sms_double::{Mood, SmsDouble};

const RULE: &str = "  - id: load-high
    title: 부하 과다
    domain: 인프라
    metric: app.load
    by: [host]
    window: { fn: last, over: 1m }
    when: above
    severity: { S1: { value: 90 } }
";

/// A site whose pages leave by the example's gateways, after `change` of their text.
fn site(double: &SmsDouble, change: impl Fn(String) -> String) -> Site {
    let site = Site::new(RULE);
    let ways = change(example(site.path("").as_path(), &double.base()));
    let main = std::fs::read_to_string(site.path("bongsu.yaml")).unwrap();
    std::fs::write(site.path("bongsu.yaml"), format!("{main}{ways}")).unwrap();
    site
}

/// The example with one gateway for SMS and none for mail; questions every second.
pub(crate) fn only_nhn(text: &str) -> String {
    let end = text.find("\n  # NAVER").unwrap();
    text[..end]
        .replace("every: 30s", "every: 1s")
        .replace("timeout: 8s", "timeout: 700ms")
        .replace("list: /body/data", "settle: 1s\n        list: /body/data")
}

fn first(site: &Site, state: &str) -> Value {
    eventually(state, || {
        let pages = site.get("/v1/pages")["pages"].as_array().cloned().unwrap_or_default();
        pages.into_iter().find(|page| page["reason"] == "first" && page["channel"] == "sms" && page["state"] == state)
    })
}

fn fire(site: &Site) -> Running {
    let service = site.start();
    site.send(&record("known-01", "app.load", 99.0));
    service
}

#[test]
fn a_page_leaves_by_the_provider_and_its_receipt_comes_back() {
    let double = SmsDouble::start();
    let site = site(&double, |text| only_nhn(&text));
    let service = fire(&site);
    let page = first(&site, "accepted");
    assert_eq!(page["detail"], "nhn-sms/r1:1");
    assert_eq!(double.messages()[0].page, page["id"].as_str().unwrap());
    double.result("1000");
    assert_eq!(first(&site, "delivered")["id"], page["id"]);
    let status = json_lines(&site.command(&["status", "--format", "json"])).pop().unwrap();
    assert_eq!((&status["gateways"][0]["id"], &status["gateways"][0]["accepted"]), (&"nhn-sms".into(), &1.into()));
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
    assert!(!site.service_log().contains("01000000001"), "no number in the log");
}

#[test]
fn a_receipt_that_says_it_failed_is_told_at_the_door_and_taken_once() {
    let double = SmsDouble::start();
    let site = site(&double, |text| only_nhn(&text).replace("every: 1s", "every: 1h"));
    let service = fire(&site);
    let page = first(&site, "accepted");
    let body = format!(
        r#"{{"hooks":[{{"requestId":"r1","recipientSeq":1,"senderGroupingKey":{},"resultCode":"3003"}}]}}"#,
        page["id"]
    );
    let post = |secret: &str| {
        let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}/v1/receipts/nhn-sms", site.listen);
        let answer = client.post(url).header("X-Toast-Webhook-Signature", secret).body(body.clone()).send().unwrap();
        (answer.status().as_u16(), answer.text().unwrap())
    };
    assert_eq!(post("nobody").0, 401);
    assert_eq!(post("hook-key-0002"), (200, r#"{"accepted":1}"#.to_owned()));
    assert_eq!(first(&site, "failed")["detail"], "recipient");
    assert_eq!(post("hook-key-0002"), (200, r#"{"accepted":0}"#.to_owned()), "taken once");
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
    let verify = site.command(&["ledger", "verify"]);
    assert_eq!(verify.status.code(), Some(0), "{}", String::from_utf8_lossy(&verify.stdout));
}

#[test]
fn a_provider_in_trouble_delays_a_page_and_doubles_none() {
    for trouble in [Mood::Status(500, 0), Mood::Status(429, 1), Mood::CutBefore] {
        let double = SmsDouble::start();
        let site = site(&double, |text| only_nhn(&text));
        double.always(trouble);
        let _service = fire(&site);
        eventually("tries", || (double.calls() >= 2).then_some(()));
        assert!(double.messages().is_empty());
        double.always(Mood::Well);
        let page = first(&site, "accepted");
        let messages = double.messages();
        assert_eq!((messages.len(), messages[0].page.as_str()), (1, page["id"].as_str().unwrap()), "{trouble:?}");
    }
}

#[test]
fn a_lost_answer_is_asked_about_and_nothing_is_sent_twice() {
    for lost in [Mood::LostAfter, Mood::Garbage, Mood::Silent] {
        let double = SmsDouble::start();
        let site = site(&double, |text| only_nhn(&text));
        double.next(lost);
        let _service = fire(&site);
        assert_eq!(first(&site, "accepted")["detail"], "nhn-sms/r1:1", "{lost:?}");
        assert_eq!((double.messages().len(), double.calls()), (1, 1), "{lost:?}");
    }
}

#[test]
fn the_second_gateway_sends_where_the_first_is_gone() {
    let double = SmsDouble::start();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let site = site(&double, |text| {
        let second = only_nhn(&text);
        let first = second.replace("nhn-sms", "gone-sms").replace(&double.base(), &gone);
        let list = second.find("gateways:\n").unwrap() + "gateways:\n".len();
        // The second one's anchor has the same name; the last definition before a use counts.
        format!("{first}\n{}", &second[list..])
    });
    let _service = fire(&site);
    assert_eq!(first(&site, "accepted")["detail"], "nhn-sms/r1:1");
}

#[test]
fn a_mail_server_that_hangs_does_not_hold_up_messages() {
    let double = SmsDouble::start();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let site = site(&double, |text| {
        let (sms, rest) = (only_nhn(&text), text.find("  # Mail over").unwrap());
        let mail = text[rest..].replace("mail.example.test", "localhost").replace("587", &port.to_string());
        format!("{sms}\n{mail}")
    });
    let contacts = std::fs::read_to_string(site.path("contacts.yaml")).unwrap();
    let with_mail = contacts.replace("phone:", "email: duty-1@example.test, phone:");
    std::fs::write(site.path("contacts.yaml"), with_mail).unwrap();
    let chains = std::fs::read_to_string(site.path("chains.yaml")).unwrap();
    std::fs::write(site.path("chains.yaml"), chains.replace("[sms], wait", "[mail, sms], wait")).unwrap();
    let _service = fire(&site);
    let page = first(&site, "accepted");
    let took = page["done"].as_i64().unwrap() - page["decided"].as_i64().unwrap();
    assert!(took < 4_000, "a time-out of the mail server is 4 s and more: {took} ms");
}

#[test]
fn gateway_test_shows_each_step_and_says_by_its_code_how_it_went() {
    let double = SmsDouble::start();
    let site = site(&double, |text| only_nhn(&text));
    double.result("1000");
    let well = site.command(&["gateway", "test", "duty-1", "--wait", "0s", "--format", "json"]);
    assert_eq!(well.status.code(), Some(0), "{}", String::from_utf8_lossy(&well.stderr));
    let steps: Vec<_> = json_lines(&well).iter().map(|line| (line["step"].clone(), line["result"].clone())).collect();
    let expected = [
        ("contact", "duty-1"),
        ("gateway", "nhn-sms"),
        ("send", "accepted"),
        ("look-up", "there"),
        ("receipt", "not yet"),
    ];
    assert_eq!(steps, expected.map(|(step, result)| (step.into(), result.into())));
    assert!(!String::from_utf8_lossy(&well.stdout).contains("01000000001"), "a number is shown masked");
    double.next(Mood::Code(-2019));
    assert_eq!(site.command(&["gateway", "test", "duty-1"]).status.code(), Some(1));
    assert_eq!(site.command(&["gateway", "test", "nobody"]).status.code(), Some(2));
    assert_eq!(site.command(&["gateway", "test", "duty-1", "--gateway", "none"]).status.code(), Some(2));
    assert_eq!(double.messages().len(), 1);
}

#[test]
fn a_number_that_the_provider_refuses_for_good_is_an_incident_until_it_is_confirmed_anew() {
    let double = SmsDouble::start();
    let site = site(&double, |text| only_nhn(&text));
    let service = fire(&site);
    first(&site, "accepted");
    double.result("3003");
    first(&site, "failed");
    let stale = |state: &str| {
        eventually(state, || site.incidents("contact-stale").into_iter().find(|incident| incident["state"] == state))
    };
    let incident = stale("open");
    assert_eq!((&incident["labels"]["contact"], &incident["severity"]), (&"duty-1".into(), &"S3".into()));
    let freshness = site.command(&["contacts", "freshness"]);
    assert!(String::from_utf8_lossy(&freshness.stdout).contains("수신불가"));
    assert_eq!(freshness.status.code(), Some(1));
    service.kill();

    let service = site.start();
    let today = bongsu::time::rfc3339(SystemClock.wall());
    site.edit("contacts.yaml", "2026-01-02", &today[..10]);
    site.edit("contacts.yaml", "010-0000-0001", "010-0000-0002");
    assert_eq!(stale("resolved")["id"], incident["id"], "the same incident, found again after the kill");
    site.send(&record("known-01", "app.load", 99.0));
    let history = eventually("the change in the ledger", || {
        let shown = String::from_utf8_lossy(&site.command(&["contacts", "history"]).stdout).into_owned();
        shown.contains("변경 duty-1").then_some(shown)
    });
    assert!(history.contains("전화 010-****-0001 → 010-****-0002") && history.contains("확인 "), "{history}");
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
}
