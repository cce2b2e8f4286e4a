use proptest::prelude::*;
use rust_decimal::dec;

use super::*;
use crate::domain::{ForecastHour, ForecastModel};
use crate::pipeline::athena::{Strategy, Weather};

const F: TemperatureUnit = TemperatureUnit::Fahrenheit;

fn params() -> WeatherParams {
    let forecast_age = Duration::from_hours(26);
    WeatherParams { bias: dec!(0), carry: dec!(0), missing_hours: 0, forecast_age, ..Weather::defaults() }
}

fn today() -> LocalDay {
    LocalDay::new(2026, 7, 10).expect("a day")
}

fn at(day: LocalDay, minutes: u64) -> Timestamp {
    params().zone.start_of(day).plus(Duration::from_mins(minutes))
}

fn report(day: LocalDay, minutes: u64, degrees: Option<Decimal>) -> Observation {
    let at = at(day, minutes);
    let temperature = degrees.map(Temperature::fahrenheit);
    Observation { station: "KLGA".into(), temperature, event_at: at, received_at: at }
}

/// An hourly forecast for a whole day that peaks in the 16th hour.
fn forecast(day: LocalDay, peak: Decimal, issued_at: Timestamp) -> Forecast {
    let (begins, ends) = (params().zone.start_of(day), params().zone.end_of(day));
    let hour = |hour: u64| ForecastHour {
        at: begins.plus(HOUR * u32::try_from(hour).expect("small")),
        temperature: Temperature::fahrenheit(peak - Decimal::from(hour.abs_diff(15))),
    };
    let hours = (0..26).map(hour).filter(|hour| hour.at < ends).collect();
    Forecast { station: "KLGA".into(), model: ForecastModel::Nws, event_at: issued_at, received_at: issued_at, hours }
}

fn bucket(low: impl Into<Option<i32>>, high: impl Into<Option<i32>>) -> Bucket {
    Bucket { low: low.into(), high: high.into(), unit: F }
}

fn outlook(peak: Decimal) -> Outlook {
    let mut outlook = Outlook::default();
    outlook.expect(&forecast(today(), peak, at(today(), 0)));
    outlook
}

fn near(value: f64, expected: f64) -> bool {
    (value - expected).abs() < 1e-4
}

#[test]
fn before_the_day_the_forecast_and_its_error_decide() {
    let odds = outlook(dec!(85)).odds(today(), &params(), at(today(), 0)).expect("fresh");
    let expected = odds.expected.expect("all of it");
    assert_eq!((expected.degrees, expected.lead), (dec!(85), Duration::from_hours(15)));
    assert_eq!(expected.error, dec!(1.5) + dec!(15) / dec!(24));
    let deviation = 2.125;
    assert!(near(odds.of(&bucket(85, 85)), 2.0 * (normal_cdf(0.5 / deviation) - 0.5)));
    assert!(near(odds.of(&bucket(None, 85)), normal_cdf(0.5 / deviation)), "85.49 counts as 85");
    assert!(near(odds.of(&bucket(86, None)), 1.0 - normal_cdf(0.5 / deviation)));
}

#[test]
fn the_error_grows_with_the_lead_and_the_bias_is_added() {
    let params = WeatherParams { bias: dec!(-1.5), ..params() };
    let errors = [0, 12, 24, 48, 72, 200].map(|hours| params.error(Duration::from_hours(hours)));
    assert_eq!(errors, [dec!(1.5), dec!(2), dec!(2.5), dec!(3.25), dec!(4), dec!(4)]);
    let odds = outlook(dec!(85)).odds(today(), &params, at(today(), 0)).expect("fresh");
    assert_eq!(odds.expected.map(|expected| expected.degrees), Some(dec!(83.5)));
}

