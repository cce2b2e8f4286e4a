//! One way to speak to both databases: statements with `$1` placeholders, three kinds of values, rows by position.
//!
//! Invariant: a connection whose state is not known for certain is closed, never used again. A transaction that is dropped
//! halfway closes its connection, and the database rolls it back.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use sqlx::SqlStr;

use super::ledger::LedgerError;

/// A value on its way into or out of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Int(i64),
    Text(Option<String>),
    Flag(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::Text(Some(text)) => write!(f, "'{text}'"),
            Self::Text(None) => f.write_str("nothing"),
            Self::Flag(flag) => flag.fmt(f),
        }
    }
}

macro_rules! into_value {
    ($($from:ty => |$name:ident| $to:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($name: $from) -> Self {
                $to
            }
        })*
    };
}

into_value! {
    i64 => |n| Self::Int(n);
    u32 => |n| Self::Int(n.into());
    bool => |flag| Self::Flag(flag);
    &str => |text| Self::Text(Some(text.to_owned()));
    String => |text| Self::Text(Some(text));
    Option<String> => |text| Self::Text(text);
}

/// A row, by position.
#[derive(Clone, Debug)]
pub struct Row(pub(super) Vec<Value>);

impl Row {
    fn value(&self, at: usize) -> Result<&Value, LedgerError> {
        self.0.get(at).ok_or_else(|| wrong(at, "is missing"))
    }

    pub(super) fn int(&self, at: usize) -> Result<i64, LedgerError> {
        match self.value(at)? {
            Value::Int(number) => Ok(*number),
            other => Err(wrong(at, &format!("is {other}, not a number"))),
        }
    }

    pub(super) fn text(&self, at: usize) -> Result<&str, LedgerError> {
        match self.value(at)? {
            Value::Text(Some(text)) => Ok(text),
            other => Err(wrong(at, &format!("is {other}, not a text"))),
        }
    }

    /// Takes a text out, without copying it.
    pub(super) fn take_text(&mut self, at: usize) -> Result<Option<String>, LedgerError> {
        match self.0.get_mut(at) {
            Some(Value::Text(text)) => Ok(text.take()),
            Some(other) => Err(wrong(at, &format!("is {other}, not a text"))),
            None => Err(wrong(at, "is missing")),
        }
    }

    pub(super) fn maybe_text(&self, at: usize) -> Result<Option<&str>, LedgerError> {
        match self.value(at)? {
            Value::Text(text) => Ok(text.as_deref()),
            other => Err(wrong(at, &format!("is {other}, not a text"))),
        }
    }
}

fn wrong(at: usize, what: &str) -> LedgerError {
    LedgerError::Corrupt { what: format!("column {} of a row", at + 1), reason: what.to_owned() }
}

/// What differs between the databases.
#[derive(Debug)]
pub struct Dialect {
    /// The database's clock, in milliseconds since the epoch.
    pub(super) now_ms: &'static str,
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It sees one state of everything and changes nothing.
    Read,
    /// It holds the only right to write until it ends.
    Write,
}

/// A database.
#[async_trait]
pub trait Engine: fmt::Debug + Send + Sync {
    fn dialect(&self) -> &'static Dialect;
    async fn begin(&self, access: Access) -> Result<Box<dyn Session>, LedgerError>;
    /// Runs statements as one transaction in one exchange, their placeholders numbered through. None may build on what another of
    /// them writes. False when a constraint refused one: then nothing is written.
    async fn at_once(&self, statements: Vec<String>, values: Vec<Value>) -> Result<bool, LedgerError>;
    async fn close(&self);
}

/// A transaction.
#[async_trait]
pub trait Session: Send {
    /// Runs a statement and says how many rows it touched.
    async fn run(&mut self, sql: SqlStr, values: Vec<Value>) -> Result<u64, LedgerError>;
    /// Runs a statement and gives its rows.
    async fn rows(&mut self, sql: SqlStr, values: Vec<Value>) -> Result<Vec<Row>, LedgerError>;
    async fn commit(self: Box<Self>) -> Result<(), LedgerError>;
    async fn roll_back(self: Box<Self>);
}

/// Connections at rest, at most two: one for commits, one for the lease beside them.
#[derive(Debug)]
pub(super) struct Shelf<C>(Mutex<Vec<C>>);

const SHELVED: usize = 2;

/// Prepared statements that a connection keeps: the short way has one for each mix of rows.
pub(super) const STATEMENTS: usize = 512;

impl<C> Shelf<C> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(super) fn take(&self) -> Option<C> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Gives the connection back when there is no room for it.
    pub(super) fn put(&self, connection: C) -> Option<C> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.len() < SHELVED {
            shelf.push(connection);
            return None;
        }
        Some(connection)
    }
}

/// A query of `sqlx` with its values.
macro_rules! query {
    ($sql:expr, $values:expr) => {{
        let mut query = sqlx::query($sql);
        for value in $values {
            query = match value {
                $crate::store::engine::Value::Int(number) => query.bind(number),
                $crate::store::engine::Value::Text(text) => query.bind(text),
                $crate::store::engine::Value::Flag(flag) => query.bind(flag),
            };
        }
        query
    }};
}
pub(super) use query;

/// Implements [`Session`] for a connection type of `sqlx`.
macro_rules! session {
    ($session:ident, $connection:ty, $read:path, $error:path) => {
        pub(super) struct $session {
            connection: $connection,
            shelf: std::sync::Arc<$crate::store::engine::Shelf<$connection>>,
        }

        impl $session {
            /// Ends the transaction; its connection rests afterwards, unless ending it failed.
            async fn end(mut self, sql: &'static str) -> Result<(), LedgerError> {
                sqlx::raw_sql(sql).execute(&mut self.connection).await.map_err(|error| $error(&error))?;
                if let Some(spare) = self.shelf.put(self.connection) {
                    // One too many; that it closes badly changes nothing of what was committed.
                    let _closed = spare.close().await;
                }
                Ok(())
            }
        }

        #[async_trait]
        impl Session for $session {
            async fn run(&mut self, sql: SqlStr, values: Vec<Value>) -> Result<u64, LedgerError> {
                let done = $crate::store::engine::query!(sql, values).execute(&mut self.connection).await.map_err(|error| $error(&error))?;
                Ok(done.rows_affected())
            }

            async fn rows(&mut self, sql: SqlStr, values: Vec<Value>) -> Result<Vec<Row>, LedgerError> {
                let rows = $crate::store::engine::query!(sql, values).fetch_all(&mut self.connection).await.map_err(|error| $error(&error))?;
                rows.iter().map(|row| $read(row).map(Row).map_err(|error| $error(&error))).collect()
            }

            async fn commit(self: Box<Self>) -> Result<(), LedgerError> {
                self.end("COMMIT").await
            }

            async fn roll_back(self: Box<Self>) {
                if let Err(error) = self.end("ROLLBACK").await {
                    tracing::debug!(%error, "a transaction could not be rolled back: its connection is closed instead");
                }
            }
        }
    };
}
pub(super) use session;
