//! The ways out as they are configured: plain values that `config` reads and `notify` sends with.
//!
//! The idea: what differs between providers is data, not code: requests with placeholders ([`Template`]), where in an
//! answer its verdict stands (JSON pointers), and tables from the provider's codes to our few words. A secret is named
//! here by where it is ([`SecretFrom`]); its value appears only in the hands of the one who sends.

use std::path::PathBuf;

use crate::model::Channel;
use crate::time::Ms;

/// One gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// Stable id.
    pub id: String,
    /// For which channel.
    pub channel: Channel,
    /// Messages per second at most; `None` = no limit of ours.
    pub rate: Option<f64>,
    /// Messages on their way at once, at most.
    pub concurrency: usize,
    /// Longest time for one call, ms; well below the lease of a page.
    pub timeout: Ms,
    /// What it is.
    pub kind: WayKind,
}

/// What a gateway is.
#[derive(Debug, Clone, PartialEq)]
pub enum WayKind {
    /// Files that show what each phone would have received.
    Handset,
    /// A provider's HTTP interface.
    Http(Box<HttpWay>),
    /// A mail server.
    Smtp(Box<SmtpWay>),
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretFrom {
    /// In a file; blanks around it do not count.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

/// How texts are written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// EUC-KR, as older interfaces ask for.
    EucKr,
}

/// A provider's HTTP interface.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpWay {
    /// The registered sender number (발신번호), digits.
    pub sender: String,
    /// Certificates (PEM) that sign the provider's; `None` = what this host trusts.
    pub ca_file: Option<PathBuf>,
    /// How texts are written.
    pub encoding: Encoding,
    /// Secrets by name; each is a placeholder.
    pub secrets: Vec<(String, SecretFrom)>,
    /// How requests are signed.
    pub sign: Option<Sign>,
    /// How an SMS is sent.
    pub send: Request,
    /// How an LMS is sent; `None` = as an SMS.
    pub send_long: Option<Request>,
    /// What an answer must hold to be a yes.
    pub success: Vec<Check>,
    /// Where the provider's number for the message stands; several are joined by `:`.
    pub id: Vec<String>,
    /// Where a code stands, the first that is there counts.
    pub code: Vec<String>,
    /// What codes mean.
    pub codes: Vec<CodeRule>,
    /// How it is asked by our id whether it has a message.
    pub look_up: Option<Question>,
    /// How it is learned what became of a message.
    pub receipts: Receipts,
}

/// A request with placeholders.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The address; values are percent-encoded.
    pub url: Template,
    /// Headers.
    pub headers: Vec<(String, Template)>,
    /// What it carries.
    pub body: Body,
}

/// What a request carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Nothing.
    None,
    /// JSON; values are escaped for a string.
    Json(Template),
    /// A form; values are percent-encoded.
    Form(Vec<(String, Template)>),
}

/// A signature over a text: an HMAC-SHA256 with a secret as key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// The secret's name.
    pub key: String,
    /// What is signed.
    pub text: Template,
    /// Hex instead of Base64.
    pub hex: bool,
}

/// One condition on an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// JSON pointer.
    pub at: String,
    /// The value as text.
    pub is: String,
}

/// What some codes mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRule {
    /// Codes; one that ends with `*` stands for all that begin so, and `http-NNN` for a status.
    pub of: Vec<String>,
    /// A word of the closed list of reasons.
    pub reason: String,
    /// Whether trying again is of use; `None` = as usual for the reason.
    pub retry: Option<bool>,
}

/// A question about one message.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The request.
    pub request: Request,
    /// Another address for an LMS.
    pub url_long: Option<Template>,
    /// What an answer must hold to be one at all.
    pub success: Vec<Check>,
    /// So long after its answer was lost a message may still turn up: a no counts only after it, ms.
    pub settle: Ms,
    /// Where the list of messages stands; `None` = the answer is the message.
    pub list: Option<String>,
    /// How the message is read.
    pub item: Item,
}

