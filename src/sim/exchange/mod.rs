//! A stand-in until the matching engine is merged: keeps orders, matches nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::domain::{Book, Level, Market, MarketId, OrderId, Price, Side, Size, TimeInForce, Timestamp, TokenId, Usd};

#[derive(Clone, Debug, Default)]
pub struct Exchange(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    markets: BTreeMap<MarketId, Market>,
    orders: BTreeMap<OrderId, NewOrder>,
    resolved: Vec<MarketId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    Client,
    House,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountId(String);

impl AccountId {
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().to_owned())
    }
}

#[derive(Clone, Debug)]
pub struct NewOrder {
    pub id: OrderId,
    pub token: TokenId,
    pub side: Side,
    pub price: Price,
    pub size: Size,
    pub tif: TimeInForce,
    pub post_only: bool,
    pub expiration: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct Placed;
#[derive(Clone, Debug)]
pub struct Refusal;
#[derive(Clone, Debug)]
pub struct Cancelled;
#[derive(Clone, Debug, Serialize)]
pub struct Truth {
    orders: Vec<()>,
    trades: Vec<()>,
    open_orders: u64,
    balances: BTreeMap<String, Usd>,
}

impl Exchange {
    pub fn new(_seed: u64) -> Self {
        Self::default()
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub fn open_account(&self, _account: &AccountId, _kind: AccountKind, _collateral: Usd) {}
    pub fn list_market(&self, market: Market, _now: Timestamp) {
        self.state().markets.insert(market.market.clone(), market);
    }
    pub fn close_market(&self, market: &MarketId, _now: Timestamp) {
        let mut state = self.state();
        let Some(found) = state.markets.get_mut(market) else { return };
        found.accepting_orders = false;
        let tokens = [found.tokens[0].token.clone(), found.tokens[1].token.clone()];
        state.orders.retain(|_, order| !tokens.contains(&order.token));
    }
    pub fn resolve_market(&self, market: &MarketId, _payouts: [Price; 2], _now: Timestamp) {
        self.state().resolved.push(market.clone());
    }
    pub fn forget_market(&self, market: &MarketId) {
        self.state().markets.remove(market);
    }
    pub fn place(&self, _account: &AccountId, order: NewOrder, _now: Timestamp) -> Result<Placed, Refusal> {
        if matches!(order.tif, TimeInForce::Fok | TimeInForce::Fak) {
            return Err(Refusal);
        }
        self.state().orders.insert(order.id.clone(), order);
        Ok(Placed)
    }
    pub fn cancel(&self, _account: &AccountId, ids: &[OrderId], _now: Timestamp) -> Cancelled {
        let mut state = self.state();
        for id in ids {
            state.orders.remove(id);
        }
        Cancelled
    }
    pub fn cancel_all(&self, _account: &AccountId, _now: Timestamp) -> Cancelled {
        Cancelled
    }
    pub fn book(&self, token: &TokenId) -> Option<Book> {
        let state = self.state();
        let market = state.markets.values().find(|market| market.outcome_of(token).is_some())?;
        let side = |side| {
            let mut levels: BTreeMap<Price, Size> = BTreeMap::new();
            for order in state.orders.values().filter(|order| order.token == *token && order.side == side) {
                let level = levels.entry(order.price).or_default();
                *level = *level + order.size;
            }
            levels.into_iter().map(|(price, size)| Level { price, size }).collect::<Vec<_>>()
        };
        let mut bids = side(Side::Buy);
        bids.reverse();
        Some(Book {
            market: market.market.clone(),
            token: token.clone(),
            bids,
            asks: side(Side::Sell),
            event_at: Timestamp::default(),
            received_at: Timestamp::default(),
        })
    }
    pub fn advance(&self, _now: Timestamp) {}
    pub fn truth(&self) -> Truth {
        Truth { orders: vec![], trades: vec![], open_orders: 0, balances: BTreeMap::new() }
    }
}
