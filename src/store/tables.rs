//! The tables that follow from the log, compared with it column by column.

use sqlx::AssertSqlSafe;

use super::audit::{Fold, PAGE};
use super::engine::{Row, Session, Value};
use super::ledger::{LedgerError, OrderRow};
use super::plan::{self, Columns, LetterPlace, Received, parse};
use super::sql::rows;
use crate::domain::{DeadLetter, Fill, IntentId, Journal};

/// One of the tables.
#[derive(Clone, Copy, Debug)]
enum Table {
    Inbox,
    Orders,
    Fills,
    Journals,
    DeadLetters,
    Facts,
}

impl Table {
    const ALL: [Self; 6] = [Self::Inbox, Self::Orders, Self::Fills, Self::Journals, Self::DeadLetters, Self::Facts];

    const fn name(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Orders => "orders",
            Self::Fills => "fills",
            Self::Journals => "journals",
            Self::DeadLetters => "dead_letters",
            Self::Facts => "facts",
        }
    }

    /// Its columns, the key first.
    const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Inbox => &["intent_id", "attempt", "entry", "boot", "seq"],
            Self::Orders => &[
                "intent_id",
                "attempt",
                "order_id",
                "strategy",
                "market_id",
                "state",
                "adopted",
                "sent",
                "accepted",
                "open",
                "created_at",
                "seq",
            ],
            Self::Fills => &["trade_id", "order_id", "strategy", "market_id", "status", "matched_at", "seq"],
            Self::Journals => &["id", "kind", "at", "trade_id", "order_id", "seq"],
            Self::DeadLetters => &["id", "intent_id", "attempt", "waiting", "published", "seq", "state_seq"],
            Self::Facts => &["kind", "subject", "seq"],
        }
    }

    /// How many of its columns are the key, and what separates them in a name.
    const fn key(self) -> (usize, &'static str) {
        match self {
            Self::Inbox | Self::Orders => (2, "#"),
            Self::Fills => (2, "/"),
            Self::Journals | Self::DeadLetters => (1, ""),
            Self::Facts => (2, " "),
        }
    }

    /// Before the first key.
    fn start(self) -> Vec<Value> {
        match self {
            Self::Inbox | Self::Orders => vec!["".into(), Value::Int(i64::MIN)],
            Self::Fills | Self::Facts => vec!["".into(), "".into()],
            Self::Journals | Self::DeadLetters => vec!["".into()],
        }
    }

    /// A page of it, each row with the document that it follows from.
    fn page(self) -> String {
        let columns: Vec<String> = self.columns().iter().map(|column| format!("t.{column}")).collect();
        let (length, _) = self.key();
        let key = columns[..length].join(", ");
        let places: Vec<String> = (1..=length).map(|place| format!("${place}")).collect();
        format!(
            "SELECT {}, l.document FROM {} t LEFT JOIN log l ON l.seq = t.seq WHERE ({key}) > ({}) ORDER BY {key} LIMIT {PAGE}",
            columns.join(", "),
            self.name(),
            places.join(", ")
        )
    }
}

/// Compares every table with what the log came to.
pub(super) async fn compare(session: &mut dyn Session, mut fold: Fold) -> Result<Fold, LedgerError> {
    for table in Table::ALL {
        let mut page = rows(session, AssertSqlSafe(table.page()), table.start()).await?;
        // The next page is read while this one is compared.
        while let Some(last) = page.last() {
            let after = last.0[..table.key().0].to_vec();
            let compared = tokio::task::spawn_blocking(move || {
                for row in &page {
                    check(table, row, &mut fold);
                }
                fold
            });
            let (following, compared) = tokio::join!(rows(session, AssertSqlSafe(table.page()), after), compared);
            fold = compared.map_err(|error| LedgerError::Unavailable(error.to_string()))?;
            page = following?;
        }
        missing(table, &mut fold);
    }
    let lease = rows(session, "SELECT token FROM lease", Vec::new()).await?;
    let token = lease.first().map(|row| row.int(0)).transpose()?;
    if token != Some(fold.token) {
        let found = token.map_or_else(|| "nothing".to_owned(), |token| token.to_string());
        fold.report.differ("lease", "1", format!("token is {found}, the log says {}", fold.token));
    }
    Ok(fold)
}

fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone().unwrap_or_default(),
        Value::Int(number) => number.to_string(),
        Value::Flag(flag) => flag.to_string(),
    }
}

fn check(table: Table, row: &Row, fold: &mut Fold) {
    fold.report.derived += 1;
    let columns = table.columns();
    let (length, separator) = table.key();
    let name = row.0[..length].iter().map(plain).collect::<Vec<_>>().join(separator);
    let Some(place) = take(table, &name, fold) else {
        return fold.report.differ(table.name(), &name, "the log knows of no such row".into());
    };
    let document = row.maybe_text(columns.len()).ok().flatten().unwrap_or_default();
    let expected = match expected(table, row, place, document) {
        Ok(expected) => expected,
        Err(error) => return fold.report.differ(table.name(), &name, error.to_string()),
    };
    for ((column, right), found) in expected.iter().zip(&row.0) {
        if !same(right, found) {
            fold.report.differ(table.name(), &name, format!("{column} is {found}, the log says {right}"));
        }
    }
}

/// `SQLite` has no truth values of its own.
fn same(right: &Value, found: &Value) -> bool {
    match (right, found) {
        (Value::Flag(right), Value::Int(found)) => i64::from(*right) == *found,
        _ => right == found,
    }
}

/// Where the log says that the row comes from; taken out, so that what is left at the end is missing.
fn take(table: Table, name: &str, fold: &mut Fold) -> Option<LetterPlace> {
    let at = |seq: i64| LetterPlace { waiting: false, published: false, seq, state_seq: seq };
    match table {
        Table::Inbox => fold.inbox.remove(name).map(at),
        Table::Orders => fold.orders.remove(name).map(at),
        Table::Fills => fold.fills.remove(name).map(at),
        Table::Journals => fold.journals.remove(name).map(at),
        Table::DeadLetters => fold.letters.remove(name),
        Table::Facts => fold.facts.remove(name).map(at),
    }
}

/// What the row should hold.
fn expected(table: Table, row: &Row, place: LetterPlace, document: &str) -> Result<Columns, LedgerError> {
    let seq = place.seq;
    match table {
        Table::Inbox => {
            let received: Received = parse("its document", document)?;
            let attempt = u32::try_from(row.int(1)?).unwrap_or(u32::MAX);
            Ok(plan::inbox_columns(&IntentId::new(row.text(0)?), attempt, &received, seq))
        }
        Table::Orders => Ok(plan::order_columns(&parse::<OrderRow>("its document", document)?, seq)),
        Table::Fills => Ok(plan::fill_columns(&parse::<Fill>("its document", document)?, seq)),
        Table::Journals => {
            let journal: Journal = parse("its document", document)?;
            plan::balanced(&journal)?;
            Ok(plan::journal_columns(&journal, seq))
        }
        Table::DeadLetters => Ok(plan::letter_columns(&parse::<DeadLetter>("its document", document)?, place)),
        Table::Facts => Ok(vec![("kind", row.text(0)?.into()), ("subject", row.text(1)?.into()), ("seq", seq.into())]),
    }
}

fn missing(table: Table, fold: &mut Fold) {
    let mut left: Vec<(String, i64)> = match table {
        Table::Inbox => fold.inbox.drain().collect(),
        Table::Orders => fold.orders.drain().collect(),
        Table::Fills => fold.fills.drain().collect(),
        Table::Journals => fold.journals.drain().collect(),
        Table::DeadLetters => fold.letters.drain().map(|(name, place)| (name, place.seq)).collect(),
        Table::Facts => fold.facts.drain().collect(),
    };
    left.sort();
    for (name, seq) in left {
        fold.report.differ(table.name(), name, format!("missing: row {seq} of the log says that it is there"));
    }
}
