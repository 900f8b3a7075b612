//! `expect:`: signals, incidents, pages and what became of pages.
//!
//! The idea: every field narrows what fits; what is left out is not compared. `until` widens the instant to a time,
//! `count` asks how often.

use super::read::{Known, known, refuse, verb};
use super::{Expect, Told, What, Which};
use crate::config::problem::Notes;
use crate::config::read::Obj;
use crate::model::{Cause, Channel, Ended, Labels, Reason, Severity, State};
use crate::time::Ms;

const KINDS: &[&str] = &["signal", "incident", "page", "outcome", "arrival"];
const OF_SIGNALS: &[&str] = &["from", "to", "value", "unknown", "ended"];
const OF_INCIDENTS: &[&str] = &["state", "number"];
const OF_PAGES: &[&str] = &["channel", "reason", "step", "text", "form", "bytes", "rule"];

/// One entry of `expect:`.
pub(super) fn expect(part: Obj<'_>, ids: Known<'_>, notes: &mut Notes) -> Option<Expect> {
    let name = verb(part, KINDS, "an expectation", notes)?;
    let foreign: Vec<&str> = match name {
        "signal" => [OF_INCIDENTS, OF_PAGES, &["result"]].concat(),
        "incident" => [OF_SIGNALS, OF_PAGES, &["result"]].concat(),
        "page" | "arrival" => [OF_SIGNALS, OF_INCIDENTS, &["result"]].concat(),
        _ => [OF_SIGNALS, OF_INCIDENTS].concat(),
    };
    refuse(part, &foreign, &format!("`{name}`"), notes);
    match name {
        "page" | "outcome" | "arrival" if part.text(name) == Some("*") => {}
        "page" | "outcome" | "arrival" => known(part, name, "contact", ids.contacts, notes),
        _ => known(part, name, "rule", ids.rules, notes),
    }
    known(part, "rule", "rule", ids.rules, notes);
    let at: Ms = part.duration("at")?;
    let until = part.duration("until").unwrap_or(at);
    if until < at {
        notes.error("scenario-shape", part.at("until"), "`until` before `at`", "`until` is a time on the same clock");
        return None;
    }
    if part.has("count") {
        refuse(part, &["least", "most"], "an expectation with `count`", notes);
    }
    let (count, least, most) = (part.count("count"), part.count("least"), part.count("most"));
    let bounds = (least.or(most.map(|_| 0)), most.or(least.map(|_| usize::MAX)));
    let count = count.map(|count| (count, count)).or(bounds.0.zip(bounds.1));
    Some(Expect { at, until, count, line: part.place().line, what: what(part, name)? })
}

fn what(part: Obj<'_>, name: &str) -> Option<What> {
    let which = || Some(Which { rule: part.owned(name)?, labels: part.labels("labels"), pick: None });
    let severity = part.word("severity", Severity::parse);
    Some(match name {
        "signal" => What::Signal {
            which: which()?,
            from: part.word("from", State::parse),
            to: part.word("to", State::parse),
            severity,
            value: part.number("value"),
            unknown: part.text("unknown").map(Cause::parse),
            ended: part.word("ended", Ended::parse),
        },
        "incident" => {
            What::Incident { which: which()?, state: part.owned("state"), severity, number: part.owned("number") }
        }
        "page" => What::Page(told(part, name)?),
        "arrival" => What::Arrival(told(part, name)?),
        _ => What::Outcome { page: told(part, name)?, result: part.owned("result") },
    })
}

fn told(part: Obj<'_>, name: &str) -> Option<Told> {
    let labels: Labels = part.labels("labels");
    Some(Told {
        to: Some(part.owned(name)?).filter(|to| to != "*"),
        channel: part.word("channel", Channel::parse),
        reason: part.word("reason", Reason::parse),
        step: part.int("step"),
        text: part.owned("text"),
        form: part.owned("form"),
        bytes: part.count("bytes"),
        severity: part.word("severity", Severity::parse),
        rule: part.owned("rule"),
        labels,
    })
}
