//! A desk for tests, always the same: ticks, strategies, signals, denials, orders, fills, positions, profit.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rust_decimal::{Decimal, dec};

use crate::domain::{
    ArgosState, AthenaState, Book, CheckResult, Control, DeadLetter, DeadLetterReason, DeadLetterState, Denial,
    DeniedBy, EquityState, Exposure, FeeSchedule, FeedLink, FeedState, Figure, Fill, FillStatus, Funds, HermesState,
    KillLatch, KillProof, KillReport, KillState, KillStep, Latency, Level, LimitUse, Market, Mode, Order, OrderCounts,
    OrderIntent, OrderState, OrderTimes, OutcomeToken, ParamBook, ParamDoc, ParamVersion, ParamsInForce, Pnl, Position,
    Price, Protocol, Rationale, Role, Side, SignalCounts, SignalEntry, Size, Skip, StrategyState, Tick, TickCounts,
    TickKind, TimeInForce, Timestamp, TradeEvent, TradingState, Usd,
};
use crate::ui::effect::Effect;
use crate::ui::keymap::Keymap;
use crate::ui::model::Model;
use crate::ui::msg::{Event, Feed, MarketBatch, Msg};
use crate::ui::update::update;

/// 2026-11-22T12:00:00Z.
pub(crate) const NOON: i64 = 1_795_348_800;

/// So many seconds after noon.
pub(crate) const fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(NOON + secs)
}

/// An empty cockpit of that size.
pub(crate) fn model(width: u16, height: u16) -> Model {
    let keymap = Keymap::built_in().expect("the embedded map");
    Model::new(Mode::Sim, "embedded", keymap, (width, height), at(0))
}

/// Feeds one piece of news.
pub(crate) fn feed(model: &mut Model, feed: Feed, now: Timestamp) -> Vec<Effect> {
    update(model, Msg::Feed(Box::new(feed)), now)
}

/// Types a macro: plain characters as they are, names in angle brackets: `ab<enter><shift-tab>`.
pub(crate) fn keys(model: &mut Model, text: &str, now: Timestamp) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let code = if let Some((name, tail)) = rest.strip_prefix('<').and_then(|tail| tail.split_once('>')) {
            rest = tail;
            named(name)
        } else {
            rest = &rest[first.len_utf8()..];
            KeyEvent::new(KeyCode::Char(first), KeyModifiers::NONE)
        };
        effects.extend(update(model, Msg::Key(code), now));
    }
    effects
}

fn named(name: &str) -> KeyEvent {
    let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
    match name {
        "enter" => plain(KeyCode::Enter),
        "esc" => plain(KeyCode::Esc),
        "tab" => plain(KeyCode::Tab),
        "shift-tab" => KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT),
        "up" => plain(KeyCode::Up),
        "down" => plain(KeyCode::Down),
        "backspace" => plain(KeyCode::Backspace),
        "ctrl-c" => KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL),
        "ctrl-u" => KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL),
        "ctrl-d" => KeyEvent::new(KeyCode::Char('d'), KeyModifiers::CONTROL),
        other => panic!("no key named {other}"),
    }
}

pub(crate) fn market() -> Market {
    let outcome = |token: &str, outcome: &str| OutcomeToken { token: token.into(), outcome: outcome.to_owned() };
    Market {
        slug: format!("btc-updown-5m-{NOON}").into(),
        market: "0x11".into(),
        tokens: [outcome("71001", "Up"), outcome("71002", "Down")],
        tick_size: Price(dec!(0.01)),
        min_size: Size(dec!(5)),
        neg_risk: false,
        protocol: Protocol::V2,
        fee: FeeSchedule { rate: dec!(0.07), exponent: 1 },
        opens_at: Some(at(0)),
        closes_at: Some(at(300)),
        accepting_orders: true,
        payouts: None,
        question: None,
        group: None,
    }
}

