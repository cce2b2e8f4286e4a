//! The window against a plain scan of its history.

use proptest::prelude::*;
use rust_decimal::dec;

use super::*;

fn window(min_ticks: usize) -> Window {
    Window::new(Duration::from_secs(10), min_ticks)
}

fn sample(millis: i64, id: u64, price: i64) -> Sample {
    Sample { at: Timestamp::from_millis(millis), id, price: Price(Decimal::new(price, 2)), qty: Size(dec!(0.5)) }
}

#[test]
fn it_is_warm_with_enough_ticks_over_half_of_its_length() {
    let mut window = window(3);
    for (at, id, warm) in [(0, 1, false), (2_000, 2, false), (4_999, 3, false), (5_000, 4, true)] {
        window.push(sample(at, id, 100));
        assert_eq!(window.is_warm(), warm, "at {at}");
    }
    let mut sparse = self::window(3);
    sparse.push(sample(0, 1, 100));
    sparse.push(sample(9_000, 2, 200));
    assert_eq!((sparse.is_warm(), sparse.change(), sparse.crossing(dec!(0.1))), (false, None, None));
}

#[test]
fn what_is_exactly_as_old_as_the_window_stays_and_older_goes() {
    let mut window = window(2);
    window.push(sample(0, 1, 100));
    window.push(sample(10_000, 2, 110));
    assert_eq!(window.len(), 2);
    window.push(sample(10_001, 3, 120));
    assert_eq!(window.first(), Some(sample(10_000, 2, 110)));
}

#[test]
fn repeats_and_late_ticks_change_nothing() {
    let mut window = window(2);
    window.push(sample(1_000, 7, 100));
    window.push(sample(2_000, 8, 101));
    for stray in [sample(2_000, 8, 500), sample(1_500, 9, 500), sample(2_000, 3, 500)] {
        assert_eq!(window.push(stray), Push::Ignored);
    }
    assert_eq!(window.samples(), [sample(1_000, 7, 100), sample(2_000, 8, 101)]);
    assert_eq!(window.push(sample(2_000, 9, 102)), Push::Taken);
    assert_eq!(window.push(sample(3_000, 1, 103)), Push::Taken, "a venue may begin to count anew");
}

#[test]
fn the_threshold_itself_crosses_both_ways_and_less_does_not() {
    for (last, expected) in
        [(10_100, Some(Direction::Up)), (10_099, None), (9_901, None), (9_900, Some(Direction::Down))]
    {
        let mut window = window(2);
        window.push(sample(0, 1, 10_000));
        window.push(sample(6_000, 2, last));
        assert_eq!(window.crossing(dec!(0.01)), expected, "{last}");
    }
}

#[test]
fn a_shorter_window_forgets_what_is_too_old_and_a_longer_one_keeps_what_it_has() {
    let mut window = window(2);
    for second in 0..=10 {
        window.push(sample(second * 1_000, 1, 10_000 + second));
    }
    window.resize(Duration::from_secs(4), 2);
    assert_eq!((window.len(), window.first()), (5, Some(sample(6_000, 1, 10_006))));
    assert_eq!(window.volume(), Size(dec!(2.5)));
    window.resize(Duration::from_secs(8), 2);
    assert_eq!((window.len(), window.is_warm()), (5, true), "half of its length is covered");
    window.resize(Duration::from_secs(9), 2);
    assert!(!window.is_warm());
    window.push(sample(11_000, 1, 10_000));
    assert_eq!((window.len(), window.is_warm()), (6, true));
    window.resize(Duration::from_secs(9), 7);
    assert!(!window.is_warm(), "seven ticks are needed now");
}

#[test]
fn volatility_is_that_of_the_changes_a_second() {
    let mut window = window(2);
    for (second, price) in [(0, 10_000), (2, 10_100), (4, 10_000), (6, 10_100)] {
        window.push(sample(second * 1_000, 1, price));
    }
    let squares = 2.0 * 0.01_f64.powi(2) + (100.0 / 10_100.0_f64).powi(2);
    assert!((window.volatility().expect("it moved") - (squares / 6.0).sqrt()).abs() < 1e-9);
    let mut flat = self::window(2);
    flat.push(sample(0, 1, 100));
    flat.push(sample(6_000, 2, 100));
    assert_eq!(flat.volatility(), None);
}

