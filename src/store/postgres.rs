//! The ledger in `PostgreSQL`: every commit durable before it is answered, every wait bounded on both sides.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Decode, PgConnection, Row as _, SqlSafeStr, SqlStr, TypeInfo, ValueRef,
};

use super::engine::{Access, Dialect, Engine, Row, STATEMENTS, Session, Shelf, Value, query, session};
use super::ledger::LedgerError;
use super::sql::SqlLedger;

/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Bounds of the server: it gives up before we do, so that a lock is not held by a commit nobody waits for. The socket of a
/// dead peer is dropped after ten seconds.
const BOUNDS: [(&str, &str); 5] = [
    ("statement_timeout", "4500ms"),
    ("lock_timeout", "4000ms"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("tcp_user_timeout", "10s"),
    ("synchronous_commit", "on"),
];

static DIALECT: Dialect = Dialect { now_ms: "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)" };

/// A ledger on a server.
pub type PostgresLedger = SqlLedger<Postgres>;

/// A database on a server.
pub struct Postgres {
    options: PgConnectOptions,
    shelf: Arc<Shelf<PgConnection>>,
}

/// Without the options, which hold the password.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Postgres").field(&self.place()).finish()
    }
}

impl Postgres {
    /// A database that is only looked at.
    pub(super) fn to_read(url: &str) -> Result<Self, LedgerError> {
        let engine = Self::new(url)?;
        // An audit of a long history takes longer than any commit.
        let looking = [("default_transaction_read_only", "on"), ("statement_timeout", "60s")];
        Ok(Self { options: engine.options.options(looking), ..engine })
    }

    fn new(url: &str) -> Result<Self, LedgerError> {
        let options = PgConnectOptions::from_str(url).map_err(|error| LedgerError::Corrupt {
            what: "address".into(),
            // The address itself may hold a password.
            reason: format!("{error}; postgres://user:password@host:5432/database?sslmode=verify-full would be right"),
        })?;
        let options = options
            .application_name("cockpit")
            .options(BOUNDS)
            .statement_cache_capacity(STATEMENTS)
            .disable_statement_logging();
        Ok(Self { options, shelf: Arc::new(Shelf::new()) })
    }

    /// Puts a connection that is in no transaction aside.
    async fn rest(&self, connection: PgConnection) {
        if let Some(spare) = self.shelf.put(connection) {
            // One too many; that it closes badly changes nothing of what was committed.
            let _closed = spare.close().await;
        }
    }

    async fn connect(&self) -> Result<PgConnection, LedgerError> {
        match tokio::time::timeout(CONNECT_WITHIN, self.options.connect()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(LedgerError::Unavailable(format!("{}: {error}", self.place()))),
            Err(_) => Err(LedgerError::Unavailable(format!("{}: no answer within {CONNECT_WITHIN:?}", self.place()))),
        }
    }

    fn place(&self) -> String {
        let database = self.options.get_database().unwrap_or_else(|| self.options.get_username());
        format!("{}:{}/{database}", self.options.get_host(), self.options.get_port())
    }
}

impl SqlLedger<Postgres> {
    /// Connects and brings the schema up to date.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] when it cannot be reached, [`LedgerError::Corrupt`] when the address or its schema is not
    /// ours.
    pub async fn open(url: &str) -> Result<Self, LedgerError> {
        let engine = Postgres::new(url)?;
        let mut connection = engine.connect().await?;
        let schema = |error: &dyn std::fmt::Display| LedgerError::Corrupt {
            what: format!("schema of {}", engine.place()),
            reason: error.to_string(),
        };
        // Directly: through the library's pooling trait the future could not be spawned.
        migrations().run_direct(None, &mut connection, false).await.map_err(|error| schema(&error))?;
        let fsync: String =
            sqlx::query("SHOW fsync").fetch_one(&mut connection).await.map_err(|error| storage(&error))?.get(0);
        if fsync != "on" {
            tracing::warn!(ledger = engine.place(), "fsync is off on the server: a commit does not survive power loss");
        }
        // A new shelf has room.
        let _room = engine.shelf.put(connection);
        Ok(Self::new(engine))
    }
}

