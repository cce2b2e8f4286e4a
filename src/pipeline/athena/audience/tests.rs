use std::cell::Cell;
use std::time::Duration;

use rust_decimal::{Decimal, dec};

use super::*;
use crate::domain::params::parameters;
use crate::domain::{
    Instrument, Instruments, Observation, OrderIntent, ParamKind, StrategyState, Timestamp, WeatherData,
};
use crate::pipeline::athena::scene::{OPENS, Scene, trade};
use crate::pipeline::athena::{Desk, Engine, Momentum, Running, Selector, Strategy, Weather, Wishes};
use crate::risk::checks::bench;

parameters! {
    /// What the probe is on.
    struct ProbeParams {
        /// Pairs and markets.
        on: Instruments = ParamKind::Instruments, "on", "";
    }
}

thread_local! {
    /// How often a probe was asked whether it follows a market.
    static QUESTIONS: Cell<u64> = const { Cell::new(0) };
}

/// A strategy that follows a series of markets and counts how often it is asked.
struct Probe;

#[derive(Debug)]
struct Asked {
    symbol: Symbol,
    times: u64,
}

impl Strategy for Probe {
    type Params = ProbeParams;
    type State = Asked;
    type Saved = ();

    const NAME: &'static str = "probe";

    /// On whatever it is, it follows the series of bitcoin.
    const FOLLOWS: Option<fn(&ProbeParams, &Market) -> bool> = Some(|_, market| {
        QUESTIONS.set(QUESTIONS.get() + 1);
        Selector::new("btc-updown-5m-{start}").start_of(market).is_some()
    });

    fn defaults() -> ProbeParams {
        ProbeParams { on: Instruments::one("BTC/USD", "btc-updown-5m-{start}") }
    }

    fn instruments(params: &ProbeParams) -> Vec<Instrument> {
        params.on.iter().cloned().collect()
    }

    fn start(_params: &ProbeParams, instrument: &Instrument) -> Asked {
        Asked { symbol: instrument.symbol.clone(), times: 0 }
    }

    fn sent(_: &mut Asked, _: &ProbeParams, _: &Market, _: &OrderIntent) {}

    fn on_event(asked: &mut Asked, _: &Event, _: &ProbeParams, _: &Desk<'_>, _: Timestamp, _: &mut Wishes) {
        asked.times += 1;
    }

    fn retune(_asked: &mut Asked, _params: &ProbeParams) {}

    fn report(asked: &Asked, _params: &ProbeParams, _desk: &Desk<'_>, _now: Timestamp) -> StrategyState {
        StrategyState {
            strategy: Self::id(),
            symbol: asked.symbol.clone(),
            slug: None,
            change: None,
            threshold: Decimal::ZERO,
            measure: crate::domain::Measure::Relative,
            window_ms: 0,
            window_ticks: asked.times,
            last: None,
            signal_at: None,
            idle: None,
        }
    }

    fn save(_asked: &Asked) {}

    fn restore(_asked: &mut Asked, (): (), _params: &ProbeParams, _now: Timestamp) -> Result<(), String> {
        Ok(())
    }
}

fn scene() -> Scene {
    let mut scene = Scene::new();
    let on = Instruments::parse("BTC/USD btc-updown-5m-{start}, ETH/USD eth-updown-5m-{start}, KLGA x").expect("three");
    scene.engine = Engine::new(Running::<Probe>::all(&ProbeParams { on }), bench::limits());
    scene
}

/// How often each was asked meanwhile.
fn asked(scene: &mut Scene, play: impl FnOnce(&mut Scene)) -> Vec<u64> {
    let times =
        |scene: &Scene| -> Vec<u64> { scene.engine.report(scene.now).iter().map(|state| state.window_ticks).collect() };
    let before = times(scene);
    play(scene);
    times(scene).iter().zip(before).map(|(after, before)| after - before).collect()
}

#[test]
fn a_tick_and_the_weather_concern_who_is_on_the_instrument() {
    let mut scene = scene();
    let btc = |scene: &mut Scene| drop(scene.tick(dec!(87_000)));
    assert_eq!(asked(&mut scene, btc), [1, 0, 0]);
    let eth = |scene: &mut Scene| {
        let tick = crate::domain::Tick { symbol: "ETH/USD".into(), ..trade(7, dec!(2_000), scene.now) };
        scene.play(&Event::Tick(tick));
    };
    assert_eq!(asked(&mut scene, eth), [0, 1, 0]);
    let weather = |station: &'static str| {
        move |scene: &mut Scene| {
            let (event_at, received_at) = (scene.now, scene.now);
            let observation = Observation { station: station.into(), temperature: None, event_at, received_at };
            scene.play(&Event::Weather(Box::new(WeatherData::Observation(observation))));
        }
    };
    assert_eq!(asked(&mut scene, weather("KLGA")), [0, 0, 1]);
    assert_eq!(asked(&mut scene, weather("KORD")), [0, 0, 0]);
    assert_eq!(asked(&mut scene, |scene| drop(scene.play(&Event::Timer))), [1, 1, 1]);
}

