//! What `data.weather` carries: what a station has measured, and what is expected there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{StationId, Temperature, Timestamp};

/// What a station has measured. A station is quiet at times, and its reports have holes: a missing temperature is said, never zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// Which station.
    pub station: StationId,
    /// Air temperature; absent when the report has none, or one that quality control refused.
    pub temperature: Option<Temperature>,
    /// When it was measured.
    pub event_at: Timestamp,
    /// When it reached us.
    pub received_at: Timestamp,
}

/// Who computed a forecast. Each errs in its own way, so they are never mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForecastModel {
    /// The hourly forecast of the US National Weather Service.
    Nws,
    /// Open-Meteo's best match.
    OpenMeteo,
}

/// What is expected in the hour that begins then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForecastHour {
    /// When the hour begins.
    pub at: Timestamp,
    /// Air temperature.
    pub temperature: Temperature,
}

/// An hourly forecast for the place of a station.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forecast {
    /// Which station's place.
    pub station: StationId,
    /// Who computed it.
    pub model: ForecastModel,
    /// When it was computed (`updateTime` of NWS). Its age and the lead of each hour count from then.
    pub event_at: Timestamp,
    /// When it reached us.
    pub received_at: Timestamp,
    /// Its hours, oldest first, at most 400. Hours without a value are left out.
    pub hours: Vec<ForecastHour>,
}

/// What `data.weather` carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum WeatherData {
    /// A station's report.
    Observation(Observation),
    /// An hourly forecast.
    Forecast(Forecast),
}

impl WeatherData {
    /// Which station it is about.
    #[must_use]
    pub const fn station(&self) -> &StationId {
        match self {
            Self::Observation(observation) => &observation.station,
            Self::Forecast(forecast) => &forecast.station,
        }
    }

    /// When it was measured or computed.
    #[must_use]
    pub const fn event_at(&self) -> Timestamp {
        match self {
            Self::Observation(observation) => observation.event_at,
            Self::Forecast(forecast) => forecast.event_at,
        }
    }

    /// When it reached us.
    #[must_use]
    pub const fn received_at(&self) -> Timestamp {
        match self {
            Self::Observation(observation) => observation.received_at,
            Self::Forecast(forecast) => forecast.received_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    #[test]
    fn the_wire_form_is_as_the_schema_says_and_a_missing_value_is_null() {
        let data = WeatherData::Observation(Observation {
            station: "KLGA".into(),
            temperature: Some(Temperature::celsius(dec!(25.6))),
            event_at: Timestamp::from_secs(1),
            received_at: Timestamp::from_secs(2),
        });
        let text = serde_json::to_string(&data).expect("serialises");
        assert_eq!(
            text,
            r#"{"type":"observation","station":"KLGA","temperature":{"value":"25.6","unit":"celsius"},"event_at":1000000,"received_at":2000000}"#
        );
        assert_eq!(serde_json::from_str::<WeatherData>(&text).ok(), Some(data));
        let missing = text.replace(r#"{"value":"25.6","unit":"celsius"}"#, "null");
        assert!(serde_json::from_str::<WeatherData>(&missing).is_ok());
    }
}
