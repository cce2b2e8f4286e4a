use std::collections::{BTreeMap, VecDeque};

use super::units::ONE;
use crate::domain::{OrderId, Side};

/// Which side of the one book of a market: everything is kept in terms of its first token, because buying the second at
/// `p` is selling the first at `1 - p`. That makes the two books of a market mirror each other by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BookSide {
    /// Wants the first outcome to be worth more: buys the first token or sells the second.
    Bid,
    /// The other way round.
    Ask,
}

impl BookSide {
    /// Where an order for token `index` belongs.
    pub(super) const fn of(index: usize, side: Side) -> Self {
        match (index, side) {
            (0, Side::Buy) | (1.., Side::Sell) => Self::Bid,
            (0, Side::Sell) | (1.., Side::Buy) => Self::Ask,
        }
    }

    pub(super) const fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }
}

/// A price in terms of token `index`, turned into terms of the first token, and back.
pub(super) const fn mirrored(index: usize, price: i64) -> i64 {
    if index == 0 { price } else { ONE - price }
}

/// An order in the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resting {
    pub(super) id: OrderId,
    /// Which token it is for.
    pub(super) index: usize,
    pub(super) remaining: i64,
}

/// The book of a market in price-time priority; prices are millionths in terms of the first token.
#[derive(Clone, Debug, Default)]
pub(super) struct OrderBook {
    bids: BTreeMap<i64, VecDeque<Resting>>,
    asks: BTreeMap<i64, VecDeque<Resting>>,
}

impl OrderBook {
    fn levels(&self, side: BookSide) -> &BTreeMap<i64, VecDeque<Resting>> {
        match side {
            BookSide::Bid => &self.bids,
            BookSide::Ask => &self.asks,
        }
    }

    fn levels_mut(&mut self, side: BookSide) -> &mut BTreeMap<i64, VecDeque<Resting>> {
        match side {
            BookSide::Bid => &mut self.bids,
            BookSide::Ask => &mut self.asks,
        }
    }

    /// Puts an order behind those at its price.
    pub(super) fn rest(&mut self, side: BookSide, price: i64, order: Resting) {
        self.levels_mut(side).entry(price).or_default().push_back(order);
    }

    /// Takes an order off.
    pub(super) fn remove(&mut self, side: BookSide, price: i64, id: &OrderId) {
        let levels = self.levels_mut(side);
        let Some(queue) = levels.get_mut(&price) else { return };
        queue.retain(|order| order.id != *id);
        if queue.is_empty() {
            levels.remove(&price);
        }
    }

    /// Takes `filled` from an order; it leaves when nothing remains, and keeps its place otherwise.
    pub(super) fn fill(&mut self, side: BookSide, price: i64, id: &OrderId, filled: i64) {
        let Some(queue) = self.levels_mut(side).get_mut(&price) else { return };
        let Some(order) = queue.iter_mut().find(|order| order.id == *id) else { return };
        order.remaining -= filled;
        if order.remaining <= 0 {
            self.remove(side, price, id);
        }
    }

    /// The orders of a side in priority: best price first, then the older.
    pub(super) fn by_priority(&self, side: BookSide) -> Box<dyn Iterator<Item = (i64, &Resting)> + '_> {
        match side {
            BookSide::Bid => {
                Box::new(self.bids.iter().rev().flat_map(|(price, queue)| queue.iter().map(|o| (*price, o))))
            }
            BookSide::Ask => Box::new(self.asks.iter().flat_map(|(price, queue)| queue.iter().map(|o| (*price, o)))),
        }
    }

    /// All that rests at a price.
    pub(super) fn size_at(&self, side: BookSide, price: i64) -> i64 {
        self.levels(side).get(&price).map_or(0, |queue| queue.iter().map(|order| order.remaining).sum())
    }

    /// The best price of a side.
    pub(super) fn best(&self, side: BookSide) -> Option<i64> {
        match side {
            BookSide::Bid => self.bids.keys().next_back().copied(),
            BookSide::Ask => self.asks.keys().next().copied(),
        }
    }

    /// Price and size of each level, best first, in terms of token `index`; `Buy` is that token's bids.
    pub(super) fn depth(&self, index: usize, side: Side) -> Vec<(i64, i64)> {
        let side = BookSide::of(index, side);
        let level = |(price, queue): (&i64, &VecDeque<Resting>)| {
            (mirrored(index, *price), queue.iter().map(|order| order.remaining).sum())
        };
        match side {
            BookSide::Bid => self.bids.iter().rev().map(level).collect(),
            BookSide::Ask => self.asks.iter().map(level).collect(),
        }
    }

    /// The ids of everything in it.
    pub(super) fn ids(&self) -> Vec<OrderId> {
        self.bids.values().chain(self.asks.values()).flatten().map(|order| order.id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(id: &str, index: usize, remaining: i64) -> Resting {
        Resting { id: OrderId::new(id), index, remaining }
    }

    #[test]
    fn the_second_tokens_book_is_the_mirror_of_the_first() {
        let mut book = OrderBook::default();
        book.rest(BookSide::of(0, Side::Buy), 400_000, order("a", 0, 5 * ONE));
        book.rest(BookSide::of(1, Side::Buy), mirrored(1, 300_000), order("b", 1, 7 * ONE));
        assert_eq!(book.depth(0, Side::Buy), [(400_000, 5 * ONE)]);
        assert_eq!(book.depth(0, Side::Sell), [(700_000, 7 * ONE)]);
        assert_eq!(book.depth(1, Side::Buy), [(300_000, 7 * ONE)]);
        assert_eq!(book.depth(1, Side::Sell), [(600_000, 5 * ONE)]);
    }

    #[test]
    fn the_better_price_goes_first_and_then_the_older_order() {
        let mut book = OrderBook::default();
        for (id, price) in [("late", 500_000), ("best", 490_000), ("later", 500_000)] {
            book.rest(BookSide::Ask, price, order(id, 0, ONE));
        }
        let ids = |book: &OrderBook| {
            book.by_priority(BookSide::Ask).map(|(_, o)| o.id.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&book), ["best", "late", "later"]);
        book.fill(BookSide::Ask, 500_000, &OrderId::new("late"), ONE / 2);
        assert_eq!(ids(&book), ["best", "late", "later"], "a partial fill keeps its place");
        book.fill(BookSide::Ask, 500_000, &OrderId::new("late"), ONE / 2);
        book.remove(BookSide::Ask, 490_000, &OrderId::new("best"));
        assert_eq!(ids(&book), ["later"]);
        assert_eq!(book.best(BookSide::Ask), Some(500_000));
    }
}
