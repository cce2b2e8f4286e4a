//! A strategy's state as it is kept over restarts.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::window::{ChunkDoc, KeptWindow};

/// The form that this build writes, and the only one it reads.
const FORMAT: u32 = 3;

/// The state of one strategy on one instrument, without the closed chunks of its window.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeptState {
    format: u32,
    /// What the strategy itself remembers.
    pub(super) state: Box<RawValue>,
    /// Its window, if it has one.
    pub(super) window: Option<KeptWindow>,
}

/// The documents of a state: its head, and parts of its window, each with its place.
pub type Documents = (KeptState, Vec<(u64, ChunkDoc)>);

/// A state to be kept, made into documents off the hot path.
pub type SavedState = Box<dyn FnOnce() -> Result<Documents, serde_json::Error> + Send>;

impl KeptState {
    pub(super) const fn new(state: Box<RawValue>, window: Option<KeptWindow>) -> Self {
        Self { format: FORMAT, state, window }
    }

    /// From what lies on the bus.
    ///
    /// # Errors
    /// When it has another form or is damaged, in words.
    pub fn read(raw: &RawValue) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Form {
            format: Option<u32>,
        }
        let damaged = |error: serde_json::Error| format!("it cannot be read: {error}");
        let form: Form = serde_json::from_str(raw.get()).map_err(damaged)?;
        match form.format {
            Some(FORMAT) => serde_json::from_str(raw.get()).map_err(damaged),
            Some(newer) if newer > FORMAT => {
                Err(format!("its format {newer} is newer than {FORMAT}, the one this build reads"))
            }
            Some(older) => Err(format!("its format {older} is older than {FORMAT}, the one this build reads")),
            None => Err(format!("it names no format; this build reads {FORMAT}")),
        }
    }

    /// Under which places the closed parts of its window are kept, oldest first.
    ///
    /// # Errors
    /// When there cannot be so many, in words.
    pub fn places(&self) -> Result<Vec<u64>, String> {
        self.window.as_ref().map_or_else(|| Ok(Vec::new()), |window| window.places().map_err(|error| error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_form_is_refused_by_name() {
        let read = |text: &str| {
            let raw = RawValue::from_string(text.into()).expect("JSON");
            KeptState::read(&raw).map(|_| ()).expect_err("refused")
        };
        assert_eq!(read(r#"{"samples":[]}"#), "it names no format; this build reads 3");
        assert_eq!(read(r#"{"format":4}"#), "its format 4 is newer than 3, the one this build reads");
        assert_eq!(read(r#"{"format":1}"#), "its format 1 is older than 3, the one this build reads");
        assert!(read(r#"{"format":3}"#).contains("missing field `state`"));
        assert!(read("[]").starts_with("it cannot be read"));
    }
}
