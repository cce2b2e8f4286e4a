//! No sequence of signals, fills, failures, cancels, price moves and tightenings exceeds a limit. The desk is asked, since it is the authority; what
//! it may have at stake is counted from the venue's own record, from scratch, after every step.

use super::*;
mod measured;

use std::collections::BTreeMap;

use crate::domain::params::{Params, RISK};

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
        mark_age: Duration::from_secs(5),
        ..limits()
    }
}

/// Each fill's fee is rounded by itself.
const SLACK: Decimal = dec!(0.001);

/// Puts limits in force, as a person does.
fn set(desk: &mut Desk, limits: &Limits, now: i64) -> Step {
    let action = Action::SetParams {
        strategy: RISK.into(),
        expected: None,
        changes: limits.texts(),
        why: "a quiet night".into(),
        confirm: true,
    };
    let id = format!("limits {}", desk.limits_version());
    let command = Command { id, actor: "cli:alice".into(), issued_at: at(now), expires_at: at(now), action };
    let step = desk.change_limits(&command, at(now)).expect("tighter");
    desk.limits_durable(desk.limits_version());
    step
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
    Tighten { which: usize, percent: i64 },
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
        1 => (0..7_usize, 30_i64..100).prop_map(|(which, percent)| Move::Tighten { which, percent }),
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
    limits: Limits,
    /// What was beyond its limit when that was tightened, and may only fall.
    beyond: BTreeMap<String, Decimal>,
    epoch: u64,
    armed_at: Timestamp,
}

impl World {
    fn new() -> Self {
        let opening = opening(Asset::Usd, "account".into(), (CASH, Usd::ZERO), at(0));
        let (mut desk, _) = restored(Memory { corrections: vec![opening], ..Memory::default() });
        ready(&mut desk);
        set(&mut desk, &tight(), 0);
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
            limits: tight(),
            beyond: BTreeMap::new(),
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
                let step = self.desk.on_tick(at(self.now));
                self.cancelled(&step);
            }
            Move::Hear => self.hear(),
            Move::Arm => {
                self.epoch += 1;
                self.armed_at = at(self.now);
                self.desk.on_latch(latch(self.epoch, KillState::Armed), at(self.now));
            }
            Move::Tighten { which, percent } => self.tighten(which, percent),
            Move::Tell(_) | Move::Settle { .. } | Move::Cancel(_) => {}
        }
    }

    fn tighten(&mut self, which: usize, percent: i64) {
        let part = |value: Decimal| (value * Decimal::new(percent, 2)).round_dp(2);
        let limits = &mut self.limits;
        match which {
            0 => limits.position_cap = Size(part(limits.position_cap.0)),
            1 => limits.market_cap = Size(part(limits.market_cap.0)),
            2 => limits.market_loss = Usd(part(limits.market_loss.0)),
            3 => limits.group_loss = Usd(part(limits.group_loss.0)),
            4 => limits.strategy_exposure = Usd(part(limits.strategy_exposure.0)),
            5 => limits.gross_exposure = Usd(part(limits.gross_exposure.0)),
            _ => limits.open_orders = (limits.open_orders - 1).max(1),
        }
        let step = set(&mut self.desk, &self.limits, self.now);
        self.cancelled(&step);
        let measured = self.measured();
        let mut bare = self.orders.clone();
        for order in &mut bare {
            let known = self.desk.orders.get(&(order.intent.intent.clone(), 1)).map(Tracked::state);
            let rests = matches!(known, Some(OrderState::Live | OrderState::PartiallyFilled));
            order.alive &= !(rests && order.intent.side == Side::Buy);
        }
        let all = std::mem::replace(&mut self.orders, bare);
        let without = self.measured();
        self.orders = all;
        for ((what, value, limit), (_, bare, _)) in measured.into_iter().zip(without) {
            if value > limit + SLACK {
                assert!(
                    value <= bare + SLACK,
                    "{what}: {value} of {limit}, and {bare} without what a cancel takes back"
                );
                self.beyond.insert(what, value);
            }
        }
    }

    /// The venue does what it was asked to.
    fn cancelled(&mut self, step: &Step) {
        let asked = |effect: &Effect| if let Effect::Cancel(orders) = effect { Some(orders.clone()) } else { None };
        for id in step.urgent.iter().filter_map(asked).flatten() {
            let of = |order: &Known| id.as_str() == format!("0x{}", order.intent.intent);
            let order = self.orders.iter().position(of).expect("one of ours");
            if self.orders[order].alive {
                assert_eq!(self.orders[order].intent.side, Side::Buy, "a sale is left alone");
                self.orders[order].alive = false;
                self.show(order, VenueOrderStatus::Cancelled);
            }
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
