//! Reading the ledger, for people: over connections of its own that can change nothing, also while Hermes works.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::engine::{Access, Engine, Row, Session, Value};
use super::ledger::{InboxRow, LedgerError, OrderRow};
use super::plan::{Marked, Received, order_name, parse};
use super::postgres::Postgres;
use super::sql::{facts, letter, order, rows};
use super::sqlite::Sqlite;
use crate::domain::{
    DeadLetter, Fill, FillStatus, IntentId, Journal, Market, OrderState, ParamBook, ParamVersion, Price, StrategyId,
    Timestamp, TokenId,
};

/// The most that [`Books::named`] finds.
pub const NAMED: usize = 20;

/// A ledger that is looked at.
#[derive(Debug)]
pub struct Books {
    pub(super) engine: Box<dyn Engine>,
}

/// Which orders.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// Only those that have not ended.
    pub open: bool,
    /// Only those that stand so.
    pub state: Option<OrderState>,
    /// Only those that were wanted at this time or later.
    pub since: Option<Timestamp>,
    /// Only those of this strategy.
    pub strategy: Option<StrategyId>,
    /// The newest so many.
    pub limit: u32,
}

/// Which fills.
#[derive(Clone, Debug, Default)]
pub struct FillFilter {
    /// Only those that are settled so far.
    pub status: Option<FillStatus>,
    /// Only those that were matched at this time or later.
    pub since: Option<Timestamp>,
    /// Only those of this strategy.
    pub strategy: Option<StrategyId>,
    /// The newest so many.
    pub limit: u32,
}

/// A row of an order's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderEvent {
    /// Its place in the log.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened, as a code.
    pub what: String,
    /// Under which lease it was written.
    pub token: u64,
    /// The order as it was then.
    pub row: OrderRow,
}

/// A row of a fill's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FillEvent {
    /// Its place in the log.
    pub seq: i64,
    /// When it was learned.
    pub at: Timestamp,
    /// The fill as it was then.
    pub fill: Fill,
}

/// Everything that is known about one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// Where it stands.
    pub row: OrderRow,
    /// The entry that asked for it; absent for an adopted one.
    pub received: Option<InboxRow>,
    /// What happened to it, in order.
    pub events: Vec<OrderEvent>,
    /// What happened to its fills, in order.
    pub fills: Vec<FillEvent>,
    /// What was booked for it, with its place in the log.
    pub journals: Vec<(i64, Journal)>,
    /// Its dead letters.
    pub letters: Vec<DeadLetter>,
    /// Every attempt of its intent.
    pub attempts: Vec<u32>,
}

impl Books {
    /// A ledger in a file.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] when there is no such file.
    pub fn sqlite(path: &Path) -> Result<Self, LedgerError> {
        if !path.exists() {
            return Err(LedgerError::Unavailable(format!("{}: no ledger there yet", path.display())));
        }
        Ok(Self { engine: Box::new(Sqlite::to_read(path)) })
    }

    /// A ledger on a server.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] when the address is none.
    pub fn postgres(url: &str) -> Result<Self, LedgerError> {
        Ok(Self { engine: Box::new(Postgres::to_read(url)?) })
    }

    pub(super) async fn begin(&self) -> Result<Box<dyn Session>, LedgerError> {
        self.engine.begin(Access::Read).await
    }

    async fn query<T>(
        &self,
        sql: String,
        values: Vec<Value>,
        read: impl Fn(&Row) -> Result<T, LedgerError>,
    ) -> Result<Vec<T>, LedgerError> {
        let mut session = self.begin().await?;
        let found = rows(session.as_mut(), AssertSqlSafe(sql), values).await;
        session.roll_back().await;
        found?.iter().map(read).collect()
    }

