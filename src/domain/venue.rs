//! What a venue says about orders, calls and time, as codes: dead letters, circuit breakers and screens go by these,
//! never by the venue's words.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DeadLetterReason, Timestamp};

/// Why the venue refused an order for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectCode {
    /// Not enough pUSD or shares free, or not enough allowed: the venue has one text for both.
    Balance,
    /// The venue says that it is the allowance.
    Allowance,
    /// The price is off the market's grid: the grid may have changed.
    Tick,
    /// Smaller than the market's minimum.
    MinSize,
    /// Amounts with more decimals than the venue takes.
    Precision,
    /// The expiry is past or too near.
    Expiration,
    /// A post-only order that would have matched.
    PostOnlyCrosses,
    /// A FOK or FAK order that found too little.
    NotFilled,
    /// The body is not what the venue reads.
    Malformed,
    /// No such market or token.
    MarketUnknown,
    /// The market takes no orders: not yet open, or closed.
    MarketNotAccepting,
    /// The signature does not verify.
    Signature,
    /// Signed for another version of the exchange.
    Version,
    /// The order's owner or signer is not that of the API key.
    Owner,
    /// The wallet may not trade this way.
    MakerNotAllowed,
    /// The account is banned.
    Banned,
    /// The account may only close positions.
    ClosedOnly,
    /// The API key or the request's signature is refused.
    Unauthorized,
    /// Kept out: geoblock or firewall.
    Forbidden,
    /// Refused in words that we do not know.
    Other,
}

/// How far a refusal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectScope {
    /// This order; another one may pass.
    Order,
    /// Every order in this market.
    Market,
    /// Every order of this account, until a person has done something about it.
    Account,
}

impl RejectCode {
    /// How far it reaches.
    #[must_use]
    pub const fn scope(self) -> RejectScope {
        match self {
            Self::Balance
            | Self::Allowance
            | Self::Tick
            | Self::MinSize
            | Self::Precision
            | Self::Expiration
            | Self::PostOnlyCrosses
            | Self::NotFilled
            | Self::Malformed
            | Self::Other => RejectScope::Order,
            Self::MarketUnknown | Self::MarketNotAccepting => RejectScope::Market,
            Self::Signature
            | Self::Version
            | Self::Owner
            | Self::MakerNotAllowed
            | Self::Banned
            | Self::ClosedOnly
            | Self::Unauthorized
            | Self::Forbidden => RejectScope::Account,
        }
    }

    /// What the dead letter of a refused order says.
    #[must_use]
    pub const fn dead_letter(self) -> DeadLetterReason {
        match self {
            Self::Balance => DeadLetterReason::Balance,
            Self::Allowance => DeadLetterReason::Allowance,
            Self::Tick => DeadLetterReason::Tick,
            Self::MinSize | Self::Precision => DeadLetterReason::Size,
            Self::MarketUnknown | Self::MarketNotAccepting => DeadLetterReason::MarketClosed,
            Self::Banned | Self::ClosedOnly | Self::MakerNotAllowed | Self::Unauthorized | Self::Forbidden => {
                DeadLetterReason::Banned
            }
            Self::Expiration
            | Self::PostOnlyCrosses
            | Self::NotFilled
            | Self::Malformed
            | Self::Signature
            | Self::Version
            | Self::Owner
            | Self::Other => DeadLetterReason::Rejected,
        }
    }
}

impl fmt::Display for RejectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Balance => "balance",
            Self::Allowance => "allowance",
            Self::Tick => "tick",
            Self::MinSize => "min_size",
            Self::Precision => "precision",
            Self::Expiration => "expiration",
            Self::PostOnlyCrosses => "post_only_crosses",
            Self::NotFilled => "not_filled",
            Self::Malformed => "malformed",
            Self::MarketUnknown => "market_unknown",
            Self::MarketNotAccepting => "market_not_accepting",
            Self::Signature => "signature",
            Self::Version => "version",
            Self::Owner => "owner",
            Self::MakerNotAllowed => "maker_not_allowed",
            Self::Banned => "banned",
            Self::ClosedOnly => "closed_only",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Other => "other",
        })
    }
}

/// Why an order was not accepted for now; the same bytes may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransientCode {
    /// The matching engine is restarting.
    Restarting,
    /// Only post-only orders and cancels are taken, for about two minutes after a restart.
    PostOnlyMode,
    /// Only cancels are taken.
    CancelOnly,
    /// Nothing is taken, not even cancels.
    TradingDisabled,
    /// The venue says that we ask too often.
    RateLimited,
    /// Our own budget of calls is used up: nothing was sent.
    OverBudget,
    /// No connection: nothing was sent.
    Unreachable,
}

