//! Comparing the books with the venue: all open orders, our fills, and every order of ours that the list does not show.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use super::holes::Holes;
use super::{Desk, Effect, Key, Step};
use crate::domain::{Fill, OrderId, OrderState, Timestamp, TradeId};
use crate::exec::venue::{UnreadableRow, VenueError, VenueFill, VenueOrder};

/// How far before the last known fill the venue is asked again: a trade may appear late in its list.
const OVERLAP: Duration = Duration::from_mins(2);
/// The same for the first list of a run: when the one before ended in the middle of something, a later trade may be known and an
/// earlier one not.
pub(super) const OVERLAP_AT_START: Duration = Duration::from_hours(1);
/// How much earlier than its order a trade may be, by clocks that differ.
const BEFORE_ORDER: Duration = Duration::from_mins(1);
/// How often the trades of an order that lacks one are asked for from its beginning on.
const TRACED_EVERY: Duration = Duration::from_mins(5);
/// At most so many trades are asked for by id in one comparison.
const BY_ID: usize = 20;
/// A trade that is not settled for so long is a disagreement.
const SETTLES_WITHIN: Duration = Duration::from_mins(10);
/// How soon a list of open orders is renewed that an order has overtaken.
const OVERTAKEN: Duration = Duration::from_secs(5);
/// A match of which no trade is found for so long is a disagreement.
const UNTRADED_TOLD: Duration = Duration::from_mins(1);

/// What the venue showed.
#[derive(Clone, Debug, Default)]
pub(in crate::exec) struct Snapshot {
    /// Every open order.
    pub(in crate::exec) orders: Vec<VenueOrder>,
    /// The account's fills.
    pub(in crate::exec) fills: Vec<VenueFill>,
    /// Open orders beside those that cannot be read.
    pub(in crate::exec) unreadable_orders: Vec<UnreadableRow<OrderId>>,
    /// Trades of which fills beside those may be.
    pub(in crate::exec) unreadable_trades: Vec<UnreadableRow<TradeId>>,
}

impl Snapshot {
    /// How many orders are open.
    fn open(&self) -> u64 {
        (self.orders.len() + self.unreadable_orders.len()) as u64
    }
}

/// How far a comparison has come.
#[derive(Debug)]
pub(super) struct Progress {
    next_at: Timestamp,
    /// After a failure.
    not_before: Timestamp,
    asking: bool,
    /// Asked for again while one was under way.
    again: bool,
    begun: Timestamp,
    /// Orders whose lookup must answer before the comparison counts.
    waiting: HashSet<OrderId>,
    clean_at: Option<Timestamp>,
    /// Every trade up to here has been listed: a later one may be told before an earlier one is.
    traded_to: Timestamp,
    /// Where in turn the trades stand that are asked for by id.
    turn: usize,
    /// Trades that were told not to settle.
    stuck: BTreeSet<TradeId>,
    /// Rows that could not be read.
    pub(super) holes: Holes,
    /// The present comparison must succeed before anything is sent.
    required: bool,
}

impl Progress {
    /// Nothing compared yet: due at once, and required. `traded_to` is as far as the books go, `holes` are known.
    pub(super) fn at_start(now: Timestamp, traded_to: Timestamp, holes: Holes) -> Self {
        Self {
            next_at: now,
            not_before: now,
            asking: false,
            again: false,
            begun: now,
            waiting: HashSet::new(),
            clean_at: None,
            traded_to,
            turn: 0,
            stuck: BTreeSet::new(),
            holes,
            required: true,
        }
    }

    /// No list of the account's trades will be asked for from earlier than this, in this run or at the start of the next one.
    pub(super) fn never_before(&self) -> Timestamp {
        self.traded_to.minus(OVERLAP_AT_START)
    }

    /// When the books last agreed with the venue.
    pub(super) const fn clean_at(&self) -> Option<Timestamp> {
        self.clean_at
    }

    /// Whether nothing may be sent before it succeeds.
    pub(super) const fn is_required(&self) -> bool {
        self.required
    }
}

impl Desk {
    /// Whether the books have been compared with the venue since that was last demanded.
    pub(in crate::exec) const fn is_compared(&self) -> bool {
        !self.reconcile.is_required()
    }

    /// News may have been missed: compare before anything else is sent.
    pub(in crate::exec) fn reconcile_now(&mut self, now: Timestamp) {
        self.reconcile.required = true;
        self.reconcile.next_at = now;
        // What is under way was begun before the news: it does not count.
        self.reconcile.again |= self.reconcile.asking || !self.reconcile.waiting.is_empty();
    }

    /// The venue is reached: lists that failed before that are asked for without a pause.
    pub(super) fn reconcile_connected(&mut self, now: Timestamp) {
        self.reconcile_now(now);
        self.reconcile.not_before = now;
    }

    /// Something may have been missed, and nothing need wait for it: compare as soon as can be.
    pub(super) const fn compare_soon(&mut self, now: Timestamp) {
        self.reconcile.next_at = now;
    }

