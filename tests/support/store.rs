//! The two places in which Hermes keeps its books.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use cockpit::store::ledger::{Ledger, Memory};
use cockpit::store::postgres::PostgresLedger;
use cockpit::store::sqlite::SqliteLedger;

use crate::desk::Home;
use crate::support::postgres::PostgresServer;

/// Where the ledger of one desk is.
#[derive(Clone, Debug)]
pub(crate) enum Store {
    /// A file in its directory.
    Sqlite,
    /// A database of its own on a server.
    Postgres(Arc<PostgresServer>, String),
}

impl Store {
    /// A new database on this server.
    pub(crate) fn on(server: &Arc<PostgresServer>, database: &str) -> Self {
        server.sql(&format!("CREATE DATABASE {database}"));
        Self::Postgres(Arc::clone(server), server.url().replace("/postgres?", &format!("/{database}?")))
    }

    /// For a table.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(..) => "PostgreSQL",
        }
    }

    /// Has a desk keep its books there.
    pub(crate) fn configure(&self, home: &Home) {
        if let Self::Postgres(_, url) = self {
            home.edit("url = \"sqlite://auto\"", &format!("url = \"{url}\""));
        }
    }

    /// Everything in the books of a desk that has stopped.
    pub(crate) async fn read(&self, home: &Home) -> Memory {
        let (place, path) = (self.clone(), home.dir.path().join("state/ledger.db"));
        let runtime = tokio::runtime::Handle::current();
        // On a thread of its own: the future is not one that may move between threads.
        let read = move || {
            runtime.block_on(async {
                let ledger: Box<dyn Ledger> = match &place {
                    Self::Sqlite => Box::new(SqliteLedger::open(&path).await.expect("the ledger opens")),
                    Self::Postgres(_, url) => Box::new(PostgresLedger::open(url).await.expect("the ledger opens")),
                };
                let memory = ledger.load(u32::MAX).await.expect("the ledger is read");
                ledger.close().await;
                memory
            })
        };
        tokio::task::spawn_blocking(read).await.expect("the ledger is read")
    }
}
