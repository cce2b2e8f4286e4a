//! From a tick received to its signal on the stream, over a real Redis: the release binary's Athena hears a thousand ticks a second.
//!
//! One tick in a hundred and fifty-one jumps beyond the threshold and becomes a signal; the others cross nothing. Hermes has armed the desk
//! and is stopped: what is measured is Athena and the bus. So her intents count as on their way until they have expired, about as many
//! at a time as a desk may have open. The books of the outcome for falling prices are not told, so that a jump leaving the window is
//! no second signal.

use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::bus::{BusRef, Channel, EntryId, Key, Origin, Stream, decode, encode};
use cockpit::clock;
use cockpit::domain::{
    AthenaState, Book, Level, Market, PolymarketData, Price, Side, SignalEntry, Size, Tick, TickKind, Timestamp,
};
use rust_decimal::{Decimal, dec};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;

use super::desk::Home;
use super::floors;
use super::stage::{self, Stage};
use super::store::Store;
use super::support::redis_server::RedisServer;
use super::support::scene::QUIET;
use super::times::{Times, micros};

/// Ticks a second.
const RATE: u32 = 1_000;
/// One tick of so many jumps; no divisor of the ticks in a window, so that the jump which leaves it is not the one that comes.
const JUMPS: usize = 151;
const SECONDS: usize = 60;
/// Dropped at the beginning: connections and caches are cold.
const WARM_UP: usize = 50;
const BOOKS_EVERY: Duration = Duration::from_millis(200);
const PRICE: Decimal = dec!(87_000);
const JUMP: Decimal = dec!(0.002);
const P50: Duration = Duration::from_micros(250);
const P99: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(20);

/// A signal as a reader of the stream got it.
struct Got {
    signal: SignalEntry,
    published_at: Timestamp,
    read_at: Timestamp,
}

pub(crate) async fn measure() {
    let armed = Armed::make().await;
    let bus = &armed.bus;
    let _books = tell_books(bus, armed.market.clone());
    let _athena = armed.home.start("athena", &["run", "athena"]);
    until_she_trades(bus, &armed.home).await;
    let (got, reader) = read_signals(&armed.redis.url()).await;
    play(bus, RATE as usize * SECONDS).await;
    let state = settled(bus).await;
    drop(reader);
    let (publish, add) = floors::of_a_signal(&armed.redis, Duration::from_secs(1) / RATE).await;
    print(&drain(got), &state, &publish, &add);
}

/// A desk that Hermes has armed before it was stopped: its latch and its last word stay on the bus.
struct Armed {
    bus: BusRef,
    market: Market,
    home: Home,
    redis: RedisServer,
}

impl Armed {
    async fn make() -> Self {
        let stage = Stage::start(Store::Sqlite).await;
        let bus = BusRef::clone(&stage.bus);
        let hermes = stage::state(&bus).await.expect("a snapshot");
        let market = stage.markets[0].clone();
        let (home, redis) = stage.without_hermes().await;
        // Nobody looks after it any more: it counts for as long as the measurement lasts.
        let lasting = cockpit::domain::HermesState { at: clock::now().plus(Duration::from_hours(1)), ..hermes };
        let payload = encode(&Origin::new("hermes", &lasting.boot).wrap(&lasting, clock::now())).expect("encodes");
        bus.set(&Key::HERMES, payload).await.expect("the bus is up");
        for (from, to) in [
            (
                "[[athena.momentum.on]]\nsymbol = \"BTC/USD\"\nmarket = \"btc-updown-5m-{start}\"",
                &*format!("[[athena.momentum.on]]\nsymbol = \"BTC/USD\"\nmarket = \"{QUIET}\""),
            ),
            ("window_s = 15", "window_s = 1"),
            ("markets = [\"btc-updown-5m-{start}\"]\n# Silence", &*format!("markets = [\"{QUIET}\"]\n# Silence")),
            ("threshold = \"0.0001\"", "threshold = \"0.0005\""),
            ("send_within_ms = 30000", "send_within_ms = 2000"),
            ("cooldown_s = 5\n# How far the change", "cooldown_s = 0\n# How far the change"),
            (
                "min_edge = \"0\"\n# Shares per signal (the market's minimum is 5).\nsize = \"20\"",
                "min_edge = \"-1\"\nsize = \"5\"",
            ),
        ] {
            home.edit(from, to);
        }
        Self { bus, market, home, redis }
    }
}

/// Tells the market and the book of its first outcome.
fn tell_books(bus: &BusRef, market: Market) -> AbortOnDropHandle<()> {
    let bus = BusRef::clone(bus);
    AbortOnDropHandle::new(tokio::spawn(async move {
        let origin = Origin::new("argos", "books");
        let mut due = tokio::time::interval(BOOKS_EVERY);
        loop {
            due.tick().await;
            let (now, level) = (clock::now(), |price| vec![Level { price: Price(price), size: Size(dec!(500)) }]);
            let book = Book {
                market: market.market.clone(),
                token: market.tokens[0].token.clone(),
                bids: level(dec!(0.49)),
                asks: level(dec!(0.51)),
                event_at: now,
                received_at: now,
                heard_at: None,
            };
            for data in [PolymarketData::Market(market.clone()), PolymarketData::Book(book)] {
                let payload = encode(&origin.wrap(&data, clock::now())).expect("encodes");
                bus.publish(Channel::Polymarket, payload).await.expect("the bus is up");
            }
        }
    }))
}

