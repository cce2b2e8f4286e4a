//! What of a book is others': an order of ours that rests closes no position of ours, and is no price that anybody else has named.

use super::Desk;
use crate::domain::{Book, Level, Price, Side, Size, TokenId};

impl Desk {
    /// A book without what we have resting in it, as far as we know; nothing when that is nothing. What is on the wire or on its way out
    /// may be in it, and is taken to be.
    pub(super) fn of_others(&self, book: &Book) -> Option<Book> {
        let (buys, sales) = (self.resting(&book.token, Side::Buy), self.resting(&book.token, Side::Sell));
        if buys.is_empty() && sales.is_empty() {
            return None;
        }
        Some(Book { bids: without(&book.bids, &buys), asks: without(&book.asks, &sales), ..book.clone() })
    }

    /// Our open orders of one side: the price of each, and what of it may still be matched.
    pub(super) fn resting(&self, token: &TokenId, side: Side) -> Vec<(Price, Size)> {
        let orders = self.active.iter().filter_map(|key| self.orders.get(key)).filter(|order| order.state().is_open());
        let orders = orders.map(|tracked| &tracked.row.order);
        let ours = orders.filter(|order| order.intent.token == *token && order.intent.side == side);
        ours.map(|order| (order.intent.price, order.remaining())).collect()
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
    use rust_decimal::{Decimal, dec};

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
