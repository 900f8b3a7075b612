//! Pages by e-mail, over one mail server.
//!
//! The idea: a mail is certainly not sent until its last line was given to the server, and nobody knows from then until
//! the server answers; so the conversation is led step by step here, and every failure knows on which side of that line
//! it lies. One incident is one thread in every mail program: all its mails refer to the same number.
//! Not here: texts (`page`), and whether to send again (`worker`): a mail server cannot be asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    Certificate, CertificateStore, SmtpConnection, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address as MailAddress, Message};

use super::{Address, Gateway, LookedUp, Refusal, Sent};
use crate::model::{Channel, Page, Secret, SmtpWay, Way};
use crate::time::{Clock, Ms};

/// Longest answer of the server that is kept as the mail's id.
const ANSWER_CHARS_MAX: usize = 80;

/// A mail server.
pub struct SmtpGateway {
    id: String,
    way: SmtpWay,
    from: Mailbox,
    tls: TlsParameters,
    login: Option<Credentials>,
    hello: ClientId,
    timeout: Ms,
    clock: Arc<dyn Clock>,
    /// Connections that are open and idle.
    idle: Mutex<Vec<SmtpConnection>>,
    idle_max: usize,
}

/// Where in the conversation something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connect,
    Login,
    Sender,
    Recipient,
    Data,
    /// The mail was written: the server may have it.
    Sent,
}

impl SmtpGateway {
    /// A gateway with its login read. Nothing is sent yet.
    ///
    /// # Errors
    /// The sender or the certificates cannot be read.
    pub fn new(
        gateway: &Way,
        way: &SmtpWay,
        login: Option<(Secret, Secret)>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let from = way.from.parse::<Mailbox>().map_err(|error| format!("smtp.from: {error}"))?;
        let tls = tls(way).map_err(|why| format!("prepare TLS: {why}"))?;
        Ok(Self {
            id: gateway.id.clone(),
            way: way.clone(),
            from,
            tls,
            login: login
                .map(|(user, password)| Credentials::new(user.reveal().to_owned(), password.reveal().to_owned())),
            hello: ClientId::Domain(way.domain.clone()),
            timeout: gateway.timeout,
            clock,
            idle: Mutex::default(),
            idle_max: gateway.concurrency,
        })
    }

    /// Whether mail may go to that domain at all.
    fn is_allowed(&self, to: &MailAddress) -> bool {
        let domain = to.domain().to_ascii_lowercase();
        self.way.domains.contains(&domain)
    }

    fn compose(&self, page: &Page, to: MailAddress) -> Result<Message, String> {
        let subject = if page.title.is_empty() { page.text.lines().next().unwrap_or("") } else { &page.title };
        let subject: String = subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let id = |name: &str| format!("<{name}@{}>", self.way.domain);
        let thread = id(&page.incident);
        let raw =
            |name: &'static str, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .message_id(Some(id(&page.id)))
            .in_reply_to(thread.clone())
            .references(thread)
            .raw_header(raw("Auto-Submitted", "auto-generated"))
            .raw_header(raw("X-Auto-Response-Suppress", "All"))
            .singlepart(SinglePart::plain(page.text.clone()))
            .map_err(|error| error.to_string())
    }

    /// Gives a mail to the server; the server's words, or where it went wrong.
    fn deliver(&self, envelope: &Envelope, mail: &[u8]) -> Result<String, (Stage, Error)> {
        let until = self.clock.elapsed() + self.timeout;
        let mut connection = match self.take_idle(until) {
            Some(connection) => connection,
            None => self.connect(until)?,
        };
        match self.converse(&mut connection, envelope, mail, until) {
            Ok(answer) => {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                if idle.len() < self.idle_max {
                    idle.push(connection);
                }
                Ok(answer)
            }
            Err(wrong) => {
                // What is left of the conversation is of no use to the next mail.
                drop(connection);
                Err(wrong)
            }
        }
    }

    fn take_idle(&self, until: Ms) -> Option<SmtpConnection> {
        loop {
            let mut connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            let alive = self.limit(&mut connection, until) && !connection.has_broken() && connection.test_connected();
            if alive {
                return Some(connection);
            }
        }
    }

    fn connect(&self, until: Ms) -> Result<SmtpConnection, (Stage, Error)> {
        let at = |stage: Stage| move |error| (stage, error);
        // Three steps of it, each with this limit: together at most one and a half times the whole.
        let limit = Some(Duration::from_millis((self.timeout / 2).max(1).unsigned_abs()));
        let tls = self.way.implicit_tls.then_some(&self.tls);
        let server = (self.way.host.as_str(), self.way.port);
        let mut connection =
            SmtpConnection::connect(server, limit, &self.hello, tls, None).map_err(at(Stage::Connect))?;
        self.limit(&mut connection, until);
        if !self.way.implicit_tls {
            // A server that does not offer it is refused here: nothing is ever said in the clear.
            connection.starttls(&self.tls, &self.hello).map_err(at(Stage::Connect))?;
        }
        if let Some(login) = &self.login {
            self.limit(&mut connection, until);
            connection.auth(&[Mechanism::Plain, Mechanism::Login], login).map_err(at(Stage::Login))?;
        }
        Ok(connection)
    }

