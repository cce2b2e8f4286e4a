//! Trades that the venue lists and that we cannot read: each may hide a fill. One row must not stop everything for good, so the rest of
//! the list counts; the hole is told, asked for by its id, and what it hides shows in the balances at the latest.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Desk, Step};
use crate::domain::{Control, Denial, Timestamp, TradeId};
use crate::exec::venue::UnreadableTrade;

/// For so long differences of balances wait for a hole to be read.
const HELD_BACK: Duration = Duration::from_mins(10);
/// For so long a hole is asked for.
const KEPT: Duration = Duration::from_hours(24);
/// More of them than this within [`HELD_BACK`] is a venue that we do not understand any more: that kills.
const MOST: usize = 5;
/// At most so many are told apart.
const ROOM: usize = 1_000;

/// Holes by the id of the trade, or by what is wrong with one that has none; with the time when each was seen first.
#[derive(Debug, Default)]
pub(super) struct Holes(BTreeMap<String, (Option<TradeId>, Timestamp)>);

impl Holes {
    /// Trades to be asked for by id.
    pub(super) fn trades(&self) -> impl Iterator<Item = &TradeId> {
        self.0.values().filter_map(|(trade, _)| trade.as_ref())
    }

    /// Whether what balances differ by may still turn out to be a fill. From the first hole on no longer than its time, however many
    /// follow.
    pub(super) fn hold_back(&self, now: Timestamp) -> bool {
        self.0.values().map(|(_, at)| *at).min().is_some_and(|first| now.since(first) < HELD_BACK)
    }

    /// It was read.
    pub(super) fn close(&mut self, trade: &TradeId) {
        self.0.remove(trade.as_str());
    }
}

impl Desk {
    /// What a list of trades had that cannot be read.
    pub(in crate::exec) fn on_holes(&mut self, unreadable: &[UnreadableTrade], now: Timestamp) -> Step {
        let mut step = Step::default();
        self.reconcile.holes.0.retain(|_, (_, at)| now.since(*at) < KEPT);
        for hole in unreadable {
            let name = hole.trade.as_ref().map_or(hole.reason.as_str(), TradeId::as_str);
            if self.reconcile.holes.0.len() >= ROOM || self.reconcile.holes.0.contains_key(name) {
                continue;
            }
            self.reconcile.holes.0.insert(name.to_owned(), (hole.trade.clone(), now));
            let which = hole.trade.as_ref().map_or("without an id", TradeId::as_str);
            let detail =
                format!("trade {which} cannot be read: {}; it may be a fill that is not in the books", hole.reason);
            self.mismatch("fill", detail, now, &mut step);
        }
        let fresh = self.reconcile.holes.0.values().filter(|(_, at)| now.since(*at) < HELD_BACK).count();
        // The history of an account that is being taken over is no fill of these books.
        if fresh > MOST && self.is_opened() {
            let minutes = HELD_BACK.as_secs() / 60;
            let value = format!("{fresh} trades within {minutes} min cannot be read");
            self.exceeded(&Denial { control: Control::Mismatch, value, limit: format!("{MOST} trades") }, &mut step);
        }
        step
    }
}
