//! Evidence from the venue: the event socket, lookups and cancels. Any order, any number of times.

use std::collections::BTreeMap;

use super::timers::CANCEL_LASTS;
use super::{Desk, Effect, Fact, Key, Lookup, Search, Sending, Standing, Step, Tracked};
use crate::domain::{
    DeadLetterReason, Fill, FillStatus, IntentId, MarketId, Order, OrderId, OrderIntent, Role, Slug, StrategyId,
    TimeInForce, Timestamp, TokenId, TradeEvent, TradeId, Usd,
};
use crate::exec::lifecycle::Sighting;
use crate::exec::portfolio::FillChange;
use crate::exec::venue::{CancelAnswer, UserEvent, VenueError, VenueFill, VenueOrder, VenueOrderStatus};
use crate::store::ledger::{Known, LedgerError, OrderRow, Write};

/// How a cancel that was not confirmed is tried again.
const CANCEL_AGAIN: std::time::Duration = std::time::Duration::from_secs(2);
/// Orders that are not in the books and of which a trade was told; more than these are not told apart any more.
const STRANGERS: usize = 10_000;

impl Desk {
    /// An event of the account's socket.
    pub(in crate::exec) fn on_user_event(&mut self, event: UserEvent, now: Timestamp) -> Step {
        let mut step = Step::default();
        match event {
            UserEvent::Connected => {
                self.health.user = None;
                self.breaker.authorized();
                self.reconcile_connected(now);
            }
            UserEvent::Disconnected { reason } => self.health.user = Some(format!("event socket down: {reason}")),
            UserEvent::Order(order) => {
                self.doubt_end(&order, now);
                self.see(&order, now, &mut step);
            }
            UserEvent::Fill(fill) => self.fill(&fill, now, &mut step),
        }
        step
    }

    /// The venue spoke of an order.
    pub(super) fn see(&mut self, seen: &VenueOrder, now: Timestamp, step: &mut Step) {
        let sighting = sighting(seen.status);
        if sighting == Sighting::Open {
            self.disturbed(&seen.order, step);
        }
        let Some(key) = self.index.get(&seen.order).cloned() else {
            if sighting == Sighting::Open {
                self.recall(seen, step);
            }
            return;
        };
        if sighting == Sighting::Ended
            && let Some(tracked) = self.orders.get_mut(&key)
            && !tracked.state().is_terminal()
        {
            tracked.row.order.reason = Some(seen.status_text.to_lowercase());
        }
        self.learn(&key, Fact::Seen { sighting, matched: seen.matched }, "seen", now, step);
    }

    /// What shows an ended order as open may be late news: the list decides, soon.
    fn doubt_end(&mut self, seen: &VenueOrder, now: Timestamp) {
        let ours = self.index.get(&seen.order).and_then(|key| self.orders.get(key));
        if sighting(seen.status) == Sighting::Open && ours.is_some_and(|tracked| tracked.state().is_terminal()) {
            self.compare_soon(now);
        }
    }

    /// An open order that is not in memory: ours from long ago, or nobody's that we know. The ledger tells.
    fn recall(&mut self, seen: &VenueOrder, step: &mut Step) {
        // Beyond that the next list shows it again.
        let room = self.recalled.len() < STRANGERS || self.recalled.contains_key(&seen.order);
        if room && self.recalled.insert(seen.order.clone(), seen.clone()).is_none() {
            step.urgent.push(Effect::Recall(seen.order.clone()));
        }
    }

    /// What the ledger has of an order that the venue shows as open.
    pub(in crate::exec) fn on_recalled(
        &mut self,
        order: &OrderId,
        result: Result<Known, LedgerError>,
        now: Timestamp,
    ) -> Step {
        let mut step = Step::default();
        let Some(seen) = self.recalled.remove(order) else { return step };
        match result {
            Err(error) => {
                // The list shows it again.
                self.confirmed(order, Err(error.to_string()), now);
                return step;
            }
            Ok(_) if self.index.contains_key(order) => self.see(&seen, now, &mut step),
            Ok(Known { row: None, fills }) => self.adopt(&seen, fills, now, &mut step),
            Ok(Known { row: Some(row), fills }) => {
                let (key, counts) = ((row.order.intent.intent.clone(), row.order.intent.attempt), row.counts());
                let fills = self.fills_of(&row.order.intent.token, order, fills);
                let standing = Standing::restore(&row.order, row.shares(), row.accepted, &fills);
                self.track(&key, Tracked::new(row, standing));
                // It was counted when it was written.
                self.counts -= counts;
                self.listed(&seen, now, now, &mut step);
            }
        }
        self.confirmed(order, Ok(()), now);
        step
    }

