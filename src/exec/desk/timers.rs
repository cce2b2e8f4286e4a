//! What the passing of time brings: retries, searches, cancels of what has rested long enough, heartbeats, the day's turn.

use std::time::Duration;

use super::{Desk, Effect, Fact, Key, Sending, Step};
use crate::domain::{
    Book, DeadLetterReason, Denial, EquityState, Market, OrderId, OrderState, PolymarketData, TimeInForce, Timestamp,
    TokenId, Usd,
};
use crate::exec::portfolio::Portfolio;
use crate::risk::{Equity, Limits, Total};
use crate::store::ledger::Write;

/// How often profit is compared with the day's peak, and the use of every limit is measured.
const EQUITY_EVERY: Duration = Duration::from_secs(1);
/// How often changed positions are told.
const POSITIONS_TOLD_EVERY: Duration = Duration::from_millis(500);
/// How often changed marks are written.
const MARKS_KEPT_EVERY: Duration = Duration::from_secs(5);
/// How often a changed high within the rolling window is written; the window's highest is at once.
const HIGHS_KEPT_EVERY: Duration = Duration::from_mins(1);
/// A cancel that was not answered for so long is sent again.
pub(super) const CANCEL_LASTS: Duration = Duration::from_secs(10);
/// At most so many ids in one cancel.
pub(super) const CANCEL_AT_ONCE: usize = 500;
/// A book that was not renewed for this long is forgotten; the gate refuses much younger ones.
const BOOK_KEPT: Duration = Duration::from_mins(10);
/// A market that closed this long ago, and of which nothing is held, is forgotten.
const MARKET_KEPT: Duration = Duration::from_hours(24);
/// One of which nothing was ever ordered or traded goes much sooner, once there are no books of it any more.
const UNTRADED_KEPT: Duration = Duration::from_mins(5);

/// When each thing was last done.
#[derive(Debug)]
pub(super) struct Timers {
    equity: Timestamp,
    positions_told: Timestamp,
    marks_kept: Timestamp,
    highs_kept: Timestamp,
}

impl Timers {
    /// Nothing done yet.
    pub(super) const fn at(now: Timestamp) -> Self {
        Self { equity: now, positions_told: now, marks_kept: now, highs_kept: now }
    }
}

impl Desk {
    /// The time is `now`; to be told several times a second.
    pub(in crate::exec) fn on_tick(&mut self, now: Timestamp) -> Step {
        let mut step = Step::default();
        self.reconcile(now, &mut step);
        self.retry(now, &mut step);
        self.search(now, &mut step);
        self.cancel_rested(now, &mut step);
        self.heartbeat(now, &mut step);
        self.count_money(now, &mut step);
        self.watch_equity(now, &mut step);
        self.withdraw(now, &mut step);
        self.tell_and_keep(now, &mut step);
        self.fold_up(now, &mut step);
        step
    }

    /// The latch has changed.
    pub(in crate::exec) fn on_latch(&mut self, latch: crate::domain::KillLatch, now: Timestamp) -> Step {
        if latch.is_armed() && latch.epoch != self.latch.epoch {
            self.breaker.reset();
            self.accept_corrections();
            self.recent.absolve(now);
        }
        self.latch = latch;
        self.track.rearm();
        self.forget_beats();
        let mut step = Step::default();
        self.retry(now, &mut step);
        step
    }

    /// A market or a book was published.
    pub(in crate::exec) fn on_data(&mut self, data: PolymarketData, now: Timestamp) -> Step {
        let mut step = Step::default();
        match data {
            PolymarketData::Market(market) => self.on_market(market, now, &mut step),
            PolymarketData::Book(book) => self.on_book(book),
        }
        step
    }

