//! What the desk shows: its state for the gate, and the snapshot for everybody else.

use std::time::Duration;

use super::{Desk, Key, SHOWN};
use crate::domain::{
    Book, ClockSkew, Denial, Exposure, HermesState, KillReport, Latency, Order, OrderIntent, Timestamp, TradingState,
    Usd,
};
use crate::risk::{Approved, Denied, Group, Holdings, RiskView, reducing};

/// For how long a measurement of the venue's clock counts. It is measured every minute.
const SKEW_FRESH: Duration = Duration::from_mins(5);
/// Books count as fresh for at least this long after a comparison.
const STALE_AT_LEAST: Duration = Duration::from_secs(10);

impl Desk {
    /// Why nothing may be sent now, the latch apart; absent when it may.
    pub(in crate::exec) fn trouble(&self, now: Timestamp) -> Option<String> {
        let health = &self.health;
        let all = [
            &health.stopping,
            &health.lease,
            &health.ledger,
            &health.bus,
            &health.user,
            &health.heartbeat,
            &health.skew,
            &health.clock,
        ];
        let first = all.into_iter().flatten().next();
        if let Some(trouble) = first {
            return Some(trouble.clone());
        }
        if let Some(old) = self.skew_unknown(now) {
            return Some(old);
        }
        if self.reconcile.is_required() {
            let why = health.venue.clone();
            return Some(why.unwrap_or_else(|| "reconciling with the venue".into()));
        }
        self.stale_books(now).or_else(|| self.pause.trouble(now))
    }

    /// The venue has not confirmed the books for too long: they may be wrong.
    pub(super) fn stale_books(&self, now: Timestamp) -> Option<String> {
        self.books_older_than(self.books_fresh(), now)
    }

    /// For how long a comparison counts.
    pub(super) fn books_fresh(&self) -> Duration {
        self.rules.reconcile_every.saturating_mul(3).max(STALE_AT_LEAST)
    }

    /// That the last comparison is longer ago than `most`, and why; nothing before the first.
    pub(super) fn books_older_than(&self, most: Duration, now: Timestamp) -> Option<String> {
        let age = now.since(self.reconcile.clean_at()?);
        let why = self.health.venue.as_deref().unwrap_or("a comparison is under way");
        (age > most).then(|| format!("the books were last compared {} s ago: {why}", age.as_secs()))
    }

    /// The venue's clock was measured.
    pub(in crate::exec) fn on_skew(&mut self, skew: ClockSkew) {
        let bound = self.rules.skew;
        let beyond = skew.exceeds(bound);
        self.health.skew =
            beyond.then(|| format!("the venue's clock is {skew} of ours; at most {} s are allowed", bound.as_secs()));
        self.venue_skew = Some(skew);
    }

    /// The last measurement of the venue's clock says nothing of the present any more.
    fn skew_unknown(&self, now: Timestamp) -> Option<String> {
        let age = self.venue_skew?.age(now);
        let (age_s, most) = (age.as_secs(), SKEW_FRESH.as_secs());
        (age > SKEW_FRESH)
            .then(|| format!("the venue's clock was last measured {age_s} s ago; at most {most} s are allowed"))
    }

    /// This machine's clock lies behind the time by which the desk works: what it sends would carry times from the future.
    pub(in crate::exec) fn on_set_back(&mut self, by: Duration) {
        let bound = self.rules.skew;
        self.health.clock = (by > bound).then(|| {
            let (by, most) = (by.as_secs(), bound.as_secs());
            format!(
                "this machine's clock was set back by {by} s; at most {most} s are allowed: set it right or restart"
            )
        });
    }

    /// Open orders as the venue listed them last, unless one was opened or has ended since.
    fn venue_open(&self) -> Option<u64> {
        self.venue_open.filter(|(_, begun)| self.open_changed_at <= *begun).map(|(open, _)| open)
    }

    /// What may be sent.
    pub(in crate::exec) fn trading_state(&self, now: Timestamp) -> TradingState {
        if !self.latch.is_armed() || self.trouble(now).is_some() {
            TradingState::Halted
        } else if self.reducing(now).is_some() {
            TradingState::Reducing
        } else {
            TradingState::Active
        }
    }

    /// Why only what reduces exposure may be sent.
    fn reducing(&self, now: Timestamp) -> Option<String> {
        reducing(self.gate.limits(), self.losses(now))
    }

    /// Why the desk must not be armed now, the proof of the kill apart.
    pub(in crate::exec) fn objections(&self, now: Timestamp) -> Vec<String> {
        let mut reasons = Vec::new();
        reasons.extend(self.trouble(now));
        let still = |breach| format!("{breach}: widen the limit with --confirm, or wait until it counts no more");
        reasons.extend(self.losses_beyond(now).into_iter().chain(self.lasting_too_long(now)).map(still));
        reasons.extend(self.health.venue.clone().filter(|venue| !reasons.contains(venue)));
        if self.reconcile.clean_at().is_none() {
            reasons.push("the books were never compared with the venue".into());
        }
        if self.counts.unknown > 0 {
            reasons.push(format!("{} orders of unknown outcome", self.counts.unknown));
        }
        reasons
    }

