//! Parameter tables: each strategy declares its thresholds once, and the risk gate its limits, with type, range, unit and meaning.
//! The configuration file, the command line, the cockpit and the live changes all read that one declaration.

pub mod book;
mod spec;
mod value;
mod version;

pub use book::Table;
pub use spec::{ParamKind, ParamProblem, ParamSpec, Tighter, is_pair, is_traded};
pub use value::ParamValue;
pub(crate) use value::choice;
pub use version::{ParamBook, ParamChange, ParamDoc, ParamVersion, ParamsInForce};

use std::collections::BTreeMap;

/// Under this name stands the book of the risk limits. No strategy may have it.
pub const RISK: &str = "risk";

/// Thresholds or limits, as declared with `parameters!`.
pub trait Params: Clone + PartialEq + std::fmt::Debug + Send + Sized + 'static {
    /// Every parameter, in the order of its declaration.
    const TABLE: &'static [ParamSpec];

    /// From the text of every parameter.
    ///
    /// # Errors
    /// Everything that is missing, unknown or out of range.
    fn from_texts(texts: &BTreeMap<String, String>) -> Result<Self, Vec<ParamProblem>>;

    /// From the text of every parameter, but for the fixed ones: those stay as they are.
    ///
    /// # Errors
    /// Everything that is missing, unknown or out of range.
    fn retuned(&self, texts: &BTreeMap<String, String>) -> Result<Self, Vec<ParamProblem>>;

    /// Every parameter as text, by its name.
    fn texts(&self) -> BTreeMap<String, String>;

    /// These parameters with some of them changed, all or none.
    ///
    /// # Errors
    /// Everything that is wrong with the changes; a parameter that is fixed while running is one of it.
    fn with(&self, changes: &BTreeMap<String, String>) -> Result<Self, Vec<ParamProblem>> {
        let mut texts = self.texts();
        let mut problems = Vec::new();
        for (name, text) in changes {
            let spec = Self::TABLE.iter().find(|spec| spec.name == name);
            match spec {
                Some(spec) if spec.is_fixed() && texts.get(name) != Some(text) => problems.push(ParamProblem {
                    name: name.clone(),
                    value: text.clone(),
                    allowed: "it is fixed while the desk runs; change it in the configuration file".into(),
                }),
                Some(_) | None => {
                    texts.insert(name.clone(), text.clone());
                }
            }
        }
        match Self::from_texts(&texts) {
            Ok(changed) if problems.is_empty() => Ok(changed),
            Ok(_) => Err(problems),
            Err(more) => {
                problems.extend(more);
                Err(problems)
            }
        }
    }
}

/// Takes one parameter out of `texts`, or notes what is wrong with it.
pub fn take<T: ParamValue>(
    texts: &BTreeMap<String, String>,
    spec: &ParamSpec,
    problems: &mut Vec<ParamProblem>,
) -> Option<T> {
    let problem = |value: &str| ParamProblem { name: spec.name.into(), value: value.into(), allowed: spec.allowed() };
    let Some(text) = texts.get(spec.name) else {
        problems.push(problem("(missing)"));
        return None;
    };
    let value = if spec.admits(text) { T::parse(&spec.kind, text) } else { None };
    if value.is_none() {
        problems.push(problem(text));
    }
    value
}

/// Notes every name that the table does not have.
pub fn unknown(texts: &BTreeMap<String, String>, table: &[ParamSpec], problems: &mut Vec<ParamProblem>) {
    for (name, value) in texts.iter().filter(|(name, _)| table.iter().all(|spec| spec.name != name.as_str())) {
        let names: Vec<_> = table.iter().map(|spec| spec.name).collect();
        let allowed = format!("only {}; there is no {name}", names.join(", "));
        problems.push(ParamProblem { name: name.clone(), value: value.clone(), allowed });
    }
}

/// Declares parameters: a struct, its table, and the way from text and back.
///
/// Each field is `name: Type = kind, "key", "unit";` with its meaning as doc comment; a limit says behind its unit which way it is
/// tighter.
macro_rules! parameters {
    (@tighter) => { None };
    (@tighter $tighter:ident) => { Some($crate::domain::Tighter::$tighter) };
    (
        $(#[doc = $about:literal])+
        $visibility:vis struct $params:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ty = $kind:expr, $key:literal, $unit:literal $(, $tighter:ident)?;
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        $visibility struct $params {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl $crate::domain::params::Params for $params {
            const TABLE: &'static [$crate::domain::ParamSpec] = &[
                $($crate::domain::ParamSpec {
                    name: $key,
                    kind: $kind,
                    unit: $unit,
                    tighter: $crate::domain::params::parameters!(@tighter $($tighter)?),
                    doc: concat!($($doc),+),
                },)+
            ];

            fn from_texts(
                texts: &std::collections::BTreeMap<String, String>,
            ) -> Result<Self, Vec<$crate::domain::ParamProblem>> {
                let mut problems = Vec::new();
                let mut specs = Self::TABLE.iter();
                $(let $field = specs.next().and_then(|spec| {
                    $crate::domain::params::take::<$type>(texts, spec, &mut problems)
                });)+
                $crate::domain::params::unknown(texts, Self::TABLE, &mut problems);
                match ($($field,)+) {
                    ($(Some($field),)+) if problems.is_empty() => Ok(Self { $($field),+ }),
                    _ => Err(problems),
                }
            }

            fn retuned(
                &self,
                texts: &std::collections::BTreeMap<String, String>,
            ) -> Result<Self, Vec<$crate::domain::ParamProblem>> {
                let mut problems = Vec::new();
                let mut specs = Self::TABLE.iter();
                $(let $field = specs.next().and_then(|spec| {
                    if spec.is_fixed() {
                        return Some(self.$field.clone());
                    }
                    $crate::domain::params::take::<$type>(texts, spec, &mut problems)
                });)+
                $crate::domain::params::unknown(texts, Self::TABLE, &mut problems);
                match ($($field,)+) {
                    ($(Some($field),)+) if problems.is_empty() => Ok(Self { $($field),+ }),
                    _ => Err(problems),
                }
            }

            fn texts(&self) -> std::collections::BTreeMap<String, String> {
                let mut specs = Self::TABLE.iter();
                let mut texts = std::collections::BTreeMap::new();
                $(if let Some(spec) = specs.next() {
                    let text = $crate::domain::params::ParamValue::show(&self.$field, &spec.kind);
                    texts.insert(spec.name.to_owned(), text);
                })+
                texts
            }
        }
    };
}

pub(crate) use parameters;

/// Whether a parameter's kind is one that `T` can hold: checked once by each strategy's tests.
#[cfg(test)]
pub(crate) fn assert_declared<P: Params>(sample: &P) {
    let texts = sample.texts();
    assert_eq!(texts.len(), P::TABLE.len(), "two parameters share a name");
    assert_eq!(P::from_texts(&texts).as_ref(), Ok(sample));
    for spec in P::TABLE {
        assert!(!spec.doc.trim().is_empty() && !spec.allowed().is_empty(), "{}", spec.name);
        if let ParamKind::Decimal { low, high } = spec.kind {
            assert!(spec.admits(low) && spec.admits(high), "{}", spec.name);
        }
    }
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
