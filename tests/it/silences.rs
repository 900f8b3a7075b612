//! Silences at the door: a running service from the command to the end of a silence, and what the page shows of them.

use bongsu::console::Answer;
use bongsu::model::{Incident, IncidentState, Input, Matcher, MuteKind, Muted, Preview, Silence, Test};
use bongsu::time::{DAY, HOUR, MINUTE};
use serde_json::json;

use crate::console_page::{contact, incident};
use crate::console_world::{NOW, World, answer};
use crate::service::RULE;
use crate::site::{Site, eventually, json_lines, record};

/// A site with a second contact, who may approve what the first one asks for.
fn site() -> Site {
    let site = Site::new(RULE);
    let second = "contacts:\n  - { id: boss, org: MSP, roles: [manager], name: 가상둘, phone: \"010-0000-0002\", confirmed: 2026-01-02 }\n";
    site.edit("contacts.yaml", "contacts:\n", second);
    site
}

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

#[test]
fn a_silence_hides_until_it_is_ended_and_is_kept_afterwards() {
    let site = site();
    let service = site.start();
    let asked = site.command(&["silence", "add", "host=known-01", "--for", "1h", "--by", "duty-1", "--reason", "교체"]);
    let text = said(&asked);
    assert_eq!(asked.status.code(), Some(0), "{text}");
    let id = text.split_whitespace().next().unwrap().to_owned();
    assert!(id.starts_with("SIL-") && text.contains("장애 0건 가운데 0건(중대 0건)"), "{text}");

    site.send(&(record("known-01", "app.load", 99.0) + &record("other-01", "app.load", 99.0)));
    let muted = eventually("both incidents, one of them muted", || {
        let all = site.incidents("load-high");
        let muted = all.iter().find(|incident| incident["muted"]["by"] == id.as_str()).cloned();
        muted.filter(|_| all.len() == 2)
    });
    assert_eq!(
        (muted["labels"]["host"].as_str(), muted["muted"]["kind"].as_str()),
        (Some("known-01"), Some("silence"))
    );
    site.page("load-high", "first");
    let number = muted["id"].as_str().unwrap().to_owned();
    let told =
        site.get("/v1/pages")["pages"].as_array().unwrap().iter().filter(|page| page["incident"] == number).count();
    assert_eq!(told, 0, "nobody is told of the silenced one");

    let listed = json_lines(&site.command(&["silence", "list", "--format", "json"]));
    assert_eq!((listed.len(), listed[0]["state"].as_str()), (1, Some("active")), "{listed:?}");
    assert!(listed[0]["left_ms"].as_i64().unwrap() > 3_000_000);
    let status = eventually("the silence and the muted incident in the status", || {
        let lines = String::from_utf8_lossy(&site.command(&["status"]).stdout).into_owned();
        (lines.contains(&format!("silence {id} (active, "))
            && lines.contains(&format!("{number} "))
            && lines.contains(&format!("muted by silence {id}")))
        .then_some(lines)
    });
    assert!(status.contains("host=known-01 · duty-1 · 교체"), "{status}");
    let why = said(&site.command(&["explain", &number]));
    assert!(why.contains(&format!("알림중지 {id}(교체, 담당 duty-1)")), "{why}");

    let preview = site.command(&["silence", "preview", "host=known-01", "--format", "json"]);
    let preview = json_lines(&preview).pop().unwrap();
    assert_eq!(
        (preview["incidents"].as_i64(), preview["s1"].as_i64(), preview["of"].as_i64()),
        (Some(1), Some(1), Some(2))
    );
    assert_eq!(preview["examples"][0]["id"], number.as_str());

    let ended = site.command(&["silence", "expire", &id, "--by", "boss"]);
    assert_eq!(ended.status.code(), Some(0), "{}", said(&ended));
    eventually("the first page, late", || {
        let pages = site.get("/v1/pages")["pages"].as_array().cloned().unwrap_or_default();
        pages
            .into_iter()
            .find(|page| page["incident"] == number && page["reason"] == "first" && page["state"] == "accepted")
    });
    assert_eq!(site.command(&["silence", "expire", &id]).status.code(), Some(1), "it is over already");
    let kept = json_lines(&site.command(&["silence", "list", "--all", "--format", "json"]));
    assert_eq!((kept[0]["state"].as_str(), kept[0]["expired_by"].as_str()), (Some("expired"), Some("boss")));
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
    assert_eq!(site.command(&["ledger", "verify"]).status.code(), Some(0));
}

