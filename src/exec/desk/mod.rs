//! The decisions of Hermes, pure: what it knows, an event and the time go in; what must be durable and what is to be done come
//! out as a [`Step`]. No clock, no socket, no task inside.
//!
//! Invariant: an order is in the ledger with its identity before its POST is asked for, and a stream entry is acknowledged
//! only after what became of it is in the ledger: both are in [`Step::after`], which is performed after the commit.

mod answer;
mod balances;
mod breaker;
mod depth;
mod evidence;
mod folding;
mod funds;
mod halts;
mod heartbeat;
mod holes;
mod intake;
mod lasting;
mod letters;
mod limits;
mod opening;
mod orders;
mod pause;
mod pieces;
mod reconcile;
mod restore;
mod stakes;
mod step;
mod throttle;
mod timers;
mod tracked;
mod view;
mod withdraw;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::lifecycle::{Applied, Fact, Sighting, Standing};
use super::portfolio::Portfolio;
use super::venue::{VenueFill, VenueOrder};
use crate::bus::EntryId;
use crate::domain::{
    Book, ClockSkew, Control, Denial, Fill, IntentId, KillLatch, LimitUse, Market, MarketId, MismatchEvent,
    OrderCounts, OrderId, OrderState, Size, Timestamp, TokenId, TradeEvent,
};
use crate::risk::{Alerts, Recent, RiskGate, Track};
use crate::store::ledger::{OrderRow, Write};

pub(super) use intake::Signed;
pub(super) use pieces::pieces;
pub(super) use reconcile::Snapshot;
pub(super) use restore::Origin;
pub(super) use step::{Effect, Step};
use tracked::{Risen, Search, Sending, Tracked};

/// Ended orders kept in memory, so that late news of them is not taken for somebody else's.
pub(super) const ENDED_KEPT: usize = 20_000;
/// How many of the oldest are looked at for one to forget.
const LOOKED_AT: usize = 1_024;
/// How many orders and how many fills a snapshot shows.
const SHOWN: usize = 200;
/// What is said of an order that no intent of ours asked for.
const FOREIGN: &str = "not placed by this desk";
/// The longest signal that is taken, in bytes: it is kept whole, so that it can be tried again.
const SIGNAL_MOST: usize = 32_768;
/// Bytes that are kept of what cannot be taken.
const PAYLOAD_KEPT: usize = 8_192;

/// An order's name in our books: which intent, which try of it.
pub(super) type Key = (IntentId, u32);

/// Times and counts that the decisions use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Between two lookups of an order.
    pub(super) lookup_every: Duration,
    /// Absences needed before an order counts as never arrived.
    pub(super) absences: u32,
    /// The last of them begins no sooner than this after the end of its POST.
    pub(super) late_post: Duration,
    /// First pause before the same bytes are sent again; doubles each time.
    pub(super) retry_first: Duration,
    /// Longest such pause.
    pub(super) retry_most: Duration,
    /// Pause after a reconciliation that failed.
    pub(super) reconcile_again: Duration,
    /// The venue's clock may differ from ours by this much.
    pub(super) skew: Duration,
    /// Between two reconciliations.
    pub(super) reconcile_every: Duration,
    /// Between two heartbeats.
    pub(super) heartbeat_every: Duration,
}

impl Rules {
    /// As the venue's windows demand.
    pub(super) const fn of(settings: &super::Settings) -> Self {
        Self {
            lookup_every: Duration::from_secs(2),
            absences: 3,
            late_post: Duration::from_secs(20),
            retry_first: Duration::from_millis(100),
            retry_most: Duration::from_secs(5),
            reconcile_again: Duration::from_secs(1),
            // GTD expiry and the L2 signature both rest on time; the venue refuses neither for less than this.
            skew: Duration::from_secs(2),
            reconcile_every: settings.reconcile_every,
            heartbeat_every: settings.heartbeat_every,
        }
    }
}