/// How one message in an answer or in a webhook is read; pointers begin at the message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Item {
    /// Where our id stands; items of other messages are passed over. `None` = every item is about the one asked for.
    pub page: Option<String>,
    /// Where the provider's number stands, as [`HttpWay::id`].
    pub id: Vec<String>,
    /// Where the state stands, the first that is there counts.
    pub state: Vec<String>,
    /// What states mean, the first that fits; what fits none is under way.
    pub states: Vec<StateRule>,
}

/// What some states mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRule {
    /// Values of the state, as [`CodeRule::of`].
    pub of: Vec<String>,
    /// What.
    pub is: Fate,
}

/// What became of a message that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Under way.
    Pending,
    /// It is on the phone.
    Delivered,
    /// It will not arrive, with a word of the closed list of reasons.
    Failed(String),
}

/// How it is learned what became of messages.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Receipts {
    /// Asked by us.
    pub poll: Option<Poll>,
    /// Told by the provider at the door.
    pub webhook: Option<Webhook>,
}

/// Asking again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Poll {
    /// The question; `None` = the look-up.
    pub question: Option<Question>,
    /// Distance between two questions about one message, ms.
    pub every: Ms,
    /// So long after its acceptance a message is asked about no more, ms.
    pub until: Ms,
}

/// What the provider posts to `/v1/receipts/<gateway>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The header that holds the secret.
    pub header: String,
    /// Name of the secret.
    pub secret: String,
    /// Where the list stands; `None` = the body is one message.
    pub list: Option<String>,
    /// How each is read.
    pub item: Item,
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpWay {
    /// Host name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS from the first byte instead of STARTTLS; one of the two is always spoken.
    pub implicit_tls: bool,
    /// Certificates (PEM) that sign the server's; `None` = what this host trusts.
    pub ca_file: Option<PathBuf>,
    /// Whose name mails carry, for example `관제 <alert@example.test>`.
    pub from: String,
    /// Domain of Message-IDs.
    pub domain: String,
    /// User name and where the password is.
    pub login: Option<(SecretFrom, SecretFrom)>,
    /// Domains that mail may go to; a subdomain has to be named itself.
    pub domains: Vec<String>,
}

/// A text with placeholders: `{{name}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name { name: String, at: usize },
}

impl Template {
    /// Takes a text apart; `Err` = the place (characters from the beginning) of a `{{` without its end.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let mut pieces = Vec::new();
        let mut rest = text;
        let place = |rest: &str| text[..text.len() - rest.len()].chars().count();
        while let Some(at) = rest.find("{{") {
            let (before, opened) = rest.split_at(at);
            let inner = &opened[2..];
            let Some(end) = inner.find("}}") else { return Err(place(opened)) };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Name { name: inner[..end].trim().to_owned(), at: place(opened) });
            rest = &inner[end + 2..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The placeholders and where each stands, in characters from the beginning.
    pub fn names(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Name { name, at } => Some((name.as_str(), *at)),
            Piece::Text(_) => None,
        })
    }

    /// The text with every placeholder replaced; `Err` = a placeholder that has no value.
    pub fn fill(&self, mut value: impl FnMut(&str) -> Option<String>) -> Result<String, String> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Name { name, .. } => out.push_str(&value(name).ok_or_else(|| name.clone())?),
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_found_where_they_stand_and_filled() {
        let template = Template::parse("가{{to}} {나} {{ text }}").expect("it is whole");
        assert_eq!(template.names().collect::<Vec<_>>(), [("to", 1), ("text", 12)]);
        let value = |name: &str| (name == "to").then(|| "{{text}}".to_owned());
        assert_eq!(template.fill(value), Err("text".to_owned()));
        let filled = template.fill(|name| Some(format!("<{name}>")));
        assert_eq!(filled.as_deref(), Ok("가<to> {나} <text>"));
        assert_eq!(Template::parse("가나{{to").unwrap_err(), 2);
    }
}
