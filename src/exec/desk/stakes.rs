//! What is at stake, kept up to date: the gate is asked twice for each order, and most others have not changed since.

use std::collections::{HashMap, HashSet};

use super::{Desk, Key};
use crate::domain::{FeeSchedule, Market, MarketId, TokenId};
use crate::risk::{Commitment, Holdings, PositionStake};

/// The holdings, and what of them stands for which order.
#[derive(Debug, Default)]
pub(super) struct Stakes {
    holdings: Holdings,
    counted: HashMap<Key, Commitment>,
    positions: HashMap<TokenId, PositionStake>,
    /// Of which the position has changed since it was counted.
    moved: HashSet<TokenId>,
    /// Nothing but touched orders and moved positions has changed since they were counted.
    fresh: bool,
}

impl Stakes {
    /// A position has changed.
    pub(super) fn moved(&mut self, token: &TokenId) {
        if !self.moved.contains(token) {
            self.moved.insert(token.clone());
        }
    }

    /// Many positions or fees have changed: everything is counted anew when it is needed.
    pub(super) const fn stale(&mut self) {
        self.fresh = false;
    }

    fn set(&mut self, key: &Key, commitment: Option<Commitment>) {
        if self.counted.get(key) == commitment.as_ref() {
            return;
        }
        if let Some(before) = self.counted.remove(key) {
            let counted = self.holdings.release(&before);
            debug_assert!(counted, "{before:?}");
        }
        if let Some(commitment) = commitment {
            self.counted.insert(key.clone(), commitment.clone());
            self.holdings.commit(commitment);
        }
    }
}

impl Stakes {
    fn set_position(&mut self, token: &TokenId, stake: Option<PositionStake>) {
        if self.positions.get(token) == stake.as_ref() {
            return;
        }
        if let Some(before) = self.positions.remove(token) {
            self.holdings.remove_stake(&before);
        }
        if let Some(stake) = stake {
            self.holdings.add_stake(&stake);
            self.positions.insert(token.clone(), stake);
        }
    }
}

impl Desk {
    /// What is at stake without one order, from what is kept: to be handed back with [`Self::give_back`].
    pub(super) fn take_holdings(&mut self, without: Option<&Key>) -> Holdings {
        let touched = self.orders.take_touched();
        if self.stakes.fresh {
            for token in std::mem::take(&mut self.stakes.moved) {
                let stake = self.portfolio.stake(&token);
                self.stakes.set_position(&token, stake);
            }
            for key in &touched {
                let commitment = self.commitment(key);
                self.stakes.set(key, commitment);
            }
        } else {
            self.stakes = self.count_stakes();
        }
        if let Some(key) = without {
            self.stakes.set(key, None);
            self.orders.touch(key);
        }
        debug_assert_eq!(self.stakes.holdings, self.holdings(without), "what is kept is what is so");
        std::mem::take(&mut self.stakes.holdings)
    }

    /// Hands back what [`Self::take_holdings`] gave.
    pub(super) fn give_back(&mut self, holdings: Holdings) {
        self.stakes.holdings = holdings;
    }

    /// What is at stake, without one order, counted anew.
    pub(super) fn holdings(&self, without: Option<&Key>) -> Holdings {
        let mut holdings = Holdings::new();
        self.portfolio.stakes().for_each(|stake| holdings.add_stake(&stake));
        for commitment in self.at_stake().filter(|key| Some(*key) != without).filter_map(|key| self.commitment(key)) {
            holdings.commit(commitment);
        }
        holdings
    }

    fn count_stakes(&self) -> Stakes {
        let mut stakes = Stakes { fresh: true, ..Stakes::default() };
        for stake in self.portfolio.stakes() {
            stakes.set_position(&stake.token().clone(), Some(stake));
        }
        for key in self.at_stake() {
            stakes.set(key, self.commitment(key));
        }
        stakes
    }

    /// What of an order is at stake and in no position.
    pub(super) fn commitment(&self, key: &Key) -> Option<Commitment> {
        let order = &self.orders.get(key)?.row.order;
        let fees = self.fees_of(&order.intent.market);
        if let Some(risen) = self.risen.get(key) {
            let shares = (order.intent.size.max(order.matched) - order.traded).max(risen.open);
            return Some(Commitment::of(&order.intent, shares, true, fees));
        }
        Commitment::of_order(order, fees)
    }

    /// Every order of which something may be at stake that no position shows, once each.
    pub(super) fn at_stake(&self) -> impl Iterator<Item = &Key> {
        let ended = self.risen.keys().chain(self.untraded.keys().filter(|key| !self.risen.contains_key(*key)));
        self.active.iter().chain(ended.filter(|key| !self.active.contains(key)))
    }

    /// What a market charges; the most that any does while it is not known.
    pub(super) fn fees_of(&self, market: &MarketId) -> FeeSchedule {
        self.markets.get(market).map_or(FeeSchedule::DEAREST, |market| market.fee)
    }

    /// Keeps a market's description.
    pub(super) fn put_market(&mut self, market: Market) {
        if self.fees_of(&market.market) != market.fee {
            self.stakes.stale();
        }
        self.markets.insert(market.market.clone(), market);
    }
}