pub(crate) fn tick(symbol: &str, price: Decimal, when: Timestamp) -> Tick {
    let kind = TickKind::Quote {
        bid: Price(price - dec!(0.1)),
        bid_qty: Size(dec!(0.25)),
        ask: Price(price + dec!(0.1)),
        ask_qty: Size(dec!(1.5)),
        last: Price(price),
    };
    Tick { symbol: symbol.into(), kind, event_at: when.minus(std::time::Duration::from_millis(12)), received_at: when }
}

pub(crate) fn intent(number: i64, side: Side, created: Timestamp) -> OrderIntent {
    OrderIntent {
        intent: format!("momentum-{number}").into(),
        strategy: "momentum".into(),
        market: "0x11".into(),
        slug: format!("btc-updown-5m-{NOON}").into(),
        token: "71001".into(),
        outcome: if number % 3 == 0 { "Down" } else { "Up" }.to_owned(),
        side,
        price: Price(Decimal::new(50 + number % 7, 2)),
        size: Size(dec!(10)),
        tif: TimeInForce::Gtc,
        post_only: false,
        tick_received_at: created.minus(std::time::Duration::from_micros(180)),
        created_at: created,
        deadline: created.plus(std::time::Duration::from_secs(2)),
        rest_until: created.plus(std::time::Duration::from_secs(20)),
        epoch: 3,
        attempt: 1,
    }
}

pub(crate) fn signal(number: i64, created: Timestamp) -> SignalEntry {
    let check = |control, value: &str, limit: &str| CheckResult {
        control,
        value: value.to_owned().into(),
        limit: limit.to_owned().into(),
        passed: true,
    };
    SignalEntry {
        intent: intent(number, Side::Buy, created),
        rationale: Rationale {
            source: "BTC/USD".into(),
            change: dec!(0.00062),
            threshold: dec!(0.0005),
            measure: crate::domain::Measure::Relative,
            window_ms: 30_000,
            window_ticks: 118,
            first: Price(dec!(86100.1)),
            last: Price(dec!(86153.5)),
            reference: Price(dec!(0.52)),
            fair: None,
            edge: None,
            note: "BTC/USD rose 0.062% in 30 s, above 0.05%: buy Up".into(),
            params: 1,
            inputs: Vec::new(),
        },
        checks: vec![
            check(Control::TradingState, "active", "active"),
            check(Control::OrderNotional, "5.20 pUSD", "50 pUSD"),
            check(Control::PriceCollar, "0.01", "0.05"),
        ],
        doubt: None,
    }
}

pub(crate) fn order(number: i64, state: OrderState, matched: Decimal, created: Timestamp) -> Order {
    let mut order = Order::new(intent(number, Side::Buy, created), created);
    order.order = Some(format!("0xabc{number:060}").into());
    order.state = state;
    order.matched = Size(matched);
    let after = |micros| Some(created.plus(std::time::Duration::from_micros(micros)));
    order.times = OrderTimes {
        consumed_at: after(420),
        gated_at: after(510),
        signed_at: after(900),
        committed_at: after(1_310),
        sent_at: after(1_400),
        answered_at: after(2_950),
        ..order.times
    };
    if !order.matched.is_zero() {
        order.times.matched_at = after(1_204_000);
    }
    order
}

pub(crate) fn fill(number: i64, status: FillStatus, when: Timestamp) -> Fill {
    Fill {
        trade: format!("trade-{number}").into(),
        order: format!("0xabc{number:060}").into(),
        strategy: Some("momentum".into()),
        market: "0x11".into(),
        token: "71001".into(),
        outcome: "Up".to_owned(),
        side: Side::Buy,
        size: Size(dec!(10)),
        price: Price(dec!(0.52)),
        fee: Usd(dec!(0.17472)),
        role: Role::Taker,
        status,
        matched_at: when,
    }
}

pub(crate) fn position(token: &str, outcome: &str, size: Decimal, unrealised: Option<Decimal>) -> Position {
    Position {
        market: "0x11".into(),
        slug: Some(format!("btc-updown-5m-{NOON}").into()),
        token: token.into(),
        outcome: outcome.to_owned(),
        size: Size(size),
        confirmed: Size(size),
        pending_buys: Size::ZERO,
        pending_sells: Size::ZERO,
        at_stake: Usd::ZERO,
        paid: Usd::ZERO,
        provisional: Vec::new(),
        avg_price: Price(dec!(0.5217)),
        mark: Some(Price(dec!(0.55))),
        mark_at: Some(at(58)),
        payout: None,
        realised: Usd(dec!(-0.4)),
        realised_confirmed: Usd(dec!(-0.4)),
        unrealised: unrealised.map(Usd),
        fees: Usd(dec!(0.35)),
        parts: Vec::new(),
    }
}

