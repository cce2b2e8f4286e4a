//! The book of a strategy's parameters, or of the limits: which version is in force, and how it becomes another. Pure.

use std::collections::BTreeMap;

use super::{ParamBook, ParamChange, ParamDoc, ParamProblem, ParamSpec, ParamVersion, Params};
use crate::domain::{StrategyId, Timestamp};

/// Versions that a book keeps; the oldest beyond that go.
const KEPT: usize = 200;
/// The longest reason that is kept with a version, in bytes.
const WHY_MOST: usize = 500;
/// Who sets what the configuration file says.
const FILE: &str = "config file";

/// Every parameter as text, by its name.
pub type Values = BTreeMap<String, String>;
/// Values, or everything that is wrong with them.
type Checked = Result<Values, Vec<ParamProblem>>;

/// A parameter table without its type: what the book needs to judge texts.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    specs: &'static [ParamSpec],
    check: fn(&Values) -> Checked,
    change: fn(&Values, &Values) -> Checked,
}

impl Table {
    /// The table of these parameters.
    #[must_use]
    pub fn of<P: Params>() -> Self {
        Self {
            specs: P::TABLE,
            check: |values| P::from_texts(values).map(|params| params.texts()),
            change: |values, changes| P::from_texts(values)?.with(changes).map(|params| params.texts()),
        }
    }

    /// The parameters' names, in the order of their declaration.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.specs.iter().map(|spec| spec.name)
    }

    /// What going from one set of values to another would allow that was not allowed before.
    #[must_use]
    pub fn widened(&self, from: &Values, to: &Values) -> Vec<ParamChange> {
        let widened = |spec: &&ParamSpec| match (from.get(spec.name), to.get(spec.name)) {
            (Some(from), Some(to)) => spec.widens(from, to),
            (from, to) => spec.tighter.is_some() && from != to,
        };
        let name = |spec: &ParamSpec| spec.name.to_owned();
        self.specs.iter().filter(widened).map(|spec| change(name(spec), from, to)).collect()
    }

    /// Of each value the tighter one.
    #[must_use]
    pub fn strictest(&self, one: &Values, other: &Values) -> Values {
        let value = |spec: &ParamSpec| {
            let value = match (one.get(spec.name), other.get(spec.name)) {
                (Some(one), Some(other)) => spec.stricter(one, other),
                (only, None) | (None, only) => only?.clone(),
            };
            Some((spec.name.to_owned(), value))
        };
        self.specs.iter().filter_map(value).collect()
    }

    fn docs(&self) -> Vec<ParamDoc> {
        self.specs.iter().map(ParamDoc::from).collect()
    }
}

/// Who changes something, why and when.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// Who.
    pub by: &'a str,
    /// Why.
    pub why: &'a str,
    /// The command that asked for it.
    pub command: Option<&'a str>,
    /// When.
    pub at: Timestamp,
}

/// What a change comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The book with a new version.
    New(ParamBook),
    /// Nothing would change: this version stays in force.
    Same(u64),
}

/// A book at the start of who decides on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// With everything that counts from now on.
    pub book: ParamBook,
    /// What the file says and does not count, since it would widen a limit: a person has to confirm it.
    pub unconfirmed: Vec<ParamChange>,
}

/// A book without a version, for who does not decide on it and finds none.
#[must_use]
pub fn empty(strategy: &StrategyId, file: &Values, table: &Table) -> ParamBook {
    ParamBook { strategy: strategy.clone(), table: table.docs(), file: file.clone(), versions: Vec::new() }
}