    fn on_market(&mut self, market: Market, now: Timestamp, step: &mut Step) {
        if let Some((token, kept, told)) = self.portfolio.on_market(&market, now) {
            if !self.contradicted.insert(market.market.clone()) {
                return;
            }
            let detail = format!(
                "market {}: a share of {token} pays {told} now, it was resolved to pay {kept}; the first result is kept",
                market.slug
            );
            return self.mismatch("market", detail, now, step);
        }
        // A result is final: no description, older or other, takes the place of the one that brought it.
        if self.markets.get(&market.market).is_some_and(|known| known.payouts.is_some()) {
            return;
        }
        // One that others traded for the account is stored as well: what its shares pay follows from it.
        let traded = market.tokens.iter().any(|outcome| self.portfolio.keeps(&outcome.token));
        if traded && market.payouts.is_some() {
            self.stakes.stale();
        }
        for fill in self.portfolio.late_fees(&market) {
            self.book(&fill, now, step);
            step.may_cut();
        }
        let stored = self.stored_markets.get(&market.market);
        if stored.map_or(traded, |stored| *stored != market) {
            step.writes.push(Write::Market(Box::new(market.clone())));
            self.stored_markets.insert(market.market.clone(), market.clone());
        }
        self.put_market(market);
    }

    fn on_book(&mut self, book: Book) {
        if self.books.get(&book.token).is_some_and(|known| known.known_at() > book.known_at()) {
            return;
        }
        let others = self.of_others(&book);
        self.portfolio.on_book(others.as_ref().unwrap_or(&book), self.gate.limits().last_moments());
        match others {
            Some(others) => drop(self.others.insert(book.token.clone(), others)),
            None => drop(self.others.remove(&book.token)),
        }
        self.books.insert(book.token.clone(), book);
    }

    /// Same bytes again, each time only after the venue was asked for the order; while killed, nothing.
    fn retry(&mut self, now: Timestamp, step: &mut Step) {
        let trouble = self.trouble(now);
        for key in self.keys(|sending| matches!(sending, Sending::RetryAt(_))) {
            let Some(tracked) = self.orders.get_mut(&key) else { continue };
            let Sending::RetryAt(at) = tracked.sending else { continue };
            let halted = !self.latch.is_armed() || self.latch.epoch != tracked.row.order.intent.epoch;
            if at > now && !halted {
                continue;
            }
            let over = halted || now > tracked.row.order.intent.deadline;
            if let Some((until, why)) = self.pause.holds(now).filter(|_| !over) {
                // Looked at only when it could be sent: to look again and again would use up what else is asked of the venue.
                self.wait(&key, why, until, now, step);
                continue;
            }
            if tracked.row.posts == 0 {
                // Decided by `clear_to_send`, which ends what may not leave any more.
                tracked.sending = Sending::Due;
                step.after.push(Effect::Post(key));
            } else if over {
                // The venue refused it for now: that it does not have it all the same is for a lookup to say.
                let reason = if halted { DeadLetterReason::Killed } else { DeadLetterReason::Exhausted };
                tracked.sending = Sending::GivingUp(reason);
                self.look(&key, step);
            } else if let Some(trouble) = trouble.clone() {
                self.postpone(&key, trouble, now);
            } else {
                tracked.sending = Sending::Checking;
                self.look(&key, step);
            }
        }
    }

    fn keys(&self, wanted: impl Fn(Sending) -> bool) -> Vec<Key> {
        let matching = |key: &&Key| self.orders.get(key).is_some_and(|tracked| wanted(tracked.sending));
        self.active.iter().filter(matching).cloned().collect()
    }

    /// Lookups that are due.
    pub(super) fn search(&mut self, now: Timestamp, step: &mut Step) {
        let due = |key: &&Key| {
            let Some(tracked) = self.orders.get(key) else { return false };
            let search = tracked.search.is_some_and(|search| search.next_at <= now);
            search || tracked.check_at.is_some_and(|at| at <= now)
        };
        let due: Vec<Key> = self.active.iter().filter(due).cloned().collect();
        for key in due {
            self.look(&key, step);
        }
    }

