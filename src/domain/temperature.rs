//! Temperatures as sources give them, and the buckets of whole degrees that markets ask about.

use std::fmt;

use rust_decimal::{Decimal, dec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Degrees of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TemperatureUnit {
    /// Degrees Celsius.
    Celsius,
    /// Degrees Fahrenheit.
    Fahrenheit,
}

impl fmt::Display for TemperatureUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Celsius => "°C",
            Self::Fahrenheit => "°F",
        })
    }
}

/// A temperature in the unit of its source. It is not converted before it must be: 72 °F have no finite decimal in Celsius, and a whole
/// degree that comes back as 71.9999 would be rounded down to another bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Temperature {
    /// How many degrees.
    #[serde(with = "rust_decimal::serde::str")]
    #[schemars(with = "String")]
    pub value: Decimal,
    /// Of what.
    pub unit: TemperatureUnit,
}

impl Temperature {
    /// Below and above this no air temperature was ever measured at a station, in degrees Celsius. Sources leak fill values.
    const POSSIBLE: (Decimal, Decimal) = (dec!(-90), dec!(60));

    /// In degrees Celsius.
    #[must_use]
    pub const fn celsius(value: Decimal) -> Self {
        Self { value, unit: TemperatureUnit::Celsius }
    }

    /// In degrees Fahrenheit.
    #[must_use]
    pub const fn fahrenheit(value: Decimal) -> Self {
        Self { value, unit: TemperatureUnit::Fahrenheit }
    }

    /// How many degrees of `unit` it is.
    #[must_use]
    pub fn degrees(self, unit: TemperatureUnit) -> Decimal {
        let freezing = dec!(32);
        match (self.unit, unit) {
            (TemperatureUnit::Celsius, TemperatureUnit::Fahrenheit) => {
                self.value.saturating_mul(dec!(1.8)).saturating_add(freezing)
            }
            (TemperatureUnit::Fahrenheit, TemperatureUnit::Celsius) => {
                self.value.saturating_sub(freezing).saturating_mul(dec!(5)) / dec!(9)
            }
            _ => self.value,
        }
    }

    /// How far it may lie off, in degrees of `unit`: half a degree when it is said in whole ones. Tenths are what sources settle by.
    #[must_use]
    pub fn half_step(self, unit: TemperatureUnit) -> Decimal {
        let own = if self.value.scale() == 0 { dec!(0.5) } else { Decimal::ZERO };
        match (self.unit, unit) {
            (TemperatureUnit::Celsius, TemperatureUnit::Fahrenheit) => own * dec!(1.8),
            (TemperatureUnit::Fahrenheit, TemperatureUnit::Celsius) => own * dec!(5) / dec!(9),
            _ => own,
        }
    }

    /// Whether air can be that warm.
    #[must_use]
    pub fn is_possible(self) -> bool {
        let (low, high) = Self::POSSIBLE;
        (low..=high).contains(&self.degrees(TemperatureUnit::Celsius))
    }
}

impl fmt::Display for Temperature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.value.normalize(), self.unit)
    }
}

/// How a market's source makes whole degrees of a temperature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// To the nearest, halves up.
    Nearest,
    /// Down, whatever the fraction.
    Down,
}

impl Rounding {
    /// The least temperature that counts as `degrees`.
    #[must_use]
    pub fn least(self, degrees: i32) -> Decimal {
        match self {
            Self::Nearest => Decimal::from(degrees) - dec!(0.5),
            Self::Down => Decimal::from(degrees),
        }
    }
}

/// The whole degrees that a market asks about, both ends included; an open end has no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Bucket {
    /// The lowest; nothing for "or below".
    pub low: Option<i32>,
    /// The highest; nothing for "or higher".
    pub high: Option<i32>,
    /// Of which degrees.
    pub unit: TemperatureUnit,
}

impl Bucket {
    /// Reads a market's title or question: `72-73°F`, `75°F or higher`, `Will the highest temperature in London be 24°C on July 3?`.
    /// Nothing when it does not name whole degrees exactly once.
    #[must_use]
    pub fn of_title(title: &str) -> Option<Self> {
        let text = title.to_lowercase().replace(['–', '−'], "-").replace('º', "°");
        let (before, after) = text.split_once('°')?;
        if after.contains('°') {
            return None;
        }
        let after = after.trim_start();
        let unit = unit(after.chars().next()?)?;
        let tail = &after[1..];
        let number = |c: char| c.is_ascii_digit() || c == '-' || c == '.';
        let from = before
            .trim_end()
            .rfind(|c| !number(c))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        Self::between(degrees(before[from..].trim_end())?, end(tail.trim_start())?, unit)
    }

