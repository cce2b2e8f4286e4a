//! What an Athena has written after an hour, so that a restart has something to take up.

#![allow(dead_code, reason = "each binary uses a part of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cockpit::bus::{BusRef, Key, Origin, encode};
use cockpit::clock;
use cockpit::config::Config;
use cockpit::domain::{Instrument, Instruments, Price, Side, Size, Symbol, Tick, TickKind, Timestamp};
use cockpit::pipeline::athena::{Engine, Event, Momentum, MomentumParams, Running, Strategy as _};
use rust_decimal::{Decimal, dec};

/// One tick each.
pub(crate) const SECONDS: u64 = 3_600;
/// Keys written in one exchange.
const TOGETHER: usize = 1_000;

/// Momentum on so many instruments, each with a series of markets of its own and a window of an hour.
pub(crate) fn momentum(instruments: usize) -> MomentumParams {
    let on = |number| Instrument {
        symbol: Symbol::from(format!("X{number}/USD")),
        market: format!("x{number}-updown-5m-{{start}}"),
    };
    MomentumParams {
        on: Instruments::new((0..instruments).map(on).collect()).expect("each once"),
        window: Duration::from_hours(1),
        threshold: dec!(0.0005),
        ..Momentum::defaults()
    }
}

fn tick(symbol: &str, second: u64, now: Timestamp) -> Tick {
    let at = now.minus(Duration::from_secs(SECONDS - second));
    Tick {
        symbol: symbol.into(),
        kind: TickKind::Trade {
            price: Price(Decimal::new(870_000 + i64::try_from(second * 7_919 % 997).expect("small"), 1)),
            qty: Size(Decimal::new(i64::try_from(second * 104_729 % 99_991).expect("small"), 8)),
            side: Side::Buy,
            trade_id: 90_000_000 + second,
        },
        event_at: at,
        received_at: at,
    }
}

/// Everything that an Athena with this strategy has written after an hour of a tick a second. All instruments have seen the same.
pub(crate) fn an_hour(params: &MomentumParams) -> BTreeMap<String, (Key, Bytes)> {
    let origin = Origin::new("athena", "before");
    let mut runners = Running::<Momentum>::all(params);
    let first = runners[0].key().1;
    runners.truncate(1);
    let mut engine = Engine::new(runners, Config::builtin().limits);
    let (now, mut effects, mut written) = (clock::now(), Vec::new(), BTreeMap::new());
    for second in 0..SECONDS {
        engine.on_event(&Event::Tick(tick(first.as_str(), second, now)), now, &mut effects);
        if second % 100 != 99 {
            continue;
        }
        for ((strategy, _), saved) in engine.save(false) {
            let (head, chunks) = saved().expect("serialises");
            for (place, chunk) in chunks {
                let payload = encode(&origin.wrap(&chunk, now)).expect("encodes");
                written.insert(format!("chunk {place}"), (Key::Chunk(strategy.clone(), "".into(), place), payload));
            }
            let payload = encode(&origin.wrap(&head, now)).expect("encodes");
            written.insert("head".to_owned(), (Key::Strategy(strategy, "".into()), payload));
        }
    }
    let mut all = BTreeMap::new();
    for Instrument { symbol, .. } in &params.on {
        for (key, payload) in written.values() {
            let key = match key {
                Key::Chunk(strategy, _, place) => Key::Chunk(strategy.clone(), symbol.clone(), *place),
                _ => Key::Strategy("momentum".into(), symbol.clone()),
            };
            all.insert(key.to_string(), (key, payload.clone()));
        }
    }
    all
}

/// Puts it on the bus; waits for the connection.
pub(crate) async fn keep(bus: &BusRef, written: &BTreeMap<String, (Key, Bytes)>) {
    bus.link().wait_for(|link| *link == cockpit::bus::BusLink::Up).await.expect("the bus is there");
    let all: Vec<_> = written.values().cloned().collect();
    for part in all.chunks(TOGETHER) {
        bus.set_all(part.to_vec()).await.expect("the bus is up");
    }
}
