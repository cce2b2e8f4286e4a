use rust_decimal::prelude::ToPrimitive;

use super::*;
use crate::domain::params::assert_declared;
use crate::domain::{
    Book, FeeSchedule, Forecast, ForecastHour, LocalDay, Observation, OrderIntent, OutcomeToken, Side, Temperature,
};
use crate::pipeline::athena::{Effect, Engine, Running, scene};
use crate::risk::Limits;
use crate::risk::checks::bench;

/// New York at nine in the morning, the forecast computed at six, on a day with a ladder of five buckets.
struct Desk {
    scene: scene::Scene,
    day: LocalDay,
    zone: Zone,
}

const EVENT: &str = "highest-temperature-in-nyc-on-july-10-2026";
const BUCKETS: [&str; 5] = ["81forbelow", "82-83f", "84-85f", "86-87f", "88forhigher"];

fn params() -> WeatherParams {
    WeatherParams { bias: dec!(0), carry: dec!(0), most: Size(dec!(60)), ..Weather::defaults() }
}

fn market(bucket: &str) -> Market {
    let mut market = bench::market();
    market.slug = format!("{EVENT}-{bucket}").into();
    market.market = format!("0x{bucket}").into();
    market.neg_risk = true;
    market.opens_at = None;
    market.closes_at = None;
    market.fee = FeeSchedule { rate: dec!(0.05), exponent: 1 };
    let token = |side: &str, outcome: &str| OutcomeToken {
        token: format!("{side}-{bucket}").into(),
        outcome: outcome.to_owned(),
    };
    market.tokens = [token("yes", "Yes"), token("no", "No")];
    market
}

impl Desk {
    fn new(change: impl FnOnce(&mut WeatherParams)) -> Self {
        let mut params = params();
        change(&mut params);
        let mut scene = scene::Scene::new();
        let limits =
            Limits { markets: BUCKETS.iter().map(|bucket| format!("{EVENT}-{bucket}")).collect(), ..bench::limits() };
        scene.engine = Engine::new(Running::<Weather>::all(&params), limits);
        let zone = Zone::named("America/New_York").expect("known");
        let mut desk = Self { scene, day: LocalDay::new(2026, 7, 10).expect("a day"), zone };
        desk.clock(9, 0);
        for bucket in BUCKETS {
            desk.scene.play(&Event::Polymarket(PolymarketData::Market(market(bucket))));
        }
        desk
    }

    fn time(&self, hour: u64, minute: u64) -> Timestamp {
        self.zone.start_of(self.day).plus(Duration::from_mins(hour * 60 + minute))
    }

    fn clock(&mut self, hour: u64, minute: u64) {
        self.scene.now = self.time(hour, minute);
        self.scene.hermes.at = self.scene.now;
        self.scene.hermes.reconciled_at = Some(self.scene.now);
        self.scene.play(&Event::Hermes(Box::new(self.scene.hermes.clone())));
    }

    fn book(&mut self, token: &str, bid: &str, ask: &str) -> Vec<Effect> {
        let mut book = bench::book(token, bid, ask, self.scene.now);
        let bucket = token.split_once('-').expect("side and bucket").1;
        book.market = format!("0x{bucket}").into();
        self.scene.play(&Event::Polymarket(PolymarketData::Book(book)))
    }

    fn forecast(&mut self, peak: Decimal) -> Vec<Effect> {
        let hours = (0..24_u32)
            .map(|hour| ForecastHour {
                at: self.time(hour.into(), 0),
                temperature: Temperature::fahrenheit(peak - Decimal::from(hour.abs_diff(15))),
            })
            .collect();
        let forecast = Forecast {
            station: "KLGA".into(),
            model: ForecastModel::Nws,
            event_at: self.time(6, 0),
            received_at: self.scene.now,
            hours,
        };
        self.scene.play(&Event::Weather(Box::new(WeatherData::Forecast(forecast))))
    }