pub(crate) fn argos(now: Timestamp) -> ArgosState {
    let feed = |source: &str, subject: &str| FeedState {
        source: source.to_owned(),
        subject: subject.to_owned(),
        link: FeedLink::Up,
        last_at: Some(now),
        reconnects: 0,
        gaps: 0,
        reason: None,
    };
    ArgosState {
        at: now,
        boot: "a1".to_owned(),
        feeds: vec![feed("kraken", "ticker BTC/USD"), feed("kraken", "trade BTC/USD"), feed("polymarket", "market")],
        ticks: TickCounts::default(),
        markets: vec![market()],
    }
}

pub(crate) fn athena(now: Timestamp, seq: u64) -> AthenaState {
    let strategy = |symbol: &str, change: Option<Decimal>, idle: Option<&str>| StrategyState {
        strategy: "momentum".into(),
        symbol: symbol.into(),
        slug: Some(format!("btc-updown-5m-{NOON}").into()),
        change,
        threshold: dec!(0.0005),
        measure: crate::domain::Measure::Relative,
        window_ms: 30_000,
        window_ticks: 118,
        last: Some(Price(dec!(86153.5))),
        signal_at: Some(at(40)),
        idle: idle.map(str::to_owned),
    };
    AthenaState {
        at: now,
        boot: "t1".to_owned(),
        seq,
        signals: SignalCounts { emitted: 9, denied: 1, ..SignalCounts::default() },
        dropped: 0,
        tick_to_signal: Latency::default(),
        strategies: vec![
            strategy("BTC/USD", Some(dec!(0.00062)), None),
            strategy("ETH/USD", Some(dec!(-0.0002)), Some("cooling down, 4 s left")),
        ],
        params: Vec::new(),
    }
}

pub(crate) fn hermes(now: Timestamp, seq: u64, kill: KillReport, total: Decimal) -> HermesState {
    let armed = kill.latch.is_armed();
    let orders = if armed {
        vec![
            order(9, OrderState::Live, dec!(0), at(52)),
            order(8, OrderState::PartiallyFilled, dec!(4), at(45)),
            order(7, OrderState::Filled, dec!(10), at(30)),
            order(6, OrderState::Cancelled, dec!(0), at(12)),
        ]
    } else {
        vec![order(9, OrderState::Cancelled, dec!(0), at(52)), order(8, OrderState::Cancelled, dec!(4), at(45))]
    };
    HermesState {
        at: now,
        boot: "h1".to_owned(),
        seq,
        mode: Mode::Sim,
        trading_state: if armed { TradingState::Active } else { TradingState::Halted },
        kill,
        reconciled_at: Some(now.minus(std::time::Duration::from_secs(3))),
        trouble: None,
        orders: OrderCounts { sent: 9, accepted: 9, open: 2, filled: 6, cancelled: 1, ..OrderCounts::default() },
        fills: 7,
        recent_orders: orders,
        recent_fills: vec![fill(7, FillStatus::Confirmed, at(31)), fill(5, FillStatus::Mined, at(20))],
        positions: vec![position("71001", "Up", dec!(74), Some(dec!(2.09))), position("71002", "Down", dec!(0), None)],
        pnl: Pnl {
            realised: Usd(dec!(-0.4)),
            realised_confirmed: Usd(dec!(-0.4)),
            unrealised: Usd(dec!(2.09)),
            fees: Usd(dec!(0.35)),
            total: Usd(total),
        },
        peak_today: Usd(dec!(2)),
        day_start: Usd(dec!(0)),
        equity: Some(Box::new(EquityState {
            current: Some(Usd::ZERO),
            peak: Usd::ZERO,
            day_start: Usd::ZERO,
            rolling_high: Usd::ZERO,
            unknown: None,
        })),
        funds: Some(Funds { free: Usd(dec!(10_000)), allowance: None }),
        exposure: Exposure { gross: Usd(dec!(120)), limit: Usd(dec!(500)) },
        limits: vec![
            LimitUse::new(Control::GrossExposure, "account", (dec!(120), dec!(500)), "pUSD"),
            LimitUse::new(Control::OpenOrders, "account", (dec!(2), dec!(50)), "orders"),
        ],
        risk: Some(ParamsInForce { strategy: "risk".into(), version: 2, values: [].into() }),
        dlq: 0,
        dead_letters: Vec::new(),
        halted: Vec::new(),
        fencing_token: Some(7),
        venue_skew_ms: Some(140),
        bus_concerns: Vec::new(),
        limit_concerns: Vec::new(),
        tick_to_order: Latency::default(),
    }
}

