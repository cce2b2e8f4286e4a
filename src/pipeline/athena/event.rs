use std::sync::Arc;

use crate::domain::{
    HermesState, KillLatch, OrderIntent, PolymarketData, Rationale, Skip, Tick, Timestamp, TradeEvent, WeatherData,
};
use crate::risk::{Approved, Denied};

/// What happens to Athena.
#[derive(Clone, Debug)]
pub enum Event {
    /// A tick from `data.crypto`.
    Tick(Tick),
    /// An observation or a forecast from `data.weather`.
    Weather(Box<WeatherData>),
    /// A market's description or a book from `data.polymarket`, or a market out of Argos' snapshot.
    Polymarket(PolymarketData),
    /// An event of Hermes from `trade.events`.
    Trade {
        /// The run of Hermes that wrote it.
        boot: Arc<str>,
        /// Its number within that run.
        seq: u64,
        /// What happened.
        event: Box<TradeEvent>,
    },
    /// Hermes' snapshot.
    Hermes(Box<HermesState>),
    /// An intent that an earlier run of Athena emitted, read back from `trade.signals`.
    OnItsWay(Box<OrderIntent>),
    /// The latch as somebody pushed it, or as it lies on the bus.
    Latch(KillLatch),
    /// The latch on the bus was looked for and is not there.
    LatchAbsent,
    /// The latch on the bus could not be read, and why: counts as killed until it can.
    LatchUnreadable(String),
    /// An unknown number of market data messages is missing.
    Gap,
    /// Some of the oldest were dropped because they came faster than they were taken: newer ones follow at once.
    Lag,
    /// Time has passed.
    Timer,
}

impl Event {
    /// The time by which strategies judge it. A tick and the weather's news are judged by the time they were received, whenever they are
    /// looked at: the same tape then leads to the same wishes, in this run and in any other. The gate, which asks whether it is too late, goes by the clock.
    #[must_use]
    pub const fn time(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Tick(tick) => tick.received_at,
            Self::Weather(data) => data.received_at(),
            _ => now,
        }
    }

    /// Whether it may be what a strategy acts upon.
    pub(super) const fn is_news(&self) -> bool {
        self.is_observation() || matches!(self, Self::Polymarket(PolymarketData::Book(_)))
    }

    /// Whether a strategy's own state may follow from it.
    pub(super) const fn is_observation(&self) -> bool {
        !matches!(
            self,
            Self::Polymarket(_)
                | Self::Trade { .. }
                | Self::Hermes(_)
                | Self::OnItsWay(_)
                | Self::Latch(_)
                | Self::LatchAbsent
                | Self::LatchUnreadable(_)
                | Self::Gap
                | Self::Lag
                | Self::Timer
        )
    }
}

/// What Athena does.
#[derive(Debug)]
pub enum Effect {
    /// Put this on `trade.signals`.
    Emit(Box<Emission>),
    /// Tell that the gate refused.
    Deny(Box<Refusal>),
    /// Tell that a strategy skipped a crossing.
    Skip(Box<Skip>),
}

/// An approved intent and why it exists.
#[derive(Debug)]
pub struct Emission {
    /// The intent with what every check measured.
    pub approved: Approved<OrderIntent>,
    /// Why.
    pub rationale: Rationale,
}

/// What the gate refused, and why it was wanted.
#[derive(Debug)]
pub struct Refusal {
    /// The refusal with what every check measured.
    pub denied: Denied,
    /// Why it was wanted.
    pub rationale: Rationale,
}
