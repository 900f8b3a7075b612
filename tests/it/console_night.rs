//! What somebody who is woken must find on the console without looking for it.

use bongsu::console::{EmptyStepView, GatewayView};
use bongsu::model::{
    Ack, Came, Contact, Incident, IncidentState, PageRow, PageState, Reason, STORM, Sending, Severity,
};
use bongsu::time::HOUR;

use crate::console_page::{contact, incident, page};
use crate::console_world::{NOW, World};

fn open(id: &str) -> Incident {
    Incident { state: IncidentState::Open, ack: None, ..incident(id, "db-01") }
}

/// The row of a page in the table.
fn row<'a>(html: &'a str, id: &str) -> &'a str {
    let at = html.find(&format!("data-page=\"{id}\"")).unwrap_or_else(|| panic!("{id} is not in {html}"));
    html[at..].split("</tr>").next().unwrap()
}

#[test]
fn what_keeps_people_from_being_told_stands_first_and_on_its_incident() {
    let world = World::new();
    *world.seams.incidents.lock().unwrap() = vec![open("INC-2511-001"), open("INC-2511-002")];
    assert!(!world.page("/").contains("조치 필요"), "all is well");
    {
        let mut status = world.seams.status.lock().unwrap();
        let step = |step, is_last, incidents: &[&str]| EmptyStepView {
            chain: "infra".to_owned(),
            step,
            is_last,
            to: vec!["AP/dba".to_owned()],
            incidents: incidents.iter().map(|id| (*id).to_owned()).collect(),
        };
        status.empty_steps = Some(vec![
            step(1, false, &["INC-2511-001", "INC-2511-003", "INC-2511-004", "INC-2511-005"]),
            step(3, true, &["INC-2511-009"]),
        ]);
        let (id, channel, last) = ("nhn-sms".to_owned(), "sms".to_owned(), Some("auth".to_owned()));
        status.gateways =
            vec![GatewayView { id, channel, failing: true, since: Some(NOW), last, ..GatewayView::default() }];
        status.rules.broken = Some("chains.yaml:54:16".to_owned());
    }
    let html = world.page("/");
    let top = html.split("<h2>장애</h2>").next().unwrap();
    for said in [
        "비상연락 체계 infra 2단계(AP/dba): 연락할 사람이 없어 바로 다음 단계로 넘어갔습니다(INC-2511-001, INC-2511-003, \
         INC-2511-004 외 1건)",
        "infra 마지막 단계(AP/dba): 연락할 사람이 없어 다른 담당자에게 알렸습니다(INC-2511-009)",
        "발송 경로 nhn-sms(sms): 2025-11-25T01:00:00+09:00부터 발송하지 못하고 있습니다 (발송 업체 인증 거부)",
        "chains.yaml:54:16",
    ] {
        assert!(top.contains(said), "{said} is not above the incidents: {top}");
    }
    assert!(world.page("/incidents/INC-2511-001").contains("infra 2단계(AP/dba)"));
    assert!(!world.page("/incidents/INC-2511-002").contains("AP/dba"), "this one did not pass it");
}

#[test]
fn the_way_of_each_message_stands_on_its_incident() {
    let world = World::new();
    *world.seams.incidents.lock().unwrap() = vec![open("INC-2511-001")];
    let came = Some(Came { sampled: NOW - 2_000, appended: NOW - 1_500, consumed: NOW - 1_490 });
    let at = |ms| Some(NOW + ms);
    let told = |id: &str, prompt: bool, sending: Sending| {
        let mut row = page(id, PageState::Delivered, "");
        (row.page.came, row.page.prompt, row.sending) = (came, prompt, sending);
        row
    };
    let whole = Sending { queued: at(3), submitted: at(1_000), accepted: at(2_000), delivered: at(61_000) };
    let later = Sending { delivered: None, ..whole };
    *world.seams.pages.lock().unwrap() =
        vec![told("prompt", true, whole), told("timed", false, later), told("nowhere", true, Sending::default())];
    let html = world.page("/incidents/INC-2511-001");
    let prompt = row(&html, "prompt");
    for shown in ["01:00:01</time>", "01:00:02</time>", "01:01:01</time>", "수집→도착 1분 3초"] {
        assert!(prompt.contains(shown), "{shown}: {prompt}");
    }
    for stamp in
        ["수집 00:59:58.000", "적재 00:59:58.500", "판독 00:59:58.510", "결정 01:00:00.000", "대기열 01:00:00.003"]
    {
        assert!(prompt.contains(stamp), "{stamp}: {prompt}");
    }
    assert!(row(&html, "timed").contains("결정→접수 2.00초"), "what waited on purpose counts from its decision");
    assert!(row(&html, "timed").contains("도착 –"));
    assert!(!row(&html, "nowhere").contains("<ol"), "{}", row(&html, "nowhere"));
}

