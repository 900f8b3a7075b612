//! Hand-over ③ in SQL: leases on pages, and what became of them.
//!
//! The idea: every change of a page that somebody holds is fenced on (worker, lease epoch), and whatever the leader
//! must know is an input row of the same transaction. SQL decides who may send, never whether to send.

use super::book::put_inputs;
use super::rows;
use super::sql::{End, Row, Sql, Value, limit};
use super::{About, RECEIPT_AGE, Result, StoreError};
use crate::model::{ClockStep, Input, Lease, Outcome, Page, PageRow, PageState, Severity, wire};
use crate::time::Ms;

/// What a claim asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want<'a> {
    pub(super) worker: &'a str,
    pub(super) severity: Option<Severity>,
    pub(super) limit: usize,
    pub(super) now: Ms,
    pub(super) until: Ms,
}

/// Pages that may be claimed. `$1` now, `$2` now again, `$3` a severity or empty, `$4` the same.
const CLAIMABLE: &str = "FROM outbox WHERE state = 'waiting' AND due <= $1 AND deadline >= $2 \
                         AND ($3 = '' OR severity = $4)";
/// Pages whose sender did not come back. `$1` now.
const LAPSED: &str = "FROM outbox WHERE state = 'handed' AND lease_until <= $1";
/// Pages that waited too long. `$1` now.
const EXPIRED: &str = "FROM outbox WHERE state = 'waiting' AND deadline < $1";
/// What a lease needs of a row.
const LEASE: &str = "id, json, lease_epoch, doubt, resent, deadline, wanted, queued, submitted, accepted, delivered";
/// Pages whose instants move with the wall clock.
const OPEN: &str =
    "SELECT id, due, deadline, lease_until, wanted FROM outbox WHERE state IN ('waiting', 'handed') ORDER BY id";
/// The order of the outbox: what is wanted first, of that the worst. Each page's place is fixed when it is decided, so no
/// page can be passed for ever.
const ORDER: &str = "ORDER BY wanted, severity, id";

fn claimable(want: &Want<'_>) -> Vec<Value> {
    let severity = want.severity.map_or("", Severity::code);
    vec![want.now.into(), want.now.into(), severity.into(), severity.into()]
}

/// Whether [`claim`] would find something: asked every 50 ms, without taking the writer's lock.
pub(super) fn has_claimable(sql: &mut dyn Sql, want: &Want<'_>) -> Result<bool> {
    any(sql, CLAIMABLE, &claimable(want))
}

/// Whether [`reclaim`] would find something.
pub(super) fn has_lapsed(sql: &mut dyn Sql, now: Ms) -> Result<bool> {
    any(sql, LAPSED, &[now.into()])
}

/// Whether [`expire`] would find something.
pub(super) fn has_expired(sql: &mut dyn Sql, now: Ms) -> Result<bool> {
    any(sql, EXPIRED, &[now.into()])
}

fn any(sql: &mut dyn Sql, from: &str, args: &[Value]) -> Result<bool> {
    Ok(!sql.query(&format!("SELECT id {from} LIMIT 1"), args)?.is_empty())
}

/// The statement that finds what [`claim`] leases.
pub(super) fn claim_query(sql: &dyn Sql, want: &Want<'_>) -> (String, Vec<Value>) {
    let text = format!("SELECT {LEASE} {CLAIMABLE} {ORDER} LIMIT $5{}", sql.claiming());
    let mut args = claimable(want);
    args.push(limit(want.limit));
    (text, args)
}

/// Leases pages that wait.
pub(super) fn claim(sql: &mut dyn Sql, want: &Want<'_>) -> Result<End<Vec<Lease>>> {
    let (text, args) = claim_query(sql, want);
    let found = sql.query(&text, &args)?;
    let leases = found.iter().map(|row| lease(sql, row, want)).collect::<Result<Vec<_>>>()?;
    let handed: Vec<Input> = leases.iter().map(|lease| Input::Handed { page: lease.page.id.clone() }).collect();
    if handed.is_empty() {
        return Ok(End::Drop(leases));
    }
    put_inputs(sql, &handed, want.now)?;
    Ok(End::Keep(leases))
}

/// Leases pages whose lease ended without an outcome: from now on there is doubt whether they were sent.
pub(super) fn reclaim(sql: &mut dyn Sql, want: &Want<'_>) -> Result<End<Vec<Lease>>> {
    let text = format!("SELECT {LEASE} {LAPSED} {ORDER} LIMIT $2{}", sql.claiming());
    let found = sql.query(&text, &[want.now.into(), limit(want.limit)])?;
    let mut leases = Vec::with_capacity(found.len());
    for row in &found {
        sql.execute("UPDATE outbox SET doubt = 1 WHERE id = $1", &[row.text(0)?.into()])?;
        leases.push(Lease { unknown_before: true, ..lease(sql, row, want)? });
    }
    Ok(if leases.is_empty() { End::Drop(leases) } else { End::Keep(leases) })
}

