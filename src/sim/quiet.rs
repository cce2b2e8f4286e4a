//! The quiet market: a book that rests at 0.40 / 0.60 and is refilled when it was taken, for trying a client on.

use rust_decimal::{Decimal, dec};

use crate::domain::{FeeSchedule, Market, Price, Side, Size};

use super::rolling;

/// Its slug.
pub(super) const SLUG: &str = "quiet-sample-market";

const BID: Price = Price(dec!(0.40));
const ASK: Price = Price(dec!(0.60));
/// Shares at each price.
const DEPTH: Size = Size(dec!(500));

/// The market itself. It never closes.
pub(super) fn market(seed: u64) -> Market {
    rolling::market(seed, SLUG, ["Yes", "No"], FeeSchedule { rate: dec!(0.07), exponent: 1 })
}

/// The two places of each token's book.
pub(super) const PLACES: [(Side, Price); 2] = [(Side::Buy, BID), (Side::Sell, ASK)];

/// What to add where the book shows `shown`; nothing while less than the market's smallest order is missing.
pub(super) fn missing(shown: Size, market: &Market) -> Option<Size> {
    let missing = Size(DEPTH.decimal().saturating_sub(shown.decimal()).max(Decimal::ZERO)).floor_dp(2);
    (missing >= market.min_size).then_some(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_refilled_to_500_and_never_beyond() {
        let market = market(1);
        assert_eq!(missing(Size::ZERO, &market), Some(DEPTH));
        assert_eq!(missing(Size(dec!(400)), &market), Some(Size(dec!(100))));
        assert_eq!(missing(Size(dec!(496)), &market), None);
        assert_eq!(missing(Size(dec!(900)), &market), None);
    }
}
