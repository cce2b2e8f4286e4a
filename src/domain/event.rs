use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Alert, CheckResult, DeadLetter, Denial, Fill, IntentId, KillReport, Order, OrderIntent, ParamVersion, Position,
    Rationale, SignalEntry, Skip, Timestamp,
};

/// Which gate refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeniedBy {
    /// Before the signal was emitted.
    Athena,
    /// Before the order was sent.
    Hermes,
}

/// A disagreement between our books and the venue's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MismatchEvent {
    /// What disagrees: `order`, `fill`, `balance`.
    pub what: String,
    /// What we had, what the venue says, what was done.
    pub detail: String,
    /// When it was found.
    pub at: Timestamp,
}

/// A resting purchase that the limits no longer admit, and that is cancelled for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Withdrawal {
    /// Of which intent.
    pub intent: IntentId,
    /// What it exceeds.
    pub denial: Denial,
    /// When.
    pub at: Timestamp,
}

/// What `trade.events` carries; front ends and Athena fold it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TradeEvent {
    /// Athena emitted an approved intent.
    Signal(SignalEntry),
    /// A gate refused an intent.
    Denied {
        /// Which gate.
        by: DeniedBy,
        /// What was refused.
        intent: OrderIntent,
        /// Why.
        denial: Denial,
        /// Why the strategy wanted it; absent where only the intent is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rationale: Option<Rationale>,
        /// What every check measured, the refusing one last.
        #[serde(default)]
        checks: Vec<CheckResult>,
        /// When.
        at: Timestamp,
    },
    /// A strategy's price moved as it waits for, and it did not wish. Told once when the reason changes, counted otherwise.
    Skipped(Skip),
    /// A strategy's parameters, or the limits, changed; the whole of the version in force now.
    Params(ParamVersion),
    /// An order changed; the whole of its new state.
    Order(Order),
    /// A fill appeared or settled; the whole of its new state.
    Fill(Fill),
    /// A position changed; the whole of its new state.
    Position(Position),
    /// The kill latch or its proof moved on.
    Kill(KillReport),
    /// Our books and the venue's disagree.
    Mismatch(MismatchEvent),
    /// A limit is used to one of the levels that are told.
    Alert(Alert),
    /// The limits take a resting purchase back.
    Withdrawn(Withdrawal),
    /// Something went to the dead letters, or something was done about one; the whole of its new state.
    DeadLetter(DeadLetter),
}
