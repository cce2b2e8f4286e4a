//! No sequence of signals, fills, failures, cancels, price moves, results, changed limits and restarts exceeds a limit, and each control has
//! its say in some of them. The desk is asked, since it is the authority; what it may have at stake is counted from the venue's own
//! record, from scratch, after every step.

mod changed;
mod measured;
mod references;
mod venue;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use proptest::test_runner::TestRunner;

use measured::EVENT_LOSS;
use references::References;

use super::restore::Paper;
use super::*;
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
        strategy_rate: 4,
        account_rate: 6,
        repeated_executions: 2,
        repeated_window: Duration::from_mins(5),
        daily_loss: Usd(dec!(8)),
        daily_drawdown: Usd(dec!(11)),
        rolling_loss: Usd(dec!(9.5)),
        data_age: AGE,
        mark_age: Duration::from_secs(5),
        ..limits()
    }
}

/// Each fill's fee is rounded by itself.
const SLACK: Decimal = dec!(0.001);

/// What a poor and a rich account have: one meets the balance first, the other the limits on what is at stake.
const CASH: [Decimal; 2] = [dec!(50), dec!(200)];

/// The controls that deny in some of the sequences.
const DENIES: [Control; 19] = [
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
    Control::MarketCap,
    Control::MarketLoss,
    Control::GroupLoss,
    Control::StrategyExposure,
    Control::GrossExposure,
    Control::Balance,
    Control::DailyLoss,
];

