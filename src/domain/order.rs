use std::fmt;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OrderId, OrderIntent, Price, Size, Timestamp};

/// What rounding at the venue may leave of an order that it calls matched, in shares.
pub const DUST: Decimal = Decimal::from_parts(1, 0, 0, false, 2);

/// Buy or sell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Pay pUSD, get shares.
    Buy,
    /// Give shares, get pUSD.
    Sell,
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        })
    }
}

/// How long the venue keeps an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum TimeInForce {
    /// Until it is cancelled.
    Gtc,
    /// Until a time.
    Gtd,
    /// All at once or not at all.
    Fok,
    /// What can be had at once, the rest killed.
    Fak,
}

impl fmt::Display for TimeInForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gtc => "GTC",
            Self::Gtd => "GTD",
            Self::Fok => "FOK",
            Self::Fak => "FAK",
        })
    }
}

/// Where an order stands. The transition table is in `exec/lifecycle.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// In the inbox, nothing signed.
    Pending,
    /// Identity and payload digest are committed; no byte has left.
    Signed,
    /// The POST is under way.
    Sent,
    /// The outcome of the POST is not known; full size stays reserved.
    Unknown,
    /// Accepted and resting.
    Live,
    /// Accepted, partly matched, the rest resting.
    PartiallyFilled,
    /// A cancel is under way.
    CancelPending,
    /// Matched in full.
    Filled,
    /// Was matched in full, and settlement of some of it failed for good: less changed hands than was matched. Its fills tell
    /// which part.
    Voided,
    /// Ended by a cancel, ours or the venue's; may have been matched in part.
    Cancelled,
    /// Refused by the venue.
    Rejected,
    /// Its deadline passed before it was sent, or its lifetime at the venue ended.
    Expired,
    /// Refused by us.
    Denied,
}

impl OrderState {
    /// Whether nothing more can happen to it, settlement of its fills apart.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Filled | Self::Voided | Self::Cancelled | Self::Rejected | Self::Expired | Self::Denied)
    }

    /// Whether it may rest, or be about to rest, at the venue.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Sent | Self::Unknown | Self::Live | Self::PartiallyFilled | Self::CancelPending)
    }

    /// Whether its unmatched size still counts against limits.
    #[must_use]
    pub const fn reserves(self) -> bool {
        !self.is_terminal()
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Signed => "signed",
            Self::Sent => "sent",
            Self::Unknown => "unknown",
            Self::Live => "live",
            Self::PartiallyFilled => "partially_filled",
            Self::CancelPending => "cancel_pending",
            Self::Filled => "filled",
            Self::Voided => "voided",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Denied => "denied",
        })
    }
}

/// When each step of an order's way happened; steps not reached are absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderTimes {
    /// Taken from `trade.signals`.
    pub consumed_at: Option<Timestamp>,
    /// Passed the gate of Hermes.
    pub gated_at: Option<Timestamp>,
    /// Signed.
    pub signed_at: Option<Timestamp>,
    /// Identity durable in the ledger.
    pub committed_at: Option<Timestamp>,
    /// First byte of the POST.
    pub sent_at: Option<Timestamp>,
    /// The venue's answer read, or given up on.
    pub answered_at: Option<Timestamp>,
    /// First fill seen.
    pub matched_at: Option<Timestamp>,
    /// Every fill of it confirmed, after it had ended.
    pub confirmed_at: Option<Timestamp>,
    /// Reached a terminal state.
    pub ended_at: Option<Timestamp>,
}

/// An order of ours and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// What was wanted.
    pub intent: OrderIntent,
    /// The venue's id; known from `Signed` on.
    pub order: Option<OrderId>,
    /// Where it stands.
    pub state: OrderState,
    /// Shares matched so far: the more of what the venue counts and what the known trades add up to.
    pub matched: Size,
    /// Shares in the trades that are known, failed ones included; these are in the position. An older writer does not say: then
    /// none, so that too much counts rather than too little.
    #[serde(default)]
    pub traded: Size,
    /// Why it was refused, cancelled or left unknown.
    pub reason: Option<String>,
    /// Its way in time.
    pub times: OrderTimes,
}

impl Order {
    /// A fresh order in `Pending`.
    #[must_use]
    pub fn new(intent: OrderIntent, consumed_at: Timestamp) -> Self {
        let times = OrderTimes { consumed_at: Some(consumed_at), ..OrderTimes::default() };
        let (matched, traded) = (Size::ZERO, Size::ZERO);
        Self { intent, order: None, state: OrderState::Pending, matched, traded, reason: None, times }
    }

    /// Shares that this order may have traded or may still trade and that no known trade shows: what it may still match, and
    /// what is matched and not traded yet. An order that has ended keeps the latter.
    #[must_use]
    pub fn at_stake(&self) -> Size {
        let most = if self.state.reserves() { self.intent.size.max(self.matched) } else { self.matched };
        let gap = most - self.traded;
        let least = if self.state.reserves() { Decimal::ZERO } else { DUST };
        if gap.0 <= least { Size::ZERO } else { gap }
    }

    /// Shares that the venue may still match.
    #[must_use]
    pub fn remaining(&self) -> Size {
        let rest = self.intent.size - self.matched;
        if rest < Size::ZERO { Size::ZERO } else { rest }
    }

    /// Its limit price.
    #[must_use]
    pub const fn price(&self) -> Price {
        self.intent.price
    }
}
