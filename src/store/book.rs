//! The leader's side in SQL: taking over, reading inputs in order, committing what they caused.
//!
//! The idea: inputs are read by `taken IS NULL` and by gapless seq, never by a position that a slow transaction could
//! fill in later; a commit either fits everything it builds on (epoch, ledger end, cursors, waiting pages) or is
//! undone.

use std::collections::BTreeMap;

use super::ledger::Chain;
use super::rows::{self, corrupt};
use super::sql::{End, Sql, Value, insert, limit, query_in};
use super::{Result, StoreError, seat};
use crate::model::{
    BookCommit, BookRows, Came, Cancel, Committed, Entry, IncidentState, Input, Page, PageState, Seat, SignalKey,
    Taken, TakenRow, wire,
};
use crate::time::Ms;

/// Takes leadership if the seat is as it was `seen`, and returns what the leader keeps in memory.
pub(super) fn lead(sql: &mut dyn Sql, owner: &str, seen: &Seat) -> Result<End<Option<BookRows>>> {
    let Some(epoch) = seat::take(sql, owner, seen)? else { return Ok(End::Drop(None)) };
    let (input_no, hash) = ledger_end(sql)?;
    let incidents = sql.query("SELECT id, json FROM incidents WHERE state <> 'closed' ORDER BY id", &[])?;
    let chains = sql.query(
        "SELECT chains.incident, chains.json FROM chains JOIN incidents ON incidents.id = chains.incident \
         WHERE incidents.state <> 'closed' ORDER BY chains.incident",
        &[],
    )?;
    Ok(End::Keep(Some(BookRows {
        epoch,
        cursors: cursors(sql)?,
        incidents: collect(&incidents, |row| rows::json(row, 1, "incidents", row.text(0)?, wire::incident_from_json))?,
        chains: collect(&chains, |row| rows::json(row, 1, "chains", row.text(0)?, wire::chain_from_json))?,
        pages: live_pages(sql)?,
        counters: collect(&sql.query("SELECT name, last FROM counters ORDER BY name", &[])?, |row| {
            Ok((row.text(0)?.to_owned(), row.int(1)?))
        })?,
        notes: collect(&sql.query("SELECT name, json FROM notes ORDER BY name", &[])?, |row| {
            Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()))
        })?,
        input_no,
        hash,
    })))
}

fn collect<T>(rows: &[super::sql::Row], read: impl Fn(&super::sql::Row) -> Result<T>) -> Result<Vec<T>> {
    rows.iter().map(read).collect()
}

pub(super) fn cursors(sql: &mut dyn Sql) -> Result<Vec<SignalKey>> {
    let rows = sql.query("SELECT topic, partition, seq FROM cursors ORDER BY topic, partition", &[])?;
    collect(&rows, |row| {
        Ok(SignalKey { topic: row.text(0)?.to_owned(), partition: row.partition(1)?, seq: row.int(2)? })
    })
}

/// Pages that may still move, and those of an incident not yet closed: one that expired may not be known to the ledger yet.
fn live_pages(sql: &mut dyn Sql) -> Result<Vec<crate::model::PageRow>> {
    let text = format!(
        "SELECT {} FROM outbox WHERE state IN ('waiting', 'handed') OR (state <> 'cancelled' \
         AND incident IN (SELECT id FROM incidents WHERE state <> 'closed')) ORDER BY decided, id",
        rows::PAGE
    );
    collect(&sql.query(&text, &[])?, rows::page_row)
}

fn ledger_end(sql: &mut dyn Sql) -> Result<(i64, String)> {
    let rows = sql.query("SELECT input_no, hash FROM ledger ORDER BY input_no DESC LIMIT 1", &[])?;
    match rows.first() {
        Some(row) => Ok((row.int(0)?, row.text(1)?.to_owned())),
        None => Ok((0, Entry::GENESIS.to_owned())),
    }
}

