//! The exchange behind the simulated CLOB: accounts, price-time matching, fees and settlement. Synchronous and without a
//! clock: the same calls in the same order give the same ids and the same books.
//!
//! Invariants: no two resting orders of a market cross, mirrored ones included; collateral, minted pairs and fees add up to
//! what was paid in; an order is never matched beyond its size.

mod accounts;
mod ladder;
mod matching;
mod state;
#[cfg(test)]
mod tests;
mod truth;
mod types;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::domain::{Book, Level, Market, MarketId, OrderId, Price, Side, Timestamp, TokenId, Usd};
use accounts::{Account, Beat};
use state::{Listed, State};

pub use truth::{Truth, TruthBalance, TruthOrder, TruthTrade};
pub use types::{
    AccountId, AccountKind, Cancelled, ExchangeEvent, Leg, LevelChange, NewOrder, OrderChange, OrderStatus, OrderView,
    Placed, Refusal, Trade,
};

/// Events kept for a slow socket; beyond that it is told that it has missed some.
const EVENTS_KEPT: usize = 8_192;

/// A handle on the exchange; clones share it. No call waits.
#[derive(Clone, Debug)]
pub struct Exchange {
    state: Arc<Mutex<State>>,
    events: broadcast::Sender<ExchangeEvent>,
}

