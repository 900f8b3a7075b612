//! The JSON of signals, inputs, incidents, chain rows, pages and state rows: stored, kept in the ledger, printed.
//!
//! The idea: one canonical text per value (names sorted, no spaces: what `Value::to_string` gives), so that equal
//! values hash equal in the ledger, and what is printed is what is stored. `*_to_json` and `*_from_json` are exact
//! inverses; a reader takes nothing that its writer would not have written and answers `None` instead. Not here: rows
//! and columns (`store`), and the other direction of printing (`cli` adds `at` where a thing has none).

use serde_json::Value;

use crate::model::{
    Ack, Came, Cause, ChainRow, Channel, Domain, Ended, Fingerprint, Incident, IncidentState, Input, Labels, Outcome,
    Overdue, OverdueKind, Page, Reason, Severity, Signal, SignalKey, State, StateRow,
};
use fields::{Reader, Writer};

mod drill;
mod fields;
mod mute;
mod sla;
mod group;
#[cfg(test)]
mod tests;

pub use drill::drilled_to_json;
pub use fields::twelve_digits;
pub use group::{suspect as suspect_to_json, triage as triage_to_json};
pub use mute::{matcher_from_json, matcher_to_json, muted_to_json, silence_from_json, silence_to_json};

/// A signal in its printed shape, with what the shape does not show: `fingerprint`, `since`, `unknown`, `ended`,
/// `acted` and the exact `bits` of the value.
pub fn signal_to_json(signal: &Signal) -> Value {
    Writer::new("type", "signal")
        .put("at", signal.at)
        .put("rule", signal.rule.as_ref())
        .put("labels", signal.labels.to_json())
        .put("fingerprint", signal.fingerprint.to_string())
        .put("from", signal.from.word())
        .put("to", signal.to.word())
        .maybe("severity", signal.severity.map(Severity::code))
        .number("value", signal.value)
        .maybe("unknown", signal.unknown.map(Cause::word))
        .maybe("since", signal.since)
        .maybe("ended", signal.ended.map(Ended::word))
        .put("acted", signal.acted)
        .done()
}

/// Reads what [`signal_to_json`] wrote.
pub fn signal_from_json(value: &Value) -> Option<Signal> {
    let reader = Reader::new(value)?;
    reader.text("type").filter(|kind| *kind == "signal")?;
    Some(Signal {
        rule: reader.text("rule")?.into(),
        labels: Labels::from_json(reader.get("labels")?)?,
        fingerprint: reader.word("fingerprint", Fingerprint::parse)?,
        from: reader.word("from", State::parse)?,
        to: reader.word("to", State::parse)?,
        severity: reader.maybe_word("severity", Severity::parse)?,
        value: reader.number("value")?,
        unknown: reader.maybe_word("unknown", Cause::parse)?,
        at: reader.int("at")?,
        since: reader.maybe_int("since")?,
        ended: reader.maybe_word("ended", Ended::parse)?,
        acted: reader.flag("acted")?,
    })
}

/// A signal as its row holds it: [`signal_to_json`] and how what raised it came in.
pub fn raised_to_json(signal: &Signal, came: Option<&Came>) -> Value {
    let mut json = signal_to_json(signal);
    if let (Some(came), Some(fields)) = (came, json.as_object_mut()) {
        fields.insert("came".to_owned(), came_to_json(came));
    }
    json
}

/// Reads what [`raised_to_json`] wrote.
pub fn raised_from_json(value: &Value) -> Option<(Signal, Option<Came>)> {
    Some((signal_from_json(value)?, Reader::new(value)?.maybe("came", came_from_json)?))
}

fn came_to_json(came: &Came) -> Value {
    Value::from(vec![came.sampled, came.appended, came.consumed])
}

fn came_from_json(reader: Reader<'_>, name: &str) -> Option<Came> {
    match reader.list(name, Value::as_i64)?.as_slice() {
        [sampled, appended, consumed] => Some(Came { sampled: *sampled, appended: *appended, consumed: *consumed }),
        _ => None,
    }
}