/// The others of the gate's table, each tested with its check: the sequences have no older epoch, no refusal by the venue, nothing that
/// must match at once, no deadline that is missed, no other market, no end of one that is near, and not the same order twice; by equity that is not known the day's loss denies before the other
/// losses do, and by a loss beyond its limit the trading state.
const SILENT: [Control; 9] = [
    Control::ArmEpoch,
    Control::CircuitBreaker,
    Control::Overbuy,
    Control::Deadline,
    Control::AllowList,
    Control::Blackout,
    Control::Duplicate,
    Control::DailyDrawdown,
    Control::RollingLoss,
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
    Want {
        strategy: usize,
        token: usize,
        buy: bool,
        cents: i64,
        size: i64,
    },
    /// The same, and what was approved waits for longer than its data lasts before its bytes may leave.
    Late {
        strategy: usize,
        token: usize,
        cents: i64,
    },
    Answer {
        order: usize,
        how: u8,
    },
    Match {
        order: usize,
        percent: i64,
        better: i64,
        told: bool,
    },
    Tell(usize),
    Settle {
        trade: usize,
        fails: bool,
    },
    Cancel(usize),
    Price {
        token: usize,
        cents: i64,
        depth: i64,
    },
    Fall(i64),
    Sink {
        token: usize,
        cents: i64,
    },
    Wait(i64),
    Hear,
    Arm,
    Tighten {
        which: usize,
        percent: i64,
    },
    Widen {
        durable: bool,
    },
    Resolve {
        market: usize,
        first: bool,
    },
    Restart,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let size = prop_oneof![2 => 400_i64..3_000, 1 => 3_000_i64..6_500];
    let one = prop_oneof![
        16 => (0..2_usize, 0..4_usize, prop::bool::weighted(0.8), 20_i64..80, size)
            .prop_map(|(strategy, token, buy, cents, size)| Move::Want { strategy, token, buy, cents, size }),
        2 => (0..2_usize, 0..4_usize, 20_i64..80)
            .prop_map(|(strategy, token, cents)| Move::Late { strategy, token, cents }),
        5 => (any::<usize>(), 0..4_u8).prop_map(|(order, how)| Move::Answer { order, how }),
        6 => (any::<usize>(), 1..=100_i64, 0..5_i64, any::<bool>())
            .prop_map(|(order, percent, better, told)| Move::Match { order, percent, better, told }),
        2 => any::<usize>().prop_map(Move::Tell),
        5 => (any::<usize>(), prop::bool::weighted(0.3)).prop_map(|(trade, fails)| Move::Settle { trade, fails }),
        2 => any::<usize>().prop_map(Move::Cancel),
        4 => (0..4_usize, 5_i64..90, prop_oneof![4 => Just(1_000_i64), 1 => 0_i64..60])
            .prop_map(|(token, cents, depth)| Move::Price { token, cents, depth }),
        2 => (5_i64..30).prop_map(Move::Fall),
        1 => (0..4_usize, 5_i64..90).prop_map(|(token, cents)| Move::Sink { token, cents }),
        3 => (0..8_000_i64).prop_map(Move::Wait),
        4 => Just(Move::Hear),
        1 => Just(Move::Arm),
        1 => (0..7_usize, 30_i64..100).prop_map(|(which, percent)| Move::Tighten { which, percent }),
        1 => any::<bool>().prop_map(|durable| Move::Widen { durable }),
        1 => (0..2_usize, any::<bool>()).prop_map(|(market, first)| Move::Resolve { market, first }),
        1 => Just(Move::Restart),
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
    /// Each token's best bid in cents, and the shares that are wanted at it and, three cents below, at the next one.
    bids: [(i64, i64); 4],
    /// When each token's book was heard last.
    priced: [i64; 4],
    orders: Vec<Known>,
    trades: Vec<Trade>,
    approved: Vec<(Timestamp, OrderIntent)>,
    wishes: u64,
    limits: Limits,
    /// What was beyond its limit when that was tightened or a result came, and may only fall.
    beyond: BTreeMap<String, Decimal>,
    epoch: u64,
    armed_at: Timestamp,
    /// The ledger, which has every step at once, but for versions of the limits that are late.
    paper: Paper,
    late: Vec<Write>,
    cash: Decimal,
    /// Which outcome pays, once that is known.
    results: [Option<bool>; 2],
    /// When equity was last measured, by what losses are measured, and the kills so far.
    looked: i64,
    references: References,
    kills: u32,
    denied: BTreeMap<Control, u32>,
    /// Purchases that were approved and not sent, because their data had gone stale.
    lates: u32,
}

impl World {
    fn new(cash: Decimal) -> Self {
        let opening = opening(Asset::Usd, "account".into(), (cash, Usd::ZERO), at(0));
        let mut paper = Paper::default();
        paper.journals.push(opening);
        let (mut desk, step) = restored(paper.memory());
        paper.keep(step);
        paper.keep(desk.on_tick(at(0)));
        ready(&mut desk);
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
            paper,
            late: Vec::new(),
            cash,
            results: [None; 2],
            looked: 1_000,
            references: References::new(),
            kills: 0,
            denied: BTreeMap::new(),
            lates: 0,
        };
        world.set_limits();
        world.describe();
        world.hear();
        let step = world.desk.on_tick(at(1_000));
        world.take(step);
        world
    }

    fn hear(&mut self) {
        for token in 0..TOKENS.len() {
            self.publish(token);
        }
    }

    /// Those of our orders that the desk takes to rest in a token's book, on one side of it: each price and size. A sale of the other
    /// outcome bids for this one.
    fn ours(&self, token: usize, side: Side) -> Vec<(Price, Size)> {
        let [this, other] = [TOKENS[token], TOKENS[token ^ 1]];
        let open = self.desk.orders.iter().map(|(_, tracked)| &tracked.row.order).filter(|order| order.state.is_open());
        let ours = open.filter_map(|order| {
            let price = match order.intent.token.as_str() {
                of if of == this && order.intent.side == side => order.intent.price.0,
                of if of == other && order.intent.side != side => Decimal::ONE - order.intent.price.0,
                _ => return None,
            };
            Some((Price(price), order.remaining()))
        });
        ours.collect()
    }

    fn publish(&mut self, token: usize) {
        let (bid, depth) = self.bids[token];
        let level = |cents, size: i64| (Price(Decimal::new(cents, 2)), Size(size.into()));
        let mut bids = BTreeMap::from([level(bid, depth), level(bid - 3, depth)]);
        let mut asks = BTreeMap::from([level(bid + 2, 1_000)]);
        // The venue's book shows ours with the others'.
        for (side, levels) in [(Side::Buy, &mut bids), (Side::Sell, &mut asks)] {
            for (price, size) in self.ours(token, side) {
                *levels.entry(price).or_default() += size;
            }
        }
        let levels = |(price, size)| Level { price, size };
        let bids = bids.into_iter().rev().filter(|(_, size)| !size.is_zero()).map(levels).collect();
        let asks = asks.into_iter().map(levels).collect();
        let market = event()[token / 2].market.clone();
        let book = Book {
            heard_at: None,
            market,
            token: TOKENS[token].into(),
            bids,
            asks,
            event_at: at(self.now),
            received_at: at(self.now),
        };
        let step = self.desk.on_data(PolymarketData::Book(book), at(self.now));
        self.take(step);
        self.priced[token] = self.now;
    }

    fn play(&mut self, step: &Move) {
        match *step {
            Move::Want { strategy, token, buy, cents, size } => self.want(strategy, token, buy, cents, size),
            Move::Late { strategy, token, cents } => self.late(strategy, token, cents),
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
                    self.cancel(order);
                }
            }
            Move::Price { token, cents, depth } => {
                self.bids[token] = (cents, depth);
                self.publish(token);
            }
            Move::Fall(cents) => self.fall(cents),
            Move::Sink { token, cents } => self.sink(token, cents),
            Move::Wait(millis) => self.wait(millis),
            Move::Hear => self.hear(),
            Move::Arm => {
                self.epoch += 1;
                self.armed_at = at(self.now);
                self.references.told = false;
                let step = self.desk.on_latch(self.latch(), at(self.now));
                self.take(step);
            }
            Move::Tighten { which, percent } => self.tighten(which, percent),
            Move::Widen { durable } => self.widen(durable),
            Move::Resolve { market, first } => self.resolve(market, first),
            Move::Restart => self.restart(),
            Move::Tell(_) | Move::Settle { .. } | Move::Cancel(_) => {}
        }
    }

    fn wanted(&mut self, strategy: usize, token: usize, buy: bool, cents: i64, size: i64) -> OrderIntent {
        self.wishes += 1;
        let name = format!("w{}", self.wishes);
        OrderIntent {
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
        }
    }

    /// A purchase that was approved and whose bytes may leave only when its book is too old.
    fn late(&mut self, strategy: usize, token: usize, cents: i64) {
        let wanted = self.wanted(strategy, token, true, cents, 500);
        let wanted = OrderIntent { deadline: at(self.now + 60_000), ..wanted };
        let step = self.desk.on_entry(&entry(self.wishes, wanted.clone()), &sign, at(self.now));
        let sent = !posts(&step).is_empty();
        self.take(step);
        if !sent {
            return;
        }
        self.now = self.priced[token] + i64::try_from(AGE.as_millis()).expect("short") + 1;
        let key = key(wanted.intent.as_str());
        let step = self.desk.clear_to_send(&key, at(self.now)).expect_err("a purchase on a book that is too old");
        self.take(step);
        assert_eq!(self.desk.orders[&key].state(), OrderState::Denied);
        self.lates += 1;
    }

    fn want(&mut self, strategy: usize, token: usize, buy: bool, cents: i64, size: i64) {
        let wanted = self.wanted(strategy, token, buy, cents, size);
        let name = wanted.intent.to_string();
        let (stale, beyond) = (self.now - self.priced[token] > 3_000, self.is_beyond());
        let step = self.desk.on_entry(&entry(self.wishes, wanted.clone()), &sign, at(self.now));
        let (sent, denied) = (!posts(&step).is_empty(), denied_by(&step));
        self.take(step);
        if let Some(control) = denied {
            *self.denied.entry(control).or_default() += 1;
        }
        if !sent {
            return;
        }
        assert!(!(buy && stale), "a purchase on data {} ms old", self.now - self.priced[token]);
        assert!(!(buy && beyond), "a purchase although a loss is beyond its limit");
        assert!(wanted.size <= tight().order_size && wanted.price.notional(wanted.size) <= tight().order_notional);
        let halted = self.repeats(&wanted) >= tight().repeated_executions as usize;
        assert!(!halted, "one more of the same than is allowed");
        self.approved.push((at(self.now), wanted.clone()));
        let (_, step) = self.desk.clear_to_send(&key(&name), at(self.now)).expect("nothing has changed");
        self.take(step);
        self.orders.push(Known { intent: wanted, alive: true, answered: false, matched: Decimal::ZERO });
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

fn denied_by(step: &Step) -> Option<Control> {
    step.effects().find_map(|effect| match effect {
        Effect::Emit(event) => match event.as_ref() {
            TradeEvent::Denied { denial, .. } => Some(denial.control),
            _ => None,
        },
        _ => None,
    })
}

/// The gate's table: every control that an approved intent has passed.
fn table() -> BTreeSet<Control> {
    let table = RefCell::new(BTreeSet::new());
    let sign = |approved: &Approved<OrderIntent>, market: &Market| {
        table.borrow_mut().extend(approved.checks().iter().map(|check| check.control));
        sign(approved, market)
    };
    desk().on_entry(&entry(1, intent("a", TimeInForce::Gtc)), &sign, at(2));
    table.into_inner()
}

#[test]
fn no_sequence_of_events_exceeds_a_limit_and_each_control_has_its_say() {
    assert_eq!(table(), DENIES.into_iter().chain(SILENT).collect(), "every control of the gate's table");
    let config = ProptestConfig {
        cases: 10_000,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let (denied, kills) = (RefCell::new(BTreeMap::<Control, u32>::new()), RefCell::new(0));
    let lates = RefCell::new(0);
    let played = TestRunner::new(config).run(&(0..CASH.len(), moves()), |(account, moves)| {
        let mut world = World::new(CASH[account]);
        for step in &moves {
            world.play(step);
            world.audit();
        }
        *kills.borrow_mut() += world.kills;
        *lates.borrow_mut() += world.lates;
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
    assert!(lates.into_inner() > 0, "nothing has waited for too long");
}

#[test]
fn when_a_cancelled_order_had_matched_more_than_was_known_another_goes_as_well() {
    let want = |token, buy, cents, size| Move::Want { strategy: 0, token, buy, cents, size };
    let matched = |order, percent, told| Move::Match { order, percent, better: 0, told };
    let moves = [
        want(2, true, 53, 5_835),
        want(0, true, 52, 1_565),
        matched(1, 27, false),
        matched(0, 1, false),
        matched(1, 36, true),
        Move::Tighten { which: 3, percent: 63 },
    ];
    let mut world = World::new(CASH[0]);
    for step in &moves {
        world.play(step);
        world.audit();
    }
    assert!(world.orders.iter().all(|order| !order.alive));
}
