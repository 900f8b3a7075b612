//! Who may do what on the console, and what people see there.

use bongsu::console::{Answer, Health, LimitView, PartitionView, ReadingView, SourceView, bind};
use bongsu::model::{
    Channel, Contact, Domain, Entry, Fingerprint, Incident, IncidentState, Input, Labels, Page, PageRow, PageState,
    Reason, Severity,
};
use bongsu::time::{HOUR, MINUTE, SECOND};
use serde_json::json;

use crate::console_world::{NOW, World, answer};

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=y>&\u{202e}";

pub(crate) fn incident(id: &str, host: &str) -> Incident {
    let labels = Labels::new([("host", host)]);
    Incident {
        id: id.to_owned(),
        fingerprint: Fingerprint::of("vm-cpu-high", &labels),
        rule: "vm-cpu-high".into(),
        labels,
        title: "CPU 사용률 과다".to_owned(),
        domain: Domain::Infra,
        state: IncidentState::Open,
        severity: Severity::S1,
        occurred: NOW - MINUTE,
        detected: NOW,
        resolved: None,
        ended: None,
        ack: None,
        reopened: Vec::new(),
        flapping: false,
        occurrence: 1,
        held_until: None,
        partition: None,
        notify_by: Some(NOW + MINUTE),
        notified: None,
        calm_since: None,
        codes_used: 0,
        muted: None,
        sla: None,
        parent: None,
        group: Default::default(),
        came: None,
        drill: None,
    }
}

pub(crate) fn page(id: &str, state: PageState, detail: &str) -> PageRow {
    let page = Page {
        id: id.to_owned(),
        incident: "INC-2511-001".to_owned(),
        severity: Severity::S1,
        reason: Reason::First,
        step: 0,
        round: 0,
        occurrence: 1,
        to: "msp-duty-1".to_owned(),
        channel: Channel::Sms,
        title: String::new(),
        text: format!("[장애발생]INC-2511-001 중대/인프라 {id}"),
        decided: NOW,
        due: NOW,
        wanted: NOW + HOUR,
        deadline: NOW + HOUR,
        came: None,
        prompt: false,
    };
    PageRow {
        page,
        state,
        detail: detail.to_owned(),
        handed: Some(NOW),
        done: Some(NOW + SECOND),
        tries: 1,
        sending: Default::default(),
    }
}

pub(crate) fn contact() -> Contact {
    Contact {
        id: "msp-duty-1".to_owned(),
        org: "MSP".to_owned(),
        roles: vec!["duty".to_owned()],
        domains: Vec::new(),
        name: "가상인".to_owned(),
        phone: Some("010-0000-0001".to_owned()),
        email: Some("d1@example.test".to_owned()),
        from: None,
        until: None,
        ..Contact::default()
    }
}

#[test]
fn health_and_metrics_are_open_and_everything_else_is_not() {
    let world = World::new();
    let get = |path: &str| world.client.get(format!("{}{path}", world.url)).send().unwrap();
    assert_eq!(get("/healthz").status(), 200);
    let metrics = get("/metrics");
    assert_eq!(metrics.headers()["content-type"], "text/plain");
    assert!(metrics.text().unwrap().contains("bongsu_records_total 1"));
    for path in ["/", "/v1/status", "/v1/incidents", "/v1/pages", "/v1/ledger", "/incidents/x", "/nothing"] {
        assert_eq!(get(path).status(), 401, "{path}");
        let status = world.get(path).send().unwrap().status();
        assert!(matches!(status.as_u16(), 200 | 404), "{path}: {status}");
    }
    *world.seams.health.lock().unwrap() = Health { healthy: false, troubles: vec!["수집 중단".to_owned()] };
    let ill = get("/healthz");
    assert_eq!((ill.status().as_u16(), ill.text().unwrap().as_str()), (503, "unhealthy\n"));
}

#[test]
fn a_name_that_somebody_could_rebind_is_refused_everywhere() {
    let world = World::new();
    for path in ["/", "/healthz", "/v1/status", "/sign-in"] {
        for (host, refused) in [("evil.test", true), ("127.0.0.1.evil.test:9480", true), ("localhost:1", false)] {
            let status = world.get(path).header("host", host).send().unwrap().status();
            assert_eq!(status == 403, refused, "{host} {path}");
        }
    }
}

