//! What happens to a call of the REST API: pure, from the fault and how long it has been going on.

use std::time::Duration;

use super::Faults;
use super::fault::{Call, Fault};
use crate::domain::Timestamp;

/// An answer that the venue gives in place of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Substitute {
    /// HTTP status.
    pub(in crate::sim) status: u16,
    /// The text under `error`.
    pub(in crate::sim) error: &'static str,
    /// The text under `code`.
    pub(in crate::sim) code: Option<&'static str>,
    /// In seconds; with a code in the body, else in the header.
    pub(in crate::sim) retry_after: Option<u64>,
}

/// What happens before the call is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Before {
    /// It waits, and its client's patience does not matter.
    Hold(Duration),
    /// It is not carried out.
    Instead(Substitute),
    /// It is carried out and the answer is another.
    CarriedOut(Substitute),
}

/// What happens to the answer of a call that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum After {
    /// Not a byte of it arrives.
    Lost,
    /// Half of its body arrives, and looks whole.
    Halved,
    /// The connection is closed in the middle of its body.
    CutOff,
}

/// What happens to a beat of the dead man's switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum BeatFault {
    /// It never came, nor did those before it.
    Lapsed,
    /// The id that it carries is no longer the right one.
    Stale,
}

impl Faults {
    /// An occasion for what happens before a call is carried out. `post_only`: an order, or all of a batch, is.
    pub(in crate::sim) fn before(&self, call: Call, post_only: bool, now: Timestamp) -> Option<Before> {
        self.strike(now, |fault, since| before(fault, since, call, post_only))
    }

    /// An occasion for what happens to the answer of a call that succeeded.
    pub(in crate::sim) fn after(&self, call: Call, now: Timestamp) -> Option<After> {
        self.strike(now, |fault, _| match fault {
            Fault::AcceptThenDropReply { on } if on.contains(&call) => Some(After::Lost),
            Fault::TruncatedBody { cut_connection: false, on } if on.contains(&call) => Some(After::Halved),
            Fault::TruncatedBody { cut_connection: true, on } if on.contains(&call) => Some(After::CutOff),
            _ => None,
        })
    }

    /// An occasion for what happens to a beat with the right credentials.
    pub(in crate::sim) fn beat(&self, now: Timestamp) -> Option<BeatFault> {
        self.strike(now, |fault, _| match fault {
            Fault::HeartbeatLapse {} => Some(BeatFault::Lapsed),
            Fault::StaleHeartbeatId {} => Some(BeatFault::Stale),
            _ => None,
        })
    }
}

fn before(fault: &Fault, since: Duration, call: Call, post_only: bool) -> Option<Before> {
    let says = |status, error| Substitute { status, error, code: None, retry_after: None };
    let trades = matches!(call, Call::Orders | Call::Cancels);
    match fault {
        Fault::LateAccept { delay_ms } if call == Call::Orders => Some(Before::Hold(Duration::from_millis(*delay_ms))),
        Fault::Restart { for_ms, post_only_ms } if trades => {
            let (down, whole) = (Duration::from_millis(*for_ms), Duration::from_millis(*for_ms + *post_only_ms));
            if since < down {
                let retry_after = Some(seconds(down.saturating_sub(since)));
                let error = "the matching engine is restarting";
                return Some(Before::Instead(Substitute { retry_after, ..says(425, error) }));
            }
            let refused = Substitute {
                code: Some("post_only_mode"),
                retry_after: Some(seconds(whole.saturating_sub(since))),
                ..says(503, "post-only mode: only post-only orders are accepted after a restart")
            };
            (call == Call::Orders && !post_only).then_some(Before::Instead(refused))
        }
        Fault::TooManyRequests { retry_after_s, on } if on.contains(&call) => {
            let retry_after = Some(*retry_after_s);
            Some(Before::Instead(Substitute { retry_after, ..says(429, "Too Many Requests") }))
        }
        Fault::InternalError { carried_out: true, on } if on.contains(&call) => {
            Some(Before::CarriedOut(says(500, "could not run the execution")))
        }
        Fault::InternalError { carried_out: false, on } if on.contains(&call) => {
            Some(Before::Instead(says(500, "could not insert order")))
        }
        Fault::TradingDisabled { .. } if trades => {
            let error = "Trading is currently disabled. Please try again later.";
            Some(Before::Instead(says(503, error)))
        }
        Fault::CancelOnly { .. } if call == Call::Orders => {
            let error = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.";
            Some(Before::Instead(says(503, error)))
        }
        Fault::Overloaded { on, .. } if on.contains(&call) => Some(Before::Instead(says(503, "service is not ready"))),
        _ => None,
    }
}

/// Whole seconds, rounded up: who waits that long does not come too early.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_425_then_post_only_then_over() {
        let fault = Fault::Restart { for_ms: 90_000, post_only_ms: 120_000 };
        let at = |seconds, call, post_only| match before(&fault, Duration::from_secs(seconds), call, post_only) {
            Some(Before::Instead(answer)) => Some((answer.status, answer.retry_after)),
            None => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(at(0, Call::Orders, true), Some((425, Some(90))));
        assert_eq!(at(89, Call::Cancels, false), Some((425, Some(1))));
        assert_eq!(at(90, Call::Orders, false), Some((503, Some(120))));
        assert_eq!(at(90, Call::Orders, true), None);
        assert_eq!(at(90, Call::Cancels, false), None);
        assert_eq!(at(0, Call::Reads, false), None, "lists are answered all the time");
        assert_eq!(at(0, Call::Heartbeats, false), None);
    }
}
