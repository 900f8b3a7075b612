//! The door: every status code, every limit, and that one bad line never costs another one.

use std::io::{Read, Write};
use std::net::TcpStream;

use bongsu::console::IntakeError;
use serde_json::json;

use crate::console_world::{World, answer, chunked};
use crate::site::{DEADLINE, eventually};

fn record(host: &str) -> String {
    format!(r#"{{"v":1,"ts":1764000000000,"host":"{host}","points":[["system.cpu.utilization",0.5]]}}"#)
}

/// A record of exactly `bytes` bytes.
fn record_of(bytes: usize) -> String {
    let empty = r#"{"host":"big","x":""}"#.len();
    format!(r#"{{"host":"big","x":"{}"}}"#, "a".repeat(bytes - empty))
}

fn hosts(world: &World) -> Vec<String> {
    world.seams.taken.lock().unwrap().iter().map(|record| record.host.clone()).collect()
}

#[test]
fn one_record_and_many_go_in_as_they_came() {
    let world = World::new();
    assert_eq!(world.records(record("a")), (200, json!({"accepted": 1, "rejected": []})));
    let many = format!("{}\r\n\n{}\n", record("b"), record("c"));
    assert_eq!(world.records(many), (200, json!({"accepted": 2, "rejected": []})));
    assert_eq!(hosts(&world), ["a", "b", "c"]);
    assert_eq!(world.seams.taken.lock().unwrap()[1].value, record("b").as_bytes());
}

#[test]
fn a_bad_line_is_rejected_alone() {
    let world = World::new();
    let mut body = format!("{}\n{{\"host\":\n{{\"v\":1}}\n", record("a")).into_bytes();
    body.extend_from_slice(b"\xff\xfe{\"host\":\"x\"}\n");
    body.extend_from_slice(record("b").as_bytes());
    let rejected = json!([
        {"line": 2, "reason": "not-json"}, {"line": 3, "reason": "no-host"}, {"line": 4, "reason": "not-utf8"}
    ]);
    assert_eq!(world.records(body), (200, json!({"accepted": 2, "rejected": rejected})));
    assert_eq!(hosts(&world), ["a", "b"]);
}

#[test]
fn a_record_over_several_lines_is_one_if_it_says_so() {
    let world = World::new();
    let body = "{\n  \"host\": \"a\"\n}\n";
    let sent = world.post("/v1/records").header("content-type", "application/json; charset=utf-8").body(body);
    assert_eq!(answer(sent.send().unwrap()), (200, json!({"accepted": 1, "rejected": []})));
    let many = format!("{}\n{}", record("b"), record("c"));
    let sent = world.post("/v1/records").header("content-type", "application/json").body(many);
    assert_eq!(answer(sent.send().unwrap()).1["accepted"], 2);
    assert_eq!(hosts(&world), ["a", "b", "c"]);
}

#[test]
fn nothing_that_can_be_taken_is_a_bad_request() {
    let world = World::new();
    assert_eq!(world.records("nonsense\n{}").0, 400);
    for empty in ["", "\n\n"] {
        let (status, answer) = world.records(empty);
        assert_eq!(status, 400);
        assert!(answer["error"].is_string(), "{answer}");
    }
}

#[test]
fn a_record_has_a_mebibyte_and_no_byte_more() {
    let world = World::new();
    assert_eq!(world.records(record_of(1 << 20)).0, 200);
    assert_eq!(world.records(record_of((1 << 20) + 1)).0, 413, "alone");
    let among = format!("{}\n{}\n{}", record("a"), record_of((1 << 20) + 1), record("b"));
    let (status, answer) = world.records(among);
    assert_eq!((status, &answer["accepted"]), (200, &json!(2)));
    assert_eq!(answer["rejected"][0]["line"], 2);
    assert!(answer["rejected"][0]["reason"].as_str().unwrap().starts_with("too-large"));
}

#[test]
fn a_record_of_ten_megabytes_loses_nothing_but_itself() {
    let world = World::new();
    let (status, answer) = world.records(format!("{}\n{}", record_of(10_000_000), record("a")));
    assert_eq!((status, answer["accepted"].as_i64()), (200, Some(1)));
    assert_eq!(world.records(record_of(10_000_000)).0, 413);
    assert_eq!(hosts(&world), ["a"]);
}

#[test]
fn a_body_has_sixteen_mebibytes_whether_or_not_it_says_its_length() {
    let world = World::new();
    let line = format!("{}\n", record_of(1 << 20));
    let fits = line.repeat(15);
    assert_eq!(world.records(fits.clone()).1["accepted"], 15);
    assert_eq!(world.records(chunked(fits.into_bytes())).1["accepted"], 15);
    let longer = line.repeat(16);
    assert_eq!(world.records(longer.clone()).0, 413);
    assert_eq!(world.records(chunked(longer.into_bytes())).0, 413);
    assert_eq!(hosts(&world).len(), 30, "of a body that is too long nothing goes in");
}

#[test]
fn a_full_queue_says_so_and_when_to_come_again() {
    let world = World::new();
    world.seams.refuse.lock().unwrap().push(("b".to_owned(), IntakeError::Full));
    let response = world.post("/v1/records").body(record("b")).send().unwrap();
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(answer(response), (429, json!({"accepted": 0, "rejected": [{"line": 1, "reason": "full"}]})));
    // Part of it went in: the sender learns which lines to send again.
    let body = format!("{}\n{}\nbad", record("b"), record("a"));
    let rejected = json!([{"line": 1, "reason": "full"}, {"line": 3, "reason": "not-json"}]);
    assert_eq!(world.records(body), (200, json!({"accepted": 1, "rejected": rejected})));
}

#[test]
fn a_log_that_is_away_is_not_the_senders_fault() {
    let world = World::new();
    let away = IntakeError::Other("append: disk full".to_owned());
    world.seams.refuse.lock().unwrap().push(("a".to_owned(), away));
    let (status, answer) = world.records(record("a"));
    assert_eq!((status, &answer["rejected"][0]["reason"]), (503, &json!("append: disk full")));
}

#[test]
fn many_rejections_are_counted_not_listed() {
    let world = World::new();
    let (status, answer) = world.records("x\n".repeat(5_000));
    assert_eq!(status, 400);
    assert_eq!(answer["rejected"].as_array().unwrap().len(), 1_000);
    assert_eq!(answer["rejected_unlisted"], 4_000);
}

/// The bodies of the greatest length that fit the budget at once.
const BODIES: usize = 4;

/// How a sender goes away in the middle of its body.
#[derive(Debug, Clone, Copy)]
enum Leaves {
    /// Says so.
    Closed,
    /// After a part of the body.
    Halfway,
    /// The connection is reset: the answer lies unread in it.
    Reset,
    /// What it sends is no body.
    Nonsense,
}

/// A sender that announces the longest body and waits until the door asks for it. `None`: there was no room.
fn slow(world: &World, leaves: Leaves) -> Option<TcpStream> {
    let mut slow = TcpStream::connect(world.url.trim_start_matches("http://")).unwrap();
    slow.set_read_timeout(Some(DEADLINE)).unwrap();
    let length = match leaves {
        Leaves::Nonsense => "Transfer-Encoding: chunked".to_owned(),
        _ => format!("Content-Length: {}", 16 << 20),
    };
    let token = world.token.reveal();
    write!(slow, "POST /v1/records HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n").unwrap();
    // The door says `100 Continue` when it has made room and wants the body: no guessing whether it is that far.
    write!(slow, "{length}\r\nExpect: 100-continue\r\n\r\n").unwrap();
    let mut status = [0; 12];
    slow.read_exact(&mut status).unwrap();
    match &status {
        b"HTTP/1.1 100" => {}
        b"HTTP/1.1 429" => return None,
        other => panic!("{}", String::from_utf8_lossy(other)),
    }
    if !matches!(leaves, Leaves::Reset) {
        slow.read_exact(&mut [0; " Continue\r\n\r\n".len()]).unwrap();
    }
    match leaves {
        Leaves::Closed | Leaves::Reset => {}
        Leaves::Halfway => slow.write_all(record("half").as_bytes()).unwrap(),
        Leaves::Nonsense => slow.write_all(b"no length\r\n").unwrap(),
    }
    Some(slow)
}

#[test]
fn bodies_under_way_share_one_budget() {
    let world = World::new();
    for leaves in [Leaves::Closed, Leaves::Halfway, Leaves::Reset, Leaves::Nonsense, Leaves::Closed] {
        // All of it, whatever the senders before have left behind. One that was refused takes nothing.
        let mut under_way = Vec::new();
        eventually("room for all of them", || {
            under_way.extend(slow(&world, Leaves::Closed));
            (under_way.len() == BODIES).then_some(())
        });
        assert!(slow(&world, leaves).is_none(), "there is room for {BODIES}");
        let (status, answer) = world.records(record("a"));
        assert_eq!(status, 429, "{BODIES} bodies of the greatest length leave no room: {answer}");
        drop(under_way);
        eventually("room again", || (world.records(record("a")).0 == 200).then_some(()));
        // This one takes a share and leaves in its own way; the next round finds all of it again.
        drop(eventually("room for one that leaves", || slow(&world, leaves)));
    }
}

#[test]
fn packed_records_are_refused_with_advice() {
    let world = World::new();
    let sent = world.post("/v1/records").header("content-encoding", "gzip").body("x").send().unwrap();
    assert_eq!(sent.status(), 415);
}

#[test]
fn only_posts_with_the_token_get_in() {
    let world = World::new();
    assert_eq!(world.get("/v1/records").send().unwrap().status(), 405);
    let url = format!("{}/v1/records", world.url);
    for wrong in ["", "x", &world.token.reveal()[1..]] {
        let sent = world.client.post(&url).bearer_auth(wrong).body(record("a")).send().unwrap();
        assert_eq!(sent.status(), 401);
        assert_eq!(sent.headers()["www-authenticate"], "Bearer");
    }
    assert!(hosts(&world).is_empty());
}

#[test]
fn a_receipt_needs_its_own_secret_and_no_token() {
    let world = World::new();
    let post = |gateway: &str, secret: &str| {
        let request = world.client.post(format!("{}/v1/receipts/{gateway}", world.url)).header("x-secret", secret);
        request.body("four").send().unwrap()
    };
    let taken = post("posts", "right");
    assert_eq!(taken.status().as_u16(), 200);
    assert_eq!(taken.json::<serde_json::Value>().unwrap()["accepted"], 4);
    assert_eq!(post("posts", "wrong").status().as_u16(), 401);
    assert_eq!(post("other", "right").status().as_u16(), 404);
    // The path lets nobody read anything: only a POST goes past the token.
    let get = world.client.get(format!("{}/v1/receipts/posts", world.url)).send().unwrap();
    assert_eq!(get.status().as_u16(), 401);
}
