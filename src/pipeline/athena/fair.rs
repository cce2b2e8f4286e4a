//! What an outcome is worth to somebody who expects a move to go on, or to turn back.

use std::time::Duration;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::domain::{Market, Price, Size, normal_cdf, normal_quantile, to_decimal};

/// The least time left that is reckoned with, so that the last moments do not make every move certain.
const LEAST_LEFT: Duration = Duration::from_secs(1);
/// Decimal places of a fair value.
const PLACES: u32 = 4;

/// The outcome's probability when the pair is expected to move by `drift` (relative, in the outcome's favour) on top of what its
/// book says already: the book's own middle, shifted by the drift in units of the volatility that is left until the close.
/// `volatility` is per square root of a second. Nothing when a figure makes no sense.
#[must_use]
pub(super) fn shifted(middle: Price, drift: f64, volatility: f64, left: Duration) -> Option<Decimal> {
    let spread = volatility * left.max(LEAST_LEFT).as_secs_f64().sqrt();
    let shift = drift / spread;
    let middle = middle.decimal().to_f64()?;
    let fair = normal_cdf(normal_quantile(middle) + shift);
    (spread > 0.0 && shift.is_finite()).then(|| to_decimal(fair, PLACES)).flatten()
}

/// What a seller gets beyond a share's fair value, after the taker's fee.
#[must_use]
pub(super) fn sale_edge(fair: Decimal, price: Price, size: Size, market: &Market) -> Decimal {
    let fee = market.fee.taker_fee(price, size).decimal();
    price.decimal() - fair - fee.checked_div(size.decimal()).unwrap_or_default()
}

/// What is left of a share's fair value after its price and the taker's fee.
#[must_use]
pub(super) fn edge(fair: Decimal, price: Price, size: Size, market: &Market) -> Decimal {
    let fee = market.fee.taker_fee(price, size).decimal();
    fair - price.decimal() - fee.checked_div(size.decimal()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::FeeSchedule;
    use crate::risk::checks::bench::market;

    const LEFT: Duration = Duration::from_secs(100);

    #[test]
    fn one_deviation_moves_a_coin_flip_to_84_percent() {
        let fair = |drift| shifted(Price(dec!(0.5)), drift, 0.000_06, LEFT);
        assert_eq!(fair(0.0), Some(dec!(0.5)));
        assert_eq!(fair(0.0006), Some(dec!(0.8413)));
        assert_eq!(fair(-0.0006), Some(dec!(0.1587)));
    }

    #[test]
    fn what_makes_no_sense_has_no_value() {
        assert_eq!(shifted(Price(dec!(0.5)), 0.001, 0.0, LEFT), None);
        assert_eq!(shifted(Price(dec!(0.5)), f64::NAN, 0.001, LEFT), None);
        assert!(shifted(Price(dec!(0.5)), 0.001, 0.001, Duration::ZERO).is_some());
    }

    #[test]
    fn the_edge_is_what_price_and_fee_leave() {
        let mut market = market();
        market.fee = FeeSchedule { rate: dec!(0.07), exponent: 1 };
        assert_eq!(edge(dec!(0.6), Price(dec!(0.5)), Size(dec!(20)), &market), dec!(0.0825));
        assert_eq!(sale_edge(dec!(0.4), Price(dec!(0.5)), Size(dec!(20)), &market), dec!(0.0825));
    }
}