    /// Orders, newest first.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn orders(&self, filter: &OrderFilter) -> Result<Vec<OrderRow>, LedgerError> {
        let mut query = Where::default();
        query.when(filter.open, "o.open");
        query.equal("o.state", filter.state.map(|state| state.to_string()));
        query.equal("o.strategy", filter.strategy.as_ref().map(ToString::to_string));
        query.least("o.created_at", filter.since);
        let (end, values) = query.newest("o.created_at DESC, o.seq DESC", filter.limit);
        let sql = format!("SELECT l.document, l.token FROM orders o JOIN log l ON l.seq = o.seq {end}");
        self.query(sql, values, order).await
    }

    /// Fills, newest first.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn fills(&self, filter: &FillFilter) -> Result<Vec<Fill>, LedgerError> {
        let mut query = Where::default();
        query.equal("f.status", filter.status.map(|status| status.to_string()));
        query.equal("f.strategy", filter.strategy.as_ref().map(ToString::to_string));
        query.least("f.matched_at", filter.since);
        let (end, values) = query.newest("f.matched_at DESC, f.seq DESC", filter.limit);
        let sql = format!("SELECT l.document FROM fills f JOIN log l ON l.seq = f.seq {end}");
        self.query(sql, values, |row| parse("fill", row.text(0)?)).await
    }

    /// Every journal, in the order in which they were booked.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn journals(&self) -> Result<Vec<Journal>, LedgerError> {
        let sql = "SELECT l.document FROM journals j JOIN log l ON l.seq = j.seq ORDER BY j.seq";
        self.query(sql.into(), Vec::new(), |row| parse("journal", row.text(0)?)).await
    }

    /// The newest `limit` dead letters, newest first, each as it stands now.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn letters(&self, limit: u32) -> Result<Vec<DeadLetter>, LedgerError> {
        let sql = "SELECT a.document, b.document, d.state_seq - d.seq FROM dead_letters d
                   JOIN log a ON a.seq = d.seq JOIN log b ON b.seq = d.state_seq ORDER BY d.seq DESC LIMIT $1";
        self.query(sql.into(), vec![limit.into()], letter).await
    }

    /// Every market that was traded.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn markets(&self) -> Result<Vec<Market>, LedgerError> {
        let mut session = self.begin().await?;
        let found = facts(session.as_mut(), "market").await;
        session.roll_back().await;
        Ok(found?.into_iter().map(|(_, market)| market).collect())
    }

    /// What each token that was held was last valued at.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn marks(&self) -> Result<Vec<(TokenId, Price, Timestamp)>, LedgerError> {
        let mut session = self.begin().await?;
        let found = facts::<Marked>(session.as_mut(), "mark").await;
        session.roll_back().await;
        Ok(found?.into_iter().map(|(token, mark)| (token.into(), mark.price, mark.at)).collect())
    }

    /// Every version of a strategy's parameters and of the limits, in the order in which the ledger learned of it.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn param_versions(&self) -> Result<Vec<ParamVersion>, LedgerError> {
        let sql = "SELECT document FROM log WHERE kind = 'params' ORDER BY seq";
        let books = self.query(sql.into(), Vec::new(), |row| parse::<ParamBook>("params", row.text(0)?)).await?;
        let mut seen = BTreeSet::new();
        let mut versions: Vec<ParamVersion> = books.into_iter().flat_map(|book| book.versions).collect();
        versions.retain(|version| seen.insert((version.strategy.clone(), version.version, version.at)));
        Ok(versions)
    }

    /// The orders whose intent's or own id begins with `text`, oldest first, at most [`NAMED`]. One that is called exactly so
    /// is the only one.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn named(&self, text: &str) -> Result<Vec<(IntentId, u32)>, LedgerError> {
        let exact = "SELECT intent_id, attempt FROM orders WHERE intent_id = $1 OR order_id = $1 ORDER BY attempt";
        let begins = format!(
            "SELECT intent_id, attempt FROM orders WHERE SUBSTR(intent_id, 1, LENGTH($1)) = $1
             OR SUBSTR(order_id, 1, LENGTH($1)) = $1 ORDER BY created_at, attempt LIMIT {NAMED}"
        );
        for sql in [exact.to_owned(), begins] {
            let found = self.query(sql, vec![text.into()], name).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// Everything about one order; nothing when there is none.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn story(&self, intent: &IntentId, attempt: u32) -> Result<Option<Story>, LedgerError> {
        let mut session = self.begin().await?;
        let story = tell(session.as_mut(), intent, attempt).await;
        session.roll_back().await;
        story
    }
}

fn name(row: &Row) -> Result<(IntentId, u32), LedgerError> {
    Ok((row.text(0)?.into(), attempt_of(row, 1)?))
}

fn attempt_of(row: &Row, at: usize) -> Result<u32, LedgerError> {
    u32::try_from(row.int(at)?)
        .map_err(|error| LedgerError::Corrupt { what: "attempt".into(), reason: error.to_string() })
}

