//! Requests and answers without a network: escaping, signatures that providers publish, and what answers mean.

use super::answer::{self, Answer};
use super::render::{Fields, Ready};
use crate::model::{
    Body, Check, CodeRule, Encoding, Fate, HttpWay, Item, Page, Question, Receipts, Request, Secret, Sign, StateRule,
    Template,
};
use crate::notify::tests::world::{NOW, page};
use crate::notify::{LookedUp, Refusal, Sent};

fn template(text: &str) -> Template {
    Template::parse(text).expect("the test's own template is whole")
}

fn request(method: &'static str, url: &str, body: Body) -> Request {
    Request { method, url: template(url), headers: Vec::new(), body }
}

fn way(send: Request) -> HttpWay {
    HttpWay {
        sender: "0530000000".to_owned(),
        ca_file: None,
        encoding: Encoding::Utf8,
        secrets: Vec::new(),
        sign: None,
        send,
        send_long: None,
        success: vec![Check { at: "/ok".to_owned(), is: "true".to_owned() }],
        id: vec!["/id".to_owned(), "/seq".to_owned()],
        code: vec!["/code".to_owned()],
        codes: vec![
            CodeRule { of: vec!["-20*".to_owned()], reason: "content".to_owned(), retry: None },
            CodeRule { of: vec!["-30".to_owned()], reason: "rate".to_owned(), retry: Some(false) },
            CodeRule { of: vec!["http-418".to_owned()], reason: "auth".to_owned(), retry: Some(true) },
        ],
        look_up: None,
        receipts: Receipts::default(),
    }
}

fn ready(way: &HttpWay, page: &Page, secrets: &[(&str, &str)], now: i64, salt: &str) -> Result<Ready, String> {
    let secrets: Vec<_> = secrets.iter().map(|(n, s)| ((*n).to_owned(), Secret::new(*s))).collect();
    let fields = Fields { way, secrets: &secrets, page, to: "01000000001", sent: "r1:2", now, salt };
    fields.ready(&way.send, None)
}

#[test]
fn a_text_can_never_become_part_of_the_request() {
    let text = "가\"},{\"to\":\"1\n\\&a=b{{id}}";
    let page = Page { text: text.to_owned(), ..page("p-1") };
    let json = way(request("POST", "https://a.test/{{text}}?x=1", Body::Json(template("{\"t\":\"{{text}}\"}"))));
    let made = ready(&json, &page, &[], NOW, "").expect("it can be made");
    let read: serde_json::Value = serde_json::from_slice(&made.body).expect("it is JSON");
    assert_eq!(read, serde_json::json!({ "t": text }));
    assert!(made.url.starts_with("https://a.test/%EA%B0%80%22%7D%2C") && made.url.ends_with("%7D%7D?x=1"));

    let fields = vec![("m".to_owned(), template("{{text}}")), ("to".to_owned(), template("{{to}}"))];
    let mut form = way(request("POST", "https://a.test/", Body::Form(fields)));
    form.encoding = Encoding::EucKr;
    let made = ready(&form, &page, &[], NOW, "").expect("it can be made");
    let body = String::from_utf8(made.body).expect("it is ASCII");
    assert!(body.starts_with("m=%B0%A1%22%7D%2C") && body.ends_with("%7D%7D&to=01000000001"), "{body}");

    let odd = Page { text: "😀".to_owned(), ..page };
    assert!(ready(&form, &odd, &[], NOW, "").is_err(), "EUC-KR has no such character: never a replacement");
    let mut header = way(request("POST", "https://a.test/", Body::None));
    header.send.headers.push(("x-text".to_owned(), template("{{text}}")));
    assert!(ready(&header, &Page { text: "a\r\nb: c".to_owned(), ..odd }, &[], NOW, "").is_err());
}

#[test]
fn signatures_are_those_that_the_providers_publish() {
    // NAVER Cloud SENS: method, path, time and key in Base64.
    let mut sens = way(request("POST", "https://sens.test/sms/v2/services/{{svc}}/messages", Body::None));
    let text = template("{{method}} {{path}}\n{{now_ms}}\n{{access}}");
    sens.sign = Some(Sign { key: "secret".to_owned(), text, hex: false });
    sens.send.headers.push(("x-sign".to_owned(), template("{{signature}}")));
    let secrets = [("svc", "svc"), ("access", "access"), ("secret", "secret")];
    let made = ready(&sens, &page("p"), &secrets, 1_700_000_000_000, "").expect("it can be made");
    assert_eq!(made.headers[0].1, "7lLIUF/vg70uc1AkCmekGjUxqT5ekiPPnwKqwZrI6qI=");

    // Solapi: time and salt in hex. The time is written by its own rule, so it is given as a secret here.
    let mut solapi = way(request("POST", "https://solapi.test/", Body::None));
    solapi.sign = Some(Sign { key: "secret".to_owned(), text: template("{{date}}{{salt}}"), hex: true });
    solapi
        .send
        .headers
        .push(("authorization".to_owned(), template("HMAC-SHA256 salt={{salt}}, signature={{signature}}")));
    let secrets = [("date", "2026-01-14T00:12:00Z"), ("secret", "secret")];
    let made = ready(&solapi, &page("p"), &secrets, NOW, "jqsba2jxjnrjor").expect("it can be made");
    let signature = "b7d1178229f4d5064be3a7a20122605713b0ba3754c41a5cde7cf8db3728e2f8";
    assert_eq!(made.headers[0].1, format!("HMAC-SHA256 salt=jqsba2jxjnrjor, signature={signature}"));
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, retry_after: None, body: body.as_bytes().to_vec() }
}