#[test]
fn an_hour_at_thirty_a_second_is_held_whole() {
    let mut window = Window::new(Duration::from_hours(1), 10_000);
    for (id, at) in (0..2 * 3_600_000).step_by(33).enumerate() {
        window.push(sample(at, id as u64, 100));
    }
    let (first, last) = (window.first().expect("held"), window.last().expect("held"));
    assert!(last.at.since(first.at) > Duration::from_millis(3_599_900) && window.is_warm() && !window.is_full());
}

#[test]
fn a_burst_keeps_it_bounded_and_a_floor_forgets_what_came_before() {
    let mut window = Window::new(Duration::from_secs(10), 2);
    for id in 0..(CAPACITY as u64 + 10) {
        window.push(sample(1_000, id, 100));
    }
    assert_eq!(window.len(), CAPACITY);
    window.push(sample(2_000, 1, 100));
    window.keep_from(Timestamp::from_millis(1_500));
    assert_eq!(window.samples(), [sample(2_000, 1, 100)]);
    window.keep_from(Timestamp::from_millis(2_001));
    assert!(window.is_empty());
    assert_eq!(window.push(sample(2_000, 1, 100)), Push::Ignored, "what was forgotten stays seen");
}

proptest! {
    #[test]
    fn it_holds_what_a_plain_scan_of_the_history_would(
        ticks in proptest::collection::vec((-3_000_i64..6_000, 0_u64..5, 1_i64..1_000), 1..200)
    ) {
        let mut window = window(2);
        let mut taken: Vec<Sample> = Vec::new();
        let mut clock = 0;
        for (step, id, price) in ticks {
            clock += step;
            let sample = sample(clock, id, price);
            let newer = taken.last().is_none_or(|last| (sample.at, sample.id) > (last.at, last.id));
            prop_assert_eq!(window.push(sample) == Push::Taken, newer);
            if newer {
                taken.push(sample);
            }
            let newest = taken.last().expect("the first is taken").at;
            let scan: Vec<_> =
                taken.iter().copied().filter(|kept| newest.since(kept.at) <= Duration::from_secs(10)).collect();
            let volume = scan.iter().map(|sample| sample.qty).sum();
            let squares: i128 = scan.windows(2).map(|pair| square(change(pair[0].price, pair[1].price))).sum();
            prop_assert_eq!((window.volume(), window.squares), (volume, squares));
            prop_assert_eq!(window.samples(), scan);
        }
    }
}

#[test]
fn what_was_not_seen_does_not_warm_it() {
    let gap = |from, to| Gap { from: Timestamp::from_millis(from), to: Timestamp::from_millis(to) };
    let mut window = window(2);
    window.push(sample(0, 1, 100));
    window.note_gap(gap(1_000, 4_000));
    window.note_gap(gap(3_500, 4_500));
    window.push(sample(6_000, 2, 100));
    assert_eq!((window.unseen(), window.is_warm()), (Duration::from_millis(3_500), false));
    window.push(sample(8_500, 3, 100));
    assert!(window.is_warm(), "half of its length was seen");
    window.push(sample(11_500, 4, 100));
    assert_eq!(window.unseen(), Duration::ZERO, "the gap lies before the oldest sample");
    assert_eq!(window.gaps().count(), 0);
}

#[test]
fn many_gaps_become_fewer_and_hide_nothing() {
    let mut window = window(2);
    window.push(sample(0, 1, 100));
    for at in 0..40 {
        window.note_gap(Gap { from: Timestamp::from_millis(at * 100), to: Timestamp::from_millis(at * 100 + 50) });
    }
    window.push(sample(4_000, 2, 100));
    assert_eq!(window.gaps().count(), GAPS);
    assert!(window.unseen() >= Duration::from_secs(2), "what lies between two that were joined counts too");
}
