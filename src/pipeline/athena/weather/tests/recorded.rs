//! The strategy driven with recorded bodies of NWS and Open-Meteo, from their units to those of the market.

use serde_json::{Value, json};

use super::bodies::{instant, nws_forecast, nws_observations, open_meteo};
use super::*;
use crate::fixtures;

fn recorded(name: &str) -> Option<Value> {
    fixtures::text(&format!("feeds/{name}")).map(|text| serde_json::from_str(&text).expect("JSON"))
}

/// A desk at one instant, with the markets of these slugs.
fn desk(params: &WeatherParams, slugs: &[&str], now: Timestamp) -> scene::Scene {
    let mut scene = scene::Scene::new();
    let limits = Limits { markets: slugs.iter().map(|slug| (*slug).to_owned()).collect(), ..bench::limits() };
    scene.engine = Engine::new(Running::<Weather>::all(params), limits);
    scene.now = now;
    (scene.hermes.at, scene.hermes.reconciled_at) = (now, Some(now));
    scene.play(&Event::Hermes(Box::new(scene.hermes.clone())));
    for slug in slugs {
        let market = Market { slug: (*slug).into(), ..market(slug) };
        scene.play(&Event::Polymarket(PolymarketData::Market(market)));
    }
    scene
}

fn tell(scene: &mut scene::Scene, data: WeatherData) -> Vec<Effect> {
    scene.play(&Event::Weather(Box::new(data)))
}

fn book(scene: &mut scene::Scene, slug: &str, bid: &str, ask: &str) -> Vec<Effect> {
    let mut book = bench::book(&format!("yes-{slug}"), bid, ask, scene.now);
    book.market = format!("0x{slug}").into();
    scene.play(&Event::Polymarket(PolymarketData::Book(book)))
}

fn note(effects: &[Effect]) -> String {
    match effects {
        [Effect::Emit(emission)] => emission.rationale.note.to_string(),
        other => panic!("one intent was expected: {other:?}"),
    }
}

/// A figure of the last skip that was told.
fn figure_of(scene: &scene::Scene, name: &str) -> String {
    let skip = scene.skips.last().expect("a skip");
    skip.inputs.iter().find(|figure| figure.name == name).expect("looked at").value.to_string()
}

const FLORIDA: [&str; 3] = [
    "highest-temperature-in-fort-lauderdale-on-october-14-2019-77forbelow",
    "highest-temperature-in-fort-lauderdale-on-october-14-2019-78-79f",
    "highest-temperature-in-fort-lauderdale-on-october-14-2019-80forhigher",
];

fn florida(missing_hours: usize) -> WeatherParams {
    WeatherParams {
        station: StationId::new("KFLL"),
        event: "highest-temperature-in-fort-lauderdale-on-{date}".to_owned(),
        missing_hours,
        ..params()
    }
}

/// The report of June, as if it were of the evening that the forecast is of.
fn report_of_the_evening(name: &str) -> Option<Value> {
    let mut body = recorded(name)?;
    body["features"][0]["properties"]["timestamp"] = json!("2019-10-14T23:53:00+00:00");
    Some(body)
}

#[test]
fn a_report_of_nws_counts_in_its_own_unit_and_by_its_metar_when_the_value_is_null() {
    let received_at = instant("2019-06-27T11:00:00Z");
    let heard = |body: &Value| {
        let mut scene = desk(&florida(1), &[], received_at);
        for data in nws_observations(body, received_at) {
            assert_eq!((data.station().as_str(), data.event_at()), ("KFLL", instant("2019-06-27T10:53:00Z")));
            assert!(tell(&mut scene, data).is_empty());
        }
        figure_of(&scene, "highest so far")
    };
    let Some(measured) = recorded("nws/stations_observations.json") else { return };
    assert_eq!(heard(&measured), "10 °C in 1 reports");
    let mut today = measured.clone();
    today["features"][0]["properties"]["temperature"]["unitCode"] = json!("wmoUnit:degC");
    assert_eq!(heard(&today), "10 °C in 1 reports", "the name of the unit since 2021");
    let mut refused = measured;
    refused["features"][0]["properties"]["temperature"]["qualityControl"] = json!("qc:X");
    assert_eq!(heard(&refused), "25.6 °C in 1 reports", "what quality control refused is as good as null");

    let Some(mut null) = recorded("nws/stations_observations_metar.json") else { return };
    assert_eq!(heard(&null), "25.6 °C in 1 reports");
    null["features"][0]["properties"]["rawMessage"] = Value::Null;
    assert_eq!(heard(&null), "- in 0 reports", "a report without a temperature says nothing, least of all zero");
}

