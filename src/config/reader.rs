//! Takes keys out of a TOML table one by one and remembers everything that was wrong.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::{Table, Value};

use super::Problem;
use crate::domain::params::{is_pair, is_traded};
use crate::domain::{Instrument, Instruments, ParamKind, ParamSpec, Symbol};

/// What a strategy may trade on a pair.
const TRADED: &str = "a slug, a slug with one outcome or a pattern in quotes, such as \"btc-100k\", \"btc-100k#Yes\" or \"btc-updown-5m-{start}\"";
/// What a list of markets may hold.
pub(super) const MARKETS: &str = "a list of slugs or patterns such as \"btc-updown-5m-{start}\", without an outcome";

/// The table being read. What is left at the end is unknown.
#[derive(Debug)]
pub(super) struct Reader {
    root: Table,
    known: Vec<String>,
    problems: Vec<Problem>,
}

impl Reader {
    pub(super) const fn new(root: Table) -> Self {
        Self { root, known: Vec::new(), problems: Vec::new() }
    }

    /// Whether a section is there at all.
    pub(super) fn has(&self, section: &str) -> bool {
        self.root.contains_key(section)
    }

    /// Everything that was wrong, the keys nobody asked for included.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        let mut unknown = Vec::new();
        leftovers("", &self.root, &mut unknown);
        for (key, value) in unknown {
            let allowed = match nearest(&key, &self.known) {
                Some(near) => format!("no such key; did you mean {near}?"),
                None => "no such key".to_owned(),
            };
            self.problems.push(Problem { key, value, allowed });
        }
        self.problems
    }

    pub(super) fn problem(&mut self, key: &str, value: impl Display, allowed: impl Display) {
        self.problems.push(Problem { key: key.to_owned(), value: value.to_string(), allowed: allowed.to_string() });
    }

    fn take(&mut self, key: &str, allowed: &str) -> Option<Value> {
        self.known.push(key.to_owned());
        let mut table = &mut self.root;
        let mut parts = key.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                if let Some(value) = table.remove(part) {
                    return Some(value);
                }
                break;
            }
            match table.get_mut(part) {
                Some(Value::Table(inner)) => table = inner,
                Some(_) | None => break,
            }
        }
        self.problem(key, "(missing)", allowed);
        None
    }

    /// Takes a value and turns it into what it should be, or notes the problem.
    fn read<T>(&mut self, key: &str, allowed: &str, convert: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.take(key, allowed)?;
        let converted = convert(&value);
        if converted.is_none() {
            self.problem(key, &value, allowed);
        }
        converted
    }

    pub(super) fn text(&mut self, key: &str, allowed: &str, accept: impl Fn(&str) -> bool) -> Option<String> {
        self.read(key, allowed, |value| value.as_str().filter(|text| accept(text)).map(str::to_owned))
    }

    /// A text that may hold a secret: `check` says what is wrong with it, and `shown` how much of it may be repeated.
    pub(super) fn secret(
        &mut self,
        key: &str,
        allowed: &str,
        check: impl Fn(&str) -> Result<(), String>,
        shown: impl Fn(&str) -> String,
    ) -> Option<String> {
        let value = self.take(key, allowed)?;
        let Some(text) = value.as_str() else {
            self.problem(key, &value, allowed);
            return None;
        };
        match check(text) {
            Ok(()) => Some(text.to_owned()),
            Err(wrong) => {
                self.problem(key, shown(text), wrong);
                None
            }
        }
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        self.read(key, "true or false", Value::as_bool)
    }

    pub(super) fn integer<N>(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<N>
    where
        N: TryFrom<i64>,
    {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(key, &allowed, |value| {
            value.as_integer().filter(|n| range.contains(n)).and_then(|n| n.try_into().ok())
        })
    }

    pub(super) fn real(&mut self, key: &str, range: RangeInclusive<f64>) -> Option<f64> {
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        self.read(key, &allowed, |value| {
            let number = value.as_float().or_else(|| value.to_string().parse().ok())?;
            range.contains(&number).then_some(number)
        })
    }

    pub(super) fn seconds(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<Duration> {
        self.integer(key, range).map(Duration::from_secs)
    }

    /// Parameters as their table declares them: times and counts as numbers, flags as such, lists of markets as arrays, instruments as
    /// tables, everything else in quotes. Nothing when one of them is not right.
    pub(super) fn params(&mut self, section: &str, table: &[ParamSpec]) -> Option<BTreeMap<String, String>> {
        let mut texts = BTreeMap::new();
        for spec in table {
            let key = format!("{section}.{}", spec.name);
            let text = match spec.kind {
                ParamKind::Instruments => self.instruments(&key).map(|instruments| instruments.to_string()),
                _ => self.read(&key, &allowed(spec), |value| written(spec, value).filter(|text| spec.admits(text))),
            };
            texts.extend(text.map(|text| (spec.name.to_owned(), text)));
        }
        (texts.len() == table.len()).then_some(texts)
    }

    /// A table for each pair, `[[key]]` with `symbol` and `market`. Nothing when one of them is not right.
    fn instruments(&mut self, key: &str) -> Option<Instruments> {
        let allowed = format!("[[{key}]] with symbol and market, once for each pair, at least one");
        let value = self.take(key, &allowed)?;
        let Some(entries) = value.as_array().filter(|entries| !entries.is_empty()) else {
            self.problem(key, &value, &allowed);
            return None;
        };
        let mut instruments: Vec<Instrument> = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let at = format!("{key}[{index}]");
            let Some(entry) = entry.as_table() else {
                self.problem(&at, entry, &allowed);
                continue;
            };
            let Some(instrument) = self.instrument(&at, entry) else { continue };
            if let Some(first) = instruments.iter().position(|known| known.symbol == instrument.symbol) {
                let allowed = format!("each pair once; it is that of {key}[{first}] already");
                self.problem(&format!("{at}.symbol"), format!("\"{}\"", instrument.symbol), allowed);
                continue;
            }
            instruments.push(instrument);
        }
        (instruments.len() == entries.len()).then(|| Instruments::new(instruments)).flatten()
    }

    fn instrument(&mut self, at: &str, entry: &Table) -> Option<Instrument> {
        let pair = self.item(at, entry, "symbol", "a pair in quotes, such as \"BTC/USD\"", is_pair);
        let market = self.item(at, entry, "market", TRADED, is_traded);
        for (name, value) in entry.iter().filter(|(name, _)| !["symbol", "market"].contains(&name.as_str())) {
            self.problem(&format!("{at}.{name}"), value, "no such key; there are symbol and market");
        }
        Some(Instrument { symbol: Symbol::from(pair?), market: market? })
    }

    fn item(
        &mut self,
        at: &str,
        entry: &Table,
        name: &str,
        allowed: &str,
        accept: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let given = entry.get(name);
        let text = given.and_then(Value::as_str).filter(|text| accept(text)).map(str::to_owned);
        if text.is_none() {
            let given = given.map_or_else(|| "(missing)".to_owned(), Value::to_string);
            self.problem(&format!("{at}.{name}"), given, allowed);
        }
        text
    }

    pub(super) fn texts(&mut self, key: &str, allowed: &str, accept: impl Fn(&str) -> bool) -> Option<Vec<String>> {
        self.read(key, allowed, |value| {
            let items = value.as_array()?;
            if items.is_empty() {
                return None;
            }
            items.iter().map(|item| item.as_str().filter(|text| accept(text)).map(str::to_owned)).collect()
        })
    }
}

