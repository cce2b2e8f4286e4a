use std::time::Duration;

use rust_decimal::Decimal;

use crate::domain::{ParamKind, Size, Symbol};

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

impl ParamValue for usize {
    fn parse(kind: &ParamKind, text: &str) -> Option<Self> {
        matches!(kind, ParamKind::Integer { .. }).then(|| text.parse().ok()).flatten()
    }

    fn show(&self, _kind: &ParamKind) -> String {
        self.to_string()
    }
}

impl ParamValue for Duration {
    fn parse(kind: &ParamKind, text: &str) -> Option<Self> {
        let number = text.parse().ok()?;
        match kind {
            ParamKind::Seconds { .. } => Some(Self::from_secs(number)),
            ParamKind::Millis { .. } => Some(Self::from_millis(number)),
            ParamKind::Decimal { .. } | ParamKind::Integer { .. } | ParamKind::Pair | ParamKind::Market => None,
        }
    }

    fn show(&self, kind: &ParamKind) -> String {
        match kind {
            ParamKind::Millis { .. } => self.as_millis().to_string(),
            _ => self.as_secs().to_string(),
        }
    }
}

impl ParamValue for Symbol {
    fn parse(kind: &ParamKind, text: &str) -> Option<Self> {
        (*kind == ParamKind::Pair).then(|| Self::new(text))
    }

    fn show(&self, _kind: &ParamKind) -> String {
        self.to_string()
    }
}

impl ParamValue for String {
    fn parse(kind: &ParamKind, text: &str) -> Option<Self> {
        (*kind == ParamKind::Market).then(|| text.to_owned())
    }

    fn show(&self, _kind: &ParamKind) -> String {
        self.clone()
    }
}
