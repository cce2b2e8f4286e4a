//! An order as the desk follows it: what is known of it, and where its sending and the search for it stand.

use std::collections::HashSet;
use std::sync::Arc;

use crate::bus::EntryId;
use crate::domain::{DeadLetterReason, OrderState, Size, Timestamp, TradeId};
use crate::exec::lifecycle::Standing;
use crate::exec::venue::SignedOrder;
use crate::store::ledger::OrderRow;

/// Where the sending of an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// Nothing to be sent (any more).
    Idle,
    /// Asked for.
    Due,
    /// On the wire.
    InFlight,
    /// Again at this time.
    RetryAt(Timestamp),
    /// Looked up before it is sent again.
    Checking,
    /// Was sent, is not to be sent again, and is looked up once more before it is given up for this.
    GivingUp(DeadLetterReason),
}

/// An order that had ended and shows signs of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Risen {
    /// The last sign.
    pub(super) at: Timestamp,
    /// What the venue has open of it at least.
    pub(super) open: Size,
}

/// The search for an order whose fate is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Search {
    /// When the outcome became unknown: the end of its POST.
    pub(super) since: Timestamp,
    /// Lookups that did not find it.
    pub(super) absences: u32,
    /// When to look next.
    pub(super) next_at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) row: OrderRow,
    pub(super) standing: Standing,
    pub(super) entry: Option<EntryId>,
    pub(super) payload: String,
    pub(super) signed: Option<Arc<SignedOrder>>,
    pub(super) sending: Sending,
    pub(super) search: Option<Search>,
    pub(super) looking: bool,
    pub(super) check_at: Option<Timestamp>,
    pub(super) cancel_at: Option<Timestamp>,
    /// When trades were last asked for from its beginning on.
    pub(super) traced_at: Option<Timestamp>,
    /// Since when the venue may have ended it without our hearing of it.
    pub(super) doubted: Option<Timestamp>,
    /// Trades that are not settled.
    pub(super) unsettled: HashSet<TradeId>,
}

impl Tracked {
    pub(super) fn new(row: OrderRow, standing: Standing) -> Self {
        Self {
            row,
            standing,
            entry: None,
            payload: String::new(),
            signed: None,
            sending: Sending::Idle,
            search: None,
            looking: false,
            check_at: None,
            cancel_at: None,
            traced_at: None,
            doubted: None,
            unsettled: HashSet::new(),
        }
    }

    pub(super) const fn state(&self) -> OrderState {
        self.row.order.state
    }

    /// What is known of it, and the doubt that lies over an open order.
    pub(super) fn shown(&self) -> OrderState {
        match self.standing.state() {
            OrderState::Live | OrderState::PartiallyFilled | OrderState::CancelPending if self.doubted.is_some() => {
                OrderState::Unknown
            }
            state => state,
        }
    }

    /// Every share that was matched is settled and ours.
    pub(super) fn is_confirmed(&self) -> bool {
        self.unsettled.is_empty() && self.standing.is_owned()
    }
}
