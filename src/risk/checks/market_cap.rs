//! Shares held of both outcomes of one market, open orders included.

use super::{shares, unknown, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Side, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// A buy: shares held and being bought of both outcomes and those wanted together stay within the cap. A sale adds none and passes.
/// Without the market its other outcome is not known, so nothing can be said and a buy is refused.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let limit = shares(limits.market_cap);
    if intent.side == Side::Sell {
        return verdict(Control::MarketCap, "a sale", limit, true);
    }
    let Some(market) = view.market else {
        return verdict(Control::MarketCap, unknown(intent), limit, false);
    };
    let before = view.holdings.shares_of(market);
    let total = before + intent.size;
    let wanted = intent.size;
    let value = text!(
        "{}: {} held or being bought of both outcomes, {wanted} wanted",
        shares(total),
        before.decimal().normalize()
    );
    verdict(Control::MarketCap, value, limit, total <= limits.market_cap)
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::{FeeSchedule, Order, Position, Size};
    use crate::risk::checks::bench::{Bench, buy, position, sell};

    fn down(size: &str) -> OrderIntent {
        OrderIntent { token: "down".into(), ..buy("0.40", size) }
    }

    #[test]
    fn both_outcomes_together_reach_the_cap_and_no_further() {
        let mut bench = Bench::new();
        bench.limits.market_cap = Size(dec!(200));
        bench.hold("up", "90", "0.50");
        bench.hold("elsewhere", "500", "0.50");
        bench.holdings.add_order(&Order::new(down("50"), bench.now), FeeSchedule::FREE);
        bench.reserve(&buy("0.50", "20"));
        assert!(bench.run(check, &down("40")).passed);
        let denied = bench.run(check, &buy("0.50", "40.01"));
        assert_eq!(
            (denied.passed, &*denied.value.to_string()),
            (false, "200.01 shares: 160 held or being bought of both outcomes, 40.01 wanted")
        );
    }

    #[test]
    fn a_sale_passes_beyond_the_cap_and_makes_no_room_before_it_is_settled() {
        let mut bench = Bench::new();
        bench.limits.market_cap = Size(dec!(100));
        let (size, pending_sells) = (Size(dec!(60)), Size(dec!(50)));
        bench.holdings.add_position(&Position { size, pending_sells, ..position("up", "0", "0.50") });
        assert!(!bench.run(check, &down("5")).passed, "110 if the sale fails");
        assert!(bench.run(check, &sell("0.50", "60")).passed);
    }

    #[test]
    fn a_negative_position_makes_no_room_and_an_unknown_market_has_none() {
        let mut bench = Bench::new();
        bench.limits.market_cap = Size(dec!(100));
        bench.hold("down", "-50", "0.50");
        assert!(bench.run(check, &buy("0.50", "100")).passed);
        assert!(!bench.run(check, &buy("0.50", "100.01")).passed);
        bench.market = None;
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
    }
}
