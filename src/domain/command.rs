use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Timestamp;

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
}

/// The answer to a command, on `control.acks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ack {
    /// The command's id.
    pub id: String,
    /// Which daemon answers.
    pub by: String,
    /// What it says.
    pub verdict: AckVerdict,
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
