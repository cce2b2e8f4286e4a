//! What a share of "Up" is worth: the probability that the pair ends its window at or above the price to beat.
//!
//! A probability, not money: floats are right here, and every price made of it is snapped to the grid.

use std::time::Duration;

use crate::domain::normal_cdf;

/// Volatility of BTC per square root of a second. The embedded recording realises 0.000053 (0.53 basis points); this is a
/// little more, as a maker would quote. A move of 3 basis points with four minutes left makes about 12 cents.
pub(super) const SIGMA: f64 = 0.000_06;

/// The least time left that the formula is given, so that it stays finite at the end of a window.
const LEAST_LEFT: f64 = 0.25;

/// `Phi(ln(price / to_beat) / (sigma * sqrt(left)))`, in [0, 1]; one half for prices that are not positive.
pub(super) fn probability_up(price: f64, to_beat: f64, sigma: f64, left: Duration) -> f64 {
    if !(price > 0.0 && to_beat > 0.0 && sigma > 0.0) {
        return 0.5;
    }
    let spread = sigma * left.as_secs_f64().max(LEAST_LEFT).sqrt();
    normal_cdf((price / to_beat).ln() / spread)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_calm_move_is_visible_on_the_grid() {
        let left = Duration::from_mins(4);
        let fair = probability_up(87_232.0 * 1.0003, 87_232.0, SIGMA, left);
        assert!((0.60..0.66).contains(&fair), "{fair}");
    }

    proptest! {
        #[test]
        fn it_is_bounded_and_rises_with_the_price(
            low in 1.0_f64..200_000.0, more in 0.0_f64..1_000.0, to_beat in 1.0_f64..200_000.0, left_ms in 0_u64..600_000,
        ) {
            let left = Duration::from_millis(left_ms);
            let (a, b) = (probability_up(low, to_beat, SIGMA, left), probability_up(low + more, to_beat, SIGMA, left));
            prop_assert!((0.0..=1.0).contains(&a) && (0.0..=1.0).contains(&b));
            prop_assert!(a <= b + 1e-7, "{} then {}", a, b);
        }
    }
}
