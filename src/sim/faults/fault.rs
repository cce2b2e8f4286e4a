//! The kinds of faults and what each of them takes.

use std::time::Duration;

use rust_decimal::{Decimal, dec};
use serde::{Deserialize, Serialize};

use crate::domain::Price;

/// Longest that a fault may last or hold something back, in milliseconds.
const MOST_MS: u64 = 600_000;
/// Longest `Retry-After`, in seconds.
const MOST_RETRY_S: u64 = 3_600;
/// The grids that the venue knows.
const TICKS: [Decimal; 6] = [dec!(0.1), dec!(0.01), dec!(0.005), dec!(0.0025), dec!(0.001), dec!(0.0001)];
/// Most steps back in a settlement.
const MOST_RETRIES: u64 = 20;

/// What a client asks of the REST API, as far as faults tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Posting orders.
    Orders,
    /// Cancelling them.
    Cancels,
    /// Lists of orders and trades, balances.
    Reads,
    /// The dead man's switch.
    Heartbeats,
}

/// One of the two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// An account's own orders and trades.
    User,
    /// Books.
    Market,
}

/// Which calls a fault concerns when its plan does not say.
fn orders() -> Vec<Call> {
    vec![Call::Orders]
}

/// Which sockets a fault concerns when its plan does not say.
fn user() -> Vec<Channel> {
    vec![Channel::User]
}

/// One kind of fault with its own parameters. Times are milliseconds, at most ten minutes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The call was carried out and answered with 200, but the connection is closed before a byte of the answer.
    AcceptThenDropReply {
        /// Which calls.
        #[serde(default = "orders")]
        on: Vec<Call>,
    },
    /// The post of an order waits this long before the venue looks at it, whether the client still waits or not.
    LateAccept {
        /// How long.
        delay_ms: u64,
    },
    /// The matching engine restarts: 425 to posts and cancels, then 503 to every order that is not post-only.
    Restart {
        /// How long it answers 425.
        for_ms: u64,
        /// How long it then takes post-only orders alone.
        post_only_ms: u64,
    },
    /// 429 with `Retry-After`.
    TooManyRequests {
        /// The header, in seconds.
        retry_after_s: u64,
        /// Which calls.
        #[serde(default = "orders")]
        on: Vec<Call>,
    },
    /// 500, which says nothing about whether the call was carried out.
    InternalError {
        /// Whether it was.
        carried_out: bool,
        /// Which calls.
        #[serde(default = "orders")]
        on: Vec<Call>,
    },
    /// 503 to posts and cancels: nothing can be done at all.
    TradingDisabled {
        /// How long; 0 is this call alone.
        for_ms: u64,
    },
    /// 503 to posts: what rests can still be cancelled.
    CancelOnly {
        /// How long; 0 is this call alone.
        for_ms: u64,
    },
    /// 503 without any of the documented texts.
    Overloaded {
        /// How long; 0 is this call alone.
        for_ms: u64,
        /// Which calls.
        #[serde(default = "orders")]
        on: Vec<Call>,
    },
    /// The call was carried out, but only the first half of the answer's body arrives.
    TruncatedBody {
        /// Whether the connection is closed in the middle of the body, or the body looks whole and is cut JSON.
        cut_connection: bool,
        /// Which calls.
        #[serde(default = "orders")]
        on: Vec<Call>,
    },
    /// A beat is lost and its key's open orders are swept, as after ten seconds of silence; the connection is closed without
    /// an answer.
    HeartbeatLapse {},
    /// The venue expects another id than the one it gave out: 400 with the right one, and the beat does not count.
    StaleHeartbeatId {},
    /// An event is sent twice.
    WsDuplicate {
        /// Which sockets.
        #[serde(default = "user")]
        on: Vec<Channel>,
    },
    /// An event is sent late, after those that came meanwhile.
    WsReorder {
        /// How late.
        delay_ms: u64,
        /// Which sockets.
        #[serde(default = "user")]
        on: Vec<Channel>,
    },
    /// A socket falls silent with this event; what happens meanwhile is never sent.
    WsStall {
        /// How long.
        for_ms: u64,
        /// Whether it goes on answering PING, so that only the events are missing.
        pong: bool,
        /// Which sockets.
        #[serde(default = "user")]
        on: Vec<Channel>,
    },
    /// An event is never sent.
    WsGap {
        /// Which sockets.
        #[serde(default = "user")]
        on: Vec<Channel>,
    },
    /// A resting order is filled between the request to cancel it and the cancel.
    CancelRace {
        /// How much of what is left of it; above 0, and at 1 nothing is left to cancel.
        part: Decimal,
    },
    /// A trade goes from MATCHED over RETRYING to FAILED: money, shares and fee go back. One whose shares or money a client
    /// has passed on settles after all.
    SettlementFailed {
        /// How often RETRYING is told; 0 to 20.
        retries: u8,
    },
    /// A trade goes from MATCHED over RETRYING to MINED and CONFIRMED.
    SettlementRetried {
        /// How often RETRYING is told; 1 to 20.
        retries: u8,
    },
    /// After an order was accepted its market gets another price grid. What rests stays as it is.
    TickChange {
        /// The new grid. A market that has it already is no occasion.
        tick_size: Price,
    },
    /// After an order was accepted its market closes: what rests is cancelled, further orders are refused.
    MarketClose {},
    /// From before a trade on, its account's balances are shown, and orders checked, as they were; until it is over or the
    /// client has them refreshed.
    BalanceLag {
        /// How long.
        for_ms: u64,
    },
}

