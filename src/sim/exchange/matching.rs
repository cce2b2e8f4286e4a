//! What an incoming order would be matched with: a pure function of the book.

use super::book::{BookSide, OrderBook, mirrored};
use super::units::{cost_floor, shares_for};
use crate::domain::{OrderId, Side};

/// An incoming order, as far as matching is concerned. Prices are in terms of its own token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) index: usize,
    pub(super) side: Side,
    pub(super) limit: i64,
    pub(super) size: i64,
    /// pUSD to spend, for purchases that chase an amount.
    pub(super) budget: Option<i64>,
}

impl Wish {
    pub(super) const fn book_side(&self) -> BookSide {
        BookSide::of(self.index, self.side)
    }

    /// Whether it may trade with an order resting at `own`, in terms of its own token.
    const fn accepts(&self, own: i64) -> bool {
        match self.side {
            Side::Buy => own <= self.limit,
            Side::Sell => own >= self.limit,
        }
    }
}

/// One resting order's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) maker: OrderId,
    /// The maker's token.
    pub(super) maker_index: usize,
    /// Price in the book, in terms of the first token.
    pub(super) book_price: i64,
    pub(super) size: i64,
    /// What the maker pays or gets.
    pub(super) maker_cash: i64,
    /// What the taker pays or gets.
    pub(super) taker_cash: i64,
}

/// All matches of an incoming order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) matches: Vec<Match>,
    /// Nothing of the order is left.
    pub(super) complete: bool,
}

impl Plan {
    pub(super) fn size(&self) -> i64 {
        self.matches.iter().map(|part| part.size).sum()
    }

    pub(super) fn cash(&self) -> i64 {
        self.matches.iter().map(|part| part.taker_cash).sum()
    }
}

/// Walks the other side in price-time priority. Orders trade at the resting price. The maker's cash is rounded down to a
/// millionth; the taker has the same in a transfer and the rest of the pair's 1 pUSD in a mint or merge, so no money appears.
pub(super) fn plan(book: &OrderBook, wish: &Wish) -> Plan {
    let mut matches = Vec::new();
    let (mut size_left, mut budget_left) = (wish.size, wish.budget);
    for (book_price, resting) in book.by_priority(wish.book_side().opposite()) {
        let own = mirrored(wish.index, book_price);
        if !wish.accepts(own) {
            break;
        }
        let wanted = budget_left.map_or(size_left, |budget| shares_for(budget, own));
        let size = wanted.min(resting.remaining);
        if size <= 0 {
            break;
        }
        let maker_cash = cost_floor(mirrored(resting.index, book_price), size);
        let taker_cash = if resting.index == wish.index { maker_cash } else { size - maker_cash };
        size_left -= size;
        budget_left = budget_left.map(|budget| budget - taker_cash);
        matches.push(Match {
            maker: resting.id.clone(),
            maker_index: resting.index,
            book_price,
            size,
            maker_cash,
            taker_cash,
        });
    }
    let complete = budget_left.map_or(size_left == 0, |budget| shares_for(budget, wish.limit) == 0);
    Plan { matches, complete }
}

/// Whether it would trade at all.
pub(super) fn crosses(book: &OrderBook, wish: &Wish) -> bool {
    book.best(wish.book_side().opposite()).is_some_and(|price| wish.accepts(mirrored(wish.index, price)))
}

#[cfg(test)]
mod tests {
    use super::super::book::Resting;
    use super::super::units::ONE;
    use super::*;

    fn book(orders: &[(&str, usize, Side, i64, i64)]) -> OrderBook {
        let mut book = OrderBook::default();
        for (id, index, side, price, size) in orders {
            let resting = Resting { id: OrderId::new(id), index: *index, remaining: *size };
            book.rest(BookSide::of(*index, *side), mirrored(*index, *price), resting);
        }
        book
    }

    fn buy(limit: i64, size: i64) -> Wish {
        Wish { index: 0, side: Side::Buy, limit, size, budget: None }
    }

    #[test]
    fn a_purchase_takes_sales_of_its_token_and_purchases_of_the_other() {
        let book = book(&[("sell", 0, Side::Sell, 600_000, 5 * ONE), ("mint", 1, Side::Buy, 450_000, 5 * ONE)]);
        let plan = plan(&book, &buy(600_000, 7 * ONE));
        assert!(plan.complete);
        assert_eq!(plan.matches[0].maker.as_str(), "mint");
        assert_eq!((plan.matches[0].maker_cash, plan.matches[0].taker_cash), (2_250_000, 2_750_000));
        assert_eq!((plan.matches[1].maker_cash, plan.matches[1].taker_cash), (1_200_000, 1_200_000));
    }

    #[test]
    fn a_sale_merges_with_a_sale_of_the_other_token() {
        let book = book(&[("other", 1, Side::Sell, 300_000, 5 * ONE)]);
        let wish = Wish { index: 0, side: Side::Sell, limit: 650_000, size: 5 * ONE, budget: None };
        let plan = plan(&book, &wish);
        assert_eq!((plan.matches[0].maker_cash, plan.matches[0].taker_cash), (1_500_000, 3_500_000));
        assert!(!super::plan(&book, &Wish { limit: 710_000, ..wish }).complete);
    }

    #[test]
    fn a_budget_is_spent_to_the_last_tenth_of_a_thousandth_share() {
        let book = book(&[("a", 0, Side::Sell, 500_000, 4 * ONE), ("b", 0, Side::Sell, 520_000, 100 * ONE)]);
        let wish = Wish { budget: Some(10 * ONE), ..buy(520_000, 19_230_700) };
        let plan = plan(&book, &wish);
        assert!(plan.complete);
        assert_eq!(plan.size(), 4 * ONE + 15_384_600);
        assert!(plan.cash() <= 10 * ONE && plan.cash() > 10 * ONE - 100);
        let poor = Wish { budget: Some(100 * ONE), ..wish };
        assert!(!super::plan(&book, &poor).complete);
    }

    #[test]
    fn crossing_looks_through_the_mirror() {
        let book = book(&[("no", 1, Side::Buy, 400_000, ONE)]);
        assert!(crosses(&book, &buy(600_000, ONE)));
        assert!(!crosses(&book, &buy(590_000, ONE)));
    }
}
