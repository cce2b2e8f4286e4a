//! pUSD at stake over all markets, open orders and fees included.

use super::{pusd, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Side, Timestamp};
use crate::risk::{Limits, RiskView};

/// What is at stake already plus what the buy may cost, at most the limit. A sale of shares held adds nothing and passes,
/// also when the limit is exceeded already.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let gross = view.holdings.gross();
    let (after, passed) = match intent.side {
        Side::Buy => {
            let after = gross + view.cost(intent);
            (after, after <= limits.gross_exposure)
        }
        Side::Sell => (gross, true),
    };
    verdict(Control::GrossExposure, pusd(after), pusd(limits.gross_exposure), passed)
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::Usd;
    use crate::risk::checks::bench::{Bench, buy, charging, sell};

    #[test]
    fn all_that_is_at_stake_reaches_the_limit_and_no_further() {
        let mut bench = Bench::new();
        bench.limits.gross_exposure = Usd(dec!(100));
        bench.hold("elsewhere", "100", "0.60");
        bench.reserve(&buy("0.50", "40"));
        assert!(bench.run(check, &buy("0.50", "40")).passed);
        assert!(!bench.run(check, &buy("0.50", "40.01")).passed);
    }

    #[test]
    fn the_taker_fee_counts_unless_the_order_can_only_rest() {
        let mut bench = Bench::new();
        bench.market = Some(charging());
        bench.limits.gross_exposure = Usd(dec!(41.4));
        bench.reserve(&buy("0.50", "40"));
        assert!(bench.run(check, &buy("0.50", "40")).passed, "40 and twice 0.70");
        assert!(!bench.run(check, &buy("0.50", "40.01")).passed);
        let resting = OrderIntent { post_only: true, ..buy("0.50", "41.4") };
        assert!(bench.run(check, &resting).passed);
        bench.market = None;
        assert!(!bench.run(check, &buy("0.50", "40.01")).passed, "the dearest fee while it is not known");
    }

    #[test]
    fn a_sale_passes_beyond_the_limit() {
        let mut bench = Bench::new();
        bench.hold("up", "2000", "0.60");
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
        assert!(bench.run(check, &sell("0.50", "20")).passed);
    }
}
