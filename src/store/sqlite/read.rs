//! Reading everything back at start.

use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, query};

use super::super::ledger::{InboxRow, LedgerError, Memory, OrderRow};
use super::unavailable;
use crate::domain::{OrderCounts, Price, Timestamp, TokenId, Usd};

const ENTRIES: &str = "SELECT i.intent_id, i.attempt, i.entry, i.boot, i.payload, i.received_at FROM inbox i
    JOIN orders o ON o.intent_id = i.intent_id AND o.attempt = i.attempt WHERE o.open = 1";

const ORDERS: &str = "SELECT document FROM (
        SELECT document, created_at FROM orders WHERE open = 1
        UNION ALL
        SELECT document, created_at FROM (
            SELECT document, created_at FROM orders WHERE open = 0 ORDER BY created_at DESC LIMIT ?
        )
    ) ORDER BY created_at";

const WAITING: &str =
    "SELECT COUNT(*) AS n FROM dead_letters WHERE json_extract(document, '$.state.state') = 'waiting'";

/// Mirrors [`OrderRow::counts`]; a test holds the two together.
const COUNTS: &str = "SELECT
        COALESCE(SUM(NOT adopted AND sent), 0) AS sent,
        COALESCE(SUM(NOT adopted AND accepted), 0) AS accepted,
        COALESCE(SUM(state IN ('sent', 'live', 'partially_filled', 'cancel_pending')), 0) AS open,
        COALESCE(SUM(NOT adopted AND state = 'filled'), 0) AS filled,
        COALESCE(SUM(NOT adopted AND (state = 'cancelled' OR (state = 'expired' AND sent))), 0) AS cancelled,
        COALESCE(SUM(NOT adopted AND state = 'rejected'), 0) AS rejected,
        COALESCE(SUM(state = 'unknown'), 0) AS unknown,
        COALESCE(SUM(NOT adopted AND state = 'denied'), 0) AS denied
    FROM orders";

pub(super) async fn memory(pool: &SqlitePool, ended: u32) -> Result<Memory, LedgerError> {
    let orders = query(ORDERS).bind(ended).fetch_all(pool).await.map_err(|error| unavailable(&error))?;
    let dead: i64 = all(pool, WAITING).await?.first().map_or(0, |row| row.get("n"));
    let newest = all(pool, "SELECT document FROM dead_letters ORDER BY seq DESC LIMIT 1000").await?;
    let documents = |rows: Vec<SqliteRow>| rows.into_iter().map(|row| row.get("document")).collect::<Vec<String>>();
    let latch = documents(all(pool, "SELECT document FROM kill_latch ORDER BY seq DESC LIMIT 1").await?);
    let fills = documents(all(pool, "SELECT document FROM fills ORDER BY matched_at, trade_id, order_id").await?);
    let letters = documents(all(pool, "SELECT document FROM dead_letters WHERE published = 0 ORDER BY seq").await?);
    let mode = all(pool, "SELECT value FROM meta WHERE key = 'mode'").await?;
    Ok(Memory {
        orders: parse::<OrderRow>("order", &documents(orders))?,
        counts: counts(pool).await?,
        entries: all(pool, ENTRIES).await?.iter().map(inbox).collect(),
        fills: parse("fill", &fills)?,
        markets: parse("market", &documents(all(pool, "SELECT document FROM markets").await?))?,
        marks: marks(pool).await?,
        latch: parse("latch", &latch)?.pop(),
        day: day(pool).await?,
        corrections: Vec::new(),
        dead_letters: dead.cast_unsigned(),
        letters: parse("dead letter", &documents(newest))?,
        unpublished: parse("dead letter", &letters)?,
        mode: mode.first().map(|row| row.get("value")),
    })
}

async fn all(pool: &SqlitePool, sql: &'static str) -> Result<Vec<SqliteRow>, LedgerError> {
    query(sql).fetch_all(pool).await.map_err(|error| unavailable(&error))
}

fn parse<T: DeserializeOwned>(what: &str, documents: &[String]) -> Result<Vec<T>, LedgerError> {
    let one = |text: &String| {
        serde_json::from_str(text).map_err(|error| LedgerError::Corrupt {
            what: what.to_owned(),
            reason: format!("{error} in {}", text.chars().take(120).collect::<String>()),
        })
    };
    documents.iter().map(one).collect()
}

fn inbox(row: &SqliteRow) -> InboxRow {
    InboxRow {
        intent: row.get::<String, _>("intent_id").into(),
        attempt: row.get("attempt"),
        entry: row.get("entry"),
        boot: row.get("boot"),
        payload: row.get("payload"),
        at: Timestamp::from_micros(row.get("received_at")),
    }
}

async fn counts(pool: &SqlitePool) -> Result<OrderCounts, LedgerError> {
    let rows = all(pool, COUNTS).await?;
    let Some(row) = rows.first() else { return Ok(OrderCounts::default()) };
    let count = |column: &str| row.get::<i64, _>(column).cast_unsigned();
    Ok(OrderCounts {
        sent: count("sent"),
        accepted: count("accepted"),
        open: count("open"),
        filled: count("filled"),
        cancelled: count("cancelled"),
        rejected: count("rejected"),
        unknown: count("unknown"),
        denied: count("denied"),
    })
}

async fn marks(pool: &SqlitePool) -> Result<Vec<(TokenId, Price, Timestamp)>, LedgerError> {
    let one = |row: &SqliteRow| {
        let token: TokenId = row.get::<String, _>("token").into();
        let price = row.get::<String, _>("price").parse::<Price>();
        let price =
            price.map_err(|error| LedgerError::Corrupt { what: format!("mark of {token}"), reason: error.to_string() });
        Ok((token, price?, Timestamp::from_micros(row.get("at"))))
    };
    all(pool, "SELECT token, price, at FROM marks").await?.iter().map(one).collect()
}

async fn day(pool: &SqlitePool) -> Result<Option<(i64, Usd, Usd)>, LedgerError> {
    let rows = all(pool, "SELECT day, day_start, peak FROM days ORDER BY day DESC LIMIT 1").await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let amount = |column: &str| {
        row.get::<String, _>(column)
            .parse::<Usd>()
            .map_err(|error| LedgerError::Corrupt { what: format!("days.{column}"), reason: error.to_string() })
    };
    Ok(Some((row.get("day"), amount("day_start")?, amount("peak")?)))
}
