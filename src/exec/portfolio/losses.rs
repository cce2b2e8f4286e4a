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
}
