//! PostgreSQL behind the seam: one connection, driven from whatever thread calls, with a limit on every wait.
//!
//! The idea: what `BEGIN IMMEDIATE` gives on SQLite is given here by row locks. A writing transaction is READ COMMITTED
//! and writes its fence first (epoch row, lease, sequence row): whoever comes second waits for that row and then sees
//! what the first one left. A reading transaction is one snapshot. Statements carry their types, so that each is one
//! round trip and nothing is kept on the server (a pooler in transaction mode may stand between).
//! Not here: which connections exist (`pool`), and what the statements mean.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use bytes::BytesMut;
use tokio::runtime::Runtime;
use tokio::time::error::Elapsed;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::sql::{Mode, Row, Sql, Value};
use super::{Result, StoreError, tls};
use crate::model::PostgresUrl;
use crate::time::Ms;

/// Longest wait for a connection to one host, sign-in included.
const CONNECT: Duration = Duration::from_secs(5);
/// A dead network is noticed after this and a few questions more.
const SILENCE: Duration = Duration::from_secs(10);
/// Longest wait for a row that another transaction writes. As on SQLite.
const LOCK_MS: Ms = 5_000;
/// The server ends a transaction that nobody goes on with: a machine that stood still in the middle of one must not keep
/// its seat from a successor for longer than one that stood still elsewhere. Between two statements lie microseconds of
/// ours, and whoever is ended wrongly tries again.
const IDLE_MS: Ms = 4_000;
/// The server's own time-out answers first; ours is for a server that does not answer at all.
const GRACE: Duration = Duration::from_secs(5);
/// Changing the tables of a year may take long.
const MIGRATION: Duration = Duration::from_secs(3_600);
/// Any number will do, the same in every version: who changes tables holds it.
const SCHEMA_LOCK: i64 = 0xB0_65_0B;

/// What PostgreSQL needs beside its URL.
#[derive(Clone)]
pub struct PostgresOptions {
    /// The role's password, where it has one.
    pub password: Option<String>,
    /// Connections of this process, at most; half of them for reading.
    pub connections: usize,
    /// Longest time of a statement, ms.
    pub statement_timeout: Ms,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { password: None, connections: 8, statement_timeout: 10_000 }
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("connections", &self.connections)
            .field("statement_timeout", &self.statement_timeout)
            .finish()
    }
}

/// Where connections go.
pub(super) struct Server {
    pub(super) name: String,
    config: Config,
    tls: Option<MakeRustlsConnect>,
    statement_timeout: Ms,
}

impl Server {
    /// Reads what is needed to connect; does not connect.
    pub(super) fn new(url: &PostgresUrl, options: &PostgresOptions) -> Result<Self> {
        let name = url.to_string();
        let tls = tls::connector(&url.tls).map_err(|why| StoreError::Refused {
            what: format!("open store `{name}`"),
            why,
            help: "name a PEM file with the certificate of the authority that signed the server's".to_owned(),
        })?;
        let mut config = Config::new();
        for (host, port) in &url.hosts {
            config.host(host).port(*port);
        }
        config.user(&url.user).dbname(&url.database).application_name("bongsu");
        if let Some(password) = &options.password {
            config.password(password);
        }
        config.ssl_mode(match tls {
            None => tokio_postgres::config::SslMode::Disable,
            Some(_) => tokio_postgres::config::SslMode::Require,
        });
        config.connect_timeout(CONNECT).keepalives_idle(SILENCE).keepalives_interval(SILENCE / 4);
        config.keepalives_retries(4).tcp_user_timeout(2 * SILENCE);
        if url.hosts.len() > 1 {
            // After a fail-over the other one takes writes.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        Ok(Self { name, config, tls, statement_timeout: options.statement_timeout })
    }

    /// One more connection.
    pub(super) fn connect(&self) -> Result<Postgres> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| self.away(error.to_string()))?;
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(1);
        let patience = CONNECT * hosts.max(1);
        let client = match runtime.block_on(async { tokio::time::timeout(patience, self.dial()).await }) {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(self.refused(&error)),
            Err(Elapsed { .. }) => {
                return Err(self.away(format!("no answer in {} s", patience.as_secs())));
            }
        };
        let patience = Duration::from_millis(self.statement_timeout.unsigned_abs()) + GRACE;
        let mut connection = Postgres {
            runtime: Some(runtime),
            client,
            name: self.name.clone(),
            patience,
            usual: patience,
            open: false,
            failed: false,
            broken: false,
        };
        connection.batch(&format!(
            "SET statement_timeout = {}; SET lock_timeout = {LOCK_MS}; \
             SET idle_in_transaction_session_timeout = {IDLE_MS}; \
             SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
            self.statement_timeout
        ))?;
        Ok(connection)
    }

    async fn dial(&self) -> std::result::Result<Client, Error> {
        // The connection's own half ends with the client, or with the runtime.
        match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::runtime::Handle::current().spawn(connection);
                Ok(client)
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                tokio::runtime::Handle::current().spawn(connection);
                Ok(client)
            }
        }
    }

    fn away(&self, why: String) -> StoreError {
        StoreError::Unavailable { what: format!("connect to store `{}`", self.name), why }
    }

    /// What it means that the server did not let us in.
    fn refused(&self, error: &Error) -> StoreError {
        let what = format!("connect to store `{}`", self.name);
        let why = chain(error);
        let user = self.config.get_user().unwrap_or_default();
        let help = match error.code() {
            Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => format!(
                "give the password of `{user}` by BONGSU__STORE__PASSWORD or store.password_file, and let pg_hba.conf \
                 admit it from here"
            ),
            Some(&SqlState::INVALID_CATALOG_NAME) => {
                "make the database and its two roles: deploy/postgres.sql does it".to_owned()
            }
            Some(code) => return classified(what, why, code),
            None if self.config.get_password().is_none() && why.contains("password") => {
                format!("the server wants a password of `{user}`: BONGSU__STORE__PASSWORD or store.password_file")
            }
            None if why.contains("TLS") => "compare sslmode and sslrootcert with the server's `ssl` settings: the \
                                            certificate must name this very host and be signed by the file's authority"
                .to_owned(),
            None => return StoreError::Unavailable { what, why },
        };
        StoreError::Refused { what, why, help }
    }
}

