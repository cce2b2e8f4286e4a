//! No sequence of signals, fills, failures, cancels and price moves exceeds a limit. The desk is asked, since it is the authority; what
//! it may have at stake is counted from the venue's own record, from scratch, after every step.

use super::*;

const TOKENS: [&str; 4] = ["1", "2", "3", "4"];
const STRATEGIES: [&str; 2] = ["momentum", "weather"];
const AGE: Duration = Duration::from_secs(3);

fn tight() -> Limits {
    Limits {
        order_size: Size(dec!(60)),
        order_notional: Usd(dec!(40)),
        price_collar: dec!(0.30),
        position_cap: Size(dec!(90)),
        market_cap: Size(dec!(120)),
        market_loss: Usd(dec!(40)),
        group_loss: Usd(dec!(55)),
        strategy_exposure: Usd(dec!(45)),
        gross_exposure: Usd(dec!(65)),
        open_orders: 4,
        strategy_rate: 5,
        account_rate: 8,
        repeated_executions: 3,
        repeated_window: Duration::from_mins(5),
        daily_loss: Usd(dec!(15)),
        daily_drawdown: Usd(dec!(20)),
        rolling_loss: Usd(dec!(18)),
        data_age: AGE,
        mark_age: AGE,
        ..limits()
    }
}

/// What the account has.
const CASH: Decimal = dec!(75);

/// Two markets of one event.
fn event() -> [Market; 2] {
    let outcome = |token: &str| OutcomeToken { token: token.into(), outcome: token.into() };
    let of = |market: &str, tokens: [&str; 2]| Market {
        market: market.into(),
        tokens: tokens.map(outcome),
        neg_risk: true,
        group: Some("event".into()),
        ..market_of_tests()
    };
    [of("0xm", ["1", "2"]), of("0xn", ["3", "4"])]
}

fn market_of_tests() -> Market {
    super::market()
}

#[derive(Clone, Debug)]
enum Move {
    Want { strategy: usize, token: usize, buy: bool, cents: i64, size: i64 },
    Answer { order: usize, how: u8 },
    Match { order: usize, percent: i64, better: i64, told: bool },
    Tell(usize),
    Settle { trade: usize, fails: bool },
    Cancel(usize),
    Price { token: usize, cents: i64, depth: i64 },
    Wait(i64),
    Hear,
    Arm,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        10 => (0..2_usize, 0..4_usize, prop::bool::weighted(0.75), 20_i64..80, 400_i64..6_500)
            .prop_map(|(strategy, token, buy, cents, size)| Move::Want { strategy, token, buy, cents, size }),
        5 => (any::<usize>(), 0..4_u8).prop_map(|(order, how)| Move::Answer { order, how }),
        6 => (any::<usize>(), 1..=100_i64, 0..5_i64, any::<bool>())
            .prop_map(|(order, percent, better, told)| Move::Match { order, percent, better, told }),
        2 => any::<usize>().prop_map(Move::Tell),
        5 => (any::<usize>(), prop::bool::weighted(0.3)).prop_map(|(trade, fails)| Move::Settle { trade, fails }),
        2 => any::<usize>().prop_map(Move::Cancel),
        3 => (0..4_usize, 5_i64..90, prop_oneof![4 => Just(1_000_i64), 1 => 0_i64..60])
            .prop_map(|(token, cents, depth)| Move::Price { token, cents, depth }),
        2 => (0..5_000_i64).prop_map(Move::Wait),
        5 => Just(Move::Hear),
        1 => Just(Move::Arm),
    ];
    prop::collection::vec(one, 1..26)
}

#[derive(Clone, Debug)]
struct Trade {
    id: String,
    order: usize,
    size: Decimal,
    price: Decimal,
    status: FillStatus,
    told: bool,
    at: Timestamp,
}

#[derive(Clone, Debug)]
struct Known {
    intent: OrderIntent,
    /// May still trade at the venue.
    alive: bool,
    answered: bool,
    matched: Decimal,
}

/// The venue as it is, and the desk that should know better than to exceed a limit there.
struct World {
    desk: Desk,
    now: i64,
    /// Each token's best bid in cents, and the shares that are wanted at it and, three cents below, at the next one.
    bids: [(i64, i64); 4],
    /// When each token's book was heard last.
    priced: [i64; 4],
    orders: Vec<Known>,
    trades: Vec<Trade>,
    approved: Vec<(Timestamp, OrderIntent)>,
    wishes: u64,
    epoch: u64,
    armed_at: Timestamp,
}

impl World {
    fn new() -> Self {
        let opening = opening(Asset::Usd, "account".into(), (CASH, Usd::ZERO), at(0));
        let (mut desk, _) = restored(Memory { corrections: vec![opening], ..Memory::default() });
        desk.gate = RiskGate::new(tight());
        ready(&mut desk);
        for market in event() {
            desk.on_data(PolymarketData::Market(market), at(1));
        }
        let mut world = Self {
            desk,
            now: 1_000,
            bids: [(48, 1_000); 4],
            priced: [0; 4],
            orders: Vec::new(),
            trades: Vec::new(),
            approved: Vec::new(),
            wishes: 0,
            epoch: 1,
            armed_at: at(0),
        };
        world.hear();
        world.desk.on_tick(at(1_000));
        world
    }

