//! No sequence of signals, fills, failures, cancels, price moves, results and changed limits exceeds a limit, and each control has its say
//! in some of them. The desk is asked, since it is the authority; what
//! it may have at stake is counted from the venue's own record, from scratch, after every step.

mod audit;

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::test_runner::TestRunner;

use super::*;
use crate::domain::params::RISK;

const TOKENS: [&str; 4] = ["1", "2", "3", "4"];
const STRATEGIES: [&str; 2] = ["momentum", "weather"];
const AGE: Duration = Duration::from_secs(3);
const MARK_AGE: Duration = Duration::from_secs(5);

fn tight() -> Limits {
    Limits {
        order_size: Size(dec!(60)),
        order_notional: Usd(dec!(40)),
        price_collar: dec!(0.30),
        position_cap: Size(dec!(90)),
        market_loss: Usd(dec!(50)),
        group_loss: Usd(dec!(70)),
        strategy_exposure: Usd(dec!(60)),
        gross_exposure: Usd(dec!(90)),
        open_orders: 4,
        strategy_rate: 4,
        account_rate: 6,
        repeated_executions: 2,
        repeated_window: Duration::from_mins(5),
        daily_loss: Usd(dec!(15)),
        daily_drawdown: Usd(dec!(20)),
        rolling_loss: Usd(dec!(18)),
        data_age: AGE,
        mark_age: MARK_AGE,
        ..limits()
    }
}

/// What a poor and a rich account have: one meets the balance first, the other the limits on what is at stake.
const CASH: [Decimal; 2] = [dec!(50), dec!(200)];

/// What the gross exposure is tightened to for a while.
const LESS: &str = "40";

/// The controls that deny in some of the sequences; the others need what these have not: a clock that runs out, an older epoch, the same
/// order at once. A loss beyond its limit is denied by the trading state first, and kills.
const DENIES: [Control; 17] = [
    Control::TradingState,
    Control::StrategyHalt,
    Control::Market,
    Control::StaleData,
    Control::OrderSize,
    Control::OrderNotional,
    Control::PriceCollar,
    Control::SelfMatch,
    Control::OrderRate,
    Control::RepeatedExecution,
    Control::OpenOrders,
    Control::PositionCap,
    Control::MarketLoss,
    Control::GroupLoss,
    Control::StrategyExposure,
    Control::GrossExposure,
    Control::Balance,
];

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
    Price { token: usize, cents: i64 },
    Fall(i64),
    Wait(i64),
    Hear,
    Arm,
    Limit { tighter: bool, durable: bool },
    Resolve { market: usize, first: bool },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let size = prop_oneof![4 => 400_i64..3_000, 1 => 3_000_i64..6_500];
    let one = prop_oneof![
        18 => (0..2_usize, 0..4_usize, prop::bool::weighted(0.85), 20_i64..80, size)
            .prop_map(|(strategy, token, buy, cents, size)| Move::Want { strategy, token, buy, cents, size }),
        5 => (any::<usize>(), 0..4_u8).prop_map(|(order, how)| Move::Answer { order, how }),
        6 => (any::<usize>(), 1..=100_i64, 0..5_i64, any::<bool>())
            .prop_map(|(order, percent, better, told)| Move::Match { order, percent, better, told }),
        2 => any::<usize>().prop_map(Move::Tell),
        5 => (any::<usize>(), prop::bool::weighted(0.3)).prop_map(|(trade, fails)| Move::Settle { trade, fails }),
        2 => any::<usize>().prop_map(Move::Cancel),
        3 => (0..4_usize, 5_i64..90).prop_map(|(token, cents)| Move::Price { token, cents }),
        1 => (1_i64..30).prop_map(Move::Fall),
        3 => (0..5_000_i64).prop_map(Move::Wait),
        5 => Just(Move::Hear),
        1 => Just(Move::Arm),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(tighter, durable)| Move::Limit { tighter, durable }),
        1 => (0..2_usize, any::<bool>()).prop_map(|(market, first)| Move::Resolve { market, first }),
    ];
    prop::collection::vec(one, 1..36)
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
    bids: [i64; 4],
    /// When each token's book was heard last.
    priced: [i64; 4],
    orders: Vec<Known>,
    trades: Vec<Trade>,
    approved: Vec<(Timestamp, OrderIntent)>,
    wishes: u64,
    epoch: u64,
    armed_at: Timestamp,
    cash: Decimal,
    /// Which outcome pays, once that is known.
    results: [Option<bool>; 2],
    /// The most that may be at stake: what was when the limit was tightened below it, until that is less.
    most: Decimal,
    /// When equity was last measured, how often in a row the drawdown was beyond its limit then, and the kills so far.
    looked: i64,
    beyond: u32,
    kills: u32,
    denied: BTreeMap<Control, u32>,
}

