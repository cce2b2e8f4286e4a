//! What goes wrong inside the exchange: with a cancel, a settlement, a market, a balance.

use std::time::Duration;

use rust_decimal::Decimal;

use super::Faults;
use super::fault::Fault;
use crate::domain::{Price, Timestamp};

/// How a trade's settlement goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Resettling {
    /// How often it is tried again.
    pub(in crate::sim) retries: u8,
    /// Whether it fails in the end.
    pub(in crate::sim) fails: bool,
}

/// What happens to a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum MarketFault {
    /// It gets this price grid.
    Tick(Price),
    /// It takes no more orders.
    Close,
}

impl Faults {
    /// An occasion, an order that was accepted, for something to happen to its market, whose grid is `tick`.
    pub(in crate::sim) fn market(&self, tick: Price, now: Timestamp) -> Option<MarketFault> {
        self.strike(now, |fault, _| match fault {
            Fault::TickChange { tick_size } if *tick_size != tick => Some(MarketFault::Tick(*tick_size)),
            Fault::MarketClose {} => Some(MarketFault::Close),
            _ => None,
        })
    }

    /// An occasion, a trade of an account, for its balances to be shown as they were: for how long.
    pub(in crate::sim) fn balance_lag(&self, now: Timestamp) -> Option<Duration> {
        self.strike(now, |fault, _| match fault {
            Fault::BalanceLag { for_ms } => Some(Duration::from_millis(*for_ms)),
            _ => None,
        })
    }

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