#[test]
fn every_answer_forbids_scripts_frames_and_guessing() {
    let world = World::new();
    for path in ["/", "/healthz", "/v1/status", "/nothing"] {
        let response = world.get(path).header("accept", "text/html").send().unwrap();
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["x-frame-options"], "DENY");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["referrer-policy"], "same-origin");
    }
}

fn cookie(response: &reqwest::blocking::Response) -> String {
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    cookie.split(';').next().unwrap().to_owned()
}

#[test]
fn a_sign_in_link_works_once_and_not_for_long() {
    let world = World::new();
    let link = format!("{}{}", world.url, world.app.sign_in_path().unwrap());
    let signed_in = world.client.get(&link).send().unwrap();
    assert_eq!(signed_in.status(), 200);
    let session = cookie(&signed_in);
    let home = world.client.get(&world.url).header("cookie", &session).send().unwrap();
    assert_eq!(home.status(), 200);
    assert_eq!(world.client.get(&link).send().unwrap().status(), 401, "used");
    let again = world.client.get(&link).header("cookie", &session).send().unwrap();
    assert_eq!(again.status(), 303, "signed in already");

    let (status, fresh) = answer(world.post("/v1/sign-in-link").send().unwrap());
    assert_eq!(status, 200);
    world.clock.advance(15 * MINUTE);
    let late = world.client.get(format!("{}{}", world.url, fresh["path"].as_str().unwrap())).send().unwrap();
    assert_eq!(late.status(), 401);
    world.clock.advance(12 * HOUR);
    assert_eq!(world.client.get(&world.url).header("cookie", &session).send().unwrap().status(), 401, "session over");
}

#[test]
fn the_token_signs_a_browser_in_and_out() {
    let world = World::new();
    let url = format!("{}/sign-in", world.url);
    let form = |token: &str, origin: &str| {
        let request = world.client.post(&url).header("origin", origin);
        request.header("content-type", "application/x-www-form-urlencoded").body(format!("token={token}"))
    };
    assert_eq!(form("wrong", &world.url).send().unwrap().status(), 401);
    assert_eq!(form(world.token.reveal(), "http://evil.test").send().unwrap().status(), 403);
    assert_eq!(form(world.token.reveal(), "null").send().unwrap().status(), 403);
    let signed_in = form(world.token.reveal(), &world.url).send().unwrap();
    assert_eq!((signed_in.status().as_u16(), &signed_in.headers()["location"]), (303, &"/".parse().unwrap()));
    let session = cookie(&signed_in);
    assert!(!session.contains(world.token.reveal()), "the cookie is not the token");
    let out = world.client.post(format!("{}/sign-out", world.url)).header("cookie", &session);
    assert_eq!(out.header("origin", &world.url).send().unwrap().status(), 303);
    assert_eq!(world.client.get(&world.url).header("cookie", &session).send().unwrap().status(), 401);
}

#[test]
fn a_browser_without_a_session_gets_the_form() {
    let world = World::new();
    let response = world.client.get(&world.url).header("accept", "text/html").send().unwrap();
    assert_eq!(response.status(), 401);
    assert!(response.text().unwrap().contains("<form method=\"post\" action=\"/sign-in\">"));
}

#[test]
fn a_change_by_cookie_must_come_from_our_own_page() {
    let world = World::new();
    *world.seams.answer.lock().unwrap() = Some(Answer { done: true, text: "수신확인했습니다.".to_owned() });
    let link = format!("{}{}", world.url, world.app.sign_in_path().unwrap());
    let session = cookie(&world.client.get(&link).send().unwrap());
    let ack = |origin: Option<&str>| {
        let url = format!("{}/v1/incidents/INC-2511-001/ack", world.url);
        let mut request = world.client.post(url).header("cookie", &session);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let body = "by=msp-duty-1&note=%ED%99%95%EC%9D%B8+%EC%A4%91";
        request.header("content-type", "application/x-www-form-urlencoded").body(body).send().unwrap()
    };
    for foreign in [None, Some("null"), Some("http://evil.test"), Some("http://127.0.0.1")] {
        assert_eq!(ack(foreign).status(), 403, "{foreign:?}");
    }
    assert!(world.seams.inputs.lock().unwrap().is_empty());
    let done = ack(Some(&world.url));
    assert_eq!(done.status(), 200);
    assert!(done.text().unwrap().contains("수신확인했습니다."));
    let inputs = world.seams.inputs.lock().unwrap();
    let Input::Ack { incident, by, note, hold } = &inputs[0] else { panic!("{inputs:?}") };
    assert_eq!(
        (incident.as_str(), by.as_str(), note.as_str(), *hold),
        ("INC-2511-001", "msp-duty-1", "확인 중", 4 * HOUR)
    );
}

