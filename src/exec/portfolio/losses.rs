//! What total profit is at most, when not everything can be valued. Pure.

use std::time::Duration;

use rust_decimal::Decimal;

use super::Portfolio;
use crate::domain::{Timestamp, Usd};

impl Portfolio {
    /// Total profit as losses are measured by it: never absent, so that one token without a price hides no loss of the others. What
    /// cannot be valued counts as if it paid all that it can, a whole pUSD a share held.
    #[must_use]
    pub fn for_losses(&self, now: Timestamp, most: Duration) -> Usd {
        let mut total = self.resting.total() + self.retired.total();
        for (id, known) in self.working() {
            let holding = known.holding(id);
            total += holding.realised - holding.fees;
            if !holding.shares.is_zero() {
                let best = Usd(holding.shares.0.max(Decimal::ZERO));
                total += self.value(id, holding.shares, now, most).unwrap_or(best) - holding.cost;
            }
        }
        total
    }

    /// When the oldest of the marks was heard that these sums rest on; nothing when they rest on none. What is resolved, or has no mark of
    /// within `most`, has none; between the end of its trading and its result no mark can be heard anew, and it counts only where nothing
    /// that trades is held.
    #[must_use]
    pub fn heard(&self, now: Timestamp, most: Duration) -> Option<Timestamp> {
        let held = self.working().filter(|(id, known)| !known.holding(id).shares.is_zero());
        let marks = held.filter(|(id, _)| !self.payouts.contains_key(*id)).filter_map(|(id, _)| {
            let ended = self.trading.get(id).and_then(|trading| trading.ended());
            let at = self.marks.get(id)?.at();
            (ended.unwrap_or(now).since(at) <= most).then_some((ended.is_some(), at))
        });
        // Those that trade first.
        marks.min().map(|(_, at)| at)
    }
}
