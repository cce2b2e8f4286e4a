use std::time::Duration;

use rust_decimal::Decimal;

use super::ParamKind;
use super::spec::listed;
use crate::domain::{ForecastModel, Instruments, Rounding, Size, StationId, TemperatureUnit, Usd, Zone};

/// A type that a parameter can have: how it is read from text that its kind admits, and how it is written.
pub trait ParamValue: Sized {
    /// From text; nothing when the kind is not one of this type's.
    fn parse(kind: &ParamKind, text: &str) -> Option<Self>;

    /// As text, such that [`Self::parse`] gives it back.
    fn show(&self, kind: &ParamKind) -> String;
}

impl ParamValue for Decimal {
    fn parse(kind: &ParamKind, text: &str) -> Option<Self> {
        matches!(kind, ParamKind::Decimal { .. }).then(|| Self::from_str_exact(text).ok()).flatten()
    }

    fn show(&self, _kind: &ParamKind) -> String {
        self.to_string()
    }
}

impl ParamValue for Size {
    fn parse(kind: &ParamKind, text: &str) -> Option<Self> {
        Decimal::parse(kind, text).map(Self)
    }

    fn show(&self, kind: &ParamKind) -> String {
        self.0.show(kind)
    }
}

impl ParamValue for Usd {
    fn parse(kind: &ParamKind, text: &str) -> Option<Self> {
        Decimal::parse(kind, text).map(Self)
    }

    fn show(&self, kind: &ParamKind) -> String {
        self.0.show(kind)
    }
}

/// A whole number.
macro_rules! whole {
    ($type:ty) => {
        impl ParamValue for $type {
            fn parse(kind: &ParamKind, text: &str) -> Option<Self> {
                matches!(kind, ParamKind::Integer { .. }).then(|| text.parse().ok()).flatten()
            }

            fn show(&self, _kind: &ParamKind) -> String {
                self.to_string()
            }
        }
    };
}

whole!(usize);
whole!(u32);

impl ParamValue for bool {
    fn parse(kind: &ParamKind, text: &str) -> Option<Self> {
        (*kind == ParamKind::Flag).then(|| text.parse().ok()).flatten()
    }

    fn show(&self, _kind: &ParamKind) -> String {
        self.to_string()
    }
}

impl ParamValue for Vec<String> {
    fn parse(kind: &ParamKind, text: &str) -> Option<Self> {
        (*kind == ParamKind::Markets).then(|| listed(text).map(str::to_owned).collect())
    }

    fn show(&self, _kind: &ParamKind) -> String {
        self.join(",")
    }
}

impl ParamValue for Duration {
    fn parse(kind: &ParamKind, text: &str) -> Option<Self> {
        let number = text.parse().ok()?;
        match kind {
            ParamKind::Seconds { .. } => Some(Self::from_secs(number)),
            ParamKind::Millis { .. } => Some(Self::from_millis(number)),
            _ => None,
        }
    }

    fn show(&self, kind: &ParamKind) -> String {
        match kind {
            ParamKind::Millis { .. } => self.as_millis().to_string(),
            _ => self.as_secs().to_string(),
        }
    }
}

impl ParamValue for Instruments {
    fn parse(kind: &ParamKind, text: &str) -> Option<Self> {
        (*kind == ParamKind::Instruments).then(|| Self::parse(text)).flatten()
    }

    fn show(&self, _kind: &ParamKind) -> String {
        self.to_string()
    }
}

impl ParamValue for String {
    fn parse(kind: &ParamKind, text: &str) -> Option<Self> {
        (*kind == ParamKind::Event).then(|| text.to_owned())
    }

    fn show(&self, _kind: &ParamKind) -> String {
        self.clone()
    }
}

impl ParamValue for StationId {
    fn parse(kind: &ParamKind, text: &str) -> Option<Self> {
        (*kind == ParamKind::Station).then(|| Self::new(text))
    }

    fn show(&self, _kind: &ParamKind) -> String {
        self.to_string()
    }
}

impl ParamValue for Zone {
    fn parse(kind: &ParamKind, text: &str) -> Option<Self> {
        (*kind == ParamKind::Zone).then(|| Self::named(text)).flatten()
    }

    fn show(&self, _kind: &ParamKind) -> String {
        self.name().to_owned()
    }
}

/// An enum that a parameter may hold: a word for each of its values.
macro_rules! choice {
    ($type:ty { $($word:literal => $value:path),+ $(,)? }) => {
        impl $crate::domain::params::ParamValue for $type {
            fn parse(_kind: &$crate::domain::ParamKind, text: &str) -> Option<Self> {
                match text {
                    $($word => Some($value),)+
                    _ => None,
                }
            }

            fn show(&self, _kind: &$crate::domain::ParamKind) -> String {
                match self {
                    $($value => $word,)+
                }
                .to_owned()
            }
        }
    };
}

pub(crate) use choice;

choice!(Rounding { "nearest" => Self::Nearest, "down" => Self::Down });
choice!(TemperatureUnit { "celsius" => Self::Celsius, "fahrenheit" => Self::Fahrenheit });
choice!(ForecastModel { "nws" => Self::Nws, "open_meteo" => Self::OpenMeteo });
