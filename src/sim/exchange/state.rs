//! Everything the exchange knows, and the bookkeeping around matching.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::accounts::Account;
use super::ladder::{Canonical, Ladder};
use super::{
    AccountId, AccountKind, Cancelled, ExchangeEvent, LevelChange, OrderChange, OrderStatus, OrderView, Trade,
};
use crate::domain::{FillStatus, Market, MarketId, OrderId, Price, Side, Size, Timestamp, TokenId, TradeId, Usd};

/// Client orders and trades that are remembered; the oldest ended ones beyond that are forgotten.
const REMEMBERED: usize = 50_000;
/// From a match to its block, and from there to finality.
const MINED_AFTER: Duration = Duration::from_secs(1);
const CONFIRMED_AFTER: Duration = Duration::from_millis(2_500);
/// How often lapsed heartbeats are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct State {
    pub(super) seed: u64,
    pub(super) markets: BTreeMap<MarketId, Listed>,
    pub(super) tokens: HashMap<TokenId, (MarketId, usize)>,
    pub(super) accounts: BTreeMap<AccountId, Account>,
    pub(super) orders: HashMap<OrderId, OrderView>,
    pub(super) trades: BTreeMap<u64, Trade>,
    pub(super) fees: Usd,
    pub(super) events: Vec<ExchangeEvent>,
    client_orders: VecDeque<OrderId>,
    counter: u64,
    swept_at: Timestamp,
}

