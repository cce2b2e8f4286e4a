//! From what is to be durable to rows of the log and of the tables that follow from it. Pure: the writer and the audit use the
//! same functions, so that they cannot disagree about what a row should hold.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::chain::{Draft, Kind};
use super::engine::Value;
use super::ledger::{InboxRow, LedgerError, OrderRow, Write};
use crate::domain::{
    AckVerdict, Action, Command, DeadLetter, DeadLetterState, Fill, IntentId, Journal, KillState, Price, StrategyHalt,
    Timestamp, Usd,
};

/// What the log says of an intent that was taken in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Received {
    pub(super) entry: String,
    pub(super) boot: String,
    pub(super) payload: String,
}

/// What the log says of a mark.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Marked {
    pub(super) price: Price,
    pub(super) at: Timestamp,
}

/// What the log says of a day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DayRow {
    pub(super) day: i64,
    pub(super) start: Usd,
    pub(super) peak: Usd,
}

/// What the log says of a span of equity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Highest {
    pub(super) start: Timestamp,
    pub(super) high: Usd,
}

/// What the log says of a halted strategy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Halted {
    pub(super) halt: StrategyHalt,
    pub(super) epoch: u64,
}

/// What the log says of a command.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Commanded {
    pub(super) command: Command,
    pub(super) verdict: AckVerdict,
    pub(super) epoch: u64,
}

/// What the log says of a new turn at the lease.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Turn {
    pub(super) holder: String,
}

/// Seconds in a span of equity, and how many of them are kept.
const EQUITY_SPAN_S: i64 = 300;
const EQUITY_SPANS: i64 = 2_016;

/// The word for a letter that was written down.
pub(super) const BURIED: &str = "buried";
/// The word for a letter that is on the bus.
pub(super) const PUBLISHED: &str = "published";

/// What a checkpoint and holes are of.
const BOOKS: &str = "books";

/// One write, ready to be logged.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) draft: Draft,
    pub(super) write: &'a Write,
}

/// Everything that a batch will log, in its order.
///
/// # Errors
/// [`LedgerError::Refused`] when something cannot be written down, or a journal is out of balance.
pub(super) fn plan(writes: &[Write]) -> Result<Vec<Item<'_>>, LedgerError> {
    writes.iter().map(|write| Ok(Item { draft: draft(write)?, write })).collect()
}

/// What tells one batch from another.
pub(super) fn fingerprint(items: &[Item<'_>]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for item in items {
        item.draft.fingerprint(&mut digest);
    }
    digest.finalize().into()
}

