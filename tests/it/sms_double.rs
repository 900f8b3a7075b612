//! A text-message provider on loopback that speaks the protocol of NHN Cloud SMS v3.0 as it is documented: its own
//! thread per connection, its own account of what it took, and moods in which real providers are met.
//!
//! The idea: what it took is its own truth, so that a test can ask "how often did this reach the provider?" whatever
//! answers were lost. It refuses what the real one refuses: a wrong key, a sender that is not registered, no dates.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// Its keys.
pub(crate) const APP_KEY: &str = "app-key-0000";
pub(crate) const SECRET_KEY: &str = "secret key/0001";

/// How it treats one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// A status without taking the message; with a `Retry-After` in seconds where it is not 0.
    Status(u16, u32),
    /// An error code of its own, under status 200.
    Code(i64),
    /// Takes it, and answers after so many ms.
    Slow(u64),
    /// Takes it and answers with a page of HTML.
    Garbage,
    /// Takes it and never answers.
    Silent,
    /// Takes it and closes the connection.
    LostAfter,
    /// Closes the connection without taking it.
    CutBefore,
}

/// A message that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) page: String,
    pub(crate) to: String,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) is_long: bool,
    pub(crate) result: Option<&'static str>,
    /// When it was taken, wall time.
    pub(crate) at: i64,
}

#[derive(Debug)]
struct State {
    next: VecDeque<Mood>,
    otherwise: Mood,
    messages: Vec<Message>,
    calls: usize,
}

/// The provider.
#[derive(Debug, Clone)]
pub(crate) struct SmsDouble {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct Asked {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    key: Option<String>,
    body: Vec<u8>,
}

impl SmsDouble {
    /// Starts it on a free port.
    pub(crate) fn start() -> Self {
        Self::serving(|double, stream| drop(double.serve(stream)))
    }

    /// Starts it behind TLS with this certificate and key (PEM).
    pub(crate) fn start_tls(cert: &str, key: &str) -> Self {
        let cert = CertificateDer::from_pem_slice(cert.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        // An error means that another test was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert], key).unwrap();
        let config = Arc::new(config);
        Self::serving(move |double, stream| {
            let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            drop(double.serve(StreamOwned::new(tls, stream)));
        })
    }

    fn serving(serve: impl Fn(&Self, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = State { next: VecDeque::new(), otherwise: Mood::Well, messages: Vec::new(), calls: 0 };
        let double = Self { address: listener.local_addr().unwrap(), state: Arc::new(Mutex::new(state)) };
        let (served, serve) = (double.clone(), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (double, serve) = (served.clone(), Arc::clone(&serve));
                // A connection that breaks ends its thread.
                std::thread::spawn(move || serve(&double, stream));
            }
        });
        double
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://127.0.0.1:port`.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    fn with<T>(&self, call: impl FnOnce(&mut State) -> T) -> T {
        call(&mut self.state.lock().unwrap())
    }

    /// Treats the next message so.
    pub(crate) fn next(&self, mood: Mood) {
        self.with(|state| state.next.push_back(mood));
    }

    /// Treats every message so from now on.
    pub(crate) fn always(&self, mood: Mood) {
        self.with(|state| state.otherwise = mood);
    }

    /// Messages that it took, in order.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.with(|state| state.messages.clone())
    }

    /// How often somebody tried to send.
    pub(crate) fn calls(&self) -> usize {
        self.with(|state| state.calls)
    }

    /// The phone network's verdict on every message so far.
    pub(crate) fn result(&self, code: &'static str) {
        self.with(|state| state.messages.iter_mut().for_each(|message| message.result = Some(code)));
    }