#[test]
fn people_count_steps_from_one_and_a_warning_is_of_none() {
    let world = World::new();
    *world.seams.incidents.lock().unwrap() = vec![open("INC-2511-001")];
    let of = |id: &str, step, reason| {
        let mut row = page(id, PageState::Accepted, "");
        (row.page.step, row.page.reason) = (step, reason);
        row
    };
    *world.seams.pages.lock().unwrap() =
        vec![of("third", 2, Reason::Escalated), of("warning", -4, Reason::Sla), of("first", 0, Reason::First)];
    for path in ["/", "/incidents/INC-2511-001"] {
        let html = world.page(path);
        assert!(row(&html, "first").contains("<td>1단계</td>") && row(&html, "third").contains("<td>3단계</td>"));
        assert!(!row(&html, "warning").contains("-4") && row(&html, "warning").contains("<td>–</td>"), "{path}");
    }
}

#[test]
fn a_code_stays_on_the_phone_that_got_it() {
    let world = World::new();
    world.seams.contacts.lock().unwrap().push(contact());
    *world.seams.incidents.lock().unwrap() = vec![open("INC-2511-001")];
    let mut mail = page("mail", PageState::Accepted, "");
    mail.page.title = "[긴급신고] 장애발생".to_owned();
    mail.page.text = "[긴급신고] 장애발생 알림\n■ 수신확인: 코드<0000>\n관제콘솔에서 수신확인 바람".to_owned();
    *world.seams.pages.lock().unwrap() = vec![mail];
    for path in ["/", "/incidents/INC-2511-001"] {
        let html = world.page(path);
        assert!(html.contains("코드******") && !html.contains("&lt;0000&gt;"), "{path}: {html}");
        let body = row(&html, "mail");
        assert!(body.contains("<details><summary>[긴급신고] 장애발생</summary>"), "a long body is folded: {body}");
    }
}

#[test]
fn whoever_got_nothing_is_one_line() {
    let world = World::new();
    let others = (2..9).map(|n| Contact { id: format!("msp-duty-{n}"), ..contact() });
    world.seams.contacts.lock().unwrap().extend([contact()].into_iter().chain(others));
    world.seams.pages.lock().unwrap().push(page("p", PageState::Accepted, ""));
    let html = world.page("/");
    assert_eq!(html.matches("<article").count(), 1);
    assert!(html.contains("받은 문자 없음: msp-duty-2, msp-duty-3"), "{html}");
}

#[test]
fn the_forms_of_an_incident_say_what_they_will_not_do_and_hand_it_over() {
    let world = World::new();
    world.seams.contacts.lock().unwrap().push(contact());
    let mut storm = Incident { rule: STORM.id.into(), ..open("INC-2511-001") };
    storm.group.tally.severities = [3, 0, 0, 0];
    let ack = Some(Ack { by: "operator".to_owned(), at: NOW, until: NOW + HOUR, note: String::new() });
    let taken = Incident { state: IncidentState::Acked, ack, ..open("INC-2511-002") };
    *world.seams.incidents.lock().unwrap() = vec![storm, taken];
    let html = world.page("/incidents/INC-2511-001");
    assert!(html.contains("하위 장애 3건이 진행 중입니다") && html.contains("바로 다시 열릴 수 있습니다"), "{html}");
    assert!(!html.contains("/handover\""), "nobody has it yet");
    let html = world.page("/incidents/INC-2511-002");
    assert!(html.contains("action=\"/v1/incidents/INC-2511-002/handover\"") && html.contains("name=\"to\" required"));
    assert!(!html.contains("하위 장애") && html.contains("관제 운영자"), "{html}");
    assert!(world.page("/").contains("수신확인</span> <span class=\"sub\">관제 운영자</span>"), "who has it");
}

