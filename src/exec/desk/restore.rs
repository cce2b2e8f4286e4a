//! From the ledger to a desk at work. What may have been sent is unknown until the venue says otherwise; nothing is re-sent.

use std::collections::{HashMap, HashSet, VecDeque};

use hdrhistogram::Histogram;

use super::breaker::Breaker;
use super::holes::Holes;
use super::limits::LimitBook;
use super::orders::{Active, Orders};
use super::stakes::Stakes;
use super::timers::total;
use super::{Desk, Fact, Health, Key, Risen, Rules, SHOWN, Search, Standing, Step, Tracked};
use crate::domain::{Fill, KillLatch, Mode, OrderCounts, OrderId, OrderState, Size, Timestamp, TradeId};
use crate::exec::portfolio::Portfolio;
use crate::risk::{Alerts, Day, Limits, Recent, RiskGate, Track};
use crate::store::ledger::Memory;

/// Latencies above a minute are recorded as a minute, in microseconds.
const LATENCY_MOST: u64 = 60_000_000;

/// Whose books these are.
#[derive(Clone, Debug)]
pub(in crate::exec) struct Origin {
    /// Which world.
    pub(in crate::exec) mode: Mode,
    /// This run of Hermes.
    pub(in crate::exec) boot: String,
    /// It takes over from another that was at work, and goes by that one's limits.
    pub(in crate::exec) takeover: bool,
}

/// What losses are measured by, with a first measurement. What is beyond its limit already is told by the run, not before it.
fn track(memory: &Memory, portfolio: &mut Portfolio, limits: &Limits, now: Timestamp) -> Track {
    let day = memory.day.map(|(day, start, peak)| Day { day, start, peak });
    let mut track = Track::restore(day, memory.highs.iter().copied());
    portfolio.look(now, [limits.mark_age, limits.last_moments()], limits.looks());
    track.observe(now, total(portfolio, limits, now), limits);
    track.rearm();
    track
}

fn portfolio_of(memory: &Memory, now: Timestamp) -> Portfolio {
    let mut portfolio = memory.checkpoint.as_ref().map(Portfolio::from_checkpoint).unwrap_or_default();
    for market in &memory.markets {
        portfolio.on_market(market, now);
    }
    for fill in &memory.fills {
        portfolio.restore(fill);
    }
    for journal in &memory.corrections {
        portfolio.restore_correction(journal.clone());
    }
    for (token, price, at) in &memory.marks {
        portfolio.restore_mark(token, *price, *at);
    }
    portfolio.take_changed();
    portfolio
}

impl Desk {
    /// The desk as the ledger remembers it, and what has to be done about it.
    pub(in crate::exec) fn restore(
        origin: Origin,
        mut gate: RiskGate,
        rules: Rules,
        latch: KillLatch,
        memory: Memory,
        now: Timestamp,
    ) -> Result<(Self, Step), String> {
        let mut step = Step::default();
        let limits = LimitBook::open(memory.limits.as_ref(), origin.takeover, &mut gate, now, &mut step);
        let latency = Histogram::new_with_bounds(1, LATENCY_MOST, 3).map_err(|error| error.to_string())?;
        let mut portfolio = portfolio_of(&memory, now);
        let traded_to = super::folding::listed_to(&portfolio, memory.checkpoint.as_ref());
        let folding = super::folding::Folding::after(memory.checkpoint.as_ref(), memory.counted);
        let track = track(&memory, &mut portfolio, gate.limits(), now);
        let markets: HashMap<_, _> =
            memory.markets.iter().map(|market| (market.market.clone(), market.clone())).collect();
        let breaker = Breaker::restore(&memory.barred, latch.epoch);
        let mut desk = Self {
            origin,
            gate,
            limits,
            narrowed: true,
            alerts: Alerts::default(),
            uses: Vec::new(),
            rules,
            latch,
            health: Health::default(),
            orders: Orders::default(),
            stakes: Stakes::default(),
            index: HashMap::new(),
            active: Active::default(),
            ended: VecDeque::new(),
            in_hand: HashSet::new(),
            counts: OrderCounts::default(),
            letters: super::letters::Letters::of(memory.letters.iter().cloned(), memory.dead_letters),
            breaker,
            pause: super::pause::Pause::default(),
            risen: HashMap::new(),
            untraded: HashMap::new(),
            portfolio,
            track,
            throttle: super::throttle::Throttle::of(&memory.halts),
            purse: super::funds::Purse::default(),
            venue_open: None,
            open_changed_at: now,
            venue_skew: None,
            bus_concerns: Vec::new(),
            fencing_token: None,
            stored_markets: markets.clone(),
            contradicted: HashSet::new(),
            markets,
            books: HashMap::new(),
            others: HashMap::new(),
            heard_at: None,
            recent: Recent::new(),
            recent_fills: memory.fills.iter().rev().take(SHOWN).cloned().collect(),
            strangers: HashSet::new(),
            recalled: HashMap::new(),
            folding,
            latency,
            reconcile: super::reconcile::Progress::at_start(now, traded_to, Holes::restore(&memory.holes)),
            counting: super::balances::Counting::at(now),
            opening: super::opening::Opening::default(),
            beats: super::heartbeat::Beats::default(),
            timers: super::timers::Timers::at(now),
        };
        step.may_cut();
        desk.restore_corrections(&memory.corrections);
        desk.recover(memory, now, &mut step);
        Ok((desk, step))
    }

