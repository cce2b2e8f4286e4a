//! How many orders a minute.

use super::verdict;
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// Orders let through within the last minute, this one included: of its strategy and of the account, each at most its limit. A
/// sale counts like any other: a loop that runs away is no better for selling.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, now: Timestamp) -> CheckResult {
    let (strategy, account) = view.recent.rates(intent, now);
    let (strategy, account) = (strategy + 1, account + 1);
    let passed = strategy <= limits.strategy_rate && account <= limits.account_rate;
    let name = intent.strategy.clone();
    let value = text!("{strategy} of {name} in a minute, {account} of all");
    let (of_strategy, of_all) = (limits.strategy_rate, limits.account_rate);
    let limit = text!("{of_strategy} of a strategy, {of_all} of all");
    verdict(Control::OrderRate, value, limit, passed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench::{Bench, buy};

    fn named(id: &str, strategy: &str) -> OrderIntent {
        OrderIntent { intent: id.into(), strategy: strategy.into(), ..buy("0.50", "20") }
    }

    #[test]
    fn a_strategy_and_the_account_reach_their_limits_and_no_further() {
        let mut bench = Bench::new();
        (bench.limits.strategy_rate, bench.limits.account_rate) = (2, 3);
        bench.recent.note(&named("a", "momentum"), bench.now);
        assert!(bench.run(check, &named("x", "momentum")).passed);
        bench.recent.note(&named("b", "momentum"), bench.now);
        assert!(!bench.run(check, &named("x", "momentum")).passed);
        assert!(bench.run(check, &named("x", "weather")).passed);
        bench.recent.note(&named("c", "weather"), bench.now);
        assert!(!bench.run(check, &named("x", "weather")).passed);
    }
}
