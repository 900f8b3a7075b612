//! Versions of the tables: ordered steps of SQL text, each run once, in one transaction with its number.
//!
//! The idea: a database says which steps it has had, so that every earlier release's file can be opened, and a newer
//! one is refused before anything in it is touched. A step that was released is never edited.

use super::sql::{End, Mode, Sql, Value, transact};
use super::{Result, StoreError};

/// The table that says which version the others have.
pub(super) const VERSION: &str = "schema_version";

/// Step n, counted from 1, leads to version n. Statements end with a semicolon at the end of a line.
pub(super) const STEPS: [&str; 4] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
];

/// Brings the database to the version that `steps` lead to.
pub(super) fn migrate(sql: &mut dyn Sql, name: &str, steps: &[&str]) -> Result<()> {
    // Looked at first: a role that may only read and write rows must find nothing to do.
    let ready = transact(sql, Mode::Read, |sql| {
        let had = if sql.has_table(VERSION)? { version(sql)? } else { 0 };
        Ok(End::Drop(Value::Int(had) == latest(steps)))
    })?;
    if ready {
        return Ok(());
    }
    let text_type = format!(" {}", sql.text_type());
    transact(sql, Mode::Write, |sql| {
        sql.lock_schema()?;
        sql.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)", &[])?;
        let had = version(sql)?;
        let missing = usize::try_from(had).ok().and_then(|had| steps.get(had..));
        let Some(missing) = missing else { return Err(newer(name, had, steps.len())) };
        if missing.is_empty() {
            return Ok(End::Drop(()));
        }
        for statement in missing.iter().flat_map(|step| statements(step)) {
            sql.execute(&statement.replace(" TEXT", &text_type), &[])?;
        }
        sql.execute("DELETE FROM schema_version", &[])?;
        sql.execute("INSERT INTO schema_version (version) VALUES ($1)", &[latest(steps)])?;
        Ok(End::Keep(()))
    })
}

/// Refuses a role that lacks a right on a table of `steps`.
pub(super) fn check_rights(sql: &mut dyn Sql, name: &str, steps: &[&str]) -> Result<()> {
    let tables: Vec<&str> = steps.iter().flat_map(|step| tables(step)).collect();
    match sql.missing_rights(&tables)? {
        None => Ok(()),
        Some((why, statement)) => Err(StoreError::Refused {
            what: format!("open store `{name}`"),
            why,
            help: format!("as the owner of the tables, run: {statement}"),
        }),
    }
}

/// Refuses a database that is not at the version that `steps` lead to; writes nothing.
pub(super) fn check(sql: &mut dyn Sql, name: &str, steps: &[&str]) -> Result<()> {
    let what = format!("open store `{name}`");
    match version(sql) {
        Ok(had) if Value::Int(had) == latest(steps) => Ok(()),
        Ok(had) if had < 0 || usize::try_from(had).is_ok_and(|had| had < steps.len()) => Err(StoreError::Refused {
            what,
            why: format!("its tables are of version {had}, this program reads version {}", steps.len()),
            help: "start the service once with this program: it brings them up to date".to_owned(),
        }),
        Ok(had) => Err(newer(name, had, steps.len())),
        Err(StoreError::Unavailable { why, .. }) => Err(StoreError::Unavailable { what, why }),
        Err(error) => Err(StoreError::Refused {
            what,
            why: format!("it is not a store of this program ({error})"),
            help: "name the data directory of a service that has run".to_owned(),
        }),
    }
}

fn latest(steps: &[&str]) -> Value {
    Value::Int(i64::try_from(steps.len()).unwrap_or(i64::MAX))
}

/// 0 where no step has been run.
fn version(sql: &mut dyn Sql) -> Result<i64> {
    let rows = sql.query("SELECT version FROM schema_version", &[])?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

fn newer(name: &str, had: i64, know: usize) -> StoreError {
    StoreError::Refused {
        what: format!("open store `{name}`"),
        why: format!("its tables are of version {had}, this program knows versions up to {know}; nothing was changed"),
        help: "start the release that wrote it, or restore the copy made before the update".to_owned(),
    }
}

fn statements(step: &str) -> impl Iterator<Item = &str> {
    step.split(";\n").map(str::trim).filter(|statement| !statement.is_empty())
}

/// The names of the tables that a step makes.
fn tables(step: &str) -> impl Iterator<Item = &str> {
    step.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split([' ', '(']).next())
}
