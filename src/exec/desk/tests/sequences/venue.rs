//! What the venue does: it answers, matches and tells, cancels what it is asked to, and ends a market.

use super::*;

impl World {
    /// The ledger keeps what the desk has decided, and the venue cancels what it is asked to.
    pub(super) fn take(&mut self, step: Step) -> Vec<OrderId> {
        let mut lookups = Vec::new();
        for effect in self.paper.keep(step) {
            match effect {
                Effect::Cancel(orders) => orders.iter().for_each(|order| self.cancel_asked(order)),
                Effect::Lookup { order, .. } => lookups.push(order),
                _ => {}
            }
        }
        lookups
    }

    fn place(&self, id: &OrderId) -> usize {
        let of = |order: &Known| id.as_str() == format!("0x{}", order.intent.intent);
        self.orders.iter().position(of).expect("one of ours")
    }

    fn cancel_asked(&mut self, id: &OrderId) {
        let order = self.place(id);
        if self.orders[order].alive {
            assert_eq!(self.orders[order].intent.side, Side::Buy, "a sale is left alone");
            self.cancel(order);
        }
    }

    pub(super) fn cancel(&mut self, order: usize) {
        self.orders[order].alive = false;
        self.show(order);
    }

    pub(super) fn answer(&mut self, order: usize, how: u8) {
        let waiting: Vec<usize> = (0..self.orders.len()).filter(|order| !self.orders[*order].answered).collect();
        if waiting.is_empty() {
            return;
        }
        let order = waiting[order % waiting.len()];
        self.orders[order].answered = true;
        let refused = how == 0 && self.orders[order].matched.is_zero();
        self.orders[order].alive &= !refused;
        let answer = match how {
            0 if refused => PostAnswer::Rejected { code: RejectCode::NotFilled, reason: "no".into() },
            1 => unknown(),
            _ => accepted(),
        };
        let id = self.orders[order].intent.intent.clone();
        let step = self.desk.on_posted(&(id, 1), answer, Some(at(self.now)), at(self.now));
        self.take(step);
    }

    pub(super) fn matched(&mut self, order: usize, percent: i64, better: i64, told: bool) {
        let alive: Vec<usize> = (0..self.orders.len()).filter(|order| self.orders[*order].alive).collect();
        if alive.is_empty() {
            return;
        }
        let order = alive[order % alive.len()];
        let known = &mut self.orders[order];
        let (limit, rest) = (known.intent.price.0, known.intent.size.0 - known.matched);
        let size = (rest * Decimal::new(percent, 2)).round_dp(2).max(dec!(0.02)).min(rest);
        let better = Decimal::new(better, 2);
        let price = if known.intent.side == Side::Buy { limit - better } else { limit + better };
        known.matched += size;
        known.alive = known.matched < known.intent.size.0;
        // Each at a time of its own, so that the order of booking is known.
        let matched_at = Timestamp::from_micros(at(self.now).micros() + i64::try_from(self.trades.len()).expect("few"));
        self.trades.push(Trade {
            id: format!("t{}", self.trades.len()),
            order,
            size,
            price,
            status: FillStatus::Matched,
            told: false,
            at: matched_at,
        });
        if told {
            self.tell(self.trades.len() - 1);
        } else {
            self.show(order);
        }
    }

    /// An order as the venue has it.
    fn seen(&self, order: usize) -> VenueOrder {
        let Known { intent, matched, alive, .. } = &self.orders[order];
        let status = match (alive, *matched == intent.size.0) {
            (true, _) => VenueOrderStatus::Live,
            (false, true) => VenueOrderStatus::Matched,
            (false, false) => VenueOrderStatus::Cancelled,
        };
        VenueOrder {
            market: intent.market.clone(),
            token: intent.token.clone(),
            side: intent.side,
            price: intent.price,
            size: intent.size,
            ..venue_order(intent.intent.as_str(), status, Some(*matched))
        }
    }

    fn show(&mut self, order: usize) {
        let step = self.desk.on_user_event(UserEvent::Order(self.seen(order)), at(self.now));
        self.take(step);
    }

    fn fill(&self, trade: usize) -> VenueFill {
        let Trade { id, order, size, price, status, at: matched_at, .. } = &self.trades[trade];
        let intent = &self.orders[*order].intent;
        VenueFill {
            market: intent.market.clone(),
            token: intent.token.clone(),
            side: intent.side,
            price: Price(*price),
            matched_at: *matched_at,
            ..venue_fill(intent.intent.as_str(), id, *size, *status)
        }
    }

    pub(super) fn tell(&mut self, trade: usize) {
        self.trades[trade].told = true;
        let step = self.desk.on_user_event(UserEvent::Fill(self.fill(trade)), at(self.now));
        self.take(step);
    }

    /// Describes both markets, as they are now.
    pub(super) fn describe(&mut self) {
        let pays = |pays: bool| Price(if pays { Decimal::ONE } else { Decimal::ZERO });
        for (market, result) in event().into_iter().zip(self.results) {
            let payouts = result.map(|first| [pays(first), pays(!first)]);
            let step = self.desk.on_data(PolymarketData::Market(Market { payouts, ..market }), at(self.now));
            self.take(step);
        }
    }

    /// The venue ends a market: its orders are gone, and one outcome pays.
    pub(super) fn resolve(&mut self, market: usize, first: bool) {
        if self.results[market].is_some() || (first && self.results[1 - market] == Some(true)) {
            return;
        }
        for order in 0..self.orders.len() {
            if self.orders[order].alive && self.orders[order].intent.market == event()[market].market {
                self.cancel(order);
            }
        }
        self.results[market] = Some(first);
        self.describe();
        // What one market would have won does not cover any more what the other may lose.
        for (what, value, limit) in self.measured() {
            if what == EVENT_LOSS && value > limit {
                self.beyond.insert(what, value);
            }
        }
    }

    /// What a share of a token pays, once that is known.
    pub(super) fn payout(&self, token: usize) -> Option<Decimal> {
        let first = self.results[token / 2]?;
        Some(if first == token.is_multiple_of(2) { Decimal::ONE } else { Decimal::ZERO })
    }

    /// Another run begins with what the ledger has, and compares it with the venue.
    pub(super) fn restart(&mut self) {
        let now = at(self.now);
        self.begin_again();
        let (desk, step) = restored_under(self.latch(), self.paper.memory(), now);
        self.desk = desk;
        self.desk.purse.counted(&[unbounded()]);
        self.looked = self.now;
        self.late.clear();
        self.orders.iter_mut().for_each(|order| order.answered = true);
        self.trades.iter_mut().for_each(|trade| trade.told = true);
        let mut lookups = self.take(step);
        self.describe();
        let step = self.desk.on_user_event(UserEvent::Connected, now);
        lookups.extend(self.take(step));
        let step = self.desk.on_tick(now);
        lookups.extend(self.take(step));
        let alive = (0..self.orders.len()).filter(|order| self.orders[*order].alive);
        let orders = alive.map(|order| self.seen(order)).collect();
        let fills = (0..self.trades.len()).map(|trade| self.fill(trade)).collect();
        let step = self.desk.on_snapshot(now, Ok(Snapshot { orders, fills, ..Snapshot::default() }), now);
        lookups.extend(self.take(step));
        for id in lookups {
            let order = self.place(&id);
            let fills = (0..self.trades.len()).filter(|trade| self.trades[*trade].order == order);
            let fills = fills.map(|trade| self.fill(trade)).collect();
            let found = Lookup { order: Some(self.seen(order)), fills };
            let step = self.desk.on_lookup(&id, now, Ok(found), now);
            self.take(step);
        }
        self.hear();
    }
}
