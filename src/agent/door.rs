//! Hands records to a door over HTTP: `POST /v1/records`, one JSON record per line.
//!
//! The idea: the answer says what became of each line, and everything else (a refused connection, a time-out, 401, 429,
//! 5xx, a broken answer) says that nothing is known, so the records are kept and sent again; numbers that arrive twice
//! count once. Why a record is refused for good is said in the log, once for each answer. An address that others can listen on is used only with TLS and a token, or not at all.
//! Waiting between tries is `run.rs`'s part.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::blocking::{Client, Response};
use reqwest::{StatusCode, Url, header};

use crate::agent::queue::Record;
use crate::agent::run::{Deliver, Delivered, Fate};
use crate::model::RejectReason;
use crate::time::{Ms, SECOND};

/// Longest answer that is read: a line of text for each record of the largest batch.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Which door, and how to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorSettings {
    /// `127.0.0.1:9480`, `http://localhost:9480` or `https://host:port`.
    pub address: String,
    /// File with the token; read before each hand-over, so that it can be changed while the agent runs.
    pub token_file: Option<PathBuf>,
    /// File with the certificate (PEM) that signs the door's; without one, what this host trusts.
    pub ca_file: Option<PathBuf>,
    /// Longest time for one hand-over, ms.
    pub timeout: Ms,
}

/// Why a door cannot be used; found before anything is sent.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The address cannot be read.
    #[error("door `{address}` is not an address\n  help: write `127.0.0.1:9480` or `https://host:port`")]
    Address {
        /// As it was given.
        address: String,
    },
    /// Others could read what is sent.
    #[error("door `{address}` is not on this host and has no TLS\n  help: write `https://…`")]
    Plain {
        /// As it was given.
        address: String,
    },
    /// A door elsewhere asks for a token.
    #[error("door `{address}` is not on this host and no token file is given\n  help: set `agent.token_file`")]
    NoToken {
        /// As it was given.
        address: String,
    },
    /// A file cannot be used.
    #[error("read `{path}`: {why}")]
    File {
        /// Which.
        path: String,
        /// What was wrong.
        why: String,
    },
    /// The HTTP client cannot be made.
    #[error("prepare the connection to the door: {why}")]
    Client {
        /// What was wrong.
        why: String,
    },
}

/// A door that takes records.
#[derive(Debug)]
pub struct DoorClient {
    client: Client,
    url: Url,
    token_file: Option<PathBuf>,
}

impl DoorClient {
    /// Checks the settings and prepares the client; nothing is sent yet. Must not be called from an async task.
    pub fn new(settings: &DoorSettings) -> Result<Self, DoorError> {
        let url = checked_url(settings)?;
        // Whoever came first has chosen the same one; a second call is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let timeout = Duration::from_millis(u64::try_from(settings.timeout.max(1)).unwrap_or(1));
        let mut builder = Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("bongsu-agent/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &settings.ca_file {
            let failure = |why: String| DoorError::File { path: path.display().to_string(), why };
            let pem = std::fs::read(path).map_err(|e| failure(e.to_string()))?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| failure(e.to_string()))?;
            if roots.is_empty() {
                return Err(failure("it holds no certificate".to_owned()));
            }
            builder = builder.tls_certs_only(roots);
        } else if url.scheme() == "http" {
            // No TLS will be spoken: a host without any certificates can run the agent all the same.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|e| DoorError::Client { why: chain(&e) })?;
        let door = Self { client, url, token_file: settings.token_file.clone() };
        door.token()?;
        Ok(door)
    }

    fn token(&self) -> Result<Option<String>, DoorError> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let failure = |why: String| DoorError::File { path: path.display().to_string(), why };
        let token = std::fs::read_to_string(path).map_err(|e| failure(e.to_string()))?;
        match token.trim() {
            "" => Err(failure("it is empty".to_owned())),
            token if !token.bytes().all(|b| b.is_ascii_graphic()) => Err(failure("it holds more than one word".into())),
            token => Ok(Some(token.to_owned())),
        }
    }

    fn post(&self, records: &[Record]) -> Result<Answer, String> {
        let mut body = Vec::with_capacity(records.iter().map(|record| record.value.len() + 1).sum());
        for record in records {
            body.extend_from_slice(&record.value);
            body.push(b'\n');
        }
        let mut request = self.client.post(self.url.clone()).header(header::CONTENT_TYPE, "application/x-ndjson");
        if let Some(token) = self.token().map_err(|e| e.to_string())? {
            request = request.bearer_auth(token);
        }
        let response = request.body(body).send().map_err(|e| chain(&e))?;
        Answer::read(response, records.len())
    }
}

