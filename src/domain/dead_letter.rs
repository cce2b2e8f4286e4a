use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{IntentId, Timestamp};

/// Why something could not be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterReason {
    /// The entry could not be read.
    Malformed,
    /// The entry was trimmed while it was pending.
    Trimmed,
    /// Its deadline had passed.
    Expired,
    /// Trading was killed.
    Killed,
    /// Made in another arm epoch.
    StaleEpoch,
    /// The market is not known to Hermes.
    UnknownMarket,
    /// It could not be signed.
    Unsignable,
    /// Not enough money or shares at the venue.
    Balance,
    /// The venue may not move the money or the shares.
    Allowance,
    /// Off the market's price grid.
    Tick,
    /// Below the market's minimum, or with too many decimals.
    Size,
    /// The account or its region is banned, or its credentials are refused.
    Banned,
    /// The market takes no orders.
    MarketClosed,
    /// The venue refused it for another reason.
    Rejected,
    /// Transient refusals until the deadline.
    Exhausted,
    /// Sent, and the venue provably never had it.
    NeverArrived,
}

impl DeadLetterReason {
    /// Its code, as on the wire.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Trimmed => "trimmed",
            Self::Expired => "expired",
            Self::Killed => "killed",
            Self::StaleEpoch => "stale_epoch",
            Self::UnknownMarket => "unknown_market",
            Self::Unsignable => "unsignable",
            Self::Balance => "balance",
            Self::Allowance => "allowance",
            Self::Tick => "tick",
            Self::Size => "size",
            Self::Banned => "banned",
            Self::MarketClosed => "market_closed",
            Self::Rejected => "rejected",
            Self::Exhausted => "exhausted",
            Self::NeverArrived => "never_arrived",
        }
    }

    /// Whether the same intent could succeed at another time. A retry of the others is refused.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        !matches!(self, Self::Malformed | Self::Trimmed)
    }
}

impl fmt::Display for DeadLetterReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// What has been done about a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DeadLetterState {
    /// Nothing yet.
    Waiting,
    /// A person had it tried again: a new attempt of the same intent, through every gate.
    Retried {
        /// The attempt that was made of it.
        attempt: u32,
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// A person gave it up.
    Dropped {
        /// Who.
        by: String,
        /// Why.
        why: String,
        /// When.
        at: Timestamp,
    },
}

/// What `trade.dlq` carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// Its name: the entry and the reason, joined by a dot. Unique, and the same however often it is written.
    pub id: String,
    /// The stream entry that it came from.
    pub entry: String,
    /// The intent; absent when the entry could not be read.
    pub intent: Option<IntentId>,
    /// Which attempt of the intent this was; 0 when the entry could not be read.
    pub attempt: u32,
    /// Reason code.
    pub reason: DeadLetterReason,
    /// The first error in words.
    pub first_error: String,
    /// The last error in words; the same as the first when there was one.
    pub last_error: String,
    /// The original payload as received; of one that cannot be read or is too long the first 8,192 bytes.
    pub original: String,
    /// How often it was sent.
    pub posts: u32,
    /// When it was first seen.
    pub first_at: Timestamp,
    /// When it was given up.
    pub last_at: Timestamp,
    /// The build of Hermes that gave it up.
    pub build: String,
    /// What has been done about it.
    pub state: DeadLetterState,
}

impl DeadLetter {
    /// The name of a letter.
    #[must_use]
    pub fn id_of(entry: &str, reason: DeadLetterReason) -> String {
        format!("{entry}.{reason}")
    }
}