    /// An order that no intent of ours asked for: into the books, so that it is shown, counted and followed.
    fn adopt(&mut self, seen: &VenueOrder, fills: Vec<Fill>, now: Timestamp, step: &mut Step) {
        let never = Timestamp::from_micros(i64::MAX);
        let slug = self
            .markets
            .get(&seen.market)
            .map_or_else(|| Slug::new(seen.market.as_str()), |market| market.slug.clone());
        let intent = OrderIntent {
            intent: IntentId::new(format!("{}:{}", OrderIntent::ADOPTED, seen.order)),
            strategy: StrategyId::new(OrderIntent::ADOPTED),
            market: seen.market.clone(),
            slug,
            token: seen.token.clone(),
            outcome: seen.outcome.clone(),
            side: seen.side,
            price: seen.price,
            size: seen.size,
            tif: TimeInForce::Gtc,
            post_only: false,
            tick_received_at: now,
            created_at: now,
            deadline: now,
            rest_until: never,
            epoch: 0,
            attempt: 1,
        };
        let key: Key = (intent.intent.clone(), 1);
        let mut order = Order::new(intent, now);
        order.order = Some(seen.order.clone());
        order.reason = Some(super::FOREIGN.into());
        let row = OrderRow {
            order,
            digest: None,
            accepted: false,
            adopted: true,
            posts: 0,
            first_error: None,
            shares: None,
            token: 0,
        };
        let standing = Standing::new(seen.size);
        self.track(&key, Tracked::new(row, standing));
        self.learn(&key, Fact::Seen { sighting: Sighting::Open, matched: seen.matched }, "adopted", now, step);
        self.recognise(&key, fills, now, step);
        let detail = format!("order {} at {} {} is not ours; adopted", seen.order, seen.price, seen.side);
        self.mismatch("order", detail, now, step);
    }

    /// While killed nothing may be open.
    fn disturbed(&self, order: &OrderId, step: &mut Step) {
        if !self.latch.is_armed() {
            step.urgent.push(Effect::Disturb(format!("order {order} is open at the venue")));
        }
    }

    /// A trade as we book it.
    pub(super) fn fill_of(&self, seen: &VenueFill) -> Fill {
        let key = self.index.get(&seen.order);
        let strategy = key.and_then(|key| self.orders.get(key)).filter(|tracked| !tracked.row.adopted);
        let strategy = strategy.map(|tracked| tracked.row.order.intent.strategy.clone());
        let fee = match (seen.role, self.markets.get(&seen.market)) {
            (Role::Taker, Some(market)) => seen.taker_fee(&market.fee),
            (Role::Taker, None) | (Role::Maker, _) => Usd::ZERO,
        };
        Fill {
            trade: seen.trade.clone(),
            order: seen.order.clone(),
            strategy,
            market: seen.market.clone(),
            token: seen.token.clone(),
            outcome: seen.outcome.clone(),
            side: seen.side,
            size: seen.size,
            price: seen.price,
            fee,
            role: seen.role,
            status: seen.status,
            matched_at: seen.matched_at,
        }
    }

    /// A list of trades, the oldest first: the next start asks for those that are later than the newest that is known.
    pub(super) fn fills(&mut self, seen: &[VenueFill], now: Timestamp, step: &mut Step) {
        let mut oldest_first: Vec<&VenueFill> = seen.iter().collect();
        oldest_first.sort_by_key(|fill| fill.matched_at);
        for fill in oldest_first {
            self.fill(fill, now, step);
            step.may_cut();
        }
    }

    /// The venue told of a trade of the account.
    pub(super) fn fill(&mut self, seen: &VenueFill, now: Timestamp, step: &mut Step) {
        self.reconcile.holes.close(&seen.trade);
        let fill = self.fill_of(seen);
        if self.portfolio.must_ask(&fill, now) {
            return self.hold_back(seen, now, step);
        }
        if self.is_past(&fill, now) {
            return;
        }
        let key = self.index.get(&seen.order).cloned();
        match &key {
            Some(key) => {
                if let Some(tracked) = self.orders.get_mut(key) {
                    tracked.settle(&seen.trade, seen.status);
                }
                let fact = Fact::of_fill(seen.trade.clone(), seen.size, seen.status);
                self.learn(key, fact, "fill", now, step);
            }
            None if self.strangers.len() < STRANGERS && self.strangers.insert(seen.order.clone()) => {
                let detail = format!("trade {} of order {}, which is not in the books", seen.trade, seen.order);
                self.mismatch("fill", detail, now, step);
            }
            None => {}
        }
        self.book(&fill, now, step);
    }

