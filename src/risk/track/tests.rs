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

/// A total that every look saw.
fn total(known: Usd) -> Total {
    Total { known: Some(Known { least: known, middle: known, heard: None }), for_losses: known }
}

/// Nothing is known but that it is not more than this.
fn at_most(for_losses: i64) -> Total {
    Total { known: None, for_losses: usd(for_losses) }
}

/// A track and the last three looks, the newest last.
struct Seen {
    track: Track,
    looks: VecDeque<i64>,
}

impl Seen {
    /// That every look saw this before.
    fn before(track: Track, seen: i64) -> Self {
        Self { track, looks: VecDeque::from([seen; 3]) }
    }

    /// What they saw, after another that saw this or could not value what is held.
    fn look(&mut self, seen: Option<i64>) -> Total {
        let Some(seen) = seen else { return at_most(1_000_000) };
        self.looks.pop_front();
        self.looks.push_back(seen);
        let mut sorted: Vec<Usd> = self.looks.iter().copied().map(usd).collect();
        sorted.sort_unstable();
        Total { known: Some(Known { least: sorted[0], middle: sorted[1], heard: None }), for_losses: sorted[2] }
    }

    /// One measurement a second; which controls broke when.
    fn play(&mut self, from: i64, looks: &[Option<i64>]) -> Vec<(i64, Control)> {
        let mut broke = Vec::new();
        for (secs, seen) in (from..).zip(looks) {
            let total = self.look(*seen);
            let found = self.track.observe(at(secs), total, &limits());
            broke.extend(found.into_iter().map(|breach| (secs, breach.control)));
        }
        broke
    }

    fn high(&self, secs: i64) -> Option<Usd> {
        self.track.rolling_high(at(secs), limits().rolling_window())
    }

    fn peak(&self) -> Option<Usd> {
        self.track.day().map(|day| day.peak)
    }
}

fn steady(total: i64) -> Seen {
    let mut seen = Seen::before(Track::default(), 0);
    assert!(seen.play(0, &[Some(total); 5]).is_empty());
    seen
}

#[test]
fn a_false_spike_either_way_trips_nothing_and_moves_no_reference() {
    let mut seen = steady(100);
    let before = (seen.track.day(), seen.high(5));
    let spikes = [Some(900), Some(900), Some(100), Some(-900), Some(-900), Some(100), Some(100), Some(100)];
    assert!(seen.play(5, &spikes).is_empty());
    assert_eq!((seen.track.day(), seen.high(20)), before);
}

#[test]
fn a_rise_counts_only_when_every_price_was_heard_anew_and_a_loss_at_any_time() {
    let mut seen = steady(100);
    let mut look = |secs, total: i64, heard| {
        let known = Known { least: usd(total), middle: usd(total), heard: Some(at(heard)) };
        seen.track.observe(at(secs), Total { known: Some(known), for_losses: usd(total) }, &limits()).len()
    };
    assert_eq!((look(5, 110, 5), look(6, 900, 5), look(7, 900, 5)), (0, 0, 0));
    assert_eq!((look(8, 110, 8), look(9, 0, 8)), (0, 2));
    assert_eq!(seen.peak(), Some(usd(110)));
}

#[test]
fn a_true_fall_trips_each_control_exactly_once() {
    let mut seen = steady(100);
    let falls: Vec<Option<i64>> = [[Some(50); 4], [Some(49); 4], [Some(20); 4], [Some(19); 4]].concat();
    assert_eq!(seen.play(5, &falls), [(11, Control::DailyDrawdown), (19, Control::RollingLoss)]);
    seen.track.rearm();
    let again = seen.play(30, &[Some(19); 6]);
    assert_eq!(again, [(30, Control::DailyDrawdown), (30, Control::RollingLoss)], "a person has armed all the same");
}

#[test]
fn a_breach_says_control_value_and_limit() {
    let mut track = steady(100).track;
    let found: Vec<Denial> =
        (5..9).flat_map(|secs| track.observe(at(secs), total(Usd(dec!(49.5))), &limits())).collect();
    let words: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["daily_drawdown: 50.5 pUSD (limit 50 pUSD below the day's peak)"]);
}

