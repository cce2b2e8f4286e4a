use std::time::Duration;

use proptest::prelude::*;
use rust_decimal::{Decimal, dec};

use super::*;
use crate::domain::{Control, Order, OrderState, Position, Price, Side, Size, TimeInForce, Usd};

const CRYPTO: FeeSchedule = FeeSchedule { rate: dec!(0.07), exponent: 1 };
use crate::risk::checks::bench::{Bench, book, buy, market, part, position, sell};

fn denied_by(bench: &Bench, intent: OrderIntent) -> Option<Control> {
    let gate = RiskGate::new(bench.limits.clone());
    let group = bench.group();
    ask(&gate, bench, intent, group.as_ref()).err().map(|denied| denied.denial.control)
}

fn ask(
    gate: &RiskGate,
    bench: &Bench,
    intent: OrderIntent,
    group: Option<&Group<'_>>,
) -> Result<Approved<OrderIntent>, Box<Denied>> {
    let view = bench.view(&intent, group);
    gate.check(intent, &view, bench.now)
}

#[test]
fn an_approval_records_every_check_in_the_order_of_the_table() {
    let bench = Bench::new();
    let gate = RiskGate::new(bench.limits.clone());
    let approved = ask(&gate, &bench, buy("0.51", "20"), None).expect("nothing is wrong");
    let controls: Vec<_> = approved.checks().iter().map(|check| check.control).collect();
    assert_eq!(
        controls,
        [
            Control::TradingState,
            Control::ArmEpoch,
            Control::StrategyHalt,
            Control::CircuitBreaker,
            Control::Deadline,
            Control::Market,
            Control::AllowList,
            Control::Blackout,
            Control::StaleData,
            Control::OrderSize,
            Control::OrderNotional,
            Control::Overbuy,
            Control::PriceCollar,
            Control::Duplicate,
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
            Control::DailyDrawdown,
            Control::RollingLoss,
        ]
    );
    assert!(approved.checks().iter().all(|check| check.passed && check.value != "" && check.limit != ""));
}

#[test]
fn a_denial_names_control_value_and_limit_and_ends_with_the_check_that_refused() {
    let bench = Bench::new();
    let gate = RiskGate::new(bench.limits.clone());
    let denied = ask(&gate, &bench, buy("0.51", "101"), None).expect_err("too large");
    assert_eq!(denied.denial.to_string(), "order_size: 101 shares (limit above 0, up to 100 shares)");
    assert_eq!(denied.checks.len(), 10);
    assert_eq!(denied.checks.iter().filter(|check| !check.passed).count(), 1);
    assert_eq!(denied.intent, buy("0.51", "101"));
}

type Spoil = fn(&mut Bench, &mut OrderIntent);

