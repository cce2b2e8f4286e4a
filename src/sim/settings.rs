use std::path::PathBuf;

use super::SimError;

/// The fastest that the tape may run.
const MAX_SPEED: f64 = 1_000.0;
/// How many ports the simulated venues listen on.
pub(super) const PORTS: u16 = 6;

/// How the simulated venues run.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Speed of the tape: 1.0 is as recorded; above 0, at most 1,000.
    pub speed: f64,
    /// Seed of makers and noise takers: the same seed, the same run.
    pub seed: u64,
    /// A CSV to play instead of the embedded recording.
    pub history: Option<PathBuf>,
    /// First of the consecutive loopback ports; 0 takes free ones.
    pub port: u16,
}

impl Settings {
    pub(super) fn check(&self) -> Result<(), SimError> {
        if !(self.speed > 0.0 && self.speed <= MAX_SPEED) {
            return Err(SimError::Speed { speed: self.speed });
        }
        if self.port.checked_add(PORTS - 1).is_none() {
            return Err(SimError::Port { port: self.port });
        }
        Ok(())
    }
}
