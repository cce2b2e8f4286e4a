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
        /// Most shares of both outcomes of one market together, open buy orders included.
        market_cap: Size = AMOUNT, "market_cap", "shares", Lower;
        /// Most pUSD that one market can lose in its worst outcome, open orders and fees included.
        market_loss: Usd = AMOUNT, "market_loss", "pUSD", Lower;
        /// Most pUSD that the markets of one event group can lose together in their worst outcome, open orders and fees included.
        group_loss: Usd = AMOUNT, "group_loss", "pUSD", Lower;
        /// Most pUSD at stake of one strategy, open buy orders and fees included.
        strategy_exposure: Usd = AMOUNT, "strategy_exposure", "pUSD", Lower;
        /// Most pUSD at stake over all markets, open buy orders and fees included.
        gross_exposure: Usd = AMOUNT, "gross_exposure", "pUSD", Lower;
        /// Most orders that may be open, unknown or on their way at one time.
        open_orders: u32 = ORDERS, "open_orders", "orders", Lower;
        /// Most orders of one strategy within a minute.
        strategy_rate: u32 = ORDERS, "strategy_rate", "a minute", Lower;
        /// Most orders of the account within a minute.
        account_rate: u32 = ORDERS, "account_rate", "a minute", Lower;
        /// Most orders of one strategy on the same token and side within the window. One more halts the strategy until a person arms.
        repeated_executions: u32 = ORDERS, "repeated_executions", "orders", Lower;
        /// How far back they are counted.
        repeated_window: Duration = ParamKind::Seconds { low: 10, high: 3_600 }, "repeated_window_s", "s", Higher;
        /// The same order of a strategy again within this time is taken for a defect.
        duplicate_within: Duration = ParamKind::Millis { low: 0, high: 60_000 }, "duplicate_ms", "ms", Higher;
        /// Markets that may be traded: slugs, or patterns such as `btc-updown-5m-{start}`. Nothing else may.
        markets: Vec<String> = ParamKind::Markets, "markets", "", Fewer;
        /// No new position this shortly before a market closes, and no look at its prices by which a loss kills or a peak counts.
        blackout: Duration = ParamKind::Seconds { low: 0, high: 86_400 }, "blackout_s", "s", Higher;
        /// Most pUSD that the UTC day may lose before nothing more is bought.
        daily_loss: Usd = AMOUNT, "daily_loss", "pUSD", Lower;
        /// Most that equity may fall below the day's peak before everything is killed.
        daily_drawdown: Usd = AMOUNT, "daily_drawdown", "pUSD", Lower;
        /// Most that equity may fall below the highest of the rolling window before everything is killed.
        rolling_loss: Usd = AMOUNT, "rolling_loss", "pUSD", Lower;
        /// How many hours back that highest is looked for.
        rolling_hours: u32 = ParamKind::Integer { low: 1, high: 168 }, "rolling_hours", "hours", Higher;
        /// How many looks at the price of each token, at least a second apart, must agree before a loss kills or a peak counts.
        drawdown_confirmations: u32 = ParamKind::Integer { low: 1, high: 60 }, "drawdown_confirmations", "looks", Lower;
        /// How long what is held may go without a price of its book before equity counts as not known.
        mark_age: Duration = ParamKind::Seconds { low: 5, high: 3_600 }, "mark_age_s", "s", Lower;
        /// Most pUSD that books and venue may differ by within 24 hours before everything is killed.
        mismatch_limit: Usd = AMOUNT, "mismatch_limit", "pUSD", Lower;
        /// So many permanent refusals of one kind by the venue within a minute stop further orders of that kind for a while.
        breaker_rejections: u32 = ParamKind::Integer { low: 1, high: 1_000 }, "breaker_rejections", "refusals", Lower;
        /// Oldest book or tick that a decision may rest on. A book's age counts from when it was last known to be true.
        data_age: Duration = ParamKind::Millis { low: 100, high: 60_000 }, "data_age_ms", "ms", Lower;
        /// How long nothing at all may be heard of the books of what is held or on order before everything is killed.
        data_mute: Duration = ParamKind::Seconds { low: 10, high: 86_400 }, "data_mute_s", "s", Lower;
        /// How long the outcome of an order may be unknown before its strategy is halted.
        unknown_halt: Duration = ParamKind::Seconds { low: 10, high: 3_600 }, "unknown_halt_s", "s", Lower;
        /// How long it may be unknown before everything is killed.
        unknown_kill: Duration = ParamKind::Seconds { low: 60, high: 86_400 }, "unknown_kill_s", "s", Lower;
    }
}

impl Limits {
    /// How many looks at prices must agree before they are acted upon.
    #[must_use]
    pub fn looks(&self) -> usize {
        self.drawdown_confirmations.max(1) as usize
    }

    /// How long before the end of a market its book is no proof of a loss or a peak any more, since makers take back their quotes.
    #[must_use]
    pub fn last_moments(&self) -> Duration {
        self.blackout.min(self.mark_age)
    }

    /// How far back the highest equity is looked for.
    #[must_use]
    pub const fn rolling_window(&self) -> Duration {
        Duration::from_hours(self.rolling_hours as u64)
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