#[test]
fn each_control_refuses_when_it_alone_is_broken() {
    let far = dec!(1000);
    let cases: [(Control, Spoil); 28] = [
        (Control::TradingState, |bench, _| bench.trading_state = TradingState::Halted),
        (Control::ArmEpoch, |bench, _| bench.epoch = 4),
        (Control::StrategyHalt, |bench, _| bench.halted = Some("an order of unknown outcome")),
        (Control::CircuitBreaker, |bench, _| {
            let (value, limit) = ("5 refused".to_owned(), "fewer than 5".to_owned());
            bench.breaker = Some(Denial { control: Control::CircuitBreaker, value, limit });
        }),
        (Control::Overbuy, |bench, intent| {
            intent.tif = TimeInForce::Fak;
            bench.book = Some(book("up", "0.39", "0.40", bench.now));
        }),
        (Control::Deadline, |bench, intent| intent.deadline = bench.now.minus(Duration::from_micros(1))),
        (Control::Market, |bench, _| bench.market = None),
        (Control::AllowList, |bench, _| bench.limits.markets.clear()),
        (Control::Blackout, |bench, _| bench.limits.blackout = Duration::from_hours(1)),
        (Control::StaleData, |bench, _| bench.source_at = None),
        (Control::OrderSize, |bench, _| bench.limits.order_size = Size(dec!(19))),
        (Control::OrderNotional, |bench, _| bench.limits.order_notional = Usd(dec!(10))),
        (Control::PriceCollar, |_, intent| intent.price = Price(dec!(0.57))),
        (Control::Duplicate, |bench, intent| {
            bench.recent.note(&OrderIntent { intent: "another".into(), ..intent.clone() }, bench.now);
        }),
        (Control::SelfMatch, |bench, _| bench.reserve(&sell("0.51", "5"))),
        (Control::OrderRate, |bench, _| bench.limits.account_rate = 0),
        (Control::RepeatedExecution, |bench, _| bench.repeats = 1_000),
        (Control::OpenOrders, |bench, _| bench.limits.open_orders = 0),
        (Control::PositionCap, |bench, _| bench.limits.position_cap = Size(dec!(19))),
        (Control::MarketCap, |bench, _| bench.limits.market_cap = Size(dec!(19))),
        (Control::MarketLoss, |bench, _| bench.limits.market_loss = Usd(dec!(10))),
        (Control::GrossExposure, |bench, _| bench.limits.gross_exposure = Usd(dec!(10))),
        (Control::GroupLoss, |bench, _| {
            bench.market.as_mut().expect("a market").group = Some("event".into());
            bench.limits.group_loss = Usd(dec!(10));
        }),
        (Control::StrategyExposure, |bench, _| bench.limits.strategy_exposure = Usd(dec!(10))),
        (Control::Balance, |bench, _| bench.funds = None),
        (Control::DailyLoss, |bench, _| bench.equity = Err("no mark")),
        (Control::RollingLoss, |bench, _| {
            let high = Usd(dec!(251));
            bench.equity = Ok(Equity { rolling_high: high, ..Equity::default() });
        }),
        (Control::DailyDrawdown, |bench, _| {
            let at = |amount| Usd(Decimal::from(amount));
            bench.equity = Ok(Equity { peak: at(201), ..Equity::default() });
        }),
    ];
    let told: Vec<Control> = cases.iter().map(|(control, _)| *control).collect();
    let bench = Bench::new();
    let approved = ask(&RiskGate::new(bench.limits.clone()), &bench, buy("0.51", "20"), None);
    for check in approved.expect("nothing is wrong").checks() {
        assert!(told.contains(&check.control), "{} is refused by nothing here", check.control);
    }
    for (control, spoil) in cases {
        let mut bench = Bench::new();
        bench.limits.order_notional = Usd(far);
        let mut intent = buy("0.51", "20");
        spoil(&mut bench, &mut intent);
        assert_eq!(denied_by(&bench, intent), Some(control));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Want { buy: bool, down: bool, cents: i64, size: i64 },
    Accept(usize),
    Match { order: usize, percent: i64 },
    End(usize),
    Wait(u64),
    Refresh,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<bool>(), any::<bool>(), -2_i64..103, -100_i64..15_000)
            .prop_map(|(buy, down, cents, size)| Step::Want { buy, down, cents, size }),
        2 => any::<usize>().prop_map(Step::Accept),
        3 => (any::<usize>(), 1_i64..=100).prop_map(|(order, percent)| Step::Match { order, percent }),
        1 => any::<usize>().prop_map(Step::End),
        1 => (0_u64..4_000).prop_map(Step::Wait),
        2 => Just(Step::Refresh),
    ]
}

/// A venue that matches at the limit price, so that what was reserved is what it costs.
#[derive(Default)]
struct World {
    on_their_way: Vec<OrderIntent>,
    orders: Vec<Order>,
    shares: [Decimal; 2],
    cost: [Decimal; 2],
}

const TOKENS: [&str; 2] = ["up", "down"];

impl World {
    fn holdings(&self) -> Holdings {
        let mut holdings = Holdings::new();
        for (index, token) in TOKENS.into_iter().enumerate() {
            if !self.shares[index].is_zero() {
                let (size, cost) = (Size(self.shares[index]), Usd(self.cost[index]));
                holdings.add_position(&Position {
                    size,
                    confirmed: size,
                    at_stake: cost,
                    paid: cost,
                    parts: vec![part("momentum", size, cost)],
                    ..position(token, "0", "0")
                });
            }
        }
        self.orders.iter().for_each(|order| holdings.add_order(order, CRYPTO));
        self.on_their_way.iter().for_each(|intent| holdings.add_intent(intent, CRYPTO));
        holdings
    }

    fn fill(&mut self, order: usize, percent: i64) {
        let order = &mut self.orders[order];
        let size = order.remaining().0 * Decimal::new(percent, 2);
        order.matched += Size(size);
        order.traded = order.matched;
        let index = usize::from(order.intent.token.as_str() == "down");
        if order.intent.side == Side::Buy {
            self.shares[index] += size;
            self.cost[index] += order.intent.cost(Size(size), CRYPTO).0;
        } else if !self.shares[index].is_zero() {
            self.cost[index] -= self.cost[index] * size / self.shares[index];
            self.shares[index] -= size;
        }
    }

