//! The normal distribution. Probabilities are not money: floats are right for them, and what becomes a price is put on the grid.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// The standard normal distribution function; error below 1e-7 (Abramowitz and Stegun, formula 26.2.17).
#[must_use]
pub fn normal_cdf(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 5] = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let polynomial = COEFFICIENTS.iter().rev().fold(0.0, |sum, coefficient| (sum + coefficient) * t);
    let tail = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * polynomial;
    if x < 0.0 { tail.clamp(0.0, 1.0) } else { (1.0 - tail).clamp(0.0, 1.0) }
}

/// The place at which [`normal_cdf`] reaches `probability`, within about 1e-9; probabilities beyond 0.000001 of either end are
/// taken as that. A first guess within 0.0005 (Abramowitz and Stegun, formula 26.2.23), then Newton's steps.
#[must_use]
pub fn normal_quantile(probability: f64) -> f64 {
    let wanted = probability.clamp(1e-6, 1.0 - 1e-6);
    let t = (-2.0 * wanted.min(1.0 - wanted).ln()).sqrt();
    let (above, below) = ([2.515_517, 0.802_853, 0.010_328], [1.0, 1.432_788, 0.189_269, 0.001_308]);
    let at = |coefficients: &[f64]| coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * t + coefficient);
    let guess = (t - at(&above) / at(&below)).copysign(wanted - 0.5);
    (0..2).fold(guess, |x, _| {
        let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        x - (normal_cdf(x) - wanted) / density
    })
}

/// A number that was reckoned with as a float, to so many decimal places. Nothing when it is none, or too large.
#[must_use]
pub fn to_decimal(number: f64, places: u32) -> Option<Decimal> {
    let scaled = number * 10_f64.powi(i32::try_from(places).ok()?);
    Decimal::try_new(scaled.round_ties_even().to_i64()?, places).ok().map(|number| number.normalize())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::dec;

    use super::*;

    #[test]
    fn known_values() {
        for (x, expected) in [(0.0, 0.5), (1.0, 0.841_344_7), (-1.0, 0.158_655_3), (1.96, 0.975_002_1), (9.0, 1.0)] {
            assert!((normal_cdf(x) - expected).abs() < 1e-6, "Phi({x}) = {}", normal_cdf(x));
        }
    }

    #[test]
    fn a_float_becomes_a_decimal_of_so_many_places() {
        assert_eq!(to_decimal(0.841_344_7, 4), Some(dec!(0.8413)));
        assert_eq!(to_decimal(-2.5, 4).map(|number| number.to_string()).as_deref(), Some("-2.5"));
        for none in [f64::NAN, f64::INFINITY, 1e15] {
            assert_eq!(to_decimal(none, 4), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn the_quantile_undoes_the_distribution(probability in 0.000_01_f64..0.999_99) {
            prop_assert!((normal_cdf(normal_quantile(probability)) - probability).abs() < 1e-7);
        }
    }
}
