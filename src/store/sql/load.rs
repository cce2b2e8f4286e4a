//! Reading everything back at start.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::super::engine::{Row, Session, Value};
use super::super::ledger::{
    Barred, CORRECTIONS_LOADED, FILLS_LOADED, History, Hole, InboxRow, Known, LETTERS_LOADED, LedgerError, Memory,
    OrderRow,
};
use super::super::plan::{DayRow, Halted, Highest, Marked, Received, parse};
use super::{count, rows};
use crate::domain::params::RISK;
use crate::domain::{
    Checkpoint, DeadLetter, Fill, Journal, KillLatch, Market, MarketId, OrderId, ParamBook, Price, Timestamp, TokenId,
};

const ENTRIES: &str = "SELECT i.intent_id, i.attempt, l.at, l.document FROM orders o
    JOIN inbox i ON i.intent_id = o.intent_id AND i.attempt = o.attempt JOIN log l ON l.seq = i.seq WHERE o.open";

const ORDERS: &str = "SELECT l.document, l.token FROM (
        SELECT created_at, seq FROM orders WHERE open
        UNION
        SELECT created_at, seq FROM orders
            WHERE order_id IN (SELECT order_id FROM fills WHERE status NOT IN ('confirmed', 'failed'))
        UNION
        SELECT created_at, seq FROM (
            SELECT created_at, seq FROM orders WHERE NOT open ORDER BY created_at DESC LIMIT $1
        ) ended
    ) o JOIN log l ON l.seq = o.seq ORDER BY o.created_at, o.seq";

const CHECKPOINT: &str = "SELECT l.document FROM facts f JOIN log l ON l.seq = f.seq WHERE f.kind = 'checkpoint'";

/// Those that were matched at a time or later, the newest so many, and those of the orders that are loaded.
const FILLS: &str = "SELECT l.document FROM (
        SELECT matched_at, trade_id, order_id, seq FROM fills WHERE matched_at >= $2
        UNION
        SELECT matched_at, trade_id, order_id, seq FROM (
            SELECT matched_at, trade_id, order_id, seq FROM fills ORDER BY matched_at DESC LIMIT $3
        ) newest
        UNION
        SELECT matched_at, trade_id, order_id, seq FROM fills WHERE order_id IN (
            SELECT order_id FROM orders WHERE open
            UNION
            SELECT order_id FROM fills WHERE status NOT IN ('confirmed', 'failed')
            UNION
            SELECT order_id FROM (
                SELECT order_id FROM orders WHERE NOT open ORDER BY created_at DESC LIMIT $1
            ) ended
        )
    ) f JOIN log l ON l.seq = f.seq ORDER BY f.matched_at, f.trade_id, f.order_id";

const FILLS_OF_MARKET: &str = "SELECT l.document FROM fills f JOIN log l ON l.seq = f.seq
    WHERE f.market_id = $1 AND f.matched_at >= $2 AND f.matched_at < $3 ORDER BY f.matched_at, f.trade_id, f.order_id";

const FILLS_OF_ORDER: &str = "SELECT l.document FROM fills f JOIN log l ON l.seq = f.seq WHERE f.order_id = $1 ORDER BY f.matched_at, f.trade_id";

/// Those that no fill accounts for.
const CORRECTIONS: &str = "SELECT l.document FROM journals j JOIN log l ON l.seq = j.seq
    WHERE j.trade_id IS NULL AND j.at >= $1 ORDER BY j.at, j.id";

const LETTERS: &str = "SELECT a.document, b.document, d.state_seq - d.seq FROM dead_letters d
    JOIN log a ON a.seq = d.seq JOIN log b ON b.seq = d.state_seq ORDER BY d.seq DESC LIMIT $1";

const LETTER: &str = "SELECT a.document, b.document, d.state_seq - d.seq FROM dead_letters d
    JOIN log a ON a.seq = d.seq JOIN log b ON b.seq = d.state_seq WHERE d.id = $1";

const UNPUBLISHED: &str = "SELECT a.document, b.document, d.state_seq - d.seq FROM dead_letters d
    JOIN log a ON a.seq = d.seq JOIN log b ON b.seq = d.state_seq WHERE NOT d.published ORDER BY d.seq";

const FACT: &str = "SELECT l.document FROM facts f JOIN log l ON l.seq = f.seq WHERE f.kind = $1 AND f.subject = $2";

/// The newest of each subject of a kind.
const FACTS: &str =
    "SELECT f.subject, l.document FROM facts f JOIN log l ON l.seq = f.seq WHERE f.kind = $1 ORDER BY f.subject";

const ORDER: &str = "SELECT l.document, l.token FROM orders o JOIN log l ON l.seq = o.seq WHERE o.order_id = $1";

pub(super) async fn one_order(session: &mut dyn Session, id: &OrderId) -> Result<Known, LedgerError> {
    let row = rows(session, ORDER, vec![id.as_str().into()]).await?.first().map(order).transpose()?;
    Ok(Known { row, fills: documents(session, FILLS_OF_ORDER, vec![id.as_str().into()], "fill").await? })
}