fn lease(sql: &mut dyn Sql, row: &Row, want: &Want<'_>) -> Result<Lease> {
    let id = row.text(0)?;
    let epoch = row.int(2)? + 1;
    sql.execute(
        "UPDATE outbox SET state = 'handed', worker = $1, lease_epoch = $2, lease_until = $3, tries = tries + 1, \
         handed = COALESCE(handed, $4) WHERE id = $5",
        &[want.worker.into(), epoch.into(), want.until.into(), want.now.into(), id.into()],
    )?;
    let page: Page = rows::json(row, 1, "outbox", id, wire::page_from_json)?;
    Ok(Lease {
        // The page is as it was decided; its row moved with the wall clock.
        page: Page { deadline: row.int(5)?, wanted: row.int(6)?, ..page },
        worker: want.worker.to_owned(),
        epoch,
        until: want.until,
        unknown_before: row.flag(3)?,
        resent: row.flag(4)?,
        sending: rows::sending(row, 7)?,
    })
}

/// Runs `UPDATE outbox SET …` on the row that `lease` still holds; `set` uses `$1` to `$n` for `args`.
fn held(sql: &mut dyn Sql, lease: &Lease, set: &str, args: &[Value]) -> Result<bool> {
    let n = args.len();
    let text = format!(
        "UPDATE outbox SET {set} WHERE id = ${} AND worker = ${} AND lease_epoch = ${} AND state = 'handed'",
        n + 1,
        n + 2,
        n + 3
    );
    Ok(sql.execute(&text, &[args, &rows::holder(lease)].concat())? == 1)
}

/// Extends a lease.
pub(super) fn renew(sql: &mut dyn Sql, lease: &Lease, until: Ms) -> Result<End<bool>> {
    held(sql, lease, "lease_until = $1", &[until.into()]).map(End::Keep)
}

/// Extends a lease, and writes down that its page is given to a gateway now.
pub(super) fn submit(sql: &mut dyn Sql, lease: &Lease, now: Ms, until: Ms) -> Result<End<bool>> {
    held(sql, lease, "submitted = $1, lease_until = $2", &[now.into(), until.into()]).map(End::Keep)
}

/// Writes an outcome and its input.
pub(super) fn outcome(sql: &mut dyn Sql, lease: &Lease, outcome: &Outcome, now: Ms) -> Result<End<bool>> {
    let ours = match settled(outcome) {
        // No gateway was given it again yet: a sender that dies before it does leaves that to the next.
        None => held(sql, lease, "resent = 1, submitted = NULL", &[])?,
        Some(state) => {
            let args = [state.word().into(), outcome.detail().into(), now.into(), accepted(state, now).into()];
            held(sql, lease, "state = $1, detail = $2, done = $3, accepted = $4", &args)?
        }
    };
    if !ours {
        return Ok(End::Drop(false));
    }
    put_inputs(sql, &[told(&lease.page.id, outcome, now)], now)?;
    Ok(End::Keep(true))
}

/// When a page that is `state` from `now` on was accepted, where that is known only by its being so.
pub(super) fn accepted(state: PageState, now: Ms) -> Option<Ms> {
    matches!(state, PageState::Accepted | PageState::Delivered).then_some(now)
}

/// What the leader hears of an outcome.
pub(super) fn told(page: &str, outcome: &Outcome, at: Ms) -> Input {
    Input::Outcome { page: page.to_owned(), outcome: outcome.clone(), at: Some(at) }
}

/// The state that an outcome leads to; `None` where the lease goes on.
pub(super) fn settled(outcome: &Outcome) -> Option<PageState> {
    match outcome {
        Outcome::Accepted { .. } => Some(PageState::Accepted),
        Outcome::Delivered { .. } => Some(PageState::Delivered),
        Outcome::Failed { .. } => Some(PageState::Failed),
        Outcome::Unknown { .. } => Some(PageState::Unknown),
        Outcome::Resent => None,
    }
}

/// A page that a receipt is about. Only one whose hand-over ended with a yes, or with nobody knowing, can have one.
/// `$1` its id or the gateway's, `$2` not decided before.
const BY_PAGE: &str = "FROM outbox WHERE id = $1 AND decided >= $2 AND state IN ('accepted', 'unknown')";
/// That it is on the phone may be known before the answer of its sender, who may be dead: then it must not go out again.
/// That it failed says nothing of another gateway that its sender may be trying.
const ON_PHONE: &str = "FROM outbox WHERE id = $1 AND decided >= $2 AND (state IN ('accepted', 'unknown') \
                        OR (state = 'handed' AND submitted IS NOT NULL))";