    /// Asks for one order, unless that is under way; gives its id.
    pub(super) fn look(&mut self, key: &Key, step: &mut Step) -> Option<OrderId> {
        let since = self.trades_of(key);
        let tracked = self.orders.get_mut(key)?;
        let order = tracked.row.order.order.clone()?;
        if !tracked.looking {
            tracked.looking = true;
            step.urgent.push(Effect::Lookup { order: order.clone(), since });
        }
        Some(order)
    }

    /// Orders that have rested until their time, or that are risen, are cancelled, again and again until the venue says that they
    /// ended.
    fn cancel_rested(&mut self, now: Timestamp, step: &mut Step) {
        let due = |key: &&Key| {
            let Some(tracked) = self.orders.get(key) else { return false };
            let intent = &tracked.row.order.intent;
            let rests = matches!(intent.tif, TimeInForce::Gtc | TimeInForce::Gtd);
            match tracked.standing.state() {
                OrderState::Live | OrderState::PartiallyFilled => rests && intent.rest_until <= now,
                OrderState::CancelPending => tracked.cancel_at.is_none_or(|at| at <= now) && !tracked.looking,
                _ => false,
            }
        };
        let again = |key: &&Key| self.orders.get(key).is_some_and(|found| found.cancel_at.is_none_or(|at| at <= now));
        let risen = self.risen.keys().filter(again);
        let due: Vec<Key> = self.active.iter().filter(due).chain(risen).take(CANCEL_AT_ONCE).cloned().collect();
        self.cancel(due, now, step);
    }

    /// Asks for cancels of everything that rests and writes what waits to be written, for an orderly end.
    pub(in crate::exec) fn cancel_resting(&mut self, now: Timestamp) -> Step {
        let mut step = Step::default();
        let resting = |key: &&Key| {
            let state = self.orders.get(key).map(|tracked| tracked.standing.state());
            matches!(state, Some(OrderState::Live | OrderState::PartiallyFilled | OrderState::CancelPending))
        };
        let resting: Vec<Key> = self.active.iter().filter(resting).cloned().collect();
        for key in &resting {
            self.learn(key, Fact::CancelRequested, "cancel_requested", now, &mut step);
            step.may_cut();
        }
        self.keep_highs(&mut step);
        step
    }

    fn watch_equity(&mut self, now: Timestamp, step: &mut Step) {
        if now.since(self.timers.equity) < EQUITY_EVERY {
            return;
        }
        self.timers.equity = now;
        let limits = self.gate.limits();
        self.portfolio.look(now, [limits.mark_age, limits.last_moments()], limits.looks());
        let breaches = self.track.observe(now, total(&self.portfolio, limits, now), limits);
        self.listen(now);
        self.judge_corrections(now, step);
        for breach in breaches.iter().chain(&self.lasting_too_long(now)) {
            self.exceeded(breach, step);
        }
        if self.health.ledger.is_none()
            && let Some(day) = self.track.take_day()
        {
            step.writes.push(Write::Day { day: day.day, start: day.start, peak: day.peak });
        }
        self.measure(now, step);
    }

    /// Total profit, as the last looks at prices saw it.
    pub(super) fn total(&self, now: Timestamp) -> Total {
        total(&self.portfolio, self.gate.limits(), now)
    }

    /// What losses are measured by, against its references: what every look has seen. Absent before the first measurement.
    pub(super) fn confirmed_losses(&self, now: Timestamp) -> Option<Equity> {
        self.track.equity(now, self.total(now).for_losses, self.gate.limits())
    }

    /// The same by the prices of now, as far as there are any.
    pub(super) fn losses(&self, now: Timestamp) -> Option<Equity> {
        self.equity(now).ok().or_else(|| self.confirmed_losses(now))
    }

    /// Total profit against its references, as the gate wants it, or why it is not known.
    pub(super) fn equity(&self, now: Timestamp) -> Result<Equity, String> {
        let limits = self.gate.limits();
        let total = self.portfolio.equity(now, limits.mark_age)?;
        self.track.equity(now, total, limits).ok_or_else(|| "it was not measured yet".to_owned())
    }

