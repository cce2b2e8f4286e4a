//! How close to its end a market may still be entered.

use super::{is_reducing, millis, millis_and, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// Time left until the market closes, at least the limit. A sale of shares held passes at any time; a market without a known end
/// has no blackout.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, now: Timestamp) -> CheckResult {
    let left = view.market.and_then(|market| market.closes_at).map(|closes_at| closes_at.since(now));
    let within = left.is_none_or(|left| left >= limits.blackout);
    let value = left.map_or_else(|| "no end is known".into(), |left| millis_and(left, "ms before it closes"));
    let blackout = limits.blackout;
    let limit = text!("not within {} of its end", millis(blackout));
    verdict(Control::Blackout, value, limit, within || is_reducing(intent, view))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::risk::checks::bench::{Bench, buy, market, sell};

    #[test]
    fn the_last_moment_before_it_passes_and_then_only_sales_do() {
        let mut bench = Bench::new();
        bench.hold("up", "5", "0.50");
        let closes_at = market().closes_at.expect("an end");
        bench.now = closes_at.minus(bench.limits.blackout);
        assert!(bench.run(check, &buy("0.50", "5")).passed);
        bench.now = bench.now.plus(Duration::from_micros(1));
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
        assert!(bench.run(check, &sell("0.50", "5")).passed);
        bench.market.as_mut().expect("a market").closes_at = None;
        assert!(bench.run(check, &buy("0.50", "5")).passed);
    }
}
