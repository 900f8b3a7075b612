//! The HTTP gateway, as the shipped example describes a provider, against that provider's protocol on loopback.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bongsu::config::{self, Ask, read_secret};
use bongsu::model::{Channel, Fate, Page, Reason, Severity, WayKind};
use bongsu::notify::{Address, Denied, Gateway, HttpGateway, LookedUp, Refusal, Sent};
use bongsu::time::{Clock, MINUTE, SystemClock};

use super::sms_double::{APP_KEY, Mood, SECRET_KEY, SmsDouble};
use super::smtp::certificates;

const NHN: &str = "https://sms.api.nhncloudservice.com";
const HOOK_KEY: &str = "hook-key-0002";

/// The shipped example with its addresses on this host and its secrets in `folder`.
pub(crate) fn example(folder: &Path, base: &str) -> String {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/examples/gateways.yaml");
    for (name, secret) in [
        ("nhn-app-key", APP_KEY),
        ("nhn-secret-key", SECRET_KEY),
        ("nhn-hook-key", HOOK_KEY),
        ("sens-service-id", "svc"),
        ("sens-access-key", "access"),
        ("sens-secret-key", "secret"),
        ("mail-user", "user"),
        ("mail-password", "password"),
    ] {
        hide(&folder.join(name), secret);
    }
    let text = std::fs::read_to_string(shipped).unwrap();
    text.replace(NHN, base).replace("/etc/bongsu/secrets", &folder.display().to_string())
}

/// The example's first gateway over `base`; calls take at most 700 ms.
fn gateway(base: &str) -> HttpGateway {
    gateway_of(base, |text| text)
}

/// The same, after `change` of the example's text.
fn gateway_of(base: &str, change: impl Fn(String) -> String) -> HttpGateway {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bongsu.yaml");
    let text = change(example(folder.path(), base)).replace("timeout: 8s", "timeout: 700ms");
    std::fs::write(&path, text).unwrap();
    let loaded = config::load(&[path], &Ask { env: &[], now: 0, whole: false });
    let shown: String = loaded.problems.iter().map(|problem| problem.to_human(loaded.text(problem))).collect();
    assert!(loaded.problems.is_empty(), "{shown}");
    let way = &loaded.settings.gateways[0];
    let WayKind::Http(http) = &way.kind else { panic!("the first one is HTTP") };
    let secrets = http.secrets.iter().map(|(name, from)| (name.clone(), read_secret(from).unwrap())).collect();
    HttpGateway::new(way, http, secrets, Arc::new(SystemClock)).unwrap()
}

fn page(id: &str) -> Page {
    let now = SystemClock.wall();
    Page {
        id: id.to_owned(),
        incident: "INC-2511-001".to_owned(),
        severity: Severity::S1,
        reason: Reason::First,
        step: 0,
        round: 0,
        occurrence: 1,
        to: "duty-1".to_owned(),
        channel: Channel::Sms,
        title: String::new(),
        text: "[긴급신고][장애발생]INC-2511-001 중대/인프라 \"01:00\" 감지".to_owned(),
        decided: now,
        due: now,
        wanted: now + MINUTE,
        deadline: now + MINUTE,
        came: None,
        prompt: false,
    }
}

fn send(gateway: &HttpGateway, page: &Page) -> Sent {
    gateway.send(page, &Address("010-0000-0001".to_owned()))
}

fn accepted(id: &str) -> Sent {
    Sent::Accepted { id: format!("nhn-sms/{id}") }
}

#[test]
fn the_shipped_example_is_right_as_it_stands() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/examples/gateways.yaml");
    let loaded = config::load(&[path], &Ask { env: &[], now: 0, whole: false });
    let shown: String = loaded.problems.iter().map(|problem| problem.to_human(loaded.text(problem))).collect();
    assert!(loaded.problems.is_empty(), "{shown}");
    assert_eq!(loaded.settings.gateways.len(), 3);
}

#[test]
fn a_message_is_taken_whole_under_our_id_and_can_be_asked_about() {
    let double = SmsDouble::start();
    let gateway = gateway(&double.base());
    let short = page("p-1");
    let long = Page { title: "[긴급신고] 장애발생".to_owned(), text: "가\n나\\".repeat(30), ..page("p-2") };
    assert_eq!(gateway.look_up(&short), Some(LookedUp::NotThere));
    assert_eq!((send(&gateway, &short), send(&gateway, &long)), (accepted("r1:1"), accepted("r2:1")));
    let messages = double.messages();
    for (message, page) in messages.iter().zip([&short, &long]) {
        let there = (&message.page, &message.to, &message.title, &message.text);
        assert_eq!(there, (&page.id, &"01000000001".to_owned(), &page.title, &page.text));
    }
    assert_eq!((messages[0].is_long, messages[1].is_long), (false, true));
    for (page, id) in [(&short, "nhn-sms/r1:1"), (&long, "nhn-sms/r2:1")] {
        assert_eq!(gateway.look_up(page), Some(LookedUp::Accepted { id: id.to_owned() }));
    }
}