async fn tell(session: &mut dyn Session, intent: &IntentId, attempt: u32) -> Result<Option<Story>, LedgerError> {
    let key = || vec![intent.as_str().into(), attempt.into()];
    let sql = "SELECT l.document, l.token FROM orders o JOIN log l ON l.seq = o.seq
               WHERE o.intent_id = $1 AND o.attempt = $2";
    let found = rows(session, sql, key()).await?;
    let Some(row) = found.first().map(order).transpose()? else { return Ok(None) };
    let sql = "SELECT document, token, seq, at, what FROM log WHERE kind = 'order' AND subject = $1 ORDER BY seq";
    let events = rows(session, sql, vec![order_name(intent, attempt).into()]).await?;
    let sql = "SELECT l.document, l.at FROM inbox i JOIN log l ON l.seq = i.seq
               WHERE i.intent_id = $1 AND i.attempt = $2";
    let received = rows(session, sql, key()).await?;
    let sql = "SELECT a.document, b.document, d.state_seq - d.seq FROM dead_letters d JOIN log a ON a.seq = d.seq
               JOIN log b ON b.seq = d.state_seq WHERE d.intent_id = $1 AND d.attempt = $2 ORDER BY d.seq";
    let letters = rows(session, sql, key()).await?;
    let sql = "SELECT attempt FROM orders WHERE intent_id = $1 ORDER BY attempt";
    let attempts = rows(session, sql, vec![intent.as_str().into()]).await?;
    let (fills, journals) = match &row.order.order {
        Some(id) => (fills_of(session, id.as_str()).await?, journals_of(session, id.as_str()).await?),
        None => (Vec::new(), Vec::new()),
    };
    Ok(Some(Story {
        received: received.first().map(|found| taken(intent, attempt, found)).transpose()?,
        events: events.iter().map(event).collect::<Result<_, _>>()?,
        letters: letters.iter().map(letter).collect::<Result<_, _>>()?,
        attempts: attempts.iter().map(|row| attempt_of(row, 0)).collect::<Result<_, _>>()?,
        fills,
        journals,
        row,
    }))
}

async fn fills_of(session: &mut dyn Session, order: &str) -> Result<Vec<FillEvent>, LedgerError> {
    let sql = "SELECT l.seq, l.at, l.document FROM fills f
               JOIN log l ON l.kind = 'fill' AND l.subject = f.trade_id || '/' || f.order_id
               WHERE f.order_id = $1 ORDER BY l.seq";
    let found = rows(session, sql, vec![order.into()]).await?;
    let event = |row: &Row| {
        let at = Timestamp::from_micros(row.int(1)?);
        Ok(FillEvent { seq: row.int(0)?, at, fill: parse("fill", row.text(2)?)? })
    };
    found.iter().map(event).collect()
}

async fn journals_of(session: &mut dyn Session, order: &str) -> Result<Vec<(i64, Journal)>, LedgerError> {
    let sql =
        "SELECT j.seq, l.document FROM journals j JOIN log l ON l.seq = j.seq WHERE j.order_id = $1 ORDER BY j.seq";
    let found = rows(session, sql, vec![order.into()]).await?;
    found.iter().map(|row| Ok((row.int(0)?, parse("journal", row.text(1)?)?))).collect()
}

fn event(row: &Row) -> Result<OrderEvent, LedgerError> {
    let known = order(row)?;
    Ok(OrderEvent {
        seq: row.int(2)?,
        at: Timestamp::from_micros(row.int(3)?),
        what: row.text(4)?.to_owned(),
        token: known.token,
        row: known,
    })
}

fn taken(intent: &IntentId, attempt: u32, row: &Row) -> Result<InboxRow, LedgerError> {
    let Received { entry, boot, payload } = parse("inbox", row.text(0)?)?;
    Ok(InboxRow { intent: intent.clone(), attempt, entry, boot, payload, at: Timestamp::from_micros(row.int(1)?) })
}

/// Conditions of a query, all of which must hold.
#[derive(Debug, Default)]
struct Where {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Where {
    fn when(&mut self, holds: bool, condition: &str) {
        if holds {
            self.conditions.push(condition.to_owned());
        }
    }

    fn equal(&mut self, column: &str, value: Option<String>) {
        if let Some(value) = value {
            self.values.push(value.into());
            self.conditions.push(format!("{column} = ${}", self.values.len()));
        }
    }

    fn least(&mut self, column: &str, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.values.push(at.micros().into());
            self.conditions.push(format!("{column} >= ${}", self.values.len()));
        }
    }

    /// The end of a query.
    fn newest(mut self, order: &str, limit: u32) -> (String, Vec<Value>) {
        self.values.push(limit.into());
        let place = self.values.len();
        let all = self.conditions.join(" AND ");
        let condition = if all.is_empty() { String::new() } else { format!("WHERE {all} ") };
        (format!("{condition}ORDER BY {order} LIMIT ${place}"), self.values)
    }
}
