//! What a commit does inside its transaction.

use sqlx::AssertSqlSafe;

use super::super::chain::{Chained, Draft, Head, Kind};
use super::super::engine::{Dialect, Session, Value};
use super::super::ledger::{InboxRow, LedgerError, Write};
use super::super::plan::{Columns, Item, LetterPlace, Received};
use super::super::plan::{fill_columns, inbox_columns, journal_columns, letter_columns, order_columns};
use super::at_once::insert_log;
use super::{rows, run};
use crate::domain::{DeadLetter, DeadLetterState, Journal};

/// Rows of the log that one statement takes.
const AT_ONCE: usize = 50;

/// Where the ledger stands when a transaction begins.
#[derive(Clone, Debug)]
pub(super) struct Stand {
    /// The newest fencing token.
    pub(super) token: u64,
    /// The end of the chain.
    pub(super) head: Head,
    /// The database's time in microseconds.
    pub(super) now: i64,
}

pub(super) async fn stand(session: &mut dyn Session, dialect: &Dialect) -> Result<Stand, LedgerError> {
    let sql = format!(
        "SELECT l.token, {}, COALESCE(h.seq, 0), h.hash FROM lease l
         LEFT JOIN (SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1) h ON 1 = 1",
        dialect.now_ms
    );
    let found = rows(session, AssertSqlSafe(sql), Vec::new()).await?;
    let Some(row) = found.first() else {
        return Err(LedgerError::Corrupt { what: "lease".into(), reason: "its row is gone".into() });
    };
    let genesis = Head::genesis();
    let hash = row.maybe_text(3)?.map_or(genesis.hash, ToOwned::to_owned);
    Ok(Stand {
        token: row.int(0)?.cast_unsigned(),
        head: Head { seq: row.int(2)?, hash },
        now: row.int(1)?.saturating_mul(1_000),
    })
}

/// Writes a batch and gives the new end of the chain.
pub(super) async fn apply(session: &mut dyn Session, items: Vec<Item<'_>>, stand: Stand) -> Result<Head, LedgerError> {
    let mut head = stand.head;
    let mut log: Vec<Chained> = Vec::with_capacity(items.len());
    for Item { draft, write } in items {
        if put(session, write, &draft, head.seq + 1, &log).await? {
            let row = draft.chain(&head, stand.token, stand.now);
            head = row.head();
            log.push(row);
        }
    }
    append(session, log).await?;
    Ok(head)
}

pub(super) async fn append(session: &mut dyn Session, log: Vec<Chained>) -> Result<(), LedgerError> {
    let mut rest = log.into_iter().peekable();
    while rest.peek().is_some() {
        let mut values = Vec::new();
        let sql = insert_log(rest.by_ref().take(AT_ONCE).collect(), &mut values);
        run(session, AssertSqlSafe(sql), values).await?;
    }
    Ok(())
}

/// Brings the table that follows from the log up to date; false when the write says nothing new and is not logged.
async fn put(
    session: &mut dyn Session,
    write: &Write,
    draft: &Draft,
    seq: i64,
    log: &[Chained],
) -> Result<bool, LedgerError> {
    match write {
        Write::Inbox(row) => take(session, row, seq).await,
        Write::Order { row, .. } => {
            upsert(session, "orders", &["intent_id", "attempt"], order_columns(row, seq)).await.map(|()| true)
        }
        Write::Fill { fill, .. } => {
            upsert(session, "fills", &["trade_id", "order_id"], fill_columns(fill, seq)).await.map(|()| true)
        }
        Write::Journal(journal) => book(session, journal, draft, seq, log).await,
        Write::DeadLetter(letter) => bury(session, letter, seq).await,
        Write::DeadLetterPublished { id } => {
            let sql = "UPDATE dead_letters SET published = TRUE WHERE id = $1 AND NOT published";
            let changed = run(session, sql, vec![id.as_str().into()]).await?;
            Ok(changed > 0)
        }
        Write::DeadLetterState { id, state } => settle(session, id, state, seq).await,
        Write::Command { .. } | Write::Mismatch(_) | Write::Alert(_) => Ok(true),
        Write::Meta { .. } => {
            let sql =
                "INSERT INTO facts (kind, subject, seq) VALUES ($1, $2, $3) ON CONFLICT (kind, subject) DO NOTHING";
            let values = vec![draft.kind.word().into(), draft.subject.as_str().into(), seq.into()];
            Ok(run(session, sql, values).await? == 1)
        }
        Write::Market(_)
        | Write::Latch(_)
        | Write::Day { .. }
        | Write::Equity { .. }
        | Write::Halt { .. }
        | Write::Barred(_)
        | Write::Holes { .. }
        | Write::Mark { .. }
        | Write::Params(_)
        | Write::Checkpoint { .. } => {
            let fact = vec![
                ("kind", draft.kind.word().into()),
                ("subject", draft.subject.as_str().into()),
                ("seq", seq.into()),
            ];
            upsert(session, "facts", &["kind", "subject"], fact).await.map(|()| true)
        }
    }
}