#[test]
fn a_refusal_says_why_and_whether_trying_again_is_of_use() {
    let double = SmsDouble::start();
    let gateway = gateway(&double.base());
    let no = |reason, permanent, retry_after| Sent::Refused { reason, permanent, retry_after };
    for (mood, expected) in [
        (Mood::Status(500, 0), no(Refusal::Server, false, None)),
        (Mood::Status(503, 3), no(Refusal::Server, false, Some(3_000))),
        (Mood::Status(429, 2), no(Refusal::Rate, false, Some(2_000))),
        (Mood::Code(-2023), no(Refusal::Content, true, None)),
        (Mood::Code(-2019), no(Refusal::Recipient, true, None)),
        (Mood::Code(-2052), no(Refusal::Rate, true, None)),
        (Mood::Code(-4711), no(Refusal::Server, false, None)),
    ] {
        double.next(mood);
        assert_eq!(send(&gateway, &page("p")), expected, "{mood:?}");
    }
    let bad = Page { text: String::new(), ..page("p") };
    assert!(matches!(send(&gateway, &bad), Sent::Refused { .. }), "its own check, not a mood");
    assert!(double.messages().is_empty());
}

#[test]
fn a_wrong_key_is_refused_for_good() {
    let double = SmsDouble::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bongsu.yaml");
    std::fs::write(&path, example(folder.path(), &double.base())).unwrap();
    hide(&folder.path().join("nhn-secret-key"), "wrong");
    let loaded = config::load(&[path], &Ask { env: &[], now: 0, whole: false });
    let way = &loaded.settings.gateways[0];
    let WayKind::Http(http) = &way.kind else { panic!("the first one is HTTP") };
    let secrets = http.secrets.iter().map(|(name, from)| (name.clone(), read_secret(from).unwrap())).collect();
    let gateway = HttpGateway::new(way, http, secrets, Arc::new(SystemClock)).unwrap();
    let refused = Sent::Refused { reason: Refusal::Auth, permanent: true, retry_after: None };
    assert_eq!(send(&gateway, &page("p")), refused);
    assert_eq!(gateway.look_up(&page("p")), Some(LookedUp::Unknown));
    assert!(!format!("{gateway:?}").contains("wrong"), "a secret is never printed");
}

#[test]
fn a_lost_answer_is_unknown_until_the_provider_was_asked() {
    let double = SmsDouble::start();
    let gateway = gateway(&double.base());
    for (mood, there) in [
        (Mood::Silent, true),
        (Mood::LostAfter, true),
        (Mood::Garbage, true),
        (Mood::Slow(3_000), true),
        (Mood::CutBefore, false),
        (Mood::Status(502, 0), false),
        (Mood::Status(504, 0), false),
    ] {
        let page = page(&format!("p-{mood:?}").replace(['(', ')', ',', ' '], "-"));
        double.next(mood);
        assert!(matches!(send(&gateway, &page), Sent::Unknown { .. }), "{mood:?}");
        let has = matches!(gateway.look_up(&page), Some(LookedUp::Accepted { .. }));
        assert_eq!(has, there, "{mood:?}");
    }
}

#[test]
fn a_lost_message_that_is_not_there_may_still_turn_up_for_a_while() {
    let double = SmsDouble::start();
    for (settle, expected) in [("10m", LookedUp::Unknown), ("0s", LookedUp::NotThere)] {
        let with = format!("settle: {settle}\n        list: /body/data");
        let gateway = gateway_of(&double.base(), |text| text.replacen("list: /body/data", &with, 1));
        double.next(Mood::CutBefore);
        assert!(matches!(send(&gateway, &page("p")), Sent::Unknown { .. }));
        assert_eq!(gateway.look_up(&page("p")), Some(expected));
        assert_eq!(gateway.look_up(&page("never-tried")), Some(LookedUp::NotThere));
    }
}

