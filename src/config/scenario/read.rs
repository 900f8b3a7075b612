//! Scenarios out of a checked tree.
//!
//! The idea: each feed, action and expectation is one of a few forms, told apart by one key; a form that fits none, or
//! lacks what it needs, is a problem with its place, and the others are read on.

use std::sync::Arc;

use super::series::{self, Slip};
use super::{Action, Answer, Expect, Feed, Kind, Own, Scenario, Verb, What, Which};
use crate::config::problem::Notes;
use crate::config::read::{Obj, nearest};
use crate::config::tree::Node;
use crate::model::{Channel, Reason, Severity, State, builtin};
use crate::time::Ms;

/// Ids that scenarios of a file may name; `None` = not known, not asked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known<'a> {
    /// Rules.
    pub rules: Option<&'a [String]>,
    /// Contacts.
    pub contacts: Option<&'a [String]>,
}

/// The scenarios of `file`.
pub(crate) fn scenarios(
    file: Obj<'_>,
    name: &str,
    own: &Arc<Own>,
    known: Known<'_>,
    notes: &mut Notes,
) -> Vec<Scenario> {
    let mut found: Vec<Scenario> = Vec::new();
    for item in file.subs("scenarios") {
        let before = notes.errors();
        let title = item.owned("name").unwrap_or_default();
        if !title.is_empty() && found.iter().any(|other| other.name == title) {
            notes.error("duplicate-id", item.at("name"), format!("scenario `{title}` stands twice"), "rename one");
        }
        let mut scenario = Scenario {
            name: title,
            file: name.to_owned(),
            line: item.place().line,
            feed: Vec::new(),
            actions: Vec::new(),
            expect: Vec::new(),
            exact: item.list("exact").iter().filter_map(|node| Kind::parse(node.as_text()?)).collect(),
            own: Arc::clone(own),
        };
        for part in item.subs("feed") {
            scenario.feed.extend(feed(part, notes));
        }
        for part in item.subs("do") {
            scenario.actions.extend(action(part, known, notes));
        }
        for part in item.subs("expect") {
            scenario.expect.extend(expect(part, known, notes));
        }
        if notes.errors() == before {
            found.push(scenario);
        }
    }
    found
}

fn feed(part: Obj<'_>, notes: &mut Notes) -> Option<Feed> {
    let at = part.duration("at").unwrap_or(0);
    match (part.has("series"), part.has("line")) {
        (true, false) => {
            for key in ["every", "values"] {
                require(part, key, "a series", notes);
            }
            refuse(part, &["level", "text"], "a series", notes);
            let read = inside(part.get("series")?, "bad-series", series::series, notes);
            let values = inside(part.get("values")?, "bad-values", series::values, notes);
            let (name, labels) = read?;
            Some(Feed::Series { name, labels, from: at, every: part.duration("every")?, values: values? })
        }
        (false, true) => {
            for key in ["at", "text"] {
                require(part, key, "a log line", notes);
            }
            refuse(part, &["every", "values"], "a log line", notes);
            let labels = part.labels("line");
            if labels.get("host").is_none() {
                let message = "a log line without `host`";
                notes.error("scenario-shape", part.at("line"), message, "write line: { host: was-01, … }");
            }
            let level = part.owned("level").unwrap_or_default();
            Some(Feed::Line { labels, at, level, text: part.owned("text")? })
        }
        _ => {
            let help = "write series, every and values; or line, at and text";
            notes.error("scenario-shape", part.place(), "a feed is either a `series` or a `line`", help);
            None
        }
    }
}

fn inside<T>(node: &Node, id: &'static str, read: fn(&str) -> Result<T, Slip>, notes: &mut Notes) -> Option<T> {
    match read(node.as_text()?) {
        Ok(value) => Some(value),
        Err(slip) => {
            let help = match id {
                "bad-series" => "write NAME{label=\"value\",…}",
                _ => "write 0.5x30 (31 times), 1+2x3 (1 3 5 7), _ (missing)",
            };
            notes.error(id, node.inside(slip.at), slip.why, help);
            None
        }
    }
}

fn require(part: Obj<'_>, key: &str, what: &str, notes: &mut Notes) {
    if !part.has(key) {
        notes.error("missing-key", part.place(), format!("{what} without `{key}`"), format!("add `{key}: …`"));
    }
}

fn refuse(part: Obj<'_>, keys: &[&str], what: &str, notes: &mut Notes) {
    for key in keys.iter().filter(|key| part.has(key)) {
        notes.error("scenario-shape", part.key_at(key), format!("`{key}` does not belong to {what}"), "remove it");
    }
}

