//! The kinds of faults and what each of them takes.

use serde::{Deserialize, Serialize};

/// What a client asks of the REST API, as far as faults tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Posting orders.
    Orders,
    /// Cancelling them.
    Cancels,
    /// Lists of orders and trades, balances.
    Reads,
    /// The dead man's switch.
    Heartbeats,
}

/// Which calls a fault concerns when its plan does not say.
fn orders() -> Vec<Call> {
    vec![Call::Orders]
}

/// One kind of fault with its own parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The call was carried out and answered with 200, but the connection is closed before a byte of the answer.
    AcceptThenDropReply {
        /// Which calls.
        #[serde(default = "orders")]
        on: Vec<Call>,
    },
}

/// A number outside its range.
type OutOfRange = (&'static str, String, String);

impl Fault {
    /// The kind's name in a plan.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::AcceptThenDropReply { .. } => "accept_then_drop_reply",
        }
    }

    /// The parameter that is out of range, what it is and what is allowed.
    pub(super) fn check(&self) -> Result<(), OutOfRange> {
        match self {
            Self::AcceptThenDropReply { on } => some(on),
        }
    }
}

fn some(on: &[Call]) -> Result<(), OutOfRange> {
    if on.is_empty() {
        let allowed = "a list of at least one of orders, cancels, reads, heartbeats";
        return Err(("on", "[]".to_owned(), allowed.to_owned()));
    }
    Ok(())
}
