use proptest::prelude::*;
use rust_decimal::{Decimal, dec};

use super::*;
use crate::risk::checks::bench;

fn limits() -> Limits {
    Limits {
        daily_drawdown: Usd(dec!(50)),
        rolling_loss: Usd(dec!(80)),
        rolling_hours: 2,
        drawdown_confirmations: 3,
        ..bench::limits()
    }
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(86_400 * 20_000 + 3_600 + secs)
}

fn usd(amount: i64) -> Usd {
    Usd(Decimal::from(amount))
}

/// A total that is known, or not at all.
fn total(known: Option<Usd>) -> Total {
    Total { known, for_losses: known.unwrap_or(usd(1_000_000)), heard: None }
}

/// Nothing is known but that it is not more than this.
fn at_most(for_losses: i64) -> Total {
    Total { known: None, for_losses: usd(for_losses), heard: None }
}

/// One measurement a second; which controls broke when.
fn play(track: &mut Track, from: i64, totals: &[Option<i64>]) -> Vec<(i64, Control)> {
    let mut broke = Vec::new();
    for (secs, known) in (from..).zip(totals) {
        let found = track.observe(at(secs), total(known.map(usd)), &limits());
        broke.extend(found.into_iter().map(|breach| (secs, breach.control)));
    }
    broke
}

fn steady(total: i64) -> Track {
    let mut track = Track::default();
    assert!(play(&mut track, 0, &[Some(total); 5]).is_empty());
    track
}

#[test]
fn a_false_spike_either_way_trips_nothing_and_moves_no_reference() {
    let mut track = steady(100);
    let before = (track.day(), track.rolling_high(at(5), limits().rolling_window()));
    let spikes = [Some(900), Some(900), Some(100), Some(-900), Some(-900), Some(100), Some(100), Some(100)];
    assert!(play(&mut track, 5, &spikes).is_empty());
    assert_eq!((track.day(), track.rolling_high(at(20), limits().rolling_window())), before);
}

#[test]
fn a_true_fall_trips_each_control_exactly_once() {
    let mut track = steady(100);
    let falls: Vec<Option<i64>> = [[Some(50); 4], [Some(49); 4], [Some(20); 4], [Some(19); 4]].concat();
    let broke = play(&mut track, 5, &falls);
    assert_eq!(broke, [(11, Control::DailyDrawdown), (19, Control::RollingLoss)]);
    track.rearm();
    let again = play(&mut track, 30, &[Some(19); 6]);
    assert_eq!(again, [(32, Control::DailyDrawdown), (32, Control::RollingLoss)], "a person has armed all the same");
}

#[test]
fn a_look_at_prices_that_were_not_heard_anew_neither_counts_nor_ends_anything() {
    let mut track = steady(100);
    let mut look = |secs, known, heard| {
        track.observe(at(secs), Total { heard: Some(at(heard)), ..total(Some(usd(known))) }, &limits()).len()
    };
    assert!((5..20).all(|secs| look(secs, 0, 5) == 0), "one price, fifteen looks");
    assert!((20..25).all(|secs| look(secs, 900, 5) == 0), "nor is it better without news");
    assert_eq!(look(25, 0, 25), 0);
    assert_eq!(look(26, 0, 26), 2, "the third that was heard");
    assert_eq!(track.day().map(|day| day.peak), Some(usd(100)), "five looks at 900 are no peak");
}

#[test]
fn fewer_confirmations_count_for_a_loss_that_is_beyond_its_limit_already() {
    let mut track = steady(100);
    let asking = |drawdown_confirmations| Limits { drawdown_confirmations, ..limits() };
    let mut seen = |secs, confirmations| track.observe(at(secs), total(Some(usd(10))), &asking(confirmations)).len();
    assert!((5..15).all(|secs| seen(secs, 60) == 0));
    assert_eq!(seen(15, 3), 2, "both are beyond for longer than is asked for now");
    assert!((16..30).all(|secs| seen(secs, 3) == 0), "told once");
    assert!((30..100).all(|secs| seen(secs, 60) == 0), "more confirmations do not tell it again");
}