#[test]
fn what_was_passed_is_impossible_and_what_is_open_above_is_certain() {
    let mut outlook = outlook(dec!(85));
    for (minutes, degrees) in [(53, dec!(70)), (113, dec!(85.5)), (173, dec!(80))] {
        outlook.observe(&report(today(), minutes, Some(degrees)), &params().zone);
    }
    let odds = outlook.odds(today(), &params(), at(today(), 180)).expect("fresh");
    assert_eq!(odds.high.map(|high| high.degrees), Some(dec!(85.5)));
    assert_eq!((odds.of(&bucket(84, 85)), odds.of(&bucket(None, 85)), odds.of(&bucket(86, None))), (0.0, 0.0, 1.0));
    assert!(odds.is_decided(&bucket(84, 85)) && odds.is_decided(&bucket(86, None)));
    assert!(!odds.is_decided(&bucket(86, 87)) && odds.of(&bucket(86, 87)) > 0.5);
    let down = WeatherParams { rounding: Rounding::Down, ..params() };
    let odds = outlook.odds(today(), &down, at(today(), 180)).expect("fresh");
    assert!(odds.of(&bucket(84, 85)) > 0.0, "85.5 counts as 85 there");
}

#[test]
fn a_report_at_midnight_is_the_next_days() {
    let mut outlook = outlook(dec!(85));
    let (tomorrow, zone) = (today().next(), params().zone);
    outlook.observe(&report(today(), 24 * 60, Some(dec!(90))), &zone);
    assert_eq!((outlook.high(today()), outlook.high(tomorrow)), (None, Some(Temperature::fahrenheit(dec!(90)))));
    let mut late = report(today(), 24 * 60, Some(dec!(91)));
    late.event_at = Timestamp::from_micros(late.event_at.micros() - 1);
    outlook.observe(&late, &zone);
    assert_eq!(outlook.high(today()), Some(Temperature::fahrenheit(dec!(91))));
}

#[test]
fn on_the_days_when_clocks_change_every_hour_is_known() {
    for (day, hours) in [((2026, 3, 8), 23), ((2026, 11, 1), 25)] {
        let day = LocalDay::new(day.0, day.1, day.2).expect("a day");
        let mut outlook = Outlook::default();
        outlook.expect(&forecast(day, dec!(60), at(day, 0)));
        assert_eq!(outlook.hours.len(), hours);
        assert!(outlook.odds(day, &params(), at(day, 0)).is_ok(), "no hour is missing");
        for hour in 0..hours as u64 {
            outlook.observe(&report(day, hour * 60 + 53, Some(Decimal::from(40 + hour))), &params().zone);
        }
        outlook.hours.clear();
        let odds = outlook.odds(day, &params(), params().zone.end_of(day)).expect("all was measured");
        assert_eq!((odds.high.map(|high| high.degrees), odds.expected), (Some(Decimal::from(39 + hours)), None));
        assert_eq!(outlook.high(day.next()), None);
    }
}

#[test]
fn an_hour_without_a_report_is_as_the_forecast_said() {
    let mut outlook = outlook(dec!(85));
    for hour in (0..20).filter(|hour| *hour != 15) {
        outlook.observe(&report(today(), hour * 60 + 53, Some(dec!(70))), &params().zone);
    }
    outlook.observe(&report(today(), 15 * 60 + 53, None), &params().zone);
    let odds = outlook.odds(today(), &params(), at(today(), 20 * 60)).expect("fresh");
    assert_eq!(odds.expected.map(|expected| expected.degrees), Some(dec!(85)), "the warmest hour was not reported");
    outlook.observe(&report(today(), 15 * 60 + 53, Some(dec!(75))), &params().zone);
    let odds = outlook.odds(today(), &params(), at(today(), 20 * 60)).expect("fresh");
    assert_eq!(odds.expected.map(|expected| expected.degrees), Some(dec!(80)), "the 21st hour is yet to come");
}

