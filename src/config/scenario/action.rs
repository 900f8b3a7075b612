//! `do:`: what people and the world do.
//!
//! The idea: one table names each verb with the keys that it needs and those that it may have besides, so that a key
//! which would be ignored is a mistake. What repeats is spread into single actions.

use super::read::{Known, known, refuse, require, verb};
use super::{ANY, Action, Answer, ClockOf, Code, Fate, Hush, Verb, Which, reload};
use crate::config::problem::Notes;
use crate::config::read::Obj;
use crate::config::tree::Data;
use crate::model::{Channel, DRILL_HOLD, DrillAsk, Severity};
use crate::time::{self, Ms};

/// Repetitions of one action at most.
const TIMES_MAX: i64 = 100_000;

/// A verb, the keys that it needs, and those that it may have.
const VERBS: &[(&str, &[&str], &[&str])] = &[
    ("ack", &["by"], &["labels", "for", "note", "pick", "code"]),
    ("unack", &["by"], &["labels", "pick"]),
    ("handover", &["by", "to"], &["labels", "note", "for", "pick"]),
    ("resolve", &["by"], &["labels", "note", "pick"]),
    ("reopen", &["by"], &["labels", "pick"]),
    ("drill", &["by"], &["labels", "severity", "for", "note"]),
    ("silence", &["by", "for", "reason"], &["approver", "after", "replaces", "hides_s1", "waits"]),
    ("expire", &[], &["by", "pick"]),
    ("approve", &["by"], &["pick"]),
    ("gateway", &["answers"], &["for", "look_up"]),
    ("reload", &[], &["rules", "contacts", "chains", "resources", "sla"]),
    ("restart", &[], &["for"]),
    ("crash", &[], &["for", "writes", "last"]),
    ("clock", &[], &["of"]),
    ("partition", &[], &[]),
    ("disk", &[], &["for"]),
    ("store", &[], &["for"]),
    ("leader", &[], &[]),
    ("receipt", &[], &["answers", "channel", "to", "pick"]),
];

/// Keys that belong to some verbs only.
const PARTS: &[&str] = &[
    "labels",
    "by",
    "to",
    "for",
    "reason",
    "note",
    "channel",
    "answers",
    "look_up",
    "of",
    "rules",
    "contacts",
    "chains",
    "resources",
    "sla",
    "approver",
    "pick",
    "code",
    "severity",
    "after",
    "replaces",
    "hides_s1",
    "waits",
    "writes",
    "last",
];

/// One entry of `do:`, spread.
pub(super) fn actions(part: Obj<'_>, ids: Known<'_>, notes: &mut Notes) -> Vec<Action> {
    let Some(verb) = action(part, ids, notes) else { return Vec::new() };
    let Some(at) = part.duration("at") else { return Vec::new() };
    let line = part.place().line;
    let every = part.duration("every");
    if every.is_none() {
        refuse(part, &["times", "until"], "an action without `every`", notes);
    }
    let times = match (every, part.int("times"), part.duration("until")) {
        (None, ..) => 1,
        (_, Some(times), _) => times,
        (Some(every), None, Some(until)) => ((until - at) / every + 1).clamp(0, TIMES_MAX),
        (Some(_), None, None) => {
            let message = "`every` without an end";
            notes.error("scenario-shape", part.key_at("every"), message, "add `times: …` or `until: …`");
            0
        }
    };
    let every = every.unwrap_or(0);
    (0..times).map(|n| Action { at: at + n * every, line, verb: verb.clone() }).collect()
}

fn action(part: Obj<'_>, ids: Known<'_>, notes: &mut Notes) -> Option<Verb> {
    let names: Vec<&str> = VERBS.iter().map(|(name, ..)| *name).collect();
    let name = verb(part, &names, "an action", notes)?;
    let (_, needs, takes) = VERBS.iter().find(|(known, ..)| *known == name)?;
    for key in *needs {
        require(part, key, &format!("`{name}`"), notes);
    }
    let foreign: Vec<&str> = PARTS.iter().copied().filter(|key| !needs.contains(key) && !takes.contains(key)).collect();
    refuse(part, &foreign, &format!("`{name}`"), notes);
    match name {
        "ack" | "unack" | "handover" | "resolve" | "reopen" => by_hand(part, name, ids, notes),
        "drill" => drill(part, ids, notes),
        "silence" => silence(part),
        "expire" => Some(Verb::Expire {
            matchers: part.matchers(name),
            pick: part.count("pick"),
            by: part.owned("by").unwrap_or_else(|| "scenario".to_owned()),
        }),
        "approve" => {
            Some(Verb::Approve { matchers: part.matchers(name), pick: part.count("pick"), by: part.owned("by")? })
        }
        "receipt" => receipt(part, ids, notes),
        "reload" => reload::reload(part, ids, notes).map(Verb::Reload),
        _ => world(part, name, notes),
    }
}

