//! A provider's HTTP interface, as its description says.
//!
//! The idea: a call has three ends that must never be mixed: it was answered, it certainly never left (no connection),
//! or it left and the answer was lost. Only the second may be tried again without asking.
//! It knows no provider; what a request holds is `render`'s part, what an answer means `answer`'s.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::blocking::Client;
use reqwest::header;

use super::answer::{self, Answer};
use super::render::{Fields, Ready, is_long};
use crate::model::{Channel, Fate, HttpWay, Page, Question, Secret, Template, Way};
use crate::notify::{Address, Denied, Gateway, LookedUp, Refusal, Sent, Told};
use crate::time::{Clock, HOUR, Ms};

/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// A lost answer is remembered for so long: beyond the longest wait for a message to turn up.
const LOST_KEPT: Ms = HOUR;
/// An idle connection is dropped after so long: most fronts drop theirs after 30 s or more, and a request on a dropped
/// one has an unknown outcome.
const IDLE: Duration = Duration::from_secs(10);

/// A gateway over HTTP.
#[derive(Debug)]
pub struct HttpGateway {
    id: String,
    channel: Channel,
    way: HttpWay,
    secrets: Vec<(String, Secret)>,
    client: Client,
    /// For a whole call, its answer's last byte included.
    timeout: Duration,
    clock: Arc<dyn Clock>,
    /// When answers were lost, elapsed time by page: a provider's search may be behind what it takes. After a crash this
    /// is empty, and the lease that had to end first is the wait.
    lost: Mutex<BTreeMap<String, Ms>>,
}

/// How a call ended.
enum Called {
    Answered(Answer),
    NotSent(String),
    Lost(String),
}

impl HttpGateway {
    /// A gateway with its secrets read. Nothing is sent yet; must not be called from an async task.
    ///
    /// # Errors
    /// Its certificates cannot be read.
    pub fn new(
        gateway: &Way,
        way: &HttpWay,
        secrets: Vec<(String, Secret)>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        // Whoever came first has chosen the same one; a second call is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let timeout = Duration::from_millis(gateway.timeout.max(1).unsigned_abs());
        let mut builder = Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout / 2)
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(IDLE)
            .no_proxy()
            .user_agent(concat!("bongsu/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &way.ca_file {
            let failed = |why: String| format!("read ca_file `{}`: {why}", path.display());
            let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| failed(error.to_string()))?;
            builder = builder.tls_certs_only(roots);
        } else if way.send.url.fill(|_| Some(String::new())).is_ok_and(|url| url.starts_with("http://")) {
            // No TLS will be spoken: a host without any certificates can run it all the same.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| format!("prepare the connection: {error}"))?;
        Ok(Self {
            id: gateway.id.clone(),
            channel: gateway.channel,
            way: way.clone(),
            secrets,
            client,
            timeout,
            clock,
            lost: Mutex::default(),
        })
    }

    fn fields<'a>(&'a self, page: &'a Page, (to, sent, salt): (&'a str, &'a str, &'a str)) -> Fields<'a> {
        Fields { way: &self.way, secrets: &self.secrets, page, to, sent, now: self.clock.wall(), salt }
    }

    fn ask(&self, question: &Question, page: &Page, sent: &str) -> Result<Answer, String> {
        let long: Option<&Template> = question.url_long.as_ref().filter(|_| is_long(page));
        let ready = self.fields(page, ("", sent, &salt())).ready(&question.request, long)?;
        match self.call(&ready) {
            Called::Answered(answer) => Ok(answer),
            Called::NotSent(why) | Called::Lost(why) => Err(why),
        }
    }

    fn call(&self, ready: &Ready) -> Called {
        let mut request = match ready.method {
            "GET" => self.client.get(&ready.url),
            _ => self.client.post(&ready.url),
        };
        // The client's own limit begins anew with each piece of the answer: one that trickles would hold its sender for ever.
        request = request.timeout(self.timeout);
        if let Some(kind) = ready.content_type {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        for (name, value) in &ready.headers {
            request = request.header(name, value);
        }
        if ready.method != "GET" || !ready.body.is_empty() {
            request = request.body(ready.body.clone());
        }
        let response = match request.send() {
            Ok(response) => response,
            // The address may hold a key: it is left out of what is said.
            Err(error) if error.is_builder() || error.is_connect() => return Called::NotSent(say(error)),
            Err(error) => return Called::Lost(say(error)),
        };
        let status = response.status().as_u16();
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        match response.take(ANSWER_BYTES_MAX).read_to_end(&mut body) {
            Ok(_) => Called::Answered(Answer { status, retry_after, body }),
            Err(error) => Called::Lost(format!("status {status}, then the answer broke off: {error}")),
        }
    }

    fn lost(&self) -> MutexGuard<'_, BTreeMap<String, Ms>> {
        // Nothing in here panics half-way through a change.
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that the answer to a page was lost just now.
    fn remember(&self, page: &str) {
        let now = self.clock.elapsed();
        let mut lost = self.lost();
        lost.retain(|_, at| now - *at < LOST_KEPT);
        lost.insert(page.to_owned(), now);
    }

    /// Whether a page whose answer was lost may still turn up.
    fn may_turn_up(&self, page: &str, settle: Ms) -> bool {
        self.lost().get(page).is_some_and(|at| self.clock.elapsed() - at < settle)
    }

    /// The provider's own part of an id of ours.
    fn own<'a>(&self, id: &'a str) -> Option<&'a str> {
        id.strip_prefix(&self.id)?.strip_prefix('/')
    }

    fn poll_question(&self) -> Option<&Question> {
        self.way.receipts.poll.as_ref()?.question.as_ref().or(self.way.look_up.as_ref())
    }

    fn secret(&self, name: &str) -> Option<&Secret> {
        self.secrets.iter().find(|(known, _)| known == name).map(|(_, secret)| secret)
    }
}