fn migrations() -> Migrator {
    let ledger = include_str!("../../migrations/postgres/0001_ledger.sql");
    let tail = include_str!("../../migrations/postgres/0002_tail.sql");
    let changed = include_str!("../../migrations/postgres/0003_changed.sql");
    let step = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, AssertSqlSafe(sql).into_sql_str(), false)
    };
    let all = vec![step(1, "ledger", ledger), step(2, "tail", tail), step(3, "changed", changed)];
    Migrator { migrations: all.into(), ..Migrator::DEFAULT }
}

#[async_trait]
impl Engine for Postgres {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    async fn begin(&self, access: Access) -> Result<Box<dyn Session>, LedgerError> {
        let mut connection = match self.shelf.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        // The lease's row is the right to write; what is read after it was locked is the newest.
        let sql = match access {
            Access::Write => "BEGIN; SELECT 1 FROM lease FOR UPDATE",
            // All that a long history holds takes longer to read than any commit.
            Access::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '10min'",
        };
        sqlx::raw_sql(sql).execute(&mut connection).await.map_err(|error| storage(&error))?;
        Ok(Box::new(PgSession { connection, shelf: Arc::clone(&self.shelf) }))
    }

    async fn at_once(&self, statements: Vec<String>, values: Vec<Value>) -> Result<bool, LedgerError> {
        let mut connection = match self.shelf.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        match query!(AssertSqlSafe(joined(&statements)), values).execute(&mut connection).await {
            Ok(_) => {}
            Err(error) if is_conflict(&error) || is_race(&error) => {
                self.rest(connection).await;
                return Ok(false);
            }
            Err(error) => return Err(storage(&error)),
        }
        self.rest(connection).await;
        Ok(true)
    }

    async fn close(&self) {
        while let Some(connection) = self.shelf.take() {
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "a connection did not close cleanly");
            }
        }
    }
}

/// One statement out of several: all see the same state, and all are written or none.
fn joined(statements: &[String]) -> String {
    let Some((last, before)) = statements.split_last() else { return String::new() };
    let before: Vec<String> = before.iter().enumerate().map(|(at, sql)| format!("s{at} AS ({sql})")).collect();
    if before.is_empty() { last.clone() } else { format!("WITH {} {last}", before.join(", ")) }
}

/// SQLSTATE 23505: another row has the key.
fn is_conflict(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.is_unique_violation())
}

/// Another's transaction was in the way, and only its timing: the number of the log that we took was taken meanwhile by
/// whoever writes without the lock of [`Access::Write`], or the database chose us to give way (SQLSTATE class 40).
fn is_race(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    let taken = error.is_unique_violation() && error.constraint() == Some("log_pkey");
    taken || error.code().is_some_and(|code| code.starts_with("40"))
}

session!(PgSession, PgConnection, values, storage);

fn values(row: &PgRow) -> Result<Vec<Value>, sqlx::Error> {
    let value = |at| {
        let raw = row.try_get_raw(at)?;
        if raw.is_null() {
            return Ok(Value::Text(None));
        }
        let kind = raw.type_info();
        let decoded = match kind.name() {
            "INT8" => <i64 as Decode<sqlx::Postgres>>::decode(raw).map(Value::Int),
            "BOOL" => <bool as Decode<sqlx::Postgres>>::decode(raw).map(Value::Flag),
            _ => <String as Decode<sqlx::Postgres>>::decode(raw).map(|text| Value::Text(Some(text))),
        };
        decoded.map_err(sqlx::Error::Decode)
    };
    (0..row.len()).map(value).collect()
}

fn storage(error: &sqlx::Error) -> LedgerError {
    if is_race(error) {
        return LedgerError::Busy(error.to_string());
    }
    let (what, reason) = ("statement".to_owned(), error.to_string());
    let class = match error {
        sqlx::Error::Database(error) => error.code().and_then(|code| code.get(..2).map(ToOwned::to_owned)),
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => return LedgerError::Corrupt { what, reason },
        _ => None,
    };
    // Classes of SQLSTATE: 22 data, 23 constraints, 54 too big, P0 raised by a trigger; 42 names and rights, XX damage.
    match class.as_deref() {
        Some("22" | "23" | "54" | "P0") => LedgerError::Refused { what, reason },
        Some("42" | "XX") => LedgerError::Corrupt { what, reason },
        _ => LedgerError::Unavailable(reason),
    }
}
