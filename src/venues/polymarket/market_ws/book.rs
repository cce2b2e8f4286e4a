//! A token's book, folded from a snapshot and the changes after it.

use std::collections::BTreeMap;

use crate::domain::{Book, Level, MarketId, Price, Side, Size, Timestamp, TokenId};

/// Levels a side that go on the bus.
pub const DEPTH: usize = 10;

/// Every level of one token.
#[derive(Clone, Debug)]
pub struct FullBook {
    market: MarketId,
    bids: BTreeMap<Price, Size>,
    asks: BTreeMap<Price, Size>,
    event_at: Timestamp,
}

impl FullBook {
    /// From a snapshot; levels may come in any order.
    #[must_use]
    pub fn new(market: MarketId, bids: &[Level], asks: &[Level], at: Timestamp) -> Self {
        let side = |levels: &[Level]| {
            let filled = levels.iter().filter(|level| !level.size.is_zero());
            filled.map(|level| (level.price, level.size)).collect()
        };
        Self { market, bids: side(bids), asks: side(asks), event_at: at }
    }

    /// Sets a level to its new size; zero removes it.
    pub fn set(&mut self, side: Side, level: Level, at: Timestamp) {
        let levels = match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        if level.size.is_zero() {
            levels.remove(&level.price);
        } else {
            levels.insert(level.price, level.size);
        }
        self.event_at = self.event_at.max(at);
    }

    /// When the venue says that it was so.
    #[must_use]
    pub const fn event_at(&self) -> Timestamp {
        self.event_at
    }

    /// Whether somebody pays at least what somebody asks: then something was missed.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        match (self.bids.last_key_value(), self.asks.first_key_value()) {
            (Some((bid, _)), Some((ask, _))) => bid >= ask,
            _ => false,
        }
    }

    /// Whether another book shows the same best levels.
    #[must_use]
    pub fn looks_like(&self, other: &Self) -> bool {
        let best = |book: &Self| {
            let bids: Vec<_> = book.bids.iter().rev().take(DEPTH).map(|(price, size)| (*price, *size)).collect();
            let asks: Vec<_> = book.asks.iter().take(DEPTH).map(|(price, size)| (*price, *size)).collect();
            (bids, asks)
        };
        best(self) == best(other)
    }

    /// The best levels of both sides, best first.
    #[must_use]
    pub fn top(&self, token: &TokenId, received_at: Timestamp) -> Book {
        let level = |(price, size): (&Price, &Size)| Level { price: *price, size: *size };
        Book {
            market: self.market.clone(),
            token: token.clone(),
            bids: self.bids.iter().rev().take(DEPTH).map(level).collect(),
            asks: self.asks.iter().take(DEPTH).map(level).collect(),
            event_at: self.event_at,
            received_at,
            heard_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::{Decimal, dec};

    use super::*;

    fn level(cents: i64, size: i64) -> Level {
        Level { price: Price(Decimal::new(cents, 2)), size: Size(Decimal::from(size)) }
    }

    #[test]
    fn sizes_are_absolute_zero_removes_and_the_best_comes_first() {
        let at = Timestamp::from_secs(1);
        let mut book = FullBook::new(
            MarketId::new("m"),
            &[level(48, 5), level(50, 2), level(47, 0)],
            &[level(53, 4), level(52, 1)],
            at,
        );
        book.set(Side::Buy, level(50, 9), Timestamp::from_secs(2));
        book.set(Side::Sell, level(52, 0), Timestamp::from_secs(2));
        book.set(Side::Sell, level(60, 0), Timestamp::from_secs(2));
        let top = book.top(&TokenId::new("t"), Timestamp::from_secs(3));
        assert_eq!(top.bids, [level(50, 9), level(48, 5)]);
        assert_eq!(top.asks, [level(53, 4)]);
        assert_eq!((top.event_at.secs(), top.received_at.secs()), (2, 3));
        assert!(!book.is_crossed());
        book.set(Side::Buy, level(53, 1), at);
        assert!(book.is_crossed());
        assert_eq!(book.event_at().secs(), 2, "never backwards");
    }

    proptest! {
        #[test]
        fn the_fold_is_the_last_size_of_each_level(changes in prop::collection::vec((any::<bool>(), 1_i64..99, 0_i64..5), 0..200)) {
            let mut book = FullBook::new(MarketId::new("m"), &[], &[], Timestamp::default());
            let mut last: BTreeMap<(bool, i64), i64> = BTreeMap::new();
            for (buys, cents, size) in changes {
                book.set(if buys { Side::Buy } else { Side::Sell }, level(cents, size), Timestamp::default());
                last.insert((buys, cents), size);
            }
            let top = book.top(&TokenId::new("t"), Timestamp::default());
            let expected = |buys: bool| last.iter().filter(move |((side, _), size)| *side == buys && **size > 0)
                .map(|((_, cents), size)| level(*cents, *size)).collect::<Vec<_>>();
            let (mut bids, asks) = (expected(true), expected(false));
            bids.reverse();
            prop_assert_eq!(&top.bids[..], &bids[..bids.len().min(DEPTH)]);
            prop_assert_eq!(&top.asks[..], &asks[..asks.len().min(DEPTH)]);
            prop_assert!(top.bids.iter().all(|level| level.size.decimal() > dec!(0)));
        }
    }
}
