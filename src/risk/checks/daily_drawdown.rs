//! Loss from the day's peak equity.

use super::{is_reducing, of_equity, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Text, Timestamp};
use crate::risk::{Limits, RiskView};

/// How far equity lies below the UTC day's peak, at most the limit. Equity that is not known denies. Neither holds back a
/// sale of shares held.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let (value, within) = of_equity(view, limits.daily_drawdown, |equity| equity.drawdown());
    let limit = Text::amount(limits.daily_drawdown.decimal(), "pUSD below the day's peak");
    verdict(Control::DailyDrawdown, value, limit, within || is_reducing(intent, view))
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
        for (current, passed) in [(dec!(-150), true), (dec!(-150.000001), false), (dec!(70), true)] {
            bench.equity = Ok(Equity { current: Usd(current), peak: Usd(dec!(50)), ..Equity::default() });
            assert_eq!(bench.run(check, &buy("0.50", "5")).passed, passed, "at {current}");
            assert!(bench.run(check, &sell("0.50", "5")).passed);
        }
    }

    #[test]
    fn unknown_equity_denies_what_increases() {
        let mut bench = Bench::new();
        bench.hold("up", "5", "0.50");
        bench.equity = Err("no mark of token 7");
        let denied = bench.run(check, &buy("0.50", "5"));
        assert_eq!((denied.passed, &*denied.value.to_string()), (false, "equity is not known: no mark of token 7"));
        assert!(bench.run(check, &sell("0.50", "5")).passed);
    }
}
