//! What of a book is others': an order of ours that rests closes no position of ours, and is no price that anybody else has named.

use rust_decimal::Decimal;

use super::Desk;
use crate::domain::{Book, Level, MarketId, Price, Side, Size, TokenId};

/// Orders of ours on one side of a book.
type Ours = Vec<(Price, Size)>;

impl Desk {
    /// A book without what we have resting in it, as far as we know; nothing when that is nothing. What is on the wire or on its way out
    /// may be in it, and is taken to be. The venue keeps one book for both outcomes: whoever sells the other one at `p` bids `1 - p` here.
    pub(super) fn of_others(&self, book: &Book) -> Option<Book> {
        let (buys, sales) = self.resting(&book.market, &book.token);
        if buys.is_empty() && sales.is_empty() {
            return None;
        }
        Some(Book { bids: without(&book.bids, &buys), asks: without(&book.asks, &sales), ..book.clone() })
    }

    /// Our open orders that stand in a token's book: of its bids and of its asks the price there, and what may still be matched.
    fn resting(&self, market: &MarketId, token: &TokenId) -> (Ours, Ours) {
        let opposite = self.markets.get(market).and_then(|market| market.opposite(token));
        let orders = self.active.of(market).filter_map(|key| self.orders.get(key));
        let (mut buys, mut sales) = (Ours::new(), Ours::new());
        for tracked in orders.filter(|tracked| tracked.state().is_open()) {
            let (order, intent) = (&tracked.row.order, &tracked.row.order.intent);
            let (buys_here, price) = if intent.token == *token {
                (intent.side == Side::Buy, intent.price)
            } else if Some(&intent.token) == opposite {
                (intent.side == Side::Sell, Price(Decimal::ONE - intent.price.decimal()))
            } else {
                continue;
            };
            if buys_here { &mut buys } else { &mut sales }.push((price, order.remaining()));
        }
        (buys, sales)
    }
}

/// The levels of one side without so much at these prices; one of which nothing is left is none.
fn without(levels: &[Level], ours: &[(Price, Size)]) -> Vec<Level> {
    let others = |level: &Level| {
        let own: Size = ours.iter().filter(|(price, _)| *price == level.price).map(|(_, size)| *size).sum();
        (level.size > own).then(|| Level { price: level.price, size: level.size - own })
    };
    levels.iter().filter_map(others).collect()
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    fn level(price: Decimal, size: Decimal) -> Level {
        Level { price: Price(price), size: Size(size) }
    }

    #[test]
    fn ours_is_taken_from_its_own_level_and_never_more_than_is_there() {
        let levels = [level(dec!(0.50), dec!(10)), level(dec!(0.49), dec!(4))];
        let ours = |orders: &[(Decimal, Decimal)]| -> Vec<Level> {
            let orders: Vec<(Price, Size)> = orders.iter().map(|(price, size)| (Price(*price), Size(*size))).collect();
            without(&levels, &orders)
        };
        assert_eq!(ours(&[]), levels);
        assert_eq!(ours(&[(dec!(0.48), dec!(5))]), levels, "nothing of ours is shown there");
        assert_eq!(ours(&[(dec!(0.500), dec!(9.99))]), [level(dec!(0.50), dec!(0.01)), levels[1]]);
        assert_eq!(
            ours(&[(dec!(0.50), dec!(6)), (dec!(0.50), dec!(4))]),
            [levels[1]],
            "two of ours are the whole level"
        );
        assert_eq!(ours(&[(dec!(0.49), dec!(5))]), [levels[0]], "it was matched, and the book does not know it yet");
    }
}
