//! Total profit as losses and peaks are judged by it: as each of the last looks at prices saw it. Pure.
//!
//! Invariant: a token is judged by its own last looks, so one frame of it decides nothing, however often others are heard, and its
//! silence hides no fall of theirs.

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
    /// A look at the marks of what is held and trades: each that was heard anew is remembered, the newest `looks` of them. After the end
    /// that a market names, a book of before it that is only told again says nothing new for `most`: by then it is known whether the
    /// market trades on. What trades no more is looked at only if this run never has.
    pub fn look(&mut self, now: Timestamp, most: Duration, looks: usize) {
        let mut all = std::mem::take(&mut self.looks);
        all.retain(|id, _| self.holds(id) && !self.payouts.contains_key(id));
        for (id, known) in self.working() {
            let Some(mark) = self.marks.get(id).filter(|_| !known.holding(id).shares.is_zero()) else { continue };
            let end = self.closes.get(id).filter(|end| now.since(**end) <= most);
            let frozen = end.is_some_and(|end| mark.since() < *end && *end <= mark.at());
            let over = (frozen || self.ended(id).is_some()) && all.contains_key(id);
            if over || self.payouts.contains_key(id) {
                continue;
            }
            let seen: &mut VecDeque<Mark> = all.entry(id.clone()).or_default();
            if seen.back().is_none_or(|last| last.at() < mark.at()) {
                seen.push_back(mark.clone());
            }
            while seen.len() > looks {
                seen.pop_front();
            }
        }
        self.looks = all;
    }

    /// Total profit by the last `looks`: by the newest of every token, by the one before of every token, and so on. Before the first
    /// look at a token its shares count as what they cost, and one whose price is older than `most` as if it paid all that it can, a
    /// whole pUSD a share: so it hides no loss of the others, and peaks wait for it. Between its end and its result a token is worth
    /// what was seen before.
    #[must_use]
    pub fn total(&self, now: Timestamp, most: Duration, looks: usize) -> Total {
        let mut sums = vec![self.resting.total() + self.retired.total(); looks.max(1)];
        let mut known = true;
        for (id, token) in self.working() {
            let holding = token.holding(id);
            let profit = holding.realised - holding.fees - holding.cost;
            let worth = self.seen(id, &holding, now, most);
            known &= !matches!(worth, Worth::Unknown);
            for (back, sum) in sums.iter_mut().enumerate() {
                *sum += profit + worth.at(back, &holding);
            }
        }
        sums.sort_unstable();
        let [least, middle, best] = [0, (sums.len() - 1) / 2, sums.len() - 1].map(|place| sums[place]);
        Total { known: known.then_some(Known { least, middle }), for_losses: best }
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
    /// At the look so many looks ago.
    fn at(&self, back: usize, holding: &Holding) -> Usd {
        match self {
            Self::Certain(worth) => *worth,
            Self::Seen(looks) => {
                let seen = looks.and_then(|looks| looks.iter().rev().nth(back));
                seen.map_or(holding.cost, |mark| mark.worth(holding.shares))
            }
            Self::Unknown => Usd(holding.shares.0.max(Decimal::ZERO)),
        }
    }
}