/// A dead letter; every third one cannot be read.
pub(crate) fn letter(number: i64, when: Timestamp) -> DeadLetter {
    let readable = number % 3 != 0;
    let (reason, error) = match number % 3 {
        0 => (DeadLetterReason::Malformed, "field 'body.intent': missing"),
        1 => (DeadLetterReason::Expired, "its deadline passed 3.2 s before it was read"),
        _ => (DeadLetterReason::Balance, "not enough balance / allowance: the balance is 3.10, the order needs 5.20"),
    };
    let entry = format!("{}-0", when.millis());
    let wish = signal(number, when.minus(std::time::Duration::from_secs(9)));
    let original = if readable {
        let envelope = crate::bus::Origin::new("athena", "t1").wrap(wish.clone(), when);
        String::from_utf8(crate::bus::encode(&envelope).expect("encodes").to_vec()).expect("UTF-8")
    } else {
        "{\"not\": \"a signal\u{1b}[2J\"}".to_owned()
    };
    DeadLetter {
        id: DeadLetter::id_of(&entry, reason),
        entry,
        intent: readable.then_some(wish.intent.intent),
        attempt: u32::from(readable),
        reason,
        first_error: if number % 3 == 2 { "425: the engine restarts".to_owned() } else { error.to_owned() },
        last_error: error.to_owned(),
        original,
        posts: if number % 3 == 2 { 4 } else { 0 },
        first_at: when.minus(std::time::Duration::from_secs(3)),
        last_at: when,
        build: "0.1.0".to_owned(),
        state: DeadLetterState::Waiting,
    }
}

/// A desk that trades and has five dead letters, the newest unreadable; one was retried, one dropped.
pub(crate) fn with_letters(width: u16, height: u16) -> Model {
    let mut model = busy(width, height);
    let mut letters: Vec<DeadLetter> =
        [(9, 58), (8, 55), (7, 40), (5, 12), (4, -4_000)].map(|(number, secs)| letter(number, at(secs))).into();
    letters[3].state = DeadLetterState::Retried { attempt: 2, by: "cli:bob".to_owned(), at: at(30) };
    letters[4].state =
        DeadLetterState::Dropped { by: "cockpit:alice".to_owned(), why: "the market is over".to_owned(), at: at(-60) };
    let mut state = hermes(at(60), 60, armed(), dec!(1.34));
    state.dlq = 3;
    state.dead_letters = letters;
    feed(&mut model, Feed::Hermes(Box::new(state)), at(60));
    model
}

pub(crate) fn latch(epoch: u64, state: KillState, when: Timestamp) -> KillLatch {
    KillLatch { epoch, state, by: "cockpit:alice".to_owned(), why: "kill key".to_owned(), at: when }
}

pub(crate) fn armed() -> KillReport {
    KillReport::idle(latch(3, KillState::Armed, at(-600)))
}

pub(crate) fn killed(proof: KillProof) -> KillReport {
    let steps = [
        (KillStep::GateClosed, 0),
        (KillStep::LatchFile, 2),
        (KillStep::HeartbeatStopped, 2),
        (KillStep::CancelAll, 45),
        (KillStep::LatchLedger, 47),
        (KillStep::LatchBus, 48),
    ];
    KillReport {
        latch: latch(3, KillState::Killed, at(56)),
        steps: steps.to_vec(),
        orders_open: 2,
        orders_cancelled: 2,
        venue_open_orders: Some(0),
        proof,
    }
}

