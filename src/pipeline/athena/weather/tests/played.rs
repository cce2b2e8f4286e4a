//! Four years of days in two cities, each played through a whole engine with a ladder of buckets: what it wishes for, and what never.

use super::history::{City, Forecaster, cities, decimal, forecast, report};
use super::*;
use crate::domain::{Bucket, Figure, Rationale};

/// A day that is played: the engine, its ladder, and the highest of what was measured.
struct Played {
    scene: scene::Scene,
    ladder: Vec<(Market, Bucket)>,
    high: Decimal,
    wished: Vec<Bucket>,
}

/// Ten buckets around a temperature.
fn rungs(slug: &str, around: Decimal, closes_at: Timestamp) -> Vec<(Market, Bucket)> {
    let (middle, unit) = (around.round().to_i32().expect("a temperature"), TemperatureUnit::Fahrenheit);
    let name = |degrees: i32| format!("{}{}", if degrees < 0 { "neg-" } else { "" }, degrees.abs());
    let rung = |step: i32| {
        let low = middle - 10 + 2 * step;
        let (low, high, named) = match step {
            0 => (None, Some(low + 1), format!("{}forbelow", name(low + 1))),
            9 => (Some(low), None, format!("{}forhigher", name(low))),
            _ => (Some(low), Some(low + 1), format!("{}-{}f", name(low), name(low + 1))),
        };
        let market = Market {
            slug: format!("{slug}-{named}").into(),
            tick_size: Price(dec!(0.001)),
            closes_at: Some(closes_at),
            group: Some("day".into()),
            ..market(&named)
        };
        (market, Bucket { low, high, unit })
    };
    (0..10).map(rung).collect()
}

/// A day as slugs name it: `july-10-2014`.
fn slug_of(day: LocalDay) -> String {
    let text = day.to_string();
    let mut parts = text.split('-').map(|part| part.parse::<usize>().expect("a number"));
    let [year, month, date] = [(); 3].map(|()| parts.next().expect("a date"));
    format!("{}-{date}-{year}", ladder::MONTHS[month - 1])
}

impl Played {
    /// As the day begins, with YES of every bucket offered at `ask`.
    fn begin(params: &WeatherParams, day: LocalDay, around: Decimal, ask: &str) -> Self {
        let ladder = rungs(&params.event.replace("{date}", &slug_of(day)), around, params.zone.end_of(day));
        let markets = ladder.iter().map(|(market, _)| market.slug.to_string()).collect();
        let mut scene = scene::Scene::new();
        // No book changes all day.
        let limits = Limits { markets, data_age: Duration::from_hours(25), ..bench::wide() };
        scene.engine = Engine::new(Running::<Weather>::all(params), limits);
        let mut played = Self { scene, ladder, high: Decimal::MIN, wished: Vec::new() };
        played.clock(params.zone.start_of(day));
        for (market, _) in played.ladder.clone() {
            played.scene.play(&Event::Polymarket(PolymarketData::Market(market)));
        }
        played.hear(ask);
        played
    }

    fn clock(&mut self, now: Timestamp) {
        (self.scene.now, self.scene.hermes.at, self.scene.hermes.reconciled_at) = (now, now, Some(now));
        self.scene.play(&Event::Hermes(Box::new(self.scene.hermes.clone())));
    }

    fn play(&mut self, event: &Event) {
        for effect in self.scene.play(event) {
            let Effect::Emit(emission) = effect else { panic!("no limit is near: {effect:?}") };
            let (intent, why) = (emission.approved.inner(), &emission.rationale);
            let (market, bucket) = self.ladder.iter().find(|(market, _)| market.slug == intent.slug).expect("listed");
            told(why, market, self.high);
            assert_eq!((intent.side, intent.outcome.as_str()), (Side::Buy, "Yes"), "{}", why.note);
            assert!(!is_passed(bucket, self.high), "{} were measured: {}", self.high, why.note);
            self.wished.push(*bucket);
        }
    }

    fn report(&mut self, report: Observation) {
        self.clock(report.received_at);
        self.high = self.high.max(report.temperature.expect("measured").value);
        self.play(&Event::Weather(Box::new(WeatherData::Observation(report))));
    }

    /// Each market's book by itself, so that each is judged by itself. How many have been passed.
    fn hear(&mut self, ask: &str) -> usize {
        for (market, _) in self.ladder.clone() {
            let book = bench::book(market.tokens[0].token.as_str(), "0.001", ask, self.scene.now);
            self.play(&Event::Polymarket(PolymarketData::Book(Book { market: market.market, ..book })));
        }
        self.ladder.iter().filter(|(_, bucket)| is_passed(bucket, self.high)).count()
    }
}

/// Whether so much is beyond the bucket, halves rounded up.
fn is_passed(bucket: &Bucket, high: Decimal) -> bool {
    bucket.high.is_some_and(|most| (high + dec!(0.5)).floor() > Decimal::from(most))
}