    fn serve<S: Read + Write>(&self, stream: S) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        while let Some(asked) = read(&mut reader)? {
            // Without an answer the connection is closed.
            let Some((status, extra, body)) = self.answer(&asked) else { return Ok(()) };
            let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n{extra}\r\n", body.len());
            reader.get_mut().write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
            reader.get_mut().flush()?;
        }
        Ok(())
    }

    fn answer(&self, asked: &Asked) -> Option<(u16, String, String)> {
        let plain = |status: u16, value: Value| Some((status, String::new(), value.to_string()));
        let failed =
            |code: i64| json!({"header": {"isSuccessful": false, "resultCode": code, "resultMessage": "FAIL"}});
        let long = match asked.path.strip_prefix(&format!("/sms/v3.0/appKeys/{APP_KEY}/sender/")) {
            Some("sms") => false,
            Some("mms") => true,
            _ => return plain(404, failed(-9998)),
        };
        if asked.key.as_deref() != Some(SECRET_KEY) {
            return plain(401, failed(-1000));
        }
        if asked.method == "GET" {
            return plain(200, self.search(asked, long));
        }
        let mood = self.with(|state| {
            state.calls += 1;
            state.next.pop_front().unwrap_or(state.otherwise)
        });
        match mood {
            Mood::Status(status, wait) => {
                let extra = if wait > 0 { format!("Retry-After: {wait}\r\n") } else { String::new() };
                return Some((status, extra, "trouble".to_owned()));
            }
            Mood::Code(code) => return plain(200, failed(code)),
            Mood::CutBefore => return None,
            _ => {}
        }
        let taken = self.take(&asked.body, long);
        match mood {
            Mood::Garbage => Some((200, String::new(), "<html>proxy</html>".to_owned())),
            Mood::LostAfter => None,
            Mood::Silent => {
                // Nobody ever sends there: it waits as long as the process lives.
                let (_keep, never) = channel::<()>();
                let _ = never.recv_timeout(Duration::from_secs(3_600));
                None
            }
            Mood::Slow(ms) => {
                let (_keep, never) = channel::<()>();
                let _ = never.recv_timeout(Duration::from_millis(ms));
                plain(200, taken.unwrap_or_else(failed))
            }
            _ => plain(200, taken.unwrap_or_else(failed)),
        }
    }

    fn take(&self, body: &[u8], is_long: bool) -> Result<Value, i64> {
        let json: Value = serde_json::from_slice(body).map_err(|_| -9999)?;
        let text = |at: &str| json.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let to = text("/recipientList/0/recipientNo");
        if text("/sendNo") != "0530000000" {
            return Err(-2312);
        }
        if text("/body").is_empty() || (is_long && text("/title").is_empty()) {
            return Err(-2000);
        }
        if to.len() < 10 || !to.bytes().all(|b| b.is_ascii_digit()) {
            return Err(-2019);
        }
        let page = text("/senderGroupingKey");
        let title = text("/title");
        let (text, at) = (text("/body"), crate::site::now());
        let message = Message { page: page.clone(), to: to.clone(), title, text, is_long, result: None, at };
        let n = self.with(|state| {
            state.messages.push(message);
            state.messages.len()
        });
        Ok(json!({
            "header": {"isSuccessful": true, "resultCode": 0, "resultMessage": "SUCCESS"},
            "body": {"data": {
                "requestId": format!("r{n}"), "statusCode": "2", "senderGroupingKey": page,
                "sendResultList": [{"recipientNo": to, "resultCode": 0, "resultMessage": "SUCCESS", "recipientSeq": 1}],
            }},
        }))
    }

    fn search(&self, asked: &Asked, is_long: bool) -> Value {
        let parameter =
            |name: &str| asked.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let is_date = |text: &String| text.len() == "2026-01-14 09:12:00".len() && text.as_bytes()[10] == b' ';
        let range = ["startRequestDate", "endRequestDate"].map(|name| parameter(name).filter(is_date));
        if range.iter().any(Option::is_none) {
            return json!({"header": {"isSuccessful": false, "resultCode": -9996, "resultMessage": "no date range"}});
        }
        let key = parameter("senderGroupingKey");
        let messages = self.messages();
        let found: Vec<Value> = messages
            .iter()
            .enumerate()
            .filter(|(_, message)| message.is_long == is_long && key.as_ref().is_none_or(|key| *key == message.page))
            .map(|(n, message)| {
                let status = if message.result.is_some() { "3" } else { "2" };
                json!({"requestId": format!("r{}", n + 1), "recipientSeq": 1, "msgStatus": status,
                    "resultCode": message.result, "senderGroupingKey": message.page})
            })
            .collect();
        json!({"header": {"isSuccessful": true, "resultCode": 0}, "body": {"totalCount": found.len(), "data": found}})
    }
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut length, mut key) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "x-secret-key" => key = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), decoded(v)));
    Ok(Some(Asked { method, path: decoded(path), query: query.collect(), key, body }))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex: Vec<u8> = if byte == b'%' { rest.by_ref().take(2).collect() } else { Vec::new() };
        let code = std::str::from_utf8(&hex).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(code.unwrap_or(byte));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
