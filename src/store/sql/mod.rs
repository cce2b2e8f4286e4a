//! The ledger over either database: what happens in a commit, and in which order.
//!
//! Invariant: a commit whose outcome was not learned may be repeated. It is known again by what it says and by the hash that
//! the chain ends with since, so that it is not logged twice.

mod at_once;
mod batch;
mod count;
mod lease;
mod load;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::SqlSafeStr;

use super::chain::Head;
use super::engine::{Access, Engine, Row, Session, Value};
use super::ledger::{History, Known, Lease, Ledger, LedgerError, Memory, Write};
use super::plan::{Item, fingerprint, plan};
use crate::domain::{Counted, DeadLetter, MarketId, OrderId, TokenId};
pub(super) use load::{facts, letter, order};

/// The longest that a commit may take before its outcome counts as unknown.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that reading everything back may take: the first start of a long history has no checkpoint yet.
const LOAD_TIMEOUT: Duration = Duration::from_mins(10);

/// The longest that reading back one token may take: it grows with what was traded of it.
const HISTORY_TIMEOUT: Duration = Duration::from_mins(1);

/// How often something is begun again at once because another wrote at the same moment. Each time one of the others got through.
const RACES: u32 = 32;

/// A ledger in a database.
#[derive(Debug)]
pub struct SqlLedger<E> {
    engine: E,
    turn: Mutex<Turn>,
}

/// What this ledger value knows of its own writing.
#[derive(Clone, Debug, Default)]
struct Turn {
    /// The fencing token of the last turn; 0 before the first.
    token: u64,
    /// The last commit, when its outcome is not known.
    unsure: Option<Unsure>,
    /// The end of the chain as our last commit left it; nothing when somebody else may have written since.
    head: Option<Head>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Unsure {
    batch: [u8; 32],
    /// The end of the chain when it did commit.
    head: Head,
}

/// What the long way did, and where the chain ends with it.
enum Applied {
    /// Written, not committed yet.
    Now(Head),
    /// An earlier attempt at the same batch was committed after all.
    Before(Head),
}

impl<E: Engine> SqlLedger<E> {
    pub(super) const fn new(engine: E) -> Self {
        Self { engine, turn: Mutex::new(Turn { token: 0, unsure: None, head: None }) }
    }

    /// A panic while the lock was held leaves plain data behind, which is still right.
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last commit's outcome is known, and this is where the chain ends, as far as that is known.
    fn learned(&self, head: Option<Head>) {
        let mut turn = self.turn();
        turn.unsure = None;
        turn.head = head;
    }

    async fn attempt(&self, writes: &[Write]) -> Result<(), LedgerError> {
        let items = plan(writes)?;
        let batch = fingerprint(&items);
        if self.at_once(&items, batch).await? {
            return Ok(());
        }
        let mut session = self.engine.begin(Access::Write).await?;
        let Turn { token, unsure, .. } = self.turn().clone();
        let applied = async {
            let stand = batch::stand(session.as_mut(), self.engine.dialect()).await?;
            if stand.token != token {
                return Err(LedgerError::Fenced { ours: token, newest: stand.token });
            }
            if unsure.is_some_and(|unsure| unsure.batch == batch && unsure.head == stand.head) {
                return Ok(Applied::Before(stand.head));
            }
            batch::apply(session.as_mut(), items, stand).await.map(Applied::Now)
        };
        match applied.await {
            Ok(Applied::Now(head)) => self.finish(session, Unsure { batch, head }).await,
            Ok(Applied::Before(head)) => {
                self.learned(Some(head));
                session.roll_back().await;
                Ok(())
            }
            Err(error) => {
                session.roll_back().await;
                Err(error)
            }
        }
    }

