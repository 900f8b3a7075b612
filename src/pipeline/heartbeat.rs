//! The dead-man's heartbeat: a sign of life that leaves the process, and is withheld where the engine is not well.
//!
//! The idea: an engine that tells others of their troubles cannot tell of its own death; somebody outside must miss
//! something. So a sign goes out every so often, and only while every stage is at work, somebody leads, the log is not
//! behind and the sweeper finds no more overdue than is allowed. Whoever watches needs no more than a clock.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::blocking::Client;

use crate::config::{HeartbeatSettings, HeartbeatTo, read_secret_file};
use crate::model::{Channel, Page, Reason, Seat, Secret, Severity};
use crate::notify::{Address, Gateway as _, Paced, Sent};
use crate::pipeline::shell::Shared;
use crate::time::{MINUTE, Ms, SECOND, rfc3339};

/// Looked at so often whether a sign is due.
pub const LOOK: Duration = Duration::from_millis(500);
/// Longest wait for the watcher's answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A sign that failed is tried again after so long.
const RETRY: Ms = 5 * SECOND;
/// A log that is read with more delay than this is behind.
const LAG_MAX: Ms = MINUTE;
/// Whoever leads says so every second: a seat that stands still for so long is held by nobody who lives.
const SEAT_STILL: Ms = 10 * SECOND;

/// Sends the signs.
#[derive(Debug)]
pub struct Heartbeat {
    settings: HeartbeatSettings,
    token: Option<Secret>,
    client: Client,
    ways: Vec<Arc<Paced>>,
    /// When the next one is due, elapsed time.
    next: Ms,
    /// It was withheld at the last look.
    withheld: bool,
    /// Who led at the last look, and since when that has stood still: elapsed time.
    seat: Option<(Seat, Ms)>,
    n: i64,
}

impl Heartbeat {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// The token cannot be read.
    pub fn new(settings: HeartbeatSettings, ways: Vec<Arc<Paced>>) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let token = settings.token_file.as_deref().map(read_secret_file).transpose()?;
        let mut builder = Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("bongsu/", env!("CARGO_PKG_VERSION")));
        if matches!(&settings.to, HeartbeatTo::Url { url, .. } if url.starts_with("http://")) {
            // No TLS will be spoken: a host without any certificates can run it all the same.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().context("prepare the heartbeat's connection")?;
        Ok(Self { settings, token, client, ways, next: 0, withheld: false, seat: None, n: 0 })
    }

    /// One look: sends a sign where one is due and all is well.
    pub fn look(&mut self, shared: &Shared) {
        let now = shared.clock.elapsed();
        if now < self.next {
            return;
        }
        let unwell = self.unwell(shared);
        if let Some(why) = unwell.first() {
            if !std::mem::replace(&mut self.withheld, true) {
                tracing::error!(why, "the heartbeat is withheld");
            }
            shared.metrics.heartbeats("withheld");
            self.next = now + RETRY;
            return;
        }
        if std::mem::take(&mut self.withheld) {
            tracing::info!("the heartbeat goes out again");
        }
        self.n += 1;
        match self.send(shared.clock.wall()) {
            Ok(()) => {
                shared.metrics.heartbeats("sent");
                self.next = now + self.settings.every;
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the heartbeat did not arrive, trying again");
                shared.metrics.heartbeats("failed");
                self.next = now + RETRY.min(self.settings.every);
            }
        }
    }

    /// Why the engine is not well, most telling first; empty: it is.
    fn unwell(&mut self, shared: &Shared) -> Vec<String> {
        let now = shared.clock.elapsed();
        let mut why = shared.board.health(now).troubles;
        match shared.store.seat() {
            Ok(seat) if seat.is_free() => why.push("nobody leads the incident stage".to_owned()),
            Ok(seat) => match &self.seat {
                Some((seen, since)) if *seen == seat && now - since >= SEAT_STILL => {
                    why.push(format!("{} leads the incident stage and has said nothing for long", seat.owner));
                }
                Some((seen, _)) if *seen == seat => {}
                _ => self.seat = Some((seat, now)),
            },
            Err(error) => why.push(error.to_string()),
        }
        let overdue = shared.overdue.load(Ordering::SeqCst);
        if overdue > self.settings.overdue {
            why.push(format!("{overdue} things are overdue"));
        }
        let lag = shared.board.lag();
        if lag > LAG_MAX {
            why.push(format!("the log is read {lag} ms late"));
        }
        why
    }

    fn send(&self, now: Ms) -> anyhow::Result<()> {
        match &self.settings.to {
            HeartbeatTo::Url { url, post } => {
                let request = if *post {
                    let body = serde_json::json!({ "alive": true, "at": now, "n": self.n }).to_string();
                    self.client.post(url).header("content-type", "application/json").body(body)
                } else {
                    self.client.get(url)
                };
                let request = match &self.token {
                    Some(token) => request.bearer_auth(token.reveal()),
                    None => request,
                };
                // The address may be the secret by which the watcher knows us.
                let status = request.send().map_err(reqwest::Error::without_url)?.status();
                anyhow::ensure!(status.is_success(), "the watcher answered {status}");
                Ok(())
            }
            HeartbeatTo::Mail(to) => {
                let way = self.ways.iter().find(|way| way.serves(Channel::Mail)).context("no gateway for mail")?;
                match way.send(&letter(now, self.n), &Address(to.clone())) {
                    Sent::Accepted { .. } => Ok(()),
                    other => anyhow::bail!("{other:?}"),
                }
            }
        }
    }
}

