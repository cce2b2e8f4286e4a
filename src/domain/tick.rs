use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Price, Side, Size, Symbol, Timestamp};

/// One observation of a crypto pair, as published on `data.crypto`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tick {
    /// Which pair.
    pub symbol: Symbol,
    /// What was seen.
    #[serde(flatten)]
    pub kind: TickKind,
    /// When the venue says it happened.
    pub event_at: Timestamp,
    /// When its frame reached us.
    pub received_at: Timestamp,
}

/// What a tick reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TickKind {
    /// A trade on the venue.
    Trade {
        /// Price in the quote currency.
        price: Price,
        /// Quantity in the base currency.
        qty: Size,
        /// The taker's side.
        side: Side,
        /// Consecutive per pair at Kraken: a jump is a gap, a repeat is a duplicate.
        trade_id: u64,
    },
    /// The best bid and ask, with the last trade's price.
    Quote {
        /// Best bid.
        bid: Price,
        /// Quantity at the best bid.
        bid_qty: Size,
        /// Best ask.
        ask: Price,
        /// Quantity at the best ask.
        ask_qty: Size,
        /// Price of the last trade.
        last: Price,
    },
}

impl Tick {
    /// The last traded price it tells of.
    #[must_use]
    pub const fn last(&self) -> Price {
        match &self.kind {
            TickKind::Trade { price, .. } => *price,
            TickKind::Quote { last, .. } => *last,
        }
    }
}

/// A payload that validation refused, as kept on `data.rejected`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RejectedPayload {
    /// Where it came from: `kraken`, `polymarket`.
    pub source: String,
    /// The field at fault; `frame` when it could not be read at all.
    pub field: String,
    /// What is wrong with it and what would be right.
    pub reason: String,
    /// The payload as received, clipped to 2,048 bytes.
    pub raw: String,
    /// When it reached us.
    pub received_at: Timestamp,
}
