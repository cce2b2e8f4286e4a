//! The kill latch and the trading state.

use super::{is_reducing, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp, TradingState};
use crate::risk::{Limits, RiskView};

/// Active lets everything on, Reducing only what lowers exposure, Halted nothing.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, _limits: &Limits, _now: Timestamp) -> CheckResult {
    let (limit, passed) = match view.trading_state {
        TradingState::Active => ("active", true),
        TradingState::Reducing => ("active, or a sale of shares held", is_reducing(intent, view)),
        TradingState::Halted => ("active", false),
    };
    verdict(Control::TradingState, view.trading_state.to_string(), limit, passed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench::{Bench, buy, sell};

    #[test]
    fn halted_denies_all_and_reducing_lets_only_sales_of_shares_held_through() {
        let mut bench = Bench::new();
        bench.hold("up", "20", "0.50");
        for (state, buying, selling, overselling) in [
            (TradingState::Active, true, true, true),
            (TradingState::Reducing, false, true, false),
            (TradingState::Halted, false, false, false),
        ] {
            bench.trading_state = state;
            assert_eq!(bench.run(check, &buy("0.50", "5")).passed, buying, "{state} buy");
            assert_eq!(bench.run(check, &sell("0.50", "20")).passed, selling, "{state} sell");
            assert_eq!(bench.run(check, &sell("0.50", "20.01")).passed, overselling, "{state} oversell");
        }
    }
}
