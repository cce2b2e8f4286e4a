//! The arm epoch that the intent was made in.

use super::verdict;
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// An intent is worthless in any epoch but its own: what was queued before a kill can never run after the next arming.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, _limits: &Limits, _now: Timestamp) -> CheckResult {
    let passed = intent.epoch == view.epoch;
    let (ours, theirs) = (view.epoch, intent.epoch);
    verdict(Control::ArmEpoch, text!("epoch {theirs}"), text!("epoch {ours}"), passed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench::{Bench, buy};

    #[test]
    fn only_the_epoch_in_force_passes() {
        let bench = Bench::new();
        for (epoch, passed) in [(bench.epoch - 1, false), (bench.epoch, true), (bench.epoch + 1, false)] {
            let result = bench.run(check, &OrderIntent { epoch, ..buy("0.50", "5") });
            assert_eq!(result.passed, passed, "{result:?}");
        }
    }
}