/// The next inputs: rows first, then signals by topic, partition and seq.
pub(super) fn inputs(sql: &mut dyn Sql, cursors: &[SignalKey], most: usize) -> Result<Vec<Taken>> {
    let rows = sql.query("SELECT id, json FROM inputs WHERE taken IS NULL ORDER BY id LIMIT $1", &[limit(most)])?;
    let mut inputs = collect(&rows, |row| {
        let id = row.int(0)?;
        let input = rows::json(row, 1, "inputs", &id.to_string(), wire::input_from_json)?;
        Ok(Taken { row: Some(id), input })
    })?;
    if inputs.len() >= most {
        return Ok(inputs);
    }
    let taken: BTreeMap<(&str, i32), i64> =
        cursors.iter().map(|key| ((key.topic.as_str(), key.partition), key.seq)).collect();
    let progress = partitions(sql)?;
    let heard = progress.iter().map(|row| row.progress.heard).sum();
    for row in progress {
        let after = taken.get(&(row.topic.as_str(), row.partition)).copied().unwrap_or(0);
        let room = most - inputs.len();
        if row.progress.seq <= after || room == 0 {
            continue;
        }
        let raised = raised(sql, &row.topic, row.partition, after, room)?;
        for (n, (seq, (signal, came))) in raised.into_iter().enumerate() {
            if seq != after + 1 + n as i64 {
                break;
            }
            let key = SignalKey { topic: row.topic.clone(), partition: row.partition, seq };
            inputs.push(Taken {
                row: None,
                input: Input::Signal { key, signal, heard, caught_up: row.progress.caught_up, came },
            });
        }
    }
    Ok(inputs)
}

/// Every progress row, by topic and partition.
pub(super) fn partitions(sql: &mut dyn Sql) -> Result<Vec<rows::ProgressRow>> {
    let text = format!("SELECT {} FROM progress ORDER BY topic, partition", rows::PROGRESS);
    collect(&sql.query(&text, &[])?, rows::progress)
}

/// Signals of a partition above `after`, in order.
pub(super) fn signals(
    sql: &mut dyn Sql,
    topic: &str,
    partition: i32,
    after: i64,
    most: usize,
) -> Result<Vec<(i64, crate::model::Signal)>> {
    let raised = raised(sql, topic, partition, after, most)?;
    Ok(raised.into_iter().map(|(seq, (signal, _))| (seq, signal)).collect())
}

/// A signal and how what raised it came in.
type Raised = (crate::model::Signal, Option<Came>);

/// The same with how what raised them came in.
fn raised(sql: &mut dyn Sql, topic: &str, partition: i32, after: i64, most: usize) -> Result<Vec<(i64, Raised)>> {
    let rows = sql.query(
        "SELECT seq, json FROM signals WHERE topic = $1 AND partition = $2 AND seq > $3 ORDER BY seq LIMIT $4",
        &[topic.into(), partition.into(), after.into(), limit(most)],
    )?;
    collect(&rows, |row| {
        let seq = row.int(0)?;
        let key = format!("{topic}/{partition}/{seq}");
        Ok((seq, rows::json(row, 1, "signals", &key, wire::raised_from_json)?))
    })
}

/// Writes a leader's transaction.
pub(super) fn commit(sql: &mut dyn Sql, commit: &BookCommit) -> Result<End<Committed>> {
    if !seat::beat(sql, commit.epoch)? {
        return Ok(End::Drop(Committed::Fenced));
    }
    if let Some(step) = commit.clock {
        super::outbox::set_clock(sql, step)?;
    }
    put_pages(sql, commit)?;
    for page in &commit.cancels {
        if !cancel(sql, page)? {
            return Ok(End::Drop(Committed::HandedMeanwhile));
        }
    }
    put_entries(sql, &commit.entries)?;
    for row in &commit.taken {
        take(sql, row)?;
    }
    for key in &commit.cursors {
        move_cursor(sql, key)?;
    }
    put_incidents(sql, commit)?;
    put_rest(sql, commit)?;
    Ok(End::Keep(Committed::Done))
}

