//! Shares in one order.

use super::{shares, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Size, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// More than nothing, and at most the limit.
#[must_use]
pub fn check(intent: &OrderIntent, _view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let passed = intent.size > Size::ZERO && intent.size <= limits.order_size;
    let most = limits.order_size;
    verdict(Control::OrderSize, shares(intent.size), text!("above 0, up to {}", shares(most)), passed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench::{Bench, buy, sell};

    #[test]
    fn the_limit_passes_and_the_smallest_step_beyond_fails() {
        let bench = Bench::new();
        for (size, passed) in [("100", true), ("100.00", true), ("100.000001", false), ("0", false), ("-1", false)] {
            assert_eq!(bench.run(check, &buy("0.50", size)).passed, passed, "buy {size}");
            assert_eq!(bench.run(check, &sell("0.50", size)).passed, passed, "sell {size}");
        }
    }
}