/// The book at the start of who decides on it. `file` holds the configuration file's values, which are right.
///
/// Of each parameter what was said last counts: the version in force stays, and of the file only those values are taken that differ
/// from the file of the last start and widen no limit; fixed parameters are always the file's. If that is a change, it is a new version
/// by `config file`. What would widen a limit is given again at every start until the version in force allows as much. Of a version
/// that no longer fits the table only the limits that are tighter are kept beside the file's values. Without a book the file's values
/// are version 1.
#[must_use]
pub fn open(stored: Option<ParamBook>, strategy: &StrategyId, file: &Values, table: &Table, now: Timestamp) -> Opened {
    let fresh = |why: &str| {
        let author = Author { by: FILE, why, command: None, at: now };
        let book = with_version(empty(strategy, file, table), file.clone(), &author);
        Opened { book, unconfirmed: Vec::new() }
    };
    let Some(stored) = stored else { return fresh("the first start") };
    let Some(latest) = stored.in_force() else { return fresh("the book that was kept is empty") };
    let Merged { values, heeded, unconfirmed } = merged(&stored, &latest.values, file, table);
    let (values, why) = match (table.check)(&values) {
        Ok(values) => (values, "the configuration file changed".to_owned()),
        Err(problems) => {
            let why = format!("version {} does not fit any more: {}", latest.version, in_words(&problems).join("; "));
            (tightened(file, &latest.values, table), clipped(&why))
        }
    };
    let book = ParamBook { table: table.docs(), file: heeded, ..stored.clone() };
    if values == latest.values {
        return Opened { book, unconfirmed };
    }
    let author = Author { by: FILE, why: &why, command: None, at: now };
    Opened { book: with_version(book, values, &author), unconfirmed }
}

/// The version in force with what is new in the file.
struct Merged {
    values: Values,
    /// The file as far as it was heeded: what would widen a limit stays news.
    heeded: Values,
    unconfirmed: Vec<ParamChange>,
}

fn merged(stored: &ParamBook, latest: &Values, file: &Values, table: &Table) -> Merged {
    let mut merged = Merged { values: latest.clone(), heeded: file.clone(), unconfirmed: Vec::new() };
    merged.values.retain(|name, _| table.specs.iter().any(|spec| spec.name == *name));
    for spec in table.specs {
        let Some(text) = file.get(spec.name) else { continue };
        let known = stored.file.get(spec.name);
        if !spec.is_fixed() && known.is_some_and(|known| spec.is_same(known, text)) {
            continue;
        }
        match (latest.get(spec.name), known) {
            (Some(in_force), Some(known)) if spec.widens(in_force, text) => {
                merged.unconfirmed.push(change(spec.name.to_owned(), latest, file));
                merged.heeded.insert(spec.name.to_owned(), known.clone());
                // Of a list what the file leaves out is gone all the same.
                merged.values.insert(spec.name.to_owned(), spec.stricter(in_force, text));
            }
            _ => drop(merged.values.insert(spec.name.to_owned(), text.clone())),
        }
    }
    merged
}

/// The file's values, but for limits that are tighter in force.
fn tightened(file: &Values, latest: &Values, table: &Table) -> Values {
    let mut values = file.clone();
    for spec in table.specs.iter().filter(|spec| spec.tighter.is_some()) {
        if let (Some(file), Some(in_force)) =
            (file.get(spec.name), latest.get(spec.name).filter(|text| spec.admits(text)))
        {
            values.insert(spec.name.to_owned(), spec.stricter(file, in_force));
        }
    }
    values
}

/// The book after some parameters are set.
///
/// # Errors
/// Every reason against it, in words.
pub fn set(
    book: &ParamBook,
    table: &Table,
    expected: Option<u64>,
    changes: &Values,
    author: &Author<'_>,
) -> Result<Outcome, Vec<String>> {
    let values = in_force(book, expected)?;
    let mut reasons = objections(author);
    if changes.is_empty() {
        reasons.push("no parameter is named".to_owned());
    }
    match (table.change)(values, changes) {
        Ok(values) if reasons.is_empty() => Ok(successor(book, values, author)),
        Ok(_) => Err(reasons),
        Err(problems) => {
            reasons.extend(in_words(&problems));
            Err(reasons)
        }
    }
}

/// The book after an earlier version's values are put in force again, as a new version. Fixed parameters stay as they are.
///
/// # Errors
/// Every reason against it, in words.
pub fn rollback(
    book: &ParamBook,
    table: &Table,
    expected: Option<u64>,
    to: u64,
    author: &Author<'_>,
) -> Result<Outcome, Vec<String>> {
    let values = in_force(book, expected)?;
    let mut reasons = objections(author);
    let Some(earlier) = book.versions.iter().find(|version| version.version == to) else {
        reasons.push(not_kept(book, to));
        return Err(reasons);
    };
    let mut target = earlier.values.clone();
    target.retain(|name, _| table.specs.iter().any(|spec| spec.name == *name));
    for spec in table.specs.iter().filter(|spec| spec.is_fixed()) {
        if let Some(text) = values.get(spec.name) {
            target.insert(spec.name.to_owned(), text.clone());
        }
    }
    match (table.check)(&target) {
        Ok(values) if reasons.is_empty() => Ok(successor(book, values, author)),
        Ok(_) => Err(reasons),
        Err(problems) => {
            reasons.extend(in_words(&problems));
            Err(reasons)
        }
    }
}

