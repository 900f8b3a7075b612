//! The door's client against a real server on a real socket that answers, refuses, hangs, resets and lies.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use bongsu::agent::{Deliver, Delivered, DoorClient, DoorError, DoorSettings, Fate, Record};

/// What the server does with one connection.
enum Play {
    /// Reads the request and answers with a status line, extra headers and a body.
    Answer(&'static str, &'static str, &'static str),
    /// Reads the request and says nothing until the client gives up.
    Hang,
    /// Closes with unread data, which resets the connection.
    Reset,
    /// Promises a longer body than it sends.
    BreakOff,
}

#[derive(Debug)]
struct Request {
    line: String,
    headers: Vec<String>,
    body: String,
}

/// A server that plays `plays` in turn, one connection each, and tells what it was sent.
struct Server {
    address: String,
    requests: Receiver<Request>,
    thread: JoinHandle<()>,
}

impl Server {
    fn start(plays: Vec<Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("an address").to_string();
        let (tx, requests) = channel();
        let thread = std::thread::Builder::new()
            .spawn(move || plays.into_iter().for_each(|play| serve(&listener, &play, &tx)))
            .expect("a thread");
        Self { address, requests, thread }
    }

    fn end(self) -> Vec<Request> {
        self.thread.join().expect("the server ends by itself");
        self.requests.iter().collect()
    }
}

fn serve(listener: &TcpListener, play: &Play, tx: &Sender<Request>) {
    let (mut stream, _) = listener.accept().expect("a connection");
    if let Play::Reset = play {
        // One byte read and the rest left: the kernel answers the close with a reset.
        let _ = stream.read(&mut [0]);
        return;
    }
    tx.send(read(&stream)).expect("the test listens");
    let text = match play {
        Play::Answer(status, headers, body) => {
            format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
        }
        Play::BreakOff => "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"accepted\":1".to_owned(),
        // Ends when the client closes its side.
        Play::Hang | Play::Reset => {
            let _ = stream.read(&mut [0]);
            return;
        }
    };
    stream.write_all(text.as_bytes()).expect("the client reads");
}

fn read(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    };
    let line = next();
    let headers: Vec<String> = std::iter::from_fn(|| Some(next()).filter(|line| !line.is_empty())).collect();
    let lower = |header: &String| header.to_lowercase().strip_prefix("content-length: ").map(str::to_owned);
    let length = headers.iter().find_map(lower).expect("a length").parse().expect("a number");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    Request { line, headers, body: String::from_utf8(body).expect("text") }
}

fn settings(address: &str) -> DoorSettings {
    DoorSettings { address: address.to_owned(), token_file: None, ca_file: None, timeout: 2_000 }
}

fn records(n: usize) -> Vec<Record> {
    (0..n).map(|n| Record { key: b"a".to_vec(), value: format!("{{\"n\":{n}}}").into_bytes() }).collect()
}

fn deliver(plays: Vec<Play>, n: usize) -> (Delivered, Vec<Request>) {
    let server = Server::start(plays);
    let mut settings = settings(&server.address);
    settings.timeout = 300;
    let delivered = DoorClient::new(&settings).expect("a client").deliver(&records(n));
    (delivered, server.end())
}

const KEPT: Delivered = Delivered { fates: Vec::new(), retry_after: None };

