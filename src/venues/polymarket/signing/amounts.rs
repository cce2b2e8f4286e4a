//! Amounts of an order as the venue counts them: integers of a millionth. Everything is integer arithmetic; where a
//! quotient does not come out even it is rounded down, never up.

use rust_decimal::Decimal;

use crate::domain::{Price, Side, Size, Usd};

/// Most decimals of what a market order wants; the venue refuses more on every tick, though its clients offer them.
pub const MARKET_TAKER_DECIMALS: u32 = 4;

/// What an order gives and wants, in millionths of a pUSD or share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// What the maker gives: pUSD of a buy, shares of a sell.
    pub maker: u64,
    /// What the maker wants: shares of a buy, pUSD of a sell.
    pub taker: u64,
}

/// Why there are no amounts for an order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// No outcome price, or finer than the finest grid.
    #[error("price {0} is not within 0 and 1 with at most four decimals")]
    Price(Price),
    /// Negative, zero after rounding, or beyond all reason.
    #[error("quantity {0} is not above 0.01 and below 1e12")]
    Quantity(Decimal),
    /// A tick that the venue does not have.
    #[error("tick {0} is not one of 0.1, 0.01, 0.005, 0.0025, 0.001, 0.0001")]
    Tick(Price),
}

/// A price grid of the venue, and how many decimals its clients give a computed amount on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickGrid {
    /// Decimals of a computed amount.
    pub amount_decimals: u32,
}

impl TickGrid {
    /// The grid of `tick`.
    ///
    /// # Errors
    /// [`AmountError::Tick`] when the venue has no such grid.
    pub fn of(tick: Price) -> Result<Self, AmountError> {
        let decimals = match (tick.0.normalize().mantissa(), tick.0.normalize().scale()) {
            (1, 1) => 3,
            (1, 2) => 4,
            (5 | 1, 3) => 5,
            (25 | 1, 4) => 6,
            _ => return Err(AmountError::Tick(tick)),
        };
        Ok(Self { amount_decimals: decimals })
    }
}

/// A limit order's amounts: the size rounded down to two decimals, the other side exact.
///
/// # Errors
/// [`AmountError`]
pub fn limit(side: Side, price: Price, shares: Size) -> Result<Amounts, AmountError> {
    let (price, hundredths) = (ten_thousandths(price)?, floored_hundredths(shares.0)?);
    let overflow = AmountError::Quantity(shares.0);
    let units = hundredths.checked_mul(10_000).ok_or(overflow.clone())?;
    let money = hundredths.checked_mul(price).ok_or(overflow)?;
    Ok(match side {
        Side::Buy => Amounts { maker: money, taker: units },
        Side::Sell => Amounts { maker: units, taker: money },
    })
}

/// A market buy's amounts: `spend` rounded down to cents, the shares rounded down to `taker_decimals`. `price` is the
/// worst acceptable one; the rounding lets the effective price pass it by less than any tick.
///
/// # Errors
/// [`AmountError`]
pub fn market_buy(spend: Usd, price: Price, taker_decimals: u32) -> Result<Amounts, AmountError> {
    let (price, cents) = (ten_thousandths(price)?, floored_hundredths(spend.0)?);
    let shares = u128::from(cents) * 100_000_000 / u128::from(price);
    let taker = floor_units(shares, taker_decimals);
    match u64::try_from(taker) {
        Ok(taker) if taker > 0 => Ok(Amounts { maker: cents * 10_000, taker }),
        _ => Err(AmountError::Quantity(spend.0)),
    }
}

/// A market sell's amounts: the shares rounded down to two decimals, the pUSD wanted rounded down to `taker_decimals`.
///
/// # Errors
/// [`AmountError`]
pub fn market_sell(size: Size, price: Price, taker_decimals: u32) -> Result<Amounts, AmountError> {
    let exact = limit(Side::Sell, price, size)?;
    match u64::try_from(floor_units(u128::from(exact.taker), taker_decimals)) {
        Ok(taker) if taker > 0 => Ok(Amounts { taker, ..exact }),
        _ => Err(AmountError::Quantity(size.0)),
    }
}

fn floor_units(units: u128, decimals: u32) -> u128 {
    let step = 10_u128.pow(6_u32.saturating_sub(decimals));
    units / step * step
}