#[test]
fn a_slow_answer_inside_the_time_is_an_answer() {
    let double = SmsDouble::start();
    let gateway = gateway(&double.base());
    double.next(Mood::Slow(150));
    assert_eq!(send(&gateway, &page("p")), accepted("r1:1"));
}

#[test]
fn nobody_there_means_certainly_not_sent() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let gateway = gateway(&base);
    let refused = Sent::Refused { reason: Refusal::Timeout, permanent: false, retry_after: None };
    assert_eq!(send(&gateway, &page("p")), refused);
}

#[test]
fn a_provider_behind_tls_is_believed_by_its_own_authority_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, cert, key) = certificates();
    let (other, ..) = certificates();
    let double = SmsDouble::start_tls(&cert, &key);
    let base = format!("https://localhost:{}", double.port());
    let trusting = |pem: &str| {
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, pem).unwrap();
        let line = format!("      ca_file: {}\n      send:  ", file.display());
        gateway_of(&base, |text| text.replacen("      send:  ", &line, 1).replace("700ms", "5s"))
    };
    let refused = Sent::Refused { reason: Refusal::Timeout, permanent: false, retry_after: None };
    assert_eq!(send(&trusting(&other), &page("p")), refused);
    assert!(double.messages().is_empty() && double.calls() == 0);
    assert_eq!(send(&trusting(&authority), &page("p")), accepted("r1:1"));
}

#[test]
fn an_answer_that_trickles_is_not_waited_for() {
    // A front that sends a byte now and then keeps every single read within its time.
    const BYTES: usize = 300;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let trickle = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4_096];
        let _ = stream.read(&mut request).unwrap();
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {BYTES}\r\n\r\n").as_bytes()).unwrap();
        let (_open, pace) = std::sync::mpsc::channel::<()>();
        let mut gone = false;
        let one = |_: &usize| {
            let _ = pace.recv_timeout(Duration::from_millis(50));
            gone = gone || stream.write_all(b" ").is_err();
            !gone
        };
        (0..BYTES).take_while(one).count()
    });
    let sent = send(&gateway(&base), &page("p"));
    assert!(matches!(sent, Sent::Unknown { .. }), "{sent:?}");
    assert!(trickle.join().unwrap() < BYTES, "the call lasted until the last byte");
}

#[test]
fn a_receipt_says_what_became_of_a_message() {
    let double = SmsDouble::start();
    let gateway = gateway(&double.base());
    let page = page("p-1");
    let Sent::Accepted { id } = send(&gateway, &page) else { panic!("it is well") };
    assert_eq!(gateway.receipt(&page, &id), Some(Fate::Pending));
    double.result("1000");
    assert_eq!(gateway.receipt(&page, &id), Some(Fate::Delivered));
    double.result("3001");
    assert_eq!(gateway.receipt(&page, &id), Some(Fate::Failed("recipient".to_owned())));
    assert_eq!(gateway.receipt(&page, "other/r1:1"), None, "another gateway's page is not asked about");
    assert!(gateway.poll().is_some());
}

#[test]
fn a_posted_receipt_needs_the_secret() {
    let gateway = gateway("http://127.0.0.1:1");
    let body = br#"{"event":"MESSAGE_RESULT_UPDATE","hooks":[
        {"requestId":"r7","recipientSeq":1,"senderGroupingKey":"p-1","messageStatus":"COMPLETED","resultCode":"1000"},
        {"requestId":"r8","recipientSeq":1,"messageStatus":"FAILED","resultCode":"3003"}]}"#;
    let header =
        |secret: &'static str| move |name: &str| (name == "X-Toast-Webhook-Signature").then(|| secret.to_owned());
    let told = gateway.told(&header(HOOK_KEY), body).unwrap();
    let seen: Vec<_> = told.iter().map(|told| (told.page.as_deref(), told.id.as_deref(), told.fate.clone())).collect();
    let failed = Fate::Failed("recipient".to_owned());
    let expected = [(Some("p-1"), Some("nhn-sms/r7:1"), Fate::Delivered), (None, Some("nhn-sms/r8:1"), failed)];
    assert_eq!(seen, expected);
    assert_eq!(gateway.told(&header("hook-key-0003"), body), Err(Denied::Secret));
    assert_eq!(gateway.told(&|_: &str| None, body), Err(Denied::Secret));
    assert_eq!(gateway.told(&header(HOOK_KEY), b"{}"), Err(Denied::Unreadable));
}

/// Writes a secret as its file must be.
pub(crate) fn hide(file: &std::path::Path, secret: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(file, format!("{secret}\n")).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}