/// Every wish says by which figures it was made.
fn told(why: &Rationale, market: &Market, high: Decimal) {
    let value = |name: &str| {
        let of_name = |figure: &&Figure| figure.name == name;
        why.inputs
            .iter()
            .find(of_name)
            .map_or_else(|| panic!("{name} is missing: {}", why.note), |of| of.value.to_string())
    };
    for name in ["day", "forecast age", "observation age", "threshold", "bucket", "probability", "fee rate"] {
        assert!(!value(name).is_empty(), "{name}");
    }
    if let Some(fair) = why.fair {
        assert_eq!(value("fair Yes"), fair.to_string());
        assert!(value("edge Yes").contains(&format!("to buy at {}", why.reference)), "{}", value("edge Yes"));
    }
    let so_far = value("highest so far");
    let measured = if high == Decimal::MIN { "-".to_owned() } else { format!("{} °F", high.normalize()) };
    assert!(so_far.starts_with(&format!("{measured} in ")), "{so_far} of {measured}");
    let asked = format!("ask {}", why.reference);
    assert!(value("book Yes").contains(&asked) && market.accepting_orders, "{asked}");
}

fn of_city(city: &City, forecaster: &Forecaster) -> WeatherParams {
    let error = decimal(forecaster.error);
    WeatherParams {
        zone: city.zone.clone(),
        bias: decimal(forecaster.bias),
        error_now: error,
        error_1d: error,
        error_3d: error,
        carry: dec!(0.5),
        forecast_age: Duration::from_hours(48),
        min_edge: dec!(0.001),
        slippage: Decimal::ZERO,
        most: Size(dec!(1_000_000)),
        ..super::params()
    }
}

/// Plays the days of a city, each with a forecast from the season and the day before, and reports by its own hours.
fn buys_no_passed_bucket(city: &City) {
    let forecaster = Forecaster::learn(&city.days);
    let params = of_city(city, &forecaster);
    let (mut wished, mut passed) = (0, 0);
    for pair in city.days.windows(2) {
        let (day, below, expected) = (pair[1].day(), city.own(&pair[1]), forecaster.forecast(pair));
        let hours = city.hours(day);
        let mut played = Played::begin(&params, day, decimal(expected), "0.002");
        let forecast = forecast(&hours, |hour| expected - below[hour]);
        played.play(&Event::Weather(Box::new(WeatherData::Forecast(forecast))));
        for (hour, at) in hours.iter().enumerate() {
            played.report(report(*at, pair[1].high - below[hour]));
            if hour == 13 {
                passed += played.hear("0.002");
            }
        }
        assert_eq!(played.high, decimal(pair[1].high), "the hours reach the day's highest");
        wished += played.wished.len();
    }
    let days = city.days.len();
    assert!(wished > 20 * days && passed > 2 * days, "{wished} wishes, {passed} passed buckets offered in {days} days");
}

#[test]
fn in_seattle_no_bucket_is_bought_that_the_day_has_passed_and_every_wish_has_its_figures() {
    let Some([seattle, _]) = cities() else { return };
    buys_no_passed_bucket(&seattle);
}

#[test]
fn in_new_york_no_bucket_is_bought_that_the_day_has_passed_and_every_wish_has_its_figures() {
    let Some([_, new_york]) = cities() else { return };
    buys_no_passed_bucket(&new_york);
}

#[test]
fn the_alert_is_raised_exactly_on_the_days_that_reach_it() {
    for (city, hot) in cities().into_iter().flatten().zip([76, 84]) {
        let alert = Bucket { low: Some(hot), high: None, unit: TemperatureUnit::Fahrenheit };
        let params = WeatherParams {
            mode: Mode::Alert,
            alert_at: hot.into(),
            bias: Decimal::ZERO,
            carry: Decimal::ZERO,
            ..of_city(&city, &Forecaster::learn(&city.days))
        };
        let mut raised = 0;
        for (index, of) in city.days.iter().enumerate() {
            let (day, below, hours) = (of.day(), city.own(of), city.hours(of.day()));
            // On every other day the forecast is right, on the others so far too low that it is for the station to raise it.
            let expected = of.high - if index % 2 == 0 { 0.0 } else { 9.0 };
            let mut played = Played::begin(&params, day, decimal(of.high), "0.3");
            let forecast = forecast(&hours, |hour| expected - below[hour]);
            played.play(&Event::Weather(Box::new(WeatherData::Forecast(forecast))));
            for (hour, at) in hours.iter().enumerate() {
                played.report(report(*at, of.high - below[hour]));
                let heading_for = played.high.max(decimal(expected));
                let reaches = alert.holds(heading_for, Rounding::Nearest);
                assert_eq!(reaches, !played.wished.is_empty(), "{day} at {hour}: {heading_for} °F");
            }
            let reaches = alert.holds(decimal(of.high), Rounding::Nearest);
            assert_eq!(reaches, !played.wished.is_empty(), "{} on {day}: {} °F", city.name, of.high);
            raised += usize::from(reaches);
        }
        assert!(raised > 100 && city.days.len() - raised > 1_000, "{raised} days");
    }
}
