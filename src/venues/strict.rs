//! Strict reading of a venue's JSON: a field is there and of its type, or it is refused by its name. Numbers are read from
//! their source text; no float is ever in between.

use std::borrow::Cow;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::domain::Timestamp;

/// How much of a bad value a reason quotes, in bytes.
const QUOTED: usize = 64;
/// Longest number text that is read at all; the widest exact decimal has 31 characters.
const LONGEST_NUMBER: usize = 64;

/// Why a payload is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field '{field}': {reason}")]
pub struct Refusal {
    /// The field at fault; `frame` when the payload could not be read at all.
    pub field: Cow<'static, str>,
    /// What is wrong with it and what would be right.
    pub reason: String,
}

impl Refusal {
    /// A refusal of one field.
    #[must_use]
    pub fn new(field: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

/// The first bytes of a text, cut between characters.
#[must_use]
pub fn clip(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// Reads a JSON object into a struct of optional raw fields. Unknown keys are tolerated, repeated known ones are not.
///
/// # Errors
/// [`Refusal`] of `name` when the text is not an object, of the repeated field otherwise.
pub fn object<'a, T: Deserialize<'a>>(name: &'static str, text: &'a str) -> Result<T, Refusal> {
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Refusal::new(name, format!("{} is not an object", quote(text))));
    }
    serde_json::from_str(text).map_err(|error| {
        let reason = error.to_string();
        match reason.strip_prefix("duplicate field `").and_then(|rest| rest.split('`').next()) {
            Some(field) => Refusal::new(field.to_owned(), "given twice"),
            None => Refusal::new(name, reason),
        }
    })
}

/// The elements of a JSON array, unread.
///
/// # Errors
/// [`Refusal`] when it is missing or not an array.
pub fn array<'a>(field: &'static str, raw: Option<&'a RawValue>) -> Result<Vec<&'a RawValue>, Refusal> {
    let text = present(field, raw)?;
    serde_json::from_str(text).map_err(|_| Refusal::new(field, format!("{} is not an array", quote(text))))
}

/// A string.
///
/// # Errors
/// [`Refusal`] when it is missing or not a string.
pub fn text<'a>(field: &'static str, raw: Option<&'a RawValue>) -> Result<Cow<'a, str>, Refusal> {
    let source = present(field, raw)?;
    let wrong = || Refusal::new(field, format!("{} is not a string", quote(source)));
    let inner = source.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(wrong)?;
    if inner.contains('\\') {
        return serde_json::from_str(source).map(Cow::Owned).map_err(|_| wrong());
    }
    Ok(Cow::Borrowed(inner))
}

/// `true` or `false`.
///
/// # Errors
/// [`Refusal`] when it is missing or something else.
pub fn boolean(field: &'static str, raw: Option<&RawValue>) -> Result<bool, Refusal> {
    match present(field, raw)? {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(Refusal::new(field, format!("{} is not true or false", quote(other)))),
    }
}

/// A whole number from 0 to 2^64 - 1, written as a JSON number.
///
/// # Errors
/// [`Refusal`] when it is missing, signed, fractional, too large or a string.
pub fn integer(field: &'static str, raw: Option<&RawValue>) -> Result<u64, Refusal> {
    let source = present(field, raw)?;
    source.parse().map_err(|_| Refusal::new(field, format!("{} is not a whole number below 2^64", quote(source))))
}

/// A decimal written as a JSON number, plain or with an exponent.
///
/// # Errors
/// [`Refusal`] when it is missing, a string, or does not fit a decimal exactly.
pub fn number(field: &'static str, raw: Option<&RawValue>) -> Result<Decimal, Refusal> {
    let source = present(field, raw)?;
    if !source.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return Err(Refusal::new(field, format!("{} is not a number", quote(source))));
    }
    decimal(field, source)
}

/// A decimal written as a JSON string.
///
/// # Errors
/// [`Refusal`] when it is missing, not a string, or its text is no decimal number.
pub fn decimal_text(field: &'static str, raw: Option<&RawValue>) -> Result<Decimal, Refusal> {
    decimal(field, &text(field, raw)?)
}

/// A decimal written as a JSON number or as a string.
///
/// # Errors
/// [`Refusal`] when it is missing or no decimal number in either form.
pub fn number_or_text(field: &'static str, raw: Option<&RawValue>) -> Result<Decimal, Refusal> {
    if raw.is_some_and(|raw| raw.get().starts_with('"')) { decimal_text(field, raw) } else { number(field, raw) }
}

/// Decimal text, exactly: what does not fit 28 digits is refused, never rounded.
///
/// # Errors
/// [`Refusal`] when it is not a decimal number or does not fit.
pub fn decimal(field: &'static str, source: &str) -> Result<Decimal, Refusal> {
    exact_decimal(source)
        .ok_or_else(|| Refusal::new(field, format!("{} is not a decimal number of at most 28 digits", quote(source))))
}

