//! Incidents, pages and ledger entries as JSON: times in epoch milliseconds, words as everywhere else.

use serde_json::{Value, json};

use crate::model::{Entry, Incident, PageRow, carrier_bytes};

/// One incident.
pub fn incident(it: &Incident) -> Value {
    json!({
        "id": it.id,
        "fingerprint": it.fingerprint.to_string(),
        "rule": it.rule.as_ref(),
        "labels": it.labels.to_json(),
        "title": it.title,
        "domain": it.domain.word(),
        "state": it.state.word(),
        "severity": it.severity.code(),
        "occurred": it.occurred,
        "detected": it.detected,
        "resolved": it.resolved,
        "ended": it.ended.map(crate::model::Ended::word),
        "ack": it.ack.as_ref().map(|ack| json!({"by": ack.by, "at": ack.at, "until": ack.until, "note": ack.note})),
        "parent": it.parent,
        "occurrence": it.occurrence,
        "flapping": it.flapping,
        "held_until": it.held_until,
        "notify_by": it.notify_by,
        "notified": it.notified,
        "muted": it.muted.as_ref().map(crate::model::wire::muted_to_json),
        "drill": it.drill.as_ref().map(crate::model::wire::drilled_to_json),
    })
}

/// One outbox row.
pub(super) fn page(row: &PageRow) -> Value {
    let page = &row.page;
    json!({
        "id": page.id,
        "incident": page.incident,
        "severity": page.severity.code(),
        "reason": page.reason.word(),
        "step": page.step,
        "round": page.round,
        "occurrence": page.occurrence,
        "to": page.to,
        "channel": page.channel.word(),
        "title": page.title,
        "text": page.text,
        "bytes": carrier_bytes(&page.text),
        "decided": page.decided,
        "due": page.due,
        "deadline": page.deadline,
        "state": row.state.word(),
        "detail": row.detail,
        "handed": row.handed,
        "done": row.done,
        "tries": row.tries,
    })
}

/// One ledger entry; `json` stays text, because its hash is over these very bytes.
pub(super) fn entry(it: &Entry) -> Value {
    json!({"input_no": it.input_no, "at": it.at, "kind": it.kind, "json": it.json, "hash": it.hash})
}
