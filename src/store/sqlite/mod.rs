//! The ledger in one `SQLite` file: WAL, and an fsync for every commit.

mod read;
mod write;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Row, SqlSafeStr};

use super::ledger::{Lease, Ledger, LedgerError, Memory, Write};

/// The longest that a commit may take before its outcome counts as unknown.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A ledger in a file.
#[derive(Debug)]
pub struct SqliteLedger {
    pool: SqlitePool,
    token: AtomicU64,
}

impl SqliteLedger {
    /// Opens the file, making it when it is absent, and brings its schema up to date.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] when it cannot be opened, [`LedgerError::Corrupt`] when its schema is not ours.
    pub async fn open(path: &Path) -> Result<Self, LedgerError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(2));
        let name = path.display();
        // One connection: writes are serial by nature, and one writer never waits for another's lock.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(COMMIT_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(|error| LedgerError::Unavailable(format!("{name}: {error}")))?;
        migrations()
            .run(&pool)
            .await
            .map_err(|error| LedgerError::Corrupt { what: format!("schema of {name}"), reason: error.to_string() })?;
        Ok(Self { pool, token: AtomicU64::new(0) })
    }
}

fn migrations() -> Migrator {
    let ledger = include_str!("../../../migrations/sqlite/0001_ledger.sql");
    let step = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, AssertSqlSafe(sql).into_sql_str(), false)
    };
    Migrator { migrations: vec![step(1, "ledger", ledger)].into(), ..Migrator::DEFAULT }
}

fn unavailable(error: &sqlx::Error) -> LedgerError {
    LedgerError::Unavailable(error.to_string())
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn commit(&self, writes: &[Write]) -> Result<(), LedgerError> {
        match tokio::time::timeout(COMMIT_TIMEOUT, write::batch(&self.pool, writes, self.token.load(Ordering::SeqCst)))
            .await
        {
            Ok(result) => result,
            Err(_) => Err(LedgerError::Unavailable(format!("no commit within {COMMIT_TIMEOUT:?}"))),
        }
    }

    async fn load(&self, ended: u32) -> Result<Memory, LedgerError> {
        read::memory(&self.pool, ended).await
    }

    async fn lease(&self, holder: &str, ttl: Duration) -> Result<Lease, LedgerError> {
        let ours = self.token.load(Ordering::SeqCst).cast_signed();
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        let now = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";
        let sql = format!(
            "UPDATE lease SET token = token + (token <> $1 OR $1 = 0), holder = $2, expires_at = {now} + $3
             WHERE (token = $1 AND $1 > 0) OR expires_at <= {now} RETURNING token"
        );
        let taken = sqlx::query(AssertSqlSafe(sql)).bind(ours).bind(holder.to_owned()).bind(ttl);
        if let Some(row) = taken.fetch_optional(&self.pool).await.map_err(|error| unavailable(&error))? {
            let token = row.get::<i64, _>("token").cast_unsigned();
            self.token.store(token, Ordering::SeqCst);
            return Ok(Lease::Ours { token });
        }
        let sql = format!("SELECT holder, expires_at - {now} AS rest FROM lease");
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&self.pool).await.map_err(|error| unavailable(&error))?;
        let expires_in = Duration::from_millis(u64::try_from(row.get::<i64, _>("rest")).unwrap_or(0));
        Ok(Lease::Theirs { holder: row.get("holder"), expires_in })
    }

    async fn release_lease(&self) -> Result<(), LedgerError> {
        let ours = self.token.load(Ordering::SeqCst).cast_signed();
        let sql = "UPDATE lease SET expires_at = 0 WHERE token = $1";
        sqlx::query(sql).bind(ours).execute(&self.pool).await.map_err(|error| unavailable(&error))?;
        Ok(())
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

#[cfg(test)]
mod tests;