/// The kind of an input: the `kind` of its JSON, of its row and of its ledger entry.
pub const fn input_kind(input: &Input) -> &'static str {
    match input {
        Input::Signal { .. } => "signal",
        Input::Own(_) => "own",
        Input::CaughtUp { .. } => "caught_up",
        Input::Ack { .. } => "ack",
        Input::AckCode { .. } => "ack_code",
        Input::Handover { .. } => "handover",
        Input::Unack { .. } => "unack",
        Input::Swept(_) => "swept",
        Input::Pace { .. } => "pace",
        Input::Resolve { .. } => "resolve",
        Input::Reopen { .. } => "reopen",
        Input::Silence(_) => "silence",
        Input::Drill(_) => "drill",
        Input::Expire { .. } => "expire",
        Input::Approve { .. } => "approve",
        Input::Handed { .. } => "handed",
        Input::GivenBack { .. } => "given_back",
        Input::Outcome { .. } => "outcome",
        Input::Clock { .. } => "clock",
        Input::Due => "due",
        Input::Reload { .. } => "reload",
    }
}

/// An input as the ledger and the row hold it.
pub fn input_to_json(input: &Input) -> Value {
    let writer = Writer::new("kind", input_kind(input));
    match input {
        Input::Signal { key, signal, heard, caught_up, came } => writer
            .put("topic", key.topic.as_str())
            .put("partition", key.partition)
            .put("seq", key.seq)
            .put("signal", signal_to_json(signal))
            .put("heard", *heard)
            .put("caught_up", *caught_up)
            .maybe("came", came.as_ref().map(came_to_json)),
        Input::Own(signal) => writer.put("signal", signal_to_json(signal)),
        Input::CaughtUp { topic, partition } => writer.put("topic", topic.as_str()).put("partition", *partition),
        Input::Ack { incident, by, note, hold } => writer
            .put("incident", incident.as_str())
            .put("by", by.as_str())
            .put("note", note.as_str())
            .put("hold", *hold),
        Input::AckCode { incident, occurrence, used, by, note, hold } => writer
            .put("incident", incident.as_str())
            .put("occurrence", *occurrence)
            .put("used", *used)
            .put("by", by.as_str())
            .put("note", note.as_str())
            .put("hold", *hold),
        Input::Handover { incident, by, to, note, hold } => writer
            .put("incident", incident.as_str())
            .put("by", by.as_str())
            .put("to", to.as_str())
            .put("note", note.as_str())
            .maybe("hold", *hold),
        Input::Unack { incident, by } | Input::Reopen { incident, by } => {
            writer.put("incident", incident.as_str()).put("by", by.as_str())
        }
        Input::Resolve { incident, by, note } => {
            writer.put("incident", incident.as_str()).put("by", by.as_str()).put("note", note.as_str())
        }
        Input::Silence(ask) => writer.put("silence", mute::ask_to_json(ask)),
        Input::Drill(ask) => writer.put("drill", drill::ask_to_json(ask)),
        Input::Expire { silence, by } | Input::Approve { silence, by } => {
            writer.put("silence", silence.as_str()).put("by", by.as_str())
        }
        Input::Handed { page } => writer.put("page", page.as_str()),
        Input::GivenBack { page, again } => writer.put("page", page.as_str()).maybe("again", again.then_some(true)),
        Input::Outcome { page, outcome, at } => writer
            .put("page", page.as_str())
            .put("outcome", outcome.word())
            .put("detail", outcome.detail())
            .maybe("at", *at),
        Input::Swept(late) => writer.put("what", late.kind.word()).put("id", late.id.as_str()).put("due", late.due),
        Input::Pace { channel, p99 } => writer.put("channel", channel.word()).put("p99", *p99),
        Input::Clock { by } => writer.put("by", *by),
        Input::Due => writer,
        Input::Reload { hash, contacts } => {
            let contacts = (!contacts.is_empty()).then(|| contacts.clone());
            writer.put("hash", hash.as_str()).maybe("contacts", contacts)
        }
    }
    .done()
}

