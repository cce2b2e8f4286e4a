use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CheckResult, IntentId, MarketId, Measure, Price, Side, Size, Slug, StrategyId, Symbol, TimeInForce, Timestamp,
    TokenId,
};

/// One figure that a decision rested on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    /// What it is: `volume`, `book Up`.
    pub name: String,
    /// What it was, with its unit and, where there is one, what it was held against.
    pub value: String,
}

/// Why a strategy wants to trade: its inputs, kept with every signal and order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rationale {
    /// The instrument that was watched.
    pub source: Symbol,
    /// Relative change over the window: `last / first - 1`. A strategy without a window says 0 here and in what tells of one.
    #[serde(with = "rust_decimal::serde::str")]
    #[schemars(with = "String")]
    pub change: Decimal,
    /// The threshold that it passed, as configured, in its own unit.
    #[serde(with = "rust_decimal::serde::str")]
    #[schemars(with = "String")]
    pub threshold: Decimal,
    /// In what change and threshold are measured.
    #[serde(default)]
    pub measure: Measure,
    /// Configured length of the window, in milliseconds; 0 without one.
    pub window_ms: u64,
    /// How many ticks the window held.
    pub window_ticks: u64,
    /// First price in the window.
    pub first: Price,
    /// Last price in the window.
    pub last: Price,
    /// The book price it was priced against.
    pub reference: Price,
    /// What a share is worth by the strategy's reckoning; absent when it does not reckon one.
    pub fair: Option<Price>,
    /// What of that price and fee leave, as a price difference.
    pub edge: Option<Price>,
    /// The decision in one sentence for a person.
    pub note: String,
    /// The version of the strategy's parameters that made it; 0 when it is not known.
    #[serde(default)]
    pub params: u64,
    /// Everything else that was looked at.
    #[serde(default)]
    pub inputs: Vec<Figure>,
}

/// A strategy's wish, before sizing against risk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signal {
    /// Whose wish.
    pub strategy: StrategyId,
    /// Market to trade.
    pub market: MarketId,
    /// Its readable name.
    pub slug: Slug,
    /// Token to trade.
    pub token: TokenId,
    /// The outcome it stands for.
    pub outcome: String,
    /// Buy or sell.
    pub side: Side,
    /// Shares.
    pub size: Size,
    /// Worst acceptable price.
    pub price: Price,
    /// Why.
    pub rationale: Rationale,
}

/// A sized and priced wish with a deadline: what the risk gate judges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderIntent {
    /// Identity, derived from its cause.
    pub intent: IntentId,
    /// Which strategy.
    pub strategy: StrategyId,
    /// Market to trade.
    pub market: MarketId,
    /// Its readable name.
    pub slug: Slug,
    /// Token to trade.
    pub token: TokenId,
    /// The outcome it stands for.
    pub outcome: String,
    /// Buy or sell.
    pub side: Side,
    /// Limit price.
    pub price: Price,
    /// Shares.
    pub size: Size,
    /// How long the venue may keep it.
    pub tif: TimeInForce,
    /// Refuse rather than take liquidity.
    pub post_only: bool,
    /// When the tick that caused it was received.
    pub tick_received_at: Timestamp,
    /// When the strategy decided. Salt and venue timestamp derive from `intent` and this.
    pub created_at: Timestamp,
    /// Not to be sent after this.
    pub deadline: Timestamp,
    /// Cancelled by us when it still rests at this time.
    pub rest_until: Timestamp,
    /// Arm epoch it was made in; worthless in any other.
    pub epoch: u64,
    /// 1 for the first try; a dead-letter retry counts up.
    pub attempt: u32,
}

/// What `trade.signals` carries: an approved intent, why it exists and what every check measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignalEntry {
    /// The intent. Reading it back does not make it approved: the executor asks its own gate.
    pub intent: OrderIntent,
    /// Why.
    pub rationale: Rationale,
    /// Each check's value against its limit at the time of approval.
    pub checks: Vec<CheckResult>,
}

/// A crossing that did not become a wish, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skip {
    /// Identity, derived from its cause.
    pub id: IntentId,
    /// Which strategy.
    pub strategy: StrategyId,
    /// The instrument that was watched.
    pub source: Symbol,
    /// The market that would have been traded; absent when none was open.
    pub slug: Option<Slug>,
    /// The version of the strategy's parameters in force; 0 when it is not known.
    pub params: u64,
    /// Why, in one word of the strategy's: `no_edge`, `closing`.
    pub reason: String,
    /// Why, in words with its figures.
    pub note: String,
    /// Everything that was looked at.
    pub inputs: Vec<Figure>,
    /// When the venue says that the crossing happened.
    pub event_at: Timestamp,
    /// When it reached us.
    pub received_at: Timestamp,
    /// When the strategy decided.
    pub at: Timestamp,
    /// Crossings that were skipped since the last one that was told.
    pub untold: u64,
}