impl Deliver for DoorClient {
    fn deliver(&self, records: &[Record]) -> Delivered {
        let mut part = records;
        loop {
            match self.post(part) {
                Ok(Answer::Fates(fates)) => return Delivered { fates, retry_after: None },
                Ok(Answer::Wait(retry_after)) => return Delivered { fates: Vec::new(), retry_after },
                // One of them is at fault and it is not said which: half of them, down to the one.
                Ok(Answer::Unsaid(_)) if part.len() > 1 => part = part.split_at(part.len() / 2).0,
                Ok(Answer::Unsaid(status)) => {
                    let bytes = part.iter().map(|record| record.value.len()).sum::<usize>();
                    tracing::warn!(
                        status = status.as_u16(),
                        bytes,
                        "the door refuses a record for good; it is dropped"
                    );
                    return Delivered { fates: vec![Fate::Refused], retry_after: None };
                }
                Err(why) => {
                    tracing::debug!(why, "hand-over to the door failed");
                    return Delivered::default();
                }
            }
        }
    }
}

/// What a door's answer means for the records.
enum Answer {
    /// Each record's fate.
    Fates(Vec<Fate>),
    /// Not now.
    Wait(Option<Ms>),
    /// The body was refused without a word on its lines.
    Unsaid(StatusCode),
}

impl Answer {
    fn read(response: Response, n: usize) -> Result<Self, String> {
        let status = response.status();
        let wait =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
        let mut body = Vec::new();
        let read = response.take(ANSWER_BYTES_MAX).read_to_end(&mut body);
        let listed = serde_json::from_slice(&body).ok().and_then(|answer| fates(&answer, n));
        match status {
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Ok(listed.map_or(Self::Unsaid(status), Self::Fates))
            }
            status if status.is_success() => match (read, listed) {
                (Ok(_), Some(fates)) => Ok(Self::Fates(fates)),
                // Some of it was taken, but the answer broke off: sending it again does no harm.
                (Err(e), _) => Err(e.to_string()),
                (Ok(_), None) => Err("the answer is not a door's".to_owned()),
            },
            status => {
                tracing::debug!(status = status.as_u16(), "the door does not take records now");
                Ok(Self::Wait(wait.map(|seconds| Ms::from(seconds) * SECOND)))
            }
        }
    }
}

/// Reads `{"accepted":n,"rejected":[{"line":1,"reason":"…"}]}`; lines count from 1. A line with one of the reasons for
/// which a record is never good is refused; any other reason (the log is full or away) may pass.
fn fates(answer: &serde_json::Value, n: usize) -> Option<Vec<Fate>> {
    let rejected = answer.get("rejected")?.as_array()?;
    let accepted = answer.get("accepted")?.as_u64()?;
    let mut fates = vec![Fate::Taken; n];
    let mut never_again = None;
    for line in rejected {
        let at = usize::try_from(line.get("line")?.as_u64()?).ok()?.checked_sub(1)?;
        let reason = line.get("reason")?.as_str()?;
        let never = RejectReason::ALL.iter().any(|known| reason.starts_with(known.code()));
        *fates.get_mut(at)? = if never { Fate::Refused } else { Fate::Kept };
        never_again = never_again.or(never.then_some((at, reason)));
    }
    // An answer that does not add up is not to be believed.
    let taken = fates.iter().filter(|fate| **fate == Fate::Taken).count() as u64;
    if taken != accepted {
        return None;
    }
    if let Some((at, reason)) = never_again {
        tracing::warn!(record = at + 1, of = n, reason, "the door refuses records for good; they are dropped");
    }
    Some(fates)
}

fn checked_url(settings: &DoorSettings) -> Result<Url, DoorError> {
    let address = settings.address.clone();
    let full = if address.contains("://") { address.clone() } else { format!("http://{address}") };
    let parsed = Url::parse(&full).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let (Some(mut url), true) = (parsed, !settings.address.trim().is_empty()) else {
        return Err(DoorError::Address { address });
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let local = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    if !local && url.scheme() != "https" {
        return Err(DoorError::Plain { address });
    }
    if !local && settings.token_file.is_none() {
        return Err(DoorError::NoToken { address });
    }
    url.set_path("/v1/records");
    url.set_query(None);
    Ok(url)
}

/// An error with its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