/// Inserts a row, or puts it in the place of the one with the same key.
async fn upsert(session: &mut dyn Session, table: &str, key: &[&str], columns: Columns) -> Result<(), LedgerError> {
    let (sql, values) = insert(table, key, columns);
    run(session, AssertSqlSafe(sql), values).await.map(|_| ())
}

fn insert(table: &str, key: &[&str], columns: Columns) -> (String, Vec<Value>) {
    let (names, values): (Vec<&str>, Vec<Value>) = columns.into_iter().unzip();
    let places: Vec<String> = (1..=names.len()).map(|at| format!("${at}")).collect();
    let changed: Vec<String> =
        names.iter().filter(|name| !key.contains(name)).map(|name| format!("{name} = excluded.{name}")).collect();
    let sql = format!(
        "INSERT INTO {table} ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}",
        names.join(", "),
        places.join(", "),
        key.join(", "),
        changed.join(", ")
    );
    (sql, values)
}

/// Inserts a row unless one with the same key is there; whether it was inserted.
async fn insert_new(session: &mut dyn Session, table: &str, columns: Columns) -> Result<bool, LedgerError> {
    let (names, values): (Vec<&str>, Vec<Value>) = columns.into_iter().unzip();
    let places: Vec<String> = (1..=names.len()).map(|at| format!("${at}")).collect();
    let sql =
        format!("INSERT INTO {table} ({}) VALUES ({}) ON CONFLICT DO NOTHING", names.join(", "), places.join(", "));
    Ok(run(session, AssertSqlSafe(sql), values).await? == 1)
}

/// Takes an intent. A row of the same run and entry is our own.
async fn take(session: &mut dyn Session, row: &InboxRow, seq: i64) -> Result<bool, LedgerError> {
    let InboxRow { entry, boot, payload, .. } = row.clone();
    let received = Received { entry, boot, payload };
    if insert_new(session, "inbox", inbox_columns(&row.intent, row.attempt, &received, seq)).await? {
        return Ok(true);
    }
    let sql = "SELECT entry, boot FROM inbox WHERE intent_id = $1 AND attempt = $2";
    let known = rows(session, sql, vec![row.intent.as_str().into(), row.attempt.into()]).await?;
    let Some(known) = known.first() else {
        return Err(LedgerError::Unavailable(format!("intent {} could not be taken", row.intent)));
    };
    if known.text(0)? == row.entry && known.text(1)? == row.boot {
        return Ok(false);
    }
    Err(LedgerError::Duplicate { intent: row.intent.clone(), attempt: row.attempt })
}

/// Books a journal once. The same name with another content is refused: nothing that was booked is ever changed.
async fn book(
    session: &mut dyn Session,
    journal: &Journal,
    draft: &Draft,
    seq: i64,
    log: &[Chained],
) -> Result<bool, LedgerError> {
    if insert_new(session, "journals", journal_columns(journal, seq)).await? {
        return Ok(true);
    }
    let sql = "SELECT l.document FROM journals j JOIN log l ON l.seq = j.seq WHERE j.id = $1";
    let found = rows(session, sql, vec![journal.id.as_str().into()]).await?;
    let in_batch = log.iter().find(|row| row.kind == Kind::Journal.word() && row.subject == journal.id);
    let booked = match (found.first(), in_batch) {
        (Some(row), _) => row.text(0)?,
        (None, Some(row)) => &row.document,
        (None, None) => "",
    };
    if booked == draft.document {
        return Ok(false);
    }
    Err(LedgerError::Refused {
        what: format!("journal {}", journal.id),
        reason: "it was booked before with another content; a correction needs a name of its own".into(),
    })
}

async fn bury(session: &mut dyn Session, letter: &DeadLetter, seq: i64) -> Result<bool, LedgerError> {
    let waiting = letter.state == DeadLetterState::Waiting;
    let place = LetterPlace { waiting, published: false, seq, state_seq: seq };
    insert_new(session, "dead_letters", letter_columns(letter, place)).await
}

async fn settle(session: &mut dyn Session, id: &str, state: &DeadLetterState, seq: i64) -> Result<bool, LedgerError> {
    let sql = "UPDATE dead_letters SET waiting = $1, state_seq = $2 WHERE id = $3";
    let waiting = *state == DeadLetterState::Waiting;
    if run(session, sql, vec![waiting.into(), seq.into(), id.into()]).await? == 1 {
        return Ok(true);
    }
    Err(LedgerError::Refused { what: format!("dead letter {id}"), reason: "there is none of that id".into() })
}