#[test]
fn a_grave_silence_waits_for_another_contact_and_survives_a_kill() {
    let site = site();
    let service = site.start();
    site.send(&record("known-01", "app.load", 99.0));
    site.page("load-high", "first");
    let asked = site.command(&[
        "silence",
        "add",
        "host=known-01",
        "--for",
        "1h",
        "--by",
        "duty-1",
        "--reason",
        "교체",
        "--approve-by",
        "boss",
    ]);
    let text = said(&asked);
    assert!(asked.status.success() && text.contains("boss의 승인을 기다립니다") && text.contains("S1"), "{text}");
    let id = text.split_whitespace().next().unwrap().to_owned();
    assert_eq!(site.command(&["silence", "approve", &id, "--by", "duty-1"]).status.code(), Some(1), "not its owner");
    service.kill();
    let service = site.start();
    let approved = site.command(&["silence", "approve", &id, "--by", "boss"]);
    assert_eq!(approved.status.code(), Some(0), "{}", said(&approved));
    eventually("the incident muted", || {
        site.incidents("load-high").into_iter().find(|it| it["muted"]["by"] == id.as_str())
    });
    service.kill();
    let _service = site.start();
    let number = site.incidents("load-high")[0]["id"].as_str().unwrap().to_owned();
    let listed = json_lines(&site.command(&["silence", "list", "--format", "json"]));
    assert_eq!(listed[0]["state"], "active", "{listed:?}");
    site.send(&record("known-01", "app.load", 1.0));
    eventually("the end, told to whoever was told of the beginning", || {
        let pages = site.get("/v1/pages")["pages"].as_array().cloned().unwrap_or_default();
        pages.into_iter().find(|page| page["incident"] == number && page["reason"] == "resolved")
    });
}

#[test]
fn the_door_says_what_is_wrong_with_a_silence() {
    let world = World::new();
    *world.seams.answer.lock().unwrap() = Some(Answer { done: true, text: "SIL-2511-001".to_owned() });
    let post = |path: &str, body: serde_json::Value| answer(world.post(path).json(&body).send().unwrap());
    let good = json!({"matchers": ["host=~db-.*", "severity!=S1"], "for": "2h", "by": "boss", "reason": "점검"});
    assert_eq!(post("/v1/silences", good.clone()).0, 200);
    let Input::Silence(ask) = world.seams.inputs.lock().unwrap()[0].clone() else { panic!("an input") };
    let matcher = |label: &str, test, value: &str| Matcher { label: label.to_owned(), test, value: value.to_owned() };
    assert_eq!(ask.matchers, [matcher("host", Test::Fits, "db-.*"), matcher("severity", Test::IsNot, "S1")]);
    assert_eq!((ask.from, ask.until), (None, NOW + 2 * HOUR));
    assert_eq!(
        ask.hides,
        Preview { incidents: 3, s1: 1, pages: 5, of: 9, over: 30 * DAY },
        "what it would have hidden"
    );
    let with = |key: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    for (body, why) in [
        (with("matchers", json!(["db-01"])), "대상 조건이 아닙니다"),
        (with("for", json!("soon")), "길이가 아닙니다"),
        (with("for", serde_json::Value::Null), "종료가 없습니다"),
        (with("until", json!("2026-12-06T02:00")), "하나만"),
        (with("from", json!("morgen")), "시각이 아닙니다"),
        (with("colour", json!("red")), "unknown field"),
        (json!(["a"]), "map"),
    ] {
        let (status, answer) = post("/v1/silences", body);
        let text = answer["error"].as_str().unwrap_or_default().to_owned();
        assert!(status == 400 && text.contains(why), "{why}: {status} {answer}");
    }
    let worst = json!({"matchers": ["db-01", "host=x", "web"], "from": "morgen", "by": "boss", "reason": "r"});
    let every = post("/v1/silences", worst).1["error"].as_str().unwrap_or_default().to_owned();
    for why in ["`db-01` 대상 조건이", "`web` 대상 조건이", "`morgen` 시각이", "종료가 없습니다"] {
        assert!(every.contains(why), "all of it at once: {every}");
    }
    assert_eq!(post("/v1/silences/preview", json!({"matchers": ["host=x"]})).1["incidents"], 3);
    assert_eq!(post("/v1/silences/preview", json!({})).0, 400);
    assert_eq!(post("/v1/silences/SIL-2511-001/expire", json!({"by": "boss"})).0, 200);
    assert_eq!(post("/v1/silences/SIL-2511-001/approve", json!({})).0, 200);
    assert_eq!(post("/v1/silences/SIL-2511-001/forget", json!({})).0, 404);
    let inputs = world.seams.inputs.lock().unwrap().clone();
    let id = || "SIL-2511-001".to_owned();
    assert_eq!(inputs[1], Input::Expire { silence: id(), by: "boss".to_owned() });
    assert_eq!(inputs[2], Input::Approve { silence: id(), by: "console".to_owned() });
}

