//! pUSD at stake of one strategy, open orders and fees included.

use super::{pusd, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Side, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// What the strategy has at stake already plus what the buy may cost, at most the limit. A sale adds nothing and passes.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let before = view.holdings.of_strategy(&intent.strategy);
    let (after, passed) = match intent.side {
        Side::Buy => {
            let after = before + view.cost(intent);
            (after, after <= limits.strategy_exposure)
        }
        Side::Sell => (before, true),
    };
    let strategy = intent.strategy.clone();
    let value = text!("{} of {strategy}", pusd(after));
    verdict(Control::StrategyExposure, value, pusd(limits.strategy_exposure), passed)
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::{Position, PositionPart, Size, Usd};
    use crate::risk::checks::bench::{self, Bench, buy, charging, position, sell};

    fn part(strategy: &str, shares: i64, at_stake: i64) -> PositionPart {
        bench::part(strategy, Size(shares.into()), Usd(at_stake.into()))
    }

    #[test]
    fn its_own_share_and_orders_reach_the_limit_and_those_of_others_do_not_count() {
        let mut bench = Bench::new();
        bench.limits.strategy_exposure = Usd(dec!(60));
        let parts = vec![part("momentum", 40, 20), part("weather", 160, 80)];
        bench.holdings.add_position(&Position { parts, ..position("up", "200", "0.50") });
        bench.reserve(&buy("0.50", "40"));
        bench.reserve(&OrderIntent { strategy: "weather".into(), ..buy("0.50", "100") });
        assert!(bench.run(check, &buy("0.50", "40")).passed);
        let denied = bench.run(check, &buy("0.50", "40.02"));
        assert_eq!((denied.passed, &*denied.value.to_string()), (false, "60.01 pUSD of momentum"));
        bench.market = Some(charging());
        assert!(!bench.run(check, &buy("0.50", "39")).passed, "0.6825 of fee");
        assert!(bench.run(check, &buy("0.50", "38")).passed);
        bench.limits.strategy_exposure = Usd(dec!(1));
        assert!(bench.run(check, &sell("0.50", "5")).passed);
    }
}
