//! Shares of resolved markets that were paid out. Nobody tells of it: shares are gone and pUSD has come. Pure.
//!
//! Invariant: a redemption books what the shares were worth already, so total profit is the same before and after it.

use rust_decimal::Decimal;

use super::{Portfolio, journals, turn};
use crate::domain::{Journal, Price, Size, Timestamp, TokenId, Usd};

impl Portfolio {
    /// What a share pays; nothing while its market is not resolved, or was never described.
    #[must_use]
    pub fn payout(&self, token: &TokenId) -> Option<Price> {
        self.payouts.get(token).copied()
    }

    /// Whether anybody described its market: if not, its result will not be heard of either.
    #[must_use]
    pub fn is_described(&self, token: &TokenId) -> bool {
        self.names.contains_key(token)
    }

    /// Resolved tokens that are held and worth something, at most `most`, those behind `after` first. What is worth nothing stays: to
    /// redeem it moves no pUSD.
    #[must_use]
    pub fn redeemable(&self, most: usize, after: Option<&TokenId>) -> Vec<TokenId> {
        let worth = |token: &&TokenId| self.payout(token).is_some_and(|payout| !payout.is_zero()) && self.holds(token);
        turn(self.tokens.keys().filter(worth), most, after)
    }

    /// Whether its market has reached the end that it names, and its result is not known yet.
    pub(super) fn is_resolving(&self, token: &TokenId, now: Timestamp) -> bool {
        self.payout(token).is_none() && self.closes.get(token).is_some_and(|closes_at| *closes_at <= now)
    }

    /// How much pUSD may have come for shares of this token without our having heard of it.
    pub(super) fn payable(&self, token: &TokenId, shares: Size, now: Timestamp) -> Usd {
        let open = self.payout(token).is_none() && self.is_described(token) && !self.is_resolving(token, now);
        if open || shares <= Size::ZERO {
            return Usd::ZERO;
        }
        self.payout(token).unwrap_or(Price(Decimal::ONE)).notional(shares)
    }

    /// Books that so many shares were paid out; one journal for each strategy that has a part in them.
    pub fn redeem(&mut self, token: &TokenId, shares: Size, payout: Price, at: Timestamp) -> Vec<Journal> {
        let Some(position) = self.position(token) else { return Vec::new() };
        let mut left = shares;
        let mut booked = Vec::new();
        for part in position.parts {
            // The whole is gone with every part, also with what one strategy has sold of another's.
            let gone = if shares == position.size { part.size } else { part.size.max(Size::ZERO).min(left) };
            left -= gone;
            if !gone.is_zero() {
                booked.push(journals::redemption(token, &position.market, part.strategy, (gone, payout), at));
            }
        }
        for journal in &booked {
            self.correct(journal.clone());
        }
        booked
    }
}