fn draft(write: &Write) -> Result<Draft, LedgerError> {
    let of = |kind, subject: String, what: &str, at: Option<Timestamp>, document| Draft {
        kind,
        subject,
        what: what.to_owned(),
        at: at.map(Timestamp::micros),
        document,
    };
    Ok(match write {
        Write::Inbox(row) => {
            let InboxRow { entry, boot, payload, .. } = row.clone();
            let document = json(&Received { entry, boot, payload })?;
            of(Kind::Inbox, order_name(&row.intent, row.attempt), "taken", Some(row.at), document)
        }
        Write::Order { row, what, at } => {
            let name = order_name(&row.order.intent.intent, row.order.intent.attempt);
            of(Kind::Order, name, what, Some(*at), json(row)?)
        }
        Write::Fill { fill, at } => of(Kind::Fill, fill_name(fill), &fill.status.to_string(), Some(*at), json(fill)?),
        Write::Journal(journal) => {
            balanced(journal)?;
            let document = json(journal)?;
            of(Kind::Journal, journal.id.clone(), &journal.kind.to_string(), Some(journal.at), document)
        }
        Write::Market(market) => of(Kind::Market, market.market.to_string(), "seen", None, json(market)?),
        Write::Latch(latch) => {
            let what = if latch.state == KillState::Armed { "armed" } else { "killed" };
            of(Kind::Latch, "latch".into(), what, Some(latch.at), json(latch)?)
        }
        Write::Day { day, start, peak } => {
            let document = json(&DayRow { day: *day, start: *start, peak: *peak })?;
            of(Kind::Day, "day".into(), "reference", None, document)
        }
        Write::Equity { start, high } => {
            let document = json(&Highest { start: *start, high: *high })?;
            of(Kind::Equity, equity_place(*start).to_string(), "highest", Some(*start), document)
        }
        Write::Halt { halt, epoch, at } => {
            let document = json(&Halted { halt: halt.clone(), epoch: *epoch })?;
            of(Kind::Halt, halt.strategy.to_string(), "halted", Some(*at), document)
        }
        Write::Barred(barred) => of(Kind::Barred, barred.code.to_string(), "refused", Some(barred.at), json(barred)?),
        Write::Holes { holes, at } => of(Kind::Holes, BOOKS.into(), "seen", Some(*at), json(holes)?),
        Write::Mark { token, price, at } => {
            of(Kind::Mark, token.to_string(), "marked", Some(*at), json(&Marked { price: *price, at: *at })?)
        }
        Write::Checkpoint { checkpoint, at } => of(Kind::Checkpoint, BOOKS.into(), "set", Some(*at), json(checkpoint)?),
        Write::DeadLetter(letter) => {
            of(Kind::DeadLetter, letter.id.clone(), BURIED, Some(letter.last_at), json(letter)?)
        }
        Write::DeadLetterPublished { id } => of(Kind::DeadLetter, id.clone(), PUBLISHED, None, "{}".into()),
        Write::DeadLetterState { id, state } => {
            let (what, at) = done_about(state);
            of(Kind::DeadLetter, id.clone(), what, at, json(state)?)
        }
        Write::Command { command, verdict, epoch, at } => {
            let document =
                json(&Commanded { command: command.as_ref().clone(), verdict: verdict.clone(), epoch: *epoch })?;
            of(Kind::Command, command.id.clone(), action_word(&command.action), Some(*at), document)
        }
        Write::Mismatch(event) => of(Kind::Mismatch, event.what.clone(), "found", Some(event.at), json(event)?),
        Write::Alert(alert) => {
            of(Kind::Alert, alert.control.to_string(), &format!("{} %", alert.level), Some(alert.at), json(alert)?)
        }
        Write::Params(book) => {
            let version = book.in_force();
            let what = format!("version {}", version.map_or(0, |version| version.version));
            of(Kind::Params, book.strategy.to_string(), &what, version.map(|version| version.at), json(book)?)
        }
        Write::Meta { key, value } => of(Kind::Meta, (*key).to_owned(), "set", None, json(value)?),
    })
}

/// Subjects are used in turn, so that the table keeps a week and no more.
const fn equity_place(start: Timestamp) -> i64 {
    start.secs().div_euclid(EQUITY_SPAN_S).rem_euclid(EQUITY_SPANS)
}

const fn action_word(action: &Action) -> &'static str {
    match action {
        Action::Kill { .. } => "kill",
        Action::Arm { .. } => "arm",
        Action::DlqRetry { .. } => "dlq_retry",
        Action::DlqDrop { .. } => "dlq_drop",
        Action::SetParams { .. } => "set_params",
        Action::RollbackParams { .. } => "rollback_params",
    }
}

const fn done_about(state: &DeadLetterState) -> (&'static str, Option<Timestamp>) {
    match state {
        DeadLetterState::Waiting => ("waiting", None),
        DeadLetterState::Retried { at, .. } => ("retried", Some(*at)),
        DeadLetterState::Dropped { at, .. } => ("dropped", Some(*at)),
    }
}

/// # Errors
/// [`LedgerError::Refused`] that names the asset and the difference.
pub(super) fn balanced(journal: &Journal) -> Result<(), LedgerError> {
    let Some((asset, sum)) = journal.imbalance() else { return Ok(()) };
    let reason = format!("{asset:?} is out of balance by {sum}: the postings of each asset must sum to zero");
    Err(LedgerError::Refused { what: format!("journal {}", journal.id), reason })
}