#[test]
fn records_go_out_as_lines_with_the_token() {
    let server = Server::start(vec![Play::Answer("200 OK", "", r#"{"accepted":2,"rejected":[]}"#)]);
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "secret-1\n").unwrap();
    let settings = DoorSettings { token_file: Some(token), ..settings(&server.address) };
    let delivered = DoorClient::new(&settings).unwrap().deliver(&records(2));
    assert_eq!(delivered.fates, [Fate::Taken, Fate::Taken]);
    let [request] = server.end().try_into().unwrap();
    assert_eq!(request.line, "POST /v1/records HTTP/1.1");
    assert_eq!(request.body, "{\"n\":0}\n{\"n\":1}\n");
    assert!(request.headers.iter().any(|header| header.eq_ignore_ascii_case("authorization: Bearer secret-1")));
}

#[test]
fn a_partial_answer_settles_each_line_by_its_reason() {
    let body = r#"{"accepted":1,"rejected":[{"line":2,"reason":"no-host"},{"line":3,"reason":"full"}]}"#;
    let (delivered, _) = deliver(vec![Play::Answer("200 OK", "", body)], 3);
    assert_eq!(delivered.fates, [Fate::Taken, Fate::Refused, Fate::Kept]);
    let body = r#"{"accepted":0,"rejected":[{"line":1,"reason":"unknown-version"}]}"#;
    let (delivered, _) = deliver(vec![Play::Answer("400 Bad Request", "", body)], 1);
    assert_eq!(delivered.fates, [Fate::Refused]);
}

#[test]
fn a_door_in_trouble_keeps_the_records() {
    for status in
        ["500 Oops", "503 Away", "401 Unauthorized", "403 Forbidden", "404 Not Found", "408 Late", "302 Found"]
    {
        let (delivered, _) = deliver(vec![Play::Answer(status, "Location: http://127.0.0.1:1/\r\n", "{}")], 2);
        assert_eq!(delivered, KEPT, "{status}");
    }
    let full = Play::Answer("429 Too Many Requests", "Retry-After: 7\r\n", r#"{"accepted":0,"rejected":[]}"#);
    assert_eq!(deliver(vec![full], 2).0, Delivered { fates: Vec::new(), retry_after: Some(7_000) });
}

#[test]
fn a_broken_conversation_keeps_the_records() {
    assert_eq!(deliver(vec![Play::Hang], 1).0, KEPT);
    assert_eq!(deliver(vec![Play::Reset], 1).0, KEPT);
    assert_eq!(deliver(vec![Play::BreakOff], 1).0, KEPT);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(DoorClient::new(&settings(&free.to_string())).unwrap().deliver(&records(1)), KEPT, "nobody listens");
}

#[test]
fn an_answer_that_is_no_doors_is_not_believed() {
    let lies = [
        "welcome",
        "{}",
        r#"{"accepted":1,"rejected":[]}"#,
        r#"{"accepted":1,"rejected":[{"line":3,"reason":"no-host"}]}"#,
        r#"{"accepted":1,"rejected":[{"line":0,"reason":"no-host"}]}"#,
    ];
    for body in lies {
        assert_eq!(deliver(vec![Play::Answer("200 OK", "", body)], 2).0, KEPT, "{body}");
    }
}

#[test]
fn a_body_refused_without_a_word_is_halved_down_to_the_one_at_fault() {
    let refuse = || Play::Answer("413 Payload Too Large", "", "too long");
    let (delivered, requests) = deliver(vec![refuse(), refuse(), refuse()], 4);
    assert_eq!(delivered.fates, [Fate::Refused], "of the others nothing is known yet");
    let sizes: Vec<_> = requests.iter().map(|request| request.body.lines().count()).collect();
    assert_eq!(sizes, [4, 2, 1]);
    let taken = Play::Answer("200 OK", "", r#"{"accepted":2,"rejected":[]}"#);
    assert_eq!(deliver(vec![refuse(), taken], 4).0.fates, [Fate::Taken, Fate::Taken]);
}

#[test]
fn a_changed_token_is_used_and_a_missing_one_keeps_the_records() {
    let ok = || Play::Answer("200 OK", "", r#"{"accepted":1,"rejected":[]}"#);
    let server = Server::start(vec![ok(), ok()]);
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "one").unwrap();
    let door = DoorClient::new(&DoorSettings { token_file: Some(token.clone()), ..settings(&server.address) }).unwrap();
    assert_eq!(door.deliver(&records(1)).fates, [Fate::Taken]);
    std::fs::remove_file(&token).unwrap();
    assert_eq!(door.deliver(&records(1)), KEPT);
    std::fs::write(&token, "two").unwrap();
    assert_eq!(door.deliver(&records(1)).fates, [Fate::Taken]);
    let sent: Vec<_> = server.end().into_iter().flat_map(|request| request.headers).collect();
    let tokens: Vec<_> = sent.iter().filter(|header| header.contains("Bearer")).map(|h| h.ends_with("two")).collect();
    assert_eq!(tokens, [false, true]);
}

#[test]
fn an_address_that_others_could_read_is_refused_before_the_start() {
    let token = || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "t").unwrap();
        (folder, path)
    };
    let (_folder, path) = token();
    let open = |address: &str, token_file: Option<PathBuf>| {
        DoorClient::new(&DoorSettings { token_file, ..settings(address) }).map(|_| ())
    };
    for address in ["127.0.0.1:9480", "localhost:9480", "http://[::1]:9480", "http://127.9.9.9:1/x?y"] {
        assert!(open(address, None).is_ok(), "{address}");
    }
    for address in ["10.0.0.5:9480", "http://door.example.test", "http://127.0.0.1.example.test", "http://0.0.0.0:1"] {
        assert!(matches!(open(address, Some(path.clone())), Err(DoorError::Plain { .. })), "{address}");
    }
    assert!(matches!(open("https://door.example.test", None), Err(DoorError::NoToken { .. })));
    for address in ["", "ftp://127.0.0.1", "http://", "127.0.0.1:99999"] {
        assert!(matches!(open(address, None), Err(DoorError::Address { .. })), "{address}");
    }
    let lost = open("127.0.0.1:1", Some("/nowhere/token".into())).unwrap_err();
    assert!(lost.to_string().starts_with("read `/nowhere/token`: "), "{lost}");
    std::fs::write(&path, "two words").unwrap();
    assert!(matches!(open("127.0.0.1:1", Some(path)), Err(DoorError::File { .. })));
}

#[test]
fn a_file_without_a_certificate_is_refused_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (token, ca) = (folder.path().join("token"), folder.path().join("ca.pem"));
    std::fs::write(&token, "t").unwrap();
    let settings =
        DoorSettings { token_file: Some(token), ca_file: Some(ca.clone()), ..settings("https://door.example.test") };
    for text in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&ca, text).unwrap();
        let outcome = DoorClient::new(&settings).map(|_| ());
        assert!(matches!(outcome, Err(DoorError::File { .. } | DoorError::Client { .. })), "{outcome:?} for `{text}`");
    }
}
