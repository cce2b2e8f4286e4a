use std::fmt;
use std::sync::Arc;

use crate::domain::{Market, OrderId, Price, Side, Size, TimeInForce, Timestamp, TokenId, TradeId, Usd};

/// Whose money it is: a checksummed `0x` address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(Arc<str>);

impl AccountId {
    /// From its text.
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(Arc::from(text.as_ref()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Who stands behind an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// A client of the venue: balances are checked, everything is remembered and told.
    Client,
    /// The simulation itself: makers and noise takers, without balance checks and outside the truth lists.
    House,
}

/// An order as it comes to the engine, checked for shape and signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Its id; for signed orders the EIP-712 hash.
    pub id: OrderId,
    /// Which token.
    pub token: TokenId,
    /// Buy or sell.
    pub side: Side,
    /// Worst price, in terms of `token`.
    pub price: Price,
    /// Shares.
    pub size: Size,
    /// How long it stands.
    pub tif: TimeInForce,
    /// Refuse it rather than let it match at once.
    pub post_only: bool,
    /// For GTD: the time in the order; the engine ends it 60 s earlier, as the venue does.
    pub expiration: Option<Timestamp>,
}

/// An order with what a signed one carries beyond [`NewOrder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The order.
    pub order: NewOrder,
    /// For FOK and FAK purchases: pUSD to spend. Such an order chases the amount, not the shares.
    pub budget: Option<Usd>,
    /// The wallet that the order names as maker.
    pub maker: String,
    /// The API key that it was posted with; what the venue calls the owner.
    pub owner: String,
}

/// What became of an accepted order at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its id.
    pub id: OrderId,
    /// Whether anything matched.
    pub matched: bool,
    /// What was given: pUSD when buying, shares when selling.
    pub making: Usd,
    /// What was got for it.
    pub taking: Usd,
    /// Trades made.
    pub trades: Vec<TradeId>,
}

/// What a cancel brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// Gone from the book by this call.
    pub cancelled: Vec<OrderId>,
    /// Not cancelled, with the venue's reason.
    pub not_cancelled: Vec<(OrderId, &'static str)>,
}

/// Why the engine refused an order. The text is the venue's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The same id was taken before, whatever became of it.
    #[error("order {id} is invalid. Duplicated.")]
    Duplicated {
        /// The id.
        id: OrderId,
    },
    /// Nobody knows the token.
    #[error("the orderbook {token} does not exist")]
    UnknownToken {
        /// The token.
        token: TokenId,
    },
    /// The market takes no orders, not yet or no longer.
    #[error("the market is not yet ready to process new orders")]
    NotAccepting,
    /// The price is off the grid.
    #[error("order {id} is invalid. Price ({price}) breaks minimum tick size rule: {tick}")]
    TickSize {
        /// The order.
        id: OrderId,
        /// Its price.
        price: Price,
        /// The grid.
        tick: Price,
    },
    /// Too few shares.
    #[error("order {id} is invalid. Size ({size}) lower than the minimum: {minimum}")]
    MinimumSize {
        /// The order.
        id: OrderId,
        /// Its size.
        size: Size,
        /// The least allowed.
        minimum: Size,
    },
    /// An amount is finer than a millionth, not positive, or absurdly large.
    #[error("order {id} is invalid. invalid amounts")]
    Amounts {
        /// The order.
        id: OrderId,
    },
    /// Too soon for a GTD order, or given with another kind.
    #[error("invalid expiration")]
    Expiration,
    /// It was to rest and would match.
    #[error("invalid post-only order: order crosses book")]
    PostOnlyCrosses,
    /// Not enough pUSD or shares free. Amounts are millionths, as the venue writes them.
    #[error(
        "not enough balance / allowance: the balance is not enough -> balance: {balance}, sum of active orders: {reserved}, order amount: {amount}"
    )]
    NotEnough {
        /// What the account has.
        balance: i64,
        /// What its open orders bind.
        reserved: i64,
        /// What this one needs.
        amount: i64,
    },
    /// Fill-or-kill, killed.
    #[error("order couldn't be fully filled. FOK orders are fully filled or killed.")]
    FokKilled {
        /// The order, which is now known and dead.
        id: OrderId,
    },
    /// Fill-and-kill with nothing to fill.
    #[error("no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.")]
    FakKilled {
        /// The order, which is now known and dead.
        id: OrderId,
    },
}

/// Why an order ended without being matched in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// By its owner, or as the rest of a FAK order.
    Request,
    /// By the dead man's switch, which the venue tells like a request.
    Swept,
    /// The market closed.
    MarketResolved,
    /// Its time was over.
    Expired,
    /// A trade failed, and what it had brought no longer covers the order.
    NotEnoughBalance,
    /// FOK without enough against it.
    FokKilled,
    /// FAK with nothing against it.
    FakKilled,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// Resting.
    Live,
    /// Nothing left of it.
    Matched,
    /// Ended otherwise.
    Cancelled(CancelReason),
}

impl OrderStatus {
    /// The venue's word.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Live => "LIVE",
            Self::Matched => "MATCHED",
            Self::Cancelled(CancelReason::Request | CancelReason::Swept) => "CANCELED",
            Self::Cancelled(CancelReason::MarketResolved) => "CANCELED_MARKET_RESOLVED",
            Self::Cancelled(CancelReason::Expired) => "CANCELED_EXPIRED_ORDER",
            Self::Cancelled(CancelReason::NotEnoughBalance) => "CANCELED_NOT_ENOUGH_BALANCE",
            Self::Cancelled(CancelReason::FokKilled) => {
                "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed."
            }
            Self::Cancelled(CancelReason::FakKilled) => {
                "CANCELED_no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
            }
        }
    }
}

/// An order as the engine keeps it. Amounts are millionths.
#[derive(Clone, Debug)]
pub(super) struct OrderRecord {
    pub(super) number: u64,
    pub(super) id: OrderId,
    pub(super) account: AccountId,
    pub(super) client: bool,
    pub(super) market: Arc<Market>,
    pub(super) index: usize,
    pub(super) side: Side,
    pub(super) price: i64,
    pub(super) size: i64,
    pub(super) matched: i64,
    /// What is bound for it: pUSD for a purchase, shares for a sale.
    pub(super) reserved: i64,
    pub(super) tif: TimeInForce,
    pub(super) expiration: Option<Timestamp>,
    pub(super) created_at: Timestamp,
    pub(super) status: OrderStatus,
    pub(super) trades: Vec<TradeId>,
    pub(super) maker: Arc<str>,
    pub(super) owner: Arc<str>,
}

impl OrderRecord {
    pub(super) fn token(&self) -> &TokenId {
        &self.market.tokens[self.index].token
    }

    pub(super) const fn remaining(&self) -> i64 {
        self.size - self.matched
    }

    /// When the engine ends it: the venue takes GTD orders off 60 s before the time they name.
    pub(super) fn ends_at(&self) -> Option<Timestamp> {
        self.expiration.map(|at| at.minus(std::time::Duration::from_mins(1)))
    }
}
