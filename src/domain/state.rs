//! The snapshots that daemons keep under `state.<daemon>`: a client reads these, then follows `trade.events`.

use std::fmt;
use std::ops::{AddAssign, SubAssign};

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    DeadLetter, EquityState, Exposure, Fill, Funds, KillReport, LimitUse, Market, Measure, Order, ParamsInForce, Pnl,
    Position, Price, Slug, StrategyId, Symbol, Timestamp, Usd,
};

/// Which world the desk trades in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All venues simulated.
    Sim,
    /// Live data, simulated execution.
    Paper,
    /// Real money.
    Live,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sim => "SIM",
            Self::Paper => "PAPER",
            Self::Live => "LIVE",
        })
    }
}

/// What may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TradingState {
    /// Everything that the gate approves.
    Active,
    /// Only what reduces exposure.
    Reducing,
    /// Nothing.
    Halted,
}

impl fmt::Display for TradingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "active",
            Self::Reducing => "reducing",
            Self::Halted => "halted",
        })
    }
}

/// A latency distribution in microseconds; absent before the first sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Median.
    pub p50: Option<u64>,
    /// 99th percentile.
    pub p99: Option<u64>,
}

/// Whether a connection is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedLink {
    /// Dialling, or waiting to dial again.
    Connecting,
    /// Connected, its subscriptions not all confirmed yet.
    Subscribing,
    /// Everything asked for arrives.
    Up,
    /// A subscription was refused for good.
    Refused,
}

/// One subscription of Argos.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeedState {
    /// `kraken` or `polymarket`.
    pub source: String,
    /// What is subscribed: `ticker BTC/USD`, `trade BTC/USD`, a market's slug.
    pub subject: String,
    /// How it stands.
    pub link: FeedLink,
    /// When its last message arrived.
    pub last_at: Option<Timestamp>,
    /// Reconnects since start.
    pub reconnects: u64,
    /// Messages known to be missing, from gaps in the venue's numbering.
    pub gaps: u64,
    /// Why it is not up.
    pub reason: Option<String>,
}

/// `ticks` of the status document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TickCounts {
    /// Frames with data that reached us, one count a row.
    pub received: u64,
    /// Put on the bus.
    pub published: u64,
    /// Refused by validation.
    pub rejected: u64,
    /// Written to the archive.
    pub archived: u64,
    /// Lost for lack of room, here or on the way to a subscriber of ours.
    pub dropped: u64,
}

/// `state.argos`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArgosState {
    /// When it was written; refreshed at least every second.
    pub at: Timestamp,
    /// The process that wrote it.
    pub boot: String,
    /// Every subscription.
    pub feeds: Vec<FeedState>,
    /// Counters since start.
    pub ticks: TickCounts,
    /// Markets being watched.
    pub markets: Vec<Market>,
}

/// `signals` of the status document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignalCounts {
    /// Approved and put on `trade.signals`.
    pub emitted: u64,
    /// Refused by Athena's gate.
    pub denied: u64,
    /// Crossings that did not become a wish.
    #[serde(default)]
    pub skipped: u64,
    /// Approved, and it is not known whether `trade.signals` has them.
    #[serde(default)]
    pub in_doubt: u64,
}

/// One strategy on one instrument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StrategyState {
    /// Which strategy.
    pub strategy: StrategyId,
    /// The instrument that it watches.
    pub symbol: Symbol,
    /// The market that it trades now; absent while none is open.
    pub slug: Option<Slug>,
    /// Relative change over the window; absent without one and while it is not warm.
    #[serde(with = "rust_decimal::serde::str_option")]
    #[schemars(with = "Option<String>")]
    pub change: Option<Decimal>,
    /// The threshold.
    #[serde(with = "rust_decimal::serde::str")]
    #[schemars(with = "String")]
    pub threshold: Decimal,
    /// In what change and threshold are measured.
    #[serde(default)]
    pub measure: Measure,
    /// Length of the window, in milliseconds; 0 without one.
    pub window_ms: u64,
    /// Ticks in the window.
    pub window_ticks: u64,
    /// Last price.
    pub last: Option<Price>,
    /// When it last emitted.
    pub signal_at: Option<Timestamp>,
    /// Why it is not trading now, in words; absent when it could.
    pub idle: Option<String>,
}

/// `state.athena`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AthenaState {
    /// When it was written; refreshed at least every second.
    pub at: Timestamp,
    /// The process that wrote it.
    pub boot: String,
    /// Sequence number of its last event on `trade.events`, which this snapshot includes.
    pub seq: u64,
    /// Counters since start.
    pub signals: SignalCounts,
    /// Messages lost on the way to Athena.
    pub dropped: u64,
    /// Tick received to signal on the stream.
    pub tick_to_signal: Latency,
    /// Every strategy.
    pub strategies: Vec<StrategyState>,
    /// Every strategy's parameters.
    #[serde(default)]
    pub params: Vec<ParamsInForce>,
}

