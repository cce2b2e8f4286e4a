//! The venue refuses orders of this kind one after the other.

use super::verdict;
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// Nothing passes an open breaker but the one order that tries whether the venue takes them again. Hermes alone hears the refusals: for
/// Athena it is closed.
#[must_use]
pub fn check(_intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let most = limits.breaker_rejections;
    match view.breaker {
        None => verdict(Control::CircuitBreaker, "closed", text!("fewer than {most} refusals of a kind in 60 s"), true),
        Some(open) => verdict(Control::CircuitBreaker, open.value.clone(), open.limit.clone(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Denial;
    use crate::risk::checks::bench::{Bench, buy, sell};

    #[test]
    fn an_open_breaker_lets_nothing_through_and_says_why() {
        let mut bench = Bench::new();
        bench.hold("up", "5", "0.50");
        assert!(bench.run(check, &buy("0.50", "5")).passed);
        let (value, limit) = ("5 refused as balance for the account".to_owned(), "fewer than 5 in 60 s".to_owned());
        bench.breaker = Some(Denial { control: Control::CircuitBreaker, value, limit });
        assert!(!bench.run(check, &sell("0.50", "5")).passed);
        let denied = bench.run(check, &buy("0.50", "5"));
        assert_eq!(
            (denied.value.to_string().as_str(), denied.limit.to_string().as_str()),
            ("5 refused as balance for the account", "fewer than 5 in 60 s")
        );
    }
}
