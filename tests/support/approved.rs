//! An intent with the gate's approval, for tests of what comes after the gate.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use cockpit::clock;
use cockpit::domain::{
    Book, Funds, Level, Market, OrderIntent, Position, PositionPart, Price, Size, TradingState, Usd,
};
use cockpit::risk::{Approved, Equity, Holdings, Limits, Recent, RiskGate, RiskView};
use rust_decimal::dec;

/// Through a gate with room for everything: what it refuses is tested elsewhere.
pub(crate) fn approve(intent: OrderIntent, market: &Market) -> Approved<OrderIntent> {
    let now = clock::now();
    let level = |price| vec![Level { price: Price(price), size: Size(dec!(2_000)) }];
    let book = Book {
        market: market.market.clone(),
        token: intent.token.clone(),
        bids: level(dec!(0.40)),
        asks: level(dec!(0.60)),
        event_at: now,
        received_at: now,
        heard_at: None,
    };
    let mut holdings = Holdings::new();
    holdings.add_position(&plenty_of(&intent));
    let plenty = Usd(dec!(10_000_000));
    let limits = Limits {
        reduce_only: false,
        order_size: Size(plenty.0),
        order_notional: plenty,
        price_collar: dec!(0.99),
        position_cap: Size(plenty.0),
        market_cap: Size(plenty.0),
        gross_exposure: plenty,
        market_loss: plenty,
        group_loss: plenty,
        strategy_exposure: plenty,
        repeated_executions: 10_000,
        repeated_window: Duration::from_mins(5),
        open_orders: 1_000,
        strategy_rate: 10_000,
        account_rate: 10_000,
        duplicate_within: Duration::ZERO,
        markets: vec![market.slug.to_string()],
        blackout: Duration::ZERO,
        daily_loss: plenty,
        daily_drawdown: plenty,
        rolling_loss: plenty,
        rolling_hours: 24,
        drawdown_confirmations: 3,
        mark_age: Duration::from_mins(1),
        mismatch_limit: Usd(dec!(5)),
        breaker_rejections: 5,
        data_age: Duration::from_mins(1),
        data_mute: Duration::from_mins(2),
        unknown_halt: Duration::from_mins(1),
        unknown_kill: Duration::from_mins(5),
    };
    let view = RiskView {
        trading_state: TradingState::Active,
        epoch: intent.epoch,
        market: Some(market),
        book: Some(&book),
        source_at: Some(now),
        holdings: &holdings,
        recent: &Recent::new(),
        equity: Ok(Equity::default()),
        group: None,
        halted: None,
        breaker: None,
        repeats: 0,
        funds: Some(Funds { free: Usd(dec!(10_000_000)), allowance: None }),
        fee: RiskView::fee_of(&intent, Some(market)),
    };
    RiskGate::new(limits).check(intent, &view, now).unwrap_or_else(|denied| panic!("{denied:?}"))
}

/// A position of more shares of the intent's token than any sale of a test wants.
fn plenty_of(intent: &OrderIntent) -> Position {
    let (shares, price) = (Size(dec!(100_000)), Price(dec!(0.5)));
    Position {
        market: intent.market.clone(),
        slug: None,
        token: intent.token.clone(),
        outcome: intent.outcome.clone(),
        size: shares,
        confirmed: shares,
        pending_buys: Size::ZERO,
        pending_sells: Size::ZERO,
        at_stake: price.notional(shares),
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
        parts: vec![PositionPart {
            strategy: Some(intent.strategy.clone()),
            size: shares,
            pending_buys: Size::ZERO,
            at_stake: price.notional(shares),
            avg_price: price,
            realised: Usd::ZERO,
            fees: Usd::ZERO,
        }],
    }
}
