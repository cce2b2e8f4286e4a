//! What happens to an event on its way to a socket.

use std::time::Duration;

use super::Faults;
use super::fault::{Channel, Fault};
use crate::domain::Timestamp;

/// How an event is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Delivery {
    /// Once, as always.
    Once,
    /// Twice.
    Twice,
    /// This much later.
    Late(Duration),
    /// Not at all.
    Never,
    /// Not at all, nor anything else for this long.
    Silence {
        /// How long.
        lasts: Duration,
        /// Whether PING is answered meanwhile.
        pong: bool,
    },
}

impl Faults {
    /// An occasion for what happens to an event.
    pub(in crate::sim) fn delivery(&self, channel: Channel, now: Timestamp) -> Delivery {
        let struck = self.strike(now, |fault, _| match fault {
            Fault::WsDuplicate { on } if on.contains(&channel) => Some(Delivery::Twice),
            Fault::WsReorder { delay_ms, on } if on.contains(&channel) => {
                Some(Delivery::Late(Duration::from_millis(*delay_ms)))
            }
            Fault::WsStall { for_ms, pong, on } if on.contains(&channel) => {
                Some(Delivery::Silence { lasts: Duration::from_millis(*for_ms), pong: *pong })
            }
            Fault::WsGap { on } if on.contains(&channel) => Some(Delivery::Never),
            _ => None,
        });
        struck.unwrap_or(Delivery::Once)
    }
}
