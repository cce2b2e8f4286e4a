//! How long to wait between attempts.

use std::time::Duration;

use rand::Rng;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// Doubling pauses up to two seconds; each is drawn from the upper half of its range, so that clients of a server that comes back do
/// not arrive together.
#[derive(Debug)]
pub(super) struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    pub(super) const fn new() -> Self {
        Self { ceiling: FIRST }
    }

    /// The pause before the next attempt.
    pub(super) fn next(&mut self) -> Duration {
        let ceiling = self.ceiling;
        self.ceiling = (ceiling * 2).min(LONGEST);
        rand::rng().random_range(ceiling / 2..=ceiling)
    }

    /// To be called when an attempt has proved lasting.
    pub(super) const fn reset(&mut self) {
        self.ceiling = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_start_over() {
        let mut backoff = Backoff::new();
        for ceiling in [50, 100, 200, 400, 800, 1_600, 2_000, 2_000].map(Duration::from_millis) {
            let pause = backoff.next();
            assert!(pause >= ceiling / 2 && pause <= ceiling, "{pause:?} of {ceiling:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