impl World {
    fn new(cash: Decimal) -> Self {
        let opening = correction(Asset::Usd, "account".into(), cash, balances::OPENING.into(), at(0));
        let (mut desk, _) = restored_within(tight(), Memory { corrections: vec![opening], ..Memory::default() });
        desk.purse.counted(&[unbounded()]);
        ready(&mut desk);
        for market in event() {
            desk.on_data(PolymarketData::Market(market), at(1));
        }
        let mut world = Self {
            desk,
            now: 1_000,
            bids: [48; 4],
            priced: [0; 4],
            orders: Vec::new(),
            trades: Vec::new(),
            approved: Vec::new(),
            wishes: 0,
            epoch: 1,
            armed_at: at(0),
            cash,
            results: [None; 2],
            most: tight().gross_exposure.0,
            looked: 1_000,
            beyond: 0,
            kills: 0,
            denied: BTreeMap::new(),
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
        let level = |cents| vec![Level { price: Price(Decimal::new(cents, 2)), size: Size(dec!(1000)) }];
        let book = Book {
            heard_at: None,
            market: event()[token / 2].market.clone(),
            token: TOKENS[token].into(),
            bids: level(self.bids[token]),
            asks: level(self.bids[token] + 2),
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
            Move::Price { token, cents } => {
                self.bids[token] = cents;
                self.publish(token);
            }
            Move::Fall(cents) => {
                self.bids = [cents; 4];
                // For longer than a loss must last to kill.
                for _ in 0..=tight().drawdown_confirmations {
                    self.now += 1_000;
                    self.hear();
                    self.tick();
                }
            }
            Move::Wait(millis) => {
                self.now += millis;
                self.tick();
            }
            Move::Hear => self.hear(),
            Move::Arm => {
                self.epoch += 1;
                self.armed_at = at(self.now);
                self.beyond = 0;
                self.desk.on_latch(latch(self.epoch, KillState::Armed), at(self.now));
            }
            Move::Limit { tighter, durable } => self.limit(tighter, durable),
            Move::Resolve { market, first } => self.resolve(market, first),
            Move::Tell(_) | Move::Settle { .. } | Move::Cancel(_) => {}
        }
    }

    /// A loss that was beyond its limit as often as that must be seen kills then, and not before.
    fn tick(&mut self) {
        let step = self.desk.on_tick(at(self.now));
        if self.now - self.looked < 1_000 {
            return;
        }
        self.looked = self.now;
        let total = self.desk.total(at(self.now));
        let lost = self.desk.losses(at(self.now)).is_some_and(|losses| losses.drawdown() > tight().daily_drawdown);
        if lost {
            self.beyond += 1;
        } else if total.known.is_some() {
            self.beyond = 0;
        }
        let killed = |effect: &&Effect| matches!(effect, Effect::Kill(why) if why.starts_with("daily_drawdown"));
        let killed = step.urgent.iter().any(|effect| killed(&effect));
        assert_eq!(killed, self.beyond == tight().drawdown_confirmations, "{} looks at a loss", self.beyond);
        self.kills += u32::from(killed);
    }

    fn limit(&mut self, tighter: bool, durable: bool) {
        let wide = tight().gross_exposure.to_string();
        let changes = [("gross_exposure".to_owned(), if tighter { LESS.to_owned() } else { wide })].into();
        let action = Action::SetParams {
            strategy: RISK.into(),
            expected: None,
            changes,
            why: "a test".into(),
            confirm: !tighter,
        };
        let id = format!("c{}", self.desk.limits_version());
        let (actor, now) = ("cli:alice".into(), at(self.now));
        let command = Command { id, actor, issued_at: now, expires_at: now, action };
        let before = self.gross();
        if let Err(reasons) = self.desk.change_limits(&command, now) {
            assert!(reasons[0].contains("wait for the ledger"), "{reasons:?}");
        }
        if durable {
            self.desk.limits_durable(self.desk.limits_version());
        }
        self.most = self.in_force().max(before);
    }

    fn in_force(&self) -> Decimal {
        self.desk.gate.limits().gross_exposure.0
    }

    /// The venue ends a market: its orders are gone, and one outcome pays.
    fn resolve(&mut self, market: usize, first: bool) {
        if self.results[market].is_some() || (first && self.results[1 - market] == Some(true)) {
            return;
        }
        for order in 0..self.orders.len() {
            if self.orders[order].alive && self.orders[order].intent.market == event()[market].market {
                self.orders[order].alive = false;
                self.show(order, VenueOrderStatus::Cancelled);
            }
        }
        self.results[market] = Some(first);
        let pays = |pays: bool| Price(if pays { Decimal::ONE } else { Decimal::ZERO });
        let resolved = Market { payouts: Some([pays(first), pays(!first)]), ..event()[market].clone() };
        self.desk.on_data(PolymarketData::Market(resolved), at(self.now));
    }

    fn payout(&self, token: usize) -> Option<Decimal> {
        let first = self.results[token / 2]?;
        Some(if first == token.is_multiple_of(2) { Decimal::ONE } else { Decimal::ZERO })
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
            let control = step.effects().find_map(|effect| match effect {
                Effect::Emit(event) => match event.as_ref() {
                    TradeEvent::Denied { denial, .. } => Some(denial.control),
                    _ => None,
                },
                _ => None,
            });
            if let Some(control) = control {
                *self.denied.entry(control).or_default() += 1;
            }
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
}

#[test]
fn no_sequence_of_events_exceeds_a_limit_and_each_control_has_its_say() {
    let config = ProptestConfig {
        cases: 10_000,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let (denied, kills) = (RefCell::new(BTreeMap::<Control, u32>::new()), RefCell::new(0));
    let played = TestRunner::new(config).run(&(0..CASH.len(), moves()), |(account, moves)| {
        let mut world = World::new(CASH[account]);
        for step in &moves {
            world.play(step);
            world.audit();
        }
        *kills.borrow_mut() += world.kills;
        for (control, times) in world.denied {
            *denied.borrow_mut().entry(control).or_default() += times;
        }
        Ok(())
    });
    played.unwrap_or_else(|failure| panic!("{failure}"));
    let denied = denied.into_inner();
    let silent: Vec<Control> = DENIES.into_iter().filter(|control| !denied.contains_key(control)).collect();
    assert_eq!(silent, [], "never denied; the others: {denied:?}");
    assert!(kills.into_inner() > 0, "no loss has killed");
}
