//! How many orders are open at one time.

use super::{orders, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp};
use crate::risk::{Limits, RiskView};

/// Orders open, unknown or on their way, this one included, at most the limit.
#[must_use]
pub fn check(_intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let after = view.holdings.open_count() as u64 + 1;
    let most = u64::from(limits.open_orders);
    verdict(Control::OpenOrders, orders(after), orders(most), after <= most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench::{Bench, buy, sell};

    #[test]
    fn the_last_place_can_be_taken_and_no_further() {
        let mut bench = Bench::new();
        bench.limits.open_orders = 2;
        bench.reserve(&sell("0.60", "5"));
        assert!(bench.run(check, &buy("0.50", "5")).passed);
        bench.reserve(&buy("0.40", "5"));
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
    }
}
