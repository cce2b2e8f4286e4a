//! Bodies of NWS and Open-Meteo as events. Their collectors are to come; this reads what the recordings have.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::*;

/// With its offset, such as `2019-10-14T20:00:00-04:00`.
pub(super) fn instant(text: &str) -> Timestamp {
    Timestamp::from_secs(OffsetDateTime::parse(text, &Rfc3339).expect("RFC 3339").unix_timestamp())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}"))
}

/// A number in the unit of its source; nothing for null.
fn degrees(value: &Value, unit: TemperatureUnit) -> Option<Temperature> {
    let number = (!value.is_null()).then(|| value.to_string().parse().expect("a number"))?;
    Some(Temperature { value: number, unit })
}

/// `unit:degC` until 2021, `wmoUnit:degC` since.
fn unit_of(code: &Value) -> TemperatureUnit {
    match text(code) {
        "unit:degC" | "wmoUnit:degC" => TemperatureUnit::Celsius,
        "unit:degF" | "wmoUnit:degF" => TemperatureUnit::Fahrenheit,
        other => panic!("an unknown unit is never guessed: {other}"),
    }
}

/// The tenths of a degree that a METAR has in its T-group: `T02560228` is 25.6 °C and a dew point of 22.8.
fn of_metar(raw: &str) -> Option<Temperature> {
    let group = raw.split(' ').find(|group| group.len() == 9 && group.starts_with('T'))?;
    let tenths: i64 = group.get(2..5)?.parse().ok()?;
    Some(Temperature::celsius(Decimal::new(if group.get(1..2)? == "1" { -tenths } else { tenths }, 1)))
}

/// `/stations/{id}/observations`: a value that quality control refused is none; without one the METAR is asked.
pub(super) fn nws_observations(body: &Value, received_at: Timestamp) -> Vec<WeatherData> {
    let observation = |feature: &Value| {
        let properties = &feature["properties"];
        let quantity = &properties["temperature"];
        let refused = ["qc:X", "X", "qc:B", "B"].contains(&quantity["qualityControl"].as_str().unwrap_or_default());
        let measured = degrees(&quantity["value"], unit_of(&quantity["unitCode"])).filter(|_| !refused);
        WeatherData::Observation(Observation {
            station: text(&properties["station"]).rsplit('/').next().expect("a last part").into(),
            temperature: measured.or_else(|| of_metar(properties["rawMessage"].as_str().unwrap_or_default())),
            event_at: instant(text(&properties["timestamp"])),
            received_at,
        })
    };
    body["features"].as_array().expect("features").iter().map(observation).collect()
}

/// `/gridpoints/{wfo}/{x},{y}/forecast/hourly`: a temperature is a number with a unit beside it, or a quantity of its own.
pub(super) fn nws_forecast(body: &Value, station: &str, received_at: Timestamp) -> WeatherData {
    let hour = |period: &Value| {
        let temperature = &period["temperature"];
        let temperature = match (temperature.get("unitCode"), period["temperatureUnit"].as_str()) {
            (Some(code), _) => degrees(&temperature["value"], unit_of(code)),
            (None, Some("C")) => degrees(temperature, TemperatureUnit::Celsius),
            (None, Some("F")) => degrees(temperature, TemperatureUnit::Fahrenheit),
            (None, other) => panic!("an unknown unit is never guessed: {other:?}"),
        };
        Some(ForecastHour { at: instant(text(&period["startTime"])), temperature: temperature? })
    };
    WeatherData::Forecast(Forecast {
        station: station.into(),
        model: ForecastModel::Nws,
        event_at: instant(text(&body["properties"]["updateTime"])),
        received_at,
        hours: body["properties"]["periods"].as_array().expect("periods").iter().filter_map(hour).collect(),
    })
}

/// `/v1/forecast` with `hourly=temperature_2m`, of the first place: times are seconds, or local without their offset. It does not say when
/// it was computed.
pub(super) fn open_meteo(body: &Value, station: &str, received_at: Timestamp) -> WeatherData {
    let body = body.get(0).unwrap_or(body);
    let offset = body["utc_offset_seconds"].as_i64().expect("an offset");
    let unit = match text(&body["hourly_units"]["temperature_2m"]) {
        "°C" => TemperatureUnit::Celsius,
        "°F" => TemperatureUnit::Fahrenheit,
        other => panic!("an unknown unit is never guessed: {other}"),
    };
    let at = |time: &Value| match time.as_str() {
        Some(local) => Timestamp::from_secs(instant(&format!("{local}:00Z")).secs() - offset),
        None => Timestamp::from_secs(time.as_i64().expect("seconds")),
    };
    let column = |name: &str| body["hourly"][name].as_array().expect("a column").clone();
    let (times, values) = (column("time"), column("temperature_2m"));
    assert_eq!(times.len(), values.len(), "they run side by side");
    let hour = |(time, value)| degrees(value, unit).map(|temperature| ForecastHour { at: at(time), temperature });
    WeatherData::Forecast(Forecast {
        station: station.into(),
        model: ForecastModel::OpenMeteo,
        event_at: received_at,
        received_at,
        hours: times.iter().zip(&values).filter_map(hour).collect(),
    })
}