/// Reads what [`input_to_json`] wrote.
pub fn input_from_json(value: &Value) -> Option<Input> {
    let reader = Reader::new(value)?;
    let incident = || reader.string("incident");
    let by = || reader.string("by");
    let signal = || signal_from_json(reader.get("signal")?);
    Some(match reader.text("kind")? {
        "signal" => Input::Signal {
            key: SignalKey { topic: reader.string("topic")?, partition: partition(reader)?, seq: reader.int("seq")? },
            signal: signal()?,
            heard: reader.int("heard")?,
            caught_up: reader.flag("caught_up")?,
            came: reader.maybe("came", came_from_json)?,
        },
        "own" => Input::Own(signal()?),
        "caught_up" => Input::CaughtUp { topic: reader.string("topic")?, partition: partition(reader)? },
        "ack" => {
            Input::Ack { incident: incident()?, by: by()?, note: reader.string("note")?, hold: reader.int("hold")? }
        }
        "ack_code" => Input::AckCode {
            incident: incident()?,
            occurrence: reader.int("occurrence")?,
            used: reader.int("used")?,
            by: by()?,
            note: reader.string("note")?,
            hold: reader.int("hold")?,
        },
        "handover" => Input::Handover {
            incident: incident()?,
            by: by()?,
            to: reader.string("to")?,
            note: reader.string("note")?,
            hold: reader.maybe_int("hold")?,
        },
        "unack" => Input::Unack { incident: incident()?, by: by()? },
        "resolve" => Input::Resolve { incident: incident()?, by: by()?, note: reader.string("note")? },
        "reopen" => Input::Reopen { incident: incident()?, by: by()? },
        "silence" => Input::Silence(Box::new(mute::ask_from_json(reader.get("silence")?)?)),
        "drill" => Input::Drill(Box::new(drill::ask_from_json(reader.get("drill")?)?)),
        "expire" => Input::Expire { silence: reader.string("silence")?, by: by()? },
        "approve" => Input::Approve { silence: reader.string("silence")?, by: by()? },
        "handed" => Input::Handed { page: reader.string("page")? },
        "given_back" => Input::GivenBack {
            page: reader.string("page")?,
            again: reader.maybe("again", Reader::flag)?.unwrap_or(false),
        },
        "outcome" => Input::Outcome {
            page: reader.string("page")?,
            outcome: Outcome::parse(reader.text("outcome")?, reader.text("detail")?)?,
            at: reader.maybe_int("at")?,
        },
        "swept" => Input::Swept(Overdue {
            kind: reader.word("what", OverdueKind::parse)?,
            id: reader.string("id")?,
            due: reader.int("due")?,
        }),
        "pace" => Input::Pace { channel: reader.word("channel", Channel::parse)?, p99: reader.int("p99")? },
        "clock" => Input::Clock { by: reader.int("by")? },
        "due" => Input::Due,
        "reload" => Input::Reload {
            hash: reader.string("hash")?,
            contacts: reader.maybe("contacts", |reader, name| reader.list(name, text))?.unwrap_or_default(),
        },
        _ => return None,
    })
}

fn partition(reader: Reader<'_>) -> Option<i32> {
    i32::try_from(reader.int("partition")?).ok()
}

/// An incident in its printed shape (a printer adds `at`, the instant of the change) with everything else it has.
pub fn incident_to_json(incident: &Incident) -> Value {
    let ack = incident.ack.as_ref().map(|ack| {
        let taken = Writer::new("by", ack.by.as_str()).put("at", ack.at).put("until", ack.until);
        taken.put("note", ack.note.as_str()).done()
    });
    let opened_by = incident.partition.as_ref();
    Writer::new("type", "incident")
        .put("id", incident.id.as_str())
        .put("fingerprint", incident.fingerprint.to_string())
        .put("rule", incident.rule.as_ref())
        .put("labels", incident.labels.to_json())
        .put("title", incident.title.as_str())
        .put("domain", incident.domain.word())
        .put("state", incident.state.word())
        .put("severity", incident.severity.code())
        .put("occurred", incident.occurred)
        .put("detected", incident.detected)
        .maybe("resolved", incident.resolved)
        .maybe("ended", incident.ended.map(Ended::word))
        .maybe("ack", ack)
        .put("reopened", incident.reopened.clone())
        .put("flapping", incident.flapping)
        .put("occurrence", incident.occurrence)
        .maybe("held_until", incident.held_until)
        .maybe("topic", opened_by.map(|(topic, _)| topic.as_str()))
        .maybe("partition", opened_by.map(|(_, partition)| *partition))
        .maybe("notify_by", incident.notify_by)
        .maybe("notified", incident.notified)
        .maybe("calm_since", incident.calm_since)
        .maybe("codes_used", Some(incident.codes_used).filter(|used| *used != 0))
        .maybe("muted", incident.muted.as_ref().map(mute::muted_to_json))
        .maybe("sla", incident.sla.as_ref().map(sla::to_json))
        .maybe("parent", incident.parent.as_deref())
        .maybe("group", group::write(&incident.group))
        .maybe("came", incident.came.as_ref().map(came_to_json))
        .maybe("drill", incident.drill.as_ref().map(drill::drilled_to_json))
        .done()
}

