use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::broadcast;

use super::account::Account;
use super::book::OrderBook;
use super::credentials::Keyring;
use super::event::ExchangeEvent;
use super::heartbeat::Heartbeats;
use super::ids::Ids;
use super::lagging::Lagging;
use super::order::{AccountId, AccountKind, OrderRecord};
use super::trade::Trade;
use super::view::{BookView, LastPrice};
use crate::domain::{Market, MarketId, OrderId, Timestamp, TokenId, TradeId};
use crate::sim::faults::{Faults, Resettling};

/// How many client orders, and how many of their trades, are remembered. Beyond it the oldest that are over are forgotten.
pub(super) const KEPT: usize = 20_000;
/// Events that a slow socket may be behind before it is cut off.
const EVENT_BACKLOG: usize = 8_192;

/// A market at the exchange.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) market: Arc<Market>,
    pub(super) book: OrderBook,
    pub(super) last: [Option<LastPrice>; 2],
    /// When its book changed last.
    pub(super) changed_at: Timestamp,
}

impl Listing {
    pub(super) fn view(&self, index: usize) -> BookView {
        BookView::of(&self.market, index, &self.book, self.last[index], self.changed_at)
    }
}

/// Everything that the exchange knows.
#[derive(Debug)]
pub(super) struct State {
    pub(super) ids: Ids,
    pub(super) accounts: BTreeMap<AccountId, Account>,
    pub(super) markets: BTreeMap<MarketId, Listing>,
    pub(super) tokens: HashMap<TokenId, (MarketId, usize)>,
    /// Open orders of everybody, and dead ones of clients.
    pub(super) orders: HashMap<OrderId, OrderRecord>,
    /// Client orders by age.
    pub(super) client_orders: BTreeMap<u64, OrderId>,
    /// When open GTD orders end.
    pub(super) endings: BTreeSet<(Timestamp, OrderId)>,
    /// Trades in which a client took part, by age.
    pub(super) trades: BTreeMap<u64, Arc<Trade>>,
    pub(super) trade_numbers: HashMap<TradeId, u64>,
    /// Settlement steps to come.
    pub(super) due: BTreeSet<(Timestamp, u64)>,
    /// Trades whose settlement goes wrong, by number.
    pub(super) resettling: HashMap<u64, Resettling>,
    /// Has a lock of its own, which is only ever taken inside the exchange's.
    pub(super) faults: Faults,
    /// Accounts whose balances are shown as they were.
    pub(super) lagging: BTreeMap<AccountId, Lagging>,
    pub(super) heartbeats: Heartbeats,
    pub(super) keyring: Keyring,
    /// Fees taken, in millionths of pUSD.
    pub(super) fees: i64,
    /// pUSD behind the pairs in existence, in millionths.
    pub(super) backing: i64,
    pub(super) events: broadcast::Sender<ExchangeEvent>,
}

impl State {
    pub(super) fn new(seed: u64, faults: Faults) -> Self {
        Self {
            ids: Ids::new(seed),
            accounts: BTreeMap::new(),
            markets: BTreeMap::new(),
            tokens: HashMap::new(),
            orders: HashMap::new(),
            client_orders: BTreeMap::new(),
            endings: BTreeSet::new(),
            trades: BTreeMap::new(),
            trade_numbers: HashMap::new(),
            due: BTreeSet::new(),
            resettling: HashMap::new(),
            faults,
            lagging: BTreeMap::new(),
            heartbeats: Heartbeats::default(),
            keyring: Keyring::default(),
            fees: 0,
            backing: 0,
            events: broadcast::channel(EVENT_BACKLOG).0,
        }
    }

    /// The account; one that nobody opened is a client's without a cent.
    pub(super) fn account_mut(&mut self, account: &AccountId) -> &mut Account {
        self.accounts.entry(account.clone()).or_insert_with(|| Account::new(AccountKind::Client, 0))
    }

    /// Client orders beyond the bound are forgotten, oldest first, but never an open one.
    pub(super) fn forget_old_orders(&mut self) {
        let excess = self.client_orders.len().saturating_sub(KEPT);
        if excess == 0 {
            return;
        }
        let over = |(number, id): (&u64, &OrderId)| {
            self.orders.get(id).is_none_or(|order| order.status != super::order::OrderStatus::Live).then_some(*number)
        };
        let old: Vec<u64> = self.client_orders.iter().filter_map(over).take(excess).collect();
        for number in old {
            if let Some(id) = self.client_orders.remove(&number) {
                self.orders.remove(&id);
            }
        }
    }
}