/// The one key of `verbs` that is there; more or none is a problem.
fn verb<'v>(part: Obj<'_>, verbs: &[&'v str], what: &str, notes: &mut Notes) -> Option<&'v str> {
    let found: Vec<&str> = verbs.iter().copied().filter(|verb| part.has(verb)).collect();
    match found.as_slice() {
        [one] => Some(one),
        [] => {
            let help = format!("it takes one of {}", verbs.join(", "));
            notes.error("scenario-shape", part.place(), format!("{what} says nothing to do or see"), help);
            None
        }
        [_, second, ..] => {
            let message = format!("`{second}` beside another of {}", verbs.join(", "));
            notes.error("scenario-shape", part.key_at(second), message, "make it two entries");
            None
        }
    }
}

fn known(part: Obj<'_>, key: &str, what: &str, ids: Option<&[String]>, notes: &mut Notes) {
    let (Some(id), Some(ids)) = (part.text(key), ids) else { return };
    if ids.iter().any(|known| known == id) || (what == "rule" && builtin(id).is_some()) {
        return;
    }
    let words: Vec<&str> = ids.iter().map(String::as_str).collect();
    let help =
        nearest(id, &words).map_or_else(|| format!("no {what} has this id"), |near| format!("did you mean `{near}`?"));
    notes.error("scenario-unknown", part.at(key), format!("there is no {what} `{id}`"), help);
}

const VERBS: &[&str] = &[
    "ack",
    "unack",
    "handover",
    "resolve",
    "reopen",
    "silence",
    "expire",
    "gateway",
    "reload",
    "restart",
    "crash",
    "clock",
    "partition",
    "leader",
    "receipt",
];

fn action(part: Obj<'_>, ids: Known<'_>, notes: &mut Notes) -> Option<Action> {
    let name = verb(part, VERBS, "an action", notes)?;
    let needed: &[&str] = match name {
        "ack" | "unack" | "resolve" | "reopen" => &["by"],
        "handover" => &["by", "to"],
        "silence" => &["for", "by"],
        "gateway" | "receipt" => &["answers"],
        _ => &[],
    };
    needed.iter().for_each(|key| require(part, key, &format!("`{name}`"), notes));
    if matches!(name, "ack" | "unack" | "handover" | "resolve" | "reopen") {
        known(part, name, "rule", ids.rules, notes);
    }
    for key in ["by", "to", "receipt"] {
        known(part, key, "contact", ids.contacts, notes);
    }
    Some(Action { at: part.duration("at")?, verb: doing(part, name)? })
}

fn doing(part: Obj<'_>, name: &str) -> Option<Verb> {
    let which = || Some(Which { rule: part.owned(name)?, labels: part.labels("labels") });
    let by = || part.owned("by");
    let answers = || part.word("answers", Answer::parse);
    Some(match name {
        "ack" => Verb::Ack { which: which()?, by: by()?, hold: part.duration("for") },
        "unack" => Verb::Unack { which: which()?, by: by()? },
        "handover" => Verb::Handover { which: which()?, by: by()?, to: part.owned("to")? },
        "resolve" => Verb::Resolve { which: which()?, by: by()? },
        "reopen" => Verb::Reopen { which: which()?, by: by()? },
        "silence" => Verb::Silence {
            labels: part.labels("silence"),
            length: part.duration("for")?,
            by: by()?,
            reason: part.owned("reason").unwrap_or_default(),
        },
        "expire" => Verb::Expire { labels: part.labels("expire") },
        "gateway" => Verb::Gateway { channel: part.word("gateway", Channel::parse)?, answers: answers()? },
        "reload" => Verb::Reload,
        "restart" => Verb::Restart,
        "crash" => Verb::Crash,
        "clock" => Verb::Clock { by: part.shift("clock")? },
        "partition" => {
            let (partition, up) = part.partition("partition")?;
            Verb::Partition { partition, up }
        }
        "leader" => Verb::Leader,
        _ => Verb::Receipt { to: part.owned("receipt")?, answers: answers()? },
    })
}

fn expect(part: Obj<'_>, ids: Known<'_>, notes: &mut Notes) -> Option<Expect> {
    let name = verb(part, &["signal", "incident", "page"], "an expectation", notes)?;
    let foreign: &[&str] = match name {
        "signal" => &["state", "channel", "reason", "step", "text"],
        "incident" => &["from", "to", "value", "channel", "reason", "step", "text"],
        _ => &["labels", "from", "to", "state", "value", "severity"],
    };
    refuse(part, foreign, &format!("`{name}`"), notes);
    match name {
        "page" => known(part, name, "contact", ids.contacts, notes),
        _ => known(part, name, "rule", ids.rules, notes),
    }
    let at: Ms = part.duration("at")?;
    let which = || Some(Which { rule: part.owned(name)?, labels: part.labels("labels") });
    let severity = part.word("severity", Severity::parse);
    let what = match name {
        "signal" => What::Signal {
            which: which()?,
            from: part.word("from", State::parse),
            to: part.word("to", State::parse),
            severity,
            value: part.number("value"),
        },
        "incident" => What::Incident { which: which()?, state: part.owned("state"), severity },
        _ => What::Page {
            to: part.owned("page")?,
            channel: part.word("channel", Channel::parse),
            reason: part.word("reason", Reason::parse),
            step: part.int("step"),
            text: part.owned("text"),
        },
    };
    Some(Expect { at, line: part.place().line, what })
}
