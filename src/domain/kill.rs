use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Whether trading is allowed by the latch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KillState {
    /// Orders may be sent in the current epoch.
    Armed,
    /// Nothing may be sent until somebody arms.
    Killed,
}

/// The latch itself, as it lies in memory, the file, the ledger and on the bus. The worst of them counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KillLatch {
    /// Counts up with every arming; intents of another epoch are worthless.
    pub epoch: u64,
    /// Armed or killed.
    pub state: KillState,
    /// Who changed it last: `cockpit`, `cli`, `hermes`.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

impl KillLatch {
    /// Whether orders may be sent.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.state == KillState::Armed
    }

    /// The one that must be obeyed. An arming lifts a kill only when it is of a higher epoch and later: whatever says
    /// "killed" after the arming wins, even without knowing the epoch. The higher epoch is kept.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        let epoch = self.epoch.max(other.epoch);
        let other_wins = match (self.state, other.state) {
            (KillState::Armed, KillState::Killed) => !self.lifts(&other),
            (KillState::Killed, KillState::Armed) => other.lifts(&self),
            (KillState::Armed, KillState::Armed) | (KillState::Killed, KillState::Killed) => other.epoch > self.epoch,
        };
        Self { epoch, ..if other_wins { other } else { self } }
    }

    /// Whether this arming is of a later epoch than `killed`, and no older.
    #[must_use]
    pub fn lifts(&self, killed: &Self) -> bool {
        self.epoch > killed.epoch && self.at >= killed.at
    }
}

/// A step of the kill, in the order in which they are begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KillStep {
    /// The gate in memory is closed: no POST can begin.
    GateClosed,
    /// The latch file is on disk.
    LatchFile,
    /// Heartbeats to the venue have stopped.
    HeartbeatStopped,
    /// The venue has answered cancel-all.
    CancelAll,
    /// The latch is in the ledger.
    LatchLedger,
    /// The latch is on the bus: Athena stops.
    LatchBus,
    /// Queued intents are in the dead letters.
    QueueDrained,
}

impl fmt::Display for KillStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GateClosed => "gate closed: nothing is sent any more",
            Self::LatchFile => "latch file on disk",
            Self::HeartbeatStopped => "heartbeats to the venue stopped",
            Self::CancelAll => "cancel-all answered by the venue",
            Self::LatchLedger => "latch in the ledger",
            Self::LatchBus => "latch on the bus: Athena stops",
            Self::QueueDrained => "queued intents in the dead letters",
        })
    }
}

/// How far the proof is that nothing rests at the venue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "proof", rename_all = "snake_case")]
pub enum KillProof {
    /// Nothing to prove: armed.
    None,
    /// Complete open-order snapshots that showed zero, out of three.
    Proving {
        /// 0, 1 or 2.
        zero_seen: u8,
    },
    /// Three snapshots showed zero and no POST was in flight.
    Proved {
        /// When the third was read.
        at: Timestamp,
    },
    /// Not proved yet, and why; tried again for ever.
    Incomplete {
        /// What stands in the way.
        why: String,
    },
}

/// The latch and what Hermes has done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KillReport {
    /// The latch in force.
    pub latch: KillLatch,
    /// Steps done, each with the milliseconds since the kill began.
    pub steps: Vec<(KillStep, u64)>,
    /// Open orders when the kill began.
    pub orders_open: u64,
    /// Orders that the venue says it cancelled.
    pub orders_cancelled: u64,
    /// Open orders as the venue reported last; absent before the first report.
    pub venue_open_orders: Option<u64>,
    /// The proof.
    pub proof: KillProof,
}

impl KillReport {
    /// The report of a latch that nothing had to be done about.
    #[must_use]
    pub const fn idle(latch: KillLatch) -> Self {
        Self {
            latch,
            steps: Vec::new(),
            orders_open: 0,
            orders_cancelled: 0,
            venue_open_orders: None,
            proof: KillProof::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latch(epoch: u64, state: KillState, at: i64) -> KillLatch {
        KillLatch { epoch, state, by: "test".into(), why: String::new(), at: Timestamp::from_secs(at) }
    }

    #[test]
    fn only_a_later_arming_of_a_higher_epoch_lifts_a_kill() {
        let killed = latch(3, KillState::Killed, 10);
        for (armed, lifted) in [
            (latch(3, KillState::Armed, 20), false),
            (latch(4, KillState::Armed, 5), false),
            (latch(4, KillState::Armed, 20), true),
        ] {
            assert_eq!(killed.clone().stricter(armed.clone()).is_armed(), lifted, "{armed:?}");
            assert_eq!(armed.clone().stricter(killed.clone()).is_armed(), lifted, "{armed:?}");
        }
    }

    #[test]
    fn a_kill_that_knows_no_epoch_still_kills_and_keeps_the_higher_epoch() {
        let result = latch(7, KillState::Armed, 10).stricter(latch(0, KillState::Killed, 11));
        assert_eq!((result.epoch, result.is_armed()), (7, false));
    }
}
