//! The JSON of what mutes: reasons beside incidents, silences and what is asked of them, matchers.

use serde_json::Value;

use super::fields::{Reader, Writer};
use crate::model::{Channel, Matcher, MuteKind, Muted, Paused, Preview, Severity, Silence, SilenceAsk, Test};

/// A matcher as `[label, op, value]`, `op` being `=`, `!=`, `=~` or `!~`.
pub fn matcher_to_json(matcher: &Matcher) -> Value {
    Value::from(vec![matcher.label.as_str(), matcher.test.sign(), matcher.value.as_str()])
}

/// Reads what [`matcher_to_json`] wrote.
pub fn matcher_from_json(value: &Value) -> Option<Matcher> {
    match value.as_array()?.as_slice() {
        [label, sign, value] => Some(Matcher {
            label: label.as_str()?.to_owned(),
            test: Test::parse(sign.as_str()?)?,
            value: value.as_str()?.to_owned(),
        }),
        _ => None,
    }
}

fn matchers_to_json(matchers: &[Matcher]) -> Value {
    matchers.iter().map(matcher_to_json).collect()
}

/// Why no page about an incident leaves.
pub fn muted_to_json(muted: &Muted) -> Value {
    Writer::new("kind", muted.kind.word())
        .put("by", muted.by.as_str())
        .put("who", muted.who.as_str())
        .put("why", muted.why.as_str())
        .put("since", muted.since)
        .maybe("until", muted.until)
        .maybe("severity", muted.severity.map(Severity::code))
        .done()
}

pub(super) fn muted_from_json(value: &Value) -> Option<Muted> {
    let reader = Reader::new(value)?;
    Some(Muted {
        kind: reader.word("kind", MuteKind::parse)?,
        by: reader.string("by")?,
        who: reader.string("who")?,
        why: reader.string("why")?,
        since: reader.int("since")?,
        until: reader.maybe_int("until")?,
        severity: reader.maybe_word("severity", Severity::parse)?,
    })
}

pub(super) fn paused_to_json(paused: &Paused) -> Value {
    let owed = paused.owed.iter().map(|(contact, channel)| Value::from(vec![contact.as_str(), channel.word()]));
    Writer::new("severity", paused.severity.code())
        .maybe("left", paused.left)
        .put("taken", paused.taken)
        .put("owed", owed.collect::<Vec<_>>())
        .done()
}

pub(super) fn paused_from_json(value: &Value) -> Option<Paused> {
    let reader = Reader::new(value)?;
    let seat = |pair: &Value| match pair.as_array()?.as_slice() {
        [contact, channel] => Some((contact.as_str()?.to_owned(), Channel::parse(channel.as_str()?)?)),
        _ => None,
    };
    Some(Paused {
        severity: reader.word("severity", Severity::parse)?,
        left: reader.maybe_int("left")?,
        taken: reader.flag("taken")?,
        owed: reader.list("owed", seat)?,
    })
}

fn preview_to_json(preview: &Preview) -> Value {
    Writer::new("incidents", preview.incidents)
        .put("s1", preview.s1)
        .put("pages", preview.pages)
        .put("of", preview.of)
        .put("over", preview.over)
        .done()
}

fn preview_from_json(value: &Value) -> Option<Preview> {
    let reader = Reader::new(value)?;
    Some(Preview {
        incidents: reader.int("incidents")?,
        s1: reader.int("s1")?,
        pages: reader.int("pages")?,
        of: reader.int("of")?,
        over: reader.int("over")?,
    })
}

/// What is asked for with a silence.
pub(super) fn ask_to_json(ask: &SilenceAsk) -> Value {
    Writer::new("matchers", matchers_to_json(&ask.matchers))
        .maybe("from", ask.from)
        .put("until", ask.until)
        .put("by", ask.by.as_str())
        .put("reason", ask.reason.as_str())
        .maybe("approver", ask.approver.as_deref())
        .maybe("replaces", ask.replaces.as_deref())
        .put("hides", preview_to_json(&ask.hides))
        .done()
}

/// Reads what [`ask_to_json`] wrote.
pub(super) fn ask_from_json(value: &Value) -> Option<SilenceAsk> {
    let reader = Reader::new(value)?;
    Some(SilenceAsk {
        matchers: reader.list("matchers", matcher_from_json)?,
        from: reader.maybe_int("from")?,
        until: reader.int("until")?,
        by: reader.string("by")?,
        reason: reader.string("reason")?,
        approver: reader.maybe("approver", Reader::string)?,
        replaces: reader.maybe("replaces", Reader::string)?,
        hides: preview_from_json(reader.get("hides")?)?,
    })
}

/// A silence as the store keeps it and as it is printed.
pub fn silence_to_json(silence: &Silence) -> Value {
    let approved = silence.approved.as_ref().map(|(by, at)| Writer::new("by", by.as_str()).put("at", *at).done());
    Writer::new("type", "silence")
        .put("id", silence.id.as_str())
        .put("matchers", matchers_to_json(&silence.matchers))
        .put("from", silence.from)
        .put("until", silence.until)
        .put("by", silence.by.as_str())
        .put("reason", silence.reason.as_str())
        .put("made", silence.made)
        .put("hides", preview_to_json(&silence.hides))
        .maybe("needs", silence.needs.as_deref())
        .maybe("approver", silence.approver.as_deref())
        .maybe("approved", approved)
        .maybe("expired_by", silence.expired_by.as_deref())
        .maybe("replaces", silence.replaces.as_deref())
        .done()
}

/// Reads what [`silence_to_json`] wrote.
pub fn silence_from_json(value: &Value) -> Option<Silence> {
    let reader = Reader::new(value)?;
    reader.text("type").filter(|kind| *kind == "silence")?;
    let approved = |reader: Reader<'_>, name: &str| {
        let given = Reader::new(reader.get(name)?)?;
        Some((given.string("by")?, given.int("at")?))
    };
    Some(Silence {
        id: reader.string("id")?,
        matchers: reader.list("matchers", matcher_from_json)?,
        from: reader.int("from")?,
        until: reader.int("until")?,
        by: reader.string("by")?,
        reason: reader.string("reason")?,
        made: reader.int("made")?,
        hides: preview_from_json(reader.get("hides")?)?,
        needs: reader.maybe("needs", Reader::string)?,
        approver: reader.maybe("approver", Reader::string)?,
        approved: reader.maybe("approved", approved)?,
        expired_by: reader.maybe("expired_by", Reader::string)?,
        replaces: reader.maybe("replaces", Reader::string)?,
    })
}