    fn hear(&mut self) {
        for token in 0..TOKENS.len() {
            self.publish(token);
        }
    }

    fn publish(&mut self, token: usize) {
        let (bid, depth) = self.bids[token];
        let level = |cents, size: i64| Level { price: Price(Decimal::new(cents, 2)), size: Size(size.into()) };
        let bids = [level(bid, depth), level(bid - 3, depth)];
        let book = Book {
            heard_at: None,
            market: event()[token / 2].market.clone(),
            token: TOKENS[token].into(),
            bids: bids.into_iter().filter(|level| !level.size.is_zero()).collect(),
            asks: vec![level(bid + 2, 1_000)],
            event_at: at(self.now),
            received_at: at(self.now),
        };
        self.desk.on_data(PolymarketData::Book(book), at(self.now));
        self.priced[token] = self.now;
    }

    fn play(&mut self, step: &Move) {
        match *step {
            Move::Want { strategy, token, buy, cents, size } => self.want(strategy, token, buy, cents, size),
            Move::Answer { order, how } => self.answer(order, how),
            Move::Match { order, percent, better, told } => self.matched(order, percent, better, told),
            Move::Tell(trade) if !self.trades.is_empty() => self.tell(trade % self.trades.len()),
            Move::Settle { trade, fails } if !self.trades.is_empty() => {
                let trade = trade % self.trades.len();
                if !self.trades[trade].status.is_final() {
                    self.trades[trade].status = if fails { FillStatus::Failed } else { FillStatus::Confirmed };
                    self.tell(trade);
                }
            }
            Move::Cancel(order) if !self.orders.is_empty() => {
                let order = order % self.orders.len();
                if self.orders[order].alive {
                    self.orders[order].alive = false;
                    self.show(order, VenueOrderStatus::Cancelled);
                }
            }
            Move::Price { token, cents, depth } => {
                self.bids[token] = (cents, depth);
                self.publish(token);
            }
            Move::Wait(millis) => {
                self.now += millis;
                self.desk.on_tick(at(self.now));
            }
            Move::Hear => self.hear(),
            Move::Arm => {
                self.epoch += 1;
                self.armed_at = at(self.now);
                self.desk.on_latch(latch(self.epoch, KillState::Armed), at(self.now));
            }
            Move::Tell(_) | Move::Settle { .. } | Move::Cancel(_) => {}
        }
    }

    fn want(&mut self, strategy: usize, token: usize, buy: bool, cents: i64, size: i64) {
        self.wishes += 1;
        let name = format!("w{}", self.wishes);
        let wanted = OrderIntent {
            strategy: STRATEGIES[strategy].into(),
            market: event()[token / 2].market.clone(),
            token: TOKENS[token].into(),
            side: if buy { Side::Buy } else { Side::Sell },
            price: Price(Decimal::new(cents, 2)),
            size: Size(Decimal::new(size, 2)),
            tick_received_at: at(self.now),
            created_at: at(self.now),
            deadline: at(self.now + 2_000),
            rest_until: at(self.now + 3_600_000),
            epoch: self.epoch,
            ..intent(&name, TimeInForce::Gtc)
        };
        let (stale, beyond) = (self.now - self.priced[token] > 3_000, self.is_beyond());
        let step = self.desk.on_entry(&entry(self.wishes, wanted.clone()), &sign, at(self.now));
        if posts(&step).is_empty() {
            return;
        }
        assert!(!(buy && stale), "a purchase on data {} ms old", self.now - self.priced[token]);
        assert!(!(buy && beyond), "a purchase although a loss is beyond its limit");
        assert!(wanted.size <= tight().order_size && wanted.price.notional(wanted.size) <= tight().order_notional);
        let halted = self.repeats(&wanted) >= tight().repeated_executions as usize;
        assert!(!halted, "one more of the same than is allowed");
        self.approved.push((at(self.now), wanted.clone()));
        self.desk.clear_to_send(&key(&name), at(self.now)).expect("nothing has changed");
        self.orders.push(Known { intent: wanted, alive: true, answered: false, matched: Decimal::ZERO });
    }

    fn answer(&mut self, order: usize, how: u8) {
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
        self.desk.on_posted(&(id, 1), answer, Some(at(self.now)), at(self.now));
    }