pub(crate) fn event(source: &str, boot: &str, seq: u64, when: Timestamp, body: TradeEvent) -> Feed {
    Feed::Event(Event { source: source.to_owned(), boot: boot.to_owned(), seq, at: when, body: Box::new(body) })
}

pub(crate) fn denial(number: i64, when: Timestamp) -> TradeEvent {
    TradeEvent::Denied {
        by: DeniedBy::Athena,
        intent: intent(number, Side::Sell, when),
        denial: Denial { control: Control::GrossExposure, value: "505.20".to_owned(), limit: "500".to_owned() },
        rationale: None,
        checks: Vec::new(),
        at: when,
    }
}

/// A skip for want of an edge; the fourth one stands for three that were not told.
pub(crate) fn skip(number: i64, when: Timestamp) -> Skip {
    Skip {
        id: format!("momentum-skip-{number}").into(),
        strategy: "momentum".into(),
        source: "BTC/USD".into(),
        slug: Some(format!("btc-updown-5m-{NOON}").into()),
        params: 3,
        reason: "no_edge".to_owned(),
        note: "fair 0.5512, ask 0.56: edge -0.0260 after fee is below 0.0000".to_owned(),
        inputs: figures(),
        event_at: when.minus(std::time::Duration::from_millis(12)),
        received_at: when.minus(std::time::Duration::from_micros(240)),
        at: when,
        untold: if number == 4 { 3 } else { 0 },
    }
}

fn figures() -> Vec<Figure> {
    [
        ("tick", "BTC/USD 86153.5, trade 91823"),
        ("window", "118 ticks (at least 5) in 30 s, 86100.1 to 86153.5"),
        ("change", "0.062 % (threshold 0.05 %)"),
        ("volume", "3.1822 (at least 0)"),
        ("closes in", "248.0 s (no purchase below 20 s)"),
        ("book Up", "bid 0.54, ask 0.56, 12 ms old (at most 2000)"),
        ("fair Up", "0.5512"),
    ]
    .map(|(name, value)| Figure { name: name.into(), value: value.into() })
    .to_vec()
}

/// The parameters of `momentum`, the third version.
pub(crate) fn params() -> ParamBook {
    let doc = |name: &str, allowed: &str, unit: &str, doc: &str, fixed| ParamDoc {
        name: name.to_owned(),
        allowed: allowed.to_owned(),
        low: None,
        high: None,
        unit: unit.to_owned(),
        fixed,
        tighter: None,
        doc: doc.to_owned(),
    };
    let values = [("symbol", "BTC/USD"), ("window_s", "30"), ("threshold", "0.0005")];
    let version = ParamVersion {
        strategy: "momentum".into(),
        version: 3,
        values: values.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        changed: Vec::new(),
        by: "cli:alice".to_owned(),
        why: "a calm night".to_owned(),
        at: at(-300),
        command: None,
    };
    ParamBook {
        strategy: "momentum".into(),
        table: vec![
            doc("symbol", "a pair such as BTC/USD", "", "The pair that is watched.", true),
            doc("window_s", "a whole number from 1 to 3600", "s", "Length of the rolling window.", false),
            doc(
                "threshold",
                "a number from 0.00001 to 0.5",
                "",
                "Relative change over the window that makes a signal, either way.",
                false,
            ),
        ],
        file: version.values.clone(),
        versions: vec![version],
    }
}

/// The parameters of `book` as a snapshot shows them.
pub(crate) fn in_force(book: &ParamBook) -> ParamsInForce {
    let version = book.in_force().expect("a version");
    ParamsInForce { strategy: book.strategy.clone(), version: version.version, values: version.values.clone() }
}

