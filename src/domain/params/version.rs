use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ParamKind, ParamSpec, Tighter};
use crate::domain::{StrategyId, Timestamp};

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
        let shown = |text: &str| if text.is_empty() { "(empty)".to_owned() } else { text.to_owned() };
        write!(f, "{} {} -> {}", self.name, shown(&self.from), shown(&self.to))
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
    /// Which way it is tighter; absent unless it is a limit. The other way needs a confirmation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tighter: Option<Tighter>,
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
            ParamKind::Instruments
            | ParamKind::Event
            | ParamKind::Station
            | ParamKind::Zone
            | ParamKind::Choice { .. }
            | ParamKind::Flag
            | ParamKind::Markets => (None, None),
        };
        Self {
            name: spec.name.to_owned(),
            allowed: spec.allowed(),
            low,
            high,
            unit: spec.unit.to_owned(),
            fixed: spec.is_fixed(),
            tighter: spec.tighter,
            doc: spec.doc.trim().to_owned(),
        }
    }
}

/// What `params.<strategy>` holds, and `params.risk`: the version in force, those before it, and what each parameter may hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParamBook {
    /// Whose.
    pub strategy: StrategyId,
    /// Every parameter, in the order of its declaration.
    pub table: Vec<ParamDoc>,
    /// The values of the configuration file at the last start of who decides on them.
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

/// A strategy's parameters, or the limits, as they are used now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParamsInForce {
    /// Whose.
    pub strategy: StrategyId,
    /// Their version.
    pub version: u64,
    /// Every parameter as text, by its name.
    pub values: BTreeMap<String, String>,
}
