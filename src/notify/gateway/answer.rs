//! What a provider's answer means: yes, no and why, or nobody knows.
//!
//! The idea: only a clear yes is *accepted* and only a clear no is *refused*; an answer that is neither (cut off, not
//! JSON, of another shape, or from a proxy in between) says nothing about the message, and is *unknown*. The provider's
//! codes come first, the HTTP status only where no code speaks.

use serde_json::Value;

use crate::model::{Check, CodeRule, Fate, HttpWay, Item, Question};
use crate::notify::{LookedUp, Refusal, Sent, Told};
use crate::time::{Ms, SECOND};

/// A wait that a provider asks for is honoured up to here: a page has a deadline.
const RETRY_AFTER_MAX: Ms = 10 * 60 * SECOND;

/// An answer as it came.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub status: u16,
    /// The `Retry-After` header.
    pub retry_after: Option<String>,
    pub body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok().or_else(|| {
            // Older interfaces answer in EUC-KR, whatever they say.
            let (text, _, bad) = encoding_rs::EUC_KR.decode(&self.body);
            if bad { None } else { serde_json::from_str(&text).ok() }
        })
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Seconds; a date is not asked for by any provider that we know, and the usual pause stands in.
    fn wait(&self) -> Option<Ms> {
        let seconds: Ms = self.retry_after.as_ref()?.trim().parse().ok()?;
        Some(seconds.clamp(0, RETRY_AFTER_MAX / SECOND) * SECOND)
    }
}

/// What the answer to a message means.
pub(super) fn sent(way: &HttpWay, answer: &Answer) -> Sent {
    let json = answer.json();
    let code = json.as_ref().and_then(|json| first(json, &way.code));
    if answer.is_success() {
        let Some(json) = &json else {
            return if way.success.is_empty() && way.id.is_empty() {
                Sent::Accepted { id: String::new() }
            } else {
                Sent::Unknown { why: format!("status {} with an answer that cannot be read", answer.status) }
            };
        };
        match holds(&way.success, json) {
            Some(true) if !way.success.is_empty() || way.id.is_empty() || first(json, &way.id).is_some() => {
                return Sent::Accepted { id: joined(json, &way.id) };
            }
            Some(false) => return refused(way, code.as_deref(), answer).unwrap_or_else(|| no(Refusal::Server, answer)),
            _ => {
                let unknown =
                    Sent::Unknown { why: format!("status {} with an answer of another shape", answer.status) };
                return refused(way, code.as_deref(), answer).unwrap_or(unknown);
            }
        }
    }
    refused(way, code.as_deref(), answer).unwrap_or_else(|| by_status(answer))
}

/// A no that the table knows.
fn refused(way: &HttpWay, code: Option<&str>, answer: &Answer) -> Option<Sent> {
    let status = format!("http-{}", answer.status);
    let rule = |code: &str| way.codes.iter().find(|rule| rule.of.iter().any(|known| fits(known, code)));
    let CodeRule { reason, retry, .. } = code.and_then(rule).or_else(|| rule(&status))?;
    let reason = Refusal::parse(reason)?;
    let permanent = retry.map_or(reason.is_permanent(), |retry| !retry);
    Some(Sent::Refused { reason, permanent, retry_after: answer.wait() })
}

fn no(reason: Refusal, answer: &Answer) -> Sent {
    Sent::Refused { reason, permanent: reason.is_permanent(), retry_after: answer.wait() }
}

fn by_status(answer: &Answer) -> Sent {
    match answer.status {
        401 | 403 => no(Refusal::Auth, answer),
        429 => no(Refusal::Rate, answer),
        // The provider's front gave up on what it had passed on: it may have gone through.
        502 | 504 => Sent::Unknown { why: format!("status {}: its front lost the answer", answer.status) },
        408 | 425 | 500..600 => no(Refusal::Server, answer),
        // Moved or not there: the address in our settings is wrong.
        300..400 | 404 | 405 | 410 => no(Refusal::Auth, answer),
        400..500 => no(Refusal::Content, answer),
        status => Sent::Unknown { why: format!("status {status}") },
    }
}

/// What the answer to a question by our id means.
pub(super) fn looked_up(question: &Question, page: &str, answer: &Answer) -> LookedUp {
    if answer.status == 404 && question.list.is_none() {
        return LookedUp::NotThere;
    }
    let Some(items) = items_of(question, answer) else { return LookedUp::Unknown };
    let mut about = items.iter().filter(|item| is_about(&question.item, item, page));
    let Some(item) = about.next() else { return LookedUp::NotThere };
    match fate(&question.item, item) {
        Fate::Failed(reason) => LookedUp::Failed { reason: Refusal::parse(&reason).unwrap_or(Refusal::Recipient) },
        Fate::Delivered | Fate::Pending => LookedUp::Accepted { id: joined(item, &question.item.id) },
    }
}

/// What became of an accepted message; `None` = the answer does not say.
pub(super) fn became(question: &Question, page: &str, answer: &Answer) -> Option<Fate> {
    let items = items_of(question, answer)?;
    items.iter().find(|item| is_about(&question.item, item, page)).map(|item| fate(&question.item, item))
}

fn items_of(question: &Question, answer: &Answer) -> Option<Vec<Value>> {
    let json = answer.json().filter(|_| answer.is_success())?;
    if holds(&question.success, &json) != Some(true) {
        return None;
    }
    match &question.list {
        None => Some(vec![json]),
        Some(list) => json.pointer(list)?.as_array().cloned(),
    }
}

/// What a body posted by the provider tells; `None` = it cannot be read.
pub(super) fn told(list: Option<&str>, item: &Item, body: &[u8]) -> Option<Vec<Told>> {
    let json: Value = serde_json::from_slice(body).ok()?;
    let items = match list {
        None => vec![json],
        Some(list) => json.pointer(list)?.as_array()?.clone(),
    };
    let read = |message: &Value| Told {
        page: item.page.as_ref().and_then(|at| text(message, at)),
        id: (!item.id.is_empty()).then(|| joined(message, &item.id)),
        fate: fate(item, message),
    };
    Some(items.iter().map(read).collect())
}

fn is_about(item: &Item, message: &Value, page: &str) -> bool {
    item.page.as_ref().is_none_or(|at| text(message, at).as_deref() == Some(page))
}

fn fate(item: &Item, message: &Value) -> Fate {
    // The first pointer whose value the table knows: a status may say "done" and a code beside it say how.
    let values = item.state.iter().filter_map(|at| text(message, at));
    let known = |value: String| {
        item.states.iter().find(|rule| rule.of.iter().any(|known| fits(known, &value))).map(|rule| rule.is.clone())
    };
    values.filter_map(known).next().unwrap_or(Fate::Pending)
}

fn fits(known: &str, code: &str) -> bool {
    known.strip_suffix('*').map_or(known == code, |head| code.starts_with(head))
}

/// Whether every condition holds. One that does not is a clear no; else `None` where one asks for what is not there.
fn holds(checks: &[Check], json: &Value) -> Option<bool> {
    let mut all = Some(true);
    for check in checks {
        match text(json, &check.at) {
            Some(value) if value == check.is => {}
            Some(_) => return Some(false),
            None => all = None,
        }
    }
    all
}

fn first(json: &Value, pointers: &[String]) -> Option<String> {
    pointers.iter().find_map(|at| text(json, at))
}

fn joined(json: &Value, pointers: &[String]) -> String {
    pointers.iter().map(|at| text(json, at).unwrap_or_default()).collect::<Vec<_>>().join(":")
}

fn text(json: &Value, at: &str) -> Option<String> {
    match json.pointer(at)? {
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}
