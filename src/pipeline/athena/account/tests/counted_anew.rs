//! Whatever is told in whatever order: what is kept equals a count from scratch of all that was told last.

use proptest::prelude::*;

use super::*;
use crate::domain::{Lot, Market, Price, Side};
use crate::risk::checks::bench::{charging, part};

const TOKENS: [&str; 3] = ["up", "down", "other"];
const STATES: [OrderState; 7] = [
    OrderState::Pending,
    OrderState::Signed,
    OrderState::Unknown,
    OrderState::Live,
    OrderState::PartiallyFilled,
    OrderState::Filled,
    OrderState::Cancelled,
];
const INTENTS: usize = 6;

#[derive(Clone, Debug)]
enum Step {
    Reserve(usize),
    Approve(usize),
    Deny(usize),
    Order {
        of: usize,
        state: usize,
        matched: u8,
        traded: u8,
    },
    Position(Told),
    /// Of the orders and positions told so far those whose bit is set, and how many orders are open beyond them.
    Snapshot {
        orders: u8,
        positions: u8,
        more: u64,
    },
    Wait(u64),
    /// A market is described, with or without a fee, or forgotten.
    Market(Option<bool>),
}

#[derive(Clone, Copy, Debug)]
struct Told {
    token: usize,
    shares: u8,
    pending: u8,
    cents: i64,
    strategy: bool,
    resolved: bool,
    mark: i64,
}