/// A market and its book.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) market: Market,
    pub(super) ladder: Ladder,
    pub(super) last_trade: Option<Price>,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            markets: BTreeMap::new(),
            tokens: HashMap::new(),
            accounts: BTreeMap::new(),
            orders: HashMap::new(),
            trades: BTreeMap::new(),
            fees: Usd::ZERO,
            events: Vec::new(),
            client_orders: VecDeque::new(),
            counter: 0,
            swept_at: Timestamp::default(),
        }
    }

    pub(super) fn client_orders(&self) -> impl Iterator<Item = &OrderView> {
        self.client_orders.iter().filter_map(|id| self.orders.get(id))
    }

    pub(super) fn client_trades(&self) -> impl Iterator<Item = &Trade> {
        self.trades
            .values()
            .filter(|trade| trade.legs().any(|leg| !leg.owner.is_empty() || self.is_client(&leg.account)))
    }

    pub(super) fn is_client(&self, account: &AccountId) -> bool {
        self.accounts.get(account).is_some_and(|account| account.kind == AccountKind::Client)
    }

    /// A number that no other event of this exchange has, and a text of that form that differs with the seed.
    pub(super) fn next(&mut self) -> (u64, String) {
        self.counter += 1;
        (self.counter, hex::encode(Sha256::digest(format!("{}:{}", self.seed, self.counter))))
    }

    pub(super) fn next_trade_id(&mut self) -> (u64, TradeId) {
        let (number, hash) = self.next();
        let id = format!("{}-{}-4{}-8{}-{}", &hash[..8], &hash[8..12], &hash[12..15], &hash[15..18], &hash[18..30]);
        (number, TradeId::new(id))
    }

    /// Where an order stands in its market's ladder.
    pub(super) fn place_of(&self, view: &OrderView) -> Option<(&MarketId, Canonical)> {
        let (market, index) = self.tokens.get(&view.order.token)?;
        Some((market, Canonical::of(*index, view.order.side, view.order.price)))
    }

    /// Notes that the size at a price changed, as both tokens see it.
    pub(super) fn level_changed(&self, market: &MarketId, at: Canonical, changes: &mut Vec<LevelChange>) {
        let Some(listed) = self.markets.get(market) else { return };
        let size = listed.ladder.at(at).filter_map(|id| self.orders.get(id)).map(OrderView::remaining).sum();
        for (index, outcome) in listed.market.tokens.iter().enumerate() {
            let (side, price) = at.seen_from(index);
            let change = LevelChange { token: outcome.token.clone(), side, price, size };
            changes.retain(|known| (&known.token, known.side, known.price) != (&change.token, side, price));
            changes.push(change);
        }
    }

    pub(super) fn announce_levels(&mut self, market: &MarketId, changes: Vec<LevelChange>, at: Timestamp) {
        if !changes.is_empty() {
            self.events.push(ExchangeEvent::Levels { market: market.clone(), changes, at });
        }
    }

    pub(super) fn announce_order(&mut self, change: OrderChange, view: &OrderView, at: Timestamp) {
        if self.is_client(&view.account) {
            self.events.push(ExchangeEvent::Order(change, view.clone(), at));
        }
    }

    /// Keeps a client's order; forgets the oldest that has ended when there are too many.
    pub(super) fn remember(&mut self, view: OrderView) {
        if self.is_client(&view.account) {
            self.client_orders.push_back(view.order.id.clone());
            if self.client_orders.len() > REMEMBERED {
                let ended = |id: &OrderId| self.orders.get(id).is_none_or(|view| view.status != OrderStatus::Live);
                if let Some(index) = self.client_orders.iter().position(ended)
                    && let Some(id) = self.client_orders.remove(index)
                {
                    self.orders.remove(&id);
                }
            }
        }
        self.orders.insert(view.order.id.clone(), view);
    }

    /// Ends a resting order.
    pub(super) fn end(&mut self, id: &OrderId, word: &str, now: Timestamp, changes: &mut Vec<LevelChange>) -> bool {
        let Some(view) = self.orders.get(id).filter(|view| view.status == OrderStatus::Live) else { return false };
        let view = OrderView { status: OrderStatus::Cancelled(word.to_owned()), ..view.clone() };
        let Some((market, at)) = self.place_of(&view) else { return false };
        let market = market.clone();
        if let Some(listed) = self.markets.get_mut(&market) {
            listed.ladder.remove(at, id);
        }
        if let Some(account) = self.accounts.get_mut(&view.account) {
            account.live.remove(id);
        }
        if self.is_client(&view.account) {
            self.announce_order(OrderChange::Cancellation, &view, now);
            self.orders.insert(id.clone(), view);
        } else {
            self.orders.remove(id);
        }
        self.level_changed(&market, at, changes);
        true
    }

    pub(super) fn cancel(&mut self, account: &AccountId, ids: &[OrderId], now: Timestamp) -> Cancelled {
        let mut result = Cancelled::default();
        let mut changes: BTreeMap<MarketId, Vec<LevelChange>> = BTreeMap::new();
        for id in ids {
            let reason = match self.orders.get(id).filter(|view| view.account == *account) {
                None => "Order not found or already canceled",
                Some(view) => match view.status {
                    OrderStatus::Live => {
                        let market = changes.entry(view.market.clone()).or_default();
                        let mut touched = std::mem::take(market);
                        let market = view.market.clone();
                        self.end(id, "CANCELED", now, &mut touched);
                        changes.insert(market, touched);
                        result.cancelled.push(id.clone());
                        continue;
                    }
                    OrderStatus::Matched => "Order already matched",
                    OrderStatus::Cancelled(_) => "already canceled or matched",
                },
            };
            result.not_cancelled.push((id.clone(), reason.to_owned()));
        }
        for (market, changes) in changes {
            self.announce_levels(&market, changes, now);
        }
        result
    }

    /// Ends every order of a market.
    pub(super) fn clear(&mut self, market: &MarketId, word: &str, now: Timestamp) {
        let ids: Vec<OrderId> =
            self.markets.get(market).map(|listed| listed.ladder.all().cloned().collect()).unwrap_or_default();
        let mut changes = Vec::new();
        for id in ids {
            self.end(&id, word, now, &mut changes);
        }
        self.announce_levels(market, changes, now);
    }

    /// Moves settlements on, ends expired orders, and sweeps accounts whose heartbeat has lapsed.
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.settle(now);
        self.expire(now);
        if now.since(self.swept_at) >= SWEEP_EVERY {
            self.swept_at = now;
            self.sweep(now);
        }
    }

    fn settle(&mut self, now: Timestamp) {
        let seed = self.seed;
        for (number, trade) in &mut self.trades {
            let age = now.since(trade.matched_at);
            let next = match trade.status {
                FillStatus::Matched if age >= MINED_AFTER => FillStatus::Mined,
                FillStatus::Mined if age >= CONFIRMED_AFTER => FillStatus::Confirmed,
                _ => continue,
            };
            trade.status = next;
            trade.updated_at = now;
            if trade.transaction.is_empty() {
                trade.transaction = format!("0x{}", hex::encode(Sha256::digest(format!("{seed}:tx:{number}"))));
            }
            self.events.push(ExchangeEvent::Trade(trade.clone()));
        }
        let accounts = &self.accounts;
        let with_client = |trade: &Trade| {
            trade.legs().any(|leg| accounts.get(&leg.account).is_some_and(|a| a.kind == AccountKind::Client))
        };
        self.trades.retain(|_, trade| !trade.status.is_final() || with_client(trade));
        while self.trades.len() > REMEMBERED {
            self.trades.pop_first();
        }
    }

    fn expire(&mut self, now: Timestamp) {
        let over =
            |view: &&OrderView| view.status == OrderStatus::Live && view.order.expiration.is_some_and(|end| end <= now);
        let ids: Vec<OrderId> = self.client_orders().filter(over).map(|view| view.order.id.clone()).collect();
        for id in ids {
            let market = self.orders.get(&id).map(|view| view.market.clone());
            let mut changes = Vec::new();
            self.end(&id, "CANCELED_EXPIRED_ORDER", now, &mut changes);
            if let Some(market) = market {
                self.announce_levels(&market, changes, now);
            }
        }
    }

    fn sweep(&mut self, now: Timestamp) {
        let lapsed = |account: &Account| account.beat.as_ref().is_some_and(|beat| beat.lapsed(now));
        let accounts: Vec<(AccountId, Vec<OrderId>)> = self
            .accounts
            .iter()
            .filter(|(_, account)| lapsed(account))
            .map(|(id, account)| (id.clone(), account.live.iter().cloned().collect()))
            .collect();
        for (account, ids) in accounts {
            self.cancel(&account, &ids, now);
        }
    }

    /// One side of a token's book, best price first.
    pub(super) fn depth(&self, listed: &Listed, index: usize, side: Side) -> Vec<(Price, Size)> {
        let seen = Canonical::of(index, side, Price::ZERO).side;
        listed
            .ladder
            .levels(seen)
            .map(|(price, queue)| {
                let (_, price) = Canonical { side: seen, price }.seen_from(index);
                let size = queue.iter().filter_map(|id| self.orders.get(id)).map(OrderView::remaining).sum();
                (Price(price.0.normalize()), Size(Size::decimal(size).normalize()))
            })
            .collect()
    }
}
