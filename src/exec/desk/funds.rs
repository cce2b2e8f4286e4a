//! pUSD that may be spent: what the books are sure of, and what the exchanges may still take of it.

use std::time::Duration;

use rust_decimal::Decimal;

use super::Desk;
use super::balances::CACHE_LAG;
use crate::domain::{Funds, Timestamp, Usd};
use crate::exec::venue::Allowance;

/// How long new entries wait for the first balance of a run. After that they are judged without: purchases are denied, sales pass.
const AWAITED: Duration = Duration::from_secs(30);

/// The allowance as the venue last showed it.
#[derive(Debug, Default)]
pub(super) struct Purse {
    /// Whether the venue has shown it in this run.
    known: bool,
    /// Absent when it is without bound.
    allowance: Option<Decimal>,
    /// When the figure under way was asked for, and when the one that counts was.
    asked_at: Timestamp,
    read_at: Timestamp,
}

impl Purse {
    /// The venue's figures: the least counts, and a venue that names no exchange allows nothing.
    pub(super) fn counted(&mut self, allowances: &[Allowance]) {
        let least = allowances.iter().filter_map(|allowance| allowance.amount).min();
        self.allowance = if allowances.is_empty() { Some(Decimal::ZERO) } else { least };
        self.read_at = self.asked_at;
        self.known = true;
    }

    /// The figures are asked for.
    pub(super) const fn ask(&mut self, now: Timestamp) {
        self.asked_at = now;
    }

    /// Whether the venue has shown the allowance in this run.
    pub(super) const fn is_known(&self) -> bool {
        self.known
    }
}

impl Desk {
    /// Whether the first balance of this run is still to come: what is judged before would be denied for want of it.
    pub(in crate::exec) fn awaits_funds(&self, now: Timestamp) -> bool {
        let patient = self.counting.first_asked_at.is_none_or(|asked| now.since(asked) < AWAITED);
        !self.purse.is_known() && patient
    }

    /// What buys may use; nothing before the account's balance was taken over and its allowance was seen.
    pub(super) fn funds(&self) -> Option<Funds> {
        let free = self.portfolio.free().filter(|_| self.purse.is_known())? - self.counting.missing();
        Some(Funds { free: free.max(Usd::ZERO), allowance: self.allowance() })
    }

    /// An allowance is used at settlement, and the venue's figure may be older than that: purchases count against it until they have
    /// settled and the figure was read late enough to show it.
    fn allowance(&self) -> Option<Usd> {
        let shown = self.purse.allowance?;
        let bought = self.portfolio.bought_since(self.purse.read_at.minus(CACHE_LAG));
        Some(Usd((shown - bought.0).max(Decimal::ZERO)))
    }
}
