//! The load of a crash test: records that each carry a number of their own, sent on through every kill.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::pipeline::crash::site::Site;
use crate::time::{Clock, SystemClock};

/// Hosts that send.
const HOSTS: u64 = 8;
/// Records of one request.
const RECORDS: u64 = 10;
/// A job that fires is good again so many requests later.
const GOOD_AFTER: u64 = 20;
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
        let sender = Sender {
            stop: Arc::clone(&stop),
            url: format!("http://{}/v1/records", site.listen),
            token: site.data().join("token"),
            client: reqwest::blocking::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build()?,
        };
        let thread = std::thread::Builder::new().name("crash-load".to_owned()).spawn(move || sender.send())?;
        Ok(Self { stop, thread })
    }

    /// Ends, and says which records were acknowledged.
    pub(super) fn stop(self) -> BTreeSet<u64> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap_or_default()
    }
}

struct Sender {
    stop: Arc<AtomicBool>,
    url: String,
    token: std::path::PathBuf,
    client: reqwest::blocking::Client,
}

impl Sender {
    /// Sends each request until it is acknowledged or the service is gone; a request without an answer is not sent again:
    /// whether it counts is for the log to say.
    fn send(&self) -> BTreeSet<u64> {
        let mut acknowledged = BTreeSet::new();
        let mut round = 0;
        while !self.stop.load(Ordering::SeqCst) {
            round += 1;
            let body = request(round);
            if self.post(body) {
                acknowledged.extend((0..RECORDS).map(|n| round * RECORDS + n));
            }
            super::pause(PAUSE);
        }
        // Every job that may still fire becomes good, so that the incidents end.
        for late in round + 1..=round + GOOD_AFTER {
            let body = request(late);
            let taken = self.post(body);
            if taken {
                acknowledged.extend((0..RECORDS).map(|n| late * RECORDS + n));
            }
        }
        acknowledged
    }

    fn post(&self, body: String) -> bool {
        let Ok(token) = std::fs::read_to_string(&self.token) else { return false };
        let request = self.client.post(&self.url).bearer_auth(token.trim()).body(body);
        let Ok(answer) = request.send() else { return false };
        let whole = answer.status().is_success();
        let text = answer.text().unwrap_or_default();
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        whole && parsed["accepted"].as_u64() == Some(RECORDS)
    }
}

/// Ten records: one job goes bad, one that went bad before is good again, the rest is healthy.
fn request(round: u64) -> String {
    let now = SystemClock.wall();
    let mut body = String::new();
    for n in 0..RECORDS {
        let seq = round * RECORDS + n;
        let (job, value) = match n {
            0 => (round, 99),
            1 if round > GOOD_AFTER => (round - GOOD_AFTER, 1),
            _ => (0, 1),
        };
        // A job belongs to one host, so that bad and good meet.
        let host = if job == 0 { seq % HOSTS } else { job % HOSTS };
        body.push_str(&format!(
            "{{\"v\":1,\"ts\":{now},\"sent\":{now},\"host\":\"h-{host}\",\"labels\":{{\"job\":\"{job}\"}},\"points\":[[\"crash.value\",{value}],[\"crash.seq\",{seq}]]}}\n"
        ));
    }
    body
}
