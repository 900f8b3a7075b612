//! One-time codes at the door: the phone page over real HTTP, and a running service from the message to the ack.

use bongsu::console::Answer;
use bongsu::model::{Ack, AckKey, Incident, IncidentState, Input, Secret};
use serde_json::json;

use crate::console_page::{contact, incident, page};
use crate::console_world::{World, answer};
use crate::service::RULE;
use crate::site::{Site, eventually, json_lines, record};

/// A world with one open incident that one person was told of, and its code.
fn world() -> (World, Incident, String) {
    let world = World::new();
    let it = Incident { state: IncidentState::Open, ack: None, ..incident("INC-2511-001", "db-01") };
    let code = AckKey::new(Secret::new("a key")).code(&it);
    *world.seams.incidents.lock().unwrap() = vec![it.clone()];
    *world.seams.pages.lock().unwrap() = vec![page("p-1", bongsu::model::PageState::Accepted, "g")];
    *world.seams.contacts.lock().unwrap() = vec![contact()];
    *world.seams.answer.lock().unwrap() = Some(Answer { done: true, text: "taken".to_owned() });
    (world, it, code)
}

/// Posts a form as a phone behind a proxy does: no token, another origin.
fn phone(world: &World, fields: &str) -> (u16, String) {
    let request = world.client.post(format!("{}/a", world.url)).header("origin", "https://alerts.example.test");
    let form = request.header("content-type", "application/x-www-form-urlencoded").body(fields.to_owned());
    let response = form.send().unwrap();
    (response.status().as_u16(), response.text().unwrap())
}

#[test]
fn a_phone_takes_an_incident_by_its_code() {
    let (world, it, code) = world();
    let form = world.client.get(format!("{}/a", world.url)).send().unwrap();
    assert_eq!(form.status(), 200, "no token is asked for");
    let form = form.text().unwrap();
    assert!(form.contains("inputmode=\"numeric\"") && form.contains("width=device-width"), "{form}");
    assert!(!form.contains("<script") && !form.contains(&it.id), "{form}");
    let (status, who) = phone(&world, &format!("code={}+{}", &code[..3], &code[3..]));
    assert_eq!(status, 200);
    assert!(who.contains(&it.id) && who.contains("MSP 가*인") && !who.contains("가상인"), "{who}");
    assert!(world.seams.inputs.lock().unwrap().is_empty(), "who it is was not said yet");
    let (status, _) = phone(&world, &format!("code={code}&by=somebody-else"));
    assert_eq!((status, world.seams.inputs.lock().unwrap().len()), (200, 0), "only those who were told are believed");
    let (status, done) = phone(&world, &format!("code={code}&by=msp-duty-1"));
    assert_eq!(status, 200);
    assert!(done.contains("수신확인되었습니다"), "{done}");
    let inputs = world.seams.inputs.lock().unwrap().clone();
    let wanted = Input::AckCode {
        incident: it.id.clone(),
        occurrence: it.occurrence,
        used: it.codes_used,
        by: "msp-duty-1".to_owned(),
        note: String::new(),
        hold: 4 * bongsu::time::HOUR,
    };
    assert_eq!(inputs, [wanted]);
}

#[test]
fn guesses_on_the_phone_page_are_not_heard_for_long() {
    let (world, _, code) = world();
    let wrong = |n: u32| format!("{:06}", (code.parse::<u32>().unwrap() + n) % 1_000_000);
    for n in 1..=5 {
        assert_eq!(phone(&world, &format!("code={}", wrong(n))).0, 404);
    }
    assert_eq!(phone(&world, &format!("code={code}")).0, 429, "even the right one: a guess must not be told from it");
    world.clock.advance(60_000);
    assert_eq!(phone(&world, &format!("code={code}")).0, 200, "a minute later");
}

#[test]
fn guesses_that_come_in_one_breath_are_counted_like_any_others() {
    let (world, _, code) = world();
    let wrong = |n: u32| format!("code={:06}", (code.parse::<u32>().unwrap() + n) % 1_000_000);
    // The look-up of the first waits until the others are there.
    let held = world.seams.incidents.lock().unwrap();
    let (ready, others) = std::sync::mpsc::channel();
    let heard = std::thread::scope(|scope| {
        let (world, wrong) = (&world, &wrong);
        let guess = |n: u32| {
            let ready = ready.clone();
            scope.spawn(move || {
                ready.send(()).unwrap();
                phone(world, &wrong(n)).0
            })
        };
        let guesses: Vec<_> = (1..=40).map(guess).collect();
        others.iter().take(40).count();
        drop(held);
        guesses.into_iter().map(|guess| guess.join().unwrap()).filter(|status| *status == 404).count()
    });
    assert_eq!(heard, 5);
}

#[test]
fn a_used_or_foreign_code_is_none() {
    let (world, it, code) = world();
    for changed in [
        Incident { codes_used: 1, ..it.clone() },
        Incident { occurrence: it.occurrence + 1, ..it.clone() },
        Incident { state: IncidentState::Resolved, ..it.clone() },
    ] {
        *world.seams.incidents.lock().unwrap() = vec![changed];
        let (status, text) = answer(world.post("/v1/ack-code").body(json!({"code": code}).to_string()).send().unwrap());
        assert_eq!((status, &text["done"]), (409, &json!(false)), "{text}");
    }
    assert_eq!(world.client.post(format!("{}/v1/ack-code", world.url)).send().unwrap().status(), 401, "for programs");
}