#[test]
fn what_is_not_known_moves_nothing() {
    let mut seen = steady(100);
    assert!(seen.play(5, &[Some(0), Some(0), None, None, None]).is_empty());
    assert_eq!(seen.play(10, &[Some(0)]).len(), 2, "the third that was seen");
    assert!(seen.play(11, &[None, None, Some(0)]).is_empty(), "nor does it end a loss");
    let mut seen = steady(100);
    seen.play(5, &[Some(300), Some(300), None]);
    assert_eq!(seen.peak(), Some(usd(100)));
    seen.play(8, &[Some(300)]);
    assert_eq!(seen.peak(), Some(usd(300)));
}

#[test]
fn a_loss_that_is_certain_trips_although_equity_is_not_known_and_no_reference_moves() {
    let mut seen = steady(100);
    let before = (seen.track.day(), seen.high(5));
    let mut look = |secs, total| -> Vec<String> {
        seen.track.observe(at(secs), total, &limits()).iter().map(ToString::to_string).collect()
    };
    assert!(look(5, at_most(500)).is_empty(), "as much as anything may be paid out: no proof either way");
    assert_eq!(look(6, at_most(49)), ["daily_drawdown: at least 51 pUSD (limit 50 pUSD below the day's peak)"]);
    assert!(look(7, at_most(49)).is_empty(), "told once");
    assert_eq!((seen.track.day(), seen.high(9)), before);
}

#[test]
fn what_was_known_last_forbids_arming_until_it_is_known_better() {
    let mut seen = steady(100);
    seen.play(5, &[Some(40)]);
    let beyond = |seen: &Seen, known, limits: &Limits| seen.track.beyond(at(9), known, usd(500), limits).count();
    let wide = Limits { daily_drawdown: usd(60), ..limits() };
    assert_eq!((beyond(&seen, None, &limits()), beyond(&seen, None, &wide)), (1, 0));
    assert_eq!((beyond(&seen, Some(usd(49)), &limits()), beyond(&seen, Some(usd(50)), &limits())), (1, 0));
    seen.play(6, &[Some(50); 3]);
    assert_eq!(beyond(&seen, None, &limits()), 0);
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
    let mut seen = steady(100);
    seen.play(5, &[Some(130), Some(120), Some(140), Some(100)]);
    assert_eq!(seen.peak(), Some(usd(120)));
}

#[test]
fn the_day_begins_anew_at_midnight_with_what_was_measured_last_and_the_window_goes_on() {
    let midnight = 86_400 - 3_600;
    for looks in [[90, 90, 90, 500, 90], [90, 90, -500, 90, 90]] {
        let mut seen = steady(100);
        seen.play(midnight - 3, &looks.map(Some));
        let day = seen.track.day().expect("begun");
        assert_eq!((day.day, day.start), (20_001, usd(90)), "a phantom at midnight is none of it");
        assert_eq!(day.peak, usd(90));
        let broke = seen.play(midnight + 60, &[Some(11); 5]);
        assert!(broke.iter().all(|(_, control)| *control != Control::RollingLoss));
        let mut late = Seen::before(Track::restore(Some(day), [(at(midnight - 900), usd(100))]), 90);
        let broke = late.play(midnight + 70, &[Some(19); 3]);
        assert_eq!(broke, [(midnight + 72, Control::DailyDrawdown), (midnight + 72, Control::RollingLoss)]);
    }
}

#[test]
fn a_day_that_begins_while_nothing_is_measured_begins_with_what_was_kept_last() {
    let highs = [(at(0), usd(300)), (at(900), usd(100))];
    let mut after = Seen::before(Track::restore(Some(Day { day: 20_000, start: usd(0), peak: usd(300) }), highs), 40);
    let broke = after.play(86_400, &[Some(40); 3]);
    assert_eq!(after.track.day(), Some(Day { day: 20_001, start: usd(100), peak: usd(100) }));
    assert_eq!(broke, [(86_400, Control::DailyDrawdown)]);
}