/// What keeps orders from being sent besides the latch; each in words while it lasts.
#[derive(Clone, Debug)]
pub(super) struct Health {
    /// Hermes is ending.
    pub(super) stopping: Option<String>,
    /// The ledger does not commit.
    pub(super) ledger: Option<String>,
    /// The bus cannot be reached, or its latch is not known yet.
    pub(super) bus: Option<String>,
    /// Another Hermes has the account, or nobody knows.
    pub(super) lease: Option<String>,
    /// The venue's clock is too far from ours.
    pub(super) skew: Option<String>,
    /// This machine's clock was set back.
    pub(super) clock: Option<String>,
    /// The account's event socket is down.
    pub(super) user: Option<String>,
    /// The venue did not take the last heartbeat.
    pub(super) heartbeat: Option<String>,
    /// The venue could not be asked for the truth.
    pub(super) venue: Option<String>,
}

impl Default for Health {
    /// At start: nothing is wrong that is known, and nothing was heard of the account yet.
    fn default() -> Self {
        Self {
            stopping: None,
            ledger: None,
            bus: None,
            lease: None,
            skew: None,
            clock: None,
            user: Some("the event socket was never connected".into()),
            heartbeat: None,
            venue: None,
        }
    }
}

/// Everything that Hermes knows.
#[derive(Debug)]
pub(super) struct Desk {
    origin: Origin,
    gate: RiskGate,
    limits: limits::LimitBook,
    /// The limits were tightened, and not every purchase that they may not admit has come to rest.
    narrowed: bool,
    alerts: Alerts,
    /// How much of each limit is used, as it was measured last.
    uses: Vec<LimitUse>,
    rules: Rules,
    latch: KillLatch,
    /// What is wrong now.
    pub(super) health: Health,
    orders: orders::Orders,
    stakes: stakes::Stakes,
    index: HashMap<OrderId, Key>,
    /// Orders that have not ended.
    active: orders::Active,
    ended: VecDeque<Key>,
    in_hand: HashSet<EntryId>,
    counts: OrderCounts,
    letters: letters::Letters,
    breaker: breaker::Breaker,
    pause: pause::Pause,
    /// Orders that had ended and that the venue shows signs of: at stake until its list does not have them any more.
    risen: HashMap<Key, Risen>,
    /// Orders of which the venue counts more as matched than there are trades, and since when.
    untraded: HashMap<Key, Timestamp>,
    portfolio: Portfolio,
    track: Track,
    throttle: throttle::Throttle,
    purse: funds::Purse,
    /// Open orders in the last complete list of the venue, and when that was begun.
    venue_open: Option<(u64, Timestamp)>,
    /// When an order was last opened or ended.
    open_changed_at: Timestamp,
    venue_skew: Option<ClockSkew>,
    /// What a person should know of the bus although it works.
    pub(super) bus_concerns: Vec<String>,
    /// Which turn at the lease of the account this is.
    pub(super) fencing_token: Option<u64>,
    markets: HashMap<MarketId, Market>,
    stored_markets: HashMap<MarketId, Market>,
    /// Markets of which another result than the first was told.
    contradicted: HashSet<MarketId>,
    books: HashMap<TokenId, Book>,
    /// Those in which something of ours was resting, without it.
    others: HashMap<TokenId, Book>,
    /// When the last was heard of the books of what is held or on order, since there was something.
    heard_at: Option<Timestamp>,
    recent: Recent,
    recent_fills: VecDeque<Fill>,
    strangers: HashSet<OrderId>,
    /// Open orders of the venue that are not in memory, as they were seen last, while the ledger is asked for them.
    recalled: HashMap<OrderId, VenueOrder>,
    folding: folding::Folding,
    latency: Histogram<u64>,
    reconcile: reconcile::Progress,
    counting: balances::Counting,
    opening: opening::Opening,
    beats: heartbeat::Beats,
    timers: timers::Timers,
}