/// A page of the same id is the same decision taken twice, or a fault that must not pass for it.
fn put_pages(sql: &mut dyn Sql, commit: &BookCommit) -> Result<()> {
    let (pages, queued) = (&commit.pages, commit.queued);
    let row = |page: &Page| rows::new_page(page, queued);
    let new: BTreeMap<&str, [Value; 17]> = pages.iter().map(|page| (page.id.as_str(), row(page))).collect();
    let head = format!("INSERT INTO outbox ({}) VALUES", rows::NEW_PAGE);
    let all: Vec<[Value; 17]> = new.values().cloned().collect();
    let written = insert(sql, &head, "ON CONFLICT (id) DO NOTHING", &all)?;
    if written == pages.len() {
        return Ok(());
    }
    let ids: Vec<Value> = new.keys().map(|id| (*id).into()).collect();
    let stored = query_in(sql, "SELECT id, json FROM outbox WHERE id IN (…)", &[], &ids)?;
    let stored: BTreeMap<&str, &str> =
        stored.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect::<Result<_>>()?;
    for page in pages {
        if stored.get(page.id.as_str()).copied() != Some(wire::page_to_json(page).to_string().as_str()) {
            return Err(corrupt("outbox", &page.id, "another page has this id"));
        }
    }
    Ok(())
}

/// `false`: it no longer waits.
fn cancel(sql: &mut dyn Sql, cancel: &Cancel) -> Result<bool> {
    let hit = sql.execute(
        "UPDATE outbox SET state = 'cancelled', detail = $1 WHERE id = $2 AND state = 'waiting'",
        &[cancel.why.as_str().into(), cancel.page.as_str().into()],
    )?;
    if hit == 1 {
        return Ok(true);
    }
    let rows = sql.query("SELECT state FROM outbox WHERE id = $1", &[cancel.page.as_str().into()])?;
    not_waiting(&cancel.page, rows.first().map(|row| row.text(0)).transpose()?)
}

/// What it means that a page to cancel does not wait: handed over (an input tells), or nonsense.
pub(super) fn not_waiting(page: &str, state: Option<&str>) -> Result<bool> {
    match state {
        None => Err(corrupt("outbox", page, "it is to be cancelled and does not exist")),
        Some(state) if state == PageState::Cancelled.word() => {
            Err(corrupt("outbox", page, "it is to be cancelled twice"))
        }
        Some(_) => Ok(false),
    }
}

fn put_entries(sql: &mut dyn Sql, entries: &[Entry]) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let (input_no, hash) = ledger_end(sql)?;
    check_entries(Chain::after(input_no, &hash), entries)?;
    let rows: Vec<[Value; 5]> = entries
        .iter()
        .map(|entry| {
            let Entry { input_no, at, kind, json, hash } = entry;
            [(*input_no).into(), (*at).into(), kind.as_str().into(), json.as_str().into(), hash.as_str().into()]
        })
        .collect();
    insert(sql, "INSERT INTO ledger (input_no, at, kind, json, hash) VALUES", "", &rows)?;
    Ok(())
}

/// Entries must go on where the ledger ends.
pub(super) fn check_entries(mut end: Chain, entries: &[Entry]) -> Result<()> {
    match entries.iter().find(|entry| !end.step(entry)) {
        Some(entry) => Err(corrupt("ledger", &entry.input_no.to_string(), "it does not follow the entry before it")),
        None => Ok(()),
    }
}

fn take(sql: &mut dyn Sql, row: &TakenRow) -> Result<()> {
    let hit = sql.execute(
        "UPDATE inputs SET taken = $1, done = $2, answer = $3 WHERE id = $4 AND taken IS NULL",
        &[row.input_no.into(), row.done.into(), row.answer.as_str().into(), row.row.into()],
    )?;
    if hit == 1 { Ok(()) } else { Err(not_takable(row.row)) }
}

/// An input that is not there to be taken.
pub(super) fn not_takable(row: i64) -> StoreError {
    corrupt("inputs", &row.to_string(), "it does not wait to be taken")
}

fn move_cursor(sql: &mut dyn Sql, key: &SignalKey) -> Result<()> {
    let hit = sql.execute(
        "INSERT INTO cursors (topic, partition, seq) VALUES ($1, $2, $3) \
         ON CONFLICT (topic, partition) DO UPDATE SET seq = excluded.seq WHERE cursors.seq <= excluded.seq",
        &[key.topic.as_str().into(), key.partition.into(), key.seq.into()],
    )?;
    if hit == 1 { Ok(()) } else { Err(backwards(key)) }
}

/// A cursor that would take signals twice.
pub(super) fn backwards(key: &SignalKey) -> StoreError {
    corrupt("cursors", &format!("{}/{}", key.topic, key.partition), "it would go back")
}

