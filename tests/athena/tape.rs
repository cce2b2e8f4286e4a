//! A tape: the same ticks at the same times, whoever plays it and how often.

use std::time::Duration;

use cockpit::bus::{Envelope, Origin, SCHEMA_VERSION, encode};
use cockpit::clock;
use cockpit::config::Config;
use cockpit::domain::{
    Book, FeeSchedule, KillLatch, KillReport, KillState, Level, Market, OutcomeToken, PolymarketData, Price, Protocol,
    Side, Size, Tick, TickKind, Timestamp,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rust_decimal::{Decimal, dec};
use serde_json::json;

/// Ticks an instrument and second.
const EVERY: Duration = Duration::from_millis(400);
/// Ticks of an instrument in which its price swings up and down once.
const SWING: i64 = 70;
/// A market's length in seconds.
const MARKET: i64 = 300;

/// Ticks of two instruments over three markets each. It lies in the future of the clock, so that on no machine, however slow, anything
/// comes too late: what is decided follows from the tape's own times.
pub(crate) struct Tape {
    ticks: Vec<Tick>,
    start: Timestamp,
    markets: Vec<Market>,
}

impl Tape {
    pub(crate) fn new(seed: u64, len: usize) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let begin = clock::now().secs() + 3_600;
        let first_market = begin - begin.rem_euclid(MARKET);
        let start = Timestamp::from_secs(first_market + 100);
        let mut prices = [dec!(87_000.0), dec!(3_000.00)];
        let ticks = (0..len).map(|number| {
            let of = number % 2;
            let at = start
                .plus(EVERY * u32::try_from(number / 2).expect("short") + Duration::from_micros(number as u64 % 7));
            let step = Decimal::new(dice.random_range(-30..=30), 5);
            prices[of] = (prices[of] * (Decimal::ONE + step)).round_dp(2);
            let phase = i64::try_from(number / 2).expect("short") % SWING;
            let swing = Decimal::new((phase - SWING / 2).abs() * 2 - SWING / 2, 4);
            let price = (prices[of] * (Decimal::ONE + swing)).round_dp(2);
            Tick {
                symbol: ["BTC/USD", "ETH/USD"][of].into(),
                kind: TickKind::Trade {
                    price: Price(price),
                    qty: Size(Decimal::new(dice.random_range(1..9_999), 4)),
                    side: Side::Buy,
                    trade_id: number as u64,
                },
                event_at: at,
                received_at: at.plus(Duration::from_micros(dice.random_range(100..9_000))),
            }
        });
        let ticks = ticks.collect();
        let series = |base: &'static str| (0..4).map(move |index| market(base, first_market + index * MARKET));
        Self { ticks, start, markets: series("btc").chain(series("eth")).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.ticks.len()
    }

    /// Which tick was received at this time.
    pub(crate) fn at(&self, micros: i64) -> usize {
        self.ticks.iter().position(|tick| tick.received_at.micros() == micros).expect("a tick of the tape")
    }

    /// What a desk has besides ticks: an armed latch, and a Hermes who is well for as long as the tape lasts.
    pub(crate) fn prepare(&self, redis: &mut redis::Connection) {
        let origin = Origin::new("hermes", "h");
        let (now, later) = (clock::now(), self.start.plus(Duration::from_hours(24)));
        let latch = KillLatch { epoch: 1, state: KillState::Armed, by: "test".into(), why: "tape".into(), at: now };
        let none = json!({"p50": null, "p99": null});
        let hermes = json!({
            "at": later, "boot": "h", "seq": 0, "mode": "sim", "trading_state": "active",
            "kill": KillReport::idle(latch.clone()), "reconciled_at": later, "trouble": null,
            "orders": {"sent": 0, "accepted": 0, "open": 0, "filled": 0, "cancelled": 0, "rejected": 0, "unknown": 0, "denied": 0},
            "fills": 0, "recent_orders": [], "recent_fills": [], "positions": [],
            "pnl": cockpit::domain::Pnl::default(), "peak_today": "0", "day_start": "0",
            "equity": {"current": "0", "peak": "0", "day_start": "0", "rolling_high": "0", "unknown": null},
            "funds": {"free": "1000000000", "allowance": null},
            "exposure": {"gross": "0", "limit": Config::builtin().limits.gross_exposure},
            "dlq": 0, "dead_letters": [], "halted": [], "bus_concerns": [], "fencing_token": 1, "venue_skew_ms": 0, "tick_to_order": none,
        });
        let write = |redis: &mut redis::Connection, key: &str, payload: bytes::Bytes| {
            redis::cmd("SET").arg(key).arg(&payload[..]).exec(redis).expect("redis answers");
        };
        write(redis, "control.kill", encode(&origin.wrap(&latch, now)).expect("encodes"));
        write(redis, "state.hermes", encode(&origin.wrap(&hermes, now)).expect("encodes"));
    }

    /// Markets and books, as a feed tells them to whoever begins to listen.
    pub(crate) fn tell_books(&self, redis: &mut redis::Connection) {
        let origin = Origin::new("argos", "books");
        let mut pipe = redis::pipe();
        for market in &self.markets {
            let books = market.tokens.iter().map(|outcome| self.book(market, outcome));
            for data in std::iter::once(PolymarketData::Market(market.clone())).chain(books) {
                let payload = encode(&origin.wrap(&data, clock::now())).expect("encodes");
                pipe.cmd("PUBLISH").arg("data.polymarket").arg(&payload[..]).ignore();
            }
        }
        pipe.exec(redis).expect("redis answers");
    }

    fn book(&self, market: &Market, outcome: &OutcomeToken) -> PolymarketData {
        let level = |price| vec![Level { price: Price(price), size: Size(dec!(500)) }];
        PolymarketData::Book(Book {
            market: market.market.clone(),
            token: outcome.token.clone(),
            bids: level(dec!(0.49)),
            asks: level(dec!(0.51)),
            event_at: self.start,
            received_at: self.start,
            heard_at: None,
        })
    }

    /// Plays a part of it, which may be none. The n-th tick has the number n + 1, whenever it is played.
    pub(crate) fn play(&self, redis: &mut redis::Connection, part: std::ops::Range<usize>) {
        if part.is_empty() {
            return;
        }
        let mut pipe = redis::pipe();
        for number in part {
            let tick = &self.ticks[number];
            let envelope = Envelope {
                schema: SCHEMA_VERSION,
                source: "argos".into(),
                boot: "tape".into(),
                seq: number as u64 + 1,
                published_at: tick.received_at,
                body: tick,
            };
            let payload = encode(&envelope).expect("encodes");
            pipe.cmd("PUBLISH").arg("data.crypto").arg(&payload[..]).ignore();
        }
        pipe.exec(redis).expect("redis answers");
    }
}

fn market(base: &str, start: i64) -> Market {
    let token =
        |outcome: &str| OutcomeToken { token: format!("{base}-{start}-{outcome}").into(), outcome: outcome.to_owned() };
    Market {
        slug: format!("{base}-updown-5m-{start}").into(),
        market: format!("0x{base}{start}").into(),
        tokens: [token("Up"), token("Down")],
        tick_size: Price(dec!(0.01)),
        min_size: Size(dec!(5)),
        neg_risk: false,
        protocol: Protocol::V2,
        fee: FeeSchedule { rate: dec!(0.07), exponent: 1 },
        opens_at: None,
        closes_at: Some(Timestamp::from_secs(start + MARKET)),
        accepting_orders: true,
        payouts: None,
        question: None,
        group: None,
    }
}
