use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Control, Timestamp};

/// How much of a limit is used now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LimitUse {
    /// Which control.
    pub control: Control,
    /// Of what: `account`, a strategy, a market, one of its outcomes.
    pub subject: String,
    /// What is measured.
    #[serde(with = "rust_decimal::serde::str")]
    #[schemars(with = "String")]
    pub value: Decimal,
    /// What is allowed.
    #[serde(with = "rust_decimal::serde::str")]
    #[schemars(with = "String")]
    pub limit: Decimal,
    /// The unit of both.
    pub unit: String,
    /// The value in whole percent of the limit, rounded down. A limit of zero is full once anything is measured.
    pub percent: u32,
}

impl LimitUse {
    /// So much of a limit.
    #[must_use]
    pub fn new(
        control: Control,
        subject: impl Into<String>,
        (value, limit): (Decimal, Decimal),
        unit: &'static str,
    ) -> Self {
        let (value, limit) = (value.normalize(), limit.normalize());
        Self { control, subject: subject.into(), value, limit, unit: unit.to_owned(), percent: percent(value, limit) }
    }
}

fn percent(value: Decimal, limit: Decimal) -> u32 {
    if value <= Decimal::ZERO {
        return 0;
    }
    if limit <= Decimal::ZERO {
        return 100;
    }
    let share = value.checked_div(limit).and_then(|share| share.checked_mul(Decimal::ONE_HUNDRED));
    share.and_then(|share| share.floor().to_u32()).unwrap_or(u32::MAX)
}

/// A limit is nearly, or entirely, used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// Which control.
    pub control: Control,
    /// Of what: `account`, a strategy, a market, one of its outcomes.
    pub subject: String,
    /// The level that was reached, in percent of the limit.
    pub level: u32,
    /// What was measured.
    #[serde(with = "rust_decimal::serde::str")]
    #[schemars(with = "String")]
    pub value: Decimal,
    /// What is allowed.
    #[serde(with = "rust_decimal::serde::str")]
    #[schemars(with = "String")]
    pub limit: Decimal,
    /// The unit of both.
    pub unit: String,
    /// When.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    #[test]
    fn a_share_is_rounded_down_and_a_limit_of_zero_is_full_at_once() {
        for (value, limit, expected) in [
            (dec!(0), dec!(100), 0),
            (dec!(-5), dec!(100), 0),
            (dec!(79.999), dec!(100), 79),
            (dec!(80), dec!(100), 80),
            (dec!(250), dec!(100), 250),
            (dec!(0), dec!(0), 0),
            (dec!(0.01), dec!(0), 100),
            (Decimal::MAX, dec!(0.0001), u32::MAX),
        ] {
            assert_eq!(
                LimitUse::new(Control::OpenOrders, "account", (value, limit), "orders").percent,
                expected,
                "{value}"
            );
        }
    }
}
