//! A request made of its template: placeholders filled, escaped for where they stand, encoded, signed.
//!
//! The idea: a value is escaped by its place (percent in an address or form, a JSON string in JSON, none in a header),
//! so that a text with a quote or a line end can never become part of the request's own grammar. What the encoding
//! cannot say is an error, never a replacement character.

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::model::{Body, Encoding, HttpWay, Page, Request, Secret, Template, carrier_bytes};
use crate::time::{MINUTE, Ms, civil, rfc3339};

/// Longest SMS, in bytes as carriers count; beyond it is an LMS.
const SMS_BYTES: usize = 90;
/// A question about a message looks so far before its decision and after now: clocks differ.
const AROUND: Ms = 10 * MINUTE;

/// What fills a request.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// The provider.
    pub way: &'a HttpWay,
    /// Secrets by name.
    pub secrets: &'a [(String, Secret)],
    /// The message.
    pub page: &'a Page,
    /// Digits of the number it goes to; empty where only a question is asked.
    pub to: &'a str,
    /// The provider's own id, its parts joined by `:`.
    pub sent: &'a str,
    /// Wall time.
    pub now: Ms,
    /// Random characters that were not used before.
    pub salt: &'a str,
}

/// A request that is ready to go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub content_type: Option<&'static str>,
    pub body: Vec<u8>,
}

/// Whether `page` is longer than an SMS.
pub(super) fn is_long(page: &Page) -> bool {
    !page.title.is_empty() || carrier_bytes(&page.text) > SMS_BYTES
}

impl Fields<'_> {
    /// `request`, to `url` where that is not its own. `Err` = why it cannot be made, without any value in it.
    pub(super) fn ready(&self, request: &Request, url: Option<&Template>) -> Result<Ready, String> {
        let encoding = self.way.encoding;
        let escaped = |name: &str, signature: &str| -> Option<Result<String, String>> {
            self.value(name, signature).map(|value| percent(&value, encoding))
        };
        let url = fill(url.unwrap_or(&request.url), |name| escaped(name, ""))?;
        let signature = self.signature(request.method, &url)?;
        let raw = |name: &str| self.value(name, &signature).map(Ok);
        let mut headers = Vec::new();
        for (name, template) in &request.headers {
            let value = fill(template, raw)?;
            if value.chars().any(char::is_control) {
                return Err(format!("header `{name}` would hold a line end"));
            }
            headers.push((name.clone(), value));
        }
        let (content_type, body) = match &request.body {
            Body::None => (None, Vec::new()),
            Body::Json(template) => {
                let text = fill(template, |name| Some(Ok(json_inner(&self.value(name, &signature)?))))?;
                (Some(json_type(encoding)), encode(&text, encoding)?)
            }
            Body::Form(fields) => {
                let mut text = String::new();
                for (name, template) in fields {
                    let mark = if text.is_empty() { "" } else { "&" };
                    let value = percent(&fill(template, raw)?, encoding)?;
                    text.push_str(&format!("{mark}{}={value}", percent(name, encoding)?));
                }
                (Some("application/x-www-form-urlencoded"), text.into_bytes())
            }
        };
        let given = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let content_type = content_type.filter(|_| !given);
        Ok(Ready { method: request.method, url, headers, content_type, body })
    }

    fn value(&self, name: &str, signature: &str) -> Option<String> {
        let page = self.page;
        Some(match name {
            "text" => page.text.clone(),
            "title" => page.title.clone(),
            "to" => self.to.to_owned(),
            "from" => self.way.sender.clone(),
            "id" => page.id.clone(),
            "kind" => if is_long(page) { "LMS" } else { "SMS" }.to_owned(),
            "now_ms" => self.now.to_string(),
            "now" => rfc3339(self.now),
            "salt" => self.salt.to_owned(),
            "signature" => signature.to_owned(),
            "since" => local(page.decided - AROUND),
            "until" => local(self.now + AROUND),
            "sent" => self.sent.to_owned(),
            other => match other.strip_prefix("sent.") {
                Some(n) => self.sent.split(':').nth(n.parse().ok()?).unwrap_or("").to_owned(),
                None => {
                    return self.secrets.iter().find(|(known, _)| known == other).map(|(_, it)| it.reveal().to_owned());
                }
            },
        })
    }

    fn signature(&self, method: &str, url: &str) -> Result<String, String> {
        let Some(sign) = &self.way.sign else { return Ok(String::new()) };
        let after_host = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path = after_host.find('/').map_or("/", |at| &after_host[at..]);
        let text = fill(&sign.text, |name| match name {
            "method" => Some(Ok(method.to_owned())),
            "path" => Some(Ok(path.to_owned())),
            other => self.value(other, "").map(Ok),
        })?;
        let key = self.secrets.iter().find(|(name, _)| *name == sign.key);
        let (_, key) = key.ok_or_else(|| format!("no secret `{}`", sign.key))?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()).map_err(|error| error.to_string())?;
        mac.update(text.as_bytes());
        let bytes = mac.finalize().into_bytes();
        Ok(if sign.hex {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        } else {
            base64::engine::general_purpose::STANDARD.encode(bytes)
        })
    }
}

/// Fills a template whose values may be impossible to write.
fn fill(template: &Template, value: impl Fn(&str) -> Option<Result<String, String>>) -> Result<String, String> {
    let mut wrong = None;
    let filled = template.fill(|name| match value(name)? {
        Ok(text) => Some(text),
        Err(why) => {
            wrong = Some(why);
            None
        }
    });
    filled.map_err(|name| wrong.unwrap_or_else(|| format!("nothing fills `{name}`")))
}

fn json_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Utf8 => "application/json; charset=utf-8",
        Encoding::EucKr => "application/json; charset=euc-kr",
    }
}

/// The inside of a JSON string.
fn json_inner(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}

fn encode(text: &str, encoding: Encoding) -> Result<Vec<u8>, String> {
    match encoding {
        Encoding::Utf8 => Ok(text.as_bytes().to_vec()),
        // An unmappable character would become an HTML reference on somebody's phone.
        Encoding::EucKr => match encoding_rs::EUC_KR.encode(text) {
            (bytes, _, false) => Ok(bytes.into_owned()),
            _ => Err("the text holds a character that EUC-KR does not have".to_owned()),
        },
    }
}

/// Percent-encoded but for RFC 3986's unreserved characters.
fn percent(text: &str, encoding: Encoding) -> Result<String, String> {
    let mut out = String::new();
    for byte in encode(text, encoding)? {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(out)
}

/// `2026-01-14 09:12:00`, Korean time: how providers take a range.
fn local(at: Ms) -> String {
    let c = civil(at);
    format!("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second)
}
