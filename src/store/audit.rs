//! The proof of the books: the chain is computed again from its first row, and every other table is compared with what the log
//! says it should hold. One changed byte in any column is found, and named by table and row. Every checkpoint is compared with a fold
//! from the first row.

use std::collections::HashMap;

use serde::Serialize;

use super::books::Books;
use super::chain::{COLUMNS, Chained, Head, Kind};
use super::engine::{Row, Session};
use super::ledger::LedgerError;
use super::plan::{BURIED, LetterPlace, PUBLISHED};
use super::refold::Refold;
use super::sql::rows;
use super::tables;

/// Rows that are read at once.
pub(super) const PAGE: i64 = 2_000;
/// Differences that are named; the rest is counted.
const NAMED: usize = 100;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// In which table.
    pub table: String,
    /// In which row: its key.
    pub row: String,
    /// What differs, and what would be right.
    pub what: String,
}

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// Rows of the log.
    pub rows: u64,
    /// Rows of the tables that follow from it.
    pub derived: u64,
    /// The hash of the last row. Noted elsewhere, it proves later that nothing up to here was changed.
    pub head: String,
    /// Where the hash that was expected stands; absent when none was, or it is not there.
    pub expected_at: Option<i64>,
    /// What differs; nothing when the books are sound.
    pub differences: Vec<Difference>,
    /// How many differences more there are.
    pub more: u64,
}

impl AuditReport {
    /// Whether nothing differs.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.differences.is_empty()
    }

    pub(super) fn differ(&mut self, table: &str, row: impl Into<String>, what: String) {
        if self.differences.len() < NAMED {
            self.differences.push(Difference { table: table.into(), row: row.into(), what });
        } else {
            self.more += 1;
        }
    }
}

/// What the log comes to: for each row of the other tables, where in the log it is written.
#[derive(Debug, Default)]
pub(super) struct Fold {
    pub(super) report: AuditReport,
    pub(super) inbox: HashMap<String, i64>,
    pub(super) orders: HashMap<String, i64>,
    pub(super) fills: HashMap<String, i64>,
    pub(super) journals: HashMap<String, i64>,
    pub(super) letters: HashMap<String, LetterPlace>,
    pub(super) facts: HashMap<String, i64>,
    pub(super) token: i64,
    refold: Refold,
    /// The row before: its place, the hash it says, and the hash it has.
    before: Option<(i64, String, String)>,
    expected: Option<String>,
}

impl Books {
    /// Proves the books, in one state of them. `expected` is a hash that was noted earlier and must be in the chain.
    ///
    /// # Errors
    /// [`LedgerError`] when they cannot be read.
    pub async fn verify(&self, expected: Option<&str>) -> Result<AuditReport, LedgerError> {
        let mut session = self.begin().await?;
        let report = verify(session.as_mut(), expected).await;
        session.roll_back().await;
        report
    }
}

async fn verify(session: &mut dyn Session, expected: Option<&str>) -> Result<AuditReport, LedgerError> {
    let mut fold = Fold { expected: expected.map(str::to_lowercase), ..Fold::default() };
    fold.report.head = Head::genesis().hash;
    let mut page = next(session, i64::MIN).await?;
    // The next page is read while this one is hashed.
    while let Some(last) = page.last() {
        let last = last.int(0)?;
        let hashed = tokio::task::spawn_blocking(move || {
            let outcome = page.into_iter().try_for_each(|row| fold.row(row));
            outcome.map(|()| fold)
        });
        let (following, hashed) = tokio::join!(next(session, last), hashed);
        fold = hashed.map_err(|error| LedgerError::Unavailable(error.to_string()))??;
        page = following?;
    }
    if let (Some(expected), None) = (&fold.expected, fold.report.expected_at) {
        let what = format!("no row has the hash {expected} that was noted earlier: the log was cut off or rewritten");
        fold.report.differ("log", "-", what);
    }
    fold.refold.conclude(&mut fold.report);
    fold.refold = Refold::default();
    Ok(tables::compare(session, fold).await?.report)
}