impl Desk {
    /// Folds a fact into an order and records what changed: row, counters, event.
    fn learn(&mut self, key: &Key, fact: Fact, what: &'static str, now: Timestamp, step: &mut Step) {
        let open = matches!(fact, Fact::Seen { sighting: Sighting::Open, .. });
        let alive = matches!(fact, Fact::Seen { .. } | Fact::Fill { .. } | Fact::Voided { .. } | Fact::Accepted);
        let Some(tracked) = self.orders.get_mut(key) else { return };
        let before = tracked.row.clone();
        let applied = tracked.standing.apply(fact);
        let shown = tracked.shown();
        let order = &mut tracked.row.order;
        order.state = shown;
        (order.matched, order.traded) = (tracked.standing.matched(), tracked.standing.traded());
        tracked.row.accepted = tracked.standing.is_held();
        let refused = matches!(order.state, OrderState::Rejected | OrderState::Expired | OrderState::Denied);
        if tracked.row.accepted && !before.accepted && !refused && !before.adopted {
            // What kept it from the venue before is over.
            order.reason = None;
        }
        if tracked.row.accepted && order.times.sent_at.is_none() {
            // Heard of before its answer was, or sent by an earlier run: it left after it was signed.
            order.times.sent_at = order.times.signed_at;
        }
        if order.times.matched_at.is_none() && !order.matched.is_zero() {
            order.times.matched_at = Some(now);
        }
        if tracked.standing.is_held() {
            tracked.search = if alive { None } else { tracked.search };
            tracked.sending = Sending::Idle;
            tracked.signed = None;
        }
        let ended = order.state.is_terminal() && !before.order.state.is_terminal();
        if ended {
            order.times.ended_at = Some(now);
            tracked.search = None;
            tracked.sending = Sending::Idle;
            tracked.signed = None;
            tracked.check_at = None;
            tracked.cancel_at = None;
        }
        if order.state.is_terminal() && tracked.is_confirmed() && tracked.row.order.times.confirmed_at.is_none() {
            tracked.row.order.times.confirmed_at = Some(now);
        }
        self.examine(key, &before, applied, now, step);
        self.watch_risen(key, (before.order.state, applied.contradiction, open), now, step);
        if self.orders.get(key).is_some_and(|tracked| tracked.row != before) {
            self.record(key, &before, what, now, step);
        }
        let held = self.orders.get(key).is_some_and(|tracked| tracked.row.accepted) && !before.accepted;
        if held || ended {
            // Whoever told of it, nothing is sent for its entry any more.
            self.release(key, step);
        }
        if ended {
            self.retire(key);
        }
    }

    /// What a fact says beside the order's new state.
    fn examine(&mut self, key: &Key, before: &OrderRow, applied: Applied, now: Timestamp, step: &mut Step) {
        let Some(tracked) = self.orders.get(key) else { return };
        let (state, untraded) = (tracked.state(), !tracked.standing.untraded().is_zero());
        let was = before.order.state;
        if state.is_open() != was.is_open() {
            self.open_changed_at = now;
        }
        if untraded {
            self.untraded.entry(key.clone()).or_insert(now);
        } else {
            self.untraded.remove(key);
        }
        if applied.contradiction {
            let detail = format!("order {} was {was} and shows signs of life at the venue", key.0);
            self.mismatch("order", detail, now, step);
        }
        if !applied.lawful {
            let why =
                format!("order {} went from {was} to {state}, which the table of transitions does not have", key.0);
            self.mismatch("order", why.clone(), now, step);
            let limit = "what the table of transitions allows".to_owned();
            self.exceeded(&Denial { control: Control::Invariant, value: why, limit }, step);
        }
    }

    /// An order that we had given up, and of which the venue shows that it has it, is risen; one of which it says how it ended is
    /// not, nor one that is as good as open in our books.
    fn watch_risen(&mut self, key: &Key, news: (OrderState, bool, bool), now: Timestamp, step: &mut Step) {
        let Some(state) = self.orders.get(key).map(Tracked::state) else { return };
        let (was, contradiction, open) = news;
        if !state.is_terminal() || (given_up(was) && !given_up(state)) {
            self.risen.remove(key);
        } else if given_up(state) && (contradiction || open) {
            self.rise(key, Size::ZERO, now, step);
        }
    }