    /// Reads what stands behind the date in a market's slug: `72-73f`, `75forhigher`, `neg-3corbelow`.
    #[must_use]
    pub fn of_slug(rest: &str) -> Option<Self> {
        let (numbers, end) = match rest.strip_suffix("orbelow") {
            Some(numbers) => (numbers, End::Below),
            None => rest.strip_suffix("orhigher").map_or((rest, End::None), |numbers| (numbers, End::Higher)),
        };
        let unit = unit(numbers.chars().last()?)?;
        let numbers = numbers.get(..numbers.len() - 1)?.replace("neg-", "-");
        Self::between(degrees(&numbers)?, end, unit)
    }

    fn between((low, high): (i32, i32), end: End, unit: TemperatureUnit) -> Option<Self> {
        match end {
            End::None => Some(Self { low: Some(low), high: Some(high), unit }),
            // An open end begins at one number, not at two.
            End::Below | End::Higher if low != high => None,
            End::Below => Some(Self { low: None, high: Some(high), unit }),
            End::Higher => Some(Self { low: Some(low), high: None, unit }),
        }
    }

    /// Whether a temperature of the bucket's unit falls into it.
    #[must_use]
    pub fn holds(&self, degrees: Decimal, rounding: Rounding) -> bool {
        let above = self.low.is_none_or(|low| degrees >= rounding.least(low));
        above && self.high.is_none_or(|high| degrees < rounding.least(high.saturating_add(1)))
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.low, self.high) {
            (Some(low), Some(high)) if low == high => write!(f, "{low} {}", self.unit),
            (Some(low), Some(high)) => write!(f, "{low} to {high} {}", self.unit),
            (None, Some(high)) => write!(f, "{high} {} or below", self.unit),
            (Some(low), None) => write!(f, "{low} {} or higher", self.unit),
            (None, None) => write!(f, "any {}", self.unit),
        }
    }
}

#[derive(Clone, Copy)]
enum End {
    None,
    Below,
    Higher,
}

const fn unit(letter: char) -> Option<TemperatureUnit> {
    match letter {
        'c' => Some(TemperatureUnit::Celsius),
        'f' => Some(TemperatureUnit::Fahrenheit),
        _ => None,
    }
}

/// What stands behind the unit. An "or" that is not known makes it unreadable: a guess would be a wrong bucket.
fn end(tail: &str) -> Option<End> {
    let Some(rest) = tail.strip_prefix("or ") else {
        return (!tail.starts_with(|c: char| c.is_alphanumeric()) || tail.starts_with("on ")).then_some(End::None);
    };
    let word: String = rest.chars().take_while(|c| c.is_alphabetic()).collect();
    match word.as_str() {
        "below" | "lower" => Some(End::Below),
        "higher" | "above" => Some(End::Higher),
        _ => None,
    }
}

