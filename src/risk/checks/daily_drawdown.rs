//! Loss from the day's peak equity.

use super::{is_reducing, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp, Usd};
use crate::risk::{Limits, RiskView};

/// How far equity lies below the UTC day's peak, at most the limit. Equity that is not known denies. Neither holds back a
/// sale of shares held.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let drawdown = view.equity.map(|equity| equity.drawdown());
    let value = drawdown.map_or_else(|| "equity is not known".into(), |drawdown: Usd| format!("{drawdown} pUSD"));
    let within = drawdown.is_some_and(|drawdown| drawdown <= limits.daily_drawdown);
    let limit = format!("{} pUSD below the day's peak", limits.daily_drawdown);
    verdict(Control::DailyDrawdown, value, limit, within || is_reducing(intent, view))
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::risk::Equity;
    use crate::risk::checks::bench::{Bench, buy, sell};

    #[test]
    fn the_limit_passes_and_the_smallest_step_beyond_fails() {
        let mut bench = Bench::new();
        bench.hold("up", "5", "0.50");
        for (current, passed) in [(dec!(-150), true), (dec!(-150.000001), false), (dec!(70), true)] {
            bench.equity = Some(Equity { current: Usd(current), peak: Usd(dec!(50)), day_start: Usd::ZERO });
            assert_eq!(bench.run(check, &buy("0.50", "5")).passed, passed, "at {current}");
            assert!(bench.run(check, &sell("0.50", "5")).passed);
        }
    }

    #[test]
    fn unknown_equity_denies_what_increases() {
        let mut bench = Bench::new();
        bench.hold("up", "5", "0.50");
        bench.equity = None;
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
        assert!(bench.run(check, &sell("0.50", "5")).passed);
    }
}
