//! What a decision costs without any bus: one tick through windows, strategy and gate; and whether that depends on how many instruments
//! there are.

use std::hint::black_box;
use std::time::Duration;

use cockpit::clock;
use cockpit::config::Config;
use cockpit::domain::{
    Book, HermesState, Instruments, Level, Market, OutcomeToken, PolymarketData, Price, Side, Size, Symbol, Tick,
    TickKind, Timestamp,
};
use cockpit::pipeline::athena::{Effect, Engine, Event, Momentum, MomentumParams, Running, Strategy as _};
use rust_decimal::{Decimal, dec};

use super::an_hour;
use super::stage::{self, Stage};
use super::store::Store;
use super::times::{Times, micros};

const WANTED: Duration = Duration::from_micros(5);
/// Signals that are measured.
const SIGNALS: usize = 2_000;
/// From one signal to the next; more than the cool-down, and so seldom that the limits of rate are not met.
const APART: u32 = 60;
const TICK_EVERY: Duration = Duration::from_millis(100);
/// How much of the time the cost of a tick may grow from the fewest to the most instruments: what the processor's caches lose is in it.
const FLAT: f64 = 2.0;
/// Windows of the instruments: full ones, so that each tick also takes one out.
const WINDOW: u64 = 60;
/// Ticks that are measured for each number of instruments.
const TICKS: usize = 400_000;
const NUMBERS: [usize; 4] = [10, 100, 1_000, 10_000];
/// So often a second the daemon gives the engine the time, and takes its snapshot.
const SNAPSHOTS: usize = 5;

/// What Athena knows besides ticks: an armed Hermes, whose limits are those in force, and a market.
fn engine(hermes: &HermesState, market: &Market, now: Timestamp) -> Engine {
    let on = Instruments::one("BTC/USD", market.slug.as_str());
    let params = MomentumParams { on, min_edge: dec!(-1), ..Momentum::defaults() };
    let mut engine = Engine::new(Running::<Momentum>::all(&params), Config::builtin().limits);
    // It stays fresh: the time here is made up.
    let later = HermesState { at: now.plus(Duration::from_hours(24 * 30)), ..hermes.clone() };
    let mut effects = Vec::new();
    for event in [
        Event::Latch(hermes.kill.latch.clone()),
        Event::Hermes(Box::new(later)),
        Event::Polymarket(PolymarketData::Market(market.clone())),
    ] {
        engine.on_event(&event, now, &mut effects);
    }
    assert!(effects.is_empty(), "{effects:?}");
    engine
}

/// The book of one of the market's outcomes, as of now.
fn book(market: &Market, outcome: usize, now: Timestamp) -> Event {
    let level = |price| vec![Level { price: Price(price), size: Size(dec!(500)) }];
    Event::Polymarket(PolymarketData::Book(Book {
        market: market.market.clone(),
        token: market.tokens[outcome].token.clone(),
        bids: level(dec!(0.49)),
        asks: level(dec!(0.51)),
        event_at: now,
        received_at: now,
        heard_at: None,
    }))
}

fn trade(symbol: &Symbol, number: usize, price: Decimal, at: Timestamp) -> Event {
    let kind = TickKind::Trade { price: Price(price), qty: Size(dec!(0.01)), side: Side::Buy, trade_id: number as u64 };
    Event::Tick(Tick { symbol: symbol.clone(), kind, event_at: at, received_at: at })
}

/// A Hermes that trades and a market of the simulator, to decide in.
async fn world() -> (HermesState, Market) {
    let stage = Stage::start(Store::Sqlite).await;
    let hermes = stage::state(&stage.bus).await.expect("a snapshot");
    (hermes, stage.markets[0].clone())
}

/// Ticks that become signals, and ticks that do not.
pub(crate) async fn measure() {
    let (hermes, market) = world().await;
    signals(&hermes, &market);
}

/// The cost of a tick for more and more instruments.
pub(crate) async fn instruments() {
    let (_, market) = world().await;
    println!("\nEach instrument has a market of its own with two books, none of which crosses anything.");
    print_costs(&NUMBERS.map(|instruments| cost(instruments, &market)));
}