/// `orders` of the status document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderCounts {
    /// Whose POST began.
    pub sent: u64,
    /// Accepted by the venue.
    pub accepted: u64,
    /// Open now.
    pub open: u64,
    /// Ended filled.
    pub filled: u64,
    /// Ended cancelled or expired at the venue.
    pub cancelled: u64,
    /// Refused by the venue.
    pub rejected: u64,
    /// Whose outcome is not known now.
    pub unknown: u64,
    /// Refused by Hermes' gate.
    pub denied: u64,
}

impl OrderCounts {
    /// The same operation on each counter.
    fn each(&mut self, other: Self, apply: impl Fn(u64, u64) -> u64) {
        let pairs = [
            (&mut self.sent, other.sent),
            (&mut self.accepted, other.accepted),
            (&mut self.open, other.open),
            (&mut self.filled, other.filled),
            (&mut self.cancelled, other.cancelled),
            (&mut self.rejected, other.rejected),
            (&mut self.unknown, other.unknown),
            (&mut self.denied, other.denied),
        ];
        for (count, other) in pairs {
            *count = apply(*count, other);
        }
    }
}

impl AddAssign for OrderCounts {
    fn add_assign(&mut self, more: Self) {
        self.each(more, u64::saturating_add);
    }
}

/// Never below zero.
impl SubAssign for OrderCounts {
    fn sub_assign(&mut self, less: Self) {
        self.each(less, u64::saturating_sub);
    }
}

/// A strategy whose orders are refused although the desk trades.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StrategyHalt {
    /// Which strategy.
    pub strategy: StrategyId,
    /// Why, in words: `the outcome of order ... is unknown for 61 s`.
    pub why: String,
}

/// `state.hermes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HermesState {
    /// When it was written; refreshed at least every second.
    pub at: Timestamp,
    /// The process that wrote it.
    pub boot: String,
    /// Sequence number of its last event on `trade.events`, which this snapshot includes.
    pub seq: u64,
    /// Which world.
    pub mode: Mode,
    /// What may be sent.
    pub trading_state: TradingState,
    /// The latch and its proof.
    pub kill: KillReport,
    /// Whether the books agree with the venue, and when that was last seen.
    pub reconciled_at: Option<Timestamp>,
    /// Why trading is not possible now, in words; absent when it is.
    pub trouble: Option<String>,
    /// What a person should know of the bus although it works: settings under which it may lose what it was given, and its last
    /// failover.
    pub bus_concerns: Vec<String>,
    /// What the configuration file says and does not count: it would widen a limit, which a person has to confirm.
    #[serde(default)]
    pub limit_concerns: Vec<String>,
    /// Counters over the ledger.
    pub orders: OrderCounts,
    /// Fills over the ledger.
    pub fills: u64,
    /// Orders that are open, then the newest ended ones; at most 200.
    pub recent_orders: Vec<Order>,
    /// The newest fills, newest first; at most 200.
    pub recent_fills: Vec<Fill>,
    /// Every position that is not zero, and those closed today.
    pub positions: Vec<Position>,
    /// Profit and loss.
    pub pnl: Pnl,
    /// Highest total `PnL` of the UTC day, the reference of the drawdown.
    pub peak_today: Usd,
    /// Total `PnL` when the UTC day began: today's profit is `pnl.total - day_start`.
    pub day_start: Usd,
    /// The same as the limits on losses see it. Absent from who does not tell, which counts as not known.
    #[serde(default)]
    pub equity: Option<Box<EquityState>>,
    /// pUSD for buys; absent before the venue's balance was taken over.
    #[serde(default)]
    pub funds: Option<Funds>,
    /// At stake against the limit.
    pub exposure: Exposure,
    /// How much of each limit is used, the nearest first; of tokens and markets at most the 50 nearest.
    #[serde(default)]
    pub limits: Vec<LimitUse>,
    /// The limits in force; absent from a Hermes that has none to tell.
    #[serde(default)]
    pub risk: Option<ParamsInForce>,
    /// Dead letters that nothing was done about.
    pub dlq: u64,
    /// The newest dead letters, newest first; at most 100.
    pub dead_letters: Vec<DeadLetter>,
    /// Strategies that are halted, each with its reason.
    pub halted: Vec<StrategyHalt>,
    /// Which turn at the lease of the account this is; grows with every takeover. Absent on a standby.
    pub fencing_token: Option<u64>,
    /// The venue's clock minus ours, in milliseconds; absent before it was measured.
    pub venue_skew_ms: Option<i64>,
    /// Tick received to first byte of the order.
    pub tick_to_order: Latency,
}