    /// Ended in our books and perhaps alive: at stake, and not for long.
    fn rise(&mut self, key: &Key, open: Size, now: Timestamp, step: &mut Step) {
        let before = self.risen.insert(key.clone(), Risen { at: now, open });
        let Some(tracked) = self.orders.get_mut(key).filter(|_| before.is_none()) else { return };
        tracked.cancel_at = Some(now.plus(timers::CANCEL_LASTS));
        step.urgent.extend(tracked.row.order.order.clone().map(|order| Effect::Cancel(vec![order])));
    }

    /// Writes an order's new state and tells of it.
    fn record(&mut self, key: &Key, before: &OrderRow, what: &'static str, now: Timestamp, step: &mut Step) {
        let Some(tracked) = self.orders.get(key) else { return };
        let row = tracked.row.clone();
        self.counts -= before.counts();
        self.counts += row.counts();
        step.emit(TradeEvent::Order(row.order.clone()));
        step.writes.push(Write::Order { row: Box::new(row), what, at: now });
    }

    /// Changes an order's row outside its lifecycle (times, reason).
    fn amend(&mut self, key: &Key, change: impl FnOnce(&mut OrderRow)) {
        let Some(tracked) = self.orders.get_mut(key) else { return };
        let before = tracked.row.counts();
        change(&mut tracked.row);
        let after = tracked.row.counts();
        self.counts -= before;
        self.counts += after;
    }

    fn retire(&mut self, key: &Key) {
        self.active.remove(key);
        self.ended.push_back(key.clone());
        while self.ended.len() > ENDED_KEPT {
            // What is still at stake, or has a trade that is not settled, stays: its end is to be heard of. What the venue shows of
            // others later is looked for in the ledger.
            let over = |key: &Key| {
                let settled = self.orders.get(key).is_none_or(|tracked| tracked.unsettled.is_empty());
                settled && !self.risen.contains_key(key) && !self.untraded.contains_key(key)
            };
            let oldest = self.ended.iter().take(LOOKED_AT).position(over).and_then(|at| self.ended.remove(at));
            let Some(oldest) = oldest else { break };
            if let Some(order) = self.orders.remove(&oldest).and_then(|tracked| tracked.row.order.order) {
                self.index.remove(&order);
            }
        }
    }

    fn track(&mut self, key: &Key, tracked: Tracked) {
        self.counts += tracked.row.counts();
        if let Some(order) = &tracked.row.order.order {
            self.index.insert(order.clone(), key.clone());
        }
        let (ended, market) = (tracked.state().is_terminal(), tracked.row.order.intent.market.clone());
        self.orders.insert(key.clone(), tracked);
        if ended {
            self.retire(key);
        } else {
            self.active.insert(key.clone(), market);
        }
    }

    fn mismatch(&self, what: &str, detail: String, now: Timestamp, step: &mut Step) {
        let event = MismatchEvent { what: what.to_owned(), detail, at: now };
        step.writes.push(Write::Mismatch(event.clone()));
        step.emit(TradeEvent::Mismatch(event));
        tracing::warn!(boot = %self.origin.boot, "books and venue disagree");
    }

    /// The entry of this order has led to something durable: acknowledge it.
    fn release(&mut self, key: &Key, step: &mut Step) {
        let entry = self.orders.get_mut(key).and_then(|tracked| tracked.entry.take());
        if let Some(entry) = entry {
            self.in_hand.remove(&entry);
            step.after.push(Effect::Ack(entry));
        }
    }
}

/// Ended without the venue's word for it.
const fn given_up(state: OrderState) -> bool {
    matches!(state, OrderState::Rejected | OrderState::Expired | OrderState::Denied)
}

/// What a lookup brought.
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    /// The order; nothing when the venue does not know it.
    pub(super) order: Option<VenueOrder>,
    /// Its fills.
    pub(super) fills: Vec<VenueFill>,
}

/// The first bytes of a text, cut where a character ends.
fn clip(text: &str) -> String {
    let mut end = text.len().min(PAYLOAD_KEPT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