#[test]
fn people_act_on_incidents_and_learn_what_became_of_it() {
    let world = World::new();
    let act = |path: &str, body: &str| answer(world.post(path).body(body.to_owned()).send().unwrap());
    *world.seams.answer.lock().unwrap() = Some(Answer { done: true, text: "done".to_owned() });
    assert_eq!(act("/v1/incidents/I/ack", r#"{"by":"a","for":"30m"}"#), (200, json!({"done": true, "text": "done"})));
    for verb in ["unack", "resolve", "reopen"] {
        assert_eq!(act(&format!("/v1/incidents/I/{verb}"), "").0, 200);
    }
    let expected = [
        Input::Ack { incident: "I".into(), by: "a".into(), note: String::new(), hold: 30 * MINUTE },
        Input::Unack { incident: "I".into(), by: "console".into() },
        Input::Resolve { incident: "I".into(), by: "console".into(), note: String::new() },
        Input::Reopen { incident: "I".into(), by: "console".into() },
    ];
    assert_eq!(*world.seams.inputs.lock().unwrap(), expected);
    *world.seams.answer.lock().unwrap() =
        Some(Answer { done: false, text: "그런 장애가 없습니다".to_owned() });
    assert_eq!(act("/v1/incidents/I/ack", ""), (409, json!({"done": false, "text": "그런 장애가 없습니다"})));
    *world.seams.answer.lock().unwrap() = None;
    assert_eq!(act("/v1/incidents/I/ack", "").0, 202, "stored, not answered in time");
    *world.seams.away.lock().unwrap() = Some("store: locked".to_owned());
    assert_eq!(act("/v1/incidents/I/ack", ""), (503, json!({"done": false, "text": "store: locked"})));
}

#[test]
fn a_request_that_makes_no_sense_reaches_nobody() {
    let world = World::new();
    let long = format!(r#"{{"note":"{}"}}"#, "가".repeat(1_001));
    for body in ["{", "[]", r#"{"for":"0s"}"#, r#"{"for":"8d"}"#, r#"{"for":"soon"}"#, r#"{"who":"a"}"#, &long] {
        let sent = world.post("/v1/incidents/I/ack").body(body.to_owned()).send().unwrap();
        assert_eq!(sent.status(), 400, "{body}");
    }
    assert_eq!(world.post("/v1/incidents/I/explode").send().unwrap().status(), 404);
    for path in ["/v1/incidents?limit=-1", "/v1/pages?limit=x", "/v1/ledger?after=x", "/v1/pages?color=red"] {
        assert_eq!(world.get(path).send().unwrap().status(), 400, "{path}");
    }
    assert!(world.seams.inputs.lock().unwrap().is_empty());
}

#[test]
fn lists_are_json_with_epoch_milliseconds() {
    let world = World::new();
    world.seams.incidents.lock().unwrap().push(incident("INC-2511-001", "db-01"));
    let mut lms = page("p2", PageState::Waiting, "");
    lms.page.incident = "INC-2511-002".to_owned();
    world.seams.pages.lock().unwrap().extend([page("p1", PageState::Accepted, "gw-7"), lms]);
    let entries =
        [(1, "{}"), (2, r#"{"a":1}"#)].map(|(n, text)| Entry::after(Entry::GENESIS, n, NOW, "ack", text.into()));
    world.seams.entries.lock().unwrap().extend(entries);
    let get = |path: &str| answer(world.get(path).send().unwrap()).1;

    let first = &get("/v1/incidents")["incidents"][0];
    assert_eq!(
        (&first["id"], &first["state"], &first["severity"]),
        (&json!("INC-2511-001"), &json!("open"), &json!("S1"))
    );
    assert_eq!((&first["labels"], &first["detected"]), (&json!({"host": "db-01"}), &json!(NOW)));
    assert_eq!(get("/v1/pages")["pages"].as_array().unwrap().len(), 2);
    let one = &get("/v1/pages?incident=INC-2511-001")["pages"];
    assert_eq!((one[0]["state"].as_str(), one[0]["detail"].as_str()), (Some("accepted"), Some("gw-7")));
    assert_eq!(get("/v1/pages?limit=1")["pages"].as_array().unwrap().len(), 1);
    let ledger = &get("/v1/ledger?after=1")["entries"];
    assert_eq!((ledger[0]["input_no"].as_i64(), ledger[0]["json"].as_str()), (Some(2), Some(r#"{"a":1}"#)));
    let status = get("/v1/status");
    assert_eq!((&status["healthy"], &status["partitions"]), (&json!(true), &json!([])));
}

#[test]
fn a_store_that_is_away_is_said_and_does_not_break_the_page() {
    let world = World::new();
    *world.seams.away.lock().unwrap() = Some("store: database is locked".to_owned());
    for path in ["/v1/status", "/v1/incidents", "/v1/pages", "/v1/ledger"] {
        let (status, answer) = answer(world.get(path).send().unwrap());
        assert_eq!((status, answer["error"].as_str()), (503, Some("store: database is locked")), "{path}");
    }
    let response = world.get("/").send().unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.text().unwrap().contains("database is locked"));
}

#[test]
fn the_page_shows_each_phone_and_every_outbox_row_with_its_reason() {
    let world = World::new();
    world.seams.contacts.lock().unwrap().push(contact());
    world.seams.incidents.lock().unwrap().push(incident("INC-2511-001", "db-01"));
    let mut lms = page("long", PageState::Accepted, "");
    lms.page.text = "가".repeat(46);
    world.seams.pages.lock().unwrap().extend([
        page("w", PageState::Waiting, ""),
        page("h", PageState::Handed, ""),
        page("a", PageState::Accepted, "gw-7"),
        page("f", PageState::Failed, "recipient"),
        page("u", PageState::Unknown, "no answer"),
        page("c", PageState::Cancelled, "acked"),
        lms,
    ]);
    let html = world.page("/");
    for (state, why) in [
        ("waiting", "발송 순서 대기"),
        ("handed", "응답 대기"),
        ("accepted", "발송 접수됨 (gw-7)"),
        ("failed", "수신 번호 문제"),
        ("unknown", "no answer"),
        ("cancelled", "수신확인됨"),
    ] {
        let row = html.split("<tr ").find(|row| row.starts_with(&format!("data-state=\"{state}\" data-page")));
        assert!(row.is_some_and(|row| row.contains(why)), "{state}: {row:?}");
    }
    let phone = html.split("<article").nth(1).unwrap().split("</article>").next().unwrap();
    assert!(phone.contains("data-contact=\"msp-duty-1\"") && phone.contains("010-****-0001"));
    assert!(phone.contains("LMS · 92바이트") && phone.contains("SMS · "), "{phone}");
    assert_eq!(phone.matches("<li>").count(), 4, "accepted, handed and unknown ones, nothing cancelled");
    assert!(html.contains("INC-2511-001") && html.contains("host=db-01"));
}

#[test]
fn personal_data_is_masked() {
    let world = World::new();
    world.seams.contacts.lock().unwrap().push(contact());
    world.seams.incidents.lock().unwrap().push(incident("INC-2511-001", "db-01"));
    world.seams.pages.lock().unwrap().push(page("p", PageState::Accepted, ""));
    for path in ["/", "/incidents/INC-2511-001", "/silences"] {
        let html = world.page(path);
        assert!(html.contains("가*인"), "{path}");
        for personal in ["가상인", "010-0000-0001", "d1@example.test"] {
            assert!(!html.contains(personal), "{personal} on {path}");
        }
    }
}

#[test]
fn nothing_from_outside_becomes_markup() {
    let world = World::new();
    let mut hostile = incident("INC-2511-001", HOSTILE);
    hostile.title = HOSTILE.to_owned();
    world.seams.incidents.lock().unwrap().push(hostile);
    let mut row = page("p", PageState::Accepted, HOSTILE);
    row.page.text = HOSTILE.to_owned();
    row.page.title = HOSTILE.to_owned();
    world.seams.pages.lock().unwrap().push(row);
    world.seams.contacts.lock().unwrap().push(Contact { org: HOSTILE.to_owned(), ..contact() });
    *world.seams.health.lock().unwrap() = Health { healthy: false, troubles: vec![HOSTILE.to_owned()] };
    {
        let mut status = world.seams.status.lock().unwrap();
        status.rules.broken = Some(HOSTILE.to_owned());
        status.counts.rejected.insert(HOSTILE.to_owned(), 1);
        status.sources.push(SourceView { host: HOSTILE.to_owned(), last: NOW, ..Default::default() });
        status.partitions.push(PartitionView { topic: HOSTILE.to_owned(), ..Default::default() });
        status.limits.push(LimitView { name: HOSTILE.to_owned(), limit: 1, hits: 2 });
        let (host, name) = (HOSTILE.to_owned(), HOSTILE.to_owned());
        status.readings.push(ReadingView { host, name, value: 0.5, ratio: true, at: NOW });
    }
    for path in ["/", "/incidents/INC-2511-001"] {
        let html = world.page(path);
        assert!(html.contains("&lt;script&gt;"), "{path}: it is shown");
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains('\u{202e}'), "{path}");
    }
    // A path is somebody else's text too.
    let url = "/incidents/%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let body = world.get(url).header("accept", "text/html").send().unwrap().text().unwrap();
    assert!(!body.contains("<script"), "{body}");
}

#[test]
fn the_page_says_what_is_wrong_and_who_is_unknown() {
    let world = World::new();
    let troubles = vec!["로그를 읽지 못하고 있습니다.".to_owned()];
    *world.seams.health.lock().unwrap() = Health { healthy: false, troubles };
    {
        let mut status = world.seams.status.lock().unwrap();
        status.sources.push(SourceView { host: "db-01".into(), last: NOW, known_to_inventory: true, skew_ms: None });
        status.sources.push(SourceView { host: "stray".into(), last: NOW - HOUR, ..Default::default() });
        status.readings.push(ReadingView {
            host: "db-01".into(),
            name: "system.cpu.utilization".into(),
            value: 0.932,
            ratio: true,
            at: NOW,
        });
    }
    let html = world.page("/");
    assert!(html.contains("로그를 읽지 못하고 있습니다.") && html.contains(">이상<"));
    assert!(html.find("stray").unwrap() < html.find("미등록").unwrap());
    assert!(html.contains("93.2%"));
}

#[test]
fn the_overview_loads_itself_anew_until_it_is_told_not_to() {
    let world = World::new();
    world.seams.incidents.lock().unwrap().push(incident("INC-2511-001", "db-01"));
    assert!(world.page("/").contains("http-equiv=\"refresh\" content=\"5\""));
    assert!(!world.page("/?refresh=off").contains("http-equiv=\"refresh\""));
    let detail = world.page("/incidents/INC-2511-001");
    assert!(!detail.contains("http-equiv=\"refresh\""), "nobody loses what they type");
    assert!(detail.contains("action=\"/v1/incidents/INC-2511-001/ack\""));
    assert_eq!(world.get("/incidents/INC-0000-000").send().unwrap().status(), 404);
}

#[test]
fn the_page_is_readable_by_machines_that_read_to_people() {
    let world = World::new();
    world.seams.incidents.lock().unwrap().push(incident("INC-2511-001", "db-01"));
    world.seams.pages.lock().unwrap().push(page("p", PageState::Accepted, ""));
    let html = world.page("/");
    for part in [
        "<html lang=\"ko\">",
        "<title>",
        "href=\"#main\"",
        "<main id=\"main\">",
        "<caption>",
        "scope=\"col\"",
        "viewport",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(
        !html.contains("style=\"") && !html.contains(" on"),
        "no inline styles or handlers, which the policy forbids"
    );
}

#[test]
fn a_taken_port_and_an_open_address_are_explained() {
    let world = World::new();
    let taken = world.url.trim_start_matches("http://").parse().unwrap();
    let error = bind(taken).unwrap_err().to_string();
    assert!(error.contains("another bongsu?") && error.contains("help:"), "{error}");
    let error = bind("0.0.0.0:0".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("not a loopback address") && error.contains("help:"), "{error}");
}

#[test]
fn a_console_that_is_told_to_stop_ends() {
    let mut world = World::new();
    assert_eq!(world.get("/v1/status").send().unwrap().status(), 200);
    world.stop();
    assert!(world.get("/v1/status").send().is_err());
}
