//! Bounds of the portfolio: what is settled for good and long past is kept as sums. Pure.
//!
//! Three stages. A token is *at work* while something of it is held and not resolved to nothing, or not settled: only these are
//! walked for each order. Its fills are *folded up* once they are settled and older than every list that the venue is asked for: a sum
//! stands for them. It is *retired* once nothing of it can change: it adds to one sum, and nothing else is left of it.
//!
//! Invariant: all figures are those of a fold from scratch. What would change a sum (a late trade, a settlement that is taken
//! back) is held back until the ledger has told the token's whole history, and the token is folded anew from there. So a fill
//! is never booked twice, however late it is told again.

use std::time::Duration;

use super::token::Token;
use super::{Leg, Portfolio, differ, join, journals};
use crate::domain::{Checkpoint, Fill, Holding, Price, Retired, Timestamp, TokenId};
use crate::store::ledger::History;

/// How long a position is kept after its market has ended when it is flat or worthless. One that is worth something is kept until it
/// was redeemed: what is paid out for it is told by nobody.
const SHOWN_ENDED: Duration = Duration::from_hours(24);
/// How long after its close a market that was never resolved in our hearing counts as ended.
const CLOSED_FOR_GOOD: Duration = Duration::from_hours(7 * 24);

impl Portfolio {
    /// As a checkpoint tells it; what came after it is to be restored on top.
    #[must_use]
    pub fn from_checkpoint(checkpoint: &Checkpoint) -> Self {
        let mut portfolio = Self {
            tokens: checkpoint.tokens.iter().map(|folded| (folded.token.clone(), Token::of(folded))).collect(),
            at_work: checkpoint.tokens.iter().map(|folded| folded.token.clone()).collect(),
            retired: checkpoint.retired,
            folded_to: checkpoint.to,
            cash: checkpoint.cash,
            opened_at: checkpoint.opened_at,
            count: checkpoint.fills,
            newest: checkpoint.to,
            ..Self::default()
        };
        checkpoint.tokens.iter().for_each(|folded| portfolio.settle(&folded.token));
        portfolio
    }