fn exact_decimal(source: &str) -> Option<Decimal> {
    let legal = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
    if source.is_empty() || source.len() > LONGEST_NUMBER || !source.as_bytes().iter().all(legal) {
        return None;
    }
    match source.find(['e', 'E']) {
        None => Decimal::from_str_exact(source).ok(),
        Some(at) => {
            // The mantissa alone first: the exponent form would round it silently.
            Decimal::from_str_exact(&source[..at]).ok()?;
            Decimal::from_scientific(source).ok()
        }
    }
}

/// An RFC 3339 instant; digits beyond microseconds are cut off.
///
/// # Errors
/// [`Refusal`] when it is missing, not a string or not of that form.
pub fn rfc3339(field: &'static str, raw: Option<&RawValue>) -> Result<Timestamp, Refusal> {
    let source = text(field, raw)?;
    let wrong = || Refusal::new(field, format!("{} is not an RFC 3339 time", quote(&source)));
    let instant = OffsetDateTime::parse(&source, &Rfc3339).map_err(|_| wrong())?;
    let micros = i64::try_from(instant.unix_timestamp_nanos().div_euclid(1_000)).map_err(|_| wrong())?;
    Ok(Timestamp::from_micros(micros))
}

/// An instant written as milliseconds since the epoch, as a string or a number.
///
/// # Errors
/// [`Refusal`] when it is missing or not a whole number.
pub fn millis(field: &'static str, raw: Option<&RawValue>) -> Result<Timestamp, Refusal> {
    let source = present(field, raw)?;
    let digits = source.trim_matches('"');
    i64::from_str(digits)
        .map(Timestamp::from_millis)
        .map_err(|_| Refusal::new(field, format!("{} is not a time in milliseconds", quote(source))))
}

fn present<'a>(field: &'static str, raw: Option<&'a RawValue>) -> Result<&'a str, Refusal> {
    raw.map(RawValue::get).ok_or_else(|| Refusal::new(field, "missing"))
}

/// A bad value as a reason shows it.
#[must_use]
pub fn quote(text: &str) -> Cow<'_, str> {
    if text.len() <= QUOTED { Cow::Borrowed(text) } else { Cow::Owned(format!("{}...", clip(text, QUOTED))) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::dec;

    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).expect("valid JSON")
    }

    #[test]
    fn numbers_keep_their_digits_and_exponents_are_taken() {
        let read = |text: &str| number("n", Some(&raw(text))).map(|value| value.to_string());
        assert_eq!(read("105944.20").as_deref(), Ok("105944.20"));
        assert_eq!(read("1234567890.123456789012345678").as_deref(), Ok("1234567890.123456789012345678"));
        assert_eq!(read("0.0000000000000000000000000001").as_deref(), Ok("0.0000000000000000000000000001"));
        for form in ["1E-8", "1e-08", "0.00000001", "0.1e-7"] {
            assert_eq!(number("n", Some(&raw(form))), Ok(dec!(0.00000001)), "{form}");
        }
        assert_eq!(number("n", Some(&raw("0E0"))), Ok(dec!(0)));
        assert_eq!(number("n", Some(&raw("5e-05"))), Ok(dec!(0.00005)));
        assert_eq!(number("n", Some(&raw("1.5e+3"))), Ok(dec!(1500)));
    }

    #[test]
    fn what_would_be_rounded_is_refused() {
        for text in ["0.12345678901234567890123456789", "1.2345678901234567890123456789012e3", "1e-29", "1e40"] {
            assert!(number("n", Some(&raw(text))).is_err(), "{text}");
        }
        assert_eq!(number("n", Some(&raw("\"1\""))).expect_err("a string").reason, "\"1\" is not a number");
        assert!(decimal("n", "1_000").is_err() && decimal("n", "").is_err() && decimal("n", " 1").is_err());
    }

    #[test]
    fn a_repeated_field_is_named_and_an_array_is_not_an_object() {
        #[derive(Debug, Deserialize)]
        struct One<'a> {
            #[serde(borrow)]
            a: Option<&'a RawValue>,
        }
        assert_eq!(object::<One<'_>>("frame", r#"{"a":1,"a":2}"#).expect_err("twice").field, "a");
        assert_eq!(object::<One<'_>>("frame", "[1]").expect_err("an array").field, "frame");
        let null = object::<One<'_>>("frame", r#"{"a":null}"#).expect("an object");
        assert_eq!(integer("a", null.a), Err(Refusal::new("a", "missing")));
    }

    #[test]
    fn text_is_unescaped_and_clipped_between_characters() {
        assert_eq!(text("s", Some(&raw(r#""BTC\/USD""#))).as_deref(), Ok("BTC/USD"));
        assert_eq!(clip("aé", 2), "a");
    }

    proptest! {
        #[test]
        fn any_text_is_read_exactly_or_refused(source in "[-+0-9.eE_]{0,40}") {
            if let Some(value) = exact_decimal(&source) {
                prop_assert!(value.to_string().parse::<Decimal>().is_ok());
            }
        }

        #[test]
        fn any_decimal_survives(units in any::<i64>(), scale in 0_u32..28) {
            let value = Decimal::new(units, scale);
            prop_assert_eq!(exact_decimal(&value.to_string()).map(|back| back.to_string()), Some(value.to_string()));
        }
    }
}
