//! Four years of daily highs in two cities: the error is measured on the first two, the probabilities are held against the others.

use super::super::outlook::Outlook;
use super::history::{City, Day, Forecaster, cities, decimal, forecast, mean, report};
use super::*;
use crate::domain::Bucket;

/// How much the morning tells of the rest of the day. The recordings have only the highest of each day; what the morning was off by is
/// made up of that and of what another day was off by, so that the two go together as much as this says.
const CARRY: f64 = 0.7;

/// Probabilities of all buckets of all days, each with what came of it.
fn judged(city: &City, hour: usize) -> Vec<(f64, bool)> {
    let (known, other): (Vec<_>, Vec<_>) = city.days.iter().copied().partition(|day| day.date.0 < 2014);
    let forecaster = Forecaster::learn(&known);
    let error = decimal(forecaster.error);
    let params = WeatherParams {
        zone: city.zone.clone(),
        bias: decimal(forecaster.bias),
        error_now: error,
        error_1d: error,
        error_3d: error,
        carry: decimal(CARRY),
        ..super::params()
    };
    let off = |pair: &[Day]| pair[1].high - forecaster.bias - forecaster.forecast(pair);
    let offs: Vec<f64> = other.windows(2).map(off).collect();
    let mut judged = Vec::new();
    for (index, pair) in other.windows(2).enumerate() {
        let morning = CARRY * offs[index] + (1.0 - CARRY * CARRY).sqrt() * offs[(index + 100) % offs.len()];
        let (day, high, below) = (pair[1].day(), pair[1].high, city.usual(&pair[1]));
        let (expected, hours) = (forecaster.forecast(pair), city.hours(day));
        let mut outlook = Outlook::default();
        outlook.expect(&forecast(&hours, |hour| expected - below[hour]));
        for (hour, at) in hours.iter().enumerate().take(hour) {
            outlook.observe(&report(*at, expected + morning - below[hour]), &city.zone);
        }
        let params = WeatherParams { forecast_age: Duration::from_hours(48), ..params.clone() };
        let odds = outlook.odds(day, &params, hours[hour]).expect("everything is known");
        let high = odds.high.map_or(decimal(high), |seen| decimal(high).max(seen.degrees));
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
    for city in cities().into_iter().flatten() {
        for hour in [0, 10] {
            let (judged, city) = (judged(&city, hour), city.name);
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
