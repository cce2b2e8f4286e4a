//! What comes over `data.weather`.

use super::*;
use crate::domain::{Observation, Temperature};
use crate::pipeline::athena::{Strategy, Weather};

#[tokio::test]
async fn weather_reaches_the_strategy_that_asks_for_it() {
    let bus = TestBus::new();
    let strategies = vec![StrategySettings::of::<Weather>(true, &Weather::defaults())];
    let shutdown = CancellationToken::new();
    let port: BusRef = bus.clone();
    let daemon = tokio::spawn(run(
        Settings { strategies, shard: Shard::WHOLE, limits: bench::limits() },
        port,
        shutdown.clone(),
    ));
    let rig = Rig {
        bus: Arc::clone(&bus),
        argos: [Origin::new("argos", "a1"), Origin::new("argos", "a1")],
        hermes: Origin::new("hermes", "h1"),
        shutdown,
        daemon,
        trades: 0,
        before: None,
    };
    rig.keep(&Key::HERMES, &scene::hermes(0, clock::now())).await;
    rig.arm(1).await;
    rig.state(|state| state.strategies.iter().any(|strategy| strategy.symbol.as_str() == "KLGA")).await;
    let now = clock::now();
    let observation = Observation {
        station: "KLGA".into(),
        temperature: Some(Temperature::celsius(dec!(20))),
        event_at: now,
        received_at: now,
    };
    let payload = encode(&rig.argos[0].wrap(&WeatherData::Observation(observation), now)).expect("encodes");
    rig.bus.publish(Channel::Weather, payload).await.expect("up");
    let state = rig.state(|state| state.strategies[0].window_ticks == 1).await;
    assert_eq!(state.strategies[0].last, Some(Price(dec!(68))), "in the market's degrees");
    rig.stop().await;
}
