use std::fmt;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{Instruments, Zone, is_market, is_slug, split_outcome};

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
    /// Pairs as Kraken v2 writes them, each with the slug of its market, a slug and one outcome, or a rolling pattern, with commas between.
    Instruments,
    /// The slug of an event that comes anew each day.
    Event,
    /// A weather station.
    Station,
    /// A time zone.
    Zone,
    /// One of these words.
    Choice {
        /// All of them.
        of: &'static [&'static str],
    },
    /// `true` or `false`.
    Flag,
    /// Slugs and rolling patterns, with commas between.
    Markets,
}

/// Which way a limit becomes tighter. The other way widens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tighter {
    /// A lower number allows less.
    Lower,
    /// A higher number allows less.
    Higher,
    /// A shorter list allows less: nothing may be on it that was not before.
    Fewer,
    /// `true` allows less.
    On,
}

impl fmt::Display for Tighter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lower => "lower",
            Self::Higher => "higher",
            Self::Fewer => "fewer",
            Self::On => "true",
        })
    }
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
    /// Which way it is tighter; absent unless it is a limit.
    pub tighter: Option<Tighter>,
    /// What it does.
    pub doc: &'static str,
}

impl ParamSpec {
    /// Whether going from one value to another allows more than before. What cannot be compared does.
    #[must_use]
    pub fn widens(&self, from: &str, to: &str) -> bool {
        let below = |one: &str, other: &str| match (Decimal::from_str_exact(one), Decimal::from_str_exact(other)) {
            (Ok(one), Ok(other)) => one < other,
            _ => true,
        };
        match self.tighter {
            None => false,
            _ if from == to => false,
            Some(Tighter::Lower) => below(from, to),
            Some(Tighter::Higher) => below(to, from),
            Some(Tighter::Fewer) => listed(to).any(|market| listed(from).all(|known| known != market)),
            Some(Tighter::On) => to != "true",
        }
    }

    /// Whether two texts say the same.
    #[must_use]
    pub fn is_same(&self, one: &str, other: &str) -> bool {
        one == other
            || match (Decimal::from_str_exact(one), Decimal::from_str_exact(other)) {
                (Ok(one), Ok(other)) => one == other,
                _ => self.tighter.is_some() && !self.widens(one, other) && !self.widens(other, one),
            }
    }

    /// The tighter of two values; of two lists what is on both.
    #[must_use]
    pub fn stricter(&self, one: &str, other: &str) -> String {
        if self.tighter == Some(Tighter::Fewer) {
            let both = listed(one).filter(|market| listed(other).any(|known| known == *market));
            return both.collect::<Vec<_>>().join(",");
        }
        if self.widens(one, other) { one } else { other }.to_owned()
    }

    /// What is allowed, in words.
    #[must_use]
    pub fn allowed(&self) -> String {
        match self.kind {
            ParamKind::Decimal { low, high } => format!("a decimal from {low} to {high}"),
            ParamKind::Integer { low, high } => format!("a whole number from {low} to {high}"),
            ParamKind::Seconds { low, high } => format!("whole seconds from {low} to {high}"),
            ParamKind::Millis { low, high } => format!("whole milliseconds from {low} to {high}"),
            ParamKind::Instruments => {
                "pairs, each once and with its market, such as BTC/USD btc-updown-5m-{start} or BTC/USD btc-100k#Yes, with commas between"
                    .into()
            }
            ParamKind::Event => "a pattern such as highest-temperature-in-nyc-on-{date}".into(),
            ParamKind::Station => "the four letters or digits of a station such as KLGA".into(),
            ParamKind::Zone => "a time zone such as America/New_York".into(),
            ParamKind::Choice { of } => format!("one of {}", of.join(", ")),
            ParamKind::Flag => "true or false".into(),
            ParamKind::Markets => {
                "slugs or patterns such as btc-updown-5m-{start}, without an outcome, with commas between".into()
            }
        }
    }

