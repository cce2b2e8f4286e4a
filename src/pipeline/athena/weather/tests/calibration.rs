//! Four years of daily highs in two cities: the error is measured on the first two, the probabilities are held against the others.

use std::collections::BTreeMap;

use super::super::outlook::Outlook;
use super::*;
use crate::domain::Bucket;
use crate::fixtures;

const DAILY: &str = "history/vega_weather.csv";
const HOURLY: &str = "history/vega_seattle-weather-hourly-normals.csv";

type Date = (i16, i8, i8);

fn date(text: &str) -> Date {
    let mut parts = text.split('-');
    let mut part = || parts.next().and_then(|part| part.parse::<i16>().ok()).expect("a date");
    (part(), part().to_i8().expect("small"), part().to_i8().expect("small"))
}

/// Daily highs of a city in degrees Fahrenheit, as they were measured: whole ones.
fn highs(csv: &str, city: &str) -> Vec<(Date, f64)> {
    let row = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        let high: f64 = cells[3].parse().expect("a temperature");
        (cells[0] == city).then(|| (date(cells[1]), high * 1.8 + 32.0))
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
struct Forecaster {
    usual: Vec<f64>,
    persistence: f64,
    bias: f64,
    error: f64,
}

fn day_of_year((_, month, day): Date) -> usize {
    usize::try_from((i32::from(month) - 1) * 30 + i32::from(day).min(30) - 1).expect("positive")
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

impl Forecaster {
    fn learn(days: &[(Date, f64)]) -> Self {
        let near = |of: usize, date: Date| {
            let apart = day_of_year(date).abs_diff(of);
            apart.min(360 - apart) <= 15
        };
        let usual: Vec<f64> =
            (0..360).map(|of| mean(days.iter().filter(|(date, _)| near(of, *date)).map(|(_, high)| *high))).collect();
        let distance = |(date, high): &(Date, f64)| high - usual[day_of_year(*date)];
        let products = days.windows(2).map(|pair| distance(&pair[0]) * distance(&pair[1]));
        let persistence = mean(products) / mean(days.iter().map(|day| distance(day).powi(2)));
        let mut learned = Self { usual, persistence, bias: 0.0, error: 0.0 };
        let errors: Vec<f64> = days.windows(2).map(|pair| pair[1].1 - learned.forecast(pair[0], pair[1].0)).collect();
        learned.bias = mean(errors.iter().copied());
        learned.error = mean(errors.iter().map(|error| (error - learned.bias).powi(2))).sqrt();
        learned
    }

    fn forecast(&self, (before, high): (Date, f64), day: Date) -> f64 {
        self.usual[day_of_year(day)] + self.persistence * (high - self.usual[day_of_year(before)])
    }
}

/// How much the morning tells of the rest of the day. The recordings have only the highest of each day; what the morning was off by is
/// made up of that and of what another day was off by, so that the two go together as much as this says.
const CARRY: f64 = 0.7;

fn decimal(value: f64) -> Decimal {
    Decimal::try_from((value * 100.0).round() / 100.0).expect("a temperature")
}

/// Probabilities of all buckets of all days, each with what came of it.
fn judged(city: &str, zone: &str, hour: usize, daily: &str, hourly: &str) -> Vec<(f64, bool)> {
    let days = highs(daily, city);
    let courses = courses(hourly);
    let (known, other): (Vec<_>, Vec<_>) = days.into_iter().partition(|((year, ..), _)| *year < 2014);
    let forecaster = Forecaster::learn(&known);
    let error = decimal(forecaster.error);
    let zone = Zone::named(zone).expect("known");
    let params = WeatherParams {
        zone: zone.clone(),
        bias: decimal(forecaster.bias),
        error_now: error,
        error_1d: error,
        error_3d: error,
        carry: decimal(CARRY),
        ..super::params()
    };
    let off = |pair: &[(Date, f64)]| pair[1].1 - forecaster.bias - forecaster.forecast(pair[0], pair[1].0);
    let offs: Vec<f64> = other.windows(2).map(off).collect();
    let mut judged = Vec::new();
    for (index, pair) in other.windows(2).enumerate() {
        let ((_, month, date), high) = pair[1];
        let morning = CARRY * offs[index] + (1.0 - CARRY * CARRY).sqrt() * offs[(index + 100) % offs.len()];
        let day = LocalDay::new(pair[1].0.0, month, date).expect("a day");
        let course = &courses[&(month, date.min(if month == 2 { 28 } else { 31 }))];
        let top = course.iter().copied().fold(f64::MIN, f64::max);
        let begins = zone.start_of(day);
        let at = |hour: usize| begins.plus(Duration::from_hours(hour as u64));
        let degrees = |top_at: f64, hour: usize| {
            Temperature::fahrenheit(decimal(course[hour.min(course.len() - 1)] - top + top_at))
        };
        let expected = forecaster.forecast(pair[0], pair[1].0);
        let hours = (0..25).filter(|hour| at(*hour) < zone.end_of(day));
        let hours = hours.map(|hour| ForecastHour { at: at(hour), temperature: degrees(expected, hour) }).collect();
        let mut outlook = Outlook::default();
        outlook.expect(&Forecast {
            station: "KLGA".into(),
            model: ForecastModel::Nws,
            event_at: begins,
            received_at: begins,
            hours,
        });
        for hour in 0..hour {
            let event_at = at(hour).plus(Duration::from_mins(53));
            let temperature = Some(degrees(expected + morning, hour));
            let report = Observation { station: "KLGA".into(), temperature, event_at, received_at: event_at };
            outlook.observe(&report, &zone);
        }
        let params = WeatherParams { forecast_age: Duration::from_hours(48), ..params.clone() };
        let odds = outlook.odds(day, &params, at(hour)).expect("everything is known");
        let high = odds.high.map_or(decimal(high), |seen| decimal(high).max(seen));
        let middle = decimal(expected).round().to_i32().expect("a temperature");
        let unit = TemperatureUnit::Fahrenheit;
        let mut ladder: Vec<_> = (-5..5)
            .map(|step| Bucket { low: Some(middle + 2 * step), high: Some(middle + 2 * step + 1), unit })
            .collect();
        ladder.push(Bucket { low: None, high: Some(middle - 11), unit });
        ladder.push(Bucket { low: Some(middle + 10), high: None, unit });
        judged.extend(ladder.iter().map(|bucket| (odds.of(bucket), bucket.holds(high, Rounding::Nearest))));
    }
    judged
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are what it is for")]
fn what_is_called_likely_happens_as_often() {
    let (Some(daily), Some(hourly)) = (fixtures::text(DAILY), fixtures::text(HOURLY)) else { return };
    for (city, zone) in [("Seattle", "America/Los_Angeles"), ("New York", "America/New_York")] {
        for hour in [0, 10] {
            let judged = judged(city, zone, hour, &daily, &hourly);
            let edges = [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 1.01];
            let mut worst: f64 = 0.0;
            for bounds in edges.windows(2) {
                let within: Vec<_> = judged.iter().filter(|(p, _)| *p >= bounds[0] && *p < bounds[1]).collect();
                if within.len() < 100 {
                    continue;
                }
                let said = mean(within.iter().map(|(p, _)| *p));
                let came = mean(within.iter().map(|(_, came)| f64::from(u8::from(*came))));
                eprintln!("{city} at {hour:>2}: said {said:.3}, came {came:.3} of {}", within.len());
                let off = (said - came).abs();
                let by_chance = (said * (1.0 - said) / within.len() as f64).sqrt();
                assert!(off < 0.02 + 2.5 * by_chance, "{city} at {hour}: said {said:.3}, came {came:.3}");
                worst = worst.max(off);
            }
            let brier = |p: &dyn Fn(f64) -> f64| {
                mean(judged.iter().map(|(said, came)| (p(*said) - f64::from(u8::from(*came))).powi(2)))
            };
            let (ours, flat) = (brier(&|p| p), brier(&|_| 1.0 / 12.0));
            eprintln!("{city} at {hour:>2}: furthest off {worst:.3}, Brier {ours:.4}, without a forecast {flat:.4}");
            assert!(ours < flat, "{city} at {hour}: {ours} is no better than knowing nothing");
        }
    }
}