/// Reads what [`incident_to_json`] wrote.
pub fn incident_from_json(value: &Value) -> Option<Incident> {
    let reader = Reader::new(value)?;
    reader.text("type").filter(|kind| *kind == "incident")?;
    let opened_by = match reader.maybe("topic", Reader::string)? {
        Some(topic) => Some((topic, partition(reader)?)),
        None => None,
    };
    Some(Incident {
        id: reader.string("id")?,
        fingerprint: reader.word("fingerprint", Fingerprint::parse)?,
        rule: reader.text("rule")?.into(),
        labels: Labels::from_json(reader.get("labels")?)?,
        title: reader.string("title")?,
        domain: reader.word("domain", Domain::parse)?,
        state: reader.word("state", IncidentState::parse)?,
        severity: reader.word("severity", Severity::parse)?,
        occurred: reader.int("occurred")?,
        detected: reader.int("detected")?,
        resolved: reader.maybe_int("resolved")?,
        ended: reader.maybe_word("ended", Ended::parse)?,
        ack: reader.maybe("ack", |reader, name| ack(Reader::new(reader.get(name)?)?))?,
        reopened: reader.list("reopened", Value::as_i64)?,
        flapping: reader.flag("flapping")?,
        occurrence: reader.int("occurrence")?,
        held_until: reader.maybe_int("held_until")?,
        partition: opened_by,
        notify_by: reader.maybe_int("notify_by")?,
        notified: reader.maybe_int("notified")?,
        calm_since: reader.maybe_int("calm_since")?,
        codes_used: reader.maybe_int("codes_used")?.unwrap_or(0),
        muted: reader.maybe("muted", |reader, name| mute::muted_from_json(reader.get(name)?))?,
        sla: reader.maybe("sla", |reader, name| sla::from_json(Reader::new(reader.get(name)?)?))?,
        parent: reader.maybe("parent", Reader::string)?,
        group: reader.maybe("group", |reader, name| group::read(reader.get(name)?))?.unwrap_or_default(),
        came: reader.maybe("came", came_from_json)?,
        drill: reader.maybe("drill", |reader, name| drill::drilled_from_json(reader.get(name)?))?,
    })
}

fn ack(reader: Reader<'_>) -> Option<Ack> {
    let (at, until) = (reader.int("at")?, reader.int("until")?);
    Some(Ack { by: reader.string("by")?, at, until, note: reader.string("note")? })
}

/// Where a chain stands.
pub fn chain_to_json(chain: &ChainRow) -> Value {
    let told = chain.told.iter().map(|(contact, channel)| Value::from(vec![contact.as_str(), channel.word()]));
    Writer::new("incident", chain.incident.as_str())
        .put("snapshot", chain.snapshot.as_str())
        .maybe("step", chain.step)
        .put("round", chain.round)
        .maybe("due", chain.due)
        .maybe("hurry", chain.hurry)
        .put("told", told.collect::<Vec<_>>())
        .maybe("paused", chain.paused.as_ref().map(mute::paused_to_json))
        .done()
}

/// Reads what [`chain_to_json`] wrote.
pub fn chain_from_json(value: &Value) -> Option<ChainRow> {
    let reader = Reader::new(value)?;
    let told = |pair: &Value| match pair.as_array()?.as_slice() {
        [contact, channel] => Some((contact.as_str()?.to_owned(), Channel::parse(channel.as_str()?)?)),
        _ => None,
    };
    Some(ChainRow {
        incident: reader.string("incident")?,
        snapshot: reader.string("snapshot")?,
        step: reader.maybe_int("step")?,
        round: reader.int("round")?,
        due: reader.maybe_int("due")?,
        hurry: reader.maybe_int("hurry")?,
        told: reader.list("told", told)?,
        paused: reader.maybe("paused", |reader, name| mute::paused_from_json(reader.get(name)?))?,
    })
}