/// A book from which the newest versions were lost, and that went on without them: all that was kept, and behind it what people have set
/// since, under new numbers.
#[must_use]
pub fn rejoined(kept: &ParamBook, found: &ParamBook) -> ParamBook {
    let set_since = |version: &&ParamVersion| version.by != FILE && !kept.versions.contains(version);
    found.versions.iter().filter(set_since).fold(kept.clone(), |book, version| {
        let ParamVersion { by, why, at, command, values, .. } = version;
        with_version(book, values.clone(), &Author { by, why, command: command.as_deref(), at: *at })
    })
}

/// The values in force, of the version that is expected.
fn in_force(book: &ParamBook, expected: Option<u64>) -> Result<&Values, Vec<String>> {
    let Some(ParamVersion { version, values, .. }) = book.in_force() else {
        return Err(vec![format!("{} has no parameters yet", book.strategy)]);
    };
    match expected.filter(|expected| expected != version) {
        Some(expected) => Err(vec![format!("version {version} is in force, not {expected}: look at it and ask again")]),
        None => Ok(values),
    }
}

/// Where the values of a version are that a book does not have, and how to get them back.
fn not_kept(book: &ParamBook, version: u64) -> String {
    let numbers = |version: Option<&ParamVersion>| version.map_or(0, |version| version.version);
    let (first, last) = (numbers(book.versions.first()), numbers(book.versions.last()));
    let there_are = format!("version {version} is not kept; there are {first} to {last}");
    if version == 0 || version >= first {
        return there_are;
    }
    let name = &book.strategy;
    format!(
        "{there_are}. The ledger has its values: cockpit audit params {name} {version} prints each as NAME=VALUE, \
         cockpit params set {name} takes them so"
    )
}

fn objections(author: &Author<'_>) -> Vec<String> {
    let length = author.why.len();
    if author.why.trim().is_empty() {
        vec!["why: a reason is needed".to_owned()]
    } else if length > WHY_MOST {
        vec![format!("why: it has {length} bytes, at most {WHY_MOST} are kept")]
    } else {
        Vec::new()
    }
}

fn in_words(problems: &[ParamProblem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn clipped(why: &str) -> String {
    why.chars().take(WHY_MOST / 4).collect()
}

fn successor(book: &ParamBook, values: Values, author: &Author<'_>) -> Outcome {
    match book.in_force() {
        Some(latest) if latest.values == values => Outcome::Same(latest.version),
        _ => Outcome::New(with_version(book.clone(), values, author)),
    }
}

fn with_version(mut book: ParamBook, values: Values, author: &Author<'_>) -> ParamBook {
    let latest = book.in_force();
    let changed = latest.map_or_else(Vec::new, |latest| differences(&latest.values, &values));
    let version = ParamVersion {
        strategy: book.strategy.clone(),
        version: latest.map_or(1, |latest| latest.version + 1),
        values,
        changed,
        by: author.by.to_owned(),
        why: author.why.to_owned(),
        at: author.at,
        command: author.command.map(ToOwned::to_owned),
    };
    book.versions.push(version);
    let surplus = book.versions.len().saturating_sub(KEPT);
    book.versions.drain(..surplus);
    book
}

/// What differs, by name; a parameter that one side lacks shows as `-` there.
fn differences(from: &Values, to: &Values) -> Vec<ParamChange> {
    let names: std::collections::BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let differs = |name: &&&String| from.get(**name) != to.get(**name);
    names.iter().filter(differs).map(|name| change((*name).clone(), from, to)).collect()
}

fn change(name: String, from: &Values, to: &Values) -> ParamChange {
    let text = |values: &Values| values.get(&name).map_or_else(|| "-".to_owned(), Clone::clone);
    let (from, to) = (text(from), text(to));
    ParamChange { name, from, to }
}

#[cfg(test)]
mod tests;
