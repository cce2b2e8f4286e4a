//! Shares held of one token, open orders included.

use super::{shares, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Side, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// A buy: shares held, being bought and wanted together stay within the cap. A sale: never more than its strategy holds and has not on
/// sale already, since nothing is sold short, and nobody sells what another strategy has bought.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let holding = view.holdings.token(&intent.token);
    let (value, limit, passed) = match intent.side {
        Side::Buy => {
            let total = holding.held_long() + holding.buying + intent.size;
            let (held, buying, wanted) = (holding.held, holding.buying, intent.size);
            (
                text!("{}: {held} held, {buying} being bought, {wanted} wanted", shares(total)),
                limits.position_cap,
                total <= limits.position_cap,
            )
        }
        Side::Sell => {
            let sellable = view.holdings.sellable_by(intent.strategy.as_str(), &intent.token);
            let (wanted, held, selling) = (intent.size, holding.held, holding.selling);
            let value = text!("{} to sell: {held} held, {selling} on sale, by all strategies", shares(wanted));
            (value, sellable, intent.size <= sellable)
        }
    };
    verdict(Control::PositionCap, value, shares(limit), passed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{FeeSchedule, Order};
    use crate::risk::checks::bench::{Bench, buy, sell};

    #[test]
    fn held_buying_and_wanted_together_reach_the_cap_and_no_further() {
        let mut bench = Bench::new();
        bench.hold("up", "120", "0.50");
        bench.holdings.add_order(&Order::new(buy("0.50", "40"), bench.now), FeeSchedule::FREE);
        bench.reserve(&buy("0.50", "20"));
        assert!(bench.run(check, &buy("0.50", "20")).passed);
        assert!(!bench.run(check, &buy("0.50", "20.01")).passed);
    }

    #[test]
    fn nothing_is_sold_short_or_twice() {
        let mut bench = Bench::new();
        assert!(!bench.run(check, &sell("0.50", "0.01")).passed);
        bench.hold("up", "30", "0.50");
        bench.reserve(&sell("0.50", "10"));
        assert!(bench.run(check, &sell("0.50", "20")).passed);
        assert!(!bench.run(check, &sell("0.50", "20.01")).passed);
    }

    #[test]
    fn nobody_sells_what_another_strategy_holds() {
        let mut bench = Bench::new();
        bench.hold("up", "30", "0.50");
        let other = |size: &str| OrderIntent { strategy: "reversion".into(), ..sell("0.50", size) };
        assert!(!bench.run(check, &other("5")).passed);
        bench.reserve(&other("25"));
        assert!(bench.run(check, &sell("0.50", "5")).passed);
        assert!(!bench.run(check, &sell("0.50", "5.01")).passed, "the account has no more to deliver");
    }

    #[test]
    fn a_negative_position_makes_no_room() {
        let mut bench = Bench::new();
        bench.hold("up", "-50", "0.50");
        assert!(bench.run(check, &buy("0.50", "200")).passed);
        assert!(!bench.run(check, &buy("0.50", "200.01")).passed);
    }
}