#[test]
fn report_and_forecast_of_nws_in_celsius_buy_a_bucket_in_fahrenheit() {
    let now = instant("2019-10-15T00:13:00Z");
    let Some(report) = report_of_the_evening("nws/stations_observations_metar.json") else { return };
    let Some(forecast) = recorded("nws/gridpoints_forecast_hourly_si.json") else { return };
    let told = |missing_hours, forecast: &Value| {
        let mut scene = desk(&florida(missing_hours), &FLORIDA, now);
        for data in nws_observations(&report, now) {
            tell(&mut scene, data);
        }
        tell(&mut scene, nws_forecast(forecast, "KFLL", now));
        let effects = book(&mut scene, FLORIDA[1], "0.68", "0.70");
        (effects, scene.idle())
    };
    // 25.6 °C were measured, which is 78.08 °F; 25.5 are expected, 77.9 °F.
    let (effects, idle) = told(24, &forecast);
    let bought = "KFLL on 2019-10-14: 78.1 °F so far, 77.9 ± 1.5 to come: buy 20 Yes of 78 to 79 °F at 0.71 or better, worth 0.85";
    assert!(note(&effects).starts_with(bought), "{} {idle:?}", note(&effects));

    let (effects, idle) = told(1, &forecast);
    assert!(effects.is_empty());
    assert_eq!(idle.as_deref(), Some("21 hours are not known (at most 1)"), "it tells of two hours of the day only");
    let mut null = forecast.clone();
    null["properties"]["periods"][0]["temperature"] = json!({"unitCode": "wmoUnit:degC", "value": null});
    assert_eq!(told(1, &null).1.as_deref(), Some("22 hours are not known (at most 1)"), "an hour without a value");
    let mut quantity = forecast;
    quantity["properties"]["periods"][0]["temperature"] = json!({"unitCode": "wmoUnit:degF", "value": 77.9});
    assert!(note(&told(24, &quantity).0).starts_with(bought), "whatever the unit, it is the same temperature");
}

const JULY: [&str; 2] =
    ["highest-temperature-in-london-on-july-12-2022-20c", "highest-temperature-in-london-on-july-12-2022-68-69f"];

#[test]
fn all_forms_of_open_meteo_tell_the_same_and_drive_it_in_celsius_and_fahrenheit() {
    let now = instant("2022-07-12T08:00:00Z");
    let names =
        ["single_location_iso8601", "single_location_unixtime", "multi_location_iso8601", "multi_location_unixtime"];
    let bodies = names.map(|name| recorded(&format!("open_meteo/forecast_{name}.json")));
    let [Some(body), ..] = &bodies else { return };
    let read = |body: &Value| match open_meteo(body, "EGLC", now) {
        WeatherData::Forecast(forecast) => forecast,
        WeatherData::Observation(observation) => panic!("{observation:?}"),
    };
    let forecast = read(body);
    let first = forecast.hours.first().map(|hour| (hour.at, hour.temperature));
    assert_eq!(
        (forecast.hours.len(), first),
        (48, Some((instant("2022-07-12T01:00:00+01:00"), Temperature::celsius(dec!(20.0)))))
    );
    assert!(bodies.iter().flatten().all(|other| read(other) == forecast));

    let bought = |unit, slug: &str, ask: &str, body: &Value| {
        let params = WeatherParams {
            station: StationId::new("EGLC"),
            zone: Zone::named("Europe/London").expect("known"),
            event: "highest-temperature-in-london-on-{date}".to_owned(),
            model: ForecastModel::OpenMeteo,
            unit,
            ..params()
        };
        let mut scene = desk(&params, &JULY, now);
        let (station, temperature) = ("EGLC".into(), Some(Temperature::celsius(dec!(18))));
        let event_at = now.minus(Duration::from_mins(10));
        tell(&mut scene, WeatherData::Observation(Observation { station, temperature, event_at, received_at: now }));
        tell(&mut scene, open_meteo(body, "EGLC", now));
        let effects = book(&mut scene, slug, "0.10", ask);
        if effects.is_empty() { scene.idle().expect("a reason") } else { note(&effects) }
    };
    let celsius = bought(TemperatureUnit::Celsius, JULY[0], "0.18", body);
    let told =
        "EGLC on 2022-07-12: 18 °C so far, 20.0 ± 1.5 to come: buy 20 Yes of 20 °C at 0.19 or better, worth 0.26";
    assert!(celsius.starts_with(told), "{celsius}");
    let fahrenheit = bought(TemperatureUnit::Fahrenheit, JULY[1], "0.38", body);
    let told = "EGLC on 2022-07-12: 64.4 °F so far, 68.0 ± 1.5 to come: buy 20 Yes of 68 to 69 °F at 0.39 or better, worth 0.47";
    assert!(fahrenheit.starts_with(told), "{fahrenheit}");
    let mut holes = body.clone();
    for hour in [13, 14] {
        holes["hourly"]["temperature_2m"][hour] = Value::Null;
    }
    let why = bought(TemperatureUnit::Celsius, JULY[0], "0.18", &holes);
    assert_eq!(why, "3 hours are not known (at most 1)", "and the first one of the day, which it never tells of");
}