    fn recover(&mut self, memory: Memory, now: Timestamp, step: &mut Step) {
        let before = step.writes.len();
        let payloads: HashMap<Key, String> =
            memory.entries.into_iter().map(|row| ((row.intent, row.attempt), row.payload)).collect();
        let mut traded: HashMap<OrderId, Vec<Fill>> = HashMap::new();
        for fill in memory.fills {
            traded.entry(fill.order.clone()).or_default().push(fill);
        }
        for row in memory.orders {
            let key = (row.order.intent.intent.clone(), row.order.intent.attempt);
            let fills = row.order.order.as_ref().and_then(|order| traded.remove(order)).unwrap_or_default();
            // What was denied unsigned had not passed the gate, and counted as no order then either.
            let passed = !row.adopted && row.digest.is_some();
            if let Some(consumed_at) = row.order.times.consumed_at.filter(|_| passed) {
                self.recent.note(&row.order.intent, consumed_at);
            }
            let standing = Standing::restore(&row.order, row.shares(), row.accepted, &fills);
            let unsettled = fills.iter().filter(|fill| !fill.status.is_final()).map(|fill| fill.trade.clone());
            let unsettled: HashSet<TradeId> = unsettled.collect();
            let mut tracked = Tracked::new(row.clone(), standing);
            tracked.row.order.traded = tracked.standing.traded();
            tracked.unsettled = unsettled;
            if super::given_up(row.order.state) && row.accepted {
                // It had shown signs of life: at stake until the venue's list says otherwise.
                let at = row.order.times.ended_at.unwrap_or_default();
                self.risen.insert(key.clone(), Risen { at, open: Size::ZERO });
            }
            if !tracked.standing.untraded().is_zero() {
                self.untraded.insert(key.clone(), now);
            }
            tracked.payload = payloads.get(&key).cloned().unwrap_or_default();
            self.track(&key, tracked);
            self.doubt(&key, now, step);
            step.may_cut();
        }
        if self.latch.is_armed() {
            self.recent.absolve(self.latch.at);
        }
        // The counters of the ledger include the orders that are not loaded.
        let doubted = step.writes.len() - before;
        self.counts = OrderCounts { unknown: self.counts.unknown, open: self.counts.open, ..memory.counted.orders };
        tracing::info!(orders = self.orders.len(), doubted, "books restored from the ledger");
        for letter in memory.unpublished {
            step.after.push(super::Effect::DeadLetter(Box::new(letter)));
        }
    }

    /// An order that may have been sent by an earlier run is searched for.
    fn doubt(&mut self, key: &Key, now: Timestamp, step: &mut Step) {
        let Some(tracked) = self.orders.get_mut(key) else { return };
        if matches!(tracked.state(), OrderState::Signed | OrderState::Sent | OrderState::Unknown) {
            tracked.search = Some(Search { since: now, absences: 0, next_at: now });
            self.amend(key, |row| {
                let why = "Hermes restarted before the venue's answer".to_owned();
                row.first_error.get_or_insert_with(|| why.clone());
                row.order.reason = Some(why);
                row.posts = row.posts.max(1);
            });
            self.learn(key, Fact::OutcomeUnknown, "recovered", now, step);
        }
    }
}
