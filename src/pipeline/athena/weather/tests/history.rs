//! Four years of daily highs and lows in two cities, hour by hour, and a forecaster that learns from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::fixtures;

const DAILY: &str = "history/vega_weather.csv";
const HOURLY: &str = "history/vega_seattle-weather-hourly-normals.csv";

pub(super) type Date = (i16, i8, i8);

/// A day's highest and lowest in degrees Fahrenheit. They were measured in whole ones.
#[derive(Clone, Copy)]
pub(super) struct Day {
    pub(super) date: Date,
    pub(super) high: f64,
    low: f64,
}

impl Day {
    pub(super) fn day(&self) -> LocalDay {
        let (year, month, date) = self.date;
        LocalDay::new(year, month, date).expect("a day")
    }
}

pub(super) struct City {
    pub(super) name: &'static str,
    pub(super) zone: Zone,
    pub(super) days: Vec<Day>,
    /// The usual course of each day in Seattle, by month and day: of the other city there is no such series.
    courses: Arc<BTreeMap<(i8, i8), Vec<f64>>>,
}

/// Both cities; nothing without the recordings.
pub(super) fn cities() -> Option<[City; 2]> {
    let (daily, hourly) = (fixtures::text(DAILY)?, fixtures::text(HOURLY)?);
    let courses = Arc::new(courses(&hourly));
    Some([("Seattle", "America/Los_Angeles"), ("New York", "America/New_York")].map(|(name, zone)| City {
        name,
        zone: Zone::named(zone).expect("known"),
        days: days(&daily, name),
        courses: Arc::clone(&courses),
    }))
}

impl City {
    /// How far below the day's highest each of its hours is, by the hourly series.
    pub(super) fn usual(&self, day: &Day) -> Vec<f64> {
        let (_, month, date) = day.date;
        let course = &self.courses[&(month, if month == 2 { date.min(28) } else { date })];
        let top = course.iter().copied().fold(f64::MIN, f64::max);
        (0..25).map(|hour| top - course[course.len().min(hour + 1) - 1]).collect()
    }

    /// The same by what is the city's own: its hourly series, else a wave from the day's lowest at three in the night to its highest at
    /// three in the afternoon.
    pub(super) fn own(&self, day: &Day) -> Vec<f64> {
        if self.name == "Seattle" {
            return self.usual(day);
        }
        let wave = |hour: i32| (1.0 - (f64::from(hour - 15) / 12.0 * std::f64::consts::PI).cos()) / 2.0;
        (0..25).map(|hour| (day.high - day.low) * wave(hour)).collect()
    }

    /// The first instant of each hour of a day.
    pub(super) fn hours(&self, day: LocalDay) -> Vec<Timestamp> {
        let (begins, ends) = (self.zone.start_of(day), self.zone.end_of(day));
        (0..25).map(|hour| begins.plus(Duration::from_hours(hour))).filter(|at| *at < ends).collect()
    }
}

/// A forecast made as the day begins, by NWS for a station of New York.
pub(super) fn forecast(hours: &[Timestamp], degrees: impl Fn(usize) -> f64) -> Forecast {
    let hour = |(hour, at): (usize, &Timestamp)| ForecastHour {
        at: *at,
        temperature: Temperature::fahrenheit(decimal(degrees(hour))),
    };
    Forecast {
        station: "KLGA".into(),
        model: ForecastModel::Nws,
        event_at: hours[0],
        received_at: hours[0],
        hours: hours.iter().enumerate().map(hour).collect(),
    }
}

/// Its report of an hour, seven minutes before the hour is over.
pub(super) fn report(hour: Timestamp, degrees: f64) -> Observation {
    let event_at = hour.plus(Duration::from_mins(53));
    let temperature = Some(Temperature::fahrenheit(decimal(degrees)));
    Observation { station: "KLGA".into(), temperature, event_at, received_at: event_at }
}

fn date(text: &str) -> Date {
    let mut parts = text.split('-');
    let mut part = || parts.next().and_then(|part| part.parse::<i16>().ok()).expect("a date");
    (part(), part().to_i8().expect("small"), part().to_i8().expect("small"))
}

fn days(csv: &str, city: &str) -> Vec<Day> {
    let row = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        let fahrenheit = |cell: usize| cells[cell].parse::<f64>().expect("a temperature") * 1.8 + 32.0;
        (cells[0] == city).then(|| Day { date: date(cells[1]), high: fahrenheit(3), low: fahrenheit(4) })
    };
    csv.lines().skip(1).filter_map(row).collect()
}

/// The usual course of each day, by month and day.
fn courses(csv: &str) -> BTreeMap<(i8, i8), Vec<f64>> {
    let mut courses: BTreeMap<_, Vec<f64>> = BTreeMap::new();
    for line in csv.lines().skip(1) {
        let mut cells = line.split(',');
        let (_, month, day) = date(&cells.next().expect("a time")[..10]);
        let degrees: f64 = cells.nth(1).and_then(|cell| cell.parse().ok()).expect("a temperature");
        courses.entry((month, day)).or_default().push(degrees * 1.8 + 32.0);
    }
    courses
}

/// A forecaster that knows the season and yesterday: the usual high of the fortnight around the day, and a part of yesterday's distance
/// from its own. Its error is measured on the same days that it learned from.
pub(super) struct Forecaster {
    usual: Vec<f64>,
    persistence: f64,
    pub(super) bias: f64,
    pub(super) error: f64,
}

fn day_of_year((_, month, day): Date) -> usize {
    usize::try_from((i32::from(month) - 1) * 30 + i32::from(day).min(30) - 1).expect("positive")
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

impl Forecaster {
    pub(super) fn learn(days: &[Day]) -> Self {
        let near = |of: usize, date: Date| {
            let apart = day_of_year(date).abs_diff(of);
            apart.min(360 - apart) <= 15
        };
        let usual: Vec<f64> =
            (0..360).map(|of| mean(days.iter().filter(|day| near(of, day.date)).map(|day| day.high))).collect();
        let distance = |day: &Day| day.high - usual[day_of_year(day.date)];
        let products = days.windows(2).map(|pair| distance(&pair[0]) * distance(&pair[1]));
        let persistence = mean(products) / mean(days.iter().map(|day| distance(day).powi(2)));
        let mut learned = Self { usual, persistence, bias: 0.0, error: 0.0 };
        let errors: Vec<f64> = days.windows(2).map(|pair| pair[1].high - learned.forecast(pair)).collect();
        learned.bias = mean(errors.iter().copied());
        learned.error = mean(errors.iter().map(|error| (error - learned.bias).powi(2))).sqrt();
        learned
    }

    /// The highest of the second of two days that follow one another.
    pub(super) fn forecast(&self, pair: &[Day]) -> f64 {
        let [before, day] = [0, 1].map(|at| self.usual[day_of_year(pair[at].date)]);
        day + self.persistence * (pair[0].high - before)
    }
}

pub(super) fn decimal(value: f64) -> Decimal {
    Decimal::try_from((value * 100.0).round() / 100.0).expect("a temperature")
}
