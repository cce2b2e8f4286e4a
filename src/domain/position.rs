use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MarketId, Price, Size, Slug, Timestamp, TokenId, Usd};

/// What we hold of one token: the fold of its fills that have not failed, at average cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    /// Market.
    pub market: MarketId,
    /// Its readable name, when known.
    pub slug: Option<Slug>,
    /// Token.
    pub token: TokenId,
    /// The outcome it stands for.
    pub outcome: String,
    /// Shares held.
    pub size: Size,
    /// Average price paid for them, fees apart.
    pub avg_price: Price,
    /// What it is valued at: the closing side of a fresh book, or the payout after resolution.
    pub mark: Option<Price>,
    /// When the mark was seen; an old mark is kept, not zeroed.
    pub mark_at: Option<Timestamp>,
    /// What each share pays, once the market is resolved.
    pub payout: Option<Price>,
    /// Profit on shares sold, fees apart.
    pub realised: Usd,
    /// Profit on shares held, at the mark; absent without a mark.
    pub unrealised: Option<Usd>,
    /// Fees paid on this token.
    pub fees: Usd,
}

/// Profit and loss over all positions. `total = realised + unrealised - fees`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pnl {
    /// On shares sold, fees apart.
    pub realised: Usd,
    /// On shares held, at their marks.
    pub unrealised: Usd,
    /// Fees paid.
    pub fees: Usd,
    /// The sum.
    pub total: Usd,
}

/// pUSD at stake against its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exposure {
    /// Cost of unresolved positions plus the notional of open buy orders, unknown ones at full size.
    pub gross: Usd,
    /// The most that is allowed.
    pub limit: Usd,
}