/// What people do to an incident.
fn by_hand(part: Obj<'_>, name: &str, ids: Known<'_>, notes: &mut Notes) -> Option<Verb> {
    let pick = part.count("pick");
    if !part.text(name).is_some_and(|text| is_number(text) || (text == ANY && pick.is_some())) {
        known(part, name, "rule", ids.rules, notes);
    }
    let which = Which { rule: part.owned(name)?, labels: part.labels("labels"), pick };
    let by = part.owned("by")?;
    let note = part.owned("note").unwrap_or_default();
    Some(match name {
        "ack" => Verb::Ack { which, by, hold: part.duration("for"), note, code: part.word("code", Code::parse) },
        "unack" => Verb::Unack { which, by },
        "handover" => Verb::Handover { which, by, to: part.owned("to")?, note, hold: part.duration("for") },
        "resolve" => Verb::Resolve { which, by, note },
        _ => Verb::Reopen { which, by },
    })
}

/// Somebody starts a drill.
fn drill(part: Obj<'_>, ids: Known<'_>, notes: &mut Notes) -> Option<Verb> {
    known(part, "drill", "rule", ids.rules, notes);
    Some(Verb::Drill(DrillAsk {
        rule: part.owned("drill")?,
        labels: part.labels("labels"),
        severity: part.word("severity", Severity::parse).unwrap_or(Severity::S1),
        hold: part.duration("for").unwrap_or(DRILL_HOLD),
        by: part.owned("by")?,
        note: part.owned("note").unwrap_or_default(),
    }))
}

/// Somebody wants to hear nothing of something.
fn silence(part: Obj<'_>) -> Option<Verb> {
    Some(Verb::Silence(Hush {
        matchers: part.matchers("silence"),
        after: part.duration("after").unwrap_or(0),
        length: part.duration("for")?,
        by: part.owned("by")?,
        reason: part.owned("reason")?,
        approver: part.owned("approver"),
        replaces: part.count("replaces"),
        hides_s1: part.flag("hides_s1"),
        waits: ["approver", "hides_s1"].iter().any(|key| part.has(key)) || part.flag("waits"),
    }))
}

/// Whether a text is the number of an incident.
fn is_number(text: &str) -> bool {
    ["INC-", "SEC-", "DRL-"].iter().any(|prefix| text.starts_with(prefix))
}

/// What the world does.
fn world(part: Obj<'_>, name: &str, notes: &mut Notes) -> Option<Verb> {
    let length = part.duration("for");
    Some(match name {
        "gateway" => Verb::Gateway {
            channel: part.word("gateway", Channel::parse)?,
            answers: answers(part, notes)?,
            look_up: part.has("look_up").then(|| part.flag("look_up")),
            length,
        },
        "restart" => Verb::Restart(pause(part, name, notes)?),
        "crash" => Verb::Crash {
            away: pause(part, name, notes)?,
            writes: part.count("writes"),
            kept: part.text("last") == Some("kept"),
        },
        "clock" => {
            let of = match part.text("of") {
                Some("log") => ClockOf::Log,
                Some("wall") => ClockOf::Wall,
                _ => ClockOf::Both,
            };
            Verb::Clock { by: part.shift("clock")?, of }
        }
        "partition" => {
            let (partition, up) = part.partition("partition")?;
            Verb::Partition { partition, up }
        }
        "disk" => Verb::Disk { log: true, well: part.text("disk")? == "ok", length },
        "store" => Verb::Disk { log: false, well: part.text("store")? == "ok", length },
        _ => {
            pause(part, name, notes)?;
            Verb::Leader
        }
    })
}

fn answers(part: Obj<'_>, notes: &mut Notes) -> Option<Answer> {
    let word = part.text("answers")?;
    let answer = Answer::parse(word);
    if answer.is_none() {
        let help = format!("it takes {}", Answer::WORDS.join(", "));
        notes.error("unknown-word", part.at("answers"), format!("no gateway answers `{word}`"), help);
    }
    answer
}

/// `true`, a length, or nothing, beside `for`: how long the process is away.
fn pause(part: Obj<'_>, name: &str, notes: &mut Notes) -> Option<Ms> {
    let length = part.duration("for").unwrap_or(0);
    let node = part.get(name)?;
    match (&node.data, node.as_text()) {
        (Data::Null, _) | (_, Some("true")) => Some(length),
        (_, Some(text)) if time::parse_duration(text).is_some() && !part.has("for") => time::parse_duration(text),
        _ => {
            let message = format!("`{name}` needs `true`, found {}", node.describe());
            notes.error("bad-value", node.at, message, format!("write `{name}: true`; `for: 5m` says how long"));
            None
        }
    }
}

/// `receipt: CONTACT, answers: …`, or `receipt: delivered, to: CONTACT`.
fn receipt(part: Obj<'_>, ids: Known<'_>, notes: &mut Notes) -> Option<Verb> {
    let fate = |word: &str| match word {
        "ok" | "delivered" => Some(Fate::Delivered),
        "failed" | "refused" => Some(Fate::Failed),
        _ => None,
    };
    let (who, said) = if part.has("to") { ("to", "receipt") } else { ("receipt", "answers") };
    let pick = part.count("pick");
    if !(pick.is_some() && part.text(who) == Some(ANY)) {
        known(part, who, "contact", ids.contacts, notes);
    }
    let word = part.text(said).unwrap_or("delivered");
    let Some(fate) = fate(word) else {
        let message = format!("no report says `{word}`");
        notes.error("unknown-word", part.at(said), message, "it takes delivered, failed");
        return None;
    };
    Some(Verb::Receipt { to: part.owned(who)?, channel: part.word("channel", Channel::parse), pick, fate })
}
