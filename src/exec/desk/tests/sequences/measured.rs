//! What every limit measures, counted from the venue's own record.

use super::*;

/// What the loss of the whole event is called.
pub(super) const EVENT_LOSS: &str = "loss of the event";

impl World {
    /// The trades of a token that count, in the order in which they happened.
    fn lots(&self, token: &str, counts: impl Fn(&Trade, Side) -> bool) -> Vec<(Side, Decimal, Decimal)> {
        let of_token = self.trades.iter().filter(|trade| self.orders[trade.order].intent.token.as_str() == token);
        let lot = |trade: &Trade| {
            let side = self.orders[trade.order].intent.side;
            counts(trade, side).then_some((side, trade.size, trade.price))
        };
        of_token.filter_map(lot).collect()
    }

    /// Shares and their cost at average with their fees, from scratch.
    fn average_cost(lots: &[(Side, Decimal, Decimal)]) -> (Decimal, Decimal) {
        lots.iter().fold((Decimal::ZERO, Decimal::ZERO), |(shares, cost), (side, size, price)| match side {
            Side::Buy => (shares + size, cost + size * price + Self::fee(*price, *size)),
            Side::Sell => (shares - size, cost - cost * size / shares),
        })
    }

    /// What could be lost by this order or fill if `winner` pays, when it comes to be and it hurts.
    fn hurts(side: Side, size: Decimal, price: Decimal, pays: bool) -> Decimal {
        let bought = size * price - if pays { size } else { Decimal::ZERO };
        (Self::fee(price, size) + if side == Side::Buy { bought } else { -bought }).max(Decimal::ZERO)
    }

    fn loss_of(&self, token: usize, pays: bool) -> Decimal {
        let settled = self.lots(TOKENS[token], |trade, _| trade.status == FillStatus::Confirmed);
        let firm: Decimal = settled
            .iter()
            .map(|(side, size, price)| {
                let bought = size * price - if pays { *size } else { Decimal::ZERO };
                Self::fee(*price, *size) + if *side == Side::Buy { bought } else { -bought }
            })
            .sum();
        let provisional = self.lots(TOKENS[token], |trade, _| !trade.status.is_final());
        let maybe: Decimal =
            provisional.iter().map(|(side, size, price)| Self::hurts(*side, *size, *price, pays)).sum();
        firm + maybe
            + self.open(
                |intent| intent.token.as_str() == TOKENS[token],
                |side, size, price| Self::hurts(side, size, price, pays),
            )
    }

    fn open(&self, of: impl Fn(&OrderIntent) -> bool, what: impl Fn(Side, Decimal, Decimal) -> Decimal) -> Decimal {
        let open = self.orders.iter().filter(|order| order.alive && of(&order.intent));
        open.map(|order| what(order.intent.side, order.intent.size.0 - order.matched, order.intent.price.0)).sum()
    }

    /// What open buys may still cost.
    fn buying(&self, of: impl Fn(&OrderIntent) -> bool) -> Decimal {
        let cost = |size: Decimal, price: Decimal| size * price + Self::fee(price, size);
        self.open(of, |side, size, price| if side == Side::Buy { cost(size, price) } else { Decimal::ZERO })
    }

    /// Every limit against the venue's record.
    pub(super) fn audit(&mut self) {
        for (what, value, limit) in self.measured() {
            let allowed = self.beyond.get(&what).copied().unwrap_or(limit).max(limit);
            assert!(value <= allowed + SLACK, "{what}: {value} of {limit}, {allowed} before");
            if value <= limit + SLACK {
                self.beyond.remove(&what);
            } else {
                self.beyond.insert(what, value);
            }
        }
        for token in TOKENS {
            let certain = self.lots(token, |trade, side| {
                trade.status == FillStatus::Confirmed || (side == Side::Sell && trade.status != FillStatus::Failed)
            });
            let certain: Decimal =
                certain.iter().map(|(side, size, _)| if *side == Side::Buy { *size } else { -*size }).sum();
            let selling = self.shares(token, Side::Sell);
            assert!(certain - selling >= -SLACK, "{selling} of {token} on sale, {certain} certain");
        }
        assert_eq!(*self.desk.gate.limits(), self.limits);
        self.rates();
        self.equity();
    }

    /// Shares in open orders.
    fn shares(&self, token: &str, wanted: Side) -> Decimal {
        let shares = |side: Side, size: Decimal, _| if side == wanted { size } else { Decimal::ZERO };
        self.open(|intent| intent.token.as_str() == token, shares)
    }

