//! The time by which the intent must be sent.

use super::{millis, millis_and, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp};
use crate::risk::{Limits, RiskView};

/// Passes until the deadline, itself included. Measured from the tick that caused the intent.
#[must_use]
pub fn check(intent: &OrderIntent, _view: &RiskView<'_>, _limits: &Limits, now: Timestamp) -> CheckResult {
    let after = now.since(intent.tick_received_at);
    let value = millis_and(after, "ms after its tick");
    let limit = millis(intent.deadline.since(intent.tick_received_at));
    verdict(Control::Deadline, value, limit, now <= intent.deadline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench::{Bench, buy};

    #[test]
    fn the_deadline_itself_passes_and_a_microsecond_later_is_too_late() {
        let mut bench = Bench::new();
        let intent = buy("0.50", "5");
        bench.now = intent.deadline;
        assert!(bench.run(check, &intent).passed);
        bench.now = Timestamp::from_micros(intent.deadline.micros() + 1);
        let late = bench.run(check, &intent);
        assert!(!late.passed);
        assert_eq!((&*late.value.to_string(), &*late.limit.to_string()), ("2000.001 ms after its tick", "2000 ms"));
    }
}