    /// Asks for a snapshot when one is due.
    pub(super) fn reconcile(&mut self, now: Timestamp, step: &mut Step) {
        if self.reconcile.asking || !self.reconcile.waiting.is_empty() {
            return;
        }
        // A list that an order has overtaken is renewed soon: what the venue has open is shown only while it is true.
        let overtaken = self.venue_open.filter(|(_, begun)| self.open_changed_at > *begun);
        let due =
            overtaken.map_or(self.reconcile.next_at, |(_, begun)| begun.plus(OVERTAKEN).min(self.reconcile.next_at));
        if now < due.max(self.reconcile.not_before) {
            return;
        }
        self.reconcile.asking = true;
        self.reconcile.again = false;
        self.reconcile.next_at = now.plus(self.rules.reconcile_every);
        let since = self.listed_to();
        let trades = self.older_unsettled(since);
        step.urgent.push(Effect::Snapshot { since, trades });
    }

    /// Every trade before this is in the books: what the venue's list is read from on.
    fn listed_to(&self) -> Timestamp {
        let overlap = if self.reconcile.clean_at.is_some() { OVERLAP } else { OVERLAP_AT_START };
        self.reconcile.traded_to.minus(overlap)
    }

    /// From when on the trades of an order may be missing in the books. One that is matched for more than was traded has one
    /// that the list did not show where it should: it may be as old as the order, which is a long list.
    pub(super) fn trades_of(&mut self, key: &Key) -> Timestamp {
        let (listed, compared) = (self.listed_to(), self.reconcile.begun);
        let recent = self.reconcile.traded_to.minus(OVERLAP_AT_START);
        let Some(tracked) = self.orders.get_mut(key) else { return listed };
        let first = tracked.row.order.intent.created_at.minus(BEFORE_ORDER);
        if tracked.standing.untraded().is_zero() {
            return first.max(listed);
        }
        if first >= recent || tracked.looking || tracked.traced_at.is_some_and(|at| compared.since(at) < TRACED_EVERY) {
            return first.max(recent);
        }
        tracked.traced_at = Some(compared);
        first
    }

    /// Trades that are not settled and that the list does not reach any more, or that could not be read, some at a time in turn: one
    /// that stays so for ever must not make the list longer.
    fn older_unsettled(&mut self, since: Timestamp) -> Vec<TradeId> {
        let older = self.portfolio.unsettled().filter(|fill| fill.matched_at < since);
        let mut older: Vec<TradeId> =
            older.map(|fill| fill.trade.clone()).chain(self.reconcile.holes.trades()).collect();
        older.sort_unstable();
        older.dedup();
        let turn = self.reconcile.turn.checked_rem(older.len()).unwrap_or(0);
        older.rotate_left(turn);
        older.truncate(BY_ID);
        self.reconcile.turn = turn + older.len();
        older
    }

    /// A trade that does not settle is told once.
    fn tell_stuck(&mut self, now: Timestamp, step: &mut Step) {
        let stuck = |fill: &&Fill| now.since(fill.matched_at) > SETTLES_WITHIN;
        let stuck: BTreeMap<TradeId, Fill> =
            self.portfolio.unsettled().filter(stuck).map(|fill| (fill.trade.clone(), fill.clone())).collect();
        self.reconcile.stuck.retain(|trade| stuck.contains_key(trade));
        for (trade, fill) in stuck {
            if self.reconcile.stuck.insert(trade) {
                let minutes = now.since(fill.matched_at).as_secs() / 60;
                let (trade, order, size, status) = (&fill.trade, &fill.order, fill.size, fill.status);
                let detail = format!("trade {trade} of order {order} over {size} is {status} since {minutes} min");
                self.mismatch("fill", detail, now, step);
                step.may_cut();
            }
        }
    }

    /// A snapshot that began at `begun` has come back.
    pub(in crate::exec) fn on_snapshot(
        &mut self,
        begun: Timestamp,
        result: Result<Snapshot, VenueError>,
        now: Timestamp,
    ) -> Step {
        let mut step = Step::default();
        self.reconcile.asking = false;
        let snapshot = match result {
            Ok(snapshot) => snapshot,
            Err(error) => {
                self.failed(&error.to_string(), now);
                return step;
            }
        };
        self.health.venue = None;
        self.reconcile.begun = begun;
        self.reconcile.traded_to = self.reconcile.traded_to.max(begun);
        self.venue_open = Some((snapshot.open(), begun));
        self.holes(&snapshot, now, &mut step);
        let unread = self.unreadable_of_ours(&snapshot.unreadable_orders);
        let open = || snapshot.orders.iter().chain(&unread);
        self.open_at_opening(open().map(|order| &order.order));
        self.fills(&snapshot.fills, now, &mut step);
        self.keep_holes(now, &mut step);
        self.ask_again(&mut step);
        self.tell_stuck(now, &mut step);
        let listed: HashSet<&OrderId> = open().map(|order| &order.order).collect();
        for order in open() {
            self.listed(order, begun, now, &mut step);
            step.may_cut();
        }
        self.absolve_listed(&listed, begun, now, &mut step);
        // One without an id may be any.
        if snapshot.unreadable_orders.iter().all(|row| row.id.is_some()) {
            self.lay_to_rest(&listed, begun);
        }
        let untraded = self.tell_untraded(now, &mut step);
        for key in self.missing(&listed, begun).into_iter().chain(untraded) {
            if let Some(order) = self.look(&key, &mut step) {
                self.reconcile.waiting.insert(order);
            }
        }
        // What the ledger is asked about is not in the books yet.
        self.reconcile.waiting.extend(self.recalled.keys().cloned());
        self.conclude();
        step
    }