async fn next(session: &mut dyn Session, after: i64) -> Result<Vec<Row>, LedgerError> {
    let sql = format!("SELECT {} FROM log WHERE seq > $1 ORDER BY seq LIMIT {PAGE}", COLUMNS.join(", "));
    rows(session, sqlx::AssertSqlSafe(sql), vec![after.into()]).await
}

impl Fold {
    fn row(&mut self, mut row: Row) -> Result<(), LedgerError> {
        let (seq, at, token) = (row.int(0)?, row.int(1)?, row.int(2)?);
        let mut text = |at| row.take_text(at).map(Option::unwrap_or_default);
        let row = Chained {
            seq,
            at,
            token,
            kind: text(3)?,
            subject: text(4)?,
            what: text(5)?,
            document: text(6)?,
            prev: text(7)?,
            hash: text(8)?,
        };
        let computed = row.computed();
        self.chain(&row, &computed);
        match Kind::of(&row.kind) {
            Some(kind) => {
                self.follow(kind, &row);
                self.refold.follow(kind, &row, &mut self.report);
            }
            None => self.report.differ("log", row.seq.to_string(), format!("there is no kind '{}'", row.kind)),
        }
        self.report.rows += 1;
        self.report.head.clone_from(&row.hash);
        if self.expected.as_ref() == Some(&row.hash) {
            self.report.expected_at = Some(row.seq);
        }
        self.before = Some((row.seq, row.hash, computed));
        Ok(())
    }

    fn chain(&mut self, row: &Chained, computed: &str) {
        let genesis = Head::genesis();
        let (before, said, had) = self.before.take().unwrap_or((genesis.seq, genesis.hash.clone(), genesis.hash));
        let name = row.seq.to_string();
        if row.seq != before + 1 {
            self.report.differ("log", &name, format!("it comes behind row {before}: what was between them is gone"));
        } else if row.prev != said && row.prev != had {
            self.report.differ("log", &name, format!("prev is {}, the row before has {had}", row.prev));
        }
        if *computed != row.hash {
            self.report.differ("log", &name, format!("its columns have the hash {computed}, it says {}", row.hash));
        }
        if row.token < self.token {
            self.report.differ("log", &name, format!("token {} comes behind token {}", row.token, self.token));
        }
        self.token = self.token.max(row.token);
    }

    /// Notes where things stand after this row.
    fn follow(&mut self, kind: Kind, row: &Chained) {
        let subject = row.subject.clone();
        match kind {
            Kind::Order => {
                self.orders.insert(subject, row.seq);
            }
            Kind::Fill => {
                self.fills.insert(subject, row.seq);
            }
            Kind::Inbox => {
                self.inbox.entry(subject).or_insert(row.seq);
            }
            Kind::Journal => {
                self.journals.entry(subject).or_insert(row.seq);
            }
            Kind::DeadLetter => self.letter(row),
            Kind::Meta => {
                self.facts.entry(format!("{kind} {subject}")).or_insert(row.seq);
            }
            Kind::Latch
            | Kind::Day
            | Kind::Equity
            | Kind::Halt
            | Kind::Barred
            | Kind::Holes
            | Kind::Mark
            | Kind::Market
            | Kind::Params
            | Kind::Checkpoint => {
                self.facts.insert(format!("{kind} {subject}"), row.seq);
            }
            Kind::Command | Kind::Mismatch | Kind::Alert | Kind::Lease => {}
        }
    }

    fn letter(&mut self, row: &Chained) {
        let fresh = LetterPlace { waiting: true, published: false, seq: row.seq, state_seq: row.seq };
        match (row.what.as_str(), self.letters.get_mut(&row.subject)) {
            (BURIED, None) => {
                self.letters.insert(row.subject.clone(), fresh);
            }
            (PUBLISHED, Some(place)) => place.published = true,
            (what, Some(place)) if what != BURIED => {
                place.waiting = what == "waiting";
                place.state_seq = row.seq;
            }
            (what, _) => {
                let name = row.seq.to_string();
                self.report.differ("log", name, format!("'{what}' cannot be said of letter {} here", row.subject));
            }
        }
    }
}