    /// Open orders and orders of unknown outcome.
    pub(in crate::exec) const fn open_and_unknown(&self) -> (u64, u64) {
        (self.counts.open, self.counts.unknown)
    }

    /// Runs the risk gate with what is known now. The latch and what Hermes knows of its own health are part of what it looks at;
    /// `without` is the order itself when it is in the books already.
    pub(super) fn ask_gate(
        &mut self,
        intent: OrderIntent,
        without: Option<&Key>,
        now: Timestamp,
    ) -> Result<Approved<OrderIntent>, Box<Denied>> {
        let breaker = self.breaker.check(&intent, self.gate.limits().breaker_rejections, now);
        let holdings = self.take_holdings(without);
        let answer = self.ask(intent, &holdings, breaker.as_ref(), now);
        self.give_back(holdings);
        match &answer {
            Ok(approved) => self.breaker.passes(approved.inner(), now),
            Err(denied) => self.breaker.stays(&denied.intent),
        }
        answer
    }

    fn ask(
        &self,
        intent: OrderIntent,
        holdings: &Holdings,
        breaker: Option<&Denial>,
        now: Timestamp,
    ) -> Result<Approved<OrderIntent>, Box<Denied>> {
        let (book, market) = (self.books.get(&intent.token), self.markets.get(&intent.market));
        let group = market.and_then(|market| Group::of(market, &self.markets.values(), holdings));
        let (equity, halted) = (self.equity(now), self.halt_of(&intent.strategy, now));
        let view = RiskView {
            trading_state: self.trading_state(now),
            epoch: self.latch.epoch,
            market,
            book,
            source_at: book.map(Book::known_at),
            holdings,
            recent: &self.recent,
            equity: equity.as_ref().copied().map_err(String::as_str),
            group: group.as_ref(),
            halted: halted.as_deref(),
            breaker,
            repeats: self.recent.repeats(&intent, self.gate.limits().repeated_window, now),
            funds: self.funds(),
            fee: RiskView::fee_of(&intent, market),
        };
        self.gate.check(intent, &view, now)
    }

    /// The snapshot of everything. `seq` is the last event that it includes.
    pub(in crate::exec) fn snapshot(&self, kill: KillReport, seq: u64, now: Timestamp) -> HermesState {
        let pnl = self.portfolio.pnl();
        let trouble = if kill.latch.is_armed() {
            let equity = || self.equity(now).err().map(|why| format!("nothing is bought: equity is not known: {why}"));
            let doubts = || self.breaker.words(self.gate.limits().breaker_rejections, now).or_else(equity);
            self.trouble(now).or_else(|| self.reducing(now)).or_else(doubts)
        } else {
            Some(format!("killed by {}: {}", kill.latch.by, kill.latch.why))
        };
        HermesState {
            at: now,
            boot: self.origin.boot.clone(),
            seq,
            mode: self.origin.mode,
            trading_state: self.trading_state(now),
            kill: KillReport { venue_open_orders: kill.venue_open_orders.or(self.venue_open()), ..kill },
            reconciled_at: self.reconcile.clean_at(),
            trouble,
            bus_concerns: self.bus_concerns.clone(),
            limit_concerns: self.limit_concerns(),
            orders: self.counts,
            fills: self.portfolio.count(),
            recent_orders: self.recent_orders(),
            recent_fills: self.recent_fills.iter().cloned().collect(),
            positions: self.portfolio.positions(now),
            pnl,
            peak_today: self.track.day().map_or(Usd::ZERO, |day| day.peak),
            day_start: self.track.day().map_or(Usd::ZERO, |day| day.start),
            equity: Some(Box::new(self.equity_state(now))),
            funds: self.funds(),
            exposure: Exposure { gross: self.holdings(None).gross(), limit: self.gate.limits().gross_exposure },
            limits: self.limit_uses(),
            risk: Some(self.limits_in_force()),
            dlq: self.letters.waiting(),
            dead_letters: self.letters.shown(),
            halted: self.halted(now),
            fencing_token: self.fencing_token,
            venue_skew_ms: self.venue_skew.map(|skew| skew.ahead_us / 1_000),
            tick_to_order: self.tick_to_order(),
        }
    }

    fn recent_orders(&self) -> Vec<Order> {
        let order = |key: &Key| self.orders.get(key).map(|tracked| tracked.row.order.clone());
        let mut shown: Vec<Order> = self.at_stake().filter_map(order).collect();
        shown.sort_by_key(|order| (order.state.reserves(), std::cmp::Reverse(order.intent.created_at)));
        shown.truncate(SHOWN);
        let room = SHOWN - shown.len();
        let others =
            self.ended.iter().rev().filter(|key| !self.risen.contains_key(*key) && !self.untraded.contains_key(*key));
        shown.extend(others.take(room).filter_map(order));
        shown
    }

    fn tick_to_order(&self) -> Latency {
        if self.latency.is_empty() {
            return Latency::default();
        }
        Latency { p50: Some(self.latency.value_at_quantile(0.5)), p99: Some(self.latency.value_at_quantile(0.99)) }
    }
}