impl fmt::Display for TransientCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Restarting => "restarting",
            Self::PostOnlyMode => "post_only_mode",
            Self::CancelOnly => "cancel_only",
            Self::TradingDisabled => "trading_disabled",
            Self::RateLimited => "rate_limited",
            Self::OverBudget => "over_budget",
            Self::Unreachable => "unreachable",
        })
    }
}

/// A class of calls with a budget of its own, so that none can starve another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallClass {
    /// Orders.
    Orders,
    /// Cancels; counted by order.
    Cancels,
    /// The dead man's switch.
    Heartbeats,
    /// Orders and trades read back.
    Lists,
    /// Balances and allowances.
    Balances,
    /// Credentials, version, clock.
    Setup,
}

impl fmt::Display for CallClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Orders => "orders",
            Self::Cancels => "cancels",
            Self::Heartbeats => "heartbeats",
            Self::Lists => "lists",
            Self::Balances => "balances",
            Self::Setup => "setup",
        })
    }
}

/// The budget of one class of calls, and what it has done since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallLimit {
    /// Which class.
    pub class: CallClass,
    /// Calls a second that it refills with.
    pub per_second: u32,
    /// Most that can be saved up.
    pub burst: u32,
    /// Calls that could be made now, rounded down; negative when some are promised already.
    pub available: i64,
    /// Calls that had to wait.
    pub waited: u64,
    /// Calls that were not made because the wait would have been too long.
    pub refused: u64,
    /// How often the venue answered 429.
    pub throttled: u64,
    /// Milliseconds until the venue's last 429 is over; 0 when it is.
    pub paused_ms: u64,
}

/// How far the venue's clock is from ours, as one measurement bounds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClockSkew {
    /// Best guess in microseconds: positive when the venue is ahead of us.
    pub ahead_us: i64,
    /// The truth lies within this many microseconds of the guess.
    pub within_us: u64,
    /// When it was measured, by our clock.
    pub measured_at: Timestamp,
}

impl ClockSkew {
    /// From a clock that shows whole seconds, asked between `before` and `after` (both ours) and showing `seconds`: the
    /// round trip is halved, and half a second is added for what the clock does not show.
    #[must_use]
    pub fn measured(seconds: i64, before: Timestamp, after: Timestamp) -> Self {
        let shown = Timestamp::from_secs(seconds).micros();
        let least = shown.saturating_sub(after.micros());
        let most = shown.saturating_add(1_000_000).saturating_sub(before.micros());
        let within_us = most.abs_diff(least) / 2;
        Self { ahead_us: least.saturating_add_unsigned(within_us), within_us, measured_at: after }
    }

    /// The least distance that the measurement proves.
    #[must_use]
    pub const fn proved(&self) -> Duration {
        Duration::from_micros(self.ahead_us.unsigned_abs().saturating_sub(self.within_us))
    }

    /// Whether the clocks are certainly further apart than `bound`.
    #[must_use]
    pub fn exceeds(&self, bound: Duration) -> bool {
        self.proved() > bound
    }

    /// How old the measurement is.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Duration {
        now.since(self.measured_at)
    }
}

impl fmt::Display for ClockSkew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |micros: u64| Duration::from_micros(micros).as_secs_f64();
        let side = if self.ahead_us < 0 { "behind" } else { "ahead" };
        write!(f, "{:.1} s {side}, within {:.1} s", seconds(self.ahead_us.unsigned_abs()), seconds(self.within_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_certain_skew_counts() {
        let at = |millis: i64| Timestamp::from_millis(1_795_348_800_000 + millis);
        for (seconds, before, after, ahead_ms, proved_ms) in [
            (0, 0, 100, 450, 0),
            (0, 900, 1_100, -500, 0),
            (0, 1_500, 1_600, -1_050, 500),
            (3, 0, 100, 3_450, 2_900),
            (3, 0, 5_000, 1_000, 0),
            (-10, 0, 100, -9_550, 9_000),
        ] {
            let skew = ClockSkew::measured(1_795_348_800 + seconds, at(before), at(after));
            assert_eq!(skew.ahead_us, ahead_ms * 1_000, "{seconds} {before} {after}");
            assert_eq!(skew.proved(), Duration::from_millis(proved_ms), "{seconds} {before} {after}");
            assert_eq!(skew.exceeds(Duration::from_secs(2)), proved_ms > 2_000);
        }
    }

    #[test]
    fn codes_are_shown_as_they_are_written() {
        for code in [RejectCode::PostOnlyCrosses, RejectCode::MinSize, RejectCode::Unauthorized] {
            assert_eq!(serde_json::to_value(code).expect("json"), code.to_string());
        }
        for code in [TransientCode::PostOnlyMode, TransientCode::OverBudget] {
            assert_eq!(serde_json::to_value(code).expect("json"), code.to_string());
        }
        assert_eq!(serde_json::to_value(CallClass::Heartbeats).expect("json"), CallClass::Heartbeats.to_string());
    }
}