fn ten_thousandths(price: Price) -> Result<u64, AmountError> {
    let refused = AmountError::Price(price);
    if price.0 <= Decimal::ZERO || price.0 >= Decimal::ONE {
        return Err(refused);
    }
    let scaled = price.0.saturating_mul(Decimal::new(10_000, 0)).normalize();
    if scaled.scale() == 0 { u64::try_from(scaled.mantissa()).map_err(|_| refused) } else { Err(refused) }
}

fn floored_hundredths(quantity: Decimal) -> Result<u64, AmountError> {
    let refused = AmountError::Quantity(quantity);
    if quantity <= Decimal::ZERO || quantity >= Decimal::new(1_000_000_000_000, 0) {
        return Err(refused);
    }
    let hundredths = (quantity * Decimal::ONE_HUNDRED).floor();
    if hundredths.is_zero() { Err(refused) } else { u64::try_from(hundredths).map_err(|_| refused) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::dec;

    use super::*;

    #[test]
    fn the_ticks_of_the_venue_and_no_other() {
        let grids = [("0.1", 3), ("0.01", 4), ("0.010", 4), ("0.005", 5), ("0.0025", 6), ("0.001", 5), ("0.0001", 6)];
        for (tick, decimals) in grids {
            let grid = TickGrid::of(tick.parse().expect("decimal")).expect(tick);
            assert_eq!(grid.amount_decimals, decimals, "{tick}");
        }
        for tick in ["0.02", "0.5", "1", "0", "0.00001", "0.025", "-0.01"] {
            assert!(TickGrid::of(tick.parse().expect("decimal")).is_err(), "{tick}");
        }
    }

    #[test]
    fn market_orders_stay_within_the_decimals_that_the_venue_takes() {
        let buy = market_buy(Usd(dec!(10.009)), Price(dec!(0.567)), MARKET_TAKER_DECIMALS).expect("amounts");
        assert_eq!(buy, Amounts { maker: 10_000_000, taker: 17_636_600 });
        let sell = market_sell(Size(dec!(5.019)), Price(dec!(0.567)), MARKET_TAKER_DECIMALS).expect("amounts");
        assert_eq!(sell, Amounts { maker: 5_010_000, taker: 2_840_600 });
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let (price, size) = (Price(dec!(0.5)), Size(dec!(5)));
        for bad in [dec!(0), dec!(1), dec!(-0.5), dec!(0.00001)] {
            assert_eq!(limit(Side::Buy, Price(bad), size), Err(AmountError::Price(Price(bad))));
        }
        for bad in [dec!(0), dec!(0.009), dec!(-5), Decimal::MAX] {
            assert_eq!(limit(Side::Buy, price, Size(bad)), Err(AmountError::Quantity(bad)));
            assert_eq!(market_buy(Usd(bad), price, 4), Err(AmountError::Quantity(bad)));
        }
    }

    proptest! {
        #[test]
        fn a_limit_order_is_exact(price in 1_u64..10_000, hundredths in 1_u64..100_000_000) {
            let (price_text, size) = (Price(Decimal::new(price.cast_signed(), 4)), Size(Decimal::new(hundredths.cast_signed(), 2)));
            let buy = limit(Side::Buy, price_text, size).expect("amounts");
            prop_assert_eq!(Decimal::new(buy.maker.cast_signed(), 6), price_text.notional(size).0);
            prop_assert_eq!(Decimal::new(buy.taker.cast_signed(), 6), size.0);
            let sell = limit(Side::Sell, price_text, size).expect("amounts");
            prop_assert_eq!((sell.maker, sell.taker), (buy.taker, buy.maker));
        }

        #[test]
        fn a_market_buy_never_passes_its_price_by_a_tick(price in 1_u64..10_000, cents in 500_u64..10_000_000) {
            let worst = Price(Decimal::new(price.cast_signed(), 4));
            let spend = Usd(Decimal::new(cents.cast_signed(), 2));
            let buy = market_buy(spend, worst, MARKET_TAKER_DECIMALS).expect("amounts");
            let effective = Decimal::new(buy.maker.cast_signed(), 6) / Decimal::new(buy.taker.cast_signed(), 6);
            prop_assert!(effective >= worst.0 && effective - worst.0 < dec!(0.0001));
            prop_assert_eq!(buy.taker % 100, 0);
            prop_assert_eq!(buy.maker % 10_000, 0);
        }
    }
}