    /// What each limit measures, by the venue's record, and the limit.
    pub(super) fn measured(&self) -> Vec<(String, Decimal, Decimal)> {
        let limits = &self.limits;
        let mut measured = Vec::new();
        let mut gross = self.buying(|_| true);
        let mut of_market = [Decimal::ZERO; 2];
        for (index, token) in TOKENS.into_iter().enumerate().filter(|(index, _)| self.payout(*index).is_none()) {
            let held = self.lots(token, |trade, side| {
                trade.status == FillStatus::Confirmed || (side == Side::Buy && trade.status != FillStatus::Failed)
            });
            let (shares, cost) = Self::average_cost(&held);
            gross += cost;
            let shares = shares + self.shares(token, Side::Buy);
            measured.push((format!("position of {token}"), shares, limits.position_cap.0));
            of_market[index / 2] += shares;
        }
        measured.push(("gross".to_owned(), gross, limits.gross_exposure.0));
        // Of each market the first or the second outcome pays; of the event at most one market's first.
        let market = |index: usize, yes: bool| match self.results[index] {
            Some(_) => Decimal::ZERO,
            None => self.loss_of(2 * index, yes) + self.loss_of(2 * index + 1, !yes),
        };
        for (index, shares) in of_market.into_iter().enumerate() {
            measured.push((format!("both outcomes of {index}"), shares, limits.market_cap.0));
            let loss = market(index, true).max(market(index, false));
            measured.push((format!("loss of {index}"), loss, limits.market_loss.0));
        }
        let winners = [[false, false], [true, false], [false, true]];
        let possible = if self.results.contains(&Some(true)) { 1 } else { winners.len() };
        let group = winners.iter().take(possible).map(|winners| market(0, winners[0]) + market(1, winners[1]));
        measured.push((EVENT_LOSS.to_owned(), group.fold(Decimal::ZERO, Decimal::max), limits.group_loss.0));
        for name in STRATEGIES {
            measured.push((format!("exposure of {name}"), self.exposure(name), limits.strategy_exposure.0));
        }
        let alive = self.orders.iter().filter(|order| order.alive).count();
        measured.push(("open orders".to_owned(), alive.into(), limits.open_orders.into()));
        measured.push(("cash".to_owned(), self.spent(), self.cash));
        measured
    }

    /// A strategy's, without tokens of which something was sold or that have a result: exact while nobody sells.
    fn exposure(&self, name: &str) -> Decimal {
        let sold = |token: &TokenId| {
            let of_token = |trade: &&Trade| self.orders[trade.order].intent.token == *token;
            self.trades.iter().filter(of_token).any(|trade| self.orders[trade.order].intent.side == Side::Sell)
        };
        let over = |token: &TokenId| (0..TOKENS.len()).any(|n| TOKENS[n] == token.as_str() && self.payout(n).is_some());
        let bought = self.trades.iter().filter(|trade| {
            let intent = &self.orders[trade.order].intent;
            let own = intent.strategy.as_str() == name && intent.side == Side::Buy;
            own && trade.status != FillStatus::Failed && !sold(&intent.token) && !over(&intent.token)
        });
        let cost = |trade: &Trade| trade.size * trade.price + Self::fee(trade.price, trade.size);
        self.buying(|intent| intent.strategy.as_str() == name) + bought.map(cost).sum::<Decimal>()
    }

    fn rates(&self) {
        let limits = &self.limits;
        let lately =
            |(passed_at, _): &&(Timestamp, OrderIntent)| at(self.now).since(*passed_at) <= Duration::from_mins(1);
        let all: Vec<_> = self.approved.iter().filter(lately).collect();
        assert!(all.len() <= limits.account_rate as usize);
        for name in STRATEGIES {
            let own = all.iter().filter(|(_, intent)| intent.strategy.as_str() == name).count();
            assert!(own <= limits.strategy_rate as usize);
        }
    }

    pub(super) fn fee(price: Decimal, size: Decimal) -> Decimal {
        market_of_tests().fee.taker_fee(Price(price), Size(size)).0
    }

    /// pUSD gone or bound, when no sale that is provisional settles.
    fn spent(&self) -> Decimal {
        let paid = |trade: &Trade| {
            let (value, fee) = (trade.size * trade.price, Self::fee(trade.price, trade.size));
            match (self.orders[trade.order].intent.side, trade.status) {
                (_, FillStatus::Failed) => Decimal::ZERO,
                (Side::Buy, _) => value + fee,
                (Side::Sell, FillStatus::Confirmed) => fee - value,
                (Side::Sell, _) => Decimal::ZERO,
            }
        };
        self.trades.iter().map(paid).sum::<Decimal>() + self.buying(|_| true)
    }

    /// Equity from scratch: the cash that moved, and what a result pays or the bids take for what is held; or not known, when a book is too old.
    fn equity(&self) {
        let mut total = Decimal::ZERO;
        let mut known = true;
        for index in 0..TOKENS.len() {
            let [cash, shares, _] = self.booked(index);
            let payout = self.payout(index);
            known &= shares.is_zero() || payout.is_some() || self.now - self.priced[index] <= 5_000;
            let of_book = references::of_book(shares, self.bids[index].0, self.bids[index].1);
            total += cash + payout.map_or(of_book, |payout| shares * payout);
        }
        let desk = self.desk.equity(at(self.now));
        assert_eq!(desk.is_ok(), known, "{desk:?}");
        if let Ok(equity) = desk {
            assert!((equity.current.0 - total).abs() < dec!(0.000001), "{} is {total}", equity.current);
        }
    }
}
