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
        Report::Recalled { .. }
        | Report::Letter { .. }
        | Report::History { .. }
        | Report::Counted(_)
        | Report::Snapshot { .. }
        | Report::Balances(_)
        | Report::Heartbeat(_) => None,
    }
}

/// Where a commit that is under way stands on the way of the orders in it.
pub(super) fn committing(writes: &[Write]) -> impl Iterator<Item = Failpoint> {
    let steps = [(is_intake as Kind, Failpoint::IntakeCommitting), (is_answer, Failpoint::AnswerCommitting)];
    among(steps, writes)
}

/// Where a commit that has been made stands on the way of the orders in it.
pub(super) fn durable(writes: &[Write]) -> impl Iterator<Item = Failpoint> {
    let steps = [
        (is_dead_letter as Kind, Failpoint::DeadLetterCommitted),
        (is_intake, Failpoint::IntakeCommitted),
        (is_answer, Failpoint::AnswerCommitted),
        (is_fill, Failpoint::FillCommitted),
    ];
    among(steps, writes)
}

/// Whether a write is of a kind.
type Kind = fn(&Write) -> bool;

/// One passage for each write of a kind: several orders may share a commit.
fn among<const N: usize>(steps: [(Kind, Failpoint); N], writes: &[Write]) -> impl Iterator<Item = Failpoint> {
    steps
        .into_iter()
        .flat_map(move |(is_step, point)| writes.iter().filter(move |write| is_step(write)).map(move |_| point))
}

const fn is_intake(write: &Write) -> bool {
    matches!(write, Write::Inbox(_))
}

const fn is_dead_letter(write: &Write) -> bool {
    matches!(write, Write::DeadLetter(_))
}

const fn is_fill(write: &Write) -> bool {
    matches!(write, Write::Fill { .. })
}

fn is_answer(write: &Write) -> bool {
    matches!(write, Write::Order { what: "accepted" | "rejected" | "unknown", .. })
}