/// A desk whose Athena skips, whose Hermes denies what Athena emitted, and whose parameters are known.
pub(crate) fn deciding(width: u16, height: u16) -> Model {
    let mut model = busy(width, height);
    let mut state = athena(at(60), 68);
    state.params = vec![in_force(&params())];
    feed(&mut model, Feed::Athena(state), at(60));
    feed(&mut model, Feed::Params(params()), at(60));
    let mut wished = signal(10, at(55));
    wished.rationale.params = 3;
    wished.rationale.fair = Some(Price(dec!(0.5512)));
    wished.rationale.edge = Some(Price(dec!(0.0131)));
    wished.rationale.inputs = figures();
    let denied = TradeEvent::Denied {
        by: DeniedBy::Hermes,
        intent: wished.intent.clone(),
        denial: Denial { control: Control::GrossExposure, value: "505.20".to_owned(), limit: "500".to_owned() },
        rationale: None,
        checks: vec![
            CheckResult { passed: true, ..wished.checks[0].clone() },
            CheckResult { control: Control::GrossExposure, value: "505.20".into(), limit: "500".into(), passed: false },
        ],
        at: at(56),
    };
    feed(&mut model, event("athena", "t1", 69, at(55), TradeEvent::Signal(wished)), at(60));
    feed(&mut model, event("hermes", "h1", 61, at(56), denied), at(60));
    feed(&mut model, event("athena", "t1", 70, at(57), TradeEvent::Skipped(skip(4, at(57)))), at(60));
    model
}

/// A desk whose market is resolved to what it holds 74 shares of.
pub(crate) fn resolved(width: u16, height: u16) -> Model {
    let mut model = busy(width, height);
    let mut state = hermes(at(60), 61, armed(), dec!(1.34));
    let pays = |payout, position: Position| {
        let payout = Some(Price(payout));
        Position { payout, mark: payout, mark_at: None, ..position }
    };
    let [up, down] =
        [position("71001", "Up", dec!(74), Some(dec!(35.39))), position("71002", "Down", dec!(12.5), None)];
    state.positions = vec![pays(dec!(1), up), pays(dec!(0), down)];
    feed(&mut model, Feed::Hermes(Box::new(state)), at(61));
    model
}

/// A desk that trades: one minute of ticks, signals, a denial, orders, fills, positions.
pub(crate) fn busy(width: u16, height: u16) -> Model {
    let mut model = model(width, height);
    feed(&mut model, Feed::Link(crate::bus::BusLink::Up), at(0));
    for second in 0..=60 {
        let wave = Decimal::from((second * second * 7) % 53 - 20);
        let batch = MarketBatch {
            ticks: vec![
                tick("BTC/USD", dec!(86123.5) + wave, at(second)),
                tick("ETH/USD", dec!(2810.25) - wave / dec!(10), at(second)),
            ],
            books: vec![Book {
                market: "0x11".into(),
                token: "71001".into(),
                bids: vec![Level { price: Price(dec!(0.54)), size: Size(dec!(120)) }],
                asks: vec![Level { price: Price(dec!(0.56)), size: Size(dec!(80)) }],
                event_at: at(second),
                received_at: at(second),
                heard_at: None,
            }],
            markets: vec![market()],
            received: 45,
            ..MarketBatch::default()
        };
        feed(&mut model, Feed::Market(batch), at(second));
        feed(&mut model, Feed::Argos(argos(at(second))), at(second));
        feed(&mut model, Feed::Athena(athena(at(second), u64::try_from(second).expect("positive"))), at(second));
        let total = Decimal::new((second * second * 3) % 350 - 60, 2);
        let total = if second == 60 { dec!(1.34) } else { total };
        let state = hermes(at(second), u64::try_from(second).expect("positive"), armed(), total);
        feed(&mut model, Feed::Hermes(Box::new(state)), at(second));
        update(&mut model, Msg::Second, at(second));
    }
    for (index, number) in (2..=9).enumerate() {
        let when = at(12 + number * 4);
        let seq = 61 + u64::try_from(index).expect("small");
        let body = if number == 4 { denial(number, when) } else { TradeEvent::Signal(signal(number, when)) };
        feed(&mut model, event("athena", "t1", seq, when, body), at(60));
    }
    model
}
