//! Hand-over ② in SQL: partitions, their epochs, progress, state rows and signals.
//!
//! The idea: the fence is the first statement of a flush, one row per part; only when every part is still ours does
//! anything else get written. A part's seq must fit as well: with it, signals cannot have a gap.

use std::collections::BTreeMap;

use super::rows::{self, corrupt, is_bad};
use super::sql::{End, Sql, Value, execute_in, insert};
use super::{Result, StoreError};
use crate::model::{Fingerprint, Flush, Flushed, Owned, PartFlush, Progress, RowChange, StateRow, wire};

/// Takes a partition.
pub(super) fn own(sql: &mut dyn Sql, topic: &str, partition: i32, owner: &str) -> Result<End<Owned>> {
    sql.execute(
        "INSERT INTO progress (topic, partition, epoch, owner, known, topic_id, next_offset, clock, segment, seq, \
         rules, heard, caught_up) VALUES ($1, $2, 1, $3, 0, '', 0, 0, 0, 0, '', 0, 0) \
         ON CONFLICT (topic, partition) DO UPDATE SET epoch = progress.epoch + 1, owner = excluded.owner, \
         caught_up = 0",
        &[topic.into(), partition.into(), owner.into()],
    )?;
    let row = find(sql, topic, partition, "")?.ok_or_else(|| corrupt("progress", topic, "it vanished"))?;
    let rows = sql.query(
        "SELECT fingerprint, json FROM states WHERE topic = $1 AND partition = $2 ORDER BY fingerprint",
        &[topic.into(), partition.into()],
    )?;
    let rows: Result<_> = rows.iter().map(state).collect();
    Ok(End::Keep(Owned { epoch: row.epoch, progress: row.known.then_some(row.progress), rows: rows? }))
}

/// Reads fingerprint and JSON of a state row.
pub(super) fn state(row: &super::sql::Row) -> Result<StateRow> {
    rows::json(row, 1, "states", row.text(0)?, wire::state_from_json)
}

/// Epoch and progress of a partition.
pub(super) fn progress(sql: &mut dyn Sql, topic: &str, partition: i32) -> Result<Option<(i64, Progress)>> {
    Ok(find(sql, topic, partition, "")?.map(|row| (row.epoch, row.progress)))
}

/// The same, once whoever is writing the row has ended.
pub(super) fn settled_progress(sql: &mut dyn Sql, topic: &str, partition: i32) -> Result<End<Option<(i64, Progress)>>> {
    let settling = sql.settling();
    Ok(End::Drop(find(sql, topic, partition, settling)?.map(|row| (row.epoch, row.progress))))
}

fn find(sql: &mut dyn Sql, topic: &str, partition: i32, settling: &str) -> Result<Option<rows::ProgressRow>> {
    let text = format!("SELECT {} FROM progress WHERE topic = $1 AND partition = $2{settling}", rows::PROGRESS);
    sql.query(&text, &[topic.into(), partition.into()])?.first().map(rows::progress).transpose()
}

/// Writes a flush.
pub(super) fn flush(sql: &mut dyn Sql, flush: &Flush) -> Result<End<Flushed>> {
    let mut parts: Vec<&PartFlush> = flush.parts.iter().collect();
    // One order for all processes: two that hold each other's rows would wait for ever.
    parts.sort_by_key(|part| part.partition);
    let mut fenced = Vec::new();
    for part in &parts {
        check_seqs(&flush.topic, part)?;
        if !advance(sql, &flush.topic, part)? {
            fenced.push(part.partition);
        }
    }
    if !fenced.is_empty() {
        return Ok(End::Drop(Flushed::Fenced(fenced)));
    }
    for part in &parts {
        remove_states(sql, &flush.topic, part)?;
    }
    put_states(sql, &flush.topic, &parts)?;
    put_signals(sql, &flush.topic, &parts)?;
    Ok(End::Keep(Flushed::Done))
}

/// Signals must be consecutive and end at the progress's seq.
pub(super) fn check_seqs(topic: &str, part: &PartFlush) -> Result<()> {
    let mut seq = part.progress.seq.checked_sub_unsigned(part.signals.len() as u64);
    for (found, _) in &part.signals {
        seq = seq.and_then(|seq| seq.checked_add(1));
        if seq != Some(*found) {
            return Err(gap(topic, part.partition, &format!("signal {found} does not follow")));
        }
    }
    Ok(())
}

