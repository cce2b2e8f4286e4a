//! Total profit as losses and peaks are judged by it: as each of the last looks at prices saw it. Pure.
//!
//! Invariant: a token is judged by its own last looks, so one frame of it decides nothing, however often others are heard, and its
//! silence hides no fall of theirs while its price counts.

use std::collections::VecDeque;
use std::time::Duration;

use rust_decimal::Decimal;

use super::Portfolio;
use super::mark::Mark;
use crate::domain::{Holding, Timestamp, TokenId, Usd};
use crate::risk::{Known, Total};

/// What the shares of one token are worth.
enum Worth<'a> {
    /// The same at every look.
    Certain(Usd),
    /// What the looks saw, the newest last.
    Seen(Option<&'a VecDeque<Mark>>),
    Unknown,
}

impl Portfolio {
    /// A look at the marks of what is held and trades: each that was heard anew is remembered, the newest `looks` of them. From `last`
    /// before the end that a market names a book of before that end is no look, since makers take back their quotes, until `most` after it:
    /// by then it is known whether the market trades on. What trades no more is looked at only if this run never has.
    pub fn look(&mut self, now: Timestamp, [most, last]: [Duration; 2], looks: usize) {
        let mut all = std::mem::take(&mut self.looks);
        all.retain(|id, _| self.holds(id) && !self.payouts.contains_key(id));
        let mut oldest = None;
        for (id, known) in self.working() {
            let Some(mark) = self.marks.get(id).filter(|_| !known.holding(id).shares.is_zero()) else { continue };
            if self.payouts.contains_key(id) {
                continue;
            }
            let end = self.closes.get(id).filter(|end| now.since(**end) <= most);
            let over =
                self.ended(id).is_some() || end.is_some_and(|end| mark.since() < *end && mark.at().plus(last) >= *end);
            if over && all.contains_key(id) {
                continue;
            }
            let seen: &mut VecDeque<Mark> = all.entry(id.clone()).or_default();
            if seen.back().is_none_or(|newest| newest.at() < mark.at()) {
                seen.push_back(mark.clone());
            }
            while seen.len() > looks {
                seen.pop_front();
            }
            if !over {
                oldest = Some(oldest.map_or(mark.at(), |known: Timestamp| known.min(mark.at())));
            }
        }
        (self.looks, self.oldest) = (all, oldest);
    }

    /// Total profit by the last `looks`: by the newest of every token, by the one before of every token, and so on. A look that there was
    /// not counts as what the shares cost, and a token whose price is older than `most` as if it paid all that it can, a whole pUSD a
    /// share: so it hides no loss that is certain, and peaks wait for it. Between its end and its result a token is worth what was seen
    /// before.
    #[must_use]
    pub fn total(&self, now: Timestamp, most: Duration, looks: usize) -> Total {
        let begin = self.resting.total() + self.retired.total();
        let (mut sums, mut settled) = (vec![begin; looks.max(1)], vec![begin; looks.max(1)]);
        let mut known = true;
        for (id, token) in self.working() {
            let holding = token.holding(id);
            let profit = holding.realised - holding.fees - holding.cost;
            let worth = self.seen(id, &holding, now, most);
            known &= !matches!(worth, Worth::Unknown);
            let before = worth.oldest(&holding).filter(|_| self.ended(id).is_some()).unwrap_or(holding.cost);
            for (back, (sum, settled)) in sums.iter_mut().zip(&mut settled).enumerate() {
                let worth = worth.at(back, &holding);
                *sum += profit + worth.unwrap_or(holding.cost);
                *settled += profit + worth.unwrap_or(before);
            }
        }
        sums.sort_unstable();
        settled.sort_unstable();
        let newest = sums.len() - 1;
        let known = known.then(|| Known { least: sums[0], middle: settled[newest / 2], heard: self.oldest });
        Total { known, for_losses: sums[newest] }
    }

    fn seen(&self, id: &TokenId, holding: &Holding, now: Timestamp, most: Duration) -> Worth<'_> {
        if holding.shares.is_zero() {
            return Worth::Certain(Usd::ZERO);
        }
        if let Some(payout) = self.payouts.get(id) {
            return Worth::Certain(payout.notional(holding.shares));
        }
        self.mark(id, now, most).map_or(Worth::Unknown, |_| Worth::Seen(self.looks.get(id)))
    }

    /// Since when a token trades no more, while its result is not told.
    pub(super) fn ended(&self, id: &TokenId) -> Option<Timestamp> {
        let trading = self.trading.get(id).filter(|_| !self.payouts.contains_key(id));
        trading.and_then(|trading| trading.ended())
    }
}

impl Worth<'_> {
    /// At the look so many looks ago; nothing when there was none.
    fn at(&self, back: usize, holding: &Holding) -> Option<Usd> {
        match self {
            Self::Certain(worth) => Some(*worth),
            Self::Seen(looks) => {
                looks.and_then(|looks| looks.iter().rev().nth(back)).map(|mark| mark.worth(holding.shares))
            }
            Self::Unknown => Some(Usd(holding.shares.0.max(Decimal::ZERO))),
        }
    }

    /// At the oldest look, if there was any.
    fn oldest(&self, holding: &Holding) -> Option<Usd> {
        match self {
            Self::Seen(looks) => looks.and_then(VecDeque::front).map(|mark| mark.worth(holding.shares)),
            Self::Certain(_) | Self::Unknown => None,
        }
    }
}