/// Waits until nothing keeps her from trading but that she has seen no ticks.
async fn until_she_trades(bus: &BusRef, home: &Home) {
    let begun = clock::monotonic();
    loop {
        let idle = athena(bus).await.map(|state| state.strategies[0].idle.clone().unwrap_or_default());
        if idle.as_ref().is_some_and(|idle| idle.contains("warming")) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "athena does not trade: {idle:?}; {}", log(home));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn log(home: &Home) -> String {
    std::fs::read_to_string(home.dir.path().join("athena.log")).unwrap_or_default()
}

async fn athena(bus: &BusRef) -> Option<AthenaState> {
    let payload = bus.get(&Key::Daemon("athena")).await.expect("the bus is up")?;
    Some(decode::<AthenaState>(&payload).expect("a snapshot").body)
}

/// Reads `trade.signals` on a connection of its own, from now on.
async fn read_signals(redis: &str) -> (mpsc::UnboundedReceiver<Got>, AbortOnDropHandle<()>) {
    let bus: BusRef = RedisBus::new(redis).expect("an address");
    bus.link().wait_for(|link| *link == cockpit::bus::BusLink::Up).await.expect("the bus is up");
    let (sender, got) = mpsc::unbounded_channel();
    let reading = tokio::spawn(async move {
        let mut after = EntryId::START;
        loop {
            let entries = bus.read(Stream::Signals, after, 16, Duration::from_secs(1)).await.expect("the bus is up");
            let read_at = clock::now();
            for entry in entries {
                after = entry.id;
                let envelope = decode::<SignalEntry>(&entry.payload).expect("a signal");
                let got = Got { signal: envelope.body, published_at: envelope.published_at, read_at };
                if sender.send(got).is_err() {
                    return;
                }
            }
        }
    });
    (got, AbortOnDropHandle::new(reading))
}

/// Publishes ticks as Argos does: stamped when received, then encoded and published.
async fn play(bus: &BusRef, ticks: usize) {
    let origin = Origin::new("argos", "ticks");
    let begin = clock::now();
    let mut due = tokio::time::interval(Duration::from_secs(1) / RATE);
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0..ticks {
        due.tick().await;
        let price = if number % JUMPS == JUMPS - 1 { PRICE * (Decimal::ONE + JUMP) } else { PRICE };
        let tick = Tick {
            symbol: "BTC/USD".into(),
            kind: TickKind::Trade {
                price: Price(price.round_dp(1)),
                qty: Size(dec!(0.01)),
                side: Side::Buy,
                trade_id: number as u64,
            },
            event_at: begin.plus(Duration::from_secs(1) / RATE * u32::try_from(number).expect("few ticks")),
            received_at: clock::now(),
        };
        let payload = encode(&origin.wrap(&tick, clock::now())).expect("encodes");
        bus.publish(Channel::Crypto, payload).await.expect("the bus is up");
    }
}

/// Her snapshot once it changes no more.
async fn settled(bus: &BusRef) -> AthenaState {
    let mut last = athena(bus).await.expect("a snapshot");
    loop {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let now = athena(bus).await.expect("a snapshot");
        if now.signals.emitted == last.signals.emitted {
            return now;
        }
        last = now;
    }
}

fn drain(mut got: mpsc::UnboundedReceiver<Got>) -> Vec<Got> {
    std::iter::from_fn(|| got.try_recv().ok()).collect()
}

fn print(got: &[Got], state: &AthenaState, publish: &Times, add: &Times) {
    println!(
        "\nTick received to signal on the stream over Redis, {RATE} ticks/s for {SECONDS} s, {} signals\n",
        got.len()
    );
    assert!(got.len() > WARM_UP * 2, "too few signals: {state:?}");
    let got = &got[WARM_UP..];
    let times = |part: fn(&Got) -> Duration| Times::new(got.iter().map(part));
    let decided = times(|got| got.signal.intent.created_at.since(got.signal.intent.tick_received_at));
    let written = times(|got| got.published_at.since(got.signal.intent.created_at));
    let read = times(|got| got.read_at.since(got.published_at));
    let whole = times(|got| got.read_at.since(got.signal.intent.tick_received_at));
    println!("| part | p50 us | p99 us | floor us |\n|---|---:|---:|---:|");
    for (name, times, floor) in [
        ("encoded, publish hop, decoded, strategy, gate", decided, Some(publish.at(50))),
        ("signal encoded", written, None),
        ("written, and in the hands of a blocked reader", read, None),
        ("received to the reader's hands", whole, None),
    ] {
        let floor = floor.map_or_else(|| "-".to_owned(), micros);
        println!("| {name} | {} | {} | {floor} |", micros(times.at(50)), micros(times.at(99)));
    }
    let measured = |quantile: Option<u64>| Duration::from_micros(quantile.expect("signals were emitted"));
    let (p50, p99) = (measured(state.tick_to_signal.p50), measured(state.tick_to_signal.p99));
    let floor = publish.at(50) + add.at(50);
    println!(
        "| received to the write answered, as Athena measures it | {} | {} | {} |",
        micros(p50),
        micros(p99),
        micros(floor)
    );
    println!(
        "\nfloors: publish hop {} us, XADD {} us; Athena lost {} messages and denied {}",
        micros(publish.at(50)),
        micros(add.at(50)),
        state.dropped,
        state.signals.denied
    );
    println!(
        "p50 < {} us and p99 < {} us: {}",
        P50.as_micros(),
        P99.as_micros(),
        if p50 < P50 && p99 < P99 { "met" } else { "NOT met" }
    );
}