/// A page in its printed shape (`at` is the decision) with everything else it has.
pub fn page_to_json(page: &Page) -> Value {
    Writer::new("type", "page")
        .put("at", page.decided)
        .put("id", page.id.as_str())
        .put("incident", page.incident.as_str())
        .put("severity", page.severity.code())
        .put("reason", page.reason.word())
        .put("step", page.step)
        .put("round", page.round)
        .put("occurrence", page.occurrence)
        .put("to", page.to.as_str())
        .put("channel", page.channel.word())
        .put("title", page.title.as_str())
        .put("text", page.text.as_str())
        .put("due", page.due)
        .put("wanted", page.wanted)
        .put("deadline", page.deadline)
        .maybe("came", page.came.as_ref().map(came_to_json))
        .maybe("prompt", page.prompt.then_some(true))
        .done()
}

/// Reads what [`page_to_json`] wrote.
pub fn page_from_json(value: &Value) -> Option<Page> {
    let reader = Reader::new(value)?;
    reader.text("type").filter(|kind| *kind == "page")?;
    let (decided, deadline) = (reader.int("at")?, reader.int("deadline")?);
    Some(Page {
        id: reader.string("id")?,
        incident: reader.string("incident")?,
        severity: reader.word("severity", Severity::parse)?,
        reason: reader.word("reason", Reason::parse)?,
        step: reader.int("step")?,
        round: reader.int("round")?,
        occurrence: reader.int("occurrence")?,
        to: reader.string("to")?,
        channel: reader.word("channel", Channel::parse)?,
        title: reader.string("title")?,
        text: reader.string("text")?,
        decided,
        due: reader.int("due")?,
        // A row of the release before has none: a tenth of its life, as step 3 of the tables gives it.
        wanted: reader.maybe_int("wanted")?.unwrap_or(decided.saturating_add(deadline.saturating_sub(decided) / 10)),
        deadline,
        came: reader.maybe("came", came_from_json)?,
        prompt: reader.maybe("prompt", Reader::flag)?.unwrap_or(false),
    })
}

/// A state row.
pub fn state_to_json(row: &StateRow) -> Value {
    let since: Vec<Value> = row.since.iter().map(|since| Value::from(*since)).collect();
    Writer::new("fingerprint", row.fingerprint.to_string())
        .put("rule", row.rule.as_ref())
        .put("labels", row.labels.to_json())
        .put("watch", row.watch.as_str())
        .put("state", row.state.word())
        .maybe("severity", row.severity.map(Severity::code))
        .put("since", since)
        .maybe("occurred", row.occurred)
        .maybe("recovering", row.recovering)
        .maybe("unknown", row.unknown.map(Cause::word))
        .maybe("unknown_since", row.unknown_since)
        .maybe("newest", row.newest)
        .maybe("valued", row.valued)
        .maybe("again", row.again)
        .number("value", row.value)
        .done()
}

/// Reads what [`state_to_json`] wrote.
pub fn state_from_json(value: &Value) -> Option<StateRow> {
    let reader = Reader::new(value)?;
    let since = reader.list("since", |at| if at.is_null() { Some(None) } else { at.as_i64().map(Some) })?;
    Some(StateRow {
        fingerprint: reader.word("fingerprint", Fingerprint::parse)?,
        rule: reader.text("rule")?.into(),
        labels: Labels::from_json(reader.get("labels")?)?,
        watch: reader.string("watch")?,
        state: reader.word("state", State::parse)?,
        severity: reader.maybe_word("severity", Severity::parse)?,
        since: since.try_into().ok()?,
        occurred: reader.maybe_int("occurred")?,
        recovering: reader.maybe_int("recovering")?,
        unknown: reader.maybe_word("unknown", Cause::parse)?,
        unknown_since: reader.maybe_int("unknown_since")?,
        newest: reader.maybe_int("newest")?,
        valued: reader.maybe_int("valued")?,
        again: reader.maybe_int("again")?,
        value: reader.number("value")?,
    })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