impl Gateway for HttpGateway {
    fn id(&self) -> &str {
        &self.id
    }

    fn serves(&self, channel: Channel) -> bool {
        // Without a picture an MMS is an LMS, which every SMS interface sends.
        channel == self.channel || (channel == Channel::Mms && self.channel == Channel::Sms)
    }

    fn send(&self, page: &Page, address: &Address) -> Sent {
        let to: String = address.0.chars().filter(char::is_ascii_digit).collect();
        let request = if is_long(page) { self.way.send_long.as_ref() } else { None };
        let request = request.unwrap_or(&self.way.send);
        let ready = match self.fields(page, (&to, "", &salt())).ready(request, None) {
            Ok(ready) => ready,
            Err(why) => {
                tracing::error!(gateway = self.id, page = page.id, why, "the request cannot be written");
                return Sent::Refused { reason: Refusal::Content, permanent: true, retry_after: None };
            }
        };
        match self.call(&ready) {
            Called::Answered(answer) => match answer::sent(&self.way, &answer) {
                Sent::Accepted { id } => Sent::Accepted { id: format!("{}/{id}", self.id) },
                Sent::Unknown { why } => {
                    self.remember(&page.id);
                    Sent::Unknown { why }
                }
                refused @ Sent::Refused { .. } => refused,
            },
            Called::NotSent(why) => {
                tracing::warn!(gateway = self.id, page = page.id, why, "the gateway cannot be reached");
                Sent::Refused { reason: Refusal::Timeout, permanent: false, retry_after: None }
            }
            Called::Lost(why) => {
                self.remember(&page.id);
                Sent::Unknown { why }
            }
        }
    }

    fn look_up(&self, page: &Page) -> Option<LookedUp> {
        let question = self.way.look_up.as_ref()?;
        Some(match self.ask(question, page, "") {
            Ok(answer) => match answer::looked_up(question, &page.id, &answer) {
                LookedUp::Accepted { id } => LookedUp::Accepted { id: format!("{}/{id}", self.id) },
                LookedUp::NotThere if self.may_turn_up(&page.id, question.settle) => LookedUp::Unknown,
                other => other,
            },
            Err(why) => {
                tracing::warn!(gateway = self.id, page = page.id, why, "the gateway cannot be asked");
                LookedUp::Unknown
            }
        })
    }

    fn poll(&self) -> Option<(Ms, Ms)> {
        self.poll_question()?;
        self.way.receipts.poll.as_ref().map(|poll| (poll.every, poll.until))
    }

    fn receipt(&self, page: &Page, id: &str) -> Option<Fate> {
        let sent = self.own(id)?;
        let question = self.poll_question()?;
        match self.ask(question, page, sent) {
            Ok(answer) => answer::became(question, &page.id, &answer),
            Err(why) => {
                tracing::debug!(gateway = self.id, page = page.id, why, "no receipt could be asked for");
                None
            }
        }
    }

    fn told(&self, header: &dyn Fn(&str) -> Option<String>, body: &[u8]) -> Result<Vec<Told>, Denied> {
        let webhook = self.way.receipts.webhook.as_ref().ok_or(Denied::NotHere)?;
        let given = header(&webhook.header).ok_or(Denied::Secret)?;
        let secret = self.secret(&webhook.secret).ok_or(Denied::Secret)?;
        if !secret.is(&given) {
            return Err(Denied::Secret);
        }
        let mut told = answer::told(webhook.list.as_deref(), &webhook.item, body).ok_or(Denied::Unreadable)?;
        for one in &mut told {
            one.id = one.id.take().map(|id| format!("{}/{id}", self.id));
        }
        Ok(told)
    }
}

/// An error with its causes and without the address.
fn say(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Thirty-two characters that do not come again.
fn salt() -> String {
    format!("{:032x}", fastrand::u128(..))
}
