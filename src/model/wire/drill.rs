//! A drill that somebody asks for, as the ledger and its row hold it, and what its incident keeps of that.

use serde_json::Value;

use super::fields::{Reader, Writer};
use crate::model::{DrillAsk, Drilled, Labels, Severity};

pub(super) fn ask_to_json(ask: &DrillAsk) -> Value {
    Writer::new("rule", ask.rule.as_str())
        .put("labels", ask.labels.to_json())
        .put("severity", ask.severity.code())
        .put("hold", ask.hold)
        .put("by", ask.by.as_str())
        .put("note", ask.note.as_str())
        .done()
}

pub(super) fn ask_from_json(value: &Value) -> Option<DrillAsk> {
    let reader = Reader::new(value)?;
    Some(DrillAsk {
        rule: reader.string("rule")?,
        labels: Labels::from_json(reader.get("labels")?)?,
        severity: reader.word("severity", Severity::parse)?,
        hold: reader.int("hold")?,
        by: reader.string("by")?,
        note: reader.string("note")?,
    })
}

/// What an incident keeps of its drill.
pub fn drilled_to_json(drill: &Drilled) -> Value {
    Writer::new("by", drill.by.as_str()).put("until", drill.until).put("note", drill.note.as_str()).done()
}

pub(super) fn drilled_from_json(value: &Value) -> Option<Drilled> {
    let reader = Reader::new(value)?;
    Some(Drilled { by: reader.string("by")?, until: reader.int("until")?, note: reader.string("note")? })
}
