use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MarketId, Price, Side, Size, Slug, StrategyId, Timestamp, TokenId, Usd};

/// What we hold of one token: the fold of its journals, at average cost. A fill is provisional until its trade is confirmed.
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
    /// Shares held, provisional ones included.
    pub size: Size,
    /// Shares held when only confirmed fills count.
    pub confirmed: Size,
    /// Shares in provisional purchases: they may never come.
    pub pending_buys: Size,
    /// Shares in provisional sales: they may come back.
    pub pending_sells: Size,
    /// What is held and what may come back from provisional sales cost, their fees included.
    #[serde(default)]
    pub at_stake: Usd,
    /// What confirmed purchases cost less what confirmed sales brought, fees included.
    #[serde(default)]
    pub paid: Usd,
    /// The provisional fills, each of which may fail.
    #[serde(default)]
    pub provisional: Vec<Lot>,
    /// Average price paid for them, fees apart.
    pub avg_price: Price,
    /// What a share of it is valued at: what all of them would bring on average at the closing side of a fresh book, those beyond its
    /// depth nothing, or the payout after resolution.
    pub mark: Option<Price>,
    /// When the mark was seen; an old mark is kept, not zeroed.
    pub mark_at: Option<Timestamp>,
    /// What each share pays, once the market is resolved.
    pub payout: Option<Price>,
    /// Profit on shares sold, fees apart, provisional sales included.
    pub realised: Usd,
    /// The same when only confirmed fills count.
    pub realised_confirmed: Usd,
    /// Profit on shares held, at the mark; absent without a mark.
    pub unrealised: Option<Usd>,
    /// Fees paid on this token.
    pub fees: Usd,
    /// Whose it is. Each strategy's part at its own average cost: only the shares and fees add up to the whole.
    pub parts: Vec<PositionPart>,
}

impl Position {
    /// Whether nothing can come of it any more: nothing is held, or what is held was resolved to nothing.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.size.is_zero() || self.payout.is_some_and(Price::is_zero)
    }

    /// What the shares held can be redeemed for; nothing before the market is resolved.
    #[must_use]
    pub fn redeemable(&self) -> Option<Usd> {
        self.payout.map(|payout| payout.notional(self.size))
    }
}

/// Shares at a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lot {
    /// Bought or sold.
    pub side: Side,
    /// For how much each.
    pub price: Price,
    /// How many.
    pub size: Size,
    /// Fee paid for them.
    #[serde(default)]
    pub fee: Usd,
}

/// A strategy's part in a position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PositionPart {
    /// Which; absent for what no intent of ours asked for.
    pub strategy: Option<StrategyId>,
    /// Shares held, provisional ones included.
    pub size: Size,
    /// Shares in provisional purchases.
    #[serde(default)]
    pub pending_buys: Size,
    /// What they and those that may come back from provisional sales cost, their fees included.
    #[serde(default)]
    pub at_stake: Usd,
    /// Average price paid for them, fees apart.
    pub avg_price: Price,
    /// Profit on shares sold, fees apart.
    pub realised: Usd,
    /// Fees paid.
    pub fees: Usd,
}

/// Profit and loss over all positions. `total = realised + unrealised - fees`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pnl {
    /// On shares sold, fees apart, provisional sales included.
    pub realised: Usd,
    /// The same when only confirmed fills count.
    pub realised_confirmed: Usd,
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
    /// Cost of unresolved positions plus what open buy orders may cost, unknown ones at full size, all with their fees.
    pub gross: Usd,
    /// The most that is allowed.
    pub limit: Usd,
}

/// pUSD that buys may use. What open orders have reserved is not taken off yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Funds {
    /// What the books are sure of: proceeds of sales that are not confirmed are left out, and what the venue shows less.
    pub free: Usd,
    /// What the exchanges may still take, the least of their allowances; absent when that is without bound.
    pub allowance: Option<Usd>,
}

/// Total profit against what it is measured by, or why it is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EquityState {
    /// Now; absent while something that is held has no mark to go by.
    pub current: Option<Usd>,
    /// The highest of the UTC day.
    pub peak: Usd,
    /// When the UTC day began.
    pub day_start: Usd,
    /// The highest of the rolling window.
    pub rolling_high: Usd,
    /// Why it is not known, in words.
    pub unknown: Option<String>,
}
