//! How often each class of calls may be made. A class has a bucket of its own, so orders can use up neither the cancels'
//! nor the heartbeats'; of the cancels' a part is kept for cancel-all. Pure: time comes in, waits come out.

use std::array;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::{CallClass, CallLimit};

/// One token in the units of a bucket: a millionth, so that a microsecond at one a second is exactly one of them.
const TOKEN: i64 = 1_000_000;
/// Cancels that only a cancel-all may use.
const CANCEL_RESERVE: u32 = 5;
/// Most ids in one cancel, however large the budget: the venue's documents name 1,000 and 3,000 as its own bound.
const MOST_IDS: u32 = 500;
/// After a 429 that names no time.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause after a 429 for what the desk's safety hangs on: the venue sweeps after 10 s without a heartbeat, and a
/// cancel must be tried again however long the venue asks us to stay away.
const VITAL_PAUSE: Duration = Duration::from_secs(2);
/// A debt is not counted beyond this many times the burst.
const MOST_DEBT: i64 = 10;

const CLASSES: [CallClass; 6] = [
    CallClass::Orders,
    CallClass::Cancels,
    CallClass::Heartbeats,
    CallClass::Lists,
    CallClass::Balances,
    CallClass::Setup,
];

/// What the account's tier allows by the second; the bursts are one and a half times as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Orders a second.
    pub orders: u32,
    /// Cancelled ids a second.
    pub cancels: u32,
}

impl Rates {
    /// The venue's lowest tier: 40 orders and 80 cancels a second, bursts of 60 and 120.
    pub const STANDARD: Self = Self { orders: 40, cancels: 80 };

    /// Refill by the second, and burst. Orders and cancels: the tier, by signer. Lists (`/data/*`, 500 in 10 s), balances
    /// (200 in 10 s) and setup (100 in 10 s): burst and ten seconds of refill stay within the venue's window by address.
    /// Source: the venue's pages on rate limits.
    const fn of(self, class: CallClass) -> (u32, u32) {
        match class {
            CallClass::Orders => (self.orders, self.orders.saturating_add(self.orders / 2)),
            CallClass::Cancels => (self.cancels, self.cancels.saturating_add(self.cancels / 2)),
            CallClass::Heartbeats => (1, 5),
            CallClass::Lists => (40, 100),
            CallClass::Balances => (15, 50),
            CallClass::Setup => (5, 50),
        }
    }
}

/// A token bucket that promises: who may wait is told how long, and what was promised to him is taken at once. So
/// nobody who comes later can pass him.
#[derive(Debug)]
struct Bucket {
    rate: u32,
    burst: u32,
    /// In millionths of a token; negative when more is promised than there is.
    level: i64,
    /// Until when `level` is reckoned; in the future during a pause, in which nothing refills.
    at: Instant,
    waited: u64,
    refused: u64,
    throttled: u64,
}

impl Bucket {
    fn full(rate: u32, burst: u32, now: Instant) -> Self {
        Self { rate, burst, level: i64::from(burst) * TOKEN, at: now, waited: 0, refused: 0, throttled: 0 }
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = u64::try_from(now.saturating_duration_since(self.at).as_micros()).unwrap_or(u64::MAX);
        let gained = i64::try_from(elapsed).unwrap_or(i64::MAX).saturating_mul(i64::from(self.rate));
        self.level = self.level.saturating_add(gained).min(i64::from(self.burst) * TOKEN);
        // Only whole microseconds are spent, so that none is lost.
        self.at = self.at.checked_add(Duration::from_micros(elapsed)).unwrap_or(now);
    }

    /// Takes `cost` so that `keep` would be left, at once or after the wait that is given back; an error gives the wait
    /// that would be needed when that is longer than `patience`.
    fn take(&mut self, now: Instant, cost: u32, keep: u32, patience: Duration) -> Result<Duration, Duration> {
        self.refill(now);
        let need = (i64::from(cost) + i64::from(keep)) * TOKEN;
        let lacking = u64::try_from(need.saturating_sub(self.level)).unwrap_or(0);
        let refilling = Duration::from_micros(lacking.div_ceil(u64::from(self.rate.max(1))));
        let wait = self.at.saturating_duration_since(now).saturating_add(refilling);
        if wait > patience || cost.saturating_add(keep) > self.burst {
            self.refused += 1;
            return Err(wait);
        }
        self.waited += u64::from(!wait.is_zero());
        self.level -= i64::from(cost) * TOKEN;
        Ok(wait)
    }