    /// Books a fill in the portfolio.
    pub(super) fn book(&mut self, fill: &Fill, now: Timestamp, step: &mut Step) {
        if let Some(kept) = self.portfolio.conflict(fill) {
            let detail = format!(
                "trade {} was {} {} at {}, now it is {} {} at {}; the first is kept",
                fill.trade, kept.side, kept.size, kept.price, fill.side, fill.size, fill.price
            );
            self.mismatch("fill", detail, now, step);
        }
        let change = self.portfolio.apply(fill, now);
        let (fill, journal) = match change {
            FillChange::Same => return,
            FillChange::New(fill, journal) | FillChange::Moved(fill, journal) => (fill, journal),
        };
        self.stakes.moved(&fill.token);
        if fill.status == FillStatus::Failed {
            let detail = format!("trade {} failed on chain; its effect is undone", fill.trade);
            self.mismatch("fill", detail, now, step);
        }
        self.remember_fill(&fill);
        if let Some(book) = self.others.get(&fill.token).or_else(|| self.books.get(&fill.token)) {
            // The next book may be seconds away, and what is held must be valued.
            self.portfolio.on_book(book, self.gate.limits().last_moments());
        }
        self.store_market(&fill.market, step);
        step.writes.push(Write::Fill { fill: Box::new(fill.clone()), at: now });
        if let Some(journal) = journal {
            step.journal(journal);
        }
        step.emit(TradeEvent::Fill(fill));
    }

    /// What is traded or held has its market in the ledger: its name, and later what it pays.
    pub(super) fn store_market(&mut self, id: &MarketId, step: &mut Step) {
        if let Some(market) = self.markets.get(id).filter(|_| !self.stored_markets.contains_key(id)) {
            step.writes.push(Write::Market(Box::new(market.clone())));
            self.stored_markets.insert(id.clone(), market.clone());
        }
    }

    /// The fills of an order: as the ledger has them, and as they have gone on in memory.
    pub(super) fn fills_of(&self, token: &TokenId, order: &OrderId, stored: Vec<Fill>) -> Vec<Fill> {
        let newer = self.portfolio.fills_of(token, order).cloned();
        let all: BTreeMap<TradeId, Fill> =
            stored.into_iter().chain(newer).map(|fill| (fill.trade.clone(), fill)).collect();
        all.into_values().collect()
    }

    fn remember_fill(&mut self, fill: &Fill) {
        let known = self.recent_fills.iter_mut().find(|known| known.trade == fill.trade && known.order == fill.order);
        if let Some(known) = known {
            *known = fill.clone();
        } else {
            self.recent_fills.push_front(fill.clone());
            self.recent_fills.truncate(super::SHOWN);
        }
    }

    pub(super) fn tell_positions(&mut self, step: &mut Step) {
        for position in self.portfolio.take_changed() {
            step.emit(TradeEvent::Position(position));
        }
    }

    /// A lookup that began at `begun` has come back.
    pub(in crate::exec) fn on_lookup(
        &mut self,
        order: &OrderId,
        begun: Timestamp,
        result: Result<Lookup, VenueError>,
        now: Timestamp,
    ) -> Step {
        let mut step = Step::default();
        let Some(key) = self.index.get(order).cloned() else { return step };
        if let Some(tracked) = self.orders.get_mut(&key) {
            tracked.looking = false;
            tracked.check_at = None;
        }
        match result {
            Err(error) => {
                self.confirmed(order, Err(error.to_string()), now);
                self.look_again(&key, begun);
            }
            Ok(lookup) => {
                self.fills(&lookup.fills, now, &mut step);
                match &lookup.order {
                    Some(seen) => {
                        self.absolve(&key, begun, now, &mut step);
                        self.doubt_end(seen, now);
                        self.see(seen, now, &mut step);
                        self.follow_up(&key, seen, now);
                    }
                    None => self.absent(&key, begun, now, &mut step),
                }
                self.confirmed(order, Ok(()), now);
            }
        }
        step
    }

    /// What is still open although it cannot rest, or should be cancelled, is looked at again.
    fn follow_up(&mut self, key: &Key, seen: &VenueOrder, now: Timestamp) {
        let again = now.plus(self.rules.lookup_every);
        let Some(tracked) = self.orders.get_mut(key) else { return };
        let transient = matches!(tracked.row.order.intent.tif, TimeInForce::Fok | TimeInForce::Fak);
        if !tracked.state().is_terminal() && (transient || seen.status != VenueOrderStatus::Live) {
            tracked.check_at = Some(again);
        }
    }

