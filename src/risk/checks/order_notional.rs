//! pUSD in one order.

use super::{pusd, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp};
use crate::risk::{Limits, RiskView};

/// Limit price times shares, at most the limit, on either side.
#[must_use]
pub fn check(intent: &OrderIntent, _view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let notional = intent.price.notional(intent.size);
    verdict(Control::OrderNotional, pusd(notional), pusd(limits.order_notional), notional <= limits.order_notional)
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::Usd;
    use crate::risk::checks::bench::{Bench, buy, sell};

    #[test]
    fn the_limit_passes_and_the_smallest_step_beyond_fails() {
        let mut bench = Bench::new();
        bench.limits.order_notional = Usd(dec!(40));
        for (size, passed) in [("80", true), ("80.01", false)] {
            assert_eq!(bench.run(check, &buy("0.50", size)).passed, passed, "buy {size}");
            assert_eq!(bench.run(check, &sell("0.50", size)).passed, passed, "sell {size}");
        }
    }
}
