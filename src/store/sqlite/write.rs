//! Writes: one transaction a batch.

use serde::Serialize;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, SqliteConnection, query};

use super::super::ledger::{InboxRow, LedgerError, OrderRow, Write};
use super::unavailable;
use crate::domain::{DeadLetter, Fill, Timestamp};

type Outcome = Result<(), LedgerError>;

pub(super) async fn batch(pool: &SqlitePool, writes: &[Write]) -> Outcome {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| unavailable(&error))?;
    for write in writes {
        // An error drops the transaction, which rolls it back.
        one(&mut transaction, write).await?;
    }
    transaction.commit().await.map_err(|error| unavailable(&error))
}

async fn one(connection: &mut SqliteConnection, write: &Write) -> Outcome {
    match write {
        Write::Inbox(row) => inbox(connection, row).await,
        Write::Order { row, what, at } => order(connection, row, what, *at).await,
        Write::Fill { fill, at } => self::fill(connection, fill, *at).await,
        Write::Journal(_) => Ok(()),
        Write::Market(market) => {
            let sql = "INSERT INTO markets (market_id, document) VALUES (?, ?)
                       ON CONFLICT (market_id) DO UPDATE SET document = excluded.document";
            run(connection, query(sql).bind(market.market.as_str().to_owned()).bind(json(market)?)).await
        }
        Write::Latch(latch) => {
            let sql = "INSERT INTO kill_latch (at, document) VALUES (?, ?)";
            run(connection, query(sql).bind(latch.at.micros()).bind(json(latch)?)).await
        }
        Write::Day { day, start, peak } => {
            let sql = "INSERT INTO days (day, day_start, peak) VALUES (?, ?, ?)
                       ON CONFLICT (day) DO UPDATE SET peak = excluded.peak";
            run(connection, query(sql).bind(*day).bind(start.to_string()).bind(peak.to_string())).await
        }
        Write::Mark { token, price, at } => {
            let sql = "INSERT INTO marks (token, price, at) VALUES (?, ?, ?)
                       ON CONFLICT (token) DO UPDATE SET price = excluded.price, at = excluded.at";
            let token = token.as_str().to_owned();
            run(connection, query(sql).bind(token).bind(price.to_string()).bind(at.micros())).await
        }
        Write::DeadLetter(letter) => dead_letter(connection, letter).await,
        Write::DeadLetterPublished { entry, reason } => {
            let sql = "UPDATE dead_letters SET published = 1 WHERE entry = ? AND reason = ?";
            run(connection, query(sql).bind(entry.clone()).bind(code(reason)?)).await
        }
        Write::Mismatch(event) => {
            let sql =
                "INSERT INTO order_events (intent_id, attempt, at, what, document) VALUES ('', 0, ?, 'mismatch', ?)";
            run(connection, query(sql).bind(event.at.micros()).bind(json(event)?)).await
        }
        Write::Meta { key, value } => {
            let sql = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING";
            run(connection, query(sql).bind(*key).bind(value.clone())).await
        }
    }
}

/// Takes an intent. A row of the same run and entry is our own, from a commit whose outcome we did not learn.
async fn inbox(connection: &mut SqliteConnection, row: &InboxRow) -> Outcome {
    let sql = "INSERT INTO inbox (intent_id, attempt, entry, boot, payload, received_at) VALUES (?, ?, ?, ?, ?, ?)
               ON CONFLICT (intent_id, attempt) DO NOTHING";
    let inserted = query(sql)
        .bind(row.intent.as_str().to_owned())
        .bind(row.attempt)
        .bind(row.entry.clone())
        .bind(row.boot.clone())
        .bind(row.payload.clone())
        .bind(row.at.micros())
        .execute(&mut *connection)
        .await
        .map_err(|error| unavailable(&error))?
        .rows_affected();
    if inserted == 1 {
        return Ok(());
    }
    let known: SqliteRow = query("SELECT entry, boot FROM inbox WHERE intent_id = ? AND attempt = ?")
        .bind(row.intent.as_str().to_owned())
        .bind(row.attempt)
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| unavailable(&error))?;
    if known.get::<String, _>("entry") == row.entry && known.get::<String, _>("boot") == row.boot {
        return Ok(());
    }
    Err(LedgerError::Duplicate { intent: row.intent.clone(), attempt: row.attempt })
}