fn refused(reason: Refusal, permanent: bool) -> Sent {
    Sent::Refused { reason, permanent, retry_after: None }
}

#[test]
fn only_a_clear_yes_is_a_yes_and_only_a_clear_no_is_a_no() {
    let way = way(request("POST", "https://a.test/", Body::None));
    let sent = |status, body| answer::sent(&way, &answer(status, body));
    assert_eq!(sent(200, r#"{"ok":true,"id":"a","seq":1}"#), Sent::Accepted { id: "a:1".to_owned() });
    for (status, body) in [
        (200, ""),
        (200, "<html>"),
        (200, r#"{"ok":tr"#),
        (200, "{}"),
        (200, "[]"),
        (200, r#"{"code":-99}"#),
        (502, "<html>"),
        (504, ""),
        (199, ""),
    ] {
        assert!(matches!(sent(status, body), Sent::Unknown { .. }), "{status} {body}");
    }
    for (status, body, no) in [
        (200, r#"{"ok":false,"code":-2015}"#, refused(Refusal::Content, true)),
        (200, r#"{"ok":false,"code":"-30"}"#, refused(Refusal::Rate, true)),
        (200, r#"{"ok":false,"code":-1}"#, refused(Refusal::Server, false)),
        (200, r#"{"code":-2001}"#, refused(Refusal::Content, true)),
        (400, r#"{"code":-2001}"#, refused(Refusal::Content, true)),
        (400, "", refused(Refusal::Content, true)),
        (401, "", refused(Refusal::Auth, true)),
        (404, "", refused(Refusal::Auth, true)),
        (302, "", refused(Refusal::Auth, true)),
        (418, "", refused(Refusal::Auth, false)),
        (429, "", refused(Refusal::Rate, false)),
        (500, "<html>", refused(Refusal::Server, false)),
        (503, "", refused(Refusal::Server, false)),
    ] {
        assert_eq!(sent(status, body), no, "{status} {body}");
    }
    let later = Answer { retry_after: Some("7".to_owned()), ..answer(429, "") };
    let no = Sent::Refused { reason: Refusal::Rate, permanent: false, retry_after: Some(7_000) };
    assert_eq!(answer::sent(&way, &later), no);
    let soon = Answer { retry_after: Some("99999999".to_owned()), ..answer(503, "") };
    assert!(matches!(answer::sent(&way, &soon), Sent::Refused { retry_after: Some(600_000), .. }));
}

#[test]
fn an_answer_in_euc_kr_is_read() {
    let way = way(request("POST", "https://a.test/", Body::None));
    let (body, ..) = encoding_rs::EUC_KR.encode(r#"{"ok":false,"code":-2015,"message":"본문이 깁니다"}"#);
    let answer = Answer { status: 200, retry_after: None, body: body.into_owned() };
    assert_eq!(answer::sent(&way, &answer), refused(Refusal::Content, true));
}

#[test]
fn a_look_up_says_not_there_only_where_the_provider_does() {
    let states = vec![
        StateRule { of: vec!["1000".to_owned()], is: Fate::Delivered },
        StateRule { of: vec!["3*".to_owned()], is: Fate::Failed("recipient".to_owned()) },
    ];
    let item =
        Item { page: Some("/key".to_owned()), id: vec!["/id".to_owned()], state: vec!["/state".to_owned()], states };
    let question = Question {
        request: request("GET", "https://a.test/", Body::None),
        url_long: None,
        success: vec![Check { at: "/ok".to_owned(), is: "true".to_owned() }],
        settle: 0,
        list: Some("/data".to_owned()),
        item,
    };
    let ask = |status, body: &str| answer::looked_up(&question, "p", &answer(status, body));
    let there = |state: &str| format!(r#"{{"ok":true,"data":[{{"key":"q"}},{{"key":"p","id":7,"state":{state}}}]}}"#);
    assert_eq!(ask(200, &there("null")), LookedUp::Accepted { id: "7".to_owned() });
    assert_eq!(ask(200, &there("\"1000\"")), LookedUp::Accepted { id: "7".to_owned() });
    assert_eq!(ask(200, &there("3001")), LookedUp::Failed { reason: Refusal::Recipient });
    assert_eq!(ask(200, r#"{"ok":true,"data":[]}"#), LookedUp::NotThere);
    assert_eq!(ask(200, r#"{"ok":true,"data":[{"key":"q"}]}"#), LookedUp::NotThere);
    for (status, body) in [(200, ""), (200, r#"{"ok":true}"#), (200, r#"{"ok":false,"data":[]}"#), (500, ""), (404, "")]
    {
        assert_eq!(ask(status, body), LookedUp::Unknown, "{status} {body}");
    }
    let became = |state: &str| answer::became(&question, "p", &answer(200, &there(state)));
    assert_eq!(became("\"1000\""), Some(Fate::Delivered));
    assert_eq!(became("\"3001\""), Some(Fate::Failed("recipient".to_owned())));
    assert_eq!(became("\"2000\""), Some(Fate::Pending), "a state that nobody named is under way");
    assert_eq!(answer::became(&question, "p", &answer(500, "")), None);
}
