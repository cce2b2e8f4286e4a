use std::path::PathBuf;

/// How the simulated venues run.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Speed of the tape: 1.0 is as recorded.
    pub speed: f64,
    /// Seed of makers and noise takers: the same seed, the same run.
    pub seed: u64,
    /// A CSV to play instead of the embedded recording.
    pub history: Option<PathBuf>,
    /// First of the consecutive loopback ports; 0 takes free ones.
    pub port: u16,
}