/// A dead letter by its id.
pub(super) async fn one_letter(session: &mut dyn Session, id: &str) -> Result<Option<DeadLetter>, LedgerError> {
    rows(session, LETTER, vec![id.into()]).await?.first().map(letter).transpose()
}

/// Everything of a token.
pub(super) async fn history(
    session: &mut dyn Session,
    market: &MarketId,
    token: &TokenId,
) -> Result<History, LedgerError> {
    let first = Timestamp::from_micros(i64::MIN);
    let corrections = documents::<Journal>(session, CORRECTIONS, vec![first.micros().into()], "journal").await?;
    Ok(History {
        market: fact(session, "market", market.as_str()).await?,
        fills: fills_of(session, market, token, first, Timestamp::from_micros(i64::MAX)).await?,
        corrections: corrections.into_iter().filter(|journal| journal.token() == Some(token)).collect(),
    })
}

async fn fills_of(
    session: &mut dyn Session,
    market: &MarketId,
    token: &TokenId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Fill>, LedgerError> {
    let values = vec![market.as_str().into(), from.micros().into(), to.micros().into()];
    let fills: Vec<Fill> = documents(session, FILLS_OF_MARKET, values, "fill").await?;
    Ok(fills.into_iter().filter(|fill| fill.token == *token).collect())
}

/// What a checkpoint leaves to be read.
struct Tail {
    fills: Vec<Fill>,
    corrections: Vec<Journal>,
    markets: Vec<Market>,
    marks: Vec<(TokenId, Price, Timestamp)>,
}

async fn tail(
    session: &mut dyn Session,
    checkpoint: Option<&Checkpoint>,
    orders: &[OrderRow],
    ended: u32,
) -> Result<Tail, LedgerError> {
    let first = Timestamp::from_micros(i64::MIN);
    let (to, tokens) = checkpoint.map_or((first, &[][..]), |checkpoint| (checkpoint.to, &checkpoint.tokens));
    let values = vec![ended.into(), to.micros().into(), FILLS_LOADED.into()];
    let mut fills: Vec<Fill> = documents(session, FILLS, values, "fill").await?;
    let held_up = tokens.iter().filter(|token| token.to < to);
    for token in held_up.clone() {
        fills.extend(fills_of(session, &token.market, &token.token, token.to, to).await?);
    }
    let name = |fill: &Fill| (fill.matched_at, fill.trade.clone(), fill.order.clone());
    fills.sort_by_key(name);
    fills.dedup_by_key(|fill| name(fill));
    let from = held_up.map(|token| token.to).min().map_or(to, |least| least.min(to)).minus(CORRECTIONS_LOADED);
    let corrections = documents(session, CORRECTIONS, vec![from.micros().into()], "journal").await?;
    if checkpoint.is_none() {
        let markets = facts(session, "market").await?.into_iter().map(|(_, market)| market).collect();
        let marks = facts::<Marked>(session, "mark").await?;
        let marks = marks.into_iter().map(|(token, mark)| (token.into(), mark.price, mark.at)).collect();
        return Ok(Tail { fills, corrections, markets, marks });
    }
    let since = || fills.iter().filter(|fill| fill.matched_at >= to);
    let apart = || corrections.iter().filter(|journal: &&Journal| journal.at >= to);
    let open = orders.iter().filter(|row| !row.order.state.is_terminal()).map(|row| &row.order.intent.market);
    let traded = since().map(|fill| &fill.market).chain(apart().map(|journal| &journal.market));
    let of: BTreeSet<&MarketId> = tokens.iter().map(|token| &token.market).chain(traded).chain(open).collect();
    let mut markets = Vec::new();
    for market in of {
        markets.extend(fact(session, "market", market.as_str()).await?);
    }
    let traded = since().map(|fill| &fill.token).chain(apart().filter_map(Journal::token));
    let of: BTreeSet<&TokenId> = tokens.iter().map(|token| &token.token).chain(traded).collect();
    let mut marks = Vec::new();
    for token in of {
        let mark: Option<Marked> = fact(session, "mark", token.as_str()).await?;
        marks.extend(mark.map(|mark| (token.clone(), mark.price, mark.at)));
    }
    Ok(Tail { fills, corrections, markets, marks })
}

/// The newest.
pub(super) async fn checkpoint(session: &mut dyn Session) -> Result<Option<Checkpoint>, LedgerError> {
    Ok(documents(session, CHECKPOINT, Vec::new(), "checkpoint").await?.into_iter().next())
}

pub(super) async fn memory(session: &mut dyn Session, ended: u32) -> Result<Memory, LedgerError> {
    let orders = rows(session, ORDERS, vec![ended.into()]).await?;
    let orders: Vec<OrderRow> = orders.iter().map(order).collect::<Result<_, _>>()?;
    let checkpoint = checkpoint(session).await?;
    let counted = checkpoint.as_ref().and_then(|checkpoint| checkpoint.counted);
    let Tail { fills, corrections, markets, marks } = tail(session, checkpoint.as_ref(), &orders, ended).await?;
    let waiting = rows(session, "SELECT COUNT(*) FROM dead_letters WHERE waiting", Vec::new()).await?;
    let waiting = waiting.first().map_or(Ok(0), |row| row.int(0))?;
    let letters = rows(session, LETTERS, vec![LETTERS_LOADED.into()]).await?;
    let unpublished = rows(session, UNPUBLISHED, Vec::new()).await?;
    let latches = facts::<KillLatch>(session, "latch").await?;
    let days = facts::<DayRow>(session, "day").await?;
    let modes = facts::<String>(session, "meta").await?;
    let books = facts::<ParamBook>(session, "params").await?.into_iter().map(|(_, book)| book);
    let (limits, params): (Vec<_>, Vec<_>) = books.partition(|book| book.strategy.as_str() == RISK);
    let highs = facts::<Highest>(session, "equity").await?;
    let mut highs: Vec<_> = highs.into_iter().map(|(_, span)| (span.start, span.high)).collect();
    highs.sort_unstable();
    let holes = facts::<Vec<Hole>>(session, "holes").await?;
    let halts = facts::<Halted>(session, "halt").await?;
    let barred = facts::<Barred>(session, "barred").await?;
    Ok(Memory {
        orders,
        counted: count::since(session, counted.unwrap_or_default()).await?,
        entries: rows(session, ENTRIES, Vec::new()).await?.iter().map(entry).collect::<Result<_, _>>()?,
        checkpoint,
        fills,
        markets,
        marks,
        latch: latches.into_iter().next().map(|(_, latch)| latch),
        day: days.into_iter().next().map(|(_, day)| (day.day, day.start, day.peak)),
        highs,
        halts: halts.into_iter().map(|(_, halted)| (halted.halt, halted.epoch)).collect(),
        barred: barred.into_iter().map(|(_, barred)| barred).collect(),
        holes: holes.into_iter().flat_map(|(_, holes)| holes).collect(),
        corrections,
        dead_letters: waiting.cast_unsigned(),
        letters: letters.iter().map(letter).collect::<Result<_, _>>()?,
        unpublished: unpublished.iter().map(letter).collect::<Result<_, _>>()?,
        limits: limits.into_iter().next(),
        params,
        mode: modes.into_iter().find(|(key, _)| key == "mode").map(|(_, mode)| mode),
    })
}

async fn documents<T: for<'de> Deserialize<'de>>(
    session: &mut dyn Session,
    sql: &'static str,
    values: Vec<Value>,
    what: &str,
) -> Result<Vec<T>, LedgerError> {
    rows(session, sql, values).await?.iter().map(|row| parse(what, row.text(0)?)).collect()
}

/// The newest of a kind about one subject.
async fn fact<T: for<'de> Deserialize<'de>>(
    session: &mut dyn Session,
    kind: &str,
    subject: &str,
) -> Result<Option<T>, LedgerError> {
    let found = rows(session, FACT, vec![kind.into(), subject.into()]).await?;
    found.first().map(|row| parse(kind, row.text(0)?)).transpose()
}

/// The newest of each subject of a kind, with its subject.
pub(in crate::store) async fn facts<T: for<'de> Deserialize<'de>>(
    session: &mut dyn Session,
    kind: &str,
) -> Result<Vec<(String, T)>, LedgerError> {
    let found = rows(session, FACTS, vec![Value::from(kind)]).await?;
    found.iter().map(|row| Ok((row.text(0)?.to_owned(), parse(kind, row.text(1)?)?))).collect()
}

/// From a document and its token.
pub(in crate::store) fn order(row: &Row) -> Result<OrderRow, LedgerError> {
    let order: OrderRow = parse("order", row.text(0)?)?;
    Ok(OrderRow { token: row.int(1)?.cast_unsigned(), ..order })
}

/// From a letter's document, the document of its last state, and how far apart they are.
pub(in crate::store) fn letter(row: &Row) -> Result<DeadLetter, LedgerError> {
    let letter: DeadLetter = parse("dead letter", row.text(0)?)?;
    if row.int(2)? == 0 {
        return Ok(letter);
    }
    Ok(DeadLetter { state: parse("dead letter's state", row.text(1)?)?, ..letter })
}

fn entry(row: &Row) -> Result<InboxRow, LedgerError> {
    let intent = row.text(0)?;
    let received: Received = parse("inbox", row.text(3)?)?;
    let attempt = u32::try_from(row.int(1)?)
        .map_err(|error| LedgerError::Corrupt { what: format!("attempt of {intent}"), reason: error.to_string() })?;
    Ok(InboxRow {
        intent: intent.into(),
        attempt,
        entry: received.entry,
        boot: received.boot,
        payload: received.payload,
        at: Timestamp::from_micros(row.int(2)?),
    })
}
