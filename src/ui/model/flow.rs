//! How far a command to the desk is: on its way, on the bus, answered, or not answered in time.

use std::time::Duration;

use crate::bus::control::COMMAND_LIFE;
use crate::domain::{Ack, AckVerdict, Timestamp};
use crate::ui::format;

/// How long an answer may take before its absence is reported.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// An attempt without an outcome after this long has none to come: attempts have a deadline of their own, which is shorter.
const ATTEMPT_LOST_AFTER: Duration = Duration::from_secs(5);
/// When a command without an answer has failed: after its life and the time that a daemon may take over one that it took up in the
/// last moment. From then on it cannot take effect.
const OVER_AFTER: Duration = COMMAND_LIFE.saturating_add(Duration::from_secs(20));

/// How far a command is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flow {
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

impl Flow {
    /// What an attempt to put the command on the bus came to: the command's id, or why not.
    pub(crate) fn sent(outcome: Result<String, String>, now: Timestamp) -> Self {
        match outcome {
            Ok(id) => Self::Waiting { id, since: now, accepted_by: None, late: false },
            Err(error) => Self::Failed(format::clean(&error)),
        }
    }

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
            AckVerdict::Accepted => *accepted_by = Some(format::clean(&ack.by)),
            AckVerdict::Denied { reasons } => {
                *self = Self::Denied(reasons.iter().map(|reason| format::clean(reason)).collect());
            }
            AckVerdict::Applied => *self = Self::Applied,
        }
        true
    }

    /// Marks the answer as late when its time is over, and as failed once it cannot come any more; what is new of that, in words.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Option<&'static str> {
        let over = match self {
            Self::Waiting { since, .. } if now.since(*since) >= OVER_AFTER => "no answer; the command has expired",
            Self::Sending { since } if now.since(*since) >= ATTEMPT_LOST_AFTER => "the attempt came to no end",
            Self::Waiting { since, late, .. } if !*late && now.since(*since) >= ANSWER_WITHIN => {
                *late = true;
                return Some("no answer in 2 s; is Hermes up?");
            }
            _ => return None,
        };
        *self = Self::Failed(over.to_owned());
        Some(over)
    }
}
