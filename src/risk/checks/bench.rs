//! A market, a book and an account that every check passes, for tests to spoil one thing at a time.

use std::time::Duration;

use rust_decimal::dec;

use super::Check;
use crate::domain::{
    Book, CheckResult, Denial, FeeSchedule, Funds, Level, Market, OrderIntent, OutcomeToken, Position, PositionPart,
    Price, Protocol, Side, Size, TimeInForce, Timestamp, TokenId, TradingState, Usd,
};
use crate::risk::{Equity, Group, Holdings, Limits, Recent, RiskView};

const NOW: Timestamp = Timestamp::from_secs(1_795_348_860);

pub(crate) struct Bench {
    pub(crate) trading_state: TradingState,
    pub(crate) epoch: u64,
    pub(crate) market: Option<Market>,
    pub(crate) book: Option<Book>,
    pub(crate) source_at: Option<Timestamp>,
    pub(crate) holdings: Holdings,
    pub(crate) recent: Recent,
    pub(crate) equity: Result<Equity, &'static str>,
    pub(crate) halted: Option<&'static str>,
    pub(crate) breaker: Option<Denial>,
    pub(crate) repeats: u32,
    pub(crate) funds: Option<Funds>,
    /// Other markets that are known.
    pub(crate) others: Vec<Market>,
    pub(crate) limits: Limits,
    pub(crate) now: Timestamp,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            trading_state: TradingState::Active,
            epoch: 3,
            market: Some(market()),
            book: Some(book("up", "0.49", "0.51", NOW)),
            source_at: Some(NOW),
            holdings: Holdings::new(),
            recent: Recent::new(),
            equity: Ok(Equity::default()),
            halted: None,
            breaker: None,
            repeats: 0,
            funds: Some(Funds { free: Usd(dec!(10_000)), allowance: None }),
            others: Vec::new(),
            limits: limits(),
            now: NOW,
        }
    }

    pub(crate) fn hold(&mut self, token: &str, size: &str, avg_price: &str) {
        self.holdings.add_position(&position(token, size, avg_price));
    }

    /// Counts an intent that is on its way, by what the market charges.
    pub(crate) fn reserve(&mut self, intent: &OrderIntent) {
        self.holdings.add_intent(intent, self.market.as_ref().map_or(FeeSchedule::DEAREST, |market| market.fee));
    }

    pub(crate) fn group(&self) -> Option<Group<'_>> {
        let market = self.market.as_ref()?;
        Group::of(market, &self.others.iter().chain([market]), &self.holdings)
    }

    pub(crate) fn view<'a>(&'a self, intent: &OrderIntent, group: Option<&'a Group<'a>>) -> RiskView<'a> {
        RiskView {
            trading_state: self.trading_state,
            epoch: self.epoch,
            market: self.market.as_ref(),
            book: self.book.as_ref(),
            source_at: self.source_at,
            holdings: &self.holdings,
            recent: &self.recent,
            equity: self.equity,
            group,
            halted: self.halted,
            breaker: self.breaker.as_ref(),
            repeats: self.repeats,
            funds: self.funds,
            fee: RiskView::fee_of(intent, self.market.as_ref()),
        }
    }

    pub(crate) fn run(&self, check: Check, intent: &OrderIntent) -> CheckResult {
        let group = self.group();
        check(intent, &self.view(intent, group.as_ref()), &self.limits, self.now)
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        reduce_only: false,
        order_size: Size(dec!(100)),
        order_notional: Usd(dec!(100)),
        price_collar: dec!(0.05),
        position_cap: Size(dec!(200)),
        market_cap: Size(dec!(300)),
        gross_exposure: Usd(dec!(500)),
        market_loss: Usd(dec!(300)),
        group_loss: Usd(dec!(300)),
        strategy_exposure: Usd(dec!(500)),
        repeated_executions: 1_000,
        repeated_window: Duration::from_mins(5),
        open_orders: 1_000,
        strategy_rate: 1_000,
        account_rate: 1_000,
        duplicate_within: Duration::from_secs(1),
        markets: vec!["btc-updown-5m-{start}".into()],
        blackout: Duration::from_secs(10),
        daily_loss: Usd(dec!(150)),
        daily_drawdown: Usd(dec!(200)),
        rolling_loss: Usd(dec!(250)),
        rolling_hours: 24,
        drawdown_confirmations: 3,
        mark_age: Duration::from_secs(30),
        mismatch_limit: Usd(dec!(5)),
        breaker_rejections: 5,
        data_age: Duration::from_secs(3),
        data_mute: Duration::from_mins(2),
        unknown_halt: Duration::from_mins(1),
        unknown_kill: Duration::from_mins(5),
    }
}

