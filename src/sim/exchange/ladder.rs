//! One market's resting orders, in price-time priority, as one book: buying the second outcome at q is selling the first
//! at 1 - q, so both tokens' orders meet in terms of the first.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::{OrderId, Price, Side};

/// Side and price seen from the first token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Canonical {
    pub(super) side: Side,
    pub(super) price: Price,
}

impl Canonical {
    /// `index` is 0 for an order in the first token and 1 in the second.
    pub(super) fn of(index: usize, side: Side, price: Price) -> Self {
        if index == 0 { Self { side, price } } else { Self { side: side.opposite(), price: price.complement() } }
    }

    /// The same seen from the token at `index`.
    pub(super) fn seen_from(self, index: usize) -> (Side, Price) {
        let Self { side, price } = Self::of(index, self.side, self.price);
        (side, price)
    }
}

/// Both sides; each price has its orders, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Ladder {
    bids: BTreeMap<Price, VecDeque<OrderId>>,
    asks: BTreeMap<Price, VecDeque<OrderId>>,
}

impl Ladder {
    fn side(&self, side: Side) -> &BTreeMap<Price, VecDeque<OrderId>> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut BTreeMap<Price, VecDeque<OrderId>> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    pub(super) fn rest(&mut self, at: Canonical, id: OrderId) {
        self.side_mut(at.side).entry(at.price).or_default().push_back(id);
    }

    pub(super) fn remove(&mut self, at: Canonical, id: &OrderId) {
        let levels = self.side_mut(at.side);
        if let Some(queue) = levels.get_mut(&at.price) {
            queue.retain(|queued| queued != id);
            if queue.is_empty() {
                levels.remove(&at.price);
            }
        }
    }

    /// Levels from the best on.
    pub(super) fn levels(&self, side: Side) -> Box<dyn Iterator<Item = (Price, &VecDeque<OrderId>)> + '_> {
        let levels = self.side(side).iter().map(|(price, queue)| (*price, queue));
        match side {
            Side::Buy => Box::new(levels.rev()),
            Side::Sell => Box::new(levels),
        }
    }

    /// Levels that an order would meet, best first.
    pub(super) fn crossed_by(&self, taker: Canonical) -> impl Iterator<Item = (Price, &VecDeque<OrderId>)> + '_ {
        self.levels(taker.side.opposite()).take_while(move |(price, _)| match taker.side {
            Side::Buy => *price <= taker.price,
            Side::Sell => *price >= taker.price,
        })
    }

    pub(super) fn at(&self, at: Canonical) -> impl Iterator<Item = &OrderId> + '_ {
        self.side(at.side).get(&at.price).into_iter().flatten()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &OrderId> + '_ {
        self.bids.values().chain(self.asks.values()).flatten()
    }
}
