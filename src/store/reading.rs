//! What people read, and what is thrown away when nobody needs it any more.
//!
//! The idea: each list is one query over an index, newest first; a purge takes a bounded bite per call, so that it
//! never holds up a flush.

use super::rows;
use super::sql::{End, Sql, Value, limit};
use super::{Purged, Result};
use crate::model::{Entry, Incident, PageRow, StateRow, wire};
use crate::time::Ms;

/// Rows per table and call of [`purge`]: as many as a flush may write.
pub(super) const PURGE_MAX: usize = 5_000;

/// The newest incidents.
pub(super) fn incidents(sql: &mut dyn Sql, most: usize) -> Result<Vec<Incident>> {
    let rows = sql.query("SELECT id, json FROM incidents ORDER BY detected DESC, id DESC LIMIT $1", &[limit(most)])?;
    rows.iter().map(|row| rows::json(row, 1, "incidents", row.text(0)?, wire::incident_from_json)).collect()
}

/// The newest pages.
pub(super) fn pages(sql: &mut dyn Sql, incident: Option<&str>, most: usize) -> Result<Vec<PageRow>> {
    let (filter, mut args): (&str, Vec<Value>) = match incident {
        None => ("ORDER BY decided DESC, id DESC LIMIT $1", Vec::new()),
        Some(id) => ("WHERE incident = $1 ORDER BY decided DESC, id DESC LIMIT $2", vec![id.into()]),
    };
    args.push(limit(most));
    sql.query(&format!("SELECT {} FROM outbox {filter}", rows::PAGE), &args)?.iter().map(rows::page_row).collect()
}

/// Accepted pages, newest first.
pub(super) fn accepted(sql: &mut dyn Sql, since: Ms, most: usize) -> Result<Vec<PageRow>> {
    let filter = "WHERE decided >= $1 AND state = 'accepted' ORDER BY decided DESC, id DESC LIMIT $2";
    let args = [since.into(), limit(most)];
    sql.query(&format!("SELECT {} FROM outbox {filter}", rows::PAGE), &args)?.iter().map(rows::page_row).collect()
}

/// State rows that are not healthy.
pub(super) fn states(sql: &mut dyn Sql, most: usize) -> Result<Vec<StateRow>> {
    let text = "SELECT fingerprint, json FROM states WHERE bad = 1 ORDER BY topic, fingerprint LIMIT $1";
    sql.query(text, &[limit(most)])?.iter().map(super::flush::state).collect()
}

/// Ledger entries above `after`.
pub(super) fn ledger(sql: &mut dyn Sql, after: i64, most: usize) -> Result<Vec<Entry>> {
    let text = "SELECT input_no, at, kind, json, hash FROM ledger WHERE input_no > $1 ORDER BY input_no LIMIT $2";
    sql.query(text, &[after.into(), limit(most)])?.iter().map(rows::entry).collect()
}

/// Removes what is older than `before` and done with.
pub(super) fn purge(sql: &mut dyn Sql, before: Ms) -> Result<End<Purged>> {
    let args: [Value; 2] = [before.into(), limit(PURGE_MAX)];
    let signals = sql.execute(
        "DELETE FROM signals WHERE (topic, partition, seq) IN (SELECT signals.topic, signals.partition, signals.seq \
         FROM signals JOIN cursors ON cursors.topic = signals.topic AND cursors.partition = signals.partition \
         AND signals.seq <= cursors.seq WHERE signals.at < $1 LIMIT $2)",
        &args,
    )?;
    let inputs = sql.execute(
        "DELETE FROM inputs WHERE id IN (SELECT id FROM inputs WHERE taken IS NOT NULL AND at < $1 LIMIT $2)",
        &args,
    )?;
    let pages = sql.execute(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE decided < $1 \
         AND state NOT IN ('waiting', 'handed') \
         AND incident NOT IN (SELECT id FROM incidents WHERE state <> 'closed') LIMIT $2)",
        &args,
    )?;
    Ok(End::Keep(Purged { signals, inputs, pages }))
}
