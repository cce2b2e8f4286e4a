//! Integers of one millionth: shares, prices and pUSD alike, so that nothing is ever rounded but the one product below.

use rust_decimal::Decimal;

/// One share, one pUSD, or certainty.
pub(super) const ONE: i64 = 1_000_000;

/// Exactly that many millionths; nothing when the number is finer than that or out of range.
pub(super) fn micros(value: Decimal) -> Option<i64> {
    let scaled = value.checked_mul(Decimal::from(ONE))?;
    if scaled.fract().is_zero() { i64::try_from(scaled).ok() } else { None }
}

/// Back to a decimal without trailing zeros.
pub(super) fn decimal(micros: i64) -> Decimal {
    Decimal::new(micros, 6).normalize()
}

/// `price * size`, rounded down.
pub(super) fn cost_floor(price: i64, size: i64) -> i64 {
    clamp(i128::from(price) * i128::from(size) / i128::from(ONE))
}

/// `price * size`, rounded up.
pub(super) fn cost_ceil(price: i64, size: i64) -> i64 {
    let product = i128::from(price) * i128::from(size);
    clamp((product + i128::from(ONE) - 1) / i128::from(ONE))
}

/// The shares that `budget` buys at `price`, rounded down to the 0.0001 share that the venue counts in.
pub(super) fn shares_for(budget: i64, price: i64) -> i64 {
    const GRAIN: i64 = 100;
    if price <= 0 {
        return 0;
    }
    let shares = clamp(i128::from(budget.max(0)) * i128::from(ONE) / i128::from(price));
    shares - shares % GRAIN
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    #[test]
    fn only_exact_millionths_are_taken() {
        assert_eq!(micros(dec!(0.000001)), Some(1));
        assert_eq!(micros(dec!(0.0000001)), None);
        assert_eq!(decimal(530_000), dec!(0.53));
    }

    #[test]
    fn products_round_the_way_they_say() {
        assert_eq!(cost_floor(530_000, 100), 53);
        assert_eq!(cost_floor(530_000, 1), 0);
        assert_eq!(cost_ceil(530_000, 1), 1);
        assert_eq!(shares_for(10 * ONE, 520_000), 19_230_700);
        assert_eq!(shares_for(-1, 520_000), 0);
    }
}
