//! Rows of the venue's lists that we cannot read: each may hide a fill, or is an open order. One row must not stop everything for good,
//! so the rest of the list counts and the hole is told. A trade is asked for by its id, and what it hides shows in the balances at the
//! latest. An order is open: ours is as our books have it, another is told to be in none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Desk, Effect, Key, Snapshot, Step};
use crate::domain::{Control, Denial, OrderId, Timestamp, TradeId};
use crate::exec::venue::{UnreadableRow, VenueOrder, VenueOrderStatus};
use crate::store::ledger::{Hole, VenueList, Write};

/// For so long differences of balances wait for a hole to be read.
const HELD_BACK: Duration = Duration::from_mins(10);
/// For so long a hole is asked for.
const KEPT: Duration = Duration::from_hours(24);
/// More of them than this within [`HELD_BACK`] is a venue that we do not understand any more: that kills.
const MOST: usize = 5;
/// At most so many are told apart.
const ROOM: usize = 1_000;

/// Holes by what they are told as: their id, or what is wrong with one that has none.
#[derive(Debug, Default)]
pub(super) struct Holes {
    all: BTreeMap<(VenueList, String), Hole>,
    /// The ledger has others.
    changed: bool,
}

impl Holes {
    /// As the ledger has them.
    pub(super) fn restore(kept: &[Hole]) -> Self {
        let all = kept.iter().map(|hole| (name(hole), hole.clone())).collect();
        Self { all, changed: false }
    }

    fn trades_alone(&self) -> impl Iterator<Item = &Hole> {
        self.all.values().filter(|hole| hole.list == VenueList::Trades)
    }

    /// Trades to be asked for by id.
    pub(super) fn trades(&self) -> impl Iterator<Item = TradeId> {
        self.trades_alone().filter_map(|hole| hole.id.as_deref().map(TradeId::new))
    }

    /// Whether what balances differ by may still turn out to be a fill. From the first hole on no longer than its time, however many
    /// follow.
    pub(super) fn hold_back(&self, now: Timestamp) -> bool {
        self.trades_alone().map(|hole| hole.at).min().is_some_and(|first| now.since(first) < HELD_BACK)
    }

    /// It was read.
    pub(super) fn close(&mut self, trade: &TradeId) {
        self.changed |= self.all.remove(&(VenueList::Trades, trade.to_string())).is_some();
    }

    /// Whether it is seen for the first time, and there is room to tell of it.
    fn open(&mut self, hole: Hole) -> bool {
        let name = name(&hole);
        if self.all.len() >= ROOM || self.all.contains_key(&name) {
            return false;
        }
        self.all.insert(name, hole);
        self.changed = true;
        true
    }

    fn forget(&mut self, now: Timestamp) {
        let before = self.all.len();
        self.all.retain(|_, hole| now.since(hole.at) < KEPT);
        self.changed |= self.all.len() < before;
    }
}

fn name(hole: &Hole) -> (VenueList, String) {
    (hole.list, hole.id.clone().unwrap_or_else(|| hole.reason.clone()))
}

impl Desk {
    /// What the lists had that cannot be read.
    pub(super) fn holes(&mut self, lists: &Snapshot, now: Timestamp, step: &mut Step) {
        self.reconcile.holes.forget(now);
        let hole = |list, id: Option<&str>, reason: &String| Hole {
            list,
            id: id.map(ToOwned::to_owned),
            reason: reason.clone(),
            at: now,
        };
        for row in &lists.unreadable_trades {
            let (id, why) = (row.id.as_ref().map(TradeId::as_str), &row.reason);
            if self.reconcile.holes.open(hole(VenueList::Trades, id, why)) {
                let which = id.unwrap_or("without an id");
                let detail = format!("trade {which} cannot be read: {why}; it may be a fill that is not in the books");
                self.mismatch("fill", detail, now, step);
                step.may_cut();
            }
        }
        for row in &lists.unreadable_orders {
            let (id, why) = (row.id.as_ref().map(OrderId::as_str), &row.reason);
            let which = id.unwrap_or("without an id");
            if self.reconcile.holes.open(hole(VenueList::Orders, id, why)) {
                let of_ours = !self.named_by(row).is_empty();
                let counts =
                    if of_ours { "it counts as our books have it" } else { "it is in no book, and no limit counts it" };
                self.mismatch("order", format!("open order {which} cannot be read: {why}; {counts}"), now, step);
                step.may_cut();
            }
            if !self.latch.is_armed() {
                step.urgent.push(Effect::Disturb(format!("order {which}, which cannot be read, is open at the venue")));
            }
        }
        let fresh = self.reconcile.holes.all.values().filter(|hole| now.since(hole.at) < HELD_BACK).count();
        // The history of an account that is being taken over is no fill of these books.
        if fresh > MOST && self.is_opened() {
            let minutes = HELD_BACK.as_secs() / 60;
            let value = format!("{fresh} rows of the venue's lists within {minutes} min cannot be read");
            self.exceeded(&Denial { control: Control::Mismatch, value, limit: format!("{MOST} rows") }, step);
        }
    }

    /// Writes down which rows cannot be read: a restart neither forgets what they may explain nor tells of them again.
    pub(super) fn keep_holes(&mut self, now: Timestamp, step: &mut Step) {
        let holes = &mut self.reconcile.holes;
        if std::mem::take(&mut holes.changed) {
            step.writes.push(Write::Holes { holes: holes.all.values().cloned().collect(), at: now });
        }
    }

    /// Orders of ours that these rows are of, open with what our books have of them.
    pub(super) fn unreadable_of_ours(&self, rows: &[UnreadableRow<OrderId>]) -> Vec<VenueOrder> {
        let keys: BTreeSet<Key> = rows.iter().flat_map(|row| self.named_by(row)).collect();
        let open = |key: &Key| {
            let row = &self.orders.get(key)?.row;
            let intent = &row.order.intent;
            Some(VenueOrder {
                order: row.order.order.clone()?,
                status: VenueOrderStatus::Other,
                status_text: "unreadable".to_owned(),
                market: intent.market.clone(),
                token: intent.token.clone(),
                outcome: intent.outcome.clone(),
                side: intent.side,
                price: intent.price,
                size: row.shares(),
                matched: None,
            })
        };
        keys.iter().filter_map(open).collect()
    }

    /// Orders of ours that a row is of: the one of its id, or without one those that its text names.
    fn named_by(&self, row: &UnreadableRow<OrderId>) -> Vec<Key> {
        if let Some(id) = &row.id {
            return self.index.get(id).cloned().into_iter().collect();
        }
        let alive = self.active.iter().chain(self.risen.keys());
        let order = |key: &Key| self.orders.get(key).and_then(|tracked| tracked.row.order.order.as_ref());
        alive.filter(|key| order(key).is_some_and(|order| row.names(order))).cloned().collect()
    }
}
