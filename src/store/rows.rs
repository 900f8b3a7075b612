//! Between rows and values: which columns stand where, and what a row that makes no sense is called.
//!
//! The idea: SQL sees the few columns it asks for; the value itself is the canonical JSON of `model::wire`.

use serde_json::Value as Json;

use super::sql::{Row, Value};
use super::{Result, StoreError};
use crate::model::{
    Cursor, Entry, Fingerprint, Lease, Page, PageRow, PageState, Progress, Sending, State, StateRow, wire,
};
use crate::time::Ms;

/// Reads the JSON in column `n` of a row of `table`; `key` says which.
pub(super) fn json<T>(row: &Row, n: usize, table: &str, key: &str, read: impl Fn(&Json) -> Option<T>) -> Result<T> {
    let value = serde_json::from_str(row.text(n)?).ok();
    value.as_ref().and_then(read).ok_or_else(|| corrupt(table, key, "its JSON is not what this program writes"))
}

/// A row that makes no sense.
pub(super) fn corrupt(table: &str, key: &str, why: &str) -> StoreError {
    StoreError::Corrupt { what: format!("`{table}` row `{key}`"), why: why.to_owned() }
}

/// Whether people want to see it: anything but known and inactive.
pub(super) fn is_bad(row: &StateRow) -> bool {
    row.state != State::Inactive || row.unknown.is_some()
}

/// The columns of a progress row that [`progress`] reads, in its order.
pub(super) const PROGRESS: &str = "topic, partition, epoch, known, topic_id, next_offset, clock, segment, seq, rules, \
                                   cursor_tick, cursor_fingerprint, heard, caught_up";

/// A progress row.
#[derive(Debug)]
pub(super) struct ProgressRow {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) epoch: i64,
    /// Whether there has been a flush.
    pub(super) known: bool,
    pub(super) progress: Progress,
}

/// Reads the columns [`PROGRESS`].
pub(super) fn progress(row: &Row) -> Result<ProgressRow> {
    let (topic, partition) = (row.text(0)?.to_owned(), row.partition(1)?);
    let cursor = match (row.maybe_int(10)?, row.maybe_text(11)?) {
        (None, None) => None,
        (Some(tick), Some(hex)) if let Some(fingerprint) = Fingerprint::parse(hex) => {
            Some(Cursor { tick, fingerprint })
        }
        _ => return Err(corrupt("progress", &format!("{topic}/{partition}"), "its cursor is incomplete")),
    };
    let progress = Progress {
        topic_id: row.text(4)?.to_owned(),
        offset: row.int(5)?,
        clock: row.int(6)?,
        segment: row.int(7)?,
        seq: row.int(8)?,
        rules: row.text(9)?.to_owned(),
        cursor,
        heard: row.int(12)?,
        caught_up: row.flag(13)?,
    };
    Ok(ProgressRow { topic, partition, epoch: row.int(2)?, known: row.flag(3)?, progress })
}

/// The columns of an outbox row that [`page_row`] reads.
pub(super) const PAGE: &str = "id, json, state, detail, handed, done, tries, queued, submitted, accepted, delivered";

/// Reads the columns [`PAGE`].
pub(super) fn page_row(row: &Row) -> Result<PageRow> {
    let id = row.text(0)?;
    let state = PageState::parse(row.text(2)?).ok_or_else(|| corrupt("outbox", id, "its state is no state"))?;
    Ok(PageRow {
        page: json(row, 1, "outbox", id, wire::page_from_json)?,
        state,
        detail: row.text(3)?.to_owned(),
        handed: row.maybe_int(4)?,
        done: row.maybe_int(5)?,
        tries: row.int(6)?,
        sending: sending(row, 7)?,
    })
}

/// Reads the columns `queued, submitted, accepted, delivered` from column `n` on.
pub(super) fn sending(row: &Row, n: usize) -> Result<Sending> {
    let at = |place| row.maybe_int(n + place);
    Ok(Sending { queued: at(0)?, submitted: at(1)?, accepted: at(2)?, delivered: at(3)? })
}

/// The columns of a new outbox row, in the order of [`new_page`].
pub(super) const NEW_PAGE: &str = "id, incident, severity, decided, due, deadline, json, state, detail, worker, \
                                   lease_epoch, lease_until, tries, doubt, resent, wanted, queued";

/// A page as it enters the outbox, given to the store at `queued`.
pub(super) fn new_page(page: &Page, queued: Option<Ms>) -> [Value; 17] {
    [
        page.id.as_str().into(),
        page.incident.as_str().into(),
        page.severity.code().into(),
        page.decided.into(),
        page.due.into(),
        page.deadline.into(),
        wire::page_to_json(page).to_string().into(),
        PageState::Waiting.word().into(),
        "".into(),
        "".into(),
        0_i64.into(),
        0_i64.into(),
        0_i64.into(),
        0_i64.into(),
        0_i64.into(),
        page.wanted.into(),
        queued.into(),
    ]
}

/// The arguments that say whose lease it is: page, worker, lease epoch.
pub(super) fn holder(lease: &Lease) -> [Value; 3] {
    [lease.page.id.as_str().into(), lease.worker.as_str().into(), lease.epoch.into()]
}

/// Reads a ledger row: input_no, at, kind, json, hash.
pub(super) fn entry(row: &Row) -> Result<Entry> {
    Ok(Entry {
        input_no: row.int(0)?,
        at: row.int(1)?,
        kind: row.text(2)?.to_owned(),
        json: row.text(3)?.to_owned(),
        hash: row.text(4)?.to_owned(),
    })
}
