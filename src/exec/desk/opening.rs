//! Taking an account over into a new ledger: what it had before is what its balances say. Its trades of before are no fills of these
//! books; they only tell which tokens to ask for, and what those cost.
//!
//! Invariant: trades that were matched shortly before the opening, or belong to an order that is open then or ours, are fills like
//! any other, so that whatever may still change is followed to its end.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use rust_decimal::Decimal;

use super::balances::{ACCOUNT, AGAIN, DUST};
use super::{Desk, Step};
use crate::domain::{Asset, Fill, OrderId, Size, Timestamp, TokenId, Usd};
use crate::exec::portfolio::{Portfolio, opening};
use crate::exec::venue::Balances;

/// A trade that was matched so long before the opening and is final shows in the balances.
const SHOWS_WITHIN: Duration = Duration::from_mins(10);
/// So long the opening waits for what is not settled; what lasts longer is taken as the venue tells it.
const WAITS: Duration = Duration::from_mins(2);

/// How far the opening has come; of no use afterwards.
#[derive(Debug, Default)]
pub(super) struct Opening {
    /// When the first balances came.
    since: Option<Timestamp>,
    /// The trades of before.
    past: Portfolio,
    /// Tokens that were taken over.
    taken: BTreeSet<TokenId>,
    /// What was open when the trades of before were listed.
    open: HashSet<OrderId>,
}

impl Desk {
    /// Whether the account was taken over.
    pub(super) const fn is_opened(&self) -> bool {
        self.portfolio.opened_at().is_some()
    }

    /// The venue lists these as open: their trades are theirs, however old.
    pub(super) fn open_at_opening<'a>(&mut self, orders: impl Iterator<Item = &'a OrderId>) {
        if !self.is_opened() {
            self.opening.open = orders.cloned().collect();
        }
    }

    /// Whether a trade that is not in the books was over before they began.
    pub(super) fn is_past(&mut self, fill: &Fill, now: Timestamp) -> bool {
        let before = self.portfolio.opened_at().unwrap_or(now).minus(SHOWS_WITHIN);
        let followed = self.index.contains_key(&fill.order) || self.opening.open.contains(&fill.order);
        let past = fill.status.is_final() && fill.matched_at < before && !followed && !self.portfolio.knows(fill);
        if past && !self.is_opened() {
            self.opening.past.restore(fill);
        }
        past
    }

    /// Tokens whose shares are not taken over yet.
    pub(super) fn to_take_over(&self, most: usize) -> Vec<TokenId> {
        let held: BTreeSet<&TokenId> = self.opening.past.held().chain(self.portfolio.held()).collect();
        let left = held.into_iter().filter(|token| !self.opening.taken.contains(*token));
        left.take(most).cloned().collect()
    }

    /// The first balances: shares first, some at a time, and pUSD once all are taken over.
    pub(super) fn open_account(&mut self, asked: &[TokenId], balances: &Balances, now: Timestamp, step: &mut Step) {
        let since = *self.opening.since.get_or_insert(now);
        let at_rest = !self.portfolio.is_in_flux() && self.is_at_rest();
        if !at_rest && now.since(since) < WAITS {
            self.counting.look_at(now.plus(AGAIN));
            return;
        }
        for (token, found) in balances.tokens.iter().filter(|(token, _)| asked.contains(token)) {
            self.take_over(token, found.balance, now, step);
        }
        if !self.to_take_over(1).is_empty() {
            self.counting.look_at(now);
            return;
        }
        let more = balances.collateral.balance - self.portfolio.cash_shown().0;
        tracing::info!(pusd = %balances.collateral.balance, tokens = self.opening.taken.len(), "the account is taken over");
        self.book_apart(opening(Asset::Usd, ACCOUNT.into(), (more, Usd::ZERO), now), step);
        self.opening = Opening::default();
    }

    fn take_over(&mut self, token: &TokenId, shares: Decimal, now: Timestamp, step: &mut Step) {
        if !self.opening.taken.insert(token.clone()) {
            return;
        }
        let more = (Size(shares) - self.portfolio.shares_shown(token)).0;
        if more.abs() < DUST {
            return;
        }
        // What came is worth what was paid for it then, what went what it is booked at: neither is a profit of these books.
        let [first, second] = [&self.opening.past, &self.portfolio];
        let (first, second) = if more.is_sign_positive() { (first, second) } else { (second, first) };
        let known = first.cost_of(token, more).or_else(|| second.cost_of(token, more));
        let (market, cost) = known.unwrap_or_else(|| (ACCOUNT.into(), Usd::ZERO));
        self.store_market(&market, step);
        self.book_apart(opening(Asset::Token(token.clone()), market, (more, cost), now), step);
    }
}
