use std::time::Duration;

use rust_decimal::Decimal;

use crate::domain::params::parameters;
use crate::domain::{ParamKind, Size, Usd};

/// An amount from nothing upwards.
const AMOUNT: ParamKind = ParamKind::Decimal { low: "0", high: "1000000000" };
/// So many orders.
const ORDERS: ParamKind = ParamKind::Integer { low: 1, high: 10_000 };

parameters! {
    /// Every limit of the gate, each with the way in which it is tighter. There is no default: a missing limit is a start-up error,
    /// never "unlimited".
    pub struct Limits {
        /// Only what reduces exposure may be sent.
        reduce_only: bool = ParamKind::Flag, "reduce_only", "", On;
        /// Most shares in one order.
        order_size: Size = AMOUNT, "order_size", "shares", Lower;
        /// Most pUSD in one order.
        order_notional: Usd = AMOUNT, "order_notional", "pUSD", Lower;
        /// Furthest that a price may lie beyond the best price of the opposite side, as a price difference.
        price_collar: Decimal = ParamKind::Decimal { low: "0", high: "0.5" }, "price_collar", "", Lower;
        /// Most shares of one token, open buy orders included.
        position_cap: Size = AMOUNT, "position_cap", "shares", Lower;
        /// Most pUSD that one market can lose in its worst outcome, open orders included.
        market_loss: Usd = AMOUNT, "market_loss", "pUSD", Lower;
        /// Most pUSD at stake over all markets, open buy orders included.
        gross_exposure: Usd = AMOUNT, "gross_exposure", "pUSD", Lower;
        /// Most orders that may be open, unknown or on their way at one time.
        open_orders: u32 = ORDERS, "open_orders", "orders", Lower;
        /// Most orders of one strategy within a minute.
        strategy_rate: u32 = ORDERS, "strategy_rate", "a minute", Lower;
        /// Most orders of the account within a minute.
        account_rate: u32 = ORDERS, "account_rate", "a minute", Lower;
        /// The same order of a strategy again within this time is taken for a defect.
        duplicate_within: Duration = ParamKind::Millis { low: 0, high: 60_000 }, "duplicate_ms", "ms", Higher;
        /// Markets that may be traded: slugs, or patterns such as `btc-updown-5m-{start}`. Nothing else may.
        markets: Vec<String> = ParamKind::Markets, "markets", "", Fewer;
        /// No new position this shortly before a market closes.
        blackout: Duration = ParamKind::Seconds { low: 0, high: 86_400 }, "blackout_s", "s", Higher;
        /// Most pUSD that the UTC day may lose before nothing more is bought.
        daily_loss: Usd = AMOUNT, "daily_loss", "pUSD", Lower;
        /// Most that equity may fall below the day's peak before everything is killed.
        daily_drawdown: Usd = AMOUNT, "daily_drawdown", "pUSD", Lower;
        /// Oldest book or tick that a decision may rest on. A book's age counts from when it was last known to be true.
        data_age: Duration = ParamKind::Millis { low: 100, high: 60_000 }, "data_age_ms", "ms", Lower;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::params::{Params, assert_declared};
    use crate::risk::checks::bench;

    #[test]
    fn every_limit_is_declared_with_the_way_in_which_it_is_tighter() {
        assert_declared(&bench::limits());
        assert_declared(&bench::wide());
        for spec in Limits::TABLE {
            assert!(spec.tighter.is_some() && !spec.is_fixed(), "{}", spec.name);
        }
    }
}