#[test]
fn a_book_concerns_who_follows_its_market_once_that_is_described() {
    let mut scene = scene();
    let books = |scene: &mut Scene| scene.books("0.49", "0.51");
    assert_eq!(asked(&mut scene, books), [0, 0, 0], "not described yet");
    assert_eq!(asked(&mut scene, |scene| scene.list(OPENS)), [1, 1, 1]);
    assert_eq!(asked(&mut scene, books), [2, 2, 2], "a book of each outcome");
    let other = |scene: &mut Scene| {
        let mut market = crate::pipeline::athena::scene::market(OPENS);
        (market.market, market.slug) = ("0xeth".into(), "eth-updown-5m-1795348800".into());
        scene.play(&Event::Polymarket(PolymarketData::Market(market)));
        let mut book = bench::book(&format!("up-{OPENS}"), "0.49", "0.51", scene.now);
        book.market = "0xeth".into();
        scene.play(&Event::Polymarket(PolymarketData::Book(book)));
    };
    assert_eq!(asked(&mut scene, other), [0, 0, 0], "nobody follows it");
}

#[test]
fn other_words_for_a_market_are_another_question() {
    let mut scene = scene();
    scene.list(OPENS);
    let renamed = |scene: &mut Scene| {
        let mut market = crate::pipeline::athena::scene::market(OPENS);
        market.slug = "something-else".into();
        scene.play(&Event::Polymarket(PolymarketData::Market(market)));
    };
    assert_eq!(asked(&mut scene, renamed), [0, 0, 0]);
    assert_eq!(asked(&mut scene, |scene| scene.books("0.49", "0.51")), [0, 0, 0]);
}

#[test]
fn momentum_looks_at_books_when_its_pair_moves_and_weather_follows_its_event() {
    let mut up_down = crate::pipeline::athena::scene::market(OPENS);
    let momentum = Running::<Momentum>::all(&Momentum::defaults()).remove(0);
    assert!(!momentum.follows(&up_down));
    let weather = Running::<Weather>::all(&Weather::defaults()).remove(0);
    assert!(!weather.follows(&up_down));
    up_down.slug = "highest-temperature-in-nyc-on-july-10-2026-84-85f".into();
    up_down.question = None;
    assert!(weather.follows(&up_down) && !momentum.follows(&up_down));
}

#[test]
fn what_hermes_and_the_latch_tell_is_for_the_engine_alone() {
    let mut scene = scene();
    scene.list(OPENS);
    let told = |scene: &mut Scene| {
        scene.play(&Event::Hermes(Box::new(scene.hermes.clone())));
        scene.order_event(2, crate::domain::Order::new(bench::buy("0.50", "20"), scene.now));
        scene.play(&Event::Latch(scene.hermes.kill.latch.clone()));
        scene.play(&Event::OnItsWay(Box::new(bench::buy("0.50", "20"))));
    };
    assert_eq!(asked(&mut scene, told), [0, 0, 0]);
    assert_eq!(scene.engine.trading_state(scene.now), crate::domain::TradingState::Active);
    assert_eq!(asked(&mut scene, |scene| drop(scene.play(&Event::Gap))), [1, 1, 1]);
}

#[test]
fn a_roll_asks_only_those_that_look_at_markets_and_one_that_is_over_is_not_asked_about_again() {
    let mut scene = scene();
    let series = Instruments::new((0..1_000).map(pair).collect()).expect("no two are the same");
    let mut runners =
        Running::<Momentum>::all(&crate::pipeline::athena::MomentumParams { on: series, ..Momentum::defaults() });
    let on = Instruments::one("BTC/USD", "btc-updown-5m-{start}");
    runners.extend(Running::<Probe>::all(&ProbeParams { on }));
    scene.engine = Engine::new(runners, bench::limits());
    let questions = |scene: &mut Scene, play: &dyn Fn(&mut Scene)| {
        let before = QUESTIONS.get();
        play(scene);
        QUESTIONS.get() - before
    };
    let roll = |scene: &mut Scene| {
        for number in 0..1_000 {
            let mut market = crate::pipeline::athena::scene::market(OPENS);
            (market.market, market.slug) =
                (format!("0x{number}").into(), format!("x{number}-updown-5m-{OPENS}").into());
            scene.play(&Event::Polymarket(PolymarketData::Market(market)));
        }
    };
    assert_eq!(questions(&mut scene, &roll), 1_000, "the probe about each, and nobody else");
    assert_eq!(questions(&mut scene, &|scene| scene.list(OPENS)), 1);
    // It ends, and waits for its result for a quarter of an hour.
    let waits = |scene: &mut Scene| {
        for _ in 0..1_200 {
            scene.now = scene.now.plus(Duration::from_secs(1));
            scene.list(OPENS);
            scene.play(&Event::Timer);
        }
    };
    assert_eq!(questions(&mut scene, &waits), 0);
    scene.now = scene.now.plus(Duration::from_secs(61));
    scene.play(&Event::Timer);
    assert_eq!(questions(&mut scene, &|scene| scene.list(OPENS)), 1, "nobody told of it any more: it was forgotten");
}

fn pair(number: usize) -> Instrument {
    Instrument { symbol: format!("X{number}/USD").as_str().into(), market: format!("x{number}-updown-5m-{{start}}") }
}
