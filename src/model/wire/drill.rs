//! A drill that somebody asks for, as the ledger and its row hold it.

use serde_json::Value;

use super::fields::{Reader, Writer};
use crate::model::{DrillAsk, Labels, Severity};

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