#[test]
fn a_breach_says_control_value_and_limit() {
    let mut track = steady(100);
    let found: Vec<Denial> =
        (5..9).flat_map(|secs| track.observe(at(secs), total(Some(Usd(dec!(49.5)))), &limits())).collect();
    let words: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["daily_drawdown: 50.5 pUSD (limit 50 pUSD below the day's peak)"]);
}

#[test]
fn what_is_not_known_moves_nothing() {
    let mut track = steady(100);
    assert!(play(&mut track, 5, &[Some(0), Some(0), None, None, None]).is_empty());
    assert_eq!(play(&mut track, 10, &[Some(0)]).len(), 2, "the third that was measured");
    let mut track = steady(100);
    play(&mut track, 5, &[Some(300), Some(300), None]);
    assert_eq!(track.day().map(|day| day.peak), Some(usd(100)));
    play(&mut track, 8, &[Some(300)]);
    assert_eq!(track.day().map(|day| day.peak), Some(usd(300)));
}

#[test]
fn a_loss_that_is_certain_trips_although_equity_is_not_known_and_no_reference_moves() {
    let mut track = steady(100);
    let before = (track.day(), track.rolling_high(at(5), limits().rolling_window()));
    let mut seen = |secs, total| -> Vec<String> {
        track.observe(at(secs), total, &limits()).iter().map(ToString::to_string).collect()
    };
    assert!(seen(5, at_most(49)).is_empty() && seen(6, at_most(49)).is_empty());
    assert!(seen(7, at_most(500)).is_empty(), "as much as anything may be paid out: no proof either way");
    assert_eq!(seen(8, at_most(49)), ["daily_drawdown: at least 51 pUSD (limit 50 pUSD below the day's peak)"]);
    assert_eq!((track.day(), track.rolling_high(at(9), limits().rolling_window())), before);
}

#[test]
fn what_was_known_last_forbids_arming_until_it_is_known_better() {
    let mut track = steady(100);
    play(&mut track, 5, &[Some(40)]);
    let beyond = |track: &Track, total, limits: &Limits| track.beyond(at(7), total, limits).count();
    assert_eq!(beyond(&track, at_most(500), &limits()), 1);
    assert_eq!(beyond(&track, at_most(500), &Limits { daily_drawdown: usd(60), ..limits() }), 0, "widened");
    play(&mut track, 6, &[Some(50)]);
    assert_eq!(beyond(&track, at_most(500), &limits()), 0);
}

#[test]
fn a_day_that_nothing_was_measured_of_is_not_held_against_yesterdays_peak() {
    let mut track = Track::restore(Some(Day { day: 20_000, start: usd(0), peak: usd(300) }), []);
    let today = at(86_400);
    let broke: Vec<_> = (0..9).flat_map(|_| track.observe(today, at_most(100), &limits())).collect();
    assert_eq!(broke, []);
    assert_eq!(track.equity(today, usd(100), &limits()).map(|equity| equity.peak), Some(usd(100)));
}

#[test]
fn a_peak_counts_once_it_was_seen_often_enough_and_only_as_high_as_it_stayed() {
    let mut track = steady(100);
    play(&mut track, 5, &[Some(130), Some(120), Some(140), Some(100)]);
    assert_eq!(track.day().map(|day| day.peak), Some(usd(120)));
}

#[test]
fn the_day_begins_anew_at_midnight_with_what_was_measured_last_and_the_window_goes_on() {
    let mut track = steady(100);
    let midnight = 86_400 - 3_600;
    play(&mut track, midnight - 3, &[Some(90), Some(90), Some(90), Some(500), Some(90)]);
    let day = track.day().expect("begun");
    assert_eq!((day.day, day.start, day.peak), (20_001, usd(90), usd(90)), "a phantom at midnight is none of it");
    assert!(
        play(&mut track, midnight + 60, &[Some(11); 5]).iter().all(|(_, control)| *control != Control::RollingLoss)
    );
    let mut late = Track::restore(track.day(), [(at(midnight - 900), usd(100))]);
    let broke = play(&mut late, midnight + 70, &[Some(19); 3]);
    assert_eq!(broke, [(midnight + 72, Control::DailyDrawdown), (midnight + 72, Control::RollingLoss)]);
}