    /// Takes `cost` without asking.
    fn charge(&mut self, now: Instant, cost: u32) {
        self.refill(now);
        let most_debt = -i64::from(self.burst) * TOKEN * MOST_DEBT;
        self.level = self.level.saturating_sub(i64::from(cost) * TOKEN).max(most_debt);
    }

    /// The venue says that it was too often: nothing is left, and nothing refills for `pause`.
    fn throttle(&mut self, now: Instant, pause: Duration) {
        self.refill(now);
        self.level = self.level.min(0);
        self.at = self.at.max(now.checked_add(pause).unwrap_or(now));
        self.throttled += 1;
    }
}

/// The buckets of one account.
#[derive(Debug)]
pub(super) struct Budget {
    rates: Rates,
    buckets: Mutex<[Bucket; CLASSES.len()]>,
}

impl Budget {
    pub(super) fn new(rates: Rates, now: Instant) -> Self {
        let bucket = |index: usize| {
            let (rate, burst) = rates.of(CLASSES[index]);
            Bucket::full(rate, burst, now)
        };
        Self { rates, buckets: Mutex::new(array::from_fn(bucket)) }
    }

    fn with<T>(&self, class: CallClass, f: impl FnOnce(&mut Bucket) -> T) -> T {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        f(&mut buckets[class as usize])
    }

    /// Asks for `cost` calls of `class`: how long to wait before they may be made, or, as an error, how long it would be
    /// when that is longer than `patience`.
    pub(super) fn take(
        &self,
        class: CallClass,
        cost: u32,
        now: Instant,
        patience: Duration,
    ) -> Result<Duration, Duration> {
        let keep = if class == CallClass::Cancels { CANCEL_RESERVE } else { 0 };
        self.with(class, |bucket| bucket.take(now, cost, keep, patience))
    }

    /// Notes `cost` calls of `class` that are made whatever the budget says.
    pub(super) fn charge(&self, class: CallClass, cost: u32, now: Instant) {
        self.with(class, |bucket| bucket.charge(now, cost));
    }

    /// Notes a 429.
    pub(super) fn throttle(&self, class: CallClass, retry_after: Option<Duration>, now: Instant) {
        let asked = retry_after.unwrap_or(PAUSE);
        let pause = match class {
            CallClass::Cancels | CallClass::Heartbeats => asked.min(VITAL_PAUSE),
            CallClass::Orders | CallClass::Lists | CallClass::Balances | CallClass::Setup => asked,
        };
        self.with(class, |bucket| bucket.throttle(now, pause));
    }

    /// Ids in one cancel: the venue takes a batch whole or not at all, so it must fit the burst.
    pub(super) fn cancel_chunk(&self) -> usize {
        let (rate, burst) = self.rates.of(CallClass::Cancels);
        // A second's worth, so that a long list flows instead of waiting for a full bucket.
        rate.min(burst.saturating_sub(CANCEL_RESERVE)).clamp(1, MOST_IDS) as usize
    }

    /// What each class has left and has met with.
    pub(super) fn limits(&self, now: Instant) -> Vec<CallLimit> {
        let limit = |class: &CallClass| {
            self.with(*class, |bucket| {
                bucket.refill(now);
                let pause = bucket.at.saturating_duration_since(now).as_millis();
                CallLimit {
                    class: *class,
                    per_second: bucket.rate,
                    burst: bucket.burst,
                    available: bucket.level.div_euclid(TOKEN),
                    waited: bucket.waited,
                    refused: bucket.refused,
                    throttled: bucket.throttled,
                    paused_ms: u64::try_from(pause).unwrap_or(u64::MAX),
                }
            })
        };
        CLASSES.iter().map(limit).collect()
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
