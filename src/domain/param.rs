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

/// A parameter that a version changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParamChange {
    /// Its name.
    pub name: String,
    /// What it was in the version before.
    pub from: String,
    /// What it is since.
    pub to: String,
}

impl fmt::Display for ParamChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.name, self.from, self.to)
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
    /// What differs from the version before; empty in the first.
    pub changed: Vec<ParamChange>,
    /// Who set it: the command's actor, or `config file`.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub at: Timestamp,
    /// The command that asked for it; absent when the configuration file did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// What a parameter may hold, as it goes over the bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParamDoc {
    /// Its name.
    pub name: String,
    /// What is allowed, in words.
    pub allowed: String,
    /// The least, for a number.
    pub low: Option<String>,
    /// The most, for a number.
    pub high: Option<String>,
    /// Its unit; empty for a pure number.
    pub unit: String,
    /// Whether it cannot be changed while the desk runs.
    pub fixed: bool,
    /// What it does.
    pub doc: String,
}

impl From<&ParamSpec> for ParamDoc {
    fn from(spec: &ParamSpec) -> Self {
        let (low, high) = match spec.kind {
            ParamKind::Decimal { low, high } => (Some(low.to_owned()), Some(high.to_owned())),
            ParamKind::Integer { low, high } | ParamKind::Seconds { low, high } | ParamKind::Millis { low, high } => {
                (Some(low.to_string()), Some(high.to_string()))
            }
            ParamKind::Pair | ParamKind::Market => (None, None),
        };
        Self {
            name: spec.name.to_owned(),
            allowed: spec.allowed(),
            low,
            high,
            unit: spec.unit.to_owned(),
            fixed: spec.is_fixed(),
            doc: spec.doc.trim().to_owned(),
        }
    }
}

/// What `params.<strategy>` holds: the version in force, those before it, and what each parameter may hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParamBook {
    /// Whose.
    pub strategy: StrategyId,
    /// Every parameter, in the order of its declaration.
    pub table: Vec<ParamDoc>,
    /// The values of the configuration file at Athena's last start.
    pub file: BTreeMap<String, String>,
    /// At most 200 versions, the newest last: that one is in force.
    pub versions: Vec<ParamVersion>,
}

impl ParamBook {
    /// The version in force.
    #[must_use]
    pub fn in_force(&self) -> Option<&ParamVersion> {
        self.versions.last()
    }
}

/// A strategy's parameters as Athena uses them now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParamsInForce {
    /// Whose.
    pub strategy: StrategyId,
    /// Their version.
    pub version: u64,
    /// Every parameter as text, by its name.
    pub values: BTreeMap<String, String>,
}
