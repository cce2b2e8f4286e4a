//! What one market can lose in its worst outcome, open orders and fees included.

use super::{pusd, unknown, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp, text};
use crate::risk::{Limits, RiskView, worst_loss};

/// The worst loss after this intent, at most the limit. What adds nothing to it, a hedge or a sale of shares that hedge nothing,
/// passes also beyond the limit. Without the market its outcomes are not known, so nothing can be said and the intent is refused.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let limit = pusd(limits.market_loss);
    let Some(market) = view.market else {
        return verdict(Control::MarketLoss, unknown(intent), limit, false);
    };
    let loss = worst_loss(market, view.holdings, Some(view.wanted(intent)));
    let passed = loss <= limits.market_loss || loss <= worst_loss(market, view.holdings, None);
    verdict(Control::MarketLoss, text!("{} in the worst outcome", pusd(loss)), limit, passed)
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::Usd;
    use crate::risk::checks::bench::{Bench, buy, charging, sell};

    #[test]
    fn the_limit_passes_and_a_cent_beyond_it_fails() {
        let mut bench = Bench::new();
        bench.limits.market_loss = Usd(dec!(60));
        bench.hold("up", "80", "0.50");
        bench.reserve(&buy("0.50", "20"));
        assert!(bench.run(check, &buy("0.50", "20")).passed);
        assert!(!bench.run(check, &buy("0.50", "20.02")).passed);
    }

    #[test]
    fn fees_count_in_both_directions() {
        let mut bench = Bench::new();
        bench.market = Some(charging());
        bench.limits.market_loss = Usd(dec!(20.7));
        assert!(bench.run(check, &buy("0.50", "40")).passed, "20 and the fee");
        assert!(!bench.run(check, &buy("0.50", "40.01")).passed);
        bench.hold("down", "100", "0.20");
        bench.hold("up", "100", "0.20");
        assert!(
            bench.run(check, &sell("0.40", "97.90")).passed,
            "58.74 less when Up wins, 1.64472 of fee, and 60 gained before"
        );
        bench.limits.market_loss = Usd(dec!(0.38));
        assert!(!bench.run(check, &sell("0.40", "97.90")).passed);
    }

    #[test]
    fn the_other_outcome_hedges_and_a_sale_always_passes() {
        let mut bench = Bench::new();
        bench.limits.market_loss = Usd(dec!(10));
        bench.hold("down", "40", "0.50");
        assert!(bench.run(check, &buy("0.50", "40")).passed, "20 at stake when it stays unmatched, as before");
        assert!(!bench.run(check, &buy("0.50", "80.02")).passed, "and 20.01 when it is matched and Down wins");
        bench.hold("up", "200", "0.50");
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
        assert!(bench.run(check, &sell("0.50", "5")).passed);
    }

    #[test]
    fn one_leg_of_a_hedge_is_no_sale_that_always_passes() {
        let mut bench = Bench::new();
        bench.limits.market_loss = Usd(dec!(60));
        bench.hold("up", "100", "0.60");
        bench.hold("down", "100", "0.60");
        assert!(bench.run(check, &sell("0.20", "50")).passed, "20 lost now, 40 less to come when Up wins: 60");
        assert!(!bench.run(check, &sell("0.20", "50.02")).passed);
    }
}