    fn converse(
        &self,
        connection: &mut SmtpConnection,
        envelope: &Envelope,
        mail: &[u8],
        until: Ms,
    ) -> Result<String, (Stage, Error)> {
        let at = |stage: Stage| move |error| (stage, error);
        self.limit(connection, until);
        connection.command(Mail::new(envelope.from().cloned(), Vec::new())).map_err(at(Stage::Sender))?;
        for to in envelope.to() {
            self.limit(connection, until);
            connection.command(Rcpt::new(to.clone(), Vec::new())).map_err(at(Stage::Recipient))?;
        }
        self.limit(connection, until);
        connection.command(Data).map_err(at(Stage::Data))?;
        self.limit(connection, until);
        let answer = connection.message(mail).map_err(at(Stage::Sent))?;
        Ok(answer.first_line().unwrap_or("").chars().filter(|c| !c.is_control()).take(ANSWER_CHARS_MAX).collect())
    }

    /// Lets the next step take what is left of the time.
    fn limit(&self, connection: &mut SmtpConnection, until: Ms) -> bool {
        let left = (until - self.clock.elapsed()).max(1).unsigned_abs();
        connection.set_timeout(Some(Duration::from_millis(left))).is_ok()
    }
}

impl Gateway for SmtpGateway {
    fn id(&self) -> &str {
        &self.id
    }

    fn serves(&self, channel: Channel) -> bool {
        channel == Channel::Mail
    }

    fn send(&self, page: &Page, address: &Address) -> Sent {
        let for_good = |reason| Sent::Refused { reason, permanent: true, retry_after: None };
        let Ok(to) = address.0.parse::<MailAddress>() else { return for_good(Refusal::Recipient) };
        if !self.is_allowed(&to) {
            tracing::error!(gateway = self.id, to = page.to, "mail may not go to this domain: see smtp.domains");
            return for_good(Refusal::Recipient);
        }
        let mail = match self.compose(page, to) {
            Ok(mail) => mail,
            Err(why) => {
                tracing::error!(gateway = self.id, page = page.id, why, "the mail cannot be written");
                return for_good(Refusal::Content);
            }
        };
        match self.deliver(mail.envelope(), &mail.formatted()) {
            Ok(answer) => Sent::Accepted { id: format!("{}/{answer}", self.id) },
            Err((stage, error)) => {
                let sent = meaning(stage, &error);
                tracing::warn!(gateway = self.id, page = page.id, ?stage, %error, "a mail was not taken");
                sent
            }
        }
    }

    fn look_up(&self, _page: &Page) -> Option<LookedUp> {
        None
    }
}

impl std::fmt::Debug for SmtpGateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmtpGateway").field("id", &self.id).field("host", &self.way.host).finish_non_exhaustive()
    }
}

/// What an error at a stage means for the mail.
fn meaning(stage: Stage, error: &Error) -> Sent {
    let no = |reason, permanent| Sent::Refused { reason, permanent, retry_after: None };
    if error.is_permanent() {
        return match stage {
            Stage::Connect | Stage::Login | Stage::Sender => no(Refusal::Auth, true),
            Stage::Recipient => no(Refusal::Recipient, true),
            Stage::Data | Stage::Sent => no(Refusal::Content, true),
        };
    }
    if error.is_transient() {
        return match stage {
            Stage::Recipient => no(Refusal::Recipient, false),
            _ => no(Refusal::Server, false),
        };
    }
    match stage {
        Stage::Sent => Sent::Unknown { why: format!("the connection ended before the answer to a mail: {error}") },
        // A certificate that does not fit, no TLS, no way to log in: no answer, yet no matter of time.
        _ if error.is_tls() || error.is_client() => no(Refusal::Auth, false),
        _ => no(Refusal::Timeout, false),
    }
}

fn tls(way: &SmtpWay) -> Result<TlsParameters, String> {
    let mut builder: TlsParametersBuilder = TlsParameters::builder(way.host.clone());
    if let Some(path) = &way.ca_file {
        let failed = |why: String| format!("read ca_file `{}`: {why}", path.display());
        let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
        let root = Certificate::from_pem(&pem).map_err(|error| failed(error.to_string()))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(root);
    }
    builder.build_rustls().map_err(|error| error.to_string())
}
