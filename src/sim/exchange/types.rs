use serde::{Serialize, Serializer};

use crate::domain::{
    FillStatus, Market, MarketId, OrderId, Price, Side, Size, TimeInForce, Timestamp, TokenId, TradeId, Usd,
};

/// Whose money: a checksummed address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct AccountId(String);

impl AccountId {
    /// From its address.
    #[must_use]
    pub fn new(address: impl AsRef<str>) -> Self {
        Self(address.as_ref().to_owned())
    }

    /// Its address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// Somebody from outside: balances are checked, orders and trades are kept.
    Client,
    /// Makers and noise takers: unlimited, and forgotten once an order of theirs is dead.
    House,
}

/// An order as it is placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Its id: the EIP-712 hash for clients, any unique text for the house.
    pub id: OrderId,
    /// Token.
    pub token: TokenId,
    /// Side.
    pub side: Side,
    /// Limit; for FOK and FAK the worst price.
    pub price: Price,
    /// Shares.
    pub size: Size,
    /// How long it may stay.
    pub tif: TimeInForce,
    /// Refuse rather than cross.
    pub post_only: bool,
    /// End of a GTD.
    pub expiration: Option<Timestamp>,
}

/// Where an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// Resting.
    Live,
    /// Nothing left of it.
    Matched,
    /// Ended, in the venue's words: `CANCELED`, `CANCELED_MARKET_RESOLVED`, ...
    Cancelled(String),
}

impl OrderStatus {
    /// The venue's word.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Live => "LIVE",
            Self::Matched => "MATCHED",
            Self::Cancelled(word) => word,
        }
    }
}

impl Serialize for OrderStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// An order as the exchange keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// What was placed.
    pub order: NewOrder,
    /// By whom.
    pub account: AccountId,
    /// API key of the owner; empty for the house.
    pub owner: String,
    /// Market.
    pub market: MarketId,
    /// Outcome of its token.
    pub outcome: String,
    /// Shares matched.
    pub matched: Size,
    /// Status.
    pub status: OrderStatus,
    /// When it was placed.
    pub created_at: Timestamp,
    /// Trades it took part in.
    pub trades: Vec<TradeId>,
}

impl OrderView {
    /// Shares that could still be matched.
    #[must_use]
    pub fn remaining(&self) -> Size {
        self.order.size - self.matched
    }
}

/// One side of a trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The order.
    pub order: OrderId,
    /// Its account.
    pub account: AccountId,
    /// API key of its owner; empty for the house.
    pub owner: String,
    /// Its token.
    pub token: TokenId,
    /// The outcome of that token.
    pub outcome: String,
    /// Its side.
    pub side: Side,
    /// Shares.
    pub size: Size,
    /// Price in its own token.
    pub price: Price,
}

/// One taker order against every maker order it met at one price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Its id.
    pub id: TradeId,
    /// Market.
    pub market: MarketId,
    /// The crossing order's leg; its size is the sum of the makers'.
    pub taker: Leg,
    /// The resting orders' legs.
    pub makers: Vec<Leg>,
    /// What the taker paid on top, or out of its proceeds.
    pub fee: Usd,
    /// Settlement.
    pub status: FillStatus,
    /// When it was matched.
    pub matched_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
    /// Hash of its transaction; empty until it is mined.
    pub transaction: String,
}

impl Trade {
    /// Every leg, the taker's first.
    pub fn legs(&self) -> impl Iterator<Item = &Leg> {
        std::iter::once(&self.taker).chain(&self.makers)
    }
}

/// What became of an order that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The order after matching.
    pub order: OrderView,
    /// Shares matched at once.
    pub matched: Size,
    /// pUSD that changed hands for them, fee apart.
    pub value: Usd,
    /// The trades.
    pub trades: Vec<TradeId>,
}

/// Why an order was not taken, in the venue's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// What a cancel did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// Ids that were resting and are gone.
    pub cancelled: Vec<OrderId>,
    /// Ids that were not, and why.
    pub not_cancelled: Vec<(OrderId, String)>,
}

/// A level of a token's book whose size changed; zero when it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelChange {
    /// Token.
    pub token: TokenId,
    /// Which side.
    pub side: Side,
    /// Price.
    pub price: Price,
    /// Shares resting at it now.
    pub size: Size,
}

/// What happened to a client's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderChange {
    /// It was placed.
    Placement,
    /// Some of it was matched.
    Update,
    /// It ended without being matched in full.
    Cancellation,
}

/// What the sockets pass on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExchangeEvent {
    /// Levels of a market changed, seen from both tokens.
    Levels {
        /// Market.
        market: MarketId,
        /// Every level that changed.
        changes: Vec<LevelChange>,
        /// When.
        at: Timestamp,
    },
    /// A trade was made, or its settlement moved on.
    Trade(Trade),
    /// A client's order changed.
    Order(OrderChange, OrderView, Timestamp),
    /// A market was listed.
    Listed(Market, Timestamp),
    /// A market was resolved; the payouts are in it.
    Resolved(Market, Timestamp),
}