#[test]
fn an_hour_of_which_reports_may_be_missing_is_as_the_forecast_said() {
    let (zone, now) = (params().zone, at(today(), 18 * 60));
    let told = |gap: Option<(u64, u64)>| {
        let mut outlook = outlook(dec!(85));
        if let Some((from, to)) = gap {
            outlook.note_gap(Gap { from: at(today(), from), to: at(today(), to) }, &zone);
        }
        for hour in 0..18 {
            outlook.observe(&report(today(), hour * 60 + 5, Some(dec!(70))), &zone);
        }
        outlook
    };
    let degrees = |outlook: &Outlook| {
        outlook.odds(today(), &params(), now).expect("fresh").expected.map(|expected| expected.degrees)
    };
    assert_eq!(degrees(&told(None)), Some(dec!(83)), "of the 18th hour only the beginning was reported");
    let missed = told(Some((15 * 60 + 40, 15 * 60 + 58)));
    assert_eq!(
        (degrees(&missed), missed.unseen(today())),
        (Some(dec!(85)), 1),
        "reports before and after tell nothing"
    );
    let late = told(Some((16 * 60 + 10, 16 * 60 + 11)));
    assert_eq!((degrees(&late), late.unseen(today())), (Some(dec!(85)), 2), "one of the hour before was on its way");
    let mut waits = told(None);
    waits.doubt();
    assert_eq!(degrees(&waits), Some(dec!(84)), "whether one of these two hours was missed will be told");
    waits.told();
    assert_eq!(degrees(&waits), Some(dec!(83)));
}

#[test]
fn one_report_at_its_beginning_does_not_tell_of_an_hour() {
    let zone = params().zone;
    let mut outlook = outlook(dec!(85));
    for hour in 0..15 {
        outlook.observe(&report(today(), hour * 60 + 53, Some(dec!(70))), &zone);
    }
    let degrees = |outlook: &Outlook| {
        let odds = outlook.odds(today(), &params(), at(today(), 16 * 60)).expect("fresh");
        odds.expected.map(|expected| expected.degrees)
    };
    outlook.observe(&report(today(), 15 * 60 + 2, Some(dec!(80))), &zone);
    assert_eq!(degrees(&outlook), Some(dec!(85)), "the warmest hour may still have been as warm as that");
    outlook.observe(&report(today(), 15 * 60 + 51, Some(dec!(79))), &zone);
    assert_eq!(degrees(&outlook), Some(dec!(84)), "it was not; the next is yet to come");
}

#[test]
fn a_morning_as_usual_shows_nothing_beyond_the_bias() {
    let params = WeatherParams { bias: dec!(2), carry: dec!(0.6), ..params() };
    let mut outlook = outlook(dec!(85));
    let expected = |outlook: &Outlook| {
        let odds = outlook.odds(today(), &params, at(today(), 600)).expect("fresh");
        odds.expected.expect("more to come").degrees
    };
    outlook.observe(&report(today(), 9 * 60 + 53, Some(dec!(81))), &params.zone);
    assert_eq!(expected(&outlook), dec!(87), "79 were forecast for that hour, and usually it is 2 more");
    outlook.observe(&report(today(), 9 * 60 + 59, Some(dec!(82))), &params.zone);
    assert_eq!(expected(&outlook), dec!(87.6), "a degree more than usual");
}

#[test]
fn a_reading_in_tenths_hides_none_in_whole_degrees_that_may_have_been_warmer() {
    let celsius = |minutes, degrees| {
        let temperature = Some(Temperature::celsius(degrees));
        Observation { temperature, ..report(today(), minutes, None) }
    };
    for order in [[0, 1], [1, 0]] {
        let mut outlook = outlook(dec!(60));
        let reports = [celsius(14 * 60 + 45, dec!(34)), celsius(14 * 60 + 53, dec!(34.1))];
        for index in order {
            outlook.observe(&reports[index], &params().zone);
        }
        let odds = outlook.odds(today(), &params(), at(today(), 15 * 60)).expect("fresh");
        // 34 is anything up to 94.1 °F, a third of it from 93.5.
        assert!(near(odds.of(&bucket(94, 95)), 0.6 / 1.8), "{}", odds.of(&bucket(94, 95)));
        assert!(near(odds.of(&bucket(92, 93)), 1.2 / 1.8), "{}", odds.of(&bucket(92, 93)));
        assert_eq!(odds.high.map(|high| high.degrees), Some(dec!(93.38)));
    }
}

