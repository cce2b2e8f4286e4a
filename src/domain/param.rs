use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{StrategyId, Timestamp};

/// What a parameter may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ParamKind {
    /// A decimal number between two others, both included.
    Decimal {
        /// The least.
        low: &'static str,
        /// The most.
        high: &'static str,
    },
    /// A whole number between two others, both included.
    Integer {
        /// The least.
        low: u64,
        /// The most.
        high: u64,
    },
    /// A time in whole seconds.
    Seconds {
        /// The least.
        low: u64,
        /// The most.
        high: u64,
    },
    /// A time in whole milliseconds.
    Millis {
        /// The least.
        low: u64,
        /// The most.
        high: u64,
    },
    /// A pair as Kraken v2 writes it.
    Pair,
    /// A market's slug, or a rolling pattern.
    Market,
}

/// One parameter as it was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ParamSpec {
    /// Its name.
    pub name: &'static str,
    /// What it may hold.
    pub kind: ParamKind,
    /// Its unit; empty for a pure number.
    pub unit: &'static str,
    /// What it does.
    pub doc: &'static str,
}

impl ParamSpec {
    /// What is allowed, in words.
    #[must_use]
    pub fn allowed(&self) -> String {
        match self.kind {
            ParamKind::Decimal { low, high } => format!("a decimal from {low} to {high}"),
            ParamKind::Integer { low, high } => format!("a whole number from {low} to {high}"),
            ParamKind::Seconds { low, high } => format!("whole seconds from {low} to {high}"),
            ParamKind::Millis { low, high } => format!("whole milliseconds from {low} to {high}"),
            ParamKind::Pair => "a pair such as BTC/USD".into(),
            ParamKind::Market => "a slug or a pattern such as btc-updown-5m-{start}".into(),
        }
    }

    /// Whether it cannot be changed while the desk runs: what is watched and traded is wired at the start.
    #[must_use]
    pub const fn is_fixed(&self) -> bool {
        matches!(self.kind, ParamKind::Pair | ParamKind::Market)
    }

    /// Whether this text is allowed.
    #[must_use]
    pub fn admits(&self, text: &str) -> bool {
        match self.kind {
            ParamKind::Decimal { low, high } => {
                let number = |text: &str| Decimal::from_str_exact(text).ok();
                let bounds = number(low).zip(number(high));
                number(text).zip(bounds).is_some_and(|(value, (low, high))| value >= low && value <= high)
            }
            ParamKind::Integer { low, high } | ParamKind::Seconds { low, high } | ParamKind::Millis { low, high } => {
                text.parse::<u64>().is_ok_and(|value| value >= low && value <= high)
            }
            ParamKind::Pair => text.split_once('/').is_some_and(|(base, quote)| is_code(base) && is_code(quote)),
            ParamKind::Market => is_market(text),
        }
    }
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn is_market(text: &str) -> bool {
    let plain = text.replacen("{start}", "0", 1);
    !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// What is wrong with one parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParamProblem {
    /// Its name.
    pub name: String,
    /// What was given.
    pub value: String,
    /// What would be right.
    pub allowed: String,
}

impl fmt::Display for ParamProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: allowed: {}", self.name, self.value, self.allowed)
    }
}

/// One version of a strategy's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParamVersion {
    /// Whose.
    pub strategy: StrategyId,
    /// Counts up from 1, the version that the configuration file gave.
    pub version: u64,
    /// Every parameter as text, by its name.
    pub values: BTreeMap<String, String>,
    /// Who set it.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub at: Timestamp,
}
