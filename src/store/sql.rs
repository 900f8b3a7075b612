//! The seam under the SQL store: what a database must offer, and the few ways in which its statements are built.
//!
//! The idea: one SQL text for every database. Statements use `$1…$n` in order of first use, BIGINT and TEXT, upserts
//! by `ON CONFLICT`, and inserts of many rows at once; only how a transaction begins and how rows are claimed differ.
//! Floats are never columns: SQLite turns NaN into NULL. They travel inside the JSON, with their bits.

use std::fmt;

use super::{Result, StoreError};

/// Rows per statement: far below the 32,766 arguments that SQLite takes and the 65,535 that PostgreSQL takes.
const ROWS_MAX: usize = 500;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Int(i64),
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A limit as SQL takes it.
pub(super) fn limit(rows: usize) -> Value {
    Value::Int(i64::try_from(rows).unwrap_or(i64::MAX))
}

/// A row of a result.
#[derive(Debug, Clone)]
pub(super) struct Row(pub(super) Vec<Value>);

impl Row {
    /// Column `n` as an integer.
    pub(super) fn int(&self, n: usize) -> Result<i64> {
        match self.0.get(n) {
            Some(Value::Int(value)) => Ok(*value),
            other => Err(wrong(n, "an integer", other)),
        }
    }

    /// Column `n` as an integer or NULL.
    pub(super) fn maybe_int(&self, n: usize) -> Result<Option<i64>> {
        match self.0.get(n) {
            Some(Value::Null) => Ok(None),
            _ => self.int(n).map(Some),
        }
    }

    /// Column `n` as a partition.
    pub(super) fn partition(&self, n: usize) -> Result<i32> {
        i32::try_from(self.int(n)?).map_err(|_| wrong(n, "a partition", self.0.get(n)))
    }

    /// Column `n` as a truth value.
    pub(super) fn flag(&self, n: usize) -> Result<bool> {
        match self.int(n)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(wrong(n, "0 or 1", self.0.get(n))),
        }
    }

    /// Column `n` as text.
    pub(super) fn text(&self, n: usize) -> Result<&str> {
        match self.0.get(n) {
            Some(Value::Text(value)) => Ok(value),
            other => Err(wrong(n, "a text", other)),
        }
    }

    /// Column `n` as text or NULL.
    pub(super) fn maybe_text(&self, n: usize) -> Result<Option<&str>> {
        match self.0.get(n) {
            Some(Value::Null) => Ok(None),
            _ => self.text(n).map(Some),
        }
    }
}

fn wrong(n: usize, wanted: &str, found: Option<&Value>) -> StoreError {
    StoreError::Corrupt { what: format!("column {n}"), why: format!("wanted {wanted}, found {found:?}") }
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// One consistent picture.
    Read,
    /// May write; holds off other writers of the same rows.
    Write,
}

/// One connection to a database.
pub(super) trait Sql: Send + fmt::Debug {
    /// Begins a transaction. One that a panic left open is rolled back first.
    fn begin(&mut self, mode: Mode) -> Result<()>;
    /// Makes it durable. After an error nobody knows whether it is.
    fn commit(&mut self) -> Result<()>;
    /// Undoes it. A connection that cannot even do this is unusable and says so at the next call.
    fn rollback(&mut self);
    /// Runs a statement; returns how many rows it changed.
    fn execute(&mut self, sql: &str, args: &[Value]) -> Result<usize>;
    /// Runs a query.
    fn query(&mut self, sql: &str, args: &[Value]) -> Result<Vec<Row>>;
    /// What follows a `SELECT … LIMIT` whose rows this transaction is about to lease.
    fn claiming(&self) -> &'static str;
    /// What follows a `SELECT` that must wait for whoever is writing the row, because an answer was lost and the
    /// commit may still be under way.
    fn settling(&self) -> &'static str {
        ""
    }
    /// Whether there is such a table.
    fn has_table(&mut self, table: &str) -> Result<bool>;
    /// Holds off everybody else who would change tables, until the transaction ends; takes limits off that are meant
    /// for short work.
    fn lock_schema(&mut self) -> Result<()> {
        Ok(())
    }
    /// The type of a text column that is ordered by its bytes.
    fn text_type(&self) -> &'static str {
        "TEXT"
    }
    /// Rights that are missing on `tables`: what is missing, and the statement that gives it.
    fn missing_rights(&mut self, tables: &[&str]) -> Result<Option<(String, String)>> {
        let _ = tables;
        Ok(None)
    }
    /// Whether it still has its other end, as far as can be known without asking.
    fn is_alive(&mut self) -> bool {
        true
    }
    /// Whether it is of no use any more.
    fn is_broken(&self) -> bool {
        false
    }
}

