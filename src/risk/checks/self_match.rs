//! Trading with oneself.

use rust_decimal::Decimal;

use super::verdict;
use crate::domain::{CheckResult, Control, OrderIntent, Side, Text, Timestamp};
use crate::risk::{Commitment, Limits, RiskView};

/// The intent crosses no open order of ours. The venue matches the two outcomes of a market with each other, so two buys of
/// opposite outcomes cross when their prices add up to 1 or more, two sales when they add up to 1 or less.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, _limits: &Limits, _now: Timestamp) -> CheckResult {
    let opposite = view.market.and_then(|market| market.opposite(&intent.token));
    let crosses = |order: &&Commitment| {
        let (ours, theirs) = (intent.price.decimal(), order.price.decimal());
        let same_token = order.token == intent.token;
        let other_token = opposite == Some(&order.token);
        match (intent.side, order.side) {
            (Side::Buy, Side::Sell) => same_token && theirs <= ours,
            (Side::Sell, Side::Buy) => same_token && theirs >= ours,
            (Side::Buy, Side::Buy) => other_token && ours + theirs >= Decimal::ONE,
            (Side::Sell, Side::Sell) => other_token && ours + theirs <= Decimal::ONE,
        }
    };
    let crossed = view.holdings.open().find(crosses);
    let value = crossed.map_or_else(
        || Text::from("crosses none of ours"),
        |order| format!("crosses {}: {} {} at {}", order.intent, order.side, order.token, order.price).into(),
    );
    verdict(Control::SelfMatch, value, "no open order of ours crossed", crossed.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench::{Bench, buy, sell};

    fn passes(resting: &OrderIntent, wanted: &OrderIntent) -> bool {
        let mut bench = Bench::new();
        bench.reserve(resting);
        bench.run(check, wanted).passed
    }

    fn down(intent: OrderIntent) -> OrderIntent {
        OrderIntent { token: "down".into(), ..intent }
    }

    #[test]
    fn one_token_crosses_at_the_same_price() {
        assert!(passes(&sell("0.51", "5"), &buy("0.50", "5")));
        assert!(!passes(&sell("0.50", "5"), &buy("0.50", "5")));
        assert!(passes(&buy("0.49", "5"), &sell("0.50", "5")));
        assert!(!passes(&buy("0.50", "5"), &sell("0.50", "5")));
        assert!(passes(&buy("0.50", "5"), &buy("0.50", "5")));
    }

    #[test]
    fn two_outcomes_cross_when_their_prices_meet_at_one() {
        assert!(passes(&down(buy("0.49", "5")), &buy("0.50", "5")));
        assert!(!passes(&down(buy("0.50", "5")), &buy("0.50", "5")));
        assert!(passes(&down(sell("0.51", "5")), &sell("0.50", "5")));
        assert!(!passes(&down(sell("0.50", "5")), &sell("0.50", "5")));
        assert!(passes(&down(sell("0.50", "5")), &buy("0.50", "5")));
    }
}