/// Everybody who was told got the same code: the second to type it must learn that somebody has it, not that it is wrong.
#[test]
fn the_code_that_took_it_says_who_has_it() {
    let (world, it, code) = world();
    let ack = Some(Ack { by: "msp-duty-1".to_owned(), at: it.detected, until: it.detected + 1, note: String::new() });
    let taken = Incident { state: IncidentState::Acked, ack, codes_used: 1, ..it.clone() };
    *world.seams.incidents.lock().unwrap() = vec![taken.clone()];
    for _ in 0..8 {
        let (status, said) = phone(&world, &format!("code={code}"));
        assert!(status == 409 && said.contains(&it.id) && said.contains("담당 msp-duty-1"), "it is no guess: {said}");
    }
    let (status, text) = answer(world.post("/v1/ack-code").body(json!({"code": code}).to_string()).send().unwrap());
    assert!(status == 409 && text["text"].as_str().unwrap().contains("이미 수신확인되었습니다"), "{text}");
    assert!(world.seams.inputs.lock().unwrap().is_empty());
    for other in [
        Incident { codes_used: 2, ..taken.clone() },
        Incident { occurrence: it.occurrence + 1, ..taken.clone() },
        Incident { state: IncidentState::Open, ..taken },
    ] {
        *world.seams.incidents.lock().unwrap() = vec![other];
        assert_eq!(phone(&world, &format!("code={code}")).0, 404, "an older one is none");
    }
}

#[test]
fn a_hand_over_at_the_door_names_whom() {
    let (world, it, _) = world();
    let path = format!("/v1/incidents/{}/handover", it.id);
    let (status, text) = answer(world.post(&path).body("{}").send().unwrap());
    assert_eq!(status, 400, "{text}");
    let body = json!({"by": "msp-duty-1", "to": "msp-duty-2", "for": "2h"}).to_string();
    assert_eq!(answer(world.post(&path).body(body).send().unwrap()).0, 200);
    let inputs = world.seams.inputs.lock().unwrap().clone();
    let hold = Some(2 * bongsu::time::HOUR);
    let (by, to) = ("msp-duty-1".to_owned(), "msp-duty-2".to_owned());
    assert_eq!(inputs, [Input::Handover { incident: it.id, by, to, note: String::new(), hold }]);
}

#[test]
fn a_code_goes_from_the_phone_to_the_desk_and_is_nowhere_else() {
    let site = Site::new(RULE);
    site.edit(
        "contacts.yaml",
        "contacts:\n",
        "contacts:\n  - { id: boss-1, org: MSP, roles: [manager], name: 가상둘, phone: \"010-0000-0002\", confirmed: 2026-01-02 }\n",
    );
    let service = site.start();
    site.send(&record("known-01", "app.load", 99.0));
    let first = site.page("load-high", "first");
    let (incident, id) = (first["incident"].as_str().unwrap(), first["id"].as_str().unwrap());
    let sent = std::fs::read_to_string(site.data().join("handset/duty-1").join(format!("{id}.txt"))).unwrap();
    let code: String = sent.split_once("코드").expect("the message has a code").1.chars().take(6).collect();
    assert!(code.bytes().all(|b| b.is_ascii_digit()), "{sent}");

    let ack = |code: &str| site.command(&["ack", "--code", code, "--by", "duty-1", "--format", "json"]);
    let wrong = format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000);
    assert_eq!(ack(&wrong).status.code(), Some(1));
    let taken = ack(&code);
    assert_eq!(taken.status.code(), Some(0), "{taken:?}");
    assert_eq!(json_lines(&taken)[0]["incident"], incident);
    assert_eq!(ack(&code).status.code(), Some(1), "a code is good once");

    let over = site.command(&["handover", incident, "--by", "duty-1", "--to", "boss-1"]);
    assert_eq!(over.status.code(), Some(0), "{over:?}");
    let told = site.page("load-high", "handover");
    assert_eq!(told["to"], "boss-1");
    let state =
        eventually("the new holder", || site.incidents("load-high").pop().filter(|it| it["ack"]["by"] == "boss-1"));
    assert_eq!(state["state"], "acked");
    assert_eq!(service.end(), Some(0), "{}", site.service_log());

    let verify = site.command(&["ledger", "verify"]);
    assert_eq!(verify.status.code(), Some(0), "{verify:?}");
    let store = bongsu::store::open_readonly(&format!("sqlite:{}", site.data().join("bongsu.db").display())).unwrap();
    use bongsu::store::Store;
    for entry in store.ledger(0, 1_000_000).unwrap() {
        assert!(!entry.json.contains(&format!("코드{code}")), "{}", entry.json);
    }
    for row in store.pages(None, 1_000).unwrap() {
        assert!(!row.page.text.contains(&format!("코드{code}")), "{}", row.page.text);
    }
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(site.data().join("ack-key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