/// How a piece of work wants its transaction to end.
#[derive(Debug)]
pub(super) enum End<T> {
    /// Commit, then answer this.
    Keep(T),
    /// Roll back, then answer this.
    Drop(T),
}

/// Runs `work` in a transaction: an error rolls back.
pub(super) fn transact<T>(
    sql: &mut dyn Sql,
    mode: Mode,
    work: impl FnOnce(&mut dyn Sql) -> Result<End<T>>,
) -> Result<T> {
    sql.begin(mode)?;
    match work(sql) {
        Ok(End::Keep(answer)) => match sql.commit() {
            Ok(()) => Ok(answer),
            Err(error) => {
                sql.rollback();
                Err(error)
            }
        },
        Ok(End::Drop(answer)) => {
            sql.rollback();
            Ok(answer)
        }
        Err(error) => {
            sql.rollback();
            Err(error)
        }
    }
}

/// `rows` of `N` columns in as few statements as possible: `head` ends in `VALUES`, `tail` may say what happens on a
/// conflict. Returns how many rows were written.
pub(super) fn insert<const N: usize>(sql: &mut dyn Sql, head: &str, tail: &str, rows: &[[Value; N]]) -> Result<usize> {
    let mut written = 0;
    for chunk in rows.chunks(ROWS_MAX) {
        let mut text = String::with_capacity(head.len() + tail.len() + chunk.len() * N * 6);
        text.push_str(head);
        for row in 0..chunk.len() {
            text.push_str(if row == 0 { " (" } else { ", (" });
            placeholders(&mut text, row * N + 1, N);
            text.push(')');
        }
        text.push(' ');
        text.push_str(tail);
        written += sql.execute(&text, chunk.as_flattened())?;
    }
    Ok(written)
}

/// Runs `statement`, whose `(…)` stands for a list of `keys`, after `fixed` arguments, in chunks; collects the rows
/// changed.
pub(super) fn execute_in(sql: &mut dyn Sql, statement: &str, fixed: &[Value], keys: &[Value]) -> Result<usize> {
    let mut changed = 0;
    for chunk in keys.chunks(ROWS_MAX) {
        let (text, args) = with_list(statement, fixed, chunk);
        changed += sql.execute(&text, &args)?;
    }
    Ok(changed)
}

/// Like [`execute_in`], for a query.
pub(super) fn query_in(sql: &mut dyn Sql, statement: &str, fixed: &[Value], keys: &[Value]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for chunk in keys.chunks(ROWS_MAX) {
        let (text, args) = with_list(statement, fixed, chunk);
        rows.append(&mut sql.query(&text, &args)?);
    }
    Ok(rows)
}

fn with_list(statement: &str, fixed: &[Value], keys: &[Value]) -> (String, Vec<Value>) {
    let mut list = String::from("(");
    placeholders(&mut list, fixed.len() + 1, keys.len());
    list.push(')');
    (statement.replacen("(…)", &list, 1), [fixed, keys].concat())
}

/// `$first, …` for `count` arguments.
fn placeholders(text: &mut String, first: usize, count: usize) {
    for n in first..first + count {
        if n > first {
            text.push_str(", ");
        }
        text.push('$');
        text.push_str(&n.to_string());
    }
}
