//! What the markets of one event can lose together in their worst outcome, open orders and fees included.

use super::{pusd, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// The group's worst loss after this intent, at most the limit. What adds nothing to it passes also beyond the limit. A market
/// that is in no group has its own limit alone.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let limit = pusd(limits.group_loss);
    let Some(group) = view.group else {
        return verdict(Control::GroupLoss, "in no event group", limit, true);
    };
    let loss = group.worst_loss(view.holdings, Some(view.wanted(intent)));
    let passed = loss <= limits.group_loss || loss <= group.worst_loss(view.holdings, None);
    let markets = group.len();
    let value = text!("{} in the worst outcome of {markets} known markets", pusd(loss));
    verdict(Control::GroupLoss, value, limit, passed)
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::{Market, OutcomeToken, Usd};
    use crate::risk::checks::bench::{Bench, buy, market, sell};

    fn other() -> Market {
        let token = |token: &str| OutcomeToken { token: token.into(), outcome: token.into() };
        Market {
            market: "0xother".into(),
            tokens: [token("other-yes"), token("other-no")],
            group: Some("g".into()),
            ..market()
        }
    }

    fn grouped() -> Bench {
        let mut bench = Bench::new();
        bench.market = Some(Market { group: Some("g".into()), ..market() });
        bench.others = vec![other()];
        bench.limits.group_loss = Usd(dec!(60));
        bench
    }

    #[test]
    fn both_markets_together_reach_the_limit_and_no_further() {
        let mut bench = grouped();
        bench.hold("other-yes", "80", "0.50");
        let over = bench.run(check, &buy("0.50", "40.02"));
        assert!(!over.passed, "neither may come true: 40 and 20.01");
        assert_eq!(over.value, "60.01 pUSD in the worst outcome of 2 known markets");
        assert!(bench.run(check, &buy("0.50", "40")).passed);
        bench.others.clear();
        assert!(!bench.run(check, &buy("0.50", "40.02")).passed, "what is not known is lost");
        bench.market = Some(market());
        assert!(bench.run(check, &buy("0.50", "40.02")).passed, "a market of its own");
    }

    #[test]
    fn no_on_both_pays_at_least_once_and_a_sale_that_hedges_nothing_passes_beyond_the_limit() {
        let mut bench = grouped();
        bench.hold("other-no", "100", "0.80");
        bench.hold("down", "100", "0.70");
        let more = |price: &str, size: &str| OrderIntent { token: "down".into(), ..buy(price, size) };
        assert!(bench.run(check, &more("0.70", "14")).passed, "150 paid, one of the two pays 100");
        bench.limits.group_loss = Usd(dec!(1));
        assert!(!bench.run(check, &more("0.70", "5")).passed);
        bench.hold("up", "100", "0.70");
        assert!(bench.run(check, &sell("0.50", "5")).passed);
    }
}