fn put_incidents(sql: &mut dyn Sql, commit: &BookCommit) -> Result<()> {
    let mut incidents: Vec<_> = commit.incidents.iter().collect();
    // Those that close first: the next one of a fingerprint may open in the same transaction.
    incidents.sort_by_key(|incident| incident.state != IncidentState::Closed);
    let rows: Vec<[Value; 6]> = incidents
        .into_iter()
        .map(|incident| {
            [
                incident.id.as_str().into(),
                incident.fingerprint.to_string().into(),
                incident.state.word().into(),
                incident.severity.code().into(),
                incident.detected.into(),
                wire::incident_to_json(incident).to_string().into(),
            ]
        })
        .collect();
    insert(
        sql,
        "INSERT INTO incidents (id, fingerprint, state, severity, detected, json) VALUES",
        "ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, state = excluded.state, \
         severity = excluded.severity, detected = excluded.detected, json = excluded.json",
        &rows,
    )?;
    Ok(())
}

fn put_rest(sql: &mut dyn Sql, commit: &BookCommit) -> Result<()> {
    let chains: Vec<[Value; 2]> = commit
        .chains
        .iter()
        .map(|chain| [chain.incident.as_str().into(), wire::chain_to_json(chain).to_string().into()])
        .collect();
    let put_json = "DO UPDATE SET json = excluded.json";
    let put_chain = format!("ON CONFLICT (incident) {put_json}");
    insert(sql, "INSERT INTO chains (incident, json) VALUES", &put_chain, &chains)?;
    let counters: Vec<[Value; 2]> =
        commit.counters.iter().map(|(name, last)| [name.as_str().into(), (*last).into()]).collect();
    let put_counter = "ON CONFLICT (name) DO UPDATE SET last = excluded.last";
    insert(sql, "INSERT INTO counters (name, last) VALUES", put_counter, &counters)?;
    for (name, json) in &commit.notes {
        match json {
            None => sql.execute("DELETE FROM notes WHERE name = $1", &[name.as_str().into()])?,
            Some(json) => insert(
                sql,
                "INSERT INTO notes (name, json) VALUES",
                &format!("ON CONFLICT (name) {put_json}"),
                &[[name.as_str().into(), json.as_str().into()]],
            )?,
        };
    }
    Ok(())
}

/// Adds inputs in order; returns the id of the first.
pub(super) fn put_inputs(sql: &mut dyn Sql, inputs: &[Input], now: Ms) -> Result<i64> {
    let count = inputs.len() as i64;
    sql.execute("UPDATE sequences SET last = last + $1 WHERE name = 'inputs'", &[count.into()])?;
    let last = sql.query("SELECT last FROM sequences WHERE name = 'inputs'", &[])?;
    let last = last.first().ok_or_else(|| corrupt("sequences", "inputs", "it is missing"))?.int(0)?;
    let first = last - count + 1;
    let rows: Vec<[Value; 4]> = (first..)
        .zip(inputs)
        .map(|(id, input)| {
            let text = wire::input_to_json(input).to_string();
            [id.into(), now.into(), wire::input_kind(input).into(), text.into()]
        })
        .collect();
    insert(sql, "INSERT INTO inputs (id, at, kind, json) VALUES", "", &rows)?;
    Ok(first)
}

/// Inputs that come from elsewhere must not be stored as rows.
pub(super) fn check_input(input: &Input) -> Result<()> {
    match input {
        Input::Signal { .. } | Input::Due | Input::Clock { .. } => Err(StoreError::Refused {
            what: format!("add an input of kind `{}`", wire::input_kind(input)),
            why: "signals come with a flush, and what is due is drawn by the leader".to_owned(),
            help: "this is a fault of the program: report it".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// What became of an input.
pub(super) fn answer(sql: &mut dyn Sql, row: i64) -> Result<Option<(bool, String)>> {
    let rows = sql.query("SELECT taken, done, answer FROM inputs WHERE id = $1", &[row.into()])?;
    let found = rows.first().ok_or_else(|| no_input(row))?;
    match found.maybe_int(0)? {
        None => Ok(None),
        Some(_) => Ok(Some((found.flag(1)?, found.text(2)?.to_owned()))),
    }
}

/// There is no such input.
pub(super) fn no_input(row: i64) -> StoreError {
    corrupt("inputs", &row.to_string(), "it does not exist")
}
