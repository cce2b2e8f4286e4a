//! What the venue's balances may be if the books are right. Pure.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use rust_decimal::Decimal;

use super::{Portfolio, journals, turn};
use crate::domain::{Fill, Side, Timestamp, TokenId};

/// What a balance at the venue may be: every value between the ends can be explained by fills that are not settled, or that
/// the venue's cache may not have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The least.
    pub low: Decimal,
    /// The most.
    pub high: Decimal,
}

impl Range {
    /// How far outside a figure lies: negative below, positive above, zero inside.
    #[must_use]
    pub fn miss(self, figure: Decimal) -> Decimal {
        if figure < self.low {
            figure - self.low
        } else if figure > self.high {
            figure - self.high
        } else {
            Decimal::ZERO
        }
    }

    /// Widens the range by something that may or may not have happened: booked as `effect`.
    fn doubt(&mut self, effect: Decimal) {
        if effect > Decimal::ZERO {
            self.low -= effect;
        } else {
            self.high -= effect;
        }
    }

    /// Widens the range by something that is not booked and may still show.
    fn may_show(&mut self, effect: Decimal) {
        if effect > Decimal::ZERO {
            self.high += effect;
        } else {
            self.low += effect;
        }
    }
}

/// What the books expect of the venue's balances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// pUSD; nothing before the first balance was taken over.
    pub cash: Option<Range>,
    /// Shares of the tokens that were asked for.
    pub tokens: BTreeMap<TokenId, Range>,
}

impl Expected {
    /// Allows for something on its way that may show or not: pUSD and shares of `token`, as it would change them.
    pub fn may_show(&mut self, token: &TokenId, cash: Decimal, shares: Decimal) {
        if let Some(range) = &mut self.cash {
            range.may_show(cash);
        }
        if let Some(range) = self.tokens.get_mut(token) {
            range.may_show(shares);
        }
    }
}

impl Portfolio {
    /// Tokens whose balance is worth asking for: what is held and what changed within the lag of the last comparison, as long as
    /// its market is open; at most `most`, those behind `after` first, so that all have their turn. From its close on shares may
    /// be paid out, and what for is known with the result.
    #[must_use]
    pub fn countable(&self, most: usize, after: Option<&TokenId>, now: Timestamp) -> Vec<TokenId> {
        let recent: HashSet<&TokenId> = self.changed_at.values().map(|(changed, _)| changed).collect();
        let over = |token: &TokenId| self.payouts.contains_key(token) || self.is_resolving(token, now);
        let open = |token: &&TokenId| !over(token) && (self.holds(token) || recent.contains(token));
        turn(self.tokens.keys().filter(open), most, after)
    }

    /// What the balances of these tokens, and the pUSD, may be at `now` when the venue's cache lags by up to `lag`.
    pub fn expected(&mut self, tokens: &[TokenId], lag: Duration, now: Timestamp) -> Expected {
        self.changed_at.retain(|_, (_, at)| now.since(*at) <= lag);
        let mut cash = Range { low: self.cash.0, high: self.cash.0 };
        let mut expected = Expected::default();
        for (id, token) in &self.tokens {
            let held = token.holding(id).shares.0;
            let mut shares = Range { low: held, high: held };
            for (leg, fill) in &token.fills {
                if fill.status.is_final() && !self.changed_at.contains_key(leg) {
                    continue;
                }
                let (paid, moved) = (journals::cash_of(fill).0, shares_of(fill));
                if fill.status == crate::domain::FillStatus::Failed {
                    cash.may_show(paid);
                    shares.may_show(moved);
                } else {
                    cash.doubt(paid);
                    shares.doubt(moved);
                }
            }
            cash.may_show(self.payable(id, token.holding(id).shares, now).0);
            if tokens.contains(id) {
                expected.tokens.insert(id.clone(), shares);
            }
        }
        expected.cash = self.opened_at.map(|_| cash);
        expected
    }

    /// pUSD in purchases that have not settled, or whose settlement was told after `since`.
    #[must_use]
    pub fn bought_since(&self, since: Timestamp) -> crate::domain::Usd {
        let settled = self.changed_at.iter().filter(|(_, (_, at))| *at > since);
        let settled = settled.filter_map(|(leg, (id, _))| self.tokens.get(id)?.fills.get(leg));
        let settled = settled.filter(|fill| fill.status == crate::domain::FillStatus::Confirmed);
        let bought = self.unsettled().chain(settled).filter(|fill| fill.side == Side::Buy);
        bought.map(|fill| -journals::cash_of(fill)).sum()
    }

    /// Whether a balance could be explained in more than one way: something is not settled, or was only just.
    #[must_use]
    pub fn is_in_flux(&self) -> bool {
        let pending = |token: &super::Token| !token.bought().is_zero() || !token.sold().is_zero();
        !self.changed_at.is_empty() || self.tokens.values().any(pending)
    }

    /// pUSD that is ours for certain, proceeds of sales that are not settled left out; nothing before the first balance was
    /// taken over.
    #[must_use]
    pub fn free(&self) -> Option<crate::domain::Usd> {
        self.opened_at.map(|_| self.cash - self.unsettled)
    }

    /// pUSD over everything that was booked.
    #[must_use]
    pub const fn cash(&self) -> crate::domain::Usd {
        self.cash
    }
}

pub(super) fn shares_of(fill: &Fill) -> Decimal {
    if fill.side == Side::Buy { fill.size.0 } else { -fill.size.0 }
}
