//! Where a ledger is, and how to open it any number of times.

use std::path::PathBuf;
use std::sync::Arc;

use cockpit::store::books::Books;
use cockpit::store::ledger::{Ledger, Memory, Write};
use cockpit::store::postgres::PostgresLedger;
use cockpit::store::sqlite::SqliteLedger;
use tempfile::TempDir;

use crate::support::postgres::PostgresServer;

pub(crate) enum Place {
    Sqlite(TempDir),
    Postgres(Arc<PostgresServer>, String),
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(crate) fn postgres() -> Self {
        Self::Postgres(Arc::new(PostgresServer::start()), "postgres".into())
    }

    pub(crate) async fn open(&self) -> Box<dyn Ledger> {
        match self {
            Self::Sqlite(_) => Box::new(SqliteLedger::open(&self.file()).await.expect("opens")),
            Self::Postgres(..) => Box::new(PostgresLedger::open(&self.url()).await.expect("opens")),
        }
    }

    pub(crate) fn books(&self) -> Books {
        match self {
            Self::Sqlite(_) => Books::sqlite(&self.file()).expect("there"),
            Self::Postgres(..) => Books::postgres(&self.url()).expect("an address"),
        }
    }

    fn url(&self) -> String {
        let Self::Postgres(server, database) = self else { panic!("not a server") };
        server.url().replace("/postgres?", &format!("/{database}?"))
    }

    /// Ledgers of their own with the same content. Nobody may be connected to this one.
    pub(crate) fn copies(&self, count: usize) -> Vec<Self> {
        match self {
            Self::Sqlite(_) => {
                let copy = || {
                    let place = Self::sqlite();
                    std::fs::copy(self.file(), place.file()).expect("copied");
                    place
                };
                (0..count).map(|_| copy()).collect()
            }
            Self::Postgres(server, database) => {
                let copy = |n| {
                    server.sql_in("template1", &format!("CREATE DATABASE copy{n} TEMPLATE {database}"));
                    Self::Postgres(Arc::clone(server), format!("copy{n}"))
                };
                (0..count).map(copy).collect()
            }
        }
    }

    pub(crate) async fn load(&self, ended: u32) -> Memory {
        self.open().await.load(ended).await.expect("loads")
    }

    pub(crate) fn file(&self) -> PathBuf {
        let Self::Sqlite(dir) = self else { panic!("not a file") };
        dir.path().join("ledger.db")
    }

    /// Runs SQL past the ledger; the error, or what it prints.
    pub(crate) async fn tamper(&self, sql: &str) -> Result<(), String> {
        use sqlx::{ConnectOptions, Connection};
        match self {
            Self::Sqlite(_) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.file());
                let mut connection = options.connect().await.expect("connects");
                let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await;
                connection.close().await.expect("closes");
                done.map(|_| ()).map_err(|error| error.to_string())
            }
            Self::Postgres(..) => {
                let options: sqlx::postgres::PgConnectOptions = self.url().parse().expect("an address");
                let mut connection = options.connect().await.expect("connects");
                let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await;
                connection.close().await.expect("closes");
                done.map(|_| ()).map_err(|error| error.to_string())
            }
        }
    }

    /// The same with the triggers out of the way.
    pub(crate) async fn tamper_for_real(&self, sql: &str) {
        let off = match self {
            Self::Sqlite(_) => {
                "DROP TRIGGER log_kept; DROP TRIGGER log_stays; DROP TRIGGER inbox_kept; DROP TRIGGER inbox_stays;
                 DROP TRIGGER journals_kept; DROP TRIGGER journals_stay;"
            }
            Self::Postgres(..) => {
                "ALTER TABLE log DISABLE TRIGGER ALL; ALTER TABLE inbox DISABLE TRIGGER ALL;
                 ALTER TABLE journals DISABLE TRIGGER ALL;"
            }
        };
        self.tamper(&format!("{off} {sql}")).await.expect("tampered");
    }
}

pub(crate) async fn commit(ledger: &dyn Ledger, writes: &[Write]) {
    ledger.commit(writes).await.expect("commits");
}
