use std::collections::BTreeSet;
use std::sync::Arc;

use super::book::{BookSide, mirrored};
use super::order::{AccountId, OrderRecord};
use super::state::State;
use super::trade::Trade;
use super::units::decimal;
use super::view::{Best, BookView, LastPrice, OrderView, best};
use crate::domain::{Market, MarketId, Price, Side, Size, Timestamp};

/// Size at a price after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelChange {
    /// Which of the market's tokens: 0 or 1.
    pub index: usize,
    /// Bids are `Buy`.
    pub side: Side,
    /// The price.
    pub price: Price,
    /// Everything resting there now; zero when the level is gone.
    pub size: Size,
}

/// What changed in a market's books by one call.
#[derive(Clone, Debug)]
pub struct BookChange {
    /// Both tokens' books afterwards.
    pub books: [Arc<BookView>; 2],
    /// The levels touched, for both tokens.
    pub levels: Vec<LevelChange>,
    /// Whether best bid or ask moved.
    pub best_moved: bool,
    /// When.
    pub at: Timestamp,
}

/// A trade as the public sees it.
#[derive(Clone, Debug)]
pub struct PublicTrade {
    /// The market.
    pub market: Arc<Market>,
    /// Which of the market's tokens: 0 or 1.
    pub index: usize,
    /// Price and taker's side in terms of that token.
    pub last: LastPrice,
    /// Shares.
    pub size: Size,
    /// When.
    pub at: Timestamp,
}

/// Why an order is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderChange {
    /// It is new.
    Placement,
    /// Some of it was matched.
    Update,
    /// It ended.
    Cancellation,
}

/// What happens at the exchange, in order. Private events go to the account's own sockets only.
#[derive(Clone, Debug)]
pub enum ExchangeEvent {
    /// Levels changed.
    Levels(Arc<BookChange>),
    /// There were trades: the books as they are now.
    Books([Arc<BookView>; 2]),
    /// Somebody traded.
    LastTrade(Arc<PublicTrade>),
    /// A market opened.
    Listed(Arc<Market>, Timestamp),
    /// A market got another price grid.
    TickSize {
        /// The market with the new grid.
        market: Arc<Market>,
        /// The grid before.
        old: Price,
        /// When.
        at: Timestamp,
    },
    /// A market was resolved.
    Resolved(Arc<Market>, Timestamp),
    /// An order of an account changed.
    Order {
        /// Whose.
        account: AccountId,
        /// The order as it is now.
        order: Arc<OrderView>,
        /// What happened to it.
        change: OrderChange,
        /// When.
        at: Timestamp,
    },
    /// A trade of an account appeared or settled.
    Trade {
        /// Whose.
        account: AccountId,
        /// The trade as it is now.
        trade: Arc<Trade>,
        /// When.
        at: Timestamp,
    },
}

/// Book levels touched by one call: side of the market's one book, price in terms of its first token.
pub(super) type Touched = BTreeSet<(BookSide, i64)>;

impl State {
    /// Nobody listening is no error: the event is then of no use to anyone.
    pub(super) fn tell(&self, event: ExchangeEvent) {
        let _ = self.events.send(event);
    }

    pub(super) fn tell_order(&self, order: &OrderRecord, change: OrderChange, at: Timestamp) {
        if order.client && self.is_watched() {
            let (account, order) = (order.account.clone(), Arc::new(OrderView::of(order)));
            self.tell(ExchangeEvent::Order { account, order, change, at });
        }
    }

    pub(super) fn tell_trade(&self, trade: &Arc<Trade>, at: Timestamp) {
        let accounts: BTreeSet<&AccountId> = trade.legs().filter(|leg| leg.client).map(|leg| &leg.account).collect();
        for account in accounts {
            self.tell(ExchangeEvent::Trade { account: account.clone(), trade: Arc::clone(trade), at });
        }
    }

    /// Tells of every level in `touched` and stamps the book. `before` is best bid and ask of the first token before.
    pub(super) fn tell_levels(
        &mut self,
        market: &MarketId,
        touched: &Touched,
        before: Best,
        traded: bool,
        now: Timestamp,
    ) {
        let Some(listing) = self.markets.get_mut(market) else { return };
        if touched.is_empty() {
            return;
        }
        listing.changed_at = now;
        if self.events.receiver_count() == 0 {
            return;
        }
        let listing = &*listing;
        let books = [0, 1].map(|index| Arc::new(listing.view(index)));
        let levels = touched.iter().flat_map(|&(side, price)| {
            let size = Size(decimal(listing.book.size_at(side, price)));
            [0, 1].map(|index| LevelChange {
                index,
                side: if BookSide::of(index, Side::Buy) == side { Side::Buy } else { Side::Sell },
                price: Price(decimal(mirrored(index, price))),
                size,
            })
        });
        let change = BookChange {
            levels: levels.collect(),
            best_moved: best(&listing.book, 0) != before,
            books: books.clone(),
            at: now,
        };
        self.tell(ExchangeEvent::Levels(Arc::new(change)));
        if traded {
            self.tell(ExchangeEvent::Books(books));
        }
    }

    fn is_watched(&self) -> bool {
        self.events.receiver_count() > 0
    }
}
