//! The short way to commit: everything in one exchange, behind the end of the chain that our last commit left.
//!
//! Invariant: the chain is the fence. Whoever else wrote in between, a new holder of the lease first of all, has used the next
//! number of the log; then a constraint refuses ours, nothing is written, and the long way finds out why. The same happens
//! to an intent or a journal that is there already.

use std::collections::{BTreeMap, HashMap};

use super::super::chain::{COLUMNS, Chained, Head};
use super::super::engine::Value;
use super::super::ledger::Write;
use super::super::plan::{self, Columns, Item, Received};

/// Most rows of the log in one exchange: far below the bounds of both databases on values in a statement.
const MOST: usize = 512;

/// Statements that run as one, numbered through, and what they come to.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) statements: Vec<String>,
    pub(super) values: Vec<Value>,
    pub(super) head: Head,
}

/// A table that follows from the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Table {
    Inbox,
    Orders,
    Fills,
    Journals,
    Facts,
}

impl Table {
    const fn name(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Orders => "orders",
            Self::Fills => "fills",
            Self::Journals => "journals",
            Self::Facts => "facts",
        }
    }

    /// Columns that a later row replaces another by; none where nothing is ever replaced.
    const fn key(self) -> &'static [&'static str] {
        match self {
            Self::Orders => &["intent_id", "attempt"],
            Self::Fills => &["trade_id", "order_id"],
            Self::Facts => &["kind", "subject"],
            Self::Inbox | Self::Journals => &[],
        }
    }
}

/// The batch in one exchange; nothing when something in it is not that simple.
pub(super) fn exchange(items: &[Item<'_>], token: u64, head: &Head) -> Option<Exchange> {
    if items.is_empty() || items.len() > MOST {
        return None;
    }
    // For what has no time of its own: the newest of what comes with it.
    let now = items.iter().filter_map(|item| item.draft.at).max()?;
    let mut head = head.clone();
    let mut log = Vec::with_capacity(items.len());
    let mut tables: BTreeMap<Table, Vec<Columns>> = BTreeMap::new();
    for Item { draft, write } in items {
        let row = draft.clone().chain(&head, token, now);
        match place(write, &row) {
            Place::Row(table, columns) => tables.entry(table).or_default().push(columns),
            Place::LogOnly => {}
            Place::LookFirst => return None,
        }
        head = row.head();
        log.push(row);
    }
    let mut statements = Vec::with_capacity(tables.len() + 1);
    let mut values = Vec::new();
    for (table, rows) in tables {
        statements.push(insert(table, newest(table, rows), &mut values));
    }
    statements.push(insert_log(log, &mut values));
    Some(Exchange { statements, values, head })
}

/// Where a write stands.
enum Place {
    /// In the log and in a table.
    Row(Table, Columns),
    /// In the log.
    LogOnly,
    /// That depends on what is there already.
    LookFirst,
}

fn place(write: &Write, row: &Chained) -> Place {
    let seq = row.seq;
    match write {
        Write::Inbox(taken) => {
            let received =
                Received { entry: taken.entry.clone(), boot: taken.boot.clone(), payload: taken.payload.clone() };
            Place::Row(Table::Inbox, plan::inbox_columns(&taken.intent, taken.attempt, &received, seq))
        }
        Write::Order { row, .. } => Place::Row(Table::Orders, plan::order_columns(row, seq)),
        Write::Fill { fill, .. } => Place::Row(Table::Fills, plan::fill_columns(fill, seq)),
        Write::Journal(journal) => Place::Row(Table::Journals, plan::journal_columns(journal, seq)),
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
            let fact =
                vec![("kind", row.kind.as_str().into()), ("subject", row.subject.as_str().into()), ("seq", seq.into())];
            Place::Row(Table::Facts, fact)
        }
        Write::Command { .. } | Write::Mismatch(_) | Write::Alert(_) => Place::LogOnly,
        Write::DeadLetter(_)
        | Write::DeadLetterPublished { .. }
        | Write::DeadLetterState { .. }
        | Write::Meta { .. } => Place::LookFirst,
    }
}

