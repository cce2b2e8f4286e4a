use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{StrategyState, TemperatureUnit, signal::Rationale};

/// In what a strategy measures what it holds against its threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// A relative change: 0.0005 is 0.05 %.
    #[default]
    Relative,
    /// A difference of probabilities, which is one of prices.
    Probability,
    /// Degrees Celsius.
    Celsius,
    /// Degrees Fahrenheit.
    Fahrenheit,
}

impl From<TemperatureUnit> for Measure {
    fn from(unit: TemperatureUnit) -> Self {
        match unit {
            TemperatureUnit::Celsius => Self::Celsius,
            TemperatureUnit::Fahrenheit => Self::Fahrenheit,
        }
    }
}

impl Measure {
    /// A value with its unit: `0.062 %`, `0.05 of probability`, `90 °F`.
    #[must_use]
    pub fn show(self, value: Decimal) -> String {
        let number = match self {
            Self::Relative => value.saturating_mul(Decimal::ONE_HUNDRED),
            Self::Probability | Self::Celsius | Self::Fahrenheit => value,
        };
        let unit = match self {
            Self::Relative => "%",
            Self::Probability => "of probability",
            Self::Celsius => "°C",
            Self::Fahrenheit => "°F",
        };
        format!("{} {unit}", number.round_dp(4).normalize())
    }
}

impl Rationale {
    /// What was held against the threshold, and under which name that is shown. A strategy without a window tells its threshold alone.
    #[must_use]
    pub fn crossing(&self) -> (&'static str, String) {
        let threshold = self.measure.show(self.threshold);
        if self.has_window() {
            ("change", format!("{} (threshold {threshold})", self.measure.show(self.change)))
        } else {
            ("threshold", threshold)
        }
    }

    /// Whether it was decided on a rolling window.
    #[must_use]
    pub const fn has_window(&self) -> bool {
        self.window_ms > 0
    }
}

impl StrategyState {
    /// Whether it has a rolling window.
    #[must_use]
    pub const fn has_window(&self) -> bool {
        self.window_ms > 0
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    #[test]
    fn each_value_has_the_unit_of_its_strategy() {
        assert_eq!(Measure::Relative.show(dec!(0.00062)), "0.062 %");
        assert_eq!(Measure::Relative.show(dec!(-0.0005)), "-0.05 %");
        assert_eq!(Measure::Probability.show(dec!(0.050)), "0.05 of probability");
        assert_eq!(Measure::from(TemperatureUnit::Fahrenheit).show(dec!(90)), "90 °F");
        assert_eq!(Measure::from(TemperatureUnit::Celsius).show(dec!(-3)), "-3 °C");
    }
}