async fn order(connection: &mut SqliteConnection, row: &OrderRow, what: &'static str, at: Timestamp) -> Outcome {
    let order = &row.order;
    let document = json(row)?;
    let sql = "INSERT INTO orders
                   (intent_id, attempt, order_id, state, digest, adopted, sent, accepted, open, created_at, document)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
               ON CONFLICT (intent_id, attempt) DO UPDATE SET
                   order_id = excluded.order_id, state = excluded.state, digest = excluded.digest, sent = excluded.sent,
                   accepted = excluded.accepted, open = excluded.open, document = excluded.document";
    let upsert = query(sql)
        .bind(order.intent.intent.as_str().to_owned())
        .bind(order.intent.attempt)
        .bind(order.order.as_ref().map(|id| id.as_str().to_owned()))
        .bind(order.state.to_string())
        .bind(row.digest.clone())
        .bind(row.adopted)
        .bind(order.times.sent_at.is_some())
        .bind(row.accepted)
        .bind(!order.state.is_terminal())
        .bind(order.intent.created_at.micros())
        .bind(document.clone());
    run(connection, upsert).await?;
    let sql = "INSERT INTO order_events (intent_id, attempt, at, what, document) VALUES (?, ?, ?, ?, ?)";
    let event = query(sql)
        .bind(order.intent.intent.as_str().to_owned())
        .bind(order.intent.attempt)
        .bind(at.micros())
        .bind(what)
        .bind(document);
    run(connection, event).await
}

async fn fill(connection: &mut SqliteConnection, fill: &Fill, at: Timestamp) -> Outcome {
    let document = json(fill)?;
    let sql = "INSERT INTO fills (trade_id, order_id, status, matched_at, document) VALUES (?, ?, ?, ?, ?)
               ON CONFLICT (trade_id, order_id) DO UPDATE SET
                   status = excluded.status, matched_at = excluded.matched_at, document = excluded.document";
    let upsert = query(sql)
        .bind(fill.trade.as_str().to_owned())
        .bind(fill.order.as_str().to_owned())
        .bind(fill.status.to_string())
        .bind(fill.matched_at.micros())
        .bind(document.clone());
    run(connection, upsert).await?;
    let sql = "INSERT INTO fill_events (trade_id, order_id, status, at, document) VALUES (?, ?, ?, ?, ?)";
    let event = query(sql)
        .bind(fill.trade.as_str().to_owned())
        .bind(fill.order.as_str().to_owned())
        .bind(fill.status.to_string())
        .bind(at.micros())
        .bind(document);
    run(connection, event).await
}

async fn dead_letter(connection: &mut SqliteConnection, letter: &DeadLetter) -> Outcome {
    let sql = "INSERT INTO dead_letters (entry, reason, document) VALUES (?, ?, ?)
               ON CONFLICT (entry, reason) DO UPDATE SET document = excluded.document";
    run(connection, query(sql).bind(letter.entry.clone()).bind(code(&letter.reason)?).bind(json(letter)?)).await
}

type Statement<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

async fn run(connection: &mut SqliteConnection, statement: Statement<'_>) -> Outcome {
    match statement.execute(connection).await {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            Err(LedgerError::Corrupt { what: "row".into(), reason: error.to_string() })
        }
        Err(error) => Err(unavailable(&error)),
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, LedgerError> {
    serde_json::to_string(value)
        .map_err(|error| LedgerError::Corrupt { what: "document".into(), reason: error.to_string() })
}

/// The word that a reason is on the wire.
fn code<T: Serialize>(value: &T) -> Result<String, LedgerError> {
    json(value).map(|text| text.trim_matches('"').to_owned())
}