#[test]
fn the_first_measurement_of_all_may_be_the_phantom() {
    let mut track = Track::default();
    assert!(play(&mut track, 0, &[Some(900), Some(0), Some(0), Some(0), Some(0), Some(0)]).is_empty());
    assert_eq!(track.day().map(|day| (day.start, day.peak)), Some((usd(0), usd(0))));
}

#[test]
fn a_restart_in_the_middle_of_a_fall_keeps_every_reference() {
    let mut track = steady(100);
    play(&mut track, 5, &[Some(55); 5]);
    assert_eq!(track.take_day().map(|day| day.peak), Some(usd(100)));
    let highs = track.take_highs();
    assert_eq!((highs.len(), track.take_day(), track.take_highs().len()), (1, None, 0), "each change once");
    let mut after = Track::restore(track.day(), highs);
    let broke = play(&mut after, 20, &[Some(19); 3]);
    assert_eq!(broke, [(22, Control::DailyDrawdown), (22, Control::RollingLoss)]);
}

#[test]
fn what_has_left_the_window_counts_no_more() {
    let mut track = steady(100);
    let two_hours = 7_200;
    play(&mut track, 10, &[Some(60); 3]);
    let high = |track: &Track, secs| track.rolling_high(at(secs), limits().rolling_window());
    assert_eq!(high(&track, two_hours + 299), Some(usd(100)), "its span began within the window");
    play(&mut track, two_hours + 301, &[Some(60); 3]);
    assert_eq!(high(&track, two_hours + 304), Some(usd(60)));
}

#[test]
fn a_window_that_is_narrowed_and_widened_again_knows_what_it_knew() {
    let mut track = steady(100);
    let hours = |rolling_hours| Limits { rolling_hours, ..limits() };
    for secs in 0..3 {
        track.observe(at(7_200 + secs), total(Some(usd(60))), &hours(1));
    }
    let high = |hours: u64| track.rolling_high(at(7_203), Duration::from_hours(hours));
    assert_eq!((high(1), high(24)), (Some(usd(60)), Some(usd(100))));
}

#[test]
fn a_rise_of_the_windows_highest_is_news_until_it_is_taken() {
    let mut track = steady(100);
    assert!(track.has_risen());
    track.take_highs();
    play(&mut track, 5, &[Some(100), Some(90), Some(130), Some(130)]);
    assert!(!track.has_risen(), "not confirmed yet");
    play(&mut track, 9, &[Some(120)]);
    assert!(track.has_risen());
    assert_eq!(track.take_highs().last().map(|(_, high)| *high), Some(usd(120)));
    assert!(!track.has_risen());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Against the plain definition over the whole list of what was measured.
    #[test]
    fn it_equals_the_definition_at_every_step(totals in prop::collection::vec(prop::option::weighted(0.9, -100_i64..100), 1..60)) {
        let (limits, mut track, mut known) = (limits(), Track::default(), Vec::new());
        let (mut beyond, needed) = (0, 3);
        for (secs, told) in (0_i64..).zip(&totals) {
            let broke = track.observe(at(secs), total(told.map(usd)), &limits);
            let Some(total) = *told else {
                prop_assert!(broke.is_empty());
                continue;
            };
            known.push(total);
            let mut first: Vec<i64> = known.iter().take(needed).copied().collect();
            first.sort_unstable();
            let start = first[(first.len() - 1) / 2];
            let confirmed = known.windows(needed).filter_map(|seen| seen.iter().min().copied()).max();
            let peak = confirmed.unwrap_or(start).max(start);
            let high = confirmed.unwrap_or(total);
            let equity = track.equity(at(secs), usd(total), &limits).expect("measured");
            prop_assert_eq!((equity.day_start, equity.peak, equity.rolling_high), (usd(start), usd(peak), usd(high)));
            beyond = if usd(peak - total) > limits.daily_drawdown { beyond + 1 } else { 0 };
            let trips = broke.iter().any(|breach| breach.control == Control::DailyDrawdown);
            prop_assert_eq!(trips, beyond == needed);
        }
    }
}