#[test]
fn a_part_of_what_an_observation_shows_the_forecast_to_be_off_by_stays() {
    let params = WeatherParams { carry: dec!(0.6), ..params() };
    let mut outlook = outlook(dec!(85));
    let fair = |outlook: &Outlook| {
        let expected = outlook.odds(today(), &params, at(today(), 600)).expect("fresh").expected.expect("more to come");
        (expected.degrees, expected.error)
    };
    outlook.observe(&report(today(), 9 * 60 + 53, Some(dec!(84))), &params.zone);
    assert_eq!(fair(&outlook), (dec!(88), dec!(2.125) * dec!(0.8)), "79 were forecast for that hour");
    outlook.expect(&forecast(today(), dec!(87), at(today(), 599)));
    assert_eq!(fair(&outlook).0, dec!(87), "a forecast that came after it knew");
    outlook.observe(&report(today(), 9 * 60 + 59, Some(dec!(80))), &params.zone);
    assert_eq!(fair(&outlook).0, dec!(87), "of the same minute");
}

#[test]
fn what_is_too_old_or_not_known_is_not_gone_by() {
    let now = at(today(), 6 * 60);
    assert_eq!(Outlook::default().odds(today(), &params(), now), Err(Obstacle::NoForecast));
    let params = || WeatherParams { forecast_age: Duration::from_hours(6), ..params() };
    let fresh = outlook(dec!(85));
    let silent = fresh.odds(today(), &params(), now).map_err(|obstacle| obstacle.word());
    assert_eq!(silent, Err("silent"), "six hours of the day and no report");
    assert!(fresh.odds(today(), &params(), at(today(), 90)).is_ok(), "the first may be so late");
    assert!(fresh.odds(today(), &params(), at(today(), 91)).is_err());
    let stale = fresh.odds(today(), &params(), at(today(), 6 * 60 + 1)).map_err(|obstacle| obstacle.word());
    assert_eq!(stale, Err("stale_forecast"));
    let tomorrow = fresh.odds(today().next(), &params(), at(today(), 1)).map_err(|obstacle| obstacle.to_string());
    assert_eq!(tomorrow, Err("24 hours are not known (at most 0)".to_owned()));
}

#[test]
fn impossible_values_say_nothing() {
    let mut outlook = outlook(dec!(85));
    outlook.observe(&report(today(), 53, Some(dec!(9969))), &params().zone);
    outlook.expect(&forecast(today(), dec!(9969), at(today(), 1)));
    assert_eq!((outlook.high(today()), outlook.reports(today())), (None, 0));
    assert_eq!(
        outlook.odds(today(), &params(), at(today(), 2)).expect("fresh").expected.map(|e| e.degrees),
        Some(dec!(85))
    );
}

#[test]
fn what_it_remembers_is_bounded_and_survives() {
    let mut outlook = Outlook::default();
    let mut day = today();
    for _ in 0..400 {
        let issued_at = at(day, 0);
        outlook.expect(&forecast(day, dec!(85), issued_at));
        outlook.observe(&report(day, 600, Some(dec!(80))), &params().zone);
        outlook.purge(&params().zone, issued_at);
        day = day.next();
    }
    assert_eq!(outlook.days.len(), 2);
    assert!(outlook.hours.len() <= 50, "{}", outlook.hours.len());
    let text = serde_json::to_string(&outlook).expect("serialises");
    assert_eq!(serde_json::from_str::<Outlook>(&text).expect("reads"), outlook);
}

#[test]
fn what_is_taken_back_or_corrected_leaves_the_days_highest() {
    let mut outlook = outlook(dec!(85));
    let said = |minutes, degrees: Option<Decimal>, after: u64| {
        let first = report(today(), minutes, degrees);
        Observation { received_at: first.event_at.plus(Duration::from_mins(after)), ..first }
    };
    let mut high = |observation: Observation| {
        outlook.observe(&observation, &params().zone);
        (outlook.high(today()).map(|high| high.value), outlook.reports(today()))
    };
    assert_eq!(high(said(13 * 60, Some(dec!(84)), 1)), (Some(dec!(84)), 1));
    assert_eq!(high(said(14 * 60, Some(dec!(113)), 1)), (Some(dec!(113)), 2));
    assert_eq!(high(said(14 * 60, Some(dec!(113)), 2)), (Some(dec!(113)), 2), "said twice, it is one");
    assert_eq!(high(said(14 * 60, Some(dec!(83.1)), 3)), (Some(dec!(84)), 2), "corrected");
    assert_eq!(high(said(14 * 60, Some(dec!(113)), 2)), (Some(dec!(84)), 2), "what was said before does not come back");
    assert_eq!(high(said(13 * 60, None, 4)), (Some(dec!(83.1)), 1), "taken back");
    let covers = |hour: u64| outlook.days[&today()].covers(at(today(), hour * 60), at(today(), (hour + 1) * 60));
    assert!(!covers(13), "an hour of which everything was taken back is not known");
}

