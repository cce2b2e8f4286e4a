//! Commits beside the loop, in the order in which they were decided: what has gathered while a commit was under way goes
//! together into the next one, so that under load one fsync serves many batches. News that nothing but its telling waits for
//! lingers a moment for company, so that an order is seldom held up behind the commit of what an earlier one led to. While the ledger is away
//! everything waits in its place and the loop goes on: cancels, the kill and what was heard need no ledger.
//!
//! A batch of thousands of writes, which a list of the venue may bring, is cut where its maker allows it: each commit is small enough to
//! end in time on a ledger that is far away, and the next try begins behind what is durable already. What is to follow, the
//! acknowledgement above all, follows the last piece.
//!
//! Bounded: when [`Scribe::is_full`], the loop stops listening to the account's events and to answers. The adapter's socket then
//! breaks off by its own bound, and what was missed is asked for again once the ledger is back: the venue is the authority.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::super::desk::{Effect, pieces};
use super::commands::Reply;
use super::passage;
use crate::bus::Entry;
use crate::domain::Ack;
use crate::failpoint;
use crate::store::ledger::{Ledger, LedgerError, Write};

const AGAIN: Duration = Duration::from_millis(500);
/// Batches that become durable together at most.
const TOGETHER: usize = 64;
/// Writes that become durable together at most, unless one batch that may not be cut has more. It is what the store takes in one
/// exchange.
const WRITES: usize = 512;
/// How long news may wait for company.
const LINGER: Duration = Duration::from_millis(10);

/// What waits for the ledger.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// To be durable.
    pub(super) writes: Arc<Vec<Write>>,
    /// Where these may be cut in pieces.
    pub(super) cuts: Vec<usize>,
    /// To be done then.
    pub(super) after: Vec<Effect>,
    /// The stream entry that it came from.
    pub(super) entry: Option<Entry>,
    /// Who is to be told then.
    pub(super) reply: Option<(Reply, Ack)>,
}

impl Waiting {
    /// Whether somebody waits for more than the telling of it.
    fn is_pressing(&self) -> bool {
        let tells = |effect: &Effect| matches!(effect, Effect::Emit(_) | Effect::Ack(_) | Effect::DeadLetter(_));
        self.entry.is_some() || self.reply.is_some() || !self.after.iter().all(tells)
    }
}

/// What became of a batch.
#[derive(Debug)]
pub(super) enum Outcome {
    /// These are durable, in this order.
    Durable(Vec<Waiting>),
    /// The intent was taken by another run: nothing of the batch is there.
    Taken(Waiting, LedgerError),
    /// The ledger can never take this batch: it falls out, and those behind it go on.
    Refused(Waiting, LedgerError),
    /// Everything keeps its place and is tried again.
    Failed(LedgerError),
}

/// A commit of the oldest batches.
struct UnderWay {
    batches: usize,
    commit: BoxFuture<'static, Result<(), LedgerError>>,
}