    fn observe(&mut self, degrees: Decimal) -> Vec<Effect> {
        let observation = Observation {
            station: "KLGA".into(),
            temperature: Some(Temperature::fahrenheit(degrees)),
            event_at: self.scene.now,
            received_at: self.scene.now,
        };
        self.scene.play(&Event::Weather(Box::new(WeatherData::Observation(observation))))
    }

    fn idle(&self) -> Option<String> {
        self.scene.idle()
    }

    /// The venue lists NO first.
    fn turn_round(&mut self) {
        for bucket in BUCKETS {
            let mut market = market(bucket);
            market.tokens.reverse();
            self.scene.play(&Event::Polymarket(PolymarketData::Market(market)));
        }
    }

    /// Reason, market and figures of the last skip that was told.
    fn skip(&mut self) -> (String, String, BTreeMap<String, String>) {
        let skip = self.scene.skips.pop().expect("a skip");
        let figures = skip.inputs.iter().map(|figure| (figure.name.to_string(), figure.value.to_string()));
        (skip.reason, skip.slug.map_or_else(String::new, |slug| slug.to_string()), figures.collect())
    }
}

fn only(effects: &[Effect]) -> OrderIntent {
    match effects {
        [Effect::Emit(emission)] => emission.approved.inner().clone(),
        other => panic!("one intent was expected: {other:?}"),
    }
}

#[test]
fn its_parameters_are_declared() {
    assert_declared(&Weather::defaults());
}

#[test]
fn a_bucket_that_is_offered_below_its_worth_is_bought() {
    let mut desk = Desk::new(|_| ());
    desk.observe(dec!(74));
    assert_eq!(desk.scene.skips.pop().map(|skip| skip.reason), Some("no_forecast".to_owned()));
    desk.forecast(dec!(84.5));
    assert_eq!(desk.idle().as_deref(), Some("no fresh book"));
    assert!(desk.book("yes-84-85f", "0.38", "0.40").is_empty(), "worth 0.4188: 0.41 and the fee leave nothing");
    let effects = desk.book("yes-84-85f", "0.30", "0.32");
    let intent = only(&effects);
    assert_eq!((intent.side, intent.outcome.as_str(), intent.price), (Side::Buy, "Yes", Price(dec!(0.33))));
    assert_eq!(intent.strategy.as_str(), "weather");
    let [Effect::Emit(emission)] = &effects[..] else { panic!("{effects:?}") };
    let why = &emission.rationale;
    let fair = why.fair.and_then(|fair| fair.decimal().to_f64()).expect("worth something");
    assert!((fair - 0.4024).abs() < 0.03, "{fair}");
    assert!(
        why.note
            .to_string()
            .starts_with("KLGA on 2026-07-10: 74 °F so far, 84.5 ± 1.9 to come: buy 20 Yes of 84 to 85 °F"),
        "{}",
        why.note
    );
    assert_eq!(why.crossing(), ("threshold", "0.05 of probability".to_owned()));
    let names: Vec<_> = why.inputs.iter().map(|figure| figure.name.to_string()).collect();
    assert!(
        ["probability", "forecast age", "still to come"].iter().all(|name| names.iter().any(|known| known == name))
    );
}

#[test]
fn the_no_side_of_what_is_too_dear_is_bought_and_the_best_of_all_offers_wins() {
    let mut desk = Desk::new(|_| ());
    desk.observe(dec!(74));
    desk.forecast(dec!(84.5));
    // 88 or higher is worth a few cents; 82-83 a quarter. Both NOs are cheap, the former more so.
    desk.clock(9, 1);
    let intent = only(&desk.book("no-88forhigher", "0.70", "0.72"));
    assert_eq!((intent.outcome.as_str(), intent.token.as_str()), ("No", "no-88forhigher"));
}

