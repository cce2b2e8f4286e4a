//! Loss from the highest equity of a rolling window.

use super::{is_reducing, of_equity, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// How far equity lies below the highest of the window, at most the limit, across midnight too. Equity that is not known
/// denies. Neither holds back a sale of shares held.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let (value, within) = of_equity(view, limits.rolling_loss, |equity| equity.rolling_loss());
    let hours = limits.rolling_window().as_secs() / 3600;
    let most = limits.rolling_loss;
    let limit = text!("{most} pUSD below the highest of {hours} h");
    verdict(Control::RollingLoss, value, limit, within || is_reducing(intent, view))
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::Usd;
    use crate::risk::Equity;
    use crate::risk::checks::bench::{Bench, buy, sell};

    #[test]
    fn the_limit_passes_and_the_smallest_step_beyond_fails() {
        let mut bench = Bench::new();
        bench.hold("up", "5", "0.50");
        for (current, passed) in [(dec!(-200), true), (dec!(-200.000001), false), (dec!(70), true)] {
            let high = Equity { rolling_high: Usd(dec!(50)), ..Equity::default() };
            bench.equity = Ok(Equity { current: Usd(current), ..high });
            assert_eq!(bench.run(check, &buy("0.50", "5")).passed, passed, "at {current}");
            assert!(bench.run(check, &sell("0.50", "5")).passed);
        }
        bench.equity = Err("no mark");
        assert!(!bench.run(check, &buy("0.50", "5")).passed && bench.run(check, &sell("0.50", "5")).passed);
    }
}
