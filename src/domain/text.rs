use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is to be said, put together when it is read: every decision says what it measured, and few of them are looked at before the
/// next has to be made. On the wire it is a string.
#[derive(Clone)]
pub struct Text(Words);

#[derive(Clone)]
enum Words {
    Fixed(&'static str),
    Said(Arc<str>),
    /// A number without needless zeros, and its unit.
    Amount(Decimal, &'static str),
    Later(Arc<dyn Fn(&mut fmt::Formatter<'_>) -> fmt::Result + Send + Sync>),
}

impl Text {
    /// A number and its unit: `12.5 pUSD`.
    #[must_use]
    pub const fn amount(number: Decimal, unit: &'static str) -> Self {
        Self(Words::Amount(number, unit))
    }

    /// What `write` will write, each time it is asked.
    pub fn later(write: impl Fn(&mut fmt::Formatter<'_>) -> fmt::Result + Send + Sync + 'static) -> Self {
        Self(Words::Later(Arc::new(write)))
    }
}

/// A [`Text`] in the words of `format!`. What it names is moved into it.
macro_rules! text {
    ($($words:tt)*) => { $crate::domain::Text::later(move |f| write!(f, $($words)*)) };
}
pub(crate) use text;

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Words::Fixed(words) => f.write_str(words),
            Words::Said(words) => f.write_str(words),
            Words::Amount(number, unit) => write!(f, "{} {unit}", number.normalize()),
            Words::Later(write) => write(f),
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

impl Default for Text {
    fn default() -> Self {
        "".into()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Text {}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        let mut left = Left(other);
        write!(left, "{self}").is_ok() && left.0.is_empty()
    }
}

/// What of an expected text was not written yet; anything else is an error.
struct Left<'a>(&'a str);

impl fmt::Write for Left<'_> {
    fn write_str(&mut self, words: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(words).ok_or(fmt::Error)?;
        Ok(())
    }
}

impl From<&'static str> for Text {
    fn from(words: &'static str) -> Self {
        Self(Words::Fixed(words))
    }
}

impl From<Arc<str>> for Text {
    fn from(words: Arc<str>) -> Self {
        Self(Words::Said(words))
    }
}

impl From<String> for Text {
    fn from(words: String) -> Self {
        Arc::<str>::from(words).into()
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_put_together_when_it_is_read_and_a_string_on_the_wire() {
        let (count, word) = (3, Arc::<str>::from("orders"));
        let said = text!("{count} {word}");
        assert_eq!(said, "3 orders");
        assert!(said != "3 order" && said != "3 orders more" && said != "4 orders");
        let wire = serde_json::to_string(&said).expect("a string");
        assert_eq!(wire, "\"3 orders\"");
        assert_eq!(serde_json::from_str::<Text>(&wire).expect("a text"), said);
    }
}
