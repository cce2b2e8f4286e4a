//! How often something may be said or written.

use std::time::Duration;

use crate::domain::Timestamp;

/// A bucket of tokens: `burst` at once, refilled with one each `every`.
#[derive(Clone, Debug)]
pub(super) struct Throttle {
    every: Duration,
    burst: u32,
    tokens: u32,
    refilled_at: Option<Timestamp>,
    withheld: u64,
}

impl Throttle {
    /// Full.
    pub(super) const fn new(every: Duration, burst: u32) -> Self {
        Self { every, burst, tokens: burst, refilled_at: None, withheld: 0 }
    }

    /// Whether it may happen now; if so, how often it was withheld since it last might.
    pub(super) fn allow(&mut self, now: Timestamp) -> Option<u64> {
        self.refill(now);
        if self.tokens == 0 {
            self.withheld += 1;
            return None;
        }
        self.tokens -= 1;
        Some(std::mem::take(&mut self.withheld))
    }

    fn refill(&mut self, now: Timestamp) {
        let since = *self.refilled_at.get_or_insert(now);
        let earned = now.since(since).as_micros() / self.every.as_micros().max(1);
        if earned == 0 {
            return;
        }
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        self.tokens = self.tokens.saturating_add(earned).min(self.burst);
        self.refilled_at = Some(if self.tokens == self.burst { now } else { since.plus(self.every * earned) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_pace_and_what_was_withheld_is_told() {
        let mut throttle = Throttle::new(Duration::from_secs(1), 2);
        let at = |millis: i64| Timestamp::from_millis(1_000_000 + millis);
        assert_eq!(throttle.allow(at(0)), Some(0));
        assert_eq!(throttle.allow(at(0)), Some(0));
        assert_eq!(throttle.allow(at(500)), None);
        assert_eq!(throttle.allow(at(900)), None);
        assert_eq!(throttle.allow(at(1_500)), Some(2));
        assert_eq!(throttle.allow(at(1_900)), None);
        assert_eq!(throttle.allow(at(2_000)), Some(1), "the half second before was not lost");
        assert_eq!(throttle.allow(at(60_000)), Some(0));
        assert_eq!(throttle.allow(at(60_000)), Some(0));
        assert_eq!(throttle.allow(at(60_000)), None, "never more than the burst");
    }
}
