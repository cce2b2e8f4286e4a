//! The life of a market: listed, closed, resolved, forgotten.

use std::sync::Arc;

use super::book::OrderBook;
use super::event::ExchangeEvent;
use super::order::CancelReason;
use super::state::{Listing, State};
use super::units::{cost_floor, micros};
use crate::domain::{Market, MarketId, Price, Timestamp, TokenId};
use crate::sim::faults::MarketFault;

impl State {
    /// Opens a market, or replaces the description of one that is open.
    pub(super) fn list(&mut self, market: Market, now: Timestamp) {
        let market = Arc::new(market);
        for (index, outcome) in market.tokens.iter().enumerate() {
            self.tokens.insert(outcome.token.clone(), (market.market.clone(), index));
        }
        let fresh =
            || Listing { market: Arc::clone(&market), book: OrderBook::default(), last: [None, None], changed_at: now };
        self.markets.entry(market.market.clone()).or_insert_with(fresh).market = Arc::clone(&market);
        self.tell(ExchangeEvent::Listed(market, now));
    }

    /// Takes no more orders and cancels what rests.
    pub(super) fn close(&mut self, market: &MarketId, now: Timestamp) {
        let Some(listing) = self.markets.get_mut(market) else { return };
        listing.market = Arc::new(Market { accepting_orders: false, ..Market::clone(&listing.market) });
        let ids = listing.book.ids();
        self.end(&ids, CancelReason::MarketResolved, now);
    }

    /// Gives a market another price grid. What rests stays, on the old grid or not.
    pub(super) fn change_tick(&mut self, market: &MarketId, tick: Price, now: Timestamp) {
        let Some(listing) = self.markets.get_mut(market) else { return };
        let old = listing.market.tick_size;
        listing.market = Arc::new(Market { tick_size: tick, ..Market::clone(&listing.market) });
        listing.changed_at = now;
        let market = Arc::clone(&listing.market);
        self.tell(ExchangeEvent::TickSize { market, old, at: now });
    }

    /// Does to the market of an order that was accepted what the faults say.
    pub(super) fn disturb(&mut self, token: &TokenId, now: Timestamp) {
        let Some((market, _)) = self.tokens.get(token).cloned() else { return };
        let Some(tick) = self.markets.get(&market).map(|listing| listing.market.tick_size) else { return };
        match self.faults.market(tick, now) {
            Some(MarketFault::Tick(tick)) => self.change_tick(&market, tick, now),
            Some(MarketFault::Close) => self.close(&market, now),
            None => {}
        }
    }

    /// Notes what each outcome pays. Tokens stay with their holders until somebody redeems them.
    pub(super) fn resolve(&mut self, market: &MarketId, payouts: [Price; 2], now: Timestamp) {
        self.close(market, now);
        let Some(listing) = self.markets.get_mut(market) else { return };
        let resolved = Market { payouts: Some(payouts), ..Market::clone(&listing.market) };
        let resolved = Arc::new(resolved);
        listing.market = Arc::clone(&resolved);
        self.tell(ExchangeEvent::Resolved(resolved, now));
    }

    /// Pays out what everybody holds of a resolved market; the shares are gone, also the worthless ones. Gives the pUSD that clients
    /// got, in millionths; nothing when the market is not known or not resolved.
    pub(super) fn redeem(&mut self, market: &MarketId) -> Option<i64> {
        let listing = self.markets.get(market)?;
        let payouts = listing.market.payouts?;
        let tokens = listing.market.tokens.clone();
        let mut paid = 0;
        for account in self.accounts.values_mut() {
            for (outcome, payout) in tokens.iter().zip(payouts) {
                let shares = account.shares.remove(&outcome.token).unwrap_or(0);
                let worth = cost_floor(micros(payout.0)?, shares);
                account.collateral += worth;
                paid += if account.is_client() { worth } else { 0 };
            }
        }
        Some(paid)
    }

    /// Drops the market and what the house holds of it. Clients keep their tokens and their history.
    pub(super) fn forget(&mut self, market: &MarketId, now: Timestamp) {
        self.close(market, now);
        let Some(listing) = self.markets.remove(market) else { return };
        for outcome in &listing.market.tokens {
            self.tokens.remove(&outcome.token);
            for account in self.accounts.values_mut().filter(|account| !account.is_client()) {
                account.shares.remove(&outcome.token);
            }
        }
    }
}
