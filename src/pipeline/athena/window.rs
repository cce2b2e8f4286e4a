//! A rolling window of trade prices, by the time the venue gives them.

use std::collections::VecDeque;
use std::time::Duration;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use crate::domain::{Price, Size, Timestamp};

/// Most prices that a window holds. Beyond that the oldest goes, so a burst shortens the window instead of growing it;
/// a window that has become too short to judge by is no longer warm.
const CAPACITY: usize = 8_192;

/// One price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When the venue says it was traded.
    pub at: Timestamp,
    /// The venue's number of the trade.
    pub id: u64,
    /// The price.
    pub price: Price,
    /// How much was traded.
    pub qty: Size,
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// It is the newest in the window.
    Taken,
    /// It had been seen, or is older than the newest: ignored, so that the window never goes back in time.
    Ignored,
}

/// Which way the price went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Up by at least the threshold.
    Up,
    /// Down by at least the threshold.
    Down,
}

/// The samples of the last `span`, oldest first. No allocation after it is made; a push is O(1) amortised.
#[derive(Clone, Debug)]
pub struct Window {
    span: Duration,
    min_ticks: usize,
    samples: VecDeque<Sample>,
    /// For each sample the square of the relative change from the one before it, in units of 1e-18: whole numbers, so that what is
    /// added is later taken away exactly.
    squares: VecDeque<i128>,
    squares_sum: i128,
    volume: Size,
    newest: Option<(Timestamp, u64)>,
    floor: Timestamp,
}

impl Window {
    /// An empty window of this length, judged by once it holds `min_ticks` and covers half of its length.
    #[must_use]
    pub fn new(span: Duration, min_ticks: usize) -> Self {
        Self {
            span,
            min_ticks: min_ticks.max(2),
            samples: VecDeque::with_capacity(CAPACITY),
            squares: VecDeque::with_capacity(CAPACITY),
            squares_sum: 0,
            volume: Size::ZERO,
            newest: None,
            floor: Timestamp::from_micros(i64::MIN),
        }
    }

    /// Takes a sample unless it is a repeat or late. Order is by time, then by the venue's number.
    pub fn push(&mut self, sample: Sample) -> Push {
        let place = (sample.at, sample.id);
        if self.newest.is_some_and(|newest| place <= newest) {
            return Push::Ignored;
        }
        self.newest = Some(place);
        if self.samples.len() == CAPACITY {
            self.pop();
        }
        let square = self.samples.back().map_or(0, |before| squared_change(before.price, sample.price));
        self.samples.push_back(sample);
        self.squares.push_back(square);
        self.squares_sum += square;
        self.volume += sample.qty;
        self.evict(sample.at.minus(self.span).max(self.floor));
        Push::Taken
    }

    /// Changes length and least number of samples. What is older than the new length goes; a longer window fills up from what it holds.
    pub fn resize(&mut self, span: Duration, min_ticks: usize) {
        self.span = span;
        self.min_ticks = min_ticks.max(2);
        if let Some(newest) = self.last() {
            self.evict(newest.at.minus(span).max(self.floor));
        }
    }

    /// Forgets what is older than `floor`, now and from now on: a market's window begins with the market.
    pub fn keep_from(&mut self, floor: Timestamp) {
        if floor != self.floor {
            self.floor = floor;
            self.evict(floor);
        }
    }

    fn evict(&mut self, before: Timestamp) {
        while self.samples.front().is_some_and(|oldest| oldest.at < before) {
            self.pop();
        }
    }

    /// Drops the oldest; the one after it becomes the first, whose own change then has nothing to refer to.
    fn pop(&mut self) {
        if let Some(oldest) = self.samples.pop_front() {
            self.volume -= oldest.qty;
        }
        self.squares_sum -= self.squares.pop_front().unwrap_or_default();
        if let Some(first) = self.squares.front_mut() {
            self.squares_sum -= std::mem::take(first);
        }
    }

    /// How many samples it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Oldest sample.
    #[must_use]
    pub fn first(&self) -> Option<Sample> {
        self.samples.front().copied()
    }

    /// Newest sample.
    #[must_use]
    pub fn last(&self) -> Option<Sample> {
        self.samples.back().copied()
    }

    /// Whether it holds enough samples over enough of its length to be judged by.
    #[must_use]
    pub fn is_warm(&self) -> bool {
        let (Some(first), Some(last)) = (self.first(), self.last()) else { return false };
        self.samples.len() >= self.min_ticks && last.at.since(first.at) * 2 >= self.span
    }

    /// How much was traded in it.
    #[must_use]
    pub const fn volume(&self) -> Size {
        self.volume
    }

    /// Realised volatility: the root of the mean squared relative change a second. Nothing while the window is not warm or when
    /// nothing moved.
    #[must_use]
    pub fn volatility(&self) -> Option<f64> {
        if !self.is_warm() || self.squares_sum <= 0 {
            return None;
        }
        let covered = self.last()?.at.since(self.first()?.at).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a volatility needs few digits")]
        let squares = self.squares_sum as f64 * 1e-18;
        (covered > 0.0).then(|| (squares / covered).sqrt())
    }

    /// Relative change, `last / first - 1`; nothing while it is not warm or when the first price is zero.
    #[must_use]
    pub fn change(&self) -> Option<Decimal> {
        let (first, last) = self.ends()?;
        last.checked_div(first).map(|ratio| ratio - Decimal::ONE)
    }

    /// Whether a warm window's change reaches the threshold, itself included. Compared without a division, so nothing is rounded.
    #[must_use]
    pub fn crossing(&self, threshold: Decimal) -> Option<Direction> {
        let (first, last) = self.ends()?;
        let (moved, needed) = (last.checked_sub(first)?, first.checked_mul(threshold)?);
        if moved >= needed {
            Some(Direction::Up)
        } else if moved <= -needed {
            Some(Direction::Down)
        } else {
            None
        }
    }

    fn ends(&self) -> Option<(Decimal, Decimal)> {
        let (first, last) = (self.first()?.price.decimal(), self.last()?.price.decimal());
        (self.is_warm() && first > Decimal::ZERO).then_some((first, last))
    }

    /// Its samples, oldest first, to be kept over a restart.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        self.samples.iter().copied().collect()
    }
}

/// The square of `after / before - 1` in units of 1e-18; a change beyond a thousandfold counts as that.
fn squared_change(before: Price, after: Price) -> i128 {
    let change = after.decimal().checked_div(before.decimal()).map_or(Decimal::ZERO, |ratio| ratio - Decimal::ONE);
    let nano = (change * Decimal::from(1_000_000_000)).round().to_i128().unwrap_or_default();
    let bounded = nano.clamp(-1_000_000_000_000, 1_000_000_000_000);
    bounded * bounded
}

#[cfg(test)]
mod tests {
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
                let squares: i128 = scan.windows(2).map(|pair| squared_change(pair[0].price, pair[1].price)).sum();
                prop_assert_eq!((window.volume(), window.squares_sum), (volume, squares));
                prop_assert_eq!(window.samples(), scan);
            }
        }
    }
}
