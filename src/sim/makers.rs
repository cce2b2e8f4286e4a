//! The makers of one market: a ladder of bids and asks around the fair value, on both tokens.
//!
//! Pure: (state, fair value, now) -> ladder, and (ladder, what rests, book) -> what to cancel and place.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rust_decimal::Decimal;

use crate::domain::{OrderId, OutcomeToken, Price, Side, Size, Timestamp, TokenId};

/// Levels on each side, where the grid has room.
const LEVELS: i64 = 5;
/// Shares at a level.
const SIZES: std::ops::RangeInclusive<i64> = 20..=120;
/// Time between two looks at the fair value.
const REQUOTE_MS: std::ops::Range<u64> = 200..300;
/// Time for which a spread is kept.
const SPREAD_MS: std::ops::Range<u64> = 2_000..6_000;
/// How far, in ticks, the fair value must lie from the ladder's centre before the ladder moves.
const HYSTERESIS: f64 = 0.6;

/// A place on the book: token index, side, price in ticks.
pub(super) type Place = (usize, Side, i64);

/// What the makers want to have resting: size in shares by place. The second token mirrors the first.
pub(super) type Ladder = BTreeMap<Place, i64>;

/// The makers of one market.
#[derive(Debug)]
pub(super) struct Makers {
    tokens: [TokenId; 2],
    tick: Price,
    /// Ticks in one pUSD.
    grid: i64,
    rng: StdRng,
    centre: Option<f64>,
    spread: i64,
    requote_at: Timestamp,
    respread_at: Timestamp,
    ladder: Ladder,
    resting: BTreeMap<Place, OrderId>,
}

impl Makers {
    /// The same seed gives the same quotes.
    pub(super) fn new(tokens: &[OutcomeToken; 2], tick: Price, seed: u64) -> Self {
        let grid = Decimal::ONE.checked_div(tick.0).and_then(|grid| i64::try_from(grid.trunc()).ok()).unwrap_or(100);
        let start = Timestamp::from_micros(0);
        Self {
            tokens: [tokens[0].token.clone(), tokens[1].token.clone()],
            tick,
            grid,
            rng: StdRng::seed_from_u64(seed),
            centre: None,
            spread: 2,
            requote_at: start,
            respread_at: start,
            ladder: Ladder::new(),
            resting: BTreeMap::new(),
        }
    }

    /// Looks at the fair value of the first token when it is time to. Whether it looked.
    pub(super) fn look(&mut self, fair: f64, now: Timestamp) -> bool {
        if now < self.requote_at {
            return false;
        }
        self.requote_at = now.plus(Duration::from_millis(self.rng.random_range(REQUOTE_MS)));
        if now >= self.respread_at {
            self.respread_at = now.plus(Duration::from_millis(self.rng.random_range(SPREAD_MS)));
            self.spread = [1, 1, 2, 2, 3][self.rng.random_range(0..5)];
            self.centre = None;
        }
        let fair = fair.clamp(0.0, 1.0) * ticks(self.grid);
        if self.centre.is_none_or(|centre| (fair - centre).abs() >= HYSTERESIS) {
            self.centre = Some(fair);
            self.ladder = self.build(fair);
        }
        true
    }

    fn build(&mut self, centre: f64) -> Ladder {
        let best_bid = nearest(centre - ticks(self.spread) / 2.0).clamp(1, self.grid - 1 - self.spread);
        let mut ladder = Ladder::new();
        for level in 0..LEVELS {
            let (bid, ask) = (best_bid - level, best_bid + self.spread + level);
            for (side, price) in [(Side::Buy, bid), (Side::Sell, ask)] {
                if !(1..self.grid).contains(&price) {
                    continue;
                }
                // What was quoted there before keeps its size, so that a moving ladder changes only at its ends.
                let place = (0, side, price);
                let size = self.ladder.get(&place).copied().unwrap_or_else(|| self.rng.random_range(SIZES));
                ladder.insert(place, size);
                ladder.insert((1, side.opposite(), self.grid - price), size);
            }
        }
        ladder
    }

    /// What to cancel, given how many shares the book shows at a place: what is not wanted any more, and what has been
    /// taken by more than half.
    pub(super) fn cancels(&mut self, shown: impl Fn(Place) -> Size) -> Vec<OrderId> {
        let ladder = &self.ladder;
        let gone: Vec<Place> = self
            .resting
            .keys()
            .filter(|place| ladder.get(*place).is_none_or(|size| shown(**place) < half(*size)))
            .copied()
            .collect();
        gone.iter().filter_map(|place| self.resting.remove(place)).collect()
    }

    /// What to place on one token, given what the book shows after the cancels. An exchange that shows the orders of the
    /// other token here too has enough already.
    pub(super) fn missing(&self, token: usize, shown: impl Fn(Place) -> Size) -> Vec<(Place, i64)> {
        self.ladder
            .iter()
            .filter(|(place, size)| {
                place.0 == token && !self.resting.contains_key(*place) && shown(**place) < half(**size)
            })
            .map(|(place, size)| (*place, *size))
            .collect()
    }

