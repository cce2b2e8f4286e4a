//! Decimal money. A float never holds a price, size, fee or `PnL`; on the wire every amount is a decimal string.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Text that is not a plain decimal number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a decimal number such as 0.53")]
pub struct MoneyError {
    /// What was given.
    pub text: String,
}

/// More decimals than any venue writes.
const VENUE_PLACES: u32 = 12;

fn parse(text: &str) -> Result<Decimal, MoneyError> {
    Decimal::from_str_exact(text)
        .or_else(|_| Decimal::from_scientific(text))
        .map_err(|_| MoneyError { text: text.chars().take(64).collect() })
}

macro_rules! amount {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
        #[schemars(transparent)]
        pub struct $name(#[schemars(with = "String")] pub Decimal);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(Decimal::ZERO);

            /// The number itself.
            #[must_use]
            pub const fn decimal(self) -> Decimal {
                self.0
            }

            /// Whether it is exactly zero.
            #[must_use]
            pub fn is_zero(self) -> bool {
                self.0.is_zero()
            }

            /// Distance from zero.
            #[must_use]
            pub fn abs(self) -> Self {
                Self(self.0.abs())
            }
        }

        impl From<Decimal> for $name {
            fn from(value: Decimal) -> Self {
                Self(value)
            }
        }

        impl FromStr for $name {
            type Err = MoneyError;
            fn from_str(text: &str) -> Result<Self, MoneyError> {
                parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // A quotient has as many decimals as fit; zeros behind what venues write say nothing.
                let shown = if self.0.scale() > VENUE_PLACES { self.0.normalize() } else { self.0 };
                fmt::Display::fmt(&shown, f)
            }
        }

        impl Add for $name {
            type Output = Self;
            // Most of what is summed up is nothing, and to bring that to the same scale costs as much as a sum.
            fn add(self, other: Self) -> Self {
                match (self.0.is_zero(), other.0.is_zero()) {
                    (_, true) => self,
                    (true, _) => other,
                    _ => Self(self.0.saturating_add(other.0)),
                }
            }
        }

        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                if other.0.is_zero() { self } else { Self(self.0.saturating_sub(other.0)) }
            }
        }

        impl Neg for $name {
            type Output = Self;
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) {
                *self = *self - other;
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
                iter.fold(Self::ZERO, Add::add)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a decimal number in a string")
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

amount! {
    /// A price: pUSD per share for outcome tokens (0 < p < 1), quote currency per unit for crypto.
    Price
}
amount! {
    /// A quantity: shares of an outcome token, or units of a crypto asset. Signed only in positions.
    Size
}
amount! {
    /// An amount of pUSD: notional, fee, profit or loss.
    Usd
}

impl Price {
    /// What `size` costs at this price; saturates instead of overflowing.
    #[must_use]
    pub fn notional(self, size: Size) -> Usd {
        Usd(self.0.saturating_mul(size.0))
    }

    /// The price of the opposite outcome: `1 - p`.
    #[must_use]
    pub fn complement(self) -> Self {
        Self(Decimal::ONE.saturating_sub(self.0))
    }

    /// Whether it is a legal outcome price on the grid of `tick`: a multiple of it, within `[tick, 1 - tick]`.
    #[must_use]
    pub fn is_on_tick(self, tick: Self) -> bool {
        tick.0 > Decimal::ZERO
            && self.0 >= tick.0
            && self.0 <= Decimal::ONE - tick.0
            && self.0.checked_rem(tick.0).is_some_and(|rest| rest.is_zero())
    }

    /// The nearest price on the grid at or below this one, kept within `[tick, 1 - tick]`.
    #[must_use]
    pub fn floor_to(self, tick: Self) -> Self {
        self.snap(tick, Decimal::floor)
    }

    /// The nearest price on the grid at or above this one, kept within `[tick, 1 - tick]`.
    #[must_use]
    pub fn ceil_to(self, tick: Self) -> Self {
        self.snap(tick, Decimal::ceil)
    }

    fn snap(self, tick: Self, round: impl Fn(&Decimal) -> Decimal) -> Self {
        let Some(steps) = self.0.checked_div(tick.0) else { return self };
        let snapped = round(&steps).saturating_mul(tick.0);
        Self(snapped.max(tick.0).min(Decimal::ONE - tick.0).normalize())
    }
}

impl Size {
    /// Rounded down to `decimals` places, as the venue's size grid demands.
    #[must_use]
    pub fn floor_dp(self, decimals: u32) -> Self {
        Self(self.0.round_dp_with_strategy(decimals, rust_decimal::RoundingStrategy::ToZero).normalize())
    }

    /// The smaller of two sizes.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::dec;

    use super::*;

    #[test]
    fn a_json_number_is_refused_and_a_string_kept_exactly() {
        assert!(serde_json::from_str::<Price>("0.1").is_err());
        let price: Price = serde_json::from_str("\"0.10\"").expect("decimal text");
        assert_eq!(serde_json::to_string(&price).expect("serialises"), "\"0.10\"");
        assert_eq!("5e-05".parse::<Size>().expect("exponent form"), Size(dec!(0.00005)));
        assert!("1O".parse::<Usd>().is_err());
    }

    #[test]
    fn shown_without_the_zeros_of_a_quotient_and_with_those_of_a_price() {
        assert_eq!(Usd(dec!(91.18139000000000000)).to_string(), "91.18139");
        assert_eq!(Usd(dec!(1) / dec!(3)).to_string(), "0.3333333333333333333333333333");
        assert_eq!((Usd(dec!(4.80)).to_string(), Price(dec!(0.50)).to_string()), ("4.80".into(), "0.50".into()));
    }

    proptest! {
        #[test]
        fn snapping_lands_on_the_grid_and_never_crosses(cents in 1_i64..999, tick_is_cent in any::<bool>()) {
            let tick = Price(if tick_is_cent { dec!(0.01) } else { dec!(0.001) });
            let price = Price(Decimal::new(cents, 3));
            let (low, high) = (price.floor_to(tick), price.ceil_to(tick));
            prop_assert!(low.is_on_tick(tick) && high.is_on_tick(tick));
            prop_assert!(low <= high);
            if price >= tick && price <= tick.complement() {
                prop_assert!(low <= price && price <= high);
            }
        }

        #[test]
        fn text_round_trips(units in any::<i64>(), scale in 0_u32..12) {
            let value = Usd(Decimal::new(units, scale));
            prop_assert_eq!(value.to_string().parse::<Usd>().expect("round trip"), value);
        }
    }
}
