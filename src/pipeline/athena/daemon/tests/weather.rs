//! What comes over `data.weather`.

use super::*;
use crate::domain::{Observation, Temperature};
use crate::pipeline::athena::{Strategy, Weather};

/// The daemon with the weather strategy alone.
async fn start(bus: &Arc<TestBus>) -> Rig {
    let strategies = vec![StrategySettings::of::<Weather>(true, &Weather::defaults())];
    let shutdown = CancellationToken::new();
    let port: BusRef = bus.clone();
    let settings = Settings { strategies, shard: Shard::WHOLE, limits: bench::limits() };
    let daemon = tokio::spawn(run(settings, port, shutdown.clone()));
    let argos = [Origin::new("argos", "a1"), Origin::new("argos", "a1")];
    let (bus, hermes) = (Arc::clone(bus), Origin::new("hermes", "h1"));
    let rig = Rig { bus, argos, hermes, shutdown, daemon, trades: 0, before: None };
    rig.keep(&Key::HERMES, &scene::hermes(0, clock::now())).await;
    rig.arm(1).await;
    rig.state(|state| state.strategies.iter().any(|strategy| strategy.symbol.as_str() == "KLGA")).await;
    rig
}

fn observation(at: Timestamp) -> WeatherData {
    let temperature = Some(Temperature::celsius(dec!(20)));
    WeatherData::Observation(Observation { station: "KLGA".into(), temperature, event_at: at, received_at: at })
}

async fn publish(rig: &Rig, at: Timestamp) {
    let payload = encode(&rig.argos[0].wrap(&observation(at), at)).expect("encodes");
    rig.bus.publish(Channel::Weather, payload).await.expect("up");
}

#[tokio::test]
async fn news_that_were_missed_leave_hours_that_are_not_known() {
    let bus = TestBus::new();
    let rig = start(&bus).await;
    let unseen = |bus: &TestBus, reports: usize| {
        let payload = locked(&bus.kept).keys.get("state.athena.weather.KLGA").cloned()?;
        let kept = decode::<serde_json::Value>(&payload).expect("readable").body;
        let outlook = &kept["state"]["outlook"];
        let readings = |day: &serde_json::Value| day["readings"].as_object().map(serde_json::Map::len);
        let told: usize = outlook["days"].as_object()?.values().filter_map(readings).sum();
        let bits = |day: &serde_json::Value| day.as_u64().map_or(0, u64::count_ones);
        (told == reports).then(|| outlook["unseen"].as_object().map_or(0, |days| days.values().map(bits).sum()))
    };
    let cold = rig.until("the state before any report", |bus| unseen(bus, 0)).await;
    assert!(cold > 0, "what came before the start is not known");
    // Noon three days on, when those hours are forgotten: no midnight and no change of the clocks lies within the reports.
    let zone = Weather::defaults().zone;
    let day = zone.day_of(clock::now()).next().next().next();
    let noon = zone.start_of(day).plus(Duration::from_hours(12));
    publish(&rig, noon).await;
    assert_eq!(rig.until("a report", |bus| unseen(bus, 1)).await, 0, "what is over is forgotten");
    publish(&rig, noon.plus(Duration::from_mins(1))).await;
    assert_eq!(rig.until("the next", |bus| unseen(bus, 2)).await, 0, "nothing is missing");
    rig.argos[0].wrap(&observation(noon), noon);
    publish(&rig, noon.plus(Duration::from_mins(121))).await;
    let missed = rig.until("the one after a hole", |bus| unseen(bus, 3)).await;
    assert_eq!(missed, 4, "from half an hour before the hole to its end");
    rig.stop().await;
}

#[tokio::test]
async fn weather_reaches_the_strategy_that_asks_for_it() {
    let bus = TestBus::new();
    let rig = start(&bus).await;
    publish(&rig, clock::now()).await;
    let state = rig.state(|state| state.strategies[0].window_ticks == 1).await;
    assert_eq!(state.strategies[0].last, Some(Price(dec!(68))), "in the market's degrees");
    rig.stop().await;
}