#[test]
fn a_reading_in_whole_degrees_decides_only_what_its_rounding_leaves_no_doubt_of() {
    let odds = |celsius: Decimal| {
        let mut outlook = outlook(dec!(60));
        let temperature = Some(Temperature::celsius(celsius));
        outlook.observe(&Observation { temperature, ..report(today(), 14 * 60, None) }, &params().zone);
        outlook.odds(today(), &params(), at(today(), 14 * 60)).expect("fresh")
    };
    // 31 in whole degrees is anything from 86.9 to 88.7 °F, of which a third is 87 when it is rounded.
    let (whole, tenths) = (odds(dec!(31)), odds(dec!(31.0)));
    let (passed, next) = (bucket(86, 87), bucket(88, 89));
    assert!(!whole.is_decided(&passed) && tenths.is_decided(&passed));
    assert!(near(whole.of(&passed), 0.6 / 1.8), "{}", whole.of(&passed));
    assert!(near(whole.of(&next), 1.2 / 1.8), "{}", whole.of(&next));
    assert_eq!((tenths.of(&passed), tenths.of(&next)), (0.0, 1.0));
    assert!(whole.is_decided(&bucket(84, 85)), "beyond any doubt");
}

proptest! {
    #[test]
    fn a_ladder_adds_up_to_one_and_what_was_passed_is_zero(
        peak in 600_i64..1_000, high in proptest::option::of(600_i64..1_000), start in 60_i32..100, down: bool
    ) {
        let rounding = if down { Rounding::Down } else { Rounding::Nearest };
        let expectation =
            Expectation { degrees: Decimal::new(peak, 1), error: dec!(2), lead: Duration::from_hours(9) };
        let exact = |high| {
            let degrees = Decimal::new(high, 1);
            High { degrees, sure: degrees, most: degrees, step: dec!(0) }
        };
        let odds = Odds { high: high.map(exact), expected: Some(expectation), rounding };
        let mut ladder = vec![bucket(None, start - 1), bucket(start + 20, None)];
        ladder.extend((0..10).map(|step| bucket(start + 2 * step, start + 2 * step + 1)));
        let sum: f64 = ladder.iter().map(|bucket| odds.of(bucket)).sum();
        prop_assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        for bucket in &ladder {
            let passed = odds.high.zip(bucket.high).is_some_and(|(high, top)| high.sure >= rounding.least(top + 1));
            prop_assert!(!passed || odds.of(bucket) == 0.0);
            prop_assert!((0.0..=1.0).contains(&odds.of(bucket)));
        }
    }

    #[test]
    fn the_order_of_the_news_does_not_matter(
        news in proptest::collection::vec((0_u64..1_440, proptest::option::of(500_i64..1_000)), 1..30),
        forecasts in proptest::collection::vec((0_u64..600, 600_i64..1_000), 1..6),
        seed: u64,
    ) {
        let apply = |order: &[usize]| {
            let mut outlook = Outlook::default();
            for index in order {
                if let Some((minutes, tenths)) = news.get(*index) {
                    let degrees = tenths.map(|tenths| Decimal::new(tenths, 1));
                    outlook.observe(&report(today(), *minutes, degrees), &params().zone);
                } else {
                    let (minutes, tenths) = forecasts[index - news.len()];
                    // One model gives one forecast at a time.
                    let issued = at(today(), minutes * 8 + (index - news.len()) as u64);
                    outlook.expect(&forecast(today(), Decimal::new(tenths, 1), issued));
                }
            }
            outlook
        };
        let order: Vec<usize> = (0..news.len() + forecasts.len()).collect();
        let mut other = order.clone();
        other.sort_by_key(|index| (*index as u64).wrapping_mul(seed | 1).rotate_left(17));
        prop_assert_eq!(apply(&order), apply(&other));
    }
}