/// As fast as they are decided, and as a feed brings them: a processor that has slept meanwhile has forgotten much.
const PACES: [(&str, usize, Duration); 2] =
    [("one after the other", SIGNALS, Duration::ZERO), ("a millisecond apart", SIGNALS / 10, Duration::from_millis(1))];
/// What else runs on the machine only adds to what a pass takes, so the quickest tells most of the code.
const PASSES: usize = 5;

/// What one pass measured.
struct Took {
    quiet: Times,
    signals: Times,
}

fn signals(hermes: &HermesState, market: &Market) {
    println!("\nStrategy and gate alone, {PASSES} passes, the quickest and the slowest\n");
    println!("| ticks | tick | p50 us | p99 us |\n|---|---|---:|---:|");
    let [alone, _] = PACES.map(|(pace, count, apart)| {
        let passes: Vec<Took> = (0..PASSES).map(|_| play(hermes, market, count, apart)).collect();
        row(pace, "that crosses nothing", &passes, |took| &took.quiet);
        row(pace, "that becomes an approved signal", &passes, |took| &took.signals)
    });
    println!("\np50 < {} us: {}", WANTED.as_micros(), if alone < WANTED { "met" } else { "NOT met" });
}

/// Prints what the quickest and the slowest pass took; gives the median of the quickest.
fn row(pace: &str, name: &str, passes: &[Took], of: fn(&Took) -> &Times) -> Duration {
    let range = |percent| {
        let took = Times::new(passes.iter().map(|took| of(took).at(percent)));
        (took.at(0), format!("{} to {}", micros(took.at(0)), micros(took.at(100))))
    };
    let ((quickest, p50), (_, p99)) = (range(50), range(99));
    println!("| {pace} | {name} | {p50} | {p99} |");
    quickest
}

/// So many signals, from ticks with such a pause before each.
fn play(hermes: &HermesState, market: &Market, wanted: usize, pause: Duration) -> Took {
    let begin = clock::now();
    let mut engine = engine(hermes, market, begin);
    let symbol = Symbol::new("BTC/USD");
    let (mut quiet, mut signals, mut effects) = (Vec::new(), Vec::new(), Vec::new());
    let apart = usize::try_from(APART).expect("small");
    for number in 0..apart * (wanted + wanted / 10) {
        let jumps = number % apart == apart - 1;
        let now = begin.plus(TICK_EVERY * u32::try_from(number).expect("few ticks"));
        if jumps {
            engine.on_event(&book(market, 0, now), now, &mut effects);
        }
        let event = trade(&symbol, number, if jumps { dec!(87_174.0) } else { dec!(87_000.0) }, now);
        std::thread::sleep(pause);
        let begun = clock::monotonic();
        engine.on_event(black_box(&event), now, &mut effects);
        let decided = begun.elapsed();
        match effects.pop() {
            Some(Effect::Emit(_)) => signals.push(decided),
            None if !jumps => quiet.push(decided),
            // A jump that leaves the window is a fall, whose market has no book: told, and no signal. The first finds no full window.
            other => assert!(matches!(other, None | Some(Effect::Skip(_))), "{other:?}"),
        }
        assert!(effects.is_empty(), "{effects:?}");
    }
    assert!(signals.len() >= wanted, "{} signals; {:?}", signals.len(), engine.report(clock::now()));
    Took { quiet: Times::new(quiet), signals: Times::new(signals.split_off(signals.len() - wanted)) }
}

/// What a tick costs among so many instruments.
struct Cost {
    instruments: usize,
    tick: Duration,
    /// With its share of timers and snapshots.
    lived: Duration,
    /// A book of one of the markets, of which only those that follow it are told.
    book: Duration,
}

fn print_costs(costs: &[Cost]) {
    println!("\nCost of a tick by the number of instruments, windows of {WINDOW} s full, {TICKS} ticks each\n");
    println!(
        "| instruments | a tick, us | with timer, snapshot and save {SNAPSHOTS} times a second, us | a book, us |"
    );
    println!("|---:|---:|---:|---:|");
    for Cost { instruments, tick, lived, book } in costs {
        println!("| {instruments} | {} | {} | {} |", nanos(*tick), nanos(*lived), nanos(*book));
    }
    let growth = costs[costs.len() - 1].tick.as_secs_f64() / costs[0].tick.as_secs_f64();
    let met = if growth <= FLAT { "met" } else { "NOT met" };
    println!("\n10,000 instruments cost {growth:.2} times what 10 cost a tick (flat is at most {FLAT}): {met}");
}

