//! The same order twice.

use super::{millis, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// No other intent of the same strategy with the same token, side, price and size was let through within the limit: whoever wants
/// the very same again at once has more likely lost count than changed its mind.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, now: Timestamp) -> CheckResult {
    let twin = view.recent.twin(intent, now);
    let passed = twin.is_none_or(|ago| ago >= limits.duplicate_within);
    let value = twin.map_or_else(|| "no other like it".into(), |ago| text!("the same {} ago", millis(ago)));
    let within = limits.duplicate_within;
    verdict(Control::Duplicate, value, text!("none within {}", millis(within)), passed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::risk::checks::bench::{Bench, buy};

    #[test]
    fn the_same_again_passes_once_the_time_is_over() {
        let mut bench = Bench::new();
        bench.recent.note(&buy("0.50", "20"), bench.now);
        let again = OrderIntent { intent: "momentum-2".into(), ..buy("0.50", "20") };
        let passed_at = bench.now;
        bench.now = passed_at.plus(bench.limits.duplicate_within).minus(Duration::from_micros(1));
        assert!(!bench.run(check, &again).passed);
        assert!(bench.run(check, &OrderIntent { price: "0.51".parse().expect("a price"), ..again.clone() }).passed);
        bench.now = bench.now.plus(Duration::from_micros(1));
        assert!(bench.run(check, &again).passed);
    }
}
