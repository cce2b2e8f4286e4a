//! What an event leads to: what must be durable, and what is to be done.

use super::Key;
use crate::bus::EntryId;
use crate::domain::{DeadLetter, Journal, MarketId, OrderId, ParamBook, Timestamp, TokenId, TradeEvent, TradeId};
use crate::store::ledger::Write;

/// Something to be done.
#[derive(Clone, Debug)]
pub(in crate::exec) enum Effect {
    /// Send this order, after asking [`super::Desk::clear_to_send`] again.
    Post(Key),
    /// Cancel these at the venue.
    Cancel(Vec<OrderId>),
    /// Ask the venue for an order, and for the account's fills from `since` on.
    Lookup {
        /// Which order.
        order: OrderId,
        /// From when on.
        since: Timestamp,
    },
    /// Ask the venue for all open orders, for the account's fills from `since` on, and for older trades by their ids.
    Snapshot {
        /// From when on.
        since: Timestamp,
        /// Trades that were matched before and are not settled.
        trades: Vec<TradeId>,
    },
    /// Ask the ledger for an order that the venue has open and that is not in memory.
    Recall(OrderId),
    /// Ask the ledger for everything of a token, of which a fill was told that may be folded up.
    History {
        /// Its market.
        market: MarketId,
        /// Which token.
        token: TokenId,
    },
    /// Ask the ledger for the counters of all orders, for the next checkpoint.
    CountOrders,
    /// Ask the venue for pUSD and the shares of these tokens.
    Balances {
        /// Which tokens.
        tokens: Vec<TokenId>,
        /// Have the venue read them from the chain first.
        refresh: bool,
    },
    /// Send a heartbeat.
    Heartbeat,
    /// Tell everybody.
    Emit(Box<TradeEvent>),
    /// Put this on the dead-letter stream.
    DeadLetter(Box<DeadLetter>),
    /// Acknowledge a stream entry.
    Ack(EntryId),
    /// This version of the limits is in the ledger.
    LimitsDurable(u64),
    /// Show the book of the limits on the bus.
    Mirror(Box<ParamBook>),
    /// Kill.
    Kill(String),
    /// The venue shows an open order although everything should be cancelled.
    Disturb(String),
}

/// What an event leads to.
#[derive(Debug, Default)]
pub(in crate::exec) struct Step {
    /// To be durable: in this order, and in one transaction unless `cuts` allow more.
    pub(in crate::exec) writes: Vec<Write>,
    /// Lengths of `writes` at which they may be cut in pieces, ascending.
    pub(in crate::exec) cuts: Vec<usize>,
    /// To be done at once, whatever becomes of the commit.
    pub(in crate::exec) urgent: Vec<Effect>,
    /// To be done once the writes are durable, in this order.
    pub(in crate::exec) after: Vec<Effect>,
}

impl Step {
    /// Tells everybody once the writes are durable.
    pub(super) fn emit(&mut self, event: TradeEvent) {
        self.after.push(Effect::Emit(Box::new(event)));
    }

    /// Books it.
    pub(super) fn journal(&mut self, journal: Journal) {
        self.writes.push(Write::Journal(Box::new(journal)));
    }

    #[cfg(test)]
    pub(in crate::exec) fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.urgent.iter().chain(&self.after)
    }
}
