//! What waits too long, in SQL: read by the sweeper, which has no part in the timers.

use std::collections::BTreeMap;

use super::sql::Sql;
use super::{Result, rows};
use crate::model::{ChainRow, Incident, Overdue, OverdueKind, wire};
use crate::time::Ms;

/// Everything that was due at `before` or earlier and waits at `now`, in order.
pub(super) fn overdue(sql: &mut dyn Sql, now: Ms, before: Ms) -> Result<Vec<Overdue>> {
    let text = "SELECT incidents.id, incidents.json, chains.json FROM incidents \
                LEFT JOIN chains ON chains.incident = incidents.id WHERE incidents.state IN ('open', 'acked')";
    let mut found = Vec::new();
    for row in &sql.query(text, &[])? {
        let incident: Incident = rows::json(row, 1, "incidents", row.text(0)?, wire::incident_from_json)?;
        let chain: Option<ChainRow> = match row.maybe_text(2)? {
            Some(_) => Some(rows::json(row, 2, "chains", row.text(0)?, wire::chain_from_json)?),
            None => None,
        };
        found.extend(Overdue::of(&incident, chain.as_ref(), before));
    }
    let pages = "SELECT id, due FROM outbox WHERE state = 'waiting' AND due <= $1 AND deadline >= $2";
    for row in &sql.query(pages, &[before.into(), now.into()])? {
        found.push(Overdue { kind: OverdueKind::Page, id: row.text(0)?.to_owned(), due: row.int(1)? });
    }
    for row in &sql.query("SELECT id, at FROM inputs WHERE taken IS NULL AND at <= $1", &[before.into()])? {
        found.push(Overdue { kind: OverdueKind::Input, id: row.int(0)?.to_string(), due: row.int(1)? });
    }
    found.sort();
    Ok(found)
}

/// Notes whose key begins with `prefix`, in order, with their whole key.
pub(super) fn notes(sql: &mut dyn Sql, prefix: &str) -> Result<Vec<(String, String)>> {
    let rows = sql.query("SELECT name, json FROM notes ORDER BY name", &[])?;
    let all: BTreeMap<String, String> =
        rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()))).collect::<Result<_>>()?;
    Ok(all.into_iter().filter(|(name, _)| name.starts_with(prefix)).collect())
}
