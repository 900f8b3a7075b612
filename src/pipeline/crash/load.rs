//! The load of a crash test: records that each carry a number of their own, sent on through every kill.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::log::{NewRecord, Sink};
use crate::pipeline::crash::site::Site;
use crate::time::{Clock, SystemClock};

/// Hosts that send.
const HOSTS: u64 = 8;
/// Records of one request.
const RECORDS: u64 = 10;
/// A job that fires is good again so many requests later: while nobody leads for some seconds, most are not over yet.
const GOOD_AFTER: u64 = 100;
/// Between two requests: some forty a second.
const PAUSE: Duration = Duration::from_millis(20);

/// The producer, on a thread of its own in a process of its own.
#[derive(Debug)]
pub(super) struct Producer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeSet<u64>>,
}

impl Producer {
    /// Begins to send to `site`.
    pub(super) fn start(site: &Site) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let way = match site.topic()? {
            Some(sink) => Way::Topic(sink),
            None => Way::Door {
                url: format!("http://{}/v1/records", site.stations[0].listen),
                token: site.data().join("token"),
                client: reqwest::blocking::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build()?,
            },
        };
        let sender = Sender { stop: Arc::clone(&stop), way };
        let thread = std::thread::Builder::new().name("crash-load".to_owned()).spawn(move || sender.send())?;
        Ok(Self { stop, thread })
    }

    /// Ends, and says which records were acknowledged.
    pub(super) fn stop(self) -> BTreeSet<u64> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap_or_default()
    }
}

/// How records get into the log.
enum Way {
    /// Through the service, which may be dead.
    Door { url: String, token: std::path::PathBuf, client: reqwest::blocking::Client },
    /// Past it.
    Topic(Arc<dyn Sink>),
}

struct Sender {
    stop: Arc<AtomicBool>,
    way: Way,
}

/// A record, the host that it is of, and its number.
struct Numbered {
    seq: u64,
    host: String,
    text: String,
}

impl Sender {
    /// Sends each request until it is acknowledged or the service is gone; a request without an answer is not sent again:
    /// whether it counts is for the log to say.
    fn send(&self) -> BTreeSet<u64> {
        let mut acknowledged = BTreeSet::new();
        let mut round = 0;
        while !self.stop.load(Ordering::SeqCst) {
            round += 1;
            acknowledged.extend(self.way.give(request(round)));
            super::pause(PAUSE);
        }
        // Every job that may still fire becomes good, so that the incidents end.
        for late in round + 1..=round + GOOD_AFTER {
            acknowledged.extend(self.way.give(request(late)));
        }
        acknowledged
    }
}

impl Way {
    /// Hands records over once; the numbers of those that are durable as far as we were told.
    fn give(&self, records: Vec<Numbered>) -> Vec<u64> {
        match self {
            Self::Door { url, token, client } => {
                let Ok(token) = std::fs::read_to_string(token) else { return Vec::new() };
                let body: String = records.iter().map(|record| record.text.as_str()).collect();
                let taken = post(client.post(url).bearer_auth(token.trim()).body(body));
                if taken == Some(RECORDS) { records.iter().map(|record| record.seq).collect() } else { Vec::new() }
            }
            Self::Topic(sink) => {
                let new = records.iter().map(|record| NewRecord {
                    partition: None,
                    key: record.host.clone().into_bytes(),
                    value: record.text.trim_end().as_bytes().to_vec(),
                });
                let done = sink.append(new.collect());
                records.iter().zip(done).filter(|(_, done)| done.is_ok()).map(|(record, _)| record.seq).collect()
            }
        }
    }
}

/// How many records the door took; `None`: no good answer.
fn post(request: reqwest::blocking::RequestBuilder) -> Option<u64> {
    let answer = request.send().ok().filter(|answer| answer.status().is_success())?;
    let parsed: serde_json::Value = serde_json::from_str(&answer.text().ok()?).ok()?;
    parsed["accepted"].as_u64()
}

/// Ten records: one job goes bad, one that went bad before is good again, the rest is healthy.
fn request(round: u64) -> Vec<Numbered> {
    let now = SystemClock.wall();
    let numbered = |n: u64| {
        let seq = round * RECORDS + n;
        let (job, value) = match n {
            0 => (round, 99),
            1 if round > GOOD_AFTER => (round - GOOD_AFTER, 1),
            _ => (0, 1),
        };
        // A job belongs to one host, so that bad and good meet.
        let host = format!("h-{}", if job == 0 { seq % HOSTS } else { job % HOSTS });
        let text = format!(
            "{{\"v\":1,\"ts\":{now},\"sent\":{now},\"host\":\"{host}\",\"labels\":{{\"job\":\"{job}\"}},\"points\":[[\"crash.value\",{value}],[\"crash.seq\",{seq}]]}}\n"
        );
        Numbered { seq, host, text }
    };
    (0..RECORDS).map(numbered).collect()
}
