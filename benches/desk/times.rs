//! Samples and what is told of them.

use std::time::Duration;

/// Measured times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(samples: impl IntoIterator<Item = Duration>) -> Self {
        let mut samples: Vec<Duration> = samples.into_iter().collect();
        samples.sort_unstable();
        Self(samples)
    }

    /// The sample below which `percent` of them lie.
    pub(crate) fn at(&self, percent: usize) -> Duration {
        let index = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or_default()
    }

    /// Every sample halved.
    pub(crate) fn halved(&self) -> Self {
        Self(self.0.iter().map(|sample| *sample / 2).collect())
    }
}

/// Microseconds with one decimal.
pub(crate) fn micros(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e6)
}
