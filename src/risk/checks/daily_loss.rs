//! What the UTC day has lost.

use super::{is_reducing, of_equity, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Text, Timestamp};
use crate::risk::{Limits, RiskView};

/// How far equity lies below where the UTC day began, at most the limit. Equity that is not known denies. Neither holds back a
/// sale of shares held.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let (value, within) = of_equity(view, limits.daily_loss, |equity| equity.day_loss());
    let limit = Text::amount(limits.daily_loss.decimal(), "pUSD lost in a day");
    verdict(Control::DailyLoss, value, limit, within || is_reducing(intent, view))
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
        bench.limits.daily_loss = Usd(dec!(100));
        bench.hold("up", "5", "0.50");
        for (current, passed) in [(dec!(-80), true), (dec!(-80.000001), false), (dec!(500), true)] {
            let day = Equity { peak: Usd(dec!(600)), day_start: Usd(dec!(20)), ..Equity::default() };
            bench.equity = Ok(Equity { current: Usd(current), ..day });
            assert_eq!(bench.run(check, &buy("0.50", "5")).passed, passed, "at {current}");
            assert!(bench.run(check, &sell("0.50", "5")).passed);
        }
        bench.equity = Err("no mark");
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
    }
}
