//! A desk on which everything is in order, for tests to play events on.

use std::sync::Arc;
use std::time::Duration;

use rust_decimal::{Decimal, dec};

use super::{Effect, Engine, Event, Momentum, MomentumParams, Running};
use crate::domain::{
    EquityState, Exposure, Funds, HermesState, Instruments, KillLatch, KillReport, KillState, Latency, Market, Mode,
    Order, OrderCounts, Pnl, PolymarketData, Position, Price, Side, Size, Skip, Symbol, Tick, TickKind, Timestamp,
    TradeEvent, TradingState, Usd,
};
use crate::risk::checks::bench;

mod tape;

pub(super) use self::tape::recorded_trades;

/// When the market of the scene opens, in seconds; it closes 300 s later.
pub(super) const OPENS: i64 = 1_795_348_800;

pub(super) fn params() -> MomentumParams {
    MomentumParams {
        on: Instruments::one("BTC/USD", "btc-updown-5m-{start}"),
        window: Duration::from_secs(15),
        threshold: dec!(0.0001),
        min_ticks: 10,
        min_volume: Size::ZERO,
        cooldown: Duration::from_secs(5),
        hysteresis: dec!(0),
        persistence: dec!(1),
        min_edge: dec!(-1),
        size: Size(dec!(20)),
        slippage: dec!(0.01),
        send_within: Duration::from_secs(2),
        rest_for: Duration::from_secs(15),
        cutoff: Duration::from_secs(20),
    }
}

pub(super) fn market(start: i64) -> Market {
    let mut market = bench::market();
    market.slug = format!("btc-updown-5m-{start}").into();
    market.market = format!("0x{start}").into();
    market.opens_at = Some(Timestamp::from_secs(start));
    market.closes_at = Some(Timestamp::from_secs(start + 300));
    market.tokens[0].token = format!("up-{start}").into();
    market.tokens[1].token = format!("down-{start}").into();
    market
}

pub(super) fn latch(epoch: u64, state: KillState, at: Timestamp) -> KillLatch {
    KillLatch { epoch, state, by: "test".into(), why: "because".into(), at }
}

pub(super) fn hermes(seq: u64, at: Timestamp) -> HermesState {
    HermesState {
        at,
        boot: "h1".into(),
        seq,
        mode: Mode::Sim,
        trading_state: TradingState::Active,
        kill: KillReport::idle(latch(1, KillState::Armed, Timestamp::from_secs(OPENS - 100))),
        reconciled_at: Some(at),
        trouble: None,
        orders: OrderCounts::default(),
        fills: 0,
        recent_orders: Vec::new(),
        recent_fills: Vec::new(),
        positions: Vec::new(),
        pnl: Pnl::default(),
        peak_today: Usd::ZERO,
        day_start: Usd::ZERO,
        equity: Some(Box::new(EquityState {
            current: Some(Usd::ZERO),
            peak: Usd::ZERO,
            day_start: Usd::ZERO,
            rolling_high: Usd::ZERO,
            unknown: None,
        })),
        funds: Some(Funds { free: Usd(dec!(10_000)), allowance: None }),
        exposure: Exposure::default(),
        limits: Vec::new(),
        risk: None,
        dlq: 0,
        dead_letters: Vec::new(),
        halted: Vec::new(),
        fencing_token: None,
        venue_skew_ms: None,
        bus_concerns: Vec::new(),
        limit_concerns: Vec::new(),
        tick_to_order: Latency::default(),
    }
}

pub(super) fn trade(id: u64, price: Decimal, at: Timestamp) -> Tick {
    Tick {
        symbol: Symbol::new("BTC/USD"),
        kind: TickKind::Trade { price: Price(price), qty: Size(dec!(0.1)), side: Side::Buy, trade_id: id },
        event_at: at,
        received_at: at,
    }
}

/// The engine, its clock and all that it did.
pub(super) struct Scene {
    pub(super) engine: Engine,
    pub(super) now: Timestamp,
    pub(super) trades: u64,
    pub(super) start: i64,
    pub(super) hermes: HermesState,
    /// Skips that were told.
    pub(super) skips: Vec<Skip>,
}

impl Scene {
    /// A minute into the market, with both books fresh, Hermes active and nothing held.
    pub(super) fn new() -> Self {
        let now = Timestamp::from_secs(OPENS + 60);
        let mut scene = Self {
            engine: Engine::new(Running::<Momentum>::all(&params()), bench::limits()),
            now,
            trades: 0,
            start: OPENS,
            hermes: hermes(1, now),
            skips: Vec::new(),
        };
        scene.list(OPENS);
        scene.refresh();
        scene
    }

    pub(super) fn play(&mut self, event: &Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.engine.on_event(event, self.now, &mut effects);
        let (skips, effects): (Vec<_>, Vec<_>) =
            effects.into_iter().partition(|effect| matches!(effect, Effect::Skip(_)));
        self.skips.extend(skips.into_iter().filter_map(|effect| match effect {
            Effect::Skip(skip) => Some(*skip),
            Effect::Emit(_) | Effect::Deny(_) => None,
        }));
        effects
    }

    pub(super) fn list(&mut self, start: i64) {
        self.play(&Event::Polymarket(PolymarketData::Market(market(start))));
    }

    /// Books and Hermes' snapshot of this instant.
    pub(super) fn refresh(&mut self) {
        self.books("0.49", "0.51");
        self.hermes.at = self.now;
        self.play(&Event::Hermes(Box::new(self.hermes.clone())));
    }

    pub(super) fn books(&mut self, bid: &str, ask: &str) {
        for side in ["up", "down"] {
            let mut book = bench::book(&format!("{side}-{}", self.start), bid, ask, self.now);
            book.market = format!("0x{}", self.start).into();
            self.play(&Event::Polymarket(PolymarketData::Book(book)));
        }
    }

    pub(super) fn hold(&mut self, outcome: &str, size: &str) {
        let token = format!("{outcome}-{}", self.start);
        let position = bench::position(&token, size, "0.50");
        let parts = vec![bench::part(self.engine.params()[0].strategy.as_str(), position.size, Usd::ZERO)];
        self.hermes.positions.push(Position { parts, ..position });
        self.refresh();
    }

    pub(super) fn tick(&mut self, price: Decimal) -> Vec<Effect> {
        self.trades += 1;
        self.play(&Event::Tick(trade(self.trades, price, self.now)))
    }

    /// A warm, flat window that ends now: one trade a second at 87,000.
    pub(super) fn warm(&mut self) -> Vec<Effect> {
        let end = self.now;
        let mut effects = Vec::new();
        for second in (1..=12).rev() {
            self.now = end.minus(Duration::from_secs(second));
            effects.extend(self.tick(dec!(87_000)));
        }
        self.now = end;
        effects
    }

    pub(super) fn wait(&mut self, by: Duration) {
        self.now = self.now.plus(by);
        self.refresh();
    }

    /// Calm seconds: everything is heard each second and the price is back where it was.
    pub(super) fn calm(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.wait(Duration::from_secs(1));
            self.tick(dec!(87_000));
        }
    }

    pub(super) fn order_event(&mut self, seq: u64, order: Order) -> Vec<Effect> {
        self.trade_event(seq, TradeEvent::Order(order))
    }

    pub(super) fn trade_event(&mut self, seq: u64, event: TradeEvent) -> Vec<Effect> {
        self.play(&Event::Trade { boot: Arc::from("h1"), seq, event: Box::new(event) })
    }

    pub(super) fn idle(&self) -> Option<String> {
        self.engine.report(self.now).remove(0).idle
    }
}