/// One number, or two joined by a hyphen, each of which may be negative. The lower one comes first.
fn degrees(text: &str) -> Option<(i32, i32)> {
    let whole = |text: &str| text.parse::<i32>().ok().filter(|degrees| (-200..=200).contains(degrees));
    if let Some(single) = whole(text) {
        return Some((single, single));
    }
    let joints = text.match_indices('-').filter(|(at, _)| *at > 0);
    let mut pairs = joints.filter_map(|(at, _)| whole(&text[..at]).zip(whole(&text[at + 1..])));
    pairs.next().filter(|(low, high)| low < high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const C: TemperatureUnit = TemperatureUnit::Celsius;
    const F: TemperatureUnit = TemperatureUnit::Fahrenheit;

    fn bucket(low: impl Into<Option<i32>>, high: impl Into<Option<i32>>, unit: TemperatureUnit) -> Bucket {
        Bucket { low: low.into(), high: high.into(), unit }
    }

    #[test]
    fn titles_and_questions_name_their_bucket() {
        let known = [
            ("72-73°F", bucket(72, 73, F)),
            ("81°F or below", bucket(None, 81, F)),
            ("75°F or higher", bucket(75, None, F)),
            ("24°C", bucket(24, 24, C)),
            ("-3°C", bucket(-3, -3, C)),
            ("-3--2°F", bucket(-3, -2, F)),
            ("72–73 °F", bucket(72, 73, F)),
            ("Will the highest temperature in Miami be between 86-87°F on March 24?", bucket(86, 87, F)),
            ("Will the highest temperature in New York City be 76°F or below on August 2?", bucket(None, 76, F)),
            ("Will the highest temperature in Chicago be 34°F or higher on February 2?", bucket(34, None, F)),
            ("Will the highest temperature in Beijing be 21°C on March 24?", bucket(21, 21, C)),
            ("Will the highest temperature in NYC be 79°F or lower on September 11?", bucket(None, 79, F)),
            ("Will the highest temperature in Helsinki be -5°C or below on January 9?", bucket(None, -5, C)),
        ];
        for (title, expected) in known {
            assert_eq!(Bucket::of_title(title), Some(expected), "{title}");
        }
    }

    #[test]
    fn what_names_no_whole_degrees_once_is_no_bucket() {
        for title in [
            "",
            "Bitcoin Up or Down",
            "°F",
            "24.5°C",
            "73-72°F",
            "24°K",
            "24°C or 25°C",
            "72-73°F or higher",
            "24°C or so",
            "24°Celsius",
            "900°F",
            "é°C",
        ] {
            assert_eq!(Bucket::of_title(title), None, "{title}");
        }
    }

    #[test]
    fn slugs_name_the_same_buckets() {
        let known = [
            ("72-73f", bucket(72, 73, F)),
            ("77forbelow", bucket(None, 77, F)),
            ("85forhigher", bucket(85, None, F)),
            ("8c", bucket(8, 8, C)),
            ("neg-3c", bucket(-3, -3, C)),
            ("neg-5corbelow", bucket(None, -5, C)),
            ("neg-3-neg-2f", bucket(-3, -2, F)),
        ];
        for (rest, expected) in known {
            assert_eq!(Bucket::of_slug(rest), Some(expected), "{rest}");
        }
        for rest in ["", "f", "up", "72-73", "orbelow", "é", "72-73forhigher"] {
            assert_eq!(Bucket::of_slug(rest), None, "{rest}");
        }
    }

    #[test]
    fn a_bucket_begins_where_rounding_does() {
        let range = bucket(72, 73, F);
        for (degrees, nearest, down) in [
            (dec!(71.49), false, false),
            (dec!(71.5), true, false),
            (dec!(72), true, true),
            (dec!(73.49), true, true),
            (dec!(73.5), false, true),
            (dec!(73.99), false, true),
            (dec!(74), false, false),
        ] {
            assert_eq!(range.holds(degrees, Rounding::Nearest), nearest, "{degrees}");
            assert_eq!(range.holds(degrees, Rounding::Down), down, "{degrees}");
        }
        let frost = bucket(-3, -3, C);
        assert!(frost.holds(dec!(-3.5), Rounding::Nearest) && !frost.holds(dec!(-2.5), Rounding::Nearest));
        assert!(frost.holds(dec!(-2.1), Rounding::Down) && !frost.holds(dec!(-3.1), Rounding::Down));
    }

    #[test]
    fn a_whole_degree_stays_one() {
        assert_eq!(Temperature::fahrenheit(dec!(72)).degrees(F), dec!(72));
        assert_eq!(Temperature::celsius(dec!(25.6)).degrees(F), dec!(78.08));
        assert_eq!(Temperature::fahrenheit(dec!(32.9)).degrees(C), dec!(0.5));
        assert_eq!(Temperature::fahrenheit(dec!(-40)).degrees(C), dec!(-40));
        assert!(!Temperature::celsius(dec!(9969)).is_possible() && Temperature::fahrenheit(dec!(134)).is_possible());
    }

    proptest! {
        #[test]
        fn reading_a_title_never_fails_worse_than_not_at_all(title in "\\PC*") {
            let _ = Bucket::of_title(&title);
            let _ = Bucket::of_slug(&title);
        }

        #[test]
        fn every_temperature_is_in_exactly_one_bucket_of_a_ladder(tenths in -400_i64..1_300, down: bool, start in -30_i32..60) {
            let rounding = if down { Rounding::Down } else { Rounding::Nearest };
            let ladder = [
                bucket(None, start - 1, F),
                bucket(start, start + 1, F),
                bucket(start + 2, start + 3, F),
                bucket(start + 4, None, F),
            ];
            let degrees = Decimal::new(tenths, 1);
            prop_assert_eq!(ladder.iter().filter(|bucket| bucket.holds(degrees, rounding)).count(), 1);
        }
    }
}