    /// Orders in doubt that the list shows are as they were.
    fn absolve_listed(&mut self, listed: &HashSet<&OrderId>, begun: Timestamp, now: Timestamp, step: &mut Step) {
        for order in listed {
            if let Some(key) = self.index.get(*order).cloned() {
                self.absolve(&key, begun, now, step);
                step.may_cut();
            }
        }
    }

    /// An order risen from the dead that the list does not show is gone.
    fn lay_to_rest(&mut self, listed: &HashSet<&OrderId>, begun: Timestamp) {
        let (orders, before) = (&self.orders, self.risen.len());
        self.risen.retain(|key, risen| {
            let Some(tracked) = orders.get(key) else { return false };
            let order = tracked.row.order.order.as_ref();
            risen.at >= begun || order.is_some_and(|order| listed.contains(order))
        });
        if self.risen.len() < before {
            self.stakes.stale();
        }
    }

    /// Orders of which more was matched than was traded: looked up each time, and told once when that lasts.
    fn tell_untraded(&mut self, now: Timestamp, step: &mut Step) -> Vec<Key> {
        let keys: Vec<Key> = self.untraded.keys().cloned().collect();
        for key in &keys {
            let Some(since) = self.untraded.get(key).copied() else { continue };
            let Some(tracked) = self.orders.get(key).filter(|_| now.since(since) > UNTRADED_TOLD) else { continue };
            let (matched, traded) = (tracked.standing.matched(), tracked.standing.traded());
            let detail = format!("order {} is matched for {matched}, its trades add up to {traded}", key.0);
            self.mismatch("fill", detail, now, step);
            step.may_cut();
            self.untraded.insert(key.clone(), Timestamp::from_micros(i64::MAX));
        }
        keys
    }

    /// An open order in the list. One that ended since the list was begun is merely late news.
    pub(super) fn listed(&mut self, order: &VenueOrder, begun: Timestamp, now: Timestamp, step: &mut Step) {
        let ours = self.index.get(&order.order).and_then(|key| Some((key, self.orders.get(key)?)));
        let ended = ours.filter(|(_, tracked)| tracked.state().is_terminal());
        let Some((key, ended)) = ended else { return self.see(order, now, step) };
        if ended.row.order.times.ended_at.is_none_or(|at| at >= begun) {
            return;
        }
        let (key, was) = (key.clone(), ended.state());
        if !self.risen.contains_key(&key) {
            let detail = format!("order {} was {was} and is open at the venue; cancelling it", order.order);
            self.mismatch("order", detail, now, step);
        }
        self.rise(&key, order.size - order.matched.unwrap_or_default(), now, step);
        self.see(order, now, step);
    }

    /// Orders that should be open and are not in the list although they were accepted before it was begun.
    fn missing(&self, listed: &HashSet<&OrderId>, begun: Timestamp) -> Vec<Key> {
        let should_show = |key: &&Key| {
            let Some(tracked) = self.orders.get(key) else { return false };
            let Some(order) = &tracked.row.order.order else { return false };
            let open = matches!(
                tracked.standing.state(),
                OrderState::Live | OrderState::PartiallyFilled | OrderState::CancelPending
            );
            let times = tracked.row.order.times;
            let before = times.answered_at.or(times.sent_at).is_none_or(|at| at < begun);
            open && before && !listed.contains(order)
        };
        self.active.iter().filter(should_show).cloned().collect()
    }

    /// A lookup has come back; when it was part of a comparison, that goes on.
    pub(super) fn confirmed(&mut self, order: &OrderId, result: Result<(), String>, now: Timestamp) {
        if !self.reconcile.waiting.remove(order) {
            return;
        }
        match result {
            Ok(()) => self.conclude(),
            Err(error) => {
                self.reconcile.waiting.clear();
                self.failed(&error, now);
            }
        }
    }

    fn conclude(&mut self) {
        if !self.reconcile.waiting.is_empty() || self.reconcile.asking {
            return;
        }
        self.reconcile.clean_at = Some(self.reconcile.begun);
        self.reconcile.required = self.reconcile.again;
    }

    fn failed(&mut self, error: &str, now: Timestamp) {
        self.health.venue = Some(format!("the books cannot be compared: {error}"));
        self.reconcile.next_at = now.plus(self.rules.reconcile_again);
        self.reconcile.not_before = self.reconcile.next_at;
    }
}
