//! What the reader asked of the desk and has not been answered: the kill until it is in force, the arming until a verdict.

use std::time::Duration;

use crate::bus::control::COMMAND_LIFE;
use crate::domain::{Ack, AckVerdict, KillReport, Timestamp};

/// A kill that reached the bus is sent again when the desk has not confirmed it after this long.
const KILL_CONFIRM_WITHIN: Duration = Duration::from_secs(2);
/// An attempt without an outcome after this long has none to come: attempts have a deadline of their own, which is shorter.
const ATTEMPT_LOST_AFTER: Duration = Duration::from_secs(5);
/// How long an answer to an arming may take before its absence is reported.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// When an arming without an answer has failed: after the life of the command and the time that Hermes may take over one that he took
/// up in its last moment. From then on it cannot take effect.
const ARM_OVER_AFTER: Duration = COMMAND_LIFE.saturating_add(Duration::from_secs(20));
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

/// How far the arming is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ArmFlow {
    /// Nothing was asked.
    #[default]
    Idle,
    /// The command is on its way to the bus.
    Sending {
        /// Since when.
        since: Timestamp,
    },
    /// The command is on the bus.
    Waiting {
        /// Its id.
        id: String,
        /// Since when.
        since: Timestamp,
        /// The daemon that has accepted it, if one has.
        accepted_by: Option<String>,
        /// Whether no answer came in time; a late one still counts.
        late: bool,
    },
    /// Refused, with every reason.
    Denied(Vec<String>),
    /// It did not reach the bus, or nobody answered while it could be obeyed.
    Failed(String),
    /// In force.
    Applied,
}

impl ArmFlow {
    /// Whether a command is out whose effect is not known.
    pub(crate) const fn is_out(&self) -> bool {
        matches!(self, Self::Sending { .. } | Self::Waiting { .. })
    }

    /// Takes an answer; false when it answers something else.
    pub(crate) fn answer(&mut self, ack: &Ack) -> bool {
        let Self::Waiting { id, accepted_by, .. } = self else { return false };
        if *id != ack.id {
            return false;
        }
        match &ack.verdict {
            AckVerdict::Accepted => *accepted_by = Some(ack.by.clone()),
            AckVerdict::Denied { reasons } => *self = Self::Denied(reasons.clone()),
            AckVerdict::Applied => *self = Self::Applied,
        }
        true
    }

    /// Marks the answer as late when its time is over, and as failed once it cannot come any more; what is new of that, in words.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Option<&'static str> {
        let over = match self {
            Self::Waiting { since, .. } if now.since(*since) >= ARM_OVER_AFTER => "no answer; the command has expired",
            Self::Sending { since } if now.since(*since) >= ATTEMPT_LOST_AFTER => "the attempt came to no end",
            Self::Waiting { since, late, .. } if !*late && now.since(*since) >= ANSWER_WITHIN => {
                *late = true;
                return Some("no answer in 5 s; is Hermes up?");
            }
            _ => return None,
        };
        *self = Self::Failed(over.to_owned());
        Some(over)
    }
}
