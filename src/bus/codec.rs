//! Every message is JSON in an envelope with a schema version. Unknown fields are tolerated; missing or ill-typed ones are
//! refused by name.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// The version this build writes, and the only one it reads.
pub const SCHEMA_VERSION: u32 = 1;

/// What wraps every message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Envelope<T> {
    /// Schema version.
    pub schema: u32,
    /// The daemon that wrote it: `argos`, `athena`, `hermes`, `cockpit`, `cli`.
    pub source: Arc<str>,
    /// The run of that daemon; sequence numbers start again with it.
    pub boot: Arc<str>,
    /// Counts up by one a message within `(source, boot)` and destination: a jump is a gap.
    pub seq: u64,
    /// When it was put on the bus.
    pub published_at: Timestamp,
    /// The message.
    pub body: T,
}

/// Why a message could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Not the JSON that was expected; names the field.
    #[error("field '{field}': {reason}")]
    Malformed {
        /// Path of the field at fault, `.` for the whole.
        field: String,
        /// What is wrong.
        reason: String,
    },
    /// Another schema version.
    #[error("field 'schema': version {got} is not {SCHEMA_VERSION}")]
    Version {
        /// The version found.
        got: u32,
    },
}

/// One writer's identity and its counter for one destination.
#[derive(Debug)]
pub struct Origin {
    source: Arc<str>,
    boot: Arc<str>,
    next: AtomicU64,
}

impl Origin {
    /// A counter that starts at 1.
    #[must_use]
    pub fn new(source: &str, boot: &str) -> Self {
        Self { source: Arc::from(source), boot: Arc::from(boot), next: AtomicU64::new(1) }
    }

    /// Wraps a body, taking the next number.
    pub fn wrap<T>(&self, body: T, now: Timestamp) -> Envelope<T> {
        Envelope {
            schema: SCHEMA_VERSION,
            source: Arc::clone(&self.source),
            boot: Arc::clone(&self.boot),
            seq: self.next.fetch_add(1, Ordering::Relaxed),
            published_at: now,
            body,
        }
    }

    /// The number last given, 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.next.load(Ordering::Relaxed) - 1
    }

    /// The run that this origin counts for.
    #[must_use]
    pub fn boot(&self) -> &str {
        &self.boot
    }
}

/// To JSON. A value that cannot be written is a defect of its type; it is reported, not hidden.
///
/// # Errors
/// When the type's serialiser fails.
pub fn encode<T: Serialize>(value: &T) -> Result<Bytes, CodecError> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|error| CodecError::Malformed { field: ".".into(), reason: error.to_string() })
}

/// From JSON, checking the version first.
///
/// # Errors
/// [`CodecError::Version`] for another version, [`CodecError::Malformed`] with the field otherwise.
pub fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<Envelope<T>, CodecError> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    match serde_json::from_slice::<Envelope<T>>(payload) {
        Ok(envelope) if envelope.schema == SCHEMA_VERSION => Ok(envelope),
        Ok(envelope) => Err(CodecError::Version { got: envelope.schema }),
        Err(error) => match serde_json::from_slice::<Version>(payload) {
            Ok(Version { schema }) if schema != SCHEMA_VERSION => Err(CodecError::Version { got: schema }),
            _ => Err(malformed(&error)),
        },
    }
}

fn malformed(error: &serde_json::Error) -> CodecError {
    let reason = error.to_string();
    let field = reason.split('`').nth(1).unwrap_or(".").to_owned();
    CodecError::Malformed { field, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Price;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Body {
        price: Price,
    }

    #[test]
    fn what_is_wrapped_comes_back_and_numbers_count_up() {
        let origin = Origin::new("argos", "b1");
        let first = origin.wrap(Body { price: "0.5".parse().expect("price") }, Timestamp::from_secs(1));
        let second = origin.wrap((), Timestamp::from_secs(2));
        assert_eq!((first.seq, second.seq, origin.last()), (1, 2, 2));
        let payload = encode(&first).expect("encodes");
        assert_eq!(decode::<Body>(&payload), Ok(first));
    }

    #[test]
    fn a_missing_field_is_named_and_an_unknown_one_tolerated() {
        let text = r#"{"schema":1,"source":"a","boot":"b","seq":1,"published_at":0,"body":{"prize":"1"}}"#;
        let Err(CodecError::Malformed { field, .. }) = decode::<Body>(text.as_bytes()) else {
            panic!("a body without a price must be refused");
        };
        assert_eq!(field, "price");
        let text = r#"{"schema":1,"source":"a","boot":"b","seq":1,"published_at":0,"body":{"price":"1","more":2}}"#;
        assert!(decode::<Body>(text.as_bytes()).is_ok());
    }

    #[test]
    fn another_version_is_refused_as_such() {
        assert_eq!(decode::<Body>(br#"{"schema":2,"body":{}}"#), Err(CodecError::Version { got: 2 }));
    }
}
