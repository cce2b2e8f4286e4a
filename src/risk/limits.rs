use std::time::Duration;

use rust_decimal::Decimal;

use crate::domain::{Size, Usd};

/// Every limit of the gate. There is no default: a missing limit is a start-up error, never "unlimited".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most shares in one order.
    pub order_size: Size,
    /// Most pUSD in one order.
    pub order_notional: Usd,
    /// Furthest that a price may lie beyond the best price of the opposite side, as a price difference.
    pub price_collar: Decimal,
    /// Most shares of one token, open buy orders included.
    pub position_cap: Size,
    /// Most pUSD at stake over all markets, open buy orders included.
    pub gross_exposure: Usd,
    /// Most pUSD that one market can lose in its worst outcome, open orders included.
    pub market_loss: Usd,
    /// Most orders that may be open, unknown or on their way at one time.
    pub open_orders: u32,
    /// Most orders of one strategy within a minute.
    pub strategy_rate: u32,
    /// Most orders of the account within a minute.
    pub account_rate: u32,
    /// The same order of a strategy again within this time is taken for a defect.
    pub duplicate_within: Duration,
    /// Markets that may be traded: slugs, or patterns such as `btc-updown-5m-{start}`. Nothing else may.
    pub markets: Vec<String>,
    /// No new position this shortly before a market closes.
    pub blackout: Duration,
    /// Most pUSD that the UTC day may lose before nothing more is bought.
    pub daily_loss: Usd,
    /// Most that equity may fall below the day's peak before nothing more is bought.
    pub daily_drawdown: Usd,
    /// Oldest book or tick that a decision may rest on. A book's age counts from when it was last known to be true.
    pub data_age: Duration,
}
