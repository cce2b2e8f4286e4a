//! What total profit is at most, when not everything can be valued. Pure.

use std::time::Duration;

use rust_decimal::Decimal;

use super::{Portfolio, Trading};
use crate::domain::{Price, Size, Timestamp, TokenId, Usd};

impl Portfolio {
    /// Total profit as losses are measured by it: never absent, so that one token without a price hides no loss of the others. What
    /// cannot be valued counts as if it paid all that it can, a whole pUSD a share held; what is `unwanted` now, offered
    /// and bid for by nobody, counts as nothing for as long as its market takes orders.
    #[must_use]
    pub fn for_losses(&self, now: Timestamp, most: Duration, unwanted: impl Fn(&TokenId) -> bool) -> Usd {
        let mut total = Usd::ZERO;
        for (id, known) in &self.tokens {
            let holding = known.holding(id);
            total += holding.realised - holding.fees;
            if holding.shares.is_zero() {
                continue;
            }
            let long = holding.shares > Size::ZERO;
            let trades = !matches!(self.trading.get(id), Some(Trading::Ended(_)));
            let price = if long && trades && !self.payouts.contains_key(id) && unwanted(id) {
                Price(Decimal::ZERO)
            } else {
                let best = if long { Decimal::ONE } else { Decimal::ZERO };
                self.value(id, now, most).unwrap_or(Price(best))
            };
            total += price.notional(holding.shares) - holding.cost;
        }
        total
    }
}
