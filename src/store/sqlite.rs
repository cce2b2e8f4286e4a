//! The ledger in one `SQLite` file: WAL, and an fsync for every commit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Decode, Row as _, SqlSafeStr, SqlStr, SqliteConnection, TypeInfo,
    ValueRef,
};

use super::engine::{Access, Dialect, Engine, Row, STATEMENTS, Session, Shelf, Value, query, session};
use super::ledger::LedgerError;
use super::sql::SqlLedger;

/// How long a writer waits for another's lock.
const BUSY: Duration = Duration::from_secs(2);

/// Cache of a reader, in KiB when negative: an audit comes back to rows of the log in the order of other keys.
const CACHE: &str = "-65536";
/// Rows that the library reads ahead of an audit.
const ROW_BUFFER: usize = 2_000;

static DIALECT: Dialect = Dialect { now_ms: "CAST(unixepoch('subsec') * 1000 AS INTEGER)" };

/// A ledger in a file.
pub type SqliteLedger = SqlLedger<Sqlite>;

/// A file.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    options: SqliteConnectOptions,
    shelf: Arc<Shelf<SqliteConnection>>,
}

impl Sqlite {
    fn new(path: &Path, options: SqliteConnectOptions) -> Self {
        let options =
            options.filename(path).busy_timeout(BUSY).statement_cache_capacity(STATEMENTS).disable_statement_logging();
        Self { path: path.to_owned(), options, shelf: Arc::new(Shelf::new()) }
    }

    /// A file that is only looked at. It must be there.
    pub(super) fn to_read(path: &Path) -> Self {
        // Whole pages of an audit come from the library's thread without it waiting for us.
        Self::new(
            path,
            SqliteConnectOptions::new().read_only(true).row_buffer_size(ROW_BUFFER).pragma("cache_size", CACHE),
        )
    }

    async fn connect(&self) -> Result<SqliteConnection, LedgerError> {
        let connected = self.options.connect().await;
        connected.map_err(|error| LedgerError::Unavailable(format!("{}: {error}", self.path.display())))
    }
}

impl SqlLedger<Sqlite> {
    /// Opens the file, making it when it is absent, and brings its schema up to date.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] when it cannot be opened, [`LedgerError::Corrupt`] when its schema is not ours.
    pub async fn open(path: &Path) -> Result<Self, LedgerError> {
        let options = SqliteConnectOptions::new()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let engine = Sqlite::new(path, options);
        let mut connection = engine.connect().await?;
        // Directly: through the library's pooling trait the future could not be spawned.
        let mut migrated = migrations().run_direct(None, &mut connection, false).await;
        if migrated.is_err() {
            // A standby may have made the same new file at the same time: then the second look finds everything done.
            migrated = migrations().run_direct(None, &mut connection, false).await;
        }
        migrated.map_err(|error| LedgerError::Corrupt {
            what: format!("schema of {}", path.display()),
            reason: error.to_string(),
        })?;
        // A new shelf has room.
        let _room = engine.shelf.put(connection);
        Ok(Self::new(engine))
    }
}

fn migrations() -> Migrator {
    let ledger = include_str!("../../migrations/sqlite/0001_ledger.sql");
    let tail = include_str!("../../migrations/sqlite/0002_tail.sql");
    let changed = include_str!("../../migrations/sqlite/0003_changed.sql");
    let step = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, AssertSqlSafe(sql).into_sql_str(), false)
    };
    let all = vec![step(1, "ledger", ledger), step(2, "tail", tail), step(3, "changed", changed)];
    Migrator { migrations: all.into(), ..Migrator::DEFAULT }
}

#[async_trait]
impl Engine for Sqlite {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    async fn begin(&self, access: Access) -> Result<Box<dyn Session>, LedgerError> {
        let mut connection = match self.shelf.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let sql = if access == Access::Write { "BEGIN IMMEDIATE" } else { "BEGIN" };
        sqlx::raw_sql(sql).execute(&mut connection).await.map_err(|error| storage(&error))?;
        Ok(Box::new(SqliteSession { connection, shelf: Arc::clone(&self.shelf) }))
    }

    async fn at_once(&self, statements: Vec<String>, values: Vec<Value>) -> Result<bool, LedgerError> {
        let mut connection = match self.shelf.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let sql = format!("BEGIN IMMEDIATE; {}; COMMIT", statements.join("; "));
        let written = query!(AssertSqlSafe(sql), values).execute(&mut connection).await;
        if let Err(error) = &written {
            if !is_conflict(error) {
                return Err(storage(error));
            }
            sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.map_err(|error| storage(&error))?;
        }
        if let Some(spare) = self.shelf.put(connection) {
            // One too many; that it closes badly changes nothing of what was committed.
            let _closed = spare.close().await;
        }
        Ok(written.is_ok())
    }

    async fn close(&self) {
        while let Some(connection) = self.shelf.take() {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, ledger = %self.path.display(), "the ledger did not close cleanly");
            }
        }
    }
}

/// Another row has the key.
fn is_conflict(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.is_unique_violation())
}

session!(SqliteSession, SqliteConnection, values, storage);

/// Texts are taken as they lie there: a byte that was changed must be found by the audit, not hidden by an error.
fn values(row: &SqliteRow) -> Result<Vec<Value>, sqlx::Error> {
    let value = |at| {
        let raw = row.try_get_raw(at)?;
        if raw.is_null() {
            return Ok(Value::Text(None));
        }
        let number = matches!(raw.type_info().name(), "INTEGER" | "BOOLEAN" | "INT4" | "INT8");
        let decoded = if number {
            <i64 as Decode<sqlx::Sqlite>>::decode(raw).map(Value::Int)
        } else {
            <&[u8] as Decode<sqlx::Sqlite>>::decode(raw)
                .map(|bytes| Value::Text(Some(String::from_utf8_lossy(bytes).into_owned())))
        };
        decoded.map_err(sqlx::Error::Decode)
    };
    (0..row.len()).map(value).collect()
}

fn storage(error: &sqlx::Error) -> LedgerError {
    let (what, reason) = ("statement".to_owned(), error.to_string());
    let kind = match error {
        sqlx::Error::Database(error) => error.code().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff),
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => return LedgerError::Corrupt { what, reason },
        _ => None,
    };
    // The low byte is the kind of the error: 18 too big, 19 refused by a constraint or trigger, 20 of a wrong type; 1 no such
    // table, 11 damaged, 26 another format.
    match kind {
        Some(18..=20) => LedgerError::Refused { what, reason },
        Some(1 | 11 | 25 | 26) => LedgerError::Corrupt { what, reason },
        _ => LedgerError::Unavailable(reason),
    }
}
