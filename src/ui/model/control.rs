//! The kill that the reader asked for, until it is in force.

use std::time::Duration;

use crate::domain::{KillReport, Timestamp};

/// A kill that reached the bus is sent again when the desk has not confirmed it after this long.
const KILL_CONFIRM_WITHIN: Duration = Duration::from_secs(2);
/// An attempt without an outcome after this long has none to come: attempts have a deadline of their own, which is shorter.
const ATTEMPT_LOST_AFTER: Duration = Duration::from_secs(5);
/// The word that arms.
pub(crate) const ARM_WORD: &str = "arm";

/// A kill that was asked for and is not in force yet, as far as we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KillRequest {
    /// When the key was pressed.
    pub(crate) at: Timestamp,
    /// The arm epoch that was in force then.
    pub(crate) epoch: u64,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// When the last attempt began.
    pub(crate) tried_at: Timestamp,
    /// Whether its outcome is still to come.
    pub(crate) in_flight: bool,
    /// When it last reached the bus, or Hermes past the bus.
    pub(crate) delivered_at: Option<Timestamp>,
    /// Whether it went past the bus.
    pub(crate) is_past_bus: bool,
    /// Why the last attempt did not.
    pub(crate) error: Option<String>,
}

impl KillRequest {
    /// A request whose first attempt begins now.
    pub(crate) const fn new(epoch: u64, now: Timestamp) -> Self {
        Self {
            at: now,
            epoch,
            attempts: 1,
            tried_at: now,
            in_flight: true,
            delivered_at: None,
            is_past_bus: false,
            error: None,
        }
    }

    /// Whether an attempt is under way that may still end.
    pub(crate) fn busy(&self, now: Timestamp) -> bool {
        self.in_flight && now.since(self.tried_at) < ATTEMPT_LOST_AFTER
    }

    /// Whether it is time for another attempt.
    pub(crate) fn due(&self, now: Timestamp) -> bool {
        !self.busy(now) && self.delivered_at.is_none_or(|at| now.since(at) >= KILL_CONFIRM_WITHIN)
    }

    /// Begins another attempt.
    pub(crate) const fn again(&mut self, now: Timestamp) {
        self.attempts = self.attempts.saturating_add(1);
        self.tried_at = now;
        self.in_flight = true;
    }

    /// Whether the desk's report shows that this kill is in force: killed, and not in an older epoch.
    pub(crate) fn confirmed_by(&self, report: &KillReport) -> bool {
        !report.latch.is_armed() && report.latch.epoch >= self.epoch
    }
}