fn told() -> impl Strategy<Value = Told> {
    let figures = (0..TOKENS.len(), 0..4_u8, 0..3_u8, 1..100_i64, any::<bool>(), prop::bool::weighted(0.2), 1..4_i64);
    figures.prop_map(|(token, shares, pending, cents, strategy, resolved, mark)| Told {
        token,
        shares,
        pending,
        cents,
        strategy,
        resolved,
        mark,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let order = (0..INTENTS, 0..STATES.len(), 0..4_u8, 0..4_u8);
    prop_oneof![
        1 => (0..INTENTS).prop_map(Step::Reserve),
        1 => (0..INTENTS).prop_map(Step::Approve),
        1 => (0..INTENTS).prop_map(Step::Deny),
        4 => order.prop_map(|(of, state, matched, traded)| Step::Order { of, state, matched, traded }),
        4 => told().prop_map(Step::Position),
        2 => (any::<u8>(), any::<u8>(), 0..2_u64)
            .prop_map(|(orders, positions, more)| Step::Snapshot { orders, positions, more }),
        1 => (0..6_u64).prop_map(Step::Wait),
        1 => prop::option::of(any::<bool>()).prop_map(Step::Market),
    ]
}

fn intent(number: usize) -> OrderIntent {
    let side = if number.is_multiple_of(2) { Side::Buy } else { Side::Sell };
    let strategy = if number < 3 { "momentum" } else { "weather" };
    let (token, cents) = (TOKENS[number % TOKENS.len()], i64::try_from(number).expect("small") * 7 + 30);
    OrderIntent {
        intent: format!("i{number}").into(),
        strategy: strategy.into(),
        token: token.into(),
        side,
        price: Price(rust_decimal::Decimal::new(cents, 2)),
        ..buy("0.50", "20")
    }
}

fn order_of(number: usize, state: usize, matched: u8, traded: u8) -> Order {
    let shares = |fifths: u8| Size((fifths * 5).into());
    let mut order = Order::new(intent(number), NOW);
    (order.state, order.matched, order.traded) = (STATES[state], shares(matched), shares(traded.min(matched)));
    order
}

fn position_of(told: Told) -> Position {
    let Told { token, shares, pending, cents, strategy, resolved, mark } = told;
    let (size, price) = (Size((shares * 5).into()), Price(rust_decimal::Decimal::new(cents, 2)));
    let lot = Lot { side: Side::Buy, price, size: Size(pending.into()), fee: Usd(dec!(0.01)) };
    // A third of a cost has no end.
    let at_stake = Usd(price.notional(size).0 / dec!(3));
    let owner = if strategy { "momentum" } else { "weather" };
    Position {
        at_stake,
        paid: price.notional(size),
        pending_buys: lot.size,
        provisional: if pending == 0 { Vec::new() } else { vec![lot] },
        payout: resolved.then_some(Price(1.into())),
        mark: Some(Price(rust_decimal::Decimal::new(mark, 1))),
        parts: vec![part(owner, size, at_stake)],
        ..position(TOKENS[token], &size.to_string(), "0.50")
    }
}

/// What was told last, counted anew at each question.
#[derive(Default)]
struct Plain {
    orders: Map<IntentId, Order>,
    /// What was traded of those that count no more.
    ended: Map<IntentId, Size>,
    positions: Map<TokenId, Position>,
    on_their_way: Map<IntentId, OrderIntent>,
    unbooked: Map<IntentId, (OrderIntent, Size)>,
}

impl Plain {
    fn reserve(&mut self, intent: &OrderIntent) {
        if !self.orders.contains_key(&intent.intent) {
            self.on_their_way.insert(intent.intent.clone(), intent.clone());
        }
    }

    fn put_order(&mut self, order: &Order) {
        let id = &order.intent.intent;
        self.on_their_way.remove(id);
        self.orders.remove(id);
        if order.state.reserves() || !order.at_stake().is_zero() {
            self.orders.insert(id.clone(), order.clone());
        } else if !order.traded.is_zero() {
            self.ended.insert(id.clone(), order.traded);
        }
    }

    fn order(&mut self, order: &Order) {
        let id = &order.intent.intent;
        let ended = self.ended.get(id).copied().unwrap_or_default();
        let more = order.traded - self.orders.get(id).map_or(ended, |known| known.traded);
        if more > Size::ZERO {
            self.unbooked.entry(id.clone()).or_insert_with(|| (order.intent.clone(), Size::ZERO)).1 += more;
        }
        self.put_order(order);
    }

    fn position(&mut self, position: &Position) {
        self.unbooked.retain(|_, (intent, _)| intent.token != position.token);
        self.positions.insert(position.token.clone(), position.clone());
    }

    fn snapshot(&mut self, state: &HermesState) {
        let open = state.recent_orders.iter().filter(|order| order.state.is_open()).count() as u64;
        if open >= state.orders.open {
            let listed: Vec<_> = state.recent_orders.iter().map(|order| &order.intent.intent).collect();
            for (id, order) in std::mem::take(&mut self.orders) {
                if !order.state.is_open() && !order.state.is_terminal() {
                    self.reserve(&order.intent);
                }
                if !order.traded.is_zero() && !listed.contains(&&id) {
                    self.ended.insert(id, order.traded);
                }
            }
        }
        self.unbooked.clear();
        self.positions = state.positions.iter().map(|told| (told.token.clone(), told.clone())).collect();
        state.recent_orders.iter().for_each(|order| self.put_order(order));
    }

    fn count(&self, markets: &Markets) -> Holdings {
        let fees = |intent: &OrderIntent| markets.fees_of(&intent.market);
        let mut holdings = Holdings::new();
        self.positions.values().filter(|told| told.payout.is_none()).for_each(|told| holdings.add_position(told));
        self.orders.values().for_each(|order| holdings.add_order(order, fees(&order.intent)));
        self.on_their_way.values().for_each(|intent| holdings.add_intent(intent, fees(intent)));
        self.unbooked.values().for_each(|(intent, shares)| holdings.add_traded(intent, *shares, fees(intent)));
        holdings
    }
}

struct Both {
    account: Account,
    plain: Plain,
    markets: Markets,
    now: Timestamp,
    seq: u64,
    orders: Vec<Order>,
    positions: Vec<Position>,
}

impl Both {
    fn event(&mut self, event: &TradeEvent) {
        self.seq += 1;
        self.account.event(&h1(), self.seq, event);
    }

    fn play(&mut self, step: &Step) {
        let intent = |number: usize| {
            let deadline = self.now.plus(Duration::from_secs(2));
            OrderIntent { deadline, ..intent(number) }
        };
        match *step {
            Step::Reserve(number) => {
                let intent = intent(number);
                self.account.reserve(&intent);
                self.plain.reserve(&intent);
            }
            Step::Approve(number) => {
                let intent = intent(number);
                let fee = intent.worst_fee(intent.size, self.markets.fees_of(&intent.market));
                self.account.approved(&intent, fee, &self.markets);
                self.plain.reserve(&intent);
            }
            Step::Deny(number) => {
                let intent = intent(number);
                self.plain.on_their_way.remove(&intent.intent);
                self.event(&denied(intent));
            }
            Step::Order { of, state, matched, traded } => {
                let order = order_of(of, state, matched, traded);
                self.plain.order(&order);
                self.orders.retain(|known| known.intent.intent != order.intent.intent);
                self.orders.push(order.clone());
                self.event(&TradeEvent::Order(order));
            }
            Step::Position(told) => {
                let position = position_of(told);
                self.plain.position(&position);
                self.positions.retain(|known| known.token != position.token);
                self.positions.push(position.clone());
                self.event(&TradeEvent::Position(position));
            }
            Step::Snapshot { orders, positions, more } => self.snapshot(orders, positions, more),
            Step::Wait(seconds) => self.now = self.now.plus(Duration::from_secs(seconds)),
            Step::Market(known) => {
                let id = MarketId::new("0xmarket");
                match known {
                    Some(charges) => {
                        let market =
                            if charges { charging() } else { Market { ..crate::risk::checks::bench::market() } };
                        self.markets.put_market(&market, true, self.now);
                    }
                    None => self.markets.remove(&id),
                }
                self.account.fee_changed(&id);
            }
        }
    }

    fn snapshot(&mut self, orders: u8, positions: u8, more: u64) {
        self.seq += 1;
        let mut state = hermes(self.seq, self.now);
        let chosen = |bits: u8, at: usize| bits & (1 << at) != 0;
        let told = self.orders.iter().enumerate().filter(|(at, _)| chosen(orders, *at));
        state.recent_orders = told.map(|(_, order)| order.clone()).collect();
        let told = self.positions.iter().enumerate().filter(|(at, _)| chosen(positions, *at));
        state.positions = told.map(|(_, position)| position.clone()).collect();
        state.orders.open = state.recent_orders.iter().filter(|order| order.state.is_open()).count() as u64 + more;
        self.account.snapshot(&state);
        self.plain.snapshot(&state);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn what_is_kept_equals_what_was_told_counted_anew(steps in prop::collection::vec(step(), 1..60)) {
        let mut both = Both {
            account: Account::default(),
            plain: Plain::default(),
            markets: Markets::default(),
            now: NOW,
            seq: 0,
            orders: Vec::new(),
            positions: Vec::new(),
        };
        for step in &steps {
            both.account.refresh(&both.markets, both.now);
            both.play(step);
            both.account.refresh(&both.markets, both.now);
            both.plain.on_their_way.retain(|_, intent| both.now <= intent.deadline.plus(GRACE));
            prop_assert_eq!(both.account.holdings(), &both.plain.count(&both.markets));
        }
    }
}
