//! Every limit, from scratch, against the venue's own record.

use super::*;

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

    /// Shares and their cost at average, from scratch.
    fn average_cost(lots: &[(Side, Decimal, Decimal)]) -> (Decimal, Decimal) {
        lots.iter().fold((Decimal::ZERO, Decimal::ZERO), |(shares, cost), (side, size, price)| match side {
            Side::Buy => (shares + size, cost + size * price),
            Side::Sell => (shares - size, cost - cost * size / shares),
        })
    }

    /// What could be lost by this order or fill if `winner` pays, when it comes to be and it hurts.
    fn hurts(side: Side, size: Decimal, price: Decimal, pays: bool) -> Decimal {
        let bought = size * price - if pays { size } else { Decimal::ZERO };
        (if side == Side::Buy { bought } else { -bought }).max(Decimal::ZERO)
    }

    fn loss_of(&self, token: usize, pays: bool) -> Decimal {
        let settled = self.lots(TOKENS[token], |trade, _| trade.status == FillStatus::Confirmed);
        let firm: Decimal = settled
            .iter()
            .map(|(side, size, price)| {
                let bought = size * price - if pays { *size } else { Decimal::ZERO };
                if *side == Side::Buy { bought } else { -bought }
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

    fn notional(&self, of: impl Fn(&OrderIntent) -> bool) -> Decimal {
        self.open(of, |side, size, price| if side == Side::Buy { size * price } else { Decimal::ZERO })
    }

    /// What is at stake in markets that have no result.
    pub(super) fn gross(&self) -> Decimal {
        let open = (0..TOKENS.len()).filter(|token| self.payout(*token).is_none());
        let costs = open.map(|token| Self::average_cost(&self.bought(TOKENS[token])).1);
        self.notional(|_| true) + costs.sum::<Decimal>()
    }

    /// What may have been bought, without sales that may come back.
    fn bought(&self, token: &str) -> Vec<(Side, Decimal, Decimal)> {
        self.lots(token, |trade, side| {
            trade.status == FillStatus::Confirmed || (side == Side::Buy && trade.status != FillStatus::Failed)
        })
    }

    /// Every limit against the venue's record.
    pub(super) fn audit(&mut self) {
        let (limits, slack) = (tight(), dec!(0.00001));
        let within =
            |what: &str, value: Decimal, limit: Decimal| assert!(value <= limit + slack, "{what}: {value} of {limit}");
        let mut of_strategy = STRATEGIES.map(|name| self.notional(|intent| intent.strategy.as_str() == name));
        for (place, token) in TOKENS.into_iter().enumerate() {
            let shares = Self::average_cost(&self.bought(token)).0;
            let buying = self.open(
                |intent| intent.token.as_str() == token,
                |side, size, _| {
                    if side == Side::Buy { size } else { Decimal::ZERO }
                },
            );
            within("position", shares + buying, limits.position_cap.0);
            let certain = self.lots(token, |trade, side| {
                trade.status == FillStatus::Confirmed || (side == Side::Sell && trade.status != FillStatus::Failed)
            });
            let certain: Decimal =
                certain.iter().map(|(side, size, _)| if *side == Side::Buy { *size } else { -*size }).sum();
            let selling = self.open(
                |intent| intent.token.as_str() == token,
                |side, size, _| {
                    if side == Side::Sell { size } else { Decimal::ZERO }
                },
            );
            assert!(certain - selling >= -slack, "{selling} of {token} on sale, {certain} certain");
            for (index, name) in STRATEGIES.iter().enumerate() {
                let bought = self.trades.iter().filter(|trade| {
                    let intent = &self.orders[trade.order].intent;
                    let own = intent.strategy.as_str() == *name && intent.token.as_str() == token;
                    own && intent.side == Side::Buy && trade.status != FillStatus::Failed
                });
                // Without its sales: an upper bound that is exact while nobody sells.
                let sold = self.trades.iter().any(|trade| {
                    let intent = &self.orders[trade.order].intent;
                    intent.token.as_str() == token && intent.side == Side::Sell
                });
                if !sold && self.payout(place).is_none() {
                    of_strategy[index] += bought.map(|trade| trade.size * trade.price).sum::<Decimal>();
                }
            }
        }
        let gross = self.gross();
        within("gross", gross, self.most);
        self.most = self.in_force().max(gross.min(self.most));
        for exposure in of_strategy {
            within("strategy", exposure, limits.strategy_exposure.0);
        }
        // Of each market the first or the second outcome pays; of the event at most one market's first.
        let market = |index: usize, yes: bool| match self.results[index] {
            Some(_) => Decimal::ZERO,
            None => self.loss_of(2 * index, yes) + self.loss_of(2 * index + 1, !yes),
        };
        let decided = self.results.contains(&Some(true));
        for index in 0..2 {
            within("market", market(index, true).max(market(index, false)), limits.market_loss.0);
        }
        for winners in [[false, false], [true, false], [false, true]].into_iter().take(if decided { 1 } else { 3 }) {
            within("group", market(0, winners[0]) + market(1, winners[1]), limits.group_loss.0);
        }
        let alive = self.orders.iter().filter(|order| order.alive).count();
        assert!(alive <= limits.open_orders as usize, "{alive} orders are open");
        within("cash", self.spent(), self.cash);
        self.rates(&limits);
        self.equity();
    }

    fn rates(&self, limits: &Limits) {
        let lately =
            |(passed_at, _): &&(Timestamp, OrderIntent)| at(self.now).since(*passed_at) <= Duration::from_mins(1);
        let all: Vec<_> = self.approved.iter().filter(lately).collect();
        assert!(all.len() <= limits.account_rate as usize);
        for name in STRATEGIES {
            let own = all.iter().filter(|(_, intent)| intent.strategy.as_str() == name).count();
            assert!(own <= limits.strategy_rate as usize);
        }
    }

    fn fee(price: Decimal, size: Decimal) -> Decimal {
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
        let open = self.open(
            |_| true,
            |side, size, price| {
                if side == Side::Buy { size * price + Self::fee(price, size) } else { Decimal::ZERO }
            },
        );
        self.trades.iter().map(paid).sum::<Decimal>() + open
    }

    /// Equity from scratch: the cash that moved, and what is held at its bid; or not known, when a bid is missing or too old.
    fn equity(&self) {
        let told: Vec<&Trade> =
            self.trades.iter().filter(|trade| trade.told && trade.status != FillStatus::Failed).collect();
        let mut total = Decimal::ZERO;
        let mut known = true;
        for (index, token) in TOKENS.iter().enumerate() {
            let of_token = told.iter().filter(|trade| self.orders[trade.order].intent.token.as_str() == *token);
            let mut shares = Decimal::ZERO;
            for trade in of_token {
                let sign = if self.orders[trade.order].intent.side == Side::Buy { dec!(1) } else { dec!(-1) };
                total -= sign * trade.size * trade.price + Self::fee(trade.price, trade.size);
                shares += sign * trade.size;
            }
            let payout = self.payout(index);
            known &= shares.is_zero() || payout.is_some() || at(self.now).since(at(self.priced[index])) <= MARK_AGE;
            total += shares * payout.unwrap_or(Decimal::new(self.bids[index], 2));
        }
        let desk = self.desk.equity(at(self.now));
        assert_eq!(desk.is_ok(), known, "{desk:?}");
        if let Ok(equity) = desk {
            assert!((equity.current.0 - total).abs() < dec!(0.000001), "{} is {total}", equity.current);
        }
    }
}
