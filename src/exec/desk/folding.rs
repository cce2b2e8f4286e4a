//! Folding up what is settled for good, and what is told of it all the same.

use std::collections::BTreeMap;
use std::time::Duration;

use super::reconcile::OVERLAP_AT_START;
use super::{Desk, Effect, Step};
use crate::domain::{Checkpoint, Counted, MarketId, OrderCounts, Timestamp, TokenId};
use crate::exec::portfolio::Portfolio;
use crate::exec::venue::VenueFill;
use crate::store::ledger::{History, LedgerError, Write};

/// How often fills are folded up.
const EVERY: Duration = Duration::from_mins(1);
/// A checkpoint is written whenever so many fills more are folded up, or so many orders more were made, and at the turn of the UTC day.
pub(super) const CHECKPOINT_FILLS: u64 = 5_000;
pub(super) const CHECKPOINT_ORDERS: u64 = 10_000;
/// Fills that wait for the ledger to tell of their tokens; more are told to a person instead.
const HELD_BACK: usize = 10_000;

/// How far folding has come, and what waits because of it.
#[derive(Debug, Default)]
pub(super) struct Folding {
    last: Timestamp,
    /// Where the last checkpoint ends, and how many fills are in it.
    written: (Timestamp, u64),
    /// Counters of orders as the ledger told them last: never our own, of which the ledger may still refuse some.
    counted: Counted,
    /// How many orders the last checkpoint counts.
    orders: u64,
    /// The ledger is asked for the counters of the next one.
    counting: bool,
    /// Something is missing in the ledger: what is in memory is not what a start would read.
    stopped: bool,
    waiting: BTreeMap<TokenId, Waiting>,
}

/// Fills of one token that may be folded up already.
#[derive(Debug)]
struct Waiting {
    market: MarketId,
    fills: Vec<VenueFill>,
    asking: bool,
}

impl Folding {
    /// Goes on after a checkpoint.
    pub(super) fn after(checkpoint: Option<&Checkpoint>, counted: Counted) -> Self {
        let written = checkpoint.map_or_else(Default::default, |checkpoint| (checkpoint.to, checkpoint.fills));
        let orders = checkpoint.and_then(|checkpoint| checkpoint.counted).map_or(0, |counted| made(counted.orders));
        Self { written, counted, orders, ..Self::default() }
    }

    /// The ledger will never have what is in memory: no checkpoint may say otherwise.
    pub(super) const fn stop(&mut self) {
        self.stopped = true;
    }
}

/// Orders of ours that came as far as the gate.
const fn made(orders: OrderCounts) -> u64 {
    orders.sent + orders.denied
}

/// How far the venue's trades are known to be complete at a start. A checkpoint holds only what came before every list that was asked
/// for: from its end on they are asked for again.
pub(super) fn listed_to(portfolio: &Portfolio, checkpoint: Option<&Checkpoint>) -> Timestamp {
    let folded = checkpoint.map(|checkpoint| checkpoint.to.plus(OVERLAP_AT_START));
    portfolio.traded_to().max(folded.unwrap_or_default())
}

impl Desk {
    /// Folds up what no list will show again, lets go of what is over, and writes a checkpoint when that is due.
    pub(super) fn fold_up(&mut self, now: Timestamp, step: &mut Step) {
        // What the ledger has not taken may still be refused, and until the account is taken over its old trades are asked for.
        let waits = self.folding.stopped || self.health.ledger.is_some() || !self.is_opened();
        if waits || now.since(self.folding.last) < EVERY {
            return;
        }
        self.folding.last = now;
        let horizon = self.reconcile.never_before();
        self.portfolio.fold_up(horizon);
        self.portfolio.retire(now);
        self.stakes.stale();
        let (to, fills) = self.folding.written;
        let folded = self.portfolio.folded_fills();
        let another_day = to.utc_day() < horizon.utc_day() && folded != 0;
        let many = folded >= fills + CHECKPOINT_FILLS || made(self.counts) >= self.folding.orders + CHECKPOINT_ORDERS;
        if (another_day || many) && !std::mem::replace(&mut self.folding.counting, true) {
            step.urgent.push(Effect::CountOrders);
        }
    }

    /// The ledger has counted its orders: the checkpoint that waits for that is written. When it has not, the next look asks again.
    pub(in crate::exec) fn on_counted(&mut self, result: Result<Counted, LedgerError>, now: Timestamp) -> Step {
        let mut step = Step::default();
        self.folding.counting = false;
        match result {
            Ok(counted) if !self.folding.stopped => {
                self.folding.counted = counted;
                self.write_checkpoint(now, &mut step);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the ledger does not count its orders, asking again"),
        }
        step
    }

    pub(super) fn write_checkpoint(&mut self, now: Timestamp, step: &mut Step) {
        let counted = self.folding.counted;
        let checkpoint = Checkpoint { counted: Some(counted), ..self.portfolio.checkpoint() };
        self.folding.written = (checkpoint.to, checkpoint.fills);
        self.folding.orders = made(counted.orders);
        step.writes.push(Write::Checkpoint { checkpoint: Box::new(checkpoint), at: now });
    }

    /// A fill that may be folded up waits, with all that follows from it, until the ledger has told.
    pub(super) fn hold_back(&mut self, seen: &VenueFill, now: Timestamp, step: &mut Step) {
        let held: usize = self.folding.waiting.values().map(|waiting| waiting.fills.len()).sum();
        if held >= HELD_BACK {
            let detail =
                format!("trade {} of order {} is old, and too many are looked up already", seen.trade, seen.order);
            return self.mismatch("fill", detail, now, step);
        }
        let waiting = self.folding.waiting.entry(seen.token.clone());
        let new = || Waiting { market: seen.market.clone(), fills: Vec::new(), asking: false };
        let waiting = waiting.or_insert_with(new);
        if !waiting.fills.contains(seen) {
            waiting.fills.push(seen.clone());
        }
        self.ask_again(step);
    }

    /// Asks for what was not answered.
    pub(super) fn ask_again(&mut self, step: &mut Step) {
        for (token, waiting) in self.folding.waiting.iter_mut().filter(|(_, waiting)| !waiting.asking) {
            waiting.asking = true;
            step.urgent.push(Effect::History { market: waiting.market.clone(), token: token.clone() });
        }
    }

    /// The ledger has told of a token.
    pub(in crate::exec) fn on_history(
        &mut self,
        token: &TokenId,
        result: Result<History, LedgerError>,
        now: Timestamp,
    ) -> Step {
        let mut step = Step::default();
        let history = match result {
            Ok(history) => history,
            Err(error) => {
                tracing::warn!(%error, %token, "the ledger does not tell what was traded, asking again");
                if let Some(waiting) = self.folding.waiting.get_mut(token) {
                    waiting.asking = false;
                }
                return step;
            }
        };
        let Some(waiting) = self.folding.waiting.remove(token) else { return step };
        let mut unfolded = false;
        for seen in &waiting.fills {
            let fill = self.fill_of(seen);
            if self.portfolio.must_ask(&fill, now) {
                let is_past = history.fill(&fill).is_none() && self.is_past(&fill, now);
                if is_past || !self.portfolio.reopen(&fill, &history, now) {
                    continue;
                }
                self.stakes.stale();
                let traded = !history.fills.is_empty() || !history.corrections.is_empty();
                unfolded |= traded || fill.matched_at < self.folding.written.0;
            }
            self.fill(seen, now, &mut step);
        }
        if unfolded {
            // The one before tells another sum: they are durable together.
            self.write_checkpoint(now, &mut step);
        }
        step
    }
}