/// Limits that no test meets by accident.
pub(crate) fn wide() -> Limits {
    let most = dec!(1_000_000);
    Limits {
        order_size: Size(most),
        order_notional: Usd(most),
        price_collar: dec!(0.5),
        position_cap: Size(most),
        market_cap: Size(most),
        gross_exposure: Usd(most),
        market_loss: Usd(most),
        group_loss: Usd(most),
        strategy_exposure: Usd(most),
        repeated_executions: 10_000,
        open_orders: 10_000,
        strategy_rate: 10_000,
        account_rate: 10_000,
        duplicate_within: Duration::ZERO,
        blackout: Duration::ZERO,
        daily_loss: Usd(most),
        daily_drawdown: Usd(most),
        rolling_loss: Usd(most),
        data_mute: Duration::from_hours(24),
        unknown_kill: Duration::from_hours(24),
        ..limits()
    }
}

pub(crate) fn market() -> Market {
    let outcome = |token: &str, outcome: &str| OutcomeToken { token: token.into(), outcome: outcome.into() };
    Market {
        slug: "btc-updown-5m-1795348800".into(),
        market: "0xmarket".into(),
        tokens: [outcome("up", "Up"), outcome("down", "Down")],
        tick_size: Price(dec!(0.01)),
        min_size: Size(dec!(5)),
        neg_risk: false,
        protocol: Protocol::V2,
        fee: FeeSchedule::FREE,
        opens_at: Some(Timestamp::from_secs(1_795_348_800)),
        closes_at: Some(Timestamp::from_secs(1_795_349_100)),
        accepting_orders: true,
        payouts: None,
        question: None,
        group: None,
    }
}

/// The same market with a taker fee of 0.07 times p (1 - p) a share.
pub(crate) fn charging() -> Market {
    Market { fee: FeeSchedule { rate: dec!(0.07), exponent: 1 }, ..market() }
}

pub(crate) fn book(token: &str, bid: &str, ask: &str, at: Timestamp) -> Book {
    let level = |price: &str| Level { price: price.parse().expect("a price"), size: Size(dec!(100)) };
    Book {
        market: "0xmarket".into(),
        token: token.into(),
        bids: vec![level(bid)],
        asks: vec![level(ask)],
        event_at: at,
        received_at: at,
        heard_at: None,
    }
}

pub(crate) fn position(token: &str, size: &str, avg_price: &str) -> Position {
    let (shares, price): (Size, Price) = (size.parse().expect("a size"), avg_price.parse().expect("a price"));
    Position {
        market: "0xmarket".into(),
        slug: None,
        token: token.into(),
        outcome: "Up".into(),
        size: shares,
        confirmed: shares,
        pending_buys: Size::ZERO,
        pending_sells: Size::ZERO,
        at_stake: price.notional(shares.abs()),
        paid: price.notional(shares),
        provisional: Vec::new(),
        avg_price: price,
        mark: None,
        mark_at: None,
        payout: None,
        realised: Usd::ZERO,
        realised_confirmed: Usd::ZERO,
        unrealised: None,
        fees: Usd::ZERO,
        parts: vec![part("momentum", shares, Usd::ZERO)],
    }
}

/// A strategy's part in a position.
pub(crate) fn part(strategy: &str, size: Size, at_stake: Usd) -> PositionPart {
    PositionPart {
        strategy: Some(strategy.into()),
        size,
        pending_buys: Size::ZERO,
        at_stake,
        avg_price: Price(dec!(0.50)),
        realised: Usd::ZERO,
        fees: Usd::ZERO,
    }
}

pub(crate) fn buy(price: &str, size: &str) -> OrderIntent {
    OrderIntent {
        intent: "momentum-1".into(),
        strategy: "momentum".into(),
        market: "0xmarket".into(),
        slug: "btc-updown-5m-1795348800".into(),
        token: TokenId::new("up"),
        outcome: "Up".into(),
        side: Side::Buy,
        price: price.parse().expect("a price"),
        size: size.parse().expect("a size"),
        tif: TimeInForce::Gtc,
        post_only: false,
        tick_received_at: NOW,
        created_at: NOW,
        deadline: NOW.plus(Duration::from_secs(2)),
        rest_until: NOW.plus(Duration::from_secs(15)),
        epoch: 3,
        attempt: 1,
    }
}

pub(crate) fn sell(price: &str, size: &str) -> OrderIntent {
    OrderIntent { side: Side::Sell, ..buy(price, size) }
}
