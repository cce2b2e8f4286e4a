//! Counting orders: from the newest checkpoint's counters on, only what came or changed since.

use super::super::engine::{Row, Session};
use super::super::ledger::LedgerError;
use super::load::{checkpoint, order};
use super::rows;
use crate::domain::{Counted, OrderCounts};

/// Mirrors [`OrderRow::counts`](super::super::ledger::OrderRow::counts); a test holds the two together.
const COUNTS: &str = "SELECT
        COUNT(*) FILTER (WHERE NOT adopted AND sent),
        COUNT(*) FILTER (WHERE NOT adopted AND accepted),
        COUNT(*) FILTER (WHERE state IN ('sent', 'live', 'partially_filled', 'cancel_pending')),
        COUNT(*) FILTER (WHERE NOT adopted AND state = 'filled'),
        COUNT(*) FILTER (WHERE NOT adopted AND (state = 'cancelled' OR (state = 'expired' AND sent))),
        COUNT(*) FILTER (WHERE NOT adopted AND state = 'rejected'),
        COUNT(*) FILTER (WHERE state = 'unknown'),
        COUNT(*) FILTER (WHERE NOT adopted AND state = 'denied')
    FROM orders WHERE seq > $1";

/// What orders that changed behind a row of the log were before it; those that came behind it are not among them.
const BEFORE: &str = "SELECT l.document, l.token FROM orders o JOIN log l ON l.seq = (
        SELECT MAX(seq) FROM log
            WHERE kind = 'order' AND subject = o.intent_id || '#' || CAST(o.attempt AS TEXT) AND seq <= $1
    ) WHERE o.seq > $1";

const HEAD: &str = "SELECT COALESCE(MAX(seq), 0) FROM log";

/// Counters as the newest checkpoint has them.
pub(super) async fn now(session: &mut dyn Session) -> Result<Counted, LedgerError> {
    let from = checkpoint(session).await?.and_then(|checkpoint| checkpoint.counted);
    since(session, from.unwrap_or_default()).await
}

/// Counters over all orders. What is counted in `from` is not read again, unless it changed.
pub(super) async fn since(session: &mut dyn Session, from: Counted) -> Result<Counted, LedgerError> {
    let mut orders = from.orders;
    if let Some(row) = rows(session, COUNTS, vec![from.seq.into()]).await?.first() {
        orders += counts(row)?;
    }
    for row in rows(session, BEFORE, vec![from.seq.into()]).await? {
        orders -= order(&row)?.counts();
    }
    let head = rows(session, HEAD, Vec::new()).await?;
    Ok(Counted { seq: head.first().map_or(Ok(0), |row| row.int(0))?, orders })
}

fn counts(row: &Row) -> Result<OrderCounts, LedgerError> {
    let count = |at| row.int(at).map(i64::cast_unsigned);
    Ok(OrderCounts {
        sent: count(0)?,
        accepted: count(1)?,
        open: count(2)?,
        filled: count(3)?,
        cancelled: count(4)?,
        rejected: count(5)?,
        unknown: count(6)?,
        denied: count(7)?,
    })
}