/// A part whose signals would leave a gap.
pub(super) fn gap(topic: &str, partition: i32, why: &str) -> StoreError {
    StoreError::Corrupt { what: format!("flush of `{topic}`/{partition}"), why: format!("{why}: signals are gapless") }
}

/// The fence, and the new progress behind it. `false`: somebody else has the partition.
fn advance(sql: &mut dyn Sql, topic: &str, part: &PartFlush) -> Result<bool> {
    let to = &part.progress;
    let before = to.seq.saturating_sub_unsigned(part.signals.len() as u64);
    let args: [Value; 15] = [
        to.topic_id.as_str().into(),
        to.offset.into(),
        to.clock.into(),
        to.segment.into(),
        to.seq.into(),
        to.rules.as_str().into(),
        to.cursor.map(|cursor| cursor.tick).into(),
        to.cursor.map(|cursor| cursor.fingerprint.to_string()).into(),
        to.heard.into(),
        to.caught_up.into(),
        topic.into(),
        part.partition.into(),
        part.epoch.into(),
        part.from.into(),
        before.into(),
    ];
    let hit = sql.execute(
        "UPDATE progress SET known = 1, topic_id = $1, next_offset = $2, clock = $3, segment = $4, seq = $5, \
         rules = $6, cursor_tick = $7, cursor_fingerprint = $8, heard = $9, caught_up = $10 \
         WHERE topic = $11 AND partition = $12 AND epoch = $13 AND next_offset = $14 AND seq = $15",
        &args,
    )?;
    if hit == 1 {
        return Ok(true);
    }
    match find(sql, topic, part.partition, "")? {
        Some(row) if row.epoch == part.epoch && row.progress.offset == part.from => {
            Err(gap(topic, part.partition, &format!("{before} does not follow the stored {}", row.progress.seq)))
        }
        _ => Ok(false),
    }
}

fn remove_states(sql: &mut dyn Sql, topic: &str, part: &PartFlush) -> Result<()> {
    let keys: Vec<Value> = part.rows.iter().filter_map(removed).map(|key| key.to_string().into()).collect();
    // Only this partition's: the key may have moved to another one, whose row it is now.
    execute_in(
        sql,
        "DELETE FROM states WHERE topic = $1 AND partition = $2 AND fingerprint IN (…)",
        &[topic.into(), part.partition.into()],
        &keys,
    )?;
    Ok(())
}

fn removed(change: &RowChange) -> Option<Fingerprint> {
    match change {
        RowChange::Remove(fingerprint) => Some(*fingerprint),
        RowChange::Put(_) => None,
    }
}

/// Each key once, the highest partition's, in the order of keys: PostgreSQL takes no key twice in one statement.
pub(super) fn puts<'a>(parts: &[&'a PartFlush]) -> BTreeMap<Fingerprint, (i32, &'a StateRow)> {
    let mut puts = BTreeMap::new();
    for part in parts {
        for change in &part.rows {
            if let RowChange::Put(row) = change {
                puts.insert(row.fingerprint, (part.partition, row.as_ref()));
            }
        }
    }
    puts
}

fn put_states(sql: &mut dyn Sql, topic: &str, parts: &[&PartFlush]) -> Result<()> {
    let rows: Vec<[Value; 5]> = puts(parts)
        .into_iter()
        .map(|(fingerprint, (partition, row))| {
            let text = wire::state_to_json(row).to_string();
            [topic.into(), fingerprint.to_string().into(), partition.into(), is_bad(row).into(), text.into()]
        })
        .collect();
    insert(
        sql,
        "INSERT INTO states (topic, fingerprint, partition, bad, json) VALUES",
        "ON CONFLICT (topic, fingerprint) DO UPDATE SET partition = excluded.partition, bad = excluded.bad, \
         json = excluded.json",
        &rows,
    )?;
    Ok(())
}

fn put_signals(sql: &mut dyn Sql, topic: &str, parts: &[&PartFlush]) -> Result<()> {
    let rows: Vec<[Value; 5]> = parts
        .iter()
        .flat_map(|part| part.signals.iter().map(|(seq, signal)| (part.partition, *seq, signal, part.came.get(seq))))
        .map(|(partition, seq, signal, came)| {
            let text = wire::raised_to_json(signal, came).to_string();
            [topic.into(), partition.into(), seq.into(), signal.at.into(), text.into()]
        })
        .collect();
    insert(sql, "INSERT INTO signals (topic, partition, seq, at, json) VALUES", "", &rows)?;
    Ok(())
}