#[test]
fn the_page_shows_silences_with_their_remaining_time_and_marks_what_they_mute() {
    let world = World::new();
    let silence = Silence {
        id: "SIL-2511-001".to_owned(),
        matchers: vec![Matcher { label: "host".to_owned(), test: Test::Is, value: "db-<01>".to_owned() }],
        from: NOW - HOUR,
        until: NOW + 90 * MINUTE,
        by: "msp-duty-1".to_owned(),
        reason: "디스크 교체".to_owned(),
        made: NOW - HOUR,
        hides: Preview::default(),
        needs: None,
        approver: None,
        approved: None,
        expired_by: None,
        replaces: None,
    };
    let waiting = Silence { id: "SIL-2511-002".to_owned(), needs: Some("S1".to_owned()), ..silence.clone() };
    let over = Silence { id: "SIL-2511-003".to_owned(), until: NOW - 1, ..silence.clone() };
    let muted = Muted {
        kind: MuteKind::Silence,
        by: silence.id.clone(),
        who: silence.by.clone(),
        why: silence.reason.clone(),
        since: NOW - MINUTE,
        until: Some(silence.until),
        severity: None,
    };
    let open = incident("INC-2511-001", "db-01");
    let it = Incident { state: IncidentState::Open, ack: None, muted: Some(muted), ..open };
    *world.seams.incidents.lock().unwrap() = vec![it];
    *world.seams.contacts.lock().unwrap() = vec![contact()];
    *world.seams.silences.lock().unwrap() = vec![silence, waiting, over];
    let page = world.page("/");
    for shown in
        ["data-silence=\"active\"", "data-silence=\"waiting\"", "data-silence=\"expired\"", "1h30m", "디스크 교체"]
    {
        assert!(page.contains(shown), "{shown} is not in {page}");
    }
    assert!(page.contains("db-&lt;01&gt;") && !page.contains("db-<01>"), "what people wrote is escaped");
    assert!(
        page.contains("SIL-2511-002(msp-duty-1): 다른 담당자의 승인을 기다립니다"),
        "it stands with what needs a hand"
    );
    assert!(
        page.contains("href=\"/silences\"") && !page.contains("action=\"/v1/silences"),
        "the overview loads itself anew"
    );
    let forms = world.page("/silences?matchers=incident%3DINC-2511-001");
    assert!(!forms.contains("http-equiv=\"refresh\""), "nobody loses what they type");
    assert!(forms.contains("value=\"incident=INC-2511-001\""), "a link may fill it in: {forms}");
    assert!(forms.contains("action=\"/v1/silences/SIL-2511-002/approve\""), "whoever may, approves it here");
    assert!(forms.contains("action=\"/v1/silences/SIL-2511-001/expire\""));
    assert!(!forms.contains("SIL-2511-003"), "there is nothing to do with what is over");
    assert!(world.page("/silences?matchers=%22%3E%3Cscript%3E").contains("value=\"&quot;&gt;&lt;script&gt;\""));
    let detail = world.page("/incidents/INC-2511-001");
    assert!(detail.contains("알림중지 SIL-2511-001") && detail.contains("통보 보류"), "{detail}");
    assert!(detail.contains("href=\"/silences?matchers=incident%3DINC-2511-001\""), "{detail}");
}
