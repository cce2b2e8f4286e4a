//! The matching engine of the simulated Polymarket: accounts, books, matching, fees, settlement. Synchronous and without a
//! clock: every call is told the time, and the same seed and calls give the same ids.
//!
//! Invariants, which property tests hold it to: pUSD is conserved (accounts + fees + what stands behind existing pairs);
//! both tokens of a market exist in equal numbers; nothing is matched beyond its size; no two resting orders cross, the
//! mirrored book included; a client's free balance is never negative.

mod account;
mod book;
mod credentials;
mod ending;
mod event;
mod heartbeat;
mod ids;
mod lagging;
mod listing;
mod matching;
mod order;
mod placing;
mod race;
mod settlement;
mod state;
mod trade;
mod trading;
mod truth;
mod units;
mod view;
mod voiding;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

pub use credentials::Credentials;
pub use event::{BookChange, ExchangeEvent, LevelChange, OrderChange, PublicTrade};
pub use heartbeat::WrongHeartbeat;
pub use order::{AccountId, AccountKind, CancelReason, Cancelled, NewOrder, OrderStatus, Placed, Refusal, Submission};
pub use trade::{Leg, Trade};
pub use truth::{Truth, TruthBalance, TruthOrder, TruthTrade};
pub use view::{BookView, LastPrice, OrderView, WireBook, WireLevel};

use crate::domain::{Book, Market, MarketId, OrderId, Price, Timestamp, TokenId, TradeId, Usd};
use crate::sim::faults::Faults;
use state::State;

/// The exchange. A cheap handle: clones share one state behind a lock that is never held over an await.
#[derive(Clone)]
pub struct Exchange {
    state: Arc<Mutex<State>>,
    faults: Faults,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}

