use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::params::RISK;
use super::{StrategyId, Timestamp};

/// What a person asks of the desk, on `control.commands` or the daemon's socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    /// Chosen by the sender; the acknowledgement repeats it.
    pub id: String,
    /// Who asks: `cockpit:alice`, `cli:alice`.
    pub actor: String,
    /// When it was asked.
    pub issued_at: Timestamp,
    /// Worthless after this.
    pub expires_at: Timestamp,
    /// What is asked.
    pub action: Action,
}

/// The things that can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Stop everything now.
    Kill {
        /// Why.
        why: String,
    },
    /// Lift the latch; refused with reasons while the books are not clean.
    Arm {
        /// Why.
        why: String,
    },
    /// Try a dead letter again: a new attempt of its intent with a fresh deadline, through every gate.
    DlqRetry {
        /// The letter's id.
        id: String,
    },
    /// Give a dead letter up.
    DlqDrop {
        /// The letter's id.
        id: String,
        /// Why.
        why: String,
    },
    /// Change some of a strategy's parameters, or of the limits, all of these or none.
    SetParams {
        /// Whose; `risk` for the limits.
        strategy: StrategyId,
        /// The version that the change was made from; refused when another is in force. Absent takes whichever is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<u64>,
        /// New values as text, by their names.
        changes: BTreeMap<String, String>,
        /// Why, for the record.
        why: String,
        /// It is meant although it widens a limit.
        #[serde(default)]
        confirm: bool,
    },
    /// Put the values of an earlier version in force again, as a new version.
    RollbackParams {
        /// Whose; `risk` for the limits.
        strategy: StrategyId,
        /// Which version.
        to: u64,
        /// The version that is rolled back; refused when another is in force. Absent takes whichever is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<u64>,
        /// Why, for the record.
        why: String,
        /// It is meant although it widens a limit.
        #[serde(default)]
        confirm: bool,
    },
}

/// The daemon that carries a command out and answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// It decides.
    Athena,
    /// It acts.
    Hermes,
}

impl fmt::Display for Addressee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Athena => "athena",
            Self::Hermes => "hermes",
        })
    }
}

impl Action {
    /// Who is asked. The limits are Hermes', since his gate is the last one.
    #[must_use]
    pub fn addressee(&self) -> Addressee {
        match self {
            Self::SetParams { strategy, .. } | Self::RollbackParams { strategy, .. } if strategy.as_str() != RISK => {
                Addressee::Athena
            }
            Self::SetParams { .. }
            | Self::RollbackParams { .. }
            | Self::Kill { .. }
            | Self::Arm { .. }
            | Self::DlqRetry { .. }
            | Self::DlqDrop { .. } => Addressee::Hermes,
        }
    }
}

/// The answer to a command, on `control.acks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ack {
    /// The command's id.
    pub id: String,
    /// Which daemon answers; to a change of parameters, every Athena that has said that the version is in force.
    pub by: String,
    /// Who should have the version in force as well and has not said so; only in answers about parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_heard_from: Vec<String>,
    /// What it says.
    pub verdict: AckVerdict,
    /// The version of the parameters that is in force now; only in answers about parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// When.
    pub at: Timestamp,
}

/// What a daemon says to a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum AckVerdict {
    /// Understood, being done.
    Accepted,
    /// Refused.
    Denied {
        /// Every reason.
        reasons: Vec<String>,
    },
    /// In force.
    Applied,
}