    /// Tries the short way; false when it is not open, or was refused and nothing is written.
    async fn at_once(&self, items: &[Item<'_>], batch: [u8; 32]) -> Result<bool, LedgerError> {
        let exchange = {
            let mut turn = self.turn();
            let Some(head) = turn.head.take() else { return Ok(false) };
            let Some(exchange) = at_once::exchange(items, turn.token, &head) else { return Ok(false) };
            turn.unsure = Some(Unsure { batch, head: exchange.head.clone() });
            exchange
        };
        let written = self.engine.at_once(exchange.statements, exchange.values).await?;
        self.learned(written.then_some(exchange.head));
        Ok(written)
    }

    /// Commits, and remembers what it was for as long as the outcome is open.
    async fn finish(&self, session: Box<dyn Session>, unsure: Unsure) -> Result<(), LedgerError> {
        let head = unsure.head.clone();
        self.turn().unsure = Some(unsure);
        session.commit().await?;
        self.learned(Some(head));
        Ok(())
    }
}

#[async_trait]
impl<E: Engine> Ledger for SqlLedger<E> {
    async fn commit(&self, writes: &[Write]) -> Result<(), LedgerError> {
        within(COMMIT_TIMEOUT, "commit", again(|| self.attempt(writes))).await
    }

    async fn load(&self, ended: u32) -> Result<Memory, LedgerError> {
        let load = async {
            let mut session = self.engine.begin(Access::Read).await?;
            let memory = load::memory(session.as_mut(), ended).await;
            session.roll_back().await;
            memory
        };
        within(LOAD_TIMEOUT, "complete reading", load).await
    }

    async fn order(&self, order: &OrderId) -> Result<Known, LedgerError> {
        let read = async {
            let mut session = self.engine.begin(Access::Read).await?;
            let found = load::one_order(session.as_mut(), order).await;
            session.roll_back().await;
            found
        };
        within(COMMIT_TIMEOUT, "order", read).await
    }

    async fn letter(&self, id: &str) -> Result<Option<DeadLetter>, LedgerError> {
        let read = async {
            let mut session = self.engine.begin(Access::Read).await?;
            let found = load::one_letter(session.as_mut(), id).await;
            session.roll_back().await;
            found
        };
        within(COMMIT_TIMEOUT, "dead letter", read).await
    }

    async fn history(&self, market: &MarketId, token: &TokenId) -> Result<History, LedgerError> {
        let read = async {
            let mut session = self.engine.begin(Access::Read).await?;
            let found = load::history(session.as_mut(), market, token).await;
            session.roll_back().await;
            found
        };
        within(HISTORY_TIMEOUT, "history of a token", read).await
    }

    async fn count_orders(&self) -> Result<Counted, LedgerError> {
        let read = async {
            let mut session = self.engine.begin(Access::Read).await?;
            let counted = count::now(session.as_mut()).await;
            session.roll_back().await;
            counted
        };
        within(LOAD_TIMEOUT, "count of the orders", read).await
    }

    async fn lease(&self, holder: &str, ttl: Duration) -> Result<Lease, LedgerError> {
        within(COMMIT_TIMEOUT, "answer about the lease", again(|| self.take_lease(holder, ttl))).await
    }

    async fn release_lease(&self) -> Result<(), LedgerError> {
        within(COMMIT_TIMEOUT, "end of the lease", self.give_lease_up()).await
    }

    async fn close(&self) {
        self.engine.close().await;
    }
}

/// Begins work again for as long as it only met another's.
async fn again<T, W: Future<Output = Result<T, LedgerError>>>(work: impl Fn() -> W) -> Result<T, LedgerError> {
    for _ in 1..RACES {
        match work().await {
            Err(LedgerError::Busy(reason)) => tracing::debug!(reason, "met another writer of the ledger"),
            done => return done,
        }
    }
    work().await
}

/// Bounds a wait. What is given up halfway closes its connection.
async fn within<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T, LedgerError>>,
) -> Result<T, LedgerError> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(LedgerError::Unavailable(format!("no {what} within {limit:?}"))))
}

pub(super) async fn run(
    session: &mut dyn Session,
    sql: impl SqlSafeStr,
    values: Vec<Value>,
) -> Result<u64, LedgerError> {
    session.run(sql.into_sql_str(), values).await
}

pub(super) async fn rows(
    session: &mut dyn Session,
    sql: impl SqlSafeStr,
    values: Vec<Value>,
) -> Result<Vec<Row>, LedgerError> {
    session.rows(sql.into_sql_str(), values).await
}
