//! Which step of an order's way the loop is at, for the failpoints; told by what it has in hand.

use super::venue_calls::Report;
use crate::failpoint::Failpoint;
use crate::store::ledger::Write;

/// Where a report that came back stands on an order's way.
pub(super) const fn arrival(report: &Report) -> Option<Failpoint> {
    match report {
        Report::Posted { .. } => Some(Failpoint::AnswerRead),
        Report::Cancelled { .. } => Some(Failpoint::CancelAnswered),
        Report::LookedUp { .. } => Some(Failpoint::LookedUp),
        Report::Snapshot { .. } | Report::Balances(_) | Report::Heartbeat(_) => None,
    }
}

fn has(writes: &[Write], wanted: impl Fn(&Write) -> bool) -> bool {
    writes.iter().any(wanted)
}

fn is_answer(write: &Write) -> bool {
    matches!(write, Write::Order { what: "accepted" | "rejected" | "unknown", .. })
}

/// Where a commit that is under way stands on an order's way.
pub(super) fn committing(writes: &[Write]) -> Option<Failpoint> {
    if has(writes, |write| matches!(write, Write::Inbox(_))) {
        Some(Failpoint::IntakeCommitting)
    } else if has(writes, is_answer) {
        Some(Failpoint::AnswerCommitting)
    } else {
        None
    }
}

/// Where a commit that has been made stands on an order's way.
pub(super) fn durable(writes: &[Write]) -> Option<Failpoint> {
    if has(writes, |write| matches!(write, Write::DeadLetter(_))) {
        Some(Failpoint::DeadLetterCommitted)
    } else if has(writes, |write| matches!(write, Write::Inbox(_))) {
        Some(Failpoint::IntakeCommitted)
    } else if has(writes, is_answer) {
        Some(Failpoint::AnswerCommitted)
    } else if has(writes, |write| matches!(write, Write::Fill { .. })) {
        Some(Failpoint::FillCommitted)
    } else {
        None
    }
}