    /// Whether it cannot be changed while the desk runs: what is watched and traded is wired at the start.
    #[must_use]
    pub const fn is_fixed(&self) -> bool {
        matches!(self.kind, ParamKind::Instruments | ParamKind::Event | ParamKind::Station | ParamKind::Zone)
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
            ParamKind::Instruments => Instruments::parse(text).is_some_and(|instruments| {
                instruments.iter().all(|of| is_pair(of.symbol.as_str()) && is_traded(&of.market))
            }),
            ParamKind::Event => {
                text.split_once("{date}").is_some_and(|(before, after)| is_slug(before) && after.is_empty())
            }
            ParamKind::Station => text.len() == 4 && is_code(text),
            ParamKind::Zone => Zone::named(text).is_some(),
            ParamKind::Choice { of } => of.contains(&text),
            ParamKind::Flag => matches!(text, "true" | "false"),
            ParamKind::Markets => listed(text).all(is_market),
        }
    }
}

/// The items of a list.
pub(super) fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Whether it is a pair as Kraken v2 writes it.
#[must_use]
pub fn is_pair(text: &str) -> bool {
    text.split_once('/').is_some_and(|(base, quote)| is_code(base) && is_code(quote))
}

/// Whether a strategy may trade it: a market, or a slug with the one outcome of it that is traded, such as `will-btc-reach-100k#Yes`.
#[must_use]
pub fn is_traded(text: &str) -> bool {
    let is_outcome = |text: &str| {
        !text.is_empty() && text.trim() == text && !text.contains(|c: char| c.is_control() || matches!(c, ',' | '#'))
    };
    match split_outcome(text) {
        (market, None) => is_market(market),
        (slug, Some(outcome)) => is_slug(slug) && is_outcome(outcome),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const fn limit(tighter: Tighter) -> ParamSpec {
        ParamSpec { name: "x", kind: ParamKind::Flag, unit: "", tighter: Some(tighter), doc: "" }
    }

    #[test]
    fn what_is_traded_is_a_market_or_one_outcome_of_a_slug() {
        for right in ["btc-100k", "btc-updown-5m-{start}", "btc-100k#Yes", "who-wins#New York Knicks", "a#São Paulo"] {
            assert!(is_traded(right), "{right}");
        }
        for wrong in
            ["", "#Yes", "btc-100k#", "btc-100k# Yes", "a#b#c", "a#b,c", "a#b\n", "btc-updown-5m-{start}#Up", "A#Yes"]
        {
            assert!(!is_traded(wrong), "{wrong}");
        }
        let list = ParamSpec { kind: ParamKind::Markets, ..limit(Tighter::Fewer) };
        assert!(list.admits("btc-100k, x") && !list.admits("btc-100k#Yes"), "a limit is of whole markets");
    }

    #[test]
    fn each_direction_knows_what_widens_and_which_of_two_is_stricter() {
        for (tighter, tight, wide) in [
            (Tighter::Lower, "99.5", "100"),
            (Tighter::Higher, "100", "99.5"),
            (Tighter::On, "true", "false"),
            (Tighter::Fewer, "a", "a,b"),
        ] {
            let spec = limit(tighter);
            assert!(spec.widens(tight, wide) && !spec.widens(wide, tight), "{tighter}");
            assert!(!spec.widens(tight, tight), "{tighter}");
            assert_eq!((spec.stricter(tight, wide), spec.stricter(wide, tight)), (tight.into(), tight.into()));
        }
        assert!(!limit(Tighter::Lower).widens("100", "100.00"), "the same in other words");
        assert!(limit(Tighter::Lower).widens("100", "lots"), "what cannot be compared may allow more");
    }

    #[test]
    fn a_list_with_another_market_widens_and_only_what_is_on_both_is_strict() {
        let spec = limit(Tighter::Fewer);
        assert!(spec.widens("a,b", "b, c"));
        assert_eq!(spec.stricter("a,b", "b, c"), "b");
        assert_eq!(spec.stricter("a", "c"), "", "then nothing may be traded");
    }
}
