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
    /// Most that equity may fall below the day's peak before nothing more is bought.
    pub daily_drawdown: Usd,
    /// Oldest book or tick that a decision may rest on.
    pub data_age: Duration,
}
