//! The same thing over and over without a person's word.

use super::verdict;
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// Orders of the strategy on this token and side within the window, this one included, at most the limit. Sales count like any
/// other. What is denied here halts the strategy at Hermes until a person arms.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let after = view.repeats.saturating_add(1);
    let (strategy, side, outcome) = (intent.strategy.clone(), intent.side, intent.outcome.clone());
    let (window, most) = (limits.repeated_window.as_secs(), limits.repeated_executions);
    let value = text!("{after} of {strategy} to {side} {outcome} in {window} s");
    let limit = text!("{most} without a person's word");
    verdict(Control::RepeatedExecution, value, limit, after <= limits.repeated_executions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench::{Bench, buy, sell};

    #[test]
    fn as_many_as_the_limit_pass_and_one_more_does_not() {
        let mut bench = Bench::new();
        bench.limits.repeated_executions = 3;
        for (before, passed) in [(0, true), (2, true), (3, false)] {
            bench.repeats = before;
            assert_eq!(bench.run(check, &buy("0.50", "5")).passed, passed, "after {before}");
            assert_eq!(bench.run(check, &sell("0.50", "5")).passed, passed, "after {before}");
        }
        let denied = bench.run(check, &buy("0.50", "5"));
        assert_eq!(denied.value, "4 of momentum to buy Up in 300 s");
    }
}
