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
    /// Most pUSD that the markets of one event group can lose together in their worst outcome, open orders included.
    pub group_loss: Usd,
    /// Most pUSD at stake of one strategy, open buy orders included.
    pub strategy_exposure: Usd,
    /// Most orders that may be open, unknown or on their way at one time.
    pub open_orders: u32,
    /// Most orders of one strategy within a minute.
    pub strategy_rate: u32,
    /// Most orders of the account within a minute.
    pub account_rate: u32,
    /// Most orders of one strategy on the same token and side within `repeated_window`. One more halts the strategy until a person
    /// arms.
    pub repeated_executions: u32,
    /// How far back they are counted, at most an hour.
    pub repeated_window: Duration,
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
    /// Most that equity may fall below the highest of the last `rolling_window` before everything is killed.
    pub rolling_loss: Usd,
    /// How far back that highest is looked for, at most a week.
    pub rolling_window: Duration,
    /// How many measurements in a row, a second apart, must agree before a loss kills or a peak counts.
    pub drawdown_confirmations: u32,
    /// How long what is held may go without a price of its book before equity counts as not known.
    pub mark_age: Duration,
    /// Oldest book or tick that a decision may rest on.
    pub data_age: Duration,
}