    /// The same, for everybody.
    pub(super) fn equity_state(&self, now: Timestamp) -> EquityState {
        let (equity, day) = (self.equity(now), self.track.day());
        let high = self.track.rolling_high(now, self.gate.limits().rolling_window());
        EquityState {
            current: equity.as_ref().ok().map(|equity| equity.current),
            peak: day.map_or(Usd::ZERO, |day| day.peak),
            day_start: day.map_or(Usd::ZERO, |day| day.start),
            rolling_high: high.or(day.map(|day| day.peak)).unwrap_or_default(),
            unknown: equity.err(),
        }
    }

    /// Losses for which everything would be killed again.
    pub(super) fn losses_beyond(&self, now: Timestamp) -> Vec<Denial> {
        let limits = self.gate.limits();
        let known = self.portfolio.equity(now, limits.mark_age).ok();
        self.track.beyond(now, known, self.total(now).for_losses, limits).collect()
    }

    fn tell_and_keep(&mut self, now: Timestamp, step: &mut Step) {
        if now.since(self.timers.positions_told) >= POSITIONS_TOLD_EVERY {
            self.timers.positions_told = now;
            self.tell_positions(step);
        }
        // While the ledger is gone everything waits in memory: what can be had again later does not.
        if self.health.ledger.is_some() {
            return;
        }
        if now.since(self.timers.marks_kept) >= MARKS_KEPT_EVERY {
            self.timers.marks_kept = now;
            let marks = self.portfolio.take_marks();
            step.writes.extend(marks.into_iter().map(|(token, price, at)| Write::Mark { token, price, at }));
            self.prune(now);
        }
        if now.since(self.timers.highs_kept) >= HIGHS_KEPT_EVERY || self.track.has_risen() {
            self.timers.highs_kept = now;
            self.keep_highs(step);
        }
    }

    fn keep_highs(&mut self, step: &mut Step) {
        let highs = self.track.take_highs();
        step.writes.extend(highs.into_iter().map(|(start, high)| Write::Equity { start, high }));
    }

    fn prune(&mut self, now: Timestamp) {
        for books in [&mut self.books, &mut self.others] {
            books.retain(|_, book| now.since(book.known_at()) < BOOK_KEPT);
        }
        let (portfolio, books, stored) = (&self.portfolio, &self.books, &self.stored_markets);
        let closed = |market: &Market, kept| market.closes_at.is_some_and(|closed| now.since(closed) > kept);
        let any = |market: &Market, of: &dyn Fn(&TokenId) -> bool| market.tokens.iter().any(|one| of(&one.token));
        let held = |market: &Market| any(market, &|token| portfolio.holds(token));
        let traded =
            |market: &Market| stored.contains_key(&market.market) || any(market, &|token| portfolio.keeps(token));
        // Some take orders beyond the end that they name.
        let trades = |market: &Market| market.accepting_orders && any(market, &|token| books.contains_key(token));
        let over = |market: &Market| closed(market, MARKET_KEPT) && !held(market);
        let passed = |market: &Market| closed(market, UNTRADED_KEPT) && !traded(market) && !trades(market);
        let gone = self.markets.values().filter(|market| over(market) || passed(market));
        let gone: Vec<Market> = gone.cloned().collect();
        self.stored_markets.retain(|_, market| !closed(market, MARKET_KEPT) || held(market));
        for market in &gone {
            self.markets.remove(&market.market);
            self.contradicted.remove(&market.market);
            self.portfolio.forget(market);
        }
        if !gone.is_empty() {
            self.stakes.stale();
        }
    }
}

/// Total profit by these books, as the last looks at prices saw it.
pub(super) fn total(portfolio: &Portfolio, limits: &Limits, now: Timestamp) -> Total {
    portfolio.total(now, limits.mark_age, limits.looks())
}
