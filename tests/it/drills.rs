//! Drills from the command to the phone and back, beside a real incident of the same rule and host.

use crate::service::RULE;
use crate::site::{Site, eventually, json_lines, record};

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

#[test]
fn a_drill_reaches_the_phone_marked_and_is_ended_by_its_number() {
    let site = Site::new(RULE);
    let service = site.start();
    let start = ["drill", "start", "--rule", "load-high", "-l", "host=known-01", "--for", "10m", "--by", "duty-1"];
    let started = site.command(&start);
    let answer = said(&started);
    assert_eq!(started.status.code(), Some(0), "{answer}");
    let number = answer.split_whitespace().next().unwrap().to_owned();
    assert!(number.starts_with("DRL-") && answer.contains(" 훈련을 시작했습니다("), "{answer}");
    let first = site.page("load-high", "first");
    assert_eq!((first["incident"].as_str(), first["to"].as_str()), (Some(number.as_str()), Some("duty-1")));
    let phone = site.data().join("handset").join("duty-1");
    let file = phone.join(format!("{}.txt", first["id"].as_str().unwrap()));
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("[훈련]") && !text.contains("긴급신고"), "{text}");

    site.send(&record("known-01", "app.load", 99.0));
    let real = eventually("the real one beside it", || {
        site.incidents("load-high").into_iter().find(|it| it["id"].as_str().is_some_and(|id| id.starts_with("INC-")))
    });
    eventually("the real one is told", || {
        let pages = site.get("/v1/pages")["pages"].as_array().cloned().unwrap_or_default();
        pages.into_iter().find(|page| page["incident"] == real["id"] && page["state"] == "accepted")
    });
    let listed = json_lines(&site.command(&["drill", "list", "--format", "json"]));
    assert_eq!((listed.len(), listed[0]["id"].as_str()), (1, Some(number.as_str())), "{listed:?}");
    let drill = &listed[0]["drill"];
    let length = drill["until"].as_i64().unwrap() - listed[0]["detected"].as_i64().unwrap();
    assert_eq!((drill["by"].as_str(), length), (Some("duty-1"), 10 * 60_000), "{drill}");
    assert_eq!(listed[0]["told"], serde_json::json!(["duty-1 (sms)"]));
    let shown = said(&site.command(&["drill", "list"]));
    assert!(shown.contains("시작 duty-1") && shown.contains("통보: duty-1 (sms)"), "{shown}");
    assert!(!shown.contains("drill=true"), "its number says so: {shown}");

    let explained = site.command(&["explain", &number]);
    let lines = said(&explained);
    assert_eq!(explained.status.code(), Some(0), "{lines}");
    assert!(
        lines.contains("모의훈련입니다") && lines.contains("시작(duty-1)") && lines.contains("스스로 끝납니다"),
        "{lines}"
    );
    assert!(!lines.contains("알리지 않았습니다"), "somebody was told: {lines}");

    assert_eq!(site.command(&start).status.code(), Some(1), "it runs already");
    let unknown = site.command(&["drill", "start", "--rule", "nothing"]);
    assert_eq!(unknown.status.code(), Some(1), "{}", said(&unknown));
    let endless = site.command(&["drill", "start", "--rule", "load-high", "--for", "9h"]);
    assert_eq!(endless.status.code(), Some(2), "{}", said(&endless));
    let wrong = site.command(&["drill", "stop", real["id"].as_str().unwrap()]);
    assert_eq!(wrong.status.code(), Some(2), "a real incident is not ended as a drill: {}", said(&wrong));

    assert_eq!(site.command(&["drill", "stop", &number, "--by", "duty-1"]).status.code(), Some(0));
    let resolved = site.page("load-high", "resolved");
    assert_eq!(resolved["incident"], number.as_str(), "whoever heard of it hears of its end");
    assert!(json_lines(&site.command(&["drill", "list", "--format", "json"])).is_empty());
    assert!(said(&site.command(&["drill", "list"])).contains("진행 중인 훈련이 없습니다"));
    let left = site.incidents("load-high").into_iter().find(|it| it["id"] == real["id"]).unwrap();
    assert_eq!(left["state"], "open", "the real one goes on");
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
    let verify = site.command(&["ledger", "verify"]);
    assert_eq!(verify.status.code(), Some(0), "{}", said(&verify));
}
