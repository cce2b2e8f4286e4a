//! Every strategy that this build knows. A new one is a file of its own, a line in [`KINDS`] and its section in `config.toml`;
//! configuration, parameters, engine and daemon find it here.

use std::fmt;

use super::momentum::Momentum;
use super::reversion::Reversion;
use super::strategy::{Runner, Running, Strategy};
use super::weather::Weather;
use crate::domain::params::book::Values;
use crate::domain::params::{Params, Table};
use crate::domain::{ParamProblem, ParamSpec};

/// All of them, in the order of `config.toml`.
pub const KINDS: [Kind; 3] = [Kind::of::<Momentum>(), Kind::of::<Reversion>(), Kind::of::<Weather>()];

/// Something made of parameters, or everything that is wrong with them.
type Made<T> = Result<T, Vec<ParamProblem>>;
/// A strategy on each of its instruments.
type Runners = Vec<Box<dyn Runner>>;

/// A strategy without its types.
#[derive(Clone, Copy)]
pub struct Kind {
    name: &'static str,
    specs: &'static [ParamSpec],
    embedded: fn() -> StrategySettings,
    check: fn(&Values) -> Made<Values>,
    runners: fn(&Values) -> Made<Runners>,
    table: fn() -> Table,
}

impl Kind {
    /// Of these rules.
    #[must_use]
    pub const fn of<S: Strategy>() -> Self {
        Self {
            name: S::NAME,
            specs: S::Params::TABLE,
            embedded: || StrategySettings::of::<S>(S::ENABLED, &S::embedded()),
            check: |values| S::Params::from_texts(values).map(|params| params.texts()),
            runners: |values| Ok(Running::<S>::all(&S::Params::from_texts(values)?)),
            table: Table::of::<S::Params>,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its parameters.
    #[must_use]
    pub const fn specs(&self) -> &'static [ParamSpec] {
        self.specs
    }

    /// Its parameters, as a book judges them.
    #[must_use]
    pub fn table(&self) -> Table {
        (self.table)()
    }

    /// As the embedded desk has it.
    #[must_use]
    pub fn embedded(&self) -> StrategySettings {
        (self.embedded)()
    }

    /// With these parameters.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn settings(&self, enabled: bool, values: &Values) -> Result<StrategySettings, Vec<ParamProblem>> {
        Ok(StrategySettings { kind: *self, enabled, values: (self.check)(values)? })
    }
}

/// A strategy, whether it runs, and the configuration file's parameters.
#[derive(Clone)]
pub struct StrategySettings {
    kind: Kind,
    enabled: bool,
    values: Values,
}

impl StrategySettings {
    /// Of these rules with these parameters.
    #[must_use]
    pub fn of<S: Strategy>(enabled: bool, params: &S::Params) -> Self {
        Self { kind: Kind::of::<S>(), enabled, values: params.texts() }
    }

    /// Which strategy.
    #[must_use]
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether it runs.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Its parameters as text, by their names.
    #[must_use]
    pub const fn values(&self) -> &Values {
        &self.values
    }

    /// The strategy before its first event, on each of its instruments.
    ///
    /// # Errors
    /// Everything that is wrong with the parameters.
    pub(super) fn runners(&self) -> Result<Runners, Vec<ParamProblem>> {
        (self.kind.runners)(&self.values)
    }
}

impl Eq for StrategySettings {}

impl PartialEq for StrategySettings {
    fn eq(&self, other: &Self) -> bool {
        (self.kind.name, self.enabled, &self.values) == (other.kind.name, other.enabled, &other.values)
    }
}

impl fmt::Debug for StrategySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, enabled, values } = self;
        f.debug_struct("StrategySettings")
            .field("strategy", &kind.name)
            .field("enabled", enabled)
            .field("values", values)
            .finish()
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kind").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::params::RISK;

    #[test]
    fn every_strategy_has_a_name_of_its_own_and_starts_as_the_embedded_desk_has_it() {
        let names: std::collections::BTreeSet<_> = KINDS.iter().map(Kind::name).collect();
        assert_eq!(names.len(), KINDS.len());
        assert!(!names.contains(RISK), "the limits have that name");
        for kind in KINDS {
            let settings = kind.embedded();
            let runners = settings.runners().expect("its own parameters fit");
            let [runner] = &runners[..] else { panic!("one instrument was expected: {runners:?}") };
            assert_eq!(runner.key().0.as_str(), kind.name());
            assert_eq!(runner.values(), *settings.values());
            assert_eq!(
                kind.table().names().collect::<Vec<_>>(),
                kind.specs().iter().map(|spec| spec.name).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn wrong_parameters_are_named() {
        let kind = Kind::of::<Momentum>();
        let mut values = kind.embedded().values().clone();
        values.insert("size".into(), "lots".into());
        let problems = kind.settings(true, &values).expect_err("no number");
        assert_eq!(problems[0].name, "size");
    }
}