#[test]
fn the_first_measurement_of_all_may_be_the_phantom() {
    let mut seen = Seen::before(Track::default(), 0);
    assert!(seen.play(0, &[Some(900), Some(0), Some(0), Some(0), Some(0), Some(0)]).is_empty());
    assert_eq!(seen.track.day().map(|day| (day.start, day.peak)), Some((usd(0), usd(0))));
}

#[test]
fn a_restart_in_the_middle_of_a_fall_keeps_every_reference() {
    let mut seen = steady(100);
    seen.play(5, &[Some(55); 5]);
    assert_eq!(seen.track.take_day().map(|day| day.peak), Some(usd(100)));
    let highs = seen.track.take_highs();
    assert_eq!((highs.len(), seen.track.take_day(), seen.track.take_highs().len()), (1, None, 0), "each change once");
    let mut after = Seen::before(Track::restore(seen.track.day(), highs), 55);
    let broke = after.play(20, &[Some(19); 3]);
    assert_eq!(broke, [(22, Control::DailyDrawdown), (22, Control::RollingLoss)]);
}

#[test]
fn what_has_left_the_window_counts_no_more() {
    let mut seen = steady(100);
    let two_hours = 7_200;
    seen.play(10, &[Some(60); 3]);
    assert_eq!(seen.high(two_hours + 299), Some(usd(100)), "its span began within the window");
    seen.play(two_hours + 301, &[Some(60); 3]);
    assert_eq!(seen.high(two_hours + 304), Some(usd(60)));
}

#[test]
fn a_window_that_is_narrowed_and_widened_again_knows_what_it_knew() {
    let mut track = steady(100).track;
    let hours = |rolling_hours| Limits { rolling_hours, ..limits() };
    track.observe(at(7_200), total(usd(60)), &hours(1));
    let high = |hours: u64| track.rolling_high(at(7_203), Duration::from_hours(hours));
    assert_eq!((high(1), high(24)), (Some(usd(60)), Some(usd(100))));
}

#[test]
fn a_rise_of_the_windows_highest_is_news_until_it_is_taken() {
    let mut seen = steady(100);
    assert!(seen.track.has_risen());
    seen.track.take_highs();
    seen.play(5, &[Some(100), Some(90), Some(130), Some(130)]);
    assert!(!seen.track.has_risen(), "not every look has seen it yet");
    seen.play(9, &[Some(120)]);
    assert!(seen.track.has_risen());
    assert_eq!(seen.track.take_highs().last().map(|(_, high)| *high), Some(usd(120)));
    assert!(!seen.track.has_risen());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Against the plain definition over the whole list of what was seen.
    #[test]
    fn it_equals_the_definition_at_every_step(looks in prop::collection::vec(prop::option::weighted(0.9, -100_i64..100), 1..60)) {
        let (limits, mut seen, mut known) = (limits(), Seen::before(Track::default(), 0), vec![0, 0]);
        let mut was_beyond = false;
        for (secs, look) in (0_i64..).zip(&looks) {
            let total = seen.look(*look);
            let broke = seen.track.observe(at(secs), total, &limits);
            let Some(look) = *look else {
                prop_assert!(broke.is_empty());
                continue;
            };
            known.push(look);
            let sorted = |looks: &[i64]| { let mut sorted = looks.to_vec(); sorted.sort_unstable(); sorted };
            let windows: Vec<Vec<i64>> = known.windows(3).map(sorted).collect();
            let start = windows[windows.len().min(3) - 1][1];
            let peak = windows.iter().skip(3).map(|window| window[0]).fold(start, i64::max);
            let high = windows.iter().map(|window| window[0]).max();
            let best = windows[windows.len() - 1][2];
            let equity = seen.track.equity(at(secs), total.for_losses, &limits).expect("measured");
            prop_assert_eq!((equity.day_start, equity.peak, Some(equity.rolling_high)), (usd(start), usd(peak), high.map(usd)));
            let beyond = usd(peak - best) > limits.daily_drawdown;
            let trips = broke.iter().any(|breach| breach.control == Control::DailyDrawdown);
            prop_assert_eq!(trips, beyond && !was_beyond);
            was_beyond = beyond;
        }
    }
}