fn quoted_decimal(low: &str, high: &str) -> String {
    format!("a decimal in quotes from \"{low}\" to \"{high}\"")
}

/// What a parameter may be in the file.
fn allowed(spec: &ParamSpec) -> String {
    match spec.kind {
        ParamKind::Integer { .. } | ParamKind::Seconds { .. } | ParamKind::Millis { .. } | ParamKind::Flag => {
            spec.allowed()
        }
        ParamKind::Decimal { low, high } => quoted_decimal(low, high),
        ParamKind::Markets => MARKETS.to_owned(),
        _ => format!("{}, in quotes", spec.allowed()),
    }
}

/// The text of a parameter that is written as its kind demands.
fn written(spec: &ParamSpec, value: &Value) -> Option<String> {
    match spec.kind {
        ParamKind::Integer { .. } | ParamKind::Seconds { .. } | ParamKind::Millis { .. } => {
            value.as_integer().map(|number| number.to_string())
        }
        ParamKind::Flag => value.as_bool().map(|flag| flag.to_string()),
        ParamKind::Markets => {
            let markets: Option<Vec<&str>> = value.as_array()?.iter().map(Value::as_str).collect();
            markets.filter(|markets| !markets.is_empty()).map(|markets| markets.join(","))
        }
        _ => value.as_str().map(str::to_owned),
    }
}

fn leftovers(prefix: &str, table: &Table, unknown: &mut Vec<(String, String)>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) if !inner.is_empty() => leftovers(&key, inner, unknown),
            Value::Table(_) => {}
            other => unknown.push((key, other.to_string())),
        }
    }
}

/// The known key that a typing error away from `key`, if there is one.
fn nearest<'a>(key: &str, known: &'a [String]) -> Option<&'a String> {
    known
        .iter()
        .map(|candidate| (distance(key, candidate), candidate))
        .filter(|(distance, _)| *distance <= 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