#[test]
fn a_bucket_that_was_passed_is_worth_nothing_and_held_shares_are_sold() {
    let mut desk = Desk::new(|params| params.min_edge = dec!(0.005));
    desk.forecast(dec!(84.5));
    desk.scene.hermes.positions.push({
        let mut position = bench::position("yes-84-85f", "20", "0.40");
        position.market = "0x84-85f".into();
        position.parts = vec![bench::part("weather", position.size, crate::domain::Usd::ZERO)];
        position
    });
    desk.clock(9, 0);
    desk.observe(dec!(85.5));
    let intent = only(&desk.book("yes-84-85f", "0.04", "0.06"));
    assert_eq!((intent.side, intent.price, intent.size), (Side::Sell, Price(dec!(0.03)), Size(dec!(20))));
}

#[test]
fn no_more_than_the_most_and_not_again_before_it_cooled_down() {
    let mut desk = Desk::new(|_| ());
    desk.observe(dec!(74));
    desk.forecast(dec!(84.5));
    only(&desk.book("yes-84-85f", "0.10", "0.12"));
    desk.scene.now = desk.scene.now.plus(Duration::from_secs(1));
    assert!(desk.book("yes-84-85f", "0.10", "0.12").is_empty());
    assert_eq!(desk.idle().as_deref(), Some("cooling down for 599 of 600 s"));
    desk.scene.hermes.positions.push({
        let mut position = bench::position("yes-84-85f", "45", "0.40");
        position.market = "0x84-85f".into();
        position
    });
    desk.clock(9, 11);
    assert!(desk.book("yes-84-85f", "0.10", "0.12").is_empty());
    assert_eq!(desk.idle().as_deref(), Some("it would hold more than 60"));
}

#[test]
fn near_the_end_of_the_day_and_after_it_nothing_is_traded() {
    let mut desk = Desk::new(|params| params.forecast_age = Duration::from_hours(24));
    desk.forecast(dec!(84.5));
    for (hour, minute, idle) in [
        (22, 59, "nothing from the station"),
        (23, 1, "the day ends in 59 min (no trade below 60)"),
        (24, 0, "no open market"),
    ] {
        desk.clock(hour, minute);
        if hour == 23 {
            desk.observe(dec!(74));
        }
        assert!(desk.book("yes-84-85f", "0.01", "0.02").is_empty());
        let told = desk.idle().expect("idle");
        assert!(told.starts_with(idle), "{hour}:{minute}: {told}");
    }
}

