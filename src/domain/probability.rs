//! The normal distribution. Probabilities are not money: floats are right for them, and what becomes a price is put on the grid.

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
/// taken as that.
#[must_use]
pub fn normal_quantile(probability: f64) -> f64 {
    let wanted = probability.clamp(1e-6, 1.0 - 1e-6);
    let (mut low, mut high) = (-6.0_f64, 6.0_f64);
    for _ in 0..34 {
        let middle = f64::midpoint(low, high);
        if normal_cdf(middle) < wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_values() {
        for (x, expected) in [(0.0, 0.5), (1.0, 0.841_344_7), (-1.0, 0.158_655_3), (1.96, 0.975_002_1), (9.0, 1.0)] {
            assert!((normal_cdf(x) - expected).abs() < 1e-6, "Phi({x}) = {}", normal_cdf(x));
        }
    }

    proptest! {
        #[test]
        fn the_quantile_undoes_the_distribution(probability in 0.000_01_f64..0.999_99) {
            prop_assert!((normal_cdf(normal_quantile(probability)) - probability).abs() < 1e-7);
        }
    }
}