    fn matched(&mut self, order: usize, percent: i64, better: i64, told: bool) {
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
        let status = if known.alive { VenueOrderStatus::Live } else { VenueOrderStatus::Matched };
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
            self.show(order, status);
        }
    }

    fn show(&mut self, order: usize, status: VenueOrderStatus) {
        let Known { intent, matched, .. } = &self.orders[order];
        let seen = VenueOrder {
            market: intent.market.clone(),
            token: intent.token.clone(),
            side: intent.side,
            price: intent.price,
            size: intent.size,
            ..venue_order(intent.intent.as_str(), status, Some(*matched))
        };
        self.desk.on_user_event(UserEvent::Order(seen), at(self.now));
    }

    fn tell(&mut self, trade: usize) {
        self.trades[trade].told = true;
        let Trade { id, order, size, price, status, at: matched_at, .. } = self.trades[trade].clone();
        let intent = &self.orders[order].intent;
        let fill = VenueFill {
            market: intent.market.clone(),
            token: intent.token.clone(),
            side: intent.side,
            price: Price(price),
            matched_at,
            ..venue_fill(intent.intent.as_str(), &id, size, status)
        };
        self.desk.on_user_event(UserEvent::Fill(fill), at(self.now));
    }

    fn repeats(&self, wanted: &OrderIntent) -> usize {
        let like = |(passed_at, passed): &&(Timestamp, OrderIntent)| {
            let same = (&passed.strategy, &passed.token, passed.side) == (&wanted.strategy, &wanted.token, wanted.side);
            same && *passed_at > self.armed_at && at(self.now).since(*passed_at) < tight().repeated_window
        };
        self.approved.iter().filter(like).count()
    }

    /// Whether a loss that the desk measures is beyond its limit.
    fn is_beyond(&self) -> bool {
        let limits = tight();
        self.desk.equity(at(self.now)).map_or(true, |equity| {
            equity.day_loss() > limits.daily_loss
                || equity.drawdown() > limits.daily_drawdown
                || equity.rolling_loss() > limits.rolling_loss
        })
    }

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
    fn audit(&self) {
        // Each fill's fee is rounded by itself.
        let (limits, slack) = (tight(), dec!(0.001));
        let within =
            |what: &str, value: Decimal, limit: Decimal| assert!(value <= limit + slack, "{what}: {value} of {limit}");
        let mut gross = self.buying(|_| true);
        let mut of_market = [Decimal::ZERO; 2];
        let mut of_strategy = STRATEGIES.map(|name| self.buying(|intent| intent.strategy.as_str() == name));
        for (index, token) in TOKENS.into_iter().enumerate() {
            let held = self.lots(token, |trade, side| {
                trade.status == FillStatus::Confirmed || (side == Side::Buy && trade.status != FillStatus::Failed)
            });
            let (shares, cost) = Self::average_cost(&held);
            gross += cost;
            let buying = self.open(
                |intent| intent.token.as_str() == token,
                |side, size, _| {
                    if side == Side::Buy { size } else { Decimal::ZERO }
                },
            );
            within("position", shares + buying, limits.position_cap.0);
            of_market[index / 2] += shares + buying;
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
                if !sold {
                    of_strategy[index] += bought
                        .map(|trade| trade.size * trade.price + Self::fee(trade.price, trade.size))
                        .sum::<Decimal>();
                }
            }
        }
        within("gross", gross, limits.gross_exposure.0);
        for shares in of_market {
            within("both outcomes", shares, limits.market_cap.0);
        }
        for exposure in of_strategy {
            within("strategy", exposure, limits.strategy_exposure.0);
        }
        // Of each market the first or the second outcome pays; of the event at most one market's first.
        let market = |index: usize, yes: bool| self.loss_of(2 * index, yes) + self.loss_of(2 * index + 1, !yes);
        for index in 0..2 {
            within("market", market(index, true).max(market(index, false)), limits.market_loss.0);
        }
        for winners in [[false, false], [true, false], [false, true]] {
            within("group", market(0, winners[0]) + market(1, winners[1]), limits.group_loss.0);
        }
        let alive = self.orders.iter().filter(|order| order.alive).count();
        assert!(alive <= limits.open_orders as usize, "{alive} orders are open");
        within("cash", self.spent(), CASH);
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
        self.trades.iter().map(paid).sum::<Decimal>() + self.buying(|_| true)
    }

    /// Equity from scratch: the cash that moved, and what the bids take of what is held; or not known, when a book is too old.
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
            known &= shares.is_zero() || self.now - self.priced[index] <= 3_000;
            let (bid, depth) = (Decimal::new(self.bids[index].0, 2), Decimal::from(self.bids[index].1));
            let first = shares.min(depth);
            total += first * bid + (shares - first).min(depth) * (bid - dec!(0.03));
        }
        let desk = self.desk.equity(at(self.now));
        assert_eq!(desk.is_ok(), known, "{desk:?}");
        if let Ok(equity) = desk {
            assert!((equity.current.0 - total).abs() < dec!(0.000001), "{} is {total}", equity.current);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_events_exceeds_a_limit(moves in moves()) {
        let mut world = World::new();
        for step in &moves {
            world.play(step);
            world.audit();
        }
    }
}
