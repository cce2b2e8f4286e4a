//! How long a restart takes with a thousand instruments, an hour of ticks each.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cockpit::bus::redis::RedisBus;
use cockpit::bus::{Bus, Key, Origin, encode};
use cockpit::clock;
use cockpit::domain::{Price, Side, Size, Tick, TickKind, Timestamp};
use cockpit::pipeline::athena::{Engine, Event, Momentum, Runner, Running};
use rust_decimal::Decimal;

use crate::child::{Athena, Cast, PATIENCE, key};
use crate::desk::eventually;
use crate::support::redis_server::RedisServer;

const SECONDS: u64 = 3_600;

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

/// Everything that an Athena of this cast has written after an hour of a tick a second. All instruments have seen the same.
fn an_hour(cast: Cast) -> BTreeMap<String, (Key, Bytes)> {
    let strategies = cast.strategies();
    let origin = Origin::new("athena", "before");
    let runner: Box<dyn Runner> = Box::new(Running::<Momentum>::new(strategies[0].clone()));
    let mut engine = Engine::new(vec![runner], cockpit::config::Config::builtin().limits);
    let (now, mut effects, mut written) = (clock::now(), Vec::new(), BTreeMap::new());
    for second in 0..SECONDS {
        engine.on_event(&Event::Tick(tick(strategies[0].symbol.as_str(), second, now)), now, &mut effects);
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
    for params in &strategies {
        for (key, payload) in written.values() {
            let key = match key {
                Key::Chunk(strategy, _, place) => Key::Chunk(strategy.clone(), params.symbol.clone(), *place),
                _ => Key::Strategy("momentum".into(), params.symbol.clone()),
            };
            all.insert(key.to_string(), (key, payload.clone()));
        }
    }
    all
}

/// Resident memory of a process in bytes.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1_024
}

#[test]
fn a_thousand_instruments_are_there_again_with_their_hour() {
    let redis = RedisServer::start();
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut connection = client.get_connection().expect("redis answers");
    let kept = an_hour(Cast::Thousand);
    let bytes: usize = kept.values().map(|(_, payload)| payload.len()).sum();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let bus = RedisBus::new(&redis.url()).expect("an address");
        let all: Vec<_> = kept.values().cloned().collect();
        for part in all.chunks(1_000) {
            let mut written = bus.set_all(part.to_vec()).await;
            while written.is_err() {
                // The connection is being made.
                tokio::task::yield_now().await;
                written = bus.set_all(part.to_vec()).await;
            }
        }
    });

    let begun = clock::monotonic();
    let athena = Athena::start(&redis, Cast::Thousand, "1/1");
    let state = eventually("athena to be up", PATIENCE, || key(&mut connection, "state.athena"));
    let took = begun.elapsed();
    let strategies = state["strategies"].as_array().expect("a list");
    assert_eq!(strategies.len(), 1_000);
    assert!(strategies.iter().all(|strategy| strategy["window_ticks"] == SECONDS), "{}", strategies[0]);
    let memory = resident(athena.id());
    println!(
        "1,000 instruments x {SECONDS} ticks: {} keys, {} MB on the bus; ready {} ms after the process began; {} MB resident",
        kept.len(),
        bytes / 1_000_000,
        took.as_millis(),
        memory / 1_000_000
    );
    assert!(memory < 200_000_000, "{memory} bytes");
    // What the figure is about is the optimised binary; the other one is only to come up at all.
    let limit = if cfg!(debug_assertions) { Duration::from_secs(30) } else { Duration::from_secs(1) };
    assert!(took < limit, "ready only after {took:?}");
}