    /// At stake, counted afresh from what the world knows rather than by the gate's own sums.
    fn at_stake(&self) -> Decimal {
        let buys = |intent: &OrderIntent| intent.side == Side::Buy;
        let resting: Decimal = (self.orders.iter().filter(|order| order.state.reserves() && buys(&order.intent)))
            .map(|order| order.intent.cost(order.remaining(), CRYPTO).0)
            .sum();
        let queued = self.on_their_way.iter().filter(|intent| buys(intent));
        let queued: Decimal = queued.map(|intent| intent.cost(intent.size, CRYPTO).0).sum();
        self.cost[0] + self.cost[1] + resting + queued
    }

    fn most_shares(&self, token: usize) -> Decimal {
        let here = |intent: &OrderIntent| intent.side == Side::Buy && intent.token.as_str() == TOKENS[token];
        let resting: Decimal = (self.orders.iter().filter(|order| order.state.reserves() && here(&order.intent)))
            .map(|order| order.remaining().0)
            .sum();
        let queued: Decimal = self.on_their_way.iter().filter(|intent| here(intent)).map(|intent| intent.size.0).sum();
        self.shares[token] + resting + queued
    }
}

fn want(bench: &Bench, buying: bool, down: bool, cents: i64, size: i64) -> OrderIntent {
    let template = if buying { buy("0.5", "5") } else { sell("0.5", "5") };
    OrderIntent {
        token: TOKENS[usize::from(down)].into(),
        price: Price(Decimal::new(cents, 2)),
        size: Size(Decimal::new(size, 2)),
        tick_received_at: bench.now,
        deadline: bench.now.plus(Duration::from_secs(2)),
        ..template
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_approved_ever_exceeds_a_limit(steps in proptest::collection::vec(step(), 1..120)) {
        let mut bench = Bench::new();
        bench.market = Some(Market { fee: CRYPTO, ..market() });
        bench.limits.gross_exposure = Usd(dec!(120));
        let limits = bench.limits.clone();
        let gate = RiskGate::new(limits.clone());
        let mut world = World::default();
        let mut heard = bench.now;
        // Each fill's fee is rounded by itself.
        let slack = dec!(0.001);
        for step in steps {
            match step {
                Step::Want { buy: buying, down, cents, size } => {
                    let intent = want(&bench, buying, down, cents, size);
                    bench.book = Some(book(intent.token.as_str(), "0.49", "0.51", heard));
                    bench.source_at = Some(heard);
                    bench.holdings = world.holdings();
                    let verdict = ask(&gate, &bench, intent.clone(), None);
                    if verdict.is_ok() {
                        prop_assert!(intent.size <= limits.order_size && intent.size > Size::ZERO);
                        prop_assert!(intent.price.notional(intent.size) <= limits.order_notional);
                        prop_assert!(intent.price.0 > Decimal::ZERO && intent.price.0 < Decimal::ONE);
                        let stale = bench.now.since(heard) > limits.data_age;
                        prop_assert!(!(stale && buying), "a buy on data {:?} old", bench.now.since(heard));
                        world.on_their_way.push(intent);
                    }
                }
                Step::Accept(_) if world.on_their_way.is_empty() => {}
                Step::Accept(which) => {
                    let which = which % world.on_their_way.len();
                    let mut order = Order::new(world.on_their_way.swap_remove(which), bench.now);
                    order.state = if which % 2 == 0 { OrderState::Live } else { OrderState::Unknown };
                    world.orders.push(order);
                }
                Step::Match { .. } | Step::End(_) if world.orders.is_empty() => {}
                Step::Match { order, percent } => {
                    let order = order % world.orders.len();
                    if world.orders[order].state.reserves() {
                        world.fill(order, percent);
                    }
                }
                Step::End(order) => {
                    let order = order % world.orders.len();
                    world.orders[order].state = OrderState::Cancelled;
                }
                Step::Wait(millis) => bench.now = bench.now.plus(Duration::from_millis(millis)),
                Step::Refresh => heard = bench.now,
            }
            prop_assert!(world.at_stake() <= limits.gross_exposure.0 + slack, "{} at stake", world.at_stake());
            prop_assert!(world.most_shares(0) + world.most_shares(1) <= limits.market_cap.0 + slack);
            for token in 0..2 {
                prop_assert!(world.most_shares(token) <= limits.position_cap.0 + slack);
                prop_assert!(world.shares[token] >= -slack, "sold short: {}", world.shares[token]);
            }
        }
    }
}