fn nanos(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e6)
}

fn cost(instruments: usize, market: &Market) -> Cost {
    let params = MomentumParams { window: Duration::from_secs(WINDOW), ..an_hour::momentum(instruments) };
    let symbols: Vec<Symbol> = params.on.iter().map(|on| on.symbol.clone()).collect();
    let mut engine = Engine::new(Running::<Momentum>::all(&params), Config::builtin().limits);
    let mut world = World { symbols, begin: clock::now(), number: 0, effects: Vec::new() };
    let markets: Vec<Market> = (0..instruments).map(|number| market_of(number, market, world.begin)).collect();
    for market in &markets {
        let described = Event::Polymarket(PolymarketData::Market(market.clone()));
        let books = [0, 1].map(|outcome| book(market, outcome, world.begin));
        for event in std::iter::once(described).chain(books) {
            engine.on_event(&event, world.begin, &mut world.effects);
        }
    }
    assert!(engine.lost() == 0 && world.effects.is_empty(), "a market is refused: {:?}", world.effects);
    let warm_up = instruments * usize::try_from(WINDOW + 2).expect("small");
    world.run(&mut engine, warm_up, false);
    let tick = world.run(&mut engine, TICKS, false);
    engine.save(false);
    let lived = world.run(&mut engine, TICKS.min(instruments * 40), true);
    let books = 1_000;
    let event = book(&markets[0], 0, world.now());
    let begun = clock::monotonic();
    for _ in 0..books {
        engine.on_event(black_box(&event), world.now(), &mut world.effects);
    }
    Cost { instruments, tick, lived, book: begun.elapsed() / books }
}

/// The market of an instrument's own series that is open as long as is measured.
fn market_of(number: usize, like: &Market, begin: Timestamp) -> Market {
    let outcome = |index: usize| OutcomeToken {
        token: format!("{number}-{index}").as_str().into(),
        outcome: like.tokens[index].outcome.clone(),
    };
    Market {
        market: format!("0x{number}").as_str().into(),
        slug: format!("x{number}-updown-5m-{}", begin.secs()).as_str().into(),
        tokens: [outcome(0), outcome(1)],
        opens_at: Some(begin),
        closes_at: Some(begin.plus(Duration::from_hours(24 * 30))),
        group: None,
        ..like.clone()
    }
}

/// Time goes on by a second with a tick of every instrument.
struct World {
    symbols: Vec<Symbol>,
    begin: Timestamp,
    number: usize,
    effects: Vec<Effect>,
}

impl World {
    fn now(&self) -> Timestamp {
        let micros = self.number as u64 * 1_000_000 / self.symbols.len() as u64;
        self.begin.plus(Duration::from_micros(micros))
    }

    /// Plays so many ticks; what one took.
    fn run(&mut self, engine: &mut Engine, ticks: usize, lives: bool) -> Duration {
        let mut took = Duration::ZERO;
        let snapshot = (self.symbols.len() / SNAPSHOTS).max(1);
        let mut left = ticks;
        while left > 0 {
            let together = left.min(snapshot);
            let events: Vec<_> = (0..together).map(|_| self.next()).collect();
            let begun = clock::monotonic();
            for (event, now) in &events {
                engine.on_event(black_box(event), *now, &mut self.effects);
            }
            if lives {
                let now = self.now();
                engine.on_event(&Event::Timer, now, &mut self.effects);
                black_box((engine.report(now), engine.params(), engine.save(false)));
            }
            took += begun.elapsed();
            if !lives {
                // As the daemon does, but not measured: what has gathered to be kept is taken.
                engine.save(false);
            }
            left -= together;
            self.effects.clear();
        }
        took / u32::try_from(ticks).expect("few ticks")
    }

    fn next(&mut self) -> (Event, Timestamp) {
        let now = self.now();
        let symbol = &self.symbols[self.number % self.symbols.len()];
        // Moves that stay far below any threshold.
        let price = Decimal::new(870_000 + i64::try_from(self.number * 7_919 % 13).expect("small"), 1);
        let event = trade(symbol, self.number, price, now);
        self.number += 1;
        (event, now)
    }
}
