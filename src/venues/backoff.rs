//! When to dial again: exponential delay with jitter under a rolling budget of attempts.
//!
//! Kraken's front door bans an address for about ten minutes after some 150 attempts in ten minutes, and a delay that is
//! merely capped uses those up during one outage. Hence the budget besides the delay.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::Timestamp;

/// How patient a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Delay before the second attempt; doubles from there.
    pub base: Duration,
    /// Longest delay that doubling leads to.
    pub cap: Duration,
    /// Most attempts within `window`.
    pub budget: usize,
    /// Length of the rolling window.
    pub window: Duration,
    /// How long a session must live before the delay starts over.
    pub stable_after: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            budget: 120,
            window: Duration::from_mins(10),
            stable_after: Duration::from_secs(30),
        }
    }
}

/// The memory of one connection's attempts.
#[derive(Clone, Debug)]
pub struct Backoff {
    policy: Policy,
    failures: u32,
    opened_at: Option<Timestamp>,
    attempts: VecDeque<Timestamp>,
}

impl Backoff {
    /// Nothing tried yet.
    #[must_use]
    pub const fn new(policy: Policy) -> Self {
        Self { policy, failures: 0, opened_at: None, attempts: VecDeque::new() }
    }

    /// How long to wait before the next attempt. `jitter` is any random number; it spreads the delay over the upper half
    /// of its range. The first attempt does not wait.
    pub fn delay(&mut self, now: Timestamp, jitter: u32) -> Duration {
        self.forget(now);
        let delay = match self.failures {
            0 => Duration::ZERO,
            failures => {
                let doubled = self.policy.base.saturating_mul(1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX));
                let half = doubled.min(self.policy.cap) / 2;
                half + half.saturating_mul(jitter % 1_001) / 1_000
            }
        };
        delay.max(self.until_affordable(now))
    }

    /// An attempt begins.
    pub fn attempt(&mut self, now: Timestamp) {
        self.forget(now);
        self.attempts.push_back(now);
        self.opened_at = None;
    }

    /// It succeeded.
    pub const fn opened(&mut self, now: Timestamp) {
        self.opened_at = Some(now);
    }

    /// It failed, or the session ended. Only a session that was stable clears the count.
    pub fn closed(&mut self, now: Timestamp) {
        let stable = self.opened_at.take().is_some_and(|at| now.since(at) >= self.policy.stable_after);
        self.failures = if stable { 1 } else { self.failures.saturating_add(1) };
    }

    /// Attempts within the window.
    #[must_use]
    pub fn spent(&self) -> usize {
        self.attempts.len()
    }

    fn forget(&mut self, now: Timestamp) {
        while self.attempts.front().is_some_and(|at| now.since(*at) >= self.policy.window) {
            self.attempts.pop_front();
        }
    }

    fn until_affordable(&self, now: Timestamp) -> Duration {
        let Some(excess) = self.attempts.len().checked_sub(self.policy.budget) else { return Duration::ZERO };
        self.attempts.get(excess).map_or(Duration::ZERO, |at| at.plus(self.policy.window).since(now))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_secs(1_000_000).plus(Duration::from_millis(millis))
    }

    #[test]
    fn the_first_attempt_does_not_wait_and_delays_double_to_the_cap() {
        let mut backoff = Backoff::new(Policy::default());
        assert_eq!(backoff.delay(at(0), 7), Duration::ZERO);
        let mut delays = Vec::new();
        for _ in 0..9 {
            backoff.attempt(at(0));
            backoff.closed(at(0));
            delays.push(backoff.delay(at(0), 1_000).as_millis());
        }
        assert_eq!(delays, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(backoff.delay(at(0), 0), Duration::from_secs(15), "jitter takes away half at most");
    }

    #[test]
    fn only_a_stable_session_clears_the_count() {
        let mut backoff = Backoff::new(Policy::default());
        for _ in 0..5 {
            backoff.attempt(at(0));
            backoff.opened(at(0));
            backoff.closed(at(29_999));
        }
        assert_eq!(backoff.delay(at(30_000), 1_000), Duration::from_secs(8));
        backoff.attempt(at(30_000));
        backoff.opened(at(30_000));
        backoff.closed(at(60_000));
        assert_eq!(backoff.delay(at(60_000), 1_000), Duration::from_millis(500));
    }

    #[test]
    fn a_spent_budget_waits_until_the_oldest_attempt_is_forgotten() {
        let policy = Policy { budget: 3, window: Duration::from_mins(1), ..Policy::default() };
        let mut backoff = Backoff::new(policy);
        for second in 0..3 {
            backoff.attempt(at(second * 1_000));
        }
        assert_eq!(backoff.delay(at(3_000), 0), Duration::from_secs(57));
        assert_eq!(backoff.delay(at(60_000), 0), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_the_budget(
            lives in prop::collection::vec((0_u64..40_000, any::<u32>(), any::<bool>()), 1..600)
        ) {
            let policy = Policy::default();
            let mut backoff = Backoff::new(policy);
            let mut now = at(0);
            let mut dialled: Vec<Timestamp> = Vec::new();
            for (life, jitter, opens) in lives {
                now = now.plus(backoff.delay(now, jitter));
                backoff.attempt(now);
                dialled.push(now);
                let recent = dialled.iter().filter(|at| now.since(**at) < policy.window).count();
                prop_assert!(recent <= policy.budget, "{recent} attempts in the window");
                if opens {
                    backoff.opened(now);
                    now = now.plus(Duration::from_millis(life));
                }
                backoff.closed(now);
            }
        }
    }
}