#[test]
fn what_is_open_is_never_left_out_for_what_is_over() {
    let world = World::new();
    let over =
        |n: i64| Incident { state: IncidentState::Closed, resolved: Some(NOW), ..open(&format!("INC-2511-{n:03}")) };
    let mut all: Vec<Incident> = (2..400).rev().map(over).collect();
    all.push(Incident { severity: Severity::S1, ..open("INC-2511-001") });
    *world.seams.incidents.lock().unwrap() = all;
    world.seams.status.lock().unwrap().counts.incidents_open = Some(1);
    let html = world.page("/");
    let first = html.find("INC-2511-001").expect("the open one is there");
    assert!(first < html.find("INC-2511-399").unwrap(), "and before what is over");
    assert!(html.contains("<title>(1) 봉수 관제</title>"), "a tab says how many");
}

#[test]
fn the_gravest_that_nobody_has_stands_on_top() {
    let world = World::new();
    let of = |id: &str, severity, state, minutes| Incident { severity, state, detected: NOW + minutes, ..open(id) };
    *world.seams.incidents.lock().unwrap() = vec![
        of("INC-2511-005", Severity::S3, IncidentState::Open, 5),
        of("INC-2511-004", Severity::S1, IncidentState::Acked, 4),
        of("INC-2511-003", Severity::S1, IncidentState::Open, 3),
        of("INC-2511-002", Severity::S1, IncidentState::Closed, 2),
        of("INC-2511-001", Severity::S1, IncidentState::Open, 1),
    ];
    let html = world.page("/");
    let order: Vec<_> = [3, 1, 4, 5, 2].map(|n| html.find(&format!(">INC-2511-00{n}<")).expect("it is there")).into();
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn a_drill_is_marked_and_its_label_is_not_shown_as_one() {
    let world = World::new();
    let mut drill = open("DRL-2511-001");
    drill.labels = bongsu::model::Labels::new([("drill", "true"), ("host", "db-01")]);
    *world.seams.incidents.lock().unwrap() = vec![drill];
    let html = world.page("/");
    assert!(html.contains("<span class=\"badge info\">훈련</span>") && !html.contains("drill=true"), "{html}");
}

#[test]
fn whoever_presses_a_button_after_the_session_ended_learns_that_nothing_came_of_it() {
    let world = World::new();
    let press = world.client.post(format!("{}/v1/incidents/INC-2511-001/ack", world.url));
    let press =
        press.header("origin", &world.url).header("accept", "text/html,*/*").header("cookie", "bongsu_session=old");
    let response = press.header("content-type", "application/x-www-form-urlencoded").body("by=a").send().unwrap();
    assert_eq!(response.status(), 401);
    let html = response.text().unwrap();
    assert!(html.contains("로그인이 끝나 처리하지 못했습니다") && html.contains("action=\"/sign-in\""), "{html}");
    assert!(world.seams.inputs.lock().unwrap().is_empty());
}

#[test]
fn a_browser_gets_a_page_whatever_it_asks_for() {
    let world = World::new();
    let old = world.get("/incident/INC-2511-001").header("accept", "text/html").send().unwrap();
    assert_eq!(old.status(), 404);
    assert!(old.text().unwrap().contains("그런 화면이 없습니다"));
    *world.seams.answer.lock().unwrap() = None;
    let press =
        world.post("/v1/incidents/INC-2511-001/ack").header("content-type", "application/x-www-form-urlencoded");
    let later = press.body("by=a").send().unwrap();
    assert_eq!(later.status(), 202);
    let html = later.text().unwrap();
    assert!(html.contains("<h2>접수했습니다</h2>") && html.contains("아직 처리되지 않았습니다"), "{html}");
    let wrong = world.post("/v1/silences").header("content-type", "application/x-www-form-urlencoded");
    let html = wrong.body("matchers=db-01&for=soon&by=a&reason=r").send().unwrap().text().unwrap();
    for said in ["처리하지 못했습니다", "`db-01` 대상 조건이 아닙니다", "`soon` 길이가 아닙니다"]
    {
        assert!(html.contains(said), "{said}: {html}");
    }
}

#[test]
fn the_overview_is_small_however_much_was_sent() {
    let world = World::new();
    let sent = |n: usize| -> PageRow { page(&format!("p-{n}"), PageState::Accepted, "") };
    *world.seams.pages.lock().unwrap() = (0..500).map(sent).collect();
    *world.seams.incidents.lock().unwrap() = vec![open("INC-2511-001")];
    let html = world.page("/");
    assert!(html.contains("최근 50건만") && html.matches("data-page=").count() == 50);
    assert!(html.len() < 60_000, "it loads itself again every 5 s, on phones too: {}", html.len());
    assert_eq!(world.page("/incidents/INC-2511-001").matches("data-page=").count(), 500);
}
