//! The leader's seat in SQL: one row that says who sits and whether it is at work.
//!
//! The idea: whoever wants the seat names what it last saw of it, and gets it only if nothing has moved since: not the
//! epoch (somebody was faster) and not the beat (whoever sits is at work after all). Times are not compared here, nor
//! stored: two machines' clocks have nothing to say to each other. How long a beat must stand still is for the waiting
//! process to say (`pipeline::leading`).

use super::Result;
use super::sql::Sql;
use crate::model::Seat;

/// The seat; the default where nobody ever sat.
pub(super) fn seat(sql: &mut dyn Sql) -> Result<Seat> {
    let rows = sql.query("SELECT epoch, owner, beat FROM leader WHERE id = 1", &[])?;
    let read =
        |row: &super::sql::Row| Ok(Seat { epoch: row.int(0)?, owner: row.text(1)?.to_owned(), beat: row.int(2)? });
    rows.first().map_or_else(|| Ok(Seat::default()), read)
}

/// Takes the seat if it is as it was `seen`; returns the epoch. A commit that is under way is waited for.
pub(super) fn take(sql: &mut dyn Sql, owner: &str, seen: &Seat) -> Result<Option<i64>> {
    let taken = sql.execute(
        "INSERT INTO leader (id, epoch, owner, beat) VALUES (1, 1, $1, 0) \
         ON CONFLICT (id) DO UPDATE SET epoch = leader.epoch + 1, owner = excluded.owner, beat = leader.beat + 1 \
         WHERE leader.epoch = $2 AND leader.beat = $3",
        &[owner.into(), seen.epoch.into(), seen.beat.into()],
    )?;
    Ok(if taken == 1 { Some(seat(sql)?.epoch) } else { None })
}

/// Moves the beat on. `false`: somebody else sits there. Written, not only read: the row's lock holds off a successor
/// until this transaction has ended.
pub(super) fn beat(sql: &mut dyn Sql, epoch: i64) -> Result<bool> {
    let moved = sql.execute("UPDATE leader SET beat = beat + 1 WHERE id = 1 AND epoch = $1", &[epoch.into()])?;
    Ok(moved == 1)
}

/// Leaves the seat to whoever wants it. `false`: somebody else sits there.
pub(super) fn give_up(sql: &mut dyn Sql, epoch: i64) -> Result<bool> {
    let left =
        sql.execute("UPDATE leader SET owner = '', beat = beat + 1 WHERE id = 1 AND epoch = $1", &[epoch.into()])?;
    Ok(left == 1)
}
