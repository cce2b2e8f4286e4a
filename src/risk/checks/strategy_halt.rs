//! A strategy that is halted although the desk trades.

use super::verdict;
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// Nothing of a halted strategy passes, sales included: it has lost count of what it does.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, _limits: &Limits, _now: Timestamp) -> CheckResult {
    let strategy = intent.strategy.clone();
    let value = view.halted.map_or_else(|| text!("{strategy} is not halted"), |why| why.to_owned().into());
    verdict(Control::StrategyHalt, value, "a strategy that is not halted", view.halted.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench::{Bench, buy, sell};

    #[test]
    fn a_halt_says_why_and_lets_nothing_through() {
        let mut bench = Bench::new();
        bench.hold("up", "5", "0.50");
        assert!(bench.run(check, &buy("0.50", "5")).passed);
        bench.halted = Some("the outcome of order a is unknown for 61 s");
        assert!(!bench.run(check, &sell("0.50", "5")).passed);
        let denied = bench.run(check, &buy("0.50", "5"));
        assert_eq!((denied.passed, &*denied.value.to_string()), (false, "the outcome of order a is unknown for 61 s"));
    }
}
