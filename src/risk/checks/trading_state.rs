//! The kill latch and the trading state.

use super::{is_reducing, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp, TradingState, text};
use crate::risk::{Limits, RiskView, reducing};

/// Active lets everything on, Reducing only what lowers exposure, Halted nothing. The limit `reduce_only` counts at once, whether the
/// state has followed it or not.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let state = match view.trading_state {
        TradingState::Active if limits.reduce_only => TradingState::Reducing,
        state => state,
    };
    let (limit, passed) = match state {
        TradingState::Active => ("active", true),
        TradingState::Reducing => ("active, or a sale of shares held", is_reducing(intent, view)),
        TradingState::Halted => ("active", false),
    };
    let why = (state == TradingState::Reducing).then(|| reducing(limits, view.equity.ok())).flatten();
    let value = why.map_or_else(|| text!("{state}"), |why| text!("{state}: {why}"));
    verdict(Control::TradingState, value, limit, passed)
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

    #[test]
    fn reduce_only_counts_before_the_state_has_followed_and_lifts_no_halt() {
        let mut bench = Bench::new();
        bench.limits.reduce_only = true;
        bench.hold("up", "20", "0.50");
        let denied = bench.run(check, &buy("0.50", "5"));
        assert_eq!((&*denied.value.to_string(), denied.passed), ("reducing: the limit reduce_only is set", false));
        assert!(bench.run(check, &sell("0.50", "20")).passed);
        bench.trading_state = TradingState::Halted;
        assert!(!bench.run(check, &sell("0.50", "20")).passed);
    }
}
