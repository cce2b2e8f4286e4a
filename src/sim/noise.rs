//! Noise takers: strangers who trade at once and for no reason, so that resting orders get filled. Pure.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rust_decimal::Decimal;

use crate::domain::{Book, Price, Side, Size, Timestamp};

/// Time between two trades.
const PAUSE_MS: std::ops::Range<u64> = 400..2_200;
/// Shares a trade.
const SIZES: std::ops::RangeInclusive<i64> = 5..=30;
/// How many ticks beyond the best price they go.
const REACH: i64 = 1;

/// A stranger's wish: on which token, which way, how many shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Take {
    pub(super) token: usize,
    pub(super) side: Side,
    pub(super) size: Size,
}

impl Take {
    /// The worst price that is accepted on this book; nothing when nobody is there to trade with.
    pub(super) fn limit(&self, book: &Book, tick: Price) -> Option<Price> {
        let reach = tick.0 * Decimal::from(REACH);
        let limit = match self.side {
            Side::Buy => Price(book.best_ask()?.price.0 + reach),
            Side::Sell => Price(book.best_bid()?.price.0 - reach),
        };
        Some(limit.floor_to(tick))
    }
}

/// All the strangers of one market.
#[derive(Debug)]
pub(super) struct Noise {
    rng: StdRng,
    next_at: Option<Timestamp>,
}

impl Noise {
    /// The same seed gives the same trades.
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), next_at: None }
    }

    /// What is wanted now; at most one trade a call.
    pub(super) fn decide(&mut self, now: Timestamp) -> Option<Take> {
        let due = self.next_at.is_some_and(|at| now >= at);
        if due || self.next_at.is_none() {
            self.next_at = Some(now.plus(Duration::from_millis(self.rng.random_range(PAUSE_MS))));
        }
        due.then(|| Take {
            token: self.rng.random_range(0..2),
            side: if self.rng.random_bool(0.5) { Side::Buy } else { Side::Sell },
            size: Size(Decimal::from(self.rng.random_range(SIZES))),
        })
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::{Level, MarketId, TokenId};

    fn run(seed: u64) -> Vec<(i64, Take)> {
        let mut noise = Noise::new(seed);
        (0..60_000)
            .step_by(25)
            .filter_map(|ms| noise.decide(Timestamp::from_millis(ms)).map(|take| (ms, take)))
            .collect()
    }

    #[test]
    fn about_one_trade_every_second_or_two_and_the_same_for_the_same_seed() {
        let takes = run(5);
        assert!((30..=80).contains(&takes.len()), "{}", takes.len());
        assert!(takes.iter().all(|(_, take)| take.size >= Size(dec!(5)) && take.size <= Size(dec!(30))));
        assert!(
            takes.iter().any(|(_, take)| take.side == Side::Buy)
                && takes.iter().any(|(_, take)| take.side == Side::Sell)
        );
        assert_eq!(takes, run(5));
        assert_ne!(takes, run(6));
    }

    #[test]
    fn the_limit_stays_on_the_grid_and_an_empty_side_is_left_alone() {
        let level = |price| Level { price: Price(price), size: Size(dec!(10)) };
        let book = Book {
            market: MarketId::new("0x1"),
            token: TokenId::new("1"),
            bids: vec![],
            asks: vec![level(dec!(0.99))],
            event_at: Timestamp::default(),
            received_at: Timestamp::default(),
            heard_at: None,
        };
        let take = |side| Take { token: 0, side, size: Size(dec!(5)) };
        assert_eq!(take(Side::Buy).limit(&book, Price(dec!(0.01))), Some(Price(dec!(0.99))));
        assert_eq!(take(Side::Sell).limit(&book, Price(dec!(0.01))), None);
    }
}
