//! Commits beside the loop: one batch after the other, in the order in which they were decided. While the ledger is away
//! everything waits in its place and the loop goes on: cancels, the kill and what was heard need no ledger.
//!
//! Bounded: when [`Scribe::is_full`], the loop stops listening to the account's events and to answers. The adapter's socket then
//! breaks off by its own bound, and what was missed is asked for again once the ledger is back: the venue is the authority.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::desk::Effect;
use super::passage;
use crate::bus::Entry;
use crate::domain::Ack;
use crate::failpoint;
use crate::store::ledger::{Ledger, LedgerError, Write};

const AGAIN: Duration = Duration::from_millis(500);

/// What waits for the ledger.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// To be durable.
    pub(super) writes: Arc<Vec<Write>>,
    /// To be done then.
    pub(super) after: Vec<Effect>,
    /// The stream entry that it came from.
    pub(super) entry: Option<Entry>,
    /// Who is to be told then.
    pub(super) reply: Option<(oneshot::Sender<Ack>, Ack)>,
}

/// What became of a batch.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is durable.
    Durable(Waiting),
    /// The intent was taken by another run: nothing of the batch is there.
    Taken(Waiting, LedgerError),
    /// It keeps its place and is tried again.
    Failed(LedgerError),
}

pub(super) struct Scribe {
    ledger: Arc<dyn Ledger>,
    queue: VecDeque<Waiting>,
    under_way: Option<BoxFuture<'static, Result<(), LedgerError>>>,
    again_at: Option<Instant>,
    most: usize,
}

impl fmt::Debug for Scribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scribe").field("waiting", &self.queue.len()).finish_non_exhaustive()
    }
}

impl Scribe {
    /// At most about `most` batches wait.
    pub(super) fn new(ledger: Arc<dyn Ledger>, most: usize) -> Self {
        Self { ledger, queue: VecDeque::new(), under_way: None, again_at: None, most }
    }

    /// Takes a batch in; gives it back at once when there is nothing to write and nothing before it.
    pub(super) fn push(&mut self, waiting: Waiting) -> Option<Waiting> {
        if waiting.writes.is_empty() && self.queue.is_empty() {
            return Some(waiting);
        }
        let idle = waiting.writes.is_empty() && waiting.after.is_empty() && waiting.reply.is_none();
        if !idle && !self.merge(&waiting) {
            self.queue.push_back(waiting);
        }
        None
    }

    /// Marks and the day's reference only count as they are now: of two batches of them that wait one behind the other, one
    /// is enough.
    fn merge(&mut self, waiting: &Waiting) -> bool {
        let only_values = |batch: &Waiting| {
            let value = |write: &Write| matches!(write, Write::Mark { .. } | Write::Day { .. });
            batch.after.is_empty() && batch.reply.is_none() && batch.writes.iter().all(value)
        };
        // The oldest is under way.
        if self.queue.len() < 2 {
            return false;
        }
        let Some(last) = self.queue.back_mut() else { return false };
        if !only_values(last) || !only_values(waiting) {
            return false;
        }
        let newer = |known: &Write| {
            !waiting.writes.iter().any(|write| match (known, write) {
                (Write::Mark { token: a, .. }, Write::Mark { token: b, .. }) => a == b,
                (Write::Day { day: a, .. }, Write::Day { day: b, .. }) => a == b,
                _ => false,
            })
        };
        let kept = last.writes.iter().filter(|known| newer(known)).cloned();
        last.writes = Arc::new(kept.chain(waiting.writes.iter().cloned()).collect());
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether no more news should be taken in.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= self.most
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Commits the oldest batch; pending while there is none. Cancel-safe.
    pub(super) async fn next(&mut self) -> Outcome {
        let Some(oldest) = self.queue.front() else { return std::future::pending().await };
        if let Some(at) = self.again_at {
            tokio::time::sleep_until(at).await;
        }
        let ledger = &self.ledger;
        let under_way =
            self.under_way.get_or_insert_with(|| Box::pin(commit(Arc::clone(ledger), oldest.writes.clone())));
        let result = under_way.await;
        self.under_way = None;
        self.again_at = None;
        match (result, self.queue.pop_front()) {
            (Ok(()), Some(done)) => Outcome::Durable(done),
            (Err(error @ LedgerError::Duplicate { .. }), Some(refused)) => Outcome::Taken(refused, error),
            (Err(error), kept) => {
                if let Some(kept) = kept {
                    self.queue.push_front(kept);
                }
                self.again_at = Some(Instant::now() + AGAIN);
                Outcome::Failed(error)
            }
            (Ok(()), None) => std::future::pending().await,
        }
    }
}

async fn commit(ledger: Arc<dyn Ledger>, writes: Arc<Vec<Write>>) -> Result<(), LedgerError> {
    if writes.is_empty() {
        return Ok(());
    }
    let committed = failpoint::during(|| passage::committing(&writes), ledger.commit(&writes)).await;
    failpoint::hit_some(|| committed.as_ref().ok().and_then(|()| passage::durable(&writes)));
    committed
}
