//! The quiet markets: books that rest at 0.40 / 0.60 and are refilled when they were taken, for trying a client on. The first is
//! shown with the addresses; the others give a desk many positions.

use rust_decimal::{Decimal, dec};

use crate::domain::{FeeSchedule, Market, Price, Side, Size};

use super::rolling;

/// Slug of the first; the others have their number behind it.
pub(super) const SLUG: &str = "quiet-sample-market";
/// How many there are.
const MARKETS: u64 = 10;

const BID: Price = Price(dec!(0.40));
const ASK: Price = Price(dec!(0.60));
/// Shares at each price.
const DEPTH: Size = Size(dec!(500));

/// All of them with their numbers at Gamma, the one that is shown first.
pub(super) fn markets(seed: u64) -> impl Iterator<Item = (u64, Market)> {
    (1..=MARKETS).map(move |number| {
        let slug = if number == 1 { SLUG.to_owned() } else { format!("{SLUG}-{number}") };
        (number, rolling::market(seed, &slug, ["Yes", "No"], FeeSchedule { rate: dec!(0.07), exponent: 1 }))
    })
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
        let (_, market) = markets(1).next().expect("the first");
        assert_eq!(missing(Size::ZERO, &market), Some(DEPTH));
        assert_eq!(missing(Size(dec!(400)), &market), Some(Size(dec!(100))));
        assert_eq!(missing(Size(dec!(496)), &market), None);
        assert_eq!(missing(Size(dec!(900)), &market), None);
    }
}
