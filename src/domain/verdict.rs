use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Text;

/// The controls: those of the risk gate, one file each under `risk/checks/`, and what else Hermes watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// The kill latch and the trading state.
    TradingState,
    /// The arm epoch that the intent was made in.
    ArmEpoch,
    /// The time by which it must be sent.
    Deadline,
    /// Whether the market may be traded at all.
    AllowList,
    /// How close the market is to its end.
    Blackout,
    /// Age of the data that it rests on.
    StaleData,
    /// Whether the market is known, open and on its tick and minimum size.
    Market,
    /// Shares in one order.
    OrderSize,
    /// pUSD in one order.
    OrderNotional,
    /// Shares that a purchase which must match at once would buy.
    Overbuy,
    /// Distance of the price from a fresh book.
    PriceCollar,
    /// The same order of a strategy again.
    Duplicate,
    /// Trading with an open order of our own.
    SelfMatch,
    /// Orders within a minute.
    OrderRate,
    /// Orders of a strategy on the same token and side without a person's word.
    RepeatedExecution,
    /// Orders open at one time.
    OpenOrders,
    /// Shares held of one token, open orders included.
    PositionCap,
    /// Shares held of both outcomes of one market, open orders included.
    MarketCap,
    /// What one market can lose in its worst outcome.
    MarketLoss,
    /// What an event group can lose in its worst outcome.
    GroupLoss,
    /// pUSD at stake of one strategy, open orders included.
    StrategyExposure,
    /// pUSD at stake over all markets, open orders included.
    GrossExposure,
    /// pUSD at the venue, and how much of it the exchange may take.
    Balance,
    /// Loss since the UTC day began.
    DailyLoss,
    /// Loss from the day's peak equity.
    DailyDrawdown,
    /// Loss from the highest equity of a rolling window.
    RollingLoss,
    /// A strategy that is halted: an order of unknown outcome, or too many repeated orders.
    StrategyHalt,
    /// The venue refuses orders of this kind one after the other.
    CircuitBreaker,
    /// How long nothing was heard of the books of what is held or on order.
    DataMute,
    /// How long the outcome of an order has been unknown.
    UnknownOutcome,
    /// What books and venue differ by.
    Mismatch,
    /// What can never be: an order that changes as the table of transitions does not allow, an answer about another order.
    Invariant,
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TradingState => "trading_state",
            Self::ArmEpoch => "arm_epoch",
            Self::Deadline => "deadline",
            Self::AllowList => "allow_list",
            Self::Blackout => "blackout",
            Self::StaleData => "stale_data",
            Self::Market => "market",
            Self::OrderSize => "order_size",
            Self::OrderNotional => "order_notional",
            Self::Overbuy => "overbuy",
            Self::PriceCollar => "price_collar",
            Self::Duplicate => "duplicate",
            Self::SelfMatch => "self_match",
            Self::OrderRate => "order_rate",
            Self::RepeatedExecution => "repeated_execution",
            Self::OpenOrders => "open_orders",
            Self::PositionCap => "position_cap",
            Self::MarketCap => "market_cap",
            Self::MarketLoss => "market_loss",
            Self::GroupLoss => "group_loss",
            Self::StrategyExposure => "strategy_exposure",
            Self::Balance => "balance",
            Self::RollingLoss => "rolling_loss",
            Self::GrossExposure => "gross_exposure",
            Self::DailyLoss => "daily_loss",
            Self::DailyDrawdown => "daily_drawdown",
            Self::StrategyHalt => "strategy_halt",
            Self::CircuitBreaker => "circuit_breaker",
            Self::DataMute => "data_mute",
            Self::UnknownOutcome => "unknown_outcome",
            Self::Mismatch => "mismatch",
            Self::Invariant => "invariant",
        })
    }
}

/// What one control measured against its limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckResult {
    /// Which control.
    pub control: Control,
    /// What was measured, with its unit where it has one.
    pub value: Text,
    /// What is allowed.
    pub limit: Text,
    /// Whether it passed.
    pub passed: bool,
}

/// A refusal by us: which control, what it measured, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Denial {
    /// Which control refused.
    pub control: Control,
    /// What it measured.
    pub value: String,
    /// What is allowed.
    pub limit: String,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (limit {})", self.control, self.value, self.limit)
    }
}