/// One row for each key, the last: a statement can replace a row only once.
fn newest(table: Table, rows: Vec<Columns>) -> Vec<Columns> {
    if table.key().is_empty() || rows.len() == 1 {
        return rows;
    }
    let key = |row: &Columns| -> Vec<String> {
        row.iter().filter(|(name, _)| table.key().contains(name)).map(|(_, value)| value.to_string()).collect()
    };
    let last: HashMap<Vec<String>, usize> = rows.iter().enumerate().map(|(at, row)| (key(row), at)).collect();
    let kept = |at: &usize, row: &Columns| last.get(&key(row)) == Some(at);
    rows.into_iter().enumerate().filter(|(at, row)| kept(at, row)).map(|(_, row)| row).collect()
}

fn insert(table: Table, rows: Vec<Columns>, values: &mut Vec<Value>) -> String {
    let names: Vec<&str> = rows.first().map(|row| row.iter().map(|(name, _)| *name).collect()).unwrap_or_default();
    let places = places(names.len(), rows.len(), values.len());
    values.extend(rows.into_iter().flatten().map(|(_, value)| value));
    let insert = format!("INSERT INTO {} ({}) VALUES {places}", table.name(), names.join(", "));
    if table.key().is_empty() {
        return insert;
    }
    let changed: Vec<String> = names
        .iter()
        .filter(|name| !table.key().contains(name))
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    format!("{insert} ON CONFLICT ({}) DO UPDATE SET {}", table.key().join(", "), changed.join(", "))
}

/// Inserts rows of the log; its placeholders begin behind the values that are there already.
pub(super) fn insert_log(rows: Vec<Chained>, values: &mut Vec<Value>) -> String {
    let places = places(COLUMNS.len(), rows.len(), values.len());
    values.extend(rows.into_iter().flat_map(Chained::values));
    format!("INSERT INTO log ({}) VALUES {places}", COLUMNS.join(", "))
}

/// `($4, $5), ($6, $7)` for two columns, two rows and three values before.
fn places(columns: usize, rows: usize, before: usize) -> String {
    let row = |row: usize| {
        let places: Vec<String> = (1..=columns).map(|at| format!("${}", before + row * columns + at)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Timestamp, Usd};

    fn mark(token: &str, at: i64) -> Write {
        Write::Mark { token: token.into(), price: Price(rust_decimal::dec!(0.5)), at: Timestamp::from_secs(at) }
    }

    #[test]
    fn everything_is_logged_and_of_what_is_replaced_the_last_stands() {
        let writes =
            [mark("a", 1), mark("b", 2), Write::Day { day: 1, start: Usd::ZERO, peak: Usd::ZERO }, mark("a", 3)];
        let items = plan::plan(&writes).expect("a plan");
        let exchange = exchange(&items, 7, &Head::genesis()).expect("simple");
        assert_eq!(exchange.head.seq, 4);
        let [facts, log] = &exchange.statements[..] else { panic!("{:?}", exchange.statements) };
        assert_eq!(
            facts,
            "INSERT INTO facts (kind, subject, seq) VALUES ($1, $2, $3), ($4, $5, $6), ($7, $8, $9) \
             ON CONFLICT (kind, subject) DO UPDATE SET seq = excluded.seq"
        );
        assert!(log.contains("($10, $11,") && log.ends_with("$45)"), "{log}");
        let seqs: Vec<&Value> = exchange.values[..9].iter().skip(2).step_by(3).collect();
        assert_eq!(seqs, [&Value::Int(2), &Value::Int(3), &Value::Int(4)], "b, the day, the later a");
        assert_eq!(exchange.values.len(), 9 + 4 * COLUMNS.len());
    }

    #[test]
    fn what_must_be_looked_at_takes_the_long_way() {
        let timeless = [Write::Day { day: 1, start: Usd::ZERO, peak: Usd::ZERO }];
        let meta = [Write::Meta { key: "k", value: "v".into() }];
        let published = [mark("a", 1), Write::DeadLetterPublished { id: "x".into() }];
        for writes in [&meta[..], &published, &timeless] {
            let items = plan::plan(writes).expect("a plan");
            assert!(exchange(&items, 1, &Head::genesis()).is_none());
        }
        assert!(exchange(&[], 1, &Head::genesis()).is_none());
    }
}