    /// An order of theirs rests now.
    pub(super) fn rested(&mut self, place: Place, order: OrderId) {
        self.resting.insert(place, order);
    }

    pub(super) const fn token(&self, index: usize) -> &TokenId {
        &self.tokens[if index == 0 { 0 } else { 1 }]
    }

    pub(super) const fn grid_prices(&self) -> GridPrices {
        GridPrices(self.tick)
    }

    #[cfg(test)]
    pub(super) const fn ladder(&self) -> &Ladder {
        &self.ladder
    }
}

/// Turns places into prices.
#[derive(Clone, Copy, Debug)]
pub(super) struct GridPrices(Price);

impl GridPrices {
    pub(super) fn of(self, place: Place) -> Price {
        Price(self.0.0.saturating_mul(Decimal::from(place.2)).normalize())
    }
}

/// Below this a place counts as taken.
fn half(size: i64) -> Size {
    Size(Decimal::from(size) / Decimal::TWO)
}

fn ticks(count: i64) -> f64 {
    count as f64
}

/// The nearest whole number of ticks; the argument lies within the grid.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a price in ticks is a few thousand at most, and the cast saturates"
)]
fn nearest(ticks: f64) -> i64 {
    ticks.round() as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::dec;

    use super::*;

    fn makers(seed: u64) -> Makers {
        let token = |name: &str, outcome: &str| OutcomeToken { token: TokenId::new(name), outcome: outcome.to_owned() };
        Makers::new(&[token("1", "Up"), token("2", "Down")], Price(dec!(0.01)), seed)
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    fn walk(seed: u64) -> Vec<Ladder> {
        let mut makers = makers(seed);
        (0..400_i32)
            .map(|step| {
                makers.look(0.5 + f64::from(step % 50) / 200.0, at(i64::from(step) * 25));
                makers.ladder().clone()
            })
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_quotes() {
        assert_eq!(walk(7), walk(7));
        assert_ne!(walk(7), walk(8));
    }

    #[test]
    fn they_look_every_200_to_300_ms() {
        let mut makers = makers(1);
        let looks: Vec<i64> = (0..10_000).filter(|ms| makers.look(0.5, at(*ms))).collect();
        assert!(looks.windows(2).all(|pair| (200..300).contains(&(pair[1] - pair[0]))), "{looks:?}");
        assert!(looks.len() > 33);
    }

    #[test]
    fn what_is_wanted_is_placed_once_and_what_is_not_is_cancelled() {
        let mut makers = makers(3);
        makers.look(0.5, at(0));
        let nothing = |_| Size::ZERO;
        let plenty = |_| Size(dec!(500));
        let up = makers.missing(0, nothing);
        assert_eq!(up.len(), 10);
        assert!(makers.missing(1, plenty).is_empty(), "a book that mirrors the other token needs nothing");
        for (index, (place, _)) in up.iter().enumerate() {
            makers.rested(*place, OrderId::new(index.to_string()));
        }
        assert!(makers.missing(0, nothing).is_empty());
        assert!(makers.cancels(plenty).is_empty());
        makers.look(0.9, at(1_000));
        assert_eq!(makers.cancels(plenty).len(), 10, "forty cents further nothing is left of it");
    }

    #[test]
    fn a_level_that_was_taken_is_replaced() {
        let mut makers = makers(3);
        makers.look(0.5, at(0));
        let all = makers.missing(0, |_| Size::ZERO);
        for (place, _) in &all {
            makers.rested(*place, OrderId::new(format!("{place:?}")));
        }
        let taken = all[0].0;
        let shown = |place| if place == taken { Size(dec!(3)) } else { Size(dec!(500)) };
        assert_eq!(makers.cancels(shown), [OrderId::new(format!("{taken:?}"))]);
        assert_eq!(makers.missing(0, shown), [all[0]]);
    }

    proptest! {
        #[test]
        fn ladders_are_two_sided_on_the_grid_and_close(seed in any::<u64>(), fair in -0.5_f64..1.5) {
            let mut makers = makers(seed);
            makers.look(fair, at(0));
            for token in 0..2 {
                let side = |wanted| makers.ladder().keys().filter(move |place| place.0 == token && place.1 == wanted);
                let bid = side(Side::Buy).map(|place| place.2).max().expect("a bid");
                let ask = side(Side::Sell).map(|place| place.2).min().expect("an ask");
                prop_assert!((1..=3).contains(&(ask - bid)), "{} to {}", bid, ask);
                if (0.1..0.9).contains(&fair) {
                    prop_assert!(side(Side::Buy).count() >= 3 && side(Side::Sell).count() >= 3);
                    let distance = (f64::from(i32::try_from(bid + ask).expect("small")) / 200.0 - if token == 0 { fair } else { 1.0 - fair }).abs();
                    prop_assert!(distance <= 0.0101, "{}", distance);
                }
            }
            for (place, size) in makers.ladder() {
                prop_assert!(makers.grid_prices().of(*place).is_on_tick(Price(dec!(0.01))));
                prop_assert!((20..=120).contains(size));
            }
        }
    }
}