/// One connection.
pub(super) struct Postgres {
    /// Empty only inside `drop`.
    runtime: Option<Runtime>,
    client: Client,
    name: String,
    /// How long the statements of this transaction are waited for.
    patience: Duration,
    usual: Duration,
    /// A transaction is open.
    open: bool,
    /// A statement of it failed: the server would answer COMMIT by a rollback, without calling it an error.
    failed: bool,
    broken: bool,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("name", &self.name).field("open", &self.open).finish_non_exhaustive()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // An ordinary drop would wait, which an asynchronous caller may not.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

type Answer<T> = std::result::Result<std::result::Result<T, Error>, Elapsed>;

/// Waits for `call`, not for ever.
fn wait<T>(
    runtime: Option<&Runtime>,
    patience: Duration,
    call: impl Future<Output = std::result::Result<T, Error>>,
) -> Answer<T> {
    let runtime = runtime.expect("it is taken out by `drop` alone");
    runtime.block_on(async { tokio::time::timeout(patience, call).await })
}

impl Postgres {
    fn batch(&mut self, text: &str) -> Result<()> {
        let answer = wait(self.runtime.as_ref(), self.patience, self.client.batch_execute(text));
        self.take(answer)
    }

    fn take<T>(&mut self, answer: Answer<T>) -> Result<T> {
        let what = || format!("store `{}`", self.name);
        let error = match answer {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(Elapsed { .. }) => {
                self.broken = true;
                let why = format!("no answer in {} s; what it did is not known", self.patience.as_secs());
                return Err(StoreError::Unavailable { what: what(), why });
            }
        };
        self.failed = true;
        let why = chain(&error);
        let Some(db) = error.as_db_error() else {
            self.broken = true;
            return Err(StoreError::Unavailable { what: what(), why });
        };
        self.broken |= !matches!(db.parsed_severity(), Some(Severity::Error));
        Err(classified(what(), why, db.code()))
    }

    fn bound(args: &[Value]) -> Vec<(&(dyn ToSql + Sync), Type)> {
        args.iter()
            .map(|arg| {
                let kind = match arg {
                    Value::Null => Type::UNKNOWN,
                    Value::Int(_) => Type::INT8,
                    Value::Text(_) => Type::TEXT,
                };
                (arg as &(dyn ToSql + Sync), kind)
            })
            .collect()
    }

    /// Refuses a database that cannot hold every text.
    pub(super) fn check_encoding(&mut self) -> Result<()> {
        let rows = self.query("SELECT current_setting('server_encoding')", &[])?;
        let encoding = rows.first().map_or(Ok(""), |row| row.text(0))?;
        if encoding == "UTF8" {
            return Ok(());
        }
        Err(StoreError::Refused {
            what: format!("open store `{}`", self.name),
            why: format!("its encoding is {encoding}: it cannot hold every text"),
            help: "make the database with ENCODING 'UTF8' TEMPLATE template0".to_owned(),
        })
    }
}

impl Sql for Postgres {
    fn begin(&mut self, mode: Mode) -> Result<()> {
        self.rollback();
        self.patience = self.usual;
        self.batch(match mode {
            Mode::Write => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
            Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        })?;
        self.open = true;
        self.failed = false;
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        if self.failed {
            let why = "a statement of it failed".to_owned();
            return Err(StoreError::Corrupt { what: format!("commit to store `{}`", self.name), why });
        }
        self.batch("COMMIT")?;
        self.open = false;
        Ok(())
    }