impl Exchange {
    /// An empty exchange; the seed goes into the ids that it gives.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(seed))), events: broadcast::channel(EVENTS_KEPT).0 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a change and tells the sockets what came of it.
    fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let result = act(&mut state);
        for event in state.events.drain(..) {
            // Without a socket there is nobody to tell.
            let _listeners = self.events.send(event);
        }
        result
    }

    /// What happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<ExchangeEvent> {
        self.events.subscribe()
    }

    /// Opens an account, or gives an existing one more collateral.
    pub fn open_account(&self, account: &AccountId, kind: AccountKind, collateral: Usd) {
        let mut state = self.state();
        let known = state.accounts.entry(account.clone()).or_insert_with(|| Account::new(kind, Usd::ZERO));
        known.collateral += collateral;
    }

    /// The seed of everything that the exchange makes up.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.state().seed
    }

    /// The API key that an account belongs to; empty before it has one.
    #[must_use]
    pub fn owner_of(&self, account: &AccountId) -> String {
        self.state().accounts.get(account).map(|account| account.owner.clone()).unwrap_or_default()
    }

    /// Whether there is such an account.
    #[must_use]
    pub fn has_account(&self, account: &AccountId) -> bool {
        self.state().accounts.contains_key(account)
    }

    /// Orders of this account belong to this API key from now on.
    pub fn set_owner(&self, account: &AccountId, owner: &str) {
        if let Some(account) = self.state().accounts.get_mut(account) {
            owner.clone_into(&mut account.owner);
        }
    }

    /// Lists a market, or replaces its description.
    pub fn list_market(&self, market: Market, now: Timestamp) {
        self.change(|state| {
            for (index, outcome) in market.tokens.iter().enumerate() {
                state.tokens.insert(outcome.token.clone(), (market.market.clone(), index));
            }
            state.events.push(ExchangeEvent::Listed(market.clone(), now));
            if let Some(listed) = state.markets.get_mut(&market.market) {
                listed.market = market;
            } else {
                let listed = Listed { ladder: ladder::Ladder::default(), last_trade: None, market };
                state.markets.insert(listed.market.market.clone(), listed);
            }
        });
    }

    /// Takes no more orders for it and cancels what rests.
    pub fn close_market(&self, market: &MarketId, now: Timestamp) {
        self.change(|state| {
            if let Some(listed) = state.markets.get_mut(market) {
                listed.market.accepting_orders = false;
            }
            state.clear(market, "CANCELED_MARKET_RESOLVED", now);
        });
    }

    /// Says what each outcome pays. Shares stay where they are until they are redeemed on chain.
    pub fn resolve_market(&self, market: &MarketId, payouts: [Price; 2], now: Timestamp) {
        self.change(|state| {
            let Some(listed) = state.markets.get_mut(market) else { return };
            listed.market.accepting_orders = false;
            listed.market.payouts = Some(payouts);
            let resolved = listed.market.clone();
            state.events.push(ExchangeEvent::Resolved(resolved, now));
        });
    }

    /// Drops a market and its book. Balances and the record of orders and trades stay.
    pub fn forget_market(&self, market: &MarketId) {
        let mut state = self.state();
        if let Some(listed) = state.markets.remove(market) {
            for outcome in listed.market.tokens {
                state.tokens.remove(&outcome.token);
            }
        }
    }

    /// A market by its condition id.
    #[must_use]
    pub fn market(&self, market: &MarketId) -> Option<Market> {
        self.state().markets.get(market).map(|listed| listed.market.clone())
    }

    /// The market of a token.
    #[must_use]
    pub fn market_of(&self, token: &TokenId) -> Option<Market> {
        let state = self.state();
        let (market, _) = state.tokens.get(token)?;
        state.markets.get(market).map(|listed| listed.market.clone())
    }

    /// Every market.
    #[must_use]
    pub fn markets(&self) -> Vec<Market> {
        self.state().markets.values().map(|listed| listed.market.clone()).collect()
    }

    /// Price of a market's last trade, in the token of its taker.
    #[must_use]
    pub fn last_trade(&self, token: &TokenId) -> Option<Price> {
        let state = self.state();
        let (market, _) = state.tokens.get(token)?;
        state.markets.get(market)?.last_trade
    }

    /// Places an order.
    ///
    /// # Errors
    /// [`Refusal`] in the venue's words.
    pub fn place(&self, account: &AccountId, order: NewOrder, now: Timestamp) -> Result<Placed, Refusal> {
        self.change(|state| state.place(account, order, None, now))
    }

    /// Places a market buy that spends an amount instead of asking for shares.
    ///
    /// # Errors
    /// [`Refusal`] in the venue's words.
    pub fn place_spending(
        &self,
        account: &AccountId,
        order: NewOrder,
        spend: Usd,
        now: Timestamp,
    ) -> Result<Placed, Refusal> {
        self.change(|state| state.place(account, order, Some(spend), now))
    }

    /// Cancels these orders of an account.
    pub fn cancel(&self, account: &AccountId, ids: &[OrderId], now: Timestamp) -> Cancelled {
        self.change(|state| state.cancel(account, ids, now))
    }

    /// Cancels everything that an account has resting.
    pub fn cancel_all(&self, account: &AccountId, now: Timestamp) -> Cancelled {
        self.change(|state| {
            let ids: Vec<OrderId> =
                state.accounts.get(account).map(|account| account.live.iter().cloned().collect()).unwrap_or_default();
            state.cancel(account, &ids, now)
        })
    }

    /// A token's book, whole depth, best price first.
    #[must_use]
    pub fn book(&self, token: &TokenId) -> Option<Book> {
        let state = self.state();
        let (market, index) = state.tokens.get(token)?;
        let listed = state.markets.get(market)?;
        let side = |side| state.depth(listed, *index, side).into_iter().map(|(price, size)| Level { price, size });
        Some(Book {
            market: market.clone(),
            token: token.clone(),
            bids: side(Side::Buy).collect(),
            asks: side(Side::Sell).collect(),
            event_at: Timestamp::default(),
            received_at: Timestamp::default(),
        })
    }

    /// An order in whatever state.
    #[must_use]
    pub fn order(&self, id: &OrderId) -> Option<OrderView> {
        self.state().orders.get(id).cloned()
    }

    /// Orders of an API key that pass a filter, oldest first.
    pub fn orders_of(&self, owner: &str, wanted: impl Fn(&OrderView) -> bool) -> Vec<OrderView> {
        self.state().client_orders().filter(|view| view.owner == owner && wanted(view)).cloned().collect()
    }

    /// Trades with a leg of an API key that pass a filter, newest first.
    pub fn trades_of(&self, owner: &str, wanted: impl Fn(&Trade) -> bool) -> Vec<Trade> {
        let state = self.state();
        let own = |trade: &&Trade| trade.legs().any(|leg| leg.owner == owner) && wanted(trade);
        state.trades.values().rev().filter(own).cloned().collect()
    }

    /// An account's collateral and its shares of one token.
    #[must_use]
    pub fn balance(&self, account: &AccountId, token: Option<&TokenId>) -> rust_decimal::Decimal {
        let state = self.state();
        let Some(account) = state.accounts.get(account) else { return rust_decimal::Decimal::ZERO };
        token.map_or(account.collateral.0, |token| account.shares(token).0)
    }

    /// Takes a heartbeat. An empty id begins the chain; afterwards each must repeat the id last given.
    ///
    /// # Errors
    /// The id that was expected; the switch is not fed.
    pub fn heartbeat(&self, account: &AccountId, given: &str, now: Timestamp) -> Result<String, String> {
        let mut state = self.state();
        let (_, hash) = state.next();
        let Some(account) = state.accounts.get_mut(account) else { return Err(String::new()) };
        if let Some(beat) = &account.beat
            && given != beat.id
        {
            return Err(beat.id.clone());
        }
        let id = hash[..32].to_owned();
        account.beat = Some(Beat { id: id.clone(), at: now });
        Ok(id)
    }

    /// Lets time pass: settlement, expiry, lapsed heartbeats.
    pub fn advance(&self, now: Timestamp) {
        self.change(|state| state.advance(now));
    }

    /// The exchange's own view of what clients did.
    #[must_use]
    pub fn truth(&self) -> Truth {
        truth::of(&self.state())
    }
}
