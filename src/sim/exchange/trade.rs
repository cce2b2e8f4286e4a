use std::sync::Arc;

use super::order::AccountId;
use crate::domain::{FillStatus, Market, OrderId, Price, Side, Size, Timestamp, TokenId, TradeId, Usd};

/// One order's part in a trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The order.
    pub order: OrderId,
    /// Whose it is.
    pub account: AccountId,
    /// Whether that is a client of the venue.
    pub client: bool,
    /// The wallet named as maker in the order.
    pub maker: Arc<str>,
    /// The API key it was posted with.
    pub owner: Arc<str>,
    /// Which of the market's tokens: 0 or 1.
    pub index: usize,
    /// Buy or sell.
    pub side: Side,
    /// Price, in terms of its token.
    pub price: Price,
    /// Shares.
    pub size: Size,
}

/// What one incoming order did at one price: with one or several resting orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Sorts trades by age.
    pub number: u64,
    /// Id.
    pub id: TradeId,
    /// The market.
    pub market: Arc<Market>,
    /// The incoming order.
    pub taker: Leg,
    /// The resting ones.
    pub makers: Vec<Leg>,
    /// What the taker pays on top.
    pub fee: Usd,
    /// How far settlement is.
    pub status: FillStatus,
    /// When it was matched.
    pub matched_at: Timestamp,
    /// When its status changed last.
    pub updated_at: Timestamp,
    /// Absent until mined.
    pub transaction: Option<Arc<str>>,
}

impl Trade {
    /// The token of a leg.
    #[must_use]
    pub fn token(&self, leg: &Leg) -> &TokenId {
        &self.market.tokens[leg.index].token
    }

    /// The outcome of a leg.
    #[must_use]
    pub fn outcome(&self, leg: &Leg) -> &str {
        &self.market.tokens[leg.index].outcome
    }

    /// Every leg, the taker's first.
    pub fn legs(&self) -> impl Iterator<Item = &Leg> {
        std::iter::once(&self.taker).chain(&self.makers)
    }

    /// Whether the account has a part in it.
    #[must_use]
    pub fn involves(&self, account: &AccountId) -> bool {
        self.legs().any(|leg| leg.account == *account)
    }
}