pub(super) struct Scribe {
    ledger: Arc<dyn Ledger>,
    queue: VecDeque<Waiting>,
    under_way: Option<UnderWay>,
    /// One of the oldest so many was refused for itself: each is committed alone, so that only that one falls out.
    alone: usize,
    /// So many of the oldest were in a try that failed, and may be in the ledger all the same: the next try is of the same ones, so that
    /// the ledger knows it again.
    tried: usize,
    again_at: Option<Instant>,
    /// Until then what came since the last commit began may wait, as long as nothing presses.
    linger_until: Option<Instant>,
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
        let queue = VecDeque::new();
        Self { ledger, queue, under_way: None, alone: 0, tried: 0, again_at: None, linger_until: None, most }
    }

    /// Takes a batch in; gives it back at once when there is nothing to write and nothing before it.
    pub(super) fn push(&mut self, mut waiting: Waiting) -> Option<Waiting> {
        if waiting.writes.is_empty() && self.queue.is_empty() {
            return Some(waiting);
        }
        let idle = waiting.writes.is_empty() && waiting.after.is_empty() && waiting.reply.is_none();
        if !idle && !self.merge(&waiting) {
            if waiting.writes.len() > WRITES {
                let writes = Arc::unwrap_or_clone(std::mem::take(&mut waiting.writes));
                let mut pieces = pieces(writes, &waiting.cuts, WRITES);
                waiting.writes = Arc::new(pieces.pop().unwrap_or_default());
                let alone = |piece| Waiting { writes: Arc::new(piece), ..Waiting::default() };
                self.queue.extend(pieces.into_iter().map(alone));
            }
            self.queue.push_back(waiting);
            self.linger_until.get_or_insert_with(|| Instant::now() + LINGER);
        }
        None
    }

    /// Marks and the day's reference only count as they are now: of two batches of them that wait one behind the other, one
    /// is enough.
    fn merge(&mut self, waiting: &Waiting) -> bool {
        let only_values = |batch: &Waiting| {
            let value = |write: &Write| matches!(write, Write::Mark { .. } | Write::Day { .. } | Write::Equity { .. });
            batch.after.is_empty() && batch.reply.is_none() && batch.writes.iter().all(value)
        };
        if self.queue.len() <= self.under_way.as_ref().map_or(self.tried, |under_way| under_way.batches) {
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
                (Write::Equity { start: a, .. }, Write::Equity { start: b, .. }) => a == b,
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

    /// When the next commit is to begin; nothing for now, or when one is under way.
    fn begins_at(&self) -> Option<Instant> {
        if self.under_way.is_some() {
            return None;
        }
        let presses = || self.queue.len() >= TOGETHER || self.queue.iter().any(Waiting::is_pressing);
        self.again_at.or_else(|| self.linger_until.filter(|_| !presses()))
    }

    /// Commits what waits; pending while there is nothing. Cancel-safe.
    pub(super) async fn next(&mut self) -> Outcome {
        loop {
            if self.queue.is_empty() {
                return std::future::pending().await;
            }
            if let Some(at) = self.begins_at() {
                tokio::time::sleep_until(at).await;
            }
            let batches = match (self.alone, self.tried) {
                (0, 0) => together(&self.queue),
                (0, tried) => tried,
                (_, _) => 1,
            };
            let (ledger, queue, linger_until) = (&self.ledger, &self.queue, &mut self.linger_until);
            let under_way = self.under_way.get_or_insert_with(|| {
                *linger_until = None;
                begin(ledger, queue, batches)
            });
            let result = (&mut under_way.commit).await;
            let batches = under_way.batches;
            self.under_way = None;
            self.again_at = None;
            self.tried = 0;
            match result {
                Ok(()) => {
                    self.alone = self.alone.saturating_sub(batches);
                    return Outcome::Durable(self.queue.drain(..batches).collect());
                }
                Err(LedgerError::Duplicate { .. } | LedgerError::Refused { .. }) if batches > 1 => self.alone = batches,
                Err(error @ (LedgerError::Duplicate { .. } | LedgerError::Refused { .. })) => {
                    self.alone = self.alone.saturating_sub(1);
                    let taken = matches!(error, LedgerError::Duplicate { .. });
                    if let Some(refused) = self.queue.pop_front() {
                        return if taken { Outcome::Taken(refused, error) } else { Outcome::Refused(refused, error) };
                    }
                }
                Err(error) => {
                    self.tried = batches;
                    self.again_at = Some(Instant::now() + AGAIN);
                    return Outcome::Failed(error);
                }
            }
        }
    }
}

fn begin(ledger: &Arc<dyn Ledger>, queue: &VecDeque<Waiting>, batches: usize) -> UnderWay {
    let mut gathered = queue.iter().take(batches).map(|waiting| &waiting.writes);
    let writes = match (batches, gathered.next()) {
        (1, Some(only)) => Arc::clone(only),
        (_, first) => Arc::new(first.into_iter().chain(gathered).flat_map(|writes| writes.iter().cloned()).collect()),
    };
    UnderWay { batches, commit: Box::pin(commit(Arc::clone(ledger), writes)) }
}

/// How many of the oldest batches go together.
fn together(queue: &VecDeque<Waiting>) -> usize {
    let total = queue.iter().take(TOGETHER).scan(0, |total, waiting| {
        *total += waiting.writes.len();
        Some(*total)
    });
    total.take_while(|total| *total <= WRITES).count().max(1)
}

async fn commit(ledger: Arc<dyn Ledger>, writes: Arc<Vec<Write>>) -> Result<(), LedgerError> {
    if writes.is_empty() {
        return Ok(());
    }
    let committed = failpoint::during(|| passage::committing(&writes), ledger.commit(&writes)).await;
    failpoint::hit_any(|| committed.is_ok().then(|| passage::durable(&writes)).into_iter().flatten());
    committed
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use futures::FutureExt;

    use super::*;
    use crate::domain::{Counted, DeadLetter, MarketId, OrderId, Price, Timestamp, TokenId, Usd};
    use crate::store::ledger::{History, Known, Lease, Memory};

    /// Keeps what it is given, after as many failures as it is told.
    #[derive(Debug, Default)]
    pub(in crate::exec::hermes) struct Paper {
        failures: Mutex<u32>,
        kept: Mutex<Vec<Write>>,
        tries: Mutex<Vec<Vec<Write>>>,
    }

    #[async_trait]
    impl Ledger for Paper {
        async fn commit(&self, writes: &[Write]) -> Result<(), LedgerError> {
            self.tries.lock().expect("lock").push(writes.to_vec());
            let mut failures = self.failures.lock().expect("lock");
            if writes.len() > WRITES {
                // As a ledger that is far away.
                return Err(LedgerError::Unavailable("no commit in time".into()));
            }
            if *failures > 0 {
                *failures -= 1;
                return Err(LedgerError::Unavailable("scripted".into()));
            }
            self.kept.lock().expect("lock").extend_from_slice(writes);
            Ok(())
        }

        async fn load(&self, _: u32) -> Result<Memory, LedgerError> {
            Ok(Memory::default())
        }

        async fn order(&self, _: &OrderId) -> Result<Known, LedgerError> {
            Ok(Known::default())
        }

        async fn letter(&self, _: &str) -> Result<Option<DeadLetter>, LedgerError> {
            Ok(None)
        }

        async fn history(&self, _: &MarketId, _: &TokenId) -> Result<History, LedgerError> {
            Ok(History::default())
        }

        async fn count_orders(&self) -> Result<Counted, LedgerError> {
            Ok(Counted::default())
        }

        async fn lease(&self, _: &str, _: Duration) -> Result<Lease, LedgerError> {
            Ok(Lease::Ours { token: 1 })
        }

        async fn release_lease(&self) -> Result<(), LedgerError> {
            Ok(())
        }

        async fn close(&self) {}
    }

    fn mark(token: &str, at: i64) -> Write {
        Write::Mark { token: token.into(), price: Price(rust_decimal::dec!(0.5)), at: Timestamp::from_secs(at) }
    }

    fn meta(value: &str) -> Write {
        Write::Meta { key: "k", value: value.into() }
    }

    fn batch(writes: Vec<Write>) -> Waiting {
        Waiting { writes: Arc::new(writes), ..Waiting::default() }
    }

    #[tokio::test]
    async fn what_failed_keeps_its_place_and_what_has_nothing_to_write_keeps_its_own() {
        let paper = Arc::new(Paper { failures: Mutex::new(2), ..Paper::default() });
        let mut scribe = Scribe::new(paper.clone(), 10);
        assert!(scribe.push(batch(Vec::new())).is_some(), "done at once");
        assert!(scribe.push(batch(vec![meta("1")])).is_none());
        let then = Waiting { after: vec![Effect::Heartbeat], ..Waiting::default() };
        assert!(scribe.push(then).is_none(), "behind the first");
        assert!(scribe.push(batch(vec![meta("2")])).is_none());
        let (mut failed, mut effects) = (0, Vec::new());
        while !scribe.is_empty() {
            match scribe.next().await {
                Outcome::Durable(done) => effects.extend(done.iter().map(|waiting| waiting.after.len())),
                Outcome::Failed(_) => failed += 1,
                Outcome::Taken(..) | Outcome::Refused(..) => panic!("nothing was taken before, nothing is refused"),
            }
        }
        assert_eq!((failed, effects), (2, vec![0, 1, 0]));
        assert_eq!(*paper.kept.lock().expect("lock"), [meta("1"), meta("2")]);
    }

    #[tokio::test]
    async fn a_try_of_unknown_outcome_is_repeated_as_it_was() {
        let paper = Arc::new(Paper { failures: Mutex::new(1), ..Paper::default() });
        let mut scribe = Scribe::new(paper.clone(), 10);
        scribe.push(batch(vec![mark("a", 1)]));
        scribe.push(Waiting { after: vec![Effect::Heartbeat], ..Waiting::default() });
        scribe.push(batch(vec![mark("b", 1)]));
        assert!(matches!(scribe.next().await, Outcome::Failed(_)));
        scribe.push(batch(vec![mark("b", 2)]));
        scribe.push(batch(vec![meta("later")]));
        let Outcome::Durable(done) = scribe.next().await else { panic!("durable") };
        assert_eq!(done.len(), 3, "what came since waits");
        let tries = paper.tries.lock().expect("lock").clone();
        assert_eq!(tries, [[mark("a", 1), mark("b", 1)], [mark("a", 1), mark("b", 1)]]);
        let Outcome::Durable(done) = scribe.next().await else { panic!("durable") };
        assert_eq!(done.iter().map(|batch| batch.writes.len()).sum::<usize>(), 2, "then that, together");
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_in_the_middle_goes_on_where_it_was() {
        let mut scribe = Scribe::new(Arc::new(Paper { failures: Mutex::new(1), ..Paper::default() }), 10);
        scribe.push(batch(vec![meta("1")]));
        assert!(matches!(scribe.next().await, Outcome::Failed(_)));
        let given_up = tokio::time::timeout(Duration::from_millis(1), scribe.next()).await;
        assert!(given_up.is_err(), "it pauses after a failure");
        assert!(matches!(scribe.next().await, Outcome::Durable(_)));
    }

    #[tokio::test]
    async fn news_lingers_for_company_and_goes_at_once_with_what_presses() {
        let mut scribe = Scribe::new(Arc::new(Paper::default()), 10);
        scribe.push(batch(vec![meta("1")]));
        assert!(scribe.next().now_or_never().is_none(), "it may wait");
        let pressing = Waiting { after: vec![Effect::Post(("a".into(), 1))], ..batch(vec![meta("2")]) };
        scribe.push(pressing);
        let done = scribe.next().now_or_never();
        assert!(matches!(done, Some(Outcome::Durable(done)) if done.len() == 2), "together, at once");
        scribe.push(batch(vec![meta("3")]));
        assert!(matches!(scribe.next().await, Outcome::Durable(done) if done.len() == 1), "alone in the end");
    }

    #[tokio::test]
    async fn a_batch_of_many_thousand_writes_becomes_durable_in_pieces_and_what_follows_follows_the_last() {
        let paper = Arc::new(Paper { failures: Mutex::new(3), ..Paper::default() });
        let mut scribe = Scribe::new(paper.clone(), 4_096);
        let number = |n: usize| meta(&n.to_string());
        scribe.push(batch(vec![number(0)]));
        let writes: Vec<Write> = (1..50_000).map(number).collect();
        let cuts = (3..writes.len()).step_by(3).collect();
        let many = Waiting { writes: Arc::new(writes), cuts, after: vec![Effect::Heartbeat], ..Waiting::default() };
        scribe.push(many);
        scribe.push(batch(vec![number(50_000)]));
        let (mut failed, mut followed_at) = (0, Vec::new());
        while !scribe.is_empty() {
            match scribe.next().await {
                Outcome::Durable(done) if done.iter().any(|batch| !batch.after.is_empty()) => {
                    followed_at.push(paper.kept.lock().expect("lock").len());
                }
                Outcome::Durable(_) => {}
                Outcome::Failed(error) => {
                    failed += 1;
                    assert!(failed <= 3, "{error}");
                }
                Outcome::Taken(..) | Outcome::Refused(..) => panic!("nothing was taken before, nothing is refused"),
            }
        }
        let kept = paper.kept.lock().expect("lock");
        assert_eq!(kept.len(), 50_001);
        assert!(kept.iter().enumerate().all(|(n, write)| *write == number(n)), "in their order");
        assert!(matches!(followed_at[..], [50_000 | 50_001]), "{followed_at:?}");
    }

    #[test]
    fn marks_that_wait_take_the_room_of_one_batch_and_the_newest_counts() {
        let mut scribe = Scribe::new(Arc::new(Paper::default()), 3);
        scribe.push(batch(vec![meta("under way")]));
        for at in 0..100 {
            let day = Write::Day { day: 1, start: Usd::ZERO, peak: Usd::ZERO };
            scribe.push(batch(vec![mark("a", at), day]));
            scribe.push(batch(vec![mark("b", at)]));
        }
        assert_eq!(scribe.len(), 2);
        let last = &scribe.queue[1].writes;
        assert_eq!(last.len(), 3);
        assert!(last.contains(&mark("a", 99)) && last.contains(&mark("b", 99)));
        scribe.push(batch(vec![meta("2")]));
        assert!(scribe.is_full());
        scribe.push(batch(vec![mark("a", 100)]));
        assert_eq!(scribe.len(), 4, "not before what came between");
    }
}