const BY_DETAIL: &str = "FROM outbox WHERE detail = $1 AND decided >= $2 AND state = 'accepted'";

/// A page that its sender has given away and not said so. `$1` its id.
const EARLY: &str = "FROM outbox WHERE id = $1 AND state = 'handed' AND submitted IS NOT NULL";

/// A no that comes before its sender's answer: thrown away, nobody would ever learn that the page did not arrive.
pub(super) fn early() -> StoreError {
    let why = "its sender has not said yet that it gave the page away: post it again".to_owned();
    StoreError::Unavailable { what: "take a receipt".to_owned(), why }
}

/// Writes what a receipt says, and its input; gives the row as it is then.
pub(super) fn receipt(
    sql: &mut dyn Sql,
    about: &About<'_>,
    outcome: &Outcome,
    now: Ms,
) -> Result<End<Option<PageRow>>> {
    let Some(state) = settled(outcome) else { return Ok(End::Drop(None)) };
    let (from, key) = match about {
        About::Page(id) if state == PageState::Delivered => (ON_PHONE, *id),
        About::Page(id) => (BY_PAGE, *id),
        About::Detail(detail) => (BY_DETAIL, *detail),
    };
    let text = format!("SELECT id {from} LIMIT 1{}", sql.claiming());
    let found = sql.query(&text, &[key.into(), (now - RECEIPT_AGE).into()])?;
    let Some(row) = found.first() else {
        let is_early = match about {
            About::Page(id) => any(sql, EARLY, &[(*id).into()])?,
            About::Detail(_) => false,
        };
        return if is_early { Err(early()) } else { Ok(End::Drop(None)) };
    };
    let id = row.text(0)?;
    let delivered = (state == PageState::Delivered).then_some(now);
    let args = [
        state.word().into(),
        outcome.detail().into(),
        now.into(),
        // On the phone, and nobody knew that the provider had it: it has had it by now.
        accepted(state, now).into(),
        delivered.into(),
        id.into(),
    ];
    sql.execute(
        "UPDATE outbox SET state = $1, detail = $2, done = $3, accepted = COALESCE(accepted, $4), delivered = $5 \
         WHERE id = $6",
        &args,
    )?;
    put_inputs(sql, &[told(id, outcome, now)], now)?;
    let text = format!("SELECT {} FROM outbox WHERE id = $1", rows::PAGE);
    let row = sql.query(&text, &[id.into()])?.first().map(rows::page_row).transpose()?;
    Ok(End::Keep(row))
}

/// Gives a page back unsent: no gateway has it.
pub(super) fn give_back(sql: &mut dyn Sql, lease: &Lease, why: &str, due: Ms) -> Result<End<bool>> {
    let set = "state = 'waiting', detail = $1, due = $2, submitted = NULL";
    let ours = held(sql, lease, set, &[why.into(), due.into()])?;
    if ours {
        put_inputs(sql, &[Input::GivenBack { page: lease.page.id.clone(), again: false }], due)?;
    }
    Ok(End::Keep(ours))
}

/// The wall clock was set: what waits or is leased keeps what was left of its time.
pub(super) fn set_clock(sql: &mut dyn Sql, step: ClockStep) -> Result<()> {
    for row in sql.query(&format!("{OPEN}{}", sql.settling()), &[])? {
        let (due, deadline, until) = (step.due(row.int(1)?), step.deadline(row.int(2)?), step.lease(row.int(3)?));
        let wanted = step.deadline(row.int(4)?);
        let args = [due.into(), deadline.into(), until.into(), wanted.into(), row.text(0)?.into()];
        sql.execute("UPDATE outbox SET due = $1, deadline = $2, lease_until = $3, wanted = $4 WHERE id = $5", &args)?;
    }
    Ok(())
}

/// The outcome of a page that waited past its deadline.
pub(super) fn too_late() -> Outcome {
    Outcome::Failed { reason: "expired".to_owned() }
}

/// Fails pages that wait past their deadline.
pub(super) fn expire(sql: &mut dyn Sql, now: Ms) -> Result<End<usize>> {
    let late = sql.query(&format!("SELECT id {EXPIRED} ORDER BY deadline, id{}", sql.claiming()), &[now.into()])?;
    let mut inputs = Vec::with_capacity(late.len());
    for row in &late {
        let id = row.text(0)?;
        sql.execute(
            "UPDATE outbox SET state = 'failed', detail = $1, done = $2 WHERE id = $3",
            &[too_late().detail().into(), now.into(), id.into()],
        )?;
        inputs.push(told(id, &too_late(), now));
    }
    if inputs.is_empty() {
        return Ok(End::Drop(0));
    }
    put_inputs(sql, &inputs, now)?;
    Ok(End::Keep(inputs.len()))
}