    fn look_again(&mut self, key: &Key, begun: Timestamp) {
        let next_at = begun.plus(self.rules.lookup_every);
        let Some(tracked) = self.orders.get_mut(key) else { return };
        let ended = tracked.state().is_terminal();
        if let Some(search) = &mut tracked.search {
            search.next_at = next_at;
        } else if matches!(tracked.sending, Sending::Checking | Sending::GivingUp(_)) {
            tracked.sending = Sending::RetryAt(next_at);
        } else if !ended {
            tracked.check_at = Some(next_at);
        }
    }

    /// The venue does not know the order. That alone proves nothing: see [`Search`].
    fn absent(&mut self, key: &Key, begun: Timestamp, now: Timestamp, step: &mut Step) {
        let (needed, window, every) = (self.rules.absences, self.rules.late_post, self.rules.lookup_every);
        let Some(tracked) = self.orders.get_mut(key) else { return };
        if tracked.state().is_terminal() {
            return;
        }
        if tracked.sending == Sending::Checking {
            tracked.sending = Sending::Due;
            return step.after.push(Effect::Post(key.clone()));
        }
        if let Sending::GivingUp(reason) = tracked.sending {
            let last = tracked.row.order.reason.clone();
            let why = last.filter(|_| reason == DeadLetterReason::Exhausted);
            let why = why.unwrap_or_else(|| "killed before it was sent again".to_owned());
            return self.give_up(key, &why, reason, now, step);
        }
        if tracked.sending == Sending::InFlight {
            return;
        }
        let search = tracked.search.get_or_insert(Search { since: now, absences: 0, next_at: now });
        search.absences += 1;
        search.next_at = begun.plus(every);
        let settled = search.absences >= needed && begun.since(search.since) >= window;
        if !settled {
            return;
        }
        if tracked.standing.is_held() {
            let detail = format!("order {} is gone from the venue; closed", key.0);
            self.amend(key, |row| row.order.reason = Some("gone from the venue".into()));
            self.mismatch("order", detail, now, step);
            return self.learn(key, Fact::Seen { sighting: Sighting::Ended, matched: None }, "gone", now, step);
        }
        let why =
            format!("never arrived: {} lookups found nothing", tracked.search.map_or(needed, |found| found.absences));
        self.amend(key, |row| row.order.reason = Some(why.clone()));
        self.bury_order(key, DeadLetterReason::NeverArrived, why, now, step);
        self.learn(key, Fact::NeverArrived, "never_arrived", now, step);
        self.release(key, step);
    }

    /// The answer to a cancel. It settles nothing by itself: each order is read.
    pub(in crate::exec) fn on_cancelled(
        &mut self,
        orders: &[OrderId],
        result: &Result<CancelAnswer, VenueError>,
        now: Timestamp,
    ) -> Step {
        let mut step = Step::default();
        if let Err(error) = result {
            tracing::warn!(%error, orders = orders.len(), "a cancel failed, trying again");
        }
        // What the venue asks for is kept up to a point: a cancel is worth being asked for sooner than a maintenance ends.
        let wait = result.as_ref().err().and_then(VenueError::wait).unwrap_or_default();
        let again = now.plus(wait.clamp(CANCEL_AGAIN, CANCEL_LASTS));
        for order in orders {
            let Some(key) = self.index.get(order).cloned() else { continue };
            let Some(tracked) = self.orders.get_mut(&key) else { continue };
            let ended = tracked.state().is_terminal();
            if ended && !self.risen.contains_key(&key) {
                continue;
            }
            tracked.cancel_at = Some(again);
            if ended {
                // Whether it is gone now, the list tells.
                continue;
            }
            if let Ok(answer) = result {
                let refused = answer.not_cancelled.iter().find(|(id, _)| id == order).map(|(_, why)| why.clone());
                if let Some(why) = refused {
                    tracked.row.order.reason = Some(format!("cancel refused: {why}"));
                }
                self.look(&key, &mut step);
            }
        }
        step
    }
}

const fn sighting(status: VenueOrderStatus) -> Sighting {
    match status {
        VenueOrderStatus::Live | VenueOrderStatus::Delayed | VenueOrderStatus::Other => Sighting::Open,
        VenueOrderStatus::Matched => Sighting::Matched,
        VenueOrderStatus::Cancelled => Sighting::Ended,
    }
}

impl Tracked {
    /// Remembers which trades are not settled yet.
    pub(super) fn settle(&mut self, trade: &TradeId, status: FillStatus) {
        if status.is_final() {
            self.unsettled.remove(trade);
        } else if !self.standing.knows(trade) {
            self.unsettled.insert(trade.clone());
        }
    }
}