/// A sign of life as a mail.
fn letter(now: Ms, n: i64) -> Page {
    Page {
        id: format!("hb-{now}-{n}"),
        incident: String::new(),
        severity: Severity::S4,
        reason: Reason::ContactCheck,
        step: 0,
        round: n,
        occurrence: 1,
        to: String::new(),
        channel: Channel::Mail,
        title: "[긴급신고] 봉수 정상 동작".to_owned(),
        text: format!("봉수가 정상 동작 중입니다. {} 기준, {n}번째 알림", rfc3339(now)),
        decided: now,
        due: now,
        wanted: now + MINUTE,
        deadline: now + MINUTE,
        came: None,
        prompt: false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::pipeline::shell::Shell;
    use crate::store::{MemoryStore, Store};
    use crate::telemetry::Metrics;
    use crate::time::ManualClock;

    /// A watcher on loopback: the first line and the body of each request; answers `status`.
    fn watcher(status: &'static str) -> (String, Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/alive", listener.local_addr().expect("an address"));
        let (tell, heard) = channel();
        let serve = move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let mut bytes = vec![0; 4_096];
                let mut n = 0;
                while !bytes[..n].windows(4).any(|end| end == b"\r\n\r\n") {
                    n += stream.read(&mut bytes[n..]).expect("a request");
                }
                let text = String::from_utf8_lossy(&bytes[..n]).into_owned();
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).expect("an answer");
                if tell.send(text).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().spawn(serve).expect("a thread");
        (url, heard)
    }

    fn settings(url: &str, post: bool) -> HeartbeatSettings {
        HeartbeatSettings {
            to: HeartbeatTo::Url { url: url.to_owned(), post },
            every: MINUTE,
            token_file: None,
            overdue: 2,
        }
    }

    fn shell() -> (Shell, Arc<ManualClock>, Arc<MemoryStore>) {
        let clock = Arc::new(ManualClock::at(1_764_000_000_000));
        let store = Arc::new(MemoryStore::default());
        let shell = Shell::new(store.clone(), clock.clone(), Arc::new(Metrics::new(0)));
        let seat = store.seat().expect("memory is never away");
        store.lead("a", &seat).expect("memory is never away");
        (shell, clock, store)
    }

    #[test]
    fn a_sign_leaves_every_so_often_while_all_is_well() {
        let (url, heard) = watcher("204 No Content");
        let (shell, clock, store) = shell();
        let mut beat = Heartbeat::new(settings(&url, false), Vec::new()).expect("a client");
        beat.look(&shell.shared);
        beat.look(&shell.shared);
        assert!(heard.recv().expect("a sign").starts_with("GET /alive HTTP/1.1"));
        assert!(heard.try_recv().is_err(), "one a minute");
        clock.advance(MINUTE);
        store.beat(1).expect("memory is never away");
        beat.look(&shell.shared);
        assert!(heard.recv().is_ok());
        let mut beat = Heartbeat::new(settings(&url, true), Vec::new()).expect("a client");
        beat.look(&shell.shared);
        assert!(heard.recv().expect("a sign").starts_with("POST /alive HTTP/1.1"));
    }

    #[test]
    fn it_is_withheld_while_the_engine_is_not_well() {
        let (url, heard) = watcher("200 OK");
        let (shell, clock, store) = shell();
        let mut beat = Heartbeat::new(settings(&url, false), Vec::new()).expect("a client");
        let leads = std::cell::Cell::new(true);
        let mut look = |clock: &ManualClock| {
            clock.advance(MINUTE);
            if leads.get() {
                store.beat(1).expect("memory is never away");
            }
            beat.look(&shell.shared);
            heard
                .recv_timeout(Duration::from_millis(if shell.shared.overdue.load(Ordering::SeqCst) > 2 {
                    0
                } else {
                    200
                }))
                .is_ok()
        };
        shell.shared.overdue.store(3, Ordering::SeqCst);
        assert!(!look(&clock), "too much is overdue");
        shell.shared.overdue.store(2, Ordering::SeqCst);
        assert!(look(&clock));
        let now = shell.shared.clock.elapsed();
        shell.shared.board.report("incident", now, Some("저장소에 접근할 수 없습니다".to_owned()));
        assert!(!look(&clock), "a stage is in trouble");
        shell.shared.board.report("incident", now + MINUTE, None);
        assert!(!look(&clock), "a stage said nothing for a minute");
        shell.shared.board.report("incident", now + 3 * MINUTE, None);
        assert!(look(&clock));
        leads.set(false);
        shell.shared.board.report("incident", now + 4 * MINUTE, None);
        assert!(!look(&clock), "whoever leads says nothing");
        leads.set(true);
        shell.shared.board.report("incident", now + 5 * MINUTE, None);
        assert!(look(&clock));
        store.give_up(1).expect("memory is never away");
        shell.shared.board.report("incident", now + 6 * MINUTE, None);
        assert!(!look(&clock), "nobody leads");
    }

    #[test]
    fn an_address_that_may_be_a_secret_is_not_told_to_the_log() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/ping/s3cret", listener.local_addr().expect("an address"));
        drop(listener);
        let beat = Heartbeat::new(settings(&url, false), Vec::new()).expect("a client");
        let said = format!("{:#}", beat.send(0).expect_err("nobody listens"));
        assert!(said.contains("error sending request") && !said.contains("s3cret"), "{said}");
    }

    #[test]
    fn a_watcher_that_refuses_is_tried_again_soon() {
        let (url, heard) = watcher("503 Busy");
        let (shell, clock, store) = shell();
        let mut beat = Heartbeat::new(settings(&url, false), Vec::new()).expect("a client");
        for _ in 0..3 {
            store.beat(1).expect("memory is never away");
            beat.look(&shell.shared);
            assert!(heard.recv().is_ok());
            clock.advance(RETRY);
        }
    }
}