#[test]
fn the_alert_buys_the_bucket_that_the_day_is_heading_for_once_it_is_hot_enough() {
    let alert = |params: &mut WeatherParams| {
        (params.mode, params.alert_at, params.alert_price) = (Mode::Alert, dec!(84), dec!(0.6));
    };
    let mut desk = Desk::new(alert);
    desk.observe(dec!(74));
    desk.forecast(dec!(83.4));
    assert!(desk.book("yes-82-83f", "0.10", "0.12").is_empty(), "83.4 counts as 83");
    desk.clock(9, 1);
    desk.forecast(dec!(83.5));
    assert!(desk.book("yes-82-83f", "0.10", "0.12").is_empty(), "the next bucket it is now");
    assert!(desk.book("yes-84-85f", "0.60", "0.61").is_empty(), "too dear");
    let effects = desk.book("yes-84-85f", "0.55", "0.59");
    assert_eq!(only(&effects).price, Price(dec!(0.60)));
    let [Effect::Emit(emission)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(emission.rationale.crossing(), ("threshold", "84 °F".to_owned()), "no percentage");
    let mut desk = Desk::new(alert);
    desk.forecast(dec!(80));
    desk.observe(dec!(88));
    assert_eq!(only(&desk.book("yes-88forhigher", "0.40", "0.42")).outcome, "Yes", "measured, whatever the forecast");
}

#[test]
fn a_ladder_that_lists_no_first_is_traded_the_right_way_round() {
    let hot = |desk: &mut Desk| {
        desk.turn_round();
        desk.observe(dec!(74));
        desk.forecast(dec!(84.5));
    };
    for (token, bid, ask, outcome) in [("yes-84-85f", "0.30", "0.32", "Yes"), ("no-88forhigher", "0.70", "0.72", "No")]
    {
        let mut desk = Desk::new(|_| ());
        hot(&mut desk);
        let intent = only(&desk.book(token, bid, ask));
        assert_eq!((intent.token.as_str(), intent.outcome.as_str()), (token, outcome));
    }
    let mut desk = Desk::new(|params| (params.mode, params.alert_at) = (Mode::Alert, dec!(84)));
    hot(&mut desk);
    assert!(desk.book("no-84-85f", "0.40", "0.42").is_empty());
    assert_eq!(only(&desk.book("yes-84-85f", "0.40", "0.42")).token.as_str(), "yes-84-85f");
}

#[test]
fn each_day_is_judged_by_its_own_odds() {
    let mut desk = Desk::new(|_| ());
    let slug = "highest-temperature-in-nyc-on-july-11-2026-84-85f".into();
    desk.scene.play(&Event::Polymarket(PolymarketData::Market(Market { slug, ..market("tomorrow") })));
    desk.book("yes-tomorrow", "0.10", "0.12");
    desk.observe(dec!(74));
    assert!(desk.forecast(dec!(84.5)).is_empty(), "nobody has said anything of tomorrow");
}

#[test]
fn a_skip_tells_what_the_nearest_offer_lacked() {
    let mut desk = Desk::new(|_| ());
    desk.observe(dec!(74));
    desk.forecast(dec!(84.5));
    desk.book("yes-88forhigher", "0.80", "0.82");
    desk.book("yes-84-85f", "0.38", "0.40");
    desk.observe(dec!(74));
    let (reason, slug, figures) = desk.skip();
    assert_eq!((reason.as_str(), slug), ("no_edge", format!("{EVENT}-84-85f")), "the one with the best edge");
    let expected = [
        ("bucket", "84 to 85 °F on 2026-07-10"),
        ("threshold", "0.05 of probability"),
        ("still to come", "84.5 ± 1.88 °F, 9 h ahead"),
        ("fair Yes", "0.4062"),
        ("edge Yes", "-0.0159 to buy at 0.41 after fee (at least 0.05)"),
        ("fair No", "0.5938"),
        ("book Yes", "bid 0.38, ask 0.40, 0 ms old (at most 3000)"),
        ("book No", "none"),
        ("fee rate", "0.05"),
    ];
    for (name, value) in expected {
        assert_eq!(figures.get(name).map(String::as_str), Some(value), "{name}");
    }

    let mut desk = Desk::new(|params| (params.mode, params.alert_at) = (Mode::Alert, dec!(86)));
    desk.observe(dec!(74));
    desk.forecast(dec!(84.5));
    let (reason, slug, figures) = desk.skip();
    assert_eq!((reason.as_str(), slug), ("not_hot", format!("{EVENT}-84-85f")), "the bucket that it is heading for");
    assert_eq!(figures["threshold"], "86 °F");
    assert_eq!(figures["heading for"], "84.5 °F");
    desk.clock(9, 1);
    desk.book("yes-86-87f", "0.91", "0.92");
    desk.forecast(dec!(86.5));
    let (reason, slug, figures) = desk.skip();
    assert_eq!((reason.as_str(), slug), ("too_dear", format!("{EVENT}-86-87f")));
    assert_eq!(figures["price Yes"], "0.93 (at most 0.9)");
    desk.scene.wait(Duration::from_secs(4));
    desk.forecast(dec!(86.6));
    let (reason, slug, _) = desk.skip();
    assert_eq!((reason.as_str(), slug), ("no_fresh_book", format!("{EVENT}-86-87f")), "no other bucket comes closer");
}

#[test]
fn other_stations_models_and_markets_are_none_of_it() {
    let mut desk = Desk::new(|_| ());
    let mut forecast = Forecast {
        station: "KORD".into(),
        model: ForecastModel::Nws,
        event_at: desk.time(6, 0),
        received_at: desk.scene.now,
        hours: Vec::new(),
    };
    let play = |desk: &mut Desk, forecast: &Forecast| {
        desk.scene.play(&Event::Weather(Box::new(WeatherData::Forecast(forecast.clone()))));
        desk.idle()
    };
    assert_eq!(play(&mut desk, &forecast).as_deref(), Some("no forecast yet"));
    (forecast.station, forecast.model) = ("KLGA".into(), ForecastModel::OpenMeteo);
    assert_eq!(play(&mut desk, &forecast).as_deref(), Some("no forecast yet"));
    (forecast.model, forecast.event_at) = (ForecastModel::Nws, desk.scene.now.plus(Duration::from_hours(1)));
    assert_eq!(play(&mut desk, &forecast).as_deref(), Some("no forecast yet"), "from the future");
}

#[test]
fn a_restart_changes_nothing() {
    let run = |restart: bool| {
        let mut desk = Desk::new(|_| ());
        desk.observe(dec!(74));
        desk.forecast(dec!(84.5));
        if restart {
            let (key, saved) = desk.scene.engine.save(false).remove(0);
            let (saved, _) = saved().expect("serialises");
            let mut other = Desk::new(|_| ());
            other.scene.engine.restore(&key, &saved, &[], desk.scene.now).expect("fits");
            desk = other;
        }
        let first = only(&desk.book("yes-84-85f", "0.10", "0.12"));
        (first, desk.idle())
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn another_models_forecast_is_forgotten_when_the_model_changes() {
    let desk = Desk::new(|_| ());
    let now = desk.scene.now;
    let hours = vec![ForecastHour { at: now, temperature: Temperature::fahrenheit(dec!(80)) }];
    let (station, model) = ("KLGA".into(), ForecastModel::Nws);
    let forecast = Forecast { station, model, event_at: now, received_at: now, hours };
    let other = WeatherParams { model: ForecastModel::OpenMeteo, ..params() };
    let mut memory = Memory::default();
    memory.take(&WeatherData::Forecast(forecast), &params(), now);
    let age = |memory: &Memory| memory.outlook.forecast_age(now);
    let after = |params: &WeatherParams| {
        let (mut live, mut restarted) = (memory.clone(), Memory::default());
        Weather::retune(&mut live, params);
        Weather::restore(&mut restarted, memory.clone(), params, now).expect("fits");
        (age(&live), age(&restarted))
    };
    assert_eq!(after(&params()), (Some(Duration::ZERO), Some(Duration::ZERO)));
    assert_eq!(after(&other), (None, None));
}

#[test]
fn news_are_judged_by_their_receipt_whenever_they_are_looked_at() {
    let wished_at = |minutes: u64| {
        let mut desk = Desk::new(|_| ());
        desk.observe(dec!(74));
        desk.forecast(dec!(84.5));
        let received_at = desk.scene.now;
        desk.clock(9, minutes);
        let (station, temperature) = ("KLGA".into(), Some(Temperature::fahrenheit(dec!(75))));
        let news = Observation { station, temperature, event_at: received_at, received_at };
        desk.scene.play(&Event::Weather(Box::new(WeatherData::Observation(news))));
        desk.scene.skips.last().map(|skip| skip.inputs.clone())
    };
    assert_eq!(wished_at(0), wished_at(30), "the same ages");
}

mod bodies;
mod calibration;
mod history;
mod played;
mod recorded;

#[test]
fn a_corrected_report_is_another_cause_and_a_repeated_one_the_same() {
    let id = |degrees: Decimal, received_at: i64| {
        let data = WeatherData::Observation(Observation {
            station: "KLGA".into(),
            temperature: Some(Temperature::fahrenheit(degrees)),
            event_at: Timestamp::from_secs(1),
            received_at: Timestamp::from_secs(received_at),
        });
        concern(&Event::Weather(Box::new(data)), &params()).expect("of its station").0.trade_id
    };
    assert_eq!(id(dec!(74), 2), id(dec!(74), 3));
    assert_ne!(id(dec!(74), 2), id(dec!(75), 2));
}

#[test]
fn its_own_news_trade_on_books_that_are_quiet_and_known_to_be_true_still() {
    for (heard, trades) in [(true, true), (false, false)] {
        let mut desk = Desk::new(|_| ());
        desk.observe(dec!(74));
        let (changed, now) = (desk.time(8, 50), desk.scene.now);
        let book = bench::book("yes-84-85f", "0.30", "0.32", changed);
        let book = Book { market: "0x84-85f".into(), heard_at: heard.then_some(now), ..book };
        assert!(desk.scene.play(&Event::Polymarket(PolymarketData::Book(book.clone()))).is_empty());
        let effects = desk.forecast(dec!(84.5));
        assert_eq!(effects.len(), usize::from(trades), "{effects:?}");
        if trades {
            assert_eq!(only(&effects).deadline, now.plus(Duration::from_secs(5)));
            continue;
        }
        assert_eq!(desk.scene.skips.pop().map(|skip| skip.reason), Some("no_fresh_book".to_owned()));
        let heard = Book { heard_at: Some(now), ..book };
        let intent = only(&desk.scene.play(&Event::Polymarket(PolymarketData::Book(heard))));
        assert_eq!(intent.deadline, now.plus(Duration::from_secs(5)), "the word that it is so still is the cause");
    }
}

#[test]
fn a_fresh_book_with_one_side_is_told_as_that_and_nothing_to_sell_hides_it_not() {
    let mut desk = Desk::new(|_| ());
    desk.observe(dec!(74));
    desk.forecast(dec!(84.5));
    for bucket in BUCKETS {
        for side in ["yes", "no"] {
            let mut book = bench::book(&format!("{side}-{bucket}"), "0.40", "0.41", desk.scene.now);
            book.market = format!("0x{bucket}").into();
            book.asks.clear();
            desk.scene.play(&Event::Polymarket(PolymarketData::Book(book)));
        }
    }
    assert_eq!(desk.idle().as_deref(), Some("nobody sells"));
    desk.observe(dec!(74.5));
    assert_eq!(desk.skip().0, "one_sided_book");
}

#[test]
fn news_that_were_acted_upon_are_none_when_they_are_said_again() {
    let mut desk = Desk::new(|params| params.cooldown = Duration::from_mins(1));
    desk.observe(dec!(74));
    desk.book("yes-84-85f", "0.10", "0.12");
    let forecast = only(&desk.forecast(dec!(84.5)));
    desk.scene.now = desk.scene.now.plus(Duration::from_secs(59));
    assert!(desk.book("yes-84-85f", "0.10", "0.12").is_empty(), "cooling down");
    desk.clock(9, 1);
    assert!(desk.forecast(dec!(84.5)).is_empty(), "the same as before");
    let again = only(&desk.book("yes-84-85f", "0.10", "0.12"));
    assert_ne!(again.intent, forecast.intent, "a book is a cause of its own");
}

#[test]
fn what_an_earlier_run_has_sent_cools_down_although_its_book_does_not_come_again() {
    let tell = |desk: &mut Desk| {
        desk.observe(dec!(74));
        desk.forecast(dec!(84.5));
    };
    let mut before = Desk::new(|_| ());
    tell(&mut before);
    let sent = only(&before.book("yes-84-85f", "0.10", "0.12"));
    let mut again = Desk::new(|_| ());
    tell(&mut again);
    again.scene.play(&Event::OnItsWay(Box::new(sent)));
    again.scene.now = again.scene.now.plus(Duration::from_secs(1));
    assert!(again.book("yes-84-85f", "0.10", "0.12").is_empty());
    assert_eq!(again.idle().as_deref(), Some("cooling down for 599 of 600 s"));
}