    /// What is folded up. Of orders it says nothing.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let corrected = self.cash_corrected.iter().map(|(_, moved)| *moved);
        let moved_since = corrected.chain(self.tokens.values().map(Token::unfolded_cash)).sum();
        Checkpoint {
            to: self.folded_to,
            fills: self.folded_fills(),
            cash: self.cash - moved_since,
            opened_at: self.opened_at.filter(|at| *at < self.folded_to),
            retired: self.retired,
            tokens: self.tokens.iter().map(|(id, token)| token.folded(id)).collect(),
            counted: None,
        }
    }

    /// How many fills are folded up.
    #[must_use]
    pub fn folded_fills(&self) -> u64 {
        self.count - self.tokens.values().map(|token| token.fills.len() as u64).sum::<u64>()
    }

    /// What was matched before this is folded up.
    pub(super) fn folded_to(&self, token: &TokenId) -> Timestamp {
        self.tokens.get(token).map_or(self.folded_to, |known| known.to)
    }

    /// Tokens at work.
    pub(super) fn working(&self) -> impl Iterator<Item = (&TokenId, &Token)> {
        self.at_work.iter().filter_map(|id| self.tokens.get_key_value(id))
    }

    /// Something about a token is going to change.
    pub(super) fn wake(&mut self, id: &TokenId) {
        if !self.at_work.insert(id.clone()) {
            return;
        }
        if let Some(token) = self.tokens.get(id) {
            self.resting -= self.worth(id, &token.holding(id));
        }
    }

    /// Something about a token has changed.
    pub(super) fn settle(&mut self, id: &TokenId) {
        let Some(token) = self.tokens.get(id).filter(|token| token.is_settled()) else { return };
        let holding = token.holding(id);
        let worth = |payout: &Price| !payout.notional(holding.shares).is_zero();
        let fixed = holding.shares.is_zero() || self.payouts.get(id).is_some_and(|payout| !worth(payout));
        if fixed && self.at_work.remove(id) {
            self.resting += self.worth(id, &holding);
        }
    }

    fn worth(&self, id: &TokenId, holding: &Holding) -> Retired {
        Retired::of(holding, self.payouts.get(id).copied())
    }

    /// Folds up what was matched before `horizon`, before which every trade must be in the books, and was settled before it: what is news
    /// since may still be missing in the balances that the venue shows.
    pub fn fold_up(&mut self, horizon: Timestamp) {
        if horizon <= self.folded_to {
            return;
        }
        self.folded_to = horizon;
        self.cash_corrected.retain(|(at, _)| *at >= horizon);
        let changed_at = &self.changed_at;
        let is_news = |leg: &Leg| changed_at.get(leg).is_some_and(|(_, at)| *at >= horizon);
        for token in self.tokens.values_mut() {
            for leg in token.fold_up(horizon, is_news) {
                self.conflicts.remove(&leg);
            }
        }
    }

    /// Lets go of tokens of which nothing can change any more.
    pub fn retire(&mut self, now: Timestamp) {
        let over: Vec<TokenId> = self.tokens.keys().filter(|id| self.is_over(id, now)).cloned().collect();
        for id in over {
            let Some(token) = self.tokens.remove(&id) else { continue };
            let worth = self.worth(&id, &token.holding(&id));
            self.resting -= worth;
            self.retired += worth;
            self.forget_token(&id);
            self.unsaved.remove(&id);
            self.dirty.remove(&id);
        }
    }

    fn is_over(&self, id: &TokenId, now: Timestamp) -> bool {
        let Some(token) = self.tokens.get(id).filter(|token| token.is_folded()) else {
            return false;
        };
        let holding = token.holding(id);
        let closed_at = self.closes.get(id).copied().unwrap_or(holding.touched_at);
        let ended =
            self.payouts.contains_key(id) || (self.closes.contains_key(id) && now.since(closed_at) > CLOSED_FOR_GOOD);
        ended && !self.at_work.contains(id) && now.since(closed_at.max(holding.touched_at)) > SHOWN_ENDED
    }

    /// Whether a fill may be among those that are folded up, or change their sum: then it must not be applied before the ledger
    /// was asked for the history of its token.
    #[must_use]
    pub fn must_ask(&self, fill: &Fill, now: Timestamp) -> bool {
        let leg: Leg = (fill.order.clone(), fill.trade.clone());
        match self.tokens.get(&fill.token) {
            Some(known) => fill.matched_at < known.to && !known.fills.contains_key(&leg),
            None => fill.matched_at < self.folded_to || (self.retired.tokens > 0 && !self.is_open(&fill.token, now)),
        }
    }

    /// Whether the token's market is known and trades: then it is not retired.
    fn is_open(&self, token: &TokenId, now: Timestamp) -> bool {
        let closed = self.closes.get(token).is_some_and(|closes_at| *closes_at <= now);
        self.names.contains_key(token) && !self.payouts.contains_key(token) && !closed
    }

    /// The ledger has told a token's history because of a fill. Unfolds the token, unless the fill is known and says nothing new: gives
    /// whether it is to be applied.
    pub fn reopen(&mut self, seen: &Fill, history: &History, now: Timestamp) -> bool {
        if history.fill(seen).is_some_and(|known| !differ(known, seen) && join(known, seen) == *known) {
            return false;
        }
        let id = &seen.token;
        if let Some(market) = &history.market {
            if !self.names.contains_key(id) {
                self.on_market(market, now);
            }
            if let Some(payout) = market.payout_of(id).filter(|_| !self.tokens.contains_key(id)) {
                // The first result stands; who was retired had forgotten it.
                self.payouts.insert(id.clone(), payout);
            }
        }
        self.wake(id);
        let before = self.tokens.remove(id);
        let mut token = Token::new(&seen.market, Timestamp::default());
        let later = before.iter().flat_map(|before| before.fills.values());
        for fill in history.fills.iter().chain(later) {
            let leg: Leg = (fill.order.clone(), fill.trade.clone());
            let known = token.fills.get(&leg);
            let after = known.map_or_else(|| fill.clone(), |known| join(known, fill));
            let journal = journals::of_fill(known, &after);
            token.take(&leg, after, journal);
        }
        let later = before.iter().flat_map(Token::corrections);
        history.corrections.iter().chain(later).for_each(|journal| token.book(journal.clone()));
        let was_retired = before.is_none() && (!history.fills.is_empty() || !history.corrections.is_empty());
        if was_retired {
            self.retired -= self.worth(id, &token.holding(id));
        }
        self.tokens.insert(id.clone(), token);
        self.settle(id);
        true
    }
}