impl Exchange {
    /// An exchange without accounts and markets. Ids and credentials follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let faults = Faults::default();
        Self { state: Arc::new(Mutex::new(State::new(seed, faults.clone()))), faults }
    }

    /// The faults that its clients meet; none until a plan is set.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens an account with that much pUSD, or pays that much into one that is open. Amounts finer than a millionth are
    /// cut off.
    pub fn open_account(&self, account: &AccountId, kind: AccountKind, collateral: Usd) {
        let amount = units::micros(collateral.0.trunc_with_scale(6)).unwrap_or(0);
        let mut state = self.state();
        let opened = state.account_mut(account);
        opened.kind = kind;
        opened.collateral += amount;
    }

    /// Opens a market, or replaces the description of an open one.
    pub fn list_market(&self, market: Market, now: Timestamp) {
        self.state().list(market, now);
    }

    /// Takes no more orders for the market and cancels what rests.
    pub fn close_market(&self, market: &MarketId, now: Timestamp) {
        self.state().close(market, now);
    }

    /// Notes what each outcome pays a share. Balances stay: tokens exist until they are redeemed.
    pub fn resolve_market(&self, market: &MarketId, payouts: [Price; 2], now: Timestamp) {
        self.state().resolve(market, payouts, now);
    }

    /// Pays out what everybody holds of a resolved market, and gives the pUSD that clients got, in millionths; nothing when the market
    /// is not known or not resolved. Nobody is told, as at the venue.
    pub fn redeem(&self, market: &MarketId) -> Option<i64> {
        self.state().redeem(market)
    }

    /// Drops a market. Its clients keep their tokens, orders and trades.
    pub fn forget_market(&self, market: &MarketId) {
        let mut state = self.state();
        let now = state.markets.get(market).map_or_else(Timestamp::default, |listing| listing.changed_at);
        state.forget(market, now);
    }

    /// Takes an order of the house or of a client that needs no signature.
    ///
    /// # Errors
    /// [`Refusal`] with the venue's words.
    pub fn place(&self, account: &AccountId, order: NewOrder, now: Timestamp) -> Result<Placed, Refusal> {
        let mut state = self.state();
        let owner = state.ids.fixed_uuid("owner", account.as_str());
        state.submit(account, Submission { order, budget: None, maker: account.to_string(), owner }, now)
    }

    /// Takes an order that came signed over HTTP.
    ///
    /// # Errors
    /// [`Refusal`] with the venue's words.
    pub fn submit(&self, account: &AccountId, submission: Submission, now: Timestamp) -> Result<Placed, Refusal> {
        self.state().submit(account, submission, now)
    }

    /// Cancels these orders of the account.
    pub fn cancel(&self, account: &AccountId, ids: &[OrderId], now: Timestamp) -> Cancelled {
        self.state().cancel(account, ids, now)
    }

    /// Cancels every open order of the account.
    pub fn cancel_all(&self, account: &AccountId, now: Timestamp) -> Cancelled {
        self.cancel_where(account, None, None, now)
    }

    /// Cancels the account's open orders in a market, of a token, or in all.
    pub fn cancel_where(
        &self,
        account: &AccountId,
        market: Option<&MarketId>,
        token: Option<&TokenId>,
        now: Timestamp,
    ) -> Cancelled {
        let mut state = self.state();
        let Some(open) = state.accounts.get(account).map(|account| &account.open) else { return Cancelled::default() };
        let chosen = |id: &&OrderId| {
            state.orders.get(*id).is_some_and(|order| {
                market.is_none_or(|market| order.market.market == *market)
                    && token.is_none_or(|token| order.token() == token)
            })
        };
        let ids: Vec<OrderId> = open.values().filter(chosen).cloned().collect();
        state.cancel(account, &ids, now)
    }

    /// Takes what time brings: settlement, the end of GTD orders, the sweep of silent keys. To be called every 50 ms or so.
    pub fn advance(&self, now: Timestamp) {
        let mut state = self.state();
        state.settle(now);
        state.expire(now);
        state.sweep(now);
    }

    /// A token's whole book.
    pub fn book(&self, token: &TokenId) -> Option<Book> {
        self.book_view(token).map(|view| view.book)
    }

    /// A token's book with what the venue says along with it.
    pub fn book_view(&self, token: &TokenId) -> Option<BookView> {
        let state = self.state();
        let (market, index) = state.tokens.get(token)?;
        state.markets.get(market).map(|listing| listing.view(*index))
    }

    /// Every market, by condition id.
    pub fn markets(&self) -> Vec<Arc<Market>> {
        self.state().markets.values().map(|listing| Arc::clone(&listing.market)).collect()
    }

    /// A market.
    pub fn market(&self, market: &MarketId) -> Option<Arc<Market>> {
        self.state().markets.get(market).map(|listing| Arc::clone(&listing.market))
    }

    /// The market of a token.
    pub fn market_of(&self, token: &TokenId) -> Option<Arc<Market>> {
        let state = self.state();
        let (market, _) = state.tokens.get(token)?;
        state.markets.get(market).map(|listing| Arc::clone(&listing.market))
    }

    /// The account's open orders, oldest first, from the one after number `after` on.
    pub fn open_orders(&self, account: &AccountId, after: u64) -> Vec<OrderView> {
        let state = self.state();
        let Some(found) = state.accounts.get(account) else { return Vec::new() };
        let open = found.open.range(after.saturating_add(1)..).filter_map(|(_, id)| state.orders.get(id));
        open.map(OrderView::of).collect()
    }

    /// An order of the account in whatever state.
    pub fn order(&self, account: &AccountId, id: &OrderId) -> Option<OrderView> {
        self.state().orders.get(id).filter(|order| order.account == *account).map(OrderView::of)
    }

    /// The account's trades, newest first, from the one before number `before` on.
    pub fn trades(&self, account: &AccountId, before: u64) -> Vec<Arc<Trade>> {
        let state = self.state();
        state
            .trades
            .range(..before)
            .rev()
            .map(|(_, trade)| trade)
            .filter(|trade| trade.involves(account))
            .cloned()
            .collect()
    }

    /// A trade of the account.
    pub fn trade(&self, account: &AccountId, id: &TradeId) -> Option<Arc<Trade>> {
        let state = self.state();
        let trade = state.trades.get(state.trade_numbers.get(id)?)?;
        trade.involves(account).then(|| Arc::clone(trade))
    }

    /// The account's pUSD, or its shares of a token, in millionths.
    pub fn balance(&self, account: &AccountId, token: Option<&TokenId>) -> i64 {
        let state = self.state();
        let Some(account) = state.accounts.get(account) else { return 0 };
        token.map_or(account.collateral, |token| account.shares_of(token))
    }

    /// The same as the venue shows it and checks orders against: it may lag behind.
    pub fn shown_balance(&self, account: &AccountId, token: Option<&TokenId>, now: Timestamp) -> i64 {
        self.state().shown(account, token, now)
    }

    /// Shows the account's balances as they are.
    pub fn refresh_balances(&self, account: &AccountId) {
        self.state().lagging.remove(account);
    }

    /// Takes a heartbeat of a key and gives the id to send next.
    ///
    /// # Errors
    /// [`WrongHeartbeat`] with the id that was expected; the beat then does not count.
    pub fn heartbeat(
        &self,
        account: &AccountId,
        key: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<String, WrongHeartbeat> {
        self.state().beat(account, key, id, now)
    }

    /// Does what silence would: cancels the open orders of a key that has beaten before.
    pub fn lapse(&self, key: &str, now: Timestamp) {
        self.state().lapse(key, now);
    }

    /// Expects another heartbeat id of this key than the one given out.
    pub fn renew_heartbeat(&self, account: &AccountId, key: &str, now: Timestamp) {
        self.state().renew_heartbeat(account, key, now);
    }

    /// New API credentials; nothing when the nonce has some.
    pub fn create_key(&self, account: &AccountId, nonce: u64) -> Option<Credentials> {
        let mut state = self.state();
        let State { keyring, ids, .. } = &mut *state;
        keyring.create(ids, account, nonce)
    }

    /// The API credentials made with this nonce.
    pub fn derive_key(&self, account: &AccountId, nonce: u64) -> Option<Credentials> {
        self.state().keyring.derive(account, nonce).cloned()
    }

    /// The credentials of a key.
    pub fn credentials(&self, key: &str) -> Option<Credentials> {
        self.state().keyring.find(key).cloned()
    }

    /// All keys of an account.
    pub fn keys_of(&self, account: &AccountId) -> Vec<String> {
        self.state().keyring.keys_of(account)
    }

    /// Makes a key worthless.
    pub fn delete_key(&self, key: &str) {
        self.state().keyring.delete(key);
    }

    /// The venue's own view of its clients.
    pub fn truth(&self) -> Truth {
        self.state().truth()
    }

    /// What `events` still holds, and the books of these tokens right after it: nothing lies between them.
    ///
    /// # Errors
    /// When the reader has fallen behind and missed events.
    pub fn catch_up(
        &self,
        events: &mut broadcast::Receiver<ExchangeEvent>,
        tokens: &[TokenId],
    ) -> Result<(Vec<ExchangeEvent>, Vec<BookView>), broadcast::error::TryRecvError> {
        let state = self.state();
        let mut pending = Vec::new();
        loop {
            match events.try_recv() {
                Ok(event) => pending.push(event),
                Err(broadcast::error::TryRecvError::Empty) => break,
                Err(missed) => return Err(missed),
            }
        }
        let view = |token: &TokenId| {
            let (market, index) = state.tokens.get(token)?;
            state.markets.get(market).map(|listing| listing.view(*index))
        };
        Ok((pending, tokens.iter().filter_map(view).collect()))
    }

    /// Everything that happens from now on. Who falls 8,192 events behind misses some and is told so.
    pub fn subscribe(&self) -> broadcast::Receiver<ExchangeEvent> {
        self.state().events.subscribe()
    }
}