    fn rollback(&mut self) {
        if std::mem::take(&mut self.open) && !self.is_broken() && self.batch("ROLLBACK").is_err() {
            self.broken = true;
        }
    }

    fn execute(&mut self, sql: &str, args: &[Value]) -> Result<usize> {
        let args = Self::bound(args);
        let answer = wait(self.runtime.as_ref(), self.patience, self.client.execute_typed(sql, &args));
        Ok(usize::try_from(self.take(answer)?).unwrap_or(usize::MAX))
    }

    fn query(&mut self, sql: &str, args: &[Value]) -> Result<Vec<Row>> {
        let args = Self::bound(args);
        let answer = wait(self.runtime.as_ref(), self.patience, self.client.query_typed(sql, &args));
        self.take(answer)?.iter().map(own).collect()
    }

    fn claiming(&self) -> &'static str {
        " FOR UPDATE SKIP LOCKED"
    }

    fn settling(&self) -> &'static str {
        " FOR UPDATE"
    }

    fn has_table(&mut self, table: &str) -> Result<bool> {
        let rows = self.query("SELECT to_regclass($1) IS NOT NULL", &[table.into()])?;
        rows.first().map_or(Ok(false), |row| row.flag(0))
    }

    fn lock_schema(&mut self) -> Result<()> {
        self.patience = MIGRATION;
        self.batch(&format!(
            "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_xact_lock({SCHEMA_LOCK})"
        ))
    }

    /// By bytes, as SQLite does and as Rust does: not by the database's language, whose rules change with its libraries.
    fn text_type(&self) -> &'static str {
        "TEXT COLLATE \"C\""
    }

    fn missing_rights(&mut self, tables: &[&str]) -> Result<Option<(String, String)>> {
        let names: Vec<String> = tables.iter().map(|table| format!("('{table}')")).collect();
        let rows = self.query(
            &format!(
                "SELECT t.name, r.name, quote_ident(current_user) FROM (VALUES {}) AS t (name) \
                 CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS r (name) \
                 WHERE NOT has_table_privilege(t.name, r.name) ORDER BY 1, 2",
                names.join(", ")
            ),
            &[],
        )?;
        let Some(first) = rows.first() else { return Ok(None) };
        let mut wanting: Vec<&str> = rows.iter().map(|row| row.text(0)).collect::<Result<_>>()?;
        wanting.dedup();
        let wanting = wanting.join(", ");
        let role = first.text(2)?;
        Ok(Some((
            format!("role {role} lacks {} on table {}", first.text(1)?, first.text(0)?),
            format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {wanting} TO {role};"),
        )))
    }

    fn is_alive(&mut self) -> bool {
        let Some(runtime) = &self.runtime else { return false };
        // The connection's half reads what came while nobody called: the first turn asks the network, the second reads.
        runtime.block_on(async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        });
        !self.is_broken()
    }

    fn is_broken(&self) -> bool {
        self.broken || self.client.is_closed()
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) => value.to_sql(kind, out),
            // The one character that PostgreSQL cannot hold; in JSON it is escaped already.
            Self::Text(value) if value.contains('\0') => value.replace('\0', "\u{FFFD}").to_sql(kind, out),
            Self::Text(value) => value.to_sql(kind, out),
        }
    }

    /// [`Postgres::bound`] names the types.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn own(row: &tokio_postgres::Row) -> Result<Row> {
    let column = |(n, column): (usize, &tokio_postgres::Column)| {
        let value = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(n).map(Value::from),
            Type::BOOL => row.try_get::<_, Option<bool>>(n).map(Value::from),
            _ => row.try_get::<_, Option<&str>>(n).map(Value::from),
        };
        value.map_err(|error| StoreError::Corrupt { what: format!("column `{}`", column.name()), why: chain(&error) })
    };
    row.columns().iter().enumerate().map(column).collect::<Result<_>>().map(Row)
}

/// Whether waiting, somebody's hands, or nothing helps.
fn classified(what: String, why: String, code: &SqlState) -> StoreError {
    // By class: connection, out of resources, operator's intervention, system, and a transaction that lost to another.
    const PASSING: [&str; 5] = ["08", "53", "57", "58", "40"];
    let passes = PASSING.iter().any(|class| code.code().starts_with(class))
        || [
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(code);
    if passes {
        return StoreError::Unavailable { what, why };
    }
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        let help = "as the owner of the tables, GRANT what is missing: deploy/postgres.sql shows how".to_owned();
        return StoreError::Refused { what, why, help };
    }
    StoreError::Corrupt { what, why }
}

/// What it says and why, without the rows that a database error may quote.
fn chain(error: &Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{} ({})", db.message(), db.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}