/// A parameter that is out of range, what it is and what is allowed.
type OutOfRange = (&'static str, String, String);

impl Fault {
    /// The kind's name in a plan.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::AcceptThenDropReply { .. } => "accept_then_drop_reply",
            Self::LateAccept { .. } => "late_accept",
            Self::Restart { .. } => "restart",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::InternalError { .. } => "internal_error",
            Self::TradingDisabled { .. } => "trading_disabled",
            Self::CancelOnly { .. } => "cancel_only",
            Self::Overloaded { .. } => "overloaded",
            Self::TruncatedBody { .. } => "truncated_body",
            Self::HeartbeatLapse {} => "heartbeat_lapse",
            Self::StaleHeartbeatId {} => "stale_heartbeat_id",
            Self::WsDuplicate { .. } => "ws_duplicate",
            Self::WsReorder { .. } => "ws_reorder",
            Self::WsStall { .. } => "ws_stall",
            Self::WsGap { .. } => "ws_gap",
            Self::CancelRace { .. } => "cancel_race",
            Self::SettlementFailed { .. } => "settlement_failed",
            Self::SettlementRetried { .. } => "settlement_retried",
            Self::TickChange { .. } => "tick_change",
            Self::MarketClose {} => "market_close",
            Self::BalanceLag { .. } => "balance_lag",
        }
    }

    /// How long it goes on once it has struck; nothing for what is over at once.
    pub(super) const fn lasts(&self) -> Option<Duration> {
        match self {
            Self::Restart { for_ms, post_only_ms } => Some(Duration::from_millis(*for_ms + *post_only_ms)),
            Self::TradingDisabled { for_ms } | Self::CancelOnly { for_ms } | Self::Overloaded { for_ms, .. } => {
                Some(Duration::from_millis(*for_ms))
            }
            _ => None,
        }
    }

    /// Finds a parameter that is out of range.
    pub(super) fn check(&self) -> Result<(), OutOfRange> {
        match self {
            Self::AcceptThenDropReply { on } | Self::InternalError { on, .. } | Self::TruncatedBody { on, .. } => {
                some(on)
            }
            Self::HeartbeatLapse {} | Self::StaleHeartbeatId {} | Self::MarketClose {} => Ok(()),
            Self::BalanceLag { for_ms } => within("for_ms", *for_ms, 1, MOST_MS),
            Self::TickChange { tick_size } if TICKS.contains(&tick_size.0) => Ok(()),
            Self::TickChange { tick_size } => {
                let allowed = TICKS.map(|tick| tick.to_string()).join(", ");
                Err(("tick_size", tick_size.to_string(), format!("one of {allowed}")))
            }
            Self::LateAccept { delay_ms } => within("delay_ms", *delay_ms, 1, MOST_MS),
            Self::Restart { for_ms, post_only_ms } => {
                within("for_ms", *for_ms, 0, MOST_MS).and_then(|()| within("post_only_ms", *post_only_ms, 0, MOST_MS))
            }
            Self::WsDuplicate { on } | Self::WsGap { on } => some_socket(on),
            Self::WsReorder { delay_ms, on } => {
                within("delay_ms", *delay_ms, 1, MOST_MS).and_then(|()| some_socket(on))
            }
            Self::WsStall { for_ms, on, .. } => within("for_ms", *for_ms, 1, MOST_MS).and_then(|()| some_socket(on)),
            Self::CancelRace { part } => {
                let is_part = *part > Decimal::ZERO && *part <= Decimal::ONE;
                if is_part { Ok(()) } else { Err(("part", part.to_string(), "above 0 and at most 1".to_owned())) }
            }
            Self::SettlementFailed { retries } => within("retries", u64::from(*retries), 0, MOST_RETRIES),
            Self::SettlementRetried { retries } => within("retries", u64::from(*retries), 1, MOST_RETRIES),
            Self::TooManyRequests { retry_after_s, on } => {
                within("retry_after_s", *retry_after_s, 0, MOST_RETRY_S).and_then(|()| some(on))
            }
            Self::TradingDisabled { for_ms } | Self::CancelOnly { for_ms } => within("for_ms", *for_ms, 0, MOST_MS),
            Self::Overloaded { for_ms, on } => within("for_ms", *for_ms, 0, MOST_MS).and_then(|()| some(on)),
        }
    }
}

fn some(on: &[Call]) -> Result<(), OutOfRange> {
    if on.is_empty() {
        let allowed = "a list of at least one of orders, cancels, reads, heartbeats";
        return Err(("on", "[]".to_owned(), allowed.to_owned()));
    }
    Ok(())
}

fn some_socket(on: &[Channel]) -> Result<(), OutOfRange> {
    if on.is_empty() {
        return Err(("on", "[]".to_owned(), "a list of at least one of user, market".to_owned()));
    }
    Ok(())
}

fn within(name: &'static str, value: u64, least: u64, most: u64) -> Result<(), OutOfRange> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err((name, value.to_string(), format!("a whole number from {least} to {most}")))
}
