//! What goes wrong inside the exchange: with a cancel, a settlement, a market, a balance.

use rust_decimal::Decimal;

use super::Faults;
use super::fault::Fault;
use crate::domain::Timestamp;

/// How a trade's settlement goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Resettling {
    /// How often it is tried again.
    pub(in crate::sim) retries: u8,
    /// Whether it fails in the end.
    pub(in crate::sim) fails: bool,
}

impl Faults {
    /// An occasion for a fill between the request to cancel an order and the cancel: the part of its rest that is filled.
    pub(in crate::sim) fn cancel_race(&self, now: Timestamp) -> Option<Decimal> {
        self.strike(now, |fault, _| match fault {
            Fault::CancelRace { part } => Some(*part),
            _ => None,
        })
    }

    /// An occasion for a trade to settle otherwise than it should.
    pub(in crate::sim) fn settlement(&self, now: Timestamp) -> Option<Resettling> {
        self.strike(now, |fault, _| match fault {
            Fault::SettlementFailed { retries } => Some(Resettling { retries: *retries, fails: true }),
            Fault::SettlementRetried { retries } => Some(Resettling { retries: *retries, fails: false }),
            _ => None,
        })
    }
}
