use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MarketId, OrderId, Price, Side, Size, StrategyId, Timestamp, TokenId, TradeId, Usd};

/// Whether our order was resting or crossing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Ours was resting: no fee.
    Maker,
    /// Ours crossed: pays the fee.
    Taker,
}

/// Settlement of a fill. Only `Confirmed` and `Failed` are final; the others are provisional.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FillStatus {
    /// Matched by the venue, not yet on chain.
    Matched,
    /// In a block.
    Mined,
    /// The transaction is being tried again.
    Retrying,
    /// Final: ours.
    Confirmed,
    /// Final: never happened.
    Failed,
}

impl FillStatus {
    /// Whether it can no longer change.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Confirmed | Self::Failed)
    }
}

impl fmt::Display for FillStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Matched => "matched",
            Self::Mined => "mined",
            Self::Retrying => "retrying",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
        })
    }
}

/// A trade of ours: one order's part in one trade of the venue. Its identity is `(trade, order)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fill {
    /// The venue's trade.
    pub trade: TradeId,
    /// Our order in it.
    pub order: OrderId,
    /// The strategy that wanted it; absent for orders that are not ours by intent.
    pub strategy: Option<StrategyId>,
    /// Market.
    pub market: MarketId,
    /// Token.
    pub token: TokenId,
    /// The outcome it stands for.
    pub outcome: String,
    /// Our side.
    pub side: Side,
    /// Shares.
    pub size: Size,
    /// Price of our leg.
    pub price: Price,
    /// Fee that we pay.
    pub fee: Usd,
    /// Resting or crossing.
    pub role: Role,
    /// How far settlement is.
    pub status: FillStatus,
    /// When it was matched.
    pub matched_at: Timestamp,
}
