use rust_decimal::{Decimal, RoundingStrategy};

use crate::domain::{Book, Level, Price, Size, Timestamp, Usd, walk};

/// Decimals of a mark's price, as it is shown and kept.
const PLACES: u32 = 6;

/// What closing a position would bring, by the book as it was last known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    bids: Vec<Level>,
    asks: Vec<Level>,
    since: Timestamp,
    at: Timestamp,
}

impl Mark {
    /// By a book.
    pub(super) fn of(book: &Book) -> Self {
        Self { bids: book.bids.clone(), asks: book.asks.clone(), since: book.event_at, at: book.known_at() }
    }

    /// A price for any number of shares: the book that it came from is gone.
    pub(super) fn flat(price: Price, at: Timestamp) -> Self {
        let level = vec![Level { price, size: Size(Decimal::MAX) }];
        Self { bids: level.clone(), asks: level, since: at, at }
    }

    /// When it came to be so.
    pub(super) const fn since(&self) -> Timestamp {
        self.since
    }

    /// When it was last known to be so.
    pub(super) const fn at(&self) -> Timestamp {
        self.at
    }

    /// Whether somebody is there to close such a position with.
    pub(super) fn closes(&self, shares: Size) -> bool {
        !if shares < Size::ZERO { &self.asks } else { &self.bids }.is_empty()
    }

    /// What these shares would bring now: the bids for so many of them as they take, and nothing for the rest. Shares that are owed
    /// cost what the asks want, and for the rest the most that a share can pay.
    pub(super) fn worth(&self, shares: Size) -> Usd {
        if shares < Size::ZERO {
            let (paid, rest) = walk(&self.asks, shares.abs());
            return -(paid + Usd(rest.0));
        }
        walk(&self.bids, shares).0
    }

    /// The same for one of them, on average and rounded to be worth no more; the best bid while none is held.
    pub(super) fn price(&self, shares: Size) -> Option<Price> {
        if shares.is_zero() {
            return self.bids.first().map(|level| level.price);
        }
        let average = self.worth(shares).0.checked_div(shares.0)?;
        let towards = if shares < Size::ZERO { RoundingStrategy::AwayFromZero } else { RoundingStrategy::ToZero };
        Some(Price(average.round_dp_with_strategy(PLACES, towards).normalize()))
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    fn levels(levels: &[(Decimal, Decimal)]) -> Vec<Level> {
        levels.iter().map(|(price, size)| Level { price: Price(*price), size: Size(*size) }).collect()
    }

    #[test]
    fn shares_are_worth_what_the_levels_take_and_the_rest_is_worth_the_worst() {
        let mark = Mark {
            bids: levels(&[(dec!(0.99), dec!(1)), (dec!(0.50), dec!(9))]),
            asks: levels(&[(dec!(0.51), dec!(4))]),
            since: Timestamp::default(),
            at: Timestamp::default(),
        };
        for (shares, worth, price) in [
            (dec!(1), dec!(0.99), Some(dec!(0.99))),
            (dec!(10), dec!(5.49), Some(dec!(0.549))),
            (dec!(10_000), dec!(5.49), Some(dec!(0.000549))),
            (dec!(3), dec!(1.99), Some(dec!(0.663333))),
            (dec!(-4), dec!(-2.04), Some(dec!(0.51))),
            (dec!(-5), dec!(-3.04), Some(dec!(0.608))),
            (dec!(0), dec!(0), Some(dec!(0.99))),
        ] {
            assert_eq!(
                (mark.worth(Size(shares)).0, mark.price(Size(shares)).map(|price| price.0)),
                (worth, price),
                "{shares}"
            );
        }
        let nobody = Mark { bids: Vec::new(), asks: Vec::new(), ..mark.clone() };
        assert_eq!((nobody.worth(Size(dec!(10))), nobody.worth(Size(dec!(-10)))), (Usd::ZERO, Usd(dec!(-10))));
        assert!(!nobody.closes(Size(dec!(10))) && mark.closes(Size(dec!(-1))));
    }

    #[test]
    fn a_price_alone_is_for_any_number_of_shares() {
        let mark = Mark::flat(Price(dec!(0.40)), Timestamp::default());
        assert_eq!((mark.worth(Size(dec!(1000))), mark.worth(Size(dec!(-10)))), (Usd(dec!(400)), Usd(dec!(-4))));
    }
}
