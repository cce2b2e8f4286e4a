//! The only reader of time. Everything that decides takes `now` as an argument.
//!
//! Invariant: [`now`] never goes back and never stands still. It is the monotonic clock plus the greatest lead that the wall clock
//! ever had over it: a wall clock that is set forward, or that went on while the machine slept, is followed; one that is set back is
//! not, since whatever waits for a time would wait for as long again. How far it lies behind is told by [`set_back`].

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::domain::Timestamp;

/// How the wall clock ran against the monotonic one, in microseconds.
#[derive(Debug)]
struct Course {
    /// The greatest lead that it ever had.
    most: AtomicI64,
    /// How far its lead is below that.
    behind: AtomicI64,
}

impl Course {
    const fn new() -> Self {
        Self { most: AtomicI64::new(i64::MIN), behind: AtomicI64::new(0) }
    }

    /// The time, after the wall clock was read as `wall` and then the monotonic one as `monotonic`. Read in this order, a task that
    /// was held up in between sees too small a lead, never one that is too great.
    fn read(&self, wall: i64, monotonic: i64) -> Timestamp {
        let lead = wall.saturating_sub(monotonic);
        let most = self.most.fetch_max(lead, Ordering::Relaxed).max(lead);
        self.behind.store(most.saturating_sub(lead), Ordering::Relaxed);
        Timestamp::from_micros(monotonic.saturating_add(most))
    }

    fn behind(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.behind.load(Ordering::Relaxed)).unwrap_or(0))
    }
}

static COURSE: Course = Course::new();

/// Wall-clock time, UTC, in microseconds, which never goes back while the process runs. A clock set before 1970 reads as the epoch.
#[must_use]
pub fn now() -> Timestamp {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let began = *BEGAN.get_or_init(monotonic);
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let passed = monotonic().duration_since(began);
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    COURSE.read(micros(wall), micros(passed))
}

/// How far the machine's clock lay behind [`now`] when that was last asked: it was set back by so much while the process ran.
#[must_use]
pub fn set_back() -> Duration {
    COURSE.behind()
}

/// Monotonic time, for measuring how long something took; unaffected by clock steps.
#[must_use]
pub fn monotonic() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    Instant::now()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn a_clock_set_forward_is_followed_and_one_set_back_is_told() {
        let course = Course::new();
        let at = Timestamp::from_micros;
        assert_eq!((course.read(10 * HOUR, 0), course.behind()), (at(10 * HOUR), Duration::ZERO));
        assert_eq!(course.read(10 * HOUR + 7, 7), at(10 * HOUR + 7));
        assert_eq!(course.read(12 * HOUR, 10), at(12 * HOUR), "forward");
        assert_eq!(course.read(11 * HOUR + 20, 30), at(12 * HOUR + 20), "back, and time goes on");
        assert_eq!(course.behind(), Duration::from_hours(1));
        assert_eq!(course.read(11 * HOUR + 20 + HOUR, 30 + HOUR), at(13 * HOUR + 20));
        assert_eq!((course.read(14 * HOUR, 40 + HOUR), course.behind()), (at(14 * HOUR), Duration::ZERO), "set right");
    }

    proptest! {
        #[test]
        fn time_passes_at_least_as_the_monotonic_clock_has_it(
            steps in proptest::collection::vec((0_i64..5_000_000, -2 * HOUR..2 * HOUR), 1..50),
        ) {
            let course = Course::new();
            let (mut wall, mut monotonic) = (100 * HOUR, 0);
            let mut last = course.read(wall, monotonic);
            for (passed, step) in steps {
                (wall, monotonic) = (wall + passed + step, monotonic + passed);
                let now = course.read(wall, monotonic);
                prop_assert!(now.micros() - last.micros() >= passed && now.micros() >= wall);
                last = now;
            }
        }
    }
}