/// How the log calls an attempt of an intent.
pub(super) fn order_name(intent: &IntentId, attempt: u32) -> String {
    format!("{intent}#{attempt}")
}

/// How the log calls a fill.
pub(super) fn fill_name(fill: &Fill) -> String {
    format!("{}/{}", fill.trade, fill.order)
}

/// A row of a table that follows from the log: what it is called, and its columns with their values.
pub(super) type Columns = Vec<(&'static str, Value)>;

pub(super) fn inbox_columns(intent: &IntentId, attempt: u32, received: &Received, seq: i64) -> Columns {
    vec![
        ("intent_id", intent.as_str().into()),
        ("attempt", attempt.into()),
        ("entry", received.entry.as_str().into()),
        ("boot", received.boot.as_str().into()),
        ("seq", seq.into()),
    ]
}

pub(super) fn order_columns(row: &OrderRow, seq: i64) -> Columns {
    let order = &row.order;
    vec![
        ("intent_id", order.intent.intent.as_str().into()),
        ("attempt", order.intent.attempt.into()),
        ("order_id", order.order.as_ref().map(ToString::to_string).into()),
        ("strategy", order.intent.strategy.as_str().into()),
        ("market_id", order.intent.market.as_str().into()),
        ("state", order.state.to_string().into()),
        ("adopted", row.adopted.into()),
        ("sent", order.times.sent_at.is_some().into()),
        ("accepted", row.accepted.into()),
        ("open", (!order.state.is_terminal()).into()),
        ("created_at", order.intent.created_at.micros().into()),
        ("seq", seq.into()),
    ]
}

pub(super) fn fill_columns(fill: &Fill, seq: i64) -> Columns {
    vec![
        ("trade_id", fill.trade.as_str().into()),
        ("order_id", fill.order.as_str().into()),
        ("strategy", fill.strategy.as_ref().map(ToString::to_string).into()),
        ("market_id", fill.market.as_str().into()),
        ("status", fill.status.to_string().into()),
        ("matched_at", fill.matched_at.micros().into()),
        ("seq", seq.into()),
    ]
}

pub(super) fn journal_columns(journal: &Journal, seq: i64) -> Columns {
    vec![
        ("id", journal.id.as_str().into()),
        ("kind", journal.kind.to_string().into()),
        ("at", journal.at.micros().into()),
        ("trade_id", journal.trade.as_ref().map(ToString::to_string).into()),
        ("order_id", journal.order.as_ref().map(ToString::to_string).into()),
        ("seq", seq.into()),
    ]
}

/// Where a dead letter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LetterPlace {
    pub(super) waiting: bool,
    pub(super) published: bool,
    pub(super) seq: i64,
    pub(super) state_seq: i64,
}

pub(super) fn letter_columns(letter: &DeadLetter, place: LetterPlace) -> Columns {
    vec![
        ("id", letter.id.as_str().into()),
        ("intent_id", letter.intent.as_ref().map(ToString::to_string).into()),
        ("attempt", letter.attempt.into()),
        ("waiting", place.waiting.into()),
        ("published", place.published.into()),
        ("seq", place.seq.into()),
        ("state_seq", place.state_seq.into()),
    ]
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, LedgerError> {
    serde_json::to_string(value)
        .map_err(|error| LedgerError::Refused { what: "document".into(), reason: error.to_string() })
}

/// Reads a document back.
///
/// # Errors
/// [`LedgerError::Corrupt`] that names it and shows its beginning.
pub(super) fn parse<T: for<'de> Deserialize<'de>>(what: &str, text: &str) -> Result<T, LedgerError> {
    serde_json::from_str(text).map_err(|error| LedgerError::Corrupt {
        what: what.to_owned(),
        reason: format!("{error} in {}", text.chars().take(120).collect::<String>()),
    })
}
